/* repository_suite.h — what repositories do on every database, as a suite of conformance.h */
#ifndef RT_TEST_REPOSITORY_SUITE_H
#define RT_TEST_REPOSITORY_SUITE_H

#include <conformance.h>
#include <rt/cap/sql.h>

/* Makes its tables anew, and leaves them. */
rt_str rt_repository_suite_run(rt_ctx *ctx, struct rt_sql_slot *sql);

#endif
