/* hen and egg, by -DEGG, require each other. */
#include "cap/eta.h"
#include "cap/zeta.h"

#include <rt/rt.h>

#ifdef EGG
RT_MODULE("egg", "1.0.0", "Comes from the hen")
RT_PROVIDES(eta, 1, fallback, 0)
RT_REQUIRES(zeta, 1)
#else
RT_MODULE("hen", "1.0.0", "Comes from the egg")
RT_PROVIDES(zeta, 1, fallback, 0)
RT_REQUIRES(eta, 1)
#endif

RT_REGISTER(registry)
{
#ifdef EGG
    return rt_provide(registry, eta);
#else
    return rt_provide(registry, zeta);
#endif
}
