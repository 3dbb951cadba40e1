/* http_time.c — the dates of RFC 9110, 5.6.7 */
#include "http/file.h"

#include <stdio.h>
#include <string.h>

static const char days[] = "SunMonTueWedThuFriSat";
static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

void rt_http_time_write(int64_t time, char text[RT_TIME_SIZE])
{
    struct tm parts;
    time_t seconds = (time_t)time;
    gmtime_r(&seconds, &parts);
    snprintf(text, RT_TIME_SIZE, "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT",
             days + parts.tm_wday * 3, (unsigned)parts.tm_mday % 100, months + parts.tm_mon * 3,
             (unsigned)(parts.tm_year + 1900) % 10000, (unsigned)parts.tm_hour % 100,
             (unsigned)parts.tm_min % 100, (unsigned)parts.tm_sec % 100);
}

/* In the C locale a program keeps unless it asks for another, which the host does not. */
int64_t rt_http_time_read(rt_str text)
{
    static const char *const forms[] = {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT",
                                        "%a %b %d %H:%M:%S %Y"};
    char copy[64];
    if (!text.length || text.length >= sizeof copy || memchr(text.data, '\0', text.length))
        return -1;
    memcpy(copy, text.data, text.length);
    copy[text.length] = '\0';
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct tm parts = {0};
        const char *end = strptime(copy, forms[i], &parts);
        if (end && !*end)
            return (int64_t)timegm(&parts);
    }
    return -1;
}
