#include "process/crash.h"

#include "telemetry/log.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* --- names ----------------------------------------------------------------------------------- */

const char *rt_signal_code_name(int number, int code)
{
    static const struct {
        int number, code; /* number 0: of any signal */
        const char *name;
    } names[] = {
        {SIGSEGV, SEGV_MAPERR, "SEGV_MAPERR"},
        {SIGSEGV, SEGV_ACCERR, "SEGV_ACCERR"},
        {SIGBUS, BUS_ADRALN, "BUS_ADRALN"},
        {SIGBUS, BUS_ADRERR, "BUS_ADRERR"},
        {SIGBUS, BUS_OBJERR, "BUS_OBJERR"},
        {SIGFPE, FPE_INTDIV, "FPE_INTDIV"},
        {SIGFPE, FPE_INTOVF, "FPE_INTOVF"},
        {SIGFPE, FPE_FLTDIV, "FPE_FLTDIV"},
        {SIGFPE, FPE_FLTINV, "FPE_FLTINV"},
        {SIGILL, ILL_ILLOPC, "ILL_ILLOPC"},
        {SIGILL, ILL_ILLOPN, "ILL_ILLOPN"},
        {SIGILL, ILL_PRVOPC, "ILL_PRVOPC"},
        {0, SI_USER, "SI_USER"},
        {0, SI_TKILL, "SI_TKILL"},
        {0, SI_QUEUE, "SI_QUEUE"},
        {0, SI_KERNEL, "SI_KERNEL"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if ((names[i].number == number || names[i].number == 0) && names[i].code == code)
            return names[i].name;
    return NULL;
}

const char *rt_module_of_file(const rt_plan *plan, const char *file)
{
    for (size_t i = 0; plan && file && i < plan->instance_count; i++) {
        const char *copy = plan->instances[i].snapshot;
        if (copy && strcmp(copy, file) == 0)
            return plan->instances[i].module;
    }
    return NULL;
}

/* --- frames ---------------------------------------------------------------------------------- */

void rt_crash_frame(rt_buffer *text, const rt_plan *plan, const rt_symbol *symbol, uint64_t counter)
{
    const char *module = rt_module_of_file(plan, symbol->file);
    if (!symbol->file) {
        rt_buffer_format(text, "0x%jx", (uintmax_t)counter);
        return;
    }
    const char *slash = strrchr(symbol->file, '/');
    rt_buffer_visible(text, module ? module : slash ? slash + 1 : symbol->file);
    if (symbol->function) {
        rt_buffer_char(text, '!');
        rt_buffer_visible(text, symbol->function);
    }
    rt_buffer_format(text, "+0x%jx", (uintmax_t)symbol->offset);
    if (symbol->build_id)
        rt_buffer_format(text, " (build-id %s)", symbol->build_id);
}

struct printing {
    rt_buffer *text;
    const rt_plan *plan;
    rt_symbols *symbols;
    const char *begin;
};

static void print_frame(const struct printing *printing, const rt_frame *frame, uint32_t number)
{
    rt_symbol symbol = rt_symbols_find(printing->symbols, frame->counter, frame->exact);
    rt_buffer_format(printing->text, "%s#%u ", printing->begin, number);
    rt_crash_frame(printing->text, printing->plan, &symbol, frame->counter);
    rt_buffer_char(printing->text, '\n');
}

/* What recursed is told once. `frames` is a ring of `size`. */
static void print_frames(const struct printing *printing, const rt_frame *frames, uint32_t size,
                         uint32_t from, uint32_t to)
{
    for (uint32_t i = from, same; i < to; i += same) {
        const rt_frame *frame = &frames[i % size];
        print_frame(printing, frame, i);
        for (same = 1; i + same < to && frames[(i + same) % size].counter == frame->counter;)
            same++;
        if (same > 1)
            rt_buffer_format(printing->text, "%s… the same %u times more …\n", printing->begin,
                             same - 1);
    }
}

void rt_crash_backtrace(rt_buffer *text, const rt_plan *plan, rt_symbols *symbols,
                        const rt_backtrace *trace, const char *begin)
{
    struct printing printing = {text, plan, symbols, begin};
    uint32_t total = trace->total, kept = total < RT_CRASH_FIRST ? total : RT_CRASH_FIRST;
    uint32_t last = total > RT_CRASH_FIRST + RT_CRASH_LAST ? total - RT_CRASH_LAST : kept;
    print_frames(&printing, trace->first, RT_CRASH_FIRST, 0, kept);
    if (last > kept)
        rt_buffer_format(text, "%s… %u frames more …\n", begin, last - kept);
    print_frames(&printing, trace->last, RT_CRASH_LAST, last, total);
}

void rt_crash_log_lines(uint32_t level, char *text)
{
    for (char *next; (next = strsep(&text, "\n")) && *next;)
        rt_log_host(level, "  %s", next);
}

/* --- the report ------------------------------------------------------------------------------ */

static void line(rt_buffer *text, const char *name, const char *value)
{
    if (!value || !*value)
        return;
    rt_buffer_format(text, "%s: ", name);
    rt_buffer_visible(text, value);
    rt_buffer_char(text, '\n');
}

static void add_time(rt_buffer *text)
{
    char stamp[32];
    struct tm utc;
    time_t now = time(NULL);
    gmtime_r(&now, &utc);
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", &utc);
    line(text, "time", stamp);
}

static void add_signal(rt_buffer *text, const rt_crash_area *area)
{
    const char *name = sigabbrev_np(area->signal);
    const char *code = rt_signal_code_name(area->signal, area->code);
    rt_buffer_format(text, "signal: %d SIG%s, code %d%s%s%s\n", area->signal, name ? name : "?",
                     area->code, code ? " (" : "", code ? code : "", code ? ")" : "");
    if (area->sender)
        rt_buffer_format(text, "sent by: pid %d\n", area->sender);
    else
        rt_buffer_format(text, "address: 0x%jx\n", (uintmax_t)area->address);
}

static void add_view(rt_buffer *text, const rt_crash_area *area)
{
    line(text, "fiber", area->view.fiber);
    line(text, "instance", area->view.instance);
    line(text, "correlation id", area->view.correlation);
    line(text, "thread", area->thread_name);
    if (area->view.overflow)
        line(text, "stack overflow", "yes");
    if (area->view.blocking)
        line(text, "blocking call", "yes");
}

void rt_crash_report(const rt_crash *crash, const char *sentence, rt_buffer *text)
{
    const rt_crash_area *area = crash->area;
    rt_buffer_text(text, "rt crash report 1\n");
    add_time(text);
    line(text, "what", sentence);
    line(text, "service", crash->plan->host.name);
    line(text, "version", RT_VERSION);
    rt_buffer_format(text, "worker: %u\npid: %d\n", crash->end.worker, (int)crash->end.pid);
    line(text, "module", crash->module);
    line(text, "entry", crash->has_entry ? crash->entry.name : NULL);
    if (!area)
        return;
    if (area->kind == RT_CRASH_SIGNAL)
        add_signal(text, area);
    add_view(text, area);
    rt_buffer_text(text, "\nbacktrace:\n");
    rt_crash_backtrace(text, crash->plan, crash->symbols, &area->trace, "  ");
    rt_buffer_text(text, "\nfiles:\n");
    for (const char *next = area->maps, *end = next + area->maps_length; next < end;) {
        const char *stop = memchr(next, '\n', (size_t)(end - next));
        size_t length = (size_t)((stop ? stop : end) - next);
        rt_buffer_text(text, "  ");
        rt_buffer_visible(text, rt_arena_copy_n(crash->arena, next, length));
        rt_buffer_char(text, '\n');
        next += length + 1;
    }
}
