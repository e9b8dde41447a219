/* What Python calls a value, and the items it gives where Python would iterate over it.
 *
 * How it works
 *   Containers are walked where they are. For a str, bytes, a range or an array the items are made
 *   first, all in one block; those of a str are views into it. A proxy of an object in this server
 *   is walked as a copy of that object, so that whoever walks may change the object meanwhile.
 */
#include "managers/iterable.h"

#include "managers/typecode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *mp__type_name(const mp_obj *o, char room[64])
{
    static const char *const names[] = {"NoneType", "bool",  "int",  "float", "str",      "bytes",
                                        "list",     "tuple", "dict", "set",   "frozenset"};
    if (o->type <= MP_TYPE_FROZENSET)
        return names[o->type];
    if (o->type != MP_TYPE_PROXY && o->type != MP__TYPE_OPAQUE)
        return o->type == MP_TYPE_HANDLE ? "handle" : "int";
    if (o->type == MP__TYPE_OPAQUE && o->items[MP__OPAQUE_ARGS].type == MP_TYPE_NONE)
        return "type";
    if (mp__opaque_calls(o, "array", "array"))
        return "array.array";
    const mp_obj *name =
        &o->items[o->type == MP_TYPE_PROXY ? (int)MP__PROXY_CLASS : (int)MP__OPAQUE_NAME];
    snprintf(room, 64, "%.*s", (int)(name->len < 64 ? name->len : 64), name->s);
    return room;
}

bool mp__opaque_calls(const mp_obj *o, const char *module, const char *name)
{
    if (o->type != MP__TYPE_OPAQUE || o->items[MP__OPAQUE_ARGS].type != MP_TYPE_TUPLE)
        return false;
    const mp_obj *of = &o->items[MP__OPAQUE_MODULE];
    bool is_module = mp__obj_is_str(of, module) ||
                     (strcmp(module, "builtins") == 0 && mp__obj_is_str(of, "__builtin__"));
    return is_module && mp__obj_is_str(&o->items[MP__OPAQUE_NAME], name);
}

bool mp__is_true(const mp_obj *o)
{
    switch (o->type) {
    case MP_TYPE_NONE:
        return false;
    case MP_TYPE_BOOL:
        return o->b;
    case MP_TYPE_INT:
        return o->i != 0;
    case MP_TYPE_FLOAT:
        return o->f != 0;
    case MP_TYPE_PROXY:
    case MP_TYPE_HANDLE:
    case MP__TYPE_OPAQUE:
        return true;
    default:
        return o->len > 0;
    }
}

bool mp__is_iterable(const mp_obj *o)
{
    const struct mp__typecode *code;
    const mp_obj *bytes;
    if (o->type == MP__TYPE_OPAQUE)
        return mp__opaque_calls(o, "builtins", "range") || mp__typecode_array(o, &code, &bytes);
    return o->type >= MP_TYPE_STR && o->type <= MP_TYPE_PROXY;
}

/* Room for n items. */
static mp_obj *iterable_room(struct mp__iterable *it, size_t n)
{
    size_t size;
    if (mp__size_mul(n, sizeof(mp_obj), &size))
        it->memory = malloc(size + 1);
    if (it->memory == NULL) {
        mp__fail(-ENOMEM);
        return NULL;
    }
    it->items = it->memory;
    it->len = n;
    return it->memory;
}

static size_t character_size(const mp_obj *o, size_t at)
{
    uint32_t point;
    size_t size = mp__utf8_next(o->s + at, o->len - at, &point);
    return size > 0 ? size : 1;
}

static int of_str(struct mp__iterable *it, const mp_obj *o)
{
    size_t n = 0;
    for (size_t at = 0; at < o->len; at += character_size(o, at))
        n++;
    mp_obj *items = iterable_room(it, n);
    if (items == NULL)
        return -ENOMEM;
    for (size_t at = 0, size; at < o->len; at += size) {
        size = character_size(o, at);
        *items++ = mp_obj_strn(o->s + at, size);
    }
    return 0;
}

static int of_bytes(struct mp__iterable *it, const mp_obj *o)
{
    mp_obj *items = iterable_room(it, o->len);
    for (size_t i = 0; i < o->len && items != NULL; i++)
        items[i] = mp_obj_int(o->bytes[i]);
    return items != NULL ? 0 : -ENOMEM;
}

static int of_array(struct mp__iterable *it, const struct mp__typecode *code, const mp_obj *bytes)
{
    size_t n = bytes->len / code->size;
    mp_obj *items = iterable_room(it, n);
    for (size_t i = 0; i < n && items != NULL; i++)
        items[i] = mp__typecode_read(code, bytes->bytes + i * code->size);
    return items != NULL ? 0 : -ENOMEM;
}

/* range(start, stop, step) */
static int of_range(struct mp__iterable *it, const mp_obj *args)
{
    int64_t bounds[3];
    if (args->len != 3)
        return mp__failf(MP_ETYPE, "a range without its three numbers");
    for (int i = 0; i < 3; i++)
        if (mp_obj_as_int(args->items[i], &bounds[i]) != 0)
            return MP_ETYPE;
    int64_t start = bounds[0], stop = bounds[1], step = bounds[2];
    if (step == 0)
        return mp__failf(MP_EINVAL, "range() arg 3 must not be zero");
    uint64_t n = 0;
    if (step > 0 && start < stop)
        n = ((uint64_t)stop - (uint64_t)start - 1) / (uint64_t)step + 1;
    else if (step < 0 && start > stop)
        n = ((uint64_t)start - (uint64_t)stop - 1) / -(uint64_t)step + 1;
    mp_obj *items = iterable_room(it, n < SIZE_MAX ? (size_t)n : SIZE_MAX);
    if (items == NULL)
        return -ENOMEM;
    for (uint64_t i = 0; i < n; i++)
        items[i] = mp_obj_int((int64_t)((uint64_t)start + i * (uint64_t)step));
    return 0;
}

static int not_iterable(const mp_obj *o)
{
    char room[64];
    return mp__failf(MP_ETYPE, "'%s' object is not iterable", mp__type_name(o, room));
}

static int of_opaque(struct mp__iterable *it, const mp_obj *o)
{
    const struct mp__typecode *code;
    const mp_obj *bytes;
    if (mp__typecode_array(o, &code, &bytes))
        return of_array(it, code, bytes);
    if (mp__opaque_calls(o, "builtins", "range"))
        return of_range(it, &o->items[MP__OPAQUE_ARGS]);
    return not_iterable(o);
}

static int iterable_of(struct mp__iterable *it, const mp_obj *o)
{
    switch (o->type) {
    case MP_TYPE_DICT:
        it->stride = 2;
        /* fall through */
    case MP_TYPE_LIST:
    case MP_TYPE_TUPLE:
    case MP_TYPE_SET:
    case MP_TYPE_FROZENSET:
        it->items = o->items;
        it->len = o->len;
        return 0;
    case MP_TYPE_STR:
        return of_str(it, o);
    case MP_TYPE_BYTES:
        return of_bytes(it, o);
    case MP__TYPE_OPAQUE:
        return of_opaque(it, o);
    default:
        return not_iterable(o);
    }
}

int mp__iterable_begin(struct mp__iterable *it, struct mp__host *host, const mp_obj *o)
{
    *it = (struct mp__iterable){.stride = 1};
    if (o->type == MP_TYPE_PROXY) {
        int rc = mp__peek(host, o, &it->copy);
        if (rc != 0)
            return rc;
        o = &it->copy;
    }
    int rc = iterable_of(it, o);
    if (rc != 0)
        mp__iterable_end(it);
    return rc;
}

void mp__iterable_end(struct mp__iterable *it)
{
    free(it->memory);
    mp_obj_free(&it->copy);
    it->memory = NULL;
}
