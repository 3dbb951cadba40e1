#include "rtctl/rtctl.h"

#include <rt/abi.h>
#include <stdio.h>

int rt_version(const rt_subcommand *subcommand, int argc, char **argv)
{
    (void)subcommand;
    (void)argv;
    if (argc) {
        fputs("usage: rtctl version\n", stderr);
        return EXIT_COULD_NOT_RUN;
    }
    printf("rt %s, plugin ABI %d.%d\n", RT_VERSION, RT_ABI_MAJOR, RT_ABI_MINOR);
    return EXIT_VALID;
}
