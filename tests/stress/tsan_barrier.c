/* Barrier: what one party wrote before the meeting the others read after it. */
#include "stress/threads.h"

#include <mp/mp.h>

enum { MEETINGS = 3000 };

static mp_barrier *barrier;
static long board[2][THREADS], sum_by_action;

static int add_up(void *unused)
{
    (void)unused;
    sum_by_action++;
    return 0;
}

static void body(struct team_member *me)
{
    for (long m = 0; m < MEETINGS; m++) {
        board[m % 2][me->index] = m * THREADS + me->index;
        check(mp_barrier_wait(barrier, MP_FOREVER) >= 0);
        for (int i = 0; i < THREADS; i++)
            check(board[m % 2][i] == m * THREADS + i);
        check(sum_by_action == m + 1);
        /* nobody may run the next action before all have read this one's work */
        check(mp_barrier_wait(barrier, MP_FOREVER) >= 0);
        if (me->index == 0)
            sum_by_action--;
        check(mp_barrier_wait(barrier, MP_FOREVER) >= 0);
        if (me->index == 1)
            sum_by_action--;
    }
}

static void test_barrier(void **state)
{
    (void)state;
    assert_mp_ok(mp_barrier_create(&barrier, THREADS, add_up, NULL, MP_FOREVER));
    team_run(body);
    assert_int_equal(sum_by_action, MEETINGS);
    mp_barrier_destroy(barrier);
}

/* Breaks and resets at all moments: every wait ends, one way or the other. */
static _Atomic long met, broken;

static void restless_body(struct team_member *me)
{
    for (long m = 0; m < MEETINGS; m++) {
        double timeout = rng_below(&me->rng, 16) == 0 ? 0.001 : 0.02;
        int rc = mp_barrier_wait(barrier, timeout);
        check(rc >= 0 || rc == MP_EBROKEN);
        atomic_fetch_add(rc >= 0 ? &met : &broken, 1);
        if (rc < 0 || rng_below(&me->rng, 64) == 0)
            check(mp_barrier_reset(barrier) == 0);
    }
    check(mp_barrier_abort(barrier) == 0);
}

static void test_restless_barrier(void **state)
{
    (void)state;
    assert_mp_ok(mp_barrier_create(&barrier, 2, NULL, NULL, MP_FOREVER));
    team_run(restless_body);
    assert_int_equal(met + broken, (long)THREADS * MEETINGS);
    assert_true(met > 0 && broken > 0);
    mp_barrier_destroy(barrier);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("meetings order what comes before and after", test_barrier),
        support_test("meetings that are broken and reset all end", test_restless_barrier),
    };
    return support_run("order: barrier", tests);
}
