/* Listening sockets that stay over generations. */
#include "harness.h"

#include "process/address.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define MOST 4

static rt_arena arena;
static rt_addresses addresses;

/* A plan that serves on these; its sockets in `view`. */
static int open_all(const char *const *texts, uint32_t count, rt_sockets *view)
{
    static rt_plan_instance instance = {.serves = RT_SERVES_ROUTES};
    rt_setting members[MOST] = {0};
    rt_setting listen = {.type = RT_SETTING_LIST, .count = count, .value.members = members};
    rt_plan plan = {.instances = &instance, .instance_count = 1, .host.http.listen = &listen};
    const char *error = NULL;
    for (uint32_t i = 0; i < count; i++)
        members[i] = (rt_setting){.type = RT_SETTING_ADDRESS, .value.text = texts[i]};
    int result = rt_addresses_open(&addresses, &arena, &plan, view, &error);
    if (result == 0)
        rt_addresses_keep(&addresses, view);
    CU_ASSERT_TRUE(result == 0 || error);
    return result;
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void begin(void)
{
    rt_arena_init(&arena);
    addresses = (rt_addresses){0};
}

static void end(void)
{
    rt_addresses_keep(&addresses, NULL);
    CU_ASSERT_PTR_NULL(addresses.first);
    rt_arena_free(&arena);
}

static void an_address_that_stays_keeps_its_socket(void)
{
    rt_sockets first, second;
    begin();
    CU_ASSERT_EQUAL(open_all((const char *[]){"127.0.0.1:0", "127.0.0.2:0"}, 2, &first), 0);
    CU_ASSERT_EQUAL(open_all((const char *[]){"127.0.0.3:0", "127.0.0.1:0"}, 2, &second), 0);
    CU_ASSERT_EQUAL(first.count, 2);
    CU_ASSERT_EQUAL(second.count, 2);
    CU_ASSERT_EQUAL(second.items[1].fd, first.items[0].fd);
    CU_ASSERT_STRING_EQUAL(second.items[1].url, first.items[0].url);
    CU_ASSERT_NOT_EQUAL(strcmp(second.items[0].url, first.items[0].url), 0);
    int fresh = second.items[0].fd, kept = second.items[1].fd;
    end();
    CU_ASSERT_FALSE(is_open(fresh));
    CU_ASSERT_FALSE(is_open(kept));
}

static void an_address_that_nobody_names_is_closed(void)
{
    rt_sockets first, second;
    begin();
    CU_ASSERT_EQUAL(open_all((const char *[]){"127.0.0.1:0", "127.0.0.2:0"}, 2, &first), 0);
    CU_ASSERT_EQUAL(open_all((const char *[]){"127.0.0.1:0"}, 1, &second), 0);
    CU_ASSERT_TRUE(is_open(first.items[0].fd));
    CU_ASSERT_FALSE(is_open(first.items[1].fd));
    end();
}

static void one_that_cannot_be_opened_is_named_and_the_others_stay(void)
{
    rt_sockets first, second;
    begin();
    CU_ASSERT_EQUAL(open_all((const char *[]){"127.0.0.1:0"}, 1, &first), 0);
    const char *taken = strrchr(first.items[0].url, '/') + 1;
    CU_ASSERT_EQUAL(open_all((const char *[]){"127.0.0.1:0", taken}, 2, &second), -1);
    CU_ASSERT_EQUAL(open_all((const char *[]){"nonsense"}, 1, &second), -1);
    CU_ASSERT_TRUE(is_open(first.items[0].fd));
    CU_ASSERT_EQUAL(open_all((const char *[]){"127.0.0.1:0"}, 1, &second), 0);
    CU_ASSERT_EQUAL(second.items[0].fd, first.items[0].fd);
    end();
}

RT_TEST_MAIN("address",
             {"an address that stays keeps its socket", an_address_that_stays_keeps_its_socket},
             {"an address that nobody names is closed", an_address_that_nobody_names_is_closed},
             {"one that cannot be opened is named and the others stay",
              one_that_cannot_be_opened_is_named_and_the_others_stay})
