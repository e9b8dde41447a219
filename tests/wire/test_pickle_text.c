/* The lines of protocol 0. */
#include "check_objects.h"

#include <locale.h>

static void test_numbers_are_read_from_lines(void **state)
{
    (void)state;
    check_loads("I42\n.", "42");
    check_loads("I-42\n.", "-42");
    check_loads("I01\n.", "True");
    check_loads("I00\n.", "False");
    check_loads("I1\n.", "1");
    check_loads("L9223372036854775807L\n.", "9223372036854775807");
    check_loads("L-9223372036854775808L\n.", "-9223372036854775808");
    check_loads("L5\n.", "5");
    check_loads("F1.5\n.", "1.5");
    check_loads("F-1e+16\n.", "-1e+16");
    check_loads("F1e-05\n.", "1e-05");
    check_loads("Finf\n.", "inf");
    check_loads("F-inf\n.", "-inf");
    check_loads("Fnan\n.", "nan");
    check_loads("F5\n.", "5.0");
}

static void test_lines_that_are_no_numbers_are_refused(void **state)
{
    (void)state;
    check_refused("L9223372036854775808L\n.", MP_EOVERFLOW);
    check_refused("L-9223372036854775809L\n.", MP_EOVERFLOW);
    check_refused("I100000000000000000000000000\n.", MP_EOVERFLOW);
    check_refused("I\n.", MP_EPICKLE);
    check_refused("I-\n.", MP_EPICKLE);
    check_refused("I1x\n.", MP_EPICKLE);
    check_refused("L1LL\n.", MP_EPICKLE);
    check_refused("I42", MP_EPICKLE);
    check_refused("F\n.", MP_EPICKLE);
    check_refused("F0x1p3\n.", MP_EPICKLE);
    check_refused("F1.5.5\n.", MP_EPICKLE);
    check_refused("F 1.5\n.", MP_EPICKLE);
    check_refused("F1,5\n.", MP_EPICKLE);
    check_refused("Fnan(1)\n.", MP_EPICKLE);
    check_refused("F1e5e\n.", MP_EPICKLE);
    check_refused("F11111111111111111111111111111111111111111111111111111111111\n.", MP_EPICKLE);
}

static void test_strs_are_decoded_from_lines(void **state)
{
    (void)state;
    check_loads("Vabc\n.", "'abc'");
    check_loads("V\n.", "''");
    check_loads("V\xe4\\u20ac\\U0001f600\n.", "'\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80'");
    check_loads("V\\u005cn\\u000a\n.", "'\\\\n\\n'");
    check_loads("Va\\n\\\\u0041\n.", "'a\\\\n\\\\\\\\u0041'");
    check_loads("V\\\n.", "'\\\\'");
    check_loads("V\\ud800\n.", "'\\ud800'");
    check_refused("V\\u12\n.", MP_EPICKLE);
    check_refused("V\\u12g4\n.", MP_EPICKLE);
    check_refused("V\\U00110000\n.", MP_EPICKLE);
    check_refused("Vabc", MP_EPICKLE);
}

static void test_the_memo_is_used_from_lines(void **state)
{
    (void)state;
    check_loads("Va\np7\n0g7\n.", "'a'");
    check_loads("(lp0\nVa\np1\nag1\na.", "['a', 'a']");
    check_loads("(dp0\nVk\nI1\ns.", "{'k': 1}");
    check_refused("g0\n.", MP_EPICKLE);
    check_refused("Np-1\n.", MP_EPICKLE);
    check_refused("Np99999999999\n.", MP_EPICKLE);
    check_refused("Npx\n.", MP_EPICKLE);
}

static void test_the_locale_changes_nothing(void **state)
{
    (void)state;
    static const char *const comma[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "fr_FR"};
    bool found = false;
    for (size_t i = 0; i < sizeof comma / sizeof comma[0] && !found; i++)
        found = setlocale(LC_NUMERIC, comma[i]) != NULL;
    if (!found) {
        print_message("SKIPPED: no locale with another decimal point here\n");
        skip();
    }
    check_loads("F1.5\n.", "1.5");
    check_refused("F1,5\n.", MP_EPICKLE);
    check(setlocale(LC_NUMERIC, "C") != NULL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("protocol 0: numbers are read from lines", test_numbers_are_read_from_lines),
        support_test("protocol 0: lines that are no numbers are refused",
                     test_lines_that_are_no_numbers_are_refused),
        support_test("protocol 0: strs are decoded from lines", test_strs_are_decoded_from_lines),
        support_test("protocol 0: the memo is used from lines", test_the_memo_is_used_from_lines),
        support_test("protocol 0: the locale changes nothing", test_the_locale_changes_nothing),
    };
    return support_run("protocol 0", tests);
}
