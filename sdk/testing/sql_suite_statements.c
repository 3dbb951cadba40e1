#include "sql_suite.h"

/* --- what is behind the handle --------------------------------------------------------------- */

static const char *answers(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    rt_sql_server server = {.size = sizeof server};
    CHECK(rt_conformance_code(ctx, "check", rt_sql_check(ctx, suite->sql), 0));
    CHECK(rt_conformance_code(ctx, "describe", rt_sql_describe(ctx, suite->sql, &server), 0));
    if (server.dialect != RT_SQL_SQLITE && server.dialect != RT_SQL_POSTGRES)
        return rt_format(ctx, "the dialect is %u", server.dialect);
    if (server.version < 30000)
        return rt_format(ctx, "the version is %u", server.version);
    return server.database && server.database[0] ? NULL : "the database has no name";
}

/* --- rows and columns ------------------------------------------------------------------------ */

static const char *check_columns(rt_ctx *ctx, const rt_sql_rows *rows, const rt_sql_column *wanted,
                                 uint32_t count)
{
    if (rows->column_count != count)
        return rt_format(ctx, "%u columns instead of %u", rows->column_count, count);
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(rows->columns[i].name, wanted[i].name) != 0 ||
            rows->columns[i].type != wanted[i].type)
            return rt_format(ctx, "column %u is `%s` of type %u instead of `%s` of type %u", i,
                             rows->columns[i].name, rows->columns[i].type, wanted[i].name,
                             wanted[i].type);
    }
    return NULL;
}

static const char *columns_of_nothing(rt_ctx *ctx, void *subject)
{
    static const rt_sql_column wanted[] = {{"i", RT_SQL_INT, 0},
                                           {"n", RT_SQL_INT, 0},
                                           {"d", RT_SQL_DOUBLE, 0},
                                           {"t", RT_SQL_TEXT, 0},
                                           {"b", RT_SQL_BYTES, 0},
                                           {"o", RT_SQL_BOOL, 0},
                                           {"at", RT_SQL_TIME, 0},
                                           {"u", RT_SQL_UUID, 0},
                                           {"j", RT_SQL_JSON, 0},
                                           {"k", RT_SQL_JSON, 0},
                                           {"na\xc3\xafve", RT_SQL_TEXT, 0}};
    const rt_sql_suite *suite = subject;
    rt_sql_rows rows;
    CHECK(rt_suite_table(ctx, suite, "conformance_columns",
                         "i bigint, n integer, d double precision, t text, b bytea, o boolean, "
                         "at timestamptz, u uuid, j jsonb, k json"));
    const char *text = "SELECT i, n, d, t, b, o, at, u, j, k, t AS \"na\xc3\xafve\" "
                       "FROM conformance_columns";
    CHECK(rt_suite_query(ctx, suite, 0, &rows, RT_SQL(text)));
    CHECK(check_columns(ctx, &rows, wanted, COUNT_OF(wanted)));
    CHECK(rt_suite_query(ctx, suite, 0, &rows, RT_SQL_BY_KEY(text)));
    return check_columns(ctx, &rows, wanted, COUNT_OF(wanted));
}

static const char *rows_stay(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    rt_sql_rows first, second;
    const char *text = NUMBERS("1000") "SELECT i, CAST(i * $1 AS bigint), 'row ' || i FROM n";
    CHECK(rt_suite_query(ctx, suite, 1000, &first, RT_SQL(text, rt_sql_int(3))));
    CHECK(rt_suite_query(ctx, suite, 1000, &second, RT_SQL(text, rt_sql_int(5))));
    CHECK(rt_suite_alive(ctx, suite));
    for (uint64_t i = 0; i < 1000; i++) {
        const char *name = rt_format(ctx, "row %llu", (unsigned long long)i + 1);
        if (rt_sql_get_int(&first, i, 1) != (int64_t)(i + 1) * 3 ||
            rt_sql_get_int(&second, i, 1) != (int64_t)(i + 1) * 5 ||
            strcmp(rt_sql_get_text(&first, i, 2), name) != 0)
            return rt_format(ctx, "row %llu has changed", (unsigned long long)i);
    }
    return NULL;
}

/* As a module would have them that was built with a later minor version of the SDK. */
static const char *later_version(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    struct {
        rt_sql_rows rows;
        char more[16];
    } later;
    struct {
        rt_sql_statement statement;
        char more[16];
    } asked;
    memset(&later, 0xa5, sizeof later), memset(&asked, 0xa5, sizeof asked);
    later.rows.size = sizeof later;
    asked.statement = *RT_SQL("SELECT CAST(17 AS bigint)");
    asked.statement.size = sizeof asked;
    int code = rt_sql_query(ctx, suite->sql, &asked.statement, &later.rows);
    CHECK(rt_conformance_code(ctx, "a query of a later version", code, 0));
    if (later.rows.size != sizeof later || rt_sql_get_int(&later.rows, 0, 0) != 17)
        return "the rows were not filled in";
    static const char zeros[16], untouched[16] = {[0 ... 15] = (char)0xa5};
    return memcmp(later.more, zeros, 16) == 0 || memcmp(later.more, untouched, 16) == 0
               ? NULL
               : "what lies behind the rows was written to";
}

static const char *many_columns(rt_ctx *ctx, void *subject)
{
    enum { COLUMNS = 500 };
    const rt_sql_suite *suite = subject;
    rt_sql_rows rows;
    char *text = rt_alloc(ctx, COLUMNS * 40), *end = text + sprintf(text, "SELECT ");
    for (int i = 0; i < COLUMNS; i++)
        end += sprintf(end, "%sCAST(%d AS bigint) AS c%d", i ? ", " : "", i * i, i);
    CHECK(rt_suite_query(ctx, suite, 1, &rows, RT_SQL(text)));
    for (uint32_t i = 0; i < COLUMNS; i++) {
        if (rt_sql_get_int(&rows, 0, i) != (int64_t)i * i ||
            strcmp(rows.columns[i].name, rt_format(ctx, "c%u", i)) != 0)
            return rt_format(ctx, "column %u is `%s`", i, rows.columns[i].name);
    }
    return NULL;
}

/* --- what a statement did -------------------------------------------------------------------- */

static const char *affected(rt_ctx *ctx, void *subject)
{
    static const struct {
        uint64_t count;
        const char *text;
    } steps[] = {
        {3, "INSERT INTO conformance_ledger (id, note) VALUES (1, 'a'), (2, 'b'), (3, 'c')"},
        {0, "SELECT id FROM conformance_ledger"},
        {0, "CREATE INDEX conformance_notes ON conformance_ledger (note)"},
        {2, "UPDATE conformance_ledger SET note = 'd' WHERE id > 1"},
        {0, "UPDATE conformance_ledger SET note = 'e' WHERE id > 3"},
        {2, "INSERT INTO conformance_ledger (id) SELECT id + 10 FROM conformance_ledger "
            "WHERE id > 1"},
        {1, "INSERT INTO conformance_ledger (id, note) VALUES (1, 'f') "
            "ON CONFLICT (id) DO UPDATE SET note = excluded.note"},
        {0, "INSERT INTO conformance_ledger (id, note) VALUES (1, 'g') "
            "ON CONFLICT (id) DO NOTHING"},
        {1, "DELETE FROM conformance_ledger WHERE note = 'f'"},
        {4, "DELETE FROM conformance_ledger"},
        {0, "DROP INDEX conformance_notes"},
    };
    const rt_sql_suite *suite = subject;
    CHECK(rt_suite_ledger(ctx, suite));
    for (size_t i = 0; i < COUNT_OF(steps); i++)
        CHECK(rt_suite_affects(ctx, suite, steps[i].count, RT_SQL(steps[i].text)));
    return NULL;
}

static const char *returning(rt_ctx *ctx, void *subject)
{
    static const rt_sql_column wanted[] = {
        {"id", RT_SQL_INT, 0}, {"o", RT_SQL_BOOL, 0}, {"at", RT_SQL_TIME, 0}};
    const rt_sql_suite *suite = subject;
    rt_sql_rows rows;
    CHECK(rt_suite_table(ctx, suite, "conformance_returning",
                         "id bigint PRIMARY KEY, o boolean, at timestamptz"));
    CHECK(rt_suite_query(ctx, suite, 2, &rows,
                         RT_SQL("INSERT INTO conformance_returning VALUES ($1, $2, $3), "
                                "($1 + 1, $2, $3) RETURNING id, o, at",
                                rt_sql_int(7), rt_sql_bool(1), rt_sql_time(1000000))));
    CHECK(check_columns(ctx, &rows, wanted, COUNT_OF(wanted)));
    if (rt_sql_get_int(&rows, 0, 0) + rt_sql_get_int(&rows, 1, 0) != 15 ||
        rt_sql_get(&rows, 0, 1)->type != RT_SQL_BOOL || rt_sql_get_int(&rows, 1, 2) != 1000000)
        return "RETURNING does not return what was inserted";
    CHECK(rt_suite_number(ctx, suite, 107,
                          RT_SQL("UPDATE conformance_returning SET id = id + 100 "
                                 "WHERE id = $1 RETURNING id",
                                 rt_sql_int(7))));
    CHECK(rt_suite_number(ctx, suite, 8,
                          RT_SQL("DELETE FROM conformance_returning WHERE id < 100 "
                                 "RETURNING id")));
    CHECK(rt_suite_affects(ctx, suite, 1, RT_SQL("DELETE FROM conformance_returning RETURNING o")));
    return rt_suite_number(ctx, suite, 0, RT_SQL("SELECT count(*) FROM conformance_returning"));
}

/* --- texts ----------------------------------------------------------------------------------- */

static const char *one_statement(rt_ctx *ctx, void *subject)
{
    static const char *const several[] = {
        "INSERT INTO conformance_ledger (id) VALUES (1); DELETE FROM conformance_ledger",
        "DELETE FROM conformance_ledger; SELECT 1;",
        "SELECT 1; DROP TABLE conformance_ledger",
    };
    const rt_sql_suite *suite = subject;
    CHECK(rt_suite_ledger(ctx, suite));
    CHECK(rt_conformance_code(ctx, "a row", rt_suite_note(ctx, suite, 9, "nine"), 0));
    for (size_t i = 0; i < COUNT_OF(several); i++) {
        CHECK(rt_suite_fails(ctx, suite, -RT_EINTERNAL, "SYNTAX_ERROR", RT_SQL(several[i])));
        CHECK(rt_suite_fails(ctx, suite, -RT_EINTERNAL, "SYNTAX_ERROR", RT_SQL_BY_KEY(several[i])));
        CHECK(rt_suite_notes(ctx, suite, 1));
    }
    CHECK(rt_suite_number(ctx, suite, 9, RT_SQL("SELECT id FROM conformance_ledger; ")));
    return rt_suite_number(ctx, suite, 9, RT_SQL("SELECT id FROM conformance_ledger -- ; end"));
}

static const char *no_text(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    CHECK(rt_suite_fails(ctx, suite, -RT_EINVALID_ARGUMENT, NULL, RT_SQL(NULL)));
    CHECK(rt_suite_fails(ctx, suite, -RT_EINVALID_ARGUMENT, NULL, RT_SQL("")));
    CHECK(rt_suite_fails(ctx, suite, -RT_EINVALID_ARGUMENT, NULL, RT_SQL("SELECT '\xff'")));
    CHECK(rt_suite_fails(ctx, suite, -RT_EINVALID_ARGUMENT, NULL, RT_SQL_BY_KEY("SELECT '\xc3'")));
    return rt_suite_alive(ctx, suite);
}

static const char *script(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    CHECK(rt_suite_ledger(ctx, suite));
    CHECK(rt_suite_exec(ctx, suite,
                        RT_SQL_WITH(RT_SQL_SCRIPT,
                                    "-- one; two\n"
                                    "INSERT INTO conformance_ledger VALUES (1, 'a; b''; c');\n"
                                    "/* ; */ INSERT INTO conformance_ledger VALUES (2, 'd');;\n"
                                    "UPDATE conformance_ledger SET note = 'e' WHERE id = 2;\n"
                                    "-- end")));
    CHECK(rt_suite_notes(ctx, suite, 2));
    CHECK(rt_suite_number(
        ctx, suite, 1,
        RT_SQL("SELECT id FROM conformance_ledger WHERE note = $1", rt_sql_text("a; b'; c"))));
    return rt_suite_fails(ctx, suite, -RT_EINVALID_ARGUMENT, NULL,
                          RT_SQL_WITH(RT_SQL_SCRIPT, "SELECT $1; SELECT 1", rt_sql_int(1)));
}

static const char *failing_script(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    CHECK(rt_suite_ledger(ctx, suite));
    CHECK(rt_suite_fails(ctx, suite, -RT_EALREADY_EXISTS, "UNIQUE_VIOLATION",
                         RT_SQL_WITH(RT_SQL_SCRIPT,
                                     "INSERT INTO conformance_ledger VALUES (1, 'a');"
                                     "INSERT INTO conformance_ledger VALUES (1, 'b');"
                                     "INSERT INTO conformance_ledger VALUES (3, 'c');")));
    CHECK(rt_suite_notes(ctx, suite, 0));
    return rt_suite_alive(ctx, suite);
}

/* --- what is kept of a statement ------------------------------------------------------------- */

static const char *changed_table(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    rt_sql_rows rows;
    const rt_sql_statement *ways[] = {RT_SQL("SELECT * FROM conformance_ledger"),
                                      RT_SQL_BY_KEY("SELECT * FROM conformance_ledger")};
    for (int i = 0; i < 2; i++) {
        CHECK(rt_suite_ledger(ctx, suite));
        CHECK(rt_conformance_code(ctx, "a row", rt_suite_note(ctx, suite, 1, "old"), 0));
        for (uint32_t j = 0; j < suite->connections + 2; j++)
            CHECK(rt_suite_query(ctx, suite, 1, &rows, ways[i]));
        CHECK(rt_suite_exec(ctx, suite,
                            RT_SQL("ALTER TABLE conformance_ledger ADD COLUMN more bigint "
                                   "DEFAULT 5")));
        for (uint32_t j = 0; j < suite->connections + 2; j++) {
            CHECK(rt_suite_query(ctx, suite, 1, &rows, ways[i]));
            if (rows.column_count != 3 || rt_sql_get_int(&rows, 0, 2) != 5)
                return "a column that was added is not there";
        }
    }
    return NULL;
}

static const char *remade_table(rt_ctx *ctx, void *subject)
{
    static const char *const types[] = {"bigint", "text", "double precision"};
    const rt_sql_suite *suite = subject;
    rt_sql_rows rows;
    const rt_sql_value values[] = {rt_sql_int(5), rt_sql_text("five"), rt_sql_double(5.5)};
    for (size_t i = 0; i < COUNT_OF(types) * 2; i++) {
        size_t kind = i % COUNT_OF(types);
        CHECK(
            rt_suite_table(ctx, suite, "conformance_remade", rt_format(ctx, "v %s", types[kind])));
        /* A text of its own: the types of parameters are what they were when it was prepared. */
        const char *insert =
            rt_format(ctx, "INSERT INTO conformance_remade (v) VALUES ($1) -- %s", types[kind]);
        CHECK(rt_suite_affects(ctx, suite, 1, RT_SQL(insert, values[kind])));
        CHECK(rt_suite_query(ctx, suite, 1, &rows, RT_SQL("SELECT v FROM conformance_remade")));
        CHECK(rt_suite_compare(ctx, rt_sql_get(&rows, 0, 0), &values[kind]));
    }
    return NULL;
}

static const char *many_texts(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 400; i++) {
            const char *text = rt_format(ctx, "SELECT CAST(%d AS bigint) + $1", i);
            const rt_sql_statement *statement =
                i % 2 ? RT_SQL(text, rt_sql_int(i)) : RT_SQL_BY_KEY(text, rt_sql_int(i));
            CHECK(rt_suite_number(ctx, suite, 2 * i, statement));
        }
    }
    return NULL;
}

static const char *same_text(const rt_sql_rows *left, const rt_sql_rows *right, rt_ctx *ctx)
{
    if (left->row_count != right->row_count || left->column_count != right->column_count)
        return "the number of rows or columns";
    for (uint64_t i = 0; i < left->row_count * left->column_count; i++)
        CHECK(rt_suite_compare(ctx, &left->values[i], &right->values[i]));
    for (uint32_t i = 0; i < left->column_count; i++)
        if (strcmp(left->columns[i].name, right->columns[i].name) != 0)
            return "a name";
    return NULL;
}

static const char *short_and_long(rt_ctx *ctx, void *subject)
{
    static const char *const texts[] = {
        "SELECT id, note FROM conformance_ledger WHERE id = $1",
        "SELECT id, note FROM conformance_ledger WHERE id >= $1 ORDER BY id",
        "SELECT id, note FROM conformance_ledger WHERE id = $1 + 100",
        "SELECT count(*) AS n, max(note) AS m FROM conformance_ledger WHERE id <> $1",
        "SELECT CAST(NULL AS text) AS empty, CAST($1 AS bigint) AS filled",
        "UPDATE conformance_ledger SET note = note WHERE id = $1 RETURNING id, note",
    };
    const rt_sql_suite *suite = subject;
    rt_sql_rows left = {.size = sizeof left}, right = left;
    CHECK(rt_suite_ledger(ctx, suite));
    for (int i = 0; i < 20; i++)
        CHECK(rt_conformance_code(
            ctx, "a row", rt_suite_note(ctx, suite, i, i % 3 ? rt_format(ctx, "n%d", i) : NULL),
            0));
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        int one = rt_sql_query(ctx, suite->sql, RT_SQL(texts[i], rt_sql_int(4)), &left);
        CHECK(rt_conformance_code(ctx, texts[i], one, 0));
        int two = rt_sql_query(ctx, suite->sql, RT_SQL_BY_KEY(texts[i], rt_sql_int(4)), &right);
        CHECK(rt_conformance_code(ctx, texts[i], two, 0));
        const char *difference = same_text(&left, &right, ctx);
        if (difference)
            return rt_format(ctx, "%s differs: %s", texts[i], difference);
    }
    return NULL;
}

static const rt_conformance_case cases[] = {
    {"the server is described and answers", answers},
    {"a result without rows has the names and types of its columns", columns_of_nothing},
    {"rows live until the unit of work ends", rows_stay},
    {"a statement and rows of a later version are read and filled", later_version},
    {"five hundred columns come in order", many_columns},
    {"affected counts what was inserted, updated or deleted and nothing else", affected},
    {"RETURNING gives typed rows of inserts, updates and deletes", returning},
    {"more than one statement in a text is refused and none of them runs", one_statement},
    {"a text that is missing, empty or no UTF-8 is refused", no_text},
    {"a script runs its statements, whatever stands in strings and comments", script},
    {"a script that fails leaves nothing", failing_script},
    {"a column added to a table is seen by a statement that was kept", changed_table},
    {"a table made anew with another type is read by a statement that was kept", remade_table},
    {"more texts than are kept all give their answers", many_texts},
    {"short statements answer as ordinary ones do", short_and_long},
};
const rt_sql_area rt_sql_statements_area = {cases, COUNT_OF(cases)};
