/* config.h — a configuration file as a tree of nodes, each with its place
 *
 * The grammar is libconfig's. The lexical pass (lex.c) is the judge: it walks the file and
 * all it includes, reports every problem it finds, and builds the tree. libconfig then reads the
 * same bytes (includes already in place, so that no file is read twice) and must agree on every
 * path, type and value (confirm.c); a disagreement is a diagnostic of its own.
 *
 * Limits: 1 MiB a file and 2 MiB with all it includes, 1,024 settings in a group, 65,536 items in
 * an array or list, brackets 32 deep, includes 10 deep and 1,024 in all, 100 problems reported.
 */
#ifndef RT_CONFIG_CONFIG_H
#define RT_CONFIG_CONFIG_H

#include "base/diagnostic.h"

typedef enum rt_node_type {
    RT_NODE_GROUP, /* { … } */
    RT_NODE_ARRAY, /* [ … ] scalars of one type */
    RT_NODE_LIST,  /* ( … ) anything */
    RT_NODE_INT,   /* 32 bits, or 64 with the suffix L */
    RT_NODE_FLOAT,
    RT_NODE_BOOL,
    RT_NODE_STRING,
} rt_node_type;

typedef struct rt_node {
    const char *name; /* NULL in arrays and lists, "" at the top */
    rt_node_type type;
    rt_place name_place;  /* of the name; of the value where there is no name */
    rt_place value_place; /* of the value, or of its opening bracket */
    const char *raw;      /* a scalar as written, escapes and quotes and all */
    union {
        int64_t integer; /* also bool */
        double real;
        const char *text; /* NUL-terminated; NUL itself cannot occur */
    } value;
    bool is_long; /* an integer with the suffix L */
    struct rt_node *parent;
    struct rt_node *first, *last, *next; /* members in the order of the file */
    uint32_t count;                      /* of members */
    const char *origin; /* "etc/runtime.conf:14", "environment variable RT_…", "--set" */
} rt_node;

/* Reads a file and what it includes. Returns the top group, or NULL after an error was added to
 * `diagnostics`. Includes are relative to the folder of `path`. */
rt_node *rt_config_read(rt_arena *arena, rt_diagnostics *diagnostics, const char *path);

/* The same from memory; `path` names it in messages, and includes are relative to its folder. */
rt_node *rt_config_parse(rt_arena *arena, rt_diagnostics *diagnostics, const char *path,
                         const char *text, size_t length);

/* One value (a scalar, array, list or group) in the same syntax, for --set, environment variables
 * and defaults. Nothing may follow it and it may include nothing; `label` names it in messages and
 * is the origin of its nodes. NULL after an error was added. */
rt_node *rt_config_parse_value(rt_arena *arena, rt_diagnostics *diagnostics, const char *label,
                               const char *text);

/* A node without place or value. */
rt_node *rt_node_new(rt_arena *arena, const char *name, rt_node_type type);
rt_node *rt_node_member(const rt_node *group, const char *name);
/* "a string", "an integer", …, for messages. */
const char *rt_node_type_name(rt_node_type type);

#endif
