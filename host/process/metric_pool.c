#include "process/metric_pool.h"

#include "base/redact.h"
#include "telemetry/prometheus.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAGIC UINT64_C(0x31306c6f6f50746d) /* "mtPool01" */
#define INDEX_SIZE ((size_t)16 << 10)
#define SLOTS (RT_METRIC_SLOTS + 1)

struct rt_metric_index {
    uint64_t magic;
    uint64_t room;  /* bytes of one */
    uint64_t began; /* ns since 1970 */
    uint32_t used;  /* slots 1 to here have been taken */
    uint32_t reserved;
    struct {
        uint32_t generation;
        uint32_t worker; /* 0: nobody writes there now */
    } slots[RT_METRIC_SLOTS];
};
_Static_assert(sizeof(struct rt_metric_index) <= INDEX_SIZE, "the index has its own pages");

static rt_metric_pool pool = {.fd = -1};

/* --- the memory ------------------------------------------------------------------------------ */

static size_t pool_size(void)
{
    return INDEX_SIZE + SLOTS * RT_METRIC_ROOM;
}

static off_t offset_of(uint32_t slot)
{
    return (off_t)(INDEX_SIZE + slot * RT_METRIC_ROOM);
}

/* Sealed, so that no worker makes it shorter under the others. Pages exist once they are touched.
 */
static int make_sealed(void)
{
    int fd = memfd_create("rt-metrics", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -errno;
    if (ftruncate(fd, (off_t)pool_size()) == 0 &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        return fd;
    int error = errno;
    close(fd);
    return -error;
}

static struct rt_metric_index *map_index(int fd, int protection)
{
    void *index = mmap(NULL, INDEX_SIZE, protection, MAP_SHARED, fd, 0);
    return index == MAP_FAILED ? NULL : index;
}

static uint64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    return (uint64_t)time.tv_sec * UINT64_C(1000000000) + (uint64_t)time.tv_nsec;
}

static void make(void)
{
    int fd = make_sealed();
    struct rt_metric_index *index = fd < 0 ? NULL : map_index(fd, PROT_READ | PROT_WRITE);
    if (!index) {
        if (fd >= 0)
            close(fd);
        return;
    }
    index->magic = MAGIC;
    index->room = RT_METRIC_ROOM;
    index->began = now();
    pool = (rt_metric_pool){.fd = fd, .index = index};
}

rt_metric_pool *rt_metric_pool_of_host(void)
{
    static bool tried;
    if (pool.fd < 0 && !tried) {
        tried = true;
        make();
    }
    return &pool;
}

static bool is_pool(int fd)
{
    struct stat status;
    struct rt_metric_index *index;
    if (fstat(fd, &status) != 0 || status.st_size != (off_t)pool_size() ||
        !(index = map_index(fd, PROT_READ)))
        return false;
    bool fits = index->magic == MAGIC && index->room == RT_METRIC_ROOM;
    munmap(index, INDEX_SIZE);
    return fits;
}

int rt_metric_pool_adopt(int fd)
{
    struct rt_metric_index *index = is_pool(fd) ? map_index(fd, PROT_READ | PROT_WRITE) : NULL;
    if (!index)
        return -EPROTO;
    rt_metric_pool_close();
    pool = (rt_metric_pool){.fd = fd, .index = index};
    uint32_t used = __atomic_load_n(&index->used, __ATOMIC_RELAXED);
    pool.used = used < RT_METRIC_SLOTS ? used : RT_METRIC_SLOTS;
    return 0;
}

void rt_metric_pool_close(void)
{
    if (pool.index)
        munmap(pool.index, INDEX_SIZE);
    if (pool.fd >= 0)
        close(pool.fd);
    pool = (rt_metric_pool){.fd = -1};
}

/* --- slots ----------------------------------------------------------------------------------- */

/* All of it, since others may have scribbled over it. */
static void publish(const rt_metric_pool *own)
{
    struct rt_metric_index *index = own->index;
    index->magic = MAGIC;
    index->room = RT_METRIC_ROOM;
    for (uint32_t i = 0; i < own->used; i++) {
        __atomic_store_n(&index->slots[i].generation, own->slots[i].generation, __ATOMIC_RELAXED);
        __atomic_store_n(&index->slots[i].worker, own->slots[i].worker, __ATOMIC_RELAXED);
    }
    __atomic_store_n(&index->used, own->used, __ATOMIC_RELEASE);
}

void rt_metric_pool_retake(rt_metric_pool *own, uint32_t slot, uint32_t generation, uint32_t worker)
{
    if (!own->index || !slot || slot > RT_METRIC_SLOTS)
        return;
    own->slots[slot - 1].generation = generation;
    own->slots[slot - 1].worker = worker;
    if (slot > own->used)
        own->used = slot;
    publish(own);
}

uint32_t rt_metric_pool_take(rt_metric_pool *own, uint32_t generation, uint32_t worker)
{
    for (uint32_t slot = 1; own->index && slot <= RT_METRIC_SLOTS; slot++)
        if (!own->slots[slot - 1].worker) {
            rt_metric_pool_retake(own, slot, generation, worker);
            return slot;
        }
    return 0;
}

void rt_metric_pool_give(rt_metric_pool *own, uint32_t slot)
{
    rt_metric_pool_retake(own, slot, 0, 0);
}

void *rt_metric_slot_map(int fd, uint32_t slot)
{
    if (slot > RT_METRIC_SLOTS) {
        errno = EINVAL;
        return NULL;
    }
    void *room = mmap(NULL, RT_METRIC_ROOM, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd,
                      offset_of(slot));
    return room == MAP_FAILED ? NULL : room;
}

/* --- reading --------------------------------------------------------------------------------- */

static void read_slot(int fd, uint32_t slot, rt_metric_view *view, const rt_metric_source *source)
{
    void *room = mmap(NULL, RT_METRIC_ROOM, PROT_READ, MAP_SHARED, fd, offset_of(slot));
    if (room == MAP_FAILED)
        return;
    rt_metric_view_add(view, room, RT_METRIC_ROOM, source);
    munmap(room, RT_METRIC_ROOM);
}

int rt_metric_pool_read(int fd, rt_metric_view *view)
{
    struct rt_metric_index *index = map_index(fd, PROT_READ);
    if (!index)
        return -errno;
    uint32_t used = __atomic_load_n(&index->used, __ATOMIC_ACQUIRE);
    read_slot(fd, 0, view, &(rt_metric_source){.alive = true});
    for (uint32_t i = 0; i < used && i < RT_METRIC_SLOTS; i++) {
        rt_metric_source source = {
            .worker = __atomic_load_n(&index->slots[i].worker, __ATOMIC_RELAXED),
            .generation = __atomic_load_n(&index->slots[i].generation, __ATOMIC_RELAXED)};
        source.alive = source.worker != 0;
        read_slot(fd, i + 1, view, &source);
    }
    munmap(index, INDEX_SIZE);
    return 0;
}

int rt_metrics_text(int fd, rt_buffer *out)
{
    rt_metric_view *view = rt_metric_view_new();
    int error = rt_metric_pool_read(fd, view);
    rt_metric_view_finish(view);
    rt_buffer_text(out, "");
    rt_prometheus_text(view, out);
    rt_redact(out);
    rt_metric_view_free(view);
    return error;
}

uint64_t rt_metric_pool_began(int fd)
{
    struct rt_metric_index *index = map_index(fd, PROT_READ);
    uint64_t began = index ? __atomic_load_n(&index->began, __ATOMIC_RELAXED) : 0;
    if (index)
        munmap(index, INDEX_SIZE);
    return began;
}
