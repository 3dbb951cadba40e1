/* The one table that every plugin gets. A member that is missing here is a compile-time warning
 * nowhere, so tests/unit asserts that none is null. */
#include "fiber/fiber.h"
#include "http/http.h"
#include "process/inspect.h"
#include "process/runtime.h"
#include "process/slice.h"
#include "telemetry/author_metric.h"
#include "telemetry/effect.h"
#include "telemetry/log.h"
#include "telemetry/span.h"

static const rt_host table = {
    .size = sizeof(rt_host),
    .abi_major = RT_ABI_MAJOR,
    .abi_minor = RT_ABI_MINOR,

    .unimplemented = rt_host_unimplemented,
    .effect_begin = rt_host_effect_begin,
    .effect_again = rt_host_effect_again,
    .provide = rt_host_provide,

    .lifecycle = rt_host_lifecycle,
    .registry_context = rt_host_registry_context,
    .alloc = rt_host_alloc,
    .format = rt_host_format,
    .fail = rt_host_fail,
    .fail_with = rt_host_fail_with,
    .last_error = rt_host_last_error,
    .current = rt_host_current,
    .deadline = rt_host_deadline,
    .set_deadline = rt_host_set_deadline,
    .cancelled = rt_host_cancelled,
    .correlation_id = rt_host_correlation_id,
    .defer = rt_host_defer,
    .die = rt_host_die,
    .run = rt_host_run,
    .run_exit = rt_host_run_exit,
    .run_async = rt_host_run_async,
    .spawn = rt_host_spawn,
    .join = rt_host_join,
    .service = rt_host_service,
    .post = rt_host_post,
    .cancel_new = rt_host_cancel_new,
    .cancel_fire = rt_host_cancel_fire,
    .cancel_free = rt_host_cancel_free,

    .now = rt_host_now,
    .wait_fd = rt_host_wait_fd,
    .sleep = rt_host_sleep,
    .blocking = rt_host_blocking,
    .mutex_new = rt_host_mutex_new,
    .mutex_free = rt_host_mutex_free,
    .mutex_lock = rt_host_mutex_lock,
    .mutex_unlock = rt_host_mutex_unlock,
    .semaphore_new = rt_host_semaphore_new,
    .semaphore_free = rt_host_semaphore_free,
    .semaphore_acquire = rt_host_semaphore_acquire,
    .semaphore_release = rt_host_semaphore_release,
    .channel_new = rt_host_channel_new,
    .channel_free = rt_host_channel_free,
    .channel_send = rt_host_channel_send,
    .channel_receive = rt_host_channel_receive,
    .channel_close = rt_host_channel_close,

    .log_enabled = rt_host_log_enabled,
    .log = rt_host_log,
    .log_fields = rt_host_log_fields,

    .route = rt_host_route,
    .request_header = rt_host_request_header,
    .request_param = rt_host_request_param,
    .request_query = rt_host_request_query,
    .response_header = rt_host_response_header,
    .respond = rt_host_respond,

    .json_new = rt_host_json_new,
    .json_event = rt_host_json_event,
    .json_text = rt_host_json_text,
    .json_parse = rt_host_json_parse,

    .body_read = rt_host_body_read,
    .respond_begin = rt_host_respond_begin,
    .respond_write = rt_host_respond_write,

    .request_trailer = rt_host_request_trailer,
    .respond_trailer = rt_host_respond_trailer,
    .respond_file = rt_host_respond_file,
    .stream_ends = rt_host_stream_ends,
    .stream_on_end = rt_host_stream_on_end,
    .sse_begin = rt_host_sse_begin,
    .sse_send = rt_host_sse_send,
    .websocket_accept = rt_host_websocket_accept,
    .websocket_receive = rt_host_websocket_receive,
    .websocket_send = rt_host_websocket_send,
    .websocket_close = rt_host_websocket_close,
    .websocket_subprotocol = rt_host_websocket_subprotocol,

    .span_start = rt_host_span_start,
    .span_finish = rt_host_span_finish,
    .span_recorded = rt_host_span_recorded,
    .span_add = rt_host_span_add,
    .traceparent = rt_host_traceparent,

    .metric_add = rt_host_metric_add,
    .metric_set = rt_host_metric_set,
    .metric_record = rt_host_metric_record,

    .provide_form = rt_host_provide_form,

    .inspect = rt_host_inspect,
    .observe = rt_host_observe,

    .context_value = rt_host_context_value,
    .set_context_value = rt_host_set_context_value,

    .slice = rt_host_slice,
};

const rt_host *rt_host_table = &table;
