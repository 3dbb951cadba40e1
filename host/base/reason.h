/* reason.h — why the system refused, in the words of diagnostics */
#ifndef RT_BASE_REASON_H
#define RT_BASE_REASON_H

/* For `errno` of a call that failed; a static text without a capital, or strerror's. */
const char *rt_reason(int error);

#endif
