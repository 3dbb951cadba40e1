/* Members of groups, arrays and lists: nodes, their number, and names that occur twice. */
#include "config/parse.h"

#include <stdlib.h>
#include <string.h>

/* --- duplicates ------------------------------------------------------------------------------ */

static uint64_t hash_setting(const rt_node *node)
{
    uint64_t hash = 0xcbf29ce484222325u ^ (uintptr_t)node->parent;
    for (const char *c = node->name; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 0x100000001b3u;
    return hash ^ hash >> 29;
}

static rt_seen *find_seen(rt_seen *seen, size_t size, const rt_node *node, uint64_t hash)
{
    for (size_t i = hash & (size - 1);; i = (i + 1) & (size - 1)) {
        const rt_node *other = seen[i].node;
        if (!other || (seen[i].hash == hash && other->parent == node->parent &&
                       strcmp(other->name, node->name) == 0))
            return &seen[i];
    }
}

static void grow_seen(rt_parser *parser)
{
    size_t size = parser->seen_size ? parser->seen_size * 2 : 64;
    rt_seen *larger = rt_xcalloc(size, sizeof *larger);
    for (size_t i = 0; i < parser->seen_size; i++)
        if (parser->seen[i].node)
            *find_seen(larger, size, parser->seen[i].node, parser->seen[i].hash) = parser->seen[i];
    free(parser->seen);
    parser->seen = larger;
    parser->seen_size = size;
}

const rt_node *rt_parser_first_of_name(rt_parser *parser, const rt_node *node)
{
    if (parser->seen_count * 2 >= parser->seen_size)
        grow_seen(parser);
    uint64_t hash = hash_setting(node);
    rt_seen *seen = find_seen(parser->seen, parser->seen_size, node, hash);
    if (!seen->node) {
        *seen = (rt_seen){hash, node};
        parser->seen_count++;
    }
    return seen->node;
}

/* --- members --------------------------------------------------------------------------------- */

rt_node *rt_parser_new_node(rt_parser *parser, const rt_token *token)
{
    rt_node *node = RT_NEW(parser->reader.arena, rt_node);
    node->parent = parser->frame->node;
    node->name_place = node->value_place = token->place;
    node->origin = rt_source_origin(&parser->reader, token->source, token->place.line);
    return node;
}

static void report_full(rt_parser *parser, const rt_token *token, int limit)
{
    static const char *const names[] = {
        [RT_NODE_GROUP] = "settings in a group",
        [RT_NODE_ARRAY] = "items in an array",
        [RT_NODE_LIST] = "items in a list",
    };
    rt_node_type type = parser->frame->node->type;
    rt_diagnostic *problem =
        RT_PROBLEM(&parser->reader, CONFIG_TOO_MANY, &token->place, limit, names[type]);
    if (type == RT_NODE_GROUP)
        rt_help(problem, "what is named freely belongs in a list: `( { name = …; }, … )`");
    else
        rt_help(problem, "keep long data in a file of its own and give its path in a setting");
}

static bool has_room(rt_parser *parser, const rt_token *token)
{
    rt_frame *frame = parser->frame;
    bool is_group = frame->node->type == RT_NODE_GROUP;
    uint32_t limit = is_group ? RT_CONFIG_GROUP_LIMIT : RT_CONFIG_LIST_LIMIT;
    if (frame->node->count < limit)
        return true;
    if (!frame->is_full)
        report_full(parser, token, (int)limit);
    frame->is_full = true;
    return false;
}

static void append(rt_node *parent, rt_node *node)
{
    if (parent->last)
        parent->last->next = node;
    else
        parent->first = node;
    parent->last = node;
    parent->count++;
}

void rt_parser_add(rt_parser *parser, rt_node *node, const rt_token *token)
{
    if (has_room(parser, token))
        append(parser->frame->node, node);
}
