#include "migrate/statements.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static bool is_word_part(char c)
{
    return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

/* --- what may hide a semicolon: each gives the place behind it -------------------------------- */

static const char *behind_quotes(const char *at, char quote, bool escapes)
{
    while (*at && *at != quote)
        at += escapes && at[0] == '\\' && at[1] ? 2 : 1;
    return *at ? at + 1 : at;
}

static const char *behind_line(const char *at)
{
    return at + strcspn(at, "\n");
}

static const char *behind_comment(const char *at)
{
    size_t depth = 1;
    while (*at && depth) {
        bool opens = at[0] == '/' && at[1] == '*', closes = at[0] == '*' && at[1] == '/';
        depth += opens;
        depth -= closes;
        at += opens || closes ? 2 : 1;
    }
    return at;
}

/* `$$` or `$tag$`: the length of the mark, 0 if there is none. */
static size_t mark_length(const char *at)
{
    size_t length = 1;
    if (isdigit((unsigned char)at[1])) /* a parameter */
        return 0;
    while (is_word_part(at[length]))
        length++;
    return at[length] == '$' ? length + 1 : 0;
}

static const char *behind_dollars(const char *at)
{
    size_t length = mark_length(at);
    if (!length)
        return at + 1;
    for (const char *end = at + length; *end; end++)
        if (strncmp(end, at, length) == 0)
            return end + length;
    return at + strlen(at);
}

static const char *behind_blank(const char *at)
{
    for (;;) {
        at += strspn(at, " \t\r\n\f\v");
        if (strncmp(at, "--", 2) == 0)
            at = behind_line(at);
        else if (strncmp(at, "/*", 2) == 0)
            at = behind_comment(at + 2);
        else
            return at;
    }
}

/* --- words ----------------------------------------------------------------------------------- */

static size_t word_length(const char *at)
{
    size_t length = 0;
    while (is_word_part(at[length]) || (length && at[length] == '$'))
        length++;
    return length;
}

static bool is_word(const char *at, size_t length, const char *word)
{
    return strlen(word) == length && strncasecmp(at, word, length) == 0;
}

/* A statement that may have a body with semicolons in it. */
static bool makes_something(const char *at)
{
    return is_word(at, word_length(at), "create");
}

static size_t depth_behind(size_t depth, const char *word, size_t length)
{
    if (is_word(word, length, "begin") || (depth && is_word(word, length, "case")))
        return depth + 1;
    return depth && is_word(word, length, "end") ? depth - 1 : depth;
}

/* E'…' has backslashes; so may nothing else. */
static const char *behind_word(const char *at, size_t length, bool has_body, size_t *depth)
{
    if (is_word(at, length, "e") && at[length] == '\'')
        return behind_quotes(at + length + 1, '\'', true);
    if (has_body)
        *depth = depth_behind(*depth, at, length);
    return at + length;
}

static const char *behind_piece(const char *at, bool has_body, size_t *depth)
{
    size_t length = word_length(at);
    if (length)
        return behind_word(at, length, has_body, depth);
    if (*at == '\'' || *at == '"' || *at == '`')
        return behind_quotes(at + 1, *at, false);
    if (*at == '$')
        return behind_dollars(at);
    const char *behind = behind_blank(at);
    return behind == at ? at + 1 : behind;
}

/* --- statements ------------------------------------------------------------------------------ */

bool rt_statement_next(const char **rest, rt_statement *statement)
{
    const char *start = behind_blank(*rest), *end;
    size_t depth = 0;
    while (*start == ';')
        start = behind_blank(start + 1);
    bool has_body = makes_something(start);
    for (end = start; *end && !(*end == ';' && depth == 0);)
        end = behind_piece(end, has_body, &depth);
    *statement = (rt_statement){start, (size_t)(end - start)};
    *rest = *end ? end + 1 : end;
    return end > start;
}

bool rt_statement_ends_transaction(const rt_statement *statement)
{
    static const char *const words[] = {"begin", "start",    "commit",    "end",
                                        "abort", "rollback", "savepoint", "release"};
    size_t length = word_length(statement->text);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (is_word(statement->text, length, words[i]))
            return true;
    return false;
}
