/* Log lines as they arrive in a file. */
#include "harness.h"

#include "base/redact.h"
#include "process/runtime.h"
#include "telemetry/log_record.h"
#include "telemetry/outlet.h"
#include "telemetry/record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char path[] = "/tmp/rt-log-test-XXXXXX";
static rt_buffer text;

static void open_log(const char *level, const char *format)
{
    CU_ASSERT_EQUAL(rt_log_open(&(rt_log_options){level, format, path}), 0);
    CU_ASSERT_EQUAL(truncate(path, 0), 0);
}

static const char *lines(void)
{
    text.length = 0;
    CU_ASSERT_EQUAL(rt_buffer_read_file(&text, path, 1 << 20), 0);
    return text.data ? text.data : "";
}

static void levels_filter(void)
{
    open_log("warn", "pretty");
    rt_log_host(RT_LOG_INFO, "quiet");
    rt_log_host(RT_LOG_WARN, "loud %d", 7);
    CU_ASSERT_PTR_NULL(strstr(lines(), "quiet"));
    CU_ASSERT_PTR_NOT_NULL(strstr(lines(), " WARN  rtd     loud 7\n"));
    CU_ASSERT_FALSE(rt_host_log_enabled(NULL, RT_LOG_INFO));
    CU_ASSERT_TRUE(rt_host_log_enabled(NULL, RT_LOG_FATAL));
    CU_ASSERT_FALSE(rt_host_log_enabled(NULL, 99));
}

static void one_module_can_have_a_level_of_its_own(void)
{
    rt_instance instance = {.name = "first", .module = "store"};
    rt_ctx ctx = {.instance = &instance};
    open_log("warn", "pretty");
    CU_ASSERT_EQUAL(rt_log_set_level("debug", "store"), 0);
    CU_ASSERT_TRUE(rt_host_log_enabled(&ctx, RT_LOG_DEBUG));
    CU_ASSERT_FALSE(rt_host_log_enabled(&ctx, RT_LOG_TRACE));
    CU_ASSERT_FALSE(rt_host_log_enabled(NULL, RT_LOG_DEBUG));
    rt_log_host(RT_LOG_INFO, "the host is quiet");
    CU_ASSERT_PTR_NULL(strstr(lines(), "the host is quiet"));
    CU_ASSERT_EQUAL(rt_log_set_level("error", "first"), 0); /* an instance beats its module */
    CU_ASSERT_FALSE(rt_host_log_enabled(&ctx, RT_LOG_WARN));
    CU_ASSERT_EQUAL(rt_log_set_level("trace", "rtd"), 0);
    rt_log_host(RT_LOG_TRACE, "the host is loud");
    CU_ASSERT_PTR_NOT_NULL(strstr(lines(), "the host is loud"));
    CU_ASSERT_EQUAL(rt_log_set_level("info", NULL), 0); /* ends all of them */
    CU_ASSERT_TRUE(rt_host_log_enabled(&ctx, RT_LOG_INFO));
    CU_ASSERT_FALSE(rt_host_log_enabled(&ctx, RT_LOG_DEBUG));
}

static void levels_of_modules_are_bounded_and_end_with_the_log(void)
{
    char name[80];
    open_log("warn", "pretty");
    CU_ASSERT_EQUAL(rt_log_set_level("loud", NULL), -EINVAL);
    CU_ASSERT_EQUAL(rt_log_set_level(NULL, NULL), -EINVAL);
    for (int i = 0; i < 32; i++) {
        snprintf(name, sizeof name, "module-%d", i);
        CU_ASSERT_EQUAL(rt_log_set_level("debug", name), 0);
        CU_ASSERT_EQUAL(rt_log_set_level("trace", name), 0);
    }
    CU_ASSERT_EQUAL(rt_log_set_level("debug", "one-more"), -ENOSPC);
    open_log("warn", "pretty");
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    CU_ASSERT_EQUAL(rt_log_set_level("debug", name), -ENOSPC);
    CU_ASSERT_FALSE(rt_log_is_enabled(RT_LOG_INFO));
}

static void no_text_can_forge_a_line(void)
{
    const rt_field fields[] = {
        {"who", "ann\n12:00:00.000 INFO  fake", 0}, {"n", NULL, -3}, {"m\033[31m", NULL, 4}};
    open_log("info", "pretty");
    rt_host_log_fields(NULL, RT_LOG_INFO, fields, 3, "one\ntwo\033[31m");
    const char *line = lines();
    CU_ASSERT_PTR_EQUAL(strchr(line, '\n'), line + strlen(line) - 1);
    CU_ASSERT_PTR_NULL(strchr(line, '\033'));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(line, "one\\ntwo\\x1b[31m who=\"ann\\n12:00:00.000 INFO  fake\" n=-3 m\\x1b[31m=4"));
}

/* Terminals begin a sequence with U+009B as they do with ESC and `[`. */
static void nor_can_it_with_the_controls_beyond_ascii(void)
{
    const rt_field fields[] = {{"a b", "\xc2\x9b 31m\xc2\xa0\xc3\xa9", 0}};
    const char *forms[] = {"pretty", "json"};
    const char *expected[] = {"\\x9b31m\xc3\xa9", "\\u009b31m\xc3\xa9"};
    for (size_t i = 0; i < 2; i++) {
        open_log("info", forms[i]);
        rt_host_log_fields(NULL, RT_LOG_INFO, fields, 1,
                           "\xc2\x9b"
                           "31m\xc3\xa9");
        const char *line = lines();
        CU_ASSERT_PTR_NULL(strstr(line, "\xc2\x9b"));
        CU_ASSERT_PTR_NOT_NULL(strstr(line, expected[i]));
        CU_ASSERT_PTR_NOT_NULL(strstr(line, "\\u009b 31m\xc2\xa0\xc3\xa9"));
    }
}

static void json_is_one_object_a_line(void)
{
    const rt_field fields[] = {{"sku", "a\"b\\c\n\x01\xff", 0}, {"count", NULL, INT64_MAX}};
    open_log("trace", "json");
    rt_host_log_fields(NULL, RT_LOG_ERROR, fields, 2, "it \"failed\"");
    const char *line = lines();
    CU_ASSERT_EQUAL(strncmp(line, "{\"time\":\"20", 11), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(line, "Z\",\"level\":\"error\",\"pid\":"));
    CU_ASSERT_PTR_NOT_NULL(strstr(line, "\"module\":\"rtd\",\"message\":\"it \\\"failed\\\"\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(line, "\"fields\":{\"sku\":\"a\\\"b\\\\c\\n\\u0001\xef\xbf\xbd\","
                                        "\"count\":9223372036854775807}}\n"));
}

/* As rt_log_line_… are called; what has no trace is unchanged, which the others show. */
static void a_trace_is_named_in_both_forms(void)
{
    rt_log_style style = {.service = "shop"};
    rt_log_record record = {.level = RT_LOG_INFO,
                            .module = "orders",
                            .message = "x",
                            .correlation = "c-1",
                            .trace_high = 0x0af7651916cd43dd,
                            .trace_low = 0x8448eb211c80319c,
                            .span = 0x00f067aa0ba902b7};
    text.length = 0;
    rt_log_line_json(&text, &style, &record);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(text.data, "\"message\":\"x\",\"trace_id\":\"0af7651916cd43dd8448eb211c80319c\","
                          "\"span_id\":\"00f067aa0ba902b7\",\"correlation.id\":\"c-1\"}"));
    text.length = 0;
    rt_log_line_pretty(&text, &style, &record);
    CU_ASSERT_PTR_NOT_NULL(strstr(text.data, " x trace=0af76519 correlation=c-1\n"));
    record.span = 0;
    text.length = 0;
    rt_log_line_json(&text, &style, &record);
    CU_ASSERT_PTR_NULL(strstr(text.data, "span_id"));
}

static void a_line_holds_no_secret(void)
{
    const rt_field fields[] = {{"reply", "bad \"pass-word-1\"", 0}};
    open_log("info", "json");
    rt_redact_add("\"pass-word-1\"");
    rt_host_log_fields(NULL, RT_LOG_INFO, fields, 1, "said \"pass-word-1\"");
    CU_ASSERT_PTR_NOT_NULL(
        strstr(lines(), "\"message\":\"said ***\",\"fields\":{\"reply\":\"bad ***\"}}"));
    open_log("info", "pretty");
    rt_host_log_fields(NULL, RT_LOG_INFO, fields, 1, "said \"pass-word-1\"");
    CU_ASSERT_PTR_NOT_NULL(strstr(lines(), "said *** reply=\"bad ***\"\n"));
    rt_redact_forget();
}

static bool is_text(rt_str found, const char *wanted)
{
    return found.length == strlen(wanted) && memcmp(found.data, wanted, found.length) == 0;
}

/* The record of the one message that waits in the socket. */
static bool take_record(int fd, rt_record_view *view)
{
    static char bytes[65536];
    ssize_t length = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    return length > (ssize_t)sizeof(rt_batch) &&
           rt_record_read(view, bytes + sizeof(rt_batch), (size_t)length - sizeof(rt_batch));
}

static void a_line_goes_to_the_exporter_as_a_record_without_secrets(void)
{
    const rt_field fields[] = {{"reply", "it is pass-word-1", 0}, {"attempt", NULL, 3}};
    rt_record_view view = {0};
    rt_span_note note = {0};
    int pair[2];
    CU_ASSERT_EQUAL(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    open_log("info", "json");
    rt_outlet_open(&(rt_outlet_options){.socket = pair[0], .logs = true});
    rt_redact_add("pass-word-1");
    rt_host_log_fields(NULL, RT_LOG_DEBUG, fields, 2, "not heard, not sent");
    rt_host_log_fields(NULL, RT_LOG_WARN, fields, 2, "refused: pass-word-1");
    CU_ASSERT_TRUE(take_record(pair[1], &view));
    CU_ASSERT_EQUAL(view.head.kind, RT_RECORD_LOG);
    CU_ASSERT_EQUAL(view.head.level, RT_LOG_WARN);
    CU_ASSERT_EQUAL(view.head.note_count, 2);
    CU_ASSERT_TRUE(is_text(view.texts[RT_TEXT_NAME], "refused: ***"));
    CU_ASSERT_TRUE(is_text(view.texts[RT_TEXT_MODULE], "rtd"));
    CU_ASSERT_TRUE(rt_record_next(&view, &note) && is_text(note.name, "reply"));
    CU_ASSERT_TRUE(is_text(note.text, "it is ***"));
    CU_ASSERT_TRUE(rt_record_next(&view, &note) && note.integer == 3);
    CU_ASSERT_FALSE(rt_record_next(&view, &note));
    CU_ASSERT_FALSE(take_record(pair[1], &view));
    rt_redact_forget();
    rt_outlet_open(&(rt_outlet_options){.socket = -1});
    close(pair[0]);
    close(pair[1]);
}

static void a_moved_file_is_followed_by_a_new_one(void)
{
    char moved[64];
    open_log("info", "pretty");
    snprintf(moved, sizeof moved, "%s.1", path);
    rt_log_host(RT_LOG_INFO, "before");
    CU_ASSERT_EQUAL(rename(path, moved), 0);
    rt_log_host(RT_LOG_INFO, "between");
    int fd = rt_log_open_file(path), descriptor = rt_log_descriptor();
    CU_ASSERT_TRUE(fd >= 0);
    CU_ASSERT_EQUAL(rt_log_reopen(fd), 0);
    CU_ASSERT_EQUAL(rt_log_descriptor(), descriptor);
    rt_log_host(RT_LOG_INFO, "after");
    CU_ASSERT_PTR_NOT_NULL(strstr(lines(), "after\n"));
    CU_ASSERT_PTR_NULL(strstr(text.data, "between"));
    text.length = 0;
    CU_ASSERT_EQUAL(rt_buffer_read_file(&text, moved, 1 << 20), 0);
    CU_ASSERT_TRUE(strstr(text.data, "before\n") && strstr(text.data, "between\n"));
    unlink(moved);
}

static void the_levels_in_force_can_be_shown(void)
{
    open_log("warn", "pretty");
    rt_log_set_level("debug", "store");
    rt_log_set_level("error", "rtd");
    text.length = 0;
    rt_log_levels(&text);
    CU_ASSERT_STRING_EQUAL(text.data, "warn\ndebug store\nerror rtd\n");
}

static void errno_survives(void)
{
    open_log("info", "json");
    errno = ENOTTY;
    rt_log_host(RT_LOG_INFO, "x");
    CU_ASSERT_EQUAL(errno, ENOTTY);
}

static void wrong_options_are_refused(void)
{
    CU_ASSERT_EQUAL(rt_log_open(&(rt_log_options){"loud", "json", NULL}), -EINVAL);
    CU_ASSERT_EQUAL(rt_log_open(&(rt_log_options){"info", "xml", NULL}), -EINVAL);
    CU_ASSERT_EQUAL(rt_log_open(&(rt_log_options){"info", "json", "/nowhere/at/all"}), -ENOENT);
}

/* A member left out of the table would be a call to address zero in some plugin. */
static void the_hosts_table_has_no_hole(void)
{
    void (*const *members)(void) = (void (*const *)(void)) & rt_host_table->unimplemented;
    size_t count = (sizeof(rt_host) - offsetof(rt_host, unimplemented)) / sizeof *members;
    size_t holes = 0;
    for (size_t i = 0; i < count; i++)
        holes += members[i] == NULL;
    CU_ASSERT_EQUAL(holes, 0);
    CU_ASSERT_TRUE(count > 50);
    CU_ASSERT_EQUAL(rt_host_table->size, sizeof(rt_host));
}

static void capability_names_match_with_either_dash(void)
{
    CU_ASSERT_TRUE(rt_capability_is("http_client", "http-client"));
    CU_ASSERT_TRUE(rt_capability_is("email", "email"));
    CU_ASSERT_FALSE(rt_capability_is("http_client", "http-clients"));
    CU_ASSERT_FALSE(rt_capability_is("emails", "email"));
    CU_ASSERT_FALSE(rt_capability_is("http-client", "http_client"));
}

static void finish(void)
{
    rt_log_open(&(rt_log_options){0});
    unlink(path);
    rt_buffer_free(&text);
}

__attribute__((constructor)) static void make_file(void)
{
    int fd = mkstemp(path);
    if (fd >= 0)
        close(fd);
}

RT_TEST_MAIN("log", {"levels filter", levels_filter},
             {"one module can have a level of its own", one_module_can_have_a_level_of_its_own},
             {"levels of modules are bounded and end with the log",
              levels_of_modules_are_bounded_and_end_with_the_log},
             {"no text can forge a line", no_text_can_forge_a_line},
             {"nor can it with the controls beyond ASCII",
              nor_can_it_with_the_controls_beyond_ascii},
             {"json is one object a line", json_is_one_object_a_line},
             {"a trace is named in both forms", a_trace_is_named_in_both_forms},
             {"a line holds no secret", a_line_holds_no_secret},
             {"a line goes to the exporter as a record without secrets",
              a_line_goes_to_the_exporter_as_a_record_without_secrets},
             {"a moved file is followed by a new one", a_moved_file_is_followed_by_a_new_one},
             {"the levels in force can be shown", the_levels_in_force_can_be_shown},
             {"errno survives a record", errno_survives},
             {"wrong options are refused", wrong_options_are_refused},
             {"the host's table has no hole", the_hosts_table_has_no_hole},
             {"capability names match with either dash", capability_names_match_with_either_dash},
             {"the log goes back to standard error", finish})
