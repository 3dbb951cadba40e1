/* sql_suite.h — what the files of the suite of sql/1 share
 *
 * A complaint is a text, NULL where there is none.
 */
#ifndef RT_TESTING_SQL_SUITE_H
#define RT_TESTING_SQL_SUITE_H

#include "sql_conformance.h"

#include <stdio.h>
#include <string.h>

#define CHECK(expression)                      \
    do {                                       \
        const char *complaint_ = (expression); \
        if (complaint_)                        \
            return complaint_;                 \
    } while (0)

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

/* Integers from 1 on, for ever or up to `$1`; the name of the column is i. */
#define ENDLESS "WITH RECURSIVE n(i) AS (SELECT CAST(1 AS bigint) UNION ALL SELECT i + 1 FROM n) "
#define NUMBERS(most)                                                                      \
    "WITH RECURSIVE n(i) AS (SELECT CAST(1 AS bigint) UNION ALL SELECT i + 1 FROM n WHERE" \
    " i < " most ") "
/* Works for hours unless it is interrupted. */
#define ETERNAL ENDLESS "SELECT count(*) FROM n WHERE i < 0"

typedef struct rt_sql_suite {
    struct rt_sql_slot *sql;
    uint32_t dialect; /* rt_sql_dialect */
    uint32_t connections;
} rt_sql_suite;

/* The cases of one area. */
typedef struct rt_sql_area {
    const rt_conformance_case *cases;
    uint32_t count;
} rt_sql_area;

extern const rt_sql_area rt_sql_values_area, rt_sql_arrays_area, rt_sql_statements_area,
    rt_sql_parameters_area, rt_sql_errors_area, rt_sql_transactions_area, rt_sql_nesting_area,
    rt_sql_hooks_area, rt_sql_isolation_area, rt_sql_limits_area, rt_sql_streams_area,
    rt_sql_loads_area, rt_sql_notifications_area;

/* --- asking ---------------------------------------------------------------------------------- */

/* Runs a statement that has to succeed. */
const char *rt_suite_exec(rt_ctx *ctx, const rt_sql_suite *suite,
                          const rt_sql_statement *statement);
/* The same, and `count` rows have to be affected. */
const char *rt_suite_affects(rt_ctx *ctx, const rt_sql_suite *suite, uint64_t count,
                             const rt_sql_statement *statement);
/* Runs a query that has to give `count` rows. */
const char *rt_suite_query(rt_ctx *ctx, const rt_sql_suite *suite, uint64_t count,
                           rt_sql_rows *rows, const rt_sql_statement *statement);
/* Runs a query whose first value has to be this integer. */
const char *rt_suite_number(rt_ctx *ctx, const rt_sql_suite *suite, int64_t number,
                            const rt_sql_statement *statement);
/* Runs a statement that has to fail with -RT_E… and, unless it is NULL, this domain. */
const char *rt_suite_fails(rt_ctx *ctx, const rt_sql_suite *suite, int code, const char *domain,
                           const rt_sql_statement *statement);
/* Makes a table anew that is dropped when the unit of work ends. */
const char *rt_suite_table(rt_ctx *ctx, const rt_sql_suite *suite, const char *name,
                           const char *columns);
/* conformance_ledger (id bigint PRIMARY KEY, note text), empty, and how many rows it has. */
const char *rt_suite_ledger(rt_ctx *ctx, const rt_sql_suite *suite);
const char *rt_suite_notes(rt_ctx *ctx, const rt_sql_suite *suite, int64_t count);
int rt_suite_note(rt_ctx *ctx, const rt_sql_suite *suite, int64_t id, const char *note);

/* NULL if the two are the same: doubles bit by bit, JSON by what it means. */
const char *rt_suite_compare(rt_ctx *ctx, const rt_sql_value *got, const rt_sql_value *wanted);
/* As many statements as there are connections, and some more: none of them has been lost. */
const char *rt_suite_alive(rt_ctx *ctx, const rt_sql_suite *suite);
/* The last error has this domain. */
const char *rt_suite_domain(rt_ctx *ctx, const char *what, const char *domain);

/* --- work inside of a case ------------------------------------------------------------------- */

/* What such work is given; the complaint outlives the work that makes it. */
typedef struct rt_sql_story {
    const rt_sql_suite *suite;
    rt_ctx *outer; /* the case's */
    const char *complaint;
    int64_t number;
    rt_cancel *cancel;
    rt_channel *first, *second; /* what fibers tell each other; see rt_story_open */
    void *more;
} rt_sql_story;

/* A story with channels that hold many items; they go with the unit of work. */
rt_sql_story *rt_story_open(rt_ctx *ctx, const rt_sql_suite *suite);
/* Keeps the first complaint; 0, so that siblings go on. */
int rt_story_complain(rt_sql_story *story, const char *complaint);
int rt_story_say(rt_ctx *ctx, rt_channel *channel);
int rt_story_hear(rt_ctx *ctx, rt_channel *channel);

#define TELL(story_, expression)                            \
    do {                                                    \
        const char *complaint_ = (expression);              \
        if (complaint_)                                     \
            return rt_story_complain((story_), complaint_); \
    } while (0)

#endif
