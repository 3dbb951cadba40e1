/* statements.h — a script of SQL taken apart into its statements
 *
 * Knows what hides a semicolon in either dialect: strings, quoted names, `$tag$` texts, comments
 * (nested ones too), and the bodies of triggers and functions between BEGIN and END.
 */
#ifndef RT_MIGRATE_STATEMENTS_H
#define RT_MIGRATE_STATEMENTS_H

#include <stdbool.h>
#include <stddef.h>

/* Without the semicolon, and without blanks and comments before it. */
typedef struct rt_statement {
    const char *text;
    size_t length;
} rt_statement;

/* The next statement at `*rest`, which moves on. False: there is none left. */
bool rt_statement_next(const char **rest, rt_statement *statement);
/* BEGIN, COMMIT, ROLLBACK, …: a migration leaves its transaction to whoever applies it. */
bool rt_statement_ends_transaction(const rt_statement *statement);

#endif
