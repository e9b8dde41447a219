/* How objects come about and go: literals, copies, formatted strings.
 *
 * How it works
 *   An owned tree is one block: the items of all containers, then the bytes of all str and bytes,
 *   each followed by a NUL. The root names the block by its own items, and says in `reserved` how
 *   many others stand before them. An owned str or bytes is its own block; an owned number, None or
 *   empty container has none.
 */
#include "wire/objects.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

mp_obj mp_obj_none(void)
{
    return (mp_obj){.type = MP_TYPE_NONE};
}

mp_obj mp_obj_bool(bool b)
{
    return (mp_obj){.type = MP_TYPE_BOOL, .i = b}; /* all of the union, whichever is read */
}

mp_obj mp_obj_int(int64_t i)
{
    return (mp_obj){.type = MP_TYPE_INT, .i = i};
}

mp_obj mp_obj_float(double f)
{
    return (mp_obj){.type = MP_TYPE_FLOAT, .f = f};
}

mp_obj mp_obj_str(const char *s)
{
    return s == NULL ? mp_obj_none() : mp_obj_strn(s, strlen(s));
}

mp_obj mp_obj_strn(const char *s, size_t n)
{
    return (mp_obj){.type = MP_TYPE_STR, .len = n, .s = n > 0 ? s : ""};
}

mp_obj mp_obj_bytes(const void *bytes, size_t n)
{
    return (mp_obj){.type = MP_TYPE_BYTES, .len = n, .bytes = n > 0 ? bytes : (const void *)""};
}

static mp_obj container(mp_type type, const mp_obj *items, size_t n)
{
    return (mp_obj){.type = (uint8_t)type, .len = n, .items = n > 0 ? items : NULL};
}

mp_obj mp_obj_list(const mp_obj *items, size_t n)
{
    return container(MP_TYPE_LIST, items, n);
}

mp_obj mp_obj_tuple(const mp_obj *items, size_t n)
{
    return container(MP_TYPE_TUPLE, items, n);
}

mp_obj mp_obj_set(const mp_obj *items, size_t n)
{
    return container(MP_TYPE_SET, items, n);
}

mp_obj mp_obj_frozenset(const mp_obj *items, size_t n)
{
    return container(MP_TYPE_FROZENSET, items, n);
}

mp_obj mp_obj_dict(const mp_obj *keys_and_values, size_t pairs)
{
    return container(MP_TYPE_DICT, keys_and_values, pairs);
}

mp_obj mp__obj_opaque(const mp_obj items[4], bool is_new)
{
    return (mp_obj){.type = MP__TYPE_OPAQUE, .reserved = {is_new}, .len = 4, .items = items};
}

mp_obj mp__obj_proxy(const mp_obj items[MP__PROXY_ITEMS])
{
    return (mp_obj){.type = MP_TYPE_PROXY, .len = MP__PROXY_ITEMS, .items = items};
}

mp_obj mp__obj_token(struct mp__token *token, mp_obj typeid, mp_obj address, mp_obj id)
{
    token->state[0] = typeid;
    token->state[1] = address;
    token->state[2] = id;
    token->items[MP__OPAQUE_MODULE] = mp_obj_str(MP__MANAGERS_MODULE);
    token->items[MP__OPAQUE_NAME] = mp_obj_str("Token");
    token->items[MP__OPAQUE_ARGS] = mp_obj_tuple(NULL, 0);
    token->items[MP__OPAQUE_STATE] = mp_obj_tuple(token->state, 3);
    return mp__obj_opaque(token->items, true);
}

mp_obj mp_obj_view(mp_obj o)
{
    o.owned = 0;
    return o;
}

void mp_obj_free(mp_obj *o)
{
    if (o == NULL)
        return;
    if (o->owned && (o->type == MP_TYPE_STR || o->type == MP_TYPE_BYTES))
        free((void *)(uintptr_t)o->s);
    else if (o->owned && mp__type_is_container(o->type) && o->items != NULL)
        free((void *)(uintptr_t)(o->items - mp__obj_ahead(o)));
    *o = mp_obj_none();
}

struct measure {
    size_t items, bytes;
};

/* NOLINTBEGIN(clang-analyzer-core.NullDereference,clang-analyzer-core.NonNullParamChecker,
   clang-analyzer-unix.Malloc): that a tree's root names its block, and that what was measured fits
   there, is more than the analyser follows. */
static int tree_measure(const mp_obj *o, unsigned depth, struct measure *measure)
{
    if (o->type == MP_TYPE_STR || o->type == MP_TYPE_BYTES) {
        measure->bytes += o->len + 1;
        return 0;
    }
    if (!mp__type_is_container(o->type))
        return o->type <= MP_TYPE_HANDLE || o->type == MP__TYPE_POISON ? 0 : MP_EINVAL;
    if (depth == MP__DEPTH)
        return MP_EOVERFLOW;
    size_t n = mp__obj_items(o);
    measure->items += n;
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = tree_measure(&o->items[i], depth + 1, measure);
    return rc;
}

/* Where the next items and the next bytes go. */
struct block {
    mp_obj *items;
    char *bytes;
};

static mp_obj tree_copy(const mp_obj *o, struct block *block)
{
    mp_obj copy = *o;
    copy.owned = 0;
    if (o->type == MP_TYPE_STR || o->type == MP_TYPE_BYTES) {
        copy.s = block->bytes;
        if (o->len > 0)
            memcpy(block->bytes, o->s, o->len);
        block->bytes[o->len] = '\0';
        block->bytes += o->len + 1;
    } else if (mp__type_is_container(o->type) && o->len > 0) {
        mp__obj_set_ahead(&copy, 0);
        size_t n = mp__obj_items(o);
        mp_obj *items = block->items;
        block->items += n;
        copy.items = items;
        for (size_t i = 0; i < n; i++)
            items[i] = tree_copy(&o->items[i], block);
    }
    return copy;
}

int mp_obj_copy(mp_obj o, mp_obj *out)
{
    struct measure measure = {0, 0};
    size_t size;
    int rc = out == NULL ? MP_EINVAL : tree_measure(&o, 0, &measure);
    if (rc == MP_EOVERFLOW)
        return mp__failf(rc, "more than %d levels deep", MP__DEPTH);
    if (rc != 0)
        return mp__fail(rc);
    if (!mp__size_mul(measure.items, sizeof(mp_obj), &size) ||
        !mp__size_add(size, measure.bytes, &size))
        return mp__fail(-ENOMEM);
    void *memory = NULL;
    if (size > 0 && (memory = malloc(size)) == NULL)
        return mp__fail(-ENOMEM);
    struct block block = {memory, NULL};
    if (memory != NULL)
        block.bytes = (char *)memory + measure.items * sizeof(mp_obj);
    mp_obj copy = tree_copy(&o, &block);
    if (mp__type_is_container(o.type) && o.len == 0)
        copy.items = NULL;
    copy.owned = 1;
    *out = copy;
    return 0;
}

/* NOLINTEND(clang-analyzer-core.NullDereference,clang-analyzer-core.NonNullParamChecker,
   clang-analyzer-unix.Malloc) */

int mp__obj_take(mp_obj *whole, size_t i, mp_obj *out)
{
    mp_obj item = whole->items[i];
    bool in_block = mp__type_is_container(item.type) && item.items != NULL;
    if (in_block) {
        const mp_obj *block = whole->items - mp__obj_ahead(whole);
        mp__obj_set_ahead(&item, (uint32_t)(item.items - block));
        item.owned = 1;
        *whole = mp_obj_none();
        *out = item;
        return 0;
    }
    int rc = mp_obj_copy(item, out);
    if (rc == 0)
        mp_obj_free(whole);
    return rc;
}

int mp_obj_format(mp_obj *out, const char *format, ...)
{
    if (out == NULL || format == NULL)
        return mp__fail(MP_EINVAL);
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    char *text = n < 0 ? NULL : malloc((size_t)n + 1);
    if (text != NULL)
        vsnprintf(text, (size_t)n + 1, format, again);
    va_end(again);
    va_end(args);
    if (text == NULL)
        return mp__fail(n < 0 ? MP_EINVAL : -ENOMEM);
    *out = mp_obj_strn(text, (size_t)n);
    out->s = text;
    out->owned = 1;
    return 0;
}
