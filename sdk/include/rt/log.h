/* rt/log.h — structured logs
 *
 * One call is one line on the process's log with time, level, module, correlation id, message and
 * fields, pretty or JSON as `log.format` says. Texts are copied. Nothing here waits.
 * `ctx` may be NULL, as in threads of a module's own: such a line is the host's and has no
 * correlation id.
 *
 *     rt_log(ctx, RT_LOG_INFO, "order %s accepted", id);
 *     rt_log_with(ctx, RT_LOG_WARN, "payment is late", {"order", id}, {"attempt", NULL, 3});
 */
#ifndef RT_LOG_H
#define RT_LOG_H

#include <rt/abi.h>
#include <rt/host.h>

enum rt_log_level {
    RT_LOG_TRACE = 0,
    RT_LOG_DEBUG = 1,
    RT_LOG_INFO = 2,
    RT_LOG_WARN = 3,
    RT_LOG_ERROR = 4,
    RT_LOG_FATAL = 5,
};

/* A field: text, or the integer when text is NULL. */
typedef struct rt_field {
    const char *name;
    const char *text;
    int64_t integer;
} rt_field;

/* The text of an error's field of that name; NULL without one. */
static inline const char *rt_error_text(const rt_error *error, const char *name)
{
    for (uint64_t i = 0; error && RT_HAS(error, field_count) && i < error->field_count; i++)
        if (__builtin_strcmp(error->fields[i].name, name) == 0)
            return error->fields[i].text;
    return NULL;
}

/* A field may be written as name and text alone: what is left out is 0. */
#define RT_FIELDS_BEGIN_           \
    _Pragma("GCC diagnostic push") \
        _Pragma("GCC diagnostic ignored \"-Wmissing-field-initializers\"")
#define RT_FIELDS_END_ _Pragma("GCC diagnostic pop")

#define rt_log(ctx_, level_, ...)                          \
    do {                                                   \
        if (rt_host_table->log_enabled(ctx_, level_))      \
            rt_host_table->log(ctx_, level_, __VA_ARGS__); \
    } while (0)

#define rt_log_with(ctx_, level_, message_, ...)                                       \
    do {                                                                               \
        RT_FIELDS_BEGIN_ const rt_field rt_fields_[] = {__VA_ARGS__};                  \
        RT_FIELDS_END_                                                                 \
        rt_host_table->log_fields(ctx_, level_, rt_fields_,                            \
                                  sizeof rt_fields_ / sizeof rt_fields_[0], message_); \
    } while (0)

#endif
