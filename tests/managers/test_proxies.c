/* Objects in objects, and how long they live: as long as a proxy or an object holds them. */
#include "managers/managers_kit.h"

#include <mp/mp.h>
#include <string.h>

static mp_obj list_obj(mp_list *list)
{
    return mp_obj_proxy(mp_list_proxy(list));
}

static mp_obj dict_obj(mp_dict *dict)
{
    return mp_obj_proxy(mp_dict_proxy(dict));
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

/* ---- nesting --------------------------------------------------------------------------------- */

/* A list in a dict in a list; only the outermost has a proxy. */
static mp_list *three_levels(void)
{
    mp_list *innermost = new_list(manager, MP_LIST("deep"));
    mp_dict *middle = new_dict(manager, MP_DICT("inner", list_obj(innermost)));
    mp_list *outer = new_list(manager, MP_LIST(0, dict_obj(middle)));
    mp_list_destroy(innermost);
    mp_dict_destroy(middle);
    return outer;
}

static mp_list *innermost_of(mp_list *outer)
{
    mp_dict *middle = dict_in_list(outer, 1);
    mp_obj object;
    mp_list *innermost;
    assert_mp_result(mp_dict_get(middle, MP("inner"), &object), 0);
    assert_mp_result(mp_list_from(object, &innermost), 0);
    mp_obj_free(&object);
    mp_dict_destroy(middle);
    return innermost;
}

static void test_three_levels_are_reached_and_go_with_the_outermost(void **state)
{
    (void)state;
    mp_list *outer = three_levels(), *innermost = innermost_of(outer);
    assert_objects(manager, 3);
    assert_mp_result(mp_list_append(innermost, MP("deeper")), 0);
    mp_list_destroy(innermost);
    innermost = innermost_of(outer);
    assert_list_is(innermost, MP_LIST("deep", "deeper"));
    mp_list_destroy(innermost);
    assert_objects(manager, 3);
    mp_list_destroy(outer);
    assert_objects(manager, 0);
}

static void test_what_a_proxy_holds_outlives_its_container(void **state)
{
    (void)state;
    mp_list *outer = three_levels(), *innermost = innermost_of(outer);
    mp_list_destroy(outer);
    assert_objects(manager, 1);
    assert_list_is(innermost, MP_LIST("deep"));
    mp_list_destroy(innermost);
    assert_objects(manager, 0);
}

/* The ways in which a list or a dict loses what it holds. */
enum { WAYS = 5 };

static int list_loses(mp_list *list, int way)
{
    switch (way) {
    case 0:
        return mp_list_set(list, 0, MP(1));
    case 1:
        return mp_list_del(list, 0);
    case 2:
        return mp_list_imul(list, 0);
    case 3:
        assert_mp_result(mp_list_imul(list, 3), 0);
        return mp_list_clear(list);
    default:
        return call(mp_list_proxy(list), "pop", MP_NONE);
    }
}

static int dict_loses(mp_dict *dict, int way)
{
    switch (way) {
    case 0:
        return mp_dict_set(dict, MP("key"), MP(1));
    case 1:
        return mp_dict_del(dict, MP("key"));
    case 2:
        return mp_dict_update(dict, MP_DICT("key", 1));
    case 3:
        return mp_dict_clear(dict);
    default:
        return mp_dict_pop(dict, MP("key"), NULL);
    }
}

static void test_what_a_container_loses_is_let_go(void **state)
{
    (void)state;
    for (int way = 0; way < WAYS; way++) {
        mp_list *inner = new_list(manager, MP_NONE);
        mp_list *list = new_list(manager, MP_LIST(list_obj(inner)));
        mp_list_destroy(inner);
        inner = new_list(manager, MP_NONE);
        mp_dict *dict = new_dict(manager, MP_DICT("key", list_obj(inner)));
        mp_list_destroy(inner);
        assert_objects(manager, 4);
        assert_mp_result(list_loses(list, way), 0);
        assert_objects(manager, 3);
        assert_mp_result(dict_loses(dict, way), 0);
        assert_objects(manager, 2);
        mp_list_destroy(list);
        mp_dict_destroy(dict);
    }
}

static void test_what_is_popped_can_still_be_taken(void **state)
{
    (void)state;
    mp_obj popped;
    mp_list *inner = new_list(manager, MP_LIST("inner")), *list;
    list = new_list(manager, MP_LIST(list_obj(inner)));
    mp_list_destroy(inner);
    assert_mp_result(mp_list_pop(list, 0, &popped), 0);
    assert_mp_result(mp_list_from(popped, &inner), 0);
    mp_obj_free(&popped);
    assert_list_is(inner, MP_LIST("inner"));
    mp_list_destroy(inner);
    mp_list_destroy(list);
    assert_objects(manager, 0);
}

static void test_proxies_stand_anywhere_in_a_value(void **state)
{
    (void)state;
    mp_obj value;
    mp_dict *dict = new_dict(manager, MP_NONE), *inner = new_dict(manager, MP_DICT("x", 1));
    assert_mp_result(
        mp_dict_set(dict, MP("key"), MP_TUPLE(1, MP_LIST(MP_DICT("here", dict_obj(inner))), 2)), 0);
    assert_mp_result(mp_dict_set(inner, MP("x"), MP(2)), 0);
    mp_dict_destroy(inner);
    assert_objects(manager, 2);
    assert_mp_result(mp_dict_get(dict, MP("key"), &value), 0);
    const mp_obj *list = mp_obj_item(value, 1);
    assert_mp_result(mp_dict_from(*mp_obj_lookup(*mp_obj_item(*list, 0), MP("here")), &inner), 0);
    mp_obj_free(&value);
    assert_item_is(inner, MP("x"), MP(2));
    mp_dict_destroy(inner);
    assert_mp_result(mp_dict_clear(dict), 0);
    assert_objects(manager, 1);
    mp_dict_destroy(dict);
}

static void test_an_object_goes_when_the_last_of_its_places_goes(void **state)
{
    (void)state;
    mp_list *inner = new_list(manager, MP_NONE);
    mp_list *list = new_list(manager, MP_LIST(list_obj(inner), list_obj(inner)));
    mp_dict *dict = new_dict(manager, MP_DICT(1, list_obj(inner)));
    mp_namespace *ns;
    assert_mp_result(mp_manager_namespace(manager, MP_DICT("it", list_obj(inner)), &ns), 0);
    mp_proxy *queue = new_proxy(manager, "Queue", MP_NONE);
    assert_call(queue, "put", MP_TUPLE(list_obj(inner)), MP_NONE);
    mp_proxy *value = new_proxy(manager, "Value", MP_TUPLE("O", list_obj(inner)));
    mp_list_destroy(inner);
    assert_objects(manager, 6);
    mp_list_destroy(list);
    mp_dict_destroy(dict);
    assert_objects(manager, 4);
    assert_mp_result(mp_namespace_del(ns, "it"), 0);
    mp_proxy_destroy(queue);
    assert_objects(manager, 3);
    assert_call(value, "set", MP_TUPLE(0), MP_NONE);
    assert_objects(manager, 2);
    mp_proxy_destroy(value);
    mp_namespace_destroy(ns);
}

/* ---- iterators ------------------------------------------------------------------------------- */

static void test_an_iterator_is_an_object_of_its_own(void **state)
{
    (void)state;
    mp_dict *dict = new_dict(manager, MP_DICT("a", 1, "b", 2));
    mp_proxy *one = call_proxy(mp_dict_proxy(dict), "__iter__", MP_NONE);
    mp_proxy *two = call_proxy(mp_dict_proxy(dict), "__iter__", MP_NONE);
    check(strcmp(mp_proxy_typeid(one), "Iterator") == 0);
    assert_objects(manager, 3);
    assert_call(one, "__next__", MP_NONE, MP("a"));
    assert_call(one, "__next__", MP_NONE, MP("b"));
    assert_call(two, "__next__", MP_NONE, MP("a"));
    assert_raises(one, "__next__", MP_NONE, MP_EEOF);
    mp_proxy_destroy(one);
    assert_objects(manager, 2);
    mp_dict_destroy(dict); /* what is iterated over stays as long as the iterator */
    assert_call(two, "__next__", MP_NONE, MP("b"));
    assert_raises(two, "__next__", MP_NONE, MP_EEOF);
    mp_proxy_destroy(two);
    assert_objects(manager, 0);
}

static void test_an_iterator_that_nobody_takes_is_gone(void **state)
{
    (void)state;
    mp_dict *dict = new_dict(manager, MP_DICT("a", 1));
    for (int i = 0; i < 3; i++)
        assert_mp_result(call(mp_dict_proxy(dict), "__iter__", MP_NONE), 0);
    assert_objects(manager, 1);
    mp_dict_destroy(dict);
}

/* ---- what they print ------------------------------------------------------------------------- */

static char printed[256];

static FILE *paper(void)
{
    FILE *file = fmemopen(printed, sizeof printed, "w");
    check(file != NULL);
    return file;
}

static void assert_printed(FILE *file, const char *expected)
{
    check(fclose(file) == 0);
    if (strcmp(printed, expected) != 0)
        support_fail(__FILE__, __LINE__, "printed %s, not %s", printed, expected);
}

static void prints(const char *type_id, mp_obj args, const char *expected)
{
    mp_proxy *proxy = new_proxy(manager, type_id, args);
    FILE *file = paper();
    assert_mp_result(mp_proxy_print(proxy, file), 0);
    assert_printed(file, expected);
    mp_proxy_destroy(proxy);
}

static void test_print_shows_the_object_as_python_does(void **state)
{
    (void)state;
    prints("list", MP_TUPLE(MP_LIST(1, "two", 3.0, MP_NONE)), "[1, 'two', 3.0, None]");
    prints("dict", MP_TUPLE(MP_DICT("a", MP_LIST(1), 2, MP_TRUE)), "{'a': [1], 2: True}");
    prints("set", MP_NONE, "set()");
    prints("set", MP_TUPLE(MP_SET(1)), "{1}");
    prints("Namespace", MP_NONE, "Namespace()");
    prints("Value", MP_TUPLE("i", 3), "Value('i', 3)");
    prints("Array", MP_TUPLE("i", MP_LIST(1, 2)), "array('i', [1, 2])");
    prints("Array", MP_TUPLE("d", MP_EMPTY_LIST), "array('d')");
    mp_dict *dict = new_dict(manager, MP_DICT("a", 1));
    mp_list *list = new_list(manager, MP_LIST(1));
    FILE *file = paper();
    assert_mp_result(mp_dict_println(dict, file), 0);
    assert_mp_result(mp_list_println(list, file), 0);
    assert_mp_result(mp_dict_print(dict, file), 0);
    assert_printed(file, "{'a': 1}\n[1]\n{'a': 1}");
    mp_dict_destroy(dict);
    mp_list_destroy(list);
}

static void test_print_of_what_holds_proxies_shows_them_as_such(void **state)
{
    (void)state;
    mp_list *inner = new_list(manager, MP_LIST(1)), *outer;
    outer = new_list(manager, MP_LIST(list_obj(inner)));
    FILE *file = paper();
    assert_mp_result(mp_list_print(outer, file), 0);
    check(fclose(file) == 0);
    check(strstr(printed, "[<ListProxy object, typeid 'list' at 0x") == printed);
    mp_list_destroy(inner);
    mp_list_destroy(outer);
}

static void has_repr(const char *type_id, mp_obj args, const char *class)
{
    char text[128], expected[128];
    mp_proxy *proxy = new_proxy(manager, type_id, args);
    int n = assert_mp_ok(mp_proxy_repr(proxy, text, sizeof text));
    (void)snprintf(expected, sizeof expected, "<%s object, typeid '%s' at 0x", class, type_id);
    if (n != (int)strlen(text) || strncmp(text, expected, strlen(expected)) != 0 ||
        text[n - 1] != '>')
        support_fail(__FILE__, __LINE__, "%s is not %s...>", text, expected);
    check(strcmp(mp_proxy_typeid(proxy), type_id) == 0);
    assert_mp_result(mp_proxy_repr(proxy, text, 10), n);
    check(strlen(text) == 9);
    mp_proxy_destroy(proxy);
}

static void test_repr_describes_the_proxy_itself(void **state)
{
    (void)state;
    has_repr("list", MP_NONE, "ListProxy");
    has_repr("dict", MP_NONE, "DictProxy");
    has_repr("set", MP_NONE, "AutoProxy[set]");
    has_repr("Namespace", MP_NONE, "NamespaceProxy");
    has_repr("Value", MP_TUPLE("i", 1), "ValueProxy");
    has_repr("Array", MP_TUPLE("i", MP_EMPTY_LIST), "ArrayProxy");
    has_repr("Lock", MP_NONE, "AcquirerProxy");
    has_repr("RLock", MP_NONE, "AcquirerProxy");
    has_repr("Semaphore", MP_NONE, "AcquirerProxy");
    has_repr("BoundedSemaphore", MP_NONE, "AcquirerProxy");
    has_repr("Condition", MP_NONE, "ConditionProxy");
    has_repr("Event", MP_NONE, "EventProxy");
    has_repr("Barrier", MP_TUPLE(2), "BarrierProxy");
    has_repr("Queue", MP_NONE, "AutoProxy[Queue]");
    has_repr("JoinableQueue", MP_NONE, "AutoProxy[JoinableQueue]");
}

static void test_getvalue_copies_the_whole(void **state)
{
    (void)state;
    mp_obj got;
    mp_dict *dict = new_dict(manager, MP_DICT("a", MP_LIST(1, 2)));
    mp_list *list = new_list(manager, MP_LIST("x"));
    mp_proxy *set = new_proxy(manager, "set", MP_TUPLE(MP_LIST(1, 1, 2)));
    assert_mp_result(mp_proxy_getvalue(mp_dict_proxy(dict), &got), 0);
    assert_owned_is(&got, MP_DICT("a", MP_LIST(1, 2)));
    assert_mp_result(mp_proxy_getvalue(mp_list_proxy(list), &got), 0);
    assert_owned_is(&got, MP_LIST("x"));
    assert_mp_result(mp_proxy_getvalue(set, &got), 0);
    assert_owned_is(&got, MP_SET(1, 2));
    mp_dict_destroy(dict);
    mp_list_destroy(list);
    mp_proxy_destroy(set);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        served_test("three levels are reached, and go with the outermost",
                    test_three_levels_are_reached_and_go_with_the_outermost),
        served_test("what a proxy holds outlives its container",
                    test_what_a_proxy_holds_outlives_its_container),
        served_test("what a container loses is let go", test_what_a_container_loses_is_let_go),
        served_test("what is popped can still be taken", test_what_is_popped_can_still_be_taken),
        served_test("proxies stand anywhere in a value", test_proxies_stand_anywhere_in_a_value),
        served_test("an object goes when the last of its places goes",
                    test_an_object_goes_when_the_last_of_its_places_goes),
        served_test("an iterator is an object of its own",
                    test_an_iterator_is_an_object_of_its_own),
        served_test("an iterator that nobody takes is gone",
                    test_an_iterator_that_nobody_takes_is_gone),
        served_test("print shows the object as Python does",
                    test_print_shows_the_object_as_python_does),
        served_test("print of what holds proxies shows them as such",
                    test_print_of_what_holds_proxies_shows_them_as_such),
        served_test("repr describes the proxy itself", test_repr_describes_the_proxy_itself),
        served_test("getvalue copies the whole", test_getvalue_copies_the_whole),
    };
    return managers_run("Proxies", tests);
}
