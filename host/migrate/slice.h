/* slice.h — what a module says of its slice, judged; what follows from a migration's text */
#ifndef RT_MIGRATE_SLICE_H
#define RT_MIGRATE_SLICE_H

#include "base/buffer.h"

#include <rt/slice.h>
#include <stdbool.h>

#define RT_MIGRATION_TEXT_LIMIT ((size_t)1 << 20)
#define RT_MIGRATION_NAME_LIMIT 64u
#define RT_MIGRATIONS_MOST 9999u /* four digits in a file's name */

/* The first line of a text for PostgreSQL that must not run in a transaction. */
#define RT_MIGRATION_APART "-- rt: no transaction"

/* True if it can be worked with; else `problem` says what is wrong. */
bool rt_slice_judge(const rt_slice *slice, rt_buffer *problem);

/* The same of a part: what is wrong, or NULL. */
const char *rt_migration_name_problem(const char *name);
const char *rt_migration_text_problem(const char *text, bool may_be_apart);

bool rt_migration_is_apart(const char *text);

enum { RT_CHECKSUM_SIZE = 65 };
/* SHA-256 in hexadecimal; of a text that is NULL, as of an empty one. */
void rt_migration_checksum(const char *text, char checksum[RT_CHECKSUM_SIZE]);

#endif
