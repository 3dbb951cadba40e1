/* rt/cap/outbox.h — outbox/1: looking at the mails that a double of email/1 took
 *
 * Provided by the modules that keep mails instead of sending them, `email-memory` and `email-test`,
 * for tests and developer tools.
 *
 * Ownership: entries are copied into the memory of the context. Waiting: no method waits.
 * Errors: `get` past the last entry is -RT_ENOT_FOUND; an entry without its size is
 * -RT_EINVALID_ARGUMENT. `fail_next` exists on the test double alone,
 * elsewhere it answers -RT_EUNIMPLEMENTED; a code that is no rt_code is -RT_EINVALID_ARGUMENT.
 *
 *     RT_REQUIRES(outbox, 1)
 *     …
 *     rt_outbox_entry entry = {.size = sizeof entry};
 *     RT_TRY(rt_outbox_get(ctx, outbox, 0, &entry));
 *     assert_equal(entry.message->subject, "Your order");
 */
#ifndef RT_CAP_OUTBOX_H
#define RT_CAP_OUTBOX_H

#include <rt/cap/email.h>

/* One call. */
typedef struct rt_outbox_entry {
    uint32_t size; /* sizeof(rt_outbox_entry), set by the caller */
    int32_t code;  /* 0: taken; -RT_E…: refused */
    const char *id;
    const rt_email *message;
} rt_outbox_entry;

#define RT_OUTBOX_ENTRY_FIELDS(F)   \
    F(rt_outbox_entry, SIZE, size)  \
    F(rt_outbox_entry, VALUE, code) \
    F(rt_outbox_entry, VALUE, id)   \
    F(rt_outbox_entry, ONE, message, rt_email)
RT_FORM(rt_outbox_entry, RT_OUTBOX_ENTRY_FIELDS)
#define RT_OUTBOX_FORMS(F) F(rt_outbox_entry)
#define RT_FORMS_outbox ~, RT_OUTBOX_FORMS

/* count: calls kept, taken and refused ones; the oldest give way to new ones.
 * get: the entry at `index`, the newest first.
 * clear: forgets all entries and pending failures.
 * fail_next: the next `calls` sends answer -code. */
#define RT_OUTBOX_METHODS(M)                                                     \
    M(outbox, count, RT_IDEMPOTENT, (uint64_t *, count))                         \
    M(outbox, get, RT_IDEMPOTENT, (uint64_t, index), (rt_outbox_entry *, entry)) \
    M(outbox, clear, RT_IDEMPOTENT)                                              \
    M(outbox, fail_next, RT_NO_FLAGS, (int32_t, code), (uint32_t, calls))
#define RT_METHODS_outbox RT_METHOD_NAMES(RT_OUTBOX_METHODS)

RT_CAPABILITY(outbox, 1, RT_OUTBOX_METHODS)

#endif
