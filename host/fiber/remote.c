/* Work that other threads send to the loop */
#include "fiber/internal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct remote {
    rt_list link;
    rt_unit_options options;
    rt_work work;
    void *argument;
    void (*on_exit)(const rt_exit *exit, void *argument);
    void *on_exit_argument;
    rt_foreign *foreign;
    int completion_fd;
    char name[];
} remote;

pthread_mutex_t rt_remote_lock = PTHREAD_MUTEX_INITIALIZER;
static rt_list queue = {&queue, &queue};
static bool reachable, accepting; /* under the lock, as the queue is */

/* --- completion ------------------------------------------------------------------------------ */

static void wake_foreign(rt_foreign *foreign, const rt_exit *exit)
{
    pthread_mutex_lock(&foreign->lock);
    rt_exit_copy(foreign->arena, &foreign->exit, exit);
    foreign->ended = true;
    pthread_cond_signal(&foreign->changed);
    pthread_mutex_unlock(&foreign->lock);
}

static void ended(rt_ctx *ctx, const rt_exit *exit, void *argument)
{
    static const uint64_t one = 1;
    remote *sent = argument;
    if (sent->on_exit)
        sent->on_exit(exit, sent->on_exit_argument);
    else if (!sent->foreign && ctx)
        rt_report(ctx, sent->options.name, exit);
    /* A full counter means that nobody reads it. */
    if (sent->completion_fd > 0 && write(sent->completion_fd, &one, sizeof one) < 0)
        (void)0;
    if (sent->foreign)
        wake_foreign(sent->foreign, exit);
    free(sent);
}

static void refuse(remote *sent)
{
    static const rt_error error = {.size = sizeof error,
                                   .code = RT_EUNAVAILABLE,
                                   .retryable = 1,
                                   .message = "the runtime is stopping"};
    rt_exit exit = {
        .size = sizeof exit, .kind = RT_EXIT_FAILURE, .result = -RT_EUNAVAILABLE, .error = &error};
    ended(NULL, &exit, sent);
}

/* --- sending --------------------------------------------------------------------------------- */

void rt_remote_wake(void)
{
    if (reachable)
        uv_async_send(&rt_the_loop.async);
}

static remote *make_remote(const rt_run_options *options, const char *name, rt_foreign *foreign)
{
    size_t size = strlen(name) + 1;
    remote *sent = malloc(sizeof *sent + size);
    if (!sent)
        return NULL;
    *sent = (remote){.options = {.instance = options->instance,
                                 .name = sent->name,
                                 .deadline = options->deadline,
                                 .cancel = options->cancel,
                                 .spanned = true,
                                 .done = ended,
                                 .done_argument = sent},
                     .on_exit = options->on_exit,
                     .on_exit_argument = options->on_exit_argument,
                     .completion_fd = options->completion_fd,
                     .foreign = foreign};
    memcpy(sent->name, name, size);
    return sent;
}

int rt_remote_send(const rt_run_options *options, const char *name, rt_foreign *foreign,
                   rt_work work, void *argument)
{
    if (!options->instance)
        return -RT_EINVALID_ARGUMENT;
    remote *sent = make_remote(options, name, foreign);
    if (!sent)
        return -RT_ERESOURCE_EXHAUSTED;
    sent->work = work;
    sent->argument = argument;
    pthread_mutex_lock(&rt_remote_lock);
    bool accepted = accepting;
    if (accepted) {
        rt_list_append(&queue, &sent->link);
        rt_remote_wake();
    }
    pthread_mutex_unlock(&rt_remote_lock);
    if (!accepted)
        free(sent);
    return accepted ? 0 : -RT_EUNAVAILABLE;
}

int rt_host_post(rt_instance *instance, rt_work work, void *argument)
{
    rt_run_options options = {.size = sizeof options, .instance = instance};
    return rt_remote_send(&options, "runtime.post", NULL, work, argument);
}

int rt_host_run_async(const rt_run_options *options, rt_work work, void *argument)
{
    return rt_remote_send(options, options->name ? options->name : "runtime.run", NULL, work,
                          argument);
}

/* --- the loop's side ------------------------------------------------------------------------- */

static void take_queue(rt_list *taken)
{
    pthread_mutex_lock(&rt_remote_lock);
    rt_list_move(taken, &queue);
    pthread_mutex_unlock(&rt_remote_lock);
}

void rt_remote_drain(void)
{
    rt_list taken;
    take_queue(&taken);
    for (rt_list *first; (first = rt_list_take(&taken));) {
        remote *sent = RT_ENTRY(first, remote, link);
        rt_unit_start(&sent->options, sent->work, sent->argument);
    }
}

void rt_remote_open(void)
{
    pthread_mutex_lock(&rt_remote_lock);
    reachable = accepting = true;
    pthread_mutex_unlock(&rt_remote_lock);
}

static void stop_accepting(void)
{
    pthread_mutex_lock(&rt_remote_lock);
    accepting = false;
    pthread_mutex_unlock(&rt_remote_lock);
}

void rt_loop_refuse(void)
{
    stop_accepting();
    rt_remote_drain();
}

void rt_remote_close(void)
{
    rt_list taken;
    stop_accepting();
    take_queue(&taken);
    for (rt_list *first; (first = rt_list_take(&taken));)
        refuse(RT_ENTRY(first, remote, link));
    pthread_mutex_lock(&rt_remote_lock);
    reachable = false;
    pthread_mutex_unlock(&rt_remote_lock);
}
