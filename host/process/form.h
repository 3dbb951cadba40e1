/* form.h — the arguments and results of a capability method as JSON
 *
 * rt/form.h has the tables that a provider's plugin brings along; here JSON is read into the struct
 * of arguments that such a table describes, and results are written back. Everything lives in the
 * memory of the context.
 *
 *     RT_TRY(rt_form_read(ctx, method, json, &arguments))
 *     RT_TRY(method->call(ctx, arguments))
 *     RT_TRY(rt_form_write(ctx, method, arguments, &text))
 */
#ifndef RT_PROCESS_FORM_H
#define RT_PROCESS_FORM_H

#include "base/buffer.h"

#include <rt/form.h>
#include <rt/json.h>

#define RT_FORM_JSON_MOST ((uint64_t)1 << 20) /* bytes, each way */
#define RT_FORM_ITEMS_MOST 65536u             /* of an array that is given */
#define RT_FORM_DEPTH_MOST 32

/* NULL; or the first argument that has no JSON form, so that the method cannot be called. */
const rt_form_value *rt_form_obstacle(const rt_form_method *method);

/* `name` with `_` or `-`; NULL if there is none. */
const rt_form_method *rt_form_find(const rt_form *form, const char *name);

/* What of a method's arguments is not written in JSON: the length of what is. */
bool rt_form_is_counted(const rt_form_method *method, const rt_form_value *argument);
/* The argument that says how many there are of this one; or NULL: it is one. */
const rt_form_value *rt_form_counter(const rt_form_method *method, const rt_form_value *argument);
/* Whether the JSON has a member for it. */
bool rt_form_is_given(const rt_form_method *method, const rt_form_value *argument);
bool rt_form_takes_any(const rt_form_method *method);

/* `json` NULL is an empty object. 0, or -RT_EINVALID_ARGUMENT with the path of what is wrong. */
int rt_form_read(rt_ctx *ctx, const rt_form_method *method, const rt_json_value *json,
                 void **arguments);
/* After the call. 0, or -RT_ERESOURCE_EXHAUSTED of what is too much or too deep. */
int rt_form_write(rt_ctx *ctx, const rt_form_method *method, const void *arguments, rt_str *text);

/* "send(message) → result" */
void rt_form_summary(const rt_form_method *method, rt_buffer *out);
/* What it takes and returns, and, if it takes anything, a JSON that it would take. */
void rt_form_explain(const rt_form_method *method, rt_buffer *out);
void rt_form_example(const rt_form_method *method, rt_buffer *out);

/* The unsigned number of 4 or 8 bytes at `at`. */
uint64_t rt_form_load(const void *at, uint32_t width);
void rt_form_store(void *at, uint32_t width, uint64_t number);

#endif
