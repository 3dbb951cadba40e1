#include "sql_suite.h"

/* What ran, in order: a letter each. */
struct trace {
    rt_sql_story story;
    char letters[32];
    int ends; /* how the outermost transaction is to end: 0, -RT_E… or 1, which is death */
};

struct mark {
    struct trace *trace;
    char letter;
};

static int make_mark(rt_ctx *ctx, void *argument)
{
    const struct mark *mark = argument;
    size_t length = strlen(mark->trace->letters);
    (void)ctx;
    if (length < sizeof mark->trace->letters - 1)
        mark->trace->letters[length] = mark->letter;
    return 0;
}

/* The argument is changed as soon as it was taken: what runs has the copy. */
static int mark_later(rt_ctx *ctx, struct trace *trace, char letter)
{
    struct mark mark = {trace, letter};
    int code = rt_after_commit(ctx, trace->story.suite->sql, make_mark, &mark, sizeof mark);
    mark.letter = '?';
    return code;
}

static int nested_kept(rt_ctx *ctx, void *argument)
{
    return mark_later(ctx, argument, 'b');
}

static int nested_undone(rt_ctx *ctx, void *argument)
{
    RT_TRY(mark_later(ctx, argument, 'x'));
    return rt_fail(ctx, RT_EOUT_OF_RANGE, "the nested work fails");
}

static int mark_and_end(rt_ctx *ctx, void *argument)
{
    struct trace *trace = argument;
    struct rt_sql_slot *sql = trace->story.suite->sql;
    RT_TRY(mark_later(ctx, trace, 'a'));
    RT_TRY(rt_sql_tx(ctx, sql, nested_kept, trace));
    if (rt_sql_tx(ctx, sql, nested_undone, trace) >= 0)
        return rt_fail(ctx, RT_EINTERNAL, "the nested work succeeded");
    RT_TRY(mark_later(ctx, trace, 'c'));
    if (trace->letters[0])
        return rt_fail(ctx, RT_EINTERNAL, "a hook ran before the commit");
    if (trace->ends > 0)
        rt_die(ctx, "the work dies");
    return trace->ends ? rt_fail(ctx, -trace->ends, "the work fails") : 0;
}

static int trace_transaction(rt_ctx *ctx, void *argument)
{
    struct trace *trace = argument;
    return rt_sql_tx(ctx, trace->story.suite->sql, mark_and_end, trace);
}

static const char *leaves(rt_ctx *ctx, const rt_sql_suite *suite, int ends, const char *letters)
{
    struct trace trace = {.story = {.suite = suite, .outer = ctx}, .ends = ends};
    rt_exit exit;
    rt_run_exit(ctx, &exit, trace_transaction, &trace);
    if (exit.result != (ends > 0 ? -RT_EINTERNAL : ends))
        return rt_format(ctx, "it ended with %s", rt_code_name(exit.result));
    return strcmp(trace.letters, letters) == 0
               ? NULL
               : rt_format(ctx, "what ran is `%s` instead of `%s`", trace.letters, letters);
}

static const char *in_order(rt_ctx *ctx, void *subject)
{
    return leaves(ctx, subject, 0, "abc");
}

static const char *dropped(rt_ctx *ctx, void *subject)
{
    CHECK(leaves(ctx, subject, -RT_EOUT_OF_RANGE, ""));
    CHECK(leaves(ctx, subject, 1, ""));
    return leaves(ctx, subject, 0, "abc");
}

static const char *at_once(rt_ctx *ctx, void *subject)
{
    struct trace trace = {.story = {.suite = subject, .outer = ctx}};
    CHECK(rt_conformance_code(ctx, "after_commit", mark_later(ctx, &trace, 'a'), 0));
    return strcmp(trace.letters, "a") == 0 ? NULL : "the hook did not run at once";
}

/* --- what hooks do --------------------------------------------------------------------------- */

/* Sees what was committed, and writes what stays although it fails itself. */
static int write_in_hook(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    story->number++;
    TELL(story, rt_suite_notes(ctx, story->suite, 1));
    RT_TRY(rt_suite_note(ctx, story->suite, 2, "hook"));
    return rt_fail(ctx, RT_EOUT_OF_RANGE, "the hook fails");
}

/* Has a transaction of its own. */
static int nest_in_hook(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    story->number++;
    RT_TRY(rt_suite_note(ctx, story->suite, 3, "hook"));
    return rt_fail(ctx, RT_EOUT_OF_RANGE, "the hook's transaction fails");
}

static int transact_in_hook(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    return rt_sql_tx(ctx, story->suite->sql, nest_in_hook, story);
}

static int add_hooks(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    struct rt_sql_slot *sql = story->suite->sql;
    RT_TRY(rt_suite_note(ctx, story->suite, 1, "work"));
    RT_TRY(rt_after_commit(ctx, sql, write_in_hook, story, 0));
    return rt_after_commit(ctx, sql, transact_in_hook, story, 0);
}

static const char *hooks_work(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    rt_sql_story *story = rt_story_open(ctx, suite);
    CHECK(rt_suite_ledger(ctx, suite));
    CHECK(
        rt_conformance_code(ctx, "a transaction", rt_sql_tx(ctx, suite->sql, add_hooks, story), 0));
    CHECK(story->complaint);
    if (story->number != 2)
        return rt_format(ctx, "%lld of 2 hooks ran", (long long)story->number);
    CHECK(rt_suite_notes(ctx, suite, 2));
    return rt_suite_alive(ctx, suite);
}

static int fail_commit(rt_ctx *ctx, void *argument)
{
    struct trace *trace = argument;
    RT_TRY(mark_later(ctx, trace, 'x'));
    return rt_sql_exec(ctx, trace->story.suite->sql,
                       RT_SQL("INSERT INTO conformance_orphans (parent) VALUES (99)"), NULL);
}

static const char *failed_commit(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    struct trace trace = {.story = {.suite = suite, .outer = ctx}};
    CHECK(rt_suite_ledger(ctx, suite));
    CHECK(rt_suite_table(ctx, suite, "conformance_orphans",
                         "parent bigint REFERENCES conformance_ledger "
                         "DEFERRABLE INITIALLY DEFERRED"));
    CHECK(rt_conformance_code(ctx, "commit", rt_sql_tx(ctx, suite->sql, fail_commit, &trace),
                              -RT_EFAILED_PRECONDITION));
    return trace.letters[0] ? "a hook ran although the commit failed" : NULL;
}

static int mark_as_child(rt_ctx *ctx, void *argument)
{
    return mark_later(ctx, argument, 'd');
}

static int spawn_marker(rt_ctx *ctx, void *argument)
{
    return rt_join(ctx, rt_spawn(ctx, mark_as_child, argument));
}

static const char *of_children(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    struct trace trace = {.story = {.suite = suite, .outer = ctx}};
    CHECK(rt_conformance_code(ctx, "a transaction",
                              rt_sql_tx(ctx, suite->sql, spawn_marker, &trace), 0));
    return strcmp(trace.letters, "d") == 0 ? NULL : "the hook of a child did not run";
}

static const rt_conformance_case cases[] = {
    {"hooks run in order after the outermost commit, with their copied argument", in_order},
    {"hooks of what is undone never run", dropped},
    {"a hook without a transaction runs at once", at_once},
    {"a hook works outside of the transaction, and its failure undoes nothing", hooks_work},
    {"a commit that fails runs no hook", failed_commit},
    {"a hook that a child adds runs too", of_children},
};
const rt_sql_area rt_sql_hooks_area = {cases, COUNT_OF(cases)};
