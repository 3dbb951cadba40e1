/* symbols.h — program counters of a process, as functions of files
 *
 * From a copy of its /proc/PID/maps and the symbol tables of the files named there, which are read
 * and never run. Nothing is trusted: neither the copy nor the files.
 */
#ifndef RT_PROCESS_SYMBOLS_H
#define RT_PROCESS_SYMBOLS_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct rt_symbols rt_symbols;

typedef struct rt_symbol {
    const char *file;     /* path as mapped; NULL: the counter is in no file */
    const char *function; /* NULL: not known */
    uint64_t offset;      /* into the function; without one, into the file */
    const char *build_id; /* hexadecimal, or NULL */
} rt_symbol;

/* `maps` is copied. The texts that are found live in the arena. */
rt_symbols *rt_symbols_new(rt_arena *arena, const char *maps, size_t length);
void rt_symbols_free(rt_symbols *symbols);

/* `exact`: the instruction at `counter` was reached; else it is where a call returns to, and the
 * call before it is meant. */
rt_symbol rt_symbols_find(rt_symbols *symbols, uint64_t counter, bool exact);

#endif
