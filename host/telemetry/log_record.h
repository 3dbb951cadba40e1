/* log_record.h — what the files of the log share: one record, and what becomes of it */
#ifndef RT_TELEMETRY_LOG_RECORD_H
#define RT_TELEMETRY_LOG_RECORD_H

#include "base/buffer.h"
#include "telemetry/log.h"

#include <time.h>

#define RT_LOG_HOST "rtd" /* stands where a record of a module has the instance's name */
#define RT_LOG_SERVICE 65
#define RT_LOG_LEVEL_COUNT (RT_LOG_FATAL + 1)

typedef struct rt_log_record {
    struct timespec time;
    uint32_t level;
    const char *module;  /* the instance's name, */
    const char *version; /* and its module's; NULL: unknown */
    const char *message;
    const rt_field *fields;
    uint64_t field_count;
    const char *correlation;        /* NULL: none */
    uint64_t trace_high, trace_low; /* both 0: none */
    uint64_t span;                  /* 0: none */
    uint32_t trace_flags;           /* rt_trace_flags */
} rt_log_record;

typedef struct rt_log_style {
    char service[RT_LOG_SERVICE];
    bool colour;
} rt_log_style;

/* log_level.c */
extern const char *const rt_log_level_names[RT_LOG_LEVEL_COUNT];
int rt_log_level_named(const char *name); /* -EINVAL: none */
void rt_log_level_begin(uint32_t level);  /* of all */
/* Whether somebody hears it from this instance (NULL: the host). */
bool rt_log_is_heard(const rt_instance *instance, uint32_t level);

/* log_line.c: appends a line with its end. */
void rt_log_line_pretty(rt_buffer *line, const rt_log_style *style, const rt_log_record *record);
void rt_log_line_json(rt_buffer *line, const rt_log_style *style, const rt_log_record *record);
#define RT_LOG_TRACE_ID 33
#define RT_LOG_SPAN_ID 17
void rt_log_trace_id(const rt_log_record *record, char text[RT_LOG_TRACE_ID]);
void rt_log_span_id(const rt_log_record *record, char text[RT_LOG_SPAN_ID]);

void rt_log_put(const rt_log_record *record); /* log_put.c: to who takes records, if anybody does */

/* log_repeat.c: true if the record is not to be written, for it is counted and will be told. Sums
 * go to `write`. */
typedef void rt_log_writer(const rt_log_record *record);
void rt_log_repeat_begin(uint32_t limit, rt_log_writer *write);
bool rt_log_repeat_holds(const rt_log_record *record);

/* log_journal.c */
bool rt_journal_is_at(int fd);            /* as JOURNAL_STREAM says */
int rt_journal_connect(const char *path); /* NULL: the system's; descriptor or -errno */
/* 0, or -errno: the journal has not got it. */
int rt_journal_send(int fd, const rt_log_style *style, const rt_log_record *record);

#endif
