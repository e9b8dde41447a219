/* Condition: a store between makers and users, kept as plain data. */
#include "stress/threads.h"

#include <mp/mp.h>

enum { GOODS = 10000, ROOM = 3 };

static struct {
    long made, used, sum_made, sum_used;
    long shelf[ROOM];
} store;

static mp_rlock *lock;
static mp_condition *goods, *space;

static void make(long good)
{
    check(mp_condition_acquire(space, MP_FOREVER) == 0);
    while (store.made - store.used == ROOM)
        check(mp_condition_wait(space, MP_FOREVER) == 0);
    store.shelf[store.made++ % ROOM] = good;
    store.sum_made += good;
    check(mp_condition_notify(goods, 1) == 0);
    check(mp_condition_release(space) == 0);
}

static int is_there(void *unused)
{
    (void)unused;
    return store.made > store.used;
}

static void use(struct team_member *me)
{
    check(mp_condition_acquire(goods, MP_FOREVER) == 0);
    if (rng_below(&me->rng, 2) == 0)
        check(mp_condition_wait_for(goods, is_there, NULL, MP_FOREVER) == 1);
    while (store.made == store.used) {
        int rc = mp_condition_wait(goods, 0.001);
        check(rc == 0 || rc == MP_ETIMEOUT);
    }
    store.sum_used += store.shelf[store.used++ % ROOM];
    check(mp_condition_notify_all(space) == 0);
    check(mp_condition_release(goods) == 0);
}

static void body(struct team_member *me)
{
    for (long i = 0; i < GOODS; i++)
        if (me->index % 2 == 0)
            make(i);
        else
            use(me);
}

static void test_condition(void **state)
{
    (void)state;
    assert_mp_ok(mp_rlock_create(&lock));
    assert_mp_ok(mp_condition_create(&goods, lock));
    assert_mp_ok(mp_condition_create(&space, lock));
    team_run(body);
    assert_int_equal(store.made, (long)GOODS * THREADS / 2);
    assert_int_equal(store.used, store.made);
    assert_int_equal(store.sum_used, store.sum_made);
    mp_condition_destroy(space);
    mp_condition_destroy(goods);
    mp_rlock_destroy(lock);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("goods go from makers to users", test_condition),
    };
    return support_run("order: condition", tests);
}
