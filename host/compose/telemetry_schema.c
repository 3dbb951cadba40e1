/* `telemetry`, declared. runtime.conf(5) documents it. */
#include "base/pairs.h"
#include "compose/schema.h"

#include <rt/module.h>
#include <string.h>

static const char *const compressions[] = {"gzip", "none"};

static const char *check_endpoint(const char *text)
{
    bool known = strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0;
    return known ? NULL : "OTLP goes over `http://` or `https://`";
}

static const char *check_base(const char *text)
{
    if (strpbrk(text, "?#"))
        return "a path is appended to it: give the URL of each signal instead";
    return check_endpoint(text);
}

static bool is_one(void *count, const char *name, const char *value)
{
    (void)name, (void)value;
    return ++*(int *)count == 1;
}

static const char *check_attribute(const char *text)
{
    int count = 0;
    const char *problem = rt_pairs_each(text, is_one, &count);
    if (count > 1)
        return "a comma in a value is written `%2C`";
    return problem || count ? problem : "it is empty";
}

#define URL(name_, check_, help_)                                             \
    {                                                                         \
        .name = name_, .type = RT_SETTING_URL, .check = check_, .help = help_ \
    }
#define SECRET(name_, help_)                                    \
    {                                                           \
        .name = name_, .type = RT_SETTING_SECRET, .help = help_ \
    }
#define AUTHORITIES(name_, help_)                                           \
    {                                                                       \
        .name = name_, .type = RT_SETTING_PATH, .read = true, .help = help_ \
    }
#define SIGNAL_OPTIONS                                                                     \
    OPTION("enabled", BOOL, "true", NULL, NULL, "Make it at all"),                         \
        OPTION("export", BOOL, "true", NULL, NULL, "Send it where an endpoint is set"),    \
        URL("endpoint", check_endpoint, "The whole URL that it is sent to, as it stands"), \
        SECRET("headers", "Sent with it, instead of `headers`"),                           \
        AUTHORITIES("ca", "Instead of `ca`"),                                              \
        WORDS("compression", compressions, NULL, "Instead of `compression`"),              \
        OPTION("timeout", DURATION, NULL, "100 ms", "5 min", "Instead of `timeout`")
#define BATCH_OPTIONS                                                            \
    OPTION("batch", INT, "512", "1", "8192", "How many make a request at once"), \
        OPTION("delay", DURATION, "\"1 s\"", "10 ms", "1 min", "How long fewer wait for more")

static const rt_option_spec trace_options[] = {
    SIGNAL_OPTIONS,
    BATCH_OPTIONS,
    OPTION("sampling", FLOAT, "1.0", "0", "1", "Share of the traces that begin here"),
};
static const rt_option_spec metric_options[] = {
    SIGNAL_OPTIONS,
    OPTION("interval", DURATION, "\"60 s\"", "100 ms", "1 h", "How often they are sent"),
    OPTION("max_series", INT, "2000", "1", "10000", "Most series of one metric"),
};
static const rt_option_spec log_options[] = {
    SIGNAL_OPTIONS,
    BATCH_OPTIONS,
};

const rt_option_spec rt_telemetry_options[RT_TELEMETRY_OPTIONS] = {
    OPTION("enabled", BOOL, "true", NULL, NULL, "Make any of it"),
    URL("endpoint", check_base, "Collector that speaks OTLP over HTTP; `/v1/traces` is appended"),
    SECRET("headers", "Sent with each request: `name=value,name=value`, values %-encoded"),
    AUTHORITIES("ca", "File of the certificates that a collector's is proved by, in PEM"),
    WORDS("compression", compressions, "\"gzip\"", "Of what is sent"),
    OPTION("timeout", DURATION, "\"10 s\"", "100 ms", "5 min", "For one request"),
    OPTION("buffer", SIZE, "\"16 MiB\"", "1 MiB", "4 GiB", "Most memory of what waits to be sent"),
    OPTION("service_name", STRING, NULL, "1", "255", "`service.name`; by default NAME-server"),
    OPTION("service_version", STRING, NULL, "1", "255", "`service.version`"),
    CHECKED("resource", "attribute", check_attribute, "[]",
            "Further attributes of the resource, each `name=value`"),
    SECTION("traces", trace_options, "Spans"),
    SECTION("metrics", metric_options, "Counters, gauges and histograms"),
    SECTION("logs", log_options, "Log lines"),
};
