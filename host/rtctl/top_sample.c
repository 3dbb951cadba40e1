#include "rtctl/top_sample.h"

#include "http/json_read.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* --- taking ---------------------------------------------------------------------------------- */

/* `name{labels} value` or `name value`; labels may hold blanks. */
static bool take_line(rt_top_line *line, char *text)
{
    char *blank = strrchr(text, ' '), *brace = strchr(text, '{'), *end;
    if (*text == '#' || !blank)
        return false;
    *blank = '\0';
    line->name = text;
    line->labels = "";
    line->value = strtod(blank + 1, &end);
    if (brace && brace < blank) {
        *brace = '\0';
        line->labels = brace + 1;
    }
    return end != blank + 1;
}

static uint64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * UINT64_C(1000000000) + (uint64_t)time.tv_nsec;
}

bool rt_top_sample_take(rt_top_sample *sample, const char *status, size_t length, char *metrics)
{
    rt_arena_init(&sample->arena);
    sample->at = now();
    sample->lines = NULL;
    sample->count = 0;
    if (rt_json_read(&sample->arena, status, length, &sample->status))
        return false;
    char *kept = rt_arena_copy(&sample->arena, metrics), *rest = NULL;
    for (char *text = strtok_r(kept, "\n", &rest); text; text = strtok_r(NULL, "\n", &rest)) {
        rt_top_line line;
        if (take_line(&line, text))
            rt_push(&sample->arena, sample->lines, sample->count) = line;
    }
    return true;
}

void rt_top_sample_free(rt_top_sample *sample)
{
    rt_arena_free(&sample->arena);
    *sample = (rt_top_sample){0};
}

/* Where the value begins behind its quote; `\` hides a quote within. */
static const char *value_of(const char *labels, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = labels; *at && *at != '}';) {
        bool found = strncmp(at, name, length) == 0 && at[length] == '=';
        const char *value = strchr(at, '"');
        if (!value || found)
            return value ? value + 1 : NULL;
        for (at = value + 1; *at && *at != '"'; at++)
            at += *at == '\\' && at[1];
        at += *at == '"';
        at += *at == ',';
    }
    return NULL;
}

const char *rt_top_label(rt_top_sample *sample, const rt_top_line *line, const char *name)
{
    const char *value = value_of(line->labels, name);
    if (!value)
        return NULL;
    char *copy = rt_arena_alloc(&sample->arena, strlen(value) + 1), *to = copy;
    for (; *value && *value != '"'; value++) {
        value += *value == '\\' && value[1];
        *to++ = *value;
    }
    return copy;
}

double rt_top_sum(rt_top_sample *sample, const char *name, const char *label, const char *value)
{
    double sum = 0;
    for (size_t i = 0; i < sample->count; i++) {
        const rt_top_line *line = &sample->lines[i];
        if (strcmp(line->name, name) != 0)
            continue;
        const char *present = label ? rt_top_label(sample, line, label) : NULL;
        if (!label || (present && strcmp(present, value) == 0))
            sum += line->value;
    }
    return sum;
}

/* --- rows ------------------------------------------------------------------------------------ */

static rt_top_row *row_of(rt_top_sample *sample, rt_top_rows *rows, const char *key)
{
    for (size_t i = 0; i < rows->count; i++)
        if (strcmp(rows->items[i].key, key) == 0)
            return &rows->items[i];
    rt_top_row *row = &rt_push(&sample->arena, rows->items, rows->count);
    row->key = key;
    return row;
}

static void add_bucket(rt_top_row *row, double bound, double count)
{
    size_t at = 0;
    while (at < row->bound_count && row->bounds[at] < bound)
        at++;
    if (at == row->bound_count && at < RT_TOP_BOUNDS) { /* told in their order */
        row->bounds[row->bound_count++] = bound;
        row->counts[at] = 0;
    }
    if (at < RT_TOP_BOUNDS)
        row->counts[at] += count;
}

static const char *route_key(rt_top_sample *sample, const rt_top_line *line)
{
    const char *method = rt_top_label(sample, line, "http_request_method");
    const char *route = rt_top_label(sample, line, "http_route");
    return rt_arena_format(&sample->arena, "%s %s", method ? method : "-",
                           route ? route : "(no route)");
}

static const char *effect_key(rt_top_sample *sample, const rt_top_line *line)
{
    const char *operation = rt_top_label(sample, line, "operation");
    return operation ? operation : "-";
}

static void take_row(rt_top_sample *sample, rt_top_rows *rows, const rt_top_line *line,
                     const char *suffix, const char *key)
{
    rt_top_row *row = row_of(sample, rows, key);
    if (strcmp(suffix, "_bucket") == 0) {
        const char *bound = rt_top_label(sample, line, "le");
        add_bucket(row, bound ? strtod(bound, NULL) : INFINITY, line->value);
        return;
    }
    row->count += line->value;
    if (value_of(line->labels, "error_type"))
        row->failed += line->value;
}

static rt_top_rows rows_of(rt_top_sample *sample, const char *family,
                           const char *(*key)(rt_top_sample *, const rt_top_line *))
{
    rt_top_rows rows = {0};
    size_t length = strlen(family);
    for (size_t i = 0; i < sample->count; i++) {
        const rt_top_line *line = &sample->lines[i];
        const char *suffix = line->name + length;
        if (strncmp(line->name, family, length) == 0 &&
            (strcmp(suffix, "_bucket") == 0 || strcmp(suffix, "_count") == 0))
            take_row(sample, &rows, line, suffix, key(sample, line));
    }
    return rows;
}

static void subtract(rt_top_row *row, const rt_top_row *before)
{
    row->count -= before->count;
    row->failed -= before->failed;
    for (size_t i = 0; i < row->bound_count; i++)
        for (size_t j = 0; j < before->bound_count; j++)
            if (before->bounds[j] == row->bounds[i])
                row->counts[i] -= before->counts[j];
}

static int by_count(const void *one, const void *other)
{
    const rt_top_row *a = one, *b = other;
    if (a->count != b->count)
        return a->count < b->count ? 1 : -1;
    return strcmp(a->key, b->key);
}

static rt_top_rows between(rt_top_rows now_rows, const rt_top_rows *before)
{
    for (size_t i = 0; i < now_rows.count; i++)
        for (size_t j = 0; j < before->count; j++)
            if (strcmp(now_rows.items[i].key, before->items[j].key) == 0)
                subtract(&now_rows.items[i], &before->items[j]);
    if (now_rows.count)
        qsort(now_rows.items, now_rows.count, sizeof *now_rows.items, by_count);
    return now_rows;
}

rt_top_rows rt_top_routes(rt_top_sample *before, rt_top_sample *now_sample)
{
    static const char family[] = "http_server_request_duration_seconds";
    rt_top_rows old = rows_of(before, family, route_key);
    return between(rows_of(now_sample, family, route_key), &old);
}

static void take_failures(rt_top_sample *sample, rt_top_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++)
        rows->items[i].failed =
            rt_top_sum(sample, "effects_failed_total", "operation", rows->items[i].key);
}

static void take_breakers(rt_top_sample *sample, rt_top_rows *rows)
{
    static const char *const states[] = {"closed", "half open", "open"};
    static const char family[] = "effects_breaker_state";
    for (size_t i = 0; i < sample->count; i++) {
        const rt_top_line *line = &sample->lines[i];
        if (strncmp(line->name, family, sizeof family - 1) == 0 && line->value >= 0 &&
            line->value <= 2)
            row_of(sample, rows, effect_key(sample, line))->state = states[(int)line->value];
    }
}

rt_top_rows rt_top_effects(rt_top_sample *before, rt_top_sample *now_sample)
{
    static const char family[] = "effects_duration_seconds";
    rt_top_rows old = rows_of(before, family, effect_key);
    rt_top_rows rows = rows_of(now_sample, family, effect_key);
    take_failures(before, &old);
    take_failures(now_sample, &rows);
    take_breakers(now_sample, &rows);
    return between(rows, &old);
}

rt_top_row rt_top_total(const rt_top_rows *rows)
{
    rt_top_row total = {.key = "all"};
    for (size_t i = 0; i < rows->count; i++) {
        const rt_top_row *row = &rows->items[i];
        total.count += row->count;
        total.failed += row->failed;
        for (size_t j = 0; j < row->bound_count; j++)
            add_bucket(&total, row->bounds[j], row->counts[j]);
    }
    return total;
}

double rt_top_quantile(const rt_top_row *row, double share)
{
    double all = row->bound_count ? row->counts[row->bound_count - 1] : 0, below = 0, low = 0;
    double rank = share * all;
    if (all <= 0)
        return -1;
    for (size_t i = 0; i < row->bound_count; i++) {
        if (row->counts[i] >= rank && isinf(row->bounds[i]))
            return low;
        if (row->counts[i] >= rank)
            return low + (row->bounds[i] - low) * (rank - below) / (row->counts[i] - below);
        below = row->counts[i];
        low = row->bounds[i];
    }
    return low;
}
