/* Objects as Python's print and repr show them. */
#include "wire/objects.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

static void tree_print(FILE *out, const mp_obj *o, unsigned depth);

static void float_print(FILE *out, double f)
{
    char text[40];
    mp__float_repr(f, text);
    fputs(text, out);
}

/* The items between separators, those of a dict as key: value. */
static void items_print(FILE *out, const mp_obj *o, unsigned depth)
{
    size_t n = mp__obj_items(o);
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            fputs(o->type == MP_TYPE_DICT && i % 2 == 1 ? ": " : ", ", out);
        tree_print(out, &o->items[i], depth + 1);
    }
}

/* module.name, or module.name(args) where something is to be called; state is not shown. */
static void opaque_print(FILE *out, const mp_obj *o, unsigned depth)
{
    const mp_obj *module = &o->items[MP__OPAQUE_MODULE], *name = &o->items[MP__OPAQUE_NAME];
    fprintf(out, "%.*s.%.*s", (int)module->len, module->s, (int)name->len, name->s);
    if (o->items[MP__OPAQUE_ARGS].type != MP_TYPE_NONE) {
        putc('(', out);
        items_print(out, &o->items[MP__OPAQUE_ARGS], depth);
        putc(')', out);
    }
}

/* As Python's repr of a proxy, with the object's id as the address. */
static void proxy_print(FILE *out, const mp_obj *o)
{
    const mp_obj *class = &o->items[MP__PROXY_CLASS], *id = &o->items[MP__PROXY_ID];
    const mp_obj *typeid = &o->items[MP__PROXY_TYPEID];
    fprintf(out, "<%.*s", (int)class->len, class->s);
    if (mp__obj_is_str(class, "AutoProxy"))
        fprintf(out, "[%.*s]", (int)typeid->len, typeid->s);
    fputs(" object, typeid ", out);
    mp__strn_print(out, typeid->s, typeid->len);
    fprintf(out, " at 0x%.*s>", (int)id->len, id->s);
}

static void container_print(FILE *out, const mp_obj *o, unsigned depth)
{
    static const char *const open[] = {"[", "(", "{", "{", "frozenset({"};
    static const char *const close[] = {"]", ")", "}", "}", "})"};
    if (o->type == MP__TYPE_OPAQUE) {
        opaque_print(out, o, depth);
        return;
    }
    if (o->type == MP_TYPE_PROXY) {
        proxy_print(out, o);
        return;
    }
    if (o->len == 0 && (o->type == MP_TYPE_SET || o->type == MP_TYPE_FROZENSET)) {
        fputs(o->type == MP_TYPE_SET ? "set()" : "frozenset()", out);
        return;
    }
    fputs(open[o->type - MP_TYPE_LIST], out);
    items_print(out, o, depth);
    if (o->type == MP_TYPE_TUPLE && o->len == 1)
        putc(',', out);
    fputs(close[o->type - MP_TYPE_LIST], out);
}

static void scalar_print(FILE *out, const mp_obj *o)
{
    switch (o->type) {
    case MP_TYPE_NONE:
        fputs("None", out);
        break;
    case MP_TYPE_BOOL:
        fputs(o->b ? "True" : "False", out);
        break;
    case MP_TYPE_INT:
        fprintf(out, "%" PRId64, o->i);
        break;
    case MP__TYPE_POISON:
        fprintf(out, "%" PRIu64, (uint64_t)o->i);
        break;
    case MP_TYPE_FLOAT:
        float_print(out, o->f);
        break;
    case MP_TYPE_STR:
        mp__strn_print(out, o->s, o->len);
        break;
    case MP_TYPE_BYTES:
        mp__bytes_print(out, o->s, o->len);
        break;
    default:
        fprintf(out, "<%s at %p>", o->type == MP_TYPE_HANDLE ? "handle" : "object",
                (const void *)o->items);
    }
}

static void tree_print(FILE *out, const mp_obj *o, unsigned depth)
{
    if (!mp__type_is_container(o->type))
        scalar_print(out, o);
    else if (depth == MP__DEPTH)
        fputs("...", out);
    else
        container_print(out, o, depth);
}

void mp__obj_repr_to(FILE *out, const mp_obj *o)
{
    tree_print(out, o, 0);
}

static int print_with(const mp_obj *o, FILE *out, const char *end)
{
    if (out == NULL)
        return mp__fail(MP_EINVAL);
    flockfile(out);
    if (o->type == MP_TYPE_STR)
        fwrite(o->s, 1, o->len, out);
    else
        mp__obj_repr_to(out, o);
    fputs(end, out);
    bool failed = ferror(out) != 0;
    funlockfile(out);
    return failed ? mp__failf(-EIO, "the stream takes no more") : 0;
}

int mp_obj_print(mp_obj o, FILE *out)
{
    return print_with(&o, out, "");
}

int mp_obj_println(mp_obj o, FILE *out)
{
    return print_with(&o, out, "\n");
}

char *mp_obj_repr(mp_obj o)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL) {
        mp__fail(-ENOMEM);
        return NULL;
    }
    mp__obj_repr_to(out, &o);
    bool failed = ferror(out) != 0;
    if (fclose(out) != 0 || failed) {
        free(text);
        mp__fail(-ENOMEM);
        return NULL;
    }
    return text;
}
