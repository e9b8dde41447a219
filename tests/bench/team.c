/* Teams of forked processes that start together and stop together, and the work of one process.
 *
 * How it works
 *   Each member says that it is ready and yields until all are; after the span the parent says that
 *   it is over. The time is that from the first start to the last end, so a member that was let go
 *   late, or kept waiting at the end, is counted.
 */
#include "kit.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HEAP ((size_t)8 << 20)
#define MEMBERS_MAX 8u
#define MEMBER_LIMIT 60u /* seconds, after which a member is stuck */

struct member {
    _Alignas(64) int64_t began;
    int64_t ended;
    uint64_t done;
};

struct bench_team {
    _Alignas(64) atomic_uint ready;
    _Alignas(64) atomic_bool go;
    _Alignas(64) atomic_bool over;
    _Alignas(64) _Atomic uint64_t stop_at;
    struct member member[MEMBERS_MAX];
};

static struct bench_team *team;
static bool freely;
static unsigned section_turns;

int64_t bench_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void bench_fail(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: %s\n", file, line, what);
    _exit(1);
}

void *bench_map_shared(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    bench_check(p != MAP_FAILED);
    return p;
}

/* ---- the critical section ------------------------------------------------------------------ */

/* What it reads and writes keeps it between taking the lock and freeing it. */
static void section_turn(volatile uint64_t *datum, unsigned turns)
{
    uint64_t x = *datum;
    for (unsigned i = 0; i < turns; i++)
        x = x * UINT64_C(6364136223846793005) + i;
    *datum = x;
}

void bench_section(volatile uint64_t *datum)
{
    section_turn(datum, section_turns);
}

void bench_section_calibrate(void)
{
    const unsigned turns = 200000;
    volatile uint64_t datum = 0;
    int64_t best = INT64_MAX;
    for (int i = 0; i < 20; i++) {
        int64_t began = bench_now();
        section_turn(&datum, turns);
        int64_t took = bench_now() - began;
        best = took < best ? took : best;
    }
    section_turns = (unsigned)(60.0 * turns / (double)best);
}

/* ---- placing ------------------------------------------------------------------------------- */

void bench_place_freely(void)
{
    freely = true;
}

bool bench_is_placed_freely(void)
{
    return freely;
}

void bench_pin(unsigned n)
{
    cpu_set_t mine, one;
    if (freely || sched_getaffinity(0, sizeof mine, &mine) != 0)
        return;
    n %= (unsigned)CPU_COUNT(&mine);
    size_t cpu = 0;
    while (!CPU_ISSET(cpu, &mine) || n-- > 0)
        cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    sched_setaffinity(0, sizeof one, &one);
}

/* ---- one process --------------------------------------------------------------------------- */

double bench_unpinned(bench_batch *batch, double seconds)
{
    int64_t span = (int64_t)(seconds * 1e9), spent = 0;
    uint64_t n = 1, done = 0;
    batch(1);
    while (spent < span) {
        int64_t began = bench_now();
        batch(n);
        int64_t took = bench_now() - began;
        spent += took;
        done += n;
        if (took < span / 16)
            n *= 2;
    }
    return (double)spent / (double)done;
}

double bench_alone(bench_batch *batch, double seconds)
{
    cpu_set_t mine;
    bool known = sched_getaffinity(0, sizeof mine, &mine) == 0;
    bench_pin(0);
    double took = bench_unpinned(batch, seconds);
    if (known)
        sched_setaffinity(0, sizeof mine, &mine);
    return took;
}

double bench_with_heap(bench_batch *batch, double seconds)
{
    void *heap = mmap(NULL, HEAP, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bench_check(heap != MAP_FAILED);
    memset(heap, 1, HEAP);
    double took = bench_alone(batch, seconds);
    munmap(heap, HEAP);
    return took;
}

/* ---- members ------------------------------------------------------------------------------- */

bool bench_is_over(struct bench_team *t)
{
    return atomic_load_explicit(&t->over, memory_order_relaxed); /* nothing else is read by it */
}

bool bench_goes_on(struct bench_team *t, unsigned index, uint64_t turn)
{
    if (index == 0 && bench_is_over(t) && atomic_load(&t->stop_at) == UINT64_MAX)
        atomic_store(&t->stop_at, turn + 1);
    return turn < atomic_load_explicit(&t->stop_at, memory_order_relaxed); /* meetings order it */
}

static _Noreturn void member_run(unsigned index, enum bench_place place, bench_body *body)
{
    struct member *self = &team->member[index];
    alarm(MEMBER_LIMIT);
    bench_pin(place == BENCH_SPREAD ? index : 0);
    atomic_fetch_add(&team->ready, 1);
    while (!atomic_load(&team->go))
        sched_yield();
    self->began = bench_now();
    self->done = body(team, index);
    self->ended = bench_now();
    _exit(0);
}

static void team_prepare(void)
{
    if (team == NULL)
        team = bench_map_shared(sizeof *team);
    atomic_store(&team->ready, 0);
    atomic_store(&team->go, false);
    atomic_store(&team->over, false);
    atomic_store(&team->stop_at, UINT64_MAX);
}

static double team_time(unsigned members)
{
    int64_t began = INT64_MAX, ended = 0;
    uint64_t done = 0;
    for (unsigned i = 0; i < members; i++) {
        const struct member *m = &team->member[i];
        began = m->began < began ? m->began : began;
        ended = m->ended > ended ? m->ended : ended;
        done += m->done;
    }
    return (double)(ended - began) / (double)done;
}

double bench_together(unsigned members, enum bench_place place, bench_body *body, double seconds)
{
    pid_t pid[MEMBERS_MAX];
    bench_check(members <= MEMBERS_MAX);
    team_prepare();
    fflush(NULL);
    for (unsigned i = 0; i < members; i++) {
        pid[i] = fork();
        bench_check(pid[i] >= 0);
        if (pid[i] == 0)
            member_run(i, place, body);
    }
    while (atomic_load(&team->ready) < members)
        sched_yield();
    atomic_store(&team->go, true);
    int64_t span = (int64_t)(seconds * 1e9);
    nanosleep(&(struct timespec){(time_t)(span / 1000000000), (long)(span % 1000000000)}, NULL);
    atomic_store(&team->over, true);
    bool well = true;
    for (unsigned i = 0; i < members; i++) {
        int status = 0;
        well = waitpid(pid[i], &status, 0) == pid[i] && status == 0 && well;
    }
    if (!well)
        bench_fail(__FILE__, __LINE__, "a member of a team failed, or was stuck");
    return team_time(members);
}
