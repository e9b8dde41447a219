/* The managed list, called as the server calls it. */
#include "host.h"

#include "wire/wire.h"

#include <errno.h>
#include <math.h>
#include <string.h>

static struct mp__managed *list_of(mp_obj initial)
{
    struct mp__managed *list = host_create(&mp__type_list, MP_TUPLE(initial), MP_NONE);
    check(list != NULL);
    return list;
}

static mp_obj array_of(const char *typecode, const void *bytes, size_t n, mp_obj room[6])
{
    const mp_obj items[] = {MP("array"), MP("array"), mp_obj_tuple(room + 4, 2), MP_NONE};
    memcpy(room, items, sizeof items);
    room[4] = MP(typecode);
    room[5] = MP_BYTES(bytes, n);
    return mp__obj_opaque(room, false);
}

static void test_a_list_is_made_of_anything_that_has_items(void **state)
{
    const mp_obj frozen[] = {MP(1)};
    const int16_t numbers[] = {5, -6};
    mp_obj room[6];
    const struct {
        mp_obj initial;
        const char *expected;
    } cases[] = {
        {MP_LIST(1, "a", MP_LIST(2)), "[1, 'a', [2]]"},
        {MP_TUPLE(1, 2), "[1, 2]"},
        {MP_EMPTY_SET, "[]"},
        {mp_obj_frozenset(frozen, 1), "[1]"},
        {MP_DICT("a", 1, "b", 2), "['a', 'b']"},
        {MP("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z"), "['a', '\xc3\xa9', '\xe2\x82\xac', "
                                                       "'\xf0\x9f\x98\x80', 'z']"},
        {MP(""), "[]"},
        {MP_BYTES("\x00\xff", 2), "[0, 255]"},
        {RANGE(0, 3, 1), "[0, 1, 2]"},
        {RANGE(5, 0, -2), "[5, 3, 1]"},
        {RANGE(0, -3, 1), "[]"},
        {RANGE(INT64_MAX - 1, INT64_MAX, 9), "[9223372036854775806]"},
        {RANGE(INT64_MAX, INT64_MIN, INT64_MIN), "[9223372036854775807, -1]"},
        {array_of("h", numbers, sizeof numbers, room), "[5, -6]"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct mp__managed *list = list_of(cases[i].initial);
        check_call(list, "#GETVALUE", MP_NONE, cases[i].expected);
        host_destroy(list);
        check_nothing_left();
    }
    struct mp__managed *list = host_create(&mp__type_list, MP_NONE, MP_NONE);
    check_call(list, "__str__", MP_NONE, "'[]'");
    host_destroy(list);
}

static void test_what_makes_no_list_is_refused_and_leaves_nothing(void **state)
{
    (void)state;
    check_no_object(&mp__type_list, MP_TUPLE(5), MP_NONE, MP_ETYPE, "'int' object is not iterable");
    check_no_object(&mp__type_list, MP_TUPLE(1, 2), MP_NONE, MP_ETYPE,
                    "expected 0 to 1 arguments, got 2");
    check_no_object(&mp__type_list, MP_NONE, MP_DICT("sequence", MP_EMPTY_LIST), MP_ETYPE,
                    "the method takes no keyword arguments");
    check_no_object(&mp__type_list, MP_TUPLE(RANGE(0, 1, 0)), MP_NONE, MP_EINVAL,
                    "range() arg 3 must not be zero");
    check_no_object(&mp__type_list, MP_TUPLE(RANGE(INT64_MIN, INT64_MAX, 1)), MP_NONE, -ENOMEM, "");
    host_keep_limit(2);
    check_no_object(&mp__type_list, MP_TUPLE(MP_LIST(1, 2, 3)), MP_NONE, -ENOMEM, "");
    host_keep_limit(-1);
    check_nothing_left();
}

static void test_items_are_got_set_and_deleted_by_index(void **state)
{
    struct mp__managed *list = list_of(MP_LIST("a", "b", "c"));
    (void)state;
    check_call(list, "__getitem__", MP_TUPLE(0), "'a'");
    check_call(list, "__getitem__", MP_TUPLE(-1), "'c'");
    check_call(list, "__getitem__", MP_TUPLE(MP_TRUE), "'b'");
    check_call(list, "__setitem__", MP_TUPLE(-3, MP_LIST(1)), "None");
    check_call(list, "__delitem__", MP_TUPLE(1), "None");
    check_call(list, "copy", MP_NONE, "[[1], 'c']");
    check_call(list, "__len__", MP_NONE, "2");
    check_refusal(list, "__getitem__", MP_TUPLE(2), MP_EINDEX, "list index out of range");
    check_refusal(list, "__getitem__", MP_TUPLE(-3), MP_EINDEX, "list index out of range");
    check_refusal(list, "__setitem__", MP_TUPLE(2, 0), MP_EINDEX,
                  "list assignment index out of range");
    check_refusal(list, "__delitem__", MP_TUPLE(2), MP_EINDEX,
                  "list assignment index out of range");
    check_refusal(list, "__getitem__", MP_TUPLE("a"), MP_ETYPE,
                  "list indices must be integers or slices, not str");
    check_refusal(list, "__delitem__", MP_TUPLE(1.0), MP_ETYPE,
                  "list indices must be integers or slices, not float");
    host_destroy(list);
    check_nothing_left();
}

static void test_items_are_added_and_taken(void **state)
{
    struct mp__managed *list = list_of(MP_EMPTY_LIST);
    (void)state;
    check_refusal(list, "pop", MP_NONE, MP_EINDEX, "pop from empty list");
    check_call(list, "append", MP_TUPLE("c"), "None");
    check_call(list, "insert", MP_TUPLE(-5, "a"), "None");
    check_call(list, "insert", MP_TUPLE(1, MP_LIST("b")), "None");
    check_call(list, "insert", MP_TUPLE(99, "z"), "None");
    check_call(list, "extend", MP_TUPLE("xy"), "None");
    check_call(list, "copy", MP_NONE, "['a', ['b'], 'c', 'z', 'x', 'y']");
    check_call(list, "pop", MP_NONE, "'y'");
    check_call(list, "pop", MP_TUPLE(1), "['b']");
    check_call(list, "pop", MP_TUPLE(-2), "'z'");
    check_refusal(list, "pop", MP_TUPLE(3), MP_EINDEX, "pop index out of range");
    check_refusal(list, "pop", MP_TUPLE("a"), MP_ETYPE,
                  "'str' object cannot be interpreted as an integer");
    check_refusal(list, "insert", MP_TUPLE("a", 1), MP_ETYPE,
                  "'str' object cannot be interpreted as an integer");
    check_refusal(list, "extend", MP_TUPLE(MP_NONE), MP_ETYPE, "'NoneType' object is not iterable");
    check_call(list, "remove", MP_TUPLE("c"), "None");
    check_refusal(list, "remove", MP_TUPLE("c"), MP_EINVAL, "list.remove(x): x not in list");
    check_call(list, "copy", MP_NONE, "['a', 'x']");
    check_call(list, "clear", MP_NONE, "None");
    check(host_kept() == 0);
    check_call(list, "copy", MP_NONE, "[]");
    host_destroy(list);
    check_nothing_left();
}

static void test_items_are_looked_for(void **state)
{
    struct mp__managed *list = list_of(MP_LIST(1, "a", 1.0, MP_TRUE, (double)NAN, MP_LIST(1)));
    (void)state;
    check_call(list, "count", MP_TUPLE(1), "3");
    check_call(list, "count", MP_TUPLE((double)NAN), "0");
    check_call(list, "index", MP_TUPLE("a"), "1");
    check_call(list, "index", MP_TUPLE(1, 1), "2");
    check_call(list, "index", MP_TUPLE(1, -3, 99), "3");
    check_call(list, "index", MP_TUPLE(MP_LIST(1.0)), "5");
    check_call(list, "__contains__", MP_TUPLE(MP_LIST(1)), "True");
    check_call(list, "__contains__", MP_TUPLE(MP_TUPLE(1)), "False");
    check_refusal(list, "index", MP_TUPLE("b"), MP_EINVAL, "'b' is not in list");
    check_refusal(list, "index", MP_TUPLE("a", 2), MP_EINVAL, "'a' is not in list");
    check_refusal(list, "index", MP_TUPLE("a", 0, 1), MP_EINVAL, "'a' is not in list");
    check_refusal(list, "index", MP_TUPLE(1, MP_NONE), MP_ETYPE,
                  "slice indices must be integers or have an __index__ method");
    host_destroy(list);
    check_nothing_left();
}

static void test_lists_are_added_and_repeated(void **state)
{
    struct mp__managed *list = list_of(MP_LIST(1, "a"));
    (void)state;
    check_call(list, "__add__", MP_TUPLE(MP_LIST("b")), "[1, 'a', 'b']");
    check_call(list, "__add__", MP_TUPLE(MP_EMPTY_LIST), "[1, 'a']");
    check_refusal(list, "__add__", MP_TUPLE(MP_TUPLE(1)), MP_ETYPE,
                  "can only concatenate list (not \"tuple\") to list");
    check_call(list, "__mul__", MP_TUPLE(2), "[1, 'a', 1, 'a']");
    check_call(list, "__rmul__", MP_TUPLE(0), "[]");
    check_call(list, "__mul__", MP_TUPLE(-5), "[]");
    check_refusal(list, "__mul__", MP_TUPLE("a"), MP_ETYPE,
                  "'str' object cannot be interpreted as an integer");
    check_refusal(list, "__mul__", MP_TUPLE(INT64_MAX), -ENOMEM, "");
    check_refusal(list, "__imul__", MP_TUPLE(INT64_MAX), -ENOMEM, "");
    check_call(list, "__imul__", MP_TUPLE(2), "[1, 'a', 1, 'a']");
    check_call(list, "__imul__", MP_TUPLE(1), "[1, 'a', 1, 'a']");
    check_call(list, "__imul__", MP_TUPLE(0), "[]");
    check_call(list, "__imul__", MP_TUPLE(INT64_MAX), "[]");
    check_call(list, "__mul__", MP_TUPLE(INT64_MAX), "[]");
    host_destroy(list);
    check_nothing_left();
}

static void test_a_list_is_sorted_and_turned_round(void **state)
{
    struct mp__managed *list = list_of(MP_LIST(3, 1.5, MP_TRUE, 2));
    (void)state;
    check_call(list, "sort", MP_NONE, "None");
    check_call(list, "copy", MP_NONE, "[True, 1.5, 2, 3]");
    host_check_call(list, "sort", MP_NONE, MP_DICT("key", MP_NONE, "reverse", 1), "None", __FILE__,
                    __LINE__);
    check_call(list, "copy", MP_NONE, "[3, 2, 1.5, True]");
    check_call(list, "__reversed__", MP_NONE, "builtins.iter([True, 1.5, 2, 3])");
    check_call(list, "reverse", MP_NONE, "None");
    check_call(list, "append", MP_TUPLE("a"), "None");
    check_refusal(list, "sort", MP_NONE, MP_ETYPE,
                  "'<' not supported between instances of 'str' and 'int'");
    check_call(list, "copy", MP_NONE, "[True, 1.5, 2, 3, 'a']");
    check_refusal(list, "sort", MP_TUPLE(1), MP_ETYPE, "sort() takes no positional arguments");
    host_check_refusal(list, "sort", MP_NONE, MP_DICT("key", 5), MP_ETYPE,
                       "'int' object is not callable", __FILE__, __LINE__);
    host_check_refusal(list, "sort", MP_NONE, MP_DICT("foo", 5), MP_ETYPE,
                       "got an unexpected keyword argument 'foo'", __FILE__, __LINE__);
    host_destroy(list);
    check_nothing_left();
}

static void test_slices_are_got_set_and_deleted(void **state)
{
    struct mp__managed *list = list_of(MP("abcdef"));
    (void)state;
    check_call(list, "__getitem__", MP_TUPLE(SLICE(1, 3, MP_NONE)), "['b', 'c']");
    check_call(list, "__getitem__", MP_TUPLE(SLICE(MP_NONE, MP_NONE, -2)), "['f', 'd', 'b']");
    check_call(list, "__getitem__", MP_TUPLE(SLICE(9, 10, 1)), "[]");
    check_call(list, "__setitem__", MP_TUPLE(SLICE(1, 3, MP_NONE), MP_LIST(1, 2, 3)), "None");
    check_call(list, "copy", MP_NONE, "['a', 1, 2, 3, 'd', 'e', 'f']");
    check_call(list, "__setitem__", MP_TUPLE(SLICE(1, 4, 1), ""), "None");
    check_call(list, "__setitem__", MP_TUPLE(SLICE(3, 1, 1), "x"), "None");
    check_call(list, "copy", MP_NONE, "['a', 'd', 'e', 'x', 'f']");
    check_call(list, "__setitem__", MP_TUPLE(SLICE(MP_NONE, MP_NONE, -2), RANGE(0, 3, 1)), "None");
    check_call(list, "copy", MP_NONE, "[2, 'd', 1, 'x', 0]");
    check_call(list, "__delitem__", MP_TUPLE(SLICE(MP_NONE, MP_NONE, 2)), "None");
    check_call(list, "copy", MP_NONE, "['d', 'x']");
    check_refusal(list, "__setitem__", MP_TUPLE(SLICE(0, 2, 2), MP_LIST(1, 2)), MP_EINVAL,
                  "attempt to assign sequence of size 2 to extended slice of size 1");
    check_refusal(list, "__setitem__", MP_TUPLE(SLICE(0, 2, 1), 5), MP_ETYPE,
                  "must assign iterable to extended slice");
    check_refusal(list, "__getitem__", MP_TUPLE(SLICE(0, 2, 0)), MP_EINVAL,
                  "slice step cannot be zero");
    check_refusal(list, "__delitem__", MP_TUPLE(SLICE("a", 2, 1)), MP_ETYPE,
                  "slice indices must be integers or None or have an __index__ method");
    check_call(list, "__delitem__", MP_TUPLE(SLICE(MP_NONE, MP_NONE, MP_NONE)), "None");
    check_call(list, "copy", MP_NONE, "[]");
    host_destroy(list);
    check_nothing_left();
}

static void test_a_list_holds_proxies_and_is_extended_by_them(void **state)
{
    struct mp__managed *list = list_of(MP_LIST(1, 2)), *other = list_of(MP_LIST("a"));
    (void)state;
    check_call(list, "extend", MP_TUPLE(host_proxy(list)), "None");
    check_call(list, "extend", MP_TUPLE(host_proxy(other)), "None");
    check_call(list, "__setitem__", MP_TUPLE(SLICE(1, 3, 1), host_proxy(list)), "None");
    check_call(list, "copy", MP_NONE, "[1, 1, 2, 1, 2, 'a', 2, 'a']");
    check_call(list, "clear", MP_NONE, "None");
    check_call(list, "append", MP_TUPLE(host_proxy(other)), "None");
    check_call(list, "count", MP_TUPLE(host_proxy(other)), "1");
    check_call(list, "count", MP_TUPLE(host_proxy(list)), "0");
    check_call(list, "__imul__", MP_TUPLE(0), "[]");
    check(other->references == 1);
    check_call(list, "append", MP_TUPLE(host_proxy(other)), "None");
    host_destroy(other);
    check(host_objects() == 2);
    host_destroy(list);
    check_nothing_left();
}

static void test_where_there_is_no_memory_the_list_is_as_before(void **state)
{
    struct mp__managed *list = list_of(MP_LIST(1, 2, 3));
    (void)state;
    const struct {
        const char *method;
        mp_obj args;
    } calls[] = {
        {"append", MP_TUPLE(1)},
        {"insert", MP_TUPLE(0, 1)},
        {"extend", MP_TUPLE(MP_LIST(1, 2))},
        {"__setitem__", MP_TUPLE(0, 1)},
        {"__setitem__", MP_TUPLE(SLICE(0, 2, 1), MP_LIST(4, 5, 6))},
        {"__setitem__", MP_TUPLE(SLICE(0, 3, 2), MP_LIST(4, 5))},
        {"__imul__", MP_TUPLE(2)},
    };
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        for (long limit = 0; limit < 2; limit++) {
            if (limit == 1 && (i < 2 || i == 3))
                continue;
            host_keep_limit(limit);
            check_refusal(list, calls[i].method, calls[i].args, -ENOMEM, "");
            host_keep_limit(-1);
            check_call(list, "copy", MP_NONE, "[1, 2, 3]");
            check(host_kept() == 3);
        }
    host_destroy(list);
    check_nothing_left();
}

/* ---- at random ---------------------------------------------------------------------------- */

enum { MOST = 60 };

struct model {
    size_t len;
    int64_t items[4 * MOST];
};

/* The places that a slice names, one by one. */
static size_t places_of(const mp_obj bounds[3], size_t len, bool is_named[], size_t places[])
{
    int64_t n = (int64_t)len, step = bounds[2].i, at = bounds[0].i, end = bounds[1].i;
    size_t count = 0;
    at += at < 0 ? n : 0;
    end += end < 0 ? n : 0;
    if (step > 0 && at < 0)
        at = 0;
    if (step < 0 && at > n - 1)
        at = n - 1;
    if (step < 0 && end < -1)
        end = -1;
    memset(is_named, 0, 4 * MOST);
    for (; step > 0 ? at < end && at < n : at > end && at >= 0; at += step) {
        places[count++] = (size_t)at;
        is_named[at] = true;
    }
    return count;
}

static void model_delete(struct model *model, const bool is_named[])
{
    size_t to = 0;
    for (size_t i = 0; i < model->len; i++)
        if (!is_named[i])
            model->items[to++] = model->items[i];
    model->len = to;
}

static void model_insert(struct model *model, size_t at, const mp_obj *items, size_t n)
{
    memmove(&model->items[at + n], &model->items[at], (model->len - at) * sizeof(int64_t));
    for (size_t i = 0; i < n; i++)
        model->items[at + i] = items[i].i;
    model->len += n;
}

static void model_check(const struct model *model, struct mp__managed *list)
{
    assert_mp_ok(host_call(list, "copy", MP_NONE, MP_NONE));
    mp_obj copy = host_answer();
    check(copy.len == model->len && host_kept() == (long)model->len);
    for (size_t i = 0; i < model->len; i++)
        check(copy.items[i].i == model->items[i]);
}

/* l[slice] = new, or del l[slice], or l[slice]. */
static void slice_step(struct rng *rng, struct model *model, struct mp__managed *list,
                       const mp_obj *new, size_t n)
{
    const int64_t span = (int64_t)model->len + 6;
    bool is_named[4 * MOST];
    size_t places[4 * MOST];
    mp_obj bounds[3];
    for (int i = 0; i < 2; i++)
        bounds[i] = MP((int64_t)rng_below(rng, (size_t)(2 * span)) - span);
    bounds[2] = MP((int64_t)rng_below(rng, 9) - 4);
    if (bounds[2].i == 0 || rng_below(rng, 2) == 0)
        bounds[2] = MP(1);
    mp_obj slice = SLICE(bounds[0], bounds[1], bounds[2]);
    size_t count = places_of(bounds, model->len, is_named, places);
    switch (rng_below(rng, 3)) {
    case 0:
        assert_mp_ok(host_call(list, "__getitem__", MP_TUPLE(slice), MP_NONE));
        check(host_answer().len == count);
        for (size_t i = 0; i < count; i++)
            check(host_answer().items[i].i == model->items[places[i]]);
        break;
    case 1:
        assert_mp_ok(host_call(list, "__delitem__", MP_TUPLE(slice), MP_NONE));
        model_delete(model, is_named);
        break;
    default:
        if (bounds[2].i != 1) {
            int rc = host_call(list, "__setitem__", MP_TUPLE(slice, mp_obj_tuple(new, n)), MP_NONE);
            check(rc == (n == count ? 0 : MP_EINVAL));
            for (size_t i = 0; i < count && rc == 0; i++)
                model->items[places[i]] = new[i].i;
            break;
        }
        int64_t at = bounds[0].i + (bounds[0].i < 0 ? (int64_t)model->len : 0);
        at = at < 0 ? 0 : at > (int64_t)model->len ? (int64_t)model->len : at;
        assert_mp_ok(host_call(list, "__setitem__", MP_TUPLE(slice, mp_obj_list(new, n)), MP_NONE));
        model_delete(model, is_named);
        model_insert(model, (size_t)at, new, n);
    }
}

static void model_step(struct rng *rng, struct model *model, struct mp__managed *list)
{
    mp_obj new[6];
    size_t n = rng_below(rng, 6), at = rng_below(rng, model->len + 1);
    bool is_named[4 * MOST] = {false};
    for (size_t i = 0; i < n; i++)
        new[i] = MP((int64_t)rng_below(rng, 50));
    switch (model->len > MOST ? 3 : rng_below(rng, 8)) {
    case 0:
        assert_mp_ok(host_call(list, "append", MP_TUPLE(99), MP_NONE));
        model->items[model->len++] = 99;
        break;
    case 1:
        assert_mp_ok(host_call(list, "insert", MP_TUPLE(at, 98), MP_NONE));
        model_insert(model, at, &(mp_obj){.i = 98}, 1);
        break;
    case 2:
        assert_mp_ok(host_call(list, "extend", MP_TUPLE(mp_obj_list(new, n)), MP_NONE));
        model_insert(model, model->len, new, n);
        break;
    case 3:
        if (at == model->len)
            break;
        assert_mp_ok(host_call(list, "pop", MP_TUPLE((int64_t)at - (int64_t)model->len), MP_NONE));
        check(host_answer().i == model->items[at]);
        is_named[at] = true;
        model_delete(model, is_named);
        break;
    case 4:
        assert_mp_ok(host_call(list, "reverse", MP_NONE, MP_NONE));
        for (size_t i = 0, j = model->len; i + 1 < j; i++) {
            int64_t item = model->items[i];
            model->items[i] = model->items[--j];
            model->items[j] = item;
        }
        break;
    default:
        slice_step(rng, model, list, new, n);
    }
}

static void test_at_random_it_does_what_an_array_does(void **state)
{
    struct rng rng = rng_start(rng_seed());
    (void)state;
    for (int round = 0; round < 50; round++) {
        struct model model = {0};
        struct mp__managed *list = list_of(MP_EMPTY_LIST);
        for (int i = 0; i < 1000; i++) {
            model_step(&rng, &model, list);
            model_check(&model, list);
        }
        host_destroy(list);
        check_nothing_left();
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("list: it is made of anything that has items",
                     test_a_list_is_made_of_anything_that_has_items),
        support_test("list: what makes none is refused and leaves nothing",
                     test_what_makes_no_list_is_refused_and_leaves_nothing),
        support_test("list: items are got, set and deleted by index",
                     test_items_are_got_set_and_deleted_by_index),
        support_test("list: items are added and taken", test_items_are_added_and_taken),
        support_test("list: items are looked for", test_items_are_looked_for),
        support_test("list: lists are added and repeated", test_lists_are_added_and_repeated),
        support_test("list: it is sorted and turned round", test_a_list_is_sorted_and_turned_round),
        support_test("list: slices are got, set and deleted", test_slices_are_got_set_and_deleted),
        support_test("list: it holds proxies and is extended by them",
                     test_a_list_holds_proxies_and_is_extended_by_them),
        support_test("list: where there is no memory it is as before",
                     test_where_there_is_no_memory_the_list_is_as_before),
        support_test("list: at random it does what an array does",
                     test_at_random_it_does_what_an_array_does),
    };
    return support_run("list", tests);
}
