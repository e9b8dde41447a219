/* Event beyond Python's tests: many who wait, sets and clears in any order, and time. */
#include "waiters.h"

#include <mp/synchronize.h>
#include <signal.h>

static mp_event *event;

static int setup(void **state)
{
    assert_mp_result(support_setup(state), 0);
    assert_mp_result(mp_event_create(&event), 0);
    return 0;
}

static int teardown(void **state)
{
    mp_event_destroy(event);
    return support_teardown(state);
}

static int await_event(void *arg)
{
    (void)arg;
    return mp_event_wait(event, MP_FOREVER);
}

static void test_setting_and_clearing_twice_is_once(void **state)
{
    (void)state;
    check(!mp_event_is_set(event));
    assert_mp_result(mp_event_clear(event), 0);
    check(!mp_event_is_set(event));
    for (int i = 0; i < 2; i++)
        assert_mp_result(mp_event_set(event), 0);
    check(mp_event_is_set(event));
    assert_mp_result(mp_event_wait(event, MP_NOWAIT), 0);
    assert_mp_result(mp_event_wait(event, MP_FOREVER), 0);
    assert_mp_result(mp_event_wait(event, -1.0), 0);
    for (int i = 0; i < 2; i++)
        assert_mp_result(mp_event_clear(event), 0);
    check(!mp_event_is_set(event));
    assert_mp_error(mp_event_wait(event, MP_NOWAIT), MP_ETIMEOUT);
}

enum { THREADS = 60, PROCESSES = 4 };

static struct waiter crowd[THREADS + PROCESSES];

static void start_crowd(void)
{
    for (int i = 0; i < THREADS; i++)
        waiter_start_thread(&crowd[i], await_event, NULL);
    for (int i = THREADS; i < THREADS + PROCESSES; i++)
        waiter_start_process(&crowd[i], await_event, NULL);
}

static void finish_crowd(void)
{
    for (int i = 0; i < THREADS + PROCESSES; i++)
        assert_mp_result(waiter_finish(&crowd[i]), 0);
}

static void test_a_set_wakes_a_crowd(void **state)
{
    (void)state;
    start_crowd();
    assert_mp_result(mp_event_set(event), 0);
    finish_crowd();
}

static void test_any_number_of_pulses_wakes_a_crowd(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        start_crowd();
        for (int i = 0; i <= round * 3; i++) {
            assert_mp_result(mp_event_set(event), 0);
            assert_mp_result(mp_event_clear(event), 0);
        }
        finish_crowd();
    }
}

static void *pulse_often(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3000; i++) {
        assert_mp_result(mp_event_set(event), 0);
        assert_mp_result(mp_event_clear(event), 0);
    }
    return NULL;
}

static atomic_bool over;

static void *await_until_over(void *arg)
{
    long *woken = arg;
    do {
        assert_mp_result(mp_event_wait(event, MP_FOREVER), 0);
        ++*woken;
    } while (!atomic_load(&over));
    return NULL;
}

/* Setters, clearers and waiters at once: nobody sleeps for ever. */
static void test_waits_among_pulses_of_many_threads_end(void **state)
{
    (void)state;
    pthread_t pulsing[2], waiting[3];
    long woken[3] = {0};
    atomic_store(&over, false);
    for (int i = 0; i < 3; i++)
        check(pthread_create(&waiting[i], NULL, await_until_over, &woken[i]) == 0);
    for (int i = 0; i < 2; i++)
        check(pthread_create(&pulsing[i], NULL, pulse_often, NULL) == 0);
    for (int i = 0; i < 2; i++)
        check(pthread_join(pulsing[i], NULL) == 0);
    atomic_store(&over, true);
    assert_mp_result(mp_event_set(event), 0);
    for (int i = 0; i < 3; i++) {
        check(pthread_join(waiting[i], NULL) == 0);
        check(woken[i] > 0);
    }
}

static int set_and_die(void *arg)
{
    (void)arg;
    assert_mp_result(mp_event_set(event), 0);
    (void)raise(SIGKILL);
    return 1;
}

static void test_the_dead_take_nothing_of_the_flag_along(void **state)
{
    (void)state;
    check(child_wait(child_fork(set_and_die, NULL)) == -SIGKILL);
    check(mp_event_is_set(event));
    assert_mp_result(mp_event_wait(event, MP_FOREVER), 0);
    assert_mp_result(mp_event_clear(event), 0);
    check(!mp_event_is_set(event));
}

#define event_test(name, function)                \
    {                                             \
        (name), (function), setup, teardown, NULL \
    }

int main(void)
{
    static const struct CMUnitTest tests[] = {
        event_test("Event: setting and clearing twice is once",
                   test_setting_and_clearing_twice_is_once),
        event_test("Event: a set wakes a crowd", test_a_set_wakes_a_crowd),
        event_test("Event: any number of pulses wakes a crowd",
                   test_any_number_of_pulses_wakes_a_crowd),
        event_test("Event: waits among pulses of many threads end",
                   test_waits_among_pulses_of_many_threads_end),
        event_test("Event: the dead take nothing of the flag along",
                   test_the_dead_take_nothing_of_the_flag_along),
    };
    return support_run("Event", tests);
}
