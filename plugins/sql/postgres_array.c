/* Arrays of one dimension: written as text, which the server reads whatever the element is, and
 * read in both forms. */
#include "postgres_types.h"

#include <endian.h>
#include <string.h>

/* --- writing --------------------------------------------------------------------------------- */

/* All but nulls in quotes: no rule says when one could do without that would be worth its code. */
static size_t quoted_length(const char *text, size_t length)
{
    size_t quoted = length + 2;
    for (size_t i = 0; i < length; i++)
        quoted += text[i] == '"' || text[i] == '\\';
    return quoted;
}

static char *put_quoted(char *at, const char *text, size_t length)
{
    *at++ = '"';
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '"' || text[i] == '\\')
            *at++ = '\\';
        *at++ = text[i];
    }
    *at++ = '"';
    return at;
}

struct piece {
    const char *text; /* NULL: null */
    size_t length;
};

const char *rt_pg_array_text(rt_pg_memory *memory, const rt_sql_value *array, size_t *length)
{
    struct piece *pieces = rt_pg_memory_take(memory, (array->length + 1) * sizeof *pieces);
    size_t size = 3;
    for (uint64_t i = 0; i < array->length; i++) {
        struct piece *piece = &pieces[i];
        piece->text = rt_pg_encode_text(memory, &array->value.elements[i], &piece->length);
        size += 1 + (piece->text ? quoted_length(piece->text, piece->length) : 4);
    }
    char *text = rt_pg_memory_take(memory, size), *at = text;
    *at++ = '{';
    for (uint64_t i = 0; i < array->length; i++) {
        if (i)
            *at++ = ',';
        at = pieces[i].text ? put_quoted(at, pieces[i].text, pieces[i].length)
                            : (char *)memcpy(at, "NULL", 4) + 4;
    }
    *at++ = '}';
    *at = '\0';
    *length = (size_t)(at - text);
    return text;
}

/* --- reading binary -------------------------------------------------------------------------- */

struct reader {
    const char *at, *end;
};

static int take32(struct reader *reader, int32_t *number)
{
    uint32_t wire;
    if (reader->end - reader->at < (ptrdiff_t)sizeof wire)
        return 0;
    memcpy(&wire, reader->at, sizeof wire);
    reader->at += sizeof wire;
    *number = (int32_t)be32toh(wire);
    return 1;
}

static void become_array(rt_sql_value *value, const rt_pg_type *type, const rt_sql_value *elements,
                         uint64_t count)
{
    *value = rt_sql_array(rt_pg_type_of(type->element), elements, count);
}

static const char *decode_elements(rt_pg_memory *memory, Oid element, struct reader *reader,
                                   rt_sql_value *elements, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        int32_t length;
        elements[i] = (rt_sql_value){.type = RT_SQL_NULL, .of = rt_pg_type_of(element)};
        if (!take32(reader, &length) || length > reader->end - reader->at || length < -1)
            return RT_PG_BAD_BINARY;
        if (length < 0)
            continue;
        const char *state = rt_pg_decode(memory, element, 1, reader->at, length, &elements[i]);
        if (state)
            return state;
        reader->at += length;
    }
    return NULL;
}

const char *rt_pg_decode_array(rt_pg_memory *memory, const rt_pg_type *type, const char *bytes,
                               int length, rt_sql_value *value)
{
    struct reader reader = {bytes, bytes + length};
    int32_t dimensions, flags, element, count, bound;
    if (!take32(&reader, &dimensions) || !take32(&reader, &flags) || !take32(&reader, &element))
        return RT_PG_BAD_BINARY;
    become_array(value, type, NULL, 0);
    if (dimensions == 0)
        return NULL;
    if (dimensions != 1) /* sql/1 has no form for it */
        return "0A000";
    /* each element has at least its length, so that a false count asks for no more than we got */
    if (!take32(&reader, &count) || !take32(&reader, &bound) || count < 0 ||
        count > (reader.end - reader.at) / 4 || (Oid)element != type->element)
        return RT_PG_BAD_BINARY;
    rt_sql_value *elements = rt_pg_memory_take(memory, (size_t)count * sizeof *elements);
    become_array(value, type, elements, (uint64_t)count);
    return decode_elements(memory, type->element, &reader, elements, count);
}

/* --- reading text ---------------------------------------------------------------------------- */

/* One element at `*at` into `piece`, unquoted; 0 if there is none. */
static int take_element(const char **at, char *piece, size_t *length, int *is_null)
{
    const char *from = *at;
    char *to = piece;
    bool quoted = *from == '"';
    from += quoted;
    for (; *from && (quoted ? *from != '"' : *from != ',' && *from != '}'); from++) {
        if (*from == '{' && !quoted)
            return 0;
        if (*from == '\\' && from[1])
            from++;
        *to++ = *from;
    }
    if (!*from)
        return 0;
    *to = '\0';
    *length = (size_t)(to - piece);
    *is_null = !quoted && strcmp(piece, "NULL") == 0;
    *at = from + quoted;
    return 1;
}

/* "{1,NULL,"a\"b"}"; bounds in front ("[2:3]={…}") are skipped. */
const char *rt_pg_decode_array_text(rt_pg_memory *memory, const rt_pg_type *type, const char *text,
                                    rt_sql_value *value)
{
    const char *at = strchr(text, '{');
    size_t most = at ? strlen(at) : 0, length;
    if (!at)
        return RT_PG_BAD_TEXT;
    char *piece = rt_pg_memory_take(memory, most + 1);
    rt_sql_value *elements = rt_pg_memory_take(memory, (most / 2 + 1) * sizeof *elements);
    uint64_t count = 0;
    for (at++; *at && *at != '}'; count++) {
        int is_null = 0;
        if (!take_element(&at, piece, &length, &is_null))
            return *at == '{' ? "0A000" : RT_PG_BAD_TEXT;
        elements[count] = (rt_sql_value){.type = RT_SQL_NULL, .of = rt_pg_type_of(type->element)};
        const char *state =
            is_null ? NULL
                    : rt_pg_decode(memory, type->element, 0, piece, (int)length, &elements[count]);
        if (state)
            return state;
        at += *at == ',';
    }
    become_array(value, type, elements, count);
    return *at ? NULL : RT_PG_BAD_TEXT;
}
