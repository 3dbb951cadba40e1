/* schema.h — how the host's own settings are written down, and the parts of `http` */
#ifndef RT_COMPOSE_SCHEMA_H
#define RT_COMPOSE_SCHEMA_H

#include "manifest/manifest.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

#define OPTION(name_, type_, default_, least_, most_, help_)                                  \
    {                                                                                         \
        .name = name_, .type = RT_SETTING_##type_, .default_text = default_, .least = least_, \
        .most = most_, .help = help_                                                          \
    }
#define WORDS(name_, words_, default_, help_)                                                     \
    {                                                                                             \
        .name = name_, .type = RT_SETTING_ENUM, .default_text = default_,                         \
        .values = (const char **)(uintptr_t)(words_), .value_count = COUNT(words_), .help = help_ \
    }
#define LIST(name_, of_, default_, help_)                                                         \
    {                                                                                             \
        .name = name_, .type = RT_SETTING_LIST, .of = RT_SETTING_##of_, .default_text = default_, \
        .help = help_                                                                             \
    }
#define SECTION(name_, fields_, help_)                                                             \
    {                                                                                              \
        .name = name_, .type = RT_SETTING_GROUP, .fields = fields_, .field_count = COUNT(fields_), \
        .help = help_                                                                              \
    }
/* A list of texts that a function judges; `kind` is what a message calls one of them. */
#define CHECKED(name_, kind_, check_, default_, help_)                                             \
    {                                                                                              \
        .name = name_, .type = RT_SETTING_LIST, .of = RT_SETTING_STRING, .default_text = default_, \
        .check = check_, .kind = kind_, .help = help_                                              \
    }
/* A list of a few words. */
#define CHOICES(name_, words_, default_, help_)                                                   \
    {                                                                                             \
        .name = name_, .type = RT_SETTING_LIST, .of = RT_SETTING_ENUM, .default_text = default_,  \
        .values = (const char **)(uintptr_t)(words_), .value_count = COUNT(words_), .help = help_ \
    }

/* telemetry_schema.c */
enum { RT_TELEMETRY_OPTIONS = 13 };
extern const rt_option_spec rt_telemetry_options[RT_TELEMETRY_OPTIONS];

/* http_schema.c */
enum { RT_CORS_SETTINGS = 6, RT_COMPRESSION_SETTINGS = 4, RT_ACCESS_LOG_SETTINGS = 3 };
extern const rt_option_spec rt_cors_settings[RT_CORS_SETTINGS];
extern const rt_option_spec rt_compression_settings[RT_COMPRESSION_SETTINGS];
extern const rt_option_spec rt_access_log_settings[RT_ACCESS_LOG_SETTINGS];
const char *rt_network_check(const char *text);

/* log_schema.c */
enum { RT_LOG_SETTINGS = 6 };
extern const rt_option_spec rt_log_settings[RT_LOG_SETTINGS];

#endif
