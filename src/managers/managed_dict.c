/* The managed dict.
 *
 * How it works
 *   A table of keys and values. The whole is answered as a view of the table, a value as a view of
 *   its entry; keys(), values() and items() are arrays of such views. Each put of an update stands
 *   by itself: where a later pair is refused, the earlier ones stay, as in Python.
 */
#include "managers/containers.h"
#include "managers/iterable.h"

#include <errno.h>

struct dict {
    struct mp__managed managed;
    struct mp__table table;
};

static struct mp__table *table_of(struct mp__managed *self)
{
    return &((struct dict *)self)->table;
}

/* The entry of the first argument, SIZE_MAX if there is none; how many arguments there must be. */
static int find(struct mp__managed *self, struct mp__call *call, size_t least, size_t most,
                size_t *entry)
{
    uint64_t hash;
    int rc = mp__call_plain(call, least, most);
    if (rc == 0)
        rc = mp__table_hash(&call->args.items[0], &hash);
    if (rc == 0)
        *entry = mp__table_find(table_of(self), &call->args.items[0], hash);
    return rc;
}

static int missing(struct mp__call *call)
{
    call->value = mp_obj_view(call->args.items[0]);
    return mp__fail(MP_EKEY);
}

/* The same where it is the only argument, and must be there. */
static int find_there(struct mp__managed *self, struct mp__call *call, size_t *entry)
{
    int rc = find(self, call, 1, 1, entry);
    return rc == 0 && *entry == SIZE_MAX ? missing(call) : rc;
}

/* ---- updates ------------------------------------------------------------------------------ */

static int put_pairs(struct mp__table *table, const mp_obj *dict)
{
    int rc = 0;
    for (size_t i = 0; i < dict->len && rc == 0; i++)
        rc = mp__table_put(table, &dict->items[2 * i], &dict->items[2 * i + 1]);
    return rc;
}

/* Item i of an update is itself something with two items. */
static int put_item(struct mp__table *table, const mp_obj *item, size_t i)
{
    struct mp__iterable pair;
    int rc = mp__iterable_begin(&pair, table->host, item);
    if (rc == MP_ETYPE)
        return mp__failf(rc, "cannot convert dictionary update sequence element #%zu to a sequence",
                         i);
    if (rc != 0)
        return rc;
    if (pair.len != 2)
        rc = mp__failf(MP_EINVAL,
                       "dictionary update sequence element #%zu has length %zu; 2 is required", i,
                       pair.len);
    else
        rc = mp__table_put(table, &pair.items[0], &pair.items[pair.stride]);
    mp__iterable_end(&pair);
    return rc;
}

static int put_items(struct mp__table *table, const mp_obj *from)
{
    struct mp__iterable it;
    int rc = mp__iterable_begin(&it, table->host, from);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < it.len && rc == 0; i++)
        rc = put_item(table, &it.items[i * it.stride], i);
    mp__iterable_end(&it);
    return rc;
}

static int put_all(struct mp__table *table, const mp_obj *from)
{
    mp_obj copy;
    if (from->type == MP_TYPE_DICT)
        return put_pairs(table, from);
    if (from->type != MP_TYPE_PROXY)
        return put_items(table, from);
    int rc = mp__peek(table->host, from, &copy);
    if (rc != 0)
        return rc;
    rc = copy.type == MP_TYPE_DICT ? put_pairs(table, &copy) : put_items(table, &copy);
    mp_obj_free(&copy);
    return rc;
}

static int dict_update(struct mp__managed *self, struct mp__call *call)
{
    int rc = mp__call_expects(call, 0, 1);
    if (rc == 0 && call->args.len > 0)
        rc = put_all(table_of(self), &call->args.items[0]);
    return rc == 0 ? put_pairs(table_of(self), &call->kwargs) : rc;
}

static int dict_ior(struct mp__managed *self, struct mp__call *call)
{
    int rc = mp__call_plain(call, 1, 1);
    if (rc == 0)
        rc = put_all(table_of(self), &call->args.items[0]);
    if (rc == 0)
        call->value = mp__table_view(table_of(self), MP_TYPE_DICT);
    return rc;
}

/* ---- single keys -------------------------------------------------------------------------- */

static int dict_getitem(struct mp__managed *self, struct mp__call *call)
{
    size_t entry;
    int rc = find_there(self, call, &entry);
    if (rc == 0)
        call->value = mp_obj_view(*mp__table_value(table_of(self), entry));
    return rc;
}

static int dict_get(struct mp__managed *self, struct mp__call *call)
{
    size_t entry;
    int rc = find(self, call, 1, 2, &entry);
    if (rc == 0 && entry != SIZE_MAX)
        call->value = mp_obj_view(*mp__table_value(table_of(self), entry));
    else if (rc == 0 && call->args.len == 2)
        call->value = mp_obj_view(call->args.items[1]);
    return rc;
}

static int dict_setitem(struct mp__managed *self, struct mp__call *call)
{
    int rc = mp__call_plain(call, 2, 2);
    const mp_obj *args = call->args.items;
    return rc == 0 ? mp__table_put(table_of(self), &args[0], &args[1]) : rc;
}

static int dict_delitem(struct mp__managed *self, struct mp__call *call)
{
    size_t entry;
    int rc = find_there(self, call, &entry);
    if (rc == 0)
        mp__table_delete(table_of(self), entry);
    return rc;
}

static int dict_contains(struct mp__managed *self, struct mp__call *call)
{
    size_t entry;
    int rc = find(self, call, 1, 1, &entry);
    if (rc == 0)
        call->value = mp_obj_bool(entry != SIZE_MAX);
    return rc;
}

static int dict_pop(struct mp__managed *self, struct mp__call *call)
{
    size_t entry = SIZE_MAX;
    int rc = mp__call_plain(call, 1, 2);
    if (rc == 0 && table_of(self)->live > 0) /* Python looks at no key before */
        rc = find(self, call, 1, 2, &entry);
    if (rc != 0)
        return rc;
    if (entry == SIZE_MAX && call->args.len < 2)
        return missing(call);
    if (entry == SIZE_MAX) {
        call->value = mp_obj_view(call->args.items[1]);
        return 0;
    }
    mp__table_take(table_of(self), entry, call->kept);
    call->value = mp_obj_view(call->kept[1]);
    return 0;
}

static int dict_popitem(struct mp__managed *self, struct mp__call *call)
{
    struct mp__table *table = table_of(self);
    int rc = mp__call_plain(call, 0, 0);
    if (rc != 0)
        return rc;
    if (table->live == 0) {
        call->value = mp_obj_str("popitem(): dictionary is empty");
        return mp__fail(MP_EKEY);
    }
    mp__table_take(table, mp__table_last(table), call->kept);
    call->value = mp_obj_tuple(call->kept, 2);
    return 0;
}

static int dict_setdefault(struct mp__managed *self, struct mp__call *call)
{
    struct mp__table *table = table_of(self);
    const mp_obj *args = call->args.items, none = mp_obj_none();
    size_t entry;
    int rc = find(self, call, 1, 2, &entry);
    if (rc != 0)
        return rc;
    if (entry == SIZE_MAX) {
        rc = mp__table_put(table, &args[0], call->args.len > 1 ? &args[1] : &none);
        if (rc != 0)
            return rc;
        entry = mp__table_last(table);
    }
    call->value = mp_obj_view(*mp__table_value(table, entry));
    return 0;
}

/* ---- the whole ---------------------------------------------------------------------------- */

static int dict_copy(struct mp__managed *self, struct mp__call *call)
{
    int rc = mp__call_plain(call, 0, 0);
    if (rc == 0)
        call->value = mp__table_view(table_of(self), MP_TYPE_DICT);
    return rc;
}

static int dict_print(struct mp__managed *self, struct mp__call *call)
{
    return mp__answer_repr(call, mp__table_view(table_of(self), MP_TYPE_DICT));
}

static int dict_len(struct mp__managed *self, struct mp__call *call)
{
    int rc = mp__call_plain(call, 0, 0);
    if (rc == 0)
        call->value = mp_obj_int((int64_t)table_of(self)->live);
    return rc;
}

static int dict_clear(struct mp__managed *self, struct mp__call *call)
{
    int rc = mp__call_plain(call, 0, 0);
    if (rc == 0)
        mp__table_clear(table_of(self));
    return rc;
}

/* A list of the keys (0) or the values (1). */
static int answer_half(struct mp__managed *self, struct mp__call *call, size_t half)
{
    int rc = mp__call_plain(call, 0, 0);
    if (rc != 0)
        return rc;
    mp_obj all = mp__table_view(table_of(self), MP_TYPE_DICT),
           *room = mp__answer_room(call, all.len);
    if (room == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < all.len; i++)
        room[i] = all.items[2 * i + half];
    call->value = mp_obj_list(room, all.len);
    return 0;
}

static int dict_keys(struct mp__managed *self, struct mp__call *call)
{
    return answer_half(self, call, 0);
}

static int dict_values(struct mp__managed *self, struct mp__call *call)
{
    return answer_half(self, call, 1);
}

static int dict_items(struct mp__managed *self, struct mp__call *call)
{
    int rc = mp__call_plain(call, 0, 0);
    if (rc != 0)
        return rc;
    mp_obj all = mp__table_view(table_of(self), MP_TYPE_DICT),
           *room = mp__answer_room(call, all.len);
    if (room == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < all.len; i++)
        room[i] = mp_obj_tuple(&all.items[2 * i], 2);
    call->value = mp_obj_list(room, all.len);
    return 0;
}

static int dict_reversed(struct mp__managed *self, struct mp__call *call)
{
    int rc = mp__call_plain(call, 0, 0);
    if (rc != 0)
        return rc;
    mp_obj all = mp__table_view(table_of(self), MP_TYPE_DICT);
    mp_obj *room = mp__answer_room(call, MP__ITER_ROOM + all.len);
    if (room == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < all.len; i++)
        room[MP__ITER_ROOM + i] = all.items[2 * (all.len - 1 - i)];
    mp__answer_iter(call, room, all.len);
    return 0;
}

static int dict_iter(struct mp__managed *self, struct mp__call *call)
{
    return mp__answer_keys(self, call, table_of(self), "dictionary changed size during iteration");
}

/* ---- new dicts ---------------------------------------------------------------------------- */

/* A dict of views under construction: equal keys come together, the last value counts. */
struct union_ {
    mp_obj *items;
    size_t len;
    struct mp__index index;
};

static int union_begin(struct union_ *u, struct mp__call *call, size_t most)
{
    u->len = 0;
    u->items = most <= SIZE_MAX / 2 ? mp__answer_room(call, 2 * most) : NULL;
    if (u->items == NULL)
        return mp__fail(-ENOMEM);
    if (mp__index_begin(&u->index, u->items, 2, most) != 0)
        return mp__fail(-ENOMEM);
    return 0;
}

static int union_add(struct union_ *u, const mp_obj *key, const mp_obj *value)
{
    uint64_t hash;
    int rc = mp__table_hash(key, &hash);
    if (rc != 0)
        return rc;
    u->items[2 * u->len] = *key;
    size_t at = mp__index_add(&u->index, u->len, hash);
    u->items[2 * at + 1] = *value;
    u->len += at == u->len;
    return 0;
}

static int answer_union(struct mp__call *call, const mp_obj *left, const mp_obj *right)
{
    struct union_ u;
    const mp_obj *both[] = {left, right};
    int rc = union_begin(&u, call, left->len + right->len);
    if (rc != 0)
        return rc;
    for (size_t side = 0; side < 2; side++)
        for (size_t i = 0; i < both[side]->len && rc == 0; i++)
            rc = union_add(&u, &both[side]->items[2 * i], &both[side]->items[2 * i + 1]);
    mp__index_end(&u.index);
    if (rc == 0)
        call->value = mp_obj_dict(u.items, u.len);
    return rc;
}

static int dict_or(struct mp__managed *self, struct mp__call *call)
{
    char room[64];
    int rc = mp__call_plain(call, 1, 1);
    if (rc != 0)
        return rc;
    const mp_obj *other = &call->args.items[0];
    if (other->type != MP_TYPE_DICT)
        return mp__unsupported("|", "dict", mp__type_name(other, room));
    mp_obj all = mp__table_view(table_of(self), MP_TYPE_DICT);
    return answer_union(call, &all, other);
}

static int dict_ror(struct mp__managed *self, struct mp__call *call)
{
    char room[64];
    int rc = mp__call_plain(call, 1, 1);
    if (rc != 0)
        return rc;
    const mp_obj *other = &call->args.items[0];
    if (other->type != MP_TYPE_DICT)
        return mp__unsupported("|", mp__type_name(other, room), "dict");
    mp_obj all = mp__table_view(table_of(self), MP_TYPE_DICT);
    return answer_union(call, other, &all);
}

static int dict_fromkeys(struct mp__managed *self, struct mp__call *call)
{
    const mp_obj *args = call->args.items, none = mp_obj_none();
    struct mp__iterable it;
    struct union_ u;
    int rc = mp__call_plain(call, 1, 2);
    if (rc == 0)
        rc = mp__iterable_begin(&it, self->host, &args[0]);
    if (rc != 0)
        return rc;
    rc = union_begin(&u, call, it.len);
    if (rc == 0) {
        for (size_t i = 0; i < it.len && rc == 0; i++)
            rc = union_add(&u, &it.items[i * it.stride], call->args.len > 1 ? &args[1] : &none);
        mp__index_end(&u.index);
    }
    if (rc == 0 && it.copy.owned) /* its items end with it */
        rc = mp_obj_copy(mp_obj_dict(u.items, u.len), &call->value);
    else if (rc == 0)
        call->value = mp_obj_dict(u.items, u.len);
    mp__iterable_end(&it);
    return rc;
}

/* ---- the type ----------------------------------------------------------------------------- */

static int dict_create(struct mp__managed *self, struct mp__call *call)
{
    mp__table_begin(table_of(self), self->host, 2);
    int rc = dict_update(self, call);
    if (rc != 0)
        mp__table_clear(table_of(self));
    return rc;
}

static void dict_destroy(struct mp__managed *self)
{
    mp__table_clear(table_of(self));
}

static const struct mp__method methods[] = {
    {"__contains__", dict_contains, NULL},
    {"__delitem__", dict_delitem, NULL},
    {"__getitem__", dict_getitem, NULL},
    {"__ior__", dict_ior, NULL},
    {"__iter__", dict_iter, "Iterator"},
    {"__len__", dict_len, NULL},
    {"__or__", dict_or, NULL},
    {"__reversed__", dict_reversed, NULL},
    {"__ror__", dict_ror, NULL},
    {"__setitem__", dict_setitem, NULL},
    {"clear", dict_clear, NULL},
    {"copy", dict_copy, NULL},
    {"fromkeys", dict_fromkeys, NULL},
    {"get", dict_get, NULL},
    {"items", dict_items, NULL},
    {"keys", dict_keys, NULL},
    {"pop", dict_pop, NULL},
    {"popitem", dict_popitem, NULL},
    {"setdefault", dict_setdefault, NULL},
    {"update", dict_update, NULL},
    {"values", dict_values, NULL},
    {NULL, NULL, NULL},
};

const struct mp__type mp__type_dict = {
    .name = "dict",
    .size = sizeof(struct dict),
    .create = dict_create,
    .destroy = dict_destroy,
    .print = dict_print,
    .getvalue = dict_copy,
    .methods = methods,
};
