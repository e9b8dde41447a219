/* A pool among whose tasks one does harm, and what has to hold of it then. */
#ifndef TESTS_WORKERS_HARM_H
#define TESTS_WORKERS_HARM_H

#include "support/support.h"

#include <mp/pool.h>
#include <stdatomic.h>

enum { CREW = 3, ITEMS = 24, CHUNK = 6, HARMFUL = 8 };

/* What a task does at the item HARMFUL; its answer is the task's. */
typedef int harm(void);

/* Lies in shared memory. */
struct notes {
    atomic_int runs[ITEMS]; /* how often each item has begun */
    atomic_int worker;      /* the pid of the one that ran HARMFUL */
    atomic_int guest;       /* for the harm to note a pid */
};

struct crew {
    mp_pool *pool;
    struct notes *notes;
    harm *does; /* taken over by the workers when the crew is made */
    double task_timeout;
};

/* Has a pool of CREW workers and runs the squares of 0 to ITEMS - 1 in it, in chunks; HARMFUL is
 * in the middle of one. */
struct crew crew_start(harm *does, double task_timeout);

/* One such map: `code` is what HARMFUL comes to, all else has its result and ran once. If `detail`
 * is not NULL, the detail is "worker <its pid> <detail> while running item <HARMFUL>"; `detail` is
 * an extended regular expression. */
void crew_map(struct crew *crew, int code, const char *detail);

/* As many tasks as workers meet: none is missing, each is another, live process. */
void crew_is_complete(struct crew *crew);

/* Closes, joins, destroys. */
void crew_end(struct crew *crew);

/* All of it, two maps in a row. */
void crew_survives(harm *does, double task_timeout, int code, const char *detail);

/* The notes of the running crew, for a harm. */
struct notes *crew_notes(void);

/* Harms. A crash is a real fault: it depends on no handler of the test's, and on no signal mask. */
harm be_killed, crash, crash_without_core;

void leave_no_core(void);

#endif
