/* Semaphores: who takes a unit sees what was done before it was given. */
#include "stress/threads.h"

#include <mp/mp.h>

enum { TURNS = 20000, PLACES = 2, RING = 4 };

/* ---- a place is a lock ------------------------------------------------------------------------ */

static long plain_left, plain_right;

static void plain_change(void)
{
    check(plain_left == plain_right);
    plain_left++;
    plain_right++;
}

static mp_bounded_semaphore *bounded;
static mp_semaphore *semaphore;

static void bounded_body(struct team_member *me)
{
    (void)me;
    for (int i = 0; i < TURNS; i++) {
        check(mp_bounded_semaphore_acquire(bounded, MP_FOREVER) == 0);
        plain_change();
        check(mp_bounded_semaphore_release(bounded) == 0);
    }
}

static void test_a_bounded_semaphore_of_one(void **state)
{
    (void)state;
    plain_left = plain_right = 0;
    assert_mp_ok(mp_bounded_semaphore_create(&bounded, 1));
    team_run(bounded_body);
    assert_int_equal(plain_left, (long)THREADS * TURNS);
    mp_bounded_semaphore_destroy(bounded);
}

static void semaphore_body(struct team_member *me)
{
    (void)me;
    for (int i = 0; i < TURNS; i++) {
        check(mp_semaphore_acquire(semaphore, MP_FOREVER) == 0);
        plain_change();
        check(mp_semaphore_release(semaphore) == 0);
    }
}

static void semaphore_test(bool reclaim)
{
    const mp_semaphore_options options = {.reclaim = reclaim};
    plain_left = plain_right = 0;
    assert_mp_ok(mp_semaphore_create(&semaphore, 1, &options));
    team_run(semaphore_body);
    assert_int_equal(plain_left, (long)THREADS * TURNS);
    mp_semaphore_destroy(semaphore);
}

static void test_a_semaphore_of_one(void **state)
{
    (void)state;
    semaphore_test(false);
}

static void test_a_reclaiming_semaphore_of_one(void **state)
{
    (void)state;
    semaphore_test(true);
}

/* ---- units that mean items --------------------------------------------------------------------- */

static mp_semaphore *items, *room;
static long ring[2][RING];

/* Threads 0 and 1 make for 2 and 3, each pair with a ring and two semaphores of its own. */
static mp_semaphore *items_of[2], *room_of[2];

static void items_body(struct team_member *me)
{
    int pair = me->index % 2;
    for (long i = 0; i < TURNS; i++) {
        if (me->index < 2) {
            check(mp_semaphore_acquire(room_of[pair], MP_FOREVER) == 0);
            ring[pair][i % RING] = i;
            check(mp_semaphore_release(items_of[pair]) == 0);
        } else {
            check(mp_semaphore_acquire(items_of[pair], MP_FOREVER) == 0);
            check(ring[pair][i % RING] == i);
            check(mp_semaphore_release(room_of[pair]) == 0);
        }
    }
}

static void test_units_that_mean_items(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_mp_ok(mp_semaphore_create(&items, 0, NULL));
        assert_mp_ok(mp_semaphore_create(&room, RING, NULL));
        items_of[i] = items;
        room_of[i] = room;
    }
    team_run(items_body);
    for (int i = 0; i < 2; i++) {
        assert_mp_result(mp_semaphore_get_value(items_of[i]), 0);
        assert_mp_result(mp_semaphore_get_value(room_of[i]), RING);
        mp_semaphore_destroy(items_of[i]);
        mp_semaphore_destroy(room_of[i]);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("a bounded semaphore of one is a lock", test_a_bounded_semaphore_of_one),
        support_test("a semaphore of one is a lock", test_a_semaphore_of_one),
        support_test("a reclaiming semaphore of one is a lock", test_a_reclaiming_semaphore_of_one),
        support_test("a unit brings its item", test_units_that_mean_items),
    };
    return support_run("order: units", tests);
}
