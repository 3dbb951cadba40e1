/* span_kit.h — what an exporter would get, to be looked at
 *
 *     listen_to_spans(1);
 *     …
 *     receive();
 *     CU_ASSERT_TRUE(has_text(named("brew"), "tea.kind", "oolong"));
 *     stop_listening();
 */
#ifndef RT_TEST_SPAN_KIT_H
#define RT_TEST_SPAN_KIT_H

#include "harness.h"

#include "telemetry/outlet.h"
#include "telemetry/span.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROOM = 128 << 10, SPANS_MOST = 64 };

static int ends[2];
static _Alignas(16) char room[ROOM];

/* What arrived, in order. */
static struct {
    char bytes[512 << 10];
    size_t length;
    rt_record_view views[SPANS_MOST];
    size_t count;
    rt_batch batch;
} got;

__attribute__((unused)) static void take_message(void)
{
    char *to = got.bytes + got.length;
    ssize_t length = recv(ends[1], to, sizeof got.bytes - got.length, MSG_DONTWAIT);
    if (length < (ssize_t)sizeof got.batch)
        return;
    memcpy(&got.batch, to, sizeof got.batch);
    for (char *at = to + sizeof got.batch, *end = to + length; at < end;) {
        rt_record_view *view = &got.views[got.count];
        if (got.count == SPANS_MOST || !rt_record_read(view, at, (size_t)(end - at)))
            break;
        at += view->head.size;
        got.count++;
    }
    got.length += (size_t)length;
}

__attribute__((unused)) static void receive(void)
{
    size_t before;
    got.length = got.count = 0;
    do {
        before = got.length;
        take_message();
    } while (got.length > before);
}

__attribute__((unused)) static void listen_to_spans(double sampling)
{
    CU_ASSERT_EQUAL(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    rt_outlet_open(&(rt_outlet_options){
        .socket = ends[0], .room = room, .size = sizeof room, .worker = 3, .spans = true});
    rt_spans_configure(&(rt_span_options){.traces = true, .sampling = sampling});
}

__attribute__((unused)) static void stop_listening(void)
{
    rt_outlet_open(&(rt_outlet_options){.socket = -1});
    close(ends[0]);
    close(ends[1]);
}

/* --- looking at what arrived ----------------------------------------------------------------- */

__attribute__((unused)) static bool is_text(rt_str text, const char *expected)
{
    return text.length == strlen(expected) &&
           (!text.length || memcmp(text.data, expected, text.length) == 0);
}

__attribute__((unused)) static const rt_record_view *named(const char *name)
{
    for (size_t i = 0; i < got.count; i++)
        if (is_text(got.views[i].texts[RT_TEXT_NAME], name))
            return &got.views[i];
    CU_FAIL("no such span");
    return &got.views[SPANS_MOST - 1];
}

/* A copy: reading moves the view. */
__attribute__((unused)) static bool find_note(const rt_record_view *view, const char *name,
                                              rt_span_note *note)
{
    rt_record_view copy = *view;
    while (rt_record_next(&copy, note))
        if (is_text(note->name, name))
            return true;
    return false;
}

__attribute__((unused)) static bool has_text(const rt_record_view *view, const char *name,
                                             const char *text)
{
    rt_span_note note;
    return find_note(view, name, &note) && note.type == RT_NOTE_TEXT && is_text(note.text, text);
}

__attribute__((unused)) static bool has_number(const rt_record_view *view, const char *name,
                                               int64_t number)
{
    rt_span_note note;
    return find_note(view, name, &note) && note.type == RT_NOTE_INTEGER && note.integer == number;
}

#endif
