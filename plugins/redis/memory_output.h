/* memory_output.h — replies as the server writes them (RESP 2), and as redis/1 gives them
 *
 * Commands write bytes, whoever asked reads them: the caller of redis/1 into the memory of its
 * context, a script into values of Lua. Memory that runs out is remembered, not reported: what is
 * written after it is dropped.
 */
#ifndef PLUGINS_REDIS_MEMORY_OUTPUT_H
#define PLUGINS_REDIS_MEMORY_OUTPUT_H

#include <rt/cap/redis.h>
#include <stdbool.h>

typedef struct rt_output {
    char *data;
    uint64_t length, capacity;
    bool failed;
} rt_output;

void rt_output_close(rt_output *out);
/* Empties it for the next command; a large buffer is given back. */
void rt_output_reset(rt_output *out);

void rt_out_string(rt_output *out, rt_str text);
void rt_out_integer(rt_output *out, int64_t integer);
void rt_out_double(rt_output *out, double number);
void rt_out_status(rt_output *out, const char *status);
void rt_out_null(rt_output *out);
void rt_out_array(rt_output *out, uint64_t count);
/* `text` begins with the error's first word; line ends in it become blanks. */
void rt_out_error(rt_output *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What another one holds. */
void rt_out_append(rt_output *out, const rt_output *more);

/* An array whose length is known only at its end. */
uint64_t rt_out_begin(rt_output *out);
void rt_out_end(rt_output *out, uint64_t begin, uint64_t count);

/* One line of a reply: its type, its number, its text. Returns where the next begins. */
typedef struct rt_output_item {
    char type;       /* + - : $ * */
    int64_t integer; /* also the length; -1: null */
    rt_str text;
} rt_output_item;
const char *rt_output_next(const char *at, rt_output_item *item);

/* The whole reply, in the memory of the context. Returns where the next begins. */
const char *rt_output_read(rt_ctx *ctx, const char *at, rt_redis_reply *reply);

#endif
