/* crash_area.h — what a dying worker leaves behind, in shared memory
 *
 * A memfd a worker, made by the supervisor and inherited. The worker's signal handler
 * (crash_note.c) writes it, the supervisor (crash.c) reads it after the worker's end, with pread:
 * nobody else's mapping matters to it. No memory, no registers and no stack contents are in it, so
 * no secret is; a fault's address is.
 */
#ifndef RT_PROCESS_CRASH_AREA_H
#define RT_PROCESS_CRASH_AREA_H

#include "fiber/view.h"

#define RT_CRASH_MAGIC UINT64_C(0x3130687361724372) /* "rCrash01" */
#define RT_CRASH_FIRST 64                           /* innermost frames kept */
#define RT_CRASH_LAST 32                            /* and outermost, when there are more */
#define RT_CRASH_MAPS ((size_t)256 << 10)

enum rt_crash_kind {
    RT_CRASH_NONE,
    RT_CRASH_SIGNAL,
    RT_CRASH_EXIT,      /* exit() while it ran */
    RT_CRASH_SANITIZER, /* a sanitizer ends it */
    RT_CRASH_KIND_COUNT,
};

/* A program counter that lies behind a call, or (exact) that was reached. */
typedef struct rt_frame {
    uint64_t counter;
    uint64_t exact;
} rt_frame;

typedef struct rt_backtrace {
    uint32_t total; /* frames that were seen */
    uint32_t reserved;
    rt_frame first[RT_CRASH_FIRST];
    rt_frame last[RT_CRASH_LAST]; /* a ring: frame i is at i % RT_CRASH_LAST */
} rt_backtrace;

typedef struct rt_crash_area {
    uint64_t magic; /* once something is noted */
    int32_t pid, thread;
    uint32_t kind; /* rt_crash_kind; written last but for trace and maps */
    int32_t signal, code, status;
    uint64_t address;
    int32_t sender; /* pid, of a signal that was sent */
    char thread_name[16];
    rt_fiber_view view;
    uint32_t maps_length;
    uint32_t reserved;
    rt_backtrace trace;
    char scratch[1024];       /* the handler's */
    char maps[RT_CRASH_MAPS]; /* lines of /proc/self/maps of what can be executed */
} rt_crash_area;

/* In the supervisor: a descriptor or -errno. */
int rt_crash_area_make(void);

/* In the worker, on its first stack, before anything of a plugin is loaded: installs the handlers.
 * Without an area they name nobody and everything is as without them. 0 or -errno. */
int rt_crash_watch(int area);
/* From now on exit() is what is meant. */
void rt_crash_leave(void);

/* --- between crash_note.c and the watchdog --------------------------------------------------- */

/* The calling thread's frames; from the one at `counter` on if that is not 0. */
void rt_trace_take(rt_backtrace *trace, uint64_t counter);
/* For rt_fiber_view_take, in one thread at a time; NULL if there is no area. */
rt_fetch rt_crash_fetch(void);
uint64_t rt_machine_counter(const void *machine); /* of a signal handler's third argument */
/* The lines of /proc/self/maps of what can be executed. */
size_t rt_executable_maps(char *text, size_t size);

#endif
