/* Prints what composition would say of plugin files: each one's diagnostics, or its name.
 *
 *     manifest-print [--time ROUNDS] FILE…
 *
 * --time reads and checks them all so many times and prints the microseconds of processor time that
 * one file took. */
#include "manifest/manifest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const rt_manifest *read_one(rt_arena *arena, rt_library_cache *cache,
                                   rt_diagnostics *diagnostics, const char *path)
{
    const rt_manifest *manifest = rt_manifest_read(arena, diagnostics, path);
    return manifest && rt_manifest_check_links(cache, diagnostics, manifest) ? manifest : NULL;
}

static void print_one(rt_arena *arena, rt_library_cache *cache, const char *path)
{
    rt_diagnostics diagnostics;
    rt_buffer out = {0};
    rt_diagnostics_init(&diagnostics, arena);
    const rt_manifest *manifest = read_one(arena, cache, &diagnostics, path);
    for (size_t i = 0; i < diagnostics.count; i++)
        rt_diagnostic_print(&out, diagnostics.items[i], false);
    if (manifest)
        rt_buffer_format(&out, "sound: `%s` %s\n", manifest->name, manifest->version);
    fputs(out.data ? out.data : "", stdout);
    rt_buffer_free(&out);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time); /* others may use the machine */
    return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

/* As `rtctl validate` does it: one cache of libraries for all plugins of a round. */
static int measure(long rounds, char **paths, int count)
{
    size_t errors = 0;
    double start = now();
    for (long round = 0; round < rounds; round++) {
        rt_arena arena;
        rt_diagnostics diagnostics;
        rt_arena_init(&arena);
        rt_diagnostics_init(&diagnostics, &arena);
        rt_library_cache *cache = rt_library_cache_new(&arena);
        for (int i = 0; i < count; i++)
            read_one(&arena, cache, &diagnostics, paths[i]);
        errors += diagnostics.errors;
        rt_library_cache_close(cache);
        rt_arena_free(&arena);
    }
    printf("%.1f us of CPU a file, %d files, %ld rounds, %zu errors\n",
           (now() - start) / (double)rounds / count, count, rounds, errors);
    return errors ? 1 : 0;
}

int main(int argc, char **argv)
{
    if (argc > 3 && strcmp(argv[1], "--time") == 0)
        return measure(strtol(argv[2], NULL, 10), argv + 3, argc - 3);
    rt_arena arena;
    rt_arena_init(&arena);
    rt_library_cache *cache = rt_library_cache_new(&arena);
    for (int i = 1; i < argc; i++)
        print_one(&arena, cache, argv[i]);
    rt_library_cache_close(cache);
    rt_arena_free(&arena);
    return 0;
}
