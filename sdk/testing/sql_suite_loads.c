#include "sql_suite.h"

static const char *const ledger_columns[] = {"id", "note"};

static const rt_sql_copy into_ledger = {.size = sizeof into_ledger,
                                        .table = "conformance_ledger",
                                        .columns = ledger_columns,
                                        .column_count = 2};

static const char *begin_load(rt_ctx *ctx, const rt_sql_suite *suite, const rt_sql_copy *copy,
                              rt_sql_load **load)
{
    return rt_conformance_code(ctx, "copy_begin", rt_sql_copy_begin(ctx, suite->sql, copy, load),
                               0);
}

/* Loads rows with the ids from `first` on, every third note a null. */
static int load_notes(rt_ctx *ctx, const rt_sql_suite *suite, rt_sql_load *load, int64_t first,
                      int64_t count)
{
    rt_sql_value *values = rt_alloc(ctx, (uint64_t)count * 2 * sizeof *values);
    for (int64_t i = 0; i < count; i++) {
        values[2 * i] = rt_sql_int(first + i);
        values[2 * i + 1] =
            (first + i) % 3 ? rt_sql_text("tab\there, \"quote\", \\N") : rt_sql_null();
    }
    return rt_sql_copy_rows(ctx, suite->sql, load, values, (uint64_t)count);
}

static const char *end_load(rt_ctx *ctx, const rt_sql_suite *suite, rt_sql_load *load,
                            uint64_t count)
{
    uint64_t rows = UINT64_MAX;
    CHECK(rt_conformance_code(ctx, "copy_end", rt_sql_copy_end(ctx, suite->sql, load, &rows), 0));
    return rows == count ? NULL
                         : rt_format(ctx, "copy_end tells of %llu rows instead of %llu",
                                     (unsigned long long)rows, (unsigned long long)count);
}

/* --- typed rows ------------------------------------------------------------------------------ */

static const char *many_rows(rt_ctx *ctx, void *subject)
{
    enum { PIECES = 20, PIECE = 1000, ROWS = PIECES * PIECE };
    const rt_sql_suite *suite = subject;
    rt_sql_load *load;
    CHECK(rt_suite_ledger(ctx, suite));
    CHECK(begin_load(ctx, suite, &into_ledger, &load));
    for (int64_t i = 0; i < PIECES; i++)
        CHECK(rt_conformance_code(ctx, "copy_rows",
                                  load_notes(ctx, suite, load, 1 + i * PIECE, PIECE), 0));
    CHECK(end_load(ctx, suite, load, ROWS));
    CHECK(rt_suite_notes(ctx, suite, ROWS));
    CHECK(rt_suite_number(ctx, suite, (int64_t)ROWS * (ROWS + 1) / 2,
                          RT_SQL("SELECT CAST(sum(id) AS bigint) FROM conformance_ledger")));
    CHECK(rt_suite_number(ctx, suite, ROWS / 3,
                          RT_SQL("SELECT count(*) FROM conformance_ledger WHERE note IS NULL")));
    return rt_suite_number(ctx, suite, ROWS - ROWS / 3,
                           RT_SQL("SELECT count(*) FROM conformance_ledger WHERE note = $1",
                                  rt_sql_text("tab\there, \"quote\", \\N")));
}

static const char *no_rows(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    rt_sql_load *load;
    CHECK(rt_suite_ledger(ctx, suite));
    for (uint32_t i = 0; i < suite->connections + 2; i++) {
        CHECK(begin_load(ctx, suite, &into_ledger, &load));
        if (i % 2)
            CHECK(rt_conformance_code(ctx, "copy_rows",
                                      rt_sql_copy_rows(ctx, suite->sql, load, NULL, 0), 0));
        CHECK(end_load(ctx, suite, load, 0));
    }
    return rt_suite_alive(ctx, suite);
}

static const char *all_types(rt_ctx *ctx, void *subject)
{
    static const char *const names[] = {"i", "n", "d", "t", "b", "o", "at", "u", "j"};
    const rt_sql_suite *suite = subject;
    enum { COLUMNS = COUNT_OF(names) };
    rt_sql_value values[2 * COLUMNS] = {rt_sql_int(INT64_MIN),
                                        rt_sql_int(-5),
                                        rt_sql_double(-0.1),
                                        rt_sql_text("it's \xe2\x82\xac"),
                                        rt_sql_bytes("\0\xff\n", 3),
                                        rt_sql_bool(1),
                                        rt_sql_time(-1),
                                        rt_sql_uuid("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
                                        rt_sql_json("{\"a\": [1]}")};
    rt_sql_load *load;
    rt_sql_rows rows;
    CHECK(rt_suite_table(ctx, suite, "conformance_loaded",
                         "row bigint, i bigint, n integer, d double precision, t text, b bytea, "
                         "o boolean, at timestamptz, u uuid, j jsonb"));
    CHECK(begin_load(ctx, suite,
                     &(rt_sql_copy){.size = sizeof(rt_sql_copy),
                                    .table = "conformance_loaded",
                                    .columns = names,
                                    .column_count = COLUMNS},
                     &load));
    CHECK(rt_conformance_code(ctx, "copy_rows", rt_sql_copy_rows(ctx, suite->sql, load, values, 2),
                              0));
    CHECK(end_load(ctx, suite, load, 2));
    CHECK(rt_suite_query(ctx, suite, 2, &rows,
                         RT_SQL("SELECT i, n, d, t, b, o, at, u, j FROM conformance_loaded "
                                "ORDER BY CASE WHEN i IS NULL THEN 1 ELSE 0 END")));
    for (uint32_t i = 0; i < 2 * COLUMNS; i++) {
        const char *complaint = rt_suite_compare(ctx, &rows.values[i], &values[i]);
        if (complaint)
            return rt_format(ctx, "value %u: %s", i, complaint);
    }
    return NULL;
}

static const char *odd_names(rt_ctx *ctx, void *subject)
{
    static const char *const names[] = {"select", "a \"b\"; --"};
    const rt_sql_suite *suite = subject;
    rt_sql_load *load;
    CHECK(rt_suite_ledger(ctx, suite));
    CHECK(rt_suite_table(ctx, suite, "\"conformance_odd \"\"name\"\"; --\"",
                         "\"select\" bigint, \"a \"\"b\"\"; --\" text"));
    CHECK(begin_load(ctx, suite,
                     &(rt_sql_copy){.size = sizeof(rt_sql_copy),
                                    .table = "conformance_odd \"name\"; --",
                                    .columns = names,
                                    .column_count = 2},
                     &load));
    CHECK(rt_conformance_code(ctx, "copy_rows", load_notes(ctx, suite, load, 1, 10), 0));
    CHECK(end_load(ctx, suite, load, 10));
    return rt_suite_number(ctx, suite, 55,
                           RT_SQL("SELECT CAST(sum(\"select\") AS bigint) "
                                  "FROM \"conformance_odd \"\"name\"\"; --\""));
}

/* --- what undoes a load ---------------------------------------------------------------------- */

static const char *broken(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    CHECK(rt_suite_ledger(ctx, suite));
    CHECK(rt_conformance_code(ctx, "a row", rt_suite_note(ctx, suite, 1500, "in the way"), 0));
    for (uint32_t i = 0; i < suite->connections + 2; i++) {
        rt_sql_load *load;
        uint64_t rows;
        CHECK(begin_load(ctx, suite, &into_ledger, &load));
        int code = 0;
        for (int64_t piece = 0; piece < 3 && code == 0; piece++)
            code = load_notes(ctx, suite, load, 1 + piece * 1000, 1000);
        if (code == 0)
            code = rt_sql_copy_end(ctx, suite->sql, load, &rows);
        else if (rt_sql_copy_end(ctx, suite->sql, load, &rows) == 0)
            return "a load ended well after it had failed";
        CHECK(
            rt_conformance_code(ctx, "a load that breaks a constraint", code, -RT_EALREADY_EXISTS));
        CHECK(rt_suite_notes(ctx, suite, 1));
    }
    return rt_suite_alive(ctx, suite);
}

static const char *no_table(rt_ctx *ctx, void *subject)
{
    static const char *const absent[] = {"absent"};
    const rt_sql_suite *suite = subject;
    const rt_sql_copy copies[] = {
        {.size = sizeof copies[0],
         .table = "conformance_absent",
         .columns = ledger_columns,
         .column_count = 2},
        {.size = sizeof copies[0],
         .table = "conformance_ledger; DROP TABLE conformance_ledger",
         .columns = ledger_columns,
         .column_count = 2},
        {.size = sizeof copies[0],
         .table = "conformance_ledger",
         .columns = absent,
         .column_count = 1},
    };
    CHECK(rt_suite_ledger(ctx, suite));
    for (uint32_t i = 0; i < suite->connections + 2; i++) {
        rt_sql_load *load = NULL;
        size_t which = i % COUNT_OF(copies);
        int code = rt_sql_copy_begin(ctx, suite->sql, &copies[which], &load);
        CHECK(rt_conformance_code(ctx, "a load into nothing", code, -RT_EINTERNAL));
        CHECK(rt_suite_domain(ctx, "a load into nothing",
                              which == 2 ? "UNDEFINED_COLUMN" : "UNDEFINED_TABLE"));
    }
    CHECK(rt_suite_notes(ctx, suite, 0));
    return rt_suite_alive(ctx, suite);
}

static int leave_load(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    rt_sql_load *load;
    TELL(story, begin_load(ctx, story->suite, &into_ledger, &load));
    TELL(story,
         rt_conformance_code(ctx, "copy_rows", load_notes(ctx, story->suite, load, 1, 5000), 0));
    if (story->number)
        rt_die(ctx, "the loader dies");
    return 0;
}

static const char *abandoned(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    rt_sql_story *story = rt_story_open(ctx, suite);
    CHECK(rt_suite_ledger(ctx, suite));
    for (uint32_t i = 0; i < suite->connections + 2; i++) {
        rt_exit exit;
        story->number = i % 2;
        rt_run_exit(ctx, &exit, leave_load, story);
        CHECK(story->complaint);
        CHECK(rt_suite_notes(ctx, suite, 0));
    }
    return rt_suite_alive(ctx, suite);
}

static int load_inside(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    rt_sql_load *load;
    RT_TRY(rt_suite_note(ctx, story->suite, 0, "before"));
    TELL(story, begin_load(ctx, story->suite, &into_ledger, &load));
    RT_TRY(load_notes(ctx, story->suite, load, 1, 100));
    TELL(story, end_load(ctx, story->suite, load, 100));
    TELL(story, rt_suite_notes(ctx, story->suite, 101));
    return story->number ? rt_fail(ctx, RT_EOUT_OF_RANGE, "the work fails") : 0;
}

static const char *in_transaction(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    rt_sql_story *story = rt_story_open(ctx, suite);
    CHECK(rt_suite_ledger(ctx, suite));
    story->number = 1;
    int code = rt_sql_tx(ctx, suite->sql, load_inside, story);
    CHECK(story->complaint);
    CHECK(rt_conformance_code(ctx, "a transaction", code, -RT_EOUT_OF_RANGE));
    CHECK(rt_suite_notes(ctx, suite, 0));
    story->number = 0;
    code = rt_sql_tx(ctx, suite->sql, load_inside, story);
    CHECK(story->complaint);
    CHECK(rt_conformance_code(ctx, "a transaction", code, 0));
    return rt_suite_notes(ctx, suite, 101);
}

static int leave_nested(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    RT_TRY(leave_load(ctx, story));
    return rt_fail(ctx, RT_EOUT_OF_RANGE, "the nested work fails");
}

static int leave_inside(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    int code = rt_sql_tx(ctx, story->suite->sql, leave_nested, story);
    TELL(story, rt_conformance_code(ctx, "the nested one", code, -RT_EOUT_OF_RANGE));
    return rt_suite_note(ctx, story->suite, 9999, "kept");
}

static const char *abandoned_in_transaction(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    rt_sql_story *story = rt_story_open(ctx, suite);
    CHECK(rt_suite_ledger(ctx, suite));
    int code = rt_sql_tx(ctx, suite->sql, leave_inside, story);
    CHECK(story->complaint);
    CHECK(rt_conformance_code(ctx, "a transaction", code, 0));
    CHECK(rt_suite_notes(ctx, suite, 1));
    return rt_suite_alive(ctx, suite);
}

/* --- bytes ----------------------------------------------------------------------------------- */

struct format {
    uint32_t format;
    const char *bytes; /* of rows 1 to 3 */
};

static const struct format formats[] = {
    {RT_SQL_COPY_TEXT, "1\ttea \\\\ and\\tmore\n2\t\\N\n3\t\xe2\x82\xac\n"},
    {RT_SQL_COPY_CSV, "1,\"tea, \"\"fine\"\"\"\n2,\n3,\xe2\x82\xac\n"},
};

/* In the smallest of pieces. */
static const char *write_bytes(rt_ctx *ctx, const rt_sql_suite *suite, const struct format *format)
{
    rt_sql_copy copy = into_ledger;
    rt_sql_load *load;
    copy.format = format->format;
    CHECK(begin_load(ctx, suite, &copy, &load));
    for (const char *byte = format->bytes; *byte; byte++)
        CHECK(rt_conformance_code(ctx, "copy_write",
                                  rt_sql_copy_write(ctx, suite->sql, load, byte, 1), 0));
    return end_load(ctx, suite, load, 3);
}

static const char *read_bytes(rt_ctx *ctx, const rt_sql_suite *suite, const struct format *format)
{
    rt_sql_load *load;
    const char *all = "";
    CHECK(begin_load(ctx, suite,
                     &(rt_sql_copy){.size = sizeof(rt_sql_copy),
                                    .format = format->format,
                                    .query = "SELECT id, note FROM conformance_ledger ORDER BY id"},
                     &load));
    for (;;) {
        rt_str chunk;
        CHECK(rt_conformance_code(ctx, "copy_read", rt_sql_copy_read(ctx, suite->sql, load, &chunk),
                                  0));
        if (!chunk.length)
            break;
        all = rt_format(ctx, "%s%.*s", all, (int)chunk.length, chunk.data);
    }
    if (strcmp(all, format->bytes) != 0)
        return rt_format(ctx, "what was read is `%s`", all);
    return end_load(ctx, suite, load, 3);
}

static const char *refuse_bytes(rt_ctx *ctx, const rt_sql_suite *suite, const struct format *format)
{
    rt_sql_copy copy = into_ledger;
    rt_sql_load *load;
    copy.format = format->format;
    CHECK(rt_conformance_code(ctx, "a load of bytes",
                              rt_sql_copy_begin(ctx, suite->sql, &copy, &load),
                              -RT_EUNIMPLEMENTED));
    copy.table = NULL;
    copy.query = "SELECT id FROM conformance_ledger";
    return rt_conformance_code(ctx, "a bulk read", rt_sql_copy_begin(ctx, suite->sql, &copy, &load),
                               -RT_EUNIMPLEMENTED);
}

static const char *bytes(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    for (size_t i = 0; i < COUNT_OF(formats); i++) {
        CHECK(rt_suite_ledger(ctx, suite));
        if (suite->dialect == RT_SQL_POSTGRES) {
            CHECK(write_bytes(ctx, suite, &formats[i]));
            CHECK(rt_suite_notes(ctx, suite, 3));
            CHECK(read_bytes(ctx, suite, &formats[i]));
        } else {
            CHECK(refuse_bytes(ctx, suite, &formats[i]));
        }
    }
    return rt_suite_alive(ctx, suite);
}

static const char *wrong_bytes(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    rt_sql_copy copy = into_ledger;
    rt_sql_load *load;
    uint64_t rows;
    copy.format = RT_SQL_COPY_TEXT;
    CHECK(rt_suite_ledger(ctx, suite));
    if (suite->dialect != RT_SQL_POSTGRES)
        return refuse_bytes(ctx, suite, &formats[0]);
    CHECK(begin_load(ctx, suite, &copy, &load));
    int code = rt_sql_copy_write(ctx, suite->sql, load, "1\ta\n2\tb\tc\n", 10);
    if (code == 0)
        code = rt_sql_copy_end(ctx, suite->sql, load, &rows);
    CHECK(rt_conformance_code(ctx, "a row with too much", code, -RT_EINVALID_ARGUMENT));
    CHECK(rt_suite_notes(ctx, suite, 0));
    return rt_suite_alive(ctx, suite);
}

static const rt_conformance_case cases[] = {
    {"twenty thousand rows are loaded, nulls too", many_rows},
    {"a load of no rows ends well", no_rows},
    {"rows of every type are loaded", all_types},
    {"names of tables and columns are names, whatever stands in them", odd_names},
    {"an error undoes all of a load", broken},
    {"a load into what is not there fails at once", no_table},
    {"a load that is abandoned leaves nothing", abandoned},
    {"a load belongs to the transaction around it", in_transaction},
    {"a load abandoned in a nested transaction is undone with it", abandoned_in_transaction},
    {"rows are loaded and read as bytes where the server can", bytes},
    {"bytes that are no rows leave nothing", wrong_bytes},
};
const rt_sql_area rt_sql_loads_area = {cases, COUNT_OF(cases)};
