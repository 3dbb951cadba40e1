#include "manifest/elf.h"

#include <elf.h>
#include <string.h>

#define MOST_SEGMENTS 256
#define MOST_NEEDED 1024
#define MOST_PACKED ((uint64_t)1 << 20) /* bytes of packed relocations */

#if defined(__x86_64__)
#define OUR_MACHINE EM_X86_64
#define RELATIVE R_X86_64_RELATIVE
#elif defined(__aarch64__)
#define OUR_MACHINE EM_AARCH64
#define RELATIVE R_AARCH64_RELATIVE
#elif defined(__riscv)
#define OUR_MACHINE EM_RISCV
#define RELATIVE R_RISCV_RELATIVE
#else
#error "name the machine of ELF files here, and the number of its RELATIVE relocation"
#endif

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define OUR_ORDER ELFDATA2LSB
#else
#define OUR_ORDER ELFDATA2MSB
#endif

rt_elf_fault rt_elf_damaged(rt_elf *elf, const char *text)
{
    elf->fault_text = text;
    return RT_ELF_DAMAGED;
}

static bool fits(const rt_elf *elf, uint64_t offset, uint64_t size)
{
    return offset <= elf->length && size <= elf->length - offset;
}

static const char *machine_name(rt_arena *arena, unsigned machine)
{
    static const struct {
        unsigned machine;
        const char *name;
    } names[] = {
        {EM_X86_64, "x86-64"},
        {EM_AARCH64, "aarch64"},
        {EM_RISCV, "riscv"},
        {EM_386, "i386"},
        {EM_ARM, "arm"},
        {EM_PPC64, "ppc64"},
        {EM_S390, "s390"},
        {EM_MIPS, "mips"},
        {EM_SPARCV9, "sparc"},
        {EM_IA_64, "ia64"},
        {EM_BPF, "a kernel's bpf"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].machine == machine)
            return names[i].name;
    return rt_arena_format(arena, "number %u", machine);
}

/* --- headers --------------------------------------------------------------------------------- */

static rt_elf_fault judge_identity(rt_elf *elf)
{
    static const unsigned char magic[] = {0x7f, 'E', 'L', 'F'};
    const unsigned char *identity = elf->bytes;
    if (elf->length == 0)
        return RT_ELF_EMPTY;
    if (memcmp(identity, magic, elf->length < 4 ? elf->length : 4) != 0)
        return RT_ELF_FOREIGN;
    if (elf->length < EI_NIDENT)
        return RT_ELF_TRUNCATED;
    if (identity[EI_CLASS] != ELFCLASS64)
        return identity[EI_CLASS] == ELFCLASS32
                   ? RT_ELF_CLASS
                   : rt_elf_damaged(elf, "has an unknown class of ELF");
    if (identity[EI_DATA] != OUR_ORDER)
        return RT_ELF_ORDER;
    if (identity[EI_VERSION] != EV_CURRENT)
        return rt_elf_damaged(elf, "has an unknown version of ELF");
    return elf->length < sizeof(Elf64_Ehdr) ? RT_ELF_TRUNCATED : RT_ELF_SOUND;
}

/* By hand, so that libelf never sees counts it would reserve memory for. */
static rt_elf_fault judge_header(rt_elf *elf)
{
    Elf64_Ehdr header;
    memcpy(&header, elf->bytes, sizeof header);
    if (header.e_machine != OUR_MACHINE) {
        elf->fault_text = machine_name(elf->arena, header.e_machine);
        return RT_ELF_MACHINE;
    }
    if (header.e_type != ET_DYN) {
        elf->fault_text = header.e_type == ET_REL    ? "an object file that was not linked"
                          : header.e_type == ET_EXEC ? "a program"
                          : header.e_type == ET_CORE ? "a memory dump"
                                                     : "an unknown type of ELF file";
        return RT_ELF_TYPE;
    }
    if (header.e_phnum == 0)
        return rt_elf_damaged(elf, "has no program headers");
    if (header.e_phentsize != sizeof(Elf64_Phdr))
        return rt_elf_damaged(elf, "has program headers of unknown form");
    if (header.e_phnum > MOST_SEGMENTS)
        return rt_elf_damaged(elf, "has more than 256 program headers");
    if (header.e_shoff && (header.e_shnum == 0 || header.e_shentsize != sizeof(Elf64_Shdr)))
        return rt_elf_damaged(elf, "has section headers of unknown form");
    if (!header.e_shoff && header.e_shnum)
        return rt_elf_damaged(elf, "has section headers at no place");
    if (!fits(elf, header.e_phoff, header.e_phnum * sizeof(Elf64_Phdr)) ||
        !fits(elf, header.e_shoff, header.e_shnum * sizeof(Elf64_Shdr)))
        return RT_ELF_TRUNCATED;
    return RT_ELF_SOUND;
}

static rt_elf_fault read_segments(rt_elf *elf)
{
    elf->segment_count = elf->header.e_phnum;
    elf->segments = rt_arena_alloc(elf->arena, elf->segment_count * sizeof *elf->segments);
    for (size_t i = 0; i < elf->segment_count; i++) {
        GElf_Phdr *segment = &elf->segments[i];
        if (!gelf_getphdr(elf->handle, (int)i, segment))
            return rt_elf_damaged(elf, "has program headers that cannot be read");
        if (segment->p_filesz && !fits(elf, segment->p_offset, segment->p_filesz))
            return RT_ELF_TRUNCATED;
        if (segment->p_type == PT_LOAD && segment->p_filesz > segment->p_memsz)
            return rt_elf_damaged(elf, "has a segment larger in the file than in memory");
        if (segment->p_vaddr + segment->p_memsz < segment->p_vaddr)
            return rt_elf_damaged(elf, "has a segment beyond the end of memory");
    }
    return RT_ELF_SOUND;
}

static rt_elf_fault read_headers(rt_elf *elf)
{
    elf_version(EV_CURRENT);
    /* libelf takes char *, and for reading leaves the bytes alone. */
    elf->handle = elf_memory((char *)(uintptr_t)elf->bytes, elf->length);
    if (!elf->handle || elf_kind(elf->handle) != ELF_K_ELF ||
        !gelf_getehdr(elf->handle, &elf->header))
        return rt_elf_damaged(elf, "has an ELF header that cannot be read");
    return read_segments(elf);
}

/* --- addresses ------------------------------------------------------------------------------- */

static const GElf_Phdr *segment_at(const rt_elf *elf, uint64_t address)
{
    for (size_t i = 0; i < elf->segment_count; i++) {
        const GElf_Phdr *segment = &elf->segments[i];
        if (segment->p_type == PT_LOAD && address >= segment->p_vaddr &&
            address - segment->p_vaddr < segment->p_filesz)
            return segment;
    }
    return NULL;
}

const unsigned char *rt_elf_place(const rt_elf *elf, uint64_t address, uint64_t *left)
{
    const GElf_Phdr *segment = segment_at(elf, address);
    if (!segment)
        return NULL;
    *left = segment->p_filesz - (address - segment->p_vaddr);
    return elf->bytes + segment->p_offset + (address - segment->p_vaddr);
}

const unsigned char *rt_elf_at(const rt_elf *elf, uint64_t address, uint64_t size)
{
    uint64_t left;
    const unsigned char *place = rt_elf_place(elf, address, &left);
    return place && size <= left ? place : NULL;
}

const char *rt_elf_text_at(const rt_elf *elf, uint64_t address)
{
    uint64_t left;
    const unsigned char *place = rt_elf_place(elf, address, &left);
    return place && memchr(place, '\0', left) ? (const char *)place : NULL;
}

Elf_Data *rt_elf_records(const rt_elf *elf, uint64_t address, size_t count, size_t size,
                         Elf_Type type)
{
    uint64_t left;
    const unsigned char *place = rt_elf_place(elf, address, &left);
    if (!place || (count && left / size < count))
        return NULL;
    size_t bytes = count ? count * size : left - left % size;
    return elf_getdata_rawchunk(elf->handle, place - elf->bytes, bytes, type);
}

/* --- the dynamic section --------------------------------------------------------------------- */

static const int64_t entry_tags[RT_ELF_ENTRY_COUNT] = {
    [RT_ELF_STRINGS] = DT_STRTAB,
    [RT_ELF_STRINGS_SIZE] = DT_STRSZ,
    [RT_ELF_SYMBOLS] = DT_SYMTAB,
    [RT_ELF_GNU_HASH] = DT_GNU_HASH,
    [RT_ELF_HASH] = DT_HASH,
    [RT_ELF_SYMBOL_VERSIONS] = DT_VERSYM,
    [RT_ELF_NEEDS] = DT_VERNEED,
    [RT_ELF_NEEDS_COUNT] = DT_VERNEEDNUM,
    [RT_ELF_DEFINITIONS] = DT_VERDEF,
    [RT_ELF_DEFINITIONS_COUNT] = DT_VERDEFNUM,
    [RT_ELF_RELOCATIONS] = DT_RELA,
    [RT_ELF_RELOCATIONS_SIZE] = DT_RELASZ,
    [RT_ELF_PACKED_RELOCATIONS] = DT_RELR,
    [RT_ELF_PACKED_RELOCATIONS_SIZE] = DT_RELRSZ,
    [RT_ELF_SONAME] = DT_SONAME,
    [RT_ELF_RUNPATH] = DT_RUNPATH,
    [RT_ELF_RPATH] = DT_RPATH,
    [RT_ELF_FLAGS_1] = DT_FLAGS_1,
};

bool rt_elf_has(const rt_elf *elf, enum rt_elf_entry entry)
{
    return elf->present >> entry & 1;
}

const char *rt_elf_string(const rt_elf *elf, uint64_t offset)
{
    return offset < elf->strings_size ? elf->strings + offset : NULL;
}

static Elf_Data *dynamic_section(rt_elf *elf)
{
    const GElf_Phdr *found = NULL;
    for (size_t i = 0; i < elf->segment_count; i++)
        if (elf->segments[i].p_type == PT_DYNAMIC && elf->segments[i].p_filesz && !found)
            found = &elf->segments[i];
    if (!found)
        return NULL;
    size_t bytes = found->p_filesz - found->p_filesz % sizeof(Elf64_Dyn);
    return elf_getdata_rawchunk(elf->handle, (int64_t)found->p_offset, bytes, ELF_T_DYN);
}

/* The first of two equal tags would be as arbitrary a choice as the last: the linker takes the
 * last. */
static void note_entry(rt_elf *elf, const GElf_Dyn *dynamic)
{
    for (size_t i = 0; i < RT_ELF_ENTRY_COUNT; i++) {
        if (entry_tags[i] != dynamic->d_tag)
            continue;
        elf->entries[i] = dynamic->d_un.d_val;
        elf->present |= 1u << i;
        return;
    }
}

static bool read_strings(rt_elf *elf)
{
    elf->strings_size = elf->entries[RT_ELF_STRINGS_SIZE];
    elf->strings = (const char *)rt_elf_at(elf, elf->entries[RT_ELF_STRINGS], elf->strings_size);
    return elf->strings && elf->strings_size && elf->strings[elf->strings_size - 1] == '\0';
}

static rt_elf_fault read_needed(rt_elf *elf, Elf_Data *data)
{
    GElf_Dyn dynamic;
    for (int i = 0; gelf_getdyn(data, i, &dynamic) && dynamic.d_tag != DT_NULL; i++) {
        if (dynamic.d_tag != DT_NEEDED)
            continue;
        if (elf->needed_count == MOST_NEEDED)
            return rt_elf_damaged(elf, "needs more than 1,024 libraries");
        const char *name = rt_elf_string(elf, dynamic.d_un.d_val);
        if (!name || !*name)
            return rt_elf_damaged(elf, "needs a library without a name");
        rt_push(elf->arena, elf->needed, elf->needed_count) = name;
    }
    return RT_ELF_SOUND;
}

static rt_elf_fault read_texts(rt_elf *elf)
{
    const struct {
        enum rt_elf_entry entry;
        const char **text;
    } texts[] = {{RT_ELF_SONAME, &elf->soname},
                 {RT_ELF_RUNPATH, &elf->runpath},
                 {RT_ELF_RPATH, &elf->rpath}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (!rt_elf_has(elf, texts[i].entry))
            continue;
        *texts[i].text = rt_elf_string(elf, elf->entries[texts[i].entry]);
        if (!*texts[i].text)
            return rt_elf_damaged(elf, "has a name outside its strings");
    }
    return RT_ELF_SOUND;
}

static rt_elf_fault read_dynamic(rt_elf *elf)
{
    Elf_Data *data = dynamic_section(elf);
    if (!data)
        return rt_elf_damaged(elf, "has no dynamic section");
    GElf_Dyn dynamic;
    for (int i = 0; gelf_getdyn(data, i, &dynamic) && dynamic.d_tag != DT_NULL; i++)
        note_entry(elf, &dynamic);
    if (!read_strings(elf))
        return rt_elf_damaged(elf, "has no sound table of strings");
    rt_elf_fault fault = read_needed(elf, data);
    return fault ? fault : read_texts(elf);
}

/* --- relocations ----------------------------------------------------------------------------- */

static uint64_t value_in_place(const rt_elf *elf, uint64_t address)
{
    uint64_t value = RT_ELF_UNKNOWN;
    const unsigned char *place = rt_elf_at(elf, address, sizeof value);
    if (place)
        memcpy(&value, place, sizeof value);
    return value;
}

/* DT_RELR: an even word is an address to relocate, an odd one a bitmap of the 63 words after it. */
static bool packed_relocation(const rt_elf *elf, uint64_t address)
{
    uint64_t size = elf->entries[RT_ELF_PACKED_RELOCATIONS_SIZE], next = 0, entry;
    if (!rt_elf_has(elf, RT_ELF_PACKED_RELOCATIONS) || size > MOST_PACKED)
        return false;
    const unsigned char *table = rt_elf_at(elf, elf->entries[RT_ELF_PACKED_RELOCATIONS], size);
    for (uint64_t i = 0; table && i < size / sizeof entry; i++) {
        memcpy(&entry, table + i * sizeof entry, sizeof entry);
        bool is_address = !(entry & 1);
        if (is_address) {
            next = entry;
            entry = 3;
        }
        uint64_t bit = (address - next) / 8 + 1;
        if (address >= next && bit < 64 && address % 8 == next % 8 && entry >> bit & 1)
            return true;
        next += is_address ? 8 : 63 * 8;
    }
    return false;
}

bool rt_elf_relocation(const rt_elf *elf, uint64_t address, uint64_t *value)
{
    size_t count = elf->entries[RT_ELF_RELOCATIONS_SIZE] / sizeof(Elf64_Rela);
    Elf_Data *data = NULL;
    if (rt_elf_has(elf, RT_ELF_RELOCATIONS) && count)
        data = rt_elf_records(elf, elf->entries[RT_ELF_RELOCATIONS], count, sizeof(Elf64_Rela),
                              ELF_T_RELA);
    GElf_Rela relocation;
    for (int i = 0; data && gelf_getrela(data, i, &relocation); i++) {
        if (relocation.r_offset != address)
            continue;
        bool relative = GELF_R_TYPE(relocation.r_info) == RELATIVE;
        *value = relative ? (uint64_t)relocation.r_addend : RT_ELF_UNKNOWN;
        return true;
    }
    *value = value_in_place(elf, address);
    return packed_relocation(elf, address);
}

/* --- opening --------------------------------------------------------------------------------- */

rt_elf_fault rt_elf_open(rt_elf *elf, rt_arena *arena, const void *bytes, size_t length)
{
    static rt_elf_fault (*const steps[])(rt_elf *) = {judge_identity, judge_header, read_headers,
                                                      read_dynamic, rt_elf_read_symbols};
    *elf = (rt_elf){.arena = arena, .bytes = bytes, .length = length};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        rt_elf_fault fault = steps[i](elf);
        if (fault)
            return fault;
    }
    return RT_ELF_SOUND;
}

void rt_elf_close(rt_elf *elf)
{
    if (elf->handle)
        elf_end(elf->handle);
    elf->handle = NULL;
}
