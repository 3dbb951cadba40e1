/* statement.h — what providers of sql/1 do with a statement before and after it runs */
#ifndef PLUGINS_SQL_STATEMENT_H
#define PLUGINS_SQL_STATEMENT_H

#include <rt/cap/sql.h>
#include <rt/span.h>

/* 0, or -RT_EINVALID_ARGUMENT: no text, a parameter of no known type, text that is no UTF-8 or has
 * a NUL, a uuid that is none. */
int rt_sql_check_statement(rt_ctx *ctx, const rt_sql_statement *statement);

/* "text(5), int, null": for errors and logs. */
const char *rt_sql_describe_parameters(rt_ctx *ctx, const rt_sql_statement *statement);

/* A client span of the statement by the conventions for databases, NULL where none is recorded;
 * `where` says system, space, address and port. The name is `SELECT orders`, as far as the text
 * tells. */
rt_span *rt_sql_open_span(rt_ctx *ctx, const rt_span_database *where,
                          const rt_sql_statement *statement);

#endif
