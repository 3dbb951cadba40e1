/* access_line.h — how a line of the access log reads */
#ifndef RT_HTTP_ACCESS_LINE_H
#define RT_HTTP_ACCESS_LINE_H

#include "fiber/trace.h"
#include "http/features.h"

#include <time.h>

enum rt_access_text {
    RT_ACCESS_METHOD,
    RT_ACCESS_TARGET,
    RT_ACCESS_REFERER,
    RT_ACCESS_AGENT,
    RT_ACCESS_TEXTS,
};

struct rt_access_record {
    const char *protocol; /* "HTTP/1.1" */
    const char *tls;      /* "TLSv1.3"; NULL: none */
    char peer[RT_IP_TEXT];
    rt_str parts[RT_ACCESS_TEXTS];
    char text[];
};

typedef struct rt_access_style {
    const char *service; /* or NULL */
    int pid;
    const char *correlation; /* of this line */
    const rt_trace *trace;   /* likewise */
    time_t second;           /* that `stamp` is of */
    char stamp[40];
} rt_access_style;

/* Appends a line with its end. */
typedef void rt_access_writer(rt_buffer *lines, rt_access_style *style,
                              const rt_access_record *record, const rt_report *report);

rt_access_writer *rt_access_writer_named(const char *format); /* NULL: unknown */

#endif
