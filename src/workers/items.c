/* What Python would iterate over: the items of a container, the keys of a dict, the characters of a
 * str, the numbers in bytes. */
#include "workers/workers.h"

#include "wire/wire.h"

#include <errno.h>
#include <stdlib.h>

static size_t characters_make(const mp_obj *o, mp_obj *made)
{
    size_t n = 0;
    uint32_t point;
    for (size_t at = 0, size; at < o->len; at += size) {
        size = mp__utf8_next(o->s + at, o->len - at, &point);
        if (size == 0)
            size = 1;
        made[n++] = mp_obj_strn(o->s + at, size);
    }
    return n;
}

static size_t items_make(const mp_obj *o, mp_obj *made)
{
    if (o->type == MP_TYPE_STR)
        return characters_make(o, made);
    for (size_t i = 0; i < o->len; i++)
        made[i] = o->type == MP_TYPE_DICT ? mp_obj_view(o->items[2 * i]) : mp_obj_int(o->bytes[i]);
    return o->len;
}

int mp__items_of(mp_obj o, struct mp__items *out)
{
    *out = (struct mp__items){NULL, 0, NULL};
    switch (o.type) {
    case MP_TYPE_LIST:
    case MP_TYPE_TUPLE:
    case MP_TYPE_SET:
    case MP_TYPE_FROZENSET:
        out->items = o.items;
        out->n = o.len;
        return 0;
    case MP_TYPE_DICT:
    case MP_TYPE_STR:
    case MP_TYPE_BYTES:
        break;
    default:
        return mp__failf(MP_ETYPE, "the object is not iterable");
    }
    out->made = calloc(o.len + 1, sizeof *out->made);
    if (out->made == NULL)
        return mp__fail(-ENOMEM);
    out->n = items_make(&o, out->made);
    out->items = out->made;
    return 0;
}

void mp__items_free(struct mp__items *items)
{
    free(items->made);
}
