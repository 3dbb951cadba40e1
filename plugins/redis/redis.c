/* redis.c — redis: commands, pipelines and scripts on a Redis server */
#include "redis_blocking.h"
#include "redis_shared.h"
#include "verdict.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

RT_MODULE("redis", "0.1.0", "Speaks to a Redis server")
RT_PROVIDES(redis, 1, production, 100)
RT_OPTION(string, url, RT_REQUIRED RT_RANGE(1, 512),
          "Where the server is: redis://host:port/database, rediss:// with TLS, or unix:/path; "
          "with sentinel the host is the master's name")
RT_OPTION(string, user, RT_RANGE(1, 255), "Name of the user; without it the server's default user")
RT_OPTION(secret, password, RT_REQUIRED_WITH(user), "Password of the user")
RT_OPTION(int, database, RT_RANGE(0, 65535), "Number of the database; by default that of url, or 0")
RT_OPTION(group, tls,
          RT_FIELD(path, ca, RT_READ, "Certificates to trust instead of the system's, PEM")
              RT_FIELD(path, certificate, RT_READ,
                       "Our certificate and its chain, PEM") RT_FIELD(path, key, RT_READ,
                                                                      "Its key, PEM")
                  RT_FIELD(string, server_name, RT_RANGE(1, 253),
                           "Name that must be in the server's certificate; by default the host"),
          "Encryption, where url is rediss://")
RT_OPTION(group, sentinel,
          RT_FIELD(list, addresses, RT_OF(address) RT_RANGE(1, 100), "The Sentinels")
              RT_FIELD(string, master, RT_RANGE(1, 255),
                       "Name of the master; by default the host in url")
                  RT_FIELD(string, user, RT_RANGE(1, 255), "Name of the user at the Sentinels")
                      RT_FIELD(secret, password, , "Password at the Sentinels"),
          "Ask Sentinels where the master is")
RT_OPTION(int, connections, RT_DEFAULT(2) RT_RANGE(1, 64),
          "Connections that the commands of one worker share")
RT_OPTION(int, blocking, RT_DEFAULT(4) RT_RANGE(1, 1000),
          "Most connections of one worker for commands that block")
RT_OPTION(duration, connect_timeout, RT_DEFAULT("5 s") RT_RANGE("10 ms", "10 min"),
          "Time to find the master, connect, encrypt and authenticate")
RT_OPTION(duration, timeout, RT_DEFAULT("5 s") RT_RANGE("10 ms", "10 min"),
          "Time that a command waits for its reply; one that blocks has only its caller's deadline")
RT_OPTION(size, max_reply, RT_DEFAULT("64 MiB") RT_RANGE("1 KiB", "1 GiB"),
          "Most memory for the reply of one command, or for all of one pipeline")
RT_OPTION(string, client_name, RT_RANGE(1, 64), "Our name in CLIENT LIST; by default the module's")
RT_OPTION(duration, keepalive, RT_DEFAULT("60 s") RT_RANGE("1 s", "1 h"),
          "Time without traffic after which the system probes a connection")

#define ATTEMPTS 3 /* to connect when the worker starts */

struct client {
    rt_redis_settings settings;
    rt_redis_shared *shared;
    rt_redis_blocking *blocking;
    EVP_MD *sha1;
    char database[8];
};

/* --- spans ----------------------------------------------------------------------------------- */

static rt_span *open_span(rt_ctx *ctx, const char *operation)
{
    const struct client *client = rt_state(ctx);
    const rt_redis_settings *settings = &client->settings;
    rt_span *span = rt_span_start(ctx, operation, RT_SPAN_CLIENT);
    if (span)
        rt_span_describe_database(
            ctx, &(rt_span_database){.system = "redis",
                                     .space = client->database,
                                     .operation = operation,
                                     .address = settings->master ? NULL : settings->address.host,
                                     .port = settings->address.port});
    return span;
}

/* --- commands -------------------------------------------------------------------------------- */

/* The replies belong to the unit of work from here on. */
static int take_reply(rt_ctx *ctx, const char *name, const rt_redis_reply *from,
                      rt_redis_reply *reply)
{
    if (from->type == RT_REDIS_ERROR)
        return rt_redis_fail_reply(ctx, name, from->text, from->length);
    rt_redis_reply_copy(ctx, from, reply);
    return 0;
}

static int run_blocking(rt_ctx *ctx, const rt_redis_arguments *command, rt_redis_reply *reply)
{
    const struct client *client = rt_state(ctx);
    rt_redis_replies replies = {0};
    int result = rt_redis_blocking_call(ctx, client->blocking, command, &replies);
    if (result == 0)
        result = take_reply(ctx, rt_redis_name(ctx, command), &replies.at[0], reply);
    rt_redis_replies_end(&replies);
    return result;
}

static int run_shared(rt_ctx *ctx, const rt_redis_arguments *command, rt_redis_reply *reply)
{
    const struct client *client = rt_state(ctx);
    rt_redis_request *request = NULL;
    const rt_redis_batch batch = {
        .commands = command, .count = 1, .idempotent = command->flags & RT_REDIS_IDEMPOTENT};
    int result = rt_redis_shared_call(ctx, client->shared, &batch, &request);
    if (result == 0) {
        const rt_redis_reply *from = rt_redis_request_replies(request);
        result = from->type == RT_REDIS_ERROR
                     ? take_reply(ctx, rt_redis_name(ctx, command), from, reply)
                     : take_reply(ctx, NULL, from, reply);
    }
    rt_redis_request_end(client->shared, request);
    return result;
}

static int run_one(rt_ctx *ctx, const rt_redis_arguments *command, rt_redis_reply *reply)
{
    rt_span *span = rt_span_recorded(ctx) ? open_span(ctx, rt_redis_name(ctx, command)) : NULL;
    int result = command->flags & RT_REDIS_BLOCKS ? run_blocking(ctx, command, reply)
                                                  : run_shared(ctx, command, reply);
    return rt_span_finish(ctx, span, result);
}

static int run_command(rt_ctx *ctx, const rt_redis_arguments *command, rt_redis_reply *reply)
{
    *reply = (rt_redis_reply){0};
    RT_TRY(rt_redis_check_command(ctx, command, RT_REDIS_ALONE));
    return run_one(ctx, command, reply);
}

/* --- pipelines and transactions -------------------------------------------------------------- */

static bool are_idempotent(const rt_redis_arguments *commands, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (!(commands[i].flags & RT_REDIS_IDEMPOTENT))
            return false;
    return true;
}

static void copy_replies(rt_ctx *ctx, const rt_redis_reply *from, uint32_t count,
                         rt_redis_reply *replies)
{
    for (uint32_t i = 0; i < count; i++)
        rt_redis_reply_copy(ctx, &from[i], &replies[i]);
}

/* Nothing was carried out. A server that loads or is full says so to the command that is queued, or
 * in its answer to EXEC, and that is the error then: it passes, and no command is to blame. */
static int fail_executed(rt_ctx *ctx, const rt_redis_reply *from, uint32_t count)
{
    const rt_redis_reply *executed = &from[count + 1];
    rt_str reason = rt_redis_reason_of(executed->text, executed->length);
    for (uint32_t i = 0; i <= count; i++) {
        if (from[i].type != RT_REDIS_ERROR)
            continue;
        int code =
            rt_redis_fail_reply(ctx, "a command of the transaction", from[i].text, from[i].length);
        if (rt_redis_blames_server(from[i].text, from[i].length))
            return code;
        break;
    }
    if (!rt_redis_blames_server(reason.data, reason.length))
        reason = (rt_str){executed->text, executed->length};
    return rt_redis_fail_reply(ctx, "EXEC", reason.data, reason.length);
}

/* What EXEC answered is an array of the replies, or an error. */
static int take_executed(rt_ctx *ctx, const rt_redis_reply *from, uint32_t count,
                         rt_redis_reply *replies)
{
    const rt_redis_reply *executed = &from[count + 1];
    if (executed->type == RT_REDIS_ERROR)
        return fail_executed(ctx, from, count);
    if (executed->type != RT_REDIS_ARRAY || executed->length != count)
        return rt_fail(ctx, RT_EINTERNAL, "`EXEC` did not answer with %u replies", count);
    copy_replies(ctx, executed->elements, count, replies);
    return 0;
}

static int run_batch(rt_ctx *ctx, const rt_redis_batch *batch, rt_redis_reply *replies)
{
    const struct client *client = rt_state(ctx);
    rt_redis_request *request = NULL;
    int result = rt_redis_shared_call(ctx, client->shared, batch, &request);
    if (result == 0 && batch->atomic)
        result = take_executed(ctx, rt_redis_request_replies(request), batch->count, replies);
    else if (result == 0)
        copy_replies(ctx, rt_redis_request_replies(request), batch->count, replies);
    rt_redis_request_end(client->shared, request);
    return result;
}

static int send_together(rt_ctx *ctx, const rt_redis_arguments *commands, uint32_t count,
                         rt_redis_reply *replies, bool atomic)
{
    if (!count)
        return 0;
    memset(replies, 0, count * sizeof *replies);
    RT_TRY(rt_redis_check_commands(ctx, commands, count));
    const rt_redis_batch batch = {.commands = commands,
                                  .count = count,
                                  .atomic = atomic,
                                  .idempotent = are_idempotent(commands, count)};
    rt_span *span = rt_span_recorded(ctx) ? open_span(ctx, atomic ? "MULTI" : "PIPELINE") : NULL;
    return rt_span_finish(ctx, span, run_batch(ctx, &batch, replies));
}

static int pipeline(rt_ctx *ctx, const rt_redis_arguments *commands, uint32_t count,
                    rt_redis_reply *replies)
{
    return send_together(ctx, commands, count, replies, false);
}

static int atomic(rt_ctx *ctx, const rt_redis_arguments *commands, uint32_t count,
                  rt_redis_reply *replies)
{
    return send_together(ctx, commands, count, replies, true);
}

/* --- scripts --------------------------------------------------------------------------------- */

static rt_str digest_of(rt_ctx *ctx, const char *source)
{
    static const char digits[] = "0123456789abcdef";
    const struct client *client = rt_state(ctx);
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    EVP_Digest(source, strlen(source), digest, &length, client->sha1, NULL);
    char *text = rt_alloc(ctx, 2 * length + 1);
    for (unsigned int i = 0; i < length; i++) {
        text[2 * i] = digits[digest[i] >> 4];
        text[2 * i + 1] = digits[digest[i] & 15];
    }
    return (rt_str){text, 2 * length};
}

static int run_script(rt_ctx *ctx, const rt_redis_script *script, rt_redis_reply *reply)
{
    uint32_t count = 3 + script->key_count + script->argument_count;
    rt_str *arguments = rt_alloc(ctx, count * sizeof *arguments);
    rt_redis_arguments command = {.arguments = arguments, .count = count, .flags = script->flags};
    arguments[0] = RT_STR("EVALSHA");
    arguments[1] = digest_of(ctx, script->source);
    arguments[2] = rt_string(rt_format(ctx, "%u", script->key_count));
    if (script->key_count)
        memcpy(arguments + 3, script->keys, script->key_count * sizeof *arguments);
    if (script->argument_count)
        memcpy(arguments + 3 + script->key_count, script->arguments,
               script->argument_count * sizeof *arguments);
    int result = run_one(ctx, &command, reply);
    const rt_error *error = result < 0 ? rt_last_error(ctx) : NULL;
    if (!error || !error->domain || strcmp(error->domain, "NOSCRIPT") != 0)
        return result;
    arguments[0] = RT_STR("EVAL");
    arguments[1] = rt_string(script->source);
    return run_one(ctx, &command, reply);
}

static int eval(rt_ctx *ctx, const rt_redis_script *given, rt_redis_reply *reply)
{
    rt_redis_script script = {.size = sizeof script};
    rt_struct_copy(&script, given);
    *reply = (rt_redis_reply){0};
    RT_TRY(rt_redis_check_script(ctx, &script));
    return run_script(ctx, &script, reply);
}

/* --- settings -------------------------------------------------------------------------------- */

static const char *text_in(const rt_setting *group, const char *name)
{
    const rt_setting *member = rt_setting_member(group, name);
    return member ? member->value.text : NULL;
}

/* A group that nobody wrote is there all the same, with nothing in it. */
static bool has_any(const rt_setting *group)
{
    for (uint32_t i = 0; i < group->count; i++)
        if (group->value.members[i].type != RT_SETTING_NONE)
            return true;
    return false;
}

static int check_url(rt_ctx *ctx, rt_redis_address *address)
{
    const char *why = rt_redis_address_of_url(RT_GET(ctx, url), address);
    if (why)
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "`url` is no address of a redis: %s", why);
    if (RT_IS_SET(ctx, database) && address->database >= 0 &&
        address->database != RT_GET(ctx, database))
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "`url` and `database` name two databases");
    return 0;
}

static int check_tls(rt_ctx *ctx, const rt_redis_address *address)
{
    const rt_setting *tls = RT_GET(ctx, tls);
    if (has_any(tls) && !address->tls)
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "`tls` is set and `url` is not `rediss://…`");
    if (!text_in(tls, "certificate") != !text_in(tls, "key"))
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "of `tls.certificate` and `tls.key` one is set");
    return 0;
}

static int check_sentinel(rt_ctx *ctx, const rt_redis_address *address)
{
    const rt_setting *sentinel = RT_GET(ctx, sentinel);
    if (!has_any(sentinel))
        return 0;
    if (!rt_setting_member(sentinel, "addresses"))
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "`sentinel.addresses` is not set");
    if (!address->port)
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "`sentinel` is set and `url` is a unix socket");
    if (text_in(sentinel, "user") && !text_in(sentinel, "password"))
        return rt_fail(ctx, RT_EINVALID_ARGUMENT,
                       "`sentinel.user` is set and `sentinel.password` is not");
    return 0;
}

static int check_name(rt_ctx *ctx)
{
    const char *name = RT_GET(ctx, client_name);
    for (const char *c = name ? name : ""; *c; c++)
        if (*c < '!' || *c > '~')
            return rt_fail(ctx, RT_EINVALID_ARGUMENT,
                           "`client_name` has a character that no such name may have");
    return 0;
}

static int check_settings(rt_ctx *ctx)
{
    rt_redis_address address;
    RT_TRY(check_url(ctx, &address));
    RT_TRY(check_tls(ctx, &address));
    RT_TRY(check_sentinel(ctx, &address));
    RT_TRY(check_name(ctx));
    if (RT_GET(ctx, user) && !RT_GET(ctx, password))
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "`user` is set and `password` is not");
    if (RT_GET(ctx, password) && !address.tls && address.port &&
        strncmp(address.host, "127.", 4) != 0 && strcmp(address.host, "localhost") != 0 &&
        strcmp(address.host, "::1") != 0)
        rt_log(ctx, RT_LOG_WARN, "the password goes to `%s` unencrypted", address.host);
    return 0;
}

static int read_settings(rt_ctx *ctx, rt_redis_settings *settings)
{
    const rt_setting *sentinel = RT_GET(ctx, sentinel), *tls = RT_GET(ctx, tls);
    const char *name = RT_GET(ctx, client_name);
    *settings = (rt_redis_settings){.user = RT_GET(ctx, user),
                                    .password = RT_GET(ctx, password),
                                    .client_name = name ? name : ctx->instance->name,
                                    .server_name = text_in(tls, "server_name"),
                                    .connect_timeout = (uint64_t)RT_GET(ctx, connect_timeout),
                                    .timeout = (uint64_t)RT_GET(ctx, timeout),
                                    .max_reply = (uint64_t)RT_GET(ctx, max_reply),
                                    .keepalive = (uint64_t)RT_GET(ctx, keepalive)};
    RT_TRY(check_url(ctx, &settings->address));
    settings->database = RT_IS_SET(ctx, database)         ? RT_GET(ctx, database)
                         : settings->address.database > 0 ? settings->address.database
                                                          : 0;
    if (!has_any(sentinel))
        return 0;
    const char *master = text_in(sentinel, "master");
    settings->master = master ? master : settings->address.host;
    settings->sentinels = rt_setting_member(sentinel, "addresses");
    settings->sentinel_user = text_in(sentinel, "user");
    settings->sentinel_password = text_in(sentinel, "password");
    return 0;
}

static int no_file(rt_ctx *ctx, const char *what, const char *file)
{
    ERR_clear_error();
    return rt_fail(ctx, RT_EFAILED_PRECONDITION, "no %s in `%s`", what, file ? file : "");
}

static int open_tls(rt_ctx *ctx, rt_redis_settings *settings)
{
    const rt_setting *tls = RT_GET(ctx, tls);
    const char *ca = text_in(tls, "ca"), *key = text_in(tls, "key");
    const char *certificate = text_in(tls, "certificate");
    if (!settings->address.tls)
        return 0;
    SSL_CTX *context = settings->tls = SSL_CTX_new(TLS_client_method());
    if (!context)
        return rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "OpenSSL gave no context");
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if ((ca ? SSL_CTX_load_verify_locations(context, ca, NULL)
            : SSL_CTX_set_default_verify_paths(context)) != 1)
        return no_file(ctx, "certificates to trust", ca);
    if (certificate && SSL_CTX_use_certificate_chain_file(context, certificate) != 1)
        return no_file(ctx, "certificate", certificate);
    if (key && (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1 ||
                SSL_CTX_check_private_key(context) != 1))
        return no_file(ctx, "key of the certificate", key);
    ERR_clear_error();
    return 0;
}

/* --- life ------------------------------------------------------------------------------------ */

/* A server that starts at the same time as we do gets some seconds; one that refuses us does not.
 */
static int open_first(rt_ctx *ctx, const rt_redis_settings *settings, rt_redis_link **link)
{
    for (uint32_t attempt = 1;; attempt++) {
        int result = rt_redis_open(ctx, settings, link);
        const rt_error *error = result < 0 ? rt_last_error(ctx) : NULL;
        if (result == 0 || attempt == ATTEMPTS || result != -RT_EUNAVAILABLE || !error ||
            !error->retryable)
            return result;
        rt_log(ctx, RT_LOG_WARN, "%s%s%s; trying again", error->message, error->detail ? ": " : "",
               error->detail ? error->detail : "");
        RT_TRY(rt_sleep(ctx, RT_S(1) << (attempt - 1)));
    }
}

static void free_client(struct client *client)
{
    rt_redis_shared_free(client->shared);
    rt_redis_blocking_free(client->blocking);
    SSL_CTX_free(client->settings.tls);
    EVP_MD_free(client->sha1);
    free(client);
}

static int open_connections(rt_ctx *ctx, struct client *client)
{
    rt_redis_link *first;
    client->sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
    if (!client->sha1) {
        ERR_clear_error();
        return rt_fail(ctx, RT_EFAILED_PRECONDITION, "OpenSSL offers no SHA-1 for scripts");
    }
    RT_TRY(open_tls(ctx, &client->settings));
    RT_TRY(open_first(ctx, &client->settings, &first));
    client->shared =
        rt_redis_shared_new(&client->settings, (uint32_t)RT_GET(ctx, connections), first);
    client->blocking = rt_redis_blocking_new(&client->settings, (uint32_t)RT_GET(ctx, blocking));
    if (!client->shared)
        rt_redis_close(first);
    if (!client->shared || !client->blocking)
        return rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "out of memory");
    return rt_service(ctx, "connections", rt_redis_shared_serve, client->shared);
}

static int open_client(rt_ctx *ctx)
{
    struct client *client = calloc(1, sizeof *client);
    if (!client)
        return rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "out of memory");
    int result = read_settings(ctx, &client->settings);
    if (result == 0)
        result = open_connections(ctx, client);
    if (result < 0) {
        free_client(client);
        return result;
    }
    snprintf(client->database, sizeof client->database, "%d", (int)client->settings.database);
    rt_set_state(ctx, client);
    return 0;
}

static int close_client(rt_ctx *ctx)
{
    free_client(rt_state(ctx));
    rt_set_state(ctx, NULL);
    return 0;
}

static int health(rt_ctx *ctx, rt_health *health)
{
    rt_redis_reply reply;
    int result = run_shared(ctx, RT_REDIS_WITH(RT_REDIS_IDEMPOTENT, RT_STR("PING")), &reply);
    const rt_error *error = result < 0 ? rt_last_error(ctx) : NULL;
    if (result == 0 || (error && error->domain && strcmp(error->domain, "NOPERM") == 0))
        return 0;
    return rt_unhealthy(ctx, health, "%s%s%s", error ? error->message : rt_code_name(result),
                        error && error->detail ? ": " : "",
                        error && error->detail ? error->detail : "");
}

RT_REGISTER(registry)
{
    RT_TRY(rt_on(registry, .configure = check_settings, .start = open_client, .stop = close_client,
                 .health = health));
    return rt_provide(registry, redis, .command = run_command, .pipeline = pipeline,
                      .atomic = atomic, .eval = eval);
}
