/* What is kept of the memory of HTTP/2, and what is not. */
#include "harness.h"

#include "http/http2_memory.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static nghttp2_mem *memory = &rt_http2_memory;

static void *take(size_t size)
{
    return memory->malloc(size, NULL);
}

static bool holds(const unsigned char *bytes, size_t length, int value)
{
    for (size_t i = 0; i < length; i++)
        if (bytes[i] != value)
            return false;
    return true;
}

static void taken_again(void)
{
    void *first = take(100), *other = take(100);
    CU_ASSERT_PTR_NOT_EQUAL(first, other);
    CU_ASSERT_EQUAL(rt_http2_memory_kept(), 0);
    rt_http2_free(first);
    CU_ASSERT_EQUAL(rt_http2_memory_kept(), 128);
    void *larger = take(300);
    CU_ASSERT_PTR_NOT_EQUAL(larger, first);
    CU_ASSERT_EQUAL(rt_http2_memory_kept(), 128);
    void *again = take(128);
    CU_ASSERT_PTR_EQUAL(again, first);
    CU_ASSERT_EQUAL(rt_http2_memory_kept(), 0);
    memset(again, 1, 128);
    rt_http2_free(again);
    rt_http2_free(other);
    rt_http2_free(larger);
    rt_http2_free(NULL);
    rt_http2_memory_clear();
    CU_ASSERT_EQUAL(rt_http2_memory_kept(), 0);
}

static void zeroed(void)
{
    void *used = take(500);
    memset(used, 0xff, 500);
    rt_http2_free(used);
    unsigned char *clean = rt_http2_alloc_zeroed(450);
    CU_ASSERT_PTR_EQUAL(clean, used);
    CU_ASSERT_TRUE(holds(clean, 450, 0));
    rt_http2_free(clean);
    CU_ASSERT_PTR_NULL(memory->calloc(SIZE_MAX, 2, NULL));
    CU_ASSERT_PTR_NULL(take(SIZE_MAX));
    rt_http2_memory_clear();
}

static void limited(void)
{
    enum { PIECE = 1024, COUNT = RT_HTTP2_KEPT / PIECE + 10 };
    static void *pieces[COUNT];
    for (int i = 0; i < COUNT; i++)
        pieces[i] = take(PIECE);
    for (int i = 0; i < COUNT; i++)
        rt_http2_free(pieces[i]);
    CU_ASSERT_EQUAL(rt_http2_memory_kept(), RT_HTTP2_KEPT);
    rt_http2_memory_clear();
    rt_http2_free(take(PIECE + 1));
    CU_ASSERT_EQUAL(rt_http2_memory_kept(), 0);
}

static void resized(void)
{
    static const size_t sizes[] = {60, 64, 65, 1000, 1024, 1025, 5000, 70000};
    unsigned char *piece = memory->realloc(NULL, 10, NULL);
    memset(piece, 7, 10);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t before = i ? sizes[i - 1] : 10;
        piece = memory->realloc(piece, sizes[i], NULL);
        CU_ASSERT_TRUE(holds(piece, before, 7));
        memset(piece, 7, sizes[i]);
    }
    piece = memory->realloc(piece, 20, NULL);
    CU_ASSERT_TRUE(holds(piece, 20, 7));
    rt_http2_free(piece);
    rt_http2_memory_clear();
}

RT_TEST_MAIN("http2_memory", {"what was given back is taken again", taken_again},
             {"zeroed memory is, whatever it held before", zeroed},
             {"what is kept has a limit, and large pieces are not", limited},
             {"a piece that changes its size keeps its bytes", resized})
