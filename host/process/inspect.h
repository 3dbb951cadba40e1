/* inspect.h — what a worker shows of itself to modules that inspect (rt/inspect.h) */
#ifndef RT_PROCESS_INSPECT_H
#define RT_PROCESS_INSPECT_H

#include "process/health.h"
#include "process/runtime.h"

#include <rt/inspect.h>

/* Once all is loaded. Opens the tap where a module of the plan inspects, in development. Until
 * rt_inspect_close both stay where they are. */
void rt_inspect_open(const rt_runtime *runtime, const rt_health_watch *health);
void rt_inspect_close(void);

/* inspect_documents.c: what only a running worker knows. */
void rt_inspect_routes(rt_buffer *out, const rt_runtime *runtime);
void rt_inspect_effects(rt_buffer *out, const rt_runtime *runtime);
void rt_inspect_health(rt_buffer *out, const rt_runtime *runtime, const rt_health_watch *health);
void rt_inspect_process(rt_buffer *out, const rt_runtime *runtime);

/* Behind the SDK's table. */
int rt_host_inspect(rt_ctx *ctx, const char *document, rt_str *text);
int rt_host_observe(rt_ctx *ctx, rt_observation *observation);

#endif
