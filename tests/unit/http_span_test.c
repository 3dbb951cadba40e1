/* The span of a request, as an exporter gets it. */
#include "http_kit.h"
#include "span_kit.h"

#define PARENT "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

static int buy(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    char parent[RT_TRACEPARENT_SIZE];
    (void)request;
    rt_host_span_add(ctx, NULL, (rt_field[]){{"order.id", "o-1", 0}}, 1);
    rt_span *span = rt_host_span_start(ctx, "pay", RT_SPAN_CLIENT);
    const char *state = rt_host_traceparent(ctx, parent);
    rt_host_span_finish(ctx, span, 0);
    char *text = rt_host_format(ctx, "%s|%s", parent, state ? state : "");
    return rt_host_respond(ctx, response, 200, "text/plain", text, strlen(text));
}

static int refuse_to_sell(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)response;
    int code =
        request->path.data[request->path.length - 1] == 'n' ? RT_EUNAVAILABLE : RT_EALREADY_EXISTS;
    return rt_host_fail(ctx, code, "no tea");
}

static int crash(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request, (void)response;
    rt_host_die(ctx, "the shop burns");
    return 0;
}

static void add_shop(rt_router *router)
{
    rt_router_add(router, &instance, 0, RT_GET, "/buy/{id}", buy, NULL, NULL);
    rt_router_add(router, &instance, 0, RT_GET, "/down", refuse_to_sell, NULL, NULL);
    rt_router_add(router, &instance, 0, RT_GET, "/sold", refuse_to_sell, NULL, NULL);
    rt_router_add(router, &instance, 0, RT_GET, "/crash", crash, NULL, NULL);
}

static const char *head;
static int status;

static void ask(void)
{
    int fd = dial();
    tell(fd, head);
    status = hear_answer(fd, true);
    close(fd);
}

/* The spans of one request are then there. */
static void spans_of(const char *request)
{
    head = request;
    more_routes = add_shop;
    serve((rt_http_options){.spans = true}, ask);
    receive();
}

static void a_request_is_a_span_by_the_conventions(void)
{
    listen_to_spans(1);
    spans_of("GET /buy/tea?size=2&token=hunter22&x HTTP/1.1\r\nHost: shop.example:8443\r\n"
             "User-Agent: test/1\r\nX-Correlation-Id: c-1\r\n\r\n");
    const rt_record_view *span = named("GET /buy/{id}"), *pay = named("pay");
    CU_ASSERT_EQUAL(status, 200);
    CU_ASSERT_EQUAL(got.count, 2);
    CU_ASSERT_EQUAL(span->head.level, RT_SPAN_SERVER);
    CU_ASSERT_EQUAL(span->head.status, RT_STATUS_UNSET);
    CU_ASSERT_EQUAL(span->head.parent, 0);
    CU_ASSERT_EQUAL(pay->head.parent, span->head.span);
    CU_ASSERT_TRUE(has_text(span, "http.request.method", "GET"));
    CU_ASSERT_TRUE(has_text(span, "http.route", "/buy/{id}"));
    CU_ASSERT_TRUE(has_text(span, "url.path", "/buy/tea"));
    CU_ASSERT_TRUE(has_text(span, "url.query", "size=2&token=REDACTED&x"));
    CU_ASSERT_TRUE(has_text(span, "url.scheme", "http"));
    CU_ASSERT_TRUE(has_text(span, "server.address", "shop.example"));
    CU_ASSERT_TRUE(has_number(span, "server.port", 8443));
    CU_ASSERT_TRUE(has_text(span, "network.protocol.version", "1.1"));
    CU_ASSERT_TRUE(has_text(span, "user_agent.original", "test/1"));
    CU_ASSERT_TRUE(has_number(span, "http.response.status_code", 200));
    CU_ASSERT_TRUE(has_text(span, "correlation.id", "c-1"));
    CU_ASSERT_TRUE(has_text(span, "order.id", "o-1"));
    stop_listening();
}

static void a_trace_comes_in_and_goes_out(void)
{
    char id[17];
    listen_to_spans(0);
    spans_of("GET /buy/tea HTTP/1.1\r\nHost: a\r\ntraceparent: " PARENT "\r\n"
             "tracestate: rojo=1\r\ntracestate: congo=2\r\n\r\n");
    const rt_record_view *span = named("GET /buy/{id}");
    CU_ASSERT_EQUAL(span->head.high, 0x0af7651916cd43dd);
    CU_ASSERT_EQUAL(span->head.parent, 0xb7ad6b7169203331);
    CU_ASSERT_TRUE(is_text(span->texts[RT_TEXT_STATE], "rojo=1,congo=2"));
    const char *answer = strstr(reply, "\r\n\r\n") + 4;
    rt_hexadecimal(id, named("pay")->head.span);
    CU_ASSERT_EQUAL(strncmp(answer, PARENT, 36), 0);
    CU_ASSERT_EQUAL(strncmp(answer + 36, id, 16), 0);
    CU_ASSERT_STRING_EQUAL(answer + 52, "-01|rojo=1,congo=2");
    stop_listening();
}

/* What is not recorded is passed on, as it came. */
static void a_trace_that_nobody_records_goes_out_as_it_came(void)
{
    listen_to_spans(1);
    spans_of("GET /buy/tea HTTP/1.1\r\nHost: a\r\n"
             "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00\r\n\r\n");
    CU_ASSERT_EQUAL(got.count, 0);
    CU_ASSERT_STRING_EQUAL(strstr(reply, "\r\n\r\n") + 4,
                           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00|");
    stop_listening();
}

static void a_damaged_or_doubled_traceparent_begins_a_new_trace(void)
{
    static const char *const bad[] = {
        "GET /buy/tea HTTP/1.1\r\nHost: a\r\ntraceparent: 00-zz\r\ntracestate: a=1\r\n\r\n",
        "GET /buy/tea HTTP/1.1\r\nHost: a\r\ntraceparent: " PARENT "\r\ntraceparent: " PARENT
        "\r\n\r\n"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        listen_to_spans(1);
        spans_of(bad[i]);
        CU_ASSERT_EQUAL(named("GET /buy/{id}")->head.parent, 0);
        CU_ASSERT_NOT_EQUAL(named("GET /buy/{id}")->head.high, 0x0af7651916cd43dd);
        CU_ASSERT_EQUAL(named("GET /buy/{id}")->texts[RT_TEXT_STATE].length, 0);
        stop_listening();
    }
}

static void failures_are_told_and_only_those_of_the_server_are_errors(void)
{
    listen_to_spans(1);
    spans_of("GET /down HTTP/1.1\r\nHost: a\r\n\r\n");
    CU_ASSERT_EQUAL(status, 503);
    CU_ASSERT_EQUAL(named("GET /down")->head.status, RT_STATUS_ERROR);
    CU_ASSERT_TRUE(is_text(named("GET /down")->texts[RT_TEXT_ERROR], "no tea"));
    CU_ASSERT_TRUE(has_text(named("GET /down"), "error.type", "UNAVAILABLE"));
    CU_ASSERT_TRUE(has_text(named("GET /down"), "exception.message", "no tea"));
    spans_of("GET /sold HTTP/1.1\r\nHost: a\r\n\r\n");
    CU_ASSERT_EQUAL(status, 409);
    CU_ASSERT_EQUAL(named("GET /sold")->head.status, RT_STATUS_UNSET);
    CU_ASSERT_TRUE(has_text(named("GET /sold"), "exception.type", "ALREADY_EXISTS"));
    spans_of("GET /crash HTTP/1.1\r\nHost: a\r\n\r\n");
    CU_ASSERT_EQUAL(status, 500);
    CU_ASSERT_TRUE(has_text(named("GET /crash"), "error.type", "defect"));
    CU_ASSERT_TRUE(is_text(named("GET /crash")->texts[RT_TEXT_ERROR], "the shop burns"));
    stop_listening();
}

static void what_no_route_serves_is_named_by_its_method(void)
{
    rt_span_note note;
    listen_to_spans(1);
    spans_of("GET /nothing/secret HTTP/1.1\r\nHost: a\r\n\r\n");
    CU_ASSERT_EQUAL(status, 404);
    CU_ASSERT_FALSE(find_note(named("GET"), "http.route", &note));
    CU_ASSERT_TRUE(has_number(named("GET"), "http.response.status_code", 404));
    spans_of("BREW /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    CU_ASSERT_TRUE(has_text(named("HTTP"), "http.request.method", "_OTHER"));
    CU_ASSERT_TRUE(has_text(named("HTTP"), "http.request.method_original", "BREW"));
    spans_of("GET /hello HTTP/1.1\r\nHost: a b\r\n\r\n");
    CU_ASSERT_EQUAL(status, 400);
    CU_ASSERT_TRUE(has_number(named("GET"), "http.response.status_code", 400));
    stop_listening();
}

RT_TEST_MAIN("http span",
             {"a request is a span by the conventions", a_request_is_a_span_by_the_conventions},
             {"a trace comes in and goes out", a_trace_comes_in_and_goes_out},
             {"a trace that nobody records goes out as it came",
              a_trace_that_nobody_records_goes_out_as_it_came},
             {"a damaged or doubled traceparent begins a new trace",
              a_damaged_or_doubled_traceparent_begins_a_new_trace},
             {"failures are told, and only those of the server are errors",
              failures_are_told_and_only_those_of_the_server_are_errors},
             {"what no route serves is named by its method",
              what_no_route_serves_is_named_by_its_method})
