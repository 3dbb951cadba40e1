/* The group `log`, and the levels in it that modules have of their own.
 *
 *     log: { level = "info"; levels: { email-smtp = "debug"; rtd = "warn"; }; };
 */
#include "compose/internal.h"
#include "compose/schema.h"

#include "base/suggest.h"

#include <rt/module.h>
#include <string.h>

#define LEVELS_MOST 32 /* RT_LOG_LEVELS_MOST of telemetry/log.h */

static const char *const levels[] = {"trace", "debug", "info", "warn", "error", "fatal"};
static const char *const formats[] = {"pretty", "json", "journal"};

static const rt_option_spec level_option =
    WORDS("level", levels, NULL, "Least level that is logged; by environment: debug, warn, info");

const rt_option_spec rt_log_settings[RT_LOG_SETTINGS] = {
    WORDS("level", levels, NULL, "Least level that is logged; by environment: debug, warn, info"),
    {.name = "levels", .type = RT_SETTING_GROUP, .help = "Levels of single modules, by name"},
    WORDS("format", formats, NULL,
          "Form of a line; by environment: pretty, pretty, json, json; or the journal's records"),
    {.name = "file",
     .type = RT_SETTING_PATH,
     .write = true,
     .help = "File to append to instead of standard error"},
    {.name = "journal",
     .type = RT_SETTING_PATH,
     .default_text = "\"/run/systemd/journal/socket\"",
     .help = "Socket of the journal"},
    OPTION(
        "repeat", INT, "100", "0", "1000000",
        "Lines of a second that differ in numbers alone; what is more is summed up; 0: no limit"),
};

static const rt_setting *member(const rt_setting *group, const char *name)
{
    const rt_setting *found = rt_setting_member(group, name);
    return found && found->type != RT_SETTING_NONE ? found : NULL;
}

static const char *text_or(const rt_setting *group, const char *name, const char *otherwise)
{
    const rt_setting *found = member(group, name);
    return found ? found->value.text : otherwise;
}

void rt_log_take(rt_composer *composer, const rt_setting *group)
{
    static const char *const usual_levels[] = {"debug", "warn", "info", "info"};
    rt_host_settings *host = &composer->host;
    const rt_setting *repeat = member(group, "repeat");
    host->log.level = text_or(group, "level", usual_levels[composer->environment]);
    host->log.format = text_or(group, "format", composer->strict ? "json" : "pretty");
    host->log.automatic = !member(group, "format");
    host->log.file = text_or(group, "file", NULL);
    host->log.journal = text_or(group, "journal", NULL);
    host->log.repeat = repeat ? repeat->value.integer : 0;
}

/* --- levels of modules ----------------------------------------------------------------------- */

/* By the instance's name or the module's, as `rtctl log-level` takes them. */
static bool is_planned(const rt_composer *composer, const char *name, rt_suggestion *suggestion)
{
    bool found = strcmp(name, "rtd") == 0;
    rt_suggest(suggestion, "rtd");
    for (size_t i = 0; i < composer->order_count; i++) {
        const rt_candidate *candidate = composer->order[i];
        rt_suggest(suggestion, candidate->name);
        rt_suggest(suggestion, candidate->manifest->name);
        found |= strcmp(candidate->name, name) == 0 || strcmp(candidate->manifest->name, name) == 0;
    }
    return found;
}

/* One that is there but not needed is no slip. */
static void unknown(rt_composer *composer, const rt_node *node, const rt_suggestion *suggestion)
{
    rt_diagnostic *diagnostic =
        RT_DIAGNOSE(composer->diagnostics, LOG_LEVEL_OF_UNKNOWN, &node->name_place, node->name);
    if (rt_candidate_find(composer, node->name))
        rt_set_severity(composer->diagnostics, diagnostic, RT_WARNING);
    else
        rt_suggest_label(suggestion, diagnostic);
}

static void judge_level(rt_composer *composer, const rt_node *node)
{
    rt_setting value = {0};
    rt_suggestion suggestion;
    rt_suggest_begin(&suggestion, node->name);
    const char *path = rt_arena_format(composer->arena, "log.levels.%s", node->name);
    if (!is_planned(composer, node->name, &suggestion))
        unknown(composer, node, &suggestion);
    else if (rt_option_convert(composer, &level_option, path, node, &value) &&
             value.type != RT_SETTING_NONE)
        rt_push(composer->arena, composer->host.log.levels, composer->host.log.level_count) =
            (rt_plan_level){node->name, value.value.text};
}

static void judge_count(rt_composer *composer, const rt_node *group)
{
    if (group->count > LEVELS_MOST)
        RT_DIAGNOSE(composer->diagnostics, OUT_OF_RANGE, &group->value_place, "log.levels",
                    rt_arena_format(composer->arena, "has %u levels", group->count),
                    rt_arena_format(composer->arena, "have at most %d", LEVELS_MOST));
}

void rt_log_judge(rt_composer *composer)
{
    const rt_node *group = rt_settings_find(composer->tree, "log.levels");
    const rt_host_settings *host = &composer->host;
    if (strcmp(host->log.format, "journal") == 0 && host->log.file) {
        const rt_node *node = rt_settings_find(composer->tree, "log.file");
        RT_DIAGNOSE(composer->diagnostics, LOG_FILE_UNUSED, node ? &node->value_place : NULL);
    }
    if (!group || group->type != RT_NODE_GROUP)
        return;
    judge_count(composer, group);
    for (const rt_node *node = group->first; node; node = node->next)
        judge_level(composer, node);
}
