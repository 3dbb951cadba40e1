/* sqlite.c — sqlite: sql/1 on a file of this machine
 *
 * One connection of each worker writes, `readers` read while it does (WAL). Without a `path` the
 * database is in memory, one worker's alone, and gone when that ends: for development.
 */
#include "sqlite.h"

RT_MODULE("sqlite", "0.1.0", "SQL in a file of this machine, or in memory")
RT_PROVIDES(sql, 1, fallback, 0)
RT_DEVELOPMENT_ONLY_WHEN("path", ":memory:")
RT_PROCESS_LOCAL_WHEN("path", ":memory:")
RT_OPTION(path, path, RT_DEFAULT(":memory:") RT_VALUES(":memory:") RT_WRITE,
          "The file, or \":memory:\"")
RT_OPTION(int, readers, RT_DEFAULT(2) RT_RANGE(1, 64), "Connections of a worker that only read")
RT_OPTION(duration, busy_timeout, RT_DEFAULT("5 s") RT_RANGE("0 s", "10 min"),
          "Longest wait for a connection, and for the lock of another process")
RT_OPTION(enum, journal, RT_DEFAULT("wal") RT_VALUES(wal, delete),
          "`delete` where several machines share the file")
RT_OPTION(enum, synchronous, RT_DEFAULT("normal") RT_VALUES(normal, full),
          "`full`: a commit outlives a loss of power too")
RT_OPTION(size, cache_size, RT_DEFAULT("8 MiB") RT_RANGE("64 KiB", "16 GiB"),
          "Memory of each connection for pages")
RT_OPTION(size, max_size, RT_RANGE("64 KiB", "16 TiB"), "Most that the file may grow to")

rt_sqlite *rt_sqlite_here(const rt_ctx *ctx)
{
    return rt_state(ctx);
}

static int start(rt_ctx *ctx)
{
    rt_sqlite *database;
    RT_TRY(rt_sqlite_open(ctx,
                          &(rt_sqlite_settings){.path = RT_GET(ctx, path),
                                                .journal = RT_GET(ctx, journal),
                                                .synchronous = RT_GET(ctx, synchronous),
                                                .busy_timeout = RT_GET(ctx, busy_timeout),
                                                .cache_size = RT_GET(ctx, cache_size),
                                                .max_size = RT_GET(ctx, max_size),
                                                .readers = (uint32_t)RT_GET(ctx, readers)},
                          &database));
    rt_set_state(ctx, database);
    return 0;
}

static int stop(rt_ctx *ctx)
{
    rt_sqlite_close(ctx, rt_state(ctx));
    rt_set_state(ctx, NULL);
    return 0;
}

static int health(rt_ctx *ctx, rt_health *health)
{
    return rt_sqlite_health(ctx, rt_state(ctx), health);
}

RT_REGISTER(registry)
{
    RT_TRY(rt_on(registry, .start = start, .stop = stop, .health = health));
    return rt_provide(registry, sql, RT_SQLITE_METHODS);
}
