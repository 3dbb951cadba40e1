/* switch.h — the context switch of Boost.Context, declared for C
 *
 * jump_fcontext keeps the callee-saved registers, MXCSR and the x87 control word; nothing else of
 * the thread (errno is ours to keep). The library is assembler only and needs no C++ runtime.
 */
#ifndef RT_FIBER_SWITCH_H
#define RT_FIBER_SWITCH_H

#include <stddef.h>

typedef struct rt_transfer {
    void *context; /* where the jump came from */
    void *data;
} rt_transfer;

rt_transfer jump_fcontext(void *context, void *data);
void *make_fcontext(void *top, size_t size, void (*entry)(rt_transfer transfer));

#endif
