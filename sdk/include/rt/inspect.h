/* rt/inspect.h — looking at the host, for developer tools
 *
 * A module that says RT_INSPECTS in its RT_MODULE, in the environment `development`, may ask what
 * the host knows of itself and follow what happens in its process. Everything is JSON, so that it
 * can be passed on as it is; members may be added at any time. No secret is in it.
 *
 * Documents:
 *   plan         modules in the order of start, their bindings and why, files, what nobody needs
 *   config       the settings in effect, and where each comes from
 *   diagnostics  what composition found
 *   routes       methods and paths, and whose they are
 *   effects      capabilities as consumers call them: provider, policy, how often
 *   health       of each module, as it said last
 *   process      this worker: name, version, environment, process id, how many modules
 *
 * Ownership: documents live until the unit of work of `ctx` ends; records go to the caller's
 * memory. Waiting: rt_observe waits; rt_inspect does not. Errors: -RT_EPERMISSION_DENIED in other
 * environments and without RT_INSPECTS; -RT_EUNIMPLEMENTED: the host is older; -RT_ENOT_FOUND: no
 * such document.
 *
 *     RT_MODULE("peek", "1.0.0", "Prints what happens", RT_DEVELOPMENT_ONLY RT_INSPECTS)
 *     …
 *     static int follow(rt_ctx *ctx, void *argument)
 *     {
 *         rt_observation seen = {.size = sizeof seen, .text = rt_alloc(ctx, 262144),
 *                                .room = 262144, .timeout = RT_S(1)};
 *         for (;;) {
 *             RT_TRY(rt_observe(ctx, &seen));
 *             fwrite(seen.text, 1, seen.length, stdout);
 *         }
 *     }
 */
#ifndef RT_INSPECT_H
#define RT_INSPECT_H

#include <rt/abi.h>
#include <rt/host.h>

/* Records are spans that begin and end and log lines, each an object on a line of its own:
 *   kind      "begin", "span" (it has ended) or "log"
 *   time      microseconds since 1970; duration: nanoseconds, of a span that has ended
 *   trace, span, parent   hexadecimal; of a log line `span` is where it was written; or absent
 *   name      of the span, or the message; module: whose it is; error: why the span failed
 *   level     of a log line; span_kind, status: of a span
 *   attributes, events    of a span; of a log line its fields are attributes
 * The newest are kept; what the modules that inspect do themselves is left out. */
typedef struct rt_observation {
    uint32_t size; /* sizeof(rt_observation), set by the caller */
    uint32_t reserved;
    uint64_t cursor; /* after which record; 0: from the oldest. Set to that of the last one given */
    uint64_t missed; /* set: records after the cursor that are gone, at least */
    uint64_t timeout; /* ns to wait for a record; 0: not */
    char *text;       /* memory for lines; not terminated */
    uint64_t room;   /* bytes of it: a record that does not fit is left out, and counts as missed */
    uint64_t length; /* set: bytes of whole lines; 0 when the time was over */
} rt_observation;

/* A document, by its name. */
static inline int rt_inspect(rt_ctx *ctx, const char *document, rt_str *text)
{
    if (!RT_HAS(rt_host_table, inspect))
        return -RT_EUNIMPLEMENTED;
    return rt_host_table->inspect(ctx, document, text);
}

/* The next records, in their order. A cursor means nothing in another process: there it is 0. */
static inline int rt_observe(rt_ctx *ctx, rt_observation *observation)
{
    if (!RT_HAS(rt_host_table, observe))
        return -RT_EUNIMPLEMENTED;
    return rt_host_table->observe(ctx, observation);
}

#endif
