/* Accounts and transfers over sql/1, for tests that take the database away meanwhile. Each transfer
 * is one transaction of a row that tells of it and two accounts, so that anything half-written
 * shows. */
#include <rt/cap/sql.h>
#include <rt/rt.h>
#include <stdlib.h>
#include <string.h>

RT_MODULE("ledger", "1.0.0", "Moves money between accounts")
RT_SERVES(routes)
RT_REQUIRES(sql, 1)
RT_OPTION(int, opening, RT_DEFAULT(1000), "What each account begins with")

static const char tables[] =
    "DROP TABLE IF EXISTS ledger_accounts;"
    "DROP TABLE IF EXISTS ledger_transfers;"
    "DROP TABLE IF EXISTS ledger_bulk;"
    "CREATE TABLE ledger_accounts (id bigint PRIMARY KEY, balance bigint NOT NULL);"
    "CREATE TABLE ledger_transfers (id text PRIMARY KEY, payer bigint NOT NULL,"
    " payee bigint NOT NULL, amount bigint NOT NULL);"
    "CREATE TABLE ledger_bulk (id bigint NOT NULL, filler text NOT NULL)";

/* Accounts, their sum, transfers, and accounts that the transfers do not explain. */
static const char books[] =
    "SELECT (SELECT count(*) FROM ledger_accounts),"
    " (SELECT CAST(coalesce(sum(balance), 0) AS bigint) FROM ledger_accounts),"
    " (SELECT count(*) FROM ledger_transfers),"
    " (SELECT count(*) FROM ledger_accounts a"
    "  LEFT JOIN (SELECT payer, sum(amount) AS total FROM ledger_transfers GROUP BY payer) o"
    "  ON o.payer = a.id"
    "  LEFT JOIN (SELECT payee, sum(amount) AS total FROM ledger_transfers GROUP BY payee) i"
    "  ON i.payee = a.id"
    "  WHERE a.balance <> CAST($1 AS bigint) - coalesce(o.total, 0) + coalesce(i.total, 0))";

struct transfer {
    const char *id;
    int64_t payer, payee, amount;
    uint64_t pause; /* in the middle, nanoseconds */
};

static const char *word(rt_ctx *ctx, const rt_request *request, const char *name)
{
    rt_str value = rt_param(request, name);
    return rt_format(ctx, "%.*s", (int)value.length, value.data ? value.data : "");
}

static int64_t number(rt_ctx *ctx, const rt_request *request, const char *name)
{
    return strtoll(word(ctx, request, name), NULL, 10);
}

static int say(rt_ctx *ctx, rt_response *response, const char *text)
{
    return rt_respond(ctx, response, 200, "text/plain", (rt_str){text, strlen(text)});
}

static int open_accounts(rt_ctx *ctx, void *argument)
{
    for (int64_t id = 0; id < *(int64_t *)argument; id++)
        RT_TRY(rt_sql_exec(ctx, sql,
                           RT_SQL("INSERT INTO ledger_accounts (id, balance) VALUES ($1, $2)",
                                  rt_sql_int(id), rt_sql_int(RT_GET(ctx, opening))),
                           NULL));
    return 0;
}

static int set_up(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    int64_t count = number(ctx, request, "accounts");
    RT_TRY(rt_sql_exec(ctx, sql, RT_SQL_WITH(RT_SQL_SCRIPT, tables), NULL));
    RT_TRY(rt_sql_tx(ctx, sql, open_accounts, &count));
    return say(ctx, response, "open");
}

static int book(rt_ctx *ctx, int64_t account, int64_t amount)
{
    uint64_t changed;
    RT_TRY(rt_sql_exec(ctx, sql,
                       RT_SQL("UPDATE ledger_accounts SET balance = balance + $2 WHERE id = $1",
                              rt_sql_int(account), rt_sql_int(amount)),
                       &changed));
    return changed == 1 ? 0 : rt_fail(ctx, RT_ENOT_FOUND, "no account %lld", (long long)account);
}

static int move(rt_ctx *ctx, void *argument)
{
    const struct transfer *transfer = argument;
    RT_TRY(rt_sql_exec(ctx, sql,
                       RT_SQL("INSERT INTO ledger_transfers (id, payer, payee, amount)"
                              " VALUES ($1, $2, $3, $4)",
                              rt_sql_text(transfer->id), rt_sql_int(transfer->payer),
                              rt_sql_int(transfer->payee), rt_sql_int(transfer->amount)),
                       NULL));
    RT_TRY(book(ctx, transfer->payer, -transfer->amount));
    if (transfer->pause) {
        rt_log(ctx, RT_LOG_INFO, "transfer `%s` is half done", transfer->id);
        RT_TRY(rt_sleep(ctx, transfer->pause));
    }
    return book(ctx, transfer->payee, transfer->amount);
}

/* Accounts are locked in any order, so that deadlocks are part of it. */
static int transfer(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    struct transfer it = {.id = word(ctx, request, "id"),
                          .payer = number(ctx, request, "payer"),
                          .payee = number(ctx, request, "payee"),
                          .amount = number(ctx, request, "amount"),
                          .pause = RT_MS((uint64_t)number(ctx, request, "pause"))};
    RT_TRY(rt_sql_tx(ctx, sql, move, &it, .attempts = 10));
    return say(ctx, response, "moved");
}

static int sum(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request;
    rt_sql_rows rows = {.size = sizeof rows};
    RT_TRY(rt_sql_query(ctx, sql, RT_SQL(books, rt_sql_int(RT_GET(ctx, opening))), &rows));
    static const char *const names[] = {"accounts", "sum", "transfers", "unexplained"};
    rt_json *json = rt_json_new(ctx);
    rt_json_object(json);
    for (uint32_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        rt_json_key(json, names[i]);
        rt_json_put_int(json, rt_sql_get_int(&rows, 0, i));
    }
    rt_json_end(json);
    return rt_respond_json(ctx, response, 200, json);
}

/* The ids of all transfers, a line each. */
static int list(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request;
    rt_sql_stream *stream;
    rt_sql_rows rows = {.size = sizeof rows};
    RT_TRY(rt_sql_stream_open(ctx, sql, RT_SQL("SELECT id FROM ledger_transfers"), &stream));
    RT_TRY(rt_respond_begin(ctx, response, 200, "text/plain"));
    do {
        RT_TRY(rt_sql_stream_next(ctx, sql, stream, &rows));
        char *text = rt_alloc(ctx, rows.row_count * 64 + 1), *end = text;
        for (uint64_t i = 0; i < rows.row_count; i++) {
            end = stpncpy(end, rt_sql_get_text(&rows, i, 0), 62);
            *end++ = '\n';
        }
        if (end > text)
            RT_TRY(rt_respond_write(ctx, response, (rt_str){text, (uint64_t)(end - text)}));
    } while (rows.row_count);
    return rt_sql_stream_close(ctx, sql, stream);
}

static int read_balance(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    rt_sql_rows rows = {.size = sizeof rows};
    RT_TRY(rt_sql_query(ctx, sql,
                        RT_SQL_BY_KEY("SELECT balance FROM ledger_accounts WHERE id = $1",
                                      rt_sql_int(number(ctx, request, "id"))),
                        &rows));
    if (!rows.row_count)
        return rt_fail(ctx, RT_ENOT_FOUND, "no such account");
    return say(ctx, response, rt_format(ctx, "%lld", (long long)rt_sql_get_int(&rows, 0, 0)));
}

/* A statement that keeps the server busy for so long; sqlite counts instead. */
static int wait(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    const char *text = rt_sql_in_dialect(
        ctx, sql,
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1 * 5000)"
        " SELECT count(*) FROM n",
        "SELECT 1 FROM pg_sleep(CAST($1 AS bigint) / 1000.0)");
    rt_sql_rows rows = {.size = sizeof rows};
    RT_TRY(rt_sql_query(ctx, sql, RT_SQL(text, rt_sql_int(number(ctx, request, "pause"))), &rows));
    return say(ctx, response, "waited");
}

static int fill(rt_ctx *ctx, void *argument)
{
    char filler[1001];
    memset(filler, 'x', sizeof filler - 1);
    filler[sizeof filler - 1] = '\0';
    for (int64_t id = 0; id < *(int64_t *)argument; id++)
        RT_TRY(rt_sql_exec(ctx, sql,
                           RT_SQL("INSERT INTO ledger_bulk (id, filler) VALUES ($1, $2)",
                                  rt_sql_int(id), rt_sql_text(filler)),
                           NULL));
    return 0;
}

/* So many rows of a thousand bytes in one transaction. */
static int bulk(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    int64_t count = number(ctx, request, "rows");
    RT_TRY(rt_sql_tx(ctx, sql, fill, &count));
    return say(ctx, response, "filled");
}

static int bulk_count(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request;
    rt_sql_rows rows = {.size = sizeof rows};
    RT_TRY(rt_sql_query(ctx, sql, RT_SQL("SELECT count(*) FROM ledger_bulk"), &rows));
    return say(ctx, response, rt_format(ctx, "%lld", (long long)rt_sql_get_int(&rows, 0, 0)));
}

/* Asks nothing of the database. */
static int plain(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request;
    return say(ctx, response, "plain");
}

RT_REGISTER(registry)
{
    RT_TRY(rt_route(registry, RT_POST, "/setup/{accounts}", set_up));
    RT_TRY(rt_route(registry, RT_POST, "/transfer/{id}/{payer}/{payee}/{amount}", transfer));
    RT_TRY(rt_route(registry, RT_POST, "/hold/{id}/{payer}/{payee}/{amount}/{pause}", transfer));
    RT_TRY(rt_route(registry, RT_GET, "/sum", sum));
    RT_TRY(rt_route(registry, RT_GET, "/transfers", list));
    RT_TRY(rt_route(registry, RT_GET, "/read/{id}", read_balance));
    RT_TRY(rt_route(registry, RT_GET, "/wait/{pause}", wait));
    RT_TRY(rt_route(registry, RT_GET, "/bulk", bulk_count));
    RT_TRY(rt_route(registry, RT_POST, "/bulk/{rows}", bulk));
    return rt_route(registry, RT_GET, "/plain", plain);
}
