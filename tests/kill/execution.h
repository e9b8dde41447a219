/* A process that others wait for is killed while they wait: how soon they know. */
#ifndef TESTS_KILL_EXECUTION_H
#define TESTS_KILL_EXECUTION_H

#include "kill/harness.h"

enum { WAITERS_MOST = 6 };

/* Shared. */
struct scene {
    atomic_int waiter[WAITERS_MOST]; /* threads that are about to wait */
    atomic_int returned;             /* how many waits have ended */
    atomic_int at_work;              /* tasks and methods that have begun */
    atomic_int over;                 /* it is never over */
    _Atomic double took;
};

/* What a task does that never ends. */
void scene_stay(struct scene *scene);

struct execution {
    struct scene *scene;
    pid_t (*victim)(void);
    int at_work, waits;
};

/* A child: kills the victim once what must be at work is, and the waiters sleep, and measures the
   time until `waits` calls have returned. */
int execution_run(void *arg);

#endif
