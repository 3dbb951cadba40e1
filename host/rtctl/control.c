/* Subcommands that speak to a running rtd: status, health, stop, reload, upgrade, log-level,
 * log-reopen, quarantine, fibers, metrics. All do the same: find its control socket, send one line,
 * print the reply. What top.c asks for goes the same way. */
#include "rtctl/rtctl.h"

#include "base/reason.h"
#include "compose/report.h"
#include "process/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

struct asking {
    const char *name;
    bool waits, json;   /* options it has */
    bool phrases;       /* words that hold blanks are as many words */
    size_t least, most; /* words */
};

static const struct asking askings[] = {
    {"status", .json = true},
    {"health", .json = true},
    {"stop", .waits = true},
    {"reload", .waits = true},
    {"upgrade"},
    {"log-level", .most = 2},
    {"log-reopen"},
    {"quarantine", .phrases = true, .most = RT_CONTROL_WORDS - 1},
    {"fibers", .most = 1},
    {"metrics"},
};

static const struct asking *asking_named(const char *name)
{
    for (size_t i = 0; i < sizeof askings / sizeof askings[0]; i++)
        if (strcmp(askings[i].name, name) == 0)
            return &askings[i];
    return NULL;
}

/* --- finding rtd ----------------------------------------------------------------------------- */

/* A descriptor, or -errno. */
static int reach(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return -ENAMETOOLONG;
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return fd < 0 ? -errno : fd;
    int error = errno;
    close(fd);
    return -error;
}

static int reach_named(const char *program, const char *path)
{
    int fd = reach(path);
    if (fd < 0)
        fprintf(stderr, "%s: no rtd answers at `%s`: %s\n", program, path, rt_reason(-fd));
    return fd;
}

/* Where `control.socket` could not be read, rtd may well be there. */
static int complain_of_unreadable(const rt_composition *composition, const char *program,
                                  const char *config)
{
    rt_report_print(stderr, composition, rt_report_wants_colour(stderr));
    fprintf(stderr,
            "%s: no rtd answers at the usual places, and what `%s` says of `control.socket` cannot "
            "be read: `--socket PATH` names it\n",
            program, config);
    return -ENOENT;
}

/* What composition finds wrong is no concern of this: the rtd that runs was started before it. */
static int reach_configured(rt_arguments *arguments, rt_arena *arena)
{
    const char **paths;
    arguments->request.no_secrets = true;
    const rt_composition *composition = rt_subcommand_compose(arguments, arena);
    if (!composition)
        return -ENOENT;
    const char *config = arguments->request.config_files[0];
    const char *path = composition->plan ? composition->plan->host.control.socket : NULL;
    if (path)
        return reach_named(arguments->program, path);
    size_t count = rt_control_find(arena, config, &paths);
    for (size_t i = 0; i < count; i++) {
        int fd = reach(paths[i]);
        if (fd >= 0)
            return fd;
    }
    if (!composition->plan)
        return complain_of_unreadable(composition, arguments->program, config);
    fprintf(stderr,
            "%s: no rtd answers that was started with `%s`; `--socket PATH` names another one's "
            "control socket\n",
            arguments->program, config);
    return -ENOENT;
}

/* --- asking ---------------------------------------------------------------------------------- */

static bool send_all(int fd, const rt_buffer *line)
{
    size_t sent = 0;
    while (sent < line->length) {
        ssize_t got = send(fd, line->data + sent, line->length - sent, MSG_NOSIGNAL);
        if (got < 0 && errno != EINTR)
            return false;
        sent += got < 0 ? 0 : (size_t)got;
    }
    return true;
}

/* True if it is the last line. */
static bool take_line(char *line, int *status)
{
    FILE *out = NULL;
    if (strncmp(line, "exit ", 5) == 0) {
        *status = atoi(line + 5);
        return true;
    }
    if (strncmp(line, "out ", 4) == 0)
        out = stdout;
    else if (strncmp(line, "err ", 4) == 0)
        out = stderr;
    if (out)
        fputs(line + 4, out);
    return false;
}

static int print_reply(const char *program, int fd)
{
    char *line = NULL;
    size_t room = 0;
    int status = -1;
    FILE *in = fdopen(fd, "r");
    while (in && getline(&line, &room, in) > 0)
        if (take_line(line, &status))
            break;
    free(line);
    if (in)
        fclose(in);
    if (status >= 0)
        return status;
    fprintf(stderr, "%s: rtd ended the conversation\n", program);
    return EX_UNAVAILABLE;
}

bool rt_is_word(const char *text, bool phrase)
{
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || (*c == ' ' && !phrase))
            return false;
    return *text;
}

static bool make_line(rt_buffer *line, const struct asking *asking, const rt_arguments *arguments,
                      const char *more)
{
    rt_buffer_text(line, asking->name);
    for (size_t i = 0; i < arguments->words.count; i++) {
        if (!rt_is_word(arguments->words.items[i], asking->phrases)) {
            fprintf(stderr, "%s: `%s` is no word\n", arguments->program, arguments->words.items[i]);
            return false;
        }
        rt_buffer_format(line, " %s", arguments->words.items[i]);
    }
    rt_buffer_format(line, "%s\n", more);
    return true;
}

int rt_ask_line(rt_arguments *arguments, rt_arena *arena, const char *socket, const rt_buffer *line)
{
    int fd = socket ? reach_named(arguments->program, socket) : reach_configured(arguments, arena);
    if (fd < 0)
        return EX_UNAVAILABLE;
    (void)send_all(fd, line); /* who refuses the rest has said why */
    return print_reply(arguments->program, fd);
}

static int ask(const struct asking *asking, rt_arguments *arguments, rt_arena *arena,
               const char *socket, const char *more)
{
    rt_buffer line = {0};
    int status = EXIT_COULD_NOT_RUN;
    if (make_line(&line, asking, arguments, more))
        status = rt_ask_line(arguments, arena, socket, &line);
    rt_buffer_free(&line);
    return status;
}

/* --- for those who make something of the answer ---------------------------------------------- */

static int collect_reply(int fd, rt_buffer *out)
{
    char *line = NULL;
    size_t room = 0;
    int status = EX_UNAVAILABLE;
    FILE *in = fdopen(fd, "r");
    while (in && getline(&line, &room, in) > 0) {
        if (strncmp(line, "out ", 4) == 0)
            rt_buffer_text(out, line + 4);
        else if (take_line(line, &status))
            break;
    }
    free(line);
    if (in)
        fclose(in);
    return status;
}

/* Whom it has reached, for the next time: composing takes longer than asking. */
static void keep_path(int fd, rt_arena *arena, const char **socket)
{
    struct sockaddr_un address = {0};
    socklen_t length = sizeof address;
    if (!*socket && getpeername(fd, (struct sockaddr *)&address, &length) == 0)
        *socket = rt_arena_copy_n(arena, address.sun_path,
                                  strnlen(address.sun_path, sizeof address.sun_path));
}

int rt_ask_text(rt_arguments *arguments, rt_arena *arena, const char **socket, const char *line,
                rt_buffer *out)
{
    int fd =
        *socket ? reach_named(arguments->program, *socket) : reach_configured(arguments, arena);
    if (fd < 0)
        return EX_UNAVAILABLE;
    keep_path(fd, arena, socket);
    rt_buffer text = {0};
    rt_buffer_format(&text, "%s\n", line);
    bool sent = send_all(fd, &text);
    rt_buffer_free(&text);
    if (sent)
        return collect_reply(fd, out);
    close(fd);
    return EX_UNAVAILABLE;
}

int rt_ask_running(const rt_subcommand *subcommand, rt_arena *arena, int argc, char **argv)
{
    const struct asking *asking = asking_named(subcommand->name);
    const char *socket = NULL;
    bool json = false, wait = false;
    int status;
    rt_option_argument options[3] = {
        {"--socket", RT_ARGUMENT_TEXT, &socket, "PATH", "the control socket of the rtd meant"}};
    size_t count = 1;
    if (asking->json)
        options[count++] =
            (rt_option_argument){"--json", RT_ARGUMENT_FLAG, &json, NULL, "print one JSON object"};
    if (asking->waits)
        options[count++] = (rt_option_argument){"--wait", RT_ARGUMENT_FLAG, &wait, NULL,
                                                "wait for the end and say how it was"};
    rt_arguments arguments = {.options = options, .option_count = count};
    if (!rt_subcommand_parse(subcommand, &arguments, arena, argc, argv, asking->most, &status))
        return status;
    if (arguments.words.count < asking->least)
        return rt_subcommand_misused(subcommand);
    return ask(asking, &arguments, arena, socket, json ? " json" : wait ? " wait" : "");
}
