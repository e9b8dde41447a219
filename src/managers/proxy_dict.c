/* The face of a managed dict. */
#include "managers/hub.h"

static mp_proxy *proxy_of(mp_dict *dict)
{
    return dict != NULL ? &dict->proxy : NULL;
}

static int ask(mp_dict *dict, const char *method, const mp_obj *args, size_t n, mp_obj *out)
{
    return mp__proxy_ask(proxy_of(dict), "dict", method, args, n, out);
}

static int ask_number(mp_dict *dict, const char *method, const mp_obj *args, size_t n)
{
    return mp__proxy_ask_number(proxy_of(dict), "dict", method, args, n);
}

int mp_manager_dict(mp_manager *manager, mp_obj initial, mp_dict **out)
{
    mp_obj args[1] = {initial};
    if (initial.type != MP_TYPE_DICT && initial.type != MP_TYPE_NONE)
        return mp__failf(MP_ETYPE, "a dict is made of a dict, or of None");
    return mp_manager_proxy(manager, "dict", mp_obj_tuple(args, initial.type == MP_TYPE_DICT),
                            mp_obj_none(), (mp_proxy **)(void *)out);
}

int mp_dict_from(mp_obj object, mp_dict **out)
{
    return mp__proxy_from_as(object, (mp_proxy **)(void *)out, "dict");
}

mp_proxy *mp_dict_proxy(mp_dict *dict)
{
    return mp__proxy_check(proxy_of(dict), "dict") == 0 ? &dict->proxy : NULL;
}

int mp_dict_get(mp_dict *dict, mp_obj key, mp_obj *out)
{
    return ask(dict, "__getitem__", &key, 1, out);
}

int mp_dict_get_default(mp_dict *dict, mp_obj key, mp_obj otherwise, mp_obj *out)
{
    mp_obj args[2] = {key, otherwise};
    return ask(dict, "get", args, 2, out);
}

int mp_dict_set(mp_dict *dict, mp_obj key, mp_obj value)
{
    mp_obj args[2] = {key, value};
    return ask(dict, "__setitem__", args, 2, NULL);
}

int mp_dict_del(mp_dict *dict, mp_obj key)
{
    return ask(dict, "__delitem__", &key, 1, NULL);
}

int mp_dict_contains(mp_dict *dict, mp_obj key)
{
    return ask_number(dict, "__contains__", &key, 1);
}

int mp_dict_len(mp_dict *dict)
{
    return ask_number(dict, "__len__", NULL, 0);
}

int mp_dict_keys(mp_dict *dict, mp_obj *out)
{
    return ask(dict, "keys", NULL, 0, out);
}

int mp_dict_values(mp_dict *dict, mp_obj *out)
{
    return ask(dict, "values", NULL, 0, out);
}

int mp_dict_items(mp_dict *dict, mp_obj *out)
{
    return ask(dict, "items", NULL, 0, out);
}

int mp_dict_copy(mp_dict *dict, mp_obj *out)
{
    return ask(dict, "copy", NULL, 0, out);
}

int mp_dict_pop(mp_dict *dict, mp_obj key, mp_obj *out)
{
    return ask(dict, "pop", &key, 1, out);
}

int mp_dict_popitem(mp_dict *dict, mp_obj *out)
{
    return ask(dict, "popitem", NULL, 0, out);
}

int mp_dict_setdefault(mp_dict *dict, mp_obj key, mp_obj value, mp_obj *out)
{
    mp_obj args[2] = {key, value};
    return ask(dict, "setdefault", args, 2, out);
}

int mp_dict_update(mp_dict *dict, mp_obj other)
{
    if (other.type != MP_TYPE_DICT)
        return mp__failf(MP_ETYPE, "a dict is updated with a dict");
    return ask(dict, "update", &other, 1, NULL);
}

int mp_dict_clear(mp_dict *dict)
{
    return ask(dict, "clear", NULL, 0, NULL);
}

int mp_dict_print(mp_dict *dict, FILE *out)
{
    return mp__proxy_print(proxy_of(dict), "dict", false, out);
}

int mp_dict_println(mp_dict *dict, FILE *out)
{
    return mp__proxy_print(proxy_of(dict), "dict", true, out);
}

int mp_dict_repr(mp_dict *dict, char *buf, size_t n)
{
    return mp__proxy_repr(proxy_of(dict), "dict", buf, n);
}

void mp_dict_destroy(mp_dict *dict)
{
    mp_proxy_destroy(proxy_of(dict));
}
