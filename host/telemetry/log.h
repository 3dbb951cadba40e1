/* log.h — one record a line on one descriptor, pretty or JSON, or a record of the journal
 *
 * The host logs with rt_log_host; plugins through the SDK's table. A line is one write(2), so lines
 * of several workers never mix. Values of secrets are redacted (base/redact.h). No function here
 * waits, but for a pipe that nobody reads, and for a twentieth of a second for a journal that does
 * not keep up.
 */
#ifndef RT_TELEMETRY_LOG_H
#define RT_TELEMETRY_LOG_H

#include "base/buffer.h"

#include <rt/log.h>
#include <stdbool.h>

typedef struct rt_log_options {
    const char *level;   /* trace, debug, info, warn, error, fatal */
    const char *format;  /* pretty, json, journal */
    const char *file;    /* NULL: standard error; opened for append, 0640 */
    const char *service; /* named in each structured record, 64 bytes at most; NULL: none */
    bool automatic;      /* without `file`: the journal where standard error is the journal's */
    const char *journal; /* its socket; NULL: the system's */
    uint32_t repeat;     /* lines that differ in numbers alone, a second; 0: all of them */
} rt_log_options;

int rt_log_open(const rt_log_options *options); /* 0 or -errno; before it: pretty, info, stderr */
bool rt_log_is_enabled(uint32_t level);         /* for anybody */
bool rt_log_is_structured(void);                /* fields reach programs: not pretty */
int rt_log_descriptor(void);                    /* that lines go to */
uint64_t rt_log_written(uint32_t level);        /* lines of a level so far */

/* Opens a log's file for append as rt_log_open does; descriptor or -errno. */
int rt_log_open_file(const char *path);
/* From now on the log's file is this descriptor's, which is closed; in one step, so that no line
 * of another thread is lost. Without a file nothing happens. 0 or -errno. */
int rt_log_reopen(int fd);

/* The least level from now on, until rt_log_open: of one module (its instance's name or its own;
 * "rtd" is the host), or of all with `module` NULL. 0, -EINVAL: no such level, -ENOSPC: too many
 * modules have levels of their own. */
#define RT_LOG_LEVELS_MOST 32
int rt_log_set_level(const char *level, const char *module);
/* A line each: the level of all, then levels with the modules that have one of their own. */
void rt_log_levels(rt_buffer *out);

/* Lines that were held back because they repeat are told as a sum when their second is over: by a
 * descriptor that becomes readable then (-1: none), whereupon rt_log_settle is to be called. At the
 * end of the process, and before another program takes its place, `all` has to be told. */
int rt_log_settles(void);
void rt_log_settle(bool all);

void rt_log_host(uint32_t level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Behind the SDK's table. */
int rt_host_log_enabled(const rt_ctx *ctx, uint32_t level);
void rt_host_log(rt_ctx *ctx, uint32_t level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void rt_host_log_fields(rt_ctx *ctx, uint32_t level, const rt_field *fields, uint64_t count,
                        const char *message);

#endif
