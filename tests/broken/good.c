/* A sound plugin. With ROOM its notes have space for make_corpus.py to write others in their place;
 * with MUCH_ROOM they are larger than the host reads. */
#include <rt/rt.h>

#include <rt/cap/clock.h>

RT_MODULE("good", "1.0.0", "Does nothing wrong")
RT_SERVES(routes)
RT_REQUIRES(clock, 1, RT_RAW)
RT_OPTION(int, limit, RT_DEFAULT(10) RT_RANGE(1, 100), "Most of something")

#if defined(ROOM) || defined(MUCH_ROOM)
#ifdef ROOM
#define SPACE 8192
#else
#define SPACE 65536
#endif
static const struct {
    uint32_t owner_size, size, type;
    char owner[8];
    char space[SPACE];
} room __attribute__((section(".note.rt"), used, aligned(4))) = {5, SPACE, 1, "FILL", {0}};
#endif

static int tell(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    int64_t now;
    (void)request;
    RT_TRY(rt_clock_now(ctx, rt_clock, &now));
    return rt_respond(ctx, response, RT_GET(ctx, limit) > now ? 200 : 204, "text/plain",
                      RT_STR(""));
}

RT_REGISTER(registry)
{
    return rt_route(registry, RT_GET, "/good", tell);
}
