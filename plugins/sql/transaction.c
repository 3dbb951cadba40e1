/* A transaction is a chain of levels: the outermost is the server's transaction, each further one a
 * savepoint. Each level has a turn. Who uses the connection at a level holds its turn; a savepoint
 * holds the turn of the level outside for as long as it lasts, as a server has only one stack of
 * savepoints. */
#include "transaction.h"

#include "sqlstate.h"

#include <rt/rt.h>

#include <stdlib.h>
#include <string.h>

struct hook {
    struct hook *next;
    rt_sql_hook hook;
    max_align_t argument[];
};

struct hooks {
    struct hook *first, **end;
};

struct rt_tx_hold {
    rt_instance *instance;
    const rt_tx_driver *driver;
    void *connection;
    struct rt_tx_hold *outer;
    rt_ctx *unit;   /* that began it */
    rt_ctx *holder; /* of the turn */
    rt_mutex *turn;
    uint32_t depth;
    uintptr_t kept, keeps; /* the one that lasts, of how many; the address of `kept` is the key by
                              which the holder's own units are known */
    bool open;
    bool ending; /* only the finalizer may go on */
    struct hooks hooks;
};

static rt_tx_hold *ambient(const rt_ctx *ctx)
{
    return rt_context_value(ctx, ctx->instance);
}

int rt_tx_is_open(const rt_ctx *ctx)
{
    return ambient(ctx) != NULL;
}

static int refuse(rt_ctx *ctx, const char *condition, const char *message, const char *hint)
{
    return rt_sql_fail(ctx, &(rt_sql_failure){.condition = condition,
                                              .message = message,
                                              .hint = hint,
                                              .code = RT_EFAILED_PRECONDITION});
}

/* --- hooks ----------------------------------------------------------------------------------- */

static void drop_hooks(struct hooks *hooks)
{
    for (struct hook *hook = hooks->first, *next; hook; hook = next) {
        next = hook->next;
        free(hook);
    }
    *hooks = (struct hooks){NULL, &hooks->first};
}

/* Behind those of `to`. */
static void move_hooks(struct hooks *to, struct hooks *from)
{
    if (from->first) {
        *to->end = from->first;
        to->end = from->end;
    }
    *from = (struct hooks){NULL, &from->first};
}

static void run_hook(rt_ctx *ctx, const rt_sql_hook *hook, void *argument)
{
    rt_exit end;
    rt_run_exit(ctx, &end, hook->function, argument, .name = "sql.after_commit",
                .instance = hook->instance);
    if (end.kind == RT_EXIT_SUCCESS)
        return;
    const char *why = end.defect ? end.defect : end.error ? end.error->message : "";
    rt_log_with(ctx, RT_LOG_ERROR, "a hook failed after its transaction was committed",
                {"hook.module", hook->instance->name}, {"code", rt_code_name(end.result)},
                {"error", why});
}

static void run_hooks(rt_ctx *ctx, struct hooks *hooks)
{
    for (struct hook *hook = hooks->first; hook; hook = hook->next)
        run_hook(ctx, &hook->hook, hook->hook.argument_size ? hook->argument : hook->hook.argument);
    drop_hooks(hooks);
}

int rt_tx_after_commit(rt_ctx *ctx, const rt_sql_hook *given)
{
    rt_tx_hold *level = ambient(ctx);
    if (!given || !RT_HAS(given, argument) || !given->function || !given->instance ||
        (given->argument_size && !given->argument))
        return rt_fail(ctx, RT_EINVALID_ARGUMENT,
                       "the hook has no `size`, `function`, `instance` or `argument`");
    if (!level) {
        run_hook(ctx, given, given->argument);
        return 0;
    }
    if (!level->open || level->ending)
        return refuse(ctx, "NO_ACTIVE_SQL_TRANSACTION", "the transaction has ended", NULL);
    struct hook *hook = malloc(sizeof *hook + given->argument_size);
    if (!hook)
        return rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "out of memory for a hook");
    *hook = (struct hook){.hook = *given};
    if (given->argument_size)
        memcpy(hook->argument, given->argument, given->argument_size);
    *level->hooks.end = hook;
    level->hooks.end = &hook->next;
    return 0;
}

/* --- turns ----------------------------------------------------------------------------------- */

static int lock(rt_ctx *ctx, rt_tx_hold *level)
{
    if (level->kept && (uintptr_t)rt_context_value(ctx, &level->kept) == level->kept)
        return refuse(ctx, "OBJECT_IN_USE", "a stream or a copy is open in the transaction",
                      "close it first, or read into memory with `query`");
    RT_TRY(rt_mutex_lock(ctx, level->turn));
    level->holder = ctx;
    return 0;
}

static void unlock(rt_tx_hold *level)
{
    rt_ctx *holder = level->holder;
    level->holder = NULL;
    rt_mutex_unlock(holder, level->turn);
}

static int check_usable(rt_ctx *ctx, const rt_tx_hold *level)
{
    if (!level->open || level->ending)
        return refuse(ctx, "NO_ACTIVE_SQL_TRANSACTION", "the transaction has ended",
                      "join what was spawned inside of a transaction before its end");
    int state = level->driver->state(level->connection);
    if (state > 0)
        return refuse(ctx, "IN_FAILED_SQL_TRANSACTION",
                      "a statement of this transaction failed, so the server has given it up",
                      "roll back; a nested transaction around what may fail keeps the outer one");
    if (state < 0)
        return rt_sql_fail(ctx, &(rt_sql_failure){.condition = "CONNECTION_FAILURE",
                                                  .message = "the connection of the transaction "
                                                             "was lost, and its work with it"});
    return 0;
}

int rt_tx_acquire(rt_ctx *ctx, void **connection)
{
    rt_tx_hold *level = ambient(ctx);
    *connection = NULL;
    if (!level)
        return 0;
    RT_TRY(lock(ctx, level));
    int result = check_usable(ctx, level);
    if (result < 0)
        unlock(level);
    else
        *connection = level->connection;
    return result;
}

void rt_tx_release(rt_ctx *ctx)
{
    unlock(ambient(ctx));
}

rt_tx_hold *rt_tx_keep(rt_ctx *ctx)
{
    rt_tx_hold *level = ambient(ctx);
    level->kept = ++level->keeps;
    rt_set_context_value(ctx, &level->kept, (void *)level->kept);
    return level;
}

void rt_tx_let_go(rt_tx_hold *hold)
{
    hold->kept = 0;
    unlock(hold);
}

/* --- ends ------------------------------------------------------------------------------------ */

static int run_on(rt_ctx *ctx, const rt_tx_hold *level, const char *command)
{
    const char *text =
        level->outer ? rt_format(ctx, "%s SAVEPOINT rt_%u", command, level->depth) : command;
    return level->driver->run(ctx, level->connection, text);
}

static int undo(rt_ctx *ctx, const rt_tx_hold *level)
{
    if (level->driver->state(level->connection) < 0)
        return 0;
    if (!level->outer)
        return run_on(ctx, level, "ROLLBACK");
    RT_TRY(run_on(ctx, level, "ROLLBACK TO"));
    return run_on(ctx, level, "RELEASE");
}

static void close_level(rt_ctx *ctx, rt_tx_hold *level, bool broken)
{
    bool lost = level->driver->state(level->connection) < 0;
    level->open = false;
    rt_set_context_value(ctx, level->instance, level->outer);
    if (level->outer)
        unlock(level->outer);
    else
        level->driver->give(ctx, level->connection, broken || lost);
    level->connection = NULL;
}

/* 0: closed; negative: it was interrupted and is still to be done, or the savepoint is still there
 * on a connection that fails. */
static int roll_back(rt_ctx *ctx, rt_tx_hold *level)
{
    int result = undo(ctx, level);
    if (result == -RT_ECANCELED || result == -RT_EDEADLINE) {
        level->ending = true;
        return result;
    }
    drop_hooks(&level->hooks);
    close_level(ctx, level, result < 0);
    return level->outer ? result : 0; /* a connection that is closed rolls back too */
}

static int commit_level(rt_ctx *ctx, rt_tx_hold *level)
{
    RT_TRY(check_usable(ctx, level));
    RT_TRY(run_on(ctx, level, level->outer ? "RELEASE" : "COMMIT"));
    close_level(ctx, level, false);
    return 0;
}

/* The level that this unit of work may end, its turn taken. */
static int take_level(rt_ctx *ctx, rt_tx_hold **taken)
{
    rt_tx_hold *level = *taken = ambient(ctx);
    if (!level)
        return refuse(ctx, "NO_ACTIVE_SQL_TRANSACTION", "there is no transaction to end", NULL);
    if (level->unit != ctx)
        return refuse(ctx, "INVALID_TRANSACTION_TERMINATION",
                      "the transaction was begun by another unit of work, which ends it", NULL);
    if (level->ending)
        return refuse(ctx, "NO_ACTIVE_SQL_TRANSACTION", "the transaction has ended", NULL);
    return lock(ctx, level);
}

int rt_tx_commit(rt_ctx *ctx)
{
    rt_tx_hold *level;
    RT_TRY(take_level(ctx, &level));
    int result = commit_level(ctx, level);
    if (result < 0) {
        const rt_error *why = rt_last_error(ctx);
        if (level->open && roll_back(ctx, level) < 0 && why && why->code == -result)
            rt_fail_with(ctx, why);
        unlock(level);
        return result;
    }
    unlock(level);
    if (level->outer)
        move_hooks(&level->outer->hooks, &level->hooks);
    else
        run_hooks(ctx, &level->hooks);
    return 0;
}

int rt_tx_rollback(rt_ctx *ctx)
{
    rt_tx_hold *level;
    RT_TRY(take_level(ctx, &level));
    int result = roll_back(ctx, level);
    unlock(level);
    return result;
}

/* The unit of work that began is at its end, and so are all that shared the transaction. */
static void finish(rt_ctx *ctx, void *argument)
{
    rt_tx_hold *level = argument;
    if (level->open) {
        int result = undo(ctx, level);
        drop_hooks(&level->hooks);
        close_level(ctx, level, result < 0);
    }
    drop_hooks(&level->hooks);
    rt_mutex_free(level->turn);
}

/* --- begin ----------------------------------------------------------------------------------- */

static rt_tx_hold *new_level(rt_ctx *ctx, const rt_tx_driver *driver, rt_tx_hold *outer)
{
    rt_tx_hold *made = rt_alloc(ctx, sizeof *made);
    *made = (rt_tx_hold){.instance = ctx->instance,
                         .driver = driver,
                         .outer = outer,
                         .unit = ctx,
                         .depth = outer ? outer->depth + 1 : 0,
                         .turn = rt_mutex_new()};
    made->hooks.end = &made->hooks.first;
    if (made->turn)
        rt_defer(ctx, finish, made);
    return made;
}

static int open_outermost(rt_ctx *ctx, rt_tx_hold *level, const rt_sql_transaction *options)
{
    const rt_tx_driver *driver = level->driver;
    void *connection = NULL;
    RT_TRY(driver->take(ctx, options, &connection));
    level->connection = connection;
    level->open = true; /* from here on the finalizer gives it back */
    int result = run_on(ctx, level, driver->begin_text(ctx, options));
    if (result < 0) {
        const rt_error *why = rt_last_error(ctx);
        bool broken = undo(ctx, level) < 0;
        if (broken && why)
            rt_fail_with(ctx, why);
        close_level(ctx, level, broken);
    }
    return result;
}

static int open_savepoint(rt_ctx *ctx, rt_tx_hold *level)
{
    RT_TRY(lock(ctx, level->outer));
    int result = check_usable(ctx, level->outer);
    level->connection = level->outer->connection;
    if (result == 0)
        result = level->driver->run(ctx, level->connection,
                                    rt_format(ctx, "SAVEPOINT rt_%u", level->depth));
    if (result < 0)
        unlock(level->outer);
    level->open = result == 0;
    return result;
}

int rt_tx_begin(rt_ctx *ctx, const rt_tx_driver *driver, const rt_sql_transaction *given)
{
    rt_sql_transaction options = {.size = sizeof options};
    if (given)
        rt_struct_copy(&options, given);
    if (options.isolation > RT_SQL_SERIALIZABLE)
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "`%u` is no isolation level", options.isolation);
    rt_tx_hold *level = new_level(ctx, driver, ambient(ctx));
    if (!level->turn)
        return rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "out of memory for a transaction");
    RT_TRY(level->outer ? open_savepoint(ctx, level) : open_outermost(ctx, level, &options));
    return rt_set_context_value(ctx, ctx->instance, level);
}
