/* A kill at every marked step: scenarios, and the engine that runs each until no step is left.
 *
 * How it works
 *   A scenario is run again and again; in the n-th run its actor, a child, kills itself at the n-th
 *   marked step it comes to, until a run ends in which there is no n-th. After each run the
 *   survivors finish what the scenario is about, within a bound, and the heap must hold exactly
 *   what it held before. Partners are other children, which nobody kills; they keep pace with the
 *   actor by looking whether it is parked, or gone.
 *   Where several processes take steps at their own pace, a name is chosen, and in the n-th run the
 *   n-th of them to come to a step of that name kills itself.
 *   The names of all steps come from the sources, by CMake; each must have killed somebody.
 */
#ifndef TESTS_KILL_STEPS_H
#define TESTS_KILL_STEPS_H

#include "kill/harness.h"

enum { STEPS_BOUND = KILL_HANG_SECONDS, STEPS_PARTNERS = 3 };

enum steps_whose { IN_THE_ACTOR, IN_ITS_CHILDREN };

struct scenario {
    const char *name;
    void (*prepare)(void); /* makes what the scenario is about */
    void (*partners)(void);
    void (*actor)(void);  /* the steps in here count */
    void (*finish)(void); /* by the survivors; destroys what prepare made */
    void (*ready)(void);  /* in the actor, before steps count; may be NULL */
    enum steps_whose whose;
    bool enters;      /* the actor is no process of libmp's yet */
    const char *each; /* steps whose names begin so, one name after the other; NULL: all, as met */
};

/* Shared by all in a run. */
struct steps_stage {
    atomic_int armed;        /* the step to die at; 0: steps are not counted */
    atomic_int only;         /* 1 + the one name that counts; 0: all do */
    atomic_int count;        /* steps met so far in this run */
    atomic_int parked, gone; /* the actor */
    atomic_int died;         /* somebody did, at the armed step */
    atomic_int generation;   /* who: 0 the actor, 1 a child of it, 2 one further down */
    atomic_int flag[8];      /* for the scenario */
    atomic_int actor_pid;
    _Atomic uintptr_t object; /* for the scenario: what the actor made */
    atomic_int name;          /* of the step at which the last one died */
};
extern struct steps_stage *steps_stage;

/* A scenario in which nobody dies must come out right as well; returns the number of runs. */
int steps_run(const struct scenario *scenario);
void steps_run_all(const struct scenario *scenarios, size_t count);
/* Whether the last to die did so at this step. */
bool steps_died_at(const char *name);

/* In partners(): starts one; it must leave with 0 within the bound. */
pid_t steps_partner(int (*body)(void *), void *arg);
/* In partners(): starts one that another partner may kill. */
pid_t steps_victim(int (*body)(void *), void *arg);
/* The same, and returns once it is parked at a step, in the kernel. */
pid_t steps_parked_partner(int (*body)(void *), void *arg);
/* In a partner: until the actor sleeps at a step, or is gone. */
void steps_await_actor(void);
/* Flags; to wait for one ends when the actor is gone. */
void steps_set(int flag);
void steps_await(int flag);

/* Only this process lives: all other places in the table of processes can be had. */
void steps_slots_are_free(void);

extern const struct scenario steps_locks[], steps_waits[], steps_memory[], steps_processes[],
    steps_queue[], steps_workers[], steps_named[];
extern const size_t steps_locks_count, steps_waits_count, steps_memory_count, steps_processes_count,
    steps_queue_count, steps_workers_count, steps_named_count;

#endif
