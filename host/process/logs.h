/* logs.h — the log and the access log of a process, as its plan wants them */
#ifndef RT_PROCESS_LOGS_H
#define RT_PROCESS_LOGS_H

#include "compose/plan.h"
#include "http/http.h"
#include "process/parcel.h"

/* What RT_TELL_REOPEN brings: descriptors in this order. */
enum rt_reopen { RT_REOPEN_LOG = 1, RT_REOPEN_ACCESS = 2 };

/* Opens the plan's log with its levels. 0 or -errno; `*name` is what could not be opened. */
int rt_logs_open(const rt_plan *plan, const char **name);

/* The file of the plan's log or of its access log; NULL: it has none of its own. */
const char *rt_logs_file(const rt_plan *plan, enum rt_reopen which);

/* In a worker: takes over the descriptors that came with the message. `output` is the access log's
 * before there is a server, which has it afterwards; 0: there is none. */
void rt_logs_take(const rt_plan *plan, uint64_t which, rt_parcel *parcel, rt_http_server *server,
                  int output);

#endif
