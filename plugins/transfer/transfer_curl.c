/* transfer_curl.c — transfer-curl: the one libcurl multi handle of a worker
 *
 * curl tells its sockets and its next timeout; the sockets go into an epoll descriptor of our own,
 * so that one service fiber, which waits for that descriptor until curl's timeout, drives all
 * transfers. Callers only queue their handle, wake the service and wait: curl's deep stacks stay on
 * the service's fiber.
 */
#include <curl/curl.h>
#include <errno.h>
#include <rt/cap/transfer.h>
#include <rt/rt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

RT_MODULE("transfer-curl", "0.1.0", "Runs libcurl transfers on the worker's loop")
RT_PROVIDES(transfer, 1, fallback, 0)
RT_STACK_SIZE(262144)
RT_OPTION(int, max_connections, RT_DEFAULT(100) RT_RANGE(1, 10000), "Most connections at once")
RT_OPTION(int, max_host_connections, RT_DEFAULT(20) RT_RANGE(1, 10000),
          "Most connections at once to one host")
RT_OPTION(int, kept_connections, RT_DEFAULT(20) RT_RANGE(1, 10000),
          "Most idle connections kept for the next transfer")

enum job_stage { JOB_QUEUED, JOB_RUNNING, JOB_ENDED };

struct job {
    struct job *next, *previous; /* in the queue */
    CURL *easy;
    rt_semaphore *ended;
    enum job_stage stage;
    CURLcode code;
};

struct transfers {
    CURLM *multi;
    int sockets;       /* epoll: curl's sockets and `wake` */
    int wake;          /* eventfd: the queue has jobs */
    uint64_t deadline; /* curl's timeout, 0: none */
    struct job queue;  /* head of a ring */
};

/* --- what curl tells ------------------------------------------------------------------------- */

static int on_socket(CURL *easy, curl_socket_t socket, int what, void *argument, void *unused)
{
    struct transfers *transfers = argument;
    struct epoll_event event = {.data.fd = socket};
    (void)easy, (void)unused;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(transfers->sockets, EPOLL_CTL_DEL, socket, NULL);
        return 0;
    }
    event.events = (what & CURL_POLL_IN ? (uint32_t)EPOLLIN : 0) |
                   (what & CURL_POLL_OUT ? (uint32_t)EPOLLOUT : 0);
    if (epoll_ctl(transfers->sockets, EPOLL_CTL_MOD, socket, &event) == 0)
        return 0;
    return epoll_ctl(transfers->sockets, EPOLL_CTL_ADD, socket, &event);
}

static int on_timeout(CURLM *multi, long milliseconds, void *argument)
{
    struct transfers *transfers = argument;
    (void)multi;
    transfers->deadline = milliseconds < 0 ? 0 : rt_now() + RT_MS(milliseconds);
    return 0;
}

/* --- the service ----------------------------------------------------------------------------- */

static void unlink_job(struct job *job)
{
    job->previous->next = job->next;
    job->next->previous = job->previous;
}

static void end_job(struct job *job, CURLcode code)
{
    job->code = code;
    job->stage = JOB_ENDED;
    rt_semaphore_release(job->ended);
}

static void start_job(struct transfers *transfers, struct job *job)
{
    job->stage = JOB_RUNNING;
    curl_easy_setopt(job->easy, CURLOPT_PRIVATE, job);
    curl_easy_setopt(job->easy, CURLOPT_NOSIGNAL, 1L);
    /* else removing a transfer that still resolves waits for the resolver's thread */
    curl_easy_setopt(job->easy, CURLOPT_QUICK_EXIT, 1L);
    if (curl_multi_add_handle(transfers->multi, job->easy) != CURLM_OK)
        end_job(job, CURLE_FAILED_INIT);
}

static void start_queued(struct transfers *transfers)
{
    uint64_t count;
    if (read(transfers->wake, &count, sizeof count) < 0)
        return;
    for (struct job *job; (job = transfers->queue.next) != &transfers->queue;) {
        unlink_job(job);
        start_job(transfers, job);
    }
}

static void end_finished(struct transfers *transfers)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(transfers->multi, &left))) {
        struct job *job;
        CURL *easy = message->easy_handle;
        CURLcode code = message->data.result; /* the removal frees the message */
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&job);
        curl_multi_remove_handle(transfers->multi, easy);
        end_job(job, code);
    }
}

static void turn(struct transfers *transfers)
{
    struct epoll_event ready[32];
    int running, count = epoll_wait(transfers->sockets, ready, 32, 0);
    for (int i = 0; i < count; i++) {
        int flags = (ready[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) |
                    (ready[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                    (ready[i].events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
        if (ready[i].data.fd == transfers->wake)
            start_queued(transfers);
        else
            curl_multi_socket_action(transfers->multi, ready[i].data.fd, flags, &running);
    }
    if (transfers->deadline && transfers->deadline <= rt_now()) {
        transfers->deadline = 0; /* curl sets the next one */
        curl_multi_socket_action(transfers->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
    end_finished(transfers);
}

static int drive(rt_ctx *ctx, void *argument)
{
    struct transfers *transfers = argument;
    for (;;) {
        int ready = rt_wait_fd(ctx, transfers->sockets, RT_READABLE, transfers->deadline);
        if (ready < 0 && ready != -RT_EDEADLINE)
            return ready;
        turn(transfers);
    }
}

/* --- transfer/1 ------------------------------------------------------------------------------ */

static void queue_job(struct transfers *transfers, struct job *job)
{
    job->next = &transfers->queue;
    job->previous = transfers->queue.previous;
    job->previous->next = job;
    transfers->queue.previous = job;
    eventfd_write(transfers->wake, 1);
}

/* The caller frees its handle as soon as we return, so it must be out of curl's hands by then. A
 * transfer that waited for the connection may go on now: the service has to look at its timeout. */
static void withdraw_job(struct transfers *transfers, struct job *job)
{
    if (job->stage == JOB_QUEUED) {
        unlink_job(job);
        return;
    }
    curl_multi_remove_handle(transfers->multi, job->easy);
    eventfd_write(transfers->wake, 1);
}

static int perform(rt_ctx *ctx, void *easy, int32_t *code)
{
    struct transfers *transfers = rt_state(ctx);
    struct job job = {.easy = easy, .ended = rt_semaphore_new(0)};
    if (!job.ended)
        return rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "out of memory");
    queue_job(transfers, &job);
    int result = rt_semaphore_acquire(ctx, job.ended);
    if (job.stage == JOB_ENDED)
        result = 0;
    else
        withdraw_job(transfers, &job);
    rt_semaphore_free(job.ended);
    *code = (int32_t)job.code;
    return result;
}

/* --- life ------------------------------------------------------------------------------------ */

static void close_descriptor(int fd)
{
    if (fd >= 0)
        close(fd);
}

static void free_transfers(struct transfers *transfers)
{
    if (transfers->multi)
        curl_multi_cleanup(transfers->multi);
    close_descriptor(transfers->sockets);
    close_descriptor(transfers->wake);
    free(transfers);
}

static int open_descriptors(rt_ctx *ctx, struct transfers *transfers)
{
    struct epoll_event event = {.events = EPOLLIN};
    transfers->sockets = epoll_create1(EPOLL_CLOEXEC);
    transfers->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    event.data.fd = transfers->wake;
    if (transfers->sockets < 0 || transfers->wake < 0 ||
        epoll_ctl(transfers->sockets, EPOLL_CTL_ADD, transfers->wake, &event) < 0)
        return rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "cannot open an event descriptor: %s",
                       strerror(errno));
    return 0;
}

static int open_multi(rt_ctx *ctx, struct transfers *transfers)
{
    const struct {
        CURLMoption option;
        long value;
    } limits[] = {
        {CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)RT_GET(ctx, max_connections)},
        {CURLMOPT_MAX_HOST_CONNECTIONS, (long)RT_GET(ctx, max_host_connections)},
        {CURLMOPT_MAXCONNECTS, (long)RT_GET(ctx, kept_connections)},
    };
    if (!(transfers->multi = curl_multi_init()))
        return rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "out of memory");
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
        curl_multi_setopt(transfers->multi, limits[i].option, limits[i].value);
    curl_multi_setopt(transfers->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(transfers->multi, CURLMOPT_SOCKETDATA, transfers);
    curl_multi_setopt(transfers->multi, CURLMOPT_TIMERFUNCTION, on_timeout);
    curl_multi_setopt(transfers->multi, CURLMOPT_TIMERDATA, transfers);
    return 0;
}

static int open_transfers(rt_ctx *ctx)
{
    struct transfers *transfers = calloc(1, sizeof *transfers);
    int result;
    if (!transfers)
        return rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "out of memory");
    transfers->queue.next = transfers->queue.previous = &transfers->queue;
    transfers->sockets = transfers->wake = -1;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        result = rt_fail(ctx, RT_EINTERNAL, "libcurl cannot start");
    else if ((result = open_descriptors(ctx, transfers)) == 0 &&
             (result = open_multi(ctx, transfers)) == 0)
        result = rt_service(ctx, "transfers", drive, transfers);
    if (result < 0)
        free_transfers(transfers);
    else
        rt_set_state(ctx, transfers);
    return result;
}

static int close_transfers(rt_ctx *ctx)
{
    free_transfers(rt_state(ctx));
    rt_set_state(ctx, NULL);
    return 0;
}

RT_REGISTER(registry)
{
    RT_TRY(rt_on(registry, .start = open_transfers, .stop = close_transfers));
    return rt_provide(registry, transfer, .perform = perform);
}
