#include "http/tls.h"

#include "base/certificate.h"
#include "http/transport.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

/* Forward secrecy and authenticated encryption alone; those of TLS 1.3 are so by themselves. */
#define CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"
#define SESSION_SECONDS (RT_TICKET_EPOCH / 2)
#define LONGEST_NAME 255

typedef struct served_name {
    const char *name; /* in lower case; perhaps with `*.` first */
    SSL_CTX *context;
} served_name;

struct rt_tls {
    rt_arena arena;
    SSL_CTX **contexts; /* one for each certificate */
    size_t count;
    served_name *names; /* sorted; of equal ones the first counts */
    size_t name_count;
    rt_tickets tickets;
    EVP_CIPHER *ticket_cipher;
    BIO_METHOD *socket;
};

/* --- the socket below ------------------------------------------------------------------------ */

/* OpenSSL's own would raise SIGPIPE. */
static int read_socket(BIO *bio, char *into, int size)
{
    ssize_t got;
    do
        got = recv((int)(intptr_t)BIO_get_data(bio), into, (size_t)size, 0);
    while (got < 0 && errno == EINTR);
    BIO_clear_retry_flags(bio);
    if (got < 0 && errno == EAGAIN)
        BIO_set_retry_read(bio);
    if (got == 0)
        BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    return (int)got;
}

static int write_socket(BIO *bio, const char *data, int length)
{
    ssize_t sent;
    do
        sent = send((int)(intptr_t)BIO_get_data(bio), data, (size_t)length, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    BIO_clear_retry_flags(bio);
    if (sent < 0 && errno == EAGAIN)
        BIO_set_retry_write(bio);
    return (int)sent;
}

static long control_socket(BIO *bio, int command, long number, void *pointer)
{
    (void)number, (void)pointer;
    if (command == BIO_CTRL_EOF)
        return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
    return command == BIO_CTRL_FLUSH;
}

static void open_socket_method(rt_tls *tls)
{
    tls->socket = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
    if (!tls->socket)
        abort();
    BIO_meth_set_read(tls->socket, read_socket);
    BIO_meth_set_write(tls->socket, write_socket);
    BIO_meth_set_ctrl(tls->socket, control_socket);
}

/* --- which certificate ----------------------------------------------------------------------- */

static int compare_names(const void *one, const void *other)
{
    return strcmp(((const served_name *)one)->name, ((const served_name *)other)->name);
}

static SSL_CTX *find_name(const rt_tls *tls, const char *name)
{
    const served_name wanted = {.name = name};
    const served_name *found =
        bsearch(&wanted, tls->names, tls->name_count, sizeof *tls->names, compare_names);
    return found ? found->context : NULL;
}

/* By its own name, then by the wildcard of its first label. */
static SSL_CTX *context_for(const rt_tls *tls, const char *asked)
{
    char name[LONGEST_NAME + 1];
    size_t length = strlen(asked);
    if (length > LONGEST_NAME)
        return NULL;
    for (size_t i = 0; i <= length; i++)
        name[i] = (char)tolower((unsigned char)asked[i]);
    SSL_CTX *found = find_name(tls, name);
    char *dot = strchr(name, '.');
    if (found || !dot || dot == name)
        return found;
    *--dot = '*';
    return find_name(tls, dot);
}

static int on_name(SSL *session, int *alert, void *argument)
{
    const rt_tls *tls = argument;
    const char *name = SSL_get_servername(session, TLSEXT_NAMETYPE_host_name);
    SSL_CTX *context = name ? context_for(tls, name) : NULL;
    (void)alert;
    if (context && context != SSL_get_SSL_CTX(session))
        SSL_set_SSL_CTX(session, context);
    return SSL_TLSEXT_ERR_OK;
}

static int on_protocols(SSL *session, const unsigned char **chosen, unsigned char *length,
                        const unsigned char *offered, unsigned int offered_length, void *argument)
{
    static const unsigned char known[] = "\x02h2\x08http/1.1";
    const bool http1_only = argument != NULL;
    unsigned char *found;
    (void)session;
    int result = SSL_select_next_proto(&found, length, known + 3 * http1_only,
                                       sizeof known - 1 - 3 * http1_only, offered, offered_length);
    *chosen = found;
    return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* --- tickets --------------------------------------------------------------------------------- */

static bool set_mac_key(EVP_MAC_CTX *mac, rt_ticket_key *key)
{
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac, sizeof key->mac),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, "sha256", 0),
        OSSL_PARAM_construct_end()};
    return EVP_MAC_CTX_set_params(mac, parameters) == 1;
}

static int seal(rt_tls *tls, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                EVP_MAC_CTX *mac)
{
    rt_ticket_key *key = &tls->tickets.present;
    memcpy(name, key->name, sizeof key->name);
    bool done = RAND_bytes(iv, EVP_CIPHER_get_iv_length(tls->ticket_cipher)) == 1 &&
                EVP_EncryptInit_ex2(cipher, tls->ticket_cipher, key->cipher, iv, NULL) == 1 &&
                set_mac_key(mac, key);
    return done ? 1 : -1;
}

/* 2 asks for a new ticket, 0 for a whole handshake. */
static int unseal(rt_tls *tls, const unsigned char *name, const unsigned char *iv,
                  EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    rt_ticket_key *key = &tls->tickets.present;
    if (memcmp(name, key->name, sizeof key->name) != 0)
        key = &tls->tickets.previous;
    if (memcmp(name, key->name, sizeof key->name) != 0)
        return 0;
    bool done = EVP_DecryptInit_ex2(cipher, tls->ticket_cipher, key->cipher, iv, NULL) == 1 &&
                set_mac_key(mac, key);
    if (!done)
        return -1;
    return key == &tls->tickets.present ? 1 : 2;
}

static int on_ticket(SSL *session, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int encrypts)
{
    rt_tls *tls = SSL_CTX_get_app_data(SSL_get_SSL_CTX(session));
    rt_tickets_advance(&tls->tickets, (uint64_t)time(NULL));
    return encrypts ? seal(tls, name, iv, cipher, mac) : unseal(tls, name, iv, cipher, mac);
}

/* --- the contexts ---------------------------------------------------------------------------- */

static void set_limits(SSL_CTX *context, const rt_tls_options *options)
{
    SSL_CTX_set_min_proto_version(context, options->only_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION);
    SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION);
    /* A stream that is cut short shows in HTTP itself, which says how long everything is. */
    SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
                                     SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    /* The large groups of finite fields cost a server more than they cost who asks for them. */
    SSL_CTX_set1_groups_list(context, "X25519:P-256:P-384");
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF); /* tickets need none */
    SSL_CTX_set_timeout(context, SESSION_SECONDS);
    SSL_CTX_set_session_id_context(context, (const unsigned char *)"rt", 2);
    SSL_CTX_set_max_early_data(context, 0);
}

static SSL_CTX *make_context(rt_tls *tls, const rt_tls_options *options)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (!context || SSL_CTX_set_cipher_list(context, CIPHERS) != 1)
        abort();
    set_limits(context, options);
    SSL_CTX_set_app_data(context, tls);
    SSL_CTX_set_tlsext_servername_callback(context, on_name);
    SSL_CTX_set_tlsext_servername_arg(context, tls);
    SSL_CTX_set_alpn_select_cb(context, on_protocols, options->http1_only ? tls : NULL);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket);
    return context;
}

static void add_names(rt_tls *tls, const rt_certificate *certificate, SSL_CTX *context)
{
    const char **names;
    size_t count = rt_certificate_names(certificate, &tls->arena, &names);
    for (size_t i = 0; i < count; i++) {
        bool known = false;
        for (size_t k = 0; k < tls->name_count && !known; k++)
            known = strcmp(tls->names[k].name, names[i]) == 0;
        if (!known)
            rt_push(&tls->arena, tls->names, tls->name_count) = (served_name){names[i], context};
    }
}

static bool add_certificate(rt_tls *tls, const rt_tls_options *options, const rt_tls_pair *pair,
                            rt_arena *arena, const char **why)
{
    rt_certificate *certificate;
    if (rt_certificate_read(arena, pair->certificate, pair->key, &certificate, why)) {
        *why = *why ? *why : "the key is not that of the certificate";
        return false;
    }
    SSL_CTX *context = make_context(tls, options);
    bool used = rt_certificate_use(certificate, context);
    rt_push(&tls->arena, tls->contexts, tls->count) = context;
    add_names(tls, certificate, context);
    rt_certificate_free(certificate);
    ERR_clear_error();
    return used;
}

static void begin_tickets(rt_tls *tls, const rt_ticket_secret *shared)
{
    rt_ticket_secret own = {0};
    tls->ticket_cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
    if (!tls->ticket_cipher || (!shared && !rt_ticket_secret_make(&own, (uint64_t)time(NULL))))
        abort();
    rt_tickets_begin(&tls->tickets, shared ? shared : &own);
}

rt_tls *rt_tls_open(const rt_tls_options *options, rt_arena *arena, const char **why)
{
    rt_tls *tls = rt_xcalloc(1, sizeof *tls);
    rt_arena_init(&tls->arena);
    open_socket_method(tls);
    begin_tickets(tls, options->tickets);
    for (size_t i = 0; i < options->count; i++)
        if (!add_certificate(tls, options, &options->pairs[i], arena, why)) {
            rt_tls_close(tls);
            return NULL;
        }
    if (tls->name_count)
        qsort(tls->names, tls->name_count, sizeof *tls->names, compare_names);
    return tls;
}

void rt_tls_close(rt_tls *tls)
{
    if (!tls)
        return;
    for (size_t i = 0; i < tls->count; i++)
        SSL_CTX_free(tls->contexts[i]);
    EVP_CIPHER_free(tls->ticket_cipher);
    BIO_meth_free(tls->socket);
    OPENSSL_cleanse(&tls->tickets, sizeof tls->tickets);
    rt_arena_free(&tls->arena);
    free(tls);
}

/* --- sessions -------------------------------------------------------------------------------- */

SSL *rt_tls_accept(rt_tls *tls, int fd)
{
    SSL *session = SSL_new(tls->contexts[0]);
    BIO *bio = BIO_new(tls->socket);
    if (!session || !bio) {
        SSL_free(session);
        BIO_free(bio);
        ERR_clear_error();
        return NULL;
    }
    BIO_set_data(bio, (void *)(intptr_t)fd);
    BIO_set_init(bio, 1);
    SSL_set_bio(session, bio, bio);
    SSL_set_accept_state(session);
    return session;
}

void rt_tls_free(SSL *session)
{
    SSL_free(session);
    ERR_clear_error();
}

bool rt_tls_is_ready(const SSL *session)
{
    return SSL_is_init_finished(session);
}

const char *rt_tls_version(const SSL *session)
{
    return SSL_get_version(session);
}

bool rt_tls_speaks_http2(const SSL *session)
{
    const unsigned char *name;
    unsigned int length;
    SSL_get0_alpn_selected(session, &name, &length);
    return length == 2 && !memcmp(name, "h2", 2);
}

/* The peer speaks HTTP where a handshake was due: what it gets is to be readable. */
static bool is_plain(void)
{
    int reason = ERR_GET_REASON(ERR_peek_error());
    return reason == SSL_R_HTTP_REQUEST || reason == SSL_R_HTTPS_PROXY_REQUEST;
}

static ssize_t fail(rt_transport *transport, int result)
{
    int error = errno, kind = SSL_get_error(transport->tls, result);
    bool plain = kind == SSL_ERROR_SSL && is_plain();
    ERR_clear_error();
    if (kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE)
        return -EAGAIN;
    if (kind == SSL_ERROR_ZERO_RETURN)
        return 0;
    transport->broken = true;
    transport->is_plain = plain;
    return kind == SSL_ERROR_SYSCALL && error ? -error : -EPROTO;
}

ssize_t rt_tls_read(rt_transport *transport, char *into, size_t size)
{
    int got = SSL_read(transport->tls, into, size < INT_MAX ? (int)size : INT_MAX);
    transport->holds = got > 0 && SSL_has_pending(transport->tls);
    /* Asked here alone: an answer that waits for room keeps nobody from reading. */
    transport->awaits_writing = got <= 0 && SSL_want_write(transport->tls);
    return got > 0 ? got : fail(transport, got);
}

ssize_t rt_tls_write(rt_transport *transport, const char *data, size_t length)
{
    int sent = SSL_write(transport->tls, data, length < INT_MAX ? (int)length : INT_MAX);
    if (sent > 0)
        return sent;
    ssize_t result = fail(transport, sent);
    return result ? result : -EPIPE;
}

void rt_tls_shut(SSL *session)
{
    if (SSL_is_init_finished(session) && !(SSL_get_shutdown(session) & SSL_SENT_SHUTDOWN))
        SSL_shutdown(session);
    ERR_clear_error();
}
