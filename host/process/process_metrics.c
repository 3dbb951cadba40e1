#include "process/process_metrics.h"

#include "telemetry/log.h"
#include "telemetry/metric.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static rt_instrument processor_time = {.name = "process.cpu.time",
                                       .unit = "s",
                                       .help = "Processor time of all workers and the supervisor",
                                       .kind = RT_COUNTER_REAL};
static rt_instrument resident = {.name = "process.memory.usage",
                                 .unit = "By",
                                 .help = "Memory of the process that is resident",
                                 .kind = RT_GAUGE,
                                 .aggregate = RT_EACH};
static rt_instrument heap = {.name = "rt.memory.heap",
                             .unit = "By",
                             .help = "Bytes that malloc has given out",
                             .kind = RT_GAUGE,
                             .aggregate = RT_EACH};
static rt_instrument descriptors = {.name = "process.open_file_descriptor.count",
                                    .unit = "{file_descriptor}",
                                    .help = "Descriptors that are open",
                                    .kind = RT_GAUGE,
                                    .aggregate = RT_EACH};
static rt_instrument uptime = {.name = "process.uptime",
                               .unit = "s",
                               .help = "Time since the process began",
                               .kind = RT_GAUGE,
                               .aggregate = RT_EACH};
static rt_instrument lines = {.name = "rt.log.lines",
                              .unit = "{line}",
                              .help = "Lines that were logged, by level",
                              .kind = RT_COUNTER};

static struct {
    int memory, descriptors; /* of /proc/self; -1: none */
    time_t began;
    double user, system;              /* told so far, */
    uint64_t lines[RT_LOG_FATAL + 1]; /* likewise */
    rt_series *user_time, *system_time, *resident, *heap, *open, *uptime;
} own = {.memory = -1, .descriptors = -1};

static time_t seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

static rt_series *mode(const char *name)
{
    return rt_series_of(&processor_time,
                        &(rt_metric_label){"cpu.mode", {name, __builtin_strlen(name)}}, 1);
}

void rt_process_metrics_open(void)
{
    own.memory = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    own.descriptors = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    own.began = seconds();
    own.user_time = mode("user");
    own.system_time = mode("system");
    own.resident = rt_series_of(&resident, NULL, 0);
    own.heap = rt_series_of(&heap, NULL, 0);
    own.uptime = rt_series_of(&uptime, NULL, 0);
    rt_process_metrics_refresh();
}

static double since(double *told, const struct timeval *used)
{
    double now = (double)used->tv_sec + (double)used->tv_usec / 1e6, more = now - *told;
    *told = now;
    return more;
}

static void refresh_time(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return;
    rt_series_add_real(own.user_time, since(&own.user, &usage.ru_utime));
    rt_series_add_real(own.system_time, since(&own.system, &usage.ru_stime));
}

static void refresh_memory(void)
{
    char text[128];
    ssize_t got = own.memory < 0 ? -1 : pread(own.memory, text, sizeof text - 1, 0);
    char *at = text;
    rt_series_set(own.heap, (double)mallinfo2().uordblks);
    if (got <= 0)
        return;
    text[got] = '\0';
    strtoul(at, &at, 10);
    rt_series_set(own.resident, (double)strtoul(at, NULL, 10) * (double)sysconf(_SC_PAGESIZE));
}

/* Its size is their number, from Linux 6.2 on; to count 10,000 entries each second is too much. */
static void refresh_descriptors(void)
{
    struct stat status;
    if (own.descriptors < 0 || fstat(own.descriptors, &status) != 0 || status.st_size <= 0)
        return;
    if (!own.open)
        own.open = rt_series_of(&descriptors, NULL, 0);
    rt_series_set(own.open, (double)status.st_size);
}

static void refresh_lines(void)
{
    static const char *const names[] = {"trace", "debug", "info", "warn", "error", "fatal"};
    for (uint32_t i = RT_LOG_TRACE; i <= RT_LOG_FATAL; i++) {
        uint64_t written = rt_log_written(i);
        if (written == own.lines[i])
            continue;
        rt_metric_label level = {"level", {names[i], strlen(names[i])}};
        rt_series_add(rt_series_of(&lines, &level, 1), written - own.lines[i]);
        own.lines[i] = written;
    }
}

void rt_process_metrics_refresh(void)
{
    refresh_time();
    refresh_lines();
    refresh_memory();
    refresh_descriptors();
    rt_series_set(own.uptime, (double)(seconds() - own.began));
}

void rt_process_metrics_close(void)
{
    if (own.memory >= 0)
        close(own.memory);
    if (own.descriptors >= 0)
        close(own.descriptors);
    own.memory = own.descriptors = -1;
}
