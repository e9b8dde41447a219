/* The managed dict, called as the server calls it. */
#include "host.h"

#include <errno.h>

static struct mp__managed *dict_of(mp_obj initial)
{
    struct mp__managed *dict = host_create(&mp__type_dict, MP_TUPLE(initial), MP_NONE);
    check(dict != NULL);
    return dict;
}

static void test_a_dict_is_made_as_python_makes_one(void **state)
{
    const struct {
        mp_obj args, kwargs;
        const char *expected;
    } cases[] = {
        {MP_NONE, MP_NONE, "{}"},
        {MP_TUPLE(MP_DICT("a", 1)), MP_NONE, "{'a': 1}"},
        {MP_TUPLE(MP_LIST(MP_TUPLE(1, 2), MP_LIST("x", "y"))), MP_NONE, "{1: 2, 'x': 'y'}"},
        {MP_TUPLE(MP_LIST("ab", "c\xc3\xa9")), MP_NONE, "{'a': 'b', 'c': '\xc3\xa9'}"},
        {MP_TUPLE(MP_LIST(RANGE(0, 4, 2), MP_DICT(5, 0, 6, 0))), MP_NONE, "{0: 2, 5: 6}"},
        {MP_TUPLE(MP_DICT("a", 1, "b", 2)), MP_DICT("b", 3, "c", 4), "{'a': 1, 'b': 3, 'c': 4}"},
        {MP_NONE, MP_DICT("x", MP_LIST(1, 2)), "{'x': [1, 2]}"},
        {MP_TUPLE(""), MP_NONE, "{}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct mp__managed *dict = host_create(&mp__type_dict, cases[i].args, cases[i].kwargs);
        check(dict != NULL);
        check_call(dict, "#GETVALUE", MP_NONE, cases[i].expected);
        host_destroy(dict);
        check_nothing_left();
    }
}

static void test_what_makes_no_dict_is_refused_and_leaves_nothing(void **state)
{
    const struct mp__type *type = &mp__type_dict;
    (void)state;
    check_no_object(type, MP_TUPLE(5), MP_NONE, MP_ETYPE, "'int' object is not iterable");
    check_no_object(type, MP_TUPLE(MP_NONE), MP_NONE, MP_ETYPE,
                    "'NoneType' object is not iterable");
    check_no_object(type, MP_TUPLE(MP_LIST(MP_TUPLE(1, 2), 5)), MP_NONE, MP_ETYPE,
                    "cannot convert dictionary update sequence element #1 to a sequence");
    check_no_object(type, MP_TUPLE(MP_LIST(MP_TUPLE(1, 2), MP_TUPLE(1))), MP_NONE, MP_EINVAL,
                    "dictionary update sequence element #1 has length 1; 2 is required");
    check_no_object(type, MP_TUPLE("ab"), MP_NONE, MP_EINVAL,
                    "dictionary update sequence element #0 has length 1; 2 is required");
    check_no_object(type, MP_TUPLE(MP_LIST(MP_TUPLE("a", 1), MP_TUPLE(MP_EMPTY_LIST, 1))), MP_NONE,
                    MP_ETYPE, "unhashable type: 'list'");
    check_no_object(type, MP_TUPLE(MP_EMPTY_DICT, MP_EMPTY_DICT), MP_NONE, MP_ETYPE,
                    "expected 0 to 1 arguments, got 2");
    host_keep_limit(3);
    check_no_object(type, MP_TUPLE(MP_DICT("a", 1, "b", 2)), MP_NONE, -ENOMEM, "");
    host_keep_limit(-1);
    check_nothing_left();
}

static void test_keys_are_set_found_and_deleted(void **state)
{
    struct mp__managed *dict = dict_of(MP_DICT("a", 1));
    (void)state;
    check_call(dict, "__setitem__", MP_TUPLE("b", MP_LIST(1, 2)), "None");
    check_call(dict, "__setitem__", MP_TUPLE(1, "int"), "None");
    check_call(dict, "__setitem__", MP_TUPLE(MP_TRUE, "bool"), "None");
    check_call(dict, "__getitem__", MP_TUPLE("a"), "1");
    check_call(dict, "__getitem__", MP_TUPLE("b"), "[1, 2]");
    check_call(dict, "__getitem__", MP_TUPLE(1.0), "'bool'");
    check_call(dict, "__contains__", MP_TUPLE("b"), "True");
    check_call(dict, "__contains__", MP_TUPLE("c"), "False");
    check_call(dict, "__len__", MP_NONE, "3");
    check_call(dict, "__delitem__", MP_TUPLE("a"), "None");
    check_call(dict, "get", MP_TUPLE("a"), "None");
    check_call(dict, "get", MP_TUPLE("a", 7), "7");
    check_call(dict, "get", MP_TUPLE("b", 7), "[1, 2]");
    check_call(dict, "setdefault", MP_TUPLE("b", 3), "[1, 2]");
    check_call(dict, "setdefault", MP_TUPLE("a", 3), "3");
    check_call(dict, "setdefault", MP_TUPLE("n"), "None");
    check_call(dict, "copy", MP_NONE, "{'b': [1, 2], 1: 'bool', 'a': 3, 'n': None}");
    check_call(dict, "__str__", MP_NONE, "\"{'b': [1, 2], 1: 'bool', 'a': 3, 'n': None}\"");
    host_destroy(dict);
    check_nothing_left();
}

static void test_a_key_that_is_absent_comes_back_with_the_error(void **state)
{
    struct mp__managed *dict = dict_of(MP_EMPTY_DICT);
    (void)state;
    check_refusal(dict, "__getitem__", MP_TUPLE("a"), MP_EKEY, "'a'");
    check_refusal(dict, "__delitem__", MP_TUPLE(MP_TUPLE(1, "x")), MP_EKEY, "(1, 'x')");
    check_refusal(dict, "pop", MP_TUPLE(5), MP_EKEY, "5");
    check_refusal(dict, "pop", MP_TUPLE(MP_EMPTY_LIST), MP_EKEY, "[]");
    check_refusal(dict, "popitem", MP_NONE, MP_EKEY, "'popitem(): dictionary is empty'");
    check_call(dict, "__setitem__", MP_TUPLE(1, 1), "None");
    check_refusal(dict, "__getitem__", MP_TUPLE("a"), MP_EKEY, "'a'");
    host_destroy(dict);
    check_nothing_left();
}

static void test_unhashable_keys_and_wrong_arguments_are_refused(void **state)
{
    static const char *const of_keys[] = {"__getitem__", "__delitem__", "__contains__",
                                          "get",         "pop",         "setdefault"};
    struct mp__managed *dict = dict_of(MP_DICT("a", 1));
    (void)state;
    for (size_t i = 0; i < sizeof of_keys / sizeof of_keys[0]; i++)
        check_refusal(dict, of_keys[i], MP_TUPLE(MP_TUPLE(1, MP_EMPTY_LIST)), MP_ETYPE,
                      "unhashable type: 'list'");
    check_refusal(dict, "__setitem__", MP_TUPLE(MP_EMPTY_DICT, 1), MP_ETYPE,
                  "unhashable type: 'dict'");
    check_refusal(dict, "__setitem__", MP_TUPLE(1), MP_ETYPE, "expected 2 to 2 arguments, got 1");
    check_refusal(dict, "__len__", MP_TUPLE(1), MP_ETYPE, "expected 0 to 0 arguments, got 1");
    host_check_refusal(dict, "get", MP_TUPLE("a"), MP_DICT("default", 1), MP_ETYPE,
                       "the method takes no keyword arguments", __FILE__, __LINE__);
    check_refusal(dict, "update", MP_TUPLE(5), MP_ETYPE, "'int' object is not iterable");
    check_refusal(dict, "fromkeys", MP_TUPLE(5), MP_ETYPE, "'int' object is not iterable");
    check_refusal(dict, "fromkeys", MP_TUPLE(MP_LIST(MP_EMPTY_LIST)), MP_ETYPE,
                  "unhashable type: 'list'");
    check_refusal(dict, "__or__", MP_TUPLE(MP_EMPTY_LIST), MP_ETYPE,
                  "unsupported operand type(s) for |: 'dict' and 'list'");
    check_refusal(dict, "__ror__", MP_TUPLE(1), MP_ETYPE,
                  "unsupported operand type(s) for |: 'int' and 'dict'");
    check_call(dict, "copy", MP_NONE, "{'a': 1}");
    host_destroy(dict);
    check_nothing_left();
}

static void test_what_is_popped_outlives_its_entry(void **state)
{
    struct mp__managed *dict =
        dict_of(MP_DICT("a", MP_LIST("one", "two"), "b", "text", MP_TUPLE("c"), 3));
    (void)state;
    check_call(dict, "pop", MP_TUPLE("a"), "['one', 'two']");
    check_call(dict, "pop", MP_TUPLE("a", MP_LIST("other")), "['other']");
    check_call(dict, "popitem", MP_NONE, "(('c',), 3)");
    check_call(dict, "popitem", MP_NONE, "('b', 'text')");
    check(host_kept() == 0);
    check_call(dict, "__len__", MP_NONE, "0");
    check_call(dict, "pop", MP_TUPLE("a", 5), "5");
    host_destroy(dict);
    check_nothing_left();
}

static void test_keys_values_and_items_come_in_order(void **state)
{
    struct mp__managed *dict = dict_of(MP_EMPTY_DICT);
    (void)state;
    check_call(dict, "keys", MP_NONE, "[]");
    check_call(dict, "items", MP_NONE, "[]");
    check_call(dict, "update", MP_TUPLE(MP_DICT("x", 1, "y", 2, "z", 3)), "None");
    check_call(dict, "__delitem__", MP_TUPLE("x"), "None");
    check_call(dict, "__setitem__", MP_TUPLE("x", 4), "None");
    check_call(dict, "keys", MP_NONE, "['y', 'z', 'x']");
    check_call(dict, "values", MP_NONE, "[2, 3, 4]");
    check_call(dict, "items", MP_NONE, "[('y', 2), ('z', 3), ('x', 4)]");
    check_call(dict, "__reversed__", MP_NONE, "builtins.iter(['x', 'z', 'y'])");
    check_call(dict, "clear", MP_NONE, "None");
    check_call(dict, "copy", MP_NONE, "{}");
    check(host_kept() == 0);
    host_destroy(dict);
    check_nothing_left();
}

static void test_dicts_are_joined(void **state)
{
    struct mp__managed *dict = dict_of(MP_DICT("a", 1, "b", 2));
    (void)state;
    check_call(dict, "__or__", MP_TUPLE(MP_DICT("b", 3, "c", 4)), "{'a': 1, 'b': 3, 'c': 4}");
    check_call(dict, "__ror__", MP_TUPLE(MP_DICT("b", 3, "c", 4)), "{'b': 2, 'c': 4, 'a': 1}");
    check_call(dict, "__or__", MP_TUPLE(MP_EMPTY_DICT), "{'a': 1, 'b': 2}");
    check_call(dict, "__ior__", MP_TUPLE(MP_LIST(MP_TUPLE("a", 5))), "{'a': 5, 'b': 2}");
    check_call(dict, "fromkeys", MP_TUPLE("aba"), "{'a': None, 'b': None}");
    check_call(dict, "fromkeys", MP_TUPLE(RANGE(3, 0, -1), "x"), "{3: 'x', 2: 'x', 1: 'x'}");
    host_check_call(dict, "update", MP_NONE, MP_DICT("k", 1), "None", __FILE__, __LINE__);
    check_call(dict, "copy", MP_NONE, "{'a': 5, 'b': 2, 'k': 1}");
    /* the pairs before the one that is refused stay */
    check_refusal(dict, "update", MP_TUPLE(MP_LIST("xy", MP_TUPLE(MP_SET(1), 1))), MP_ETYPE,
                  "unhashable type: 'set'");
    check_call(dict, "get", MP_TUPLE("x"), "'y'");
    host_destroy(dict);
    check_nothing_left();
}

static void test_a_dict_holds_proxies_and_is_updated_from_them(void **state)
{
    struct mp__managed *dict = dict_of(MP_DICT("a", 1)), *other = dict_of(MP_DICT("a", 2, "b", 3));
    (void)state;
    check_call(dict, "__setitem__", MP_TUPLE("other", host_proxy(other)), "None");
    check(other->references == 2);
    check_call(dict, "update", MP_TUPLE(host_proxy(other)), "None");
    check_call(dict, "update", MP_TUPLE(host_proxy(dict)), "None");
    check_call(dict, "fromkeys", MP_TUPLE(host_proxy(other), 0), "{'a': 0, 'b': 0}");
    host_destroy(other);
    check(host_objects() == 2);
    check_call(dict, "keys", MP_NONE, "['a', 'other', 'b']");
    check_call(dict, "pop", MP_TUPLE("a"), "2");
    assert_mp_ok(host_call(dict, "pop", MP_TUPLE("other"), MP_NONE));
    check(host_objects() == 1);
    host_destroy(dict);
    check_nothing_left();
}

/* ---- iterators ---------------------------------------------------------------------------- */

static struct mp__managed *iterator_of(struct mp__managed *container)
{
    assert_mp_ok(host_call(container, "__iter__", MP_NONE, MP_NONE));
    check(host_answer_object() != NULL);
    return host_answer_object();
}

static void test_an_iterator_gives_each_key_once_and_then_ends(void **state)
{
    struct mp__managed *dict = dict_of(MP_DICT("a", 1, "b", 2, "c", 3));
    struct mp__managed *iterator = iterator_of(dict);
    (void)state;
    host_destroy(dict); /* it is held */
    check(host_objects() == 2);
    check_call(iterator, "__next__", MP_NONE, "'a'");
    check_call(iterator, "__next__", MP_NONE, "'b'");
    check_call(iterator, "__next__", MP_NONE, "'c'");
    check_refusal(iterator, "__next__", MP_NONE, MP_EEOF, "");
    check(host_objects() == 1);
    check_refusal(iterator, "__next__", MP_NONE, MP_EEOF, "");
    assert_mp_error(host_call(iterator, "send", MP_TUPLE(1), MP_NONE), MP_EATTR);
    host_destroy(iterator);
    check_nothing_left();
}

static void test_an_iterator_refuses_a_dict_of_another_size(void **state)
{
    static const char text[] = "dictionary changed size during iteration";
    struct mp__managed *dict = dict_of(MP_DICT("a", 1, "b", 2));
    struct mp__managed *iterator = iterator_of(dict);
    (void)state;
    check_call(iterator, "__next__", MP_NONE, "'a'");
    check_call(dict, "__setitem__", MP_TUPLE("a", 5), "None");
    check_call(iterator, "__next__", MP_NONE, "'b'");
    check_call(dict, "__setitem__", MP_TUPLE("c", 5), "None");
    check_refusal(iterator, "__next__", MP_NONE, MP_ESTATE, text);
    check_call(dict, "__delitem__", MP_TUPLE("c"), "None");
    check_refusal(iterator, "__next__", MP_NONE, MP_ESTATE, text);
    host_destroy(iterator);
    check(dict->references == 1);
    host_destroy(dict);
    check_nothing_left();
}

static void test_an_iterator_goes_on_where_entries_have_moved_together(void **state)
{
    struct mp__managed *dict = dict_of(MP_DICT("x", 0, "a", 1, "y", 2, "b", 3, "c", 4));
    (void)state;
    check_call(dict, "__delitem__", MP_TUPLE("x"), "None");
    check_call(dict, "__delitem__", MP_TUPLE("y"), "None");
    struct mp__managed *iterator = iterator_of(dict);
    check_call(iterator, "__next__", MP_NONE, "'a'");
    check_call(dict, "copy", MP_NONE, "{'a': 1, 'b': 3, 'c': 4}");
    check_call(iterator, "__next__", MP_NONE, "'b'");
    check_call(iterator, "__next__", MP_NONE, "'c'");
    check_refusal(iterator, "__next__", MP_NONE, MP_EEOF, "");
    host_destroy(iterator);
    host_destroy(dict);
    check_nothing_left();
}

static void test_where_there_is_no_memory_the_dict_is_as_before(void **state)
{
    struct mp__managed *dict = dict_of(MP_DICT("a", 1));
    (void)state;
    host_keep_limit(0);
    check_refusal(dict, "__setitem__", MP_TUPLE("a", 2), -ENOMEM, "");
    check_refusal(dict, "__setitem__", MP_TUPLE("b", 2), -ENOMEM, "");
    check_refusal(dict, "setdefault", MP_TUPLE("b", 2), -ENOMEM, "");
    host_keep_limit(1);
    check_refusal(dict, "setdefault", MP_TUPLE("b", 2), -ENOMEM, "");
    host_keep_limit(-1);
    check_call(dict, "copy", MP_NONE, "{'a': 1}");
    host_destroy(dict);
    check_nothing_left();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("dict: it is made as Python makes one",
                     test_a_dict_is_made_as_python_makes_one),
        support_test("dict: what makes none is refused and leaves nothing",
                     test_what_makes_no_dict_is_refused_and_leaves_nothing),
        support_test("dict: keys are set, found and deleted", test_keys_are_set_found_and_deleted),
        support_test("dict: a key that is absent comes back with the error",
                     test_a_key_that_is_absent_comes_back_with_the_error),
        support_test("dict: unhashable keys and wrong arguments are refused",
                     test_unhashable_keys_and_wrong_arguments_are_refused),
        support_test("dict: what is popped outlives its entry",
                     test_what_is_popped_outlives_its_entry),
        support_test("dict: keys, values and items come in order",
                     test_keys_values_and_items_come_in_order),
        support_test("dict: dicts are joined", test_dicts_are_joined),
        support_test("dict: it holds proxies, and is updated from them",
                     test_a_dict_holds_proxies_and_is_updated_from_them),
        support_test("dict: an iterator gives each key once, then ends",
                     test_an_iterator_gives_each_key_once_and_then_ends),
        support_test("dict: an iterator refuses a dict of another size",
                     test_an_iterator_refuses_a_dict_of_another_size),
        support_test("dict: an iterator goes on where entries have moved together",
                     test_an_iterator_goes_on_where_entries_have_moved_together),
        support_test("dict: where there is no memory it is as before",
                     test_where_there_is_no_memory_the_dict_is_as_before),
    };
    return support_run("dict", tests);
}
