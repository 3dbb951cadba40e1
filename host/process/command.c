/* What rtctl can ask a running rtd for: one row a command. A command answers, or leaves the client
 * waiting for the end of what it began. */
#include "process/metric_pool.h"
#include "process/readiness.h"
#include "process/supervisor.h"
#include "process/supervisor_metrics.h"
#include "telemetry/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define WHO "control socket"

typedef struct rt_command {
    const char *name;
    const char *usage;
    int most_words;
    void (*run)(rt_supervisor *supervisor, rt_client *client, int count, char **words);
} rt_command;

static bool is_word(int count, char **words, const char *word)
{
    return count > 1 && strcmp(words[1], word) == 0;
}

static void run_status(rt_supervisor *supervisor, rt_client *client, int count, char **words)
{
    rt_buffer text = {0};
    bool json = is_word(count, words, "json");
    (json ? rt_status_json : rt_status_text)(supervisor, &text);
    rt_client_lines(client, "out", text.data);
    rt_client_exit(client, 0);
    rt_buffer_free(&text);
}

/* What the admin listener would answer, for those who have no address to ask. */
static void run_health(rt_supervisor *supervisor, rt_client *client, int count, char **words)
{
    const rt_generation *generation =
        supervisor->current ? supervisor->current : supervisor->generations;
    rt_buffer text = {0};
    rt_arena arena;
    rt_arena_init(&arena);
    const rt_readiness *readiness =
        rt_readiness_judge(&arena, generation->plan, generation->board, 0, rt_monotonic());
    bool json = is_word(count, words, "json");
    (json ? rt_readiness_json : rt_readiness_text)(readiness, &text);
    rt_client_lines(client, "out", text.data);
    rt_client_exit(client, rt_readiness_status(readiness) == 200 ? 0 : EX_UNAVAILABLE);
    rt_buffer_free(&text);
    rt_arena_free(&arena);
}

/* What `/metrics` of the admin listener would answer. */
static void run_metrics(rt_supervisor *supervisor, rt_client *client, int count, char **words)
{
    rt_buffer text = {0};
    (void)count, (void)words;
    rt_supervisor_metrics_refresh(supervisor);
    int fd = rt_metric_pool_of_host()->fd;
    int error = fd < 0 ? -ENOENT : rt_metrics_text(fd, &text);
    if (error)
        rt_client_err(client, "there are no metrics: %s", strerror(-error));
    else
        rt_client_lines(client, "out", text.data);
    rt_client_exit(client, error ? EX_UNAVAILABLE : 0);
    rt_buffer_free(&text);
}

/* True after it was said that rtd stops already. */
static bool stops(const rt_supervisor *supervisor, rt_client *client)
{
    if (supervisor->state == RT_RUNNING)
        return false;
    rt_client_err(client, "rtd stops");
    rt_client_exit(client, EX_UNAVAILABLE);
    return true;
}

static void run_stop(rt_supervisor *supervisor, rt_client *client, int count, char **words)
{
    if (supervisor->state == RT_RUNNING)
        rt_supervisor_stop(supervisor, WHO);
    if (is_word(count, words, "wait")) {
        client->waits = RT_WAITS_STOP;
        return;
    }
    rt_client_out(client, "stopping");
    rt_client_exit(client, 0);
}

static void run_reload(rt_supervisor *supervisor, rt_client *client, int count, char **words)
{
    if (stops(supervisor, client))
        return;
    rt_reload_ask(supervisor, WHO);
    if (is_word(count, words, "wait")) {
        client->waits = RT_WAITS_RELOAD;
        client->ticket = rt_reload_ticket(supervisor);
        return;
    }
    rt_client_out(client, "a reload was asked for");
    rt_client_exit(client, 0);
}

static void run_upgrade(rt_supervisor *supervisor, rt_client *client, int count, char **words)
{
    (void)count, (void)words;
    if (stops(supervisor, client))
        return;
    rt_upgrade_ask(supervisor, WHO);
    client->waits = RT_WAITS_UPGRADE;
    client->ticket = UINT64_MAX; /* of the rtd that takes over, which sets it */
}

static bool is_module(const rt_plan *plan, const char *word)
{
    if (strcmp(word, "rtd") == 0)
        return true;
    for (size_t i = 0; i < plan->instance_count; i++)
        if (strcmp(plan->instances[i].name, word) == 0 ||
            strcmp(plan->instances[i].module, word) == 0)
            return true;
    return false;
}

static void run_log_reopen(rt_supervisor *supervisor, rt_client *client, int count, char **words)
{
    const char *outcome;
    (void)count, (void)words;
    bool fine = rt_logs_reopen(supervisor, WHO, &outcome);
    (fine ? rt_client_out : rt_client_err)(client, "%s", outcome);
    rt_client_exit(client, fine ? 0 : EX_IOERR);
}

static void show_levels(rt_client *client)
{
    rt_buffer text = {0};
    rt_log_levels(&text);
    rt_client_lines(client, "out", text.data);
    rt_client_exit(client, 0);
    rt_buffer_free(&text);
}

static void run_log_level(rt_supervisor *supervisor, rt_client *client, int count, char **words)
{
    const rt_generation *serving = supervisor->current;
    const char *level = count > 1 ? words[1] : "", *module = count > 2 ? words[2] : NULL;
    int error = 0;
    if (count == 1) {
        show_levels(client);
        return;
    }
    if (module && serving && !is_module(serving->plan, module))
        rt_client_err(client, "no module `%s` runs", module);
    else if ((error = rt_log_set_level(level, module)) == -EINVAL)
        rt_client_err(client, "no log level `%s`: it is trace, debug, info, warn, error or fatal",
                      level);
    else if (error)
        rt_client_err(client, "too many modules have a log level of their own");
    if (client->out.length) {
        rt_client_exit(client, EX_USAGE);
        return;
    }
    for (rt_generation *g = supervisor->generations; g; g = g->older)
        if (g != supervisor->next || !serving) /* which has the level of its configuration */
            rt_generation_level(g, level, module);
    rt_client_out(client, "%s%s from level %s until the next reload",
                  module ? module : "all modules", module ? " logs" : " log", level);
    rt_client_exit(client, 0);
}

static void run_quarantine(rt_supervisor *supervisor, rt_client *client, int count, char **words)
{
    rt_generation *serving = supervisor->current ? supervisor->current : supervisor->generations;
    rt_buffer out = {0}, err = {0};
    size_t before = rt_quarantine_refused(&serving->quarantine);
    int status =
        rt_quarantine_run(&serving->quarantine, serving->board, count - 1, words + 1, &out, &err);
    size_t after = rt_quarantine_refused(&serving->quarantine);
    if (after < before)
        rt_log_host(RT_LOG_INFO, WHO ": quarantine of %zu of %zu lifted", before - after, before);
    rt_client_lines(client, "out", out.data);
    rt_client_lines(client, "err", err.data);
    rt_client_exit(client, status);
    rt_buffer_free(&out);
    rt_buffer_free(&err);
}

static void run_fibers(rt_supervisor *supervisor, rt_client *client, int count, char **words)
{
    (void)supervisor;
    char *end = NULL;
    unsigned long number = count > 1 ? strtoul(words[1], &end, 10) : 0;
    if (end && (*end || number == 0 || number > UINT32_MAX)) {
        rt_client_err(client, "a worker is a number, not `%s`", words[1]);
        rt_client_exit(client, EX_USAGE);
        return;
    }
    client->waits = RT_WAITS_FIBERS;
    client->subject = (uint32_t)number;
}

static const rt_command commands[] = {
    {"status", "[json]", 1, run_status},
    {"health", "[json]", 1, run_health},
    {"stop", "[wait]", 1, run_stop},
    {"reload", "[wait]", 1, run_reload},
    {"upgrade", "", 0, run_upgrade},
    {"log-level", "[LEVEL [MODULE]]", 2, run_log_level},
    {"log-reopen", "", 0, run_log_reopen},
    {"quarantine", "[list|clear [ENTRY]]", RT_CONTROL_WORDS - 1, run_quarantine},
    {"fibers", "[WORKER]", 1, run_fibers},
    {"metrics", "", 0, run_metrics},
    {"call", "list|CAPABILITY.METHOD [WORD...]", RT_CONTROL_WORDS - 1, rt_call_ask},
};

void rt_command_run(void *supervisor, rt_client *client, int count, char **words)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        const rt_command *command = &commands[i];
        if (strcmp(command->name, words[0]) != 0)
            continue;
        if (count - 1 <= command->most_words) {
            command->run(supervisor, client, count, words);
            return;
        }
        rt_client_err(client, "usage: %s %s", command->name, command->usage);
        rt_client_exit(client, EX_USAGE);
        return;
    }
    rt_client_err(client, "this rtd knows no command `%s`", words[0]);
    rt_client_exit(client, EX_USAGE);
}
