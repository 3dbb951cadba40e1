/* Connections that fibers share, in pipeline mode.
 *
 * Each statement is followed by a Sync of its own, so that it is a transaction of its own and its
 * failure ends nothing else. Who asks sends at once and waits; one service reads all answers and
 * hands each to whom it belongs, in the order they were asked for. Who gives up leaves his request
 * behind, whose answer is then read and dropped: to cancel it would hit a neighbour. What bounds
 * such a statement is the session's statement_timeout, `short_timeout`.
 *
 * libpq sends with each Sync, which is most of what a short statement costs us. So the first who
 * asks in a turn of the loop corks the socket, and the writer, which runs when all who are ready
 * have asked, uncorks it: one segment, and one wake of the server, for all of them. */
#include "postgres.h"
#include "postgres_options.h"
#include "statement.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

/* A server that has not answered for so much longer than it allows itself is gone. */
#define SILENCE RT_S(5)
#define LEAVE_TOGETHER 16u

/* One statement on its way; kept for the next when it is over. */
struct request {
    struct request *next;
    rt_semaphore *done;
    PGresult *result; /* the error, if there is one, else the last */
    uint64_t asked;
    int is_awaited;
    int is_lost;   /* the connection ended before the answer */
    char name[24]; /* of what is prepared by it; empty: nothing is */
    char *text;    /* of that */
};

struct rt_pg_shared {
    rt_pg *pg;
    rt_pg_connection *connection; /* NULL: not connected */
    rt_pg_connection *dying;      /* was lost while the writer waits for it, who closes it */
    uint32_t failures;            /* of attempts to connect */
    struct request *first, **last;
    uint32_t waiting;
    rt_semaphore *connected; /* for the reader: there is a connection again */
    rt_semaphore *unsent;    /* for the writer: libpq holds bytes */
    int is_writing;
    uint32_t unsent_count; /* statements that leave together */
    rt_mutex *opening;     /* who connects */
    rt_mutex *preparing;   /* who prepares: one text is prepared once */
    struct request *spare;
};

/* --- requests -------------------------------------------------------------------------------- */

static struct request *new_request(rt_pg_shared *shared)
{
    struct request *request = shared->spare;
    if (request) {
        shared->spare = request->next;
        return request;
    }
    request = calloc(1, sizeof *request);
    if (request && !(request->done = rt_semaphore_new(0))) {
        free(request);
        return NULL;
    }
    return request;
}

static void recycle(rt_pg_shared *shared, struct request *request)
{
    PQclear(request->result);
    free(request->text);
    *request = (struct request){.next = shared->spare, .done = request->done};
    shared->spare = request;
}

static void enqueue(rt_pg_shared *shared, struct request *request)
{
    request->asked = rt_now();
    request->next = NULL;
    *shared->last = request;
    shared->last = &request->next;
    shared->waiting++;
}

static struct request *dequeue(rt_pg_shared *shared)
{
    struct request *request = shared->first;
    shared->first = request->next;
    if (!shared->first)
        shared->last = &shared->first;
    shared->waiting--;
    return request;
}

static int is_failure(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    return status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK && status != PGRES_EMPTY_QUERY;
}

/* What was prepared is known from here on, whether or not who asked for it still waits. */
static void note_prepared(rt_pg_shared *shared, const struct request *request)
{
    if (request->name[0] && shared->connection && request->result && !is_failure(request->result))
        rt_pg_cache_add(&shared->connection->cache, request->name, request->text, request->result);
}

static void complete(rt_pg_shared *shared, int is_lost)
{
    struct request *request = dequeue(shared);
    request->is_lost = is_lost;
    if (!is_lost)
        note_prepared(shared, request);
    if (request->is_awaited)
        rt_semaphore_release(request->done);
    else
        recycle(shared, request);
}

/* --- the connection -------------------------------------------------------------------------- */

/* Of a descriptor that is closed nobody hears again: the writer has to leave it first. */
static void close_when_left(rt_pg_shared *shared, rt_pg_connection *connection)
{
    if (!shared->is_writing) {
        rt_pg_close(connection);
        return;
    }
    connection->broken = 1;
    rt_pg_shut_down(connection);
    shared->dying = connection;
}

/* Of the reader alone, which would wait for a closed descriptor otherwise. */
static void lose(rt_pg_shared *shared, const char *why)
{
    rt_pg_connection *connection = shared->connection;
    if (!connection)
        return;
    snprintf(shared->pg->failure, sizeof shared->pg->failure, "%s", why);
    shared->connection = NULL;
    while (shared->first)
        complete(shared, 1);
    close_when_left(shared, connection);
}

/* Of those who ask: the reader meets the end and closes it. */
static void condemn(rt_pg_shared *shared)
{
    shared->connection->broken = 1;
    rt_pg_shut_down(shared->connection);
}

static int open_connection(rt_ctx *ctx, rt_pg_shared *shared)
{
    rt_pg_connection *connection;
    int result = rt_pg_connect(ctx, shared->pg, RT_PG_SHARED, &connection);
    shared->failures += result < 0;
    RT_TRY(result);
    result = rt_pg_watch(ctx, connection);
    if (result == 0 && !PQenterPipelineMode(connection->pq))
        result = rt_fail(ctx, RT_EINTERNAL, "libpq does not enter pipeline mode");
    if (result < 0) {
        rt_pg_close(connection);
        return result;
    }
    shared->connection = connection;
    rt_semaphore_release(shared->connected);
    return 0;
}

/* Who waited for an attempt that failed has its failure, instead of his own after as long again. */
static int ensure_open(rt_ctx *ctx, rt_pg_shared *shared)
{
    if (shared->connection && !shared->connection->broken)
        return 0;
    uint32_t failures = shared->failures;
    RT_TRY(rt_mutex_lock(ctx, shared->opening));
    int result = 0;
    if (!shared->connection && failures != shared->failures)
        result = rt_pg_lost_because(ctx, shared->pg->failure, NULL, 0);
    else if (!shared->connection)
        result = open_connection(ctx, shared);
    else if (shared->connection->broken)
        result = rt_pg_lost_because(ctx, "", NULL, 0);
    rt_mutex_unlock(ctx, shared->opening);
    return result;
}

/* --- reading --------------------------------------------------------------------------------- */

/* Keeps the first failure, else the last answer. */
static void keep(struct request *request, PGresult *result)
{
    if (request->result && is_failure(request->result)) {
        PQclear(result);
        return;
    }
    PQclear(request->result);
    request->result = result;
}

/* All that has come, up to where more is needed. 0 if what came is no answer to what was asked. */
static int take_answers(rt_pg_shared *shared)
{
    PGconn *pq = shared->connection->pq;
    for (int ends = 0; shared->first && !PQisBusy(pq);) {
        PGresult *result = PQgetResult(pq);
        if (!result && ++ends > 1)
            return 0;
        if (!result) /* the end of one command, of which a request may have several */
            continue;
        ends = 0;
        ExecStatusType status = PQresultStatus(result);
        if (status == PGRES_PIPELINE_SYNC) {
            PQclear(result);
            complete(shared, 0);
            continue;
        }
        keep(shared->first, result);
        if (PQstatus(pq) == CONNECTION_BAD || status == PGRES_COPY_IN || status == PGRES_COPY_OUT)
            return 0;
    }
    return PQstatus(pq) == CONNECTION_OK;
}

/* By when the server must have said something. */
static uint64_t patience(rt_ctx *ctx, const rt_pg_shared *shared)
{
    return shared->first ? shared->first->asked + (uint64_t)RT_GET(ctx, short_timeout) + SILENCE
                         : 0;
}

static int read_some(rt_ctx *ctx, rt_pg_shared *shared)
{
    rt_pg_connection *connection = shared->connection;
    uint64_t limit = patience(ctx, shared);
    int ready = rt_pg_wait(ctx, connection, RT_READABLE,
                           limit ? limit : rt_now() + (uint64_t)RT_GET(ctx, short_timeout));
    if (ready == -RT_EDEADLINE) {
        limit = patience(ctx, shared);
        if (limit && limit <= rt_now())
            lose(shared, "the server has not answered for too long");
        return 0;
    }
    if (ready < 0)
        return ready;
    if (!PQconsumeInput(connection->pq) || !take_answers(shared))
        lose(shared, rt_pg_words(ctx, PQerrorMessage(connection->pq)));
    return 0;
}

/* Texts for people would gather in the memory of a service that never ends. */
static int read_round(rt_ctx *ctx, void *argument)
{
    rt_pg_shared *shared = argument;
    while (shared->connection)
        RT_TRY(read_some(ctx, shared));
    return 0;
}

static int reader(rt_ctx *ctx, void *argument)
{
    rt_pg_shared *shared = argument;
    for (;;) {
        RT_TRY(rt_semaphore_acquire(ctx, shared->connected));
        RT_TRY(rt_run(ctx, read_round, shared, .name = "sql.reader"));
    }
}

/* --- writing --------------------------------------------------------------------------------- */

/* On a socket that is none of TCP it does nothing. */
static void cork(const rt_pg_connection *connection, int on)
{
    setsockopt(PQsocket(connection->pq), IPPROTO_TCP, TCP_CORK, &on, sizeof on);
}

static int write_some(rt_ctx *ctx, rt_pg_connection *connection)
{
    int left;
    while (!connection->broken && (left = PQflush(connection->pq)) != 0) {
        if (left < 0) /* the reader meets the same and says so */
            return 0;
        RT_TRY(rt_pg_wait(ctx, connection, RT_WRITABLE, 0));
    }
    return 0;
}

static int writer(rt_ctx *ctx, void *argument)
{
    rt_pg_shared *shared = argument;
    for (int result = 0; result == 0;) {
        RT_TRY(rt_semaphore_acquire(ctx, shared->unsent));
        if (shared->connection) {
            cork(shared->connection, 0);
            result = write_some(ctx, shared->connection);
        }
        shared->is_writing = 0;
        shared->unsent_count = 0;
        if (shared->dying)
            rt_pg_close(shared->dying);
        shared->dying = NULL;
    }
    return -RT_ECANCELED;
}

static void have_written(rt_pg_shared *shared)
{
    if (shared->is_writing)
        return;
    shared->is_writing = 1;
    cork(shared->connection, 1);
    rt_semaphore_release(shared->unsent);
}

/* Adds the Sync that ends a request. */
static int end_request(rt_pg_shared *shared, struct request *request, int is_queued)
{
    have_written(shared);
    shared->unsent_count++;
    if (!is_queued || !PQpipelineSync(shared->connection->pq)) {
        recycle(shared, request);
        return 0;
    }
    enqueue(shared, request);
    return 1;
}

/* --- asking ---------------------------------------------------------------------------------- */

static int lost(rt_ctx *ctx, const rt_pg_shared *shared, const rt_sql_statement *statement)
{
    return rt_pg_lost_because(ctx, shared->pg->failure, statement, 1);
}

/* The answer, or NULL if the connection was lost; negative: the caller is no longer interested. */
static int await(rt_ctx *ctx, rt_pg_shared *shared, struct request *request, PGresult **result)
{
    request->is_awaited = 1;
    int code = rt_semaphore_acquire(ctx, request->done);
    if (code < 0) {
        request->is_awaited = 0;
        return code;
    }
    *result = NULL;
    if (!request->is_lost || (request->result && is_failure(request->result))) {
        *result = request->result;
        request->result = NULL;
    }
    recycle(shared, request);
    return 0;
}

/* Nobody waits for the answer. */
static void deallocate(rt_pg_shared *shared, const char *name)
{
    char text[40];
    struct request *request = new_request(shared);
    if (!request)
        return;
    snprintf(text, sizeof text, "DEALLOCATE %s", name);
    if (!end_request(shared, request,
                     PQsendQueryParams(shared->connection->pq, text, 0, NULL, NULL, NULL, NULL, 0)))
        condemn(shared);
}

static void give_up_oldest(rt_pg_shared *shared)
{
    rt_pg_prepared *oldest = rt_pg_cache_evict(&shared->connection->cache);
    if (oldest)
        deallocate(shared, oldest->name);
    free(oldest);
}

static int out_of_memory(rt_ctx *ctx)
{
    return rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "out of memory for a statement");
}

static int send_prepare(rt_ctx *ctx, rt_pg_shared *shared, const rt_sql_statement *statement,
                        struct request **sent)
{
    PGconn *pq = shared->connection->pq;
    give_up_oldest(shared);
    struct request *request = *sent = new_request(shared);
    if (!request || !(request->text = strdup(statement->text)))
        return out_of_memory(ctx);
    rt_pg_cache_name(&shared->connection->cache, request->name);
    int queued = PQsendPrepare(pq, request->name, statement->text, 0, NULL) &&
                 PQsendDescribePrepared(pq, request->name);
    if (!end_request(shared, request, queued)) {
        condemn(shared);
        return lost(ctx, shared, statement);
    }
    return 0;
}

static int judge(rt_ctx *ctx, rt_pg_shared *shared, const rt_sql_statement *statement,
                 PGresult **result)
{
    if (!*result)
        return lost(ctx, shared, statement);
    if (!is_failure(*result))
        return 0;
    int code = rt_pg_fail(ctx, *result, statement);
    PQclear(*result);
    *result = NULL;
    return code;
}

static int prepare_in_turn(rt_ctx *ctx, rt_pg_shared *shared, const rt_sql_statement *statement)
{
    struct request *request;
    PGresult *result = NULL;
    if (!shared->connection || rt_pg_cache_find(&shared->connection->cache, statement->text))
        return 0;
    RT_TRY(send_prepare(ctx, shared, statement, &request));
    int code = await(ctx, shared, request, &result);
    if (code < 0)
        return rt_pg_interrupted(ctx, code, statement);
    RT_TRY(judge(ctx, shared, statement, &result));
    PQclear(result);
    return 0;
}

static int prepare(rt_ctx *ctx, rt_pg_shared *shared, const rt_sql_statement *statement,
                   rt_pg_prepared **prepared)
{
    for (int tries = 0;
         !(*prepared = rt_pg_cache_find(&shared->connection->cache, statement->text));) {
        if (++tries > 3)
            return out_of_memory(ctx);
        int code = rt_mutex_lock(ctx, shared->preparing);
        if (code < 0)
            return rt_pg_interrupted(ctx, code, statement);
        code = prepare_in_turn(ctx, shared, statement);
        rt_mutex_unlock(ctx, shared->preparing);
        RT_TRY(code);
        RT_TRY(ensure_open(ctx, shared));
    }
    return 0;
}

/* What was executed, or was to be. */
struct used {
    char name[24];
    int is_new;
};

static int ask(rt_ctx *ctx, rt_pg_shared *shared, const rt_sql_statement *statement,
               PGresult **result, struct used *used)
{
    rt_pg_prepared *prepared;
    rt_pg_arguments arguments;
    RT_TRY(ensure_open(ctx, shared));
    RT_TRY(prepare(ctx, shared, statement, &prepared));
    *used = (struct used){.is_new = prepared->is_new};
    memcpy(used->name, prepared->name, sizeof used->name);
    RT_TRY(rt_pg_arguments_make(ctx, prepared, statement, &arguments));
    prepared->is_new = 0;
    struct request *request = new_request(shared);
    if (!request)
        return out_of_memory(ctx);
    int queued = PQsendQueryPrepared(shared->connection->pq, prepared->name,
                                     (int)statement->parameter_count, arguments.values,
                                     arguments.lengths, arguments.formats, prepared->binary);
    if (!end_request(shared, request, queued)) {
        condemn(shared);
        return lost(ctx, shared, statement);
    }
    int code = await(ctx, shared, request, result);
    return code < 0 ? rt_pg_interrupted(ctx, code, statement) : 0;
}

/* The one that is being written to in this turn of the loop, up to a point: what leaves together is
 * cheaper for both sides. Else the one with the least to do. */
static rt_pg_shared *choose(const rt_pg *pg)
{
    rt_pg_shared *least = &pg->shared[0];
    for (uint32_t i = 0; i < pg->shared_count; i++) {
        rt_pg_shared *shared = &pg->shared[i];
        if (shared->unsent_count && shared->unsent_count < LEAVE_TOGETHER)
            return shared;
        if (shared->waiting < least->waiting)
            least = shared;
    }
    return least;
}

/* Another fiber may have met the same and prepared it anew by now. */
static void forget_stale(rt_pg_shared *shared, const char *text, const char *name)
{
    rt_pg_connection *connection = shared->connection;
    rt_pg_prepared *stale =
        connection && !connection->broken ? rt_pg_cache_find(&connection->cache, text) : NULL;
    if (!stale || strcmp(stale->name, name) != 0)
        return;
    rt_pg_cache_remove(&connection->cache, stale);
    deallocate(shared, name);
}

/* 1: it is worth another try. */
static int is_stale(rt_ctx *ctx, const struct used *used, int code, const PGresult *result)
{
    if (!used->name[0] || used->is_new)
        return 0;
    if (code < 0)
        return rt_pg_is_mistyped(rt_last_error(ctx));
    return result && is_failure(result) && rt_pg_is_stale(result);
}

int rt_pg_share_run(rt_ctx *ctx, rt_pg *pg, const rt_sql_statement *statement, PGresult **result)
{
    rt_pg_shared *shared = choose(pg);
    struct used used = {0};
    *result = NULL;
    int code = ask(ctx, shared, statement, result, &used);
    if (is_stale(ctx, &used, code, *result)) {
        forget_stale(shared, statement->text, used.name);
        PQclear(*result);
        *result = NULL;
        code = ask(ctx, shared, statement, result, &used);
    }
    return code < 0 ? code : judge(ctx, shared, statement, result);
}

/* Others would wait behind COPY, or live with a session that was changed. */
int rt_pg_can_share(const rt_sql_statement *statement)
{
    static const rt_str words[] = {RT_STR("SELECT"), RT_STR("INSERT"), RT_STR("UPDATE"),
                                   RT_STR("DELETE"), RT_STR("WITH"),   RT_STR("VALUES"),
                                   RT_STR("MERGE"),  RT_STR("TABLE")};
    if ((statement->flags & (RT_SQL_SHORT | RT_SQL_SCRIPT)) != RT_SQL_SHORT)
        return 0;
    const char *text = statement->text + strspn(statement->text, " \t\r\n(");
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strncasecmp(text, words[i].data, words[i].length) == 0)
            return 1;
    return 0;
}

/* --- life ------------------------------------------------------------------------------------ */

uint32_t rt_pg_share_connected(const rt_pg *pg)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < pg->shared_count; i++)
        count += pg->shared[i].connection != NULL;
    return count;
}

static int open_shared(rt_ctx *ctx, rt_pg_shared *shared)
{
    shared->last = &shared->first;
    shared->connected = rt_semaphore_new(0);
    shared->unsent = rt_semaphore_new(0);
    shared->opening = rt_mutex_new();
    shared->preparing = rt_mutex_new();
    if (!shared->connected || !shared->unsent || !shared->opening || !shared->preparing)
        return rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "out of memory");
    RT_TRY(rt_service(ctx, "answers of the database", reader, shared));
    return rt_service(ctx, "questions to the database", writer, shared);
}

int rt_pg_share_open(rt_ctx *ctx, rt_pg *pg)
{
    uint32_t count = (uint32_t)RT_GET(ctx, shared);
    pg->shared = count ? calloc(count, sizeof *pg->shared) : NULL;
    if (count && !pg->shared)
        return rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "out of memory");
    for (; pg->shared_count < count; pg->shared_count++) {
        pg->shared[pg->shared_count].pg = pg;
        RT_TRY(open_shared(ctx, &pg->shared[pg->shared_count]));
    }
    return 0;
}

static void close_shared(rt_pg_shared *shared)
{
    lose(shared, "");
    if (shared->dying)
        rt_pg_close(shared->dying);
    for (struct request *request; (request = shared->spare);) {
        shared->spare = request->next;
        rt_semaphore_free(request->done);
        free(request);
    }
    if (shared->connected)
        rt_semaphore_free(shared->connected);
    if (shared->unsent)
        rt_semaphore_free(shared->unsent);
    if (shared->opening)
        rt_mutex_free(shared->opening);
    if (shared->preparing)
        rt_mutex_free(shared->preparing);
}

void rt_pg_share_close(rt_pg *pg)
{
    for (uint32_t i = 0; i < pg->shared_count; i++)
        close_shared(&pg->shared[i]);
    free(pg->shared);
    pg->shared = NULL;
    pg->shared_count = 0;
}
