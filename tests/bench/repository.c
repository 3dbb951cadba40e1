/* What finding a row costs beside the database: order_find on a provider that answers at once
 *
 * Traces are off, as the binding has no effects. Exits 1 when it takes more than 500 ns;
 * `valgrind --tool=callgrind --toggle-collect=rt_table_find` tells the instructions.
 */
#include "fiber/fiber.h"
#include "least.h"

#include <rt/cap/sql.h>
#include <rt/rt.h>

enum { TIMES = 10000 };
#define MOST 500.0

#define ORDER_COLUMNS(KEY, COLUMN) \
    KEY(id, id, "ord")             \
    COLUMN(text, sku)              \
    COLUMN(int, quantity)          \
    COLUMN(text_or_null, note)     \
    COLUMN(created_at, created_at) \
    COLUMN(version, version)
RT_TABLE(order, "orders", ORDER_COLUMNS)

static rt_span *no_span(rt_ctx *ctx, const char *name, uint32_t kind)
{
    (void)ctx, (void)name, (void)kind;
    return NULL;
}

static const rt_host table = {.size = sizeof table,
                              .alloc = rt_host_alloc,
                              .format = rt_host_format,
                              .fail = rt_host_fail,
                              .die = rt_host_die,
                              .run = rt_host_run,
                              .context_value = rt_host_context_value,
                              .set_context_value = rt_host_set_context_value,
                              .span_start = no_span};
const rt_host *rt_host_table = &table;

static rt_sql_value values[6];

static int answer(rt_ctx *ctx, const rt_sql_statement *statement, rt_sql_rows *rows)
{
    (void)ctx, (void)statement;
    rows->column_count = 6;
    rows->row_count = 1;
    rows->values = values;
    return 0;
}

static const struct rt_sql_table methods = {.size = sizeof methods, .query = answer};
static rt_instance provider = {.magic = RT_INSTANCE_MAGIC, .size = sizeof(rt_instance)};
static const rt_binding binding = {.table = &methods, .instance = &provider, .count = 1};
static rt_instance caller = {
    .magic = RT_INSTANCE_MAGIC, .size = sizeof(rt_instance), .bindings = &binding};
static struct rt_sql_slot slot;
static int wrong;

static int find_often(rt_ctx *ctx, void *argument)
{
    struct order row = {0};
    for (int i = 0; i < TIMES; i++)
        wrong |= order_find(ctx, &slot, argument, &row) < 0 || row.quantity != 2;
    return 0;
}

/* In a unit of work of its own, whose memory is given back. */
static double measure_find(void *argument)
{
    rt_ctx *ctx = argument;
    uint64_t before = rt_host_now();
    wrong |= rt_run(ctx, find_often, (void *)(uintptr_t)values[0].value.text) < 0;
    return (double)(rt_host_now() - before) / TIMES;
}

static int measure(rt_ctx *ctx, void *argument)
{
    bool *met = argument;
    measurement find = {"order_find without a database", measure_find, ctx, 0};
    values[0] = rt_sql_text(rt_id_make(ctx, "ord"));
    values[1] = rt_sql_text("tea");
    values[2] = rt_sql_int(2);
    values[3] = rt_sql_null();
    values[4] = rt_sql_time(1767268800000000);
    values[5] = rt_sql_int(1);
    least_of_all(&find, 1);
    *met = least_verdict("order_find", find.least, MOST) && !wrong;
    rt_loop_stop();
    return 0;
}

int main(void)
{
    bool met = false;
    if (rt_loop_open(&(rt_loop_options){0}) < 0)
        return 1;
    rt_unit_start(&(rt_unit_options){.instance = &caller, .name = "bench"}, measure, &met);
    rt_loop_run();
    rt_loop_close();
    return !met;
}
