/* Python's ExecutorDeadlockTest (test_deadlock.py): workers that crash at the worst moments. */
#include "parity_futures.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A task that goes wrong on one of two workers; the executor goes on, where Python's is broken. */
static void goes_wrong(mp_task *task, mp_obj arg, int expected, const char *detail)
{
    mp_executor *executor = new_executor(2);
    mp_future *future = submit(executor, task, arg);
    assert_mp_error(mp_future_result(future, NULL, MP_FOREVER), expected);
    check_text(mp_error_detail(), detail);
    check(take_int(submit(executor, answer, MP_NONE)) == ANSWER);
    mp_future_destroy(future);
    assert_mp_result(mp_executor_shutdown(executor, true, false), 0);
    mp_executor_destroy(executor);
}

static void test_crash_during_func_exec_on_worker(void **state)
{
    (void)state;
    goes_wrong(be_killed, MP_NONE, MP_EDIED, "worker [0-9]+ killed by SIGSEGV.*");
}

static int call_exit(mp_obj arg, mp_obj *result)
{
    (void)arg;
    (void)result;
    exit(1);
}

static void test_exit_during_func_exec_on_worker(void **state)
{
    (void)state;
    goes_wrong(call_exit, MP_NONE, MP_EDIED, "worker [0-9]+ .*[^0-9]1([^0-9].*)?");
}

static void test_error_during_func_exec_on_worker(void **state)
{
    (void)state;
    goes_wrong(raise_error, MP_NONE, MP_ETASK, TASK_TEXT);
}

static void test_shutdown_deadlock(void **state)
{
    (void)state;
    struct door *door = new_door();
    mp_executor *executor = new_executor(2);
    mp_future *future = submit_held(executor, wait_and_be_killed, door);
    assert_mp_result(mp_executor_shutdown(executor, false, false), 0);
    open_door(door);
    assert_mp_result(mp_executor_shutdown(executor, true, false), 0);
    assert_mp_error(mp_future_result(future, NULL, MP_NOWAIT), MP_EDIED);
    mp_future_destroy(future);
    mp_executor_destroy(executor);
    destroy_door(door);
}

/* Ten times more than a pipe takes, as the argument of each of ten tasks that crash. */
static void test_crash_big_data(void **state)
{
    (void)state;
    enum { SIZE = (4 << 20) + 1, TASKS = 10 };
    int status[TASKS];
    mp_obj items[TASKS], results;
    const mp_map_options options = {.status = status};
    char *data = malloc(SIZE);
    check(data != NULL);
    memset(data, 'a', SIZE);
    for (int i = 0; i < TASKS; i++)
        items[i] = mp_obj_strn(data, SIZE);
    mp_executor *executor = new_executor(2);
    assert_mp_error(mp_executor_map(executor, be_killed, mp_obj_list(items, TASKS), &results,
                                    &options, MP_FOREVER),
                    MP_EDIED);
    check_text(mp_error_detail(), "worker [0-9]+ killed by SIGSEGV while running item 0");
    for (int i = 0; i < TASKS; i++)
        check(status[i] == MP_EDIED && is_none(results, (size_t)i));
    check(take_int(submit(executor, answer, items[0])) == ANSWER);
    mp_obj_free(&results);
    mp_executor_destroy(executor);
    free(data);
}

static int tell_supervisor(mp_obj arg, mp_obj *result)
{
    (void)arg;
    *result = MP(getppid());
    return 0;
}

/* Python's submit blocked where the thread behind it was slow. Here that is a process: stopped, it
 * hinders nobody from handing in. */
static void test_gh105829(void **state)
{
    (void)state;
    enum { JOBS = 2000 };
    mp_future *futures[JOBS];
    struct door *door = new_door();
    mp_executor *executor = new_executor(2);
    mp_future *held[] = {submit_held(executor, wait_at_door, door), NULL};
    pid_t supervisor = (pid_t)take_int(submit(executor, tell_supervisor, MP_NONE));
    check(supervisor != getpid());
    held[1] = submit_held(executor, wait_at_door, door);
    check(kill(supervisor, SIGSTOP) == 0);
    for (int i = 0; i < JOBS; i++)
        futures[i] = submit(executor, square, MP(i));
    check(kill(supervisor, SIGCONT) == 0);
    open_door(door);
    for (int i = 0; i < JOBS; i++)
        check(take_int(futures[i]) == (int64_t)i * i);
    check(take_int(held[0]) == ANSWER && take_int(held[1]) == ANSWER);
    mp_executor_destroy(executor);
    destroy_door(door);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("ExecutorDeadlockTest.test_crash_during_func_exec_on_worker: that task's",
                     test_crash_during_func_exec_on_worker),
        support_test("ExecutorDeadlockTest.test_exit_during_func_exec_on_worker: that task's",
                     test_exit_during_func_exec_on_worker),
        support_test("ExecutorDeadlockTest.test_error_during_func_exec_on_worker: the task's own",
                     test_error_during_func_exec_on_worker),
        support_test("ExecutorDeadlockTest.test_shutdown_deadlock: a crash after shutdown was "
                     "called",
                     test_shutdown_deadlock),
        support_test("ExecutorDeadlockTest.test_crash_big_data: ten crashes over large arguments",
                     test_crash_big_data),
        support_test("ExecutorDeadlockTest.test_gh105829_should_not_deadlock_if_wakeup_pipe_full: "
                     "submit does not wait",
                     test_gh105829),
    };
    return support_run_processes("ExecutorDeadlockTest", tests);
}
