/* Single values; arrays are in postgres_array.c, what the server writes as text in
 * postgres_text.c. */
#include "postgres_value.h"

#include "postgres_types.h"

#include <endian.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- types ----------------------------------------------------------------------------------- */

/* Sorted by number. */
static const rt_pg_type types[] = {
    {16, "bool", RT_SQL_BOOL, RT_PG_BOOL, 0},
    {17, "bytea", RT_SQL_BYTES, RT_PG_BYTES, 0},
    {19, "name", RT_SQL_TEXT, RT_PG_TEXT, 0},
    {20, "int8", RT_SQL_INT, RT_PG_INT8, 0},
    {21, "int2", RT_SQL_INT, RT_PG_INT2, 0},
    {23, "int4", RT_SQL_INT, RT_PG_INT4, 0},
    {25, "text", RT_SQL_TEXT, RT_PG_TEXT, 0},
    {26, "oid", RT_SQL_INT, RT_PG_OID, 0},
    {114, "json", RT_SQL_JSON, RT_PG_TEXT, 0},
    {199, "json[]", RT_SQL_ARRAY, RT_PG_ARRAY, 114},
    {700, "float4", RT_SQL_DOUBLE, RT_PG_FLOAT4, 0},
    {701, "float8", RT_SQL_DOUBLE, RT_PG_FLOAT8, 0},
    {705, "unknown", RT_SQL_TEXT, RT_PG_TEXT, 0},
    {1000, "bool[]", RT_SQL_ARRAY, RT_PG_ARRAY, 16},
    {1001, "bytea[]", RT_SQL_ARRAY, RT_PG_ARRAY, 17},
    {1003, "name[]", RT_SQL_ARRAY, RT_PG_ARRAY, 19},
    {1005, "int2[]", RT_SQL_ARRAY, RT_PG_ARRAY, 21},
    {1007, "int4[]", RT_SQL_ARRAY, RT_PG_ARRAY, 23},
    {1009, "text[]", RT_SQL_ARRAY, RT_PG_ARRAY, 25},
    {1014, "bpchar[]", RT_SQL_ARRAY, RT_PG_ARRAY, 1042},
    {1015, "varchar[]", RT_SQL_ARRAY, RT_PG_ARRAY, 1043},
    {1016, "int8[]", RT_SQL_ARRAY, RT_PG_ARRAY, 20},
    {1021, "float4[]", RT_SQL_ARRAY, RT_PG_ARRAY, 700},
    {1022, "float8[]", RT_SQL_ARRAY, RT_PG_ARRAY, 701},
    {1042, "bpchar", RT_SQL_TEXT, RT_PG_TEXT, 0},
    {1043, "varchar", RT_SQL_TEXT, RT_PG_TEXT, 0},
    {1184, "timestamptz", RT_SQL_TIME, RT_PG_TIME, 0},
    {1185, "timestamptz[]", RT_SQL_ARRAY, RT_PG_ARRAY, 1184},
    {1231, "numeric[]", RT_SQL_ARRAY, RT_PG_NO_BINARY, 1700},
    {2278, "void", RT_SQL_TEXT, RT_PG_TEXT, 0},
    {2950, "uuid", RT_SQL_UUID, RT_PG_UUID, 0},
    {2951, "uuid[]", RT_SQL_ARRAY, RT_PG_ARRAY, 2950},
    {3802, "jsonb", RT_SQL_JSON, RT_PG_JSONB, 0},
    {3807, "jsonb[]", RT_SQL_ARRAY, RT_PG_ARRAY, 3802},
};

static int compare_types(const void *key, const void *element)
{
    Oid wanted = *(const Oid *)key, present = ((const rt_pg_type *)element)->oid;
    return wanted < present ? -1 : wanted > present;
}

const rt_pg_type *rt_pg_find_type(Oid oid)
{
    static const rt_pg_type other = {0, "", RT_SQL_TEXT, RT_PG_NO_BINARY, 0};
    const rt_pg_type *found =
        bsearch(&oid, types, sizeof types / sizeof types[0], sizeof types[0], compare_types);
    return found ? found : &other;
}

int rt_pg_reads_binary(Oid type)
{
    return rt_pg_find_type(type)->form != RT_PG_NO_BINARY;
}

int rt_pg_writes_binary(Oid type)
{
    enum rt_pg_form form = rt_pg_find_type(type)->form;
    return form != RT_PG_NO_BINARY && form != RT_PG_ARRAY;
}

uint32_t rt_pg_type_of(Oid type)
{
    return rt_pg_find_type(type)->type;
}

/* --- numbers on the wire --------------------------------------------------------------------- */

static void put16(rt_pg_encoded *encoded, int64_t integer)
{
    uint16_t wire = htobe16((uint16_t)integer);
    memcpy(encoded->inside, &wire, encoded->length = 2);
}

static void put32(rt_pg_encoded *encoded, int64_t integer)
{
    uint32_t wire = htobe32((uint32_t)integer);
    memcpy(encoded->inside, &wire, encoded->length = 4);
}

static void put64(rt_pg_encoded *encoded, int64_t integer)
{
    uint64_t wire = htobe64((uint64_t)integer);
    memcpy(encoded->inside, &wire, encoded->length = 8);
}

static int64_t get16(const char *bytes)
{
    uint16_t wire;
    memcpy(&wire, bytes, sizeof wire);
    return (int16_t)be16toh(wire);
}

static int64_t get32(const char *bytes)
{
    uint32_t wire;
    memcpy(&wire, bytes, sizeof wire);
    return (int32_t)be32toh(wire);
}

static int64_t get64(const char *bytes)
{
    uint64_t wire;
    memcpy(&wire, bytes, sizeof wire);
    return (int64_t)be64toh(wire);
}

static double real_of(int64_t bits, int narrow)
{
    float single;
    double real;
    if (narrow) {
        uint32_t half = (uint32_t)bits;
        memcpy(&single, &half, sizeof single);
        return (double)single;
    }
    memcpy(&real, &bits, sizeof real);
    return real;
}

/* --- writing --------------------------------------------------------------------------------- */

static const char *encode_integer(enum rt_pg_form form, int64_t integer, rt_pg_encoded *encoded)
{
    switch (form) {
    case RT_PG_INT2:
        if (integer < INT16_MIN || integer > INT16_MAX)
            return RT_PG_OUT_OF_RANGE;
        put16(encoded, integer);
        return NULL;
    case RT_PG_INT4:
        if (integer < INT32_MIN || integer > INT32_MAX)
            return RT_PG_OUT_OF_RANGE;
        put32(encoded, integer);
        return NULL;
    case RT_PG_OID:
        if (integer < 0 || integer > UINT32_MAX)
            return RT_PG_OUT_OF_RANGE;
        put32(encoded, integer);
        return NULL;
    case RT_PG_INT8:
        put64(encoded, integer);
        return NULL;
    default:
        return RT_PG_MISMATCH;
    }
}

static const char *encode_real(enum rt_pg_form form, double real, rt_pg_encoded *encoded)
{
    float single = (float)real;
    int32_t half;
    int64_t whole;
    if (form == RT_PG_FLOAT8) {
        memcpy(&whole, &real, sizeof whole);
        put64(encoded, whole);
        return NULL;
    }
    if (form != RT_PG_FLOAT4)
        return RT_PG_MISMATCH;
    if (isinf(single) && !isinf(real))
        return RT_PG_OUT_OF_RANGE;
    memcpy(&half, &single, sizeof half);
    put32(encoded, half);
    return NULL;
}

const char *rt_pg_time_to_wire(int64_t microseconds, int64_t *wire)
{
    *wire = microseconds;
    if (microseconds == INT64_MAX || microseconds == INT64_MIN) /* infinity, as the server has it */
        return NULL;
    return __builtin_sub_overflow(microseconds, RT_PG_EPOCH, wire) ? RT_PG_BAD_TIME : NULL;
}

static const char *encode_time(enum rt_pg_form form, int64_t microseconds, rt_pg_encoded *encoded)
{
    int64_t wire;
    const char *state = rt_pg_time_to_wire(microseconds, &wire);
    if (form != RT_PG_TIME)
        return RT_PG_MISMATCH;
    put64(encoded, wire);
    return state;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static const char *encode_uuid(const rt_sql_value *value, rt_pg_encoded *encoded)
{
    int digits = 0;
    for (uint64_t i = 0; i < value->length; i++) {
        int digit = hex_digit(value->value.text[i]);
        if (digit < 0 && value->value.text[i] == '-')
            continue;
        if (digit < 0 || digits == 32)
            return RT_PG_BAD_TEXT;
        char *byte = &encoded->inside[digits / 2];
        *byte = (char)(digits++ % 2 ? *byte | digit : digit << 4);
    }
    encoded->length = 16;
    return digits == 32 ? NULL : RT_PG_BAD_TEXT;
}

/* The value's own bytes, which stay until the statement is sent. */
static const char *encode_bytes(const void *bytes, uint64_t length, rt_pg_encoded *encoded)
{
    if (length > INT_MAX)
        return RT_PG_TOO_LONG;
    encoded->bytes = length ? bytes : encoded->inside;
    encoded->length = (int)length;
    return NULL;
}

static const char *encode_jsonb(rt_pg_memory *memory, const rt_sql_value *value,
                                rt_pg_encoded *encoded)
{
    if (value->length >= INT_MAX)
        return RT_PG_TOO_LONG;
    char *bytes = rt_pg_memory_take(memory, value->length + 1);
    bytes[0] = 1; /* the version of the form */
    memcpy(bytes + 1, value->value.text, value->length);
    encoded->bytes = bytes;
    encoded->length = (int)value->length + 1;
    return NULL;
}

static const char *encode_words(rt_pg_memory *memory, enum rt_pg_form form,
                                const rt_sql_value *value, rt_pg_encoded *encoded)
{
    switch (form) {
    case RT_PG_TEXT:
        return encode_bytes(value->value.text, value->length, encoded);
    case RT_PG_JSONB:
        return encode_jsonb(memory, value, encoded);
    case RT_PG_UUID:
        return encode_uuid(value, encoded);
    default:
        return RT_PG_MISMATCH;
    }
}

static const char *encode_form(rt_pg_memory *memory, enum rt_pg_form form,
                               const rt_sql_value *value, rt_pg_encoded *encoded)
{
    bool real = form == RT_PG_FLOAT4 || form == RT_PG_FLOAT8;
    switch (value->type) {
    case RT_SQL_INT:
        return real ? encode_real(form, (double)value->value.integer, encoded)
                    : encode_integer(form, value->value.integer, encoded);
    case RT_SQL_DOUBLE:
        return encode_real(form, value->value.real, encoded);
    case RT_SQL_BOOL:
        encoded->inside[0] = value->value.integer != 0;
        encoded->length = 1;
        return form == RT_PG_BOOL ? NULL : RT_PG_MISMATCH;
    case RT_SQL_TIME:
        return encode_time(form, value->value.integer, encoded);
    case RT_SQL_BYTES:
        return form == RT_PG_BYTES ? encode_bytes(value->value.bytes, value->length, encoded)
                                   : RT_PG_MISMATCH;
    case RT_SQL_TEXT:
    case RT_SQL_UUID:
    case RT_SQL_JSON:
        return encode_words(memory, form, value, encoded);
    default:
        return RT_PG_MISMATCH;
    }
}

const char *rt_pg_encode_binary(rt_pg_memory *memory, Oid type, const rt_sql_value *value,
                                rt_pg_encoded *encoded)
{
    *encoded = (rt_pg_encoded){.binary = 1};
    if (value->type == RT_SQL_NULL)
        return NULL;
    encoded->bytes = encoded->inside;
    return encode_form(memory, rt_pg_find_type(type)->form, value, encoded);
}

/* What has no binary form of ours goes as text, which the server reads as it would a literal. */
const char *rt_pg_encode(rt_pg_memory *memory, Oid type, const rt_sql_value *value,
                         rt_pg_encoded *encoded)
{
    const char *state = rt_pg_encode_binary(memory, type, value, encoded);
    if (state != RT_PG_MISMATCH)
        return state;
    size_t length;
    *encoded = (rt_pg_encoded){.bytes = rt_pg_encode_text(memory, value, &length)};
    encoded->length = (int)length;
    return length > INT_MAX ? RT_PG_TOO_LONG : NULL;
}

/* --- reading --------------------------------------------------------------------------------- */

static const char *decode_uuid(rt_pg_memory *memory, const char *bytes, rt_sql_value *value)
{
    static const char digits[] = "0123456789abcdef";
    char *text = rt_pg_memory_take(memory, 37), *at = text;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *at++ = '-';
        *at++ = digits[(unsigned char)bytes[i] >> 4];
        *at++ = digits[bytes[i] & 15];
    }
    *at = '\0';
    *value = rt_sql_text_of(RT_SQL_UUID, text, 36);
    return NULL;
}

static const char *decode_time(int64_t wire, rt_sql_value *value)
{
    int64_t microseconds = wire;
    if (wire != INT64_MAX && wire != INT64_MIN &&
        __builtin_add_overflow(wire, RT_PG_EPOCH, &microseconds))
        return RT_PG_BAD_TIME;
    *value = rt_sql_time(microseconds);
    return NULL;
}

static const char *decode_words(rt_pg_memory *memory, uint32_t type, const char *bytes, int length,
                                rt_sql_value *value)
{
    *value =
        rt_sql_text_of(type, rt_pg_memory_copy(memory, bytes, (size_t)length), (uint64_t)length);
    return NULL;
}

/* The length of each form; -1: any, -2: at least one. */
static const int lengths[] = {
    [RT_PG_BOOL] = 1,   [RT_PG_INT2] = 2,      [RT_PG_INT4] = 4,   [RT_PG_OID] = 4,
    [RT_PG_INT8] = 8,   [RT_PG_FLOAT4] = 4,    [RT_PG_FLOAT8] = 8, [RT_PG_TIME] = 8,
    [RT_PG_UUID] = 16,  [RT_PG_TEXT] = -1,     [RT_PG_BYTES] = -1, [RT_PG_JSONB] = -2,
    [RT_PG_ARRAY] = -1, [RT_PG_NO_BINARY] = -1};

static const char *decode_binary(rt_pg_memory *memory, const rt_pg_type *type, const char *bytes,
                                 int length, rt_sql_value *value)
{
    int expected = lengths[type->form];
    if (expected >= 0 ? length != expected : length < -1 - expected)
        return RT_PG_BAD_BINARY;
    switch (type->form) {
    case RT_PG_BOOL:
        return *value = rt_sql_bool(bytes[0]), NULL;
    case RT_PG_INT2:
        return *value = rt_sql_int(get16(bytes)), NULL;
    case RT_PG_INT4:
        return *value = rt_sql_int(get32(bytes)), NULL;
    case RT_PG_OID:
        return *value = rt_sql_int((uint32_t)get32(bytes)), NULL;
    case RT_PG_INT8:
        return *value = rt_sql_int(get64(bytes)), NULL;
    case RT_PG_FLOAT4:
        return *value = rt_sql_double(real_of(get32(bytes), 1)), NULL;
    case RT_PG_FLOAT8:
        return *value = rt_sql_double(real_of(get64(bytes), 0)), NULL;
    case RT_PG_TIME:
        return decode_time(get64(bytes), value);
    case RT_PG_UUID:
        return decode_uuid(memory, bytes, value);
    case RT_PG_BYTES:
        return *value =
                   rt_sql_bytes(rt_pg_memory_copy(memory, bytes, (size_t)length), (uint64_t)length),
               NULL;
    case RT_PG_JSONB:
        return bytes[0] == 1 ? decode_words(memory, RT_SQL_JSON, bytes + 1, length - 1, value)
                             : RT_PG_BAD_BINARY;
    case RT_PG_ARRAY:
        return rt_pg_decode_array(memory, type, bytes, length, value);
    default:
        return decode_words(memory, type->type, bytes, length, value);
    }
}

const char *rt_pg_decode(rt_pg_memory *memory, Oid oid, int binary, const char *bytes, int length,
                         rt_sql_value *value)
{
    const rt_pg_type *type = rt_pg_find_type(oid);
    if (binary)
        return decode_binary(memory, type, bytes, length, value);
    return rt_pg_decode_text(memory, type, bytes, length, value);
}
