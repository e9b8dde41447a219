/* Arguments that are an index or a slice.
 *
 * How it works
 *   A slice comes from Python as a call of slice(start, stop, step). A bound that is negative
 *   counts from the end, and one beyond either end is cut to it: for a step backwards the ends
 *   are n - 1 and -1, the place before the first. None is the end where the way begins or leads.
 */
#include "managers/slice.h"

#include "managers/iterable.h"

bool mp__is_slice(const mp_obj *o)
{
    return mp__opaque_calls(o, "builtins", "slice") && o->items[MP__OPAQUE_ARGS].len == 3;
}

static bool is_int(const mp_obj *o)
{
    return o->type == MP_TYPE_INT || o->type == MP_TYPE_BOOL;
}

static int64_t int_of(const mp_obj *o)
{
    return o->type == MP_TYPE_BOOL ? o->b : o->i;
}

/* A bound within least..most, or what stands for None. */
static int64_t bound_of(const mp_obj *o, int64_t n, int64_t least, int64_t most, int64_t none)
{
    if (o->type == MP_TYPE_NONE)
        return none;
    int64_t i = int_of(o);
    if (i < 0)
        i += n; /* cannot overflow: the two have different signs */
    return i < least ? least : i > most ? most : i;
}

int mp__slice_of(const mp_obj *o, size_t n, struct mp__slice *slice)
{
    const mp_obj *args = o->items[MP__OPAQUE_ARGS].items;
    if (is_int(&args[2]) && int_of(&args[2]) == 0)
        return mp__failf(MP_EINVAL, "slice step cannot be zero");
    for (int i = 0; i < 3; i++)
        if (args[i].type != MP_TYPE_NONE && !is_int(&args[i]))
            return mp__failf(MP_ETYPE, "slice indices must be integers or None or have an "
                                       "__index__ method");
    int64_t step = args[2].type == MP_TYPE_NONE ? 1 : int_of(&args[2]), len = (int64_t)n;
    if (step < -INT64_MAX)
        step = -INT64_MAX;
    int64_t least = step < 0 ? -1 : 0, most = step < 0 ? len - 1 : len;
    int64_t start = bound_of(&args[0], len, least, most, step < 0 ? most : least);
    int64_t stop = bound_of(&args[1], len, least, most, step < 0 ? least : most);
    *slice = (struct mp__slice){start, step, 0};
    if (step > 0 && start < stop)
        slice->len = (size_t)((stop - start - 1) / step + 1);
    else if (step < 0 && start > stop)
        slice->len = (size_t)((start - stop - 1) / -step + 1);
    return 0;
}

int mp__index_of(const mp_obj *o, int64_t *i)
{
    char room[64];
    if (!is_int(o))
        return mp__failf(MP_ETYPE, "'%s' object cannot be interpreted as an integer",
                         mp__type_name(o, room));
    *i = int_of(o);
    return 0;
}

size_t mp__index_place(int64_t i, size_t n)
{
    if (i < 0)
        i += (int64_t)n;
    return i >= 0 && (uint64_t)i < n ? (size_t)i : SIZE_MAX;
}

size_t mp__index_bound(int64_t i, size_t n)
{
    if (i < 0)
        i += (int64_t)n;
    return i < 0 ? 0 : (uint64_t)i > n ? n : (size_t)i;
}
