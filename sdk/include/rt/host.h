/* rt/host.h — the table of functions the host gives a plugin
 *
 * Authors use the functions of context.h, wait.h, http.h, json.h and log.h, which call through this
 * table; nobody needs to name it. New members come at the end only.
 */
#ifndef RT_HOST_H
#define RT_HOST_H

#include <rt/abi.h>
#include <rt/error.h>

struct rt_method;
struct rt_form;
struct rt_lifecycle;
struct rt_health;
struct rt_route_options;
struct rt_run_options;
struct rt_exit;
struct rt_request;
struct rt_response;
struct rt_field;
struct rt_metric;
struct rt_json_value;
struct rt_sse_event;
struct rt_websocket_options;
struct rt_websocket_message;
struct rt_observation;
struct rt_slice;
typedef struct rt_websocket rt_websocket;
typedef struct rt_task rt_task;
typedef struct rt_cancel rt_cancel;
typedef struct rt_mutex rt_mutex;
typedef struct rt_semaphore rt_semaphore;
typedef struct rt_channel rt_channel;
typedef struct rt_json rt_json;
typedef struct rt_span rt_span;

/* A unit of work, or part of one: 0 or -RT_E…. */
typedef int (*rt_work)(rt_ctx *ctx, void *argument);
typedef int (*rt_handler)(rt_ctx *ctx, const struct rt_request *request,
                          struct rt_response *response);

/* One call of an instrumented method, on the caller's stack. */
typedef struct rt_effect_frame {
    uint32_t size;
    uint32_t attempt;
    const struct rt_method *method;
    const rt_binding *binding;
    uint64_t started; /* monotonic ns */
    uint64_t scratch[4];
} rt_effect_frame;

struct rt_host {
    uint32_t size;
    uint16_t abi_major;
    uint16_t abi_minor;

    /* capability.h */
    int (*unimplemented)(rt_ctx *ctx, const struct rt_method *method);
    int (*effect_begin)(rt_ctx *ctx, rt_effect_frame *frame);
    int (*effect_again)(rt_ctx *ctx, rt_effect_frame *frame, int *result);
    int (*provide)(rt_registry *registry, const char *capability, uint32_t major,
                   const void *table);

    /* context.h */
    int (*lifecycle)(rt_registry *registry, const struct rt_lifecycle *functions);
    rt_ctx *(*registry_context)(rt_registry *registry);
    void *(*alloc)(rt_ctx *ctx, uint64_t size);
    char *(*format)(rt_ctx *ctx, const char *format, ...) __attribute__((format(printf, 2, 3)));
    int (*fail)(rt_ctx *ctx, int code, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
    int (*fail_with)(rt_ctx *ctx, const rt_error *error);
    const rt_error *(*last_error)(const rt_ctx *ctx);
    rt_ctx *(*current)(void);
    uint64_t (*deadline)(const rt_ctx *ctx);
    int (*set_deadline)(rt_ctx *ctx, uint64_t deadline);
    int (*cancelled)(const rt_ctx *ctx);
    const char *(*correlation_id)(const rt_ctx *ctx);
    int (*defer)(rt_ctx *ctx, void (*finalizer)(rt_ctx *ctx, void *argument), void *argument);
    void (*die)(rt_ctx *ctx, const char *format, ...) __attribute__((format(printf, 2, 3)));
    int (*run)(rt_ctx *ctx, const struct rt_run_options *options, rt_work work, void *argument);
    void (*run_exit)(rt_ctx *ctx, const struct rt_run_options *options, rt_work work,
                     void *argument, struct rt_exit *exit);
    int (*run_async)(const struct rt_run_options *options, rt_work work, void *argument);
    rt_task *(*spawn)(rt_ctx *ctx, rt_work work, void *argument);
    int (*join)(rt_ctx *ctx, rt_task *task);
    int (*service)(rt_ctx *ctx, const char *name, rt_work work, void *argument);
    int (*post)(rt_instance *instance, rt_work work, void *argument);
    rt_cancel *(*cancel_new)(void);
    void (*cancel_fire)(rt_cancel *cancel);
    void (*cancel_free)(rt_cancel *cancel);

    /* wait.h */
    uint64_t (*now)(void);
    int (*wait_fd)(rt_ctx *ctx, int fd, uint32_t events, uint64_t deadline);
    int (*sleep)(rt_ctx *ctx, uint64_t nanoseconds);
    int (*blocking)(rt_ctx *ctx, int (*function)(void *argument), void *argument);
    rt_mutex *(*mutex_new)(void);
    void (*mutex_free)(rt_mutex *mutex);
    int (*mutex_lock)(rt_ctx *ctx, rt_mutex *mutex);
    void (*mutex_unlock)(rt_ctx *ctx, rt_mutex *mutex);
    rt_semaphore *(*semaphore_new)(uint32_t count);
    void (*semaphore_free)(rt_semaphore *semaphore);
    int (*semaphore_acquire)(rt_ctx *ctx, rt_semaphore *semaphore);
    void (*semaphore_release)(rt_semaphore *semaphore);
    rt_channel *(*channel_new)(uint32_t capacity);
    void (*channel_free)(rt_channel *channel);
    int (*channel_send)(rt_ctx *ctx, rt_channel *channel, void *item);
    int (*channel_receive)(rt_ctx *ctx, rt_channel *channel, void **item);
    void (*channel_close)(rt_channel *channel);

    /* log.h */
    int (*log_enabled)(const rt_ctx *ctx, uint32_t level);
    void (*log)(rt_ctx *ctx, uint32_t level, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
    void (*log_fields)(rt_ctx *ctx, uint32_t level, const struct rt_field *fields, uint64_t count,
                       const char *message);

    /* http.h */
    int (*route)(rt_registry *registry, uint32_t method, const char *pattern, rt_handler handler,
                 const struct rt_route_options *options);
    rt_str (*request_header)(const struct rt_request *request, const char *name);
    rt_str (*request_param)(const struct rt_request *request, const char *name);
    int (*request_query)(rt_ctx *ctx, const struct rt_request *request, const char *name,
                         rt_str *value);
    int (*response_header)(rt_ctx *ctx, struct rt_response *response, const char *name,
                           const char *value);
    int (*respond)(rt_ctx *ctx, struct rt_response *response, uint32_t status,
                   const char *content_type, const char *body, uint64_t length);

    /* json.h */
    rt_json *(*json_new)(rt_ctx *ctx);
    void (*json_event)(rt_json *json, uint32_t event, const void *value, uint64_t length);
    int (*json_text)(rt_json *json, rt_str *text);
    int (*json_parse)(rt_ctx *ctx, const char *text, uint64_t length,
                      const struct rt_json_value **value);

    /* http.h, streams */
    int (*body_read)(rt_ctx *ctx, const struct rt_request *request, void *into, uint64_t size,
                     uint64_t *got);
    int (*respond_begin)(rt_ctx *ctx, struct rt_response *response, uint32_t status,
                         const char *content_type);
    int (*respond_write)(rt_ctx *ctx, struct rt_response *response, const char *data,
                         uint64_t length);

    /* http.h, trailers and files */
    rt_str (*request_trailer)(rt_ctx *ctx, const struct rt_request *request, const char *name);
    int (*respond_trailer)(rt_ctx *ctx, struct rt_response *response, const char *name,
                           const char *value);
    int (*respond_file)(rt_ctx *ctx, const struct rt_request *request, struct rt_response *response,
                        const char *folder, const char *path, uint64_t length,
                        const char *content_type);

    /* http.h, sse.h and websocket.h: streams that last */
    int (*stream_ends)(const struct rt_response *response);
    int (*stream_on_end)(rt_ctx *ctx, struct rt_response *response,
                         void (*function)(void *argument), void *argument);
    int (*sse_begin)(rt_ctx *ctx, const struct rt_request *request, struct rt_response *response);
    int (*sse_send)(rt_ctx *ctx, struct rt_response *response, const struct rt_sse_event *event);
    int (*websocket_accept)(rt_ctx *ctx, const struct rt_request *request,
                            struct rt_response *response,
                            const struct rt_websocket_options *options, rt_websocket **socket);
    int (*websocket_receive)(rt_ctx *ctx, rt_websocket *socket,
                             struct rt_websocket_message *message);
    int (*websocket_send)(rt_ctx *ctx, rt_websocket *socket, uint32_t type, const char *data,
                          uint64_t length);
    int (*websocket_close)(rt_ctx *ctx, rt_websocket *socket, uint32_t code, const char *reason);
    const char *(*websocket_subprotocol)(const rt_websocket *socket);

    /* span.h */
    rt_span *(*span_start)(rt_ctx *ctx, const char *name, uint32_t kind);
    void (*span_finish)(rt_ctx *ctx, rt_span *span, int result);
    int (*span_recorded)(const rt_ctx *ctx);
    void (*span_add)(rt_ctx *ctx, const char *event, const struct rt_field *fields, uint64_t count);
    const char *(*traceparent)(rt_ctx *ctx, char *text);

    /* metric.h */
    void (*metric_add)(rt_ctx *ctx, struct rt_metric *metric, int64_t more,
                       const struct rt_field *labels, uint64_t count);
    void (*metric_set)(rt_ctx *ctx, struct rt_metric *metric, double value,
                       const struct rt_field *labels, uint64_t count);
    void (*metric_record)(rt_ctx *ctx, struct rt_metric *metric, double value,
                          const struct rt_field *labels, uint64_t count);

    /* capability.h, with the JSON form of the methods (form.h), which stays the plugin's */
    int (*provide_form)(rt_registry *registry, const char *capability, uint32_t major,
                        const void *table, const struct rt_form *form);

    /* inspect.h */
    int (*inspect)(rt_ctx *ctx, const char *document, rt_str *text);
    int (*observe)(rt_ctx *ctx, struct rt_observation *observation);

    /* context.h, since 1.3 */
    void *(*context_value)(const rt_ctx *ctx, const void *key);
    int (*set_context_value)(rt_ctx *ctx, const void *key, void *value);

    /* slice.h, since 1.3 */
    int (*slice)(rt_registry *registry, const struct rt_slice *slice);
};

/* This plugin's view of it; RT_MODULE defines it, the host fills it in before registration. */
extern const rt_host *rt_host_table __attribute__((visibility("hidden")));

#endif
