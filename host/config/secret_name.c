#include "config/secret_name.h"

#include "base/suggest.h"

#include <ctype.h>
#include <string.h>

#define LONGEST_NAME 255

static const char *const words[] = {"password",  "secret",     "apikey",
                                    "token",     "credential", "privatekey",
                                    "accesskey", "passphrase", "connectionstring"};
#define WORD_COUNT (sizeof words / sizeof words[0])

static void make_plain(char *plain, const char *name)
{
    size_t length = 0;
    for (; *name && length < LONGEST_NAME; name++)
        if (*name != '_' && *name != '-')
            plain[length++] = (char)tolower((unsigned char)*name);
    plain[length] = '\0';
}

static bool holds_word(const char *plain)
{
    for (size_t i = 0; i < WORD_COUNT; i++)
        if (strstr(plain, words[i]))
            return true;
    return false;
}

bool rt_secret_sounding(const char *name)
{
    char plain[LONGEST_NAME + 1];
    make_plain(plain, name);
    return holds_word(plain);
}

static bool is_abbreviation(const char *plain)
{
    static const char *const abbreviations[] = {"pw", "psw", "pword", "creds", "auth"};
    for (size_t i = 0; i < sizeof abbreviations / sizeof abbreviations[0]; i++)
        if (strcmp(plain, abbreviations[i]) == 0)
            return true;
    return false;
}

bool rt_secret_like(const char *name)
{
    char plain[LONGEST_NAME + 1];
    make_plain(plain, name);
    /* One slip in a short word, two in a long one: `select` is not meant as `secret`. */
    rt_suggestion suggestion = {.word = plain, .distance = strlen(plain) < 7 ? 2 : 3};
    for (size_t i = 0; i < WORD_COUNT; i++)
        rt_suggest(&suggestion, words[i]);
    return suggestion.nearest || holds_word(plain) || is_abbreviation(plain) ||
           strstr(plain, "passw") || strstr(plain, "pwd");
}

bool rt_secret_is_reference(const char *text)
{
    static const char *const prefixes[] = {"@env:", "@file:", "@credential:"};
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (strncmp(text, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    return false;
}

static bool is_name_character(char c)
{
    return isalnum((unsigned char)c) || c == '-' || c == '_' || c == '*';
}

/* Whether a value that must not be shown follows the name, which ends at `end`: behind a `=`, or in
 * quotes where that was forgotten. */
static bool is_assigned(const char *end)
{
    const char *quote = end + strspn(end, " \t;,");
    if (quote > end && *quote == '"')
        return !rt_secret_is_reference(quote + 1);
    end += strspn(end, " \t\"");
    if (*end != '=' && *end != ':')
        return false;
    end += 1 + strspn(end + 1, " \t");
    return !(*end == '"' && rt_secret_is_reference(end + 1));
}

const char *rt_secret_in_url(const char *text, size_t *length)
{
    for (const char *at = text; (at = strstr(at, "://"));) {
        at += 3;
        const char *end = at + strcspn(at, "/?#\" \t"),
                   *colon = memchr(at, ':', (size_t)(end - at));
        while (end > at && *end != '@')
            end--;
        if (!colon || end <= colon + 1)
            continue;
        *length = (size_t)(end - colon - 1);
        return colon + 1;
    }
    return NULL;
}

bool rt_secret_in_line(const char *line)
{
    size_t password;
    if (rt_secret_in_url(line, &password))
        return true;
    char name[LONGEST_NAME + 1];
    while (*line) {
        size_t length = 0;
        while (is_name_character(line[length]))
            length++;
        if (length && length <= LONGEST_NAME) {
            memcpy(name, line, length);
            name[length] = '\0';
            if (rt_secret_like(name) && is_assigned(line + length))
                return true;
        }
        line += length ? length : 1;
    }
    return false;
}
