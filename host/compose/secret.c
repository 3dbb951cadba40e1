/* Secrets: references to them, and values that should have been one. */
#include "compose/internal.h"

#include "base/reason.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define SECRET_SIZE_LIMIT ((size_t)64 << 10)

const char *rt_variable(const rt_composer *composer, const char *name)
{
    size_t length = strlen(name);
    for (char **variable = composer->request->variables; variable && *variable; variable++)
        if (strncmp(*variable, name, length) == 0 && (*variable)[length] == '=')
            return *variable + length + 1;
    return NULL;
}

static void unresolved(rt_composer *composer, const char *path, const rt_node *node,
                       const char *what, const char *why)
{
    rt_diagnostic *diagnostic =
        RT_DIAGNOSE(composer->diagnostics, SECRET_UNRESOLVED, &node->value_place, path, what, why);
    if (composer->request->no_secrets || composer->judging_disabled)
        rt_set_severity(composer->diagnostics, diagnostic, RT_INFO);
}

static const char *from_variable(rt_composer *composer, const char *path, const rt_node *node,
                                 const char *name)
{
    const char *value = rt_variable(composer, name);
    if (!value)
        unresolved(composer, path, node, name, "the environment variable is not set");
    else
        rt_push(composer->arena, composer->secret_variables, composer->secret_variable_count) =
            name;
    return value;
}

void rt_secret_judge_mode(rt_composer *composer, const rt_node *node, const char *file)
{
    struct stat status;
    if (stat(file, &status) < 0 || !(status.st_mode & S_IROTH))
        return;
    rt_diagnostic *diagnostic =
        RT_DIAGNOSE(composer->diagnostics, SECRET_FILE_READABLE, &node->value_place, file);
    rt_help(diagnostic, "chmod o= %s", file);
    if (composer->strict)
        rt_set_severity(composer->diagnostics, diagnostic, RT_ERROR);
}

static const char *from_file(rt_composer *composer, const char *path, const rt_node *node,
                             const char *name)
{
    const char *file = rt_relative_path(composer, name);
    rt_buffer content = {0};
    int result = rt_buffer_read_file(&content, file, SECRET_SIZE_LIMIT);
    const char *value = NULL;
    if (result < 0) {
        unresolved(composer, path, node, file, rt_reason(-result));
    } else if (memchr(content.data, '\0', content.length)) {
        unresolved(composer, path, node, file, "the file holds a NUL byte");
    } else {
        size_t length = content.length;
        if (length && content.data[length - 1] == '\n')
            length--;
        value = rt_arena_copy_n(composer->arena, content.data, length);
        rt_secret_judge_mode(composer, node, file);
    }
    if (content.data)
        explicit_bzero(content.data, content.length);
    rt_buffer_free(&content);
    return value;
}

static const char *from_credential(rt_composer *composer, const char *path, const rt_node *node,
                                   const char *name)
{
    const char *folder = rt_variable(composer, "CREDENTIALS_DIRECTORY");
    if (!folder) {
        unresolved(composer, path, node, name, "systemd passed no credentials");
        return NULL;
    }
    if (!*name || strchr(name, '/')) { /* else it could leave the folder */
        unresolved(composer, path, node, name, "this is not the name of a credential");
        return NULL;
    }
    return from_file(composer, path, node, rt_arena_format(composer->arena, "%s/%s", folder, name));
}

static const struct {
    const char *prefix;
    const char *(*resolve)(rt_composer *, const char *, const rt_node *, const char *);
} references[] = {
    {"@env:", from_variable},
    {"@file:", from_file},
    {"@credential:", from_credential},
};

rt_secret_outcome rt_secret_resolve(rt_composer *composer, const char *path, const rt_node *node,
                                    const char **text)
{
    const char *value = node->value.text;
    *text = value;
    if (value[0] != '@')
        return RT_SECRET_PLAIN;
    if (value[1] == '@') {
        *text = value + 1;
        return RT_SECRET_PLAIN;
    }
    for (size_t i = 0; i < sizeof references / sizeof references[0]; i++) {
        size_t length = strlen(references[i].prefix);
        if (strncmp(value, references[i].prefix, length) != 0)
            continue;
        *text = references[i].resolve(composer, path, node, value + length);
        return *text ? RT_SECRET_RESOLVED : RT_SECRET_MISSING;
    }
    rt_diagnostic *diagnostic =
        RT_DIAGNOSE(composer->diagnostics, UNKNOWN_REFERENCE, &node->value_place, path);
    rt_help(diagnostic, "references are `@env:NAME`, `@file:PATH` and `@credential:NAME`; "
                        "a value that starts with `@` is written `@@…`");
    return RT_SECRET_MISSING;
}

/* Compares letters and digits only, so that CHANGE_ME and change-me are one. */
static bool same_word(const char *text, const char *word)
{
    for (;; text++) {
        if (*text == '_' || *text == '-' || *text == ' ' || *text == '<' || *text == '>')
            continue;
        if (tolower((unsigned char)*text) != *word)
            return false;
        if (!*word++)
            return true;
    }
}

bool rt_secret_is_placeholder(const char *text)
{
    return same_word(text, "") || same_word(text, "placeholder") || same_word(text, "changeme");
}

void rt_secret_judge_literal(rt_composer *composer, const char *path, const rt_node *node)
{
    /* A variable is the environment, not the file; --set shows in the process list. */
    bool set = node->origin && strcmp(node->origin, "--set") == 0;
    if (!node->value_place.line && !set)
        return;
    if (set && !composer->strict)
        return;
    rt_diagnostic *diagnostic =
        set ? RT_DIAGNOSE(composer->diagnostics, SECRET_BY_SET, &node->value_place, path)
            : RT_DIAGNOSE(composer->diagnostics, SECRET_LITERAL, &node->value_place, path);
    rt_help(diagnostic, "use `@env:NAME`, `@file:PATH` or `@credential:NAME`");
    if (composer->strict)
        rt_set_severity(composer->diagnostics, diagnostic, RT_ERROR);
}

static void note(rt_composer *composer, const char *secret)
{
    if (!rt_secret_is_placeholder(secret))
        rt_push(composer->arena, composer->secrets, composer->secret_count) = secret;
}

/* As whoever connects with it will have it. */
static const char *decoded(rt_arena *arena, const char *text)
{
    char *plain = rt_arena_copy(arena, text), *out = plain;
    for (unsigned byte; *text; text++) {
        bool escape = text[0] == '%' && isxdigit((unsigned char)text[1]) &&
                      isxdigit((unsigned char)text[2]) && sscanf(text + 1, "%2x", &byte) == 1;
        *out++ = escape ? (char)byte : *text;
        text += escape ? 2 : 0;
    }
    *out = '\0';
    return plain;
}

void rt_secret_note(rt_composer *composer, const char *text, bool whole)
{
    size_t length;
    const char *password = rt_secret_in_url(text, &length);
    if (whole)
        note(composer, text);
    if (!password)
        return;
    password = rt_arena_copy_n(composer->arena, password, length);
    note(composer, password);
    note(composer, decoded(composer->arena, password));
}

/* --- lines that hold one --------------------------------------------------------------------- */

void rt_secret_hide(rt_composer *composer, const rt_place *place)
{
    if (place->line)
        rt_push(composer->arena, composer->secret_lines, composer->secret_line_count) = *place;
}

static bool is_hidden(const rt_composer *composer, const rt_place *place)
{
    for (size_t i = 0; i < composer->secret_line_count; i++)
        if (composer->secret_lines[i].line == place->line &&
            strcmp(composer->secret_lines[i].file, place->file) == 0)
            return true;
    return rt_secret_in_line(place->source);
}

void rt_secret_redact(rt_composer *composer)
{
    for (size_t i = 0; i < composer->diagnostics->count; i++) {
        rt_place *place = &composer->diagnostics->items[i]->place;
        if (place->source && is_hidden(composer, place))
            place->source = NULL;
    }
}
