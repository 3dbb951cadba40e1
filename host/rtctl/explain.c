#include "rtctl/rtctl.h"

#include "base/suggest.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static int list(void)
{
    for (size_t i = 0; i < RT_DIAGNOSTIC_COUNT; i++)
        printf("%s  %-7s  %s\n", rt_diagnostic_table[i].number,
               rt_severity_name(rt_diagnostic_table[i].severity), rt_diagnostic_table[i].name);
    return EXIT_VALID;
}

/* The message with `…` where its arguments stand. */
static void print_message(const char *format)
{
    while (*format) {
        size_t plain = strcspn(format, "%");
        printf("%.*s", (int)plain, format);
        format += plain;
        if (!*format)
            return;
        if (format[1] == '%')
            putchar('%');
        else
            fputs("…", stdout);
        format++;
        format += strspn(format, "0123456789.*#+- lzhjt");
        format += *format != '\0';
    }
}

static const char *upper_case(rt_arena *arena, const char *text)
{
    char *copy = rt_arena_copy(arena, text);
    for (char *c = copy; *c; c++)
        *c = (char)toupper((unsigned char)*c);
    return copy;
}

static int unknown_id(rt_arena *arena, const char *id)
{
    rt_suggestion suggestion;
    const char *word = upper_case(arena, id);
    rt_suggest_begin(&suggestion, word);
    for (size_t i = 0; i < RT_DIAGNOSTIC_COUNT; i++)
        rt_suggest(&suggestion, rt_diagnostic_table[i].number);
    for (size_t i = 0; i < RT_DIAGNOSTIC_COUNT; i++)
        rt_suggest(&suggestion, rt_diagnostic_table[i].name);
    fprintf(stderr, "rtctl explain: no diagnostic has the id `%s`", id);
    rt_suggest_print(&suggestion, stderr);
    fputs("\n`rtctl explain` lists them\n", stderr);
    return EXIT_COULD_NOT_RUN;
}

static const rt_diagnostic_entry *find(rt_arena *arena, const char *id)
{
    const rt_diagnostic_entry *entry = rt_diagnostic_find(id);
    const char *name = upper_case(arena, id);
    for (size_t i = 0; !entry && i < RT_DIAGNOSTIC_COUNT; i++)
        if (strcmp(rt_diagnostic_table[i].name, name) == 0)
            entry = &rt_diagnostic_table[i];
    return entry;
}

static int explain(rt_arena *arena, const char *id)
{
    const rt_diagnostic_entry *entry = find(arena, id);
    int status = entry ? EXIT_VALID : unknown_id(arena, id);
    if (entry) {
        printf("%s[%s]: ", rt_severity_name(entry->severity), entry->number);
        print_message(entry->format);
        printf("\n\n%s\n", entry->explanation);
    }
    return status;
}

int rt_explain(const rt_subcommand *subcommand, rt_arena *arena, int argc, char **argv)
{
    if (argc == 0)
        return list();
    if (argc > 1 || argv[0][0] == '-')
        return rt_subcommand_misused(subcommand);
    return explain(arena, argv[0]);
}
