/* plugins/sql/transaction.c over a driver that only writes down what it is told. */
#include "fiber_kit.h"

#include "sql/transaction.h"

#include <stdarg.h>
#include <stdlib.h>

static struct fake {
    char story[1024];
    int taken, given, broken;
    int state;
    const char *fails; /* the command that does, once */
    int code;
} fake;

static void tell(const char *what)
{
    size_t used = strlen(fake.story);
    snprintf(fake.story + used, sizeof fake.story - used, "%s%s", used ? "; " : "", what);
}

static int take(rt_ctx *ctx, const rt_sql_transaction *options, void **connection)
{
    RT_TRY(rt_sleep(ctx, 0));
    (void)options;
    fake.taken++;
    *connection = &fake;
    return 0;
}

static void give(rt_ctx *ctx, void *connection, int broken)
{
    (void)ctx, (void)connection;
    fake.given++;
    fake.broken += broken;
}

static int run_command(rt_ctx *ctx, void *connection, const char *text)
{
    (void)connection;
    RT_TRY(rt_sleep(ctx, RT_US(100)));
    tell(text);
    if (fake.fails && strcmp(text, fake.fails) == 0) {
        fake.fails = NULL;
        return rt_fail(ctx, fake.code, "`%s` fails", text);
    }
    if (strncmp(text, "ROLLBACK", 8) == 0)
        fake.state = 0;
    return 0;
}

static const char *begin_text(rt_ctx *ctx, const rt_sql_transaction *options)
{
    (void)ctx;
    return options->read_only ? "BEGIN READ ONLY" : "BEGIN";
}

static int state(void *connection)
{
    return ((struct fake *)connection)->state;
}

static const rt_tx_driver driver = {take, give, run_command, begin_text, state};

static int begin(rt_ctx *ctx)
{
    return rt_tx_begin(ctx, &driver, NULL);
}

static int statement(rt_ctx *ctx, const char *text)
{
    void *connection;
    RT_TRY(rt_tx_acquire(ctx, &connection));
    if (!connection) {
        tell("outside");
        return 0;
    }
    int result = run_command(ctx, connection, text);
    rt_tx_release(ctx);
    return result;
}

/* Logs are counted: those of hooks that fail. */
static int logged;
static void count_log(rt_ctx *ctx, uint32_t level, const rt_field *fields, uint64_t count,
                      const char *message)
{
    (void)ctx, (void)fields, (void)count, (void)message;
    logged += level == RT_LOG_ERROR;
}

static ending try(rt_work work)
{
    static rt_host table;
    fake = (struct fake){0};
    logged = 0;
    table = fiber_table;
    table.context_value = rt_host_context_value;
    table.set_context_value = rt_host_set_context_value;
    table.log_fields = count_log;
    rt_host_table = &table;
    ending end = run(work, NULL);
    CU_ASSERT_EQUAL(fake.taken, fake.given);
    return end;
}

static void told(const char *story)
{
    CU_ASSERT_STRING_EQUAL(fake.story, story);
}

/* --- ends ------------------------------------------------------------------------------------ */

static int commit_nested(rt_ctx *ctx, void *argument)
{
    (void)argument;
    RT_TRY(begin(ctx));
    RT_TRY(statement(ctx, "a"));
    RT_TRY(begin(ctx));
    RT_TRY(statement(ctx, "b"));
    RT_TRY(rt_tx_rollback(ctx));
    RT_TRY(begin(ctx));
    RT_TRY(rt_tx_commit(ctx));
    RT_TRY(rt_tx_commit(ctx));
    CU_ASSERT_FALSE(rt_tx_is_open(ctx));
    RT_TRY(statement(ctx, "c"));
    return rt_tx_commit(ctx);
}

static void nested_ones_are_savepoints(void)
{
    ending end = try(commit_nested);
    told("BEGIN; a; SAVEPOINT rt_1; b; ROLLBACK TO SAVEPOINT rt_1; RELEASE SAVEPOINT rt_1; "
         "SAVEPOINT rt_1; RELEASE SAVEPOINT rt_1; COMMIT; outside");
    CU_ASSERT_EQUAL(end.result, -RT_EFAILED_PRECONDITION);
    CU_ASSERT_STRING_EQUAL(end.error, "there is no transaction to end");
}

static int leave_two_open(rt_ctx *ctx, void *argument)
{
    RT_TRY(begin(ctx));
    RT_TRY(begin(ctx));
    if (argument)
        rt_die(ctx, "dead");
    return rt_fail(ctx, RT_ENOT_FOUND, "nothing");
}

static int leave_open_in_children(rt_ctx *ctx, void *argument)
{
    rt_exit end;
    (void)argument;
    rt_run_exit(ctx, &end, leave_two_open, NULL);
    CU_ASSERT_EQUAL(end.result, -RT_ENOT_FOUND);
    rt_run_exit(ctx, &end, leave_two_open, &fake);
    CU_ASSERT_EQUAL(end.kind, RT_EXIT_DEFECT);
    return 0;
}

static void what_is_left_open_is_rolled_back(void)
{
    CU_ASSERT_EQUAL(try(leave_open_in_children).result, 0);
    told("BEGIN; SAVEPOINT rt_1; ROLLBACK TO SAVEPOINT rt_1; RELEASE SAVEPOINT rt_1; ROLLBACK; "
         "BEGIN; SAVEPOINT rt_1; ROLLBACK TO SAVEPOINT rt_1; RELEASE SAVEPOINT rt_1; ROLLBACK");
    CU_ASSERT_EQUAL(fake.broken, 0);
}

static int end_of_another(rt_ctx *ctx, void *argument)
{
    (void)argument;
    CU_ASSERT_EQUAL(rt_tx_commit(ctx), -RT_EFAILED_PRECONDITION);
    CU_ASSERT_STRING_EQUAL(rt_last_error(ctx)->domain, "INVALID_TRANSACTION_TERMINATION");
    return rt_tx_rollback(ctx);
}

static int let_another_end(rt_ctx *ctx, void *argument)
{
    RT_TRY(begin(ctx));
    CU_ASSERT_EQUAL(rt_run(ctx, end_of_another, argument), -RT_EFAILED_PRECONDITION);
    return rt_tx_commit(ctx);
}

static void only_who_began_may_end(void)
{
    CU_ASSERT_EQUAL(try(let_another_end).result, 0);
    told("BEGIN; COMMIT");
}

static int commit_that_fails(rt_ctx *ctx, void *argument)
{
    (void)argument;
    fake.fails = "COMMIT";
    fake.code = RT_EABORTED;
    RT_TRY(begin(ctx));
    int result = rt_tx_commit(ctx);
    CU_ASSERT_FALSE(rt_tx_is_open(ctx));
    return result;
}

static void a_commit_that_fails_has_rolled_back(void)
{
    ending end = try(commit_that_fails);
    CU_ASSERT_EQUAL(end.result, -RT_EABORTED);
    CU_ASSERT_STRING_EQUAL(end.error, "`COMMIT` fails");
    told("BEGIN; COMMIT; ROLLBACK");
}

static int begin_that_fails(rt_ctx *ctx, void *argument)
{
    (void)argument;
    fake.fails = "BEGIN";
    fake.code = RT_EUNAVAILABLE;
    CU_ASSERT_EQUAL(begin(ctx), -RT_EUNAVAILABLE);
    CU_ASSERT_EQUAL(fake.given, 1);
    CU_ASSERT_FALSE(rt_tx_is_open(ctx));
    CU_ASSERT_EQUAL(
        rt_tx_begin(ctx, &driver,
                    &(rt_sql_transaction){.size = sizeof(rt_sql_transaction), .isolation = 9}),
        -RT_EINVALID_ARGUMENT);
    return 0;
}

static void a_begin_that_fails_gives_its_connection_back(void)
{
    CU_ASSERT_EQUAL(try(begin_that_fails).result, 0);
    told("BEGIN; ROLLBACK");
}

static int be_cancelled(rt_ctx *ctx, void *argument)
{
    RT_TRY(begin(ctx));
    rt_cancel_fire(argument);
    CU_ASSERT_EQUAL(rt_tx_commit(ctx), -RT_ECANCELED);
    CU_ASSERT_EQUAL(fake.given, 0);
    return rt_tx_rollback(ctx);
}

static int cancel_commit(rt_ctx *ctx, void *argument)
{
    rt_exit end;
    (void)argument;
    rt_cancel *cancel = rt_cancel_new();
    rt_run_exit(ctx, &end, be_cancelled, cancel, .cancel = cancel);
    rt_cancel_free(cancel);
    CU_ASSERT_EQUAL(end.kind, RT_EXIT_INTERRUPTION);
    CU_ASSERT_EQUAL(fake.given, 1);
    return 0;
}

static void an_interrupted_commit_is_rolled_back_by_the_finalizer(void)
{
    CU_ASSERT_EQUAL(try(cancel_commit).result, 0);
    told("BEGIN; ROLLBACK");
}

/* --- states ---------------------------------------------------------------------------------- */

static int spoil(rt_ctx *ctx, void *argument)
{
    (void)argument;
    RT_TRY(begin(ctx));
    RT_TRY(begin(ctx));
    fake.state = 1;
    CU_ASSERT_EQUAL(statement(ctx, "never"), -RT_EFAILED_PRECONDITION);
    CU_ASSERT_STRING_EQUAL(rt_last_error(ctx)->domain, "IN_FAILED_SQL_TRANSACTION");
    CU_ASSERT_EQUAL(begin(ctx), -RT_EFAILED_PRECONDITION);
    CU_ASSERT_EQUAL(rt_tx_commit(ctx), -RT_EFAILED_PRECONDITION);
    RT_TRY(statement(ctx, "goes on"));
    fake.state = 1;
    return rt_tx_commit(ctx);
}

static void a_spoiled_transaction_cannot_be_committed(void)
{
    ending end = try(spoil);
    CU_ASSERT_EQUAL(end.result, -RT_EFAILED_PRECONDITION);
    told("BEGIN; SAVEPOINT rt_1; ROLLBACK TO SAVEPOINT rt_1; RELEASE SAVEPOINT rt_1; goes on; "
         "ROLLBACK");
}

static int lose(rt_ctx *ctx, void *argument)
{
    (void)argument;
    RT_TRY(begin(ctx));
    RT_TRY(begin(ctx));
    fake.state = -1;
    CU_ASSERT_EQUAL(statement(ctx, "never"), -RT_EUNAVAILABLE);
    CU_ASSERT_EQUAL(rt_tx_rollback(ctx), 0);
    return rt_tx_commit(ctx);
}

static void a_lost_connection_is_given_back_as_broken(void)
{
    CU_ASSERT_EQUAL(try(lose).result, -RT_EUNAVAILABLE);
    told("BEGIN; SAVEPOINT rt_1");
    CU_ASSERT_EQUAL(fake.broken, 1);
}

/* --- turns ----------------------------------------------------------------------------------- */

static int two_in_a_savepoint(rt_ctx *ctx, void *argument)
{
    RT_TRY(begin(ctx));
    RT_TRY(statement(ctx, argument));
    RT_TRY(statement(ctx, argument));
    return rt_tx_commit(ctx);
}

static int share(rt_ctx *ctx, void *argument)
{
    (void)argument;
    RT_TRY(begin(ctx));
    rt_task *left = rt_spawn(ctx, two_in_a_savepoint, "left");
    rt_task *right = rt_spawn(ctx, two_in_a_savepoint, "right");
    RT_TRY(rt_join(ctx, left));
    RT_TRY(rt_join(ctx, right));
    return rt_tx_commit(ctx);
}

static void who_shares_a_transaction_waits_for_savepoints(void)
{
    CU_ASSERT_EQUAL(try(share).result, 0);
    told("BEGIN; SAVEPOINT rt_1; left; left; RELEASE SAVEPOINT rt_1; "
         "SAVEPOINT rt_1; right; right; RELEASE SAVEPOINT rt_1; COMMIT");
}

static int use_nested(rt_ctx *ctx, void *argument)
{
    (void)argument;
    return statement(ctx, "never");
}

static int keep_a_stream(rt_ctx *ctx, void *argument)
{
    void *connection;
    RT_TRY(begin(ctx));
    RT_TRY(rt_tx_acquire(ctx, &connection));
    rt_tx_hold *hold = rt_tx_keep(ctx);
    CU_ASSERT_EQUAL(statement(ctx, "never"), -RT_EFAILED_PRECONDITION);
    CU_ASSERT_STRING_EQUAL(rt_last_error(ctx)->domain, "OBJECT_IN_USE");
    CU_ASSERT_EQUAL(rt_run(ctx, use_nested, argument), -RT_EFAILED_PRECONDITION);
    CU_ASSERT_EQUAL(rt_tx_commit(ctx), -RT_EFAILED_PRECONDITION);
    CU_ASSERT_TRUE(rt_tx_is_open(ctx));
    rt_tx_let_go(hold);
    RT_TRY(statement(ctx, "a"));
    return rt_tx_commit(ctx);
}

static void an_open_stream_refuses_its_own_unit_instead_of_hanging(void)
{
    CU_ASSERT_EQUAL(try(keep_a_stream).result, 0);
    told("BEGIN; a; COMMIT");
}

/* --- hooks ----------------------------------------------------------------------------------- */

static int tell_argument(rt_ctx *ctx, void *argument)
{
    CU_ASSERT_FALSE(rt_tx_is_open(ctx));
    tell(argument);
    return strcmp(argument, "fails") ? 0 : rt_fail(ctx, RT_EINTERNAL, "a hook");
}

static int hook(rt_ctx *ctx, const char *text)
{
    char copied[16];
    snprintf(copied, sizeof copied, "%s", text);
    int result = rt_tx_after_commit(ctx, &(rt_sql_hook){.size = sizeof(rt_sql_hook),
                                                        .argument_size = sizeof copied,
                                                        .instance = ctx->instance,
                                                        .function = tell_argument,
                                                        .argument = copied});
    memset(copied, 'x', sizeof copied);
    return result;
}

static int set_hooks(rt_ctx *ctx, void *argument)
{
    (void)argument;
    RT_TRY(hook(ctx, "at once"));
    RT_TRY(begin(ctx));
    RT_TRY(hook(ctx, "first"));
    RT_TRY(begin(ctx));
    RT_TRY(hook(ctx, "dropped"));
    RT_TRY(rt_tx_rollback(ctx));
    RT_TRY(begin(ctx));
    RT_TRY(hook(ctx, "fails"));
    RT_TRY(rt_tx_commit(ctx));
    RT_TRY(hook(ctx, "last"));
    RT_TRY(rt_tx_commit(ctx));
    RT_TRY(begin(ctx));
    return hook(ctx, "never");
}

static void hooks_run_after_the_outermost_commit(void)
{
    CU_ASSERT_EQUAL(try(set_hooks).result, 0);
    told("at once; BEGIN; SAVEPOINT rt_1; ROLLBACK TO SAVEPOINT rt_1; RELEASE SAVEPOINT rt_1; "
         "SAVEPOINT rt_1; RELEASE SAVEPOINT rt_1; COMMIT; first; fails; last; BEGIN; ROLLBACK");
    CU_ASSERT_EQUAL(logged, 1);
}

RT_TEST_MAIN(
    "sql transactions", {"nested transactions are savepoints", nested_ones_are_savepoints},
    {"what a unit leaves open is rolled back, inside out", what_is_left_open_is_rolled_back},
    {"only the unit that began may end", only_who_began_may_end},
    {"a commit that fails has rolled back", a_commit_that_fails_has_rolled_back},
    {"a begin that fails gives its connection back", a_begin_that_fails_gives_its_connection_back},
    {"an interrupted commit is rolled back by the finalizer",
     an_interrupted_commit_is_rolled_back_by_the_finalizer},
    {"a spoiled transaction cannot be committed", a_spoiled_transaction_cannot_be_committed},
    {"a lost connection is given back as broken", a_lost_connection_is_given_back_as_broken},
    {"who shares a transaction waits for savepoints",
     who_shares_a_transaction_waits_for_savepoints},
    {"an open stream refuses its own unit instead of hanging",
     an_open_stream_refuses_its_own_unit_instead_of_hanging},
    {"hooks run after the outermost commit", hooks_run_after_the_outermost_commit})
