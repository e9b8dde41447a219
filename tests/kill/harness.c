/* The harness itself: starting, killing, replacing and watching; harness.h tells how. */
#include "kill/harness.h"

#include <mp/mp.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_EVERY = 16, STALL_PAUSES_KILLS_MS = 50 };

struct kill_board *kill_board;

/* A process at work: a plain child, or a process of the library. */
struct hand {
    pid_t pid;
    mp_process *process;
};

struct harness {
    const struct kill_plan *plan;
    struct kill_result *result;
    struct hand hand[KILL_WORKERS_MAX];
    uint64_t seen; /* turns when progress was last noticed */
    struct kill_clock stall;
    int newest;
};

static struct rng dice;
static uint64_t seed;

struct rng *kill_rng(void)
{
    return &dice;
}

uint64_t kill_seed(void)
{
    return seed;
}

void *kill_shared(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    check(p != MAP_FAILED);
    memset(p, 0, size);
    return p;
}

void kill_reap_orphans(void)
{
    int status = 0;
    check(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0);
    pid_t parent = getpid(), child = fork(), ended;
    check(child >= 0);
    if (child == 0) {
        check(prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 && getppid() == parent);
        return;
    }
    do
        ended = waitpid(-1, &status, 0);
    while (ended != child);
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

void kill_prepare(void)
{
    if (kill_board == NULL) {
        kill_board = kill_shared(sizeof *kill_board);
        seed = rng_seed();
    } else
        seed += UINT64_C(0x9e3779b97f4a7c15);
    dice = rng_start(seed);
    memset((void *)kill_board, 0, sizeof *kill_board);
}

int kill_count(int usual)
{
    const char *text = getenv("LIBMP_TEST_KILLS");
    int kills = text != NULL ? atoi(text) : usual;
    if (kills < 1)
        kills = usual;
    support_time_limit(100 + (unsigned)kills / 10);
    return kills;
}

/* ---- time ------------------------------------------------------------------------------------ */

void kill_nap(unsigned microseconds)
{
    struct timespec span = {.tv_sec = (time_t)(microseconds / 1000000),
                            .tv_nsec = (long)(microseconds % 1000000) * 1000};
    (void)nanosleep(&span, NULL);
}

void kill_pause(struct rng *rng, size_t most)
{
    size_t span = rng_below(rng, 1 + rng_below(rng, most * 1000 + 1));
    if (span > 60000) {
        kill_nap((unsigned)(span / 1000));
        return;
    }
    mp__moment end = mp__now() + (int64_t)span;
    while (mp__now() < end)
        ;
}

void kill_work(struct rng *rng)
{
    volatile uint64_t left = rng_below(rng, 300);
    while (left > 0)
        left--;
}

void kill_clock_start(struct kill_clock *clock)
{
    *clock = (struct kill_clock){.last = clock_seconds()};
}

static void clock_count(struct kill_clock *clock)
{
    double now = clock_seconds(), passed = now - clock->last;
    clock->last = now;
    clock->counted += passed < 0.01 ? passed : 0.01;
}

bool kill_clock_tick(struct kill_clock *clock, double limit)
{
    kill_nap(100);
    clock_count(clock);
    return clock->counted < limit;
}

bool kill_await(const atomic_int *flag)
{
    struct kill_clock clock;
    kill_clock_start(&clock);
    while (!atomic_load(flag))
        if (!kill_clock_tick(&clock, KILL_HANG_SECONDS))
            return atomic_load(flag) != 0;
    return true;
}

/* ---- workers --------------------------------------------------------------------------------- */

static struct kill_worker *followed;
static unsigned followed_dawdles;

void kill_dawdle(struct kill_worker *me, unsigned one_in)
{
    if (rng_below(&me->rng, one_in) != 0)
        return;
    mp__moment end = mp__now() + (int64_t)rng_below(&me->rng, 50000);
    while (mp__now() < end)
        ;
}

/* The last word of a step's name says enough. */
static const struct {
    const char *word;
    enum kill_role role;
} role_words[] = {
    {"parking", WAITER}, {"woken", WOKEN},    {"releasing", WAKER}, {"released", WAKER},
    {"dropping", WAKER}, {"set", WAKER},      {"moved", WAKER},     {"stamped", WAKER},
    {"granted", WAKER},  {"merging", HOLDER}, {"merged", HOLDER},   {"split", HOLDER},
    {"laid", HOLDER},    {"made", HOLDER},    {"slabs", HOLDER},
};

static void role_of_step(const char *name)
{
    const char *word = strchr(name, '.') + 1;
    for (size_t i = 0; i < sizeof role_words / sizeof *role_words; i++)
        if (strcmp(word, role_words[i].word) == 0)
            kill_set_role(followed, role_words[i].role);
    bool woken = atomic_load(&followed->role) == WOKEN;
    kill_dawdle(followed, woken && followed_dawdles == 16 ? 3 : followed_dawdles);
}

void kill_follow_steps(struct kill_worker *me, unsigned dawdle_one_in)
{
    followed = me;
    followed_dawdles = dawdle_one_in;
    mp__step_hook = me != NULL ? role_of_step : NULL;
}

static const struct kill_plan *plan_at_work;

static int worker_main(void *arg)
{
    struct kill_worker *me = arg;
    uint64_t word;
    check(mp__self_word(&word) == 0);
    me->rng = rng_start(seed + (uint64_t)me->index * 1000003 + atomic_load(&me->life) * 7919);
    if (plan_at_work->begin != NULL)
        plan_at_work->begin(me);
    kill_follow_steps(me, 16);
    while (!atomic_load(&kill_board->stop)) {
        kill_set_role(me, BYSTANDER);
        plan_at_work->turn(me);
        atomic_fetch_add(&me->turns, 1);
    }
    kill_set_role(me, BYSTANDER);
    kill_follow_steps(NULL, 0);
    return 0;
}

static void hand_start(struct harness *h, int i)
{
    struct kill_worker *w = &kill_board->worker[i];
    struct hand *hand = &h->hand[i];
    w->index = i;
    atomic_fetch_add(&w->life, 1);
    kill_set_role(w, STARTER);
    hand->process = NULL;
    h->newest = i;
    if (i % 2 == 0 || h->plan->forked_only) {
        hand->pid = child_fork(worker_main, w);
        return;
    }
    check(mp_process_create(&hand->process, worker_main, w, 0, NULL) == 0);
    check(mp_process_start(hand->process) == 0);
    hand->pid = mp_process_pid(hand->process);
}

/* False: still at work. What it left with counts as wrong unless it was `expected`. */
static bool hand_reap(struct hand *hand, bool wait, int expected)
{
    int status = 0;
    if (hand->process != NULL) {
        int rc = mp_process_join(hand->process, wait ? MP_FOREVER : MP_NOWAIT);
        if (rc == MP_ETIMEOUT)
            return false;
        check(rc == 0);
        check(mp_process_exitcode(hand->process, &status) == 1);
        mp_process_destroy(hand->process);
        hand->process = NULL;
    } else {
        pid_t got;
        do
            got = waitpid(hand->pid, &status, wait ? 0 : WNOHANG);
        while (got < 0 && errno == EINTR);
        if (got == 0)
            return false;
        check(got == hand->pid);
        status = WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
    }
    hand->pid = 0;
    if (status != expected)
        support_fail(__FILE__, __LINE__, "a worker left with %d instead of %d", status, expected);
    return true;
}

bool kill_is_dying(const struct kill_worker *w)
{
    return (atomic_load(&kill_board->dying) >> w->index & 1) != 0;
}

/* ---- progress -------------------------------------------------------------------------------- */

uint64_t kill_turns(void)
{
    uint64_t sum = 0;
    for (int i = 0; i < KILL_WORKERS_MAX; i++)
        sum += atomic_load(&kill_board->worker[i].turns);
    return sum;
}

/* True if the workers got on since the last look. */
static bool progress_seen(struct harness *h)
{
    uint64_t turns = kill_turns();
    clock_count(&h->stall);
    if (h->stall.counted > h->result->worst_stall)
        h->result->worst_stall = h->stall.counted;
    if (turns == h->seen)
        return false;
    h->seen = turns;
    h->stall.counted = 0;
    return true;
}

/* False: nothing moves any more. */
static bool progress_await(struct harness *h)
{
    while (!progress_seen(h)) {
        if (h->stall.counted > KILL_SUSPICION && h->plan->stalled != NULL && h->plan->stalled())
            h->stall.counted = 0;
        if (h->stall.counted > KILL_HANG_SECONDS)
            return false;
        kill_nap(100);
    }
    return true;
}

/* ---- killing --------------------------------------------------------------------------------- */

static enum kill_role wanted_role(const struct harness *h)
{
    for (;;) {
        enum kill_role role = (enum kill_role)rng_below(&dice, KILL_ROLES);
        if (h->plan->wanted >> role & 1)
            return role;
    }
}

/* The first worker seen in the role within some time, else any. */
static int victim_in_role(const struct harness *h, enum kill_role role)
{
    mp__moment end = mp__now() + 300 * MP__MS / 1000;
    int first = (int)rng_below(&dice, (size_t)h->plan->workers);
    do
        for (int k = 0; k < h->plan->workers; k++) {
            int i = (first + k) % h->plan->workers;
            if (atomic_load(&kill_board->worker[i].role) == (uint32_t)role)
                return i;
        }
    while (mp__now() < end);
    return first;
}

static int victim_choose(const struct harness *h)
{
    uint64_t way = rng_below(&dice, 4);
    if (way == 0) {
        kill_pause(&dice, 100);
        return h->newest;
    }
    kill_pause(&dice, 1000);
    if (way == 1 || h->plan->wanted == 0)
        return (int)rng_below(&dice, (size_t)h->plan->workers);
    int victim = victim_in_role(h, wanted_role(h));
    kill_pause(&dice, 2);
    return victim;
}

static void kill_and_replace(struct harness *h, int i)
{
    struct kill_worker *w = &kill_board->worker[i];
    /* first the bit, at the end last: who sees the same number of changes before and after a look
       at the bits knows that they say who may be dead */
    atomic_fetch_or(&kill_board->dying, UINT64_C(1) << i);
    atomic_fetch_add(&kill_board->changes, 1);
    check(kill(h->hand[i].pid, SIGKILL) == 0);
    (void)hand_reap(&h->hand[i], true, -SIGKILL);
    h->result->kills++;
    h->result->by_role[atomic_load(&w->role)]++;
    if (h->plan->died != NULL)
        h->plan->died(w);
    atomic_fetch_add(&kill_board->changes, 1);
    atomic_fetch_and(&kill_board->dying, ~(UINT64_C(1) << i));
    kill_pause(&dice, h->plan->replace_within);
    hand_start(h, i);
}

static void workers_kill(struct harness *h)
{
    for (int i = 0; i < h->plan->workers; i++)
        if (h->hand[i].pid != 0) {
            (void)kill(h->hand[i].pid, SIGKILL);
            (void)hand_reap(&h->hand[i], true, -SIGKILL);
        }
}

/* All leave by themselves once they are told: who cannot hangs. */
static void workers_dismiss(struct harness *h)
{
    struct kill_clock clock;
    atomic_store(&kill_board->stop, true);
    kill_clock_start(&clock);
    int left = h->plan->workers;
    for (;;) {
        left = 0;
        for (int i = 0; i < h->plan->workers; i++)
            left += h->hand[i].pid != 0 && !hand_reap(&h->hand[i], false, 0);
        if (left == 0 || !kill_clock_tick(&clock, KILL_HANG_SECONDS))
            break;
        if (h->plan->let_go != NULL)
            h->plan->let_go();
    }
    h->result->hangs += left;
    workers_kill(h);
}

static void workers_torment(struct harness *h)
{
    while (h->result->kills < (uint64_t)h->plan->kills) {
        kill_and_replace(h, victim_choose(h));
        /* one death in four finds the others not yet over the last one */
        bool patient = rng_below(&dice, 4) != 0;
        if (!progress_seen(h) && (patient || h->stall.counted * 1000 > STALL_PAUSES_KILLS_MS) &&
            !progress_await(h)) {
            h->result->hangs++;
            return;
        }
        if (h->result->kills % LOOK_EVERY == 0 && h->plan->look != NULL)
            h->plan->look();
    }
    if (!progress_await(h))
        h->result->hangs++;
}

void kill_run(const struct kill_plan *plan, struct kill_result *result)
{
    struct harness h = {.plan = plan, .result = result};
    memset(result, 0, sizeof *result);
    result->seed = seed;
    plan_at_work = plan;
    kill_clock_start(&h.stall);
    for (int i = 0; i < plan->workers; i++)
        hand_start(&h, i);
    workers_torment(&h);
    if (result->hangs == 0)
        workers_dismiss(&h);
    else
        workers_kill(&h);
    for (int i = 0; i < plan->workers; i++) {
        struct kill_worker *w = &kill_board->worker[i];
        result->turns += atomic_load(&w->turns);
        result->recovered += atomic_load(&w->recovered);
        result->violations += atomic_load(&w->violations);
        result->wrong += atomic_load(&w->wrong);
        result->false_deaths += atomic_load(&w->false_deaths);
    }
}

void kill_assert_clean(const struct kill_plan *plan, const struct kill_result *result)
{
    assert_int_equal(result->hangs, 0);
    assert_int_equal(result->violations, 0);
    assert_int_equal(result->wrong, 0);
    assert_int_equal(result->false_deaths, 0);
    assert_int_equal(result->kills, plan->kills);
    assert_true(result->turns > 0);
}

/* ---- sections -------------------------------------------------------------------------------- */

void kill_section(struct kill_worker *me, int rc)
{
    struct kill_board *b = kill_board;
    uint32_t mine = (uint32_t)me->index + 1;
    check(rc == 0 || rc == MP_RECOVERED);
    if (rc == MP_RECOVERED)
        atomic_fetch_add(&me->recovered, 1);
    else if (atomic_load(&b->inside) != 0)
        atomic_fetch_add(&me->violations, 1);
    else if (b->x != b->y)
        atomic_fetch_add(&me->wrong, 1);
    kill_set_role(me, HOLDER);
    atomic_store(&b->inside, mine);
    b->y = b->x;
    b->x = b->x + 1;
    kill_work(&me->rng);
    kill_dawdle(me, 8);
    b->y = b->y + 1;
    if (atomic_load(&b->inside) != mine)
        atomic_fetch_add(&me->violations, 1);
    atomic_store(&b->inside, 0);
}

void kill_released(struct kill_worker *me, int rc)
{
    check(rc == 0 || rc == MP_ESTATE);
    if (rc == MP_ESTATE)
        atomic_fetch_add(&me->false_deaths, 1);
    kill_set_role(me, BYSTANDER);
}

void kill_assert_pair(const struct kill_result *result)
{
    /* a victim may have finished its section and not its turn */
    assert_true(kill_board->x >= result->turns);
    assert_true(kill_board->x <= result->turns + result->kills);
    assert_true(kill_board->x - kill_board->y <= 1);
}
