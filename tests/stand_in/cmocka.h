/* The part of cmocka that the tests use, for a libc or a machine that has no cmocka: option
 * LIBMP_CMOCKA. What is not here the tests can do without. */
#ifndef TESTS_STAND_IN_CMOCKA_H
#define TESTS_STAND_IN_CMOCKA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct CMUnitTest {
    const char *name;
    void (*test_func)(void **state);
    int (*setup_func)(void **state);
    int (*teardown_func)(void **state);
    void *initial_state;
};

/* Yields how many failed; a test that was skipped has not. */
#define cmocka_run_group_tests_name(name, tests, setup, teardown) \
    stand_in_run((name), (tests), sizeof(tests) / sizeof *(tests), (setup), (teardown))
int stand_in_run(const char *group, const struct CMUnitTest *tests, size_t n,
                 int (*setup)(void **state), int (*teardown)(void **state));

#define fail_msg(...) (print_error(__VA_ARGS__), _fail(__FILE__, __LINE__))
#define skip() stand_in_skip()
#define assert_true(condition) \
    stand_in_check((condition) ? true : false, #condition, __FILE__, __LINE__)
#define assert_false(condition) \
    stand_in_check((condition) ? false : true, "not " #condition, __FILE__, __LINE__)
#define assert_non_null(pointer) assert_true((pointer) != NULL)
#define assert_ptr_equal(a, b) assert_true((const void *)(a) == (const void *)(b))
#define assert_int_equal(a, b) \
    stand_in_equal((uintmax_t)(a), (uintmax_t)(b), #a " == " #b, __FILE__, __LINE__)
#define assert_string_equal(a, b) \
    stand_in_same((a), (b), #a " is the text of " #b, __FILE__, __LINE__)

_Noreturn void _fail(const char *file, int line);
_Noreturn void stand_in_skip(void);
void stand_in_check(bool holds, const char *expr, const char *file, int line);
void stand_in_equal(uintmax_t a, uintmax_t b, const char *expr, const char *file, int line);
void stand_in_same(const char *a, const char *b, const char *expr, const char *file, int line);
void print_message(const char *format, ...) __attribute__((format(printf, 1, 2)));
void print_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
