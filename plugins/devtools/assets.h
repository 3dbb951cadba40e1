/* assets.h — the files of the page, put into the plugin when it is built (embed.py) */
#ifndef RT_DEVTOOLS_ASSETS_H
#define RT_DEVTOOLS_ASSETS_H

#include <stddef.h>

struct asset {
    const char *name, *type, *tag; /* tag: with its quotes */
    const char *data;
    size_t length;
};
extern const struct asset assets[] __attribute__((visibility("hidden")));
extern const size_t asset_count __attribute__((visibility("hidden")));

#endif
