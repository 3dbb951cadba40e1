/* Metrics: what a process counts, and what another one finds of it. */
#include "telemetry/metric.h"
#include "telemetry/metric_view.h"

#include "harness.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

static rt_instrument counter = {.name = "test.taken", .unit = "{order}", .help = "Orders taken"};
static rt_instrument gauge = {.name = "test.kept", .unit = "{order}", .kind = RT_GAUGE};
static rt_instrument most = {.name = "test.most", .kind = RT_GAUGE, .aggregate = RT_MAX};
static rt_instrument each = {.name = "test.each", .kind = RT_GAUGE, .aggregate = RT_EACH};
static const double bounds[] = {1, 2, 5};
static rt_instrument histogram = {
    .name = "test.size", .unit = "By", .kind = RT_HISTOGRAM, .bounds = bounds, .bound_count = 3};

static rt_series *labelled(rt_instrument *instrument, const char *name, const char *value)
{
    return rt_series_of(instrument, &(rt_metric_label){name, {value, strlen(value)}}, 1);
}

static rt_series *plain(rt_instrument *instrument)
{
    return rt_series_of(instrument, NULL, 0);
}

static void *new_room(void)
{
    void *room = calloc(1, RT_METRIC_ROOM);
    CU_ASSERT_PTR_NOT_NULL_FATAL(room);
    return room;
}

/* As a process does that gets the room. */
static void begin(void *room)
{
    rt_metrics_close();
    rt_metrics_open(room, RT_METRIC_ROOM);
}

static rt_metric_view *view_of(void *const *rooms, size_t count, bool alive)
{
    rt_metric_view *view = rt_metric_view_new();
    for (size_t i = 0; i < count; i++)
        rt_metric_view_add(
            view, rooms[i], RT_METRIC_ROOM,
            &(rt_metric_source){.alive = alive, .worker = (uint32_t)i + 1, .generation = 7});
    rt_metric_view_finish(view);
    return view;
}

/* Of the family's only point; NULL if it has another number of them. */
static const rt_metric_point *only(const rt_metric_view *view, const char *name)
{
    const rt_metric_family *family = rt_metric_view_find(view, name);
    return family && family->point_count == 1 ? family->points[0] : NULL;
}

static uint64_t count_of(const rt_metric_view *view, const char *name)
{
    const rt_metric_point *point = only(view, name);
    return point ? *point->values : UINT64_MAX;
}

static double real_of(const rt_metric_view *view, const char *name)
{
    const rt_metric_point *point = only(view, name);
    return point ? rt_bits_real(*point->values) : NAN;
}

static const rt_metric_point *point_with(const rt_metric_family *family, const char *name,
                                         const char *value)
{
    for (size_t i = 0; family && i < family->point_count; i++) {
        rt_str rest = family->points[i]->labels, its, has;
        while (rt_labels_next(&rest, &its, &has))
            if (its.length == strlen(name) && !memcmp(its.data, name, its.length) &&
                has.length == strlen(value) && !memcmp(has.data, value, has.length))
                return family->points[i];
    }
    return NULL;
}

/* --- series ---------------------------------------------------------------------------------- */

static void a_series_is_found_again_by_its_labels_in_any_order(void)
{
    const rt_metric_label there[] = {{"a", RT_STR("1")}, {"b", RT_STR("2")}, {"c", RT_STR("3")}};
    const rt_metric_label back[] = {there[2], there[0], there[1]};
    rt_series *series = rt_series_of(&counter, there, 3);
    CU_ASSERT_PTR_EQUAL(rt_series_of(&counter, back, 3), series);
    CU_ASSERT_PTR_NOT_EQUAL(rt_series_of(&counter, there, 2), series);
    CU_ASSERT_PTR_NOT_EQUAL(labelled(&counter, "a", "12"), labelled(&counter, "a", "1"));
    rt_series_add(series, 3);
    rt_series_add(rt_series_of(&counter, back, 3), 4);
    CU_ASSERT_EQUAL(*series->values, 7);
    rt_metrics_close();
}

static void what_was_counted_is_read_from_the_room(void)
{
    void *room = new_room();
    begin(room);
    rt_series_add(plain(&counter), 5);
    rt_series_set(plain(&gauge), 2.5);
    rt_series_change(plain(&gauge), -4);
    for (int i = 0; i < 7; i++)
        rt_series_observe(plain(&histogram), i);
    rt_metric_view *view = view_of(&room, 1, true);
    const rt_metric_family *family = rt_metric_view_find(view, "test.taken");
    CU_ASSERT_EQUAL(count_of(view, "test.taken"), 5);
    CU_ASSERT_EQUAL(real_of(view, "test.kept"), -1.5);
    CU_ASSERT_PTR_NOT_NULL_FATAL(family);
    CU_ASSERT_EQUAL(family->kind, RT_COUNTER);
    CU_ASSERT_EQUAL(family->unit.length, strlen("{order}"));
    CU_ASSERT_EQUAL(memcmp(family->help.data, "Orders taken", family->help.length), 0);
    const rt_metric_point *point = only(view, "test.size");
    CU_ASSERT_PTR_NOT_NULL_FATAL(point);
    CU_ASSERT_EQUAL(point->values[1], 2); /* 0 and 1, which is not above its bound */
    CU_ASSERT_EQUAL(point->values[2], 1);
    CU_ASSERT_EQUAL(point->values[3], 3);
    CU_ASSERT_EQUAL(point->values[4], 1);
    CU_ASSERT_EQUAL(rt_metric_point_count(point), 7);
    CU_ASSERT_EQUAL(rt_bits_real(point->values[0]), 21);
    rt_metric_view_free(view);
    rt_metrics_close();
    free(room);
}

static void values_that_are_no_numbers_are_left_out(void)
{
    static rt_instrument seconds = {.name = "test.seconds", .kind = RT_COUNTER_REAL};
    void *room = new_room();
    const double odd[] = {NAN, INFINITY, -INFINITY};
    begin(room);
    rt_series_observe(plain(&histogram), 3);
    rt_series_add_real(plain(&seconds), 1.5);
    rt_series_add_real(plain(&seconds), -1);
    for (size_t i = 0; i < 3; i++) {
        rt_series_observe(plain(&histogram), odd[i]);
        rt_series_add_real(plain(&seconds), odd[i]);
    }
    rt_series_set(plain(&gauge), NAN);
    rt_metric_view *view = view_of(&room, 1, true);
    CU_ASSERT_EQUAL(rt_metric_point_count(only(view, "test.size")), 1);
    CU_ASSERT_EQUAL(rt_bits_real(only(view, "test.size")->values[0]), 3);
    CU_ASSERT_EQUAL(real_of(view, "test.seconds"), 1.5);
    CU_ASSERT_PTR_NULL(rt_metric_view_find(view, "test.kept"));
    rt_metric_view_free(view);
    rt_metrics_close();
    free(room);
}

static void label_values_are_cut_and_made_characters(void)
{
    char longer[600], with_end[600];
    void *room = new_room();
    begin(room);
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    memcpy(with_end, longer, sizeof longer);
    with_end[500] = 'y';
    memcpy(longer + 254, "\xc3\xa4", 2); /* the cut must not be within it */
    memcpy(with_end + 254, "\xc3\xa4", 2);
    CU_ASSERT_PTR_EQUAL(labelled(&counter, "a", longer), labelled(&counter, "a", with_end));
    labelled(&counter, "b", "one\xff\xfetwo");
    rt_metric_view *view = view_of(&room, 1, true);
    const rt_metric_family *family = rt_metric_view_find(view, "test.taken");
    CU_ASSERT_PTR_NOT_NULL(point_with(family, "b", "one\xef\xbf\xbd\xef\xbf\xbdtwo"));
    longer[254] = '\0';
    CU_ASSERT_PTR_NOT_NULL(point_with(family, "a", longer));
    rt_metric_view_free(view);
    rt_metrics_close();
    free(room);
}

static void a_label_counts_once_and_no_more_than_sixteen_do(void)
{
    rt_metric_label labels[40];
    static char names[40][8];
    rt_metrics_open(NULL, 0);
    for (int i = 0; i < 40; i++) {
        snprintf(names[i], sizeof names[i], "l%02d", i);
        labels[i] = (rt_metric_label){names[i], RT_STR("v")};
    }
    CU_ASSERT_PTR_EQUAL(rt_series_of(&counter, labels, 40),
                        rt_series_of(&counter, labels, RT_LABELS_MOST));
    const rt_metric_label twice[] = {{"a", RT_STR("1")}, {"a", RT_STR("2")}};
    CU_ASSERT_PTR_EQUAL(rt_series_of(&counter, twice, 2), rt_series_of(&counter, twice, 1));
    rt_metrics_close();
}

/* --- bounds ---------------------------------------------------------------------------------- */

static uint64_t refusals_of(const rt_metric_view *view, const char *reason)
{
    const rt_metric_family *family = rt_metric_view_find(view, "rt.metrics.overflows");
    const rt_metric_point *point = point_with(family, "reason", reason);
    return point ? *point->values : UINT64_MAX;
}

static void beyond_its_limit_an_instrument_counts_in_its_overflow_series(void)
{
    void *room = new_room();
    char text[16];
    begin(room);
    rt_metrics_limit(10);
    for (int i = 0; i < 25; i++) {
        snprintf(text, sizeof text, "%d", i);
        rt_series_add(labelled(&counter, "id", text), 1);
    }
    CU_ASSERT_PTR_EQUAL(labelled(&counter, "id", "3"), labelled(&counter, "id", "3"));
    CU_ASSERT_PTR_EQUAL(labelled(&counter, "id", "20"), labelled(&counter, "id", "21"));
    rt_metric_view *view = view_of(&room, 1, true);
    const rt_metric_family *family = rt_metric_view_find(view, "test.taken");
    const rt_metric_point *overflow = point_with(family, "otel.metric.overflow", "true");
    CU_ASSERT_EQUAL(family->point_count, 11);
    CU_ASSERT_PTR_NOT_NULL_FATAL(overflow);
    CU_ASSERT_EQUAL(*overflow->values, 15);
    CU_ASSERT_EQUAL(refusals_of(view, "limit"), 17);
    CU_ASSERT_EQUAL(refusals_of(view, "room"), 0);
    rt_metric_view_free(view);
    rt_metrics_close();
    free(room);
}

static void a_full_room_loses_no_count(void)
{
    size_t size = (size_t)96 << 10;
    void *room = new_room();
    char text[16];
    rt_metrics_close();
    rt_metrics_limit(UINT32_MAX);
    rt_metrics_open(room, size);
    for (int i = 0; i < 2000; i++) {
        snprintf(text, sizeof text, "%d", i);
        rt_series_add(labelled(&counter, "id", text), 1);
        rt_series_observe(labelled(&histogram, "id", text), 1);
    }
    rt_metric_view *view = rt_metric_view_new();
    rt_metric_view_add(view, room, size, &(rt_metric_source){.alive = true});
    rt_metric_view_finish(view);
    const rt_metric_family *family = rt_metric_view_find(view, "test.taken");
    const rt_metric_family *sizes = rt_metric_view_find(view, "test.size");
    uint64_t all = 0, seen = 0;
    for (size_t i = 0; i < family->point_count; i++)
        all += *family->points[i]->values;
    for (size_t i = 0; i < sizes->point_count; i++)
        seen += rt_metric_point_count(sizes->points[i]);
    CU_ASSERT_EQUAL(all, 2000);
    CU_ASSERT_EQUAL(seen, 2000);
    CU_ASSERT(family->point_count < 500);
    CU_ASSERT(refusals_of(view, "room") > 2000);
    for (size_t i = size; i < RT_METRIC_ROOM; i++)
        if (((char *)room)[i]) {
            CU_FAIL("it wrote beyond its room");
            break;
        }
    rt_metric_view_free(view);
    rt_metrics_close();
    free(room);
}

static void ten_thousand_histograms_have_room(void)
{
    static const double many[19] = {1,  2,  3,  4,  5,  6,  7,  8,  9, 10,
                                    11, 12, 13, 14, 15, 16, 17, 18, 19};
    static rt_instrument wide = {
        .name = "test.wide", .kind = RT_HISTOGRAM, .bounds = many, .bound_count = 19};
    void *room = new_room();
    char text[64];
    rt_metrics_limit(UINT32_MAX);
    rt_metrics_close();
    rt_metrics_limit(UINT32_MAX);
    rt_metrics_open(room, RT_METRIC_ROOM);
    for (int i = 0; i < 10000; i++) {
        snprintf(text, sizeof text, "/a/route/of/some/length/{id}/%d", i);
        const rt_metric_label labels[] = {{"http.request.method", RT_STR("GET")},
                                          {"http.response.status_code", RT_STR("200")},
                                          {"http.route", {text, strlen(text)}},
                                          {"network.protocol.version", RT_STR("1.1")},
                                          {"url.scheme", RT_STR("https")}};
        rt_series_observe(rt_series_of(&wide, labels, 5), i % 25);
    }
    rt_metric_view *view = view_of(&room, 1, true);
    CU_ASSERT_EQUAL(rt_metric_view_find(view, "test.wide")->point_count, 10000);
    rt_metric_view_free(view);
    rt_metrics_close();
    free(room);
}

static void a_name_that_means_two_things_is_told_as_the_first(void)
{
    static rt_instrument other = {.name = "test.taken", .kind = RT_GAUGE};
    static rt_instrument same = {.name = "test.taken", .unit = "{order}", .help = "Another text"};
    void *room = new_room();
    begin(room);
    rt_series_add(plain(&counter), 1);
    rt_series_set(plain(&other), 77);
    rt_series_add(plain(&same), 2);
    rt_metric_view *view = view_of(&room, 1, true);
    CU_ASSERT_EQUAL(count_of(view, "test.taken"), 3);
    rt_metric_view_free(view);
    rt_metrics_close();
    free(room);
}

static void what_is_declared_wrongly_hides_nothing(void)
{
    static const double falling[] = {1, 10, 5, 20};
    static rt_instrument nameless = {.name = "", .kind = RT_COUNTER};
    static rt_instrument disordered = {
        .name = "test.wrong", .kind = RT_HISTOGRAM, .bounds = falling, .bound_count = 4};
    void *room = new_room();
    for (int life = 1; life <= 2; life++) {
        begin(room);
        rt_series_add(plain(&nameless), 1);
        rt_series_observe(plain(&disordered), 7);
        rt_series_add(plain(&counter), 1);
        rt_metric_view *view = view_of(&room, 1, true);
        const rt_metric_point *point = only(view, "test.wrong");
        CU_ASSERT_PTR_NOT_NULL_FATAL(point);
        CU_ASSERT_EQUAL(point->family->bound_count, 2);
        CU_ASSERT_EQUAL(point->values[2], (uint64_t)life); /* up to 10 */
        CU_ASSERT_EQUAL(count_of(view, "test.taken"), (uint64_t)life);
        rt_metric_view_free(view);
    }
    rt_metrics_close();
    free(room);
}

/* --- processes that come and go -------------------------------------------------------------- */

static void the_next_process_counts_on_and_begins_gauges_anew(void)
{
    void *room = new_room();
    for (int life = 1; life <= 3; life++) {
        begin(room);
        rt_series_add(labelled(&counter, "kind", "a"), 2);
        rt_series_observe(plain(&histogram), 4);
        if (life == 1)
            rt_series_set(plain(&gauge), 9);
        if (life == 3)
            rt_series_change(plain(&most), 1);
        rt_metric_view *view = view_of(&room, 1, true);
        CU_ASSERT_EQUAL(count_of(view, "test.taken"), (uint64_t)life * 2);
        CU_ASSERT_EQUAL(rt_metric_point_count(only(view, "test.size")), (uint64_t)life);
        CU_ASSERT_EQUAL(rt_bits_real(only(view, "test.size")->values[0]), life * 4);
        CU_ASSERT_EQUAL(rt_metric_view_find(view, "test.kept") != NULL, life == 1);
        rt_metric_view_free(view);
    }
    rt_series_change(plain(&gauge), 1);
    rt_metric_view *view = view_of(&room, 1, true);
    CU_ASSERT_EQUAL(real_of(view, "test.kept"), 1);
    rt_metric_view_free(view);
    rt_metrics_close();
    free(room);
}

static void a_record_that_was_being_written_at_the_end_is_not_there(void)
{
    void *room = new_room();
    begin(room);
    rt_series_add(labelled(&counter, "kind", "a"), 2);
    rt_room_head *head = room;
    memset((char *)room + head->used, 0x5a, 100); /* half a record, not yet published */
    begin(room);
    rt_series_add(labelled(&counter, "kind", "b"), 1);
    rt_metric_view *view = view_of(&room, 1, true);
    CU_ASSERT_EQUAL(rt_metric_view_find(view, "test.taken")->point_count, 2);
    rt_metric_view_free(view);
    rt_metrics_close();
    free(room);
}

static void several_processes_are_summed_and_dead_ones_have_no_gauges(void)
{
    void *rooms[3];
    for (int i = 0; i < 3; i++) {
        begin(rooms[i] = new_room());
        rt_series_add(plain(&counter), (uint64_t)i + 1);
        rt_series_observe(plain(&histogram), i);
        rt_series_set(plain(&gauge), i + 1);
        rt_series_set(plain(&most), i == 1 ? 50 : i);
        rt_series_set(plain(&each), i);
    }
    rt_metric_view *view = view_of(rooms, 3, true);
    CU_ASSERT_EQUAL(count_of(view, "test.taken"), 6);
    CU_ASSERT_EQUAL(rt_metric_point_count(only(view, "test.size")), 3);
    CU_ASSERT_EQUAL(real_of(view, "test.kept"), 6);
    CU_ASSERT_EQUAL(real_of(view, "test.most"), 50);
    const rt_metric_family *family = rt_metric_view_find(view, "test.each");
    CU_ASSERT_EQUAL(family->point_count, 3);
    CU_ASSERT_EQUAL(rt_bits_real(*point_with(family, "rt.worker", "3")->values), 2);
    CU_ASSERT_PTR_NOT_NULL(point_with(family, "rt.generation", "7"));
    rt_metric_view_free(view);
    view = view_of(rooms, 3, false);
    CU_ASSERT_EQUAL(count_of(view, "test.taken"), 6);
    CU_ASSERT_PTR_NULL(rt_metric_view_find(view, "test.kept"));
    rt_metric_view_free(view);
    rt_metrics_close();
    for (int i = 0; i < 3; i++)
        free(rooms[i]);
}

static void buckets_of_other_bounds_are_counted_where_their_bound_is(void)
{
    static const double finer[] = {0.5, 1, 3, 20};
    static rt_instrument changed = {
        .name = "test.size", .unit = "By", .kind = RT_HISTOGRAM, .bounds = finer, .bound_count = 4};
    void *rooms[2] = {new_room(), new_room()};
    begin(rooms[0]);
    rt_series_observe(plain(&histogram), 1);
    begin(rooms[1]);
    for (int i = 0; i < 5; i++)
        rt_series_observe(plain(&changed), (double[]){0.1, 0.9, 2.5, 19, 100}[i]);
    rt_metric_view *view = view_of(rooms, 2, true);
    const rt_metric_point *point = only(view, "test.size");
    CU_ASSERT_PTR_NOT_NULL_FATAL(point);
    CU_ASSERT_EQUAL(point->family->bound_count, 3);
    CU_ASSERT_EQUAL(point->values[1], 3); /* up to 1: one of the first room, two of the other */
    CU_ASSERT_EQUAL(point->values[2], 0);
    CU_ASSERT_EQUAL(point->values[3], 1); /* up to 3 */
    CU_ASSERT_EQUAL(point->values[4], 2);
    CU_ASSERT_EQUAL(rt_metric_point_count(point), 6);
    rt_metric_view_free(view);
    rt_metrics_close();
    free(rooms[0]);
    free(rooms[1]);
}

static void a_module_that_changed_its_bounds_goes_on_counting(void)
{
    static const double finer[] = {0.5, 1, 3, 20};
    static rt_instrument changed = {
        .name = "test.size", .unit = "By", .kind = RT_HISTOGRAM, .bounds = finer, .bound_count = 4};
    void *room = new_room();
    for (int life = 1; life <= 4; life++) {
        begin(room);
        rt_series_observe(plain(life % 2 ? &histogram : &changed), 1);
        rt_metric_view *view = view_of(&room, 1, true);
        CU_ASSERT_EQUAL(rt_metric_point_count(only(view, "test.size")), (uint64_t)life);
        rt_metric_view_free(view);
    }
    uint64_t used = ((rt_room_head *)room)->used;
    begin(room);
    rt_series_observe(plain(&changed), 1);
    CU_ASSERT_EQUAL(((rt_room_head *)room)->used, used); /* it found what it had declared before */
    rt_metrics_close();
    free(room);
}

/* --- hostile memory -------------------------------------------------------------------------- */

static uint64_t random_state = 88172645463325252u;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    return random_state ^= random_state << 17;
}

static void fill(void *room)
{
    char text[16];
    begin(room);
    for (int i = 0; i < 20; i++) {
        snprintf(text, sizeof text, "%d", i);
        rt_series_add(labelled(&counter, "id", text), 1);
        rt_series_set(labelled(&gauge, "id", text), i);
        rt_series_set(labelled(&each, "id", text), i);
        rt_series_observe(labelled(&histogram, "id", text), i);
    }
}

/* As a plugin might, that writes anywhere. */
static void scribble(char *room, size_t used)
{
    for (uint64_t left = next_random() % 12 + 1; left; left--) {
        size_t at = next_random() % used;
        uint32_t word =
            (uint32_t)next_random() % 3 ? (uint32_t)(next_random() % 512) : (uint32_t)next_random();
        size_t width = next_random() % 2 ? 1 : 4;
        memcpy(room + (at + width > used ? used - width : at), &word, width);
    }
}

static void whatever_was_scribbled_a_reader_and_the_next_process_get_along(void)
{
    void *good = new_room(), *bad = new_room();
    fill(good);
    size_t used = ((rt_room_head *)good)->used;
    for (int round = 0; round < 3000; round++) {
        memcpy(bad, good, used + 4096);
        scribble(bad, used);
        rt_metric_view *view = view_of(&bad, 1, true);
        CU_ASSERT(view->family_count < 1000);
        rt_metric_view_free(view);
        if (round % 10 == 0) {
            begin(bad);
            rt_series_add(labelled(&counter, "id", "new"), 1);
        }
    }
    rt_metrics_close();
    free(good);
    free(bad);
}

static void memory_full_of_one_byte_is_no_room(void)
{
    void *room = new_room();
    for (int byte = 0; byte < 256; byte++) {
        memset(room, byte, 65536);
        rt_metric_view *view = view_of(&room, 1, true);
        CU_ASSERT_EQUAL(view->family_count, 0);
        rt_metric_view_free(view);
    }
    begin(room);
    rt_series_add(plain(&counter), 1);
    rt_metric_view *view = view_of(&room, 1, true);
    CU_ASSERT_EQUAL(count_of(view, "test.taken"), 1);
    rt_metric_view_free(view);
    rt_metrics_close();
    free(room);
}

/* The room is another process's too: what it does there must not lead this one astray. */
static void a_writer_does_not_follow_what_others_wrote(void)
{
    void *room = new_room();
    fill(room);
    rt_series *series = labelled(&histogram, "id", "3");
    memset(room, 0xff, RT_METRIC_ROOM);
    rt_series_observe(series, 3);
    for (int i = 0; i < 100; i++) {
        char text[16];
        snprintf(text, sizeof text, "late %d", i);
        rt_series_observe(labelled(&histogram, "id", text), 1);
        rt_series_add(labelled(&counter, "id", text), 1);
    }
    CU_ASSERT_PTR_EQUAL(labelled(&histogram, "id", "3"), series);
    rt_metrics_close();
    free(room);
}

/* --- a reader at work ------------------------------------------------------------------------ */

struct reader {
    void *room;
    bool stop;
    uint64_t views, went_back;
};

static void *read_on(void *argument)
{
    struct reader *reader = argument;
    uint64_t counted = 0, seen = 0;
    while (!__atomic_load_n(&reader->stop, __ATOMIC_RELAXED)) {
        rt_metric_view *view = view_of(&reader->room, 1, true);
        const rt_metric_family *family = rt_metric_view_find(view, "test.taken");
        const rt_metric_point *size = only(view, "test.size");
        uint64_t all = 0, now = size ? rt_metric_point_count(size) : 0;
        for (size_t i = 0; family && i < family->point_count; i++)
            all += *family->points[i]->values;
        reader->went_back += all < counted || now < seen;
        counted = all;
        seen = now;
        __atomic_fetch_add(&reader->views, 1, __ATOMIC_RELAXED);
        rt_metric_view_free(view);
    }
    return NULL;
}

static void who_reads_meanwhile_sees_no_count_go_back(void)
{
    pthread_t thread;
    struct reader reader = {.room = new_room()};
    char text[16];
    begin(reader.room);
    pthread_create(&thread, NULL, read_on, &reader);
    for (int i = 0; __atomic_load_n(&reader.views, __ATOMIC_RELAXED) < 40; i++) {
        snprintf(text, sizeof text, "%d", i % 1500);
        rt_series_add(labelled(&counter, "id", text), 1);
        rt_series_observe(plain(&histogram), i % 7);
    }
    __atomic_store_n(&reader.stop, true, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    CU_ASSERT_EQUAL(reader.went_back, 0);
    rt_metrics_close();
    free(reader.room);
}

RT_TEST_MAIN(
    "metric",
    {"a series is found again by its labels, in any order",
     a_series_is_found_again_by_its_labels_in_any_order},
    {"what was counted is read from the room", what_was_counted_is_read_from_the_room},
    {"values that are no numbers are left out", values_that_are_no_numbers_are_left_out},
    {"label values are cut, and made characters", label_values_are_cut_and_made_characters},
    {"a label counts once, and no more than sixteen do",
     a_label_counts_once_and_no_more_than_sixteen_do},
    {"beyond its limit an instrument counts in its overflow series",
     beyond_its_limit_an_instrument_counts_in_its_overflow_series},
    {"a full room loses no count", a_full_room_loses_no_count},
    {"ten thousand histograms have room", ten_thousand_histograms_have_room},
    {"a name that means two things is told as the first",
     a_name_that_means_two_things_is_told_as_the_first},
    {"what is declared wrongly hides nothing", what_is_declared_wrongly_hides_nothing},
    {"the next process counts on, and begins gauges anew",
     the_next_process_counts_on_and_begins_gauges_anew},
    {"a record that was being written at the end is not there",
     a_record_that_was_being_written_at_the_end_is_not_there},
    {"several processes are summed, and dead ones have no gauges",
     several_processes_are_summed_and_dead_ones_have_no_gauges},
    {"buckets of other bounds are counted where their bound is",
     buckets_of_other_bounds_are_counted_where_their_bound_is},
    {"a module that changed its bounds goes on counting",
     a_module_that_changed_its_bounds_goes_on_counting},
    {"whatever was scribbled, a reader and the next process get along",
     whatever_was_scribbled_a_reader_and_the_next_process_get_along},
    {"memory full of one byte is no room", memory_full_of_one_byte_is_no_room},
    {"a writer does not follow what others wrote", a_writer_does_not_follow_what_others_wrote},
    {"who reads meanwhile sees no count go back", who_reads_meanwhile_sees_no_count_go_back})
