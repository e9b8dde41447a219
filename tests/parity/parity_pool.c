/* Python's TestPool: apply, map, starmap and their results to come. */
#include "parity_pool_kit.h"

#include <string.h>

static void test_apply(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(4);
    mp_obj result;
    assert_mp_result(mp_pool_apply(pool, sqr, MP(5), &result), 0);
    check(owned_int(&result) == 25);
    assert_mp_result(mp_pool_apply(pool, sqr, MP_TUPLE(3, 0.01), &result), 0);
    check(owned_int(&result) == 9);
    assert_mp_result(mp_pool_apply(pool, identity, MP_LIST(1, "two", MP_NONE), &result), 0);
    check(mp_obj_equal(result, MP_LIST(1, "two", MP_NONE)));
    mp_obj_free(&result);
    assert_mp_result(mp_pool_apply(pool, sqr, MP(5), NULL), 0);
    end_pool(pool);
}

static void map_squares(mp_pool *pool, int64_t n, size_t chunksize)
{
    mp_obj items = range(n), results;
    const mp_map_options options = {.chunksize = chunksize};
    assert_mp_result(mp_pool_map(pool, sqr, items, &results, &options), 0);
    take_squares(&results, (size_t)n);
    mp_obj_free(&items);
}

static void test_map(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(4);
    map_squares(pool, 10, 0);
    map_squares(pool, 100, 20);
    map_squares(pool, 100, 7);
    map_squares(pool, 100, 1000);
    map_squares(pool, 3, SIZE_MAX);
    assert_mp_result(mp_pool_map(pool, sqr, MP_LIST(1, 2), NULL, NULL), 0);
    end_pool(pool);
}

static void map_gives_itself_as(mp_pool *pool, mp_obj iterable, mp_obj list)
{
    mp_obj results;
    assert_mp_result(mp_pool_map(pool, identity, iterable, &results, NULL), 0);
    check(mp_obj_equal(results, list));
    mp_obj_free(&results);
}

static void test_map_over_everything_that_iterates(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(2);
    map_gives_itself_as(pool, MP_TUPLE("x", 2, 3.5), MP_LIST("x", 2, 3.5));
    map_gives_itself_as(pool, MP_DICT("key", 1, "other", 2), MP_LIST("key", "other"));
    map_gives_itself_as(pool, MP_SET(7), MP_LIST(7));
    map_gives_itself_as(pool, MP("a\u00e9\u20ac"), MP_LIST("a", "\u00e9", "\u20ac"));
    map_gives_itself_as(pool, MP_BYTES("a\xff", 2), MP_LIST(97, 255));
    end_pool(pool);
}

static void take_products(mp_obj *list, int64_t n)
{
    check(list->type == MP_TYPE_LIST && list->len == (size_t)n);
    for (int64_t i = 0; i < n; i++)
        check(mp_obj_equal(list->items[i], MP(i * (n - 1 - i))));
    mp_obj_free(list);
}

/* zip(range(n), range(n - 1, -1, -1)), n at most 100. */
static mp_obj pairs(int64_t n)
{
    mp_obj numbers[200], tuples[100], list;
    for (int64_t i = 0; i < n; i++) {
        numbers[2 * i] = MP(i);
        numbers[2 * i + 1] = MP(n - 1 - i);
        tuples[i] = mp_obj_tuple(&numbers[2 * i], 2);
    }
    assert_mp_result(mp_obj_copy(mp_obj_list(tuples, (size_t)n), &list), 0);
    return list;
}

static void test_starmap(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(4);
    mp_obj ten = pairs(10), hundred = pairs(100), results;
    assert_mp_result(mp_pool_map(pool, mul, ten, &results, NULL), 0);
    take_products(&results, 10);
    const mp_map_options twenty = {.chunksize = 20};
    assert_mp_result(mp_pool_map(pool, mul, hundred, &results, &twenty), 0);
    take_products(&results, 100);
    mp_obj_free(&ten);
    mp_obj_free(&hundred);
    end_pool(pool);
}

static void test_starmap_async(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(4);
    mp_async_result *result;
    mp_obj items = pairs(100), results;
    assert_mp_result(mp_pool_map_async(pool, mul, items, &result, NULL), 0);
    mp_obj_free(&items);
    assert_mp_result(mp_async_result_get(result, &results, MP_FOREVER), 0);
    take_products(&results, 100);
    mp_async_result_destroy(result);
    end_pool(pool);
}

static void test_map_async(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(4);
    mp_async_result *result;
    mp_obj items = range(10), results, again;
    assert_mp_result(mp_pool_map_async(pool, sqr, items, &result, NULL), 0);
    mp_obj_free(&items);
    assert_mp_result(mp_async_result_get(result, &results, MP_FOREVER), 0);
    assert_mp_result(mp_async_result_get(result, &again, MP_NOWAIT), 0);
    take_squares(&results, 10);
    take_squares(&again, 10);
    check(mp_async_result_ready(result));
    assert_mp_result(mp_async_result_successful(result), 1);
    mp_async_result_destroy(result);
    end_pool(pool);
}

static void test_map_chunksize(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(4);
    mp_async_result *result;
    mp_obj results;
    const mp_map_options options = {.chunksize = 1};
    assert_mp_result(mp_pool_map_async(pool, sqr, MP_EMPTY_LIST, &result, &options), 0);
    assert_mp_result(mp_async_result_get(result, &results, 5.0), 0);
    check(mp_obj_equal(results, MP_EMPTY_LIST));
    mp_obj_free(&results);
    mp_async_result_destroy(result);
    end_pool(pool);
}

/* CPython runs nothing for a chunksize of 0. */
static void test_chunks_stay_together(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(4);
    mp_obj items = range(100), pids;
    const mp_map_options options = {.chunksize = 20};
    assert_mp_result(mp_pool_map(pool, give_pid, items, &pids, &options), 0);
    check(pids.len == 100);
    for (size_t i = 0; i < 100; i++)
        check(mp_obj_equal(pids.items[i], pids.items[i / 20 * 20]));
    mp_obj_free(&pids);
    mp_obj_free(&items);
    map_squares(pool, 1000, 0);
    end_pool(pool);
}

/* A map reads its whole input before anything runs: what cannot be handed in is told at once. */
static void test_map_handle_iterable_exception(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(4);
    mp_obj items[10], results;
    mp_async_result *result;
    const mp_map_options options = {.chunksize = 2};
    static const size_t places[] = {0, 0, 3, 4, 9};
    for (size_t p = 0; p < sizeof places / sizeof *places; p++) {
        for (size_t i = 0; i < 10; i++)
            items[i] = i == places[p] ? MP(UINT64_MAX) : MP(i);
        results = MP(1);
        assert_mp_error(mp_pool_map(pool, sqr, mp_obj_list(items, 10), &results, &options),
                        MP_EOVERFLOW);
        check(results.type == MP_TYPE_NONE);
        assert_mp_error(mp_pool_map_async(pool, sqr, mp_obj_list(items, 10), &result, &options),
                        MP_EOVERFLOW);
    }
    results = MP(1);
    assert_mp_error(mp_pool_map(pool, sqr, MP(5), &results, NULL), MP_ETYPE);
    check(results.type == MP_TYPE_NONE);
    assert_mp_error(mp_pool_map_async(pool, sqr, MP_NONE, &result, NULL), MP_ETYPE);
    map_squares(pool, 100, 20);
    end_pool(pool);
}

static void test_async(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(4);
    mp_async_result *result;
    mp_obj value;
    double start = clock_seconds();
    assert_mp_result(mp_pool_apply_async(pool, sqr, MP_TUPLE(7, 0.3), &result, NULL), 0);
    assert_mp_result(mp_async_result_get(result, &value, MP_FOREVER), 0);
    check(owned_int(&value) == 49);
    check(clock_seconds() - start >= 0.3);
    mp_async_result_destroy(result);
    end_pool(pool);
}

static void test_async_timeout(void **state)
{
    (void)state;
    go = new_event();
    mp_pool *pool = new_pool(4);
    mp_async_result *result;
    mp_obj value = MP("untouched");
    assert_mp_result(mp_pool_apply_async(pool, sqr_once_told, MP(6), &result, NULL), 0);
    double start = clock_seconds();
    assert_mp_error(mp_async_result_get(result, &value, 0.2), MP_ETIMEOUT);
    check(clock_seconds() - start >= 0.2);
    assert_mp_error(mp_async_result_get(result, &value, MP_NOWAIT), MP_ETIMEOUT);
    assert_mp_error(mp_async_result_get(result, &value, -1.0), MP_ETIMEOUT);
    assert_mp_error(mp_async_result_wait(result, 0.01), MP_ETIMEOUT);
    check(mp_obj_equal(value, MP("untouched")));
    check(!mp_async_result_ready(result));
    assert_mp_result(mp_event_set(go), 0);
    assert_mp_result(mp_async_result_get(result, &value, MP_FOREVER), 0);
    check(owned_int(&value) == 36);
    mp_async_result_destroy(result);
    end_pool(pool);
    mp_event_destroy(go);
}

static void test_successful_before_ready(void **state)
{
    (void)state;
    go = new_event();
    mp_pool *pool = new_pool(1);
    mp_async_result *fine, *failed;
    assert_mp_result(mp_pool_apply_async(pool, sqr_once_told, MP(6), &fine, NULL), 0);
    assert_mp_result(mp_pool_apply_async(pool, raise_foo, MP_NONE, &failed, NULL), 0);
    assert_mp_error(mp_async_result_successful(fine), MP_ESTATE);
    assert_mp_error(mp_async_result_successful(failed), MP_ESTATE);
    assert_mp_result(mp_event_set(go), 0);
    assert_mp_result(mp_async_result_wait(fine, MP_FOREVER), 0);
    assert_mp_result(mp_async_result_wait(failed, MP_FOREVER), 0);
    assert_mp_result(mp_async_result_successful(fine), 1);
    assert_mp_result(mp_async_result_successful(failed), 0);
    mp_async_result_destroy(fine);
    mp_async_result_destroy(failed);
    end_pool(pool);
    mp_event_destroy(go);
}

static void test_wrapped_exception(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(1);
    mp_async_result *result;
    mp_obj value = MP(1);
    assert_mp_error(mp_pool_apply(pool, raise_foo, MP_NONE, &value), MP_ETASK);
    check(mp_error_code() == RAISED);
    check_detail("foo");
    assert_mp_result(mp_pool_apply_async(pool, raise_foo, MP_NONE, &result, NULL), 0);
    for (int time = 0; time < 2; time++) {
        assert_mp_error(mp_async_result_get(result, NULL, MP_FOREVER), MP_ETASK);
        check(mp_error_code() == RAISED);
        check_detail("foo");
    }
    mp_async_result_destroy(result);
    end_pool(pool);
}

static mp_semaphore *done;

static int fail_after_a_while(mp_obj seconds, mp_obj *result)
{
    (void)result;
    double length;
    assert_mp_result(mp_obj_as_float(seconds, &length), 0);
    mp_sleep(length);
    assert_mp_result(mp_semaphore_release(done), 0);
    return mp_task_fail(RAISED, "foo %g", length);
}

static void test_map_no_failfast(void **state)
{
    (void)state;
    done = new_semaphore();
    mp_pool *pool = new_pool(2);
    mp_obj results;
    double start = clock_seconds();
    assert_mp_error(
        mp_pool_map(pool, fail_after_a_while, MP_LIST(0.25, 0.0, 0.5, 1.0), &results, NULL),
        MP_ETASK);
    check(clock_seconds() - start >= 0.9);
    check_detail("foo 0.25"); /* the first of the items, not the first to fail as in Python */
    check(mp_semaphore_get_value(done) == 4);
    check(mp_obj_equal(results, MP_LIST(MP_NONE, MP_NONE, MP_NONE, MP_NONE)));
    mp_obj_free(&results);
    end_pool(pool);
    mp_semaphore_destroy(done);
}

static int give_a_mebibyte_or_fail(mp_obj arg, mp_obj *result)
{
    static char text[1 << 20];
    int64_t i;
    assert_mp_result(mp_obj_as_int(arg, &i), 0);
    if (i == 3)
        return mp_task_fail(RAISED, "foo");
    memset(text, 'a' + (int)i, sizeof text);
    return mp_task_return(result, MP_STRN(text, sizeof text));
}

static void test_join_after_a_failure_among_large_results(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(2);
    mp_async_result *result;
    mp_obj items = range(8), results;
    int status[8];
    const mp_map_options options = {.status = status};
    assert_mp_result(mp_pool_map_async(pool, give_a_mebibyte_or_fail, items, &result, &options), 0);
    end_pool(pool);
    assert_mp_error(mp_async_result_get(result, &results, MP_FOREVER), MP_ETASK);
    check(results.type == MP_TYPE_LIST && results.len == 8);
    for (size_t i = 0; i < 8; i++) {
        const mp_obj *o = &results.items[i];
        assert_mp_result(status[i], i == 3 ? MP_ETASK : 0);
        if (i == 3)
            check(o->type == MP_TYPE_NONE);
        else
            check(o->len == 1 << 20 && o->s[0] == (char)('a' + i) && o->s[o->len - 1] == o->s[0]);
    }
    mp_obj_free(&results);
    mp_obj_free(&items);
    mp_async_result_destroy(result);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("TestPool.test_apply: one task, one result", test_apply),
        support_test("TestPool.test_map: results come in the order of the items, whatever the "
                     "chunks",
                     test_map),
        support_test("TestPool.test_map: tuples, the keys of dicts, sets, str and bytes iterate",
                     test_map_over_everything_that_iterates),
        support_test("TestPool.test_starmap: tasks unpack their tuples", test_starmap),
        support_test("TestPool.test_starmap_async: the same without waiting", test_starmap_async),
        support_test("TestPool.test_map_async: its get gives the list, each time", test_map_async),
        support_test("TestPool.test_map_chunksize: no items in chunks of one complete",
                     test_map_chunksize),
        support_test("TestPool.test_map_chunksize: a chunk is one worker's; 0 runs all items",
                     test_chunks_stay_together),
        support_test("TestPool.test_map_handle_iterable_exception: an input that cannot be handed "
                     "in runs nothing and stops nothing",
                     test_map_handle_iterable_exception),
        support_test("TestPool.test_async: get waits for the task", test_async),
        support_test("TestPool.test_async_timeout: get gives up, and the task goes on",
                     test_async_timeout),
        support_test("AsyncResult.successful: ValueError before it is ready",
                     test_successful_before_ready),
        support_test("TestPool.test_wrapped_exception: the task's own code and text arrive",
                     test_wrapped_exception),
        support_test("TestPool.test_map_no_failfast: a failing item does not stop the others",
                     test_map_no_failfast),
        support_test("TestPool.test_map_no_failfast: join after a failure among results of 1 MiB",
                     test_join_after_a_failure_among_large_results),
    };
    return support_run_processes("TestPool", tests);
}
