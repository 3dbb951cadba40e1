/* sql_conformance.h — what every provider of sql/1 has to do
 *
 * The suite makes and drops its own tables and channels, all of them named `conformance_…`, in the
 * database behind the handle: one of its own. Where servers differ by contract it asks
 * rt_sql_describe for the dialect and expects what rt/cap/sql.h promises for it: no case is
 * skipped. Link librt-data. Waits; takes some seconds, up to a minute on an instrumented build.
 */
#ifndef RT_TESTING_SQL_CONFORMANCE_H
#define RT_TESTING_SQL_CONFORMANCE_H

#include "conformance.h"

#include <rt/cap/sql.h>

typedef struct rt_sql_conformance {
    struct rt_sql_slot *sql; /* the handle of RT_REQUIRES(sql, 1) */
    uint32_t connections;    /* transactions that can be open at once: the size of the pool */
} rt_sql_conformance;

/* Runs all cases on the caller's provider and returns the TAP. */
rt_str rt_sql_conformance_run(rt_ctx *ctx, const rt_sql_conformance *subject);

#endif
