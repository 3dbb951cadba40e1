/* `telemetry`: what is made, and how it leaves. */
#include "compose/internal.h"
#include "compose/schema.h"

#include "base/certificate.h"
#include "base/pairs.h"
#include "base/reason.h"

#include <rt/module.h>
#include <rt/wait.h>
#include <string.h>
#include <strings.h>

#define PEM_LIMIT ((size_t)2 << 20) /* of all authorities of a system, ten times */

static const char *const names[RT_SIGNAL_COUNT] = {"traces", "metrics", "logs"};

/* NULL: neither set nor defaulted. */
static const rt_setting *member(const rt_setting *group, const char *name)
{
    const rt_setting *value =
        group && group->type != RT_SETTING_NONE ? rt_setting_member(group, name) : NULL;
    return value && value->type != RT_SETTING_NONE ? value : NULL;
}

static const char *text(const rt_setting *group, const char *name)
{
    const rt_setting *value = member(group, name);
    return value ? value->value.text : NULL;
}

static int64_t integer(const rt_setting *group, const char *name, int64_t otherwise)
{
    const rt_setting *value = member(group, name);
    return value ? value->value.integer : otherwise;
}

/* Of the signal, else of all. */
static const char *nearest(const rt_setting *own, const rt_setting *all, const char *name)
{
    const char *value = text(own, name);
    return value ? value : text(all, name);
}

/* --- headers --------------------------------------------------------------------------------- */

/* What the exporter says itself, or what would tear a request apart. */
static const char *const reserved[] = {
    "content-encoding",  "content-length", "content-type", "connection", "host",
    "transfer-encoding", "expect"};

static bool is_header(void *user, const char *name, const char *value)
{
    static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    (void)user, (void)value;
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++)
        if (strcasecmp(name, reserved[i]) == 0)
            return false;
    return name[strspn(name, token)] == '\0';
}

const char *rt_telemetry_check_headers(const char *text_)
{
    return rt_pairs_each(text_, is_header, NULL);
}

/* Each value is a secret of its own, as it is written and as it is sent; and so is what follows its
 * scheme. */
static bool note_value(void *user, const char *name, const char *value)
{
    rt_composer *composer = user;
    const char *space = strchr(value, ' ');
    (void)name;
    rt_secret_note(composer, rt_arena_copy(composer->arena, value), true);
    if (space)
        rt_secret_note(composer, rt_arena_copy(composer->arena, space + 1), true);
    return true;
}

static void note_raw(rt_composer *composer, const char *headers)
{
    while (headers && (headers = strchr(headers, '='))) {
        size_t length = strcspn(++headers, ",");
        rt_secret_note(composer, rt_arena_copy_n(composer->arena, headers, length), true);
        headers += length;
    }
}

static const char *path_of(rt_composer *composer, const char *signal, const char *name)
{
    return signal ? rt_arena_format(composer->arena, "telemetry.%s.%s", signal, name)
                  : rt_arena_format(composer->arena, "telemetry.%s", name);
}

static const rt_place *place_of(const rt_composer *composer, const char *path)
{
    const rt_node *node = rt_settings_find(composer->tree, path);
    return node ? &node->value_place : NULL;
}

static void judge_headers(rt_composer *composer, const rt_setting *group, const char *signal)
{
    const char *headers = text(group, "headers"), *path = path_of(composer, signal, "headers");
    const char *problem = headers ? rt_telemetry_check_headers(headers) : NULL;
    note_raw(composer, headers);
    rt_pairs_each(headers, note_value, composer);
    if (problem)
        RT_DIAGNOSE(composer->diagnostics, BAD_HEADERS, place_of(composer, path), path, problem);
}

/* --- authorities ----------------------------------------------------------------------------- */

/* Read here, as certificates are: the exporter needs no way to the file. A file that cannot be read
 * was complained of when the setting was judged. */
static const char *read_authorities(rt_composer *composer, const char *file, const char *path)
{
    rt_buffer content = {0};
    const char *pem = NULL;
    if (rt_buffer_read_file(&content, file, PEM_LIMIT) == 0) {
        pem = rt_arena_copy_n(composer->arena, content.data ? content.data : "", content.length);
        const char *why = rt_certificate_fault_of_all(composer->arena, pem);
        if (why)
            RT_DIAGNOSE(composer->diagnostics, TLS_BAD_CERTIFICATE, place_of(composer, path), path,
                        why);
    }
    rt_buffer_free(&content);
    return pem;
}

static const char *authorities_of(rt_composer *composer, const rt_setting *group,
                                  const char *signal)
{
    const char *file = text(group, "ca");
    return file ? read_authorities(composer, file, path_of(composer, signal, "ca")) : NULL;
}

/* --- signals --------------------------------------------------------------------------------- */

static const char *endpoint_of(rt_arena *arena, const rt_setting *all, const rt_setting *own,
                               const char *name)
{
    const char *whole = text(own, "endpoint"), *base = text(all, "endpoint");
    if (whole || !base)
        return whole;
    bool slash = base[strlen(base) - 1] == '/';
    return rt_arena_format(arena, "%s%sv1/%s", base, slash ? "" : "/", name);
}

static bool take_signal(rt_composer *composer, const rt_setting *all, enum rt_signal signal,
                        const char *ca)
{
    rt_telemetry_signal *taken = &composer->host.telemetry.signals[signal];
    const rt_setting *own = member(all, names[signal]);
    const char *compression = nearest(own, all, "compression");
    judge_headers(composer, own, names[signal]);
    *taken =
        (rt_telemetry_signal){.headers = nearest(own, all, "headers"),
                              .ca = authorities_of(composer, own, names[signal]),
                              .compression = compression ? compression : "gzip",
                              .timeout = integer(own, "timeout", integer(all, "timeout", RT_S(10))),
                              .batch = integer(own, "batch", INT64_MAX),
                              .delay = integer(own, "delay", 0)};
    if (!taken->ca)
        taken->ca = ca;
    if (!integer(all, "enabled", 1) || !integer(own, "enabled", 1))
        return false;
    if (integer(own, "export", 1))
        taken->endpoint = endpoint_of(composer->arena, all, own, names[signal]);
    return true;
}

/* --- the resource ---------------------------------------------------------------------------- */

static const char *joined(rt_arena *arena, const rt_setting *list)
{
    rt_buffer all = {0};
    for (uint32_t i = 0; list && i < list->count; i++)
        if (list->value.members[i].type != RT_SETTING_NONE)
            rt_buffer_format(&all, "%s%s", all.length ? "," : "",
                             list->value.members[i].value.text);
    const char *text_ = all.length ? rt_arena_copy(arena, all.data) : NULL;
    rt_buffer_free(&all);
    return text_;
}

static bool take_name(void *user, const char *name, const char *value)
{
    rt_composer *composer = user;
    if (strcmp(name, "service.name") == 0 && *value)
        composer->host.telemetry.service_name = rt_arena_copy(composer->arena, value);
    return true;
}

static void take_resource(rt_composer *composer, const rt_setting *all)
{
    struct rt_telemetry_settings *telemetry = &composer->host.telemetry;
    const char *name = text(all, "service_name");
    telemetry->resource = joined(composer->arena, member(all, "resource"));
    telemetry->service_version = text(all, "service_version");
    telemetry->service_name = rt_arena_format(composer->arena, "%s-server", composer->host.name);
    if (name)
        telemetry->service_name = name;
    else
        rt_pairs_each(telemetry->resource, take_name, composer);
}

void rt_telemetry_judge(rt_composer *composer)
{
    struct rt_telemetry_settings *telemetry = &composer->host.telemetry;
    const rt_setting *all = rt_host_setting(composer, "telemetry");
    const rt_setting *traces = member(all, "traces"), *metrics = member(all, "metrics");
    const rt_setting *sampling = member(traces, "sampling");
    const char *ca = authorities_of(composer, all, NULL);
    judge_headers(composer, all, NULL);
    telemetry->traces = take_signal(composer, all, RT_SIGNAL_TRACES, ca);
    telemetry->metrics = take_signal(composer, all, RT_SIGNAL_METRICS, ca);
    telemetry->logs = take_signal(composer, all, RT_SIGNAL_LOGS, ca);
    telemetry->sampling = sampling ? sampling->value.real : 1.0;
    telemetry->max_series = integer(metrics, "max_series", 2000);
    telemetry->interval = integer(metrics, "interval", RT_S(60));
    telemetry->buffer = integer(all, "buffer", 16 << 20);
    take_resource(composer, all);
}
