/* The load child: loads, registers and configures what it is told to and says how each went. A
 * module that brings it down was named by the last phase it told. */
#include "base/redact.h"
#include "process/privilege.h"
#include "process/process.h"
#include "process/role.h"
#include "process/runtime.h"
#include "telemetry/log.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

struct load_child {
    rt_arena arena;
    int control;
    rt_setup *setup;
    rt_runtime runtime;
};

static void tell_phase(void *argument, const rt_running *running, rt_phase phase)
{
    const struct load_child *child = argument;
    rt_message_send(
        child->control,
        &(rt_message){.kind = RT_TELL_PHASE, .number = phase, .module = running->plan->name});
}

static void tell_problem(void *argument, const rt_running *running, enum rt_diagnostic_id id,
                         const char *text)
{
    struct load_child *child = argument;
    rt_message_send(child->control, &(rt_message){.kind = RT_TELL_PROBLEM,
                                                  .number = id,
                                                  .module = running->plan->name,
                                                  .text = rt_redacted(&child->arena, text)});
}

static bool is_skipped(const struct load_child *child, const char *module)
{
    for (size_t i = 0; i < child->setup->skip_count; i++)
        if (strcmp(child->setup->skip[i], module) == 0)
            return true;
    return false;
}

/* A module that cannot be registered is left out; whoever is bound to it finds nothing there. */
static int check(rt_ctx *ctx, void *argument)
{
    struct load_child *child = argument;
    for (size_t i = 0; i < child->setup->plan->instance_count; i++) {
        rt_running *running = &child->runtime.instances[i];
        if (running->descriptor)
            rt_register(ctx, running);
    }
    for (size_t i = 0; i < child->setup->plan->instance_count; i++) {
        rt_running *running = &child->runtime.instances[i];
        if (running->registered)
            rt_configure(ctx, running);
    }
    return 0;
}

static void on_ended(rt_ctx *ctx, const rt_exit *exit, void *argument)
{
    (void)ctx, (void)exit, (void)argument;
    rt_loop_stop();
}

static void load_all(struct load_child *child)
{
    for (size_t i = 0; i < child->setup->plan->instance_count; i++) {
        rt_running *running = &child->runtime.instances[i];
        if (!is_skipped(child, running->plan->module) && !rt_load(running))
            running->descriptor = NULL;
    }
}

static bool drop_privileges(const struct load_child *child)
{
    const rt_plan *plan = child->setup->plan;
    rt_buffer problem = {0};
    int error = rt_privileges_drop(plan, &problem);
    if (error)
        fprintf(stderr, "the workers of `%s` cannot be confined: cannot %s\n", plan->host.name,
                problem.data);
    rt_buffer_free(&problem);
    return !error;
}

static int run(struct load_child *child)
{
    rt_watch watch = {tell_phase, tell_problem, child};
    rt_instance host = {.magic = RT_INSTANCE_MAGIC, .size = sizeof host, .name = "rtd"};
    rt_unit_options options = {.instance = &host, .name = "runtime.check", .done = on_ended};
    if (!drop_privileges(child))
        return EX_OSERR;
    int error = rt_loop_open(&(rt_loop_options){.pool_threads = 1});
    if (error) {
        fprintf(stderr, "cannot open the loop: %s\n", strerror(-error));
        return EX_OSERR;
    }
    rt_runtime_init(&child->runtime, child->setup->plan, &watch);
    load_all(child);
    rt_unit_start(&options, check, child);
    rt_loop_run();
    rt_message_send(child->control, &(rt_message){.kind = RT_TELL_READY});
    return 0;
}

int rt_load_main(void)
{
    struct load_child child = {.control = rt_role_control()};
    rt_inbox inbox = {0};
    if (child.control < 0) {
        fputs("rtd: this role is for rtctl's own use\n", stderr);
        return EX_USAGE;
    }
    signal(SIGPIPE, SIG_IGN);
    rt_arena_init(&child.arena);
    child.setup = rt_setup_receive(&inbox, &child.arena, child.control);
    rt_inbox_free(&inbox);
    if (child.setup)
        rt_plan_redact(child.setup->plan);
    /* _exit: what modules would do at exit is not what was asked for. */
    _exit(child.setup ? run(&child) : EX_SOFTWARE);
}
