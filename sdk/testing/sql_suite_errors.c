#include "sql_suite.h"

static const char secret[] = "s3cr3t-value";

static const char *make_tables(rt_ctx *ctx, const rt_sql_suite *suite)
{
    CHECK(rt_suite_exec(ctx, suite, RT_SQL("DROP TABLE IF EXISTS conformance_children")));
    CHECK(rt_suite_table(ctx, suite, "conformance_parents",
                         "id bigint PRIMARY KEY, name text NOT NULL UNIQUE"));
    CHECK(rt_suite_table(ctx, suite, "conformance_children",
                         "id bigint PRIMARY KEY, parent bigint REFERENCES conformance_parents, "
                         "quantity bigint CONSTRAINT conformance_positive CHECK (quantity > 0), "
                         "document jsonb"));
    return rt_suite_exec(
        ctx, suite,
        RT_SQL("INSERT INTO conformance_parents (id, name) VALUES (1, $1)", rt_sql_text(secret)));
}

/* --- conditions ------------------------------------------------------------------------------ */

/* What an error has to say; with `postgres`, a member that sqlite does not know of. */
struct condition {
    const char *text;
    int code;
    const char *domain, *sqlstate;
    const char *constraint, *table, *column;
    const char *postgres;
    int64_t parameter;
};

static const struct condition conditions[] = {
    {.text = "INSERT INTO conformance_parents (id, name) VALUES ($1, 'other')",
     .code = RT_EALREADY_EXISTS,
     .domain = "UNIQUE_VIOLATION",
     .sqlstate = "23505",
     .constraint = "conformance_parents_pkey",
     .table = "conformance_parents",
     .parameter = 1},
    {.text = "INSERT INTO conformance_parents (id, name) "
             "SELECT CAST($1 AS bigint), name FROM conformance_parents",
     .code = RT_EALREADY_EXISTS,
     .domain = "UNIQUE_VIOLATION",
     .sqlstate = "23505",
     .constraint = "conformance_parents_name_key",
     .table = "conformance_parents",
     .parameter = 2},
    {.text = "INSERT INTO conformance_parents (id) VALUES ($1)",
     .code = RT_EFAILED_PRECONDITION,
     .domain = "NOT_NULL_VIOLATION",
     .sqlstate = "23502",
     .table = "conformance_parents",
     .column = "name",
     .parameter = 3},
    {.text = "INSERT INTO conformance_children (id, parent) VALUES (1, $1)",
     .code = RT_EFAILED_PRECONDITION,
     .domain = "FOREIGN_KEY_VIOLATION",
     .sqlstate = "23503",
     .postgres = "conformance_children_parent_fkey",
     .parameter = 99},
    {.text = "INSERT INTO conformance_children (id, quantity) VALUES (1, $1)",
     .code = RT_EFAILED_PRECONDITION,
     .domain = "CHECK_VIOLATION",
     .sqlstate = "23514",
     .constraint = "conformance_positive",
     .parameter = -1},
    {.text = "SELEC $1", .code = RT_EINTERNAL, .domain = "SYNTAX_ERROR", .sqlstate = "42601"},
    {.text = "SELECT name FROM conformance_absent WHERE id = $1",
     .code = RT_EINTERNAL,
     .domain = "UNDEFINED_TABLE",
     .sqlstate = "42P01"},
    {.text = "SELECT absent FROM conformance_parents WHERE id = $1",
     .code = RT_EINTERNAL,
     .domain = "UNDEFINED_COLUMN",
     .sqlstate = "42703"},
    {.text = "SELECT conformance_absent(id) FROM conformance_parents WHERE id = $1",
     .code = RT_EINTERNAL,
     .domain = "UNDEFINED_FUNCTION",
     .sqlstate = "42883"},
    {.text = "SELECT abs(CAST($1 AS bigint))",
     .code = RT_EINVALID_ARGUMENT,
     .domain = "NUMERIC_VALUE_OUT_OF_RANGE",
     .sqlstate = "22003",
     .parameter = INT64_MIN},
};

static const char *check_field(rt_ctx *ctx, const rt_error *error, const char *name,
                               const char *wanted)
{
    const char *got = rt_error_text(error, name);
    if (!wanted || (got && strcmp(got, wanted) == 0))
        return NULL;
    return rt_format(ctx, "%s is `%s` instead of `%s`", name, got ? got : "(null)", wanted);
}

static const char *check_error(rt_ctx *ctx, const rt_sql_suite *suite,
                               const struct condition *wanted)
{
    const rt_error *error = rt_last_error(ctx);
    if (error->retryable)
        return "the error is retryable";
    if (!error->message || !error->message[0])
        return "the error has no message";
    CHECK(check_field(ctx, error, "sqlstate", wanted->sqlstate));
    CHECK(check_field(ctx, error, "constraint", wanted->constraint));
    CHECK(check_field(ctx, error, "table", wanted->table));
    CHECK(check_field(ctx, error, "column", wanted->column));
    if (suite->dialect == RT_SQL_POSTGRES)
        CHECK(check_field(ctx, error, "constraint", wanted->postgres));
    CHECK(check_field(ctx, error, "statement", wanted->text));
    const char *parameters = rt_error_text(error, "parameters");
    return parameters && strstr(parameters, "int") ? NULL : "the parameters are not described";
}

/* Once as an ordinary statement and once as a short one. */
static const char *meets(rt_ctx *ctx, const rt_sql_suite *suite, const struct condition *wanted)
{
    const rt_sql_value value = rt_sql_int(wanted->parameter);
    const rt_sql_statement *ways[] = {RT_SQL(wanted->text, value),
                                      RT_SQL_BY_KEY(wanted->text, value)};
    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        CHECK(rt_suite_fails(ctx, suite, -wanted->code, wanted->domain, ways[i]));
        const char *complaint = check_error(ctx, suite, wanted);
        if (complaint)
            return rt_format(ctx, "%s: %s", wanted->text, complaint);
        CHECK(rt_suite_number(ctx, suite, 1, RT_SQL("SELECT count(*) FROM conformance_parents")));
    }
    return NULL;
}

static const char *all_conditions(rt_ctx *ctx, void *subject)
{
    CHECK(make_tables(ctx, subject));
    for (size_t i = 0; i < COUNT_OF(conditions); i++)
        CHECK(meets(ctx, subject, &conditions[i]));
    return rt_suite_alive(ctx, subject);
}

static const char *made_twice(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    CHECK(rt_suite_ledger(ctx, suite));
    CHECK(rt_suite_fails(ctx, suite, -RT_EINTERNAL, "DUPLICATE_TABLE",
                         RT_SQL("CREATE TABLE conformance_ledger (id bigint)")));
    return rt_suite_fails(ctx, suite, -RT_EINTERNAL, "UNDEFINED_TABLE",
                          RT_SQL("DROP TABLE conformance_absent"));
}

static const char *deleted_parent(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    CHECK(make_tables(ctx, suite));
    CHECK(rt_suite_exec(ctx, suite,
                        RT_SQL("INSERT INTO conformance_children (id, parent) VALUES (1, 1)")));
    CHECK(rt_suite_fails(ctx, suite, -RT_EFAILED_PRECONDITION, "FOREIGN_KEY_VIOLATION",
                         RT_SQL("DELETE FROM conformance_parents")));
    return rt_suite_number(ctx, suite, 1, RT_SQL("SELECT count(*) FROM conformance_parents"));
}

static const char *in_queries(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    rt_sql_rows rows = {.size = sizeof rows};
    CHECK(make_tables(ctx, suite));
    int code = rt_sql_query(ctx, suite->sql,
                            RT_SQL("INSERT INTO conformance_parents (id, name) VALUES (1, 'a') "
                                   "RETURNING id"),
                            &rows);
    CHECK(rt_conformance_code(ctx, "a query", code, -RT_EALREADY_EXISTS));
    CHECK(rt_suite_domain(ctx, "a query", "UNIQUE_VIOLATION"));
    /* Some rows are there before the one that cannot be computed. */
    code = rt_sql_query(ctx, suite->sql,
                        RT_SQL(NUMBERS("3000") "SELECT abs(CASE WHEN i = 2500 THEN $1 ELSE i END) "
                                               "FROM n",
                               rt_sql_int(INT64_MIN)),
                        &rows);
    CHECK(rt_conformance_code(ctx, "a late failure", code, -RT_EINVALID_ARGUMENT));
    return rt_suite_domain(ctx, "a late failure", "NUMERIC_VALUE_OUT_OF_RANGE");
}

/* --- what an error must not say -------------------------------------------------------------- */

static bool tells(const char *text, const char *value)
{
    return text && strstr(text, value);
}

static const char *check_silence(rt_ctx *ctx, const rt_error *error, const char *value)
{
    for (; error; error = error->cause) {
        if (tells(error->message, value))
            return rt_format(ctx, "the message tells the value: %s", error->message);
        if (tells(error->detail, value))
            return rt_format(ctx, "the detail tells the value: %s", error->detail);
        if (tells(error->hint, value))
            return rt_format(ctx, "the hint tells the value: %s", error->hint);
        for (uint64_t i = 0; i < error->field_count; i++)
            if (tells(error->fields[i].text, value))
                return rt_format(ctx, "the field `%s` tells the value: %s", error->fields[i].name,
                                 error->fields[i].text);
    }
    return NULL;
}

static const char *keeps_quiet(rt_ctx *ctx, const rt_sql_suite *suite, const char *text,
                               rt_sql_value value)
{
    int code = rt_sql_exec(ctx, suite->sql, RT_SQL(text, value), NULL);
    if (code >= 0)
        return rt_format(ctx, "%s succeeded", text);
    const char *parameters = rt_error_text(rt_last_error(ctx), "parameters");
    const char *complaint = check_silence(ctx, rt_last_error(ctx), secret);
    if (!complaint &&
        (!parameters ||
         !strstr(parameters, rt_format(ctx, "%llu", (unsigned long long)value.length))))
        complaint = rt_format(ctx, "the parameters are `%s`", parameters ? parameters : "(null)");
    return complaint ? rt_format(ctx, "%s: %s", text, complaint) : NULL;
}

static const char *values_are_secret(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    CHECK(make_tables(ctx, suite));
    CHECK(keeps_quiet(ctx, suite, "INSERT INTO conformance_parents (id, name) VALUES (2, $1)",
                      rt_sql_text(secret)));
    CHECK(keeps_quiet(ctx, suite, "SELECT $1 FROM conformance_absent", rt_sql_text(secret)));
    CHECK(keeps_quiet(ctx, suite, "INSERT INTO conformance_children (id, document) VALUES (2, $1)",
                      rt_sql_json(rt_format(ctx, "{\"%s", secret))));
    CHECK(keeps_quiet(ctx, suite, "INSERT INTO conformance_parents (id, name) VALUES (3, $1)",
                      rt_sql_text(rt_format(ctx, "%s \xff", secret))));
    return keeps_quiet(ctx, suite,
                       "INSERT INTO conformance_children (id, quantity, document) "
                       "VALUES (2, -1, $1)",
                       rt_sql_json(rt_format(ctx, "{\"a\": \"%s\"}", secret)));
}

static const char *long_statement(rt_ctx *ctx, void *subject)
{
    char *text = rt_alloc(ctx, 100001);
    memset(text, ' ', 100000);
    memcpy(text, "SELEC", 5);
    CHECK(rt_suite_fails(ctx, subject, -RT_EINTERNAL, "SYNTAX_ERROR", RT_SQL(text)));
    const char *position = rt_error_text(rt_last_error(ctx), "position");
    if (((const rt_sql_suite *)subject)->dialect == RT_SQL_POSTGRES &&
        (!position || strcmp(position, "1") != 0))
        return "the error does not tell where in the statement it is";
    const char *kept = rt_error_text(rt_last_error(ctx), "statement");
    return kept && strlen(kept) <= 2100 ? NULL : "the statement in the error is not cut";
}

static const rt_conformance_case cases[] = {
    {"each condition has its code, name, constraint, table and column", all_conditions},
    {"tables made twice and dropped twice are named as such", made_twice},
    {"a row that others refer to is not deleted", deleted_parent},
    {"queries fail as statements do, also in the middle of their rows", in_queries},
    {"no text of an error tells a parameter's value", values_are_secret},
    {"a long statement is cut in the error", long_statement},
};
const rt_sql_area rt_sql_errors_area = {cases, COUNT_OF(cases)};
