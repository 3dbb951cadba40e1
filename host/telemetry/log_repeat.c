/* Lines that repeat: the first so many of a second are written, the others counted, and the count
 * is told when the second is over.
 *
 * Two lines are the same if level, module and message are, but for digits: a flood says the same
 * thing with other numbers. Fields do not count, for they are what differs.
 *
 * A slot belongs for a second to whoever takes it first; a line that finds none is written. Its
 * word holds who, which second, and how many, so that one compare-and-swap counts a line. Whatever
 * touches the text of a slot, which is needed once lines are held back, has the mutex: the step
 * from `limit` to one more, and settling. */
#include "base/redact.h"
#include "telemetry/log_record.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define SLOTS 512 /* a power of two */
#define WAYS 2    /* slots that a line may have */
#define TEXT 256

/* The word: 28 bits who, 10 bits the second, 26 bits how many. */
#define COUNT_BITS 26
#define SECOND_BITS 10
#define COUNT_MASK ((UINT64_C(1) << COUNT_BITS) - 1)
#define SECOND_MASK (((UINT64_C(1) << SECOND_BITS) - 1) << COUNT_BITS)

struct kept {
    uint32_t level;
    char module[65];
    char message[TEXT];
};

struct slot {
    uint64_t word;
    struct kept kept; /* whoever looks at it has the mutex */
};

static struct {
    struct slot slots[SLOTS];
    uint64_t limit; /* 0: everything is written */
    rt_log_writer *write;
    pthread_mutex_t mutex;
    int timer; /* -1: none */
    bool timer_runs;
} repeat = {.mutex = PTHREAD_MUTEX_INITIALIZER, .timer = -1};

void rt_log_repeat_begin(uint32_t limit, rt_log_writer *write)
{
    for (size_t i = 0; i < SLOTS; i++) /* counted by another limit; their sums are told */
        __atomic_store_n(&repeat.slots[i].word, 0, __ATOMIC_RELAXED);
    repeat.write = write;
    repeat.limit = limit;
    if (limit && repeat.timer < 0)
        repeat.timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
}

int rt_log_settles(void)
{
    return repeat.timer;
}

/* --- who ------------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t hash, uint64_t value)
{
    return (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
}

static uint64_t hash_of(const rt_log_record *record)
{
    uint64_t hash = mix(0, record->level);
    for (const char *c = record->module; *c; c++)
        hash = mix(hash, (unsigned char)*c);
    hash = mix(hash, 256);
    for (const char *c = record->message; *c; c++)
        if (*c < '0' || *c > '9')
            hash = mix(hash, (unsigned char)*c);
    return hash ^ hash >> 32;
}

static uint64_t second_of(const struct timespec *time)
{
    return (uint64_t)time->tv_sec << COUNT_BITS & SECOND_MASK;
}

static uint64_t load(const struct slot *slot)
{
    return __atomic_load_n(&slot->word, __ATOMIC_RELAXED);
}

static bool swap(struct slot *slot, uint64_t *word, uint64_t next)
{
    return __atomic_compare_exchange_n(&slot->word, word, next, false, __ATOMIC_RELAXED,
                                       __ATOMIC_RELAXED);
}

/* --- telling --------------------------------------------------------------------------------- */

static void tell(const struct kept *sum, uint64_t count)
{
    const rt_field field = {.name = "repeated", .integer = (int64_t)(count - repeat.limit)};
    rt_log_record record = {.level = sum->level,
                            .module = sum->module,
                            .message = sum->message,
                            .fields = &field,
                            .field_count = 1};
    clock_gettime(CLOCK_REALTIME, &record.time);
    repeat.write(&record);
}

/* Empties the slot if its second is not `second`; tells what it held. */
static void settle(struct slot *slot, uint64_t second)
{
    struct kept sum = {0};
    uint64_t word = load(slot);
    if ((word & COUNT_MASK) <= repeat.limit || (word & SECOND_MASK) == second)
        return;
    pthread_mutex_lock(&repeat.mutex);
    word = load(slot);
    bool over = (word & COUNT_MASK) > repeat.limit && (word & SECOND_MASK) != second;
    if (over) {
        word = __atomic_exchange_n(&slot->word, 0, __ATOMIC_RELAXED);
        sum = slot->kept;
    }
    pthread_mutex_unlock(&repeat.mutex);
    if (over)
        tell(&sum, word & COUNT_MASK);
}

/* --- holding back ---------------------------------------------------------------------------- */

static void start_timer(void)
{
    const struct itimerspec once = {.it_value = {1, 0}};
    if (!repeat.timer_runs && repeat.timer >= 0)
        repeat.timer_runs = timerfd_settime(repeat.timer, 0, &once, NULL) == 0;
}

/* Cut only after redacting: half a secret would not be found. */
static void keep_text(struct kept *kept, const rt_log_record *record)
{
    rt_buffer message = {0};
    rt_buffer_text(&message, record->message);
    rt_redact(&message);
    kept->level = record->level;
    snprintf(kept->module, sizeof kept->module, "%s", record->module);
    snprintf(kept->message, sizeof kept->message, "%s", message.data);
    rt_buffer_free(&message);
}

/* The first one over the limit. False if the slot is another's by now. */
static bool begin_holding(struct slot *slot, uint64_t word, const rt_log_record *record)
{
    pthread_mutex_lock(&repeat.mutex);
    bool ours = load(slot) == word;
    if (ours) {
        keep_text(&slot->kept, record);
        ours = swap(slot, &word, word + 1);
        start_timer();
    }
    pthread_mutex_unlock(&repeat.mutex);
    return ours;
}

/* Counts a line in a slot that is its own. True: it is held back. */
static bool count_line(struct slot *slot, uint64_t mine, const rt_log_record *record)
{
    uint64_t word = load(slot);
    while ((word & ~COUNT_MASK) == mine) {
        uint64_t count = word & COUNT_MASK;
        if (count == COUNT_MASK)
            return true; /* 67 million in a second */
        if (count == repeat.limit ? begin_holding(slot, word, record) : swap(slot, &word, word + 1))
            return count >= repeat.limit;
        word = load(slot);
    }
    return false;
}

bool rt_log_repeat_holds(const rt_log_record *record)
{
    if (!repeat.limit || record->level >= RT_LOG_FATAL)
        return false;
    uint64_t hash = hash_of(record), second = second_of(&record->time);
    uint64_t mine = hash << (COUNT_BITS + SECOND_BITS) | second;
    for (unsigned way = 0; way < WAYS; way++) {
        struct slot *slot = &repeat.slots[((hash >> 32) + way) % SLOTS];
        settle(slot, second);
        uint64_t word = load(slot);
        bool free = (word & SECOND_MASK) != second || !(word & COUNT_MASK);
        if (free && (word & COUNT_MASK) <= repeat.limit && swap(slot, &word, mine | 1))
            return false;
        if ((word & ~COUNT_MASK) == mine)
            return count_line(slot, mine, record);
    }
    return false;
}

void rt_log_settle(bool all)
{
    struct timespec now;
    uint64_t times, second;
    if (repeat.timer >= 0 && read(repeat.timer, &times, sizeof times) < 0)
        times = 0; /* somebody looks in before its time */
    pthread_mutex_lock(&repeat.mutex);
    repeat.timer_runs = false;
    pthread_mutex_unlock(&repeat.mutex);
    clock_gettime(CLOCK_REALTIME, &now);
    second = all ? UINT64_MAX : second_of(&now);
    bool more = false;
    for (size_t i = 0; i < SLOTS; i++) {
        settle(&repeat.slots[i], second);
        more |= (load(&repeat.slots[i]) & COUNT_MASK) > repeat.limit;
    }
    pthread_mutex_lock(&repeat.mutex);
    if (more)
        start_timer();
    pthread_mutex_unlock(&repeat.mutex);
}
