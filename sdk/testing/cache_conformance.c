#include "cache_conformance.h"

#include <string.h>

enum { FIBERS = 50, MAX_VALUE = 1 << 20, PATIENCE_MS = 10000 };

static const rt_cache_conformance *subject_of(void *subject)
{
    return subject;
}

#define CACHE(subject_) (subject_of(subject_)->cache)

/* A complaint, or go on. */
#define EXPECT(expression_)                     \
    do {                                        \
        const char *complaint_ = (expression_); \
        if (complaint_)                         \
            return complaint_;                  \
    } while (0)

static const char *expect_code(rt_ctx *ctx, const char *what, int code, int expected)
{
    return rt_conformance_code(ctx, what, code, expected);
}

static const char *expect_value(rt_ctx *ctx, const char *what, rt_str got, rt_str expected)
{
    if (got.length == expected.length &&
        (!got.length || memcmp(got.data, expected.data, got.length) == 0))
        return NULL;
    return rt_format(ctx, "%s: expected %llu bytes `%.20s`, got %llu bytes `%.20s`", what,
                     (unsigned long long)expected.length, expected.length ? expected.data : "",
                     (unsigned long long)got.length, got.length ? got.data : "");
}

static const char *expect_count(rt_ctx *ctx, const char *what, int got, int expected)
{
    return got == expected ? NULL : rt_format(ctx, "%s: expected %d, got %d", what, expected, got);
}

/* --- get, set, delete ------------------------------------------------------------------------- */

static const char *stores(rt_ctx *ctx, void *subject)
{
    rt_str value = {0};
    const char *key = "conformance:stores";
    EXPECT(expect_code(ctx, "delete", rt_cache_delete(ctx, CACHE(subject), key), 0));
    EXPECT(expect_code(ctx, "get of nothing", rt_cache_get(ctx, CACHE(subject), key, &value),
                       -RT_ENOT_FOUND));
    EXPECT(expect_code(ctx, "set", rt_cache_set(ctx, CACHE(subject), key, "one", 3, 0), 0));
    EXPECT(expect_code(ctx, "get", rt_cache_get(ctx, CACHE(subject), key, &value), 0));
    EXPECT(expect_value(ctx, "get", value, RT_STR("one")));
    EXPECT(expect_code(ctx, "set again", rt_cache_set(ctx, CACHE(subject), key, "two!", 4, 0), 0));
    EXPECT(expect_code(ctx, "get again", rt_cache_get(ctx, CACHE(subject), key, &value), 0));
    EXPECT(expect_value(ctx, "get again", value, RT_STR("two!")));
    EXPECT(expect_code(ctx, "delete", rt_cache_delete(ctx, CACHE(subject), key), 0));
    return expect_code(ctx, "get of what was deleted",
                       rt_cache_get(ctx, CACHE(subject), key, &value), -RT_ENOT_FOUND);
}

static const char *round_trip(rt_ctx *ctx, void *subject, const char *key, rt_str value)
{
    rt_str got = {0};
    EXPECT(expect_code(ctx, "set",
                       rt_cache_set(ctx, CACHE(subject), key, value.data, value.length, 0), 0));
    EXPECT(expect_code(ctx, "get", rt_cache_get(ctx, CACHE(subject), key, &got), 0));
    return expect_value(ctx, "get", got, value);
}

static const char *binary(rt_ctx *ctx, void *subject)
{
    const char *key = "conformance:binary";
    char *all = rt_alloc(ctx, 256), *large = rt_alloc(ctx, MAX_VALUE);
    for (int i = 0; i < 256; i++)
        all[i] = (char)i;
    for (int i = 0; i < MAX_VALUE; i++)
        large[i] = (char)(i * 7 + (i >> 8));
    EXPECT(round_trip(ctx, subject, key, (rt_str){all, 256}));
    EXPECT(round_trip(ctx, subject, key, RT_STR("\r\n$-1\r\n\0*3\r\n")));
    EXPECT(round_trip(ctx, subject, key, (rt_str){"", 0}));
    EXPECT(round_trip(ctx, subject, key, (rt_str){NULL, 0}));
    return round_trip(ctx, subject, key, (rt_str){large, MAX_VALUE});
}

static const char *keys(rt_ctx *ctx, void *subject)
{
    static const char *const good[] = {"conformance:a b", "conformance:\r\nDEL x\r\n",
                                       "conformance:\xc3\xa9\xe2\x82\xac", "conformance:*[a]?"};
    char *longest = rt_alloc(ctx, 514);
    memset(longest, 'k', 512);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        EXPECT(round_trip(ctx, subject, good[i], rt_string(good[i])));
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        rt_str got = {0};
        EXPECT(expect_code(ctx, good[i], rt_cache_get(ctx, CACHE(subject), good[i], &got), 0));
        EXPECT(expect_value(ctx, good[i], got, rt_string(good[i])));
    }
    EXPECT(round_trip(ctx, subject, longest, RT_STR("512 bytes")));
    return expect_code(ctx, "delete", rt_cache_delete(ctx, CACHE(subject), longest), 0);
}

static int return_seven(rt_ctx *ctx, void *argument, rt_str *value)
{
    (void)ctx;
    (void)argument;
    *value = RT_STR("seven");
    return 0;
}

static const char *limits(rt_ctx *ctx, void *subject)
{
    struct rt_cache_slot *cache = CACHE(subject);
    char *longest = rt_alloc(ctx, 514), *large = rt_alloc(ctx, MAX_VALUE + 1);
    rt_str value = {0};
    memset(longest, 'k', 513);
    const char *const bad[] = {NULL, "", longest};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        EXPECT(expect_code(ctx, "get of a bad key", rt_cache_get(ctx, cache, bad[i], &value),
                           -RT_EINVALID_ARGUMENT));
        EXPECT(expect_code(ctx, "set of a bad key", rt_cache_set(ctx, cache, bad[i], "x", 1, 0),
                           -RT_EINVALID_ARGUMENT));
        EXPECT(expect_code(ctx, "delete of a bad key", rt_cache_delete(ctx, cache, bad[i]),
                           -RT_EINVALID_ARGUMENT));
        EXPECT(expect_code(ctx, "get_or of a bad key",
                           rt_cache_get_or(ctx, cache, bad[i], 0, return_seven, NULL, &value),
                           -RT_EINVALID_ARGUMENT));
    }
    EXPECT(expect_code(ctx, "a value that is too large",
                       rt_cache_set(ctx, cache, "conformance:limits", large, MAX_VALUE + 1, 0),
                       -RT_EINVALID_ARGUMENT));
    EXPECT(expect_code(ctx, "no bytes", rt_cache_set(ctx, cache, "conformance:limits", NULL, 5, 0),
                       -RT_EINVALID_ARGUMENT));
    EXPECT(expect_code(ctx, "a negative ttl",
                       rt_cache_set(ctx, cache, "conformance:limits", "x", 1, -1),
                       -RT_EINVALID_ARGUMENT));
    return expect_code(ctx, "get_or without a source",
                       rt_cache_get_or_compute(ctx, cache, "conformance:limits", 0, NULL, &value),
                       -RT_EINVALID_ARGUMENT);
}

/* Until the key is gone; time passes in steps, so that a clock which stands still is moved on. */
static const char *wait_gone(rt_ctx *ctx, void *subject, const char *key)
{
    rt_str value;
    for (int i = 0; i < PATIENCE_MS / 10; i++) {
        int code = rt_cache_get(ctx, CACHE(subject), key, &value);
        if (code == -RT_ENOT_FOUND)
            return NULL;
        EXPECT(expect_code(ctx, "get while it expires", code, 0));
        if (subject_of(subject)->pass_time(ctx, RT_MS(10)) < 0)
            return "time does not pass";
    }
    return "the value outlives its time by far";
}

static const char *expires(rt_ctx *ctx, void *subject)
{
    struct rt_cache_slot *cache = CACHE(subject);
    rt_str value;
    EXPECT(expect_code(ctx, "set for long",
                       rt_cache_set(ctx, cache, "conformance:long", "x", 1, RT_S(3600)), 0));
    EXPECT(expect_code(ctx, "set for short",
                       rt_cache_set(ctx, cache, "conformance:short", "x", 1, RT_MS(30)), 0));
    EXPECT(expect_code(ctx, "set for next to nothing",
                       rt_cache_set(ctx, cache, "conformance:tiny", "x", 1, 1), 0));
    EXPECT(wait_gone(ctx, subject, "conformance:short"));
    EXPECT(wait_gone(ctx, subject, "conformance:tiny"));
    return expect_code(ctx, "get of what was set for long",
                       rt_cache_get(ctx, cache, "conformance:long", &value), 0);
}

/* --- get_or ----------------------------------------------------------------------------------- */

/* What computations of a case share. */
struct work {
    struct rt_cache_slot *cache;
    const char *key;
    rt_instance *instance;
    int computed;  /* computations that began */
    int failures;  /* so many fail first */
    int arrived;   /* fibers that are about to ask */
    int expected;  /* of these; a computation waits for them */
    int wrong;     /* of another instance, or with another value */
    int codes[17]; /* how often each was the result */
    bool endless;  /* the first computation never ends by itself */
    bool dies;     /* the first computation is a defect */
    uint64_t deadline;
};

static int wait_for_all(rt_ctx *ctx, const struct work *work)
{
    for (int i = 0; work->arrived < work->expected && i < PATIENCE_MS; i++)
        RT_TRY(rt_sleep(ctx, RT_MS(1)));
    for (int i = 0; i < 5; i++) /* and the last of them gets to where it waits */
        RT_TRY(rt_sleep(ctx, RT_MS(1)));
    return 0;
}

static int compute(rt_ctx *ctx, void *argument, rt_str *value)
{
    struct work *work = argument;
    int number = ++work->computed;
    work->wrong += ctx->instance != work->instance;
    RT_TRY(wait_for_all(ctx, work));
    if (number == 1 && work->dies)
        rt_die(ctx, "the computation is a defect");
    while (number == 1 && work->endless)
        RT_TRY(rt_sleep(ctx, RT_MS(1)));
    if (number <= work->failures)
        return rt_fail(ctx, RT_EABORTED, "computation %d fails", number);
    *value = RT_STR("computed");
    return 0;
}

static int ask(rt_ctx *ctx, void *argument)
{
    struct work *work = argument;
    rt_str value = {0};
    work->arrived++;
    int code = rt_cache_get_or(ctx, work->cache, work->key, 0, compute, work, &value);
    if (code == 0 && (value.length != 8 || memcmp(value.data, "computed", 8) != 0))
        work->wrong++;
    work->codes[code < 0 && code > -17 ? -code : 0]++;
    return 0;
}

/* Asks as a unit of work of its own, which may end as it likes. */
static int ask_apart(rt_ctx *ctx, void *argument)
{
    const struct work *work = argument;
    rt_exit exit;
    rt_run_exit(ctx, &exit, ask, argument, .deadline = work->deadline);
    return 0;
}

static const char *begin(rt_ctx *ctx, void *subject, struct work *work, const char *key)
{
    *work = (struct work){.cache = CACHE(subject), .key = key, .instance = ctx->instance};
    return expect_code(ctx, "delete", rt_cache_delete(ctx, CACHE(subject), key), 0);
}

/* `count` fibers ask at once. */
static const char *ask_all(rt_ctx *ctx, struct work *work, int count)
{
    rt_task *tasks[FIBERS];
    work->expected = work->arrived + count;
    for (int i = 0; i < count; i++)
        tasks[i] = rt_spawn(ctx, ask, work);
    for (int i = 0; i < count; i++)
        EXPECT(expect_code(ctx, "join", rt_join(ctx, tasks[i]), 0));
    return work->wrong ? "a computation ran as another instance, or a value was another" : NULL;
}

static const char *computes(rt_ctx *ctx, void *subject)
{
    struct work work;
    rt_str value = {0};
    EXPECT(begin(ctx, subject, &work, "conformance:computes"));
    EXPECT(ask_all(ctx, &work, 1));
    EXPECT(ask_all(ctx, &work, 1));
    EXPECT(expect_count(ctx, "computations", work.computed, 1));
    EXPECT(expect_code(ctx, "get", rt_cache_get(ctx, work.cache, work.key, &value), 0));
    EXPECT(expect_value(ctx, "get", value, RT_STR("computed")));
    EXPECT(expect_code(ctx, "delete", rt_cache_delete(ctx, work.cache, work.key), 0));
    EXPECT(ask_all(ctx, &work, 1));
    return expect_count(ctx, "computations after delete", work.computed, 2);
}

static const char *computes_again(rt_ctx *ctx, void *subject)
{
    struct work work;
    rt_str value;
    EXPECT(begin(ctx, subject, &work, "conformance:again"));
    EXPECT(expect_code(
        ctx, "get_or",
        rt_cache_get_or(ctx, work.cache, work.key, RT_MS(30), compute, &work, &value), 0));
    EXPECT(wait_gone(ctx, subject, work.key));
    EXPECT(ask_all(ctx, &work, 1));
    return expect_count(ctx, "computations", work.computed, 2);
}

static const char *computes_once(rt_ctx *ctx, void *subject)
{
    struct work work;
    EXPECT(begin(ctx, subject, &work, "conformance:once"));
    EXPECT(ask_all(ctx, &work, FIBERS));
    EXPECT(expect_count(ctx, "computations", work.computed, 1));
    return expect_count(ctx, "fibers that got the value", work.codes[0], FIBERS);
}

static const char *fails(rt_ctx *ctx, void *subject)
{
    struct work work;
    rt_str value;
    EXPECT(begin(ctx, subject, &work, "conformance:fails"));
    work.failures = 1;
    EXPECT(expect_code(ctx, "get_or",
                       rt_cache_get_or(ctx, work.cache, work.key, 0, compute, &work, &value),
                       -RT_EABORTED));
    EXPECT(expect_code(ctx, "get after a failure", rt_cache_get(ctx, work.cache, work.key, &value),
                       -RT_ENOT_FOUND));
    EXPECT(ask_all(ctx, &work, 1));
    return expect_count(ctx, "computations", work.computed, 2);
}

static const char *takes_over(rt_ctx *ctx, void *subject)
{
    struct work work;
    EXPECT(begin(ctx, subject, &work, "conformance:takeover"));
    work.failures = 3;
    EXPECT(ask_all(ctx, &work, 10));
    EXPECT(expect_count(ctx, "computations", work.computed, 4));
    EXPECT(expect_count(ctx, "fibers that failed", work.codes[RT_EABORTED], 3));
    return expect_count(ctx, "fibers that got the value", work.codes[0], 7);
}

/* A leader that ends badly, and ten that wait for it. */
static const char *survive(rt_ctx *ctx, struct work *work)
{
    work->expected = 11;
    rt_task *leader = rt_spawn(ctx, ask_apart, work);
    for (int i = 0; !work->computed && i < PATIENCE_MS; i++)
        if (rt_sleep(ctx, RT_MS(1)) < 0)
            return "the case was interrupted";
    EXPECT(ask_all(ctx, work, 10));
    EXPECT(expect_code(ctx, "join of the leader", rt_join(ctx, leader), 0));
    EXPECT(expect_count(ctx, "computations", work->computed, 2));
    return expect_count(ctx, "fibers that got the value", work->codes[0], 10);
}

static const char *survives_defect(rt_ctx *ctx, void *subject)
{
    struct work work;
    EXPECT(begin(ctx, subject, &work, "conformance:defect"));
    work.dies = true;
    return survive(ctx, &work);
}

static const char *survives_deadline(rt_ctx *ctx, void *subject)
{
    struct work work;
    EXPECT(begin(ctx, subject, &work, "conformance:deadline"));
    work.endless = true;
    work.deadline = rt_now() + RT_MS(200);
    EXPECT(survive(ctx, &work));
    return expect_count(ctx, "leaders out of time", work.codes[RT_EDEADLINE], 1);
}

static int ask_cancelled(rt_ctx *ctx, void *argument)
{
    void **given = argument;
    rt_exit exit;
    rt_run_exit(ctx, &exit, ask, given[0], .cancel = given[1]);
    return 0;
}

static const char *survives_cancellation(rt_ctx *ctx, void *subject)
{
    struct work work;
    EXPECT(begin(ctx, subject, &work, "conformance:cancelled"));
    work.endless = true;
    work.expected = 1;
    rt_cancel *cancel = rt_cancel_new();
    void *given[] = {&work, cancel};
    rt_task *leader = rt_spawn(ctx, ask_cancelled, given);
    for (int i = 0; !work.computed && i < PATIENCE_MS; i++)
        if (rt_sleep(ctx, RT_MS(1)) < 0)
            return "the case was interrupted";
    rt_task *waiter = rt_spawn(ctx, ask, &work);
    rt_cancel_fire(cancel);
    EXPECT(expect_code(ctx, "join of the leader", rt_join(ctx, leader), 0));
    EXPECT(expect_code(ctx, "join of the waiter", rt_join(ctx, waiter), 0));
    rt_cancel_free(cancel);
    EXPECT(expect_count(ctx, "leaders cancelled", work.codes[RT_ECANCELED], 1));
    return expect_count(ctx, "fibers that got the value", work.codes[0], 1);
}

/* The leader computes until the impatient one has given up. */
static int compute_slowly(rt_ctx *ctx, void *argument, rt_str *value)
{
    const struct work *work = argument;
    while (!work->codes[RT_EDEADLINE])
        RT_TRY(rt_sleep(ctx, RT_MS(1)));
    *value = RT_STR("computed");
    return 0;
}

static int ask_slowly(rt_ctx *ctx, void *argument)
{
    struct work *work = argument;
    rt_str value = {0};
    work->arrived++;
    int code = rt_cache_get_or(ctx, work->cache, work->key, 0, compute_slowly, work, &value);
    work->codes[-code]++;
    return 0;
}

static const char *lets_go(rt_ctx *ctx, void *subject)
{
    struct work work;
    EXPECT(begin(ctx, subject, &work, "conformance:impatient"));
    rt_task *leader = rt_spawn(ctx, ask_slowly, &work);
    for (int i = 0; i < 20; i++)
        if (rt_sleep(ctx, RT_MS(1)) < 0)
            return "the case was interrupted";
    work.deadline = rt_now() + RT_MS(50);
    EXPECT(expect_code(ctx, "ask", ask_apart(ctx, &work), 0));
    EXPECT(expect_code(ctx, "join of the leader", rt_join(ctx, leader), 0));
    EXPECT(expect_count(ctx, "fibers out of time", work.codes[RT_EDEADLINE], 1));
    EXPECT(expect_count(ctx, "fibers that got the value", work.codes[0], 1));
    return expect_count(ctx, "computations by the impatient", work.computed, 0);
}

/* --- nested ----------------------------------------------------------------------------------- */

struct nested {
    struct rt_cache_slot *cache;
    const char *inner;
    int code;
};

static int compute_nested(rt_ctx *ctx, void *argument, rt_str *value)
{
    struct nested *nested = argument;
    nested->code = rt_cache_get_or(ctx, nested->cache, nested->inner, 0, return_seven, NULL, value);
    return nested->code;
}

static const char *nests(rt_ctx *ctx, void *subject)
{
    struct nested other = {CACHE(subject), "conformance:inner", 0};
    struct nested same = {CACHE(subject), "conformance:itself", 0};
    rt_str value = {0};
    EXPECT(expect_code(ctx, "delete", rt_cache_delete(ctx, other.cache, "conformance:outer"), 0));
    EXPECT(expect_code(ctx, "delete", rt_cache_delete(ctx, same.cache, same.inner), 0));
    EXPECT(expect_code(
        ctx, "a value made of another",
        rt_cache_get_or(ctx, other.cache, "conformance:outer", 0, compute_nested, &other, &value),
        0));
    EXPECT(expect_value(ctx, "a value made of another", value, RT_STR("seven")));
    return expect_code(
        ctx, "a value made of itself",
        rt_cache_get_or(ctx, same.cache, same.inner, 0, compute_nested, &same, &value),
        -RT_EFAILED_PRECONDITION);
}

static int compute_large(rt_ctx *ctx, void *argument, rt_str *value)
{
    ++*(int *)argument;
    *value = (rt_str){rt_alloc(ctx, MAX_VALUE + 1), MAX_VALUE + 1};
    return 0;
}

static int compute_empty(rt_ctx *ctx, void *argument, rt_str *value)
{
    (void)ctx;
    ++*(int *)argument;
    *value = (rt_str){NULL, 0};
    return 0;
}

static const char *extremes(rt_ctx *ctx, void *subject)
{
    struct rt_cache_slot *cache = CACHE(subject);
    int large = 0, empty = 0;
    rt_str value = {0};
    EXPECT(expect_code(ctx, "delete", rt_cache_delete(ctx, cache, "conformance:large"), 0));
    EXPECT(expect_code(ctx, "delete", rt_cache_delete(ctx, cache, "conformance:empty"), 0));
    for (int i = 0; i < 2; i++) {
        EXPECT(expect_code(
            ctx, "a value beyond max_value",
            rt_cache_get_or(ctx, cache, "conformance:large", 0, compute_large, &large, &value), 0));
        EXPECT(expect_count(ctx, "bytes", (int)value.length, MAX_VALUE + 1));
        EXPECT(expect_code(
            ctx, "an empty value",
            rt_cache_get_or(ctx, cache, "conformance:empty", 0, compute_empty, &empty, &value), 0));
        EXPECT(expect_count(ctx, "bytes", (int)value.length, 0));
    }
    EXPECT(expect_count(ctx, "computations of the empty value", empty, 1));
    return expect_count(ctx, "computations of the large value", large, 2);
}

/* --- the suite -------------------------------------------------------------------------------- */

rt_str rt_cache_conformance_run(rt_ctx *ctx, const rt_cache_conformance *subject)
{
    static const rt_conformance_case cases[] = {
        {"what is set is there until it is deleted", stores},
        {"values are any bytes, up to a megabyte", binary},
        {"keys are any texts, up to 512 bytes", keys},
        {"what is empty, too long or too large is refused", limits},
        {"values expire", expires},
        {"a value that is not there is computed, and then is there", computes},
        {"a value that has expired is computed again", computes_again},
        {"fifty who miss at once compute once", computes_once},
        {"a failure is the caller's and is not kept", fails},
        {"of those who wait for a computation that fails one takes over", takes_over},
        {"those who wait survive a leader that dies", survives_defect},
        {"those who wait survive a leader that runs out of time", survives_deadline},
        {"who waits survives a leader that is cancelled", survives_cancellation},
        {"who waits gives up at its own deadline, and the leader goes on", lets_go},
        {"a value may be made of another one, not of itself", nests},
        {"an empty value is kept, one that is too large is computed each time", extremes},
    };
    return rt_conformance_run(ctx, cases, sizeof cases / sizeof cases[0], (void *)subject);
}
