#include "base/pack.h"

#include <string.h>

void rt_pack_u64(rt_buffer *buffer, uint64_t number)
{
    rt_buffer_add(buffer, &number, sizeof number);
}

void rt_pack_text(rt_buffer *buffer, const char *text)
{
    size_t length = text ? strlen(text) : 0;
    rt_pack_u64(buffer, text ? length + 1 : 0);
    rt_buffer_add(buffer, text, length);
}

uint64_t rt_unpack_u64(rt_unpack *unpack)
{
    uint64_t number = 0;
    if (unpack->failed || (size_t)(unpack->end - unpack->next) < sizeof number) {
        unpack->failed = true;
        return 0;
    }
    memcpy(&number, unpack->next, sizeof number);
    unpack->next += sizeof number;
    return number;
}

char *rt_unpack_text(rt_unpack *unpack)
{
    uint64_t length = rt_unpack_u64(unpack);
    if (length == 0)
        return NULL;
    if (--length > (uint64_t)(unpack->end - unpack->next)) {
        unpack->failed = true;
        return NULL;
    }
    char *text = rt_arena_copy_n(unpack->arena, unpack->next, length);
    unpack->next += length;
    return text;
}

uint32_t rt_unpack_count(rt_unpack *unpack)
{
    uint64_t count = rt_unpack_u64(unpack);
    if (count > (uint64_t)(unpack->end - unpack->next)) {
        unpack->failed = true;
        return 0;
    }
    return (uint32_t)count;
}
