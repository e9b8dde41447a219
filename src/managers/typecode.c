/* The typecodes of array.array: how a number lies in memory, and which numbers fit.
 *
 * How it works
 *   Numbers lie as C has them here, which is what Python's array gives as bytes. An int is
 *   checked against the range of its typecode before it is stored; 'b' and 'H' are stored by
 *   way of a wider type in CPython, whose name the message then has. A float is cut to its size.
 */
#include "managers/typecode.h"

#include "managers/iterable.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define NO_MORE "Python int too large to convert to C long"
#define NEGATIVE "can't convert negative value to unsigned int"

static const struct mp__typecode codes[] = {
    {"b", 1, SCHAR_MIN, SCHAR_MAX, "signed char is less than minimum",
     "signed char is greater than maximum"},
    {"B", 1, 0, UCHAR_MAX, "unsigned byte integer is less than minimum",
     "unsigned byte integer is greater than maximum"},
    {"h", sizeof(short), SHRT_MIN, SHRT_MAX, "signed short integer is less than minimum",
     "signed short integer is greater than maximum"},
    {"H", sizeof(short), 0, USHRT_MAX, "unsigned short is less than minimum",
     "unsigned short is greater than maximum"},
    {"i", sizeof(int), INT_MIN, INT_MAX, "signed integer is less than minimum",
     "signed integer is greater than maximum"},
    {"I", sizeof(int), 0, UINT_MAX, NEGATIVE, "unsigned int is greater than maximum"},
    {"l", sizeof(long), LONG_MIN, LONG_MAX, NO_MORE, NO_MORE},
    {"L", sizeof(long), 0, ULONG_MAX < INT64_MAX ? (int64_t)ULONG_MAX : INT64_MAX, NEGATIVE,
     "Python int too large to convert to C unsigned long"},
    {"q", 8, INT64_MIN, INT64_MAX, "int too big to convert", "int too big to convert"},
    {"Q", 8, 0, INT64_MAX, "can't convert negative int to unsigned", "int too big to convert"},
    {"f", sizeof(float), 0, 0, NULL, NULL},
    {"d", sizeof(double), 0, 0, NULL, NULL},
};

static bool is_float(const struct mp__typecode *code)
{
    return code->below == NULL;
}

static bool is_signed(const struct mp__typecode *code)
{
    return code->least < 0;
}

const struct mp__typecode *mp__typecode_find(const mp_obj *text)
{
    if (text->type != MP_TYPE_STR || text->len != 1)
        return NULL;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (codes[i].text[0] == text->s[0])
            return &codes[i];
    return NULL;
}

static mp_obj float_read(size_t size, const void *at)
{
    float f;
    double d;
    if (size == sizeof d) {
        memcpy(&d, at, sizeof d);
        return mp_obj_float(d);
    }
    memcpy(&f, at, sizeof f);
    return mp_obj_float((double)f);
}

#define READ(type)                          \
    {                                       \
        type number;                        \
        memcpy(&number, at, sizeof number); \
        return mp_obj_int(number);          \
    }

mp_obj mp__typecode_read(const struct mp__typecode *code, const void *at)
{
    if (is_float(code))
        return float_read(code->size, at);
    switch (is_signed(code) ? -code->size : code->size) {
    case -1:
        READ(int8_t)
    case 1:
        READ(uint8_t)
    case -2:
        READ(int16_t)
    case 2:
        READ(uint16_t)
    case -4:
        READ(int32_t)
    case 4:
        READ(uint32_t)
    case -8:
        READ(int64_t)
    default:
        break;
    }
    uint64_t number;
    memcpy(&number, at, sizeof number);
    return mp_obj_uint_(number);
}

static int float_write(const struct mp__typecode *code, const mp_obj *value, void *at)
{
    char room[64];
    double d;
    if (mp_obj_as_float(*value, &d) != 0)
        return mp__failf(MP_ETYPE, "must be real number, not %s", mp__type_name(value, room));
    float f = (float)d;
    memcpy(at, code->size == sizeof d ? (void *)&d : (void *)&f, code->size);
    return 0;
}

/* CPython reads these two as a wider type first. */
static const struct mp__typecode *wider(const struct mp__typecode *code)
{
    const mp_obj to = mp_obj_str(code->text[0] == 'b' ? "h" : "i");
    return code->text[0] == 'b' || code->text[0] == 'H' ? mp__typecode_find(&to) : code;
}

static int int_write(const struct mp__typecode *code, int64_t i, void *at)
{
    const struct mp__typecode *first = wider(code);
    const struct mp__typecode *refuses = i < first->least || i > first->most ? first : code;
    if (i < code->least)
        return mp__failf(MP_EOVERFLOW, "%s", refuses->below);
    if (i > code->most)
        return mp__failf(MP_EOVERFLOW, "%s", refuses->above);
    int8_t i8 = (int8_t)i;
    int16_t i16 = (int16_t)i;
    int32_t i32 = (int32_t)i;
    memcpy(at,
           code->size == 1   ? (void *)&i8
           : code->size == 2 ? (void *)&i16
           : code->size == 4 ? (void *)&i32
                             : (void *)&i,
           code->size);
    return 0;
}

int mp__typecode_write(const struct mp__typecode *code, const mp_obj *value, void *at)
{
    char room[64];
    if (is_float(code))
        return float_write(code, value, at);
    if (value->type == MP__TYPE_POISON && code->text[0] == 'Q') {
        memcpy(at, &value->i, code->size);
        return 0;
    }
    if (value->type == MP__TYPE_POISON)
        return mp__failf(MP_EOVERFLOW, "%s", code->above);
    if (value->type != MP_TYPE_INT && value->type != MP_TYPE_BOOL)
        return mp__failf(MP_ETYPE, "'%s' object cannot be interpreted as an integer",
                         mp__type_name(value, room));
    return int_write(code, value->type == MP_TYPE_BOOL ? value->b : value->i, at);
}

bool mp__typecode_array(const mp_obj *o, const struct mp__typecode **code, const mp_obj **bytes)
{
    if (!mp__opaque_calls(o, "array", "array"))
        return false;
    const mp_obj *args = &o->items[MP__OPAQUE_ARGS];
    if (args->len != 2 || args->items[1].type != MP_TYPE_BYTES)
        return false;
    *code = mp__typecode_find(&args->items[0]);
    *bytes = &args->items[1];
    return *code != NULL && (*bytes)->len % (*code)->size == 0;
}

int mp__typecode_list(const mp_obj *array, mp_obj *list)
{
    const struct mp__typecode *code;
    const mp_obj *bytes;
    if (!mp__typecode_array(array, &code, &bytes))
        return mp__failf(MP_ETYPE, "no array.array");
    size_t n = bytes->len / code->size;
    mp_obj *items = n > 0 ? calloc(n, sizeof *items) : NULL;
    if (n > 0 && items == NULL)
        return mp__fail(-ENOMEM);
    for (size_t i = 0; i < n; i++)
        items[i] = mp__typecode_read(code, bytes->bytes + i * code->size);
    *list = (mp_obj){.type = MP_TYPE_LIST, .owned = 1, .len = n, .items = items};
    return 0;
}
