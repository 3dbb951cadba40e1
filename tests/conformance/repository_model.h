/* repository_model.h — random operations on a repository beside a model of what they must do
 *
 * Two tables of the same columns, one that marks what is deleted, one that moves it into a shadow.
 * Each operation, its result, the rows that are left and the lists of them are compared.
 *
 *     run the script RT_MODEL_SCHEMA, then
 *     const char *complaint = rt_model_run(ctx, sql, &marked_table, seed, 300);
 */
#ifndef RT_TEST_REPOSITORY_MODEL_H
#define RT_TEST_REPOSITORY_MODEL_H

#include <rt/cap/sql.h>
#include <rt/rt.h>

#define THING_COLUMNS(KEY, COLUMN) \
    KEY(id, id, "thing")           \
    COLUMN(text, sku)              \
    COLUMN(int, quantity)          \
    COLUMN(int_or_null, weight)    \
    COLUMN(text_or_null, note)     \
    COLUMN(created_at, created_at) \
    COLUMN(deleted_at, deleted_at) \
    COLUMN(deleted_by, deleted_by) \
    COLUMN(version, version)
RT_TABLE(marked, "marked", THING_COLUMNS)
RT_TABLE_WITH_SHADOW(moved, "moved", THING_COLUMNS)

#define RT_THING_COLUMNS_SQL                                                            \
    "id text PRIMARY KEY, sku text NOT NULL, quantity bigint NOT NULL, weight bigint, " \
    "note text, created_at timestamptz NOT NULL, version bigint NOT NULL"
#define RT_MODEL_SCHEMA                                                                        \
    "CREATE TABLE marked (" RT_THING_COLUMNS_SQL ", deleted_at timestamptz, deleted_by text);" \
    "CREATE TABLE moved (" RT_THING_COLUMNS_SQL ");"                                           \
    "CREATE TABLE moved_deleted (" RT_THING_COLUMNS_SQL                                        \
    ", deleted_at timestamptz NOT NULL, deleted_by text);"

/* NULL, or what differs. The table has to be empty. */
const char *rt_model_run(rt_ctx *ctx, struct rt_sql_slot *sql, const rt_table *table, uint64_t seed,
                         unsigned steps);

#endif
