/* An executor that is destroyed by one of its own callbacks: the helper thread sees to the rest. */
#include "support/support.h"

#include <mp/mp.h>
#include <stdatomic.h>
#include <stdlib.h>

static mp_executor *executor;
static mp_event *go_on;
static atomic_int calls;

static int wait_for_event(mp_obj arg, mp_obj *result)
{
    *result = arg;
    return mp_event_wait(go_on, MP_FOREVER);
}

static int give_back(mp_obj arg, mp_obj *result)
{
    *result = arg;
    return 0;
}

static void destroy_it(mp_future *future, void *arg)
{
    (void)future;
    (void)arg;
    mp_executor_destroy(executor);
    atomic_fetch_add(&calls, 1);
}

static void count(mp_future *future, void *arg)
{
    (void)future;
    (void)arg;
    atomic_fetch_add(&calls, 1);
}

static void calls_await(int n)
{
    for (int i = 0; i < 4000 && atomic_load(&calls) < n; i++)
        mp_sleep(0.005);
    check(atomic_load(&calls) == n);
}

static void test_functions_added_after_that_are_called(void **state)
{
    (void)state;
    mp_future *first, *last;
    atomic_store(&calls, 0);
    (void)assert_mp_ok(mp_event_create(&go_on));
    (void)assert_mp_ok(mp_executor_create(&executor, 2, NULL));
    (void)assert_mp_ok(mp_executor_submit(executor, wait_for_event, MP(1), &last));
    (void)assert_mp_ok(mp_executor_submit(executor, give_back, MP(2), &first));
    (void)assert_mp_ok(mp_future_add_done_callback(first, destroy_it, NULL));
    calls_await(1);
    (void)assert_mp_ok(mp_future_add_done_callback(last, count, NULL));
    (void)assert_mp_ok(mp_event_set(go_on));
    assert_mp_result(mp_future_result(last, NULL, MP_FOREVER), 0);
    calls_await(2);
    mp_future_destroy(first);
    mp_future_destroy(last);
    mp_event_destroy(go_on);
}

/* exit() joins the executor while the callback destroys it, or just before or after. */
static int exit_beside_it(void *arg)
{
    mp_future *future;
    check(mp_executor_create(&executor, 2, NULL) == 0);
    check(mp_executor_submit(executor, give_back, MP(2), &future) == 0);
    check(mp_future_add_done_callback(future, destroy_it, NULL) == 0);
    mp_sleep(*(const double *)arg);
    return 0;
}

static void test_the_exit_of_the_program_does_not_hang(void **state)
{
    (void)state;
    for (int i = 0; i < 40; i++) {
        mp_process *process;
        int code = -1;
        double pause = 0.0002 * (i % 10);
        mp_process_options options = {.daemon = MP_DAEMON_NO};
        (void)assert_mp_ok(
            mp_process_create(&process, exit_beside_it, &pause, sizeof pause, &options));
        (void)assert_mp_ok(mp_process_start(process));
        assert_mp_result(mp_process_join(process, 20), 0);
        check(mp_process_exitcode(process, &code) == 1 && code == 0);
        mp_process_destroy(process);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("Executor destroyed in a callback: functions added after that are called",
                     test_functions_added_after_that_are_called),
        support_test("Executor destroyed in a callback: the exit of the program does not hang",
                     test_the_exit_of_the_program_does_not_hang),
    };
    return support_run_processes("Executor destroyed in a callback", tests);
}
