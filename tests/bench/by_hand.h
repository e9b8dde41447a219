/* What one writes by hand in place of a pool: forked workers that take chunks by a shared counter,
 * and one that waits at a ring. Neither survives a death, nor checks anything. */
#ifndef BENCH_BY_HAND_H
#define BENCH_BY_HAND_H

#include "kit.h"

#include <mp/pool.h>

/* Forks the workers, once, for arrays of up to `size` bytes each. */
void by_hand_start(unsigned workers, size_t size);
/* Arrays that the workers share with the caller. */
void *by_hand_in(void);
void *by_hand_out(void);
/* Runs the task on all items: those of by_hand_in() into by_hand_out(), or with copies. */
void by_hand_map(mp_array_task *task, size_t count, size_t item_size);
void by_hand_map_copied(mp_array_task *task, const void *items, size_t count, size_t item_size,
                        void *results);

/* Forks the worker of a ring, on the next CPU; with `spins` both sides try for 3 us before they
   sleep. */
struct by_hand_ring *by_hand_ring_start(bool spins);
int64_t by_hand_apply(struct by_hand_ring *ring, int64_t (*function)(int64_t), int64_t arg);

/* The same map with threads, by OpenMP. */
void openmp_map(mp_array_task *task, const void *items, size_t count, size_t item_size,
                void *results, unsigned threads);

#endif
