/* sender.h — one signal's way to its collector: a queue of requests and a connection
 *
 * One request at a time, over a connection that is kept. What the collector cannot take now (429,
 * 502, 503, 504, no connection, no answer) is tried again after 1 s, then 2 s, up to 30 s, each
 * with a random part, or after as long as it asks for; five minutes after its first try a request
 * is given up. What it refuses is dropped. Nothing here waits.
 */
#ifndef RT_EXPORT_SENDER_H
#define RT_EXPORT_SENDER_H

#include "base/buffer.h"
#include "export/curl.h"

#include <stdbool.h>
#include <stdint.h>
#include <zlib.h>

#define RT_ANSWER_MOST ((size_t)64 << 10)

/* What became of items. */
enum rt_sent {
    RT_SENT_EXPORTED,
    RT_SENT_REJECTED, /* by a collector that took the rest */
    RT_SENT_REFUSED,  /* with their request */
    RT_SENT_EXPIRED,  /* tried for too long, or at the end */
    RT_SENT_DROPPED,  /* for lack of room, before they were in a request */
    RT_SENT_LOST,     /* by workers that could not pass them on */
    RT_SENT_KINDS,
};

typedef struct rt_sender_options {
    const char *signal;      /* "traces", for the log */
    const char *endpoint;    /* whole URL */
    const char *headers;     /* NAME=VALUE,…, values percent-encoded; NULL */
    const char *certificate; /* PEM of the authorities to trust; NULL: the system's */
    int64_t timeout;         /* ns, of one try */
    bool gzip;
} rt_sender_options;

typedef struct rt_sender {
    rt_sender_options options;
    const rt_curl *curl;
    CURLM *multi;
    CURL *easy;
    struct curl_slist *headers;
    char *shown; /* the endpoint without what may be secret in it */
    z_stream deflate;
    struct rt_request *first, *last;
    size_t held;    /* bytes of requests that wait or are under way */
    size_t waiting; /* items in them */
    bool busy;
    uint64_t due; /* monotonic ns: when to try again; 0: at once */
    rt_buffer answer;
    bool answer_is_long;
    char reason[CURL_ERROR_SIZE];
    uint64_t counts[RT_SENT_KINDS]; /* items */
    uint64_t tries;                 /* that failed since the last that did not */
    uint64_t told;                  /* when trouble was logged last; 0: there is none */
} rt_sender;

/* False if the library refuses the options, with the reason. */
bool rt_sender_open(rt_sender *sender, const rt_curl *curl, CURLM *multi,
                    const rt_sender_options *options, const char **error);
/* What waits counts as expired, and `more` with it; told, since nothing will come of it. */
void rt_sender_give_up(rt_sender *sender, size_t more);
void rt_sender_close(rt_sender *sender);

/* Takes the bytes. */
void rt_sender_push(rt_sender *sender, rt_buffer *body, size_t items);
/* Starts what is due. */
void rt_sender_advance(rt_sender *sender, uint64_t now);
/* The transfer of `easy` has ended. */
void rt_sender_ended(rt_sender *sender, CURLcode result, uint64_t now);
/* When to advance again; 0: not until something ends or is pushed. */
uint64_t rt_sender_due(const rt_sender *sender);

/* For want of room; logged like other trouble. */
void rt_sender_drop(rt_sender *sender, size_t items, uint64_t now);
/* Likewise, by those who made them. */
void rt_sender_lose(rt_sender *sender, uint64_t items, uint64_t now);

#endif
