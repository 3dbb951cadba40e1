/* One value against its declaration, and all values of a group. */
#include "compose/internal.h"

#include "base/reason.h"
#include "base/suggest.h"
#include "config/quantity.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *name;    /* as declared */
    const char *article; /* as messages say it */
} types[] = {
    [RT_SETTING_NONE] = {"none", "nothing"},
    [RT_SETTING_STRING] = {"string", "a string"},
    [RT_SETTING_INT] = {"int", "an integer"},
    [RT_SETTING_FLOAT] = {"float", "a number"},
    [RT_SETTING_BOOL] = {"bool", "true or false"},
    [RT_SETTING_ENUM] = {"enum", "a string"},
    [RT_SETTING_DURATION] = {"duration", "a duration in quotes"},
    [RT_SETTING_SIZE] = {"size", "a size in quotes"},
    [RT_SETTING_URL] = {"url", "a URL in quotes"},
    [RT_SETTING_ADDRESS] = {"address", "an address in quotes"},
    [RT_SETTING_PATH] = {"path", "a path in quotes"},
    [RT_SETTING_SECRET] = {"secret", "a string"},
    [RT_SETTING_LIST] = {"list", "a list"},
    [RT_SETTING_GROUP] = {"group", "a group"},
    [RT_SETTING_MAP] = {"map", "a group of groups"},
};

const char *rt_setting_type_name(enum rt_setting_type type)
{
    return types[type].name;
}

typedef struct conversion {
    rt_composer *composer;
    const rt_option_spec *spec;
    const char *path;
    const rt_node *node;
    bool hidden; /* the value came by reference or is secret: messages don't quote it */
} conversion;

static bool wrong_type(const conversion *c, enum rt_setting_type wanted)
{
    rt_diagnostic *diagnostic =
        RT_DIAGNOSE(c->composer->diagnostics, WRONG_TYPE, &c->node->value_place, c->path,
                    types[wanted].article, rt_node_type_name(c->node->type));
    bool number = c->node->type == RT_NODE_INT || c->node->type == RT_NODE_FLOAT;
    if (wanted == RT_SETTING_DURATION && number)
        rt_help(diagnostic, "say the unit: \"%s ms\" or \"%s s\"", c->node->raw, c->node->raw);
    else if (wanted == RT_SETTING_SIZE && number)
        rt_help(diagnostic, "say the unit: \"%s B\" or \"%s KiB\"", c->node->raw, c->node->raw);
    else if (wanted == RT_SETTING_LIST)
        rt_help(diagnostic, "put it in brackets: [ … ]");
    else if (wanted == RT_SETTING_INT && c->node->type == RT_NODE_FLOAT)
        rt_help(diagnostic, "leave out the fraction");
    return false;
}

/* What a reference stands for, which is not shown. */
static bool wrong_reference(const conversion *c)
{
    rt_diagnostic *diagnostic =
        RT_DIAGNOSE(c->composer->diagnostics, WRONG_TYPE, &c->node->value_place, c->path,
                    types[c->spec->type].article, rt_node_type_name(RT_NODE_STRING));
    rt_note(diagnostic, "`%s` stands for other text", c->node->value.text);
    return false;
}

static bool bad_value(const conversion *c, const char *kind, const char *text, const char *why)
{
    rt_diagnostic *diagnostic =
        RT_DIAGNOSE(c->composer->diagnostics, BAD_VALUE, &c->node->value_place, c->path, kind);
    rt_label(diagnostic, "%s", why);
    if (!c->hidden && !c->node->value_place.line)
        rt_note(diagnostic, "the value is `%s`", text);
    return false;
}

/* --- ranges ---------------------------------------------------------------------------------- */

static double bound(enum rt_setting_type type, const char *text)
{
    int64_t quantity;
    if (type == RT_SETTING_DURATION && !rt_parse_duration(text, &quantity))
        return (double)quantity;
    if (type == RT_SETTING_SIZE && !rt_parse_size(text, &quantity))
        return (double)quantity;
    return strtod(text, NULL);
}

static const char *is_this(const conversion *c, const char *shown, bool low)
{
    if (c->hidden)
        return low ? "is too small" : "is too large";
    return rt_arena_format(c->composer->arena, "is %s", shown);
}

/* `amount` is what `shown` stands for. */
static bool in_range(const conversion *c, double amount, const char *shown)
{
    const rt_option_spec *spec = c->spec;
    bool low = spec->least && amount < bound(spec->type, spec->least);
    bool high = spec->most && amount > bound(spec->type, spec->most);
    if (!low && !high)
        return true;
    RT_DIAGNOSE(c->composer->diagnostics, OUT_OF_RANGE, &c->node->value_place, c->path,
                is_this(c, shown, low),
                rt_arena_format(c->composer->arena, "be at %s %s", low ? "least" : "most",
                                low ? spec->least : spec->most));
    return false;
}

/* The length of a text in bytes, or of a list in items. */
static bool length_in_range(const conversion *c, size_t length)
{
    const rt_option_spec *spec = c->spec;
    rt_arena *arena = c->composer->arena;
    bool low = spec->least && (double)length < bound(RT_SETTING_INT, spec->least);
    bool high = spec->most && (double)length > bound(RT_SETTING_INT, spec->most);
    const char *limit = low ? spec->least : spec->most, *side = low ? "least" : "most";
    const char *plural = length == 1 ? "" : "s";
    if (!low && !high)
        return true;
    bool list = spec->type == RT_SETTING_LIST;
    const char *found =
        rt_arena_format(arena, list ? "has %zu item%s" : "is %zu byte%s long", length, plural);
    const char *wanted =
        rt_arena_format(arena, list ? "have at %s %s" : "be at %s %s bytes long", side, limit);
    RT_DIAGNOSE(c->composer->diagnostics, OUT_OF_RANGE, &c->node->value_place, c->path, found,
                wanted);
    return false;
}

/* --- scalars --------------------------------------------------------------------------------- */

static bool take_number(const conversion *c, const rt_node *node, rt_setting *out)
{
    char shown[64];
    bool real = c->spec->type == RT_SETTING_FLOAT;
    if (node->type == RT_NODE_INT && real)
        out->value.real = (double)node->value.integer;
    else if (node->type == RT_NODE_FLOAT && real)
        out->value.real = node->value.real;
    else if (node->type == RT_NODE_INT && !real)
        out->value.integer = node->value.integer;
    else
        return wrong_type(c, c->spec->type);
    if (real)
        snprintf(shown, sizeof shown, "%g", out->value.real);
    else
        snprintf(shown, sizeof shown, "%lld", (long long)out->value.integer);
    return in_range(c, real ? out->value.real : (double)out->value.integer, shown);
}

static bool take_bool(const conversion *c, const rt_node *node, rt_setting *out)
{
    if (node->type != RT_NODE_BOOL)
        return wrong_type(c, RT_SETTING_BOOL);
    out->value.integer = node->value.integer;
    return true;
}

static bool take_quantity(const conversion *c, const char *text, rt_setting *out)
{
    bool duration = c->spec->type == RT_SETTING_DURATION;
    const char *why = duration ? rt_parse_duration(text, &out->value.integer)
                               : rt_parse_size(text, &out->value.integer);
    if (why)
        return bad_value(c, duration ? "duration" : "size", text, why);
    return in_range(c, (double)out->value.integer, text);
}

static bool bad_word(const conversion *c, const char *text)
{
    const rt_option_spec *spec = c->spec;
    rt_suggestion suggestion;
    const char *list = NULL;
    rt_suggest_begin(&suggestion, text);
    for (size_t i = 0; i < spec->value_count; i++) {
        rt_suggest(&suggestion, spec->values[i]);
        rt_list_add(c->composer, &list, "`%s`", spec->values[i]);
    }
    rt_diagnostic *diagnostic =
        RT_DIAGNOSE(c->composer->diagnostics, BAD_WORD, &c->node->value_place, c->path, list,
                    c->hidden ? "<redacted>" : text);
    rt_suggest_label(&suggestion, diagnostic);
    return false;
}

static bool take_enum(const conversion *c, const char *text, rt_setting *out)
{
    const rt_option_spec *spec = c->spec;
    for (size_t i = 0; i < spec->value_count; i++) {
        if (strcmp(spec->values[i], text) != 0)
            continue;
        out->value.text = spec->values[i];
        return true;
    }
    return bad_word(c, text);
}

/* Why the path cannot be written, or made; NULL if it can. */
static const char *unwritable(const rt_composer *composer, const char *path)
{
    rt_arena *arena = composer->arena;
    if (access(path, F_OK) == 0)
        return rt_identity_access(composer, path, W_OK) == 0 ? NULL : rt_reason(errno);
    const char *slash = strrchr(path, '/');
    const char *folder = slash ? rt_arena_copy_n(arena, path, (size_t)(slash - path)) : ".";
    if (rt_identity_access(composer, *folder ? folder : "/", W_OK | X_OK) == 0)
        return NULL;
    return errno == ENOENT ? "its folder does not exist"
                           : rt_arena_format(arena, "its folder: %s", rt_reason(errno));
}

bool rt_path_is_word(const rt_option_spec *spec, const char *text)
{
    for (size_t i = 0; i < spec->value_count; i++)
        if (strcmp(spec->values[i], text) == 0)
            return true;
    return false;
}

static bool take_path(const conversion *c, const char *text, rt_setting *out)
{
    if (rt_path_is_word(c->spec, text)) {
        out->value.text = text;
        return true;
    }
    rt_arena *arena = c->composer->arena;
    const char *path = rt_relative_path(c->composer, text), *problem = NULL;
    out->value.text = path;
    if (c->spec->read && rt_identity_access(c->composer, path, R_OK) < 0)
        problem = rt_arena_format(arena, "cannot be read: %s", rt_reason(errno));
    const char *reason = c->spec->write && !problem ? unwritable(c->composer, path) : NULL;
    if (reason)
        problem = rt_arena_format(arena, "cannot be written: %s", reason);
    if (problem)
        RT_DIAGNOSE(c->composer->diagnostics, PATH_UNUSABLE, &c->node->value_place,
                    c->hidden ? "<redacted>" : path, c->path, problem);
    return !problem;
}

static bool take_secret(const conversion *c, const char *text, bool by_reference, rt_setting *out)
{
    if (rt_secret_is_placeholder(text)) {
        rt_place place = c->node->value_place;
        rt_diagnostic *diagnostic =
            RT_DIAGNOSE(c->composer->diagnostics, PLACEHOLDER, &place, c->path);
        rt_label(diagnostic, "it counts as missing");
        out->type = RT_SETTING_NONE;
        return true;
    }
    if (!by_reference)
        rt_secret_judge_literal(c->composer, c->path, c->node);
    out->value.text = text;
    return length_in_range(c, strlen(text));
}

static bool take_text(const conversion *c, const char *text, bool by_reference, rt_setting *out)
{
    const char *why;
    size_t length;
    out->value.text = text;
    switch (c->spec->type) {
    case RT_SETTING_DURATION:
    case RT_SETTING_SIZE:
        return take_quantity(c, text, out);
    case RT_SETTING_ENUM:
        return take_enum(c, text, out);
    case RT_SETTING_URL:
        if (!by_reference && rt_secret_in_url(text, &length))
            rt_secret_judge_literal(c->composer, c->path, c->node);
        why = rt_parse_url(text);
        if (!why && c->spec->check)
            why = c->spec->check(text);
        return why ? bad_value(c, "URL", text, why) : length_in_range(c, strlen(text));
    case RT_SETTING_ADDRESS:
        why = (c->spec->check ? c->spec->check : rt_parse_address)(text);
        return why ? bad_value(c, "address", text, why) : true;
    case RT_SETTING_PATH:
        return take_path(c, text, out);
    case RT_SETTING_SECRET:
        return take_secret(c, text, by_reference, out);
    default:
        why = c->spec->check ? c->spec->check(text) : NULL;
        return why ? bad_value(c, c->spec->kind, text, why) : length_in_range(c, strlen(text));
    }
}

/* By reference come host names and folders too: of those only what is free text counts, and what
 * the declaration does not call public. */
static void note_secret(const conversion *c, const char *text, bool by_reference)
{
    enum rt_setting_type type = c->spec->type;
    bool free_text = type == RT_SETTING_STRING || type == RT_SETTING_URL;
    rt_secret_note(c->composer, text,
                   type == RT_SETTING_SECRET ||
                       (by_reference && free_text && !c->spec->not_secret));
}

static bool is_numeric(enum rt_setting_type type)
{
    return type == RT_SETTING_INT || type == RT_SETTING_FLOAT || type == RT_SETTING_BOOL;
}

static bool take_scalar(conversion *c, rt_setting *out)
{
    const rt_node *node = c->node;
    const char *text = NULL;
    rt_secret_outcome outcome = RT_SECRET_PLAIN;
    if (node->type == RT_NODE_STRING)
        outcome = rt_secret_resolve(c->composer, c->path, node, &text);
    if (outcome == RT_SECRET_MISSING) {
        out->type = RT_SETTING_NONE;
        return false;
    }
    c->hidden = outcome == RT_SECRET_RESOLVED || c->spec->type == RT_SETTING_SECRET;
    if (is_numeric(c->spec->type) && outcome == RT_SECRET_RESOLVED) {
        rt_diagnostics quiet;
        rt_diagnostics_init(&quiet, c->composer->arena);
        const rt_node *parsed = rt_config_parse_value(c->composer->arena, &quiet, "", text);
        if (!parsed || quiet.errors || parsed->type == RT_NODE_STRING)
            return wrong_reference(c);
        node = parsed;
    }
    if (c->spec->type == RT_SETTING_BOOL)
        return take_bool(c, node, out);
    if (is_numeric(c->spec->type))
        return take_number(c, node, out);
    if (!text)
        return wrong_type(c, c->spec->type);
    note_secret(c, text, outcome == RT_SECRET_RESOLVED);
    return take_text(c, text, outcome == RT_SECRET_RESOLVED, out);
}

/* --- lists, groups, maps --------------------------------------------------------------------- */

static bool take_fields(const conversion *c, const rt_option_spec *spec, const rt_node *node,
                        const char *path, rt_setting *out)
{
    if (!spec->field_count)
        return true; /* its members are names of capabilities; resolve.c and effects.c judge them */
    size_t errors = c->composer->diagnostics->errors;
    rt_setting *members =
        rt_arena_alloc(c->composer->arena, (spec->field_count + 1) * sizeof *members);
    rt_group_check check = {.owner = rt_arena_format(c->composer->arena, "`%s`", path),
                            .path = path,
                            .where = NULL,
                            .options = spec->fields,
                            .option_count = spec->field_count,
                            .place = &node->name_place};
    rt_group_judge(c->composer, &check, node, members);
    out->type = RT_SETTING_GROUP;
    out->count = (uint32_t)spec->field_count;
    out->value.members = members;
    return c->composer->diagnostics->errors == errors;
}

static bool take_list(const conversion *c, rt_setting *out)
{
    const rt_node *node = c->node;
    if (node->type != RT_NODE_ARRAY && node->type != RT_NODE_LIST)
        return wrong_type(c, RT_SETTING_LIST);
    rt_setting *members = rt_arena_alloc(c->composer->arena, (node->count + 1) * sizeof *members);
    rt_option_spec element = *c->spec;
    element.type = c->spec->of;
    element.least = element.most = NULL;
    bool good = length_in_range(c, node->count);
    uint32_t i = 0;
    for (const rt_node *member = node->first; member; member = member->next, i++) {
        const char *path = rt_arena_format(c->composer->arena, "%s[%u]", c->path, i);
        good &= rt_option_convert(c->composer, &element, path, member, &members[i]);
    }
    out->count = node->count;
    out->value.members = members;
    return good;
}

static bool take_map(const conversion *c, rt_setting *out)
{
    const rt_node *node = c->node;
    if (node->type != RT_NODE_GROUP)
        return wrong_type(c, RT_SETTING_MAP);
    rt_setting *members = rt_arena_alloc(c->composer->arena, (node->count + 1) * sizeof *members);
    rt_option_spec element = *c->spec;
    element.type = RT_SETTING_GROUP;
    bool good = true;
    uint32_t i = 0;
    for (const rt_node *member = node->first; member; member = member->next, i++) {
        const char *path = rt_arena_format(c->composer->arena, "%s.%s", c->path, member->name);
        good &= rt_option_convert(c->composer, &element, path, member, &members[i]);
        members[i].name = member->name;
    }
    out->count = node->count;
    out->value.members = members;
    return good;
}

bool rt_option_convert(rt_composer *composer, const rt_option_spec *spec, const char *path,
                       const rt_node *node, rt_setting *out)
{
    conversion c = {.composer = composer, .spec = spec, .path = path, .node = node};
    bool scalar = node->type > RT_NODE_LIST;
    bool refers = node->type == RT_NODE_STRING && rt_secret_is_reference(node->value.text);
    if (scalar && !refers && rt_option_holds_secret(spec))
        rt_secret_hide(composer, &node->value_place);
    *out = (rt_setting){.type = spec->type, .name = spec->name};
    bool good;
    if (spec->type == RT_SETTING_LIST)
        good = take_list(&c, out);
    else if (spec->type == RT_SETTING_MAP)
        good = take_map(&c, out);
    else if (spec->type == RT_SETTING_GROUP)
        good = node->type == RT_NODE_GROUP ? take_fields(&c, spec, node, path, out)
                                           : wrong_type(&c, RT_SETTING_GROUP);
    else
        good = take_scalar(&c, out);
    if (!good)
        out->type = RT_SETTING_NONE;
    return good;
}

/* --- all options of a group ------------------------------------------------------------------ */

static void unknown_setting(rt_composer *composer, const rt_group_check *check, const rt_node *node)
{
    rt_suggestion suggestion;
    rt_diagnostic *diagnostic = RT_DIAGNOSE(composer->diagnostics, UNKNOWN_SETTING,
                                            &node->name_place, node->name, check->owner);
    rt_suggest_begin(&suggestion, node->name);
    for (size_t i = 0; i < check->option_count; i++)
        rt_suggest(&suggestion, check->options[i].name);
    for (size_t i = 0; i < check->common_count; i++)
        rt_suggest(&suggestion, check->common[i].name);
    if (suggestion.nearest) {
        const rt_option_spec *meant =
            rt_option_find(check->options, check->option_count, suggestion.nearest);
        rt_label(diagnostic, "did you mean `%s`?", suggestion.nearest);
        if (meant && rt_option_holds_secret(meant))
            rt_secret_hide(composer, &node->name_place);
    }
    if (check->where)
        rt_help(diagnostic, "%s lists its settings", check->where);
}

static const char *path_of(rt_composer *composer, const rt_group_check *check, const char *name)
{
    return *check->path ? rt_arena_format(composer->arena, "%s.%s", check->path, name) : name;
}

static void missing(rt_composer *composer, const rt_group_check *check,
                    const rt_option_spec *option, const rt_node *group)
{
    const rt_place *place = check->place;
    if (!place && group && group->name_place.file)
        place = &group->name_place;
    rt_diagnostic *diagnostic =
        RT_DIAGNOSE(composer->diagnostics, MISSING_REQUIRED, place, check->owner, option->name);
    if (option->required_with)
        rt_note(diagnostic, "`%s` is needed because `%s` is set", option->name,
                option->required_with);
    if (option->type == RT_SETTING_SECRET)
        rt_help(diagnostic, "add `%s = \"@env:NAME\";` or `\"@file:PATH\"` to `%s`", option->name,
                check->path);
    else if (*check->path)
        rt_help(diagnostic, "add `%s = …;` to `%s`: %s", option->name, check->path,
                option->help ? option->help : "");
}

/* An absent group whose fields all have defaults is as good as an empty one. */
static bool has_no_required_field(const rt_option_spec *group)
{
    for (size_t i = 0; i < group->field_count; i++)
        if (group->fields[i].required)
            return false;
    return group->field_count != 0;
}

static void take_default(rt_composer *composer, const rt_group_check *check,
                         const rt_option_spec *option, rt_setting *value)
{
    const char *label =
        rt_arena_format(composer->arena, "default of %s", path_of(composer, check, option->name));
    if (option->type == RT_SETTING_GROUP && has_no_required_field(option)) {
        rt_node *empty = rt_node_new(composer->arena, option->name, RT_NODE_GROUP);
        rt_option_convert(composer, option, path_of(composer, check, option->name), empty, value);
        return;
    }
    if (!option->default_text)
        return;
    rt_node *node =
        rt_config_parse_value(composer->arena, composer->diagnostics, label, option->default_text);
    if (!node)
        return;
    node->value_place = (rt_place){.file = label};
    rt_option_convert(composer, option, path_of(composer, check, option->name), node, value);
}

static bool is_set(const rt_group_check *check, const rt_setting *values, const char *name)
{
    const rt_option_spec *other = rt_option_find(check->options, check->option_count, name);
    return other && values[other - check->options].type != RT_SETTING_NONE;
}

static bool is_needed(const rt_group_check *check, const rt_option_spec *option,
                      const rt_setting *values)
{
    return option->required ||
           (option->required_with && is_set(check, values, option->required_with));
}

void rt_group_judge(rt_composer *composer, const rt_group_check *check, const rt_node *group,
                    rt_setting *values)
{
    bool *judged = rt_arena_alloc(composer->arena, check->option_count + 1);
    for (const rt_node *node = group ? group->first : NULL; node; node = node->next) {
        const rt_option_spec *option =
            rt_option_find(check->options, check->option_count, node->name);
        if (option) {
            size_t i = (size_t)(option - check->options);
            judged[i] = !rt_option_convert(composer, option, path_of(composer, check, node->name),
                                           node, &values[i]);
        } else if (!rt_option_find(check->common, check->common_count, node->name)) {
            unknown_setting(composer, check, node);
        }
    }
    for (size_t i = 0; i < check->option_count; i++) {
        values[i].name = check->options[i].name;
        if (values[i].type == RT_SETTING_NONE && !judged[i])
            take_default(composer, check, &check->options[i], &values[i]);
    }
    for (size_t i = 0; i < check->option_count && !composer->judging_disabled; i++)
        if (values[i].type == RT_SETTING_NONE && !judged[i] &&
            is_needed(check, &check->options[i], values))
            missing(composer, check, &check->options[i], group);
}
