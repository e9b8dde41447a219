/* The word lock, Lock and RLock: what is written under them needs no order of its own. */
#include "stress/threads.h"

#include <mp/mp.h>

enum { TURNS = 60000 };

static struct {
    long left, right;
} plain;

static void plain_change(void)
{
    check(plain.left == plain.right);
    plain.left++;
    plain.right++;
}

static struct {
    _Atomic uint64_t word;
    mp__gate gate;
} guard;

static void guard_body(struct team_member *me)
{
    uint64_t word;
    check(mp__self_word(&word) == 0);
    for (int i = 0; i < TURNS; i++) {
        mp__moment until = rng_below(&me->rng, 8) == 0 ? mp__moment_in(MP__MS) : MP__NEVER;
        int rc = mp__word_acquire(&guard.word, &guard.gate, word, until, NULL);
        if (rc == MP_ETIMEOUT)
            continue;
        check(rc == 0);
        plain_change();
        check(mp__word_release(&guard.word, &guard.gate, word) == 0);
    }
}

static void test_word_lock(void **state)
{
    (void)state;
    plain.left = plain.right = 0;
    assert_int_equal(mp__gate_init(&guard.gate), 0);
    team_run(guard_body);
    assert_true(plain.left > 0 && plain.left <= (long)THREADS * TURNS);
}

static mp_lock *lock;

static void lock_body(struct team_member *me)
{
    for (int i = 0; i < TURNS; i++) {
        double timeout = rng_below(&me->rng, 4) == 0 ? MP_NOWAIT : MP_FOREVER;
        int rc = mp_lock_acquire(lock, timeout);
        if (rc == MP_ETIMEOUT)
            continue;
        check(rc == 0);
        plain_change();
        check(mp_lock_release(lock) == 0);
    }
}

static void test_lock(void **state)
{
    (void)state;
    plain.left = plain.right = 0;
    assert_mp_ok(mp_lock_create(&lock));
    team_run(lock_body);
    assert_true(plain.left > 0);
    mp_lock_destroy(lock);
}

static mp_rlock *rlock;

static void rlock_body(struct team_member *me)
{
    for (int i = 0; i < TURNS; i++) {
        uint64_t levels = 1 + rng_below(&me->rng, 3);
        for (uint64_t k = 0; k < levels; k++)
            check(mp_rlock_acquire(rlock, MP_FOREVER) == 0);
        plain_change();
        for (uint64_t k = 0; k < levels; k++)
            check(mp_rlock_release(rlock) == 0);
    }
}

static void test_rlock(void **state)
{
    (void)state;
    plain.left = plain.right = 0;
    assert_mp_ok(mp_rlock_create(&rlock));
    team_run(rlock_body);
    assert_int_equal(plain.left, (long)THREADS * TURNS);
    mp_rlock_destroy(rlock);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("the word lock orders what is under it", test_word_lock),
        support_test("Lock orders what is under it", test_lock),
        support_test("RLock orders what is under it", test_rlock),
    };
    return support_run("order: guard", tests);
}
