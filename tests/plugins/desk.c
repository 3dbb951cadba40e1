/* desk.c — asks PostgreSQL what the conformance suite cannot: how statements share connections,
 * what a connection keeps, what happens to those that were given up
 *
 *     GET /value?…            the first column of the first row of the statement that is the query
 *     GET /mixed              16 short statements at once, of which every second fails
 *     GET /abandoned          a short statement that is given up, and eight that are not
 *     GET /severed            16 fibers that ask while their connection is ended: who waited for
 * long GET /turnover/{count}   that many texts; how many the two kinds of connection keep of them
 *     GET /forgotten          a statement again after the session has forgotten what it prepared
 *     GET /heard              what comes on the channel `desk`, twice; `gap` for what was missed
 *     GET /streamed/{rows}    how many of them came
 *     GET /copied/{rows}      likewise, into the table `copied`
 */
#include <rt/cap/sql.h>
#include <rt/rt.h>
#include <stdlib.h>
#include <string.h>

RT_MODULE("desk", "1.0.0", "Asks a database")
RT_SERVES(routes)
RT_REQUIRES(sql, 1)

enum { PIECE = 500, FIBERS = 16 };

static int64_t number(const rt_request *request, const char *name)
{
    char digits[24] = "";
    rt_str text = rt_param(request, name);
    memcpy(digits, text.data, text.length < sizeof digits ? text.length : sizeof digits - 1);
    return strtoll(digits, NULL, 10);
}

static int say(rt_ctx *ctx, rt_response *response, const char *text)
{
    return rt_respond(ctx, response, 200, "text/plain", (rt_str){text, strlen(text)});
}

static int ask(rt_ctx *ctx, uint32_t flags, const char *text, int64_t *value)
{
    rt_sql_rows rows = {.size = sizeof rows};
    RT_TRY(rt_sql_query(ctx, sql, RT_SQL_WITH(flags, text), &rows));
    *value = rows.row_count ? rt_sql_get_int(&rows, 0, 0) : -1;
    return 0;
}

/* --- sharing --------------------------------------------------------------------------------- */

struct share {
    int64_t asked, value;
    int result;
};

/* Each its own verdict, so that none of them ends the others. */
static int ask_one(rt_ctx *ctx, void *argument)
{
    struct share *share = argument;
    rt_sql_rows rows = {.size = sizeof rows};
    share->result = rt_sql_query(
        ctx, sql,
        RT_SQL_BY_KEY("SELECT 1000 / ($1::bigint % 2) + $1::bigint", rt_sql_int(share->asked)),
        &rows);
    share->value = share->result == 0 ? rt_sql_get_int(&rows, 0, 0) : 0;
    return 0;
}

static int mixed(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    struct share shares[FIBERS];
    rt_task *tasks[FIBERS];
    int answered = 0, failed = 0;
    (void)request;
    for (int i = 0; i < FIBERS; i++) {
        shares[i] = (struct share){.asked = i};
        tasks[i] = rt_spawn(ctx, ask_one, &shares[i]);
    }
    for (int i = 0; i < FIBERS; i++) {
        RT_TRY(rt_join(ctx, tasks[i]));
        answered += shares[i].result == 0 && shares[i].value == 1000 + i;
        failed += shares[i].result == -RT_EINVALID_ARGUMENT;
    }
    return say(ctx, response, rt_format(ctx, "%d answered, %d failed", answered, failed));
}

static int ask_long(rt_ctx *ctx, void *argument)
{
    rt_sql_rows rows = {.size = sizeof rows};
    (void)argument;
    rt_set_deadline(ctx, rt_now() + RT_MS(50));
    return rt_sql_query(ctx, sql, RT_SQL_BY_KEY("SELECT pg_sleep(0.4)::text"), &rows);
}

static int abandoned(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    int64_t before, after, value, sum = 0;
    (void)request;
    RT_TRY(ask(ctx, RT_SQL_SHORT, "SELECT pg_backend_pid()", &before));
    int given_up = rt_run(ctx, ask_long, NULL);
    for (int i = 0; i < 8; i++) {
        RT_TRY(ask(ctx, RT_SQL_SHORT, "SELECT 1::bigint", &value));
        sum += value;
    }
    RT_TRY(ask(ctx, RT_SQL_SHORT, "SELECT pg_backend_pid()", &after));
    return say(ctx, response,
               rt_format(ctx, "%s, then %lld on %s connection", rt_code_name(given_up),
                         (long long)sum, before == after ? "the same" : "another"));
}

struct severing {
    int64_t process;
    int silent;
};

/* On until the connection is lost, or is another already. */
static int ask_until_lost(rt_ctx *ctx, void *argument)
{
    struct severing *severing = argument;
    int64_t process;
    int result;
    do
        result = ask(ctx, RT_SQL_SHORT, "SELECT pg_backend_pid()", &process);
    while (result == 0 && process == severing->process);
    const rt_error *error = result < 0 ? rt_last_error(ctx) : NULL;
    severing->silent += error && error->detail && strstr(error->detail, "not answered");
    return 0;
}

static int severed(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    rt_task *tasks[FIBERS];
    struct severing severing = {0};
    int64_t ended;
    (void)request;
    RT_TRY(ask(ctx, RT_SQL_SHORT, "SELECT pg_backend_pid()", &severing.process));
    for (int i = 0; i < FIBERS; i++)
        tasks[i] = rt_spawn(ctx, ask_until_lost, &severing);
    RT_TRY(
        ask(ctx, 0,
            rt_format(ctx, "SELECT pg_terminate_backend(%lld)::int", (long long)severing.process),
            &ended));
    for (int i = 0; i < FIBERS; i++)
        RT_TRY(rt_join(ctx, tasks[i]));
    return say(ctx, response, rt_format(ctx, "%d waited in vain", severing.silent));
}

/* --- what is kept ---------------------------------------------------------------------------- */

static int turnover(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    static const uint32_t kinds[] = {0, RT_SQL_SHORT};
    int64_t kept[2], value, count = number(request, "count");
    for (int kind = 0; kind < 2; kind++) {
        for (int64_t i = 0; i < 2 * count; i++) {
            const char *text = rt_format(ctx, "SELECT %lld::bigint", (long long)(i % count));
            RT_TRY(ask(ctx, kinds[kind], text, &value));
            if (value != i % count)
                return rt_fail(ctx, RT_EINTERNAL, "`%s` gave %lld", text, (long long)value);
        }
        RT_TRY(ask(ctx, kinds[kind], "SELECT count(*) FROM pg_prepared_statements", &kept[kind]));
    }
    return say(ctx, response, rt_format(ctx, "%lld, %lld", (long long)kept[0], (long long)kept[1]));
}

static int forgotten(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    int64_t first, second;
    (void)request;
    RT_TRY(ask(ctx, 0, "SELECT 41::bigint", &first));
    RT_TRY(rt_sql_exec(ctx, sql, RT_SQL_WITH(RT_SQL_SCRIPT, "DEALLOCATE ALL"), NULL));
    RT_TRY(ask(ctx, 0, "SELECT 41::bigint", &second));
    return say(ctx, response, rt_format(ctx, "%lld", (long long)(first + second)));
}

static int value(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    rt_sql_rows rows = {.size = sizeof rows};
    rt_str text;
    RT_TRY(rt_query(ctx, request, "q", &text));
    RT_TRY(
        rt_sql_query(ctx, sql, RT_SQL(rt_format(ctx, "%.*s", (int)text.length, text.data)), &rows));
    return say(ctx, response, rt_sql_get_text(&rows, 0, 0));
}

/* --- notifications --------------------------------------------------------------------------- */

static int heard(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    const char *story = "";
    rt_sql_listener *listener;
    (void)request;
    RT_TRY(rt_sql_listen(ctx, sql, "desk", &listener));
    rt_log(ctx, RT_LOG_INFO, "the desk listens");
    for (int i = 0; i < 2; i++) {
        rt_sql_notification told = {.size = sizeof told};
        RT_TRY(rt_sql_notified(ctx, sql, listener, &told));
        story = rt_format(ctx, "%s%s%s", story, i ? ", " : "", told.channel ? told.payload : "gap");
        rt_log(ctx, RT_LOG_INFO, "the desk heard %s", story);
    }
    return say(ctx, response, story);
}

/* --- much ------------------------------------------------------------------------------------ */

static int streamed(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    rt_sql_stream *stream;
    rt_sql_rows rows = {.size = sizeof rows};
    uint64_t count = 0;
    RT_TRY(rt_sql_stream_open(
        ctx, sql,
        RT_SQL("SELECT i, repeat('x', 100) FROM generate_series(1, $1::bigint) AS i",
               rt_sql_int(number(request, "rows"))),
        &stream));
    do {
        RT_TRY(rt_sql_stream_next(ctx, sql, stream, &rows));
        count += rows.row_count;
    } while (rows.row_count);
    RT_TRY(rt_sql_stream_close(ctx, sql, stream));
    return say(ctx, response, rt_format(ctx, "%llu", (unsigned long long)count));
}

static int copied(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    const rt_sql_copy what = {.size = sizeof what,
                              .table = "copied",
                              .columns = (const char *const[]){"id", "name"},
                              .column_count = 2};
    int64_t count = number(request, "rows");
    uint64_t loaded;
    rt_sql_load *load;
    rt_sql_value *values = rt_alloc(ctx, PIECE * 2 * sizeof *values);
    RT_TRY(rt_sql_exec(ctx, sql,
                       RT_SQL_WITH(RT_SQL_SCRIPT, "DROP TABLE IF EXISTS copied;"
                                                  "CREATE TABLE copied (id bigint, name text)"),
                       NULL));
    RT_TRY(rt_sql_copy_begin(ctx, sql, &what, &load));
    for (int64_t id = 0; id < count; id += PIECE) {
        for (int i = 0; i < PIECE; i++) {
            values[2 * i] = rt_sql_int(id + i);
            values[2 * i + 1] = rt_sql_text("a name of some length, to be loaded");
        }
        RT_TRY(rt_sql_copy_rows(ctx, sql, load, values, PIECE));
    }
    RT_TRY(rt_sql_copy_end(ctx, sql, load, &loaded));
    return say(ctx, response, rt_format(ctx, "%llu", (unsigned long long)loaded));
}

RT_REGISTER(registry)
{
    RT_TRY(rt_route(registry, RT_GET, "/value", value));
    RT_TRY(rt_route(registry, RT_GET, "/mixed", mixed));
    RT_TRY(rt_route(registry, RT_GET, "/abandoned", abandoned));
    RT_TRY(rt_route(registry, RT_GET, "/severed", severed));
    RT_TRY(rt_route(registry, RT_GET, "/turnover/{count}", turnover));
    RT_TRY(rt_route(registry, RT_GET, "/forgotten", forgotten));
    RT_TRY(rt_route(registry, RT_GET, "/heard", heard));
    RT_TRY(rt_route(registry, RT_GET, "/streamed/{rows}", streamed));
    return rt_route(registry, RT_GET, "/copied/{rows}", copied);
}
