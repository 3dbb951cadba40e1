/* elf.h — a shared object in memory, read with libelf and never run
 *
 * For plugins and for the libraries they need. Everything here comes from program headers and the
 * dynamic section, as the dynamic linker reads it; section headers may be stripped. Nothing is
 * trusted: each offset, address and count is checked against the bytes there are. Texts point into
 * the bytes, which outlive the view.
 */
#ifndef RT_MANIFEST_ELF_H
#define RT_MANIFEST_ELF_H

#include "base/arena.h"

#include <gelf.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum rt_elf_fault {
    RT_ELF_SOUND,
    RT_ELF_EMPTY,
    RT_ELF_FOREIGN,   /* no ELF file */
    RT_ELF_CLASS,     /* not of 64 bits */
    RT_ELF_ORDER,     /* the other byte order */
    RT_ELF_MACHINE,   /* `fault_text` names it */
    RT_ELF_TRUNCATED, /* headers speak of bytes beyond the end */
    RT_ELF_TYPE,      /* no shared object; `fault_text` says what it is */
    RT_ELF_DAMAGED,   /* `fault_text` says what is wrong */
} rt_elf_fault;

/* The single entries of the dynamic section that are of use. */
enum rt_elf_entry {
    RT_ELF_STRINGS,
    RT_ELF_STRINGS_SIZE,
    RT_ELF_SYMBOLS,
    RT_ELF_GNU_HASH,
    RT_ELF_HASH,
    RT_ELF_SYMBOL_VERSIONS,
    RT_ELF_NEEDS,
    RT_ELF_NEEDS_COUNT,
    RT_ELF_DEFINITIONS,
    RT_ELF_DEFINITIONS_COUNT,
    RT_ELF_RELOCATIONS,
    RT_ELF_RELOCATIONS_SIZE,
    RT_ELF_PACKED_RELOCATIONS,
    RT_ELF_PACKED_RELOCATIONS_SIZE,
    RT_ELF_SONAME,
    RT_ELF_RUNPATH,
    RT_ELF_RPATH,
    RT_ELF_FLAGS_1,
    RT_ELF_ENTRY_COUNT
};

/* A version that the object needs from a library or defines itself. */
typedef struct rt_elf_version {
    uint16_t index;
    bool weak;
    const char *library; /* NULL: defined here */
    const char *name;
} rt_elf_version;

typedef struct rt_elf_hash {
    const unsigned char *bloom, *buckets, *chains;
    uint32_t bloom_size, bloom_shift, bucket_count, first, chain_count;
} rt_elf_hash;

typedef struct rt_elf {
    rt_arena *arena;
    const unsigned char *bytes;
    size_t length;
    const char *fault_text; /* lower case, complete the sentence "it …" or "it is …" */
    Elf *handle;
    GElf_Ehdr header;
    GElf_Phdr *segments;
    size_t segment_count;
    uint64_t entries[RT_ELF_ENTRY_COUNT];
    uint32_t present; /* bits 1 << rt_elf_entry */
    const char *strings;
    size_t strings_size;
    const char **needed; /* DT_NEEDED */
    size_t needed_count;
    const char *soname, *runpath, *rpath; /* or NULL */
    Elf_Data *symbols, *symbol_versions;  /* or NULL */
    size_t symbol_count;
    rt_elf_hash gnu_hash; /* bucket_count 0: there is none */
    rt_elf_hash hash;     /* of System V; likewise */
    rt_elf_version *versions;
    size_t version_count;
    const rt_elf_version **version_by_index;
    size_t version_limit;
} rt_elf;

/* Reads the headers and the dynamic section. Call rt_elf_close whatever the result. */
rt_elf_fault rt_elf_open(rt_elf *elf, rt_arena *arena, const void *bytes, size_t length);
void rt_elf_close(rt_elf *elf);

/* `size` bytes that a loaded object has at an address, or NULL if the file does not hold them. */
const unsigned char *rt_elf_at(const rt_elf *elf, uint64_t address, uint64_t size);
/* The NUL-terminated text there, or NULL. */
const char *rt_elf_text_at(const rt_elf *elf, uint64_t address);

/* A symbol by its index; false if there is none. `version` may be NULL; it is set to the version
 * that is needed or defined, or to NULL. */
bool rt_elf_symbol(const rt_elf *elf, size_t index, GElf_Sym *symbol, const char **name,
                   const rt_elf_version **version);
bool rt_elf_defined(const GElf_Sym *symbol);

/* Whether the dynamic linker writes at this address, and what, before the load address is added:
 * RT_ELF_UNKNOWN where that depends on a symbol. */
#define RT_ELF_UNKNOWN UINT64_MAX
bool rt_elf_relocation(const rt_elf *elf, uint64_t address, uint64_t *value);

/* Whether the dynamic linker would take `name` from this object. `version` NULL: any default. */
bool rt_elf_offers(const rt_elf *elf, const char *name, const char *version);
/* Whether the object defines the version; true if it has no versions at all. */
bool rt_elf_offers_version(const rt_elf *elf, const char *version);

/* --- between elf.c and elf_symbols.c --------------------------------------------------------- */

rt_elf_fault rt_elf_read_symbols(rt_elf *elf);
rt_elf_fault rt_elf_damaged(rt_elf *elf, const char *text);
bool rt_elf_has(const rt_elf *elf, enum rt_elf_entry entry);
/* The text at an offset of DT_STRTAB, or NULL. */
const char *rt_elf_string(const rt_elf *elf, uint64_t offset);
/* What is at an address; sets `*left` to the bytes from there to the end of the segment. */
const unsigned char *rt_elf_place(const rt_elf *elf, uint64_t address, uint64_t *left);
/* `count` records of `size` bytes at an address, as libelf's gelf_get… functions want them; with
 * count 0 all to the end of the segment. */
Elf_Data *rt_elf_records(const rt_elf *elf, uint64_t address, size_t count, size_t size,
                         Elf_Type type);

#endif
