/* Writes migrations as C. */
#include "migrate/embed.h"

#include <string.h>

static const char head[] = "/* The migrations of a slice, written by `rtctl embed`. */\n"
                           "#ifndef RT_MIGRATIONS_H\n"
                           "#define RT_MIGRATIONS_H\n\n"
                           "#include <rt/slice.h>\n\n";

/* Octal escapes end after three digits; `?` is escaped after another, for the sake of trigraphs. */
static void put_character(rt_buffer *out, const char *text, size_t i)
{
    unsigned char c = (unsigned char)text[i];
    if (c == '"' || c == '\\' || (c == '?' && i && text[i - 1] == '?'))
        rt_buffer_format(out, "\\%c", c);
    else if (c == '\t')
        rt_buffer_text(out, "\\t");
    else if (c < 0x20 || c == 0x7f)
        rt_buffer_format(out, "\\%03o", c);
    else
        rt_buffer_char(out, (char)c);
}

/* A literal a line. */
static void put_text(rt_buffer *out, const char *text)
{
    while (*text) {
        size_t length = strcspn(text, "\n");
        rt_buffer_text(out, "\n    \"");
        for (size_t i = 0; i < length; i++)
            put_character(out, text, i);
        rt_buffer_text(out, text[length] ? "\\n\"" : "\"");
        text += length + (text[length] == '\n');
    }
}

static const char *suffix_of(const rt_migration *migration, const char *dialect)
{
    return migration->sqlite == migration->postgres ? "" : dialect;
}

static void put_definition(rt_buffer *out, const rt_migration *migration, const char *text,
                           const char *dialect)
{
    if (!text)
        return;
    rt_buffer_format(out, "static const char rt_migration_%u%s[] =", migration->number,
                     suffix_of(migration, dialect));
    put_text(out, text);
    rt_buffer_text(out, ";\n\n");
}

static void put_reference(rt_buffer *out, const rt_migration *migration, const char *text,
                          const char *dialect)
{
    if (text)
        rt_buffer_format(out, "rt_migration_%u%s", migration->number,
                         suffix_of(migration, dialect));
    else
        rt_buffer_text(out, "NULL");
}

void rt_migration_folder_write(const rt_migration_folder *folder, rt_buffer *out)
{
    rt_buffer_text(out, head);
    for (size_t i = 0; i < folder->count; i++) {
        const rt_migration *migration = &folder->items[i];
        put_definition(out, migration, migration->sqlite, "_sqlite");
        if (migration->postgres != migration->sqlite)
            put_definition(out, migration, migration->postgres, "_postgres");
    }
    rt_buffer_text(out, "static const rt_migration rt_migrations[] = {\n");
    for (size_t i = 0; i < folder->count; i++) {
        const rt_migration *migration = &folder->items[i];
        rt_buffer_format(out, "    {%u, 0, \"%s\", ", migration->number, migration->name);
        put_reference(out, migration, migration->sqlite, "_sqlite");
        rt_buffer_text(out, ", ");
        put_reference(out, migration, migration->postgres, "_postgres");
        rt_buffer_text(out, "},\n");
    }
    rt_buffer_text(out, "};\n\n#endif\n");
}
