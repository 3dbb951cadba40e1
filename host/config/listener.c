#include "config/listener.h"

#include "base/suggest.h"
#include "config/quantity.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_MODE 0660u

typedef const char *word_function(rt_listener_spec *spec, const char *value);

static const char *take_tls(rt_listener_spec *spec, const char *value)
{
    (void)value;
    bool twice = spec->tls;
    spec->tls = true;
    return twice ? "`tls` stands twice" : NULL;
}

static const char *take_proxy_protocol(rt_listener_spec *spec, const char *value)
{
    (void)value;
    bool twice = spec->proxy_protocol;
    spec->proxy_protocol = true;
    return twice ? "`proxy_protocol` stands twice" : NULL;
}

static const char *take_mode(rt_listener_spec *spec, const char *value)
{
    size_t digits = strspn(value, "01234567");
    if (!spec->path)
        return "`mode` is for unix sockets";
    if (spec->mode != UINT32_MAX)
        return "`mode` stands twice";
    if (digits < 3 || digits > 4 || value[digits] || strtoul(value, NULL, 8) > 0777)
        return "the mode is not octal, as in `mode=0660`";
    spec->mode = (uint32_t)strtoul(value, NULL, 8);
    return NULL;
}

static const struct {
    const char *name; /* with `=` if a value follows */
    word_function *take;
    const char *meant;
} words[] = {
    {"tls", take_tls, "a word behind the address is unknown; did you mean `tls`?"},
    {"proxy_protocol", take_proxy_protocol,
     "a word behind the address is unknown; did you mean `proxy_protocol`?"},
    {"mode=", take_mode, "a word behind the address is unknown; did you mean `mode=0660`?"},
};
#define WORDS (sizeof words / sizeof words[0])

/* What it says stands in no message, for a reference may stand for the entry. */
static const char *unknown_word(const char *word)
{
    rt_suggestion suggestion;
    rt_suggest_begin(&suggestion, word);
    for (size_t i = 0; i < WORDS; i++)
        rt_suggest(&suggestion, words[i].name);
    for (size_t i = 0; i < WORDS; i++)
        if (words[i].name == suggestion.nearest)
            return words[i].meant;
    return "behind the address stand only `tls`, `proxy_protocol` and `mode=`";
}

static const char *take_word(rt_listener_spec *spec, const char *word)
{
    for (size_t i = 0; i < WORDS; i++) {
        size_t length = strlen(words[i].name);
        bool valued = words[i].name[length - 1] == '=';
        if (valued ? strncmp(word, words[i].name, length) == 0 : strcmp(word, words[i].name) == 0)
            return words[i].take(spec, word + length);
    }
    return unknown_word(word);
}

static const char *judge_path(rt_listener_spec *spec)
{
    if (strncmp(spec->address, "unix:", 5) != 0)
        return rt_parse_address(spec->address);
    spec->path = spec->address + 5;
    if (spec->path[0] != '/' || !spec->path[1])
        return "the path of a unix socket is absolute, as in `unix:/run/rt/http.sock`";
    if (strlen(spec->path) > RT_UNIX_PATH_MOST)
        return "the path of a unix socket has at most 107 bytes";
    return NULL;
}

static const char *parse_words(rt_listener_spec *spec, const char *text)
{
    const char *problem = NULL;
    while (!problem && *(text += strspn(text, " "))) {
        char word[32];
        size_t length = strcspn(text, " ");
        if (length >= sizeof word)
            return unknown_word("");
        memcpy(word, text, length);
        word[length] = '\0';
        problem = take_word(spec, word);
        text += length;
    }
    return problem;
}

const char *rt_listener_parse(rt_listener_spec *spec, const char *text)
{
    size_t length = strcspn(text, " ");
    *spec = (rt_listener_spec){.mode = UINT32_MAX};
    if (length >= sizeof spec->address)
        return "it is too long";
    memcpy(spec->address, text, length);
    const char *problem = judge_path(spec);
    if (!problem)
        problem = parse_words(spec, text + length);
    if (spec->mode == UINT32_MAX)
        spec->mode = DEFAULT_MODE;
    return problem;
}

const char *rt_listener_check(const char *text)
{
    rt_listener_spec spec;
    return rt_listener_parse(&spec, text);
}

const char *rt_listener_check_plain(const char *text)
{
    rt_listener_spec spec;
    const char *problem = rt_listener_parse(&spec, text);
    if (!problem && (spec.tls || spec.proxy_protocol))
        problem = "this listener speaks plain HTTP, without `tls` and `proxy_protocol`";
    return problem;
}
