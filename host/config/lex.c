/* Tokens: what a configuration file consists of. */
#include "config/lex.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static bool at_comment(const rt_source *source)
{
    int next = rt_source_look(source, 0), second = rt_source_look(source, 1);
    return next == '#' || (next == '/' && (second == '/' || second == '*'));
}

static void skip_line_comment(rt_reader *reader)
{
    rt_source *source = reader->source;
    while (rt_source_look(source, 0) >= 0 && rt_source_look(source, 0) != '\n')
        rt_reader_take(reader);
}

static void skip_block_comment(rt_reader *reader)
{
    rt_source *source = reader->source;
    uint32_t column = source->column;
    rt_source_skip(source, 2);
    rt_place place = rt_source_since(reader, source, column);
    while (rt_source_look(source, 0) >= 0) {
        if (rt_source_look(source, 0) == '*' && rt_source_look(source, 1) == '/') {
            rt_source_skip(source, 2);
            return;
        }
        rt_reader_take(reader);
    }
    rt_diagnostic *problem = RT_PROBLEM(reader, CONFIG_UNTERMINATED, &place, "comment");
    rt_label(problem, "everything from here on is comment");
    rt_help(problem, "close it with `*/`");
}

static void skip_comment(rt_reader *reader)
{
    if (rt_source_look(reader->source, 0) == '/' && rt_source_look(reader->source, 1) == '*')
        skip_block_comment(reader);
    else
        skip_line_comment(reader);
}

static bool continues_name(int c)
{
    return c > 0 && (isalnum(c) || c == '-' || c == '_' || c == '*');
}

static bool at_include(const rt_source *source)
{
    static const char directive[] = "@include";
    size_t length = sizeof directive - 1;
    return source->length - source->next >= length &&
           memcmp(source->text + source->next, directive, length) == 0 &&
           !continues_name(rt_source_look(source, length));
}

/* Blanks, comments and includes, up to what a token starts with; false for an include that failed,
 * which stands for a token that is bad. */
static bool skip_to_token(rt_reader *reader)
{
    while (!rt_reader_gave_up(reader)) {
        rt_source *source = reader->source;
        int next = rt_source_look(source, 0);
        if (next == ' ' || next == '\t')
            rt_source_skip(source, 1);
        else if (next == '\n' || (next == '\r' && rt_source_look(source, 1) == '\n'))
            rt_reader_take(reader);
        else if (at_comment(source))
            skip_comment(reader);
        else if (next != '@' || !at_include(source))
            break;
        else if (!rt_reader_include(reader))
            return false;
    }
    return true;
}

/* --- words ----------------------------------------------------------------------------------- */

static bool continues_word(const rt_source *source, const char *stops)
{
    int next = rt_source_look(source, 0);
    return next > ' ' && !strchr(stops, next) && rt_source_is_fair(source);
}

static bool is_bool(const rt_token *token, const char *word)
{
    return token->raw_length == strlen(word) &&
           strncasecmp(token->raw, word, token->raw_length) == 0;
}

static void take_word(rt_reader *reader, rt_token *token)
{
    rt_source *source = reader->source;
    token->kind = RT_TOKEN_WORD;
    do
        rt_reader_take(reader);
    while (continues_word(source, ";,{}()[]\"#=:") && !at_comment(source));
    token->raw_length = (size_t)(source->text + source->next - token->raw);
}

static void lex_name(rt_reader *reader, rt_token *token)
{
    rt_source *source = reader->source;
    size_t length = 1;
    while (continues_name(rt_source_look(source, length)))
        length++;
    rt_source_skip(source, length);
    token->raw_length = length;
    if (continues_word(source, ";,{}()[]\"#=:") && !at_comment(source))
        take_word(reader, token);
    else if (is_bool(token, "true") || is_bool(token, "false"))
        token->kind = RT_TOKEN_BOOL;
    else
        token->kind = RT_TOKEN_NAME;
    token->value.integer = length == 4;
}

/* Text in single quotes, as far as it ends on its line. */
static void take_quoted(rt_reader *reader, const rt_token *token)
{
    rt_source *source = reader->source;
    const char *from = source->text + source->next;
    const char *end = memchr(from, '\n', source->length - source->next);
    size_t left = end ? (size_t)(end - from) : source->length - source->next;
    const char *quote = memchr(from, '\'', left);
    if (!quote || token->raw[0] != '\'' || (token->raw_length > 1 && from[-1] == '\''))
        return;
    while (source->text + source->next <= quote)
        rt_reader_take(reader);
}

void rt_lex_extend(rt_reader *reader, rt_token *token)
{
    rt_source *source = reader->source;
    uint32_t column = source->column;
    take_quoted(reader, token);
    while (continues_word(source, ";,{}()[]\"#")) {
        bool after_scheme = source->text[source->next - 1] == ':';
        if (at_comment(source) && !(after_scheme && rt_source_look(source, 1) == '/'))
            break;
        rt_reader_take(reader);
    }
    token->raw_length = (size_t)(source->text + source->next - token->raw);
    token->place.length += source->column - column;
}

/* Where the comment at `at` ends, if there is one. */
static const char *behind_comment(const char *at, const char *end)
{
    bool block = end - at > 1 && at[0] == '/' && at[1] == '*';
    bool line = *at == '#' || (end - at > 1 && at[0] == '/' && at[1] == '/');
    const char *close = block  ? memmem(at + 2, (size_t)(end - at) - 2, "*/", 2)
                        : line ? memchr(at, '\n', (size_t)(end - at))
                               : at;
    return !close ? end : block ? close + 2 : close;
}

bool rt_lex_assigns(const rt_token *token)
{
    const rt_source *source = token->source;
    const char *at = token->raw + token->raw_length, *end = source->text + source->length;
    for (const char *from = NULL; at < end && at != from;) {
        from = at;
        while (at < end && strchr(" \t\r\n", *at))
            at++;
        if (at < end)
            at = behind_comment(at, end);
    }
    return at < end && (*at == '=' || *at == ':');
}

/* --- tokens ---------------------------------------------------------------------------------- */

static void report_comment_end(rt_reader *reader, rt_token *token)
{
    rt_source *source = reader->source;
    rt_source_skip(source, 2);
    rt_place place = rt_source_since(reader, source, source->column - 2);
    rt_diagnostic *problem =
        RT_PROBLEM(reader, CONFIG_BRACKET_STRAY, &place, "*/", "closes no comment");
    rt_help(problem, "comments do not nest: the first `*/` closes one");
    token->kind = RT_TOKEN_BAD;
}

static rt_token_kind mark_kind(int c)
{
    static const char marks[] = "{[(}])=:,;";
    static const rt_token_kind kinds[] = {
        RT_TOKEN_OPEN,  RT_TOKEN_OPEN,   RT_TOKEN_OPEN,   RT_TOKEN_CLOSE, RT_TOKEN_CLOSE,
        RT_TOKEN_CLOSE, RT_TOKEN_ASSIGN, RT_TOKEN_ASSIGN, RT_TOKEN_COMMA, RT_TOKEN_SEMICOLON,
    };
    const char *mark = c > 0 ? strchr(marks, c) : NULL;
    return mark ? kinds[mark - marks] : RT_TOKEN_BAD;
}

static void lex_any(rt_reader *reader, rt_token *token, int first)
{
    rt_source *source = reader->source;
    token->kind = mark_kind(first);
    if (token->kind != RT_TOKEN_BAD)
        rt_source_skip(source, 1);
    else if (first == '"')
        rt_lex_string(reader, token);
    else if (first == '*' && rt_source_look(source, 1) == '/')
        report_comment_end(reader, token);
    else if (first < 0x80 && (isalpha(first) || first == '*'))
        lex_name(reader, token);
    else if (rt_source_is_fair(source))
        take_word(reader, token);
    else
        rt_reader_take(reader);
}

static void lex_token(rt_reader *reader, rt_token *token)
{
    rt_source *source = reader->source;
    int first = rt_source_look(source, 0);
    uint32_t column = source->column;
    token->raw = source->text + source->next;
    token->starts_line = source->token_line != source->line;
    lex_any(reader, token, first);
    token->raw_length = (size_t)(source->text + source->next - token->raw);
    token->place = rt_source_since(reader, source, column);
    source->token_line = source->line;
    bool numeric = isdigit(first) || first == '+' || first == '-' || first == '.';
    if (token->kind == RT_TOKEN_WORD && numeric)
        rt_lex_number(reader, token);
}

void rt_lex(rt_reader *reader, rt_token *token)
{
    bool good = skip_to_token(reader);
    rt_source *source = reader->source;
    if (rt_reader_gave_up(reader))
        source->next = source->length;
    good |= rt_reader_gave_up(reader);
    *token = (rt_token){.kind = good ? RT_TOKEN_END : RT_TOKEN_BAD, .source = source};
    if (good && source->next < source->length)
        lex_token(reader, token);
    else
        token->place = rt_source_since(reader, source, source->column);
}
