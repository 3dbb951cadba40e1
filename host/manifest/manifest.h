/* manifest.h — what a plugin file says about itself, read without running it
 *
 * Reads the ELF notes that rt/module.h writes (owner "RT", type 1, found through PT_NOTE), the
 * build-id, DT_NEEDED and the undefined and exported symbols, with libelf over bytes in memory.
 * Every offset and count is checked against the file; 64 KiB of notes at most. A file that breaks a
 * rule gives one diagnostic for each broken rule and no manifest.
 */
#ifndef RT_MANIFEST_MANIFEST_H
#define RT_MANIFEST_MANIFEST_H

#include "base/diagnostic.h"

#include <rt/abi.h>

typedef enum rt_tier { RT_TIER_PRODUCTION, RT_TIER_FALLBACK, RT_TIER_TEST } rt_tier;

/* Bits of `serves`. */
enum { RT_SERVES_ROUTES = 1, RT_SERVES_SERVICES = 2, RT_SERVES_JOBS = 4, RT_SERVES_EVENTS = 8 };

/* Bits of `needs`: what the sandbox refuses unless a module of the plan asks for it. By index,
 * rt_need_name has their words. */
enum {
    RT_NEEDS_EXECUTE = 1,    /* other programs */
    RT_NEEDS_DEBUG = 2,      /* look into other processes */
    RT_NEEDS_NAMESPACES = 4, /* new namespaces */
    RT_NEEDS_KEYS = 8,       /* the kernel's keyrings */
    RT_NEEDS_URING = 16,     /* io_uring */
    RT_NEEDS_FAULTS = 32,    /* userfaultfd */
    RT_NEEDS_PROFILE = 64,   /* perf_event_open */
    RT_NEEDS_FILES = 128,    /* files beyond those of `path` options */
    RT_NEED_COUNT = 8,
};
const char *rt_need_name(size_t index);
void rt_needs_print(rt_buffer *text, uint32_t needs); /* "`execute`, `files`" */

typedef enum rt_environment {
    RT_DEVELOPMENT,
    RT_TEST,
    RT_STAGING,
    RT_PRODUCTION,
    RT_ENVIRONMENT_COUNT
} rt_environment;
extern const char *const rt_environment_names[RT_ENVIRONMENT_COUNT];

/* One declared option or field: of a module, or of the host's own sections. Option names keep the
 * `_` they are declared with; module and capability names are spelled with `-`. */
typedef struct rt_option_spec {
    const char *name;
    enum rt_setting_type type;
    enum rt_setting_type of;  /* what a list holds */
    const char *default_text; /* in libconfig's syntax, or NULL */
    const char *least, *most; /* as written, or NULL: numbers, durations, sizes; lengths of texts */
    const char **values;      /* of an enum */
    size_t value_count;
    const struct rt_option_spec *fields; /* of a group, a list of groups, a map */
    size_t field_count;
    bool required, read, write, not_secret;
    /* For texts of the host's own settings: what is wrong with one, or NULL; and what it is called.
     */
    const char *(*check)(const char *text);
    const char *kind;
    const char *required_with; /* required when the option of this name is set; or NULL */
    const char *help;
} rt_option_spec;

/* Options every module's group may have: enabled, module, start, use, effects. */
extern const rt_option_spec rt_module_options[];
extern const size_t rt_module_option_count;
const rt_option_spec *rt_option_find(const rt_option_spec *options, size_t count, const char *name);
/* It is a secret, or a list, group or map that holds one. */
bool rt_option_holds_secret(const rt_option_spec *option);

typedef struct rt_method_spec {
    const char *name;
    bool waits, idempotent;
} rt_method_spec;

typedef struct rt_provides {
    const char *capability; /* with `-` */
    uint32_t major;
    rt_tier tier;
    int32_t priority;
    bool development_only; /* also of tier test */
    bool process_local;    /* of this capability; the manifest has the module's own */
    bool many;             /* the capability binds all its providers */
    rt_method_spec *methods;
    size_t method_count;
} rt_provides;

typedef struct rt_requires {
    const char *capability; /* with `-` */
    uint32_t major;
    bool optional, raw, many;
    rt_method_spec *methods; /* that it was compiled with */
    size_t method_count;
} rt_requires;

typedef struct rt_event {
    const char *topic;
    const char *wire; /* of a published one */
    uint32_t version;
} rt_event;

/* What holds for the module while an option has a value. */
typedef struct rt_manifest_condition {
    const char *path; /* of an option, fields joined by `.` */
    const char *equals;
    bool process_local; /* else it is development-only */
} rt_manifest_condition;

/* A version of a library's symbols, "GLIBC_2.34" of "libc.so.6". */
typedef struct rt_symbol_version {
    const char *library;
    const char *name;
    bool weak; /* its absence is no error */
} rt_symbol_version;

/* What the plugin uses and does not define; weak ones are left out. */
typedef struct rt_undefined {
    const char *name;
    const rt_symbol_version *version; /* or NULL */
} rt_undefined;

typedef struct rt_manifest {
    const char *file;
    const char *name, *version, *summary;
    uint16_t abi_major, abi_minor;
    bool development_only, process_local;
    bool inspects;       /* it looks at the host, by rt/inspect.h */
    uint32_t serves;     /* RT_SERVES_… */
    uint32_t enabled_in; /* bits 1 << rt_environment; 0: everywhere */
    uint32_t stack_size; /* bytes; 0: the default */
    uint32_t needs;      /* RT_NEEDS_… */
    const char *slice;   /* of tables and migrations, with `-`; NULL: none */
    rt_provides *provides;
    size_t provides_count;
    rt_requires *requires; /* optional ones too */
    size_t requires_count;
    rt_option_spec *options;
    size_t option_count;
    rt_event *publishes, *handles;
    size_t publishes_count, handles_count;
    rt_manifest_condition *conditions;
    size_t condition_count;
    const char *build_id;     /* hexadecimal, or NULL */
    unsigned char digest[32]; /* SHA-256 of the file that was judged: what is loaded must have it */
    const char **needed;      /* DT_NEEDED */
    size_t needed_count;
    const char *runpath;    /* DT_RUNPATH or DT_RPATH, or NULL */
    bool runpath_inherited; /* it is a DT_RPATH: also for what the libraries need */
    rt_symbol_version *versions;
    size_t version_count;
    rt_undefined *undefined;
    size_t undefined_count;
} rt_manifest;

#define RT_PLUGIN_SIZE_LIMIT ((size_t)256 << 20)

/* Reads a plugin file, or bytes of one that `path` names. NULL after errors were added. The file
 * may be a directory, a FIFO, unreadable or anything: each is a diagnostic, none blocks. */
rt_manifest *rt_manifest_read(rt_arena *arena, rt_diagnostics *diagnostics, const char *path);
rt_manifest *rt_manifest_parse(rt_arena *arena, rt_diagnostics *diagnostics, const char *path,
                               const void *bytes, size_t length);

/* Judges what the dynamic linker would find: every DT_NEEDED library exists where ld.so looks
 * (DT_RUNPATH with $ORIGIN, the cache's folders, the standard folders; no LD_LIBRARY_PATH), and
 * every strong undefined symbol and version is defined by one of them, theirs or libc's. Parsed,
 * never run. Adds diagnostics; false if there was an error. The cache serves many plugins. */
typedef struct rt_library_cache rt_library_cache;
rt_library_cache *rt_library_cache_new(rt_arena *arena);
bool rt_manifest_check_links(rt_library_cache *cache, rt_diagnostics *diagnostics,
                             const rt_manifest *manifest);
void rt_library_cache_close(rt_library_cache *cache); /* unmaps files */

const char *rt_tier_name(rt_tier tier);

#endif
