/* json_read.h — the strict reader behind rt_json_parse */
#ifndef RT_HTTP_JSON_READ_H
#define RT_HTTP_JSON_READ_H

#include "base/arena.h"

#include <rt/json.h>

#define RT_JSON_DEPTH 64

/* Builds the tree in the arena. NULL, or what is wrong (in the arena, or static). */
const char *rt_json_read(rt_arena *arena, const char *text, size_t length,
                         const rt_json_value **value);

/* The offset of the first byte that breaks the grammar (`length`: it ends too early), or -1. */
int64_t rt_json_wrong_byte(const char *text, size_t length);

#endif
