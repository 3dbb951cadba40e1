/* rt/selection.h — which rows of a declared table, in which order, and how many
 *
 *     struct order_page page;
 *     RT_TRY(order_page(ctx, sql,
 *                       RT_SELECT(RT_WHERE(rt_is(order, quantity, RT_ABOVE, 1),
 *                                         rt_any_of(rt_is(order, sku, RT_IN, "tea", "milk"),
 *                                                   rt_is(order, note, RT_IS_NULL))),
 *                                RT_ORDER(rt_descending(order, created_at)), .size = 20),
 *                       &page));
 *
 * Columns are members of the row, so one that does not exist does not compile, and neither does a
 * value of another type than the column has. Values become parameters of the statement; nothing
 * that a user wrote becomes part of its text.
 *
 * Ownership: all of it is the caller's and is needed for the call alone. Nothing here waits.
 * Errors (of the call that it is given to): -RT_EINVALID_ARGUMENT for a condition on another table,
 * a comparison with NULL, an id of another type, a cursor that was altered or is another
 * selection's, and a size beyond 1,000 rows.
 */
#ifndef RT_SELECTION_H
#define RT_SELECTION_H

#include <rt/abi.h>
#include <stdbool.h>

struct rt_table;

enum rt_comparison {
    RT_EQUAL = 1,
    RT_NOT_EQUAL = 2,
    RT_BELOW = 3,
    RT_AT_MOST = 4,
    RT_ABOVE = 5,
    RT_AT_LEAST = 6,
    RT_IN = 7,       /* of any number of values; of none it is false */
    RT_IS_NULL = 8,  /* without a value, as the next */
    RT_NOT_NULL = 9, /* for null is neither equal nor unequal to anything */
    /* Of text, and exact: capitals matter in both dialects. */
    RT_PREFIX = 10, /* begins with the value, whatever characters it has */
    RT_LIKE = 11,   /* a pattern: `%` any text, `_` one character, `\` takes the next as it is */
    RT_ALL_OF = 12,
    RT_ANY_OF = 13,
    RT_NONE_OF = 14,
};

/* A comparison with a column, or several conditions put together. */
typedef struct rt_where {
    uint32_t operation;           /* rt_comparison */
    uint32_t column;              /* its offset in the row */
    const struct rt_table *table; /* NULL: conditions are put together */
    uint64_t count;
    const void *values; /* of the type that the member has, or rt_where */
} rt_where;

typedef struct rt_ordering {
    const struct rt_table *table;
    uint32_t column;     /* its offset in the row */
    uint32_t descending; /* 1: the greatest first. Null is greater than all else. */
} rt_ordering;

enum { RT_PAGE_SIZE = 50, RT_PAGE_MOST = 1000 };

/* What is left out: every row, ordered by key. The key always decides between equals. */
typedef struct rt_selection {
    const rt_where *where;
    uint64_t where_count; /* all of them have to be true */
    const rt_ordering *order;
    uint32_t order_count;
    uint32_t size;     /* rows of a page, 1 to RT_PAGE_MOST; 0: RT_PAGE_SIZE. Of `all` the most, 0:
                          no end */
    uint64_t number;   /* of a page, from 1; 0: the first */
    const char *after; /* of `scroll`: `next` of the page before; NULL: the first */
    bool deleted;      /* those that were deleted softly, instead of the others */
} rt_selection;

#define RT_SELECT(...) (&(const rt_selection){__VA_ARGS__})

/* --- conditions ------------------------------------------------------------------------------ */

#define RT_MEMBER_TYPE_(name_, column_) __typeof__(((struct name_ *)0)->column_)
#define RT_ARRAY_(type_, ...)                                               \
    (sizeof((const type_[]){__VA_ARGS__}) / sizeof(type_)), (const type_[]) \
    {                                                                       \
        __VA_ARGS__                                                         \
    }

/* rt_is(order, sku, RT_EQUAL, "tea"): an operation and its value, values or none. */
#define rt_is(name_, column_, operation_, ...)                                 \
    ((rt_where){(operation_), offsetof(struct name_, column_), &name_##_table, \
                RT_ARRAY_(RT_MEMBER_TYPE_(name_, column_), ##__VA_ARGS__)})

/* The same as RT_IN, of `count_` values that stand in an array. */
#define rt_in(name_, column_, values_, count_)                                    \
    ((rt_where){RT_IN, offsetof(struct name_, column_), &name_##_table, (count_), \
                1 ? (values_) : (const RT_MEMBER_TYPE_(name_, column_) *)0})

#define rt_all_of(...) ((rt_where){RT_ALL_OF, 0, NULL, RT_ARRAY_(rt_where, __VA_ARGS__)})
#define rt_any_of(...) ((rt_where){RT_ANY_OF, 0, NULL, RT_ARRAY_(rt_where, __VA_ARGS__)})
#define rt_none_of(...) ((rt_where){RT_NONE_OF, 0, NULL, RT_ARRAY_(rt_where, __VA_ARGS__)})

#define RT_WHERE(...)                         \
    .where = (const rt_where[]){__VA_ARGS__}, \
    .where_count = sizeof((const rt_where[]){__VA_ARGS__}) / sizeof(rt_where)

/* --- order ----------------------------------------------------------------------------------- */

#define rt_ascending(name_, column_) \
    ((rt_ordering){&name_##_table, offsetof(struct name_, column_), 0})
#define rt_descending(name_, column_) \
    ((rt_ordering){&name_##_table, offsetof(struct name_, column_), 1})

#define RT_ORDER(...)                            \
    .order = (const rt_ordering[]){__VA_ARGS__}, \
    .order_count = sizeof((const rt_ordering[]){__VA_ARGS__}) / sizeof(rt_ordering)

#endif
