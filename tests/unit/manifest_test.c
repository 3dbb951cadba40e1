#include "harness.h"
#include "manifest/manifest.h"

#include <stdlib.h>
#include <string.h>

static rt_arena arena;
static rt_diagnostics diagnostics;
static const rt_manifest *sample;

static const rt_manifest *read_sample(void)
{
    if (!sample) {
        rt_diagnostics_init(&diagnostics, &arena);
        sample = rt_manifest_read(&arena, &diagnostics, SAMPLE);
        for (size_t i = 0; i < diagnostics.count; i++)
            printf("%s\n", diagnostics.items[i]->message);
    }
    return sample;
}

static const rt_option_spec *option(const char *name)
{
    const rt_manifest *manifest = read_sample();
    for (size_t i = 0; manifest && i < manifest->option_count; i++)
        if (strcmp(manifest->options[i].name, name) == 0)
            return &manifest->options[i];
    printf("no option %s\n", name);
    exit(1);
}

#define SAME(text, expected)                             \
    do {                                                 \
        const char *text_ = (text);                      \
        CU_ASSERT(text_ &&strcmp(text_, expected) == 0); \
    } while (0)

static void module_line(void)
{
    const rt_manifest *manifest = read_sample();
    CU_ASSERT(manifest && diagnostics.count == 0);
    if (!manifest)
        return;
    SAME(manifest->file, SAMPLE);
    SAME(manifest->name, "manifest-sample");
    SAME(manifest->version, "2.1.0-rc.1");
    SAME(manifest->summary, "Says everything – in UTF-8");
    CU_ASSERT(manifest->abi_major == RT_ABI_MAJOR && manifest->abi_minor == RT_ABI_MINOR);
    CU_ASSERT(manifest->development_only && manifest->process_local);
    CU_ASSERT(manifest->serves ==
              (RT_SERVES_ROUTES | RT_SERVES_SERVICES | RT_SERVES_JOBS | RT_SERVES_EVENTS));
    CU_ASSERT(manifest->enabled_in == (1u << RT_DEVELOPMENT | 1u << RT_STAGING));
    CU_ASSERT(manifest->stack_size == 65536);
    SAME(manifest->slice, "sample-data");
    CU_ASSERT(manifest->build_id && strlen(manifest->build_id) == 40);
}

static void events_and_conditions(void)
{
    const rt_manifest *manifest = read_sample();
    CU_ASSERT(manifest && manifest->publishes_count == 1 && manifest->handles_count == 1 &&
              manifest->condition_count == 3);
    if (!manifest || manifest->condition_count != 3)
        return;
    SAME(manifest->publishes[0].topic, "order.placed");
    SAME(manifest->publishes[0].wire, "orders.placed.v2");
    CU_ASSERT(manifest->publishes[0].version == 2);
    SAME(manifest->handles[0].topic, "invoice.paid");
    CU_ASSERT(manifest->handles[0].version == 1 && !manifest->handles[0].wire);
    SAME(manifest->conditions[0].path, "path");
    SAME(manifest->conditions[0].equals, ":memory:");
    CU_ASSERT(!manifest->conditions[0].process_local && manifest->conditions[1].process_local);
    SAME(manifest->conditions[1].path, "path");
    SAME(manifest->conditions[2].path, "tls.verify");
}

static void provided(void)
{
    const rt_manifest *manifest = read_sample();
    CU_ASSERT(manifest && manifest->provides_count == 1);
    if (!manifest || manifest->provides_count != 1)
        return;
    const rt_provides *provides = &manifest->provides[0];
    SAME(provides->capability, "email");
    CU_ASSERT(provides->major == 1 && provides->tier == RT_TIER_FALLBACK &&
              provides->priority == -5);
    CU_ASSERT(provides->development_only && provides->process_local && !provides->many);
    CU_ASSERT(provides->method_count == 2);
    SAME(provides->methods[0].name, "send");
    SAME(provides->methods[1].name, "send_batch");
    CU_ASSERT(provides->methods[0].waits && !provides->methods[0].idempotent);
    SAME(rt_tier_name(provides->tier), "fallback");
}

static const rt_requires *required(const char *capability)
{
    const rt_manifest *manifest = read_sample();
    for (size_t i = 0; manifest && i < manifest->requires_count; i++)
        if (strcmp(manifest->requires[i].capability, capability) == 0)
    return &manifest->requires[i];
    printf("%s is not required\n", capability);
    exit(1);
}

static void requirements(void)
{
    const rt_requires *clock = required("clock"), *listener = required("sample-listener");
    CU_ASSERT(read_sample()->requires_count == 3);
    CU_ASSERT(clock->major == 1 && clock->raw && !clock->optional && !clock->many);
    CU_ASSERT(clock->method_count == 4 && clock->methods[0].idempotent && !clock->methods[0].waits);
    CU_ASSERT(listener->major == 3 && listener->optional && listener->many && !listener->raw);
    CU_ASSERT(listener->method_count == 1 && listener->methods[0].waits &&
              listener->methods[0].idempotent);
}

static void option_types(void)
{
    static const struct {
        const char *name;
        enum rt_setting_type type;
        const char *default_text, *least, *most;
    } options[] = {
        {"migrate", RT_SETTING_ENUM, NULL, NULL, NULL},
        {"from", RT_SETTING_STRING, NULL, "1", "200"},
        {"port", RT_SETTING_INT, "587", "1", "65535"},
        {"ratio", RT_SETTING_FLOAT, "0.5", "0.0", "1.0"},
        {"verbose", RT_SETTING_BOOL, "false", NULL, NULL},
        {"mode", RT_SETTING_ENUM, "\"starttls\"", NULL, NULL},
        {"wait", RT_SETTING_DURATION, "\"250 ms\"", "1 ms", "1 h"},
        {"most", RT_SETTING_SIZE, "\"1 MiB\"", "1 KiB", NULL},
        {"endpoint", RT_SETTING_URL, NULL, NULL, NULL},
        {"listen", RT_SETTING_ADDRESS, "\"127.0.0.1:25\"", NULL, NULL},
        {"path", RT_SETTING_PATH, NULL, NULL, NULL},
        {"password", RT_SETTING_SECRET, NULL, NULL, NULL},
        {"user", RT_SETTING_STRING, NULL, NULL, NULL},
        {"token_name", RT_SETTING_STRING, NULL, NULL, NULL},
        {"hosts", RT_SETTING_LIST, "[ \"a\", \"b\" ]", NULL, NULL},
        {"rules", RT_SETTING_LIST, NULL, NULL, NULL},
        {"tls", RT_SETTING_GROUP, NULL, NULL, NULL},
        {"keys", RT_SETTING_MAP, NULL, "0", "8"},
    };
    size_t count = sizeof options / sizeof options[0];
    CU_ASSERT(read_sample() && read_sample()->option_count == count);
    for (size_t i = 0; i < count; i++) {
        const rt_option_spec *found = option(options[i].name);
        const char *pairs[][2] = {{found->default_text, options[i].default_text},
                                  {found->least, options[i].least},
                                  {found->most, options[i].most}};
        CU_ASSERT(found->type == options[i].type && found->help && *found->help);
        for (size_t k = 0; k < 3; k++) {
            bool same = pairs[k][0] && pairs[k][1] ? strcmp(pairs[k][0], pairs[k][1]) == 0
                                                   : !pairs[k][0] && !pairs[k][1];
            if (!same)
                printf("%s: `%s`, not `%s`\n", found->name, pairs[k][0], pairs[k][1]);
            CU_ASSERT(same);
        }
    }
}

static void option_attributes(void)
{
    CU_ASSERT(option("from")->required && !option("port")->required);
    CU_ASSERT(option("path")->read && option("path")->write && !option("from")->read);
    CU_ASSERT(option("token_name")->not_secret && !option("user")->not_secret);
    SAME(option("password")->required_with, "user");
    CU_ASSERT(option("mode")->value_count == 3);
    SAME(option("mode")->values[0], "plain");
    SAME(option("mode")->values[2], "tls");
    CU_ASSERT(option("hosts")->of == RT_SETTING_STRING);
}

static void fields(void)
{
    const rt_option_spec *tls = option("tls"), *rules = option("rules"), *keys = option("keys");
    CU_ASSERT(tls->field_count == 2 && rules->field_count == 1 && keys->field_count == 1);
    CU_ASSERT(rules->of == RT_SETTING_GROUP && rules->fields[0].required && !rules->required);
    SAME(tls->help, "TLS");
    SAME(tls->fields[0].name, "verify");
    SAME(tls->fields[0].default_text, "true");
    CU_ASSERT(tls->fields[0].type == RT_SETTING_BOOL && !tls->default_text);
    CU_ASSERT(tls->fields[1].type == RT_SETTING_ENUM && tls->fields[1].value_count == 2);
    SAME(tls->fields[1].values[0], "1.2");
    CU_ASSERT(keys->fields[0].read && !keys->read);
}

static void links(void)
{
    const rt_manifest *manifest = read_sample();
    rt_library_cache *cache = rt_library_cache_new(&arena);
    CU_ASSERT(manifest && manifest->needed_count > 0);
    for (int round = 0; manifest && round < 3; round++)
        CU_ASSERT(rt_manifest_check_links(cache, &diagnostics, manifest));
    CU_ASSERT(diagnostics.count == 0);
    rt_library_cache_close(cache);
}

/* With one cache, so that what one plugin found does not leak into the next. */
static void links_that_lack_something(void)
{
    static rt_symbol_version versions[] = {{"libc.so.6", "GLIBC_2.2.5", false},
                                           {"libc.so.6", "GLIBC_1.0", false},
                                           {"libc.so.6", "GLIBC_1.0", true}};
    static rt_undefined known[] = {{"malloc", &versions[0]}, {"getpid", NULL}};
    static rt_undefined unknown[] = {{"malloc", &versions[2]}, {"rt_no_such_symbol", NULL}};
    static const char *libc[] = {"libc.so.6"}, *absent[] = {"libc.so.6", "librt-absent.so.9"};
    const struct {
        rt_manifest manifest;
        size_t errors;
    } cases[] = {
        {{.file = "a.so",
          .needed = libc,
          .needed_count = 1,
          .undefined = known,
          .undefined_count = 2,
          .versions = versions,
          .version_count = 1},
         0},
        {{.file = "b.so", .undefined = known, .undefined_count = 2}, 0},
        {{.file = "c.so",
          .needed = libc,
          .needed_count = 1,
          .undefined = unknown,
          .undefined_count = 2},
         2},
        {{.file = "d.so",
          .needed = libc,
          .needed_count = 1,
          .versions = versions,
          .version_count = 3},
         1},
        {{.file = "e.so",
          .needed = absent,
          .needed_count = 2,
          .undefined = unknown,
          .undefined_count = 2},
         1},
    };
    rt_library_cache *cache = rt_library_cache_new(&arena);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rt_diagnostics found;
        rt_diagnostics_init(&found, &arena);
        CU_ASSERT(rt_manifest_check_links(cache, &found, &cases[i].manifest) == !cases[i].errors);
        CU_ASSERT(found.errors == cases[i].errors);
        for (size_t k = 0; k < found.count && found.errors != cases[i].errors; k++)
            printf("%s\n", found.items[k]->message);
    }
    rt_library_cache_close(cache);
}

static void any_alignment(void)
{
    rt_buffer file = {0};
    CU_ASSERT(rt_buffer_read_file(&file, SAMPLE, RT_PLUGIN_SIZE_LIMIT) == 0);
    for (size_t shift = 0; shift < 8; shift++) {
        char *moved = malloc(file.length + shift);
        memcpy(moved + shift, file.data, file.length);
        rt_diagnostics found;
        rt_diagnostics_init(&found, &arena);
        const rt_manifest *manifest =
            rt_manifest_parse(&arena, &found, "moved.so", moved + shift, file.length);
        memset(moved, 'x', file.length + shift); /* nothing may point into it any more */
        free(moved);
        CU_ASSERT(manifest && found.count == 0);
        if (manifest) {
            SAME(manifest->name, "manifest-sample");
            SAME(manifest->needed[manifest->needed_count - 1], "libc.so.6");
        }
    }
    rt_buffer_free(&file);
}

static void one_number_each(void)
{
    for (size_t i = 0; i < RT_DIAGNOSTIC_COUNT; i++)
        for (size_t k = 0; k < i; k++)
            CU_ASSERT(strcmp(rt_diagnostic_table[k].number, rt_diagnostic_table[i].number) != 0);
}

RT_TEST_MAIN("manifest", {"RT_MODULE and what goes with it are read", module_line},
             {"events and development-only conditions are read", events_and_conditions},
             {"RT_PROVIDES is read with tier, priority, flags and methods", provided},
             {"RT_REQUIRES and RT_OPTIONAL are read with raw and many", requirements},
             {"options of every type are read with defaults and ranges", option_types},
             {"attributes of options are read", option_attributes},
             {"fields of groups, lists and maps are read and keep their attributes", fields},
             {"the libraries and symbols of a sound plugin are found, time after time", links},
             {"a library, version or symbol that is not there is found missing",
              links_that_lack_something},
             {"a plugin is read from bytes at any alignment and none are kept", any_alignment},
             {"no two diagnostics have one number", one_number_each})
