/* lex.h — inside the configuration reader: sources, characters, tokens, problems
 *
 * A reader holds a stack of sources: the main file and, above it, what is being included. The lexer
 * takes characters from the innermost source and gives tokens; while it does, it copies every byte
 * but the @include directives into `flat`, which libconfig reads afterwards. Tokens never cross the
 * end of a source. A lexical problem is reported where it is found and yields RT_TOKEN_BAD, about
 * which the parser says nothing more.
 */
#ifndef RT_CONFIG_LEX_H
#define RT_CONFIG_LEX_H

#include "config/config.h"

#include <sys/types.h>

enum {
    RT_CONFIG_FILE_LIMIT = 1 << 20,
    RT_CONFIG_TREE_LIMIT = 2 << 20,
    RT_CONFIG_GROUP_LIMIT = 1024,
    RT_CONFIG_LIST_LIMIT = 65536,
    RT_CONFIG_DEPTH_LIMIT = 32,
    RT_CONFIG_INCLUDE_DEPTH = 10,
    RT_CONFIG_INCLUDE_LIMIT = 1024,
    RT_CONFIG_NAME_LIMIT = 255,
    RT_CONFIG_PROBLEM_LIMIT = 100,
    RT_CONFIG_LINE_LIMIT = 1000, /* longer lines are not shown with a problem */
};

typedef struct rt_source {
    const char *path; /* its address tells sources apart */
    const char *text;
    size_t length;
    size_t next; /* offset of the next character */
    uint32_t line, column;
    size_t line_start;
    uint32_t token_line;   /* where the last token ended */
    size_t flat_from;      /* bytes before it are in `flat` already */
    const char *line_text; /* copy of line `line_text_of`, shared by all its places */
    uint32_t line_text_of;
    const char *origin; /* "FILE:LINE", shared like it */
    uint32_t origin_of;
    struct rt_source *includer; /* NULL for the main file */
    rt_place included_at;
    uint32_t depth;
    dev_t device;
    ino_t inode;             /* 0 if the text did not come from a file */
    struct rt_source *older; /* in the reader's list of all */
} rt_source;

typedef struct rt_reader {
    rt_arena *arena;
    rt_diagnostics *diagnostics; /* where problems go: `unheard` once there were too many */
    rt_diagnostics unheard;
    rt_diagnostics *heard; /* the caller's */
    size_t heard_before;   /* how many others it held */
    size_t problems;
    rt_source *source; /* the innermost */
    rt_source *sources;
    const char *path, *folder; /* of the main file; the folder ends in `/` or is empty */
    const char *label;         /* of a lone value: the origin of all nodes; NULL: file and line */
    bool is_full;              /* nothing more is included */
    bool is_secret;            /* what is read now is the value of what sounds like a secret */
    uint32_t includes;
    size_t size; /* of all sources */
    rt_buffer flat;
    rt_buffer scratch; /* of source.c */
    rt_buffer piece;   /* a string as it grows */
} rt_reader;

typedef enum rt_token_kind {
    RT_TOKEN_END, /* of one source; the parser decides whether anything is still open there */
    RT_TOKEN_NAME,
    RT_TOKEN_WORD, /* what is nothing else; the parser knows what it should have been */
    RT_TOKEN_STRING,
    RT_TOKEN_INT,
    RT_TOKEN_FLOAT,
    RT_TOKEN_BOOL,
    RT_TOKEN_OPEN,  /* { [ ( */
    RT_TOKEN_CLOSE, /* } ] ) */
    RT_TOKEN_ASSIGN,
    RT_TOKEN_COMMA,
    RT_TOKEN_SEMICOLON,
    RT_TOKEN_BAD, /* reported already */
} rt_token_kind;

typedef struct rt_token {
    rt_token_kind kind;
    rt_source *source;
    rt_place place;
    const char *raw; /* in the source, not terminated */
    size_t raw_length;
    bool starts_line; /* only blanks before it */
    bool is_long;
    bool is_open; /* a string without its closing quote */
    union {
        int64_t integer;
        double real;
        const char *text;
    } value;
} rt_token;

/* --- source.c: characters, places, problems -------------------------------------------------- */

/* The byte `ahead` of the next one, or -1 behind the end. */
static inline int rt_source_look(const rt_source *source, size_t ahead)
{
    size_t at = source->next + ahead;
    return at < source->length ? (unsigned char)source->text[at] : -1;
}

/* Steps over `count` characters that are ASCII and end no line. */
static inline void rt_source_skip(rt_source *source, size_t count)
{
    source->next += count;
    source->column += (uint32_t)count;
}

/* Steps over one character; one that may not stand in a file is reported, with all of its kind
 * behind it, and gives false. */
bool rt_reader_take(rt_reader *reader);
/* Whether the next character may stand in a file; a tab and the end of a line may. */
bool rt_source_is_fair(const rt_source *source);

/* The place of `length` characters from a line and column that is not behind the next character. */
rt_place rt_source_place(rt_reader *reader, rt_source *source, uint32_t line, uint32_t column,
                         uint32_t length);
/* The place of what was stepped over since `column` on this line. */
rt_place rt_source_since(rt_reader *reader, rt_source *source, uint32_t column);
const char *rt_source_origin(rt_reader *reader, rt_source *source, uint32_t line);

/* A copy that fits a message: shortened, without control characters or invalid UTF-8. */
const char *rt_excerpt(rt_reader *reader, const char *text, size_t length);
/* The same of a value; one that may be a secret is not shown. */
const char *rt_excerpt_value(rt_reader *reader, const char *text, size_t length);

#define RT_PROBLEM(reader, name, place, ...) \
    rt_reader_reported(reader, RT_DIAGNOSE((reader)->diagnostics, name, place, ##__VA_ARGS__))
/* Notes where the file was included; counts, and shuts the reader up when there are too many. */
rt_diagnostic *rt_reader_reported(rt_reader *reader, rt_diagnostic *diagnostic);
/* Reads no further: every token from here on is an end, and nothing more is reported. */
void rt_reader_give_up(rt_reader *reader);
bool rt_reader_gave_up(const rt_reader *reader);
/* A bracket that is never closed is noticed late; people read a file from its start. */
void rt_reader_sort_problems(rt_reader *reader);

/* --- include.c: files ------------------------------------------------------------------------ */

/* Opens the main file, or takes the text for it; false after a problem was reported. */
bool rt_reader_open(rt_reader *reader, const char *path);
bool rt_reader_open_text(rt_reader *reader, const char *path, const char *text, size_t length);
/* At `@include`: opens the file, which becomes the innermost source; false after a problem. */
bool rt_reader_include(rt_reader *reader);
/* At the end of an included source: back to the includer. */
void rt_reader_leave(rt_reader *reader);
/* Copies what lies before the next character and is not in `flat` yet. */
void rt_reader_flatten(rt_reader *reader, rt_source *source);

/* --- string.c, number.c, lex.c: tokens ------------------------------------------------------- */

void rt_lex_string(rt_reader *reader, rt_token *token);
/* The file name of an @include; NULL after a problem was reported. */
const char *rt_lex_file_name(rt_reader *reader, rt_place *place);
/* Reads the token's raw text as a number: false if it is none, and its kind stays. */
bool rt_lex_number(rt_reader *reader, rt_token *token);
void rt_report_not_a_number(rt_reader *reader, const rt_token *token);

void rt_lex(rt_reader *reader, rt_token *token);
/* Makes a name or word that stands where a value should as long as people meant it:
 * `127.0.0.1` becomes `127.0.0.1:8080`, `http` becomes `http://host/`. */
void rt_lex_extend(rt_reader *reader, rt_token *token);
/* Whether `=` or `:` follows the token, over blanks and comments. */
bool rt_lex_assigns(const rt_token *token);

/* --- confirm.c ------------------------------------------------------------------------------- */

/* Has libconfig read `flat` and compares it with the tree, or with the one value that it holds. */
void rt_config_confirm(rt_reader *reader, const rt_node *root, bool is_value);

#endif
