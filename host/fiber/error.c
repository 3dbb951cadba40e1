#include "fiber/internal.h"

#include <rt/log.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CAUSES_MOST 16
#define FIELDS_MOST 64

void rt_misuse(const char *what)
{
    fprintf(stderr, "rt: %s\n", what);
    abort();
}

/* --- memory ---------------------------------------------------------------------------------- */

rt_arena *rt_unit_arena(rt_ctx *ctx)
{
    return &rt_unit_of(ctx)->arena;
}

void *rt_host_alloc(rt_ctx *ctx, uint64_t size)
{
    void *memory = rt_arena_try_alloc(&rt_unit_of(ctx)->arena, size);
    if (!memory)
        rt_host_die(ctx, "out of memory for %llu bytes", (unsigned long long)size);
    return memory;
}

char *rt_host_format(rt_ctx *ctx, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = rt_arena_vformat(&rt_unit_of(ctx)->arena, format, arguments);
    va_end(arguments);
    return text;
}

/* --- errors ---------------------------------------------------------------------------------- */

const rt_error rt_error_cancelled = {
    .size = sizeof(rt_error), .code = RT_ECANCELED, .message = "the unit of work was cancelled"};
const rt_error rt_error_deadline = {.size = sizeof(rt_error),
                                    .code = RT_EDEADLINE,
                                    .retryable = 1,
                                    .message = "the deadline has passed"};

/* For results whose function set no error. */
static const rt_error meanings[] = {
#define MEANING(number, name, wire, http, retry, text) \
    [number] = {.size = sizeof(rt_error), .code = (number), .retryable = (retry), .message = text},
    RT_ERRORS(MEANING)
#undef MEANING
};

const rt_error *rt_error_meaning(int result)
{
    int64_t code = -(int64_t)result;
    bool known = code > 0 && (size_t)code < sizeof meanings / sizeof meanings[0];
    return &meanings[known ? code : RT_EUNKNOWN];
}

const rt_error *rt_error_for(const rt_unit *unit, int result)
{
    bool same = unit->error && unit->error->code == -(int64_t)result;
    return same ? unit->error : rt_error_meaning(result);
}

int rt_host_fail(rt_ctx *ctx, int code, const char *format, ...)
{
    rt_unit *unit = rt_unit_of(ctx);
    rt_error *error = RT_NEW(&unit->arena, rt_error);
    va_list arguments;
    va_start(arguments, format);
    error->message = rt_arena_vformat(&unit->arena, format, arguments);
    va_end(arguments);
    error->size = sizeof *error;
    error->code = code ? abs(code) : RT_EUNKNOWN;
    error->retryable = (uint32_t)rt_code_retryable(code);
    unit->error = error;
    return -error->code;
}

/* Those that have a name. */
static void copy_fields(rt_arena *arena, rt_error *error)
{
    const rt_field *from = error->fields;
    uint64_t given = from && error->field_count <= FIELDS_MOST ? error->field_count : 0;
    rt_field *fields = given ? rt_arena_alloc(arena, given * sizeof *fields) : NULL;
    error->field_count = 0;
    for (uint64_t i = 0; i < given; i++)
        if (from[i].name)
            fields[error->field_count++] = (rt_field){.name = rt_arena_copy(arena, from[i].name),
                                                      .text = rt_arena_copy(arena, from[i].text),
                                                      .integer = from[i].integer};
    error->fields = fields;
}

/* An older module's struct may be shorter. */
static rt_error *copy_one(rt_arena *arena, const rt_error *from)
{
    rt_error *error = RT_NEW(arena, rt_error);
    error->size = sizeof *error;
    rt_struct_copy(error, from);
    error->domain = rt_arena_copy(arena, error->domain);
    error->message = rt_arena_copy(arena, error->message);
    error->detail = rt_arena_copy(arena, error->detail);
    error->hint = rt_arena_copy(arena, error->hint);
    copy_fields(arena, error);
    return error;
}

const rt_error *rt_error_copy(rt_arena *arena, const rt_error *error)
{
    const rt_error *copy = NULL;
    const rt_error **place = &copy;
    for (int depth = 0; error && depth < CAUSES_MOST; depth++) {
        rt_error *one = copy_one(arena, error);
        error = one->cause;
        one->cause = NULL;
        *place = one;
        place = &one->cause;
    }
    return copy;
}

int rt_host_fail_with(rt_ctx *ctx, const rt_error *error)
{
    rt_unit *unit = rt_unit_of(ctx);
    rt_error *copy = copy_one(&unit->arena, error);
    copy->code = copy->code ? abs(copy->code) : RT_EUNKNOWN;
    bool same_call = unit->error && unit->error->code == copy->code;
    if (!copy->cause && same_call)
        copy->cause = unit->error;
    else if (copy->cause != unit->error)
        copy->cause = rt_error_copy(&unit->arena, copy->cause);
    unit->error = copy;
    return -copy->code;
}

const rt_error *rt_host_last_error(const rt_ctx *ctx)
{
    return rt_unit_of(ctx)->error;
}

rt_ctx *rt_host_current(void)
{
    return rt_current_unit ? &rt_current_unit->context : NULL;
}
