/* secret_name.h — what a setting's name and a line of a file give away about secrets in it */
#ifndef RT_CONFIG_SECRET_NAME_H
#define RT_CONFIG_SECRET_NAME_H

#include <stdbool.h>
#include <stddef.h>

/* Holds one of password, secret, apikey, … with `_` and `-` ignored. */
bool rt_secret_sounding(const char *name);

/* Sounds like a secret, or would but for a typing slip: the value must not be shown. */
bool rt_secret_like(const char *name);

/* The password in `scheme://user:password@host`, or NULL. */
const char *rt_secret_in_url(const char *text, size_t *length);

/* The line sets something like a secret to anything but a reference, or has a URL with one. */
bool rt_secret_in_line(const char *line);

/* `@env:NAME`, `@file:PATH` or `@credential:NAME`. */
bool rt_secret_is_reference(const char *text);

#endif
