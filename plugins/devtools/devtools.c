/* devtools.c — developer tools: a page at /_dev that shows what the host does
 *
 * In development alone: its manifest says so, and the host tells it nothing anywhere else. It
 * serves on the application's own listener, so it answers only to this machine, and only where the
 * page itself asks (admit.c). What it shows comes from rt/inspect.h.
 *
 *     GET    /_dev                               the page
 *     GET    /_dev/{file}                        its styles and scripts
 *     GET    /_dev/api/documents/{name}          as rt_inspect has them
 *     GET    /_dev/api/stream                    records and changes, as server-sent events
 *     GET    /_dev/api/mails                     DELETE forgets them
 *     GET    /_dev/mails/{id}/html               its body, for a sandboxed frame
 *     GET    /_dev/mails/{id}/attachments/{number}
 */
#include "devtools/devtools.h"

#include "devtools/assets.h"

#include <rt/cap/outbox.h>
#include <string.h>

RT_MODULE("devtools", "0.1.0", "Shows what the host does, at /_dev",
          RT_DEVELOPMENT_ONLY RT_INSPECTS)
RT_SERVES(routes)
RT_ENABLED_IN(development)
RT_OPTIONAL(outbox, 1, RT_RAW)
RT_OPTION(list, hosts, RT_OF(string) RT_DEFAULT([]),
          "Names besides localhost that a browser may ask by")

bool devtools_is(rt_str text, const char *word)
{
    return text.length == strlen(word) && memcmp(text.data, word, text.length) == 0;
}

static const struct asset *find_asset(rt_str name)
{
    for (size_t i = 0; i < asset_count; i++)
        if (devtools_is(name, assets[i].name) && strcmp(assets[i].name, "page.html") != 0)
            return &assets[i];
    return NULL;
}

static int send_asset(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    const struct asset *asset = find_asset(rt_param(request, "file"));
    RT_TRY(devtools_admit(ctx, request, response));
    if (!asset)
        return rt_fail(ctx, RT_ENOT_FOUND, "the developer tools have no such file");
    RT_TRY(rt_respond_header(ctx, response, "Cache-Control", "no-cache"));
    RT_TRY(rt_respond_header(ctx, response, "ETag", asset->tag));
    if (devtools_is(rt_request_header(request, "If-None-Match"), asset->tag))
        return rt_respond(ctx, response, 304, NULL, RT_STR(""));
    return rt_respond(ctx, response, 200, asset->type, (rt_str){asset->data, asset->length});
}

static int send_document(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    rt_str name = rt_param(request, "name"), text;
    RT_TRY(devtools_admit(ctx, request, response));
    RT_TRY(rt_inspect(ctx, rt_format(ctx, "%.*s", (int)name.length, name.data), &text));
    RT_TRY(rt_respond_header(ctx, response, "Cache-Control", "no-store"));
    return rt_respond(ctx, response, 200, "application/json", text);
}

RT_REGISTER(registry)
{
    static const struct {
        uint32_t method;
        const char *pattern;
        rt_handler handler;
    } routes[] = {
        {RT_GET, "/_dev", devtools_page},
        {RT_GET, "/_dev/", devtools_page},
        {RT_GET, "/_dev/{file}", send_asset},
        {RT_GET, "/_dev/api/documents/{name}", send_document},
        {RT_GET, "/_dev/api/stream", devtools_follow},
        {RT_GET, "/_dev/api/mails", devtools_mails},
        {RT_DELETE, "/_dev/api/mails", devtools_clear_mails},
        {RT_GET, "/_dev/mails/{id}/html", devtools_mail_html},
        {RT_GET, "/_dev/mails/{id}/attachments/{number}", devtools_attachment},
    };
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++)
        RT_TRY(rt_route(registry, routes[i].method, routes[i].pattern, routes[i].handler));
    return 0;
}
