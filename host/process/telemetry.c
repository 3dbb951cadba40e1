#include "process/telemetry.h"

#include "telemetry/clock.h"
#include "telemetry/outlet.h"
#include "telemetry/span.h"

static void open_outlet(const rt_setup *setup, const rt_board *board)
{
    const struct rt_telemetry_settings *settings = &setup->plan->host.telemetry;
    rt_outlet_options options = {.socket = setup->records,
                                 .worker = setup->number,
                                 .generation = setup->generation,
                                 .spans = settings->signals[RT_SIGNAL_TRACES].endpoint != NULL,
                                 .logs = settings->signals[RT_SIGNAL_LOGS].endpoint != NULL};
    if (board->memory)
        options.room = rt_board_room(board, setup->number, RT_ROOM_RECORDS, &options.size);
    rt_outlet_open(&options);
}

void rt_telemetry_open(const rt_setup *setup, const rt_board *board)
{
    const struct rt_telemetry_settings *settings = &setup->plan->host.telemetry;
    rt_clock_open();
    open_outlet(setup, board);
    rt_spans_configure(&(rt_span_options){settings->traces, settings->sampling});
}

void rt_telemetry_attach(void)
{
    rt_outlet_attach();
}

void rt_telemetry_detach(void)
{
    rt_outlet_detach();
}

void rt_telemetry_close(void)
{
    rt_outlet_open(&(rt_outlet_options){.socket = -1});
    rt_spans_free();
}
