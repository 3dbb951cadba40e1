/* What `rtctl status` shows, for people and for programs. */
#include "process/supervisor.h"

#include "http/http.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static bool is_admin(const rt_socket *socket)
{
    return socket->flags & RT_LISTEN_ADMIN;
}

static void add_time(rt_buffer *out, uint64_t monotonic)
{
    char stamp[sizeof "2026-01-01T00:00:00Z"];
    time_t then = time(NULL) - (time_t)((rt_monotonic() - monotonic) / RT_SECOND);
    struct tm utc;
    gmtime_r(&then, &utc);
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", &utc);
    rt_buffer_text(out, stamp);
}

/* The two largest units: `3 d 4 h`, `12 min 5 s`. */
static void add_age(rt_buffer *out, uint64_t since)
{
    static const struct {
        const char *name;
        uint64_t seconds;
    } units[] = {{"d", 86400}, {"h", 3600}, {"min", 60}, {"s", 1}};
    uint64_t left = since ? (rt_monotonic() - since) / RT_SECOND : 0;
    int said = 0;
    for (size_t i = 0; i < sizeof units / sizeof units[0] && said < 2; i++) {
        uint64_t count = left / units[i].seconds;
        left %= units[i].seconds;
        bool last = units[i].seconds == 1 && !said;
        if (!count && !last && !said)
            continue;
        if (count || last)
            rt_buffer_format(out, "%s%ju %s", said ? " " : "", (uintmax_t)count, units[i].name);
        said++;
    }
}

static const char *role_of(const rt_supervisor *supervisor, const rt_generation *generation)
{
    if (generation == supervisor->next)
        return "starting";
    if (generation->retired)
        return generation->interrupted ? "interrupted" : "draining";
    return supervisor->state == RT_RUNNING ? "serving" : "stopping";
}

static uint64_t since_of(const rt_generation *generation)
{
    if (generation->retired)
        return generation->retired;
    return generation->serving ? generation->serving : generation->began;
}

/* --- for people ------------------------------------------------------------------------------ */

/* Of a worker and of those before it in its place. */
static uint64_t stalls_of(const rt_generation *generation, const rt_worker *worker)
{
    return __atomic_load_n(&rt_board_slot_of(generation->board, worker->number)->stalls,
                           __ATOMIC_RELAXED);
}

static void worker_row(rt_buffer *out, const rt_generation *generation, const rt_worker *worker)
{
    rt_buffer age = {0};
    char pid[16] = "-";
    if (worker->pid > 0) {
        snprintf(pid, sizeof pid, "%d", (int)worker->pid);
        add_age(&age, worker->started);
    }
    rt_buffer_format(out, "  %6u %9s  %-9s %-12s %8ju %7ju %6ju\n", worker->number, pid,
                     rt_worker_state_names[worker->state], age.data ? age.data : "-",
                     (uintmax_t)worker->restarts, (uintmax_t)worker->crashes,
                     (uintmax_t)stalls_of(generation, worker));
    rt_buffer_free(&age);
}

static void quarantine_lines(rt_buffer *out, const rt_generation *generation)
{
    rt_buffer list = {0};
    rt_quarantine_list(&generation->quarantine, generation->board, &list);
    for (const char *line = list.data; line && *line;) {
        size_t length = strcspn(line, "\n") + 1;
        rt_buffer_format(out, "  in quarantine: %.*s", (int)length, line);
        line += length;
    }
    rt_buffer_free(&list);
}

static void generation_text(const rt_supervisor *supervisor, const rt_generation *generation,
                            rt_buffer *out)
{
    rt_buffer_format(out, "generation %u, %s since ", generation->number,
                     role_of(supervisor, generation));
    add_time(out, since_of(generation));
    rt_buffer_text(out, "\n");
    for (size_t i = 0; i < generation->sockets.count && !generation->retired; i++)
        rt_buffer_format(out, "  %s%s\n", is_admin(&generation->sockets.items[i]) ? "admin " : "",
                         generation->sockets.items[i].url);
    rt_buffer_format(out, "  %6s %9s  %-9s %-12s %8s %7s %6s\n", "worker", "pid", "state", "age",
                     "restarts", "crashes", "stalls");
    for (size_t i = 0; i < generation->count; i++)
        worker_row(out, generation, &generation->workers[i]);
    quarantine_lines(out, generation);
}

void rt_status_text(const rt_supervisor *supervisor, rt_buffer *out)
{
    const rt_generation *first = supervisor->current ? supervisor->current : supervisor->next;
    const rt_outcome *last = &supervisor->reload.last;
    if (first)
        rt_buffer_format(out, "%s: ", first->plan->host.name);
    rt_buffer_format(out, "rtd %s, pid %d", RT_VERSION, (int)getpid());
    if (first)
        rt_buffer_format(out, ", %s", rt_environment_names[first->plan->environment]);
    rt_buffer_text(out, ", up ");
    add_age(out, supervisor->began);
    rt_buffer_text(out, "\n");
    if (supervisor->upgrade.pid)
        rt_buffer_text(out, "a new rtd is being tried\n");
    for (const rt_generation *g = supervisor->generations; g; g = g->older)
        generation_text(supervisor, g, out);
    if (!last->at)
        return;
    rt_buffer_text(out, "last reload ");
    add_time(out, last->at);
    rt_buffer_format(out, ": %s%s\n", last->status ? "failed: " : "", last->text);
}

/* --- for programs ---------------------------------------------------------------------------- */

static void quote(rt_buffer *out, const char *text)
{
    rt_buffer_char(out, '"');
    rt_buffer_json(out, text, strlen(text));
    rt_buffer_char(out, '"');
}

static uint64_t age_ms(uint64_t since)
{
    return since ? (rt_monotonic() - since) / 1000000 : 0;
}

static void worker_json(rt_buffer *out, const rt_generation *generation, const rt_worker *worker)
{
    const rt_board_slot *slot = rt_board_slot_of(generation->board, worker->number);
    rt_buffer_format(out, "{\"number\":%u,\"pid\":", worker->number);
    if (worker->pid > 0)
        rt_buffer_format(out, "%d", (int)worker->pid);
    else
        rt_buffer_text(out, "null");
    rt_buffer_format(out, ",\"state\":\"%s\",\"age_ms\":%ju,\"restarts\":%ju",
                     rt_worker_state_names[worker->state],
                     (uintmax_t)(worker->pid > 0 ? age_ms(worker->started) : 0),
                     (uintmax_t)worker->restarts);
    rt_buffer_format(out, ",\"crashes\":%ju,\"stalls\":%ju,\"requests\":%ju}",
                     (uintmax_t)worker->crashes, (uintmax_t)stalls_of(generation, worker),
                     (uintmax_t)__atomic_load_n(&slot->requests, __ATOMIC_RELAXED));
}

static void quarantine_json(rt_buffer *out, const rt_generation *generation)
{
    const rt_quarantine *quarantine = &generation->quarantine;
    const char *before = "";
    rt_entry entry;
    for (size_t i = 0; i < quarantine->count; i++) {
        const rt_quarantine_entry *item = &quarantine->entries[i];
        if (!item->refused || !rt_board_entry(generation->board, item->number, &entry))
            continue;
        rt_buffer_format(out, "%s{\"instance\":", before);
        quote(out, entry.instance);
        rt_buffer_text(out, ",\"entry\":");
        quote(out, entry.name);
        rt_buffer_text(out, ",\"module\":");
        quote(out, item->module ? item->module : entry.module);
        rt_buffer_text(out, "}");
        before = ",";
    }
}

static void urls_json(const rt_generation *generation, bool admin, rt_buffer *out)
{
    const char *separator = "";
    rt_buffer_char(out, '[');
    for (size_t i = 0; i < generation->sockets.count && !generation->retired; i++) {
        const rt_socket *socket = &generation->sockets.items[i];
        if (is_admin(socket) != admin)
            continue;
        rt_buffer_text(out, separator);
        quote(out, socket->url);
        separator = ",";
    }
    rt_buffer_char(out, ']');
}

static void generation_json(const rt_supervisor *supervisor, const rt_generation *generation,
                            rt_buffer *out)
{
    rt_buffer_format(out, "{\"number\":%u,\"state\":\"%s\",\"since\":\"", generation->number,
                     role_of(supervisor, generation));
    add_time(out, since_of(generation));
    rt_buffer_text(out, "\",\"listen\":");
    urls_json(generation, false, out);
    rt_buffer_text(out, ",\"admin\":");
    urls_json(generation, true, out);
    rt_buffer_text(out, ",\"workers\":[");
    for (size_t i = 0; i < generation->count; i++) {
        rt_buffer_text(out, i ? "," : "");
        worker_json(out, generation, &generation->workers[i]);
    }
    rt_buffer_text(out, "],\"quarantine\":[");
    quarantine_json(out, generation);
    rt_buffer_text(out, "]}");
}

static void outcome_json(rt_buffer *out, const rt_outcome *outcome)
{
    rt_buffer_text(out, ",\"last_reload\":");
    if (!outcome->at) {
        rt_buffer_text(out, "null");
        return;
    }
    rt_buffer_text(out, "{\"at\":\"");
    add_time(out, outcome->at);
    rt_buffer_format(out, "\",\"status\":%d,\"text\":", outcome->status);
    quote(out, outcome->text);
    rt_buffer_text(out, "}");
}

void rt_status_json(const rt_supervisor *supervisor, rt_buffer *out)
{
    const rt_generation *first = supervisor->current ? supervisor->current : supervisor->next;
    rt_buffer_text(out, "{\"name\":");
    quote(out, first ? first->plan->host.name : "");
    rt_buffer_format(out, ",\"version\":\"%s\",\"pid\":%d,\"environment\":\"%s\"", RT_VERSION,
                     (int)getpid(), first ? rt_environment_names[first->plan->environment] : "");
    rt_buffer_format(out,
                     ",\"uptime_ms\":%ju,\"generation\":", (uintmax_t)age_ms(supervisor->began));
    if (supervisor->current)
        rt_buffer_format(out, "%u", supervisor->current->number);
    else
        rt_buffer_text(out, "null");
    rt_buffer_text(out, ",\"generations\":[");
    for (const rt_generation *g = supervisor->generations; g; g = g->older) {
        generation_json(supervisor, g, out);
        rt_buffer_text(out, g->older ? "," : "");
    }
    rt_buffer_text(out, "]");
    outcome_json(out, &supervisor->reload.last);
    rt_buffer_text(out, "}\n");
}
