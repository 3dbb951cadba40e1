/* redact.h — takes the values of secrets out of text that leaves the process
 *
 * Whoever has a plan names its secrets once (rt_plan_redact in compose/plan.h); whatever writes
 * text that others read (a log line, an error, a span, a report) runs it through rt_redact just
 * before. Each secret becomes `***`, also where it stands as JSON, percent-encoded, or inside
 * something encoded as base64. Of a text with control characters, such as a key of many lines, each
 * part between them is a secret.
 *
 * Secrets shorter than RT_REDACT_LEAST bytes are not looked for: what is so short occurs by chance.
 * With none named, rt_redact is one comparison; with some, it looks at every seventh byte or so.
 *
 * Naming and forgetting is for the time when the process has one thread; redacting is for all.
 */
#ifndef RT_BASE_REDACT_H
#define RT_BASE_REDACT_H

#include "base/arena.h"
#include "base/buffer.h"

#include <stdbool.h>

#define RT_REDACT_LEAST 8

void rt_redact_add(const char *secret); /* copied; NULL and what is known already do nothing */
void rt_redact_forget(void);            /* all of them */

void rt_redact(rt_buffer *buffer);
void rt_redact_from(rt_buffer *buffer, size_t from);    /* what stands before is left alone */
bool rt_redact_finds(const char *bytes, size_t length); /* there is something to redact */
char *rt_redacted(rt_arena *arena, const char *text);   /* a copy; NULL stays NULL */
/* In place: the new length, at most the old one. Adds no NUL. */
size_t rt_redact_bytes(char *bytes, size_t length);

#endif
