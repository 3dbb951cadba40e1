/* A development-only root whose constructor leaves a trace: it must never run in production. */
#include <fcntl.h>
#include <rt/rt.h>
#include <stdlib.h>
#include <unistd.h>

RT_MODULE("guarded", "1.0.0", "Must not run in production", RT_DEVELOPMENT_ONLY)
RT_SERVES(services)

__attribute__((constructor)) static void construct(void)
{
    const char *path = getenv("RT_TEST_MARK");
    int fd = path ? open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600) : -1;
    if (fd >= 0)
        close(fd);
}

RT_REGISTER(registry)
{
    (void)registry;
    return 0;
}
