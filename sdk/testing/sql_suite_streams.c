#include "sql_suite.h"

enum { MANY = 100000 };
#define MANY_ROWS NUMBERS("100000") "SELECT i, 'row ' || i AS name FROM n ORDER BY i"
#define MANY_LAZY_ROWS NUMBERS("100000") "SELECT i, 'row ' || i AS name FROM n"

/* What was read of a stream so far; its rows have to come in order, from 1 on. */
struct reading {
    rt_sql_stream *stream;
    int64_t rows;
    uint64_t largest; /* piece */
    bool ended;
};

static const char *open_stream(rt_ctx *ctx, const rt_sql_suite *suite, struct reading *reading,
                               const rt_sql_statement *statement)
{
    *reading = (struct reading){0};
    int code = rt_sql_stream_open(ctx, suite->sql, statement, &reading->stream);
    return rt_conformance_code(ctx, "stream_open", code, 0);
}

static const char *read_piece(rt_ctx *ctx, const rt_sql_suite *suite, struct reading *reading)
{
    rt_sql_rows rows = {.size = sizeof rows};
    int code = rt_sql_stream_next(ctx, suite->sql, reading->stream, &rows);
    CHECK(rt_conformance_code(ctx, "stream_next", code, 0));
    for (uint64_t i = 0; i < rows.row_count; i++) {
        char name[32];
        snprintf(name, sizeof name, "row %lld", (long long)++reading->rows);
        const char *got = rt_sql_get_text(&rows, i, 1);
        if (rt_sql_get_int(&rows, i, 0) != reading->rows || !got || strcmp(got, name) != 0)
            return rt_format(ctx, "row %lld is row %lld", (long long)reading->rows,
                             (long long)rt_sql_get_int(&rows, i, 0));
    }
    if (rows.row_count > reading->largest)
        reading->largest = rows.row_count;
    reading->ended = rows.row_count == 0;
    return NULL;
}

static const char *close_stream(rt_ctx *ctx, const rt_sql_suite *suite, struct reading *reading)
{
    return rt_conformance_code(ctx, "stream_close",
                               rt_sql_stream_close(ctx, suite->sql, reading->stream), 0);
}

static const char *read_all(rt_ctx *ctx, const rt_sql_suite *suite, struct reading *reading,
                            int64_t rows)
{
    while (!reading->ended)
        CHECK(read_piece(ctx, suite, reading));
    if (reading->rows != rows)
        return rt_format(ctx, "%lld rows instead of %lld", (long long)reading->rows,
                         (long long)rows);
    return close_stream(ctx, suite, reading);
}

/* --- to the end ------------------------------------------------------------------------------ */

static const char *many_rows(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    struct reading reading;
    CHECK(open_stream(ctx, suite, &reading, RT_SQL(MANY_LAZY_ROWS)));
    CHECK(read_all(ctx, suite, &reading, MANY));
    if (reading.largest > MANY / 10)
        return rt_format(ctx, "a piece had %llu rows", (unsigned long long)reading.largest);
    CHECK(open_stream(ctx, suite, &reading, RT_SQL(MANY_ROWS)));
    CHECK(read_all(ctx, suite, &reading, MANY));
    return rt_suite_alive(ctx, suite);
}

static const char *no_rows(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    struct reading reading;
    rt_sql_rows rows = {.size = sizeof rows};
    CHECK(rt_suite_ledger(ctx, suite));
    CHECK(open_stream(
        ctx, suite, &reading,
        RT_SQL("SELECT id, note FROM conformance_ledger WHERE id > $1", rt_sql_int(5))));
    CHECK(rt_conformance_code(ctx, "stream_next",
                              rt_sql_stream_next(ctx, suite->sql, reading.stream, &rows), 0));
    if (rows.row_count != 0 || rows.column_count != 2 || strcmp(rows.columns[1].name, "note") != 0)
        return "the columns of no rows are missing";
    CHECK(close_stream(ctx, suite, &reading));
    return rt_suite_alive(ctx, suite);
}

static const char *large_values(rt_ctx *ctx, void *subject)
{
    enum { VALUES = 40, LENGTH = 200000 };
    const rt_sql_suite *suite = subject;
    struct reading reading;
    char *text = rt_alloc(ctx, LENGTH + 1);
    memset(text, 'x', LENGTH);
    CHECK(rt_suite_ledger(ctx, suite));
    for (int i = 0; i < VALUES; i++)
        CHECK(rt_conformance_code(ctx, "a row", rt_suite_note(ctx, suite, i, text), 0));
    CHECK(open_stream(ctx, suite, &reading,
                      RT_SQL("SELECT id, note FROM conformance_ledger ORDER BY id")));
    for (int64_t row = 0;;) {
        rt_sql_rows rows = {.size = sizeof rows};
        CHECK(rt_conformance_code(ctx, "stream_next",
                                  rt_sql_stream_next(ctx, suite->sql, reading.stream, &rows), 0));
        if (rows.row_count == VALUES)
            return "all came in one piece";
        for (uint64_t i = 0; i < rows.row_count; i++, row++)
            if (rt_sql_get_int(&rows, i, 0) != row || rt_sql_get(&rows, i, 1)->length != LENGTH)
                return rt_format(ctx, "row %lld is another", (long long)row);
        if (!rows.row_count)
            return row == VALUES ? close_stream(ctx, suite, &reading) : "rows are missing";
    }
}

/* --- not to the end -------------------------------------------------------------------------- */

static const char *closed_early(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    struct reading reading;
    for (uint32_t i = 0; i < suite->connections + 2; i++) {
        CHECK(open_stream(ctx, suite, &reading, RT_SQL(ENDLESS "SELECT i, 'row ' || i FROM n")));
        for (uint32_t piece = 0; piece < i % 3; piece++)
            CHECK(read_piece(ctx, suite, &reading));
        CHECK(close_stream(ctx, suite, &reading));
    }
    return rt_suite_alive(ctx, suite);
}

static int leave_stream(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    struct reading reading;
    TELL(story, open_stream(ctx, story->suite, &reading, RT_SQL(MANY_LAZY_ROWS)));
    TELL(story, read_piece(ctx, story->suite, &reading));
    if (story->number)
        rt_die(ctx, "the reader dies");
    return 0;
}

static const char *abandoned(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    rt_sql_story *story = rt_story_open(ctx, suite);
    for (uint32_t i = 0; i < suite->connections + 2; i++) {
        rt_exit exit;
        story->number = i % 2;
        rt_run_exit(ctx, &exit, leave_stream, story);
        CHECK(story->complaint);
    }
    return rt_suite_alive(ctx, suite);
}

static const char *fails_late(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    for (uint32_t i = 0; i < suite->connections + 2; i++) {
        struct reading reading;
        int code = 0;
        CHECK(open_stream(ctx, suite, &reading,
                          RT_SQL(NUMBERS("60000") "SELECT i, abs(CASE WHEN i = 50000 THEN $1 "
                                                  "ELSE i END) FROM n",
                                 rt_sql_int(INT64_MIN))));
        while (code == 0) {
            rt_sql_rows rows = {.size = sizeof rows};
            code = rt_sql_stream_next(ctx, suite->sql, reading.stream, &rows);
            if (code == 0 && rows.row_count == 0)
                return "a stream ended well in whose middle is an error";
            reading.rows += (int64_t)rows.row_count;
        }
        CHECK(rt_conformance_code(ctx, "stream_next", code, -RT_EINVALID_ARGUMENT));
        CHECK(rt_suite_domain(ctx, "stream_next", "NUMERIC_VALUE_OUT_OF_RANGE"));
        CHECK(close_stream(ctx, suite, &reading));
    }
    return rt_suite_alive(ctx, suite);
}

static const char *wrong_statement(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    for (uint32_t i = 0; i < suite->connections + 2; i++) {
        rt_sql_stream *stream = NULL;
        rt_sql_rows rows = {.size = sizeof rows};
        int code = rt_sql_stream_open(ctx, suite->sql, RT_SQL("SELECT i FROM conformance_absent"),
                                      &stream);
        if (code == 0)
            code = rt_sql_stream_next(ctx, suite->sql, stream, &rows);
        CHECK(rt_conformance_code(ctx, "a stream of no table", code, -RT_EINTERNAL));
        CHECK(rt_suite_domain(ctx, "a stream of no table", "UNDEFINED_TABLE"));
        if (stream)
            rt_sql_stream_close(ctx, suite->sql, stream);
    }
    return rt_suite_alive(ctx, suite);
}

static int read_slowly(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    rt_sql_stream *stream;
    rt_sql_rows rows = {.size = sizeof rows};
    int code =
        rt_sql_stream_open(ctx, story->suite->sql, RT_SQL(ENDLESS "SELECT i FROM n"), &stream);
    TELL(story, rt_conformance_code(ctx, "stream_open", code, 0));
    rt_set_deadline(ctx, rt_now() + RT_MS(100));
    do
        code = rt_sql_stream_next(ctx, story->suite->sql, stream, &rows);
    while (code == 0 && rows.row_count > 0);
    return code;
}

static const char *out_of_time(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    rt_sql_story *story = rt_story_open(ctx, suite);
    for (uint32_t i = 0; i < suite->connections + 2; i++) {
        int code = rt_run(ctx, read_slowly, story);
        CHECK(story->complaint);
        CHECK(rt_conformance_code(ctx, "an endless stream", code, -RT_EDEADLINE));
    }
    return rt_suite_alive(ctx, suite);
}

/* --- beside others --------------------------------------------------------------------------- */

static const char *two_at_once(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    struct reading left, right;
    CHECK(open_stream(ctx, suite, &left, RT_SQL(MANY_LAZY_ROWS)));
    CHECK(open_stream(ctx, suite, &right, RT_SQL(MANY_LAZY_ROWS)));
    for (int i = 0; i < 5; i++) {
        CHECK(read_piece(ctx, suite, &left));
        CHECK(read_piece(ctx, suite, &right));
    }
    CHECK(read_all(ctx, suite, &right, MANY));
    CHECK(read_all(ctx, suite, &left, MANY));
    return rt_suite_alive(ctx, suite);
}

/* What everybody does with a stream: something for each of its rows. */
static const char *with_statements(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    struct reading reading;
    int64_t written = 0;
    CHECK(rt_suite_ledger(ctx, suite));
    CHECK(open_stream(ctx, suite, &reading, RT_SQL(MANY_LAZY_ROWS)));
    while (!reading.ended && written < 20) {
        CHECK(read_piece(ctx, suite, &reading));
        CHECK(
            rt_conformance_code(ctx, "a row", rt_suite_note(ctx, suite, ++written, "streamed"), 0));
        CHECK(rt_suite_notes(ctx, suite, written));
    }
    CHECK(close_stream(ctx, suite, &reading));
    return rt_suite_notes(ctx, suite, written);
}

static int ask_others(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    for (int64_t i = 0; i < 5; i++)
        TELL(story, rt_suite_number(ctx, story->suite, i,
                                    RT_SQL("SELECT CAST($1 AS bigint)", rt_sql_int(i))));
    return 0;
}

/* One that does not wait long: that is no reason for the stream to end. */
static int ask_in_haste(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    rt_sql_rows rows = {.size = sizeof rows};
    rt_set_deadline(ctx, rt_now() + RT_MS(2));
    rt_sql_query(ctx, story->suite->sql, RT_SQL("SELECT 1"), &rows);
    return 0;
}

static const char *while_others_ask(rt_ctx *ctx, void *subject)
{
    static const rt_work works[] = {ask_in_haste, ask_others};
    const rt_sql_suite *suite = subject;
    rt_sql_story *story = rt_story_open(ctx, suite);
    for (int i = 0; i < 8; i++) {
        struct reading reading;
        CHECK(open_stream(ctx, suite, &reading, RT_SQL(MANY_LAZY_ROWS)));
        rt_task *asking = rt_spawn(ctx, works[i % 2], story);
        const char *complaint = read_piece(ctx, suite, &reading);
        while (!complaint && !reading.ended && i < 4)
            complaint = read_piece(ctx, suite, &reading);
        CHECK(complaint);
        CHECK(close_stream(ctx, suite, &reading));
        rt_join(ctx, asking);
        CHECK(story->complaint);
        rt_task *other = rt_spawn(ctx, works[i % 2], story);
        rt_run(ctx, leave_stream, story);
        rt_join(ctx, other);
        CHECK(story->complaint);
    }
    return rt_suite_alive(ctx, suite);
}

static int stream_own_rows(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    const rt_sql_suite *suite = story->suite;
    struct reading reading;
    for (int64_t i = 1; i <= 5; i++)
        RT_TRY(rt_suite_note(ctx, suite, i, rt_format(ctx, "row %lld", (long long)i)));
    TELL(story, open_stream(ctx, suite, &reading,
                            RT_SQL("SELECT id, note FROM conformance_ledger ORDER BY id")));
    TELL(story, read_all(ctx, suite, &reading, 5));
    TELL(story, open_stream(ctx, suite, &reading, RT_SQL(MANY_LAZY_ROWS)));
    TELL(story, read_piece(ctx, suite, &reading));
    TELL(story, close_stream(ctx, suite, &reading));
    RT_TRY(rt_suite_note(ctx, suite, 6, "behind the streams"));
    return story->number ? rt_fail(ctx, RT_EOUT_OF_RANGE, "the work fails") : 0;
}

static const char *in_transaction(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    rt_sql_story *story = rt_story_open(ctx, suite);
    CHECK(rt_suite_ledger(ctx, suite));
    story->number = 1;
    int code = rt_sql_tx(ctx, suite->sql, stream_own_rows, story);
    CHECK(story->complaint);
    CHECK(rt_conformance_code(ctx, "a transaction", code, -RT_EOUT_OF_RANGE));
    CHECK(rt_suite_notes(ctx, suite, 0));
    story->number = 0;
    code = rt_sql_tx(ctx, suite->sql, stream_own_rows, story);
    CHECK(story->complaint);
    CHECK(rt_conformance_code(ctx, "a transaction", code, 0));
    return rt_suite_notes(ctx, suite, 6);
}

/* A server may not be able to do both on one connection: then it says so. */
static int write_beside_stream(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    struct reading reading;
    TELL(story, open_stream(ctx, story->suite, &reading, RT_SQL(MANY_LAZY_ROWS)));
    TELL(story, read_piece(ctx, story->suite, &reading));
    int code = rt_suite_note(ctx, story->suite, 1, "beside");
    if (code != 0)
        TELL(story, rt_conformance_code(ctx, "a statement beside a stream", code,
                                        -RT_EFAILED_PRECONDITION));
    story->number = code == 0;
    TELL(story, close_stream(ctx, story->suite, &reading));
    return rt_suite_note(ctx, story->suite, 2, "behind");
}

static const char *beside_in_transaction(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    rt_sql_story *story = rt_story_open(ctx, suite);
    CHECK(rt_suite_ledger(ctx, suite));
    int code = rt_sql_tx(ctx, suite->sql, write_beside_stream, story);
    CHECK(story->complaint);
    CHECK(rt_conformance_code(ctx, "a transaction", code, 0));
    return rt_suite_notes(ctx, suite, story->number + 1);
}

static int stream_for_a_while(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    struct reading reading;
    TELL(story, open_stream(ctx, story->suite, &reading, RT_SQL(MANY_LAZY_ROWS)));
    RT_TRY(rt_story_say(ctx, story->first));
    RT_TRY(rt_sleep(ctx, RT_MS(20)));
    TELL(story, close_stream(ctx, story->suite, &reading));
    return 0;
}

/* Who had a stream of his own before waits for another's as everybody does. */
static int write_beside_another(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    struct reading reading;
    TELL(story, open_stream(ctx, story->suite, &reading, RT_SQL(MANY_LAZY_ROWS)));
    TELL(story, close_stream(ctx, story->suite, &reading));
    rt_task *task = rt_spawn(ctx, stream_for_a_while, story);
    RT_TRY(rt_story_hear(ctx, story->first));
    int code = rt_suite_note(ctx, story->suite, 1, "waited");
    if (code < 0)
        rt_story_complain(story, rt_conformance_code(ctx, "a statement", code, 0));
    return rt_join(ctx, task);
}

static const char *beside_another(rt_ctx *ctx, void *subject)
{
    rt_sql_story *story = rt_story_open(ctx, subject);
    CHECK(rt_suite_ledger(ctx, subject));
    int code = rt_sql_tx(ctx, story->suite->sql, write_beside_another, story);
    CHECK(story->complaint);
    CHECK(rt_conformance_code(ctx, "a transaction", code, 0));
    return rt_suite_notes(ctx, subject, 1);
}

static int leave_in_transaction(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    RT_TRY(rt_suite_note(ctx, story->suite, 1, "never"));
    RT_TRY(rt_run(ctx, leave_stream, story));
    RT_TRY(rt_suite_note(ctx, story->suite, 2, "never"));
    RT_TRY(leave_stream(ctx, story));
    return rt_fail(ctx, RT_EOUT_OF_RANGE, "the work fails");
}

static const char *abandoned_in_transaction(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    rt_sql_story *story = rt_story_open(ctx, suite);
    CHECK(rt_suite_ledger(ctx, suite));
    for (uint32_t i = 0; i < suite->connections + 2; i++) {
        int code = rt_sql_tx(ctx, suite->sql, leave_in_transaction, story);
        CHECK(story->complaint);
        CHECK(rt_conformance_code(ctx, "a transaction", code, -RT_EOUT_OF_RANGE));
    }
    CHECK(rt_suite_notes(ctx, suite, 0));
    return rt_suite_alive(ctx, suite);
}

static const rt_conformance_case cases[] = {
    {"a hundred thousand rows come in order and in pieces", many_rows},
    {"a stream without rows has columns and an end", no_rows},
    {"pieces are small where values are large", large_values},
    {"a stream that is closed early holds nothing", closed_early},
    {"a stream that is abandoned holds nothing", abandoned},
    {"an error in the middle of a stream is told there", fails_late},
    {"a stream of a wrong statement fails and holds nothing", wrong_statement},
    {"an endless stream ends at its deadline", out_of_time},
    {"a stream goes on, and ends, while others ask", while_others_ask},
    {"two streams are read in turns", two_at_once},
    {"statements run between the pieces of a stream", with_statements},
    {"a stream belongs to the transaction around it", in_transaction},
    {"a statement beside a stream of its transaction runs or is refused", beside_in_transaction},
    {"a statement beside another's stream of the transaction waits for its end", beside_another},
    {"a stream abandoned in a transaction does not outlive it", abandoned_in_transaction},
};
const rt_sql_area rt_sql_streams_area = {cases, COUNT_OF(cases)};
