/* The symbols of a plugin: the descriptor it must export, what else it exports, what it needs. */
#include "manifest/parts.h"

#include <string.h>

#define DESCRIPTOR "rt_module"
#define MOST_LISTED 5

/* The descriptor of ABI 1.0: no plugin has a smaller one. */
#define LEAST_SIZE (offsetof(rt_module_descriptor, options_end) + sizeof(void *))

/* --- the descriptor -------------------------------------------------------------------------- */

static bool find_descriptor(const rt_elf *elf, GElf_Sym *symbol)
{
    const char *name;
    for (size_t i = 1; i < elf->symbol_count; i++)
        if (rt_elf_symbol(elf, i, symbol, &name, NULL) && strcmp(name, DESCRIPTOR) == 0 &&
            rt_elf_defined(symbol))
            return true;
    return false;
}

/* Copies what the file holds of the descriptor, or says why it holds none. */
static const char *read_descriptor(const rt_elf *elf, rt_module_descriptor *descriptor,
                                   uint64_t *address)
{
    GElf_Sym symbol;
    if (!find_descriptor(elf, &symbol))
        return "it exports no object `" DESCRIPTOR "`";
    if (GELF_ST_TYPE(symbol.st_info) != STT_OBJECT)
        return "its `" DESCRIPTOR "` is not an object";
    const unsigned char *bytes = rt_elf_at(elf, symbol.st_value, LEAST_SIZE);
    if (!bytes || symbol.st_size < LEAST_SIZE)
        return "its `" DESCRIPTOR "` is too small";
    memcpy(descriptor, bytes, LEAST_SIZE);
    *address = symbol.st_value;
    if (descriptor->magic != RT_MODULE_MAGIC)
        return "its `" DESCRIPTOR "` lacks the magic number";
    if (descriptor->size < LEAST_SIZE || descriptor->size > symbol.st_size)
        return "its `" DESCRIPTOR "` has the wrong size";
    return NULL;
}

static void differs(rt_plugin *plugin, const char *what, const char *descriptor,
                    const char *manifest)
{
    const char *text =
        rt_arena_format(plugin->arena, "%s is `%s` there and `%s` in the notes", what,
                        rt_shown(plugin->arena, descriptor), rt_shown(plugin->arena, manifest));
    rt_help(RT_DIAGNOSE(plugin->diagnostics, DESCRIPTOR_DIFFERS, &plugin->place, plugin->place.file,
                        text),
            "build the plugin again");
}

static bool same_name(const char *left, const char *right)
{
    for (; *left && *right; left++, right++)
        if (*left != *right && !(*left == '_' && *right == '-'))
            return false;
    return *left == *right;
}

/* What the linker will put there is known before loading unless it depends on a symbol. */
static void compare_text(rt_plugin *plugin, uint64_t address, const char *what,
                         const char *manifest)
{
    uint64_t value;
    bool known = rt_elf_relocation(&plugin->elf, address, &value) && value != RT_ELF_UNKNOWN;
    const char *text = known ? rt_elf_text_at(&plugin->elf, value) : NULL;
    if (text && !same_name(text, manifest))
        differs(plugin, what, text, manifest);
}

static void judge_registration(rt_plugin *plugin, uint64_t address)
{
    const rt_elf *elf = &plugin->elf;
    uint64_t value;
    bool written =
        rt_elf_relocation(elf, address + offsetof(rt_module_descriptor, register_module), &value);
    bool code = value == RT_ELF_UNKNOWN;
    for (size_t i = 0; i < elf->segment_count; i++) {
        const GElf_Phdr *segment = &elf->segments[i];
        code |= segment->p_type == PT_LOAD && segment->p_flags & PF_X &&
                value >= segment->p_vaddr && value - segment->p_vaddr < segment->p_memsz;
    }
    if (!written || !code)
        rt_help(
            RT_DIAGNOSE(plugin->diagnostics, NO_REGISTRATION, &plugin->place, plugin->place.file),
            "define it with RT_REGISTER");
}

static void compare(rt_plugin *plugin, const rt_module_descriptor *descriptor, uint64_t address)
{
    const rt_manifest *manifest = plugin->manifest;
    if (descriptor->abi_major != manifest->abi_major ||
        descriptor->abi_minor != manifest->abi_minor)
        differs(
            plugin, "the ABI",
            rt_arena_format(plugin->arena, "%u.%u", descriptor->abi_major, descriptor->abi_minor),
            rt_arena_format(plugin->arena, "%u.%u", manifest->abi_major, manifest->abi_minor));
    compare_text(plugin, address + offsetof(rt_module_descriptor, name), "the name",
                 manifest->name);
    compare_text(plugin, address + offsetof(rt_module_descriptor, version), "the version",
                 manifest->version);
}

void rt_descriptor_judge(rt_plugin *plugin, bool notes_are_sound)
{
    rt_module_descriptor descriptor;
    uint64_t address;
    const char *problem = read_descriptor(&plugin->elf, &descriptor, &address);
    if (problem) {
        rt_help(RT_DIAGNOSE(plugin->diagnostics, NO_DESCRIPTOR, &plugin->place, plugin->place.file,
                            problem),
                "RT_MODULE defines it; link with the flags of `pkg-config --libs rt-sdk`");
        return;
    }
    if (notes_are_sound)
        compare(plugin, &descriptor, address);
    judge_registration(plugin, address);
}

/* --- symbols --------------------------------------------------------------------------------- */

/* Copies a text of the file. Names may share bytes, so a small file can claim to hold far more than
 * it does: all copies together may be no longer than the file. */
static const char *keep(rt_plugin *plugin, const char *text, size_t *budget)
{
    size_t length = strlen(text);
    if (length >= *budget) {
        *budget = 0;
        return NULL;
    }
    *budget -= length + 1;
    return rt_arena_copy_n(plugin->arena, text, length);
}

static void keep_needs(rt_plugin *plugin, size_t *budget)
{
    const rt_elf *elf = &plugin->elf;
    rt_manifest *manifest = plugin->manifest;
    for (size_t i = 0; i < elf->needed_count && *budget; i++)
        rt_push(plugin->arena, manifest->needed, manifest->needed_count) =
            keep(plugin, elf->needed[i], budget);
    manifest->runpath_inherited = !elf->runpath && elf->rpath;
    const char *runpath = elf->runpath ? elf->runpath : elf->rpath;
    manifest->runpath = runpath ? keep(plugin, runpath, budget) : NULL;
    for (size_t i = 0; i < elf->version_count && elf->versions[i].library && *budget; i++)
        rt_push(plugin->arena, manifest->versions, manifest->version_count) =
            (rt_symbol_version){.library = keep(plugin, elf->versions[i].library, budget),
                                .name = keep(plugin, elf->versions[i].name, budget),
                                .weak = elf->versions[i].weak};
}

static void keep_undefined(rt_plugin *plugin, const char *name, const rt_elf_version *version,
                           size_t *budget)
{
    rt_manifest *manifest = plugin->manifest;
    size_t index = version ? (size_t)(version - plugin->elf.versions) : manifest->version_count;
    rt_push(plugin->arena, manifest->undefined, manifest->undefined_count) = (rt_undefined){
        .name = keep(plugin, name, budget),
        .version = index < manifest->version_count ? &manifest->versions[index] : NULL};
}

/* The linker's own (`_init`, `__bss_start`) and the sanitizers' begin with `_`. */
static bool is_stray(const GElf_Sym *symbol, const char *name)
{
    return rt_elf_defined(symbol) && *name && *name != '_' && strcmp(name, DESCRIPTOR) != 0 &&
           GELF_ST_VISIBILITY(symbol->st_other) != STV_HIDDEN;
}

static void warn_of_stray(rt_plugin *plugin, const char *names, size_t count)
{
    if (count > MOST_LISTED)
        names =
            rt_arena_format(plugin->arena, "%s and %zu more symbols", names, count - MOST_LISTED);
    if (count)
        rt_help(RT_DIAGNOSE(plugin->diagnostics, EXPORTED_SYMBOLS, &plugin->place,
                            plugin->place.file, names),
                "`pkg-config --cflags --libs rt-sdk` prints flags that hide them");
}

void rt_symbols_collect(rt_plugin *plugin)
{
    const rt_elf *elf = &plugin->elf;
    size_t budget = elf->length, stray_count = 0;
    const char *stray = "", *name;
    const rt_elf_version *version;
    GElf_Sym symbol;
    keep_needs(plugin, &budget);
    for (size_t i = 1; rt_elf_symbol(elf, i, &symbol, &name, &version) && budget; i++) {
        if (symbol.st_shndx == SHN_UNDEF && GELF_ST_BIND(symbol.st_info) == STB_GLOBAL && *name)
            keep_undefined(plugin, name, version, &budget);
        else if (is_stray(&symbol, name) && stray_count++ < MOST_LISTED)
            stray = rt_arena_format(plugin->arena, "%s%s`%s`", stray, *stray ? ", " : "",
                                    rt_shown(plugin->arena, name));
    }
    warn_of_stray(plugin, stray, stray_count);
    if (!budget)
        RT_DIAGNOSE(plugin->diagnostics, PLUGIN_DAMAGED, &plugin->place, plugin->place.file,
                    "has more names than bytes");
}
