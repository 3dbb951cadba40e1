/* What a manifest can ask the sandbox to leave open. */
#include "manifest/parts.h"

const rt_word rt_need_words[RT_NEED_COUNT + 1] = {
    {"execute", RT_NEEDS_EXECUTE}, {"debug", RT_NEEDS_DEBUG}, {"namespaces", RT_NEEDS_NAMESPACES},
    {"keys", RT_NEEDS_KEYS},       {"uring", RT_NEEDS_URING}, {"faults", RT_NEEDS_FAULTS},
    {"profile", RT_NEEDS_PROFILE}, {"files", RT_NEEDS_FILES}, {NULL, 0},
};

const char *rt_need_name(size_t index)
{
    return rt_need_words[index].name;
}

void rt_needs_print(rt_buffer *text, uint32_t needs)
{
    const char *separator = "";
    for (size_t i = 0; i < RT_NEED_COUNT; i++) {
        if (!(needs & rt_need_words[i].value))
            continue;
        rt_buffer_format(text, "%s`%s`", separator, rt_need_words[i].name);
        separator = ", ";
    }
}
