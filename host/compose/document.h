/* document.h — a composition as JSON, for programs and for pages
 *
 * `rtctl plan`, `config` and `validate` print these with --json, and a worker of a plan with a
 * module that says RT_INSPECTS gets them with the plan (rt/inspect.h). The members are a promise:
 * rtctl(1) lists them. No secret is in them.
 */
#ifndef RT_COMPOSE_DOCUMENT_H
#define RT_COMPOSE_DOCUMENT_H

#include "compose/compose.h"

/* The composition has a plan. */
void rt_document_plan(rt_buffer *out, const rt_composition *composition);
void rt_document_config(rt_buffer *out, const rt_composition *composition);
/* `valid`: as the asker judges, who may be stricter. */
void rt_document_diagnostics(rt_buffer *out, const rt_composition *composition, bool valid);

/* Puts them into a plan of development that has a module which inspects. */
void rt_documents_make(rt_arena *arena, rt_composition *composition);

#endif
