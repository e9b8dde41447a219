/* Indices and slices, against the rule that Python's documentation gives for them. */
#include "host.h"

#include "managers/slice.h"

/* Which items a slice names, found one by one. */
static size_t items_of(int64_t n, const mp_obj bounds[3], int64_t items[])
{
    int64_t step = bounds[2].type == MP_TYPE_NONE ? 1 : bounds[2].i;
    size_t count = 0;
    int64_t at = step > 0 ? 0 : n - 1, end = step > 0 ? n : -1;
    if (bounds[0].type != MP_TYPE_NONE) {
        at = bounds[0].i + (bounds[0].i < 0 ? n : 0);
        at = step > 0 ? (at < 0 ? 0 : at) : (at > n - 1 ? n - 1 : at);
    }
    if (bounds[1].type != MP_TYPE_NONE) {
        end = bounds[1].i + (bounds[1].i < 0 ? n : 0);
        end = step > 0 ? (end > n ? n : end) : (end < -1 ? -1 : end);
    }
    for (; step > 0 ? at < end : at > end; at += step)
        if (at >= 0 && at < n)
            items[count++] = at;
    return count;
}

static void test_small_slices_name_the_items_that_python_names(void **state)
{
    (void)state;
    for (int64_t n = 0; n < 6; n++)
        for (int64_t code = 0; code < 16 * 16 * 10; code++) {
            mp_obj bounds[3] = {MP(code % 16 - 8), MP(code / 16 % 16 - 8), MP(code / 256 - 5)};
            for (int i = 0; i < 3; i++)
                if (bounds[i].i == (i < 2 ? -8 : 0))
                    bounds[i] = MP_NONE;
            int64_t items[16];
            struct mp__slice slice;
            mp_obj o = SLICE(bounds[0], bounds[1], bounds[2]);
            check(mp__is_slice(&o));
            check(mp__slice_of(&o, (size_t)n, &slice) == 0);
            check(slice.len == items_of(n, bounds, items));
            for (size_t i = 0; i < slice.len; i++)
                check(slice.start + (int64_t)i * slice.step == items[i]);
            check(slice.step != 1 || (slice.start >= 0 && slice.start <= n));
        }
}

static void test_bounds_may_be_as_large_as_ints_are(void **state)
{
    struct mp__slice slice;
    (void)state;
    mp_obj all = SLICE(INT64_MIN, INT64_MAX, INT64_MAX);
    check(mp__slice_of(&all, 5, &slice) == 0 && slice.start == 0 && slice.len == 1);
    all = SLICE(INT64_MAX, INT64_MIN, INT64_MIN);
    check(mp__slice_of(&all, 5, &slice) == 0 && slice.start == 4 && slice.len == 1);
    all = SLICE(INT64_MIN, INT64_MAX, 1);
    check(mp__slice_of(&all, 5, &slice) == 0 && slice.start == 0 && slice.len == 5);
    all = SLICE(MP_TRUE, MP_NONE, MP_NONE);
    check(mp__slice_of(&all, 5, &slice) == 0 && slice.start == 1 && slice.len == 4);
}

static void test_what_is_no_slice_is_refused(void **state)
{
    struct mp__slice slice;
    (void)state;
    mp_obj o = SLICE(0, 1, 0);
    assert_mp_error(mp__slice_of(&o, 5, &slice), MP_EINVAL);
    assert_string_equal(mp_error_detail(), "slice step cannot be zero");
    o = SLICE("a", 1, 0);
    assert_mp_error(mp__slice_of(&o, 5, &slice), MP_EINVAL);
    o = SLICE("a", 1, 1);
    assert_mp_error(mp__slice_of(&o, 5, &slice), MP_ETYPE);
    assert_string_equal(mp_error_detail(),
                        "slice indices must be integers or None or have an __index__ method");
    o = SLICE(0, 1.0, 1);
    assert_mp_error(mp__slice_of(&o, 5, &slice), MP_ETYPE);
    const mp_obj others[] = {
        MP(1),
        MP("slice"),
        MP_NONE,
        RANGE(0, 1, 1),
        mp__obj_opaque((const mp_obj[]){MP("mine"), MP("slice"), MP_TUPLE(1, 2, 3), MP_NONE},
                       false),
        mp__obj_opaque((const mp_obj[]){MP("builtins"), MP("slice"), MP_TUPLE(1), MP_NONE}, false),
        mp__obj_opaque((const mp_obj[]){MP("builtins"), MP("slice"), MP_NONE, MP_NONE}, false)};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        check(!mp__is_slice(&others[i]));
    o = mp__obj_opaque((const mp_obj[]){MP("__builtin__"), MP("slice"), MP_TUPLE(1, 2, 3), MP_NONE},
                       false);
    check(mp__is_slice(&o));
}

static void test_indices_count_from_either_end(void **state)
{
    int64_t i;
    (void)state;
    check(mp__index_place(0, 3) == 0 && mp__index_place(2, 3) == 2);
    check(mp__index_place(-1, 3) == 2 && mp__index_place(-3, 3) == 0);
    check(mp__index_place(3, 3) == SIZE_MAX && mp__index_place(-4, 3) == SIZE_MAX);
    check(mp__index_place(0, 0) == SIZE_MAX && mp__index_place(INT64_MIN, 3) == SIZE_MAX);
    check(mp__index_bound(-1, 3) == 2 && mp__index_bound(-9, 3) == 0);
    check(mp__index_bound(3, 3) == 3 && mp__index_bound(INT64_MAX, 3) == 3);
    mp_obj o = MP_TRUE;
    assert_mp_ok(mp__index_of(&o, &i));
    check(i == 1);
    o = MP(1.0);
    assert_mp_error(mp__index_of(&o, &i), MP_ETYPE);
    assert_string_equal(mp_error_detail(), "'float' object cannot be interpreted as an integer");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("slice: small slices name the items that Python names",
                     test_small_slices_name_the_items_that_python_names),
        support_test("slice: bounds may be as large as ints are",
                     test_bounds_may_be_as_large_as_ints_are),
        support_test("slice: what is no slice is refused", test_what_is_no_slice_is_refused),
        support_test("slice: indices count from either end", test_indices_count_from_either_end),
    };
    return support_run("slice", tests);
}
