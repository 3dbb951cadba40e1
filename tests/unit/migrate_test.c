/* The engine of migrations on a database, and what it asks of one. */
#include "migrate/migrate.h"
#include "migrate/statements.h"

#include "fiber_kit.h"
#include "sql_kit.h"

#include <stdlib.h>
#include <unistd.h>

#define ONE "CREATE TABLE orders (id text NOT NULL PRIMARY KEY, quantity bigint NOT NULL);\n"
#define TWO "ALTER TABLE orders ADD COLUMN note text;\n"
#define THREE "CREATE INDEX by_quantity ON orders (quantity);\n"
#define APART                                                                               \
    "-- rt: no transaction\nDROP INDEX IF EXISTS by_note;\nCREATE INDEX by_note ON orders " \
    "(note);\n"

static const rt_migration three[] = {
    {1, 0, "create_orders", ONE, ONE}, {2, 0, "add_note", TWO, TWO}, {3, 0, "index", THREE, APART}};
static const rt_slot slot = {.capability = "sql", .major = 1};

static rt_slice slice_of(const rt_migration *migrations, uint32_t count)
{
    return (rt_slice){
        .size = sizeof(rt_slice), .sql = &slot, .migrations = migrations, .migration_count = count};
}

/* --- a database for one test ----------------------------------------------------------------- */

static char folder[] = "/tmp/rt-migrate-XXXXXX";
static char path[64];
static sql_kit kit;

static void begin(uint32_t dialect)
{
    strcpy(folder, "/tmp/rt-migrate-XXXXXX");
    CU_ASSERT_PTR_NOT_NULL(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/database", folder);
    open_kit(&kit, path, dialect);
    shop.bindings = &kit.binding;
}

static void finish(void)
{
    CU_ASSERT_EQUAL(kit.begun, 0);
    close_kit(&kit);
    unlink(path);
    rmdir(folder);
}

static int64_t ask(const char *text)
{
    sqlite3_stmt *statement = NULL;
    int64_t number = -1;
    sqlite3_prepare_v2(kit.outside, text, -1, &statement, NULL);
    if (sqlite3_step(statement) == SQLITE_ROW)
        number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return number;
}

static void change(const char *text)
{
    CU_ASSERT_EQUAL(sqlite3_exec(kit.outside, text, NULL, NULL, NULL), SQLITE_OK);
}

/* What one run is given, and what came of it. */
struct trial {
    rt_migrate_job job;
    rt_migrations state;
    uint32_t applied[8];
    size_t applied_count;
    char differences[1024];
    int (*work)(rt_ctx *ctx, struct trial *trial);
};

static void note_applied(void *argument, const rt_migration_entry *entry, int64_t milliseconds)
{
    struct trial *trial = argument;
    CU_ASSERT(milliseconds >= 0);
    trial->applied[trial->applied_count++] = entry->number;
}

static int apply(rt_ctx *ctx, struct trial *trial)
{
    return rt_migrations_apply(ctx, &trial->job, &trial->state);
}

static int look(rt_ctx *ctx, struct trial *trial)
{
    return rt_migrations_read(ctx, &trial->job, &trial->state);
}

static int compare(rt_ctx *ctx, struct trial *trial)
{
    rt_buffer text = {0};
    int result = rt_tables_compare(ctx, &trial->job, &text);
    snprintf(trial->differences, sizeof trial->differences, "%s", text.data ? text.data : "");
    rt_buffer_free(&text);
    return result;
}

static int work(rt_ctx *ctx, void *argument)
{
    struct trial *trial = argument;
    return trial->work(ctx, trial);
}

static ending try_with(struct trial *trial, const rt_slice *slice,
                       int (*function)(rt_ctx *ctx, struct trial *trial))
{
    trial->job.name = "orders";
    trial->job.slice = slice;
    trial->job.applied_by = "a test";
    trial->job.applied = note_applied;
    trial->job.argument = trial;
    trial->work = function;
    return run(work, trial);
}

#define SUCCEEDS(trial_, slice_, function_) \
    CU_ASSERT_EQUAL(try_with(trial_, slice_, function_).result, 0)

/* --- applying -------------------------------------------------------------------------------- */

static void all_are_applied_in_order(void)
{
    struct trial trial = {0}, again = {0};
    rt_slice slice = slice_of(three, 3);
    begin(RT_SQL_SQLITE);
    SUCCEEDS(&trial, &slice, look);
    CU_ASSERT_EQUAL(ask("SELECT count(*) FROM sqlite_master"), 0);
    SUCCEEDS(&trial, &slice, apply);
    CU_ASSERT_EQUAL(trial.applied_count, 3);
    CU_ASSERT(trial.applied[0] == 1 && trial.applied[1] == 2 && trial.applied[2] == 3);
    CU_ASSERT_EQUAL(trial.state.of[RT_MIGRATION_APPLIED], 3);
    CU_ASSERT_EQUAL(ask("SELECT count(*) FROM rt_migrations WHERE slice = 'orders' AND "
                        "applied_by = 'a test' AND length(checksum) = 64 AND applied_at > 0"),
                    3);
    CU_ASSERT_EQUAL(ask("SELECT count(*) FROM pragma_table_info('orders')"), 3);
    SUCCEEDS(&again, &slice, apply);
    CU_ASSERT_EQUAL(again.applied_count, 0);
    finish();
}

static void up_to_a_number(void)
{
    struct trial trial = {.job.most = 2};
    rt_slice slice = slice_of(three, 3);
    begin(RT_SQL_SQLITE);
    SUCCEEDS(&trial, &slice, apply);
    CU_ASSERT_EQUAL(trial.applied_count, 2);
    CU_ASSERT_EQUAL(trial.state.of[RT_MIGRATION_MISSING], 1);
    finish();
}

static void each_slice_counts_for_itself(void)
{
    static const rt_migration other[] = {
        {1, 0, "create_users", "CREATE TABLE users (id text)", "CREATE TABLE users (id text)"}};
    struct trial trial = {0}, second = {0};
    rt_slice slice = slice_of(three, 3), users = slice_of(other, 1);
    begin(RT_SQL_SQLITE);
    SUCCEEDS(&trial, &slice, apply);
    second.job.name = "users";
    CU_ASSERT_EQUAL(ask("SELECT count(*) FROM rt_migrations"), 3);
    change("UPDATE rt_migrations SET slice = 'others'");
    SUCCEEDS(&second, &users, apply);
    CU_ASSERT_EQUAL(second.applied_count, 1);
    finish();
}

static void a_failing_one_leaves_nothing_of_itself(void)
{
    static const rt_migration broken[] = {{1, 0, "create_orders", ONE, ONE},
                                          {2, 0, "break", TWO "CREATE INDEX x ON nowhere (y);",
                                           TWO "CREATE INDEX x ON nowhere (y);"}};
    struct trial trial = {0}, mended = {0};
    rt_slice slice = slice_of(broken, 2), sound = slice_of(three, 3);
    begin(RT_SQL_SQLITE);
    ending end = try_with(&trial, &slice, apply);
    CU_ASSERT_EQUAL(end.result, -RT_EINTERNAL);
    CU_ASSERT_STRING_EQUAL(
        end.error, "migration 2 `break` of slice `orders` failed: no such table: main.nowhere");
    CU_ASSERT_EQUAL(trial.applied_count, 1);
    CU_ASSERT_EQUAL(ask("SELECT count(*) FROM rt_migrations"), 1);
    CU_ASSERT_EQUAL(ask("SELECT count(*) FROM pragma_table_info('orders')"), 2);
    SUCCEEDS(&mended, &sound, apply);
    CU_ASSERT_EQUAL(mended.applied_count, 2);
    finish();
}

static void the_place_of_a_mistake_is_a_line(void)
{
    static const rt_migration broken[] = {
        {1, 0, "break", NULL, "-- größer\nCREATE TABLE a (x text);\nCREATE TABLE b (x text);\n"}};
    struct trial trial = {0};
    rt_slice slice = slice_of(broken, 1);
    begin(RT_SQL_POSTGRES);
    kit.fail_on = "TABLE b";
    kit.position = "36"; /* of the second CREATE, in characters */
    ending end = try_with(&trial, &slice, apply);
    CU_ASSERT_STRING_EQUAL(
        end.error, "migration 1 `break` of slice `orders` failed at line 3: it was made to fail");
    kit.position = "35"; /* the end of the line before */
    end = try_with(&trial, &slice, apply);
    CU_ASSERT_PTR_NOT_NULL(strstr(end.error, " at line 2: "));
    finish();
}

static void nothing_to_do_is_noted_too(void)
{
    static const rt_migration other[] = {{1, 0, "extension", NULL, "CREATE TABLE x (y text)"}};
    struct trial trial = {0};
    rt_slice slice = slice_of(other, 1);
    begin(RT_SQL_SQLITE);
    SUCCEEDS(&trial, &slice, apply);
    CU_ASSERT_EQUAL(trial.applied_count, 1);
    CU_ASSERT_EQUAL(ask("SELECT count(*) FROM sqlite_master WHERE name = 'x'"), 0);
    CU_ASSERT_EQUAL(ask("SELECT count(*) FROM rt_migrations WHERE checksum LIKE 'e3b0c442%'"), 1);
    finish();
}

/* --- on PostgreSQL --------------------------------------------------------------------------- */

static void the_lock_is_tried_for_in_transactions_that_end(void)
{
    struct trial trial = {0};
    rt_slice slice = slice_of(three, 2);
    begin(RT_SQL_POSTGRES);
    kit.refuse_locks = 3;
    SUCCEEDS(&trial, &slice, apply);
    CU_ASSERT_EQUAL(trial.applied_count, 2);
    CU_ASSERT_EQUAL(kit.locks, 3 + 3); /* and one for each, and one that finds nothing left */
    finish();
}

static bool ran(int at, const char *beginning)
{
    return at < kit.script_count && strncmp(kit.scripts[at], beginning, strlen(beginning)) == 0;
}

static void without_a_transaction_each_statement_goes_by_itself(void)
{
    struct trial trial = {0};
    rt_slice slice = slice_of(three, 3);
    begin(RT_SQL_POSTGRES);
    SUCCEEDS(&trial, &slice, apply);
    CU_ASSERT_EQUAL(kit.script_count, 6);
    CU_ASSERT_TRUE(ran(0, "+CREATE TABLE rt_migrations"));
    CU_ASSERT_TRUE(ran(1, "+CREATE TABLE orders"));
    CU_ASSERT_TRUE(ran(2, "+ALTER TABLE"));
    CU_ASSERT_TRUE(ran(3, "+SET LOCAL idle_in_transaction_session_timeout = 0"));
    CU_ASSERT_TRUE(ran(4, "DROP INDEX IF EXISTS by_note"));
    CU_ASSERT_TRUE(ran(5, "CREATE INDEX by_note"));
    CU_ASSERT_EQUAL(trial.applied_count, 3);
    finish();
}

static void without_a_transaction_a_failure_says_what_stays(void)
{
    struct trial trial = {0}, again = {0};
    rt_slice slice = slice_of(three, 3);
    begin(RT_SQL_POSTGRES);
    kit.fail_on = "CREATE INDEX by_note";
    kit.position = "1";
    ending end = try_with(&trial, &slice, apply);
    CU_ASSERT_STRING_EQUAL(
        end.error, "migration 3 `index` of slice `orders` failed at line 3: it was made to fail");
    CU_ASSERT_EQUAL(trial.applied_count, 2);
    CU_ASSERT_EQUAL(ask("SELECT count(*) FROM rt_migrations"), 2);
    kit.fail_on = NULL;
    int before = kit.script_count;
    SUCCEEDS(&again, &slice, apply);
    CU_ASSERT_EQUAL(again.applied_count, 1);
    CU_ASSERT_TRUE(ran(before + 1, "DROP INDEX IF EXISTS by_note")); /* from its beginning */
    finish();
}

/* --- disagreement ---------------------------------------------------------------------------- */

static void said(const rt_migrations *state, char *text, size_t size)
{
    rt_buffer buffer = {0};
    rt_migrations_tell_disagreement(state, &buffer);
    snprintf(text, size, "%s", buffer.data ? buffer.data : "");
    rt_buffer_free(&buffer);
}

static int disagree(rt_ctx *ctx, struct trial *trial)
{
    RT_TRY(look(ctx, trial));
    CU_ASSERT_FALSE(rt_migrations_agree(&trial->state));
    said(&trial->state, trial->differences, sizeof trial->differences);
    return 0;
}

static void what_was_changed_is_ahead_or_was_left_out_is_found(void)
{
    static const struct {
        const char *change, *text;
    } cases[] = {
        {"UPDATE rt_migrations SET checksum = 'abc' WHERE number = 2",
         "migration 2 `add_note` of slice `orders` is not the one that was applied"},
        {"INSERT INTO rt_migrations SELECT slice, 4, 'prices', '', 0, 0, '' FROM rt_migrations "
         "WHERE number = 1",
         "migration 4 `prices` of slice `orders` was applied, but this build of the module does"},
        {"DELETE FROM rt_migrations WHERE number = 2",
         "migration 2 `add_note` of slice `orders` is missing, though later ones were applied"},
    };
    rt_slice slice = slice_of(three, 3);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct trial trial = {0}, refused = {0};
        begin(RT_SQL_SQLITE);
        SUCCEEDS(&trial, &slice, apply);
        change(cases[i].change);
        SUCCEEDS(&trial, &slice, disagree);
        CU_ASSERT_PTR_NOT_NULL(strstr(trial.differences, cases[i].text));
        CU_ASSERT_EQUAL(try_with(&refused, &slice, apply).result, -RT_EFAILED_PRECONDITION);
        CU_ASSERT_EQUAL(refused.applied_count, 0);
        finish();
    }
}

static void what_is_missing_is_counted_and_named(void)
{
    rt_arena arena;
    rt_migrations state = {.slice = "orders", .dialect = RT_SQL_SQLITE};
    rt_buffer text = {0};
    rt_slice slice = slice_of(three, 3);
    rt_arena_init(&arena);
    rt_applied first = {.number = 1, .checksum = NULL};
    char checksum[RT_CHECKSUM_SIZE];
    rt_migration_checksum(ONE, checksum);
    first.checksum = checksum;
    rt_migrations_judge(&arena, &state, &slice, &first, 1);
    rt_migrations_tell_missing(&state, &text);
    CU_ASSERT_STRING_EQUAL(text.data, "slice `orders` lacks 2 migrations: 2 `add_note`, 3 `index`");
    CU_ASSERT_EQUAL(rt_migrations_next(&state, 0)->number, 2);
    CU_ASSERT_PTR_NULL(rt_migrations_next(&state, 1));
    rt_buffer_free(&text);
    rt_arena_free(&arena);
}

/* --- tables ---------------------------------------------------------------------------------- */

static const rt_column columns[] = {
    {.name = "id", .type = RT_SQL_TEXT, .flags = RT_COLUMN_KEY | RT_COLUMN_ID},
    {.name = "quantity", .type = RT_SQL_INT},
    {.name = "note", .type = RT_SQL_TEXT, .flags = RT_COLUMN_NULLABLE},
};
static const rt_table orders = {
    .size = sizeof(rt_table), .name = "orders", .columns = columns, .column_count = 3};
static const rt_table *const tables[] = {&orders};

static void tables_are_compared(void)
{
    static const struct {
        const char *change, *differences;
    } cases[] = {
        {"SELECT 1", ""},
        {"ALTER TABLE orders ADD COLUMN extra text", ""},
        {"DROP TABLE orders", "table `orders` is missing"},
        {"ALTER TABLE orders DROP COLUMN note", "table `orders`, column `note` is missing"},
        {"ALTER TABLE orders RENAME COLUMN note TO notes; ALTER TABLE orders ADD COLUMN note bytea",
         "table `orders`, column `note` is bytea there, and declared as text"},
        {"DROP TABLE orders; CREATE TABLE orders (id text, quantity bigint, note text NOT NULL)",
         "table `orders`, column `id` can be null there, and is declared as one that cannot\n"
         "table `orders`, column `id` is declared as of the key, and is not of the primary key "
         "there\n"
         "table `orders`, column `quantity` can be null there, and is declared as one that cannot\n"
         "table `orders`, column `note` is NOT NULL there, and is declared as one that can be "
         "null"},
        {"DROP TABLE orders; CREATE TABLE orders (id text PRIMARY KEY, quantity bigint NOT NULL, "
         "note text, owner text NOT NULL)",
         "table `orders`, column `owner` is NOT NULL without a default, and is not declared"},
    };
    rt_slice slice = slice_of(three, 3);
    slice.tables = tables;
    slice.table_count = 1;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct trial trial = {0};
        begin(RT_SQL_SQLITE);
        SUCCEEDS(&trial, &slice, apply);
        change(cases[i].change);
        SUCCEEDS(&trial, &slice, compare);
        CU_ASSERT_STRING_EQUAL(trial.differences, cases[i].differences);
        finish();
    }
}

static const rt_column moved_columns[] = {
    {.name = "id", .type = RT_SQL_TEXT, .flags = RT_COLUMN_KEY | RT_COLUMN_ID},
    {.name = "quantity", .type = RT_SQL_INT},
    {.name = "deleted_at", .type = RT_SQL_TIME, .flags = RT_COLUMN_NULLABLE | RT_COLUMN_DELETED_AT},
};
static const rt_table moved = {.size = sizeof(rt_table),
                               .name = "orders",
                               .columns = moved_columns,
                               .column_count = 3,
                               .shadow = "orders_deleted"};
static const rt_table *const moved_tables[] = {&moved};

static void marks_are_looked_for_in_the_shadow_alone(void)
{
    static const struct {
        const char *change, *differences;
    } cases[] = {
        {"CREATE TABLE orders_deleted (id text PRIMARY KEY, quantity bigint, deleted_at "
         "timestamptz)",
         ""},
        {"CREATE TABLE orders_deleted (id text PRIMARY KEY, quantity bigint NOT NULL, deleted_at "
         "timestamptz NOT NULL)",
         ""},
        {"CREATE TABLE orders_deleted (id text NOT NULL, quantity bigint, deleted_at timestamptz)",
         "table `orders_deleted`, column `id` is declared as of the key, and is not of the primary "
         "key there"},
        {"CREATE TABLE orders_deleted (id text, quantity bigint, deleted_at timestamptz, "
         "PRIMARY KEY (id, deleted_at))",
         "table `orders_deleted`, column `deleted_at` is of the primary key there, and not "
         "declared so"},
        {"CREATE TABLE orders_deleted (id text PRIMARY KEY, quantity bigint)",
         "table `orders_deleted`, column `deleted_at` is missing"},
        {"SELECT 1", "table `orders_deleted` is missing"},
    };
    rt_slice slice = slice_of(three, 3);
    slice.tables = moved_tables;
    slice.table_count = 1;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct trial trial = {0};
        begin(RT_SQL_SQLITE);
        SUCCEEDS(&trial, &slice, apply);
        change(cases[i].change);
        SUCCEEDS(&trial, &slice, compare);
        CU_ASSERT_STRING_EQUAL(trial.differences, cases[i].differences);
        finish();
    }
}

/* --- what a module may register -------------------------------------------------------------- */

static void slices_are_judged(void)
{
    static const rt_migration wrong[][2] = {
        {{1, 0, "a", ONE, ONE}, {3, 0, "b", ONE, ONE}},
        {{1, 0, "a", ONE, ONE}, {2, 0, "B", ONE, ONE}},
        {{1, 0, "a", ONE, ONE}, {2, 0, NULL, ONE, ONE}},
        {{1, 0, "a", ONE, ONE}, {2, 0, "b", "", NULL}},
        {{1, 0, "a", ONE, ONE}, {2, 0, "b", "-- nothing\n;", NULL}},
        {{1, 0, "a", ONE, ONE}, {2, 0, "b", "CREATE TABLE a (b text); COMMIT", NULL}},
        {{1, 0, "a", ONE, ONE}, {2, 0, "b", APART, APART}},
    };
    static const char *const problems[] = {
        "its migration 3 stands where 2 is expected",
        "its migration 2 has a name with other characters than a-z, 0-9 and `_`",
        "its migration 2 has no name of 1 to 64 characters",
        "its migration 2 has no statement",
        "its migration 2 has no statement",
        "its migration 2 begins or ends a transaction, which is left to whoever applies it",
        "its migration 2 says `-- rt: no transaction`, which only a text for postgres alone can"};
    for (size_t i = 0; i < sizeof problems / sizeof problems[0]; i++) {
        rt_slice slice = slice_of(wrong[i], 2);
        rt_buffer problem = {0};
        CU_ASSERT_FALSE(rt_slice_judge(&slice, &problem));
        CU_ASSERT_STRING_EQUAL(problem.data, problems[i]);
        rt_buffer_free(&problem);
    }
    rt_buffer none = {0};
    rt_slice sound = slice_of(three, 3);
    CU_ASSERT_TRUE(rt_slice_judge(&sound, &none));
    sound.size = 8;
    CU_ASSERT_FALSE(rt_slice_judge(&sound, &none));
    rt_buffer_free(&none);
}

/* --- scripts --------------------------------------------------------------------------------- */

/* The statements, each in brackets. */
static void taken_apart(const char *script, const char *expected)
{
    rt_buffer out = {0};
    rt_statement statement;
    rt_buffer_text(&out, "");
    while (rt_statement_next(&script, &statement)) {
        rt_buffer_char(&out, '[');
        rt_buffer_add(&out, statement.text, statement.length);
        rt_buffer_char(&out, ']');
    }
    CU_ASSERT_STRING_EQUAL(out.data, expected);
    rt_buffer_free(&out);
}

static void scripts_are_taken_apart(void)
{
    taken_apart("", "");
    taken_apart(" ;; -- a;b\n /* ; /* ; */ ; */ ;", "");
    taken_apart("a; b;c", "[a][b][c]");
    taken_apart("-- first\na ';' \"x;\" 'it''s;' -- ;\n; b", "[a ';' \"x;\" 'it''s;' -- ;\n][b]");
    taken_apart("a E'\\';' ; b '\\'; c", "[a E'\\';' ][b '\\'][c]");
    taken_apart("do $$ begin; end; $$; a $x$ ; $$ ; $x$; b",
                "[do $$ begin; end; $$][a $x$ ; $$ ; $x$][b]");
    taken_apart("select $1; b", "[select $1][b]");
    taken_apart("a$b$; c$b$; d", "[a$b$][c$b$][d]");
    taken_apart("CREATE TRIGGER t AFTER INSERT ON a WHEN CASE x WHEN 1 THEN 2 END BEGIN\n"
                "SELECT CASE a WHEN 1 THEN 2 END; DELETE FROM b; END; c",
                "[CREATE TRIGGER t AFTER INSERT ON a WHEN CASE x WHEN 1 THEN 2 END BEGIN\n"
                "SELECT CASE a WHEN 1 THEN 2 END; DELETE FROM b; END][c]");
    taken_apart("create function f() begin atomic select 1; select 2; end; x",
                "[create function f() begin atomic select 1; select 2; end][x]");
    taken_apart("a 'never closed; b", "[a 'never closed; b]");
    taken_apart("a $$ never; b", "[a $$ never; b]");
    taken_apart("a /* never; b", "[a /* never; b]");
    taken_apart("a \xc3\xa9;\xc3\xa9", "[a \xc3\xa9][\xc3\xa9]");
}

/* Whatever the bytes are: it ends, within them, and loses nothing but blanks. */
static void any_bytes_are_taken_apart(void)
{
    static const char alphabet[] = "a;'\"$-/*\\\n beginCREATE EcaseEND`x1";
    unsigned seed = 1;
    for (int round = 0; round < 20000; round++) {
        size_t length = (size_t)round % 40;
        char *script = malloc(length + 1);
        for (size_t i = 0; i < length; i++) {
            seed = seed * 1103515245u + 12345u;
            script[i] = alphabet[(seed >> 16) % (sizeof alphabet - 1)];
        }
        script[length] = '\0';
        const char *rest = script;
        rt_statement statement;
        size_t count = 0;
        while (rt_statement_next(&rest, &statement) && count <= length) {
            count++;
            CU_ASSERT(statement.length && statement.text + statement.length <= script + length);
        }
        CU_ASSERT(count <= length && rest == script + length);
        free(script);
    }
}

RT_TEST_MAIN("migrate", {"all migrations are applied in order, once", all_are_applied_in_order},
             {"they are applied up to a number", up_to_a_number},
             {"each slice counts for itself", each_slice_counts_for_itself},
             {"a failing one leaves nothing of itself", a_failing_one_leaves_nothing_of_itself},
             {"the place of a mistake is told as a line", the_place_of_a_mistake_is_a_line},
             {"that there was nothing to do is noted too", nothing_to_do_is_noted_too},
             {"the lock is tried for in transactions that end",
              the_lock_is_tried_for_in_transactions_that_end},
             {"without a transaction each statement goes by itself",
              without_a_transaction_each_statement_goes_by_itself},
             {"without a transaction a failure says what stays",
              without_a_transaction_a_failure_says_what_stays},
             {"what was changed, is ahead or was left out is found",
              what_was_changed_is_ahead_or_was_left_out_is_found},
             {"what is missing is counted and named", what_is_missing_is_counted_and_named},
             {"declared tables are compared with those of the database", tables_are_compared},
             {"marks of deletion are looked for in the shadow alone",
              marks_are_looked_for_in_the_shadow_alone},
             {"what a module registers is judged", slices_are_judged},
             {"scripts are taken apart into statements", scripts_are_taken_apart},
             {"any bytes are taken apart without leaving them", any_bytes_are_taken_apart})
