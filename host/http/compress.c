/* compress.c — which answers are compressed, and how without holding the loop */
#include "http/features.h"

#include "http/internal.h"
#include "http/status.h"

#include <rt/module.h>
#include <stdlib.h>
#include <string.h>

/* Of a large body so much is coded before others get their turn: about a millisecond. */
#define SLICE 32768u

struct rt_compression {
    rt_coding offered[RT_CODING_COUNT]; /* the best first */
    uint32_t offered_count;
    uint64_t least; /* bytes of a body that is worth it */
    int level;
    const rt_setting *types; /* a list of what may hold one `*` */
};

rt_compression *rt_compression_open(const rt_setting *settings)
{
    const rt_setting *algorithms = settings ? rt_setting_member(settings, "algorithms") : NULL;
    if (!algorithms || !algorithms->count)
        return NULL;
    rt_compression *compression = rt_xcalloc(1, sizeof *compression);
    for (uint32_t i = 0; i < algorithms->count && i < RT_CODING_COUNT; i++)
        for (rt_coding coding = RT_CODING_GZIP; coding < RT_CODING_COUNT; coding++)
            if (!strcmp(algorithms->value.members[i].value.text, rt_coding_names[coding]))
                compression->offered[compression->offered_count++] = coding;
    compression->least = (uint64_t)rt_setting_member(settings, "min_size")->value.integer;
    compression->level = (int)rt_setting_member(settings, "level")->value.integer;
    compression->types = rt_setting_member(settings, "types");
    return compression;
}

void rt_compression_free(rt_compression *compression)
{
    free(compression);
}

void rt_compression_begin(const rt_compression *compression, rt_marks *marks,
                          const rt_http_head *head)
{
    static const char name[] = "accept-encoding";
    rt_acceptance acceptance;
    bool asked = false;
    rt_acceptance_begin(&acceptance);
    for (uint32_t i = 0; i < head->header_count; i++) {
        const rt_header *header = &head->headers[i];
        if (header->name.length != sizeof name - 1 || !rt_http_same(header->name, name))
            continue;
        rt_acceptance_read(&acceptance, header->value);
        asked = true;
    }
    if (asked)
        marks->coding =
            rt_acceptance_choose(&acceptance, compression->offered, compression->offered_count);
}

/* --- which answers --------------------------------------------------------------------------- */

/* One `*` stands for any characters. */
static bool fits(const char *pattern, rt_str type)
{
    const char *star = strchr(pattern, '*');
    size_t length = strlen(pattern);
    if (!star)
        return type.length == length && !strncasecmp(type.data, pattern, length);
    size_t before = (size_t)(star - pattern), after = length - before - 1;
    return type.length >= before + after && !strncasecmp(type.data, pattern, before) &&
           !strncasecmp(type.data + type.length - after, star + 1, after);
}

static bool is_listed(const rt_compression *compression, const char *type)
{
    rt_str name = {type, type ? strcspn(type, "; \t") : 0};
    for (uint32_t i = 0; type && i < compression->types->count; i++)
        if (fits(compression->types->value.members[i].value.text, name))
            return true;
    return false;
}

static bool names_no_transform(rt_str value)
{
    static const char directive[] = "no-transform";
    for (uint64_t i = 0; i + sizeof directive - 1 <= value.length; i++)
        if (!strncasecmp(value.data + i, directive, sizeof directive - 1))
            return true;
    return false;
}

static bool is_compressible(const rt_exchange *exchange, uint32_t status, const char *type)
{
    const rt_buffer *lines = &exchange->response.headers;
    const rt_compression *compression = exchange->connection->server->features.compression;
    return compression && exchange->route && !exchange->route->uncompressed && status != 206 &&
           rt_status_has_body(status) && is_listed(compression, type) &&
           !rt_lines_field(lines, "content-encoding").data &&
           !rt_lines_field(lines, "content-range").data &&
           !names_no_transform(rt_lines_field(lines, "cache-control"));
}

/* The coded body has other bytes than the one that a strong tag stands for. */
static void weaken_tag(rt_buffer *lines)
{
    rt_str tag = rt_lines_field(lines, "etag");
    if (!tag.length || tag.data[0] != '"')
        return;
    size_t at = (size_t)(tag.data - lines->data);
    rt_buffer_reserve(lines, 2);
    memmove(lines->data + at + 2, lines->data + at, lines->length - at + 1);
    memcpy(lines->data + at, "W/", 2);
    lines->length += 2;
}

static void vary(rt_buffer *lines)
{
    rt_buffer_text(lines, "Vary: Accept-Encoding\r\n");
}

static void announce(rt_buffer *lines, rt_coding coding)
{
    weaken_tag(lines);
    rt_buffer_format(lines, "Content-Encoding: %s\r\n", rt_coding_names[coding]);
}

/* --- whole answers --------------------------------------------------------------------------- */

/* Lets others run. The host's own answers are made outside of fibers, and are short. */
static int give_way(rt_ctx *ctx, const rt_exchange *exchange)
{
    return exchange->busy ? rt_host_sleep(ctx, 0) : 0;
}

int rt_compress_piece(rt_ctx *ctx, rt_exchange *exchange, const char *data, uint64_t length,
                      rt_encoder_step step, rt_buffer *coded)
{
    rt_encoder *encoder = exchange->marks.encoder;
    while (length > SLICE) {
        if (!rt_encoder_feed(encoder, data, SLICE, RT_ENCODER_GO_ON, coded))
            return rt_host_fail(ctx, RT_ERESOURCE_EXHAUSTED, "no memory to compress the answer");
        data += SLICE;
        length -= SLICE;
        RT_TRY(give_way(ctx, exchange));
    }
    if (!rt_encoder_feed(encoder, data, length, step, coded))
        return rt_host_fail(ctx, RT_ERESOURCE_EXHAUSTED, "no memory to compress the answer");
    return 0;
}

static bool open_encoder(rt_exchange *exchange, uint64_t size)
{
    rt_marks *marks = &exchange->marks;
    rt_encoder_free(marks->encoder);
    marks->encoder = rt_encoder_new(
        marks->coding, exchange->connection->server->features.compression->level, size);
    return marks->encoder != NULL;
}

static void close_encoder(rt_marks *marks)
{
    rt_encoder_free(marks->encoder);
    marks->encoder = NULL;
}

int rt_compress_whole(rt_ctx *ctx, rt_exchange *exchange, uint32_t status, const char *type,
                      const char **body, uint64_t *length, rt_buffer *coded)
{
    const rt_compression *compression = exchange->connection->server->features.compression;
    rt_buffer *lines = &exchange->response.headers;
    if (!compression || *length < compression->least || !*length ||
        !is_compressible(exchange, status, type))
        return 0;
    if (exchange->marks.coding != RT_CODING_IDENTITY && open_encoder(exchange, *length)) {
        int result = rt_compress_piece(ctx, exchange, *body, *length, RT_ENCODER_END, coded);
        close_encoder(&exchange->marks);
        if (result < 0)
            return result;
    }
    vary(lines);
    if (!coded->length || coded->length >= *length)
        return 0;
    announce(lines, exchange->marks.coding);
    *body = coded->data;
    *length = coded->length;
    return 0;
}

void rt_compress_unsent(rt_exchange *exchange, const char *type, uint64_t length)
{
    const rt_compression *compression = exchange->connection->server->features.compression;
    rt_buffer *lines = &exchange->response.headers;
    if (!compression || length < compression->least || !is_compressible(exchange, 200, type))
        return;
    if (exchange->marks.coding != RT_CODING_IDENTITY)
        weaken_tag(lines);
    vary(lines);
}

/* --- streamed answers ------------------------------------------------------------------------ */

void rt_compress_begin(rt_exchange *exchange, uint32_t status, const char *type)
{
    rt_buffer *lines = &exchange->response.headers;
    if (!is_compressible(exchange, status, type))
        return;
    if (exchange->marks.coding != RT_CODING_IDENTITY && open_encoder(exchange, 0))
        announce(lines, exchange->marks.coding);
    vary(lines);
}
