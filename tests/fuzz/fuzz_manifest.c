/* The manifest reader on bytes that nobody vouches for. Input that begins as an ELF file is one,
 * and is also looked into as if it were a library; other input is text of notes, one a line with
 * `;` for NUL, which is put into a small plugin. */
#include "manifest/elf.h"
#include "manifest/manifest.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CACHE_LIFE 500 /* inputs; what a cache has seen it remembers */

enum { HEADERS = sizeof(Elf64_Ehdr) + 3 * sizeof(Elf64_Phdr), DYNAMIC = 3 * sizeof(Elf64_Dyn) };

static void print_all(const rt_diagnostics *diagnostics)
{
    rt_buffer out = {0};
    for (size_t i = 0; i < diagnostics->count; i++) {
        rt_diagnostic_print(&out, diagnostics->items[i], false);
        rt_diagnostic_json(&out, diagnostics->items[i]);
    }
    rt_buffer_free(&out);
}

static void check_links(const rt_manifest *manifest, rt_diagnostics *diagnostics)
{
    static rt_arena arena;
    static rt_library_cache *cache;
    static unsigned age;
    if (!cache)
        cache = rt_library_cache_new(&arena);
    rt_manifest_check_links(cache, diagnostics, manifest);
    if (++age % CACHE_LIFE)
        return;
    rt_library_cache_close(cache);
    rt_arena_free(&arena);
    cache = NULL;
}

/* A plugin is refused with an error or accepted without one, never in between. */
static void read_plugin(rt_arena *arena, const void *bytes, size_t size)
{
    rt_diagnostics diagnostics;
    rt_diagnostics_init(&diagnostics, arena);
    const rt_manifest *manifest = rt_manifest_parse(arena, &diagnostics, "p.so", bytes, size);
    if (!manifest != (diagnostics.errors > 0))
        abort();
    if (manifest)
        check_links(manifest, &diagnostics);
    print_all(&diagnostics);
}

static void read_library(rt_arena *arena, const void *bytes, size_t size)
{
    rt_elf elf;
    if (rt_elf_open(&elf, arena, bytes, size) == RT_ELF_SOUND) {
        rt_elf_offers(&elf, "rt_module", NULL);
        rt_elf_offers(&elf, "malloc", "GLIBC_2.2.5");
        rt_elf_offers_version(&elf, "GLIBC_2.34");
    }
    rt_elf_close(&elf);
}

/* One note after another into `out`, which has room. */
static size_t write_notes(unsigned char *out, const uint8_t *data, size_t size)
{
    size_t length = 0;
    for (size_t start = 0, end; start < size; start = end + 1) {
        const uint8_t *newline = memchr(data + start, '\n', size - start);
        end = newline ? (size_t)(newline - data) : size;
        Elf64_Nhdr header = {.n_namesz = 3, .n_descsz = (uint32_t)(end - start), .n_type = 1};
        memcpy(out + length, &header, sizeof header);
        memcpy(out + length + sizeof header, "RT\0", 4);
        length += sizeof header + 4;
        for (size_t i = start; i < end; i++)
            out[length++] = data[i] == ';' ? 0 : data[i];
        length = (length + 3) & ~(size_t)3;
    }
    return length;
}

static size_t write_plugin(unsigned char *out, const uint8_t *data, size_t size)
{
    size_t notes = HEADERS + DYNAMIC + 8;
    size_t notes_size = write_notes(out + notes, data, size), total = notes + notes_size;
    Elf64_Ehdr header = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
                         .e_type = ET_DYN,
                         .e_machine = EM_X86_64,
                         .e_version = EV_CURRENT,
                         .e_phoff = sizeof header,
                         .e_ehsize = sizeof header,
                         .e_phentsize = sizeof(Elf64_Phdr),
                         .e_phnum = 3};
    Elf64_Phdr segments[3] = {
        {.p_type = PT_LOAD, .p_flags = PF_R, .p_filesz = total, .p_memsz = total},
        {.p_type = PT_DYNAMIC, .p_offset = HEADERS, .p_filesz = DYNAMIC, .p_memsz = DYNAMIC},
        {.p_type = PT_NOTE, .p_offset = notes, .p_filesz = notes_size, .p_align = 4}};
    Elf64_Dyn dynamic[3] = {{.d_tag = DT_STRTAB, .d_un.d_ptr = HEADERS + DYNAMIC},
                            {.d_tag = DT_STRSZ, .d_un.d_val = 8}};
    memcpy(out, &header, sizeof header);
    memcpy(out + sizeof header, segments, sizeof segments);
    memcpy(out + HEADERS, dynamic, sizeof dynamic);
    return total;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rt_arena arena;
    rt_arena_init(&arena);
    if (size && data[0] == 0x7f) {
        read_plugin(&arena, data, size);
        read_library(&arena, data, size);
    } else {
        unsigned char *plugin = calloc(1, HEADERS + DYNAMIC + 32 + size * 20);
        read_plugin(&arena, plugin, write_plugin(plugin, data, size));
        free(plugin);
    }
    rt_arena_free(&arena);
    return 0;
}
