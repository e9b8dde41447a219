/* Pools against what one writes by hand (by_hand.h), OpenMP, and CPython's Pool: arrays, tasks of
 * 100 us, round trips, many tasks in flight, and a pool's life. */
#include "by_hand.h"

#include <mp/mp.h>
#include <mp/pool.h>

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ITEMS = 1000000, TASKS = 10000, INTS = 100000, IN_FLIGHT = 100000, WORKERS_OF_LIFE = 4 };
#define TASK_NS INT64_C(100000)
#define ARRAY_SIZE (ITEMS * sizeof(double))

static const char *self;       /* this program */
static unsigned workers;       /* of the pool, and of all that it is compared with */
static mp_pool *pool, *pinned; /* the pinned one has one worker, on the next CPU */
static double *shared[2];      /* in the pool's memory: items, results */
static double *private[2];     /* this process's own */
static struct by_hand_ring *ring, *spinning;
static uint64_t busy_turns; /* for TASK_NS */
static mp_obj ints;

/* ---- tasks ---------------------------------------------------------------------------------- */

static int square_item(const void *item, void *result, void *context)
{
    const double *x = item;
    double *y = result;
    (void)context;
    *y = *x * *x;
    return 0;
}

static int square(mp_obj arg, mp_obj *result)
{
    int64_t x;
    if (mp_obj_as_int(arg, &x) != 0)
        return mp_task_fail(1, "not a number");
    *result = MP(x * x);
    return 0;
}

static int64_t square_int(int64_t x)
{
    return x * x;
}

static uint64_t turn_busily(uint64_t x, uint64_t turns)
{
    for (volatile uint64_t i = 0; i < turns; i++)
        x = x * UINT64_C(6364136223846793005) + i;
    return x;
}

static int busy_item(const void *item, void *result, void *context)
{
    const uint64_t *x = item;
    uint64_t *y = result;
    (void)context;
    *y = turn_busily(*x, busy_turns);
    return 0;
}

static int busy(mp_obj arg, mp_obj *result)
{
    *result = MP((int64_t)(turn_busily((uint64_t)arg.i, busy_turns) >> 1));
    return 0;
}

static void busy_calibrate(void)
{
    const uint64_t turns = 100000;
    volatile uint64_t x = 1;
    int64_t best = INT64_MAX;
    for (int i = 0; i < 50; i++) {
        int64_t began = bench_now();
        x = turn_busily(x, turns);
        int64_t took = bench_now() - began;
        best = took < best ? took : best;
    }
    busy_turns = turns * (uint64_t)TASK_NS / (uint64_t)best;
}

/* ---- arrays --------------------------------------------------------------------------------- */

static void squares_check(const double *results)
{
    for (size_t i = 0; i < ITEMS; i += 997)
        bench_check(results[i] == (double)i * (double)i);
}

static void copied_batch(uint64_t n)
{
    while (n-- > 0)
        bench_check(mp_pool_map_array(pool, square_item, private[0], ITEMS, sizeof(double),
                                      private[1], sizeof(double), NULL) == 0);
}

static void in_place_batch(uint64_t n)
{
    while (n-- > 0)
        bench_check(mp_pool_map_array(pool, square_item, shared[0], ITEMS, sizeof(double),
                                      shared[1], sizeof(double), NULL) == 0);
}

static void hand_copied_batch(uint64_t n)
{
    while (n-- > 0)
        by_hand_map_copied(square_item, private[0], ITEMS, sizeof(double), private[1]);
}

static void hand_in_place_batch(uint64_t n)
{
    while (n-- > 0)
        by_hand_map(square_item, ITEMS, sizeof(double));
}

/* Run, and looked at afterwards. */
static double array_time(bench_batch *batch, double *results, double seconds)
{
    memset(results, 0, ARRAY_SIZE);
    double ns = bench_unpinned(batch, seconds);
    squares_check(results);
    return ns;
}

static double copied(double seconds)
{
    return array_time(copied_batch, private[1], seconds);
}

static double in_place(double seconds)
{
    return array_time(in_place_batch, shared[1], seconds);
}

static double hand_copied(double seconds)
{
    return array_time(hand_copied_batch, private[1], seconds);
}

static double hand_in_place(double seconds)
{
    memcpy(by_hand_in(), private[0], ARRAY_SIZE);
    return array_time(hand_in_place_batch, by_hand_out(), seconds);
}

#ifdef BENCH_OPENMP
static void openmp_batch(uint64_t n)
{
    while (n-- > 0)
        openmp_map(square_item, private[0], ITEMS, sizeof(double), private[1], workers);
}

/* In a child: the threads are gone when others are timed. */
static double openmp(double seconds)
{
    static double *took;
    if (took == NULL)
        took = bench_map_shared(sizeof *took);
    *took = 0;
    fflush(NULL);
    pid_t pid = fork();
    bench_check(pid >= 0);
    if (pid == 0) {
        *took = array_time(openmp_batch, private[1], seconds);
        _exit(0);
    }
    bench_check(waitpid(pid, NULL, 0) == pid && *took > 0);
    return *took;
}
#endif

/* ---- tasks of 100 us ------------------------------------------------------------------------ */

static void busy_array_batch(uint64_t n)
{
    while (n-- > 0)
        bench_check(mp_pool_map_array(pool, busy_item, shared[0], TASKS, sizeof(double), shared[1],
                                      sizeof(double), NULL) == 0);
}

static void busy_objects_batch(uint64_t n)
{
    while (n-- > 0)
        bench_check(mp_pool_map(pool, busy, mp_obj_list(ints.items, TASKS), NULL, NULL) == 0);
}

static void busy_serial_batch(uint64_t n)
{
    mp_array_task *volatile task = busy_item;
    while (n-- > 0)
        for (size_t i = 0; i < TASKS; i++)
            bench_check(task(&shared[0][i], &shared[1][i], NULL) == 0);
}

static double busy_array(double seconds)
{
    return bench_unpinned(busy_array_batch, seconds);
}

static double busy_objects(double seconds)
{
    return bench_unpinned(busy_objects_batch, seconds);
}

static double busy_serial(double seconds)
{
    return bench_unpinned(busy_serial_batch, seconds);
}

/* ---- single tasks --------------------------------------------------------------------------- */

static void apply_to(mp_pool *to, uint64_t n)
{
    for (int64_t i = 0; i < (int64_t)n; i++) {
        mp_obj o;
        bench_check(mp_pool_apply(to, square, MP(i & 0xff), &o) == 0);
        bench_check(o.i == (i & 0xff) * (i & 0xff));
        mp_obj_free(&o);
    }
}

static void apply_pinned_batch(uint64_t n)
{
    apply_to(pinned, n);
}

static void apply_batch(uint64_t n)
{
    apply_to(pool, n);
}

static void ring_batch(uint64_t n)
{
    for (int64_t i = 0; i < (int64_t)n; i++)
        bench_check(by_hand_apply(ring, square_int, i & 0xff) == (i & 0xff) * (i & 0xff));
}

static void spinning_batch(uint64_t n)
{
    for (int64_t i = 0; i < (int64_t)n; i++)
        bench_check(by_hand_apply(spinning, square_int, i & 0xff) == (i & 0xff) * (i & 0xff));
}

static double apply_pinned(double seconds)
{
    return bench_alone(apply_pinned_batch, seconds);
}

static double apply_any(double seconds)
{
    return bench_unpinned(apply_batch, seconds);
}

static double ring_trips(double seconds)
{
    return bench_alone(ring_batch, seconds);
}

static double spinning_trips(double seconds)
{
    return bench_alone(spinning_batch, seconds);
}

static void in_flight_batch(uint64_t n)
{
    static mp_async_result *result[IN_FLIGHT];
    while (n-- > 0) {
        for (int64_t i = 0; i < IN_FLIGHT; i++)
            bench_check(mp_pool_apply_async(pool, square, MP(i), &result[i], NULL) == 0);
        for (int64_t i = 0; i < IN_FLIGHT; i++) {
            mp_obj o;
            bench_check(mp_async_result_get(result[i], &o, MP_FOREVER) == 0 && o.i == i * i);
            mp_obj_free(&o);
        }
        for (int64_t i = 0; i < IN_FLIGHT; i++)
            mp_async_result_destroy(result[i]);
    }
}

static double in_flight(double seconds)
{
    return bench_unpinned(in_flight_batch, seconds) / IN_FLIGHT;
}

static void map_ints_batch(uint64_t n)
{
    while (n-- > 0) {
        mp_obj results;
        bench_check(mp_pool_map(pool, square, ints, &results, NULL) == 0);
        bench_check(results.items[INTS - 1].i == (int64_t)(INTS - 1) * (INTS - 1));
        mp_obj_free(&results);
    }
}

static double map_ints(double seconds)
{
    return bench_unpinned(map_ints_batch, seconds);
}

/* ---- a pool's life, in a program that was started for it ------------------------------------- */

static void life_batch(uint64_t n)
{
    while (n-- > 0) {
        mp_pool *some;
        MP_CHECK(mp_pool_create(&some, WORKERS_OF_LIFE, NULL));
        mp_pool_destroy(some);
    }
}

static sem_t *ready;

static int tell_ready(void *unused)
{
    (void)unused;
    return sem_post(ready);
}

/* The pool is not destroyed before all its workers are there. */
static void whole_life_batch(uint64_t n)
{
    const mp_pool_options options = {.initializer = tell_ready};
    while (n-- > 0) {
        mp_pool *some;
        MP_CHECK(mp_pool_create(&some, WORKERS_OF_LIFE, &options));
        for (int i = 0; i < WORKERS_OF_LIFE; i++)
            bench_check(sem_wait(ready) == 0);
        mp_pool_destroy(some);
    }
}

static double answer(const char *request, double seconds)
{
    ready = bench_map_shared(sizeof *ready);
    bench_check(sem_init(ready, 1, 0) == 0);
    if (strcmp(request, "whole_life_unpinned") == 0)
        return bench_unpinned(whole_life_batch, seconds);
    return bench_alone(strcmp(request, "life") == 0 ? life_batch : whole_life_batch, seconds);
}

static double life(double seconds)
{
    return bench_peer_ask_once(self, "--serve", "life", seconds);
}

static double whole_life(double seconds)
{
    return bench_peer_ask_once(self, "--serve", "whole_life", seconds);
}

static double whole_life_unpinned(double seconds)
{
    return bench_peer_ask_once(self, "--serve", "whole_life_unpinned", seconds);
}

static double raw_five(double seconds)
{
    return bench_peer_ask_once(BENCH_RAW_PROCESS, NULL, "five", seconds);
}

static double raw_five_unpinned(double seconds)
{
    return bench_peer_ask_once(BENCH_RAW_PROCESS, NULL, "five_unpinned", seconds);
}

/* ---- the program ---------------------------------------------------------------------------- */

static int pin_worker(void *unused)
{
    (void)unused;
    bench_pin(1);
    return 0;
}

/* All processes first: none is to have a page of the data, nor a pipe to a peer. */
static void everything_start(void)
{
    const mp_pool_options options = {.initializer = pin_worker};
    workers = (unsigned)mp_process_cpu_count();
    busy_calibrate();
    MP_CHECK(mp_pool_create(&pool, (int)workers, NULL));
    MP_CHECK(mp_pool_create(&pinned, 1, &options));
    by_hand_start(workers, ARRAY_SIZE);
    ring = by_hand_ring_start(false);
    spinning = by_hand_ring_start(true);
}

static void data_make(void)
{
    static mp_obj item[INTS];
    for (int i = 0; i < 2; i++) {
        void *memory;
        MP_CHECK(mp_raw_alloc(&memory, ARRAY_SIZE));
        shared[i] = memory;
        private[i] = calloc(ITEMS, sizeof(double));
        bench_check(private[i] != NULL);
    }
    for (size_t i = 0; i < ITEMS; i++)
        shared[0][i] = private[0][i] = (double)i;
    for (int64_t i = 0; i < INTS; i++)
        item[i] = MP(i);
    ints = mp_obj_list(item, INTS);
}

#ifndef BENCH_OPENMP
#define openmp NULL
#endif

static const struct bench_row rows[] = {
    {"array of 10^6, copied (raw: by hand)", copied, hand_copied, "pool_map", 1.25, 70},
    {"array of 10^6, in place (OpenMP)", in_place, openmp, "pool_map", 2, 140},
    {"array of 10^6, in place (by hand)", in_place, hand_in_place, NULL, 0, 0},
    {"10^4 tasks of 100 us (raw: serial)", busy_array, busy_serial, NULL, 1 / 1.85, 0},
    {"the same, of objects", busy_objects, busy_serial, NULL, 1 / 1.85, 0},
    {"apply, one worker (raw: ring)", apply_pinned, ring_trips, "pool_apply_1", 1.3, 15},
    {"the same (raw: ring, 3 us spin)", apply_pinned, spinning_trips, NULL, 0, 0},
    {"apply, a worker per CPU", apply_any, NULL, "pool_apply", 0, 15},
    {"10^5 apply_async in flight", in_flight, NULL, "pool_async_100000", 0, 40},
    {"map of 10^5 ints", map_ints, NULL, "pool_map_ints", 0, 0},
    {"life of a pool of 4 (raw: 5 forks)", life, raw_five, "pool_life_4", 2, 0},
    {"the same, once all workers are there", whole_life, raw_five, "pool_life_4", 2, 0},
    {"the same, unpinned", whole_life_unpinned, raw_five_unpinned, NULL, 0, 0},
};

int main(int argc, char **argv)
{
    self = argv[0];
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--unpinned") == 0)
            bench_place_freely(); /* before workers place themselves */
    if (argc == 2 && strcmp(argv[1], "--serve") == 0) {
        bench_peer_serve("libmp", answer);
        return 0;
    }
#ifndef BENCH_OPENMP
    puts("NO OPENMP HERE: nothing is compared with its parallel for");
#endif
    everything_start();
    data_make();
    int status = bench_main(argc, argv, rows, sizeof rows / sizeof *rows);
    mp_pool_destroy(pinned);
    mp_pool_destroy(pool);
    return status;
}
