#include "sql_suite.h"

/* Where the server has no notifications, all of it says so. */
static const char *refused(rt_ctx *ctx, const rt_sql_suite *suite)
{
    rt_sql_listener *listener;
    CHECK(rt_conformance_code(ctx, "listen",
                              rt_sql_listen(ctx, suite->sql, "conformance_news", &listener),
                              -RT_EUNIMPLEMENTED));
    CHECK(rt_conformance_code(ctx, "notify",
                              rt_sql_notify(ctx, suite->sql, "conformance_news", "x"),
                              -RT_EUNIMPLEMENTED));
    return rt_suite_alive(ctx, suite);
}

static const char *listen(rt_ctx *ctx, const rt_sql_suite *suite, const char *channel,
                          rt_sql_listener **listener)
{
    return rt_conformance_code(ctx, "listen", rt_sql_listen(ctx, suite->sql, channel, listener), 0);
}

static const char *notify(rt_ctx *ctx, const rt_sql_suite *suite, const char *channel,
                          const char *payload)
{
    return rt_conformance_code(ctx, "notify", rt_sql_notify(ctx, suite->sql, channel, payload), 0);
}

static const char *expect(rt_ctx *ctx, const rt_sql_suite *suite, rt_sql_listener *listener,
                          const char *channel, const char *payload)
{
    rt_sql_notification news = {.size = sizeof news};
    CHECK(
        rt_conformance_code(ctx, "notified", rt_sql_notified(ctx, suite->sql, listener, &news), 0));
    if (news.channel && strcmp(news.channel, channel) == 0 && strcmp(news.payload, payload) == 0)
        return news.process ? NULL : "a notification has no process";
    return rt_format(ctx, "`%.60s` on `%s` instead of `%.60s` on `%s`", news.payload,
                     news.channel ? news.channel : "(gap)", payload, channel);
}

/* --- what is delivered ----------------------------------------------------------------------- */

static const char *payloads(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    rt_sql_listener *listener;
    if (suite->dialect != RT_SQL_POSTGRES)
        return refused(ctx, suite);
    char *large = rt_alloc(ctx, 8000);
    memset(large, 'p', 7999);
    const char *const sent[] = {
        "plain", "",    "it's \"quoted\" \\ $1; DROP TABLE x; --", "\xe2\x82\xac\n\t\x01",
        large,   "last"};
    CHECK(listen(ctx, suite, "conformance_news", &listener));
    for (size_t i = 0; i < COUNT_OF(sent); i++)
        CHECK(notify(ctx, suite, "conformance_news", sent[i]));
    for (size_t i = 0; i < COUNT_OF(sent); i++)
        CHECK(expect(ctx, suite, listener, "conformance_news", sent[i]));
    CHECK(rt_conformance_code(ctx, "unlisten", rt_sql_unlisten(ctx, suite->sql, listener), 0));
    return rt_suite_alive(ctx, suite);
}

static const char *channels(rt_ctx *ctx, void *subject)
{
    static const char *const names[] = {"conformance_news", "Conformance_News",
                                        "conformance \"x\"; --", "conformance\xc3\xa9"};
    const rt_sql_suite *suite = subject;
    rt_sql_listener *listeners[COUNT_OF(names)], *twin;
    if (suite->dialect != RT_SQL_POSTGRES)
        return refused(ctx, suite);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        CHECK(listen(ctx, suite, names[i], &listeners[i]));
    CHECK(listen(ctx, suite, names[0], &twin));
    for (size_t i = COUNT_OF(names); i-- > 0;)
        CHECK(notify(ctx, suite, names[i], names[i]));
    for (size_t i = 0; i < COUNT_OF(names); i++)
        CHECK(expect(ctx, suite, listeners[i], names[i], names[i]));
    CHECK(expect(ctx, suite, twin, names[0], names[0]));
    CHECK(rt_conformance_code(ctx, "unlisten", rt_sql_unlisten(ctx, suite->sql, twin), 0));
    CHECK(notify(ctx, suite, names[0], "again"));
    return expect(ctx, suite, listeners[0], names[0], "again");
}

static int notify_inside(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    TELL(story, notify(ctx, story->suite, "conformance_news", story->number ? "undone" : "done"));
    return story->number ? rt_fail(ctx, RT_EOUT_OF_RANGE, "the work fails") : 0;
}

static const char *on_commit(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    rt_sql_story *story = rt_story_open(ctx, suite);
    rt_sql_listener *listener;
    if (suite->dialect != RT_SQL_POSTGRES)
        return refused(ctx, suite);
    CHECK(listen(ctx, suite, "conformance_news", &listener));
    for (story->number = 1; story->number >= 0; story->number--) {
        int code = rt_sql_tx(ctx, suite->sql, notify_inside, story);
        CHECK(story->complaint);
        CHECK(
            rt_conformance_code(ctx, "a transaction", code, story->number ? -RT_EOUT_OF_RANGE : 0));
    }
    return expect(ctx, suite, listener, "conformance_news", "done");
}

/* --- waiting --------------------------------------------------------------------------------- */

static int await_news(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    rt_sql_notification news = {.size = sizeof news};
    rt_set_deadline(ctx, rt_now() + RT_MS(50));
    return rt_sql_notified(ctx, story->suite->sql, story->more, &news);
}

static const char *waiting(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    rt_sql_story *story = rt_story_open(ctx, suite);
    rt_sql_listener *listener;
    if (suite->dialect != RT_SQL_POSTGRES)
        return refused(ctx, suite);
    CHECK(listen(ctx, suite, "conformance_news", &listener));
    story->more = listener;
    for (int i = 0; i < 3; i++)
        CHECK(rt_conformance_code(ctx, "a wait for nothing", rt_run(ctx, await_news, story),
                                  -RT_EDEADLINE));
    CHECK(notify(ctx, suite, "conformance_news", "late"));
    return expect(ctx, suite, listener, "conformance_news", "late");
}

static int listen_and_leave(rt_ctx *ctx, void *argument)
{
    rt_sql_story *story = argument;
    rt_sql_listener *listener;
    TELL(story, listen(ctx, story->suite, "conformance_news", &listener));
    TELL(story, notify(ctx, story->suite, "conformance_news", "unread"));
    return 0;
}

static const char *abandoned(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    rt_sql_story *story = rt_story_open(ctx, suite);
    if (suite->dialect != RT_SQL_POSTGRES)
        return refused(ctx, suite);
    for (uint32_t i = 0; i < suite->connections + 10; i++)
        CHECK(rt_conformance_code(ctx, "a listener", rt_run(ctx, listen_and_leave, story), 0));
    CHECK(story->complaint);
    return rt_suite_alive(ctx, suite);
}

static const rt_conformance_case cases[] = {
    {"notifications come in order, with their payload", payloads},
    {"channels are told apart, whatever stands in their names", channels},
    {"a notification comes when its transaction commits, and else never", on_commit},
    {"a wait for a notification ends at its deadline, and the next one is not lost", waiting},
    {"listeners that are abandoned hold nothing", abandoned},
};
const rt_sql_area rt_sql_notifications_area = {cases, COUNT_OF(cases)};
