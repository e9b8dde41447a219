/* BoundedSemaphore under SIGKILL: three places, and one place used as a lock. */
#include "kill/places.h"

#include <mp/mp.h>

static mp_bounded_semaphore *semaphore;

static void make(unsigned count)
{
    assert_mp_ok(mp_bounded_semaphore_create(&semaphore, count));
}

static void make_one(void)
{
    make(1);
}

static void end(void)
{
    mp_bounded_semaphore_destroy(semaphore);
}

static int take(double timeout)
{
    return mp_bounded_semaphore_acquire(semaphore, timeout);
}

static int take_the_one(void)
{
    return take(MP_FOREVER);
}

static int give(void)
{
    return mp_bounded_semaphore_release(semaphore);
}

static int value(void)
{
    return mp_bounded_semaphore_get_value(semaphore);
}

static void test_places_come_back_and_never_multiply(void **state)
{
    (void)state;
    static const struct places places = {"bounded(3)", make, end, take, give, value};
    places_test(&places);
    if (mp_bounded_semaphore_create(&semaphore, 3) == 0) {
        assert_mp_error(mp_bounded_semaphore_release(semaphore), MP_ESTATE);
        mp_bounded_semaphore_destroy(semaphore);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("places come back and never multiply",
                     test_places_come_back_and_never_multiply),
    };
    static const struct excluder bounded_calls = {
        .name = "bounded(1)", .make = make_one, .end = end, .calls = {take_the_one, give}};
    int failed = support_run_processes("bounded semaphore", tests);
    return failed != 0 ? failed : excluder_main(&bounded_calls);
}
