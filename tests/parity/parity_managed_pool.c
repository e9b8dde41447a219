/* Python's TestPool on a managed Pool: tasks go by the names under which they were registered. */
#include "managers/managers_kit.h"
#include "parity.h"

#include <mp/mp.h>
#include <string.h>

/* ---- tasks ----------------------------------------------------------------------------------- */

/* x * x, of an item or of arguments (x,). */
static int sqr(mp_obj arg, mp_obj *result)
{
    int64_t x;
    if (mp_obj_unpack(arg, "q", &x) != 0)
        return mp_task_fail(1, "not a number");
    *result = MP(x * x);
    return 0;
}

/* The same of (x, seconds), after a sleep. */
static int sqr_later(mp_obj arg, mp_obj *result)
{
    int64_t x;
    double seconds;
    if (mp_obj_unpack(arg, "qd", &x, &seconds) != 0)
        return mp_task_fail(1, "not a number and a time");
    mp_sleep(seconds);
    *result = MP(x * x);
    return 0;
}

static int mul(mp_obj arg, mp_obj *result)
{
    int64_t x, y;
    if (mp_obj_unpack(arg, "qq", &x, &y) != 0)
        return mp_task_fail(1, "not two numbers");
    *result = MP(x * y);
    return 0;
}

static int identity(mp_obj arg, mp_obj *result)
{
    *result = arg;
    return 0;
}

static int raise_foo(mp_obj arg, mp_obj *result)
{
    (void)arg;
    (void)result;
    return mp_task_fail(33, "foo");
}

/* The odd ones fail; the even ones put themselves into the list of `seen`, made before the server. */
static mp_list *seen;

static int fail_if_odd(mp_obj arg, mp_obj *result)
{
    int64_t x;
    (void)result;
    if (mp_obj_as_int(arg, &x) != 0 || x % 2 != 0)
        return mp_task_fail(1, "odd");
    return mp_list_append(seen, arg);
}

static mp_manager *new_manager_with_tasks(void)
{
    static const struct {
        const char *name;
        mp_task *task;
    } tasks[] = {{"sqr", sqr},           {"sqr_later", sqr_later}, {"mul", mul},
                 {"identity", identity}, {"raise_foo", raise_foo}, {"fail_if_odd", fail_if_odd}};
    for (size_t i = 0; i < sizeof tasks / sizeof *tasks; i++)
        assert_mp_result(mp_manager_register_task(tasks[i].name, tasks[i].task), 0);
    return new_manager();
}

/* ---- pools ----------------------------------------------------------------------------------- */

struct stage {
    mp_manager *m;
    mp_proxy *pool;
};

static struct stage new_stage(int workers)
{
    struct stage stage = {.m = new_manager_with_tasks()};
    stage.pool = new_proxy(stage.m, "Pool", MP_TUPLE(workers));
    return stage;
}

static void end_stage(struct stage *stage)
{
    assert_call(stage->pool, "close", MP_NONE, MP_NONE);
    assert_call(stage->pool, "join", MP_NONE, MP_NONE);
    mp_proxy_destroy(stage->pool);
    end_empty_manager(stage->m);
}

/* The ints below n, at most 1000, and their squares. */
enum { MOST = 1000 };

static mp_obj range(int n)
{
    static mp_obj items[MOST];
    for (int i = 0; i < n; i++)
        items[i] = MP(i);
    return mp_obj_list(items, (size_t)n);
}

static mp_obj squares(int n)
{
    static mp_obj items[MOST];
    for (int i = 0; i < n; i++)
        items[i] = MP(i * i);
    return mp_obj_list(items, (size_t)n);
}

/* zip(range(n), range(n - 1, -1, -1)), and the products. */
static mp_obj pairs(int n)
{
    static mp_obj numbers[2 * MOST], tuples[MOST];
    for (int i = 0; i < n; i++) {
        numbers[2 * i] = MP(i);
        numbers[2 * i + 1] = MP(n - 1 - i);
        tuples[i] = mp_obj_tuple(&numbers[2 * i], 2);
    }
    return mp_obj_list(tuples, (size_t)n);
}

static mp_obj products(int n)
{
    static mp_obj items[MOST];
    for (int i = 0; i < n; i++)
        items[i] = MP(i * (n - 1 - i));
    return mp_obj_list(items, (size_t)n);
}

/* ---- results at once ------------------------------------------------------------------------- */

static void test_apply(void **state)
{
    (void)state;
    struct stage stage = new_stage(4);
    assert_call(stage.pool, "apply", MP_TUPLE("sqr", MP_TUPLE(5)), MP(25));
    assert_call(stage.pool, "apply", MP_TUPLE("sqr", MP_LIST(6)), MP(36));
    assert_call(stage.pool, "apply", MP_TUPLE("identity", MP_TUPLE(1, "two")), MP_TUPLE(1, "two"));
    assert_call(stage.pool, "apply", MP_TUPLE("identity"), MP_EMPTY_TUPLE);
    end_stage(&stage);
}

static void test_map(void **state)
{
    (void)state;
    struct stage stage = new_stage(4);
    assert_call(stage.pool, "map", MP_TUPLE("sqr", range(10)), squares(10));
    assert_call_with(stage.pool, "map", MP_TUPLE("sqr", range(100)), MP_DICT("chunksize", 20),
                     squares(100));
    assert_call(stage.pool, "map", MP_TUPLE("identity", MP_TUPLE("x", 2)), MP_LIST("x", 2));
    end_stage(&stage);
}

static void test_starmap(void **state)
{
    (void)state;
    struct stage stage = new_stage(4);
    assert_call(stage.pool, "starmap", MP_TUPLE("mul", pairs(10)), products(10));
    assert_call_with(stage.pool, "starmap", MP_TUPLE("mul", pairs(100)), MP_DICT("chunksize", 20),
                     products(100));
    end_stage(&stage);
}

/* ---- results to come ------------------------------------------------------------------------- */

static void result_is(mp_proxy *result, mp_obj expected)
{
    assert_call(result, "get", MP_NONE, expected);
    check(call_bool(result, "ready", MP_NONE));
    check(call_bool(result, "successful", MP_NONE));
    assert_call(result, "wait", MP_NONE, MP_NONE);
    assert_call_with(result, "get", MP_NONE, MP_DICT("timeout", 0), expected);
    mp_proxy_destroy(result);
}

static void test_map_async(void **state)
{
    (void)state;
    struct stage stage = new_stage(4);
    result_is(call_proxy(stage.pool, "map_async", MP_TUPLE("sqr", range(10))), squares(10));
    result_is(call_proxy(stage.pool, "starmap_async", MP_TUPLE("mul", pairs(100))), products(100));
    /* [] with a chunksize is done at once */
    result_is(call_proxy(stage.pool, "map_async", MP_TUPLE("sqr", MP_EMPTY_LIST, 1)),
              MP_EMPTY_LIST);
    end_stage(&stage);
}

static void test_async(void **state)
{
    (void)state;
    struct stage stage = new_stage(4);
    double start = clock_seconds();
    mp_proxy *result =
        call_proxy(stage.pool, "apply_async", MP_TUPLE("sqr_later", MP_TUPLE(7, 0.3)));
    check(strcmp(mp_proxy_typeid(result), "AsyncResult") == 0);
    result_is(result, MP(49));
    check(clock_seconds() - start >= 0.3);
    end_stage(&stage);
}

static void test_async_timeout(void **state)
{
    (void)state;
    struct stage stage = new_stage(3);
    mp_proxy *result =
        call_proxy(stage.pool, "apply_async", MP_TUPLE("sqr_later", MP_TUPLE(6, 10000)));
    double start = clock_seconds();
    assert_raises(result, "get", MP_TUPLE(0.2), MP_ETIMEOUT);
    assert_call(result, "wait", MP_TUPLE(0.2), MP_NONE);
    check(clock_seconds() - start >= 0.4);
    check(!call_bool(result, "ready", MP_NONE));
    assert_raises(result, "successful", MP_NONE, MP_EINVAL); /* "not ready" */
    assert_call(stage.pool, "terminate", MP_NONE, MP_NONE);
    mp_proxy_destroy(result);
    end_stage(&stage);
}

/* ---- iterators ------------------------------------------------------------------------------- */

static void iterate(mp_proxy *it, int n)
{
    for (int i = 0; i < n; i++)
        assert_call(it, "__next__", MP_NONE, MP(i * i));
    assert_raises(it, "__next__", MP_NONE, MP_EEOF);
    assert_raises(it, "__next__", MP_NONE, MP_EEOF);
    mp_proxy_destroy(it);
}

static void test_imap(void **state)
{
    (void)state;
    struct stage stage = new_stage(4);
    iterate(call_proxy(stage.pool, "imap", MP_TUPLE("sqr", range(10))), 10);
    iterate(call_proxy(stage.pool, "imap", MP_TUPLE("sqr", range(MOST), 100)), MOST);
    assert_raises(stage.pool, "imap", MP_TUPLE("sqr", range(10), 0), MP_EINVAL);
    end_stage(&stage);
}

static void iterate_in_any_order(mp_proxy *it, int n)
{
    bool came[MOST] = {false};
    for (int i = 0; i < n; i++) {
        int64_t square = call_int(it, "__next__", MP_NONE), root = 0;
        while (root * root < square)
            root++;
        check(root * root == square && root < n && !came[root]);
        came[root] = true;
    }
    assert_raises(it, "__next__", MP_NONE, MP_EEOF);
    mp_proxy_destroy(it);
}

static void test_imap_unordered(void **state)
{
    (void)state;
    struct stage stage = new_stage(4);
    iterate_in_any_order(call_proxy(stage.pool, "imap_unordered", MP_TUPLE("sqr", range(10))), 10);
    iterate_in_any_order(
        call_proxy(stage.pool, "imap_unordered", MP_TUPLE("sqr", range(MOST), 100)), MOST);
    end_stage(&stage);
}

static void test_empty_iterable(void **state)
{
    (void)state;
    struct stage stage = new_stage(1);
    assert_call(stage.pool, "map", MP_TUPLE("sqr", MP_EMPTY_LIST), MP_EMPTY_LIST);
    iterate(call_proxy(stage.pool, "imap", MP_TUPLE("sqr", MP_EMPTY_LIST)), 0);
    iterate(call_proxy(stage.pool, "imap_unordered", MP_TUPLE("sqr", MP_EMPTY_LIST)), 0);
    result_is(call_proxy(stage.pool, "map_async", MP_TUPLE("sqr", MP_EMPTY_LIST)), MP_EMPTY_LIST);
    end_stage(&stage);
}

/* ---- failures and ends ----------------------------------------------------------------------- */

static void test_wrapped_exception(void **state)
{
    (void)state;
    struct stage stage = new_stage(1);
    assert_raises(stage.pool, "apply", MP_TUPLE("raise_foo"), MP_ETASK);
    check_detail_has("foo");
    mp_proxy *result = call_proxy(stage.pool, "apply_async", MP_TUPLE("raise_foo"));
    assert_raises(result, "get", MP_NONE, MP_ETASK);
    check_detail_has("foo");
    check(!call_bool(result, "successful", MP_NONE));
    mp_proxy_destroy(result);
    check(call(stage.pool, "apply", MP_TUPLE("no_such_task")) < 0);
    check_detail_has("no_such_task");
    assert_call(stage.pool, "apply", MP_TUPLE("sqr", MP_TUPLE(2)), MP(4));
    end_stage(&stage);
}

/* One that fails does not stop the others of the same map. */
static void test_map_no_failfast(void **state)
{
    (void)state;
    seen = new_list(manager, MP_NONE);
    struct stage stage = new_stage(2);
    assert_raises(stage.pool, "map", MP_TUPLE("fail_if_odd", range(20), 1), MP_ETASK);
    check_detail_has("odd");
    assert_mp_result(mp_list_len(seen), 10);
    end_stage(&stage);
    mp_list_destroy(seen);
}

static void test_make_pool(void **state)
{
    (void)state;
    mp_proxy *pool;
    for (int workers = -1; workers <= 0; workers++)
        assert_mp_error(mp_manager_proxy(manager, "Pool", MP_TUPLE(workers), MP_NONE, &pool),
                        MP_EREMOTE);
    assert_objects(manager, 0);
}

static void test_terminate(void **state)
{
    (void)state;
    struct stage stage = new_stage(3);
    mp_obj items[MOST];
    const mp_obj numbers[] = {MP(3), MP(10000)};
    for (int i = 0; i < MOST; i++)
        items[i] = mp_obj_tuple(numbers, 2);
    mp_proxy *result =
        call_proxy(stage.pool, "map_async", MP_TUPLE("sqr_later", mp_obj_list(items, MOST), 1));
    assert_raises(stage.pool, "join", MP_NONE, MP_EINVAL); /* "Pool is still running" */
    assert_call(stage.pool, "terminate", MP_NONE, MP_NONE);
    assert_call(stage.pool, "join", MP_NONE, MP_NONE);
    /* in Python it never gets ready */
    int rc = call(result, "get", MP_NONE);
    check(rc == MP_EDIED || rc == MP_ECANCELLED);
    check(!call_bool(result, "successful", MP_NONE));
    assert_raises(stage.pool, "apply", MP_TUPLE("sqr", MP_TUPLE(5)), MP_EINVAL);
    assert_raises(stage.pool, "map_async", MP_TUPLE("sqr", range(2)), MP_EINVAL);
    mp_proxy_destroy(result);
    end_stage(&stage);
}

/* While one client waits for its task, another, and the server itself, go on. */
static int wait_for_slow_task(void *pool)
{
    assert_call(pool, "apply", MP_TUPLE("sqr_later", MP_TUPLE(3, 0.3)), MP(9));
    return 0;
}

static void test_clients_do_not_wait_for_each_other(void **state)
{
    (void)state;
    struct stage stage = new_stage(2);
    struct target_thread thread;
    mp_process *process = start_process(wait_for_slow_task, stage.pool, 0);
    start_thread(&thread, wait_for_slow_task, stage.pool);
    mp_dict *dict = new_dict(stage.m, MP_NONE);
    for (int i = 0; i < 20; i++)
        assert_mp_result(mp_dict_set(dict, MP(i), MP(i)), 0);
    mp_dict_destroy(dict);
    finish_process_with(process, 0);
    finish_thread(&thread);
    end_stage(&stage);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        manager_test("TestPool.test_apply (manager): a task by its name, with arguments",
                     test_apply),
        manager_test("TestPool.test_map (manager): keeps the order", test_map),
        manager_test("TestPool.test_starmap (manager): items are arguments", test_starmap),
        manager_test("TestPool.test_map_async, test_starmap_async, test_map_chunksize (manager)",
                     test_map_async),
        manager_test("TestPool.test_async (manager): the result comes in time", test_async),
        manager_test("TestPool.test_async_timeout (manager): get gives up", test_async_timeout),
        manager_test("TestPool.test_imap (manager): in order, to the end", test_imap),
        manager_test("TestPool.test_imap_unordered (manager): each once", test_imap_unordered),
        manager_test("TestPool.test_empty_iterable (manager)", test_empty_iterable),
        manager_test("TestPool.test_wrapped_exception (manager): the task's text comes along",
                     test_wrapped_exception),
        served_test("TestPool.test_map_no_failfast (manager): the others are done",
                    test_map_no_failfast),
        served_test("TestPool.test_make_pool (manager): at least one worker", test_make_pool),
        manager_test("TestPool.test_terminate (manager): waits for no task", test_terminate),
        manager_test("TestPool (manager): clients do not wait for each other",
                     test_clients_do_not_wait_for_each_other),
    };
    return managers_run("TestPool (manager)", tests);
}
