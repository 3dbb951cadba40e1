/* record_json.h — a record (record.h) as one JSON object, as rt/inspect.h describes it */
#ifndef RT_TELEMETRY_RECORD_JSON_H
#define RT_TELEMETRY_RECORD_JSON_H

#include "base/buffer.h"

#include <stdbool.h>

/* Appends it, without a line end. False: the bytes are no record. */
bool rt_record_json(rt_buffer *out, const void *record, size_t size);

#endif
