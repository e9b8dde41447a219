/* How to look into objects: items, keys, numbers and texts, and all of a tuple at once. */
#include "wire/objects.h"

#include <limits.h>
#include <stdarg.h>
#include <string.h>

static const char *type_name(const mp_obj *o)
{
    static const char *const names[] = {"None",      "bool",  "int",   "float", "str",
                                        "bytes",     "list",  "tuple", "dict",  "set",
                                        "frozenset", "proxy", "handle"};
    return o->type <= MP_TYPE_HANDLE    ? names[o->type]
           : o->type == MP__TYPE_POISON ? "int"
                                        : "object";
}

const mp_obj *mp_obj_item(mp_obj o, size_t i)
{
    if (!mp__type_is_container(o.type) || o.type == MP_TYPE_PROXY || i >= mp__obj_items(&o))
        return NULL;
    return &o.items[i];
}

const mp_obj *mp_obj_lookup(mp_obj dict, mp_obj key)
{
    if (dict.type != MP_TYPE_DICT)
        return NULL;
    for (size_t i = dict.len; i-- > 0;)
        if (mp_obj_equal(dict.items[2 * i], key))
            return &dict.items[2 * i + 1];
    return NULL;
}

static int not_a(const char *wanted, const mp_obj *o)
{
    return mp__failf(MP_ETYPE, "%s where %s was expected", type_name(o), wanted);
}

static int int_of(const mp_obj *o, int64_t least, int64_t most, int64_t *i)
{
    if (o->type != MP_TYPE_INT && o->type != MP_TYPE_BOOL && o->type != MP__TYPE_POISON)
        return not_a("int", o);
    int64_t value = o->type == MP_TYPE_BOOL ? o->b : o->i;
    if (o->type == MP__TYPE_POISON || value < least || value > most)
        return mp__failf(MP_EOVERFLOW, "the int does not fit its type in C");
    *i = value;
    return 0;
}

int mp_obj_as_int(mp_obj o, int64_t *i)
{
    int64_t value = 0;
    int rc = int_of(&o, INT64_MIN, INT64_MAX, &value);
    if (rc == 0 && i != NULL)
        *i = value;
    return rc;
}

int mp_obj_as_float(mp_obj o, double *f)
{
    double value = 0;
    if (o.type == MP_TYPE_FLOAT)
        value = o.f;
    else if (o.type == MP_TYPE_INT)
        value = (double)o.i;
    else if (o.type == MP_TYPE_BOOL)
        value = o.b;
    else if (o.type == MP__TYPE_POISON)
        value = (double)(uint64_t)o.i;
    else
        return not_a("float", &o);
    if (f != NULL)
        *f = value;
    return 0;
}

int mp_obj_as_str(mp_obj o, const char **s, size_t *n)
{
    if (o.type != MP_TYPE_STR)
        return not_a("str", &o);
    if (s != NULL)
        *s = o.s;
    if (n != NULL)
        *n = o.len;
    return 0;
}

int mp_obj_as_bool(mp_obj o, bool *b)
{
    if (o.type != MP_TYPE_BOOL)
        return not_a("bool", &o);
    if (b != NULL)
        *b = o.b;
    return 0;
}

/* ---- unpack ------------------------------------------------------------------------------- */

/* Whether the object suits the letter. */
static int letter_check(char letter, const mp_obj *o)
{
    int64_t i;
    switch (letter) {
    case 'i':
        return int_of(o, INT_MIN, INT_MAX, &i);
    case 'q':
        return int_of(o, INT64_MIN, INT64_MAX, &i);
    case 'd':
        return mp_obj_as_float(*o, NULL);
    case 'b':
        return mp_obj_as_bool(*o, NULL);
    case 's':
        if (o->type == MP_TYPE_STR && o->len > 0 && memchr(o->s, '\0', o->len) != NULL)
            return mp__failf(MP_EINVAL, "there is a NUL within the str");
        return mp_obj_as_str(*o, NULL, NULL);
    case 'y':
        return o->type == MP_TYPE_BYTES ? 0 : not_a("bytes", o);
    case 'O':
        return 0;
    default:
        return mp__failf(MP_EINVAL, "mp_obj_unpack: unknown letter '%c'", letter);
    }
}

static void int_store(int *to, const mp_obj *o)
{
    if (to != NULL)
        *to = o->type == MP_TYPE_BOOL ? o->b : (int)o->i;
}

static void bytes_store(const void **to, size_t *n, const mp_obj *o)
{
    if (to != NULL)
        *to = o->bytes;
    if (n != NULL)
        *n = o->len;
}

static void view_store(mp_obj *to, const mp_obj *o)
{
    if (to != NULL)
        *to = mp_obj_view(*o);
}

/* After all were checked: the pointers in the order of the letters. */
static void letters_store(const char *format, const mp_obj *items, va_list args)
{
    for (size_t i = 0; format[i] != '\0'; i++) {
        const mp_obj *o = &items[i];
        if (format[i] == 'i') {
            int_store(va_arg(args, int *), o);
        } else if (format[i] == 'q') {
            (void)mp_obj_as_int(*o, va_arg(args, int64_t *));
        } else if (format[i] == 'd') {
            (void)mp_obj_as_float(*o, va_arg(args, double *));
        } else if (format[i] == 'b') {
            (void)mp_obj_as_bool(*o, va_arg(args, bool *));
        } else if (format[i] == 's') {
            (void)mp_obj_as_str(*o, va_arg(args, const char **), NULL);
        } else if (format[i] == 'y') {
            const void **bytes = va_arg(args, const void **);
            bytes_store(bytes, va_arg(args, size_t *), o);
        } else {
            view_store(va_arg(args, mp_obj *), o);
        }
    }
}

int mp_obj_unpack(mp_obj o, const char *format, ...)
{
    if (format == NULL)
        return mp__fail(MP_EINVAL);
    bool many = o.type == MP_TYPE_TUPLE || o.type == MP_TYPE_LIST;
    const mp_obj *items = many ? o.items : &o;
    size_t n = many ? o.len : 1;
    if (strlen(format) != n)
        return mp__failf(MP_EINVAL, "%zu values where %zu were expected", n, strlen(format));
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = letter_check(format[i], &items[i]);
    if (rc != 0)
        return rc;
    va_list args;
    va_start(args, format);
    letters_store(format, items, args);
    va_end(args);
    return 0;
}
