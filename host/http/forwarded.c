#include "http/forwarded.h"

#include "http/characters.h"

#include <string.h>

/* What one proxy says of the hop before it. */
typedef struct hop {
    rt_str address, scheme, host;
} hop;

/* The last of what a field lists: only these can be reached over trusted hops. */
typedef struct hops {
    hop items[RT_HOPS_MOST];
    uint32_t count;
} hops;

/* The hop `back` places from the right, from 0. */
static hop *hop_at(hops *list, uint32_t back)
{
    return &list->items[(list->count - 1 - back) % RT_HOPS_MOST];
}

static uint32_t hop_count(const hops *list)
{
    return list->count < RT_HOPS_MOST ? list->count : RT_HOPS_MOST;
}

static hop *add_hop(hops *list)
{
    hop *item = &list->items[list->count++ % RT_HOPS_MOST];
    *item = (hop){0};
    return item;
}

bool rt_trust_holds(const rt_trust *trust, const rt_ip *ip)
{
    for (uint32_t i = 0; i < trust->count; i++)
        if (rt_network_holds(&trust->networks[i], ip))
            return true;
    return false;
}

/* --- Forwarded ------------------------------------------------------------------------------- */

typedef struct cursor {
    const char *at, *end;
} cursor;

static void skip_space(cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\t'))
        c->at++;
}

static bool skip(cursor *c, char which)
{
    if (c->at == c->end || *c->at != which)
        return false;
    c->at++;
    return true;
}

static rt_str take_token(cursor *c)
{
    const char *start = c->at;
    while (c->at < c->end && rt_is(*c->at, RT_TOKEN_CHARACTER))
        c->at++;
    return (rt_str){start, (uint64_t)(c->at - start)};
}

/* Nothing that counts has a backslash in it, so an escape is checked and left as it is. */
static bool take_quoted(cursor *c, rt_str *value)
{
    const char *start = c->at;
    while (c->at < c->end && *c->at != '"') {
        c->at += *c->at == '\\';
        if (c->at == c->end)
            return false;
        c->at++;
    }
    *value = (rt_str){start, (uint64_t)(c->at - start)};
    return skip(c, '"');
}

static bool take_value(cursor *c, rt_str *value)
{
    if (skip(c, '"'))
        return take_quoted(c, value);
    *value = take_token(c);
    return value->length > 0;
}

/* A name stands once in an element (RFC 7239, 4). */
static bool keep(hop *item, rt_str name, rt_str value)
{
    static const struct {
        const char *name;
        size_t offset;
    } names[] = {{"for", offsetof(hop, address)},
                 {"proto", offsetof(hop, scheme)},
                 {"host", offsetof(hop, host)}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        rt_str *place = (rt_str *)((char *)item + names[i].offset);
        if (!rt_http_same(name, names[i].name))
            continue;
        if (place->data)
            return false;
        *place = value;
    }
    return true;
}

static bool take_element(cursor *c, hop *item)
{
    do {
        skip_space(c); /* no space is allowed here, but it is common */
        rt_str name = take_token(c), value;
        if (!name.length) /* `;;` is allowed */
            continue;
        if (!skip(c, '=') || !take_value(c, &value) || !keep(item, name, value))
            return false;
        skip_space(c);
    } while (skip(c, ';'));
    return true;
}

static bool read_forwarded(hops *list, rt_str field)
{
    cursor c = {field.data, field.data + field.length};
    do {
        skip_space(&c);
        if (c.at < c.end && *c.at != ',' && !take_element(&c, add_hop(list)))
            return false;
        skip_space(&c);
    } while (skip(&c, ','));
    return c.at == c.end;
}

/* --- X-Forwarded-… --------------------------------------------------------------------------- */

static bool read_list(hops *list, rt_str field, size_t offset)
{
    const char *at = field.data, *end = field.data + field.length;
    for (const char *stop; at <= end; at = stop + 1) {
        const char *comma = at < end ? memchr(at, ',', (size_t)(end - at)) : NULL;
        stop = comma ? comma : end;
        cursor c = {at, stop};
        skip_space(&c);
        while (c.end > c.at && (c.end[-1] == ' ' || c.end[-1] == '\t'))
            c.end--;
        if (c.at == c.end)
            return false;
        *(rt_str *)((char *)add_hop(list) + offset) = (rt_str){c.at, (uint64_t)(c.end - c.at)};
    }
    return true;
}

/* --- what a hop comes to --------------------------------------------------------------------- */

static bool is_port(const char *at, const char *end)
{
    size_t length = (size_t)(end - at);
    for (const char *c = at; c < end; c++)
        if (!rt_is(*c, RT_DIGIT_CHARACTER))
            return false;
    return length > 0 && length <= 5;
}

/* `1.2.3.4`, `1.2.3.4:5`, `[::1]`, `[::1]:5`; of X-Forwarded-For `::1` too. Nothing else leads on:
 * `unknown` and `_hidden` are names for what the proxy does not tell. */
static bool read_address(rt_ip *ip, rt_str text)
{
    if (!text.length)
        return false;
    const char *start = text.data, *end = start + text.length, *stop = end;
    if (*start == '[') {
        stop = memchr(start, ']', text.length);
        if (!stop || (stop + 1 < end && (stop[1] != ':' || !is_port(stop + 2, end))))
            return false;
        start++;
        return memchr(start, ':', (size_t)(stop - start)) &&
               rt_ip_parse(ip, start, (size_t)(stop - start));
    }
    const char *colon = memchr(start, ':', text.length);
    if (colon && !memchr(colon + 1, ':', (size_t)(end - colon - 1))) {
        stop = colon;
        if (!is_port(colon + 1, end))
            return false;
    }
    return rt_ip_parse(ip, start, (size_t)(stop - start));
}

static void take_scheme(rt_origin *origin, rt_str scheme)
{
    if (rt_http_same(scheme, "https"))
        origin->secure = true;
    else if (rt_http_same(scheme, "http"))
        origin->secure = false;
}

static void take_host(rt_origin *origin, rt_str host)
{
    if (host.length && rt_http_host_valid(host))
        origin->authority = host;
}

/* --- the fields ------------------------------------------------------------------------------ */

typedef struct field_list {
    hops hops;
    bool present, malformed;
} field_list;

static void read_fields(field_list *list, const rt_http_head *head, const char *name, size_t offset)
{
    size_t length = strlen(name);
    for (uint32_t i = 0; i < head->header_count; i++) {
        const rt_header *header = &head->headers[i];
        if (header->name.length != length || !rt_http_same(header->name, name))
            continue;
        list->present = true;
        bool good = offset == SIZE_MAX ? read_forwarded(&list->hops, header->value)
                                       : read_list(&list->hops, header->value, offset);
        list->malformed |= !good;
    }
}

static void follow(rt_origin *origin, hops *list, const rt_trust *trust)
{
    for (uint32_t back = 0; back < hop_count(list); back++) {
        const hop *item = hop_at(list, back);
        take_scheme(origin, item->scheme);
        take_host(origin, item->host);
        if (!read_address(&origin->ip, item->address) || !rt_trust_holds(trust, &origin->ip))
            return;
    }
}

/* Gives the hops what a field beside X-Forwarded-For says. One that lists as many entries was
 * appended to hop by hop; of another only the last entry is surely the nearest proxy's. */
static void lend(hops *to, const rt_http_head *head, const char *name, size_t offset)
{
    field_list list = {0};
    read_fields(&list, head, name, offset);
    if (!list.present || list.malformed || !list.hops.count)
        return;
    bool aligned = list.hops.count == to->count;
    if (!to->count)
        add_hop(to);
    for (uint32_t back = 0; back < (aligned ? hop_count(to) : 1); back++)
        *(rt_str *)((char *)hop_at(to, back) + offset) =
            *(rt_str *)((char *)hop_at(&list.hops, back) + offset);
}

void rt_forwarded_judge(rt_origin *origin, const rt_http_head *head, const rt_trust *trust)
{
    field_list list = {0};
    if (!rt_trust_holds(trust, &origin->ip))
        return;
    read_fields(&list, head, "forwarded", SIZE_MAX);
    if (!list.present) {
        read_fields(&list, head, "x-forwarded-for", offsetof(hop, address));
        if (list.malformed)
            return;
        lend(&list.hops, head, "x-forwarded-proto", offsetof(hop, scheme));
        lend(&list.hops, head, "x-forwarded-host", offsetof(hop, host));
    }
    if (!list.malformed)
        follow(origin, &list.hops, trust);
}
