/* One connection: how it is opened, what its statements may do, what it keeps prepared. */
#include "sqlite.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define PAGE_SIZE 4096
#define STEPS_BETWEEN_LOOKS 1000 /* of the virtual machine: some 10 µs */

static int64_t clock_of(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

int64_t rt_sqlite_clock(void)
{
    return clock_of(CLOCK_REALTIME);
}

/* --- handlers -------------------------------------------------------------------------------- */

static int is_stopped(void *argument)
{
    rt_sqlite_connection *connection = argument;
    return atomic_load_explicit(&connection->stop, memory_order_relaxed) != 0;
}

/* Another process, or another connection of this one, has the lock. 1: try again. */
static int wait_for_lock(void *argument, int tried)
{
    rt_sqlite_connection *connection = argument;
    int64_t now = clock_of(CLOCK_MONOTONIC);
    if (tried == 0)
        connection->busy_since = now;
    if (is_stopped(connection) || now - connection->busy_since >= connection->busy_timeout / 1000)
        return 0;
    usleep(tried < 10 ? 1000 : 5000);
    return 1;
}

/* Readers leave the settings of a connection alone; what sets them is not for statements. */
static const char *const harmless_pragmas[] = {
    "table_info",  "table_xinfo",        "table_list",        "index_list",
    "index_info",  "index_xinfo",        "user_version",      "application_id",
    "quick_check", "integrity_check",    "foreign_key_check", "foreign_key_list",
    "optimize",    "defer_foreign_keys", "wal_checkpoint",    "incremental_vacuum"};

static int judge_pragma(const char *name, const char *argument)
{
    for (size_t i = 0; i < sizeof harmless_pragmas / sizeof harmless_pragmas[0]; i++)
        if (name && strcasecmp(name, harmless_pragmas[i]) == 0)
            return SQLITE_OK;
    return argument ? SQLITE_DENY : SQLITE_OK;
}

/* Whoever ends a transaction behind our back ends it for all that share it; another file is beyond
 * what the sandbox and the operator agreed on. */
static int authorize(void *argument, int action, const char *first, const char *second,
                     const char *database, const char *trigger)
{
    const rt_sqlite_connection *connection = argument;
    (void)database, (void)trigger;
    if (connection->own)
        return SQLITE_OK;
    switch (action) {
    case SQLITE_ATTACH:
    case SQLITE_DETACH:
    case SQLITE_TRANSACTION:
    case SQLITE_SAVEPOINT:
        return SQLITE_DENY;
    case SQLITE_PRAGMA:
        return judge_pragma(first, second);
    case SQLITE_FUNCTION:
        return second && strcasecmp(second, "load_extension") == 0 ? SQLITE_DENY : SQLITE_OK;
    default:
        return SQLITE_OK;
    }
}

/* --- functions ------------------------------------------------------------------------------- */

static void tell_now(sqlite3_context *context, int count, sqlite3_value **values)
{
    const rt_sqlite_connection *connection = sqlite3_user_data(context);
    (void)count, (void)values;
    sqlite3_result_int64(context, connection->now);
}

static void make_uuid(sqlite3_context *context, int count, sqlite3_value **values)
{
    unsigned char bytes[16];
    char text[37];
    (void)count, (void)values;
    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes) {
        sqlite3_result_error(context, "no random bytes", -1);
        return;
    }
    bytes[6] = (unsigned char)((bytes[6] & 0x0f) | 0x40);
    bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80);
    for (int i = 0, used = 0; i < 16; i++)
        used += snprintf(text + used, sizeof text - (size_t)used, "%s%02x",
                         i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", bytes[i]);
    sqlite3_result_text(context, text, 36, SQLITE_TRANSIENT);
}

static int add_functions(rt_sqlite_connection *connection)
{
    int flags = SQLITE_UTF8 | SQLITE_INNOCUOUS;
    int code = sqlite3_create_function(connection->handle, "now", 0, flags, connection, tell_now,
                                       NULL, NULL);
    return code ? code
                : sqlite3_create_function(connection->handle, "gen_random_uuid", 0, flags,
                                          connection, make_uuid, NULL, NULL);
}

/* --- opening --------------------------------------------------------------------------------- */

static bool in_memory(const rt_sqlite_settings *settings)
{
    return strcmp(settings->path, ":memory:") == 0;
}

int rt_sqlite_command(rt_sqlite_connection *connection, const char *text,
                      rt_sqlite_problem *problem)
{
    connection->own = true;
    int code = sqlite3_exec(connection->handle, text, NULL, NULL, NULL);
    connection->own = false;
    return code == SQLITE_OK ? 0 : rt_sqlite_problem_of(connection, text, problem);
}

static int __attribute__((format(printf, 3, 4)))
set(rt_sqlite_connection *connection, rt_sqlite_problem *problem, const char *format, ...)
{
    char text[128];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return rt_sqlite_command(connection, text, problem);
}

int rt_sqlite_clean(rt_sqlite_connection *connection, rt_sqlite_problem *problem)
{
    bool idle = sqlite3_get_autocommit(connection->handle);
    if (!idle && rt_sqlite_command(connection, "ROLLBACK", problem) < 0)
        return -1;
    if (!connection->reader &&
        rt_sqlite_command(connection, "PRAGMA query_only = OFF", problem) < 0)
        return -1;
    connection->dirty = false;
    return 0;
}

/* Two that open a new file at once refuse each other without asking the busy handler. */
static int set_journal(rt_sqlite_connection *connection, const rt_sqlite_settings *settings,
                       rt_sqlite_problem *problem)
{
    for (int tried = 0; set(connection, problem, "PRAGMA journal_mode = %s", settings->journal) < 0;
         tried++) {
        if ((problem->sqlite & 0xff) != SQLITE_BUSY || !wait_for_lock(connection, tried))
            return -1;
        *problem = (rt_sqlite_problem){0};
    }
    return 0;
}

static int apply(rt_sqlite_connection *connection, const rt_sqlite_settings *settings,
                 rt_sqlite_problem *problem)
{
    bool file = !in_memory(settings);
    long long pages = settings->max_size / PAGE_SIZE;
    if (set(connection, problem, "PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY") < 0 ||
        set(connection, problem, "PRAGMA cache_size = -%lld",
            (long long)settings->cache_size / 1024) < 0)
        return -1;
    if (!connection->reader && file && set_journal(connection, settings, problem) < 0)
        return -1;
    if (file && set(connection, problem, "PRAGMA synchronous = %s", settings->synchronous) < 0)
        return -1;
    if (pages && set(connection, problem, "PRAGMA max_page_count = %lld", pages) < 0)
        return -1;
    /* Reads the header: a file that is no database shows here. */
    return rt_sqlite_command(connection,
                             connection->reader
                                 ? "PRAGMA query_only = ON; SELECT count(*) FROM sqlite_schema"
                                 : "SELECT count(*) FROM sqlite_schema",
                             problem);
}

static void guard(rt_sqlite_connection *connection)
{
    static const struct {
        int option, value;
    } options[] = {{SQLITE_DBCONFIG_DEFENSIVE, 1},
                   {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
                   {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
                   {SQLITE_DBCONFIG_DQS_DDL, 0},
                   {SQLITE_DBCONFIG_DQS_DML, 0}};
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        sqlite3_db_config(connection->handle, options[i].option, options[i].value, (int *)NULL);
    sqlite3_extended_result_codes(connection->handle, 1);
    sqlite3_busy_handler(connection->handle, wait_for_lock, connection);
    sqlite3_progress_handler(connection->handle, STEPS_BETWEEN_LOOKS, is_stopped, connection);
    sqlite3_set_authorizer(connection->handle, authorize, connection);
}

int rt_sqlite_connect(rt_sqlite_connection *connection, const rt_sqlite_settings *settings,
                      bool reader, rt_sqlite_problem *problem)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    connection->reader = reader;
    connection->busy_timeout = settings->busy_timeout;
    int code = sqlite3_open_v2(settings->path, &connection->handle, flags, NULL);
    if (!connection->handle)
        return rt_sqlite_problem_set(problem, "OUT_OF_MEMORY", "out of memory for a connection");
    if (code != SQLITE_OK)
        return rt_sqlite_problem_of(connection, "", problem);
    guard(connection);
    if (add_functions(connection) != SQLITE_OK)
        return rt_sqlite_problem_of(connection, "", problem);
    return apply(connection, settings, problem);
}

void rt_sqlite_disconnect(rt_sqlite_connection *connection)
{
    for (size_t i = 0; i < RT_SQLITE_STATEMENTS; i++) {
        sqlite3_finalize(connection->prepared[i].statement);
        free(connection->prepared[i].text);
        connection->prepared[i] = (struct rt_sqlite_prepared){0};
    }
    sqlite3_close_v2(connection->handle);
    connection->handle = NULL;
}

/* --- prepared statements --------------------------------------------------------------------- */

static uint64_t hash_of(const char *text)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
    return hash ? hash : 1;
}

/* What follows the first statement may be space and comments alone. */
static int check_tail(rt_sqlite_connection *connection, const char *tail,
                      rt_sqlite_problem *problem)
{
    sqlite3_stmt *second = NULL;
    int code = SQLITE_OK;
    while (code == SQLITE_OK && !second && tail && *tail)
        code = sqlite3_prepare_v2(connection->handle, tail, -1, &second, &tail);
    bool more = second || code != SQLITE_OK;
    sqlite3_finalize(second);
    if (!more)
        return 0;
    problem->hint = "give it the flag RT_SQL_SCRIPT, or run them one by one";
    return rt_sqlite_problem_set(problem, "SYNTAX_ERROR", "the text has several statements");
}

static int prepare_new(rt_sqlite_connection *connection, const char *text, unsigned flags,
                       sqlite3_stmt **statement, rt_sqlite_problem *problem)
{
    const char *tail = NULL;
    if (sqlite3_prepare_v3(connection->handle, text, -1, flags, statement, &tail) != SQLITE_OK)
        return rt_sqlite_problem_of(connection, text, problem);
    if (tail && *tail && check_tail(connection, tail, problem) < 0) {
        sqlite3_finalize(*statement);
        *statement = NULL;
        return -1;
    }
    return 0;
}

static struct rt_sqlite_prepared *find_kept(rt_sqlite_connection *connection, const char *text,
                                            uint64_t hash)
{
    for (size_t i = 0; i < RT_SQLITE_STATEMENTS; i++) {
        struct rt_sqlite_prepared *entry = &connection->prepared[i];
        if (entry->hash == hash && entry->text && strcmp(entry->text, text) == 0)
            return entry;
    }
    return NULL;
}

/* An empty place, or that of the one that was not used for longest; NULL: all are lent. */
static struct rt_sqlite_prepared *make_room(rt_sqlite_connection *connection)
{
    struct rt_sqlite_prepared *oldest = NULL;
    for (size_t i = 0; i < RT_SQLITE_STATEMENTS; i++) {
        struct rt_sqlite_prepared *entry = &connection->prepared[i];
        if (!entry->lent && (!oldest || entry->used < oldest->used))
            oldest = entry;
    }
    if (oldest && oldest->statement) {
        sqlite3_finalize(oldest->statement);
        free(oldest->text);
        *oldest = (struct rt_sqlite_prepared){0};
    }
    return oldest;
}

static void keep_prepared(rt_sqlite_connection *connection, const char *text, uint64_t hash,
                          sqlite3_stmt *statement)
{
    struct rt_sqlite_prepared *entry = make_room(connection);
    char *copy = entry ? strdup(text) : NULL;
    if (copy)
        *entry = (struct rt_sqlite_prepared){.hash = hash,
                                             .used = ++connection->uses,
                                             .text = copy,
                                             .statement = statement,
                                             .lent = true};
}

int rt_sqlite_prepare(rt_sqlite_connection *connection, const char *text, sqlite3_stmt **statement,
                      rt_sqlite_problem *problem)
{
    uint64_t hash = hash_of(text);
    struct rt_sqlite_prepared *kept = find_kept(connection, text, hash);
    if (kept && !kept->lent) {
        kept->lent = true;
        kept->used = ++connection->uses;
        *statement = kept->statement;
        return 0;
    }
    *statement = NULL;
    unsigned flags = kept ? 0 : SQLITE_PREPARE_PERSISTENT;
    if (prepare_new(connection, text, flags, statement, problem) < 0)
        return -1;
    if (*statement && !kept)
        keep_prepared(connection, text, hash, *statement);
    return 0;
}

void rt_sqlite_unprepare(rt_sqlite_connection *connection, sqlite3_stmt *statement)
{
    for (size_t i = 0; statement && i < RT_SQLITE_STATEMENTS; i++) {
        if (connection->prepared[i].statement != statement)
            continue;
        sqlite3_reset(statement);
        sqlite3_clear_bindings(statement);
        connection->prepared[i].lent = false;
        return;
    }
    sqlite3_finalize(statement);
}
