/* Python's ExecutorTest (executor.py) and the initializers of test_init.py. */
#include "parity_futures.h"

#include <limits.h>
#include <math.h>
#include <string.h>

enum { WORKERS = 5 };

/* ---- submit and map ------------------------------------------------------------------------- */

static void test_submit(void **state)
{
    (void)state;
    mp_executor *executor = new_executor(WORKERS);
    check(take_int(submit(executor, power, MP_TUPLE(2, 8))) == 256);
    mp_executor_destroy(executor);
}

static int64_t raised(int64_t base, int64_t exponent)
{
    return exponent == 0 ? 1 : base * raised(base, exponent - 1);
}

static void map_powers(mp_executor *executor, size_t chunksize)
{
    enum { N = 10 };
    mp_obj pairs[N][2], items[N], results;
    const mp_map_options options = {.chunksize = chunksize};
    for (int i = 0; i < N; i++) {
        pairs[i][0] = pairs[i][1] = MP(i);
        items[i] = mp_obj_tuple(pairs[i], 2);
    }
    mp_obj list = mp_obj_list(items, N);
    assert_mp_result(mp_executor_map(executor, power, list, &results, &options, MP_FOREVER), 0);
    check(results.type == MP_TYPE_LIST && results.len == N);
    for (int i = 0; i < N; i++)
        check(int_at(results, (size_t)i) == raised(i, i));
    mp_obj_free(&results);
}

static void test_map(void **state)
{
    (void)state;
    mp_executor *executor = new_executor(WORKERS);
    map_powers(executor, 0);
    map_powers(executor, 3);
    mp_executor_destroy(executor);
}

static void test_map_exception(void **state)
{
    (void)state;
    int status[4] = {1, 1, 1, 1};
    mp_obj results, errors;
    const mp_map_options options = {.status = status, .errors = &errors};
    mp_executor *executor = new_executor(WORKERS);
    mp_obj pairs = MP_LIST(MP_TUPLE(1, 2), MP_TUPLE(1, 3), MP_TUPLE(1, 0), MP_TUPLE(1, 5));
    assert_mp_error(mp_executor_map(executor, divide, pairs, &results, &options, MP_FOREVER),
                    MP_ETASK);
    check(mp_error_code() == TASK_CODE && strcmp(mp_error_detail(), TASK_TEXT) == 0);
    mp_obj expected = MP_LIST(MP_TUPLE(0, 1), MP_TUPLE(0, 1), MP_NONE, MP_TUPLE(0, 1));
    check(mp_obj_equal(results, expected));
    check(status[0] == 0 && status[1] == 0 && status[2] == MP_ETASK && status[3] == 0);
    check(mp_obj_equal(errors, MP_LIST(MP_NONE, MP_NONE, MP_TUPLE(TASK_CODE, TASK_TEXT), MP_NONE)));
    mp_obj_free(&results);
    mp_obj_free(&errors);
    mp_executor_destroy(executor);
}

/* ---- timeouts ------------------------------------------------------------------------------- */

/* 1 reports a timeout of its own; others are answered. */
static int time_out_at_one(mp_obj arg, mp_obj *result)
{
    int64_t i;
    assert_mp_result(mp_obj_as_int(arg, &i), 0);
    if (i == 1)
        return mp_task_fail(MP_ETIMEOUT, "the task's own");
    return answer(arg, result);
}

static void test_map_timeout_from_callable(void **state)
{
    (void)state;
    int status[3];
    mp_obj items[3], results;
    const mp_map_options options = {.status = status};
    mp_executor *executor = new_executor(WORKERS);
    assert_mp_error(mp_executor_map(executor, time_out_at_one, count_up(items, 3), &results,
                                    &options, MP_FOREVER),
                    MP_ETASK);
    check(mp_error_code() == MP_ETIMEOUT);
    check(status[0] == 0 && status[1] == MP_ETASK && status[2] == 0);
    check(int_at(results, 0) == ANSWER && is_none(results, 1) && int_at(results, 2) == ANSWER);
    mp_obj_free(&results);
    mp_executor_destroy(executor);
}

/* None is answered at once, a door is waited at. */
static int answer_or_wait(mp_obj arg, mp_obj *result)
{
    return arg.type == MP_TYPE_NONE ? answer(arg, result) : wait_at_door(arg, result);
}

static void test_map_timeout(void **state)
{
    (void)state;
    int status[4] = {1, 1, 1, 1};
    mp_obj results;
    const mp_map_options options = {.status = status};
    struct door *door = new_door();
    mp_executor *executor = new_executor(1);
    mp_obj items = MP_LIST(MP_NONE, MP_NONE, address(door), address(door));
    check(take_int(submit(executor, answer, MP_NONE)) == ANSWER); /* the worker is there */
    double start = clock_seconds();
    assert_mp_error(mp_executor_map(executor, answer_or_wait, items, &results, &options, 4.0),
                    MP_ETIMEOUT);
    check(clock_seconds() - start >= 4.0);
    check(status[0] == 0 && status[1] == 0);
    check(status[2] == MP_ETIMEOUT && status[3] == MP_ETIMEOUT);
    check(results.len == 4 && int_at(results, 0) == ANSWER && int_at(results, 1) == ANSWER);
    check(is_none(results, 2) && is_none(results, 3));
    mp_obj_free(&results);
    open_door(door);
    check(take_int(submit(executor, answer, MP_NONE)) == ANSWER);
    mp_executor_destroy(executor);
    check(atomic_load(&door->count) == 1); /* the last one never began */
    destroy_door(door);
}

/* ---- lazy maps: those of a pool ------------------------------------------------------------- */

static mp_pool *new_pool(int processes)
{
    mp_pool *pool;
    assert_mp_result(mp_pool_create(&pool, processes, NULL), 0);
    return pool;
}

static void test_map_close(void **state)
{
    (void)state;
    mp_imap *imap;
    mp_obj first;
    const mp_map_options one_by_one = {.chunksize = 1};
    struct door *door = new_door();
    mp_pool *pool = new_pool(1);
    mp_obj at_door = address(door);
    mp_obj items = MP_LIST(MP_NONE, at_door, at_door, at_door, at_door, at_door);
    assert_mp_result(mp_pool_imap(pool, answer_or_wait, items, &imap, &one_by_one), 0);
    assert_mp_result(mp_imap_next(imap, &first, MP_FOREVER), 1);
    check(mp_obj_equal(first, MP(ANSWER)));
    mp_obj_free(&first);
    take(door->came);
    mp_imap_destroy(imap);
    open_door(door);
    assert_mp_result(mp_pool_close(pool), 0);
    assert_mp_result(mp_pool_join(pool, MP_FOREVER), 0);
    check(atomic_load(&door->count) == 1);
    mp_pool_destroy(pool);
    destroy_door(door);
}

/* An input that counts: i, or (i, 2), or the address of a door, up to `end`. */
struct numbers {
    int64_t next, end;
    bool in_pairs;
    struct door *door;
    mp_obj pair[2];
};

static int next_number(void *context, mp_obj *item)
{
    struct numbers *numbers = context;
    if (numbers->next == numbers->end)
        return 0;
    *item = numbers->door != NULL ? address(numbers->door) : MP(numbers->next);
    numbers->pair[0] = MP(numbers->next++);
    numbers->pair[1] = MP(2);
    if (numbers->in_pairs)
        *item = mp_obj_tuple(numbers->pair, 2);
    return 1;
}

static mp_imap *start_imap(mp_pool *pool, mp_task *task, struct numbers *numbers)
{
    mp_imap *imap;
    const mp_map_options one_by_one = {.chunksize = 1};
    assert_mp_result(mp_pool_imap_from(pool, task, next_number, numbers, &imap, &one_by_one), 0);
    return imap;
}

/* The next n results are squares, and the input is never far ahead of them. */
static void take_squares(mp_imap *imap, int n, const struct numbers *numbers, int most_ahead)
{
    for (int i = 0; i < n; i++) {
        mp_obj result;
        int64_t value;
        assert_mp_result(mp_imap_next(imap, &result, MP_FOREVER), 1);
        assert_mp_result(mp_obj_as_int(result, &value), 0);
        check(value == (int64_t)i * i);
        check(numbers->next >= i + 1 && numbers->next <= i + 1 + most_ahead);
        mp_obj_free(&result);
    }
}

/* Two workers, four chunks of one item for each. */
enum { AHEAD = 8 };

static void take_all(bool in_pairs)
{
    struct numbers numbers = {.end = 20, .in_pairs = in_pairs};
    mp_pool *pool = new_pool(2);
    mp_imap *imap = start_imap(pool, in_pairs ? power : square, &numbers);
    take_squares(imap, 20, &numbers, AHEAD);
    assert_mp_result(mp_imap_next(imap, NULL, MP_FOREVER), 0);
    assert_mp_result(mp_imap_next(imap, NULL, MP_FOREVER), 0);
    mp_imap_destroy(imap);
    mp_pool_destroy(pool);
}

static void test_map_buffersize(void **state)
{
    (void)state;
    take_all(false);
}

static void test_map_buffersize_on_multiple_iterables(void **state)
{
    (void)state;
    take_all(true);
}

static void take_some_of_an_endless_input(bool in_pairs)
{
    struct numbers numbers = {.end = -1, .in_pairs = in_pairs};
    mp_pool *pool = new_pool(2);
    mp_imap *imap = start_imap(pool, in_pairs ? power : square, &numbers);
    take_squares(imap, 100, &numbers, AHEAD);
    mp_imap_destroy(imap);
    mp_pool_destroy(pool);
}

static void test_map_buffersize_on_infinite_iterable(void **state)
{
    (void)state;
    take_some_of_an_endless_input(false);
}

static void test_map_buffersize_on_multiple_infinite_iterables(void **state)
{
    (void)state;
    take_some_of_an_endless_input(true);
}

static void test_map_buffersize_on_empty_iterable(void **state)
{
    (void)state;
    struct numbers numbers = {.end = 0};
    mp_pool *pool = new_pool(2);
    mp_imap *imap = start_imap(pool, square, &numbers);
    assert_mp_result(mp_imap_next(imap, NULL, MP_FOREVER), 0);
    assert_mp_result(mp_imap_next(imap, NULL, MP_FOREVER), 0);
    mp_imap_destroy(imap);
    mp_pool_destroy(pool);
}

static void test_map_buffersize_when_buffer_is_full(void **state)
{
    (void)state;
    struct door *door = new_door();
    struct numbers numbers = {.end = -1, .door = door};
    mp_pool *pool = new_pool(2);
    mp_imap *imap = start_imap(pool, wait_at_door, &numbers);
    for (int i = 0; i < 3; i++) {
        assert_mp_error(mp_imap_next(imap, NULL, 0.05), MP_ETIMEOUT);
        check(numbers.next >= 2 && numbers.next <= AHEAD);
    }
    open_door(door);
    assert_mp_result(mp_imap_next(imap, NULL, MP_FOREVER), 1);
    check(numbers.next <= 1 + AHEAD);
    mp_imap_destroy(imap);
    mp_pool_destroy(pool);
    destroy_door(door);
}

/* The bound is the library's own; what can be given wrong is everything else. */
static void test_map_buffersize_value_validation(void **state)
{
    (void)state;
    int status[1];
    mp_imap *imap = NULL;
    struct numbers numbers = {.end = -1};
    const mp_map_options refused[] = {
        {.task_timeout = (double)NAN}, {.task_timeout = -1.0}, {.status = status}};
    mp_pool *pool = new_pool(1);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_mp_error(mp_pool_imap_from(pool, square, next_number, &numbers, &imap, &refused[i]),
                        MP_EINVAL);
    assert_mp_error(mp_pool_imap_from(pool, square, NULL, &numbers, &imap, NULL), MP_EINVAL);
    assert_mp_error(mp_pool_imap_from(pool, NULL, next_number, &numbers, &imap, NULL), MP_EINVAL);
    check(imap == NULL && numbers.next == 0);
    mp_pool_destroy(pool);
}

/* ---- workers -------------------------------------------------------------------------------- */

static void test_shutdown_race_issue12456(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        mp_executor *executor = new_executor(WORKERS);
        for (int i = 0; i <= WORKERS; i++)
            assert_mp_result(mp_executor_submit(executor, answer, MP(2), NULL), 0);
        assert_mp_result(mp_executor_shutdown(executor, true, false), 0);
        mp_executor_destroy(executor);
    }
}

/* 0 is as many as there are processors: libmp's None. */
static void test_max_workers_negative(void **state)
{
    (void)state;
    mp_executor *executor = NULL;
    pid_t pids[DOOR_PLACES];
    assert_mp_error(mp_executor_create(&executor, -1, NULL), MP_EINVAL);
    assert_mp_error(mp_executor_create(&executor, INT_MIN, NULL), MP_EINVAL);
    check(executor == NULL);
    int processors = mp_process_cpu_count();
    if (processors > DOOR_PLACES)
        return;
    executor = new_executor(0);
    worker_pids(executor, processors, pids);
    mp_executor_destroy(executor);
}

/* ---- test_init.py --------------------------------------------------------------------------- */

static int initial_value = -1;

static int take_initial_value(void *arg)
{
    initial_value = *(const int *)arg;
    return 0;
}

static int tell_initial_value(mp_obj arg, mp_obj *result)
{
    (void)meet_others(arg, result);
    *result = MP(initial_value);
    return 0;
}

static void test_initializer(void **state)
{
    (void)state;
    static int value = 2024;
    enum { INITIALIZED = 2 };
    mp_executor *executor;
    mp_barrier *barrier;
    mp_future *futures[INITIALIZED];
    const mp_executor_options options = {.initializer = take_initial_value, .initarg = &value};
    assert_mp_result(mp_barrier_create(&barrier, INITIALIZED, NULL, NULL, MP_FOREVER), 0);
    assert_mp_result(mp_executor_create(&executor, INITIALIZED, &options), 0);
    for (int i = 0; i < INITIALIZED; i++)
        futures[i] = submit(executor, tell_initial_value, address(barrier));
    for (int i = 0; i < INITIALIZED; i++)
        check(take_int(futures[i]) == value);
    check(initial_value == -1);
    mp_executor_destroy(executor);
    mp_barrier_destroy(barrier);
}

static int refuse(void *arg)
{
    (void)arg;
    mp_sleep(0.1); /* let some futures be scheduled */
    return 1;
}

static void test_failing_initializer(void **state)
{
    (void)state;
    enum { MOST = 10 };
    mp_executor *executor;
    mp_future *futures[MOST];
    int n = 0, rc = 0;
    const mp_executor_options options = {.initializer = refuse};
    assert_mp_result(mp_executor_create(&executor, 2, &options), 0);
    while (n < MOST && (rc = mp_executor_submit(executor, answer, MP_NONE, &futures[n])) == 0)
        n++;
    check(rc == 0 || rc == MP_EBROKENPOOL); /* it may be broken already */
    for (int i = 0; i < n; i++)
        check(take_end(futures[i]) == MP_EBROKENPOOL);
    if (n == 0)
        assert_mp_error(rc, MP_EBROKENPOOL);
    assert_mp_error(mp_executor_submit(executor, answer, MP_NONE, NULL), MP_EBROKENPOOL);
    assert_mp_error(mp_executor_map(executor, answer, MP_LIST(1, 2), NULL, NULL, MP_FOREVER),
                    MP_EBROKENPOOL);
    mp_executor_destroy(executor);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("ExecutorTest.test_submit: 2 to the 8 is 256", test_submit),
        support_test("ExecutorTest.test_map: in order, one by one and in chunks of three",
                     test_map),
        support_test("ExecutorTest.test_map_exception: the items beside a failed one have results",
                     test_map_exception),
        support_test("ExecutorTest.test_map_timeout_from_callable: a task's own is not the map's",
                     test_map_timeout_from_callable),
        support_test("ExecutorTest.test_map_timeout: two results, then the time is over",
                     test_map_timeout),
        support_test("ExecutorTest.test_map_close: what has not begun is dropped", test_map_close),
        support_test("ExecutorTest.test_map_buffersize_value_validation: bad options are refused",
                     test_map_buffersize_value_validation),
        support_test("ExecutorTest.test_map_buffersize: reads no further ahead than its bound",
                     test_map_buffersize),
        support_test("ExecutorTest.test_map_buffersize_on_multiple_iterables: as tuples",
                     test_map_buffersize_on_multiple_iterables),
        support_test("ExecutorTest.test_map_buffersize_on_infinite_iterable: takes what it needs",
                     test_map_buffersize_on_infinite_iterable),
        support_test("ExecutorTest.test_map_buffersize_on_multiple_infinite_iterables: as tuples",
                     test_map_buffersize_on_multiple_infinite_iterables),
        support_test("ExecutorTest.test_map_buffersize_on_empty_iterable: ends at once",
                     test_map_buffersize_on_empty_iterable),
        support_test("ExecutorTest.test_map_buffersize_when_buffer_is_full: the input rests",
                     test_map_buffersize_when_buffer_is_full),
        support_test("ExecutorTest.test_shutdown_race_issue12456: more tasks than workers, then "
                     "the end",
                     test_shutdown_race_issue12456),
        support_test("ExecutorTest.test_max_workers_negative: ValueError",
                     test_max_workers_negative),
        support_test("InitializerMixin.test_initializer: runs in each worker before its tasks",
                     test_initializer),
        support_test("FailingInitializerMixin.test_initializer: breaks the executor for all",
                     test_failing_initializer),
    };
    return support_run_processes("ExecutorTest", tests);
}
