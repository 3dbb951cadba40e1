/* The grammar: settings of a group, items of an array or list. */
#include "compose/config_parse.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* --- duplicates ----------------------------------------------------------------------------------
 */

static uint64_t hash_setting(const rt_node *node)
{
    uint64_t hash = 0xcbf29ce484222325u ^ (uintptr_t)node->parent;
    for (const char *c = node->name; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 0x100000001b3u;
    return hash ^ hash >> 29;
}

static rt_seen *find_seen(rt_seen *seen, size_t size, const rt_node *node, uint64_t hash)
{
    for (size_t i = hash & (size - 1);; i = (i + 1) & (size - 1)) {
        const rt_node *other = seen[i].node;
        if (!other || (seen[i].hash == hash && other->parent == node->parent &&
                       strcmp(other->name, node->name) == 0))
            return &seen[i];
    }
}

static void grow_seen(rt_parser *parser)
{
    size_t size = parser->seen_size ? parser->seen_size * 2 : 64;
    rt_seen *larger = rt_xcalloc(size, sizeof *larger);
    for (size_t i = 0; i < parser->seen_size; i++)
        if (parser->seen[i].node)
            *find_seen(larger, size, parser->seen[i].node, parser->seen[i].hash) = parser->seen[i];
    free(parser->seen);
    parser->seen = larger;
    parser->seen_size = size;
}

/* The first setting of this name in this group, which may be the node itself. */
static const rt_node *first_of_name(rt_parser *parser, const rt_node *node)
{
    if (parser->seen_count * 2 >= parser->seen_size)
        grow_seen(parser);
    uint64_t hash = hash_setting(node);
    rt_seen *seen = find_seen(parser->seen, parser->seen_size, node, hash);
    if (!seen->node) {
        *seen = (rt_seen){hash, node};
        parser->seen_count++;
    }
    return seen->node;
}

/* --- members -------------------------------------------------------------------------------------
 */

static rt_node *new_node(rt_parser *parser, const rt_token *token)
{
    rt_node *node = RT_NEW(parser->reader.arena, rt_node);
    node->parent = parser->frame->node;
    node->name_place = node->value_place = token->place;
    node->origin = rt_source_origin(&parser->reader, token->source, token->place.line);
    return node;
}

static bool has_room(rt_parser *parser, const rt_token *token)
{
    rt_frame *frame = parser->frame;
    bool is_group = frame->node->type == RT_NODE_GROUP;
    uint32_t limit = is_group ? RT_CONFIG_GROUP_LIMIT : RT_CONFIG_LIST_LIMIT;
    if (frame->node->count < limit)
        return true;
    if (!frame->is_full)
        RT_PROBLEM(&parser->reader, CONFIG_TOO_MANY, &token->place, (int)limit,
                   is_group                             ? "settings in a group"
                   : frame->node->type == RT_NODE_ARRAY ? "items in an array"
                                                        : "items in a list");
    frame->is_full = true;
    return false;
}

static void append(rt_node *parent, rt_node *node)
{
    if (parent->last)
        parent->last->next = node;
    else
        parent->first = node;
    parent->last = node;
    parent->count++;
}

static void report_duplicate(rt_parser *parser, const rt_node *node, const rt_node *first)
{
    const rt_place *place = &first->name_place;
    rt_diagnostic *problem =
        RT_PROBLEM(&parser->reader, CONFIG_DUPLICATE, &node->name_place,
                   rt_excerpt(&parser->reader, node->name, strlen(node->name)));
    rt_note(problem, "first set at %s:%u:%u", place->file, place->line, place->column);
    if (first->type == RT_NODE_GROUP && first->value_place.line)
        rt_help(problem, "move the settings of both into one group");
    else
        rt_help(problem, "remove one of the two");
}

/* --- names ---------------------------------------------------------------------------------------
 */

static bool is_dotted(const char *word)
{
    size_t dots = 0;
    for (const char *c = word; *c; c++) {
        bool starts = c == word || c[-1] == '.';
        if (*c == '.' ? starts || !c[1]
                      : !(isalpha((unsigned char)*c) ||
                          (!starts && (isalnum((unsigned char)*c) || *c == '-' || *c == '_'))))
            return false;
        dots += *c == '.';
    }
    return dots == 1;
}

static void report_name(rt_parser *parser, const rt_token *token)
{
    rt_reader *reader = &parser->reader;
    const char *word = rt_excerpt(reader, token->raw, token->raw_length);
    rt_diagnostic *problem = RT_PROBLEM(reader, CONFIG_NAME, &token->place, word);
    if (token->kind == RT_TOKEN_BOOL)
        rt_help(problem, "it is a value; choose another name");
    else if (token->kind == RT_TOKEN_STRING)
        rt_help(problem, "names stand without quotes");
    else if (token->kind == RT_TOKEN_NAME)
        rt_help(problem, "a name has at most %d characters", RT_CONFIG_NAME_LIMIT);
    else if (is_dotted(word))
        rt_help(problem, "write a group: `%.*s: { %s = …; };`", (int)strcspn(word, "."), word,
                strchr(word, '.') + 1);
    else
        rt_help(problem,
                "a name starts with a letter and goes on with letters, digits, `-` and `_`");
}

static bool is_name(const rt_token *token)
{
    return token->kind == RT_TOKEN_NAME && token->raw_length <= RT_CONFIG_NAME_LIMIT;
}

/* Whether the token stands where a name should and is meant as one. */
static bool is_meant_as_name(const rt_token *token)
{
    switch (token->kind) {
    case RT_TOKEN_NAME:
        return true;
    case RT_TOKEN_WORD:
    case RT_TOKEN_STRING:
    case RT_TOKEN_BOOL:
    case RT_TOKEN_INT:
    case RT_TOKEN_FLOAT:
        return rt_lex_assigns(token);
    default:
        return false;
    }
}

/* --- settings ------------------------------------------------------------------------------------
 */

static bool is_value(const rt_token *token)
{
    switch (token->kind) {
    case RT_TOKEN_OPEN:
    case RT_TOKEN_STRING:
    case RT_TOKEN_INT:
    case RT_TOKEN_FLOAT:
    case RT_TOKEN_BOOL:
        return true;
    default:
        return false;
    }
}

/* Steps over `=` or `:`; false if there is no value to be parsed behind it. */
static bool take_assign(rt_parser *parser, const rt_token *name, rt_token *assign)
{
    rt_reader *reader = &parser->reader;
    *assign = parser->token;
    if (assign->kind == RT_TOKEN_BAD)
        return false;
    if (assign->kind != RT_TOKEN_ASSIGN) {
        rt_diagnostic *problem = RT_PROBLEM(reader, CONFIG_ASSIGNMENT, &name->place,
                                            rt_excerpt(reader, name->raw, name->raw_length));
        rt_label(problem, "expected `=` or `:` after this name");
        return is_value(assign) && (!assign->starts_line || assign->kind == RT_TOKEN_OPEN);
    }
    rt_parser_next(parser);
    if (parser->token.kind != RT_TOKEN_ASSIGN)
        return true;
    RT_PROBLEM(reader, CONFIG_SYNTAX, &parser->token.place, "a value",
               rt_token_description(reader, &parser->token));
    rt_parser_next(parser);
    return true;
}

/* After a value: its terminator, if there is one, and nothing else on the line but a setting. */
static void end_setting(rt_parser *parser, const rt_node *node)
{
    rt_token *token = &parser->token;
    switch (token->kind) {
    case RT_TOKEN_SEMICOLON:
    case RT_TOKEN_COMMA:
        rt_parser_next(parser);
        return;
    case RT_TOKEN_END:
    case RT_TOKEN_CLOSE:
        return;
    case RT_TOKEN_BAD:
        rt_parser_recover(parser);
        return;
    default:
        if (token->starts_line || (token->kind == RT_TOKEN_NAME && rt_lex_assigns(token)))
            return;
    }
    rt_diagnostic *problem =
        RT_PROBLEM(&parser->reader, CONFIG_SYNTAX, &token->place, "`;` after the value",
                   rt_token_description(&parser->reader, token));
    if (node->type != RT_NODE_STRING &&
        (token->kind == RT_TOKEN_NAME || token->kind == RT_TOKEN_WORD))
        rt_help(problem, "text of several words stands in quotes");
    rt_parser_recover(parser);
}

static void parse_setting(rt_parser *parser)
{
    rt_token name = parser->token, assign;
    rt_node *node = new_node(parser, &name);
    const rt_node *first = node;
    node->name = rt_arena_copy_n(parser->reader.arena, name.raw, name.raw_length);
    rt_parser_suspect(parser, &name);
    if (!is_name(&name))
        report_name(parser, &name);
    else if ((first = first_of_name(parser, node)) != node)
        report_duplicate(parser, node, first);
    rt_parser_next(parser);
    if (!take_assign(parser, &name, &assign) || !rt_parse_value(parser, node, &name, &assign)) {
        rt_parser_recover(parser);
        return;
    }
    if (first == node && has_room(parser, &name))
        append(parser->frame->node, node);
    end_setting(parser, node);
}

static void skip_unexpected(rt_parser *parser)
{
    rt_reader *reader = &parser->reader;
    rt_token *token = &parser->token;
    bool is_terminator = token->kind == RT_TOKEN_SEMICOLON || token->kind == RT_TOKEN_COMMA;
    if (token->kind != RT_TOKEN_BAD) {
        rt_diagnostic *problem =
            RT_PROBLEM(reader, CONFIG_SYNTAX, &token->place, "the name of a setting",
                       rt_token_description(reader, token));
        if (is_terminator)
            rt_help(problem, "remove it: one `;` or `,` ends a setting");
    }
    rt_parser_recover(parser);
}

void rt_parse_settings(rt_parser *parser)
{
    for (;;) {
        if (parser->token.kind == RT_TOKEN_END) {
            if (parser->frame->outer)
                rt_report_open(parser);
            return;
        }
        if (parser->token.kind == RT_TOKEN_CLOSE) {
            if (rt_parser_close(parser))
                return;
        } else if (is_meant_as_name(&parser->token)) {
            parse_setting(parser);
        } else {
            skip_unexpected(parser);
        }
    }
}

/* --- items ---------------------------------------------------------------------------------------
 */

static const char *plural(const rt_node *node)
{
    static const char *const names[] = {
        [RT_NODE_INT] = "integers",
        [RT_NODE_FLOAT] = "floats",
        [RT_NODE_BOOL] = "booleans",
        [RT_NODE_STRING] = "strings",
    };
    return node->is_long ? "integers with the suffix `L`" : names[node->type];
}

static void help_mixed(rt_diagnostic *problem, const rt_node *first, const rt_node *node)
{
    if (first && first->type == RT_NODE_INT && node->type == RT_NODE_INT)
        rt_help(problem, "write all of them with `L`, or none");
    else if (first && first->type == RT_NODE_FLOAT && node->type == RT_NODE_INT && !node->is_long)
        rt_help(problem, "write `%s.0`", node->raw);
    else
        rt_help(problem, "a list may hold anything: `( … )` instead of `[ … ]`");
}

/* An array takes scalars of the first one's type. */
static void check_mixed(rt_parser *parser, const rt_node *node)
{
    rt_frame *frame = parser->frame;
    const rt_node *first = frame->node->first;
    bool is_scalar = node->type > RT_NODE_LIST;
    bool alike = !first || (first->type == node->type && first->is_long == node->is_long);
    if (frame->is_mixed || frame->node->type != RT_NODE_ARRAY || (is_scalar && alike))
        return;
    frame->is_mixed = true;
    rt_arena *arena = parser->reader.arena;
    const char *what =
        node->is_long ? "an integer with the suffix `L`" : rt_node_type_name(node->type);
    rt_diagnostic *problem =
        RT_PROBLEM(&parser->reader, CONFIG_MIXED_ARRAY, &node->value_place, what,
                   first ? rt_arena_format(arena, "an array of %s", plural(first)) : "an array");
    help_mixed(problem, first, node);
}

static void parse_item(rt_parser *parser)
{
    rt_token begin = parser->token;
    rt_node *node = new_node(parser, &begin);
    if (!rt_parse_value(parser, node, NULL, NULL)) {
        rt_parser_recover(parser);
        return;
    }
    check_mixed(parser, node);
    if (has_room(parser, &begin))
        append(parser->frame->node, node);
}

static void take_comma(rt_parser *parser)
{
    rt_token comma = parser->token;
    rt_parser_next(parser);
    if (parser->token.kind != RT_TOKEN_CLOSE)
        return;
    rt_diagnostic *problem =
        RT_PROBLEM(&parser->reader, CONFIG_SYNTAX, &comma.place, "an item after `,`",
                   rt_token_description(&parser->reader, &parser->token));
    rt_help(problem, "remove the `,` after the last item");
}

/* A `;` ends the setting around a bracket that is not closed, or is a mistyped `,`. */
static bool take_semicolon(rt_parser *parser)
{
    rt_token semicolon = parser->token;
    rt_parser_next(parser);
    bool closes = rt_parser_at_own_close(parser);
    if (!is_value(&parser->token) && !closes) {
        rt_report_open(parser);
        return false;
    }
    rt_diagnostic *problem =
        RT_PROBLEM(&parser->reader, CONFIG_SYNTAX, &semicolon.place, "`,` between items", "`;`");
    if (closes)
        rt_help(problem, "remove it");
    return true;
}

/* After an item; false if the array or list ended without its bracket. */
static bool end_item(rt_parser *parser)
{
    rt_token *token = &parser->token;
    switch (token->kind) {
    case RT_TOKEN_COMMA:
        take_comma(parser);
        return true;
    case RT_TOKEN_SEMICOLON:
        return take_semicolon(parser);
    case RT_TOKEN_END:
    case RT_TOKEN_CLOSE:
        return true;
    case RT_TOKEN_BAD:
        rt_parser_recover(parser);
        return true;
    default:
        if (rt_parser_at_setting(parser))
            return true;
    }
    RT_PROBLEM(&parser->reader, CONFIG_SYNTAX, &token->place, "`,` between items",
               rt_token_description(&parser->reader, token));
    if (!is_value(token))
        rt_parser_recover(parser);
    return true;
}

void rt_parse_items(rt_parser *parser)
{
    for (;;) {
        if (parser->token.kind == RT_TOKEN_END || rt_parser_at_setting(parser)) {
            rt_report_open(parser);
            return;
        }
        if (parser->token.kind == RT_TOKEN_CLOSE) {
            if (rt_parser_close(parser))
                return;
            continue;
        }
        parse_item(parser);
        if (!end_item(parser))
            return;
    }
}
