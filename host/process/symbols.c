#include "process/symbols.h"

#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_MAPPINGS 4096
#define LARGEST_FILE ((off_t)1 << 30)
#define LARGEST_BUILD_ID 64

struct file {
    const char *path;
    uint64_t inode;
    int fd;
    Elf *elf; /* NULL: it is not what was mapped, or no ELF file */
    Elf_Data *symbols;
    size_t symbol_count;
    size_t names; /* section with their names */
    const char *build_id;
    struct file *next;
};

struct mapping {
    uint64_t start, end, offset;
    struct file *file;
};

struct rt_symbols {
    rt_arena *arena;
    struct mapping *mappings;
    size_t mapping_count;
    struct file *files;
};

/* --- maps ------------------------------------------------------------------------------------ */

static struct file *file_of(rt_symbols *symbols, const char *path, uint64_t inode)
{
    for (struct file *file = symbols->files; file; file = file->next)
        if (file->inode == inode && strcmp(file->path, path) == 0)
            return file;
    struct file *file = RT_NEW(symbols->arena, struct file);
    *file = (struct file){.path = rt_arena_copy(symbols->arena, path),
                          .inode = inode,
                          .fd = -1,
                          .next = symbols->files};
    return symbols->files = file;
}

static void add_mapping(rt_symbols *symbols, const char *line)
{
    struct mapping mapping;
    uint64_t inode;
    int path = 0;
    if (sscanf(line, "%lx-%lx %*4s %lx %*x:%*x %lu %n", &mapping.start, &mapping.end,
               &mapping.offset, &inode, &path) < 4 ||
        line[path] == '\0')
        return;
    mapping.file = file_of(symbols, line + path, inode);
    rt_push(symbols->arena, symbols->mappings, symbols->mapping_count) = mapping;
}

rt_symbols *rt_symbols_new(rt_arena *arena, const char *maps, size_t length)
{
    rt_symbols *symbols = RT_NEW(arena, rt_symbols);
    const char *end = maps + length;
    symbols->arena = arena;
    elf_version(EV_CURRENT);
    while (maps < end && symbols->mapping_count < MOST_MAPPINGS) {
        const char *line_end = memchr(maps, '\n', (size_t)(end - maps));
        if (!line_end)
            break;
        add_mapping(symbols, rt_arena_copy_n(arena, maps, (size_t)(line_end - maps)));
        maps = line_end + 1;
    }
    return symbols;
}

void rt_symbols_free(rt_symbols *symbols)
{
    for (struct file *file = symbols->files; file; file = file->next) {
        if (file->elf)
            elf_end(file->elf);
        if (file->fd >= 0)
            close(file->fd);
    }
    symbols->files = NULL;
    symbols->mapping_count = 0;
}

/* --- files ----------------------------------------------------------------------------------- */

/* Only if it is still the file that was mapped. A FIFO or device is opened without waiting, and
 * left. */
static int open_mapped(const char *path, uint64_t inode)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_ino == inode &&
        status.st_size <= LARGEST_FILE)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static void find_symbol_table(struct file *file)
{
    Elf_Scn *section = NULL;
    GElf_Shdr header;
    bool complete = false; /* .symtab has the static functions, too */
    while (!complete && (section = elf_nextscn(file->elf, section))) {
        if (!gelf_getshdr(section, &header) ||
            (header.sh_type != SHT_SYMTAB && header.sh_type != SHT_DYNSYM) || !header.sh_entsize)
            continue;
        Elf_Data *data = elf_getdata(section, NULL);
        if (!data)
            continue;
        file->symbols = data;
        file->symbol_count = data->d_size / header.sh_entsize;
        file->names = header.sh_link;
        complete = header.sh_type == SHT_SYMTAB;
    }
}

static const char *hexadecimal(rt_arena *arena, const unsigned char *bytes, size_t length)
{
    char *text = rt_arena_alloc(arena, 2 * length + 1);
    for (size_t i = 0; i < length; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    return text;
}

static const char *read_notes(rt_arena *arena, Elf_Data *data)
{
    size_t at = 0, name, description;
    GElf_Nhdr header;
    while (data && (at = gelf_getnote(data, at, &header, &name, &description)) > 0)
        if (header.n_type == NT_GNU_BUILD_ID && header.n_namesz == 4 && header.n_descsz &&
            header.n_descsz <= LARGEST_BUILD_ID &&
            memcmp((char *)data->d_buf + name, "GNU", 4) == 0)
            return hexadecimal(arena, (unsigned char *)data->d_buf + description, header.n_descsz);
    return NULL;
}

static void find_build_id(rt_arena *arena, struct file *file)
{
    size_t count = 0;
    GElf_Phdr header;
    elf_getphdrnum(file->elf, &count);
    for (size_t i = 0; i < count && !file->build_id; i++)
        if (gelf_getphdr(file->elf, (int)i, &header) && header.p_type == PT_NOTE)
            file->build_id = read_notes(
                arena, elf_getdata_rawchunk(file->elf, (int64_t)header.p_offset, header.p_filesz,
                                            header.p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR));
}

static void open_file(rt_arena *arena, struct file *file)
{
    file->fd = open_mapped(file->path, file->inode);
    if (file->fd < 0)
        file->fd = open_mapped("/proc/self/exe", file->inode); /* replaced, and still running */
    if (file->fd >= 0)
        file->elf = elf_begin(file->fd, ELF_C_READ, NULL);
    if (!file->elf || elf_kind(file->elf) != ELF_K_ELF)
        return;
    find_symbol_table(file);
    find_build_id(arena, file);
}

/* --- looking up ------------------------------------------------------------------------------ */

/* Symbols have addresses, mappings have offsets in the file. */
static bool address_of(const struct file *file, uint64_t offset, uint64_t *address)
{
    size_t count = 0;
    GElf_Phdr header;
    elf_getphdrnum(file->elf, &count);
    for (size_t i = 0; i < count; i++) {
        if (!gelf_getphdr(file->elf, (int)i, &header) || header.p_type != PT_LOAD ||
            offset < header.p_offset || offset - header.p_offset >= header.p_filesz)
            continue;
        *address = offset - header.p_offset + header.p_vaddr;
        return true;
    }
    return false;
}

static void find_function(const struct file *file, uint64_t address, rt_symbol *found)
{
    GElf_Sym symbol;
    for (size_t i = 0; i < file->symbol_count; i++) {
        if (!gelf_getsym(file->symbols, (int)i, &symbol) ||
            GELF_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_shndx == SHN_UNDEF ||
            address < symbol.st_value || address - symbol.st_value >= symbol.st_size)
            continue;
        const char *name = elf_strptr(file->elf, file->names, symbol.st_name);
        if (!name || !*name)
            continue;
        found->function = name;
        found->offset = address - symbol.st_value;
        return;
    }
}

rt_symbol rt_symbols_find(rt_symbols *symbols, uint64_t counter, bool exact)
{
    rt_symbol found = {0};
    uint64_t place = exact || !counter ? counter : counter - 1, address;
    for (size_t i = 0; i < symbols->mapping_count; i++) {
        const struct mapping *mapping = &symbols->mappings[i];
        if (place < mapping->start || place >= mapping->end)
            continue;
        struct file *file = mapping->file;
        found.file = file->path;
        found.offset = place - mapping->start + mapping->offset;
        if (file->fd < 0 && *file->path == '/')
            open_file(symbols->arena, file);
        if (file->elf && address_of(file, found.offset, &address))
            find_function(file, address, &found);
        found.function = rt_arena_copy(symbols->arena, found.function);
        found.build_id = file->build_id;
        found.offset += counter - place;
        break;
    }
    return found;
}
