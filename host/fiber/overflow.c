/* Naming the fiber whose stack ran into its guard
 *
 * The handler prints one line and hands over to whatever handled SIGSEGV before; nothing is
 * resumed.
 */
#include "fiber/internal.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ALTERNATE_SIZE ((size_t)64 << 10)

static struct sigaction previous;
static void *alternate; /* ours; NULL where the thread had one */

static void say(const char *text)
{
    if (write(STDERR_FILENO, text, strlen(text)) < 0)
        return;
}

static void name_fiber(const rt_unit *unit)
{
    const rt_instance *instance = unit->context.instance;
    say("rt: stack overflow in fiber `");
    say(unit->name ? unit->name : "");
    say("` of `");
    say(instance && instance->name ? instance->name : "");
    say("`\n");
}

static void on_fault(int number, siginfo_t *info, void *machine)
{
    const rt_unit *unit = rt_current_unit;
    (void)machine;
    if (unit && unit->stack && rt_stack_guards(unit->stack, info->si_addr))
        name_fiber(unit);
    sigaction(SIGSEGV, &previous, NULL);
    if (info->si_code <= 0) /* sent by a process: returning would not fault again */
        raise(number);
}

static void open_alternate_stack(void)
{
    stack_t present;
    if (sigaltstack(NULL, &present) != 0 || !(present.ss_flags & SS_DISABLE))
        return;
    void *memory =
        mmap(NULL, ALTERNATE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return;
    alternate = memory;
    sigaltstack(&(stack_t){.ss_sp = memory, .ss_size = ALTERNATE_SIZE}, NULL);
}

void rt_overflow_open(void)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    open_alternate_stack();
    sigaction(SIGSEGV, &action, &previous);
}

void rt_overflow_close(void)
{
    struct sigaction present;
    if (sigaction(SIGSEGV, NULL, &present) == 0 && present.sa_sigaction == on_fault)
        sigaction(SIGSEGV, &previous, NULL);
    if (!alternate)
        return;
    sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL);
    munmap(alternate, ALTERNATE_SIZE);
    alternate = NULL;
}
