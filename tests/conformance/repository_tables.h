/* repository_tables.h — tables for the tests of repositories: soft by column, by shadow, and not */
#ifndef RT_TEST_REPOSITORY_TABLES_H
#define RT_TEST_REPOSITORY_TABLES_H

#include <rt/cap/sql.h>
#include <rt/rt.h>

#define ORDER_COLUMNS(KEY, COLUMN)       \
    KEY(id, id, "ord")                   \
    COLUMN(text, sku)                    \
    COLUMN(int, quantity)                \
    COLUMN(text_or_null, note)           \
    COLUMN(int_or_null, discount)        \
    COLUMN(ref_or_null, customer, "cus") \
    COLUMN(created_at, created_at)       \
    COLUMN(created_by, created_by)       \
    COLUMN(updated_at, updated_at)       \
    COLUMN(updated_by, updated_by)       \
    COLUMN(deleted_at, deleted_at)       \
    COLUMN(deleted_by, deleted_by)       \
    COLUMN(version, version)
RT_TABLE(order, "orders", ORDER_COLUMNS)
RT_LOOKUP(order, by_sku, sku)
RT_LOOKUP(order, by_sku_and_quantity, sku, quantity)
RT_LOOKUP_ALL(order, of_customer, customer)

/* The same columns; what is deleted lies in parcels_deleted. */
#define PARCEL_COLUMNS(KEY, COLUMN) \
    KEY(id, id, "par")              \
    COLUMN(text, sku)               \
    COLUMN(int, quantity)           \
    COLUMN(text_or_null, note)      \
    COLUMN(deleted_at, deleted_at)  \
    COLUMN(deleted_by, deleted_by)  \
    COLUMN(version, version)
RT_TABLE_WITH_SHADOW(parcel, "parcels", PARCEL_COLUMNS)

#define ORDER_LINE_COLUMNS(KEY, COLUMN) \
    KEY(ref, order_id, "ord")           \
    KEY(int, line)                      \
    COLUMN(text, sku)
RT_TABLE(order_line, "order_lines", ORDER_LINE_COLUMNS)

/* Every type, with and without null. */
#define SAMPLE_COLUMNS(KEY, COLUMN)   \
    KEY(uuid, id)                     \
    COLUMN(int, whole)                \
    COLUMN(double, real)              \
    COLUMN(bool, truth)               \
    COLUMN(time, moment)              \
    COLUMN(text, words)               \
    COLUMN(json, document)            \
    COLUMN(bytes, blob)               \
    COLUMN(int_or_null, whole_or)     \
    COLUMN(double_or_null, real_or)   \
    COLUMN(bool_or_null, truth_or)    \
    COLUMN(time_or_null, moment_or)   \
    COLUMN(text_or_null, words_or)    \
    COLUMN(json_or_null, document_or) \
    COLUMN(uuid_or_null, other_or)    \
    COLUMN(bytes_or_null, blob_or)
RT_TABLE(sample, "samples", SAMPLE_COLUMNS)

/* Both dialects take this. */
#define ORDERS_SQL                                                                            \
    "CREATE TABLE orders (id text PRIMARY KEY, sku text NOT NULL, quantity bigint NOT NULL, " \
    "note text, discount bigint, customer text, created_at timestamptz NOT NULL, "            \
    "created_by text, updated_at timestamptz NOT NULL, updated_by text, "                     \
    "deleted_at timestamptz, deleted_by text, version bigint NOT NULL);"
#define PARCELS_SQL                                                                            \
    "CREATE TABLE parcels (id text PRIMARY KEY, sku text NOT NULL, quantity bigint NOT NULL, " \
    "note text, version bigint NOT NULL);"                                                     \
    "CREATE TABLE parcels_deleted (id text PRIMARY KEY, sku text NOT NULL, "                   \
    "quantity bigint NOT NULL, note text, deleted_at timestamptz NOT NULL, deleted_by text, "  \
    "version bigint NOT NULL);"
#define ORDER_LINES_SQL                                               \
    "CREATE TABLE order_lines (order_id text NOT NULL, line bigint, " \
    "sku text NOT NULL, PRIMARY KEY (order_id, line));"
#define SAMPLES_SQL                                                                             \
    "CREATE TABLE samples (id uuid PRIMARY KEY, whole bigint NOT NULL, "                        \
    "\"real\" double precision NOT NULL, truth boolean NOT NULL, moment timestamptz NOT NULL, " \
    "words text NOT NULL, document jsonb NOT NULL, blob bytea NOT NULL, whole_or bigint, "      \
    "real_or double precision, truth_or boolean, moment_or timestamptz, words_or text, "        \
    "document_or jsonb, other_or uuid, blob_or bytea);"

#endif
