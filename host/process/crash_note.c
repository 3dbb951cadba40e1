/* The worker's side of a crash: notes what it can and dies of the signal all the same. Only
 * async-signal-safe calls from a handler on: no memory, no locks, no stdio. */
#include "process/crash_area.h"

#include "fiber/sanitizer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#define ALTERNATE_SIZE ((size_t)64 << 10)

static const int watched[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS, SIGTRAP};
enum { WATCHED = sizeof watched / sizeof watched[0] };

static struct {
    rt_crash_area *area; /* NULL: not watched */
    int fd;
    int maps; /* /proc/self/maps, opened while that was still allowed */
    struct sigaction previous[WATCHED];
    bool leaving;
    /* Here and not in the area, which a wild pointer finds as easily as anything else. */
    int32_t pid, thread;
    uint32_t claimed;
} note = {.fd = -1, .maps = -1};

/* --- frames ---------------------------------------------------------------------------------- */

uint64_t rt_machine_counter(const void *machine)
{
    const ucontext_t *context = machine;
#if defined(__x86_64__)
    return (uint64_t)context->uc_mcontext.gregs[REG_RIP];
#else
    return (uint64_t)context->uc_mcontext.pc;
#endif
}

struct walk {
    rt_backtrace *trace;
    uint64_t from; /* 0: from here on */
};

static _Unwind_Reason_Code on_frame(struct _Unwind_Context *context, void *argument)
{
    struct walk *walk = argument;
    int exact = 0;
    rt_frame frame = {.counter = _Unwind_GetIPInfo(context, &exact)};
    frame.exact = exact != 0;
    if (walk->from && frame.counter != walk->from)
        return _URC_NO_REASON;
    walk->from = 0;
    uint32_t index = walk->trace->total++;
    if (index < RT_CRASH_FIRST)
        walk->trace->first[index] = frame;
    walk->trace->last[index % RT_CRASH_LAST] = frame;
    return _URC_NO_REASON;
}

void rt_trace_take(rt_backtrace *trace, uint64_t counter)
{
    struct walk walk = {.trace = trace, .from = counter};
    trace->total = 0;
    _Unwind_Backtrace(on_frame, &walk);
    if (trace->total)
        return;
    trace->first[0] = (rt_frame){counter, 1}; /* the unwinder does not know the place */
    trace->total = counter != 0;
}

/* --- memory that may be broken --------------------------------------------------------------- */

/* The kernel copies, and says so where a plain read would fault. syscall(2), because the
 * sanitizers judge what pwrite reads. */
static size_t fetch(void *to, const void *from, size_t size)
{
    size_t done = 0;
    while (done < size) {
        size_t piece =
            size - done < sizeof note.area->scratch ? size - done : sizeof note.area->scratch;
        long got = syscall(SYS_pwrite64, note.fd, (const char *)from + done, piece,
                           (long)offsetof(rt_crash_area, scratch));
        if (got <= 0)
            break;
        memcpy((char *)to + done, note.area->scratch, (size_t)got);
        done += (size_t)got;
    }
    return done;
}

rt_fetch rt_crash_fetch(void)
{
    return note.area ? fetch : NULL;
}

/* --- maps ------------------------------------------------------------------------------------ */

/* "5581-5582 r-xp 0001 08:01 123  /lib/…": four letters behind the first blank. */
static bool is_executable(const char *line, size_t length)
{
    const char *blank = memchr(line, ' ', length);
    return blank && blank + 3 < line + length && blank[3] == 'x';
}

struct lines {
    char *text;
    size_t size, used;
    char line[512]; /* longer ones are cut */
    size_t length;
};

static void take_character(struct lines *lines, char character)
{
    if (lines->length < sizeof lines->line)
        lines->line[lines->length++] = character;
    if (character != '\n')
        return;
    lines->line[lines->length - 1] = '\n';
    if (is_executable(lines->line, lines->length) && lines->used + lines->length <= lines->size) {
        memcpy(lines->text + lines->used, lines->line, lines->length);
        lines->used += lines->length;
    }
    lines->length = 0;
}

size_t rt_executable_maps(char *text, size_t size)
{
    struct lines lines = {.text = text, .size = size};
    char piece[4096];
    off_t at = 0;
    ssize_t got;
    while (note.maps >= 0 && (got = pread(note.maps, piece, sizeof piece, at)) > 0) {
        for (ssize_t i = 0; i < got; i++)
            take_character(&lines, piece[i]);
        at += got;
    }
    return lines.used;
}

/* --- noting ---------------------------------------------------------------------------------- */

/* The first thread notes; a child that a plugin forked is not this worker. */
static bool claim(void)
{
    uint32_t free = 0;
    if (!note.area || note.pid != (int32_t)getpid() ||
        !__atomic_compare_exchange_n(&note.claimed, &free, 1, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_RELAXED))
        return false;
    note.thread = (int32_t)syscall(SYS_gettid);
    note.area->magic = RT_CRASH_MAGIC;
    note.area->pid = note.pid;
    note.area->kind = RT_CRASH_NONE;
    return true;
}

static void note_place(const void *address)
{
    rt_crash_area *area = note.area;
    area->thread = note.thread;
    prctl(PR_GET_NAME, area->thread_name);
    rt_fiber_view_take(&area->view, address, fetch);
}

/* Last comes what may fault in turn: a broken stack ends the walk and the process. */
static void note_frames(enum rt_crash_kind kind, uint64_t counter)
{
    rt_crash_area *area = note.area;
    area->maps_length = (uint32_t)rt_executable_maps(area->maps, sizeof area->maps);
    area->trace.first[0] = (rt_frame){counter, 1};
    area->trace.total = counter != 0;
    __atomic_store_n(&area->kind, kind, __ATOMIC_RELEASE);
    rt_trace_take(&area->trace, counter);
}

/* A call of a function that is not there: nothing can be unwound from its address, but the caller's
 * is on top of the stack. */
static void return_from_nowhere(ucontext_t *context)
{
#if defined(__x86_64__)
    greg_t *registers = context->uc_mcontext.gregs;
    uint64_t counter;
    if (registers[REG_RIP] >= 4096 ||
        fetch(&counter, (const void *)registers[REG_RSP], sizeof counter) != sizeof counter)
        return;
    registers[REG_RIP] = (greg_t)counter;
    registers[REG_RSP] += (greg_t)sizeof counter;
#else
    if (context->uc_mcontext.pc < 4096)
        context->uc_mcontext.pc = context->uc_mcontext.regs[30];
#endif
}

static void note_signal(int number, const siginfo_t *info, ucontext_t *context)
{
    rt_crash_area *area = note.area;
    bool sent = info->si_code <= 0;
    mcontext_t found = context->uc_mcontext;
    area->signal = number;
    area->code = info->si_code;
    area->address = sent ? 0 : (uint64_t)(uintptr_t)info->si_addr;
    area->sender = sent ? info->si_pid : 0;
    note_place(sent ? NULL : info->si_addr);
    return_from_nowhere(context);
    note_frames(RT_CRASH_SIGNAL, rt_machine_counter(context));
    context->uc_mcontext = found; /* for a core file */
}

/* --- handlers -------------------------------------------------------------------------------- */

/* Other threads wait for the end that the first one brings. */
static void wait_if_noted_elsewhere(void)
{
    bool ours = note.area && note.pid == (int32_t)getpid();
    while (ours && note.thread != (int32_t)syscall(SYS_gettid))
        pause();
}

/* Faults come again when the handler returns; what was sent, and traps, do not. */
static void die_as_before(int number, const siginfo_t *info)
{
    static const struct sigaction plain = {.sa_handler = SIG_DFL};
    bool faults = number == SIGSEGV || number == SIGBUS || number == SIGILL || number == SIGFPE;
    const struct sigaction *previous = &plain;
    for (int i = 0; i < WATCHED; i++)
        if (watched[i] == number && note.previous[i].sa_handler != SIG_IGN)
            previous = &note.previous[i];
    sigaction(number, previous, NULL);
    if (!faults || info->si_code <= 0)
        raise(number);
}

static void on_signal(int number, siginfo_t *info, void *machine)
{
    if (claim())
        note_signal(number, info, machine);
    else
        wait_if_noted_elsewhere();
    die_as_before(number, info);
}

/* What else runs at exit is not meant for a process that still serves, and may wait for threads
 * that never end. */
static void on_process_exit(int status, void *argument)
{
    (void)argument;
    if (note.leaving || !claim())
        return;
    note.area->status = status;
    note_place(NULL);
    note_frames(RT_CRASH_EXIT, 0);
    rt_trace_take(&note.area->trace, 0);
    _exit(status);
}

#if RT_ASAN || RT_TSAN
static void on_sanitizer_death(void)
{
    if (note.leaving || !claim())
        return;
    note_place(NULL);
    note_frames(RT_CRASH_SANITIZER, 0);
    rt_trace_take(&note.area->trace, 0);
}
#endif

/* --- setting up ------------------------------------------------------------------------------ */

int rt_crash_area_make(void)
{
    int fd = memfd_create("rt-crash", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -errno;
    if (ftruncate(fd, sizeof(rt_crash_area)) == 0 &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        return fd;
    int error = errno;
    close(fd);
    return -error;
}

/* A stack overflow leaves no room for its handler. */
static int open_alternate_stack(void)
{
    stack_t present;
    if (sigaltstack(NULL, &present) == 0 && !(present.ss_flags & SS_DISABLE))
        return 0;
    void *memory =
        mmap(NULL, ALTERNATE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return -errno;
    return sigaltstack(&(stack_t){.ss_sp = memory, .ss_size = ALTERNATE_SIZE}, NULL) ? -errno : 0;
}

static void install_handlers(void)
{
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigfillset(&action.sa_mask);
    for (int i = 0; i < WATCHED; i++)
        sigaction(watched[i], &action, &note.previous[i]);
    on_exit(on_process_exit, NULL);
#if RT_ASAN || RT_TSAN
    __sanitizer_set_death_callback(on_sanitizer_death);
#endif
}

static int map_area(int fd)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return -errno;
    if (status.st_size != (off_t)sizeof(rt_crash_area))
        return -EPROTO;
    void *memory = mmap(NULL, sizeof(rt_crash_area), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        return -errno;
    note.area = memory;
    note.fd = fd;
    return 0;
}

int rt_crash_watch(int fd)
{
    rt_backtrace trace;
    int error = map_area(fd);
    if (!error)
        error = open_alternate_stack();
    if (error)
        return error;
    note.maps = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    rt_trace_take(&trace, 0); /* the unwinder is loaded now, not in a handler */
    note.pid = (int32_t)getpid();
    install_handlers();
    return 0;
}

void rt_crash_leave(void)
{
    note.leaving = true;
}
