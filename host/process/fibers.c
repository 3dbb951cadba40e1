#include "process/fibers.h"

#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

#define PATIENCE (UINT64_C(2) * 1000000000)
#define COLUMNS 9

static void keep_text(rt_fibers_answer *answer, const char *text)
{
    free(answer->text);
    answer->text = text ? strdup(text) : NULL;
}

void rt_fibers_begin(rt_fibers *fibers, uint64_t now)
{
    rt_fibers_free(fibers);
    fibers->question = now; /* workers outlive an upgrade: a counter would begin anew */
    fibers->due = now + PATIENCE;
}

void rt_fibers_expect(rt_fibers *fibers, uint32_t generation, uint32_t worker, pid_t pid)
{
    fibers->answers = rt_xrealloc(fibers->answers, (fibers->count + 1) * sizeof *fibers->answers);
    fibers->answers[fibers->count++] =
        (rt_fibers_answer){.generation = generation, .worker = worker, .pid = pid};
}

static rt_fibers_answer *asked(rt_fibers *fibers, pid_t pid)
{
    for (size_t i = 0; i < fibers->count; i++)
        if (fibers->answers[i].pid == pid && fibers->answers[i].state == RT_FIBERS_ASKED)
            return &fibers->answers[i];
    return NULL;
}

void rt_fibers_take(rt_fibers *fibers, pid_t pid, uint64_t question, const char *text)
{
    rt_fibers_answer *answer = question == fibers->question ? asked(fibers, pid) : NULL;
    if (!answer)
        return;
    answer->state = RT_FIBERS_ANSWERED;
    keep_text(answer, text);
}

void rt_fibers_lose(rt_fibers *fibers, pid_t pid)
{
    rt_fibers_answer *answer = asked(fibers, pid);
    if (answer)
        answer->state = RT_FIBERS_ENDED;
}

void rt_fibers_explain(rt_fibers *fibers, pid_t pid, const char *text)
{
    rt_fibers_answer *answer = asked(fibers, pid);
    if (answer)
        keep_text(answer, text);
}

static bool is_meant(const rt_fibers_answer *answer, uint32_t worker)
{
    return !worker || answer->worker == worker;
}

bool rt_fibers_ready(const rt_fibers *fibers, uint32_t worker, uint64_t now)
{
    if (!fibers->question || now >= fibers->due)
        return fibers->question;
    for (size_t i = 0; i < fibers->count; i++)
        if (fibers->answers[i].state == RT_FIBERS_ASKED && is_meant(&fibers->answers[i], worker))
            return false;
    return true;
}

/* --- the table ------------------------------------------------------------------------------- */

static void add_row(rt_buffer *text, char *row)
{
    static const int widths[COLUMNS] = {-3, -6, -28, -16, -18, 9, 9, 9, 9};
    for (size_t i = 0; i < COLUMNS && row; i++) {
        rt_buffer cell = {0};
        rt_buffer_visible(&cell, strsep(&row, "\t"));
        rt_buffer_format(text, "%s%*s", i ? " " : "", widths[i], cell.data ? cell.data : "");
        rt_buffer_free(&cell);
    }
    rt_buffer_char(text, '\n');
}

static void add_rows(rt_buffer *text, const rt_fibers_answer *answer)
{
    for (const char *line = answer->text; line && *line;) {
        size_t length = strcspn(line, "\n");
        rt_buffer row = {0};
        rt_buffer_format(&row, "%u\t%u\t%.*s", answer->generation, answer->worker, (int)length,
                         line);
        add_row(text, row.data);
        rt_buffer_free(&row);
        line += length + (line[length] == '\n');
    }
}

static void add_missing(rt_buffer *text, const rt_fibers_answer *answer)
{
    rt_buffer_format(text, "worker %u (pid %d, generation %u) ", answer->worker, (int)answer->pid,
                     answer->generation);
    rt_buffer_text(text, answer->state == RT_FIBERS_ENDED ? "ended meanwhile" : "does not answer");
    if (answer->state == RT_FIBERS_ASKED && answer->text) {
        rt_buffer_text(text, ": ");
        rt_buffer_visible(text, answer->text);
    }
    rt_buffer_char(text, '\n');
}

void rt_fibers_print(const rt_fibers *fibers, uint32_t worker, rt_buffer *out, rt_buffer *err)
{
    char head[] = "gen\tworker\twork\tinstance\twaits for\tage s\tstack\tmost\tof";
    add_row(out, head);
    for (size_t i = 0; i < fibers->count; i++) {
        const rt_fibers_answer *answer = &fibers->answers[i];
        if (!is_meant(answer, worker))
            continue;
        if (answer->state == RT_FIBERS_ANSWERED)
            add_rows(out, answer);
        else
            add_missing(err, answer);
    }
}

void rt_fibers_free(rt_fibers *fibers)
{
    for (size_t i = 0; i < fibers->count; i++)
        free(fibers->answers[i].text);
    free(fibers->answers);
    *fibers = (rt_fibers){0};
}
