#include "manifest/elf.h"

#include <elf.h>
#include <string.h>

#define MOST_SYMBOLS ((size_t)1 << 20)
#define MOST_VERSIONS 65536

/* Parts of a DT_VERSYM entry. */
#define VERSION_INDEX 0x7fff
#define VERSION_HIDDEN 0x8000
#define FIRST_VERSION 2 /* 0 is local, 1 the object's own name */

/* --- symbols --------------------------------------------------------------------------------- */

static uint32_t word(const unsigned char *table, size_t index)
{
    uint32_t value;
    memcpy(&value, table + index * sizeof value, sizeof value);
    return value;
}

static bool read_gnu_hash(rt_elf *elf)
{
    uint64_t left;
    const unsigned char *table = rt_elf_place(elf, elf->entries[RT_ELF_GNU_HASH], &left);
    if (!table || left < 16)
        return false;
    rt_elf_hash hash = {.bucket_count = word(table, 0),
                        .first = word(table, 1),
                        .bloom_size = word(table, 2),
                        .bloom_shift = word(table, 3),
                        .bloom = table + 16};
    left -= 16;
    uint64_t bloom = (uint64_t)hash.bloom_size * 8, buckets = (uint64_t)hash.bucket_count * 4;
    bool power_of_two = hash.bloom_size && !(hash.bloom_size & (hash.bloom_size - 1));
    if (!power_of_two || hash.bloom_shift > 31 || !hash.bucket_count || bloom + buckets > left)
        return false;
    hash.buckets = hash.bloom + bloom;
    hash.chains = hash.buckets + buckets;
    hash.chain_count = (uint32_t)((left - bloom - buckets) / 4);
    elf->gnu_hash = hash;
    return true;
}

static bool read_hash(rt_elf *elf)
{
    uint64_t left;
    const unsigned char *table = rt_elf_place(elf, elf->entries[RT_ELF_HASH], &left);
    if (!table || left < 8)
        return false;
    rt_elf_hash hash = {.bucket_count = word(table, 0), .chain_count = word(table, 1)};
    if (!hash.bucket_count || ((uint64_t)hash.bucket_count + hash.chain_count) * 4 > left - 8)
        return false;
    hash.buckets = table + 8;
    hash.chains = hash.buckets + (size_t)hash.bucket_count * 4;
    elf->hash = hash;
    return true;
}

/* The dynamic section does not say how many symbols there are: the hash tables do. */
static size_t count_symbols(const rt_elf *elf)
{
    const rt_elf_hash *hash = &elf->gnu_hash;
    if (elf->hash.bucket_count)
        return elf->hash.chain_count;
    size_t last = 0;
    for (size_t i = 0; i < hash->bucket_count; i++)
        if (word(hash->buckets, i) > last)
            last = word(hash->buckets, i);
    if (last < hash->first)
        return hash->first;
    while (last - hash->first < hash->chain_count && !(word(hash->chains, last - hash->first) & 1))
        last++;
    return last + 1;
}

static rt_elf_fault read_symbol_table(rt_elf *elf)
{
    if (!rt_elf_has(elf, RT_ELF_SYMBOLS))
        return RT_ELF_SOUND;
    if ((rt_elf_has(elf, RT_ELF_GNU_HASH) && !read_gnu_hash(elf)) ||
        (rt_elf_has(elf, RT_ELF_HASH) && !read_hash(elf)))
        return rt_elf_damaged(elf, "has a broken hash table of symbols");
    elf->symbol_count = count_symbols(elf);
    if (elf->symbol_count == 0)
        return RT_ELF_SOUND;
    if (elf->symbol_count > MOST_SYMBOLS)
        return rt_elf_damaged(elf, "has more than 1,048,576 symbols");
    elf->symbols = rt_elf_records(elf, elf->entries[RT_ELF_SYMBOLS], elf->symbol_count,
                                  sizeof(Elf64_Sym), ELF_T_SYM);
    if (!elf->symbols)
        return rt_elf_damaged(elf, "has symbols outside the file");
    if (!rt_elf_has(elf, RT_ELF_SYMBOL_VERSIONS))
        return RT_ELF_SOUND;
    elf->symbol_versions = rt_elf_records(elf, elf->entries[RT_ELF_SYMBOL_VERSIONS],
                                          elf->symbol_count, sizeof(Elf64_Half), ELF_T_HALF);
    return elf->symbol_versions ? RT_ELF_SOUND
                                : rt_elf_damaged(elf, "has versions of symbols outside the file");
}

static const rt_elf_version *version_of(const rt_elf *elf, size_t index)
{
    GElf_Versym number;
    if (!elf->symbol_versions || !gelf_getversym(elf->symbol_versions, (int)index, &number))
        return NULL;
    number &= VERSION_INDEX;
    return number < elf->version_limit ? elf->version_by_index[number] : NULL;
}

bool rt_elf_symbol(const rt_elf *elf, size_t index, GElf_Sym *symbol, const char **name,
                   const rt_elf_version **version)
{
    if (index >= elf->symbol_count || !gelf_getsym(elf->symbols, (int)index, symbol))
        return false;
    *name = rt_elf_string(elf, symbol->st_name);
    if (version)
        *version = version_of(elf, index);
    return *name != NULL;
}

bool rt_elf_defined(const GElf_Sym *symbol)
{
    unsigned binding = GELF_ST_BIND(symbol->st_info), type = GELF_ST_TYPE(symbol->st_info);
    return symbol->st_shndx != SHN_UNDEF &&
           (binding == STB_GLOBAL || binding == STB_WEAK || binding == STB_GNU_UNIQUE) &&
           (symbol->st_value || symbol->st_shndx == SHN_ABS || type == STT_TLS);
}

/* --- versions -------------------------------------------------------------------------------- */

static bool add_version(rt_elf *elf, uint16_t index, bool weak, const char *library,
                        const char *name)
{
    if (!name || elf->version_count == MOST_VERSIONS)
        return false;
    rt_push(elf->arena, elf->versions, elf->version_count) = (rt_elf_version){
        .index = index & VERSION_INDEX, .weak = weak, .library = library, .name = name};
    return true;
}

static bool read_need(rt_elf *elf, Elf_Data *data, const GElf_Verneed *need, uint64_t offset)
{
    const char *library = rt_elf_string(elf, need->vn_file);
    offset += need->vn_aux;
    for (unsigned i = 0; i < need->vn_cnt; i++) {
        GElf_Vernaux version;
        if (!library || offset >= data->d_size || !gelf_getvernaux(data, (int)offset, &version) ||
            !add_version(elf, version.vna_other, version.vna_flags & VER_FLG_WEAK, library,
                         rt_elf_string(elf, version.vna_name)))
            return false;
        offset += version.vna_next;
    }
    return true;
}

static bool read_needs(rt_elf *elf, Elf_Data *data)
{
    uint64_t offset = 0;
    for (uint64_t i = 0; i < elf->entries[RT_ELF_NEEDS_COUNT] && i < MOST_VERSIONS; i++) {
        GElf_Verneed need;
        if (offset >= data->d_size || !gelf_getverneed(data, (int)offset, &need) ||
            !read_need(elf, data, &need, offset))
            return false;
        if (!need.vn_next)
            return true;
        offset += need.vn_next;
    }
    return true;
}

static bool read_definitions(rt_elf *elf, Elf_Data *data)
{
    uint64_t offset = 0;
    for (uint64_t i = 0; i < elf->entries[RT_ELF_DEFINITIONS_COUNT]; i++) {
        GElf_Verdef definition;
        GElf_Verdaux name;
        if (offset >= data->d_size || !gelf_getverdef(data, (int)offset, &definition) ||
            offset + definition.vd_aux >= data->d_size ||
            !gelf_getverdaux(data, (int)(offset + definition.vd_aux), &name) ||
            !add_version(elf, definition.vd_ndx, false, NULL, rt_elf_string(elf, name.vda_name)))
            return false;
        if (!definition.vd_next)
            return true;
        offset += definition.vd_next;
    }
    return true;
}

static bool read_version_table(rt_elf *elf, enum rt_elf_entry entry, Elf_Type type,
                               bool (*read)(rt_elf *, Elf_Data *))
{
    if (!rt_elf_has(elf, entry))
        return true;
    Elf_Data *data = rt_elf_records(elf, elf->entries[entry], 0, 4, type);
    return data && read(elf, data);
}

/* So that a symbol's version is one look-up, however many of both a hostile file holds. */
static void index_versions(rt_elf *elf)
{
    for (size_t i = 0; i < elf->version_count; i++)
        if (elf->versions[i].index >= elf->version_limit)
            elf->version_limit = elf->versions[i].index + 1u;
    elf->version_by_index =
        rt_arena_alloc(elf->arena, elf->version_limit * sizeof *elf->version_by_index);
    for (size_t i = 0; i < elf->version_count; i++)
        elf->version_by_index[elf->versions[i].index] = &elf->versions[i];
}

rt_elf_fault rt_elf_read_symbols(rt_elf *elf)
{
    rt_elf_fault fault = read_symbol_table(elf);
    if (fault)
        return fault;
    if (!read_version_table(elf, RT_ELF_NEEDS, ELF_T_VNEED, read_needs) ||
        !read_version_table(elf, RT_ELF_DEFINITIONS, ELF_T_VDEF, read_definitions))
        return rt_elf_damaged(elf, "has broken tables of versions");
    index_versions(elf);
    return RT_ELF_SOUND;
}

/* --- looking up ------------------------------------------------------------------------------ */

/* Without a version the linker takes a symbol that has none, or the default one. */
static bool version_serves(const rt_elf *elf, size_t index, const char *version)
{
    GElf_Versym number;
    if (!elf->symbol_versions || !gelf_getversym(elf->symbol_versions, (int)index, &number))
        return true;
    if (!version)
        return (number & VERSION_INDEX) <= FIRST_VERSION || !(number & VERSION_HIDDEN);
    const rt_elf_version *defined = version_of(elf, index);
    return defined && !defined->library && strcmp(defined->name, version) == 0;
}

static bool symbol_serves(const rt_elf *elf, size_t index, const char *name, const char *version)
{
    GElf_Sym symbol;
    const char *found;
    return rt_elf_symbol(elf, index, &symbol, &found, NULL) && strcmp(found, name) == 0 &&
           rt_elf_defined(&symbol) && version_serves(elf, index, version);
}

static bool gnu_hash_offers(const rt_elf *elf, const char *name, const char *version)
{
    const rt_elf_hash *table = &elf->gnu_hash;
    uint32_t hash = 5381;
    for (const unsigned char *c = (const unsigned char *)name; *c; c++)
        hash = hash * 33 + *c;
    uint64_t filter;
    memcpy(&filter, table->bloom + (size_t)(hash / 64 & (table->bloom_size - 1)) * 8, 8);
    if (!(filter >> (hash % 64) & filter >> ((hash >> table->bloom_shift) % 64) & 1))
        return false;
    size_t index = word(table->buckets, hash % table->bucket_count);
    if (index < table->first)
        return false;
    for (; index - table->first < table->chain_count; index++) {
        uint32_t entry = word(table->chains, index - table->first);
        if ((entry | 1) == (hash | 1) && symbol_serves(elf, index, name, version))
            return true;
        if (entry & 1)
            return false;
    }
    return false;
}

static bool hash_offers(const rt_elf *elf, const char *name, const char *version)
{
    const rt_elf_hash *table = &elf->hash;
    size_t index = word(table->buckets, elf_hash(name) % table->bucket_count);
    for (size_t steps = 0; index && index < table->chain_count && steps < table->chain_count;
         steps++, index = word(table->chains, index))
        if (symbol_serves(elf, index, name, version))
            return true;
    return false;
}

bool rt_elf_offers(const rt_elf *elf, const char *name, const char *version)
{
    if (elf->gnu_hash.bucket_count)
        return gnu_hash_offers(elf, name, version);
    return elf->hash.bucket_count && hash_offers(elf, name, version);
}

bool rt_elf_offers_version(const rt_elf *elf, const char *version)
{
    if (!rt_elf_has(elf, RT_ELF_DEFINITIONS))
        return true;
    for (size_t i = 0; i < elf->version_count; i++)
        if (!elf->versions[i].library && strcmp(elf->versions[i].name, version) == 0)
            return true;
    return false;
}
