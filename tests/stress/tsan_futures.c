/* Futures: who is called, or asks, when work is done sees what was written before it was handed in,
 * whichever thread hands in, waits, cancels or is told. */
#include "stress/threads.h"

#include <mp/futures.h>
#include <mp/mp.h>

enum { ROUNDS = 400, IN_FLIGHT = 4 };

static mp_executor *executor;

/* Plain memory: of the thread that hands in, then of whoever is called. */
struct letter {
    long number, read;
};
static struct letter letters[THREADS][ROUNDS];
static _Atomic long told;

static int add_one(mp_obj arg, mp_obj *result)
{
    *result = mp_obj_int(arg.i + 1);
    return 0;
}

static void letter_read(mp_future *future, void *arg)
{
    struct letter *letter = arg;
    check(mp_future_done(future));
    letter->read = letter->number;
    /* release: the threads that look for all to be told see what was read */
    atomic_fetch_add_explicit(&told, 1, memory_order_release);
}

static void letter_end(mp_future *future, const struct letter *letter)
{
    mp_obj value;
    int rc = mp_future_result(future, &value, MP_FOREVER);
    check(rc == MP_ECANCELLED || (rc == 0 && value.i == letter->number + 1));
    mp_future_destroy(future);
}

static void body(struct team_member *me)
{
    mp_future *flying[IN_FLIGHT] = {NULL};
    struct letter *mine = letters[me->index];
    for (int i = 0; i < ROUNDS + IN_FLIGHT; i++) {
        mp_future **place = &flying[i % IN_FLIGHT];
        if (*place != NULL)
            letter_end(*place, &mine[i - IN_FLIGHT]);
        *place = NULL;
        if (i >= ROUNDS)
            continue;
        mine[i].number = i + 1;
        check(mp_executor_submit(executor, add_one, mp_obj_int(i + 1), place) == 0);
        check(mp_future_add_done_callback(*place, letter_read, &mine[i]) == 0);
        if (rng_below(&me->rng, 8) == 0)
            check(mp_future_cancel(*place) >= 0);
    }
}

static void test_futures_bring_what_was_written(void **state)
{
    (void)state;
    assert_mp_ok(mp_executor_create(&executor, 2, NULL));
    team_run(body);
    assert_mp_ok(mp_executor_shutdown(executor, true, false));
    while (atomic_load_explicit(&told, memory_order_acquire) < (long)THREADS * ROUNDS)
        mp_sleep(0.001);
    for (int k = 0; k < THREADS; k++)
        for (int i = 0; i < ROUNDS; i++)
            assert_int_equal(letters[k][i].read, i + 1);
    mp_executor_destroy(executor);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("futures bring what was written", test_futures_bring_what_was_written),
    };
    return support_run_processes("order: futures", tests);
}
