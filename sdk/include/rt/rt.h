/* rt/rt.h — all of the SDK but the capabilities (rt/cap/…) */
#ifndef RT_RT_H
#define RT_RT_H

#include <rt/abi.h>
#include <rt/capability.h>
#include <rt/context.h>
#include <rt/error.h>
#include <rt/form.h>
#include <rt/health.h>
#include <rt/host.h>
#include <rt/http.h>
#include <rt/id.h>
#include <rt/inspect.h>
#include <rt/json.h>
#include <rt/log.h>
#include <rt/metric.h>
#include <rt/module.h>
#include <rt/selection.h>
#include <rt/slice.h>
#include <rt/span.h>
#include <rt/sse.h>
#include <rt/stamp.h>
#include <rt/table.h>
#include <rt/wait.h>
#include <rt/websocket.h>

#endif
