/* Rows in pieces. A stream holds its connection, and with it a view of the database, until it is
 * closed or its unit of work ends. */
#include "sqlite.h"

#include <string.h>

#define MAGIC 0x73716c73u
#define PIECE_ROWS 256
#define PIECE_BYTES (64u << 10)

struct rt_sql_stream {
    uint32_t magic;
    bool busy, ended;
    rt_sqlite_lease lease;
    rt_tx_hold *hold;
    const rt_sql_statement *given;
    sqlite3_stmt *statement;
    bool retry_on_writer;
    bool lends;           /* the connection is the only one */
    bool spilled, broken; /* what was left is in `rest`; or in `problem` */
    rt_ctx *unit;         /* of one that lends: that opened it */
    rt_mutex *turn;       /* the same: of who spills it, for whom its user waits */
    uint64_t next;        /* row of `rest` */
    rt_sqlite_rows rows, rest;
    rt_sqlite_problem problem;
};

/* --- in the pool ----------------------------------------------------------------------------- */

static int open_in_pool(void *argument)
{
    rt_sql_stream *stream = argument;
    rt_sqlite_connection *connection = stream->lease.connection;
    if (rt_sqlite_prepare(connection, stream->given->text, &stream->statement, &stream->problem) <
        0)
        return -1;
    stream->ended = stream->statement == NULL;
    if (stream->ended)
        return 0;
    bool writes = !sqlite3_stmt_readonly(stream->statement);
    stream->retry_on_writer = writes && connection->reader && !connection->in_transaction;
    int result = stream->retry_on_writer
                     ? -1
                     : rt_sqlite_bind(connection, stream->statement, stream->given->parameters,
                                      stream->given->parameter_count, &stream->problem);
    if (result < 0) {
        rt_sqlite_unprepare(connection, stream->statement);
        stream->statement = NULL;
    }
    return result;
}

static int end_in_pool(void *argument)
{
    rt_sql_stream *stream = argument;
    rt_sqlite_unprepare(stream->lease.connection, stream->statement);
    stream->statement = NULL;
    stream->ended = true;
    return 0;
}

static int next_in_pool(void *argument)
{
    rt_sql_stream *stream = argument;
    rt_sqlite_rows *rows = &stream->rows;
    int code = sqlite3_step(stream->statement);
    if ((code == SQLITE_ROW || code == SQLITE_DONE) &&
        rt_sqlite_rows_begin(rows, stream->statement, &stream->problem) < 0)
        return -1;
    while (code == SQLITE_ROW) {
        if (rt_sqlite_rows_add(rows, stream->statement, &stream->problem) < 0)
            return -1;
        if (rows->row_count >= PIECE_ROWS || rows->byte_count >= PIECE_BYTES)
            return 0;
        code = sqlite3_step(stream->statement);
    }
    if (code != SQLITE_DONE)
        return rt_sqlite_problem_of(stream->lease.connection, "", &stream->problem);
    return end_in_pool(stream);
}

static int spill_in_pool(void *argument)
{
    rt_sql_stream *stream = argument;
    int result = rt_sqlite_rows_begin(&stream->rest, stream->statement, &stream->problem);
    int code = SQLITE_DONE;
    while (result == 0 && (code = sqlite3_step(stream->statement)) == SQLITE_ROW)
        result = rt_sqlite_rows_add(&stream->rest, stream->statement, &stream->problem);
    if (result == 0 && code != SQLITE_DONE)
        result = rt_sqlite_problem_of(stream->lease.connection, "", &stream->problem);
    end_in_pool(stream);
    return result;
}

/* --- on the loop ----------------------------------------------------------------------------- */

/* The rest that is spilled is the stream's, so it is not up to the time of who wanted the
 * connection. */
static int run(rt_ctx *ctx, rt_sql_stream *stream, int (*function)(void *argument))
{
    stream->busy = true;
    stream->problem = (rt_sqlite_problem){0};
    int result =
        rt_sqlite_run(ctx, rt_sqlite_here(ctx),
                      &(rt_sqlite_call){.function = function,
                                        .argument = stream,
                                        .connection = stream->lease.connection,
                                        .problem = &stream->problem,
                                        .unit = function == spill_in_pool ? stream->unit : NULL});
    stream->busy = false;
    return result;
}

static void release(rt_ctx *ctx, rt_sql_stream *stream)
{
    stream->magic = 0;
    rt_sqlite_rows_free(&stream->rows);
    rt_sqlite_rows_free(&stream->rest);
    if (stream->lends)
        rt_sqlite_set_holder(rt_sqlite_here(ctx), NULL);
    if (stream->hold)
        rt_tx_let_go(stream->hold);
    else if (!stream->spilled)
        rt_sqlite_lease_give(ctx, &stream->lease);
    rt_mutex_free(stream->turn);
}

static void spill(rt_ctx *ctx, rt_sql_stream *stream)
{
    if (stream->statement && run(ctx, stream, spill_in_pool) < 0)
        stream->broken = true;
    if (stream->statement) /* nobody waited for it long enough to begin */
        return;
    rt_sqlite_set_holder(rt_sqlite_here(ctx), NULL);
    stream->lends = false;
    stream->spilled = true;
    rt_sqlite_lease_give(ctx, &stream->lease);
    rt_sql_rows moved = {.size = sizeof moved};
    rt_sqlite_rows_take(NULL, &stream->rest, &moved); /* its pointers are in place from here on */
}

/* Its user may end it as soon as the turn is given back. */
void rt_sqlite_stream_spill(rt_ctx *ctx, rt_sql_stream *stream)
{
    if (stream->busy || rt_mutex_lock(ctx, stream->turn) < 0)
        return; /* it does so itself before its fiber goes on */
    spill(ctx, stream);
    rt_mutex_unlock(ctx, stream->turn);
}

/* Until nobody else spills it. */
static int wait_for_turn(rt_ctx *ctx, const rt_sql_stream *stream)
{
    if (!stream->turn)
        return 0;
    RT_TRY(rt_mutex_lock(ctx, stream->turn));
    rt_mutex_unlock(ctx, stream->turn);
    return 0;
}

/* A piece of what was spilled. */
static void take_rest(rt_sql_stream *stream, rt_sql_rows *rows)
{
    const rt_sqlite_rows *rest = &stream->rest;
    uint64_t left = rest->row_count - stream->next;
    uint64_t count = left < PIECE_ROWS ? left : PIECE_ROWS;
    rt_struct_copy(rows,
                   &(rt_sql_rows){.size = sizeof *rows,
                                  .column_count = rest->column_count,
                                  .row_count = count,
                                  .columns = rest->columns,
                                  .values = rest->values + stream->next * rest->column_count});
    stream->next += count;
}

/* Its statement ends here if no thread of the pool was to be had in time. */
static void finish(rt_ctx *ctx, void *argument)
{
    rt_sql_stream *stream = argument;
    if (stream->magic != MAGIC)
        return;
    if (stream->busy) /* nobody will read what is being spilled */
        atomic_store(&stream->lease.connection->stop, -RT_ECANCELED);
    wait_for_turn(ctx, stream);
    if (stream->statement && run(ctx, stream, end_in_pool) < 0 && stream->statement)
        end_in_pool(stream);
    release(ctx, stream);
}

static int hold(rt_ctx *ctx, rt_sql_stream *stream)
{
    stream->hold = stream->lease.ambient ? rt_tx_keep(ctx) : NULL;
    stream->magic = MAGIC;
    stream->unit = ctx;
    stream->turn =
        !stream->hold && rt_sqlite_is_single(rt_sqlite_here(ctx)) ? rt_mutex_new() : NULL;
    stream->lends = stream->turn != NULL;
    if (stream->lends)
        rt_sqlite_set_holder(rt_sqlite_here(ctx), stream);
    return rt_defer(ctx, finish, stream);
}

static int open_on(rt_ctx *ctx, rt_sql_stream *stream, bool reads)
{
    RT_TRY(rt_sqlite_lease_take(ctx, reads, &stream->lease));
    int result = run(ctx, stream, open_in_pool);
    if (result == 0)
        return hold(ctx, stream);
    if (stream->lease.ambient)
        stream->lease.connection->failed = true;
    rt_sqlite_lease_give(ctx, &stream->lease);
    return stream->retry_on_writer ? 0 : rt_sqlite_fail(ctx, &stream->problem, stream->given);
}

int rt_sqlite_stream_open(rt_ctx *ctx, const rt_sql_statement *given, rt_sql_stream **opened)
{
    rt_sql_statement *statement = rt_alloc(ctx, sizeof *statement);
    rt_sql_stream *stream = rt_alloc(ctx, sizeof *stream);
    RT_TRY(rt_sqlite_check(ctx, given, statement));
    if (!opened || (statement->flags & RT_SQL_SCRIPT))
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "a stream is of one statement, and of one place");
    stream->given = statement;
    RT_TRY(open_on(ctx, stream, true));
    if (stream->magic != MAGIC)
        RT_TRY(open_on(ctx, stream, false));
    stream->given = NULL; /* it is the caller's */
    *opened = stream;
    return 0;
}

static int check(rt_ctx *ctx, const rt_sql_stream *stream)
{
    if (!stream || stream->magic != MAGIC)
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "the stream is not open");
    RT_TRY(wait_for_turn(ctx, stream));
    if (stream->magic != MAGIC || stream->busy)
        return rt_fail(ctx, RT_EFAILED_PRECONDITION, "another fiber uses the stream");
    return 0;
}

int rt_sqlite_stream_next(rt_ctx *ctx, rt_sql_stream *stream, rt_sql_rows *rows)
{
    RT_TRY(check(ctx, stream));
    if (!rows || !RT_HAS(rows, values))
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "the rows to be filled have no `size`");
    if (stream->broken)
        return rt_sqlite_fail(ctx, &stream->problem, NULL);
    if (stream->spilled) {
        take_rest(stream, rows);
        return 0;
    }
    rt_sqlite_rows_empty(&stream->rows);
    stream->rows.column_count = 0;
    if (!stream->ended && run(ctx, stream, next_in_pool) < 0) {
        if (stream->lease.ambient)
            stream->lease.connection->failed = true;
        return rt_sqlite_fail(ctx, &stream->problem, NULL);
    }
    rt_sqlite_rows_take(NULL, &stream->rows, rows);
    if (stream->lends && rt_sqlite_is_wanted(rt_sqlite_here(ctx)))
        rt_sqlite_stream_spill(ctx, stream);
    return 0;
}

int rt_sqlite_stream_close(rt_ctx *ctx, rt_sql_stream *stream)
{
    RT_TRY(check(ctx, stream));
    if (stream->statement && run(ctx, stream, end_in_pool) < 0)
        return rt_sqlite_fail(ctx, &stream->problem, NULL);
    release(ctx, stream);
    return 0;
}
