/* devtools.h — what the files of the module share */
#ifndef RT_DEVTOOLS_DEVTOOLS_H
#define RT_DEVTOOLS_DEVTOOLS_H

#include <rt/rt.h>

/* Refuses whoever is not a page of this server on this machine: 0, or -RT_EPERMISSION_DENIED. Adds
 * the fields that every answer has. */
int devtools_admit(rt_ctx *ctx, const rt_request *request, rt_response *response);
/* The same for what a sandboxed frame of the page shows. */
int devtools_admit_frame(rt_ctx *ctx, const rt_request *request, rt_response *response);

/* True if the texts are equal; `word` is terminated. */
bool devtools_is(rt_str text, const char *word);

/* The page for who has no JavaScript: documents as tables, in place of the page's mark. */
int devtools_page(rt_ctx *ctx, const rt_request *request, rt_response *response);

int devtools_follow(rt_ctx *ctx, const rt_request *request, rt_response *response);

int devtools_mails(rt_ctx *ctx, const rt_request *request, rt_response *response);
int devtools_clear_mails(rt_ctx *ctx, const rt_request *request, rt_response *response);
int devtools_mail_html(rt_ctx *ctx, const rt_request *request, rt_response *response);
int devtools_attachment(rt_ctx *ctx, const rt_request *request, rt_response *response);
/* How many are kept; 0 where nothing keeps them. */
uint64_t devtools_mail_count(rt_ctx *ctx);

#endif
