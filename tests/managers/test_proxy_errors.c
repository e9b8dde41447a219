/* Calls through proxies that cannot do what they are asked: each has its code and a text, and leaves
 * everything as it was. */
#include "managers/managers_kit.h"

#include <limits.h>
#include <mp/mp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Refused, and the other side's text tells why. */
#define assert_refused(expr, code) \
    (assert_mp_error((expr), (code)), check(strlen(mp_error_detail()) > 0))

/* ---- types and methods ----------------------------------------------------------------------- */

static void test_an_unknown_type_is_a_remote_error_that_names_it(void **state)
{
    (void)state;
    static const char *const unknown[] = {"Nothing",     "dictionary", "Iterator",
                                          "AsyncResult", "",           "list "};
    mp_proxy *proxy = NULL;
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        assert_refused(mp_manager_proxy(manager, unknown[i], MP_NONE, MP_NONE, &proxy), MP_EREMOTE);
        check_detail_has(unknown[i]);
    }
    check(proxy == NULL);
}

static void test_what_a_constructor_raises_is_a_remote_error(void **state)
{
    (void)state;
    mp_proxy *proxy = NULL;
    assert_refused(mp_manager_proxy(manager, "Semaphore", MP_TUPLE(-1), MP_NONE, &proxy),
                   MP_EREMOTE);
    assert_refused(mp_manager_proxy(manager, "BoundedSemaphore", MP_TUPLE(-1), MP_NONE, &proxy),
                   MP_EREMOTE);
    assert_refused(mp_manager_proxy(manager, "Barrier", MP_TUPLE(0), MP_NONE, &proxy), MP_EREMOTE);
    assert_refused(mp_manager_proxy(manager, "Barrier", MP_NONE, MP_NONE, &proxy), MP_EREMOTE);
    assert_refused(mp_manager_proxy(manager, "Lock", MP_TUPLE(1, 2), MP_NONE, &proxy), MP_EREMOTE);
    assert_refused(mp_manager_proxy(manager, "dict", MP_TUPLE(5), MP_NONE, &proxy), MP_EREMOTE);
    assert_refused(mp_manager_proxy(manager, "list", MP_TUPLE(5), MP_NONE, &proxy), MP_EREMOTE);
    assert_refused(
        mp_manager_proxy(manager, "set", MP_TUPLE(MP_LIST(MP_EMPTY_LIST)), MP_NONE, &proxy),
        MP_EREMOTE);
    assert_refused(mp_manager_proxy(manager, "Array", MP_TUPLE("i", MP_LIST("x")), MP_NONE, &proxy),
                   MP_EREMOTE);
    assert_refused(mp_manager_proxy(manager, "Array", MP_TUPLE("?", MP_LIST(1)), MP_NONE, &proxy),
                   MP_EREMOTE);
    assert_refused(mp_manager_proxy(manager, "Queue", MP_NONE, MP_DICT("size", 1), &proxy),
                   MP_EREMOTE);
    check(proxy == NULL);
}

static void test_the_first_content_must_be_of_its_kind(void **state)
{
    (void)state;
    mp_dict *dict = NULL;
    mp_list *list = NULL;
    mp_namespace *namespace_ = NULL;
    assert_mp_error(mp_manager_dict(manager, MP(5), &dict), MP_ETYPE);
    assert_mp_error(mp_manager_dict(manager, MP_LIST(1, 2), &dict), MP_ETYPE);
    assert_mp_error(mp_manager_list(manager, MP(5), &list), MP_ETYPE);
    assert_mp_error(mp_manager_namespace(manager, MP_LIST("x"), &namespace_), MP_ETYPE);
    assert_mp_error(mp_manager_namespace(manager, MP_DICT(1, 2), &namespace_), MP_ETYPE);
    check(dict == NULL && list == NULL && namespace_ == NULL);
    list = new_list(manager, MP_DICT("a", 1, "b", 2));
    assert_list_is(list, MP_LIST("a", "b"));
    mp_list_destroy(list);
    list = new_list(manager, MP("a\u00e9"));
    assert_list_is(list, MP_LIST("a", "\u00e9"));
    mp_list_destroy(list);
}

static void test_a_method_that_is_not_exposed_is_a_remote_error(void **state)
{
    (void)state;
    mp_dict *dict = new_dict(manager, MP_DICT("key", 1));
    mp_list *list = new_list(manager, MP_LIST(1));
    mp_proxy *lock = new_proxy(manager, "Lock", MP_NONE);
    static const char *const methods[] = {"nothing", "__class__", "__reduce__", "__init__",
                                          "",        "__dict__",  "get "};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        assert_refused(call(mp_dict_proxy(dict), methods[i], MP_NONE), MP_EREMOTE);
        check_detail_has(methods[i]);
        assert_refused(call(mp_list_proxy(list), methods[i], MP_NONE), MP_EREMOTE);
        assert_refused(call(lock, methods[i], MP_NONE), MP_EREMOTE);
    }
    assert_refused(call(lock, "append", MP_TUPLE(1)), MP_EREMOTE);
    assert_refused(call(mp_list_proxy(list), "acquire", MP_NONE), MP_EREMOTE);
    assert_list_is(list, MP_LIST(1));
    mp_dict_destroy(dict);
    mp_list_destroy(list);
    mp_proxy_destroy(lock);
}

static void test_wrong_arguments_are_type_errors(void **state)
{
    (void)state;
    mp_list *list = new_list(manager, MP_LIST(1, 2));
    mp_dict *dict = new_dict(manager, MP_DICT("key", 1));
    mp_proxy *of_list = mp_list_proxy(list), *of_dict = mp_dict_proxy(dict);
    assert_refused(call(of_list, "append", MP_NONE), MP_ETYPE);
    assert_refused(call(of_list, "append", MP_TUPLE(1, 2)), MP_ETYPE);
    assert_refused(call(of_list, "__getitem__", MP_TUPLE("x")), MP_ETYPE);
    assert_refused(call(of_list, "pop", MP_TUPLE(1.5)), MP_ETYPE);
    assert_refused(call(of_list, "__imul__", MP_TUPLE("x")), MP_ETYPE);
    assert_refused(call(of_list, "__add__", MP_TUPLE(5)), MP_ETYPE);
    assert_refused(call(of_dict, "get", MP_NONE), MP_ETYPE);
    assert_refused(call(of_dict, "__setitem__", MP_TUPLE(1)), MP_ETYPE);
    assert_refused(call(of_dict, "update", MP_TUPLE(5)), MP_ETYPE);
    assert_refused(mp_proxy_call(of_list, "append", MP_NONE, MP_DICT("nothing", 1), NULL),
                   MP_ETYPE);
    assert_mp_error(mp_proxy_call(of_list, "append", MP(1), MP_NONE, NULL), MP_ETYPE);
    assert_mp_error(mp_proxy_call(of_list, "append", MP_TUPLE(1), MP_LIST(1), NULL), MP_ETYPE);
    assert_mp_error(mp_proxy_call(of_list, "append", MP_TUPLE(1), MP_DICT(1, 2), NULL), MP_ETYPE);
    assert_list_is(list, MP_LIST(1, 2));
    assert_dict_is(dict, MP_DICT("key", 1));
    mp_list_destroy(list);
    mp_dict_destroy(dict);
}

/* ---- keys and indices ------------------------------------------------------------------------ */

static void unhashable_is_a_type_error(mp_dict *dict, mp_obj key)
{
    mp_obj got;
    assert_mp_error(mp_dict_get(dict, key, &got), MP_ETYPE);
    assert_mp_error(mp_dict_get_default(dict, key, MP(1), &got), MP_ETYPE);
    assert_mp_error(mp_dict_set(dict, key, MP(1)), MP_ETYPE);
    assert_mp_error(mp_dict_del(dict, key), MP_ETYPE);
    assert_mp_error(mp_dict_contains(dict, key), MP_ETYPE);
    assert_mp_error(mp_dict_pop(dict, key, &got), MP_ETYPE);
    assert_mp_error(mp_dict_setdefault(dict, key, MP(1), &got), MP_ETYPE);
}

static void test_a_key_that_cannot_be_hashed_is_a_type_error(void **state)
{
    (void)state;
    mp_dict *dict = new_dict(manager, MP_DICT("key", 1));
    unhashable_is_a_type_error(dict, MP_LIST(1));
    unhashable_is_a_type_error(dict, MP_EMPTY_DICT);
    unhashable_is_a_type_error(dict, MP_SET(1));
    unhashable_is_a_type_error(dict, MP_TUPLE(1, MP_TUPLE(2, MP_LIST(3))));
    assert_dict_is(dict, MP_DICT("key", 1));
    assert_mp_result(mp_dict_set(dict, MP_TUPLE(1, MP_TUPLE(2)), MP(1)), 0);
    assert_mp_result(mp_dict_set(dict, mp_obj_frozenset((mp_obj[]){MP(1)}, 1), MP(2)), 0);
    assert_mp_result(mp_dict_set(dict, MP_NONE, MP(3)), 0);
    assert_mp_result(mp_dict_len(dict), 4);
    mp_dict_destroy(dict);
}

static void test_an_absent_key_is_a_key_error(void **state)
{
    (void)state;
    mp_obj got;
    mp_dict *dict = new_dict(manager, MP_DICT(1, "one", "", "empty"));
    assert_refused(mp_dict_get(dict, MP("absent"), &got), MP_EKEY);
    check_detail_has("absent");
    assert_refused(mp_dict_get(dict, MP_NONE, NULL), MP_EKEY);
    assert_refused(mp_dict_del(dict, MP(2)), MP_EKEY);
    assert_refused(mp_dict_pop(dict, MP("1"), &got), MP_EKEY);
    assert_mp_result(mp_dict_contains(dict, MP("1")), 0);
    assert_mp_result(mp_dict_contains(dict, MP(1.0)), 1);
    assert_mp_result(mp_dict_clear(dict), 0);
    assert_refused(mp_dict_popitem(dict, &got), MP_EKEY);
    mp_dict_destroy(dict);
}

static void test_an_index_out_of_range_is_an_index_error(void **state)
{
    (void)state;
    static const long bad[] = {3, -4, LONG_MAX, LONG_MIN};
    mp_obj got;
    mp_list *list = new_list(manager, MP_LIST(1, 2, 3));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_refused(mp_list_get(list, bad[i], &got), MP_EINDEX);
        assert_refused(mp_list_set(list, bad[i], MP(1)), MP_EINDEX);
        assert_refused(mp_list_del(list, bad[i]), MP_EINDEX);
        assert_refused(mp_list_pop(list, bad[i], &got), MP_EINDEX);
    }
    assert_list_is(list, MP_LIST(1, 2, 3));
    assert_mp_result(mp_list_insert(list, LONG_MAX, MP("last")), 0);
    assert_mp_result(mp_list_insert(list, LONG_MIN, MP("first")), 0);
    assert_list_is(list, MP_LIST("first", 1, 2, 3, "last"));
    assert_mp_result(mp_list_clear(list), 0);
    assert_refused(mp_list_pop(list, -1, &got), MP_EINDEX);
    assert_refused(mp_list_pop(list, 0, &got), MP_EINDEX);
    mp_list_destroy(list);
}

static void test_what_a_list_does_not_have_is_a_value_error(void **state)
{
    (void)state;
    mp_list *list = new_list(manager, MP_LIST(1, "1", 2.5));
    assert_refused(mp_list_remove(list, MP(7)), MP_EINVAL);
    assert_refused(mp_list_index(list, MP("7")), MP_EINVAL);
    assert_mp_result(mp_list_count(list, MP(7)), 0);
    assert_mp_result(mp_list_contains(list, MP(7)), 0);
    assert_mp_error(mp_list_extend(list, MP(7)), MP_ETYPE);
    assert_refused(mp_list_sort(list, false), MP_ETYPE);
    assert_mp_result(mp_list_len(list), 3);
    mp_list_destroy(list);
}

static void test_attributes_and_arrays_have_their_limits(void **state)
{
    (void)state;
    mp_namespace *namespace_;
    mp_obj got;
    mp_proxy *array = new_proxy(manager, "Array", MP_TUPLE("h", MP_LIST(1, 2)));
    assert_mp_result(mp_manager_namespace(manager, MP_DICT("x", 1), &namespace_), 0);
    assert_refused(mp_namespace_get(namespace_, "y", &got), MP_EATTR);
    check_detail_has("y");
    assert_refused(mp_namespace_del(namespace_, "y"), MP_EATTR);
    assert_refused(call(array, "__getitem__", MP_TUPLE(2)), MP_EINDEX);
    assert_refused(call(array, "__setitem__", MP_TUPLE(-3, 1)), MP_EINDEX);
    assert_refused(call(array, "__setitem__", MP_TUPLE(0, "x")), MP_ETYPE);
    assert_refused(call(array, "__setitem__", MP_TUPLE(0, 40000)), MP_EOVERFLOW);
    assert_call(array, "__getitem__", MP_TUPLE(0), MP(1));
    mp_namespace_destroy(namespace_);
    mp_proxy_destroy(array);
}

/* ---- values ---------------------------------------------------------------------------------- */

static mp_obj too_deep(void)
{
    static mp_obj levels[300];
    levels[0] = MP(1);
    for (int i = 1; i < 300; i++)
        levels[i] = mp_obj_list(&levels[i - 1], 1);
    return levels[299];
}

static void value_is_refused(mp_dict *dict, mp_list *list, mp_obj value, int code)
{
    mp_proxy *proxy = NULL;
    mp_namespace *ns = NULL;
    assert_mp_error(mp_dict_set(dict, MP("key"), value), code);
    assert_mp_error(mp_list_append(list, value), code);
    assert_mp_error(mp_list_extend(list, MP_LIST(1, value)), code);
    assert_mp_error(call(mp_list_proxy(list), "append", MP_TUPLE(value)), code);
    assert_mp_error(mp_manager_proxy(manager, "Value", MP_TUPLE("i", value), MP_NONE, &proxy),
                    code);
    assert_mp_error(mp_manager_namespace(manager, MP_DICT("x", value), &ns), code);
    check(proxy == NULL && ns == NULL);
}

static void test_a_value_that_cannot_be_sent_is_refused(void **state)
{
    (void)state;
    mp_lock *lock;
    mp_dict *dict = new_dict(manager, MP_DICT("key", 1));
    mp_list *list = new_list(manager, MP_LIST(1));
    assert_mp_result(mp_lock_create(&lock), 0);
    value_is_refused(dict, list, MP(UINT64_MAX), MP_EOVERFLOW);
    value_is_refused(dict, list, mp_obj_handle(lock), MP_EPICKLE);
    value_is_refused(dict, list, too_deep(), MP_EPICKLE);
    value_is_refused(dict, list, MP_STRN("\xff\xfe", 2), MP_EPICKLE);
    value_is_refused(dict, list, MP_SET(MP_LIST(1)), MP_ETYPE);
    assert_dict_is(dict, MP_DICT("key", 1));
    assert_list_is(list, MP_LIST(1));
    mp_dict_destroy(dict);
    mp_list_destroy(list);
    mp_lock_destroy(lock);
}

static int use_dict(void *dict)
{
    for (int i = 0; i < 100; i++)
        assert_mp_result(mp_dict_set(dict, MP(i), MP(i)), 0);
    return 0;
}

/* The largest message has 64 MiB. */
static void test_a_request_that_is_too_long_is_refused_and_hurts_nobody(void **state)
{
    (void)state;
    enum { LIMIT = 64 << 20 };
    mp_dict *dict = new_dict(manager, MP_DICT("key", 1));
    char *bytes = calloc(1, LIMIT);
    check(bytes != NULL);
    pid_t other = child_fork(use_dict, dict);
    assert_mp_error(mp_dict_set(dict, MP("key"), MP_BYTES(bytes, LIMIT)), MP_EOVERFLOW);
    assert_item_is(dict, MP("key"), MP(1));
    assert_mp_result(mp_dict_set(dict, MP("key"), MP_BYTES(bytes, LIMIT - 4096)), 0);
    assert_item_is(dict, MP("key"), MP_BYTES(bytes, LIMIT - 4096));
    assert_mp_result(mp_dict_set(dict, MP("key"), MP(2)), 0);
    check(child_wait(other) == 0);
    assert_mp_result(mp_dict_len(dict), 101);
    mp_dict_destroy(dict);
    free(bytes);
}

/* A client trusts its server: what a request may not have, an answer may. */
static void test_an_answer_may_be_longer_than_a_request(void **state)
{
    (void)state;
    enum { PART = 24 << 20 };
    mp_obj got;
    mp_list *list = new_list(manager, MP_NONE);
    char *bytes = calloc(1, PART);
    check(bytes != NULL);
    for (int i = 0; i < 3; i++)
        assert_mp_result(mp_list_append(list, MP_BYTES(bytes, PART)), 0);
    assert_mp_result(mp_list_copy(list, &got), 0);
    check(got.len == 3 && mp_obj_item(got, 2)->len == PART);
    mp_obj_free(&got);
    mp_list_destroy(list);
    free(bytes);
}

/* ---- objects that stand for proxies ---------------------------------------------------------- */

static void test_only_what_stands_for_a_proxy_becomes_one(void **state)
{
    (void)state;
    mp_proxy *proxy = NULL;
    mp_dict *no_dict = NULL;
    mp_list *list = new_list(manager, MP_NONE), *no_list = NULL;
    mp_namespace *no_namespace = NULL;
    mp_obj object = mp_obj_proxy(mp_list_proxy(list));
    check(object.type == MP_TYPE_PROXY);
    assert_mp_error(mp_proxy_from(MP(1), &proxy), MP_ETYPE);
    assert_mp_error(mp_proxy_from(MP_LIST(object), &proxy), MP_ETYPE);
    assert_mp_error(mp_dict_from(object, &no_dict), MP_ETYPE);
    assert_mp_error(mp_namespace_from(object, &no_namespace), MP_ETYPE);
    assert_mp_error(mp_list_from(MP_LIST(1), &no_list), MP_ETYPE);
    check(proxy == NULL && no_dict == NULL && no_list == NULL && no_namespace == NULL);
    assert_mp_result(mp_proxy_from(object, &proxy), 0);
    mp_list_destroy(list);
    assert_call(proxy, "__len__", MP_NONE, MP(0));
    assert_objects(manager, 1);
    mp_proxy_destroy(proxy);
}

static void test_what_has_gone_is_a_remote_error(void **state)
{
    (void)state;
    mp_connection *here, *there;
    mp_obj object;
    mp_dict *dict = new_dict(manager, MP_NONE), *again = NULL;
    assert_mp_result(mp_pipe(&here, &there, true), 0);
    assert_mp_result(mp_connection_send(there, mp_obj_proxy(mp_dict_proxy(dict))), 0);
    mp_dict_destroy(dict);
    assert_objects(manager, 0);
    assert_mp_result(mp_connection_recv(here, &object), 0);
    check(object.type == MP_TYPE_PROXY);
    assert_refused(mp_dict_from(object, &again), MP_EREMOTE);
    check(again == NULL);
    mp_obj_free(&object);
    mp_connection_destroy(here);
    mp_connection_destroy(there);
}

static void test_what_has_no_value_cannot_be_copied(void **state)
{
    (void)state;
    static const char *const types[] = {"Lock",      "RLock", "Semaphore",
                                        "Condition", "Event", "Queue"};
    mp_obj got;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        mp_proxy *proxy = new_proxy(manager, types[i], MP_NONE);
        assert_refused(mp_proxy_getvalue(proxy, &got), MP_EPICKLE);
        mp_proxy_destroy(proxy);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        served_test("an unknown type is a remote error that names it",
                    test_an_unknown_type_is_a_remote_error_that_names_it),
        served_test("what a constructor raises is a remote error",
                    test_what_a_constructor_raises_is_a_remote_error),
        served_test("the first content must be of its kind",
                    test_the_first_content_must_be_of_its_kind),
        served_test("a method that is not exposed is a remote error",
                    test_a_method_that_is_not_exposed_is_a_remote_error),
        served_test("wrong arguments are type errors", test_wrong_arguments_are_type_errors),
        served_test("a key that cannot be hashed is a type error",
                    test_a_key_that_cannot_be_hashed_is_a_type_error),
        served_test("an absent key is a key error", test_an_absent_key_is_a_key_error),
        served_test("an index out of range is an index error",
                    test_an_index_out_of_range_is_an_index_error),
        served_test("what a list does not have is a value error",
                    test_what_a_list_does_not_have_is_a_value_error),
        served_test("attributes and arrays have their limits",
                    test_attributes_and_arrays_have_their_limits),
        served_test("a value that cannot be sent is refused",
                    test_a_value_that_cannot_be_sent_is_refused),
        served_test("a request that is too long is refused and hurts nobody",
                    test_a_request_that_is_too_long_is_refused_and_hurts_nobody),
        served_test("an answer may be longer than a request",
                    test_an_answer_may_be_longer_than_a_request),
        served_test("only what stands for a proxy becomes one",
                    test_only_what_stands_for_a_proxy_becomes_one),
        served_test("what has gone is a remote error", test_what_has_gone_is_a_remote_error),
        served_test("what has no value cannot be copied", test_what_has_no_value_cannot_be_copied),
    };
    return managers_run("Proxies: errors", tests);
}
