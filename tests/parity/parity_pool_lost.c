/* Python's Pool and workers that are lost, where CPython's hangs. */
#include "parity_pool_kit.h"

#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

static _Atomic int64_t *victim;

static int die_for_two(mp_obj arg, mp_obj *result)
{
    if (mp_obj_equal(arg, MP(2))) {
        atomic_store(victim, getpid());
        (void)raise(SIGKILL);
    }
    return sqr(arg, result);
}

/* CPython's map never returns. */
static void test_a_lost_worker(void **state)
{
    (void)state;
    victim = shared_memory(sizeof *victim);
    new_meeting(2);
    mp_pool *pool = new_pool(2);
    mp_obj items = range(8), results;
    int status[8];
    char number[32];
    int64_t pids[2];
    const mp_map_options options = {.chunksize = 4, .status = status};
    assert_mp_error(mp_pool_map(pool, die_for_two, items, &results, &options), MP_EDIED);
    (void)snprintf(number, sizeof number, "%lld", (long long)atomic_load(victim));
    check_detail(number);
    check_detail("item 2");
    check_text(mp_error_detail(), ".*(SIGKILL|signal 9).*");
    check(results.len == 8);
    for (size_t i = 0; i < 8; i++) {
        assert_mp_result(status[i], i == 2 ? MP_EDIED : 0);
        check(mp_obj_equal(results.items[i], i == 2 ? MP_NONE : MP((int64_t)(i * i))));
    }
    mp_obj_free(&results);
    assert_mp_error(mp_pool_apply(pool, die_for_two, MP(2), NULL), MP_EDIED);
    pids_of_workers(pool, 2, pids);
    mp_obj_free(&items);
    end_pool(pool);
    mp_barrier_destroy(meeting);
    mp_raw_free((void *)victim);
}

/* Returns once the supervisor has seen that the worker is gone. */
static void kill_worker(pid_t pid)
{
    check(kill(pid, SIGKILL) == 0);
    while (kill(pid, 0) == 0)
        mp_sleep(0.001);
}

/* In CPython an idle worker that is killed may take the lock of the task queue along. */
static void test_idle_workers_that_are_killed(void **state)
{
    (void)state;
    enum { WORKERS = 3 };
    new_meeting(WORKERS);
    mp_pool *pool = new_pool(WORKERS);
    int64_t before[WORKERS], after[WORKERS];
    for (int round = 0; round < 3; round++) {
        pids_of_workers(pool, WORKERS, before);
        for (int i = 0; i <= round; i++)
            kill_worker((pid_t)before[i]);
        pids_of_workers(pool, WORKERS, after);
        for (int i = 0; i < WORKERS; i++)
            for (int killed = 0; killed <= round; killed++)
                check(after[i] != before[killed]);
    }
    kill_worker((pid_t)after[0]);
    assert_mp_result(mp_pool_terminate(pool), 0);
    mp_pool_destroy(pool);
    mp_barrier_destroy(meeting);
}

static int die(mp_obj arg, mp_obj *result)
{
    (void)arg;
    (void)result;
    return raise(SIGKILL);
}

/* CPython's pool starts new workers for ever; libmp's too, unless a limit is set. */
static void test_a_limit_of_deaths(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(2);
    for (int i = 0; i < 30; i++)
        assert_mp_error(mp_pool_apply(pool, die, MP_NONE, NULL), MP_EDIED);
    assert_mp_result(mp_pool_apply(pool, sqr, MP(2), NULL), 0);
    end_pool(pool);

    const mp_pool_options options = {.restart_limit = 4, .restart_seconds = 3600};
    pool = new_pool_with(2, &options);
    int died = 0, rc;
    while ((rc = mp_pool_apply(pool, die, MP_NONE, NULL)) == MP_EDIED)
        died++;
    assert_mp_error(rc, MP_EBROKENPOOL);
    check(died >= 5 && died <= 7); /* some may be begun until the pool is seen to be broken */
    assert_mp_error(mp_pool_apply(pool, sqr, MP(2), NULL), MP_EBROKENPOOL);
    end_broken_pool(pool);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("Pool.map: a lost worker costs the item that it ran, which is told",
                     test_a_lost_worker),
        support_test("Pool.map: idle workers that are killed are replaced",
                     test_idle_workers_that_are_killed),
        support_test("Pool: so many deaths of workers break it, if a limit is set",
                     test_a_limit_of_deaths),
    };
    return support_run_processes("Pool.lost", tests);
}
