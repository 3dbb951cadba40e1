/* Written by ourselves: hiredis' formatter wants two arrays of pointers and lengths made of ours,
 * and returns memory of its own to be copied once more. */
#include "redis_bytes.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 4096
#define KEPT_ROOM (256 * 1024) /* a buffer that grew beyond it is given back when it is empty */
#define LONGEST_HEAD 23        /* "$18446744073709551615\r\n" */

static bool make_room(rt_redis_bytes *bytes, size_t length)
{
    if (bytes->room - bytes->end >= length)
        return true;
    size_t left = rt_redis_bytes_left(bytes), room = bytes->room ? bytes->room : FIRST_ROOM;
    while (room - left < length)
        room *= 2;
    char *data = malloc(room);
    if (!data)
        return false;
    if (left)
        memcpy(data, bytes->data + bytes->begin, left);
    if (bytes->data)
        OPENSSL_cleanse(bytes->data, bytes->end);
    free(bytes->data);
    bytes->data = data;
    bytes->begin = 0;
    bytes->end = left;
    bytes->room = room;
    return true;
}

static void put_head(rt_redis_bytes *bytes, char kind, uint64_t number)
{
    char digits[LONGEST_HEAD], *at = digits + sizeof digits;
    *--at = '\n';
    *--at = '\r';
    do {
        *--at = (char)('0' + number % 10);
    } while (number /= 10);
    *--at = kind;
    size_t length = (size_t)(digits + sizeof digits - at);
    memcpy(bytes->data + bytes->end, at, length);
    bytes->end += length;
}

static void put_text(rt_redis_bytes *bytes, rt_str text)
{
    put_head(bytes, '$', text.length);
    if (text.length)
        memcpy(bytes->data + bytes->end, text.data, text.length);
    memcpy(bytes->data + bytes->end + text.length, "\r\n", 2);
    bytes->end += text.length + 2;
}

bool rt_redis_put(rt_redis_bytes *bytes, const rt_redis_arguments *command)
{
    size_t length = LONGEST_HEAD;
    for (uint32_t i = 0; i < command->count; i++)
        length += LONGEST_HEAD + command->arguments[i].length + 2;
    if (!make_room(bytes, length))
        return false;
    put_head(bytes, '*', command->count);
    for (uint32_t i = 0; i < command->count; i++)
        put_text(bytes, command->arguments[i]);
    return true;
}

void rt_redis_bytes_take(rt_redis_bytes *bytes, size_t length)
{
    bytes->begin += length;
    bytes->taken += length;
    if (bytes->begin != bytes->end)
        return;
    bytes->begin = bytes->end = 0;
    if (bytes->room > KEPT_ROOM) {
        free(bytes->data);
        bytes->data = NULL;
        bytes->room = 0;
    }
}

void rt_redis_bytes_free(rt_redis_bytes *bytes)
{
    if (bytes->data)
        OPENSSL_cleanse(bytes->data, bytes->room);
    free(bytes->data);
    bytes->data = NULL;
    bytes->begin = bytes->end = bytes->room = 0;
}
