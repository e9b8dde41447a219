/* Every opcode, what it holds, and how it may be wrong. */
#include "check_objects.h"

#include <stdlib.h>
#include <string.h>

static void test_ints_of_every_opcode(void **state)
{
    (void)state;
    check_loads("\x80\4K\xff.", "255");
    check_loads("\x80\4M\xff\xff.", "65535");
    check_loads("\x80\4J\xff\xff\xff\xff.", "-1");
    check_loads("\x80\4J\xff\xff\xff\x7f.", "2147483647");
    check_loads("\x80\4\x8a\0.", "0");
    check_loads("\x80\4\x8a\1\x80.", "-128");
    check_loads("\x80\4\x8a\10\xff\xff\xff\xff\xff\xff\xff\x7f.", "9223372036854775807");
    check_loads("\x80\4\x8a\10\0\0\0\0\0\0\0\x80.", "-9223372036854775808");
    check_loads("\x80\4\x8a\12\1\0\0\0\0\0\0\0\0\0.", "1");
    check_loads("\x80\4\x8a\12\xfe\xff\xff\xff\xff\xff\xff\xff\xff\xff.", "-2");
    check_loads("\x80\4\x8b\2\0\0\0\0\1.", "256");
    check_refused("\x80\4\x8a\11\0\0\0\0\0\0\0\x80\0.", MP_EOVERFLOW);
    check_refused("\x80\4\x8a\11\0\0\0\0\0\0\0\0\1.", MP_EOVERFLOW);
    check_refused("\x80\4\x8a\11\0\0\0\0\0\0\0\0\x80.", MP_EOVERFLOW);
    check_refused("\x80\4\x8b\xff\xff\xff\xff.", MP_EPICKLE);
}

static void test_other_scalars_of_every_opcode(void **state)
{
    (void)state;
    check_loads("\x80\4N.", "None");
    check_loads("\x80\4\x88.", "True");
    check_loads("\x80\4\x89.", "False");
    check_loads("\x80\4G\x3f\xf8\0\0\0\0\0\0.", "1.5");
    check_loads("\x80\4G\xff\xf0\0\0\0\0\0\0.", "-inf");
    check_loads("N.", "None");
    check_loads("\x80\5N.rest is ignored", "None");
    check_loads("\x80\4\x95\1\0\0\0\0\0\0\0N.", "None");
}

static void test_texts_of_every_opcode(void **state)
{
    (void)state;
    check_loads("\x80\4\x8c\2ab.", "'ab'");
    check_loads("\x80\4\x8c\0.", "''");
    check_loads("\x80\4X\2\0\0\0ab.", "'ab'");
    check_loads("\x80\4\x8d\2\0\0\0\0\0\0\0ab.", "'ab'");
    check_loads("\x80\4\x8c\3\xed\xa0\x80.", "'\\ud800'");
    check_loads("\x80\4"
                "C\2\xff\0.",
                "b'\\xff\\x00'");
    check_loads("\x80\4"
                "B\2\0\0\0ab.",
                "b'ab'");
    check_loads("\x80\4\x8e\2\0\0\0\0\0\0\0ab.", "b'ab'");
    check_loads("\x80\5\x96\2\0\0\0\0\0\0\0ab.", "b'ab'");
    check_refused("\x80\4\x8c\1\xff.", MP_EPICKLE);
    check_refused("\x80\4\x8c\2\xc0\x80.", MP_EPICKLE);
    check_refused("\x80\4\x8c\4\xf4\x90\x80\x80.", MP_EPICKLE);
    check_refused("\x80\4\x8d\xff\xff\xff\xff\xff\xff\xff\xff"
                  "ab.",
                  MP_EPICKLE);
    check_refused("\x80\5\x96\xff\xff\xff\xff\xff\xff\xff\x7f"
                  "ab.",
                  MP_EPICKLE);
    check_refused("\x80\4X\xff\xff\xff\xff"
                  "ab.",
                  MP_EPICKLE);
}

static void test_containers_of_every_opcode(void **state)
{
    (void)state;
    check_loads("\x80\4].", "[]");
    check_loads("\x80\4]K\1a.", "[1]");
    check_loads("\x80\4](K\1K\2e.", "[1, 2]");
    check_loads("\x80\4](K\1e(K\2e(e.", "[1, 2]");
    check_loads("(K\1K\2l.", "[1, 2]");
    check_loads("\x80\4).", "()");
    check_loads("\x80\4K\1\x85.", "(1,)");
    check_loads("\x80\4K\1K\2\x86.", "(1, 2)");
    check_loads("\x80\4K\1K\2K\3\x87.", "(1, 2, 3)");
    check_loads("\x80\4(K\1K\2K\3K\4t.", "(1, 2, 3, 4)");
    check_loads("(t.", "()");
    check_loads("\x80\4}.", "{}");
    check_loads("\x80\4}K\1K\2s.", "{1: 2}");
    check_loads("\x80\4}(K\1K\2K\3K\4u.", "{1: 2, 3: 4}");
    check_loads("(K\1K\2d.", "{1: 2}");
    check_loads("\x80\4\x8f.", "set()");
    check_loads("\x80\4\x8f(K\1K\2\x90.", "{1, 2}");
    check_loads("\x80\4(K\1\x91.", "frozenset({1})");
    check_loads("\x80\4(\x91.", "frozenset()");
}

static void test_containers_grow_wherever_they_stand(void **state)
{
    (void)state;
    /* two lists that grow in turn */
    check_loads("\x80\4]\x94]\x94\x86h\0K\1ah\1K\2ah\0K\3ah\1K\4ah\0K\5ah\1K\6a000000.",
                "([1, 3, 5], [2, 4, 6])");
    check_loads("\x80\4]\x94(h\0K\1a0K\7e.", "[1, 7]");
}

static void test_misplaced_opcodes_are_refused(void **state)
{
    (void)state;
    check_refused("", MP_EPICKLE);
    check_refused(".", MP_EPICKLE);
    check_refused("\x80\4", MP_EPICKLE);
    check_refused("\x80\6N.", MP_EPICKLE);
    check_refused("(.", MP_EPICKLE);
    check_refused("N(.", MP_EPICKLE);
    check_refused("a.", MP_EPICKLE);
    check_refused("K\1a.", MP_EPICKLE);
    check_refused("}K\1a.", MP_EPICKLE);
    check_refused(")K\1a.", MP_EPICKLE);
    check_refused("]K\1s.", MP_EPICKLE);
    check_refused("](K\1u.", MP_EPICKLE);
    check_refused("}(K\1u.", MP_EPICKLE);
    check_refused("(K\1d.", MP_EPICKLE);
    check_refused("](K\1\x90.", MP_EPICKLE);
    check_refused("e.", MP_EPICKLE);
    check_refused("(e.", MP_EPICKLE);
    check_refused("(K\1\x86.", MP_EPICKLE);
    check_refused("N(\x85.", MP_EPICKLE);
    check_refused("N(\x94.", MP_EPICKLE);
    check_refused("N(2.", MP_EPICKLE);
    check_refused("0.", MP_EPICKLE);
    check_refused("1.", MP_EPICKLE);
    check_refused("t.", MP_EPICKLE);
}

static void test_opcodes_of_foreign_worlds_are_refused(void **state)
{
    (void)state;
    check_refused("Pid\n.", MP_EPICKLE); /* persistent ids */
    check_refused("NQ.", MP_EPICKLE);
    check_refused("\x82\1.", MP_EPICKLE); /* extensions */
    check_refused("\x97.", MP_EPICKLE);   /* out-of-band buffers */
    check_refused("\x98.", MP_EPICKLE);
    check_refused("(i__main__\nC\n.", MP_EPICKLE); /* instances of old classes */
    check_refused("(c__main__\nC\no.", MP_EPICKLE);
    check_refused("S'str of Python 2'\n.", MP_EPICKLE);
    check_refused("\xf0"
                  "12345678"
                  "12345678"
                  "1234.",
                  MP_EPICKLE); /* a handle */
    check_refused("\xff.", MP_EPICKLE);
}

static void test_stack_and_memo_work_as_in_python(void **state)
{
    (void)state;
    check_loads("K\1K\2"
                "0.",
                "1");
    check_loads("K\1(K\2K\3"
                "1.",
                "1");
    check_loads("K\1(0.", "1");
    check_loads("K\1"
                "2\x86.",
                "(1, 1)");
    check_loads("\x80\4\x8c\1a\x94h\0\x86.", "('a', 'a')");
    check_loads("\x80\3X\1\0\0\0aq\5h\5\x86.", "('a', 'a')");
    check_loads("\x80\3X\1\0\0\0ar\5\0\0\0j\5\0\0\0\x86.", "('a', 'a')");
    check_loads("\x80\4]\x94h\0(K\1e.", "[1]");
    check_loads("\x80\4]\x94]\x94h\0(K\1eh\1\x87.", "([], [1], [])");
    check_refused("\x80\4h\0.", MP_EPICKLE);
    check_refused("\x80\3Nq\5h\4.", MP_EPICKLE);
    check_refused("\x80\3Nr\xff\xff\xff\xffj\xff\xff\xff\xff.", MP_EPICKLE);
}

static void test_received_texts_end_with_a_nul(void **state)
{
    (void)state;
    static const char whole[] = "\x80\4(\x8c\3abcC\2\1\2V\\u00e4x\nc_codecs\nencode\nX\2\0\0\0yz"
                                "X\6\0\0\0latin1\x86R\x8c\0t.";
    mp_obj o;
    assert_mp_ok(mp_obj_loads(&o, whole, sizeof whole - 1));
    check(o.len == 5);
    for (size_t i = 0; i < o.len; i++)
        check(o.items[i].s[o.items[i].len] == '\0');
    check_repr(o, "('abc', b'\\x01\\x02', '\xc3\xa4x', b'yz', '')");
    mp_obj_free(&o);
    assert_mp_ok(mp_obj_loads(&o, "\x8c\2ab.", 5));
    check(o.owned && strcmp(o.s, "ab") == 0);
    mp_obj_free(&o);
}

static void test_arguments_are_checked(void **state)
{
    (void)state;
    mp_obj o;
    assert_mp_error(mp_obj_loads(NULL, "N.", 2), MP_EINVAL);
    assert_mp_error(mp_obj_loads(&o, NULL, 2), MP_EINVAL);
    assert_mp_error(mp_obj_loads(&o, "N.", 0), MP_EPICKLE);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("loads: ints of every opcode", test_ints_of_every_opcode),
        support_test("loads: other scalars of every opcode", test_other_scalars_of_every_opcode),
        support_test("loads: texts of every opcode", test_texts_of_every_opcode),
        support_test("loads: containers of every opcode", test_containers_of_every_opcode),
        support_test("loads: containers grow wherever they stand",
                     test_containers_grow_wherever_they_stand),
        support_test("loads: misplaced opcodes are refused", test_misplaced_opcodes_are_refused),
        support_test("loads: opcodes of foreign worlds are refused",
                     test_opcodes_of_foreign_worlds_are_refused),
        support_test("loads: stack and memo work as in Python",
                     test_stack_and_memo_work_as_in_python),
        support_test("loads: received texts end with a NUL", test_received_texts_end_with_a_nul),
        support_test("loads: arguments are checked", test_arguments_are_checked),
    };
    return support_run("pickles read", tests);
}
