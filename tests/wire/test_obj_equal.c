/* Equality as Python has it, and hashes that agree with it. */
#include "check_objects.h"

#include "random_object.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void check_equal(mp_obj a, mp_obj b, bool expected)
{
    check(mp_obj_equal(a, b) == expected);
    check(mp_obj_equal(b, a) == expected);
    if (expected)
        check(mp__obj_hash(&a) == mp__obj_hash(&b));
}

static void test_numbers_are_equal_by_value(void **state)
{
    (void)state;
    check_equal(MP(1), MP(1.0), true);
    check_equal(MP(1), MP_TRUE, true);
    check_equal(MP(0.0), MP_FALSE, true);
    check_equal(MP(-0.0), MP(0), true);
    check_equal(MP(2), MP_TRUE, false);
    check_equal(MP(0.5), MP(0), false);
    check_equal(MP((double)NAN), MP((double)NAN), false);
    check_equal(MP_SET((double)NAN), MP_SET(1), false);
    check_equal(MP_SET((double)NAN), MP_SET((double)NAN), false);
    check_equal(MP_DICT((double)NAN, 1), MP_DICT(2, 1), false);
    check_equal(MP((double)INFINITY), MP((double)INFINITY), true);
    check_equal(MP((double)INFINITY), MP(INT64_MAX), false);
    check_equal(MP(1), MP("1"), false);
    check_equal(MP(0), MP_NONE, false);
}

static void test_large_ints_and_floats_are_compared_exactly(void **state)
{
    (void)state;
    check_equal(MP((INT64_C(1) << 53) + 1), MP(9007199254740992.0), false);
    check_equal(MP(INT64_C(1) << 53), MP(9007199254740992.0), true);
    check_equal(MP(INT64_MAX), MP(9223372036854775808.0), false);
    check_equal(MP(INT64_MIN), MP(-9223372036854775808.0), true);
    check_equal(MP(UINT64_C(1) << 63), MP(9223372036854775808.0), true);
    check_equal(MP(UINT64_MAX), MP(-1), false);
    check_equal(MP(UINT64_MAX), MP(18446744073709551616.0), false);
    check_equal(MP(1e300), MP(INT64_MAX), false);
}

static void test_texts_and_sequences_keep_their_types_apart(void **state)
{
    (void)state;
    check_equal(MP("a"), MP_BYTES("a", 1), false);
    check_equal(MP("a"), MP("a"), true);
    check_equal(MP_STRN("a\0b", 3), MP_STRN("a\0c", 3), false);
    check_equal(MP(""), MP_BYTES("", 0), false);
    check_equal(MP_LIST(1, 2), MP_TUPLE(1, 2), false);
    check_equal(MP_LIST(1, 2), MP_LIST(1.0, 2), true);
    check_equal(MP_LIST(1, 2), MP_LIST(2, 1), false);
    check_equal(MP_LIST(1), MP_LIST(1, 2), false);
    check_equal(MP_EMPTY_LIST, MP_EMPTY_TUPLE, false);
    check_equal(MP_TUPLE(1, MP_TUPLE("x")), MP_TUPLE(MP_TRUE, MP_TUPLE("x")), true);
}

static void test_order_in_sets_and_dicts_does_not_matter(void **state)
{
    (void)state;
    const mp_obj frozen[] = {MP(2), MP(1)};
    check_equal(MP_SET(1, 2), MP_SET(2, 1), true);
    check_equal(MP_SET(1, 2), mp_obj_frozenset(frozen, 2), true);
    check_equal(MP_SET(1, 2), MP_SET(1, 3), false);
    check_equal(MP_SET(1, 2), MP_SET(1), false);
    check_equal(MP_DICT(1, "a", 2, "b"), MP_DICT(2, "b", 1.0, "a"), true);
    check_equal(MP_DICT(1, "a", 2, "b"), MP_DICT(1, "b", 2, "a"), false);
    check_equal(MP_DICT(1, "a"), MP_DICT(2, "a"), false);
    check_equal(MP_EMPTY_SET, mp_obj_frozenset(NULL, 0), true);
    check_equal(MP_EMPTY_SET, MP_EMPTY_DICT, false);
}

static void test_what_stands_twice_in_a_literal_counts_once(void **state)
{
    (void)state;
    check_equal(MP_SET(1, 1.0, MP_TRUE), MP_SET(1), true);
    check_equal(MP_DICT(1, "old", 1, "new"), MP_DICT(1, "new"), true);
    check_equal(MP_DICT(1, "old", 1, "new"), MP_DICT(1, "old"), false);
    check_equal(MP_SET(1, 1, 2), MP_SET(1, 2, 2), true);
}

/* Enough items for an index with slots. */
static void test_large_sets_and_dicts_are_compared_in_time(void **state)
{
    (void)state;
    enum { N = 50000 };
    mp_obj *items = calloc(4 * N, sizeof *items);
    check(items != NULL);
    for (int i = 0; i < N; i++) {
        items[2 * i] = MP(i);
        items[2 * i + 1] = MP((double)i);
        items[2 * N + 2 * i] = MP((double)(N - 1 - i));
        items[2 * N + 2 * i + 1] = MP(N - 1 - i);
    }
    double start = clock_seconds();
    check_equal(mp_obj_dict(items, N), mp_obj_dict(items + 2 * N, N), true);
    check_equal(mp_obj_set(items, 2 * N), mp_obj_set(items + 2 * N, 2 * N), true);
    items[2 * N + 1] = MP("another");
    check_equal(mp_obj_dict(items, N), mp_obj_dict(items + 2 * N, N), false);
    items[2 * N] = MP("another");
    check_equal(mp_obj_set(items, 2 * N), mp_obj_set(items + 2 * N, 2 * N), false);
    check(clock_seconds() - start < 10);
    free(items);
}

/* A nest of dicts takes one step per level, not twice as many each. */
static void test_nested_dicts_are_compared_in_time(void **state)
{
    (void)state;
    static mp_obj levels[2][200][2];
    mp_obj nest[2] = {MP(1), MP(1)};
    for (int side = 0; side < 2; side++)
        for (int i = 0; i < 200; i++) {
            levels[side][i][0] = MP("k");
            levels[side][i][1] = nest[side];
            nest[side] = mp_obj_dict(levels[side][i], 1);
        }
    check_equal(nest[0], nest[1], true);
    levels[1][0][1] = MP(2);
    check_equal(nest[0], nest[1], false);
}

static void test_random_objects_equal_their_copies_only(void **state)
{
    (void)state;
    struct rng rng = rng_start(rng_seed());
    for (int i = 0; i < 1000; i++) {
        struct random_object *a = random_object_make(&rng, 3), *b = random_object_make(&rng, 3);
        mp_obj x = random_object_get(a), y = random_object_get(b), copy;
        assert_mp_ok(mp_obj_copy(x, &copy));
        char *text = mp_obj_repr(x);
        check(text != NULL);
        if (strstr(text, "nan") == NULL)
            check_equal(x, copy, true);
        check(mp_obj_equal(x, y) == mp_obj_equal(y, x));
        check_equal(MP_LIST(x, 1), MP_LIST(copy, 2), false);
        free(text);
        mp_obj_free(&copy);
        random_object_free(a);
        random_object_free(b);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("equal: numbers are equal by value", test_numbers_are_equal_by_value),
        support_test("equal: large ints and floats are compared exactly",
                     test_large_ints_and_floats_are_compared_exactly),
        support_test("equal: texts and sequences keep their types apart",
                     test_texts_and_sequences_keep_their_types_apart),
        support_test("equal: order in sets and dicts does not matter",
                     test_order_in_sets_and_dicts_does_not_matter),
        support_test("equal: what stands twice in a literal counts once",
                     test_what_stands_twice_in_a_literal_counts_once),
        support_test("equal: large sets and dicts are compared in time",
                     test_large_sets_and_dicts_are_compared_in_time),
        support_test("equal: nested dicts are compared in time",
                     test_nested_dicts_are_compared_in_time),
        support_test("equal: random objects equal their copies only",
                     test_random_objects_equal_their_copies_only),
    };
    return support_run("objects compared", tests);
}
