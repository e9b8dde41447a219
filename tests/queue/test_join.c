/* task_done and join: what is unfinished, and what is lost with who took it. */
#include "queue_kit.h"

#include <mp/process.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static void put_n(mp_queue *q, int n)
{
    for (int i = 0; i < n; i++)
        assert_mp_result(mp_queue_put_bytes(q, "x", 1, MP_NOWAIT), 0);
}

static void get_n(mp_queue *q, int n)
{
    for (int i = 0; i < n; i++)
        assert_mp_result(mp_queue_get_bytes(q, NULL, NULL, MP_FOREVER), 0);
}

static void done_n(mp_queue *q, int n)
{
    for (int i = 0; i < n; i++)
        assert_mp_result(mp_queue_task_done(q), 0);
}

static void test_join_returns_when_all_is_done(void **state)
{
    (void)state;
    mp_queue *q = new_queue(0);
    assert_mp_result(mp_queue_join(q, MP_FOREVER), 0);
    put_n(q, 3);
    assert_mp_error(mp_queue_join(q, MP_NOWAIT), MP_ETIMEOUT);
    get_n(q, 3);
    assert_mp_error(mp_queue_join(q, MP_NOWAIT), MP_ETIMEOUT);
    done_n(q, 2);
    assert_mp_error(mp_queue_join(q, 0.02), MP_ETIMEOUT);
    done_n(q, 1);
    assert_mp_result(mp_queue_join(q, MP_FOREVER), 0);
    assert_mp_result(mp_queue_join(q, MP_NOWAIT), 0);
    mp_queue_destroy(q);
}

static void test_done_too_often_is_refused(void **state)
{
    (void)state;
    mp_queue *q = new_queue(0);
    assert_mp_error(mp_queue_task_done(q), MP_ESTATE);
    check(mp_error_detail()[0] != '\0');
    put_n(q, 2);
    get_n(q, 2);
    done_n(q, 2);
    assert_mp_error(mp_queue_task_done(q), MP_ESTATE);
    put_n(q, 1);
    assert_mp_error(mp_queue_join(q, MP_NOWAIT), MP_ETIMEOUT);
    get_n(q, 1);
    done_n(q, 1);
    assert_mp_result(mp_queue_join(q, MP_FOREVER), 0);
    mp_queue_destroy(q);
}

static int work_off(void *arg)
{
    for (;;) {
        size_t n;
        assert_mp_result(mp_queue_get_bytes(arg, NULL, &n, MP_FOREVER), 0);
        assert_mp_result(mp_queue_task_done(arg), 0);
        if (n == 0)
            return 0;
    }
}

static int join_it(void *arg)
{
    assert_mp_result(mp_queue_join(arg, MP_FOREVER), 0);
    return 0;
}

static void test_several_processes_work_and_several_join(void **state)
{
    (void)state;
    enum { WORKERS = 4, JOINERS = 3, ROUNDS = 20 };
    mp_queue *q = new_queue(0);
    pid_t worker[WORKERS], joiner[JOINERS];
    for (int i = 0; i < WORKERS; i++)
        worker[i] = child_fork(work_off, q);
    for (int round = 0; round < ROUNDS; round++) {
        put_n(q, 100);
        assert_mp_result(mp_queue_join(q, MP_FOREVER), 0);
        check(mp_queue_empty(q));
    }
    put_n(q, 1000);
    for (int i = 0; i < JOINERS; i++)
        joiner[i] = child_fork(join_it, q);
    for (int i = 0; i < JOINERS; i++)
        assert_int_equal(child_wait(joiner[i]), 0);
    for (int i = 0; i < WORKERS; i++)
        assert_mp_result(mp_queue_put_bytes(q, NULL, 0, MP_NOWAIT), 0);
    for (int i = 0; i < WORKERS; i++)
        assert_int_equal(child_wait(worker[i]), 0);
    assert_mp_result(mp_queue_join(q, MP_FOREVER), 0);
    mp_queue_destroy(q);
}

static int done_when_the_parent_sleeps(void *arg)
{
    get_n(arg, 1);
    check(child_await_sleep(getppid()));
    done_n(arg, 1);
    return 0;
}

static void test_the_last_done_wakes_who_joins(void **state)
{
    (void)state;
    mp_queue *q = new_queue(0);
    put_n(q, 1);
    pid_t child = child_fork(done_when_the_parent_sleeps, q);
    assert_mp_result(mp_queue_join(q, MP_FOREVER), 0);
    assert_int_equal(child_wait(child), 0);
    mp_queue_destroy(q);
}

/* ---- losses ---------------------------------------------------------------------------------- */

static int take_two_finish_one_and_die(void *arg)
{
    get_n(arg, 2);
    done_n(arg, 1);
    (void)raise(SIGKILL);
    return 1;
}

static void test_what_a_killed_taker_had_is_told_once(void **state)
{
    (void)state;
    mp_queue *q = new_queue(0);
    for (int round = 0; round < 3; round++) {
        put_n(q, 3);
        assert_int_equal(child_wait(child_fork(take_two_finish_one_and_die, q)), -SIGKILL);
        assert_mp_error(mp_queue_join(q, 0.05), MP_ETIMEOUT);
        get_n(q, 1);
        done_n(q, 1);
        assert_mp_result(mp_queue_join(q, MP_FOREVER), MP_RECOVERED);
        assert_mp_result(mp_queue_join(q, MP_FOREVER), 0);
    }
    mp_queue_destroy(q);
}

static int take_and_return(void *arg)
{
    get_n(arg, 1);
    return 0;
}

static void test_who_ends_without_reporting_has_lost_it_too(void **state)
{
    (void)state;
    mp_queue *q = new_queue(0);
    put_n(q, 2);
    child_must_succeed(take_and_return, q);
    mp_process *process;
    assert_mp_result(mp_process_create(&process, take_and_return, q, 0, NULL), 0);
    assert_mp_result(mp_process_start(process), 0);
    assert_mp_result(mp_process_join(process, MP_FOREVER), 0);
    mp_process_destroy(process);
    assert_mp_result(mp_queue_join(q, MP_FOREVER), MP_RECOVERED);
    assert_mp_result(mp_queue_join(q, MP_FOREVER), 0);
    mp_queue_destroy(q);
}

struct taker {
    mp_queue *q;
    struct signal_pipe took;
};

static int take_tell_and_hold(void *arg)
{
    const struct taker *taker = arg;
    get_n(taker->q, 1);
    pipe_tell(&taker->took, 't');
    while (pause() < 0)
        ;
    return 1;
}

static int kill_when_the_parent_sleeps(void *arg)
{
    const pid_t *victim = arg;
    check(child_await_sleep(getppid()));
    check(kill(*victim, SIGKILL) == 0);
    return 0;
}

static void test_who_joins_already_notices_the_death(void **state)
{
    (void)state;
    struct taker taker = {.q = new_queue(0)};
    pipe_open(&taker.took);
    put_n(taker.q, 1);
    pid_t victim = child_fork(take_tell_and_hold, &taker);
    check(pipe_await(&taker.took) == 't');
    assert_mp_error(mp_queue_join(taker.q, 0.05), MP_ETIMEOUT);
    pid_t killer = child_fork(kill_when_the_parent_sleeps, &victim);
    assert_mp_result(mp_queue_join(taker.q, MP_FOREVER), MP_RECOVERED);
    assert_int_equal(child_wait(victim), -SIGKILL);
    assert_int_equal(child_wait(killer), 0);
    pipe_close(&taker.took);
    mp_queue_destroy(taker.q);
}

/* More takers one after the other than the table of processes has room for at a time. */
static void test_slots_that_were_used_again_keep_the_accounts(void **state)
{
    (void)state;
    mp_queue *q = new_queue(0);
    put_n(q, 100);
    for (int i = 0; i < 50; i++) {
        if (i % 2 == 0)
            child_must_succeed(take_and_return, q);
        else
            assert_int_equal(child_wait(child_fork(take_two_finish_one_and_die, q)), -SIGKILL);
    }
    /* 75 were taken, 25 of them done; the other 50 are lost */
    assert_mp_result(mp_queue_qsize(q), 25);
    get_n(q, 25);
    assert_mp_error(mp_queue_join(q, MP_NOWAIT), MP_ETIMEOUT);
    done_n(q, 25);
    assert_mp_result(mp_queue_join(q, MP_FOREVER), MP_RECOVERED);
    assert_mp_result(mp_queue_join(q, MP_FOREVER), 0);
    mp_queue_destroy(q);
}

static void test_another_than_the_taker_may_report(void **state)
{
    (void)state;
    mp_queue *q = new_queue(0);
    put_n(q, 2);
    child_must_succeed(take_and_return, q);
    done_n(q, 1); /* what the child took */
    assert_mp_error(mp_queue_join(q, MP_NOWAIT), MP_ETIMEOUT);
    get_n(q, 1);
    done_n(q, 1);
    assert_mp_ok(mp_queue_join(q, MP_FOREVER));
    mp_queue_destroy(q);
}

static void test_arrays_and_large_messages_count_one_by_one(void **state)
{
    (void)state;
    mp_queue *q = new_queue(0);
    char items[40] = {0};
    assert_mp_result(mp_queue_put_array(q, items, 40, 1, MP_NOWAIT), 40);
    put_message(q, 20000, 1, 1);
    assert_mp_result(mp_queue_get_array(q, items, 40, 1, MP_NOWAIT), 40);
    get_message(q, 20000, 1, 1);
    done_n(q, 40);
    assert_mp_error(mp_queue_join(q, MP_NOWAIT), MP_ETIMEOUT);
    done_n(q, 1);
    assert_mp_result(mp_queue_join(q, MP_FOREVER), 0);
    mp_queue_destroy(q);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("join returns when all is done", test_join_returns_when_all_is_done),
        support_test("done too often is refused", test_done_too_often_is_refused),
        support_test("several processes work and several join",
                     test_several_processes_work_and_several_join),
        support_test("the last done wakes who joins", test_the_last_done_wakes_who_joins),
        support_test("what a killed taker had is told once",
                     test_what_a_killed_taker_had_is_told_once),
        support_test("who ends without reporting has lost it too",
                     test_who_ends_without_reporting_has_lost_it_too),
        support_test("who joins already notices the death",
                     test_who_joins_already_notices_the_death),
        support_test("slots that were used again keep the accounts",
                     test_slots_that_were_used_again_keep_the_accounts),
        support_test("another than the taker may report", test_another_than_the_taker_may_report),
        support_test("arrays and large messages count one by one",
                     test_arrays_and_large_messages_count_one_by_one),
    };
    return support_run_processes("queue join", tests);
}
