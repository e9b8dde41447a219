/* Pickles of protocol 0 to 5 into objects: the opcodes, one function each. See reader.h.
 *
 * How it works
 *   A table has one function per opcode; what is not in it is refused. Every function first takes
 *   the bytes that its opcode announces, by calls that look at what is left, so an announced size
 *   never becomes an allocation. Nothing is called, imported or looked up by a name.
 */
#include "wire/objects.h"

#include "wire/opcodes.h"
#include "wire/reader.h"

#include <string.h>

/* ---- bytes -------------------------------------------------------------------------------- */

static int take_number(struct mp__reader *r, unsigned bytes, uint64_t *number)
{
    const uint8_t *p;
    int rc = mp__reader_take(r, bytes, &p);
    *number = 0;
    for (unsigned i = bytes; i-- > 0 && rc == 0;)
        *number = *number << 8 | p[i];
    return rc;
}

/* A length in so many bytes and then the bytes. */
static int take_counted(struct mp__reader *r, unsigned bytes, const uint8_t **p, size_t *n)
{
    uint64_t length;
    int rc = take_number(r, bytes, &length);
    if (rc != 0)
        return rc;
    if (length > (size_t)(r->end - r->p))
        return mp__broken("cut short: %llu bytes announced, %zu left", (unsigned long long)length,
                          (size_t)(r->end - r->p));
    *n = (size_t)length;
    return mp__reader_take(r, *n, p);
}

/* ---- operations: values ------------------------------------------------------------------- */

static int read_proto(struct mp__reader *r, uint8_t op)
{
    const uint8_t *protocol;
    int rc = mp__reader_take(r, 1, &protocol);
    (void)op;
    if (rc == 0 && *protocol > MP__PROTOCOL_MOST)
        rc = mp__broken("protocol %d is not known", *protocol);
    return rc;
}

static int read_frame(struct mp__reader *r, uint8_t op)
{
    const uint8_t *size;
    (void)op;
    return mp__reader_take(r, 8, &size);
}

static int read_constant(struct mp__reader *r, uint8_t op)
{
    if (op == MP__OP_NONE)
        return mp__reader_push(r, mp_obj_none());
    return mp__reader_push(r, mp_obj_bool(op == MP__OP_NEWTRUE));
}

static bool is_short_int(uint8_t op)
{
    return op == MP__OP_BININT1 || op == MP__OP_BININT2 || op == MP__OP_BININT;
}

static inline int read_int(struct mp__reader *r, uint8_t op)
{
    size_t n = op == MP__OP_BININT1 ? 1 : op == MP__OP_BININT2 ? 2 : 4;
    const uint8_t *p = r->p;
    if ((size_t)(r->end - p) < n)
        return mp__broken("cut short within an int");
    r->p += n;
    if (n == 1)
        return mp__reader_push(r, mp_obj_int(p[0]));
    int64_t i = p[0] | p[1] << 8;
    if (n == 4)
        i |= (int64_t)p[2] << 16 | (int64_t)p[3] << 24;
    return mp__reader_push(r, mp_obj_int(i > INT32_MAX ? i - (INT64_C(1) << 32) : i));
}

/* And all that follow it: most of a long list. */
static int read_ints(struct mp__reader *r, uint8_t op)
{
    int rc = read_int(r, op);
    while (rc == 0 && r->p < r->end && is_short_int(*r->p)) {
        op = *r->p++;
        rc = read_int(r, op);
    }
    return rc;
}

static int read_long(struct mp__reader *r, uint8_t op)
{
    const uint8_t *p;
    size_t n;
    int rc = take_counted(r, op == MP__OP_LONG1 ? 1 : 4, &p, &n);
    if (rc != 0)
        return rc;
    uint8_t sign = n > 0 && p[n - 1] >= 0x80 ? 0xff : 0;
    uint64_t u = sign ? UINT64_MAX : 0;
    for (size_t i = n < 8 ? n : 8; i-- > 0;)
        u = u << 8 | p[i];
    bool fits = n < 8 || (u >> 63 != 0) == (sign != 0);
    for (size_t i = 8; i < n && fits; i++)
        fits = p[i] == sign;
    if (!fits)
        return mp__failf(MP_EOVERFLOW, "an int of %zu bytes", n);
    int64_t value;
    memcpy(&value, &u, sizeof value);
    return mp__reader_push(r, mp_obj_int(value));
}

static int read_float(struct mp__reader *r, uint8_t op)
{
    const uint8_t *p;
    int rc = mp__reader_take(r, 8, &p);
    (void)op;
    if (rc != 0)
        return rc;
    uint64_t bits = 0;
    double f;
    for (int i = 0; i < 8; i++)
        bits = bits << 8 | p[i];
    memcpy(&f, &bits, sizeof f);
    return mp__reader_push(r, mp_obj_float(f));
}

static int read_text(struct mp__reader *r, uint8_t op)
{
    const uint8_t *p;
    size_t n;
    mp_obj o;
    bool is_str =
        op == MP__OP_SHORT_BINUNICODE || op == MP__OP_BINUNICODE || op == MP__OP_BINUNICODE8;
    unsigned bytes = op == MP__OP_SHORT_BINUNICODE || op == MP__OP_SHORT_BINBYTES ? 1
                     : op == MP__OP_BINUNICODE || op == MP__OP_BINBYTES           ? 4
                                                                                  : 8;
    int rc = take_counted(r, bytes, &p, &n);
    if (rc == 0)
        rc = mp__reader_text(r, is_str ? MP_TYPE_STR : MP_TYPE_BYTES, p, n, &o);
    return rc == 0 ? mp__reader_push(r, o) : rc;
}

static int read_handle(struct mp__reader *r, uint8_t op)
{
    if ((r->flags & MP__PICKLE_HANDLES) == 0)
        return mp__broken("opcode 0x%02x is not known", op);
    uint64_t address = 0, arena = 0, serial = 0;
    int rc = take_number(r, 8, &address);
    if (rc == 0)
        rc = take_number(r, 8, &arena);
    if (rc == 0)
        rc = take_number(r, 4, &serial);
    if (rc != 0)
        return rc;
    return mp__reader_push(
        r, mp__obj_of_handle((struct mp__handle){address, arena, (uint32_t)serial}));
}

/* ---- operations: containers --------------------------------------------------------------- */

static int push_vessel(struct mp__reader *r, unsigned type, const mp_obj *items, size_t n)
{
    mp_obj o;
    int rc = mp__vessel_make(r, type, items, n, &o);
    return rc == 0 ? mp__reader_push(r, o) : rc;
}

static int read_empty(struct mp__reader *r, uint8_t op)
{
    unsigned type = op == MP__OP_EMPTY_LIST    ? MP_TYPE_LIST
                    : op == MP__OP_EMPTY_TUPLE ? MP_TYPE_TUPLE
                    : op == MP__OP_EMPTY_DICT  ? MP_TYPE_DICT
                                               : MP_TYPE_SET;
    return push_vessel(r, type, NULL, 0);
}

static int read_short_tuple(struct mp__reader *r, uint8_t op)
{
    mp_obj *values;
    size_t n = 1 + (size_t)(op - MP__OP_TUPLE1);
    int rc = mp__reader_pop(r, n, &values);
    return rc == 0 ? push_vessel(r, MP_TYPE_TUPLE, values, n) : rc;
}

static int read_marked(struct mp__reader *r, uint8_t op)
{
    mp_obj *values;
    size_t n;
    unsigned type = op == MP__OP_TUPLE  ? MP_TYPE_TUPLE
                    : op == MP__OP_LIST ? MP_TYPE_LIST
                    : op == MP__OP_DICT ? MP_TYPE_DICT
                                        : MP_TYPE_FROZENSET;
    int rc = mp__reader_pop_mark(r, &values, &n);
    if (rc == 0 && type == MP_TYPE_DICT && n % 2 != 0)
        rc = mp__broken("a dict has a key without a value");
    return rc == 0 ? push_vessel(r, type, values, n) : rc;
}

/* Puts the values into the container that is now on top of the stack. */
static int put_into_top(struct mp__reader *r, unsigned type, const mp_obj *values, size_t n)
{
    mp_obj *top;
    int rc = mp__reader_pop(r, 1, &top);
    if (rc != 0)
        return rc;
    r->stack.used++;
    if (top->type != type)
        return mp__broken("items for what is no %s", type == MP_TYPE_LIST   ? "list"
                                                     : type == MP_TYPE_DICT ? "dict"
                                                                            : "set");
    if (type == MP_TYPE_DICT && n % 2 != 0)
        return mp__broken("a dict has a key without a value");
    return mp__vessel_extend(r, top, values, n);
}

static int read_one_more(struct mp__reader *r, uint8_t op)
{
    mp_obj *values;
    size_t n = op == MP__OP_APPEND ? 1 : 2;
    int rc = mp__reader_pop(r, n, &values);
    if (rc != 0)
        return rc;
    return put_into_top(r, op == MP__OP_APPEND ? MP_TYPE_LIST : MP_TYPE_DICT, values, n);
}

static int read_many_more(struct mp__reader *r, uint8_t op)
{
    mp_obj *values;
    size_t n;
    int rc = mp__reader_pop_mark(r, &values, &n);
    if (rc != 0)
        return rc;
    unsigned type = op == MP__OP_APPENDS    ? MP_TYPE_LIST
                    : op == MP__OP_SETITEMS ? MP_TYPE_DICT
                                            : MP_TYPE_SET;
    return put_into_top(r, type, values, n);
}

/* ---- operations: stack and memo ----------------------------------------------------------- */

static int read_mark(struct mp__reader *r, uint8_t op)
{
    (void)op;
    int rc = mp__pile_reserve(r, &r->marks, 1, sizeof(size_t));
    if (rc == 0)
        ((size_t *)r->marks.entries)[r->marks.used++] = r->stack.used;
    return rc;
}

static int read_pop(struct mp__reader *r, uint8_t op)
{
    mp_obj *values;
    size_t n;
    if (op == MP__OP_POP_MARK || mp__reader_at_mark(r))
        return mp__reader_pop_mark(r, &values, &n);
    return mp__reader_pop(r, 1, &values);
}

static int read_dup(struct mp__reader *r, uint8_t op)
{
    mp_obj *top;
    (void)op;
    int rc = mp__reader_pop(r, 1, &top);
    if (rc != 0)
        return rc;
    r->stack.used++;
    return mp__reader_push(r, *top);
}

static int read_memoize(struct mp__reader *r, uint8_t op)
{
    (void)op;
    return mp__reader_memo_put(r, r->memo.used);
}

static int read_put(struct mp__reader *r, uint8_t op)
{
    uint64_t index;
    int rc = take_number(r, op == MP__OP_BINPUT ? 1 : 4, &index);
    return rc == 0 ? mp__reader_memo_put(r, index) : rc;
}

static int read_get(struct mp__reader *r, uint8_t op)
{
    uint64_t index;
    int rc = take_number(r, op == MP__OP_BINGET ? 1 : 4, &index);
    return rc == 0 ? mp__reader_memo_get(r, index) : rc;
}

/* ---- the machine -------------------------------------------------------------------------- */

static mp__operation *const operations[256] = {
    [MP__OP_PROTO] = read_proto,
    [MP__OP_FRAME] = read_frame,
    [MP__OP_NONE] = read_constant,
    [MP__OP_NEWTRUE] = read_constant,
    [MP__OP_NEWFALSE] = read_constant,
    [MP__OP_BININT1] = read_ints,
    [MP__OP_BININT2] = read_ints,
    [MP__OP_BININT] = read_ints,
    [MP__OP_LONG1] = read_long,
    [MP__OP_LONG4] = read_long,
    [MP__OP_BINFLOAT] = read_float,
    [MP__OP_SHORT_BINUNICODE] = read_text,
    [MP__OP_BINUNICODE] = read_text,
    [MP__OP_BINUNICODE8] = read_text,
    [MP__OP_SHORT_BINBYTES] = read_text,
    [MP__OP_BINBYTES] = read_text,
    [MP__OP_BINBYTES8] = read_text,
    [MP__OP_BYTEARRAY8] = read_text,
    [MP__OP_HANDLE] = read_handle,
    [MP__OP_EMPTY_LIST] = read_empty,
    [MP__OP_EMPTY_TUPLE] = read_empty,
    [MP__OP_EMPTY_DICT] = read_empty,
    [MP__OP_EMPTY_SET] = read_empty,
    [MP__OP_TUPLE1] = read_short_tuple,
    [MP__OP_TUPLE2] = read_short_tuple,
    [MP__OP_TUPLE3] = read_short_tuple,
    [MP__OP_TUPLE] = read_marked,
    [MP__OP_LIST] = read_marked,
    [MP__OP_DICT] = read_marked,
    [MP__OP_FROZENSET] = read_marked,
    [MP__OP_APPEND] = read_one_more,
    [MP__OP_SETITEM] = read_one_more,
    [MP__OP_APPENDS] = read_many_more,
    [MP__OP_SETITEMS] = read_many_more,
    [MP__OP_ADDITEMS] = read_many_more,
    [MP__OP_MARK] = read_mark,
    [MP__OP_POP] = read_pop,
    [MP__OP_POP_MARK] = read_pop,
    [MP__OP_DUP] = read_dup,
    [MP__OP_MEMOIZE] = read_memoize,
    [MP__OP_BINPUT] = read_put,
    [MP__OP_LONG_BINPUT] = read_put,
    [MP__OP_BINGET] = read_get,
    [MP__OP_LONG_BINGET] = read_get,
    [MP__OP_INT] = mp__read_int_line,
    [MP__OP_LONG] = mp__read_long_line,
    [MP__OP_FLOAT] = mp__read_float_line,
    [MP__OP_UNICODE] = mp__read_unicode_line,
    [MP__OP_GET] = mp__read_get_line,
    [MP__OP_PUT] = mp__read_put_line,
    [MP__OP_GLOBAL] = mp__read_global,
    [MP__OP_STACK_GLOBAL] = mp__read_stack_global,
    [MP__OP_REDUCE] = mp__read_reduce,
    [MP__OP_NEWOBJ] = mp__read_newobj,
    [MP__OP_NEWOBJ_EX] = mp__read_newobj_ex,
    [MP__OP_BUILD] = mp__read_build,
};

static int machine_run(struct mp__reader *r)
{
    int rc = 0;
    while (rc == 0) {
        if (r->p == r->end)
            return mp__broken("cut short: there is no STOP");
        uint8_t op = *r->p++;
        if (op == MP__OP_STOP)
            return 0;
        if (operations[op] == NULL)
            return mp__broken("opcode 0x%02x is not known", op);
        rc = operations[op](r, op);
    }
    return rc;
}

int mp__pickle_read(mp_obj *out, const void *buf, size_t n, unsigned flags)
{
    struct mp__reader r;
    mp_obj *root = NULL;
    mp__reader_begin(&r, buf, n, flags);
    int rc = machine_run(&r);
    if (rc == 0)
        rc = mp__reader_pop(&r, 1, &root);
    if (rc == 0)
        rc = mp__reader_build(&r, root, out);
    mp__reader_end(&r);
    return rc;
}

int mp_obj_loads(mp_obj *out, const void *buf, size_t n)
{
    if (out == NULL || buf == NULL)
        return mp__fail(MP_EINVAL);
    return mp__pickle_read(out, buf, n, 0);
}
