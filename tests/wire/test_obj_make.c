/* Literals, copies, formatted strings and their end. */
#include "check_objects.h"

#include <stdlib.h>
#include <string.h>

static void test_every_type_of_c_is_wrapped(void **state)
{
    (void)state;
    char c = 'a';
    signed char sc = -1;
    unsigned char uc = 255;
    short s = -2;
    unsigned short us = 65535;
    unsigned u = 4000000000U;
    long l = -3;
    unsigned long ul = 5;
    long long ll = INT64_MIN;
    unsigned long long ull = INT64_MAX;
    float f = 0.5F;
    bool b = true;
    const char *text = "const";
    char array[] = "array";
    check_repr(MP(c), "97");
    check_repr(MP_LIST(sc, uc, s, us), "[-1, 255, -2, 65535]");
    check_repr(MP_LIST(u, l, ul, ll, ull),
               "[4000000000, -3, 5, -9223372036854775808, 9223372036854775807]");
    check_repr(MP_LIST(f, 0.1, b, text, array, "literal"),
               "[0.5, 0.1, True, 'const', 'array', 'literal']");
    check_repr(MP(MP(7)), "7");
    check_repr(MP_LIST(MP_NONE, MP_TRUE, MP_FALSE), "[None, True, False]");
    check_repr(mp_obj_str(NULL), "None");
}

static void test_literals_nest(void **state)
{
    (void)state;
    check_repr(MP_LIST(1, "two", MP_LIST(3), MP_TUPLE(4.5, MP_TUPLE("x"))),
               "[1, 'two', [3], (4.5, ('x',))]");
    check_repr(MP_DICT(1, "1", "2", MP_DICT("k", MP_SET(1, 2))), "{1: '1', '2': {'k': {1, 2}}}");
    check_repr(MP_LIST(MP_EMPTY_LIST, MP_EMPTY_TUPLE, MP_EMPTY_DICT, MP_EMPTY_SET),
               "[[], (), {}, set()]");
    check_repr(MP_LIST(MP_BYTES("\0\xff", 2), MP_STRN("abc", 2)), "[b'\\x00\\xff', 'ab']");
    mp_obj dict = MP_DICT("a", 1, "b", 2);
    check(dict.type == MP_TYPE_DICT && dict.len == 2 && dict.owned == 0);
    check(dict.items[3].i == 2);
}

static void test_a_literal_holds_64_items(void **state)
{
    (void)state;
#define EIGHT 1, 2, 3, 4, 5, 6, 7, 8
    mp_obj o = MP_LIST(EIGHT, EIGHT, EIGHT, EIGHT, EIGHT, EIGHT, EIGHT, EIGHT);
    check(o.len == 64 && o.items[63].i == 8);
    mp_obj d = MP_DICT(EIGHT, EIGHT, EIGHT, EIGHT, EIGHT, EIGHT, EIGHT, EIGHT);
    check(d.len == 32 && d.items[63].i == 8);
}

static void test_an_unsigned_that_does_not_fit_is_poisoned(void **state)
{
    (void)state;
    mp_obj o = MP(UINT64_MAX);
    check(o.type == 255);
    check_repr(o, "18446744073709551615");
    check(MP((uint64_t)INT64_MAX).type == MP_TYPE_INT);
}

static void test_a_copy_is_one_block_of_its_own(void **state)
{
    (void)state;
    char text[] = "text";
    mp_obj copy;
    assert_mp_ok(
        mp_obj_copy(MP_DICT("k", MP_LIST(text, MP_BYTES("\0b", 2)), text, MP_NONE), &copy));
    memset(text, 'x', 4);
    check_repr(copy, "{'k': ['text', b'\\x00b'], 'text': None}");
    check(copy.owned == 1 && copy.items[1].owned == 0);
    const mp_obj *list = mp_obj_lookup(copy, MP("k"));
    check(list != NULL && list->items[0].s[4] == '\0' && list->items[1].bytes[2] == '\0');
    mp_obj_free(&copy);
    check(copy.type == MP_TYPE_NONE && copy.owned == 0);
    mp_obj_free(&copy);
    mp_obj_free(NULL);
}

static void test_copies_of_every_type_are_equal(void **state)
{
    (void)state;
    const mp_obj all[] = {MP_NONE,       MP_TRUE,        MP(1),           MP(1.5),
                          MP(""),        MP("text"),     MP_BYTES("", 0), MP_BYTES("b", 1),
                          MP_EMPTY_LIST, MP_EMPTY_TUPLE, MP_EMPTY_DICT,   MP_EMPTY_SET,
                          MP_LIST(1),    MP_TUPLE(1),    MP_SET(1),       MP_DICT(1, 2)};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        mp_obj copy;
        assert_mp_ok(mp_obj_copy(all[i], &copy));
        check(mp_obj_equal(copy, all[i]) && copy.type == all[i].type && copy.owned);
        mp_obj view = mp_obj_view(copy);
        check(!view.owned && mp_obj_equal(view, copy));
        mp_obj_free(&view);
        check(mp_obj_equal(copy, all[i]));
        mp_obj_free(&copy);
    }
}

static void test_copy_refuses_what_is_none(void **state)
{
    (void)state;
    mp_obj out;
    assert_mp_error(mp_obj_copy(MP(1), NULL), MP_EINVAL);
    mp_obj unknown = {.type = 100};
    assert_mp_error(mp_obj_copy(unknown, &out), MP_EINVAL);
    static mp_obj levels[MP__DEPTH + 1];
    for (size_t i = 1; i <= MP__DEPTH; i++)
        levels[i] = mp_obj_list(&levels[i - 1], 1);
    assert_mp_ok(mp_obj_copy(levels[MP__DEPTH], &out));
    check(mp_obj_equal(out, levels[MP__DEPTH]));
    mp_obj_free(&out);
    mp_obj deeper = mp_obj_list(&levels[MP__DEPTH], 1);
    assert_mp_error(mp_obj_copy(deeper, &out), MP_EOVERFLOW);
}

static void test_format_prints_into_an_owned_str(void **state)
{
    (void)state;
    mp_obj o;
    assert_mp_ok(mp_obj_format(&o, "%s-%d", "Process", 3));
    check(o.owned && o.type == MP_TYPE_STR && o.len == 9 && strcmp(o.s, "Process-3") == 0);
    mp_obj_free(&o);
    assert_mp_ok(mp_obj_format(&o, "%s", ""));
    check(o.owned && o.len == 0 && *o.s == '\0');
    mp_obj_free(&o);
    assert_mp_error(mp_obj_format(NULL, "x"), MP_EINVAL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("objects: every type of C is wrapped", test_every_type_of_c_is_wrapped),
        support_test("objects: literals nest", test_literals_nest),
        support_test("objects: a literal holds 64 items", test_a_literal_holds_64_items),
        support_test("objects: an unsigned that does not fit is poisoned",
                     test_an_unsigned_that_does_not_fit_is_poisoned),
        support_test("objects: a copy is one block of its own",
                     test_a_copy_is_one_block_of_its_own),
        support_test("objects: copies of every type are equal",
                     test_copies_of_every_type_are_equal),
        support_test("objects: copy refuses what is none", test_copy_refuses_what_is_none),
        support_test("objects: format prints into an owned str",
                     test_format_prints_into_an_owned_str),
    };
    return support_run("objects made", tests);
}
