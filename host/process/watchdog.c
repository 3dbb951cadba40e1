#include "process/watchdog.h"

#include "process/crash.h"
#include "process/generation.h"
#include "telemetry/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define QUESTION (SIGRTMIN + 5)
#define LOOKS 4
#define ANSWER_LIMIT 200 /* ms */
#define MILLISECOND UINT64_C(1000000)

static struct {
    pthread_t thread, loop;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool running, stopping;
    uint64_t limit;
    const rt_plan *plan;
    const rt_board *board;
    rt_board_slot *slot;
    int status; /* /proc/self/status, opened while that was still allowed */

    /* The last turn of the loop that was seen, and since when. */
    uint64_t turns, since, sampled;
    bool told;
    rt_entry entry; /* what it was told of */
    bool has_entry;

    /* Written by the handler on the loop's thread. */
    uint32_t answered;
    rt_backtrace trace;
    rt_fiber_view view;
} dog = {.lock = PTHREAD_MUTEX_INITIALIZER, .status = -1};

/* --- asking ---------------------------------------------------------------------------------- */

static void on_question(int number, siginfo_t *info, void *machine)
{
    int kept = errno;
    rt_fetch fetch = rt_crash_fetch();
    (void)number, (void)info;
    rt_trace_take(&dog.trace, rt_machine_counter(machine));
    dog.view = (rt_fiber_view){0};
    if (fetch)
        rt_fiber_view_take(&dog.view, NULL, fetch);
    __atomic_store_n(&dog.answered, 1, __ATOMIC_RELEASE);
    errno = kept;
}

/* False if the loop's thread does not answer: it blocks the signal, or the kernel holds it. */
static bool ask(void)
{
    const struct timespec millisecond = {.tv_nsec = (long)MILLISECOND};
    __atomic_store_n(&dog.answered, 0, __ATOMIC_RELEASE);
    if (pthread_kill(dog.loop, QUESTION) != 0)
        return false;
    for (int i = 0; i < ANSWER_LIMIT; i++) {
        if (__atomic_load_n(&dog.answered, __ATOMIC_ACQUIRE))
            return true;
        nanosleep(&millisecond, NULL);
    }
    return false;
}

/* --- telling --------------------------------------------------------------------------------- */

static void describe_work(rt_buffer *text)
{
    if (dog.has_entry)
        rt_buffer_format(text, "`%s` of `%s`", dog.entry.name, dog.entry.instance);
    else
        rt_buffer_text(text, "work without a name");
}

static void describe_frames(rt_buffer *text)
{
    rt_arena arena;
    char *maps = malloc(RT_CRASH_MAPS);
    if (!maps)
        return;
    rt_arena_init(&arena);
    rt_symbols *symbols = rt_symbols_new(&arena, maps, rt_executable_maps(maps, RT_CRASH_MAPS));
    rt_crash_backtrace(text, dog.plan, symbols, &dog.trace, "");
    rt_symbols_free(symbols);
    rt_arena_free(&arena);
    free(maps);
}

static void tell_stall(uint64_t now)
{
    rt_buffer text = {0}, frames = {0};
    bool answered = ask();
    const char *instance = answered && *dog.view.instance ? dog.view.instance : NULL;
    const char *module = answered && *dog.view.module ? dog.view.module : NULL;
    describe_work(&text);
    rt_buffer_format(&text, " holds the loop: %ju ms without waiting",
                     (uintmax_t)((now - dog.since) / MILLISECOND));
    if (answered)
        describe_frames(&frames);
    rt_field fields[5] = {{.name = "entry", .text = dog.has_entry ? dog.entry.name : ""},
                          {.name = "instance", .text = instance ? instance : dog.entry.instance},
                          {.name = "holds.module", .text = module ? module : dog.entry.module}};
    uint64_t count = 3;
    if (answered && *dog.view.correlation)
        fields[count++] = (rt_field){.name = "correlation.id", .text = dog.view.correlation};
    if (rt_log_is_structured() && frames.data)
        fields[count++] = (rt_field){.name = "backtrace", .text = frames.data};
    rt_host_log_fields(NULL, RT_LOG_WARN, fields, count, text.data);
    if (!rt_log_is_structured())
        rt_crash_log_lines(RT_LOG_WARN, frames.data);
    rt_buffer_free(&text);
    rt_buffer_free(&frames);
}

static void tell_end(uint64_t now)
{
    rt_buffer text = {0};
    describe_work(&text);
    rt_log_host(RT_LOG_WARN, "%s held the loop for %ju ms", text.data,
                (uintmax_t)((now - dog.since) / MILLISECOND));
    rt_buffer_free(&text);
}

/* --- sampling -------------------------------------------------------------------------------- */

static bool is_traced(void)
{
    char text[2048];
    ssize_t length = dog.status < 0 ? 0 : pread(dog.status, text, sizeof text - 1, 0);
    text[length > 0 ? length : 0] = '\0';
    const char *tracer = strstr(text, "\nTracerPid:\t");
    return tracer && tracer[strlen("\nTracerPid:\t")] != '0';
}

static bool is_idle(const rt_loop_marks *marks)
{
    return !__atomic_load_n(&marks->running, __ATOMIC_RELAXED) &&
           __atomic_load_n(&marks->polling, __ATOMIC_RELAXED);
}

static void begin_turn(uint64_t turns, uint64_t now)
{
    if (dog.told)
        tell_end(now);
    dog.told = false;
    dog.turns = turns;
    dog.since = now;
}

static void sample(uint64_t now)
{
    const rt_loop_marks *marks = &dog.slot->marks;
    uint64_t turns = __atomic_load_n(&marks->turns, __ATOMIC_RELAXED);
    bool serves = __atomic_load_n(&dog.slot->state, __ATOMIC_RELAXED) == RT_WORKER_READY;
    bool stood_still = now - dog.sampled > dog.limit;
    dog.sampled = now;
    if (turns != dog.turns || is_idle(marks) || !serves)
        begin_turn(turns, now);
    else if (dog.told || now - dog.since < dog.limit)
        return;
    else if (stood_still || is_traced())
        dog.since = now;
    else {
        dog.told = true;
        __atomic_store_n(&dog.slot->stalls, dog.slot->stalls + 1, __ATOMIC_RELAXED);
        dog.has_entry = rt_board_entry(
            dog.board, __atomic_load_n(&marks->running, __ATOMIC_RELAXED), &dog.entry);
        tell_stall(now);
    }
}

static void *watch(void *argument)
{
    (void)argument;
    pthread_setname_np(pthread_self(), "rtd-watchdog");
    pthread_mutex_lock(&dog.lock);
    while (!dog.stopping) {
        uint64_t due = rt_monotonic() + dog.limit / LOOKS;
        struct timespec until = {.tv_sec = (time_t)(due / (1000 * MILLISECOND)),
                                 .tv_nsec = (long)(due % (1000 * MILLISECOND))};
        pthread_cond_timedwait(&dog.changed, &dog.lock, &until);
        if (!dog.stopping)
            sample(rt_monotonic());
    }
    pthread_mutex_unlock(&dog.lock);
    return NULL;
}

/* --- starting, stopping ---------------------------------------------------------------------- */

/* Signals are for the other threads. */
static int start_thread(void)
{
    sigset_t all, kept;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&dog.changed, &attributes);
    pthread_condattr_destroy(&attributes);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &kept);
    int error = pthread_create(&dog.thread, NULL, watch, NULL);
    pthread_sigmask(SIG_SETMASK, &kept, NULL);
    return -error;
}

int rt_watchdog_start(const rt_plan *plan, rt_board *board, uint32_t number)
{
    struct sigaction action = {.sa_sigaction = on_question,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
    dog.limit = (uint64_t)plan->host.watchdog;
    dog.slot = board->memory ? rt_board_slot_of(board, number) : NULL;
    if (!dog.limit || !dog.slot)
        return 0;
    dog.plan = plan;
    dog.board = board;
    dog.loop = pthread_self();
    dog.since = dog.sampled = rt_monotonic();
    dog.status = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    sigfillset(&action.sa_mask);
    sigaction(QUESTION, &action, NULL);
    int error = start_thread();
    dog.running = error == 0;
    return error;
}

void rt_watchdog_stop(void)
{
    if (!dog.running)
        return;
    pthread_mutex_lock(&dog.lock);
    dog.stopping = true;
    pthread_cond_signal(&dog.changed);
    pthread_mutex_unlock(&dog.lock);
    pthread_join(dog.thread, NULL);
    close(dog.status);
    dog.running = false;
}
