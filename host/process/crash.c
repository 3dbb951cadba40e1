#include "process/crash.h"

#include "base/redact.h"
#include "telemetry/log.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- reading what was left ------------------------------------------------------------------- */

static void end_texts(rt_crash_area *area)
{
    rt_fiber_view *view = &area->view;
    area->thread_name[sizeof area->thread_name - 1] = '\0';
    view->fiber[sizeof view->fiber - 1] = '\0';
    view->instance[sizeof view->instance - 1] = '\0';
    view->module[sizeof view->module - 1] = '\0';
    view->correlation[sizeof view->correlation - 1] = '\0';
}

/* A bool that holds anything but 0 and 1 is undefined to read. */
static void settle_flags(rt_fiber_view *view)
{
    bool *flags[] = {&view->on_fiber, &view->blocking, &view->overflow};
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        unsigned char byte;
        memcpy(&byte, flags[i], 1);
        *flags[i] = byte == 1;
    }
}

/* More frames than a stack can have are no frames. */
static void settle_numbers(rt_crash_area *area)
{
    const uint32_t most_frames = 8u << 20;
    if (area->maps_length > sizeof area->maps)
        area->maps_length = 0;
    if (area->trace.total > most_frames)
        area->trace.total = 0;
}

static rt_crash_area *read_area(rt_arena *arena, int fd, pid_t pid)
{
    rt_crash_area *area = RT_NEW(arena, rt_crash_area);
    if (fd < 0 || pread(fd, area, sizeof *area, 0) != (ssize_t)sizeof *area ||
        area->magic != RT_CRASH_MAGIC || area->pid != (int32_t)pid || area->kind == RT_CRASH_NONE ||
        area->kind >= RT_CRASH_KIND_COUNT)
        return NULL;
    end_texts(area);
    settle_flags(&area->view);
    settle_numbers(area);
    return area;
}

/* --- whose fault it is ----------------------------------------------------------------------- */

/* The innermost frame that is of a module. */
static const char *module_of_frames(const rt_crash *crash)
{
    const rt_backtrace *trace = &crash->area->trace;
    for (uint32_t i = 0; i < trace->total && i < RT_CRASH_FIRST; i++) {
        rt_symbol symbol =
            rt_symbols_find(crash->symbols, trace->first[i].counter, trace->first[i].exact);
        const char *module = rt_module_of_file(crash->plan, symbol.file);
        if (module)
            return module;
    }
    return NULL;
}

static const char *find_module(const rt_crash *crash)
{
    const char *module = crash->area ? module_of_frames(crash) : NULL;
    if (!module && crash->area && *crash->area->view.module)
        module = crash->area->view.module;
    return module || !crash->has_entry ? module : crash->entry.module;
}

void rt_crash_read(rt_crash *crash, rt_arena *arena, int area)
{
    crash->arena = arena;
    crash->area = read_area(arena, area, crash->end.pid);
    crash->entry_number =
        crash->area && crash->area->view.entry ? crash->area->view.entry : crash->end.running;
    crash->has_entry = rt_board_entry(crash->board, crash->entry_number, &crash->entry);
    if (crash->area)
        crash->symbols = rt_symbols_new(arena, crash->area->maps, crash->area->maps_length);
    crash->module = find_module(crash);
}

void rt_crash_free(rt_crash *crash)
{
    if (crash->symbols)
        rt_symbols_free(crash->symbols);
}

bool rt_crash_is_one(const rt_crash *crash)
{
    return crash->area || crash->end.unasked || WIFSIGNALED(crash->end.status);
}

/* --- telling --------------------------------------------------------------------------------- */

static void describe_status(const rt_crash *crash, rt_buffer *text)
{
    const rt_end *end = &crash->end;
    int number = WTERMSIG(end->status);
    const char *name = WIFSIGNALED(end->status) ? sigabbrev_np(number) : NULL;
    if (end->cause == RT_END_LATE)
        rt_buffer_text(text, "did not answer in time and was killed");
    else if (end->cause == RT_END_STALLED)
        rt_buffer_format(text, "did not turn its loop for %.3g s and was killed",
                         (double)end->stalled / 1e9);
    else if (WIFSIGNALED(end->status))
        rt_buffer_format(text, "was ended by signal %d (SIG%s)", number, name ? name : "?");
    else
        rt_buffer_format(text, "ended with status %d", WEXITSTATUS(end->status));
    if (end->cause == RT_END_OWN && WIFSIGNALED(end->status) && number == SIGKILL)
        rt_buffer_text(text, end->out_of_memory
                                 ? " because memory ran out"
                                 : ", which the system also sends when memory runs out,");
}

static void describe_kind(const rt_crash *crash, rt_buffer *text)
{
    static const char *const kinds[RT_CRASH_KIND_COUNT] = {
        [RT_CRASH_EXIT] = ": exit() was called", [RT_CRASH_SANITIZER] = ": a sanitizer ended it"};
    const rt_crash_area *area = crash->area;
    if (area && kinds[area->kind])
        rt_buffer_text(text, kinds[area->kind]);
    if (area && area->view.overflow)
        rt_buffer_text(text, ", a stack overflow,");
}

static void describe_work(const rt_crash *crash, rt_buffer *text)
{
    if (crash->end.doing) {
        rt_buffer_format(text, " while %s", crash->end.doing);
    } else if (crash->has_entry) {
        rt_buffer_text(text, " while it ran `");
        rt_buffer_visible(text, crash->entry.name);
        rt_buffer_text(text, "` of `");
        rt_buffer_visible(text, crash->entry.instance);
        rt_buffer_char(text, '`');
    }
    if (crash->module && !crash->end.doing) {
        rt_buffer_text(text, ", in module `");
        rt_buffer_visible(text, crash->module);
        rt_buffer_char(text, '`');
    }
}

void rt_crash_describe(const rt_crash *crash, rt_buffer *text)
{
    rt_buffer_format(text, "worker %u (pid %d) ", crash->end.worker, (int)crash->end.pid);
    describe_status(crash, text);
    describe_kind(crash, text);
    describe_work(crash, text);
    if (text->data[text->length - 1] == ',')
        text->data[--text->length] = '\0';
}

#define MOST_FIELDS 16

struct fields {
    rt_field list[MOST_FIELDS];
    size_t count;
};

static void add_text(struct fields *fields, const char *name, const char *text)
{
    if (text && *text && fields->count < MOST_FIELDS)
        fields->list[fields->count++] = (rt_field){.name = name, .text = text};
}

static void add_number(struct fields *fields, const char *name, int64_t number)
{
    if (fields->count < MOST_FIELDS)
        fields->list[fields->count++] = (rt_field){.name = name, .integer = number};
}

static void add_area(struct fields *fields, const rt_crash *crash)
{
    const rt_crash_area *area = crash->area;
    if (area->kind == RT_CRASH_SIGNAL) {
        const char *name = sigabbrev_np(area->signal);
        add_text(fields, "signal", rt_arena_format(crash->arena, "SIG%s", name ? name : "?"));
        add_text(fields, "code", rt_signal_code_name(area->signal, area->code));
    }
    if (area->kind == RT_CRASH_SIGNAL && !area->sender)
        add_text(fields, "address",
                 rt_arena_format(crash->arena, "0x%jx", (uintmax_t)area->address));
    add_text(fields, "fiber", area->view.fiber);
    add_text(fields, "instance", area->view.instance);
    add_text(fields, "correlation.id", area->view.correlation);
    add_text(fields, "thread", area->thread_name);
}

/* JSON has the frames in a field; for people each is a line. */
static void log_crash(const rt_crash *crash, const char *sentence, const char *report)
{
    struct fields fields = {0};
    rt_buffer frames = {0};
    add_number(&fields, "worker", crash->end.worker);
    add_number(&fields, "worker.pid", crash->end.pid);
    add_text(&fields, "crash.module", crash->module);
    add_text(&fields, "entry", crash->has_entry ? crash->entry.name : NULL);
    if (crash->area) {
        add_area(&fields, crash);
        rt_crash_backtrace(&frames, crash->plan, crash->symbols, &crash->area->trace, "");
    }
    add_text(&fields, "report", report);
    if (rt_log_is_structured())
        add_text(&fields, "backtrace", frames.data);
    rt_host_log_fields(NULL, RT_LOG_ERROR, fields.list, fields.count, sentence);
    if (!rt_log_is_structured())
        rt_crash_log_lines(RT_LOG_ERROR, frames.data);
    rt_buffer_free(&frames);
}

void rt_crash_tell(const rt_crash *crash, const char *sentence)
{
    const rt_host_settings *host = &crash->plan->host;
    const char *folder = rt_crash_folder(crash->arena, host->crash.folder), *path = NULL;
    int error = 0;
    if (folder) {
        rt_buffer report = {0};
        rt_crash_report(crash, sentence, &report);
        rt_redact(&report);
        error = rt_crash_store(crash->arena, folder, (size_t)host->crash.keep, crash->end.pid,
                               &report, &path);
        rt_buffer_free(&report);
    }
    log_crash(crash, sentence, error ? NULL : path);
    if (error)
        rt_log_host(RT_LOG_WARN, "the crash report cannot be kept in `%s`: %s", folder,
                    strerror(-error));
}
