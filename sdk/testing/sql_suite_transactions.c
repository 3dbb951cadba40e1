#include "sql_suite.h"

/* --- how a transaction ends ------------------------------------------------------------------ */

enum ending { SUCCEEDS, FAILS, DIES, SLEEPS, WORKS };

/* Writes two rows, then ends as the story's number says. */
static int write_and_end(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    TELL(story, rt_conformance_code(ctx, "row 1", rt_suite_note(ctx, story->suite, 1, "a"), 0));
    TELL(story, rt_conformance_code(ctx, "row 2", rt_suite_note(ctx, story->suite, 2, "b"), 0));
    TELL(story, rt_suite_notes(ctx, story->suite, 2));
    if (story->cancel)
        rt_cancel_fire(story->cancel);
    else if (story->number == SLEEPS || story->number == WORKS)
        rt_set_deadline(ctx, rt_now() + RT_MS(100));
    switch ((enum ending)story->number) {
    case FAILS:
        return rt_fail(ctx, RT_EOUT_OF_RANGE, "the work fails");
    case DIES:
        rt_die(ctx, "the work dies");
    case SLEEPS:
        return rt_sleep(ctx, RT_S(60));
    case WORKS:
        return rt_sql_exec(ctx, story->suite->sql, RT_SQL(ETERNAL), NULL);
    default:
        return 17;
    }
}

static int in_transaction(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    return rt_sql_tx(ctx, story->suite->sql, write_and_end, story);
}

/* Runs it to an exit of this kind and result, after which there are `rows` rows. */
static const char *ends(rt_ctx *ctx, const rt_sql_suite *suite, enum ending ending, uint32_t kind,
                        int result, int64_t rows)
{
    rt_sql_story *story = rt_story_open(ctx, suite);
    story->number = ending;
    CHECK(rt_suite_ledger(ctx, suite));
    for (uint32_t i = 0; i < suite->connections + 2; i++) {
        rt_exit exit;
        CHECK(rt_suite_exec(ctx, suite, RT_SQL("DELETE FROM conformance_ledger")));
        rt_run_exit(ctx, &exit, in_transaction, story);
        CHECK(story->complaint);
        if (exit.kind != kind || exit.result != result)
            return rt_format(ctx, "the exit is %u with %s: %s", exit.kind,
                             rt_code_name(exit.result),
                             exit.error && exit.error->message ? exit.error->message : "");
        CHECK(rt_suite_notes(ctx, suite, rows));
    }
    return rt_suite_alive(ctx, suite);
}

static const char *commits(rt_ctx *ctx, void *subject)
{
    return ends(ctx, subject, SUCCEEDS, RT_EXIT_SUCCESS, 0, 2);
}

static const char *fails(rt_ctx *ctx, void *subject)
{
    return ends(ctx, subject, FAILS, RT_EXIT_FAILURE, -RT_EOUT_OF_RANGE, 0);
}

static const char *dies(rt_ctx *ctx, void *subject)
{
    return ends(ctx, subject, DIES, RT_EXIT_DEFECT, -RT_EINTERNAL, 0);
}

static const char *times_out(rt_ctx *ctx, void *subject)
{
    CHECK(ends(ctx, subject, SLEEPS, RT_EXIT_FAILURE, -RT_EDEADLINE, 0));
    return ends(ctx, subject, WORKS, RT_EXIT_FAILURE, -RT_EDEADLINE, 0);
}

static const char *cancelled(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    static const enum ending endings[] = {SLEEPS, WORKS, SUCCEEDS};
    CHECK(rt_suite_ledger(ctx, suite));
    for (size_t i = 0; i < COUNT_OF(endings); i++) {
        rt_sql_story *story = rt_story_open(ctx, suite);
        rt_exit exit;
        story->number = endings[i];
        story->cancel = rt_cancel_new();
        rt_run_exit(ctx, &exit, in_transaction, story, .cancel = story->cancel);
        rt_cancel_free(story->cancel);
        CHECK(story->complaint);
        if (exit.result != -RT_ECANCELED)
            return rt_format(ctx, "way %zu ended with %s", i, rt_code_name(exit.result));
        CHECK(rt_suite_notes(ctx, suite, 0));
    }
    return rt_suite_alive(ctx, suite);
}

static const char *keeps_error(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    rt_sql_story *story = rt_story_open(ctx, suite);
    story->number = FAILS;
    CHECK(rt_suite_ledger(ctx, suite));
    CHECK(rt_conformance_code(ctx, "a transaction", in_transaction(ctx, story), -RT_EOUT_OF_RANGE));
    const rt_error *error = rt_last_error(ctx);
    if (!error || !error->message || strcmp(error->message, "the work fails") != 0)
        return "the error of the work is lost";
    return story->complaint;
}

static int break_constraint(rt_ctx *ctx, void *argument)
{
    const rt_sql_story *story = argument;
    RT_TRY(rt_suite_note(ctx, story->suite, 1, "a"));
    return rt_suite_note(ctx, story->suite, 1, "b");
}

static const char *keeps_fields(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    rt_sql_story *story = rt_story_open(ctx, suite);
    CHECK(rt_suite_ledger(ctx, suite));
    int code = rt_sql_tx(ctx, suite->sql, break_constraint, story);
    CHECK(rt_conformance_code(ctx, "a transaction", code, -RT_EALREADY_EXISTS));
    CHECK(rt_suite_domain(ctx, "a transaction", "UNIQUE_VIOLATION"));
    const char *constraint = rt_error_text(rt_last_error(ctx), "constraint");
    if (!constraint || strcmp(constraint, "conformance_ledger_pkey") != 0)
        return rt_format(ctx, "the constraint is `%s`", constraint ? constraint : "(null)");
    return rt_suite_notes(ctx, suite, 0);
}

/* --- by hand --------------------------------------------------------------------------------- */

static const rt_sql_transaction plain = {.size = sizeof plain};

static int by_hand(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    struct rt_sql_slot *sql = story->suite->sql;
    RT_TRY(rt_sql_begin(ctx, sql, &plain));
    RT_TRY(rt_suite_note(ctx, story->suite, 1, "kept"));
    RT_TRY(rt_sql_begin(ctx, sql, &plain));
    RT_TRY(rt_suite_note(ctx, story->suite, 2, "undone"));
    RT_TRY(rt_sql_rollback(ctx, sql));
    RT_TRY(rt_sql_begin(ctx, sql, &plain));
    RT_TRY(rt_suite_note(ctx, story->suite, 3, "kept"));
    RT_TRY(rt_sql_commit(ctx, sql));
    RT_TRY(rt_sql_commit(ctx, sql));
    RT_TRY(rt_sql_begin(ctx, sql, &plain));
    RT_TRY(rt_suite_note(ctx, story->suite, 4, "undone"));
    return rt_sql_rollback(ctx, sql);
}

static const char *begins_by_hand(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    CHECK(rt_suite_ledger(ctx, suite));
    CHECK(rt_conformance_code(ctx, "by hand", rt_run(ctx, by_hand, rt_story_open(ctx, suite)), 0));
    CHECK(rt_suite_notes(ctx, suite, 2));
    return rt_suite_number(ctx, suite, 4,
                           RT_SQL("SELECT CAST(sum(id) AS bigint) "
                                  "FROM conformance_ledger"));
}

/* As the number says: two levels deep, or one. */
static int leave_open(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    for (int64_t i = 0; i <= story->number % 2; i++) {
        RT_TRY(rt_sql_begin(ctx, story->suite->sql, &plain));
        RT_TRY(rt_suite_note(ctx, story->suite, i, "never"));
    }
    return 0;
}

static const char *left_open(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    rt_sql_story *story = rt_story_open(ctx, suite);
    CHECK(rt_suite_ledger(ctx, suite));
    for (uint32_t i = 0; i < suite->connections + 3; i++) {
        story->number = i;
        CHECK(rt_conformance_code(ctx, "begin", rt_run(ctx, leave_open, story), 0));
        CHECK(rt_suite_notes(ctx, suite, 0));
    }
    return rt_suite_alive(ctx, suite);
}

static int end_of_others(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    struct rt_sql_slot *sql = story->suite->sql;
    TELL(story, rt_conformance_code(ctx, "commit of who did not begin", rt_sql_commit(ctx, sql),
                                    -RT_EFAILED_PRECONDITION));
    TELL(story, rt_conformance_code(ctx, "rollback of who did not begin", rt_sql_rollback(ctx, sql),
                                    -RT_EFAILED_PRECONDITION));
    return 0;
}

static int begin_and_lend(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    RT_TRY(rt_sql_begin(ctx, story->suite->sql, &plain));
    RT_TRY(rt_suite_note(ctx, story->suite, 1, "kept"));
    RT_TRY(rt_run(ctx, end_of_others, story));
    return rt_sql_commit(ctx, story->suite->sql);
}

static const char *not_begun(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    rt_sql_story *story = rt_story_open(ctx, suite);
    CHECK(rt_suite_ledger(ctx, suite));
    end_of_others(ctx, story);
    CHECK(story->complaint);
    CHECK(rt_conformance_code(ctx, "a transaction", rt_run(ctx, begin_and_lend, story), 0));
    CHECK(story->complaint);
    return rt_suite_notes(ctx, suite, 1);
}

/* Who sends BEGIN as a statement gets it, or an error; nobody else gets his transaction. */
static const char *sent_by_hand(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    CHECK(rt_suite_ledger(ctx, suite));
    for (uint32_t i = 0; i < suite->connections + 2; i++)
        rt_sql_exec(ctx, suite->sql, RT_SQL("BEGIN"), NULL);
    CHECK(rt_conformance_code(ctx, "a row", rt_suite_note(ctx, suite, 1, "kept"), 0));
    rt_sql_story *story = rt_story_open(ctx, suite);
    CHECK(rt_conformance_code(ctx, "a transaction", rt_run(ctx, begin_and_lend, story),
                              -RT_EALREADY_EXISTS));
    rt_sql_exec(ctx, suite->sql, RT_SQL("ROLLBACK"), NULL);
    return rt_suite_notes(ctx, suite, 1);
}

/* --- options --------------------------------------------------------------------------------- */

static int write_in_read_only(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    TELL(story, rt_suite_notes(ctx, story->suite, 0));
    return rt_suite_note(ctx, story->suite, 1, "never");
}

static const char *read_only(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    rt_sql_story *story = rt_story_open(ctx, suite);
    CHECK(rt_suite_ledger(ctx, suite));
    for (uint32_t isolation = RT_SQL_DEFAULT; isolation <= RT_SQL_SERIALIZABLE; isolation++) {
        int code = rt_sql_tx(ctx, suite->sql, write_in_read_only, story, .read_only = 1,
                             .isolation = isolation);
        CHECK(story->complaint);
        CHECK(rt_conformance_code(ctx, "a write", code, -RT_EFAILED_PRECONDITION));
        CHECK(rt_suite_domain(ctx, "a write", "READ_ONLY_SQL_TRANSACTION"));
    }
    CHECK(rt_suite_notes(ctx, suite, 0));
    CHECK(rt_conformance_code(ctx, "a row", rt_suite_note(ctx, suite, 1, "a"), 0));
    return rt_suite_notes(ctx, suite, 1);
}

static int count_levels(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    return rt_suite_note(ctx, story->suite, ++story->number, "level");
}

static const char *levels(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    rt_sql_story *story = rt_story_open(ctx, suite);
    CHECK(rt_suite_ledger(ctx, suite));
    for (uint32_t isolation = RT_SQL_DEFAULT; isolation <= RT_SQL_SERIALIZABLE; isolation++) {
        int code = rt_sql_tx(ctx, suite->sql, count_levels, story, .isolation = isolation);
        CHECK(rt_conformance_code(ctx, rt_format(ctx, "level %u", isolation), code, 0));
    }
    CHECK(rt_suite_notes(ctx, suite, 4));
    int code = rt_sql_tx(ctx, suite->sql, count_levels, story, .isolation = 99);
    CHECK(rt_conformance_code(ctx, "level 99", code, -RT_EINVALID_ARGUMENT));
    return rt_suite_notes(ctx, suite, 4);
}

/* Fails with the code in `more` until it was tried `number` times. */
static int fail_at_first(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    RT_TRY(rt_suite_note(ctx, story->suite, 1, "tried"));
    return --story->number > 0 ? rt_fail(ctx, *(int *)story->more, "once more") : 0;
}

static const char *attempts(rt_ctx *ctx, void *subject)
{
    static const struct {
        uint32_t attempts;
        int64_t needed;
        int code, result;
        int64_t left; /* tries that were not made */
    } trials[] = {{3, 3, RT_EABORTED, 0, 0},
                  {3, 4, RT_EABORTED, -RT_EABORTED, 1},
                  {0, 2, RT_EABORTED, -RT_EABORTED, 1},
                  {1, 2, RT_EABORTED, -RT_EABORTED, 1},
                  {5, 3, RT_EUNAVAILABLE, -RT_EUNAVAILABLE, 2}};
    const rt_sql_suite *suite = subject;
    for (size_t i = 0; i < COUNT_OF(trials); i++) {
        int failure = trials[i].code;
        rt_sql_story *story = rt_story_open(ctx, suite);
        story->number = trials[i].needed;
        story->more = &failure;
        CHECK(rt_suite_ledger(ctx, suite));
        int code = rt_sql_tx(ctx, suite->sql, fail_at_first, story, .attempts = trials[i].attempts);
        CHECK(rt_conformance_code(ctx, rt_format(ctx, "trial %zu", i), code, trials[i].result));
        if (story->number != trials[i].left)
            return rt_format(ctx, "trial %zu: %lld tries are left", i, (long long)story->number);
        CHECK(rt_suite_notes(ctx, suite, code == 0));
    }
    return NULL;
}

/* --- errors inside, and at the end ----------------------------------------------------------- */

/* Swallows the error, and goes on as if nothing had happened. */
static int go_on_after_error(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    break_constraint(ctx, story);
    for (int64_t i = 2; i < 4; i++) {
        int code = rt_suite_note(ctx, story->suite, i, "after the error");
        TELL(story, rt_conformance_code(ctx, "a statement after an error", code,
                                        -RT_EFAILED_PRECONDITION));
        TELL(story,
             rt_suite_domain(ctx, "a statement after an error", "IN_FAILED_SQL_TRANSACTION"));
    }
    return 0;
}

static const char *after_error(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    rt_sql_story *story = rt_story_open(ctx, suite);
    CHECK(rt_suite_ledger(ctx, suite));
    for (uint32_t i = 0; i < suite->connections + 2; i++) {
        int code = rt_sql_tx(ctx, suite->sql, go_on_after_error, story);
        CHECK(story->complaint);
        CHECK(rt_conformance_code(ctx, "its commit", code, -RT_EFAILED_PRECONDITION));
        CHECK(rt_suite_domain(ctx, "its commit", "IN_FAILED_SQL_TRANSACTION"));
        CHECK(rt_suite_notes(ctx, suite, 0));
    }
    return rt_suite_alive(ctx, suite);
}

static int orphan(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    return rt_sql_exec(ctx, story->suite->sql,
                       RT_SQL("INSERT INTO conformance_orphans (id, parent) VALUES (1, 99)"), NULL);
}

static const char *deferred(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    rt_sql_story *story = rt_story_open(ctx, suite);
    CHECK(rt_suite_ledger(ctx, suite));
    CHECK(rt_suite_table(ctx, suite, "conformance_orphans",
                         "id bigint, parent bigint REFERENCES conformance_ledger "
                         "DEFERRABLE INITIALLY DEFERRED"));
    for (uint32_t i = 0; i < suite->connections + 2; i++) {
        int code = rt_sql_tx(ctx, suite->sql, orphan, story);
        CHECK(rt_conformance_code(ctx, "commit", code, -RT_EFAILED_PRECONDITION));
        CHECK(rt_suite_domain(ctx, "commit", "FOREIGN_KEY_VIOLATION"));
        CHECK(rt_suite_number(ctx, suite, 0, RT_SQL("SELECT count(*) FROM conformance_orphans")));
    }
    CHECK(rt_conformance_code(ctx, "a row", rt_suite_note(ctx, suite, 1, "a"), 0));
    return rt_suite_alive(ctx, suite);
}

static int define(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    struct rt_sql_slot *sql = story->suite->sql;
    RT_TRY(rt_sql_exec(ctx, sql, RT_SQL("CREATE TABLE conformance_new (id bigint)"), NULL));
    RT_TRY(rt_sql_exec(ctx, sql, RT_SQL("INSERT INTO conformance_new VALUES (1)"), NULL));
    RT_TRY(rt_sql_exec(ctx, sql, RT_SQL("DROP TABLE conformance_ledger"), NULL));
    return rt_fail(ctx, RT_EOUT_OF_RANGE, "the work fails");
}

static const char *definitions(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    CHECK(rt_suite_ledger(ctx, suite));
    CHECK(rt_conformance_code(ctx, "a transaction",
                              rt_sql_tx(ctx, suite->sql, define, rt_story_open(ctx, suite)),
                              -RT_EOUT_OF_RANGE));
    CHECK(rt_suite_fails(ctx, suite, -RT_EINTERNAL, "UNDEFINED_TABLE",
                         RT_SQL("SELECT id FROM conformance_new")));
    return rt_suite_notes(ctx, suite, 0);
}

static int run_script(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    RT_TRY(rt_suite_note(ctx, story->suite, 1, "first"));
    RT_TRY(rt_sql_exec(ctx, story->suite->sql,
                       RT_SQL_WITH(RT_SQL_SCRIPT, "INSERT INTO conformance_ledger VALUES (2, 'a');"
                                                  "INSERT INTO conformance_ledger VALUES (3, 'b')"),
                       NULL));
    TELL(story, rt_suite_notes(ctx, story->suite, 3));
    return story->number ? rt_fail(ctx, RT_EOUT_OF_RANGE, "the work fails") : 0;
}

static const char *script_inside(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    rt_sql_story *story = rt_story_open(ctx, suite);
    CHECK(rt_suite_ledger(ctx, suite));
    story->number = 1;
    CHECK(rt_conformance_code(ctx, "a transaction", rt_sql_tx(ctx, suite->sql, run_script, story),
                              -RT_EOUT_OF_RANGE));
    CHECK(rt_suite_notes(ctx, suite, 0));
    story->number = 0;
    CHECK(rt_conformance_code(ctx, "a transaction", rt_sql_tx(ctx, suite->sql, run_script, story),
                              0));
    CHECK(story->complaint);
    return rt_suite_notes(ctx, suite, 3);
}

static const rt_conformance_case cases[] = {
    {"a transaction that succeeds is kept", commits},
    {"a transaction that fails is undone", fails},
    {"a transaction that dies is undone and dies", dies},
    {"a transaction that runs out of time, idle or busy, is undone", times_out},
    {"a transaction that is cancelled, idle, busy or at its end, is undone", cancelled},
    {"a transaction fails with the error of its work", keeps_error},
    {"a transaction keeps domain and constraint of an error", keeps_fields},
    {"transactions begun by hand nest, and end by hand", begins_by_hand},
    {"what a unit of work leaves open is undone at its end", left_open},
    {"only the unit of work that began may end a transaction", not_begun},
    {"a BEGIN that was sent as a statement leaks into no other work", sent_by_hand},
    {"a read-only transaction reads, and refuses to write", read_only},
    {"every level of isolation can be had and others are refused", levels},
    {"lost races alone are tried again, as often as was asked for", attempts},
    {"an error spoils its transaction, which then cannot be committed", after_error},
    {"a deferred constraint fails the commit, and undoes all", deferred},
    {"definitions of tables are undone too", definitions},
    {"a script belongs to the transaction around it", script_inside},
};
const rt_sql_area rt_sql_transactions_area = {cases, COUNT_OF(cases)};
