/* trace.h — what happened, in order, as lines of a file that the test reads */
#ifndef TRACE_H
#define TRACE_H

#include <fcntl.h>
#include <rt/rt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static inline int trace(const rt_ctx *ctx, const char *path, const char *what)
{
    char line[256];
    int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    if (fd < 0)
        return 0;
    int length = snprintf(line, sizeof line, "%s %s\n", what, ctx->instance->name);
    ssize_t written = write(fd, line, (size_t)length);
    close(fd);
    return written == length ? 0 : -RT_EINTERNAL;
}

#endif
