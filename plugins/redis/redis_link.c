#include "redis_link.h"

#include "verdict.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST_READS 32 /* in a row: a megabyte */

/* --- sending and receiving ------------------------------------------------------------------- */

static int wait_ready(rt_ctx *ctx, rt_redis_link *link, uint64_t deadline)
{
    link->reads = 0;
    int ready = rt_wait_fd(ctx, link->fd, link->wants, deadline);
    if (ready < 0)
        rt_redis_break(link, ready == -RT_EDEADLINE ? "no reply in time" : "given up");
    return ready < 0 ? ready : 0;
}

int rt_redis_give_way(rt_ctx *ctx, rt_redis_link *link)
{
    if (++link->reads < MOST_READS)
        return 0;
    link->reads = 0;
    int result = rt_sleep(ctx, 0);
    if (result < 0)
        rt_redis_break(link, "given up");
    return result;
}

static int send_all(rt_ctx *ctx, rt_redis_link *link, rt_redis_bytes *bytes, uint64_t deadline)
{
    while (rt_redis_bytes_left(bytes)) {
        int64_t sent =
            rt_redis_stream_write(link, bytes->data + bytes->begin, rt_redis_bytes_left(bytes));
        if (sent < 0)
            return -RT_EUNAVAILABLE;
        if (sent == 0)
            RT_TRY(wait_ready(ctx, link, deadline));
        rt_redis_bytes_take(bytes, (size_t)sent);
    }
    return 0;
}

static int refuse_bytes(rt_redis_link *link, enum rt_redis_reading verdict)
{
    rt_redis_break(link, rt_redis_reader_failure(link->reader));
    return verdict == RT_REDIS_READ_TOO_LARGE ? -RT_ERESOURCE_EXHAUSTED : -RT_EINTERNAL;
}

static int receive_some(rt_ctx *ctx, rt_redis_link *link, uint64_t deadline)
{
    for (;;) {
        int64_t got = rt_redis_stream_read(link, link->input, sizeof link->input);
        if (got < 0)
            return -RT_EUNAVAILABLE;
        if (got == 0)
            RT_TRY(wait_ready(ctx, link, deadline));
        else if (rt_redis_reader_feed(link->reader, link->input, (size_t)got) < 0)
            return refuse_bytes(link, RT_REDIS_READ_TOO_LARGE);
        else
            return rt_redis_give_way(ctx, link);
    }
}

int rt_redis_exchange(rt_ctx *ctx, rt_redis_link *link, rt_redis_bytes *bytes,
                      rt_redis_replies *replies, uint64_t deadline)
{
    RT_TRY(send_all(ctx, link, bytes, deadline));
    while (replies->count < replies->expected) {
        enum rt_redis_reading reading = rt_redis_reader_next(link->reader, replies);
        if (reading < 0)
            return refuse_bytes(link, reading);
        if (reading == RT_REDIS_READ_MORE)
            RT_TRY(receive_some(ctx, link, deadline));
    }
    if (!rt_redis_reader_empty(link->reader))
        rt_redis_break(link, "a reply that nobody asked for");
    return 0;
}

bool rt_redis_usable(rt_redis_link *link)
{
    char byte;
    if (link->broken)
        return false;
    if (!link->tls)
        return recv(link->fd, &byte, 1, MSG_PEEK) < 0 && errno == EAGAIN;
    return rt_redis_stream_read(link, &byte, 1) == 0; /* tickets come by themselves */
}

/* --- introduction ---------------------------------------------------------------------------- */

enum step { STEP_LOGIN, STEP_NAME, STEP_DATABASE, STEP_MULTI, STEP_EXEC, STEP_ROLE, STEPS };

struct introduction {
    rt_ctx *ctx;
    rt_redis_link *link;
    const rt_redis_target *target;
    rt_redis_bytes bytes;
    rt_redis_replies replies;
    enum step steps[STEPS]; /* those that are taken */
    uint32_t count;
};

static bool take_step(struct introduction *with, enum step step, const rt_redis_arguments *command)
{
    with->steps[with->count++] = step;
    return rt_redis_put(&with->bytes, command);
}

static bool compose(struct introduction *with)
{
    const rt_redis_target *target = with->target;
    bool put = true;
    char database[16];
    snprintf(database, sizeof database, "%d", (int)target->database);
    if (target->password && target->user)
        put = take_step(
            with, STEP_LOGIN,
            RT_REDIS(RT_STR("AUTH"), rt_string(target->user), rt_string(target->password)));
    else if (target->password)
        put = take_step(with, STEP_LOGIN, RT_REDIS(RT_STR("AUTH"), rt_string(target->password)));
    put = put &&
          take_step(with, STEP_NAME,
                    RT_REDIS(RT_STR("CLIENT"), RT_STR("SETNAME"), rt_string(target->client_name)));
    if (target->is_sentinel)
        return put;
    if (target->database)
        put =
            put && take_step(with, STEP_DATABASE, RT_REDIS(RT_STR("SELECT"), rt_string(database)));
    put = put && take_step(with, STEP_MULTI, RT_REDIS(RT_STR("MULTI")));
    put = put && take_step(with, STEP_EXEC, RT_REDIS(RT_STR("EXEC")));
    if (target->must_be_master)
        put = put && take_step(with, STEP_ROLE, RT_REDIS(RT_STR("ROLE")));
    return put;
}

static bool says(const rt_redis_reply *reply, const char *word)
{
    size_t length = strlen(word);
    return reply->type == RT_REDIS_ERROR && reply->length >= length &&
           strncmp(reply->text, word, length) == 0;
}

/* The server's words, unless they repeat what nobody may read. */
static const char *words_of(const struct introduction *with, const rt_redis_reply *reply)
{
    const char *password = with->target->password;
    bool secret = password && password[0] && strstr(reply->text, password);
    return secret ? "it repeats the password" : reply->text;
}

static int refused(const struct introduction *with, const rt_redis_reply *reply, const char *what,
                   const char *hint)
{
    return rt_redis_unavailable(with->ctx, with->link, what, words_of(with, reply), hint);
}

/* Trying again would not help. */
static int refused_for_good(const struct introduction *with, const rt_redis_reply *reply,
                            const char *what, const char *hint)
{
    return rt_fail_with(
        with->ctx, &(rt_error){.size = sizeof(rt_error),
                               .code = RT_EUNAVAILABLE,
                               .message = rt_format(with->ctx, "%s `%s`", what, with->link->where),
                               .detail = words_of(with, reply),
                               .hint = hint});
}

static int check_login(struct introduction *with, const rt_redis_reply *reply)
{
    const char *user = with->target->user ? with->target->user : "default";
    return refused_for_good(with, reply, rt_format(with->ctx, "user `%s` was refused by", user),
                            with->target->is_sentinel
                                ? "check `sentinel.user` and `sentinel.password`"
                                : "check `user` and `password`");
}

/* A user who may not name his connection may work all the same. */
static int check_name(struct introduction *with, const rt_redis_reply *reply)
{
    if (says(reply, "NOPERM") || says(reply, "ERR unknown"))
        return 0;
    if (says(reply, "NOAUTH"))
        return refused_for_good(with, reply, "a password is demanded by",
                                with->target->is_sentinel
                                    ? "set `sentinel.password`"
                                    : "set `password`, and `user` where it has one");
    return refused(with, reply, "refused by", "check `url` and the server's own settings");
}

static int check_database(struct introduction *with, const rt_redis_reply *reply)
{
    return refused_for_good(
        with, reply,
        rt_format(with->ctx, "database %d was refused by", (int)with->target->database),
        "change `database`, or `databases` of the server");
}

/* Without MULTI what was meant to be one transaction would be carried out one by one. */
static int check_multi(struct introduction *with, const rt_redis_reply *reply)
{
    with->link->transaction = false;
    if (says(reply, "NOPERM") || says(reply, "ERR"))
        return 0;
    return refused(with, reply, "refused by", NULL);
}

static int (*const checks[STEPS])(struct introduction *, const rt_redis_reply *) = {
    [STEP_LOGIN] = check_login, [STEP_NAME] = check_name,  [STEP_DATABASE] = check_database,
    [STEP_MULTI] = check_multi, [STEP_EXEC] = check_multi, [STEP_ROLE] = check_name};

static int check_role(struct introduction *with, const rt_redis_reply *reply)
{
    const rt_redis_reply *role =
        reply->type == RT_REDIS_ARRAY && reply->length ? reply->elements : reply;
    if (role->text && strcmp(role->text, "master") == 0)
        return 0;
    return rt_redis_unavailable(
        with->ctx, with->link, "no master is at",
        rt_format(with->ctx, "its role is `%.32s`", role->text ? role->text : "(none)"),
        "a failover may be under way");
}

static int check_replies(struct introduction *with)
{
    with->link->transaction = true;
    for (uint32_t i = 0; i < with->count; i++) {
        const rt_redis_reply *reply = &with->replies.at[i];
        if (reply->type == RT_REDIS_ERROR)
            RT_TRY(checks[with->steps[i]](with, reply));
        else if (with->steps[i] == STEP_ROLE)
            RT_TRY(check_role(with, reply));
    }
    return 0;
}

/* With TLS 1.3 a server refuses a client's certificate after the handshake, and its words may be
 * lost with the connection. */
static const char *hint_of_no_redis(const struct introduction *with)
{
    bool anonymous = with->link->tls && !SSL_CTX_get0_certificate(with->target->settings->tls);
    return anonymous
               ? "check that `url` leads to a Redis server; where it demands a certificate, set "
                 "`tls.certificate` and `tls.key`"
               : "check that `url` leads to a Redis server, with TLS or not";
}

static int introduce(struct introduction *with, uint64_t deadline)
{
    if (!compose(with) || !rt_redis_replies_begin(&with->replies, with->count))
        return rt_fail(with->ctx, RT_ERESOURCE_EXHAUSTED, "out of memory");
    int result = rt_redis_exchange(with->ctx, with->link, &with->bytes, &with->replies, deadline);
    bool heard = with->replies.count && with->replies.at[0].type == RT_REDIS_ERROR;
    if (result < 0 && heard) /* why it closed the connection, such as too many clients */
        return checks[with->steps[0]](with, &with->replies.at[0]);
    if (result == -RT_EDEADLINE || result == -RT_ECANCELED)
        return rt_redis_connect_failed(with->ctx, with->link, "no redis at", result);
    if (result < 0)
        return rt_redis_unavailable(with->ctx, with->link, "no redis at",
                                    rt_format(with->ctx, "%s", with->link->failure),
                                    hint_of_no_redis(with));
    return check_replies(with);
}

/* --- opening and closing --------------------------------------------------------------------- */

static rt_redis_link *new_link(const rt_redis_target *target)
{
    rt_redis_link *link = malloc(sizeof *link);
    rt_redis_reader *reader = link ? rt_redis_reader_new(target->settings->max_reply) : NULL;
    if (!reader) {
        free(link);
        return NULL;
    }
    *link = (rt_redis_link){.reader = reader, .fd = -1};
    link->address = target->address;
    rt_redis_address_text(&link->address, link->where, sizeof link->where);
    return link;
}

void rt_redis_close(rt_redis_link *link)
{
    if (!link)
        return;
    SSL_free(link->tls);
    if (link->fd >= 0)
        close(link->fd);
    rt_redis_reader_free(link->reader);
    free(link);
}

int rt_redis_link_to(rt_ctx *ctx, const rt_redis_target *target, uint64_t deadline,
                     rt_redis_link **opened)
{
    rt_redis_link *link = new_link(target);
    if (!link)
        return rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "out of memory");
    struct introduction with = {.ctx = ctx, .link = link, .target = target};
    int result = rt_redis_stream_open(ctx, link, target->settings, deadline);
    if (result == 0)
        result = introduce(&with, deadline);
    rt_redis_bytes_free(&with.bytes);
    rt_redis_replies_end(&with.replies);
    if (result < 0)
        rt_redis_close(link);
    else
        *opened = link;
    return result;
}

int rt_redis_open(rt_ctx *ctx, const rt_redis_settings *settings, rt_redis_link **link)
{
    uint64_t deadline = rt_now() + settings->connect_timeout;
    if (settings->master)
        return rt_redis_find_master(ctx, settings, deadline, link);
    const rt_redis_target target = {.settings = settings,
                                    .address = settings->address,
                                    .user = settings->user,
                                    .password = settings->password,
                                    .client_name = settings->client_name,
                                    .database = settings->database};
    return rt_redis_link_to(ctx, &target, deadline, link);
}
