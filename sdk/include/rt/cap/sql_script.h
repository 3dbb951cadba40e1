/* rt/cap/sql_script.h — sql-script/1: what the double of sql/1 answers
 *
 * `sql-test` carries statements out in a database of its own in memory, except those that a test
 * has written an answer for: rows, or an error. An answer is for statements whose text contains a
 * fragment, for so many of them (`times` 0: until clear); of several that fit, the one that was
 * written first counts. Calls, and failures by method, are test-double/1's.
 *
 * Ownership: rows and texts are copied. Waiting: no method waits.
 * Errors: an empty fragment, rows without `size`, and a condition that PostgreSQL's appendix A does
 * not have are -RT_EINVALID_ARGUMENT.
 *
 *     RT_REQUIRES(sql_script, 1)
 *     …
 *     RT_TRY(rt_sql_script_fail(ctx, sql_script, "INSERT INTO orders", "UNIQUE_VIOLATION",
 *                               "orders_sku_key", 1));
 */
#ifndef RT_CAP_SQL_SCRIPT_H
#define RT_CAP_SQL_SCRIPT_H

#include <rt/cap/sql.h>

/* rows    what query and streams answer; exec tells their number.
 * fail    the statement fails so, and in a transaction spoils it; `constraint` may be NULL.
 * clear   forgets all answers. */
#define RT_SQL_SCRIPT_METHODS(M)                                                            \
    M(sql_script, rows, RT_NO_FLAGS, (const char *, fragment), (const rt_sql_rows *, rows), \
      (uint32_t, times))                                                                    \
    M(sql_script, fail, RT_NO_FLAGS, (const char *, fragment), (const char *, condition),   \
      (const char *, constraint), (uint32_t, times))                                        \
    M(sql_script, clear, RT_IDEMPOTENT)
#define RT_METHODS_sql_script RT_METHOD_NAMES(RT_SQL_SCRIPT_METHODS)

RT_CAPABILITY(sql_script, 1, RT_SQL_SCRIPT_METHODS)

#endif
