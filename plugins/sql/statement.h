/* statement.h — what providers of sql/1 do with a statement before and after it runs
 *
 * Waiting: nothing here waits. Ownership: texts live as long as the unit of work.
 */
#ifndef PLUGINS_SQL_STATEMENT_H
#define PLUGINS_SQL_STATEMENT_H

#include <rt/cap/sql.h>
#include <rt/span.h>
#include <stdbool.h>

/* 0, or -RT_EINVALID_ARGUMENT: no text, a parameter of no known type, text that is no UTF-8 or has
 * a NUL, a uuid that is none, parameters of a script. */
int rt_sql_check_statement(rt_ctx *ctx, const rt_sql_statement *statement);
/* The same of one value that is parameter `number` (from 1) of a statement, which may be NULL. */
int rt_sql_check_value(rt_ctx *ctx, const rt_sql_statement *statement, uint64_t number,
                       const rt_sql_value *value);

/* "int", "text", … */
const char *rt_sql_type_name(uint32_t type);

/* "text(5), int, null": for errors and logs. */
const char *rt_sql_describe_parameters(rt_ctx *ctx, const rt_sql_statement *statement);

/* What a text does to what, as far as its words tell, in the dialects of both servers. Pieces of
 * the text, or of a constant; empty where nothing is known. */
typedef struct rt_sql_summary {
    rt_str operation;  /* "SELECT" */
    rt_str collection; /* "orders"; the first of several */
} rt_sql_summary;

rt_sql_summary rt_sql_summarize(const char *text);

/* The text with `?` for each literal and without comments, cut at 2,000 bytes. */
const char *rt_sql_without_values(rt_ctx *ctx, const char *text);

/* A client span of the statement by the conventions for databases, NULL where none is recorded;
 * `where` says system, space, address and port. The name is `SELECT orders`, as far as the text
 * tells. */
rt_span *rt_sql_open_span(rt_ctx *ctx, const rt_span_database *where,
                          const rt_sql_statement *statement);

#endif
