/* libconfig reads the same bytes and must agree on every path, type and value. */
#include "config/lex.h"

#include <libconfig.h>
#include <string.h>

/* Adds to `path` where the node is; gives the length it had. */
static size_t enter(rt_buffer *path, const rt_node *node, int index)
{
    size_t length = path->length;
    if (node->name)
        rt_buffer_format(path, "%s%s", length ? "." : "", node->name);
    else
        rt_buffer_format(path, "[%d]", index);
    return length;
}

static void leave(rt_buffer *path, size_t length)
{
    path->length = length;
    path->data[length] = '\0';
}

static int expected_type(const rt_node *node)
{
    static const int types[] = {
        [RT_NODE_GROUP] = CONFIG_TYPE_GROUP,   [RT_NODE_ARRAY] = CONFIG_TYPE_ARRAY,
        [RT_NODE_LIST] = CONFIG_TYPE_LIST,     [RT_NODE_INT] = CONFIG_TYPE_INT,
        [RT_NODE_FLOAT] = CONFIG_TYPE_FLOAT,   [RT_NODE_BOOL] = CONFIG_TYPE_BOOL,
        [RT_NODE_STRING] = CONFIG_TYPE_STRING,
    };
    return node->is_long ? CONFIG_TYPE_INT64 : types[node->type];
}

static bool same_value(const rt_node *node, const config_setting_t *setting)
{
    switch (node->type) {
    case RT_NODE_INT:
        return node->value.integer == (node->is_long ? config_setting_get_int64(setting)
                                                     : config_setting_get_int(setting));
    case RT_NODE_BOOL:
        return node->value.integer == config_setting_get_bool(setting);
    case RT_NODE_FLOAT:
        return node->value.real == config_setting_get_float(setting);
    case RT_NODE_STRING: {
        const char *text = config_setting_get_string(setting);
        return text && strcmp(node->value.text, text) == 0;
    }
    default:
        return (int)node->count == config_setting_length(setting);
    }
}

static const char *difference(const rt_node *node, const config_setting_t *setting)
{
    const char *name = setting ? config_setting_name(setting) : NULL;
    if (!setting)
        return "it finds no such setting";
    if (node->name && (!name || strcmp(node->name, name) != 0))
        return "it finds another name";
    if (config_setting_type(setting) != expected_type(node))
        return "it finds another type";
    return same_value(node, setting) ? NULL : "it finds another value";
}

static void compare(rt_reader *reader, rt_buffer *path, const rt_node *node,
                    config_setting_t *setting)
{
    const char *found = difference(node, setting);
    if (found) {
        RT_PROBLEM(reader, CONFIG_DISAGREEMENT, &node->name_place,
                   rt_excerpt(reader, path->data ? path->data : "", path->length), found);
        return;
    }
    unsigned index = 0;
    for (const rt_node *member = node->first; member; member = member->next, index++) {
        size_t length = enter(path, member, (int)index);
        compare(reader, path, member, config_setting_get_elem(setting, index));
        leave(path, length);
    }
}

void rt_config_confirm(rt_reader *reader, const rt_node *root, bool is_value)
{
    config_t config;
    rt_buffer path = {0};
    config_init(&config);
    if (!config_read_string(&config, reader->flat.data)) {
        RT_PROBLEM(reader, CONFIG_DISAGREEMENT, &(rt_place){.file = reader->path}, reader->path,
                   config_error_text(&config));
    } else {
        config_setting_t *top = config_root_setting(&config);
        if (is_value)
            top = config_setting_length(top) == 1 ? config_setting_get_elem(top, 0) : NULL;
        rt_node unnamed = *root;
        if (!is_value)
            unnamed.name = NULL; /* libconfig's root has no name */
        compare(reader, &path, &unnamed, top);
    }
    rt_buffer_free(&path);
    config_destroy(&config);
}
