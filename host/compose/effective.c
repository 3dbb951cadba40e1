/* The effective settings and where each came from. */
#include "compose/effects.h"

#include <string.h>

#define HIDDEN "<redacted>"

/* Text may hold a secret whatever the setting is called: a URL with a password, headers, options.
 */
static void write_text(rt_buffer *out, const char *text)
{
    size_t length;
    const char *password = rt_secret_in_url(text, &length);
    rt_buffer_char(out, '"');
    if (password) {
        rt_buffer_json(out, text, (size_t)(password - text));
        rt_buffer_text(out, HIDDEN);
        text = password + length;
    }
    if (rt_secret_in_line(text) || strstr(text, "-----BEGIN "))
        rt_buffer_text(out, HIDDEN);
    else
        rt_buffer_json(out, text, strlen(text));
    rt_buffer_char(out, '"');
}

static bool is_number(const rt_node *node)
{
    return node->type > RT_NODE_LIST && node->type != RT_NODE_STRING;
}

static void write_node(rt_buffer *out, const rt_node *node);

static void write_member(rt_buffer *out, const rt_node *member)
{
    bool refers = member->type == RT_NODE_STRING && rt_secret_is_reference(member->value.text);
    rt_buffer_format(out, "%s = ", member->name);
    if (rt_secret_like(member->name) && !refers && !is_number(member))
        rt_buffer_text(out, HIDDEN);
    else
        write_node(out, member);
}

static void write_node(rt_buffer *out, const rt_node *node)
{
    static const char brackets[][3] = {
        [RT_NODE_GROUP] = "{}", [RT_NODE_ARRAY] = "[]", [RT_NODE_LIST] = "()"};
    if (node->type == RT_NODE_STRING) {
        write_text(out, node->value.text);
        return;
    }
    if (node->type > RT_NODE_LIST) {
        rt_buffer_text(out, node->raw);
        return;
    }
    rt_buffer_char(out, brackets[node->type][0]);
    for (const rt_node *member = node->first; member; member = member->next) {
        rt_buffer_text(out, member == node->first ? " " : ", ");
        if (node->type == RT_NODE_GROUP)
            write_member(out, member);
        else
            write_node(out, member);
    }
    rt_buffer_text(out, node->first ? " " : "");
    rt_buffer_char(out, brackets[node->type][1]);
}

static bool is_reference(const rt_node *node)
{
    return node->type == RT_NODE_STRING && rt_secret_is_reference(node->value.text);
}

/* What is set for `workers` does not count in development. */
static void take_one_worker(rt_composer *composer, rt_effective *entry)
{
    if (composer->environment != RT_DEVELOPMENT || strcmp(entry->path, "workers") != 0 ||
        strcmp(entry->value, "1") == 0)
        return;
    entry->origin = rt_arena_format(composer->arena, "in development always; %s would be %s",
                                    entry->origin, entry->value);
    entry->value = "1";
}

/* What the host takes for its settings whose default depends on where it runs. */
static void take_varying_default(rt_composer *composer, rt_effective *entry)
{
    const struct {
        const char *path, *value;
    } defaults[] = {
        {"log.level", composer->host.log.level},
        {"log.format", composer->host.log.format},
    };
    for (size_t i = 0; i < sizeof defaults / sizeof defaults[0]; i++) {
        if (strcmp(entry->path, defaults[i].path) != 0)
            continue;
        entry->value = rt_arena_format(composer->arena, "\"%s\"", defaults[i].value);
        entry->origin = rt_arena_format(composer->arena, "default in %s",
                                        rt_environment_names[composer->environment]);
    }
}

static void add(rt_composer *composer, const char *path, const rt_option_spec *option,
                const rt_node *node)
{
    rt_composition *result = composer->result;
    rt_effective entry = {.path = path, .value = option->default_text, .origin = "default"};
    if (node) {
        rt_buffer value = {0};
        write_node(&value, node);
        entry.value = rt_arena_copy(composer->arena, value.data);
        entry.origin = node->origin;
        rt_buffer_free(&value);
        if (is_reference(node))
            entry.origin = rt_arena_format(composer->arena, "%s, %s", node->value.text,
                                           node->origin ? node->origin : "");
    }
    if (!entry.value)
        take_varying_default(composer, &entry);
    if (!entry.value)
        return;
    take_one_worker(composer, &entry);
    if (rt_option_holds_secret(option) || (node && is_reference(node)))
        entry.value = HIDDEN;
    rt_push(composer->arena, result->effective, result->effective_count) = entry;
}

void rt_effective_add(rt_composer *composer, const char *path, const rt_node *node,
                      const char *otherwise)
{
    const rt_option_spec plain = {.default_text = otherwise};
    add(composer, path, &plain, node);
}

static void collect(rt_composer *composer, const char *prefix, const rt_option_spec *options,
                    size_t count, const rt_node *group)
{
    for (size_t i = 0; i < count; i++) {
        const rt_node *node = group ? rt_node_member(group, options[i].name) : NULL;
        const char *path = *prefix
                               ? rt_arena_format(composer->arena, "%s.%s", prefix, options[i].name)
                               : options[i].name;
        if (options[i].type == RT_SETTING_GROUP && options[i].field_count)
            collect(composer, path, options[i].fields, options[i].field_count, node);
        else
            add(composer, path, &options[i], node);
    }
}

void rt_effective_collect(rt_composer *composer)
{
    collect(composer, "", rt_host_options, rt_host_option_count, composer->tree);
    for (size_t i = 0; i < composer->candidate_count; i++) {
        const rt_candidate *candidate = composer->candidates[i];
        if (!candidate->planned && !candidate->configured)
            continue;
        const rt_manifest *manifest = candidate->manifest;
        collect(composer, candidate->name, rt_module_options, rt_module_option_count,
                candidate->group);
        collect(composer, candidate->name, manifest->options, manifest->option_count,
                candidate->group);
        if (candidate->planned)
            rt_effects_show(composer, candidate);
    }
}
