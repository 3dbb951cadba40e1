/* control.h — the unix socket by which rtctl speaks to a running rtd
 *
 * A request is one line of words; the reply is lines `out TEXT` and `err TEXT`, and last `exit N`.
 * A command may ask for bytes behind the line, a mebibyte at most.
 * Only the same user and root are heard. Nothing here waits: whoever is slow, sends too much or
 * goes away in the middle loses their own connection, and nobody else's.
 */
#ifndef RT_PROCESS_CONTROL_H
#define RT_PROCESS_CONTROL_H

#include "base/arena.h"
#include "base/buffer.h"

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define RT_CONTROL_CLIENTS 16
#define RT_CONTROL_POLLS (RT_CONTROL_CLIENTS + 1)
#define RT_CONTROL_LINE 1024
#define RT_CONTROL_WORDS 16
#define RT_CONTROL_PATH 107 /* sun_path without its NUL */

/* What a client that gets its reply later waits for. */
enum rt_control_wait {
    RT_WAITS_NOT,
    RT_WAITS_RELOAD,
    RT_WAITS_UPGRADE,
    RT_WAITS_STOP,
    RT_WAITS_FIBERS,
    RT_WAITS_CALL
};

typedef struct rt_client {
    int fd; /* -1: free */
    char line[RT_CONTROL_LINE];
    size_t length;
    bool asked;
    bool answered; /* closes when `out` is sent */
    rt_buffer out;
    size_t sent;
    uint64_t due; /* monotonic ns: when patience ends; 0: never */
    enum rt_control_wait waits;
    uint64_t ticket;  /* of the reload or call waited for; of a call 0: to be begun */
    uint32_t subject; /* the worker whose fibers are waited for, or who is called; 0: any */
    uid_t uid;
    char *request;     /* of the call waited for */
    rt_buffer body;    /* what follows the line */
    size_t body_bytes; /* that it is to have */
} rt_client;

typedef struct rt_control {
    int listener; /* -1: none */
    char path[RT_CONTROL_PATH + 1];
    dev_t device; /* of the socket's file, to know it again */
    ino_t inode;
    uint64_t paused; /* until when nobody is accepted; 0: not */
    rt_client clients[RT_CONTROL_CLIENTS];
    /* Answers a line of words, or leaves the client waiting. */
    void (*ask)(void *owner, rt_client *client, int count, char **words);
    void *owner;
} rt_control;

void rt_control_init(rt_control *control);
/* A socket file whose rtd is gone is replaced. False with the reason: another one serves there, or
 * the place cannot be used. */
bool rt_control_open(rt_control *control, rt_arena *arena, const char *path, const char **error);
/* Sends what can be sent, and removes the file if it is still ours. */
void rt_control_close(rt_control *control);

void rt_control_poll(const rt_control *control, struct pollfd *polls); /* RT_CONTROL_POLLS */
void rt_control_handle(rt_control *control, const struct pollfd *polls);
void rt_control_tick(rt_control *control, uint64_t now);
uint64_t rt_control_due(const rt_control *control); /* 0: never */

/* Each line of the text, under the word (`out`, `err`). */
void rt_client_lines(rt_client *client, const char *word, const char *text);
void rt_client_out(rt_client *client, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void rt_client_err(rt_client *client, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void rt_client_exit(rt_client *client, int status);
/* So many bytes follow the line: they are in `body` once that is so long, and soon, or the client
 * is dropped. */
void rt_client_expect(rt_client *client, size_t bytes);
/* Sends what clients have been answered, as far as that goes without waiting. */
void rt_control_flush(rt_control *control);
/* Those who wait for it (for a reload: the one of the ticket or an earlier one) get the text and
 * their exit. */
void rt_control_finish(rt_control *control, enum rt_control_wait what, uint64_t ticket,
                       const char *word, const char *text, int status);

/* control_path.c: where the socket is. rtd, with the name of its service, takes the first place
 * that it may write to (NULL: none); rtctl, which may not know the name, looks at all. `config`:
 * the first configuration file. */
const char *rt_control_default(rt_arena *arena, const char *name, const char *config);
size_t rt_control_find(rt_arena *arena, const char *config, const char ***paths);

#endif
