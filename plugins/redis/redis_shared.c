#include "redis_shared.h"

#include "verdict.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define LEAST_PAUSE RT_MS(100)
#define MOST_PAUSE RT_S(5)
#define KEPT_REQUESTS 256

RT_GAUGE(open_connections, "redis.connections", "{connection}", "Connections that commands share")
RT_COUNTER(lost_connections, "redis.connections.lost", "{connection}",
           "Connections that ended though they were wanted")
RT_COUNTER(failed_connections, "redis.connections.failed", "{connection}",
           "Attempts to connect that failed")
RT_COUNTER(discarded_replies, "redis.replies.discarded", "{reply}",
           "Replies of commands that nobody waited for any more")

struct rt_redis_request {
    rt_redis_request *next;
    rt_semaphore *answered;
    uint32_t holders; /* its caller, and the queue */
    int code;
    bool told;           /* the caller knows, or is about to */
    bool abandoned;      /* the caller is gone */
    bool whole;          /* nothing of it is carried out before all of it has come */
    bool lost, sent;     /* the connection, and what may have been carried out */
    uint64_t begin, end; /* places in the connection's stream */
    uint64_t queued_at;
    rt_redis_replies replies;
};

enum state { IDLE, CONNECTING, READY, CLOSING };

struct connection {
    rt_redis_shared *shared;
    rt_redis_link *link;
    enum state state;
    rt_redis_bytes output;
    rt_redis_request *first, **last; /* those whose replies are to come, in order */
    uint32_t length;
    rt_semaphore *wanted;   /* the reader is to connect */
    rt_semaphore *pending;  /* the writer has something to send */
    rt_semaphore *finished; /* the writer has let go of the socket */
    bool scheduled, writing, awaited;
    uint64_t heard_at, retry_at, pause;
    char where[320], failure[480];
};

struct rt_redis_shared {
    const rt_redis_settings *settings;
    bool transactions;  /* the server lets us */
    rt_semaphore *gate; /* always open: tells who is cancelled or late before anything is sent */
    rt_redis_request *free_requests;
    uint32_t free_count, count;
    struct connection connections[];
};

/* --- requests -------------------------------------------------------------------------------- */

static void free_request(rt_redis_request *request)
{
    rt_semaphore_free(request->answered);
    free(request);
}

static rt_redis_request *new_request(rt_redis_shared *shared)
{
    rt_redis_request *request = shared->free_requests;
    if (request) {
        shared->free_requests = request->next;
        shared->free_count--;
    } else if ((request = malloc(sizeof *request))) {
        request->replies.chunks = NULL;
        request->answered = rt_semaphore_new(0);
        if (!request->answered) {
            free(request);
            return NULL;
        }
    }
    return request;
}

/* An abandoned one may have a permit that nobody took. */
static void let_go(rt_redis_shared *shared, rt_redis_request *request)
{
    if (--request->holders)
        return;
    rt_redis_replies_end(&request->replies);
    if (request->abandoned || shared->free_count >= KEPT_REQUESTS) {
        free_request(request);
        return;
    }
    request->next = shared->free_requests;
    shared->free_requests = request;
    shared->free_count++;
}

void rt_redis_request_end(rt_redis_shared *shared, rt_redis_request *request)
{
    if (request)
        let_go(shared, request);
}

const rt_redis_reply *rt_redis_request_replies(const rt_redis_request *request)
{
    return request->replies.at;
}

static void tell(rt_redis_request *request, int code)
{
    if (request->told || request->abandoned)
        return;
    request->told = true;
    request->code = code;
    rt_semaphore_release(request->answered);
}

static rt_redis_request *take_first(struct connection *connection)
{
    rt_redis_request *request = connection->first;
    connection->first = request->next;
    if (!connection->first)
        connection->last = &connection->first;
    connection->length--;
    return request;
}

/* --- what callers do ------------------------------------------------------------------------- */

static void want(struct connection *connection)
{
    connection->state = CONNECTING;
    rt_semaphore_release(connection->wanted);
}

/* The shortest queue of those that are open, else of those that soon may be; NULL: none may. */
static struct connection *choose(rt_redis_shared *shared)
{
    struct connection *best = NULL;
    for (uint32_t i = 0; i < shared->count; i++) {
        struct connection *connection = &shared->connections[i];
        if (connection->state == IDLE && connection->retry_at <= rt_now())
            want(connection);
        if (connection->state != CONNECTING && connection->state != READY)
            continue;
        if (!best || connection->state > best->state ||
            (connection->state == best->state && connection->length < best->length))
            best = connection;
    }
    return best;
}

uint32_t rt_redis_batch_replies(const rt_redis_batch *batch)
{
    return batch->count + (batch->atomic ? 2 : 0);
}

bool rt_redis_put_batch(rt_redis_bytes *bytes, const rt_redis_batch *batch)
{
    size_t before = rt_redis_bytes_left(bytes);
    bool put = !batch->atomic || rt_redis_put(bytes, RT_REDIS(RT_STR("MULTI")));
    for (uint32_t i = 0; put && i < batch->count; i++)
        put = rt_redis_put(bytes, &batch->commands[i]);
    put = put && (!batch->atomic || rt_redis_put(bytes, RT_REDIS(RT_STR("EXEC"))));
    if (!put)
        bytes->end = bytes->begin + before;
    return put;
}

static bool enqueue(struct connection *connection, const rt_redis_batch *batch,
                    rt_redis_request *request)
{
    uint64_t begin = rt_redis_bytes_place(&connection->output);
    if (!rt_redis_put_batch(&connection->output, batch))
        return false;
    request->next = NULL;
    request->holders = 2;
    request->told = request->abandoned = request->lost = request->sent = false;
    request->whole = batch->atomic || batch->count == 1;
    request->begin = begin;
    request->end = rt_redis_bytes_place(&connection->output);
    request->queued_at = rt_now();
    *connection->last = request;
    connection->last = &request->next;
    connection->length++;
    if (connection->state == READY && !connection->scheduled && !connection->writing) {
        connection->scheduled = true;
        rt_semaphore_release(connection->pending);
    }
    return true;
}

static int no_memory(rt_ctx *ctx)
{
    return rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "no memory for a command of redis");
}

int rt_redis_fail_lost(rt_ctx *ctx, const char *where, const char *why, bool sent)
{
    return rt_fail_with(
        ctx, &(rt_error){.size = sizeof(rt_error),
                         .code = RT_EUNAVAILABLE,
                         .retryable = !sent,
                         .message = rt_format(ctx, "the connection to `%s` was lost", where),
                         .detail = rt_format(ctx, "%s", why),
                         .hint = sent ? "the command may have been carried out; flag what may be "
                                        "repeated RT_REDIS_IDEMPOTENT"
                                      : NULL});
}

int rt_redis_fail_refused(rt_ctx *ctx, int code, const char *where, const char *why)
{
    return rt_fail_with(
        ctx, &(rt_error){.size = sizeof(rt_error),
                         .code = code,
                         .message = rt_format(ctx, "the reply from `%s` was given up", where),
                         .detail = rt_format(ctx, "%s", why),
                         .hint = code == RT_ERESOURCE_EXHAUSTED
                                     ? "ask for less at once, or raise `max_reply`"
                                     : NULL});
}

static int fail_closed(rt_ctx *ctx, const struct connection *connection)
{
    return rt_fail_with(ctx, &(rt_error){.size = sizeof(rt_error),
                                         .code = RT_EUNAVAILABLE,
                                         .retryable = 1,
                                         .message = rt_format(ctx, "no connection to redis"),
                                         .detail = rt_format(ctx, "%s", connection->failure)});
}

static int fail_request(rt_ctx *ctx, const struct connection *connection,
                        const rt_redis_request *request)
{
    switch (request->code) {
    case -RT_EDEADLINE:
        return rt_fail(ctx, RT_EDEADLINE, "no reply from `%s` in `timeout`", connection->where);
    case -RT_EUNAVAILABLE:
        return request->lost
                   ? rt_redis_fail_lost(ctx, connection->where, connection->failure, request->sent)
                   : fail_closed(ctx, connection);
    default:
        return rt_redis_fail_refused(ctx, -request->code, connection->where, connection->failure);
    }
}

static int await(rt_ctx *ctx, rt_redis_request *request)
{
    int result = rt_semaphore_acquire(ctx, request->answered);
    request->abandoned = result < 0;
    return result;
}

static int check_atomic(rt_ctx *ctx, const rt_redis_shared *shared, const rt_redis_batch *batch)
{
    if (!batch->atomic || shared->transactions)
        return 0;
    return rt_fail_with(ctx,
                        &(rt_error){.size = sizeof(rt_error),
                                    .code = RT_EINTERNAL,
                                    .domain = "NOPERM",
                                    .message = "the user of redis may not use `MULTI` and `EXEC`",
                                    .hint = "allow it: `ACL SETUSER … +multi +exec`"});
}

/* 0 or the error; `*lost`: it came to nothing, and the batch may be sent again. */
static int call_once(rt_ctx *ctx, rt_redis_shared *shared, const rt_redis_batch *batch,
                     rt_redis_request *request, bool *lost)
{
    struct connection *connection = choose(shared);
    *lost = false;
    request->holders = 1;
    request->abandoned = false;
    if (!connection)
        return fail_closed(ctx, &shared->connections[0]);
    RT_TRY(check_atomic(ctx, shared, batch));
    if (!rt_redis_replies_begin(&request->replies, rt_redis_batch_replies(batch)) ||
        !enqueue(connection, batch, request))
        return no_memory(ctx);
    RT_TRY(await(ctx, request));
    if (request->code == 0)
        return 0;
    *lost = request->lost && (!request->sent || batch->idempotent);
    return fail_request(ctx, connection, request);
}

int rt_redis_shared_call(rt_ctx *ctx, rt_redis_shared *shared, const rt_redis_batch *batch,
                         rt_redis_request **request)
{
    RT_TRY(rt_semaphore_acquire(ctx, shared->gate));
    rt_semaphore_release(shared->gate);
    bool lost;
    for (uint32_t others = shared->count;; others--) { /* may be as dead, and not known to be */
        *request = new_request(shared);
        if (!*request)
            return no_memory(ctx);
        int result = call_once(ctx, shared, batch, *request, &lost);
        if (!lost || !others)
            return result;
        rt_redis_request_end(shared, *request);
    }
}

/* --- the writer ------------------------------------------------------------------------------ */

/* Wakes the reader too, which ends the session. */
static void give_up(const struct connection *connection)
{
    shutdown(connection->link->fd, SHUT_RDWR);
}

static int write_pending(rt_ctx *ctx, struct connection *connection)
{
    rt_redis_bytes *output = &connection->output;
    rt_redis_link *link = connection->link;
    while (connection->state == READY && rt_redis_bytes_left(output)) {
        int64_t sent =
            rt_redis_stream_write(link, output->data + output->begin, rt_redis_bytes_left(output));
        if (sent < 0) {
            give_up(connection);
            return 0;
        }
        rt_redis_bytes_take(output, (size_t)sent);
        if (sent > 0)
            continue;
        int ready = link->wants == RT_WRITABLE ? rt_wait_fd(ctx, link->fd, RT_WRITABLE, 0)
                                               : rt_sleep(ctx, RT_MS(1));
        if (ready < 0)
            return ready;
    }
    return 0;
}

static int write_all(rt_ctx *ctx, void *argument)
{
    struct connection *connection = argument;
    for (;;) {
        RT_TRY(rt_semaphore_acquire(ctx, connection->pending));
        connection->scheduled = false;
        connection->writing = true;
        int result = connection->state == READY ? write_pending(ctx, connection) : 0;
        connection->writing = false;
        if (connection->awaited)
            rt_semaphore_release(connection->finished);
        connection->awaited = false;
        RT_TRY(result);
    }
}

/* --- the reader ------------------------------------------------------------------------------ */

static bool is_demoted(const rt_redis_replies *replies)
{
    for (uint32_t i = 0; i < replies->count; i++) {
        const rt_redis_reply *reply = &replies->at[i];
        if (reply->type == RT_REDIS_ERROR &&
            strncmp(rt_redis_reason_of(reply->text, reply->length).data, "READONLY", 8) == 0)
            return true;
    }
    return false;
}

static void finish(rt_ctx *ctx, struct connection *connection)
{
    rt_redis_request *request = take_first(connection);
    if (connection->shared->settings->master && is_demoted(&request->replies))
        rt_redis_break(connection->link, "the master has become a replica");
    if (request->told || request->abandoned)
        rt_metric_add(ctx, &discarded_replies, 1);
    tell(request, 0);
    let_go(connection->shared, request);
}

static void refuse_bytes(struct connection *connection, enum rt_redis_reading verdict)
{
    rt_redis_break(connection->link, rt_redis_reader_failure(connection->link->reader));
    snprintf(connection->failure, sizeof connection->failure, "%s", connection->link->failure);
    if (connection->first)
        tell(connection->first,
             verdict == RT_REDIS_READ_TOO_LARGE ? -RT_ERESOURCE_EXHAUSTED : -RT_EINTERNAL);
}

/* Gives each whole reply to who waits for it. */
static void hand_out(rt_ctx *ctx, struct connection *connection)
{
    rt_redis_reader *reader = connection->link->reader;
    while (!connection->link->broken) {
        rt_redis_request *request = connection->first;
        if (!request || request->begin >= connection->output.taken) {
            if (!rt_redis_reader_empty(reader))
                rt_redis_break(connection->link, "a reply that nobody asked for");
            return;
        }
        enum rt_redis_reading reading = rt_redis_reader_next(reader, &request->replies);
        if (reading < 0)
            refuse_bytes(connection, reading);
        if (reading <= 0)
            return;
        if (request->replies.count == request->replies.expected)
            finish(ctx, connection);
    }
}

/* All requests have the same time, so those that are out of it come first in the queue. A server
 * that says nothing is given up, and so is a reply that trickles on when nobody wants it. */
static void expire(struct connection *connection)
{
    uint64_t now = rt_now(), timeout = connection->shared->settings->timeout;
    const rt_redis_request *first = connection->first;
    if (!first || first->queued_at + timeout > now)
        return;
    for (rt_redis_request *request = connection->first;
         request && request->queued_at + timeout <= now; request = request->next)
        tell(request, -RT_EDEADLINE);
    if (connection->heard_at + timeout <= now || first->queued_at + 2 * timeout <= now)
        rt_redis_break(connection->link, "no reply in `timeout`");
}

/* A request that comes while we wait without one is seen a fraction of its time later. */
static uint64_t next_look(const struct connection *connection)
{
    uint64_t timeout = connection->shared->settings->timeout, soon = rt_now() + timeout / 4;
    for (const rt_redis_request *request = connection->first; request; request = request->next)
        if (!request->told && !request->abandoned)
            return request->queued_at + timeout < soon ? request->queued_at + timeout : soon;
    return soon;
}

static int wait_for_bytes(rt_ctx *ctx, struct connection *connection)
{
    rt_redis_link *link = connection->link;
    uint32_t wants = link->tls ? link->wants : RT_READABLE;
    link->reads = 0;
    if (wants == RT_WRITABLE && connection->writing)
        return rt_sleep(ctx, RT_MS(1));
    int ready = rt_wait_fd(ctx, link->fd, wants, next_look(connection));
    if (ready == -RT_EDEADLINE)
        expire(connection);
    return ready == -RT_EDEADLINE || ready > 0 ? 0 : ready;
}

/* Until the link is broken: 0, or -RT_ECANCELED. */
static int read_all(rt_ctx *ctx, struct connection *connection)
{
    rt_redis_link *link = connection->link;
    while (!link->broken) {
        int64_t got = rt_redis_stream_read(link, link->input, sizeof link->input);
        if (got > 0) {
            connection->heard_at = rt_now();
            enum rt_redis_reading fed =
                rt_redis_reader_feed(link->reader, link->input, (size_t)got);
            if (fed < 0)
                refuse_bytes(connection, fed);
            hand_out(ctx, connection);
            expire(connection);
            RT_TRY(rt_redis_give_way(ctx, link));
        }
        bool drained = got == 0 || (!link->tls && got < (int64_t)sizeof link->input);
        if (!link->broken && drained)
            RT_TRY(wait_for_bytes(ctx, connection));
    }
    return 0;
}

/* --- sessions -------------------------------------------------------------------------------- */

static void count_open(rt_ctx *ctx, const rt_redis_shared *shared)
{
    uint32_t open = 0;
    for (uint32_t i = 0; i < shared->count; i++)
        open += shared->connections[i].state == READY;
    rt_metric_set(ctx, &open_connections, open);
}

static void fail_all(struct connection *connection, bool lost)
{
    while (connection->first) {
        rt_redis_request *request = take_first(connection);
        request->lost = lost;
        request->sent =
            (request->whole ? request->end - 1 : request->begin) < connection->output.taken;
        tell(request, -RT_EUNAVAILABLE);
        let_go(connection->shared, request);
    }
    uint64_t taken = connection->output.taken;
    rt_redis_bytes_free(&connection->output);
    connection->output.taken = taken;
}

static int await_writer(rt_ctx *ctx, struct connection *connection)
{
    connection->state = CLOSING;
    give_up(connection);
    if (!connection->writing)
        return 0;
    connection->awaited = true;
    return rt_semaphore_acquire(ctx, connection->finished);
}

static int end_session(rt_ctx *ctx, struct connection *connection)
{
    rt_redis_link *link = connection->link;
    snprintf(connection->failure, sizeof connection->failure, "%s", link->failure);
    RT_TRY(await_writer(ctx, connection));
    rt_log(ctx, RT_LOG_WARN, "the connection to `%s` was lost: %s", connection->where,
           connection->failure);
    rt_metric_add(ctx, &lost_connections, 1);
    rt_redis_close(link);
    connection->link = NULL;
    connection->state = IDLE;
    connection->retry_at = 0;
    fail_all(connection, true);
    count_open(ctx, connection->shared);
    return 0;
}

static int serve_link(rt_ctx *ctx, struct connection *connection)
{
    connection->state = READY;
    connection->pause = 0;
    connection->heard_at = rt_now();
    snprintf(connection->where, sizeof connection->where, "%s", connection->link->where);
    count_open(ctx, connection->shared);
    if (rt_redis_bytes_left(&connection->output) && !connection->scheduled) {
        connection->scheduled = true;
        rt_semaphore_release(connection->pending);
    }
    RT_TRY(read_all(ctx, connection));
    return end_session(ctx, connection);
}

/* --- connecting ------------------------------------------------------------------------------ */

static void note_failure(struct connection *connection, const rt_error *error)
{
    snprintf(connection->failure, sizeof connection->failure, "%s%s%s%s%s",
             error ? error->message : "cannot connect", error && error->detail ? ": " : "",
             error && error->detail ? error->detail : "", error && error->hint ? "; " : "",
             error && error->hint ? error->hint : "");
}

static int open_link(rt_ctx *ctx, void *argument)
{
    struct connection *connection = argument;
    int result = rt_redis_open(ctx, connection->shared->settings, &connection->link);
    if (result < 0)
        note_failure(connection, rt_last_error(ctx));
    else
        connection->shared->transactions = connection->link->transaction;
    return result;
}

static void put_off(rt_ctx *ctx, struct connection *connection)
{
    if (!connection->pause)
        rt_log(ctx, RT_LOG_WARN, "%s", connection->failure);
    rt_metric_add(ctx, &failed_connections, 1);
    connection->pause = connection->pause ? connection->pause * 2 : LEAST_PAUSE;
    if (connection->pause > MOST_PAUSE)
        connection->pause = MOST_PAUSE;
    connection->retry_at = rt_now() + connection->pause;
    connection->state = IDLE;
    fail_all(connection, false);
}

/* Connects in a unit of work of its own, whose memory ends with the attempt. */
static int keep_connected(rt_ctx *ctx, void *argument)
{
    struct connection *connection = argument;
    if (connection->link)
        RT_TRY(serve_link(ctx, connection));
    for (;;) {
        RT_TRY(rt_semaphore_acquire(ctx, connection->wanted));
        bool again = connection->pause || connection->failure[0];
        int result = rt_run(ctx, open_link, connection, .name = "redis.connect");
        if (result == -RT_ECANCELED)
            return result;
        if (result < 0) {
            put_off(ctx, connection);
            continue;
        }
        if (again)
            rt_log(ctx, RT_LOG_INFO, "connected to `%s` again", connection->link->where);
        RT_TRY(serve_link(ctx, connection));
    }
}

int rt_redis_shared_serve(rt_ctx *ctx, void *argument)
{
    rt_redis_shared *shared = argument;
    for (uint32_t i = 0; i < shared->count; i++) {
        rt_spawn(ctx, write_all, &shared->connections[i]);
        rt_spawn(ctx, keep_connected, &shared->connections[i]);
    }
    return 0; /* ends after its children */
}

/* --- life ------------------------------------------------------------------------------------ */

static bool prepare(rt_redis_shared *shared, struct connection *connection)
{
    connection->shared = shared;
    connection->last = &connection->first;
    rt_redis_address_text(&shared->settings->address, connection->where, sizeof connection->where);
    connection->wanted = rt_semaphore_new(0);
    connection->pending = rt_semaphore_new(0);
    connection->finished = rt_semaphore_new(0);
    return connection->wanted && connection->pending && connection->finished;
}

rt_redis_shared *rt_redis_shared_new(const rt_redis_settings *settings, uint32_t connections,
                                     rt_redis_link *first)
{
    rt_redis_shared *shared = calloc(1, sizeof *shared + connections * sizeof(struct connection));
    if (!shared)
        return NULL;
    shared->settings = settings;
    shared->count = connections;
    bool ready = (shared->gate = rt_semaphore_new(1)) != NULL;
    for (uint32_t i = 0; i < connections; i++)
        ready = prepare(shared, &shared->connections[i]) && ready;
    if (!ready) {
        rt_redis_shared_free(shared);
        return NULL;
    }
    shared->connections[0].link = first;
    shared->transactions = first->transaction;
    return shared;
}

static void free_connection(struct connection *connection)
{
    rt_semaphore *const semaphores[] = {connection->wanted, connection->pending,
                                        connection->finished};
    if (connection->last)
        fail_all(connection, true);
    rt_redis_close(connection->link);
    for (size_t i = 0; i < sizeof semaphores / sizeof semaphores[0]; i++)
        if (semaphores[i])
            rt_semaphore_free(semaphores[i]);
}

void rt_redis_shared_free(rt_redis_shared *shared)
{
    if (!shared)
        return;
    for (uint32_t i = 0; i < shared->count; i++)
        free_connection(&shared->connections[i]);
    for (rt_redis_request *request; (request = shared->free_requests);) {
        shared->free_requests = request->next;
        free_request(request);
    }
    if (shared->gate)
        rt_semaphore_free(shared->gate);
    free(shared);
}
