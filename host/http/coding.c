#include "http/coding.h"

#include "http/characters.h"
#include "http/parser.h"

#include <brotli/encode.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

const char *const rt_coding_names[RT_CODING_COUNT] = {"identity", "gzip", "br"};

/* --- what the client accepts ----------------------------------------------------------------- */

void rt_acceptance_begin(rt_acceptance *acceptance)
{
    *acceptance = (rt_acceptance){{-1, -1, -1}, -1};
}

static rt_str trim(const char *start, const char *end)
{
    while (start < end && (*start == ' ' || *start == '\t'))
        start++;
    while (end > start && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    return (rt_str){start, (uint64_t)(end - start)};
}

/* "0.25" as 250; -1 if it is no quality (RFC 9110, 12.4.2). */
static int16_t read_quality(rt_str text)
{
    int value = 0, scale = 1000;
    if (!text.length || text.length > 5 || (text.data[0] != '0' && text.data[0] != '1') ||
        (text.length > 1 && text.data[1] != '.'))
        return -1;
    for (uint64_t i = 0; i < text.length; i++) {
        if (i == 1)
            continue;
        if (!rt_is(text.data[i], RT_DIGIT_CHARACTER))
            return -1;
        value += (text.data[i] - '0') * scale;
        scale /= 10;
    }
    return value <= 1000 ? (int16_t)value : -1;
}

/* The quality that the parameters give; -1 if they are malformed. */
static int16_t weight_of(const char *at, const char *end)
{
    rt_str text = trim(at, end);
    if (!text.length)
        return 1000;
    if (text.length < 3 || (text.data[0] | 0x20) != 'q' || text.data[1] != '=')
        return -1;
    return read_quality((rt_str){text.data + 2, text.length - 2});
}

static int16_t *place_of(rt_acceptance *acceptance, rt_str name)
{
    static const struct {
        const char *name;
        rt_coding coding;
    } aliases[] = {{"gzip", RT_CODING_GZIP},
                   {"br", RT_CODING_BROTLI},
                   {"identity", RT_CODING_IDENTITY},
                   {"x-gzip", RT_CODING_GZIP}};
    if (name.length == 1 && name.data[0] == '*')
        return &acceptance->others;
    for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++)
        if (rt_http_same(name, aliases[i].name))
            return &acceptance->quality[aliases[i].coding];
    return NULL;
}

void rt_acceptance_read(rt_acceptance *acceptance, rt_str field)
{
    const char *end = field.data + field.length;
    for (const char *at = field.data, *stop; at < end; at = stop + 1) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        stop = comma ? comma : end;
        const char *semicolon = memchr(at, ';', (size_t)(stop - at));
        int16_t *place = place_of(acceptance, trim(at, semicolon ? semicolon : stop));
        int16_t weight = weight_of(semicolon ? semicolon + 1 : stop, stop);
        if (place && weight >= 0)
            *place = weight;
    }
}

static int16_t quality_of(const rt_acceptance *acceptance, rt_coding coding)
{
    int16_t quality = acceptance->quality[coding];
    return quality >= 0 ? quality : acceptance->others >= 0 ? acceptance->others : 0;
}

rt_coding rt_acceptance_choose(const rt_acceptance *acceptance, const rt_coding *offered,
                               uint32_t count)
{
    rt_coding best = RT_CODING_IDENTITY;
    int16_t most = acceptance->quality[RT_CODING_IDENTITY];
    if (most > 0)
        most--; /* of equally good ones a coding that saves bytes */
    else
        most = 0;
    for (uint32_t i = 0; i < count; i++) {
        int16_t quality = quality_of(acceptance, offered[i]);
        if (quality > most) {
            most = quality;
            best = offered[i];
        }
    }
    return best;
}

/* --- encoders -------------------------------------------------------------------------------- */

/* 15: the largest window; 16 more: with the head and the end of gzip. */
#define GZIP_WINDOW (15 + 16)
#define GZIP_MEMORY 8
/* 256 KiB: larger windows would take megabytes for each answer that is on its way. */
#define BROTLI_WINDOW 18
/* 64 KiB are coded at once, whatever the level: what is fed is small, but it may be kept back. */
#define BROTLI_BLOCK 16
#define ROOM 16384u

struct rt_encoder {
    BrotliEncoderState *brotli; /* NULL: gzip */
    z_stream gzip;
};

static bool open_brotli(rt_encoder *encoder, int level, uint64_t size)
{
    encoder->brotli = BrotliEncoderCreateInstance(NULL, NULL, NULL);
    if (!encoder->brotli)
        return false;
    BrotliEncoderSetParameter(encoder->brotli, BROTLI_PARAM_QUALITY, (uint32_t)level);
    BrotliEncoderSetParameter(encoder->brotli, BROTLI_PARAM_LGWIN, BROTLI_WINDOW);
    BrotliEncoderSetParameter(encoder->brotli, BROTLI_PARAM_LGBLOCK, BROTLI_BLOCK);
    BrotliEncoderSetParameter(encoder->brotli, BROTLI_PARAM_SIZE_HINT,
                              size < UINT32_MAX ? (uint32_t)size : UINT32_MAX);
    return true;
}

rt_encoder *rt_encoder_new(rt_coding coding, int level, uint64_t size)
{
    rt_encoder *encoder = calloc(1, sizeof *encoder);
    if (!encoder)
        return NULL;
    bool good = coding == RT_CODING_BROTLI
                    ? open_brotli(encoder, level, size)
                    : deflateInit2(&encoder->gzip, level, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY,
                                   Z_DEFAULT_STRATEGY) == Z_OK;
    if (good)
        return encoder;
    free(encoder);
    return NULL;
}

static bool feed_brotli(rt_encoder *encoder, const char *data, size_t length, rt_encoder_step step,
                        rt_buffer *out)
{
    static const BrotliEncoderOperation operations[] = {
        BROTLI_OPERATION_PROCESS, BROTLI_OPERATION_FLUSH, BROTLI_OPERATION_FINISH};
    const uint8_t *in = (const uint8_t *)data;
    do {
        size_t room = 0, taken = 0;
        if (!BrotliEncoderCompressStream(encoder->brotli, operations[step], &length, &in, &room,
                                         NULL, NULL))
            return false;
        const uint8_t *made = BrotliEncoderTakeOutput(encoder->brotli, &taken);
        rt_buffer_add(out, made, taken);
    } while (length || BrotliEncoderHasMoreOutput(encoder->brotli));
    return true;
}

static bool feed_gzip(rt_encoder *encoder, const char *data, size_t length, rt_encoder_step step,
                      rt_buffer *out)
{
    static const int flushes[] = {Z_NO_FLUSH, Z_SYNC_FLUSH, Z_FINISH};
    z_stream *gzip = &encoder->gzip;
    gzip->next_in = (Bytef *)(uintptr_t)data;
    gzip->avail_in = (uInt)length; /* pieces are small */
    do {
        rt_buffer_reserve(out, ROOM);
        gzip->next_out = (Bytef *)out->data + out->length;
        gzip->avail_out = ROOM;
        int result = deflate(gzip, flushes[step]);
        if (result != Z_OK && result != Z_BUF_ERROR && result != Z_STREAM_END)
            return false;
        out->length += ROOM - gzip->avail_out;
    } while (gzip->avail_out == 0);
    return true;
}

bool rt_encoder_feed(rt_encoder *encoder, const char *data, size_t length, rt_encoder_step step,
                     rt_buffer *out)
{
    return (encoder->brotli ? feed_brotli : feed_gzip)(encoder, data, length, step, out);
}

void rt_encoder_free(rt_encoder *encoder)
{
    if (!encoder)
        return;
    if (encoder->brotli)
        BrotliEncoderDestroyInstance(encoder->brotli);
    else
        deflateEnd(&encoder->gzip);
    free(encoder);
}
