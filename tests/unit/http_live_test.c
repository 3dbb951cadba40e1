/* Event streams and WebSockets over real connections. */
#include "http_kit.h"

#include <fcntl.h>

#include "http/websocket_frame.h"

static _Atomic int ends, last_result, received_codes;
static _Atomic bool go_on;
static rt_response *shared_response;
static rt_websocket *shared_socket;
static rt_channel *channel;

/* --- event streams: handlers ----------------------------------------------------------------- */

static int events(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    const int wrong = -RT_EINVALID_ARGUMENT;
    RT_TRY(rt_host_sse_begin(ctx, request, response));
#define SEND(...) \
    rt_host_sse_send(ctx, response, &(rt_sse_event){.size = sizeof(rt_sse_event), __VA_ARGS__})
    CU_ASSERT_EQUAL(SEND(.name = RT_STR("a\nb")), wrong);
    CU_ASSERT_EQUAL(SEND(.id = RT_STR("a\rb")), wrong);
    CU_ASSERT_EQUAL(SEND(.id = RT_STR("a\0b")), wrong);
    RT_TRY(SEND(.data = rt_host_request_header(request, "last-event-id")));
    RT_TRY(SEND(.name = RT_STR("news"), .id = RT_STR("7"), .data = RT_STR("one\ntwo\r\nthree\r"),
                .retry = RT_MS(1500)));
    RT_TRY(SEND(.id = RT_STR("")));
    RT_TRY(SEND(.data = RT_STR("")));
    return 0;
}

static void count_end(void *argument)
{
    ends++;
    rt_host_channel_close(argument);
}

/* Waits for something else than its client, as most do. */
static int follow(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    void *item;
    channel = rt_host_channel_new(4);
    RT_TRY(rt_host_sse_begin(ctx, request, response));
    RT_TRY(rt_host_stream_on_end(ctx, response, count_end, channel));
    CU_ASSERT_EQUAL(rt_host_stream_ends(response), request->method == RT_HEAD);
    sleeping++;
    int result = rt_host_channel_receive(ctx, channel, &item);
    sleeping--;
    cancelled += result == -RT_ECANCELED;
    last_result = result == -RT_EOUT_OF_RANGE ? SEND(.data = RT_STR("late")) : result;
    rt_host_channel_free(channel);
    return last_result;
}

static int tick(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    RT_TRY(rt_host_sse_begin(ctx, request, response));
    sleeping++;
    while (!go_on)
        RT_TRY(rt_host_sleep(ctx, RT_MS(1)));
    sleeping--;
    return SEND(.data = RT_STR("tick"));
}

typedef struct call {
    const rt_request *request;
    rt_response *response;
} call;

static int tick_within(rt_ctx *ctx, void *argument)
{
    call *c = argument;
    return tick(ctx, c->request, c->response);
}

static int nested(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    call c = {request, response};
    return rt_host_run(ctx, &(rt_run_options){.size = sizeof(rt_run_options)}, tick_within, &c);
}

/* Sends from a unit of its own until it cannot. */
static int flood(rt_ctx *ctx, void *argument)
{
    static char data[30000];
    int result = 0;
    (void)argument;
    memset(data, 'd', sizeof data);
    while (result == 0)
        result = rt_host_sse_send(
            ctx, shared_response,
            &(rt_sse_event){.size = sizeof(rt_sse_event), .data = {data, sizeof data}});
    last_result = result;
    ends++;
    return 0;
}

/* Ends while others wait to send on it. */
static int shared(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    RT_TRY(rt_host_sse_begin(ctx, request, response));
    shared_response = response;
    for (int i = 0; i < 3; i++)
        RT_TRY(rt_host_run_async(
            &(rt_run_options){.size = sizeof(rt_run_options), .instance = &instance}, flood, NULL));
    while (!go_on)
        RT_TRY(rt_host_sleep(ctx, RT_MS(1)));
    return 0;
}

/* --- WebSockets: handlers -------------------------------------------------------------------- */

static int accept_socket(rt_ctx *ctx, const rt_request *request, rt_response *response,
                         rt_websocket **socket, rt_websocket_options options)
{
    options.size = sizeof options;
    return rt_host_websocket_accept(ctx, request, response, &options, socket);
}

static int echo_on(rt_ctx *ctx, rt_websocket *socket)
{
    rt_websocket_message message = {.size = sizeof message};
    int result;
    sleeping++;
    while ((result = rt_host_websocket_receive(ctx, socket, &message)) > 0 && result == 1) {
        result = rt_host_websocket_send(ctx, socket, message.type, message.data.data,
                                        message.data.length);
        if (result < 0)
            break;
    }
    sleeping--;
    cancelled += result == -RT_ECANCELED;
    last_result = result;
    received_codes = (int)message.close_code;
    return result;
}

static int echo_socket(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    rt_websocket *socket;
    RT_TRY(accept_socket(ctx, request, response, &socket,
                         (rt_websocket_options){.subprotocols = "chat.v2, chat.v1"}));
    return echo_on(ctx, socket);
}

static int guarded(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    rt_websocket *socket;
    RT_TRY(accept_socket(ctx, request, response, &socket,
                         (rt_websocket_options){.origins = "https://a.example, https://b.example",
                                                .uncompressed = 1,
                                                .max_message = 10}));
    return echo_on(ctx, socket);
}

/* /ends/{how} */
static int ending(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    rt_websocket *socket;
    rt_websocket_message message = {.size = sizeof message};
    char how = rt_host_request_param(request, "how").data[0];
    RT_TRY(accept_socket(ctx, request, response, &socket, (rt_websocket_options){0}));
    if (how == 'd')
        rt_host_die(ctx, "a defect");
    if (how == 'f')
        return rt_host_fail(ctx, RT_EINTERNAL, "a failure");
    if (how == 'c') {
        CU_ASSERT_EQUAL(rt_host_websocket_close(ctx, socket, 1005, NULL), -RT_EINVALID_ARGUMENT);
        CU_ASSERT_EQUAL(rt_host_websocket_close(ctx, socket, 4000, "\xff"), -RT_EINVALID_ARGUMENT);
        CU_ASSERT_EQUAL(rt_host_websocket_close(ctx, socket, 4000, "enough"), 0);
        CU_ASSERT_EQUAL(rt_host_websocket_send(ctx, socket, 1, "x", 1), -RT_EFAILED_PRECONDITION);
        CU_ASSERT_EQUAL(rt_host_websocket_receive(ctx, socket, &message), -RT_EFAILED_PRECONDITION);
    }
    CU_ASSERT_EQUAL(rt_host_websocket_send(ctx, socket, 3, "x", 1), -RT_EINVALID_ARGUMENT);
    if (how == 'n')
        CU_ASSERT_EQUAL(rt_host_websocket_send(ctx, socket, 1, "\xff", 1), -RT_EINVALID_ARGUMENT);
    return 0;
}

#define SENDERS 4
#define MESSAGE 150000 /* bytes: three frames */

static int send_many(rt_ctx *ctx, void *argument)
{
    char *data = rt_host_alloc(ctx, MESSAGE);
    memset(data, 'a' + (int)(intptr_t)argument, MESSAGE);
    for (int i = 0; i < 5; i++)
        RT_TRY(rt_host_websocket_send(ctx, shared_socket, RT_WEBSOCKET_TEXT, data, MESSAGE));
    return 0;
}

static int crowd(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    RT_TRY(accept_socket(ctx, request, response, &shared_socket, (rt_websocket_options){0}));
    for (intptr_t i = 0; i < SENDERS; i++)
        rt_host_spawn(ctx, send_many, (void *)i);
    return echo_on(ctx, shared_socket);
}

static void add_live(rt_router *router)
{
    static const struct {
        uint32_t method;
        const char *pattern;
        rt_handler handler;
    } routes[] = {
        {RT_GET, "/events", events},   {RT_GET, "/follow", follow},
        {RT_GET, "/tick", tick},       {RT_GET, "/nested", nested},
        {RT_GET, "/shared", shared},   {RT_GET, "/ws", echo_socket},
        {RT_POST, "/ws", echo_socket}, {RT_GET, "/guarded", guarded},
        {RT_GET, "/crowd", crowd},     {RT_GET, "/ends/{how}", ending},
    };
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++)
        CU_ASSERT_EQUAL(rt_router_add(router, &instance, 0, routes[i].method, routes[i].pattern,
                                      routes[i].handler, NULL, NULL),
                        0);
}

static void run(rt_http_options options, void (*with)(void))
{
    more_routes = add_live;
    go_on = false;
    ends = sleeping = cancelled = received_codes = 0;
    last_result = 1;
    serve(options, with);
}

static void reset(int fd)
{
    struct linger now = {1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd);
}

/* --- event streams --------------------------------------------------------------------------- */

static void events_client(void)
{
    char text[1024] = "";
    int fd = dial();
    tell(fd, "GET /events HTTP/1.1\r\nHost: a\r\nLast-Event-ID: 6\r\n\r\n");
    CU_ASSERT_EQUAL(hear_head(fd), 200);
    CU_ASSERT_TRUE(said("Content-Type: text/event-stream\r\n"));
    CU_ASSERT_TRUE(said("Cache-Control: no-cache\r\n"));
    CU_ASSERT_TRUE(said("X-Accel-Buffering: no\r\n"));
    CU_ASSERT_TRUE(hear_chunks(fd, text, sizeof text) > 0);
    CU_ASSERT_STRING_EQUAL(text, "data: 6\n\n"
                                 "event: news\nid: 7\nretry: 1500\n"
                                 "data: one\ndata: two\ndata: three\ndata: \n\n"
                                 "id: \n\n"
                                 "data: \n\n");
    tell(fd, "HEAD /follow HTTP/1.1\r\nHost: a\r\n\r\n" GET("/hello"));
    CU_ASSERT_EQUAL(hear_head(fd), 200);
    CU_ASSERT_EQUAL(hear(fd), 200); /* nobody listens, so it has ended */
    CU_ASSERT_EQUAL(ends, 1);
    close(fd);
}

static void event_text(void)
{
    run((rt_http_options){0}, events_client);
}

static void be_silent(const char *request)
{
    char text[64];
    int fd = dial(), witness = dial();
    go_on = false;
    tell(fd, request);
    CU_ASSERT_EQUAL(hear_head(fd), 200);
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(recv(fd, text, 8, MSG_WAITALL), 8);
        CU_ASSERT_EQUAL(memcmp(text, "3\r\n:\n\n\r\n", 8), 0);
    }
    tell(witness, GET("/sleep")); /* what has a deadline reaches it */
    CU_ASSERT_EQUAL(hear(witness), 504);
    go_on = true;
    char rest[4096] = "";
    CU_ASSERT_TRUE(hear_chunks(fd, rest, sizeof rest) > 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(rest, "data: tick\n\n"));
    close(fd);
    close(witness);
}

static void silence_client(void)
{
    be_silent(GET("/tick"));
    be_silent(GET("/nested")); /* in work within the handler's */
}

static void silence(void)
{
    run((rt_http_options){.ping_interval = RT_MS(20), .request_timeout = RT_MS(40)},
        silence_client);
}

static void leaver_client(void)
{
    int fd = dial();
    tell(fd, GET("/follow"));
    CU_ASSERT_EQUAL(hear_head(fd), 200);
    CU_ASSERT_TRUE(reaches(&sleeping, 1));
    close(fd); /* in order, as browsers do */
    CU_ASSERT_TRUE(reaches(&cancelled, 1));
    CU_ASSERT_EQUAL(ends, 0);
}

static void leaver(void)
{
    run((rt_http_options){0}, leaver_client);
}

static void event_drain_client(void)
{
    char text[64] = "";
    int fd = dial(), late = dial(), late_witness = dial();
    tell(fd, GET("/follow"));
    CU_ASSERT_EQUAL(hear_head(fd), 200);
    CU_ASSERT_TRUE(reaches(&sleeping, 1));
    tell(late, "GET /events HTTP/1.1\r\n"); /* so that it is not idle */
    catch_up(late_witness);
    command(DRAIN);
    retired = true;
    CU_ASSERT_EQUAL(hear_chunks(fd, text, sizeof text), 0); /* whole, and nothing was sent */
    CU_ASSERT_EQUAL(last_result, -RT_EUNAVAILABLE);
    CU_ASSERT_EQUAL(ends, 1);
    CU_ASSERT_EQUAL(cancelled, 0);
    tell(late, HOST "\r\n");
    CU_ASSERT_EQUAL(hear_last(late, true), 503);
    close(late_witness);
    close(fd);
    close(late);
}

static void event_drain(void)
{
    run((rt_http_options){0}, event_drain_client);
}

static bool is_blocked(void)
{
    return seen.blocked == 1;
}

static void shared_client(void)
{
    int fd = dial();
    tell(fd, GET("/shared"));
    CU_ASSERT_EQUAL(hear_head(fd), 200);
    CU_ASSERT_TRUE(looks(is_blocked));
    go_on = true;
    CU_ASSERT_TRUE(reaches(&ends, 3));
    CU_ASSERT_EQUAL(last_result, -RT_ECANCELED);
    reset(fd);
}

static void outlived(void)
{
    run((rt_http_options){0}, shared_client);
}

/* --- a client of WebSockets ------------------------------------------------------------------ */

#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define UPGRADE "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define OPEN(path) "GET " path " HTTP/1.1\r\n" HOST UPGRADE KEY VERSION "\r\n"

static void tell_frame(int fd, uint8_t first, const char *payload, size_t length)
{
    rt_buffer frame = {0};
    char head[RT_WS_HEAD_LIMIT];
    size_t size = rt_ws_head(head, 0, false, false, length);
    head[0] = (char)first;
    head[1] = (char)(head[1] | 0x80);
    rt_buffer_add(&frame, head, size);
    rt_buffer_add(&frame, "\1\2\3\4", 4);
    for (size_t i = 0; i < length; i++)
        rt_buffer_char(&frame, (char)(payload[i] ^ "\1\2\3\4"[i & 3]));
    CU_ASSERT_EQUAL(send(fd, frame.data, frame.length, MSG_NOSIGNAL), (ssize_t)frame.length);
    rt_buffer_free(&frame);
}

static char payload[1 << 17];
static size_t payload_length;

/* The first byte of the next frame, with its payload in `payload`; -1 at the end. */
static int hear_frame(int fd)
{
    uint8_t head[10];
    if (recv(fd, head, 2, MSG_WAITALL) != 2)
        return -1;
    size_t more = head[1] == 127 ? 8 : head[1] == 126 ? 2 : 0;
    payload_length = more ? 0 : head[1];
    if (more && recv(fd, head + 2, more, MSG_WAITALL) != (ssize_t)more)
        return -1;
    for (size_t i = 0; i < more; i++)
        payload_length = payload_length << 8 | head[2 + i];
    CU_ASSERT_FATAL(payload_length < sizeof payload);
    if (payload_length && recv(fd, payload, payload_length, MSG_WAITALL) != (ssize_t)payload_length)
        return -1;
    payload[payload_length] = 0;
    return head[0];
}

/* The next frame is a close with the code, and then the connection ends. */
static bool hear_close(int fd, int code)
{
    int first = hear_frame(fd);
    int told = payload_length >= 2 ? (uint8_t)payload[0] << 8 | (uint8_t)payload[1] : 1005;
    if (first != 0x88 || told != code)
        printf("\n    %02x %d instead of a close with %d\n", (unsigned)first, told, code);
    return first == 0x88 && told == code && ended(fd);
}

static int open_socket(const char *request)
{
    int fd = dial();
    tell(fd, request);
    CU_ASSERT_EQUAL(hear_head(fd), 101);
    return fd;
}

/* --- WebSockets ------------------------------------------------------------------------------ */

static void handshake_client(void)
{
    static const struct {
        const char *request;
        int status;
        const char *has;
    } cases[] = {
        {OPEN("/ws"), 101, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"},
        {GET("/ws"), 426, "Upgrade: websocket\r\n"},
        {"POST /ws HTTP/1.1\r\n" HOST UPGRADE KEY VERSION "\r\n", 405, "Allow: GET\r\n"},
        {"HEAD /ws HTTP/1.1\r\n" HOST UPGRADE KEY VERSION "\r\n", 405, "Allow: GET\r\n"},
        {"GET /ws HTTP/1.0\r\n" HOST UPGRADE KEY VERSION "\r\n", 400, "HTTP/1.1"},
        {"GET /ws HTTP/1.1\r\n" HOST UPGRADE KEY "\r\n", 426, "Sec-WebSocket-Version: 13\r\n"},
        {"GET /ws HTTP/1.1\r\n" HOST UPGRADE KEY "Sec-WebSocket-Version: 8\r\n\r\n", 426,
         "Sec-WebSocket-Version: 13\r\n"},
        {"GET /ws HTTP/1.1\r\n" HOST "Upgrade: h2c\r\nConnection: Upgrade\r\n" KEY VERSION "\r\n",
         426, "Upgrade: websocket\r\n"},
        {"GET /ws HTTP/1.1\r\n" HOST "Upgrade: websocket\r\n" KEY VERSION "\r\n", 400, "upgrade"},
        {"GET /ws HTTP/1.1\r\n" HOST UPGRADE VERSION "\r\n", 400, "Sec-WebSocket-Key"},
        {"GET /ws HTTP/1.1\r\n" HOST UPGRADE VERSION "Sec-WebSocket-Key: abc\r\n\r\n", 400, "Key"},
        {"GET /ws HTTP/1.1\r\n" HOST UPGRADE VERSION
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQAA\r\n\r\n",
         400, "Key"},
        {"GET /ws HTTP/1.1\r\n" HOST UPGRADE KEY KEY VERSION "\r\n", 400, "Key"},
        {"GET /ws HTTP/1.1\r\n" HOST UPGRADE KEY VERSION "Content-Length: 1\r\n\r\nx", 400, "body"},
        {"GET /ws HTTP/1.1\r\n" HOST UPGRADE KEY VERSION "Origin: https://a\r\n\r\n", 101, ""},
        {"GET /ws HTTP/1.1\r\n" HOST UPGRADE KEY VERSION "Origin: https://A\r\n\r\n", 101, ""},
        {"GET /ws HTTP/1.1\r\n" HOST UPGRADE KEY VERSION "Origin: https://b\r\n\r\n", 403, "b"},
        {"GET /ws HTTP/1.1\r\n" HOST UPGRADE KEY VERSION "Origin: https://a:1\r\n\r\n", 403, ""},
        {"GET /ws HTTP/1.1\r\n" HOST UPGRADE KEY VERSION "Origin: null\r\n\r\n", 403, ""},
        {"GET /guarded HTTP/1.1\r\n" HOST UPGRADE KEY VERSION "Origin: https://b.example\r\n\r\n",
         101, ""},
        {"GET /guarded HTTP/1.1\r\n" HOST UPGRADE KEY VERSION "Origin: https://a\r\n\r\n", 403, ""},
        {"GET /ws HTTP/1.1\r\n" HOST UPGRADE KEY VERSION
         "Sec-WebSocket-Protocol: chat.v1\r\nSec-WebSocket-Protocol: x, chat.v2\r\n\r\n",
         101, "Sec-WebSocket-Protocol: chat.v2\r\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int fd = dial();
        tell(fd, cases[i].request);
        int status = strncmp(cases[i].request, "HEAD", 4) ? hear(fd) : hear_head(fd);
        if (status != cases[i].status)
            printf("\n    %s: %d\n", cases[i].request, status);
        CU_ASSERT_EQUAL(status, cases[i].status);
        CU_ASSERT_TRUE(said(cases[i].has));
        reset(fd);
    }
    int fd = dial();
    tell(fd, "GET /ws HTTP/1.1\r\n" HOST UPGRADE KEY VERSION "Sec-WebSocket-Protocol: x\r\n\r\n");
    CU_ASSERT_EQUAL(hear_head(fd), 101);
    CU_ASSERT_PTR_NULL(strstr(reply, "Protocol:"));
    reset(fd);
}

static void handshake(void)
{
    run((rt_http_options){0}, handshake_client);
}

static void messages_client(void)
{
    int fd = dial();
    char first[512] = OPEN("/ws"); /* with a message right behind it */
    size_t length = strlen(first);
    memcpy(first + length, "\x81\x82\0\0\0\0hi", 8);
    CU_ASSERT_EQUAL(send(fd, first, length + 8, MSG_NOSIGNAL), (ssize_t)length + 8);
    CU_ASSERT_EQUAL(hear_head(fd), 101);
    CU_ASSERT_EQUAL(hear_frame(fd), 0x81);
    CU_ASSERT_STRING_EQUAL(payload, "hi");
    tell_frame(fd, 0x02, "a", 1);
    tell_frame(fd, 0x89, "are you there", 13);
    CU_ASSERT_EQUAL(hear_frame(fd), 0x8a);
    CU_ASSERT_STRING_EQUAL(payload, "are you there");
    tell_frame(fd, 0x80, "b", 1);
    CU_ASSERT_EQUAL(hear_frame(fd), 0x82);
    CU_ASSERT_STRING_EQUAL(payload, "ab");
    static char big[100000];
    memset(big, 'B', sizeof big);
    tell_frame(fd, 0x82, big, sizeof big);
    CU_ASSERT_EQUAL(hear_frame(fd), 0x02); /* in fragments */
    size_t total = payload_length;
    while (total < sizeof big && hear_frame(fd) >= 0)
        total += payload_length;
    CU_ASSERT_EQUAL(total, sizeof big);
    tell_frame(fd, 0x88, "\x0f\xa0 bye", 6);
    CU_ASSERT_TRUE(hear_close(fd, 4000));
    CU_ASSERT_EQUAL(received_codes, 4000);
    CU_ASSERT_EQUAL(last_result, 0);
    close(fd);
    fd = open_socket(OPEN("/ws"));
    tell_frame(fd, 0x88, "", 0);
    CU_ASSERT_TRUE(hear_close(fd, 1005));
    CU_ASSERT_EQUAL(received_codes, 1005);
    close(fd);
}

static void messages(void)
{
    run((rt_http_options){0}, messages_client);
}

static void wrong_client(void)
{
    static const struct {
        uint8_t first;
        const char *payload;
        int code;
    } cases[] = {
        {0x83, "", 1002},
        {0xc1, "a", 1002},
        {0x80, "a", 1002},
        {0x81, "\xff", 1007},
        {0x88, "\x03", 1002},
        {0x88, "\x03\xed", 1002},
        {0x88, "\x03\xe8\xff", 1007},
        {0x82, "01234567890", 1009},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        last_result = 1;
        int fd = open_socket("GET /guarded HTTP/1.1\r\n" HOST UPGRADE KEY VERSION
                             "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n");
        CU_ASSERT_PTR_NULL(strstr(reply, "Extensions"));
        tell_frame(fd, cases[i].first, cases[i].payload, strlen(cases[i].payload));
        CU_ASSERT_TRUE(hear_close(fd, cases[i].code));
        CU_ASSERT_TRUE(reaches(&last_result, -RT_EINVALID_ARGUMENT));
        close(fd);
    }
    int fd = open_socket(OPEN("/guarded"));
    CU_ASSERT_EQUAL(send(fd, "\x81\x01x", 3, MSG_NOSIGNAL), 3); /* without a mask */
    CU_ASSERT_TRUE(hear_close(fd, 1002));
    close(fd);
}

static void wrong(void)
{
    run((rt_http_options){0}, wrong_client);
}

static void deflate_client(void)
{
    int fd = open_socket("GET /ws HTTP/1.1\r\n" HOST UPGRADE KEY VERSION
                         "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
                         "\r\n");
    CU_ASSERT_TRUE(said("Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=12; "
                        "client_max_window_bits=12\r\n"));
    tell_frame(fd, 0xc1, "\xf2\x48\xcd\xc9\xc9\x07\x00", 7);
    CU_ASSERT_EQUAL(hear_frame(fd), 0x81); /* too short to be worth it */
    CU_ASSERT_STRING_EQUAL(payload, "Hello");
    tell_frame(fd, 0xc1, "\xf2\x00\x11\x00\x00", 5); /* the same, by context takeover */
    CU_ASSERT_EQUAL(hear_frame(fd), 0x81);
    CU_ASSERT_STRING_EQUAL(payload, "Hello");
    static char same[5000];
    memset(same, 's', sizeof same);
    tell_frame(fd, 0x81, same, sizeof same);
    CU_ASSERT_EQUAL(hear_frame(fd), 0xc1);
    CU_ASSERT_TRUE(payload_length < 100);
    tell_frame(fd, 0xc1, "\xff\xff\xff\xff", 4);
    CU_ASSERT_TRUE(hear_close(fd, 1007));
    close(fd);
}

static void deflated(void)
{
    run((rt_http_options){0}, deflate_client);
}

static void ends_client(void)
{
    static const struct {
        const char *request;
        int code;
    } cases[] = {{OPEN("/ends/normal"), 1000},
                 {OPEN("/ends/defect"), 1011},
                 {OPEN("/ends/failure"), 1011},
                 {OPEN("/ends/close"), 4000}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int fd = open_socket(cases[i].request);
        CU_ASSERT_TRUE(hear_close(fd, cases[i].code));
        close(fd);
    }
}

static void handlers_end(void)
{
    run((rt_http_options){0}, ends_client);
}

static void socket_drain_client(void)
{
    int fd = open_socket(OPEN("/ws"));
    CU_ASSERT_TRUE(reaches(&sleeping, 1));
    command(DRAIN);
    retired = true;
    CU_ASSERT_TRUE(hear_close(fd, 1001));
    CU_ASSERT_EQUAL(last_result, -RT_EUNAVAILABLE);
    CU_ASSERT_EQUAL(cancelled, 0);
    close(fd);
}

static void socket_drain(void)
{
    run((rt_http_options){0}, socket_drain_client);
}

static void vanish_client(void)
{
    for (int in_order = 0; in_order < 2; in_order++) {
        int fd = open_socket(OPEN("/ws"));
        CU_ASSERT_TRUE(reaches(&sleeping, 1));
        if (in_order)
            close(fd);
        else
            reset(fd);
        CU_ASSERT_TRUE(reaches(&cancelled, in_order + 1));
    }
}

static void vanishes(void)
{
    run((rt_http_options){0}, vanish_client);
}

static void ping_client(void)
{
    int fd = open_socket(OPEN("/ws"));
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(hear_frame(fd), 0x89);
        tell_frame(fd, 0x8a, "", 0);
    }
    CU_ASSERT_EQUAL(cancelled, 0);
    while (hear_frame(fd) == 0x89) /* no more answers */
        ;
    CU_ASSERT_TRUE(reaches(&cancelled, 1));
    close(fd);
}

static void pings(void)
{
    run((rt_http_options){.ping_interval = RT_MS(40)}, ping_client);
}

/* One who pings and does not read must not fill our memory. */
static void flood_client(void)
{
    int fd = open_socket(OPEN("/ws"));
    static char many[131 * 4000];
    for (size_t i = 0; i < sizeof many; i += 131)
        memcpy(many + i, "\x89\xfd\0\0\0\0", 6);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    size_t sent = 0;
    for (int stuck = 0; stuck < 50 && sent < 64u << 20;) {
        ssize_t n = send(fd, many + sent % 131, sizeof many - sent % 131, MSG_NOSIGNAL);
        stuck = n > 0 ? 0 : stuck + 1;
        sent += n > 0 ? (size_t)n : 0;
        if (n <= 0)
            look();
    }
    look();
    CU_ASSERT_TRUE(seen.most_out <= RT_STREAM_WINDOW);
    reset(fd);
    CU_ASSERT_TRUE(reaches(&cancelled, 1));
}

static void ping_flood(void)
{
    run((rt_http_options){0}, flood_client);
}

static void crowd_client(void)
{
    int fd = open_socket(OPEN("/crowd")), counts[SENDERS] = {0};
    for (int i = 0; i < SENDERS * 5; i++) {
        size_t total = 0;
        char letter = 0;
        for (int first = 0; !(first & 0x80); total += payload_length) {
            first = hear_frame(fd);
            CU_ASSERT_FATAL(first >= 0);
            CU_ASSERT_EQUAL(first & 15, letter ? RT_WS_CONTINUATION : RT_WS_TEXT);
            letter = letter ? letter : payload[0];
            CU_ASSERT_EQUAL(payload[0], letter); /* no two are mixed */
            CU_ASSERT_EQUAL(payload[payload_length - 1], letter);
            if (i == 3 && !(first & 0x80))
                tell_frame(fd, 0x81, "x", 1); /* it receives meanwhile, and answers in turn */
        }
        if (letter == 'x') {
            i--;
            continue;
        }
        CU_ASSERT_EQUAL(total, MESSAGE);
        counts[letter - 'a']++;
    }
    for (int i = 0; i < SENDERS; i++)
        CU_ASSERT_EQUAL(counts[i], 5);
    reset(fd);
}

static void senders(void)
{
    run((rt_http_options){0}, crowd_client);
}

RT_TEST_MAIN("http_live", {"events as text, and none for HEAD", event_text},
             {"a silent stream shows life and has no deadline", silence},
             {"a listener who leaves cancels the handler", leaver},
             {"draining ends event streams whole", event_drain},
             {"those who wait to send outlive the stream", outlived},
             {"handshakes and refusals", handshake},
             {"messages, fragments, pings and closes", messages},
             {"wrong frames end with their code", wrong}, {"compressed messages", deflated},
             {"how a handler ends is how the socket closes", handlers_end},
             {"draining closes with 1001", socket_drain},
             {"a client that vanishes cancels the handler", vanishes},
             {"pings are sent, and who answers none is given up", pings},
             {"a flood of pings from one who does not read is bounded", ping_flood},
             {"many senders do not mix their messages", senders})
