/* Statements that are being written: text, places and values go along side by side */
#include "repository.h"

#include <stdio.h>

/* --- text ------------------------------------------------------------------------------------- */

static char *room_for(rt_draft *draft, uint64_t more)
{
    if (draft->length + more + 1 > draft->room) {
        uint64_t room = (draft->length + more + 1) * 2;
        char *text = rt_alloc(draft->ctx, room < 256 ? 256 : room);
        if (draft->length)
            memcpy(text, draft->text, draft->length);
        draft->text = text;
        draft->room = room < 256 ? 256 : room;
    }
    char *at = draft->text + draft->length;
    draft->length += more;
    at[more] = '\0';
    return at;
}

void rt_draft_text(rt_draft *draft, const char *text)
{
    uint64_t length = strlen(text);
    memcpy(room_for(draft, length), text, length);
}

/* `"` doubles. */
void rt_draft_name(rt_draft *draft, const char *name)
{
    rt_draft_text(draft, "\"");
    for (; *name; name++)
        if (*name == '.')
            rt_draft_text(draft, "\".\"");
        else
            rt_draft_text(draft, *name == '"' ? "\"\"" : (char[]){*name, 0});
    rt_draft_text(draft, "\"");
}

void rt_draft_place(rt_draft *draft)
{
    char place[16];
    snprintf(place, sizeof place, "$%u", ++draft->places);
    rt_draft_text(draft, place);
}

/* --- values ----------------------------------------------------------------------------------- */

void rt_draft_push(rt_draft *draft, rt_sql_value value)
{
    if (draft->value_count == draft->value_room) {
        uint32_t room = draft->value_room ? draft->value_room * 2 : 16;
        rt_sql_value *values = rt_alloc(draft->ctx, room * sizeof *values);
        if (draft->value_count)
            memcpy(values, draft->values, draft->value_count * sizeof *values);
        draft->values = values;
        draft->value_room = room;
    }
    draft->values[draft->value_count++] = value;
}

void rt_draft_value(rt_draft *draft, rt_sql_value value)
{
    rt_draft_place(draft);
    rt_draft_push(draft, value);
}

int rt_draft_row(rt_draft *draft, rt_column_set set, const void *row)
{
    for (uint32_t i = 0; i < draft->table->column_count; i++) {
        const rt_column *column = &draft->table->columns[i];
        if (!rt_column_in(column, set))
            continue;
        rt_sql_value value = rt_column_value(column, row);
        RT_TRY(rt_value_check(draft->ctx, draft->table, column, &value));
        rt_draft_push(draft, value);
    }
    return 0;
}

/* --- lists of columns --------------------------------------------------------------------------
 */

static void put_column(rt_draft *draft, const char *name, enum rt_list_style style)
{
    if (style != RT_LIST_PLACES)
        rt_draft_name(draft, name);
    if (style == RT_LIST_SET || style == RT_LIST_MATCH || style == RT_LIST_EXCLUDED)
        rt_draft_text(draft, " = ");
    if (style == RT_LIST_EXCLUDED) {
        rt_draft_text(draft, "excluded.");
        rt_draft_name(draft, name);
    } else if (style != RT_LIST_NAMES) {
        rt_draft_place(draft);
    }
}

uint32_t rt_draft_list(rt_draft *draft, rt_column_set set, enum rt_list_style style)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < draft->table->column_count; i++) {
        const rt_column *column = &draft->table->columns[i];
        if (!rt_column_in(column, set))
            continue;
        if (count++)
            rt_draft_text(draft, style == RT_LIST_MATCH ? " AND " : ", ");
        put_column(draft, column->name, style);
    }
    return count;
}

void rt_draft_insert(rt_draft *draft, uint64_t rows)
{
    rt_draft_text(draft, "INSERT INTO ");
    rt_draft_name(draft, draft->table->name);
    rt_draft_text(draft, " AS kept (");
    rt_draft_list(draft, RT_SET_INSERTED, RT_LIST_NAMES);
    rt_draft_text(draft, ") VALUES ");
    for (uint64_t i = 0; i < rows; i++) {
        rt_draft_text(draft, i ? ", (" : "(");
        rt_draft_list(draft, RT_SET_INSERTED, RT_LIST_PLACES);
        rt_draft_text(draft, ")");
    }
}

uint64_t rt_keys_rounded(uint64_t keys)
{
    uint64_t rounded = 1;
    while (rounded < keys)
        rounded *= 2;
    return rounded;
}

static bool is_composite(const rt_table *table)
{
    uint32_t keys = 0;
    for (uint32_t i = 0; i < table->column_count; i++)
        keys += (table->columns[i].flags & RT_COLUMN_KEY) != 0;
    return keys > 1;
}

void rt_draft_keys(rt_draft *draft, uint64_t keys)
{
    bool composite = is_composite(draft->table);
    rt_draft_text(draft, "(");
    if (!composite) {
        rt_draft_list(draft, RT_SET_KEY, RT_LIST_NAMES);
        rt_draft_text(draft, " IN (");
    }
    for (uint64_t i = 0; i < keys; i++) {
        if (i)
            rt_draft_text(draft, composite ? " OR " : ", ");
        rt_draft_list(draft, RT_SET_KEY, composite ? RT_LIST_MATCH : RT_LIST_PLACES);
    }
    rt_draft_text(draft, composite ? ")" : "))");
}

int rt_draft_push_keys(rt_draft *draft, const void *rows, uint64_t count)
{
    uint64_t rounded = rt_keys_rounded(count);
    for (uint64_t i = 0; i < rounded; i++) {
        uint64_t index = i < count ? i : count - 1;
        RT_TRY(rt_draft_row(draft, RT_SET_KEY, rt_row_at(draft->table, rows, index)));
    }
    return 0;
}

void rt_draft_select(rt_draft *draft, bool deleted)
{
    const rt_table *table = draft->table;
    rt_draft_text(draft, "SELECT ");
    rt_draft_list(draft, rt_set_read(table, deleted), RT_LIST_NAMES);
    rt_draft_text(draft, " FROM ");
    rt_draft_name(draft, table->shadow && deleted ? table->shadow : table->name);
}
