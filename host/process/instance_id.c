#include "process/instance_id.h"

#include "base/buffer.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define START_FIELD 22 /* of /proc/PID/stat: when it began, in ticks since the system did */
#define LIMIT 4096

static void add_file(rt_buffer *facts, const char *path)
{
    rt_buffer text = {0};
    if (rt_buffer_read_file(&text, path, LIMIT) == 0 && text.length)
        rt_buffer_add(facts, text.data, text.length);
    rt_buffer_free(&text);
}

/* The name of the program, in brackets, may hold anything. */
static void add_start(rt_buffer *facts, pid_t pid)
{
    char path[64];
    rt_buffer text = {0};
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    const char *at = rt_buffer_read_file(&text, path, LIMIT) == 0 && text.length
                         ? strrchr(text.data, ')')
                         : NULL;
    for (int field = 2; at && field < START_FIELD; field++)
        at = strchr(at + 1, ' ');
    if (at)
        rt_buffer_add(facts, at, strcspn(at + 1, " ") + 1);
    rt_buffer_free(&text);
}

static void add_link(rt_buffer *facts, const char *path)
{
    char target[64];
    ssize_t length = readlink(path, target, sizeof target);
    if (length > 0)
        rt_buffer_add(facts, target, (size_t)length);
}

void rt_instance_id(char text[RT_INSTANCE_ID])
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    rt_buffer facts = {0};
    char host[256] = "";
    pid_t supervisor = getppid();
    gethostname(host, sizeof host - 1);
    rt_buffer_format(&facts, "rt %s %d ", host, (int)supervisor);
    add_file(&facts, "/proc/sys/kernel/random/boot_id");
    add_link(&facts, "/proc/self/ns/pid"); /* containers begin with the same pid */
    add_start(&facts, supervisor);
    SHA256((const unsigned char *)facts.data, facts.length, digest);
    rt_buffer_free(&facts);
    digest[6] = (unsigned char)((digest[6] & 0x0F) | 0x80); /* version 8: of our own making */
    digest[8] = (unsigned char)((digest[8] & 0x3F) | 0x80);
    for (size_t i = 0, at = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            text[at++] = '-';
        at += (size_t)snprintf(text + at, 3, "%02x", digest[i]);
    }
}
