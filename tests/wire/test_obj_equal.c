/* Equality as Python has it, and hashes that agree with it. */
#include "check_objects.h"

#include "base/sanitized.h"
#include "random_object.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static uint64_t hash_of(mp_obj o)
{
    uint64_t hash;
    assert_mp_ok(mp__obj_hash(&o, &hash));
    return hash;
}

static void check_equal(mp_obj a, mp_obj b, bool expected)
{
    check(mp_obj_equal(a, b) == expected);
    check(mp_obj_equal(b, a) == expected);
    if (expected)
        check(hash_of(a) == hash_of(b) && hash_of(a) != 0);
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

/* A server and others tell of the same object with other methods and classes. */
static void test_proxies_are_equal_by_server_and_id(void **state)
{
    (void)state;
    const mp_obj net = MP_TUPLE("127.0.0.1", 5000);
    mp_obj items[][MP__PROXY_ITEMS] = {
        {MP("dict"), MP("/tmp/a"), MP("1f"), MP_NONE, MP("m"), MP("DictProxy")},
        {MP("MyDict"), MP("/tmp/a"), MP("1f"), MP_TUPLE("get"), MP("n"), MP("AutoProxy")},
        {MP("dict"), MP("/tmp/a"), MP("2f"), MP_NONE, MP("m"), MP("DictProxy")},
        {MP("dict"), MP("/tmp/b"), MP("1f"), MP_NONE, MP("m"), MP("DictProxy")},
        {MP("dict"), net, MP("1f"), MP_NONE, MP("m"), MP("DictProxy")},
        {MP("list"), net, MP("1f"), MP_NONE, MP("m"), MP("ListProxy")}};
    enum { N = sizeof items / sizeof items[0] };
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            bool expected = i == j || (i < 2 && j < 2) || (i > 3 && j > 3);
            mp_obj a = mp__obj_proxy(items[i]), b = mp__obj_proxy(items[j]);
            check_equal(a, b, expected);
            check_equal(MP_DICT(MP_TUPLE(a), 1), MP_DICT(MP_TUPLE(b), 1), expected);
        }
    check_equal(mp__obj_proxy(items[0]), MP_TUPLE("/tmp/a", "1f"), false);
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

/* Each level holds the one below and something beside it. */
static void test_nested_sets_are_compared_in_time(void **state)
{
    (void)state;
    support_time_limit(20);
    static mp_obj levels[2][200][2];
    mp_obj nest[2] = {MP(1), MP(1)};
    for (int side = 0; side < 2; side++)
        for (int i = 0; i < 200; i++) {
            levels[side][i][i % 2] = nest[side];
            levels[side][i][1 - i % 2] = MP("beside");
            nest[side] = mp_obj_frozenset(levels[side][i], 2);
        }
    check_equal(nest[0], nest[1], true);
    check_equal(MP_SET(nest[0], nest[1]), MP_SET(nest[0]), true);
    levels[1][0][0] = MP(2);
    check_equal(nest[0], nest[1], false);
    check_equal(MP_SET(nest[0], nest[1]), MP_SET(nest[1], nest[0]), true);
    check_equal(MP_DICT(nest[0], 1, nest[1], 2), MP_DICT(nest[1], 1, nest[0], 2), false);
}

static void test_sets_deeper_than_the_limit_equal_nothing(void **state)
{
    (void)state;
    enum { DEEP = 100000 };
    mp_obj *levels = calloc(DEEP, sizeof *levels), nest = MP(1);
    check(levels != NULL);
    for (int i = 0; i < DEEP; i++) {
        levels[i] = nest;
        nest = mp_obj_frozenset(&levels[i], 1);
    }
    check_equal(nest, nest, false);
    check(hash_of(nest) == 0);
    free(levels);
}

static void test_what_holds_a_nan_is_compared_in_time(void **state)
{
    (void)state;
    enum { N = 200000 };
    support_time_limit(20);
    mp_obj *items = calloc(N, sizeof *items);
    check(items != NULL);
    for (int i = 0; i < N; i++)
        items[i] = MP((double)NAN);
    check_equal(mp_obj_set(items, N), mp_obj_set(items, N), false);
    check(hash_of(MP((double)NAN)) == 0 && hash_of(MP_TUPLE(1, MP_TUPLE((double)NAN))) == 0);
    check(hash_of(MP_SET(1, (double)NAN)) == 0 && hash_of(MP_DICT(1, (double)NAN)) == 0);
    /* only the last of equal keys counts */
    check_equal(MP_DICT(1, (double)NAN, 1, 2), MP_DICT(1, 2), true);
    free(items);
}

static int compare_hashes(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void check_all_apart(uint64_t *hashes, size_t n)
{
    qsort(hashes, n, sizeof *hashes, compare_hashes);
    for (size_t i = 1; i < n; i++)
        check(hashes[i] != hashes[i - 1]);
}

static void test_containers_that_differ_in_one_item_hash_apart(void **state)
{
    (void)state;
    enum { N = 1000, FIXED = 20 };
    static uint64_t of_sets[N], of_dicts[N];
    mp_obj items[FIXED + 1];
    for (int i = 0; i < FIXED; i++)
        items[i] = MP(i);
    for (int i = 0; i < N; i++) {
        items[FIXED] = MP(FIXED + i);
        of_sets[i] = hash_of(mp_obj_frozenset(items, FIXED + 1));
        of_dicts[i] = hash_of(MP_DICT("a", 1, "b", i));
    }
    check_all_apart(of_sets, N);
    check_all_apart(of_dicts, N);
}

/* What is too large for the memory that is left is searched item by item. */
static int compare_without_memory(void *arg)
{
    enum { N = 3000 };
    static mp_obj items[2][2 * N];
    (void)arg;
    for (int i = 0; i < N; i++) {
        items[0][2 * i] = items[0][2 * i + 1] = MP(i);
        items[1][2 * i] = items[1][2 * i + 1] = MP(N - 1 - i);
    }
    static const struct rlimit none = {1, 1};
    if (setrlimit(RLIMIT_AS, &none) != 0)
        return 1;
    for (void *volatile taken = items; taken != NULL;)
        taken = malloc(4096);
    mp_obj set = mp_obj_set(items[0], (size_t)2 * N), dict = mp_obj_dict(items[0], N);
    uint64_t hash;
    if (mp__obj_hash(&set, &hash) != -ENOMEM)
        return 2;
    if (!mp_obj_equal(set, mp_obj_set(items[1], (size_t)2 * N)))
        return 3;
    if (!mp_obj_equal(dict, mp_obj_dict(items[1], N)))
        return 4;
    items[1][2 * N - 1] = MP("another");
    if (mp_obj_equal(dict, mp_obj_dict(items[1], N)))
        return 5;
    if (mp_obj_equal(set, mp_obj_set(items[1], (size_t)2 * N)))
        return 6;
    return 0;
}

static void test_what_has_no_memory_is_compared_all_the_same(void **state)
{
    (void)state;
    if (SANITIZED)
        skip();
    child_must_succeed(compare_without_memory, NULL);
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
        support_test("equal: proxies are equal by server and id",
                     test_proxies_are_equal_by_server_and_id),
        support_test("equal: large sets and dicts are compared in time",
                     test_large_sets_and_dicts_are_compared_in_time),
        support_test("equal: nested dicts are compared in time",
                     test_nested_dicts_are_compared_in_time),
        support_test("equal: nested sets are compared in time",
                     test_nested_sets_are_compared_in_time),
        support_test("equal: sets deeper than the limit equal nothing",
                     test_sets_deeper_than_the_limit_equal_nothing),
        support_test("equal: what holds a NaN is compared in time",
                     test_what_holds_a_nan_is_compared_in_time),
        support_test("equal: containers that differ in one item hash apart",
                     test_containers_that_differ_in_one_item_hash_apart),
        support_test("equal: what has no memory is compared all the same",
                     test_what_has_no_memory_is_compared_all_the_same),
        support_test("equal: random objects equal their copies only",
                     test_random_objects_equal_their_copies_only),
    };
    return support_run("objects compared", tests);
}
