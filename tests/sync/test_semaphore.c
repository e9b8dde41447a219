/* Semaphores and bounded semaphores beyond Python's tests: limits, and the units of the dead. */
#include "waiters.h"

#include <limits.h>
#include <mp/synchronize.h>
#include <signal.h>
#include <unistd.h>

static const mp_semaphore_options reclaim = {.reclaim = true};
enum { MOST_UNITS = 4096 };

static mp_semaphore *new_semaphore(unsigned value, const mp_semaphore_options *options)
{
    mp_semaphore *semaphore;
    assert_mp_result(mp_semaphore_create(&semaphore, value, options), 0);
    assert_mp_result(mp_semaphore_get_value(semaphore), (int)value);
    check(mp_semaphore_locked(semaphore) == (value == 0));
    return semaphore;
}

static mp_bounded_semaphore *new_bounded(unsigned value)
{
    mp_bounded_semaphore *semaphore;
    assert_mp_result(mp_bounded_semaphore_create(&semaphore, value), 0);
    assert_mp_result(mp_bounded_semaphore_get_value(semaphore), (int)value);
    check(mp_bounded_semaphore_locked(semaphore) == (value == 0));
    return semaphore;
}

/* ---- limits -------------------------------------------------------------------------------- */

static void test_values_that_can_not_be_are_refused(void **state)
{
    (void)state;
    mp_semaphore *semaphore = NULL;
    mp_bounded_semaphore *bounded = NULL;
    static const unsigned huge[] = {(unsigned)INT_MAX + 1, UINT_MAX};
    for (size_t i = 0; i < 2; i++) {
        assert_mp_error(mp_semaphore_create(&semaphore, huge[i], NULL), MP_EOVERFLOW);
        assert_mp_error(mp_semaphore_create(&semaphore, huge[i], &reclaim), MP_EOVERFLOW);
        assert_mp_error(mp_bounded_semaphore_create(&bounded, huge[i]), MP_EOVERFLOW);
    }
    static const unsigned large[] = {MOST_UNITS + 1, INT_MAX};
    for (size_t i = 0; i < 2; i++) {
        assert_mp_error(mp_semaphore_create(&semaphore, large[i], &reclaim), MP_EINVAL);
        assert_mp_error(mp_bounded_semaphore_create(&bounded, large[i]), MP_EINVAL);
    }
    check(semaphore == NULL && bounded == NULL);
}

static void test_a_plain_semaphore_counts_to_the_largest_int(void **state)
{
    (void)state;
    mp_semaphore *semaphore = new_semaphore(INT_MAX - 1, NULL);
    assert_mp_result(mp_semaphore_release(semaphore), 0);
    assert_mp_error(mp_semaphore_release(semaphore), MP_ESTATE);
    assert_mp_result(mp_semaphore_get_value(semaphore), INT_MAX);
    assert_mp_result(mp_semaphore_acquire(semaphore, MP_NOWAIT), 0);
    assert_mp_result(mp_semaphore_get_value(semaphore), INT_MAX - 1);
    mp_semaphore_destroy(semaphore);
}

static void test_a_reclaiming_semaphore_grows_to_its_limit(void **state)
{
    (void)state;
    mp_semaphore *semaphore = new_semaphore(MOST_UNITS - 2, &reclaim);
    assert_mp_result(mp_semaphore_release(semaphore), 0);
    assert_mp_result(mp_semaphore_release(semaphore), 0);
    assert_mp_error(mp_semaphore_release(semaphore), MP_ESTATE);
    for (int i = 0; i < MOST_UNITS; i++)
        assert_mp_result(mp_semaphore_acquire(semaphore, MP_NOWAIT), 0);
    assert_mp_error(mp_semaphore_acquire(semaphore, MP_NOWAIT), MP_ETIMEOUT);
    for (int i = 0; i < MOST_UNITS; i++)
        assert_mp_result(mp_semaphore_release(semaphore), 0);
    assert_mp_error(mp_semaphore_release(semaphore), MP_ESTATE);
    assert_mp_result(mp_semaphore_get_value(semaphore), MOST_UNITS);
    mp_semaphore_destroy(semaphore);
}

static void test_a_bounded_semaphore_has_its_places_and_no_more(void **state)
{
    (void)state;
    static const unsigned values[] = {1, 2, 64, MOST_UNITS};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        mp_bounded_semaphore *bounded = new_bounded(values[i]);
        assert_mp_error(mp_bounded_semaphore_release(bounded), MP_ESTATE);
        for (unsigned k = 0; k < values[i]; k++)
            assert_mp_result(mp_bounded_semaphore_acquire(bounded, MP_NOWAIT), 0);
        assert_mp_error(mp_bounded_semaphore_acquire(bounded, MP_NOWAIT), MP_ETIMEOUT);
        check(mp_bounded_semaphore_locked(bounded));
        for (unsigned k = 0; k < values[i]; k++)
            assert_mp_result(mp_bounded_semaphore_release(bounded), 0);
        assert_mp_error(mp_bounded_semaphore_release(bounded), MP_ESTATE);
        assert_mp_result(mp_bounded_semaphore_get_value(bounded), (int)values[i]);
        mp_bounded_semaphore_destroy(bounded);
    }
}

static void test_no_places_is_a_bounded_semaphore_too(void **state)
{
    (void)state;
    mp_bounded_semaphore *bounded = new_bounded(0);
    assert_mp_error(mp_bounded_semaphore_acquire(bounded, 0.01), MP_ETIMEOUT);
    assert_mp_error(mp_bounded_semaphore_release(bounded), MP_ESTATE);
    mp_bounded_semaphore_destroy(bounded);
}

/* ---- the dead ------------------------------------------------------------------------------ */

static int take_plain_and_leave(void *arg)
{
    assert_mp_result(mp_semaphore_acquire(arg, MP_NOWAIT), 0);
    return 0;
}

static void test_a_plain_unit_of_the_dead_is_gone(void **state)
{
    (void)state;
    mp_semaphore *semaphore = new_semaphore(2, NULL);
    child_must_succeed(take_plain_and_leave, semaphore);
    assert_mp_result(mp_semaphore_get_value(semaphore), 1);
    assert_mp_result(mp_semaphore_acquire(semaphore, MP_NOWAIT), 0);
    assert_mp_error(mp_semaphore_acquire(semaphore, 0.03), MP_ETIMEOUT);
    mp_semaphore_destroy(semaphore);
}

static int take_two_and_die(void *arg)
{
    for (int i = 0; i < 2; i++)
        assert_mp_result(mp_semaphore_acquire(arg, MP_NOWAIT), 0);
    (void)raise(SIGKILL);
    return 1;
}

static void test_a_reclaimed_unit_of_the_dead_comes_back_with_a_notice(void **state)
{
    (void)state;
    mp_semaphore *semaphore = new_semaphore(3, &reclaim);
    check(child_wait(child_fork(take_two_and_die, semaphore)) == -SIGKILL);
    assert_mp_result(mp_semaphore_acquire(semaphore, MP_FOREVER), 0);
    assert_mp_result(mp_semaphore_acquire(semaphore, MP_NOWAIT), MP_RECOVERED);
    assert_mp_result(mp_semaphore_acquire(semaphore, MP_FOREVER), MP_RECOVERED);
    assert_mp_error(mp_semaphore_acquire(semaphore, 0.03), MP_ETIMEOUT);
    for (int i = 0; i < 3; i++)
        assert_mp_result(mp_semaphore_release(semaphore), 0);
    assert_mp_result(mp_semaphore_get_value(semaphore), 3);
    assert_mp_result(mp_semaphore_acquire(semaphore, MP_NOWAIT), 0);
    mp_semaphore_destroy(semaphore);
}

static int take_places_and_die(void *arg)
{
    for (int i = 0; i < 2; i++)
        assert_mp_result(mp_bounded_semaphore_acquire(arg, MP_NOWAIT), 0);
    (void)raise(SIGKILL);
    return 1;
}

static void test_a_place_of_the_dead_counts_as_held_until_it_is_taken(void **state)
{
    (void)state;
    mp_bounded_semaphore *bounded = new_bounded(2);
    check(child_wait(child_fork(take_places_and_die, bounded)) == -SIGKILL);
    assert_mp_result(mp_bounded_semaphore_get_value(bounded), 0);
    check(mp_bounded_semaphore_locked(bounded));
    check(!mp_bounded_semaphore_recovered(bounded));
    assert_mp_result(mp_bounded_semaphore_acquire(bounded, MP_NOWAIT), MP_RECOVERED);
    check(mp_bounded_semaphore_recovered(bounded));
    assert_mp_result(mp_bounded_semaphore_acquire(bounded, MP_NOWAIT), MP_RECOVERED);
    assert_mp_error(mp_bounded_semaphore_acquire(bounded, MP_NOWAIT), MP_ETIMEOUT);
    assert_mp_result(mp_bounded_semaphore_release(bounded), 0);
    assert_mp_result(mp_bounded_semaphore_release(bounded), 0);
    check(!mp_bounded_semaphore_recovered(bounded));
    assert_mp_error(mp_bounded_semaphore_release(bounded), MP_ESTATE);
    mp_bounded_semaphore_destroy(bounded);
}

static void test_a_place_of_the_dead_may_be_released_for_them(void **state)
{
    (void)state;
    mp_bounded_semaphore *bounded = new_bounded(2);
    check(child_wait(child_fork(take_places_and_die, bounded)) == -SIGKILL);
    assert_mp_result(mp_bounded_semaphore_release(bounded), 0);
    assert_mp_result(mp_bounded_semaphore_get_value(bounded), 1);
    assert_mp_result(mp_bounded_semaphore_release(bounded), 0);
    assert_mp_error(mp_bounded_semaphore_release(bounded), MP_ESTATE);
    assert_mp_result(mp_bounded_semaphore_acquire(bounded, MP_NOWAIT), 0);
    mp_bounded_semaphore_destroy(bounded);
}

static int release_bounded(void *arg)
{
    assert_mp_result(mp_bounded_semaphore_release(arg), 0);
    return 0;
}

static void test_a_place_may_be_given_back_by_another_process(void **state)
{
    (void)state;
    mp_bounded_semaphore *bounded = new_bounded(2);
    assert_mp_result(mp_bounded_semaphore_acquire(bounded, MP_NOWAIT), 0);
    child_must_succeed(release_bounded, bounded);
    assert_mp_result(mp_bounded_semaphore_get_value(bounded), 2);
    assert_mp_error(mp_bounded_semaphore_release(bounded), MP_ESTATE);
    mp_bounded_semaphore_destroy(bounded);
}

/* ---- many ---------------------------------------------------------------------------------- */

enum { THREADS = 8, TURNS = 1500, PLACES = 3 };

static atomic_int inside, most_inside;

static void pass_through(void)
{
    int now = atomic_fetch_add(&inside, 1) + 1;
    int most = atomic_load(&most_inside);
    while (now > most && !atomic_compare_exchange_weak(&most_inside, &most, now))
        ;
    atomic_fetch_sub(&inside, 1);
}

static void *pass_semaphore(void *arg)
{
    for (int i = 0; i < TURNS; i++)
        MP_WITH_SEMAPHORE(arg)
            pass_through();
    return NULL;
}

static void *pass_bounded(void *arg)
{
    for (int i = 0; i < TURNS; i++)
        MP_WITH_BOUNDED_SEMAPHORE(arg)
            pass_through();
    return NULL;
}

static void run_threads(void *(*body)(void *), void *object)
{
    pthread_t threads[THREADS];
    atomic_store(&inside, 0);
    atomic_store(&most_inside, 0);
    for (int i = 0; i < THREADS; i++)
        check(pthread_create(&threads[i], NULL, body, object) == 0);
    for (int i = 0; i < THREADS; i++)
        check(pthread_join(threads[i], NULL) == 0);
    check(atomic_load(&most_inside) >= 1 && atomic_load(&most_inside) <= PLACES);
}

static void test_no_more_are_inside_than_there_are_units(void **state)
{
    (void)state;
    mp_semaphore *plain = new_semaphore(PLACES, NULL), *reclaims = new_semaphore(PLACES, &reclaim);
    mp_bounded_semaphore *bounded = new_bounded(PLACES);
    run_threads(pass_semaphore, plain);
    run_threads(pass_semaphore, reclaims);
    run_threads(pass_bounded, bounded);
    assert_mp_result(mp_semaphore_get_value(plain), PLACES);
    assert_mp_result(mp_semaphore_get_value(reclaims), PLACES);
    assert_mp_result(mp_bounded_semaphore_get_value(bounded), PLACES);
    mp_semaphore_destroy(plain);
    mp_semaphore_destroy(reclaims);
    mp_bounded_semaphore_destroy(bounded);
}

static int take(void *arg)
{
    return mp_semaphore_acquire(arg, MP_FOREVER);
}

static void test_each_release_lets_one_of_those_who_wait_go(void **state)
{
    (void)state;
    enum { WAITERS = 6 };
    const mp_semaphore_options *const options[] = {NULL, &reclaim};
    for (size_t k = 0; k < 2; k++) {
        mp_semaphore *semaphore = new_semaphore(0, options[k]);
        struct waiter waiters[WAITERS];
        for (int i = 0; i < WAITERS; i += 2) {
            waiter_start_process(&waiters[i], take, semaphore);
            waiter_start_thread(&waiters[i + 1], take, semaphore);
        }
        for (int i = 0; i < WAITERS; i++)
            assert_mp_result(mp_semaphore_release(semaphore), 0);
        for (int i = 0; i < WAITERS; i++)
            assert_mp_result(waiter_finish(&waiters[i]), 0);
        mp_semaphore_destroy(semaphore);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("semaphores: values that can not be are refused",
                     test_values_that_can_not_be_are_refused),
        support_test("Semaphore: counts to the largest int",
                     test_a_plain_semaphore_counts_to_the_largest_int),
        support_test("Semaphore: one that reclaims grows to its limit",
                     test_a_reclaiming_semaphore_grows_to_its_limit),
        support_test("BoundedSemaphore: has its places and no more",
                     test_a_bounded_semaphore_has_its_places_and_no_more),
        support_test("BoundedSemaphore: may have no places",
                     test_no_places_is_a_bounded_semaphore_too),
        support_test("Semaphore: a plain unit of the dead is gone",
                     test_a_plain_unit_of_the_dead_is_gone),
        support_test("Semaphore: a reclaimed unit of the dead comes back with a notice",
                     test_a_reclaimed_unit_of_the_dead_comes_back_with_a_notice),
        support_test("BoundedSemaphore: a place of the dead counts as held until it is taken",
                     test_a_place_of_the_dead_counts_as_held_until_it_is_taken),
        support_test("BoundedSemaphore: a place of the dead may be released for them",
                     test_a_place_of_the_dead_may_be_released_for_them),
        support_test("BoundedSemaphore: a place may be given back by another process",
                     test_a_place_may_be_given_back_by_another_process),
        support_test("semaphores: no more are inside than there are units",
                     test_no_more_are_inside_than_there_are_units),
        support_test("Semaphore: each release lets one of those who wait go",
                     test_each_release_lets_one_of_those_who_wait_go),
    };
    return support_run("semaphores", tests);
}
