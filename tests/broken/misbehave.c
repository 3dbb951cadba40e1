/* Plugins whose files are sound and that go wrong only when they are loaded. Each is compiled with
 * one of the names below as MISBEHAVE. A constructor must never run while files are judged:
 * `writes` leaves a trace if one does, in the file that RT_TEST_MARK names. */
#include <rt/rt.h>

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define CRASHES 1    /* constructor: SIGSEGV */
#define HANGS 2      /* constructor: never returns */
#define EXITS 3      /* constructor: ends the process with status 0 */
#define WRITES 4     /* constructor: creates $RT_TEST_MARK */
#define RENAMES 5    /* constructor: the descriptor has another name from then on */
#define FAILS 6      /* registration: an error */
#define FAULTS 7     /* registration: SIGSEGV */
#define LOOPS 8      /* registration: never returns */
#define UNDECLARED 9 /* registration: a route, though it serves services only */
#define FORGETS 10   /* registration: leaves out what the manifest provides */
#define ABORTS 11    /* registration: SIGABRT */
#define ENDS 12      /* registration: ends the process with status 0 */
#define GREEDY 13    /* the dynamic linker: more thread-local memory than there is */

RT_MODULE(NAME, "1.0.0", "Goes wrong when it is loaded")

#if MISBEHAVE == UNDECLARED
RT_SERVES(services)
#else
RT_SERVES(routes)
#endif

#if MISBEHAVE == FORGETS
#include <rt/cap/clock.h>
RT_PROVIDES(clock, 1, production, 100)
#endif

__attribute__((noinline)) static void fault(void)
{
    volatile int *volatile nowhere = (volatile int *)8; /* which no compiler knows */
    *nowhere = 1;
}

__attribute__((noinline)) static void hang(void)
{
    for (;;)
        pause();
}

__attribute__((unused)) static void mark(void)
{
    const char *path = getenv("RT_TEST_MARK");
    int fd = path ? open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600) : -1;
    if (fd >= 0)
        close(fd);
}

#if MISBEHAVE == GREEDY
static _Thread_local volatile char large[1 << 20] __attribute__((tls_model("initial-exec")));
#endif

__attribute__((constructor)) static void construct(void)
{
    switch (MISBEHAVE) {
    case CRASHES:
        fault();
        break;
    case HANGS:
        hang();
        break;
    case EXITS:
        exit(0);
    case WRITES:
        mark();
        break;
    case RENAMES:
        rt_module.name = "somebody-else";
        break;
#if MISBEHAVE == GREEDY
    case GREEDY:
        large[0] = 1;
        break;
#endif
    default:
        break;
    }
}

static int answer(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request;
    return rt_respond(ctx, response, 204, "text/plain", RT_STR(""));
}

RT_REGISTER(registry)
{
    switch (MISBEHAVE) {
    case FAILS:
        return -RT_EINTERNAL;
    case FAULTS:
        fault();
        break;
    case LOOPS:
        hang();
        break;
    case ABORTS:
        abort();
    case ENDS:
        exit(0);
    default:
        break;
    }
    return rt_route(registry, RT_GET, "/" NAME, answer);
}
