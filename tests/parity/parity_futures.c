/* Executors, tasks, doors and states for the tests of futures. */
#include "parity_futures.h"

#include "platform/platform.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/* ---- executors and results ------------------------------------------------------------------ */

mp_executor *new_executor(int max_workers)
{
    mp_executor *executor;
    assert_mp_result(mp_executor_create(&executor, max_workers, NULL), 0);
    return executor;
}

mp_future *submit(mp_executor *executor, mp_task *task, mp_obj arg)
{
    mp_future *future;
    assert_mp_result(mp_executor_submit(executor, task, arg, &future), 0);
    return future;
}

int64_t int_result(mp_future *future)
{
    mp_obj result;
    int64_t i;
    assert_mp_result(mp_future_result(future, &result, MP_FOREVER), 0);
    assert_mp_result(mp_obj_as_int(result, &i), 0);
    mp_obj_free(&result);
    return i;
}

int end_of(mp_future *future)
{
    int code = 1;
    int rc = mp_future_exception(future, &code, MP_FOREVER);
    if (rc == MP_ECANCELLED)
        return rc;
    assert_mp_result(rc, 0);
    return code;
}

int64_t take_int(mp_future *future)
{
    int64_t i = int_result(future);
    mp_future_destroy(future);
    return i;
}

int take_end(mp_future *future)
{
    int code = end_of(future);
    mp_future_destroy(future);
    return code;
}

mp_obj count_up(mp_obj *items, size_t n)
{
    for (size_t i = 0; i < n; i++)
        items[i] = MP(i);
    return mp_obj_list(items, n);
}

int64_t int_at(mp_obj list, size_t i)
{
    int64_t value;
    const mp_obj *item = mp_obj_item(list, i);
    check(item != NULL);
    assert_mp_result(mp_obj_as_int(*item, &value), 0);
    return value;
}

bool is_none(mp_obj list, size_t i)
{
    const mp_obj *item = mp_obj_item(list, i);
    return item != NULL && item->type == MP_TYPE_NONE;
}

/* ---- tasks ---------------------------------------------------------------------------------- */

int answer(mp_obj arg, mp_obj *result)
{
    (void)arg;
    *result = MP(ANSWER);
    return 0;
}

int square(mp_obj arg, mp_obj *result)
{
    int64_t i;
    assert_mp_result(mp_obj_as_int(arg, &i), 0);
    *result = MP(i * i);
    return 0;
}

int multiply(mp_obj arg, mp_obj *result)
{
    int64_t a, b;
    assert_mp_result(mp_obj_unpack(arg, "qq", &a, &b), 0);
    *result = MP(a * b);
    return 0;
}

int power(mp_obj arg, mp_obj *result)
{
    int64_t a, b, product = 1;
    assert_mp_result(mp_obj_unpack(arg, "qq", &a, &b), 0);
    while (b-- > 0)
        product *= a;
    *result = MP(product);
    return 0;
}

int divide(mp_obj arg, mp_obj *result)
{
    int64_t a, b;
    assert_mp_result(mp_obj_unpack(arg, "qq", &a, &b), 0);
    if (b == 0)
        return mp_task_fail(TASK_CODE, "%s", TASK_TEXT);
    return mp_task_return(result, MP_TUPLE(a / b, a % b));
}

int tell_pid(mp_obj arg, mp_obj *result)
{
    (void)arg;
    *result = MP(getpid());
    return 0;
}

int raise_error(mp_obj arg, mp_obj *result)
{
    (void)arg;
    (void)result;
    return mp_task_fail(TASK_CODE, "%s", TASK_TEXT);
}

int be_killed(mp_obj arg, mp_obj *result)
{
    const struct rlimit none = {0, 0};
    (void)arg;
    (void)result;
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)signal(SIGSEGV, SIG_DFL);
    (void)raise(SIGSEGV);
    return 0;
}

int meet_others(mp_obj arg, mp_obj *result)
{
    (void)assert_mp_ok(mp_barrier_wait(at_address(arg), 30.0));
    return tell_pid(arg, result);
}

mp_obj address(const void *shared)
{
    return MP((int64_t)(intptr_t)shared);
}

void *at_address(mp_obj arg)
{
    int64_t i;
    assert_mp_result(mp_obj_as_int(arg, &i), 0);
    return (void *)(intptr_t)i;
}

/* ---- tasks that wait ------------------------------------------------------------------------ */

struct door *new_door(void)
{
    struct door *door = shared_memory(sizeof *door);
    door->came = new_semaphore();
    door->open = new_event();
    return door;
}

void open_door(struct door *door)
{
    assert_mp_result(mp_event_set(door->open), 0);
}

void destroy_door(struct door *door)
{
    mp_semaphore_destroy(door->came);
    mp_event_destroy(door->open);
    mp_raw_free(door);
}

int wait_at_door(mp_obj arg, mp_obj *result)
{
    struct door *door = at_address(arg);
    int place = atomic_fetch_add(&door->count, 1);
    check(place < DOOR_PLACES);
    atomic_store(&door->pids[place], (int)getpid());
    assert_mp_result(mp_semaphore_release(door->came), 0);
    assert_mp_result(mp_event_wait(door->open, MP_FOREVER), 0);
    (void)atomic_fetch_add(&door->left, 1);
    return answer(arg, result);
}

int wait_and_fail(mp_obj arg, mp_obj *result)
{
    (void)wait_at_door(arg, result);
    return raise_error(arg, result);
}

int wait_and_be_killed(mp_obj arg, mp_obj *result)
{
    (void)wait_at_door(arg, result);
    return be_killed(arg, result);
}

int wait_without_terminate(mp_obj arg, mp_obj *result)
{
    (void)signal(SIGTERM, SIG_IGN);
    return wait_at_door(arg, result);
}

mp_future *submit_held(mp_executor *executor, mp_task *task, struct door *door)
{
    mp_future *future = submit(executor, task, address(door));
    take(door->came);
    return future;
}

/* ---- one future of each state --------------------------------------------------------------- */

void states_open(struct states *states)
{
    mp_executor *executor = new_executor(1);
    states->executor = executor;
    states->door = new_door();
    states->successful = submit(executor, answer, MP_NONE);
    states->failed = submit(executor, raise_error, MP_NONE);
    check(end_of(states->successful) == 0);
    check(end_of(states->failed) == MP_ETASK);
    states->running = submit_held(executor, wait_at_door, states->door);
    states->pending = submit(executor, answer, MP_NONE);
    states->cancelled = submit(executor, answer, MP_NONE);
    assert_mp_result(mp_future_cancel(states->cancelled), 1);
}

void states_close(struct states *states)
{
    open_door(states->door);
    mp_executor_destroy(states->executor);
    mp_future_destroy(states->pending);
    mp_future_destroy(states->running);
    mp_future_destroy(states->cancelled);
    mp_future_destroy(states->failed);
    mp_future_destroy(states->successful);
    destroy_door(states->door);
}

/* ---- workers -------------------------------------------------------------------------------- */

void worker_pids(mp_executor *executor, int workers, pid_t *pids)
{
    mp_barrier *barrier;
    mp_obj items[DOOR_PLACES], results;
    check(workers <= DOOR_PLACES);
    assert_mp_result(mp_barrier_create(&barrier, (unsigned)workers, NULL, NULL, MP_FOREVER), 0);
    for (int i = 0; i < workers; i++)
        items[i] = address(barrier);
    mp_obj list = mp_obj_list(items, (size_t)workers);
    assert_mp_result(mp_executor_map(executor, meet_others, list, &results, NULL, MP_FOREVER), 0);
    for (int i = 0; i < workers; i++)
        pids[i] = (pid_t)int_at(results, (size_t)i);
    mp_obj_free(&results);
    mp_barrier_destroy(barrier);
    check(distinct_pids(pids, workers) == workers);
}

int distinct_pids(const pid_t *pids, int n)
{
    int different = 0;
    for (int i = 0; i < n; i++) {
        int first = 0;
        while (pids[first] != pids[i])
            first++;
        different += first == i;
    }
    return different;
}

bool runs(pid_t pid)
{
    uint64_t start;
    return kill(pid, 0) == 0 && mp__process_trace(pid, &start) != MP__TRACE_GONE;
}

bool goes(pid_t pid)
{
    double end = clock_seconds() + 20;
    while (runs(pid)) {
        if (clock_seconds() > end)
            return false;
        mp_sleep(0.001);
    }
    return true;
}

int run_program(int (*body)(void *arg), void *arg)
{
    (void)fflush(NULL);
    pid_t pid = fork();
    check(pid >= 0);
    if (pid == 0)
        exit(body(arg));
    return child_wait(pid);
}
