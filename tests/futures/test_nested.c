/* What tasks may make: those of an executor processes, executors and pools of their own, those of a
 * pool none of these; and what becomes of it when their worker ends. */
#include "parity/parity_futures.h"

#include <signal.h>
#include <unistd.h>

static mp_pool *new_pool(int processes)
{
    mp_pool *pool;
    assert_mp_result(mp_pool_create(&pool, processes, NULL), 0);
    return pool;
}

/* Gives the task's result, an int. */
static int64_t apply(mp_pool *pool, mp_task *task, mp_obj arg)
{
    mp_obj result;
    int64_t value;
    assert_mp_result(mp_pool_apply(pool, task, arg, &result), 0);
    assert_mp_result(mp_obj_as_int(result, &value), 0);
    mp_obj_free(&result);
    return value;
}

/* Runs the task in an executor with two workers. */
static int64_t run_in_executor(mp_task *task, mp_obj arg)
{
    mp_executor *executor = new_executor(2);
    int64_t value = take_int(submit(executor, task, arg));
    mp_executor_destroy(executor);
    return value;
}

/* Runs the task in a pool with two workers. */
static int64_t run_in_pool(mp_task *task, mp_obj arg)
{
    mp_pool *pool = new_pool(2);
    int64_t value = apply(pool, task, arg);
    assert_mp_result(mp_pool_close(pool), 0);
    assert_mp_result(mp_pool_join(pool, MP_FOREVER), 0);
    mp_pool_destroy(pool);
    return value;
}

/* ---- in a task of an executor --------------------------------------------------------------- */

/* As many executors in each other as the argument says, then ANSWER. */
static int descend(mp_obj arg, mp_obj *result)
{
    int64_t depth;
    assert_mp_result(mp_obj_as_int(arg, &depth), 0);
    *result = MP(depth == 0 ? (int64_t)ANSWER : run_in_executor(descend, MP(depth - 1)));
    return 0;
}

static void test_an_executor_in_a_task_of_an_executor_works(void **state)
{
    (void)state;
    check(run_in_executor(descend, MP(1)) == ANSWER);
    check(run_in_executor(descend, MP(3)) == ANSWER);
}

static int square_in_pool(mp_obj arg, mp_obj *result)
{
    *result = MP(run_in_pool(square, arg));
    return 0;
}

static void test_a_pool_in_a_task_of_an_executor_works(void **state)
{
    (void)state;
    check(run_in_executor(square_in_pool, MP(12)) == 144);
}

static int leave_with_five(void *arg)
{
    (void)arg;
    return 5;
}

static int start_in_task(mp_obj arg, mp_obj *result)
{
    (void)arg;
    *result = MP(finish_process(start_process(leave_with_five, NULL, 0)));
    return 0;
}

static void test_a_process_in_a_task_of_an_executor_works(void **state)
{
    (void)state;
    check(run_in_executor(start_in_task, MP_NONE) == 5);
}

/* The worker outlives the task, and with it what the task made. */
static mp_executor *kept;

static int keep_an_executor(mp_obj arg, mp_obj *result)
{
    if (kept == NULL)
        kept = new_executor(1);
    *result = MP(take_int(submit(kept, tell_pid, arg)));
    return 0;
}

static void test_an_executor_serves_one_task_after_the_other(void **state)
{
    (void)state;
    mp_executor *executor = new_executor(1);
    int64_t inner = take_int(submit(executor, keep_an_executor, MP_NONE));
    for (int i = 0; i < 3; i++)
        check(take_int(submit(executor, keep_an_executor, MP_NONE)) == inner);
    mp_executor_destroy(executor);
    check(goes((pid_t)inner));
}

/* The door's second guest is a task of an executor that the first one made. */
static int wait_for_a_task_of_its_own(mp_obj arg, mp_obj *result)
{
    kept = new_executor(1);
    (void)submit(kept, wait_at_door, arg);
    return wait_at_door(arg, result);
}

static void test_a_killed_worker_takes_its_own_workers_along(void **state)
{
    (void)state;
    struct door *door = new_door();
    mp_executor *executor = new_executor(1);
    mp_future *outer = submit_held(executor, wait_for_a_task_of_its_own, door);
    take(door->came);
    assert_mp_result(mp_executor_kill_workers(executor), 0);
    check(take_end(outer) == MP_EDIED);
    check(goes(atomic_load(&door->pids[0])) && goes(atomic_load(&door->pids[1])));
    mp_executor_destroy(executor);
    destroy_door(door);
}

/* ---- in a task of a pool -------------------------------------------------------------------- */

static int try_to_make_a_pool(mp_obj arg, mp_obj *result)
{
    mp_pool *pool = NULL;
    assert_mp_error(mp_pool_create(&pool, 1, NULL), MP_ESTATE);
    check(pool == NULL);
    return answer(arg, result);
}

static int try_to_make_an_executor(mp_obj arg, mp_obj *result)
{
    mp_executor *executor = NULL;
    assert_mp_error(mp_executor_create(&executor, 1, NULL), MP_ESTATE);
    check(executor == NULL);
    return answer(arg, result);
}

static int try_to_start_a_process(mp_obj arg, mp_obj *result)
{
    mp_process *process;
    const mp_process_options options = {.daemon = MP_DAEMON_NO};
    assert_mp_result(mp_process_create(&process, leave_with_five, NULL, 0, &options), 0);
    assert_mp_error(mp_process_start(process), MP_ESTATE);
    mp_process_destroy(process);
    return answer(arg, result);
}

static void test_a_task_of_a_pool_makes_none_of_them(void **state)
{
    (void)state;
    check(run_in_pool(try_to_make_a_pool, MP_NONE) == ANSWER);
    check(run_in_pool(try_to_make_an_executor, MP_NONE) == ANSWER);
    check(run_in_pool(try_to_start_a_process, MP_NONE) == ANSWER);
}

static int try_both_in_a_process(void *arg)
{
    mp_obj result = MP_NONE;
    (void)arg;
    (void)try_to_make_a_pool(MP_NONE, &result);
    (void)try_to_make_an_executor(MP_NONE, &result);
    return 0;
}

static void test_a_daemonic_process_makes_none_of_them(void **state)
{
    (void)state;
    finish_process_with(start_process(try_both_in_a_process, NULL, 0), 0);
}

/* ---- who is who ----------------------------------------------------------------------------- */

static pid_t maker;

/* 1 if the worker is daemonic, 0 if not. */
static int look_around(mp_obj arg, mp_obj *result)
{
    mp_process *self = mp_current_process(), *parent = mp_parent_process();
    (void)arg;
    check(parent != NULL && mp_process_pid(parent) == maker);
    assert_mp_result(mp_process_is_alive(parent), 1);
    check(mp_process_pid(self) == getpid());
    check(getppid() != maker);
    assert_mp_result(mp_active_children(NULL, 0), 0);
    *result = MP((int)mp_process_daemon(self));
    return 0;
}

static void test_a_worker_knows_who_made_it(void **state)
{
    (void)state;
    maker = getpid();
    mp_pool *pool = new_pool(1);
    mp_executor *executor = new_executor(1);
    check(apply(pool, look_around, MP_NONE) == 1);
    check(take_int(submit(executor, look_around, MP_NONE)) == 0);
    assert_mp_result(mp_active_children(NULL, 0), 0);
    mp_executor_destroy(executor);
    mp_pool_destroy(pool);
}

/* ---- what a process leaves behind ----------------------------------------------------------- */

static int leave_a_held_task(void *arg)
{
    kept = new_executor(1);
    mp_future_destroy(submit_held(kept, wait_at_door, arg));
    return 4;
}

/* As at the program's exit. */
static void test_a_process_that_returns_waits_for_its_executors(void **state)
{
    (void)state;
    struct door *door = new_door();
    mp_process *process;
    assert_mp_result(mp_process_create(&process, leave_a_held_task, door, 0, NULL), 0);
    assert_mp_result(mp_process_start(process), 0);
    while (atomic_load(&door->pids[0]) == 0)
        mp_sleep(0.001);
    assert_mp_error(mp_process_join(process, 0.1), MP_ETIMEOUT);
    check(runs(atomic_load(&door->pids[0])));
    open_door(door);
    finish_process_with(process, 4);
    check(goes(atomic_load(&door->pids[0])));
    destroy_door(door);
}

static mp_pool *kept_pool;

static int leave_a_held_pool(void *arg)
{
    kept_pool = new_pool(1);
    assert_mp_result(mp_pool_apply_async(kept_pool, wait_at_door, address(arg), NULL, NULL), 0);
    take(((struct door *)arg)->came);
    return 4;
}

static void test_a_process_that_returns_ends_its_pools(void **state)
{
    (void)state;
    struct door *door = new_door();
    mp_process *process;
    assert_mp_result(mp_process_create(&process, leave_a_held_pool, door, 0, NULL), 0);
    assert_mp_result(mp_process_start(process), 0);
    finish_process_with(process, 4);
    check(goes(atomic_load(&door->pids[0])));
    destroy_door(door);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("an executor in a task of an executor works",
                     test_an_executor_in_a_task_of_an_executor_works),
        support_test("a pool in a task of an executor works",
                     test_a_pool_in_a_task_of_an_executor_works),
        support_test("a process in a task of an executor works",
                     test_a_process_in_a_task_of_an_executor_works),
        support_test("an executor serves one task of its maker after the other",
                     test_an_executor_serves_one_task_after_the_other),
        support_test("a killed worker takes its own workers along",
                     test_a_killed_worker_takes_its_own_workers_along),
        support_test("a task of a pool makes none of them",
                     test_a_task_of_a_pool_makes_none_of_them),
        support_test("a daemonic process makes none of them",
                     test_a_daemonic_process_makes_none_of_them),
        support_test("a worker knows who made it", test_a_worker_knows_who_made_it),
        support_test("a process that returns waits for its executors",
                     test_a_process_that_returns_waits_for_its_executors),
        support_test("a process that returns ends its pools",
                     test_a_process_that_returns_ends_its_pools),
    };
    return support_run_processes("nested", tests);
}
