/* plan.h — the result of composition: what to load, in order, bound to what, with which settings
 *
 * rt_compose (compose.h) makes it without running any plugin code; `rtctl` prints it, `rtd` runs
 * it. rt_plan_pack and rt_plan_unpack carry it, secrets included, to the workers.
 */
#ifndef RT_COMPOSE_PLAN_H
#define RT_COMPOSE_PLAN_H

#include "base/pack.h"
#include "compose/plan_effect.h"
#include "manifest/manifest.h"

enum rt_signal { RT_SIGNAL_TRACES, RT_SIGNAL_METRICS, RT_SIGNAL_LOGS, RT_SIGNAL_COUNT };

/* How one signal leaves this machine. */
typedef struct rt_telemetry_signal {
    const char *endpoint;    /* whole; NULL: not exported */
    const char *headers;     /* a secret; NULL: none */
    const char *ca;          /* PEM of who is trusted; NULL: the system's */
    const char *compression; /* gzip, none */
    int64_t timeout;         /* ns; of a request */
    int64_t batch;           /* items that make a request at once */
    int64_t delay;           /* ns: how long fewer wait for more */
} rt_telemetry_signal;

typedef struct rt_plan_certificate {
    const char *certificate, *key; /* PEM */
} rt_plan_certificate;

/* Of a module, or an instance of one, or `rtd`. */
typedef struct rt_plan_level {
    const char *module, *level;
} rt_plan_level;

/* What the host itself runs with; the table in host_schema.c declares every member. */
typedef struct rt_host_settings {
    const char *name; /* of the service */
    int64_t workers;
    int64_t start_timeout, drain_timeout, shutdown_delay, finalizer_timeout; /* ns */
    bool core_dumps;
    const char *user, *group; /* that the workers become; NULL: as started */
    int64_t uid, gid;         /* what those stand for here; -1: as started */
    struct {
        int64_t open_files, memory, processes; /* of a worker; 0: as inherited */
    } limits;
    struct {
        bool system_calls, files;
    } sandbox;
    bool quarantine;                    /* of entries that keep crashing workers */
    int64_t watchdog, watchdog_timeout; /* ns; 0: off */
    struct {
        const char *folder; /* NULL: by the environment */
        int64_t keep;
    } crash;
    struct {
        const rt_setting *listen;                              /* list of addresses */
        int64_t request_timeout, header_timeout, idle_timeout; /* ns */
        int64_t ping_interval;                                 /* ns */
        int64_t max_header, max_body, max_message;             /* bytes */
        int64_t max_requests, max_connections;                 /* a worker, at once */
        int64_t hsts;                                          /* ns; 0: none */
        bool security_headers;
        /* Lists and groups as host_schema.c declares them. */
        const rt_setting *trusted_proxies, *cors, *compression, *access_log;
        const char *access_format; /* off, pretty, json, combined */
        int64_t max_streams;       /* an HTTP/2 connection, at once */
        bool http2;
        bool only_tls_1_3;
        const rt_setting *tls;             /* as it was judged; not packed */
        rt_plan_certificate *certificates; /* for TLS; the first serves unknown names */
        size_t certificate_count;
    } http;
    struct {
        const rt_setting *listen; /* likewise; empty: off */
    } admin;
    struct {
        int64_t interval, timeout; /* ns */
        const char *fail_on;       /* unhealthy, degraded */
    } health;
    struct {
        const char *level;  /* trace … fatal */
        const char *format; /* pretty, json, journal */
        const char *file;   /* NULL: standard error */
        bool automatic;     /* the journal rather than `format`, where standard error is its */
        const char *journal;
        int64_t repeat; /* lines of one text a second; 0: all */
        rt_plan_level *levels;
        size_t level_count;
    } log;
    struct rt_telemetry_settings {
        bool traces, metrics, logs; /* made at all */
        double sampling;            /* share of traces that begin here, 0 to 1 */
        int64_t max_series;         /* an instrument */
        rt_telemetry_signal signals[RT_SIGNAL_COUNT];
        int64_t interval;         /* ns; of metrics */
        int64_t buffer;           /* bytes the exporter may hold */
        const char *service_name; /* never NULL */
        const char *service_version;
        const char *resource; /* key=value,… as OTEL_RESOURCE_ATTRIBUTES has it; NULL: none */
    } telemetry;
    struct {
        int64_t threads;
    } pool;
    struct {
        const char *socket; /* NULL: where nobody needs to be told */
    } control;
} rt_host_settings;

typedef struct rt_plan_binding {
    const char *capability;
    uint32_t major;
    bool optional, raw, many;
    const char *reason;  /* for people: "configured, production tier, priority 100" */
    uint32_t *providers; /* indexes into rt_plan.instances */
    size_t provider_count;
} rt_plan_binding;

typedef struct rt_plan_option {
    const char *name;
    enum rt_setting_type type;
    rt_setting value; /* converted; secrets resolved */
} rt_plan_option;

/* "timeout 2 s; not logged"; nothing where it is as without any setting. */
void rt_effect_print(rt_buffer *text, const rt_plan_effect *effect);

typedef struct rt_plan_provides {
    const char *capability;
    uint32_t major;
    rt_tier tier;
    rt_plan_effect *effects; /* by method index */
    size_t effect_count;
} rt_plan_provides;

/* A file or folder that an instance may use. */
typedef struct rt_plan_path {
    const char *path;
    const char *option; /* that names it; DT_RUNPATH: where its libraries are */
    bool write;         /* and make new files beside it */
} rt_plan_path;

typedef struct rt_plan_instance {
    const char *name;
    const char *module;
    const char *version;
    const char *file;        /* as found */
    const char *build_id;    /* hexadecimal, or NULL; not packed */
    const char *required_by; /* who brought it into the plan; NULL: a root; not packed */
    const char *snapshot;    /* the copy that is loaded; NULL until the supervisor made it */
    bool root;               /* serves something itself */
    bool lazy;               /* start = "lazy" */
    bool development_only;
    bool acknowledged;
    bool inspects; /* may look at the host */
    uint32_t serves;
    uint32_t stack_size;
    uint32_t needs;      /* RT_NEEDS_… */
    const char *slice;   /* of tables and migrations; NULL: none */
    rt_plan_path *paths; /* what the sandbox leaves open for it */
    size_t path_count;
    rt_plan_provides *provides;
    size_t provides_count;
    rt_plan_binding *bindings; /* one for each RT_REQUIRES and RT_OPTIONAL */
    size_t binding_count;
    rt_plan_option *options; /* one for each RT_OPTION */
    size_t option_count;
} rt_plan_instance;

/* What only composition knows, as JSON, for modules that show it; document.c writes them. */
typedef enum rt_document {
    RT_DOCUMENT_PLAN,
    RT_DOCUMENT_CONFIG,
    RT_DOCUMENT_DIAGNOSTICS,
    RT_DOCUMENT_COUNT,
} rt_document;

typedef struct rt_plan {
    rt_environment environment;
    const char *documents[RT_DOCUMENT_COUNT]; /* NULL unless a module of the plan inspects */
    rt_host_settings host;
    rt_plan_instance *instances; /* in the order of start */
    size_t instance_count;
    /* Those `@env:` read: they leave the environment of the workers; not packed. */
    const char **secret_variables;
    size_t secret_variable_count;
    const char **secrets; /* values that may stand in no text that leaves the process */
    size_t secret_count;
} rt_plan;

/* The bytes hold secrets: wipe them after use. */
void rt_plan_pack(rt_buffer *buffer, const rt_plan *plan);
/* NULL if the bytes are not a plan. Reads nothing beyond them, whatever they hold. */
rt_plan *rt_plan_unpack(rt_arena *arena, const char *bytes, size_t length);
/* From now on rt_redact knows the plan's secrets. */
void rt_plan_redact(const rt_plan *plan);

#endif
