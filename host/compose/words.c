/* Words of messages, and paths as the configuration means them. */
#include "compose/internal.h"

#include <stdarg.h>
#include <string.h>

const char *rt_relative_path(const rt_composer *composer, const char *path)
{
    if (path[0] == '/' || !*composer->main_folder)
        return path;
    return rt_arena_format(composer->arena, "%s/%s", composer->main_folder, path);
}

void rt_list_add(rt_composer *composer, const char **list, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const char *item = rt_arena_vformat(composer->arena, format, arguments);
    va_end(arguments);
    *list = *list ? rt_arena_format(composer->arena, "%s, %s", *list, item) : item;
}
