/* The files of the logs, opened anew after they were moved away. Workers may not open them any
 * more, so the supervisor does, and passes them on; those that start later open them themselves.
 * Each process goes over from one file to the other in one step, and to the moved one until then,
 * so that no line is lost. */
#include "process/logs.h"
#include "process/supervisor.h"
#include "telemetry/log.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static const enum rt_reopen logs[] = {RT_REOPEN_LOG, RT_REOPEN_ACCESS};
enum { LOGS = sizeof logs / sizeof logs[0] };

struct reopening {
    int fds[LOGS]; /* of one generation; -1: it has no such file, or it cannot be opened */
    unsigned opened, failed;
};

static int open_one(struct reopening *reopening, const rt_plan *plan, enum rt_reopen which)
{
    const char *path = rt_logs_file(plan, which);
    if (!path)
        return -1;
    int fd = which == RT_REOPEN_LOG ? rt_log_open_file(path)
                                    : rt_http_access_output(plan->host.http.access_log);
    if (fd >= 0) {
        reopening->opened++;
        return fd;
    }
    int error = which == RT_REOPEN_LOG ? -fd : errno;
    rt_log_host(RT_LOG_ERROR, "cannot open `%s` anew: %s; the old file stays", path,
                strerror(error));
    reopening->failed++;
    return -1;
}

/* What was opened before and is not sent yet is replaced. */
static void pass(const struct reopening *reopening, rt_worker *worker)
{
    bool pending = worker->parcel.count > 0;
    uint64_t which = 0;
    if (worker->control < 0)
        return;
    rt_parcel_drop(&worker->parcel);
    for (size_t i = 0; i < LOGS; i++) {
        if (reopening->fds[i] < 0)
            continue;
        rt_parcel_add(&worker->parcel, reopening->fds[i]);
        which |= logs[i];
    }
    if (pending)
        return;
    worker->parcel.at = worker->outbox.length;
    if (which)
        rt_message_pack(&worker->outbox, &(rt_message){.kind = RT_TELL_REOPEN, .number = which});
}

static void reopen(rt_supervisor *supervisor, const rt_generation *generation,
                   struct reopening *reopening)
{
    const rt_generation *ours = supervisor->current ? supervisor->current : supervisor->generations;
    for (size_t i = 0; i < LOGS; i++)
        reopening->fds[i] = open_one(reopening, generation->plan, logs[i]);
    for (size_t i = 0; i < generation->count; i++)
        pass(reopening, &generation->workers[i]);
    if (generation == ours && reopening->fds[0] >= 0) {
        rt_exporting_reopen(&supervisor->exporting, reopening->fds[0]);
        rt_log_reopen(reopening->fds[0]);
        reopening->fds[0] = -1;
    }
    for (size_t i = 0; i < LOGS; i++)
        if (reopening->fds[i] >= 0)
            close(reopening->fds[i]);
}

bool rt_logs_reopen(rt_supervisor *supervisor, const char *who, const char **outcome)
{
    struct reopening reopening = {0};
    for (rt_generation *g = supervisor->generations; g; g = g->older)
        reopen(supervisor, g, &reopening);
    *outcome = reopening.failed   ? "not every log file could be opened anew"
               : reopening.opened ? "log files are opened anew"
                                  : "no log file to open anew";
    rt_log_host(reopening.failed ? RT_LOG_ERROR : RT_LOG_INFO, "%s: %s", who, *outcome);
    return !reopening.failed;
}
