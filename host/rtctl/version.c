#include "rtctl/rtctl.h"

#include <rt/abi.h>
#include <stdio.h>

int rt_version(const rt_subcommand *subcommand, rt_arena *arena, int argc, char **argv)
{
    (void)arena;
    (void)argv;
    if (argc)
        return rt_subcommand_misused(subcommand);
    printf("rt %s, plugin ABI %d.%d\n", RT_VERSION, RT_ABI_MAJOR, RT_ABI_MINOR);
    return EXIT_VALID;
}
