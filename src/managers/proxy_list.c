/* The face of a managed list. */
#include "managers/hub.h"

#include <limits.h>

static mp_proxy *proxy_of(mp_list *list)
{
    return list != NULL ? &list->proxy : NULL;
}

static int ask(mp_list *list, const char *method, const mp_obj *args, size_t n, mp_obj *out)
{
    return mp__proxy_ask(proxy_of(list), "list", method, args, n, out);
}

static int ask_number(mp_list *list, const char *method, const mp_obj *args, size_t n)
{
    return mp__proxy_ask_number(proxy_of(list), "list", method, args, n);
}

/* slice(from, to, None), as the call that Python pickles. */
struct slice {
    mp_obj bounds[3], items[4];
};

static mp_obj slice_of(struct slice *slice, mp_obj from, mp_obj to)
{
    slice->bounds[0] = from;
    slice->bounds[1] = to;
    slice->bounds[2] = mp_obj_none();
    slice->items[MP__OPAQUE_MODULE] = mp_obj_str("builtins");
    slice->items[MP__OPAQUE_NAME] = mp_obj_str("slice");
    slice->items[MP__OPAQUE_ARGS] = mp_obj_tuple(slice->bounds, 3);
    slice->items[MP__OPAQUE_STATE] = mp_obj_none();
    return mp__obj_opaque(slice->items, false);
}

int mp_manager_list(mp_manager *manager, mp_obj initial, mp_list **out)
{
    mp_obj args[1] = {initial};
    if (initial.type != MP_TYPE_NONE &&
        (initial.type < MP_TYPE_STR || initial.type > MP_TYPE_PROXY))
        return mp__failf(MP_ETYPE, "a list is made of what has items, or of None");
    return mp_manager_proxy(manager, "list", mp_obj_tuple(args, initial.type != MP_TYPE_NONE),
                            mp_obj_none(), (mp_proxy **)(void *)out);
}

int mp_list_from(mp_obj object, mp_list **out)
{
    return mp__proxy_from_as(object, (mp_proxy **)(void *)out, "list");
}

mp_proxy *mp_list_proxy(mp_list *list)
{
    return mp__proxy_check(proxy_of(list), "list") == 0 ? &list->proxy : NULL;
}

int mp_list_get(mp_list *list, long i, mp_obj *out)
{
    mp_obj index = mp_obj_int(i);
    return ask(list, "__getitem__", &index, 1, out);
}

int mp_list_slice(mp_list *list, long from, long to, mp_obj *out)
{
    struct slice slice;
    mp_obj index =
        slice_of(&slice, mp_obj_int(from), to == LONG_MAX ? mp_obj_none() : mp_obj_int(to));
    return ask(list, "__getitem__", &index, 1, out);
}

int mp_list_set(mp_list *list, long i, mp_obj value)
{
    mp_obj args[2] = {mp_obj_int(i), value};
    return ask(list, "__setitem__", args, 2, NULL);
}

int mp_list_del(mp_list *list, long i)
{
    mp_obj index = mp_obj_int(i);
    return ask(list, "__delitem__", &index, 1, NULL);
}

int mp_list_append(mp_list *list, mp_obj value)
{
    return ask(list, "append", &value, 1, NULL);
}

int mp_list_extend(mp_list *list, mp_obj values)
{
    return ask(list, "extend", &values, 1, NULL);
}

int mp_list_insert(mp_list *list, long i, mp_obj value)
{
    mp_obj args[2] = {mp_obj_int(i), value};
    return ask(list, "insert", args, 2, NULL);
}

int mp_list_pop(mp_list *list, long i, mp_obj *out)
{
    mp_obj index = mp_obj_int(i);
    return ask(list, "pop", &index, 1, out);
}

int mp_list_remove(mp_list *list, mp_obj value)
{
    return ask(list, "remove", &value, 1, NULL);
}

int mp_list_reverse(mp_list *list)
{
    return ask(list, "reverse", NULL, 0, NULL);
}

int mp_list_sort(mp_list *list, bool reverse)
{
    mp_obj pair[2] = {mp_obj_str("reverse"), mp_obj_bool(reverse)};
    int rc = mp__proxy_check(proxy_of(list), "list");
    if (rc != 0)
        return rc;
    return mp_proxy_call(&list->proxy, "sort", mp_obj_none(), mp_obj_dict(pair, 1), NULL);
}

int mp_list_index(mp_list *list, mp_obj value)
{
    return ask_number(list, "index", &value, 1);
}

int mp_list_count(mp_list *list, mp_obj value)
{
    return ask_number(list, "count", &value, 1);
}

int mp_list_contains(mp_list *list, mp_obj value)
{
    return ask_number(list, "__contains__", &value, 1);
}

int mp_list_len(mp_list *list)
{
    return ask_number(list, "__len__", NULL, 0);
}

int mp_list_imul(mp_list *list, long n)
{
    mp_obj times = mp_obj_int(n);
    return ask(list, "__imul__", &times, 1, NULL);
}

/* Servers of Python's before 3.14 expose neither copy nor clear. */
int mp_list_copy(mp_list *list, mp_obj *out)
{
    struct slice slice;
    mp_obj all = slice_of(&slice, mp_obj_none(), mp_obj_none());
    return ask(list, "__getitem__", &all, 1, out);
}

int mp_list_clear(mp_list *list)
{
    struct slice slice;
    mp_obj all = slice_of(&slice, mp_obj_none(), mp_obj_none());
    return ask(list, "__delitem__", &all, 1, NULL);
}

int mp_list_print(mp_list *list, FILE *out)
{
    return mp__proxy_print(proxy_of(list), "list", false, out);
}

int mp_list_println(mp_list *list, FILE *out)
{
    return mp__proxy_print(proxy_of(list), "list", true, out);
}

int mp_list_repr(mp_list *list, char *buf, size_t n)
{
    return mp__proxy_repr(proxy_of(list), "list", buf, n);
}

void mp_list_destroy(mp_list *list)
{
    mp_proxy_destroy(proxy_of(list));
}
