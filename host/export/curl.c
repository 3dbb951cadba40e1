#include "export/curl.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

#define LIBRARY "libcurl.so.4"

#define FUNCTION(member)                           \
    {                                              \
        "curl_" #member, offsetof(rt_curl, member) \
    }
static const struct {
    const char *name;
    size_t offset;
} functions[] = {
    FUNCTION(global_init),      FUNCTION(global_cleanup),      FUNCTION(easy_init),
    FUNCTION(easy_cleanup),     FUNCTION(easy_setopt),         FUNCTION(easy_getinfo),
    FUNCTION(easy_strerror),    FUNCTION(multi_init),          FUNCTION(multi_cleanup),
    FUNCTION(multi_add_handle), FUNCTION(multi_remove_handle), FUNCTION(multi_perform),
    FUNCTION(multi_poll),       FUNCTION(multi_info_read),     FUNCTION(slist_append),
    FUNCTION(slist_free_all),
};

_Static_assert(sizeof functions / sizeof functions[0] == sizeof(rt_curl) / sizeof(void (*)(void)),
               "one row for each function");

const rt_curl *rt_curl_load(const char **error)
{
    static rt_curl loaded;
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!library) {
        *error = dlerror();
        return NULL;
    }
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        void *function = dlsym(library, functions[i].name);
        if (!function) {
            *error = dlerror();
            return NULL;
        }
        memcpy((char *)&loaded + functions[i].offset, &function, sizeof function);
    }
    if (loaded.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        *error = LIBRARY ": cannot be initialised";
        return NULL;
    }
    return &loaded;
}
