/* From the text of a note's value to what it means; each function reports what it refuses. */
#include "manifest/parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"
#define LONGEST_NAME 64
#define LONGEST_TOPIC 128

const char *rt_subject(const rt_plugin *plugin)
{
    return rt_arena_format(plugin->arena, "%s=%s", rt_shown(plugin->arena, plugin->subject->key),
                           rt_shown(plugin->arena, plugin->subject->value));
}

/* --- texts and names ------------------------------------------------------------------------- */

void rt_take_text(rt_plugin *plugin, const rt_key_rule *rule, const char *value, void *target)
{
    (void)plugin, (void)rule;
    *(const char **)target = value;
}

void rt_take_filled(rt_plugin *plugin, const rt_key_rule *rule, const char *value, void *target)
{
    if (!*value)
        RT_DIAGNOSE(plugin->diagnostics, NOTE_KEY_MISSING, &plugin->place, rt_subject(plugin),
                    rule->key);
    *(const char **)target = value;
}

static void bad_name(rt_plugin *plugin, const char *name)
{
    RT_DIAGNOSE(plugin->diagnostics, BAD_NOTE_NAME, &plugin->place, rt_shown(plugin->arena, name),
                rt_subject(plugin));
}

static bool is_name(const char *text, const char *characters)
{
    size_t length = strspn(text, characters);
    return *text >= 'a' && *text <= 'z' && !text[length] && length <= LONGEST_NAME;
}

static bool is_topic(const char *text)
{
    size_t length = strspn(text, LOWER "ABCDEFGHIJKLMNOPQRSTUVWXYZ" DIGITS "_-.:/");
    return length && !text[length] && length <= LONGEST_TOPIC;
}

/* C spells `_` where everything else spells `-`. */
static const char *dashed(rt_plugin *plugin, const char *name, size_t length)
{
    char *copy = rt_arena_copy_n(plugin->arena, name, length);
    for (char *c = copy; *c; c++)
        if (*c == '_')
            *c = '-';
    if (!is_name(copy, LOWER DIGITS "-"))
        bad_name(plugin, copy);
    return copy;
}

void rt_take_module_name(rt_plugin *plugin, const rt_key_rule *rule, const char *value,
                         void *target)
{
    (void)rule;
    *(const char **)target = dashed(plugin, value, strlen(value));
}

void rt_take_option_name(rt_plugin *plugin, const rt_key_rule *rule, const char *value,
                         void *target)
{
    (void)rule;
    if (!is_name(value, LOWER DIGITS "_"))
        bad_name(plugin, value);
    *(const char **)target = value;
}

void rt_take_topic(rt_plugin *plugin, const rt_key_rule *rule, const char *value, void *target)
{
    (void)rule;
    if (!is_topic(value))
        bad_name(plugin, value);
    *(const char **)target = value;
}

/* --- numbers --------------------------------------------------------------------------------- */

/* "65536", "64 * 1024": what the macros make of the text of their argument. */
static bool parse_number(const char *text, int64_t *number)
{
    for (*number = 1;; text++) {
        char *end;
        errno = 0;
        long long factor = strtoll(text, &end, 10);
        if (end == text || errno || __builtin_mul_overflow(*number, factor, number))
            return false;
        text = end + strspn(end, " ");
        if (!*text)
            return true;
        if (*text != '*')
            return false;
    }
}

static rt_diagnostic *bad_number(rt_plugin *plugin, const char *key, const char *value)
{
    return RT_DIAGNOSE(plugin->diagnostics, BAD_NOTE_NUMBER, &plugin->place,
                       rt_shown(plugin->arena, value), key, rt_subject(plugin));
}

static int64_t number_within(rt_plugin *plugin, const char *key, const char *value, int64_t least,
                             int64_t most)
{
    int64_t number;
    if (parse_number(value, &number) && number >= least && number <= most)
        return number;
    rt_help(bad_number(plugin, key, value), "write a number from %lld to %lld", (long long)least,
            (long long)most);
    return least;
}

void rt_take_number(rt_plugin *plugin, const rt_key_rule *rule, const char *value, void *target)
{
    int64_t number = number_within(plugin, rule->key, value, rule->least, rule->most);
    if (rule->least < 0)
        *(int32_t *)target = (int32_t)number;
    else
        *(uint32_t *)target = (uint32_t)number;
}

bool rt_parse_abi(const char *text, uint16_t abi[2])
{
    for (size_t i = 0; i < 2; i++) {
        char *end;
        unsigned long number = strtoul(text, &end, 10);
        if (*text < '0' || *text > '9' || number > UINT16_MAX || *end != (i ? '\0' : '.'))
            return false;
        abi[i] = (uint16_t)number;
        text = end + 1;
    }
    return true;
}

void rt_take_abi(rt_plugin *plugin, const rt_key_rule *rule, const char *value, void *target)
{
    if (!rt_parse_abi(value, target))
        bad_number(plugin, rule->key, value);
}

/* --- words ----------------------------------------------------------------------------------- */

static void unknown_word(rt_plugin *plugin, const rt_key_rule *rule, const rt_word *words,
                         const char *text)
{
    rt_suggestion suggestion;
    rt_suggest_begin(&suggestion, text);
    for (const rt_word *word = words; word->name; word++)
        rt_suggest(&suggestion, word->name);
    rt_diagnostic *diagnostic =
        RT_DIAGNOSE(plugin->diagnostics, UNKNOWN_NOTE_WORD, &plugin->place,
                    rt_shown(plugin->arena, text), rule->key, rt_subject(plugin));
    rt_suggest_help(&suggestion, diagnostic);
}

static const rt_word *find_word(rt_plugin *plugin, const rt_key_rule *rule, const rt_word *words,
                                const char *text)
{
    for (const rt_word *word = words; word->name; word++)
        if (strcmp(word->name, text) == 0)
            return word;
    unknown_word(plugin, rule, words, text);
    return NULL;
}

void rt_take_word(rt_plugin *plugin, const rt_key_rule *rule, const char *value, void *target)
{
    const rt_word *word = find_word(plugin, rule, rule->words, value);
    if (word)
        *(uint32_t *)target = word->value;
}

/* The next part of a list without the spaces around it, or NULL at its end. */
static const char *next_part(rt_plugin *plugin, const char **rest, const char *separator)
{
    if (!*rest)
        return NULL;
    const char *start = *rest + strspn(*rest, " ");
    size_t length = strcspn(start, separator);
    *rest = start[length] ? start + length + 1 : NULL;
    while (length && start[length - 1] == ' ')
        length--;
    return rt_arena_copy_n(plugin->arena, start, length);
}

void rt_take_bits(rt_plugin *plugin, const rt_key_rule *rule, const char *value, void *target)
{
    for (const char *rest = value, *part; (part = next_part(plugin, &rest, ","));) {
        const rt_word *word = find_word(plugin, rule, rule->words, part);
        if (word)
            *(uint32_t *)target |= word->value;
    }
}

void rt_take_flag(rt_plugin *plugin, const rt_key_rule *rule, const char *value, void *target)
{
    const rt_word *word = find_word(plugin, rule, rule->words, value);
    if (!word)
        return;
    bool *flag = (bool *)((char *)target + word->value);
    if (*flag)
        RT_DIAGNOSE(plugin->diagnostics, NOTE_KEY_TWICE, &plugin->place,
                    rt_arena_format(plugin->arena, "flag=%s", word->name), rt_subject(plugin));
    *flag = true;
}

static const char *without_quotes(rt_plugin *plugin, const char *value)
{
    size_t length = strlen(value);
    bool quoted = length >= 2 && value[0] == '"' && value[length - 1] == '"';
    return quoted ? rt_arena_copy_n(plugin->arena, value + 1, length - 2) : value;
}

void rt_take_values(rt_plugin *plugin, const rt_key_rule *rule, const char *value, void *target)
{
    _Static_assert(offsetof(rt_option_spec, value_count) ==
                       offsetof(rt_option_spec, values) + sizeof(char *),
                   "the count follows the values");
    const char ***values = target;
    size_t *count = (size_t *)((char *)target + sizeof(char *));
    (void)rule;
    for (const char *rest = value, *part; (part = next_part(plugin, &rest, ","));) {
        part = without_quotes(plugin, part);
        if (!is_topic(part))
            bad_name(plugin, part);
        rt_push(plugin->arena, *values, *count) = part;
    }
}

void rt_take_bound(rt_plugin *plugin, const rt_key_rule *rule, const char *value, void *target)
{
    (void)rule;
    value = without_quotes(plugin, value);
    *(const char **)target = *value ? value : NULL;
}

/* --- capabilities ---------------------------------------------------------------------------- */

void rt_take_capability(rt_plugin *plugin, const rt_key_rule *rule, const char *value, void *target)
{
    _Static_assert(offsetof(rt_provides, major) == sizeof(char *) &&
                       offsetof(rt_requires, major) == sizeof(char *),
                   "the major version follows the name in both");
    const char *slash = strchr(value, '/');
    size_t length = slash ? (size_t)(slash - value) : strlen(value);
    *(const char **)target = dashed(plugin, value, length);
    *(uint32_t *)((char *)target + sizeof(char *)) =
        (uint32_t)number_within(plugin, rule->key, slash ? slash + 1 : "", 1, UINT16_MAX);
}

enum { WAITS = 1, IDEMPOTENT = 2 };

static unsigned method_flags(rt_plugin *plugin, const rt_key_rule *rule, const char *flags)
{
    static const rt_word words[] = {
        {"RT_NO_FLAGS", 0}, {"RT_WAITS", WAITS}, {"RT_IDEMPOTENT", IDEMPOTENT}, {NULL, 0}};
    unsigned bits = 0;
    for (const char *part; (part = next_part(plugin, &flags, "|"));) {
        const rt_word *word = find_word(plugin, rule, words, part);
        bits |= word ? word->value : 0;
    }
    return bits;
}

static rt_method_spec method_of(rt_plugin *plugin, const rt_key_rule *rule, const char *text)
{
    size_t length = strcspn(text, ":");
    const char *name = rt_arena_copy_n(plugin->arena, text, length);
    if (!is_name(name, LOWER DIGITS "_"))
        bad_name(plugin, name);
    unsigned flags = text[length] ? method_flags(plugin, rule, text + length + 1) : 0;
    return (rt_method_spec){.name = name, .waits = flags & WAITS, .idempotent = flags & IDEMPOTENT};
}

static bool has_method(const rt_method_spec *methods, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(methods[i].name, name) == 0)
            return true;
    return false;
}

/* Each method ends in a comma: "send:RT_WAITS,get_status:RT_WAITS | RT_IDEMPOTENT,". */
void rt_take_methods(rt_plugin *plugin, const rt_key_rule *rule, const char *value, void *target)
{
    _Static_assert(
        offsetof(rt_provides, method_count) == offsetof(rt_provides, methods) + sizeof(char *) &&
            offsetof(rt_requires, method_count) == offsetof(rt_requires, methods) + sizeof(char *),
        "the count follows the methods in both");
    rt_method_spec **methods = target;
    size_t *count = (size_t *)((char *)target + sizeof(char *));
    for (const char *rest = value, *part; (part = next_part(plugin, &rest, ","));) {
        if (!*part && !rest)
            break;
        rt_method_spec method = method_of(plugin, rule, part);
        if (has_method(*methods, *count, method.name))
            RT_DIAGNOSE(
                plugin->diagnostics, NOTE_KEY_TWICE, &plugin->place,
                rt_arena_format(plugin->arena, "methods=%s", rt_shown(plugin->arena, method.name)),
                rt_subject(plugin));
        rt_push(plugin->arena, *methods, *count) = method;
    }
    if (*count == 0)
        RT_DIAGNOSE(plugin->diagnostics, NOTE_KEY_MISSING, &plugin->place, rt_subject(plugin),
                    rule->key);
}
