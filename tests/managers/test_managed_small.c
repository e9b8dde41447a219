/* Namespace, Value and Array, called as the server calls them. */
#include "host.h"

#include "managers/typecode.h"

#include <errno.h>
#include <limits.h>

/* ---- Namespace ---------------------------------------------------------------------------- */

static void test_a_namespace_has_the_attributes_it_is_given(void **state)
{
    struct mp__managed *ns = host_create(&mp__type_namespace, MP_NONE, MP_DICT("y", 2, "x", "one"));
    (void)state;
    check_call(ns, "__getattribute__", MP_TUPLE("x"), "'one'");
    check_call(ns, "__setattr__", MP_TUPLE("_hidden", 3), "None");
    check_call(ns, "__setattr__", MP_TUPLE("x", MP_LIST(1)), "None");
    check_call(ns, "__str__", MP_NONE, "'Namespace(x=[1], y=2)'");
    check_call(ns, "__getattribute__", MP_TUPLE("_hidden"), "3");
    check_call(ns, "#GETVALUE", MP_NONE, "multiprocessing.managers.Namespace()");
    check(mp_obj_equal(host_answer().items[MP__OPAQUE_STATE],
                       MP_DICT("y", 2, "x", MP_LIST(1), "_hidden", 3)));
    check(host_answer().reserved[0] == 1);
    check_call(ns, "__delattr__", MP_TUPLE("x"), "None");
    check_refusal(ns, "__getattribute__", MP_TUPLE("x"), MP_EATTR,
                  "'Namespace' object has no attribute 'x'");
    check_refusal(ns, "__delattr__", MP_TUPLE("x"), MP_EATTR,
                  "'Namespace' object has no attribute 'x'");
    check_refusal(ns, "__getattribute__", MP_TUPLE(5), MP_ETYPE,
                  "attribute name must be string, not 'int'");
    check_refusal(ns, "__setattr__", MP_TUPLE(5, 1), MP_ETYPE,
                  "attribute name must be string, not 'int'");
    check_call(ns, "__delattr__", MP_TUPLE("y"), "None");
    check_call(ns, "__str__", MP_NONE, "'Namespace()'");
    host_destroy(ns);
    check_nothing_left();
}

static void test_a_namespace_prints_its_texts_in_order(void **state)
{
    struct mp__managed *ns =
        host_create(&mp__type_namespace, MP_NONE,
                    MP_DICT("ab", 1, "a", 2, "a1", 3, "B", "q'", "\xc3\xa9", 1.5));
    (void)state;
    /* '=' sorts before letters and behind figures, which Python's sorting of the texts shows */
    check_call(ns, "__str__", MP_NONE, "'Namespace(B=\"q\\'\", a1=3, a=2, ab=1, \xc3\xa9=1.5)'");
    host_destroy(ns);
    check_no_object(&mp__type_namespace, MP_TUPLE(1), MP_DICT("a", 1), MP_ETYPE,
                    "expected 0 to 0 arguments, got 1");
    check_nothing_left();
}

/* ---- Value -------------------------------------------------------------------------------- */

static void test_a_value_is_anything_whatever_its_typecode(void **state)
{
    struct mp__managed *value = host_create(&mp__type_value, MP_TUPLE("i", 5), MP_NONE);
    (void)state;
    check_call(value, "get", MP_NONE, "5");
    check_call(value, "__str__", MP_NONE, "\"Value('i', 5)\"");
    check_call(value, "set", MP_TUPLE(MP_LIST("a", "b")), "None");
    check_call(value, "get", MP_NONE, "['a', 'b']");
    check_call(value, "#GETVALUE", MP_NONE, "multiprocessing.managers.Value()");
    check(mp_obj_equal(host_answer().items[MP__OPAQUE_STATE],
                       MP_DICT("_typecode", "i", "_value", MP_LIST("a", "b"))));
    host_check_call(value, "set", MP_NONE, MP_DICT("value", 6), "None", __FILE__, __LINE__);
    check_call(value, "get", MP_NONE, "6");
    check_refusal(value, "set", MP_NONE, MP_ETYPE, "missing a required argument: 'value'");
    check_refusal(value, "set", MP_TUPLE(1, 2), MP_ETYPE, "expected 1 to 1 arguments, got 2");
    check_refusal(value, "get", MP_TUPLE(1), MP_ETYPE, "expected 0 to 0 arguments, got 1");
    host_keep_limit(0);
    check_refusal(value, "set", MP_TUPLE(1), -ENOMEM, "");
    host_keep_limit(-1);
    check_call(value, "get", MP_NONE, "6");
    host_destroy(value);
    check_nothing_left();
}

static void test_a_value_takes_its_arguments_by_name(void **state)
{
    const struct mp__type *type = &mp__type_value;
    struct mp__managed *value =
        host_create(type, MP_TUPLE("d"), MP_DICT("lock", MP_FALSE, "value", 1.5));
    (void)state;
    check_call(value, "__str__", MP_NONE, "\"Value('d', 1.5)\"");
    host_destroy(value);
    check_no_object(type, MP_TUPLE("i"), MP_NONE, MP_ETYPE, "missing a required argument: 'value'");
    check_no_object(type, MP_TUPLE("i", 1), MP_DICT("value", 2), MP_ETYPE,
                    "got multiple values for argument 'value'");
    check_no_object(type, MP_TUPLE("i", 1), MP_DICT("key", 2), MP_ETYPE,
                    "got an unexpected keyword argument 'key'");
    check_no_object(type, MP_TUPLE("i", 1, 2, 3), MP_NONE, MP_ETYPE,
                    "expected 2 to 3 arguments, got 4");
    host_keep_limit(1);
    check_no_object(type, MP_TUPLE("i", 1), MP_NONE, -ENOMEM, "");
    host_keep_limit(-1);
    check_nothing_left();
}

/* ---- Array -------------------------------------------------------------------------------- */

static struct mp__managed *array_of(const char *typecode, mp_obj sequence)
{
    struct mp__managed *array = host_create(&mp__type_array, MP_TUPLE(typecode, sequence), MP_NONE);
    check(array != NULL);
    return array;
}

static void test_numbers_are_got_and_set_by_index(void **state)
{
    struct mp__managed *array = array_of("i", MP_LIST(1, 2, MP_TRUE));
    (void)state;
    check_call(array, "__len__", MP_NONE, "3");
    check_call(array, "__getitem__", MP_TUPLE(-1), "1");
    check_call(array, "__setitem__", MP_TUPLE(0, -7), "None");
    check_call(array, "__getitem__", MP_TUPLE(MP_FALSE), "-7");
    check_call(array, "__str__", MP_NONE, "\"array('i', [-7, 2, 1])\"");
    check_refusal(array, "__getitem__", MP_TUPLE(3), MP_EINDEX, "array index out of range");
    check_refusal(array, "__setitem__", MP_TUPLE(-4, 1), MP_EINDEX,
                  "array assignment index out of range");
    check_refusal(array, "__getitem__", MP_TUPLE("a"), MP_ETYPE, "array indices must be integers");
    check_refusal(array, "__setitem__", MP_TUPLE(0, "a"), MP_ETYPE,
                  "'str' object cannot be interpreted as an integer");
    check_refusal(array, "__setitem__", MP_TUPLE(0, 1.0), MP_ETYPE,
                  "'float' object cannot be interpreted as an integer");
    check_refusal(array, "__setitem__", MP_TUPLE(0, INT64_MAX), MP_EOVERFLOW,
                  "signed integer is greater than maximum");
    host_destroy(array);
    check_nothing_left();
}

static void test_slices_travel_as_python_sends_arrays(void **state)
{
    struct mp__managed *array = array_of("h", RANGE(0, 6, 1));
    mp_obj list;
    (void)state;
    check_call(array, "__getitem__", MP_TUPLE(SLICE(1, 3, 1)),
               "array.array('h', b'\\x01\\x00\\x02\\x00')");
    assert_mp_error(mp__typecode_list(&(mp_obj){0}, &list), MP_ETYPE);
    assert_mp_ok(host_call(array, "__getitem__", MP_TUPLE(SLICE(MP_NONE, MP_NONE, -2)), MP_NONE));
    mp_obj slice = host_answer();
    assert_mp_ok(mp__typecode_list(&slice, &list));
    check(mp_obj_equal(list, MP_LIST(5, 3, 1)));
    mp_obj_free(&list);
    check_call(array, "__setitem__", MP_TUPLE(SLICE(0, 4, 1), MP_LIST(-1, -2)), "None");
    check_call(array, "__setitem__", MP_TUPLE(SLICE(MP_NONE, MP_NONE, 3), MP_TUPLE(7, 8)), "None");
    check_call(array, "__str__", MP_NONE, "\"array('h', [7, -2, 4, 8])\"");
    mp_obj of[] = {MP("array"), MP("array"), MP_TUPLE("h", MP_BYTES("\x05\x00", 2)), MP_NONE};
    check_call(array, "__setitem__", MP_TUPLE(SLICE(1, 1, 1), mp__obj_opaque(of, false)), "None");
    check_call(array, "__str__", MP_NONE, "\"array('h', [7, 5, -2, 4, 8])\"");
    check_call(array, "__setitem__", MP_TUPLE(SLICE(1, 5, 1), MP_EMPTY_LIST), "None");
    check_call(array, "#GETVALUE", MP_NONE, "array.array('h', b'\\x07\\x00')");
    check_call(array, "__getitem__", MP_TUPLE(SLICE(9, 9, 1)), "array.array('h', b'')");
    check_refusal(array, "__setitem__", MP_TUPLE(SLICE(0, 1, 1), 5), MP_ETYPE,
                  "can only assign array (not \"int\") to array slice");
    check_refusal(array, "__setitem__", MP_TUPLE(SLICE(0, 1, 2), MP_LIST(1, 2)), MP_EINVAL,
                  "attempt to assign array of size 2 to extended slice of size 1");
    of[2] = MP_TUPLE("b", MP_BYTES("", 0));
    check_refusal(array, "__setitem__", MP_TUPLE(SLICE(0, 1, 1), mp__obj_opaque(of, false)),
                  MP_ETYPE, "bad argument type for built-in operation");
    check_refusal(array, "__getitem__", MP_TUPLE(SLICE(0, 1, 0)), MP_EINVAL,
                  "slice step cannot be zero");
    host_destroy(array);
    check_nothing_left();
}

static void test_nothing_in_the_place_of_an_extended_slice_deletes_it(void **state)
{
    static const struct {
        int64_t step;
        const char *left;
    } cases[] = {{2, "\"array('i', [1, 3, 5])\""},
                 {-2, "\"array('i', [0, 2, 4])\""},
                 {-1, "\"array('i')\""},
                 {5, "\"array('i', [1, 2, 3, 4])\""}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct mp__managed *array = array_of("i", RANGE(0, 6, 1));
        check_call(array, "__setitem__",
                   MP_TUPLE(SLICE(MP_NONE, MP_NONE, cases[i].step), MP_EMPTY_LIST), "None");
        check_call(array, "__str__", MP_NONE, cases[i].left);
        check_call(array, "__setitem__", MP_TUPLE(SLICE(9, 9, 2), MP_EMPTY_LIST), "None");
        check_call(array, "__str__", MP_NONE, cases[i].left);
        host_destroy(array);
    }
    check_nothing_left();
}

static void test_each_typecode_has_its_range(void **state)
{
    static const struct {
        const char *typecode;
        int64_t least, most;
        const char *below, *above;
    } codes[] = {
        {"b", -128, 127, "signed char is less than minimum", "signed char is greater than maximum"},
        {"B", 0, 255, "unsigned byte integer is less than minimum",
         "unsigned byte integer is greater than maximum"},
        {"h", -32768, 32767, "signed short integer is less than minimum",
         "signed short integer is greater than maximum"},
        {"H", 0, 65535, "unsigned short is less than minimum",
         "unsigned short is greater than maximum"},
        {"i", INT32_MIN, INT32_MAX, "signed integer is less than minimum",
         "signed integer is greater than maximum"},
        {"I", 0, UINT32_MAX, "can't convert negative value to unsigned int",
         "unsigned int is greater than maximum"},
        {"q", INT64_MIN, INT64_MAX, NULL, NULL},
        {"Q", 0, INT64_MAX, "can't convert negative int to unsigned", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        struct mp__managed *array = array_of(codes[i].typecode, MP_TUPLE(0));
        const int64_t ends[] = {codes[i].least, codes[i].most};
        for (int end = 0; end < 2; end++) {
            assert_mp_ok(host_call(array, "__setitem__", MP_TUPLE(0, ends[end]), MP_NONE));
            assert_mp_ok(host_call(array, "__getitem__", MP_TUPLE(0), MP_NONE));
            check(host_answer().type == MP_TYPE_INT && host_answer().i == ends[end]);
        }
        if (codes[i].below != NULL)
            check_refusal(array, "__setitem__", MP_TUPLE(0, ends[0] - 1), MP_EOVERFLOW,
                          codes[i].below);
        if (codes[i].above != NULL)
            check_refusal(array, "__setitem__", MP_TUPLE(0, ends[1] + 1), MP_EOVERFLOW,
                          codes[i].above);
        host_destroy(array);
    }
    struct mp__managed *array = array_of("b", MP_TUPLE(0));
    check_refusal(array, "__setitem__", MP_TUPLE(0, 40000), MP_EOVERFLOW,
                  "signed short integer is greater than maximum");
    host_destroy(array);
    array = array_of("l", MP_TUPLE(LONG_MIN, LONG_MAX));
    check_call(array, "__len__", MP_NONE, "2");
    host_destroy(array);
    check_nothing_left();
}

static void test_floats_are_cut_to_their_size(void **state)
{
    struct mp__managed *array = array_of("f", MP_LIST(0.1, 1, 1e300));
    (void)state;
    check_call(array, "__str__", MP_NONE, "\"array('f', [0.10000000149011612, 1.0, inf])\"");
    check_refusal(array, "__setitem__", MP_TUPLE(0, "a"), MP_ETYPE, "must be real number, not str");
    host_destroy(array);
    array = array_of("d", MP_LIST(0.1, MP_TRUE));
    check_call(array, "__str__", MP_NONE, "\"array('d', [0.1, 1.0])\"");
    host_destroy(array);
    check_nothing_left();
}

static void test_an_array_is_made_as_python_makes_one(void **state)
{
    const struct mp__type *type = &mp__type_array;
    struct mp__managed *array = array_of("i", MP_BYTES("\x01\x00\x00\x00\xff\xff\xff\xff", 8));
    (void)state;
    check_call(array, "__str__", MP_NONE, "\"array('i', [1, -1])\"");
    assert_mp_ok(host_call(array, "#GETVALUE", MP_NONE, MP_NONE));
    mp_obj whole;
    assert_mp_ok(mp_obj_copy(host_answer(), &whole));
    host_destroy(array);
    array = array_of("b", whole); /* of another typecode: number by number */
    mp_obj_free(&whole);
    check_call(array, "__str__", MP_NONE, "\"array('b', [1, -1])\"");
    host_destroy(array);
    array = host_create(type, MP_TUPLE("b"), MP_DICT("sequence", "", "lock", MP_NONE));
    check(array == NULL);
    array = host_create(type, MP_NONE, MP_DICT("typecode", "b", "sequence", MP_EMPTY_LIST));
    check_call(array, "__str__", MP_NONE, "\"array('b')\"");
    host_destroy(array);
    check_no_object(type, MP_TUPLE("u", ""), MP_NONE, MP_EINVAL,
                    "bad typecode (must be b, B, h, H, i, I, l, L, q, Q, f or d)");
    check_no_object(type, MP_TUPLE(5, ""), MP_NONE, MP_ETYPE,
                    "array() argument 1 must be a unicode character, not int");
    check_no_object(type, MP_TUPLE("i", 5), MP_NONE, MP_ETYPE, "'int' object is not iterable");
    check_no_object(type, MP_TUPLE("i", "abc"), MP_NONE, MP_ETYPE,
                    "cannot use a str to initialize an array with typecode 'i'");
    check_no_object(type, MP_TUPLE("i", MP_BYTES("abc", 3)), MP_NONE, MP_EINVAL,
                    "bytes length not a multiple of item size");
    check_no_object(type, MP_TUPLE("i", MP_LIST(1, "a")), MP_NONE, MP_ETYPE,
                    "'str' object cannot be interpreted as an integer");
    check_nothing_left();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("Namespace: it has the attributes it is given",
                     test_a_namespace_has_the_attributes_it_is_given),
        support_test("Namespace: it prints its texts in order",
                     test_a_namespace_prints_its_texts_in_order),
        support_test("Value: it is anything, whatever its typecode",
                     test_a_value_is_anything_whatever_its_typecode),
        support_test("Value: it takes its arguments by name",
                     test_a_value_takes_its_arguments_by_name),
        support_test("Array: numbers are got and set by index",
                     test_numbers_are_got_and_set_by_index),
        support_test("Array: slices travel as Python sends arrays",
                     test_slices_travel_as_python_sends_arrays),
        support_test("Array: nothing in the place of an extended slice deletes it",
                     test_nothing_in_the_place_of_an_extended_slice_deletes_it),
        support_test("Array: each typecode has its range", test_each_typecode_has_its_range),
        support_test("Array: floats are cut to their size", test_floats_are_cut_to_their_size),
        support_test("Array: it is made as Python makes one",
                     test_an_array_is_made_as_python_makes_one),
    };
    return support_run("small types", tests);
}
