/* Python's TestSemaphore: Semaphore and BoundedSemaphore. */
#include "parity.h"

#include <math.h>

static void test_semaphore(void **state)
{
    (void)state;
    mp_semaphore *semaphore;
    assert_mp_result(mp_semaphore_create(&semaphore, 2, NULL), 0);
    check_repr(semaphore, semaphore, "<Semaphore\\(value=2\\)>");
    assert_mp_result(mp_semaphore_get_value(semaphore), 2);
    assert_mp_result(mp_semaphore_acquire(semaphore, MP_FOREVER), 0);
    assert_mp_result(mp_semaphore_get_value(semaphore), 1);
    check(!mp_semaphore_locked(semaphore));
    assert_mp_result(mp_semaphore_acquire(semaphore, MP_FOREVER), 0);
    assert_mp_result(mp_semaphore_get_value(semaphore), 0);
    check(mp_semaphore_locked(semaphore));
    assert_mp_error(mp_semaphore_acquire(semaphore, MP_NOWAIT), MP_ETIMEOUT);
    assert_mp_result(mp_semaphore_get_value(semaphore), 0);
    for (int value = 1; value <= 4; value++) {
        assert_mp_result(mp_semaphore_release(semaphore), 0);
        assert_mp_result(mp_semaphore_get_value(semaphore), value);
    }
    mp_semaphore_destroy(semaphore);
}

static void test_bounded_semaphore(void **state)
{
    (void)state;
    mp_bounded_semaphore *semaphore;
    assert_mp_result(mp_bounded_semaphore_create(&semaphore, 2), 0);
    check_repr(bounded_semaphore, semaphore, "<BoundedSemaphore\\(value=2, maxvalue=2\\)>");
    for (int value = 1; value >= 0; value--) {
        assert_mp_result(mp_bounded_semaphore_acquire(semaphore, MP_FOREVER), 0);
        assert_mp_result(mp_bounded_semaphore_get_value(semaphore), value);
    }
    check(mp_bounded_semaphore_locked(semaphore));
    check_repr(bounded_semaphore, semaphore, "<BoundedSemaphore\\(value=0, maxvalue=2\\)>");
    assert_mp_error(mp_bounded_semaphore_acquire(semaphore, MP_NOWAIT), MP_ETIMEOUT);
    assert_mp_result(mp_bounded_semaphore_get_value(semaphore), 0);
    for (int value = 1; value <= 2; value++) {
        assert_mp_result(mp_bounded_semaphore_release(semaphore), 0);
        assert_mp_result(mp_bounded_semaphore_get_value(semaphore), value);
    }
    assert_mp_error(mp_bounded_semaphore_release(semaphore), MP_ESTATE);
    assert_mp_result(mp_bounded_semaphore_get_value(semaphore), 2);
    mp_bounded_semaphore_destroy(semaphore);
}

static void test_timeout(void **state)
{
    (void)state;
    mp_semaphore *semaphore = new_semaphore();
    assert_mp_error(mp_semaphore_acquire(semaphore, MP_NOWAIT), MP_ETIMEOUT);
    assert_mp_error(mp_semaphore_acquire(semaphore, -3.0), MP_ETIMEOUT);
    assert_mp_error(mp_semaphore_acquire(semaphore, (double)NAN), MP_EINVAL);
    static const double waits[] = {0.2, 0.35};
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        double start = clock_seconds();
        assert_mp_error(mp_semaphore_acquire(semaphore, waits[i]), MP_ETIMEOUT);
        check(clock_seconds() - start >= waits[i] - 0.05);
    }
    assert_mp_result(mp_semaphore_get_value(semaphore), 0);
    mp_semaphore_destroy(semaphore);
}

struct both_semaphores {
    mp_semaphore *plain;
    mp_bounded_semaphore *bounded;
};

static int acquire_both_and_end(void *arg)
{
    const struct both_semaphores *both = arg;
    assert_mp_result(mp_semaphore_acquire(both->plain, MP_FOREVER), 0);
    assert_mp_result(mp_bounded_semaphore_acquire(both->bounded, MP_FOREVER), 0);
    return 0;
}

static void test_units_of_an_ended_holder(void **state)
{
    (void)state;
    struct both_semaphores both;
    assert_mp_result(mp_semaphore_create(&both.plain, 1, NULL), 0);
    assert_mp_result(mp_bounded_semaphore_create(&both.bounded, 1), 0);
    finish_process_with(start_process(acquire_both_and_end, &both, sizeof both), 0);
    assert_mp_error(mp_semaphore_acquire(both.plain, 0.1), MP_ETIMEOUT);
    assert_mp_result(mp_bounded_semaphore_acquire(both.bounded, MP_FOREVER), MP_RECOVERED);
    check(mp_bounded_semaphore_recovered(both.bounded));
    assert_mp_result(mp_bounded_semaphore_release(both.bounded), 0);
    assert_mp_result(mp_bounded_semaphore_acquire(both.bounded, MP_FOREVER), 0);
    assert_mp_result(mp_bounded_semaphore_release(both.bounded), 0);
    mp_semaphore_destroy(both.plain);
    mp_bounded_semaphore_destroy(both.bounded);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("TestSemaphore.test_semaphore: counts, and may pass its first value",
                     test_semaphore),
        support_test("TestSemaphore.test_bounded_semaphore: never passes its first value",
                     test_bounded_semaphore),
        support_test("TestSemaphore.test_timeout: waits as long as it was told and takes nothing",
                     test_timeout),
        support_test(
            "TestSemaphore.test_bounded_semaphore: a unit whose holder ended is recovered, "
            "a plain semaphore's is not",
            test_units_of_an_ended_holder),
    };
    return support_run_processes("TestSemaphore", tests);
}
