#include "process/address.h"

#include "config/listener.h"
#include "http/http.h"

#include <stdlib.h>
#include <string.h>

bool rt_plan_serves_routes(const rt_plan *plan)
{
    for (size_t i = 0; i < plan->instance_count; i++)
        if (plan->instances[i].serves & RT_SERVES_ROUTES)
            return true;
    return false;
}

/* The words behind an address are not part of it: another generation may have others. */
static bool is_same(const char *a, const char *b)
{
    size_t length = strcspn(a, " ");
    return length == strcspn(b, " ") && memcmp(a, b, length) == 0;
}

static rt_address *find(const rt_addresses *addresses, const char *text, uint32_t flags)
{
    rt_address *address = addresses->first;
    while (address && (!is_same(address->text, text) || address->flags != flags))
        address = address->next;
    return address;
}

rt_address *rt_address_add(rt_addresses *addresses, const char *text, uint32_t flags)
{
    rt_address *address = rt_xcalloc(1, sizeof *address);
    rt_arena_init(&address->arena);
    address->text = rt_arena_copy(&address->arena, text);
    address->flags = flags;
    address->next = addresses->first;
    return addresses->first = address;
}

static void remove_address(rt_address **at)
{
    rt_address *address = *at;
    *at = address->next;
    rt_sockets_close(&address->sockets);
    rt_arena_free(&address->arena);
    free(address);
}

static rt_address *open_address(rt_addresses *addresses, rt_arena *arena, const char *text,
                                uint32_t flags, const char **error)
{
    rt_address *address = rt_address_add(addresses, text, flags);
    if (rt_listen(&address->sockets, &address->arena, text, error) == 0)
        return address;
    *error = rt_arena_format(arena, "cannot listen on `%s`%s: %s", text,
                             flags & RT_LISTEN_ADMIN ? " (`admin.listen`)" : "", *error);
    remove_address(&addresses->first);
    return NULL;
}

static const char *url_by_flags(rt_arena *arena, const rt_socket *socket)
{
    bool secure = socket->flags & RT_LISTEN_TLS && strncmp(socket->url, "http:", 5) == 0;
    return rt_arena_format(arena, "%s%s", secure ? "https" : "", socket->url + (secure ? 4 : 0));
}

static void add_to_view(rt_sockets *view, rt_arena *arena, const rt_address *address,
                        const char *text)
{
    for (size_t i = 0; i < address->sockets.count; i++) {
        rt_socket socket = address->sockets.items[i];
        socket.flags = rt_listen_flags(text) | address->flags;
        socket.url = url_by_flags(arena, &socket);
        rt_push(arena, view->items, view->count) = socket;
    }
}

static int open_list(rt_addresses *addresses, rt_arena *arena, const rt_setting *listen,
                     uint32_t flags, rt_sockets *view, const char **error)
{
    for (uint32_t i = 0; listen && i < listen->count; i++) {
        const char *text = listen->value.members[i].value.text;
        rt_address *found = find(addresses, text, flags);
        if (!found)
            found = open_address(addresses, arena, text, flags, error);
        if (!found)
            return -1;
        add_to_view(view, arena, found, text);
    }
    return 0;
}

int rt_addresses_open(rt_addresses *addresses, rt_arena *arena, const rt_plan *plan,
                      rt_sockets *view, const char **error)
{
    const rt_setting *http = rt_plan_serves_routes(plan) ? plan->host.http.listen : NULL;
    *view = (rt_sockets){0};
    if (open_list(addresses, arena, http, 0, view, error) < 0)
        return -1;
    return open_list(addresses, arena, plan->host.admin.listen, RT_LISTEN_ADMIN, view, error);
}

static uint32_t mode_of(const char *text)
{
    rt_listener_spec spec;
    return rt_listener_parse(&spec, text) ? 0 : spec.mode;
}

/* Only where the words have changed: the mode that somebody gave the file by hand stays. */
static void settle_list(const rt_addresses *addresses, const rt_setting *listen, uint32_t flags)
{
    for (uint32_t i = 0; listen && i < listen->count; i++) {
        const char *text = listen->value.members[i].value.text;
        rt_address *address = find(addresses, text, flags);
        if (!address || strcmp(address->text, text) == 0)
            continue;
        if (mode_of(address->text) != mode_of(text))
            rt_listen_set_mode(&address->sockets, text);
        address->text = rt_arena_copy(&address->arena, text);
    }
}

void rt_addresses_settle(rt_addresses *addresses, const rt_plan *plan)
{
    settle_list(addresses, plan->host.http.listen, 0);
    settle_list(addresses, plan->host.admin.listen, RT_LISTEN_ADMIN);
}

static bool is_viewed(const rt_sockets *view, const rt_address *address)
{
    for (size_t i = 0; view && i < view->count; i++)
        if (address->sockets.count && view->items[i].fd == address->sockets.items[0].fd)
            return true;
    return false;
}

void rt_addresses_keep(rt_addresses *addresses, const rt_sockets *view)
{
    for (rt_address **at = &addresses->first; *at;) {
        if (is_viewed(view, *at))
            at = &(*at)->next;
        else
            remove_address(at);
    }
}
