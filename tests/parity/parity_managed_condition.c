/* Python's TestCondition on a managed Condition: its lock belongs to a thread of a process, wait_for
 * runs in the client. */
#include "managers/managers_kit.h"
#include "parity.h"

#include <mp/mp.h>

enum { CREW = 3 };

/* Everything is managed, as it is there. */
struct sleeper {
    mp_proxy *condition, *sleeping, *woken;
    mp_obj timeout;
    bool expected;
};

static struct sleeper new_sleeper(void)
{
    return (struct sleeper){new_proxy(manager, "Condition", MP_NONE),
                            new_proxy(manager, "Semaphore", MP_TUPLE(0)),
                            new_proxy(manager, "Semaphore", MP_TUPLE(0)), MP_NONE, true};
}

static void end_sleeper(struct sleeper *sleeper)
{
    mp_proxy_destroy(sleeper->condition);
    mp_proxy_destroy(sleeper->sleeping);
    mp_proxy_destroy(sleeper->woken);
}

static void acquire(mp_proxy *condition)
{
    check(call_bool(condition, "acquire", MP_NONE));
}

static void release(mp_proxy *condition)
{
    assert_call(condition, "release", MP_NONE, MP_NONE);
}

static void notify(mp_proxy *condition, int n)
{
    acquire(condition);
    assert_call(condition, "notify", MP_TUPLE(n), MP_NONE);
    release(condition);
}

static void take_units(mp_proxy *semaphore, int n)
{
    while (n-- > 0)
        check(call_bool(semaphore, "acquire", MP_NONE));
}

static void nobody_released(mp_proxy *semaphore)
{
    check(!call_bool(semaphore, "acquire", MP_TUPLE(MP_TRUE, 0.1)));
}

static int sleep_on_condition(void *arg)
{
    const struct sleeper *sleeper = arg;
    acquire(sleeper->condition);
    assert_call(sleeper->sleeping, "release", MP_NONE, MP_NONE);
    check(call_bool(sleeper->condition, "wait", MP_TUPLE(sleeper->timeout)) == sleeper->expected);
    assert_call(sleeper->woken, "release", MP_NONE, MP_NONE);
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
    take_units(sleeper->sleeping, 2 * CREW);
}

static void finish_crew(struct crew *crew)
{
    for (int i = 0; i < CREW; i++) {
        finish_process_with(crew->processes[i], 0);
        finish_thread(&crew->threads[i]);
    }
}

/* ---- notify ---------------------------------------------------------------------------------- */

static void test_notify(void **state)
{
    (void)state;
    struct sleeper sleeper = new_sleeper();
    struct target_thread thread;
    mp_process *process = start_process(sleep_on_condition, &sleeper, sizeof sleeper);
    start_thread(&thread, sleep_on_condition, &sleeper);
    take_units(sleeper.sleeping, 2);
    nobody_released(sleeper.woken);
    for (int i = 0; i < 2; i++) {
        notify(sleeper.condition, 1);
        take_units(sleeper.woken, 1);
        nobody_released(sleeper.woken);
    }
    finish_process_with(process, 0);
    finish_thread(&thread);
    end_sleeper(&sleeper);
}

static void test_notify_all(void **state)
{
    (void)state;
    struct sleeper sleeper = new_sleeper();
    struct crew crew;
    sleeper.timeout = MP(0.2);
    sleeper.expected = false;
    start_crew(&crew, &sleeper);
    take_units(sleeper.woken, 2 * CREW);
    finish_crew(&crew);

    sleeper.timeout = MP_NONE;
    sleeper.expected = true;
    start_crew(&crew, &sleeper);
    nobody_released(sleeper.woken);
    acquire(sleeper.condition);
    assert_call(sleeper.condition, "notify_all", MP_NONE, MP_NONE);
    check(!call_bool(sleeper.woken, "acquire", MP_TUPLE(MP_FALSE)));
    release(sleeper.condition);
    take_units(sleeper.woken, 2 * CREW);
    finish_crew(&crew);
    end_sleeper(&sleeper);
}

static void test_notify_n(void **state)
{
    (void)state;
    struct sleeper sleeper = new_sleeper();
    struct crew crew;
    start_crew(&crew, &sleeper);
    notify(sleeper.condition, 2);
    take_units(sleeper.woken, 2);
    nobody_released(sleeper.woken);
    notify(sleeper.condition, 4);
    take_units(sleeper.woken, 4);
    finish_crew(&crew);

    notify(sleeper.condition, 3);
    nobody_released(sleeper.woken);
    acquire(sleeper.condition);
    check(!call_bool(sleeper.condition, "wait", MP_TUPLE(0.1))); /* nothing was saved up */
    release(sleeper.condition);
    end_sleeper(&sleeper);
}

/* ---- wait ------------------------------------------------------------------------------------ */

static void test_timeout(void **state)
{
    (void)state;
    mp_proxy *condition = new_proxy(manager, "Condition", MP_NONE);
    assert_raises(condition, "wait", MP_TUPLE(0.2), MP_ESTATE); /* RuntimeError */
    assert_raises(condition, "notify", MP_NONE, MP_ESTATE);
    assert_raises(condition, "notify_all", MP_NONE, MP_ESTATE);
    assert_raises(condition, "release", MP_NONE, MP_ESTATE);
    acquire(condition);
    double start = clock_seconds();
    check(!call_bool(condition, "wait", MP_TUPLE(0.2)));
    check(clock_seconds() - start >= 0.2);
    check(!call_bool(condition, "wait", MP_TUPLE(0)));
    check(!call_bool(condition, "wait", MP_TUPLE(-1)));
    release(condition);
    assert_raises(condition, "release", MP_NONE, MP_ESTATE);
    mp_proxy_destroy(condition);
}

static int acquire_and_notify(void *condition)
{
    notify(condition, 1);
    return 0;
}

static int fail_to_acquire(void *condition)
{
    check(!call_bool(condition, "acquire", MP_TUPLE(MP_FALSE)));
    assert_raises(condition, "notify", MP_NONE, MP_ESTATE);
    return 0;
}

static void test_wait_drops_all_levels(void **state)
{
    (void)state;
    mp_proxy *condition = new_proxy(manager, "Condition", MP_NONE);
    for (int i = 0; i < 3; i++)
        acquire(condition);
    mp_process *notifier = start_process(acquire_and_notify, condition, 0);
    check(call_bool(condition, "wait", MP_NONE));
    finish_process_with(notifier, 0);
    check(!call_bool(condition, "wait", MP_TUPLE(0.05)));
    for (int i = 0; i < 3; i++) {
        finish_process_with(start_process(fail_to_acquire, condition, 0), 0);
        release(condition);
    }
    assert_raises(condition, "release", MP_NONE, MP_ESTATE);
    mp_proxy_destroy(condition);
}

/* ---- wait_for -------------------------------------------------------------------------------- */

/* condition.wait_for(lambda: state.value == wanted, timeout), which is the client's. */
struct watch {
    mp_proxy *condition, *state;
};

static bool wait_for(const struct watch *watch, int wanted, double timeout)
{
    double end = clock_seconds() + timeout;
    while (call_int(watch->state, "get", MP_NONE) != wanted) {
        double left = end - clock_seconds();
        if (left <= 0)
            return false;
        (void)call_bool(watch->condition, "wait",
                        left == MP_FOREVER ? MP_TUPLE(MP_NONE) : MP_TUPLE(left));
    }
    return true;
}

static struct watch new_watch(int first)
{
    return (struct watch){new_proxy(manager, "Condition", MP_NONE),
                          new_proxy(manager, "Value", MP_TUPLE("i", first))};
}

static void end_watch(struct watch *watch)
{
    mp_proxy_destroy(watch->condition);
    mp_proxy_destroy(watch->state);
}

static void add_one_and_notify(const struct watch *watch)
{
    acquire(watch->condition);
    int64_t value = call_int(watch->state, "get", MP_NONE);
    assert_call(watch->state, "set", MP_TUPLE(value + 1), MP_NONE);
    assert_call(watch->condition, "notify", MP_NONE, MP_NONE);
    release(watch->condition);
}

static int wait_for_four(void *arg)
{
    const struct watch *watch = arg;
    acquire(watch->condition);
    assert_call(watch->state, "set", MP_TUPLE(0), MP_NONE);
    assert_call(watch->condition, "notify", MP_NONE, MP_NONE);
    check(wait_for(watch, 4, MP_FOREVER));
    check(call_int(watch->state, "get", MP_NONE) == 4);
    release(watch->condition);
    return 0;
}

static void test_waitfor(void **state)
{
    (void)state;
    struct watch watch = new_watch(-1);
    mp_process *process = start_process(wait_for_four, &watch, sizeof watch);
    acquire(watch.condition);
    check(wait_for(&watch, 0, MP_FOREVER));
    release(watch.condition);
    for (int i = 0; i < 4; i++)
        add_one_and_notify(&watch);
    finish_process_with(process, 0);
    end_watch(&watch);
}

static int wait_for_four_in_vain(void *arg)
{
    const struct watch *watch = arg;
    acquire(watch->condition);
    double start = clock_seconds();
    check(!wait_for(watch, 4, 0.3));
    check(clock_seconds() - start >= 0.3);
    release(watch->condition);
    return 0;
}

static void test_waitfor_timeout(void **state)
{
    (void)state;
    struct watch watch = new_watch(0);
    mp_process *process = start_process(wait_for_four_in_vain, &watch, sizeof watch);
    for (int i = 0; i < 3; i++)
        add_one_and_notify(&watch);
    finish_process_with(process, 0);
    end_watch(&watch);
}

static void test_wait_result(void **state)
{
    (void)state;
    mp_proxy *condition = new_proxy(manager, "Condition", MP_NONE);
    acquire(condition);
    check(!call_bool(condition, "wait", MP_TUPLE(0)));
    check(!call_bool(condition, "wait", MP_TUPLE(0.1)));
    mp_process *process = start_process(acquire_and_notify, condition, 0);
    check(call_bool(condition, "wait", MP_TUPLE(1000)));
    finish_process_with(process, 0);
    release(condition);
    mp_proxy_destroy(condition);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        served_test("TestCondition.test_notify (manager): wakes one waiter at a time", test_notify),
        served_test("TestCondition.test_notify_all (manager): wakes all, after time-outs too",
                    test_notify_all),
        served_test("TestCondition.test_notify_n (manager): wakes exactly n, and nobody later",
                    test_notify_n),
        served_test("TestCondition.test_timeout (manager): wait ends in time, needs the lock",
                    test_timeout),
        served_test("TestCondition (manager): wait drops all levels and restores them",
                    test_wait_drops_all_levels),
        served_test("TestCondition.test_waitfor (manager): until the predicate holds",
                    test_waitfor),
        served_test("TestCondition.test_waitfor_timeout (manager): gives up when it never does",
                    test_waitfor_timeout),
        served_test("TestCondition.test_wait_result (manager): notified or timed out",
                    test_wait_result),
    };
    return managers_run("TestCondition (manager)", tests);
}
