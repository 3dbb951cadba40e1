/* quantity.h — the texts of options that are more than text */
#ifndef RT_CONFIG_QUANTITY_H
#define RT_CONFIG_QUANTITY_H

#include <stdbool.h>
#include <stdint.h>

/* Each returns NULL and sets `*value`, or says what is wrong with the text. */

/* "250 ms", "1.5 s": units ns us ms s min h d; nanoseconds. */
const char *rt_parse_duration(const char *text, int64_t *value);
/* "16 KiB", "1 MB": units B kB MB GB TB KiB MiB GiB TiB; bytes. */
const char *rt_parse_size(const char *text, int64_t *value);
/* "host:port" or "[v6]:port"; port 0 to 65535. */
const char *rt_parse_address(const char *text);
/* RFC 3986 with an authority: "scheme://host…". */
const char *rt_parse_url(const char *text);

/* The host part of a well-formed address is this machine only. */
bool rt_address_is_loopback(const char *text);

#endif
