#include "sqlstate.h"

#include "statement.h"

#include <rt/rt.h>

#include <stdlib.h>
#include <string.h>

#define STATEMENT_MOST 2000

static const rt_sqlstate classes[] = {
#define CLASS(class_, code_, retryable_) {class_ "000", "UNKNOWN", RT_##code_, retryable_},
#define CONDITION(state_, name_, code_, retryable_)
#include "sqlstate.def"
#undef CLASS
#undef CONDITION
};

static const rt_sqlstate conditions[] = {
#define CLASS(class_, code_, retryable_)
#define CONDITION(state_, name_, code_, retryable_) {state_, #name_, RT_##code_, retryable_},
#include "sqlstate.def"
#undef CLASS
#undef CONDITION
};

static const rt_sqlstate unknown = {"", "UNKNOWN", RT_EUNKNOWN, 0};

static int by_state(const void *state, const void *row)
{
    return strcmp(state, ((const rt_sqlstate *)row)->state);
}

static int by_class(const void *state, const void *row)
{
    return strncmp(state, ((const rt_sqlstate *)row)->state, 2);
}

const rt_sqlstate *rt_sqlstate_find(const char *state)
{
    if (!state || strlen(state) != 5)
        return &unknown;
    const rt_sqlstate *row = bsearch(state, conditions, sizeof conditions / sizeof conditions[0],
                                     sizeof conditions[0], by_state);
    if (!row)
        row = bsearch(state, classes, sizeof classes / sizeof classes[0], sizeof classes[0],
                      by_class);
    return row ? row : &unknown;
}

/* Classes 00 to 02 are no errors. */
static bool is_error(const rt_sqlstate *row)
{
    return strcmp(row->state, "03") > 0;
}

const rt_sqlstate *rt_sqlstate_named(const char *name)
{
    const rt_sqlstate *found = NULL;
    for (size_t i = 0; name && i < sizeof conditions / sizeof conditions[0]; i++) {
        if (strcmp(conditions[i].name, name) != 0)
            continue;
        found = &conditions[i];
        if (is_error(found))
            break;
    }
    return found;
}

/* --- errors ---------------------------------------------------------------------------------- */

/* Not in the middle of a character. */
static const char *cut(rt_ctx *ctx, const char *text)
{
    size_t length = strnlen(text, STATEMENT_MOST + 1);
    if (length <= STATEMENT_MOST)
        return text;
    for (length = STATEMENT_MOST; length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80;)
        length--;
    return rt_format(ctx, "%.*s", (int)length, text);
}

static void add(rt_field *fields, uint64_t *count, const char *name, const char *text)
{
    if (text && text[0])
        fields[(*count)++] = (rt_field){.name = name, .text = text};
}

int rt_sql_fail(rt_ctx *ctx, const rt_sql_failure *failure)
{
    const rt_sqlstate *row = failure->condition ? rt_sqlstate_named(failure->condition)
                                                : rt_sqlstate_find(failure->state);
    row = row ? row : &unknown;
    const rt_sql_statement *statement = failure->statement;
    const char *state = failure->condition ? row->state : failure->state;
    const char *text = statement ? statement->text : NULL;
    rt_field fields[7];
    rt_error error = {.size = sizeof error,
                      .code = failure->code ? abs(failure->code) : row->code,
                      .domain = row->name,
                      .message = failure->message ? failure->message : "the server gave no reason",
                      .detail = failure->detail,
                      .hint = failure->hint,
                      .fields = fields};
    bool same = error.code == row->code;
    error.retryable = failure->final ? 0
                      : same         ? (uint32_t)row->retryable
                                     : (uint32_t)rt_code_retryable(error.code);
    add(fields, &error.field_count, "sqlstate", state);
    add(fields, &error.field_count, "constraint", failure->constraint);
    add(fields, &error.field_count, "table", failure->table);
    add(fields, &error.field_count, "column", failure->column);
    add(fields, &error.field_count, "position", failure->position);
    if (text) {
        add(fields, &error.field_count, "statement", cut(ctx, text));
        add(fields, &error.field_count, "parameters", rt_sql_describe_parameters(ctx, statement));
    }
    return rt_fail_with(ctx, &error);
}
