/* What the database says was applied. */
#include "migrate/migrate.h"

#include "fiber/fiber.h"

struct rt_sql_slot *rt_migrate_sql(const rt_migrate_job *job)
{
    return (struct rt_sql_slot *)(uintptr_t)job->slice->sql;
}

uint32_t rt_migrate_dialect(rt_ctx *ctx, const rt_migrate_job *job)
{
    rt_sql_server server = {.size = sizeof server};
    rt_sql_describe(ctx, rt_migrate_sql(job), &server);
    return server.dialect;
}

/* The catalogue is asked, because a query of a table that is not there would count as a failure,
 * and end a transaction. In PostgreSQL a table of it is read: to_regclass would answer from what
 * the session remembers, and in a transaction it does not hear of a table that was made since. */
int rt_migrations_table_exists(rt_ctx *ctx, const rt_migrate_job *job)
{
    struct rt_sql_slot *sql = rt_migrate_sql(job);
    rt_sql_rows rows = {.size = sizeof rows};
    const char *text = rt_migrate_dialect(ctx, job) == RT_SQL_POSTGRES
                           ? "SELECT count(*) FROM pg_class WHERE relname = 'rt_migrations' AND "
                             "relkind IN ('r', 'p') AND pg_table_is_visible(oid)"
                           : "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = "
                             "'rt_migrations'";
    RT_TRY(rt_sql_query(ctx, sql, RT_SQL(text), &rows));
    return rows.row_count == 1 && rt_sql_get_int(&rows, 0, 0) != 0;
}

static int read_rows(rt_ctx *ctx, const rt_migrate_job *job, rt_applied **applied, size_t *count)
{
    rt_sql_rows rows = {.size = sizeof rows};
    RT_TRY(rt_sql_query(ctx, rt_migrate_sql(job),
                        RT_SQL("SELECT number, name, checksum, applied_by, applied_at, duration_ms "
                               "FROM rt_migrations WHERE slice = $1 ORDER BY number",
                               rt_sql_text(job->name)),
                        &rows));
    rt_applied *all = rt_host_alloc(ctx, (rows.row_count + 1) * sizeof *all);
    for (uint64_t i = 0; i < rows.row_count; i++)
        all[i] = (rt_applied){.number = rt_sql_get_int(&rows, i, 0),
                              .name = rt_sql_get_text(&rows, i, 1),
                              .checksum = rt_sql_get_text(&rows, i, 2),
                              .applied_by = rt_sql_get_text(&rows, i, 3),
                              .applied_at = rt_sql_get_int(&rows, i, 4),
                              .duration = rt_sql_get_int(&rows, i, 5)};
    *applied = all;
    *count = rows.row_count;
    return 0;
}

int rt_migrations_read(rt_ctx *ctx, const rt_migrate_job *job, rt_migrations *state)
{
    rt_applied *applied = NULL;
    size_t count = 0;
    int exists = rt_migrations_table_exists(ctx, job);
    RT_TRY(exists);
    if (exists)
        RT_TRY(read_rows(ctx, job, &applied, &count));
    *state = (rt_migrations){.slice = job->name, .dialect = rt_migrate_dialect(ctx, job)};
    rt_migrations_judge(rt_unit_arena(ctx), state, job->slice, applied, count);
    return 0;
}
