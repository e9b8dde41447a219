/* The random source and the clock of the tests. */
#include "support/support.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

double clock_seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

bool support_try_again(struct timing *timing, const char *file, int line)
{
    enum { MOST_TRIES = 20 };
    if (timing->count > 0) {
        double took = clock_seconds() - timing->began_at;
        if (took < timing->least)
            support_fail(file, line, "took %.6f s, less than %.6f", took, timing->least);
        if (took < timing->most)
            return false;
        if (timing->count == MOST_TRIES)
            support_fail(file, line, "took %.6f s the last of %d times, not less than %.6f", took,
                         timing->count, timing->most);
    }
    timing->count++;
    timing->began_at = clock_seconds();
    return true;
}

uint64_t rng_seed(void)
{
    const char *text = getenv("LIBMP_TEST_SEED");
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    uint64_t seed =
        text ? strtoull(text, NULL, 0) : (uint64_t)now.tv_sec * 1000003U + (uint64_t)now.tv_nsec;
    print_message("LIBMP_TEST_SEED=%" PRIu64 "\n", seed);
    return seed;
}

/* A xorshift state must not be 0, and seeds that differ in one bit should part at once. */
struct rng rng_start(uint64_t seed)
{
    uint64_t mixed = (seed + 0x9e3779b97f4a7c15U) * 0xbf58476d1ce4e5b9U;
    mixed ^= mixed >> 31;
    return (struct rng){.state = mixed ? mixed : 1};
}

uint64_t rng_next(struct rng *rng)
{
    uint64_t x = rng->state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    rng->state = x;
    return x * 0x2545f4914f6cdd1dU;
}

size_t rng_below(struct rng *rng, size_t bound)
{
    return (size_t)((rng_next(rng) >> 11) % bound);
}
