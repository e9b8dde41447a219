/* Managed dicts, lists and namespaces: every method, and values of every kind. */
#include "managers/managers_kit.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <mp/mp.h>
#include <string.h>

/* ---- values ---------------------------------------------------------------------------------- */

static void round_trip(mp_dict *dict, mp_list *list, mp_obj value)
{
    mp_obj got;
    assert_mp_result(mp_dict_set(dict, MP("value"), value), 0);
    assert_mp_result(mp_dict_get(dict, MP("value"), &got), 0);
    check(got.type == value.type);
    assert_owned_is(&got, value);
    assert_mp_result(mp_list_append(list, value), 0);
    assert_mp_result(mp_list_pop(list, -1, &got), 0);
    check(got.type == value.type);
    assert_owned_is(&got, value);
}

static void test_values_of_every_kind_come_back_as_they_went(void **state)
{
    (void)state;
    mp_dict *dict = new_dict(manager, MP_NONE);
    mp_list *list = new_list(manager, MP_NONE);
    static char large[100000];
    memset(large, 'x', sizeof large);
    const mp_obj values[] = {MP_NONE,
                             MP_TRUE,
                             MP_FALSE,
                             MP(0),
                             MP(-1),
                             MP(255),
                             MP(256),
                             MP(65536),
                             MP(INT64_MAX),
                             MP(INT64_MIN),
                             MP(0.5),
                             MP(DBL_MAX),
                             MP(-DBL_MIN),
                             MP((double)INFINITY),
                             MP(""),
                             MP("text"),
                             MP("\u00e9\u20ac\U0001f600"),
                             MP_STRN("a\0b", 3),
                             MP_STRN("\xed\xa0\x80", 3),
                             MP_BYTES("", 0),
                             MP_BYTES("\0\xff", 2),
                             MP_STRN(large, sizeof large),
                             MP_BYTES(large, sizeof large),
                             MP_EMPTY_LIST,
                             MP_EMPTY_TUPLE,
                             MP_EMPTY_DICT,
                             MP_EMPTY_SET,
                             MP_LIST(1, "two", MP_LIST(3.0)),
                             MP_TUPLE(MP_TUPLE(MP_TUPLE(1))),
                             MP_SET(1, "a", MP_NONE),
                             MP_DICT("a", MP_DICT(1, 2), MP_TUPLE(1, 2), MP_SET(3)),
                             mp_obj_frozenset((mp_obj[]){MP(1), MP(2)}, 2)};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        round_trip(dict, list, values[i]);
    mp_dict_destroy(dict);
    mp_list_destroy(list);
}

/* What was got is a copy: it does not change with the object, nor the object with it. */
static void test_what_is_got_is_a_copy(void **state)
{
    (void)state;
    mp_obj got;
    mp_dict *dict = new_dict(manager, MP_DICT("list", MP_LIST(1)));
    assert_mp_result(mp_dict_get(dict, MP("list"), &got), 0);
    assert_mp_result(mp_dict_set(dict, MP("list"), MP_LIST(1, 2)), 0);
    assert_owned_is(&got, MP_LIST(1));
    assert_item_is(dict, MP("list"), MP_LIST(1, 2));
    mp_dict_destroy(dict);
}

/* ---- dict ------------------------------------------------------------------------------------ */

static void test_a_dict_keeps_the_order_in_which_keys_came(void **state)
{
    (void)state;
    mp_obj got;
    mp_dict *dict = new_dict(manager, MP_DICT("b", 1, "a", 2));
    assert_mp_result(mp_dict_set(dict, MP("c"), MP(3)), 0);
    assert_mp_result(mp_dict_set(dict, MP("b"), MP(4)), 0);
    assert_mp_result(mp_dict_update(dict, MP_DICT("d", 5, "a", 6)), 0);
    assert_mp_result(mp_dict_del(dict, MP("a")), 0);
    assert_mp_result(mp_dict_set(dict, MP("a"), MP(7)), 0);
    assert_mp_result(mp_dict_items(dict, &got), 0);
    assert_owned_is(
        &got, MP_LIST(MP_TUPLE("b", 4), MP_TUPLE("c", 3), MP_TUPLE("d", 5), MP_TUPLE("a", 7)));
    assert_mp_result(mp_dict_popitem(dict, &got), 0);
    assert_owned_is(&got, MP_TUPLE("a", 7));
    assert_mp_result(mp_dict_keys(dict, &got), 0);
    assert_owned_is(&got, MP_LIST("b", "c", "d"));
    assert_mp_result(mp_dict_values(dict, &got), 0);
    assert_owned_is(&got, MP_LIST(4, 3, 5));
    mp_dict_destroy(dict);
}

static void test_a_dict_gives_sets_and_pops(void **state)
{
    (void)state;
    mp_obj got;
    mp_dict *dict = new_dict(manager, MP_DICT("a", 1));
    assert_mp_result(mp_dict_get_default(dict, MP("a"), MP("no"), &got), 0);
    assert_owned_is(&got, MP(1));
    assert_mp_result(mp_dict_get_default(dict, MP("b"), MP_LIST("no"), &got), 0);
    assert_owned_is(&got, MP_LIST("no"));
    assert_mp_result(mp_dict_setdefault(dict, MP("a"), MP(2), &got), 0);
    assert_owned_is(&got, MP(1));
    assert_mp_result(mp_dict_setdefault(dict, MP("b"), MP(2), &got), 0);
    assert_owned_is(&got, MP(2));
    assert_dict_is(dict, MP_DICT("a", 1, "b", 2));
    assert_mp_result(mp_dict_pop(dict, MP("a"), &got), 0);
    assert_owned_is(&got, MP(1));
    assert_mp_result(mp_dict_contains(dict, MP("a")), 0);
    assert_mp_result(mp_dict_contains(dict, MP("b")), 1);
    assert_mp_result(mp_dict_get(dict, MP("b"), NULL), 0);
    assert_call(mp_dict_proxy(dict), "pop", MP_TUPLE("a", "otherwise"), MP("otherwise"));
    assert_mp_result(mp_dict_clear(dict), 0);
    assert_mp_result(mp_dict_len(dict), 0);
    mp_dict_destroy(dict);
}

/* 1, 1.0 and True are one key, which stays the first of them. */
static void test_equal_keys_are_one_key(void **state)
{
    (void)state;
    mp_obj got;
    mp_dict *dict = new_dict(manager, MP_DICT(1, "int"));
    assert_mp_result(mp_dict_set(dict, MP_TRUE, MP("bool")), 0);
    assert_mp_result(mp_dict_set(dict, MP(1.0), MP("float")), 0);
    assert_mp_result(mp_dict_set(dict, MP("1"), MP("str")), 0);
    assert_mp_result(mp_dict_set(dict, MP_BYTES("1", 1), MP("bytes")), 0);
    assert_mp_result(mp_dict_set(dict, MP_TUPLE(1), MP("tuple")), 0);
    assert_mp_result(mp_dict_len(dict), 4);
    assert_item_is(dict, MP(1), MP("float"));
    assert_mp_result(mp_dict_keys(dict, &got), 0);
    check(mp_obj_item(got, 0)->type == MP_TYPE_INT);
    mp_obj_free(&got);
    mp_dict_destroy(dict);
}

static void test_a_large_dict_stays_right(void **state)
{
    (void)state;
    enum { KEYS = 3000 };
    struct rng rng = rng_start(rng_seed());
    bool there[KEYS] = {false};
    int count = 0;
    mp_dict *dict = new_dict(manager, MP_NONE);
    for (int i = 0; i < 3 * KEYS; i++) {
        int key = (int)rng_below(&rng, KEYS);
        int rc = rng_below(&rng, 3) == 0 ? mp_dict_del(dict, MP(key))
                                         : mp_dict_set(dict, MP(key), MP(2 * key)) + 1;
        check(rc == (rc == 1 ? 1 : there[key] ? 0 : MP_EKEY));
        count += (rc == 1) - there[key];
        there[key] = rc == 1;
    }
    assert_mp_result(mp_dict_len(dict), count);
    for (int key = 0; key < KEYS; key++)
        assert_mp_result(mp_dict_get(dict, MP(key), NULL), there[key] ? 0 : MP_EKEY);
    mp_dict_destroy(dict);
}

/* ---- list ------------------------------------------------------------------------------------ */

static void test_a_list_is_changed_in_every_way(void **state)
{
    (void)state;
    mp_obj got;
    mp_list *list = new_list(manager, MP_LIST(3, 1, 2));
    assert_mp_result(mp_list_append(list, MP(4)), 0);
    assert_mp_result(mp_list_insert(list, 0, MP(0)), 0);
    assert_mp_result(mp_list_insert(list, -1, MP(9)), 0);
    assert_list_is(list, MP_LIST(0, 3, 1, 2, 9, 4));
    assert_mp_result(mp_list_remove(list, MP(9.0)), 0);
    assert_mp_result(mp_list_reverse(list), 0);
    assert_list_is(list, MP_LIST(4, 2, 1, 3, 0));
    assert_mp_result(mp_list_set(list, -5, MP("first")), 0);
    assert_mp_result(mp_list_del(list, -1), 0);
    assert_mp_result(mp_list_pop(list, 1, &got), 0);
    assert_owned_is(&got, MP(2));
    assert_mp_result(mp_list_extend(list, MP_TUPLE(1, 1)), 0);
    assert_mp_result(mp_list_extend(list, MP_EMPTY_LIST), 0);
    assert_list_is(list, MP_LIST("first", 1, 3, 1, 1));
    assert_mp_result(mp_list_index(list, MP(1)), 1);
    assert_mp_result(mp_list_count(list, MP(1)), 3);
    assert_mp_result(mp_list_contains(list, MP("first")), 1);
    assert_mp_result(mp_list_contains(list, MP("last")), 0);
    assert_mp_result(mp_list_len(list), 5);
    assert_mp_result(mp_list_imul(list, -1), 0);
    assert_mp_result(mp_list_len(list), 0);
    mp_list_destroy(list);
}

static void sorts(mp_obj items, bool reverse, mp_obj expected)
{
    mp_list *list = new_list(manager, items);
    assert_mp_result(mp_list_sort(list, reverse), 0);
    assert_list_is(list, expected);
    mp_list_destroy(list);
}

static void test_a_list_sorts_as_python_does(void **state)
{
    (void)state;
    mp_obj got;
    sorts(MP_EMPTY_LIST, false, MP_EMPTY_LIST);
    sorts(MP_LIST(3, -1, 2.5, MP_TRUE), false, MP_LIST(-1, 1, 2.5, 3));
    sorts(MP_LIST(3, -1, 2.5), true, MP_LIST(3, 2.5, -1));
    sorts(MP_LIST("b", "a", "", "B", "\u00e9", "ab"), false,
          MP_LIST("", "B", "a", "ab", "b", "\u00e9"));
    sorts(MP_LIST(MP_TUPLE(2, "a"), MP_TUPLE(1, "b"), MP_TUPLE(1), MP_TUPLE(1, "a")), false,
          MP_LIST(MP_TUPLE(1), MP_TUPLE(1, "a"), MP_TUPLE(1, "b"), MP_TUPLE(2, "a")));
    sorts(MP_LIST(MP_LIST(2), MP_LIST(1, 5)), false, MP_LIST(MP_LIST(1, 5), MP_LIST(2)));
    sorts(MP_LIST(MP_BYTES("b", 1), MP_BYTES("a\0", 2), MP_BYTES("a", 1)), false,
          MP_LIST(MP_BYTES("a", 1), MP_BYTES("a\0", 2), MP_BYTES("b", 1)));
    /* equal ones keep their order, backwards too */
    mp_list *list = new_list(manager, MP_LIST(1, 0, 1.0, MP_TRUE));
    for (int reverse = 1; reverse >= 0; reverse--) {
        assert_mp_result(mp_list_sort(list, reverse), 0);
        assert_mp_result(mp_list_copy(list, &got), 0);
        size_t first = reverse ? 0 : 1;
        check(mp_obj_item(got, first)->type == MP_TYPE_INT);
        check(mp_obj_item(got, first + 1)->type == MP_TYPE_FLOAT);
        check(mp_obj_item(got, first + 2)->type == MP_TYPE_BOOL);
        mp_obj_free(&got);
    }
    mp_list_destroy(list);
}

static void slices(mp_list *list, long from, long to, mp_obj expected)
{
    mp_obj got;
    assert_mp_result(mp_list_slice(list, from, to, &got), 0);
    assert_owned_is(&got, expected);
}

static void test_a_list_is_sliced_as_in_python(void **state)
{
    (void)state;
    mp_list *list = new_list(manager, MP("abcde"));
    slices(list, 1, 3, MP_LIST("b", "c"));
    slices(list, 0, LONG_MAX, MP_LIST("a", "b", "c", "d", "e"));
    slices(list, LONG_MIN, LONG_MAX, MP_LIST("a", "b", "c", "d", "e"));
    slices(list, -2, LONG_MAX, MP_LIST("d", "e"));
    slices(list, -4, -2, MP_LIST("b", "c"));
    slices(list, 3, 3, MP_EMPTY_LIST);
    slices(list, 4, 1, MP_EMPTY_LIST);
    slices(list, 5, 9, MP_EMPTY_LIST);
    mp_list_destroy(list);
}

static void test_a_list_has_the_operators_of_pythons_proxy(void **state)
{
    (void)state;
    mp_list *list = new_list(manager, MP_LIST(1, 2));
    mp_proxy *proxy = mp_list_proxy(list);
    assert_call(proxy, "__mul__", MP_TUPLE(2), MP_LIST(1, 2, 1, 2));
    assert_call(proxy, "__rmul__", MP_TUPLE(0), MP_EMPTY_LIST);
    assert_call(proxy, "__add__", MP_TUPLE(MP_LIST(3)), MP_LIST(1, 2, 3));
    assert_call(proxy, "__contains__", MP_TUPLE(2), MP_TRUE);
    assert_call(proxy, "__len__", MP_NONE, MP(2));
    assert_call(proxy, "pop", MP_NONE, MP(2));
    assert_call(proxy, "index", MP_TUPLE(1, 0), MP(0));
    assert_call_with(proxy, "sort", MP_NONE, MP_DICT("reverse", MP_TRUE), MP_NONE);
    assert_list_is(list, MP_LIST(1));
    mp_list_destroy(list);
}

/* ---- Namespace ------------------------------------------------------------------------------- */

static void test_a_namespace_has_attributes(void **state)
{
    (void)state;
    mp_obj got;
    mp_namespace *ns;
    assert_mp_result(mp_manager_namespace(manager, MP_DICT("x", 1, "y", MP_LIST(2)), &ns), 0);
    assert_mp_result(mp_namespace_get(ns, "y", &got), 0);
    assert_owned_is(&got, MP_LIST(2));
    assert_mp_result(mp_namespace_set(ns, "x", MP_DICT("any", "value")), 0);
    assert_mp_result(mp_namespace_set(ns, "name with spaces", MP(3)), 0);
    assert_mp_result(mp_namespace_get(ns, "name with spaces", &got), 0);
    assert_owned_is(&got, MP(3));
    assert_call(mp_namespace_proxy(ns), "__getattribute__", MP_TUPLE("x"), MP_DICT("any", "value"));
    assert_call(mp_namespace_proxy(ns), "__setattr__", MP_TUPLE("z", 9), MP_NONE);
    assert_call(mp_namespace_proxy(ns), "__delattr__", MP_TUPLE("x"), MP_NONE);
    assert_mp_error(mp_namespace_get(ns, "x", &got), MP_EATTR);
    assert_mp_result(mp_namespace_get(ns, "z", &got), 0);
    assert_owned_is(&got, MP(9));
    mp_namespace_destroy(ns);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        served_test("values of every kind come back as they went",
                    test_values_of_every_kind_come_back_as_they_went),
        served_test("what is got is a copy", test_what_is_got_is_a_copy),
        served_test("a dict keeps the order in which keys came",
                    test_a_dict_keeps_the_order_in_which_keys_came),
        served_test("a dict gives, sets and pops", test_a_dict_gives_sets_and_pops),
        served_test("equal keys are one key", test_equal_keys_are_one_key),
        served_test("a large dict stays right", test_a_large_dict_stays_right),
        served_test("a list is changed in every way", test_a_list_is_changed_in_every_way),
        served_test("a list sorts as Python does", test_a_list_sorts_as_python_does),
        served_test("a list is sliced as in Python", test_a_list_is_sliced_as_in_python),
        served_test("a list has the operators of Python's proxy",
                    test_a_list_has_the_operators_of_pythons_proxy),
        served_test("a namespace has attributes", test_a_namespace_has_attributes),
    };
    return managers_run("Managed containers", tests);
}
