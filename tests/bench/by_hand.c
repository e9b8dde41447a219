/* Forked workers with a shared counter, and a ring with semaphores; by_hand.h tells what for. */
#include "by_hand.h"

#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { WORKERS_MAX = 64, CHUNKS_PER_WORKER = 16, CHUNK_LEAST = 64, SLOTS = 64 };
#define SPIN INT64_C(3000)

static void take(sem_t *sem)
{
    while (sem_wait(sem) != 0)
        bench_check(errno == EINTR);
}

static void give(sem_t *sem)
{
    bench_check(sem_post(sem) == 0);
}

/* The child goes with its parent. */
static bool fork_worker(void)
{
    pid_t parent = getpid(), pid = fork();
    bench_check(pid >= 0);
    if (pid > 0)
        return false;
    bench_check(prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 && getppid() == parent);
    return true;
}

/* ---- a counter ------------------------------------------------------------------------------ */

struct crew {
    unsigned workers;
    unsigned char *in, *out;
    mp_array_task *task; /* these are written before a round begins */
    size_t count, item_size, chunk;
    _Alignas(64) atomic_size_t next;
    _Alignas(64) sem_t end;
    struct {
        _Alignas(64) sem_t begin;
    } of[WORKERS_MAX];
};

static struct crew *crew;

static void chunks_run(void)
{
    mp_array_task *task = crew->task;
    size_t count = crew->count, size = crew->item_size, chunk = crew->chunk, first;
    while ((first = atomic_fetch_add(&crew->next, chunk)) < count) {
        size_t last = count - first < chunk ? count : first + chunk;
        for (size_t i = first; i < last; i++)
            bench_check(task(crew->in + i * size, crew->out + i * size, NULL) == 0);
    }
}

static _Noreturn void worker_run(unsigned index, size_t size)
{
    for (size_t i = 0; i < size; i += 4096) /* the pages are there before the first round */
        (void)(*(volatile unsigned char *)&crew->in[i] + *(volatile unsigned char *)&crew->out[i]);
    for (;;) {
        take(&crew->of[index].begin);
        chunks_run();
        give(&crew->end);
    }
}

void by_hand_start(unsigned workers, size_t size)
{
    bench_check(workers <= WORKERS_MAX);
    crew = bench_map_shared(sizeof *crew);
    crew->workers = workers;
    crew->in = bench_map_shared(size);
    crew->out = bench_map_shared(size);
    memset(crew->in, 0, size);
    memset(crew->out, 0, size);
    bench_check(sem_init(&crew->end, 1, 0) == 0);
    for (unsigned i = 0; i < workers; i++) {
        bench_check(sem_init(&crew->of[i].begin, 1, 0) == 0);
        if (fork_worker())
            worker_run(i, size);
    }
}

void *by_hand_in(void)
{
    return crew->in;
}

void *by_hand_out(void)
{
    return crew->out;
}

void by_hand_map(mp_array_task *task, size_t count, size_t item_size)
{
    size_t chunk = count / (crew->workers * CHUNKS_PER_WORKER);
    crew->task = task;
    crew->count = count;
    crew->item_size = item_size;
    crew->chunk = chunk < CHUNK_LEAST ? CHUNK_LEAST : chunk;
    atomic_store(&crew->next, 0);
    for (unsigned i = 0; i < crew->workers; i++)
        give(&crew->of[i].begin);
    for (unsigned i = 0; i < crew->workers; i++)
        take(&crew->end);
}

void by_hand_map_copied(mp_array_task *task, const void *items, size_t count, size_t item_size,
                        void *results)
{
    memcpy(crew->in, items, count * item_size);
    by_hand_map(task, count, item_size);
    memcpy(results, crew->out, count * item_size);
}

/* ---- a ring --------------------------------------------------------------------------------- */

struct slot {
    int64_t (*function)(int64_t);
    int64_t arg, result;
};

struct by_hand_ring {
    bool spins;
    uint64_t tail;              /* the caller's */
    _Alignas(64) uint64_t head; /* the worker's */
    _Alignas(64) sem_t asked;
    _Alignas(64) sem_t answered;
    _Alignas(64) struct slot slot[SLOTS];
};

static void take_spinning(sem_t *sem)
{
    int64_t end = bench_now() + SPIN;
    do
        if (sem_trywait(sem) == 0)
            return;
    while (bench_now() < end);
    take(sem);
}

static void ring_take(const struct by_hand_ring *ring, sem_t *sem)
{
    if (ring->spins)
        take_spinning(sem);
    else
        take(sem);
}

static _Noreturn void ring_work(struct by_hand_ring *ring)
{
    bench_pin(1);
    for (;;) {
        ring_take(ring, &ring->asked);
        struct slot *slot = &ring->slot[ring->head++ % SLOTS];
        slot->result = slot->function(slot->arg);
        give(&ring->answered);
    }
}

struct by_hand_ring *by_hand_ring_start(bool spins)
{
    struct by_hand_ring *ring = bench_map_shared(sizeof *ring);
    ring->spins = spins;
    bench_check(sem_init(&ring->asked, 1, 0) == 0 && sem_init(&ring->answered, 1, 0) == 0);
    if (fork_worker())
        ring_work(ring);
    return ring;
}

int64_t by_hand_apply(struct by_hand_ring *ring, int64_t (*function)(int64_t), int64_t arg)
{
    struct slot *slot = &ring->slot[ring->tail++ % SLOTS];
    slot->function = function;
    slot->arg = arg;
    give(&ring->asked);
    ring_take(ring, &ring->answered);
    return slot->result;
}
