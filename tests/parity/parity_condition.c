/* Python's TestCondition: wait, notify and wait_for between threads and processes. */
#include "parity.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CREW = 3 };

static mp_condition *new_condition(void)
{
    mp_condition *condition;
    assert_mp_result(mp_condition_create(&condition, NULL), 0);
    return condition;
}

static void acquire(mp_condition *condition)
{
    assert_mp_result(mp_condition_acquire(condition, MP_FOREVER), 0);
}

static void release(mp_condition *condition)
{
    assert_mp_result(mp_condition_release(condition), 0);
}

static void notify(mp_condition *condition, unsigned n)
{
    acquire(condition);
    assert_mp_ok(mp_condition_notify(condition, n));
    release(condition);
}

/* The last number of <Condition(<lock>, waiters)>. */
static long waiters_of(mp_condition *condition)
{
    char text[256];
    (void)assert_mp_ok(mp_condition_repr(condition, text, sizeof text));
    check_text(text, "<Condition\\(<RLock\\(.*\\)>, [0-9]+\\)>");
    return strtol(strrchr(text, ',') + 1, NULL, 10);
}

struct sleeper {
    mp_condition *condition;
    mp_semaphore *sleeping, *woken;
    double timeout;
    int expected;
};

static struct sleeper new_sleeper(void)
{
    return (struct sleeper){.condition = new_condition(),
                            .sleeping = new_semaphore(),
                            .woken = new_semaphore(),
                            .timeout = MP_FOREVER};
}

static void end_sleeper(struct sleeper *sleeper)
{
    mp_condition_destroy(sleeper->condition);
    mp_semaphore_destroy(sleeper->sleeping);
    mp_semaphore_destroy(sleeper->woken);
}

static int sleep_on_condition(void *arg)
{
    const struct sleeper *sleeper = arg;
    acquire(sleeper->condition);
    assert_mp_ok(mp_semaphore_release(sleeper->sleeping));
    assert_mp_result(mp_condition_wait(sleeper->condition, sleeper->timeout), sleeper->expected);
    assert_mp_ok(mp_semaphore_release(sleeper->woken));
    release(sleeper->condition);
    return 0;
}

/* As many processes as threads, all asleep on one condition. */
struct crew {
    mp_process *processes[CREW];
    struct target_thread threads[CREW];
};

static void start_crew(struct crew *crew, struct sleeper *sleeper)
{
    for (int i = 0; i < CREW; i++) {
        crew->processes[i] = start_process(sleep_on_condition, sleeper, sizeof *sleeper);
        start_thread(&crew->threads[i], sleep_on_condition, sleeper);
    }
    for (int i = 0; i < 2 * CREW; i++)
        take(sleeper->sleeping);
}

static void finish_crew(struct crew *crew)
{
    for (int i = 0; i < CREW; i++) {
        finish_process_with(crew->processes[i], 0);
        finish_thread(&crew->threads[i]);
    }
}

static void test_notify(void **state)
{
    (void)state;
    struct sleeper sleeper = new_sleeper();
    struct target_thread thread;
    mp_process *process = start_process(sleep_on_condition, &sleeper, sizeof sleeper);
    start_thread(&thread, sleep_on_condition, &sleeper);
    take(sleeper.sleeping);
    take(sleeper.sleeping);
    nobody_releases(sleeper.woken);
    notify(sleeper.condition, 1);
    take(sleeper.woken);
    nobody_releases(sleeper.woken);
    check(waiters_of(sleeper.condition) == 1);
    notify(sleeper.condition, 1);
    take(sleeper.woken);
    finish_process_with(process, 0);
    finish_thread(&thread);
    check(waiters_of(sleeper.condition) == 0);
    end_sleeper(&sleeper);
}

static void test_notify_all(void **state)
{
    (void)state;
    struct sleeper sleeper = new_sleeper();
    struct crew crew;
    sleeper.timeout = 0.2;
    sleeper.expected = MP_ETIMEOUT;
    start_crew(&crew, &sleeper);
    for (int i = 0; i < 2 * CREW; i++)
        take(sleeper.woken);
    finish_crew(&crew);
    check(waiters_of(sleeper.condition) == 0);

    sleeper.timeout = MP_FOREVER;
    sleeper.expected = 0;
    start_crew(&crew, &sleeper);
    nobody_releases(sleeper.woken);
    acquire(sleeper.condition);
    assert_mp_ok(mp_condition_notify_all(sleeper.condition));
    assert_mp_result(mp_semaphore_get_value(sleeper.woken), 0);
    release(sleeper.condition);
    for (int i = 0; i < 2 * CREW; i++)
        take(sleeper.woken);
    finish_crew(&crew);
    check(waiters_of(sleeper.condition) == 0);
    end_sleeper(&sleeper);
}

static void test_notify_n(void **state)
{
    (void)state;
    struct sleeper sleeper = new_sleeper();
    struct crew crew;
    start_crew(&crew, &sleeper);
    acquire(sleeper.condition);
    check(waiters_of(sleeper.condition) == 6);
    release(sleeper.condition);
    notify(sleeper.condition, 2);
    take(sleeper.woken);
    take(sleeper.woken);
    nobody_releases(sleeper.woken);
    check(waiters_of(sleeper.condition) == 4);
    notify(sleeper.condition, 4);
    for (int i = 0; i < 4; i++)
        take(sleeper.woken);
    finish_crew(&crew);

    notify(sleeper.condition, 3);
    nobody_releases(sleeper.woken);
    check(waiters_of(sleeper.condition) == 0);
    acquire(sleeper.condition);
    assert_mp_error(mp_condition_wait(sleeper.condition, 0.1), MP_ETIMEOUT);
    release(sleeper.condition);
    end_sleeper(&sleeper);
}

static void test_notify_does_not_block(void **state)
{
    (void)state;
    struct sleeper sleeper = new_sleeper();
    mp_process *killed = start_process(sleep_on_condition, &sleeper, sizeof sleeper);
    take(sleeper.sleeping);
    acquire(sleeper.condition);
    release(sleeper.condition);
    assert_mp_result(mp_process_kill(killed), 0);
    finish_process_with(killed, -SIGKILL);
    notify(sleeper.condition, 1);

    mp_process *living = start_process(sleep_on_condition, &sleeper, sizeof sleeper);
    take(sleeper.sleeping);
    acquire(sleeper.condition);
    assert_mp_ok(mp_condition_notify_all(sleeper.condition));
    release(sleeper.condition);
    take(sleeper.woken);
    finish_process_with(living, 0);
    end_sleeper(&sleeper);
}

static void test_timeout(void **state)
{
    (void)state;
    mp_condition *condition = new_condition();
    assert_mp_error(mp_condition_wait(condition, 0.2), MP_ESTATE);
    assert_mp_error(mp_condition_notify(condition, 1), MP_ESTATE);
    assert_mp_error(mp_condition_notify_all(condition), MP_ESTATE);
    acquire(condition);
    double start = clock_seconds();
    assert_mp_error(mp_condition_wait(condition, 0.2), MP_ETIMEOUT);
    check(clock_seconds() - start >= 0.15);
    release(condition);
    assert_mp_error(mp_condition_release(condition), MP_ESTATE);
    mp_condition_destroy(condition);
}

static int acquire_and_notify(void *arg)
{
    notify(arg, 1);
    return 0;
}

static void test_wait_drops_all_levels(void **state)
{
    (void)state;
    mp_rlock *lock;
    mp_condition *condition;
    assert_mp_result(mp_rlock_create(&lock), 0);
    assert_mp_result(mp_condition_create(&condition, lock), 0);
    for (int i = 0; i < 3; i++)
        acquire(condition);
    mp_process *notifier = start_process(acquire_and_notify, condition, 0);
    assert_mp_result(mp_condition_wait(condition, MP_FOREVER), 0);
    check_repr(rlock, lock, "<RLock\\(MainProcess, 3\\)>");
    assert_mp_error(mp_condition_wait(condition, 0.05), MP_ETIMEOUT);
    check_repr(condition, condition, "<Condition\\(<RLock\\(MainProcess, 3\\)>, 0\\)>");
    for (int i = 0; i < 3; i++)
        release(condition);
    check(!mp_rlock_locked(lock));
    finish_process_with(notifier, 0);
    mp_condition_destroy(condition);
    mp_rlock_destroy(lock);
}

struct wanted_state {
    mp_condition *condition;
    mp_value *state;
    int wanted;
    int asked;
};

static int state_is_wanted(void *arg)
{
    struct wanted_state *wanted = arg;
    wanted->asked++;
    return MP_VALUE(int, wanted->state) == wanted->wanted;
}

static struct wanted_state new_wanted_state(int first)
{
    struct wanted_state wanted = {.condition = new_condition()};
    assert_mp_result(mp_value_create(&wanted.state, 'i', &first), 0);
    return wanted;
}

static void end_wanted_state(struct wanted_state *wanted)
{
    mp_condition_destroy(wanted->condition);
    mp_value_destroy(wanted->state);
}

static int wait_for_four(void *arg)
{
    struct wanted_state *wanted = arg;
    wanted->wanted = 4;
    acquire(wanted->condition);
    MP_VALUE(int, wanted->state) = 0;
    assert_mp_ok(mp_condition_notify(wanted->condition, 1));
    assert_mp_result(mp_condition_wait_for(wanted->condition, state_is_wanted, wanted, MP_FOREVER),
                     1);
    check(MP_VALUE(int, wanted->state) == 4);
    release(wanted->condition);
    return 0;
}

static void test_waitfor(void **state)
{
    (void)state;
    struct wanted_state wanted = new_wanted_state(-1);
    mp_process *process = start_process(wait_for_four, &wanted, sizeof wanted);
    acquire(wanted.condition);
    assert_mp_result(mp_condition_wait_for(wanted.condition, state_is_wanted, &wanted, MP_FOREVER),
                     1);
    check(MP_VALUE(int, wanted.state) == 0);
    release(wanted.condition);
    for (int i = 0; i < 4; i++) {
        acquire(wanted.condition);
        MP_VALUE(int, wanted.state) += 1;
        assert_mp_ok(mp_condition_notify(wanted.condition, 1));
        release(wanted.condition);
    }
    finish_process_with(process, 0);
    end_wanted_state(&wanted);
}

struct waitfor_timeout {
    struct wanted_state wanted;
    mp_semaphore *begun;
};

static int wait_for_four_in_vain(void *arg)
{
    struct waitfor_timeout *shared = arg;
    struct wanted_state *wanted = &shared->wanted;
    wanted->wanted = 4;
    acquire(wanted->condition);
    assert_mp_ok(mp_semaphore_release(shared->begun));
    double start = clock_seconds();
    assert_mp_error(mp_condition_wait_for(wanted->condition, state_is_wanted, wanted, 0.3),
                    MP_ETIMEOUT);
    check(clock_seconds() - start >= 0.25);
    wanted->asked = 0;
    assert_mp_error(mp_condition_wait_for(wanted->condition, state_is_wanted, wanted, -1.0),
                    MP_ETIMEOUT);
    check(wanted->asked >= 1);
    release(wanted->condition);
    return 0;
}

static void test_waitfor_timeout(void **state)
{
    (void)state;
    struct waitfor_timeout shared = {.wanted = new_wanted_state(0), .begun = new_semaphore()};
    mp_process *process = start_process(wait_for_four_in_vain, &shared, sizeof shared);
    take(shared.begun);
    for (int i = 0; i < 3; i++) {
        acquire(shared.wanted.condition);
        MP_VALUE(int, shared.wanted.state) += 1;
        assert_mp_ok(mp_condition_notify(shared.wanted.condition, 1));
        release(shared.wanted.condition);
    }
    finish_process_with(process, 0);
    end_wanted_state(&shared.wanted);
    mp_semaphore_destroy(shared.begun);
}

struct interruption {
    mp_condition *condition;
    mp_event *second_wait;
};

static struct signal_pipe handled;

static void say_handled(int signal_number)
{
    (void)signal_number;
    pipe_tell(&handled, 'h');
}

/* Holds the lock from the signal to the end of its handler: the wait cannot have returned. */
static int notify_then_interrupt(void *arg)
{
    const struct interruption *shared = arg;
    notify(shared->condition, 1);
    assert_mp_result(mp_event_wait(shared->second_wait, MP_FOREVER), 0);
    acquire(shared->condition);
    check(kill(mp_process_pid(mp_parent_process()), SIGINT) == 0);
    check(pipe_await(&handled) == 'h');
    assert_mp_ok(mp_condition_notify(shared->condition, 1));
    release(shared->condition);
    return 0;
}

static void test_wait_result(void **state)
{
    (void)state;
    struct interruption shared = {new_condition(), new_event()};
    struct sigaction action = {.sa_handler = say_handled}, old_action;
    pipe_open(&handled);
    check(sigaction(SIGINT, &action, &old_action) == 0);
    acquire(shared.condition);
    assert_mp_error(mp_condition_wait(shared.condition, MP_NOWAIT), MP_ETIMEOUT);
    assert_mp_error(mp_condition_wait(shared.condition, -2.0), MP_ETIMEOUT);
    assert_mp_error(mp_condition_wait(shared.condition, 0.1), MP_ETIMEOUT);
    mp_process *process = start_process(notify_then_interrupt, &shared, sizeof shared);
    assert_mp_result(mp_condition_wait(shared.condition, MP_FOREVER), 0);
    assert_mp_ok(mp_event_set(shared.second_wait));
    assert_mp_result(mp_condition_wait(shared.condition, MP_FOREVER), 0);
    release(shared.condition);
    finish_process_with(process, 0);
    check(sigaction(SIGINT, &old_action, NULL) == 0);
    pipe_close(&handled);
    mp_condition_destroy(shared.condition);
    mp_event_destroy(shared.second_wait);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("TestCondition.test_notify: wakes one waiter at a time", test_notify),
        support_test("TestCondition.test_notify_all: wakes all, after time-outs too",
                     test_notify_all),
        support_test("TestCondition.test_notify_n: wakes exactly n, and nobody later",
                     test_notify_n),
        support_test("TestCondition.test_notify: does not block, even if the waiter was killed",
                     test_notify_does_not_block),
        support_test("TestCondition.test_timeout: wait ends in time, and needs the lock",
                     test_timeout),
        support_test(
            "TestCondition.test_timeout: wait drops all levels of the lock and restores them",
            test_wait_drops_all_levels),
        support_test("TestCondition.test_waitfor: returns when the predicate holds", test_waitfor),
        support_test("TestCondition.test_waitfor_timeout: gives up when it never does",
                     test_waitfor_timeout),
        support_test("TestCondition.test_wait_result: tells notified from timed out, and goes on "
                     "after a signal",
                     test_wait_result),
    };
    return support_run_processes("TestCondition", tests);
}
