/* A provider that differs from its siblings by what the build defines: NAME, CAPABILITY, MAJOR,
 * TIER, PRIORITY, and, where they are needed, FLAGS (of the module) and OFFER_FLAGS (of the
 * capability). */
#include CAPABILITY_HEADER
#include <rt/rt.h>

#ifndef MAJOR
#define MAJOR 1
#endif
#ifndef PRIORITY
#define PRIORITY 0
#endif
#ifndef FLAGS
#define FLAGS
#endif
#ifndef OFFER_FLAGS
#define OFFER_FLAGS
#endif

#define PROVIDES(...) RT_PROVIDES(__VA_ARGS__)
#define PROVIDE(...) rt_provide(__VA_ARGS__)

RT_MODULE(NAME, "1.0.0", "Provides " RT_TEXT(CAPABILITY) " to tests", FLAGS)
PROVIDES(CAPABILITY, MAJOR, TIER, PRIORITY, OFFER_FLAGS)

RT_REGISTER(registry)
{
    return PROVIDE(registry, CAPABILITY);
}
