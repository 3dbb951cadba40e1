/* probe_sql.c — probe-sql: sql/1 over HTTP
 *
 *     POST /sql     {"transaction":{"read_only":true,"attempts":5},"timeout":100,
 *                    "do":[{"query":"SELECT $1","with":[1]},{"exec":"…"},{"script":"…"},
 *                          {"stream":"…","pieces":3},{"load":"orders","columns":["id"],"rows":[[1]]},
 *                          {"hold":true}]}
 *         [{"types":["int"],"rows":[[1]]},{"affected":1},…,{"error":{…}}]
 *     GET  /holding how many wait in a `hold`, which lasts until the request is cancelled
 *     GET  /worker  the id of the process
 *     POST /script  {"fragment":"…","fail":"UNIQUE_VIOLATION","constraint":"…","row":"…","times":1}
 *     GET  /call    the newest call that the double has recorded
 */
#include <rt/cap/sql.h>
#include <rt/cap/sql_script.h>
#include <rt/cap/test_double.h>
#include <rt/rt.h>

#include <stdlib.h>
#include <unistd.h>

RT_MODULE("probe-sql", "0.1.0", "Offers sql/1 over HTTP")
RT_SERVES(routes)
RT_REQUIRES(sql, 1)
RT_OPTIONAL(sql_script, 1)
RT_OPTIONAL(test_double, 1)

/* The answer outlives the unit of work of a transaction. */
struct work {
    const rt_json_value *steps;
    char *text;
};

/* --- values ---------------------------------------------------------------------------------- */

static rt_sql_value value_of(const rt_json_value *given)
{
    const rt_json_value *kind = given->type == RT_JSON_OBJECT ? given->value.first : NULL;
    switch (given->type) {
    case RT_JSON_INT:
        return rt_sql_int(given->value.integer);
    case RT_JSON_BOOL:
        return rt_sql_bool(given->value.integer != 0);
    case RT_JSON_REAL:
        return rt_sql_double(given->value.real);
    case RT_JSON_STRING:
        return rt_sql_text(given->value.text);
    case RT_JSON_OBJECT:
        if (strcmp(kind->key, "time") == 0)
            return rt_sql_time(kind->value.integer);
        return rt_sql_text_of(strcmp(kind->key, "uuid") == 0 ? RT_SQL_UUID : RT_SQL_JSON,
                              kind->value.text, strlen(kind->value.text));
    default:
        return rt_sql_null();
    }
}

static rt_sql_value *values_of(rt_ctx *ctx, const rt_json_value *list)
{
    rt_sql_value *values = rt_alloc(ctx, ((list ? list->count : 0) + 1) * sizeof *values), *next;
    next = values;
    for (const rt_json_value *item = list ? list->value.first : NULL; item; item = item->next)
        *next++ = value_of(item);
    return values;
}

static void put_value(rt_json *json, const rt_sql_value *value)
{
    switch (value->type) {
    case RT_SQL_NULL:
        rt_json_put_null(json);
        return;
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
    default:
        rt_json_put_str(json, (rt_str){value->value.text, value->length});
    }
}

static void put_rows(rt_json *json, const rt_sql_rows *rows)
{
    static const char *const types[] = {"null", "int",  "double", "text", "bytes",
                                        "bool", "time", "uuid",   "json", "array"};
    rt_json_object(json);
    rt_json_key(json, "types"), rt_json_array(json);
    for (uint32_t i = 0; i < rows->column_count; i++)
        rt_json_put_string(json, types[rows->columns[i].type]);
    rt_json_end(json);
    rt_json_key(json, "rows"), rt_json_array(json);
    for (uint64_t i = 0; i < rows->row_count; i++) {
        rt_json_array(json);
        for (uint32_t k = 0; k < rows->column_count; k++)
            put_value(json, rt_sql_get(rows, i, k));
        rt_json_end(json);
    }
    rt_json_end(json);
    rt_json_end(json);
}

static void put_number(rt_json *json, const char *key, uint64_t number)
{
    rt_json_object(json);
    rt_json_key(json, key), rt_json_put_int(json, (int64_t)number);
    rt_json_end(json);
}

static void put_error(rt_json *json, const rt_error *error, int result)
{
    static const char *const names[] = {"sqlstate", "constraint", "table",
                                        "column",   "statement",  "parameters"};
    rt_json_object(json);
    rt_json_key(json, "error"), rt_json_object(json);
    rt_json_key(json, "code"), rt_json_put_string(json, rt_code_name(result));
    if (error) {
        rt_json_key(json, "domain"), rt_json_put_string(json, error->domain);
        rt_json_key(json, "message"), rt_json_put_string(json, error->message);
        rt_json_key(json, "retryable"), rt_json_put_bool(json, error->retryable != 0);
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (rt_error_text(error, names[i]))
            rt_json_key(json, names[i]), rt_json_put_string(json, rt_error_text(error, names[i]));
    rt_json_end(json);
    rt_json_end(json);
}

/* --- steps ----------------------------------------------------------------------------------- */

static int read_stream(rt_ctx *ctx, const rt_sql_statement *statement, int64_t most, rt_json *json)
{
    rt_sql_stream *stream;
    uint64_t rows = 0, pieces = 0;
    RT_TRY(rt_sql_stream_open(ctx, sql, statement, &stream));
    for (rt_sql_rows piece = {.size = sizeof piece}; pieces < (uint64_t)most; pieces++) {
        RT_TRY(rt_sql_stream_next(ctx, sql, stream, &piece));
        if (!piece.row_count)
            break;
        rows += piece.row_count;
    }
    RT_TRY(rt_sql_stream_close(ctx, sql, stream));
    put_number(json, "streamed", rows);
    return 0;
}

static int load(rt_ctx *ctx, const rt_json_value *step, const char *table, rt_json *json)
{
    const rt_json_value *names = rt_json_get(step, "columns"), *rows = rt_json_get(step, "rows");
    const char **columns = rt_alloc(ctx, (names->count + 1) * sizeof *columns);
    uint32_t count = 0;
    uint64_t loaded = 0;
    rt_sql_load *handle;
    for (const rt_json_value *name = names->value.first; name; name = name->next)
        columns[count++] = name->value.text;
    RT_TRY(rt_sql_copy_begin(
        ctx, sql,
        &(rt_sql_copy){
            .size = sizeof(rt_sql_copy), .table = table, .columns = columns, .column_count = count},
        &handle));
    for (const rt_json_value *row = rows->value.first; row; row = row->next)
        RT_TRY(rt_sql_copy_rows(ctx, sql, handle, values_of(ctx, row), 1));
    if (rt_json_get(step, "abandon"))
        return 0;
    RT_TRY(rt_sql_copy_end(ctx, sql, handle, &loaded));
    put_number(json, "loaded", loaded);
    return 0;
}

static int forget_holder(rt_ctx *ctx, int result)
{
    *(int64_t *)rt_state(ctx) -= 1;
    return result;
}

static int run_step(rt_ctx *ctx, const rt_json_value *step, rt_json *json)
{
    const rt_json_value *with = rt_json_get(step, "with"), *first = step->value.first;
    rt_sql_statement statement = {.size = sizeof statement,
                                  .text = rt_json_string(first),
                                  .parameters = values_of(ctx, with),
                                  .parameter_count = with ? (uint32_t)with->count : 0};
    rt_sql_rows rows = {.size = sizeof rows};
    uint64_t affected = 0;
    if (strcmp(first->key, "query") == 0) {
        RT_TRY(rt_sql_query(ctx, sql, &statement, &rows));
        put_rows(json, &rows);
        return 0;
    }
    if (strcmp(first->key, "stream") == 0)
        return read_stream(ctx, &statement, rt_json_int(rt_json_get(step, "pieces"), INT64_MAX),
                           json);
    if (strcmp(first->key, "load") == 0)
        return load(ctx, step, statement.text, json);
    if (strcmp(first->key, "hold") == 0) {
        *(int64_t *)rt_state(ctx) += 1;
        return forget_holder(ctx, rt_sleep(ctx, RT_S(600)));
    }
    statement.flags = strcmp(first->key, "script") == 0 ? RT_SQL_SCRIPT : 0;
    RT_TRY(rt_sql_exec(ctx, sql, &statement, &affected));
    put_number(json, "affected", affected);
    return 0;
}

static int run_steps(rt_ctx *ctx, void *argument)
{
    struct work *work = argument;
    rt_json *json = rt_json_new(ctx);
    rt_str text;
    rt_json_array(json);
    int result = 0;
    for (const rt_json_value *step = work->steps->value.first; step && result == 0;
         step = step->next)
        result = run_step(ctx, step, json);
    if (result < 0)
        put_error(json, rt_last_error(ctx), result);
    rt_json_end(json);
    RT_TRY(rt_json_text(json, &text));
    free(work->text); /* of the attempt before */
    work->text = strndup(text.data, text.length);
    return result;
}

static int run_limited(rt_ctx *ctx, const rt_json_value *body, struct work *work)
{
    const rt_json_value *transaction = rt_json_get(body, "transaction");
    int64_t timeout = rt_json_int(rt_json_get(body, "timeout"), 0);
    if (timeout)
        rt_set_deadline(ctx, rt_now() + RT_MS((uint64_t)timeout));
    if (!transaction)
        return run_steps(ctx, work);
    const rt_json_value *read_only = rt_json_get(transaction, "read_only");
    return rt_sql_tx(ctx, sql, run_steps, work,
                     .attempts = (uint32_t)rt_json_int(rt_json_get(transaction, "attempts"), 0),
                     .read_only = read_only && read_only->value.integer);
}

static int post_sql(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    const rt_json_value *body;
    RT_TRY(rt_body_json(ctx, request, &body));
    struct work work = {.steps = rt_json_get(body, "do")};
    int result = run_limited(ctx, body, &work);
    const char *text = rt_format(ctx, "%s", work.text ? work.text : "");
    free(work.text);
    if (result == 0 || strstr(text, "{\"error\""))
        return rt_respond(ctx, response, 200, "application/json", rt_string(text));
    rt_json *json = rt_json_new(ctx);
    rt_json_array(json);
    put_error(json, rt_last_error(ctx), result);
    rt_json_end(json);
    return rt_respond_json(ctx, response, 200, json);
}

static int get_holding(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request;
    rt_json *json = rt_json_new(ctx);
    rt_json_put_int(json, *(int64_t *)rt_state(ctx));
    return rt_respond_json(ctx, response, 200, json);
}

static int get_worker(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request;
    rt_json *json = rt_json_new(ctx);
    rt_json_put_int(json, getpid());
    return rt_respond_json(ctx, response, 200, json);
}

static int post_script(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    const rt_json_value *body;
    RT_TRY(rt_body_json(ctx, request, &body));
    const char *fragment = rt_json_string(rt_json_get(body, "fragment"));
    const char *fail = rt_json_string(rt_json_get(body, "fail"));
    uint32_t times = (uint32_t)rt_json_int(rt_json_get(body, "times"), 0);
    const rt_json_value *row = rt_json_get(body, "row");
    if (fail)
        RT_TRY(rt_sql_script_fail(ctx, sql_script, fragment, fail,
                                  rt_json_string(rt_json_get(body, "constraint")), times));
    if (row) {
        const rt_sql_column column = {.name = "scripted", .type = RT_SQL_TEXT};
        const rt_sql_value value = rt_sql_text(rt_json_string(row));
        RT_TRY(rt_sql_script_rows(ctx, sql_script, fragment,
                                  &(rt_sql_rows){.size = sizeof(rt_sql_rows),
                                                 .column_count = 1,
                                                 .row_count = 1,
                                                 .columns = &column,
                                                 .values = &value},
                                  times));
    }
    if (!fail && !row)
        RT_TRY(rt_sql_script_clear(ctx, sql_script));
    return rt_respond(ctx, response, 200, "application/json", RT_STR("{}"));
}

/* The newest call of the double. */
static int get_call(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    rt_double_call call = {.size = sizeof call};
    (void)request;
    RT_TRY(rt_test_double_get(ctx, test_double, 0, &call));
    const char *text = rt_format(ctx, "{\"method\":\"%s\",\"code\":%d,\"arguments\":%s}",
                                 call.method, call.code, call.arguments);
    return rt_respond(ctx, response, 200, "application/json", rt_string(text));
}

static int start(rt_ctx *ctx)
{
    rt_set_state(ctx, calloc(1, sizeof(int64_t)));
    return rt_state(ctx) ? 0 : rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "out of memory");
}

static int stop(rt_ctx *ctx)
{
    free(rt_state(ctx));
    rt_set_state(ctx, NULL);
    return 0;
}

RT_REGISTER(registry)
{
    RT_TRY(rt_on(registry, .start = start, .stop = stop));
    RT_TRY(rt_route(registry, RT_POST, "/sql", post_sql));
    RT_TRY(rt_route(registry, RT_GET, "/holding", get_holding));
    RT_TRY(rt_route(registry, RT_GET, "/call", get_call));
    RT_TRY(rt_route(registry, RT_GET, "/worker", get_worker));
    return rt_route(registry, RT_POST, "/script", post_script);
}
