/* Conditions and ranges as data, and files served by a real server. */
#include "http_kit.h"

#include "http/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* --- conditions ------------------------------------------------------------------------------ */

#define TAG "\"tag\""
#define OLDER "Sun, 06 Nov 1994 08:49:36 GMT"
#define SAME "Sun, 06 Nov 1994 08:49:37 GMT"
#define NEWER "Sun, 06 Nov 1994 08:49:38 GMT"

typedef struct condition {
    uint32_t method;
    const char *headers[6]; /* names and values in turn */
    uint32_t status;
    const char *ranges; /* "first+length …" */
} condition;

static const condition conditions[] = {
    {RT_GET, {NULL}, 200, ""},
    {RT_GET, {"if-none-match", TAG}, 304, ""},
    {RT_HEAD, {"If-None-Match", TAG}, 304, ""},
    {RT_POST, {"if-none-match", TAG}, 412, ""},
    {RT_GET, {"if-none-match", "W/" TAG}, 304, ""},
    {RT_GET, {"if-none-match", "\"a\", \"b\" , " TAG}, 304, ""},
    {RT_GET, {"if-none-match", "\"a\"", "if-none-match", TAG}, 304, ""},
    {RT_GET, {"if-none-match", "*"}, 304, ""},
    {RT_GET, {"if-none-match", "\"other\""}, 200, ""},
    {RT_GET, {"if-none-match", "tag"}, 200, ""},
    {RT_GET, {"if-none-match", ""}, 200, ""},
    {RT_GET, {"if-none-match", "\"other\"", "if-modified-since", NEWER}, 200, ""},
    {RT_GET, {"if-modified-since", SAME}, 304, ""},
    {RT_GET, {"if-modified-since", NEWER}, 304, ""},
    {RT_GET, {"if-modified-since", OLDER}, 200, ""},
    {RT_POST, {"if-modified-since", NEWER}, 200, ""},
    {RT_GET, {"if-modified-since", "yesterday"}, 200, ""},
    {RT_GET, {"if-modified-since", "Sunday, 06-Nov-94 08:49:37 GMT"}, 304, ""},
    {RT_GET, {"if-modified-since", "Sun Nov  6 08:49:37 1994"}, 304, ""},
    {RT_GET, {"if-match", TAG}, 200, ""},
    {RT_GET, {"if-match", "*"}, 200, ""},
    {RT_GET, {"if-match", "W/" TAG}, 412, ""},
    {RT_GET, {"if-match", "\"other\""}, 412, ""},
    {RT_GET, {"if-match", TAG, "if-none-match", TAG}, 304, ""},
    {RT_GET, {"if-match", TAG, "if-unmodified-since", OLDER}, 200, ""},
    {RT_GET, {"if-unmodified-since", SAME}, 200, ""},
    {RT_GET, {"if-unmodified-since", OLDER}, 412, ""},
    {RT_GET, {"if-unmodified-since", "never"}, 200, ""},
    {RT_GET, {"range", "bytes=0-0"}, 206, "0+1 "},
    {RT_GET, {"range", "bytes=10-19"}, 206, "10+10 "},
    {RT_GET, {"range", "bytes=90-"}, 206, "90+10 "},
    {RT_GET, {"range", "bytes=90-1000"}, 206, "90+10 "},
    {RT_GET, {"range", "bytes=-1"}, 206, "99+1 "},
    {RT_GET, {"range", "bytes=-1000"}, 206, "0+100 "},
    {RT_GET, {"range", "Bytes=1-2"}, 206, "1+2 "},
    {RT_GET, {"range", "bytes=0-99"}, 206, "0+100 "},
    {RT_GET, {"range", "bytes=0-1,3-4 , -2"}, 206, "0+2 3+2 98+2 "},
    {RT_GET, {"range", "bytes= 0-1"}, 206, "0+2 "},
    {RT_GET, {"range", "bytes=200-,0-1"}, 206, "0+2 "},
    {RT_GET, {"range", "bytes=99999999999999999999999999-"}, 416, ""},
    {RT_GET, {"range", "bytes=0-99999999999999999999999999"}, 206, "0+100 "},
    {RT_GET, {"range", "bytes=100-"}, 416, ""},
    {RT_GET, {"range", "bytes=-0"}, 416, ""},
    {RT_GET, {"range", "bytes=100-200,300-"}, 416, ""},
    {RT_GET, {"range", "bytes=2-1"}, 200, ""},
    {RT_GET, {"range", "bytes=-"}, 200, ""},
    {RT_GET, {"range", "bytes="}, 200, ""},
    {RT_GET, {"range", "bytes=,"}, 200, ""},
    {RT_GET, {"range", "bytes"}, 200, ""},
    {RT_GET, {"range", ""}, 200, ""},
    {RT_GET, {"range", "bytes=a-b"}, 200, ""},
    {RT_GET, {"range", "bytes=1-2x"}, 200, ""},
    {RT_GET, {"range", "bytes=1"}, 200, ""},
    {RT_GET, {"range", "bytes=1-2;3-4"}, 200, ""},
    {RT_GET, {"range", "bytes=--1"}, 200, ""},
    {RT_GET, {"range", "lines=1-2"}, 200, ""},
    {RT_HEAD, {"range", "bytes=1-2"}, 200, ""},
    {RT_GET, {"range", "bytes=0-99,0-0"}, 200, ""}, /* more than the whole */
    {RT_GET,
     {"range", "bytes=0-0,1-1,2-2,3-3,4-4,5-5,6-6,7-7,8-8,9-9,10-10,11-11,12-12,13-13,14-14,15-15,"
               "16-16"},
     200,
     ""},
    {RT_GET, {"range", "bytes=1-2", "if-range", TAG}, 206, "1+2 "},
    {RT_GET, {"range", "bytes=1-2", "if-range", "W/" TAG}, 200, ""},
    {RT_GET, {"range", "bytes=1-2", "if-range", "\"other\""}, 200, ""},
    {RT_GET, {"range", "bytes=1-2", "if-range", SAME}, 206, "1+2 "},
    {RT_GET, {"range", "bytes=1-2", "if-range", NEWER}, 200, ""},
    {RT_GET, {"range", "bytes=100-", "if-range", "\"other\""}, 200, ""},
    {RT_GET, {"range", "bytes=1-2", "if-none-match", TAG}, 304, ""},
    {RT_GET, {"range", "bytes=1-2", "if-match", "\"other\""}, 412, ""},
};

static bool judge_one(const condition *c)
{
    rt_header headers[3];
    rt_request request = {.method = c->method, .headers = headers};
    rt_range ranges[RT_RANGES];
    uint32_t count;
    rt_buffer text = {0};
    for (size_t i = 0; i < 6 && c->headers[i]; i += 2)
        headers[request.header_count++] = (rt_header){
            {c->headers[i], strlen(c->headers[i])}, {c->headers[i + 1], strlen(c->headers[i + 1])}};
    const rt_file_facts facts = {.size = 100, .modified = 784111777, .tag = TAG, .now = 784111800};
    uint32_t status = rt_file_judge(&request, &facts, ranges, &count);
    rt_buffer_text(&text, "");
    for (uint32_t i = 0; status == 206 && i < count; i++)
        rt_buffer_format(&text, "%d+%d ", (int)ranges[i].first, (int)ranges[i].length);
    bool right = status == c->status && !strcmp(text.data, c->ranges);
    if (!right)
        printf("\n    %s: %s: %u %s\n", c->headers[0], c->headers[1], status, text.data);
    rt_buffer_free(&text);
    return right;
}

static void judged(void)
{
    for (size_t i = 0; i < sizeof conditions / sizeof conditions[0]; i++)
        CU_ASSERT_TRUE(judge_one(&conditions[i]));
}

static void small_files(void)
{
    rt_header range = {RT_STR("range"), RT_STR("bytes=0-")};
    rt_request request = {.method = RT_GET, .headers = &range, .header_count = 1};
    rt_range ranges[RT_RANGES];
    uint32_t count;
    rt_file_facts facts = {.tag = TAG, .modified = 5, .now = 5};
    CU_ASSERT_EQUAL(rt_file_judge(&request, &facts, ranges, &count), 416); /* of nothing */
    facts.size = 1;
    CU_ASSERT_EQUAL(rt_file_judge(&request, &facts, ranges, &count), 206);
    rt_header young[] = {range, {RT_STR("if-range"), RT_STR("Thu, 01 Jan 1970 00:00:05 GMT")}};
    request.headers = young;
    request.header_count = 2;
    CU_ASSERT_EQUAL(rt_file_judge(&request, &facts, ranges, &count), 200); /* of this second */
}

static void times(void)
{
    char text[RT_TIME_SIZE];
    rt_http_time_write(784111777, text);
    CU_ASSERT_STRING_EQUAL(text, SAME);
    CU_ASSERT_EQUAL(rt_http_time_read(RT_STR("Sun, 06 Nov 1994 08:49:37 GMT")), 784111777);
    CU_ASSERT_EQUAL(rt_http_time_read(RT_STR("Sun, 06 Nov 1994 08:49:37 GMT ")), -1);
    CU_ASSERT_EQUAL(rt_http_time_read(RT_STR("06 Nov 1994")), -1);
    CU_ASSERT_EQUAL(rt_http_time_read((rt_str){0}), -1);
}

static void types(void)
{
    static const char *const cases[][2] = {{"/a/b.html", "text/html; charset=utf-8"},
                                           {"a.JPG", "image/jpeg"},
                                           {"a.tar.gz", "application/gzip"},
                                           {"a.aac", "audio/aac"},
                                           {"a.zst", "application/zstd"},
                                           {"a", "application/octet-stream"},
                                           {"/a.html/b", "application/octet-stream"},
                                           {"a.", "application/octet-stream"},
                                           {"a.unknown", "application/octet-stream"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CU_ASSERT_STRING_EQUAL(rt_media_type(cases[i][0]), cases[i][1]);
}

/* --- files over a connection ----------------------------------------------------------------- */

#define LARGE (20u << 20)

static char folder[64];

static const char *within(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void put(const char *name, const char *text, size_t length)
{
    int fd = open(within(name), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(write(fd, text, length), (ssize_t)length);
    close(fd);
}

static void put_large(void)
{
    char *bytes = malloc(LARGE);
    for (size_t i = 0; i < LARGE; i++)
        bytes[i] = (char)(i * 31 >> 8);
    put("large.bin", bytes, LARGE);
    free(bytes);
}

static void fill_folder(void)
{
    strcpy(folder, "/tmp/rt-files-XXXXXX");
    CU_ASSERT_FATAL(mkdtemp(folder) != NULL);
    put("a.txt", "0123456789", 10);
    put("index.html", "<p>", 3);
    put("empty", "", 0);
    put(".secret", "x", 1);
    put_large();
    CU_ASSERT_EQUAL(mkdir(within("sub"), 0755), 0);
    CU_ASSERT_EQUAL(mkdir(within(".well-known"), 0755), 0);
    CU_ASSERT_EQUAL(mkdir(within(".git"), 0755), 0);
    put(".git/config", "x", 1);
    put(".well-known/a.txt", "known", 5);
    put("sub/index.html", "<b>", 3);
    CU_ASSERT_EQUAL(mkfifo(within("fifo"), 0644), 0);
    CU_ASSERT_EQUAL(symlink("a.txt", within("inner")), 0);
    CU_ASSERT_EQUAL(symlink("/etc/passwd", within("outer")), 0);
    CU_ASSERT_EQUAL(symlink("../../etc/passwd", within("upward")), 0);
    CU_ASSERT_EQUAL(symlink("endless", within("endless")), 0);
}

static void empty_folder(void)
{
    char command[96];
    snprintf(command, sizeof command, "rm -r %s", folder);
    CU_ASSERT_EQUAL(system(command), 0);
}

static int files(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    rt_str path = rt_host_request_param(request, "path");
    return rt_host_respond_file(ctx, request, response, folder, path.data, path.length, NULL);
}

static int named(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    const char *path = rt_host_format(ctx, "%s/inner", folder);
    return rt_host_respond_file(ctx, request, response, NULL, path, strlen(path), "text/x-own");
}

static void add_files(rt_router *router)
{
    static const struct {
        uint32_t method;
        const char *pattern;
        rt_handler handler;
    } routes[] = {{RT_GET, "/files/{path...}", files},
                  {RT_POST, "/files/{path...}", files},
                  {RT_GET, "/named", named}};
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++)
        CU_ASSERT_EQUAL(rt_router_add(router, &instance, 0, routes[i].method, routes[i].pattern,
                                      routes[i].handler, NULL, NULL),
                        0);
}

static void run(rt_http_options options, void (*with)(void))
{
    more_routes = add_files;
    fill_folder();
    serve(options, with);
    empty_folder();
}

/* Else (an old kernel, a sandbox, valgrind) no link is followed in a folder. */
static bool resolves_beneath(void)
{
    return syscall(SYS_openat2, AT_FDCWD, NULL, NULL, 0) < 0 && errno != ENOSYS;
}

static void paths_client(void)
{
    const struct {
        const char *path;
        int status;
        const char *body;
    } cases[] = {
        {"/files/a.txt", 200, "0123456789"},
        {"/files/", 200, "<p>"},
        {"/files/sub/", 200, "<b>"},
        {"/files/sub/index.html", 200, "<b>"},
        {"/files/inner", resolves_beneath() ? 200 : 404, "0123456789"},
        {"/files/empty", 200, ""},
        {"/files/.well-known/a.txt", 200, "known"},
        {"/files/sub%2Findex.html", 200, "<b>"},
        {"/named", 200, "0123456789"},
        {"/files", 404, "no such resource"},
        {"/files/sub", 404, NULL},
        {"/files/none", 404, NULL},
        {"/files/a.txt/", 404, NULL},
        {"/files/a.txt/b", 404, NULL},
        {"/files/fifo", 404, NULL},
        {"/files/outer", 404, NULL},
        {"/files/upward", 404, NULL},
        {"/files/endless", 404, NULL},
        {"/files/.secret", 404, NULL},
        {"/files/.git/config", 404, NULL},
        {"/files/sub%2F..%2F.git%2Fconfig", 404, NULL},
        {"/files/..%2F..%2Fetc%2Fpasswd", 404, NULL},
        {"/files/%2Fetc%2Fpasswd", 404, NULL},
        {"/files/%2F%2Fetc/passwd", 404, NULL},
    };
    int fd = dial();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char request[256];
        snprintf(request, sizeof request, GET("%s"), cases[i].path);
        tell(fd, request);
        int status = hear(fd);
        if (status != cases[i].status)
            printf("\n    %s: %d\n", cases[i].path, status);
        CU_ASSERT_EQUAL(status, cases[i].status);
        if (cases[i].body && status == 200)
            CU_ASSERT_STRING_EQUAL(strstr(reply, "\r\n\r\n") + 4, cases[i].body);
        CU_ASSERT_PTR_NULL(strstr(reply, "root:"));
    }
    tell(fd, GET("/named"));
    CU_ASSERT_EQUAL(hear(fd), 200);
    CU_ASSERT_TRUE(said("Content-Type: text/x-own\r\n"));
    tell(fd, GET("/files/a.txt"));
    CU_ASSERT_EQUAL(hear(fd), 200);
    CU_ASSERT_TRUE(said("Content-Type: text/plain; charset=utf-8\r\n"));
    CU_ASSERT_TRUE(said("Accept-Ranges: bytes\r\n"));
    close(fd);
}

static void paths(void)
{
    run((rt_http_options){0}, paths_client);
}

static void ask(int fd, const char *method, const char *path, const char *fields)
{
    char request[512];
    snprintf(request, sizeof request, "%s %s HTTP/1.1\r\n" HOST "%s\r\n", method, path, fields);
    tell(fd, request);
}

static void forms_client(void)
{
    char tag[128] = "", fields[256];
    int fd = dial();
    ask(fd, "GET", "/files/a.txt", "");
    CU_ASSERT_EQUAL(hear(fd), 200);
    sscanf(strstr(reply, "ETag: "), "ETag: %127s", tag);
    CU_ASSERT_EQUAL(tag[0], '"');
    snprintf(fields, sizeof fields, "If-None-Match: %s\r\n", tag);
    ask(fd, "GET", "/files/a.txt", fields);
    CU_ASSERT_EQUAL(hear(fd), 304);
    CU_ASSERT_TRUE(said(tag));
    ask(fd, "POST", "/files/a.txt", fields);
    CU_ASSERT_EQUAL(hear(fd), 412);
    CU_ASSERT_TRUE(said("application/problem+json"));
    ask(fd, "GET", "/files/a.txt", "Range: bytes=2-4\r\n");
    CU_ASSERT_EQUAL(hear(fd), 206);
    CU_ASSERT_TRUE(said("Content-Range: bytes 2-4/10\r\n"));
    CU_ASSERT_STRING_EQUAL(strstr(reply, "\r\n\r\n") + 4, "234");
    ask(fd, "GET", "/files/a.txt", "Range: bytes=20-\r\n");
    CU_ASSERT_EQUAL(hear(fd), 416);
    CU_ASSERT_TRUE(said("Content-Range: bytes */10\r\n"));
    ask(fd, "HEAD", "/files/large.bin", "");
    CU_ASSERT_EQUAL(hear_head(fd), 200);
    CU_ASSERT_TRUE(said("Content-Length: 20971520\r\n"));
    ask(fd, "GET", "/files/a.txt", "Range: bytes=0-0,-1\r\n");
    CU_ASSERT_EQUAL(hear(fd), 206); /* the length of all parts was right */
    char *type = strstr(reply, "multipart/byteranges; boundary=\""), boundary[128] = "";
    CU_ASSERT_PTR_NOT_NULL_FATAL(type);
    sscanf(type, "multipart/byteranges; boundary=\"%127[^\"]", boundary);
    char *wanted = NULL;
    CU_ASSERT_TRUE(asprintf(&wanted,
                            "--%s\r\nContent-Type: text/plain; charset=utf-8\r\n"
                            "Content-Range: bytes 0-0/10\r\n\r\n0\r\n--%s\r\n"
                            "Content-Type: text/plain; charset=utf-8\r\n"
                            "Content-Range: bytes 9-9/10\r\n\r\n9\r\n--%s--\r\n",
                            boundary, boundary, boundary) > 0);
    CU_ASSERT_STRING_EQUAL(strstr(reply, "\r\n\r\n") + 4, wanted);
    free(wanted);
    put("a.txt", "012345678x", 10);
    struct timespec same[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 5}};
    CU_ASSERT_EQUAL(utimensat(AT_FDCWD, within("a.txt"), same, 0), 0);
    ask(fd, "GET", "/files/a.txt", fields);
    CU_ASSERT_EQUAL(hear(fd), 200); /* it is another now */
    close(fd);
}

static void served(void)
{
    run((rt_http_options){0}, forms_client);
}

static bool is_blocked(void)
{
    return seen.blocked == 1;
}

static void large_client(void)
{
    char *bytes = malloc(LARGE + 1);
    int fd = dial();
    ask(fd, "GET", "/files/large.bin", "");
    CU_ASSERT_EQUAL(hear_head(fd), 200);
    CU_ASSERT_TRUE(looks(is_blocked));
    CU_ASSERT_EQUAL(recv(fd, bytes, LARGE, MSG_WAITALL), LARGE);
    size_t wrong = 0;
    for (size_t i = 0; i < LARGE; i++)
        wrong += bytes[i] != (char)(i * 31 >> 8);
    CU_ASSERT_EQUAL(wrong, 0);
    ask(fd, "GET", "/files/large.bin", "Range: bytes=1000000-2999999\r\n");
    CU_ASSERT_EQUAL(hear_head(fd), 206);
    CU_ASSERT_EQUAL(recv(fd, bytes, 2000000, MSG_WAITALL), 2000000);
    CU_ASSERT_EQUAL(bytes[1], (char)(1000001u * 31 >> 8));
    tell(fd, GET("/hello"));
    CU_ASSERT_EQUAL(hear(fd), 200);
    close(fd);
    fd = dial(); /* a length is enough for HTTP/1.0 as well */
    tell(fd, "GET /files/large.bin HTTP/1.0\r\n\r\n");
    CU_ASSERT_EQUAL(hear_head(fd), 200);
    CU_ASSERT_EQUAL(hear_rest(fd, bytes, LARGE + 1), LARGE);
    close(fd);
    free(bytes);
}

static void large(void)
{
    run((rt_http_options){.request_timeout = RT_S(20)}, large_client);
}

static void shrinks_client(void)
{
    static char rest[65536];
    int fd = dial();
    ask(fd, "GET", "/files/large.bin", "");
    CU_ASSERT_EQUAL(hear_head(fd), 200);
    CU_ASSERT_TRUE(looks(is_blocked));
    CU_ASSERT_EQUAL(truncate(within("large.bin"), 100), 0);
    ssize_t got;
    uint64_t total = 0;
    while ((got = recv(fd, rest, sizeof rest, 0)) > 0)
        total += (uint64_t)got;
    CU_ASSERT_TRUE(total < LARGE);
    close(fd);
    fd = dial();
    ask(fd, "GET", "/files/large.bin", "");
    CU_ASSERT_EQUAL(hear(fd), 200);
    CU_ASSERT_TRUE(said("Content-Length: 100\r\n"));
    close(fd);
}

static void shrinks(void)
{
    run((rt_http_options){0}, shrinks_client);
}

/* The handler's deadline does not count while a file is sent. */
static void slow_client(void)
{
    char *bytes = malloc(LARGE);
    int fd = dial(), witness = dial();
    ask(fd, "GET", "/files/large.bin", "");
    CU_ASSERT_EQUAL(hear_head(fd), 200);
    CU_ASSERT_TRUE(looks(is_blocked));
    tell(witness, GET("/sleep")); /* ends by the same deadline, which began later */
    CU_ASSERT_EQUAL(hear(witness), 504);
    CU_ASSERT_EQUAL(recv(fd, bytes, LARGE, MSG_WAITALL), LARGE);
    free(bytes);
    close(fd);
    close(witness);
}

static void slow(void)
{
    run((rt_http_options){.request_timeout = RT_MS(60)}, slow_client);
}

RT_TEST_MAIN("http_file", {"conditions and ranges lead to the right status", judged},
             {"ranges of small and young files", small_files}, {"dates in three forms", times},
             {"media types by name", types},
             {"paths stay in their folder, and only regular files are served", paths},
             {"tags, ranges and parts of a file", served},
             {"a large file arrives whole and in parts", large},
             {"a file that shrinks cuts its answer", shrinks},
             {"a slow reader of a file has no deadline", slow})
