/* Moments of the monotonic clock, the slices of a waiter, and mp_sleep. */
#include "support/support.h"

#include "platform/platform.h"

#include <math.h>
#include <mp/timeout.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

static void test_the_clock_does_not_go_back(void **state)
{
    (void)state;
    mp__moment last = mp__now();
    check(last > 0);
    for (int i = 0; i < 100000; i++) {
        mp__moment now = mp__now();
        check(now >= last);
        last = now;
    }
}

static void test_a_moment_lies_its_span_ahead(void **state)
{
    (void)state;
    mp__moment before = mp__now();
    mp__moment moment = mp__moment_in(3600 * MP__SECOND);
    mp__moment after = mp__now();
    check(moment >= before + 3600 * MP__SECOND && moment <= after + 3600 * MP__SECOND);
    check(!mp__moment_passed(moment));
    check(mp__moment_passed(before));
}

static void test_no_span_is_a_moment_that_has_passed(void **state)
{
    (void)state;
    check(mp__moment_in(0) == 0);
    check(mp__moment_in(-1) == 0);
    check(mp__moment_in(INT64_MIN) == 0);
    check(mp__moment_passed(0));
}

static void test_a_moment_too_far_never_comes(void **state)
{
    (void)state;
    check(mp__moment_in(MP__NEVER) == MP__NEVER);
    check(mp__moment_in(MP__NEVER - 1) == MP__NEVER);
    check(!mp__moment_passed(MP__NEVER));
}

static void test_timeouts_become_moments(void **state)
{
    (void)state;
    mp__moment until = 17;
    assert_mp_error(mp__moment_of((double)NAN, &until), MP_EINVAL);
    check(until == 17);
    assert_mp_result(mp__moment_of(MP_NOWAIT, &until), 0);
    check(until == 0);
    assert_mp_result(mp__moment_of(-3.5, &until), 0);
    check(until == 0);
    assert_mp_result(mp__moment_of(MP_FOREVER, &until), 0);
    check(until == MP__NEVER);
    assert_mp_result(mp__moment_of(1e12, &until), 0);
    check(until == MP__NEVER);
    mp__moment before = mp__now();
    assert_mp_result(mp__moment_of(0.25, &until), 0);
    check(until >= before + 250 * MP__MS);
}

static void test_slices_double_up_to_a_limit(void **state)
{
    (void)state;
    int64_t slice = MP__SLICE_FIRST;
    static const int64_t lengths[] = {10, 20, 40, 80, 80, 80};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        mp__moment before = mp__now();
        mp__moment end = mp__slice_end(&slice, MP__NEVER);
        check(end >= before + lengths[i] * MP__MS && end <= mp__now() + lengths[i] * MP__MS);
    }
}

static void test_a_slice_ends_at_the_wait_that_it_is_of(void **state)
{
    (void)state;
    int64_t slice = MP__SLICE_FIRST;
    mp__moment until = mp__moment_in(3 * MP__MS);
    check(mp__slice_end(&slice, until) == until);
    check(mp__slice_end(&slice, 0) == 0);
}

/* ---- mp_sleep ------------------------------------------------------------------------------ */

static void test_sleep_waits_out_its_time(void **state)
{
    (void)state;
    static const double spans[] = {1e-9, 0.001, 0.02, 0.15};
    for (size_t i = 0; i < sizeof spans / sizeof *spans; i++) {
        double start = clock_seconds();
        mp_sleep(spans[i]);
        check(clock_seconds() - start >= spans[i]);
    }
}

static void test_sleep_returns_at_once_for_no_time(void **state)
{
    (void)state;
    mp_sleep(0.0);
    mp_sleep(-0.0);
    mp_sleep(-1e300);
    mp_sleep(-MP_FOREVER);
    mp_sleep((double)NAN);
}

static atomic_int handled;

static void count_signal(int signal_number)
{
    (void)signal_number;
    atomic_fetch_add(&handled, 1);
}

static void *disturb(void *arg)
{
    pthread_t sleeper = *(pthread_t *)arg;
    for (int i = 0; i < 20; i++) {
        struct timespec moment = {.tv_nsec = 5000000};
        (void)nanosleep(&moment, NULL);
        check(pthread_kill(sleeper, SIGUSR1) == 0);
    }
    return NULL;
}

static void test_sleep_goes_on_after_signals(void **state)
{
    (void)state;
    pthread_t self = pthread_self(), disturber;
    struct sigaction action = {.sa_handler = count_signal}, before;
    check(sigaction(SIGUSR1, &action, &before) == 0);
    atomic_store(&handled, 0);
    double start = clock_seconds();
    check(pthread_create(&disturber, NULL, disturb, &self) == 0);
    mp_sleep(0.25);
    check(clock_seconds() - start >= 0.25);
    check(pthread_join(disturber, NULL) == 0);
    check(atomic_load(&handled) > 0);
    check(sigaction(SIGUSR1, &before, NULL) == 0);
}

static int sleep_for_ever(void *arg)
{
    pipe_tell(arg, 's');
    mp_sleep(MP_FOREVER);
    return 0;
}

static void test_sleep_without_end_does_not_end(void **state)
{
    (void)state;
    struct signal_pipe ready;
    struct sigaction action = {.sa_handler = count_signal}, before;
    check(sigaction(SIGUSR1, &action, &before) == 0);
    pipe_open(&ready);
    pid_t pid = child_fork(sleep_for_ever, &ready);
    check(pipe_await(&ready) == 's');
    for (int i = 0; i < 5; i++) {
        check(child_await_sleep(pid));
        check(kill(pid, SIGUSR1) == 0);
    }
    check(child_await_sleep(pid));
    check(kill(pid, SIGKILL) == 0);
    check(child_wait(pid) == -SIGKILL);
    pipe_close(&ready);
    check(sigaction(SIGUSR1, &before, NULL) == 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("clock: does not go back", test_the_clock_does_not_go_back),
        support_test("clock: a moment lies its span ahead", test_a_moment_lies_its_span_ahead),
        support_test("clock: no span is a moment that has passed",
                     test_no_span_is_a_moment_that_has_passed),
        support_test("clock: a moment too far never comes", test_a_moment_too_far_never_comes),
        support_test("clock: timeouts become moments", test_timeouts_become_moments),
        support_test("clock: slices double up to a limit", test_slices_double_up_to_a_limit),
        support_test("clock: a slice ends at the wait that it is of",
                     test_a_slice_ends_at_the_wait_that_it_is_of),
        support_test("mp_sleep: waits out its time", test_sleep_waits_out_its_time),
        support_test("mp_sleep: returns at once for no time",
                     test_sleep_returns_at_once_for_no_time),
        support_test("mp_sleep: goes on after signals", test_sleep_goes_on_after_signals),
        support_test("mp_sleep: without end does not end", test_sleep_without_end_does_not_end),
    };
    return support_run("clock", tests);
}
