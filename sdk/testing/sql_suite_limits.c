#include "sql_suite.h"

/* --- statements that take too long ----------------------------------------------------------- */

static const char *const long_statements[] = {
    ETERNAL,
    "INSERT INTO conformance_ledger (id) " ENDLESS "SELECT i FROM n",
};

static int work_long(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    if (!story->cancel)
        rt_set_deadline(ctx, rt_now() + RT_MS(100));
    return rt_sql_exec(ctx, story->suite->sql, RT_SQL(long_statements[story->number]), NULL);
}

static int query_long(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    rt_sql_rows rows = {.size = sizeof rows};
    rt_set_deadline(ctx, rt_now() + RT_MS(100));
    return rt_sql_query(ctx, story->suite->sql, RT_SQL(ETERNAL), &rows);
}

static const char *past_deadlines(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    rt_sql_story *story = rt_story_open(ctx, suite);
    CHECK(rt_suite_ledger(ctx, suite));
    for (uint32_t i = 0; i < suite->connections + 2; i++) {
        story->number = i % COUNT_OF(long_statements);
        CHECK(rt_conformance_code(ctx, "a long statement", rt_run(ctx, work_long, story),
                                  -RT_EDEADLINE));
        CHECK(rt_conformance_code(ctx, "a long query", rt_run(ctx, query_long, story),
                                  -RT_EDEADLINE));
        CHECK(rt_suite_notes(ctx, suite, 0));
    }
    return rt_suite_alive(ctx, suite);
}

static int fire_soon(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    RT_TRY(rt_sleep(ctx, RT_MS(50)));
    rt_cancel_fire(story->cancel);
    return 0;
}

static const char *cancellations(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    CHECK(rt_suite_ledger(ctx, suite));
    for (uint32_t i = 0; i < suite->connections + 2; i++) {
        rt_sql_story *story = rt_story_open(ctx, suite);
        story->number = i % COUNT_OF(long_statements);
        story->cancel = rt_cancel_new();
        rt_task *task = rt_spawn(ctx, fire_soon, story);
        int code = rt_run(ctx, work_long, story, .cancel = story->cancel);
        rt_join(ctx, task);
        rt_cancel_free(story->cancel);
        CHECK(rt_conformance_code(ctx, "a cancelled statement", code, -RT_ECANCELED));
        CHECK(rt_suite_notes(ctx, suite, 0));
    }
    return rt_suite_alive(ctx, suite);
}

/* A short statement is abandoned: nobody else gets its answer. */
static int abandon(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    rt_sql_rows rows = {.size = sizeof rows};
    rt_set_deadline(ctx, rt_now() + RT_MS(1));
    int code = rt_sql_query(
        ctx, story->suite->sql,
        RT_SQL_BY_KEY(NUMBERS("20000") "SELECT count(*) + $1 FROM n", rt_sql_int(story->number)),
        &rows);
    if (code < 0 && code != -RT_EDEADLINE)
        rt_story_complain(story,
                          rt_conformance_code(ctx, "an abandoned statement", code, -RT_EDEADLINE));
    return 0;
}

static int ask_key(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    for (int64_t i = 0; i < 20; i++)
        TELL(story, rt_suite_number(ctx, story->suite, i,
                                    RT_SQL_BY_KEY("SELECT CAST($1 AS bigint)", rt_sql_int(i))));
    return 0;
}

static const char *abandoned(rt_ctx *ctx, void *subject)
{
    enum { PAIRS = 8 };
    rt_sql_story *story = rt_story_open(ctx, subject);
    rt_task *tasks[2 * PAIRS];
    for (int i = 0; i < PAIRS; i++) {
        tasks[2 * i] = rt_spawn(ctx, abandon, story);
        tasks[2 * i + 1] = rt_spawn(ctx, ask_key, story);
    }
    for (int i = 0; i < 2 * PAIRS; i++)
        rt_join(ctx, tasks[i]);
    CHECK(story->complaint);
    return rt_suite_alive(ctx, subject);
}

/* --- work that must not begin ---------------------------------------------------------------- */

static int write_late(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    const char *text = "INSERT INTO conformance_ledger (id) VALUES (1)";
    return rt_sql_exec(ctx, story->suite->sql, story->number ? RT_SQL_BY_KEY(text) : RT_SQL(text),
                       NULL);
}

static int begin_late(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    return rt_sql_tx(ctx, story->suite->sql, write_late, story);
}

static const char *too_late(rt_ctx *ctx, void *subject)
{
    static const rt_work works[] = {write_late, begin_late};
    const rt_sql_suite *suite = subject;
    rt_sql_story *story = rt_story_open(ctx, suite);
    rt_cancel *cancel = rt_cancel_new();
    rt_cancel_fire(cancel);
    CHECK(rt_suite_ledger(ctx, suite));
    int late[4], gone[4];
    for (size_t i = 0; i < 4; i++) {
        story->number = i % 2;
        late[i] = rt_run(ctx, works[i / 2], story, .deadline = 1);
        gone[i] = rt_run(ctx, works[i / 2], story, .cancel = cancel);
    }
    rt_cancel_free(cancel);
    for (size_t i = 0; i < 4; i++) {
        CHECK(rt_conformance_code(ctx, "past its deadline", late[i], -RT_EDEADLINE));
        CHECK(rt_conformance_code(ctx, "cancelled before", gone[i], -RT_ECANCELED));
    }
    CHECK(rt_suite_notes(ctx, suite, 0));
    return rt_suite_alive(ctx, suite);
}

/* --- waiting for others ---------------------------------------------------------------------- */

static int hold_row(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    RT_TRY(rt_sql_exec(ctx, story->suite->sql,
                       RT_SQL("UPDATE conformance_ledger SET note = 'held' WHERE id = 1"), NULL));
    RT_TRY(rt_story_say(ctx, story->first));
    return rt_story_hear(ctx, story->second);
}

static int hold(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    return rt_sql_tx(ctx, story->suite->sql, hold_row, story);
}

static int want_row(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    rt_set_deadline(ctx, rt_now() + RT_MS(200));
    return rt_sql_exec(ctx, story->suite->sql,
                       RT_SQL("UPDATE conformance_ledger SET note = 'wanted' WHERE id = 1"), NULL);
}

static const char *locked(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    rt_sql_story *story = rt_story_open(ctx, suite);
    CHECK(rt_suite_ledger(ctx, suite));
    CHECK(rt_conformance_code(ctx, "a row", rt_suite_note(ctx, suite, 1, "free"), 0));
    rt_task *holder = rt_spawn(ctx, hold, story);
    CHECK(rt_conformance_code(ctx, "the holder", rt_story_hear(ctx, story->first), 0));
    for (int i = 0; i < 3; i++)
        CHECK(rt_conformance_code(ctx, "a wait for a lock", rt_run(ctx, want_row, story),
                                  -RT_EDEADLINE));
    rt_story_say(ctx, story->second);
    CHECK(rt_conformance_code(ctx, "the holder", rt_join(ctx, holder), 0));
    CHECK(rt_suite_affects(ctx, suite, 1, RT_SQL("UPDATE conformance_ledger SET note = 'free'")));
    return rt_suite_alive(ctx, suite);
}

/* In a transaction of its own; says so, and waits until it may go on. */
static int occupy(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    RT_TRY(rt_suite_note(ctx, story->suite, ++story->number, "occupant"));
    RT_TRY(rt_story_say(ctx, story->first));
    return rt_story_hear(ctx, story->second);
}

static int occupy_one(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    int code = rt_sql_tx(ctx, story->suite->sql, occupy, story);
    if (code < 0)
        rt_story_complain(story, rt_conformance_code(ctx, "an occupant", code, 0));
    return 0;
}

static int begin_in_vain(rt_ctx *ctx, void *argument)
{
    rt_set_deadline(ctx, rt_now() + RT_MS(200));
    return occupy_one(ctx, argument);
}

static const char *used_up(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    const uint32_t all = suite->connections + 5;
    rt_sql_story *story = rt_story_open(ctx, suite), *vain = rt_story_open(ctx, suite);
    rt_task **tasks = rt_alloc(ctx, all * sizeof *tasks);
    CHECK(rt_suite_ledger(ctx, suite));
    for (uint32_t i = 0; i < suite->connections; i++)
        tasks[i] = rt_spawn(ctx, occupy_one, story);
    for (uint32_t i = 0; i < suite->connections; i++)
        CHECK(rt_conformance_code(ctx, "an occupant", rt_story_hear(ctx, story->first), 0));
    rt_run(ctx, begin_in_vain, vain);
    if (!vain->complaint || !strstr(vain->complaint, "DEADLINE"))
        return rt_format(ctx, "one more began, or ended so: %s",
                         vain->complaint ? vain->complaint : "(well)");
    for (uint32_t i = suite->connections; i < all; i++)
        tasks[i] = rt_spawn(ctx, occupy_one, story);
    for (uint32_t i = 0; i < all; i++)
        rt_story_say(ctx, story->second);
    for (uint32_t i = 0; i < all; i++)
        rt_join(ctx, tasks[i]);
    CHECK(story->complaint);
    CHECK(rt_suite_notes(ctx, suite, all));
    return rt_suite_alive(ctx, suite);
}

static const rt_conformance_case cases[] = {
    {"a statement that runs out of time is interrupted and leaves nothing", past_deadlines},
    {"a statement that is cancelled is interrupted and leaves nothing", cancellations},
    {"a short statement that is abandoned disturbs nobody", abandoned},
    {"what is too late or cancelled before it begins does nothing", too_late},
    {"a wait for somebody's lock ends at the deadline", locked},
    {"more transactions than connections wait for each other and go on", used_up},
};
const rt_sql_area rt_sql_limits_area = {cases, COUNT_OF(cases)};
