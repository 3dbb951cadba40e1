/* The plan as bytes: nothing is lost on the way to a worker, and no bytes can hurt it. */
#include "harness.h"

#include "compose/plan.h"

#include <stdlib.h>
#include <string.h>

static rt_setting addresses[] = {
    {.type = RT_SETTING_ADDRESS, .value.text = "127.0.0.1:8080"},
    {.type = RT_SETTING_ADDRESS, .value.text = "[::1]:8080"},
};
static const rt_setting listens = {.type = RT_SETTING_LIST, .count = 2, .value.members = addresses};
static rt_setting members[] = {
    {.type = RT_SETTING_STRING, .name = "user", .value.text = "ann"},
    {.type = RT_SETTING_NONE, .name = "unset"},
    {.type = RT_SETTING_GROUP, .name = "deep", .count = 2, .value.members = addresses},
};
static rt_plan_option options[] = {
    {"secret", RT_SETTING_SECRET, {.type = RT_SETTING_SECRET, .value.text = "hunter2 \"\n"}},
    {"port", RT_SETTING_INT, {.type = RT_SETTING_INT, .value.integer = INT64_MIN}},
    {"ratio", RT_SETTING_FLOAT, {.type = RT_SETTING_FLOAT, .value.real = -0.125}},
    {"map", RT_SETTING_MAP, {.type = RT_SETTING_MAP, .count = 3, .value.members = members}},
    {"none", RT_SETTING_URL, {.type = RT_SETTING_NONE}},
};
static uint32_t one_provider[] = {0};
static rt_plan_binding bindings[] = {
    {.capability = "email",
     .major = 1,
     .optional = true,
     .many = true,
     .reason = "configured",
     .providers = one_provider,
     .provider_count = 1},
    {.capability = "sms", .major = 2, .raw = true},
};
static rt_plan_path paths[] = {{"/etc/shop", "templates", false}, {"shop.db", "file", true}};
static rt_plan_effect effects[] = {
    {.method = "send",
     .log = true,
     .metrics = true,
     .timeout = INT64_C(2000000000),
     .concurrency = 4,
     .queue = 9,
     .retry = {.max_attempts = 3, .delay = 5, .max_delay = 50, .factor = 1.5, RT_JITTER_EQUAL},
     .breaker = {.failures = 6,
                 .failure_rate = 0.25,
                 .minimum_calls = 7,
                 .window = 8,
                 .open_for = 10,
                 .probes = 2}},
    {.method = "send_batch", .trace = true, .retry = {.max_attempts = 1}},
};
static rt_plan_provides offers[] = {{"email", 1, RT_TIER_FALLBACK, effects, 2},
                                    {"sms", 2, RT_TIER_TEST}};
static rt_plan_instance instances[] = {
    {.name = "mail",
     .module = "email-smtp",
     .version = "1.2.3",
     .file = "/a/b.so",
     .lazy = true,
     .provides = offers,
     .provides_count = 2},
    {.name = "orders",
     .module = "orders",
     .version = "0.1",
     .file = "c.so",
     .snapshot = "/tmp/x/c.so",
     .root = true,
     .development_only = true,
     .acknowledged = true,
     .inspects = true,
     .serves = RT_SERVES_ROUTES | RT_SERVES_EVENTS,
     .stack_size = 65536,
     .needs = RT_NEEDS_EXECUTE | RT_NEEDS_FILES,
     .slice = "shop",
     .paths = paths,
     .path_count = 2,
     .bindings = bindings,
     .binding_count = 2,
     .options = options,
     .option_count = 5},
};
static const char *secrets[] = {"hunter2 \"\n", "a key"};
static rt_plan_level levels[] = {{"orders", "debug"}, {"rtd", "fatal"}};
static rt_plan_certificate certificates[] = {{"a chain", "a key"}, {"another", "its key"}};
static const rt_plan plan = {
    .environment = RT_STAGING,
    .secrets = secrets,
    .secret_count = 2,
    .documents = {[RT_DOCUMENT_CONFIG] = "[]"},
    .host = {.name = "shop",
             .workers = 4,
             .start_timeout = 1,
             .drain_timeout = 2,
             .shutdown_delay = 3,
             .finalizer_timeout = 4,
             .core_dumps = true,
             .user = "shop",
             .uid = 4000000000,
             .gid = -1,
             .limits = {13, INT64_C(1) << 40, 15},
             .sandbox = {.files = true},
             .http = {.listen = &listens,
                      .request_timeout = 5,
                      .header_timeout = 6,
                      .idle_timeout = 7,
                      .max_header = 8,
                      .max_body = 9,
                      .max_requests = 10,
                      .max_connections = 11,
                      .max_message = 13,
                      .ping_interval = 14,
                      .max_streams = 7,
                      .http2 = true,
                      .certificates = certificates,
                      .certificate_count = 2},
             .admin = {&listens},
             .health = {15, 16, "degraded"},
             .log = {"warn", "json", NULL, true, "/run/socket", 17, levels, 2},
             .pool = {12}},
    .instances = instances,
    .instance_count = 2,
};

/* The bytes in memory of exactly their size, so that a sanitizer sees any read beyond them. */
static rt_plan *unpack(rt_arena *arena, const char *bytes, size_t length)
{
    char *exact = malloc(length ? length : 1);
    memcpy(exact, bytes, length);
    rt_plan *result = rt_plan_unpack(arena, exact, length);
    free(exact);
    return result;
}

static void nothing_is_lost(void)
{
    rt_arena arena;
    rt_buffer once = {0}, twice = {0};
    rt_arena_init(&arena);
    rt_plan_pack(&once, &plan);
    rt_plan *copy = unpack(&arena, once.data, once.length);
    CU_ASSERT_PTR_NOT_NULL(copy);
    if (copy) {
        rt_plan_pack(&twice, copy);
        CU_ASSERT_EQUAL(once.length, twice.length);
        CU_ASSERT_EQUAL(memcmp(once.data, twice.data, once.length), 0);
    }
    rt_buffer_free(&once);
    rt_buffer_free(&twice);
    rt_arena_free(&arena);
}

static void expect_effects(const rt_plan_provides *offer)
{
    CU_ASSERT_EQUAL(offer->effect_count, 2);
    if (offer->effect_count != 2)
        return;
    const rt_plan_effect *send = &offer->effects[0], *batch = &offer->effects[1];
    CU_ASSERT_STRING_EQUAL(send->method, "send");
    CU_ASSERT_TRUE(send->log && !send->trace && send->metrics);
    CU_ASSERT_TRUE(!batch->log && batch->trace && !batch->metrics);
    CU_ASSERT_EQUAL(send->timeout, INT64_C(2000000000));
    CU_ASSERT_EQUAL(send->concurrency, 4);
    CU_ASSERT_EQUAL(send->queue, 9);
    CU_ASSERT_EQUAL(send->retry.max_delay, 50);
    CU_ASSERT_EQUAL(send->retry.factor, 1.5);
    CU_ASSERT_EQUAL(send->retry.jitter, RT_JITTER_EQUAL);
    CU_ASSERT_EQUAL(send->breaker.failure_rate, 0.25);
    CU_ASSERT_EQUAL(send->breaker.probes, 2);
    CU_ASSERT_EQUAL(batch->retry.max_attempts, 1);
}

static void members_have_their_values(void)
{
    rt_arena arena;
    rt_buffer bytes = {0};
    rt_arena_init(&arena);
    rt_plan_pack(&bytes, &plan);
    const rt_plan *copy = unpack(&arena, bytes.data, bytes.length);
    if (copy && copy->instance_count == 2) {
        const rt_plan_instance *orders = &copy->instances[1];
        CU_ASSERT_EQUAL(copy->environment, RT_STAGING);
        CU_ASSERT_EQUAL(copy->secret_count, 2);
        CU_ASSERT_STRING_EQUAL(copy->secrets[1], "a key");
        CU_ASSERT_EQUAL(copy->host.pool.threads, 12);
        CU_ASSERT_EQUAL(copy->host.http.max_connections, 11);
        CU_ASSERT_EQUAL(copy->host.http.max_streams, 7);
        CU_ASSERT_TRUE(copy->host.http.http2 && !copy->host.http.only_tls_1_3);
        CU_ASSERT_EQUAL(copy->host.http.certificate_count, 2);
        CU_ASSERT_STRING_EQUAL(copy->host.http.certificates[1].key, "its key");
        CU_ASSERT_EQUAL(copy->host.health.timeout, 16);
        CU_ASSERT_STRING_EQUAL(copy->host.health.fail_on, "degraded");
        CU_ASSERT_STRING_EQUAL(copy->host.admin.listen->value.members[1].value.text, "[::1]:8080");
        CU_ASSERT_EQUAL(copy->host.http.max_message, 13);
        CU_ASSERT_EQUAL(copy->host.http.ping_interval, 14);
        CU_ASSERT_PTR_NULL(copy->host.log.file);
        CU_ASSERT_TRUE(copy->host.log.automatic && copy->host.log.repeat == 17);
        CU_ASSERT_STRING_EQUAL(copy->host.log.journal, "/run/socket");
        CU_ASSERT_EQUAL(copy->host.log.level_count, 2);
        CU_ASSERT_STRING_EQUAL(copy->host.log.levels[1].module, "rtd");
        CU_ASSERT_STRING_EQUAL(copy->host.log.levels[1].level, "fatal");
        CU_ASSERT_TRUE(copy->host.core_dumps);
        CU_ASSERT_STRING_EQUAL(copy->host.http.listen->value.members[1].value.text, "[::1]:8080");
        CU_ASSERT_STRING_EQUAL(copy->host.user, "shop");
        CU_ASSERT_PTR_NULL(copy->host.group);
        CU_ASSERT_EQUAL(copy->host.uid, 4000000000);
        CU_ASSERT_EQUAL(copy->host.gid, -1);
        CU_ASSERT_EQUAL(copy->host.limits.memory, INT64_C(1) << 40);
        CU_ASSERT_EQUAL(copy->host.limits.processes, 15);
        CU_ASSERT_TRUE(copy->host.sandbox.files);
        CU_ASSERT_FALSE(copy->host.sandbox.system_calls);
        CU_ASSERT_TRUE(orders->inspects && !copy->instances[0].inspects);
        CU_ASSERT_STRING_EQUAL(copy->documents[RT_DOCUMENT_CONFIG], "[]");
        CU_ASSERT_PTR_NULL(copy->documents[RT_DOCUMENT_PLAN]);
        CU_ASSERT_EQUAL(orders->needs, RT_NEEDS_EXECUTE | RT_NEEDS_FILES);
        CU_ASSERT_STRING_EQUAL(orders->slice, "shop");
        CU_ASSERT_EQUAL(orders->path_count, 2);
        CU_ASSERT_STRING_EQUAL(orders->paths[1].path, "shop.db");
        CU_ASSERT_TRUE(orders->paths[1].write);
        CU_ASSERT_TRUE(copy->instances[0].lazy);
        CU_ASSERT_PTR_NULL(copy->instances[0].snapshot);
        CU_ASSERT_EQUAL(copy->instances[0].provides[1].tier, RT_TIER_TEST);
        CU_ASSERT_STRING_EQUAL(orders->snapshot, "/tmp/x/c.so");
        expect_effects(&copy->instances[0].provides[0]);
        CU_ASSERT_EQUAL(orders->bindings[0].providers[0], 0);
        CU_ASSERT_TRUE(orders->bindings[1].raw);
        CU_ASSERT_STRING_EQUAL(orders->options[0].value.value.text, "hunter2 \"\n");
        CU_ASSERT_EQUAL(orders->options[1].value.value.integer, INT64_MIN);
        CU_ASSERT_EQUAL(orders->options[2].value.value.real, -0.125);
        CU_ASSERT_STRING_EQUAL(orders->options[3].value.value.members[0].name, "user");
        CU_ASSERT_EQUAL(orders->options[4].value.type, RT_SETTING_NONE);
    }
    CU_ASSERT_TRUE(copy && copy->instance_count == 2);
    rt_buffer_free(&bytes);
    rt_arena_free(&arena);
}

static void truncated_bytes_are_refused(void)
{
    rt_arena arena;
    rt_buffer bytes = {0};
    size_t accepted = 0;
    rt_arena_init(&arena);
    rt_plan_pack(&bytes, &plan);
    for (size_t length = 0; length < bytes.length; length++) {
        accepted += unpack(&arena, bytes.data, length) != NULL;
        rt_arena_reset(&arena);
    }
    CU_ASSERT_EQUAL(accepted, 0);
    rt_buffer_char(&bytes, 'x');
    CU_ASSERT_PTR_NULL(unpack(&arena, bytes.data, bytes.length));
    rt_buffer_free(&bytes);
    rt_arena_free(&arena);
}

/* Any plan that comes out must be one that can be walked: packing walks all of it. */
static void walk(const rt_plan *made)
{
    rt_buffer out = {0};
    if (made)
        rt_plan_pack(&out, made);
    rt_buffer_free(&out);
}

static void changed_bytes_do_no_harm(void)
{
    static const unsigned char values[] = {0, 1, 0x7f, 0x80, 0xff};
    rt_arena arena;
    rt_buffer bytes = {0};
    size_t refused = 0;
    rt_arena_init(&arena);
    rt_plan_pack(&bytes, &plan);
    for (size_t at = 0; at < bytes.length; at++) {
        char kept = bytes.data[at];
        for (size_t i = 0; i < sizeof values; i++) {
            bytes.data[at] = (char)values[i];
            const rt_plan *made = unpack(&arena, bytes.data, bytes.length);
            refused += made == NULL;
            walk(made);
            rt_arena_reset(&arena);
        }
        bytes.data[at] = kept;
    }
    CU_ASSERT_TRUE(refused > bytes.length);
    rt_buffer_free(&bytes);
    rt_arena_free(&arena);
}

static void garbage_is_refused(void)
{
    char bytes[512];
    rt_arena arena;
    uint32_t state = 12345;
    rt_arena_init(&arena);
    for (int round = 0; round < 2000; round++) {
        for (size_t i = 0; i < sizeof bytes; i++) {
            state = state * 1664525u + 1013904223u;
            bytes[i] = (char)(state >> 24);
        }
        CU_ASSERT_PTR_NULL(unpack(&arena, bytes, sizeof bytes));
        rt_arena_reset(&arena);
    }
    rt_arena_free(&arena);
}

/* Settings inside settings: what a stack could not bear is refused, not followed. */
static void bottomless_settings_are_refused(void)
{
    enum { DEPTH = 100000 };
    rt_arena arena;
    rt_buffer bytes = {0};
    rt_arena_init(&arena);
    rt_setting *nest = calloc(DEPTH, sizeof *nest);
    rt_plan_option option = {"nest", RT_SETTING_LIST, {0}};
    rt_plan_instance instance = {.name = "a",
                                 .module = "a",
                                 .version = "1",
                                 .file = "a",
                                 .options = &option,
                                 .option_count = 1};
    rt_plan deep = {.instances = &instance, .instance_count = 1};
    for (int i = 0; nest && i < DEPTH; i++)
        nest[i] = (rt_setting){.type = RT_SETTING_LIST,
                               .count = i + 1 < DEPTH,
                               .value.members = i + 1 < DEPTH ? &nest[i + 1] : NULL};
    if (nest) {
        option.value = nest[DEPTH - 41];
        rt_plan_pack(&bytes, &deep);
        CU_ASSERT_PTR_NULL(unpack(&arena, bytes.data, bytes.length));
        bytes.length = 0;
        option.value = nest[DEPTH - 30];
        rt_plan_pack(&bytes, &deep);
        CU_ASSERT_PTR_NOT_NULL(unpack(&arena, bytes.data, bytes.length));
    }
    CU_ASSERT_PTR_NOT_NULL(nest);
    free(nest);
    rt_buffer_free(&bytes);
    rt_arena_free(&arena);
}

RT_TEST_MAIN("pack", {"nothing of a plan is lost", nothing_is_lost},
             {"each member has its value again", members_have_their_values},
             {"truncated bytes and surplus bytes are refused", truncated_bytes_are_refused},
             {"changed bytes do no harm", changed_bytes_do_no_harm},
             {"garbage is refused", garbage_is_refused},
             {"settings nested without end are refused", bottomless_settings_are_refused})
