/* Condition under SIGKILL: a store of few goods between makers and users. */
#include "kill/harness.h"

#include <mp/mp.h>

enum { WORKERS = 8, ROOM = 2 };

/* Under the lock. The goods in store are what was made and not yet used. */
struct store {
    volatile uint64_t made, used;
};

static struct store *store;
static mp_rlock *lock;
static mp_condition *goods, *space;

static uint64_t in_store(void)
{
    return store->made - store->used;
}

static bool is_maker(const struct kill_worker *me)
{
    return (me->index / 2) % 2 == 0;
}

/* What a holder that died may have left undone: its change of the pair, and its notifications. */
static void told(struct kill_worker *me, int rc)
{
    check(rc == 0 || rc == MP_RECOVERED);
    if (rc == 0)
        return;
    atomic_fetch_add(&me->recovered, 1);
    atomic_store(&kill_board->inside, 0);
    kill_board->y = kill_board->x;
    check(mp_condition_notify_all(goods) == 0);
    check(mp_condition_notify_all(space) == 0);
}

static bool must_wait(bool maker)
{
    return maker ? in_store() >= ROOM : in_store() == 0;
}

static void turn(struct kill_worker *me)
{
    bool maker = is_maker(me), twice = rng_below(&me->rng, 4) == 0;
    mp_condition *mine = maker ? space : goods, *theirs = maker ? goods : space;
    told(me, mp_condition_acquire(mine, MP_FOREVER));
    if (twice)
        check(mp_condition_acquire(mine, MP_FOREVER) == 0);
    while (must_wait(maker) && !atomic_load(&kill_board->stop))
        told(me, mp_condition_wait(mine, MP_FOREVER));
    if (in_store() > ROOM)
        atomic_fetch_add(&me->wrong, 1);
    kill_section(me, 0);
    if (maker && !must_wait(maker))
        store->made = store->made + 1;
    else if (!must_wait(maker))
        store->used = store->used + 1;
    check(mp_condition_notify(theirs, 1) == 0);
    if (twice)
        check(mp_condition_release(mine) == 0);
    kill_released(me, mp_condition_release(mine));
}

static void let_go(void)
{
    if (mp_condition_acquire(goods, 1.0) < 0)
        return;
    (void)mp_condition_notify_all(goods);
    (void)mp_condition_notify_all(space);
    (void)mp_condition_release(goods);
}

static void test_nobody_waits_for_what_is_there(void **state)
{
    (void)state;
    kill_prepare();
    struct kill_result result;
    const struct kill_plan plan = {
        .workers = WORKERS,
        .kills = kill_count(300),
        .turn = turn,
        .let_go = let_go,
        .wanted = 1 << WAITER | 1 << WOKEN | 1 << HOLDER | 1 << WAKER,
    };
    store = kill_shared(sizeof *store);
    assert_mp_ok(mp_rlock_create(&lock));
    assert_mp_ok(mp_condition_create(&goods, lock));
    assert_mp_ok(mp_condition_create(&space, lock));
    kill_run(&plan, &result);
    kill_print("condition", &result);
    kill_assert_clean(&plan, &result);
    mp_condition_destroy(space);
    mp_condition_destroy(goods);
    mp_rlock_destroy(lock);
}

static mp_condition *condition;
static atomic_int *notified; /* waits that came back */

static void make(void)
{
    if (notified == NULL)
        notified = kill_shared(sizeof *notified);
    atomic_store(notified, 0);
    assert_mp_ok(mp_condition_create(&condition, NULL));
}

static void end(void)
{
    mp_condition_destroy(condition);
}

static void sleep_once(void)
{
    check(mp_condition_acquire(condition, MP_FOREVER) >= 0);
    check(mp_condition_wait(condition, MP_FOREVER) >= 0);
    atomic_fetch_add(notified, 1);
    check(mp_condition_release(condition) == 0);
}

static void get_ready(void)
{
    check(mp_condition_acquire(condition, MP_FOREVER) >= 0);
}

static void notify_one(void)
{
    check(mp_condition_notify(condition, 1) == 0);
    check(mp_condition_release(condition) == 0);
}

/* A victim whose wait had come back, and which does not hold the lock any more, was notified for
   good; one that died with the lock has an heir. */
static bool is_settled(bool victim_returned)
{
    struct mp__object *object = (struct mp__object *)(void *)condition;
    if (!victim_returned && (atomic_load(notified) == 0 || atomic_load(&object->word) != 0))
        return false;
    assert_true(mp_condition_acquire(condition, MP_FOREVER) >= 0);
    notify_one();
    return true;
}

static void test_a_notification_finds_the_survivor(void **state)
{
    (void)state;
    kill_prepare();
    struct sparse_result result;
    const struct sparse_plan plan = {.prepare = make,
                                     .sleep = sleep_once,
                                     .get_ready = get_ready,
                                     .wake = notify_one,
                                     .is_settled = is_settled,
                                     .clean_up = end};
    sparse_run(&plan, sparse_rounds(), &result);
    sparse_print("condition", &result);
    assert_int_equal(result.lost, 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("nobody waits for what is there", test_nobody_waits_for_what_is_there),
        support_test("a notification finds the survivor", test_a_notification_finds_the_survivor),
    };
    return support_run_processes("condition", tests);
}
