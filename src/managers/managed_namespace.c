/* The managed Namespace: attributes that are set and got by their names.
 *
 * How it works
 *   A table of names and values. As a whole it is sent as what Python pickles a Namespace as: a new
 *   one, made of nothing, whose state is the dict of its attributes.
 */
#include "managers/containers.h"
#include "managers/iterable.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct namespace_ {
    struct mp__managed managed;
    struct mp__table table;
};

static struct mp__table *table_of(struct mp__managed *self)
{
    return &((struct namespace_ *)self)->table;
}

/* The entry of the name that is the first argument. */
static int find(struct mp__managed *self, struct mp__call *call, size_t arguments, size_t *entry)
{
    char room[64];
    uint64_t hash;
    int rc = mp__call_plain(call, arguments, arguments);
    if (rc != 0)
        return rc;
    const mp_obj *name = &call->args.items[0];
    if (name->type != MP_TYPE_STR)
        return mp__failf(MP_ETYPE, "attribute name must be string, not '%s'",
                         mp__type_name(name, room));
    rc = mp__table_hash(name, &hash);
    if (rc == 0)
        *entry = mp__table_find(table_of(self), name, hash);
    return rc;
}

/* The same where it is the only argument, and must be there. */
static int find_there(struct mp__managed *self, struct mp__call *call, size_t *entry)
{
    int rc = find(self, call, 1, entry);
    if (rc != 0 || *entry != SIZE_MAX)
        return rc;
    const mp_obj *name = &call->args.items[0];
    return mp__failf(MP_EATTR, "'Namespace' object has no attribute '%.*s'", (int)name->len,
                     name->s);
}

static int namespace_get(struct mp__managed *self, struct mp__call *call)
{
    size_t entry;
    int rc = find_there(self, call, &entry);
    if (rc == 0)
        call->value = mp_obj_view(*mp__table_value(table_of(self), entry));
    return rc;
}

static int namespace_set(struct mp__managed *self, struct mp__call *call)
{
    size_t entry;
    int rc = find(self, call, 2, &entry);
    const mp_obj *args = call->args.items;
    return rc == 0 ? mp__table_put(table_of(self), &args[0], &args[1]) : rc;
}

static int namespace_delete(struct mp__managed *self, struct mp__call *call)
{
    size_t entry;
    int rc = find_there(self, call, &entry);
    if (rc == 0)
        mp__table_delete(table_of(self), entry);
    return rc;
}

/* ---- the whole ---------------------------------------------------------------------------- */

static int text_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void texts_free(char **texts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(texts[i]);
    free(texts);
}

/* name=repr(value); a name with a NUL is cut short there. */
static char *text_of(const mp_obj *name, const mp_obj *value)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        return NULL;
    fprintf(out, "%.*s=", (int)name->len, name->s);
    mp__obj_repr_to(out, value);
    bool failed = ferror(out) != 0;
    if (fclose(out) == 0 && !failed)
        return text;
    free(text);
    return NULL;
}

/* Python sorts the texts, not the names, and leaves out what begins with '_'. */
static char **texts_of(const mp_obj *all, size_t *n)
{
    char **texts = calloc(all->len + 1, sizeof *texts);
    *n = 0;
    for (size_t i = 0; i < all->len && texts != NULL; i++) {
        const mp_obj *name = &all->items[2 * i];
        if (name->len > 0 && name->s[0] == '_')
            continue;
        texts[*n] = text_of(name, name + 1);
        if (texts[*n] == NULL) {
            texts_free(texts, *n);
            return NULL;
        }
        ++*n;
    }
    if (texts != NULL)
        qsort(texts, *n, sizeof *texts, text_compare);
    return texts;
}

static int namespace_print(struct mp__managed *self, struct mp__call *call)
{
    const mp_obj all = mp__table_view(table_of(self), MP_TYPE_DICT);
    char *text = NULL;
    size_t n, size;
    char **texts = texts_of(&all, &n);
    FILE *out = texts != NULL ? open_memstream(&text, &size) : NULL;
    if (out == NULL) {
        if (texts != NULL)
            texts_free(texts, n);
        return mp__fail(-ENOMEM);
    }
    fputs("Namespace(", out);
    for (size_t i = 0; i < n; i++)
        fprintf(out, "%s%s", i > 0 ? ", " : "", texts[i]);
    putc(')', out);
    texts_free(texts, n);
    return mp__answer_stream(call, out, &text);
}

static int namespace_getvalue(struct mp__managed *self, struct mp__call *call)
{
    mp_obj *room = mp__answer_room(call, 4);
    if (room == NULL)
        return -ENOMEM;
    mp_obj state = mp__table_view(table_of(self), MP_TYPE_DICT);
    mp__answer_instance(call, room, "Namespace", state);
    return 0;
}

/* ---- the type ----------------------------------------------------------------------------- */

static int namespace_create(struct mp__managed *self, struct mp__call *call)
{
    mp__table_begin(table_of(self), self->host, 2);
    int rc = mp__call_expects(call, 0, 0);
    const mp_obj *names = call->kwargs.items;
    for (size_t i = 0; i < call->kwargs.len && rc == 0; i++)
        rc = mp__table_put(table_of(self), &names[2 * i], &names[2 * i + 1]);
    if (rc != 0)
        mp__table_clear(table_of(self));
    return rc;
}

static void namespace_destroy(struct mp__managed *self)
{
    mp__table_clear(table_of(self));
}

const struct mp__type mp__type_namespace = {
    .name = "Namespace",
    .size = sizeof(struct namespace_),
    .create = namespace_create,
    .destroy = namespace_destroy,
    .print = namespace_print,
    .getvalue = namespace_getvalue,
    .methods = (const struct mp__method[]){{"__getattribute__", namespace_get, NULL},
                                           {"__setattr__", namespace_set, NULL},
                                           {"__delattr__", namespace_delete, NULL},
                                           {NULL, NULL, NULL}},
};
