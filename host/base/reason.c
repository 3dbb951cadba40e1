#include "base/reason.h"

#include <errno.h>
#include <string.h>

const char *rt_reason(int error)
{
    static const struct {
        int error;
        const char *text;
    } reasons[] = {
        {ENOENT, "it does not exist"},       {ENOTDIR, "it does not exist"},
        {EISDIR, "it is a directory"},       {EINVAL, "it is not a regular file"},
        {ENXIO, "it is not a regular file"}, {EACCES, "permission denied"},
        {EPERM, "permission denied"},        {ELOOP, "too many symbolic links"},
        {EMFILE, "too many open files"},     {ENAMETOOLONG, "the name is too long"},
    };
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (reasons[i].error == error)
            return reasons[i].text;
    return strerror(error);
}
