/* What Python's print and repr show. */
#include "check_objects.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void test_containers_print_as_in_python(void **state)
{
    (void)state;
    const mp_obj two[] = {MP(1), MP("b")};
    check_repr(MP_LIST(1, "b"), "[1, 'b']");
    check_repr(MP_TUPLE(1), "(1,)");
    check_repr(MP_TUPLE(1, 2), "(1, 2)");
    check_repr(MP_EMPTY_TUPLE, "()");
    check_repr(MP_DICT("a", 1, 2.0, MP_NONE), "{'a': 1, 2.0: None}");
    check_repr(MP_EMPTY_DICT, "{}");
    check_repr(MP_SET("a"), "{'a'}");
    check_repr(MP_EMPTY_SET, "set()");
    check_repr(mp_obj_frozenset(two, 2), "frozenset({1, 'b'})");
    check_repr(mp_obj_frozenset(NULL, 0), "frozenset()");
}

static void test_scalars_print_as_in_python(void **state)
{
    (void)state;
    check_repr(MP_LIST(MP_NONE, MP_TRUE, MP_FALSE, 0, -1), "[None, True, False, 0, -1]");
    check_repr(MP_LIST(1.0, 1e16, 1e-5, 0.30000000000000004, -0.0),
               "[1.0, 1e+16, 1e-05, 0.30000000000000004, -0.0]");
    check_repr(MP_LIST((double)NAN, (double)INFINITY, -(double)INFINITY), "[nan, inf, -inf]");
    check_repr(MP_BYTES("it's \"\n\x80", 8), "b'it\\'s \"\\n\\x80'");
}

static void test_strs_are_escaped_as_in_python(void **state)
{
    (void)state;
    check_repr(MP(""), "''");
    check_repr(MP("it's"), "\"it's\"");
    check_repr(MP("both ' and \""), "'both \\' and \"'");
    check_repr(MP("tab\t nl\n cr\r bs\\ esc\x1b del\x7f"),
               "'tab\\t nl\\n cr\\r bs\\\\ esc\\x1b del\\x7f'");
    check_repr(MP_STRN("a\0b", 3), "'a\\x00b'");
    check_repr(MP("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80"),
               "'\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80'");
    check_repr(MP("\xc2\x80 \xc2\xa0 \xc2\xad"), "'\\x80 \\xa0 \\xad'");
    check_repr(MP("\xe2\x80\xa8 \xef\xbb\xbf \xee\x80\x80"), "'\\u2028 \\ufeff \\ue000'");
    check_repr(MP("\xf3\xb0\x80\x80 \xf4\x8f\xbf\xbf"), "'\\U000f0000 \\U0010ffff'");
    check_repr(MP("\xed\xa0\x80\xed\xbf\xbf"), "'\\ud800\\udfff'");
    check_repr(MP("\xff\xc3"), "'\\udcff\\udcc3'");
    check_repr(MP("\xc0\x80 \xf4\x90\x80\x80"), "'\\udcc0\\udc80 \\udcf4\\udc90\\udc80\\udc80'");
}

static void check_printed(int (*print)(mp_obj, FILE *), mp_obj o, const char *expected)
{
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    check(out != NULL);
    assert_mp_ok(print(o, out));
    check(fclose(out) == 0);
    assert_string_equal(text, expected);
    free(text);
}

static void test_print_shows_a_str_bare(void **state)
{
    (void)state;
    check_printed(mp_obj_print, MP("it's\n"), "it's\n");
    check_printed(mp_obj_println, MP("x"), "x\n");
    check_printed(mp_obj_println, MP_LIST("x"), "['x']\n");
    check_printed(mp_obj_println, MP(1.5), "1.5\n");
    check_printed(mp_obj_print, MP(""), "");
}

static void test_print_says_when_the_stream_fails(void **state)
{
    (void)state;
    assert_mp_error(mp_obj_print(MP(1), NULL), MP_EINVAL);
    FILE *full = fopen("/dev/full", "w");
    if (full == NULL) {
        print_message("SKIPPED: there is no /dev/full here\n");
        skip();
    }
    check(setvbuf(full, NULL, _IONBF, 0) == 0);
    check(mp_obj_println(MP("text"), full) < 0);
    check(fclose(full) == 0);
}

static void test_printing_ends_at_the_depth_limit(void **state)
{
    (void)state;
    static mp_obj itself[1];
    itself[0] = mp_obj_list(itself, 1);
    char *text = mp_obj_repr(itself[0]);
    check(text != NULL && strlen(text) == 2 * MP__DEPTH + 3);
    check(strncmp(text + MP__DEPTH, "...]", 4) == 0);
    free(text);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("print: containers print as in Python", test_containers_print_as_in_python),
        support_test("print: scalars print as in Python", test_scalars_print_as_in_python),
        support_test("print: strs are escaped as in Python", test_strs_are_escaped_as_in_python),
        support_test("print: a str is shown bare", test_print_shows_a_str_bare),
        support_test("print: it says when the stream fails", test_print_says_when_the_stream_fails),
        support_test("print: it ends at the depth limit", test_printing_ends_at_the_depth_limit),
    };
    return support_run("objects printed", tests);
}
