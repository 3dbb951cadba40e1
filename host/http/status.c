#include "http/status.h"

static const rt_status statuses[RT_STATUS_MOST - RT_STATUS_LEAST + 1] = {
#define STATUS(number, reason, code) [number - RT_STATUS_LEAST] = {reason, code, sizeof reason - 1},
    RT_HTTP_STATUSES(STATUS)
#undef STATUS
};

const rt_status *rt_status_find(uint32_t status)
{
    return &statuses[status - RT_STATUS_LEAST];
}
