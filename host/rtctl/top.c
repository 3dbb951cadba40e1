/* `rtctl top`: asks a running rtd again and again, and draws what happened in between. On a
 * terminal it takes the whole screen and gives it back, however it ends. */
#include "rtctl/rtctl.h"
#include "rtctl/top_sample.h"
#include "rtctl/top_view.h"

#include "config/quantity.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sysexits.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define ENTER_SCREEN "\033[?1049h\033[?25l"
#define LEAVE_SCREEN "\033[?25h\033[?1049l"
#define CLEAR_SCREEN "\033[H\033[2J"

struct top {
    rt_arguments *arguments;
    rt_arena *arena;
    const char *socket;
    int64_t interval; /* ns */
    rt_top_sample samples[2];
    int present; /* which of them is now's */
    bool once;
};

/* --- the terminal ---------------------------------------------------------------------------- */

static struct termios usual;
static volatile sig_atomic_t ended, resized;

static void on_signal(int number)
{
    if (number == SIGWINCH)
        resized = 1;
    else
        ended = 1;
}

static void write_all(const char *text, size_t length)
{
    while (length) {
        ssize_t wrote = write(STDOUT_FILENO, text, length);
        if (wrote < 0 && errno != EINTR)
            return;
        text += wrote < 0 ? 0 : wrote;
        length -= wrote < 0 ? 0 : (size_t)wrote;
    }
}

static void enter_screen(void)
{
    static const int watched[] = {SIGINT, SIGTERM, SIGHUP, SIGWINCH};
    for (size_t i = 0; i < sizeof watched / sizeof watched[0]; i++) {
        /* A window that changes is no reason to give up an answer that is under way. */
        struct sigaction action = {.sa_handler = on_signal,
                                   .sa_flags = watched[i] == SIGWINCH ? SA_RESTART : 0};
        sigaction(watched[i], &action, NULL);
    }
    struct termios raw;
    if (tcgetattr(STDIN_FILENO, &usual) == 0) {
        raw = usual;
        raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    }
    write_all(ENTER_SCREEN, sizeof ENTER_SCREEN - 1);
}

static void leave_screen(void)
{
    write_all(LEAVE_SCREEN, sizeof LEAVE_SCREEN - 1);
    tcsetattr(STDIN_FILENO, TCSANOW, &usual);
}

static rt_top_size terminal_size(void)
{
    const char *refused = getenv("NO_COLOR");
    struct winsize window;
    rt_top_size size = {.columns = 80, .rows = 24, .colour = !(refused && *refused)};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col && window.ws_row) {
        size.columns = window.ws_col;
        size.rows = window.ws_row - 1; /* behind the last line the screen would scroll */
    }
    return size;
}

/* --- asking ---------------------------------------------------------------------------------- */

static int take(struct top *top, rt_top_sample *sample)
{
    rt_buffer status = {0}, metrics = {0};
    rt_top_sample_free(sample);
    int code = rt_ask_text(top->arguments, top->arena, &top->socket, "status json", &status);
    if (!code)
        code = rt_ask_text(top->arguments, top->arena, &top->socket, "metrics", &metrics);
    if (!code && !(status.length && metrics.length &&
                   rt_top_sample_take(sample, status.data, status.length, metrics.data))) {
        fprintf(stderr, "%s: what rtd answers cannot be read\n", top->arguments->program);
        code = EX_PROTOCOL;
    }
    rt_buffer_free(&status);
    rt_buffer_free(&metrics);
    return code;
}

static int take_next(struct top *top)
{
    top->present = !top->present;
    return take(top, &top->samples[top->present]);
}

/* --- drawing --------------------------------------------------------------------------------- */

static void draw(struct top *top, bool screen)
{
    rt_top_size size = screen ? terminal_size() : (rt_top_size){0};
    rt_top_sample *now = &top->samples[top->present], *before = &top->samples[!top->present];
    rt_buffer out = {0};
    rt_buffer_text(&out, screen ? CLEAR_SCREEN : "");
    rt_top_draw(before->status ? before : now, now, &size, &out);
    if (screen)
        write_all(out.data, out.length);
    else
        fputs(out.data, stdout);
    rt_buffer_free(&out);
}

/* True when the interval is over; false when it is to end. What is typed and resizing come between.
 */
static bool wait_on_screen(struct top *top)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    const rt_top_sample *now = &top->samples[top->present];
    char key = 0;
    while (!ended) {
        struct timespec time;
        clock_gettime(CLOCK_MONOTONIC, &time);
        int64_t passed = time.tv_sec * INT64_C(1000000000) + time.tv_nsec - (int64_t)now->at;
        if (passed >= top->interval)
            return true;
        if (resized) {
            resized = 0;
            draw(top, true);
        }
        int ready = poll(&input, 1, (int)((top->interval - passed) / 1000000) + 1);
        if (ready > 0 && (read(STDIN_FILENO, &key, 1) <= 0 || key == 'q' || key == 'Q'))
            return false;
    }
    return false;
}

static int show_live(struct top *top)
{
    int code = take_next(top);
    if (code)
        return code;
    enter_screen();
    do
        draw(top, true);
    while (wait_on_screen(top) && !(code = take_next(top)));
    leave_screen();
    if (ended) /* also where that cut an answer short */
        code = 0;
    if (code) /* what was said of it went with the screen */
        fprintf(stderr, "%s: rtd answers no more\n", top->arguments->program);
    return code;
}

static int show_once(struct top *top)
{
    int code = take_next(top);
    if (code)
        return code;
    struct timespec pause = {top->interval / 1000000000, top->interval % 1000000000};
    nanosleep(&pause, NULL);
    code = take_next(top);
    if (!code)
        draw(top, false);
    return code;
}

static bool take_interval(const char *text, int64_t *interval)
{
    return !rt_parse_duration(text, interval) && *interval >= INT64_C(100000000) &&
           *interval <= INT64_C(3600000000000);
}

int rt_top(const rt_subcommand *subcommand, rt_arena *arena, int argc, char **argv)
{
    struct top top = {.arena = arena, .interval = 1000000000};
    const char *interval = NULL;
    int status;
    const rt_option_argument options[] = {
        {"--socket", RT_ARGUMENT_TEXT, &top.socket, "PATH", "the control socket of the rtd meant"},
        {"--interval", RT_ARGUMENT_TEXT, &interval, "TIME", "between two looks (1 s)"},
        {"--once", RT_ARGUMENT_FLAG, &top.once, NULL, "print it once, as where no terminal is"}};
    rt_arguments arguments = {.options = options,
                              .option_count = sizeof options / sizeof options[0]};
    if (!rt_subcommand_parse(subcommand, &arguments, arena, argc, argv, 0, &status))
        return status;
    if (interval && !take_interval(interval, &top.interval)) {
        fprintf(stderr, "%s: `%s` is no interval from 100 ms to 1 h\n", arguments.program,
                interval);
        return EXIT_COULD_NOT_RUN;
    }
    top.arguments = &arguments;
    bool screen = !top.once && isatty(STDOUT_FILENO) && isatty(STDIN_FILENO);
    int code = screen ? show_live(&top) : show_once(&top);
    rt_top_sample_free(&top.samples[0]);
    rt_top_sample_free(&top.samples[1]);
    return code;
}
