/* Memory that lives as long as its arena. */
#include "base/arena.h"

#include "harness.h"

#include <stdint.h>
#include <string.h>

static void no_bytes_are_a_piece_of_their_own(void)
{
    rt_arena arena;
    rt_arena_init(&arena);
    char *first = rt_arena_try_alloc(&arena, 0), *second = rt_arena_try_alloc(&arena, 0);
    CU_ASSERT_PTR_NOT_NULL(first);
    CU_ASSERT_PTR_NOT_NULL(second);
    CU_ASSERT_PTR_NOT_EQUAL(first, second);
    rt_arena_free(&arena);
    rt_arena_reset(&arena);
    CU_ASSERT_PTR_NOT_NULL(rt_arena_alloc(&arena, 0));
    rt_arena_free(&arena);
}

static void pieces_are_zeroed_aligned_and_apart(void)
{
    rt_arena arena;
    rt_arena_init(&arena);
    for (int round = 0; round < 2; round++) {
        char *pieces[64];
        for (size_t i = 0; i < 64; i++) {
            size_t size = i * 97 + 1;
            pieces[i] = rt_arena_alloc(&arena, size);
            CU_ASSERT_EQUAL((uintptr_t)pieces[i] % 16, 0);
            for (size_t at = 0; at < size; at++)
                CU_ASSERT_EQUAL_FATAL(pieces[i][at], 0);
            memset(pieces[i], (int)i + 1, size);
        }
        for (size_t i = 0; i < 64; i++) {
            CU_ASSERT_EQUAL(pieces[i][0], (char)(i + 1));
            CU_ASSERT_EQUAL(pieces[i][i * 97], (char)(i + 1));
        }
        rt_arena_reset(&arena);
    }
    CU_ASSERT_PTR_NULL(rt_arena_try_alloc(&arena, SIZE_MAX));
    rt_arena_free(&arena);
}

RT_TEST_MAIN("arena", {"no bytes are a piece of their own", no_bytes_are_a_piece_of_their_own},
             {"pieces are zeroed, aligned and apart", pieces_are_zeroed_aligned_and_apart})
