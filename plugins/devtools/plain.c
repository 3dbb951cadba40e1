/* plain.c — the page's frame, and what of it needs no script: documents as tables */
#include "devtools/devtools.h"

#include "devtools/assets.h"

#include <string.h>

#define MARK "<!-- plain -->" /* in page.html, where the tables go */

struct text {
    rt_ctx *ctx;
    char *data;
    uint64_t length, room;
};

static void add(struct text *text, const char *data, uint64_t length)
{
    if (text->length + length > text->room) {
        char *larger = rt_alloc(text->ctx, text->room = 2 * (text->length + length));
        if (text->length)
            memcpy(larger, text->data, text->length);
        text->data = larger;
    }
    memcpy(text->data + text->length, data, length);
    text->length += length;
}

static void put(struct text *text, const char *html)
{
    add(text, html, strlen(html));
}

static void put_escaped(struct text *text, const char *plain)
{
    for (const char *c = plain; *c; c++) {
        const char *entity = *c == '&'    ? "&amp;"
                             : *c == '<'  ? "&lt;"
                             : *c == '>'  ? "&gt;"
                             : *c == '"'  ? "&quot;"
                             : *c == '\'' ? "&#39;"
                                          : NULL;
        if (entity)
            put(text, entity);
        else
            add(text, c, 1);
    }
}

/* --- values ---------------------------------------------------------------------------------- */

static void put_scalar(struct text *text, const rt_json_value *value)
{
    if (value->type == RT_JSON_STRING)
        put_escaped(text, value->value.text);
    else if (value->type == RT_JSON_INT)
        put(text, rt_format(text->ctx, "%lld", (long long)value->value.integer));
    else if (value->type == RT_JSON_BOOL)
        put(text, value->value.integer ? "yes" : "no");
}

/* Of a list its items; of an object its values, one after the other. */
static void put_value(struct text *text, const rt_json_value *value)
{
    if (!value || value->type < RT_JSON_ARRAY) {
        if (value)
            put_scalar(text, value);
        return;
    }
    bool list = value->type == RT_JSON_ARRAY;
    for (const rt_json_value *item = value->value.first; item; item = item->next) {
        if (item->type >= RT_JSON_ARRAY)
            put(text, "<div>");
        for (const rt_json_value *part = item->type >= RT_JSON_ARRAY ? item->value.first : NULL;
             part; part = part->next) {
            if (part->type == RT_JSON_ARRAY && part->value.first)
                put_scalar(text, part->value.first);
            else if (part->type < RT_JSON_ARRAY && part->type != RT_JSON_BOOL)
                put_scalar(text, part);
            put(text, " ");
        }
        if (item->type >= RT_JSON_ARRAY)
            put(text, "</div>");
        else
            put_scalar(text, item);
        if (list && item->next && item->type < RT_JSON_ARRAY)
            put(text, ", ");
    }
}

/* --- tables ---------------------------------------------------------------------------------- */

struct column {
    const char *key, *heading;
};

static const struct table {
    const char *title, *document, *list; /* list: the member of the document; NULL: it is one */
    struct column columns[7];
} tables[] = {
    {"Modules",
     "plan",
     "modules",
     {{"name", "Module"},
      {"version", "Version"},
      {"required_by", "For"},
      {"provides", "Provides"},
      {"bindings", "Bound to, and why"},
      {"file", "File"}}},
    {"Health",
     "health",
     NULL,
     {{"module", "Module"}, {"condition", "Condition"}, {"reason", "Reason"}}},
    {"Routes", "routes", NULL, {{"method", "Method"}, {"path", "Path"}, {"module", "Module"}}},
    {"Effects",
     "effects",
     NULL,
     {{"consumer", "Consumer"},
      {"capability", "Capability"},
      {"provider", "Provider"},
      {"method", "Method"},
      {"succeeded", "Succeeded"},
      {"failed", "Failed"}}},
    {"Configuration",
     "config",
     NULL,
     {{"path", "Setting"}, {"value", "Value"}, {"origin", "Where from"}}},
    {"Diagnostics",
     "diagnostics",
     "diagnostics",
     {{"severity", "Severity"},
      {"id", "Id"},
      {"message", "Message"},
      {"file", "File"},
      {"line", "Line"},
      {"help", "Help"}}},
};

static void put_row(struct text *text, const struct table *table, const rt_json_value *row)
{
    put(text, "<tr>");
    for (const struct column *column = table->columns; column->key; column++) {
        put(text, column == table->columns ? "<th scope=\"row\">" : "<td>");
        put_value(text, rt_json_get(row, column->key));
        put(text, column == table->columns ? "</th>" : "</td>");
    }
    put(text, "</tr>\n");
}

static int put_table(struct text *text, const struct table *table)
{
    rt_str document;
    const rt_json_value *rows;
    RT_TRY(rt_inspect(text->ctx, table->document, &document));
    RT_TRY(rt_json_parse(text->ctx, document, &rows));
    if (table->list)
        rows = rt_json_get(rows, table->list);
    put(text, "<section class=\"plain\"><table><caption>");
    put(text, table->title);
    put(text, "</caption><thead><tr>");
    for (const struct column *column = table->columns; column->key; column++) {
        put(text, "<th scope=\"col\">");
        put(text, column->heading);
        put(text, "</th>");
    }
    put(text, "</tr></thead><tbody>\n");
    for (const rt_json_value *row = rows && rows->type == RT_JSON_ARRAY ? rows->value.first : NULL;
         row; row = row->next)
        put_row(text, table, row);
    put(text, "</tbody></table></section>\n");
    return 0;
}

static const struct asset *frame(void)
{
    size_t i = 0;
    while (strcmp(assets[i].name, "page.html") != 0)
        i++;
    return &assets[i];
}

int devtools_page(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    const struct asset *page = frame();
    const char *mark = memmem(page->data, page->length, MARK, strlen(MARK));
    struct text text = {.ctx = ctx};
    RT_TRY(devtools_admit(ctx, request, response));
    if (!mark)
        return rt_fail(ctx, RT_EINTERNAL, "the page has no place for its tables");
    add(&text, page->data, (uint64_t)(mark - page->data));
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        RT_TRY(put_table(&text, &tables[i]));
    mark += strlen(MARK);
    add(&text, mark, (uint64_t)(page->data + page->length - mark));
    RT_TRY(rt_respond_header(ctx, response, "Cache-Control", "no-store"));
    return rt_respond(ctx, response, 200, "text/html; charset=utf-8",
                      (rt_str){text.data, text.length});
}
