/* parts.h — what the parts of the manifest reader share
 *
 * plugin_file.c opens the file and runs the parts; notes.c takes the notes apart; manifest.c and
 * values.c give them their meaning, options.c judges options; descriptor.c looks at
 * symbols.
 */
#ifndef RT_MANIFEST_PARTS_H
#define RT_MANIFEST_PARTS_H

#include "base/suggest.h"
#include "manifest/elf.h"
#include "manifest/manifest.h"

#define RT_NOTES_LIMIT ((size_t)64 << 10)
#define RT_COUNT(array) (sizeof(array) / sizeof(array)[0])

typedef struct rt_pair {
    const char *key;
    const char *value;
} rt_pair;

typedef struct rt_manifest_note {
    rt_pair *pairs; /* one at least */
    size_t count;
} rt_manifest_note;

/* One plugin while it is read. */
typedef struct rt_plugin {
    rt_arena *arena;
    rt_diagnostics *diagnostics;
    rt_place place;
    rt_elf elf;
    rt_manifest_note *notes;
    size_t note_count;
    rt_manifest *manifest;
    size_t first_problem;   /* diagnostics before this file */
    bool cut;               /* its further problems are not listed */
    const rt_pair *subject; /* first pair of the note, or field, that is read now */
} rt_plugin;

/* notes.c: notes of owner RT and the build-id; false after an error. */
bool rt_notes_read(rt_plugin *plugin);

/* manifest.c: fills plugin->manifest. False if the ABI is not ours, so that nothing else in the
 * file can be relied on. */
bool rt_notes_judge(rt_plugin *plugin);

/* order.c: of a sound manifest, whose names are all there. */
void rt_manifest_sort(rt_manifest *manifest);

/* descriptor.c: compares the descriptor with the manifest if that is sound. */
void rt_descriptor_judge(rt_plugin *plugin, bool notes_are_sound);
void rt_symbols_collect(rt_plugin *plugin);

/* Text of a file that nobody vouches for, fit for a terminal: controls and bytes that are no UTF-8
 * are escaped, long texts are cut. */
const char *rt_shown(rt_arena *arena, const char *text);

/* --- meaning of values: values.c ------------------------------------------------------------- */

/* A word and what it stands for: a number, a bit, or the offset of a bool. */
typedef struct rt_word {
    const char *name;
    uint32_t value;
} rt_word;

typedef struct rt_key_rule {
    const char *key;
    bool required;
    bool repeated;
    /* Puts the value to `target`, `offset` bytes into the item of the note. */
    void (*take)(rt_plugin *plugin, const struct rt_key_rule *rule, const char *value,
                 void *target);
    size_t offset;
    const rt_word *words; /* ended by NULL; what `take` chooses from */
    int64_t least, most;  /* of a number */
} rt_key_rule;

typedef void rt_take(rt_plugin *plugin, const rt_key_rule *rule, const char *value, void *target);
rt_take rt_take_text;        /* const char * */
rt_take rt_take_filled;      /* likewise, not empty */
rt_take rt_take_module_name; /* const char *, `_` becomes `-` */
rt_take rt_take_option_name; /* const char * */
rt_take rt_take_topic;       /* const char * */
rt_take rt_take_number;      /* int32_t or uint32_t, by `least` */
rt_take rt_take_abi;         /* uint16_t[2] */
rt_take rt_take_word;        /* an enum */
rt_take rt_take_bits;        /* uint32_t: words separated by commas, added to what is there */
rt_take rt_take_flag;        /* the item: sets the bool at the word's value */
rt_take rt_take_capability;  /* const char *, uint32_t */
rt_take rt_take_methods;     /* rt_method_spec *, size_t */
rt_take rt_take_values;      /* const char **, size_t */
rt_take rt_take_bound;       /* const char *; without quotes, NULL when empty */

bool rt_parse_abi(const char *text, uint16_t abi[2]);
/* "option=port": what messages call the note that is read now. */
const char *rt_subject(const rt_plugin *plugin);

/* --- options: options.c ---------------------------------------------------------------------- */

extern const rt_word rt_setting_types[];
extern const rt_word rt_need_words[]; /* needs.c */
void rt_option_judge(rt_plugin *plugin, const rt_option_spec *option, bool is_field);
/* Whether `text`, without quotes, can be the value of a scalar option. */
bool rt_option_can_be(const rt_plugin *plugin, const rt_option_spec *option, const char *text);

#endif
