/* Folders of migrations: what is read of them, what is refused, and the header that is written. */
#include "migrate/embed.h"

#include "harness.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ONE "CREATE TABLE a (b text);\n"

typedef struct entry {
    const char *name, *text;
    size_t length; /* 0: of the text */
} entry;

static rt_arena arena;
static char path[64];
static rt_migration_folder folder;
static rt_buffer problems;

static void write_file(const entry *file)
{
    char name[256];
    snprintf(name, sizeof name, "%s/%s", path, file->name);
    FILE *out = fopen(name, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(out);
    fwrite(file->text, 1, file->length ? file->length : strlen(file->text), out);
    fclose(out);
}

static void remove_file(const char *name)
{
    char full[256];
    snprintf(full, sizeof full, "%s/%s", path, name);
    unlink(full);
}

/* Reads a folder of these files; what it gave is in `folder` and `problems`. */
static bool read_files(const entry *files, size_t count)
{
    rt_arena_reset(&arena);
    rt_buffer_free(&problems);
    problems = (rt_buffer){0};
    strcpy(path, "/tmp/rt-embed-XXXXXX");
    CU_ASSERT_PTR_NOT_NULL(mkdtemp(path));
    for (size_t i = 0; i < count; i++)
        write_file(&files[i]);
    bool sound = rt_migration_folder_read(&arena, path, &folder, &problems);
    for (size_t i = 0; i < count; i++)
        remove_file(files[i].name);
    rmdir(path);
    return sound;
}

#define READ(...) \
    read_files((const entry[]){__VA_ARGS__}, sizeof((const entry[]){__VA_ARGS__}) / sizeof(entry))

/* The problems without the folder's name. */
static bool complained(const char *expected)
{
    char told[1024] = "";
    size_t length = strlen(path);
    for (const char *at = problems.data ? problems.data : ""; *at;) {
        bool is_path = strncmp(at, path, length) == 0;
        if (!is_path)
            strncat(told, at, 1);
        at += is_path ? length + 1 : 1;
    }
    if (strcmp(told, expected) == 0)
        return true;
    printf("\n%s", told);
    return false;
}

static void texts_are_read_by_dialect(void)
{
    CU_ASSERT_TRUE(READ({"0001_create_a.sql", ONE}, {"0002_search.sqlite.sql", "SELECT 1"},
                        {"0002_search.postgres.sql", "SELECT 2;\r\nSELECT 3;\r\n"},
                        {"0003_extension.postgres.sql", "-- rt: no transaction\nSELECT 4\n"},
                        {"README.md", "# Migrations"}, {".0004_hidden.sql", "none"}));
    CU_ASSERT_EQUAL(folder.count, 3);
    CU_ASSERT_EQUAL(folder.file_count, 4);
    CU_ASSERT_STRING_EQUAL(folder.items[0].name, "create_a");
    CU_ASSERT_STRING_EQUAL(folder.items[0].sqlite, ONE);
    CU_ASSERT_PTR_EQUAL(folder.items[0].sqlite, folder.items[0].postgres);
    CU_ASSERT_STRING_EQUAL(folder.items[1].sqlite, "SELECT 1\n");
    CU_ASSERT_STRING_EQUAL(folder.items[1].postgres, "SELECT 2;\nSELECT 3;\n");
    CU_ASSERT_PTR_NULL(folder.items[2].sqlite);
}

static void names_are_judged(void)
{
    CU_ASSERT_FALSE(READ({"0001_a.sql", ONE}, {"001_b.sql", ONE}, {"0002-c.sql", ONE},
                         {"0003_d.SQL", ONE}, {"0004_e.mysql.sql", ONE}, {"0005_F.sql", ONE},
                         {"0006_.sql", ONE}));
    CU_ASSERT_TRUE(complained(
        "`0002-c.sql` is not named like `0001_create_orders.sql`\n"
        "`0003_d.SQL` is not named like `0001_create_orders.sql`\n"
        "`0004_e.mysql.sql` is for no known dialect: `.sqlite.sql` and `.postgres.sql` are\n"
        "`0005_F.sql` has a name with other characters than a-z, 0-9 and `_`\n"
        "`0006_.sql` has no name of 1 to 64 characters\n"
        "`001_b.sql` is not named like `0001_create_orders.sql`\n"));
    CU_ASSERT_FALSE(READ({"0000_a.sql", ONE}));
    CU_ASSERT_TRUE(complained("`0000_a.sql` has the number 0: they count from 1\n"));
}

static void numbers_ascend_from_one_without_gaps(void)
{
    CU_ASSERT_FALSE(READ({"0002_a.sql", ONE}, {"0005_b.sql", ONE}));
    CU_ASSERT_TRUE(complained("`0002_a.sql` follows a gap: 0001 is missing\n"
                              "`0005_b.sql` follows a gap: 0003 is missing\n"));
}

static void a_number_has_one_name_and_one_text_a_dialect(void)
{
    CU_ASSERT_FALSE(READ({"0001_a.sql", ONE}, {"0001_b.sql", ONE}));
    CU_ASSERT_TRUE(complained("`0001_b.sql` has the number of `0001_a`\n"));
    CU_ASSERT_FALSE(READ({"0001_a.sql", ONE}, {"0001_a.sqlite.sql", ONE}));
    CU_ASSERT_TRUE(
        complained("`0001_a.sqlite.sql` is a second text of `0001_a` for one dialect\n"));
}

static void contents_are_judged(void)
{
    CU_ASSERT_FALSE(READ({"0001_a.sql", "SELECT '\xff'"}, {"0002_b.sql", "SELECT\0 1", 9},
                         {"0003_c.sql", "\xEF\xBB\xBFSELECT 1"}, {"0004_d.sql", "-- none\n"},
                         {"0005_e.sql", "BEGIN; SELECT 1; COMMIT"},
                         {"0006_f.sql", "-- rt: no transaction\nSELECT 1"}));
    CU_ASSERT_TRUE(complained(
        "`0001_a.sql` is not UTF-8\n"
        "`0002_b.sql` has a NUL byte in it\n"
        "`0003_c.sql` begins with a byte order mark: save it without\n"
        "`0004_d.sql` has no statement\n"
        "`0005_e.sql` begins or ends a transaction, which is left to whoever applies it\n"
        "`0006_f.sql` says `-- rt: no transaction`, which only a text for postgres alone can\n"));
}

static void sizes_are_bounded(void)
{
    size_t length = RT_MIGRATION_TEXT_LIMIT + 1;
    char *text = malloc(length + 1);
    memset(text, ' ', length);
    memcpy(text, "SELECT 1", 8);
    text[length] = '\0';
    CU_ASSERT_FALSE(READ({"0001_a.sql", text}));
    CU_ASSERT_TRUE(complained("`0001_a.sql` is larger than 1 MiB\n"));
    free(text);
}

static void a_folder_without_migrations_is_a_problem(void)
{
    CU_ASSERT_FALSE(READ({"README.md", "none"}));
    CU_ASSERT_PTR_NOT_NULL(strstr(problems.data, "no migrations are in"));
    CU_ASSERT_FALSE(rt_migration_folder_read(&arena, "/nowhere/at/all", &folder, &problems));
    CU_ASSERT_PTR_NOT_NULL(strstr(problems.data, "cannot read the folder `/nowhere/at/all`: "));
}

static void the_header_is_c_that_can_be_read(void)
{
    rt_buffer out = {0};
    CU_ASSERT_TRUE(READ({"0001_a.sql", "SELECT '\"\\\\?\?=';\n\tSELECT '\x01"
                                       "1é';\n\nSELECT 2;\n"},
                        {"0002_b.sqlite.sql", "SELECT 3;\n"}, {"0003_c.sqlite.sql", "SELECT 4;\n"},
                        {"0003_c.postgres.sql", "SELECT 5;\n"}));
    rt_migration_folder_write(&folder, &out);
    CU_ASSERT_STRING_EQUAL(out.data, "/* The migrations of a slice, written by `rtctl embed`. */\n"
                                     "#ifndef RT_MIGRATIONS_H\n"
                                     "#define RT_MIGRATIONS_H\n"
                                     "\n"
                                     "#include <rt/slice.h>\n"
                                     "\n"
                                     "static const char rt_migration_1[] =\n"
                                     "    \"SELECT '\\\"\\\\\\\\?\\?=';\\n\"\n"
                                     "    \"\\tSELECT '\\0011é';\\n\"\n"
                                     "    \"\\n\"\n"
                                     "    \"SELECT 2;\\n\";\n"
                                     "\n"
                                     "static const char rt_migration_2_sqlite[] =\n"
                                     "    \"SELECT 3;\\n\";\n"
                                     "\n"
                                     "static const char rt_migration_3_sqlite[] =\n"
                                     "    \"SELECT 4;\\n\";\n"
                                     "\n"
                                     "static const char rt_migration_3_postgres[] =\n"
                                     "    \"SELECT 5;\\n\";\n"
                                     "\n"
                                     "static const rt_migration rt_migrations[] = {\n"
                                     "    {1, 0, \"a\", rt_migration_1, rt_migration_1},\n"
                                     "    {2, 0, \"b\", rt_migration_2_sqlite, NULL},\n"
                                     "    {3, 0, \"c\", rt_migration_3_sqlite, "
                                     "rt_migration_3_postgres},\n"
                                     "};\n"
                                     "\n"
                                     "#endif\n");
    rt_buffer_free(&out);
    rt_buffer_free(&problems);
    rt_arena_free(&arena);
}

RT_TEST_MAIN("embed", {"texts are read by dialect", texts_are_read_by_dialect},
             {"names are judged", names_are_judged},
             {"numbers ascend from one without gaps", numbers_ascend_from_one_without_gaps},
             {"a number has one name, and one text a dialect",
              a_number_has_one_name_and_one_text_a_dialect},
             {"contents are judged", contents_are_judged}, {"sizes are bounded", sizes_are_bounded},
             {"a folder without migrations is a problem", a_folder_without_migrations_is_a_problem},
             {"the header is C that can be read", the_header_is_c_that_can_be_read})
