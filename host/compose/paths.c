/* The files an instance may use: what its options of type `path` name, and the folders its file was
 * linked to look for libraries in. */
#include "compose/internal.h"

#include <string.h>

struct walk {
    rt_composer *composer;
    rt_plan_instance *instance;
    const char *option;
};

static void add(const struct walk *walk, const char *path, bool write)
{
    rt_push(walk->composer->arena, walk->instance->paths, walk->instance->path_count) =
        (rt_plan_path){.path = path, .option = walk->option, .write = write};
}

/* `spec` is the setting's own, or for what a list or map holds that of the list or map. */
static void collect(const struct walk *walk, const rt_option_spec *spec, const rt_setting *setting)
{
    bool fields = setting->type == RT_SETTING_GROUP;
    if (setting->type == RT_SETTING_PATH && !rt_path_is_word(spec, setting->value.text))
        add(walk, setting->value.text, spec->write);
    if (!fields && setting->type != RT_SETTING_LIST && setting->type != RT_SETTING_MAP)
        return;
    for (uint32_t i = 0; i < setting->count; i++)
        collect(walk, fields ? &spec->fields[i] : spec, &setting->value.members[i]);
}

/* $ORIGIN leads nowhere: workers load a copy. */
static void collect_runpath(struct walk *walk, const char *runpath)
{
    walk->option = "DT_RUNPATH";
    for (const char *next = runpath; next && *next;) {
        size_t length = strcspn(next, ":");
        if (*next == '/')
            add(walk, rt_arena_copy_n(walk->composer->arena, next, length), false);
        next += length + (next[length] == ':');
    }
}

void rt_paths_collect(rt_composer *composer, const rt_candidate *candidate,
                      rt_plan_instance *instance)
{
    struct walk walk = {.composer = composer, .instance = instance};
    for (size_t i = 0; candidate->options && i < candidate->manifest->option_count; i++) {
        walk.option = candidate->manifest->options[i].name;
        collect(&walk, &candidate->manifest->options[i], &candidate->options[i].value);
    }
    collect_runpath(&walk, candidate->manifest->runpath);
}
