/* plugins/sql: SQLSTATEs, checks of statements, and their words. */
#include "fiber_kit.h"

#include "sql/sqlstate.h"
#include "sql/statement.h"

#include <rt/log.h>

/* --- states ---------------------------------------------------------------------------------- */

static const char *const states[] = {
#define CLASS(class_, code_, retryable_)
#define CONDITION(state_, name_, code_, retryable_) state_,
#include "sql/sqlstate.def"
#undef CLASS
#undef CONDITION
};

static void every_state_is_found(void)
{
    size_t count = sizeof states / sizeof states[0];
    CU_ASSERT(count > 230);
    for (size_t i = 0; i < count; i++) {
        CU_ASSERT(i == 0 || strcmp(states[i - 1], states[i]) < 0);
        const rt_sqlstate *row = rt_sqlstate_find(states[i]);
        CU_ASSERT_STRING_EQUAL(row->state, states[i]);
        const rt_sqlstate *named = rt_sqlstate_named(row->name);
        CU_ASSERT(named && strcmp(named->name, row->name) == 0);
    }
}

static void codes_are_by_class(void)
{
    static const struct {
        const char *state, *name;
        int code, retryable;
    } cases[] = {{"23505", "UNIQUE_VIOLATION", RT_EALREADY_EXISTS, 0},
                 {"23503", "FOREIGN_KEY_VIOLATION", RT_EFAILED_PRECONDITION, 0},
                 {"22003", "NUMERIC_VALUE_OUT_OF_RANGE", RT_EINVALID_ARGUMENT, 0},
                 {"25P02", "IN_FAILED_SQL_TRANSACTION", RT_EFAILED_PRECONDITION, 0},
                 {"40001", "SERIALIZATION_FAILURE", RT_EABORTED, 1},
                 {"40P01", "DEADLOCK_DETECTED", RT_EABORTED, 1},
                 {"40003", "STATEMENT_COMPLETION_UNKNOWN", RT_EUNAVAILABLE, 0},
                 {"42601", "SYNTAX_ERROR", RT_EINTERNAL, 0},
                 {"42501", "INSUFFICIENT_PRIVILEGE", RT_EINTERNAL, 0},
                 {"53100", "DISK_FULL", RT_ERESOURCE_EXHAUSTED, 1},
                 {"57014", "QUERY_CANCELED", RT_ECANCELED, 0},
                 {"57P01", "ADMIN_SHUTDOWN", RT_EUNAVAILABLE, 1},
                 {"08006", "CONNECTION_FAILURE", RT_EUNAVAILABLE, 1},
                 {"0A000", "FEATURE_NOT_SUPPORTED", RT_EUNIMPLEMENTED, 0},
                 {"XX001", "DATA_CORRUPTED", RT_EDATA_LOSS, 0},
                 {"23ZZZ", "UNKNOWN", RT_EFAILED_PRECONDITION, 0},
                 {"40ZZZ", "UNKNOWN", RT_EABORTED, 1},
                 {"ZZZZZ", "UNKNOWN", RT_EUNKNOWN, 0},
                 {"", "UNKNOWN", RT_EUNKNOWN, 0},
                 {NULL, "UNKNOWN", RT_EUNKNOWN, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const rt_sqlstate *row = rt_sqlstate_find(cases[i].state);
        CU_ASSERT_STRING_EQUAL(row->name, cases[i].name);
        CU_ASSERT_EQUAL(row->code, cases[i].code);
        CU_ASSERT_EQUAL(row->retryable, cases[i].retryable);
    }
    CU_ASSERT_STRING_EQUAL(rt_sqlstate_named("STRING_DATA_RIGHT_TRUNCATION")->state, "22001");
    CU_ASSERT_PTR_NULL(rt_sqlstate_named("NO_SUCH_NAME"));
    CU_ASSERT_PTR_NULL(rt_sqlstate_named(NULL));
}

static int fail(rt_ctx *ctx, void *argument)
{
    (void)argument;
    char *text = rt_alloc(ctx, 3001);
    memset(text, 'x', 3000);
    memcpy(text + 1999, "\xe2\x82\xac", 3);
    int result = rt_sql_fail(
        ctx, &(rt_sql_failure){.state = "23505",
                               .message = "twice",
                               .constraint = "orders_pkey",
                               .table = "orders",
                               .column = "",
                               .statement = RT_SQL(text, rt_sql_text("s3cr3t"), rt_sql_int(7))});
    const rt_error *error = rt_last_error(ctx);
    CU_ASSERT_EQUAL(result, -RT_EALREADY_EXISTS);
    CU_ASSERT_STRING_EQUAL(error->domain, "UNIQUE_VIOLATION");
    CU_ASSERT_STRING_EQUAL(rt_error_text(error, "sqlstate"), "23505");
    CU_ASSERT_STRING_EQUAL(rt_error_text(error, "constraint"), "orders_pkey");
    CU_ASSERT_STRING_EQUAL(rt_error_text(error, "table"), "orders");
    CU_ASSERT_PTR_NULL(rt_error_text(error, "column"));
    CU_ASSERT_EQUAL(strlen(rt_error_text(error, "statement")), 1999);
    CU_ASSERT_STRING_EQUAL(rt_error_text(error, "parameters"), "text(6), int");
    rt_sql_fail(ctx, &(rt_sql_failure){.state = "08006", .message = "lost", .final = 1});
    CU_ASSERT_EQUAL(rt_last_error(ctx)->retryable, 0);
    CU_ASSERT_EQUAL(
        rt_sql_fail(ctx, &(rt_sql_failure){.condition = "QUERY_CANCELED", .code = RT_EDEADLINE}),
        -RT_EDEADLINE);
    return 0;
}

static void failures_have_fields_and_no_values(void)
{
    CU_ASSERT_EQUAL(run(fail, NULL).result, 0);
}

/* --- checks ---------------------------------------------------------------------------------- */

static int checks(rt_ctx *ctx, void *argument)
{
    static const struct {
        rt_sql_value value;
        const char *domain; /* NULL: taken */
    } cases[] = {
        {{.type = RT_SQL_INT}, NULL},
        {{.type = RT_SQL_TEXT, .length = 3, .value.text = "\xe2\x82\xac"}, NULL},
        {{.type = RT_SQL_TEXT, .length = 4, .value.text = "\xf0\x9f\x98\x80"}, NULL},
        {{.type = RT_SQL_TEXT, .length = 3, .value.text = "a\0b"}, "CHARACTER_NOT_IN_REPERTOIRE"},
        {{.type = RT_SQL_TEXT, .length = 2, .value.text = "\xc0\x80"},
         "CHARACTER_NOT_IN_REPERTOIRE"},
        {{.type = RT_SQL_TEXT, .length = 3, .value.text = "\xed\xa0\x80"},
         "CHARACTER_NOT_IN_REPERTOIRE"},
        {{.type = RT_SQL_TEXT, .length = 2, .value.text = "\xe2\x82"},
         "CHARACTER_NOT_IN_REPERTOIRE"},
        {{.type = RT_SQL_TEXT, .length = 4, .value.text = "\xf4\x90\x80\x80"},
         "CHARACTER_NOT_IN_REPERTOIRE"},
        {{.type = RT_SQL_TEXT}, "NULL_VALUE_NOT_ALLOWED"},
        {{.type = RT_SQL_UUID, .length = 36, .value.text = "6BA7B810-9dad-11d1-80b4-00c04fd430c8"},
         NULL},
        {{.type = RT_SQL_UUID, .length = 36, .value.text = "6ba7b810-9dad-11d1-80b4-00c04fd430cg"},
         "INVALID_TEXT_REPRESENTATION"},
        {{.type = RT_SQL_UUID, .length = 3, .value.text = "6ba"}, "INVALID_TEXT_REPRESENTATION"},
        {{.type = RT_SQL_BYTES}, NULL},
        {{.type = RT_SQL_BYTES, .length = 1}, "NULL_VALUE_NOT_ALLOWED"},
        {{.type = RT_SQL_ARRAY, .of = RT_SQL_INT}, NULL},
        {{.type = RT_SQL_ARRAY, .of = RT_SQL_ARRAY}, "DATATYPE_MISMATCH"},
        {{.type = 99}, "DATATYPE_MISMATCH"},
    };
    (void)argument;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int result = rt_sql_check_statement(ctx, RT_SQL("SELECT $1", cases[i].value));
        CU_ASSERT_EQUAL(result, cases[i].domain ? -RT_EINVALID_ARGUMENT : 0);
        if (cases[i].domain)
            CU_ASSERT_STRING_EQUAL(rt_last_error(ctx)->domain, cases[i].domain);
    }
    const rt_sql_value mixed[] = {rt_sql_int(1), rt_sql_text("a")};
    const rt_sql_statement *wrong[] = {NULL,
                                       RT_SQL(NULL),
                                       RT_SQL(""),
                                       RT_SQL("SELECT '\xff'"),
                                       RT_SQL_WITH(RT_SQL_SCRIPT, "SELECT $1", rt_sql_int(1)),
                                       &(rt_sql_statement){.size = 8},
                                       RT_SQL("SELECT $1", rt_sql_array(RT_SQL_INT, mixed, 2))};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        CU_ASSERT_EQUAL(rt_sql_check_statement(ctx, wrong[i]), -RT_EINVALID_ARGUMENT);
    return 0;
}

static void unsound_statements_are_refused(void)
{
    CU_ASSERT_EQUAL(run(checks, NULL).result, 0);
}

/* --- words ----------------------------------------------------------------------------------- */

static const struct {
    const char *text, *operation, *collection;
} summaries[] = {
    {"SELECT * FROM orders WHERE id = $1", "SELECT", "orders"},
    {"  -- FROM lies\n/* a /* nested */ one */ select 1 from Orders", "SELECT", "Orders"},
    {"SELECT 'FROM x', \"from\" FROM \"My Orders\" o", "SELECT", "My Orders"},
    {"SELECT (SELECT 1 FROM inner_one) FROM outer_one", "SELECT", "outer_one"},
    {"SELECT 1", "SELECT", ""},
    {"SELECT * FROM (SELECT 1) x", "SELECT", ""},
    {"INSERT INTO public.orders (id) VALUES ($1)", "INSERT", "public.orders"},
    {"INSERT OR IGNORE INTO orders VALUES (1)", "INSERT", "orders"},
    {"UPDATE ONLY orders SET a = 1", "UPDATE", "orders"},
    {"DELETE FROM orders", "DELETE", "orders"},
    {"WITH a AS (SELECT 1 FROM b) INSERT INTO orders SELECT * FROM a", "INSERT", "orders"},
    {"WITH RECURSIVE n(i) AS (SELECT 1) SELECT i FROM n", "SELECT", "n"},
    {"CREATE TABLE IF NOT EXISTS orders (id bigint)", "CREATE", "orders"},
    {"CREATE INDEX i ON orders (id)", "CREATE", ""},
    {"DROP TABLE IF EXISTS orders", "DROP", "orders"},
    {"TRUNCATE TABLE orders", "TRUNCATE", "orders"},
    {"SELECT $$ FROM a $$ FROM b", "SELECT", "b"},
    {"SELECT $t$ FROM a $t$ FROM b", "SELECT", "b"},
    {"SELECT E'\\' FROM a' FROM b", "SELECT", "b"},
    {"SELECT 1; DELETE FROM orders", "SELECT", ""},
    {"FROBNICATE orders", "", ""},
    {"", "", ""},
    {"'unclosed", "", ""},
    {"/* unclosed", "", ""},
    {"SELECT \"unclosed FROM x", "SELECT", ""},
};

static void is(rt_str text, const char *wanted)
{
    CU_ASSERT_EQUAL(text.length, strlen(wanted));
    CU_ASSERT(text.length != strlen(wanted) || text.length == 0 ||
              memcmp(text.data, wanted, text.length) == 0);
}

static void the_words_of_a_statement_are_read(void)
{
    for (size_t i = 0; i < sizeof summaries / sizeof summaries[0]; i++) {
        rt_sql_summary summary = rt_sql_summarize(summaries[i].text);
        is(summary.operation, summaries[i].operation);
        is(summary.collection, summaries[i].collection);
    }
}

static int strip(rt_ctx *ctx, void *argument)
{
    static const char *const texts[][2] = {
        {"SELECT  a FROM b WHERE c = 'it''s' AND d = 1.5e-3 AND e = $1",
         "SELECT a FROM b WHERE c = ? AND d = ? AND e = $1"},
        {"INSERT INTO t VALUES (x'00ff', E'\\'', $q$a$q$, -- why\n 17)",
         "INSERT INTO t VALUES (?, ?, ?, ?)"},
        {"SELECT t1.c2 FROM t1", "SELECT t1.c2 FROM t1"}};
    (void)argument;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        CU_ASSERT_STRING_EQUAL(rt_sql_without_values(ctx, texts[i][0]), texts[i][1]);
    char *wide = rt_alloc(ctx, 5001);
    memset(wide, '(', 5000);
    CU_ASSERT_EQUAL(strlen(rt_sql_without_values(ctx, wide)), 2000);
    return 0;
}

static void literals_are_left_out(void)
{
    CU_ASSERT_EQUAL(run(strip, NULL).result, 0);
}

RT_TEST_MAIN("sql statements",
             {"every SQLSTATE is found by state and by name", every_state_is_found},
             {"codes are by class, with their exceptions", codes_are_by_class},
             {"failures have fields, and no values", failures_have_fields_and_no_values},
             {"unsound statements are refused", unsound_statements_are_refused},
             {"the words of a statement are read", the_words_of_a_statement_are_read},
             {"literals are left out", literals_are_left_out})
