#include "process/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNTER "oom_kill "
#define YIELDS 300 /* thousandths of the memory there is, by which it seems to use more */
#define MOST 1000

static uint64_t read_counter(const char *file)
{
    char line[128];
    uint64_t kills = 0;
    FILE *in = fopen(file, "re");
    while (in && fgets(line, sizeof line, in))
        if (strncmp(line, COUNTER, strlen(COUNTER)) == 0)
            kills = strtoull(line + strlen(COUNTER), NULL, 10);
    if (in)
        fclose(in);
    return kills;
}

/* "0::/user.slice/rt" in the one hierarchy, "4:memory:/rt" in the older kind. */
static uint64_t kills_of(const char *line, const char *marker, const char *mount, const char *name)
{
    char file[4400];
    const char *path = strstr(line, marker);
    if (!path)
        return 0;
    path += strlen(marker);
    snprintf(file, sizeof file, "%s%.*s/%s", mount, (int)strcspn(path, "\n"), path, name);
    return read_counter(file);
}

uint64_t rt_memory_kills(void)
{
    char line[4096];
    uint64_t kills = 0;
    FILE *in = fopen("/proc/self/cgroup", "re");
    while (in && fgets(line, sizeof line, in)) {
        if (strncmp(line, "0::", 3) == 0)
            kills += kills_of(line, "::", "/sys/fs/cgroup", "memory.events");
        else
            kills += kills_of(line, ":memory:", "/sys/fs/cgroup/memory", "memory.oom_control");
    }
    if (in)
        fclose(in);
    return kills;
}

void rt_memory_yield(void)
{
    int score = 0;
    FILE *file = fopen("/proc/self/oom_score_adj", "r+e");
    if (!file)
        return;
    if (fscanf(file, "%d", &score) == 1) {
        rewind(file);
        fprintf(file, "%d", score + YIELDS < MOST ? score + YIELDS : MOST);
    }
    fclose(file);
}
