#include "compose/report.h"

#include <stdlib.h>
#include <unistd.h>

static const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

void rt_report_print(FILE *out, const rt_composition *composition, bool colour)
{
    const rt_diagnostics *diagnostics = &composition->diagnostics;
    rt_buffer text = {0};
    for (size_t i = 0; i < diagnostics->count; i++) {
        rt_diagnostic_print(&text, diagnostics->items[i], colour);
        rt_buffer_char(&text, '\n');
    }
    rt_buffer_format(&text, "%zu error%s, %zu warning%s: %s is %sfit for %s\n", diagnostics->errors,
                     plural(diagnostics->errors), diagnostics->warnings,
                     plural(diagnostics->warnings), composition->config_name,
                     diagnostics->errors || !composition->plan ? "not " : "",
                     rt_environment_names[composition->environment]);
    fwrite(text.data, 1, text.length, out);
    fflush(out);
    rt_buffer_free(&text);
}

bool rt_report_wants_colour(FILE *out)
{
    const char *refused = getenv("NO_COLOR");
    return isatty(fileno(out)) && !(refused && *refused);
}
