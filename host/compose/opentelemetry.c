/* OpenTelemetry's variables, as values of `telemetry`: each where neither the configuration nor an
 * RT_ variable nor --set says anything. What cannot be used is told and passed over, as their
 * specification asks.
 *
 * Source: OpenTelemetry, "Environment Variable Specification" and "OpenTelemetry Protocol
 * Exporter".
 */
#include "compose/internal.h"
#include "compose/schema.h"

#include <rt/module.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef struct reading {
    rt_composer *composer;
    const char *variable;
    const char *origin; /* "environment variable OTEL_…" */
    const char *text;
} reading;

/* A value, or NULL after a word about why there is none. */
typedef rt_node *reader(const reading *one);

static void ignore(const reading *one, const char *why)
{
    RT_DIAGNOSE(one->composer->diagnostics, OPENTELEMETRY_IGNORED, NULL, one->variable, why);
}

/* --- values ---------------------------------------------------------------------------------- */

static rt_node *new_text(const reading *one, const char *text)
{
    rt_node *node = rt_node_new(one->composer->arena, NULL, RT_NODE_STRING);
    /* What begins with `@` would be read as a reference. */
    node->value.text = rt_arena_format(one->composer->arena, "%s%s", *text == '@' ? "@" : "", text);
    node->name_place = node->value_place = (rt_place){.file = one->origin};
    return node;
}

static rt_node *new_value(const reading *one, const char *text)
{
    rt_diagnostics quiet;
    rt_diagnostics_init(&quiet, one->composer->arena);
    rt_node *node = rt_config_parse_value(one->composer->arena, &quiet, one->origin, text);
    if (!node || quiet.errors)
        return NULL;
    node->name_place = node->value_place = (rt_place){.file = one->origin};
    return node;
}

static bool is_whole(const char *text)
{
    return *text && strspn(text, "0123456789") == strlen(text) && strlen(text) < 12;
}

static rt_node *read_text(const reading *one)
{
    return new_text(one, one->text);
}

static rt_node *read_milliseconds(const reading *one)
{
    if (is_whole(one->text))
        return new_text(one, rt_arena_format(one->composer->arena, "%lld ms", atoll(one->text)));
    ignore(one, "it is no number of milliseconds");
    return NULL;
}

static rt_node *read_count(const reading *one)
{
    if (is_whole(one->text))
        return new_value(one, rt_arena_format(one->composer->arena, "%lld", atoll(one->text)));
    ignore(one, "it is no number");
    return NULL;
}

static rt_node *read_headers(const reading *one)
{
    const char *problem = rt_telemetry_check_headers(one->text);
    if (!problem)
        return new_text(one, one->text);
    ignore(one, problem);
    return NULL;
}

/* --- switches -------------------------------------------------------------------------------- */

static rt_node *read_disabled(const reading *one)
{
    if (strcasecmp(one->text, "true") == 0)
        return new_value(one, "false");
    if (strcasecmp(one->text, "false") != 0)
        ignore(one, "it is neither `true` nor `false`");
    return NULL;
}

static rt_node *read_exporter(const reading *one)
{
    if (strcmp(one->text, "none") == 0)
        return new_value(one, "false");
    if (strcmp(one->text, "otlp") != 0)
        ignore(one, rt_arena_format(one->composer->arena,
                                    "rt exports as `otlp` or `none`, not `%s`", one->text));
    return NULL;
}

static rt_node *read_protocol(const reading *one)
{
    if (strcmp(one->text, "http/protobuf") != 0)
        ignore(one, rt_arena_format(one->composer->arena,
                                    "rt exports in `http/protobuf`, not in `%s`", one->text));
    return NULL;
}

static rt_node *read_unsupported(const reading *one)
{
    ignore(one, "rt shows collectors no certificate of its own");
    return NULL;
}

/* --- sampling -------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    double ratio;
    bool takes_argument, heeds_parents;
} samplers[] = {
    {"always_on", 1.0, false, false},
    {"always_off", 0.0, false, false},
    {"traceidratio", 1.0, true, false},
    {"parentbased_always_on", 1.0, false, true},
    {"parentbased_always_off", 0.0, false, true},
    {"parentbased_traceidratio", 1.0, true, true},
};

static double read_ratio(const reading *one, double otherwise)
{
    static const char variable[] = "OTEL_TRACES_SAMPLER_ARG";
    const char *text = rt_variable(one->composer, variable);
    char *end;
    if (!text || !*text)
        return otherwise;
    double ratio = strtod(text, &end);
    if (!*end && end != text && ratio >= 0 && ratio <= 1)
        return ratio;
    reading argument = *one;
    argument.variable = variable;
    ignore(&argument, "it is no ratio from 0 to 1");
    return otherwise;
}

static rt_node *read_sampler(const reading *one)
{
    rt_arena *arena = one->composer->arena;
    size_t i = 0;
    while (i < COUNT(samplers) && strcmp(samplers[i].name, one->text) != 0)
        i++;
    if (i == COUNT(samplers)) {
        ignore(one, rt_arena_format(arena, "rt has no sampler `%s`", one->text));
        return NULL;
    }
    double ratio = samplers[i].ratio;
    if (samplers[i].takes_argument)
        ratio = read_ratio(one, ratio);
    if (!samplers[i].heeds_parents)
        ignore(one, rt_arena_format(arena,
                                    "but for its ratio, as rt heeds what callers have sampled: "
                                    "`parentbased_%s` says so",
                                    one->text));
    const char *text = rt_arena_format(arena, "%.9g", ratio);
    return new_value(one, strpbrk(text, ".e") ? text : rt_arena_format(arena, "%s.0", text));
}

/* --- the resource ---------------------------------------------------------------------------- */

static rt_node *read_attributes(const reading *one)
{
    rt_node *list = rt_node_new(one->composer->arena, NULL, RT_NODE_ARRAY);
    list->name_place = list->value_place = (rt_place){.file = one->origin};
    for (const char *at = one->text; *at;) {
        size_t length = strcspn(at, ",");
        if (length) {
            rt_node *item = new_text(one, rt_arena_copy_n(one->composer->arena, at, length));
            item->parent = list;
            if (list->last)
                list->last->next = item;
            else
                list->first = item;
            list->last = item;
            list->count++;
        }
        at += length + (at[length] == ',');
    }
    return list;
}

/* --- all of them ----------------------------------------------------------------------------- */

#define OF_SIGNAL(NAME_, name_)                                                                \
    {"OTEL_EXPORTER_OTLP_" NAME_ "_ENDPOINT", "telemetry." name_ ".endpoint", read_text},      \
        {"OTEL_EXPORTER_OTLP_" NAME_ "_HEADERS", "telemetry." name_ ".headers", read_headers}, \
        {"OTEL_EXPORTER_OTLP_" NAME_ "_TIMEOUT", "telemetry." name_ ".timeout",                \
         read_milliseconds},                                                                   \
        {"OTEL_EXPORTER_OTLP_" NAME_ "_COMPRESSION", "telemetry." name_ ".compression",        \
         read_text},                                                                           \
        {"OTEL_EXPORTER_OTLP_" NAME_ "_CERTIFICATE", "telemetry." name_ ".ca", read_text},     \
        {"OTEL_EXPORTER_OTLP_" NAME_ "_CLIENT_CERTIFICATE", NULL, read_unsupported},           \
        {"OTEL_EXPORTER_OTLP_" NAME_ "_PROTOCOL", NULL, read_protocol},                        \
    {                                                                                          \
        "OTEL_" NAME_ "_EXPORTER", "telemetry." name_ ".export", read_exporter                 \
    }

/* Of two with one path the first that is set counts. */
static const struct {
    const char *variable;
    const char *path; /* NULL: it sets nothing, but may be wrong */
    reader *read;
} variables[] = {
    {"OTEL_SDK_DISABLED", "telemetry.enabled", read_disabled},
    {"OTEL_SERVICE_NAME", "telemetry.service_name", read_text},
    {"OTEL_RESOURCE_ATTRIBUTES", "telemetry.resource", read_attributes},
    {"OTEL_TRACES_SAMPLER", "telemetry.traces.sampling", read_sampler},
    {"OTEL_EXPORTER_OTLP_ENDPOINT", "telemetry.endpoint", read_text},
    {"OTEL_EXPORTER_OTLP_HEADERS", "telemetry.headers", read_headers},
    {"OTEL_EXPORTER_OTLP_TIMEOUT", "telemetry.timeout", read_milliseconds},
    {"OTEL_EXPORTER_OTLP_COMPRESSION", "telemetry.compression", read_text},
    {"OTEL_EXPORTER_OTLP_CERTIFICATE", "telemetry.ca", read_text},
    {"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", NULL, read_unsupported},
    {"OTEL_EXPORTER_OTLP_PROTOCOL", NULL, read_protocol},
    OF_SIGNAL("TRACES", "traces"),
    OF_SIGNAL("METRICS", "metrics"),
    OF_SIGNAL("LOGS", "logs"),
    {"OTEL_METRIC_EXPORT_INTERVAL", "telemetry.metrics.interval", read_milliseconds},
    {"OTEL_METRIC_EXPORT_TIMEOUT", "telemetry.metrics.timeout", read_milliseconds},
    {"OTEL_BSP_SCHEDULE_DELAY", "telemetry.traces.delay", read_milliseconds},
    {"OTEL_BSP_EXPORT_TIMEOUT", "telemetry.traces.timeout", read_milliseconds},
    {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "telemetry.traces.batch", read_count},
    {"OTEL_BLRP_SCHEDULE_DELAY", "telemetry.logs.delay", read_milliseconds},
    {"OTEL_BLRP_EXPORT_TIMEOUT", "telemetry.logs.timeout", read_milliseconds},
    {"OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "telemetry.logs.batch", read_count},
};

/* Something else is there already, be it that a group is none: that is complained of elsewhere.
 * What this variable has set itself, when settings were read ahead, is judged once more. */
static bool is_set(const rt_composer *composer, const char *path, const char *origin)
{
    const rt_node *node = composer->tree;
    while (node && *path) {
        size_t length = strcspn(path, ".");
        if (node->type != RT_NODE_GROUP)
            return true;
        node = rt_node_member(node, rt_arena_copy_n(composer->arena, path, length));
        path += length + (path[length] == '.');
    }
    return node && !(node->origin && strcmp(node->origin, origin) == 0);
}

static const rt_option_spec *option_of(const rt_composer *composer, const char *path)
{
    const rt_option_spec *options = rt_host_options, *option = NULL;
    size_t count = rt_host_option_count;
    while (*path) {
        size_t length = strcspn(path, ".");
        option = rt_option_find(options, count, rt_arena_copy_n(composer->arena, path, length));
        options = option->fields;
        count = option->field_count;
        path += length + (path[length] == '.');
    }
    return option;
}

/* What its setting would refuse must not stop the start: nobody wrote it for rtd. */
static bool is_accepted(const reading *one, const rt_option_spec *option, const char *path,
                        const rt_node *node)
{
    rt_composer *composer = one->composer;
    rt_diagnostics *diagnostics = composer->diagnostics, quiet;
    rt_setting value;
    rt_diagnostics_init(&quiet, composer->arena);
    composer->diagnostics = &quiet;
    bool good = rt_option_convert(composer, option, path, node, &value) && !quiet.errors;
    composer->diagnostics = diagnostics;
    if (!good)
        ignore(one, quiet.count ? quiet.items[0]->message : "its setting refuses it");
    return good;
}

static void take(const reading *one, const char *path, reader *read)
{
    if (path && is_set(one->composer, path, one->origin))
        return;
    rt_node *node = read(one);
    if (!node || !path)
        return;
    const rt_option_spec *option = option_of(one->composer, path);
    if (is_accepted(one, option, path, node))
        rt_settings_place(one->composer, path, node, one->origin);
}

void rt_opentelemetry_read(rt_composer *composer)
{
    for (size_t i = 0; i < COUNT(variables); i++) {
        const char *text = rt_variable(composer, variables[i].variable);
        if (!text || !*text) /* an empty one is as good as none, they say */
            continue;
        reading one = {.composer = composer,
                       .variable = variables[i].variable,
                       .origin = rt_arena_format(composer->arena, "environment variable %s",
                                                 variables[i].variable),
                       .text = text};
        if (variables[i].read == read_headers)
            rt_push(composer->arena, composer->secret_variables, composer->secret_variable_count) =
                variables[i].variable;
        take(&one, variables[i].path, variables[i].read);
    }
}
