#include "rtctl/top_view.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEADING "\033[1m"
#define ALARM "\033[31m"
#define PLAIN "\033[0m"

struct view {
    rt_top_sample *before, *now;
    const rt_top_size *size;
    rt_buffer *out;
    double seconds; /* between the samples; 0: there is one */
    int lines;
};

/* --- lines ----------------------------------------------------------------------------------- */

static bool has_room(const struct view *view)
{
    return !view->size->rows || view->lines < view->size->rows;
}

/* How many bytes fit into the columns; a character takes one. */
static size_t fitting(const char *text, int columns)
{
    size_t length = strlen(text), at = 0;
    for (int used = 0; at < length && (!columns || used < columns); used++) {
        size_t sequence = rt_utf8_sequence(text + at, length - at);
        at += sequence ? sequence : 1;
    }
    return at;
}

static void put_line(struct view *view, const char *style, const rt_buffer *text)
{
    rt_buffer visible = {0};
    if (!has_room(view))
        return;
    rt_buffer_visible(&visible, text->length ? text->data : "");
    bool styled = view->size->colour && style;
    if (visible.length) {
        size_t length = fitting(visible.data, view->size->columns);
        rt_buffer_text(view->out, styled ? style : "");
        rt_buffer_add(view->out, visible.data, length);
        rt_buffer_text(view->out, styled ? PLAIN : "");
    }
    rt_buffer_char(view->out, '\n');
    rt_buffer_free(&visible);
    view->lines++;
}

__attribute__((format(printf, 3, 4))) static void put(struct view *view, const char *style,
                                                      const char *format, ...)
{
    rt_buffer text = {0};
    va_list arguments;
    va_start(arguments, format);
    rt_buffer_vformat(&text, format, arguments);
    va_end(arguments);
    put_line(view, style, &text);
    rt_buffer_free(&text);
}

/* --- values ---------------------------------------------------------------------------------- */

/* Texts of one line; enough of them for any. */
static const char *keep(const struct view *view, const char *format, double value)
{
    return rt_arena_format(&view->now->arena, format, value);
}

static const char *rate(const struct view *view, double count)
{
    if (view->seconds <= 0)
        return "-";
    double value = count / view->seconds;
    return keep(view, value >= 100 ? "%.0f" : "%.1f", value > 0 ? value : 0);
}

static const char *time_of(const struct view *view, double seconds)
{
    if (view->seconds <= 0 || seconds < 0)
        return "-";
    if (seconds < 0.01)
        return keep(view, "%.2f ms", seconds * 1e3);
    return seconds < 1 ? keep(view, "%.0f ms", seconds * 1e3) : keep(view, "%.1f s", seconds);
}

static const char *size_of(const struct view *view, double bytes)
{
    return bytes < 0 ? "-" : keep(view, "%.1f MiB", bytes / (1 << 20));
}

static const char *age_of(const struct view *view, int64_t milliseconds)
{
    double seconds = (double)milliseconds / 1e3;
    if (seconds < 120)
        return keep(view, "%.0f s", seconds);
    if (seconds < 7200)
        return keep(view, "%.0f min", seconds / 60);
    return seconds < 172800 ? keep(view, "%.0f h", seconds / 3600)
                            : keep(view, "%.0f d", seconds / 86400);
}

static double more(const struct view *view, const char *name, const char *label, const char *value)
{
    return rt_top_sum(view->now, name, label, value) - rt_top_sum(view->before, name, label, value);
}

static double present(const struct view *view, const char *name)
{
    return rt_top_sum(view->now, name, NULL, NULL);
}

/* --- parts ----------------------------------------------------------------------------------- */

static const char *text_of(const rt_json_value *value)
{
    const char *text = rt_json_string(value);
    return text ? text : "-";
}

static void draw_head(struct view *view, const rt_top_rows *routes)
{
    const rt_json_value *status = view->now->status;
    rt_top_row all = rt_top_total(routes);
    put(view, HEADING, "%s  %s  rtd %s  pid %lld  up %s  generation %lld",
        text_of(rt_json_get(status, "name")), text_of(rt_json_get(status, "environment")),
        text_of(rt_json_get(status, "version")),
        (long long)rt_json_int(rt_json_get(status, "pid"), 0),
        age_of(view, rt_json_int(rt_json_get(status, "uptime_ms"), 0)),
        (long long)rt_json_int(rt_json_get(status, "generation"), 0));
    put(view, NULL, "requests/s %s  errors/s %s  active %.0f  connections %.0f  streams %.0f",
        rate(view, all.count), rate(view, all.failed), present(view, "http_server_active_requests"),
        present(view, "rt_http_connections"), present(view, "rt_http_streams"));
    put(view, NULL, "latency p50 %s  p95 %s  p99 %s", time_of(view, rt_top_quantile(&all, 0.5)),
        time_of(view, rt_top_quantile(&all, 0.95)), time_of(view, rt_top_quantile(&all, 0.99)));
    double warnings = more(view, "rt_log_lines_total", "level", "warn");
    double errors = more(view, "rt_log_lines_total", "level", "error");
    double failed = rt_top_sum(view->now, "rt_reloads_total", "outcome", "failure");
    put(view, errors > 0 ? ALARM : NULL,
        "logged: warnings/s %s  errors/s %s   reloads %.0f, failed %.0f   quarantined %.0f",
        rate(view, warnings), rate(view, errors), present(view, "rt_reloads_total"), failed,
        present(view, "rt_quarantined"));
}

static void draw_rows(struct view *view, const char *what, const rt_top_rows *rows, bool breakers,
                      size_t most)
{
    if (!rows->count)
        return;
    put(view, NULL, "%s", "");
    put(view, HEADING, "%-36s %9s %9s %9s %9s %9s%s", what, "per s", "failed/s", "p50", "p95",
        "p99", breakers ? "  breaker" : "");
    for (size_t i = 0; i < rows->count && i < most; i++) {
        const rt_top_row *row = &rows->items[i];
        put(view, row->failed > 0 ? ALARM : NULL, "%-36s %9s %9s %9s %9s %9s%s%s", row->key,
            rate(view, row->count), rate(view, row->failed),
            time_of(view, rt_top_quantile(row, 0.5)), time_of(view, rt_top_quantile(row, 0.95)),
            time_of(view, rt_top_quantile(row, 0.99)), row->state ? "  " : "",
            row->state ? row->state : "");
    }
    if (rows->count > most)
        put(view, NULL, "and %zu more", rows->count - most);
}

/* Of the line that is about one worker of one generation; -1: there is none. */
static double of_worker(rt_top_sample *sample, const char *name, const char *worker,
                        const char *generation)
{
    for (size_t i = 0; i < sample->count; i++) {
        const rt_top_line *line = &sample->lines[i];
        if (strcmp(line->name, name) != 0)
            continue;
        const char *number = rt_top_label(sample, line, "rt_worker");
        const char *its = rt_top_label(sample, line, "rt_generation");
        if (number && its && strcmp(number, worker) == 0 && strcmp(its, generation) == 0)
            return line->value;
    }
    return -1;
}

/* Requests of the same process in the sample before; -1: it was not there. */
static int64_t requests_before(const rt_top_sample *sample, int64_t pid)
{
    const rt_json_value *generations = rt_json_get(sample->status, "generations");
    for (const rt_json_value *g = generations ? generations->value.first : NULL; g; g = g->next) {
        const rt_json_value *workers = rt_json_get(g, "workers");
        for (const rt_json_value *w = workers ? workers->value.first : NULL; w; w = w->next)
            if (rt_json_int(rt_json_get(w, "pid"), 0) == pid)
                return rt_json_int(rt_json_get(w, "requests"), 0);
    }
    return -1;
}

static void draw_worker(struct view *view, const rt_json_value *worker, const char *generation)
{
    const char *number = rt_arena_format(&view->now->arena, "%lld",
                                         (long long)rt_json_int(rt_json_get(worker, "number"), 0));
    int64_t pid = rt_json_int(rt_json_get(worker, "pid"), 0);
    int64_t before = requests_before(view->before, pid);
    double served = (double)(rt_json_int(rt_json_get(worker, "requests"), 0) - before);
    double busy = of_worker(view->now, "rt_loop_utilization_ratio", number, generation);
    double fibers = of_worker(view->now, "rt_fibers", number, generation);
    double lag = of_worker(view->now, "rt_loop_lag_most_seconds", number, generation);
    double memory = of_worker(view->now, "process_memory_usage_bytes", number, generation);
    put(view, NULL, "%4s %6s %8lld %-9s %7s %9s %6s %11s %7s %9s %8lld %7lld", generation, number,
        (long long)pid, text_of(rt_json_get(worker, "state")),
        age_of(view, rt_json_int(rt_json_get(worker, "age_ms"), 0)),
        before < 0 ? "-" : rate(view, served), busy < 0 ? "-" : keep(view, "%.0f %%", busy * 100),
        size_of(view, memory), fibers < 0 ? "-" : keep(view, "%.0f", fibers),
        lag < 0 ? "-" : keep(view, "%.1f ms", lag * 1e3),
        (long long)rt_json_int(rt_json_get(worker, "restarts"), 0),
        (long long)rt_json_int(rt_json_get(worker, "crashes"), 0));
}

static void draw_workers(struct view *view)
{
    const rt_json_value *generations = rt_json_get(view->now->status, "generations");
    put(view, NULL, "%s", "");
    put(view, HEADING, "%4s %6s %8s %-9s %7s %9s %6s %11s %7s %9s %8s %7s", "gen", "worker", "pid",
        "state", "age", "requests", "busy", "memory", "fibers", "lag", "restarts", "crashes");
    for (const rt_json_value *g = generations ? generations->value.first : NULL; g; g = g->next) {
        const rt_json_value *workers = rt_json_get(g, "workers");
        const char *number = rt_arena_format(&view->now->arena, "%lld",
                                             (long long)rt_json_int(rt_json_get(g, "number"), 0));
        for (const rt_json_value *w = workers ? workers->value.first : NULL; w; w = w->next)
            draw_worker(view, w, number);
    }
}

/* Routes and effects get what is left when head and workers have theirs. */
static size_t most_rows(const rt_top_size *size)
{
    int left = size->rows ? (size->rows - 16) / 2 : 20;
    return left < 2 ? 2 : (size_t)left;
}

void rt_top_draw(rt_top_sample *before, rt_top_sample *now, const rt_top_size *size, rt_buffer *out)
{
    struct view view = {.before = before, .now = now, .size = size, .out = out};
    view.seconds = (double)(now->at - before->at) / 1e9;
    rt_top_rows routes = rt_top_routes(before, now), effects = rt_top_effects(before, now);
    draw_head(&view, &routes);
    draw_workers(&view);
    draw_rows(&view, "ROUTE", &routes, false, most_rows(size));
    draw_rows(&view, "EFFECT", &effects, true, most_rows(size));
}
