#include "migrate/slice.h"

#include "migrate/statements.h"

#include <openssl/sha.h>
#include <rt/abi.h>
#include <string.h>

const char *rt_migration_name_problem(const char *name)
{
    size_t length = name ? strlen(name) : 0;
    if (!length || length > RT_MIGRATION_NAME_LIMIT)
        return "has no name of 1 to 64 characters";
    if (strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != length)
        return "has a name with other characters than a-z, 0-9 and `_`";
    return NULL;
}

bool rt_migration_is_apart(const char *text)
{
    size_t length = strlen(RT_MIGRATION_APART);
    return text && strncmp(text, RT_MIGRATION_APART, length) == 0 &&
           (text[length] == '\n' || !text[length]);
}

const char *rt_migration_text_problem(const char *text, bool may_be_apart)
{
    rt_statement statement;
    size_t count = 0;
    if (strlen(text) > RT_MIGRATION_TEXT_LIMIT)
        return "is larger than 1 MiB";
    if (rt_migration_is_apart(text) && !may_be_apart)
        return "says `" RT_MIGRATION_APART "`, which only a text for postgres alone can";
    for (const char *rest = text; rt_statement_next(&rest, &statement); count++)
        if (rt_statement_ends_transaction(&statement))
            return "begins or ends a transaction, which is left to whoever applies it";
    return count ? NULL : "has no statement";
}

static const char *problem_of(const rt_migration *migration)
{
    const char *problem = rt_migration_name_problem(migration->name);
    if (!problem && migration->sqlite)
        problem = rt_migration_text_problem(migration->sqlite, false);
    if (!problem && migration->postgres && migration->postgres != migration->sqlite)
        problem = rt_migration_text_problem(migration->postgres, true);
    return problem;
}

bool rt_slice_judge(const rt_slice *slice, rt_buffer *problem)
{
    if (!slice || slice->size < sizeof *slice || !slice->sql || !slice->migrations ||
        (slice->table_count && !slice->tables))
        rt_buffer_text(problem, "it gives a slice without its size, database or migrations");
    else if (slice->migration_count > RT_MIGRATIONS_MOST)
        rt_buffer_format(problem, "it gives %u migrations", slice->migration_count);
    for (uint32_t i = 0; !problem->length && i < slice->migration_count; i++) {
        const rt_migration *migration = &slice->migrations[i];
        const char *what = problem_of(migration);
        if (migration->number != i + 1)
            rt_buffer_format(problem, "its migration %u stands where %u is expected",
                             migration->number, i + 1);
        else if (what)
            rt_buffer_format(problem, "its migration %u %s", migration->number, what);
    }
    for (uint32_t i = 0; !problem->length && i < slice->table_count; i++) {
        const rt_table *table = slice->tables[i];
        if (!table || !RT_HAS(table, columns) || !table->name || !table->columns)
            rt_buffer_format(problem, "its table %u is without size, name or columns", i + 1);
    }
    return !problem->length;
}

void rt_migration_checksum(const char *text, char checksum[RT_CHECKSUM_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256((const unsigned char *)(text ? text : ""), text ? strlen(text) : 0, digest);
    for (size_t i = 0; i < sizeof digest; i++) {
        checksum[i * 2] = digits[digest[i] >> 4];
        checksum[i * 2 + 1] = digits[digest[i] & 15];
    }
    checksum[RT_CHECKSUM_SIZE - 1] = '\0';
}
