/* The connections of one worker to a database: who has which, and what runs in the pool of
 * threads. */
#include "sqlite.h"

#include <rt/metric.h>

#include <stdlib.h>
#include <string.h>

#define LOOK_EVERY RT_MS(5)

RT_GAUGE(connections, "db.client.connection.count", "{connection}",
         "Connections of a pool by state: idle or used")
RT_GAUGE(waiting, "db.client.connection.pending_requests", "{request}",
         "Units of work that wait for a connection")
RT_HISTOGRAM(waited, "db.client.connection.wait_time", "s", "Time until a connection was free")

/* Connections that are alike, given out in turn. */
struct pool {
    rt_semaphore *turns;
    rt_sqlite_connection *free;
    uint32_t count, used, waiting;
};

/* A call that runs, on the stack of its fiber. */
struct running {
    struct running *next, **from;
    rt_ctx *ctx;
    const rt_sqlite_call *call;
    bool began;
};

struct rt_sqlite {
    rt_sqlite_settings settings;
    char *path;
    struct pool writers, readers;
    rt_sqlite_connection *all; /* readers + 1 of them */
    uint32_t count;
    struct running *running;
    rt_sql_stream *holder; /* of the only connection */
    rt_semaphore *wake;    /* of the service, where nothing ran */
    bool idle;
    bool full; /* the last that wrote had no room */
    bool corrupt;
};

/* --- calls in the pool of threads ------------------------------------------------------------ */

static int run_in_pool(void *argument)
{
    struct running *running = argument;
    rt_sqlite_connection *connection = running->call->connection;
    running->began = true;
    if (connection->dirty && rt_sqlite_clean(connection, running->call->problem) < 0)
        return -1;
    return running->call->function(running->call->argument);
}

static void add_running(rt_sqlite *database, struct running *running)
{
    running->next = database->running;
    running->from = &database->running;
    if (running->next)
        running->next->from = &running->next;
    database->running = running;
    if (database->idle) {
        database->idle = false;
        rt_semaphore_release(database->wake);
    }
}

static void remove_running(struct running *running)
{
    *running->from = running->next;
    if (running->next)
        running->next->from = running->from;
}

/* The pool of threads cannot be told that nobody waits any longer: the connection is, and its
 * handlers look there. A service does it for all, so that a statement costs none of it. */
static int watch(rt_ctx *ctx, void *argument)
{
    rt_sqlite *database = argument;
    for (;;) {
        if (!database->running) {
            database->idle = true;
            RT_TRY(rt_semaphore_acquire(ctx, database->wake));
        }
        RT_TRY(rt_sleep(ctx, LOOK_EVERY));
        uint64_t now = rt_now();
        for (struct running *running = database->running; running; running = running->next) {
            uint64_t deadline = rt_deadline(running->ctx);
            int stop = rt_cancelled(running->ctx)    ? -RT_ECANCELED
                       : deadline && now >= deadline ? -RT_EDEADLINE
                                                     : 0;
            if (stop)
                atomic_store(&running->call->connection->stop, stop);
        }
    }
}

static void note_state(rt_sqlite *database, const rt_sqlite_call *call, int result)
{
    int code = call->problem->sqlite & 0xff;
    if (result < 0 && code == SQLITE_FULL)
        database->full = true;
    else if (result == 0 && call->connection->writes_now)
        database->full = false;
    if (result < 0 && (code == SQLITE_CORRUPT || code == SQLITE_NOTADB))
        database->corrupt = true;
}

int rt_sqlite_run(rt_ctx *ctx, rt_sqlite *database, const rt_sqlite_call *call)
{
    struct running running = {.ctx = call->unit ? call->unit : ctx, .call = call};
    rt_sqlite_connection *connection = call->connection;
    atomic_store(&connection->stop, 0);
    connection->writes_now = false;
    if (!connection->in_transaction)
        connection->now = rt_sqlite_clock();
    add_running(database, &running);
    int result = rt_blocking(ctx, run_in_pool, &running);
    remove_running(&running);
    if (!running.began) {
        call->problem->code = -result;
        return rt_sqlite_problem_set(
            call->problem, "QUERY_CANCELED", "the statement was not begun: %s",
            result == -RT_EDEADLINE ? "the deadline has passed" : "the unit of work was cancelled");
    }
    note_state(database, call, result);
    return result;
}

/* --- giving out ------------------------------------------------------------------------------ */

static int wait_turn(rt_ctx *ctx, void *argument)
{
    return rt_semaphore_acquire(ctx, argument);
}

static void tell_use(rt_ctx *ctx, const struct pool *pool)
{
    const char *name = ctx->instance->name;
    rt_metric_set(ctx, &connections, pool->used, {"db.client.connection.pool.name", name},
                  {"db.client.connection.state", "used"});
    rt_metric_set(ctx, &connections, pool->count - pool->used,
                  {"db.client.connection.pool.name", name}, {"db.client.connection.state", "idle"});
}

static int used_up(rt_ctx *ctx, const rt_sqlite *database, const struct pool *pool)
{
    const char *kind = pool == &database->readers ? "reads" : "writes";
    return rt_sql_fail(
        ctx, &(rt_sql_failure){
                 .condition = "TOO_MANY_CONNECTIONS",
                 .message = rt_format(ctx, "no connection that %s was free for %lld ms", kind,
                                      (long long)(database->settings.busy_timeout / 1000000)),
                 .hint = "close streams and end transactions soon, or raise `readers`"});
}

static int wait_for(rt_ctx *ctx, rt_sqlite *database, struct pool *pool)
{
    uint64_t began = rt_now(), own = rt_deadline(ctx);
    uint64_t limit = began + (uint64_t)database->settings.busy_timeout;
    const char *name = ctx->instance->name;
    pool->waiting++;
    rt_metric_set(ctx, &waiting, pool->waiting, {"db.client.connection.pool.name", name});
    int result = rt_run(ctx, wait_turn, pool->turns, .deadline = limit, .name = "sqlite.wait");
    pool->waiting--;
    rt_metric_set(ctx, &waiting, pool->waiting, {"db.client.connection.pool.name", name});
    rt_metric_record(ctx, &waited, (double)(rt_now() - began) / 1e9,
                     {"db.client.connection.pool.name", name});
    bool ours = result == -RT_EDEADLINE && !(own && own <= limit);
    return ours ? used_up(ctx, database, pool) : result;
}

bool rt_sqlite_is_single(const rt_sqlite *database)
{
    return database->count == 1;
}

bool rt_sqlite_is_wanted(const rt_sqlite *database)
{
    return database->writers.waiting > 0;
}

void rt_sqlite_set_holder(rt_sqlite *database, rt_sql_stream *stream)
{
    database->holder = stream;
}

int rt_sqlite_take(rt_ctx *ctx, rt_sqlite *database, bool reads, rt_sqlite_connection **taken)
{
    if (database->holder)
        rt_sqlite_stream_spill(ctx, database->holder);
    struct pool *pool = reads && database->readers.count ? &database->readers : &database->writers;
    RT_TRY(pool->used < pool->count && !pool->waiting ? rt_semaphore_acquire(ctx, pool->turns)
                                                      : wait_for(ctx, database, pool));
    rt_sqlite_connection *connection = pool->free;
    pool->free = connection->next;
    pool->used++;
    connection->failed = connection->in_transaction = false;
    tell_use(ctx, pool);
    *taken = connection;
    return 0;
}

void rt_sqlite_give(rt_ctx *ctx, rt_sqlite *database, rt_sqlite_connection *connection)
{
    bool reader = connection->reader;
    struct pool *pool = reader ? &database->readers : &database->writers;
    connection->in_transaction = connection->failed = false;
    connection->next = pool->free;
    pool->free = connection;
    pool->used--;
    tell_use(ctx, pool);
    rt_semaphore_release(pool->turns);
}

int rt_sqlite_lease_take(rt_ctx *ctx, bool reads, rt_sqlite_lease *lease)
{
    void *ambient;
    RT_TRY(rt_tx_acquire(ctx, &ambient));
    *lease = (rt_sqlite_lease){ambient, ambient != NULL};
    return ambient ? 0 : rt_sqlite_take(ctx, rt_sqlite_here(ctx), reads, &lease->connection);
}

void rt_sqlite_lease_give(rt_ctx *ctx, const rt_sqlite_lease *lease)
{
    if (lease->ambient)
        rt_tx_release(ctx);
    else
        rt_sqlite_give(ctx, rt_sqlite_here(ctx), lease->connection);
}

/* --- start and stop -------------------------------------------------------------------------- */

struct opening {
    rt_sqlite *database;
    rt_sqlite_problem problem;
};

static int connect_all(void *argument)
{
    struct opening *opening = argument;
    rt_sqlite *database = opening->database;
    for (uint32_t i = 0; i < database->count; i++)
        if (rt_sqlite_connect(&database->all[i], &database->settings, i > 0, &opening->problem) < 0)
            return -1;
    return 0;
}

/* What the planner learnt is kept, the journal goes into the file. */
static int disconnect_all(void *argument)
{
    rt_sqlite *database = argument;
    rt_sqlite_problem ignored = {0};
    for (uint32_t i = database->count; i-- > 0;) {
        rt_sqlite_connection *connection = &database->all[i];
        connection->busy_timeout = 0;
        if (i == 0 && connection->handle)
            (void)(rt_sqlite_command(connection, "PRAGMA optimize", &ignored) == 0 &&
                   rt_sqlite_command(connection, "PRAGMA wal_checkpoint(TRUNCATE)", &ignored) == 0);
        rt_sqlite_disconnect(connection);
    }
    return 0;
}

static void release(rt_sqlite *database)
{
    rt_semaphore_free(database->writers.turns);
    rt_semaphore_free(database->readers.turns);
    rt_semaphore_free(database->wake);
    free(database->all);
    free(database->path);
    free(database);
}

static rt_sqlite *make(const rt_sqlite_settings *settings)
{
    rt_sqlite *database = calloc(1, sizeof *database);
    if (!database)
        return NULL;
    bool memory = strcmp(settings->path, ":memory:") == 0;
    database->settings = *settings;
    database->settings.path = database->path = strdup(settings->path);
    database->count = 1 + (memory ? 0 : settings->readers);
    database->writers = (struct pool){.turns = rt_semaphore_new(1), .count = 1};
    database->readers =
        (struct pool){.turns = rt_semaphore_new(database->count - 1), .count = database->count - 1};
    database->wake = rt_semaphore_new(0);
    database->all = calloc(database->count, sizeof *database->all);
    if (database->path && database->writers.turns && database->readers.turns && database->wake &&
        database->all)
        return database;
    release(database);
    return NULL;
}

static void put_into_pools(rt_sqlite *database)
{
    database->writers.free = &database->all[0];
    for (uint32_t i = 1; i < database->count; i++) {
        database->all[i].next = database->readers.free;
        database->readers.free = &database->all[i];
    }
}

static int refuse_start(rt_ctx *ctx, rt_sqlite_problem *problem, const char *path)
{
    int code = problem->sqlite & 0xff;
    char said[sizeof problem->message];
    memcpy(said, problem->message, sizeof said);
    problem->hint = code == SQLITE_NOTADB ? "let `path` name a database, or a file to be made"
                    : code == SQLITE_BUSY
                        ? "another program keeps it locked"
                        : "the file and its folder must be open to be written, as "
                          "journals lie beside it";
    rt_sqlite_problem_set(problem, problem->condition, "cannot open the database `%s`: %s", path,
                          said);
    return rt_sqlite_fail(ctx, problem, NULL);
}

int rt_sqlite_open(rt_ctx *ctx, const rt_sqlite_settings *settings, rt_sqlite **opened)
{
    rt_sqlite *database = make(settings);
    if (!database)
        return rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "out of memory for a database");
    struct opening *opening = rt_alloc(ctx, sizeof *opening);
    opening->database = database;
    int result = rt_blocking(ctx, connect_all, opening);
    if (result < 0) {
        if (opening->problem.condition)
            result = refuse_start(ctx, &opening->problem, settings->path);
        for (uint32_t i = 0; i < database->count; i++)
            rt_sqlite_disconnect(&database->all[i]);
        release(database);
        return result;
    }
    put_into_pools(database);
    result = rt_service(ctx, "interrupts", watch, database);
    if (result < 0)
        rt_sqlite_close(ctx, database);
    else
        *opened = database;
    return result;
}

void rt_sqlite_close(rt_ctx *ctx, rt_sqlite *database)
{
    if (rt_blocking(ctx, disconnect_all, database) < 0)
        disconnect_all(database);
    release(database);
}

/* --- how it is ------------------------------------------------------------------------------- */

int rt_sqlite_health(rt_ctx *ctx, rt_sqlite *database, rt_health *health)
{
    if (database->corrupt)
        return rt_unhealthy(ctx, health, "the database `%s` is corrupt", database->path);
    const struct pool *pool = database->readers.count ? &database->readers : &database->writers;
    bool busy = pool->used == pool->count; /* so it works */
    if (!busy && rt_sqlite_check_server(ctx) < 0)
        return rt_unhealthy(ctx, health, "`%s`: %s", database->path, rt_last_error(ctx)->message);
    if (database->full)
        return rt_degraded(ctx, health, "no room is left for the database `%s`", database->path);
    return 0;
}

int rt_sqlite_describe(rt_ctx *ctx, rt_sql_server *server)
{
    rt_struct_copy(server, &(rt_sql_server){.size = sizeof *server,
                                            .dialect = RT_SQL_SQLITE,
                                            .version = (uint32_t)sqlite3_libversion_number(),
                                            .database = rt_sqlite_here(ctx)->path});
    return 0;
}
