/* A module with a slice of three migrations, as the build wants it: NAME, and
 *   OLDER    knows the first two alone, and declares the table as they leave it
 *   CHANGED  has another text for the second
 *   BROKEN   has a second one that fails in its middle
 *   OTHER    declares the table in a way that it is not
 *   BESIDE   has one of its own that it needs no table for
 *   SLOW     has a fourth that takes ten minutes on PostgreSQL */
#include <rt/cap/sql.h>
#include <rt/rt.h>

#include "notes_migrations.h"

#ifndef NAME
#define NAME "notes"
#endif
#ifndef SLICE
#define SLICE "notes"
#endif

RT_MODULE(NAME, "1.0.0", "Keeps notes, for tests of migrations")
RT_SERVES(routes)
RT_REQUIRES(sql, 1)
RT_SLICE(SLICE)

typedef struct note {
    const char *id, *title;
    int64_t stars;
} note;

#ifdef OTHER
#define STARS RT_SQL_TEXT, 0
#else
#define STARS RT_SQL_INT, RT_COLUMN_NULLABLE
#endif

static const rt_column columns[] = {{"id", RT_SQL_TEXT, RT_COLUMN_KEY, 0, 0, NULL},
                                    {"title", RT_SQL_TEXT, 0, 8, 0, NULL},
                                    {"stars", STARS, 16, 0, NULL}};
static const rt_table notes = {.size = sizeof(rt_table),
                               .column_count = 3,
                               .name = "notes",
                               .type = "note",
                               .columns = columns,
                               .row_size = sizeof(note)};

#if defined(OLDER)
static const rt_migration known[] = {{1, 0, "create_notes", rt_migration_1, rt_migration_1},
                                     {2, 0, "add_stars", rt_migration_2, rt_migration_2}};
RT_UNUSED static const void *const unused = rt_migrations;
#elif defined(CHANGED)
#define SECOND "ALTER TABLE notes ADD COLUMN stars bigint;"
static const rt_migration known[] = {
    {1, 0, "create_notes", rt_migration_1, rt_migration_1},
    {2, 0, "add_stars", SECOND, SECOND},
    {3, 0, "by_stars", rt_migration_3_sqlite, rt_migration_3_postgres}};
RT_UNUSED static const void *const unused = rt_migrations;
#elif defined(BROKEN)
#define SECOND                                       \
    "ALTER TABLE notes ADD COLUMN stars bigint;\n"   \
    "INSERT INTO nowhere (id) VALUES ('nothing');\n" \
    "SELECT 1;\n"
static const rt_migration known[] = {
    {1, 0, "create_notes", rt_migration_1, rt_migration_1},
    {2, 0, "add_stars", SECOND, SECOND},
    {3, 0, "by_stars", rt_migration_3_sqlite, rt_migration_3_postgres}};
RT_UNUSED static const void *const unused = rt_migrations;
#elif defined(BESIDE)
static const rt_migration known[] = {
    {1, 0, "create_beside", "CREATE TABLE beside (id bigint)", "CREATE TABLE beside (id bigint)"}};
RT_UNUSED static const void *const unused = rt_migrations;
#elif defined(SLOW)
#define FOURTH                           \
    "CREATE TABLE slowly (id bigint);\n" \
    "INSERT INTO slowly SELECT 1 FROM (SELECT pg_sleep(600)) AS waited;\n"
static const rt_migration known[] = {
    {1, 0, "create_notes", rt_migration_1, rt_migration_1},
    {2, 0, "add_stars", rt_migration_2, rt_migration_2},
    {3, 0, "by_stars", rt_migration_3_sqlite, rt_migration_3_postgres},
    {4, 0, "slowly", NULL, FOURTH}};
RT_UNUSED static const void *const unused = rt_migrations;
#else
#define known rt_migrations
#endif

static int answer(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    rt_sql_rows rows = {.size = sizeof rows};
    (void)request;
    RT_TRY(rt_sql_query(ctx, sql, RT_SQL("SELECT count(*) FROM notes"), &rows));
    const char *text = rt_format(ctx, "%lld notes", (long long)rt_sql_get_int(&rows, 0, 0));
    return rt_respond(ctx, response, 200, "text/plain", (rt_str){text, strlen(text)});
}

RT_REGISTER(registry)
{
#ifdef BESIDE
    (void)notes;
    return rt_slice_register(registry, sql, known);
#endif
    RT_TRY(rt_slice_register(registry, sql, known, &notes));
    return rt_route(registry, RT_GET, "/notes", answer);
}
