/* The host's own settings, declared as modules declare theirs. runtime.conf(5) documents them. */
#include "compose/internal.h"
#include "compose/schema.h"
#include "config/listener.h"

#include <rt/module.h>
#include <string.h>

static const char *const environments[] = {"development", "test", "staging", "production"};
static const char *const failings[] = {"unhealthy", "degraded"};

static const char *const tls_versions[] = {"1.2", "1.3"};

#define PEM(name_, with_, help_)                                                              \
    {                                                                                         \
        .name = name_, .type = RT_SETTING_STRING, .required_with = with_, .not_secret = true, \
        .least = "1", .help = help_                                                           \
    }
static const rt_option_spec certificate_options[] = {
    PEM("certificate", "key", "File of a certificate and its chain, in PEM"),
    PEM("key", "certificate", "File of its private key, in PEM"),
};
static const rt_option_spec tls_options[] = {
    PEM("certificate", "key", "File of a certificate and its chain, in PEM"),
    PEM("key", "certificate", "File of its private key, in PEM"),
    {.name = "certificates",
     .type = RT_SETTING_LIST,
     .of = RT_SETTING_GROUP,
     .fields = certificate_options,
     .field_count = COUNT(certificate_options),
     .help = "Further ones, chosen by the name that a client asks for"},
    WORDS("min_version", tls_versions, "\"1.2\"", "Oldest version of TLS that is spoken"),
};

static const rt_option_spec http_options[] = {
    {.name = "listen",
     .type = RT_SETTING_LIST,
     .of = RT_SETTING_ADDRESS,
     .default_text = "[\"127.0.0.1:8080\"]",
     .check = rt_listener_check,
     .help = "Addresses to serve on, each perhaps with `tls` and `proxy_protocol` behind it"},
    OPTION("allow_remote", BOOL, "false", NULL, NULL,
           "Let development and test listen beyond this machine"),
    OPTION("request_timeout", DURATION, "\"30 s\"", "1 ms", "24 h", "Deadline of a request; 504"),
    OPTION("header_timeout", DURATION, "\"10 s\"", "100 ms", "1 h",
           "Time to send a whole request; 408"),
    OPTION("idle_timeout", DURATION, "\"60 s\"", "100 ms", "24 h",
           "How long a kept connection may be idle"),
    OPTION("max_header", SIZE, "\"16 KiB\"", "1 KiB", "1 MiB",
           "Most bytes of a request's head; 431"),
    OPTION("max_body", SIZE, "\"1 MiB\"", "0 B", "1 GiB", "Most bytes of a request's body; 413"),
    OPTION("max_message", SIZE, "\"1 MiB\"", "125 B", "1 GiB",
           "Most bytes of a WebSocket message; close code 1009"),
    OPTION(
        "ping_interval", DURATION, "\"15 s\"", "100 ms", "1 h",
        "How long an event stream or a WebSocket is silent before the host sends a sign of life"),
    OPTION("max_requests", INT, "10000", "1", "1000000", "Most requests at once in a worker; 503"),
    OPTION("max_connections", INT, "20000", "1", "1000000", "Most connections at once in a worker"),
    CHECKED("trusted_proxies", "network", rt_network_check, "[]",
            "Whose `Forwarded` and X-Forwarded fields count"),
    OPTION("security_headers", BOOL, "true", NULL, NULL, "Headers that browsers heed"),
    OPTION("hsts", DURATION, "\"0 s\"", "0 s", "36500 d",
           "For how long browsers shall insist on TLS; 0: not"),
    SECTION("cors", rt_cors_settings, "Pages of other origins that may read answers"),
    SECTION("compression", rt_compression_settings, "Which answers are compressed"),
    SECTION("access_log", rt_access_log_settings, "A line for each request"),
    OPTION("http2", BOOL, "true", NULL, NULL, "Speak HTTP/2 too"),
    OPTION("max_streams", INT, "100", "1", "10000",
           "Most requests at once of an HTTP/2 connection"),
    SECTION("tls", tls_options, "TLS, for addresses with the word `tls`"),
};

static const rt_option_spec admin_options[] = {
    {.name = "listen",
     .type = RT_SETTING_LIST,
     .of = RT_SETTING_ADDRESS,
     .default_text = "[\"127.0.0.1:8081\"]",
     .check = rt_listener_check_plain,
     .help = "Addresses to answer on how this server is"},
};

static const rt_option_spec health_options[] = {
    OPTION("interval", DURATION, "\"10 s\"", "100 ms", "1 h", "How often modules are asked"),
    OPTION("timeout", DURATION, "\"2 s\"", "1 ms", "1 min", "For a module to answer"),
    WORDS("fail_on", failings, "\"unhealthy\"", "From what on the answer is 503"),
};

static const rt_option_spec pool_options[] = {
    OPTION("threads", INT, "4", "1", "128", "Threads of a worker for calls that block"),
};

static const rt_option_spec control_options[] = {
    {.name = "socket",
     .type = RT_SETTING_PATH,
     .write = true,
     .help = "Where rtctl reaches a running rtd"},
};

static const rt_option_spec limit_options[] = {
    OPTION("open_files", INT, "0", "0", "1000000000", "Most open files; 0: the hard limit"),
    OPTION("memory", SIZE, "\"0 B\"", "0 B", "16 TiB", "Most memory for data; 0 B: as inherited"),
    OPTION("processes", INT, "0", "0", "4194304",
           "Most processes and threads of the workers' user; 0: as inherited"),
};

static const rt_option_spec sandbox_options[] = {
    OPTION("system_calls", BOOL, "true", NULL, NULL, "Refuse system calls that servers do without"),
    OPTION("files", BOOL, NULL, NULL, NULL,
           "Refuse files that no setting names; by environment: false, false, true, true"),
};

static const rt_option_spec crash_options[] = {
    {.name = "folder", .type = RT_SETTING_PATH, .write = true, .help = "Where reports are kept"},
    OPTION("keep", INT, "20", "1", "10000", "Reports kept, the newest"),
};

const rt_option_spec rt_host_options[] = {
    WORDS("environment", environments, "\"development\"", "Where this runs"),
    {.name = "name",
     .type = RT_SETTING_STRING,
     .not_secret = true, /* each line of the log holds it */
     .default_text = "\"rt\"",
     .least = "1",
     .most = "64",
     .help = "Name of the service"},
    LIST("plugins", STRING, NULL, "Folders of plugins, relative to the first configuration file"),
    LIST("load", STRING, NULL, "The complete list of roots"),
    {.name = "bind", .type = RT_SETTING_GROUP, .help = "Providers by capability"},
    {.name = "effects",
     .type = RT_SETTING_GROUP,
     .help = "What happens around calls, by capability"},
    LIST("acknowledge", STRING, "[]", "Development-only instances accepted in production"),
    OPTION("allow_root", BOOL, "false", NULL, NULL, "Run as root in production all the same"),
    OPTION("user", STRING, NULL, NULL, NULL, "User that workers become when started as root"),
    OPTION("group", STRING, NULL, NULL, NULL, "Their group; without it, the user's"),
    OPTION("core_dumps", BOOL, "false", NULL, NULL, "Leave core dumps in production"),
    OPTION("quarantine", BOOL, "false", NULL, NULL, "Refuse entries that keep crashing workers"),
    OPTION("watchdog", DURATION, "\"100 ms\"", "0 s", "1 h",
           "How long work may hold the loop before it is told; 0 s: off"),
    OPTION("watchdog_timeout", DURATION, "\"30 s\"", "0 s", "24 h",
           "How long before the worker is ended; 0 s: never"),
    OPTION("workers", INT, "1", "1", "256", "Worker processes; development runs one"),
    OPTION("start_timeout", DURATION, "\"30 s\"", "1 ms", "1 h", "For each module's start"),
    OPTION("drain_timeout", DURATION, "\"30 s\"", "0 s", "1 h", "For running work at a stop"),
    OPTION("shutdown_delay", DURATION, "\"0 s\"", "0 s", "1 h", "Between a stop and its drain"),
    OPTION("finalizer_timeout", DURATION, "\"5 s\"", "1 ms", "1 h", "For clean-up that waits"),
    SECTION("crash", crash_options, "Crash reports"),
    SECTION("http", http_options, "The HTTP server"),
    SECTION("admin", admin_options, "The listener for operators"),
    SECTION("health", health_options, "How modules are asked for their health"),
    SECTION("log", rt_log_settings, "The log"),
    SECTION("telemetry", rt_telemetry_options, "Traces, metrics and logs for a collector"),
    SECTION("pool", pool_options, "The thread pool"),
    SECTION("control", control_options, "The control socket"),
    SECTION("limits", limit_options, "Limits of each worker"),
    SECTION("sandbox", sandbox_options, "What workers may do"),
};
const size_t rt_host_option_count = COUNT(rt_host_options);

static const rt_setting *host_value(const rt_composer *composer, const char *section,
                                    const char *name)
{
    static const rt_setting none;
    const rt_option_spec *options = rt_host_options;
    const rt_setting *values = composer->host_values;
    size_t count = rt_host_option_count;
    if (section) {
        const rt_option_spec *group = rt_option_find(options, count, section);
        values = values[group - options].value.members;
        options = group->fields;
        count = group->field_count;
    }
    const rt_option_spec *option = rt_option_find(options, count, name);
    return option && values ? &values[option - options] : &none;
}

const rt_setting *rt_host_setting(const rt_composer *composer, const char *name)
{
    return host_value(composer, NULL, name);
}

/* Where each judged value goes. */
static void take_integers(rt_composer *composer)
{
    rt_host_settings *host = &composer->host;
    const struct {
        const char *section, *name;
        int64_t *target;
    } targets[] = {
        {NULL, "workers", &host->workers},
        {NULL, "start_timeout", &host->start_timeout},
        {NULL, "drain_timeout", &host->drain_timeout},
        {NULL, "shutdown_delay", &host->shutdown_delay},
        {NULL, "finalizer_timeout", &host->finalizer_timeout},
        {NULL, "watchdog", &host->watchdog},
        {NULL, "watchdog_timeout", &host->watchdog_timeout},
        {"crash", "keep", &host->crash.keep},
        {"http", "request_timeout", &host->http.request_timeout},
        {"http", "header_timeout", &host->http.header_timeout},
        {"http", "idle_timeout", &host->http.idle_timeout},
        {"http", "max_header", &host->http.max_header},
        {"http", "max_body", &host->http.max_body},
        {"http", "max_message", &host->http.max_message},
        {"http", "ping_interval", &host->http.ping_interval},
        {"http", "max_requests", &host->http.max_requests},
        {"http", "max_connections", &host->http.max_connections},
        {"health", "interval", &host->health.interval},
        {"health", "timeout", &host->health.timeout},
        {"http", "hsts", &host->http.hsts},
        {"http", "max_streams", &host->http.max_streams},
        {"pool", "threads", &host->pool.threads},
        {"limits", "open_files", &host->limits.open_files},
        {"limits", "memory", &host->limits.memory},
        {"limits", "processes", &host->limits.processes},
    };
    for (size_t i = 0; i < COUNT(targets); i++)
        *targets[i].target =
            host_value(composer, targets[i].section, targets[i].name)->value.integer;
}

static const char *text_or(const rt_setting *setting, const char *otherwise)
{
    return setting->type == RT_SETTING_NONE ? otherwise : setting->value.text;
}

static void take_http(rt_composer *composer)
{
    rt_host_settings *host = &composer->host;
    host->http.trusted_proxies = host_value(composer, "http", "trusted_proxies");
    host->http.cors = host_value(composer, "http", "cors");
    host->http.compression = host_value(composer, "http", "compression");
    host->http.access_log = host_value(composer, "http", "access_log");
    host->http.security_headers = host_value(composer, "http", "security_headers")->value.integer;
    bool quiet = composer->environment == RT_TEST;
    bool pretty = strcmp(host->log.format, "pretty") == 0;
    const rt_setting *format = rt_setting_member(host->http.access_log, "format");
    host->http.access_format = format   ? format->value.text
                               : quiet  ? "off"
                               : pretty ? "pretty"
                                        : "json";
}

static void take_tls(rt_composer *composer)
{
    rt_host_settings *host = &composer->host;
    host->http.http2 = host_value(composer, "http", "http2")->value.integer != 0;
    host->http.tls = host_value(composer, "http", "tls");
    const rt_setting *version = host->http.tls->type == RT_SETTING_NONE
                                    ? NULL
                                    : rt_setting_member(host->http.tls, "min_version");
    host->http.only_tls_1_3 =
        version && version->type != RT_SETTING_NONE && !strcmp(version->value.text, "1.3");
}

static bool truth_or(const rt_setting *setting, bool otherwise)
{
    return setting->type == RT_SETTING_NONE ? otherwise : setting->value.integer != 0;
}

static void take_texts(rt_composer *composer)
{
    rt_host_settings *host = &composer->host;
    host->name = text_or(host_value(composer, NULL, "name"), "rt");
    host->core_dumps = host_value(composer, NULL, "core_dumps")->value.integer != 0;
    host->user = text_or(host_value(composer, NULL, "user"), NULL);
    host->group = text_or(host_value(composer, NULL, "group"), NULL);
    host->sandbox.system_calls = truth_or(host_value(composer, "sandbox", "system_calls"), true);
    host->sandbox.files = truth_or(host_value(composer, "sandbox", "files"), composer->strict);
    host->quarantine = host_value(composer, NULL, "quarantine")->value.integer != 0;
    host->crash.folder = text_or(host_value(composer, "crash", "folder"), NULL);
    host->http.listen = host_value(composer, "http", "listen");
    host->admin.listen = host_value(composer, "admin", "listen");
    host->health.fail_on = text_or(host_value(composer, "health", "fail_on"), "unhealthy");
    rt_log_take(composer, host_value(composer, NULL, "log"));
    host->control.socket = text_or(host_value(composer, "control", "socket"), NULL);
    take_http(composer);
    take_tls(composer);
    rt_telemetry_judge(composer);
}

void rt_host_settings_judge(rt_composer *composer)
{
    composer->host_values =
        rt_arena_alloc(composer->arena, rt_host_option_count * sizeof(rt_setting));
    composer->host.uid = composer->host.gid = -1; /* the host's own paths are the supervisor's */
    /* At the top stand the groups of modules too: candidate.c judges those and the unknown ones. */
    for (size_t i = 0; i < rt_host_option_count; i++) {
        const rt_option_spec *option = &rt_host_options[i];
        const rt_node *node = rt_node_member(composer->tree, option->name);
        rt_group_check check = {.owner = "the host",
                                .path = "",
                                .where = "runtime.conf(5)",
                                .options = option,
                                .option_count = 1};
        rt_node *alone = rt_node_new(composer->arena, "", RT_NODE_GROUP);
        rt_node copy;
        if (node && !(strcmp(option->name, "environment") == 0 && node->type == RT_NODE_STRING)) {
            copy = *node; /* the word for the environment has been judged already */
            copy.next = NULL;
            alone->first = alone->last = &copy;
        }
        rt_group_judge(composer, &check, alone, &composer->host_values[i]);
    }
    take_integers(composer);
    take_texts(composer);
    rt_identity_judge(composer);
    if (composer->environment == RT_DEVELOPMENT)
        composer->host.workers = 1;
}
