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
        args->type != MP_TYPE_PROXY && args->type != MP__TYPE_OPAQUE) {
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

/* ---- proxies ------------------------------------------------------------------------------ */

static bool is_managers(const struct mp__reader *r, const mp_obj *name, const char *expected)
{
    return text_is(r, &name[0], MP__MANAGERS_MODULE) && text_is(r, &name[1], expected);
}

/* The items of an opaque object, or NULL if it is something else. */
static const mp_obj *opaque_cells(struct mp__reader *r, const mp_obj *o)
{
    return o->type == MP__TYPE_OPAQUE ? mp__cells_of(r, mp__vessel_at(r, o)) : NULL;
}

static bool is_str_tuple(struct mp__reader *r, const mp_obj *o)
{
    if (o->type != MP_TYPE_TUPLE)
        return false;
    const struct mp__vessel *tuple = mp__vessel_at(r, o);
    for (uint32_t i = 0; i < tuple->count; i++)
        if (mp__cells_of(r, tuple)[i].type != MP_TYPE_STR)
            return false;
    return true;
}

/* A str, bytes, or (host, port). */
static bool is_address(struct mp__reader *r, const mp_obj *o)
{
    if (o->type == MP_TYPE_STR || o->type == MP_TYPE_BYTES)
        return true;
    if (o->type != MP_TYPE_TUPLE || mp__vessel_at(r, o)->count != 2)
        return false;
    const mp_obj *pair = mp__cells_of(r, mp__vessel_at(r, o));
    return pair[0].type == MP_TYPE_STR && pair[1].type == MP_TYPE_INT;
}

static mp_obj exposed_of(struct mp__reader *r, const mp_obj *kwds)
{
    const struct mp__vessel *dict = mp__vessel_at(r, kwds);
    const mp_obj *cells = mp__cells_of(r, dict);
    for (uint32_t i = 0; i + 1 < dict->count; i += 2)
        if (cells[i].type == MP_TYPE_STR && text_is(r, &cells[i], "exposed") &&
            is_str_tuple(r, &cells[i + 1]))
            return cells[i + 1];
    return mp_obj_none();
}

/* RebuildProxy(class, token, serializer, kwds) */
static int call_rebuild_proxy(struct mp__reader *r, const struct mp__vessel *args)
{
    mp_obj o, items[MP__PROXY_ITEMS], given[4];
    if (args->count != 4)
        return mp__broken("a proxy of %u parts", (unsigned)args->count);
    memcpy(given, mp__cells_of(r, args), sizeof given);
    const mp_obj *class = opaque_cells(r, &given[0]), *token = opaque_cells(r, &given[1]);
    if (class == NULL || token == NULL || !is_managers(r, token, "Token") ||
        token[MP__OPAQUE_STATE].type != MP_TYPE_TUPLE || given[3].type != MP_TYPE_DICT)
        return mp__broken("a proxy of other parts");
    const struct mp__vessel *state = mp__vessel_at(r, &token[MP__OPAQUE_STATE]);
    const mp_obj *of = mp__cells_of(r, state);
    if (state->count != 3 || of[0].type != MP_TYPE_STR || !is_address(r, &of[1]) ||
        of[2].type != MP_TYPE_STR)
        return mp__broken("a Token of other parts");
    items[MP__PROXY_TYPEID] = of[0];
    items[MP__PROXY_ADDRESS] = of[1];
    items[MP__PROXY_ID] = of[2];
    items[MP__PROXY_EXPOSED] = exposed_of(r, &given[3]);
    items[MP__PROXY_MODULE] = class[MP__OPAQUE_MODULE];
    items[MP__PROXY_CLASS] = class[MP__OPAQUE_NAME];
    int rc = mp__vessel_make(r, MP_TYPE_PROXY, items, MP__PROXY_ITEMS, &o);
    return rc == 0 ? mp__reader_push(r, o) : rc;
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
    if ((r->flags & MP__PICKLE_OPAQUE) == 0 && !is_managers(r, name, "Token"))
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
    if (is_managers(r, name, "RebuildProxy"))
        return call_rebuild_proxy(r, tuple);
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
    if ((r->flags & MP__PICKLE_OPAQUE) == 0 && !is_managers(r, cells, "Token"))
        return refuse(r, cells);
    cells[MP__OPAQUE_STATE] = values[1];
    return 0;
}
