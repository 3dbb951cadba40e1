#include "reader.h"

#include <rt/cap/clock.h>

RT_USES(clock)
RT_USES_OPTION(string, text)
RT_USES_OPTION(int, number)
RT_USES_OPTION(float, ratio)
RT_USES_OPTION(bool, flag)
RT_USES_OPTION(enum, colour)
RT_USES_OPTION(duration, wait)
RT_USES_OPTION(size, room)
RT_USES_OPTION(url, page)
RT_USES_OPTION(address, peer)
RT_USES_OPTION(path, source)
RT_USES_OPTION(secret, password)
RT_USES_OPTION(list, words)
RT_USES_OPTION(list, rules)
RT_USES_OPTION(group, limits)
RT_USES_OPTION(map, tenants)

#define TELL(json, ctx, name, put)                      \
    do {                                                \
        rt_json_key(json, #name);                       \
        if (RT_IS_SET(ctx, name))                       \
            rt_json_put_##put(json, RT_GET(ctx, name)); \
        else                                            \
            rt_json_put_null(json);                     \
    } while (0)

/* Of a member of a group that is a text, a number or a truth value. */
static void tell_member(rt_json *json, const rt_setting *member)
{
    if (!member)
        rt_json_put_null(json);
    else if (member->type == RT_SETTING_STRING)
        rt_json_put_str(json, (rt_str){member->value.text, strlen(member->value.text)});
    else if (member->type == RT_SETTING_BOOL)
        rt_json_put_bool(json, member->value.integer);
    else
        rt_json_put_int(json, member->value.integer);
}

static void tell_words(rt_json *json, const rt_setting *words)
{
    rt_json_key(json, "words"), rt_json_array(json);
    for (uint32_t i = 0; i < words->count; i++)
        rt_json_put_string(json, words->value.members[i].value.text);
    rt_json_end(json);
}

static void tell_rules(rt_json *json, const rt_setting *rules)
{
    rt_json_key(json, "rules"), rt_json_array(json);
    for (uint32_t i = 0; i < rules->count; i++) {
        const rt_setting *rule = &rules->value.members[i];
        rt_json_array(json);
        tell_member(json, rt_setting_member(rule, "path"));
        tell_member(json, rt_setting_member(rule, "allow"));
        tell_member(json, rt_setting_member(rule, "nothing"));
        rt_json_end(json);
    }
    rt_json_end(json);
}

static void tell_groups(rt_json *json, const rt_setting *limits, const rt_setting *tenants)
{
    rt_json_key(json, "most"), tell_member(json, rt_setting_member(limits, "most"));
    rt_json_key(json, "per"), tell_member(json, rt_setting_member(limits, "per"));
    rt_json_key(json, "tenants"), rt_json_object(json);
    for (uint32_t i = 0; i < tenants->count; i++) {
        const rt_setting *tenant = &tenants->value.members[i];
        rt_json_key(json, tenant->name), tell_member(json, rt_setting_member(tenant, "title"));
    }
    rt_json_end(json);
}

int tell_settings(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    int64_t now;
    rt_json *json = rt_json_new(ctx);
    rt_json_object(json);
    TELL(json, ctx, text, string);
    TELL(json, ctx, number, int);
    TELL(json, ctx, ratio, real);
    TELL(json, ctx, flag, bool);
    TELL(json, ctx, colour, string);
    TELL(json, ctx, wait, int);
    TELL(json, ctx, room, int);
    TELL(json, ctx, page, string);
    TELL(json, ctx, peer, string);
    TELL(json, ctx, source, string);
    TELL(json, ctx, password, string);
    tell_words(json, RT_GET(ctx, words));
    tell_rules(json, RT_GET(ctx, rules));
    tell_groups(json, RT_GET(ctx, limits), RT_GET(ctx, tenants));
    rt_json_key(json, "agent"), rt_json_put_str(json, rt_request_header(request, "user-agent"));
    rt_json_key(json, "later"),
        rt_json_put_bool(json, rt_clock_now(ctx, rt_clock, &now) == 0 && now > 0);
    rt_json_end(json);
    return rt_respond_json(ctx, response, 200, json);
}
