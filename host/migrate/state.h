/* state.h — the migrations of a slice beside what its database says was applied
 *
 * No database is asked here: rows in, judgement out.
 */
#ifndef RT_MIGRATE_STATE_H
#define RT_MIGRATE_STATE_H

#include "base/arena.h"
#include "migrate/slice.h"

typedef enum rt_migration_status {
    RT_MIGRATION_APPLIED,
    RT_MIGRATION_MISSING, /* to be applied */
    RT_MIGRATION_CHANGED, /* applied with another text */
    RT_MIGRATION_SKIPPED, /* missing, though a later one was applied */
    RT_MIGRATION_UNKNOWN, /* applied, and the module has none of that number: it is older */
    RT_MIGRATION_STATUS_COUNT,
} rt_migration_status;
extern const char *const rt_migration_status_names[RT_MIGRATION_STATUS_COUNT];

/* A row of the table `rt_migrations`. */
typedef struct rt_applied {
    int64_t number;
    const char *name, *checksum, *applied_by;
    int64_t applied_at; /* microseconds since 1970 */
    int64_t duration;   /* milliseconds */
} rt_applied;

typedef struct rt_migration_entry {
    uint32_t number;
    rt_migration_status status;
    const char *name;
    const char *text; /* for this dialect; NULL: nothing to do, or unknown */
    char checksum[RT_CHECKSUM_SIZE];
    const rt_applied *applied; /* NULL: it was not */
} rt_migration_entry;

typedef struct rt_migrations {
    const char *slice;
    uint32_t dialect; /* rt_sql_dialect */
    rt_migration_entry *entries;
    size_t count;
    size_t of[RT_MIGRATION_STATUS_COUNT]; /* how many are in each status */
} rt_migrations;

/* Rows by number, each once. What is pointed to must outlive the result. */
void rt_migrations_judge(rt_arena *arena, rt_migrations *state, const rt_slice *slice,
                         const rt_applied *rows, size_t row_count);

/* Nothing but applied and missing ones: `up` can go on. */
bool rt_migrations_agree(const rt_migrations *state);
/* The first that is missing, up to number `most` (0: any); NULL: none. */
const rt_migration_entry *rt_migrations_next(const rt_migrations *state, uint32_t most);

/* "slice `orders` lacks 2 migrations: 2 `add_index`, 3 `prices`" */
void rt_migrations_tell_missing(const rt_migrations *state, rt_buffer *text);
/* A line for each that is changed, skipped or unknown. */
void rt_migrations_tell_disagreement(const rt_migrations *state, rt_buffer *text);

#endif
