/* least.h — the minimum of 30 runs, and the line that says whether a target is met
 *
 * Noise only ever adds, so the minimum is what the code costs; the first run warms up. Several
 * measurements take turns, so that a change of the clock's speed meets them all.
 */
#ifndef RT_BENCH_LEAST_H
#define RT_BENCH_LEAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { LEAST_RUNS = 30 };

typedef struct measurement {
    const char *name;
    double (*measure)(void *argument); /* ns for one */
    void *argument;
    double least;
} measurement;

static inline void least_of_all(measurement *all, size_t count)
{
    for (int run = 0; run < LEAST_RUNS; run++)
        for (size_t i = 0; i < count; i++) {
            double taken = all[i].measure(all[i].argument);
            all[i].least = run && all[i].least < taken ? all[i].least : taken;
        }
    for (size_t i = 0; i < count; i++)
        printf("%s: %.2f ns\n", all[i].name, all[i].least);
}

static inline bool least_verdict(const char *name, double value, double limit)
{
    bool met = value <= limit;
    printf("%s: %.3g ns, target %g ns: %s\n", name, value, limit, met ? "met" : "MISSED");
    return met;
}

#endif
