/* orders.c — the example application
 *
 * Takes orders over HTTP, keeps them in a database and mails a receipt. It shows what a module is
 * made of: a manifest, a table declared once with its migrations beside this file, routes, and
 * calls of capabilities that it requires and does not choose.
 *
 *     GET  /hello          {"message":"hello"}
 *     POST /orders         {"sku":"tea","quantity":2,"email":"ann@example.org"}
 *     GET  /orders/{id}
 *     GET  /orders?limit=10    the newest first; the field Link says where the next ones are
 *
 * Without settings the orders live in SQLite's memory, which is for development. A path keeps them
 * in a file; three lines of runtime.conf bring them to PostgreSQL:
 *
 *     postgres: {
 *         url = "postgresql://shop@db.example.org/shop";
 *     };
 */
#include "orders_migrations.h"

#include <rt/cap/clock.h>
#include <rt/cap/email.h>
#include <rt/cap/sql.h>
#include <rt/rt.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

RT_MODULE("orders", "0.2.0", "Takes orders and mails receipts")
RT_SERVES(routes)
RT_REQUIRES(sql, 1)
RT_REQUIRES(email, 1)
RT_REQUIRES(clock, 1, RT_RAW)
RT_SLICE("orders")
RT_OPTION(string, from, RT_DEFAULT("orders@example.org") RT_RANGE(3, 254), "Sender of receipts")
RT_OPTION(int, max_items, RT_DEFAULT(100) RT_RANGE(1, 1000), "Most items in one order")
RT_OPTION(duration, receipt_timeout, RT_DEFAULT("10 s") RT_RANGE("10 ms", "1 min"),
          "Time that a receipt may take")

RT_COUNTER(orders_accepted, "orders.accepted", "{order}", "Orders that were accepted")
RT_COUNTER(orders_refused, "orders.refused", "{order}", "Orders that were not valid")
RT_COUNTER(receipts, "orders.receipts", "{mail}", "Receipts by what became of them")
RT_HISTOGRAM(order_size, "orders.size", "{item}", "Items of an order", 1, 2, 5, 10, 20, 50, 100)

/* Yields `struct order` and order_insert, order_find, order_update, order_scroll and so on. A start
 * compares it with the table that migrations/ made. */
#define ORDER_COLUMNS(KEY, COLUMN)                            \
    KEY(id, id, "ord")                                        \
    COLUMN(text, sku)                                         \
    COLUMN(int, quantity)                                     \
    COLUMN(text, email)                                       \
    COLUMN(text, receipt) /* "pending", "sent" or "failed" */ \
    COLUMN(created_at, created_at)                            \
    COLUMN(version, version)
RT_TABLE(order, "orders", ORDER_COLUMNS)

/* --- an order -------------------------------------------------------------------------------- */

/* Lists every wrong field, not only the first. Returns how many there are. */
static int check_order(rt_ctx *ctx, const rt_json_value *body, rt_json *errors)
{
    const char *sku = rt_json_string(rt_json_get(body, "sku"));
    const char *address = rt_json_string(rt_json_get(body, "email"));
    int64_t quantity = rt_json_int(rt_json_get(body, "quantity"), 0);
    const struct {
        const char *field, *message;
        bool valid;
    } rules[] = {
        {"sku", "must be a text of 1 to 64 bytes", sku && sku[0] && strlen(sku) <= 64},
        {"quantity", rt_format(ctx, "must be an integer from 1 to %d", (int)RT_GET(ctx, max_items)),
         quantity >= 1 && quantity <= RT_GET(ctx, max_items)},
        {"email", "must be an address such as `ann@example.org`",
         address && strchr(address, '@') && strlen(address) <= 254 &&
             !strpbrk(address, "\r\n<>\" ")},
    };
    int wrong = 0;
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (rules[i].valid)
            continue;
        wrong++;
        rt_json_object(errors);
        rt_json_key(errors, "field"), rt_json_put_string(errors, rules[i].field);
        rt_json_key(errors, "message"), rt_json_put_string(errors, rules[i].message);
        rt_json_end(errors);
    }
    return wrong;
}

/* The row is stamped with the time of `clock/1`, which tests can set. */
static int keep_order(rt_ctx *ctx, struct order *order)
{
    int64_t now;
    RT_TRY(rt_clock_now(ctx, rt_clock, &now));
    RT_TRY(rt_set_time(ctx, now / 1000));
    return order_insert(ctx, sql, order);
}

/* Without the sku: who orders chooses it, and a label has few values. */
static void count_order(rt_ctx *ctx, const struct order *order)
{
    rt_metric_add(ctx, &orders_accepted, 1);
    rt_metric_record(ctx, &order_size, (double)order->quantity);
}

/* ISO 8601, in UTC, to the millisecond. */
static const char *write_time(rt_ctx *ctx, int64_t microseconds)
{
    char text[32];
    struct tm utc;
    time_t seconds = (time_t)(microseconds / 1000000);
    gmtime_r(&seconds, &utc);
    strftime(text, sizeof text, "%FT%T", &utc);
    return rt_format(ctx, "%s.%03dZ", text, (int)(microseconds / 1000 % 1000));
}

static void write_order(rt_ctx *ctx, rt_json *json, const struct order *order)
{
    rt_json_object(json);
    rt_json_key(json, "id"), rt_json_put_string(json, order->id);
    rt_json_key(json, "sku"), rt_json_put_string(json, order->sku);
    rt_json_key(json, "quantity"), rt_json_put_int(json, order->quantity);
    rt_json_key(json, "email"), rt_json_put_string(json, order->email);
    rt_json_key(json, "createdAt"), rt_json_put_string(json, write_time(ctx, order->created_at));
    rt_json_key(json, "receipt"), rt_json_put_string(json, order->receipt);
    rt_json_end(json);
}

/* --- its receipt ----------------------------------------------------------------------------- */

static int send_receipt(rt_ctx *ctx, void *argument)
{
    const struct order *order = argument;
    const char *to[] = {order->email};
    return rt_email_send(ctx, email,
                         &(rt_email){.size = sizeof(rt_email),
                                     .from = RT_GET(ctx, from),
                                     .to = to,
                                     .to_count = 1,
                                     .subject = rt_format(ctx, "Your order %s", order->id),
                                     .text = rt_format(ctx, "Thank you for ordering %lld x %s.\n",
                                                       (long long)order->quantity, order->sku)},
                         NULL);
}

/* The order was kept as pending before: what is written can be written again, what is mailed cannot
 * be called back. The update is refused if another one was faster, which then holds. */
static void settle_receipt(rt_ctx *ctx, struct order *order)
{
    int sent = rt_run(ctx, send_receipt, order, .name = "orders.receipt",
                      .deadline = rt_now() + (uint64_t)RT_GET(ctx, receipt_timeout));
    rt_metric_add(ctx, &receipts, 1, {"outcome", sent < 0 ? rt_code_name(sent) : "sent"});
    if (sent < 0)
        rt_log_with(ctx, RT_LOG_WARN, "the receipt could not be sent", {"order", order->id},
                    {"code", rt_code_name(sent)});
    order->receipt = sent < 0 ? "failed" : "sent";
    int written = order_update(ctx, sql, order);
    if (written < 0)
        rt_log_with(ctx, RT_LOG_WARN, "what became of the receipt could not be written",
                    {"order", order->id}, {"code", rt_code_name(written)});
}

/* --- routes ---------------------------------------------------------------------------------- */

/* A problem document (RFC 9457) that is open for its errors. */
static rt_json *open_problem(rt_ctx *ctx)
{
    rt_json *json = rt_json_new(ctx);
    rt_json_object(json);
    rt_json_key(json, "type"), rt_json_put_string(json, "about:blank");
    rt_json_key(json, "title"), rt_json_put_string(json, "Unprocessable Content");
    rt_json_key(json, "status"), rt_json_put_int(json, 422);
    rt_json_key(json, "code"), rt_json_put_string(json, rt_code_name(RT_EINVALID_ARGUMENT));
    rt_json_key(json, "detail"), rt_json_put_string(json, "the order is not valid");
    rt_json_key(json, "correlationId"), rt_json_put_string(json, rt_correlation_id(ctx));
    rt_json_key(json, "errors"), rt_json_array(json);
    return json;
}

static int refuse_order(rt_ctx *ctx, rt_response *response, rt_json *problem)
{
    rt_str text;
    rt_json_end(problem), rt_json_end(problem);
    RT_TRY(rt_json_text(problem, &text));
    return rt_respond(ctx, response, 422, "application/problem+json", text);
}

/* A receipt that cannot be sent does not undo the order: the answer says so, and the log why. */
static int place_order(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    const rt_json_value *body;
    RT_TRY(rt_body_json(ctx, request, &body));
    rt_json *problem = open_problem(ctx), *json = rt_json_new(ctx);
    if (check_order(ctx, body, problem) > 0) {
        rt_metric_add(ctx, &orders_refused, 1);
        return refuse_order(ctx, response, problem);
    }

    struct order order = {.sku = rt_json_string(rt_json_get(body, "sku")),
                          .quantity = rt_json_int(rt_json_get(body, "quantity"), 0),
                          .email = rt_json_string(rt_json_get(body, "email")),
                          .receipt = "pending"};
    RT_TRY(keep_order(ctx, &order));
    count_order(ctx, &order);
    settle_receipt(ctx, &order);

    write_order(ctx, json, &order);
    RT_TRY(rt_respond_header(ctx, response, "Location", rt_format(ctx, "/orders/%s", order.id)));
    return rt_respond_json(ctx, response, 201, json);
}

/* What is no id of an order names none: the database is not asked for it. */
static int get_order(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    struct order order;
    rt_str id = rt_param(request, "id");
    int found = order_find(ctx, sql, rt_format(ctx, "%.*s", (int)id.length, id.data), &order);
    if (found == -RT_ENOT_FOUND || found == -RT_EINVALID_ARGUMENT)
        return rt_fail(ctx, RT_ENOT_FOUND, "there is no order `%.*s`", (int)id.length, id.data);
    RT_TRY(found);
    rt_json *json = rt_json_new(ctx);
    write_order(ctx, json, &order);
    return rt_respond_json(ctx, response, 200, json);
}

static int read_limit(rt_ctx *ctx, const rt_request *request, uint32_t *limit)
{
    rt_str text;
    int found = rt_query(ctx, request, "limit", &text);
    *limit = 20;
    if (found == -RT_ENOT_FOUND)
        return 0;
    RT_TRY(found);
    *limit = 0;
    for (uint64_t i = 0; i < text.length && *limit <= 100; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            *limit = 101;
        else
            *limit = *limit * 10 + (uint32_t)(text.data[i] - '0');
    }
    if (*limit < 1 || *limit > 100)
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "`limit` must be an integer from 1 to 100");
    return 0;
}

/* The cursor of the page before; NULL: from the newest on. */
static int read_cursor(rt_ctx *ctx, const rt_request *request, const char **after)
{
    rt_str text;
    int found = rt_query(ctx, request, "after", &text);
    *after = NULL;
    if (found == -RT_ENOT_FOUND)
        return 0;
    RT_TRY(found);
    *after = rt_format(ctx, "%.*s", (int)text.length, text.data);
    return 0;
}

/* Ids ascend with time, so that the greatest is the newest. */
static int list_orders(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    struct order_page page;
    uint32_t limit;
    const char *after;
    RT_TRY(read_limit(ctx, request, &limit));
    RT_TRY(read_cursor(ctx, request, &after));
    RT_TRY(order_scroll(
        ctx, sql, RT_SELECT(RT_ORDER(rt_descending(order, id)), .size = limit, .after = after),
        &page));
    rt_json *json = rt_json_new(ctx);
    rt_json_array(json);
    for (uint64_t i = 0; i < page.count; i++)
        write_order(ctx, json, &page.rows[i]);
    rt_json_end(json);
    if (page.next)
        RT_TRY(rt_respond_header(
            ctx, response, "Link",
            rt_format(ctx, "</orders?limit=%u&after=%s>; rel=\"next\"", limit, page.next)));
    return rt_respond_json(ctx, response, 200, json);
}

static int say_hello(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request;
    return rt_respond(ctx, response, 200, "application/json", RT_STR("{\"message\":\"hello\"}"));
}

RT_REGISTER(registry)
{
    RT_TRY(rt_slice_register(registry, sql, rt_migrations, &order_table));
    RT_TRY(rt_route(registry, RT_GET, "/hello", say_hello));
    RT_TRY(rt_route(registry, RT_POST, "/orders", place_order));
    RT_TRY(rt_route(registry, RT_GET, "/orders", list_orders));
    return rt_route(registry, RT_GET, "/orders/{id}", get_order);
}
