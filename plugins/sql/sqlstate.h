/* sqlstate.h — condition names of SQLSTATEs, and errors made of what a server said
 *
 * Shared by the providers of sql/1. Source: PostgreSQL 15, appendix A; ISO/IEC 9075.
 */
#ifndef PLUGINS_SQL_SQLSTATE_H
#define PLUGINS_SQL_SQLSTATE_H

#include <rt/cap/sql.h>

typedef struct rt_sqlstate {
    char state[6];    /* "23505"; of a class "23000" */
    const char *name; /* "UNIQUE_VIOLATION" */
    int32_t code;     /* rt_code */
    int32_t retryable;
} rt_sqlstate;

/* Never NULL: a state that is not listed has the code of its class and the name "UNKNOWN". */
const rt_sqlstate *rt_sqlstate_find(const char *state);
/* By name; NULL if there is none. Of a name that several classes have it is the data exception, not
 * the warning. */
const rt_sqlstate *rt_sqlstate_named(const char *name);

/* What is known of a failure; NULL and 0: nothing. */
typedef struct rt_sql_failure {
    const char *state;     /* "23505" */
    const char *condition; /* instead of the state: "UNIQUE_VIOLATION" */
    const char *message;   /* what the server says; values in it are the server's to show */
    const char *detail, *hint;
    const char *constraint, *table, *column;
    const char *position;              /* in the text of the statement: characters, from 1 */
    const rt_sql_statement *statement; /* its text, and its parameters by type and length */
    int32_t code;                      /* an rt_code instead of the state's */
    int32_t final;                     /* 1: not retryable, as the outcome is not known */
} rt_sql_failure;

/* Sets the error of the context and returns it. */
int rt_sql_fail(rt_ctx *ctx, const rt_sql_failure *failure);

#endif
