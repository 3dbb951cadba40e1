#include "base/ip.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

rt_ip rt_ip_of_bytes(const void *bytes, size_t count)
{
    rt_ip ip = {.version = count == 4 ? 4 : 6};
    const uint8_t *from = bytes;
    if (count == 16 && memcmp(from, mapped, sizeof mapped) == 0) {
        ip.version = 4;
        from += sizeof mapped;
        count = 4;
    }
    memcpy(ip.bytes, from, count);
    return ip;
}

rt_ip rt_ip_of_socket(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return rt_ip_of_bytes(&((const struct sockaddr_in *)address)->sin_addr, 4);
    if (address->sa_family == AF_INET6)
        return rt_ip_of_bytes(&((const struct sockaddr_in6 *)address)->sin6_addr, 16);
    return (rt_ip){0};
}

bool rt_ip_parse(rt_ip *ip, const char *text, size_t length)
{
    char copy[RT_IP_TEXT];
    uint8_t bytes[16];
    if (length == 0 || length >= sizeof copy)
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    if (strlen(copy) != length)
        return false;
    bool colon = strchr(copy, ':') != NULL;
    if (inet_pton(colon ? AF_INET6 : AF_INET, copy, bytes) != 1)
        return false;
    *ip = rt_ip_of_bytes(bytes, colon ? 16 : 4);
    return true;
}

static char *put_decimal(char *at, unsigned value)
{
    if (value >= 100)
        *at++ = (char)('0' + value / 100);
    if (value >= 10)
        *at++ = (char)('0' + value / 10 % 10);
    *at++ = (char)('0' + value % 10);
    return at;
}

size_t rt_ip_text(const rt_ip *ip, char text[RT_IP_TEXT])
{
    char *at = text;
    text[0] = '\0';
    if (ip->version == 6)
        return inet_ntop(AF_INET6, ip->bytes, text, RT_IP_TEXT) ? strlen(text) : 0;
    for (int i = 0; ip->version == 4 && i < 4; i++) {
        if (i)
            *at++ = '.';
        at = put_decimal(at, ip->bytes[i]);
    }
    *at = '\0';
    return (size_t)(at - text);
}

/* --- networks -------------------------------------------------------------------------------- */

static bool has_bits_beyond(const rt_ip *ip, unsigned bits)
{
    for (unsigned i = bits; i < (ip->version == 4 ? 32u : 128u); i++)
        if (ip->bytes[i / 8] >> (7 - i % 8) & 1)
            return true;
    return false;
}

static const char *parse_bits(rt_network *network, const char *text, bool was_mapped)
{
    unsigned most = was_mapped || network->base.version == 6 ? 128 : 32;
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 3 || text[digits] || (unsigned)atoi(text) > most)
        return most == 32 ? "the length of the prefix is no number from 0 to 32"
                          : "the length of the prefix is no number from 0 to 128";
    unsigned bits = (unsigned)atoi(text);
    if (was_mapped && bits < 96)
        return "the prefix of a mapped IPv4 address is at least 96 bits long";
    network->bits = (uint8_t)(was_mapped ? bits - 96 : bits);
    return has_bits_beyond(&network->base, network->bits)
               ? "the address has bits set beyond the prefix"
               : NULL;
}

const char *rt_network_parse(rt_network *network, const char *text)
{
    size_t length = strcspn(text, "/");
    *network = (rt_network){0};
    if (strcmp(text, "unix:") == 0)
        return NULL;
    if (!rt_ip_parse(&network->base, text, length))
        return "it is neither an IP address, a network as `10.0.0.0/8`, nor `unix:`";
    bool is_mapped = network->base.version == 4 && memchr(text, ':', length);
    network->bits = network->base.version == 4 ? 32 : 128;
    return text[length] ? parse_bits(network, text + length + 1, is_mapped) : NULL;
}

bool rt_network_holds(const rt_network *network, const rt_ip *ip)
{
    unsigned whole = network->bits / 8, rest = network->bits % 8;
    if (network->base.version != ip->version)
        return false;
    if (memcmp(network->base.bytes, ip->bytes, whole) != 0)
        return false;
    return !rest || (network->base.bytes[whole] ^ ip->bytes[whole]) >> (8 - rest) == 0;
}
