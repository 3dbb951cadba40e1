#include "export/sender.h"

#include "base/arena.h"
#include "base/pairs.h"
#include "base/redact.h"
#include "export/response.h"
#include "telemetry/log.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define SECOND UINT64_C(1000000000)
#define MINUTE (60 * SECOND)
#define FIRST_DELAY SECOND
#define LONGEST_DELAY (30 * SECOND)
#define PATIENCE (5 * MINUTE) /* for one request */
#define GZIP_WINDOW (15 + 16) /* of zlib: the largest, in gzip's form */
#define GZIP_MEMORY 8
#define REASON_SHOWN 200

typedef struct rt_request {
    struct rt_request *next;
    rt_buffer body;
    size_t items;
    uint64_t began; /* of the first try; 0: not tried yet */
    uint64_t delay; /* before the next */
} rt_request;

/* --- what is told ---------------------------------------------------------------------------- */

/* The first of a series at once, then one a minute. */
static bool is_to_be_told(rt_sender *sender, uint64_t now)
{
    if (sender->told && now - sender->told < MINUTE)
        return false;
    sender->told = now;
    return true;
}

static void tell_trouble(rt_sender *sender, const char *what, uint64_t now)
{
    if (is_to_be_told(sender, now))
        rt_log_host(RT_LOG_WARN,
                    "cannot export %s to `%s`: %s; %ju items wait, %ju were given up, %ju dropped",
                    sender->options.signal, sender->shown, what, (uintmax_t)sender->waiting,
                    (uintmax_t)(sender->counts[RT_SENT_REFUSED] + sender->counts[RT_SENT_EXPIRED] +
                                sender->counts[RT_SENT_REJECTED]),
                    (uintmax_t)(sender->counts[RT_SENT_DROPPED] + sender->counts[RT_SENT_LOST]));
}

static void tell_recovery(rt_sender *sender)
{
    if (sender->told && sender->tries)
        rt_log_host(RT_LOG_INFO, "exports %s to `%s` again", sender->options.signal, sender->shown);
    if (sender->tries)
        sender->told = 0;
    sender->tries = 0;
}

void rt_sender_lose(rt_sender *sender, uint64_t items, uint64_t now)
{
    sender->counts[RT_SENT_LOST] += items;
    tell_trouble(sender, "workers make more than the exporter reads", now);
}

void rt_sender_drop(rt_sender *sender, size_t items, uint64_t now)
{
    sender->counts[RT_SENT_DROPPED] += items;
    tell_trouble(sender, "more is made than leaves, and `telemetry.buffer` is full", now);
}

/* --- opening --------------------------------------------------------------------------------- */

static size_t take_answer(char *bytes, size_t size, size_t count, void *user)
{
    rt_sender *sender = user;
    size_t length = size * count;
    if (sender->answer.length + length > RT_ANSWER_MOST) {
        sender->answer_is_long = true;
        return 0;
    }
    rt_buffer_add(&sender->answer, bytes, length);
    return length;
}

static bool add_header(rt_sender *sender, const char *line)
{
    struct curl_slist *longer = sender->curl->slist_append(sender->headers, line);
    sender->headers = longer ? longer : sender->headers;
    return longer != NULL;
}

/* What a collector answers is logged, and it may repeat what it was sent. */
static void hide(const char *value)
{
    const char *space = strchr(value, ' ');
    rt_redact_add(value);
    rt_redact_add(space ? space + 1 : NULL);
}

static bool add_own_header(void *user, const char *name, const char *value)
{
    rt_buffer line = {0};
    hide(value);
    rt_buffer_format(&line, *value ? "%s: %s" : "%s;", name, value);
    bool added = add_header(user, line.data);
    explicit_bzero(line.data, line.length);
    rt_buffer_free(&line);
    return added;
}

static bool add_headers(rt_sender *sender)
{
    return add_header(sender, "Content-Type: application/x-protobuf") &&
           (!sender->options.gzip || add_header(sender, "Content-Encoding: gzip")) &&
           add_header(sender, "Expect:") && add_header(sender, "User-Agent: rt/" RT_VERSION) &&
           rt_pairs_each(sender->options.headers, add_own_header, sender) == NULL;
}

static bool set_options(rt_sender *sender)
{
    const rt_curl *curl = sender->curl;
    const rt_sender_options *options = &sender->options;
    const char *pem = options->certificate;
    struct curl_blob blob = {(void *)(uintptr_t)pem, pem ? strlen(pem) : 0, CURL_BLOB_COPY};
    CURL *easy = sender->easy;
    return !(curl->easy_setopt(easy, CURLOPT_URL, options->endpoint) ||
             curl->easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") ||
             curl->easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) ||
             curl->easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) ||
             curl->easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) ||
             curl->easy_setopt(easy, CURLOPT_POST, 1L) ||
             curl->easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)(options->timeout / 1000000)) ||
             curl->easy_setopt(easy, CURLOPT_HTTPHEADER, sender->headers) ||
             curl->easy_setopt(easy, CURLOPT_ERRORBUFFER, sender->reason) ||
             curl->easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_answer) ||
             curl->easy_setopt(easy, CURLOPT_WRITEDATA, sender) ||
             curl->easy_setopt(easy, CURLOPT_PRIVATE, sender) ||
             (pem && curl->easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob)));
}

/* Without user and password, and without a query, which may be a key. */
static char *shown_endpoint(const char *endpoint)
{
    const char *scheme = strstr(endpoint, "://");
    const char *host = scheme ? scheme + 3 : endpoint, *end = host + strcspn(host, "/?#");
    const char *at = memrchr(host, '@', (size_t)(end - host));
    rt_buffer text = {0};
    rt_buffer_add(&text, endpoint, (size_t)(host - endpoint));
    host = at ? at + 1 : host;
    rt_buffer_add(&text, host, strcspn(host, "?#"));
    return text.data;
}

bool rt_sender_open(rt_sender *sender, const rt_curl *curl, CURLM *multi,
                    const rt_sender_options *options, const char **error)
{
    *sender = (rt_sender){.options = *options, .curl = curl, .multi = multi};
    sender->shown = shown_endpoint(options->endpoint);
    sender->easy = curl->easy_init();
    if (options->gzip && deflateInit2(&sender->deflate, Z_BEST_SPEED, Z_DEFLATED, GZIP_WINDOW,
                                      GZIP_MEMORY, Z_DEFAULT_STRATEGY) != Z_OK)
        sender->options.gzip = false;
    if (sender->easy && add_headers(sender) && set_options(sender))
        return true;
    *error = *sender->reason ? sender->reason : "libcurl refuses the settings";
    return false;
}

/* --- the queue ------------------------------------------------------------------------------- */

static bool squeeze(rt_sender *sender, rt_buffer *body)
{
    z_stream *stream = &sender->deflate;
    rt_buffer packed = {0};
    deflateReset(stream);
    rt_buffer_reserve(&packed, deflateBound(stream, body->length));
    stream->next_in = (unsigned char *)body->data;
    stream->avail_in = (unsigned)body->length;
    stream->next_out = (unsigned char *)packed.data;
    stream->avail_out = (unsigned)packed.capacity;
    if (deflate(stream, Z_FINISH) != Z_STREAM_END) {
        rt_buffer_free(&packed);
        return false;
    }
    packed.length = stream->total_out;
    rt_buffer_free(body);
    *body = packed;
    return true;
}

/* What was reserved for the worst case would count as held. */
static void shrink(rt_buffer *body)
{
    body->data = rt_xrealloc(body->data, body->length + 1);
    body->data[body->length] = '\0';
    body->capacity = body->length + 1;
}

void rt_sender_push(rt_sender *sender, rt_buffer *body, size_t items)
{
    rt_request *request = rt_xcalloc(1, sizeof *request);
    if (sender->options.gzip && !squeeze(sender, body)) {
        sender->counts[RT_SENT_REFUSED] += items;
        rt_buffer_free(body);
        free(request);
        return;
    }
    shrink(body);
    *request = (rt_request){.body = *body, .items = items, .delay = FIRST_DELAY};
    *body = (rt_buffer){0};
    if (sender->last)
        sender->last->next = request;
    else
        sender->first = request;
    sender->last = request;
    sender->held += request->body.capacity + sizeof *request;
    sender->waiting += items;
}

static void pop(rt_sender *sender, enum rt_sent how, uint64_t rejected)
{
    rt_request *request = sender->first;
    uint64_t rest = request->items - (rejected < request->items ? rejected : request->items);
    sender->counts[how] += rest;
    sender->counts[RT_SENT_REJECTED] += request->items - rest;
    sender->held -= request->body.capacity + sizeof *request;
    sender->waiting -= request->items;
    sender->first = request->next;
    if (!sender->first)
        sender->last = NULL;
    sender->due = 0;
    rt_buffer_free(&request->body);
    free(request);
}

/* --- trying ---------------------------------------------------------------------------------- */

void rt_sender_advance(rt_sender *sender, uint64_t now)
{
    rt_request *request = sender->first;
    if (!request || sender->busy || sender->due > now)
        return;
    const rt_curl *curl = sender->curl;
    if (!request->began)
        request->began = now;
    sender->due = 0;
    sender->answer.length = 0;
    sender->answer_is_long = false;
    sender->reason[0] = '\0';
    curl->easy_setopt(sender->easy, CURLOPT_POSTFIELDS, request->body.data);
    curl->easy_setopt(sender->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.length);
    sender->busy = curl->multi_add_handle(sender->multi, sender->easy) == CURLM_OK;
    if (!sender->busy)
        pop(sender, RT_SENT_REFUSED, 0);
}

/* Between half of it and all of it, so that those who lost a collector together do not come back
 * together. */
static uint64_t with_jitter(uint64_t delay)
{
    uint32_t chance = 0;
    if (getrandom(&chance, sizeof chance, GRND_NONBLOCK) != sizeof chance)
        chance = (uint32_t)(uintptr_t)&delay;
    return delay / 2 + delay / 2 / 1024 * (chance % 1024);
}

static void try_later(rt_sender *sender, const char *why, uint64_t now)
{
    rt_request *request = sender->first;
    curl_off_t asked = 0;
    uint64_t delay = with_jitter(request->delay);
    sender->curl->easy_getinfo(sender->easy, CURLINFO_RETRY_AFTER, &asked);
    if (asked > 0)
        delay = asked < (curl_off_t)(PATIENCE / SECOND) ? (uint64_t)asked * SECOND : PATIENCE;
    request->delay = request->delay * 2 < LONGEST_DELAY ? request->delay * 2 : LONGEST_DELAY;
    sender->tries++;
    tell_trouble(sender, why, now);
    if (now + delay >= request->began + PATIENCE)
        pop(sender, RT_SENT_EXPIRED, 0);
    else
        sender->due = now + delay;
}

/* --- answers --------------------------------------------------------------------------------- */

static void describe_status(const rt_sender *sender, long status, rt_buffer *text)
{
    rt_partial reason;
    rt_buffer_format(text, "it answers %ld", status);
    if (rt_response_reason(sender->answer.data, sender->answer.length, &reason) < 0 ||
        !reason.length)
        return;
    rt_buffer words = {0};
    rt_buffer_add(&words, reason.message,
                  reason.length < REASON_SHOWN ? reason.length : REASON_SHOWN);
    rt_buffer_text(text, ", \"");
    rt_buffer_visible(text, words.data);
    rt_buffer_char(text, '"');
    rt_buffer_free(&words);
}

static void tell_partial(rt_sender *sender, const rt_partial *partial, uint64_t now)
{
    rt_buffer words = {0}, text = {0};
    if (partial->length)
        rt_buffer_add(&words, partial->message,
                      partial->length < REASON_SHOWN ? partial->length : REASON_SHOWN);
    rt_buffer_format(&text, "it rejects %ju items of a request, \"", (uintmax_t)partial->rejected);
    rt_buffer_visible(&text, words.data ? words.data : "");
    rt_buffer_char(&text, '"');
    tell_trouble(sender, text.data, now);
    rt_buffer_free(&words);
    rt_buffer_free(&text);
}

/* The status has said that it was taken; a body that means nothing changes nothing about that. */
static void accept_answer(rt_sender *sender, uint64_t now)
{
    rt_partial partial = {0};
    bool read = !sender->answer_is_long &&
                rt_response_read(sender->answer.data, sender->answer.length, &partial) == 0;
    tell_recovery(sender);
    if (!read)
        tell_trouble(sender, "it answers with success, but what follows is no answer of OTLP", now);
    else if (partial.rejected || partial.length)
        tell_partial(sender, &partial, now);
    pop(sender, RT_SENT_EXPORTED, read ? partial.rejected : 0);
}

static bool is_passing(long status)
{
    return status == 429 || status == 502 || status == 503 || status == 504;
}

static void judge_status(rt_sender *sender, uint64_t now)
{
    rt_buffer text = {0};
    long status = 0;
    sender->curl->easy_getinfo(sender->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 200 && status < 300) {
        accept_answer(sender, now);
        return;
    }
    describe_status(sender, status, &text);
    if (is_passing(status)) {
        try_later(sender, text.data, now);
    } else {
        sender->tries++;
        pop(sender, RT_SENT_REFUSED, 0);
        tell_trouble(sender, text.data, now);
    }
    rt_buffer_free(&text);
}

void rt_sender_ended(rt_sender *sender, CURLcode result, uint64_t now)
{
    const rt_curl *curl = sender->curl;
    curl->multi_remove_handle(sender->multi, sender->easy);
    sender->busy = false;
    if (result == CURLE_OK || (result == CURLE_WRITE_ERROR && sender->answer_is_long))
        judge_status(sender, now);
    else
        try_later(sender, *sender->reason ? sender->reason : curl->easy_strerror(result), now);
}

uint64_t rt_sender_due(const rt_sender *sender)
{
    if (!sender->first || sender->busy)
        return 0;
    return sender->due ? sender->due : 1; /* at once */
}

static void empty_queue(rt_sender *sender)
{
    if (sender->busy)
        sender->curl->multi_remove_handle(sender->multi, sender->easy);
    sender->busy = false;
    while (sender->first)
        pop(sender, RT_SENT_EXPIRED, 0);
}

void rt_sender_give_up(rt_sender *sender, size_t more)
{
    size_t items = sender->waiting + more;
    if (items)
        rt_log_host(RT_LOG_WARN, "%zu items of %s were not exported to `%s`: there is no more time",
                    items, sender->options.signal, sender->shown);
    empty_queue(sender);
    sender->counts[RT_SENT_EXPIRED] += more;
}

void rt_sender_close(rt_sender *sender)
{
    empty_queue(sender);
    if (sender->easy)
        sender->curl->easy_cleanup(sender->easy);
    sender->curl->slist_free_all(sender->headers);
    if (sender->options.gzip)
        deflateEnd(&sender->deflate);
    rt_buffer_free(&sender->answer);
    free(sender->shown);
    sender->easy = NULL;
}
