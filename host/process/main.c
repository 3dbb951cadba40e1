/* rtd — the server runtime's daemon: composes the deployment, refuses it or runs it */
#include "compose/arguments.h"
#include "process/process.h"
#include "process/task.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

struct options {
    bool help, version, preflight;
};

static const struct {
    const char *word;
    int (*run)(void);
} roles[] = {{RT_ROLE_WORKER, rt_worker_main},
             {RT_ROLE_LOAD, rt_load_main},
             {RT_ROLE_MIGRATE, rt_task_main},
             {RT_ROLE_EXPORTER, rt_export_main}};

static int run_role(const char *word)
{
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        if (strcmp(word, roles[i].word) == 0)
            return roles[i].run();
    return -1;
}

/* A descriptor 0, 1 or 2 that is closed would be taken by a socket, and then written to as
 * a log. */
static void fill_standard_descriptors(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

static int print_help(const rt_arguments *arguments)
{
    puts("usage: rtd [--config FILE]… [--environment NAME] [--set PATH=VALUE]…\n\n"
         "Composes the plugins and the configuration into a plan, and runs it, or says what is "
         "wrong\n"
         "and runs nothing. `rtctl validate` says the same without running anything.\n");
    rt_arguments_help(stdout, arguments);
    puts("\nWithout --config: ../" RT_CONFIG_DIR "/runtime.conf from the folder of the program.\n"
         "SIGTERM or SIGINT stops it when running requests have ended, a second one at once.\n"
         "SIGHUP reloads configuration and plugins, SIGUSR2 replaces rtd itself by the program in\n"
         "its place; both lose no request, and leave everything as it is if something is wrong.\n"
         "Exit status: 0 stopped, 64 usage, 65 a database is behind or ahead, 69 a module or "
         "address is\n"
         "unavailable, 70 stopped by force, 71 system error, 74 the log cannot be opened, 78 not "
         "fit to run.");
    return 0;
}

static int start(rt_startup *startup, rt_arguments *arguments, rt_arena *arena, bool preflight)
{
    if (arguments->words.count) {
        fprintf(stderr, "rtd: unexpected argument `%s`\n", arguments->words.items[0]);
        return EX_USAGE;
    }
    if (!rt_arguments_default_config(arguments, arena, RT_CONFIG_DIR "/runtime.conf"))
        return EX_USAGE;
    if (preflight)
        return rt_preflight(arena, &arguments->request);
    startup->request = arguments->request;
    return rt_supervise(startup);
}

int main(int argc, char **argv)
{
    int code = argc == 2 ? run_role(argv[1]) : -1;
    if (code >= 0)
        return code;
    fill_standard_descriptors();
    struct options options = {0};
    const rt_option_argument own[] = {
        {"--help", RT_ARGUMENT_FLAG, &options.help, NULL, "print this and exit"},
        {"--preflight", RT_ARGUMENT_FLAG, &options.preflight, NULL,
         "say whether this rtd could take over from one that runs, and exit"},
        {"--version", RT_ARGUMENT_FLAG, &options.version, NULL, "print the version and exit"},
    };
    rt_arena arena;
    rt_arena_init(&arena);
    rt_startup startup = {0};
    rt_startup_begin(&startup, &arena, argv);
    rt_arguments arguments = {
        .program = "rtd", .options = own, .option_count = sizeof own / sizeof own[0]};
    arguments.request.running = true;
    arguments.request.default_plugins = rt_installed_path(&arena, RT_PLUGIN_DIR);
    if (!rt_arguments_parse(&arguments, &arena, argc - 1, argv + 1))
        code = EX_USAGE;
    else if (options.help)
        code = print_help(&arguments);
    else if (options.version)
        code = puts("rtd " RT_VERSION) < 0 ? EX_IOERR : 0;
    else
        code = start(&startup, &arguments, &arena, options.preflight);
    rt_arena_free(&arena);
    return code;
}
