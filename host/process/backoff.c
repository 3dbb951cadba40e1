#include "process/backoff.h"

#define SECOND UINT64_C(1000000000)
#define LONGEST (30 * SECOND)
#define LONG_LIFE (60 * SECOND)

uint64_t rt_backoff_delay(rt_backoff *backoff, uint64_t started, uint64_t died)
{
    uint64_t delay = died - started < LONG_LIFE ? backoff->next : 0;
    uint64_t longer = delay ? delay * 2 : SECOND;
    backoff->next = longer < LONGEST ? longer : LONGEST;
    return delay;
}
