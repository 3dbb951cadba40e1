/* Takes the notes of a plugin apart: from bytes to `key=value` pairs, nothing more. */
#include "manifest/parts.h"

#include <stdio.h>
#include <string.h>

#define OWNER "RT"
#define OWNER_TYPE 1
#define LONGEST_BUILD_ID 64

static void broken(rt_plugin *plugin, const char *what)
{
    rt_help(RT_DIAGNOSE(plugin->diagnostics, BROKEN_NOTE, &plugin->place, plugin->place.file, what),
            "build or install the plugin again");
}

static void bad_text(rt_plugin *plugin, const char *what, const char *text)
{
    rt_diagnostic *diagnostic =
        RT_DIAGNOSE(plugin->diagnostics, BAD_NOTE_TEXT, &plugin->place, plugin->place.file, what);
    if (text)
        rt_note(diagnostic, "the text is `%s`", rt_shown(plugin->arena, text));
    rt_help(diagnostic, "texts in the macros of rt/module.h are single lines of UTF-8");
}

/* --- text ------------------------------------------------------------------------------------ */

/* C0 and C1 controls and DEL: they would act on the terminal that a message is shown on. */
static bool is_control(const unsigned char *text, size_t size)
{
    return text[0] < 0x20 || text[0] == 0x7f || (size == 2 && text[0] == 0xc2 && text[1] < 0xa0);
}

#define SHOWN_BYTES 64

const char *rt_shown(rt_arena *arena, const char *text)
{
    char *shown = rt_arena_alloc(arena, SHOWN_BYTES * 4 + sizeof "…");
    char *out = shown;
    size_t length = strnlen(text, SHOWN_BYTES + 4), i = 0;
    while (i < length && i < SHOWN_BYTES) {
        const unsigned char *bytes = (const unsigned char *)text + i;
        size_t size = rt_utf8_sequence(text + i, length - i);
        if (size == 0 || is_control(bytes, size)) {
            out += sprintf(out, "\\x%02x", bytes[0]);
            i++;
            continue;
        }
        memcpy(out, bytes, size);
        out += size;
        i += size;
    }
    if (text[i])
        memcpy(out, "…", sizeof "…");
    return shown;
}

static const char *text_problem(const char *text)
{
    size_t length = strlen(text);
    for (size_t i = 0; i < length;) {
        bool plain = text[i] >= 0x20 && text[i] < 0x7f;
        size_t size = plain ? 1 : rt_utf8_sequence(text + i, length - i);
        if (size == 0)
            return "is not UTF-8";
        if (is_control((const unsigned char *)text + i, size))
            return "has a control character";
        i += size;
    }
    const char *equals = strchr(text, '=');
    return !equals ? "has a text without `=`" : equals == text ? "has a value without a key" : NULL;
}

/* --- pairs ----------------------------------------------------------------------------------- */

static bool add_pair(rt_plugin *plugin, rt_manifest_note *note, char *text)
{
    const char *problem = text_problem(text);
    if (problem) {
        bad_text(plugin, problem, text);
        return false;
    }
    char *equals = strchr(text, '=');
    *equals = '\0';
    rt_push(plugin->arena, note->pairs, note->count) = (rt_pair){text, equals + 1};
    return true;
}

static bool add_note(rt_plugin *plugin, const char *bytes, size_t size)
{
    if (size == 0 || bytes[size - 1] != '\0') {
        bad_text(plugin, size ? "does not end in NUL" : "is empty", NULL);
        return false;
    }
    char *copy = rt_arena_copy_n(plugin->arena, bytes, size);
    rt_manifest_note note = {0};
    for (char *text = copy, *next; text < copy + size; text = next) {
        next = text + strlen(text) + 1;
        if (!add_pair(plugin, &note, text))
            return false;
    }
    rt_push(plugin->arena, plugin->notes, plugin->note_count) = note;
    return true;
}

static void take_build_id(rt_plugin *plugin, const unsigned char *bytes, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    char *text = rt_arena_alloc(plugin->arena, size * 2 + 1);
    for (size_t i = 0; i < size; i++) {
        text[i * 2] = digits[bytes[i] >> 4];
        text[i * 2 + 1] = digits[bytes[i] & 15];
    }
    plugin->manifest->build_id = text;
}

/* --- segments -------------------------------------------------------------------------------- */

static bool owned_by(const Elf_Data *data, const GElf_Nhdr *header, size_t name, const char *owner)
{
    size_t size = strlen(owner) + 1;
    return header->n_namesz == size && memcmp((const char *)data->d_buf + name, owner, size) == 0;
}

static bool take_note(rt_plugin *plugin, const Elf_Data *data, const GElf_Nhdr *header, size_t name,
                      size_t description)
{
    const char *bytes = (const char *)data->d_buf + description;
    if (owned_by(data, header, name, OWNER) && header->n_type == OWNER_TYPE)
        return add_note(plugin, bytes, header->n_descsz);
    if (owned_by(data, header, name, "GNU") && header->n_type == NT_GNU_BUILD_ID &&
        header->n_descsz <= LONGEST_BUILD_ID)
        take_build_id(plugin, (const unsigned char *)bytes, header->n_descsz);
    return true;
}

/* What is left of a segment may be zeros that align its end. */
static bool is_padding(const Elf_Data *data, size_t offset)
{
    const char *bytes = data->d_buf;
    while (offset < data->d_size && bytes[offset] == 0)
        offset++;
    return offset == data->d_size;
}

static bool read_segment(rt_plugin *plugin, const GElf_Phdr *segment)
{
    Elf_Type type = segment->p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR;
    Elf_Data *data = elf_getdata_rawchunk(plugin->elf.handle, (int64_t)segment->p_offset,
                                          segment->p_filesz, type);
    GElf_Nhdr header;
    size_t name, description, offset = 0, next;
    bool sound = true;
    while (data && (next = gelf_getnote(data, offset, &header, &name, &description)) > 0) {
        sound &= take_note(plugin, data, &header, name, description);
        offset = next;
    }
    if (data && is_padding(data, offset))
        return sound;
    broken(plugin, "it reaches beyond the end of its segment");
    return false;
}

static bool overlap(const GElf_Phdr *left, const GElf_Phdr *right)
{
    return left->p_offset < right->p_offset + right->p_filesz &&
           right->p_offset < left->p_offset + left->p_filesz;
}

static bool is_notes(const GElf_Phdr *segment)
{
    return segment->p_type == PT_NOTE && segment->p_filesz;
}

static bool judge_segments(rt_plugin *plugin)
{
    const rt_elf *elf = &plugin->elf;
    uint64_t total = 0;
    for (size_t i = 0; i < elf->segment_count; i++) {
        if (!is_notes(&elf->segments[i]))
            continue;
        total += elf->segments[i].p_filesz;
        for (size_t k = 0; k < i; k++) {
            if (is_notes(&elf->segments[k]) && overlap(&elf->segments[i], &elf->segments[k])) {
                broken(plugin, "two segments of notes overlap");
                return false;
            }
        }
    }
    if (total <= RT_NOTES_LIMIT)
        return true;
    rt_help(RT_DIAGNOSE(plugin->diagnostics, NOTES_TOO_LARGE, &plugin->place, plugin->place.file),
            "put large texts into a file, or into the plugin's own data");
    return false;
}

bool rt_notes_read(rt_plugin *plugin)
{
    const rt_elf *elf = &plugin->elf;
    if (!judge_segments(plugin))
        return false;
    bool sound = true;
    for (size_t i = 0; i < elf->segment_count; i++)
        if (is_notes(&elf->segments[i]))
            sound &= read_segment(plugin, &elf->segments[i]);
    if (!sound || plugin->note_count)
        return sound;
    rt_diagnostic *diagnostic =
        RT_DIAGNOSE(plugin->diagnostics, NO_MANIFEST, &plugin->place, plugin->place.file);
    rt_help(diagnostic, "a module's source has RT_MODULE(…) in it; a library of plugins belongs in "
                        "another folder");
    return false;
}
