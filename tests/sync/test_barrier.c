/* Barrier beyond Python's tests: every number of parties, timeouts of all kinds, the action. */
#include "waiters.h"

#include <mp/synchronize.h>
#include <signal.h>
#include <unistd.h>

enum { MOST_PARTIES = 4096 };

static mp_barrier *new_barrier(unsigned parties, double timeout)
{
    mp_barrier *barrier;
    assert_mp_result(mp_barrier_create(&barrier, parties, NULL, NULL, timeout), 0);
    assert_mp_result(mp_barrier_parties(barrier), (int)parties);
    assert_mp_result(mp_barrier_n_waiting(barrier), 0);
    check(!mp_barrier_broken(barrier));
    return barrier;
}

static int arrive(void *arg)
{
    return mp_barrier_wait(arg, MP_FOREVER);
}

/* ---- how many ------------------------------------------------------------------------------ */

static void test_one_party_never_waits(void **state)
{
    (void)state;
    mp_barrier *barrier = new_barrier(1, MP_FOREVER);
    for (int i = 0; i < 100; i++)
        assert_mp_result(mp_barrier_wait(barrier, i % 2 == 0 ? MP_FOREVER : MP_NOWAIT), 0);
    assert_mp_result(mp_barrier_n_waiting(barrier), 0);
    mp_barrier_destroy(barrier);
}

static void test_more_parties_than_there_can_be_are_refused(void **state)
{
    (void)state;
    mp_barrier *barrier = NULL;
    static const unsigned refused[] = {0, MOST_PARTIES + 1, 1u << 31, ~0u};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_mp_error(mp_barrier_create(&barrier, refused[i], NULL, NULL, MP_FOREVER), MP_EINVAL);
    check(barrier == NULL);
}

static void test_the_most_parties_there_can_be_are_waited_for(void **state)
{
    (void)state;
    enum { HERE = 40 };
    static struct waiter waiters[HERE];
    mp_barrier *barrier = new_barrier(MOST_PARTIES, MP_FOREVER);
    for (int i = 0; i < HERE; i++)
        waiter_start_thread(&waiters[i], arrive, barrier);
    assert_mp_result(mp_barrier_n_waiting(barrier), HERE);
    assert_mp_error(mp_barrier_wait(barrier, 0.01), MP_EBROKEN);
    for (int i = 0; i < HERE; i++)
        assert_mp_error(waiter_finish(&waiters[i]), MP_EBROKEN);
    mp_barrier_destroy(barrier);
}

enum { CROWD = 128 };

static void test_each_of_a_crowd_gets_its_own_index(void **state)
{
    (void)state;
    static struct waiter waiters[CROWD];
    bool given[CROWD] = {false};
    mp_barrier *barrier = new_barrier(CROWD, MP_FOREVER);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < CROWD - 1; i++) {
            waiter_start_thread(&waiters[i], arrive, barrier);
            assert_mp_result(mp_barrier_n_waiting(barrier), i + 1);
        }
        int last = assert_mp_ok(mp_barrier_wait(barrier, MP_NOWAIT));
        check(last == CROWD - 1);
        for (int i = 0; i < CROWD - 1; i++) {
            int index = assert_mp_ok(waiter_finish(&waiters[i]));
            check(index < CROWD - 1 && given[index] == (round == 1));
            given[index] = round == 0;
        }
    }
    mp_barrier_destroy(barrier);
}

/* ---- timeouts ------------------------------------------------------------------------------ */

static void test_who_can_not_wait_breaks_it(void **state)
{
    (void)state;
    static const double none[] = {0.0, -1.0, -1e300};
    for (size_t i = 0; i < 3; i++) {
        mp_barrier *barrier = new_barrier(2, MP_FOREVER);
        assert_mp_error(mp_barrier_wait(barrier, none[i]), MP_EBROKEN);
        check(mp_barrier_broken(barrier));
        assert_mp_error(mp_barrier_wait(barrier, MP_FOREVER), MP_EBROKEN);
        mp_barrier_destroy(barrier);
    }
}

static void test_the_barriers_own_time_counts_where_none_is_named(void **state)
{
    (void)state;
    mp_barrier *barrier = new_barrier(2, 0.05);
    double start = clock_seconds();
    assert_mp_error(mp_barrier_wait(barrier, MP_FOREVER), MP_EBROKEN);
    check(clock_seconds() - start >= 0.05);
    assert_mp_result(mp_barrier_reset(barrier), 0);
    start = clock_seconds();
    assert_mp_error(mp_barrier_wait(barrier, 0.12), MP_EBROKEN);
    check(clock_seconds() - start >= 0.12);
    mp_barrier_destroy(barrier);
}

static void test_a_barrier_that_can_not_wait_serves_who_comes_last(void **state)
{
    (void)state;
    struct waiter waiter;
    mp_barrier *barrier = new_barrier(2, -1.0);
    assert_mp_error(mp_barrier_wait(barrier, MP_FOREVER), MP_EBROKEN);
    mp_barrier_destroy(barrier);
    barrier = new_barrier(2, MP_FOREVER);
    waiter_start_thread(&waiter, arrive, barrier);
    assert_mp_result(mp_barrier_wait(barrier, MP_NOWAIT), 1);
    assert_mp_result(waiter_finish(&waiter), 0);
    mp_barrier_destroy(barrier);
}

/* ---- breaking and mending ------------------------------------------------------------------ */

static void test_aborts_and_resets_may_be_repeated(void **state)
{
    (void)state;
    struct waiter waiter;
    mp_barrier *barrier = new_barrier(2, MP_FOREVER);
    for (int i = 0; i < 3; i++) {
        assert_mp_result(mp_barrier_reset(barrier), 0);
        assert_mp_result(mp_barrier_reset(barrier), 0);
        check(!mp_barrier_broken(barrier));
        waiter_start_thread(&waiter, arrive, barrier);
        assert_mp_result(mp_barrier_wait(barrier, MP_FOREVER), 1);
        assert_mp_result(waiter_finish(&waiter), 0);
        assert_mp_result(mp_barrier_abort(barrier), 0);
        assert_mp_result(mp_barrier_abort(barrier), 0);
        check(mp_barrier_broken(barrier));
        assert_mp_result(mp_barrier_n_waiting(barrier), 0);
        assert_mp_error(mp_barrier_wait(barrier, MP_FOREVER), MP_EBROKEN);
    }
    mp_barrier_destroy(barrier);
}

static void test_a_reset_is_told_to_who_slept_through_many(void **state)
{
    (void)state;
    for (int resets = 1; resets <= 20; resets += 19) {
        struct waiter waiters[2];
        mp_barrier *barrier = new_barrier(3, MP_FOREVER);
        waiter_start_process(&waiters[0], arrive, barrier);
        waiter_start_thread(&waiters[1], arrive, barrier);
        for (int i = 0; i < resets; i++)
            assert_mp_result(mp_barrier_reset(barrier), 0);
        for (int i = 0; i < 2; i++)
            assert_mp_error(waiter_finish(&waiters[i]), MP_EBROKEN);
        assert_mp_result(mp_barrier_n_waiting(barrier), 0);
        mp_barrier_destroy(barrier);
    }
}

static int arrive_and_stay(void *arg)
{
    (void)mp_barrier_wait(arg, MP_FOREVER);
    return 1;
}

static void test_a_party_that_dies_after_arriving_breaks_it(void **state)
{
    (void)state;
    struct waiter dying, waiting;
    mp_barrier *barrier = new_barrier(3, MP_FOREVER);
    waiter_start_process(&dying, arrive_and_stay, barrier);
    waiter_start_thread(&waiting, arrive, barrier);
    check(kill(dying.pid, SIGKILL) == 0);
    assert_mp_error(waiter_finish(&waiting), MP_EBROKEN);
    check(child_wait(dying.pid) == -SIGKILL);
    pipe_close(&dying.pipe);
    mp_barrier_destroy(barrier);
}

/* ---- the action ---------------------------------------------------------------------------- */

struct performance {
    mp_barrier *barrier;
    int runs, result;
    bool reset;
    pid_t pid;
};

static int perform(void *arg)
{
    struct performance *performance = arg;
    performance->runs++;
    performance->pid = getpid();
    if (performance->reset)
        assert_mp_result(mp_barrier_reset(performance->barrier), 0);
    return performance->result;
}

static void test_the_action_gets_its_argument_once_a_round(void **state)
{
    (void)state;
    struct performance performance = {.result = 0};
    assert_mp_result(mp_barrier_create(&performance.barrier, 2, perform, &performance, MP_FOREVER),
                     0);
    for (int i = 1; i <= 3; i++) {
        struct waiter waiter;
        waiter_start_thread(&waiter, arrive, performance.barrier);
        assert_mp_result(mp_barrier_wait(performance.barrier, MP_FOREVER), 1);
        assert_mp_result(waiter_finish(&waiter), 0);
        check(performance.runs == i && performance.pid == getpid());
    }
    mp_barrier_destroy(performance.barrier);
}

static void test_an_action_that_fails_breaks_it_whatever_its_answer(void **state)
{
    (void)state;
    static const int answers[] = {1, -1, 256, MP_RECOVERED, MP_EKEY};
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct performance performance = {.result = answers[i]};
        struct waiter waiter;
        assert_mp_result(
            mp_barrier_create(&performance.barrier, 2, perform, &performance, MP_FOREVER), 0);
        waiter_start_thread(&waiter, arrive, performance.barrier);
        assert_mp_error(mp_barrier_wait(performance.barrier, MP_FOREVER), MP_EBROKEN);
        assert_mp_error(waiter_finish(&waiter), MP_EBROKEN);
        check(performance.runs == 1 && mp_barrier_broken(performance.barrier));
        mp_barrier_destroy(performance.barrier);
    }
}

static void test_a_reset_during_the_action_reaches_who_waits(void **state)
{
    (void)state;
    struct performance performance = {.reset = true};
    struct waiter waiter;
    assert_mp_result(mp_barrier_create(&performance.barrier, 2, perform, &performance, MP_FOREVER),
                     0);
    waiter_start_process(&waiter, arrive, performance.barrier);
    assert_mp_error(mp_barrier_wait(performance.barrier, MP_FOREVER), MP_EBROKEN);
    assert_mp_error(waiter_finish(&waiter), MP_EBROKEN);
    check(!mp_barrier_broken(performance.barrier));
    mp_barrier_destroy(performance.barrier);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("Barrier: one party never waits", test_one_party_never_waits),
        support_test("Barrier: more parties than there can be are refused",
                     test_more_parties_than_there_can_be_are_refused),
        support_test("Barrier: the most parties there can be are waited for",
                     test_the_most_parties_there_can_be_are_waited_for),
        support_test("Barrier: each of a crowd gets its own index",
                     test_each_of_a_crowd_gets_its_own_index),
        support_test("Barrier: who can not wait breaks it", test_who_can_not_wait_breaks_it),
        support_test("Barrier: its own time counts where none is named",
                     test_the_barriers_own_time_counts_where_none_is_named),
        support_test("Barrier: who comes last need not wait",
                     test_a_barrier_that_can_not_wait_serves_who_comes_last),
        support_test("Barrier: aborts and resets may be repeated",
                     test_aborts_and_resets_may_be_repeated),
        support_test("Barrier: a reset is told to who slept through many",
                     test_a_reset_is_told_to_who_slept_through_many),
        support_test("Barrier: a party that dies after arriving breaks it",
                     test_a_party_that_dies_after_arriving_breaks_it),
        support_test("Barrier: the action gets its argument once a round",
                     test_the_action_gets_its_argument_once_a_round),
        support_test("Barrier: an action that fails breaks it, whatever its answer",
                     test_an_action_that_fails_breaks_it_whatever_its_answer),
        support_test("Barrier: a reset during the action reaches who waits",
                     test_a_reset_during_the_action_reaches_who_waits),
    };
    return support_run("Barrier", tests);
}
