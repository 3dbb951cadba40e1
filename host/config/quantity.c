#include "config/quantity.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct unit {
    const char *name;
    double factor;
};

static const struct unit durations[] = {
    {"ns", 1},     {"us", 1e3},   {"ms", 1e6},    {"s", 1e9},
    {"min", 60e9}, {"h", 3600e9}, {"d", 86400e9}, {NULL, 0},
};
static const struct unit sizes[] = {
    {"B", 1},         {"kB", 1e3},         {"MB", 1e6},
    {"GB", 1e9},      {"TB", 1e12},        {"KiB", 1024},
    {"MiB", 1048576}, {"GiB", 1073741824}, {"TiB", 1099511627776.0},
    {NULL, 0},
};

static const char *parse_quantity(const char *text, const struct unit *units, const char *unknown,
                                  const char *missing, int64_t *value)
{
    char *end;
    if (!isdigit((unsigned char)text[0]))
        return "it does not start with a number";
    errno = 0;
    double number = strtod(text, &end);
    if (strspn(text, "0123456789.") != (size_t)(end - text))
        return "the number is malformed";
    while (*end == ' ')
        end++;
    if (!*end)
        return missing;
    for (; units->name; units++) {
        if (strcmp(units->name, end) != 0)
            continue;
        double product = number * units->factor;
        if (errno || product >= 9.2e18)
            return "it is too large";
        *value = (int64_t)llround(product);
        return NULL;
    }
    return unknown;
}

const char *rt_parse_duration(const char *text, int64_t *value)
{
    return parse_quantity(text, durations, "the unit is none of ns, us, ms, s, min, h, d",
                          "it has no unit", value);
}

const char *rt_parse_size(const char *text, int64_t *value)
{
    return parse_quantity(text, sizes, "the unit is none of B, kB, MB, GB, TB, KiB, MiB, GiB, TiB",
                          "it has no unit", value);
}

static const char *parse_port(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || text[digits])
        return "the port is not a number";
    if (digits > 5 || atoi(text) > 65535)
        return "the port is beyond 65535";
    return NULL;
}

static const char *parse_bracketed(const char *text)
{
    const char *close = strchr(text, ']');
    if (!close || close == text + 1)
        return "the `[` of an IPv6 address has no `]`";
    if (strspn(text + 1, "0123456789abcdefABCDEF:.%") != (size_t)(close - text - 1))
        return "the part in brackets is no IPv6 address";
    if (close[1] != ':')
        return "it has no `:port`";
    return parse_port(close + 2);
}

const char *rt_parse_address(const char *text)
{
    static const char host_characters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_*";
    if (text[0] == '[')
        return parse_bracketed(text);
    const char *colon = strchr(text, ':');
    if (!colon)
        return "it has no `:port`";
    if (strchr(colon + 1, ':'))
        return "an IPv6 address stands in brackets, as in `[::1]:8080`";
    if (colon == text)
        return "it has no host; `0.0.0.0` listens on all of IPv4, `[::]` on all of IPv6";
    if (strspn(text, host_characters) != (size_t)(colon - text))
        return "the host has a character that no host name has";
    return parse_port(colon + 1);
}

const char *rt_parse_url(const char *text)
{
    size_t scheme = 0;
    while (isalnum((unsigned char)text[scheme]) ||
           (scheme && strchr("+-.", text[scheme]) && text[scheme]))
        scheme++;
    if (scheme == 0 || strncmp(text + scheme, "://", 3) != 0)
        return "it does not start with a scheme and `://`";
    const char *host = text + scheme + 3;
    if (!*host || strchr("/?#:", *host))
        return "it has no host";
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c <= ' ' || *c == 0x7f || strchr("<>\"{}|\\^`", *c))
            return "it has a character that must be %-encoded";
    return NULL;
}

bool rt_address_is_loopback(const char *text)
{
    static const char *const prefixes[] = {"127.", "localhost:", "[::1]:", "[::ffff:127.", "unix:"};
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (strncmp(text, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    return false;
}
