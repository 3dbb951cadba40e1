/* Discovery: which plugin files there are. Nothing is skipped silently. */
#include "compose/internal.h"

#include "base/reason.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_plugin_name(const char *name)
{
    size_t length = strlen(name);
    return name[0] != '.' && length > 3 && strcmp(name + length - 3, ".so") == 0;
}

static void read_plugin(rt_composer *composer, const char *folder, const char *name)
{
    const char *path = rt_arena_format(composer->arena, "%s/%s", folder, name);
    rt_manifest *manifest = rt_manifest_read(composer->arena, composer->diagnostics, path);
    rt_composition *result = composer->result;
    if (manifest)
        rt_push(composer->arena, result->manifests, result->manifest_count) = manifest;
    else
        rt_push(composer->arena, composer->broken, composer->broken_count) =
            rt_arena_copy_n(composer->arena, name, strlen(name) - 3);
}

static void read_folder(rt_composer *composer, const char *folder, const rt_place *place)
{
    const char **names = NULL;
    size_t count = 0;
    DIR *directory = opendir(folder);
    if (!directory) {
        rt_diagnostic *diagnostic =
            RT_DIAGNOSE(composer->diagnostics, PLUGIN_FOLDER, place, folder, rt_reason(errno));
        rt_help(diagnostic, "set `plugins` to the folder that holds the plugin files");
        return;
    }
    for (struct dirent *entry; (entry = readdir(directory));)
        if (is_plugin_name(entry->d_name))
            rt_push(composer->arena, names, count) = rt_arena_copy(composer->arena, entry->d_name);
    closedir(directory);
    rt_push(composer->arena, composer->folders, composer->folder_count) = folder;
    if (count)
        qsort(names, count, sizeof names[0], by_name);
    for (size_t i = 0; i < count; i++)
        read_plugin(composer, folder, names[i]);
}

static int by_module(const void *a, const void *b)
{
    const rt_manifest *left = *(rt_manifest *const *)a, *right = *(rt_manifest *const *)b;
    int order = strcmp(left->name, right->name);
    return order ? order : strcmp(left->file, right->file);
}

/* Two files with one module name: neither may be chosen by chance. */
static void report_twins(rt_composer *composer)
{
    rt_composition *result = composer->result;
    size_t kept = 0;
    for (size_t i = 0; i < result->manifest_count; i++) {
        rt_manifest *manifest = result->manifests[i];
        if (kept && strcmp(result->manifests[kept - 1]->name, manifest->name) == 0) {
            rt_diagnostic *diagnostic =
                RT_DIAGNOSE(composer->diagnostics, MODULE_TWICE,
                            &(rt_place){.file = manifest->file}, manifest->name);
            rt_note(diagnostic, "it is in `%s` already", result->manifests[kept - 1]->file);
            rt_help(diagnostic, "remove one of the two files");
            continue;
        }
        result->manifests[kept++] = manifest;
    }
    result->manifest_count = kept;
}

void rt_discover(rt_composer *composer)
{
    const rt_option_spec *option = rt_option_find(rt_host_options, rt_host_option_count, "plugins");
    const rt_setting *folders = &composer->host_values[option - rt_host_options];
    const rt_node *node = rt_node_member(composer->tree, "plugins");
    rt_composition *result = composer->result;
    if (folders->type == RT_SETTING_NONE && !node)
        read_folder(composer, composer->request->default_plugins, NULL);
    for (uint32_t i = 0; folders->type != RT_SETTING_NONE && i < folders->count; i++)
        read_folder(composer, rt_relative_path(composer, folders->value.members[i].value.text),
                    node ? &node->value_place : NULL);
    if (result->manifest_count)
        qsort(result->manifests, result->manifest_count, sizeof result->manifests[0], by_module);
    report_twins(composer);
}
