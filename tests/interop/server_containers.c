/* A C program's dicts, lists, sets, Namespaces, Values and Arrays in a manager of Python's. */
#include "server_cases.h"

#include "support/support.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A call of the dict's or list's own functions that gives an object. */
#define GIVES(call, out, expected)   \
    do {                             \
        assert_mp_result((call), 0); \
        obj_is(*(out), (expected));  \
    } while (0)

static mp_dict *dict_of(mp_manager *manager, mp_obj initial)
{
    mp_dict *dict = NULL;
    assert_mp_result(mp_manager_dict(manager, initial, &dict), 0);
    return dict;
}

static mp_list *list_of(mp_manager *manager, mp_obj initial)
{
    mp_list *list = NULL;
    assert_mp_result(mp_manager_list(manager, initial, &list), 0);
    return list;
}

/* ---- values --------------------------------------------------------------------------------- */

static void goes_and_comes(mp_list *list, mp_obj value)
{
    mp_obj got;
    assert_mp_result(mp_list_append(list, value), 0);
    GIVES(mp_list_pop(list, -1, &got), &got, value);
}

void server_values(struct peer *peer, mp_manager *manager)
{
    mp_list *list = list_of(manager, MP_NONE);
    mp_obj got;
    (void)peer;
    const mp_obj all[] = {
        MP_NONE,
        MP_TRUE,
        MP_FALSE,
        MP(0),
        MP(-1),
        MP(255),
        MP(256),
        MP(65536),
        MP(INT32_MAX),
        MP(INT32_MIN),
        MP((int64_t)INT32_MAX + 1),
        MP(INT64_MAX),
        MP(INT64_MIN),
        MP(0.0),
        MP(0.1),
        MP(HUGE_VAL),
        MP(-HUGE_VAL),
        MP(5e-324),
        MP(""),
        MP("text"),
        MP_STRN("\0a", 2),
        MP("\xc3\xa9\xf0\x9f\x98\x80"),
        MP("alone: \xed\xa0\x80"),
        MP_BYTES("", 0),
        MP_BYTES("\0\xff", 2),
        MP_EMPTY_LIST,
        MP_EMPTY_TUPLE,
        MP_EMPTY_DICT,
        MP_EMPTY_SET,
        mp_obj_frozenset(NULL, 0),
        MP_TUPLE(1),
        MP_TUPLE(1, 2),
        MP_TUPLE(1, 2, 3, 4),
        MP_SET(1, 2),
        MP_LIST(1, MP_TUPLE(2, MP_LIST(3.0)), MP_DICT("k", MP_EMPTY_SET)),
        MP_DICT(1, "one", MP_TUPLE(2), MP_NONE, "three", MP_LIST(3)),
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        goes_and_comes(list, all[i]);
    goes_and_comes(list, mp_obj_list(all, sizeof all / sizeof *all));
    assert_mp_result(mp_list_append(list, MP(-0.0)), 0);
    assert_mp_result(mp_list_append(list, MP(NAN)), 0);
    assert_mp_result(mp_list_pop(list, -1, &got), 0);
    check(got.type == MP_TYPE_FLOAT && isnan(got.f));
    assert_mp_result(mp_list_pop(list, -1, &got), 0);
    check(got.type == MP_TYPE_FLOAT && signbit(got.f));

    mp_obj deep[101] = {MP(5)};
    for (size_t i = 1; i <= 100; i++)
        deep[i] = mp_obj_list(&deep[i - 1], 1);
    goes_and_comes(list, deep[100]);
    assert_mp_error(mp_list_append(list, MP((uint64_t)INT64_MAX + 1)), MP_EOVERFLOW);
    assert_mp_error(mp_list_append(list, MP("\xff")), MP_EPICKLE);
    assert_mp_error(mp_list_append(list, MP_SET(MP_EMPTY_LIST)), MP_ETYPE);
    goes_and_comes(list, MP("still there"));
    check(mp_list_len(list) == 0);
    mp_list_destroy(list);
}

void server_large(struct peer *peer, mp_manager *manager)
{
    enum { TEXT = 1 << 20, NUMBERS = 100000 };
    char *text = malloc(TEXT);
    mp_obj *numbers = malloc(NUMBERS * sizeof *numbers), got;
    check(text != NULL && numbers != NULL);
    memset(text, 'x', TEXT);
    for (int i = 0; i < NUMBERS; i++)
        numbers[i] = MP(i);
    (void)peer;
    mp_list *list = list_of(manager, MP_NONE);
    goes_and_comes(list, MP_STRN(text, TEXT));
    goes_and_comes(list, MP_BYTES(text, TEXT));
    assert_mp_result(mp_list_extend(list, mp_obj_list(numbers, NUMBERS)), 0);
    check(mp_list_len(list) == NUMBERS);
    GIVES(mp_list_get(list, -1, &got), &got, MP(NUMBERS - 1));
    GIVES(mp_list_copy(list, &got), &got, mp_obj_list(numbers, NUMBERS));
    mp_list_destroy(list);
    mp_dict *dict = dict_of(manager, MP_DICT("numbers", mp_obj_tuple(numbers, NUMBERS)));
    GIVES(mp_dict_get(dict, MP("numbers"), &got), &got, mp_obj_tuple(numbers, NUMBERS));
    mp_dict_destroy(dict);
    free(numbers);
    free(text);
}

/* ---- dict ------------------------------------------------------------------------------------ */

void server_dict(struct peer *peer, mp_manager *manager)
{
    mp_obj got;
    mp_dict *dict = dict_of(manager, MP_DICT("a", 1, 2, "two"));
    (void)peer;
    check(mp_dict_len(dict) == 2);
    assert_mp_result(mp_dict_set(dict, MP_TUPLE(1, "x"), MP_LIST(3)), 0);
    assert_mp_result(mp_dict_set(dict, MP_NONE, MP_NONE), 0);
    GIVES(mp_dict_get(dict, MP_TUPLE(1, "x"), &got), &got, MP_LIST(3));
    GIVES(mp_dict_get(dict, MP(2.0), &got), &got, MP("two"));
    assert_mp_error(mp_dict_get(dict, MP("b"), &got), MP_EKEY);
    check(strstr(mp_error_detail(), "'b'") != NULL);
    assert_mp_error(mp_dict_get(dict, MP_EMPTY_LIST, &got), MP_ETYPE);
    assert_mp_error(mp_dict_set(dict, MP_EMPTY_DICT, MP(1)), MP_ETYPE);
    GIVES(mp_dict_get_default(dict, MP("b"), MP(0.5), &got), &got, MP(0.5));
    GIVES(mp_dict_get_default(dict, MP("a"), MP(0.5), &got), &got, MP(1));
    check(mp_dict_contains(dict, MP("a")) == 1 && mp_dict_contains(dict, MP("b")) == 0);
    GIVES(mp_dict_keys(dict, &got), &got, MP_LIST("a", 2, MP_TUPLE(1, "x"), MP_NONE));
    GIVES(mp_dict_values(dict, &got), &got, MP_LIST(1, "two", MP_LIST(3), MP_NONE));
    assert_mp_result(mp_dict_del(dict, MP_NONE), 0);
    assert_mp_error(mp_dict_del(dict, MP_NONE), MP_EKEY);
    assert_mp_result(mp_dict_del(dict, MP_TUPLE(1, "x")), 0);
    GIVES(mp_dict_items(dict, &got), &got, MP_LIST(MP_TUPLE("a", 1), MP_TUPLE(2, "two")));
    GIVES(mp_dict_pop(dict, MP(2), &got), &got, MP("two"));
    assert_mp_error(mp_dict_pop(dict, MP(2), &got), MP_EKEY);
    GIVES(mp_dict_setdefault(dict, MP("s"), MP_LIST(1), &got), &got, MP_LIST(1));
    GIVES(mp_dict_setdefault(dict, MP("s"), MP(9), &got), &got, MP_LIST(1));
    assert_mp_result(mp_dict_update(dict, MP_DICT("a", 7, "u", 8)), 0);
    assert_mp_error(mp_dict_update(dict, MP(5)), MP_ETYPE);
    GIVES(mp_dict_copy(dict, &got), &got, MP_DICT("a", 7, "s", MP_LIST(1), "u", 8));
    GIVES(mp_dict_popitem(dict, &got), &got, MP_TUPLE("u", 8));
    mp_proxy *proxy = mp_dict_proxy(dict);
    proxy_gives(proxy, "pop", MP_TUPLE("no", "default"), MP("default"));
    proxy_gives_kw(proxy, "update", MP_TUPLE(MP_LIST(MP_TUPLE("p", 1))), MP_DICT("k", 3), MP_NONE);
    GIVES(mp_proxy_getvalue(proxy, &got), &got, MP_DICT("a", 7, "s", MP_LIST(1), "p", 1, "k", 3));
    proxy_fails(proxy, "get", MP_NONE, MP_ETYPE, "argument");
    assert_mp_result(mp_dict_clear(dict), 0);
    check(mp_dict_len(dict) == 0);
    assert_mp_error(mp_dict_popitem(dict, &got), MP_EKEY);
    mp_dict_destroy(dict);
    assert_mp_error(mp_manager_dict(manager, MP(5), &dict), MP_ETYPE);
}

void server_iterators(struct peer *peer, mp_manager *manager)
{
    mp_dict *dict = dict_of(manager, MP_DICT("a", 1, "b", 2, "c", 3));
    (void)peer;
    mp_proxy *first = proxy_of(proxy_call(mp_dict_proxy(dict), "__iter__", MP_NONE));
    mp_proxy *second = proxy_of(proxy_call(mp_dict_proxy(dict), "__iter__", MP_NONE));
    check(strcmp(mp_proxy_typeid(first), "Iterator") == 0);
    proxy_gives(first, "__next__", MP_NONE, MP("a"));
    proxy_gives(first, "__next__", MP_NONE, MP("b"));
    proxy_gives(second, "__next__", MP_NONE, MP("a"));
    proxy_gives(first, "__next__", MP_NONE, MP("c"));
    proxy_fails(first, "__next__", MP_NONE, MP_EEOF, "");
    proxy_fails(first, "send", MP_TUPLE(MP_NONE), MP_EREMOTE, "send");
    assert_mp_result(mp_dict_set(dict, MP("new"), MP(1)), 0);
    proxy_fails(second, "__next__", MP_NONE, MP_ESTATE, "changed size");
    mp_proxy_destroy(first);
    mp_proxy_destroy(second);
    mp_dict_destroy(dict);
}

/* ---- list ------------------------------------------------------------------------------------ */

static void list_is_read(mp_manager *manager)
{
    mp_list *list = list_of(manager, MP_TUPLE(1, 2, 3, 4, 5));
    mp_obj got;
    GIVES(mp_list_get(list, 0, &got), &got, MP(1));
    GIVES(mp_list_get(list, -1, &got), &got, MP(5));
    assert_mp_error(mp_list_get(list, 5, &got), MP_EINDEX);
    check(strstr(mp_error_detail(), "index out of range") != NULL);
    assert_mp_error(mp_list_get(list, LONG_MIN, &got), MP_EINDEX);
    GIVES(mp_list_slice(list, 1, 3, &got), &got, MP_LIST(2, 3));
    GIVES(mp_list_slice(list, -2, LONG_MAX, &got), &got, MP_LIST(4, 5));
    GIVES(mp_list_slice(list, 3, 1, &got), &got, MP_EMPTY_LIST);
    check(mp_list_index(list, MP(3)) == 2 && mp_list_count(list, MP(3)) == 1);
    assert_mp_error(mp_list_index(list, MP(9)), MP_EINVAL);
    check(mp_list_contains(list, MP(3)) == 1 && mp_list_contains(list, MP("3")) == 0);
    mp_proxy *proxy = mp_list_proxy(list);
    proxy_gives(proxy, "index", MP_TUPLE(3, 1, 4), MP(2));
    proxy_gives(proxy, "__add__", MP_TUPLE(MP_LIST(6)), MP_LIST(1, 2, 3, 4, 5, 6));
    proxy_gives(proxy, "__mul__", MP_TUPLE(2), MP_LIST(1, 2, 3, 4, 5, 1, 2, 3, 4, 5));
    proxy_fails(proxy, "__add__", MP_TUPLE(MP_TUPLE(6)), MP_ETYPE, "list");
    mp_list_destroy(list);
    assert_mp_error(mp_manager_list(manager, MP(5), &list), MP_ETYPE);
}

void server_list(struct peer *peer, mp_manager *manager)
{
    mp_obj got;
    (void)peer;
    list_is_read(manager);
    mp_list *list = list_of(manager, MP_LIST(3, 1));
    assert_mp_result(mp_list_append(list, MP_TUPLE(2)), 0);
    assert_mp_result(mp_list_set(list, -1, MP(2)), 0);
    assert_mp_error(mp_list_set(list, 3, MP(2)), MP_EINDEX);
    assert_mp_result(mp_list_extend(list, MP_TUPLE(5, 4)), 0);
    assert_mp_error(mp_list_extend(list, MP(5)), MP_ETYPE);
    assert_mp_result(mp_list_sort(list, false), 0);
    GIVES(mp_list_copy(list, &got), &got, MP_LIST(1, 2, 3, 4, 5));
    assert_mp_result(mp_list_sort(list, true), 0);
    assert_mp_result(mp_list_insert(list, 0, MP("first")), 0);
    assert_mp_result(mp_list_insert(list, -1, MP("before")), 0);
    assert_mp_result(mp_list_insert(list, 100, MP("last")), 0);
    GIVES(mp_list_copy(list, &got), &got, MP_LIST("first", 5, 4, 3, 2, "before", 1, "last"));
    assert_mp_error(mp_list_sort(list, false), MP_ETYPE);
    assert_mp_result(mp_list_clear(list), 0);
    assert_mp_result(mp_list_extend(list, MP_LIST(1, 2, 3)), 0);
    assert_mp_result(mp_list_reverse(list), 0);
    GIVES(mp_list_pop(list, 0, &got), &got, MP(3));
    assert_mp_error(mp_list_pop(list, 9, &got), MP_EINDEX);
    assert_mp_result(mp_list_imul(list, 3), 0);
    GIVES(mp_list_copy(list, &got), &got, MP_LIST(2, 1, 2, 1, 2, 1));
    assert_mp_result(mp_list_remove(list, MP(1)), 0);
    assert_mp_error(mp_list_remove(list, MP("none")), MP_EINVAL);
    assert_mp_result(mp_list_del(list, 0), 0);
    assert_mp_error(mp_list_del(list, 9), MP_EINDEX);
    GIVES(mp_list_copy(list, &got), &got, MP_LIST(2, 1, 2, 1));
    assert_mp_result(mp_list_imul(list, 0), 0);
    check(mp_list_len(list) == 0);
    assert_mp_error(mp_list_pop(list, -1, &got), MP_EINDEX);
    mp_list_destroy(list);
}

/* ---- set, Namespace, Value, Array ------------------------------------------------------------ */

void server_set(struct peer *peer, mp_manager *manager)
{
    mp_proxy *set = proxy_make(manager, "set", MP_TUPLE(MP_LIST(1, 2, 2)));
    (void)peer;
    proxy_gives(set, "__len__", MP_NONE, MP(2));
    proxy_gives(set, "add", MP_TUPLE(3), MP_NONE);
    proxy_fails(set, "add", MP_TUPLE(MP_EMPTY_LIST), MP_ETYPE, "unhashable");
    proxy_gives(set, "__contains__", MP_TUPLE(3), MP_TRUE);
    proxy_gives(set, "copy", MP_NONE, MP_SET(1, 2, 3));
    proxy_gives(set, "__and__", MP_TUPLE(MP_SET(2, 3, 4)), MP_SET(2, 3));
    proxy_gives(set, "union", MP_TUPLE(MP_LIST(9), MP_TUPLE(8)), MP_SET(1, 2, 3, 8, 9));
    proxy_gives(set, "__le__", MP_TUPLE(MP_SET(1, 2, 3, 4)), MP_TRUE);
    proxy_gives(set, "discard", MP_TUPLE(9), MP_NONE);
    proxy_fails(set, "remove", MP_TUPLE(9), MP_EKEY, "9");
    proxy_gives(set, "difference_update", MP_TUPLE(MP_SET(1, 2)), MP_NONE);
    proxy_gives(set, "pop", MP_NONE, MP(3));
    proxy_fails(set, "pop", MP_NONE, MP_EKEY, "empty");
    mp_proxy_destroy(set);
}

void server_namespace(struct peer *peer, mp_manager *manager)
{
    mp_namespace *space;
    mp_obj got;
    (void)peer;
    assert_mp_result(mp_manager_namespace(manager, MP_DICT("x", 1), &space), 0);
    GIVES(mp_namespace_get(space, "x", &got), &got, MP(1));
    assert_mp_result(mp_namespace_set(space, "items", MP_LIST(1, MP_TUPLE(2))), 0);
    GIVES(mp_namespace_get(space, "items", &got), &got, MP_LIST(1, MP_TUPLE(2)));
    assert_mp_error(mp_namespace_get(space, "missing", &got), MP_EATTR);
    check(strstr(mp_error_detail(), "missing") != NULL);
    assert_mp_result(mp_namespace_del(space, "x"), 0);
    assert_mp_error(mp_namespace_del(space, "x"), MP_EATTR);
    assert_mp_error(mp_namespace_get(space, "x", &got), MP_EATTR);
    mp_namespace_destroy(space);
}

void server_value(struct peer *peer, mp_manager *manager)
{
    mp_proxy *value = proxy_make(manager, "Value", MP_TUPLE("i", 7));
    (void)peer;
    proxy_gives(value, "get", MP_NONE, MP(7));
    proxy_gives(value, "set", MP_TUPLE("of any type"), MP_NONE);
    proxy_gives(value, "get", MP_NONE, MP("of any type"));
    mp_proxy_destroy(value);

    mp_proxy *array = proxy_make(manager, "Array", MP_TUPLE("i", MP_LIST(1, 2, 3)));
    proxy_gives(array, "__len__", MP_NONE, MP(3));
    proxy_gives(array, "__getitem__", MP_TUPLE(-1), MP(3));
    proxy_gives(array, "__setitem__", MP_TUPLE(0, 9), MP_NONE);
    proxy_gives(array, "__getitem__", MP_TUPLE(0), MP(9));
    proxy_fails(array, "__getitem__", MP_TUPLE(3), MP_EINDEX, "out of range");
    proxy_fails(array, "__setitem__", MP_TUPLE(0, "text"), MP_ETYPE, "");
    proxy_fails(array, "__setitem__", MP_TUPLE(0, INT64_MAX), MP_EOVERFLOW, "");
    mp_proxy_destroy(array);
    assert_mp_error(mp_manager_proxy(manager, "Array", MP_TUPLE("?", MP_LIST(1)), MP_NONE, &array),
                    MP_EREMOTE);
}

/* ---- texts ----------------------------------------------------------------------------------- */

static void prints(mp_proxy *proxy, const char *expected)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    check(out != NULL);
    assert_mp_result(mp_proxy_print(proxy, out), 0);
    check(fclose(out) == 0);
    if (strcmp(text, expected) != 0)
        support_fail(__FILE__, __LINE__, "prints %s, not %s", text, expected);
    free(text);
}

static void is_described(mp_proxy *proxy, const char *beginning)
{
    char text[128];
    check(assert_mp_ok(mp_proxy_repr(proxy, text, sizeof text)) == (int)strlen(text));
    check(strncmp(text, beginning, strlen(beginning)) == 0);
}

void server_print(struct peer *peer, mp_manager *manager)
{
    mp_dict *dict = dict_of(manager, MP_DICT("a", MP_LIST(1), MP(2), MP_NONE));
    mp_list *list = list_of(manager, MP_LIST("x", 1.0, "\xed\xa0\x80\xc3\xa9"));
    mp_proxy *space, *value = proxy_make(manager, "Value", MP_TUPLE("i", 5));
    mp_proxy *array = proxy_make(manager, "Array", MP_TUPLE("d", MP_LIST(0.5)));
    (void)peer;
    assert_mp_result(mp_manager_proxy(manager, "Namespace", MP_NONE, MP_DICT("a", 1), &space), 0);
    prints(mp_dict_proxy(dict), "{'a': [1], 2: None}");
    prints(mp_list_proxy(list), "['x', 1.0, '\\ud800\xc3\xa9']");
    prints(space, "Namespace(a=1)");
    prints(value, "Value('i', 5)");
    prints(array, "array('d', [0.5])");
    is_described(mp_dict_proxy(dict), "<DictProxy object, typeid 'dict' at 0x");
    is_described(mp_list_proxy(list), "<ListProxy object, typeid 'list' at 0x");
    is_described(space, "<NamespaceProxy object, typeid 'Namespace' at 0x");
    mp_dict_destroy(dict);
    mp_list_destroy(list);
    mp_proxy_destroy(space);
    mp_proxy_destroy(value);
    mp_proxy_destroy(array);
}
