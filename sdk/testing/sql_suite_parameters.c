#include "sql_suite.h"

/* --- how they are counted -------------------------------------------------------------------- */

static const char *positions(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    CHECK(rt_suite_number(
        ctx, suite, 7 - 3,
        RT_SQL("SELECT CAST($2 AS bigint) - CAST($1 AS bigint)", rt_sql_int(3), rt_sql_int(7))));
    CHECK(rt_suite_number(ctx, suite, 27,
                          RT_SQL("SELECT CAST($1 AS bigint) * $1 * $1", rt_sql_int(3))));
    return rt_suite_number(ctx, suite, 1,
                           RT_SQL("SELECT CAST($1 AS bigint) -- $2\n"
                                  "FROM (SELECT 'a' AS \"c$4\") AS s /* $5 */ "
                                  "WHERE '$3' <> \"c$4\"",
                                  rt_sql_int(1)));
}

static const char *wrong_number(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    const rt_sql_value one = rt_sql_int(1);
    const rt_sql_statement *wrong[] = {
        RT_SQL("SELECT CAST($1 AS bigint)"),
        RT_SQL_BY_KEY("SELECT CAST($1 AS bigint)"),
        RT_SQL("SELECT CAST($1 AS bigint) + $2", one),
        RT_SQL("SELECT CAST($1 AS bigint)", one, one),
        RT_SQL_BY_KEY("SELECT CAST($1 AS bigint)", one, one),
        RT_SQL("SELECT 1", one),
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        CHECK(rt_suite_fails(ctx, suite, -RT_EINVALID_ARGUMENT, NULL, wrong[i]));
    return rt_suite_alive(ctx, suite);
}

static const char *many(rt_ctx *ctx, void *subject)
{
    enum { PARAMETERS = 1000 };
    const rt_sql_suite *suite = subject;
    rt_sql_value *values = rt_alloc(ctx, PARAMETERS * sizeof *values);
    char *text = rt_alloc(ctx, PARAMETERS * 8 + 200);
    char *end = text + sprintf(text, NUMBERS("2000") "SELECT count(*) FROM n WHERE i IN (");
    for (int i = 0; i < PARAMETERS; i++) {
        values[i] = rt_sql_int(2 * i + 2);
        end += sprintf(end, "%s$%d", i ? ", " : "", i + 1);
    }
    strcpy(end, ")");
    const rt_sql_statement statement = {.size = sizeof statement,
                                        .text = text,
                                        .parameters = values,
                                        .parameter_count = PARAMETERS};
    return rt_suite_number(ctx, suite, PARAMETERS, &statement);
}

/* --- what is refused ------------------------------------------------------------------------- */

static const char *malformed_texts(rt_ctx *ctx, void *subject)
{
    static const rt_str wrong[] = {{"a\0b", 3},     {"\0", 1},
                                   {"\xff", 1},     {"caf\xc3", 4},
                                   {"\xc0\x80", 2}, {"\xed\xa0\x80", 3},
                                   {"\x80", 1},     {"\xf4\x90\x80\x80", 4},
                                   {"\xe2\x82", 2}, {"ok\xf0\x9f\x98", 5}};
    const rt_sql_suite *suite = subject;
    const char *text = "INSERT INTO conformance_ledger (id, note) VALUES (1, $1)";
    CHECK(rt_suite_ledger(ctx, suite));
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        const rt_sql_value value = rt_sql_str(wrong[i]);
        CHECK(rt_suite_fails(ctx, suite, -RT_EINVALID_ARGUMENT, NULL, RT_SQL(text, value)));
        CHECK(rt_suite_fails(ctx, suite, -RT_EINVALID_ARGUMENT, NULL, RT_SQL_BY_KEY(text, value)));
    }
    const rt_sql_value document = rt_sql_text_of(RT_SQL_JSON, "\"\xff\"", 3);
    CHECK(rt_suite_fails(ctx, suite, -RT_EINVALID_ARGUMENT, NULL, RT_SQL(text, document)));
    CHECK(rt_suite_notes(ctx, suite, 0));
    return rt_suite_alive(ctx, suite);
}

static const char *wrong_ids(rt_ctx *ctx, void *subject)
{
    static const char *const wrong[] = {"",
                                        "a0eebc99",
                                        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1",
                                        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a111",
                                        "g0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
                                        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1'"};
    const rt_sql_suite *suite = subject;
    CHECK(rt_suite_table(ctx, suite, "conformance_ids", "u uuid"));
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        CHECK(rt_suite_fails(
            ctx, suite, -RT_EINVALID_ARGUMENT, NULL,
            RT_SQL("INSERT INTO conformance_ids (u) VALUES ($1)", rt_sql_uuid(wrong[i]))));
    return rt_suite_number(ctx, suite, 0, RT_SQL("SELECT count(*) FROM conformance_ids"));
}

static const char *unknown_type(rt_ctx *ctx, void *subject)
{
    const rt_sql_value value = {.type = 99, .value.integer = 1};
    CHECK(rt_suite_fails(ctx, subject, -RT_EINVALID_ARGUMENT, NULL,
                         RT_SQL("SELECT CAST($1 AS bigint)", value)));
    return rt_suite_alive(ctx, subject);
}

/* --- what is stored as it is ----------------------------------------------------------------- */

static const char *const nasty[] = {"'; DROP TABLE conformance_ledger; --",
                                    "' OR '1'='1",
                                    "\" OR \"\"=\"",
                                    "\\'; DELETE FROM conformance_ledger; --",
                                    "$1",
                                    "$1 $2 ?1 :name @name %s %n",
                                    "/* comment */ -- comment",
                                    "') UNION SELECT 1, 'x",
                                    "%",
                                    "_",
                                    "!%_!",
                                    "\\",
                                    "\xca\xbc OR 1=1",
                                    "a\nb;\tc",
                                    "E'\\x27'",
                                    "$$; SELECT 1; $$"};

static const char *injection(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    CHECK(rt_suite_ledger(ctx, suite));
    for (size_t i = 0; i < COUNT_OF(nasty); i++)
        CHECK(
            rt_conformance_code(ctx, nasty[i], rt_suite_note(ctx, suite, (int64_t)i, nasty[i]), 0));
    for (size_t i = 0; i < COUNT_OF(nasty); i++) {
        const rt_sql_value text = rt_sql_text(nasty[i]);
        rt_sql_rows rows;
        CHECK(rt_suite_query(
            ctx, suite, 1, &rows,
            RT_SQL("SELECT note FROM conformance_ledger WHERE id = $1", rt_sql_int((int64_t)i))));
        CHECK(rt_suite_compare(ctx, rt_sql_get(&rows, 0, 0), &text));
        CHECK(rt_suite_number(ctx, suite, (int64_t)i,
                              RT_SQL("SELECT id FROM conformance_ledger WHERE note = $1", text)));
        CHECK(rt_suite_number(
            ctx, suite, (int64_t)i,
            RT_SQL_BY_KEY("SELECT id FROM conformance_ledger WHERE note = $1", text)));
    }
    return rt_suite_notes(ctx, suite, COUNT_OF(nasty));
}

/* The text, with what LIKE would read as a pattern escaped by `!`. */
static const char *escaped(rt_ctx *ctx, const char *text)
{
    char *pattern = rt_alloc(ctx, strlen(text) * 2 + 1), *end = pattern;
    for (; *text; text++) {
        if (strchr("%_!", *text))
            *end++ = '!';
        *end++ = *text;
    }
    return pattern;
}

static const char *patterns(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    CHECK(rt_suite_ledger(ctx, suite));
    for (size_t i = 0; i < COUNT_OF(nasty); i++)
        CHECK(
            rt_conformance_code(ctx, nasty[i], rt_suite_note(ctx, suite, (int64_t)i, nasty[i]), 0));
    for (size_t i = 0; i < COUNT_OF(nasty); i++)
        CHECK(rt_suite_number(
            ctx, suite, (int64_t)i,
            RT_SQL("SELECT id FROM conformance_ledger WHERE note LIKE $1 ESCAPE '!'",
                   rt_sql_text(escaped(ctx, nasty[i])))));
    return rt_suite_number(
        ctx, suite, COUNT_OF(nasty),
        RT_SQL("SELECT count(*) FROM conformance_ledger WHERE note LIKE $1", rt_sql_text("%")));
}

static const rt_conformance_case cases[] = {
    {"a parameter is meant by its number, once or often, and never in strings", positions},
    {"missing and superfluous parameters are refused", wrong_number},
    {"a thousand parameters arrive", many},
    {"text with NUL or that is no UTF-8 is refused", malformed_texts},
    {"what is no uuid is refused", wrong_ids},
    {"a parameter of an unknown type is refused", unknown_type},
    {"what would be an injection is stored as it is and found", injection},
    {"what would be an injection is found as a pattern", patterns},
};
const rt_sql_area rt_sql_parameters_area = {cases, COUNT_OF(cases)};
