/* The board: entries and slots that several processes share. */
#include "process/board.h"

#include "harness.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void entries_have_one_number_in_all_processes(void)
{
    rt_board board, other;
    rt_entry entry;
    CU_ASSERT_EQUAL_FATAL(rt_board_make(&board, 2), 0);
    CU_ASSERT_EQUAL_FATAL(rt_board_open(&other, fcntl(board.fd, F_DUPFD_CLOEXEC, 3)), 0);
    uint32_t first = rt_board_enter(&board, RT_ENTRY_ROUTE, "shop", "orders", "GET /a");
    CU_ASSERT_EQUAL(first, 1);
    CU_ASSERT_EQUAL(rt_board_enter(&other, RT_ENTRY_ROUTE, "shop", "orders", "GET /b"), 2);
    CU_ASSERT_EQUAL(rt_board_enter(&other, RT_ENTRY_ROUTE, "shop", "orders", "GET /a"), first);
    CU_ASSERT_EQUAL(rt_board_enter(&other, RT_ENTRY_SERVICE, "shop", "orders", "GET /a"), 3);
    CU_ASSERT_EQUAL(rt_board_enter(&other, RT_ENTRY_ROUTE, "shopG", "orders", "ET /a"), 4);
    CU_ASSERT_TRUE(rt_board_entry(&board, 2, &entry));
    CU_ASSERT_STRING_EQUAL(entry.name, "GET /b");
    CU_ASSERT_STRING_EQUAL(entry.instance, "shop");
    CU_ASSERT_STRING_EQUAL(entry.module, "orders");
    CU_ASSERT_EQUAL(entry.kind, RT_ENTRY_ROUTE);
    CU_ASSERT_FALSE(rt_board_entry(&board, 0, &entry));
    CU_ASSERT_FALSE(rt_board_entry(&board, 5, &entry));
    rt_board_close(&other);
    rt_board_close(&board);
}

static void names_longer_than_their_room_stay_apart(void)
{
    rt_board board;
    rt_entry entry;
    char one[400], other[400];
    memset(one, 'x', sizeof one);
    memset(other, 'x', sizeof other);
    one[399] = other[399] = '\0';
    other[398] = 'y';
    CU_ASSERT_EQUAL_FATAL(rt_board_make(&board, 1), 0);
    CU_ASSERT_EQUAL(rt_board_enter(&board, RT_ENTRY_ROUTE, one, one, one), 1);
    CU_ASSERT_EQUAL(rt_board_enter(&board, RT_ENTRY_ROUTE, one, one, other), 2);
    CU_ASSERT_TRUE(rt_board_entry(&board, 2, &entry));
    CU_ASSERT_EQUAL(strlen(entry.name), sizeof entry.name - 1);
    rt_board_close(&board);
}

static void a_full_table_gives_no_number(void)
{
    rt_board board;
    char name[16];
    CU_ASSERT_EQUAL_FATAL(rt_board_make(&board, 1), 0);
    for (uint32_t i = 1; i < RT_BOARD_ENTRIES; i++) {
        snprintf(name, sizeof name, "job %u", i);
        CU_ASSERT_EQUAL(rt_board_enter(&board, RT_ENTRY_JOB, "one", "one", name), i);
    }
    CU_ASSERT_EQUAL(rt_board_enter(&board, RT_ENTRY_JOB, "one", "one", "one more"), 0);
    CU_ASSERT_EQUAL(rt_board_enter(&board, RT_ENTRY_JOB, "one", "one", "job 7"), 7);
    CU_ASSERT_EQUAL(rt_board_enter(NULL, RT_ENTRY_JOB, "one", "one", "job 7"), 0);
    rt_board_close(&board);
}

/* As a plugin might, that writes over all the memory it finds. */
static void what_was_scribbled_over_is_not_believed_and_mended(void)
{
    rt_board board, other;
    rt_entry entry;
    CU_ASSERT_EQUAL_FATAL(rt_board_make(&board, 1), 0);
    rt_board_enter(&board, RT_ENTRY_ROUTE, "shop", "orders", "GET /a");
    rt_board_set_state(&board, RT_BOARD_SERVING);
    CU_ASSERT_FALSE(rt_board_mend(&board));
    rt_board_enter(&board, RT_ENTRY_ROUTE, "shop", "orders", "GET /late");
    memset((void *)board.memory, 0xff, board.size);
    CU_ASSERT_EQUAL(rt_board_entry_count(&board), RT_BOARD_ENTRIES);
    CU_ASSERT_FALSE(rt_board_entry(&board, 2, &entry));
    CU_ASSERT_FALSE(rt_board_entry(&board, UINT32_MAX, &entry));
    CU_ASSERT_TRUE(rt_board_entry(&board, 1, &entry));
    CU_ASSERT_STRING_EQUAL(entry.name, "GET /a");
    CU_ASSERT_EQUAL(ftruncate(board.fd, 0), -1);
    CU_ASSERT_TRUE(rt_board_mend(&board));
    CU_ASSERT_FALSE(rt_board_mend(&board));
    CU_ASSERT_EQUAL(rt_board_state(&board), RT_BOARD_SERVING);
    CU_ASSERT_EQUAL(rt_board_entry_count(&board), 2);
    CU_ASSERT_EQUAL_FATAL(rt_board_open(&other, fcntl(board.fd, F_DUPFD_CLOEXEC, 3)), 0);
    CU_ASSERT_EQUAL(rt_board_enter(&other, RT_ENTRY_ROUTE, "shop", "orders", "GET /a"), 1);
    CU_ASSERT_EQUAL(rt_board_enter(&other, RT_ENTRY_ROUTE, "shop", "orders", "GET /late"), 2);
    rt_board_close(&other);
    rt_board_close(&board);
}

static void a_flag_set_by_one_is_seen_by_the_other(void)
{
    rt_board board, other;
    CU_ASSERT_EQUAL_FATAL(rt_board_make(&board, 1), 0);
    CU_ASSERT_EQUAL_FATAL(rt_board_open(&other, fcntl(board.fd, F_DUPFD_CLOEXEC, 3)), 0);
    const uint8_t *flag = rt_board_quarantine(&other, 7);
    CU_ASSERT_EQUAL(*flag, 0);
    rt_board_set_quarantine(&board, 7, true);
    CU_ASSERT_EQUAL(*flag, 1);
    rt_board_set_quarantine(&board, 7, false);
    CU_ASSERT_EQUAL(*flag, 0);
    rt_board_set_quarantine(&board, 0, true);
    CU_ASSERT_EQUAL(*rt_board_quarantine(&other, 0), 0);
    CU_ASSERT_EQUAL(*rt_board_quarantine(NULL, 7), 0);
    rt_board_close(&other);
    rt_board_close(&board);
}

static void who_takes_a_board_over_mends_it_as_its_maker_would(void)
{
    rt_board board, heir;
    rt_entry entry;
    CU_ASSERT_EQUAL_FATAL(rt_board_make(&board, 1), 0);
    rt_board_set_state(&board, RT_BOARD_SERVING);
    rt_board_enter(&board, RT_ENTRY_ROUTE, "shop", "orders", "GET /a");
    CU_ASSERT_EQUAL_FATAL(rt_board_adopt(&heir, fcntl(board.fd, F_DUPFD_CLOEXEC, 3)), 0);
    rt_board_close(&board);
    CU_ASSERT_FALSE(rt_board_mend(&heir));
    memset((void *)heir.memory, 0xff, heir.size);
    CU_ASSERT_TRUE(rt_board_mend(&heir));
    CU_ASSERT_EQUAL(rt_board_state(&heir), RT_BOARD_SERVING);
    CU_ASSERT_TRUE(rt_board_entry(&heir, 1, &entry));
    CU_ASSERT_STRING_EQUAL(entry.name, "GET /a");
    rt_board_close(&heir);
    CU_ASSERT_EQUAL(rt_board_adopt(&heir, open("/dev/null", O_RDWR | O_CLOEXEC)), -EPROTO);
    rt_board_close(&heir);
}

static void slots_and_rooms_lie_apart(void)
{
    rt_board board;
    size_t health, metrics;
    CU_ASSERT_EQUAL_FATAL(rt_board_make(&board, 3), 0);
    CU_ASSERT_PTR_NULL(rt_board_slot_of(&board, 0));
    CU_ASSERT_PTR_NULL(rt_board_slot_of(&board, 4));
    for (uint32_t i = 1; i <= 3; i++) {
        rt_board_slot_of(&board, i)->requests = i;
        void *room = rt_board_room(&board, i, RT_ROOM_HEALTH, &health);
        memset(room, (int)i, health);
        room = rt_board_room(&board, i, RT_ROOM_METRICS, &metrics);
        memset(room, (int)i + 10, metrics);
    }
    for (uint32_t i = 1; i <= 3; i++) {
        const unsigned char *room = rt_board_room(&board, i, RT_ROOM_HEALTH, &health);
        const unsigned char *other = rt_board_room(&board, i, RT_ROOM_METRICS, &metrics);
        CU_ASSERT_EQUAL(rt_board_slot_of(&board, i)->requests, i);
        CU_ASSERT_EQUAL((uint32_t)room[0], i);
        CU_ASSERT_EQUAL((uint32_t)room[health - 1], i);
        CU_ASSERT_EQUAL((uint32_t)other[0], i + 10);
        CU_ASSERT_EQUAL((uint32_t)other[metrics - 1], i + 10);
    }
    rt_board_close(&board);
}

static _Noreturn void enter_until_killed(const rt_board *board)
{
    rt_board own;
    char name[32];
    if (rt_board_open(&own, fcntl(board->fd, F_DUPFD_CLOEXEC, 3)) != 0)
        _exit(1);
    for (unsigned i = 0; i < RT_BOARD_ENTRIES; i++) {
        snprintf(name, sizeof name, "job %u", i);
        rt_board_enter(&own, RT_ENTRY_JOB, "one", "one", name);
    }
    pause();
    _exit(0);
}

static void a_process_that_is_killed_while_it_enters_leaves_the_table_sound(void)
{
    rt_board board;
    rt_entry entry;
    CU_ASSERT_EQUAL_FATAL(rt_board_make(&board, 1), 0);
    for (int round = 1; round <= 4; round++) {
        pid_t child = fork();
        if (child == 0)
            enter_until_killed(&board);
        while (rt_board_entry_count(&board) < (uint32_t)round * 500)
            usleep(10);
        kill(child, SIGKILL);
        CU_ASSERT_EQUAL(waitpid(child, NULL, 0), child);
        uint32_t count = rt_board_entry_count(&board);
        CU_ASSERT_EQUAL(rt_board_enter(&board, RT_ENTRY_ROUTE, "two", "two",
                                       round == 1   ? "a"
                                       : round == 2 ? "b"
                                       : round == 3 ? "c"
                                                    : "d"),
                        count == RT_BOARD_ENTRIES ? 0 : count);
    }
    for (uint32_t i = 1; i < rt_board_entry_count(&board); i++)
        CU_ASSERT_TRUE(rt_board_entry(&board, i, &entry));
    rt_board_close(&board);
}

RT_TEST_MAIN("board",
             {"entries have one number in all processes", entries_have_one_number_in_all_processes},
             {"names longer than their room stay apart", names_longer_than_their_room_stay_apart},
             {"a full table gives no number", a_full_table_gives_no_number},
             {"what was scribbled over is not believed, and mended",
              what_was_scribbled_over_is_not_believed_and_mended},
             {"who takes a board over mends it as its maker would",
              who_takes_a_board_over_mends_it_as_its_maker_would},
             {"a flag set by one is seen by the other", a_flag_set_by_one_is_seen_by_the_other},
             {"slots and rooms lie apart", slots_and_rooms_lie_apart},
             {"a process that is killed while it enters leaves the table sound",
              a_process_that_is_killed_while_it_enters_leaves_the_table_sound})
