/* call.h — `rtctl call`: a capability method called from outside with JSON
 *
 * The supervisor takes the request (call_ask.c), hands it to one worker, which calls the method as
 * a unit of work of its own (call_run.c), and hands the answer to the client. What is asked for is
 * one line of words, the same on the control socket and to the worker, read by rt_call_parse
 * (call_request.c).
 */
#ifndef RT_PROCESS_CALL_H
#define RT_PROCESS_CALL_H

#include "process/form.h"
#include "process/runtime.h"

#define RT_CALL_TIMEOUT (UINT64_C(30) * 1000000000)         /* ns, unless it is given */
#define RT_CALL_TIMEOUT_MOST (UINT64_C(86400) * 1000000000) /* ns */

/* What is asked for: `call list`, or `call CAPABILITY.METHOD` with any of `describe`,
 * `instance=NAME`, `timeout=NANOSECONDS`, `worker=NUMBER`, and `json=BYTES` of JSON that follow. */
typedef struct rt_call_request {
    bool list, describe, has_json;
    const char *name; /* NULL: list */
    const char *instance;
    uint64_t timeout;
    uint64_t worker; /* 0: any */
    uint64_t json;
} rt_call_request;

/* `words[0]` is the command. NULL, or what is wrong with them. */
const char *rt_call_parse(rt_call_request *request, int count, char **words);
/* The same of a line, which is cut into the words. */
const char *rt_call_parse_line(rt_call_request *request, char *line);

/* sysexits.h: what rtctl ends with for an rt_code. */
int rt_call_status(int code);

/* call_choose.c: who is called. */
typedef struct rt_called {
    rt_running *provider;
    size_t provides; /* of the provider's plan */
    const rt_form_method *method;
} rt_called;

/* 0, or an rt_code with the reason in lines as rtctl prints them. */
int rt_call_choose(rt_runtime *runtime, const rt_call_request *request, rt_called *called,
                   rt_buffer *why);
void rt_call_list(const rt_runtime *runtime, rt_buffer *out);
void rt_call_describe(const rt_called *called, rt_buffer *out);

/* call_run.c: the worker's. */
typedef struct rt_call rt_call;
typedef struct rt_calls {
    rt_runtime *runtime;
    rt_call *first;
    bool refuses; /* the worker stops */
    bool settles; /* `ended` closes when none is left */
    rt_channel *ended;
    /* Once for each rt_calls_take, perhaps before that returns. */
    void (*answer)(void *argument, uint64_t number, int status, const char *text);
    void *argument;
} rt_calls;

/* `json` may be NULL; both texts are copied. */
void rt_calls_take(rt_calls *calls, uint64_t number, const char *line, const char *json);
void rt_calls_cancel(rt_calls *calls, uint64_t number);
/* From now on none is begun; those under way are cancelled. */
void rt_calls_interrupt(rt_calls *calls);
/* Waits until none is under way; none is begun from now on. */
void rt_calls_await(rt_ctx *ctx, rt_calls *calls);

#endif
