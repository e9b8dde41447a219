/* The objects of a server: their places and ids, references to them, and what they store.
 *
 * How it works
 *   An object has a place in one array, and a serial that no other object ever had; its id is both.
 *   Serials begin at random, so that an id of a server that was here before means nothing now.
 *   It is counted how many references clients hold (holders.c has whose) and how many stand in
 *   stored values: mp__keep counts each proxy of an object of this server that it copies, mp__drop
 *   takes it back. With the last one the object is doomed, and ended by mp__host_reap between two
 *   calls, in a loop, so that a long chain of objects that hold each other needs no stack.
 *   Objects that hold themselves in a ring live as long as the server, as in Python.
 */
#include "managers/server.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { PLACE_BITS = 24 };

/* ---- places --------------------------------------------------------------------------------- */

static int room_make(struct mp__host *host)
{
    if (host->free_first != 0 || host->used < host->room)
        return 0;
    uint32_t room = host->room == 0 ? 64 : 2 * host->room;
    if (room > UINT32_C(1) << PLACE_BITS)
        return -ENOMEM;
    struct mp__managed **objects = realloc(host->objects, room * sizeof(struct mp__managed *));
    if (objects == NULL)
        return -ENOMEM;
    host->objects = objects;
    uint32_t *next_free = realloc(host->next_free, room * sizeof *next_free);
    if (next_free == NULL)
        return -ENOMEM;
    host->next_free = next_free;
    host->room = room;
    return 0;
}

/* Places are counted from 1. */
static uint32_t place_take(struct mp__host *host)
{
    uint32_t place = host->free_first;
    if (place == 0)
        return ++host->used;
    host->free_first = host->next_free[place - 1];
    return place;
}

struct mp__managed *mp__managed_make(struct mp__host *host, const struct mp__type *type)
{
    struct mp__managed *object = room_make(host) == 0 ? calloc(1, type->size) : NULL;
    if (object == NULL)
        return NULL;
    object->type = type;
    object->host = host;
    object->place = place_take(host);
    object->serial = ++host->serial;
    object->references = 1;
    host->objects[object->place - 1] = object;
    host->count++;
    return object;
}

void mp__managed_discard(struct mp__managed *object)
{
    struct mp__host *host = object->host;
    host->objects[object->place - 1] = NULL;
    host->next_free[object->place - 1] = host->free_first;
    host->free_first = object->place;
    host->count--;
    free(object);
}

struct mp__managed *mp__managed_new(struct mp__host *host, const struct mp__type *type)
{
    struct mp__managed *object = mp__managed_make(host, type);
    if (object == NULL)
        mp__fail(-ENOMEM);
    return object;
}

/* ---- ids ------------------------------------------------------------------------------------ */

void mp__managed_id(const struct mp__managed *object, char id[MP__ID_ROOM])
{
    snprintf(id, MP__ID_ROOM, "%" PRIx64, (uint64_t)object->serial << PLACE_BITS | object->place);
}

static int digit_of(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c != '\0' ? strchr(digits, c) : NULL;
    return at != NULL ? (int)(at - digits) : -1;
}

struct mp__managed *mp__managed_find(const struct mp__host *host, const mp_obj *id)
{
    uint64_t number = 0;
    if (id->type != MP_TYPE_STR || id->len == 0 || id->len > 2 * sizeof number)
        return NULL;
    for (size_t i = 0; i < id->len; i++) {
        int digit = digit_of(id->s[i]);
        if (digit < 0)
            return NULL;
        number = number << 4 | (uint64_t)digit;
    }
    uint64_t place = number & ((UINT64_C(1) << PLACE_BITS) - 1);
    if (place == 0 || place > host->used)
        return NULL;
    struct mp__managed *object = host->objects[place - 1];
    bool is_it = object != NULL && object->serial == number >> PLACE_BITS && object->references > 0;
    return is_it ? object : NULL;
}

/* ---- references ----------------------------------------------------------------------------- */

void mp__managed_hold(struct mp__managed *object)
{
    object->references++;
}

void mp__managed_release(struct mp__managed *object)
{
    if (--object->references > 0)
        return;
    struct mp__host *host = object->host;
    object->next_doomed = host->doomed;
    host->doomed = object;
}

void mp__host_reap(struct mp__host *host)
{
    while (host->doomed != NULL) {
        struct mp__managed *object = host->doomed;
        host->doomed = object->next_doomed;
        if (object->type->destroy != NULL)
            object->type->destroy(object);
        mp__managed_discard(object);
    }
}

void mp__host_end(struct mp__host *host)
{
    mp__host_reap(host);
    for (uint32_t i = 0; i < host->used; i++)
        if (host->objects[i] != NULL && host->objects[i]->references > 0) {
            host->objects[i]->references = 1;
            mp__managed_release(host->objects[i]);
            mp__host_reap(host);
        }
    free(host->objects);
    free(host->next_free);
}

/* ---- what is stored ------------------------------------------------------------------------- */

/* This server may have several names on the net, but they all end in its port. */
static bool is_address_of(const struct mp__host *host, const mp_obj *address)
{
    const mp_obj *own = &host->address_obj;
    if (own->type == MP_TYPE_TUPLE && address->type == MP_TYPE_TUPLE)
        return mp_obj_equal(own->items[1], address->items[1]);
    return mp_obj_equal(*own, *address);
}

static struct mp__managed *proxy_target(const struct mp__host *host, const mp_obj *o)
{
    struct mp__managed *object = NULL;
    const mp_obj *typeid = &o->items[MP__PROXY_TYPEID];
    if (is_address_of(host, &o->items[MP__PROXY_ADDRESS]))
        object = mp__managed_find(host, &o->items[MP__PROXY_ID]);
    return object != NULL && mp__obj_is_str(typeid, object->type->name) ? object : NULL;
}

static void proxies_count(struct mp__host *host, const mp_obj *o, bool hold)
{
    if (o->type == MP_TYPE_PROXY) {
        struct mp__managed *object = proxy_target(host, o);
        if (object != NULL && hold)
            mp__managed_hold(object);
        else if (object != NULL)
            mp__managed_release(object);
    } else if (mp__type_is_container(o->type)) {
        size_t n = mp__obj_items(o);
        for (size_t i = 0; i < n; i++)
            if (mp__type_is_container(o->items[i].type))
                proxies_count(host, &o->items[i], hold);
    }
}

/* Those of this server all stand for something: what is not counted now must not be later. */
static bool proxies_are_alive(const struct mp__host *host, const mp_obj *o)
{
    if (o->type == MP_TYPE_PROXY)
        return !is_address_of(host, &o->items[MP__PROXY_ADDRESS]) || proxy_target(host, o) != NULL;
    size_t n = mp__type_is_container(o->type) ? mp__obj_items(o) : 0;
    for (size_t i = 0; i < n; i++)
        if (mp__type_is_container(o->items[i].type) && !proxies_are_alive(host, &o->items[i]))
            return false;
    return true;
}

int mp__keep(struct mp__host *host, const mp_obj *from, mp_obj *kept)
{
    if (mp__type_is_container(from->type) && !proxies_are_alive(host, from))
        return mp__failf(MP_EREMOTE, "a proxy of an object that is gone");
    int rc = mp_obj_copy(*from, kept);
    if (rc == 0 && mp__type_is_container(kept->type))
        proxies_count(host, kept, true);
    return rc;
}

void mp__drop(struct mp__host *host, mp_obj *kept)
{
    if (mp__type_is_container(kept->type))
        proxies_count(host, kept, false);
    mp_obj_free(kept);
}

size_t mp__proxies_in(struct mp__host *host, const mp_obj *o, struct mp__managed **found,
                      size_t most)
{
    size_t n = 0;
    if (o->type == MP_TYPE_PROXY && most > 0) {
        found[0] = proxy_target(host, o);
        return found[0] != NULL;
    }
    for (size_t i = 0; mp__type_is_container(o->type) && i < mp__obj_items(o); i++)
        if (mp__type_is_container(o->items[i].type))
            n += mp__proxies_in(host, &o->items[i], found + n, most - n);
    return n;
}

int mp__peek(struct mp__host *host, const mp_obj *proxy, mp_obj *copy)
{
    struct mp__managed *object = proxy->type == MP_TYPE_PROXY ? proxy_target(host, proxy) : NULL;
    struct mp__call call = {.args = mp_obj_tuple(NULL, 0), .kwargs = mp_obj_dict(NULL, 0)};
    if (object == NULL || object->type->getvalue == NULL)
        return mp__failf(MP_ETYPE, "the proxy stands for nothing that has a value here");
    int rc = object->type->getvalue(object, &call);
    if (rc == 0)
        rc = mp_obj_copy(call.value, copy);
    mp__call_free(host, &call);
    return rc;
}

void mp__call_free(struct mp__host *host, struct mp__call *call)
{
    if (call->value.owned)
        mp_obj_free(&call->value);
    for (int i = 0; i < 2; i++)
        mp__drop(host, &call->kept[i]);
    free(call->scratch);
}

/* ---- calls ---------------------------------------------------------------------------------- */

const struct mp__method *mp__method_find(const struct mp__type *type, const mp_obj *name)
{
    for (const struct mp__method *method = type->methods; method->name != NULL; method++)
        if (mp__obj_is_str(name, method->name))
            return method;
    return NULL;
}

int mp__call_expects(const struct mp__call *call, size_t least, size_t most)
{
    size_t n = call->args.len;
    if (n < least && call->kwargs.len == 0)
        return mp__failf(MP_ETYPE, "expected at least %zu argument%s, got %zu", least,
                         least == 1 ? "" : "s", n);
    if (n > most)
        return mp__failf(MP_ETYPE, "expected at most %zu argument%s, got %zu", most,
                         most == 1 ? "" : "s", n);
    return 0;
}

const mp_obj *mp__call_argument(const struct mp__call *call, size_t position, const char *name)
{
    if (position < call->args.len)
        return &call->args.items[position];
    if (name == NULL || call->kwargs.len == 0)
        return NULL;
    return mp_obj_lookup(call->kwargs, mp_obj_str(name));
}
