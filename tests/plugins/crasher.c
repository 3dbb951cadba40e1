/* Routes that bring the worker down, each in a way of its own. */
#include <pthread.h>
#include <rt/rt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

RT_MODULE("crasher", "1.0.0", "Crashes when asked to")
RT_SERVES(routes)
RT_OPTION(string, goes_wrong, RT_DEFAULT(""), "start: while it starts; service: in its service")

/* Functions that backtraces name as they are written here. */
#ifdef __clang__
#define NO_INLINE __attribute__((noinline, no_sanitize("address", "undefined")))
#else
#define NO_INLINE __attribute__((noinline, noclone, no_sanitize("address", "undefined")))
#endif

static volatile uintptr_t nowhere;

static NO_INLINE int null(void)
{
    *(volatile int *)nowhere = 1;
    return 0;
}

static NO_INLINE int call(void)
{
    int (*function)(void) = (int (*)(void))nowhere;
    return function() + 1;
}

static NO_INLINE int dig(const volatile char *above, int depth)
{
    volatile char frame[1000];
    frame[0] = above ? above[0] : 1;
    frame[999] = (char)depth;
    return depth == 0 ? frame[0] : dig(frame, depth - 1) + frame[999];
}

static NO_INLINE int deep(void)
{
    return dig(NULL, 1 << 20);
}

static NO_INLINE int twice(void)
{
    void *volatile memory = malloc(64);
    free(memory);
    free(memory);
    return 0;
}

static NO_INLINE int give_up(void)
{
    abort();
}

static NO_INLINE int leave(void)
{
    exit(3);
}

static void *leave_elsewhere(void *argument)
{
    (void)argument;
    exit(4);
}

static NO_INLINE int leave_in_thread(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, leave_elsewhere, NULL) == 0)
        pthread_join(thread, NULL);
    return 0;
}

static NO_INLINE int leave_at_once(void)
{
    _exit(5);
}

static NO_INLINE int divide(void)
{
    raise(SIGFPE);
    return 0;
}

static NO_INLINE int illegal(void)
{
    __builtin_trap();
}

static NO_INLINE int beyond(void)
{
    FILE *file = tmpfile();
    volatile char *memory = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fileno(file), 0);
    return memory[0];
}

/* Takes what the limit still gives, and uses it. */
static NO_INLINE int greedy(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_DATA, &limit);
    limit.rlim_cur = 256 << 20;
    setrlimit(RLIMIT_DATA, &limit);
    for (volatile char *memory; (memory = malloc(1 << 20)) || nowhere == 0;)
        memory[0] = memory[4096] = 1;
    return 0;
}

/* Takes and uses memory until the system ends it. */
static NO_INLINE int hoard(void)
{
    for (volatile char *memory; (memory = malloc(1 << 20)) && nowhere == 0;)
        for (size_t i = 0; i < 1 << 20; i += 4096)
            memory[i] = 1;
    return 0;
}

/* As a wild pointer may: over all the memory that the supervisor shares. */
static NO_INLINE int scribble(void)
{
    char line[512];
    unsigned long start, end;
    FILE *maps = fopen("/proc/self/maps", "re");
    while (maps && fgets(line, sizeof line, maps))
        if (strstr(line, "memfd:rt-") && sscanf(line, "%lx-%lx", &start, &end) == 2)
            for (volatile char *byte = (volatile char *)start; byte < (volatile char *)end; byte++)
                *byte = (char)0xff;
    return null();
}

/* The frames above are gone: nothing can be unwound. */
static NO_INLINE int smash(void)
{
    volatile char here[16], *volatile from = here;
    for (int i = 0; i < 128; i++)
        from[i] = 0x41;
    return null() + here[0];
}

static NO_INLINE int run_forever(void)
{
    for (volatile unsigned long i = 0; nowhere == 0; i++)
        continue;
    return 0;
}

static NO_INLINE int spin_for(int milliseconds)
{
    struct timespec now, end;
    volatile unsigned long rounds = 0;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_nsec += milliseconds % 1000 * 1000000L;
    end.tv_sec += milliseconds / 1000 + end.tv_nsec / 1000000000L;
    end.tv_nsec %= 1000000000L;
    do {
        rounds++;
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (now.tv_sec < end.tv_sec || (now.tv_sec == end.tv_sec && now.tv_nsec < end.tv_nsec));
    return 0;
}

static NO_INLINE int spin(void)
{
    return spin_for(600);
}

static NO_INLINE int hang(void)
{
    while (nowhere == 0)
        pause();
    return 0;
}

/* A child of a plugin is not the worker: its crash is nobody's. */
static NO_INLINE int child(void)
{
    pid_t pid = fork();
    if (pid == 0)
        null();
    return waitpid(pid, NULL, 0) == pid ? 0 : -RT_EINTERNAL;
}

static int crash_in_pool(void *argument)
{
    (void)argument;
    return null();
}

static NO_INLINE int pool(void)
{
    return rt_blocking(rt_current(), crash_in_pool, NULL);
}

static NO_INLINE int fine(void)
{
    return 0;
}

static const struct {
    const char *path;
    int (*run)(void);
} ways[] = {
    {"/null", null},
    {"/call", call},
    {"/deep", deep},
    {"/twice", twice},
    {"/abort", give_up},
    {"/exit", leave},
    {"/exit-thread", leave_in_thread},
    {"/exit-at-once", leave_at_once},
    {"/divide", divide},
    {"/illegal", illegal},
    {"/beyond", beyond},
    {"/greedy", greedy},
    {"/hoard", hoard},
    {"/scribble", scribble},
    {"/smash", smash},
    {"/forever", run_forever},
    {"/spin", spin},
    {"/hang", hang},
    {"/child", child},
    {"/pool", pool},
    {"/fine", fine},
};
enum { WAYS = sizeof ways / sizeof ways[0] };

/* Not in a tail call: the handler is to be in the backtrace. */
static int handle(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    for (size_t i = 0; i < WAYS; i++)
        if (request->path.length == strlen(ways[i].path) &&
            memcmp(request->path.data, ways[i].path, request->path.length) == 0)
            RT_TRY(ways[i].run());
    const char *text = rt_format(ctx, "%d", (int)getpid());
    return rt_respond(ctx, response, 200, "text/plain", (rt_str){text, strlen(text)});
}

static int wait_and_crash(rt_ctx *ctx, void *argument)
{
    (void)argument;
    RT_TRY(rt_sleep(ctx, RT_MS(300)));
    return null();
}

static int start(rt_ctx *ctx)
{
    if (strcmp(RT_GET(ctx, goes_wrong), "start") == 0)
        return run_forever();
    if (strcmp(RT_GET(ctx, goes_wrong), "service") == 0)
        return rt_service(ctx, "outbox", wait_and_crash, NULL);
    return 0;
}

RT_REGISTER(registry)
{
    RT_TRY(rt_on(registry, .start = start));
    for (size_t i = 0; i < WAYS; i++)
        RT_TRY(rt_route(registry, RT_GET, ways[i].path, handle));
    return 0;
}
