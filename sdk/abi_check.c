/* Every offset and size that plugins were compiled with. A failing line here means that plugins
 * built against an older header of the same major version would read the wrong bytes: put the new
 * member at the end instead, add its line, and raise RT_ABI_MINOR. Lines are added, never changed;
 * the sizes of structs that carry their own (`size`) grow with their last member. */
#include <rt/cap/cache.h>
#include <rt/cap/clock.h>
#include <rt/cap/email.h>
#include <rt/cap/outbox.h>
#include <rt/cap/redis.h>
#include <rt/cap/sql.h>
#include <rt/cap/sql_script.h>
#include <rt/cap/test_double.h>
#include <rt/cap/transfer.h>
#include <rt/rt.h>

#define AT(type, member, offset) \
    _Static_assert(offsetof(type, member) == (offset), #type "." #member " has moved")
#define SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), #type " has another size")

AT(rt_str, data, 0);
AT(rt_str, length, 8);
SIZE(rt_str, 16);

AT(rt_binding, table, 0);
AT(rt_binding, instance, 8);
AT(rt_binding, effects, 16);
AT(rt_binding, all, 24);
AT(rt_binding, count, 32);
AT(rt_binding, reserved, 36);
SIZE(rt_binding, 40);

AT(rt_setting, type, 0);
AT(rt_setting, count, 4);
AT(rt_setting, name, 8);
AT(rt_setting, value, 16);
SIZE(rt_setting, 24);

AT(rt_instance, magic, 0);
AT(rt_instance, size, 4);
AT(rt_instance, bindings, 8);
AT(rt_instance, settings, 16);
AT(rt_instance, state, 24);
AT(rt_instance, name, 32);
AT(rt_instance, module, 40);
AT(rt_instance, version, 48);
SIZE(rt_instance, 56);

AT(rt_ctx, magic, 0);
AT(rt_ctx, size, 4);
AT(rt_ctx, instance, 8);
SIZE(rt_ctx, 16);

AT(rt_slot, capability, 0);
AT(rt_slot, major, 8);
AT(rt_slot, view_size, 12);
AT(rt_slot, index, 16);
AT(rt_slot, reserved, 20);
SIZE(rt_slot, 24);

AT(rt_option, name, 0);
AT(rt_option, type, 8);
AT(rt_option, index, 12);
SIZE(rt_option, 16);

AT(rt_module_descriptor, magic, 0);
AT(rt_module_descriptor, size, 8);
AT(rt_module_descriptor, abi_major, 12);
AT(rt_module_descriptor, abi_minor, 14);
AT(rt_module_descriptor, name, 16);
AT(rt_module_descriptor, version, 24);
AT(rt_module_descriptor, host, 32);
AT(rt_module_descriptor, register_module, 40);
AT(rt_module_descriptor, slots, 48);
AT(rt_module_descriptor, slots_end, 56);
AT(rt_module_descriptor, options, 64);
AT(rt_module_descriptor, options_end, 72);
SIZE(rt_module_descriptor, 80);

AT(rt_error, size, 0);
AT(rt_error, code, 4);
AT(rt_error, retryable, 8);
AT(rt_error, reserved, 12);
AT(rt_error, domain, 16);
AT(rt_error, message, 24);
AT(rt_error, detail, 32);
AT(rt_error, hint, 40);
AT(rt_error, cause, 48);
AT(rt_error, fields, 56);
AT(rt_error, field_count, 64);
SIZE(rt_error, 72);

AT(rt_form_name, name, 0);
AT(rt_form_name, number, 8);
SIZE(rt_form_name, 16);

AT(rt_form_value, name, 0);
AT(rt_form_value, type, 8);
AT(rt_form_value, kind, 16);
AT(rt_form_value, offset, 20);
AT(rt_form_value, count_offset, 24);
AT(rt_form_value, count_width, 28);
AT(rt_form_value, of, 32);
AT(rt_form_value, names, 40);
SIZE(rt_form_value, 48);

AT(rt_form_struct, size, 0);
AT(rt_form_struct, bytes, 4);
AT(rt_form_struct, count, 8);
AT(rt_form_struct, reserved, 12);
AT(rt_form_struct, name, 16);
AT(rt_form_struct, fields, 24);
SIZE(rt_form_struct, 32);

AT(rt_form_method, name, 0);
AT(rt_form_method, flags, 8);
AT(rt_form_method, bytes, 12);
AT(rt_form_method, count, 16);
AT(rt_form_method, reserved, 20);
AT(rt_form_method, arguments, 24);
AT(rt_form_method, call, 32);
SIZE(rt_form_method, 40);

AT(rt_form, size, 0);
AT(rt_form, count, 4);
AT(rt_form, methods, 8);
SIZE(rt_form, 16);

AT(rt_effect_frame, size, 0);
AT(rt_effect_frame, attempt, 4);
AT(rt_effect_frame, method, 8);
AT(rt_effect_frame, binding, 16);
AT(rt_effect_frame, started, 24);
AT(rt_effect_frame, scratch, 32);
SIZE(rt_effect_frame, 64);

AT(rt_host, size, 0);
AT(rt_host, abi_major, 4);
AT(rt_host, abi_minor, 6);
AT(rt_host, unimplemented, 8);
AT(rt_host, effect_begin, 16);
AT(rt_host, effect_again, 24);
AT(rt_host, provide, 32);
AT(rt_host, lifecycle, 40);
AT(rt_host, registry_context, 48);
AT(rt_host, alloc, 56);
AT(rt_host, format, 64);
AT(rt_host, fail, 72);
AT(rt_host, fail_with, 80);
AT(rt_host, last_error, 88);
AT(rt_host, current, 96);
AT(rt_host, deadline, 104);
AT(rt_host, set_deadline, 112);
AT(rt_host, cancelled, 120);
AT(rt_host, correlation_id, 128);
AT(rt_host, defer, 136);
AT(rt_host, die, 144);
AT(rt_host, run, 152);
AT(rt_host, run_exit, 160);
AT(rt_host, run_async, 168);
AT(rt_host, spawn, 176);
AT(rt_host, join, 184);
AT(rt_host, service, 192);
AT(rt_host, post, 200);
AT(rt_host, cancel_new, 208);
AT(rt_host, cancel_fire, 216);
AT(rt_host, cancel_free, 224);
AT(rt_host, now, 232);
AT(rt_host, wait_fd, 240);
AT(rt_host, sleep, 248);
AT(rt_host, blocking, 256);
AT(rt_host, mutex_new, 264);
AT(rt_host, mutex_free, 272);
AT(rt_host, mutex_lock, 280);
AT(rt_host, mutex_unlock, 288);
AT(rt_host, semaphore_new, 296);
AT(rt_host, semaphore_free, 304);
AT(rt_host, semaphore_acquire, 312);
AT(rt_host, semaphore_release, 320);
AT(rt_host, channel_new, 328);
AT(rt_host, channel_free, 336);
AT(rt_host, channel_send, 344);
AT(rt_host, channel_receive, 352);
AT(rt_host, channel_close, 360);
AT(rt_host, log_enabled, 368);
AT(rt_host, log, 376);
AT(rt_host, log_fields, 384);
AT(rt_host, route, 392);
AT(rt_host, request_header, 400);
AT(rt_host, request_param, 408);
AT(rt_host, request_query, 416);
AT(rt_host, response_header, 424);
AT(rt_host, respond, 432);
AT(rt_host, json_new, 440);
AT(rt_host, json_event, 448);
AT(rt_host, json_text, 456);
AT(rt_host, json_parse, 464);
AT(rt_host, body_read, 472);
AT(rt_host, respond_begin, 480);
AT(rt_host, respond_write, 488);
AT(rt_host, request_trailer, 496);
AT(rt_host, respond_trailer, 504);
AT(rt_host, respond_file, 512);
AT(rt_host, stream_ends, 520);
AT(rt_host, stream_on_end, 528);
AT(rt_host, sse_begin, 536);
AT(rt_host, sse_send, 544);
AT(rt_host, websocket_accept, 552);
AT(rt_host, websocket_receive, 560);
AT(rt_host, websocket_send, 568);
AT(rt_host, websocket_close, 576);
AT(rt_host, websocket_subprotocol, 584);
AT(rt_host, span_start, 592);
AT(rt_host, span_finish, 600);
AT(rt_host, span_recorded, 608);
AT(rt_host, span_add, 616);
AT(rt_host, traceparent, 624);
AT(rt_host, metric_add, 632);
AT(rt_host, metric_set, 640);
AT(rt_host, metric_record, 648);
AT(rt_host, provide_form, 656);
AT(rt_host, inspect, 664);
AT(rt_host, observe, 672);
AT(rt_host, context_value, 680);
AT(rt_host, set_context_value, 688);
AT(rt_host, slice, 696);
SIZE(rt_host, 704);

AT(rt_lifecycle, size, 0);
AT(rt_lifecycle, reserved, 4);
AT(rt_lifecycle, configure, 8);
AT(rt_lifecycle, start, 16);
AT(rt_lifecycle, stop, 24);
AT(rt_lifecycle, health, 32);
SIZE(rt_lifecycle, 40);

AT(rt_health, size, 0);
AT(rt_health, status, 4);
AT(rt_health, reason, 8);
SIZE(rt_health, 16);

AT(rt_exit, size, 0);
AT(rt_exit, kind, 4);
AT(rt_exit, result, 8);
AT(rt_exit, reserved, 12);
AT(rt_exit, error, 16);
AT(rt_exit, defect, 24);
AT(rt_exit, finalizer_error, 32);
SIZE(rt_exit, 40);

AT(rt_run_options, size, 0);
AT(rt_run_options, reserved, 4);
AT(rt_run_options, name, 8);
AT(rt_run_options, deadline, 16);
AT(rt_run_options, cancel, 24);
AT(rt_run_options, instance, 32);
AT(rt_run_options, on_exit, 40);
AT(rt_run_options, on_exit_argument, 48);
AT(rt_run_options, completion_fd, 56);
AT(rt_run_options, reserved2, 60);
SIZE(rt_run_options, 64);

AT(rt_method, name, 0);
AT(rt_method, index, 8);
AT(rt_method, flags, 12);
SIZE(rt_method, 16);

AT(rt_field, name, 0);
AT(rt_field, text, 8);
AT(rt_field, integer, 16);
SIZE(rt_field, 24);

AT(rt_metric, size, 0);
AT(rt_metric, kind, 4);
AT(rt_metric, name, 8);
AT(rt_metric, unit, 16);
AT(rt_metric, help, 24);
AT(rt_metric, bounds, 32);
AT(rt_metric, bound_count, 40);
AT(rt_metric, host, 48);
SIZE(rt_metric, 56);

AT(rt_header, name, 0);
AT(rt_header, value, 16);
SIZE(rt_header, 32);

AT(rt_request, size, 0);
AT(rt_request, method, 4);
AT(rt_request, path, 8);
AT(rt_request, query, 24);
AT(rt_request, body, 40);
AT(rt_request, headers, 56);
AT(rt_request, header_count, 64);
AT(rt_request, peer, 72);
AT(rt_request, scheme, 88);
AT(rt_request, authority, 104);
SIZE(rt_request, 120);

AT(rt_route_options, size, 0);
AT(rt_route_options, reserved, 4);
AT(rt_route_options, max_body, 8);
AT(rt_route_options, timeout, 16);
AT(rt_route_options, streams, 24);
AT(rt_route_options, reserved_too, 28);
AT(rt_route_options, uncompressed, 32);
AT(rt_route_options, reserved_more, 36);
SIZE(rt_route_options, 40);

AT(rt_sse_event, size, 0);
AT(rt_sse_event, reserved, 4);
AT(rt_sse_event, name, 8);
AT(rt_sse_event, id, 24);
AT(rt_sse_event, data, 40);
AT(rt_sse_event, retry, 56);
SIZE(rt_sse_event, 64);

AT(rt_websocket_options, size, 0);
AT(rt_websocket_options, uncompressed, 4);
AT(rt_websocket_options, max_message, 8);
AT(rt_websocket_options, subprotocols, 16);
AT(rt_websocket_options, origins, 24);
SIZE(rt_websocket_options, 32);

AT(rt_websocket_message, size, 0);
AT(rt_websocket_message, type, 4);
AT(rt_websocket_message, data, 8);
AT(rt_websocket_message, close_code, 24);
AT(rt_websocket_message, reserved, 28);
SIZE(rt_websocket_message, 32);

AT(rt_observation, size, 0);
AT(rt_observation, reserved, 4);
AT(rt_observation, cursor, 8);
AT(rt_observation, missed, 16);
AT(rt_observation, timeout, 24);
AT(rt_observation, text, 32);
AT(rt_observation, room, 40);
AT(rt_observation, length, 48);
SIZE(rt_observation, 56);

AT(rt_json_value, size, 0);
AT(rt_json_value, type, 4);
AT(rt_json_value, count, 8);
AT(rt_json_value, key, 16);
AT(rt_json_value, next, 24);
AT(rt_json_value, value, 32);
SIZE(rt_json_value, 40);

AT(rt_sql_value, type, 0);
AT(rt_sql_value, of, 4);
AT(rt_sql_value, length, 8);
AT(rt_sql_value, value, 16);
SIZE(rt_sql_value, 24);

AT(rt_sql_statement, size, 0);
AT(rt_sql_statement, flags, 4);
AT(rt_sql_statement, text, 8);
AT(rt_sql_statement, parameters, 16);
AT(rt_sql_statement, parameter_count, 24);
AT(rt_sql_statement, reserved, 28);
SIZE(rt_sql_statement, 32);

AT(rt_sql_column, name, 0);
AT(rt_sql_column, type, 8);
AT(rt_sql_column, reserved, 12);
SIZE(rt_sql_column, 16);

AT(rt_sql_rows, size, 0);
AT(rt_sql_rows, column_count, 4);
AT(rt_sql_rows, row_count, 8);
AT(rt_sql_rows, columns, 16);
AT(rt_sql_rows, values, 24);
SIZE(rt_sql_rows, 32);

AT(rt_sql_transaction, size, 0);
AT(rt_sql_transaction, isolation, 4);
AT(rt_sql_transaction, read_only, 8);
AT(rt_sql_transaction, attempts, 12);
SIZE(rt_sql_transaction, 16);

AT(rt_sql_hook, size, 0);
AT(rt_sql_hook, argument_size, 4);
AT(rt_sql_hook, instance, 8);
AT(rt_sql_hook, function, 16);
AT(rt_sql_hook, argument, 24);
SIZE(rt_sql_hook, 32);

AT(rt_sql_copy, size, 0);
AT(rt_sql_copy, format, 4);
AT(rt_sql_copy, table, 8);
AT(rt_sql_copy, columns, 16);
AT(rt_sql_copy, column_count, 24);
AT(rt_sql_copy, reserved, 28);
AT(rt_sql_copy, query, 32);
SIZE(rt_sql_copy, 40);

AT(rt_sql_notification, size, 0);
AT(rt_sql_notification, process, 4);
AT(rt_sql_notification, channel, 8);
AT(rt_sql_notification, payload, 16);
SIZE(rt_sql_notification, 24);

AT(rt_sql_server, size, 0);
AT(rt_sql_server, dialect, 4);
AT(rt_sql_server, version, 8);
AT(rt_sql_server, reserved, 12);
AT(rt_sql_server, database, 16);
SIZE(rt_sql_server, 24);

AT(rt_redis_reply, type, 0);
AT(rt_redis_reply, code, 4);
AT(rt_redis_reply, integer, 8);
AT(rt_redis_reply, text, 16);
AT(rt_redis_reply, length, 24);
AT(rt_redis_reply, elements, 32);
SIZE(rt_redis_reply, 40);

AT(rt_redis_arguments, arguments, 0);
AT(rt_redis_arguments, count, 8);
AT(rt_redis_arguments, flags, 12);
SIZE(rt_redis_arguments, 16);

AT(rt_redis_script, size, 0);
AT(rt_redis_script, key_count, 4);
AT(rt_redis_script, argument_count, 8);
AT(rt_redis_script, flags, 12);
AT(rt_redis_script, source, 16);
AT(rt_redis_script, keys, 24);
AT(rt_redis_script, arguments, 32);
SIZE(rt_redis_script, 40);

AT(rt_cache_source, size, 0);
AT(rt_cache_source, reserved, 4);
AT(rt_cache_source, instance, 8);
AT(rt_cache_source, compute, 16);
AT(rt_cache_source, argument, 24);
SIZE(rt_cache_source, 32);

AT(rt_double_call, size, 0);
AT(rt_double_call, code, 4);
AT(rt_double_call, method, 8);
AT(rt_double_call, arguments, 16);
SIZE(rt_double_call, 24);

AT(rt_migration, number, 0);
AT(rt_migration, reserved, 4);
AT(rt_migration, name, 8);
AT(rt_migration, sqlite, 16);
AT(rt_migration, postgres, 24);
SIZE(rt_migration, 32);

AT(rt_slice, size, 0);
AT(rt_slice, migration_count, 4);
AT(rt_slice, sql, 8);
AT(rt_slice, migrations, 16);
AT(rt_slice, tables, 24);
AT(rt_slice, table_count, 32);
AT(rt_slice, reserved, 36);
SIZE(rt_slice, 40);

AT(rt_column, name, 0);
AT(rt_column, type, 8);
AT(rt_column, flags, 12);
AT(rt_column, offset, 16);
AT(rt_column, null_step, 20);
AT(rt_column, prefix, 24);
SIZE(rt_column, 32);

AT(rt_table, size, 0);
AT(rt_table, column_count, 4);
AT(rt_table, name, 8);
AT(rt_table, type, 16);
AT(rt_table, columns, 24);
AT(rt_table, row_size, 32);
AT(rt_table, shadow, 40);
AT(rt_table, own, 48);
SIZE(rt_table, 56);

AT(rt_email_pair, name, 0);
AT(rt_email_pair, value, 8);
SIZE(rt_email_pair, 16);

AT(rt_email_attachment, filename, 0);
AT(rt_email_attachment, content_type, 8);
AT(rt_email_attachment, data, 16);
AT(rt_email_attachment, length, 24);
SIZE(rt_email_attachment, 32);

AT(rt_email, size, 0);
AT(rt_email, to_count, 4);
AT(rt_email, cc_count, 8);
AT(rt_email, bcc_count, 12);
AT(rt_email, header_count, 16);
AT(rt_email, attachment_count, 20);
AT(rt_email, tag_count, 24);
AT(rt_email, metadata_count, 28);
AT(rt_email, from, 32);
AT(rt_email, to, 40);
AT(rt_email, cc, 48);
AT(rt_email, bcc, 56);
AT(rt_email, reply_to, 64);
AT(rt_email, subject, 72);
AT(rt_email, html, 80);
AT(rt_email, text, 88);
AT(rt_email, headers, 96);
AT(rt_email, attachments, 104);
AT(rt_email, tags, 112);
AT(rt_email, metadata, 120);
SIZE(rt_email, 128);

AT(rt_email_result, size, 0);
AT(rt_email_result, status, 4);
AT(rt_email_result, error_code, 8);
AT(rt_email_result, reserved, 12);
AT(rt_email_result, id, 16);
AT(rt_email_result, provider_message_id, 24);
AT(rt_email_result, error_message, 32);
SIZE(rt_email_result, 40);

AT(struct rt_clock_table, size, 0);
AT(struct rt_clock_table, reserved, 4);
AT(struct rt_clock_table, now, 8);
AT(struct rt_clock_table, monotonic, 16);
AT(struct rt_clock_table, set, 24);
AT(struct rt_clock_table, advance, 32);
SIZE(struct rt_clock_table, 40);

AT(struct rt_email_table, size, 0);
AT(struct rt_email_table, reserved, 4);
AT(struct rt_email_table, send, 8);
AT(struct rt_email_table, send_batch, 16);
SIZE(struct rt_email_table, 24);

AT(rt_outbox_entry, size, 0);
AT(rt_outbox_entry, code, 4);
AT(rt_outbox_entry, id, 8);
AT(rt_outbox_entry, message, 16);

AT(struct rt_outbox_table, size, 0);
AT(struct rt_outbox_table, reserved, 4);
AT(struct rt_outbox_table, count, 8);
AT(struct rt_outbox_table, get, 16);
AT(struct rt_outbox_table, clear, 24);
AT(struct rt_outbox_table, fail_next, 32);
SIZE(struct rt_outbox_table, 40);

AT(struct rt_sql_script_table, size, 0);
AT(struct rt_sql_script_table, reserved, 4);
AT(struct rt_sql_script_table, rows, 8);
AT(struct rt_sql_script_table, fail, 16);
AT(struct rt_sql_script_table, clear, 24);
SIZE(struct rt_sql_script_table, 32);

AT(struct rt_transfer_table, size, 0);
AT(struct rt_transfer_table, reserved, 4);
AT(struct rt_transfer_table, perform, 8);
SIZE(struct rt_transfer_table, 16);

#define IS(constant, number) _Static_assert((constant) == (number), #constant " has changed")

IS(RT_ABI_MAJOR, 1);
IS(RT_MODULE_MAGIC, 0x31454c55444f4d52);
IS(RT_CTX_MAGIC, 0x78746352);
IS(RT_INSTANCE_MAGIC, 0x74736e52);
IS(RT_SETTING_NONE, 0);
IS(RT_SETTING_STRING, 1);
IS(RT_SETTING_INT, 2);
IS(RT_SETTING_FLOAT, 3);
IS(RT_SETTING_BOOL, 4);
IS(RT_SETTING_ENUM, 5);
IS(RT_SETTING_DURATION, 6);
IS(RT_SETTING_SIZE, 7);
IS(RT_SETTING_URL, 8);
IS(RT_SETTING_ADDRESS, 9);
IS(RT_SETTING_PATH, 10);
IS(RT_SETTING_SECRET, 11);
IS(RT_SETTING_LIST, 12);
IS(RT_SETTING_GROUP, 13);
IS(RT_SETTING_MAP, 14);
IS(RT_ECANCELED, 1);
IS(RT_EUNKNOWN, 2);
IS(RT_EINVALID_ARGUMENT, 3);
IS(RT_EDEADLINE, 4);
IS(RT_ENOT_FOUND, 5);
IS(RT_EALREADY_EXISTS, 6);
IS(RT_EPERMISSION_DENIED, 7);
IS(RT_ERESOURCE_EXHAUSTED, 8);
IS(RT_EFAILED_PRECONDITION, 9);
IS(RT_EABORTED, 10);
IS(RT_EOUT_OF_RANGE, 11);
IS(RT_EUNIMPLEMENTED, 12);
IS(RT_EINTERNAL, 13);
IS(RT_EUNAVAILABLE, 14);
IS(RT_EDATA_LOSS, 15);
IS(RT_EUNAUTHENTICATED, 16);
IS(RT_EXIT_SUCCESS, 0);
IS(RT_EXIT_FAILURE, 1);
IS(RT_EXIT_DEFECT, 2);
IS(RT_EXIT_INTERRUPTION, 3);
IS(RT_HEALTHY, 0);
IS(RT_DEGRADED, 1);
IS(RT_UNHEALTHY, 2);
IS(RT_READABLE, 1);
IS(RT_WRITABLE, 2);
IS(RT_WAITS, 1);
IS(RT_IDEMPOTENT, 2);
IS(RT_LOG_TRACE, 0);
IS(RT_LOG_DEBUG, 1);
IS(RT_LOG_INFO, 2);
IS(RT_LOG_WARN, 3);
IS(RT_LOG_ERROR, 4);
IS(RT_LOG_FATAL, 5);
IS(RT_SPAN_INTERNAL, 1);
IS(RT_SPAN_SERVER, 2);
IS(RT_SPAN_CLIENT, 3);
IS(RT_SPAN_PRODUCER, 4);
IS(RT_SPAN_CONSUMER, 5);
IS(RT_METRIC_COUNTER, 0);
IS(RT_METRIC_GAUGE, 1);
IS(RT_METRIC_HISTOGRAM, 2);
IS(RT_GET, 1);
IS(RT_HEAD, 2);
IS(RT_POST, 3);
IS(RT_PUT, 4);
IS(RT_DELETE, 5);
IS(RT_OPTIONS, 6);
IS(RT_PATCH, 7);
IS(RT_JSON_NULL, 0);
IS(RT_JSON_BOOL, 1);
IS(RT_JSON_INT, 2);
IS(RT_JSON_REAL, 3);
IS(RT_JSON_STRING, 4);
IS(RT_JSON_ARRAY, 5);
IS(RT_JSON_OBJECT, 6);
IS(RT_JSON_PUT_NULL, 0);
IS(RT_JSON_PUT_BOOL, 1);
IS(RT_JSON_PUT_INT, 2);
IS(RT_JSON_PUT_REAL, 3);
IS(RT_JSON_PUT_STRING, 4);
IS(RT_JSON_BEGIN_ARRAY, 5);
IS(RT_JSON_BEGIN_OBJECT, 6);
IS(RT_JSON_PUT_KEY, 7);
IS(RT_JSON_END, 8);
IS(RT_EMAIL_ACCEPTED, 1);
IS(RT_EMAIL_QUEUED, 2);
IS(RT_EMAIL_REJECTED, 3);
IS(RT_SQL_NULL, 0);
IS(RT_SQL_INT, 1);
IS(RT_SQL_DOUBLE, 2);
IS(RT_SQL_TEXT, 3);
IS(RT_SQL_BYTES, 4);
IS(RT_SQL_BOOL, 5);
IS(RT_SQL_TIME, 6);
IS(RT_SQL_UUID, 7);
IS(RT_SQL_JSON, 8);
IS(RT_SQL_ARRAY, 9);
IS(RT_SQL_SHORT, 1);
IS(RT_SQL_SCRIPT, 2);
IS(RT_SQL_DEFAULT, 0);
IS(RT_SQL_READ_COMMITTED, 1);
IS(RT_SQL_REPEATABLE_READ, 2);
IS(RT_SQL_SERIALIZABLE, 3);
IS(RT_SQL_COPY_ROWS, 0);
IS(RT_SQL_COPY_TEXT, 1);
IS(RT_SQL_COPY_CSV, 2);
IS(RT_SQL_SQLITE, 1);
IS(RT_SQL_POSTGRES, 2);
IS(RT_REDIS_NULL, 0);
IS(RT_REDIS_STRING, 1);
IS(RT_REDIS_INTEGER, 2);
IS(RT_REDIS_ARRAY, 3);
IS(RT_REDIS_STATUS, 4);
IS(RT_REDIS_ERROR, 5);
IS(RT_REDIS_BLOCKS, 1);
IS(RT_REDIS_IDEMPOTENT, 2);
IS(RT_COLUMN_KEY, 1);
IS(RT_COLUMN_NULLABLE, 2);
IS(RT_COLUMN_ID, 4);
IS(RT_COLUMN_VERSION, 8);
IS(RT_COLUMN_CREATED_AT, 16);
IS(RT_COLUMN_UPDATED_AT, 32);
IS(RT_COLUMN_DELETED_AT, 64);
IS(RT_COLUMN_CREATED_BY, 128);
IS(RT_COLUMN_UPDATED_BY, 256);
IS(RT_COLUMN_DELETED_BY, 512);
