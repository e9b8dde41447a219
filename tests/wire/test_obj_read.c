/* Items, keys, numbers, texts, and tuples by a format. */
#include "check_objects.h"

#include <limits.h>
#include <string.h>

static void test_items_are_found_by_number(void **state)
{
    (void)state;
    mp_obj list = MP_LIST(1, "two"), dict = MP_DICT("k", 1, "l", 2);
    check(mp_obj_item(list, 0)->i == 1);
    check(strcmp(mp_obj_item(list, 1)->s, "two") == 0);
    check(mp_obj_item(list, 2) == NULL);
    check(mp_obj_item(MP("text"), 0) == NULL && mp_obj_item(MP(1), 0) == NULL);
    check(mp_obj_item(dict, 3)->i == 2);
    check(mp_obj_item(dict, 4) == NULL);
    check(mp_obj_item(MP_EMPTY_TUPLE, 0) == NULL);
}

static void test_keys_are_found_by_equality(void **state)
{
    (void)state;
    mp_obj dict = MP_DICT(1, "int", "1", "str", MP_TUPLE(1, 2), "tuple", 1, "last");
    check(strcmp(mp_obj_lookup(dict, MP(1.0))->s, "last") == 0);
    check(strcmp(mp_obj_lookup(dict, MP("1"))->s, "str") == 0);
    check(strcmp(mp_obj_lookup(dict, MP_TUPLE(MP_TRUE, 2.0))->s, "tuple") == 0);
    check(mp_obj_lookup(dict, MP(2)) == NULL);
    check(mp_obj_lookup(MP_LIST(1), MP(1)) == NULL);
    check(mp_obj_lookup(MP_EMPTY_DICT, MP_NONE) == NULL);
}

static void test_numbers_are_read_upwards_only(void **state)
{
    (void)state;
    int64_t i = 0;
    double f = 0;
    bool b = false;
    assert_mp_ok(mp_obj_as_int(MP(INT64_MIN), &i));
    check(i == INT64_MIN);
    assert_mp_ok(mp_obj_as_int(MP_TRUE, &i));
    check(i == 1);
    assert_mp_error(mp_obj_as_int(MP(1.0), &i), MP_ETYPE);
    assert_mp_error(mp_obj_as_int(MP("1"), &i), MP_ETYPE);
    assert_mp_error(mp_obj_as_int(MP(UINT64_MAX), &i), MP_EOVERFLOW);
    check(i == 1);
    assert_mp_ok(mp_obj_as_float(MP(2), &f));
    check(f >= 2 && f <= 2);
    assert_mp_ok(mp_obj_as_float(MP_TRUE, &f));
    assert_mp_ok(mp_obj_as_float(MP(0.25), &f));
    check(f >= 0.25 && f <= 0.25);
    assert_mp_error(mp_obj_as_float(MP_NONE, &f), MP_ETYPE);
    assert_mp_ok(mp_obj_as_bool(MP_TRUE, &b));
    check(b);
    assert_mp_error(mp_obj_as_bool(MP(0), &b), MP_ETYPE);
    assert_mp_ok(mp_obj_as_int(MP(1), NULL));
    assert_mp_ok(mp_obj_as_float(MP(1), NULL));
    assert_mp_ok(mp_obj_as_bool(MP_TRUE, NULL));
}

static void test_a_str_is_read_with_its_length(void **state)
{
    (void)state;
    const char *s = NULL;
    size_t n = 0;
    assert_mp_ok(mp_obj_as_str(MP_STRN("a\0b", 3), &s, &n));
    check(n == 3 && s[2] == 'b');
    assert_mp_ok(mp_obj_as_str(MP(""), NULL, NULL));
    assert_mp_error(mp_obj_as_str(MP_BYTES("a", 1), &s, &n), MP_ETYPE);
    check(strcmp(mp_error_detail(), "bytes where str was expected") == 0);
}

static void test_a_tuple_is_unpacked_by_a_format(void **state)
{
    (void)state;
    int i = 0;
    int64_t q = 0;
    double d = 0;
    bool b = false;
    const char *s = NULL;
    const void *y = NULL;
    size_t n = 0;
    mp_obj o;
    mp_obj all = MP_TUPLE(-5, INT64_MAX, 2, MP_TRUE, "text", MP_BYTES("\0x", 2), MP_LIST(1));
    assert_mp_ok(mp_obj_unpack(all, "iqdbsyO", &i, &q, &d, &b, &s, &y, &n, &o));
    check(i == -5 && q == INT64_MAX && d >= 2 && d <= 2 && b && strcmp(s, "text") == 0);
    check(n == 2 && memcmp(y, "\0x", 2) == 0);
    check_repr(o, "[1]");
    assert_mp_ok(mp_obj_unpack(all, "iqdbsyO", NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL));
    assert_mp_ok(mp_obj_unpack(MP_LIST("x", 2.5), "sd", &s, &d));
    check(strcmp(s, "x") == 0);
    assert_mp_ok(mp_obj_unpack(MP(7), "i", &i));
    check(i == 7);
    assert_mp_ok(mp_obj_unpack(MP_EMPTY_TUPLE, ""));
}

static void test_unpack_writes_all_or_nothing(void **state)
{
    (void)state;
    int i = 3, j = 4;
    const char *s = "old";
    assert_mp_error(mp_obj_unpack(MP_TUPLE(1, "2"), "ii", &i, &j), MP_ETYPE);
    assert_mp_error(mp_obj_unpack(MP_TUPLE(1, INT64_MAX), "ii", &i, &j), MP_EOVERFLOW);
    assert_mp_error(mp_obj_unpack(MP_TUPLE(1, (int64_t)INT_MIN - 1), "ii", &i, &j), MP_EOVERFLOW);
    assert_mp_error(mp_obj_unpack(MP_TUPLE(1, 2, 3), "ii", &i, &j), MP_EINVAL);
    assert_mp_error(mp_obj_unpack(MP_TUPLE(1), "ii", &i, &j), MP_EINVAL);
    assert_mp_error(mp_obj_unpack(MP_TUPLE(1, 2), "iz", &i, &j), MP_EINVAL);
    assert_mp_error(mp_obj_unpack(MP_TUPLE(1, MP_STRN("a\0b", 3)), "is", &i, &s), MP_EINVAL);
    assert_mp_error(mp_obj_unpack(MP_TUPLE(1, MP_BYTES("a", 1)), "is", &i, &s), MP_ETYPE);
    assert_mp_error(mp_obj_unpack(MP(1), NULL), MP_EINVAL);
    assert_mp_error(mp_obj_unpack(MP("x"), "y", &s, NULL), MP_ETYPE);
    check(i == 3 && j == 4 && strcmp(s, "old") == 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("read: items are found by number", test_items_are_found_by_number),
        support_test("read: keys are found by equality", test_keys_are_found_by_equality),
        support_test("read: numbers are read upwards only", test_numbers_are_read_upwards_only),
        support_test("read: a str is read with its length", test_a_str_is_read_with_its_length),
        support_test("read: a tuple is unpacked by a format", test_a_tuple_is_unpacked_by_a_format),
        support_test("read: unpack writes all or nothing", test_unpack_writes_all_or_nothing),
    };
    return support_run("objects read", tests);
}
