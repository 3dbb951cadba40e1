/* Cursors: the values of the last row's order columns, as base64url (RFC 4648, without padding)
 *
 *     checksum, 8 bytes, then for each column its type, 1 byte, and
 *     null: nothing; numbers: 8 bytes; texts and bytes: their length, 4 bytes, and themselves
 *
 * Numbers are little-endian. The checksum goes over the table's name and the order as well, so that
 * a cursor is of use for the selection alone that it came from. It finds accidents and careless
 * hands; who computes it anew gets another place in the same rows, which is his to ask for.
 */
#include "repository.h"

#include <endian.h>

#define OFFSET_BASIS 0xcbf29ce484222325ull
#define PRIME 0x100000001b3ull
enum { CURSOR_MOST = 64 << 10 };

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* --- checksum: FNV-1a ------------------------------------------------------------------------- */

static uint64_t mix(uint64_t sum, const void *data, uint64_t length)
{
    const unsigned char *bytes = data;
    for (uint64_t i = 0; i < length; i++)
        sum = (sum ^ bytes[i]) * PRIME;
    return sum;
}

static uint64_t checksum(const rt_call *call, rt_ordered ordered, const char *data, uint64_t length)
{
    uint64_t sum = mix(OFFSET_BASIS, call->table->name, strlen(call->table->name) + 1);
    for (uint32_t i = 0; i < ordered.count; i++) {
        const char *name = ordered.by[i].column->name;
        sum = mix(sum, name, strlen(name) + 1);
        sum = mix(sum, ordered.by[i].descending ? "-" : "+", 1);
    }
    return htole64(mix(sum, data, length));
}

/* --- base64url -------------------------------------------------------------------------------- */

static const char *encoded(rt_ctx *ctx, const char *data, uint64_t length)
{
    const unsigned char *bytes = (const unsigned char *)data;
    char *text = rt_alloc(ctx, length / 3 * 4 + 5), *to = text;
    uint32_t bits = 0, have = 0;
    for (uint64_t i = 0; i < length; i++) {
        bits = bits << 8 | bytes[i];
        for (have += 8; have >= 6; have -= 6)
            *to++ = alphabet[bits >> (have - 6) & 63];
    }
    if (have)
        *to++ = alphabet[bits << (6 - have) & 63];
    return text;
}

/* The bytes, or data NULL. Bits that are left over have to be 0: there is one text for each. */
static rt_str decoded(rt_ctx *ctx, const char *text)
{
    uint64_t length = strnlen(text, CURSOR_MOST + 1), count = 0;
    unsigned char *bytes = rt_alloc(ctx, length + 1);
    uint32_t bits = 0, have = 0;
    for (uint64_t i = 0; i < length; i++) {
        const char *digit = strchr(alphabet, text[i]);
        if (!digit)
            return (rt_str){0};
        bits = bits << 6 | (uint32_t)(digit - alphabet);
        have += 6;
        if (have < 8)
            continue;
        have -= 8;
        bytes[count++] = (unsigned char)(bits >> have);
    }
    if (length > CURSOR_MOST || have >= 6 || bits & ((1u << have) - 1))
        return (rt_str){0};
    return (rt_str){(const char *)bytes, count};
}

/* --- values ----------------------------------------------------------------------------------- */

static void put(rt_str *to, const void *data, uint64_t length)
{
    if (length)
        memcpy((char *)(uintptr_t)to->data + to->length, data, length);
    to->length += length;
}

static bool has_length(uint32_t type)
{
    return type == RT_SQL_TEXT || type == RT_SQL_BYTES || type == RT_SQL_UUID;
}

static void put_value(rt_str *to, const rt_sql_value *value)
{
    uint64_t number;
    uint32_t length = htole32((uint32_t)value->length);
    put(to, &(unsigned char){(unsigned char)value->type}, 1);
    if (value->type == RT_SQL_NULL)
        return;
    if (has_length(value->type)) {
        put(to, &length, sizeof length);
        put(to, value->value.bytes, value->length);
        return;
    }
    memcpy(&number, &value->value, sizeof number);
    number = htole64(number);
    put(to, &number, sizeof number);
}

static const void *take(rt_str *from, uint64_t length)
{
    const char *at = from->data;
    if (from->length < length)
        return NULL;
    from->data += length;
    from->length -= length;
    return at;
}

static bool take_bytes(rt_ctx *ctx, rt_str *from, rt_sql_value *value)
{
    uint32_t length;
    const void *at = take(from, sizeof length);
    if (!at)
        return false;
    memcpy(&length, at, sizeof length);
    value->length = le32toh(length);
    const void *bytes = take(from, value->length);
    if (!bytes || (value->type != RT_SQL_BYTES && memchr(bytes, 0, value->length)))
        return false;
    value->value.bytes = memcpy(rt_alloc(ctx, value->length + 1), bytes, value->length);
    return true;
}

static bool take_value(rt_ctx *ctx, rt_str *from, const rt_column *column, rt_sql_value *value)
{
    uint64_t number;
    const unsigned char *type = take(from, 1);
    if (!type ||
        (*type != column->type && (*type != RT_SQL_NULL || !(column->flags & RT_COLUMN_NULLABLE))))
        return false;
    *value = (rt_sql_value){.type = *type, .of = column->type};
    if (*type == RT_SQL_NULL)
        return true;
    if (has_length(*type))
        return take_bytes(ctx, from, value);
    const void *at = take(from, sizeof number);
    if (!at)
        return false;
    memcpy(&number, at, sizeof number);
    number = le64toh(number);
    memcpy(&value->value, &number, sizeof number);
    return true;
}

/* --- cursors ---------------------------------------------------------------------------------- */

const char *rt_cursor_make(const rt_call *call, rt_ordered ordered, const void *row)
{
    uint64_t room = sizeof(uint64_t);
    for (uint32_t i = 0; i < ordered.count; i++)
        room += 16 + rt_column_value(ordered.by[i].column, row).length;
    char *data = rt_alloc(call->ctx, room);
    rt_str bytes = {data, sizeof(uint64_t)};
    for (uint32_t i = 0; i < ordered.count; i++) {
        rt_sql_value value = rt_column_value(ordered.by[i].column, row);
        put_value(&bytes, &value);
    }
    uint64_t sum = checksum(call, ordered, data + sizeof sum, bytes.length - sizeof sum);
    memcpy(data, &sum, sizeof sum);
    return encoded(call->ctx, data, bytes.length);
}

static bool read_values(const rt_call *call, rt_ordered ordered, rt_str bytes, rt_sql_value *values)
{
    uint64_t sum;
    const void *at = bytes.data ? take(&bytes, sizeof sum) : NULL;
    if (!at)
        return false;
    memcpy(&sum, at, sizeof sum);
    if (sum != checksum(call, ordered, bytes.data, bytes.length))
        return false;
    for (uint32_t i = 0; i < ordered.count; i++)
        if (!take_value(call->ctx, &bytes, ordered.by[i].column, &values[i]))
            return false;
    return bytes.length == 0;
}

int rt_cursor_read(const rt_call *call, rt_ordered ordered, const char *cursor,
                   rt_sql_value *values)
{
    if (read_values(call, ordered, decoded(call->ctx, cursor), values))
        return 0;
    return rt_fail(call->ctx, RT_EINVALID_ARGUMENT,
                   "the cursor is none of this selection of `%s`, or was altered",
                   call->table->type);
}
