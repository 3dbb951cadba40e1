#include "compose/report.h"

#include <stdlib.h>
#include <unistd.h>

static const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

static const char *judgement(const rt_composition *composition)
{
    return composition->diagnostics.errors || !composition->plan ? "not " : "";
}

void rt_report_print(FILE *out, const rt_composition *composition, bool strict)
{
    const rt_diagnostics *diagnostics = &composition->diagnostics;
    const char *not_fit = judgement(composition);
    bool too_strict = strict && diagnostics->warnings && !*not_fit;
    bool colour = rt_report_wants_colour(out);
    rt_buffer text = {0};
    for (size_t i = 0; i < diagnostics->count; i++) {
        rt_diagnostic_print(&text, diagnostics->items[i], colour);
        rt_buffer_char(&text, '\n');
    }
    rt_buffer_format(&text, "%zu error%s, %zu warning%s: ", diagnostics->errors,
                     plural(diagnostics->errors), diagnostics->warnings,
                     plural(diagnostics->warnings));
    rt_buffer_visible(&text, composition->config_name);
    rt_buffer_format(&text, " is %sfit for %s%s\n", too_strict ? "not " : not_fit,
                     rt_environment_names[composition->environment],
                     too_strict ? " with --strict" : "");
    fwrite(text.data, 1, text.length, out);
    fflush(out);
    rt_buffer_free(&text);
}

bool rt_report_wants_colour(FILE *out)
{
    const char *refused = getenv("NO_COLOR");
    return isatty(fileno(out)) && !(refused && *refused);
}
