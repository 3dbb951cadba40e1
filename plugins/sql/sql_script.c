#include "sql_script.h"

#include "sqlstate.h"

#include <stdlib.h>
#include <string.h>

/* The memory of one answer: goes as a whole. */
struct block {
    struct block *next;
    max_align_t bytes[];
};

struct answer {
    struct answer *next;
    struct block *blocks;
    const char *fragment;
    const char *condition, *constraint; /* or the rows */
    rt_sql_rows rows;
    uint32_t times; /* 0: for ever */
};

struct rt_sql_script {
    struct answer *first;
};

/* --- deep copies ----------------------------------------------------------------------------- */

/* Copies into the memory of a context, or, without one, into blocks. */
struct copier {
    rt_ctx *ctx;
    struct block *blocks;
    bool failed;
};

static void *room(struct copier *copier, uint64_t length)
{
    if (copier->failed)
        return NULL;
    if (copier->ctx)
        return rt_alloc(copier->ctx, length);
    struct block *block = malloc(sizeof *block + length);
    copier->failed = !block;
    if (!block)
        return NULL;
    block->next = copier->blocks;
    copier->blocks = block;
    return block->bytes;
}

/* With a NUL behind, as all texts of rows have. */
static void *copy_bytes(struct copier *copier, const void *bytes, uint64_t length)
{
    char *copy = bytes ? room(copier, length + 1) : NULL;
    if (!copy)
        return NULL;
    memcpy(copy, bytes, length);
    copy[length] = '\0';
    return copy;
}

static const char *copy_text(struct copier *copier, const char *text)
{
    return copy_bytes(copier, text, text ? strlen(text) : 0);
}

static const rt_sql_value *copy_values(struct copier *copier, const rt_sql_value *values,
                                       uint64_t count)
{
    rt_sql_value *copy = copy_bytes(copier, values, count * sizeof *values);
    for (uint64_t i = 0; copy && i < count; i++) {
        switch (values[i].type) {
        case RT_SQL_TEXT:
        case RT_SQL_UUID:
        case RT_SQL_JSON:
        case RT_SQL_BYTES:
            copy[i].value.bytes = copy_bytes(copier, values[i].value.bytes, values[i].length);
            break;
        case RT_SQL_ARRAY: /* of scalars: an array holds none */
            copy[i].value.elements =
                copy_values(copier, values[i].value.elements, values[i].length);
            break;
        }
    }
    return copy;
}

static rt_sql_rows copy_rows(struct copier *copier, const rt_sql_rows *rows)
{
    rt_sql_rows copy = *rows;
    rt_sql_column *columns =
        copy_bytes(copier, rows->columns, rows->column_count * sizeof *columns);
    for (uint32_t i = 0; columns && i < rows->column_count; i++)
        columns[i].name = copy_text(copier, rows->columns[i].name);
    copy.columns = columns;
    copy.values = copy_values(copier, rows->values, rows->row_count * rows->column_count);
    return copy;
}

static void free_blocks(struct block *block)
{
    while (block) {
        struct block *next = block->next;
        free(block);
        block = next;
    }
}

/* --- answers --------------------------------------------------------------------------------- */

rt_sql_script *rt_sql_script_open(void)
{
    return calloc(1, sizeof(rt_sql_script));
}

static void free_answer(struct answer *answer)
{
    free_blocks(answer->blocks);
    free(answer);
}

void rt_sql_script_forget(rt_sql_script *script)
{
    for (struct answer *answer = script->first, *next; answer; answer = next) {
        next = answer->next;
        free_answer(answer);
    }
    script->first = NULL;
}

void rt_sql_script_close(rt_sql_script *script)
{
    if (script)
        rt_sql_script_forget(script);
    free(script);
}

static int put(rt_ctx *ctx, rt_sql_script *script, const struct answer *wanted)
{
    struct answer *answer = malloc(sizeof *answer);
    struct copier copier = {.failed = !answer};
    struct answer copy = *wanted;
    copy.fragment = copy_text(&copier, wanted->fragment);
    copy.condition = copy_text(&copier, wanted->condition);
    copy.constraint = copy_text(&copier, wanted->constraint);
    copy.rows = copy_rows(&copier, &wanted->rows);
    copy.blocks = copier.blocks;
    if (copier.failed) {
        free_blocks(copier.blocks);
        free(answer);
        return rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "out of memory for a scripted answer");
    }
    *answer = copy;
    struct answer **end = &script->first;
    while (*end)
        end = &(*end)->next;
    *end = answer;
    return 0;
}

static int check_fragment(rt_ctx *ctx, const char *fragment)
{
    return fragment && fragment[0]
               ? 0
               : rt_fail(ctx, RT_EINVALID_ARGUMENT, "an answer needs a fragment of a statement");
}

int rt_sql_script_put_rows(rt_ctx *ctx, rt_sql_script *script, const char *fragment,
                           const rt_sql_rows *rows, uint32_t times)
{
    RT_TRY(check_fragment(ctx, fragment));
    if (!rows || !RT_HAS(rows, values) ||
        (rows->column_count && (!rows->columns || (rows->row_count && !rows->values))))
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "the rows lack `size`, `columns` or `values`");
    struct answer answer = {.fragment = fragment, .times = times, .rows.size = sizeof answer.rows};
    rt_struct_copy(&answer.rows, rows);
    return put(ctx, script, &answer);
}

int rt_sql_script_put_failure(rt_ctx *ctx, rt_sql_script *script, const char *fragment,
                              const char *condition, const char *constraint, uint32_t times)
{
    RT_TRY(check_fragment(ctx, fragment));
    if (!rt_sqlstate_named(condition))
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "`%s` is no condition of an SQLSTATE",
                       condition ? condition : "");
    return put(ctx, script,
               &(struct answer){.fragment = fragment,
                                .condition = condition,
                                .constraint = constraint,
                                .times = times});
}

/* --- playing --------------------------------------------------------------------------------- */

static void use_up(struct answer **place)
{
    struct answer *answer = *place;
    if (!answer->times || --answer->times)
        return;
    *place = answer->next;
    free_answer(answer);
}

int rt_sql_script_play(rt_ctx *ctx, rt_sql_script *script, const rt_sql_statement *statement,
                       rt_sql_rows *rows)
{
    struct answer **place = &script->first;
    while (*place && !strstr(statement->text, (*place)->fragment))
        place = &(*place)->next;
    const struct answer *answer = *place;
    if (!answer)
        return 0;
    int result = 1;
    if (answer->condition) {
        result = rt_sql_fail(ctx, &(rt_sql_failure){.condition = answer->condition,
                                                    .message = "the test wants this statement "
                                                               "to fail",
                                                    .constraint = answer->constraint,
                                                    .statement = statement});
    } else {
        rt_sql_rows copy = copy_rows(&(struct copier){.ctx = ctx}, &answer->rows);
        rt_struct_copy(rows, &copy);
    }
    use_up(place);
    return result;
}
