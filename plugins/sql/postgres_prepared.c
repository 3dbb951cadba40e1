/* What a connection has prepared: found by text, the one used least lately given up first. */
#include "postgres.h"
#include "postgres_value.h"

#include <stdlib.h>
#include <string.h>

/* FNV-1a by eights: texts are some hundred bytes and hashed with every call. */
static uint64_t hash_of(const char *text, size_t length)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ length, word;
    for (; length >= sizeof word; text += sizeof word, length -= sizeof word) {
        memcpy(&word, text, sizeof word);
        hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
    }
    for (; length; length--)
        hash = (hash ^ (unsigned char)*text++) * UINT64_C(0x100000001b3);
    return hash ^ hash >> 29;
}

/* --- the list of use ------------------------------------------------------------------------- */

static void unlink_use(rt_pg_cache *cache, rt_pg_prepared *prepared)
{
    *(prepared->newer ? &prepared->newer->older : &cache->newest) = prepared->older;
    *(prepared->older ? &prepared->older->newer : &cache->oldest) = prepared->newer;
}

static void link_newest(rt_pg_cache *cache, rt_pg_prepared *prepared)
{
    prepared->newer = NULL;
    prepared->older = cache->newest;
    *(cache->newest ? &cache->newest->newer : &cache->oldest) = prepared;
    cache->newest = prepared;
}

/* --- buckets --------------------------------------------------------------------------------- */

static uint32_t bucket_count(uint32_t most)
{
    uint32_t count = 16;
    while (count < most * 2)
        count *= 2;
    return count;
}

static rt_pg_prepared **bucket_of(const rt_pg_cache *cache, uint64_t hash)
{
    return &cache->buckets[hash & (bucket_count(cache->most) - 1)];
}

int rt_pg_cache_open(rt_pg_cache *cache, uint32_t most)
{
    *cache = (rt_pg_cache){.most = most};
    cache->buckets = calloc(bucket_count(most), sizeof(rt_pg_prepared *));
    return cache->buckets ? 0 : -RT_ERESOURCE_EXHAUSTED;
}

void rt_pg_cache_close(rt_pg_cache *cache)
{
    for (rt_pg_prepared *prepared = cache->newest, *older; prepared; prepared = older) {
        older = prepared->older;
        free(prepared);
    }
    free(cache->buckets);
    *cache = (rt_pg_cache){0};
}

rt_pg_prepared *rt_pg_cache_find(rt_pg_cache *cache, const char *text)
{
    uint64_t hash = hash_of(text, strlen(text));
    rt_pg_prepared *prepared = *bucket_of(cache, hash);
    while (prepared && (prepared->hash != hash || strcmp(prepared->text, text) != 0))
        prepared = prepared->next_in_bucket;
    if (prepared && prepared != cache->newest) {
        unlink_use(cache, prepared);
        link_newest(cache, prepared);
    }
    return prepared;
}

/* --- coming and going ------------------------------------------------------------------------ */

/* libpq asks for one form for all columns: binary if we read every one of them so. */
static int all_binary(const PGresult *description)
{
    for (int i = 0; i < PQnfields(description); i++)
        if (!rt_pg_reads_binary(PQftype(description, i)))
            return 0;
    return 1;
}

rt_pg_prepared *rt_pg_cache_add(rt_pg_cache *cache, const char *name, const char *text,
                                const PGresult *description)
{
    size_t length = strlen(text), count = (size_t)PQnparams(description);
    rt_pg_prepared *prepared = malloc(sizeof *prepared + count * sizeof(Oid) + length + 1);
    if (!prepared)
        return NULL;
    *prepared = (rt_pg_prepared){.hash = hash_of(text, length),
                                 .binary = all_binary(description),
                                 .is_new = 1,
                                 .parameter_count = (uint32_t)count,
                                 .types = (Oid *)(prepared + 1)};
    snprintf(prepared->name, sizeof prepared->name, "%s", name);
    for (size_t i = 0; i < count; i++)
        prepared->types[i] = PQparamtype(description, (int)i);
    prepared->text = memcpy(prepared->types + count, text, length + 1);
    rt_pg_prepared **bucket = bucket_of(cache, prepared->hash);
    prepared->next_in_bucket = *bucket;
    *bucket = prepared;
    link_newest(cache, prepared);
    cache->count++;
    return prepared;
}

static void take_out(rt_pg_cache *cache, rt_pg_prepared *prepared)
{
    rt_pg_prepared **link = bucket_of(cache, prepared->hash);
    while (*link != prepared)
        link = &(*link)->next_in_bucket;
    *link = prepared->next_in_bucket;
    unlink_use(cache, prepared);
    cache->count--;
}

void rt_pg_cache_remove(rt_pg_cache *cache, rt_pg_prepared *prepared)
{
    take_out(cache, prepared);
    free(prepared);
}

rt_pg_prepared *rt_pg_cache_evict(rt_pg_cache *cache)
{
    rt_pg_prepared *oldest = cache->oldest;
    if (cache->count < cache->most || !oldest)
        return NULL;
    take_out(cache, oldest);
    return oldest;
}

void rt_pg_cache_name(rt_pg_cache *cache, char name[24])
{
    snprintf(name, 24, "rt_%llu", (unsigned long long)++cache->made);
}

/* A parameter is judged by the type that the column had when the statement was prepared. */
static int is_of_types(const char *state)
{
    static const char *const states[] = {"22003", "22007", "22008", "22P02", "22P03", "42804"};
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++)
        if (strcmp(states[i], state) == 0)
            return 1;
    return 0;
}

int rt_pg_is_stale(const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *routine = PQresultErrorField(result, PG_DIAG_SOURCE_FUNCTION);
    if (!state)
        return 0;
    if (strcmp(state, "26000") == 0 || is_of_types(state))
        return 1;
    /* "cached plan must not change result type": the routine tells, for the words are translated */
    return strcmp(state, "0A000") == 0 && routine && strcmp(routine, "RevalidateCachedQuery") == 0;
}

/* The same where we refused a value ourselves, or the number of values. */
int rt_pg_is_mistyped(const rt_error *error)
{
    const char *state = rt_error_text(error, "sqlstate");
    return state && (is_of_types(state) || strcmp(state, "42P02") == 0);
}

/* --- parameters ------------------------------------------------------------------------------ */

static int check_count(rt_ctx *ctx, const rt_pg_prepared *prepared,
                       const rt_sql_statement *statement)
{
    if (prepared->parameter_count == statement->parameter_count)
        return 0;
    return rt_sql_fail(
        ctx, &(rt_sql_failure){.condition = "UNDEFINED_PARAMETER",
                               .code = RT_EINVALID_ARGUMENT,
                               .message = rt_format(
                                   ctx, "the statement has %u parameters, and %u values were given",
                                   prepared->parameter_count, statement->parameter_count),
                               .statement = statement});
}

int rt_pg_arguments_make(rt_ctx *ctx, const rt_pg_prepared *prepared,
                         const rt_sql_statement *statement, rt_pg_arguments *arguments)
{
    uint32_t count = statement->parameter_count;
    *arguments = (rt_pg_arguments){.memory = {.ctx = ctx}};
    RT_TRY(check_count(ctx, prepared, statement));
    if (count == 0)
        return 0;
    rt_pg_memory *memory = &arguments->memory;
    rt_pg_memory_reserve(memory, count * (sizeof(rt_pg_encoded) + 16) + 64);
    rt_pg_encoded *encoded = rt_pg_memory_take(memory, count * sizeof *encoded);
    arguments->values = rt_pg_memory_take(memory, count * sizeof(char *));
    arguments->lengths = rt_pg_memory_take(memory, count * sizeof(int));
    arguments->formats = rt_pg_memory_take(memory, count * sizeof(int));
    for (uint32_t i = 0; i < count; i++) {
        const char *state =
            rt_pg_encode(memory, prepared->types[i], &statement->parameters[i], &encoded[i]);
        if (state)
            return rt_pg_refuse(ctx, state, rt_format(ctx, "parameter $%u", i + 1), statement);
        arguments->values[i] = encoded[i].bytes;
        arguments->lengths[i] = encoded[i].length;
        arguments->formats[i] = encoded[i].binary;
    }
    return 0;
}
