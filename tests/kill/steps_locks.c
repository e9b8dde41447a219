/* Scenarios: locks and what counts places, each by itself, contended, and from a dead holder. */
#include "kill/steps.h"

#include <mp/mp.h>

static mp_lock *lock;
static mp_rlock *rlock;
static mp_semaphore *semaphore;
static mp_bounded_semaphore *places;

/* ---- Lock ------------------------------------------------------------------------------------ */

static void lock_make(void)
{
    assert_mp_ok(mp_lock_create(&lock));
}

static void lock_use(void)
{
    check(mp_lock_acquire(lock, MP_FOREVER) >= 0);
    check(mp_lock_release(lock) == 0);
}

static void lock_finish(void)
{
    assert_mp_ok(mp_lock_acquire(lock, STEPS_BOUND));
    assert_mp_result(mp_lock_release(lock), 0);
    mp_lock_destroy(lock);
}

static int lock_hold_until_wanted(void *unused)
{
    (void)unused;
    check(mp_lock_acquire(lock, MP_FOREVER) >= 0);
    steps_set(0);
    steps_await_actor();
    check(mp_lock_release(lock) == 0);
    return 0;
}

static void lock_holder(void)
{
    steps_partner(lock_hold_until_wanted, NULL);
    steps_await(0);
}

static void lock_take(void)
{
    check(mp_lock_acquire(lock, MP_FOREVER) >= 0);
}

static int lock_want(void *unused)
{
    (void)unused;
    steps_await(0);
    lock_use();
    return 0;
}

static void lock_wanters(void)
{
    steps_partner(lock_want, NULL);
    steps_partner(lock_want, NULL);
}

static void lock_give_to_sleepers(void)
{
    check(mp_lock_acquire(lock, MP_FOREVER) >= 0);
    steps_set(0);
    struct mp__object *object = (struct mp__object *)(void *)lock;
    while ((atomic_load(&object->word) & MP__SLEEPERS) == 0)
        kill_nap(100);
    check(mp_lock_release(lock) == 0);
}

static int lock_take_and_end(void *unused)
{
    (void)unused;
    lock_take();
    return 0;
}

static void lock_of_the_dead(void)
{
    lock_make();
    assert_int_equal(child_wait(child_fork(lock_take_and_end, NULL)), 0);
}

static void lock_try(void)
{
    check(mp_lock_acquire(lock, MP_NOWAIT) == MP_RECOVERED);
    check(mp_lock_release(lock) == 0);
}

/* ---- RLock ----------------------------------------------------------------------------------- */

static void rlock_make(void)
{
    assert_mp_ok(mp_rlock_create(&rlock));
}

static void rlock_use(void)
{
    for (int i = 0; i < 3; i++)
        check(mp_rlock_acquire(rlock, MP_FOREVER) >= 0);
    for (int i = 0; i < 3; i++)
        check(mp_rlock_release(rlock) == 0);
}

static void rlock_finish(void)
{
    assert_mp_ok(mp_rlock_acquire(rlock, STEPS_BOUND));
    assert_mp_result(mp_rlock_release(rlock), 0);
    assert_mp_error(mp_rlock_release(rlock), MP_ESTATE);
    mp_rlock_destroy(rlock);
}

/* ---- Semaphore ------------------------------------------------------------------------------- */

static void semaphore_make(void)
{
    assert_mp_ok(mp_semaphore_create(&semaphore, 0, NULL));
}

static int semaphore_give(void *unused)
{
    (void)unused;
    steps_await_actor();
    check(mp_semaphore_release(semaphore) == 0);
    return 0;
}

static void semaphore_giver(void)
{
    steps_partner(semaphore_give, NULL);
}

static void semaphore_take(void)
{
    check(mp_semaphore_acquire(semaphore, MP_FOREVER) == 0);
}

/* One unit was given; the dead may have taken it. */
static void semaphore_finish(void)
{
    int value = assert_mp_ok(mp_semaphore_get_value(semaphore));
    assert_true(value <= 1);
    assert_true(value == 0 || atomic_load(&steps_stage->died));
    assert_mp_result(mp_semaphore_release(semaphore), 0);
    assert_mp_result(mp_semaphore_acquire(semaphore, STEPS_BOUND), 0);
    mp_semaphore_destroy(semaphore);
}

static int semaphore_want(void *unused)
{
    (void)unused;
    semaphore_take();
    return 0;
}

static void semaphore_wanter(void)
{
    steps_parked_partner(semaphore_want, NULL);
}

/* Its only step comes after the unit was given, so the other gets it in any case. */
static void semaphore_release_one(void)
{
    check(mp_semaphore_release(semaphore) == 0);
}

static void semaphore_end(void)
{
    mp_semaphore_destroy(semaphore);
}

/* ---- places ---------------------------------------------------------------------------------- */

static void places_make(void)
{
    assert_mp_ok(mp_bounded_semaphore_create(&places, 1));
}

static void places_use(void)
{
    check(mp_bounded_semaphore_acquire(places, MP_FOREVER) >= 0);
    check(mp_bounded_semaphore_release(places) == 0);
}

static void places_finish(void)
{
    assert_mp_ok(mp_bounded_semaphore_acquire(places, STEPS_BOUND));
    assert_mp_error(mp_bounded_semaphore_acquire(places, MP_NOWAIT), MP_ETIMEOUT);
    assert_mp_result(mp_bounded_semaphore_release(places), 0);
    assert_mp_error(mp_bounded_semaphore_release(places), MP_ESTATE);
    mp_bounded_semaphore_destroy(places);
}

static int places_hold_until_wanted(void *unused)
{
    (void)unused;
    check(mp_bounded_semaphore_acquire(places, MP_FOREVER) >= 0);
    steps_set(0);
    steps_await_actor();
    check(mp_bounded_semaphore_release(places) == 0);
    return 0;
}

static void places_holder(void)
{
    steps_partner(places_hold_until_wanted, NULL);
    steps_await(0);
}

static int places_take_and_end(void *unused)
{
    (void)unused;
    check(mp_bounded_semaphore_acquire(places, MP_FOREVER) >= 0);
    return 0;
}

static void places_of_the_dead(void)
{
    places_make();
    assert_int_equal(child_wait(child_fork(places_take_and_end, NULL)), 0);
}

static void reclaiming_make(void)
{
    const mp_semaphore_options options = {.reclaim = true};
    assert_mp_ok(mp_semaphore_create(&semaphore, 1, &options));
}

static void reclaiming_use(void)
{
    check(mp_semaphore_acquire(semaphore, MP_FOREVER) >= 0);
    check(mp_semaphore_release(semaphore) == 0);
}

static void reclaiming_finish(void)
{
    assert_mp_ok(mp_semaphore_acquire(semaphore, STEPS_BOUND));
    assert_mp_error(mp_semaphore_acquire(semaphore, MP_NOWAIT), MP_ETIMEOUT);
    assert_mp_result(mp_semaphore_release(semaphore), 0);
    mp_semaphore_destroy(semaphore);
}

const struct scenario steps_locks[] = {
    {.name = "lock, free", .prepare = lock_make, .actor = lock_use, .finish = lock_finish},
    {.name = "lock, held",
     .prepare = lock_make,
     .partners = lock_holder,
     .actor = lock_use,
     .finish = lock_finish},
    {.name = "lock, wanted",
     .prepare = lock_make,
     .partners = lock_wanters,
     .actor = lock_give_to_sleepers,
     .finish = lock_finish},
    {.name = "lock of the dead",
     .prepare = lock_of_the_dead,
     .actor = lock_use,
     .finish = lock_finish},
    {.name = "lock of the dead, tried",
     .prepare = lock_of_the_dead,
     .actor = lock_try,
     .finish = lock_finish},
    {.name = "rlock, three levels",
     .prepare = rlock_make,
     .actor = rlock_use,
     .finish = rlock_finish},
    {.name = "semaphore, empty",
     .prepare = semaphore_make,
     .partners = semaphore_giver,
     .actor = semaphore_take,
     .finish = semaphore_finish},
    {.name = "semaphore, wanted",
     .prepare = semaphore_make,
     .partners = semaphore_wanter,
     .actor = semaphore_release_one,
     .finish = semaphore_end},
    {.name = "places, free", .prepare = places_make, .actor = places_use, .finish = places_finish},
    {.name = "places, held",
     .prepare = places_make,
     .partners = places_holder,
     .actor = places_use,
     .finish = places_finish},
    {.name = "places of the dead",
     .prepare = places_of_the_dead,
     .actor = places_use,
     .finish = places_finish},
    {.name = "reclaiming semaphore",
     .prepare = reclaiming_make,
     .actor = reclaiming_use,
     .finish = reclaiming_finish},
};
const size_t steps_locks_count = sizeof steps_locks / sizeof *steps_locks;
