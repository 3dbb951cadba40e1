/* Rows in pieces: libpq's single-row mode on a connection that the stream has for itself. What is
 * not read stays with the server, so memory is that of one piece. */
#include "postgres.h"
#include "statement.h"

#define PIECE_ROWS 256u
#define PIECE_BYTES 65536u

struct rt_sql_stream {
    rt_pg_holding holding;
    rt_sql_statement statement;
    rt_pg_memory memory; /* of the piece that was given out last */
    rt_sql_value *values;
    int is_at_end;
};

/* --- closing --------------------------------------------------------------------------------- */

static int end_stream(rt_ctx *ctx, rt_sql_stream *stream, int code)
{
    rt_pg_memory_free(&stream->memory);
    return rt_pg_let_go(ctx, &stream->holding, code);
}

static void finish(rt_ctx *ctx, void *argument)
{
    end_stream(ctx, argument, 0);
}

int rt_pg_stream_close(rt_ctx *ctx, rt_sql_stream *stream)
{
    return end_stream(ctx, stream, 0);
}

/* --- opening --------------------------------------------------------------------------------- */

static int send(rt_ctx *ctx, rt_sql_stream *stream)
{
    rt_pg_connection *connection = stream->holding.connection;
    RT_TRY(rt_pg_send(ctx, connection, &stream->statement));
    if (PQsetSingleRowMode(connection->pq))
        return 0;
    return rt_fail(ctx, RT_EINTERNAL, "libpq does not enter single-row mode");
}

int rt_pg_stream_open(rt_ctx *ctx, const rt_sql_statement *statement, rt_sql_stream **opened)
{
    rt_pg *pg = rt_state(ctx);
    RT_TRY(rt_sql_check_statement(ctx, statement));
    if (statement->flags & RT_SQL_SCRIPT)
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "a script has no rows to stream");
    rt_sql_stream *stream = rt_alloc(ctx, sizeof *stream);
    stream->statement = *statement;
    RT_TRY(rt_pg_hold(ctx, pg, &stream->holding));
    rt_defer(ctx, finish, stream);
    rt_span *span = rt_sql_open_span(ctx, &pg->where, statement);
    int result = send(ctx, stream);
    if (result < 0)
        end_stream(ctx, stream, result);
    /* the parameters are the caller's, and sent by now; errors of rows name the text alone */
    stream->statement = (rt_sql_statement){.size = sizeof(rt_sql_statement),
                                           .text = rt_format(ctx, "%s", statement->text)};
    *opened = stream;
    return rt_span_finish(ctx, span, result);
}

/* --- reading --------------------------------------------------------------------------------- */

/* Of the first result of a piece. */
static void begin_piece(rt_sql_stream *stream, const PGresult *result, rt_sql_rows *rows)
{
    rt_sql_column *columns;
    rows->column_count = (uint32_t)rt_pg_columns(&stream->memory, result, &columns);
    rows->columns = columns;
    stream->values =
        rt_pg_memory_take(&stream->memory, PIECE_ROWS * rows->column_count * sizeof(rt_sql_value));
    rows->values = stream->values;
    stream->memory.taken = 0;
}

/* 1: a row was added; 0: the rows are over. */
static int take_result(rt_ctx *ctx, rt_sql_stream *stream, PGresult *result, rt_sql_rows *rows)
{
    switch (PQresultStatus(result)) {
    case PGRES_SINGLE_TUPLE:
        if (!rows->columns)
            begin_piece(stream, result, rows);
        RT_TRY(rt_pg_row(ctx, &stream->memory, result, 0, &stream->statement,
                         stream->values + rows->row_count * rows->column_count));
        rows->row_count++;
        return 1;
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
    case PGRES_EMPTY_QUERY:
        if (!rows->columns)
            begin_piece(stream, result, rows);
        return 0;
    case PGRES_COPY_IN:
    case PGRES_COPY_OUT:
        return rt_fail(ctx, RT_EUNIMPLEMENTED, "a stream reads no COPY; use rt_sql_copy_begin");
    default:
        return rt_pg_fail(ctx, result, &stream->statement);
    }
}

static int read_piece(rt_ctx *ctx, rt_sql_stream *stream, rt_sql_rows *rows)
{
    while (rows->row_count < PIECE_ROWS && stream->memory.taken < PIECE_BYTES) {
        PGresult *result;
        RT_TRY(rt_pg_next(ctx, stream->holding.connection, &stream->statement, &result));
        if (!result) {
            stream->is_at_end = 1;
            return stream->holding.connection->broken
                       ? rt_pg_lost(ctx, stream->holding.connection, &stream->statement)
                       : 0;
        }
        int more = take_result(ctx, stream, result, rows);
        PQclear(result);
        RT_TRY(more);
    }
    return 0;
}

/* The end of the result is read with the last rows, so that the connection is free by then. */
int rt_pg_stream_next(rt_ctx *ctx, rt_sql_stream *stream, rt_sql_rows *rows)
{
    rt_sql_rows piece = {.size = sizeof piece};
    int result = 0;
    if (!stream->holding.is_open && !stream->is_at_end)
        return rt_fail(ctx, RT_EFAILED_PRECONDITION, "the stream is closed");
    rt_pg_memory_reset(&stream->memory);
    if (stream->is_at_end) /* the caller has seen the last rows */
        result = end_stream(ctx, stream, 0);
    else
        result = read_piece(ctx, stream, &piece);
    if (result < 0) {
        stream->is_at_end = 0;
        return end_stream(ctx, stream, result);
    }
    rt_struct_copy(rows, &piece);
    return 0;
}
