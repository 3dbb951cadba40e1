#include "process/board.h"

#include "base/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC UINT64_C(0x3130647261427472) /* "rtBard01" */

struct rt_board_memory {
    uint64_t magic;
    uint32_t slot_count;
    uint32_t entry_count; /* entries below it are complete and never change */
    uint32_t state;       /* rt_board_state */
    uint8_t quarantined[RT_BOARD_ENTRIES];
    rt_entry entries[RT_BOARD_ENTRIES];
    rt_board_slot slots[];
};

static const size_t rooms[RT_ROOM_COUNT] = {
    [RT_ROOM_HEALTH] = (size_t)16 << 10,
    [RT_ROOM_METRICS] = (size_t)256 << 10,
    [RT_ROOM_RECORDS] = (size_t)256 << 10,
};

/* --- the memory ------------------------------------------------------------------------------ */

static size_t room_offset(uint32_t slot_count, uint32_t slot, enum rt_board_room room)
{
    size_t all = 0, before = 0;
    for (enum rt_board_room i = 0; i < RT_ROOM_COUNT; i++) {
        before += i < room ? rooms[i] : 0;
        all += rooms[i];
    }
    size_t slots = offsetof(struct rt_board_memory, slots) + slot_count * sizeof(rt_board_slot);
    return (slots + 4095) / 4096 * 4096 + slot * all + before;
}

static size_t board_size(uint32_t slot_count)
{
    return room_offset(slot_count, slot_count, 0);
}

static int map(rt_board *board)
{
    void *memory =
        mmap(NULL, board->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, board->fd, 0);
    if (memory == MAP_FAILED)
        return -errno;
    board->memory = memory;
    return 0;
}

/* Sealed: a worker that made it shorter would have the supervisor die of SIGBUS. */
static int make_sealed(size_t size)
{
    int fd = memfd_create("rt-board", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -errno;
    if (ftruncate(fd, (off_t)size) == 0 &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        return fd;
    int error = errno;
    close(fd);
    return -error;
}

int rt_board_make(rt_board *board, uint32_t slot_count)
{
    *board = (rt_board){.slot_count = slot_count, .size = board_size(slot_count)};
    board->fd = make_sealed(board->size);
    int error = board->fd < 0 ? board->fd : map(board);
    if (error) {
        rt_board_close(board);
        return error;
    }
    board->memory->magic = MAGIC;
    board->memory->slot_count = slot_count;
    board->memory->entry_count = board->kept_count = 1;
    board->kept = rt_xcalloc(RT_BOARD_ENTRIES, sizeof *board->kept);
    return 0;
}

int rt_board_open(rt_board *board, int fd)
{
    struct stat status;
    *board = (rt_board){.fd = fd};
    if (fstat(fd, &status) != 0)
        return -errno;
    board->size = (size_t)status.st_size;
    int error = board->size < board_size(0) ? -EPROTO : map(board);
    if (error)
        return error;
    board->slot_count = board->memory->slot_count;
    if (board->memory->magic == MAGIC && board_size(board->slot_count) == board->size)
        return 0;
    rt_board_close(board);
    return -EPROTO;
}

int rt_board_adopt(rt_board *board, int fd)
{
    int error = rt_board_open(board, fd);
    if (error)
        return error;
    board->kept = rt_xcalloc(RT_BOARD_ENTRIES, sizeof *board->kept);
    board->kept_count = 1;
    board->kept_state = rt_board_state(board);
    board->memory->entries[RT_ENTRY_NONE] = (rt_entry){0};
    rt_board_mend(board);
    return 0;
}

void rt_board_close(rt_board *board)
{
    if (board->memory)
        munmap(board->memory, board->size);
    if (board->fd >= 0)
        close(board->fd);
    free(board->kept);
    *board = (rt_board){.fd = -1};
}

enum rt_board_state rt_board_state(const rt_board *board)
{
    uint32_t state = __atomic_load_n(&board->memory->state, __ATOMIC_RELAXED);
    return state < RT_BOARD_STATES ? (enum rt_board_state)state : RT_BOARD_STARTING;
}

void rt_board_set_state(rt_board *board, enum rt_board_state state)
{
    board->kept_state = state;
    __atomic_store_n(&board->memory->state, state, __ATOMIC_RELAXED);
}

rt_board_slot *rt_board_slot_of(const rt_board *board, uint32_t number)
{
    return number >= 1 && number <= board->slot_count ? &board->memory->slots[number - 1] : NULL;
}

void *rt_board_room(const rt_board *board, uint32_t number, enum rt_board_room room, size_t *size)
{
    if (number < 1 || number > board->slot_count)
        return NULL;
    *size = rooms[room];
    return (char *)board->memory + room_offset(board->slot_count, number - 1, room);
}

/* --- entries --------------------------------------------------------------------------------- */

uint32_t rt_board_entry_count(const rt_board *board)
{
    uint32_t count = __atomic_load_n(&board->memory->entry_count, __ATOMIC_ACQUIRE);
    return count < RT_BOARD_ENTRIES ? count : RT_BOARD_ENTRIES;
}

static uint64_t hash_text(uint64_t hash, const char *text)
{
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return hash * UINT64_C(0x100000001b3); /* so that "ab", "c" is not "a", "bc" */
}

static uint32_t find(const rt_board *board, uint32_t from, uint64_t hash)
{
    uint32_t count = rt_board_entry_count(board);
    for (uint32_t i = from; i < count; i++)
        if (board->memory->entries[i].hash == hash)
            return i;
    return 0;
}

/* A lock of the process, which the kernel lifts if it is killed while it holds it. */
static void lock(const rt_board *board, short type)
{
    struct flock whole = {.l_type = type, .l_whence = SEEK_SET};
    while (fcntl(board->fd, F_SETLKW, &whole) != 0 && errno == EINTR)
        ;
}

static uint32_t append(rt_board *board, const rt_entry *entry)
{
    uint32_t count = rt_board_entry_count(board);
    if (count == RT_BOARD_ENTRIES)
        return 0;
    board->memory->entries[count] = *entry;
    __atomic_store_n(&board->memory->entry_count, count + 1, __ATOMIC_RELEASE);
    return count;
}

uint32_t rt_board_enter(rt_board *board, enum rt_entry_kind kind, const char *instance,
                        const char *module, const char *name)
{
    if (!board || !board->memory)
        return 0;
    rt_entry entry = {.kind = kind};
    entry.hash = hash_text(hash_text(UINT64_C(0xcbf29ce484222325) ^ kind, instance), name);
    uint32_t known = rt_board_entry_count(board), number = find(board, 1, entry.hash);
    if (number)
        return number;
    snprintf(entry.instance, sizeof entry.instance, "%s", instance);
    snprintf(entry.module, sizeof entry.module, "%s", module);
    snprintf(entry.name, sizeof entry.name, "%s", name);
    lock(board, F_WRLCK);
    number = find(board, known, entry.hash); /* another worker may have been first */
    if (!number)
        number = append(board, &entry);
    lock(board, F_UNLCK);
    return number;
}

static bool is_sound(const rt_entry *entry)
{
    return entry->kind > RT_ENTRY_NONE && entry->kind < RT_ENTRY_KIND_COUNT &&
           memchr(entry->instance, '\0', sizeof entry->instance) &&
           memchr(entry->module, '\0', sizeof entry->module) &&
           memchr(entry->name, '\0', sizeof entry->name);
}

bool rt_board_entry(const rt_board *board, uint32_t number, rt_entry *entry)
{
    bool kept = number < board->kept_count;
    if (number == 0 || (!kept && number >= rt_board_entry_count(board)))
        return false;
    *entry = kept ? board->kept[number] : board->memory->entries[number];
    return is_sound(entry);
}

static bool is_damaged(const rt_board *board)
{
    const struct rt_board_memory *memory = board->memory;
    return memory->magic != MAGIC || memory->state != (uint32_t)board->kept_state ||
           memory->slot_count != board->slot_count || memory->entry_count < board->kept_count ||
           memory->entry_count > RT_BOARD_ENTRIES ||
           memcmp(memory->entries, board->kept, board->kept_count * sizeof *board->kept) != 0;
}

static void restore(const rt_board *board)
{
    struct rt_board_memory *memory = board->memory;
    memcpy(memory->entries, board->kept, board->kept_count * sizeof *board->kept);
    memory->entry_count = board->kept_count;
    memory->slot_count = board->slot_count;
    memory->state = board->kept_state;
    memory->magic = MAGIC;
}

bool rt_board_mend(rt_board *board)
{
    bool damaged = is_damaged(board);
    if (damaged)
        restore(board);
    for (uint32_t count = rt_board_entry_count(board); board->kept_count < count;) {
        rt_entry entry = board->memory->entries[board->kept_count];
        if (!is_sound(&entry))
            break;
        board->kept[board->kept_count++] = entry;
    }
    return damaged;
}

/* --- quarantine ------------------------------------------------------------------------------ */

const uint8_t *rt_board_quarantine(const rt_board *board, uint32_t number)
{
    static const uint8_t never;
    bool known = board && board->memory && number > 0 && number < RT_BOARD_ENTRIES;
    return known ? &board->memory->quarantined[number] : &never;
}

void rt_board_set_quarantine(rt_board *board, uint32_t number, bool quarantined)
{
    if (number > 0 && number < RT_BOARD_ENTRIES)
        __atomic_store_n(&board->memory->quarantined[number], quarantined, __ATOMIC_RELAXED);
}
