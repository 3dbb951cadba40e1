#include "process/runtime.h"

#include <dlfcn.h>
#include <string.h>

#define ENTRY_LIMIT 4096 /* slots or options of one module; more is a broken descriptor */

/* The same module under another name shares its file, and so its descriptor. */
static rt_module_descriptor *loaded_already(const rt_running *running)
{
    for (rt_running *other = running->runtime->instances; other < running; other++)
        if (other->descriptor && strcmp(other->plan->module, running->plan->module) == 0)
            return other->descriptor;
    return NULL;
}

static bool mismatch(const rt_running *running, const char *problem)
{
    return rt_problem(running, RT_D_DESCRIPTOR_MISMATCH, "%s", problem);
}

static bool judge_header(const rt_running *running, const rt_module_descriptor *descriptor)
{
    if (descriptor->magic != RT_MODULE_MAGIC)
        return mismatch(running, "its descriptor has another magic number");
    if (descriptor->size < sizeof *descriptor)
        return mismatch(running, "its descriptor is too short");
    if (descriptor->abi_major != RT_ABI_MAJOR || descriptor->abi_minor > RT_ABI_MINOR)
        return rt_problem(running, RT_D_DESCRIPTOR_MISMATCH,
                          "its descriptor is of ABI %u.%u, this host has %u.%u",
                          descriptor->abi_major, descriptor->abi_minor, RT_ABI_MAJOR, RT_ABI_MINOR);
    return true;
}

static bool judge_contents(const rt_running *running, const rt_module_descriptor *descriptor)
{
    ptrdiff_t slots = descriptor->slots_end - descriptor->slots;
    ptrdiff_t options = descriptor->options_end - descriptor->options;
    if (!descriptor->name || !descriptor->version || !descriptor->host ||
        !descriptor->register_module)
        return mismatch(running, "its descriptor lacks a member");
    if (strcmp(descriptor->name, running->plan->module) != 0 ||
        strcmp(descriptor->version, running->plan->version) != 0)
        return rt_problem(running, RT_D_DESCRIPTOR_MISMATCH,
                          "its descriptor says `%s` %s, its manifest `%s` %s", descriptor->name,
                          descriptor->version, running->plan->module, running->plan->version);
    if (slots < 0 || slots > ENTRY_LIMIT || options < 0 || options > ENTRY_LIMIT)
        return mismatch(running, "its descriptor has impossible tables");
    return true;
}

/* The places of a module's handles and options, the same for all its instances. */
static void number_entries(const rt_module_descriptor *descriptor)
{
    uint32_t index = 0;
    for (rt_slot *const *slot = descriptor->slots; slot < descriptor->slots_end; slot++)
        if (*slot)
            (*slot)->index = index++;
    index = 0;
    for (rt_option *const *option = descriptor->options; option < descriptor->options_end; option++)
        if (*option)
            (*option)->index = index++;
}

/* What the dynamic linker says, without the file's name, which is told anyway. */
static const char *linker_error(const char *file)
{
    const char *text = dlerror();
    size_t length = strlen(file);
    if (text && strncmp(text, file, length) == 0 && strncmp(text + length, ": ", 2) == 0)
        return text + length + 2;
    return text ? text : "it exports no `rt_module`";
}

static rt_module_descriptor *load_file(const rt_running *running)
{
    const char *file = running->plan->snapshot ? running->plan->snapshot : running->plan->file;
    void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    rt_module_descriptor *descriptor = library ? dlsym(library, "rt_module") : NULL;
    if (!descriptor) {
        rt_problem(running, RT_D_LOAD_FAILED, "%s", linker_error(file));
        return NULL;
    }
    if (!judge_header(running, descriptor) || !judge_contents(running, descriptor))
        return NULL;
    number_entries(descriptor);
    *descriptor->host = rt_host_table;
    return descriptor;
}

static const rt_plan_option *planned(const rt_running *running, const char *name)
{
    for (size_t i = 0; i < running->plan->option_count; i++)
        if (strcmp(running->plan->options[i].name, name) == 0)
            return &running->plan->options[i];
    return NULL;
}

static bool fill_settings(rt_running *running)
{
    const rt_module_descriptor *descriptor = running->descriptor;
    size_t most = (size_t)(descriptor->options_end - descriptor->options);
    rt_setting *settings = rt_arena_alloc(&running->runtime->arena, most * sizeof *settings);
    for (rt_option *const *option = descriptor->options; option < descriptor->options_end;
         option++) {
        if (!*option)
            continue;
        const rt_plan_option *value = (*option)->name ? planned(running, (*option)->name) : NULL;
        if (!value || value->type != (*option)->type)
            return rt_problem(running, RT_D_DESCRIPTOR_MISMATCH,
                              "its manifest has no option `%s` of that type",
                              (*option)->name ? (*option)->name : "");
        settings[(*option)->index] = value->value;
    }
    running->instance.settings = settings;
    return true;
}

bool rt_load(rt_running *running)
{
    const rt_watch *watch = &running->runtime->watch;
    watch->phase(watch->argument, running, RT_PHASE_LOAD);
    rt_module_descriptor *descriptor = loaded_already(running);
    if (!descriptor)
        descriptor = load_file(running);
    running->descriptor = descriptor;
    return descriptor && fill_settings(running);
}
