/* parcel.h — descriptors on their way to a child, beside the bytes of its messages
 *
 * The parent opens what the child is no longer allowed to open. Descriptors in a parcel are its own
 * until they were sent or taken.
 */
#ifndef RT_PROCESS_PARCEL_H
#define RT_PROCESS_PARCEL_H

#include <stddef.h>
#include <sys/types.h>

#define RT_PARCEL_MOST 8

typedef struct rt_parcel {
    int items[RT_PARCEL_MOST];
    size_t count;
    size_t at; /* offset, in all that is to be sent, of the byte they go with */
} rt_parcel;

/* Copies the descriptor. What finds no room is left out. */
void rt_parcel_add(rt_parcel *parcel, int fd);
/* The first one, which is the caller's now; -1: there is none. */
int rt_parcel_take(rt_parcel *parcel);
void rt_parcel_drop(rt_parcel *parcel);

/* Sends what follows `sent`, as far as the parcel's byte, or from there on and the parcel with it;
 * never waits. As send(2). */
ssize_t rt_parcel_send(int fd, const char *bytes, size_t length, size_t sent, rt_parcel *parcel);
/* As recv(2); descriptors are put into the parcel. */
ssize_t rt_parcel_receive(int fd, char *bytes, size_t size, rt_parcel *parcel);

#endif
