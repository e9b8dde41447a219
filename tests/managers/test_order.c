/* Python's < between objects, and sorting by it. */
#include "support/support.h"

#include "managers/order.h"

#include <math.h>
#include <stdlib.h>

static void check_less(mp_obj a, mp_obj b)
{
    bool less = false;
    assert_mp_ok(mp__obj_less(&a, &b, &less));
    check(less);
    assert_mp_ok(mp__obj_less(&b, &a, &less));
    check(!less);
}

static void check_neither(mp_obj a, mp_obj b)
{
    bool less = true;
    assert_mp_ok(mp__obj_less(&a, &b, &less));
    check(!less);
    assert_mp_ok(mp__obj_less(&b, &a, &less));
    check(!less);
}

static void test_numbers_are_ordered_exactly(void **state)
{
    const int64_t large = INT64_C(1) << 53;
    (void)state;
    check_less(MP(1), MP(2));
    check_less(MP_FALSE, MP(1));
    check_less(MP(-1), MP_FALSE);
    check_less(MP(1), MP(1.5));
    check_less(MP(-1.5), MP(-1));
    check_less(MP(-2), MP(-1.5));
    check_less(MP(0.5), MP_TRUE);
    check_less(MP(9007199254740992.0), MP(large + 1));
    check_less(MP(large - 1), MP(9007199254740992.0));
    check_neither(MP(large), MP(9007199254740992.0));
    check_less(MP(INT64_MAX), MP(9223372036854775808.0));
    check_neither(MP(INT64_MIN), MP(-9223372036854775808.0));
    check_less(MP(-9223372036854777856.0), MP(INT64_MIN));
    check_less(MP(INT64_MAX), MP((double)INFINITY));
    check_less(MP(-(double)INFINITY), MP(INT64_MIN));
    check_neither(MP((double)NAN), MP(1));
    check_neither(MP((double)NAN), MP(1.0));
    check_neither(MP(1), MP_TRUE);
}

static void
test_texts_are_ordered_by_code_points_and_sequences_by_their_first_difference(void **state)
{
    (void)state;
    check_less(MP("a"), MP("b"));
    check_less(MP(""), MP("a"));
    check_less(MP("a"), MP("aa"));
    check_less(MP("z"), MP("\xc3\xa9"));                    /* U+E9 */
    check_less(MP("\xef\xbf\xbd"), MP("\xf0\x9f\x98\x80")); /* U+FFFD, U+1F600 */
    check_less(MP_STRN("a\0a", 3), MP_STRN("a\0b", 3));
    check_less(MP_BYTES("\x01", 1), MP_BYTES("\xff", 1));
    check_less(MP_LIST(1, 2), MP_LIST(1, 3));
    check_less(MP_LIST(1), MP_LIST(1, 0));
    check_less(MP_EMPTY_LIST, MP_LIST(0));
    check_less(MP_TUPLE(1, "a", 5), MP_TUPLE(1.0, "b", 0));
    check_less(MP_TUPLE("a", 1), MP_TUPLE("b", "x")); /* never gets to 1 and "x" */
    check_neither(MP_LIST(1, 2.0), MP_LIST(1, 2));
    check_less(MP_LIST(MP_LIST(1)), MP_LIST(MP_LIST(2)));
}

static void test_sets_are_ordered_as_parts_of_each_other(void **state)
{
    (void)state;
    check_less(MP_SET(1), MP_SET(1, 2));
    check_less(MP_EMPTY_SET, MP_SET(1));
    check_neither(MP_SET(1, 2), MP_SET(2, 1, 1));
    check_neither(MP_SET(1, 2), MP_SET(3, 4, 5));
    check_neither(MP_SET((double)NAN), MP_SET((double)NAN, 1));
    check_less(MP_SET(1), MP_SET(1, (double)NAN));
}

static void check_no_order(mp_obj a, mp_obj b, const char *text)
{
    bool less;
    assert_mp_error(mp__obj_less(&a, &b, &less), MP_ETYPE);
    assert_string_equal(mp_error_detail(), text);
}

static void test_other_types_have_no_order(void **state)
{
    (void)state;
    check_no_order(MP("a"), MP(1), "'<' not supported between instances of 'str' and 'int'");
    check_no_order(MP(1.5), MP("a"), "'<' not supported between instances of 'float' and 'str'");
    check_no_order(MP_NONE, MP_NONE,
                   "'<' not supported between instances of 'NoneType' and 'NoneType'");
    check_no_order(MP_LIST(1), MP_TUPLE(1),
                   "'<' not supported between instances of 'list' and 'tuple'");
    check_no_order(MP_DICT(1, 1), MP_DICT(1, 1),
                   "'<' not supported between instances of 'dict' and 'dict'");
    check_no_order(MP("a"), MP_BYTES("a", 1),
                   "'<' not supported between instances of 'str' and 'bytes'");
    check_no_order(MP_TUPLE(1, "a"), MP_TUPLE(1, 2),
                   "'<' not supported between instances of 'str' and 'int'");
}

static int stable_compare(const void *a, const void *b)
{
    int64_t x = ((const mp_obj *)a)->i, y = ((const mp_obj *)b)->i;
    return x < y ? -1 : x > y;
}

static void test_sorting_is_stable_either_way_round(void **state)
{
    enum { MOST = 300 };
    struct rng rng = rng_start(rng_seed());
    mp_obj items[MOST], sorted[MOST];
    (void)state;
    for (int round = 0; round < 500; round++) {
        size_t n = rng_below(&rng, MOST + 1);
        bool reverse = rng_below(&rng, 2) == 1;
        for (size_t i = 0; i < n; i++) {
            uint64_t number = rng_below(&rng, round % 2 == 0 ? 5 : 1000);
            /* of equal ones the type tells which came first: int before float */
            items[i] = i < n / 2 ? mp_obj_int((int64_t)number) : mp_obj_float((double)number);
            int64_t key = (int64_t)(number * 2 * MOST);
            sorted[i] = mp_obj_int((reverse ? -key : key) + (int64_t)i);
        }
        assert_mp_ok(mp__obj_sort(items, n, reverse));
        qsort(sorted, n, sizeof sorted[0], stable_compare);
        for (size_t i = 0; i < n; i++) {
            int64_t at = sorted[i].i % (2 * MOST), number;
            at = at < 0 ? at + 2 * MOST : at;
            number = (sorted[i].i - at) / (2 * MOST);
            number = reverse ? -number : number;
            check(items[i].type == (at < (int64_t)(n / 2) ? MP_TYPE_INT : MP_TYPE_FLOAT));
            check(mp_obj_equal(items[i], MP(number)));
        }
    }
}

static void test_a_sort_that_fails_moves_nothing(void **state)
{
    mp_obj items[] = {MP(3), MP(1), MP("a"), MP(2)};
    (void)state;
    assert_mp_error(mp__obj_sort(items, 4, false), MP_ETYPE);
    check(mp_obj_equal(mp_obj_list(items, 4), MP_LIST(3, 1, "a", 2)));
    assert_mp_ok(mp__obj_sort(items, 2, false));
    check(mp_obj_equal(mp_obj_list(items, 4), MP_LIST(1, 3, "a", 2)));
    assert_mp_ok(mp__obj_sort(items + 2, 1, false));
    assert_mp_ok(mp__obj_sort(NULL, 0, true));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("order: numbers are ordered exactly", test_numbers_are_ordered_exactly),
        support_test("order: texts by code points, sequences by their first difference",
                     test_texts_are_ordered_by_code_points_and_sequences_by_their_first_difference),
        support_test("order: sets are ordered as parts of each other",
                     test_sets_are_ordered_as_parts_of_each_other),
        support_test("order: other types have no order", test_other_types_have_no_order),
        support_test("order: sorting is stable either way round",
                     test_sorting_is_stable_either_way_round),
        support_test("order: a sort that fails moves nothing",
                     test_a_sort_that_fails_moves_nothing),
    };
    return support_run("order", tests);
}
