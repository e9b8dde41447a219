/* Python's TestSyncManagerTypes: every managed type, used by a child and by its parent. */
#include "managers/managers_kit.h"
#include "parity.h"

#include <mp/mp.h>
#include <stdlib.h>
#include <string.h>

/* The child uses the proxy that it inherits. */
static void run_worker(mp_target *worker, void *object)
{
    mp_process *process = start_process(worker, object, 0);
    finish_process_with(process, 0);
}

/* ---- synchronization ------------------------------------------------------------------------- */

static int find_event_set_and_clear_it(void *event)
{
    check(call_bool(event, "is_set", MP_NONE));
    check(call_bool(event, "wait", MP_NONE));
    assert_call(event, "clear", MP_NONE, MP_NONE);
    check(!call_bool(event, "wait", MP_TUPLE(0.001)));
    return 0;
}

static void test_event(void **state)
{
    (void)state;
    mp_proxy *event = new_proxy(manager, "Event", MP_NONE);
    assert_call(event, "set", MP_NONE, MP_NONE);
    run_worker(find_event_set_and_clear_it, event);
    check(!call_bool(event, "is_set", MP_NONE));
    check(!call_bool(event, "wait", MP_TUPLE(0.001)));
    mp_proxy_destroy(event);
}

static int acquire(void *lock)
{
    check(call_bool(lock, "acquire", MP_NONE));
    return 0;
}

static int acquire_and_release(void *lock)
{
    check(call_bool(lock, "acquire", MP_NONE));
    assert_call(lock, "release", MP_NONE, MP_NONE);
    return 0;
}

/* The child ends and leaves it acquired. */
static void test_lock(void **state)
{
    (void)state;
    mp_proxy *lock = new_proxy(manager, "Lock", MP_NONE);
    run_worker(acquire, lock);
    assert_call(lock, "release", MP_NONE, MP_NONE);
    assert_raises(lock, "release", MP_NONE, MP_ESTATE);
    mp_proxy_destroy(lock);
}

static void test_rlock(void **state)
{
    (void)state;
    mp_proxy *lock = new_proxy(manager, "RLock", MP_NONE);
    run_worker(acquire_and_release, lock);
    assert_raises(lock, "release", MP_NONE, MP_ESTATE);
    (void)acquire_and_release(lock);
    mp_proxy_destroy(lock);
}

static void semaphore_goes_round(const char *type_id)
{
    mp_proxy *semaphore = new_proxy(manager, type_id, MP_NONE);
    run_worker(acquire, semaphore);
    assert_call(semaphore, "release", MP_NONE, MP_NONE);
    (void)acquire_and_release(semaphore);
    mp_proxy_destroy(semaphore);
}

static void test_semaphore(void **state)
{
    (void)state;
    semaphore_goes_round("Semaphore");
}

static void test_bounded_semaphore(void **state)
{
    (void)state;
    semaphore_goes_round("BoundedSemaphore");
}

static void test_condition(void **state)
{
    (void)state;
    mp_proxy *condition = new_proxy(manager, "Condition", MP_NONE);
    run_worker(acquire_and_release, condition);
    (void)acquire_and_release(condition);
    mp_proxy_destroy(condition);
}

static int find_five_parties_and_reset(void *barrier)
{
    check(call_int(barrier, "__getattribute__", MP_TUPLE("parties")) == 5);
    assert_call(barrier, "reset", MP_NONE, MP_NONE);
    return 0;
}

static void test_barrier(void **state)
{
    (void)state;
    mp_proxy *barrier = new_proxy(manager, "Barrier", MP_TUPLE(5));
    run_worker(find_five_parties_and_reset, barrier);
    check(!call_bool(barrier, "__getattribute__", MP_TUPLE("broken")));
    mp_proxy_destroy(barrier);
}

static int terminate(void *pool)
{
    assert_call(pool, "terminate", MP_NONE, MP_NONE);
    return 0;
}

static void test_pool(void **state)
{
    (void)state;
    mp_proxy *pool;
    assert_mp_result(mp_manager_proxy(manager, "Pool", MP_NONE, MP_DICT("processes", 4), &pool), 0);
    run_worker(terminate, pool);
    assert_call(pool, "join", MP_NONE, MP_NONE);
    mp_proxy_destroy(pool);
}

/* ---- queues ---------------------------------------------------------------------------------- */

static int get_five_and_six(void *queue)
{
    check(call_int(queue, "qsize", MP_NONE) == 2);
    check(call_bool(queue, "full", MP_NONE));
    check(!call_bool(queue, "empty", MP_NONE));
    assert_call(queue, "get", MP_NONE, MP(5));
    check(!call_bool(queue, "empty", MP_NONE));
    assert_call(queue, "get", MP_NONE, MP(6));
    check(call_bool(queue, "empty", MP_NONE));
    return 0;
}

static void queue_goes_round(const char *type_id)
{
    mp_proxy *queue = new_proxy(manager, type_id, MP_TUPLE(2));
    assert_call(queue, "put", MP_TUPLE(5), MP_NONE);
    assert_call(queue, "put", MP_TUPLE(6), MP_NONE);
    run_worker(get_five_and_six, queue);
    check(call_bool(queue, "empty", MP_NONE));
    check(!call_bool(queue, "full", MP_NONE));
    mp_proxy_destroy(queue);
}

static void test_queue(void **state)
{
    (void)state;
    queue_goes_round("Queue");
}

static void test_joinable_queue(void **state)
{
    (void)state;
    queue_goes_round("JoinableQueue");
}

/* ---- containers ------------------------------------------------------------------------------ */

static int use_list_of_five(void *list)
{
    mp_obj item;
    assert_mp_result(mp_list_get(list, 0, &item), 0);
    assert_owned_is(&item, MP(5));
    assert_mp_result(mp_list_count(list, MP(5)), 1);
    assert_mp_result(mp_list_index(list, MP(5)), 0);
    assert_mp_result(mp_list_sort(list, false), 0);
    assert_mp_result(mp_list_reverse(list), 0);
    assert_mp_result(mp_list_len(list), 1);
    assert_mp_result(mp_list_pop(list, 0, &item), 0);
    assert_owned_is(&item, MP(5));
    return 0;
}

static void test_list(void **state)
{
    (void)state;
    mp_list *list = new_list(manager, MP_NONE);
    assert_mp_result(mp_list_append(list, MP(5)), 0);
    run_worker(use_list_of_five, list);
    assert_mp_result(mp_list_len(list), 0);
    mp_list_destroy(list);
}

static int use_dict_of_five(void *dict)
{
    mp_obj got;
    assert_mp_result(mp_dict_len(dict), 1);
    assert_item_is(dict, MP("foo"), MP(5));
    assert_mp_result(mp_dict_get_default(dict, MP("foo"), MP_NONE, &got), 0);
    assert_owned_is(&got, MP(5));
    assert_mp_result(mp_dict_items(dict, &got), 0);
    assert_owned_is(&got, MP_LIST(MP_TUPLE("foo", 5)));
    assert_mp_result(mp_dict_keys(dict, &got), 0);
    assert_owned_is(&got, MP_LIST("foo"));
    assert_mp_result(mp_dict_values(dict, &got), 0);
    assert_owned_is(&got, MP_LIST(5));
    assert_dict_is(dict, MP_DICT("foo", 5));
    assert_mp_result(mp_dict_popitem(dict, &got), 0);
    assert_owned_is(&got, MP_TUPLE("foo", 5));
    return 0;
}

static void test_dict(void **state)
{
    (void)state;
    mp_dict *dict = new_dict(manager, MP_NONE);
    assert_mp_result(mp_dict_set(dict, MP("foo"), MP(5)), 0);
    run_worker(use_dict_of_five, dict);
    assert_mp_result(mp_dict_len(dict), 0);
    assert_mp_error(mp_dict_popitem(dict, NULL), MP_EKEY);
    mp_dict_destroy(dict);
}

static int make_it_two(void *value)
{
    assert_call(value, "get", MP_NONE, MP(1));
    assert_call(value, "set", MP_TUPLE(2), MP_NONE);
    return 0;
}

static void test_value(void **state)
{
    (void)state;
    mp_proxy *value = new_proxy(manager, "Value", MP_TUPLE("i", 1));
    run_worker(make_it_two, value);
    assert_call(value, "get", MP_NONE, MP(2));
    assert_call(value, "set", MP_TUPLE("any"), MP_NONE); /* the typecode binds nobody */
    assert_call(value, "get", MP_NONE, MP("any"));
    mp_proxy_destroy(value);
}

static int read_array_of_two(void *array)
{
    assert_call(array, "__getitem__", MP_TUPLE(0), MP(0));
    assert_call(array, "__getitem__", MP_TUPLE(1), MP(1));
    assert_call(array, "__getitem__", MP_TUPLE(-1), MP(1));
    assert_call(array, "__len__", MP_NONE, MP(2));
    assert_raises(array, "__getitem__", MP_TUPLE(2), MP_EINDEX);
    assert_call(array, "__setitem__", MP_TUPLE(1, 7), MP_NONE);
    return 0;
}

static void test_array(void **state)
{
    (void)state;
    mp_proxy *array = new_proxy(manager, "Array", MP_TUPLE("i", MP_LIST(0, 1)));
    run_worker(read_array_of_two, array);
    assert_call(array, "__getitem__", MP_TUPLE(1), MP(7));
    mp_proxy_destroy(array);
}

static int read_x_and_y(void *namespace_)
{
    mp_obj got;
    assert_mp_result(mp_namespace_get(namespace_, "x", &got), 0);
    assert_owned_is(&got, MP(0));
    assert_mp_result(mp_namespace_get(namespace_, "y", &got), 0);
    assert_owned_is(&got, MP(1));
    return 0;
}

static void test_namespace(void **state)
{
    (void)state;
    mp_namespace *namespace_;
    assert_mp_result(mp_manager_namespace(manager, MP_NONE, &namespace_), 0);
    assert_mp_result(mp_namespace_set(namespace_, "x", MP(0)), 0);
    assert_mp_result(mp_namespace_set(namespace_, "y", MP(1)), 0);
    run_worker(read_x_and_y, namespace_);
    mp_namespace_destroy(namespace_);
}

/* ---- sets ------------------------------------------------------------------------------------ */

static void assert_set_is(mp_proxy *set, mp_obj expected)
{
    assert_call(set, "copy", MP_NONE, expected);
}

static int change_the_set(void *set)
{
    assert_set_is(set, MP_SET(1, 2));
    assert_call(set, "clear", MP_NONE, MP_NONE);
    assert_call(set, "__len__", MP_NONE, MP(0));
    assert_call(set, "add", MP_TUPLE("a"), MP_NONE);
    assert_call(set, "add", MP_TUPLE("a"), MP_NONE);
    assert_call(set, "update", MP_TUPLE(MP_SET("b", "c"), MP_LIST("d")), MP_NONE);
    check(call_bool(set, "__contains__", MP_TUPLE("d")));
    assert_call(set, "remove", MP_TUPLE("d"), MP_NONE);
    assert_raises(set, "remove", MP_TUPLE("d"), MP_EKEY);
    assert_call(set, "discard", MP_TUPLE("d"), MP_NONE);
    check(!call_bool(set, "__contains__", MP_TUPLE("d")));
    assert_raises(set, "add", MP_TUPLE(MP_LIST(1)), MP_ETYPE);
    return 0;
}

static void test_set(void **state)
{
    (void)state;
    mp_proxy *set = new_proxy(manager, "set", MP_NONE);
    assert_raises(set, "pop", MP_NONE, MP_EKEY);
    assert_call(set, "update", MP_TUPLE(MP_LIST(1, 2, 2)), MP_NONE);
    run_worker(change_the_set, set);
    assert_set_is(set, MP_SET("a", "b", "c"));
    mp_obj popped;
    assert_mp_result(mp_proxy_call(set, "pop", MP_NONE, MP_NONE, &popped), 0);
    check(!call_bool(set, "__contains__", MP_TUPLE(popped)));
    assert_call(set, "__len__", MP_NONE, MP(2));
    mp_obj_free(&popped);
    mp_proxy_destroy(set);
}

static void test_set_init(void **state)
{
    (void)state;
    mp_proxy *set = new_proxy(manager, "set", MP_TUPLE(MP_TUPLE(1, 2, 3, 3)));
    mp_proxy *empty = new_proxy(manager, "set", MP_TUPLE(MP_EMPTY_SET));
    assert_set_is(set, MP_SET(1, 2, 3));
    assert_set_is(empty, MP_EMPTY_SET);
    mp_proxy_destroy(set);
    mp_proxy_destroy(empty);
}

/* What the operators give is a set of its own; the in-place ones change the managed one. */
static void test_set_operators(void **state)
{
    (void)state;
    mp_proxy *set = new_proxy(manager, "set", MP_TUPLE(MP_SET(1, 2, 3)));
    assert_call(set, "__or__", MP_TUPLE(MP_SET(4)), MP_SET(1, 2, 3, 4));
    assert_call(set, "__and__", MP_TUPLE(MP_SET(2, 3, 9)), MP_SET(2, 3));
    assert_call(set, "__sub__", MP_TUPLE(MP_SET(1)), MP_SET(2, 3));
    assert_call(set, "__xor__", MP_TUPLE(MP_SET(3, 4)), MP_SET(1, 2, 4));
    assert_call(set, "union", MP_TUPLE(MP_LIST(5), MP_LIST(6)), MP_SET(1, 2, 3, 5, 6));
    assert_call(set, "intersection", MP_TUPLE(MP_LIST(3)), MP_SET(3));
    assert_call(set, "difference", MP_TUPLE(MP_LIST(3)), MP_SET(1, 2));
    assert_call(set, "symmetric_difference", MP_TUPLE(MP_LIST(3, 4)), MP_SET(1, 2, 4));
    assert_set_is(set, MP_SET(1, 2, 3));
    check(call_bool(set, "issubset", MP_TUPLE(MP_LIST(1, 2, 3, 4))));
    check(call_bool(set, "issuperset", MP_TUPLE(MP_LIST(1))));
    check(call_bool(set, "isdisjoint", MP_TUPLE(MP_LIST(7))));
    check(!call_bool(set, "isdisjoint", MP_TUPLE(MP_LIST(1, 7))));
    assert_call(set, "intersection_update", MP_TUPLE(MP_SET(1, 2)), MP_NONE);
    assert_call(set, "symmetric_difference_update", MP_TUPLE(MP_SET(2, 3)), MP_NONE);
    assert_set_is(set, MP_SET(1, 3));
    assert_call(set, "difference_update", MP_TUPLE(MP_SET(3)), MP_NONE);
    assert_set_is(set, MP_SET(1));
    mp_proxy_destroy(set);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        served_test("TestSyncManagerTypes.test_event", test_event),
        served_test("TestSyncManagerTypes.test_lock: acquired by a child that ended", test_lock),
        served_test("TestSyncManagerTypes.test_rlock", test_rlock),
        served_test("TestSyncManagerTypes.test_semaphore", test_semaphore),
        served_test("TestSyncManagerTypes.test_bounded_semaphore", test_bounded_semaphore),
        served_test("TestSyncManagerTypes.test_condition", test_condition),
        served_test("TestSyncManagerTypes.test_barrier", test_barrier),
        served_test("TestSyncManagerTypes.test_pool: a child terminates it", test_pool),
        served_test("TestSyncManagerTypes.test_queue", test_queue),
        served_test("TestSyncManagerTypes.test_joinable_queue", test_joinable_queue),
        served_test("TestSyncManagerTypes.test_list", test_list),
        served_test("TestSyncManagerTypes.test_dict", test_dict),
        served_test("TestSyncManagerTypes.test_value", test_value),
        served_test("TestSyncManagerTypes.test_array", test_array),
        served_test("TestSyncManagerTypes.test_namespace", test_namespace),
        served_test("TestSyncManagerTypes.test_set", test_set),
        served_test("TestSyncManagerTypes.test_set_init", test_set_init),
        served_test("TestSyncManagerTypes.test_set: operators give plain sets", test_set_operators),
    };
    return managers_run("TestSyncManagerTypes", tests);
}
