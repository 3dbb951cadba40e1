/* Settings of `http` that are each right and together wrong. */
#include "compose/internal.h"

#include "config/listener.h"

#include <rt/module.h>
#include <string.h>

/* The place of a list's item in the configuration, else the list's own. */
static const rt_place *place_of(const rt_composer *composer, const char *path, uint32_t index)
{
    const rt_node *node = rt_settings_find(composer->tree, path);
    const rt_node *item = node ? node->first : NULL;
    for (uint32_t i = 0; item && i < index; i++)
        item = item->next;
    return item ? &item->value_place : node ? &node->value_place : NULL;
}

static bool ends_with_port_zero(const char *address)
{
    size_t length = strlen(address);
    return length >= 2 && strcmp(address + length - 2, ":0") == 0;
}

/* `index` of an item whose address an earlier one has. */
static bool is_repeated(const rt_setting *listen, uint32_t index, rt_listener_spec *spec)
{
    rt_listener_spec other;
    const rt_setting *items = listen->value.members;
    if (items[index].type == RT_SETTING_NONE || rt_listener_parse(spec, items[index].value.text) ||
        (!spec->path && ends_with_port_zero(spec->address)))
        return false;
    for (uint32_t i = 0; i < index; i++)
        if (items[i].type != RT_SETTING_NONE && !rt_listener_parse(&other, items[i].value.text) &&
            strcmp(other.address, spec->address) == 0)
            return true;
    return false;
}

static void judge_listeners(rt_composer *composer)
{
    const rt_setting *listen = composer->host.http.listen;
    rt_listener_spec spec;
    for (uint32_t i = 0; listen->type != RT_SETTING_NONE && i < listen->count; i++)
        if (is_repeated(listen, i, &spec))
            RT_DIAGNOSE(composer->diagnostics, LISTEN_TWICE, place_of(composer, "http.listen", i),
                        spec.address);
}

static void judge_cors(rt_composer *composer)
{
    const rt_setting *cors = composer->host.http.cors;
    const rt_setting *origins = rt_setting_member(cors, "origins");
    const rt_setting *credentials = rt_setting_member(cors, "credentials");
    if (!origins || !credentials || !credentials->value.integer)
        return;
    for (uint32_t i = 0; i < origins->count; i++) {
        const rt_setting *origin = &origins->value.members[i];
        if (origin->type == RT_SETTING_NONE || strcmp(origin->value.text, "*") != 0)
            continue;
        rt_diagnostic *diagnostic = RT_DIAGNOSE(composer->diagnostics, CORS_CREDENTIALS,
                                                place_of(composer, "http.cors.origins", i));
        rt_help(diagnostic, "name the origins, or set `credentials = false`");
        return;
    }
}

void rt_http_judge(rt_composer *composer)
{
    judge_listeners(composer);
    judge_cors(composer);
}
