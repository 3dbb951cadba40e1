/* parse.h — inside the configuration reader: the parser's state, and how it goes on
 *
 * The parser descends recursively; each open bracket is a frame on the C stack. After a problem it
 * skips to where a setting or an item most probably begins, so that one run shows all problems and
 * each only once.
 */
#ifndef RT_CONFIG_PARSE_H
#define RT_CONFIG_PARSE_H

#include "config/lex.h"

/* A setting indented as if a bracket before it had been closed. */
typedef struct rt_suspicion {
    const char *name;
    rt_place place;   /* of the name; line 0: none */
    rt_place bracket; /* that would be closed */
} rt_suspicion;

typedef struct rt_frame {
    struct rt_frame *outer;
    rt_node *node;
    rt_token open; /* its bracket; RT_TOKEN_END for the outermost */
    uint32_t depth;
    uint32_t column; /* its members are indented deeper than this; 0: unknown */
    rt_suspicion suspicion;
    bool is_full;  /* reported already */
    bool is_mixed; /* reported already */
    bool is_ended; /* its closing bracket is inside a string that is not closed */
} rt_frame;

typedef struct rt_seen {
    uint64_t hash;
    const rt_node *node;
} rt_seen;

typedef struct rt_parser {
    rt_reader reader;
    rt_token token; /* the next one */
    rt_frame *frame;
    rt_seen *seen; /* settings by parent and name: open addressing, a power of two */
    size_t seen_count, seen_size;
} rt_parser;

/* --- recover.c ------------------------------------------------------------------------------- */

void rt_parser_next(rt_parser *parser);
void rt_parser_push(rt_parser *parser, rt_frame *frame, rt_node *node, const rt_token *name);
void rt_parser_pop(rt_parser *parser);
/* At a closing bracket: whether the frame ended. If not, the bracket was stray and is skipped. */
bool rt_parser_close(rt_parser *parser);
/* Whether the next token is the bracket that closes the frame. */
bool rt_parser_at_own_close(const rt_parser *parser);
/* Reports the frame's bracket as never closed. */
rt_diagnostic *rt_report_open(rt_parser *parser);
void rt_parser_suspect(rt_parser *parser, const rt_token *name);

/* Whether the next token is a name that most probably begins a setting. */
bool rt_parser_at_setting(const rt_parser *parser);
/* Skips to the next setting or item. */
void rt_parser_recover(rt_parser *parser);
void rt_parser_skip_brackets(rt_parser *parser);
/* "`;`", "a string", …, for messages. */
bool rt_token_is_value(const rt_token *token);
const char *rt_token_description(rt_reader *reader, const rt_token *token);

/* --- value.c --------------------------------------------------------------------------------- */

/* Parses what follows `assign` (or the place of an item, where that is NULL) into the node; false
 * after a problem, and the token it was about may still be there. */
bool rt_parse_value(rt_parser *parser, rt_node *node, const rt_token *name, const rt_token *assign);

/* --- member.c -------------------------------------------------------------------------------- */

/* A node that begins at the token, in the frame's node but not yet among its members. */
rt_node *rt_parser_new_node(rt_parser *parser, const rt_token *token);
/* The first setting of this name in this group, which may be the node itself. */
const rt_node *rt_parser_first_of_name(rt_parser *parser, const rt_node *node);
/* Adds the node to the frame's; reports the first one for which there is no room. */
void rt_parser_add(rt_parser *parser, rt_node *node, const rt_token *token);

/* --- parse.c, items.c ------------------------------------------------------------------------ */

void rt_parse_settings(rt_parser *parser);
void rt_parse_items(rt_parser *parser);

#endif
