/* Python's TestPool: making, ending and leaving pools. */
#include "parity_pool_kit.h"

#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static mp_semaphore *begun;

static void test_make_pool(void **state)
{
    (void)state;
    enum { WORKERS = 3 };
    mp_pool *pool;
    assert_mp_error(mp_pool_create(&pool, -1, NULL), MP_EINVAL);
    assert_mp_error(mp_pool_create(&pool, INT_MIN, NULL), MP_EINVAL);
    assert_mp_error(mp_pool_create(&pool, 2001, NULL), MP_EINVAL);
    assert_mp_error(mp_pool_create(&pool, INT_MAX, NULL), MP_EINVAL);
    new_meeting(WORKERS);
    int processes_before = census_group_processes();
    pool = new_pool(WORKERS);
    int64_t pids[WORKERS];
    pids_of_workers(pool, WORKERS, pids);
    for (int i = 0; i < WORKERS; i++)
        check(kill((pid_t)pids[i], 0) == 0 && pids[i] != getpid());
    check(census_group_processes() == processes_before + 1 + WORKERS);
    end_pool(pool);
    check(census_group_processes() == processes_before);
    mp_barrier_destroy(meeting);
}

/* Python takes None for this, and refuses 0. */
static void test_a_pool_of_the_default_size(void **state)
{
    (void)state;
    int n = mp_process_cpu_count();
    int64_t *pids = malloc((size_t)n * sizeof *pids);
    new_meeting(n);
    int processes_before = census_group_processes();
    mp_pool *pool = new_pool(0);
    pids_of_workers(pool, n, pids);
    check(census_group_processes() == processes_before + 1 + n);
    end_pool(pool);
    mp_barrier_destroy(meeting);
    free(pids);
}

static int tell_and_sleep(mp_obj seconds, mp_obj *result)
{
    double length;
    (void)result;
    assert_mp_result(mp_obj_as_float(seconds, &length), 0);
    assert_mp_result(mp_semaphore_release(begun), 0);
    mp_sleep(length);
    return 0;
}

/* In CPython such results never get ready. */
static void test_terminate(void **state)
{
    (void)state;
    enum { TASKS = 10000, WORKERS = 4 };
    begun = new_semaphore();
    mp_pool *pool = new_pool(WORKERS);
    mp_async_result *result;
    static mp_obj seconds[TASKS];
    static int status[TASKS];
    const mp_map_options options = {.chunksize = 1, .status = status};
    mp_obj results;
    for (int i = 0; i < TASKS; i++)
        seconds[i] = MP(1000);
    assert_mp_result(
        mp_pool_map_async(pool, tell_and_sleep, mp_obj_list(seconds, TASKS), &result, &options), 0);
    for (int i = 0; i < WORKERS; i++)
        take(begun);
    double start = clock_seconds();
    assert_mp_result(mp_pool_terminate(pool), 0);
    assert_mp_result(mp_pool_join(pool, MP_FOREVER), 0);
    check(clock_seconds() - start < 10);
    assert_mp_result(mp_pool_terminate(pool), 0);
    int first_error = mp_async_result_get(result, &results, MP_FOREVER), died = 0;
    assert_mp_error(status[0], first_error);
    check(results.len == TASKS);
    for (int i = 0; i < TASKS; i++) {
        died += status[i] == MP_EDIED;
        check(status[i] == MP_EDIED || status[i] == MP_ECANCELLED);
        check(results.items[i].type == MP_TYPE_NONE);
    }
    check(died == WORKERS);
    mp_obj_free(&results);
    mp_async_result_destroy(result);
    mp_pool_destroy(pool);
    mp_semaphore_destroy(begun);
}

static int refuse_to_end(mp_obj arg, mp_obj *result)
{
    (void)signal(SIGTERM, SIG_IGN);
    return tell_and_sleep(arg, result);
}

static void test_terminate_of_workers_that_go_on(void **state)
{
    (void)state;
    begun = new_semaphore();
    mp_pool *pool = new_pool(2);
    mp_async_result *result;
    assert_mp_result(mp_pool_apply_async(pool, refuse_to_end, MP(1000), &result, NULL), 0);
    take(begun);
    double start = clock_seconds();
    assert_mp_result(mp_pool_terminate(pool), 0);
    check(clock_seconds() - start < 15);
    assert_mp_error(mp_async_result_get(result, NULL, MP_NOWAIT), MP_EDIED);
    mp_async_result_destroy(result);
    mp_pool_destroy(pool);
    mp_semaphore_destroy(begun);
}

static int no_items(void *context, mp_obj *item)
{
    (void)context;
    (void)item;
    return 0;
}

static void iterates_nothing(mp_imap *iterator)
{
    assert_mp_result(mp_imap_next(iterator, NULL, MP_FOREVER), 0);
    mp_imap_destroy(iterator);
}

static void test_empty_iterable(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(1);
    const mp_obj empty[] = {MP_EMPTY_LIST, MP_EMPTY_TUPLE, MP_EMPTY_DICT,
                            MP_EMPTY_SET,  MP(""),         MP_BYTES("", 0)};
    mp_imap *iterator;
    mp_async_result *result;
    mp_obj results;
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++) {
        assert_mp_result(mp_pool_map(pool, sqr, empty[i], &results, NULL), 0);
        check(mp_obj_equal(results, MP_EMPTY_LIST));
        mp_obj_free(&results);
        assert_mp_result(mp_pool_map_async(pool, sqr, empty[i], &result, NULL), 0);
        assert_mp_result(mp_async_result_get(result, &results, MP_FOREVER), 0);
        check(mp_obj_equal(results, MP_EMPTY_LIST));
        mp_obj_free(&results);
        mp_async_result_destroy(result);
        assert_mp_result(mp_pool_imap(pool, sqr, empty[i], &iterator, NULL), 0);
        iterates_nothing(iterator);
        assert_mp_result(mp_pool_imap_unordered(pool, sqr, empty[i], &iterator, NULL), 0);
        iterates_nothing(iterator);
    }
    assert_mp_result(mp_pool_imap_from(pool, sqr, no_items, NULL, &iterator, NULL), 0);
    iterates_nothing(iterator);
    assert_mp_result(mp_pool_imap_unordered_from(pool, sqr, no_items, NULL, &iterator, NULL), 0);
    iterates_nothing(iterator);
    end_pool(pool);
}

static int first_square_within(mp_pool *pool)
{
    MP_WITH_POOL(pool) {
        mp_obj value;
        assert_mp_result(mp_pool_apply(pool, sqr, MP(3), &value), 0);
        return (int)owned_int(&value);
    }
    return -1;
}

static int never(const void *item, void *result, void *context)
{
    (void)item;
    (void)result;
    (void)context;
    check(false);
    return 0;
}

static void nothing_can_be_handed_in(mp_pool *pool)
{
    mp_obj results = MP(1);
    mp_async_result *result;
    mp_imap *iterator;
    int item = 1;
    assert_mp_error(mp_pool_apply(pool, sqr, MP(1), NULL), MP_ESTATE);
    assert_mp_error(mp_pool_apply_async(pool, sqr, MP(1), &result, NULL), MP_ESTATE);
    assert_mp_error(mp_pool_map(pool, sqr, MP_LIST(1), &results, NULL), MP_ESTATE);
    check(results.type == MP_TYPE_NONE);
    assert_mp_error(mp_pool_map_async(pool, sqr, MP_LIST(1), &result, NULL), MP_ESTATE);
    assert_mp_error(mp_pool_imap(pool, sqr, MP_LIST(1), &iterator, NULL), MP_ESTATE);
    assert_mp_error(mp_pool_imap_unordered(pool, sqr, MP_LIST(1), &iterator, NULL), MP_ESTATE);
    assert_mp_error(mp_pool_imap_from(pool, sqr, no_items, NULL, &iterator, NULL), MP_ESTATE);
    assert_mp_error(mp_pool_imap_unordered_from(pool, sqr, no_items, NULL, &iterator, NULL),
                    MP_ESTATE);
    assert_mp_error(mp_pool_map_array(pool, never, &item, 1, sizeof item, NULL, 0, NULL),
                    MP_ESTATE);
}

static void test_context(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(2);
    mp_async_result *result;
    mp_obj items = range(10), results;
    MP_WITH_POOL(pool) {
        assert_mp_result(mp_pool_map_async(pool, sqr, items, &result, NULL), 0);
        assert_mp_result(mp_async_result_get(result, &results, MP_FOREVER), 0);
        take_squares(&results, 10);
    }
    assert_mp_result(mp_pool_join(pool, MP_FOREVER), 0);
    nothing_can_be_handed_in(pool);
    assert_mp_result(mp_async_result_get(result, &results, MP_NOWAIT), 0);
    take_squares(&results, 10);
    mp_async_result_destroy(result);
    mp_pool_destroy(pool);
    mp_obj_free(&items);

    pool = new_pool(1);
    check(first_square_within(pool) == 9);
    nothing_can_be_handed_in(pool);
    mp_pool_destroy(pool);
}

static void test_close(void **state)
{
    (void)state;
    enum { TASKS = 20 };
    go = new_event();
    mp_pool *pool = new_pool(2);
    mp_async_result *results[TASKS];
    assert_mp_error(mp_pool_join(pool, MP_FOREVER), MP_ESTATE);
    assert_mp_error(mp_pool_join(pool, MP_NOWAIT), MP_ESTATE);
    for (int i = 0; i < TASKS; i++)
        assert_mp_result(mp_pool_apply_async(pool, sqr_once_told, MP(i), &results[i], NULL), 0);
    assert_mp_result(mp_pool_close(pool), 0);
    nothing_can_be_handed_in(pool);
    assert_mp_error(mp_pool_join(pool, 0.01), MP_ETIMEOUT);
    assert_mp_error(mp_pool_join(pool, MP_NOWAIT), MP_ETIMEOUT);
    assert_mp_result(mp_pool_close(pool), 0);
    assert_mp_result(mp_event_set(go), 0);
    assert_mp_result(mp_pool_join(pool, MP_FOREVER), 0);
    assert_mp_result(mp_pool_join(pool, MP_NOWAIT), 0);
    assert_mp_result(mp_pool_terminate(pool), 0);
    assert_mp_result(mp_pool_close(pool), 0);
    mp_pool_destroy(pool);
    for (int i = 0; i < TASKS; i++) {
        mp_obj value;
        assert_mp_result(mp_async_result_get(results[i], &value, MP_NOWAIT), 0);
        check(owned_int(&value) == i * i);
        mp_async_result_destroy(results[i]);
    }
    mp_event_destroy(go);
}

/* The second `with` ends this process. */
static int enter_what_was_terminated(void *file)
{
    check(dup2(fileno((FILE *)file), STDERR_FILENO) == STDERR_FILENO);
    mp_pool *pool = new_pool(1);
    MP_WITH_POOL(pool) {
        assert_mp_result(mp_pool_terminate(pool), 0);
    }
    MP_WITH_POOL(pool) {
        return 2;
    }
    return 3;
}

static void test_enter(void **state)
{
    (void)state;
    FILE *file = nameless_file();
    char text[1024];
    check(child_wait(child_fork(enter_what_was_terminated, file)) == 1);
    read_file(file, text, sizeof text);
    check(strstr(text, "parity_pool_end.c") != NULL && strstr(text, "pool") != NULL);
    check(strstr(text, mp_strerror(MP_ESTATE)) != NULL);
    check(fclose(file) == 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("TestPool.test_make_pool: so many workers; ValueError for a negative number",
                     test_make_pool),
        support_test("TestPool.test_make_pool: a worker for each processor by default",
                     test_a_pool_of_the_default_size),
        support_test("TestPool.test_terminate: 10000 tasks that sleep are ended at once",
                     test_terminate),
        support_test("TestPool.test_terminate: workers that ignore SIGTERM end too",
                     test_terminate_of_workers_that_go_on),
        support_test("TestPool.test_empty_iterable: nothing in, nothing out, in all forms",
                     test_empty_iterable),
        support_test("TestPool.test_context: its end terminates; then ValueError", test_context),
        support_test("TestPool.test_enter: a pool that was terminated cannot be entered",
                     test_enter),
        support_test("Pool.close: what was handed in is done, then join returns; ValueError for "
                     "join before close",
                     test_close),
    };
    return support_run_processes("TestPool.end", tests);
}
