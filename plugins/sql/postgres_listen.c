#include "postgres.h"
int rt_pg_stream_open(rt_ctx *ctx, const rt_sql_statement *s, rt_sql_stream **x)
{
    (void)s;
    (void)x;
    return rt_fail(ctx, RT_EUNIMPLEMENTED, "x");
}
int rt_pg_stream_next(rt_ctx *ctx, rt_sql_stream *x, rt_sql_rows *r)
{
    (void)x;
    (void)r;
    return rt_fail(ctx, RT_EUNIMPLEMENTED, "x");
}
int rt_pg_stream_close(rt_ctx *ctx, rt_sql_stream *x)
{
    (void)x;
    return rt_fail(ctx, RT_EUNIMPLEMENTED, "x");
}
int rt_pg_copy_begin(rt_ctx *ctx, const rt_sql_copy *c, rt_sql_load **l)
{
    (void)c;
    (void)l;
    return rt_fail(ctx, RT_EUNIMPLEMENTED, "x");
}
int rt_pg_copy_rows(rt_ctx *ctx, rt_sql_load *l, const rt_sql_value *v, uint64_t n)
{
    (void)l;
    (void)v;
    (void)n;
    return rt_fail(ctx, RT_EUNIMPLEMENTED, "x");
}
int rt_pg_copy_write(rt_ctx *ctx, rt_sql_load *l, const void *d, uint64_t n)
{
    (void)l;
    (void)d;
    (void)n;
    return rt_fail(ctx, RT_EUNIMPLEMENTED, "x");
}
int rt_pg_copy_read(rt_ctx *ctx, rt_sql_load *l, rt_str *c)
{
    (void)l;
    (void)c;
    return rt_fail(ctx, RT_EUNIMPLEMENTED, "x");
}
int rt_pg_copy_end(rt_ctx *ctx, rt_sql_load *l, uint64_t *n)
{
    (void)l;
    (void)n;
    return rt_fail(ctx, RT_EUNIMPLEMENTED, "x");
}
int rt_pg_listen(rt_ctx *ctx, const char *c, rt_sql_listener **l)
{
    (void)c;
    (void)l;
    return rt_fail(ctx, RT_EUNIMPLEMENTED, "x");
}
int rt_pg_notified(rt_ctx *ctx, rt_sql_listener *l, rt_sql_notification *n)
{
    (void)l;
    (void)n;
    return rt_fail(ctx, RT_EUNIMPLEMENTED, "x");
}
int rt_pg_unlisten(rt_ctx *ctx, rt_sql_listener *l)
{
    (void)l;
    return rt_fail(ctx, RT_EUNIMPLEMENTED, "x");
}
int rt_pg_notify(rt_ctx *ctx, const char *c, const char *p)
{
    (void)c;
    (void)p;
    return rt_fail(ctx, RT_EUNIMPLEMENTED, "x");
}
