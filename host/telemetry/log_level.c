/* Who is heard: a level for all, and for some modules their own. Only where a module has its own is
 * a lock taken, by readers together. */
#include "telemetry/log_record.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

const char *const rt_log_level_names[RT_LOG_LEVEL_COUNT] = {
    [RT_LOG_TRACE] = "trace", [RT_LOG_DEBUG] = "debug", [RT_LOG_INFO] = "info",
    [RT_LOG_WARN] = "warn",   [RT_LOG_ERROR] = "error", [RT_LOG_FATAL] = "fatal",
};

static struct {
    pthread_rwlock_t lock; /* of `own` */
    uint32_t level;
    uint32_t least; /* of `level` and those of single modules */
    struct {
        char module[65];
        uint32_t level;
    } own[RT_LOG_LEVELS_MOST];
    uint32_t own_count;
} levels = {.lock = PTHREAD_RWLOCK_INITIALIZER, .level = RT_LOG_INFO, .least = RT_LOG_INFO};

static uint32_t get(const uint32_t *value)
{
    return __atomic_load_n(value, __ATOMIC_RELAXED);
}

static void set(uint32_t *value, uint32_t to)
{
    __atomic_store_n(value, to, __ATOMIC_RELAXED);
}

int rt_log_level_named(const char *name)
{
    for (int i = 0; name && i < RT_LOG_LEVEL_COUNT; i++)
        if (strcmp(name, rt_log_level_names[i]) == 0)
            return i;
    return -EINVAL;
}

void rt_log_level_begin(uint32_t level)
{
    pthread_rwlock_wrlock(&levels.lock);
    set(&levels.level, level);
    set(&levels.least, level);
    set(&levels.own_count, 0);
    pthread_rwlock_unlock(&levels.lock);
}

bool rt_log_is_enabled(uint32_t level)
{
    return level < RT_LOG_LEVEL_COUNT && level >= get(&levels.least);
}

static uint32_t own_index(const char *module)
{
    uint32_t i = 0;
    while (i < levels.own_count && strcmp(levels.own[i].module, module) != 0)
        i++;
    return i;
}

static void find_least(void)
{
    uint32_t least = levels.level;
    for (uint32_t i = 0; i < levels.own_count; i++)
        if (levels.own[i].level < least)
            least = levels.own[i].level;
    set(&levels.least, least);
}

static int set_own(const char *module, uint32_t level)
{
    uint32_t i = own_index(module);
    if (i == RT_LOG_LEVELS_MOST || strlen(module) >= sizeof levels.own[i].module)
        return -ENOSPC;
    strcpy(levels.own[i].module, module);
    levels.own[i].level = level;
    if (i == levels.own_count)
        set(&levels.own_count, i + 1);
    find_least();
    return 0;
}

int rt_log_set_level(const char *name, const char *module)
{
    int level = rt_log_level_named(name);
    if (level < 0)
        return -EINVAL;
    if (!module) {
        rt_log_level_begin((uint32_t)level);
        return 0;
    }
    pthread_rwlock_wrlock(&levels.lock);
    int error = set_own(module, (uint32_t)level);
    pthread_rwlock_unlock(&levels.lock);
    return error;
}

/* The instance's level, else its module's, else everybody's. */
static uint32_t level_of(const rt_instance *instance)
{
    uint32_t i = own_index(instance && instance->name ? instance->name : RT_LOG_HOST);
    if (i == levels.own_count && instance && instance->module)
        i = own_index(instance->module);
    return i < levels.own_count ? levels.own[i].level : levels.level;
}

bool rt_log_is_heard(const rt_instance *instance, uint32_t level)
{
    if (!rt_log_is_enabled(level) || !get(&levels.own_count))
        return rt_log_is_enabled(level);
    pthread_rwlock_rdlock(&levels.lock);
    bool heard = level >= level_of(instance);
    pthread_rwlock_unlock(&levels.lock);
    return heard;
}

void rt_log_levels(rt_buffer *out)
{
    pthread_rwlock_rdlock(&levels.lock);
    rt_buffer_format(out, "%s\n", rt_log_level_names[levels.level]);
    for (uint32_t i = 0; i < levels.own_count; i++)
        rt_buffer_format(out, "%s %s\n", rt_log_level_names[levels.own[i].level],
                         levels.own[i].module);
    pthread_rwlock_unlock(&levels.lock);
}
