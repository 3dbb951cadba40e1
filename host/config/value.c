/* Values: scalars, strings that are joined, brackets, and what is no value. */
#include "config/parse.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* --- strings --------------------------------------------------------------------------------- */

static bool check_utf8(rt_parser *parser, const rt_place *place, const char *text)
{
    size_t length = strlen(text), size = 1;
    for (size_t i = 0; i < length && size; i += size)
        size = rt_utf8_sequence(text + i, length - i);
    if (size)
        return true;
    rt_diagnostic *problem = RT_PROBLEM(&parser->reader, CONFIG_ENCODING, place,
                                        "the escapes in this string are no characters");
    rt_help(problem, "write the characters themselves, or all bytes of their UTF-8 form: "
                     "`\\xc3\\xa9` for `é`");
    return false;
}

static bool take_string(rt_parser *parser, rt_node *node)
{
    rt_reader *reader = &parser->reader;
    rt_token first = parser->token;
    node->type = RT_NODE_STRING;
    node->value.text = first.value.text;
    node->raw = rt_arena_copy_n(reader->arena, first.raw, first.raw_length);
    rt_parser_next(parser);
    if (parser->token.kind == RT_TOKEN_STRING) {
        rt_buffer text = {0}, raw = {0};
        rt_buffer_text(&text, node->value.text);
        rt_buffer_text(&raw, node->raw);
        for (; parser->token.kind == RT_TOKEN_STRING; rt_parser_next(parser)) {
            rt_buffer_text(&text, parser->token.value.text);
            rt_buffer_char(&raw, ' ');
            rt_buffer_add(&raw, parser->token.raw, parser->token.raw_length);
        }
        node->value.text = rt_arena_copy_n(reader->arena, text.data, text.length);
        node->raw = rt_arena_copy_n(reader->arena, raw.data, raw.length);
        rt_buffer_free(&text);
        rt_buffer_free(&raw);
    }
    return check_utf8(parser, &first.place, node->value.text);
}

/* --- other values ---------------------------------------------------------------------------- */

static bool take_scalar(rt_parser *parser, rt_node *node)
{
    const rt_token *token = &parser->token;
    node->type = token->kind == RT_TOKEN_FLOAT  ? RT_NODE_FLOAT
                 : token->kind == RT_TOKEN_BOOL ? RT_NODE_BOOL
                                                : RT_NODE_INT;
    if (token->kind == RT_TOKEN_FLOAT)
        node->value.real = token->value.real;
    else
        node->value.integer = token->value.integer;
    node->is_long = token->is_long;
    node->raw = rt_arena_copy_n(parser->reader.arena, token->raw, token->raw_length);
    rt_parser_next(parser);
    return true;
}

static bool take_brackets(rt_parser *parser, rt_node *node, const rt_token *name)
{
    char open = parser->token.raw[0];
    node->type = open == '{' ? RT_NODE_GROUP : open == '[' ? RT_NODE_ARRAY : RT_NODE_LIST;
    if (parser->frame->depth == RT_CONFIG_DEPTH_LIMIT) {
        rt_diagnostic *problem = RT_PROBLEM(&parser->reader, CONFIG_TOO_DEEP, &parser->token.place,
                                            RT_CONFIG_DEPTH_LIMIT);
        rt_help(problem, "close the brackets that should not be open any more");
        rt_parser_skip_brackets(parser);
        return true;
    }
    rt_frame frame;
    rt_parser_push(parser, &frame, node, name);
    if (open == '{')
        rt_parse_settings(parser);
    else
        rt_parse_items(parser);
    rt_parser_pop(parser);
    return true;
}

/* --- what is no value ------------------------------------------------------------------------ */

static const char *plain_word_help(const char *word)
{
    static const struct {
        const char *word, *help;
    } helps[] = {
        {"yes", "write `true`"},
        {"on", "write `true`"},
        {"enabled", "write `true`"},
        {"no", "write `false`"},
        {"off", "write `false`"},
        {"disabled", "write `false`"},
        {"null", "leave the setting out, or write `\"\"` for an empty string"},
        {"nil", "leave the setting out, or write `\"\"` for an empty string"},
        {"none", "leave the setting out, or write `\"\"` for an empty string"},
    };
    for (size_t i = 0; i < sizeof helps / sizeof helps[0]; i++)
        if (strcasecmp(helps[i].word, word) == 0)
            return helps[i].help;
    return NULL;
}

static void help_word(rt_parser *parser, rt_diagnostic *problem, const char *word, bool is_setting)
{
    const char *help = plain_word_help(word);
    if (is_setting)
        rt_help(problem, "settings stand in a group: `{ %s = …; }`", word);
    else if (help)
        rt_help(problem, "%s", help);
    else if (word[0] == '\'')
        rt_help(problem, "strings stand in double quotes, not in single ones");
    else if (strchr(word, '\\') || parser->token.raw_length != strlen(word))
        rt_help(problem, "text stands in double quotes");
    else
        rt_help(problem, "text stands in quotes: `\"%s\"`", word);
}

static bool looks_numeric(const rt_token *token)
{
    const char *at = token->raw, *end = at + token->raw_length;
    while (at < end && (*at == '-' || *at == '+' || *at == '.'))
        at++;
    return at < end && isdigit((unsigned char)*at);
}

static void report_word(rt_parser *parser, bool is_item)
{
    rt_reader *reader = &parser->reader;
    rt_token *token = &parser->token;
    bool is_setting = is_item && token->kind == RT_TOKEN_NAME && rt_lex_assigns(token);
    if (!is_setting)
        rt_lex_extend(reader, token);
    if (looks_numeric(token)) {
        rt_report_not_a_number(reader, token);
        return;
    }
    const char *word = rt_excerpt_value(reader, token->raw, token->raw_length);
    rt_diagnostic *problem =
        RT_PROBLEM(reader, CONFIG_VALUE, &token->place, word, "is not a value");
    help_word(parser, problem, word, is_setting);
}

static void report_missing(rt_parser *parser, const rt_node *node, const rt_token *assign)
{
    rt_reader *reader = &parser->reader;
    if (!assign) {
        rt_diagnostic *problem = RT_PROBLEM(reader, CONFIG_SYNTAX, &parser->token.place,
                                            parser->frame->outer ? "an item" : "a value",
                                            rt_token_description(reader, &parser->token));
        if (parser->token.kind != RT_TOKEN_END)
            rt_help(problem, "remove it");
        return;
    }
    rt_diagnostic *problem =
        RT_PROBLEM(reader, CONFIG_VALUE, &assign->place,
                   rt_excerpt(reader, node->name, strlen(node->name)), "has no value");
    rt_label(problem, "expected a value after this");
    rt_help(problem, "write one, or remove the setting");
}

bool rt_parse_value(rt_parser *parser, rt_node *node, const rt_token *name, const rt_token *assign)
{
    node->value_place = parser->token.place;
    switch (parser->token.kind) {
    case RT_TOKEN_OPEN:
        return take_brackets(parser, node, name);
    case RT_TOKEN_STRING:
        return take_string(parser, node);
    case RT_TOKEN_INT:
    case RT_TOKEN_FLOAT:
    case RT_TOKEN_BOOL:
        return take_scalar(parser, node);
    case RT_TOKEN_NAME:
    case RT_TOKEN_WORD:
        if (assign && rt_parser_at_setting(parser)) {
            report_missing(parser, node, assign);
        } else {
            report_word(parser, !assign);
            rt_parser_next(parser);
        }
        return false;
    case RT_TOKEN_BAD:
        return false;
    default:
        report_missing(parser, node, assign);
        return false;
    }
}
