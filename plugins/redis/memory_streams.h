/* memory_streams.h — what the commands on streams and on their groups share */
#ifndef PLUGINS_REDIS_MEMORY_STREAMS_H
#define PLUGINS_REDIS_MEMORY_STREAMS_H

#include "memory_engine.h"

enum { RT_STREAM_ID_TEXT = RT_ENGINE_ROOM };

/* "5-1"; "5" with the sequence `otherwise`. */
bool rt_stream_id_parse(rt_str text, uint64_t otherwise, rt_stream_id *id);
/* The same, or an error is the reply. */
bool rt_stream_id_read(rt_call *call, uint32_t index, uint64_t otherwise, rt_stream_id *id);
/* Ends of a range: -, +, an id, "(" and an id. False: an error is the reply. */
bool rt_stream_bound_read(rt_call *call, uint32_t index, bool last, rt_stream_id *id);
/* The id behind this one; false: there is none. */
bool rt_stream_id_next(rt_stream_id *id);

void rt_out_stream_id(rt_output *out, rt_stream_id id);
void rt_out_stream_item(rt_output *out, const rt_stream_item *item);

/* XREADGROUP of one stream; what is new, or what the consumer has pending from the id on. */
struct rt_group_read {
    rt_call *call;
    rt_stream *stream;
    rt_stream_group *group;
    rt_str key, consumer;
    uint64_t most; /* 0: all */
    bool no_ack;
};
bool rt_group_read_new(const struct rt_group_read *read);
void rt_group_read_pending(const struct rt_group_read *read, rt_stream_id from);
/* NULL: NOGROUP is the reply. */
rt_stream_group *rt_group_find(rt_call *call, rt_stream *stream, rt_str key, rt_str group,
                               const char *command);

#endif
