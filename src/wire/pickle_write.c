/* Objects into pickles of protocol 2 to 5, which every Python 3 reads.
 *
 * How it works
 *   Two walks over the tree: the first refuses what cannot be written and counts the bytes, the
 *   second writes them, into memory that the caller has taken meanwhile and maybe shares with
 *   others. The two stand side by side for each type. Nothing is framed or memoized: a part that
 *   stands in two places is written twice, so only the tree's shape counts, never its addresses.
 */
#include "wire/objects.h"

#include "wire/opcodes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct writer {
    int protocol;
    unsigned flags;
    uint8_t *p; /* the second walk only */
};

static int tree_size(const struct writer *w, const mp_obj *o, unsigned depth, size_t *size);
static void tree_write(struct writer *w, const mp_obj *o);

/* ---- single bytes and numbers ------------------------------------------------------------- */

static void op_write(struct writer *w, enum mp__opcode op)
{
    *w->p++ = (uint8_t)op;
}

static void little_write(struct writer *w, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++, value >>= 8)
        *w->p++ = (uint8_t)value;
}

static void raw_write(struct writer *w, const void *bytes, size_t n)
{
    if (n > 0)
        memcpy(w->p, bytes, n);
    w->p += n;
}

static void word_write(struct writer *w, const char *word)
{
    raw_write(w, word, strlen(word));
}

/* The least bytes of two's complement that hold it. */
static unsigned long_bytes(int64_t i)
{
    unsigned n = 5;
    while (n < 8 && (i < -(INT64_C(1) << (8 * n - 1)) || i >= INT64_C(1) << (8 * n - 1)))
        n++;
    return n;
}

static size_t int_size(int64_t i)
{
    if (i >= 0 && i <= 0xffff)
        return i <= 0xff ? 2 : 3;
    return i >= INT32_MIN && i <= INT32_MAX ? 5 : 2 + long_bytes(i);
}

static void int_write(struct writer *w, int64_t i)
{
    if (i >= 0 && i <= 0xff) {
        op_write(w, MP__OP_BININT1);
        *w->p++ = (uint8_t)i;
    } else if (i >= 0 && i <= 0xffff) {
        op_write(w, MP__OP_BININT2);
        little_write(w, (uint64_t)i, 2);
    } else if (i >= INT32_MIN && i <= INT32_MAX) {
        op_write(w, MP__OP_BININT);
        little_write(w, (uint64_t)i, 4);
    } else {
        op_write(w, MP__OP_LONG1);
        *w->p++ = (uint8_t)long_bytes(i);
        little_write(w, (uint64_t)i, long_bytes(i));
    }
}

static void float_write(struct writer *w, double f)
{
    uint64_t bits;
    memcpy(&bits, &f, sizeof bits);
    op_write(w, MP__OP_BINFLOAT);
    for (int shift = 56; shift >= 0; shift -= 8)
        *w->p++ = (uint8_t)(bits >> shift);
}

/* ---- str and bytes ------------------------------------------------------------------------ */

/* What precedes n bytes: an opcode and their number in 1, 4 or 8 bytes. */
static unsigned length_bytes(const struct writer *w, const mp_obj *o)
{
    bool has_short = o->type == MP_TYPE_BYTES || w->protocol >= 4;
    return has_short && o->len <= 0xff ? 1 : o->len <= UINT32_MAX ? 4 : 8;
}

static int str_size(const struct writer *w, const mp_obj *o, size_t *size)
{
    if (!mp__utf8_is_valid(o->s, o->len))
        return mp__failf(MP_EPICKLE, "a str is no UTF-8: send it as bytes");
    unsigned n = length_bytes(w, o);
    if (n == 8 && w->protocol < 4)
        return mp__failf(MP_EOVERFLOW, "protocol %d has no str beyond 4 GiB", w->protocol);
    *size += 1 + n + o->len;
    return 0;
}

static void str_write(struct writer *w, const mp_obj *o)
{
    unsigned n = length_bytes(w, o);
    op_write(w, n == 1 ? MP__OP_SHORT_BINUNICODE : n == 4 ? MP__OP_BINUNICODE : MP__OP_BINUNICODE8);
    little_write(w, o->len, n);
    raw_write(w, o->s, o->len);
}

/* Protocol 2 knows no bytes: they are what encoding a str of their values in Latin 1 gives. */
static const char latin_before[] = "c_codecs\nencode\n";
static const char latin_after[] = "X\x06\0\0\0latin1\x86R";
static const char latin_empty[] = "c__builtin__\nbytes\n)R";

static size_t latin_length(const mp_obj *o)
{
    size_t n = o->len;
    for (size_t i = 0; i < o->len; i++)
        n += o->bytes[i] >> 7;
    return n;
}

static int bytes_size(const struct writer *w, const mp_obj *o, size_t *size)
{
    if (w->protocol >= 3) {
        unsigned n = length_bytes(w, o);
        if (n == 8 && w->protocol < 4)
            return mp__failf(MP_EOVERFLOW, "protocol 3 has no bytes beyond 4 GiB");
        *size += 1 + n + o->len;
        return 0;
    }
    if (o->len == 0) {
        *size += sizeof latin_empty - 1;
        return 0;
    }
    size_t n = latin_length(o);
    if (n > UINT32_MAX)
        return mp__failf(MP_EOVERFLOW, "protocol 2 has no bytes beyond 4 GiB");
    *size += sizeof latin_before - 1 + 5 + n + sizeof latin_after - 1;
    return 0;
}

static void latin_write(struct writer *w, const mp_obj *o)
{
    if (o->len == 0) {
        raw_write(w, latin_empty, sizeof latin_empty - 1);
        return;
    }
    raw_write(w, latin_before, sizeof latin_before - 1);
    op_write(w, MP__OP_BINUNICODE);
    little_write(w, latin_length(o), 4);
    for (size_t i = 0; i < o->len; i++)
        w->p += mp__utf8_put(o->bytes[i], (char *)w->p);
    raw_write(w, latin_after, sizeof latin_after - 1);
}

static void bytes_write(struct writer *w, const mp_obj *o)
{
    if (w->protocol < 3) {
        latin_write(w, o);
        return;
    }
    unsigned n = length_bytes(w, o);
    op_write(w, n == 1 ? MP__OP_SHORT_BINBYTES : n == 4 ? MP__OP_BINBYTES : MP__OP_BINBYTES8);
    little_write(w, o->len, n);
    raw_write(w, o->bytes, o->len);
}

/* ---- containers --------------------------------------------------------------------------- */

/* Sets have opcodes from protocol 4 on; before, a name is called with a list. */
static size_t called_size(const struct writer *w, const char *name)
{
    return 1 + strlen(MP__SET_MODULE(w->protocol)) + 1 + strlen(name) + 1 + 2;
}

static const char *set_name(const mp_obj *o)
{
    return o->type == MP_TYPE_SET ? "set" : "frozenset";
}

/* Containers are filled in batches, so that a reader's stack stays short. */
#define BATCH ((size_t)1000)

/* What a container takes beside its items. */
static size_t frame_size(const struct writer *w, const mp_obj *o)
{
    size_t marks = 2 * (o->len / BATCH + (o->len % BATCH != 0));
    switch (o->type) {
    case MP_TYPE_TUPLE:
        return o->len <= 3 ? 1 : 2;
    case MP_TYPE_SET:
        return w->protocol >= 4 ? 1 + marks : called_size(w, "set") + 1 + marks;
    case MP_TYPE_FROZENSET:
        return w->protocol >= 4 ? 2 : called_size(w, "frozenset") + 1 + marks;
    default:
        return 1 + marks;
    }
}

static int keys_check(const mp_obj *o)
{
    size_t stride = o->type == MP_TYPE_DICT ? 2 : 1;
    for (size_t i = 0; i < o->len; i++)
        if (o->items[i * stride].type >= MP_TYPE_LIST &&
            !mp__obj_is_hashable(&o->items[i * stride]))
            return mp__failf(MP_ETYPE, "a list, dict or set as a key or in a set");
    return 0;
}

static int items_size(const struct writer *w, const mp_obj *o, unsigned depth, size_t *size)
{
    int rc = 0;
    size_t n = mp__obj_items(o), sum = 0;
    for (size_t i = 0; i < n && rc == 0; i++) {
        if (o->items[i].type == MP_TYPE_INT)
            sum += int_size(o->items[i].i);
        else
            rc = tree_size(w, &o->items[i], depth + 1, &sum);
    }
    return mp__size_add(*size, sum, size) ? rc : MP_EOVERFLOW;
}

static int container_size(const struct writer *w, const mp_obj *o, unsigned depth, size_t *size)
{
    if (depth == MP__DEPTH)
        return mp__failf(MP_EPICKLE, "more than %d levels deep", MP__DEPTH);
    if (o->type == MP_TYPE_DICT || o->type == MP_TYPE_SET || o->type == MP_TYPE_FROZENSET) {
        int rc = keys_check(o);
        if (rc != 0)
            return rc;
    }
    *size += frame_size(w, o);
    return items_size(w, o, depth, size);
}

static void items_write(struct writer *w, const mp_obj *items, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (items[i].type == MP_TYPE_INT)
            int_write(w, items[i].i);
        else
            tree_write(w, &items[i]);
    }
}

/* The items between marks and the opcode that puts them into the container below the mark. */
static void marked_write(struct writer *w, const mp_obj *o, enum mp__opcode last)
{
    size_t stride = o->type == MP_TYPE_DICT ? 2 : 1;
    for (size_t from = 0; from < o->len; from += BATCH) {
        size_t n = o->len - from < BATCH ? o->len - from : BATCH;
        op_write(w, MP__OP_MARK);
        items_write(w, o->items + from * stride, n * stride);
        op_write(w, last);
    }
}

static void tuple_write(struct writer *w, const mp_obj *o)
{
    static const enum mp__opcode ops[] = {MP__OP_EMPTY_TUPLE, MP__OP_TUPLE1, MP__OP_TUPLE2,
                                          MP__OP_TUPLE3};
    if (o->len > 3)
        op_write(w, MP__OP_MARK);
    items_write(w, o->items, o->len);
    op_write(w, o->len > 3 ? MP__OP_TUPLE : ops[o->len]);
}

static void called_set_write(struct writer *w, const mp_obj *o)
{
    op_write(w, MP__OP_GLOBAL);
    word_write(w, MP__SET_MODULE(w->protocol));
    *w->p++ = '\n';
    word_write(w, set_name(o));
    *w->p++ = '\n';
    op_write(w, MP__OP_EMPTY_LIST);
    marked_write(w, o, MP__OP_APPENDS);
    op_write(w, MP__OP_TUPLE1);
    op_write(w, MP__OP_REDUCE);
}

static void set_write(struct writer *w, const mp_obj *o)
{
    if (w->protocol < 4) {
        called_set_write(w, o);
    } else if (o->type == MP_TYPE_SET) {
        op_write(w, MP__OP_EMPTY_SET);
        marked_write(w, o, MP__OP_ADDITEMS);
    } else {
        op_write(w, MP__OP_MARK);
        items_write(w, o->items, o->len);
        op_write(w, MP__OP_FROZENSET);
    }
}

static void container_write(struct writer *w, const mp_obj *o)
{
    if (o->type == MP_TYPE_TUPLE) {
        tuple_write(w, o);
    } else if (o->type == MP_TYPE_SET || o->type == MP_TYPE_FROZENSET) {
        set_write(w, o);
    } else {
        bool list = o->type == MP_TYPE_LIST;
        op_write(w, list ? MP__OP_EMPTY_LIST : MP__OP_EMPTY_DICT);
        marked_write(w, o, list ? MP__OP_APPENDS : MP__OP_SETITEMS);
    }
}

/* ---- what only the library sends ---------------------------------------------------------- */

static int handle_size(const struct writer *w, const mp_obj *o, size_t *size)
{
    if ((w->flags & MP__PICKLE_HANDLES) == 0)
        return mp__failf(MP_EPICKLE, "a handle means nothing outside this tree of processes");
    if (mp__handle_of(o).serial == 0)
        return mp__failf(MP_EINVAL, "a handle of no shared object");
    *size += 1 + MP__HANDLE_SIZE;
    return 0;
}

static void handle_write(struct writer *w, const mp_obj *o)
{
    struct mp__handle handle = mp__handle_of(o);
    op_write(w, MP__OP_HANDLE);
    little_write(w, handle.address, 8);
    little_write(w, handle.arena, 8);
    little_write(w, handle.serial, 4);
}

/* module, name, STACK_GLOBAL [, args, REDUCE or NEWOBJ [, state, BUILD]]; protocol 4 and up. */
static int opaque_size(const struct writer *w, const mp_obj *o, unsigned depth, size_t *size)
{
    const mp_obj *items = o->items;
    if ((w->flags & MP__PICKLE_OPAQUE) == 0 || w->protocol < 4 || depth == MP__DEPTH)
        return mp__failf(MP_EPICKLE, "%.*s is no plain data", (int)items[MP__OPAQUE_NAME].len,
                         items[MP__OPAQUE_NAME].s);
    int rc = 0;
    for (int i = 0; i < 4 && rc == 0; i++)
        if (i < MP__OPAQUE_ARGS || items[i].type != MP_TYPE_NONE) {
            *size += i != MP__OPAQUE_MODULE;
            rc = tree_size(w, &items[i], depth + 1, size);
        }
    return rc;
}

static void opaque_write(struct writer *w, const mp_obj *o)
{
    tree_write(w, &o->items[MP__OPAQUE_MODULE]);
    tree_write(w, &o->items[MP__OPAQUE_NAME]);
    op_write(w, MP__OP_STACK_GLOBAL);
    if (o->items[MP__OPAQUE_ARGS].type != MP_TYPE_NONE) {
        tree_write(w, &o->items[MP__OPAQUE_ARGS]);
        op_write(w, o->reserved[0] ? MP__OP_NEWOBJ : MP__OP_REDUCE);
    }
    if (o->items[MP__OPAQUE_STATE].type != MP_TYPE_NONE) {
        tree_write(w, &o->items[MP__OPAQUE_STATE]);
        op_write(w, MP__OP_BUILD);
    }
}

/* RebuildProxy(class, Token(typeid, address, id), "pickle", {"exposed": names}), as its parts. */
struct proxy_call {
    mp_obj items[4], args[4], class[4], exposed[2];
    struct mp__token token;
};

static mp_obj proxy_call(struct proxy_call *call, const mp_obj *o)
{
    const mp_obj *of = o->items, none = mp_obj_none();
    bool has_names = of[MP__PROXY_EXPOSED].type != MP_TYPE_NONE;
    call->exposed[0] = mp_obj_str("exposed");
    call->exposed[1] = of[MP__PROXY_EXPOSED];
    call->class[MP__OPAQUE_MODULE] = of[MP__PROXY_MODULE];
    call->class[MP__OPAQUE_NAME] = of[MP__PROXY_CLASS];
    call->class[MP__OPAQUE_ARGS] = call->class[MP__OPAQUE_STATE] = none;
    call->args[0] = mp__obj_opaque(call->class, false);
    call->args[1] =
        mp__obj_token(&call->token, of[MP__PROXY_TYPEID], of[MP__PROXY_ADDRESS], of[MP__PROXY_ID]);
    call->args[2] = mp_obj_str("pickle");
    call->args[3] = mp_obj_dict(call->exposed, has_names);
    call->items[MP__OPAQUE_MODULE] = mp_obj_str(MP__MANAGERS_MODULE);
    call->items[MP__OPAQUE_NAME] = mp_obj_str("RebuildProxy");
    call->items[MP__OPAQUE_ARGS] = mp_obj_tuple(call->args, 4);
    call->items[MP__OPAQUE_STATE] = none;
    return mp__obj_opaque(call->items, false);
}

static int proxy_size(const struct writer *w, const mp_obj *o, unsigned depth, size_t *size)
{
    struct proxy_call call;
    struct writer all = *w;
    if (o->items == NULL || o->len != MP__PROXY_ITEMS)
        return mp__failf(MP_EPICKLE, "an object of a proxy's type that stands for none");
    all.flags |= MP__PICKLE_OPAQUE;
    mp_obj tree = proxy_call(&call, o);
    return tree_size(&all, &tree, depth, size);
}

static void proxy_write(struct writer *w, const mp_obj *o)
{
    struct proxy_call call;
    mp_obj tree = proxy_call(&call, o);
    tree_write(w, &tree);
}

/* ---- the tree ----------------------------------------------------------------------------- */

static int tree_size(const struct writer *w, const mp_obj *o, unsigned depth, size_t *size)
{
    switch (o->type) {
    case MP_TYPE_NONE:
    case MP_TYPE_BOOL:
        *size += 1;
        return 0;
    case MP_TYPE_INT:
        *size += int_size(o->i);
        return 0;
    case MP_TYPE_FLOAT:
        *size += 9;
        return 0;
    case MP_TYPE_STR:
        return str_size(w, o, size);
    case MP_TYPE_BYTES:
        return bytes_size(w, o, size);
    case MP_TYPE_HANDLE:
        return handle_size(w, o, size);
    case MP__TYPE_OPAQUE:
        return opaque_size(w, o, depth, size);
    case MP_TYPE_PROXY:
        return proxy_size(w, o, depth, size);
    case MP__TYPE_POISON:
        return mp__failf(MP_EOVERFLOW, "an int above INT64_MAX");
    default:
        if (!mp__type_is_container(o->type))
            return mp__failf(MP_EPICKLE, "an object of type %d", o->type);
        return container_size(w, o, depth, size);
    }
}

static void tree_write(struct writer *w, const mp_obj *o)
{
    switch (o->type) {
    case MP_TYPE_NONE:
        op_write(w, MP__OP_NONE);
        break;
    case MP_TYPE_BOOL:
        op_write(w, o->b ? MP__OP_NEWTRUE : MP__OP_NEWFALSE);
        break;
    case MP_TYPE_INT:
        int_write(w, o->i);
        break;
    case MP_TYPE_FLOAT:
        float_write(w, o->f);
        break;
    case MP_TYPE_STR:
        str_write(w, o);
        break;
    case MP_TYPE_BYTES:
        bytes_write(w, o);
        break;
    case MP_TYPE_HANDLE:
        handle_write(w, o);
        break;
    case MP__TYPE_OPAQUE:
        opaque_write(w, o);
        break;
    case MP_TYPE_PROXY:
        proxy_write(w, o);
        break;
    default:
        container_write(w, o);
    }
}

int mp__pickle_size(mp_obj o, int protocol, unsigned flags, size_t *size)
{
    struct writer w = {protocol, flags, NULL};
    *size = 3; /* the header, STOP */
    return tree_size(&w, &o, 0, size);
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the writer writes to it */
uint8_t *mp__pickle_write(mp_obj o, int protocol, unsigned flags, uint8_t *to)
{
    struct writer w = {protocol, flags, to};
    op_write(&w, MP__OP_PROTO);
    *w.p++ = (uint8_t)protocol;
    tree_write(&w, &o);
    op_write(&w, MP__OP_STOP);
    return w.p;
}

int mp_obj_dumps(mp_obj o, int protocol, void **buf, size_t *n)
{
    size_t size;
    if (buf == NULL || n == NULL)
        return mp__fail(MP_EINVAL);
    if (protocol < 0)
        protocol = MP__PROTOCOL_MOST;
    if (protocol < 2 || protocol > MP__PROTOCOL_MOST)
        return mp__failf(MP_EINVAL, "protocol %d: 2 to 5 can be written", protocol);
    int rc = mp__pickle_size(o, protocol, 0, &size);
    if (rc != 0)
        return rc;
    uint8_t *memory = malloc(size);
    if (memory == NULL)
        return mp__fail(-ENOMEM);
    mp__pickle_write(o, protocol, 0, memory);
    *buf = memory;
    *n = size;
    return 0;
}
