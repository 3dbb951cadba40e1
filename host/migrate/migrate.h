/* migrate.h — brings a database to what a slice needs, and says how far it is
 *
 * Everything here runs in a fiber, in a unit of work of the slice's module, whose handle of sql/1
 * it uses; it waits. Results live as long as the unit of work. Errors are set on the context.
 *
 *     rt_migrations state;
 *     RT_TRY(rt_migrations_read(ctx, &job, &state));
 *     if (state.of[RT_MIGRATION_MISSING])
 *         RT_TRY(rt_migrations_apply(ctx, &job, &state));
 *     RT_TRY(rt_tables_compare(ctx, &job, &differences));
 */
#ifndef RT_MIGRATE_MIGRATE_H
#define RT_MIGRATE_MIGRATE_H

#include "migrate/state.h"

#include <rt/cap/sql.h>

typedef struct rt_migrate_job {
    const char *name; /* of the slice */
    const rt_slice *slice;
    const char *applied_by; /* "shop@host": noted in the database */
    uint32_t most;          /* the last number to apply; 0: all */
    /* After each that was applied; or NULL. */
    void (*applied)(void *argument, const rt_migration_entry *entry, int64_t milliseconds);
    void *argument;
} rt_migrate_job;

/* Reads only: where there is no table `rt_migrations` yet, nothing was applied. */
int rt_migrations_read(rt_ctx *ctx, const rt_migrate_job *job, rt_migrations *state);

/* Applies what is missing, one transaction each, under a lock that everybody shares who migrates
 * this database; what others apply meanwhile is not applied again. `state` is then as it is at the
 * end. -RT_EFAILED_PRECONDITION if database and slice disagree. */
int rt_migrations_apply(rt_ctx *ctx, const rt_migrate_job *job, rt_migrations *state);

/* A line for each difference between the declared tables and those of the database. */
int rt_tables_compare(rt_ctx *ctx, const rt_migrate_job *job, rt_buffer *differences);

/* --- among the files of migrate/ ------------------------------------------------------------- */

struct rt_sql_slot *rt_migrate_sql(const rt_migrate_job *job);
uint32_t rt_migrate_dialect(rt_ctx *ctx, const rt_migrate_job *job);
/* 1 if the table `rt_migrations` is there, 0 if not. */
int rt_migrations_table_exists(rt_ctx *ctx, const rt_migrate_job *job);

/* apart.c: runs work in a unit of work within this one, but outside of its transaction. */
int rt_migrate_apart(rt_ctx *ctx, const rt_migrate_job *job, rt_work work, void *argument);

#endif
