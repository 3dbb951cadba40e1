/* reads.c — a module that reads rows by key, loads and streams them, to measure what sql/1 costs */
#include <rt/cap/sql.h>
#include <rt/rt.h>
#include <stdlib.h>
#include <string.h>

RT_MODULE("reads", "1.0.0", "Reads rows")
RT_SERVES(routes)
RT_REQUIRES(sql, 1)

enum { FIBERS = 32, READS_A_UNIT = 50, ROWS_A_PIECE = 500, NAME_LENGTH = 20 };

struct flood {
    int64_t reads; /* of each fiber */
    int64_t keys;
};

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

/* What pgbench -S asks. */
static int read_row(rt_ctx *ctx, int64_t key, int64_t *balance)
{
    rt_sql_rows rows = {.size = sizeof rows};
    RT_TRY(rt_sql_query(
        ctx, sql,
        RT_SQL_BY_KEY("SELECT abalance FROM pgbench_accounts WHERE aid = $1", rt_sql_int(key)),
        &rows));
    if (rows.row_count != 1)
        return rt_fail(ctx, RT_ENOT_FOUND, "no row %lld", (long long)key);
    *balance = rt_sql_get_int(&rows, 0, 0);
    return 0;
}

/* GET /hello: as long an answer as /row gives */
static int hello(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request;
    return say(ctx, response, "0");
}

/* GET /row/{key} */
static int row(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    int64_t balance;
    RT_TRY(read_row(ctx, number(request, "key"), &balance));
    return say(ctx, response, rt_format(ctx, "%lld", (long long)balance));
}

static int read_some(rt_ctx *ctx, void *argument)
{
    int64_t balance;
    for (int i = 0; i < READS_A_UNIT; i++)
        RT_TRY(read_row(ctx, 1 + rand() % *(int64_t *)argument, &balance));
    return 0;
}

static int read_many(rt_ctx *ctx, void *argument)
{
    struct flood *flood = argument;
    for (int64_t i = 0; i < flood->reads; i += READS_A_UNIT)
        RT_TRY(rt_run(ctx, read_some, &flood->keys));
    return 0;
}

/* GET /flood/{reads}/{keys}: so many reads by 32 fibers; nanoseconds that they took */
static int flood(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    struct flood flood = {number(request, "reads") / FIBERS, number(request, "keys")};
    rt_task *tasks[FIBERS];
    uint64_t begin = rt_now();
    for (int i = 0; i < FIBERS; i++)
        tasks[i] = rt_spawn(ctx, read_many, &flood);
    for (int i = 0; i < FIBERS; i++)
        RT_TRY(rt_join(ctx, tasks[i]));
    return say(ctx, response, rt_format(ctx, "%llu", (unsigned long long)(rt_now() - begin)));
}

static int load_rows(rt_ctx *ctx, rt_sql_load *load, int64_t count)
{
    char name[NAME_LENGTH + 1] = "abcdefghijklmnopqrst";
    rt_sql_value *values = rt_alloc(ctx, ROWS_A_PIECE * 3 * sizeof *values);
    for (int64_t id = 0; id < count;) {
        uint64_t in_piece = 0;
        for (; in_piece < ROWS_A_PIECE && id < count; in_piece++, id++) {
            values[3 * in_piece] = rt_sql_int(id);
            values[3 * in_piece + 1] = rt_sql_text_of(RT_SQL_TEXT, name, NAME_LENGTH);
            values[3 * in_piece + 2] = rt_sql_int(id % 1000);
        }
        RT_TRY(rt_sql_copy_rows(ctx, sql, load, values, in_piece));
    }
    return 0;
}

/* GET /copy/{rows}: that many of three columns into `copied`; nanoseconds that they took */
static int copy(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    int64_t count = number(request, "rows");
    uint64_t loaded = 0, begin = rt_now();
    rt_sql_load *load;
    const rt_sql_copy what = {.size = sizeof what,
                              .format = RT_SQL_COPY_ROWS,
                              .table = "copied",
                              .columns = (const char *const[]){"id", "name", "amount"},
                              .column_count = 3};
    RT_TRY(rt_sql_copy_begin(ctx, sql, &what, &load));
    RT_TRY(load_rows(ctx, load, count));
    RT_TRY(rt_sql_copy_end(ctx, sql, load, &loaded));
    if (loaded != (uint64_t)count)
        return rt_fail(ctx, RT_EINTERNAL, "%llu rows were loaded", (unsigned long long)loaded);
    return say(ctx, response, rt_format(ctx, "%llu", (unsigned long long)(rt_now() - begin)));
}

/* GET /stream/{rows}: all of `copied`; nanoseconds that they took */
static int stream(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    int64_t count = 0;
    uint64_t begin = rt_now();
    rt_sql_stream *open;
    rt_sql_rows rows = {.size = sizeof rows};
    RT_TRY(rt_sql_stream_open(ctx, sql, RT_SQL("SELECT id, name, amount FROM copied"), &open));
    do {
        RT_TRY(rt_sql_stream_next(ctx, sql, open, &rows));
        count += (int64_t)rows.row_count;
    } while (rows.row_count);
    RT_TRY(rt_sql_stream_close(ctx, sql, open));
    if (count != number(request, "rows"))
        return rt_fail(ctx, RT_EINTERNAL, "%lld rows were read", (long long)count);
    return say(ctx, response, rt_format(ctx, "%llu", (unsigned long long)(rt_now() - begin)));
}

RT_REGISTER(registry)
{
    RT_TRY(rt_route(registry, RT_GET, "/hello", hello));
    RT_TRY(rt_route(registry, RT_GET, "/row/{key}", row));
    RT_TRY(rt_route(registry, RT_GET, "/flood/{reads}/{keys}", flood, .timeout = RT_S(600)));
    RT_TRY(rt_route(registry, RT_GET, "/copy/{rows}", copy, .timeout = RT_S(600)));
    return rt_route(registry, RT_GET, "/stream/{rows}", stream, .timeout = RT_S(600));
}
