/* The grammar of settings and groups. */
#include "config/parse.h"
#include "config/secret_name.h"

#include <ctype.h>
#include <string.h>

/* --- names ----------------------------------------------------------------------------------- */

/* How long the name is that the text begins with. */
static size_t name_length(const char *text)
{
    size_t length = isalpha((unsigned char)*text) || *text == '*';
    while (length && (isalnum((unsigned char)text[length]) || strchr("-_*", text[length])) &&
           text[length])
        length++;
    return length;
}

static bool is_dotted(const char *word)
{
    for (;;) {
        size_t length = name_length(word);
        if (!length || !word[length])
            return length != 0;
        if (word[length] != '.')
            return false;
        word += length + 1;
    }
}

/* `a.b.c` is meant as `a: { b: { c = …; }; };`. */
static void help_dotted(rt_diagnostic *problem, const char *word)
{
    rt_buffer text = {0};
    size_t groups = 0, length;
    for (; word[length = name_length(word)]; word += length + 1, groups++)
        rt_buffer_format(&text, "%.*s: { ", (int)length, word);
    rt_buffer_format(&text, "%s = …;", word);
    while (groups--)
        rt_buffer_text(&text, " };");
    rt_help(problem, "write `%s`", text.data);
    rt_buffer_free(&text);
}

/* What stands behind a secret on its line may be the rest of one that holds a `;`. */
static const char *show_word(rt_reader *reader, const rt_token *token)
{
    const char *line = token->place.source;
    if (!token->starts_line && (!line || rt_secret_in_line(line)))
        return "<redacted>";
    return rt_excerpt(reader, token->raw, token->raw_length);
}

static void report_name(rt_parser *parser, const rt_token *token)
{
    rt_reader *reader = &parser->reader;
    const char *word = show_word(reader, token);
    rt_diagnostic *problem = RT_PROBLEM(reader, CONFIG_NAME, &token->place, word);
    if (token->kind == RT_TOKEN_BOOL)
        rt_help(problem, "it is a value; choose another name");
    else if (token->kind == RT_TOKEN_STRING)
        rt_help(problem, "names stand without quotes");
    else if (token->kind == RT_TOKEN_NAME)
        rt_help(problem, "a name has at most %d characters", RT_CONFIG_NAME_LIMIT);
    else if (is_dotted(word))
        help_dotted(problem, word);
    else
        rt_help(problem,
                "a name starts with a letter and goes on with letters, digits, `-` and `_`");
}

static bool is_name(const rt_token *token)
{
    return token->kind == RT_TOKEN_NAME && token->raw_length <= RT_CONFIG_NAME_LIMIT;
}

/* Whether the token stands where a name should and is meant as one. */
static bool is_meant_as_name(const rt_token *token)
{
    switch (token->kind) {
    case RT_TOKEN_NAME:
        return true;
    case RT_TOKEN_WORD:
    case RT_TOKEN_STRING:
    case RT_TOKEN_BOOL:
    case RT_TOKEN_INT:
    case RT_TOKEN_FLOAT:
        return rt_lex_assigns(token);
    default:
        return false;
    }
}

static void report_duplicate(rt_parser *parser, const rt_node *node, const rt_node *first)
{
    const rt_place *place = &first->name_place;
    rt_diagnostic *problem =
        RT_PROBLEM(&parser->reader, CONFIG_DUPLICATE, &node->name_place,
                   rt_excerpt(&parser->reader, node->name, strlen(node->name)));
    rt_note(problem, "first set at %s:%u:%u", place->file, place->line, place->column);
    if (first->type == RT_NODE_GROUP && first->value_place.line)
        rt_help(problem, "move the settings of both into one group");
    else
        rt_help(problem, "remove one of the two");
}

/* --- settings -------------------------------------------------------------------------------- */

static void report_assignment(rt_parser *parser, const rt_token *name)
{
    rt_reader *reader = &parser->reader;
    const rt_token *found = &parser->token;
    const char *word = show_word(reader, name);
    rt_diagnostic *problem = RT_PROBLEM(reader, CONFIG_ASSIGNMENT, &name->place, word);
    rt_label(problem, "expected `=` or `:` after this name");
    if (!rt_token_is_value(found))
        rt_help(problem, "a setting is `%s = …;`", word);
    else if (found->kind == RT_TOKEN_OPEN)
        rt_help(problem, "write `%s: %c … %s", word, found->raw[0],
                found->raw[0] == '{'   ? "};`"
                : found->raw[0] == '[' ? "];`"
                                       : ");`");
    else
        rt_help(problem, "write `%s = %s;`", word,
                rt_excerpt_value(reader, found->raw, found->raw_length));
}

/* Steps over `=` or `:`; false if there is no value to be parsed behind it. */
static bool take_assign(rt_parser *parser, const rt_token *name, rt_token *assign)
{
    rt_reader *reader = &parser->reader;
    *assign = parser->token;
    if (assign->kind == RT_TOKEN_BAD)
        return false;
    if (assign->kind != RT_TOKEN_ASSIGN) {
        report_assignment(parser, name);
        return rt_token_is_value(assign) && (!assign->starts_line || assign->kind == RT_TOKEN_OPEN);
    }
    rt_parser_next(parser);
    if (parser->token.kind != RT_TOKEN_ASSIGN)
        return true;
    rt_diagnostic *problem = RT_PROBLEM(reader, CONFIG_SYNTAX, &parser->token.place, "a value",
                                        rt_token_description(reader, &parser->token));
    rt_help(problem, "remove it: one `=` or `:` is enough");
    rt_parser_next(parser);
    return true;
}

/* After a value: its terminator, if there is one, and nothing else on the line but a setting. */
static void end_setting(rt_parser *parser, const rt_node *node)
{
    rt_token *token = &parser->token;
    switch (token->kind) {
    case RT_TOKEN_SEMICOLON:
    case RT_TOKEN_COMMA:
        rt_parser_next(parser);
        return;
    case RT_TOKEN_END:
    case RT_TOKEN_CLOSE:
        return;
    case RT_TOKEN_BAD:
        rt_parser_recover(parser);
        return;
    default:
        if (token->starts_line || (token->kind == RT_TOKEN_NAME && rt_lex_assigns(token)))
            return;
    }
    rt_diagnostic *problem =
        RT_PROBLEM(&parser->reader, CONFIG_SYNTAX, &token->place, "`;` after the value",
                   rt_token_description(&parser->reader, token));
    bool is_text = token->kind == RT_TOKEN_NAME && node->type != RT_NODE_STRING;
    rt_help(problem, is_text ? "end the value with `;`, or put text of several words in quotes"
                             : "end the value with `;`");
    rt_parser_recover(parser);
}

static void parse_named(rt_parser *parser, const char *text)
{
    rt_token name = parser->token, assign;
    rt_node *node = rt_parser_new_node(parser, &name);
    const rt_node *first = node;
    node->name = text;
    rt_parser_suspect(parser, &name);
    if (!is_name(&name))
        report_name(parser, &name);
    else if ((first = rt_parser_first_of_name(parser, node)) != node)
        report_duplicate(parser, node, first);
    rt_parser_next(parser);
    if (!take_assign(parser, &name, &assign) || !rt_parse_value(parser, node, &name, &assign)) {
        rt_parser_recover(parser);
        return;
    }
    if (first == node)
        rt_parser_add(parser, node, &name);
    end_setting(parser, node);
}

static void parse_setting(rt_parser *parser)
{
    bool is_secret = parser->reader.is_secret;
    const char *name =
        rt_arena_copy_n(parser->reader.arena, parser->token.raw, parser->token.raw_length);
    parser->reader.is_secret = is_secret || rt_secret_like(name);
    parse_named(parser, name);
    parser->reader.is_secret = is_secret;
}

/* Braces around all of a file: what is in them is judged as if they were not there. */
static void parse_braces(rt_parser *parser)
{
    rt_node *node = rt_parser_new_node(parser, &parser->token);
    node->type = RT_NODE_GROUP;
    rt_frame frame;
    rt_parser_push(parser, &frame, node, NULL);
    rt_parse_settings(parser);
    rt_parser_pop(parser);
    if (parser->token.kind == RT_TOKEN_SEMICOLON || parser->token.kind == RT_TOKEN_COMMA)
        rt_parser_next(parser);
}

static void report_unexpected(rt_parser *parser)
{
    rt_reader *reader = &parser->reader;
    const rt_token *token = &parser->token;
    rt_diagnostic *problem =
        RT_PROBLEM(reader, CONFIG_SYNTAX, &token->place, "the name of a setting",
                   rt_token_description(reader, token));
    if (token->kind == RT_TOKEN_SEMICOLON || token->kind == RT_TOKEN_COMMA)
        rt_help(problem, "remove it: one `;` or `,` ends a setting");
    else if (token->kind == RT_TOKEN_OPEN && token->raw[0] == '{' && !parser->frame->outer)
        rt_help(problem, "no brackets stand around the whole file");
    else if (token->kind == RT_TOKEN_OPEN)
        rt_help(problem, "a group is written `name: { … };`");
    else
        rt_help(problem, "a setting is written `name = value;`");
}

static void skip_unexpected(rt_parser *parser)
{
    if (parser->token.kind != RT_TOKEN_BAD)
        report_unexpected(parser);
    if (parser->token.kind == RT_TOKEN_OPEN && parser->token.raw[0] == '{' &&
        parser->frame->depth < RT_CONFIG_DEPTH_LIMIT)
        parse_braces(parser);
    else
        rt_parser_recover(parser);
}

void rt_parse_settings(rt_parser *parser)
{
    while (!parser->frame->is_ended) {
        if (parser->token.kind == RT_TOKEN_END) {
            if (parser->frame->outer)
                rt_report_open(parser);
            return;
        }
        if (parser->token.kind == RT_TOKEN_CLOSE) {
            if (rt_parser_close(parser))
                return;
        } else if (is_meant_as_name(&parser->token)) {
            parse_setting(parser);
        } else {
            skip_unexpected(parser);
        }
    }
}
