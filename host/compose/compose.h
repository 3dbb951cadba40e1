/* compose.h — from configuration and plugin files to a plan, or to diagnostics
 *
 * The one function behind `rtctl validate`, `rtctl plan`, `rtctl graph`, `rtctl config` and `rtd`.
 * Pure: reads files, runs no plugin code, writes nothing.
 */
#ifndef RT_COMPOSE_COMPOSE_H
#define RT_COMPOSE_COMPOSE_H

#include "compose/plan.h"
#include "config/config.h"

typedef struct rt_compose_request {
    const char *const *config_files; /* --config, in order */
    size_t config_count;
    const char *environment; /* --environment, or NULL */
    const char *const *sets; /* --set PATH=VALUE, in order */
    size_t set_count;
    char **variables;            /* NULL-terminated NAME=VALUE: environ, or --env-file over it */
    const char *default_plugins; /* folder used when `plugins` is not set */
    bool no_secrets;             /* secrets that cannot be resolved are information */
    bool running;                /* for rtd: checks that need the running machine (uid 0) */
} rt_compose_request;

/* An effective setting, for `rtctl config`. */
typedef struct rt_effective {
    const char *path;
    const char *value; /* in the configuration's syntax; "<redacted>" for a secret */
    const char *origin; /* "etc/runtime.conf:14", "environment variable RT_…", "--set", "default" */
} rt_effective;

typedef struct rt_composition {
    rt_diagnostics diagnostics;
    rt_environment environment;
    rt_manifest **manifests; /* all that were read, by name */
    size_t manifest_count;
    rt_plan *plan;           /* NULL if there were errors before it could be made */
    rt_effective *effective; /* of the host and of all modules planned or configured */
    size_t effective_count;
    const char *config_name; /* for the last line: the first --config's base name */
} rt_composition;

/* Everything lives in `arena`. The composition is fit to run if plan && !diagnostics.errors. */
rt_composition *rt_compose(rt_arena *arena, const rt_compose_request *request);

#endif
