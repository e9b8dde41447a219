/* Python's ExecutorShutdownTest and ProcessPoolShutdownTest (test_shutdown.py). */
#include "parity_futures.h"

#include <poll.h>
#include <stdlib.h>

enum { WORKERS = 5 };

static void check_shutdown(mp_executor *executor, bool wait, bool cancel_futures)
{
    assert_mp_result(mp_executor_shutdown(executor, wait, cancel_futures), 0);
}

static void test_run_after_shutdown(void **state)
{
    (void)state;
    mp_executor *executor = new_executor(WORKERS);
    check_shutdown(executor, true, false);
    assert_mp_error(mp_executor_submit(executor, power, MP_TUPLE(2, 5), NULL), MP_ESTATE);
    assert_mp_error(mp_executor_submit_with(executor, power, MP_TUPLE(2, 5), NULL, NULL),
                    MP_ESTATE);
    assert_mp_error(mp_executor_map(executor, square, MP_LIST(1), NULL, NULL, MP_FOREVER),
                    MP_ESTATE);
    check_shutdown(executor, true, false);
    mp_executor_destroy(executor);
}

/* ---- at the program's exit ------------------------------------------------------------------ */

static struct signal_pipe said, asked;

static bool holds_a_byte(const struct signal_pipe *pipe)
{
    struct pollfd end = {.fd = pipe->read_fd, .events = POLLIN};
    check(poll(&end, 1, 0) >= 0);
    return (end.revents & POLLIN) != 0;
}

static int speak_when_asked(mp_obj arg, mp_obj *result)
{
    (void)arg;
    (void)result;
    check(pipe_await(&asked) == '?');
    pipe_tell(&said, 'a');
    return 0;
}

static void ask(void)
{
    pipe_tell(&asked, '?');
}

static mp_executor *left_behind;

/* Its task can only end while the program does. */
static int leave_an_executor_behind(void *arg)
{
    left_behind = new_executor(WORKERS);
    assert_mp_result(mp_executor_submit(left_behind, speak_when_asked, MP_NONE, NULL), 0);
    check(atexit(ask) == 0);
    if (arg != NULL)
        check_shutdown(left_behind, false, false);
    return 3;
}

static void test_interpreter_shutdown(void **state)
{
    (void)state;
    for (intptr_t shut_down = 0; shut_down < 2; shut_down++) {
        pipe_open(&said);
        pipe_open(&asked);
        check(run_program(leave_an_executor_behind, (void *)shut_down) == 3);
        check(holds_a_byte(&said));
        check(pipe_await(&said) == 'a');
        pipe_close(&said);
        pipe_close(&asked);
    }
}

/* ---- what was handed in --------------------------------------------------------------------- */

static int take_a_moment(mp_obj arg, mp_obj *result)
{
    mp_sleep(0.01);
    return answer(arg, result);
}

enum { MANY = 50 };

static void test_hang_issue12364(void **state)
{
    (void)state;
    mp_future *futures[MANY];
    mp_executor *executor = new_executor(WORKERS);
    for (int i = 0; i < MANY; i++)
        futures[i] = submit(executor, take_a_moment, MP_NONE);
    check_shutdown(executor, true, false);
    for (int i = 0; i < MANY; i++) {
        check(mp_future_done(futures[i]));
        check(take_int(futures[i]) == ANSWER);
    }
    mp_executor_destroy(executor);
}

static int shut_down_and_cancel(void *executor)
{
    check_shutdown(executor, true, true);
    return 0;
}

/* Five run, held; all of the others are cancelled, before the shutdown returns. */
static void test_cancel_futures(void **state)
{
    (void)state;
    mp_future *futures[MANY];
    bool done[MANY];
    struct target_thread thread;
    struct door *door = new_door();
    mp_executor *executor = new_executor(WORKERS);
    for (int i = 0; i < MANY; i++)
        futures[i] = i < WORKERS ? submit_held(executor, wait_at_door, door)
                                 : submit(executor, wait_at_door, address(door));
    start_thread(&thread, shut_down_and_cancel, executor);
    assert_mp_result(
        mp_futures_wait(futures + WORKERS, MANY - WORKERS, MP_ALL_COMPLETED, NULL, MP_FOREVER),
        MANY - WORKERS);
    assert_mp_result(mp_futures_wait(futures, MANY, MP_ALL_COMPLETED, done, MP_NOWAIT),
                     MANY - WORKERS);
    for (int i = 0; i < MANY; i++) {
        check(done[i] == (i >= WORKERS));
        check(mp_future_cancelled(futures[i]) == (i >= WORKERS));
    }
    open_door(door);
    finish_thread(&thread);
    for (int i = 0; i < MANY; i++) {
        check(mp_future_done(futures[i]));
        check(take_end(futures[i]) == (i < WORKERS ? 0 : MP_ECANCELLED));
    }
    check(atomic_load(&door->count) == WORKERS);
    mp_executor_destroy(executor);
    destroy_door(door);
}

/* Once where the cancelled one cannot have begun, and often where it may have. */
static void test_hang_gh94440(void **state)
{
    (void)state;
    struct door *door = new_door();
    mp_executor *executor = new_executor(1);
    mp_future *held = submit_held(executor, wait_at_door, door);
    mp_future *pending = submit(executor, answer, MP_NONE);
    assert_mp_result(mp_future_cancel(pending), 1);
    open_door(door);
    check_shutdown(executor, true, false);
    check(take_int(held) == ANSWER && take_end(pending) == MP_ECANCELLED);
    mp_executor_destroy(executor);
    destroy_door(door);
    for (int round = 0; round < 50; round++) {
        executor = new_executor(1);
        check(take_int(submit(executor, answer, MP_NONE)) == ANSWER);
        mp_future *quick = submit(executor, answer, MP_NONE);
        int cancelled = assert_mp_ok(mp_future_cancel(quick));
        check_shutdown(executor, true, false);
        check(take_end(quick) == (cancelled ? MP_ECANCELLED : 0));
        mp_executor_destroy(executor);
    }
}

/* ---- workers -------------------------------------------------------------------------------- */

/* All workers are there from the start, beside the one process that looks after them. */
static void test_processes_terminate(void **state)
{
    (void)state;
    enum { HELD = 3 };
    pid_t pids[WORKERS];
    mp_future *held[HELD];
    struct door *door = new_door();
    int before = census_group_processes();
    mp_executor *executor = new_executor(WORKERS);
    worker_pids(executor, WORKERS, pids);
    for (int i = 0; i < HELD; i++)
        held[i] = submit_held(executor, wait_at_door, door);
    check(census_group_processes() == before + WORKERS + 1);
    open_door(door);
    check_shutdown(executor, true, false);
    check(census_group_processes() == before);
    for (int i = 0; i < WORKERS; i++)
        check(goes(pids[i]));
    for (int i = 0; i < HELD; i++)
        check(take_int(held[i]) == ANSWER);
    mp_executor_destroy(executor);
    destroy_door(door);
}

static int leave_block_by_return(mp_executor *executor)
{
    MP_WITH_EXECUTOR(executor) {
        assert_mp_result(mp_executor_submit(executor, answer, MP_NONE, NULL), 0);
        return 5;
    }
    return 6;
}

static void test_context_manager_shutdown(void **state)
{
    (void)state;
    pid_t pids[WORKERS];
    mp_future *future = NULL;
    mp_obj results, items[10];
    mp_executor *executor = new_executor(WORKERS);
    MP_WITH_EXECUTOR(executor) {
        worker_pids(executor, WORKERS, pids);
        mp_obj list = count_up(items, 10);
        assert_mp_result(mp_executor_map(executor, square, list, &results, NULL, MP_FOREVER), 0);
        future = submit(executor, take_a_moment, MP_NONE);
    }
    for (size_t i = 0; i < 10; i++)
        check(int_at(results, i) == (int64_t)(i * i));
    check(mp_future_done(future) && take_int(future) == ANSWER);
    for (int i = 0; i < WORKERS; i++)
        check(goes(pids[i]));
    assert_mp_error(mp_executor_submit(executor, answer, MP_NONE, NULL), MP_ESTATE);
    mp_obj_free(&results);
    mp_executor_destroy(executor);

    executor = new_executor(1);
    check(leave_block_by_return(executor) == 5);
    assert_mp_error(mp_executor_submit(executor, answer, MP_NONE, NULL), MP_ESTATE);
    mp_executor_destroy(executor);
}

static void test_shutdown_no_wait(void **state)
{
    (void)state;
    enum { TASKS = 10 };
    pid_t pids[WORKERS];
    mp_future *futures[TASKS];
    struct door *door = new_door();
    mp_executor *executor = new_executor(WORKERS);
    worker_pids(executor, WORKERS, pids);
    for (int i = 0; i < TASKS; i++)
        futures[i] = submit(executor, wait_at_door, address(door));
    check_shutdown(executor, false, false);
    for (int i = 0; i < TASKS; i++)
        check(!mp_future_done(futures[i]));
    open_door(door);
    for (int i = 0; i < TASKS; i++)
        check(take_int(futures[i]) == ANSWER);
    for (int i = 0; i < WORKERS; i++)
        check(goes(pids[i]));
    mp_executor_destroy(executor);
    destroy_door(door);
}

/* Three tasks, the second of which goes wrong, in workers that are worn out after one; at its
 * news the executor is shut down without waiting. The others' results come all the same. */
static void shut_down_at_the_news(mp_task *wrong, int expected)
{
    mp_executor *executor;
    struct door *door = new_door();
    const mp_executor_options options = {.max_tasks_per_child = 1};
    assert_mp_result(mp_executor_create(&executor, 1, &options), 0);
    mp_future *first = submit(executor, answer, MP_NONE);
    mp_future *second = submit(executor, wrong, MP_NONE);
    mp_future *third = submit(executor, wait_at_door, address(door));
    mp_future *fourth = submit(executor, answer, MP_NONE);
    check(take_end(second) == expected);
    check_shutdown(executor, false, false);
    open_door(door);
    check(take_int(first) == ANSWER && take_int(third) == ANSWER && take_int(fourth) == ANSWER);
    check_shutdown(executor, true, false);
    mp_executor_destroy(executor);
    destroy_door(door);
}

static void test_shutdown_gh_132969_case_1(void **state)
{
    (void)state;
    shut_down_at_the_news(raise_error, MP_ETASK);
}

static void test_shutdown_gh_132969_case_2(void **state)
{
    (void)state;
    shut_down_at_the_news(be_killed, MP_EDIED);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("ExecutorShutdownTest.test_run_after_shutdown: RuntimeError",
                     test_run_after_shutdown),
        support_test("ExecutorShutdownTest.test_interpreter_shutdown: the program's exit waits for "
                     "what was handed in",
                     test_interpreter_shutdown),
        support_test("ExecutorShutdownTest.test_hang_issue12364: fifty tasks end before shutdown "
                     "does",
                     test_hang_issue12364),
        support_test("ExecutorShutdownTest.test_cancel_futures: who runs ends, who waits is "
                     "cancelled",
                     test_cancel_futures),
        support_test("ExecutorShutdownTest.test_hang_gh94440: the only pending one was cancelled",
                     test_hang_gh94440),
        support_test("ProcessPoolShutdownTest.test_processes_terminate: all there at first, none "
                     "at the end",
                     test_processes_terminate),
        support_test("ProcessPoolShutdownTest.test_context_manager_shutdown: the block's end waits",
                     test_context_manager_shutdown),
        support_test("ProcessPoolShutdownTest.test_shutdown_no_wait: the results come after it",
                     test_shutdown_no_wait),
        support_test("ProcessPoolShutdownTest.test_shutdown_gh_132969_case_1: after a task failed",
                     test_shutdown_gh_132969_case_1),
        support_test("ProcessPoolShutdownTest.test_shutdown_gh_132969_case_2: after a worker died",
                     test_shutdown_gh_132969_case_2),
    };
    return support_run_processes("ExecutorShutdownTest", tests);
}
