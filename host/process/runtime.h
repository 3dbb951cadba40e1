/* runtime.h — the plan brought to life in this process: instances, their bindings, their phases
 *
 * A driver (worker.c, load_child.c) takes each instance through the phases in plan order: rt_load
 * on the process's own stack (constructors run there), then in a fiber rt_register, rt_configure,
 * rt_start, and backwards rt_stop. Each answers whether it succeeded; what went wrong has then been
 * told to `watch->problem`, once.
 */
#ifndef RT_PROCESS_RUNTIME_H
#define RT_PROCESS_RUNTIME_H

#include "base/diagnostic.h"
#include "fiber/fiber.h"
#include "http/http.h"
#include "process/board.h"
#include "process/message.h"
#include "telemetry/effect.h"

#include <rt/slice.h>

typedef struct rt_running rt_running;
typedef struct rt_runtime rt_runtime;

typedef struct rt_watch {
    void (*phase)(void *argument, const rt_running *running, rt_phase phase);
    void (*problem)(void *argument, const rt_running *running, enum rt_diagnostic_id id,
                    const char *text);
    void *argument;
} rt_watch;

/* One run of a module's function in a unit of work of its own, and whoever waits for its end. */
typedef struct rt_phase_run rt_phase_run;

struct rt_registry {
    rt_running *running;
    rt_ctx *ctx; /* NULL: registration is over */
    bool failed; /* told already: a module may ignore what a registry call returns */
};

struct rt_running {
    rt_instance instance; /* what the plugin sees; first, so that one is the other */
    rt_runtime *runtime;
    const rt_plan_instance *plan;
    rt_module_descriptor *descriptor; /* NULL until loaded, and when it could not be */
    rt_registry registry;
    rt_lifecycle lifecycle;
    const rt_slice *slice; /* NULL: it has none */
    bool slice_told;       /* what is wrong with its database */
    const void **tables;   /* offered, by plan->provides */
    const rt_form **forms; /* likewise; NULL: nothing is said of its methods */
    rt_binding *direct;    /* likewise, of rt_bind_to; without a table until that was called */
    const rt_policies **policies; /* of their methods, likewise; NULL: none */
    bool registered, started;
    bool starts_late;       /* lazy, and serves nothing itself */
    rt_phase_run *starting; /* of a late start under way */
};

struct rt_runtime {
    rt_arena arena;
    const rt_plan *plan;
    rt_watch watch;
    rt_running *instances; /* by plan->instances */
    rt_router *router;
    rt_board *board;       /* where its work is named; or NULL */
    rt_phase_run *current; /* what the driver's fiber waits for */
    bool stopping;         /* nothing more is started */
};

/* `plan` outlives the runtime. */
void rt_runtime_init(rt_runtime *runtime, const rt_plan *plan, const rt_watch *watch);
void rt_runtime_free(rt_runtime *runtime);

bool rt_load(rt_running *running);
bool rt_register(rt_ctx *ctx, rt_running *running);
bool rt_configure(rt_ctx *ctx, rt_running *running);
bool rt_start(rt_ctx *ctx, rt_running *running);
void rt_stop(rt_ctx *ctx, rt_running *running);

/* From now on nothing is started; what is starting is cancelled. */
void rt_runtime_interrupt(rt_runtime *runtime);

/* Tells a problem; always false. */
bool rt_problem(const rt_running *running, enum rt_diagnostic_id id, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* binding.c: the instance's bindings, once its providers are registered. */
bool rt_bind(rt_running *running);
/* One to what it provides (an index of plan->provides) for a caller that is in no plan,
 * instrumented as those of consumers are. */
const rt_binding *rt_bind_to(rt_running *provider, size_t provides);

/* lazy.c: starts a provider on its first use. The `prepare` of its effects. */
int rt_lazy_start(rt_ctx *ctx, void *running);
/* Before it is stopped: ends a start that is still under way. */
void rt_lazy_settle(rt_ctx *ctx, rt_running *running);

/* phase.c: starts `function` as a unit of work of the instance; rt_phase_wait waits for its end in
 * any fiber and returns 0, -RT_E… of the function with a text in `*error`, or, when the waiter
 * itself was cut short, that error with `*error` NULL. Each holder releases once. */
typedef int (*rt_phase_function)(rt_ctx *ctx);
rt_phase_run *rt_phase_start(rt_running *running, rt_phase phase, rt_phase_function function,
                             int64_t timeout);
int rt_phase_wait(rt_ctx *ctx, rt_phase_run *run, const char **error);
void rt_phase_cancel(rt_phase_run *run);
rt_phase_run *rt_phase_hold(rt_phase_run *run);
void rt_phase_release(rt_phase_run *run);

/* runtime.c: runs one function of the instance to its end as a unit of work. False if it failed,
 * which has then been told, by whoever found it or as `id`. */
bool rt_run_phase(rt_ctx *ctx, rt_running *running, rt_phase phase, rt_phase_function function,
                  enum rt_diagnostic_id id);

/* registry.c, behind the SDK's table. */
/* Told to the host at once and returned to the module, which may pass it on or not: -code. */
int rt_registry_refuse(rt_registry *registry, int code, enum rt_diagnostic_id id,
                       const char *format, ...) __attribute__((format(printf, 4, 5)));
int rt_host_provide(rt_registry *registry, const char *capability, uint32_t major,
                    const void *table);
int rt_host_provide_form(rt_registry *registry, const char *capability, uint32_t major,
                         const void *table, const rt_form *form);
int rt_host_lifecycle(rt_registry *registry, const rt_lifecycle *functions);
rt_ctx *rt_host_registry_context(rt_registry *registry);
int rt_host_route(rt_registry *registry, uint32_t method, const char *pattern, rt_handler handler,
                  const rt_route_options *options);

/* True if `spelled_in_c` (with `_`) is the capability `name` (with `-`). */
bool rt_capability_is(const char *spelled_in_c, const char *name);

#endif
