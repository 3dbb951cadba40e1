/* orders.c — the example application
 *
 * Takes orders over HTTP, keeps them in memory and mails a receipt. It shows what a module is made
 * of: a manifest, state of its instance, routes, and calls of capabilities that it requires and
 * does not choose. Its orders live in one process, so it says RT_PROCESS_LOCAL: a plan with more
 * workers is refused.
 *
 *     GET  /hello          {"message":"hello"}
 *     POST /orders         {"sku":"tea","quantity":2,"email":"ann@example.org"}
 *     GET  /orders/{id}
 *     GET  /orders?limit=10
 */
#include <rt/cap/clock.h>
#include <rt/cap/email.h>
#include <rt/rt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

RT_MODULE("orders", "0.1.0", "Takes orders and mails receipts", RT_PROCESS_LOCAL)
RT_SERVES(routes)
RT_REQUIRES(email, 1)
RT_REQUIRES(clock, 1, RT_RAW)
RT_OPTION(string, from, RT_DEFAULT("orders@example.org") RT_RANGE(3, 254), "Sender of receipts")
RT_OPTION(int, max_items, RT_DEFAULT(100) RT_RANGE(1, 1000), "Most items in one order")
RT_OPTION(int, capacity, RT_DEFAULT(10000) RT_RANGE(1, 1000000), "Most orders kept; the oldest go")
RT_OPTION(duration, receipt_timeout, RT_DEFAULT("10 s") RT_RANGE("10 ms", "1 min"),
          "Time that a receipt may take")

RT_COUNTER(orders_accepted, "orders.accepted", "{order}", "Orders that were accepted")
RT_COUNTER(orders_refused, "orders.refused", "{order}", "Orders that were not valid")
RT_COUNTER(receipts, "orders.receipts", "{mail}", "Receipts by what became of them")
RT_GAUGE(orders_kept, "orders.kept", "{order}", "Orders in memory")
RT_HISTOGRAM(order_size, "orders.size", "{item}", "Items of an order", 1, 2, 5, 10, 20, 50, 100)

struct order {
    char id[32]; /* ord_… */
    char sku[65];
    char email[255];
    char created_at[32]; /* ISO 8601, UTC */
    int64_t quantity;
    bool receipt_sent;
};

struct shop {
    struct order *orders; /* a ring: order n lies at n % capacity */
    uint64_t capacity;
    uint64_t count; /* ever taken */
};

static uint64_t kept(const struct shop *shop)
{
    return shop->count < shop->capacity ? shop->count : shop->capacity;
}

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

/* Typed, and in the order of time: 48 bits of milliseconds and 64 random ones. */
static int stamp_order(rt_ctx *ctx, struct order *order)
{
    int64_t now;
    uint64_t random;
    struct tm utc;
    RT_TRY(rt_clock_now(ctx, rt_clock, &now));
    time_t seconds = (time_t)(now / 1000000000);
    if (getrandom(&random, sizeof random, 0) != sizeof random || !gmtime_r(&seconds, &utc))
        return rt_fail(ctx, RT_EINTERNAL, "cannot make an order id");
    snprintf(order->id, sizeof order->id, "ord_%011llx%016llx",
             (unsigned long long)(now / 1000000) & 0xfffffffffffull, (unsigned long long)random);
    size_t length = strftime(order->created_at, sizeof order->created_at, "%FT%T", &utc);
    snprintf(order->created_at + length, sizeof order->created_at - length, ".%03dZ",
             (int)(now / 1000000 % 1000));
    return 0;
}

static struct order *keep_order(struct shop *shop, const struct order *order)
{
    struct order *place = &shop->orders[shop->count++ % shop->capacity];
    *place = *order;
    return place;
}

/* Without the sku: who orders chooses it, and a label has few values. */
static void count_order(rt_ctx *ctx, const struct order *order)
{
    rt_metric_add(ctx, &orders_accepted, 1);
    rt_metric_record(ctx, &order_size, (double)order->quantity);
    rt_metric_set(ctx, &orders_kept, (double)kept(rt_state(ctx)));
}

static void write_order(rt_json *json, const struct order *order)
{
    rt_json_object(json);
    rt_json_key(json, "id"), rt_json_put_string(json, order->id);
    rt_json_key(json, "sku"), rt_json_put_string(json, order->sku);
    rt_json_key(json, "quantity"), rt_json_put_int(json, order->quantity);
    rt_json_key(json, "email"), rt_json_put_string(json, order->email);
    rt_json_key(json, "createdAt"), rt_json_put_string(json, order->created_at);
    rt_json_key(json, "receipt"), rt_json_put_string(json, order->receipt_sent ? "sent" : "failed");
    rt_json_end(json);
}

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

    struct order order = {.quantity = rt_json_int(rt_json_get(body, "quantity"), 0)};
    strcpy(order.sku, rt_json_string(rt_json_get(body, "sku")));
    strcpy(order.email, rt_json_string(rt_json_get(body, "email")));
    RT_TRY(stamp_order(ctx, &order));
    struct order *place = keep_order(rt_state(ctx), &order);
    count_order(ctx, &order);

    int sent = rt_run(ctx, send_receipt, &order, .name = "orders.receipt",
                      .deadline = rt_now() + (uint64_t)RT_GET(ctx, receipt_timeout));
    order.receipt_sent = sent == 0;
    rt_metric_add(ctx, &receipts, 1, {"outcome", sent < 0 ? rt_code_name(sent) : "sent"});
    if (strcmp(place->id, order.id) == 0) /* others may have taken its place while we waited */
        place->receipt_sent = order.receipt_sent;
    if (sent < 0)
        rt_log_with(ctx, RT_LOG_WARN, "the receipt could not be sent", {"order", order.id},
                    {"code", rt_code_name(sent)});

    write_order(json, &order);
    RT_TRY(rt_respond_header(ctx, response, "Location", rt_format(ctx, "/orders/%s", order.id)));
    return rt_respond_json(ctx, response, 201, json);
}

static int get_order(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    struct shop *shop = rt_state(ctx);
    rt_str id = rt_param(request, "id");
    for (uint64_t i = 0; i < kept(shop); i++) {
        const struct order *order = &shop->orders[i];
        if (strlen(order->id) != id.length || memcmp(order->id, id.data, id.length) != 0)
            continue;
        rt_json *json = rt_json_new(ctx);
        write_order(json, order);
        return rt_respond_json(ctx, response, 200, json);
    }
    return rt_fail(ctx, RT_ENOT_FOUND, "there is no order `%.*s`", (int)id.length, id.data);
}

static int read_limit(rt_ctx *ctx, const rt_request *request, uint64_t *limit)
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
            *limit = *limit * 10 + (uint64_t)(text.data[i] - '0');
    }
    if (*limit < 1 || *limit > 100)
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "`limit` must be an integer from 1 to 100");
    return 0;
}

static int list_orders(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    struct shop *shop = rt_state(ctx);
    uint64_t limit;
    RT_TRY(read_limit(ctx, request, &limit));
    rt_json *json = rt_json_new(ctx);
    rt_json_array(json);
    for (uint64_t i = 1; i <= kept(shop) && i <= limit; i++)
        write_order(json, &shop->orders[(shop->count - i) % shop->capacity]);
    rt_json_end(json);
    return rt_respond_json(ctx, response, 200, json);
}

static int say_hello(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request;
    return rt_respond(ctx, response, 200, "application/json", RT_STR("{\"message\":\"hello\"}"));
}

/* --- life ------------------------------------------------------------------------------------ */

static int open_shop(rt_ctx *ctx)
{
    struct shop *shop = calloc(1, sizeof *shop);
    uint64_t capacity = (uint64_t)RT_GET(ctx, capacity);
    if (!shop || !(shop->orders = calloc(capacity, sizeof *shop->orders))) {
        free(shop);
        return rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "no memory for %d orders", (int)capacity);
    }
    shop->capacity = capacity;
    rt_set_state(ctx, shop);
    return 0;
}

static int close_shop(rt_ctx *ctx)
{
    struct shop *shop = rt_state(ctx);
    free(shop->orders);
    free(shop);
    return 0;
}

RT_REGISTER(registry)
{
    RT_TRY(rt_on(registry, .start = open_shop, .stop = close_shop));
    RT_TRY(rt_route(registry, RT_GET, "/hello", say_hello));
    RT_TRY(rt_route(registry, RT_POST, "/orders", place_order));
    RT_TRY(rt_route(registry, RT_GET, "/orders", list_orders));
    return rt_route(registry, RT_GET, "/orders/{id}", get_order);
}
