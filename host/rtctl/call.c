/* rtctl call: a capability method of a running rtd, with JSON in and out. */
#include "rtctl/rtctl.h"

#include "base/reason.h"
#include "config/quantity.h"
#include "process/call.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct calling {
    const char *socket, *instance, *timeout, *worker;
    bool list, describe;
    const char *method, *json;
    rt_buffer input; /* of standard input */
    size_t length;   /* of the JSON */
};

static bool complain(const rt_arguments *arguments, const char *format, const char *subject)
{
    fprintf(stderr, "%s: ", arguments->program);
    fprintf(stderr, format, subject);
    fputc('\n', stderr);
    return false;
}

static bool read_input(const rt_arguments *arguments, struct calling *calling)
{
    ssize_t got = 1;
    while (got && calling->input.length <= RT_FORM_JSON_MOST) {
        rt_buffer_reserve(&calling->input, 65536);
        got = read(STDIN_FILENO, calling->input.data + calling->input.length, 65536);
        if (got < 0 && errno != EINTR)
            return complain(arguments, "cannot read the JSON: %s", rt_reason(errno));
        calling->input.length += got > 0 ? (size_t)got : 0;
    }
    calling->json = calling->input.data;
    calling->length = calling->input.length;
    return true;
}

static bool take_json(const rt_arguments *arguments, struct calling *calling)
{
    if (!calling->json)
        return true;
    calling->length = strlen(calling->json);
    if (strcmp(calling->json, "-") == 0 && !read_input(arguments, calling))
        return false;
    if (calling->length > RT_FORM_JSON_MOST)
        return complain(arguments, "the JSON has more than %s", "1 MiB");
    return true;
}

static bool add_timeout(const rt_arguments *arguments, const struct calling *calling,
                        rt_buffer *line)
{
    int64_t timeout = 0;
    const char *problem = calling->timeout ? rt_parse_duration(calling->timeout, &timeout) : NULL;
    if (problem)
        return complain(arguments, "option `--timeout`: %s", problem);
    if (calling->timeout && (timeout <= 0 || (uint64_t)timeout > RT_CALL_TIMEOUT_MOST))
        return complain(arguments, "option `--timeout`: %s", "from 1 ns to 1 d");
    if (calling->timeout)
        rt_buffer_format(line, " timeout=%" PRId64, timeout);
    return true;
}

static bool add_worker(const rt_arguments *arguments, const struct calling *calling,
                       rt_buffer *line)
{
    const char *worker = calling->worker;
    char *end = NULL;
    if (!worker)
        return true;
    unsigned long number = strtoul(worker, &end, 10);
    if (*worker < '1' || *worker > '9' || *end || number > UINT32_MAX)
        return complain(arguments, "a worker is a number, not `%s`", worker);
    rt_buffer_format(line, " worker=%lu", number);
    return true;
}

static bool add_instance(const rt_arguments *arguments, const struct calling *calling,
                         rt_buffer *line)
{
    const char *instance = calling->instance;
    if (instance && !rt_is_word(instance, false))
        return complain(arguments, "`%s` is no instance", instance);
    if (instance)
        rt_buffer_format(line, " instance=%s", instance);
    return true;
}

static bool add_method(const rt_arguments *arguments, const struct calling *calling,
                       rt_buffer *line)
{
    const char *point = strrchr(calling->method, '.');
    if (!point || point == calling->method || !point[1] || !rt_is_word(calling->method, false))
        return complain(arguments, "`%s` is not CAPABILITY.METHOD, such as `email.send`",
                        calling->method);
    rt_buffer_format(line, "call %s", calling->method);
    return true;
}

static bool make_request(const rt_arguments *arguments, struct calling *calling, rt_buffer *line)
{
    if (calling->list) {
        rt_buffer_text(line, "call list");
        if (!add_worker(arguments, calling, line))
            return false;
    } else if (!add_method(arguments, calling, line) || !take_json(arguments, calling) ||
               !add_timeout(arguments, calling, line) || !add_worker(arguments, calling, line) ||
               !add_instance(arguments, calling, line)) {
        return false;
    }
    if (calling->describe)
        rt_buffer_text(line, " describe");
    else if (calling->json)
        rt_buffer_format(line, " json=%zu", calling->length);
    rt_buffer_char(line, '\n');
    if (calling->json && !calling->describe)
        rt_buffer_add(line, calling->json, calling->length);
    return true;
}

static void wipe(rt_buffer *buffer)
{
    if (buffer->data)
        explicit_bzero(buffer->data, buffer->capacity);
    rt_buffer_free(buffer);
}

static int call(rt_arguments *arguments, rt_arena *arena, struct calling *calling)
{
    rt_buffer line = {0};
    int status = EXIT_COULD_NOT_RUN;
    if (make_request(arguments, calling, &line))
        status = rt_ask_line(arguments, arena, calling->socket, &line);
    wipe(&line);
    wipe(&calling->input);
    return status;
}

int rt_ask_call(const rt_subcommand *subcommand, rt_arena *arena, int argc, char **argv)
{
    struct calling calling = {0};
    int status;
    const rt_option_argument options[] = {
        {"--list", RT_ARGUMENT_FLAG, &calling.list, NULL, "list what can be called"},
        {"--describe", RT_ARGUMENT_FLAG, &calling.describe, NULL,
         "say what the method takes and returns"},
        {"--instance", RT_ARGUMENT_TEXT, &calling.instance, "NAME",
         "the provider to call; else the one that consumers are bound to"},
        {"--worker", RT_ARGUMENT_TEXT, &calling.worker, "NUMBER",
         "the worker to call it in; else the first"},
        {"--timeout", RT_ARGUMENT_TEXT, &calling.timeout, "DURATION",
         "how long it may take, such as \"2 s\"; else 30 s"},
        {"--socket", RT_ARGUMENT_TEXT, &calling.socket, "PATH",
         "the control socket of the rtd meant"},
    };
    rt_arguments arguments = {.options = options,
                              .option_count = sizeof options / sizeof options[0]};
    if (!rt_subcommand_parse(subcommand, &arguments, arena, argc, argv, 2, &status))
        return status;
    if (arguments.words.count == (calling.list ? 0 : 1))
        calling.json = NULL;
    else if (arguments.words.count == 2 && !calling.list)
        calling.json = arguments.words.items[1];
    else
        return rt_subcommand_misused(subcommand);
    if (!calling.list)
        calling.method = arguments.words.items[0];
    return call(&arguments, arena, &calling);
}
