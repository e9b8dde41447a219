/* Python's < between objects, and the sort that stands on it.
 *
 * How it works
 *   An int and a float are compared exactly: first by whole numbers, then by what the float has
 *   beyond its own. UTF-8 sorts as the code points in it do, so a str is compared as bytes are.
 *   Sequences go to their first difference by ==, and only that pair is compared by <.
 *   Sorting is by merging: runs of one item, two, four and so on from one array into another and
 *   back, both beside the items themselves, which are replaced at the end. Two runs that stand in
 *   order already cost one comparison.
 */
#include "managers/order.h"

#include "managers/iterable.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_number(const mp_obj *o)
{
    return o->type >= MP_TYPE_BOOL && o->type <= MP_TYPE_FLOAT;
}

static bool is_set(const mp_obj *o)
{
    return o->type == MP_TYPE_SET || o->type == MP_TYPE_FROZENSET;
}

static int64_t whole(const mp_obj *o)
{
    return o->type == MP_TYPE_BOOL ? o->b : o->i;
}

#define TWO_63 9223372036854775808.0

/* -1, 0 or 1 as the int is less, equal or more; the float is no NaN. */
static int int_against_float(int64_t i, double f)
{
    if (f >= TWO_63)
        return -1;
    if (f < -TWO_63)
        return 1;
    int64_t floor = (int64_t)f;
    if (i != floor)
        return i < floor ? -1 : 1;
    double rest = f - (double)floor;
    return rest > 0 ? -1 : rest < 0;
}

static bool number_less(const mp_obj *a, const mp_obj *b)
{
    bool float_a = a->type == MP_TYPE_FLOAT, float_b = b->type == MP_TYPE_FLOAT;
    if (float_a && float_b)
        return a->f < b->f;
    if (float_a)
        return a->f == a->f && int_against_float(whole(b), a->f) > 0;
    if (float_b)
        return b->f == b->f && int_against_float(whole(a), b->f) < 0;
    return whole(a) < whole(b);
}

static bool text_less(const mp_obj *a, const mp_obj *b)
{
    size_t n = a->len < b->len ? a->len : b->len;
    int order = n > 0 ? memcmp(a->s, b->s, n) : 0;
    return order != 0 ? order < 0 : a->len < b->len;
}

static int sequence_less(const mp_obj *a, const mp_obj *b, bool *less)
{
    size_t i = 0;
    while (i < a->len && i < b->len && mp_obj_equal(a->items[i], b->items[i]))
        i++;
    if (i < a->len && i < b->len)
        return mp__obj_less(&a->items[i], &b->items[i], less);
    *less = a->len < b->len;
    return 0;
}

/* Adds what is no copy of another; the number of items found in `of`. */
static int index_fill(struct mp__index *index, const mp_obj *o, const struct mp__index *of,
                      size_t *found)
{
    int rc = mp__index_begin(index, o->items, 1, o->len);
    for (size_t i = 0; i < o->len && rc == 0; i++) {
        uint64_t hash;
        rc = mp__obj_hash(&o->items[i], &hash);
        bool is_new = rc == 0 && mp__index_add(index, i, hash) == i;
        if (is_new && hash != 0 && of != NULL && mp__index_find(of, &o->items[i], hash) != SIZE_MAX)
            ++*found;
        if (is_new && hash == 0)
            *found = SIZE_MAX / 2; /* equals nothing, so it is in no other set */
    }
    return rc;
}

/* Each item of `a` is in `b`, which has more. */
static int set_less(const mp_obj *a, const mp_obj *b, bool *less)
{
    struct mp__index of_a, of_b;
    size_t unused = 0, found = 0;
    int rc = index_fill(&of_b, b, NULL, &unused);
    if (rc == 0) {
        rc = index_fill(&of_a, a, &of_b, &found);
        *less = found == of_a.used && (of_b.used > of_a.used || unused > 0);
        mp__index_end(&of_a);
    }
    mp__index_end(&of_b);
    return rc == 0 ? 0 : mp__fail(rc);
}

int mp__obj_less(const mp_obj *a, const mp_obj *b, bool *less)
{
    char room_a[64], room_b[64];
    if (is_number(a) && is_number(b))
        *less = number_less(a, b);
    else if (is_set(a) && is_set(b))
        return set_less(a, b, less);
    else if (a->type == b->type && (a->type == MP_TYPE_STR || a->type == MP_TYPE_BYTES))
        *less = text_less(a, b);
    else if (a->type == b->type && (a->type == MP_TYPE_LIST || a->type == MP_TYPE_TUPLE))
        return sequence_less(a, b, less);
    else
        return mp__failf(MP_ETYPE, "'<' not supported between instances of '%s' and '%s'",
                         mp__type_name(a, room_a), mp__type_name(b, room_b));
    return 0;
}

/* ---- sorting ------------------------------------------------------------------------------ */

struct merge {
    const mp_obj *from;
    mp_obj *to;
    bool reverse;
};

/* Whether the item of the right run comes first: not if the two are equal. */
static int right_first(const struct merge *m, size_t left, size_t right, bool *first)
{
    if (m->reverse)
        return mp__obj_less(&m->from[left], &m->from[right], first);
    return mp__obj_less(&m->from[right], &m->from[left], first);
}

static int runs_merge(const struct merge *m, size_t left, size_t middle, size_t end)
{
    bool first = false;
    size_t to = left, right = middle;
    int rc = right < end ? right_first(m, middle - 1, middle, &first) : 0;
    if (rc == 0 && !first) {
        memcpy(&m->to[left], &m->from[left], (end - left) * sizeof(mp_obj));
        return 0;
    }
    while (rc == 0 && left < middle && right < end) {
        rc = right_first(m, left, right, &first);
        m->to[to++] = m->from[first ? right++ : left++];
    }
    memcpy(&m->to[to], &m->from[left], (middle - left) * sizeof(mp_obj));
    memcpy(&m->to[to + (middle - left)], &m->from[right], (end - right) * sizeof(mp_obj));
    return rc;
}

int mp__obj_sort(mp_obj *items, size_t n, bool reverse)
{
    mp_obj *two = n > 1 ? calloc(n, 2 * sizeof *two) : NULL;
    if (n < 2)
        return 0;
    if (two == NULL)
        return mp__fail(-ENOMEM);
    memcpy(two, items, n * sizeof *items);
    struct merge m = {two, two + n, reverse};
    int rc = 0;
    for (size_t run = 1; run < n && rc == 0; run *= 2) {
        for (size_t at = 0; at < n && rc == 0; at += 2 * run) {
            size_t middle = n - at > run ? at + run : n;
            rc = runs_merge(&m, at, middle, n - middle > run ? middle + run : n);
        }
        m = (struct merge){m.to, m.to == two ? two + n : two, reverse};
    }
    if (rc == 0)
        memcpy(items, m.from, n * sizeof *items);
    free(two);
    return rc;
}
