/* A plugin that says everything a plugin can say of itself; manifest_test.c reads it. */
#include <rt/rt.h>

#include <rt/cap/clock.h>
#include <rt/cap/email.h>
#include <rt/cap/sql.h>

#define SAMPLE_LISTENER_METHODS(M) \
    M(sample_listener, told, RT_WAITS | RT_IDEMPOTENT, (const char *, what))
#define RT_METHODS_sample_listener RT_METHOD_NAMES(SAMPLE_LISTENER_METHODS) RT_MANY
RT_CAPABILITY_MANY(sample_listener, 3, SAMPLE_LISTENER_METHODS)

RT_MODULE("manifest_sample", "2.1.0-rc.1", "Says everything – in UTF-8",
          RT_DEVELOPMENT_ONLY RT_PROCESS_LOCAL)
RT_SERVES(routes, services)
RT_SERVES(jobs, events)
RT_ENABLED_IN(development, staging)
RT_STACK_SIZE(64 * 1024)
RT_SLICE("sample_data")
RT_PUBLISHES("order.placed", "orders.placed.v2", 2)
RT_HANDLES("invoice.paid", 1)
RT_DEVELOPMENT_ONLY_WHEN("path", ":memory:")
RT_DEVELOPMENT_ONLY_WHEN("tls.verify", "false")
RT_PROCESS_LOCAL_WHEN("path", ":memory:")

RT_PROVIDES(email, 1, fallback, -5, RT_DEVELOPMENT_ONLY RT_PROCESS_LOCAL)
RT_REQUIRES(clock, 1, RT_RAW)
RT_OPTIONAL(sample_listener, 3)
RT_REQUIRES(sql, 1)

RT_OPTION(string, from, RT_REQUIRED RT_RANGE(1, 200), "Sender")
RT_OPTION(int, port, RT_DEFAULT(587) RT_RANGE(1, 65535), "Port")
RT_OPTION(float, ratio, RT_DEFAULT(0.5) RT_RANGE(0.0, 1.0), "Ratio")
RT_OPTION(bool, verbose, RT_DEFAULT(false), "Say more")
RT_OPTION(enum, mode, RT_DEFAULT("starttls") RT_VALUES(plain, starttls, tls), "Mode")
RT_OPTION(duration, wait, RT_DEFAULT("250 ms") RT_RANGE("1 ms", "1 h"), "Wait")
RT_OPTION(size, most, RT_DEFAULT("1 MiB") RT_RANGE(1 KiB, ), "Most")
RT_OPTION(url, endpoint, , "Where")
RT_OPTION(address, listen, RT_DEFAULT("127.0.0.1:25"), "Address")
RT_OPTION(path, path, RT_VALUES(":memory:") RT_READ RT_WRITE, "File")
RT_OPTION(secret, password, RT_REQUIRED_WITH(user), "Password")
RT_OPTION(string, user, , "User")
RT_OPTION(string, token_name, RT_NOT_SECRET, "Not the token")
RT_OPTION(list, hosts, RT_OF(string) RT_DEFAULT([ "a", "b" ]), "Hosts")
RT_OPTION(list, rules, RT_OF(group) RT_FIELD(string, role, RT_REQUIRED, "Role"), "Rules")
RT_OPTION(group, tls,
          RT_FIELD(bool, verify, RT_DEFAULT(true), "Verify")
              RT_FIELD(enum, least, RT_VALUES(1.2, 1.3), "Least version"),
          "TLS")
RT_OPTION(map, keys, RT_RANGE(0, 8) RT_FIELD(path, file, RT_READ, "File"), "Keys")

static int send(rt_ctx *ctx, const rt_email *message, rt_email_result *result)
{
    (void)ctx, (void)message, (void)result;
    return 0;
}

static int work(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    int64_t now;
    (void)request, (void)response;
    for (uint32_t i = 0; i < rt_count(ctx, sample_listener); i++)
        RT_TRY(rt_sample_listener_told(ctx, sample_listener, i, RT_GET(ctx, from)));
    return rt_clock_now(ctx, rt_clock, &now);
}

RT_REGISTER(registry)
{
    RT_TRY(rt_provide(registry, email, .send = send));
    return rt_route(registry, RT_GET, "/", work);
}
