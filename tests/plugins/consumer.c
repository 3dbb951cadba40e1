/* Something that serves and requires; the build defines NAME, and NEEDS as macros
 * of rt/module.h. */
#include "cap/eta.h"
#include "cap/outlet.h"
#include "cap/zeta.h"
#ifdef ALPHA_2
#include "cap/alpha_2.h"
#else
#include "cap/alpha.h"
#endif
#include "cap/beta.h"

#include <rt/rt.h>

#ifndef FLAGS
#define FLAGS
#endif
#ifndef SERVES
#define SERVES RT_SERVES(routes)
#endif

RT_MODULE(NAME, "1.0.0", "Is served in tests", FLAGS)
SERVES
NEEDS

RT_REGISTER(registry)
{
    (void)registry;
    return 0;
}
