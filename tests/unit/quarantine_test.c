/* Which crashes put an entry into quarantine, and how it leaves it. */
#include "process/quarantine.h"

#include "harness.h"

#include <string.h>

#define SECOND UINT64_C(1000000000)

static rt_board board;
static rt_quarantine quarantine;
static uint32_t route, other, service;

static void begin(void)
{
    CU_ASSERT_EQUAL_FATAL(rt_board_make(&board, 1), 0);
    route = rt_board_enter(&board, RT_ENTRY_ROUTE, "shop", "orders", "GET /a");
    other = rt_board_enter(&board, RT_ENTRY_ROUTE, "side", "orders", "GET /a");
    service = rt_board_enter(&board, RT_ENTRY_SERVICE, "shop", "orders", "service `x`");
}

static void end(void)
{
    rt_quarantine_free(&quarantine);
    rt_board_close(&board);
}

static bool crash(uint32_t entry, uint64_t seconds)
{
    return rt_quarantine_note(&quarantine, &board, entry, "guilty", seconds * SECOND);
}

static void three_crashes_within_a_minute_are_needed(void)
{
    begin();
    CU_ASSERT_FALSE(crash(route, 100));
    CU_ASSERT_FALSE(crash(route, 130));
    CU_ASSERT_FALSE(crash(route, 161)); /* the first is too old by now */
    CU_ASSERT_FALSE(crash(other, 162));
    CU_ASSERT_EQUAL(*rt_board_quarantine(&board, route), 0);
    CU_ASSERT_TRUE(crash(route, 190));
    CU_ASSERT_EQUAL(*rt_board_quarantine(&board, route), 1);
    CU_ASSERT_EQUAL(*rt_board_quarantine(&board, other), 0);
    CU_ASSERT_FALSE(crash(route, 191)); /* of a worker that ran it already; told once */
    CU_ASSERT_EQUAL(rt_quarantine_refused(&quarantine), 1);
    end();
}

static void what_nobody_asks_for_from_outside_is_not_refused(void)
{
    begin();
    for (uint64_t i = 1; i < 9; i++) {
        CU_ASSERT_FALSE(crash(service, i));
        CU_ASSERT_FALSE(crash(0, i));
        CU_ASSERT_FALSE(crash(UINT32_MAX, i));
    }
    CU_ASSERT_EQUAL(rt_quarantine_refused(&quarantine), 0);
    end();
}

static void run(int expected_status, const char *expected, int count, char **words)
{
    rt_buffer out = {0}, err = {0};
    CU_ASSERT_EQUAL(rt_quarantine_run(&quarantine, &board, count, words, &out, &err),
                    expected_status);
    const char *said = expected_status ? err.data : out.data;
    CU_ASSERT_PTR_NOT_NULL_FATAL(said);
    CU_ASSERT_STRING_EQUAL(said, expected);
    rt_buffer_free(&out);
    rt_buffer_free(&err);
}

static void the_command_lists_and_lifts(void)
{
    char list[] = "list", clear[] = "clear", shop[] = "shop", get[] = "GET", path[] = "/a";
    char wrong[] = "drop";
    begin();
    run(0, "nothing is in quarantine\n", 0, NULL);
    for (uint64_t i = 1; i <= 3; i++) {
        crash(route, i);
        crash(other, i);
    }
    run(0, "shop GET /a (crashed in module `guilty`)\nside GET /a (crashed in module `guilty`)\n",
        1, (char *[]){list});
    run(0, "1 lifted\n", 4, (char *[]){clear, shop, get, path});
    CU_ASSERT_EQUAL(*rt_board_quarantine(&board, route), 0);
    CU_ASSERT_EQUAL(*rt_board_quarantine(&board, other), 1);
    run(0, "1 lifted\n", 3, (char *[]){clear, get, path});
    CU_ASSERT_EQUAL(*rt_board_quarantine(&board, other), 0);
    run(1, "`GET /a` is not in quarantine\n", 3, (char *[]){clear, get, path});
    run(0, "0 lifted\n", 1, (char *[]){clear});
    run(64, "usage: quarantine [list | clear [ENTRY]]\n", 1, (char *[]){wrong});
    CU_ASSERT_FALSE(crash(route, 4)); /* its history was forgotten */
    end();
}

static void flags_that_were_lost_are_set_again(void)
{
    begin();
    for (uint64_t i = 1; i <= 3; i++)
        crash(route, i);
    rt_board_set_quarantine(&board, route, false);
    rt_board_set_quarantine(&board, other, true);
    rt_quarantine_restore(&quarantine, &board);
    CU_ASSERT_EQUAL(*rt_board_quarantine(&board, route), 1);
    CU_ASSERT_EQUAL(*rt_board_quarantine(&board, other), 0);
    end();
}

RT_TEST_MAIN("quarantine",
             {"three crashes within a minute are needed", three_crashes_within_a_minute_are_needed},
             {"what nobody asks for from outside is not refused",
              what_nobody_asks_for_from_outside_is_not_refused},
             {"the command lists and lifts", the_command_lists_and_lifts},
             {"flags that were lost are set again", flags_that_were_lost_are_set_again})
