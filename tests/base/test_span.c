/* Seconds become nanoseconds, sizes are added and multiplied, and nothing overflows. */
#include "support/support.h"

#include "base/base.h"

#include <float.h>
#include <math.h>
#include <mp/timeout.h>

static int64_t span_of(double seconds)
{
    int64_t span = -1;
    assert_mp_result(mp__span_of(seconds, &span), 0);
    return span;
}

static void test_no_number_is_no_span(void **state)
{
    (void)state;
    int64_t span = 17;
    assert_mp_error(mp__span_of((double)NAN, &span), MP_EINVAL);
    assert_mp_error(mp__span_of(-(double)NAN, &span), MP_EINVAL);
    check(span == 17);
}

static void test_what_is_not_positive_is_no_time(void **state)
{
    (void)state;
    static const double none[] = {0.0, -0.0, -1.0, -DBL_MIN, -DBL_TRUE_MIN, -DBL_MAX, -1e9};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        check(span_of(none[i]) == 0);
    check(span_of(-MP_FOREVER) == 0);
    check(span_of(MP_NOWAIT) == 0);
}

static void test_seconds_are_counted_in_nanoseconds(void **state)
{
    (void)state;
    check(span_of(1.0) == MP__SECOND);
    check(span_of(0.5) == MP__SECOND / 2);
    check(span_of(2.25) == 2250 * MP__MS);
    check(span_of(1e-9) == 1);
    check(span_of(86400.0 * 365) == 86400 * 365 * MP__SECOND);
}

/* Less than the clock can count is still a time to wait, not "try once". */
static void test_the_tiniest_time_is_not_none(void **state)
{
    (void)state;
    static const double tiny[] = {DBL_TRUE_MIN, DBL_MIN, 1e-300, 1e-10, 0.9e-9};
    for (size_t i = 0; i < sizeof tiny / sizeof *tiny; i++)
        check(span_of(tiny[i]) == 1);
}

static void test_the_hugest_time_never_comes(void **state)
{
    (void)state;
    static const double huge[] = {1e10, 9.3e9, 1e18, 1e300, DBL_MAX};
    for (size_t i = 0; i < sizeof huge / sizeof *huge; i++)
        check(span_of(huge[i]) == MP__NEVER);
    check(span_of(MP_FOREVER) == MP__NEVER);
}

static void test_longer_is_never_less(void **state)
{
    (void)state;
    struct rng rng = rng_start(rng_seed());
    for (int i = 0; i < 20000; i++) {
        double a = ldexp((double)rng_next(&rng), (int)rng_below(&rng, 140) - 120);
        double b = a * (1.0 + (double)rng_below(&rng, 1000) / 1000.0);
        check(span_of(a) > 0);
        check(span_of(a) <= span_of(b));
    }
}

static void test_sizes_are_multiplied_or_refused(void **state)
{
    (void)state;
    size_t product = 99;
    check(mp__size_mul(0, SIZE_MAX, &product) && product == 0);
    check(mp__size_mul(SIZE_MAX, 0, &product) && product == 0);
    check(mp__size_mul(SIZE_MAX, 1, &product) && product == SIZE_MAX);
    check(mp__size_mul(SIZE_MAX / 3, 3, &product) && product == SIZE_MAX / 3 * 3);
    product = 99;
    check(!mp__size_mul(SIZE_MAX / 2 + 1, 2, &product));
    check(!mp__size_mul(SIZE_MAX, SIZE_MAX, &product));
    check(product == 99);
}

static void test_sizes_are_added_or_refused(void **state)
{
    (void)state;
    size_t sum = 99;
    check(mp__size_add(SIZE_MAX, 0, &sum) && sum == SIZE_MAX);
    check(mp__size_add(SIZE_MAX - 5, 5, &sum) && sum == SIZE_MAX);
    check(mp__size_add(0, 0, &sum) && sum == 0);
    sum = 99;
    check(!mp__size_add(SIZE_MAX, 1, &sum));
    check(!mp__size_add(SIZE_MAX / 2 + 1, SIZE_MAX / 2 + 1, &sum));
    check(sum == 99);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("span: NaN is refused and changes nothing", test_no_number_is_no_span),
        support_test("span: what is not positive is no time", test_what_is_not_positive_is_no_time),
        support_test("span: seconds are counted in nanoseconds",
                     test_seconds_are_counted_in_nanoseconds),
        support_test("span: the tiniest time is not none", test_the_tiniest_time_is_not_none),
        support_test("span: the hugest time never comes", test_the_hugest_time_never_comes),
        support_test("span: longer is never less", test_longer_is_never_less),
        support_test("span: sizes are multiplied or refused", test_sizes_are_multiplied_or_refused),
        support_test("span: sizes are added or refused", test_sizes_are_added_or_refused),
    };
    return support_run("span", tests);
}
