/* Python's ProcessPoolExecutorTest (test_process_pool.py): the workers of an executor. */
#include "parity_futures.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum { WORKERS = 5 };

/* ---- a worker that dies --------------------------------------------------------------------- */

/* Its task alone is lost, where Python's executor is broken. */
static void test_killed_child(void **state)
{
    (void)state;
    char pattern[64];
    pid_t pids[2];
    struct door *door = new_door();
    mp_executor *executor = new_executor(2);
    mp_future *lost = submit_held(executor, wait_at_door, door);
    pid_t victim = atomic_load(&door->pids[0]);
    mp_future *other = submit_held(executor, wait_at_door, door);
    check(kill(victim, SIGTERM) == 0);
    assert_mp_error(mp_future_result(lost, NULL, MP_FOREVER), MP_EDIED);
    (void)snprintf(pattern, sizeof pattern, "worker %d killed by SIGTERM.*", (int)victim);
    check_text(mp_error_detail(), pattern);
    check(take_end(lost) == MP_EDIED);
    check(!mp_future_done(other));
    check(take_int(submit(executor, power, MP_TUPLE(2, 8))) == 256);
    open_door(door);
    check(take_int(other) == ANSWER);
    worker_pids(executor, 2, pids);
    check(pids[0] != victim && pids[1] != victim);
    mp_executor_destroy(executor);
    destroy_door(door);
}

static int exit_with_99(mp_obj arg, mp_obj *result)
{
    (void)result;
    if (arg.type == MP_TYPE_NONE)
        exit(99);
    _exit(99);
}

static void test_traceback_when_child_process_terminates_abruptly(void **state)
{
    (void)state;
    mp_executor *executor = new_executor(1);
    for (int way = 0; way < 2; way++) {
        mp_future *future = submit(executor, exit_with_99, way == 0 ? MP_NONE : MP(way));
        assert_mp_error(mp_future_result(future, NULL, MP_FOREVER), MP_EDIED);
        check_text(mp_error_detail(), "worker [0-9]+ .*[^0-9]99([^0-9].*)?");
        mp_future_destroy(future);
    }
    mp_executor_destroy(executor);
}

/* ---- chunks, and how many work -------------------------------------------------------------- */

static void test_map_chunksize(void **state)
{
    (void)state;
    enum { N = 40 };
    static const size_t sizes[] = {6, 50, 40, (size_t)-1};
    mp_obj items[N], results;
    mp_executor *executor = new_executor(WORKERS);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        const mp_map_options options = {.chunksize = sizes[s]};
        mp_obj list = count_up(items, N);
        assert_mp_result(mp_executor_map(executor, square, list, &results, &options, MP_FOREVER),
                         0);
        check(results.len == N);
        for (int i = 0; i < N; i++)
            check(int_at(results, (size_t)i) == (int64_t)i * i);
        mp_obj_free(&results);
    }
    mp_executor_destroy(executor);
}

static void test_saturation(void **state)
{
    (void)state;
    enum { JOBS = 15 * WORKERS };
    mp_future *futures[JOBS];
    pid_t pids[JOBS];
    struct door *door = new_door();
    mp_executor *executor = new_executor(WORKERS);
    for (int i = 0; i < JOBS; i++)
        futures[i] = submit(executor, wait_at_door, address(door));
    for (int i = 0; i < WORKERS; i++)
        take(door->came);
    nobody_releases(door->came);
    open_door(door);
    for (int i = 0; i < JOBS; i++)
        check(take_int(futures[i]) == ANSWER);
    check(atomic_load(&door->count) == JOBS);
    for (int i = 0; i < JOBS; i++)
        pids[i] = atomic_load(&door->pids[i]);
    check(distinct_pids(pids, JOBS) == WORKERS);
    check(distinct_pids(pids, WORKERS) == WORKERS);
    mp_executor_destroy(executor);
    destroy_door(door);
}

/* ---- workers that wear out ------------------------------------------------------------------ */

static mp_executor *new_wearing_executor(int max_workers, unsigned max_tasks_per_child)
{
    mp_executor *executor;
    const mp_executor_options options = {.max_tasks_per_child = max_tasks_per_child};
    assert_mp_result(mp_executor_create(&executor, max_workers, &options), 0);
    return executor;
}

static void test_max_tasks_per_child(void **state)
{
    (void)state;
    mp_executor *executor = new_wearing_executor(1, 3);
    pid_t first = (pid_t)take_int(submit(executor, tell_pid, MP_NONE));
    check(take_int(submit(executor, tell_pid, MP_NONE)) == first);
    check(take_int(submit(executor, tell_pid, MP_NONE)) == first);
    check(take_int(submit(executor, tell_pid, MP_NONE)) != first);
    check(goes(first));
    mp_executor_destroy(executor);
}

static void test_max_tasks_per_child_pending_tasks_gh115634(void **state)
{
    (void)state;
    enum { TASKS = 40, TASKS_EACH = 3 };
    mp_future *futures[TASKS];
    pid_t pids[TASKS];
    mp_executor *executor = new_wearing_executor(2, TASKS_EACH);
    for (int i = 0; i < TASKS; i++)
        futures[i] = submit(executor, tell_pid, MP_NONE);
    for (int i = 0; i < TASKS; i++)
        pids[i] = (pid_t)take_int(futures[i]);
    for (int i = 0; i < TASKS; i++) {
        int done = 0;
        for (int j = 0; j < TASKS; j++)
            done += pids[j] == pids[i];
        check(done <= TASKS_EACH);
    }
    mp_executor_destroy(executor);
}

static void test_shutdown_no_wait_max_tasks_gh119592(void **state)
{
    (void)state;
    enum { TASKS = 6 };
    mp_future *futures[TASKS];
    pid_t pids[TASKS];
    struct door *door = new_door();
    mp_executor *executor = new_wearing_executor(1, 1);
    mp_future *held = submit_held(executor, wait_at_door, door);
    for (int i = 0; i < TASKS; i++)
        futures[i] = submit(executor, tell_pid, MP_NONE);
    assert_mp_result(mp_executor_shutdown(executor, false, false), 0);
    open_door(door);
    check(take_int(held) == ANSWER);
    for (int i = 0; i < TASKS; i++)
        pids[i] = (pid_t)take_int(futures[i]);
    check(distinct_pids(pids, TASKS) == TASKS);
    mp_executor_destroy(executor);
    destroy_door(door);
}

static void test_max_tasks_early_shutdown(void **state)
{
    (void)state;
    enum { TASKS = 6 };
    mp_future *futures[TASKS];
    mp_executor *executor = new_wearing_executor(3, 1);
    for (int i = 0; i < TASKS; i++)
        futures[i] = submit(executor, multiply, MP_TUPLE(i, i));
    assert_mp_result(mp_executor_shutdown(executor, true, false), 0);
    for (int i = 0; i < TASKS; i++) {
        check(mp_future_done(futures[i]));
        check(take_int(futures[i]) == (int64_t)i * i);
    }
    mp_executor_destroy(executor);
}

static int count_itself(mp_obj arg, mp_obj *result)
{
    atomic_fetch_add((atomic_int *)at_address(arg), 1);
    return answer(arg, result);
}

/* Whatever the workers are doing when they are killed, nobody takes their place. */
static void kill_among_leaving_workers(atomic_int *begun)
{
    enum { TASKS = 30 };
    mp_future *futures[TASKS];
    int finished = 0, died = 0, cancelled = 0;
    mp_executor *executor = new_wearing_executor(2, 1);
    atomic_store(begun, 0);
    for (int i = 0; i < TASKS; i++)
        futures[i] = submit(executor, count_itself, address(begun));
    (void)assert_mp_ok(mp_futures_wait(futures, TASKS, MP_FIRST_COMPLETED, NULL, MP_FOREVER));
    assert_mp_result(mp_executor_kill_workers(executor), 0);
    for (int i = 0; i < TASKS; i++) {
        int code = take_end(futures[i]);
        finished += code == 0;
        died += code == MP_EDIED;
        cancelled += code == MP_ECANCELLED;
    }
    mp_executor_destroy(executor);
    check(finished + died + cancelled == TASKS && finished >= 1 && died <= 2);
    check(atomic_load(begun) >= finished && atomic_load(begun) <= finished + died);
}

static void test_force_shutdown_during_max_tasks_worker_exit(void **state)
{
    (void)state;
    atomic_int *begun = shared_memory(sizeof *begun);
    int before = census_group_processes();
    for (int round = 0; round < 20; round++) {
        kill_among_leaving_workers(begun);
        check(census_group_processes() == before);
    }
    mp_raw_free(begun);
}

/* Yes to the first worker, no to every other one. */
static int accept_one(void *arg)
{
    return atomic_fetch_add((atomic_int *)arg, 1) != 0;
}

static void test_failed_worker_replacement_breaks_pool(void **state)
{
    (void)state;
    mp_executor *executor;
    atomic_int *workers = shared_memory(sizeof *workers);
    struct door *door = new_door();
    const mp_executor_options options = {
        .initializer = accept_one, .initarg = workers, .max_tasks_per_child = 1};
    assert_mp_result(mp_executor_create(&executor, 1, &options), 0);
    mp_future *first = submit_held(executor, wait_at_door, door);
    mp_future *pending = submit(executor, answer, MP_NONE);
    open_door(door);
    check(take_int(first) == ANSWER);
    check(take_end(pending) == MP_EBROKENPOOL);
    assert_mp_error(mp_executor_submit(executor, answer, MP_NONE, NULL), MP_EBROKENPOOL);
    mp_executor_destroy(executor);
    destroy_door(door);
    mp_raw_free(workers);
}

/* ---- workers that are ended ----------------------------------------------------------------- */

static const struct way {
    int (*end)(mp_executor *executor);
    const char *signal;
} ways[] = {{mp_executor_terminate_workers, "SIGTERM"}, {mp_executor_kill_workers, "SIGKILL"}};

/* Two tasks run and ten wait when the workers are ended; the ones die, the others never begin. */
static void end_workers_at_work(const struct way *way)
{
    enum { RUNNING = 2, PENDING = 10 };
    char pattern[64];
    mp_future *running[RUNNING], *pending[PENDING];
    struct door *door = new_door();
    mp_executor *executor = new_executor(RUNNING);
    for (int i = 0; i < RUNNING; i++)
        running[i] = submit_held(executor, wait_at_door, door);
    for (int i = 0; i < PENDING; i++)
        pending[i] = submit(executor, wait_at_door, address(door));
    assert_mp_result(way->end(executor), 0);
    (void)snprintf(pattern, sizeof pattern, "worker [0-9]+ killed by %s.*", way->signal);
    for (int i = 0; i < RUNNING; i++) {
        assert_mp_error(mp_future_result(running[i], NULL, MP_FOREVER), MP_EDIED);
        check_text(mp_error_detail(), pattern);
        check(!mp_future_cancelled(running[i]));
        mp_future_destroy(running[i]);
    }
    for (int i = 0; i < PENDING; i++) {
        assert_mp_error(mp_future_result(pending[i], NULL, MP_FOREVER), MP_ECANCELLED);
        check(mp_future_cancelled(pending[i]));
        mp_future_destroy(pending[i]);
    }
    for (int i = 0; i < RUNNING; i++)
        check(goes(atomic_load(&door->pids[i])));
    check(atomic_load(&door->count) == RUNNING);
    mp_executor_destroy(executor);
    destroy_door(door);
}

static void test_terminate_workers(void **state)
{
    (void)state;
    end_workers_at_work(&ways[0]);
}

static void test_kill_workers(void **state)
{
    (void)state;
    end_workers_at_work(&ways[1]);
}

static void test_terminate_workers_that_go_on(void **state)
{
    (void)state;
    struct door *door = new_door();
    mp_executor *executor = new_executor(1);
    mp_future *deaf = submit_held(executor, wait_without_terminate, door);
    assert_mp_result(mp_executor_terminate_workers(executor), 0);
    assert_mp_error(mp_future_result(deaf, NULL, MP_FOREVER), MP_EDIED);
    check_text(mp_error_detail(), "worker [0-9]+ killed by SIGKILL.*");
    mp_future_destroy(deaf);
    mp_executor_destroy(executor);
    destroy_door(door);
}

static void test_force_shutdown_workers(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        pid_t pids[WORKERS];
        mp_executor *executor = new_executor(WORKERS);
        worker_pids(executor, WORKERS, pids);
        for (int w = 0; w < WORKERS; w++)
            check(runs(pids[w]));
        assert_mp_result(ways[i].end(executor), 0);
        for (int w = 0; w < WORKERS; w++)
            check(goes(pids[w]));
        assert_mp_result(ways[i].end(executor), 0);
        mp_executor_destroy(executor);
    }
}

static void test_force_shutdown_workers_dead_workers(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        pid_t pids[WORKERS];
        mp_executor *executor = new_executor(WORKERS);
        worker_pids(executor, WORKERS, pids);
        for (int w = 0; w < WORKERS; w++)
            check(kill(pids[w], SIGKILL) == 0);
        assert_mp_result(ways[i].end(executor), 0);
        mp_executor_destroy(executor);
        for (int w = 0; w < WORKERS; w++)
            check(goes(pids[w]));
    }
}

static void test_force_shutdown_workers_not_started_yet(void **state)
{
    (void)state;
    for (int round = 0; round < 10; round++) {
        mp_executor *executor = new_executor(WORKERS);
        assert_mp_result(ways[round % 2].end(executor), 0);
        mp_executor_destroy(executor);
    }
}

static void test_force_shutdown_workers_stops_pool(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        mp_executor *executor = new_executor(2);
        check(take_int(submit(executor, answer, MP_NONE)) == ANSWER);
        assert_mp_result(ways[i].end(executor), 0);
        assert_mp_error(mp_executor_submit(executor, answer, MP_NONE, NULL), MP_ESTATE);
        assert_mp_result(mp_executor_shutdown(executor, true, false), 0);
        assert_mp_result(ways[i].end(executor), 0);
        mp_executor_destroy(executor);
    }
}

#define pool_test(name, what, function) \
    support_test("ProcessPoolExecutorTest." name ": " what, function)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        pool_test("test_killed_child", "its task is lost, the others go on", test_killed_child),
        pool_test("test_traceback_when_child_process_terminates_abruptly", "the status is told",
                  test_traceback_when_child_process_terminates_abruptly),
        pool_test("test_map_chunksize", "smaller, as long as, longer than the list",
                  test_map_chunksize),
        pool_test("test_saturation", "fifteen tasks for each worker make no more workers",
                  test_saturation),
        pool_test("test_max_tasks_per_child", "the fourth task has another worker",
                  test_max_tasks_per_child),
        pool_test("test_max_tasks_per_child_pending_tasks_gh115634", "the backlog runs to its end",
                  test_max_tasks_per_child_pending_tasks_gh115634),
        pool_test("test_shutdown_no_wait_max_tasks_gh119592", "workers are replaced after it",
                  test_shutdown_no_wait_max_tasks_gh119592),
        pool_test("test_max_tasks_early_shutdown", "all results are there",
                  test_max_tasks_early_shutdown),
        pool_test("test_force_shutdown_during_max_tasks_worker_exit", "nobody is replaced",
                  test_force_shutdown_during_max_tasks_worker_exit),
        pool_test("test_failed_worker_replacement_breaks_pool", "what waits learns it",
                  test_failed_worker_replacement_breaks_pool),
        pool_test("test_terminate_workers", "SIGTERM to who runs, the rest is cancelled",
                  test_terminate_workers),
        pool_test("test_kill_workers", "SIGKILL to who runs, the rest is cancelled",
                  test_kill_workers),
        pool_test("test_terminate_workers", "who goes on is killed",
                  test_terminate_workers_that_go_on),
        pool_test("test_force_shutdown_workers", "they are gone, and a second call is fine",
                  test_force_shutdown_workers),
        pool_test("test_force_shutdown_workers_dead_workers", "no error",
                  test_force_shutdown_workers_dead_workers),
        pool_test("test_force_shutdown_workers_not_started_yet", "no error",
                  test_force_shutdown_workers_not_started_yet),
        pool_test("test_force_shutdown_workers_stops_pool", "no more tasks",
                  test_force_shutdown_workers_stops_pool),
    };
    return support_run_processes("ProcessPoolExecutorTest", tests);
}
