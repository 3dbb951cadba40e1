/* The words of a statement, as far as spans need them: what it does, and to which table. */
#include "statement.h"

#include <rt/rt.h>

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define TEXT_MOST 2000

enum kind { END, WORD, NAME, LITERAL, PARAMETER, SIGN, SPACE };

/* A NAME is in quotes. */
struct token {
    enum kind kind;
    const char *start;
    size_t length;
};

/* --- tokens ---------------------------------------------------------------------------------- */

static bool is_word(char character)
{
    return isalnum((unsigned char)character) || character == '_' || (unsigned char)character > 0x7f;
}

/* Behind the closing quote; a doubled quote is one of the text. */
static const char *past_quote(const char *at, char quote, bool backslash)
{
    for (at++; *at; at++) {
        if (backslash && *at == '\\' && at[1])
            at++;
        else if (*at == quote && at[1] == quote)
            at++;
        else if (*at == quote)
            return at + 1;
    }
    return at;
}

/* Comments in comments, as PostgreSQL has them. */
static const char *past_comment(const char *at)
{
    int depth = 0;
    do {
        int change = at[0] == '/' && at[1] == '*' ? 1 : at[0] == '*' && at[1] == '/' ? -1 : 0;
        depth += change;
        at += change ? 2 : 1;
    } while (*at && depth > 0);
    return at;
}

static const char *past_space(const char *at)
{
    for (;;) {
        if (isspace((unsigned char)*at))
            at++;
        else if (at[0] == '-' && at[1] == '-')
            at += strcspn(at, "\n");
        else if (at[0] == '/' && at[1] == '*')
            at = past_comment(at);
        else
            return at;
    }
}

/* $1, $name, $tag$ text $tag$ */
static const char *past_dollar(const char *at, enum kind *kind)
{
    const char *end = at + 1;
    while (is_word(*end))
        end++;
    *kind = PARAMETER;
    if (*end != '$' || isdigit((unsigned char)at[1]))
        return end;
    *kind = LITERAL;
    size_t tag = (size_t)(end + 1 - at);
    for (end++; *end; end++)
        if (strncmp(end, at, tag) == 0)
            return end + tag;
    return end;
}

static const char *past_number(const char *at)
{
    while (is_word(*at) || *at == '.' ||
           ((*at == '+' || *at == '-') && (at[-1] == 'e' || at[-1] == 'E')))
        at++;
    return at;
}

/* E'…', B'…', X'…', N'…' */
static bool is_prefixed(const char *at)
{
    return strchr("eEbBxXnN", *at) && at[1] == '\'';
}

static struct token token_at(const char *at)
{
    struct token token = {SIGN, at, 0};
    const char *end = past_space(at);
    if (end != at) {
        token.kind = SPACE;
    } else if (!*at) {
        token.kind = END;
    } else if (*at == '\'' || is_prefixed(at)) {
        token.kind = LITERAL;
        end = past_quote(*at == '\'' ? at : at + 1, '\'', *at == 'e' || *at == 'E');
    } else if (*at == '"' || *at == '`') {
        token.kind = NAME;
        end = past_quote(at, *at, false);
    } else if (*at == '$') {
        end = past_dollar(at, &token.kind);
    } else if (isdigit((unsigned char)*at) || (*at == '.' && isdigit((unsigned char)at[1]))) {
        token.kind = LITERAL;
        end = past_number(at);
    } else if (is_word(*at)) {
        token.kind = WORD;
        while (is_word(*end))
            end++;
    } else {
        end = at + 1;
    }
    token.length = (size_t)(end - at);
    return token;
}

/* The next that is no space. */
static struct token take(const char **at)
{
    struct token token = token_at(past_space(*at));
    *at = token.start + token.length;
    return token;
}

static bool is(struct token token, const char *word)
{
    return token.kind == WORD && strlen(word) == token.length &&
           strncasecmp(token.start, word, token.length) == 0;
}

static bool is_one_of(struct token token, const char *const *words)
{
    while (*words && !is(token, *words))
        words++;
    return *words != NULL;
}

/* --- operation and table --------------------------------------------------------------------- */

/* What leads to the table of a statement that begins with a word. */
static const struct {
    const char *operation;
    const char *lead; /* NULL: the table follows; "": there is none */
} operations[] = {{"SELECT", "FROM"}, {"INSERT", "INTO"},  {"UPDATE", NULL},    {"DELETE", "FROM"},
                  {"MERGE", "INTO"},  {"REPLACE", "INTO"}, {"CREATE", "TABLE"}, {"DROP", "TABLE"},
                  {"ALTER", "TABLE"}, {"TRUNCATE", NULL},  {"COPY", NULL},      {"LOCK", NULL},
                  {"VACUUM", ""},     {"ANALYZE", ""},     {"BEGIN", ""},       {"START", ""},
                  {"COMMIT", ""},     {"END", ""},         {"ROLLBACK", ""},    {"SAVEPOINT", ""},
                  {"RELEASE", ""},    {"VALUES", ""},      {"SET", ""},         {"SHOW", ""},
                  {"PRAGMA", ""},     {"EXPLAIN", ""},     {"CALL", ""},        {"DO", ""},
                  {"LISTEN", ""},     {"UNLISTEN", ""},    {"NOTIFY", ""},      {"GRANT", ""},
                  {"REVOKE", ""},     {"COMMENT", ""},     {"REINDEX", ""},     {"TABLE", NULL}};
#define OPERATIONS (sizeof operations / sizeof operations[0])

/* Between the lead and the table. */
static const char *const fillers[] = {"IF",    "NOT",     "EXISTS", "ONLY",   "OR",    "ROLLBACK",
                                      "ABORT", "REPLACE", "FAIL",   "IGNORE", "TABLE", NULL};

static size_t operation_of(struct token token)
{
    size_t i = 0;
    while (i < OPERATIONS && !is(token, operations[i].operation))
        i++;
    return i;
}

/* The next word of the outermost level that satisfies what is asked: an operation, or `lead`. */
static struct token seek(const char **at, const char *lead)
{
    int depth = 0;
    for (;;) {
        struct token token = take(at);
        if (token.kind == SIGN)
            depth += *token.start == '(' ? 1 : *token.start == ')' ? -1 : 0;
        bool found = lead ? is(token, lead) : operation_of(token) < OPERATIONS;
        if (token.kind == END || (depth <= 0 && found) ||
            (depth <= 0 && token.kind == SIGN && *token.start == ';'))
            return token;
    }
}

/* schema.table, as it is written. */
static rt_str table_at(const char *at)
{
    struct token token = take(&at);
    while (is_one_of(token, fillers))
        token = take(&at);
    if (token.kind != WORD && token.kind != NAME)
        return (rt_str){0};
    rt_str table = {token.start, token.length};
    while (*at == '.') {
        token = token_at(at + 1);
        if (token.kind != WORD && token.kind != NAME)
            break;
        at = token.start + token.length;
        table.length = (uint64_t)(at - table.data);
    }
    if (table.length > 2 && !is_word(table.data[0]) && !memchr(table.data, '.', table.length))
        table = (rt_str){table.data + 1, table.length - 2};
    return table;
}

rt_sql_summary rt_sql_summarize(const char *text)
{
    rt_sql_summary summary = {0};
    const char *at = text;
    struct token first = take(&at);
    while (first.kind == SIGN && *first.start == '(')
        first = take(&at);
    if (is(first, "WITH"))
        first = seek(&at, NULL);
    size_t row = operation_of(first);
    if (row == OPERATIONS)
        return summary;
    summary.operation = rt_string(operations[row].operation);
    const char *lead = operations[row].lead;
    if (lead && (!lead[0] || !is(seek(&at, lead), lead)))
        return summary;
    summary.collection = table_at(at);
    return summary;
}

/* --- without values -------------------------------------------------------------------------- */

const char *rt_sql_without_values(rt_ctx *ctx, const char *text)
{
    char *result = rt_alloc(ctx, TEXT_MOST + 1);
    size_t used = 0;
    for (const char *at = past_space(text);;) {
        struct token token = token_at(at);
        bool shown = token.kind != SPACE && token.kind != LITERAL;
        const char *piece = shown ? token.start : token.kind == SPACE ? " " : "?";
        size_t length = shown ? token.length : 1;
        if (token.kind == END || used + length > TEXT_MOST)
            return result;
        memcpy(result + used, piece, length);
        used += length;
        at += token.length;
    }
}
