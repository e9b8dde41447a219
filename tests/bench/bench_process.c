/* How fast processes are started and joined, beside fork, _exit and waitpid in a program without
 * libmp; and, for information, what objects and shared memory cost. */
#include "kit.h"

#include <mp/process.h>
#include <mp/sharedctypes.h>

#include <stdlib.h>
#include <string.h>

static const char *self; /* this program */

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void start_join(uint64_t n, const mp_process_options *options)
{
    while (n-- > 0) {
        mp_process *p;
        MP_CHECK(mp_process_create(&p, nothing, NULL, 0, options));
        MP_CHECK(mp_process_start(p));
        MP_CHECK(mp_process_join(p, MP_FOREVER));
        mp_process_destroy(p);
    }
}

static void start_batch(uint64_t n)
{
    start_join(n, NULL);
}

static void daemonic_batch(uint64_t n)
{
    start_join(n, &(mp_process_options){.daemon = MP_DAEMON_YES});
}

static void create_batch(uint64_t n)
{
    while (n-- > 0) {
        mp_process *p;
        MP_CHECK(mp_process_create(&p, nothing, NULL, 0, NULL));
        mp_process_destroy(p);
    }
}

/* ---- starting, in a program that was started for it ---------------------------------------- */

static double answer(const char *request, double seconds)
{
    if (strcmp(request, "start_heap") == 0)
        return bench_with_heap(start_batch, seconds);
    bool daemonic = strcmp(request, "start_daemonic") == 0;
    return bench_alone(daemonic ? daemonic_batch : start_batch, seconds);
}

static double start(double seconds)
{
    return bench_peer_ask_once(self, "--serve", "start", seconds);
}

static double start_daemonic(double seconds)
{
    return bench_peer_ask_once(self, "--serve", "start_daemonic", seconds);
}

static double start_heap(double seconds)
{
    return bench_peer_ask_once(self, "--serve", "start_heap", seconds);
}

static double raw_fork(double seconds)
{
    return bench_peer_ask_once(BENCH_RAW_PROCESS, NULL, "start", seconds);
}

static double raw_fork_heap(double seconds)
{
    return bench_peer_ask_once(BENCH_RAW_PROCESS, NULL, "start_heap", seconds);
}

static double create(double seconds)
{
    return bench_alone(create_batch, seconds);
}

/* ---- memory -------------------------------------------------------------------------------- */

static void alloc_free(uint64_t n, size_t size)
{
    while (n-- > 0) {
        void *p;
        MP_CHECK(mp_raw_alloc(&p, size));
        *(volatile char *)p = 1;
        mp_raw_free(p);
    }
}

/* Zeroed, as mp_raw_alloc's. */
static void malloc_free(uint64_t n, size_t size)
{
    while (n-- > 0) {
        void *p = calloc(1, size);
        bench_check(p != NULL);
        *(volatile char *)p = 1;
        free(p);
    }
}

static void alloc_small_batch(uint64_t n)
{
    alloc_free(n, 64);
}

static void alloc_large_batch(uint64_t n)
{
    alloc_free(n, (size_t)1 << 20);
}

static void malloc_small_batch(uint64_t n)
{
    malloc_free(n, 64);
}

static void malloc_large_batch(uint64_t n)
{
    malloc_free(n, (size_t)1 << 20);
}

static double alloc_small(double seconds)
{
    return bench_alone(alloc_small_batch, seconds);
}

static double alloc_large(double seconds)
{
    return bench_alone(alloc_large_batch, seconds);
}

static double malloc_small(double seconds)
{
    return bench_alone(malloc_small_batch, seconds);
}

static double malloc_large(double seconds)
{
    return bench_alone(malloc_large_batch, seconds);
}

static const struct bench_row rows[] = {
    {"start + join", start, raw_fork, "start", 1.25, 16},
    {"start + join, 8 MiB of heap", start_heap, raw_fork_heap, "start_heap", 1.25, 0},
    {"start + join, daemonic", start_daemonic, raw_fork, "start_daemonic", 0, 0},
    {"create + destroy", create, NULL, "create", 0, 0},
    {"mp_raw_alloc + free, 64 bytes", alloc_small, malloc_small, NULL, 0, 0},
    {"mp_raw_alloc + free, 1 MiB", alloc_large, malloc_large, NULL, 0, 0},
};

int main(int argc, char **argv)
{
    self = argv[0];
    if (argc == 2 && strcmp(argv[1], "--serve") == 0) {
        bench_peer_serve("libmp", answer);
        return 0;
    }
    return bench_main(argc, argv, rows, sizeof rows / sizeof rows[0]);
}
