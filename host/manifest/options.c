/* Whether the attributes of a declared option go together and with its type. */
#include "config/quantity.h"
#include "manifest/parts.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

const rt_word rt_setting_types[] = {
    {"string", RT_SETTING_STRING},
    {"int", RT_SETTING_INT},
    {"float", RT_SETTING_FLOAT},
    {"bool", RT_SETTING_BOOL},
    {"_Bool", RT_SETTING_BOOL}, /* what <stdbool.h> makes of it inside another macro */
    {"enum", RT_SETTING_ENUM},
    {"duration", RT_SETTING_DURATION},
    {"size", RT_SETTING_SIZE},
    {"url", RT_SETTING_URL},
    {"address", RT_SETTING_ADDRESS},
    {"path", RT_SETTING_PATH},
    {"secret", RT_SETTING_SECRET},
    {"list", RT_SETTING_LIST},
    {"group", RT_SETTING_GROUP},
    {"map", RT_SETTING_MAP},
    {NULL, 0}};

static void bad_option(rt_plugin *plugin, const rt_option_spec *option, const char *what)
{
    RT_DIAGNOSE(plugin->diagnostics, BAD_OPTION, &plugin->place,
                rt_shown(plugin->arena, option->name), what);
}

/* --- the configuration's syntax -------------------------------------------------------------- */

/* The text of `"…"` without its quotes, or NULL. Escapes stay: no unit and no word needs one. */
static const char *unquoted(rt_arena *arena, const char *text)
{
    size_t length = strlen(text);
    if (length < 2 || text[0] != '"' || text[length - 1] != '"')
        return NULL;
    for (size_t i = 1; i < length - 1; i++) {
        if (text[i] == '"')
            return NULL;
        if (text[i] == '\\' && ++i == length - 1)
            return NULL;
    }
    return rt_arena_copy_n(arena, text + 1, length - 2);
}

static bool is_text(rt_arena *arena, const rt_option_spec *option, const char *text)
{
    (void)option;
    return unquoted(arena, text);
}

static bool is_integer(rt_arena *arena, const rt_option_spec *option, const char *text)
{
    (void)arena, (void)option;
    char *end;
    bool hexadecimal = strncasecmp(text, "0x", 2) == 0;
    strtoll(text, &end, hexadecimal ? 16 : 10);
    size_t suffix = strspn(end, "L");
    return end != text && suffix <= 2 && !end[suffix];
}

static bool is_number(rt_arena *arena, const rt_option_spec *option, const char *text)
{
    (void)arena, (void)option;
    char *end;
    strtod(text, &end);
    return end != text && !*end && strspn(text, "+-.0123456789eE") == strlen(text);
}

static bool is_bool(rt_arena *arena, const rt_option_spec *option, const char *text)
{
    (void)arena, (void)option;
    return strcasecmp(text, "true") == 0 || strcasecmp(text, "false") == 0;
}

static bool is_duration(rt_arena *arena, const rt_option_spec *option, const char *text)
{
    int64_t value;
    const char *inner = unquoted(arena, text);
    (void)option;
    return inner && !rt_parse_duration(inner, &value);
}

static bool is_size(rt_arena *arena, const rt_option_spec *option, const char *text)
{
    int64_t value;
    const char *inner = unquoted(arena, text);
    (void)option;
    return inner && !rt_parse_size(inner, &value);
}

static bool is_word(rt_arena *arena, const rt_option_spec *option, const char *text)
{
    const char *inner = unquoted(arena, text);
    for (size_t i = 0; inner && i < option->value_count; i++)
        if (strcmp(option->values[i], inner) == 0)
            return true;
    return false;
}

static bool is_bracketed(rt_arena *arena, const rt_option_spec *option, const char *text)
{
    size_t length = strlen(text);
    (void)arena, (void)option;
    return length >= 2 && ((text[0] == '[' && text[length - 1] == ']') ||
                           (text[0] == '(' && text[length - 1] == ')'));
}

static bool is_braced(rt_arena *arena, const rt_option_spec *option, const char *text)
{
    size_t length = strlen(text);
    (void)arena, (void)option;
    return length >= 2 && text[0] == '{' && text[length - 1] == '}';
}

/* --- types ----------------------------------------------------------------------------------- */

enum { RANGE = 1, LENGTH = 2, WORDS = 4, FIELDS = 8, OF = 16, ACCESS = 32, NO_FILES = 64 };

static const struct type_rule {
    unsigned allows;
    bool (*is_default)(rt_arena *arena, const rt_option_spec *option, const char *text);
    const char *wanted;
} type_rules[] = {
    [RT_SETTING_STRING] = {LENGTH, is_text, "a text in quotes"},
    [RT_SETTING_INT] = {RANGE, is_integer, "an integer"},
    [RT_SETTING_FLOAT] = {RANGE, is_number, "a number"},
    [RT_SETTING_BOOL] = {0, is_bool, "true or false"},
    [RT_SETTING_ENUM] = {WORDS, is_word, "one of its words in quotes"},
    [RT_SETTING_DURATION] = {RANGE, is_duration, "a duration in quotes, such as \"30 s\""},
    [RT_SETTING_SIZE] = {RANGE, is_size, "a size in quotes, such as \"1 MiB\""},
    [RT_SETTING_URL] = {LENGTH, is_text, "a URL in quotes"},
    [RT_SETTING_ADDRESS] = {0, is_text, "an address in quotes"},
    [RT_SETTING_PATH] = {LENGTH | ACCESS | NO_FILES, is_text, "a path in quotes"},
    [RT_SETTING_SECRET] = {LENGTH, is_text, "a text in quotes"},
    [RT_SETTING_LIST] = {LENGTH | OF, is_bracketed, "a list in brackets"},
    [RT_SETTING_GROUP] = {FIELDS, is_braced, "a group in braces"},
    [RT_SETTING_MAP] = {LENGTH | FIELDS, is_braced, "a group in braces"},
};

/* A list may have what its elements may have; its bounds are of its length all the same. */
static unsigned allowed(const rt_option_spec *option)
{
    unsigned allows = type_rules[option->type].allows;
    if (option->type == RT_SETTING_LIST)
        allows |= type_rules[option->of].allows & (WORDS | FIELDS | ACCESS | NO_FILES);
    return allows;
}

static void judge_attributes(rt_plugin *plugin, const rt_option_spec *option)
{
    unsigned allows = allowed(option);
    bool nested = option->of >= RT_SETTING_LIST && option->of != RT_SETTING_GROUP;
    const struct {
        bool wrong;
        const char *what;
    } rules[] = {
        {(option->least || option->most) && !(allows & (RANGE | LENGTH)),
         "a range means nothing for its type"},
        {option->value_count && !(allows & (WORDS | NO_FILES)),
         "only an enum and a path have RT_VALUES"},
        {option->field_count && !(allows & FIELDS),
         "only a group, a map and a list of groups have RT_FIELD"},
        {option->of && !(allows & OF), "only a list has RT_OF"},
        {nested, "a list holds neither lists nor maps"},
        {(option->read || option->write) && !(allows & ACCESS),
         "only a path has RT_READ and RT_WRITE"},
        {(option->required || option->required_with) && option->default_text,
         "a required option has no default"},
        {option->required && option->required_with, "it is required always or with another one"},
        {option->not_secret && option->type == RT_SETTING_SECRET,
         "its type says it is secret, RT_NOT_SECRET that it is not"},
    };
    for (size_t i = 0; i < RT_COUNT(rules); i++)
        if (rules[i].wrong)
            bad_option(plugin, option, rules[i].what);
}

static void judge_missing(rt_plugin *plugin, const rt_option_spec *option, bool is_field)
{
    unsigned allows = allowed(option);
    const struct {
        bool missing;
        const char *what;
    } rules[] = {
        {allows & WORDS && !option->value_count, "RT_VALUES"},
        {allows & OF && !option->of, "RT_OF"},
        {allows & FIELDS && !option->field_count && !is_field, "RT_FIELD"},
    };
    for (size_t i = 0; i < RT_COUNT(rules); i++)
        if (rules[i].missing)
            RT_DIAGNOSE(plugin->diagnostics, NOTE_KEY_MISSING, &plugin->place,
                        rt_arena_format(plugin->arena, "%s=%s", is_field ? "field" : "option",
                                        rt_shown(plugin->arena, option->name)),
                        rules[i].what);
    if (allows & FIELDS && is_field)
        bad_option(plugin, option, "a field cannot have fields itself");
}

static void judge_words(rt_plugin *plugin, const rt_option_spec *option)
{
    for (size_t i = 0; i < option->value_count; i++)
        for (size_t k = 0; k < i; k++)
            if (strcmp(option->values[k], option->values[i]) == 0) {
                bad_option(plugin, option, "a word occurs twice in RT_VALUES");
                return;
            }
}

/* --- bounds ---------------------------------------------------------------------------------- */

static bool bound_value(const rt_option_spec *option, const char *text, double *value)
{
    int64_t quantity;
    if (option->type == RT_SETTING_DURATION || option->type == RT_SETTING_SIZE) {
        const char *problem = option->type == RT_SETTING_DURATION
                                  ? rt_parse_duration(text, &quantity)
                                  : rt_parse_size(text, &quantity);
        *value = problem ? 0 : (double)quantity;
        return !problem;
    }
    *value = strtod(text, NULL);
    bool real = option->type == RT_SETTING_FLOAT;
    return real ? is_number(NULL, option, text) : is_integer(NULL, option, text);
}

static void judge_bounds(rt_plugin *plugin, const rt_option_spec *option)
{
    double least = 0, most = 0;
    bool sound = (!option->least || bound_value(option, option->least, &least)) &&
                 (!option->most || bound_value(option, option->most, &most));
    if (!sound)
        bad_option(plugin, option, "a bound of RT_RANGE is not written as its values are");
    else if (option->least && option->most && least > most)
        bad_option(plugin, option, "the smallest value of RT_RANGE is above the largest");
}

static void judge_default(rt_plugin *plugin, const rt_option_spec *option)
{
    const struct type_rule *rule = &type_rules[option->type];
    if (!option->default_text || rule->is_default(plugin->arena, option, option->default_text))
        return;
    RT_DIAGNOSE(plugin->diagnostics, BAD_OPTION_DEFAULT, &plugin->place,
                rt_shown(plugin->arena, option->default_text),
                rt_shown(plugin->arena, option->name), rule->wanted);
}

/* The number that RT_RANGE is about: a value, or the length of a text. False where only reading the
 * default as configuration would tell. */
static bool default_amount(rt_plugin *plugin, const rt_option_spec *option, double *amount)
{
    const char *text = option->default_text;
    size_t length = strlen(text);
    if (type_rules[option->type].allows & RANGE && *text != '"')
        return bound_value(option, text, amount);
    if (length < 2 || *text != '"' || strpbrk(text, "\\") ||
        strchr(text + 1, '"') != text + length - 1)
        return false;
    *amount = (double)(length - 2);
    return type_rules[option->type].allows & LENGTH ||
           bound_value(option, rt_arena_copy_n(plugin->arena, text + 1, length - 2), amount);
}

static void judge_default_in_range(rt_plugin *plugin, const rt_option_spec *option)
{
    double amount, bound;
    if (!option->default_text || !(option->least || option->most) ||
        !default_amount(plugin, option, &amount))
        return;
    bool low = option->least && bound_value(option, option->least, &bound) && amount < bound;
    bool high = option->most && bound_value(option, option->most, &bound) && amount > bound;
    if (low || high)
        bad_option(plugin, option, "its default is outside of RT_RANGE");
}

void rt_option_judge(rt_plugin *plugin, const rt_option_spec *option, bool is_field)
{
    if (!is_field && rt_option_find(rt_module_options, rt_module_option_count, option->name))
        rt_help(RT_DIAGNOSE(plugin->diagnostics, RESERVED_OPTION, &plugin->place, option->name),
                "give it another name");
    if (option->type == RT_SETTING_NONE)
        return; /* unknown: reported already */
    judge_attributes(plugin, option);
    judge_missing(plugin, option, is_field);
    judge_words(plugin, option);
    judge_bounds(plugin, option);
    judge_default(plugin, option);
    judge_default_in_range(plugin, option);
}

bool rt_option_can_be(const rt_plugin *plugin, const rt_option_spec *option, const char *text)
{
    switch (option->type) {
    case RT_SETTING_INT:
    case RT_SETTING_FLOAT:
    case RT_SETTING_BOOL:
        return type_rules[option->type].is_default(plugin->arena, option, text);
    case RT_SETTING_ENUM:
    case RT_SETTING_DURATION:
    case RT_SETTING_SIZE:
        return type_rules[option->type].is_default(plugin->arena, option,
                                                   rt_arena_format(plugin->arena, "\"%s\"", text));
    default:
        return option->type < RT_SETTING_LIST;
    }
}
