/* The managed list.
 *
 * How it works
 *   A sequence of stored objects. The whole, and a slice with a step of 1, are answered as views of
 *   the sequence itself, other selections as arrays of views.
 */
#include "managers/containers.h"
#include "managers/order.h"
#include "managers/sequence.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct list {
    struct mp__managed managed;
    struct mp__sequence items;
};

static struct mp__sequence *items_of(struct mp__managed *self)
{
    return &((struct list *)self)->items;
}

static mp_obj list_view(const struct mp__sequence *list)
{
    return mp_obj_list(list->items, list->len);
}

static int extend(struct mp__sequence *seq, const mp_obj *from)
{
    struct mp__iterable it;
    int rc = mp__iterable_begin(&it, seq->host, from);
    if (rc != 0)
        return rc;
    rc = mp__sequence_extend(seq, &it);
    mp__iterable_end(&it);
    return rc;
}

/* ---- indices and slices ------------------------------------------------------------------- */

/* What stands at the index that is the first argument; MP_EINDEX, with the text. */
static int place_of(const struct mp__sequence *list, const mp_obj *index, const char *outside,
                    size_t *at)
{
    int64_t i;
    char room[64];
    if (mp__index_of(index, &i) != 0)
        return mp__failf(MP_ETYPE, "list indices must be integers or slices, not %s",
                         mp__type_name(index, room));
    *at = mp__index_place(i, list->len);
    return *at != SIZE_MAX ? 0 : mp__failf(MP_EINDEX, "%s", outside);
}

static int get_slice(struct mp__sequence *list, struct mp__call *call)
{
    struct mp__slice slice;
    int rc = mp__slice_of(&call->args.items[0], list->len, &slice);
    if (rc != 0)
        return rc;
    if (slice.step == 1 || slice.len < 2) {
        call->value = mp_obj_list(list->items + (slice.len > 0 ? slice.start : 0), slice.len);
        return 0;
    }
    mp_obj *room = mp__answer_room(call, slice.len);
    if (room == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < slice.len; i++)
        room[i] = list->items[slice.start + (int64_t)i * slice.step];
    call->value = mp_obj_list(room, slice.len);
    return 0;
}

static int list_getitem(struct mp__managed *self, struct mp__call *call)
{
    struct mp__sequence *list = items_of(self);
    size_t at;
    int rc = mp__call_plain(call, 1, 1);
    if (rc != 0)
        return rc;
    if (mp__is_slice(&call->args.items[0]))
        return get_slice(list, call);
    rc = place_of(list, &call->args.items[0], "list index out of range", &at);
    if (rc == 0)
        call->value = mp_obj_view(list->items[at]);
    return rc;
}

static int set_slice(struct mp__sequence *list, const mp_obj *index, const mp_obj *from)
{
    struct mp__slice slice;
    struct mp__iterable it;
    int rc = mp__slice_of(index, list->len, &slice);
    if (rc == 0)
        rc = mp__iterable_begin(&it, list->host, from);
    if (rc == MP_ETYPE && !mp__is_iterable(from))
        return mp__failf(rc, "must assign iterable to extended slice");
    if (rc != 0)
        return rc;
    rc = mp__sequence_set_slice(list, &slice, &it);
    mp__iterable_end(&it);
    return rc;
}

static int list_setitem(struct mp__managed *self, struct mp__call *call)
{
    struct mp__sequence *list = items_of(self);
    const mp_obj *args = call->args.items;
    size_t at;
    int rc = mp__call_plain(call, 2, 2);
    if (rc == 0 && mp__is_slice(&args[0]))
        return set_slice(list, &args[0], &args[1]);
    if (rc == 0)
        rc = place_of(list, &args[0], "list assignment index out of range", &at);
    return rc == 0 ? mp__sequence_set(list, at, &args[1]) : rc;
}

static int delete_slice(struct mp__sequence *list, const mp_obj *index)
{
    struct mp__slice slice;
    int rc = mp__slice_of(index, list->len, &slice);
    return rc == 0 ? mp__sequence_delete_slice(list, &slice) : rc;
}

static int list_delitem(struct mp__managed *self, struct mp__call *call)
{
    struct mp__sequence *list = items_of(self);
    const mp_obj *index = call->args.items;
    size_t at;
    int rc = mp__call_plain(call, 1, 1);
    if (rc == 0 && mp__is_slice(index))
        return delete_slice(list, index);
    if (rc == 0)
        rc = place_of(list, index, "list assignment index out of range", &at);
    if (rc == 0)
        mp__sequence_delete(list, at);
    return rc;
}

/* ---- items -------------------------------------------------------------------------------- */

static int list_append(struct mp__managed *self, struct mp__call *call)
{
    int rc = mp__call_plain(call, 1, 1);
    return rc == 0 ? mp__sequence_append(items_of(self), &call->args.items[0]) : rc;
}

static int list_extend(struct mp__managed *self, struct mp__call *call)
{
    int rc = mp__call_plain(call, 1, 1);
    return rc == 0 ? extend(items_of(self), &call->args.items[0]) : rc;
}

static int list_insert(struct mp__managed *self, struct mp__call *call)
{
    struct mp__sequence *list = items_of(self);
    int64_t i;
    int rc = mp__call_plain(call, 2, 2);
    if (rc == 0)
        rc = mp__index_of(&call->args.items[0], &i);
    if (rc == 0)
        rc = mp__sequence_insert(list, mp__index_bound(i, list->len), &call->args.items[1]);
    return rc;
}

static int list_pop(struct mp__managed *self, struct mp__call *call)
{
    struct mp__sequence *list = items_of(self);
    int64_t i = -1;
    int rc = mp__call_plain(call, 0, 1);
    if (rc == 0 && call->args.len > 0)
        rc = mp__index_of(&call->args.items[0], &i);
    if (rc != 0)
        return rc;
    if (list->len == 0)
        return mp__failf(MP_EINDEX, "pop from empty list");
    size_t at = mp__index_place(i, list->len);
    if (at == SIZE_MAX)
        return mp__failf(MP_EINDEX, "pop index out of range");
    mp__sequence_take(list, at, &call->kept[0]);
    call->value = mp_obj_view(call->kept[0]);
    return 0;
}

/* The first equal item within bounds; SIZE_MAX. */
static size_t find(const struct mp__sequence *list, const mp_obj *value, size_t from, size_t to)
{
    for (size_t i = from; i < to && i < list->len; i++)
        if (mp_obj_equal(list->items[i], *value))
            return i;
    return SIZE_MAX;
}

static int list_remove(struct mp__managed *self, struct mp__call *call)
{
    struct mp__sequence *list = items_of(self);
    int rc = mp__call_plain(call, 1, 1);
    if (rc != 0)
        return rc;
    size_t at = find(list, &call->args.items[0], 0, list->len);
    if (at == SIZE_MAX)
        return mp__failf(MP_EINVAL, "list.remove(x): x not in list");
    mp__sequence_delete(list, at);
    return 0;
}

static int list_index(struct mp__managed *self, struct mp__call *call)
{
    struct mp__sequence *list = items_of(self);
    size_t bounds[2] = {0, list->len};
    int rc = mp__call_plain(call, 1, 3);
    for (size_t i = 1; i < call->args.len && rc == 0; i++) {
        int64_t bound;
        if (mp__index_of(&call->args.items[i], &bound) != 0)
            return mp__failf(MP_ETYPE,
                             "slice indices must be integers or have an __index__ method");
        bounds[i - 1] = mp__index_bound(bound, list->len);
    }
    if (rc != 0)
        return rc;
    size_t at = find(list, &call->args.items[0], bounds[0], bounds[1]);
    call->value = mp_obj_int((int64_t)at);
    if (at != SIZE_MAX)
        return 0;
    char *text = mp_obj_repr(call->args.items[0]);
    rc = text == NULL ? -ENOMEM : mp__failf(MP_EINVAL, "%s is not in list", text);
    free(text);
    return rc;
}

static int list_count(struct mp__managed *self, struct mp__call *call)
{
    struct mp__sequence *list = items_of(self);
    int64_t count = 0;
    int rc = mp__call_plain(call, 1, 1);
    for (size_t i = 0; i < list->len && rc == 0; i++)
        count += mp_obj_equal(list->items[i], call->args.items[0]);
    call->value = mp_obj_int(count);
    return rc;
}

static int list_contains(struct mp__managed *self, struct mp__call *call)
{
    struct mp__sequence *list = items_of(self);
    int rc = mp__call_plain(call, 1, 1);
    if (rc == 0)
        call->value = mp_obj_bool(find(list, &call->args.items[0], 0, list->len) != SIZE_MAX);
    return rc;
}

/* ---- the whole ---------------------------------------------------------------------------- */

static int list_len(struct mp__managed *self, struct mp__call *call)
{
    int rc = mp__call_plain(call, 0, 0);
    if (rc == 0)
        call->value = mp_obj_int((int64_t)items_of(self)->len);
    return rc;
}

static int list_copy(struct mp__managed *self, struct mp__call *call)
{
    int rc = mp__call_plain(call, 0, 0);
    if (rc == 0)
        call->value = list_view(items_of(self));
    return rc;
}

static int list_clear(struct mp__managed *self, struct mp__call *call)
{
    int rc = mp__call_plain(call, 0, 0);
    if (rc == 0)
        mp__sequence_clear(items_of(self));
    return rc;
}

static int list_print(struct mp__managed *self, struct mp__call *call)
{
    return mp__answer_repr(call, list_view(items_of(self)));
}

static int list_add(struct mp__managed *self, struct mp__call *call)
{
    struct mp__sequence *list = items_of(self);
    char name[64];
    size_t len;
    int rc = mp__call_plain(call, 1, 1);
    if (rc != 0)
        return rc;
    const mp_obj *other = &call->args.items[0];
    if (other->type != MP_TYPE_LIST)
        return mp__failf(MP_ETYPE, "can only concatenate list (not \"%s\") to list",
                         mp__type_name(other, name));
    mp_obj *room = NULL;
    if (mp__size_add(list->len, other->len, &len))
        room = mp__answer_room(call, len);
    if (room == NULL)
        return mp__fail(-ENOMEM);
    if (list->len > 0)
        memcpy(room, list->items, list->len * sizeof *room);
    if (other->len > 0)
        memcpy(room + list->len, other->items, other->len * sizeof *room);
    call->value = mp_obj_list(room, len);
    return 0;
}

/* How many times the list is to stand there, and how many items that are. */
static int repeat_of(const struct mp__sequence *list, const struct mp__call *call, size_t *times,
                     size_t *len)
{
    int64_t n;
    int rc = mp__call_plain(call, 1, 1);
    if (rc == 0)
        rc = mp__index_of(&call->args.items[0], &n);
    if (rc != 0)
        return rc;
    *times = n < 1 ? 0 : (uint64_t)n < SIZE_MAX ? (size_t)n : SIZE_MAX;
    if (!mp__size_mul(list->len, *times, len))
        return mp__fail(-ENOMEM);
    *times = list->len > 0 ? *times : 0;
    return 0;
}

static int list_mul(struct mp__managed *self, struct mp__call *call)
{
    struct mp__sequence *list = items_of(self);
    size_t times, len;
    int rc = repeat_of(list, call, &times, &len);
    if (rc != 0)
        return rc;
    mp_obj *room = mp__answer_room(call, len);
    if (room == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < times; i++)
        memcpy(room + i * list->len, list->items, list->len * sizeof *room);
    call->value = mp_obj_list(room, len);
    return 0;
}

static int list_imul(struct mp__managed *self, struct mp__call *call)
{
    struct mp__sequence *list = items_of(self);
    size_t times, len;
    int rc = repeat_of(list, call, &times, &len);
    if (rc == 0)
        rc = mp__sequence_repeat(list, times);
    if (rc == 0)
        call->value = list_view(list);
    return rc;
}

static int list_reversed(struct mp__managed *self, struct mp__call *call)
{
    struct mp__sequence *list = items_of(self);
    int rc = mp__call_plain(call, 0, 0);
    mp_obj *room = rc == 0 ? mp__answer_room(call, MP__ITER_ROOM + list->len) : NULL;
    if (room == NULL)
        return rc != 0 ? rc : -ENOMEM;
    for (size_t i = 0; i < list->len; i++)
        room[MP__ITER_ROOM + i] = list->items[list->len - 1 - i];
    mp__answer_iter(call, room, list->len);
    return 0;
}

static int list_reverse(struct mp__managed *self, struct mp__call *call)
{
    struct mp__sequence *list = items_of(self);
    int rc = mp__call_plain(call, 0, 0);
    for (size_t i = 0; i < list->len / 2 && rc == 0; i++) {
        mp_obj *other = &list->items[list->len - 1 - i], first = list->items[i];
        list->items[i] = *other;
        *other = first;
    }
    return rc;
}

static int list_sort(struct mp__managed *self, struct mp__call *call)
{
    static const char *const names[] = {"key", "reverse"};
    struct mp__sequence *list = items_of(self);
    char room[64];
    int rc = mp__call_keywords(call, names, 2);
    if (rc != 0)
        return rc;
    if (call->args.len > 0)
        return mp__failf(MP_ETYPE, "sort() takes no positional arguments");
    const mp_obj *key = mp__call_argument(call, 0, "key");
    const mp_obj *reverse = mp__call_argument(call, 1, "reverse");
    if (key != NULL && key->type != MP_TYPE_NONE)
        return mp__failf(MP_ETYPE, "'%s' object is not callable", mp__type_name(key, room));
    return mp__obj_sort(list->items, list->len, reverse != NULL && mp__is_true(reverse));
}

/* ---- the type ----------------------------------------------------------------------------- */

static int list_create(struct mp__managed *self, struct mp__call *call)
{
    items_of(self)->host = self->host;
    int rc = mp__call_plain(call, 0, 1);
    if (rc == 0 && call->args.len > 0)
        rc = extend(items_of(self), &call->args.items[0]);
    if (rc != 0)
        mp__sequence_clear(items_of(self));
    return rc;
}

static void list_destroy(struct mp__managed *self)
{
    mp__sequence_clear(items_of(self));
}

static const struct mp__method methods[] = {
    {"__add__", list_add, NULL},         {"__contains__", list_contains, NULL},
    {"__delitem__", list_delitem, NULL}, {"__getitem__", list_getitem, NULL},
    {"__imul__", list_imul, NULL},       {"__len__", list_len, NULL},
    {"__mul__", list_mul, NULL},         {"__reversed__", list_reversed, NULL},
    {"__rmul__", list_mul, NULL},        {"__setitem__", list_setitem, NULL},
    {"append", list_append, NULL},       {"clear", list_clear, NULL},
    {"copy", list_copy, NULL},           {"count", list_count, NULL},
    {"extend", list_extend, NULL},       {"index", list_index, NULL},
    {"insert", list_insert, NULL},       {"pop", list_pop, NULL},
    {"remove", list_remove, NULL},       {"reverse", list_reverse, NULL},
    {"sort", list_sort, NULL},           {NULL, NULL, NULL},
};

const struct mp__type mp__type_list = {
    .name = "list",
    .size = sizeof(struct list),
    .create = list_create,
    .destroy = list_destroy,
    .print = list_print,
    .getvalue = list_copy,
    .methods = methods,
};
