/* The face of a managed Namespace. */
#include "managers/hub.h"

static mp_proxy *proxy_of(mp_namespace *names)
{
    return names != NULL ? &names->proxy : NULL;
}

/* The first argument is the name of an attribute, None if that is NULL. */
static int ask(mp_namespace *names, const char *method, const mp_obj *args, size_t n, mp_obj *out)
{
    if (args[0].type == MP_TYPE_NONE)
        return mp__fail(MP_EINVAL);
    return mp__proxy_ask(proxy_of(names), "Namespace", method, args, n, out);
}

int mp_manager_namespace(mp_manager *manager, mp_obj initial, mp_namespace **out)
{
    if (initial.type != MP_TYPE_DICT && initial.type != MP_TYPE_NONE)
        return mp__failf(MP_ETYPE, "a Namespace is made of a dict, or of None");
    return mp_manager_proxy(manager, "Namespace", mp_obj_none(), initial, (mp_proxy **)(void *)out);
}

int mp_namespace_from(mp_obj object, mp_namespace **out)
{
    return mp__proxy_from_as(object, (mp_proxy **)(void *)out, "Namespace");
}

mp_proxy *mp_namespace_proxy(mp_namespace *names)
{
    return mp__proxy_check(proxy_of(names), "Namespace") == 0 ? &names->proxy : NULL;
}

int mp_namespace_get(mp_namespace *names, const char *name, mp_obj *out)
{
    mp_obj args[1] = {mp_obj_str(name)};
    return ask(names, "__getattribute__", args, 1, out);
}

int mp_namespace_set(mp_namespace *names, const char *name, mp_obj value)
{
    mp_obj args[2] = {mp_obj_str(name), value};
    return ask(names, "__setattr__", args, 2, NULL);
}

int mp_namespace_del(mp_namespace *names, const char *name)
{
    mp_obj args[1] = {mp_obj_str(name)};
    return ask(names, "__delattr__", args, 1, NULL);
}

void mp_namespace_destroy(mp_namespace *names)
{
    mp_proxy_destroy(proxy_of(names));
}
