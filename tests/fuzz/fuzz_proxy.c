/* Whatever comes before a connection's first byte, PROXY headers are judged by their bytes in
 * order: the same verdict however much is there, and never a byte behind the header. The first byte
 * says whether the rest is a PROXY header, a Forwarded field or an Accept-Encoding field. */
#include "http/coding.h"
#include "http/forwarded.h"
#include "http/proxy.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void proxy(const char *bytes, size_t length)
{
    rt_proxy whole, part;
    int result = rt_proxy_parse(&whole, bytes, length);
    for (size_t cut = 0; cut < length && cut < 600; cut++) {
        int early = rt_proxy_parse(&part, bytes, cut);
        bool covered = result == RT_HTTP_DONE && cut >= whole.length;
        if (covered ? early != RT_HTTP_DONE || part.length != whole.length
                    : early == RT_HTTP_DONE || (result == RT_HTTP_MORE && early < 0))
            abort();
    }
    if (result == RT_HTTP_DONE && (whole.length > length || whole.length > RT_PROXY_LIMIT))
        abort();
}

static void forwarded(const char *bytes, size_t length)
{
    static const char *const names[] = {"Forwarded", "X-Forwarded-For", "X-Forwarded-Proto",
                                        "X-Forwarded-Host"};
    static rt_http_head head;
    static rt_network networks[2];
    const rt_trust trust = {networks, 2};
    rt_network_parse(&networks[0], "0.0.0.0/1");
    rt_network_parse(&networks[1], "::/1");
    head.header_count = 0;
    for (size_t i = length && bytes[0] & 1; i < sizeof names / sizeof names[0]; i++)
        head.headers[head.header_count++] =
            (rt_header){{names[i], strlen(names[i])}, {bytes, length}};
    rt_origin origin = {.ip = rt_ip_of_bytes("\x7f\0\0\1", 4)};
    rt_forwarded_judge(&origin, &head, &trust);
    if (origin.authority.length && !rt_http_host_valid(origin.authority))
        abort();
}

static void coding(const char *bytes, size_t length)
{
    static const rt_coding offered[] = {RT_CODING_GZIP};
    rt_acceptance acceptance;
    rt_acceptance_begin(&acceptance);
    rt_acceptance_read(&acceptance, (rt_str){bytes, length});
    if (rt_acceptance_choose(&acceptance, offered, 1) == RT_CODING_BROTLI)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const kinds[])(const char *, size_t) = {proxy, forwarded, coding};
    if (!size)
        return 0;
    size_t length = size - 1;
    char *bytes = malloc(length + !length); /* of the exact size, so that reading past it is seen */
    memcpy(bytes, data + 1, length);
    kinds[data[0] % 3](bytes, length);
    free(bytes);
    return 0;
}
