#include "telemetry/log.h"

#include "base/redact.h"
#include "fiber/fiber.h"
#include "fiber/trace.h"
#include "telemetry/log_record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum format { PRETTY, JSON, JOURNAL, FORMATS };
static const char *const format_names[FORMATS] = {"pretty", "json", "journal"};

static struct {
    int fd;
    int journal; /* socket; -1: lines go to `fd` */
    enum format format;
    rt_log_style style;
    uint64_t lost; /* records that the journal did not take */
} output = {.fd = STDERR_FILENO, .journal = -1};

static uint64_t written_lines[RT_LOG_LEVEL_COUNT];

/* --- writing --------------------------------------------------------------------------------- */

static void write_line(const rt_log_record *record)
{
    rt_buffer line = {0};
    ssize_t written;
    (output.format == JSON ? rt_log_line_json : rt_log_line_pretty)(&line, &output.style, record);
    rt_redact(&line);
    do
        written = write(output.fd, line.data, line.length);
    while (written < 0 && errno == EINTR); /* any other failure has nowhere to be told */
    rt_buffer_free(&line);
}

/* What a journal that does not keep up did not take is told it when it takes something again. One
 * that is gone is no reason to be silent. */
static void write_journal(const rt_log_record *record)
{
    char text[80];
    int error = rt_journal_send(output.journal, &output.style, record);
    if (error == -EAGAIN || error == -ENOBUFS)
        __atomic_fetch_add(&output.lost, 1, __ATOMIC_RELAXED);
    else if (error)
        write_line(record);
    if (error)
        return;
    uint64_t lost = __atomic_exchange_n(&output.lost, 0, __ATOMIC_RELAXED);
    if (!lost)
        return;
    snprintf(text, sizeof text, "the journal did not take %llu record%s", (unsigned long long)lost,
             lost == 1 ? "" : "s");
    rt_log_record loss = {
        .time = record->time, .level = RT_LOG_WARN, .module = RT_LOG_HOST, .message = text};
    if (rt_journal_send(output.journal, &output.style, &loss) < 0)
        __atomic_fetch_add(&output.lost, lost, __ATOMIC_RELAXED);
}

static void write_record(const rt_log_record *record)
{
    (output.journal >= 0 ? write_journal : write_line)(record);
    __atomic_fetch_add(&written_lines[record->level], 1, __ATOMIC_RELAXED);
    rt_log_put(record);
}

/* --- opening --------------------------------------------------------------------------------- */

int rt_log_open_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
    return fd < 0 ? -errno : fd;
}

static bool wants_colour(int fd)
{
    const char *refused = getenv("NO_COLOR");
    return isatty(fd) && !(refused && *refused);
}

/* NULL: the first. FORMATS: there is none of this name. */
static int named(const char *name)
{
    int format = 0;
    while (name && format < FORMATS && strcmp(name, format_names[format]) != 0)
        format++;
    return format;
}

static void close_output(void)
{
    if (output.fd != STDERR_FILENO)
        close(output.fd);
    if (output.journal >= 0)
        close(output.journal);
}

static void settle_last(void)
{
    rt_log_settle(true);
}

static void use(const rt_log_options *options, enum format format, int fd)
{
    static bool settles;
    rt_log_settle(true);
    close_output();
    output.fd = format == JOURNAL ? STDERR_FILENO : fd;
    output.journal = format == JOURNAL ? fd : -1;
    output.format = format;
    output.style.colour = format == PRETTY && wants_colour(fd);
    snprintf(output.style.service, sizeof output.style.service, "%s",
             options->service ? options->service : "");
    rt_log_repeat_begin(options->repeat, write_record);
    if (!settles)
        atexit(settle_last);
    settles = true;
}

int rt_log_open(const rt_log_options *options)
{
    int level = options->level ? rt_log_level_named(options->level) : RT_LOG_INFO;
    int format = named(options->format), fd = -1;
    if (level < 0 || format == FORMATS)
        return -EINVAL;
    if (options->automatic && !options->file && rt_journal_is_at(STDERR_FILENO))
        fd = rt_journal_connect(options->journal);
    if (fd >= 0)
        format = JOURNAL;
    else if (format == JOURNAL)
        fd = rt_journal_connect(options->journal);
    else
        fd = options->file ? rt_log_open_file(options->file) : STDERR_FILENO;
    if (fd < 0)
        return fd;
    use(options, (enum format)format, fd);
    rt_log_level_begin((uint32_t)level);
    return 0;
}

int rt_log_reopen(int fd)
{
    bool has_file = output.fd != STDERR_FILENO;
    int error = has_file && dup3(fd, output.fd, O_CLOEXEC) < 0 ? -errno : 0;
    close(fd);
    return error;
}

int rt_log_descriptor(void)
{
    return output.fd;
}

bool rt_log_is_structured(void)
{
    return output.format != PRETTY;
}

/* --- one record ------------------------------------------------------------------------------ */

static void emit(const rt_ctx *ctx, uint32_t level, const char *message, const rt_field *fields,
                 uint64_t count)
{
    const rt_instance *instance = ctx ? ctx->instance : NULL;
    const rt_trace *trace = ctx ? rt_trace_of(ctx) : &(rt_trace){0};
    int saved = errno;
    rt_log_record record = {.level = level,
                            .module = instance && instance->name ? instance->name : RT_LOG_HOST,
                            .message = message,
                            .fields = fields,
                            .field_count = count,
                            .correlation = ctx ? rt_host_correlation_id(ctx) : NULL,
                            .version = instance ? instance->version : RT_VERSION,
                            .trace_high = trace->high,
                            .trace_low = trace->low,
                            .span = trace->parent,
                            .trace_flags = trace->flags};
    clock_gettime(CLOCK_REALTIME, &record.time);
    if (!rt_log_repeat_holds(&record))
        write_record(&record);
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
    emit(ctx, level, message.data, NULL, 0);
    rt_buffer_free(&message);
}

void rt_log_host(uint32_t level, const char *format, ...)
{
    if (!rt_log_is_heard(NULL, level))
        return;
    va_list arguments;
    va_start(arguments, format);
    emit_format(NULL, level, format, arguments);
    va_end(arguments);
}

int rt_host_log_enabled(const rt_ctx *ctx, uint32_t level)
{
    return rt_log_is_heard(ctx ? ctx->instance : NULL, level);
}

void rt_host_log(rt_ctx *ctx, uint32_t level, const char *format, ...)
{
    if (!rt_host_log_enabled(ctx, level))
        return;
    va_list arguments;
    va_start(arguments, format);
    emit_format(ctx, level, format, arguments);
    va_end(arguments);
}

void rt_host_log_fields(rt_ctx *ctx, uint32_t level, const rt_field *fields, uint64_t count,
                        const char *message)
{
    if (rt_host_log_enabled(ctx, level))
        emit(ctx, level, message ? message : "", fields, count);
}
