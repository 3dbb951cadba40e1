/* rt/table.h — a table declared once: its row, its binding, its repository */
#ifndef RT_TABLE_H
#define RT_TABLE_H

#include <rt/abi.h>

enum rt_column_flags {
    RT_COLUMN_KEY = 1,      /* of the primary key; several make a composite one */
    RT_COLUMN_NULLABLE = 2, /* NULL and null are the same; numbers have a member `<name>_null` */
    RT_COLUMN_ID = 4,       /* typed id with a prefix, made by insert where it is empty */
    RT_COLUMN_VERSION = 8,  /* counts updates: optimistic locking */
    RT_COLUMN_CREATED_AT = 16,
    RT_COLUMN_UPDATED_AT = 32,
    RT_COLUMN_DELETED_AT = 64, /* soft delete by a column */
    RT_COLUMN_CREATED_BY = 128,
    RT_COLUMN_UPDATED_BY = 256,
    RT_COLUMN_DELETED_BY = 512,
};

/* An array element: it never grows. */
typedef struct rt_column {
    const char *name;
    uint32_t type;        /* rt_sql_type of rt/cap/sql.h */
    uint32_t flags;       /* rt_column_flags */
    uint32_t offset;      /* of its member in the row */
    uint32_t null_offset; /* of `<name>_null`; 0: it has none */
    const char *prefix;   /* of a typed id: "ord" */
} rt_column;

typedef struct rt_table {
    uint32_t size;
    uint32_t column_count;
    const char *name;
    const char *type; /* of the row: "order" */
    const rt_column *columns;
    uint64_t row_size;
    const char *shadow; /* soft delete into this table; NULL: by column, or not soft */
} rt_table;

#endif
