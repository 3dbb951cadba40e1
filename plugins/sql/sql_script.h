/* sql_script.h — the answers that a test has written for sql-test
 *
 * Nothing waits. A script belongs to one instance and its fibers.
 */
#ifndef PLUGINS_SQL_SCRIPT_H
#define PLUGINS_SQL_SCRIPT_H

#include <rt/cap/sql_script.h>
#include <rt/rt.h>

typedef struct rt_sql_script rt_sql_script;

/* NULL: no memory. */
rt_sql_script *rt_sql_script_open(void);
void rt_sql_script_close(rt_sql_script *script);
void rt_sql_script_forget(rt_sql_script *script);

int rt_sql_script_put_rows(rt_ctx *ctx, rt_sql_script *script, const char *fragment,
                           const rt_sql_rows *rows, uint32_t times);
int rt_sql_script_put_failure(rt_ctx *ctx, rt_sql_script *script, const char *fragment,
                              const char *condition, const char *constraint, uint32_t times);

/* 0: nothing is written for it. 1: the rows, in the memory of the unit of work. Negative: the
 * error. */
int rt_sql_script_play(rt_ctx *ctx, rt_sql_script *script, const rt_sql_statement *statement,
                       rt_sql_rows *rows);

#endif
