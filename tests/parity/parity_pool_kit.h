/* What the tests of Python's pools share: pools, tasks, inputs and the reading of results. */
#ifndef TESTS_PARITY_POOL_KIT_H
#define TESTS_PARITY_POOL_KIT_H

#include "parity.h"

#include <mp/object.h>
#include <mp/pool.h>

mp_pool *new_pool(int processes);
mp_pool *new_pool_with(int processes, const mp_pool_options *options);

/* Closes, joins and destroys. */
void end_pool(mp_pool *pool);
void end_broken_pool(mp_pool *pool); /* its join tells */

/* x * x of an int x, or of a pair (x, seconds) after a sleep. */
mp_task sqr;
/* The same once `go` is set, an event made before the pool. */
extern mp_event *go;
mp_task sqr_once_told;
/* x * y of a pair (x, y). */
mp_task mul;
/* What it was given. */
mp_task identity;
/* The process that it runs in. */
mp_task give_pid;
/* The int that a str spells; fails with INVALID_LITERAL for another str. */
mp_task to_int;
/* Fails with RAISED and the text "foo". */
mp_task raise_foo;

enum { INVALID_LITERAL = 22, RAISED = 33 };

/* An owned list of the ints from 0 to n - 1. */
mp_obj range(int64_t n);

/* The pids of a pool of n workers, all of which run: each gets a task that waits for the others at
 * `meeting`, a barrier of n made before the pool. */
extern mp_barrier *meeting;
void new_meeting(int n);
void pids_of_workers(mp_pool *pool, int n, int64_t *pids);

/* What an owned object holds; the object is freed. */
int64_t owned_int(mp_obj *o);
void take_squares(mp_obj *list, size_t n);

/* The text says why the last call failed. */
void check_detail(const char *part);

/* Python's exception_throwing_generator: the ints below `total`, failing with SAY_WHEN at `when`.
 * It goes to mp_pool_imap_from as the context of generate. */
enum { SAY_WHEN = -71 };
struct generator {
    int64_t total, when;
    int64_t at;
    int calls;
};
mp_next generate;

#endif
