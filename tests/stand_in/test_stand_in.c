/* The stand-in for cmocka fails each test that has to fail, and no other. */
#include "cmocka.h"

static bool torn_down;

static void test_a_number_differs(void **state)
{
    (void)state;
    assert_int_equal(1, -1);
}

static void test_a_text_differs(void **state)
{
    (void)state;
    assert_string_equal("one", "two");
}

static void test_a_condition_is_false(void **state)
{
    (void)state;
    assert_true(0);
}

static void test_a_condition_is_true(void **state)
{
    (void)state;
    assert_false(1);
}

static void test_a_pointer_is_null(void **state)
{
    (void)state;
    assert_non_null((void *)0);
}

static void test_pointers_differ(void **state)
{
    (void)state;
    assert_ptr_equal(state, &torn_down);
}

static void test_fails_by_itself(void **state)
{
    (void)state;
    fail_msg("%s", "that is all");
}

static void test_passes(void **state)
{
    (void)state;
    assert_int_equal(-1, -1);
    assert_string_equal("one", "one");
    assert_true(2);
    assert_false(0);
    assert_non_null(state);
    assert_ptr_equal(state, state);
}

static void test_is_skipped(void **state)
{
    (void)state;
    skip();
    assert_true(0);
}

static int refuse(void **state)
{
    (void)state;
    return -1;
}

static int tear_down(void **state)
{
    (void)state;
    torn_down = true;
    return 0;
}

int main(void)
{
    static const struct CMUnitTest red[] = {
        {"a number", test_a_number_differs, NULL, tear_down, NULL},
        {"a text", test_a_text_differs, NULL, NULL, NULL},
        {"a false condition", test_a_condition_is_false, NULL, NULL, NULL},
        {"a true condition", test_a_condition_is_true, NULL, NULL, NULL},
        {"a null pointer", test_a_pointer_is_null, NULL, NULL, NULL},
        {"two pointers", test_pointers_differ, NULL, NULL, NULL},
        {"by itself", test_fails_by_itself, NULL, NULL, NULL},
        {"its setup", test_passes, refuse, NULL, NULL},
        {"its teardown", test_passes, NULL, refuse, NULL},
    };
    static const struct CMUnitTest green[] = {
        {"a test that passes", test_passes, NULL, NULL, NULL},
        {"a test that is skipped", test_is_skipped, NULL, NULL, NULL},
    };
    int failed = cmocka_run_group_tests_name("All of these fail", red, NULL, NULL);
    if (failed != sizeof red / sizeof *red || !torn_down)
        return 1;
    if (cmocka_run_group_tests_name("None of these fails", green, NULL, NULL) != 0)
        return 2;
    return cmocka_run_group_tests_name("These do not begin", green, refuse, NULL) != 0 ? 0 : 3;
}
