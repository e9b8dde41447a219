/* Tasks that are accounted for one by one, whoever is killed, and the one who kills.
 *
 * How it works
 *   Each chore has a number and an entry in the books, shared memory that libmp knows nothing of.
 *   The worker books that it begins and that it is about to return, the owner of the pool what the
 *   chore was resolved to. The number says what has to come out: an int, 64 KiB of bytes, or a
 *   failure. A run that began and did not come out right must have ended with its worker, so there
 *   are at most as many as kills; and no chore may run more often than its retries allow.
 *   The killer is a child of its own. The k-th kill waits until k / kills of all chores have begun,
 *   and something has begun since the last one.
 */
#ifndef TESTS_KILL_CHORES_H
#define TESTS_KILL_CHORES_H

#include "kill/roster.h"

#include <mp/pool.h>

enum { CHORE_LARGE = 1 << 16 };

/* Empty books, for so many. */
void chores_prepare(uint32_t most);
/* A new one; gives its number. */
uint32_t chore_new(unsigned retries);
/* How many there are so far. */
uint32_t chores_so_far(void);

/* Tasks: the argument is the number as an int; an item is a uint32_t, its result a uint64_t. */
int chore_do(mp_obj number, mp_obj *result);
int chore_do_item(const void *item, void *result, void *context);

/* In the owner: what came of one. `value` may be NULL where there is none; `task_code` is what
   mp_error_code gave, or 0 where nobody asked. */
void chore_resolve(uint32_t number, int code, const mp_obj *value, int task_code);
void chore_resolve_item(uint32_t number, int code, uint64_t value);
/* Which one gave this value or, by mp_error_code, this failure; false: it does not say. */
bool chore_number_of(int code, const mp_obj *value, int task_code, uint32_t *number);
/* A callback was called for it. */
void chore_called(uint32_t number);
void chore_expect_call(uint32_t number);

struct chores_sum {
    uint32_t chores, values, failures, died; /* died: MP_EDIED */
    uint32_t saved;                          /* came out right in a later run */
    uint32_t lost_runs;                      /* began, and did not come out */
    uint32_t unresolved, doubled, rerun, wrong, strange, invented, miscalled;
};
void chores_count(struct chores_sum *sum);
void chores_print(const char *name, const struct chores_sum *sum);
/* All resolved once, rightly, and no more lost than were killed. */
void chores_assert_clean(const struct chores_sum *sum, uint32_t kills);

/* ---- the killer ------------------------------------------------------------------------------ */

/* Starts it: so many kills among so many chores. */
pid_t killer_start(int kills, uint32_t chores);
uint32_t killer_kills(void);
/* Tells it that there is nothing more to kill, and waits for its end. */
void killer_stop(pid_t killer);
/* What the killed were doing. */
void killer_print(const char *name);

#endif
