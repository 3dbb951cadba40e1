#include "base/certificate.h"

#include <ctype.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

struct rt_certificate {
    X509 *leaf;
    STACK_OF(X509) * chain; /* behind the leaf */
    EVP_PKEY *key;
};

/* What OpenSSL complained of first, and the queue is empty. */
static const char *complaint(rt_arena *arena, const char *otherwise)
{
    unsigned long error = ERR_get_error();
    const char *reason = error ? ERR_reason_error_string(error) : NULL;
    const char *text = reason ? rt_arena_copy(arena, reason) : otherwise;
    ERR_clear_error();
    return text;
}

/* A key with a passphrase must not make the program ask for it. */
static int no_passphrase(char *buffer, int size, int writes, void *argument)
{
    (void)buffer, (void)size, (void)writes;
    *(bool *)argument = true;
    return -1;
}

/* --- reading --------------------------------------------------------------------------------- */

static const char *form_fault(const char *pem)
{
    return strstr(pem, "-----BEGIN ") ? NULL : "it is not in PEM";
}

/* All that are there, the leaf first. False: one of them cannot be read. */
static bool read_chain(rt_certificate *certificate, BIO *text)
{
    X509 *next;
    certificate->leaf = PEM_read_bio_X509_AUX(text, NULL, NULL, NULL);
    if (!certificate->leaf)
        return false;
    while ((next = PEM_read_bio_X509(text, NULL, NULL, NULL)))
        if (!sk_X509_push(certificate->chain, next))
            abort();
    return ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
}

static rt_certificate_fault read_certificate(rt_certificate *certificate, rt_arena *arena,
                                             const char *pem, const char **why)
{
    BIO *text = BIO_new_mem_buf(pem, -1);
    bool whole = read_chain(certificate, text);
    if (!whole)
        *why = form_fault(pem) ? form_fault(pem) : complaint(arena, "it is damaged");
    ERR_clear_error();
    BIO_free(text);
    return whole ? RT_CERTIFICATE_GOOD : RT_CERTIFICATE_UNREADABLE;
}

const char *rt_certificate_fault_of_all(rt_arena *arena, const char *pem)
{
    rt_certificate all = {.chain = sk_X509_new_null()};
    const char *why = NULL;
    read_certificate(&all, arena, pem, &why);
    X509_free(all.leaf);
    sk_X509_pop_free(all.chain, X509_free);
    return why;
}

static rt_certificate_fault read_key(rt_certificate *certificate, rt_arena *arena, const char *pem,
                                     const char **why)
{
    bool encrypted = false;
    BIO *text = BIO_new_mem_buf(pem, -1);
    certificate->key = PEM_read_bio_PrivateKey(text, NULL, no_passphrase, &encrypted);
    if (!certificate->key)
        *why = form_fault(pem) ? form_fault(pem) : complaint(arena, "it is damaged");
    if (encrypted)
        *why = "it is encrypted, and nobody is there to be asked for the passphrase";
    ERR_clear_error();
    BIO_free(text);
    return certificate->key ? RT_CERTIFICATE_GOOD : RT_CERTIFICATE_KEY_UNREADABLE;
}

bool rt_certificate_use(const rt_certificate *certificate, SSL_CTX *context)
{
    return SSL_CTX_use_cert_and_key(context, certificate->leaf, certificate->key,
                                    certificate->chain, 1) == 1;
}

static rt_certificate_fault try_out(const rt_certificate *certificate, rt_arena *arena,
                                    const char **why)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    bool accepted = context && rt_certificate_use(certificate, context);
    if (!accepted)
        *why = complaint(arena, "no reason was given");
    SSL_CTX_free(context);
    return accepted ? RT_CERTIFICATE_GOOD : RT_CERTIFICATE_REFUSED;
}

static rt_certificate_fault match(const rt_certificate *certificate, const char **why)
{
    bool matches = X509_check_private_key(certificate->leaf, certificate->key) == 1;
    ERR_clear_error();
    *why = NULL;
    return matches ? RT_CERTIFICATE_GOOD : RT_CERTIFICATE_OTHER_KEY;
}

rt_certificate_fault rt_certificate_read(rt_arena *arena, const char *certificate_pem,
                                         const char *key_pem, rt_certificate **certificate,
                                         const char **why)
{
    rt_certificate *made = rt_xcalloc(1, sizeof *made);
    made->chain = sk_X509_new_null();
    rt_certificate_fault fault = read_certificate(made, arena, certificate_pem, why);
    if (!fault)
        fault = read_key(made, arena, key_pem, why);
    if (!fault)
        fault = match(made, why);
    if (!fault)
        fault = try_out(made, arena, why);
    if (fault)
        rt_certificate_free(made);
    else
        *certificate = made;
    return fault;
}

void rt_certificate_free(rt_certificate *certificate)
{
    if (!certificate)
        return;
    X509_free(certificate->leaf);
    sk_X509_pop_free(certificate->chain, X509_free);
    EVP_PKEY_free(certificate->key);
    free(certificate);
}

/* --- what it says ---------------------------------------------------------------------------- */

static const char *date_of(rt_arena *arena, const ASN1_TIME *time)
{
    struct tm parts;
    char text[32] = "?";
    if (ASN1_TIME_to_tm(time, &parts))
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts);
    return rt_arena_copy(arena, text);
}

int rt_certificate_age(const rt_certificate *certificate, rt_arena *arena, const char **date)
{
    const ASN1_TIME *from = X509_get0_notBefore(certificate->leaf);
    const ASN1_TIME *until = X509_get0_notAfter(certificate->leaf);
    int age = X509_cmp_current_time(from) > 0 ? -1 : X509_cmp_current_time(until) < 0;
    *date = date_of(arena, age < 0 ? from : until);
    return age;
}

static const char *lower(rt_arena *arena, const unsigned char *text, int length)
{
    char *copy = rt_arena_copy_n(arena, (const char *)text, (size_t)length);
    for (char *c = copy; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    return copy;
}

static void add_name(rt_arena *arena, const char ***names, size_t *count, const ASN1_STRING *text)
{
    const unsigned char *bytes = ASN1_STRING_get0_data(text);
    int length = ASN1_STRING_length(text);
    if (length > 0 && !memchr(bytes, '\0', (size_t)length))
        rt_push(arena, *names, *count) = lower(arena, bytes, length);
}

size_t rt_certificate_names(const rt_certificate *certificate, rt_arena *arena, const char ***names)
{
    size_t count = 0;
    *names = NULL;
    GENERAL_NAMES *list = X509_get_ext_d2i(certificate->leaf, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(list); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(list, i);
        if (name->type == GEN_DNS)
            add_name(arena, names, &count, name->d.dNSName);
    }
    X509_NAME *subject = X509_get_subject_name(certificate->leaf);
    int at = list ? -1 : X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (at >= 0)
        add_name(arena, names, &count, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    GENERAL_NAMES_free(list);
    ERR_clear_error();
    return count;
}
