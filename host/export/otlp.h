/* otlp.h — records as OTLP's protobuf messages
 *
 * Each function appends one field to what it is given: a span or log line as an item of its scope,
 * an attribute as a KeyValue. Texts that are no UTF-8 are mended.
 */
#ifndef RT_EXPORT_OTLP_H
#define RT_EXPORT_OTLP_H

#include "base/buffer.h"
#include "telemetry/record.h"

void rt_otlp_span(rt_buffer *items, rt_record_view *view);
void rt_otlp_log(rt_buffer *items, rt_record_view *view);

/* A KeyValue as field `number`. */
void rt_otlp_text_attribute(rt_buffer *out, uint32_t number, rt_str name, rt_str text);

#endif
