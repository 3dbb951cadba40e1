/* Health in shared memory, and what is made of it: readiness. */
#include "process/generation.h"
#include "process/health_room.h"
#include "process/readiness.h"

#include "harness.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOW UINT64_C(1000000000000)

/* --- the room -------------------------------------------------------------------------------- */

static void what_was_written_is_read(void)
{
    char *room = calloc(1, 16384);
    rt_health_report *report = calloc(2, sizeof *report);
    const char *reason;
    CU_ASSERT_TRUE(rt_health_room_read(room, &report[1]));
    CU_ASSERT_EQUAL(report[1].count, 0);
    report->told = NOW;
    rt_health_report_add(report, 1, RT_MODULE_DEGRADED, "half of it");
    rt_health_report_add(report, 0, RT_MODULE_HEALTHY, "");
    rt_health_room_write(room, report);
    CU_ASSERT_TRUE(rt_health_room_read(room, &report[1]));
    CU_ASSERT_EQUAL(memcmp(report, &report[1], sizeof *report), 0);
    CU_ASSERT_EQUAL(rt_health_report_get(&report[1], 1, &reason), RT_MODULE_DEGRADED);
    CU_ASSERT_STRING_EQUAL(reason, "half of it");
    CU_ASSERT_EQUAL(rt_health_report_get(&report[1], 0, &reason), RT_MODULE_HEALTHY);
    CU_ASSERT_PTR_NULL(reason);
    CU_ASSERT_EQUAL(rt_health_report_get(&report[1], 2, &reason), RT_MODULE_UNKNOWN);
    free(report);
    free(room);
}

/* Reports of which each has one number all over. */
static void write_for_ever(void *room)
{
    rt_health_report *report = calloc(1, sizeof *report);
    for (uint64_t round = 1;; round++) {
        report->told = round;
        memset(report->conditions, (int)(round % RT_MODULE_COUNT), sizeof report->conditions);
        memset(report->reasons, (int)(round % 64 + 1), sizeof report->reasons);
        report->count = RT_HEALTH_MODULES;
        report->reason_count = RT_HEALTH_REASONS;
        rt_health_room_write(room, report);
        usleep(20); /* or a reader on a slower core finds no moment between two writes */
    }
}

static bool is_of_one_round(const rt_health_report *report)
{
    char text = (char)(report->told % 64 + 1);
    bool whole = report->reasons[RT_HEALTH_REASONS - 1].text[RT_HEALTH_REASON - 2] == text;
    for (size_t i = 0; i < RT_HEALTH_MODULES; i++)
        whole = whole && report->conditions[i] == report->told % RT_MODULE_COUNT;
    for (size_t i = 0; i < RT_HEALTH_REASONS; i++)
        whole = whole && report->reasons[i].text[0] == text;
    return whole;
}

static void another_process_never_sees_half_a_report(void)
{
    void *room = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    rt_health_report *report = calloc(1, sizeof *report);
    pid_t writer = fork();
    if (writer == 0)
        write_for_ever(room);
    size_t seen = 0, broken = 0;
    uint64_t last = 0;
    for (int i = 0; i < 1000000 && seen < 2000; i++) {
        if (!rt_health_room_read(room, report) || report->told == last)
            continue;
        last = report->told;
        seen++;
        broken += !is_of_one_round(report);
    }
    kill(writer, SIGKILL);
    waitpid(writer, NULL, 0);
    CU_ASSERT_EQUAL(seen, 2000);
    CU_ASSERT_EQUAL(broken, 0);
    free(report);
    munmap(room, 16384);
}

static void what_was_left_half_written_is_not_read_and_written_over(void)
{
    uint64_t *room = calloc(1, 16384);
    rt_health_report *report = calloc(1, sizeof *report);
    room[0] = 7;
    CU_ASSERT_FALSE(rt_health_room_read(room, report));
    report->told = NOW;
    rt_health_room_write(room, report);
    CU_ASSERT_TRUE(rt_health_room_read(room, report));
    CU_ASSERT_EQUAL(report->told, NOW);
    free(report);
    free(room);
}

static void what_was_scribbled_over_is_cut_to_size(void)
{
    uint64_t *room = malloc(16384);
    rt_health_report *report = calloc(1, sizeof *report);
    const char *reason;
    memset(room, 0xfe, 16384);
    CU_ASSERT_TRUE(rt_health_room_read(room, report));
    CU_ASSERT_EQUAL(report->count, RT_HEALTH_MODULES);
    CU_ASSERT_EQUAL(report->reason_count, RT_HEALTH_REASONS);
    CU_ASSERT_EQUAL(rt_health_report_get(report, 5, &reason), RT_MODULE_UNKNOWN);
    CU_ASSERT_EQUAL(strlen(report->reasons[62].text), RT_HEALTH_REASON - 1);
    free(report);
    free(room);
}

static void modules_beyond_the_last_place_share_it_and_the_worst_counts(void)
{
    rt_health_report *report = calloc(1, sizeof *report);
    const char *reason;
    for (size_t i = 0; i < 3000; i++)
        rt_health_report_add(report, i, i == 2500 ? RT_MODULE_UNHEALTHY : RT_MODULE_HEALTHY,
                             "because");
    CU_ASSERT_EQUAL(report->count, RT_HEALTH_MODULES);
    CU_ASSERT_EQUAL(report->reason_count, RT_HEALTH_REASONS);
    CU_ASSERT_EQUAL(rt_health_report_get(report, 2046, &reason), RT_MODULE_HEALTHY);
    CU_ASSERT_EQUAL(rt_health_report_get(report, 2999, &reason), RT_MODULE_UNHEALTHY);
    CU_ASSERT_PTR_NULL(reason);
    free(report);
}

/* --- readiness ------------------------------------------------------------------------------- */

static rt_plan_instance instances[] = {{.name = "orders", .acknowledged = true}, {.name = "mail"}};
static rt_plan plan = {
    .environment = RT_PRODUCTION,
    .host = {.name = "shop \"one\"",
             .health = {UINT64_C(10000000000), UINT64_C(2000000000), "unhealthy"}},
    .instances = instances,
    .instance_count = 2};

static rt_board board;
static rt_arena arena;
static uint32_t judge_number; /* the worker that judges */

/* Two workers that serve, and all is well. */
static void open_board(void)
{
    rt_health_report *report = calloc(1, sizeof *report);
    size_t size;
    rt_arena_init(&arena);
    CU_ASSERT_EQUAL_FATAL(rt_board_make(&board, 2), 0);
    report->told = NOW;
    rt_health_report_add(report, 0, RT_MODULE_HEALTHY, NULL);
    rt_health_report_add(report, 1, RT_MODULE_HEALTHY, NULL);
    for (uint32_t i = 1; i <= 2; i++) {
        rt_board_slot_of(&board, i)->state = RT_WORKER_READY;
        rt_board_slot_of(&board, i)->pid = 100 + (int)i;
        rt_health_room_write(rt_board_room(&board, i, RT_ROOM_HEALTH, &size), report);
    }
    rt_board_set_state(&board, RT_BOARD_SERVING);
    free(report);
}

static void close_board(void)
{
    rt_board_close(&board);
    rt_arena_free(&arena);
}

static void report_of(uint32_t worker, rt_module_health condition, const char *reason,
                      uint64_t told)
{
    rt_health_report *report = calloc(1, sizeof *report);
    size_t size;
    report->told = told;
    rt_health_report_add(report, 0, condition, reason);
    rt_health_report_add(report, 1, RT_MODULE_HEALTHY, NULL);
    rt_health_room_write(rt_board_room(&board, worker, RT_ROOM_HEALTH, &size), report);
    free(report);
}

static const rt_readiness *judge(void)
{
    return rt_readiness_judge(&arena, &plan, &board, judge_number, NOW);
}

static void expect(rt_verdict verdict, uint32_t status, const char *reason)
{
    const rt_readiness *readiness = judge();
    CU_ASSERT_EQUAL(readiness->verdict, verdict);
    CU_ASSERT_EQUAL(rt_readiness_status(readiness), status);
    CU_ASSERT_EQUAL(readiness->reason_count, reason ? 1 : 0);
    if (reason && readiness->reason_count)
        CU_ASSERT_STRING_EQUAL(readiness->reasons[0], reason);
}

static void all_well_is_ready(void)
{
    open_board();
    expect(RT_VERDICT_READY, 200, NULL);
    plan.host.health.fail_on = "degraded";
    expect(RT_VERDICT_READY, 200, NULL);
    plan.host.health.fail_on = "unhealthy";
    close_board();
}

static void a_module_that_is_not_well_counts_in_any_worker(void)
{
    open_board();
    report_of(2, RT_MODULE_DEGRADED, "slow", NOW);
    expect(RT_VERDICT_DEGRADED, 200, "module `orders` is degraded in worker 2: slow");
    plan.host.health.fail_on = "degraded";
    expect(RT_VERDICT_DEGRADED, 503, "module `orders` is degraded in worker 2: slow");
    plan.host.health.fail_on = "unhealthy";
    report_of(2, RT_MODULE_UNHEALTHY, NULL, NOW);
    expect(RT_VERDICT_UNAVAILABLE, 503, "module `orders` is unhealthy in worker 2");
    report_of(2, RT_MODULE_UNKNOWN, NULL, NOW);
    expect(RT_VERDICT_DEGRADED, 200, "module `orders` is unknown in worker 2");
    close_board();
}

static void a_worker_that_does_not_serve_counts_by_whether_others_do(void)
{
    open_board();
    rt_board_slot_of(&board, 1)->state = RT_WORKER_STARTING;
    expect(RT_VERDICT_DEGRADED, 200, "worker 1 is starting");
    rt_board_slot_of(&board, 1)->state = 99;
    expect(RT_VERDICT_DEGRADED, 200, "worker 1 is missing");
    rt_board_slot_of(&board, 2)->state = RT_WORKER_ABSENT;
    CU_ASSERT_EQUAL(judge()->verdict, RT_VERDICT_UNAVAILABLE);
    CU_ASSERT_EQUAL(judge()->reason_count, 2);
    close_board();
}

static void a_worker_that_told_nothing_for_long_is_silent(void)
{
    open_board();
    report_of(1, RT_MODULE_UNHEALTHY, "long ago", NOW - UINT64_C(14000000001));
    expect(RT_VERDICT_DEGRADED, 200, "worker 1 is silent");
    judge_number = 1;
    expect(RT_VERDICT_UNAVAILABLE, 503, "module `orders` is unhealthy in worker 1: long ago");
    judge_number = 0;
    report_of(1, RT_MODULE_HEALTHY, NULL, NOW - UINT64_C(14000000000));
    expect(RT_VERDICT_READY, 200, NULL);
    close_board();
}

static void any_state_but_serving_is_unavailable(void)
{
    static const struct {
        enum rt_board_state state;
        const char *reason;
    } states[] = {{RT_BOARD_STARTING, "the server is starting"},
                  {RT_BOARD_STOPPING, "the server is stopping"},
                  {RT_BOARD_DRAINING, "the server is draining"},
                  {(enum rt_board_state)77, "the server is starting"}};
    open_board();
    rt_board_slot_of(&board, 1)->state = RT_WORKER_STOPPING;
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        rt_board_set_state(&board, states[i].state);
        expect(RT_VERDICT_UNAVAILABLE, 503, states[i].reason);
    }
    close_board();
}

static void a_quarantined_entry_is_named(void)
{
    open_board();
    rt_board_enter(&board, RT_ENTRY_ROUTE, "orders", "orders", "GET /fine");
    uint32_t entry = rt_board_enter(&board, RT_ENTRY_ROUTE, "orders", "orders", "GET /bad");
    rt_board_set_quarantine(&board, entry, true);
    expect(RT_VERDICT_DEGRADED, 200, "`GET /bad` of `orders` is quarantined");
    rt_board_set_quarantine(&board, entry, false);
    expect(RT_VERDICT_READY, 200, NULL);
    close_board();
}

static void the_forms_for_programs_and_people_say_the_same(void)
{
    rt_buffer json = {0}, text = {0};
    open_board();
    report_of(2, RT_MODULE_DEGRADED, "a \"quote\"\nand \x1b[31m", NOW);
    rt_board_slot_of(&board, 1)->state = RT_WORKER_STARTING;
    uint32_t entry = rt_board_enter(&board, RT_ENTRY_ROUTE, "orders", "orders", "GET /bad");
    rt_board_set_quarantine(&board, entry, true);
    rt_readiness_json(judge(), &json);
    rt_readiness_text(judge(), &text);
    CU_ASSERT_STRING_EQUAL(
        json.data,
        "{\"status\":\"degraded\",\"state\":\"serving\",\"name\":\"shop \\\"one\\\"\","
        "\"environment\":\"production\",\"reasons\":[\"module `orders` is degraded in worker 2: "
        "a \\\"quote\\\"\\nand \\u001b[31m\",\"worker 1 is starting\","
        "\"`GET /bad` of `orders` is quarantined\"],\"acknowledged\":[\"orders\"],"
        "\"quarantined\":[{\"entry\":\"GET /bad\",\"instance\":\"orders\",\"module\":\"orders\"}],"
        "\"workers\":[{\"number\":1,\"pid\":101,\"state\":\"starting\",\"modules\":[]},"
        "{\"number\":2,\"pid\":102,\"state\":\"ready\",\"modules\":[{\"name\":\"orders\","
        "\"status\":\"degraded\",\"reason\":\"a \\\"quote\\\"\\nand \\u001b[31m\"},"
        "{\"name\":\"mail\",\"status\":\"healthy\"}]}]}\n");
    CU_ASSERT_STRING_EQUAL(text.data,
                           "shop \"one\": degraded in production, serving\n"
                           "- module `orders` is degraded in worker 2: a \"quote\"?and ?[31m\n"
                           "- worker 1 is starting\n"
                           "- `GET /bad` of `orders` is quarantined\n"
                           "acknowledged: orders\n"
                           "worker 1: starting, pid 101\n"
                           "worker 2: ready, pid 102\n"
                           "  orders               degraded: a \"quote\"?and ?[31m\n"
                           "  mail                 healthy\n");
    rt_buffer_free(&json);
    rt_buffer_free(&text);
    close_board();
}

RT_TEST_MAIN("health", {"what was written is read", what_was_written_is_read},
             {"another process never sees half a report", another_process_never_sees_half_a_report},
             {"what was left half written is not read and written over",
              what_was_left_half_written_is_not_read_and_written_over},
             {"what was scribbled over is cut to size", what_was_scribbled_over_is_cut_to_size},
             {"modules beyond the last place share it and the worst counts",
              modules_beyond_the_last_place_share_it_and_the_worst_counts},
             {"all well is ready", all_well_is_ready},
             {"a module that is not well counts in any worker",
              a_module_that_is_not_well_counts_in_any_worker},
             {"a worker that does not serve counts by whether others do",
              a_worker_that_does_not_serve_counts_by_whether_others_do},
             {"a worker that told nothing for long is silent",
              a_worker_that_told_nothing_for_long_is_silent},
             {"any state but serving is unavailable", any_state_but_serving_is_unavailable},
             {"a quarantined entry is named", a_quarantined_entry_is_named},
             {"the forms for programs and people say the same",
              the_forms_for_programs_and_people_say_the_same})
