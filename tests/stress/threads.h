/* Threads in place of processes, so that the thread sanitizer can see which order a protocol gives. */
#ifndef TESTS_STRESS_THREADS_H
#define TESTS_STRESS_THREADS_H

#include "memory/memory.h"
#include "support/support.h"

enum { THREADS = 4 };

/* Runs `body` in THREADS threads at once, each with its number and a random sequence of its own. */
struct team_member {
    int index;
    struct rng rng;
};
void team_run(void (*body)(struct team_member *me));

#endif
