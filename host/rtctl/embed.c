/* `rtctl embed`: migrations as a header that a plugin includes. */
#include "rtctl/rtctl.h"

#include "base/reason.h"
#include "migrate/embed.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct words {
    const char *folder, *output, *dependencies;
};

static bool take_words(struct words *words, int argc, char **argv)
{
    const struct {
        const char *name;
        const char **target;
    } options[] = {{"-o", &words->output}, {"--depfile", &words->dependencies}};
    for (int i = 0; i < argc; i++) {
        const char **target = &words->folder;
        for (size_t k = 0; k < 2; k++)
            if (strcmp(argv[i], options[k].name) == 0)
                target = options[k].target;
        if (target != &words->folder && ++i == argc)
            return false;
        if (*target || !argv[i][0] || (target == &words->folder && argv[i][0] == '-'))
            return false;
        *target = argv[i];
    }
    return words->folder && (words->output || !words->dependencies);
}

static int write_text(const char *path, const rt_buffer *text)
{
    FILE *out = path ? fopen(path, "w") : stdout;
    bool fine = out && fwrite(text->data, 1, text->length, out) == text->length;
    int error = errno;
    if (out && path && fclose(out) != 0 && fine) {
        fine = false;
        error = errno;
    }
    if (fine || !path) /* standard output is looked at by main */
        return EXIT_VALID;
    fprintf(stderr, "rtctl embed: cannot write `%s`: %s\n", path, rt_reason(error));
    return EXIT_COULD_NOT_RUN;
}

static void put_path(rt_buffer *out, const char *path)
{
    for (; *path; path++) {
        if (*path == ' ' || *path == '#')
            rt_buffer_char(out, '\\');
        if (*path == '$')
            rt_buffer_char(out, '$');
        rt_buffer_char(out, *path);
    }
}

/* The folder itself, too: a file that comes or goes changes it. */
static int write_dependencies(const struct words *words, const rt_migration_folder *folder)
{
    rt_buffer out = {0};
    if (!words->dependencies)
        return EXIT_VALID;
    put_path(&out, words->output);
    rt_buffer_text(&out, ": ");
    put_path(&out, words->folder);
    for (size_t i = 0; i < folder->file_count; i++) {
        rt_buffer_text(&out, " \\\n  ");
        put_path(&out, folder->files[i]);
    }
    rt_buffer_char(&out, '\n');
    int status = write_text(words->dependencies, &out);
    rt_buffer_free(&out);
    return status;
}

static int embed(const struct words *words, const rt_migration_folder *folder)
{
    rt_buffer out = {0};
    rt_migration_folder_write(folder, &out);
    int status = write_text(words->output, &out);
    rt_buffer_free(&out);
    return status ? status : write_dependencies(words, folder);
}

static void print_problems(const char *problems)
{
    while (*problems) {
        size_t length = strcspn(problems, "\n");
        fprintf(stderr, "rtctl embed: %.*s\n", (int)length, problems);
        problems += length + (problems[length] == '\n');
    }
}

int rt_embed(const rt_subcommand *subcommand, rt_arena *arena, int argc, char **argv)
{
    struct words words = {0};
    rt_migration_folder folder;
    rt_buffer problems = {0};
    if (!take_words(&words, argc, argv))
        return rt_subcommand_misused(subcommand);
    size_t length = strlen(words.folder);
    if (length > 1 && words.folder[length - 1] == '/')
        words.folder = rt_arena_copy_n(arena, words.folder, length - 1);
    bool sound = rt_migration_folder_read(arena, words.folder, &folder, &problems);
    if (!sound)
        print_problems(problems.data);
    int status = sound ? embed(&words, &folder) : EXIT_PROBLEMS;
    rt_buffer_free(&problems);
    return status;
}
