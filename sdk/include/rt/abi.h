/* rt/abi.h — what crosses the boundary between the host and a plugin
 *
 * A plugin exports one symbol, the descriptor `rt_module`; the host exports none and hands the
 * plugin one table of functions (rt/host.h). Every struct here starts with or carries its size,
 * grows only at its end, and holds fixed-width integers and pointers alone. A reader asks
 * RT_HAS(table, member) before it uses a member that came with a later minor version. Every
 * published offset is asserted in sdk/abi_check.c.
 *
 * Changes of the ABI, newest first:
 *
 *   1.3  Values that go along with a context; fields of an error; slices and their migrations.
 *
 *   1.2  Spans, metrics, the JSON form of methods; the version of an instance's module; inspection.
 *
 *   1.1  Bodies in pieces, trailers, files, event streams, WebSockets, health; who asks (peer,
 *        scheme, authority) in a request; `streams` and `uncompressed` of a route.
 *
 *   1.0  The first.
 */
#ifndef RT_ABI_H
#define RT_ABI_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define RT_ABI_MAJOR 1
#define RT_ABI_MINOR 3

#define RT_MODULE_MAGIC 0x31454c55444f4d52ull /* "RMODULE1" as bytes in memory */
#define RT_CTX_MAGIC 0x78746352u              /* "Rctx" */
#define RT_INSTANCE_MAGIC 0x74736e52u         /* "Rnst" */

/* 1 if the table at `table` is new enough to have `member`. */
#define RT_HAS(table, member) \
    ((table)->size >= offsetof(__typeof__(*(table)), member) + sizeof((table)->member))

/* Copies a struct that begins with its size (uint32_t) across a call, either way: `to` keeps its
 * size, gets what both have, and zeros for the rest. So a provider reads what an older caller gave
 * into a struct of its own, and answers into no more than the caller has room for. */
static inline void rt_struct_copy(void *to, const void *from)
{
    uint32_t room, given;
    memcpy(&room, to, sizeof room);
    memcpy(&given, from, sizeof given);
    uint32_t both = given < room ? given : room;
    if (both <= sizeof room)
        return;
    memcpy((char *)to + sizeof room, (const char *)from + sizeof room, both - sizeof room);
    memset((char *)to + both, 0, room - both);
}

/* Text with a length; not NUL-terminated unless its source says so. */
typedef struct rt_str {
    const char *data;
    uint64_t length;
} rt_str;

/* Of a text that ends in NUL; NULL is the empty one. */
static inline rt_str rt_string(const char *text)
{
    return (rt_str){text, text ? strlen(text) : 0};
}

#define RT_STR(literal) ((rt_str){("" literal), sizeof(literal) - 1})

typedef struct rt_ctx rt_ctx;
typedef struct rt_instance rt_instance;
typedef struct rt_registry rt_registry;
typedef struct rt_host rt_host;

/* One provider, as one consumer sees it. An element of an array, so it never grows. */
typedef struct rt_binding {
    const void *table;                /* the provider's methods, or a table of nulls; never NULL */
    rt_instance *instance;            /* the provider's instance; NULL: nothing is bound */
    const struct rt_effects *effects; /* instrumentation; NULL: call straight through */
    const struct rt_binding *all;     /* cardinality many: `count` bindings in order */
    uint32_t count;                   /* how many are bound: 0 or 1, or more for many */
    uint32_t reserved;
} rt_binding;

enum rt_setting_type {
    RT_SETTING_NONE = 0,
    RT_SETTING_STRING = 1,
    RT_SETTING_INT = 2,
    RT_SETTING_FLOAT = 3,
    RT_SETTING_BOOL = 4,
    RT_SETTING_ENUM = 5,
    RT_SETTING_DURATION = 6, /* integer, nanoseconds */
    RT_SETTING_SIZE = 7,     /* integer, bytes */
    RT_SETTING_URL = 8,
    RT_SETTING_ADDRESS = 9,
    RT_SETTING_PATH = 10,
    RT_SETTING_SECRET = 11,
    RT_SETTING_LIST = 12,
    RT_SETTING_GROUP = 13,
    RT_SETTING_MAP = 14, /* groups under names that the operator chose */
};

/* One value of the configuration, judged and converted. An array element: it never grows. */
typedef struct rt_setting {
    uint32_t type;    /* rt_setting_type; RT_SETTING_NONE: neither set nor defaulted */
    uint32_t count;   /* members of a list, group or map */
    const char *name; /* of a member of a group or map; else NULL */
    union {
        int64_t integer; /* int, bool, duration, size */
        double real;
        const char *text; /* string, enum, url, address, path, secret */
        const struct rt_setting *members;
    } value;
} rt_setting;

/* One module under one name, with settings and bindings of its own. */
struct rt_instance {
    uint32_t magic;
    uint32_t size;
    const rt_binding *bindings; /* by rt_slot.index */
    const rt_setting *settings; /* by rt_option.index */
    void *state;                /* the module's; see rt_set_state */
    const char *name;           /* as configured; the module's name unless it has another */
    const char *module;
    const char *version; /* of the module; since 1.2 */
};

/* The head of a context; the host's own part follows it. */
struct rt_ctx {
    uint32_t magic;
    uint32_t size;
    rt_instance *instance; /* whose code runs now */
};

/* A required capability. The host writes `index` once, before registration. */
typedef struct rt_slot {
    const char *capability;
    uint32_t major;
    uint32_t view_size; /* sizeof the table the module was compiled with */
    uint32_t index;
    uint32_t reserved;
} rt_slot;

/* A declared option. The host writes `index` once, before registration. */
typedef struct rt_option {
    const char *name;
    uint32_t type; /* rt_setting_type */
    uint32_t index;
} rt_option;

/* The one exported symbol of a plugin, `rt_module`. RT_MODULE defines it. */
typedef struct rt_module_descriptor {
    uint64_t magic;
    uint32_t size;
    uint16_t abi_major;
    uint16_t abi_minor;
    const char *name;
    const char *version;
    const rt_host **host; /* where the plugin keeps the host's table */
    int (*register_module)(rt_registry *registry);
    rt_slot *const *slots; /* null entries are skipped */
    rt_slot *const *slots_end;
    rt_option *const *options; /* likewise */
    rt_option *const *options_end;
} rt_module_descriptor;

#endif
