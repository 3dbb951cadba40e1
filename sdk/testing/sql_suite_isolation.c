#include "sql_suite.h"

/* What a fiber gets that must not wait for ever where a server has one writer, or one connection.
 */
static const uint64_t patience = RT_MS(500);

/* --- readers --------------------------------------------------------------------------------- */

static int count_rows(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    rt_sql_rows rows = {.size = sizeof rows};
    RT_TRY(rt_sql_query(ctx, story->suite->sql, RT_SQL("SELECT count(*) FROM conformance_ledger"),
                        &rows));
    story->number = rt_sql_get_int(&rows, 0, 0);
    return 0;
}

/* Looks once the writer has written, and tells it then; only postgres has to answer meanwhile. */
static int look(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    RT_TRY(rt_story_hear(ctx, story->first));
    uint64_t deadline = story->suite->dialect == RT_SQL_POSTGRES ? 0 : rt_now() + patience;
    int code = rt_run(ctx, count_rows, story, .deadline = deadline);
    if (code < 0 && (code != -RT_EDEADLINE || !deadline))
        rt_story_complain(story, rt_conformance_code(ctx, "the reader", code, 0));
    if (code == 0 && story->number != 0)
        rt_story_complain(story, "what was not committed is seen");
    return rt_story_say(ctx, story->second);
}

static int write_and_wait(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    RT_TRY(rt_suite_note(ctx, story->suite, 1, "dirty"));
    RT_TRY(rt_story_say(ctx, story->first));
    RT_TRY(rt_story_hear(ctx, story->second));
    return rt_fail(ctx, RT_EOUT_OF_RANGE, "the writer gives up");
}

static const char *no_dirty_reads(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    rt_sql_story *story = rt_story_open(ctx, suite);
    CHECK(rt_suite_ledger(ctx, suite));
    rt_task *reader = rt_spawn(ctx, look, story);
    int code = rt_sql_tx(ctx, suite->sql, write_and_wait, story);
    CHECK(rt_conformance_code(ctx, "the writer", code, -RT_EOUT_OF_RANGE));
    CHECK(rt_conformance_code(ctx, "the reader", rt_join(ctx, reader), 0));
    CHECK(story->complaint);
    return rt_suite_notes(ctx, suite, 0);
}

static int write_one(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    return rt_suite_note(ctx, story->suite, 1, "written meanwhile");
}

static int write_meanwhile(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    RT_TRY(rt_story_hear(ctx, story->first));
    uint64_t deadline = story->suite->dialect == RT_SQL_POSTGRES ? 0 : rt_now() + patience;
    int code = rt_run(ctx, write_one, story, .deadline = deadline);
    if (code < 0 && (code != -RT_EDEADLINE || !deadline))
        rt_story_complain(story, rt_conformance_code(ctx, "the writer", code, 0));
    *(int *)story->more = code == 0;
    return rt_story_say(ctx, story->second);
}

static int count_twice(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    TELL(story, rt_suite_notes(ctx, story->suite, 0));
    RT_TRY(rt_story_say(ctx, story->first));
    RT_TRY(rt_story_hear(ctx, story->second));
    TELL(story, rt_suite_notes(ctx, story->suite, 0));
    return 0;
}

static const char *repeatable(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    rt_sql_story *story = rt_story_open(ctx, suite);
    int written = 0;
    story->more = &written;
    CHECK(rt_suite_ledger(ctx, suite));
    rt_task *writer = rt_spawn(ctx, write_meanwhile, story);
    int code = rt_sql_tx(ctx, suite->sql, count_twice, story, .isolation = RT_SQL_REPEATABLE_READ,
                         .read_only = 1);
    rt_story_say(ctx, story->first);
    CHECK(rt_conformance_code(ctx, "the reader", code, 0));
    CHECK(rt_conformance_code(ctx, "the writer", rt_join(ctx, writer), 0));
    CHECK(story->complaint);
    return rt_suite_notes(ctx, suite, written);
}

/* --- lost races ------------------------------------------------------------------------------ */

static const char *make_counter(rt_ctx *ctx, const rt_sql_suite *suite)
{
    CHECK(rt_suite_table(ctx, suite, "conformance_counters", "id bigint PRIMARY KEY, n bigint"));
    return rt_suite_exec(ctx, suite,
                         RT_SQL("INSERT INTO conformance_counters VALUES (1, 0), (2, 0)"));
}

static const char *counted(rt_ctx *ctx, const rt_sql_suite *suite, int64_t sum)
{
    return rt_suite_number(ctx, suite, sum,
                           RT_SQL("SELECT CAST(sum(n) AS bigint) FROM conformance_counters"));
}

static int read_counter(rt_ctx *ctx, const rt_sql_suite *suite, int64_t *number)
{
    rt_sql_rows rows = {.size = sizeof rows};
    RT_TRY(rt_sql_query(ctx, suite->sql, RT_SQL("SELECT n FROM conformance_counters WHERE id = 1"),
                        &rows));
    *number = rt_sql_get_int(&rows, 0, 0);
    return 0;
}

static int write_counter(rt_ctx *ctx, const rt_sql_suite *suite, int64_t number)
{
    return rt_sql_exec(
        ctx, suite->sql,
        RT_SQL("UPDATE conformance_counters SET n = $1 WHERE id = 1", rt_sql_int(number)), NULL);
}

static int increment(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    int64_t number;
    RT_TRY(read_counter(ctx, story->suite, &number));
    RT_TRY(rt_sleep(ctx, 0));
    return write_counter(ctx, story->suite, number + 1);
}

static int increment_often(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    for (int i = 0; i < 3; i++) {
        int code = rt_sql_tx(ctx, story->suite->sql, increment, story,
                             .isolation = RT_SQL_SERIALIZABLE, .attempts = 1000);
        TELL(story, rt_conformance_code(ctx, "an increment", code, 0));
    }
    return 0;
}

static const char *no_lost_updates(rt_ctx *ctx, void *subject)
{
    enum { FIBERS = 6 };
    const rt_sql_suite *suite = subject;
    rt_sql_story *story = rt_story_open(ctx, suite);
    rt_task *tasks[FIBERS];
    CHECK(make_counter(ctx, suite));
    for (int i = 0; i < FIBERS; i++)
        tasks[i] = rt_spawn(ctx, increment_often, story);
    for (int i = 0; i < FIBERS; i++)
        rt_join(ctx, tasks[i]);
    CHECK(story->complaint);
    return counted(ctx, suite, FIBERS * 3);
}

/* Two meet where the server lets both be there; each then goes on. */
struct racer {
    rt_sql_story *story;
    rt_work work;
    rt_channel *say, *hear;
    int64_t first, second; /* rows that it locks */
    int code;
    const char *domain;
    uint32_t retryable;
};

static int meet(rt_ctx *ctx, const struct racer *racer)
{
    if (racer->story->suite->dialect != RT_SQL_POSTGRES)
        return 0;
    RT_TRY(rt_story_say(ctx, racer->say));
    return rt_story_hear(ctx, racer->hear);
}

static int read_meet_write(rt_ctx *ctx, void *argument)
{
    const struct racer *racer = argument;
    int64_t number;
    RT_TRY(read_counter(ctx, racer->story->suite, &number));
    RT_TRY(meet(ctx, racer));
    return write_counter(ctx, racer->story->suite, number + 1);
}

static int lock_row(rt_ctx *ctx, const struct racer *racer, int64_t id)
{
    return rt_sql_exec(
        ctx, racer->story->suite->sql,
        RT_SQL("UPDATE conformance_counters SET n = n + 1 WHERE id = $1", rt_sql_int(id)), NULL);
}

static int lock_meet_lock(rt_ctx *ctx, void *argument)
{
    const struct racer *racer = argument;
    RT_TRY(lock_row(ctx, racer, racer->first));
    RT_TRY(meet(ctx, racer));
    return lock_row(ctx, racer, racer->second);
}

static int race(rt_ctx *ctx, void *argument)
{
    struct racer *racer = argument;
    rt_sql_story *story = racer->story;
    racer->code =
        rt_sql_tx(ctx, story->suite->sql, racer->work, racer, .isolation = RT_SQL_SERIALIZABLE);
    if (racer->code < 0) {
        const rt_error *error = rt_last_error(ctx);
        racer->retryable = error->retryable;
        racer->domain = rt_format(story->outer, "%s", error->domain ? error->domain : "(none)");
    }
    return 0;
}

/* One of two wins, and the other is told by this condition; or, one after the other, both do. */
static const char *races(rt_ctx *ctx, const rt_sql_suite *suite, rt_work work,
                         const char *condition, int64_t gain)
{
    rt_sql_story *story = rt_story_open(ctx, suite);
    struct racer *racers = rt_alloc(ctx, 2 * sizeof *racers);
    racers[0] = (struct racer){story, work, story->first, story->second, 1, 2, 0, NULL, 0};
    racers[1] = (struct racer){story, work, story->second, story->first, 2, 1, 0, NULL, 0};
    CHECK(make_counter(ctx, suite));
    rt_task *left = rt_spawn(ctx, race, &racers[0]), *right = rt_spawn(ctx, race, &racers[1]);
    rt_join(ctx, left), rt_join(ctx, right);
    if (suite->dialect != RT_SQL_POSTGRES) {
        if (racers[0].code || racers[1].code)
            return "one of two that run one after the other failed";
        return counted(ctx, suite, 2 * gain);
    }
    const struct racer *loser = racers[0].code < 0 ? &racers[0] : &racers[1];
    if ((racers[0].code < 0) == (racers[1].code < 0))
        return rt_format(ctx, "they ended with %s and %s", rt_code_name(racers[0].code),
                         rt_code_name(racers[1].code));
    if (loser->code != -RT_EABORTED || !loser->retryable || strcmp(loser->domain, condition) != 0)
        return rt_format(ctx, "the loser has %s %s, retryable %u", rt_code_name(loser->code),
                         loser->domain, loser->retryable);
    return counted(ctx, suite, gain);
}

static const char *serialization(rt_ctx *ctx, void *subject)
{
    return races(ctx, subject, read_meet_write, "SERIALIZATION_FAILURE", 1);
}

static const char *deadlock(rt_ctx *ctx, void *subject)
{
    return races(ctx, subject, lock_meet_lock, "DEADLOCK_DETECTED", 2);
}

/* --- many at once ---------------------------------------------------------------------------- */

enum { FIBERS = 50, ROUNDS = 10 };

struct asker {
    rt_sql_story *story;
    int64_t id;
    int fails; /* every so often it sends a statement that fails */
};

/* Asks for its own row, now as a short statement, now as an ordinary one. */
static const char *ask_own(rt_ctx *ctx, const struct asker *asker, int round)
{
    const char *text = "SELECT id, note FROM conformance_ledger WHERE id = $1";
    const rt_sql_value key = rt_sql_int(asker->id);
    rt_sql_rows rows;
    CHECK(rt_suite_query(ctx, asker->story->suite, 1, &rows,
                         round % 3 ? RT_SQL_BY_KEY(text, key) : RT_SQL(text, key)));
    const char *note = rt_sql_get_text(&rows, 0, 1);
    if (rt_sql_get_int(&rows, 0, 0) == asker->id && note &&
        strcmp(note, rt_format(ctx, "note of %lld", (long long)asker->id)) == 0)
        return NULL;
    return rt_format(ctx, "fiber %lld saw the row of %lld", (long long)asker->id,
                     (long long)rt_sql_get_int(&rows, 0, 0));
}

static const char *fail_own(rt_ctx *ctx, const struct asker *asker, int round)
{
    const char *text = round % 2 ? "SELECT abs(CAST($1 AS bigint))"
                                 : "INSERT INTO conformance_ledger (id) SELECT 1 "
                                   "WHERE CAST($1 AS bigint) < 0";
    const rt_sql_value value = rt_sql_int(INT64_MIN);
    return rt_suite_fails(ctx, asker->story->suite,
                          round % 2 ? -RT_EINVALID_ARGUMENT : -RT_EALREADY_EXISTS, NULL,
                          round % 3 ? RT_SQL_BY_KEY(text, value) : RT_SQL(text, value));
}

static int ask_often(rt_ctx *ctx, void *argument)
{
    struct asker *asker = argument;
    rt_sql_story *story = asker->story;
    const char *note = rt_format(ctx, "note of %lld", (long long)asker->id);
    TELL(story,
         rt_conformance_code(ctx, "a row", rt_suite_note(ctx, story->suite, asker->id, note), 0));
    if (asker->id != 1)
        TELL(story, rt_conformance_code(ctx, "row 1", rt_story_hear(ctx, story->first), 0));
    for (int i = 0; i < FIBERS && asker->id == 1; i++)
        rt_story_say(ctx, story->first);
    for (int i = 0; i < ROUNDS; i++) {
        TELL(story, ask_own(ctx, asker, i));
        if (asker->fails)
            TELL(story, fail_own(ctx, asker, i));
    }
    return 0;
}

static const char *ask_together(rt_ctx *ctx, const rt_sql_suite *suite, int failing)
{
    rt_sql_story *story = rt_story_open(ctx, suite);
    rt_task *tasks[FIBERS];
    struct asker *askers = rt_alloc(ctx, FIBERS * sizeof *askers);
    CHECK(rt_suite_ledger(ctx, suite));
    for (int i = 0; i < FIBERS; i++) {
        askers[i] = (struct asker){story, i + 1, failing && i % 5 == 0};
        tasks[i] = rt_spawn(ctx, ask_often, &askers[i]);
    }
    for (int i = 0; i < FIBERS; i++)
        rt_join(ctx, tasks[i]);
    CHECK(story->complaint);
    CHECK(rt_suite_notes(ctx, suite, FIBERS));
    return rt_suite_alive(ctx, suite);
}

static const char *many_ask(rt_ctx *ctx, void *subject)
{
    return ask_together(ctx, subject, 0);
}

static const char *some_fail(rt_ctx *ctx, void *subject)
{
    return ask_together(ctx, subject, 1);
}

static const rt_conformance_case cases[] = {
    {"what is not committed is seen by nobody else", no_dirty_reads},
    {"a repeatable read repeats, whatever is written meanwhile", repeatable},
    {"no update is lost among serializable transactions that try again", no_lost_updates},
    {"of two that read and write the same one is told to try again", serialization},
    {"of two that wait for each other one is told to try again", deadlock},
    {"fifty fibers at once each see their own answers", many_ask},
    {"statements that fail disturb no others", some_fail},
};
const rt_sql_area rt_sql_isolation_area = {cases, COUNT_OF(cases)};
