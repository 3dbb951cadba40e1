/* The ways into the configuration reader, and its nodes. */
#include "config/parse.h"

#include <stdlib.h>
#include <string.h>

/* What libconfig reads a lone value as; the lexer never sees it. */
static const char value_prefix[] = "value = ";

static void begin(rt_parser *parser, rt_arena *arena, rt_diagnostics *diagnostics)
{
    parser->reader.arena = arena;
    parser->reader.diagnostics = diagnostics;
    parser->reader.heard = diagnostics;
    parser->reader.heard_before = diagnostics->count;
    rt_diagnostics_init(&parser->reader.unheard, arena);
}

static void end(rt_parser *parser)
{
    rt_reader_sort_problems(&parser->reader);
    rt_buffer_free(&parser->reader.flat);
    rt_buffer_free(&parser->reader.scratch);
    rt_buffer_free(&parser->reader.piece);
    free(parser->seen);
}

static rt_node *judge(rt_parser *parser, rt_node *node, bool is_value)
{
    rt_reader *reader = &parser->reader;
    if (!reader->problems) {
        rt_reader_flatten(reader, reader->source);
        rt_buffer_char(&reader->flat, '\n');
        rt_config_confirm(reader, node, is_value);
    }
    return reader->problems ? NULL : node;
}

static rt_node *parse_all(rt_parser *parser)
{
    rt_reader *reader = &parser->reader;
    rt_node *top = RT_NEW(reader->arena, rt_node);
    top->name = "";
    top->type = RT_NODE_GROUP;
    top->name_place = top->value_place = (rt_place){.file = reader->path};
    top->origin = reader->path;
    rt_frame frame = {.node = top};
    parser->frame = &frame;
    rt_parser_next(parser);
    rt_parse_settings(parser);
    return judge(parser, top, false);
}

rt_node *rt_config_read(rt_arena *arena, rt_diagnostics *diagnostics, const char *path)
{
    rt_parser parser = {0};
    begin(&parser, arena, diagnostics);
    rt_node *top = rt_reader_open(&parser.reader, path) ? parse_all(&parser) : NULL;
    end(&parser);
    return top;
}

rt_node *rt_config_parse(rt_arena *arena, rt_diagnostics *diagnostics, const char *path,
                         const char *text, size_t length)
{
    rt_parser parser = {0};
    begin(&parser, arena, diagnostics);
    bool opened = rt_reader_open_text(&parser.reader, path, text, length);
    rt_node *top = opened ? parse_all(&parser) : NULL;
    end(&parser);
    return top;
}

static rt_node *parse_one(rt_parser *parser)
{
    rt_reader *reader = &parser->reader;
    rt_node outside = {.type = RT_NODE_LIST};
    rt_frame frame = {.node = &outside};
    parser->frame = &frame;
    rt_parser_next(parser);
    rt_node *node = RT_NEW(reader->arena, rt_node);
    node->name_place = parser->token.place;
    node->origin = reader->label;
    if (rt_parse_value(parser, node, NULL, NULL) && parser->token.kind != RT_TOKEN_END &&
        parser->token.kind != RT_TOKEN_BAD)
        RT_PROBLEM(reader, CONFIG_SYNTAX, &parser->token.place, "nothing after the value",
                   rt_token_description(reader, &parser->token));
    return judge(parser, node, true);
}

rt_node *rt_config_parse_value(rt_arena *arena, rt_diagnostics *diagnostics, const char *label,
                               const char *text)
{
    rt_parser parser = {0};
    begin(&parser, arena, diagnostics);
    parser.reader.label = rt_arena_copy(arena, label);
    rt_buffer_text(&parser.reader.flat, value_prefix);
    bool opened = rt_reader_open_text(&parser.reader, label, text, strlen(text));
    rt_node *node = opened ? parse_one(&parser) : NULL;
    end(&parser);
    return node;
}

/* --- nodes ----------------------------------------------------------------------------------- */

rt_node *rt_node_new(rt_arena *arena, const char *name, rt_node_type type)
{
    rt_node *node = RT_NEW(arena, rt_node);
    node->name = name;
    node->type = type;
    return node;
}

rt_node *rt_node_member(const rt_node *group, const char *name)
{
    rt_node *member = group->first;
    while (member && (!member->name || strcmp(member->name, name) != 0))
        member = member->next;
    return member;
}

const char *rt_node_type_name(rt_node_type type)
{
    static const char *const names[] = {
        [RT_NODE_GROUP] = "a group",   [RT_NODE_ARRAY] = "an array", [RT_NODE_LIST] = "a list",
        [RT_NODE_INT] = "an integer",  [RT_NODE_FLOAT] = "a float",  [RT_NODE_BOOL] = "a boolean",
        [RT_NODE_STRING] = "a string",
    };
    return names[type];
}
