/* The layers of settings: files in the order given, then variables, then --set; later ones win. */
#include "compose/internal.h"

#include "base/suggest.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static void append(rt_node *group, rt_node *member)
{
    member->parent = group;
    member->next = NULL;
    if (group->last)
        group->last->next = member;
    else
        group->first = member;
    group->last = member;
    group->count++;
}

/* Scalars, arrays and lists are replaced as a whole, in place, so that order stays. */
static void replace(rt_node *old, const rt_node *new)
{
    rt_node *parent = old->parent, *next = old->next;
    *old = *new;
    old->parent = parent;
    old->next = next;
}

static void merge(rt_node *into, rt_node *from)
{
    for (rt_node *member = from->first, *next; member; member = next) {
        next = member->next;
        rt_node *old = rt_node_member(into, member->name);
        if (!old)
            append(into, member);
        else if (old->type == RT_NODE_GROUP && member->type == RT_NODE_GROUP)
            merge(old, member);
        else
            replace(old, member);
    }
}

void rt_settings_read(rt_composer *composer)
{
    const rt_compose_request *request = composer->request;
    composer->tree = rt_node_new(composer->arena, "", RT_NODE_GROUP);
    for (size_t i = 0; i < request->config_count; i++) {
        rt_node *top =
            rt_config_read(composer->arena, composer->diagnostics, request->config_files[i]);
        if (top)
            merge(composer->tree, top);
    }
}

const rt_node *rt_settings_find(const rt_node *top, const char *path)
{
    char name[256];
    const rt_node *node = top;
    while (node && *path) {
        size_t length = strcspn(path, ".");
        if (length >= sizeof name || node->type != RT_NODE_GROUP)
            return NULL;
        memcpy(name, path, length);
        name[length] = '\0';
        node = rt_node_member(node, name);
        path += length + (path[length] == '.');
    }
    return node;
}

/* --- every path that a variable can name ----------------------------------------------------- */

typedef struct known_path {
    const char *path;
    const char *variable; /* "RT_HTTP__LISTEN" */
    const rt_option_spec *option;
} known_path;

typedef struct known_paths {
    rt_composer *composer;
    known_path *items;
    size_t count;
} known_paths;

static const char *variable_of(rt_arena *arena, const char *path)
{
    char *name = rt_arena_alloc(arena, 3 + 2 * strlen(path) + 1), *out = name + 3;
    memcpy(name, "RT_", 3);
    for (; *path; path++) {
        if (*path == '.')
            *out++ = '_';
        *out++ = *path == '.' || *path == '-' ? '_' : (char)toupper((unsigned char)*path);
    }
    return name;
}

static void know(known_paths *known, const char *prefix, const rt_option_spec *option)
{
    rt_arena *arena = known->composer->arena;
    const char *path =
        *prefix ? rt_arena_format(arena, "%s.%s", prefix, option->name) : option->name;
    if (option->type == RT_SETTING_GROUP) {
        for (size_t i = 0; i < option->field_count; i++)
            know(known, path, &option->fields[i]);
        return;
    }
    rt_push(arena, known->items, known->count) =
        (known_path){path, variable_of(arena, path), option};
}

static int by_variable(const void *a, const void *b)
{
    return strcmp(((const known_path *)a)->variable, ((const known_path *)b)->variable);
}

static void know_all(known_paths *known)
{
    const rt_composer *composer = known->composer;
    for (size_t i = 0; i < rt_host_option_count; i++)
        know(known, "", &rt_host_options[i]);
    for (size_t i = 0; i < composer->candidate_count; i++) {
        const rt_candidate *candidate = composer->candidates[i];
        for (size_t k = 0; k < candidate->manifest->option_count; k++)
            know(known, candidate->name, &candidate->manifest->options[k]);
        for (size_t k = 0; k < rt_module_option_count; k++)
            know(known, candidate->name, &rt_module_options[k]);
    }
    if (known->count)
        qsort(known->items, known->count, sizeof known->items[0], by_variable);
    for (size_t i = 1; i < known->count; i++)
        if (strcmp(known->items[i - 1].variable, known->items[i].variable) == 0)
            RT_DIAGNOSE(composer->diagnostics, VARIABLE_COLLISION, NULL, known->items[i - 1].path,
                        known->items[i].path, known->items[i].variable);
}

/* --- overriding one path --------------------------------------------------------------------- */

static bool takes_text(enum rt_setting_type type)
{
    return type != RT_SETTING_INT && type != RT_SETTING_FLOAT && type != RT_SETTING_BOOL &&
           type != RT_SETTING_LIST && type != RT_SETTING_GROUP && type != RT_SETTING_MAP;
}

/* One text where a list of texts is declared is a list of one. */
static rt_node *lone_item(rt_composer *composer, const rt_option_spec *option, rt_node *item)
{
    if (!option || option->type != RT_SETTING_LIST || !takes_text(option->of) ||
        strchr("[(", item->value.text[0]))
        return item;
    rt_node *list = rt_node_new(composer->arena, NULL, RT_NODE_ARRAY);
    item->name_place = item->value_place;
    append(list, item);
    return list;
}

/* The declared type reads the text: what is text is taken as it is unless it is quoted; the rest is
 * in the configuration's syntax, and what does not parse as that is text, to be refused by type. */
static rt_node *read_override(rt_composer *composer, const rt_option_spec *option,
                              const char *source, const char *text)
{
    rt_node *node = NULL;
    if (text[0] == '"' || !option || !takes_text(option->type)) {
        rt_diagnostics quiet;
        rt_diagnostics_init(&quiet, composer->arena);
        node = rt_config_parse_value(composer->arena, &quiet, source, text);
        if (quiet.errors)
            node = NULL;
    }
    if (!node) {
        node = rt_node_new(composer->arena, NULL, RT_NODE_STRING);
        node->value.text = rt_arena_copy(composer->arena, text);
        node->value_place = (rt_place){.file = source};
        node = lone_item(composer, option, node);
    }
    node->value_place = node->name_place = (rt_place){.file = source};
    return node;
}

const char *rt_settings_set(rt_composer *composer, const char *name)
{
    const rt_compose_request *request = composer->request;
    const char *text = NULL;
    size_t length = strlen(name);
    for (size_t i = 0; i < request->set_count; i++)
        if (strncmp(request->sets[i], name, length) == 0 && request->sets[i][length] == '=')
            text = request->sets[i] + length + 1;
    const rt_option_spec *option = rt_option_find(rt_host_options, rt_host_option_count, name);
    return text ? read_override(composer, option, "--set", text)->value.text : NULL;
}

void rt_settings_place(rt_composer *composer, const char *path, rt_node *value, const char *origin)
{
    rt_node *group = composer->tree;
    for (;;) {
        size_t length = strcspn(path, ".");
        const char *name = rt_arena_copy_n(composer->arena, path, length);
        rt_node *member = rt_node_member(group, name);
        bool last = !path[length];
        if (last) {
            value->name = name;
            value->origin = origin;
            if (member)
                replace(member, value);
            else
                append(group, value);
            return;
        }
        if (!member || member->type != RT_NODE_GROUP) {
            rt_node *made = rt_node_new(composer->arena, name, RT_NODE_GROUP);
            made->origin = origin;
            made->name_place = made->value_place = value->name_place;
            if (member)
                replace(member, made);
            else
                append(group, made);
            member = rt_node_member(group, name);
        }
        group = member;
        path += length + 1;
    }
}

/* --- variables ------------------------------------------------------------------------------- */

static void unknown_variable(known_paths *known, const char *name)
{
    rt_suggestion suggestion;
    rt_suggest_begin(&suggestion, name);
    for (size_t i = 0; i < known->count; i++)
        rt_suggest(&suggestion, known->items[i].variable);
    rt_diagnostic *diagnostic =
        RT_DIAGNOSE(known->composer->diagnostics, UNKNOWN_VARIABLE, NULL, name);
    if (suggestion.nearest)
        rt_help(diagnostic, "did you mean `%s`?", suggestion.nearest);
    else
        rt_help(diagnostic, "`http.listen` is RT_HTTP__LISTEN: `.` becomes `__`, `-` becomes `_`");
}

static void take_variable(known_paths *known, const char *variable)
{
    rt_composer *composer = known->composer;
    const char *equals = strchr(variable, '=');
    if (strncmp(variable, "RT_", 3) != 0 || !equals)
        return;
    const char *name = rt_arena_copy_n(composer->arena, variable, (size_t)(equals - variable));
    known_path key = {.variable = name};
    known_path *path =
        bsearch(&key, known->items, known->count, sizeof known->items[0], by_variable);
    if (!path) {
        unknown_variable(known, name);
        return;
    }
    const char *origin = rt_arena_format(composer->arena, "environment variable %s", name);
    if (rt_option_holds_secret(path->option))
        rt_push(composer->arena, composer->secret_variables, composer->secret_variable_count) =
            name;
    rt_settings_place(composer, path->path,
                      read_override(composer, path->option, origin, equals + 1), origin);
}

/* --- --set ----------------------------------------------------------------------------------- */

/* Without a `=`, what follows the path may be a secret. */
static const char *path_part(const rt_composer *composer, const char *set)
{
    size_t length = 0;
    while (isalnum((unsigned char)set[length]) || (set[length] && strchr(".-_*", set[length])))
        length++;
    return rt_arena_copy_n(composer->arena, set, length);
}

static void take_set(known_paths *known, const char *set)
{
    rt_composer *composer = known->composer;
    const char *equals = strchr(set, '=');
    size_t length = equals ? (size_t)(equals - set) : 0;
    const char *path = rt_arena_copy_n(composer->arena, set, length);
    if (!length || path[0] == '.' || path[length - 1] == '.' || strstr(path, "..")) {
        rt_diagnostic *diagnostic = RT_DIAGNOSE(composer->diagnostics, BAD_SET, NULL,
                                                equals ? path : path_part(composer, set));
        rt_help(diagnostic, "write --set http.max_requests=100");
        return;
    }
    const rt_option_spec *option = NULL;
    for (size_t i = 0; i < known->count && !option; i++)
        if (strcmp(known->items[i].path, path) == 0)
            option = known->items[i].option;
    const char *source = rt_arena_format(composer->arena, "--set %s", path);
    rt_settings_place(composer, path, read_override(composer, option, source, equals + 1), "--set");
}

void rt_settings_override(rt_composer *composer)
{
    known_paths known = {.composer = composer};
    know_all(&known);
    for (char **variable = composer->request->variables; variable && *variable; variable++)
        take_variable(&known, *variable);
    for (size_t i = 0; i < composer->request->set_count; i++)
        take_set(&known, composer->request->sets[i]);
    if (composer->request->environment)
        rt_settings_place(composer, "environment",
                          read_override(composer, rt_host_options, "--environment",
                                        composer->request->environment),
                          "--environment");
    rt_opentelemetry_read(composer);
}
