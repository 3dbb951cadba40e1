/* The journal's native protocol, read by a socket that stands for it. */
#include "harness.h"

#include "base/redact.h"
#include "telemetry/log.h"
#include "telemetry/log_record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char folder[] = "/tmp/rt-journal-test-XXXXXX";
static char path[64], lines_path[64];
static int journal = -1;
static rt_buffer got; /* the last record */
static bool was_file, was_sealed;

static int open_journal(const char *place)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", place);
    unlink(place);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    CU_ASSERT_EQUAL(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void open_log(void)
{
    rt_log_options options = {
        .level = "trace", .format = "journal", .service = "shop", .journal = path};
    if (journal < 0)
        journal = open_journal(path);
    CU_ASSERT_EQUAL(rt_log_open(&options), 0);
}

static void read_file(int fd)
{
    char bytes[65536];
    int seals = fcntl(fd, F_GET_SEALS);
    was_sealed = (seals & F_SEAL_WRITE) && (seals & F_SEAL_SHRINK) && (seals & F_SEAL_GROW);
    off_t at = 0;
    for (ssize_t length; (length = pread(fd, bytes, sizeof bytes, at)) > 0; at += length)
        rt_buffer_add(&got, bytes, (size_t)length);
    close(fd);
}

/* The next record into `got`; false: there is none. */
static bool take(void)
{
    static char bytes[1 << 20];
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec piece = {bytes, sizeof bytes};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control.bytes};
    ssize_t length = recvmsg(journal, &message, MSG_CMSG_CLOEXEC);
    got.length = 0;
    rt_buffer_text(&got, "");
    if (length < 0)
        return false;
    rt_buffer_add(&got, bytes, (size_t)length);
    const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    was_file = header != NULL;
    if (header) {
        int fd;
        memcpy(&fd, CMSG_DATA(header), sizeof fd);
        read_file(fd);
    }
    return true;
}

/* The value of a field, as the journal would read it, in a static buffer; NULL: it is not there. */
static const char *field(const char *name)
{
    static rt_buffer value;
    for (size_t at = 0; at < got.length;) {
        const char *start = got.data + at, *end = start + strcspn(start, "=\n");
        bool named =
            (size_t)(end - start) == strlen(name) && strncmp(start, name, strlen(name)) == 0;
        size_t length = 0;
        const char *from = end + 1;
        if (*end == '=') {
            length = strcspn(from, "\n");
        } else {
            for (int i = 0; i < 8; i++)
                length |= (size_t)(unsigned char)from[i] << 8 * i;
            from += 8;
        }
        if (named) {
            value.length = 0;
            rt_buffer_text(&value, "");
            rt_buffer_add(&value, from, length);
            return value.data;
        }
        at = (size_t)(from - got.data) + length + 1;
    }
    return NULL;
}

#define ASSERT_FIELD(name, wanted)                                  \
    do {                                                            \
        const char *value_ = field(name);                           \
        CU_ASSERT_STRING_EQUAL(value_ ? value_ : "(none)", wanted); \
    } while (0)

static void a_record_has_the_journals_fields_and_its_own(void)
{
    rt_log_style style = {.service = "shop"};
    const rt_field fields[] = {{"smtp.code", NULL, 451}, {"peer", "mail.example", 0}};
    rt_log_record record = {.level = RT_LOG_WARN,
                            .module = "email",
                            .message = "greylisted",
                            .fields = fields,
                            .field_count = 2,
                            .correlation = "c-1"};
    open_log();
    int fd = rt_journal_connect(path);
    CU_ASSERT_EQUAL(rt_journal_send(fd, &style, &record), 0);
    close(fd);
    CU_ASSERT_TRUE(take());
    ASSERT_FIELD("MESSAGE", "greylisted");
    ASSERT_FIELD("PRIORITY", "4");
    ASSERT_FIELD("SYSLOG_IDENTIFIER", "shop");
    ASSERT_FIELD("RT_MODULE", "email");
    ASSERT_FIELD("RT_LEVEL", "warn");
    ASSERT_FIELD("SMTP_CODE", "451");
    ASSERT_FIELD("PEER", "mail.example");
    ASSERT_FIELD("CORRELATION_ID", "c-1");
    CU_ASSERT_PTR_NULL(field("TRACE_ID"));
    CU_ASSERT_PTR_NULL(field("CODE_FILE"));
}

static void levels_are_priorities(void)
{
    static const char *const wanted[] = {"7", "7", "6", "4", "3", "2"};
    open_log();
    for (uint32_t level = RT_LOG_TRACE; level <= RT_LOG_FATAL; level++) {
        rt_log_host(level, "x");
        CU_ASSERT_TRUE(take());
        ASSERT_FIELD("PRIORITY", wanted[level]);
    }
}

static void trace_and_span_have_fields(void)
{
    rt_log_style style = {.service = "shop"};
    rt_log_record record = {.level = RT_LOG_INFO,
                            .module = "orders",
                            .message = "x",
                            .trace_high = 0x0af7651916cd43dd,
                            .trace_low = 0x8448eb211c80319c,
                            .span = 0x00f067aa0ba902b7};
    open_log();
    int fd = rt_journal_connect(path);
    CU_ASSERT_EQUAL(rt_journal_send(fd, &style, &record), 0);
    CU_ASSERT_TRUE(take());
    ASSERT_FIELD("TRACE_ID", "0af7651916cd43dd8448eb211c80319c");
    ASSERT_FIELD("SPAN_ID", "00f067aa0ba902b7");
    close(fd);
}

static void several_lines_stay_several_lines(void)
{
    const rt_field fields[] = {{"trace", "first\nMESSAGE=forged\n\nlast\n", 0}, {"n", NULL, 1}};
    open_log();
    rt_host_log_fields(NULL, RT_LOG_ERROR, fields, 2, "one\ntwo");
    CU_ASSERT_TRUE(take());
    ASSERT_FIELD("MESSAGE", "one\ntwo");
    ASSERT_FIELD("TRACE", "first\nMESSAGE=forged\n\nlast\n");
    ASSERT_FIELD("N", "1");
}

static void names_are_made_such_as_the_journal_takes(void)
{
    static const struct {
        const char *name, *made;
    } names[] = {
        {"http.route", "HTTP_ROUTE"},
        {"_PID", "FIELD__PID"},
        {"1st", "FIELD_1ST"},
        {"MESSAGE", "FIELD_MESSAGE"},
        {"message", "FIELD_MESSAGE"},
        {"priority", "FIELD_PRIORITY"},
        {"rt.module", "FIELD_RT_MODULE"},
        {"trace_id", "FIELD_TRACE_ID"},
        {"", "FIELD_"},
        {"a=b\nc", "A_B_C"},
        {"\xc3\xa4", "FIELD___"},
    };
    open_log();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const rt_field one = {names[i].name, "v", 0};
        rt_host_log_fields(NULL, RT_LOG_INFO, &one, 1, "m");
        CU_ASSERT_TRUE(take());
        ASSERT_FIELD(names[i].made, "v");
        ASSERT_FIELD("MESSAGE", "m");
    }
}

static void what_is_too_large_for_a_datagram_goes_as_a_sealed_file(void)
{
    enum { LENGTH = 4 << 20 };
    char *large = malloc(LENGTH + 1);
    memset(large, 'y', LENGTH);
    large[LENGTH] = '\0';
    large[LENGTH / 2] = '\n';
    const rt_field one = {"backtrace", large, 0};
    open_log();
    rt_host_log_fields(NULL, RT_LOG_ERROR, &one, 1, "large");
    CU_ASSERT_TRUE(take());
    CU_ASSERT_TRUE(was_file && was_sealed);
    ASSERT_FIELD("MESSAGE", "large");
    const char *arrived = field("BACKTRACE");
    CU_ASSERT_TRUE(arrived && strcmp(arrived, large) == 0);
    rt_log_host(RT_LOG_INFO, "small again");
    CU_ASSERT_TRUE(take());
    CU_ASSERT_FALSE(was_file);
    free(large);
}

static void secrets_are_redacted_and_lengths_still_right(void)
{
    const rt_field one = {"reply", "a\nswordfish-1\nb", 0};
    open_log();
    rt_redact_add("swordfish-1");
    rt_host_log_fields(NULL, RT_LOG_INFO, &one, 1, "login with swordfish-1");
    CU_ASSERT_TRUE(take());
    ASSERT_FIELD("MESSAGE", "login with ***");
    ASSERT_FIELD("REPLY", "a\n***\nb");
    rt_redact_forget();
}

static void what_a_slow_journal_did_not_take_is_told_it(void)
{
    unsigned sent = 0, taken = 0;
    open_log();
    for (; sent < 5000; sent++)
        rt_log_host(RT_LOG_INFO, "record");
    while (take())
        taken++;
    CU_ASSERT_TRUE(taken < sent);
    rt_log_host(RT_LOG_INFO, "and on");
    CU_ASSERT_TRUE(take());
    ASSERT_FIELD("MESSAGE", "and on");
    CU_ASSERT_TRUE(take());
    char wanted[80];
    snprintf(wanted, sizeof wanted, "the journal did not take %u records", sent - taken);
    ASSERT_FIELD("MESSAGE", wanted);
    CU_ASSERT_FALSE(take());
}

/* --- whether it is there --------------------------------------------------------------------- */

static void name_stream(int fd, ino_t more)
{
    char stream[64];
    struct stat status;
    CU_ASSERT_EQUAL(fstat(fd, &status), 0);
    snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)status.st_dev,
             (unsigned long long)(status.st_ino + more));
    setenv("JOURNAL_STREAM", stream, 1);
}

static void standard_error_is_the_journals_if_device_and_inode_say_so(void)
{
    CU_ASSERT_FALSE(rt_journal_is_at(STDERR_FILENO));
    name_stream(STDERR_FILENO, 0);
    CU_ASSERT_TRUE(rt_journal_is_at(STDERR_FILENO));
    name_stream(STDERR_FILENO, 1);
    CU_ASSERT_FALSE(rt_journal_is_at(STDERR_FILENO));
    setenv("JOURNAL_STREAM", "nonsense", 1);
    CU_ASSERT_FALSE(rt_journal_is_at(STDERR_FILENO));
    unsetenv("JOURNAL_STREAM");
}

static void the_form_follows_where_standard_error_leads(void)
{
    rt_log_options options = {
        .level = "info", .format = "json", .automatic = true, .journal = path};
    name_stream(STDERR_FILENO, 0);
    CU_ASSERT_EQUAL(rt_log_open(&options), 0);
    rt_log_host(RT_LOG_INFO, "found by itself");
    CU_ASSERT_TRUE(take());
    ASSERT_FIELD("MESSAGE", "found by itself");
    ASSERT_FIELD("SYSLOG_IDENTIFIER", "rtd");
    CU_ASSERT_TRUE(rt_log_is_structured());
    options.file = lines_path; /* a file was asked for */
    CU_ASSERT_EQUAL(rt_log_open(&options), 0);
    rt_log_host(RT_LOG_INFO, "into the file");
    CU_ASSERT_FALSE(take());
    options.file = NULL;
    options.journal = "/nowhere/at/all"; /* nobody asked for it, so nobody misses it */
    CU_ASSERT_EQUAL(rt_log_open(&options), 0);
    unsetenv("JOURNAL_STREAM");
    options = (rt_log_options){.format = "journal", .journal = "/nowhere/at/all"};
    CU_ASSERT_EQUAL(rt_log_open(&options), -ENOENT);
}

static void a_journal_that_is_gone_leaves_lines_on_standard_error(void)
{
    int before = dup(STDERR_FILENO);
    int lines = open(lines_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    open_log();
    close(journal);
    journal = -1;
    dup2(lines, STDERR_FILENO);
    rt_log_host(RT_LOG_ERROR, "is anybody there");
    dup2(before, STDERR_FILENO);
    rt_buffer text = {0};
    CU_ASSERT_EQUAL(rt_buffer_read_file(&text, lines_path, 1 << 20), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(text.data, "ERROR rtd     is anybody there\n"));
    rt_buffer_free(&text);
    close(before);
    close(lines);
}

static void finish(void)
{
    rt_log_open(&(rt_log_options){0});
    unlink(path);
    unlink(lines_path);
    rmdir(folder);
    rt_buffer_free(&got);
}

__attribute__((constructor)) static void make_folder(void)
{
    unsetenv("JOURNAL_STREAM");
    if (!mkdtemp(folder))
        abort();
    snprintf(path, sizeof path, "%s/socket", folder);
    snprintf(lines_path, sizeof lines_path, "%s/lines", folder);
}

RT_TEST_MAIN(
    "log_journal",
    {"a record has the journal's fields and its own", a_record_has_the_journals_fields_and_its_own},
    {"levels are priorities", levels_are_priorities},
    {"trace and span have fields", trace_and_span_have_fields},
    {"several lines stay several lines", several_lines_stay_several_lines},
    {"names are made such as the journal takes", names_are_made_such_as_the_journal_takes},
    {"what is too large for a datagram goes as a sealed file",
     what_is_too_large_for_a_datagram_goes_as_a_sealed_file},
    {"secrets are redacted and lengths still right", secrets_are_redacted_and_lengths_still_right},
    {"what a slow journal did not take is told it", what_a_slow_journal_did_not_take_is_told_it},
    {"standard error is the journal's if device and inode say so",
     standard_error_is_the_journals_if_device_and_inode_say_so},
    {"the form follows where standard error leads", the_form_follows_where_standard_error_leads},
    {"a journal that is gone leaves lines on standard error",
     a_journal_that_is_gone_leaves_lines_on_standard_error},
    {"the log goes back to standard error", finish})
