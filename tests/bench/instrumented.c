/* What a call through a capability's wrapper costs with its telemetry
 *
 * The span is recorded, packed and sent in batches to a process that discards it; the call is
 * counted and timed. Beside it the bare call, and the wrapper where telemetry is off. Exits 1 when
 * a target is missed; the last line is nanoseconds of the instrumented call, for effect.py.
 */
#include "call.h"

#include "fiber/fiber.h"
#include "least.h"
#include "telemetry/clock.h"
#include "telemetry/effect.h"
#include "telemetry/metric.h"
#include "telemetry/outlet.h"
#include "telemetry/span.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TIMES = 200000, ROOM = 256 << 10 };

static const rt_host table = {.size = sizeof table,
                              .effect_begin = rt_host_effect_begin,
                              .effect_again = rt_host_effect_again,
                              .fail = rt_host_fail};
const rt_host *rt_host_table = &table;

RT_REQUIRES(probe, 1)

static rt_effect_operation operation = {.traced = true, .counted = true};
static struct rt_effects effects = {.operations = &operation, .operation_count = 1};
static rt_instance provider = {.magic = RT_INSTANCE_MAGIC,
                               .size = sizeof(rt_instance),
                               .name = "email-smtp",
                               .module = "email-smtp",
                               .version = "1.0.0"};
static rt_binding binding = {.instance = &provider, .count = 1};
static rt_instance caller = {
    .magic = RT_INSTANCE_MAGIC, .size = sizeof(rt_instance), .name = "shop", .bindings = &binding};

static double calls(void *ctx)
{
    int result = 0;
    uint64_t before = rt_host_now();
    for (int i = 0; i < TIMES && result >= 0; i++)
        result = rt_probe_next(ctx, probe, result);
    return (double)(rt_host_now() - before) / TIMES;
}

static double bare(void *ctx)
{
    const struct rt_probe_table *methods = binding.table;
    int result = 0;
    uint64_t before = rt_host_now();
    for (int i = 0; i < TIMES && result >= 0; i++) {
        __asm__ volatile("" : "+r"(methods));
        result = methods->next(ctx, result);
    }
    return (double)(rt_host_now() - before) / TIMES;
}

static double off(void *ctx)
{
    binding.effects = NULL;
    return calls(ctx);
}

static double with(void *ctx, bool traced, bool counted)
{
    binding.effects = &effects;
    operation.traced = traced;
    operation.counted = counted;
    return calls(ctx);
}

static double counted(void *ctx)
{
    return with(ctx, false, true);
}

static double traced(void *ctx)
{
    return with(ctx, true, false);
}

static double both(void *ctx)
{
    return with(ctx, true, true);
}

/* Two reads of the clock are within each instrumented call. */
static double clock_reads(void *ctx)
{
    uint64_t last = 0, before = rt_host_now();
    (void)ctx;
    for (int i = 0; i < TIMES; i++)
        last = rt_clock_now();
    return (double)(last - before) / TIMES;
}

static int measure(rt_ctx *ctx, void *argument)
{
    measurement all[] = {{"bare call", bare, ctx, 0},
                         {"telemetry off", off, ctx, 0},
                         {"reading the clock", clock_reads, ctx, 0},
                         {"counted and timed", counted, ctx, 0},
                         {"span recorded", traced, ctx, 0},
                         {"span recorded, counted and timed", both, ctx, 0}};
    rt_outlet_attach();
    least_of_all(all, sizeof all / sizeof all[0]);
    bool cheap = least_verdict("added by the wrapper, off", all[1].least - all[0].least, 5);
    *(bool *)argument = least_verdict("with span and metrics", all[5].least, 100) && cheap;
    printf("%.2f\n", all[5].least);
    rt_outlet_detach();
    return 0;
}

static pid_t discard(int from)
{
    static char message[1 << 20];
    pid_t child = fork();
    if (child)
        return child;
    while (recv(from, message, sizeof message, 0) > 0)
        ;
    _exit(0);
}

int main(void)
{
    bool met = false;
    int ends[2];
    char *room = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    rt_unit_options options = {.instance = &caller, .name = "call"};
    rt_clock_open();
    binding.table = probe_table();
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) || rt_loop_open(&(rt_loop_options){0}))
        return 1;
    pid_t child = discard(ends[1]);
    rt_outlet_open(
        &(rt_outlet_options){.socket = ends[0], .room = room, .size = ROOM, .spans = true});
    rt_unit_start(&options, measure, &met);
    uv_run(rt_loop_uv(), UV_RUN_NOWAIT);
    rt_loop_close();
    kill(child, SIGTERM);
    waitpid(child, NULL, 0);
    return met ? 0 : 1;
}
