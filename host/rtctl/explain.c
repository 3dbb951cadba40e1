#include "rtctl/rtctl.h"

#include <stdio.h>

static int list(void)
{
    for (size_t i = 0; i < RT_DIAGNOSTIC_COUNT; i++)
        printf("%s  %-7s  %s\n", rt_diagnostic_table[i].number,
               rt_severity_name(rt_diagnostic_table[i].severity), rt_diagnostic_table[i].name);
    return EXIT_VALID;
}

int rt_explain(const rt_subcommand *subcommand, int argc, char **argv)
{
    (void)subcommand;
    if (argc == 0)
        return list();
    if (argc > 1 || argv[0][0] == '-') {
        fputs("usage: rtctl explain [ID]\nwithout ID, lists all\n", stderr);
        return EXIT_COULD_NOT_RUN;
    }
    const rt_diagnostic_entry *entry = rt_diagnostic_find(argv[0]);
    if (!entry) {
        fprintf(stderr, "rtctl explain: no diagnostic has the id `%s`\n", argv[0]);
        return EXIT_COULD_NOT_RUN;
    }
    printf("%s %s: %s\n\n%s\n", rt_severity_name(entry->severity), entry->number, entry->format,
           entry->explanation);
    return EXIT_VALID;
}
