/* What a pickle wants called: the few names that make plain data are known here, everything else
 * becomes an opaque object, which only a caller who asked for such is given. See reader.h.
 *
 * How it works
 *   A name is an opaque vessel of four cells, {module, name, None, None}. A call of a known name
 *   makes the value that Python would have; any other call makes a new opaque vessel with the
 *   arguments. State is put into the vessel itself, for all who hold it.
 */
#include "wire/objects.h"

#include "wire/reader.h"

#include <string.h>

/* ---- names -------------------------------------------------------------------------------- */

static int push_name(struct mp__reader *r, mp_obj module, mp_obj name)
{
    mp_obj o, items[4] = {module, name, mp_obj_none(), mp_obj_none()};
    int rc = mp__vessel_make(r, MP__TYPE_OPAQUE, items, 4, &o);
    return rc == 0 ? mp__reader_push(r, o) : rc;
}

int mp__read_global(struct mp__reader *r, uint8_t op)
{
    const uint8_t *line;
    size_t n;
    mp_obj names[2];
    (void)op;
    for (int i = 0; i < 2; i++) {
        int rc = mp__reader_line(r, &line, &n);
        if (rc == 0)
            rc = mp__reader_text(r, MP_TYPE_STR, line, n, &names[i]);
        if (rc != 0)
            return rc;
    }
    return push_name(r, names[0], names[1]);
}

int mp__read_stack_global(struct mp__reader *r, uint8_t op)
{
    mp_obj *names;
    (void)op;
    int rc = mp__reader_pop(r, 2, &names);
    if (rc != 0)
        return rc;
    if (names[0].type != MP_TYPE_STR || names[1].type != MP_TYPE_STR)
        return mp__broken("a name that is no str");
    return push_name(r, names[0], names[1]);
}

static bool text_is(const struct mp__reader *r, const mp_obj *text, const char *expected)
{
    size_t n = strlen(expected);
    return text->len == n && memcmp(mp__reader_chars(r, text), expected, n) == 0;
}

static bool is_builtins(const struct mp__reader *r, const mp_obj *module)
{
    return text_is(r, module, "builtins") || text_is(r, module, "__builtin__");
}

static bool is_call(struct mp__reader *r, const mp_obj *callable, const mp_obj *args)
{
    if (callable->type != MP__TYPE_OPAQUE || args->type != MP_TYPE_TUPLE)
        return false;
    return mp__cells_of(r, mp__vessel_at(r, callable))[MP__OPAQUE_ARGS].type == MP_TYPE_NONE;
}

/* ---- the known ones ----------------------------------------------------------------------- */

/* list, tuple, set, frozenset: of nothing, or of another one's items, which stay where they are. */
static int call_container(struct mp__reader *r, unsigned type, const mp_obj *args, size_t n)
{
    mp_obj o;
    int rc = mp__vessel_make(r, type, NULL, 0, &o);
    if (rc == 0 && n == 1 && mp__type_is_container(args->type) && args->type != MP_TYPE_DICT &&
        args->type != MP__TYPE_OPAQUE) {
        struct mp__vessel *vessel = mp__vessel_at(r, &o), *of = mp__vessel_at(r, args);
        vessel->first = of->first;
        vessel->count = vessel->room = of->count;
        r->shares_cells = true;
    } else if (rc == 0 && n != 0) {
        rc = mp__broken("a list or set of what has no items");
    }
    return rc == 0 ? mp__reader_push(r, o) : rc;
}

/* The bytes whose values are the characters of a str. */
static int push_latin(struct mp__reader *r, const mp_obj *text)
{
    char *to;
    int rc = mp__reader_side(r, text->len, &to);
    if (rc != 0)
        return rc;
    const char *p = mp__reader_chars(r, text);
    size_t length = 0;
    for (size_t i = 0; i < text->len;) {
        uint32_t point = UINT32_MAX;
        i += mp__utf8_next(p + i, text->len - i, &point);
        if (point > 0xff)
            return mp__broken("bytes with a character beyond Latin 1");
        to[length++] = (char)point;
    }
    return mp__reader_push(r, mp__reader_side_commit(r, MP_TYPE_BYTES, length));
}

/* bytes and bytearray: of nothing, of bytes, of a str in Latin 1. */
static int call_bytes(struct mp__reader *r, const mp_obj *args, size_t n)
{
    if (n == 0)
        return mp__reader_push(r, mp_obj_bytes(NULL, 0));
    if (n == 1 && args[0].type == MP_TYPE_BYTES)
        return mp__reader_push(r, args[0]);
    if (n == 2 && args[0].type == MP_TYPE_STR && args[1].type == MP_TYPE_STR &&
        (text_is(r, &args[1], "latin1") || text_is(r, &args[1], "latin-1")))
        return push_latin(r, &args[0]);
    return mp__broken("bytes of what is neither bytes nor a str in Latin 1");
}

enum { UNKNOWN = 1 };

static int call_known(struct mp__reader *r, const mp_obj *name, const mp_obj *args, size_t n)
{
    static const struct {
        const char *name;
        unsigned type;
    } containers[] = {{"list", MP_TYPE_LIST},
                      {"tuple", MP_TYPE_TUPLE},
                      {"set", MP_TYPE_SET},
                      {"frozenset", MP_TYPE_FROZENSET}};
    int rc = UNKNOWN;
    if (is_builtins(r, &name[0])) {
        for (size_t i = 0; i < sizeof containers / sizeof containers[0] && rc == UNKNOWN; i++)
            if (text_is(r, &name[1], containers[i].name))
                rc = call_container(r, containers[i].type, args, n);
        if (rc == UNKNOWN && (text_is(r, &name[1], "bytes") || text_is(r, &name[1], "bytearray")))
            rc = call_bytes(r, args, n);
    } else if (n == 2 && text_is(r, &name[0], "_codecs") && text_is(r, &name[1], "encode")) {
        rc = call_bytes(r, args, n);
    }
    return rc;
}

/* ---- all others --------------------------------------------------------------------------- */

static int refuse(const struct mp__reader *r, const mp_obj *name)
{
    return mp__broken("%.*s.%.*s is no plain data", (int)name[0].len, mp__reader_chars(r, &name[0]),
                      (int)name[1].len, mp__reader_chars(r, &name[1]));
}

static int push_call(struct mp__reader *r, const mp_obj *name, mp_obj args, bool is_new)
{
    mp_obj o, items[4] = {name[0], name[1], args, mp_obj_none()};
    if ((r->flags & MP__PICKLE_OPAQUE) == 0)
        return refuse(r, name);
    int rc = mp__vessel_make(r, MP__TYPE_OPAQUE, items, 4, &o);
    if (rc != 0)
        return rc;
    mp__vessel_at(r, &o)->is_new = is_new;
    return mp__reader_push(r, o);
}

int mp__read_reduce(struct mp__reader *r, uint8_t op)
{
    mp_obj *values;
    (void)op;
    int rc = mp__reader_pop(r, 2, &values);
    if (rc != 0)
        return rc;
    if (!is_call(r, &values[0], &values[1]))
        return mp__broken("it calls what is no name");
    mp_obj args = values[1], name[2];
    memcpy(name, mp__cells_of(r, mp__vessel_at(r, &values[0])), sizeof name);
    const struct mp__vessel *tuple = mp__vessel_at(r, &args);
    mp_obj first[2];
    size_t n = tuple->count;
    if (n > 0)
        memcpy(first, mp__cells_of(r, tuple), (n < 2 ? n : 2) * sizeof(mp_obj));
    rc = call_known(r, name, first, n);
    return rc == UNKNOWN ? push_call(r, name, args, false) : rc;
}

/* class, args: what class.__new__(class, *args) would give. */
static int read_new(struct mp__reader *r, const mp_obj *class, const mp_obj *args)
{
    if (!is_call(r, class, args))
        return mp__broken("it makes an instance of what is no name");
    mp_obj name[2];
    memcpy(name, mp__cells_of(r, mp__vessel_at(r, class)), sizeof name);
    return push_call(r, name, *args, true);
}

int mp__read_newobj(struct mp__reader *r, uint8_t op)
{
    mp_obj *values;
    (void)op;
    int rc = mp__reader_pop(r, 2, &values);
    return rc == 0 ? read_new(r, &values[0], &values[1]) : rc;
}

int mp__read_newobj_ex(struct mp__reader *r, uint8_t op)
{
    mp_obj *values;
    (void)op;
    int rc = mp__reader_pop(r, 3, &values);
    if (rc != 0)
        return rc;
    if (values[2].type != MP_TYPE_DICT || mp__vessel_at(r, &values[2])->count != 0)
        return mp__broken("an instance made with keywords");
    return read_new(r, &values[0], &values[1]);
}

int mp__read_build(struct mp__reader *r, uint8_t op)
{
    mp_obj *values;
    (void)op;
    int rc = mp__reader_pop(r, 2, &values);
    if (rc != 0)
        return rc;
    r->stack.used++;
    if (values[0].type != MP__TYPE_OPAQUE)
        return mp__broken("state for plain data");
    mp_obj *cells = mp__cells_of(r, mp__vessel_at(r, &values[0]));
    if ((r->flags & MP__PICKLE_OPAQUE) == 0)
        return refuse(r, cells);
    cells[MP__OPAQUE_STATE] = values[1];
    return 0;
}
