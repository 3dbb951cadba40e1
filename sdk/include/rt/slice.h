/* rt/slice.h — a slice: one domain's tables and migrations, bound to a database
 *
 * A module that keeps data declares its slice, requires sql/1 and registers what the slice has. The
 * migrations are files, `0001_create_orders.sql`, or one for each dialect,
 * `0002_search.sqlite.sql` and `0002_search.postgres.sql`; `rtctl embed FOLDER` writes them as a C
 * header that defines `rt_migrations`.
 *
 *     #include "orders_migrations.h"
 *     RT_REQUIRES(sql, 1)
 *     RT_SLICE("orders")
 *     …
 *     RT_REGISTER(registry)
 *     {
 *         return rt_slice_register(registry, sql, rt_migrations, &order_table);
 *     }
 *
 * Before the module starts, the host looks at the table `rt_migrations` of the database. What is
 * missing is applied there and then in development and test, and where the module's option
 * `migrate` is "auto"; elsewhere the start is refused. `rtctl migrate` does it ahead. Each
 * migration runs in a transaction, under a lock that all rtd on that database share. One that was
 * applied is never changed: its checksum (SHA-256 of its text) is compared. Then the declared
 * tables are compared with those of the database.
 *
 * A text for PostgreSQL whose first line is `-- rt: no transaction` runs statement by statement
 * outside of one, as CREATE INDEX CONCURRENTLY must. If it fails, what it did before that stays and
 * it is run again from its beginning, so it is written to bear that (DROP INDEX CONCURRENTLY IF
 * EXISTS first). No text begins or ends a transaction itself.
 *
 * Ownership: what is registered is constant and lives as long as the module. Nothing here waits.
 * Errors: -RT_EINVALID_ARGUMENT for numbers that do not ascend from 1, empty texts, no handle.
 */
#ifndef RT_SLICE_H
#define RT_SLICE_H

#include <rt/abi.h>
#include <rt/host.h>
#include <rt/module.h>
#include <rt/table.h>

/* One step. An array element: it never grows. */
typedef struct rt_migration {
    uint32_t number; /* 1, 2, …, without gaps */
    uint32_t reserved;
    const char *name;     /* "create_orders" */
    const char *sqlite;   /* NULL: nothing to do there */
    const char *postgres; /* likewise; where both are the same, the same pointer */
} rt_migration;

typedef struct rt_slice {
    uint32_t size;
    uint32_t migration_count;
    const rt_slot *sql; /* the slot of its database: &sql->slot */
    const rt_migration *migrations;
    const rt_table *const *tables;
    uint32_t table_count;
    uint32_t reserved;
} rt_slice;

/* In the module's file: a line of the manifest, and the option `migrate`. Once. */
#define RT_SLICE(name_)                              \
    RT_NOTE("slice=" name_ "\0")                     \
    RT_OPTION(enum, migrate, RT_VALUES(auto, check), \
              "Missing migrations at a start: applied, or the start is refused; by environment")

/* In RT_REGISTER: its migrations, an array, and its tables, if any. 0 or -RT_E…. */
#define rt_slice_register(registry_, sql_, migrations_, ...)                                      \
    __extension__({                                                                               \
        static const rt_table *const rt_tables_[] = {NULL, ##__VA_ARGS__};                        \
        static rt_slice rt_slice_;                                                                \
        rt_slice_ = (rt_slice){.size = sizeof(rt_slice),                                          \
                               .migration_count = sizeof(migrations_) / sizeof((migrations_)[0]), \
                               .sql = &(sql_)->slot,                                              \
                               .migrations = (migrations_),                                       \
                               .tables = rt_tables_ + 1,                                          \
                               .table_count = sizeof rt_tables_ / sizeof rt_tables_[0] - 1};      \
        RT_HAS(rt_host_table, slice) ? rt_host_table->slice(registry_, &rt_slice_)                \
                                     : -RT_EUNIMPLEMENTED;                                        \
    })

#endif
