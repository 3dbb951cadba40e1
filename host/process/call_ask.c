/* `rtctl call` in the supervisor: hands each call to one worker and its answer to the client. It
 * neither reads the JSON nor waits; a client that goes away takes its call along. */
#include "process/call.h"
#include "process/supervisor.h"
#include "telemetry/log.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define GRACE (2 * RT_SECOND) /* between the deadline of a call and ours over its worker */

static void refuse(rt_client *client, int status, const char *text)
{
    rt_client_err(client, "%s", text);
    rt_client_exit(client, status);
}

void rt_call_ask(rt_supervisor *supervisor, rt_client *client, int count, char **words)
{
    rt_call_request request;
    const char *problem = rt_call_parse(&request, count, words);
    (void)supervisor;
    if (problem) {
        refuse(client, EX_USAGE, problem);
        return;
    }
    rt_buffer line = {0};
    for (int i = 0; i < count; i++)
        rt_buffer_format(&line, "%s%s", i ? " " : "", words[i]);
    client->request = line.data;
    client->subject = (uint32_t)request.worker;
    client->waits = RT_WAITS_CALL;
    client->ticket = 0;
    rt_client_expect(client, request.json);
}

/* --- beginning ------------------------------------------------------------------------------- */

/* The first, so that who calls twice finds what the first call left in the worker. */
static rt_worker *choose(const rt_generation *generation, uint32_t number)
{
    for (size_t i = 0; generation && i < generation->count; i++) {
        rt_worker *worker = &generation->workers[i];
        if (worker->state == RT_WORKER_READY && worker->control >= 0 &&
            (!number || worker->number == number))
            return worker;
    }
    return NULL;
}

static void log_call(const rt_supervisor *supervisor, const rt_client *client,
                     const rt_call_request *request, const rt_worker *worker)
{
    bool production = supervisor->current->plan->environment >= RT_STAGING;
    if (request->list || request->describe)
        return;
    rt_log_host(production ? RT_LOG_INFO : RT_LOG_DEBUG,
                "control socket: uid %u calls `%s`%s%s%s in worker %u", (unsigned)client->uid,
                request->name, request->instance ? " of `" : "",
                request->instance ? request->instance : "", request->instance ? "`" : "",
                worker->number);
}

/* False after the client was told. */
static bool is_fit(const rt_supervisor *supervisor, rt_client *client, const rt_worker *worker)
{
    if (supervisor->state != RT_RUNNING)
        refuse(client, EX_UNAVAILABLE, "rtd stops");
    else if (!worker && client->subject)
        refuse(client, EX_UNAVAILABLE, "that worker is not ready");
    else if (!worker)
        refuse(client, EX_UNAVAILABLE, "no worker is ready");
    else if (client->body.length && memchr(client->body.data, 0, client->body.length))
        refuse(client, EX_DATAERR, "INVALID_ARGUMENT: the JSON holds NUL");
    else
        return true;
    return false;
}

static void hand_over(rt_supervisor *supervisor, rt_client *client, rt_worker *worker,
                      rt_asked *asked)
{
    rt_call_request request; /* points into the copy */
    char *copy = strdup(client->request);
    rt_call_parse_line(&request, copy);
    asked->pid = worker->pid;
    asked->worker = worker->number;
    asked->generation = supervisor->current->number;
    asked->due = rt_monotonic() + request.timeout + GRACE;
    client->ticket = asked->number;
    log_call(supervisor, client, &request, worker);
    rt_message_pack(&worker->outbox,
                    &(rt_message){.kind = RT_TELL_CALL,
                                  .number = asked->number,
                                  .module = client->request,
                                  .text = request.has_json ? client->body.data : NULL});
    free(copy);
}

static void begin(rt_supervisor *supervisor, rt_client *client)
{
    rt_worker *worker = choose(supervisor->current, client->subject);
    rt_buffer_text(&client->body, ""); /* ends it, empty as it may be */
    if (!is_fit(supervisor, client, worker))
        return;
    rt_asked *asked = rt_asked_begin(&supervisor->calls, rt_monotonic());
    if (asked)
        hand_over(supervisor, client, worker, asked);
    else
        refuse(client, EX_TEMPFAIL, "RESOURCE_EXHAUSTED: too many calls are under way");
}

/* --- the end --------------------------------------------------------------------------------- */

static rt_worker *find_worker(const rt_supervisor *supervisor, const rt_asked *asked,
                              const rt_generation **generation)
{
    for (rt_generation *g = supervisor->generations; g; g = g->older)
        for (size_t i = 0; i < g->count; i++)
            if (g->workers[i].pid == asked->pid && g->workers[i].control >= 0) {
                *generation = g;
                return &g->workers[i];
            }
    return NULL;
}

static void give_up(const rt_supervisor *supervisor, rt_asked *asked)
{
    const rt_generation *generation;
    rt_worker *worker = find_worker(supervisor, asked, &generation);
    if (worker && !asked->answered)
        rt_message_pack(&worker->outbox,
                        &(rt_message){.kind = RT_TELL_CALL, .number = asked->number});
    rt_asked_end(asked);
}

static void tell_lost(rt_client *client, const rt_asked *asked)
{
    rt_client_err(client, "INTERNAL: worker %u (pid %d) ended during the call", asked->worker,
                  (int)asked->pid);
    rt_client_err(client, "hint: the log and `rtctl crashes` tell why");
    rt_client_exit(client, EX_SOFTWARE);
}

static void tell_overdue(const rt_supervisor *supervisor, rt_client *client, const rt_asked *asked)
{
    const rt_generation *generation;
    const rt_worker *worker = find_worker(supervisor, asked, &generation);
    rt_buffer text = {0}, visible = {0};
    if (worker)
        rt_worker_excuse(generation, worker, &text);
    rt_buffer_visible(&visible, text.data ? text.data : "it is gone");
    rt_client_err(client, "DEADLINE_EXCEEDED: worker %u (pid %d) does not answer: %s",
                  asked->worker, (int)asked->pid, visible.data);
    rt_client_exit(client, EX_TEMPFAIL);
    rt_buffer_free(&text);
    rt_buffer_free(&visible);
}

/* What a module says is shown as it is in JSON alone, which escapes controls. */
static void tell_answer(rt_client *client, const rt_asked *asked)
{
    char *rest = NULL;
    if (!asked->status) {
        rt_client_lines(client, "out", asked->text);
    } else {
        for (char *line = strtok_r(asked->text, "\n", &rest); line;
             line = strtok_r(NULL, "\n", &rest)) {
            rt_buffer visible = {0};
            rt_buffer_visible(&visible, line);
            rt_client_err(client, "%s", visible.data);
            rt_buffer_free(&visible);
        }
    }
    rt_client_exit(client, asked->status);
}

static bool waits(const rt_client *client)
{
    return client->fd >= 0 && client->waits == RT_WAITS_CALL;
}

static void follow(rt_supervisor *supervisor, rt_client *client, uint64_t now)
{
    rt_asked *asked = rt_asked_find(&supervisor->calls, client->ticket);
    if (asked->answered)
        tell_answer(client, asked);
    else if (asked->lost)
        tell_lost(client, asked);
    else if (now >= asked->due)
        tell_overdue(supervisor, client, asked);
    else
        return;
    give_up(supervisor, asked);
}

static bool has_client(const rt_control *control, uint64_t number)
{
    for (size_t i = 0; i < RT_CONTROL_CLIENTS; i++)
        if (waits(&control->clients[i]) && control->clients[i].ticket == number)
            return true;
    return false;
}

void rt_calls_advance(rt_supervisor *supervisor)
{
    rt_control *control = &supervisor->control;
    uint64_t now = rt_monotonic();
    for (size_t i = 0; i < RT_CONTROL_CLIENTS; i++) {
        rt_asked *asked = &supervisor->calls.items[i];
        if (asked->number && !has_client(control, asked->number))
            give_up(supervisor, asked);
    }
    for (size_t i = 0; i < RT_CONTROL_CLIENTS; i++) {
        rt_client *client = &control->clients[i];
        if (waits(client) && client->ticket)
            follow(supervisor, client, now);
        else if (waits(client) && client->body.length == client->body_bytes)
            begin(supervisor, client);
    }
}

void rt_calls_abandon(rt_supervisor *supervisor)
{
    rt_control_finish(&supervisor->control, RT_WAITS_CALL, UINT64_MAX, "err",
                      "UNAVAILABLE: rtd is upgraded: ask again", EX_TEMPFAIL);
    rt_control_flush(&supervisor->control);
    rt_calls_advance(supervisor);
}

void rt_calls_free(rt_supervisor *supervisor)
{
    for (size_t i = 0; i < RT_CONTROL_CLIENTS; i++)
        rt_asked_end(&supervisor->calls.items[i]);
}
