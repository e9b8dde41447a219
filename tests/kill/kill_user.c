/* The user of a pool is killed, whatever the workers are doing: no process is left, no memory. */
#include "kill/roster.h"

#include <mp/mp.h>
#include <mp/pool.h>

#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { WORKERS = 3, ROUNDS = 200 };

/* Seconds in which all must be gone. */
static const double at_most = 1;

struct scene {
    atomic_int at_work; /* tasks that have begun */
    atomic_int over;    /* it is never over */
};

static struct scene *scene;

static void scene_begin(void)
{
    if (scene == NULL)
        scene = kill_shared(sizeof *scene);
    memset((void *)scene, 0, sizeof *scene);
    kill_prepare();
    roster_prepare();
}

/* ---- tasks that never end -------------------------------------------------------------------- */

static int go_on(void)
{
    while (!atomic_load(&scene->over))
        kill_nap(1000);
    return 0;
}

static int stay(mp_obj unused, mp_obj *result)
{
    (void)unused;
    (void)result;
    atomic_fetch_add(&scene->at_work, 1);
    return go_on();
}

static int block_all_signals(mp_obj unused, mp_obj *result)
{
    sigset_t all;
    (void)sigfillset(&all);
    check(sigprocmask(SIG_SETMASK, &all, NULL) == 0);
    return stay(unused, result);
}

static int stop_oneself(mp_obj unused, mp_obj *result)
{
    (void)unused;
    (void)result;
    atomic_fetch_add(&scene->at_work, 1);
    check(raise(SIGSTOP) == 0);
    return go_on();
}

static int spin(mp_obj unused, mp_obj *result)
{
    (void)unused;
    (void)result;
    atomic_fetch_add(&scene->at_work, 1);
    while (!atomic_load(&scene->over))
        ;
    return 0;
}

/* ---- rounds ---------------------------------------------------------------------------------- */

/* Where a process cannot be bound to its parent, who is stopped or blocks all signals goes on. */
static bool are_bound(void)
{
    uint64_t start;
    return mp__process_trace(getpid(), &start) != MP__TRACE_UNKNOWN;
}

static int use_a_pool(void *arg)
{
    bool bound = *(const bool *)arg;
    mp_pool *pool;
    mp_async_result *asked = NULL;
    const mp_pool_options options = {.initializer = roster_sign};
    mp_task *const tasks[WORKERS] = {bound ? stop_oneself : stay, bound ? block_all_signals : stay,
                                     spin};
    check(mp_pool_create(&pool, WORKERS, &options) == 0);
    for (int i = 0; i < WORKERS; i++)
        check(mp_pool_apply_async(pool, tasks[i], MP_NONE, &asked, NULL) == 0);
    return mp_async_result_wait(asked, MP_FOREVER);
}

/* Half of the users are killed as soon as they begin, the others when all tasks are at work; of
   these some have a stopped supervisor. */
static int user_dies(uint64_t round, double *took)
{
    bool bound = are_bound(), early = round % 2 == 0;
    struct kill_clock clock;
    scene_begin();
    pid_t user = child_fork(use_a_pool, &bound);
    kill_clock_start(&clock);
    while (!early && atomic_load(&scene->at_work) < WORKERS)
        assert_true(kill_clock_tick(&clock, 20));
    if (!early && bound && round % 8 == 1)
        assert_int_equal(kill(roster_supervisor(), SIGSTOP), 0);
    kill_pause(kill_rng(), early ? 4000 : 500);
    assert_int_equal(kill(user, SIGKILL), 0);
    assert_int_equal(child_wait(user), -SIGKILL);
    return roster_reap_all(at_most, took);
}

static void test_nothing_is_left_of_a_pool_whose_user_is_killed(void **state)
{
    (void)state;
    int clean = 0, blocks = 0;
    double last = 0, took;
    support_time_limit(200);
    roster_inherit_orphans(true);
    struct mp__heap_count before = heap_after_sweep();
    for (uint64_t i = 0; i < ROUNDS; i++) {
        int left = user_dies(i, &took);
        struct mp__heap_count after = heap_after_sweep();
        bool same = after.blocks == before.blocks && after.runs == before.runs;
        clean += left == 0 && same;
        if (left != 0 || !same)
            print_error("round %d: %d processes left, %zu blocks for %zu, %zu runs for %zu\n",
                        (int)i, left, after.blocks, before.blocks, after.runs, before.runs);
        blocks += !same;
        last = took > last ? took : last;
        before = after;
    }
    roster_inherit_orphans(false);
    print_message("| user killed       | clean rounds %d of %d, rounds that left memory %d, last "
                  "process gone after %.1f ms |\n",
                  clean, ROUNDS, blocks, last * 1e3);
    assert_int_equal(clean, ROUNDS);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("nothing is left of a pool whose user is killed",
                     test_nothing_is_left_of_a_pool_whose_user_is_killed),
    };
    return support_run_processes("user", tests);
}
