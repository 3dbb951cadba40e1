#include "telemetry/log.h"

#include "base/redact.h"
#include "fiber/fiber.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define OWN_LEVELS_MOST 32 /* modules with a level of their own */
#define HOST_NAME "rtd"    /* stands where a record of a module has the instance's name */

static const struct {
    const char *name;   /* in the configuration and in JSON */
    const char *pretty; /* five columns */
    const char *colour;
} levels[] = {
    [RT_LOG_TRACE] = {"trace", "TRACE", "\033[2m"},
    [RT_LOG_DEBUG] = {"debug", "DEBUG", "\033[34m"},
    [RT_LOG_INFO] = {"info", "INFO ", "\033[32m"},
    [RT_LOG_WARN] = {"warn", "WARN ", "\033[33m"},
    [RT_LOG_ERROR] = {"error", "ERROR", "\033[31m"},
    [RT_LOG_FATAL] = {"fatal", "FATAL", "\033[1;31m"},
};
enum { LEVEL_COUNT = sizeof levels / sizeof levels[0] };

static struct {
    int fd;
    uint32_t level;
    uint32_t least; /* of `level` and those of single modules */
    bool json, colour;
    char service[65];
    struct {
        char module[65];
        uint32_t level;
    } own[OWN_LEVELS_MOST];
    size_t own_count;
} output = {.fd = STDERR_FILENO, .level = RT_LOG_INFO, .least = RT_LOG_INFO};

static uint64_t written_lines[LEVEL_COUNT];

struct record {
    const rt_ctx *ctx;
    uint32_t level;
    const char *message;
    const rt_field *fields;
    uint64_t field_count;
};

static int level_named(const char *name)
{
    for (int i = 0; name && i < LEVEL_COUNT; i++)
        if (strcmp(name, levels[i].name) == 0)
            return i;
    return -EINVAL;
}

static int open_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
    return fd < 0 ? -errno : fd;
}

static bool wants_colour(int fd)
{
    const char *refused = getenv("NO_COLOR");
    return isatty(fd) && !(refused && *refused);
}

int rt_log_open(const rt_log_options *options)
{
    int level = options->level ? level_named(options->level) : RT_LOG_INFO;
    bool json = options->format && strcmp(options->format, "json") == 0;
    if (level < 0 || (options->format && !json && strcmp(options->format, "pretty") != 0))
        return -EINVAL;
    int fd = options->file ? open_file(options->file) : STDERR_FILENO;
    if (fd < 0)
        return fd;
    if (output.fd != STDERR_FILENO)
        close(output.fd);
    output.fd = fd;
    output.level = output.least = (uint32_t)level;
    output.own_count = 0;
    output.json = json;
    snprintf(output.service, sizeof output.service, "%s", options->service ? options->service : "");
    output.colour = !json && wants_colour(fd);
    return 0;
}

int rt_log_descriptor(void)
{
    return output.fd;
}

bool rt_log_is_enabled(uint32_t level)
{
    return level < LEVEL_COUNT && level >= output.least;
}

/* --- levels of single modules ---------------------------------------------------------------- */

static size_t own_index(const char *module)
{
    size_t i = 0;
    while (i < output.own_count && strcmp(output.own[i].module, module) != 0)
        i++;
    return i;
}

static void find_least(void)
{
    output.least = output.level;
    for (size_t i = 0; i < output.own_count; i++)
        if (output.own[i].level < output.least)
            output.least = output.own[i].level;
}

int rt_log_set_level(const char *name, const char *module)
{
    int level = level_named(name);
    if (level < 0)
        return -EINVAL;
    if (!module) {
        output.level = (uint32_t)level;
        output.own_count = 0;
    } else {
        size_t i = own_index(module);
        if (i == OWN_LEVELS_MOST || strlen(module) >= sizeof output.own[i].module)
            return -ENOSPC;
        strcpy(output.own[i].module, module);
        output.own[i].level = (uint32_t)level;
        output.own_count += i == output.own_count;
    }
    find_least();
    return 0;
}

/* The instance's level, else its module's, else everybody's. */
static uint32_t level_of(const rt_ctx *ctx)
{
    const rt_instance *instance = ctx ? ctx->instance : NULL;
    size_t i = own_index(instance && instance->name ? instance->name : HOST_NAME);
    if (i == output.own_count && instance && instance->module)
        i = own_index(instance->module);
    return i < output.own_count ? output.own[i].level : output.level;
}

static bool is_heard(const rt_ctx *ctx, uint32_t level)
{
    return rt_log_is_enabled(level) && (!output.own_count || level >= level_of(ctx));
}

bool rt_log_is_json(void)
{
    return output.json;
}

/* A record is one line: what would end it or steer a terminal is written as an escape. */
static void plain(rt_buffer *line, const char *text)
{
    for (const char *c = text; *c; c++) {
        if (*c == '\n')
            rt_buffer_text(line, "\\n");
        else if ((unsigned char)*c < 0x20 || *c == 0x7f)
            rt_buffer_format(line, "\\x%02x", (unsigned char)*c);
        else
            rt_buffer_char(line, *c);
    }
}

static bool needs_quotes(const char *text)
{
    return !*text || strpbrk(text, " \"=\n\r\t");
}

static void pretty_field(rt_buffer *line, const char *name, const char *text)
{
    rt_buffer_char(line, ' ');
    plain(line, name);
    rt_buffer_char(line, '=');
    if (!needs_quotes(text)) {
        plain(line, text);
        return;
    }
    rt_buffer_char(line, '"');
    rt_buffer_json(line, text, strlen(text));
    rt_buffer_char(line, '"');
}

static void json_string(rt_buffer *line, const char *text)
{
    rt_buffer_char(line, '"');
    rt_buffer_json(line, text, strlen(text));
    rt_buffer_char(line, '"');
}

static void json_member(rt_buffer *line, const char *name, const char *text)
{
    rt_buffer_format(line, ",\"%s\":", name);
    json_string(line, text);
}

static const char *module_of(const rt_ctx *ctx)
{
    return ctx && ctx->instance && ctx->instance->name ? ctx->instance->name : HOST_NAME;
}

static void write_pretty(rt_buffer *line, const struct record *record, const struct timespec *time)
{
    const char *off = output.colour ? "\033[0m" : "";
    struct tm local;
    localtime_r(&time->tv_sec, &local);
    rt_buffer_format(line, "%02d:%02d:%02d.%03ld %s%s%s %-7s ", local.tm_hour, local.tm_min,
                     local.tm_sec, time->tv_nsec / 1000000,
                     output.colour ? levels[record->level].colour : "",
                     levels[record->level].pretty, off, module_of(record->ctx));
    plain(line, record->message);
    for (uint64_t i = 0; i < record->field_count; i++) {
        const rt_field *field = &record->fields[i];
        if (field->text)
            pretty_field(line, field->name, field->text);
        else
            rt_buffer_format(line, " %s=%lld", field->name, (long long)field->integer);
    }
    if (record->ctx)
        pretty_field(line, "correlation", rt_host_correlation_id(record->ctx));
    rt_buffer_char(line, '\n');
}

static void json_fields(rt_buffer *line, const rt_field *fields, uint64_t count)
{
    rt_buffer_text(line, ",\"fields\":{");
    for (uint64_t i = 0; i < count; i++) {
        if (i)
            rt_buffer_char(line, ',');
        json_string(line, fields[i].name);
        rt_buffer_char(line, ':');
        if (fields[i].text)
            json_string(line, fields[i].text);
        else
            rt_buffer_format(line, "%lld", (long long)fields[i].integer);
    }
    rt_buffer_char(line, '}');
}

static void write_json(rt_buffer *line, const struct record *record, const struct timespec *time)
{
    char stamp[sizeof "2026-01-01T00:00:00"];
    struct tm utc;
    gmtime_r(&time->tv_sec, &utc);
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &utc);
    rt_buffer_format(line, "{\"time\":\"%s.%06ldZ\",\"level\":\"%s\",\"pid\":%d", stamp,
                     time->tv_nsec / 1000, levels[record->level].name, (int)getpid());
    if (*output.service)
        json_member(line, "service", output.service);
    json_member(line, "module", module_of(record->ctx));
    json_member(line, "message", record->message);
    if (record->ctx)
        json_member(line, "correlation.id", rt_host_correlation_id(record->ctx));
    if (record->field_count)
        json_fields(line, record->fields, record->field_count);
    rt_buffer_text(line, "}\n");
}

static void emit(const struct record *record)
{
    int saved = errno;
    rt_buffer line = {0};
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    (output.json ? write_json : write_pretty)(&line, record, &time);
    rt_redact(&line);
    ssize_t written;
    do
        written = write(output.fd, line.data, line.length);
    while (written < 0 && errno == EINTR); /* any other failure has nowhere to be told */
    rt_buffer_free(&line);
    __atomic_fetch_add(&written_lines[record->level], 1, __ATOMIC_RELAXED);
    errno = saved;
}

uint64_t rt_log_written(uint32_t level)
{
    return __atomic_load_n(&written_lines[level], __ATOMIC_RELAXED);
}

static void emit_format(const rt_ctx *ctx, uint32_t level, const char *format, va_list arguments)
{
    rt_buffer message = {0};
    rt_buffer_text(&message, "");
    rt_buffer_vformat(&message, format, arguments);
    emit(&(struct record){.ctx = ctx, .level = level, .message = message.data});
    rt_buffer_free(&message);
}

void rt_log_host(uint32_t level, const char *format, ...)
{
    if (!is_heard(NULL, level))
        return;
    va_list arguments;
    va_start(arguments, format);
    emit_format(NULL, level, format, arguments);
    va_end(arguments);
}

int rt_host_log_enabled(const rt_ctx *ctx, uint32_t level)
{
    return is_heard(ctx, level);
}

void rt_host_log(rt_ctx *ctx, uint32_t level, const char *format, ...)
{
    if (!is_heard(ctx, level))
        return;
    va_list arguments;
    va_start(arguments, format);
    emit_format(ctx, level, format, arguments);
    va_end(arguments);
}

void rt_host_log_fields(rt_ctx *ctx, uint32_t level, const rt_field *fields, uint64_t count,
                        const char *message)
{
    if (is_heard(ctx, level))
        emit(&(struct record){ctx, level, message ? message : "", fields, count});
}
