/* Declared options: how one is found, and those that every module has. */
#include "manifest/manifest.h"

#include <string.h>

static const char *starts[] = {"eager", "lazy"};

const rt_option_spec rt_module_options[] = {
    {.name = "enabled",
     .type = RT_SETTING_BOOL,
     .default_text = "true",
     .help = "false: as if it were not there"},
    {.name = "module",
     .type = RT_SETTING_STRING,
     .least = "1",
     .most = "64",
     .help = "The module of an instance under another name"},
    {.name = "start",
     .type = RT_SETTING_ENUM,
     .default_text = "\"eager\"",
     .values = starts,
     .value_count = sizeof starts / sizeof starts[0],
     .help = "lazy: start at first use"},
    {.name = "use", .type = RT_SETTING_GROUP, .help = "Providers by capability, for this one"},
    {.name = "effects",
     .type = RT_SETTING_GROUP,
     .help = "What happens around calls of what it provides, by capability"},
};
const size_t rt_module_option_count = sizeof rt_module_options / sizeof rt_module_options[0];

const rt_option_spec *rt_option_find(const rt_option_spec *options, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(options[i].name, name) == 0)
            return &options[i];
    return NULL;
}

bool rt_option_holds_secret(const rt_option_spec *option)
{
    if (option->type == RT_SETTING_SECRET || option->of == RT_SETTING_SECRET)
        return true;
    for (size_t i = 0; i < option->field_count; i++)
        if (rt_option_holds_secret(&option->fields[i]))
            return true;
    return false;
}
