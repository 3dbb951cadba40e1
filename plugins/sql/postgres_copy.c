/* Bulk loads and bulk reads: COPY. Rows go in binary where we know the binary form of all their
 * columns, else as text. */
#include "postgres.h"
#include "postgres_value.h"
#include "statement.h"

#include <endian.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK 65536u

struct rt_sql_load {
    rt_pg_holding holding;
    uint32_t format; /* rt_sql_copy_format */
    int reads, is_binary, is_failed, is_at_end;
    uint32_t column_count;
    Oid *types;
    uint64_t row_count;
    char *bytes; /* not sent yet, or given out */
    size_t length, room;
    rt_pg_memory memory; /* of the row that is being written */
};

/* --- the buffer ------------------------------------------------------------------------------ */

static int make_room(rt_ctx *ctx, rt_sql_load *load, size_t more)
{
    if (load->room - load->length >= more)
        return 0;
    size_t room = load->room ? load->room * 2 : CHUNK + 4096;
    while (room - load->length < more)
        room *= 2;
    char *bytes = realloc(load->bytes, room);
    if (!bytes)
        return rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "out of memory for a copy");
    load->bytes = bytes;
    load->room = room;
    return 0;
}

static int put(rt_ctx *ctx, rt_sql_load *load, const void *bytes, size_t length)
{
    RT_TRY(make_room(ctx, load, length));
    if (length)
        memcpy(load->bytes + load->length, bytes, length);
    load->length += length;
    return 0;
}

/* On until it is with the kernel, so that what libpq holds stays bounded. */
static int send_bytes(rt_ctx *ctx, rt_sql_load *load, const char *bytes, size_t length)
{
    rt_pg_connection *connection = load->holding.connection;
    while (length) {
        int piece = length > CHUNK ? (int)CHUNK : (int)length;
        int taken = PQputCopyData(connection->pq, bytes, piece);
        if (taken < 0)
            return rt_pg_lost(ctx, connection, NULL);
        RT_TRY(rt_pg_flush(ctx, connection, NULL));
        bytes += taken ? piece : 0;
        length -= taken ? (size_t)piece : 0;
    }
    return 0;
}

static int send_buffer(rt_ctx *ctx, rt_sql_load *load)
{
    RT_TRY(send_bytes(ctx, load, load->bytes, load->length));
    load->length = 0;
    return 0;
}

/* --- rows ------------------------------------------------------------------------------------ */

static int put_number(rt_ctx *ctx, rt_sql_load *load, int32_t number)
{
    uint32_t wire = htobe32((uint32_t)number);
    return put(ctx, load, &wire, sizeof wire);
}

static int put_binary(rt_ctx *ctx, rt_sql_load *load, uint32_t column, const rt_sql_value *value)
{
    rt_pg_encoded encoded;
    const char *state = rt_pg_encode_binary(&load->memory, load->types[column], value, &encoded);
    if (state)
        return rt_pg_refuse(ctx, state,
                            rt_format(ctx, "column %u of row %llu", column + 1,
                                      (unsigned long long)load->row_count + 1),
                            NULL);
    if (!encoded.bytes)
        return put_number(ctx, load, -1);
    RT_TRY(put_number(ctx, load, encoded.length));
    return put(ctx, load, encoded.bytes, (size_t)encoded.length);
}

static char escape_of(char character)
{
    switch (character) {
    case '\t':
        return 't';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\\':
        return '\\';
    default:
        return 0;
    }
}

static int put_text(rt_ctx *ctx, rt_sql_load *load, uint32_t column, const rt_sql_value *value)
{
    size_t length;
    const char *text = rt_pg_encode_text(&load->memory, value, &length);
    if (column)
        RT_TRY(put(ctx, load, "\t", 1));
    if (!text)
        return put(ctx, load, "\\N", 2);
    RT_TRY(make_room(ctx, load, 2 * length));
    char *to = load->bytes + load->length;
    for (size_t i = 0; i < length; i++) {
        char escape = escape_of(text[i]);
        if (escape)
            *to++ = '\\';
        *to++ = escape ? escape : text[i];
    }
    load->length = (size_t)(to - load->bytes);
    return 0;
}

static int put_row(rt_ctx *ctx, rt_sql_load *load, const rt_sql_value *values)
{
    uint16_t count = htobe16((uint16_t)load->column_count);
    rt_pg_memory_reset(&load->memory);
    if (load->is_binary)
        RT_TRY(put(ctx, load, &count, sizeof count));
    for (uint32_t i = 0; i < load->column_count; i++) {
        if (values[i].type > RT_SQL_DOUBLE)
            RT_TRY(rt_sql_check_value(ctx, NULL, i + 1, &values[i]));
        RT_TRY(load->is_binary ? put_binary(ctx, load, i, &values[i])
                               : put_text(ctx, load, i, &values[i]));
    }
    load->row_count++;
    return load->is_binary ? 0 : put(ctx, load, "\n", 1);
}

/* --- beginning ------------------------------------------------------------------------------- */

/* The name, and each part of it apart, in quotes: a name in another case stays what it is. */
static const char *quote(rt_ctx *ctx, const char *name, int has_parts)
{
    char *quoted = rt_alloc(ctx, 3 * strlen(name) + 3), *to = quoted;
    *to++ = '"';
    for (; *name; name++) {
        if (*name == '.' && has_parts) {
            to = stpcpy(to, "\".\"");
            continue;
        }
        if (*name == '"')
            *to++ = '"';
        *to++ = *name;
    }
    *to++ = '"';
    *to = '\0';
    return quoted;
}

static const char *column_list(rt_ctx *ctx, const rt_sql_copy *copy)
{
    const char *list = "";
    for (uint32_t i = 0; i < copy->column_count; i++)
        list = rt_format(ctx, "%s%s%s", list, i ? ", " : "", quote(ctx, copy->columns[i], 0));
    return copy->column_count ? rt_format(ctx, " (%s)", list) : "";
}

static const char *command_for(rt_ctx *ctx, const rt_sql_copy *copy, const rt_sql_load *load)
{
    const char *format = load->is_binary                   ? "binary"
                         : load->format == RT_SQL_COPY_CSV ? "csv"
                                                           : "text";
    if (load->reads)
        return rt_format(ctx, "COPY (%s) TO STDOUT (FORMAT %s)", copy->query, format);
    return rt_format(ctx, "COPY %s%s FROM STDIN (FORMAT %s)", quote(ctx, copy->table, 1),
                     column_list(ctx, copy), format);
}

/* Of the catalogue, for who may load need not be allowed to read. A column that is not there has
 * none; COPY says so. */
static int find_types(rt_ctx *ctx, rt_sql_load *load, const rt_sql_copy *copy)
{
    static const char text[] =
        "SELECT CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE a.atttypid END "
        "FROM unnest($2::text[]) WITH ORDINALITY c(name, place) "
        "LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = $1::text::regclass "
        "AND a.attname = c.name AND NOT a.attisdropped "
        "LEFT JOIN pg_catalog.pg_type t ON t.oid = a.atttypid ORDER BY c.place";
    rt_sql_value *names = rt_alloc(ctx, copy->column_count * sizeof *names);
    PGresult *result;
    for (uint32_t i = 0; i < copy->column_count; i++)
        names[i] = rt_sql_text(copy->columns[i]);
    const rt_sql_statement *statement =
        RT_SQL(text, rt_sql_text(quote(ctx, copy->table, 1)),
               rt_sql_array(RT_SQL_TEXT, names, copy->column_count));
    RT_TRY(rt_pg_run(ctx, load->holding.connection, statement, &result));
    rt_pg_memory memory = {.ctx = ctx};
    rt_sql_rows rows = {.size = sizeof rows};
    int code = rt_pg_rows(ctx, &memory, result, statement, &rows);
    PQclear(result);
    RT_TRY(code);
    load->types = rt_alloc(ctx, copy->column_count * sizeof *load->types);
    load->is_binary = 1;
    for (uint32_t i = 0; i < rows.row_count; i++) {
        load->types[i] = (Oid)rt_sql_get_int(&rows, i, 0);
        load->is_binary &= rt_pg_writes_binary(load->types[i]);
    }
    return 0;
}

static int start_copy(rt_ctx *ctx, rt_sql_load *load, const char *command)
{
    rt_pg_connection *connection = load->holding.connection;
    PGresult *result;
    RT_TRY(rt_pg_settle(ctx, connection));
    if (!PQsendQuery(connection->pq, command))
        return rt_pg_lost(ctx, connection, NULL);
    connection->busy = 1;
    RT_TRY(rt_pg_flush(ctx, connection, NULL));
    RT_TRY(rt_pg_next(ctx, connection, NULL, &result));
    ExecStatusType status = PQresultStatus(result);
    int code = 0;
    if (status != PGRES_COPY_IN && status != PGRES_COPY_OUT)
        code = rt_pg_fail(ctx, result,
                          &(rt_sql_statement){.size = sizeof(rt_sql_statement), .text = command});
    PQclear(result);
    while (code < 0 && rt_pg_next(ctx, connection, NULL, &result) == 0 && result)
        PQclear(result);
    return code;
}

static int begin_copy(rt_ctx *ctx, rt_sql_load *load, const rt_sql_copy *copy)
{
    static const char header[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0";
    if (load->format == RT_SQL_COPY_ROWS)
        RT_TRY(find_types(ctx, load, copy));
    RT_TRY(start_copy(ctx, load, command_for(ctx, copy, load)));
    return load->is_binary ? put(ctx, load, header, 19) : 0;
}

static int check_copy(rt_ctx *ctx, const rt_sql_copy *copy)
{
    if (copy->format > RT_SQL_COPY_CSV)
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "`%u` is no format of a copy", copy->format);
    if (!copy->query && (!copy->table || !copy->table[0]))
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "the copy names no table and no query");
    if (copy->query && copy->format == RT_SQL_COPY_ROWS)
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "a bulk read has bytes alone: text or csv");
    if (!copy->query && copy->format == RT_SQL_COPY_ROWS && !copy->column_count)
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "the copy names no columns");
    if (copy->column_count > 1600)
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "no table has more than 1,600 columns");
    return 0;
}

/* --- ending ---------------------------------------------------------------------------------- */

static int end_load(rt_ctx *ctx, rt_sql_load *load, int code)
{
    rt_pg_memory_free(&load->memory);
    free(load->bytes);
    load->bytes = NULL;
    load->length = load->room = 0;
    return rt_pg_let_go(ctx, &load->holding, code);
}

/* What is given up is told so, which undoes all of it. */
static void finish(rt_ctx *ctx, void *argument)
{
    end_load(ctx, argument, 0);
}

int rt_pg_copy_begin(rt_ctx *ctx, const rt_sql_copy *given, rt_sql_load **begun)
{
    rt_sql_copy copy = {.size = sizeof copy};
    rt_struct_copy(&copy, given);
    RT_TRY(check_copy(ctx, &copy));
    rt_sql_load *load = *begun = rt_alloc(ctx, sizeof *load);
    *load = (rt_sql_load){
        .format = copy.format, .reads = copy.query != NULL, .column_count = copy.column_count};
    RT_TRY(rt_pg_hold(ctx, rt_state(ctx), &load->holding));
    rt_defer(ctx, finish, load);
    int result = begin_copy(ctx, load, &copy);
    return result < 0 ? end_load(ctx, load, result) : 0;
}

/* The server's verdict: how many rows, or why not. */
static int read_verdict(rt_ctx *ctx, rt_sql_load *load)
{
    rt_pg_connection *connection = load->holding.connection;
    int code = 0;
    for (PGresult *result;;) {
        RT_TRY(rt_pg_next(ctx, connection, NULL, &result));
        if (!result)
            return code;
        if (PQresultStatus(result) == PGRES_COMMAND_OK)
            load->row_count = rt_pg_affected(result);
        else if (code == 0)
            code = rt_pg_fail(ctx, result, NULL);
        PQclear(result);
    }
}

static int complete_load(rt_ctx *ctx, rt_sql_load *load)
{
    static const char trailer[] = {'\377', '\377'};
    rt_pg_connection *connection = load->holding.connection;
    if (load->is_binary)
        RT_TRY(put(ctx, load, trailer, sizeof trailer));
    RT_TRY(send_buffer(ctx, load));
    if (PQputCopyEnd(connection->pq, NULL) < 0)
        return rt_pg_lost(ctx, connection, NULL);
    RT_TRY(rt_pg_flush(ctx, connection, NULL));
    return read_verdict(ctx, load);
}

int rt_pg_copy_end(rt_ctx *ctx, rt_sql_load *load, uint64_t *rows)
{
    int result = 0;
    if (!load->holding.is_open)
        return rt_fail(ctx, RT_EFAILED_PRECONDITION, "the copy has ended");
    if (load->is_failed)
        result = rt_fail(ctx, RT_EFAILED_PRECONDITION,
                         "the copy had failed before, and nothing of it is kept");
    else if (!load->reads)
        result = complete_load(ctx, load);
    if (rows)
        *rows = load->row_count;
    return end_load(ctx, load, result);
}

/* --- moving bytes ---------------------------------------------------------------------------- */

static int check_open(rt_ctx *ctx, const rt_sql_load *load, int fits)
{
    if (!load->holding.is_open || load->is_failed)
        return rt_fail(ctx, RT_EFAILED_PRECONDITION, "the copy has %s",
                       load->holding.is_open ? "failed" : "ended");
    if (!fits)
        return rt_fail(ctx, RT_EFAILED_PRECONDITION, "the copy was begun for something else");
    return 0;
}

/* What went wrong in the middle is not mended: from then on it can only end. */
static int note(rt_sql_load *load, int code)
{
    load->is_failed |= code < 0;
    return code;
}

/* A socket that takes all makes nobody wait, and a call may bring a million rows: so the loop has
 * its turn with each chunk, whether or not there is a reason to wait. */
static int send_chunk(rt_ctx *ctx, rt_sql_load *load)
{
    RT_TRY(send_buffer(ctx, load));
    int ready = rt_pg_wait(ctx, load->holding.connection, RT_WRITABLE, 0);
    return ready < 0 ? rt_pg_interrupted(ctx, ready, NULL) : 0;
}

int rt_pg_copy_rows(rt_ctx *ctx, rt_sql_load *load, const rt_sql_value *values, uint64_t row_count)
{
    RT_TRY(check_open(ctx, load, !load->reads && load->format == RT_SQL_COPY_ROWS));
    for (uint64_t i = 0; i < row_count; i++) {
        RT_TRY(note(load, put_row(ctx, load, values + i * load->column_count)));
        if (load->length >= CHUNK)
            RT_TRY(note(load, send_chunk(ctx, load)));
    }
    return 0;
}

int rt_pg_copy_write(rt_ctx *ctx, rt_sql_load *load, const void *data, uint64_t length)
{
    RT_TRY(check_open(ctx, load, !load->reads && load->format != RT_SQL_COPY_ROWS));
    return note(load, send_bytes(ctx, load, data, length));
}

/* 0: there is more to wait for, 1: some came, 2: the end. */
static int take_bytes(rt_ctx *ctx, rt_sql_load *load)
{
    char *bytes = NULL;
    int length = PQgetCopyData(load->holding.connection->pq, &bytes, 1);
    if (length == 0)
        return 0;
    if (length < 0)
        return 2;
    int code = put(ctx, load, bytes, (size_t)length);
    PQfreemem(bytes);
    return code < 0 ? code : 1;
}

static int fill(rt_ctx *ctx, rt_sql_load *load)
{
    while (load->length < CHUNK) {
        int taken = take_bytes(ctx, load);
        if (taken < 0)
            return taken;
        if (taken == 2) {
            load->is_at_end = 1;
            return read_verdict(ctx, load);
        }
        if (taken == 0 && load->length) /* what is here is given out before anyone waits */
            return 0;
        if (taken == 0)
            RT_TRY(rt_pg_await(ctx, load->holding.connection));
    }
    return 0;
}

int rt_pg_copy_read(rt_ctx *ctx, rt_sql_load *load, rt_str *chunk)
{
    RT_TRY(check_open(ctx, load, load->reads));
    load->length = 0;
    if (!load->is_at_end)
        RT_TRY(note(load, fill(ctx, load)));
    *chunk = (rt_str){load->bytes, load->length};
    return 0;
}
