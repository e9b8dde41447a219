/* Who works in a pool: workers write themselves down when they begin, so that others can kill them
 * and see that they are gone.
 *
 * How it works
 *   roster_sign is a pool's initializer. It takes the next line of the roster, shared memory that
 *   libmp knows nothing of, round and round, and notes pid and start time there, and those of the
 *   parent, the supervisor. A line may outlive its worker: before somebody is killed he is looked
 *   up in /proc, and must still be the supervisor's child.
 */
#ifndef TESTS_KILL_ROSTER_H
#define TESTS_KILL_ROSTER_H

#include "kill/harness.h"

enum { ROSTER_LINES = 64 };

/* What a worker is doing. */
enum roster_state { ROSTER_IDLE, ROSTER_AT_WORK, ROSTER_AT_STEP, ROSTER_STATES };

/* Empties it; once per pool. */
void roster_prepare(void);

/* The initializer. With a true `lingers` (a bool *) the worker dawdles at marked steps. */
int roster_sign(void *lingers);
/* In a worker: what it does from now on; elsewhere nothing. */
void roster_set(enum roster_state state);

/* How many workers have signed so far. */
int roster_births(void);
/* Workers that run. */
int roster_count(void);
/* Until so many run: false after KILL_HANG_SECONDS. */
bool roster_await(int workers);
/* 0 before the first worker has signed. */
pid_t roster_supervisor(void);

/* Kills a worker, one in a randomly wanted state if there is one soon; what it was doing, or -1 if
   nobody was found to kill. */
int roster_kill_one(struct rng *rng);

/* Waits until supervisor and workers are gone, corpses being so: how many are left after `limit`
   seconds of the caller's own running, and how many seconds went by. */
int roster_left(double limit, double *took);

/* Waits until this process has no children and, if it is told to inherit orphans, none below them:
   reaps all, and gives how many did not end in time. `took` may be NULL. */
void roster_inherit_orphans(bool on);
int roster_reap_all(double limit, double *took);

/* ---- memory ---------------------------------------------------------------------------------- */

/* What the heap holds after a sweep, which leaves nothing half done. */
struct mp__heap_count heap_after_sweep(void);
/* It is swept, and holds as much as then. */
void assert_heap_is_as_before(const struct mp__heap_count *before);

#endif
