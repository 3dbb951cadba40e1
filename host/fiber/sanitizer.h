/* sanitizer.h — what ASan, TSan and Valgrind are told about stacks and switches
 *
 * Without them everything here is empty. `rt_shadow` is their state of one fiber. A switch into a
 * fiber is rt_shadow_enter, jump, rt_shadow_entered on one side and rt_shadow_arrived on the other;
 * out of it rt_shadow_leave, jump.
 */
#ifndef RT_FIBER_SANITIZER_H
#define RT_FIBER_SANITIZER_H

#include <stdbool.h>
#include <stddef.h>

#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define RT_ASAN 1
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#else
#define RT_ASAN 0
#endif
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#define RT_TSAN 1
#include <sanitizer/tsan_interface.h>
#else
#define RT_TSAN 0
#endif
#define RT_SANITIZED (RT_ASAN || RT_TSAN)

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#define RT_VALGRIND 1
#else
#define RT_VALGRIND 0
#endif

/* A function entered on one fiber and left on another would unbalance TSan's call stacks. */
#define RT_ALWAYS_INLINE static inline __attribute__((always_inline))

typedef struct rt_shadow {
#if RT_ASAN
    void *fake; /* its frames under detect_stack_use_after_return */
    const void *back_low;
    size_t back_size; /* the stack it leaves to */
#endif
#if RT_TSAN
    void *fiber, *back;
#endif
    char unused; /* an empty struct is no standard C */
} rt_shadow;

RT_ALWAYS_INLINE void rt_shadow_make(rt_shadow *shadow)
{
    (void)shadow;
#if RT_ASAN
    shadow->fake = NULL;
#endif
#if RT_TSAN
    shadow->fiber = __tsan_create_fiber(0);
#endif
}

/* Of a fiber that has left for good; not by itself. */
RT_ALWAYS_INLINE void rt_shadow_free(rt_shadow *shadow)
{
    (void)shadow;
#if RT_TSAN
    __tsan_destroy_fiber(shadow->fiber);
    shadow->fiber = NULL;
#endif
}

RT_ALWAYS_INLINE void rt_shadow_enter(rt_shadow *shadow, void **fake, const void *low, size_t size)
{
    (void)shadow, (void)fake, (void)low, (void)size;
#if RT_ASAN
    __sanitizer_start_switch_fiber(fake, low, size);
#endif
#if RT_TSAN
    shadow->back = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(shadow->fiber, 0);
#endif
}

RT_ALWAYS_INLINE void rt_shadow_entered(void *fake)
{
    (void)fake;
#if RT_ASAN
    __sanitizer_finish_switch_fiber(fake, NULL, NULL);
#endif
}

RT_ALWAYS_INLINE void rt_shadow_arrived(rt_shadow *shadow)
{
    (void)shadow;
#if RT_ASAN
    __sanitizer_finish_switch_fiber(shadow->fake, &shadow->back_low, &shadow->back_size);
#endif
}

RT_ALWAYS_INLINE void rt_shadow_leave(rt_shadow *shadow, bool for_good)
{
    (void)shadow, (void)for_good;
#if RT_ASAN
    __sanitizer_start_switch_fiber(for_good ? NULL : &shadow->fake, shadow->back_low,
                                   shadow->back_size);
#endif
#if RT_TSAN
    __tsan_switch_to_fiber(shadow->back, 0);
#endif
}

/* From a stack that is abandoned to a fresh one of the same fiber; `old` is to be freed there. */
RT_ALWAYS_INLINE void rt_shadow_move(rt_shadow *shadow, rt_shadow *old, const void *low,
                                     size_t size)
{
    (void)low, (void)size;
    *old = *shadow;
    rt_shadow_make(shadow);
#if RT_ASAN
    __sanitizer_start_switch_fiber(NULL, low, size);
#endif
#if RT_TSAN
    __tsan_switch_to_fiber(shadow->fiber, 0);
#endif
}

RT_ALWAYS_INLINE void rt_shadow_moved(void)
{
#if RT_ASAN
    __sanitizer_finish_switch_fiber(NULL, NULL, NULL);
#endif
}

RT_ALWAYS_INLINE unsigned rt_shadow_map(char *low, char *high)
{
    (void)low, (void)high;
#if RT_VALGRIND
    return VALGRIND_STACK_REGISTER(low, high);
#else
    return 0;
#endif
}

RT_ALWAYS_INLINE void rt_shadow_unmap(unsigned id)
{
    (void)id;
#if RT_VALGRIND
    VALGRIND_STACK_DEREGISTER(id);
#endif
}

/* What frames that never returned left poisoned must not be reported in the next fiber. */
RT_ALWAYS_INLINE void rt_shadow_clean(void *low, size_t size)
{
    (void)low, (void)size;
#if RT_ASAN
    __asan_unpoison_memory_region(low, size);
#endif
}

#endif
