/* The grammar of arrays and lists. */
#include "config/parse.h"

static const char *plural(const rt_node *node)
{
    static const char *const names[] = {
        [RT_NODE_INT] = "integers",
        [RT_NODE_FLOAT] = "floats",
        [RT_NODE_BOOL] = "booleans",
        [RT_NODE_STRING] = "strings",
    };
    return node->is_long ? "integers with the suffix `L`" : names[node->type];
}

static void help_mixed(rt_diagnostic *problem, const rt_node *first, const rt_node *node)
{
    if (first && first->type == RT_NODE_INT && node->type == RT_NODE_INT)
        rt_help(problem, "write all of them with `L`, or none");
    else if (first && first->type == RT_NODE_FLOAT && node->type == RT_NODE_INT && !node->is_long)
        rt_help(problem, "write `%s.0`", node->raw);
    else
        rt_help(problem, "a list may hold anything: `( … )` instead of `[ … ]`");
}

/* An array takes scalars of the first one's type. */
static void check_mixed(rt_parser *parser, const rt_node *node)
{
    rt_frame *frame = parser->frame;
    const rt_node *first = frame->node->first;
    bool is_scalar = node->type > RT_NODE_LIST;
    bool alike = !first || (first->type == node->type && first->is_long == node->is_long);
    if (frame->is_mixed || frame->node->type != RT_NODE_ARRAY || (is_scalar && alike))
        return;
    frame->is_mixed = true;
    rt_arena *arena = parser->reader.arena;
    const char *what =
        node->is_long ? "an integer with the suffix `L`" : rt_node_type_name(node->type);
    rt_diagnostic *problem =
        RT_PROBLEM(&parser->reader, CONFIG_MIXED_ARRAY, &node->value_place, what,
                   first ? rt_arena_format(arena, "an array of %s", plural(first)) : "an array");
    help_mixed(problem, first, node);
}

static void parse_item(rt_parser *parser)
{
    rt_token begin = parser->token;
    rt_node *node = rt_parser_new_node(parser, &begin);
    if (!rt_parse_value(parser, node, NULL, NULL)) {
        rt_parser_recover(parser);
        return;
    }
    check_mixed(parser, node);
    rt_parser_add(parser, node, &begin);
}

static void take_comma(rt_parser *parser)
{
    rt_token comma = parser->token;
    rt_parser_next(parser);
    if (parser->token.kind != RT_TOKEN_CLOSE)
        return;
    rt_diagnostic *problem =
        RT_PROBLEM(&parser->reader, CONFIG_SYNTAX, &comma.place, "an item after `,`",
                   rt_token_description(&parser->reader, &parser->token));
    rt_help(problem, "remove the `,` after the last item");
}

static void report_end(rt_parser *parser)
{
    const rt_token *token = &parser->token;
    rt_diagnostic *problem = rt_report_open(parser);
    if (token->kind == RT_TOKEN_NAME)
        rt_note(problem, "at %s:%u:%u the setting `%s` begins", token->place.file,
                token->place.line, token->place.column,
                rt_excerpt(&parser->reader, token->raw, token->raw_length));
}

/* A `;` ends the setting around a bracket that is not closed, or is a mistyped `,`. */
static bool take_semicolon(rt_parser *parser)
{
    rt_token semicolon = parser->token;
    rt_parser_next(parser);
    bool closes = rt_parser_at_own_close(parser);
    if (!rt_token_is_value(&parser->token) && !closes) {
        report_end(parser);
        return false;
    }
    rt_diagnostic *problem =
        RT_PROBLEM(&parser->reader, CONFIG_SYNTAX, &semicolon.place, "`,` between items", "`;`");
    rt_help(problem, closes ? "remove it" : "write `,` instead");
    return true;
}

/* After an item; false if the array or list ended without its bracket. */
static bool end_item(rt_parser *parser)
{
    rt_token *token = &parser->token;
    switch (token->kind) {
    case RT_TOKEN_COMMA:
        take_comma(parser);
        return true;
    case RT_TOKEN_SEMICOLON:
        return take_semicolon(parser);
    case RT_TOKEN_END:
    case RT_TOKEN_CLOSE:
        return true;
    case RT_TOKEN_BAD:
        rt_parser_recover(parser);
        return true;
    default:
        if (rt_parser_at_setting(parser))
            return true;
    }
    rt_diagnostic *problem =
        RT_PROBLEM(&parser->reader, CONFIG_SYNTAX, &token->place, "`,` between items",
                   rt_token_description(&parser->reader, token));
    rt_help(problem, "put a `,` before it");
    if (!rt_token_is_value(token))
        rt_parser_recover(parser);
    return true;
}

void rt_parse_items(rt_parser *parser)
{
    while (!parser->frame->is_ended) {
        if (parser->token.kind == RT_TOKEN_CLOSE) {
            if (rt_parser_close(parser))
                return;
            continue;
        }
        if (parser->token.kind == RT_TOKEN_END || rt_parser_at_setting(parser)) {
            report_end(parser);
            return;
        }
        parse_item(parser);
        if (!parser->frame->is_ended && !end_item(parser))
            return;
    }
}
