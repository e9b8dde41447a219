/* What a server's answer means to the caller: a value, a proxy, or somebody's failure as a code. */
#include "managers/hub.h"
#include "managers/iterable.h"
#include "managers/server.h"
#include "managers/typecode.h"

#include <stdlib.h>
#include <string.h>

static bool is_kind(const mp_obj *answer, const char *kind)
{
    return strcmp(answer->items[0].s, kind) == 0;
}

/* What str(exception) gives; with the class in front where no code tells that. */
static int exception_report(const mp_obj *exception)
{
    char text[512], class[208] = "";
    const mp_obj *name = &exception->items[MP__OPAQUE_NAME];
    const mp_obj *args = &exception->items[MP__OPAQUE_ARGS];
    int code = mp__exception_code(exception), n = (int)(name->len < 200 ? name->len : 200);
    char *said = NULL;
    bool has_args = args->type == MP_TYPE_TUPLE && args->len > 0;
    if (code == MP_EREMOTE)
        snprintf(class, sizeof class, "%.*s%s", n, name->s, has_args ? ": " : "");
    if (has_args && args->len == 1 && args->items[0].type == MP_TYPE_STR && code != MP_EKEY)
        snprintf(text, sizeof text, "%s%s", class, args->items[0].s);
    else if (has_args && (said = mp_obj_repr(args->len == 1 ? args->items[0] : *args)) != NULL)
        snprintf(text, sizeof text, "%s%s", class, said);
    else
        snprintf(text, sizeof text, "%s", class);
    free(said);
    return mp__failf(code, "%s", text);
}

static int code_report(const mp_obj *value)
{
    if (value->type != MP_TYPE_TUPLE || value->len != 2 || value->items[0].type != MP_TYPE_INT ||
        value->items[0].i >= 0 || value->items[0].i < MP_ERROR_FIRST_ ||
        value->items[1].type != MP_TYPE_STR)
        return mp__failf(MP_EREMOTE, "the server's answer is none of the protocol");
    return mp__failf((int)value->items[0].i, "%s", value->items[1].s);
}

static int text_report(int code, const mp_obj *value)
{
    const char *text = value->type == MP_TYPE_STR ? value->s : "";
    size_t n = strlen(text), most = 400;
    while (n > 0 && text[n - 1] == '\n')
        n--;
    /* of a long one the end says what happened */
    const char *from = n > most ? text + n - most : text;
    return mp__failf(code, "%.*s", (int)(text + n - from), from);
}

/* (names, Token) as an object that stands for a proxy; its reference waits for that proxy. */
static int proxy_take(struct mp__hub *hub, const mp_obj *value, mp_obj *out)
{
    if (value->type != MP_TYPE_TUPLE || value->len != 2 ||
        value->items[1].type != MP__TYPE_OPAQUE ||
        value->items[1].items[MP__OPAQUE_STATE].type != MP_TYPE_TUPLE ||
        value->items[1].items[MP__OPAQUE_STATE].len != 3)
        return mp__failf(MP_EREMOTE, "the server's answer is none of the protocol");
    const mp_obj *token = value->items[1].items[MP__OPAQUE_STATE].items;
    if (token[0].type != MP_TYPE_STR || token[2].type != MP_TYPE_STR)
        return mp__failf(MP_EREMOTE, "the server's answer is none of the protocol");
    if (out == NULL) {
        mp__hub_drop(hub, &token[2]);
        return 0;
    }
    mp_obj parts[MP__PROXY_ITEMS];
    mp__proxy_parts(parts, token[0].s, hub->address_obj, token[2], value->items[0]);
    int rc = mp_obj_copy(mp__obj_proxy(parts), out);
    if (rc == 0)
        mp__claim_add(hub, &token[2]);
    else
        mp__hub_drop(hub, &token[2]);
    return rc;
}

static bool holds_opaque(const mp_obj *o)
{
    if (!mp__type_is_container(o->type) || o->type == MP__TYPE_OPAQUE)
        return o->type == MP__TYPE_OPAQUE;
    size_t n = mp__obj_items(o);
    for (size_t i = 0; i < n; i++)
        if (holds_opaque(&o->items[i]))
            return true;
    return false;
}

/* What Python sends for an array, an iterator over a sequence, a Namespace or a Value, as plain
   data: a list, a list, a dict of the attributes, the value. UNKNOWN: it is something else. */
enum { UNKNOWN = 1 };

static int plain_take(const mp_obj *o, mp_obj *out)
{
    const mp_obj *args = &o->items[MP__OPAQUE_ARGS], *state = &o->items[MP__OPAQUE_STATE];
    const mp_obj *name = &o->items[MP__OPAQUE_NAME], *value;
    if (mp__opaque_calls(o, "array", "array"))
        return mp__typecode_list(o, out);
    if ((mp__opaque_calls(o, "builtins", "iter") || mp__opaque_calls(o, "builtins", "reversed")) &&
        args->len >= 1 && !holds_opaque(&args->items[0]))
        return mp_obj_copy(args->items[0], out);
    if (strcmp(o->items[MP__OPAQUE_MODULE].s, MP__MANAGERS_MODULE) != 0 ||
        state->type != MP_TYPE_DICT || holds_opaque(state))
        return UNKNOWN;
    if (strcmp(name->s, "Namespace") == 0)
        return mp_obj_copy(*state, out);
    value = strcmp(name->s, "Value") == 0 ? mp_obj_lookup(*state, mp_obj_str("_value")) : NULL;
    return value != NULL ? mp_obj_copy(*value, out) : UNKNOWN;
}

static int value_take(mp_obj *answer, mp_obj *out)
{
    if (out == NULL)
        return 0;
    if (answer->items[1].type == MP__TYPE_OPAQUE) {
        int rc = plain_take(&answer->items[1], out);
        if (rc != UNKNOWN)
            return rc;
    }
    if (mp__type_is_container(answer->items[1].type) && holds_opaque(&answer->items[1]))
        return mp__failf(MP_EPICKLE, "the answer holds an object of a class of Python's");
    return mp__obj_take(answer, 1, out);
}

/* (value, ids): the references that came with it wait for proxies, or go. */
static int moved_take(struct mp__hub *hub, const mp_obj *value, mp_obj *out)
{
    if (value->type != MP_TYPE_TUPLE || value->len != 2 || value->items[1].type != MP_TYPE_TUPLE)
        return mp__failf(MP_EREMOTE, "the server's answer is none of the protocol");
    const mp_obj *ids = &value->items[1];
    int rc = out != NULL ? mp_obj_copy(value->items[0], out) : 0;
    for (size_t i = 0; i < ids->len; i++) {
        if (ids->items[i].type != MP_TYPE_STR)
            continue;
        if (rc == 0 && out != NULL)
            mp__claim_add(hub, &ids->items[i]);
        else
            mp__hub_drop(hub, &ids->items[i]);
    }
    return rc;
}

int mp__answer_take(struct mp__hub *hub, mp_obj *answer, mp_obj *out)
{
    const mp_obj *value = &answer->items[1];
    int rc;
    if (is_kind(answer, "#RETURN")) {
        rc = value_take(answer, out);
    } else if (is_kind(answer, "#RECOVERED")) {
        rc = value_take(answer, out);
        rc = rc == 0 ? MP_RECOVERED : rc;
    } else if (is_kind(answer, "#MOVED")) {
        rc = moved_take(hub, value, out);
    } else if (is_kind(answer, "#PROXY")) {
        rc = proxy_take(hub, value, out);
    } else if (is_kind(answer, "#CODE")) {
        rc = code_report(value);
    } else if (is_kind(answer, "#UNSERIALIZABLE")) {
        rc = text_report(MP_EPICKLE, value);
    } else if (is_kind(answer, "#ERROR") && value->type == MP__TYPE_OPAQUE) {
        rc = exception_report(value);
    } else {
        rc = text_report(MP_EREMOTE, value);
    }
    mp_obj_free(answer);
    return rc;
}
