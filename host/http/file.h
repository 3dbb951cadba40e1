/* file.h — what answering with a file is made of: conditions and ranges are pure, and tested alone
 */
#ifndef RT_HTTP_FILE_H
#define RT_HTTP_FILE_H

#include <rt/http.h>
#include <stdbool.h>
#include <time.h>

#define RT_RANGES 16 /* more are answered by the whole file */

typedef struct rt_range {
    uint64_t first, length;
} rt_range;

typedef struct rt_file_facts {
    uint64_t size;
    int64_t modified; /* s since 1970 */
    const char *tag;  /* with its quotes */
    int64_t now;      /* of the answer's Date */
} rt_file_facts;

/* The status that the request's conditions lead to (RFC 9110, 13.2.2): 200, 206, 304, 412 or 416;
 * for 206 the ranges. */
uint32_t rt_file_judge(const rt_request *request, const rt_file_facts *facts,
                       rt_range ranges[RT_RANGES], uint32_t *count);
/* "Sun, 06 Nov 1994 08:49:37 GMT" of a time. */
#define RT_TIME_SIZE 30
void rt_http_time_write(int64_t time, char text[RT_TIME_SIZE]);
/* -1 for what is no date of RFC 9110, in any of its three forms. */
int64_t rt_http_time_read(rt_str text);

/* Never NULL. */
const char *rt_media_type(const char *path);

#endif
