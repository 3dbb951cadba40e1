/* What the dynamic linker would find for a plugin, without asking it: its libraries, their versions
 * and the symbols it needs from them. */
#include "manifest/elf.h"
#include "manifest/parts.h"

#include <fcntl.h>
#include <gnu/lib-names.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINKER_CACHE "/etc/ld.so.cache"
#define LINKER_CACHE_LIMIT ((size_t)64 << 20)
#define MOST_LISTED 20 /* undefined symbols of one plugin */

#if defined(__x86_64__)
#define MULTIARCH "x86_64-linux-gnu"
#elif defined(__aarch64__)
#define MULTIARCH "aarch64-linux-gnu"
#elif defined(__riscv)
#define MULTIARCH "riscv64-linux-gnu"
#endif

static const char *const standard_folders[] = {
    "/lib/" MULTIARCH, "/usr/lib/" MULTIARCH, "/lib64", "/usr/lib64", "/lib", "/usr/lib"};

/* A name that a library goes by. `current` is what it means while one plugin is checked. */
typedef struct name {
    const char *text;
    uint32_t hash;
    uint32_t epoch; /* of `current` */
    struct library *current;
    struct library *usual; /* without any DT_RUNPATH; NULL: nowhere */
    bool searched;
} name;

typedef struct library {
    const char *path;
    void *map;
    size_t size;
    rt_elf elf;
    name **needed;
    name *soname;   /* or NULL */
    uint32_t epoch; /* of the scope it is in */
} library;

/* A path that was looked at. */
typedef struct attempt {
    const char *path;
    uint32_t hash;
    library *found; /* NULL: no library of ours is there */
} attempt;

struct rt_library_cache {
    rt_arena *arena;
    name **names;
    size_t name_count;
    attempt *attempts;
    size_t attempt_count;
    rt_buffer linker; /* the dynamic linker's own cache; no bytes if there is none */
    uint32_t epoch;   /* counts the plugins */
    library **scope;  /* what the plugin and its libraries need, in the linker's order */
    size_t scope_count, scope_capacity;
};

static uint32_t hash_of(const char *text)
{
    uint32_t hash = 2166136261u;
    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        hash = (hash ^ *c) * 16777619u;
    return hash;
}

static name *intern(rt_library_cache *cache, const char *text)
{
    uint32_t hash = hash_of(text);
    for (size_t i = 0; i < cache->name_count; i++)
        if (cache->names[i]->hash == hash && strcmp(cache->names[i]->text, text) == 0)
            return cache->names[i];
    name *fresh = RT_NEW(cache->arena, name);
    *fresh = (name){.text = rt_arena_copy(cache->arena, text), .hash = hash};
    rt_push(cache->arena, cache->names, cache->name_count) = fresh;
    return fresh;
}

/* --- files ----------------------------------------------------------------------------------- */

/* Looks before it opens: a plugin may name anything, and to open a device can do things. Mapped,
 * not read, for libraries are large, shared, and replaced by renaming. */
static void *map_file(const char *path, size_t *size)
{
    struct stat status;
    void *map = MAP_FAILED;
    if (stat(path, &status) < 0 || !S_ISREG(status.st_mode))
        return NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return NULL;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0) {
        *size = (size_t)status.st_size;
        map = mmap(NULL, *size, PROT_READ, MAP_PRIVATE, fd, 0);
    }
    close(fd);
    return map == MAP_FAILED ? NULL : map;
}

/* The dynamic linker passes over libraries of another machine, and so do we. */
static library *open_library(rt_library_cache *cache, const char *path)
{
    size_t size = 0;
    void *map = map_file(path, &size);
    if (!map)
        return NULL;
    library *fresh = RT_NEW(cache->arena, library);
    *fresh = (library){.path = path, .map = map, .size = size};
    if (rt_elf_open(&fresh->elf, cache->arena, map, size) != RT_ELF_SOUND) {
        rt_elf_close(&fresh->elf);
        munmap(map, size);
        return NULL;
    }
    fresh->needed = rt_arena_alloc(cache->arena, fresh->elf.needed_count * sizeof(name *));
    for (size_t i = 0; i < fresh->elf.needed_count; i++)
        fresh->needed[i] = intern(cache, fresh->elf.needed[i]);
    if (fresh->elf.soname)
        fresh->soname = intern(cache, fresh->elf.soname);
    return fresh;
}

static library *library_at(rt_library_cache *cache, const char *path)
{
    uint32_t hash = hash_of(path);
    for (size_t i = 0; i < cache->attempt_count; i++)
        if (cache->attempts[i].hash == hash && strcmp(cache->attempts[i].path, path) == 0)
            return cache->attempts[i].found;
    path = rt_arena_copy(cache->arena, path);
    library *found = open_library(cache, path);
    rt_push(cache->arena, cache->attempts, cache->attempt_count) = (attempt){path, hash, found};
    return found;
}

typedef struct piece {
    const char *text;
    size_t length;
} piece;

static library *library_in(rt_library_cache *cache, piece head, piece folder, const char *file)
{
    char path[4096];
    int size = snprintf(path, sizeof path, "%.*s%.*s/%s", (int)head.length, head.text,
                        (int)folder.length, folder.text, file);
    return size > 0 && (size_t)size < sizeof path ? library_at(cache, path) : NULL;
}

/* --- where the dynamic linker looks ---------------------------------------------------------- */

/* The head of ld.so.cache as glibc writes it since 2.2, and one entry. Offsets of texts count from
 * the start of the file. */
typedef struct linker_head {
    char magic[20];
    uint32_t entry_count;
    uint32_t strings_size;
    uint32_t unused[5];
} linker_head;
typedef struct linker_entry {
    int32_t flags;
    uint32_t file, path;
    uint32_t system;
    uint64_t capabilities; /* not 0: for some processors only */
} linker_entry;

static library *library_in_linker_cache(rt_library_cache *cache, const char *file)
{
    static const char magic[20] = "glibc-ld.so.cache1.1";
    const rt_buffer *bytes = &cache->linker;
    linker_head head;
    if (bytes->length < sizeof head || memcmp(bytes->data, magic, sizeof magic) != 0)
        return NULL;
    memcpy(&head, bytes->data, sizeof head);
    size_t room = (bytes->length - sizeof head) / sizeof(linker_entry);
    for (size_t i = 0; i < head.entry_count && i < room; i++) {
        linker_entry entry;
        memcpy(&entry, bytes->data + sizeof head + i * sizeof entry, sizeof entry);
        if (entry.capabilities || entry.file >= bytes->length || entry.path >= bytes->length ||
            strcmp(bytes->data + entry.file, file) != 0)
            continue;
        library *found = library_at(cache, bytes->data + entry.path);
        if (found)
            return found;
    }
    return NULL;
}

static piece whole(const char *text)
{
    return (piece){text, strlen(text)};
}

static library *search_usual(rt_library_cache *cache, name *wanted)
{
    if (wanted->searched)
        return wanted->usual;
    wanted->searched = true;
    wanted->usual = library_in_linker_cache(cache, wanted->text);
    for (size_t i = 0; i < RT_COUNT(standard_folders) && !wanted->usual; i++)
        wanted->usual = library_in(cache, whole(standard_folders[i]), whole(""), wanted->text);
    return wanted->usual;
}

/* One folder of a DT_RUNPATH. `$ORIGIN` is the folder of the object that has it; the linker's other
 * variables depend on the machine that runs it, so such folders are left out. */
static library *search_folder(rt_library_cache *cache, const char *origin, piece folder,
                              const char *file)
{
    static const char *const spellings[] = {"$ORIGIN", "${ORIGIN}"};
    if (!memchr(folder.text, '$', folder.length))
        return library_in(cache, whole(""), folder, file);
    const char *slash = strrchr(origin, '/');
    piece head = slash ? (piece){origin, (size_t)(slash - origin)} : whole(".");
    for (size_t i = 0; i < RT_COUNT(spellings); i++) {
        size_t spelled = strlen(spellings[i]);
        if (folder.length >= spelled && strncmp(folder.text, spellings[i], spelled) == 0)
            return library_in(cache, head, (piece){folder.text + spelled, folder.length - spelled},
                              file);
    }
    return NULL;
}

static library *search_path(rt_library_cache *cache, const char *origin, const char *path,
                            const char *file)
{
    library *found = NULL;
    for (; path && !found; path = strchr(path, ':') ? strchr(path, ':') + 1 : NULL) {
        size_t length = strcspn(path, ":");
        if (length)
            found = search_folder(cache, origin, (piece){path, length}, file);
    }
    return found;
}

static library *search(rt_library_cache *cache, const rt_manifest *manifest,
                       const library *requester, name *wanted)
{
    if (wanted->epoch == cache->epoch && wanted->current)
        return wanted->current;
    if (strchr(wanted->text, '/'))
        return library_at(cache, wanted->text);
    library *found = NULL;
    const char *runpath = requester ? requester->elf.runpath : NULL;
    if (requester)
        found = search_path(cache, requester->path, runpath ? runpath : requester->elf.rpath,
                            wanted->text);
    if (!found && (!requester || (manifest->runpath_inherited && !runpath)))
        found = search_path(cache, manifest->file, manifest->runpath, wanted->text);
    return found ? found : search_usual(cache, wanted);
}

/* --- the scope of one plugin ----------------------------------------------------------------- */

static void add_to_scope(rt_library_cache *cache, library *found, name *wanted)
{
    wanted->epoch = cache->epoch;
    wanted->current = found;
    if (found->epoch == cache->epoch)
        return;
    found->epoch = cache->epoch;
    if (found->soname) {
        found->soname->epoch = cache->epoch;
        found->soname->current = found;
    }
    if (cache->scope_count == cache->scope_capacity) {
        cache->scope_capacity = cache->scope_capacity ? cache->scope_capacity * 2 : 64;
        cache->scope = rt_xrealloc(cache->scope, cache->scope_capacity * sizeof *cache->scope);
    }
    cache->scope[cache->scope_count++] = found;
}

typedef struct link_check {
    rt_library_cache *cache;
    rt_diagnostics *diagnostics;
    const rt_manifest *manifest;
    rt_place place;
} link_check;

/* `requester` NULL: the plugin itself. */
static void require_library(const link_check *check, const library *requester, name *wanted)
{
    library *found = search(check->cache, check->manifest, requester, wanted);
    if (found) {
        add_to_scope(check->cache, found, wanted);
        return;
    }
    if (wanted->epoch == check->cache->epoch)
        return; /* reported */
    wanted->epoch = check->cache->epoch;
    wanted->current = NULL;
    rt_diagnostic *diagnostic =
        RT_DIAGNOSE(check->diagnostics, MISSING_LIBRARY, &check->place, check->place.file,
                    rt_shown(check->diagnostics->arena, wanted->text));
    if (requester)
        rt_note(diagnostic, "`%s` needs it, which the plugin needs", requester->path);
    rt_help(diagnostic,
            "install the package that has it; `ldconfig -p` lists what the linker knows");
}

/* Breadth first, as the dynamic linker does it. The C library is there whether asked for or not. */
static void collect_scope(const link_check *check)
{
    rt_library_cache *cache = check->cache;
    cache->epoch++;
    cache->scope_count = 0;
    for (size_t i = 0; i < check->manifest->needed_count; i++)
        require_library(check, NULL, intern(cache, check->manifest->needed[i]));
    for (size_t i = 0; i < cache->scope_count; i++) {
        const library *requester = cache->scope[i];
        for (size_t k = 0; k < requester->elf.needed_count; k++)
            require_library(check, requester, requester->needed[k]);
    }
    name *libc = intern(cache, LIBC_SO);
    library *found = search(cache, check->manifest, NULL, libc);
    if (found)
        add_to_scope(cache, found, libc);
}

/* --- versions and symbols -------------------------------------------------------------------- */

static library *current(rt_library_cache *cache, const char *file)
{
    const name *known = intern(cache, file);
    return known->epoch == cache->epoch ? known->current : NULL;
}

static bool version_is_there(rt_library_cache *cache, const rt_symbol_version *version)
{
    const library *named = version->weak ? NULL : current(cache, version->library);
    return !named || rt_elf_offers_version(&named->elf, version->name);
}

static void check_versions(const link_check *check)
{
    for (size_t i = 0; i < check->manifest->version_count; i++) {
        const rt_symbol_version *version = &check->manifest->versions[i];
        if (version_is_there(check->cache, version))
            continue;
        rt_diagnostic *diagnostic =
            RT_DIAGNOSE(check->diagnostics, MISSING_SYMBOL_VERSION, &check->place,
                        check->place.file, rt_shown(check->diagnostics->arena, version->name),
                        rt_shown(check->diagnostics->arena, version->library));
        rt_note(diagnostic, "the library found is `%s`",
                current(check->cache, version->library)->path);
        rt_help(diagnostic, "build the plugin on the oldest system it shall run on");
    }
}

#if defined(__has_feature)
#define HAS_FEATURE(feature) __has_feature(feature)
#else
#define HAS_FEATURE(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) ||   \
    HAS_FEATURE(address_sanitizer) || HAS_FEATURE(thread_sanitizer) || \
    HAS_FEATURE(undefined_behavior_sanitizer)
#define HOST_IS_SANITIZED true
#else
#define HOST_IS_SANITIZED false
#endif

/* clang links a sanitizer's functions into the program and leaves them undefined in plugins. */
static bool is_sanitizers(const char *symbol)
{
    static const char *const prefixes[] = {"__asan_", "__ubsan_", "__lsan_", "__tsan_",
                                           "__sanitizer_"};
    for (size_t i = 0; i < RT_COUNT(prefixes); i++)
        if (strncmp(symbol, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    return false;
}

static bool is_defined(rt_library_cache *cache, const rt_undefined *symbol)
{
    const rt_symbol_version *version = symbol->version;
    const char *version_name = version ? version->name : NULL;
    const library *named = version ? current(cache, version->library) : NULL;
    if (named && rt_elf_offers(&named->elf, symbol->name, version_name))
        return true;
    for (size_t i = 0; i < cache->scope_count; i++)
        if (rt_elf_offers(&cache->scope[i]->elf, symbol->name, version_name))
            return true;
    if (version && !version_is_there(cache, version))
        return true; /* reported as a version */
    return HOST_IS_SANITIZED && is_sanitizers(symbol->name);
}

static void report_undefined(const link_check *check, const rt_undefined *symbol)
{
    rt_diagnostic *diagnostic =
        RT_DIAGNOSE(check->diagnostics, UNDEFINED_SYMBOL, &check->place, check->place.file,
                    rt_shown(check->diagnostics->arena, symbol->name));
    if (symbol->version)
        rt_note(diagnostic, "its version is `%s` of `%s`",
                rt_shown(check->diagnostics->arena, symbol->version->name),
                rt_shown(check->diagnostics->arena, symbol->version->library));
    if (is_sanitizers(symbol->name))
        rt_help(diagnostic, "the plugin was built with a sanitizer, the host was not");
    else
        rt_help(diagnostic, "link the library that defines it, with `-z defs`");
}

static void check_symbols(const link_check *check)
{
    size_t missing = 0;
    for (size_t i = 0; i < check->manifest->undefined_count; i++)
        if (!is_defined(check->cache, &check->manifest->undefined[i]) && missing++ < MOST_LISTED)
            report_undefined(check, &check->manifest->undefined[i]);
    if (missing > MOST_LISTED)
        rt_note(check->diagnostics->items[check->diagnostics->count - 1],
                "%zu further undefined symbols are not listed", missing - MOST_LISTED);
}

bool rt_manifest_check_links(rt_library_cache *cache, rt_diagnostics *diagnostics,
                             const rt_manifest *manifest)
{
    const link_check check = {.cache = cache,
                              .diagnostics = diagnostics,
                              .manifest = manifest,
                              .place = {.file = manifest->file}};
    size_t errors = diagnostics->errors;
    collect_scope(&check);
    if (diagnostics->errors == errors) { /* else symbols would be missing for that reason alone */
        check_versions(&check);
        check_symbols(&check);
    }
    return diagnostics->errors == errors;
}

/* --- the cache ------------------------------------------------------------------------------- */

rt_library_cache *rt_library_cache_new(rt_arena *arena)
{
    rt_library_cache *cache = RT_NEW(arena, rt_library_cache);
    cache->arena = arena;
    if (rt_buffer_read_file(&cache->linker, LINKER_CACHE, LINKER_CACHE_LIMIT) < 0)
        rt_buffer_free(&cache->linker); /* the linker too goes on without it */
    return cache;
}

void rt_library_cache_close(rt_library_cache *cache)
{
    for (size_t i = 0; i < cache->attempt_count; i++) {
        library *found = cache->attempts[i].found;
        if (!found)
            continue;
        rt_elf_close(&found->elf);
        munmap(found->map, found->size);
    }
    cache->attempt_count = 0;
    free(cache->scope);
    cache->scope = NULL;
    rt_buffer_free(&cache->linker);
}
