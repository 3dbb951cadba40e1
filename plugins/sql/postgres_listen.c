/* Notifications, on a connection of the listener's own that is made anew when it is lost. What was
 * sent in between nobody keeps: the listener learns that there was a gap. */
#include "postgres.h"
#include "statement.h"

#include <stdlib.h>
#include <string.h>

#define LEAST_PAUSE RT_MS(100)
#define MOST_PAUSE RT_S(5)

struct rt_sql_listener {
    rt_pg *pg;
    rt_pg_connection *connection;
    PGnotify *given; /* whose texts the caller has */
    char *command;   /* LISTEN "channel" */
    int is_open;
};

/* --- channels -------------------------------------------------------------------------------- */

/* As the server takes it apart: doubled quotes within quotes. */
static char *listen_command(rt_ctx *ctx, const char *channel)
{
    char *command = rt_alloc(ctx, 2 * strlen(channel) + 16), *at = stpcpy(command, "LISTEN \"");
    for (; *channel; channel++) {
        if (*channel == '"')
            *at++ = '"';
        *at++ = *channel;
    }
    strcpy(at, "\"");
    return command;
}

static int check_channel(rt_ctx *ctx, const char *channel)
{
    const rt_sql_value value = rt_sql_text(channel);
    if (!channel || !channel[0] || strlen(channel) > 63)
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "a channel has a name of 1 to 63 bytes");
    return rt_sql_check_value(ctx, NULL, 1, &value);
}

/* --- the connection -------------------------------------------------------------------------- */

static void leave(rt_sql_listener *listener)
{
    if (listener->connection)
        rt_pg_close(listener->connection);
    listener->connection = NULL;
}

static int enter(rt_ctx *ctx, rt_sql_listener *listener)
{
    RT_TRY(rt_pg_connect(ctx, listener->pg, RT_PG_OWN, &listener->connection));
    int result = rt_pg_command(ctx, listener->connection, listener->command, NULL, NULL);
    if (result < 0)
        leave(listener);
    return result;
}

static int enter_again(rt_ctx *ctx, void *argument)
{
    return enter(ctx, argument);
}

/* For as long as the caller waits. Attempts are units of work, for their texts gather otherwise. */
static int come_back(rt_ctx *ctx, rt_sql_listener *listener)
{
    for (uint64_t pause = LEAST_PAUSE; !listener->connection;) {
        rt_exit end;
        rt_run_exit(ctx, &end, enter_again, listener, .name = "sql.listen");
        if (end.kind == RT_EXIT_SUCCESS && listener->connection)
            break;
        leave(listener);
        RT_TRY(rt_sleep(ctx, pause));
        pause = pause * 2 < MOST_PAUSE ? pause * 2 : MOST_PAUSE;
    }
    return 0;
}

static void finish(rt_ctx *ctx, void *argument)
{
    rt_sql_listener *listener = argument;
    (void)ctx;
    leave(listener);
    PQfreemem(listener->given);
    listener->given = NULL;
    listener->is_open = 0;
}

/* --- methods --------------------------------------------------------------------------------- */

int rt_pg_listen(rt_ctx *ctx, const char *channel, rt_sql_listener **opened)
{
    RT_TRY(check_channel(ctx, channel));
    rt_sql_listener *listener = *opened = rt_alloc(ctx, sizeof *listener);
    *listener = (rt_sql_listener){
        .pg = rt_state(ctx), .command = listen_command(ctx, channel), .is_open = 1};
    RT_TRY(enter(ctx, listener));
    return rt_defer(ctx, finish, listener);
}

/* 1: something came, or nothing can come any more. */
static int wait_for_more(rt_ctx *ctx, rt_sql_listener *listener)
{
    int ready = rt_pg_wait(ctx, listener->connection, RT_READABLE, 0);
    if (ready < 0)
        return ready;
    if (!PQconsumeInput(listener->connection->pq))
        leave(listener);
    return 0;
}

int rt_pg_notified(rt_ctx *ctx, rt_sql_listener *listener, rt_sql_notification *notification)
{
    rt_sql_notification told = {.size = sizeof told};
    if (!listener->is_open)
        return rt_fail(ctx, RT_EFAILED_PRECONDITION, "the listener is closed");
    PQfreemem(listener->given);
    listener->given = NULL;
    while (listener->connection && !(listener->given = PQnotifies(listener->connection->pq)))
        RT_TRY(wait_for_more(ctx, listener));
    if (listener->given) {
        told.process = listener->given->be_pid;
        told.channel = listener->given->relname;
        told.payload = listener->given->extra;
    } else {
        RT_TRY(come_back(ctx, listener));
    }
    rt_struct_copy(notification, &told);
    return 0;
}

int rt_pg_unlisten(rt_ctx *ctx, rt_sql_listener *listener)
{
    finish(ctx, listener);
    return 0;
}

int rt_pg_notify(rt_ctx *ctx, const char *channel, const char *payload)
{
    rt_pg_lease lease;
    PGresult *result;
    const rt_sql_statement *statement = RT_SQL("SELECT pg_notify($1, $2)", rt_sql_text(channel),
                                               rt_sql_text(payload ? payload : ""));
    RT_TRY(check_channel(ctx, channel));
    RT_TRY(rt_sql_check_statement(ctx, statement));
    RT_TRY(rt_pg_lease_take(ctx, rt_state(ctx), &lease));
    int code = rt_pg_run(ctx, lease.connection, statement, &result);
    if (code == 0)
        PQclear(result);
    rt_pg_lease_end(ctx, &lease);
    return code;
}
