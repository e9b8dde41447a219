/* The engine of the kill tests: workers that are killed at random instants and replaced at once,
 * while somebody watches whether the others go on.
 *
 * How it works
 *   A plan says what one turn of a worker is. The harness starts its workers, half of them by plain
 *   fork, half as processes of the library, and kills one after the other: any of them after a
 *   random time, or the first that is seen in a wanted role. Each is reaped and replaced before the
 *   next is killed.
 *   Workers write what they do, and what they find wrong, into the board, shared memory that libmp
 *   knows nothing of. The role a worker died in is read there after it was reaped: the marked steps
 *   of the library tell when it parks, wakes and wakes others, the turn itself when it holds.
 *   Time without progress is counted in short steps of the harness's own running, so that a machine
 *   that stands still is not taken for a hang. While nothing moves nobody else is killed.
 */
#ifndef TESTS_KILL_HARNESS_H
#define TESTS_KILL_HARNESS_H

#include "memory/memory.h"
#include "support/support.h"

#include <stdatomic.h>

/* A hang lasts longer than this; below the 5 s after which the library gives up by itself here and
   there. What is chance is tried for again, in so many runs at most. */
enum { KILL_WORKERS_MAX = 16, KILL_HANG_SECONDS = 4 * SUPPORT_TIME_FACTOR, KILL_RUNS_MOST = 30 };

/* What a worker is doing. */
enum kill_role { BYSTANDER, STARTER, WAITER, WOKEN, HOLDER, WAKER, KILL_ROLES };

/* A worker's line of the board; it outlives the processes that work there. */
struct kill_worker {
    _Alignas(128) _Atomic uint32_t role;
    _Atomic uint32_t life; /* how many processes worked here */
    _Atomic uint64_t turns;
    _Atomic uint64_t recovered, violations, wrong, false_deaths;
    _Atomic uint64_t sure, unsure; /* for plans that count what the dead held */
    struct rng rng;                /* of the process at work */
    int index;
};

struct kill_board {
    _Atomic bool stop;
    _Alignas(64) _Atomic uint64_t changes; /* odd while somebody is being killed */
    _Atomic uint64_t dying;                /* bit i: worker i may be dead by now */
    _Alignas(64) _Atomic uint32_t inside;
    volatile uint64_t x, y; /* a pair that is equal between sections */
    struct kill_worker worker[KILL_WORKERS_MAX];
};
extern struct kill_board *kill_board;

/* Seconds without a turn after which the plan is asked whose fault it is. */
#define KILL_SUSPICION 0.5

struct kill_plan {
    int workers;
    int kills;
    void (*turn)(struct kill_worker *me);
    void (*begin)(struct kill_worker *me); /* a new process; may be NULL */
    void (*died)(struct kill_worker *w);   /* in the harness, after the reaping */
    bool (*stalled)(void);                 /* true: the stall is nobody's fault, go on */
    void (*let_go)(void);                  /* again and again while the workers leave */
    void (*look)(void);                    /* now and then, between kills */
    unsigned replace_within;               /* microseconds until the dead are replaced, at most */
    unsigned wanted;                       /* roles to look for: bits 1 << role */
    bool forked_only;                      /* no processes of the library */
};

struct kill_result {
    uint64_t kills, by_role[KILL_ROLES];
    uint64_t turns, recovered, violations, wrong, false_deaths;
    int hangs;
    double worst_stall; /* seconds */
    uint64_t seed;
};

/* Makes the board, empty, and a new random sequence; before each run. */
void kill_prepare(void);
/* The caller goes on in a child; the first process stands in for an init that may be slow: it reaps at
   once what is orphaned below it, and leaves with the child's result. Before all else in main. */
void kill_reap_orphans(void);
/* How many kills were asked for: LIBMP_TEST_KILLS, else `usual`; sets the time limit to match. */
int kill_count(int usual);
/* Memory that is shared with all processes started later and that libmp knows nothing of. */
void *kill_shared(size_t size);

void kill_run(const struct kill_plan *plan, struct kill_result *result);
/* No hang, no violation, no wrong value, no false death, and all kills done. */
void kill_assert_clean(const struct kill_plan *plan, const struct kill_result *result);

/* The body of a section that must exclude others: checks, and changes the pair in two steps. `rc`
   is what the acquire gave. Half-done changes are wrong unless it gave MP_RECOVERED. */
void kill_section(struct kill_worker *me, int rc);
/* The same for a release: MP_ESTATE says that somebody thought this process dead. */
void kill_released(struct kill_worker *me, int rc);
/* The sum of the sections that were finished is what the pair says. */
void kill_assert_pair(const struct kill_result *result);

static inline void kill_set_role(struct kill_worker *me, enum kill_role role)
{
    atomic_store(&me->role, (uint32_t)role);
}
bool kill_is_dying(const struct kill_worker *w);
/* All turns since the board was made. */
uint64_t kill_turns(void);
/* The hook that turns marked steps into roles, for a process at work for `me`; NULL: no more. At one
   step in `dawdle_one_in` the process lingers, so that the kill finds it there. */
void kill_follow_steps(struct kill_worker *me, unsigned dawdle_one_in);
/* The same inside a section. */
void kill_dawdle(struct kill_worker *me, unsigned one_in);

/* ---- time ------------------------------------------------------------------------------------ */

struct rng *kill_rng(void);
uint64_t kill_seed(void);
/* Mostly short, seldom up to `most` microseconds. */
void kill_pause(struct rng *rng, size_t most);
void kill_work(struct rng *rng);
void kill_nap(unsigned microseconds);

/* Counts the harness's own running. */
struct kill_clock {
    double last, counted;
};
void kill_clock_start(struct kill_clock *clock);
/* Naps a little and adds what has passed; true while less than `limit` seconds were counted. */
bool kill_clock_tick(struct kill_clock *clock, double limit);

/* Waits until the flag is true: false after KILL_HANG_SECONDS of the harness's own running. */
bool kill_await(const atomic_int *flag);

/* ---- tables (table.c) ------------------------------------------------------------------------ */

struct kill_latency {
    int rounds;
    double median, worst; /* seconds */
};

/* Lock-like calls on the object under test. */
struct kill_lock_calls {
    int (*take)(void);
    int (*give)(void);
};

/* Kills a holder while one other waits, and measures until that one has MP_RECOVERED. `reaped`: the
   holder is a process of the library, whose reaper wakes the heirs. */
void kill_measure_recovery(const struct kill_lock_calls *calls, int rounds, bool reaped,
                           struct kill_latency *latency);

void kill_print(const char *name, const struct kill_result *result);
void kill_print_recovery(const char *name, const char *how, const struct kill_latency *latency);

/* ---- one wake, two sleepers, and a death (sparse.c) ------------------------------------------- */

struct sparse_plan {
    void (*prepare)(void);   /* before each round; the sleepers will have to wait */
    void (*sleep)(void);     /* in each sleeper: wait, and leave all in order */
    void (*get_ready)(void); /* in the waker, before the moment; may be NULL */
    void (*wake)(void);      /* in the waker */
    bool waker_first;        /* it gets ready before the sleepers come */
    bool all;                /* a wake is for both sleepers */
    /* In the harness after the death: true if nothing was owed to the survivors; then it has done
       what the dead did not, and they will wake. NULL: always owed. */
    bool (*is_settled)(bool victim_returned);
    void (*clean_up)(void); /* after each round; may be NULL */
};

struct sparse_result {
    int rounds, woken, wakers; /* killed at the wake, and while waking */
    int lost;
    double worst; /* seconds from the death to the survivor's return */
};

/* Ends with the first wake that is lost. */
/* How many rounds befit the number of kills asked for. */
int sparse_rounds(void);
void sparse_run(const struct sparse_plan *plan, int rounds, struct sparse_result *result);
void sparse_print(const char *name, const struct sparse_result *result);

/* ---- all of it for whatever excludes (excluder.c) --------------------------------------------- */

struct excluder {
    const char *name;
    void (*make)(void);
    void (*end)(void);
    struct kill_lock_calls calls;
    bool swept; /* the reaper of a process of the library wakes the heirs */
};
/* main() of a program that kills users of a lock. */
int excluder_main(const struct excluder *which);

#endif
