/* Runs tests one after another, as cmocka does; a failed assert jumps back here. */
#include "cmocka.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum outcome { RAN, FAILED, SKIPPED };

static jmp_buf runner;
static enum outcome outcome_of_jump;

static _Noreturn void jump(enum outcome outcome)
{
    outcome_of_jump = outcome;
    longjmp(runner, 1);
}

void _fail(const char *file, int line)
{
    print_error("%s:%d: error: Failure!\n", file, line);
    jump(FAILED);
}

void stand_in_skip(void)
{
    jump(SKIPPED);
}

void stand_in_check(bool holds, const char *expr, const char *file, int line)
{
    if (holds)
        return;
    print_error("%s does not hold\n", expr);
    _fail(file, line);
}

void stand_in_equal(uintmax_t a, uintmax_t b, const char *expr, const char *file, int line)
{
    if (a == b)
        return;
    print_error("%s: %" PRIdMAX " (%#" PRIxMAX ") and %" PRIdMAX " (%#" PRIxMAX ")\n", expr,
                (intmax_t)a, a, (intmax_t)b, b);
    _fail(file, line);
}

void stand_in_same(const char *a, const char *b, const char *expr, const char *file, int line)
{
    if (strcmp(a, b) == 0)
        return;
    print_error("%s: \"%s\" and \"%s\"\n", expr, a, b);
    _fail(file, line);
}

void print_message(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    (void)vprintf(format, list);
    va_end(list);
}

void print_error(const char *format, ...)
{
    va_list list;
    (void)fflush(stdout);
    va_start(list, format);
    (void)vfprintf(stderr, format, list);
    va_end(list);
}

static bool fixture_works(int (*fixture)(void **state), void **state)
{
    if (fixture == NULL)
        return true;
    if (setjmp(runner) != 0)
        return false;
    return fixture(state) == 0;
}

static enum outcome body_run(void (*body)(void **state), void **state)
{
    if (setjmp(runner) != 0)
        return outcome_of_jump;
    body(state);
    return RAN;
}

static enum outcome test_run(const struct CMUnitTest *test)
{
    void *state = test->initial_state;
    if (!fixture_works(test->setup_func, &state))
        return FAILED;
    enum outcome outcome = body_run(test->test_func, &state);
    return fixture_works(test->teardown_func, &state) ? outcome : FAILED;
}

int stand_in_run(const char *group, const struct CMUnitTest *tests, size_t n,
                 int (*setup)(void **state), int (*teardown)(void **state))
{
    static const char *const word[] = {
        [RAN] = "       OK ", [FAILED] = "  FAILED  ", [SKIPPED] = "  SKIPPED "};
    void *state = NULL;
    int failed = 0;
    print_message("[==========] %s: Running %zu test(s).\n", group, n);
    if (!fixture_works(setup, &state))
        return -1;
    for (size_t i = 0; i < n; i++) {
        print_message("[ RUN      ] %s\n", tests[i].name);
        (void)fflush(stdout);
        enum outcome outcome = test_run(&tests[i]);
        failed += outcome == FAILED;
        print_message("[%s] %s\n", word[outcome], tests[i].name);
    }
    if (!fixture_works(teardown, &state))
        failed++;
    print_message("[==========] %s: %zu test(s) run, %d failed.\n", group, n, failed);
    (void)fflush(stdout);
    return failed;
}
