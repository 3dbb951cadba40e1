#include "sql_suite.h"

/* --- savepoints ------------------------------------------------------------------------------ */

/* A tree of transactions: each writes its row, runs its children, and ends. */
struct node {
    rt_sql_story *story;
    int64_t id;
    int result; /* of its work; a child's failure is met, and is not its parent's */
    int dies;
    const struct node *children;
    size_t child_count;
};

static int grow(rt_ctx *ctx, void *argument);

static int grow_in_transaction(rt_ctx *ctx, void *argument)
{
    const struct node *node = argument;
    return rt_sql_tx(ctx, node->story->suite->sql, grow, argument);
}

static int grow(rt_ctx *ctx, void *argument)
{
    const struct node *node = argument;
    rt_sql_story *story = node->story;
    RT_TRY(rt_suite_note(ctx, story->suite, node->id, "node"));
    for (size_t i = 0; i < node->child_count; i++) {
        struct node child = node->children[i];
        rt_exit exit;
        child.story = story;
        rt_run_exit(ctx, &exit, grow_in_transaction, &child);
        if (exit.result != child.result && !child.dies)
            TELL(story, rt_format(ctx, "transaction %lld ended with %s", (long long)child.id,
                                  rt_code_name(exit.result)));
        if (child.dies && exit.kind != RT_EXIT_DEFECT)
            TELL(story, "a transaction that died did not end as a defect");
    }
    if (node->dies)
        rt_die(ctx, "the nested work dies");
    return node->result ? rt_fail(ctx, -node->result, "the nested work fails") : 0;
}

/* Grows the tree and expects the sum of the ids that are kept. */
static const char *grows(rt_ctx *ctx, const rt_sql_suite *suite, struct node *root, int64_t sum)
{
    root->story = rt_story_open(ctx, suite);
    CHECK(rt_suite_ledger(ctx, suite));
    CHECK(rt_conformance_code(ctx, "the outermost", grow_in_transaction(ctx, root), root->result));
    CHECK(root->story->complaint);
    CHECK(rt_suite_number(
        ctx, suite, sum,
        RT_SQL("SELECT CAST(coalesce(sum(id), 0) AS bigint) FROM conformance_ledger")));
    return rt_suite_alive(ctx, suite);
}

static const char *kept(rt_ctx *ctx, void *subject)
{
    const struct node leaves[] = {{.id = 8}},
                      children[] = {{.id = 2}, {.id = 4, .children = leaves, .child_count = 1}};
    return grows(ctx, subject, &(struct node){.id = 1, .children = children, .child_count = 2}, 15);
}

static const char *undone(rt_ctx *ctx, void *subject)
{
    const struct node leaves[] = {{.id = 16}}, children[] = {{.id = 2},
                                                             {.id = 4, .result = -RT_EOUT_OF_RANGE},
                                                             {.id = 8,
                                                              .result = -RT_EOUT_OF_RANGE,
                                                              .children = leaves,
                                                              .child_count = 1},
                                                             {.id = 32, .dies = 1},
                                                             {.id = 64}};
    CHECK(grows(ctx, subject, &(struct node){.id = 1, .children = children, .child_count = 5}, 67));
    return grows(ctx, subject,
                 &(struct node){
                     .id = 1, .result = -RT_EOUT_OF_RANGE, .children = children, .child_count = 5},
                 0);
}

static const char *deep(rt_ctx *ctx, void *subject)
{
    enum { DEPTH = 12 };
    struct node nodes[DEPTH] = {0};
    for (int i = 0; i < DEPTH; i++)
        nodes[i] =
            (struct node){.id = 1 << i, .children = &nodes[i + 1], .child_count = i + 1 < DEPTH};
    nodes[DEPTH - 4].result = -RT_EOUT_OF_RANGE;
    return grows(ctx, subject, &nodes[0], (1 << (DEPTH - 4)) - 1);
}

/* --- what fails inside ----------------------------------------------------------------------- */

static int break_inside(rt_ctx *ctx, void *argument)
{
    const rt_sql_story *story = argument;
    RT_TRY(rt_suite_note(ctx, story->suite, 2, "undone"));
    return rt_suite_note(ctx, story->suite, 1, "twice");
}

static int work_inside(rt_ctx *ctx, void *argument)
{
    const rt_sql_story *story = argument;
    RT_TRY(rt_suite_note(ctx, story->suite, 3, "undone"));
    rt_set_deadline(ctx, rt_now() + RT_MS(100));
    return rt_sql_exec(ctx, story->suite->sql, RT_SQL(ETERNAL), NULL);
}

static int recover(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    struct rt_sql_slot *sql = story->suite->sql;
    RT_TRY(rt_suite_note(ctx, story->suite, 1, "kept"));
    TELL(story, rt_conformance_code(ctx, "a constraint", rt_sql_tx(ctx, sql, break_inside, story),
                                    -RT_EALREADY_EXISTS));
    RT_TRY(rt_suite_note(ctx, story->suite, 10, "kept"));
    TELL(story, rt_conformance_code(ctx, "a deadline", rt_sql_tx(ctx, sql, work_inside, story),
                                    -RT_EDEADLINE));
    RT_TRY(rt_suite_note(ctx, story->suite, 100, "kept"));
    return 0;
}

static const char *recovers(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    rt_sql_story *story = rt_story_open(ctx, suite);
    CHECK(rt_suite_ledger(ctx, suite));
    CHECK(rt_conformance_code(ctx, "the outermost", rt_sql_tx(ctx, suite->sql, recover, story), 0));
    CHECK(story->complaint);
    CHECK(rt_suite_number(ctx, suite, 111,
                          RT_SQL("SELECT CAST(sum(id) AS bigint) FROM conformance_ledger")));
    return rt_suite_alive(ctx, suite);
}

static int lose_race(rt_ctx *ctx, void *argument)
{
    ((rt_sql_story *)argument)->number++;
    return rt_fail(ctx, RT_EABORTED, "once more");
}

static int race_inside(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    return rt_sql_tx(ctx, story->suite->sql, lose_race, story, .attempts = 5);
}

static const char *tried_outside(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    rt_sql_story *story = rt_story_open(ctx, suite);
    int code = rt_sql_tx(ctx, suite->sql, race_inside, story, .attempts = 3);
    CHECK(rt_conformance_code(ctx, "a lost race", code, -RT_EABORTED));
    return story->number == 3 ? NULL
                              : rt_format(ctx, "it was tried %lld times", (long long)story->number);
}

/* --- children -------------------------------------------------------------------------------- */

enum { CHILDREN = 8 };

struct child {
    rt_sql_story *story;
    int64_t id;
};

static int write_row(rt_ctx *ctx, void *argument)
{
    struct child *child = argument;
    rt_sql_story *story = child->story;
    TELL(story, rt_suite_number(ctx, story->suite, 0,
                                RT_SQL("SELECT id FROM conformance_ledger WHERE note = 'parent'")));
    TELL(story, rt_conformance_code(ctx, "a child's row",
                                    rt_suite_note(ctx, story->suite, child->id, "child"), 0));
    return 0;
}

/* Spawns as many as CHILDREN of `work`, with ids from 1 on. */
static int spawn_children(rt_ctx *ctx, rt_sql_story *story, rt_work work)
{
    rt_task *tasks[CHILDREN];
    struct child *children = rt_alloc(ctx, CHILDREN * sizeof *children);
    for (int i = 0; i < CHILDREN; i++) {
        children[i] = (struct child){story, i + 1};
        tasks[i] = rt_spawn(ctx, work, &children[i]);
    }
    for (int i = 0; i < CHILDREN; i++)
        RT_TRY(rt_join(ctx, tasks[i]));
    return 0;
}

static int share(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    RT_TRY(rt_suite_note(ctx, story->suite, 0, "parent"));
    RT_TRY(spawn_children(ctx, story, write_row));
    TELL(story, rt_suite_notes(ctx, story->suite, CHILDREN + 1));
    return story->number ? rt_fail(ctx, RT_EOUT_OF_RANGE, "the parent fails") : 0;
}

static int share_inside(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    return rt_sql_tx(ctx, story->suite->sql, share, story);
}

static const char *children_share(rt_ctx *ctx, void *subject)
{
    static const rt_work ways[] = {share, share_inside};
    const rt_sql_suite *suite = subject;
    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        rt_sql_story *story = rt_story_open(ctx, suite);
        CHECK(rt_suite_ledger(ctx, suite));
        story->number = 1;
        CHECK(rt_conformance_code(ctx, "the parent", rt_sql_tx(ctx, suite->sql, ways[i], story),
                                  -RT_EOUT_OF_RANGE));
        CHECK(rt_suite_notes(ctx, suite, 0));
        story->number = 0;
        CHECK(
            rt_conformance_code(ctx, "the parent", rt_sql_tx(ctx, suite->sql, ways[i], story), 0));
        CHECK(story->complaint);
        CHECK(rt_suite_notes(ctx, suite, CHILDREN + 1));
    }
    return rt_suite_alive(ctx, suite);
}

/* Writes, lets the siblings run, and fails where its id is even. */
static int write_slowly(rt_ctx *ctx, void *argument)
{
    const struct child *child = argument;
    RT_TRY(rt_suite_note(ctx, child->story->suite, child->id, "child"));
    RT_TRY(rt_sleep(ctx, RT_MS(1)));
    RT_TRY(rt_suite_note(ctx, child->story->suite, child->id + 100, "child"));
    return child->id % 2 ? 0 : rt_fail(ctx, RT_EOUT_OF_RANGE, "an even child fails");
}

static int nest_one(rt_ctx *ctx, void *argument)
{
    struct child *child = argument;
    int code = rt_sql_tx(ctx, child->story->suite->sql, write_slowly, child);
    TELL(child->story, rt_conformance_code(ctx, "a nested transaction of a child", code,
                                           child->id % 2 ? 0 : -RT_EOUT_OF_RANGE));
    return 0;
}

static int nest_all(rt_ctx *ctx, void *argument)
{
    return spawn_children(ctx, argument, nest_one);
}

static const char *siblings_nest(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    rt_sql_story *story = rt_story_open(ctx, suite);
    CHECK(rt_suite_ledger(ctx, suite));
    CHECK(rt_conformance_code(ctx, "the parent", rt_sql_tx(ctx, suite->sql, nest_all, story), 0));
    CHECK(story->complaint);
    CHECK(rt_suite_notes(ctx, suite, CHILDREN));
    return rt_suite_number(ctx, suite, CHILDREN,
                           RT_SQL("SELECT count(*) FROM conformance_ledger WHERE id % 2 = 1"));
}

static int die_as_child(rt_ctx *ctx, void *argument)
{
    const struct child *child = argument;
    RT_TRY(rt_suite_note(ctx, child->story->suite, child->id, "child"));
    if (child->id == 3)
        rt_die(ctx, "a child dies");
    return 0;
}

static int let_die(rt_ctx *ctx, void *argument)
{
    return spawn_children(ctx, argument, die_as_child);
}

static const char *child_dies(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    rt_sql_story *story = rt_story_open(ctx, suite);
    CHECK(rt_suite_ledger(ctx, suite));
    if (rt_sql_tx(ctx, suite->sql, let_die, story) >= 0)
        return "a transaction succeeded whose child died";
    CHECK(rt_suite_notes(ctx, suite, 0));
    return rt_suite_alive(ctx, suite);
}

static const rt_conformance_case cases[] = {
    {"nested transactions that succeed are kept", kept},
    {"nested transactions that fail or die are undone, and nothing else", undone},
    {"transactions nest twelve deep", deep},
    {"errors and deadlines inside of a nested one spare the outer one", recovers},
    {"a lost race is tried again by the outermost alone", tried_outside},
    {"children share the transaction of their parent", children_share},
    {"nested transactions of siblings do not mix", siblings_nest},
    {"a child that dies undoes the transaction that it shared", child_dies},
};
const rt_sql_area rt_sql_nesting_area = {cases, COUNT_OF(cases)};
