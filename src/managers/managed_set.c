/* The managed set.
 *
 * How it works
 *   A table of keys. An item that is a set itself is looked for as a frozenset, as in Python.
 *   Operators take sets and frozensets only, methods all that has items. An operator's answer has
 *   the type of its left side, which may be the other one.
 */
#include "managers/containers.h"
#include "managers/iterable.h"
#include "managers/set_algebra.h"

struct set {
    struct mp__managed managed;
    struct mp__table table;
};

static struct mp__table *table_of(struct mp__managed *self)
{
    return &((struct set *)self)->table;
}

/* ---- single items ------------------------------------------------------------------------- */

/* The entry of the one argument, SIZE_MAX if there is none. */
static int find(struct mp__managed *self, struct mp__call *call, size_t *entry)
{
    uint64_t hash;
    int rc = mp__call_plain(call, 1, 1);
    if (rc != 0)
        return rc;
    mp_obj item = mp_obj_view(call->args.items[0]);
    if (item.type == MP_TYPE_SET)
        item.type = MP_TYPE_FROZENSET;
    rc = mp__table_hash(&item, &hash);
    if (rc == 0)
        *entry = mp__table_find(table_of(self), &item, hash);
    return rc;
}

static int set_add(struct mp__managed *self, struct mp__call *call)
{
    int rc = mp__call_plain(call, 1, 1);
    return rc == 0 ? mp__table_put(table_of(self), &call->args.items[0], NULL) : rc;
}

static int set_contains(struct mp__managed *self, struct mp__call *call)
{
    size_t entry;
    int rc = find(self, call, &entry);
    if (rc == 0)
        call->value = mp_obj_bool(entry != SIZE_MAX);
    return rc;
}

static int set_discard(struct mp__managed *self, struct mp__call *call)
{
    size_t entry;
    int rc = find(self, call, &entry);
    if (rc == 0 && entry != SIZE_MAX)
        mp__table_delete(table_of(self), entry);
    return rc;
}

static int set_remove(struct mp__managed *self, struct mp__call *call)
{
    size_t entry;
    int rc = find(self, call, &entry);
    if (rc != 0)
        return rc;
    if (entry == SIZE_MAX) {
        call->value = mp_obj_view(call->args.items[0]);
        return mp__fail(MP_EKEY);
    }
    mp__table_delete(table_of(self), entry);
    return 0;
}

static int set_pop(struct mp__managed *self, struct mp__call *call)
{
    struct mp__table *table = table_of(self);
    int rc = mp__call_plain(call, 0, 0);
    if (rc != 0)
        return rc;
    if (table->live == 0) {
        call->value = mp_obj_str("pop from an empty set");
        return mp__fail(MP_EKEY);
    }
    mp__table_take(table, mp__table_last(table), call->kept);
    call->value = mp_obj_view(call->kept[0]);
    return 0;
}

/* ---- the whole ---------------------------------------------------------------------------- */

static int set_len(struct mp__managed *self, struct mp__call *call)
{
    int rc = mp__call_plain(call, 0, 0);
    if (rc == 0)
        call->value = mp_obj_int((int64_t)table_of(self)->live);
    return rc;
}

static int set_clear(struct mp__managed *self, struct mp__call *call)
{
    int rc = mp__call_plain(call, 0, 0);
    if (rc == 0)
        mp__table_clear(table_of(self));
    return rc;
}

static int set_copy(struct mp__managed *self, struct mp__call *call)
{
    int rc = mp__call_plain(call, 0, 0);
    if (rc == 0)
        call->value = mp__table_view(table_of(self), MP_TYPE_SET);
    return rc;
}

static int set_print(struct mp__managed *self, struct mp__call *call)
{
    return mp__answer_repr(call, mp__table_view(table_of(self), MP_TYPE_SET));
}

static int set_iter(struct mp__managed *self, struct mp__call *call)
{
    return mp__answer_keys(self, call, table_of(self), "Set changed size during iteration");
}

/* ---- methods ------------------------------------------------------------------------------ */

static int answer(struct mp__managed *self, struct mp__call *call, enum mp__set_op op)
{
    bool takes_one = op == MP__SET_SYMMETRIC_DIFFERENCE;
    int rc = mp__call_plain(call, takes_one, takes_one ? 1 : SIZE_MAX);
    return rc == 0 ? mp__set_answer(table_of(self), call, op, MP_TYPE_SET) : rc;
}

static int change(struct mp__managed *self, struct mp__call *call, enum mp__set_op op)
{
    bool takes_one = op == MP__SET_SYMMETRIC_DIFFERENCE;
    int rc = mp__call_plain(call, takes_one, takes_one ? 1 : SIZE_MAX);
    return rc == 0 ? mp__set_change(table_of(self), call, op) : rc;
}

static int relate(struct mp__managed *self, struct mp__call *call, enum mp__set_relation relation)
{
    int rc = mp__call_plain(call, 1, 1);
    return rc == 0 ? mp__set_relate(table_of(self), call, relation) : rc;
}

static int set_union(struct mp__managed *self, struct mp__call *call)
{
    return answer(self, call, MP__SET_UNION);
}

static int set_intersection(struct mp__managed *self, struct mp__call *call)
{
    return answer(self, call, MP__SET_INTERSECTION);
}

static int set_difference(struct mp__managed *self, struct mp__call *call)
{
    return answer(self, call, MP__SET_DIFFERENCE);
}

static int set_symmetric_difference(struct mp__managed *self, struct mp__call *call)
{
    return answer(self, call, MP__SET_SYMMETRIC_DIFFERENCE);
}

static int set_update(struct mp__managed *self, struct mp__call *call)
{
    return change(self, call, MP__SET_UNION);
}

static int set_intersection_update(struct mp__managed *self, struct mp__call *call)
{
    return change(self, call, MP__SET_INTERSECTION);
}

static int set_difference_update(struct mp__managed *self, struct mp__call *call)
{
    return change(self, call, MP__SET_DIFFERENCE);
}

static int set_symmetric_difference_update(struct mp__managed *self, struct mp__call *call)
{
    return change(self, call, MP__SET_SYMMETRIC_DIFFERENCE);
}

static int set_issubset(struct mp__managed *self, struct mp__call *call)
{
    return relate(self, call, MP__SET_SUBSET);
}

static int set_issuperset(struct mp__managed *self, struct mp__call *call)
{
    return relate(self, call, MP__SET_SUPERSET);
}

static int set_isdisjoint(struct mp__managed *self, struct mp__call *call)
{
    return relate(self, call, MP__SET_DISJOINT);
}

/* ---- operators ---------------------------------------------------------------------------- */

static bool is_set(const mp_obj *o)
{
    return o->type == MP_TYPE_SET || o->type == MP_TYPE_FROZENSET;
}

/* self op other; other op self. */
static int operate(struct mp__managed *self, struct mp__call *call, const char *text,
                   enum mp__set_op op)
{
    char room[64];
    int rc = mp__call_plain(call, 1, 1);
    if (rc == 0 && !is_set(&call->args.items[0]))
        rc = mp__unsupported(text, "set", mp__type_name(&call->args.items[0], room));
    return rc == 0 ? mp__set_answer(table_of(self), call, op, MP_TYPE_SET) : rc;
}

static int operate_right(struct mp__managed *self, struct mp__call *call, const char *text,
                         enum mp__set_op op)
{
    char room[64];
    int rc = mp__call_plain(call, 1, 1);
    if (rc != 0)
        return rc;
    const mp_obj *left = &call->args.items[0];
    if (!is_set(left))
        return mp__unsupported(text, mp__type_name(left, room), "set");
    return mp__set_answer(table_of(self), call, op, (mp_type)left->type);
}

/* self op= other */
static int operate_here(struct mp__managed *self, struct mp__call *call, const char *text,
                        enum mp__set_op op)
{
    char room[64];
    int rc = mp__call_plain(call, 1, 1);
    if (rc == 0 && !is_set(&call->args.items[0]))
        rc = mp__unsupported(text, "set", mp__type_name(&call->args.items[0], room));
    if (rc == 0)
        rc = mp__set_change(table_of(self), call, op);
    if (rc == 0)
        call->value = mp__table_view(table_of(self), MP_TYPE_SET);
    return rc;
}

static int compare(struct mp__managed *self, struct mp__call *call, const char *text,
                   enum mp__set_relation relation)
{
    char room[64];
    int rc = mp__call_plain(call, 1, 1);
    if (rc == 0 && !is_set(&call->args.items[0]))
        rc = mp__failf(MP_ETYPE, "'%s' not supported between instances of 'set' and '%s'", text,
                       mp__type_name(&call->args.items[0], room));
    return rc == 0 ? mp__set_relate(table_of(self), call, relation) : rc;
}

static int set_or(struct mp__managed *self, struct mp__call *call)
{
    return operate(self, call, "|", MP__SET_UNION);
}

static int set_and(struct mp__managed *self, struct mp__call *call)
{
    return operate(self, call, "&", MP__SET_INTERSECTION);
}

static int set_sub(struct mp__managed *self, struct mp__call *call)
{
    return operate(self, call, "-", MP__SET_DIFFERENCE);
}

static int set_xor(struct mp__managed *self, struct mp__call *call)
{
    return operate(self, call, "^", MP__SET_SYMMETRIC_DIFFERENCE);
}

static int set_ror(struct mp__managed *self, struct mp__call *call)
{
    return operate_right(self, call, "|", MP__SET_UNION);
}

static int set_rand(struct mp__managed *self, struct mp__call *call)
{
    return operate_right(self, call, "&", MP__SET_INTERSECTION);
}

static int set_rsub(struct mp__managed *self, struct mp__call *call)
{
    return operate_right(self, call, "-", MP__SET_DIFFERENCE_FROM_OTHER);
}

static int set_rxor(struct mp__managed *self, struct mp__call *call)
{
    return operate_right(self, call, "^", MP__SET_SYMMETRIC_DIFFERENCE);
}

static int set_ior(struct mp__managed *self, struct mp__call *call)
{
    return operate_here(self, call, "|=", MP__SET_UNION);
}

static int set_iand(struct mp__managed *self, struct mp__call *call)
{
    return operate_here(self, call, "&=", MP__SET_INTERSECTION);
}

static int set_isub(struct mp__managed *self, struct mp__call *call)
{
    return operate_here(self, call, "-=", MP__SET_DIFFERENCE);
}

static int set_ixor(struct mp__managed *self, struct mp__call *call)
{
    return operate_here(self, call, "^=", MP__SET_SYMMETRIC_DIFFERENCE);
}

static int set_le(struct mp__managed *self, struct mp__call *call)
{
    return compare(self, call, "<=", MP__SET_SUBSET);
}

static int set_lt(struct mp__managed *self, struct mp__call *call)
{
    return compare(self, call, "<", MP__SET_PROPER_SUBSET);
}

static int set_ge(struct mp__managed *self, struct mp__call *call)
{
    return compare(self, call, ">=", MP__SET_SUPERSET);
}

static int set_gt(struct mp__managed *self, struct mp__call *call)
{
    return compare(self, call, ">", MP__SET_PROPER_SUPERSET);
}

/* ---- the type ----------------------------------------------------------------------------- */

static int set_create(struct mp__managed *self, struct mp__call *call)
{
    mp__table_begin(table_of(self), self->host, 1);
    int rc = mp__call_plain(call, 0, 1);
    if (rc == 0)
        rc = mp__set_change(table_of(self), call, MP__SET_UNION);
    if (rc != 0)
        mp__table_clear(table_of(self));
    return rc;
}

static void set_destroy(struct mp__managed *self)
{
    mp__table_clear(table_of(self));
}

static const struct mp__method methods[] = {
    {"__and__", set_and, NULL},
    {"__contains__", set_contains, NULL},
    {"__ge__", set_ge, NULL},
    {"__gt__", set_gt, NULL},
    {"__iand__", set_iand, NULL},
    {"__ior__", set_ior, NULL},
    {"__isub__", set_isub, NULL},
    {"__iter__", set_iter, "Iterator"},
    {"__ixor__", set_ixor, NULL},
    {"__le__", set_le, NULL},
    {"__len__", set_len, NULL},
    {"__lt__", set_lt, NULL},
    {"__or__", set_or, NULL},
    {"__rand__", set_rand, NULL},
    {"__ror__", set_ror, NULL},
    {"__rsub__", set_rsub, NULL},
    {"__rxor__", set_rxor, NULL},
    {"__sub__", set_sub, NULL},
    {"__xor__", set_xor, NULL},
    {"add", set_add, NULL},
    {"clear", set_clear, NULL},
    {"copy", set_copy, NULL},
    {"difference", set_difference, NULL},
    {"difference_update", set_difference_update, NULL},
    {"discard", set_discard, NULL},
    {"intersection", set_intersection, NULL},
    {"intersection_update", set_intersection_update, NULL},
    {"isdisjoint", set_isdisjoint, NULL},
    {"issubset", set_issubset, NULL},
    {"issuperset", set_issuperset, NULL},
    {"pop", set_pop, NULL},
    {"remove", set_remove, NULL},
    {"symmetric_difference", set_symmetric_difference, NULL},
    {"symmetric_difference_update", set_symmetric_difference_update, NULL},
    {"union", set_union, NULL},
    {"update", set_update, NULL},
    {NULL, NULL, NULL},
};

const struct mp__type mp__type_set = {
    .name = "set",
    .size = sizeof(struct set),
    .create = set_create,
    .destroy = set_destroy,
    .print = set_print,
    .getvalue = set_copy,
    .methods = methods,
};
