/* Applies what is missing: a transaction each, in which the lock is held and the row is written.
 *
 * On PostgreSQL the lock is tried for, not waited for: a statement that waits has a snapshot, and
 * CREATE INDEX CONCURRENTLY waits for all older snapshots, so that whoever builds the index under
 * the lock and whoever waits for the lock would wait for each other, unnoticed by the server. */
#include "migrate/migrate.h"

#include "fiber/fiber.h"
#include "migrate/statements.h"

#include <stdlib.h>
#include <string.h>

#define LOCK "8246698312746625" /* a number of our own; one for all slices of a database */
#define BETWEEN_TRIES UINT64_C(100000000) /* ns */

static const char create_table[] = "CREATE TABLE rt_migrations (\n"
                                   "    slice text NOT NULL,\n"
                                   "    number bigint NOT NULL,\n"
                                   "    name text NOT NULL,\n"
                                   "    checksum text NOT NULL,\n"
                                   "    applied_at timestamptz NOT NULL,\n"
                                   "    duration_ms bigint NOT NULL,\n"
                                   "    applied_by text NOT NULL,\n"
                                   "    PRIMARY KEY (slice, number)\n"
                                   ")";

/* One migration under way. */
struct step {
    const rt_migrate_job *job;
    const rt_migration_entry *entry;
    const char *statement; /* that runs; NULL: none of its own */
};

/* --- what went wrong ------------------------------------------------------------------------- */

/* "at line 3": the server counts characters, from 1, of the statement it was given. */
static const char *place_of(rt_ctx *ctx, const struct step *step, const rt_error *error)
{
    const char *number = rt_error_text(error, "position");
    const char *at = step->statement;
    long position = number ? strtol(number, NULL, 10) : 0;
    size_t line = 1;
    if (!at || position < 1)
        return "";
    for (const char *c = step->entry->text; c < at; c++)
        line += *c == '\n';
    for (; *at && position > 1; at++) {
        line += *at == '\n';
        position -= ((unsigned char)at[1] & 0xC0) != 0x80;
    }
    return rt_host_format(ctx, " at line %zu", line);
}

static const char *what_stays(const struct step *step)
{
    return rt_migration_is_apart(step->entry->text)
               ? "it runs without a transaction: what it did before that stays"
               : "nothing of it stays";
}

static int fail(rt_ctx *ctx, const struct step *step, int result)
{
    const rt_error *cause = rt_host_last_error(ctx);
    bool told = cause && cause->code == -result;
    rt_error error = {.size = sizeof error, .code = -result};
    error.message =
        rt_host_format(ctx, "migration %u `%s` of slice `%s` failed%s: %s", step->entry->number,
                       step->entry->name, step->job->name, told ? place_of(ctx, step, cause) : "",
                       told && cause->message ? cause->message : rt_code_name(result));
    error.detail = told ? cause->detail : NULL;
    error.hint = told && cause->hint ? rt_host_format(ctx, "%s; %s", what_stays(step), cause->hint)
                                     : what_stays(step);
    return rt_host_fail_with(ctx, &error);
}

/* --- the lock -------------------------------------------------------------------------------- */

/* SQLite's transaction that may write is the lock: there is one at a time. */
static int try_lock(rt_ctx *ctx, const rt_migrate_job *job)
{
    struct rt_sql_slot *sql = rt_migrate_sql(job);
    rt_sql_rows rows = {.size = sizeof rows};
    /* What another one committed before it gave the lock away is to be seen, whatever the server's
     * default is. */
    const rt_sql_transaction options = {.size = sizeof options, .isolation = RT_SQL_READ_COMMITTED};
    RT_TRY(rt_sql_begin(ctx, sql, &options));
    if (rt_migrate_dialect(ctx, job) != RT_SQL_POSTGRES)
        return 1;
    int result =
        rt_sql_query(ctx, sql, RT_SQL("SELECT pg_try_advisory_xact_lock(" LOCK ")"), &rows);
    int locked = result < 0 ? result : rows.row_count == 1 && rt_sql_get_int(&rows, 0, 0) != 0;
    if (locked <= 0)
        rt_sql_rollback(ctx, sql);
    return locked;
}

static int begin_locked(rt_ctx *ctx, const rt_migrate_job *job)
{
    int locked;
    while ((locked = try_lock(ctx, job)) == 0)
        RT_TRY(rt_host_sleep(ctx, BETWEEN_TRIES));
    return locked < 0 ? locked : 0;
}

/* Who is cancelled or out of time cannot wait for an answer: the end of the unit of work rolls
 * back. */
static void give_up(rt_ctx *ctx, const rt_migrate_job *job, int result)
{
    if (result != -RT_ECANCELED && result != -RT_EDEADLINE)
        rt_sql_rollback(ctx, rt_migrate_sql(job));
}

/* --- one migration --------------------------------------------------------------------------- */

/* Each by itself: several in one message of PostgreSQL's would be a transaction. */
static int run_statements(rt_ctx *ctx, void *argument)
{
    struct step *step = argument;
    rt_statement statement;
    for (const char *rest = step->entry->text; rt_statement_next(&rest, &statement);) {
        step->statement = statement.text;
        const char *text = rt_arena_copy_n(rt_unit_arena(ctx), statement.text, statement.length);
        RT_TRY(rt_sql_exec(ctx, rt_migrate_sql(step->job), RT_SQL_WITH(RT_SQL_SCRIPT, text), NULL));
    }
    return 0;
}

/* The transaction waits meanwhile with the lock, as long as it takes. What asked for rows last
 * keeps its snapshot until the next command, and an index would wait for that. */
static int run_apart(rt_ctx *ctx, struct step *step)
{
    static const char wait_idly[] = "SET LOCAL idle_in_transaction_session_timeout = 0";
    RT_TRY(
        rt_sql_exec(ctx, rt_migrate_sql(step->job), RT_SQL_WITH(RT_SQL_SCRIPT, wait_idly), NULL));
    return rt_migrate_apart(ctx, step->job, run_statements, step);
}

static int run_text(rt_ctx *ctx, struct step *step)
{
    const char *text = step->entry->text;
    if (!text)
        return 0;
    if (rt_migration_is_apart(text))
        return run_apart(ctx, step);
    step->statement = text;
    return rt_sql_exec(ctx, rt_migrate_sql(step->job), RT_SQL_WITH(RT_SQL_SCRIPT, text), NULL);
}

static int note(rt_ctx *ctx, const struct step *step, int64_t milliseconds)
{
    return rt_sql_exec(
        ctx, rt_migrate_sql(step->job),
        RT_SQL("INSERT INTO rt_migrations (slice, number, name, checksum, applied_at, duration_ms, "
               "applied_by) VALUES ($1, $2, $3, $4, now(), $5, $6)",
               rt_sql_text(step->job->name), rt_sql_int(step->entry->number),
               rt_sql_text(step->entry->name), rt_sql_text(step->entry->checksum),
               rt_sql_int(milliseconds), rt_sql_text(step->job->applied_by)),
        NULL);
}

static int apply_one(rt_ctx *ctx, struct step *step)
{
    uint64_t began = rt_host_now();
    RT_TRY(run_text(ctx, step));
    step->statement = NULL;
    int64_t milliseconds = (int64_t)((rt_host_now() - began) / 1000000);
    RT_TRY(note(ctx, step, milliseconds));
    RT_TRY(rt_sql_commit(ctx, rt_migrate_sql(step->job)));
    if (step->job->applied)
        step->job->applied(step->job->argument, step->entry, milliseconds);
    return 0;
}

static int refuse(rt_ctx *ctx, const rt_migrations *state)
{
    rt_buffer text = {0};
    rt_migrations_tell_disagreement(state, &text);
    int result = rt_host_fail(ctx, RT_EFAILED_PRECONDITION, "%s", text.data);
    rt_buffer_free(&text);
    return result;
}

/* In the transaction: 1 if one was applied and the transaction is over, 0 if none is left. */
static int apply_next(rt_ctx *ctx, const rt_migrate_job *job, rt_migrations *state)
{
    int exists = rt_migrations_table_exists(ctx, job);
    RT_TRY(exists);
    if (!exists)
        RT_TRY(
            rt_sql_exec(ctx, rt_migrate_sql(job), RT_SQL_WITH(RT_SQL_SCRIPT, create_table), NULL));
    RT_TRY(rt_migrations_read(ctx, job, state));
    if (!rt_migrations_agree(state))
        return refuse(ctx, state);
    struct step step = {.job = job, .entry = rt_migrations_next(state, job->most)};
    if (!step.entry)
        return 0;
    int result = apply_one(ctx, &step);
    return result < 0 ? fail(ctx, &step, result) : 1;
}

int rt_migrations_apply(rt_ctx *ctx, const rt_migrate_job *job, rt_migrations *state)
{
    int result;
    do {
        RT_TRY(begin_locked(ctx, job));
        result = apply_next(ctx, job, state);
        if (result <= 0)
            give_up(ctx, job, result);
    } while (result > 0);
    return result;
}
