/* `telemetry`: what is made, and where it is sent. */
#include "compose/internal.h"

#include <rt/module.h>
#include <rt/wait.h>

#include <string.h>

static const rt_setting *members_of(const rt_composer *composer)
{
    const rt_option_spec *option =
        rt_option_find(rt_host_options, rt_host_option_count, "telemetry");
    return &composer->host_values[option - rt_host_options];
}

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

static const char *endpoint_of(rt_arena *arena, const rt_setting *all, const rt_setting *signal,
                               const char *path)
{
    const char *own = text(signal, "endpoint"), *base = text(all, "endpoint");
    if (own || !base)
        return own;
    bool slash = base[strlen(base) - 1] == '/';
    return rt_arena_format(arena, "%s%s%s", base, slash ? "" : "/", path);
}

/* `name=value,name=value`: each value is a secret of its own, and what follows its scheme. */
static void note_values(rt_composer *composer, const char *headers)
{
    while (headers && (headers = strchr(headers, '='))) {
        size_t length = strcspn(++headers, ",");
        const char *value = rt_arena_copy_n(composer->arena, headers, length);
        const char *space = strchr(value, ' ');
        rt_secret_note(composer, value, true);
        if (space)
            rt_secret_note(composer, space + 1, true);
        headers += length;
    }
}

static bool take_signal(rt_composer *composer, const rt_setting *all, const char *name,
                        enum rt_signal signal)
{
    struct rt_telemetry_settings *telemetry = &composer->host.telemetry;
    const rt_setting *own = member(all, name);
    const char *headers = text(own, "headers");
    if (!integer(own, "enabled", 1))
        return false;
    telemetry->signals[signal].endpoint =
        endpoint_of(composer->arena, all, own, rt_arena_format(composer->arena, "v1/%s", name));
    telemetry->signals[signal].headers = headers ? headers : text(all, "headers");
    note_values(composer, telemetry->signals[signal].headers);
    return true;
}

static const char *joined(rt_arena *arena, const rt_setting *list)
{
    const char *all = NULL;
    for (uint32_t i = 0; list && i < list->count; i++)
        all = rt_arena_format(arena, "%s%s%s", all ? all : "", all ? "," : "",
                              list->value.members[i].value.text);
    return all;
}

void rt_telemetry_judge(rt_composer *composer)
{
    struct rt_telemetry_settings *telemetry = &composer->host.telemetry;
    const rt_setting *all = members_of(composer);
    const rt_setting *traces = member(all, "traces"), *metrics = member(all, "metrics");
    const rt_setting *sampling = member(traces, "sampling");
    const char *name = text(all, "service_name"), *compression = text(all, "compression");
    telemetry->traces = take_signal(composer, all, "traces", RT_SIGNAL_TRACES);
    telemetry->metrics = take_signal(composer, all, "metrics", RT_SIGNAL_METRICS);
    telemetry->logs = take_signal(composer, all, "logs", RT_SIGNAL_LOGS);
    telemetry->sampling = sampling ? sampling->value.real : 1.0;
    telemetry->max_series = integer(metrics, "max_series", 2000);
    telemetry->interval = integer(metrics, "interval", RT_S(60));
    telemetry->timeout = integer(all, "timeout", RT_S(10));
    telemetry->buffer = integer(all, "buffer", 16 << 20);
    telemetry->compression = compression ? compression : "gzip";
    telemetry->ca = text(all, "ca");
    telemetry->service_name =
        name ? name : rt_arena_format(composer->arena, "%s-server", composer->host.name);
    telemetry->service_version = text(all, "service_version");
    telemetry->resource = joined(composer->arena, member(all, "resource"));
}
