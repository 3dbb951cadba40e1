/* admit.c — who may see the page
 *
 * The application's listener may be open to others, and any page in the developer's browser may
 * send requests to this machine, by a name of its own too (DNS rebinding). So three things are
 * asked: the peer is this machine, the name asked for is one of it, and the request does not come
 * from another origin. An address of another origin that the application's CORS settings let in
 * is none of ours.
 */
#include "devtools/devtools.h"

#include <string.h>
#include <strings.h>

RT_USES_OPTION(list, hosts)

/* Scripts, styles, data and frames from here alone. */
#define POLICY                                                                      \
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " \
    "img-src 'self' data:; frame-src 'self'; base-uri 'none'; form-action 'none'; " \
    "frame-ancestors 'none'"

/* What a mail brings along runs nothing, loads nothing and knows nothing of the page around it. */
#define FRAME_POLICY                                                          \
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; " \
    "frame-ancestors 'self'"

static bool begins(rt_str text, const char *start)
{
    size_t length = strlen(start);
    return text.length >= length && memcmp(text.data, start, length) == 0;
}

static bool ends(rt_str text, const char *end)
{
    size_t length = strlen(end);
    return text.length >= length && strncasecmp(text.data + text.length - length, end, length) == 0;
}

static bool equals(rt_str text, const char *word)
{
    return text.length == strlen(word) && strncasecmp(text.data, word, text.length) == 0;
}

/* 127.0.0.0/8, and nothing that only begins like it, such as 127.0.0.1.example.org. */
static bool is_loopback_address(rt_str text)
{
    unsigned dots = 0;
    if (equals(text, "::1") || equals(text, "[::1]"))
        return true;
    if (begins(text, "::ffff:"))
        text = (rt_str){text.data + 7, text.length - 7};
    for (uint64_t i = 0; i < text.length; i++) {
        if (text.data[i] == '.')
            dots++;
        else if (text.data[i] < '0' || text.data[i] > '9')
            return false;
    }
    return dots == 3 && begins(text, "127.");
}

static rt_str without_port(rt_str authority)
{
    uint64_t length = authority.length;
    while (length && authority.data[length - 1] >= '0' && authority.data[length - 1] <= '9')
        length--;
    if (length && authority.data[length - 1] == ':' &&
        !(authority.data[0] == '[' && authority.data[authority.length - 1] == ']'))
        authority.length = length - 1;
    return authority;
}

static bool is_configured(rt_ctx *ctx, rt_str host)
{
    const rt_setting *names = RT_GET(ctx, hosts);
    for (uint32_t i = 0; i < names->count; i++)
        if (equals(host, names->value.members[i].value.text))
            return true;
    return false;
}

static bool is_own_name(rt_ctx *ctx, rt_str host)
{
    return equals(host, "localhost") || ends(host, ".localhost") || is_loopback_address(host) ||
           is_configured(ctx, host);
}

/* A browser says where a request comes from; what says nothing is no browser. */
static bool is_foreign(const rt_request *request)
{
    rt_str origin = rt_request_header(request, "Origin");
    rt_str site = rt_request_header(request, "Sec-Fetch-Site");
    rt_str mode = rt_request_header(request, "Sec-Fetch-Mode");
    rt_str scheme = request->scheme, authority = request->authority;
    if (origin.data) {
        bool same =
            origin.length == scheme.length + 3 + authority.length &&
            memcmp(origin.data, scheme.data, scheme.length) == 0 &&
            memcmp(origin.data + scheme.length, "://", 3) == 0 &&
            strncasecmp(origin.data + scheme.length + 3, authority.data, authority.length) == 0;
        if (!same)
            return true;
    }
    bool elsewhere = equals(site, "cross-site") || equals(site, "same-site");
    return elsewhere && !(equals(mode, "navigate") && request->method == RT_GET);
}

static int refuse(rt_ctx *ctx, const char *why)
{
    return rt_fail(ctx, RT_EPERMISSION_DENIED, "the developer tools answer %s", why);
}

static int judge(rt_ctx *ctx, const rt_request *request)
{
    if (request->peer.length && !is_loopback_address(request->peer))
        return refuse(ctx, "to this machine alone");
    if (!is_own_name(ctx, without_port(request->authority)))
        return refuse(ctx, "to `localhost` and to what `devtools.hosts` lists");
    if (is_foreign(request))
        return refuse(ctx, "to no page of another origin");
    return 0;
}

typedef const char *const field[2];

static int admit(rt_ctx *ctx, const rt_request *request, rt_response *response, field *fields)
{
    RT_TRY(judge(ctx, request));
    for (; (*fields)[0]; fields++)
        RT_TRY(rt_respond_header(ctx, response, (*fields)[0], (*fields)[1]));
    return 0;
}

#define COMMON_FIELDS                                                                    \
    {"Referrer-Policy", "no-referrer"}, {"Cross-Origin-Resource-Policy", "same-origin"}, \
        {"Cross-Origin-Opener-Policy", "same-origin"},                                   \
    {                                                                                    \
        NULL, NULL                                                                       \
    }

int devtools_admit(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    static field fields[] = {
        {"Content-Security-Policy", POLICY}, {"X-Frame-Options", "DENY"}, COMMON_FIELDS};
    return admit(ctx, request, response, fields);
}

int devtools_admit_frame(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    static field fields[] = {{"Content-Security-Policy", FRAME_POLICY},
                             {"X-Frame-Options", "SAMEORIGIN"},
                             COMMON_FIELDS};
    return admit(ctx, request, response, fields);
}
