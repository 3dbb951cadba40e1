/* Everything that crosses the boundary between host and plugin, within reach of exported symbols,
 * so that abidw describes it. A new public struct gets a line here. */
#include <rt/cap/clock.h>
#include <rt/cap/email.h>
#include <rt/cap/outbox.h>
#include <rt/cap/transfer.h>
#include <rt/rt.h>

#define SURFACE(name_, type_)      \
    extern type_ *name_##_surface; \
    type_ *name_##_surface;

SURFACE(descriptor, rt_module_descriptor)
SURFACE(host, rt_host)
SURFACE(instance, rt_instance)
SURFACE(context, rt_ctx)
SURFACE(binding, rt_binding)
SURFACE(setting, rt_setting)
SURFACE(error, rt_error)
SURFACE(lifecycle, rt_lifecycle)
SURFACE(health, rt_health)
SURFACE(run_options, rt_run_options)
SURFACE(exit, rt_exit)
SURFACE(request, rt_request)
SURFACE(route_options, rt_route_options)
SURFACE(sse_event, rt_sse_event)
SURFACE(websocket_options, rt_websocket_options)
SURFACE(websocket_message, rt_websocket_message)
SURFACE(field, rt_field)
SURFACE(span_http, rt_span_http)
SURFACE(span_database, rt_span_database)
SURFACE(span_message, rt_span_message)
SURFACE(metric, rt_metric)
SURFACE(observation, rt_observation)
SURFACE(json_value, rt_json_value)
SURFACE(effect_frame, rt_effect_frame)
SURFACE(method, rt_method)
SURFACE(form, rt_form)
SURFACE(form_struct, rt_form_struct)
SURFACE(form_kind, enum rt_form_kind)
SURFACE(clock, struct rt_clock_table)
SURFACE(email, struct rt_email_table)
SURFACE(outbox, struct rt_outbox_table)
SURFACE(transfer, struct rt_transfer_table)
SURFACE(setting_type, enum rt_setting_type)
SURFACE(code, enum rt_code)
SURFACE(exit_kind, enum rt_exit_kind)
SURFACE(health_status, enum rt_health_status)
SURFACE(http_method, enum rt_http_method)
SURFACE(websocket_type, enum rt_websocket_type)
SURFACE(log_level, enum rt_log_level)
SURFACE(span_kind, enum rt_span_kind)
SURFACE(metric_kind, enum rt_metric_kind)
SURFACE(email_status, enum rt_email_status)
SURFACE(json_type, enum rt_json_type)
SURFACE(json_event, enum rt_json_event)
