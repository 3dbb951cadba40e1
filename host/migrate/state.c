#include "migrate/state.h"

#include <rt/cap/sql.h>
#include <string.h>

#define MOST_NAMED 8

const char *const rt_migration_status_names[RT_MIGRATION_STATUS_COUNT] = {
    [RT_MIGRATION_APPLIED] = "applied",
    [RT_MIGRATION_MISSING] = "missing",
    [RT_MIGRATION_CHANGED] = "changed",
    [RT_MIGRATION_SKIPPED] = "skipped",
    [RT_MIGRATION_UNKNOWN] = "unknown"};

static const rt_applied *row_of(const rt_applied *rows, size_t count, uint32_t number)
{
    for (size_t i = 0; i < count; i++)
        if (rows[i].number == number)
            return &rows[i];
    return NULL;
}

static int64_t highest(const rt_applied *rows, size_t count)
{
    int64_t number = 0;
    for (size_t i = 0; i < count; i++)
        number = rows[i].number > number ? rows[i].number : number;
    return number;
}

static void add(rt_arena *arena, rt_migrations *state, const rt_migration_entry *entry)
{
    rt_push(arena, state->entries, state->count) = *entry;
    state->of[entry->status]++;
}

static void add_known(rt_arena *arena, rt_migrations *state, const rt_migration *migration,
                      const rt_applied *row, bool is_last)
{
    rt_migration_entry entry = {.number = migration->number,
                                .name = migration->name,
                                .text = state->dialect == RT_SQL_POSTGRES ? migration->postgres
                                                                          : migration->sqlite,
                                .applied = row};
    rt_migration_checksum(entry.text, entry.checksum);
    if (!row)
        entry.status = is_last ? RT_MIGRATION_MISSING : RT_MIGRATION_SKIPPED;
    else if (!row->checksum || strcmp(row->checksum, entry.checksum) != 0)
        entry.status = RT_MIGRATION_CHANGED;
    add(arena, state, &entry);
}

void rt_migrations_judge(rt_arena *arena, rt_migrations *state, const rt_slice *slice,
                         const rt_applied *rows, size_t row_count)
{
    int64_t last = highest(rows, row_count);
    for (uint32_t i = 0; i < slice->migration_count; i++) {
        const rt_migration *migration = &slice->migrations[i];
        add_known(arena, state, migration, row_of(rows, row_count, migration->number),
                  migration->number > last);
    }
    for (size_t i = 0; i < row_count; i++)
        if (rows[i].number < 1 || rows[i].number > slice->migration_count)
            add(arena, state,
                &(rt_migration_entry){.number = (uint32_t)rows[i].number,
                                      .status = RT_MIGRATION_UNKNOWN,
                                      .name = rows[i].name ? rows[i].name : "",
                                      .applied = &rows[i]});
}

bool rt_migrations_agree(const rt_migrations *state)
{
    return state->of[RT_MIGRATION_APPLIED] + state->of[RT_MIGRATION_MISSING] == state->count;
}

const rt_migration_entry *rt_migrations_next(const rt_migrations *state, uint32_t most)
{
    for (size_t i = 0; i < state->count; i++)
        if (state->entries[i].status == RT_MIGRATION_MISSING)
            return !most || state->entries[i].number <= most ? &state->entries[i] : NULL;
    return NULL;
}

/* --- in words -------------------------------------------------------------------------------- */

void rt_migrations_tell_missing(const rt_migrations *state, rt_buffer *text)
{
    size_t told = 0, missing = state->of[RT_MIGRATION_MISSING];
    rt_buffer_format(text, "slice `%s` lacks %zu migration%s: ", state->slice, missing,
                     missing == 1 ? "" : "s");
    for (size_t i = 0; i < state->count && told < MOST_NAMED; i++)
        if (state->entries[i].status == RT_MIGRATION_MISSING)
            rt_buffer_format(text, "%s%u `%s`", told++ ? ", " : "", state->entries[i].number,
                             state->entries[i].name);
    if (missing > told)
        rt_buffer_format(text, " and %zu more", missing - told);
}

static void tell(const rt_migrations *state, const rt_migration_entry *entry, rt_buffer *text)
{
    switch (entry->status) {
    case RT_MIGRATION_CHANGED:
        rt_buffer_format(text,
                         "migration %u `%s` of slice `%s` is not the one that was applied: its "
                         "checksum is %.12s, that of the applied one %.12s\n",
                         entry->number, entry->name, state->slice, entry->checksum,
                         entry->applied->checksum ? entry->applied->checksum : "missing");
        break;
    case RT_MIGRATION_SKIPPED:
        rt_buffer_format(text,
                         "migration %u `%s` of slice `%s` is missing, though later ones were "
                         "applied\n",
                         entry->number, entry->name, state->slice);
        break;
    case RT_MIGRATION_UNKNOWN:
        rt_buffer_format(text,
                         "migration %u `%s` of slice `%s` was applied, but this build of the "
                         "module does not have it: the database is ahead\n",
                         entry->number, entry->name, state->slice);
        break;
    default:
        break;
    }
}

void rt_migrations_tell_disagreement(const rt_migrations *state, rt_buffer *text)
{
    for (size_t i = 0; i < state->count; i++)
        tell(state, &state->entries[i], text);
    if (text->length && text->data[text->length - 1] == '\n')
        text->data[--text->length] = '\0';
}
