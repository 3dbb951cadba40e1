/* What the environment allows; who may change a plugin; what manifests and configuration left. */
#include "compose/internal.h"

#include "config/quantity.h"

#include <rt/module.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- the machine ----------------------------------------------------------------------------- */

static bool host_flag(const rt_composer *composer, const char *section, const char *name)
{
    const rt_option_spec *option =
        rt_option_find(rt_host_options, rt_host_option_count, section ? section : name);
    const rt_setting *value = &composer->host_values[option - rt_host_options];
    if (section)
        value = rt_setting_member(value, name);
    return value && value->type != RT_SETTING_NONE && value->value.integer;
}

static void judge_listening_of(rt_composer *composer, const char *name, const rt_setting *listen)
{
    const rt_node *node = rt_settings_find(composer->tree, name);
    for (uint32_t i = 0; listen->type != RT_SETTING_NONE && i < listen->count; i++) {
        const rt_setting *address = &listen->value.members[i];
        if (address->type == RT_SETTING_NONE || rt_address_is_loopback(address->value.text))
            continue;
        rt_diagnostic *diagnostic =
            RT_DIAGNOSE(composer->diagnostics, REMOTE_LISTEN, node ? &node->value_place : NULL,
                        name, address->value.text, rt_environment_names[composer->environment]);
        rt_help(diagnostic, "listen on 127.0.0.1, or set `http.allow_remote = true`");
    }
}

static void judge_listening(rt_composer *composer)
{
    if (composer->strict || host_flag(composer, "http", "allow_remote"))
        return;
    judge_listening_of(composer, "http.listen", composer->host.http.listen);
    judge_listening_of(composer, "admin.listen", composer->host.admin.listen);
}

static void judge_root(rt_composer *composer)
{
    if (!composer->request->running || geteuid() != 0 || composer->host.uid > 0 ||
        host_flag(composer, NULL, "allow_root"))
        return;
    rt_diagnostic *diagnostic = RT_DIAGNOSE(composer->diagnostics, RUNNING_AS_ROOT, NULL);
    rt_help(diagnostic, "set `user`, start it as a user of its own, or set `allow_root = true`");
    if (composer->strict)
        rt_set_severity(composer->diagnostics, diagnostic, RT_ERROR);
}

/* In a sticky folder nobody replaces what is another's. */
static void judge_writable(rt_composer *composer, const char *what, const char *path)
{
    struct stat status;
    if (stat(path, &status) < 0 || !(status.st_mode & S_IWOTH) ||
        (S_ISDIR(status.st_mode) && status.st_mode & S_ISVTX) || S_ISCHR(status.st_mode))
        return;
    rt_diagnostic *diagnostic = RT_DIAGNOSE(composer->diagnostics, WRITABLE_BY_OTHERS,
                                            &(rt_place){.file = path}, what, path);
    rt_help(diagnostic, "chmod o-w %s", path);
    if (composer->strict)
        rt_set_severity(composer->diagnostics, diagnostic, RT_ERROR);
}

/* The folder that a link leads to; NULL if `file` is no link. */
static const char *folder_behind(rt_composer *composer, const char *file)
{
    struct stat status;
    char *target = NULL;
    const char *folder = NULL;
    if (lstat(file, &status) == 0 && S_ISLNK(status.st_mode))
        target = realpath(file, NULL);
    if (target) {
        size_t length = (size_t)(strrchr(target, '/') - target);
        folder = rt_arena_copy_n(composer->arena, target, length ? length : 1);
    }
    free(target);
    return folder;
}

/* Files outside the plan too: what somebody writes into them decides whether they are in it at the
 * next start. The same goes for a folder that holds none yet, and for one that a link leads to. */
static void judge_plugin_files(rt_composer *composer)
{
    for (size_t i = 0; i < composer->folder_count; i++)
        judge_writable(composer, "plugin folder", composer->folders[i]);
    const char *last = "";
    for (size_t i = 0; i < composer->result->manifest_count; i++) {
        const char *file = composer->result->manifests[i]->file;
        const char *folder = folder_behind(composer, file);
        if (folder && strcmp(folder, last) != 0)
            judge_writable(composer, "plugin folder", last = folder);
        judge_writable(composer, "plugin file", file);
    }
}

struct files {
    const char **names;
    size_t count;
};

static void add_file(rt_composer *composer, struct files *files, const char *name)
{
    for (size_t i = 0; i < files->count; i++)
        if (strcmp(files->names[i], name) == 0)
            return;
    rt_push(composer->arena, files->names, files->count) = name;
}

/* The files whose settings are in force: an included one is known by the places of its settings. */
static void add_files_below(rt_composer *composer, struct files *files, const rt_node *group)
{
    for (const rt_node *node = group->first; node; node = node->next) {
        if (node->name_place.file && node->name_place.line)
            add_file(composer, files, node->name_place.file);
        add_files_below(composer, files, node);
    }
}

static void judge_config_files(rt_composer *composer)
{
    struct files files = {0};
    for (size_t i = 0; i < composer->request->config_count; i++)
        add_file(composer, &files, composer->request->config_files[i]);
    add_files_below(composer, &files, composer->tree);
    for (size_t i = 0; i < files.count; i++)
        judge_writable(composer, "configuration file", files.names[i]);
}

/* --- manifests ------------------------------------------------------------------------------- */

static void judge_option_name(rt_composer *composer, const rt_candidate *candidate,
                              const rt_option_spec *option)
{
    for (size_t i = 0; i < option->field_count; i++)
        judge_option_name(composer, candidate, &option->fields[i]);
    if (option->type != RT_SETTING_STRING || option->not_secret ||
        !rt_secret_sounding(option->name))
        return;
    rt_diagnostic *diagnostic =
        RT_DIAGNOSE(composer->diagnostics, SECRET_LOOKING_OPTION, PLACE_OF(candidate), option->name,
                    candidate->manifest->name);
    rt_help(diagnostic, "its author declares it `secret`, or RT_NOT_SECRET if it is none");
}

static void judge_options(rt_composer *composer)
{
    for (size_t i = 0; i < composer->candidate_count; i++) {
        const rt_candidate *candidate = composer->candidates[i];
        if (candidate->is_instance || !(candidate->planned || candidate->configured))
            continue;
        for (size_t k = 0; k < candidate->manifest->option_count; k++)
            judge_option_name(composer, candidate, &candidate->manifest->options[k]);
    }
}

#define MOST_UNUSED_NAMED 12

/* Under its own name or as an instance. */
static bool is_loaded(const rt_composer *composer, const rt_manifest *manifest)
{
    for (size_t i = 0; i < composer->order_count; i++)
        if (composer->order[i]->manifest == manifest)
            return true;
    return false;
}

static void report_unused(rt_composer *composer)
{
    const char *list = NULL;
    size_t count = 0;
    for (size_t i = 0; i < composer->candidate_count; i++) {
        const rt_candidate *candidate = composer->candidates[i];
        if (candidate->planned ||
            (!candidate->is_instance && is_loaded(composer, candidate->manifest)))
            continue;
        if (++count <= MOST_UNUSED_NAMED)
            rt_list_add(composer, &list, "`%s`", candidate->name);
    }
    if (count > MOST_UNUSED_NAMED)
        rt_list_add(composer, &list, "and %zu more", count - MOST_UNUSED_NAMED);
    if (count)
        RT_DIAGNOSE(composer->diagnostics, UNUSED, NULL, list);
}

void rt_policy_judge(rt_composer *composer)
{
    rt_gate_judge(composer);
    rt_events_judge(composer);
    judge_listening(composer);
    rt_http_judge(composer);
    judge_root(composer);
    judge_config_files(composer);
    judge_plugin_files(composer);
    judge_options(composer);
    report_unused(composer);
}
