/* coding.h — content codings (RFC 9110, 8.4): which one a client wants, and encoders
 *
 * Without knowledge of requests and answers; compress.c has the policy.
 */
#ifndef RT_HTTP_CODING_H
#define RT_HTTP_CODING_H

#include "base/buffer.h"

#include <rt/abi.h>
#include <stdbool.h>

typedef enum rt_coding {
    RT_CODING_IDENTITY,
    RT_CODING_GZIP,
    RT_CODING_BROTLI,
    RT_CODING_COUNT,
} rt_coding;

extern const char *const rt_coding_names[RT_CODING_COUNT];

/* What Accept-Encoding says, in thousandths; -1: not named. */
typedef struct rt_acceptance {
    int16_t quality[RT_CODING_COUNT];
    int16_t others; /* `*` */
} rt_acceptance;

void rt_acceptance_begin(rt_acceptance *acceptance);
/* Adds what one field lists; malformed members count as none. */
void rt_acceptance_read(rt_acceptance *acceptance, rt_str field);
/* The best of the codings offered, of equally good ones the first; identity where none is wanted.
 */
rt_coding rt_acceptance_choose(const rt_acceptance *acceptance, const rt_coding *offered,
                               uint32_t count);

typedef enum rt_encoder_step {
    RT_ENCODER_GO_ON,
    RT_ENCODER_FLUSH, /* what was fed can be decoded from what is in `out` */
    RT_ENCODER_END,
} rt_encoder_step;

typedef struct rt_encoder rt_encoder;

/* `level` from 1 to 9; `size`: of what will be fed, 0: not known. NULL: no memory. */
rt_encoder *rt_encoder_new(rt_coding coding, int level, uint64_t size);
/* Appends to `out`. False: out of memory; the encoder is of no more use. */
bool rt_encoder_feed(rt_encoder *encoder, const char *data, size_t length, rt_encoder_step step,
                     rt_buffer *out);
void rt_encoder_free(rt_encoder *encoder);

#endif
