/* Proxies: what stands for a managed object in a process that uses it.
 *
 * How it works
 *   A proxy is its hub and an object of type proxy, the same that travels in messages: typeid,
 *   address, id, methods, and the class by which Python makes its own of it. As long as it lives it
 *   has one reference at the server; in a forked child it has none until the hub has adopted them.
 */
#include "managers/hub.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* ---- making --------------------------------------------------------------------------------- */

/* Those of Python's classes that all versions have; the others' methods are told. */
static const char *class_of(const char *typeid)
{
    static const char *const classes[][2] = {{"dict", "DictProxy"},
                                             {"list", "ListProxy"},
                                             {"Namespace", "NamespaceProxy"},
                                             {"Value", "ValueProxy"},
                                             {"Array", "ArrayProxy"},
                                             {"Lock", "AcquirerProxy"},
                                             {"RLock", "AcquirerProxy"},
                                             {"Semaphore", "AcquirerProxy"},
                                             {"BoundedSemaphore", "AcquirerProxy"},
                                             {"Condition", "ConditionProxy"},
                                             {"Event", "EventProxy"},
                                             {"Barrier", "BarrierProxy"},
                                             {"Pool", "PoolProxy"},
                                             {"Iterator", "IteratorProxy"}};
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        if (strcmp(classes[i][0], typeid) == 0)
            return classes[i][1];
    return NULL;
}

void mp__proxy_parts(mp_obj parts[MP__PROXY_ITEMS], const char *typeid, mp_obj address, mp_obj id,
                     mp_obj exposed)
{
    const char *class = class_of(typeid);
    parts[MP__PROXY_TYPEID] = mp_obj_str(typeid);
    parts[MP__PROXY_ADDRESS] = address;
    parts[MP__PROXY_ID] = id;
    parts[MP__PROXY_EXPOSED] = class == NULL ? exposed : mp_obj_none();
    parts[MP__PROXY_MODULE] = mp_obj_str(MP__MANAGERS_MODULE);
    parts[MP__PROXY_CLASS] = mp_obj_str(class != NULL ? class : "AutoProxy");
}

/* Takes over the parts, and a reference. */
static int proxy_new(mp_proxy **out, struct mp__hub *hub, mp_obj *parts)
{
    mp_proxy *proxy = calloc(1, sizeof *proxy);
    if (proxy == NULL) {
        mp_obj_free(parts);
        return mp__fail(-ENOMEM);
    }
    *proxy = (mp_proxy){.magic = MP__PROXY_MAGIC, .hub = hub, .is_held = true, .parts = *parts};
    mp__hubs_lock();
    hub->users++;
    proxy->next = hub->proxies;
    if (hub->proxies != NULL)
        hub->proxies->before = proxy;
    hub->proxies = proxy;
    mp__hubs_unlock();
    *out = proxy;
    return 0;
}

int mp__proxy_make(mp_proxy **out, struct mp__hub *hub, const char *typeid, mp_obj id,
                   mp_obj exposed)
{
    mp_obj items[MP__PROXY_ITEMS], parts;
    mp__proxy_parts(items, typeid, hub->address_obj, id, exposed);
    int rc = mp_obj_copy(mp__obj_proxy(items), &parts);
    return rc == 0 ? proxy_new(out, hub, &parts) : rc;
}

/* ---- looking -------------------------------------------------------------------------------- */

int mp__proxy_check(const mp_proxy *proxy, const char *typeid)
{
    if (proxy == NULL)
        return mp__fail(MP_EINVAL);
    if (proxy->magic != MP__PROXY_MAGIC)
        return mp__fail(MP_ETYPE);
    if (typeid != NULL && strcmp(proxy->parts.items[MP__PROXY_TYPEID].s, typeid) != 0)
        return mp__failf(MP_ETYPE, "a proxy of a %s, where one of a %s was expected",
                         proxy->parts.items[MP__PROXY_TYPEID].s, typeid);
    return 0;
}

const char *mp_proxy_typeid(mp_proxy *proxy)
{
    return mp__proxy_check(proxy, NULL) == 0 ? proxy->parts.items[MP__PROXY_TYPEID].s : NULL;
}

int mp__proxy_repr(mp_proxy *proxy, const char *expected, char *buf, size_t n)
{
    int rc = mp__proxy_check(proxy, expected);
    if (rc == 0 && buf == NULL && n > 0)
        rc = mp__fail(MP_EINVAL);
    if (rc != 0)
        return rc;
    const mp_obj *parts = proxy->parts.items;
    char *typeid = mp_obj_repr(parts[MP__PROXY_TYPEID]);
    if (typeid == NULL)
        return mp__fail(-ENOMEM);
    bool is_auto = strcmp(parts[MP__PROXY_CLASS].s, "AutoProxy") == 0;
    int size = snprintf(buf, n, "<%s%s%s%s object, typeid %s at %p>", parts[MP__PROXY_CLASS].s,
                        is_auto ? "[" : "", is_auto ? parts[MP__PROXY_TYPEID].s : "",
                        is_auto ? "]" : "", typeid, (void *)proxy);
    free(typeid);
    return size;
}

int mp_proxy_repr(mp_proxy *proxy, char *buf, size_t n)
{
    return mp__proxy_repr(proxy, NULL, buf, n);
}

mp_obj mp_obj_proxy(mp_proxy *proxy)
{
    return mp__proxy_check(proxy, NULL) == 0 ? mp_obj_view(proxy->parts) : mp_obj_none();
}

/* ---- calling -------------------------------------------------------------------------------- */

int mp__arguments_check(mp_obj *args, const mp_obj *kwargs)
{
    if (args->type == MP_TYPE_NONE)
        *args = mp_obj_tuple(NULL, 0);
    if (args->type != MP_TYPE_TUPLE && args->type != MP_TYPE_LIST)
        return mp__failf(MP_ETYPE, "arguments are a tuple, or None");
    if (kwargs->type != MP_TYPE_NONE && kwargs->type != MP_TYPE_DICT)
        return mp__failf(MP_ETYPE, "keyword arguments are a dict, or None");
    for (size_t i = 0; i < kwargs->len && kwargs->type == MP_TYPE_DICT; i++)
        if (kwargs->items[2 * i].type != MP_TYPE_STR)
            return mp__failf(MP_ETYPE, "the name of a keyword argument is no str");
    args->type = MP_TYPE_TUPLE;
    return 0;
}

int mp_proxy_call(mp_proxy *proxy, const char *method, mp_obj args, mp_obj kwargs, mp_obj *out)
{
    int rc = mp__proxy_check(proxy, NULL);
    if (rc == 0 && method == NULL)
        rc = mp__fail(MP_EINVAL);
    if (rc == 0)
        rc = mp__arguments_check(&args, &kwargs);
    if (rc != 0)
        return rc;
    return mp__hub_call(proxy->hub, &proxy->parts.items[MP__PROXY_ID], method, args, kwargs, out);
}

int mp__proxy_ask(mp_proxy *proxy, const char *typeid, const char *method, const mp_obj *args,
                  size_t n, mp_obj *out)
{
    int rc = mp__proxy_check(proxy, typeid);
    if (rc != 0)
        return rc;
    return mp__hub_call(proxy->hub, &proxy->parts.items[MP__PROXY_ID], method,
                        mp_obj_tuple(args, n), mp_obj_none(), out);
}

int mp__proxy_ask_number(mp_proxy *proxy, const char *typeid, const char *method,
                         const mp_obj *args, size_t n)
{
    mp_obj value;
    int64_t number;
    int rc = mp__proxy_ask(proxy, typeid, method, args, n, &value);
    if (rc != 0)
        return rc;
    rc = mp_obj_as_int(value, &number);
    mp_obj_free(&value);
    if (rc != 0 || number < 0)
        return mp__failf(MP_EREMOTE, "the server answered something else than a number");
    return number > INT_MAX ? INT_MAX : (int)number;
}

int mp_proxy_getvalue(mp_proxy *proxy, mp_obj *out)
{
    return mp__proxy_ask(proxy, NULL, "#GETVALUE", NULL, 0, out);
}

int mp__proxy_print(mp_proxy *proxy, const char *typeid, bool with_newline, FILE *out)
{
    mp_obj text;
    int rc = mp__proxy_check(proxy, typeid);
    if (rc == 0 && out == NULL)
        rc = mp__fail(MP_EINVAL);
    if (rc == 0)
        rc = mp__proxy_ask(proxy, typeid, "__str__", NULL, 0, &text);
    if (rc != 0)
        return rc;
    rc = with_newline ? mp_obj_println(text, out) : mp_obj_print(text, out);
    mp_obj_free(&text);
    return rc;
}

int mp_proxy_print(mp_proxy *proxy, FILE *out)
{
    return mp__proxy_print(proxy, NULL, false, out);
}

/* ---- from objects --------------------------------------------------------------------------- */

/* The hub of the address that an object names. */
static int hub_of(const mp_obj *object, struct mp__hub **hub)
{
    char address[MP__ADDRESS_ROOM];
    int rc = mp__address_obj_text(&object->items[MP__PROXY_ADDRESS], address);
    return rc == 0 ? mp__hub_of(hub, address, NULL, 0) : rc;
}

static int reference_take(struct mp__hub *hub, const mp_obj *id)
{
    if (mp__claim_take(hub, id))
        return 0;
    return mp__hub_command(hub, "incref", mp_obj_tuple(id, 1), mp_obj_none(), NULL);
}

int mp_proxy_from(mp_obj object, mp_proxy **out)
{
    struct mp__hub *hub;
    mp_obj parts;
    if (out == NULL)
        return mp__fail(MP_EINVAL);
    if (object.type != MP_TYPE_PROXY)
        return mp__failf(MP_ETYPE, "the object stands for no proxy");
    int rc = hub_of(&object, &hub);
    if (rc != 0)
        return rc;
    const mp_obj *id = &object.items[MP__PROXY_ID];
    rc = mp__hub_ensure(hub, MP__NEVER);
    if (rc == 0)
        rc = reference_take(hub, id);
    if (rc == 0) {
        rc = mp_obj_copy(object, &parts);
        if (rc == 0)
            rc = proxy_new(out, hub, &parts);
        if (rc != 0)
            mp__hub_drop(hub, id);
    }
    mp__hub_leave(hub);
    return rc;
}

int mp__proxy_from_as(mp_obj object, mp_proxy **out, const char *typeid)
{
    const mp_obj *of = object.type == MP_TYPE_PROXY ? &object.items[MP__PROXY_TYPEID] : NULL;
    if (of != NULL && !mp__obj_is_str(of, typeid))
        return mp__failf(MP_ETYPE, "the object stands for a proxy of another type than %s", typeid);
    return mp_proxy_from(object, out);
}

/* ---- the end -------------------------------------------------------------------------------- */

void mp_proxy_destroy(mp_proxy *proxy)
{
    if (proxy == NULL || proxy->magic != MP__PROXY_MAGIC)
        return;
    struct mp__hub *hub = proxy->hub;
    mp__hubs_lock();
    *(proxy->before != NULL ? &proxy->before->next : &hub->proxies) = proxy->next;
    if (proxy->next != NULL)
        proxy->next->before = proxy->before;
    bool held = proxy->is_held;
    mp__hubs_unlock();
    if (held)
        mp__hub_drop(hub, &proxy->parts.items[MP__PROXY_ID]);
    mp_obj_free(&proxy->parts);
    proxy->magic = 0;
    free(proxy);
    mp__hub_leave(hub);
}
