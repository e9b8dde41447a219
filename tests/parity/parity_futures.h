/* What the tests of executors and futures share: tasks, tasks that wait at a door, one future of
 * each state, and who the workers are. */
#ifndef TESTS_PARITY_FUTURES_H
#define TESTS_PARITY_FUTURES_H

#include "parity.h"

#include <mp/futures.h>
#include <mp/pool.h>
#include <stdatomic.h>

/* What the tasks below answer with, and fail with. */
enum { ANSWER = 42, TASK_CODE = 7 };
#define TASK_TEXT "this is an exception"

/* ---- executors and results ------------------------------------------------------------------ */

mp_executor *new_executor(int max_workers);
mp_future *submit(mp_executor *executor, mp_task *task, mp_obj arg);

/* Waits for the result, an int. */
int64_t int_result(mp_future *future);

/* Waits until it is done; how it ended, MP_ECANCELLED included. */
int end_of(mp_future *future);

/* The same, and gives the future back. */
int64_t take_int(mp_future *future);
int take_end(mp_future *future);

/* 0, 1, 2, ... as a list that borrows the items. */
mp_obj count_up(mp_obj *items, size_t n);
int64_t int_at(mp_obj list, size_t i);
bool is_none(mp_obj list, size_t i);

/* ---- tasks ---------------------------------------------------------------------------------- */

mp_task answer;      /* ANSWER */
mp_task square;      /* i: i * i */
mp_task multiply;    /* (a, b): a * b */
mp_task power;       /* (a, b): a to the b */
mp_task divide;      /* (a, b): (a / b, a % b); by zero it fails */
mp_task tell_pid;    /* its worker's */
mp_task raise_error; /* TASK_CODE, TASK_TEXT */
mp_task be_killed;   /* by SIGSEGV, without a core */
mp_task meet_others; /* a barrier's address: the pid, when all have come */

/* An address as the argument of a task; what it points to lies in shared memory. */
mp_obj address(const void *shared);
void *at_address(mp_obj arg);

/* ---- tasks that wait ------------------------------------------------------------------------ */

/* Tasks come to a door, tell so, and wait until it is opened. */
enum { DOOR_PLACES = 256 };
struct door {
    mp_semaphore *came; /* one unit for each */
    mp_event *open;
    atomic_int count, left;       /* how many came, and how many of them have gone on */
    atomic_int pids[DOOR_PLACES]; /* in the order in which they came */
};

struct door *new_door(void);
void open_door(struct door *door);
void destroy_door(struct door *door);

/* Their argument is a door's address. */
mp_task wait_at_door;           /* ANSWER */
mp_task wait_and_fail;          /* as raise_error */
mp_task wait_and_be_killed;     /* as be_killed */
mp_task wait_without_terminate; /* deaf to SIGTERM */

/* Submits a task that waits there, and returns once it does. */
mp_future *submit_held(mp_executor *executor, mp_task *task, struct door *door);

/* ---- one future of each state --------------------------------------------------------------- */

/* Of an executor with one worker, at whose door `running` waits. */
struct states {
    mp_executor *executor;
    struct door *door;
    mp_future *pending, *running, *cancelled, *failed, *successful;
};
void states_open(struct states *states);
void states_close(struct states *states);

/* ---- workers -------------------------------------------------------------------------------- */

/* The pids of all workers: as many tasks as workers meet, so none may be missing. */
void worker_pids(mp_executor *executor, int workers, pid_t *pids);

/* How many different ones there are. */
int distinct_pids(const pid_t *pids, int n);

/* Whether a process of this number runs, a corpse does not; whether it ends within some seconds. */
bool runs(pid_t pid);
bool goes(pid_t pid);

/* Forks a program of its own: runs the body, leaves by exit. Its exit status. */
int run_program(int (*body)(void *arg), void *arg);

#endif
