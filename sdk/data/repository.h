/* repository.h — what the files of the repositories share: a call, drafts of statements, values
 *
 * Ownership: drafts and their values live in the memory of the call's context. What is kept of a
 * table (names of spans, texts of statements that never change) is made on first use, by the
 * thread of the loop alone, and stays for the life of the process.
 */
#ifndef RT_DATA_REPOSITORY_H
#define RT_DATA_REPOSITORY_H

#include <rt/cap/sql.h>
#include <rt/rt.h>
#include <stdbool.h>

/* X(name): an operation, as its span has it. */
#define RT_OPERATIONS(X) \
    X(insert)            \
    X(insert_many)       \
    X(update)            \
    X(save)              \
    X(find)              \
    X(find_many)         \
    X(exists)            \
    X(count)             \
    X(first)             \
    X(all)               \
    X(page)              \
    X(scroll)            \
    X(delete)            \
    X(delete_many)       \
    X(restore)           \
    X(purge)
#define RT_OPERATION_ENUM_(name_) RT_OPERATION_##name_,
enum rt_table_operation { RT_OPERATIONS(RT_OPERATION_ENUM_) RT_OPERATION_COUNT };

/* Statements whose text is the table's alone. */
enum rt_table_text {
    RT_TEXT_INSERT,
    RT_TEXT_UPDATE,
    RT_TEXT_SAVE,
    RT_TEXT_FIND,
    RT_TEXT_EXISTS,
    RT_TEXT_GET_VERSION,
    RT_TEXT_DELETE,
    RT_TEXT_RESTORE,
    RT_TEXT_PURGE,
    RT_TEXT_LOCK,     /* with a shadow: what is moved stays as it is until it was moved */
    RT_TEXT_MOVE_OUT, /* into the shadow */
    RT_TEXT_ERASE,    /* what was moved out */
    RT_TEXT_MOVE_BACK,
    RT_TEXT_ERASE_SHADOW,
    RT_TEXT_COUNT,
};

typedef struct rt_table_kept {
    char *spans[RT_OPERATION_COUNT];
    char *texts[RT_TEXT_COUNT];
} rt_table_kept;

/* --- columns ---------------------------------------------------------------------------------- */

#define RT_COLUMN_DELETED (RT_COLUMN_DELETED_AT | RT_COLUMN_DELETED_BY)

/* Those columns of a table that have one of the flags `any` (0: all), and none of `none`. */
typedef struct rt_column_set {
    uint32_t any, none;
} rt_column_set;

static inline bool rt_column_in(const rt_column *column, rt_column_set set)
{
    return (!set.any || column->flags & set.any) && !(column->flags & set.none);
}

#define RT_SET_KEY ((rt_column_set){RT_COLUMN_KEY, 0})
#define RT_SET_INSERTED ((rt_column_set){0, RT_COLUMN_DELETED})
#define RT_SET_UPDATED                                                             \
    ((rt_column_set){0, RT_COLUMN_KEY | RT_COLUMN_VERSION | RT_COLUMN_CREATED_AT | \
                            RT_COLUMN_CREATED_BY | RT_COLUMN_DELETED})
/* What save does not know before. */
#define RT_SET_SAVED  \
    ((rt_column_set){ \
        RT_COLUMN_KEY | RT_COLUMN_VERSION | RT_COLUMN_CREATED_AT | RT_COLUMN_CREATED_BY, 0})

/* What is read of live rows, or of deleted ones. */
static inline rt_column_set rt_set_read(const rt_table *table, bool deleted)
{
    return (rt_column_set){0, table->shadow && !deleted ? RT_COLUMN_DELETED : 0};
}

/* Its first column with such a flag, or NULL. */
const rt_column *rt_column_with(const rt_table *table, uint32_t flag);

/* Its column at that offset of the row, or NULL. */
const rt_column *rt_column_at(const rt_table *table, uint32_t offset);

/* Deleted rows stay in the table, marked. */
static inline const rt_column *rt_soft_column(const rt_table *table)
{
    return table->shadow ? NULL : rt_column_with(table, RT_COLUMN_DELETED_AT);
}

/* --- rows ------------------------------------------------------------------------------------- */

static inline void *rt_member(const void *row, const rt_column *column)
{
    return (char *)(uintptr_t)row + column->offset;
}

static inline const void *rt_row_at(const rt_table *table, const void *rows, uint64_t index)
{
    return (const char *)rows + index * table->row_size;
}

/* The value of type `column->type` that stands at `member`; pointers that are NULL are null. */
rt_sql_value rt_member_value(const rt_column *column, const void *member);

/* The same of a row, where `<name>_null` counts too. */
rt_sql_value rt_column_value(const rt_column *column, const void *row);

/* Refuses null where there is none, and ids of another type. */
int rt_value_check(rt_ctx *ctx, const rt_table *table, const rt_column *column,
                   const rt_sql_value *value);

/* Writes what insert, and what update, makes into a row. */
void rt_row_stamp_new(rt_ctx *ctx, const rt_table *table, void *row);
void rt_row_stamp(rt_ctx *ctx, const rt_table *table, void *row);

/* Row `index` of a result whose columns are those of the set. */
int rt_row_read(rt_ctx *ctx, const rt_table *table, rt_column_set set, const rt_sql_rows *rows,
                uint64_t index, void *row);

/* By their keys: negative, 0 or positive. */
int rt_key_compare(const rt_table *table, const void *left, const void *right);

/* --- a call ----------------------------------------------------------------------------------- */

typedef struct rt_call {
    rt_ctx *ctx;
    struct rt_sql_slot *sql;
    const rt_table *table;
    rt_span *span;
} rt_call;

rt_call rt_call_begin(rt_ctx *ctx, struct rt_sql_slot *sql, const rt_table *table,
                      enum rt_table_operation operation);

/* "OrderRepo.operation", for the life of the process. */
char *rt_span_name(rt_ctx *ctx, const rt_table *table, const char *operation);

/* Returns `result`. */
static inline int rt_call_end(const rt_call *call, int result)
{
    return rt_span_finish(call->ctx, call->span, result);
}

/* -RT_ENOT_FOUND, naming the key's id. */
int rt_call_not_found(const rt_call *call, const void *key);

/* --- drafts: a statement that is being written -------------------------------------------------
 */

typedef struct rt_draft {
    rt_ctx *ctx;
    const rt_table *table;
    char *text;
    uint64_t length, room;
    rt_sql_value *values;
    uint32_t value_count, value_room;
    uint32_t places; /* `$n` that were written; each value has one */
    uint32_t keys;   /* of rt_draft_write */
} rt_draft;

static inline rt_draft rt_draft_of(const rt_call *call)
{
    return (rt_draft){.ctx = call->ctx, .table = call->table};
}

void rt_draft_text(rt_draft *draft, const char *text);
void rt_draft_name(rt_draft *draft, const char *name); /* in quotes; a dot parts schema and name */
void rt_draft_place(rt_draft *draft);
void rt_draft_push(rt_draft *draft, rt_sql_value value);
void rt_draft_value(rt_draft *draft, rt_sql_value value); /* a place and its value */

/* How each column of a list is written. */
enum rt_list_style {
    RT_LIST_NAMES,    /* "a", "b" */
    RT_LIST_PLACES,   /* $1, $2 */
    RT_LIST_SET,      /* "a" = $1, "b" = $2 */
    RT_LIST_MATCH,    /* "a" = $1 AND "b" = $2 */
    RT_LIST_EXCLUDED, /* "a" = excluded."a", "b" = excluded."b" */
};
/* Returns how many they were. */
uint32_t rt_draft_list(rt_draft *draft, rt_column_set set, enum rt_list_style style);

/* The values of those columns, checked, without their places. */
int rt_draft_row(rt_draft *draft, rt_column_set set, const void *row);

/* INSERT INTO … VALUES, with as many rows of places. */
void rt_draft_insert(rt_draft *draft, uint64_t rows);

/* `("a" = $1 AND "b" = $2 OR …)`, or `("a" IN ($1, …))`, for so many keys. Their number is rounded
 * up to a power of two, so that there are few different texts: the last key fills up. */
enum { RT_KEYS_MOST = 256 };
void rt_draft_keys(rt_draft *draft, uint64_t keys);
uint64_t rt_keys_rounded(uint64_t keys);

/* The values for the keys of `count` rows. */
int rt_draft_push_keys(rt_draft *draft, const void *rows, uint64_t count);

/* Writes such a statement; for `draft->keys` rows instead of one, if that is not 0. */
void rt_draft_write(rt_draft *draft, enum rt_table_text text);

/* The text of a statement, made once. */
const char *rt_kept_text(const rt_call *call, enum rt_table_text text);
char *rt_keep_text(rt_ctx *ctx, const char *text);
rt_table_kept *rt_kept(rt_ctx *ctx, const rt_table *table);

/* Asks for `text` with the draft's values. `affected` may be NULL. */
int rt_call_exec(const rt_call *call, const char *text, const rt_draft *draft, uint64_t *affected);
int rt_call_query(const rt_call *call, uint32_t flags, const char *text, const rt_draft *draft,
                  rt_sql_rows *rows);

/* --- rows that are selected --------------------------------------------------------------------
 */

/* ` WHERE …`, or nothing. */
int rt_draft_where(rt_draft *draft, const rt_call *call, const rt_selection *selection);

/* Every column the rows are ordered by, those of the key last. */
typedef struct rt_order_by {
    const rt_column *column;
    bool descending;
} rt_order_by;
typedef struct rt_ordered {
    const rt_order_by *by;
    uint32_t count;
} rt_ordered;
int rt_ordered_of(const rt_call *call, const rt_selection *selection, rt_ordered *ordered);
void rt_draft_order(rt_draft *draft, rt_ordered ordered);

/* `SELECT columns FROM table`, or the shadow. */
void rt_draft_select(rt_draft *draft, bool deleted);

/* All rows of the draft's statement. */
int rt_call_rows(const rt_call *call, uint32_t flags, const rt_draft *draft, bool deleted,
                 rt_rows_found *found);

/* A cursor of the place after a row, and back into values, one for each column of the order. */
const char *rt_cursor_make(const rt_call *call, rt_ordered ordered, const void *row);
int rt_cursor_read(const rt_call *call, rt_ordered ordered, const char *cursor,
                   rt_sql_value *values);

#endif
