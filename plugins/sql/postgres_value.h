/* postgres_value.h — values of sql/1 as PostgreSQL's types, in binary and as text
 *
 * Reads no connection, so that it can be tested alone. Source: the send and receive functions of
 * PostgreSQL 15 (src/backend/utils/adt), whose binary forms have been the same since 7.4.
 */
#ifndef PLUGINS_SQL_POSTGRES_VALUE_H
#define PLUGINS_SQL_POSTGRES_VALUE_H

#include "postgres_memory.h"

#include <libpq-fe.h>
#include <rt/cap/sql.h>

/* A parameter as libpq takes it. `bytes` is in `inside`, or the value's own, or in `memory`. */
typedef struct rt_pg_encoded {
    const char *bytes; /* NULL: null */
    int length;
    int binary;
    char inside[40];
} rt_pg_encoded;

/* NULL, or the SQLSTATE of why the value cannot be a parameter of this type. */
const char *rt_pg_encode(rt_pg_memory *memory, Oid type, const rt_sql_value *value,
                         rt_pg_encoded *encoded);
/* The same, but in binary whatever happens, as binary COPY has it; "42804" if that cannot be. */
const char *rt_pg_encode_binary(rt_pg_memory *memory, Oid type, const rt_sql_value *value,
                                rt_pg_encoded *encoded);
/* As the server reads it from text; NULL for a null. Ends in NUL. */
const char *rt_pg_encode_text(rt_pg_memory *memory, const rt_sql_value *value, size_t *length);

/* 1 if values of the type can be read in binary, or written in binary. */
int rt_pg_reads_binary(Oid type);
int rt_pg_writes_binary(Oid type);
/* rt_sql_type of a column. */
uint32_t rt_pg_type_of(Oid type);

/* NULL, or the SQLSTATE of why what the server sent is no value. The text of the result is
 * copied into `memory`. */
const char *rt_pg_decode(rt_pg_memory *memory, Oid type, int binary, const char *bytes, int length,
                         rt_sql_value *value);

#endif
