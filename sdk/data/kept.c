/* What is kept of a table: the names of its spans, and the statements that are the same always */
#include "repository.h"

#include <ctype.h>
#include <stdlib.h>

static void *whole(rt_ctx *ctx, void *memory)
{
    if (!memory)
        rt_die(ctx, "no memory for the statements of a table");
    return memory;
}

char *rt_keep_text(rt_ctx *ctx, const char *text)
{
    return whole(ctx, strdup(text));
}

rt_table_kept *rt_kept(rt_ctx *ctx, const rt_table *table)
{
    if (!*table->own)
        *table->own = whole(ctx, calloc(1, sizeof **table->own));
    return *table->own;
}

/* order_line: OrderLineRepo.find */
char *rt_span_name(rt_ctx *ctx, const rt_table *table, const char *operation)
{
    char *name = rt_format(ctx, "%s", table->type), *to = name;
    bool capital = true;
    for (const char *at = name; *at; at++) {
        if (*at != '_')
            *to++ = (char)(capital ? toupper((unsigned char)*at) : *at);
        capital = *at == '_';
    }
    *to = '\0';
    return rt_keep_text(ctx, rt_format(ctx, "%sRepo.%s", name, operation));
}

/* --- parts ------------------------------------------------------------------------------------ */

static void put_live(rt_draft *draft, const char *before, bool live)
{
    const rt_column *soft = rt_soft_column(draft->table);
    if (!soft)
        return;
    rt_draft_text(draft, before);
    rt_draft_name(draft, soft->name);
    rt_draft_text(draft, live ? " IS NULL" : " IS NOT NULL");
}

static void put_where_key(rt_draft *draft)
{
    rt_draft_text(draft, " WHERE ");
    if (draft->keys)
        rt_draft_keys(draft, draft->keys);
    else
        rt_draft_list(draft, RT_SET_KEY, RT_LIST_MATCH);
}

/* `, "version" = "version" + 1`; of kept, where a row that is inserted has one too. */
static bool put_next_version(rt_draft *draft, const char *before, const char *of)
{
    const rt_column *version = rt_column_with(draft->table, RT_COLUMN_VERSION);
    if (!version)
        return false;
    rt_draft_text(draft, before);
    rt_draft_name(draft, version->name);
    rt_draft_text(draft, " = ");
    rt_draft_text(draft, of);
    rt_draft_name(draft, version->name);
    rt_draft_text(draft, " + 1");
    return true;
}

static void put_same_key(rt_draft *draft)
{
    const rt_column *key = rt_column_with(draft->table, RT_COLUMN_KEY);
    rt_draft_name(draft, key->name);
    rt_draft_text(draft, " = ");
    rt_draft_name(draft, key->name);
}

static void put_update(rt_draft *draft)
{
    rt_draft_text(draft, "UPDATE ");
    rt_draft_name(draft, draft->table->name);
    rt_draft_text(draft, " SET ");
}

static void put_delete_from(rt_draft *draft, const char *table)
{
    rt_draft_text(draft, "DELETE FROM ");
    rt_draft_name(draft, table);
}

/* `"deleted_at" = $1, "deleted_by" = $2`, or both null. */
static void put_marks(rt_draft *draft, bool deleted)
{
    const rt_table *table = draft->table;
    for (uint32_t i = 0, count = 0; i < table->column_count; i++) {
        if (!(table->columns[i].flags & RT_COLUMN_DELETED))
            continue;
        rt_draft_text(draft, count++ ? ", " : "");
        rt_draft_name(draft, table->columns[i].name);
        rt_draft_text(draft, " = ");
        if (deleted)
            rt_draft_place(draft);
        else
            rt_draft_text(draft, "NULL");
    }
}

/* --- live rows -------------------------------------------------------------------------------- */

static void write_insert(rt_draft *draft)
{
    rt_draft_insert(draft, 1);
}

static void write_update(rt_draft *draft)
{
    const rt_column *version = rt_column_with(draft->table, RT_COLUMN_VERSION);
    put_update(draft);
    uint32_t count = rt_draft_list(draft, RT_SET_UPDATED, RT_LIST_SET);
    if (!put_next_version(draft, count ? ", " : "", "") && !count)
        put_same_key(draft);
    put_where_key(draft);
    if (version) {
        rt_draft_text(draft, " AND ");
        rt_draft_name(draft, version->name);
        rt_draft_text(draft, " = ");
        rt_draft_place(draft);
    }
    put_live(draft, " AND ", true);
}

static void write_save(rt_draft *draft)
{
    rt_draft_insert(draft, 1);
    rt_draft_text(draft, " ON CONFLICT (");
    rt_draft_list(draft, RT_SET_KEY, RT_LIST_NAMES);
    rt_draft_text(draft, ") DO UPDATE SET ");
    uint32_t count = rt_draft_list(draft, RT_SET_UPDATED, RT_LIST_EXCLUDED);
    if (!put_next_version(draft, count ? ", " : "", "kept.") && !count)
        rt_draft_list(draft, RT_SET_KEY, RT_LIST_EXCLUDED);
    put_live(draft, " WHERE kept.", true);
    rt_draft_text(draft, " RETURNING ");
    rt_draft_list(draft, RT_SET_SAVED, RT_LIST_NAMES);
}

static void write_find(rt_draft *draft)
{
    rt_draft_select(draft, false);
    put_where_key(draft);
    put_live(draft, " AND ", true);
}

static void write_exists(rt_draft *draft)
{
    rt_draft_text(draft, "SELECT 1 FROM ");
    rt_draft_name(draft, draft->table->name);
    put_where_key(draft);
    put_live(draft, " AND ", true);
}

static void write_get_version(rt_draft *draft)
{
    rt_draft_text(draft, "SELECT ");
    rt_draft_list(draft, (rt_column_set){RT_COLUMN_VERSION, 0}, RT_LIST_NAMES);
    rt_draft_text(draft, " FROM ");
    rt_draft_name(draft, draft->table->name);
    put_where_key(draft);
    put_live(draft, " AND ", true);
}

/* --- deleted rows ----------------------------------------------------------------------------- */

static void write_delete(rt_draft *draft)
{
    if (rt_soft_column(draft->table)) {
        put_update(draft);
        put_marks(draft, true);
        put_next_version(draft, ", ", "");
    } else {
        put_delete_from(draft, draft->table->name);
    }
    put_where_key(draft);
    put_live(draft, " AND ", true);
}

static void write_restore(rt_draft *draft)
{
    put_update(draft);
    put_marks(draft, false);
    put_next_version(draft, ", ", "");
    put_where_key(draft);
    put_live(draft, " AND ", false);
}

static void write_purge(rt_draft *draft)
{
    const rt_table *table = draft->table;
    put_delete_from(draft, table->shadow ? table->shadow : table->name);
    rt_draft_text(draft, " WHERE ");
    rt_draft_name(draft, rt_column_with(table, RT_COLUMN_DELETED_AT)->name);
    rt_draft_text(draft, " < ");
    rt_draft_place(draft);
}

static void write_lock(rt_draft *draft)
{
    put_update(draft);
    if (!put_next_version(draft, "", ""))
        put_same_key(draft);
    put_where_key(draft);
}

/* An older row of the same key in the shadow gives way. */
static void write_move_out(rt_draft *draft)
{
    rt_draft_text(draft, "INSERT INTO ");
    rt_draft_name(draft, draft->table->shadow);
    rt_draft_text(draft, " (");
    rt_draft_list(draft, RT_SET_INSERTED, RT_LIST_NAMES);
    rt_draft_text(draft, ", ");
    rt_draft_list(draft, (rt_column_set){RT_COLUMN_DELETED, 0}, RT_LIST_NAMES);
    rt_draft_text(draft, ") SELECT ");
    rt_draft_list(draft, RT_SET_INSERTED, RT_LIST_NAMES);
    rt_draft_text(draft, ", ");
    rt_draft_list(draft, (rt_column_set){RT_COLUMN_DELETED, 0}, RT_LIST_PLACES);
    rt_draft_text(draft, " FROM ");
    rt_draft_name(draft, draft->table->name);
    put_where_key(draft);
    rt_draft_text(draft, " ON CONFLICT (");
    rt_draft_list(draft, RT_SET_KEY, RT_LIST_NAMES);
    rt_draft_text(draft, ") DO UPDATE SET ");
    rt_draft_list(draft, (rt_column_set){0, RT_COLUMN_KEY}, RT_LIST_EXCLUDED);
}

static void write_erase(rt_draft *draft)
{
    put_delete_from(draft, draft->table->name);
    put_where_key(draft);
}

static void write_move_back(rt_draft *draft)
{
    const rt_column_set plain = {0, RT_COLUMN_DELETED | RT_COLUMN_VERSION};
    const rt_column_set version = {RT_COLUMN_VERSION, 0};
    bool counts = rt_column_with(draft->table, RT_COLUMN_VERSION) != NULL;
    rt_draft_text(draft, "INSERT INTO ");
    rt_draft_name(draft, draft->table->name);
    rt_draft_text(draft, " (");
    rt_draft_list(draft, plain, RT_LIST_NAMES);
    rt_draft_text(draft, counts ? ", " : "");
    rt_draft_list(draft, version, RT_LIST_NAMES);
    rt_draft_text(draft, ") SELECT ");
    rt_draft_list(draft, plain, RT_LIST_NAMES);
    rt_draft_text(draft, counts ? ", " : "");
    rt_draft_list(draft, version, RT_LIST_NAMES);
    rt_draft_text(draft, counts ? " + 1 FROM " : " FROM ");
    rt_draft_name(draft, draft->table->shadow);
    put_where_key(draft);
}

static void write_erase_shadow(rt_draft *draft)
{
    put_delete_from(draft, draft->table->shadow);
    put_where_key(draft);
}

static void (*const writers[RT_TEXT_COUNT])(rt_draft *draft) = {
    [RT_TEXT_INSERT] = write_insert,       [RT_TEXT_UPDATE] = write_update,
    [RT_TEXT_SAVE] = write_save,           [RT_TEXT_FIND] = write_find,
    [RT_TEXT_EXISTS] = write_exists,       [RT_TEXT_GET_VERSION] = write_get_version,
    [RT_TEXT_DELETE] = write_delete,       [RT_TEXT_RESTORE] = write_restore,
    [RT_TEXT_PURGE] = write_purge,         [RT_TEXT_LOCK] = write_lock,
    [RT_TEXT_MOVE_OUT] = write_move_out,   [RT_TEXT_ERASE] = write_erase,
    [RT_TEXT_MOVE_BACK] = write_move_back, [RT_TEXT_ERASE_SHADOW] = write_erase_shadow,
};

void rt_draft_write(rt_draft *draft, enum rt_table_text text)
{
    writers[text](draft);
}

const char *rt_kept_text(const rt_call *call, enum rt_table_text text)
{
    rt_table_kept *kept = rt_kept(call->ctx, call->table);
    if (!kept->texts[text]) {
        rt_draft draft = rt_draft_of(call);
        rt_draft_write(&draft, text);
        kept->texts[text] = rt_keep_text(call->ctx, draft.text);
    }
    return kept->texts[text];
}
