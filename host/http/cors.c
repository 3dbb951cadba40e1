/* cors.c — which pages of other origins may read answers (Fetch, CORS protocol) */
#include "http/features.h"

#include "base/arena.h"

#include <rt/module.h>
#include <rt/wait.h>
#include <stdlib.h>
#include <string.h>

struct rt_cors {
    const rt_setting *origins; /* a list */
    bool any;                  /* every origin, and without credentials: the answers are alike */
    bool credentials;
    rt_buffer exposed;   /* a line, or nothing */
    rt_buffer preflight; /* the lines that only a preflight gets */
};

static const rt_setting *list_of(const rt_setting *settings, const char *name)
{
    const rt_setting *list = rt_setting_member(settings, name);
    return list && list->type == RT_SETTING_LIST && list->count ? list : NULL;
}

/* "Name: a, b\r\n"; nothing without a list. */
static void add_list(rt_buffer *lines, const char *name, const rt_setting *list)
{
    for (uint32_t i = 0; list && i < list->count; i++)
        rt_buffer_format(lines, "%s%s%s", i ? "" : name, i ? ", " : ": ",
                         list->value.members[i].value.text);
    if (list)
        rt_buffer_text(lines, "\r\n");
}

rt_cors *rt_cors_open(const rt_setting *settings)
{
    const rt_setting *origins = settings ? list_of(settings, "origins") : NULL;
    if (!origins)
        return NULL;
    rt_cors *cors = rt_xcalloc(1, sizeof *cors);
    const rt_setting *credentials = rt_setting_member(settings, "credentials");
    const rt_setting *age = rt_setting_member(settings, "max_age");
    cors->origins = origins;
    cors->credentials = credentials && credentials->value.integer;
    for (uint32_t i = 0; i < origins->count; i++)
        cors->any |= strcmp(origins->value.members[i].value.text, "*") == 0;
    add_list(&cors->exposed, "Access-Control-Expose-Headers", list_of(settings, "expose"));
    add_list(&cors->preflight, "Access-Control-Allow-Methods", list_of(settings, "methods"));
    add_list(&cors->preflight, "Access-Control-Allow-Headers", list_of(settings, "headers"));
    if (age)
        rt_buffer_format(&cors->preflight, "Access-Control-Max-Age: %lld\r\n",
                         (long long)(age->value.integer / (int64_t)RT_S(1)));
    return cors;
}

void rt_cors_free(rt_cors *cors)
{
    if (!cors)
        return;
    rt_buffer_free(&cors->exposed);
    rt_buffer_free(&cors->preflight);
    free(cors);
}

/* --- origins --------------------------------------------------------------------------------- */

static bool same(const char *a, const char *b, size_t length)
{
    return strncasecmp(a, b, length) == 0;
}

/* A `*` stands for one label before a dot. */
static bool matches(const char *pattern, rt_str origin)
{
    const char *star = strchr(pattern, '*');
    size_t length = strlen(pattern);
    if (!star)
        return origin.length == length && same(origin.data, pattern, length);
    size_t before = (size_t)(star - pattern), after = length - before - 1;
    if (origin.length < before + 1 + after || !same(origin.data, pattern, before) ||
        !same(origin.data + origin.length - after, star + 1, after))
        return false;
    return !memchr(origin.data + before, '.', origin.length - before - after) &&
           !memchr(origin.data + before, '/', origin.length - before - after);
}

static bool allows(const rt_cors *cors, rt_str origin)
{
    for (uint32_t i = 0; i < cors->origins->count; i++) {
        const char *pattern = cors->origins->value.members[i].value.text;
        if (strcmp(pattern, "*") != 0 && matches(pattern, origin))
            return true;
    }
    return cors->any;
}

/* --- one exchange ---------------------------------------------------------------------------- */

void rt_cors_begin(const rt_cors *cors, rt_marks *marks, const rt_http_head *head)
{
    rt_str origin = rt_head_field(head, "origin");
    if (!origin.length || !allows(cors, origin))
        return;
    rt_buffer_text(&marks->cors, "Access-Control-Allow-Origin: ");
    if (cors->any)
        rt_buffer_char(&marks->cors, '*');
    else
        rt_buffer_add(&marks->cors, origin.data, origin.length);
    rt_buffer_text(&marks->cors, "\r\n");
    if (cors->credentials)
        rt_buffer_text(&marks->cors, "Access-Control-Allow-Credentials: true\r\n");
}

bool rt_cors_is_preflight(const rt_http_head *head)
{
    return head->method == RT_OPTIONS && rt_head_field(head, "origin").length &&
           rt_head_field(head, "access-control-request-method").length;
}

void rt_cors_preflight(const rt_cors *cors, rt_marks *marks)
{
    if (marks->cors.length)
        rt_buffer_add(&marks->cors, cors->preflight.data, cors->preflight.length);
}

/* A handler that answers for itself is not corrected. Caches keep answers of different origins
 * apart, those without an origin too. */
void rt_cors_decorate(const rt_cors *cors, const rt_marks *marks, rt_buffer *lines)
{
    if (rt_lines_field(lines, "access-control-allow-origin").data)
        return;
    rt_buffer_add(lines, marks->cors.data, marks->cors.length);
    if (marks->cors.length)
        rt_buffer_add(lines, cors->exposed.data, cors->exposed.length);
    if (!cors->any)
        rt_buffer_text(lines, "Vary: Origin\r\n");
}
