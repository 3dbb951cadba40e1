/* sql_test.c — sql-test: the double of sql/1
 *
 * Carries statements out in SQLite in memory, so that it does what sqlite does; records every call;
 * fails and answers as a test wants: test-double/1 by method, sql-script/1 by statement. `reset`
 * forgets what tests have put in, not what statements have written.
 */
#include "sql_script.h"
#include "sqlite.h"

#include "testing/recorder.h"

#include <stdlib.h>

RT_MODULE("sql-test", "0.1.0", "Records statements for tests, and answers as they want")
RT_PROVIDES(sql, 1, test, 0)
RT_PROVIDES(test_double, 1, test, 0)
RT_PROVIDES(sql_script, 1, test, 0)
RT_OPTION(int, capacity, RT_DEFAULT(10000) RT_RANGE(1, 1000000), "Most calls kept; the oldest go")

#define STREAM_MAGIC 0x73716c74u

struct double_state {
    rt_recorder *recorder; /* first: rt_recorder_of */
    rt_sql_script *script;
    rt_sqlite *database;
};

/* A stream that a test has written; one of SQLite begins with another number. */
struct scripted_stream {
    uint32_t magic;
    bool ended;
    rt_sql_rows rows;
};

static struct double_state *state_of(const rt_ctx *ctx)
{
    return rt_state(ctx);
}

rt_sqlite *rt_sqlite_here(const rt_ctx *ctx)
{
    return state_of(ctx)->database;
}

/* --- what is recorded ------------------------------------------------------------------------ */

static void put_value(rt_ctx *ctx, rt_json *json, const rt_sql_value *value)
{
    switch (value->type) {
    case RT_SQL_INT:
    case RT_SQL_TIME:
        rt_json_put_int(json, value->value.integer);
        return;
    case RT_SQL_BOOL:
        rt_json_put_bool(json, value->value.integer != 0);
        return;
    case RT_SQL_DOUBLE:
        rt_json_put_real(json, value->value.real);
        return;
    case RT_SQL_TEXT:
    case RT_SQL_UUID:
    case RT_SQL_JSON:
    case RT_SQL_BYTES:
        rt_recorder_put_bytes(ctx, json, (rt_str){value->value.text, value->length});
        return;
    default:
        rt_json_put_null(json);
    }
}

static const char *text_of(rt_ctx *ctx, rt_json *json)
{
    rt_str text = {"{}", 2};
    rt_json_text(json, &text);
    return rt_format(ctx, "%.*s", (int)text.length, text.data);
}

static const char *statement_json(rt_ctx *ctx, const rt_sql_statement *statement)
{
    rt_json *json = rt_json_new(ctx);
    bool sound = statement && RT_HAS(statement, parameter_count) && statement->text;
    rt_json_object(json);
    rt_json_key(json, "statement");
    rt_recorder_put_bytes(ctx, json, rt_string(sound ? statement->text : ""));
    rt_json_key(json, "parameters");
    rt_json_array(json);
    for (uint32_t i = 0; sound && i < statement->parameter_count; i++)
        put_value(ctx, json, &statement->parameters[i]);
    rt_json_end(json);
    rt_json_end(json);
    return text_of(ctx, json);
}

static const char *named_json(rt_ctx *ctx, const char *name, const char *value)
{
    rt_json *json = rt_json_new(ctx);
    rt_json_object(json);
    rt_json_key(json, name);
    rt_recorder_put_bytes(ctx, json, rt_string(value));
    rt_json_end(json);
    return text_of(ctx, json);
}

static const char *number_json(rt_ctx *ctx, const char *name, uint64_t value)
{
    return rt_format(ctx, "{\"%s\":%llu}", name, (unsigned long long)value);
}

/* --- statements, scripted or not ------------------------------------------------------------- */

/* As a statement that failed in the database would, it spoils the transaction. */
static int spoil(rt_ctx *ctx, int result)
{
    const rt_error *error = rt_last_error(ctx);
    void *connection = NULL;
    RT_TRY(rt_tx_acquire(ctx, &connection));
    if (!connection)
        return result;
    ((rt_sqlite_connection *)connection)->failed = true;
    rt_tx_release(ctx);
    return rt_fail_with(ctx, error);
}

static int play(rt_ctx *ctx, const rt_sql_statement *given, rt_sql_rows *rows)
{
    rt_sql_statement statement;
    RT_TRY(rt_sqlite_check(ctx, given, &statement));
    int played = rt_sql_script_play(ctx, state_of(ctx)->script, &statement, rows);
    return played < 0 ? spoil(ctx, played) : played;
}

static int query_plainly(rt_ctx *ctx, const rt_sql_statement *statement, rt_sql_rows *rows)
{
    rt_sql_rows scripted = {.size = sizeof scripted};
    int played = play(ctx, statement, &scripted);
    if (played < 0)
        return played;
    if (played == 0 || !rows || !RT_HAS(rows, values))
        return rt_sqlite_query(ctx, statement, rows);
    rt_struct_copy(rows, &scripted);
    return 0;
}

static int query(rt_ctx *ctx, const rt_sql_statement *statement, rt_sql_rows *rows)
{
    return rt_recorded(ctx, "query", statement_json(ctx, statement), query_plainly, statement,
                       rows);
}

static int exec_plainly(rt_ctx *ctx, const rt_sql_statement *statement, uint64_t *affected)
{
    rt_sql_rows rows = {.size = sizeof rows};
    int played = play(ctx, statement, &rows);
    if (played < 0)
        return played;
    if (played == 0)
        return rt_sqlite_exec(ctx, statement, affected);
    if (affected)
        *affected = rows.row_count;
    return 0;
}

static int exec(rt_ctx *ctx, const rt_sql_statement *statement, uint64_t *affected)
{
    return rt_recorded(ctx, "exec", statement_json(ctx, statement), exec_plainly, statement,
                       affected);
}

/* --- streams --------------------------------------------------------------------------------- */

static struct scripted_stream *scripted(rt_sql_stream *stream)
{
    struct scripted_stream *seen = (struct scripted_stream *)stream;
    return seen && seen->magic == STREAM_MAGIC ? seen : NULL;
}

static int open_plainly(rt_ctx *ctx, const rt_sql_statement *statement, rt_sql_stream **stream)
{
    rt_sql_rows rows = {.size = sizeof rows};
    int played = stream ? play(ctx, statement, &rows) : 0;
    if (played < 0)
        return played;
    if (played == 0)
        return rt_sqlite_stream_open(ctx, statement, stream);
    struct scripted_stream *opened = rt_alloc(ctx, sizeof *opened);
    *opened = (struct scripted_stream){.magic = STREAM_MAGIC, .rows = rows};
    *stream = (rt_sql_stream *)opened;
    return 0;
}

static int stream_open(rt_ctx *ctx, const rt_sql_statement *statement, rt_sql_stream **stream)
{
    return rt_recorded(ctx, "stream_open", statement_json(ctx, statement), open_plainly, statement,
                       stream);
}

static int next_plainly(rt_ctx *ctx, rt_sql_stream *stream, rt_sql_rows *rows)
{
    struct scripted_stream *seen = scripted(stream);
    if (!seen || !rows || !RT_HAS(rows, values))
        return rt_sqlite_stream_next(ctx, seen ? NULL : stream, rows);
    rt_struct_copy(rows, &seen->rows);
    if (seen->ended)
        rows->row_count = 0;
    seen->ended = true;
    return 0;
}

static int stream_next(rt_ctx *ctx, rt_sql_stream *stream, rt_sql_rows *rows)
{
    return rt_recorded(ctx, "stream_next", "{}", next_plainly, stream, rows);
}

static int close_plainly(rt_ctx *ctx, rt_sql_stream *stream)
{
    struct scripted_stream *seen = scripted(stream);
    if (!seen)
        return rt_sqlite_stream_close(ctx, stream);
    seen->magic = 0;
    return 0;
}

static int stream_close(rt_ctx *ctx, rt_sql_stream *stream)
{
    return rt_recorded(ctx, "stream_close", "{}", close_plainly, stream);
}

/* --- all other methods ----------------------------------------------------------------------- */

static int begin(rt_ctx *ctx, const rt_sql_transaction *options)
{
    rt_sql_transaction given = {.size = sizeof given};
    if (options)
        rt_struct_copy(&given, options);
    return rt_recorded(
        ctx, "begin",
        rt_format(ctx, "{\"isolation\":%u,\"read_only\":%u}", given.isolation, given.read_only),
        rt_sqlite_begin, options);
}

static int commit(rt_ctx *ctx)
{
    return rt_recorded(ctx, "commit", "{}", rt_tx_commit);
}

static int rollback(rt_ctx *ctx)
{
    return rt_recorded(ctx, "rollback", "{}", rt_tx_rollback);
}

static int after_commit(rt_ctx *ctx, const rt_sql_hook *hook)
{
    return rt_recorded(ctx, "after_commit", "{}", rt_tx_after_commit, hook);
}

static int copy_begin(rt_ctx *ctx, const rt_sql_copy *copy, rt_sql_load **load)
{
    const char *table = copy && RT_HAS(copy, query) ? copy->table : NULL;
    return rt_recorded(ctx, "copy_begin", named_json(ctx, "table", table ? table : ""),
                       rt_sqlite_copy_begin, copy, load);
}

static int copy_rows(rt_ctx *ctx, rt_sql_load *load, const rt_sql_value *values, uint64_t row_count)
{
    return rt_recorded(ctx, "copy_rows", number_json(ctx, "rows", row_count), rt_sqlite_copy_rows,
                       load, values, row_count);
}

static int copy_write(rt_ctx *ctx, rt_sql_load *load, const void *data, uint64_t length)
{
    return rt_recorded(ctx, "copy_write", number_json(ctx, "bytes", length), rt_sqlite_copy_write,
                       load, data, length);
}

static int copy_read(rt_ctx *ctx, rt_sql_load *load, rt_str *chunk)
{
    return rt_recorded(ctx, "copy_read", "{}", rt_sqlite_copy_read, load, chunk);
}

static int copy_end(rt_ctx *ctx, rt_sql_load *load, uint64_t *rows)
{
    return rt_recorded(ctx, "copy_end", "{}", rt_sqlite_copy_end, load, rows);
}

static int listen_to(rt_ctx *ctx, const char *channel, rt_sql_listener **listener)
{
    return rt_recorded(ctx, "listen", named_json(ctx, "channel", channel), rt_sqlite_listen,
                       channel, listener);
}

static int notified(rt_ctx *ctx, rt_sql_listener *listener, rt_sql_notification *notification)
{
    return rt_recorded(ctx, "notified", "{}", rt_sqlite_notified, listener, notification);
}

static int unlisten(rt_ctx *ctx, rt_sql_listener *listener)
{
    return rt_recorded(ctx, "unlisten", "{}", rt_sqlite_unlisten, listener);
}

static int notify(rt_ctx *ctx, const char *channel, const char *payload)
{
    return rt_recorded(ctx, "notify", named_json(ctx, "channel", channel), rt_sqlite_notify,
                       channel, payload);
}

static int describe(rt_ctx *ctx, rt_sql_server *server)
{
    return rt_recorded(ctx, "describe", "{}", rt_sqlite_describe, server);
}

static int check(rt_ctx *ctx)
{
    return rt_recorded(ctx, "check", "{}", rt_sqlite_check_server);
}

/* --- what tests write ------------------------------------------------------------------------ */

static int script_rows(rt_ctx *ctx, const char *fragment, const rt_sql_rows *rows, uint32_t times)
{
    return rt_sql_script_put_rows(ctx, state_of(ctx)->script, fragment, rows, times);
}

static int script_failure(rt_ctx *ctx, const char *fragment, const char *condition,
                          const char *constraint, uint32_t times)
{
    return rt_sql_script_put_failure(ctx, state_of(ctx)->script, fragment, condition, constraint,
                                     times);
}

static int clear_script(rt_ctx *ctx)
{
    rt_sql_script_forget(state_of(ctx)->script);
    return 0;
}

/* --- life ------------------------------------------------------------------------------------ */

static const char *const methods[] = {"query",       "exec",        "begin",
                                      "commit",      "rollback",    "after_commit",
                                      "stream_open", "stream_next", "stream_close",
                                      "copy_begin",  "copy_rows",   "copy_write",
                                      "copy_read",   "copy_end",    "listen",
                                      "notified",    "unlisten",    "notify",
                                      "describe",    "check",       NULL};

static void reset(rt_ctx *ctx)
{
    clear_script(ctx);
}

static void release(struct double_state *state)
{
    if (state) {
        rt_recorder_close(state->recorder);
        rt_sql_script_close(state->script);
    }
    free(state);
}

static int start(rt_ctx *ctx)
{
    static const rt_sqlite_settings settings = {.path = ":memory:",
                                                .journal = "memory",
                                                .synchronous = "off",
                                                .busy_timeout = INT64_C(5000000000),
                                                .cache_size = 8 << 20};
    struct double_state *state = calloc(1, sizeof *state);
    if (state) {
        state->recorder = rt_recorder_open(methods, (uint32_t)RT_GET(ctx, capacity), reset);
        state->script = rt_sql_script_open();
    }
    int result = state && state->recorder && state->script
                     ? rt_sqlite_open(ctx, &settings, &state->database)
                     : rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "out of memory");
    if (result < 0)
        release(state);
    else
        rt_set_state(ctx, state);
    return result;
}

static int stop(rt_ctx *ctx)
{
    struct double_state *state = rt_state(ctx);
    rt_sqlite_close(ctx, state->database);
    release(state);
    rt_set_state(ctx, NULL);
    return 0;
}

RT_REGISTER(registry)
{
    RT_TRY(rt_on(registry, .start = start, .stop = stop));
    RT_TRY(rt_provide(registry, test_double, RT_RECORDER_METHODS));
    RT_TRY(rt_provide(registry, sql_script, .rows = script_rows, .fail = script_failure,
                      .clear = clear_script));
    return rt_provide(registry, sql, .query = query, .exec = exec, .begin = begin, .commit = commit,
                      .rollback = rollback, .after_commit = after_commit,
                      .stream_open = stream_open, .stream_next = stream_next,
                      .stream_close = stream_close, .copy_begin = copy_begin,
                      .copy_rows = copy_rows, .copy_write = copy_write, .copy_read = copy_read,
                      .copy_end = copy_end, .listen = listen_to, .notified = notified,
                      .unlisten = unlisten, .notify = notify, .describe = describe, .check = check);
}
