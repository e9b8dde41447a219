/* Objects that end while others call them: a call meets the object whole, or learns of its end, and
 * the next one in the same place is nobody else's. */
#include "stress/threads.h"

#include <mp/mp.h>

enum { LIVES = 30000, PLACES = 2 };

/* Where the others find the object of a place; one thread makes and ends them all. */
static _Atomic(mp_lock *) lock_at[PLACES];
static _Atomic(mp_event *) event_at[PLACES];
static _Atomic(mp_semaphore *) semaphore_at[PLACES];
static _Atomic bool over;

static void place_renew(int place)
{
    mp_lock *lock;
    mp_event *event;
    mp_semaphore *semaphore;
    check(mp_lock_create(&lock) == 0);
    check(mp_event_create(&event) == 0);
    check(mp_semaphore_create(&semaphore, 1, NULL) == 0);
    /* release: an object is handed over like any memory, by whoever made it */
    lock = atomic_exchange_explicit(&lock_at[place], lock, memory_order_release);
    event = atomic_exchange_explicit(&event_at[place], event, memory_order_release);
    semaphore = atomic_exchange_explicit(&semaphore_at[place], semaphore, memory_order_release);
    mp_lock_destroy(lock);
    mp_event_destroy(event);
    mp_semaphore_destroy(semaphore);
}

static void is_fair(int rc)
{
    check(rc == 0 || rc == MP_ETIMEOUT || rc == MP_ECLOSED || rc == MP_ETYPE);
}

static void place_use(struct team_member *me, int place)
{
    mp_lock *lock = atomic_load_explicit(&lock_at[place], memory_order_acquire);
    mp_event *event = atomic_load_explicit(&event_at[place], memory_order_acquire);
    mp_semaphore *semaphore = atomic_load_explicit(&semaphore_at[place], memory_order_acquire);
    double timeout = rng_below(&me->rng, 8) == 0 ? 0.0005 : MP_NOWAIT;
    if (lock != NULL && mp_lock_acquire(lock, timeout) == 0)
        (void)mp_lock_release(lock);
    if (event != NULL) {
        is_fair(mp_event_wait(event, timeout));
        is_fair(mp_event_set(event));
    }
    if (semaphore != NULL)
        is_fair(mp_semaphore_acquire(semaphore, timeout));
}

static void body(struct team_member *me)
{
    if (me->index > 0) {
        while (!atomic_load(&over))
            place_use(me, (int)rng_below(&me->rng, PLACES));
        return;
    }
    for (int i = 0; i < LIVES; i++)
        place_renew((int)rng_below(&me->rng, PLACES));
    atomic_store(&over, true);
}

static void test_objects_end_under_their_users(void **state)
{
    (void)state;
    struct mp__heap_count before, after;
    mp__heap_sweep();
    assert_true(mp__heap_is_valid(&before));
    team_run(body);
    for (int i = 0; i < PLACES; i++) {
        mp_lock_destroy(atomic_load(&lock_at[i]));
        mp_event_destroy(atomic_load(&event_at[i]));
        mp_semaphore_destroy(atomic_load(&semaphore_at[i]));
    }
    assert_true(mp__heap_is_valid(&after));
    assert_int_equal(after.blocks, before.blocks);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("objects end under their users", test_objects_end_under_their_users),
    };
    return support_run("order: ends", tests);
}
