/* The managed Array: an array.array of numbers of one typecode.
 *
 * How it works
 *   The numbers lie one behind the other as C has them. A slice, and the whole, is sent as what a
 *   manager of Python's sends: a call of array.array with typecode and bytes, which a C client
 *   turns into a list (mp__typecode_list). Slices are set from such arrays of the same typecode, as
 *   in Python, and since C has none, from lists and tuples too, whose items are converted.
 *   New numbers are all converted before the first one is stored.
 */
#include "managers/containers.h"
#include "managers/iterable.h"
#include "managers/slice.h"
#include "managers/typecode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct array {
    struct mp__managed managed;
    const struct mp__typecode *code;
    unsigned char *bytes;
    size_t len; /* numbers */
};

static struct array *array_of(struct mp__managed *self)
{
    return (struct array *)self;
}

static unsigned char *place_at(const struct array *array, int64_t i)
{
    return array->bytes + i * array->code->size;
}

/* ---- numbers from outside ----------------------------------------------------------------- */

/* n numbers; the caller frees them. */
struct numbers {
    unsigned char *bytes;
    size_t len;
};

static int numbers_room(struct numbers *numbers, const struct mp__typecode *code, size_t n)
{
    size_t size;
    *numbers = (struct numbers){NULL, n};
    if (mp__size_mul(n, code->size, &size) && size < SIZE_MAX)
        numbers->bytes = malloc(size + 1);
    return numbers->bytes != NULL ? 0 : mp__fail(-ENOMEM);
}

static int numbers_of_bytes(struct numbers *numbers, const struct mp__typecode *code,
                            const mp_obj *bytes)
{
    if (bytes->len % code->size != 0)
        return mp__failf(MP_EINVAL, "bytes length not a multiple of item size");
    int rc = numbers_room(numbers, code, bytes->len / code->size);
    if (rc == 0 && bytes->len > 0)
        memcpy(numbers->bytes, bytes->bytes, bytes->len);
    return rc;
}

static int numbers_of_items(struct numbers *numbers, const struct mp__typecode *code,
                            struct mp__host *host, const mp_obj *from)
{
    struct mp__iterable it;
    int rc = mp__iterable_begin(&it, host, from);
    if (rc != 0)
        return rc;
    rc = numbers_room(numbers, code, it.len);
    for (size_t i = 0; i < it.len && rc == 0; i++)
        rc = mp__typecode_write(code, &it.items[i * it.stride], numbers->bytes + i * code->size);
    if (rc != 0)
        free(numbers->bytes);
    mp__iterable_end(&it);
    return rc;
}

/* What array(typecode, from) takes. */
static int numbers_of(struct numbers *numbers, const struct mp__typecode *code,
                      struct mp__host *host, const mp_obj *from)
{
    if (from->type == MP_TYPE_STR)
        return mp__failf(MP_ETYPE, "cannot use a str to initialize an array with typecode '%s'",
                         code->text);
    if (from->type == MP_TYPE_BYTES)
        return numbers_of_bytes(numbers, code, from);
    return numbers_of_items(numbers, code, host, from);
}

/* What array[slice] = from takes. */
static int numbers_of_array(struct numbers *numbers, const struct mp__typecode *code,
                            struct mp__host *host, const mp_obj *from)
{
    char room[64];
    const struct mp__typecode *of;
    const mp_obj *bytes;
    if (mp__typecode_array(from, &of, &bytes)) {
        if (of != code)
            return mp__failf(MP_ETYPE, "bad argument type for built-in operation");
        return numbers_of_bytes(numbers, code, bytes);
    }
    if (from->type == MP_TYPE_LIST || from->type == MP_TYPE_TUPLE)
        return numbers_of_items(numbers, code, host, from);
    return mp__failf(MP_ETYPE, "can only assign array (not \"%s\") to array slice",
                     mp__type_name(from, room));
}

/* ---- methods ------------------------------------------------------------------------------ */

static int array_len(struct mp__managed *self, struct mp__call *call)
{
    int rc = mp__call_plain(call, 0, 0);
    if (rc == 0)
        call->value = mp_obj_int((int64_t)array_of(self)->len);
    return rc;
}

static int place_of(const struct array *array, const mp_obj *index, const char *outside, size_t *at)
{
    int64_t i;
    if (mp__index_of(index, &i) != 0)
        return mp__failf(MP_ETYPE, "array indices must be integers");
    *at = mp__index_place(i, array->len);
    return *at != SIZE_MAX ? 0 : mp__failf(MP_EINDEX, "%s", outside);
}

/* Views of the bytes where they lie together. */
static int answer_slice(const struct array *array, struct mp__call *call,
                        const struct mp__slice *slice)
{
    enum { VIEWS = 6 };
    bool is_together = slice->step == 1 || slice->len < 2;
    const size_t size = array->code->size, n = slice->len * size;
    mp_obj *room = mp__answer_room(call, VIEWS + (is_together ? 0 : n / sizeof(mp_obj) + 1));
    if (room == NULL)
        return -ENOMEM;
    const unsigned char *bytes = slice->len > 0 ? place_at(array, slice->start) : NULL;
    if (!is_together) {
        unsigned char *copy = (unsigned char *)(room + VIEWS);
        for (size_t i = 0; i < slice->len; i++)
            memcpy(copy + i * size, place_at(array, slice->start + (int64_t)i * slice->step), size);
        bytes = copy;
    }
    room[MP__OPAQUE_MODULE] = mp_obj_str("array");
    room[MP__OPAQUE_NAME] = mp_obj_str("array");
    room[MP__OPAQUE_ARGS] = mp_obj_tuple(room + 4, 2);
    room[MP__OPAQUE_STATE] = mp_obj_none();
    room[4] = mp_obj_str(array->code->text);
    room[5] = mp_obj_bytes(bytes, n);
    call->value = mp__obj_opaque(room, false);
    return 0;
}

static int array_getitem(struct mp__managed *self, struct mp__call *call)
{
    const struct array *array = array_of(self);
    const mp_obj *index = call->args.items;
    struct mp__slice slice;
    size_t at;
    int rc = mp__call_plain(call, 1, 1);
    if (rc == 0 && mp__is_slice(index)) {
        rc = mp__slice_of(index, array->len, &slice);
        return rc == 0 ? answer_slice(array, call, &slice) : rc;
    }
    if (rc == 0)
        rc = place_of(array, index, "array index out of range", &at);
    if (rc == 0)
        call->value = mp__typecode_read(array->code, place_at(array, (int64_t)at));
    return rc;
}

/* Numbers that lie together for others, of which there may be more or less. */
static int replace(struct array *array, size_t at, size_t old, const struct numbers *new)
{
    const size_t size = array->code->size, rest = array->len - at - old;
    size_t len, room;
    if (!mp__size_add(at + rest, new->len, &len) || !mp__size_mul(len, size, &room))
        return mp__fail(-ENOMEM);
    if (len > array->len) {
        unsigned char *bytes = realloc(array->bytes, room);
        if (bytes == NULL)
            return mp__fail(-ENOMEM);
        array->bytes = bytes;
    }
    unsigned char *place = array->bytes + at * size;
    const size_t added = size * new->len;
    memmove(place + added, place + size * old, size * rest);
    memcpy(place, new->bytes, added);
    array->len = len;
    return 0;
}

/* As Python has it for arrays, not for lists: nothing in the place of an extended slice. */
static void delete_extended(struct array *array, const struct mp__slice *slice)
{
    const size_t size = array->code->size;
    const int64_t step = slice->step < 0 ? -slice->step : slice->step;
    const int64_t last = slice->start + (int64_t)(slice->len - 1) * slice->step;
    const size_t first = (size_t)(slice->step < 0 ? last : slice->start);
    size_t to = first;
    for (size_t i = 0; i < slice->len; i++) {
        size_t from = first + i * (size_t)step + 1;
        size_t stay = i + 1 < slice->len ? (size_t)step - 1 : array->len - from;
        memmove(array->bytes + size * to, array->bytes + size * from, size * stay);
        to += stay;
    }
    array->len = to;
}

static int set_extended(struct array *array, const struct mp__slice *slice,
                        const struct numbers *new)
{
    const size_t size = array->code->size;
    if (new->len == 0 && slice->len > 0)
        delete_extended(array, slice);
    if (new->len == 0)
        return 0;
    if (new->len != slice->len)
        return mp__failf(MP_EINVAL,
                         "attempt to assign array of size %zu to extended slice of size %zu",
                         new->len, slice->len);
    for (size_t i = 0; i < new->len; i++)
        memcpy(place_at(array, slice->start + (int64_t)i * slice->step), new->bytes + i *size,
               size);
    return 0;
}

static int set_slice(struct array *array, const mp_obj *index, const mp_obj *from)
{
    struct mp__slice slice;
    struct numbers new;
    int rc = mp__slice_of(index, array->len, &slice);
    if (rc == 0)
        rc = numbers_of_array(&new, array->code, array->managed.host, from);
    if (rc != 0)
        return rc;
    if (slice.step == 1)
        rc = replace(array, (size_t)slice.start, slice.len, &new);
    else
        rc = set_extended(array, &slice, &new);
    free(new.bytes);
    return rc;
}

static int array_setitem(struct mp__managed *self, struct mp__call *call)
{
    struct array *array = array_of(self);
    const mp_obj *args = call->args.items;
    size_t at;
    int rc = mp__call_plain(call, 2, 2);
    if (rc == 0 && mp__is_slice(&args[0]))
        return set_slice(array, &args[0], &args[1]);
    if (rc == 0)
        rc = place_of(array, &args[0], "array assignment index out of range", &at);
    return rc == 0 ? mp__typecode_write(array->code, &args[1], place_at(array, (int64_t)at)) : rc;
}

static int array_print(struct mp__managed *self, struct mp__call *call)
{
    const struct array *array = array_of(self);
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        return mp__fail(-ENOMEM);
    fprintf(out, "array('%s'", array->code->text);
    for (size_t i = 0; i < array->len; i++) {
        mp_obj number = mp__typecode_read(array->code, place_at(array, (int64_t)i));
        fputs(i > 0 ? ", " : ", [", out);
        mp__obj_repr_to(out, &number);
    }
    fputs(array->len > 0 ? "])" : ")", out);
    return mp__answer_stream(call, out, &text);
}

static int array_getvalue(struct mp__managed *self, struct mp__call *call)
{
    const struct mp__slice all = {0, 1, array_of(self)->len};
    return answer_slice(array_of(self), call, &all);
}

/* ---- the type ----------------------------------------------------------------------------- */

/* Array(typecode, sequence, lock=True) */
static int array_create(struct mp__managed *self, struct mp__call *call)
{
    static const char *const names[] = {"typecode", "sequence", "lock"};
    struct array *array = array_of(self);
    struct numbers numbers;
    char room[64];
    int rc = mp__call_takes(call, names, 2, 3);
    if (rc != 0)
        return rc;
    const mp_obj *text = mp__call_argument(call, 0, names[0]);
    if (text->type != MP_TYPE_STR)
        return mp__failf(MP_ETYPE, "array() argument 1 must be a unicode character, not %s",
                         mp__type_name(text, room));
    array->code = mp__typecode_find(text);
    if (array->code == NULL)
        return mp__failf(MP_EINVAL, "bad typecode (must be b, B, h, H, i, I, l, L, q, Q, f or d)");
    rc = numbers_of(&numbers, array->code, self->host, mp__call_argument(call, 1, names[1]));
    if (rc != 0)
        return rc;
    array->bytes = numbers.bytes;
    array->len = numbers.len;
    return 0;
}

static void array_destroy(struct mp__managed *self)
{
    free(array_of(self)->bytes);
}

const struct mp__type mp__type_array = {
    .name = "Array",
    .size = sizeof(struct array),
    .create = array_create,
    .destroy = array_destroy,
    .print = array_print,
    .getvalue = array_getvalue,
    .methods = (const struct mp__method[]){{"__len__", array_len, NULL},
                                           {"__getitem__", array_getitem, NULL},
                                           {"__setitem__", array_setitem, NULL},
                                           {NULL, NULL, NULL}},
};
