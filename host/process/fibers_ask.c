/* `rtctl fibers`: the workers of all generations are asked; who waits for the answer keeps waiting
 * in the loop, and everything else goes on. One question at a time: who comes while it is under way
 * gets its answers. */
#include "process/supervisor.h"

#include <sysexits.h>

static void ask_generation(rt_fibers *fibers, rt_generation *generation)
{
    for (size_t i = 0; i < generation->count; i++) {
        rt_worker *worker = &generation->workers[i];
        if (worker->pid <= 0 || worker->control < 0)
            continue;
        rt_fibers_expect(fibers, generation->number, worker->number, worker->pid);
        rt_message_pack(&worker->outbox,
                        &(rt_message){.kind = RT_TELL_FIBERS, .number = fibers->question});
    }
}

static void ask(rt_supervisor *supervisor, uint64_t now)
{
    rt_fibers_begin(&supervisor->fibers, now);
    for (rt_generation *g = supervisor->generations; g; g = g->older)
        ask_generation(&supervisor->fibers, g);
}

/* --- who does not answer --------------------------------------------------------------------- */

static void describe_entry(const rt_generation *generation, const rt_worker *worker,
                           rt_buffer *text)
{
    const rt_loop_marks *marks = &rt_board_slot_of(generation->board, worker->number)->marks;
    rt_entry entry;
    if (!rt_board_entry(generation->board, __atomic_load_n(&marks->running, __ATOMIC_RELAXED),
                        &entry)) {
        rt_buffer_text(text, "something holds its loop");
        return;
    }
    rt_buffer_format(text, "`%s` of `%s` holds its loop", entry.name, entry.instance);
}

void rt_worker_excuse(const rt_generation *generation, const rt_worker *worker, rt_buffer *text)
{
    if (worker->module)
        rt_buffer_format(text, "it is %s module `%s`", rt_phase_names[worker->phase],
                         worker->module);
    else if (worker->state == RT_WORKER_STARTING)
        rt_buffer_text(text, "it is starting");
    else
        describe_entry(generation, worker, text);
}

static void explain(rt_fibers *fibers, const rt_generation *generation, const rt_worker *worker)
{
    rt_buffer text = {0};
    rt_worker_excuse(generation, worker, &text);
    rt_fibers_explain(fibers, worker->pid, text.data);
    rt_buffer_free(&text);
}

static void explain_all(rt_supervisor *supervisor)
{
    for (const rt_generation *g = supervisor->generations; g; g = g->older)
        for (size_t i = 0; i < g->count; i++)
            if (g->workers[i].pid > 0)
                explain(&supervisor->fibers, g, &g->workers[i]);
}

/* --- who waits ------------------------------------------------------------------------------- */

static void answer(const rt_fibers *fibers, rt_client *client)
{
    rt_buffer out = {0}, err = {0};
    size_t meant = 0;
    for (size_t i = 0; i < fibers->count; i++)
        meant += !client->subject || fibers->answers[i].worker == client->subject;
    rt_fibers_print(fibers, client->subject, &out, &err);
    if (client->subject && !meant)
        rt_client_err(client, "no worker %u runs", client->subject);
    else
        rt_client_lines(client, "out", out.data);
    rt_client_lines(client, "err", err.data);
    rt_client_exit(client, err.length || (client->subject && !meant) ? EX_UNAVAILABLE : 0);
    rt_buffer_free(&out);
    rt_buffer_free(&err);
}

static bool waits(const rt_client *client)
{
    return client->fd >= 0 && client->waits == RT_WAITS_FIBERS;
}

static bool anybody_waits(const rt_control *control)
{
    for (size_t i = 0; i < RT_CONTROL_CLIENTS; i++)
        if (waits(&control->clients[i]))
            return true;
    return false;
}

void rt_fibers_advance(rt_supervisor *supervisor)
{
    rt_fibers *fibers = &supervisor->fibers;
    uint64_t now = rt_monotonic();
    if (!fibers->question && anybody_waits(&supervisor->control))
        ask(supervisor, now);
    if (!fibers->question)
        return;
    if (now >= fibers->due)
        explain_all(supervisor);
    for (size_t i = 0; i < RT_CONTROL_CLIENTS; i++) {
        rt_client *client = &supervisor->control.clients[i];
        if (waits(client) && rt_fibers_ready(fibers, client->subject, now))
            answer(fibers, client);
    }
    if (rt_fibers_ready(fibers, 0, now))
        rt_fibers_free(fibers);
}
