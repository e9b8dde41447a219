/* The managed set, called as the server calls it. */
#include "host.h"

#include "wire/wire.h"

#include <errno.h>
#include <math.h>
#include <string.h>

static struct mp__managed *set_of(mp_obj initial)
{
    struct mp__managed *set = host_create(&mp__type_set, MP_TUPLE(initial), MP_NONE);
    check(set != NULL);
    return set;
}

static void test_a_set_is_made_of_anything_that_has_items(void **state)
{
    (void)state;
    const struct {
        mp_obj initial;
        const char *expected;
    } cases[] = {
        {MP_LIST(1, 2, 1.0, "a"), "{1, 2, 'a'}"},
        {MP("abca"), "{'a', 'b', 'c'}"},
        {MP_DICT("k", 1), "{'k'}"},
        {RANGE(0, 3, 1), "{0, 1, 2}"},
        {MP_EMPTY_SET, "set()"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct mp__managed *set = set_of(cases[i].initial);
        check_call(set, "#GETVALUE", MP_NONE, cases[i].expected);
        host_destroy(set);
        check_nothing_left();
    }
    const struct mp__type *type = &mp__type_set;
    check_no_object(type, MP_TUPLE(5), MP_NONE, MP_ETYPE, "'int' object is not iterable");
    check_no_object(type, MP_TUPLE(MP_LIST(1, MP_EMPTY_LIST)), MP_NONE, MP_ETYPE,
                    "unhashable type: 'list'");
    check_no_object(type, MP_TUPLE(1, 2), MP_NONE, MP_ETYPE, "expected 0 to 1 arguments, got 2");
    check_no_object(type, MP_NONE, MP_DICT("a", 1), MP_ETYPE,
                    "the method takes no keyword arguments");
    host_keep_limit(1);
    check_no_object(type, MP_TUPLE(MP_LIST(1, 2)), MP_NONE, -ENOMEM, "");
    host_keep_limit(-1);
    check_nothing_left();
}

static void test_items_are_added_found_and_removed(void **state)
{
    const mp_obj one[] = {MP(1)};
    struct mp__managed *set = set_of(MP_EMPTY_LIST);
    (void)state;
    check_refusal(set, "pop", MP_NONE, MP_EKEY, "'pop from an empty set'");
    check_call(set, "add", MP_TUPLE(1), "None");
    check_call(set, "add", MP_TUPLE(MP_TRUE), "None");
    check_call(set, "add", MP_TUPLE(mp_obj_frozenset(one, 1)), "None");
    check_call(set, "__len__", MP_NONE, "2");
    check_call(set, "__contains__", MP_TUPLE(1.0), "True");
    check_call(set, "__contains__", MP_TUPLE(MP_SET(1)), "True");
    check_call(set, "__contains__", MP_TUPLE(MP_SET(2)), "False");
    check_call(set, "discard", MP_TUPLE(2), "None");
    check_refusal(set, "remove", MP_TUPLE(2), MP_EKEY, "2");
    check_refusal(set, "remove", MP_TUPLE(MP_SET(2)), MP_EKEY, "{2}");
    check_refusal(set, "add", MP_TUPLE(MP_SET(1)), MP_ETYPE, "unhashable type: 'set'");
    check_refusal(set, "discard", MP_TUPLE(MP_LIST(1)), MP_ETYPE, "unhashable type: 'list'");
    check_refusal(set, "__contains__", MP_TUPLE(MP_TUPLE(MP_SET(1))), MP_ETYPE,
                  "unhashable type: 'set'");
    check_call(set, "remove", MP_TUPLE(MP_SET(1)), "None");
    check_call(set, "copy", MP_NONE, "{1}");
    check_call(set, "__str__", MP_NONE, "'{1}'");
    check_call(set, "add", MP_TUPLE(MP_TUPLE("long", "enough")), "None");
    check_call(set, "pop", MP_NONE, "('long', 'enough')");
    check_call(set, "clear", MP_NONE, "None");
    check_call(set, "copy", MP_NONE, "set()");
    host_destroy(set);
    check_nothing_left();
}

static void test_operators_take_sets_and_methods_all_that_has_items(void **state)
{
    const mp_obj two[] = {MP(2), MP(9)}, frozen = mp_obj_frozenset(two, 2);
    struct mp__managed *set = set_of(MP_LIST(1, 2, 3));
    (void)state;
    check_call(set, "__or__", MP_TUPLE(MP_SET(3, 4)), "{1, 2, 3, 4}");
    check_call(set, "__and__", MP_TUPLE(MP_SET(3, 4)), "{3}");
    check_call(set, "__sub__", MP_TUPLE(MP_SET(3, 4)), "{1, 2}");
    check_call(set, "__xor__", MP_TUPLE(MP_SET(3, 4)), "{1, 2, 4}");
    check_call(set, "__or__", MP_TUPLE(frozen), "{1, 2, 3, 9}");
    check_call(set, "__ror__", MP_TUPLE(frozen), "frozenset({1, 2, 3, 9})");
    check_call(set, "__rand__", MP_TUPLE(frozen), "frozenset({2})");
    check_call(set, "__rsub__", MP_TUPLE(frozen), "frozenset({9})");
    check_call(set, "__rxor__", MP_TUPLE(frozen), "frozenset({1, 3, 9})");
    check_call(set, "__rsub__", MP_TUPLE(MP_SET(1)), "set()");
    check_call(set, "union", MP_TUPLE("aa", MP_LIST(1, "b"), RANGE(2, 5, 1)),
               "{1, 2, 3, 'a', 'b', 4}");
    check_call(set, "union", MP_NONE, "{1, 2, 3}");
    check_call(set, "intersection", MP_NONE, "{1, 2, 3}");
    check_call(set, "intersection", MP_TUPLE(MP_LIST(1, 2, 2), MP_LIST(2, 2, 3, 3)), "{2}");
    check_call(set, "intersection", MP_TUPLE(MP_LIST(1), MP_LIST(2, 2), MP_LIST(2, 2)), "set()");
    check_call(set, "difference", MP_TUPLE(MP_LIST(1, 1), MP_DICT(3, 0)), "{2}");
    check_call(set, "symmetric_difference", MP_TUPLE(MP_LIST(3, 3, 4, 4)), "{1, 2, 4}");
    check_refusal(set, "__or__", MP_TUPLE(MP_LIST(1)), MP_ETYPE,
                  "unsupported operand type(s) for |: 'set' and 'list'");
    check_refusal(set, "__rsub__", MP_TUPLE(MP_LIST(1)), MP_ETYPE,
                  "unsupported operand type(s) for -: 'list' and 'set'");
    check_refusal(set, "__ixor__", MP_TUPLE(MP_LIST(1)), MP_ETYPE,
                  "unsupported operand type(s) for ^=: 'set' and 'list'");
    check_refusal(set, "union", MP_TUPLE(5), MP_ETYPE, "'int' object is not iterable");
    check_refusal(set, "difference", MP_TUPLE(MP_LIST(MP_EMPTY_LIST)), MP_ETYPE,
                  "unhashable type: 'list'");
    check_refusal(set, "symmetric_difference", MP_NONE, MP_ETYPE,
                  "expected 1 to 1 arguments, got 0");
    check_call(set, "copy", MP_NONE, "{1, 2, 3}");
    host_destroy(set);
    check_nothing_left();
}

static void test_a_set_is_changed_in_place(void **state)
{
    struct mp__managed *set = set_of(MP_LIST(1, 2, 3));
    (void)state;
    check_call(set, "__ior__", MP_TUPLE(MP_SET(4, 1)), "{1, 2, 3, 4}");
    check_call(set, "__iand__", MP_TUPLE(MP_SET(1, 2, 4, 9)), "{1, 2, 4}");
    check_call(set, "__isub__", MP_TUPLE(MP_SET(4, 9)), "{1, 2}");
    check_call(set, "__ixor__", MP_TUPLE(MP_SET(2, 5)), "{1, 5}");
    check_call(set, "update", MP_TUPLE("ab", MP_LIST(1)), "None");
    check_call(set, "symmetric_difference_update", MP_TUPLE("bbcc"), "None");
    check_call(set, "copy", MP_NONE, "{1, 5, 'a', 'c'}");
    check_call(set, "difference_update", MP_TUPLE(MP_LIST(1), "a"), "None");
    check_call(set, "intersection_update", MP_TUPLE("cd", "c"), "None");
    check_call(set, "copy", MP_NONE, "{'c'}");
    check_refusal(set, "update", MP_TUPLE("x", 5), MP_ETYPE, "'int' object is not iterable");
    check_call(set, "copy", MP_NONE, "{'c'}");
    check_call(set, "difference_update", MP_TUPLE(host_proxy(set)), "None");
    check_call(set, "copy", MP_NONE, "set()");
    host_destroy(set);
    check_nothing_left();
}

static void test_sets_are_compared(void **state)
{
    struct mp__managed *set = set_of(MP_LIST(1, 2));
    (void)state;
    check_call(set, "__le__", MP_TUPLE(MP_SET(1, 2)), "True");
    check_call(set, "__lt__", MP_TUPLE(MP_SET(1, 2, 2.0)), "False");
    check_call(set, "__lt__", MP_TUPLE(MP_SET(1, 2, 3)), "True");
    check_call(set, "__ge__", MP_TUPLE(MP_SET(2)), "True");
    check_call(set, "__gt__", MP_TUPLE(MP_SET(2, 3)), "False");
    check_call(set, "__gt__", MP_TUPLE(MP_SET(2)), "True");
    check_call(set, "__gt__", MP_TUPLE(MP_SET(1, 2)), "False");
    check_call(set, "issubset", MP_TUPLE(RANGE(0, 9, 1)), "True");
    check_call(set, "issubset", MP_TUPLE(MP_LIST(1, (double)NAN)), "False");
    check_call(set, "issuperset", MP_TUPLE(""), "True");
    check_call(set, "issuperset", MP_TUPLE(MP_LIST((double)NAN)), "False");
    check_call(set, "isdisjoint", MP_TUPLE("ab"), "True");
    check_call(set, "isdisjoint", MP_TUPLE(MP_LIST(5, 1)), "False");
    check_refusal(set, "__le__", MP_TUPLE(MP_LIST(1)), MP_ETYPE,
                  "'<=' not supported between instances of 'set' and 'list'");
    check_refusal(set, "isdisjoint", MP_TUPLE(MP_LIST(MP_EMPTY_LIST)), MP_ETYPE,
                  "unhashable type: 'list'");
    host_destroy(set);
    check_nothing_left();
}

static void test_what_proxies_give_outlives_the_call(void **state)
{
    struct mp__managed *set = set_of(MP_LIST("one", "two")), *other = set_of(MP_LIST("two", "new"));
    (void)state;
    check_call(set, "union", MP_TUPLE(host_proxy(other)), "{'one', 'two', 'new'}");
    check_call(set, "intersection", MP_TUPLE(host_proxy(other)), "{'two'}");
    check_call(set, "symmetric_difference", MP_TUPLE(host_proxy(other)), "{'one', 'new'}");
    check_call(set, "update", MP_TUPLE(host_proxy(other)), "None");
    check_call(set, "copy", MP_NONE, "{'one', 'two', 'new'}");
    check_refusal(set, "__or__", MP_TUPLE(host_proxy(other)), MP_ETYPE,
                  "unsupported operand type(s) for |: 'set' and 'AutoProxy'");
    host_destroy(other);
    host_destroy(set);
    check_nothing_left();
}

static void test_an_iterator_refuses_a_set_of_another_size(void **state)
{
    struct mp__managed *set = set_of(MP_LIST(1, 2));
    (void)state;
    assert_mp_ok(host_call(set, "__iter__", MP_NONE, MP_NONE));
    struct mp__managed *iterator = host_answer_object();
    check_call(iterator, "__next__", MP_NONE, "1");
    check_call(set, "add", MP_TUPLE(3), "None");
    check_refusal(iterator, "__next__", MP_NONE, MP_ESTATE, "Set changed size during iteration");
    host_destroy(iterator);
    host_destroy(set);
    check_nothing_left();
}

/* ---- at random ---------------------------------------------------------------------------- */

/* A set of the numbers 0 to 31, a bit for each. */
static size_t items_of(uint32_t bits, mp_obj items[32])
{
    size_t n = 0;
    for (int i = 0; i < 32; i++)
        if (bits >> i & 1)
            items[n++] = i % 2 == 0 ? MP(i) : MP((double)i);
    return n;
}

static uint32_t bits_of(mp_obj set)
{
    uint32_t bits = 0;
    for (size_t i = 0; i < set.len; i++) {
        double number;
        assert_mp_ok(mp_obj_as_float(set.items[i], &number));
        check((bits >> (int)number & 1) == 0);
        bits |= UINT32_C(1) << (int)number;
    }
    return bits;
}

static uint32_t operate(const char *name, uint32_t a, uint32_t b)
{
    return strstr(name, "or__") != NULL && strstr(name, "xor") == NULL ? a | b
           : strstr(name, "and__") != NULL                             ? a & b
           : strstr(name, "rsub__") != NULL                            ? b & ~a
           : strstr(name, "sub__") != NULL                             ? a & ~b
                                                                       : a ^ b;
}

static void model_step(struct rng *rng, uint32_t *model, struct mp__managed *set)
{
    static const char *const operators[] = {"__or__",  "__and__",  "__sub__",  "__xor__",
                                            "__ror__", "__rand__", "__rsub__", "__rxor__",
                                            "__ior__", "__iand__", "__isub__", "__ixor__"};
    mp_obj items[32];
    const char *name = operators[rng_below(rng, 12)];
    int64_t item = (int64_t)rng_below(rng, 32);
    uint32_t bits = (uint32_t)rng_next(rng) & (uint32_t)(rng_next(rng) >> 8), one = UINT32_C(1)
                                                                                    << item;
    mp_obj other = mp_obj_set(items, items_of(bits, items));
    switch (rng_below(rng, 4)) {
    case 0:
        assert_mp_ok(host_call(set, "add", MP_TUPLE(item), MP_NONE));
        *model |= one;
        break;
    case 1:
        assert_mp_result(host_call(set, "remove", MP_TUPLE(item), MP_NONE),
                         *model & one ? 0 : MP_EKEY);
        *model &= ~one;
        break;
    case 2:
        assert_mp_ok(host_call(set, "__lt__", MP_TUPLE(other), MP_NONE));
        check(host_answer().b == ((*model & ~bits) == 0 && *model != bits));
        assert_mp_ok(host_call(set, "__ge__", MP_TUPLE(other), MP_NONE));
        check(host_answer().b == ((bits & ~*model) == 0));
        break;
    default:
        assert_mp_ok(host_call(set, name, MP_TUPLE(other), MP_NONE));
        check(bits_of(host_answer()) == operate(name, *model, bits));
        if (name[2] == 'i')
            *model = operate(name, *model, bits);
    }
}

static void test_at_random_it_does_what_bits_do(void **state)
{
    struct rng rng = rng_start(rng_seed());
    (void)state;
    for (int round = 0; round < 100; round++) {
        uint32_t model = 0;
        struct mp__managed *set = set_of(MP_EMPTY_LIST);
        for (int i = 0; i < 500; i++) {
            model_step(&rng, &model, set);
            assert_mp_ok(host_call(set, "copy", MP_NONE, MP_NONE));
            check(bits_of(host_answer()) == model);
        }
        host_destroy(set);
        check_nothing_left();
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("set: it is made of anything that has items",
                     test_a_set_is_made_of_anything_that_has_items),
        support_test("set: items are added, found and removed",
                     test_items_are_added_found_and_removed),
        support_test("set: operators take sets, methods all that has items",
                     test_operators_take_sets_and_methods_all_that_has_items),
        support_test("set: it is changed in place", test_a_set_is_changed_in_place),
        support_test("set: sets are compared", test_sets_are_compared),
        support_test("set: what proxies give outlives the call",
                     test_what_proxies_give_outlives_the_call),
        support_test("set: an iterator refuses a set of another size",
                     test_an_iterator_refuses_a_set_of_another_size),
        support_test("set: at random it does what bits do", test_at_random_it_does_what_bits_do),
    };
    return support_run("set", tests);
}
