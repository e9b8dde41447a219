/* Python's TestEvent. */
#include "parity.h"

static int set_when_the_waiter_sleeps(void *arg)
{
    mp_event *event = arg;
    check(child_await_sleep(mp_process_pid(mp_parent_process())));
    assert_mp_ok(mp_event_set(event));
    return 0;
}

static void test_event(void **state)
{
    (void)state;
    mp_event *event = new_event();
    check(!mp_event_is_set(event));
    assert_mp_error(mp_event_wait(event, MP_NOWAIT), MP_ETIMEOUT);
    double start = clock_seconds();
    assert_mp_error(mp_event_wait(event, 0.2), MP_ETIMEOUT);
    check(clock_seconds() - start >= 0.15);

    assert_mp_ok(mp_event_set(event));
    check(mp_event_is_set(event));
    assert_mp_result(mp_event_wait(event, MP_FOREVER), 0);
    assert_mp_result(mp_event_wait(event, MP_NOWAIT), 0);
    assert_mp_ok(mp_event_set(event));
    check(mp_event_is_set(event));

    assert_mp_ok(mp_event_clear(event));
    assert_mp_ok(mp_event_clear(event));
    check(!mp_event_is_set(event));
    mp_process *process = start_process(set_when_the_waiter_sleeps, event, 0);
    assert_mp_result(mp_event_wait(event, MP_FOREVER), 0);
    finish_process_with(process, 0);
    mp_event_destroy(event);
}

static void test_repr(void **state)
{
    (void)state;
    mp_event *event = new_event();
    check_repr(event, event, "<Event at 0x[0-9a-f]+ unset>");
    assert_mp_ok(mp_event_set(event));
    check_repr(event, event, "<Event at 0x[0-9a-f]+ set>");
    assert_mp_ok(mp_event_clear(event));
    check_repr(event, event, "<Event at 0x[0-9a-f]+ unset>");
    mp_event_destroy(event);
}

struct pulse {
    mp_event *event;
    mp_semaphore *waiting;
};

static int wait_for_the_pulse(void *arg)
{
    const struct pulse *pulse = arg;
    assert_mp_ok(mp_semaphore_release(pulse->waiting));
    assert_mp_result(mp_event_wait(pulse->event, MP_FOREVER), 0);
    return 0;
}

static void test_set_and_clear_wake_all(void **state)
{
    (void)state;
    enum { WAITERS = 4 };
    struct pulse pulse = {new_event(), new_semaphore()};
    mp_process *waiters[WAITERS];
    for (int i = 0; i < WAITERS; i++)
        waiters[i] = start_process(wait_for_the_pulse, &pulse, sizeof pulse);
    for (int i = 0; i < WAITERS; i++)
        take(pulse.waiting);
    for (int i = 0; i < WAITERS; i++)
        check(child_await_sleep(mp_process_pid(waiters[i])));
    assert_mp_ok(mp_event_set(pulse.event));
    assert_mp_ok(mp_event_clear(pulse.event));
    for (int i = 0; i < WAITERS; i++)
        finish_process_with(waiters[i], 0);
    check(!mp_event_is_set(pulse.event));
    mp_event_destroy(pulse.event);
    mp_semaphore_destroy(pulse.waiting);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("TestEvent.test_event: wait tells whether the event was set", test_event),
        support_test("TestEvent.test_repr: says set or unset", test_repr),
        support_test("TestEvent.test_event: a set wakes all who wait, even if cleared at once",
                     test_set_and_clear_wake_all),
    };
    return support_run_processes("TestEvent", tests);
}
