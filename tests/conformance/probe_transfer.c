/* probe_transfer.c — probe-transfer: fetches a URL through transfer/1
 *
 *     GET /transfer?url=…&timeout_ms=…&times=…   the outcome as JSON
 */
#include <curl/curl.h>
#include <rt/cap/transfer.h>
#include <rt/rt.h>
#include <stdlib.h>

RT_MODULE("probe-transfer", "0.1.0", "Fetches URLs through transfer/1", RT_DEVELOPMENT_ONLY)
RT_SERVES(routes)
RT_REQUIRES(transfer, 1)

struct fetch {
    const char *url;
    int64_t bytes;
    int32_t code;
    long status;
    long connections; /* opened for it: 0 means a kept one was used */
};

static size_t count_bytes(char *bytes, size_t size, size_t count, void *argument)
{
    (void)bytes;
    ((struct fetch *)argument)->bytes += (int64_t)(size * count);
    return size * count;
}

static int perform(rt_ctx *ctx, void *argument)
{
    struct fetch *fetch = argument;
    CURL *easy = curl_easy_init();
    if (!easy)
        return rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "out of memory");
    curl_easy_setopt(easy, CURLOPT_URL, fetch->url);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, count_bytes);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, fetch);
    int result = rt_transfer_perform(ctx, transfer, easy, &fetch->code);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &fetch->status);
    curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &fetch->connections);
    curl_easy_cleanup(easy);
    return result;
}

static int64_t read_number(rt_ctx *ctx, const rt_request *request, const char *name,
                           int64_t otherwise)
{
    rt_str text;
    if (rt_query(ctx, request, name, &text) < 0)
        return otherwise;
    return strtoll(rt_format(ctx, "%.*s", (int)text.length, text.data), NULL, 10);
}

static void write_fetch(rt_json *json, const struct fetch *fetch, int result)
{
    rt_json_object(json);
    rt_json_key(json, "result"), rt_json_put_string(json, rt_code_name(result));
    rt_json_key(json, "curl"), rt_json_put_int(json, fetch->code);
    rt_json_key(json, "status"), rt_json_put_int(json, fetch->status);
    rt_json_key(json, "bytes"), rt_json_put_int(json, fetch->bytes);
    rt_json_key(json, "connections"), rt_json_put_int(json, fetch->connections);
    rt_json_end(json);
}

static int fetch_url(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    rt_str url;
    RT_TRY(rt_query(ctx, request, "url", &url));
    int64_t times = read_number(ctx, request, "times", 1);
    uint64_t timeout = RT_MS((uint64_t)read_number(ctx, request, "timeout_ms", 10000));
    rt_json *json = rt_json_new(ctx);
    rt_json_array(json);
    for (int64_t i = 0; i < times; i++) {
        struct fetch fetch = {.url = rt_format(ctx, "%.*s", (int)url.length, url.data)};
        int result = rt_run(ctx, perform, &fetch, .deadline = rt_now() + timeout);
        write_fetch(json, &fetch, result);
    }
    rt_json_end(json);
    return rt_respond_json(ctx, response, 200, json);
}

RT_REGISTER(registry)
{
    return rt_route(registry, RT_GET, "/transfer", fetch_url);
}
