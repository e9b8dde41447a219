/* Python's TestPool and TestPoolWorkerErrors: callbacks, and errors that reach them. */
#include "parity_pool_kit.h"

#include <string.h>

/* What callbacks were told; read after the result is ready. */
struct record {
    int results, errors;
    int64_t value;
    int code;
    char detail[128];
};

static void note_result(mp_obj result, void *arg)
{
    struct record *record = arg;
    record->results++;
    if (result.type == MP_TYPE_LIST) {
        check(result.len == 1);
        result = result.items[0];
    }
    assert_mp_result(mp_obj_as_int(result, &record->value), 0);
}

static void note_error(int code, const char *detail, void *arg)
{
    struct record *record = arg;
    record->errors++;
    record->code = code;
    (void)snprintf(record->detail, sizeof record->detail, "%s", detail);
}

static void test_map_async_callbacks(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(4);
    mp_async_result *result;
    struct record record = {0};
    const mp_map_options options = {
        .callback = note_result, .error_callback = note_error, .callback_arg = &record};
    assert_mp_result(mp_pool_map_async(pool, to_int, MP_LIST("1"), &result, &options), 0);
    assert_mp_result(mp_async_result_wait(result, MP_FOREVER), 0);
    mp_async_result_destroy(result);
    check(record.results == 1 && record.errors == 0 && record.value == 1);

    assert_mp_result(mp_pool_map_async(pool, to_int, MP_LIST("a"), &result, &options), 0);
    assert_mp_result(mp_async_result_wait(result, MP_FOREVER), 0);
    mp_async_result_destroy(result);
    check(record.results == 1 && record.errors == 1 && record.code == MP_ETASK);
    check(strstr(record.detail, "invalid literal") != NULL);

    /* the first in the order of the items, once */
    assert_mp_result(mp_pool_map_async(pool, to_int, MP_LIST("1", "b", "c"), &result, &options), 0);
    assert_mp_result(mp_async_result_wait(result, MP_FOREVER), 0);
    mp_async_result_destroy(result);
    check(record.results == 1 && record.errors == 2 && strstr(record.detail, "'b'") != NULL);
    end_pool(pool);
    check(record.results == 1 && record.errors == 2);
}

static void test_async_callbacks(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(2);
    mp_async_result *results[100];
    struct record records[100] = {{0}}, dropped = {0};
    mp_task_options options = {
        .callback = note_result, .error_callback = note_error, .callback_arg = &dropped};
    assert_mp_result(mp_pool_apply_async(pool, sqr, MP(9), NULL, &options), 0);
    for (int i = 0; i < 100; i++) {
        options.callback_arg = &records[i];
        assert_mp_result(mp_pool_apply_async(pool, sqr, MP(i), &results[i], &options), 0);
    }
    for (int i = 0; i < 100; i++) {
        mp_obj value;
        assert_mp_result(mp_async_result_get(results[i], &value, MP_FOREVER), 0);
        check(owned_int(&value) == i * i);
        check(records[i].results == 1 && records[i].value == i * i);
        mp_async_result_destroy(results[i]);
    }
    end_pool(pool);
    for (int i = 0; i < 100; i++)
        check(records[i].results == 1 && records[i].errors == 0);
    check(dropped.results == 1 && dropped.value == 81);
}

static void test_async_error_callback(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(2);
    mp_async_result *result;
    struct record record = {0};
    const mp_task_options options = {.error_callback = note_error, .callback_arg = &record};
    assert_mp_result(mp_pool_apply_async(pool, raise_foo, MP_NONE, &result, &options), 0);
    assert_mp_error(mp_async_result_get(result, NULL, MP_FOREVER), MP_ETASK);
    check(mp_error_code() == RAISED);
    check(record.errors == 1 && record.code == MP_ETASK);
    check(strstr(record.detail, "foo") != NULL);
    mp_async_result_destroy(result);
    end_pool(pool);
    check(record.errors == 1);
}

static int give_what_no_pickle_holds(mp_obj arg, mp_obj *result)
{
    int64_t which;
    assert_mp_result(mp_obj_as_int(arg, &which), 0);
    if (which == 0)
        return mp_task_return(result, MP_SET(MP_LIST(1)));
    if (which == 1)
        return mp_task_return(result, MP_LIST("fine", "\xff"));
    *result = MP(UINT64_MAX);
    return 0;
}

static void test_unpickleable_result(void **state)
{
    (void)state;
    static const int codes[] = {MP_ETYPE, MP_EPICKLE, MP_EOVERFLOW};
    mp_pool *pool = new_pool(1);
    mp_obj pid;
    assert_mp_result(mp_pool_apply(pool, give_pid, MP_NONE, &pid), 0);
    int64_t first = owned_int(&pid);
    for (int i = 0; i < 20; i++) {
        mp_async_result *result;
        struct record record = {0};
        const mp_task_options options = {.error_callback = note_error, .callback_arg = &record};
        assert_mp_result(
            mp_pool_apply_async(pool, give_what_no_pickle_holds, MP(i % 3), &result, &options), 0);
        assert_mp_error(mp_async_result_get(result, NULL, MP_FOREVER), codes[i % 3]);
        check(record.errors == 1 && record.code == codes[i % 3]);
        mp_async_result_destroy(result);
    }
    assert_mp_result(mp_pool_apply(pool, give_pid, MP_NONE, &pid), 0);
    check(owned_int(&pid) == first);
    end_pool(pool);
}

struct look {
    mp_pool *pool;
    mp_async_result *result, *earlier;
    int times;
};

/* What is refused on the helper thread has not been handed in. */
static int never(mp_obj arg, mp_obj *result)
{
    (void)arg;
    (void)result;
    check(false);
    return 0;
}

static void find_it_not_ready(mp_obj value, void *arg)
{
    struct look *look = arg;
    mp_obj squares = MP(1);
    check(mp_obj_equal(value, MP(49)));
    check(!mp_async_result_ready(look->result));
    assert_mp_error(mp_async_result_successful(look->result), MP_ESTATE);
    assert_mp_error(mp_async_result_get(look->result, NULL, MP_FOREVER), MP_ESTATE);
    assert_mp_error(mp_async_result_wait(look->result, MP_FOREVER), MP_ESTATE);
    assert_mp_error(mp_pool_apply(look->pool, never, MP(2), NULL), MP_ESTATE);
    assert_mp_error(mp_pool_map(look->pool, never, MP_LIST(2), &squares, NULL), MP_ESTATE);
    check(squares.type == MP_TYPE_NONE);
    assert_mp_error(mp_pool_join(look->pool, MP_FOREVER), MP_ESTATE);
    assert_mp_result(mp_async_result_get(look->earlier, NULL, MP_FOREVER), 0);
    look->times++;
}

static void test_callbacks_run_before_ready(void **state)
{
    (void)state;
    go = new_event();
    mp_pool *pool = new_pool(2);
    struct look look = {.pool = pool};
    const mp_task_options options = {.callback = find_it_not_ready, .callback_arg = &look};
    assert_mp_result(mp_pool_apply_async(pool, sqr, MP(1), &look.earlier, NULL), 0);
    assert_mp_result(mp_async_result_wait(look.earlier, MP_FOREVER), 0);
    assert_mp_result(mp_pool_apply_async(pool, sqr_once_told, MP(7), &look.result, &options), 0);
    assert_mp_result(mp_event_set(go), 0);
    assert_mp_result(mp_async_result_wait(look.result, MP_FOREVER), 0);
    check(look.times == 1);
    assert_mp_result(mp_async_result_successful(look.result), 1);
    mp_async_result_destroy(look.result);
    mp_async_result_destroy(look.earlier);
    end_pool(pool);
    mp_event_destroy(go);
}

static void wait_to_be_told(mp_obj value, void *arg)
{
    assert_mp_result(mp_event_wait(go, MP_FOREVER), 0);
    note_result(value, arg);
}

/* In CPython nothing at all gets ready while a callback runs. */
static void test_a_callback_that_hangs(void **state)
{
    (void)state;
    go = new_event();
    mp_pool *pool = new_pool(2);
    mp_async_result *slow, *later;
    struct record records[2] = {{0}};
    mp_task_options options = {.callback = wait_to_be_told, .callback_arg = &records[0]};
    mp_obj value;
    assert_mp_result(mp_pool_apply_async(pool, sqr, MP(1), &slow, &options), 0);
    options = (mp_task_options){.callback = note_result, .callback_arg = &records[1]};
    assert_mp_result(mp_pool_apply_async(pool, sqr, MP(2), &later, &options), 0);
    for (int64_t i = 0; i < 10; i++) {
        assert_mp_result(mp_pool_apply(pool, sqr, MP(i), &value), 0);
        check(owned_int(&value) == i * i);
    }
    check(!mp_async_result_ready(slow));
    assert_mp_error(mp_async_result_get(slow, NULL, 0.05), MP_ETIMEOUT);
    assert_mp_result(mp_event_set(go), 0);
    assert_mp_result(mp_async_result_wait(slow, MP_FOREVER), 0);
    assert_mp_result(mp_async_result_wait(later, MP_FOREVER), 0);
    check(records[0].results == 1 && records[1].results == 1);
    mp_async_result_destroy(slow);
    mp_async_result_destroy(later);
    end_pool(pool);
    mp_event_destroy(go);
}

struct chain {
    mp_pool *pool;
    mp_semaphore *ended;
    int refusals;
    int64_t left;
};

/* Fails in what it calls, then hands in the next task. */
static void fail_and_go_on(mp_obj value, void *arg)
{
    struct chain *chain = arg;
    (void)value;
    chain->refusals += mp_pool_join(chain->pool, MP_FOREVER) == MP_ESTATE;
    chain->refusals += mp_pool_map(chain->pool, sqr, MP(5), NULL, NULL) < 0;
    if (chain->left-- == 0) {
        assert_mp_result(mp_semaphore_release(chain->ended), 0);
        return;
    }
    const mp_task_options options = {.callback = fail_and_go_on, .callback_arg = chain};
    assert_mp_result(mp_pool_apply_async(chain->pool, sqr, MP(chain->left), NULL, &options), 0);
}

/* CPython's result thread ends with a callback that raises, and every later get hangs. */
static void test_a_callback_in_which_calls_fail(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(2);
    struct chain chain = {.pool = pool, .ended = new_semaphore(), .left = 20};
    const mp_task_options options = {.callback = fail_and_go_on, .callback_arg = &chain};
    assert_mp_result(mp_pool_apply_async(pool, sqr, MP(1), NULL, &options), 0);
    take(chain.ended);
    check(chain.refusals == 2 * 21);
    mp_obj value;
    assert_mp_result(mp_pool_apply(pool, sqr, MP(4), &value), 0);
    check(owned_int(&value) == 16);
    end_pool(pool);
    mp_semaphore_destroy(chain.ended);
}

static void terminate_it(mp_obj value, void *arg)
{
    (void)value;
    assert_mp_result(mp_pool_terminate(arg), 0);
}

static void test_a_callback_that_terminates(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(2);
    mp_async_result *endless, *result;
    mp_obj value;
    const mp_task_options options = {.callback = terminate_it, .callback_arg = pool};
    assert_mp_result(mp_pool_apply_async(pool, sqr, MP_TUPLE(1, 1e6), &endless, NULL), 0);
    assert_mp_result(mp_pool_apply_async(pool, sqr, MP(4), &result, &options), 0);
    assert_mp_result(mp_async_result_get(result, &value, MP_FOREVER), 0);
    check(owned_int(&value) == 16);
    assert_mp_result(mp_pool_join(pool, MP_FOREVER), 0);
    check(mp_async_result_get(endless, NULL, MP_FOREVER) < 0);
    mp_async_result_destroy(endless);
    mp_async_result_destroy(result);
    mp_pool_destroy(pool);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("TestPool.test_map_async_callbacks: one call, with the list or the error",
                     test_map_async_callbacks),
        support_test("AsyncResult: each callback runs once, for results nobody keeps too",
                     test_async_callbacks),
        support_test("TestPoolWorkerErrors.test_async_error_callback: the error arrives",
                     test_async_error_callback),
        support_test("TestPoolWorkerErrors.test_unpickleable_result: an error; the worker survives "
                     "20 of them",
                     test_unpickleable_result),
        support_test("AsyncResult: callbacks run before ready, and may not wait for the pool",
                     test_callbacks_run_before_ready),
        support_test("AsyncResult: a callback that hangs delays no result without one",
                     test_a_callback_that_hangs),
        support_test("AsyncResult: a callback in which calls fail stops nothing, and may hand in "
                     "the next task",
                     test_a_callback_in_which_calls_fail),
        support_test("AsyncResult: a callback may terminate the pool",
                     test_a_callback_that_terminates),
    };
    return support_run_processes("TestPool.callbacks", tests);
}
