/* Python's TestContainers: managed lists and dicts, in each other, and the Namespace. */
#include "managers/managers_kit.h"

#include <limits.h>
#include <mp/timeout.h>
#include <string.h>

#define TO_NINE MP_LIST(0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
#define TO_FOUR_TWICE MP_LIST(0, 1, 2, 3, 4, 0, 1, 2, 3, 4)

static mp_obj list_obj(mp_list *list)
{
    return mp_obj_proxy(mp_list_proxy(list));
}

static mp_obj dict_obj(mp_dict *dict)
{
    return mp_obj_proxy(mp_dict_proxy(dict));
}

static void assert_slice(mp_list *list, long from, long to, mp_obj expected)
{
    mp_obj slice;
    assert_mp_result(mp_list_slice(list, from, to, &slice), 0);
    assert_owned_is(&slice, expected);
}

static void assert_at(mp_list *list, long i, mp_obj expected)
{
    mp_obj item;
    assert_mp_result(mp_list_get(list, i, &item), 0);
    assert_owned_is(&item, expected);
}

static void assert_inner_list_is(mp_list *list, long i, mp_obj expected)
{
    mp_list *inner = list_in_list(list, i);
    assert_list_is(inner, expected);
    mp_list_destroy(inner);
}

static void assert_inner_item_is(mp_dict *dict, const char *name, const char *key, int expected)
{
    mp_dict *inner = dict_in_dict(dict, MP(name));
    assert_item_is(inner, MP(key), MP(expected));
    mp_dict_destroy(inner);
}

static void set_inner_item(mp_dict *dict, const char *name, const char *key, int value)
{
    mp_dict *inner = dict_in_dict(dict, MP(name));
    assert_mp_result(mp_dict_set(inner, MP(key), MP(value)), 0);
    mp_dict_destroy(inner);
}

/* ---- lists ----------------------------------------------------------------------------------- */

static void test_list(void **state)
{
    (void)state;
    mp_list *a = new_list(manager, TO_NINE), *b = new_list(manager, MP_NONE);
    assert_slice(a, 0, LONG_MAX, TO_NINE);
    assert_slice(b, 0, LONG_MAX, MP_EMPTY_LIST);
    assert_mp_result(mp_list_extend(b, MP_LIST(0, 1, 2, 3, 4)), 0);
    assert_slice(b, 0, LONG_MAX, MP_LIST(0, 1, 2, 3, 4));
    assert_at(b, 2, MP(2));
    assert_slice(b, 2, 10, MP_LIST(2, 3, 4));
    assert_slice(b, -2, LONG_MAX, MP_LIST(3, 4));
    assert_slice(b, 4, 1, MP_EMPTY_LIST);
    assert_slice(b, -100, 100, MP_LIST(0, 1, 2, 3, 4));
    assert_mp_result(mp_list_imul(b, 2), 0);
    assert_list_is(b, TO_FOUR_TWICE);
    assert_call(mp_list_proxy(b), "__add__", MP_TUPLE(MP_LIST(5, 6)),
                MP_LIST(0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 5, 6));
    assert_mp_result(mp_list_len(b), 10);
    assert_list_is(a, TO_NINE);

    mp_list *e = new_list(manager, MP_LIST(list_obj(a), list_obj(b)));
    assert_inner_list_is(e, 0, TO_NINE);
    assert_inner_list_is(e, 1, TO_FOUR_TWICE);
    mp_list *f = new_list(manager, MP_LIST(list_obj(a)));
    assert_mp_result(mp_list_append(a, MP("hello")), 0);
    assert_inner_list_is(f, 0, MP_LIST(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, "hello"));
    mp_list_destroy(a);
    mp_list_destroy(b);
    mp_list_destroy(e);
    mp_list_destroy(f);
}

static void test_list_iter(void **state)
{
    (void)state;
    mp_list *a = new_list(manager, TO_NINE);
    long i = 0;
    for (mp_obj item; mp_list_get(a, i, &item) == 0; i++)
        assert_owned_is(&item, MP(i));
    check(i == 10);
    assert_mp_error(mp_list_get(a, i, NULL), MP_EINDEX);
    assert_mp_result(mp_list_set(a, 0, MP(100)), 0);
    assert_at(a, 0, MP(100));
    mp_list_destroy(a);
}

static mp_list *list_of_three_lists(void)
{
    mp_list *inner[3];
    for (int i = 0; i < 3; i++)
        inner[i] = new_list(manager, MP_LIST(0, 1, 2));
    mp_list *outer =
        new_list(manager, MP_LIST(list_obj(inner[0]), list_obj(inner[1]), list_obj(inner[2])));
    for (int i = 0; i < 3; i++)
        mp_list_destroy(inner[i]);
    return outer;
}

static void test_list_proxy_in_list(void **state)
{
    (void)state;
    mp_list *a = list_of_three_lists();
    for (int i = 0; i < 3; i++)
        assert_inner_list_is(a, i, MP_LIST(0, 1, 2));
    mp_list *inner = list_in_list(a, 0);
    assert_mp_result(mp_list_set(inner, -1, MP(55)), 0);
    mp_list_destroy(inner);
    assert_inner_list_is(a, 0, MP_LIST(0, 1, 55));
    for (int i = 1; i < 3; i++)
        assert_inner_list_is(a, i, MP_LIST(0, 1, 2));
    mp_obj popped;
    inner = list_in_list(a, 1);
    assert_mp_result(mp_list_pop(inner, -1, &popped), 0);
    assert_owned_is(&popped, MP(2));
    assert_mp_result(mp_list_len(inner), 2);
    mp_list_destroy(inner);
    assert_inner_list_is(a, 0, MP_LIST(0, 1, 55));
    assert_inner_list_is(a, 2, MP_LIST(0, 1, 2));
    assert_objects(manager, 4);
    mp_list_destroy(a);
    assert_objects(manager, 0);
}

/* Nobody frees such a circle, here or in Python, before the server ends. */
static void test_list_in_itself(void **state)
{
    (void)state;
    mp_manager *another = new_manager();
    mp_list *b = new_list(another, MP_NONE);
    assert_mp_result(mp_list_append(b, list_obj(b)), 0);
    mp_list *same = list_in_list(b, 0);
    assert_mp_result(mp_list_append(same, MP("end")), 0);
    assert_mp_result(mp_list_len(b), 2);
    mp_list_destroy(same);
    mp_list_destroy(b);
    end_manager(another);
}

/* ---- dicts ----------------------------------------------------------------------------------- */

#define A_TO_E MP_DICT(65, "A", 66, "B", 67, "C", 68, "D", 69, "E")

static mp_dict *dict_a_to_e(void)
{
    mp_dict *d = new_dict(manager, MP_NONE);
    for (int i = 65; i < 70; i++)
        assert_mp_result(mp_dict_set(d, MP(i), mp_obj_strn(&(char){(char)i}, 1)), 0);
    return d;
}

static void test_dict(void **state)
{
    (void)state;
    mp_obj got;
    mp_dict *d = dict_a_to_e();
    assert_dict_is(d, A_TO_E);
    assert_mp_result(mp_dict_keys(d, &got), 0);
    assert_owned_is(&got, MP_LIST(65, 66, 67, 68, 69));
    assert_mp_result(mp_dict_values(d, &got), 0);
    assert_owned_is(&got, MP_LIST("A", "B", "C", "D", "E"));
    assert_mp_result(mp_dict_items(d, &got), 0);
    assert_owned_is(&got, MP_LIST(MP_TUPLE(65, "A"), MP_TUPLE(66, "B"), MP_TUPLE(67, "C"),
                                  MP_TUPLE(68, "D"), MP_TUPLE(69, "E")));
    mp_dict_destroy(d);
}

static void test_dict_iter(void **state)
{
    (void)state;
    mp_dict *d = dict_a_to_e();
    mp_proxy *it = call_proxy(mp_dict_proxy(d), "__iter__", MP_NONE);
    for (int i = 65; i < 70; i++)
        assert_call(it, "__next__", MP_NONE, MP(i));
    assert_raises(it, "__next__", MP_NONE, MP_EEOF);
    assert_raises(it, "__next__", MP_NONE, MP_EEOF);
    mp_proxy_destroy(it);
    it = call_proxy(mp_dict_proxy(d), "__iter__", MP_NONE);
    assert_mp_result(mp_dict_clear(d), 0);
    assert_raises(it, "__next__", MP_NONE, MP_ESTATE);
    check_detail_has("changed size during iteration");
    mp_proxy_destroy(it);
    mp_dict_destroy(d);
}

struct zoo {
    mp_dict *pets, *supplies, *d;
};

static void inner_dicts_alias(const struct zoo *zoo)
{
    assert_item_is(zoo->supplies, MP("water"), MP(10));
    assert_inner_item_is(zoo->d, "supplies", "water", 10);
    set_inner_item(zoo->d, "supplies", "blankets", 5);
    assert_item_is(zoo->supplies, MP("blankets"), MP(5));
    assert_inner_item_is(zoo->d, "supplies", "blankets", 5);
    set_inner_item(zoo->d, "supplies", "water", 7);
    assert_item_is(zoo->supplies, MP("water"), MP(7));
    assert_inner_item_is(zoo->d, "supplies", "water", 7);
}

static void inner_dicts_outlive_their_proxies(struct zoo *zoo)
{
    mp_dict_destroy(zoo->pets);
    mp_dict_destroy(zoo->supplies);
    assert_inner_item_is(zoo->d, "pets", "ferrets", 2);
    set_inner_item(zoo->d, "supplies", "blankets", 11);
    assert_inner_item_is(zoo->d, "supplies", "blankets", 11);
    zoo->pets = dict_in_dict(zoo->d, MP("pets"));
    zoo->supplies = dict_in_dict(zoo->d, MP("supplies"));
    assert_mp_result(mp_dict_set(zoo->supplies, MP("water"), MP(7)), 0);
    assert_inner_item_is(zoo->d, "supplies", "water", 7);
}

static void inner_dicts_outlive_their_dict(const struct zoo *zoo)
{
    assert_mp_result(mp_dict_clear(zoo->d), 0);
    assert_mp_result(mp_dict_len(zoo->d), 0);
    assert_item_is(zoo->supplies, MP("water"), MP(7));
    assert_item_is(zoo->pets, MP("hamsters"), MP(4));
}

static mp_dict *dict_in_list(mp_list *list, long i)
{
    mp_obj object;
    mp_dict *inner;
    assert_mp_result(mp_list_get(list, i, &object), 0);
    assert_mp_result(mp_dict_from(object, &inner), 0);
    mp_obj_free(&object);
    return inner;
}

static mp_list *dicts_go_into_a_list(struct zoo *zoo)
{
    mp_list *l = new_list(manager, MP_LIST(dict_obj(zoo->pets), dict_obj(zoo->supplies)));
    mp_dict *first = dict_in_list(l, 0);
    assert_mp_result(mp_dict_set(first, MP("marmots"), MP(1)), 0);
    assert_item_is(zoo->pets, MP("marmots"), MP(1));
    mp_dict_destroy(first);
    mp_dict_destroy(zoo->pets);
    mp_dict_destroy(zoo->supplies);
    first = dict_in_list(l, 0);
    assert_item_is(first, MP("marmots"), MP(1));
    mp_dict_destroy(first);
    return l;
}

static void test_dict_proxy_nested(void **state)
{
    (void)state;
    struct zoo zoo = {.pets = new_dict(manager, MP_DICT("ferrets", 2, "hamsters", 4)),
                      .supplies = new_dict(manager, MP_DICT("water", 10, "feed", 3))};
    zoo.d =
        new_dict(manager, MP_DICT("pets", dict_obj(zoo.pets), "supplies", dict_obj(zoo.supplies)));
    inner_dicts_alias(&zoo);
    inner_dicts_outlive_their_proxies(&zoo);
    inner_dicts_outlive_their_dict(&zoo);
    mp_list *l = dicts_go_into_a_list(&zoo);

    mp_list *outer = new_list(manager, MP_LIST(MP_LIST(88, 99), list_obj(l)));
    assert_at(outer, 0, MP_LIST(88, 99)); /* a list, no proxy */
    mp_list *inner = list_in_list(outer, -1);
    mp_dict *innermost = dict_in_list(inner, -1);
    assert_item_is(innermost, MP("feed"), MP(3));
    mp_dict_destroy(innermost);
    mp_list_destroy(inner);
    mp_list_destroy(l);
    mp_list_destroy(outer);
    mp_dict_destroy(zoo.d);
    assert_objects(manager, 0);
}

/* ---- others ---------------------------------------------------------------------------------- */

static void put_and_get(mp_obj object, int item)
{
    mp_proxy *queue;
    assert_mp_result(mp_proxy_from(object, &queue), 0);
    assert_call(queue, "put", MP_TUPLE(item), MP_NONE);
    assert_call(queue, "get", MP_NONE, MP(item));
    mp_proxy_destroy(queue);
}

static void test_nested_queue(void **state)
{
    (void)state;
    mp_obj object;
    mp_list *a = new_list(manager, MP_NONE);
    mp_dict *b = new_dict(manager, MP_NONE);
    mp_proxy *queue = new_proxy(manager, "Queue", MP_NONE);
    assert_mp_result(mp_list_append(a, mp_obj_proxy(queue)), 0);
    mp_proxy_destroy(queue);
    assert_mp_result(mp_list_get(a, 0, &object), 0);
    put_and_get(object, 123);
    mp_obj_free(&object);

    queue = new_proxy(manager, "Queue", MP_NONE);
    assert_mp_result(mp_dict_set(b, MP(0), mp_obj_proxy(queue)), 0);
    mp_proxy_destroy(queue);
    assert_mp_result(mp_dict_get(b, MP(0), &object), 0);
    put_and_get(object, 456);
    mp_obj_free(&object);
    mp_list_destroy(a);
    mp_dict_destroy(b);
    assert_objects(manager, 0);
}

static void test_namespace(void **state)
{
    (void)state;
    mp_obj got;
    char text[64] = "";
    mp_namespace *n;
    assert_mp_result(mp_manager_namespace(manager, MP_NONE, &n), 0);
    assert_mp_result(mp_namespace_set(n, "name", MP("Bob")), 0);
    assert_mp_result(mp_namespace_set(n, "job", MP("Builder")), 0);
    assert_mp_result(mp_namespace_set(n, "_hidden", MP("hidden")), 0);
    assert_mp_result(mp_namespace_get(n, "name", &got), 0);
    assert_owned_is(&got, MP("Bob"));
    assert_mp_result(mp_namespace_get(n, "job", &got), 0);
    assert_owned_is(&got, MP("Builder"));
    assert_mp_result(mp_namespace_del(n, "job"), 0);

    FILE *file = fmemopen(text, sizeof text, "w");
    check(file != NULL);
    assert_mp_result(mp_proxy_print(mp_namespace_proxy(n), file), 0);
    check(fclose(file) == 0);
    check(strcmp(text, "Namespace(name='Bob')") == 0);
    assert_mp_result(mp_namespace_get(n, "name", NULL), 0);
    assert_mp_error(mp_namespace_get(n, "job", NULL), MP_EATTR);
    assert_mp_error(mp_namespace_del(n, "job"), MP_EATTR);
    mp_namespace_destroy(n);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        served_test("TestContainers.test_list: slices, repetition, lists of lists", test_list),
        served_test("TestContainers.test_list_iter: by index, and sees what changes meanwhile",
                    test_list_iter),
        served_test("TestContainers.test_list_proxy_in_list: three lists in a list are three",
                    test_list_proxy_in_list),
        served_test("TestContainers.test_list_proxy_in_list: a list may stand in itself",
                    test_list_in_itself),
        served_test("TestContainers.test_dict: keys, values and items in order", test_dict),
        served_test("TestContainers.test_dict_iter: to the end, or until the size changes",
                    test_dict_iter),
        served_test("TestContainers.test_dict_proxy_nested: dicts in dicts are those dicts",
                    test_dict_proxy_nested),
        served_test("TestContainers.test_nested_queue: in a list and in a dict", test_nested_queue),
        served_test("TestContainers.test_namespace: attributes, and what it prints",
                    test_namespace),
    };
    return managers_run("TestContainers", tests);
}
