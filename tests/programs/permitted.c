/* permitted FILE PROGRAM ARGUMENT… — runs a program that may make the system calls whose names
 * stand in the file, one a line, as a unit with SystemCallFilter= and SystemCallErrorNumber=EPERM
 * does. */
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int permit(scmp_filter_ctx filter, const char *name)
{
    int call = seccomp_syscall_resolve_name(name);
    if (call == __NR_SCMP_ERROR)
        return 0; /* of another architecture, or of a newer kernel */
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0);
}

static int read_names(scmp_filter_ctx filter, const char *path)
{
    char line[128];
    int result = 0;
    FILE *in = fopen(path, "re");
    if (!in)
        return -errno;
    while (!result && fgets(line, sizeof line, in)) {
        line[strcspn(line, "\n")] = '\0';
        result = permit(filter, line);
    }
    fclose(in);
    return result;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 64;
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int result = filter ? read_names(filter, argv[1]) : -ENOMEM;
    if (!result)
        result = seccomp_load(filter);
    seccomp_release(filter);
    if (result) {
        fprintf(stderr, "permitted: %s\n", strerror(-result));
        return 71;
    }
    execv(argv[2], argv + 2);
    perror(argv[2]);
    return 71;
}
