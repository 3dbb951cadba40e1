#include "compose/arguments.h"

#include "base/reason.h"
#include "base/suggest.h"

#include <ctype.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#define COMMON_MOST 6
#define ENV_FILE_LIMIT ((size_t)1 << 20)

struct parse {
    rt_arguments *arguments;
    rt_arena *arena;
    rt_option_argument common[COMMON_MOST];
    size_t common_count;
};

static size_t common_options(rt_arguments *arguments, rt_option_argument *table)
{
    const rt_option_argument all[COMMON_MOST] = {
        {"--config", RT_ARGUMENT_LIST, &arguments->configs, "FILE",
         "configuration; repeated: later files override earlier ones"},
        {"--environment", RT_ARGUMENT_TEXT, &arguments->request.environment, "NAME",
         "development, test, staging or production"},
        {"--set", RT_ARGUMENT_LIST, &arguments->sets, "PATH=VALUE",
         "one setting; beats files and environment variables"},
        {"--foreground", RT_ARGUMENT_FLAG, &arguments->foreground, NULL,
         "stay in the foreground, as it always does"},
        {"--env-file", RT_ARGUMENT_TEXT, &arguments->env_file, "FILE",
         "environment variables the service will have, NAME=VALUE a line"},
        {"--no-secrets", RT_ARGUMENT_FLAG, &arguments->request.no_secrets, NULL,
         "secrets that cannot be resolved are information, not errors"},
    };
    size_t count = arguments->for_checking ? COMMON_MOST : COMMON_MOST - 2;
    memcpy(table, all, count * sizeof *table);
    return count;
}

/* The program's own options first, then the common ones; NULL behind the last. */
static const rt_option_argument *option_at(const struct parse *parse, size_t index)
{
    size_t own = parse->arguments->option_count;
    if (index < own)
        return &parse->arguments->options[index];
    return index - own < parse->common_count ? &parse->common[index - own] : NULL;
}

static const rt_option_argument *find_option(const struct parse *parse, const char *name)
{
    const rt_option_argument *option;
    for (size_t i = 0; (option = option_at(parse, i)); i++)
        if (strcmp(option->name, name) == 0)
            return option;
    return NULL;
}

static bool complain_unknown(const struct parse *parse, const char *name)
{
    rt_suggestion suggestion;
    const rt_option_argument *option;
    rt_suggest_begin(&suggestion, name);
    for (size_t i = 0; (option = option_at(parse, i)); i++)
        rt_suggest(&suggestion, option->name);
    fprintf(stderr, "%s: unknown option `%s`", parse->arguments->program, name);
    rt_suggest_print(&suggestion, stderr);
    fputc('\n', stderr);
    return false;
}

static bool complain(const struct parse *parse, const char *name, const char *problem)
{
    fprintf(stderr, "%s: option `%s` %s\n", parse->arguments->program, name, problem);
    return false;
}

static void store(const struct parse *parse, const rt_option_argument *option, const char *value)
{
    rt_argument_list *list = option->target;
    switch (option->kind) {
    case RT_ARGUMENT_FLAG:
        *(bool *)option->target = true;
        break;
    case RT_ARGUMENT_TEXT:
        *(const char **)option->target = value;
        break;
    case RT_ARGUMENT_LIST:
        rt_push(parse->arena, list->items, list->count) = value;
    }
}

/* Takes argv[*at] and, if it needs one that is not in the same word, the value behind it. */
static bool parse_option(const struct parse *parse, int argc, char *const *argv, int *at)
{
    const char *word = argv[*at], *equals = strchr(word, '=');
    const char *name = equals ? rt_arena_copy_n(parse->arena, word, (size_t)(equals - word)) : word;
    const rt_option_argument *option = find_option(parse, name);
    if (!option)
        return complain_unknown(parse, name);
    if (option->kind == RT_ARGUMENT_FLAG && equals)
        return complain(parse, name, "takes no value");
    const char *value = equals ? equals + 1 : NULL;
    if (option->kind != RT_ARGUMENT_FLAG && !value) {
        if (*at + 1 == argc)
            return complain(parse, name, "needs a value");
        value = argv[++*at];
    }
    store(parse, option, value);
    return true;
}

static char *unquoted(char *value)
{
    size_t length = strlen(value);
    if (length < 2 || (*value != '"' && *value != '\'') || value[length - 1] != *value)
        return value;
    value[length - 1] = '\0';
    return value + 1;
}

static void put_variable(rt_arena *arena, char ***variables, size_t *count, char *entry)
{
    size_t name_length = strcspn(entry, "=") + 1;
    for (size_t i = 0; i < *count; i++) {
        if (strncmp((*variables)[i], entry, name_length) == 0) {
            (*variables)[i] = entry;
            return;
        }
    }
    rt_push(arena, *variables, *count) = entry;
}

/* `export NAME` and `NAME ` are none: they would set nothing, silently. */
static bool is_variable_name(const char *text, size_t length)
{
    if (!length || isdigit((unsigned char)*text))
        return false;
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)text[i]) && text[i] != '_')
            return false;
    return true;
}

/* `NAME=VALUE` a line, as systemd's EnvironmentFile has them: blank lines and comments between. */
static bool add_line(const struct parse *parse, char ***variables, size_t *count, char *line)
{
    line += strspn(line, " \t");
    line[strcspn(line, "\r")] = '\0';
    if (!*line || *line == '#' || *line == ';')
        return true;
    char *equals = strchr(line, '=');
    if (!equals || !is_variable_name(line, (size_t)(equals - line)))
        return false;
    *equals = '\0';
    put_variable(parse->arena, variables, count,
                 rt_arena_format(parse->arena, "%s=%s", line, unquoted(equals + 1)));
    return true;
}

static bool add_lines(const struct parse *parse, char ***variables, size_t *count, char *text)
{
    unsigned number = 1;
    for (char *line = text, *next; line; line = next, number++) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        if (add_line(parse, variables, count, line))
            continue;
        fprintf(stderr, "%s: `%s` line %u is not NAME=VALUE\n", parse->arguments->program,
                parse->arguments->env_file, number);
        return false;
    }
    return true;
}

static bool take_environment(const struct parse *parse)
{
    rt_arguments *arguments = parse->arguments;
    char **variables = NULL;
    size_t count = 0;
    rt_buffer file = {0};
    bool fine = true;
    for (char **entry = environ; *entry; entry++)
        rt_push(parse->arena, variables, count) = *entry;
    if (arguments->env_file) {
        int error = rt_buffer_read_file(&file, arguments->env_file, ENV_FILE_LIMIT);
        fine = error == 0;
        if (error)
            fprintf(stderr, "%s: cannot read `%s`: %s\n", arguments->program, arguments->env_file,
                    rt_reason(-error));
        else if (memchr(file.data, '\0', file.length))
            fine = complain(parse, "--env-file", "names a file with NUL bytes");
        else
            fine = add_lines(parse, &variables, &count, file.data);
    }
    if (file.data)
        explicit_bzero(file.data, file.length);
    rt_buffer_free(&file);
    rt_push(parse->arena, variables, count) = NULL;
    arguments->request.variables = variables;
    return fine;
}

/* `--set PATH VALUE` would have us quote VALUE as an unexpected word, and it may be a secret. */
static bool has_set_without_value(const struct parse *parse)
{
    const rt_arguments *arguments = parse->arguments;
    if (!arguments->words.count)
        return false;
    for (size_t i = 0; i < arguments->sets.count; i++)
        if (!strchr(arguments->sets.items[i], '='))
            return !complain(parse, "--set", "needs PATH=VALUE in one word");
    return false;
}

bool rt_arguments_parse(rt_arguments *arguments, rt_arena *arena, int argc, char *const *argv)
{
    struct parse parse = {.arguments = arguments, .arena = arena};
    parse.common_count = common_options(arguments, parse.common);
    bool ended = false;
    for (int i = 0; i < argc; i++) {
        if (ended || argv[i][0] != '-' || !argv[i][1])
            rt_push(arena, arguments->words.items, arguments->words.count) = argv[i];
        else if (strcmp(argv[i], "--") == 0)
            ended = true;
        else if (!parse_option(&parse, argc, argv, &i))
            return false;
    }
    if (has_set_without_value(&parse))
        return false;
    rt_compose_request *request = &arguments->request;
    request->config_files = arguments->configs.items;
    request->config_count = arguments->configs.count;
    request->sets = arguments->sets.items;
    request->set_count = arguments->sets.count;
    return take_environment(&parse);
}

void rt_arguments_help(FILE *out, const rt_arguments *arguments)
{
    struct parse parse = {.arguments = (rt_arguments *)arguments};
    parse.common_count = common_options(parse.arguments, parse.common);
    const rt_option_argument *option;
    for (size_t i = 0; (option = option_at(&parse, i)); i++)
        fprintf(out, "  %s %-*s %s\n", option->name, 23 - (int)strlen(option->name),
                option->value ? option->value : "", option->help);
    if (arguments->for_checking) /* rtd has an option of its own for it */
        fprintf(out, "  %-25s print this and exit\n", "--help");
}

const char *rt_installed_path(rt_arena *arena, const char *path)
{
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (*path == '/' || length <= 0)
        return path;
    for (int up = 0; up < 2; up++) /* the program, then its bin/ */
        while (length > 0 && self[--length] != '/')
            ;
    return rt_arena_format(arena, "%.*s/%s", (int)length, self, path);
}

bool rt_arguments_default_config(rt_arguments *arguments, rt_arena *arena, const char *installed)
{
    if (arguments->configs.count)
        return true;
    const char *path = rt_installed_path(arena, installed);
    if (access(path, F_OK) != 0) {
        fprintf(stderr, "%s: no `--config FILE`, and there is no `%s`\n", arguments->program, path);
        return false;
    }
    rt_push(arena, arguments->configs.items, arguments->configs.count) = path;
    arguments->request.config_files = arguments->configs.items;
    arguments->request.config_count = arguments->configs.count;
    return true;
}
