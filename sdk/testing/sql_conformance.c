#include "sql_suite.h"

/* --- asking ---------------------------------------------------------------------------------- */

static const char *shortened(rt_ctx *ctx, const char *text)
{
    return rt_format(ctx, "`%.80s%s`", text, strlen(text) > 80 ? "…" : "");
}

const char *rt_suite_exec(rt_ctx *ctx, const rt_sql_suite *suite, const rt_sql_statement *statement)
{
    int code = rt_sql_exec(ctx, suite->sql, statement, NULL);
    return rt_conformance_code(ctx, shortened(ctx, statement->text), code, 0);
}

const char *rt_suite_affects(rt_ctx *ctx, const rt_sql_suite *suite, uint64_t count,
                             const rt_sql_statement *statement)
{
    uint64_t affected = UINT64_MAX;
    int code = rt_sql_exec(ctx, suite->sql, statement, &affected);
    CHECK(rt_conformance_code(ctx, shortened(ctx, statement->text), code, 0));
    if (affected == count)
        return NULL;
    return rt_format(ctx, "%s affected %llu rows instead of %llu", shortened(ctx, statement->text),
                     (unsigned long long)affected, (unsigned long long)count);
}

const char *rt_suite_query(rt_ctx *ctx, const rt_sql_suite *suite, uint64_t count,
                           rt_sql_rows *rows, const rt_sql_statement *statement)
{
    *rows = (rt_sql_rows){.size = sizeof *rows};
    int code = rt_sql_query(ctx, suite->sql, statement, rows);
    CHECK(rt_conformance_code(ctx, shortened(ctx, statement->text), code, 0));
    if (rows->row_count == count)
        return NULL;
    return rt_format(ctx, "%s gave %llu rows instead of %llu", shortened(ctx, statement->text),
                     (unsigned long long)rows->row_count, (unsigned long long)count);
}

const char *rt_suite_number(rt_ctx *ctx, const rt_sql_suite *suite, int64_t number,
                            const rt_sql_statement *statement)
{
    rt_sql_rows rows;
    CHECK(rt_suite_query(ctx, suite, 1, &rows, statement));
    if (rows.column_count >= 1 && rt_sql_get(&rows, 0, 0)->type == RT_SQL_INT &&
        rt_sql_get_int(&rows, 0, 0) == number)
        return NULL;
    return rt_format(ctx, "%s gave %lld (type %u) instead of %lld", shortened(ctx, statement->text),
                     (long long)rt_sql_get_int(&rows, 0, 0), rt_sql_get(&rows, 0, 0)->type,
                     (long long)number);
}

const char *rt_suite_domain(rt_ctx *ctx, const char *what, const char *domain)
{
    const rt_error *error = rt_last_error(ctx);
    const char *got = error && error->domain ? error->domain : "(none)";
    if (strcmp(got, domain) == 0)
        return NULL;
    return rt_format(ctx, "%s: the domain is %s instead of %s: %s", what, got, domain,
                     error && error->message ? error->message : "");
}

const char *rt_suite_fails(rt_ctx *ctx, const rt_sql_suite *suite, int code, const char *domain,
                           const rt_sql_statement *statement)
{
    const char *what = statement->text ? shortened(ctx, statement->text) : "no text";
    CHECK(rt_conformance_code(ctx, what, rt_sql_exec(ctx, suite->sql, statement, NULL), code));
    return domain ? rt_suite_domain(ctx, what, domain) : NULL;
}

struct made {
    const rt_sql_suite *suite;
    const char *drop;
};

static void drop_table(rt_ctx *ctx, void *argument)
{
    const struct made *made = argument;
    rt_sql_exec(ctx, made->suite->sql, RT_SQL(made->drop), NULL);
}

const char *rt_suite_table(rt_ctx *ctx, const rt_sql_suite *suite, const char *name,
                           const char *columns)
{
    struct made *made = rt_alloc(ctx, sizeof *made);
    *made = (struct made){suite, rt_format(ctx, "DROP TABLE IF EXISTS %s", name)};
    CHECK(rt_suite_exec(ctx, suite, RT_SQL(made->drop)));
    CHECK(rt_suite_exec(ctx, suite, RT_SQL(rt_format(ctx, "CREATE TABLE %s (%s)", name, columns))));
    return rt_conformance_code(ctx, "rt_defer", rt_defer(ctx, drop_table, made), 0);
}

const char *rt_suite_ledger(rt_ctx *ctx, const rt_sql_suite *suite)
{
    return rt_suite_table(ctx, suite, "conformance_ledger", "id bigint PRIMARY KEY, note text");
}

const char *rt_suite_notes(rt_ctx *ctx, const rt_sql_suite *suite, int64_t count)
{
    return rt_suite_number(ctx, suite, count, RT_SQL("SELECT count(*) FROM conformance_ledger"));
}

int rt_suite_note(rt_ctx *ctx, const rt_sql_suite *suite, int64_t id, const char *note)
{
    return rt_sql_exec(ctx, suite->sql,
                       RT_SQL("INSERT INTO conformance_ledger (id, note) VALUES ($1, $2)",
                              rt_sql_int(id), rt_sql_text(note)),
                       NULL);
}

const char *rt_suite_alive(rt_ctx *ctx, const rt_sql_suite *suite)
{
    for (uint32_t i = 0; i < suite->connections + 3; i++)
        CHECK(rt_suite_number(ctx, suite, i, RT_SQL("SELECT CAST($1 AS bigint)", rt_sql_int(i))));
    return NULL;
}

/* --- comparing values ------------------------------------------------------------------------ */

static bool same_json(const rt_json_value *left, const rt_json_value *right);

static bool same_members(const rt_json_value *left, const rt_json_value *right)
{
    const rt_json_value *other = right->value.first;
    for (const rt_json_value *v = left->value.first; v; v = v->next) {
        const rt_json_value *twin =
            left->type == RT_JSON_ARRAY ? other : rt_json_get(right, v->key);
        if (!twin || !same_json(v, twin))
            return false;
        other = other ? other->next : NULL;
    }
    return true;
}

static bool same_json(const rt_json_value *left, const rt_json_value *right)
{
    if (left->type != right->type || left->count != right->count)
        return false;
    switch (left->type) {
    case RT_JSON_STRING:
        return memcmp(left->value.text, right->value.text, left->count) == 0;
    case RT_JSON_REAL:
        return memcmp(&left->value.real, &right->value.real, sizeof left->value.real) == 0;
    case RT_JSON_ARRAY:
    case RT_JSON_OBJECT:
        return same_members(left, right);
    default:
        return left->value.integer == right->value.integer;
    }
}

static const char *compare_json(rt_ctx *ctx, const rt_sql_value *got, const rt_sql_value *wanted)
{
    const rt_json_value *left, *right;
    if (rt_json_parse(ctx, (rt_str){got->value.text, got->length}, &left) < 0 ||
        rt_json_parse(ctx, (rt_str){wanted->value.text, wanted->length}, &right) < 0)
        return rt_format(ctx, "`%.100s` is no JSON", got->value.text);
    return same_json(left, right) ? NULL
                                  : rt_format(ctx, "JSON `%.100s` instead of `%.100s`",
                                              got->value.text, wanted->value.text);
}

static const char *compare_bytes(rt_ctx *ctx, const rt_sql_value *got, const rt_sql_value *wanted)
{
    if (got->length != wanted->length)
        return rt_format(ctx, "%llu bytes instead of %llu", (unsigned long long)got->length,
                         (unsigned long long)wanted->length);
    if (got->length && memcmp(got->value.bytes, wanted->value.bytes, got->length) != 0)
        return "the bytes differ";
    if (got->type != RT_SQL_BYTES && got->value.text[got->length] != '\0')
        return "the text does not end in NUL";
    return NULL;
}

static const char *compare_elements(rt_ctx *ctx, const rt_sql_value *got,
                                    const rt_sql_value *wanted)
{
    if (got->of != wanted->of || got->length != wanted->length)
        return rt_format(ctx, "an array of %llu elements of type %u instead of %llu of %u",
                         (unsigned long long)got->length, got->of,
                         (unsigned long long)wanted->length, wanted->of);
    for (uint64_t i = 0; i < got->length; i++) {
        const char *complaint =
            rt_suite_compare(ctx, &got->value.elements[i], &wanted->value.elements[i]);
        if (complaint)
            return rt_format(ctx, "element %llu: %s", (unsigned long long)i, complaint);
    }
    return NULL;
}

const char *rt_suite_compare(rt_ctx *ctx, const rt_sql_value *got, const rt_sql_value *wanted)
{
    if (got->type != wanted->type)
        return rt_format(ctx, "the type is %u instead of %u", got->type, wanted->type);
    switch (wanted->type) {
    case RT_SQL_NULL:
        return NULL;
    case RT_SQL_JSON:
        return compare_json(ctx, got, wanted);
    case RT_SQL_ARRAY:
        return compare_elements(ctx, got, wanted);
    case RT_SQL_TEXT:
    case RT_SQL_UUID:
    case RT_SQL_BYTES:
        return compare_bytes(ctx, got, wanted);
    }
    /* A NaN is a NaN, whatever its bits. */
    if (wanted->type == RT_SQL_DOUBLE && wanted->value.real != wanted->value.real &&
        got->value.real != got->value.real)
        return NULL;
    return got->value.integer == wanted->value.integer
               ? NULL
               : rt_format(ctx, "bits %llx instead of %llx", (unsigned long long)got->value.integer,
                           (unsigned long long)wanted->value.integer);
}

/* --- work inside of a case ------------------------------------------------------------------- */

static void free_channel(rt_ctx *ctx, void *channel)
{
    (void)ctx;
    rt_channel_free(channel);
}

rt_sql_story *rt_story_open(rt_ctx *ctx, const rt_sql_suite *suite)
{
    rt_sql_story *story = rt_alloc(ctx, sizeof *story);
    *story = (rt_sql_story){.suite = suite,
                            .outer = ctx,
                            .first = rt_channel_new(1000),
                            .second = rt_channel_new(1000)};
    rt_defer(ctx, free_channel, story->first);
    rt_defer(ctx, free_channel, story->second);
    return story;
}

int rt_story_complain(rt_sql_story *story, const char *complaint)
{
    if (!story->complaint)
        story->complaint = rt_format(story->outer, "%s", complaint);
    return 0;
}

int rt_story_say(rt_ctx *ctx, rt_channel *channel)
{
    return rt_channel_send(ctx, channel, channel);
}

int rt_story_hear(rt_ctx *ctx, rt_channel *channel)
{
    void *item;
    return rt_channel_receive(ctx, channel, &item);
}

/* --- the run --------------------------------------------------------------------------------- */

static const char *nothing_left(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    rt_sql_rows rows;
    const char *text = rt_sql_in_dialect(
        ctx, suite->sql, "SELECT name FROM sqlite_master WHERE name LIKE 'conformance%'",
        "SELECT table_name FROM information_schema.tables WHERE table_name LIKE 'conformance%'");
    return rt_suite_query(ctx, suite, 0, &rows, RT_SQL(text));
}

static const rt_conformance_case last_cases[] = {
    {"nothing of all that is left", nothing_left},
};
static const rt_sql_area last_area = {last_cases, COUNT_OF(last_cases)};

static const rt_sql_area *const areas[] = {
    &rt_sql_statements_area,    &rt_sql_values_area,  &rt_sql_arrays_area,
    &rt_sql_parameters_area,    &rt_sql_errors_area,  &rt_sql_transactions_area,
    &rt_sql_nesting_area,       &rt_sql_hooks_area,   &rt_sql_isolation_area,
    &rt_sql_limits_area,        &rt_sql_streams_area, &rt_sql_loads_area,
    &rt_sql_notifications_area, &last_area,
};

rt_str rt_sql_conformance_run(rt_ctx *ctx, const rt_sql_conformance *subject)
{
    rt_sql_server server = {.size = sizeof server};
    rt_sql_describe(ctx, subject->sql, &server);
    rt_sql_suite suite = {subject->sql, server.dialect, subject->connections};
    uint32_t count = 0;
    for (size_t i = 0; i < COUNT_OF(areas); i++)
        count += areas[i]->count;
    rt_conformance_case *cases = rt_alloc(ctx, count * sizeof *cases), *next = cases;
    for (size_t i = 0; i < COUNT_OF(areas); i++) {
        memcpy(next, areas[i]->cases, areas[i]->count * sizeof *next);
        next += areas[i]->count;
    }
    return rt_conformance_run(ctx, cases, count, &suite);
}
