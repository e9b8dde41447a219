/* Condition beyond Python's tests: as many waiters as it holds, wait_for to the letter, the lock it
 * stands on, and what becomes of the lock of a waiter. */
#include "waiters.h"

#include <errno.h>
#include <mp/synchronize.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

static mp_condition *condition;

static int setup(void **state)
{
    assert_mp_result(support_setup(state), 0);
    assert_mp_result(mp_condition_create(&condition, NULL), 0);
    return 0;
}

static int teardown(void **state)
{
    mp_condition_destroy(condition);
    return support_teardown(state);
}

static void hold(void)
{
    assert_mp_result(mp_condition_acquire(condition, MP_FOREVER), 0);
}

static void give(void)
{
    assert_mp_result(mp_condition_release(condition), 0);
}

static bool is_held_here(void)
{
    int result = mp_condition_notify(condition, 0);
    check(result == 0 || result == MP_ESTATE);
    return result == 0;
}

/* Written under the lock: who has the lock and reads true knows that the waiter gave it up, and so
 * that it waits. */
static bool is_waited;

static int wait_once(void *arg)
{
    (void)arg;
    hold();
    is_waited = true;
    int result = mp_condition_wait(condition, MP_FOREVER);
    give();
    return result;
}

/* ---- how many may wait --------------------------------------------------------------------- */

enum { MOST_WAITERS = 512 };

static struct waiter crowd[MOST_WAITERS];

static void test_as_many_may_wait_as_it_holds_and_one_more_is_told_to_come_again(void **state)
{
    (void)state;
    for (int i = 0; i < MOST_WAITERS; i++)
        waiter_start_thread(&crowd[i], wait_once, NULL);
    hold();
    assert_mp_error(mp_condition_wait(condition, MP_FOREVER), -EAGAIN);
    check(is_held_here());
    assert_mp_result(mp_condition_notify(condition, 1), 0);
    give();
    int result = -1;
    hold();
    while ((result = mp_condition_wait(condition, 0.01)) == -EAGAIN) {
        give();
        (void)sched_yield();
        hold();
    }
    assert_mp_error(result, MP_ETIMEOUT);
    assert_mp_result(mp_condition_notify_all(condition), 0);
    give();
    for (int i = 0; i < MOST_WAITERS; i++)
        assert_mp_result(waiter_finish(&crowd[i]), 0);
}

static void test_notifying_more_than_wait_wakes_those_who_wait(void **state)
{
    (void)state;
    struct waiter waiters[4];
    for (int i = 0; i < 4; i += 2) {
        waiter_start_process(&waiters[i], wait_once, NULL);
        waiter_start_thread(&waiters[i + 1], wait_once, NULL);
    }
    hold();
    assert_mp_result(mp_condition_notify(condition, 0), 0);
    assert_mp_result(mp_condition_notify(condition, 1000000000), 0);
    give();
    for (int i = 0; i < 4; i++)
        assert_mp_result(waiter_finish(&waiters[i]), 0);
}

static void test_a_notification_that_nobody_waits_for_is_not_kept(void **state)
{
    (void)state;
    hold();
    assert_mp_result(mp_condition_notify(condition, 5), 0);
    assert_mp_result(mp_condition_notify_all(condition), 0);
    assert_mp_error(mp_condition_wait(condition, 0.02), MP_ETIMEOUT);
    assert_mp_error(mp_condition_wait(condition, MP_NOWAIT), MP_ETIMEOUT);
    check(is_held_here());
    give();
}

/* ---- who holds the lock -------------------------------------------------------------------- */

static void test_without_the_lock_nothing_can_be_done(void **state)
{
    (void)state;
    assert_mp_error(mp_condition_wait(condition, MP_FOREVER), MP_ESTATE);
    assert_mp_error(mp_condition_notify(condition, 1), MP_ESTATE);
    assert_mp_error(mp_condition_notify_all(condition), MP_ESTATE);
    assert_mp_error(mp_condition_release(condition), MP_ESTATE);
}

static int do_without_lock(void *arg)
{
    (void)arg;
    assert_mp_error(mp_condition_wait(condition, MP_FOREVER), MP_ESTATE);
    assert_mp_error(mp_condition_notify(condition, 1), MP_ESTATE);
    assert_mp_error(mp_condition_release(condition), MP_ESTATE);
    assert_mp_error(mp_condition_acquire(condition, MP_NOWAIT), MP_ETIMEOUT);
    return 0;
}

static void test_anothers_lock_is_as_none(void **state)
{
    (void)state;
    hold();
    child_must_succeed(do_without_lock, NULL);
    give();
}

static void test_all_levels_of_the_lock_are_given_up_and_taken_back(void **state)
{
    (void)state;
    enum { LEVELS = 5 };
    struct waiter waiter;
    for (int i = 0; i < LEVELS; i++)
        hold();
    is_waited = false;
    waiter_start_thread(&waiter, wait_once, NULL); /* sleeps for the lock */
    while (!is_waited)
        assert_mp_error(mp_condition_wait(condition, 0.05), MP_ETIMEOUT);
    assert_mp_result(mp_condition_notify_all(condition), 0);
    for (int i = 0; i < LEVELS; i++) {
        check(is_held_here());
        give();
    }
    check(!is_held_here());
    assert_mp_error(mp_condition_release(condition), MP_ESTATE);
    assert_mp_result(waiter_finish(&waiter), 0);
}

static void test_a_wait_lasts_its_time(void **state)
{
    (void)state;
    hold();
    double start = clock_seconds();
    assert_mp_error(mp_condition_wait(condition, 0.07), MP_ETIMEOUT);
    check(clock_seconds() - start >= 0.07);
    give();
}

/* ---- the lock it stands on ----------------------------------------------------------------- */

static void test_conditions_may_share_a_lock(void **state)
{
    (void)state;
    mp_rlock *rlock;
    mp_condition *first, *second;
    assert_mp_result(mp_rlock_create(&rlock), 0);
    assert_mp_result(mp_condition_create(&first, rlock), 0);
    assert_mp_result(mp_condition_create(&second, rlock), 0);
    assert_mp_result(mp_condition_acquire(first, MP_NOWAIT), 0);
    assert_mp_result(mp_condition_notify(second, 1), 0);
    assert_mp_result(mp_condition_release(second), 0);
    check(!mp_rlock_locked(rlock));
    assert_mp_result(mp_rlock_acquire(rlock, MP_NOWAIT), 0);
    assert_mp_error(mp_condition_wait(first, 0.01), MP_ETIMEOUT);
    mp_condition_destroy(first);
    assert_mp_error(mp_condition_wait(second, 0.01), MP_ETIMEOUT);
    mp_condition_destroy(second);
    assert_mp_result(mp_rlock_release(rlock), 0);
    mp_rlock_destroy(rlock);
}

static void test_a_plain_lock_serves_and_stays(void **state)
{
    (void)state;
    mp_lock *lock;
    mp_condition *on_lock;
    assert_mp_result(mp_lock_create(&lock), 0);
    assert_mp_result(mp_condition_create_with_lock(&on_lock, lock), 0);
    assert_mp_error(mp_condition_wait(on_lock, MP_NOWAIT), MP_ESTATE);
    assert_mp_error(mp_condition_release(on_lock), MP_ESTATE);
    assert_mp_result(mp_condition_acquire(on_lock, MP_NOWAIT), 0);
    check(mp_lock_locked(lock));
    assert_mp_error(mp_condition_acquire(on_lock, MP_NOWAIT), MP_ETIMEOUT);
    assert_mp_error(mp_condition_wait(on_lock, 0.01), MP_ETIMEOUT);
    check(mp_lock_locked(lock));
    mp_condition_destroy(on_lock);
    assert_mp_result(mp_lock_release(lock), 0);
    mp_lock_destroy(lock);
}

static void test_the_condition_tells_when_its_lock_was_destroyed(void **state)
{
    (void)state;
    mp_lock *lock;
    mp_condition *on_lock;
    assert_mp_result(mp_lock_create(&lock), 0);
    assert_mp_result(mp_condition_create_with_lock(&on_lock, lock), 0);
    mp_lock_destroy(lock);
    assert_mp_error(mp_condition_acquire(on_lock, MP_FOREVER), MP_ECLOSED);
    assert_mp_error(mp_condition_wait(on_lock, MP_FOREVER), MP_ECLOSED);
    assert_mp_error(mp_condition_notify(on_lock, 1), MP_ECLOSED);
    check(!mp_condition_recovered(on_lock));
    mp_condition_destroy(on_lock);
}

/* ---- wait_for ------------------------------------------------------------------------------ */

struct question {
    int asked;
    int no_until; /* how often the answer is "not yet" */
    int answer;
};

static int answer(void *arg)
{
    struct question *question = arg;
    check(is_held_here());
    return ++question->asked > question->no_until ? question->answer : 0;
}

static void test_the_first_answer_that_is_one_is_given_back(void **state)
{
    (void)state;
    static const int answers[] = {1, 7, 1000000, -1, -4990, MP_EKEY};
    hold();
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct question question = {.answer = answers[i]};
        assert_mp_result(mp_condition_wait_for(condition, answer, &question, MP_FOREVER),
                         answers[i]);
        check(question.asked == 1);
        check(is_held_here());
    }
    give();
}

static void test_without_time_the_question_is_asked_once(void **state)
{
    (void)state;
    struct question question = {.no_until = 100, .answer = 1};
    hold();
    assert_mp_error(mp_condition_wait_for(condition, answer, &question, MP_NOWAIT), MP_ETIMEOUT);
    check(question.asked == 1);
    assert_mp_error(mp_condition_wait_for(condition, answer, &question, -5.0), MP_ETIMEOUT);
    check(question.asked == 2);
    give();
}

static void test_when_the_time_is_over_the_question_is_asked_once_more(void **state)
{
    (void)state;
    struct question question = {.no_until = 1, .answer = 3};
    hold();
    double start = clock_seconds();
    assert_mp_result(mp_condition_wait_for(condition, answer, &question, 0.04), 3);
    check(clock_seconds() - start >= 0.04);
    check(question.asked == 2);
    question = (struct question){.no_until = 2, .answer = 3};
    assert_mp_error(mp_condition_wait_for(condition, answer, &question, 0.04), MP_ETIMEOUT);
    check(question.asked == 2);
    check(is_held_here());
    give();
}

static void test_without_the_lock_the_question_is_not_asked(void **state)
{
    (void)state;
    struct question question = {.answer = 1};
    assert_mp_error(mp_condition_wait_for(condition, answer, &question, MP_FOREVER), MP_ESTATE);
    check(question.asked == 0);
}

static struct question shared_question;
static struct signal_pipe asked;

static int answer_and_tell(void *arg)
{
    pipe_tell(&asked, 'a');
    return answer(arg);
}

static int wait_for_third_answer(void *arg)
{
    (void)arg;
    hold();
    int result = mp_condition_wait_for(condition, answer_and_tell, &shared_question, MP_FOREVER);
    give();
    return result;
}

static void test_the_question_is_asked_after_each_wake(void **state)
{
    (void)state;
    struct waiter waiter;
    shared_question = (struct question){.no_until = 2, .answer = 5};
    pipe_open(&asked);
    waiter_start_thread(&waiter, wait_for_third_answer, NULL);
    for (int i = 0; i < 2; i++) {
        check(pipe_await(&asked) == 'a');
        hold(); /* it gave the lock up, so it waits */
        assert_mp_result(mp_condition_notify_all(condition), 0);
        give();
    }
    check(pipe_await(&asked) == 'a');
    assert_mp_result(waiter_finish(&waiter), 5);
    check(shared_question.asked == 3);
    pipe_close(&asked);
}

/* ---- the dead ------------------------------------------------------------------------------ */

static int hold_and_die(void *arg)
{
    (void)arg;
    assert_mp_result(mp_condition_acquire(condition, MP_FOREVER), 0);
    (void)raise(SIGKILL);
    return 1;
}

/* Who held the lock may have changed the data and not come to notify. */
static void test_a_waiter_is_told_that_a_holder_of_the_lock_died(void **state)
{
    (void)state;
    struct waiter waiters[3];
    waiter_start_thread(&waiters[0], wait_once, NULL);
    waiter_start_process(&waiters[1], wait_once, NULL);
    waiter_start_thread(&waiters[2], wait_once, NULL);
    check(child_wait(child_fork(hold_and_die, NULL)) == -SIGKILL);
    /* one of the three, or this thread, takes the lock over; all who waited are to look again */
    int result = mp_condition_acquire(condition, MP_FOREVER);
    check(result == 0 || result == MP_RECOVERED);
    give();
    for (int i = 0; i < 3; i++)
        assert_mp_result(waiter_finish(&waiters[i]), MP_RECOVERED);
}

#define condition_test(name, function)            \
    {                                             \
        (name), (function), setup, teardown, NULL \
    }

int main(void)
{
    static const struct CMUnitTest tests[] = {
        condition_test("Condition: as many may wait as it holds, and one more is told so",
                       test_as_many_may_wait_as_it_holds_and_one_more_is_told_to_come_again),
        condition_test("Condition: notifying more than wait wakes those who wait",
                       test_notifying_more_than_wait_wakes_those_who_wait),
        condition_test("Condition: a notification that nobody waits for is not kept",
                       test_a_notification_that_nobody_waits_for_is_not_kept),
        condition_test("Condition: without the lock nothing can be done",
                       test_without_the_lock_nothing_can_be_done),
        condition_test("Condition: another's lock is as none", test_anothers_lock_is_as_none),
        condition_test("Condition: all levels of the lock are given up and taken back",
                       test_all_levels_of_the_lock_are_given_up_and_taken_back),
        condition_test("Condition: a wait lasts its time", test_a_wait_lasts_its_time),
        condition_test("Condition: several may share a lock", test_conditions_may_share_a_lock),
        condition_test("Condition: a plain lock serves, and stays",
                       test_a_plain_lock_serves_and_stays),
        condition_test("Condition: tells when its lock was destroyed",
                       test_the_condition_tells_when_its_lock_was_destroyed),
        condition_test("wait_for: the first answer that is one is given back",
                       test_the_first_answer_that_is_one_is_given_back),
        condition_test("wait_for: without time the question is asked once",
                       test_without_time_the_question_is_asked_once),
        condition_test("wait_for: when the time is over the question is asked once more",
                       test_when_the_time_is_over_the_question_is_asked_once_more),
        condition_test("wait_for: without the lock the question is not asked",
                       test_without_the_lock_the_question_is_not_asked),
        condition_test("wait_for: the question is asked after each wake",
                       test_the_question_is_asked_after_each_wake),
        condition_test("Condition: a waiter is told that a holder of the lock died",
                       test_a_waiter_is_told_that_a_holder_of_the_lock_died),
    };
    return support_run("Condition", tests);
}
