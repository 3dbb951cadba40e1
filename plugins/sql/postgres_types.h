/* postgres_types.h — what the files of the codec share */
#ifndef PLUGINS_SQL_POSTGRES_TYPES_H
#define PLUGINS_SQL_POSTGRES_TYPES_H

#include "postgres_value.h"

/* Microseconds from 1970 to 2000, where the server counts from. */
#define RT_PG_EPOCH INT64_C(946684800000000)

/* SQLSTATEs by which the codec refuses; compared by address. */
#define RT_PG_OUT_OF_RANGE rt_pg_state_out_of_range
#define RT_PG_MISMATCH rt_pg_state_mismatch
#define RT_PG_BAD_TEXT rt_pg_state_bad_text
#define RT_PG_BAD_TIME rt_pg_state_bad_time
#define RT_PG_BAD_BINARY rt_pg_state_bad_binary
#define RT_PG_TOO_LONG rt_pg_state_too_long
extern const char rt_pg_state_out_of_range[], rt_pg_state_mismatch[], rt_pg_state_bad_text[],
    rt_pg_state_bad_time[], rt_pg_state_bad_binary[], rt_pg_state_too_long[];

/* The binary forms that we know. */
enum rt_pg_form {
    RT_PG_NO_BINARY,
    RT_PG_BOOL,
    RT_PG_INT2,
    RT_PG_INT4,
    RT_PG_OID,
    RT_PG_INT8,
    RT_PG_FLOAT4,
    RT_PG_FLOAT8,
    RT_PG_TIME,
    RT_PG_UUID,
    RT_PG_TEXT, /* the bytes of the text */
    RT_PG_BYTES,
    RT_PG_JSONB,
    RT_PG_ARRAY,
};

typedef struct rt_pg_type {
    Oid oid;
    const char *name;
    uint32_t type; /* rt_sql_type */
    enum rt_pg_form form;
    Oid element; /* of an array */
} rt_pg_type;

/* Never NULL: a type that is not known is text without a binary form. */
const rt_pg_type *rt_pg_find_type(Oid oid);

const char *rt_pg_time_to_wire(int64_t microseconds, int64_t *wire);

/* postgres_text.c; `bytes` ends in NUL. */
const char *rt_pg_decode_text(rt_pg_memory *memory, const rt_pg_type *type, const char *bytes,
                              int length, rt_sql_value *value);
/* postgres_array.c */
const char *rt_pg_decode_array(rt_pg_memory *memory, const rt_pg_type *type, const char *bytes,
                               int length, rt_sql_value *value);
const char *rt_pg_decode_array_text(rt_pg_memory *memory, const rt_pg_type *type, const char *text,
                                    rt_sql_value *value);
const char *rt_pg_array_text(rt_pg_memory *memory, const rt_sql_value *array, size_t *length);

#endif
