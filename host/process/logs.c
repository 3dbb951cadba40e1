#include "process/logs.h"

#include "telemetry/log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int rt_logs_open(const rt_plan *plan, const char **name)
{
    const rt_host_settings *host = &plan->host;
    rt_log_options options = {.level = host->log.level,
                              .format = host->log.format,
                              .file = rt_logs_file(plan, RT_REOPEN_LOG),
                              .service = host->name,
                              .automatic = host->log.automatic,
                              .journal = host->log.journal,
                              .repeat = (uint32_t)host->log.repeat};
    bool journal = strcmp(host->log.format, "journal") == 0;
    *name = options.file ? options.file : journal ? host->log.journal : "standard error";
    int error = rt_log_open(&options);
    for (size_t i = 0; i < host->log.level_count && !error; i++)
        rt_log_set_level(host->log.levels[i].level, host->log.levels[i].module);
    return error;
}

const char *rt_logs_file(const rt_plan *plan, enum rt_reopen which)
{
    const rt_host_settings *host = &plan->host;
    const rt_setting *access = host->http.access_log;
    if (which == RT_REOPEN_LOG)
        return strcmp(host->log.format, "journal") == 0 ? NULL : host->log.file;
    bool written = access && host->http.access_format && strcmp(host->http.access_format, "off");
    const rt_setting *file = written ? rt_setting_member(access, "file") : NULL;
    return file && file->type != RT_SETTING_NONE ? file->value.text : NULL;
}

static void replace(int fd, rt_http_server *server, int output)
{
    int error = 0;
    if (server)
        error = rt_http_reopen_access(server, fd);
    else if (output > 0 && dup3(fd, output, O_CLOEXEC) < 0)
        error = -errno;
    close(fd);
    if (error)
        rt_log_host(RT_LOG_ERROR, "cannot go on with the new access log: %s", strerror(-error));
}

/* An access log without a file of its own is the log, by a descriptor of its own. */
void rt_logs_take(const rt_plan *plan, uint64_t which, rt_parcel *parcel, rt_http_server *server,
                  int output)
{
    bool has_file = rt_logs_file(plan, RT_REOPEN_ACCESS) != NULL;
    int log = which & RT_REOPEN_LOG ? rt_parcel_take(parcel) : -1;
    int access = which & RT_REOPEN_ACCESS ? rt_parcel_take(parcel) : -1;
    if (log >= 0 && !has_file)
        access = fcntl(log, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    int error = log >= 0 ? rt_log_reopen(log) : 0;
    if (error)
        rt_log_host(RT_LOG_ERROR, "cannot go on with the new log: %s", strerror(-error));
    if (access >= 0)
        replace(access, server, output);
}
