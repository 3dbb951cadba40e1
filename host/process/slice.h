/* slice.h — the database of a module's slice, looked at before the module starts
 *
 * In a fiber, once the provider of its sql/1 has started: what is missing is applied or refused, by
 * the option `migrate` and the environment, and the declared tables are compared.
 */
#ifndef RT_PROCESS_SLICE_H
#define RT_PROCESS_SLICE_H

#include "migrate/migrate.h"
#include "process/runtime.h"

/* True if the module may start; what is wrong has then been told, once. */
bool rt_slice_open(rt_ctx *ctx, rt_running *running);

/* Problems that only a change of the database, or of the build, mends: rtd ends with EX_DATAERR. */
bool rt_slice_is_concern(enum rt_diagnostic_id id);

/* "shop@host": who applies migrations. Lives in the arena. */
const char *rt_slice_applied_by(rt_arena *arena, const char *who);

rt_migrate_job rt_slice_job(rt_running *running, const char *applied_by);
/* What is missing is applied at a start, rather than refused. */
bool rt_slice_is_automatic(const rt_plan *plan, const rt_plan_instance *instance);

/* registry.c's part: takes what the module registered. */
int rt_host_slice(rt_registry *registry, const struct rt_slice *slice);

#endif
