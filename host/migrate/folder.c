/* Reads and judges a folder of migrations. */
#include "migrate/embed.h"

#include "base/reason.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DIGITS 4

enum dialects { SQLITE = 1, POSTGRES = 2 };

struct reading {
    rt_arena *arena;
    const char *path;
    rt_migration_folder *folder;
    rt_buffer *problems;
};

/* What the name of a file says. */
struct file {
    const char *entry;
    uint32_t number;
    const char *name;
    unsigned dialects;
};

__attribute__((format(printf, 3, 4))) static void complain(struct reading *reading,
                                                           const char *entry, const char *format,
                                                           ...)
{
    va_list arguments;
    va_start(arguments, format);
    rt_buffer_format(reading->problems, "`%s/%s` ", reading->path, entry);
    rt_buffer_vformat(reading->problems, format, arguments);
    rt_buffer_char(reading->problems, '\n');
    va_end(arguments);
}

/* --- names ----------------------------------------------------------------------------------- */

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), size = strlen(end);
    return length >= size && strcasecmp(text + length - size, end) == 0;
}

static unsigned dialects_of(char *stem)
{
    char *dot = strrchr(stem, '.');
    unsigned dialects = !dot                               ? SQLITE | POSTGRES
                        : strcmp(dot + 1, "sqlite") == 0   ? SQLITE
                        : strcmp(dot + 1, "postgres") == 0 ? POSTGRES
                                                           : 0;
    if (dot)
        *dot = '\0';
    return dialects;
}

static bool take_name(struct reading *reading, const char *entry, struct file *file)
{
    char *stem = rt_arena_copy_n(reading->arena, entry, strlen(entry) - strlen(".sql"));
    *file = (struct file){.entry = entry, .dialects = dialects_of(stem)};
    if (strspn(stem, "0123456789") != DIGITS || stem[DIGITS] != '_' || !ends_with(entry, ".sql") ||
        strcmp(entry + strlen(entry) - 4, ".sql") != 0)
        complain(reading, entry, "is not named like `0001_create_orders.sql`");
    else if (!file->dialects)
        complain(reading, entry, "is for no known dialect: `.sqlite.sql` and `.postgres.sql` are");
    else if (rt_migration_name_problem(file->name = stem + DIGITS + 1))
        complain(reading, entry, "%s", rt_migration_name_problem(file->name));
    else if (!(file->number = (uint32_t)strtoul(stem, NULL, 10)))
        complain(reading, entry, "has the number 0: they count from 1");
    else
        return true;
    return false;
}

/* --- texts ----------------------------------------------------------------------------------- */

static bool is_utf8(const rt_buffer *content)
{
    size_t size;
    for (size_t i = 0; i < content->length; i += size)
        if (!(size = rt_utf8_sequence(content->data + i, content->length - i)))
            return false;
    return true;
}

static const char *bytes_problem(const rt_buffer *content)
{
    if (content->length && memchr(content->data, '\0', content->length))
        return "has a NUL byte in it";
    if (!is_utf8(content))
        return "is not UTF-8";
    if (content->length >= 3 && memcmp(content->data, "\xEF\xBB\xBF", 3) == 0)
        return "begins with a byte order mark: save it without";
    return NULL;
}

/* The text with LF alone at the ends of its lines, and one at its own. */
static const char *with_plain_lines(rt_arena *arena, const rt_buffer *content)
{
    char *text = rt_arena_alloc(arena, content->length + 2), *out = text;
    for (size_t i = 0; i < content->length; i++)
        if (content->data[i] != '\r' || content->data[i + 1] != '\n')
            *out++ = content->data[i];
    if (out > text && out[-1] != '\n')
        *out = '\n';
    return text;
}

static const char *read_text(struct reading *reading, const struct file *file)
{
    const char *path = rt_arena_format(reading->arena, "%s/%s", reading->path, file->entry);
    rt_buffer content = {0};
    int error = rt_buffer_read_file(&content, path, RT_MIGRATION_TEXT_LIMIT);
    const char *problem =
        error == -EFBIG ? "is larger than 1 MiB"
        : error         ? rt_arena_format(reading->arena, "cannot be read: %s", rt_reason(-error))
                        : bytes_problem(&content);
    const char *text = problem ? NULL : with_plain_lines(reading->arena, &content);
    rt_buffer_free(&content);
    if (!problem)
        problem = rt_migration_text_problem(text, file->dialects == POSTGRES);
    if (problem)
        complain(reading, file->entry, "%s", problem);
    rt_push(reading->arena, reading->folder->files, reading->folder->file_count) = path;
    return problem ? NULL : text;
}

/* --- the folder ------------------------------------------------------------------------------ */

/* The migration that a file belongs to: the last one, or a new one. */
static rt_migration *place_for(struct reading *reading, const struct file *file)
{
    rt_migration_folder *folder = reading->folder;
    rt_migration *last = folder->count ? &folder->items[folder->count - 1] : NULL;
    uint32_t expected = last ? last->number + 1 : 1;
    if (last && last->number == file->number) {
        if (strcmp(last->name, file->name) == 0)
            return last;
        complain(reading, file->entry, "has the number of `%04u_%s`", last->number, last->name);
        return NULL;
    }
    if (file->number != expected)
        complain(reading, file->entry, "follows a gap: %04u is missing", expected);
    rt_migration *migration = &rt_push(reading->arena, folder->items, folder->count);
    *migration = (rt_migration){.number = file->number, .name = file->name};
    return migration;
}

static void take_file(struct reading *reading, const char *entry)
{
    struct file file;
    if (!take_name(reading, entry, &file))
        return;
    rt_migration *migration = place_for(reading, &file);
    if (!migration)
        return;
    if ((file.dialects & SQLITE && migration->sqlite) ||
        (file.dialects & POSTGRES && migration->postgres)) {
        complain(reading, entry, "is a second text of `%04u_%s` for one dialect", file.number,
                 file.name);
        return;
    }
    const char *text = read_text(reading, &file);
    if (file.dialects & SQLITE)
        migration->sqlite = text;
    if (file.dialects & POSTGRES)
        migration->postgres = text;
}

static int by_bytes(const struct dirent **left, const struct dirent **right)
{
    return strcmp((*left)->d_name, (*right)->d_name);
}

/* What is no SQL may lie beside them; what an editor hides, too. */
static int is_sql(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && ends_with(entry->d_name, ".sql");
}

bool rt_migration_folder_read(rt_arena *arena, const char *path, rt_migration_folder *folder,
                              rt_buffer *problems)
{
    struct reading reading = {arena, path, folder, problems};
    struct dirent **entries;
    int count = scandir(path, &entries, is_sql, by_bytes);
    *folder = (rt_migration_folder){0};
    if (count < 0) {
        rt_buffer_format(problems, "cannot read the folder `%s`: %s\n", path, rt_reason(errno));
        return false;
    }
    for (int i = 0; i < count; i++) {
        take_file(&reading, rt_arena_copy(arena, entries[i]->d_name));
        free(entries[i]);
    }
    free(entries);
    if (!count)
        rt_buffer_format(problems, "no migrations are in `%s`\n", path);
    return !problems->length;
}
