/* rt/table.h — a table declared once: its row, its binding, its repository
 *
 * The list of columns is a macro of two parameters: what the columns of the key are written with,
 * and what all others are. Each line has a type and a name.
 *
 *     #include <rt/cap/sql.h>
 *
 *     #define ORDER_COLUMNS(KEY, COLUMN)              \
 *         KEY(id, id, "ord")                          \
 *         COLUMN(text, sku)                           \
 *         COLUMN(int, quantity)                       \
 *         COLUMN(text_or_null, note)                  \
 *         COLUMN(created_at, created_at)              \
 *         COLUMN(created_by, created_by)              \
 *         COLUMN(deleted_at, deleted_at)              \
 *         COLUMN(version, version)
 *     RT_TABLE(order, "orders", ORDER_COLUMNS)
 *     RT_LOOKUP(order, by_sku, sku)
 *
 *     struct order tea = {.sku = "tea", .quantity = 2}, found;
 *     RT_TRY(order_insert(ctx, sql, &tea));          // tea.id is "ord_01k…", tea.version 1
 *     RT_TRY(order_find(ctx, sql, tea.id, &found));  // -RT_ENOT_FOUND if there is none
 *     found.quantity = 3;
 *     RT_TRY(order_update(ctx, sql, &found));        // -RT_EABORTED if somebody was faster
 *     RT_TRY(order_by_sku(ctx, sql, "tea", &found));
 *     RT_TRY(order_delete(ctx, sql, tea.id));        // softly: order_restore brings it back
 *
 * Types of columns, their members, and what they are in the database:
 *     int     int64_t       bigint, integer      text    const char *  text
 *     double  double        double precision     uuid    const char *  uuid
 *     bool    bool          boolean              json    const char *  jsonb
 *     time    int64_t       timestamptz          bytes   rt_str        bytea
 *     id      const char *  text: a typed id (rt/id.h), with its prefix; insert makes it
 *     ref     const char *  text: the id of another table's row, with its prefix
 *     version     int64_t   bigint: counts updates, from 1; they are refused where it moved on
 *     created_at, updated_at, deleted_at     as time and time_or_null: stamped
 *     created_by, updated_by, deleted_by     as text_or_null: stamped
 * Those of the first nine, and `ref`, that may be null are written `text_or_null`, …: a pointer (or
 * the data of bytes) is NULL then, and for a number a member `discount_null` stands after
 * `discount`. What else is NULL is refused.
 *
 * RT_TABLE yields `struct order`, `struct order_key` (the members of the key), `struct order_page`
 * (rows found), the descriptor `order_table`, which rt_slice_register takes, and these functions.
 * `key…` stands for one parameter a column of the key; `selection` is of rt/selection.h, NULL:
 * every row.
 *
 *   order_insert(ctx, sql, row)      stamps id (unless it is set), created, updated, version 1
 *   order_insert_many(ctx, sql, rows, count)    all of them or none
 *   order_update(ctx, sql, row)      where key and version are the row's; stamps updated, version.
 *                      -RT_EABORTED: the version is another (domain VERSION_CONFLICT);
 *                      -RT_ENOT_FOUND: it is gone
 *   order_save(ctx, sql, row)        inserts, or updates what has its key: the last one wins.
 *                      -RT_EFAILED_PRECONDITION: that one is deleted
 *   order_find(ctx, sql, key…, row)
 *   order_find_many(ctx, sql, keys, count, found)
 *                      found[i], an array of the caller's, belongs to keys[i]; NULL: none
 *   order_exists(ctx, sql, key…)     1 or 0
 *   order_count(ctx, sql, selection, count)
 *   order_first(ctx, sql, selection, row)
 *   order_all(ctx, sql, selection, page)        for what fits in memory
 *   order_page(ctx, sql, selection, page)       page `number`, with total and pages
 *   order_scroll(ctx, sql, selection, page)     the rows after the cursor `after`
 *                      `next` is the cursor of those after them, NULL: there are none. Steady
 *                      while rows come and go. A cursor shows the values it was made of
 *   order_delete(ctx, sql, key…)
 *   order_delete_many(ctx, sql, keys, count, deleted)   those of them that there were
 *   order_restore(ctx, sql, key…)
 *   order_purge(ctx, sql, before, purged)       for good, what was deleted before that time
 *
 * Soft delete: with a column `deleted_at` order_delete only marks the row, and nothing but
 * restore, purge and a selection with `.deleted = true` sees it again. RT_TABLE_WITH_SHADOW moves
 * it into the table `orders_deleted` instead, in one transaction; the deleted_… columns are that
 * table's alone, all others it has as `orders` has them. There a deleted key can be used again, and
 * the row deleted last replaces an older one of the same key. Delete and restore count as updates.
 * Without `deleted_at` a delete is for good.
 *
 * Stamps: the time and the actor of rt/stamp.h. Without an actor created_by and updated_by are
 * what the row says, and deleted_by is null. What insert stamps is in the row even if it fails.
 *
 * Ownership: a row is the caller's struct; what a found one points to lives as long as the unit of
 * work of `ctx`: inside of rt_sql_tx, until that ends. Waiting: all of it waits. All of it belongs
 * to the ambient transaction, if there is one.
 * Errors: -RT_ENOT_FOUND where no row matches; -RT_EINVALID_ARGUMENT for an id of another type or
 * NULL in a column that has none, both before the database is asked; -RT_EINTERNAL where a column
 * comes with another type than declared; otherwise those of sql/1, such as -RT_EALREADY_EXISTS.
 * Spans: `OrderRepo.insert` and so on. Part of librt-data, which rt-sdk.pc links.
 */
#ifndef RT_TABLE_H
#define RT_TABLE_H

#include <rt/abi.h>
#include <rt/context.h>
#include <rt/id.h>
#include <rt/module.h>
#include <rt/selection.h>
#include <rt/stamp.h>
#include <stdbool.h>

enum rt_column_flags {
    RT_COLUMN_KEY = 1,      /* of the primary key; several make a composite one */
    RT_COLUMN_NULLABLE = 2, /* NULL and null are the same; numbers have a member `<name>_null` */
    RT_COLUMN_ID = 4,       /* typed id with a prefix, made by insert where it is empty */
    RT_COLUMN_VERSION = 8,  /* counts updates: optimistic locking */
    RT_COLUMN_CREATED_AT = 16,
    RT_COLUMN_UPDATED_AT = 32,
    RT_COLUMN_DELETED_AT = 64, /* soft delete by a column; with a shadow, a column of that alone */
    RT_COLUMN_CREATED_BY = 128,
    RT_COLUMN_UPDATED_BY = 256,
    RT_COLUMN_DELETED_BY = 512, /* as deleted_at */
};

/* An array element: it never grows. */
typedef struct rt_column {
    const char *name;
    uint32_t type;      /* rt_sql_type of rt/cap/sql.h */
    uint32_t flags;     /* rt_column_flags */
    uint32_t offset;    /* of its member in the row */
    uint32_t null_step; /* from there to `<name>_null`; 0: it has none */
    const char *prefix; /* of a typed id: "ord" */
} rt_column;

typedef struct rt_table {
    uint32_t size;
    uint32_t column_count;
    const char *name;
    const char *type; /* of the row: "order" */
    const rt_column *columns;
    uint64_t row_size;
    const char *shadow;         /* soft delete into this table; NULL: by column, or not soft */
    struct rt_table_kept **own; /* what librt-data keeps of it */
} rt_table;

/* --- what the functions of a table call ------------------------------------------------------ */

struct rt_sql_slot;

typedef struct rt_rows_found {
    void *rows;
    uint64_t count, total, pages;
    const char *next;
} rt_rows_found;

typedef struct rt_lookup {
    const rt_table *table;
    const char *name;
    const uint32_t *columns; /* offsets */
    uint32_t column_count;
    uint32_t several;
    char *text; /* of its statement, once it was made */
    char *span;
} rt_lookup;

/* `row` and `key` are rows of the table; of a key its columns alone are read. find_many fills the
 * rows at `keys`, and `found`, an array of pointers to them. */
int rt_table_insert(rt_ctx *ctx, struct rt_sql_slot *sql, const rt_table *table, void *row);
int rt_table_insert_many(rt_ctx *ctx, struct rt_sql_slot *sql, const rt_table *table, void *rows,
                         uint64_t count);
int rt_table_update(rt_ctx *ctx, struct rt_sql_slot *sql, const rt_table *table, void *row);
int rt_table_save(rt_ctx *ctx, struct rt_sql_slot *sql, const rt_table *table, void *row);
int rt_table_find(rt_ctx *ctx, struct rt_sql_slot *sql, const rt_table *table, const void *key,
                  void *row);
int rt_table_find_many(rt_ctx *ctx, struct rt_sql_slot *sql, const rt_table *table, void *keys,
                       uint64_t count, void *found);
int rt_table_exists(rt_ctx *ctx, struct rt_sql_slot *sql, const rt_table *table, const void *key);
int rt_table_count(rt_ctx *ctx, struct rt_sql_slot *sql, const rt_table *table,
                   const rt_selection *selection, uint64_t *count);
int rt_table_first(rt_ctx *ctx, struct rt_sql_slot *sql, const rt_table *table,
                   const rt_selection *selection, void *row);
int rt_table_all(rt_ctx *ctx, struct rt_sql_slot *sql, const rt_table *table,
                 const rt_selection *selection, rt_rows_found *found);
int rt_table_page(rt_ctx *ctx, struct rt_sql_slot *sql, const rt_table *table,
                  const rt_selection *selection, rt_rows_found *found);
int rt_table_scroll(rt_ctx *ctx, struct rt_sql_slot *sql, const rt_table *table,
                    const rt_selection *selection, rt_rows_found *found);
int rt_table_delete(rt_ctx *ctx, struct rt_sql_slot *sql, const rt_table *table, const void *key);
int rt_table_delete_many(rt_ctx *ctx, struct rt_sql_slot *sql, const rt_table *table,
                         const void *keys, uint64_t count, uint64_t *deleted);
int rt_table_restore(rt_ctx *ctx, struct rt_sql_slot *sql, const rt_table *table, const void *key);
int rt_table_purge(rt_ctx *ctx, struct rt_sql_slot *sql, const rt_table *table, int64_t before,
                   uint64_t *purged);
int rt_table_look_up(rt_ctx *ctx, struct rt_sql_slot *sql, rt_lookup *lookup, const void *key,
                     void *row);
int rt_table_look_up_all(rt_ctx *ctx, struct rt_sql_slot *sql, rt_lookup *lookup, const void *key,
                         rt_rows_found *found);

/* --- types of columns ------------------------------------------------------------------------ */

/* M(type of the member, rt_sql_type, flags, what follows the member, a prefix, …) */
#define RT_ALONE_(name_)
#define RT_OR_NULL_(name_) bool name_##_null;
#define RT_VALUE_(M, c_, sql_, flags_, ...) M(c_, sql_, flags_, RT_ALONE_, 0, __VA_ARGS__)
#define RT_NUMBER_(M, c_, sql_, flags_, ...) \
    M(c_, sql_, RT_COLUMN_NULLABLE | (flags_), RT_OR_NULL_, 0, __VA_ARGS__)
#define RT_POINTER_(M, c_, sql_, flags_, ...) \
    M(c_, sql_, RT_COLUMN_NULLABLE | (flags_), RT_ALONE_, 0, __VA_ARGS__)
#define RT_PREFIXED_(M, flags_, ...) M(const char *, RT_SQL_TEXT, flags_, RT_ALONE_, 1, __VA_ARGS__)

#define RT_COLUMN_int(M, ...) RT_VALUE_(M, int64_t, RT_SQL_INT, 0, __VA_ARGS__)
#define RT_COLUMN_double(M, ...) RT_VALUE_(M, double, RT_SQL_DOUBLE, 0, __VA_ARGS__)
#define RT_COLUMN_bool(M, ...) RT_VALUE_(M, bool, RT_SQL_BOOL, 0, __VA_ARGS__)
#define RT_COLUMN__Bool(M, ...) RT_VALUE_(M, bool, RT_SQL_BOOL, 0, __VA_ARGS__)
#define RT_COLUMN_time(M, ...) RT_VALUE_(M, int64_t, RT_SQL_TIME, 0, __VA_ARGS__)
#define RT_COLUMN_text(M, ...) RT_VALUE_(M, const char *, RT_SQL_TEXT, 0, __VA_ARGS__)
#define RT_COLUMN_uuid(M, ...) RT_VALUE_(M, const char *, RT_SQL_UUID, 0, __VA_ARGS__)
#define RT_COLUMN_json(M, ...) RT_VALUE_(M, const char *, RT_SQL_JSON, 0, __VA_ARGS__)
#define RT_COLUMN_bytes(M, ...) RT_VALUE_(M, rt_str, RT_SQL_BYTES, 0, __VA_ARGS__)
#define RT_COLUMN_int_or_null(M, ...) RT_NUMBER_(M, int64_t, RT_SQL_INT, 0, __VA_ARGS__)
#define RT_COLUMN_double_or_null(M, ...) RT_NUMBER_(M, double, RT_SQL_DOUBLE, 0, __VA_ARGS__)
#define RT_COLUMN_bool_or_null(M, ...) RT_NUMBER_(M, bool, RT_SQL_BOOL, 0, __VA_ARGS__)
#define RT_COLUMN_time_or_null(M, ...) RT_NUMBER_(M, int64_t, RT_SQL_TIME, 0, __VA_ARGS__)
#define RT_COLUMN_text_or_null(M, ...) RT_POINTER_(M, const char *, RT_SQL_TEXT, 0, __VA_ARGS__)
#define RT_COLUMN_uuid_or_null(M, ...) RT_POINTER_(M, const char *, RT_SQL_UUID, 0, __VA_ARGS__)
#define RT_COLUMN_json_or_null(M, ...) RT_POINTER_(M, const char *, RT_SQL_JSON, 0, __VA_ARGS__)
#define RT_COLUMN_bytes_or_null(M, ...) RT_POINTER_(M, rt_str, RT_SQL_BYTES, 0, __VA_ARGS__)
#define RT_COLUMN_id(M, ...) RT_PREFIXED_(M, RT_COLUMN_ID, __VA_ARGS__)
#define RT_COLUMN_ref(M, ...) RT_PREFIXED_(M, 0, __VA_ARGS__)
#define RT_COLUMN_ref_or_null(M, ...) RT_PREFIXED_(M, RT_COLUMN_NULLABLE, __VA_ARGS__)

#define RT_STAMPED_AT_(M, flags_, ...) RT_VALUE_(M, int64_t, RT_SQL_TIME, flags_, __VA_ARGS__)
#define RT_STAMPED_BY_(M, flags_, ...) \
    RT_POINTER_(M, const char *, RT_SQL_TEXT, flags_, __VA_ARGS__)
#define RT_COLUMN_version(M, ...) RT_VALUE_(M, int64_t, RT_SQL_INT, RT_COLUMN_VERSION, __VA_ARGS__)
#define RT_COLUMN_created_at(M, ...) RT_STAMPED_AT_(M, RT_COLUMN_CREATED_AT, __VA_ARGS__)
#define RT_COLUMN_updated_at(M, ...) RT_STAMPED_AT_(M, RT_COLUMN_UPDATED_AT, __VA_ARGS__)
#define RT_COLUMN_deleted_at(M, ...) \
    RT_NUMBER_(M, int64_t, RT_SQL_TIME, RT_COLUMN_DELETED_AT, __VA_ARGS__)
#define RT_COLUMN_created_by(M, ...) RT_STAMPED_BY_(M, RT_COLUMN_CREATED_BY, __VA_ARGS__)
#define RT_COLUMN_updated_by(M, ...) RT_STAMPED_BY_(M, RT_COLUMN_UPDATED_BY, __VA_ARGS__)
#define RT_COLUMN_deleted_by(M, ...) RT_STAMPED_BY_(M, RT_COLUMN_DELETED_BY, __VA_ARGS__)

/* --- what RT_TABLE makes of a list of columns ------------------------------------------------- */

#define RT_SKIP_(...)
#define RT_MEMBER_(type_, name_, ...) RT_COLUMN_##type_(RT_MEMBER_AS_, name_)
#define RT_MEMBER_AS_(c_, sql_, flags_, null_, prefixed_, name_) \
    c_ name_;                                                    \
    null_(name_)
#define RT_KEY_PARAMETER_(type_, name_, ...) RT_COLUMN_##type_(RT_PARAMETER_AS_, name_)
#define RT_PARAMETER_AS_(c_, sql_, flags_, null_, prefixed_, name_) , c_ name_
#define RT_KEY_VALUE_(type_, name_, ...) .name_ = name_,
#define RT_KEY_COPY_(type_, name_, ...) .name_ = keys_[i_].name_,

#define RT_JUDGE_(type_, name_, ...) RT_COLUMN_##type_(RT_JUDGE_AS_, name_, ##__VA_ARGS__)
#define RT_JUDGE_AS_(c_, sql_, flags_, null_, prefixed_, name_, ...)                        \
    _Static_assert(sizeof((const char *const[]){"", ##__VA_ARGS__}) / sizeof(char *) - 1 == \
                       (prefixed_),                                                         \
                   "column `" #name_ "`: a prefix is what `id` and `ref` have, and nothing else");
#define RT_JUDGE_KEY_(type_, name_, ...)   \
    RT_JUDGE_(type_, name_, ##__VA_ARGS__) \
    RT_COLUMN_##type_(RT_JUDGE_KEY_AS_, name_)
#define RT_JUDGE_KEY_AS_(c_, sql_, flags_, null_, prefixed_, name_)      \
    _Static_assert(!((flags_) & ~RT_COLUMN_ID) && (sql_) != RT_SQL_JSON, \
                   "column `" #name_ "` cannot be of a key");
#define RT_ONE_MORE_(...) +1
#define RT_SOFT_(type_, name_, ...) RT_COLUMN_##type_(RT_SOFT_AS_, name_)
#define RT_SOFT_AS_(c_, sql_, flags_, null_, prefixed_, name_) \
    +(((flags_)&RT_COLUMN_DELETED_AT) != 0)

/* A line of the list does not know its table: what is put before it begins the initializer, up to
 * the member of offsetof, and the line ends it. */
#define RT_BEGIN_KEY_(name_) \
    {.offset = __builtin_offsetof(struct name_, RT_COMPLETE_KEY_
#define RT_BEGIN_(name_) \
    {.offset = __builtin_offsetof(struct name_, RT_COMPLETE_
#define RT_COMPLETE_(type_, name_, ...) \
    name_), RT_COLUMN_##type_(RT_COMPLETE_AS_, 0, name_, ##__VA_ARGS__)
#define RT_COMPLETE_KEY_(type_, name_, ...) \
    name_), RT_COLUMN_##type_(RT_COMPLETE_AS_, RT_COLUMN_KEY, name_, ##__VA_ARGS__)
#define RT_COMPLETE_AS_(c_, sql_, flags_, null_, prefixed_, more_, name_, ...)          \
    .name = #name_, .type = (sql_), .flags = (flags_) | (more_),                        \
    .null_step = ((flags_)&RT_COLUMN_NULLABLE) && RT_IS_NUMBER_(sql_) ? sizeof(c_) : 0, \
    .prefix = RT_PREFIX_(~, ##__VA_ARGS__, NULL)                                        \
    }                                                                                   \
    ,
#define RT_IS_NUMBER_(sql_)                                                      \
    ((sql_) == RT_SQL_INT || (sql_) == RT_SQL_DOUBLE || (sql_) == RT_SQL_BOOL || \
     (sql_) == RT_SQL_TIME)
#define RT_PREFIX_(a_, b_, ...) b_

#define RT_DESCRIPTOR_(name_, table_, has_shadow_, columns_)                                       \
    struct name_ {                                                                                 \
        columns_(RT_MEMBER_, RT_MEMBER_)                                                           \
    };                                                                                             \
    struct name_##_key {                                                                           \
        columns_(RT_MEMBER_, RT_SKIP_)                                                             \
    };                                                                                             \
    struct name_##_page {                                                                          \
        struct name_ *rows;                                                                        \
        uint64_t count;   /* of them */                                                            \
        uint64_t total;   /* by page: rows that match */                                           \
        uint64_t pages;   /* by page: as many pages do they fill */                                \
        const char *next; /* by scroll: the cursor of what follows, or NULL */                     \
    };                                                                                             \
    columns_(RT_JUDGE_KEY_, RT_JUDGE_) _Static_assert((0 columns_(RT_ONE_MORE_, RT_SKIP_)) > 0,    \
                                                      "table " table_ " has no key");              \
    _Static_assert((0 columns_(RT_SKIP_, RT_SOFT_)) == 1 ||                                        \
                       (!(has_shadow_) && (0 columns_(RT_SKIP_, RT_SOFT_)) == 0),                  \
                   "table " table_ " has two columns `deleted_at`, or a shadow and none");         \
    static const rt_column name_##_columns[] = {columns_(RT_BEGIN_KEY_(name_), RT_BEGIN_(name_))}; \
    static struct rt_table_kept *name_##_kept;                                                     \
    RT_UNUSED static const rt_table name_##_table = {                                              \
        .size = sizeof(rt_table),                                                                  \
        .column_count = sizeof name_##_columns / sizeof name_##_columns[0],                        \
        .name = table_,                                                                            \
        .type = #name_,                                                                            \
        .columns = name_##_columns,                                                                \
        .row_size = sizeof(struct name_),                                                          \
        .shadow = (has_shadow_) ? table_ "_deleted" : NULL,                                        \
        .own = &name_##_kept};

/* --- the functions of a table ---------------------------------------------------------------- */

#define RT_CALL_(name_, operation_, ...)                                                     \
    RT_UNUSED static inline int name_##_##operation_(rt_ctx *ctx_, struct rt_sql_slot *sql_, \
                                                     ##__VA_ARGS__)

#define RT_ROW_CALL_(name_, operation_)                                 \
    RT_CALL_(name_, operation_, struct name_ *row_)                     \
    {                                                                   \
        return rt_table_##operation_(ctx_, sql_, &name_##_table, row_); \
    }

#define RT_KEY_CALL_(name_, operation_, columns_)                                     \
    RT_UNUSED static inline int name_##_##operation_(                                 \
        rt_ctx *ctx_, struct rt_sql_slot *sql_ columns_(RT_KEY_PARAMETER_, RT_SKIP_)) \
    {                                                                                 \
        const struct name_ key_ = {columns_(RT_KEY_VALUE_, RT_SKIP_)};                \
        return rt_table_##operation_(ctx_, sql_, &name_##_table, &key_);              \
    }

#define RT_PAGE_CALL_(name_, operation_)                                                      \
    RT_CALL_(name_, operation_, const rt_selection *selection_, struct name_##_page *page_)   \
    {                                                                                         \
        rt_rows_found found_ = {0};                                                           \
        int result_ = rt_table_##operation_(ctx_, sql_, &name_##_table, selection_, &found_); \
        *page_ = RT_PAGE_OF_(name_, found_);                                                  \
        return result_;                                                                       \
    }
#define RT_PAGE_OF_(name_, found_)                                                     \
    (struct name_##_page)                                                              \
    {                                                                                  \
        (struct name_ *)(found_).rows, (found_).count, (found_).total, (found_).pages, \
            (found_).next                                                              \
    }

#define RT_FIND_CALLS_(name_, columns_)                                                       \
    RT_UNUSED static inline int name_##_find(                                                 \
        rt_ctx *ctx_, struct rt_sql_slot *sql_ columns_(RT_KEY_PARAMETER_, RT_SKIP_),         \
        struct name_ *row_)                                                                   \
    {                                                                                         \
        const struct name_ key_ = {columns_(RT_KEY_VALUE_, RT_SKIP_)};                        \
        return rt_table_find(ctx_, sql_, &name_##_table, &key_, row_);                        \
    }                                                                                         \
    RT_UNUSED static inline struct name_ *name_##_of_keys_(                                   \
        rt_ctx *ctx_, const struct name_##_key *keys_, uint64_t count_)                       \
    {                                                                                         \
        struct name_ *rows_ = (struct name_ *)rt_alloc(ctx_, sizeof *rows_ * count_);         \
        for (uint64_t i_ = 0; i_ < count_; i_++)                                              \
            rows_[i_] = (struct name_){columns_(RT_KEY_COPY_, RT_SKIP_)};                     \
        return rows_;                                                                         \
    }                                                                                         \
    RT_CALL_(name_, find_many, const struct name_##_key *keys_, uint64_t count_,              \
             struct name_ **found_)                                                           \
    {                                                                                         \
        return rt_table_find_many(ctx_, sql_, &name_##_table,                                 \
                                  name_##_of_keys_(ctx_, keys_, count_), count_, found_);     \
    }                                                                                         \
    RT_CALL_(name_, delete_many, const struct name_##_key *keys_, uint64_t count_,            \
             uint64_t *deleted_)                                                              \
    {                                                                                         \
        return rt_table_delete_many(ctx_, sql_, &name_##_table,                               \
                                    name_##_of_keys_(ctx_, keys_, count_), count_, deleted_); \
    }

#define RT_OTHER_CALLS_(name_)                                                  \
    RT_CALL_(name_, insert_many, struct name_ *rows_, uint64_t count_)          \
    {                                                                           \
        return rt_table_insert_many(ctx_, sql_, &name_##_table, rows_, count_); \
    }                                                                           \
    RT_CALL_(name_, count, const rt_selection *selection_, uint64_t *count_)    \
    {                                                                           \
        return rt_table_count(ctx_, sql_, &name_##_table, selection_, count_);  \
    }                                                                           \
    RT_CALL_(name_, first, const rt_selection *selection_, struct name_ *row_)  \
    {                                                                           \
        return rt_table_first(ctx_, sql_, &name_##_table, selection_, row_);    \
    }                                                                           \
    RT_CALL_(name_, purge, int64_t before_, uint64_t *purged_)                  \
    {                                                                           \
        return rt_table_purge(ctx_, sql_, &name_##_table, before_, purged_);    \
    }

#define RT_TABLE_(name_, table_, has_shadow_, columns_)  \
    RT_DESCRIPTOR_(name_, table_, has_shadow_, columns_) \
    RT_ROW_CALL_(name_, insert)                          \
    RT_ROW_CALL_(name_, update)                          \
    RT_ROW_CALL_(name_, save)                            \
    RT_KEY_CALL_(name_, exists, columns_)                \
    RT_KEY_CALL_(name_, delete, columns_)                \
    RT_KEY_CALL_(name_, restore, columns_)               \
    RT_PAGE_CALL_(name_, all)                            \
    RT_PAGE_CALL_(name_, page)                           \
    RT_PAGE_CALL_(name_, scroll)                         \
    RT_FIND_CALLS_(name_, columns_)                      \
    RT_OTHER_CALLS_(name_)

#define RT_TABLE(name_, table_, columns_) RT_TABLE_(name_, table_, 0, columns_)
#define RT_TABLE_WITH_SHADOW(name_, table_, columns_) RT_TABLE_(name_, table_, 1, columns_)

/* --- look-ups -------------------------------------------------------------------------------- */

/* RT_LOOKUP(order, by_sku, sku): order_by_sku(ctx, sql, sku, row) finds the row of these values of
 * up to four columns; of several the one with the lowest key. -RT_ENOT_FOUND without one.
 * RT_LOOKUP_ALL(order, all_of, customer): order_all_of(ctx, sql, customer, page) finds all of them,
 * ordered by key, which may be none. */
#define RT_LOOKUP(name_, lookup_, ...)                                                             \
    RT_LOOKUP_DECLARED_(name_, lookup_, 0, __VA_ARGS__)                                            \
    RT_UNUSED static inline int name_##_##lookup_(                                                 \
        rt_ctx *ctx_, struct rt_sql_slot *sql_ RT_EACH_(RT_LOOKUP_PARAMETER_, name_, __VA_ARGS__), \
        struct name_ *row_)                                                                        \
    {                                                                                              \
        const struct name_ key_ = {RT_EACH_(RT_LOOKUP_VALUE_, name_, __VA_ARGS__)};                \
        return rt_table_look_up(ctx_, sql_, &name_##_##lookup_##_lookup, &key_, row_);             \
    }
#define RT_LOOKUP_ALL(name_, lookup_, ...)                                                         \
    RT_LOOKUP_DECLARED_(name_, lookup_, 1, __VA_ARGS__)                                            \
    RT_UNUSED static inline int name_##_##lookup_(                                                 \
        rt_ctx *ctx_, struct rt_sql_slot *sql_ RT_EACH_(RT_LOOKUP_PARAMETER_, name_, __VA_ARGS__), \
        struct name_##_page *page_)                                                                \
    {                                                                                              \
        const struct name_ key_ = {RT_EACH_(RT_LOOKUP_VALUE_, name_, __VA_ARGS__)};                \
        rt_rows_found found_ = {0};                                                                \
        int result_ =                                                                              \
            rt_table_look_up_all(ctx_, sql_, &name_##_##lookup_##_lookup, &key_, &found_);         \
        *page_ = RT_PAGE_OF_(name_, found_);                                                       \
        return result_;                                                                            \
    }

#define RT_LOOKUP_DECLARED_(name_, lookup_, several_, ...)                     \
    static const uint32_t name_##_##lookup_##_columns[] = {                    \
        RT_EACH_(RT_LOOKUP_OFFSET_, name_, __VA_ARGS__)};                      \
    static rt_lookup name_##_##lookup_##_lookup = {                            \
        .table = &name_##_table,                                               \
        .name = #lookup_,                                                      \
        .columns = name_##_##lookup_##_columns,                                \
        .column_count = sizeof name_##_##lookup_##_columns / sizeof(uint32_t), \
        .several = (several_)};
#define RT_LOOKUP_OFFSET_(name_, column_) offsetof(struct name_, column_),
#define RT_LOOKUP_PARAMETER_(name_, column_) , RT_MEMBER_TYPE_(name_, column_) column_
#define RT_LOOKUP_VALUE_(name_, column_) .column_ = column_,

#define RT_EACH_(M, name_, ...) \
    RT_EACH_OF_(__VA_ARGS__, RT_EACH_4_, RT_EACH_3_, RT_EACH_2_, RT_EACH_1_)(M, name_, __VA_ARGS__)
#define RT_EACH_OF_(a_, b_, c_, d_, each_, ...) each_
#define RT_EACH_1_(M, name_, a_) M(name_, a_)
#define RT_EACH_2_(M, name_, a_, ...) M(name_, a_) RT_EACH_1_(M, name_, __VA_ARGS__)
#define RT_EACH_3_(M, name_, a_, ...) M(name_, a_) RT_EACH_2_(M, name_, __VA_ARGS__)
#define RT_EACH_4_(M, name_, a_, ...) M(name_, a_) RT_EACH_3_(M, name_, __VA_ARGS__)

#endif
