/* A call in the worker: a unit of work `rtctl.call` for each, whose end is answered. */
#include "process/call.h"

#include "base/redact.h"
#include "http/http.h"
#include "telemetry/log.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

struct rt_call {
    rt_call *next;
    rt_calls *calls;
    uint64_t number;
    uint64_t timeout;
    rt_called called;
    rt_instance caller; /* its bindings are one, to the provider */
    char *json;         /* or NULL */
    rt_buffer result;
    rt_ctx *ctx; /* while it is under way */
};

static void answer(const rt_calls *calls, uint64_t number, int code, const char *text)
{
    calls->answer(calls->argument, number, rt_call_status(code), text ? text : "");
}

/* --- the end --------------------------------------------------------------------------------- */

static void add_line(rt_buffer *text, const char *name, const char *value)
{
    if (value)
        rt_buffer_format(text, "%s: %s\n", name, value);
}

static void describe_error(rt_buffer *text, int code, const rt_error *error)
{
    const char *message = error && error->message ? error->message : "it gives no message";
    add_line(text, rt_code_name(code), message);
    if (!error)
        return;
    add_line(text, "domain", error->domain);
    add_line(text, "detail", error->detail);
    add_line(text, "hint", error->hint);
    for (uint64_t i = 0; i < error->field_count; i++)
        add_line(text, error->fields[i].name, error->fields[i].text);
    const rt_error *cause = error->cause;
    for (int i = 0; cause && i < 8; i++, cause = cause->cause)
        add_line(text, "cause", cause->message);
}

static int describe_end(const rt_call *call, const rt_exit *exit, rt_buffer *text)
{
    if (exit->kind == RT_EXIT_SUCCESS) {
        rt_buffer_add(text, call->result.data, call->result.length);
        return RT_OK;
    }
    if (exit->kind == RT_EXIT_DEFECT) {
        rt_buffer_format(text, "INTERNAL: the call ended as a defect: %s\n",
                         exit->defect ? exit->defect : "unknown");
        return RT_EINTERNAL;
    }
    int code = exit->result < 0 ? -exit->result : RT_EUNKNOWN;
    describe_error(text, code, exit->error);
    if (code == RT_EDEADLINE)
        rt_buffer_format(text, "hint: it had %.3g s; `--timeout` gives it more\n",
                         (double)call->timeout / 1e9);
    return code;
}

static void take_out(rt_call *call)
{
    rt_call **at = &call->calls->first;
    while (*at != call)
        at = &(*at)->next;
    *at = call->next;
}

static void wipe(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

static void on_ended(rt_ctx *ctx, const rt_exit *exit, void *argument)
{
    rt_call *call = argument;
    rt_calls *calls = call->calls;
    rt_buffer text = {0};
    (void)ctx;
    int code = describe_end(call, exit, &text);
    rt_redact(&text);
    answer(calls, call->number, code, text.data);
    rt_buffer_free(&text);
    take_out(call);
    wipe(call->json);
    rt_buffer_free(&call->result);
    free(call);
    if (calls->settles && !calls->first)
        rt_host_channel_close(calls->ended);
}

/* --- the call -------------------------------------------------------------------------------- */

static int read_arguments(rt_ctx *ctx, const rt_call *call, void **arguments)
{
    const rt_json_value *json = NULL;
    if (call->json)
        RT_TRY(rt_host_json_parse(ctx, call->json, strlen(call->json), &json));
    return rt_form_read(ctx, call->called.method, json, arguments);
}

static int run(rt_ctx *ctx, void *argument)
{
    rt_call *call = argument;
    void *arguments;
    rt_str text;
    RT_TRY(read_arguments(ctx, call, &arguments));
    RT_TRY(call->called.method->call(ctx, arguments));
    RT_TRY(rt_form_write(ctx, call->called.method, arguments, &text));
    rt_buffer_add(&call->result, text.data, text.length);
    rt_buffer_char(&call->result, '\n');
    return 0;
}

static uint32_t enter(const rt_called *called)
{
    const rt_plan_instance *plan = called->provider->plan;
    char name[160];
    snprintf(name, sizeof name, "call %s.%s", plan->provides[called->provides].capability,
             called->method->name);
    return rt_board_enter(called->provider->runtime->board, RT_ENTRY_COMMAND, plan->name,
                          plan->module, name);
}

static void start(rt_calls *calls, uint64_t number, const rt_call_request *request,
                  const rt_called *called, const char *json, uint32_t entry)
{
    rt_call *call = rt_xcalloc(1, sizeof *call);
    *call = (rt_call){.next = calls->first,
                      .calls = calls,
                      .number = number,
                      .timeout = request->timeout,
                      .called = *called,
                      .json = json ? strdup(json) : NULL,
                      .caller = {.magic = RT_INSTANCE_MAGIC,
                                 .size = sizeof(rt_instance),
                                 .bindings = rt_bind_to(called->provider, called->provides),
                                 .name = "rtctl",
                                 .module = "rtd"}};
    calls->first = call;
    rt_unit_options options = {.instance = &call->caller,
                               .name = "rtctl.call",
                               .deadline = rt_host_now() + request->timeout,
                               .stack_size = called->provider->plan->stack_size,
                               .entry = entry,
                               .spanned = true,
                               .done = on_ended,
                               .done_argument = call};
    rt_ctx *ctx = rt_unit_start(&options, run, call);
    if (ctx) /* else it has ended, and is gone */
        call->ctx = ctx;
}

/* --- what is asked for ----------------------------------------------------------------------- */

static void refuse_quarantined(const rt_calls *calls, uint64_t number,
                               const rt_call_request *request)
{
    rt_buffer text = {0};
    rt_buffer_format(&text,
                     "UNAVAILABLE: `%s` is quarantined: it keeps crashing the worker\n"
                     "hint: a reload or `rtctl quarantine clear` lifts it\n",
                     request->name);
    answer(calls, number, RT_EUNAVAILABLE, text.data);
    rt_buffer_free(&text);
}

static void refuse_formless(const rt_calls *calls, uint64_t number, const rt_call_request *request,
                            const rt_form_value *obstacle)
{
    rt_buffer text = {0};
    rt_buffer_format(
        &text,
        "UNIMPLEMENTED: `%s` cannot be called with JSON: its argument `%s` (%s) has no "
        "JSON form\n",
        request->name, obstacle->name, obstacle->type);
    answer(calls, number, RT_EUNIMPLEMENTED, text.data);
    rt_buffer_free(&text);
}

/* `status`: what rtctl ends with. */
static void show(const rt_calls *calls, uint64_t number, const rt_called *called, int status)
{
    rt_buffer text = {0};
    rt_call_describe(called, &text);
    calls->answer(calls->argument, number, status, text.data);
    rt_buffer_free(&text);
}

static void begin(rt_calls *calls, uint64_t number, const rt_call_request *request,
                  const rt_called *called, const char *json)
{
    const rt_form_value *obstacle = rt_form_obstacle(called->method);
    uint32_t entry = obstacle ? 0 : enter(called);
    const uint8_t *quarantined = rt_board_quarantine(called->provider->runtime->board, entry);
    if (obstacle)
        refuse_formless(calls, number, request, obstacle);
    else if (!json && rt_form_takes_any(called->method))
        show(calls, number, called, EX_USAGE);
    else if (__atomic_load_n(quarantined, __ATOMIC_RELAXED))
        refuse_quarantined(calls, number, request);
    else
        start(calls, number, request, called, json, entry);
}

static void answer_list(const rt_calls *calls, uint64_t number)
{
    rt_buffer text = {0};
    rt_call_list(calls->runtime, &text);
    answer(calls, number, RT_OK, text.data);
    rt_buffer_free(&text);
}

static void choose(rt_calls *calls, uint64_t number, const rt_call_request *request,
                   const char *json)
{
    rt_called called;
    rt_buffer why = {0};
    int code = rt_call_choose(calls->runtime, request, &called, &why);
    if (code)
        answer(calls, number, code, why.data);
    else if (request->describe)
        show(calls, number, &called, EX_OK);
    else
        begin(calls, number, request, &called, json);
    rt_buffer_free(&why);
}

void rt_calls_take(rt_calls *calls, uint64_t number, const char *line, const char *json)
{
    rt_call_request request; /* points into the copy */
    char *copy = strdup(line);
    const char *problem = rt_call_parse_line(&request, copy);
    if (problem)
        answer(calls, number, RT_EINVALID_ARGUMENT, problem);
    else if (calls->refuses)
        answer(calls, number, RT_EUNAVAILABLE, "UNAVAILABLE: the worker stops\n");
    else if (request.list)
        answer_list(calls, number);
    else
        choose(calls, number, &request, json);
    free(copy);
}

/* --- ending them ----------------------------------------------------------------------------- */

void rt_calls_cancel(rt_calls *calls, uint64_t number)
{
    for (rt_call *call = calls->first; call; call = call->next)
        if (call->number == number && call->ctx) {
            rt_unit_cancel(call->ctx);
            return;
        }
}

void rt_calls_interrupt(rt_calls *calls)
{
    calls->refuses = true;
    for (rt_call *call = calls->first, *next; call; call = next) {
        next = call->next;
        if (call->ctx)
            rt_unit_cancel(call->ctx);
    }
}

void rt_calls_await(rt_ctx *ctx, rt_calls *calls)
{
    void *item;
    calls->refuses = true;
    if (!calls->first)
        return;
    calls->settles = true;
    calls->ended = rt_host_channel_new(0);
    while (rt_host_channel_receive(ctx, calls->ended, &item) >= 0)
        ;
    rt_host_channel_free(calls->ended);
    calls->settles = false;
}
