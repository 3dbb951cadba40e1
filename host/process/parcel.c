#include "process/parcel.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define DESCRIPTORS (sizeof(int) * RT_PARCEL_MOST)

union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(DESCRIPTORS)];
};

void rt_parcel_add(rt_parcel *parcel, int fd)
{
    int copy = parcel->count < RT_PARCEL_MOST ? fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1) : -1;
    if (copy >= 0)
        parcel->items[parcel->count++] = copy;
}

int rt_parcel_take(rt_parcel *parcel)
{
    if (!parcel->count)
        return -1;
    int first = parcel->items[0];
    memmove(parcel->items, parcel->items + 1, --parcel->count * sizeof parcel->items[0]);
    return first;
}

void rt_parcel_drop(rt_parcel *parcel)
{
    for (size_t i = 0; i < parcel->count; i++)
        close(parcel->items[i]);
    parcel->count = 0;
}

ssize_t rt_parcel_send(int fd, const char *bytes, size_t length, size_t sent, rt_parcel *parcel)
{
    union control control = {.header = {.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
    size_t end = parcel->count && sent < parcel->at ? parcel->at : length;
    struct iovec piece = {(char *)bytes + sent, end - sent};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    if (parcel->count && sent >= parcel->at) {
        size_t size = parcel->count * sizeof parcel->items[0];
        control.header.cmsg_len = CMSG_LEN(size);
        memcpy(CMSG_DATA(&control.header), parcel->items, size);
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(size);
    }
    ssize_t got = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (got > 0 && message.msg_control)
        rt_parcel_drop(parcel);
    return got;
}

static void keep(rt_parcel *parcel, const struct cmsghdr *header)
{
    int items[RT_PARCEL_MOST];
    size_t size = header->cmsg_len - CMSG_LEN(0), count = size / sizeof items[0];
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS || size > sizeof items)
        return;
    memcpy(items, CMSG_DATA(header), size);
    for (size_t i = 0; i < count; i++) {
        if (parcel->count < RT_PARCEL_MOST)
            parcel->items[parcel->count++] = items[i];
        else
            close(items[i]);
    }
}

ssize_t rt_parcel_receive(int fd, char *bytes, size_t size, rt_parcel *parcel)
{
    union control control;
    struct iovec piece = {bytes, size};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control.bytes};
    ssize_t got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    if (got < 0)
        return got;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header;
         header = CMSG_NXTHDR(&message, header))
        keep(parcel, header);
    return got;
}
