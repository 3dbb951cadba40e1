/* What the notes of a plugin mean: one table of kinds and their keys, and the rules
 * between notes. */
#include "manifest/parts.h"

#include <string.h>

#define MOST_PROBLEMS 20 /* of one file: a hostile one could fill the terminal */

const char *const rt_environment_names[RT_ENVIRONMENT_COUNT] = {"development", "test", "staging",
                                                                "production"};

static const rt_word tiers[] = {{"production", RT_TIER_PRODUCTION},
                                {"fallback", RT_TIER_FALLBACK},
                                {"test", RT_TIER_TEST},
                                {NULL, 0}};

const char *rt_tier_name(rt_tier tier)
{
    return tiers[tier].name;
}

/* --- the table ------------------------------------------------------------------------------- */

static const rt_word environments[] = {{"development", 1u << RT_DEVELOPMENT},
                                       {"test", 1u << RT_TEST},
                                       {"staging", 1u << RT_STAGING},
                                       {"production", 1u << RT_PRODUCTION},
                                       {NULL, 0}};
static const rt_word served[] = {{"routes", RT_SERVES_ROUTES},
                                 {"services", RT_SERVES_SERVICES},
                                 {"jobs", RT_SERVES_JOBS},
                                 {"events", RT_SERVES_EVENTS},
                                 {NULL, 0}};

#define FLAG(word, type, member)     \
    {                                \
        word, offsetof(type, member) \
    }
static const rt_word module_flags[] = {FLAG("development-only", rt_manifest, development_only),
                                       FLAG("process-local", rt_manifest, process_local),
                                       FLAG("inspects", rt_manifest, inspects),
                                       {NULL, 0}};
static const rt_word provides_flags[] = {FLAG("development-only", rt_provides, development_only),
                                         FLAG("process-local", rt_provides, process_local),
                                         FLAG("many", rt_provides, many),
                                         {NULL, 0}};
static const rt_word requires_flags[] = {
    FLAG("raw", rt_requires, raw), FLAG("many", rt_requires, many), {NULL, 0}};
static const rt_word option_flags[] = {FLAG("required", rt_option_spec, required),
                                       FLAG("read", rt_option_spec, read),
                                       FLAG("write", rt_option_spec, write),
                                       FLAG("not-secret", rt_option_spec, not_secret),
                                       {NULL, 0}};

#define NEEDED .required = true
#define FLAGS(words_)                                                          \
    {                                                                          \
        .key = "flag", .repeated = true, .take = rt_take_flag, .words = words_ \
    }
#define KEY(key_, take_, type_, member_, ...)                                                 \
    {                                                                                         \
        .key = key_, .take = rt_take_##take_, .offset = offsetof(type_, member_), __VA_ARGS__ \
    }

static const rt_key_rule module_keys[] = {KEY("module", module_name, rt_manifest, name, NEEDED),
                                          KEY("version", filled, rt_manifest, version, NEEDED),
                                          KEY("summary", text, rt_manifest, summary, NEEDED),
                                          KEY("abi", abi, rt_manifest, abi_major, NEEDED),
                                          FLAGS(module_flags),
                                          {0}};
static const rt_key_rule serves_keys[] = {
    KEY("serves", bits, rt_manifest, serves, NEEDED, .words = served), {0}};
static const rt_key_rule enabled_keys[] = {
    KEY("enabled-in", bits, rt_manifest, enabled_in, NEEDED, .words = environments), {0}};
static const rt_key_rule stack_keys[] = {
    KEY("stack", number, rt_manifest, stack_size, NEEDED, .least = 16 << 10, .most = 8 << 20), {0}};
static const rt_key_rule needs_keys[] = {
    KEY("needs", bits, rt_manifest, needs, NEEDED, .words = rt_need_words), {0}};
static const rt_key_rule slice_keys[] = {KEY("slice", module_name, rt_manifest, slice, NEEDED),
                                         {0}};
static const rt_key_rule publishes_keys[] = {
    KEY("publishes", topic, rt_event, topic, NEEDED),
    KEY("wire", topic, rt_event, wire, NEEDED),
    KEY("version", number, rt_event, version, NEEDED, .least = 1, .most = UINT16_MAX),
    {0}};
static const rt_key_rule handles_keys[] = {
    KEY("handles", topic, rt_event, topic, NEEDED),
    KEY("version", number, rt_event, version, NEEDED, .least = 1, .most = UINT16_MAX),
    {0}};
static const rt_key_rule provides_keys[] = {
    KEY("provides", capability, rt_provides, capability, NEEDED),
    KEY("tier", word, rt_provides, tier, NEEDED, .words = tiers),
    KEY("priority", number, rt_provides, priority, NEEDED, .least = INT32_MIN, .most = INT32_MAX),
    KEY("methods", methods, rt_provides, methods, NEEDED),
    FLAGS(provides_flags),
    {0}};
static const rt_key_rule requires_keys[] = {
    KEY("requires", capability, rt_requires, capability, NEEDED),
    KEY("methods", methods, rt_requires, methods, NEEDED),
    FLAGS(requires_flags),
    {0}};
static const rt_key_rule optional_keys[] = {
    KEY("optional", capability, rt_requires, capability, NEEDED),
    KEY("methods", methods, rt_requires, methods, NEEDED),
    FLAGS(requires_flags),
    {0}};
static const rt_key_rule condition_keys[] = {
    KEY("development-only-when", filled, rt_manifest_condition, path, NEEDED),
    KEY("equals", text, rt_manifest_condition, equals, NEEDED),
    {0}};
static const rt_key_rule local_keys[] = {
    KEY("process-local-when", filled, rt_manifest_condition, path, NEEDED),
    KEY("equals", text, rt_manifest_condition, equals, NEEDED),
    {0}};

#define OPTION_KEYS                                                                        \
    KEY("type", word, rt_option_spec, type, NEEDED, .words = rt_setting_types),            \
        KEY("help", text, rt_option_spec, help, NEEDED),                                   \
        KEY("of", word, rt_option_spec, of, .words = rt_setting_types),                    \
        KEY("required-with", option_name, rt_option_spec, required_with),                  \
        KEY("default", text, rt_option_spec, default_text),                                \
        KEY("min", bound, rt_option_spec, least), KEY("max", bound, rt_option_spec, most), \
        KEY("values", values, rt_option_spec, values), FLAGS(option_flags),                \
    {                                                                                      \
        0                                                                                  \
    }
static const rt_key_rule option_keys[] = {KEY("option", option_name, rt_option_spec, name, NEEDED),
                                          OPTION_KEYS};
static const rt_key_rule field_keys[] = {KEY("field", option_name, rt_option_spec, name, NEEDED),
                                         OPTION_KEYS};

static void *begin_module(rt_plugin *plugin)
{
    return plugin->manifest;
}

static void *begin_published(rt_plugin *plugin)
{
    rt_manifest *manifest = plugin->manifest;
    return &rt_push(plugin->arena, manifest->publishes, manifest->publishes_count);
}

static void *begin_handled(rt_plugin *plugin)
{
    rt_manifest *manifest = plugin->manifest;
    return &rt_push(plugin->arena, manifest->handles, manifest->handles_count);
}

static void *begin_provided(rt_plugin *plugin)
{
    rt_manifest *manifest = plugin->manifest;
    return &rt_push(plugin->arena, manifest->provides, manifest->provides_count);
}

static void *begin_required(rt_plugin *plugin)
{
    rt_manifest *manifest = plugin->manifest;
    return &rt_push(plugin->arena, manifest->requires, manifest->requires_count);
}

static void *begin_optional(rt_plugin *plugin)
{
    rt_requires *requires = begin_required(plugin);
    requires->optional = true;
    return requires;
}

static void *begin_condition(rt_plugin *plugin)
{
    rt_manifest *manifest = plugin->manifest;
    return &rt_push(plugin->arena, manifest->conditions, manifest->condition_count);
}

static void *begin_local(rt_plugin *plugin)
{
    rt_manifest_condition *condition = begin_condition(plugin);
    condition->process_local = true;
    return condition;
}

static void *begin_option(rt_plugin *plugin)
{
    rt_manifest *manifest = plugin->manifest;
    return &rt_push(plugin->arena, manifest->options, manifest->option_count);
}

/* A field belongs to the option of its note, which is the newest. */
static void *begin_field(rt_plugin *plugin)
{
    rt_manifest *manifest = plugin->manifest;
    rt_option_spec *option = &manifest->options[manifest->option_count - 1];
    rt_option_spec *fields = (rt_option_spec *)(uintptr_t)option->fields;
    rt_option_spec *field = &rt_push(plugin->arena, fields, option->field_count);
    option->fields = fields;
    return field;
}

typedef struct note_kind {
    const char *name;
    const rt_key_rule *keys; /* the first is the kind itself */
    void *(*begin)(rt_plugin *plugin);
    bool once; /* in a plugin */
} note_kind;

static const note_kind kinds[] = {
    {"module", module_keys, begin_module, true},
    {"serves", serves_keys, begin_module, false},
    {"enabled-in", enabled_keys, begin_module, false},
    {"stack", stack_keys, begin_module, true},
    {"needs", needs_keys, begin_module, false},
    {"slice", slice_keys, begin_module, true},
    {"publishes", publishes_keys, begin_published, false},
    {"handles", handles_keys, begin_handled, false},
    {"provides", provides_keys, begin_provided, false},
    {"requires", requires_keys, begin_required, false},
    {"optional", optional_keys, begin_optional, false},
    {"option", option_keys, begin_option, false},
    {"development-only-when", condition_keys, begin_condition, false},
    {"process-local-when", local_keys, begin_local, false},
};
static const note_kind field_kind = {"field", field_keys, begin_field, false};

/* True once, with a remark, a file's problems are listed at sufficient length. */
static bool enough(rt_plugin *plugin)
{
    rt_diagnostics *diagnostics = plugin->diagnostics;
    if (!plugin->cut && diagnostics->count - plugin->first_problem >= MOST_PROBLEMS) {
        plugin->cut = true;
        rt_note(diagnostics->items[diagnostics->count - 1],
                "further problems of its notes are not listed");
    }
    return plugin->cut;
}

/* --- one note -------------------------------------------------------------------------------- */

static const note_kind *find_kind(rt_plugin *plugin, const char *name)
{
    rt_suggestion suggestion;
    for (size_t i = 0; i < RT_COUNT(kinds); i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    rt_suggest_begin(&suggestion, name);
    for (size_t i = 0; i < RT_COUNT(kinds); i++)
        rt_suggest(&suggestion, kinds[i].name);
    rt_diagnostic *diagnostic = RT_DIAGNOSE(plugin->diagnostics, UNKNOWN_NOTE, &plugin->place,
                                            plugin->place.file, rt_shown(plugin->arena, name));
    rt_suggest_help(&suggestion, diagnostic);
    return NULL;
}

static void unknown_key(rt_plugin *plugin, const note_kind *kind, const char *key)
{
    rt_suggestion suggestion;
    rt_suggest_begin(&suggestion, key);
    for (const rt_key_rule *rule = kind->keys; rule->key; rule++)
        rt_suggest(&suggestion, rule->key);
    rt_diagnostic *diagnostic = RT_DIAGNOSE(plugin->diagnostics, UNKNOWN_NOTE_KEY, &plugin->place,
                                            rt_shown(plugin->arena, key), rt_subject(plugin));
    rt_suggest_help(&suggestion, diagnostic);
}

static void read_pair(rt_plugin *plugin, const note_kind *kind, const rt_pair *pair, void *item,
                      uint32_t *seen)
{
    const rt_key_rule *rule = kind->keys;
    while (rule->key && strcmp(rule->key, pair->key) != 0)
        rule++;
    uint32_t bit = 1u << (rule - kind->keys);
    if (!rule->key)
        unknown_key(plugin, kind, pair->key);
    else if (*seen & bit && !rule->repeated)
        RT_DIAGNOSE(plugin->diagnostics, NOTE_KEY_TWICE, &plugin->place, rule->key,
                    rt_subject(plugin));
    else
        rule->take(plugin, rule, pair->value, (char *)item + rule->offset);
    *seen |= bit;
}

/* A note, or an option without its fields, or one field. */
static void read_part(rt_plugin *plugin, const note_kind *kind, const rt_pair *pairs, size_t count)
{
    uint32_t seen = 0;
    void *item = kind->begin(plugin);
    plugin->subject = pairs;
    for (size_t i = 0; i < count && !enough(plugin); i++)
        read_pair(plugin, kind, &pairs[i], item, &seen);
    for (const rt_key_rule *rule = kind->keys; rule->key && !enough(plugin); rule++)
        if (rule->required && !(seen >> (rule - kind->keys) & 1))
            RT_DIAGNOSE(plugin->diagnostics, NOTE_KEY_MISSING, &plugin->place, rt_subject(plugin),
                        rule->key);
}

static size_t part_length(const rt_pair *pairs, size_t count)
{
    size_t length = 1;
    while (length < count && strcmp(pairs[length].key, "field") != 0)
        length++;
    return length;
}

static void read_note(rt_plugin *plugin, const rt_manifest_note *note)
{
    const note_kind *kind = find_kind(plugin, note->pairs[0].key);
    if (!kind)
        return;
    bool has_fields = kind->keys == option_keys;
    for (size_t start = 0; start < note->count;) {
        const rt_pair *pairs = note->pairs + start;
        size_t left = note->count - start;
        size_t length = has_fields ? part_length(pairs, left) : left;
        read_part(plugin, start ? &field_kind : kind, pairs, length);
        start += length;
    }
}

/* --- rules between notes --------------------------------------------------------------------- */

static void contradiction(rt_plugin *plugin, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void contradiction(rt_plugin *plugin, const char *format, ...)
{
    if (enough(plugin))
        return;
    va_list arguments;
    va_start(arguments, format);
    const char *text = rt_arena_vformat(plugin->arena, format, arguments);
    va_end(arguments);
    RT_DIAGNOSE(plugin->diagnostics, CONTRADICTORY_NOTES, &plugin->place, plugin->place.file, text);
}

static bool same(const char *left, const char *right)
{
    return left && right && strcmp(left, right) == 0;
}

static void judge_kinds(rt_plugin *plugin)
{
    for (size_t i = 0; i < RT_COUNT(kinds); i++) {
        size_t count = 0;
        for (size_t k = 0; k < plugin->note_count; k++)
            count += same(kinds[i].name, plugin->notes[k].pairs[0].key);
        if (kinds[i].once && count > 1)
            contradiction(plugin, "there are %zu notes `%s`", count, kinds[i].name);
    }
}

static void judge_provides(rt_plugin *plugin)
{
    rt_manifest *manifest = plugin->manifest;
    for (size_t i = 0; i < manifest->provides_count; i++) {
        rt_provides *provides = &manifest->provides[i];
        provides->development_only |= provides->tier == RT_TIER_TEST;
        for (size_t k = 0; k < i; k++)
            if (same(manifest->provides[k].capability, provides->capability) &&
                manifest->provides[k].major == provides->major)
                contradiction(plugin, "`%s/%u` is provided twice",
                              rt_shown(plugin->arena, provides->capability), provides->major);
    }
}

static void judge_requires(rt_plugin *plugin)
{
    const rt_manifest *manifest = plugin->manifest;
    for (size_t i = 0; i < manifest->requires_count; i++) {
        const rt_requires *requires = &manifest->requires[i];
        for (size_t k = 0; k < i; k++) {
            const rt_requires *other = &manifest->requires[k];
            if (same(other->capability, requires->capability))
                contradiction(plugin, "`%s` is %s", rt_shown(plugin->arena, requires->capability),
                              other->optional == requires->optional ? "required twice"
                                                                    : "both required and optional");
        }
    }
}

/* Its migrations need a database, always. */
static void judge_slice(rt_plugin *plugin)
{
    const rt_manifest *manifest = plugin->manifest;
    for (size_t i = 0; i < manifest->requires_count; i++) {
        const rt_requires *requires = &manifest->requires[i];
        if (same(requires->capability, "sql") && requires->major == 1 && !requires->optional)
            return;
    }
    if (manifest->slice)
        contradiction(plugin, "it has the slice `%s` without RT_REQUIRES(sql, 1)",
                      rt_shown(plugin->arena, manifest->slice));
}

static void judge_events(rt_plugin *plugin, const rt_event *events, size_t count, const char *what)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < i; k++)
            if (same(events[k].topic, events[i].topic) && events[k].version == events[i].version)
                contradiction(plugin, "event `%s` version %u is %s twice",
                              rt_shown(plugin->arena, events[i].topic), events[i].version, what);
}

/* The option "name", or the field "name.field" of a group; NULL if there is none. */
static const rt_option_spec *option_at(const rt_option_spec *options, size_t count,
                                       const char *path)
{
    size_t length = strcspn(path, ".");
    for (size_t i = 0; i < count; i++) {
        if (!options[i].name || strncmp(options[i].name, path, length) != 0 ||
            options[i].name[length])
            continue;
        if (!path[length])
            return &options[i];
        return options[i].type == RT_SETTING_GROUP
                   ? option_at(options[i].fields, options[i].field_count, path + length + 1)
                   : NULL;
    }
    return NULL;
}

/* A condition that can never hold would let the module into production. */
static void judge_conditions(rt_plugin *plugin)
{
    const rt_manifest *manifest = plugin->manifest;
    for (size_t i = 0; i < manifest->condition_count; i++) {
        const rt_manifest_condition *condition = &manifest->conditions[i];
        const char *what = condition->process_local ? "process-local" : "development-only";
        if (!condition->path || !condition->equals)
            continue;
        const rt_option_spec *option =
            option_at(manifest->options, manifest->option_count, condition->path);
        if (!option)
            contradiction(plugin, "it is %s by option `%s`, which is not declared", what,
                          rt_shown(plugin->arena, condition->path));
        else if (!rt_option_can_be(plugin, option, condition->equals))
            contradiction(plugin, "it is %s by option `%s`, which cannot be `%s`", what,
                          rt_shown(plugin->arena, condition->path),
                          rt_shown(plugin->arena, condition->equals));
    }
}

static void judge_options(rt_plugin *plugin, const rt_option_spec *options, size_t count,
                          bool are_fields)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < i; k++)
            if (same(options[k].name, options[i].name))
                contradiction(plugin, "%s `%s` is declared twice", are_fields ? "field" : "option",
                              rt_shown(plugin->arena, options[i].name));
        if (options[i].required_with && !rt_option_find(options, count, options[i].required_with))
            contradiction(plugin, "`%s` is required with `%s`, which is not declared",
                          rt_shown(plugin->arena, options[i].name),
                          rt_shown(plugin->arena, options[i].required_with));
        if (options[i].name && !enough(plugin))
            rt_option_judge(plugin, &options[i], are_fields);
        judge_options(plugin, options[i].fields, options[i].field_count, true);
    }
}

/* --- all of them ----------------------------------------------------------------------------- */

static const char *declared_abi(const rt_plugin *plugin)
{
    for (size_t i = 0; i < plugin->note_count; i++) {
        const rt_manifest_note *note = &plugin->notes[i];
        for (size_t k = 0; k < note->count && same(note->pairs[0].key, "module"); k++)
            if (same(note->pairs[k].key, "abi"))
                return note->pairs[k].value;
    }
    return NULL;
}

/* Before anything else: what the other notes mean depends on it. True if it is ours, or if there is
 * none that can be read, which is reported in its turn. */
static bool judge_abi(rt_plugin *plugin)
{
    uint16_t abi[2];
    const char *text = declared_abi(plugin);
    if (!text || !rt_parse_abi(text, abi) || (abi[0] == RT_ABI_MAJOR && abi[1] <= RT_ABI_MINOR))
        return true;
    bool newer = abi[0] == RT_ABI_MAJOR;
    rt_diagnostics *diagnostics = plugin->diagnostics;
    const rt_place *place = &plugin->place;
    rt_diagnostic *diagnostic = newer ? RT_DIAGNOSE(diagnostics, NEWER_ABI, place, place->file,
                                                    abi[0], abi[1], RT_ABI_MAJOR, RT_ABI_MINOR)
                                      : RT_DIAGNOSE(diagnostics, OTHER_ABI, place, place->file,
                                                    abi[0], abi[1], RT_ABI_MAJOR, RT_ABI_MINOR);
    rt_help(diagnostic, "build it again with the SDK of this host%s",
            newer ? ", or upgrade the host" : "");
    return false;
}

static void judge_module(rt_plugin *plugin)
{
    for (size_t i = 0; i < plugin->note_count; i++)
        if (same(plugin->notes[i].pairs[0].key, "module"))
            return;
    rt_diagnostic *diagnostic =
        RT_DIAGNOSE(plugin->diagnostics, NO_MANIFEST, &plugin->place, plugin->place.file);
    rt_note(diagnostic, "it has notes of owner `RT`, but none of them is `module`");
}

bool rt_notes_judge(rt_plugin *plugin)
{
    const rt_manifest *manifest = plugin->manifest;
    if (!judge_abi(plugin))
        return false;
    for (size_t i = 0; i < plugin->note_count && !enough(plugin); i++)
        read_note(plugin, &plugin->notes[i]);
    if (enough(plugin))
        return true; /* what was begun last may be unfinished */
    judge_module(plugin);
    judge_kinds(plugin);
    judge_provides(plugin);
    judge_requires(plugin);
    judge_slice(plugin);
    judge_events(plugin, manifest->publishes, manifest->publishes_count, "published");
    judge_events(plugin, manifest->handles, manifest->handles_count, "handled");
    judge_options(plugin, manifest->options, manifest->option_count, false);
    judge_conditions(plugin);
    return true;
}
