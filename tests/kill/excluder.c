/* What kill tests of all kinds of locks have in common. */
#include "kill/harness.h"

#include <mp/mp.h>

static const struct excluder *x;

static void turn(struct kill_worker *me)
{
    kill_section(me, x->calls.take());
    kill_set_role(me, WAKER); /* so that who dies as a holder surely had it */
    kill_released(me, x->calls.give());
    kill_work(&me->rng);
}

/* The last of the dead may have held it: one more section shows that it can be had. */
static void take_stock(struct kill_result *result)
{
    struct kill_worker last = {.index = KILL_WORKERS_MAX, .rng = rng_start(kill_seed())};
    kill_section(&last, x->calls.take());
    kill_released(&last, x->calls.give());
    result->turns++;
    result->recovered += atomic_load(&last.recovered);
    result->wrong += atomic_load(&last.wrong);
    result->violations += atomic_load(&last.violations);
}

static void test_nobody_hangs_and_no_section_is_shared(void **state)
{
    (void)state;
    kill_prepare();
    struct kill_result result;
    const struct kill_plan plan = {
        .workers = 4,
        .kills = kill_count(300),
        .turn = turn,
        .wanted = 1 << WAITER | 1 << WOKEN | 1 << HOLDER | 1 << WAKER,
    };
    x->make();
    kill_run(&plan, &result);
    if (result.hangs == 0)
        take_stock(&result);
    kill_print(x->name, &result);
    kill_assert_clean(&plan, &result);
    kill_assert_pair(&result);
    assert_true(result.recovered >= result.by_role[HOLDER]);
    x->end();
}

static void test_an_heir_is_told(void **state)
{
    (void)state;
    kill_prepare();
    struct kill_latency latency;
    int rounds = 3 + kill_count(300) / 10;
    x->make();
    kill_measure_recovery(&x->calls, rounds, false, &latency);
    kill_print_recovery(x->name, "by slices", &latency);
    if (x->swept) {
        kill_measure_recovery(&x->calls, rounds, true, &latency);
        kill_print_recovery(x->name, "by the reaper", &latency);
    }
    x->end();
}

static void sleep_once(void)
{
    check(x->calls.take() >= 0);
    check(x->calls.give() == 0);
}

static void hold(void)
{
    check(x->calls.take() >= 0);
}

static void let_go(void)
{
    check(x->calls.give() == 0);
}

static void test_a_single_wake_is_not_lost(void **state)
{
    (void)state;
    kill_prepare();
    struct sparse_result result;
    const struct sparse_plan plan = {
        .prepare = x->make,
        .sleep = sleep_once,
        .get_ready = hold,
        .wake = let_go,
        .waker_first = true,
        .all = true,
        .clean_up = x->end,
    };
    sparse_run(&plan, sparse_rounds(), &result);
    sparse_print(x->name, &result);
    assert_int_equal(result.lost, 0);
}

int excluder_main(const struct excluder *which)
{
    static const struct CMUnitTest tests[] = {
        support_test("nobody hangs and no section is shared",
                     test_nobody_hangs_and_no_section_is_shared),
        support_test("an heir is told", test_an_heir_is_told),
        support_test("a single wake is not lost", test_a_single_wake_is_not_lost),
    };
    x = which;
    return support_run_processes(which->name, tests);
}
