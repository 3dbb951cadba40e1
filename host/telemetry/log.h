/* log.h — one line a record on one descriptor, pretty or JSON
 *
 * The host logs with rt_log_host; plugins through the SDK's table. A record is one write(2), so
 * lines of several workers never mix. No function here waits.
 */
#ifndef RT_TELEMETRY_LOG_H
#define RT_TELEMETRY_LOG_H

#include <rt/log.h>
#include <stdbool.h>

typedef struct rt_log_options {
    const char *level;   /* trace, debug, info, warn, error, fatal */
    const char *format;  /* pretty, json */
    const char *file;    /* NULL: standard error; opened for append, 0640 */
    const char *service; /* named in each JSON record, 64 bytes at most; NULL: none */
} rt_log_options;

int rt_log_open(const rt_log_options *options); /* 0 or -errno; before it: pretty, info, stderr */
bool rt_log_is_enabled(uint32_t level);         /* for anybody */
bool rt_log_is_json(void);

/* The least level from now on, until rt_log_open: of one module (its instance's name or its own;
 * "rtd" is the host), or of all with `module` NULL. 0, -EINVAL: no such level, -ENOSPC: too many
 * modules have levels of their own. */
int rt_log_set_level(const char *level, const char *module);
/* Lines of a level that were written so far. */
uint64_t rt_log_written(uint32_t level);
int rt_log_descriptor(void); /* that records go to */

void rt_log_host(uint32_t level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Behind the SDK's table. */
int rt_host_log_enabled(const rt_ctx *ctx, uint32_t level);
void rt_host_log(rt_ctx *ctx, uint32_t level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void rt_host_log_fields(rt_ctx *ctx, uint32_t level, const rt_field *fields, uint64_t count,
                        const char *message);

#endif
