#include "process/task.h"

#include <rt/cap/sql.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

void rt_task_write(rt_buffer *line, const rt_task *task)
{
    rt_buffer_format(line, "%d %u %d %s", (int)task->kind, task->most, task->json,
                     task->slice ? task->slice : "");
}

bool rt_task_read(rt_arena *arena, const char *line, rt_task *task)
{
    unsigned kind, most;
    int json, length = 0;
    if (!line || sscanf(line, "%u %u %d %n", &kind, &most, &json, &length) < 3 ||
        kind >= RT_TASK_COUNT || !length)
        return false;
    *task = (rt_task){.kind = (rt_task_kind)kind, .most = most, .json = json != 0};
    if (line[length])
        task->slice = rt_arena_copy(arena, line + length);
    return true;
}

/* --- for people ------------------------------------------------------------------------------ */

static void put_time(rt_buffer *out, int64_t microseconds)
{
    time_t seconds = (time_t)(microseconds / 1000000);
    struct tm parts;
    char text[32];
    if (gmtime_r(&seconds, &parts) && strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts))
        rt_buffer_text(out, text);
}

static void put_entry(rt_buffer *out, const rt_migration_entry *entry)
{
    const rt_applied *applied = entry->applied;
    rt_buffer name = {0};
    rt_buffer_visible(&name, entry->name); /* of an unknown one it is what the database says */
    rt_buffer_format(out, "  %4u %-24s %s", entry->number, name.length ? name.data : "",
                     rt_migration_status_names[entry->status]);
    rt_buffer_free(&name);
    if (applied) {
        rt_buffer_text(out, entry->status == RT_MIGRATION_APPLIED ? " " : ", applied ");
        put_time(out, applied->applied_at);
        rt_buffer_format(out, " in %lld ms by ", (long long)applied->duration);
        rt_buffer_visible(out, applied->applied_by ? applied->applied_by : "?");
    }
    rt_buffer_char(out, '\n');
}

static void put_sql(rt_buffer *out, const rt_migration_entry *entry)
{
    if (entry->text)
        rt_buffer_format(out, "-- %u %s, %s\n%s", entry->number, entry->name,
                         rt_migration_is_apart(entry->text) ? "without a transaction"
                                                            : "in a transaction",
                         entry->text);
    else
        rt_buffer_format(out, "-- %u %s: nothing to do here\n", entry->number, entry->name);
}

static void tell(rt_buffer *out, const rt_task *task, const char *module,
                 const rt_migrations *state)
{
    bool plans = task->kind == RT_TASK_PLAN;
    rt_buffer_format(out, "%sslice %s of module %s, %s: %zu applied, %zu missing\n",
                     plans ? "-- " : "", state->slice, module,
                     state->dialect == RT_SQL_POSTGRES ? "postgres" : "sqlite",
                     state->of[RT_MIGRATION_APPLIED], state->of[RT_MIGRATION_MISSING]);
    for (size_t i = 0; i < state->count; i++)
        if (!plans)
            put_entry(out, &state->entries[i]);
        else if (state->entries[i].status == RT_MIGRATION_MISSING)
            put_sql(out, &state->entries[i]);
}

/* --- for programs ---------------------------------------------------------------------------- */

static void put_member(rt_buffer *out, const char *before, const char *name, const char *value)
{
    rt_buffer_format(out, "%s\"%s\":", before, name);
    rt_buffer_quote(out, value);
}

static void put_entry_json(rt_buffer *out, const rt_migration_entry *entry, bool with_text)
{
    const rt_applied *applied = entry->applied;
    rt_buffer_format(out, "{\"number\":%u", entry->number);
    put_member(out, ",", "name", entry->name);
    put_member(out, ",", "status", rt_migration_status_names[entry->status]);
    put_member(out, ",", "checksum", entry->checksum[0] ? entry->checksum : NULL);
    if (applied) {
        rt_buffer_text(out, ",\"applied_at\":\"");
        put_time(out, applied->applied_at);
        rt_buffer_format(out, "\",\"duration_ms\":%lld", (long long)applied->duration);
        put_member(out, ",", "applied_by", applied->applied_by);
        put_member(out, ",", "applied_checksum", applied->checksum);
    }
    if (with_text && entry->status == RT_MIGRATION_MISSING) {
        rt_buffer_format(out, ",\"transaction\":%s",
                         rt_migration_is_apart(entry->text) ? "false" : "true");
        put_member(out, ",", "sql", entry->text);
    }
    rt_buffer_char(out, '}');
}

static void tell_json(rt_buffer *out, const rt_task *task, const char *module,
                      const rt_migrations *state)
{
    put_member(out, "{", "slice", state->slice);
    put_member(out, ",", "module", module);
    put_member(out, ",", "dialect", state->dialect == RT_SQL_POSTGRES ? "postgres" : "sqlite");
    rt_buffer_text(out, ",\"migrations\":[");
    for (size_t i = 0; i < state->count; i++) {
        rt_buffer_text(out, i ? "," : "");
        put_entry_json(out, &state->entries[i], task->kind == RT_TASK_PLAN);
    }
    rt_buffer_text(out, "]}");
}

void rt_task_tell_slice(rt_buffer *out, const rt_task *task, const char *module,
                        const rt_migrations *state)
{
    (task->json ? tell_json : tell)(out, task, module, state);
}
