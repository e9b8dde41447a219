/* The face of a managed Namespace. */
#include "managers/hub.h"

static int check(const mp_namespace *names, const char *name)
{
    int rc = mp__proxy_check(names != NULL ? &names->proxy : NULL, "Namespace");
    return rc == 0 && name == NULL ? mp__fail(MP_EINVAL) : rc;
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
    return check(names, "") == 0 ? &names->proxy : NULL;
}

int mp_namespace_get(mp_namespace *names, const char *name, mp_obj *out)
{
    mp_obj args[1] = {mp_obj_str(name)};
    int rc = check(names, name);
    return rc == 0 ? mp__proxy_ask(&names->proxy, "__getattribute__", args, 1, out) : rc;
}

int mp_namespace_set(mp_namespace *names, const char *name, mp_obj value)
{
    mp_obj args[2] = {mp_obj_str(name), value};
    int rc = check(names, name);
    return rc == 0 ? mp__proxy_ask(&names->proxy, "__setattr__", args, 2, NULL) : rc;
}

int mp_namespace_del(mp_namespace *names, const char *name)
{
    mp_obj args[1] = {mp_obj_str(name)};
    int rc = check(names, name);
    return rc == 0 ? mp__proxy_ask(&names->proxy, "__delattr__", args, 1, NULL) : rc;
}

void mp_namespace_destroy(mp_namespace *names)
{
    mp_proxy_destroy(names != NULL ? &names->proxy : NULL);
}
