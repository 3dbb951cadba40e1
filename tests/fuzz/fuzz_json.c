/* What is read is well formed by the second grammar too, nests and repeats nothing it must not, and
 * what that grammar refuses is refused. */
#include "http/json_read.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const rt_json_value *value, unsigned depth)
{
    if (depth > RT_JSON_DEPTH)
        abort();
    if (value->type == RT_JSON_STRING && strlen(value->value.text) != value->count)
        abort();
    if (value->type != RT_JSON_ARRAY && value->type != RT_JSON_OBJECT)
        return;
    uint64_t count = 0;
    for (const rt_json_value *v = value->value.first; v; v = v->next, count++) {
        if ((v->key != NULL) != (value->type == RT_JSON_OBJECT))
            abort();
        check(v, depth + 1);
        for (const rt_json_value *other = v->next; v->key && other; other = other->next)
            if (!strcmp(v->key, other->key))
                abort();
    }
    if (count != value->count)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rt_arena arena;
    const rt_json_value *value = NULL;
    char *text = malloc(size + !size);
    memcpy(text, data, size);
    rt_arena_init(&arena);
    const char *wrong = rt_json_read(&arena, text, size, &value);
    int64_t place = rt_json_wrong_byte(text, size);
    if (!wrong != (value != NULL) || (!wrong && place >= 0) || place > (int64_t)size)
        abort();
    if (value)
        check(value, 0);
    rt_arena_free(&arena);
    free(text);
    return 0;
}
