/* reader.h — what the two files of the module `reader` share */
#ifndef READER_H
#define READER_H

#include <rt/rt.h>

/* All settings as JSON; null for what is unset. */
int tell_settings(rt_ctx *ctx, const rt_request *request, rt_response *response);

#endif
