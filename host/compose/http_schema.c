/* The groups of `http`. runtime.conf(5) documents them. */
#include "base/ip.h"
#include "compose/schema.h"

#include <string.h>

static const char token_characters[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    "!#$%&'*+-.^_`|~";

const char *rt_network_check(const char *text)
{
    rt_network network;
    return rt_network_parse(&network, text);
}

static bool is_token(const char *text, size_t length)
{
    return length > 0 && strspn(text, token_characters) >= length;
}

static const char *check_field_name(const char *text)
{
    return is_token(text, strlen(text)) ? NULL : "it has a character that no field name has";
}

static const char *check_media_type(const char *text)
{
    const char *slash = strchr(text, '/'), *star = strchr(text, '*');
    if (!slash || !is_token(text, (size_t)(slash - text)) ||
        !is_token(slash + 1, strlen(slash + 1)))
        return "it is not `type/subtype`; one `*` may stand in it";
    return star && strchr(star + 1, '*') ? "one `*` may stand in it" : NULL;
}

/* scheme://host or scheme://host:port; `*.` before the host stands for one label. */
static const char *check_origin(const char *text)
{
    static const char host_characters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_[]:";
    if (strcmp(text, "*") == 0)
        return NULL;
    size_t scheme = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789+.-");
    if (scheme == 0 || strncmp(text + scheme, "://", 3) != 0)
        return "it is neither `*` nor `scheme://host`";
    const char *host = text + scheme + 3;
    if (strncmp(host, "*.", 2) == 0)
        host += 2;
    size_t length = strspn(host, host_characters);
    if (host[length] == '*')
        return "a `*` stands only for the first label, as in `https://*.example.org`";
    if (host[length] == '/')
        return "an origin has no path, not even `/` at its end";
    return length > 0 && !host[length] ? NULL : "it is neither `*` nor `scheme://host`";
}

static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"};
static const char *const algorithms[] = {"br", "gzip"};
static const char *const formats[] = {"off", "pretty", "json", "combined"};

const rt_option_spec rt_cors_settings[RT_CORS_SETTINGS] = {
    CHECKED("origins", "origin", check_origin, "[]",
            "Who may read: `*`, `https://app.example.org`, `https://*.example.org`; none: off"),
    CHOICES("methods", methods, "[\"GET\", \"HEAD\", \"POST\", \"PUT\", \"PATCH\", \"DELETE\"]",
            "What it may ask"),
    CHECKED("headers", "field name", check_field_name, "[\"Content-Type\"]",
            "Which request headers it may set"),
    CHECKED("expose", "field name", check_field_name, "[\"X-Correlation-Id\"]",
            "Which answer headers it may read"),
    OPTION("credentials", BOOL, "false", NULL, NULL, "Whether it may send cookies along"),
    OPTION("max_age", DURATION, "\"10 min\"", "0 s", "24 h",
           "How long a browser remembers what it may"),
};

const rt_option_spec rt_compression_settings[RT_COMPRESSION_SETTINGS] = {
    CHOICES("algorithms", algorithms, "[\"br\", \"gzip\"]", "The better ones first; none: off"),
    OPTION("min_size", SIZE, "\"1 KiB\"", "0 B", "1 GiB", "Shorter bodies stay as they are"),
    CHECKED("types", "media type", check_media_type,
            "[\"text/html\", \"text/css\", \"text/plain\", \"text/csv\", \"text/xml\", "
            "\"text/markdown\", \"text/javascript\", \"application/javascript\", "
            "\"application/json\", \"application/*+json\", \"application/xml\", "
            "\"application/*+xml\", \"application/wasm\", \"image/svg+xml\"]",
            "What is worth it; one `*` stands for anything"),
    OPTION("level", INT, "5", "1", "9", "1 is fast, 9 is small"),
};

const rt_option_spec rt_access_log_settings[RT_ACCESS_LOG_SETTINGS] = {
    WORDS("format", formats, NULL, "Form of a line; unless set that of the log, and off in test"),
    {.name = "file",
     .type = RT_SETTING_PATH,
     .write = true,
     .help = "File to append to instead of where the log goes"},
    OPTION("query", BOOL, "true", NULL, NULL, "With what stands behind the `?` of targets"),
};
