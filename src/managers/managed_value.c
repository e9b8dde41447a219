/* The managed Value: one object that is set and got.
 *
 * How it works
 *   It stores a typecode, which nobody looks at, and a value of any type, as Python's does. As a
 *   whole it is sent as what Python pickles a Value as: a new one, whose state has both.
 */
#include "managers/containers.h"

#include <errno.h>
#include <stdlib.h>

struct value {
    struct mp__managed managed;
    mp_obj typecode, value;
};

static struct value *value_of(struct mp__managed *self)
{
    return (struct value *)self;
}

static int value_get(struct mp__managed *self, struct mp__call *call)
{
    int rc = mp__call_plain(call, 0, 0);
    if (rc == 0)
        call->value = mp_obj_view(value_of(self)->value);
    return rc;
}

static int value_set(struct mp__managed *self, struct mp__call *call)
{
    static const char *const names[] = {"value"};
    struct value *value = value_of(self);
    mp_obj kept, old = value->value;
    int rc = mp__call_takes(call, names, 1, 1);
    if (rc == 0)
        rc = mp__keep(self->host, mp__call_argument(call, 0, "value"), &kept);
    if (rc != 0)
        return rc;
    value->value = kept;
    mp__drop(self->host, &old);
    return 0;
}

static int value_print(struct mp__managed *self, struct mp__call *call)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        return mp__fail(-ENOMEM);
    fputs("Value(", out);
    mp__obj_repr_to(out, &value_of(self)->typecode);
    fputs(", ", out);
    mp__obj_repr_to(out, &value_of(self)->value);
    putc(')', out);
    return mp__answer_stream(call, out, &text);
}

static int value_getvalue(struct mp__managed *self, struct mp__call *call)
{
    mp_obj *room = mp__answer_room(call, 8);
    if (room == NULL)
        return -ENOMEM;
    mp_obj *state = room + 4;
    state[0] = mp_obj_str("_typecode");
    state[1] = value_of(self)->typecode;
    state[2] = mp_obj_str("_value");
    state[3] = value_of(self)->value;
    mp__answer_instance(call, room, "Value", mp_obj_dict(state, 2));
    return 0;
}

/* Value(typecode, value, lock=True) */
static int value_create(struct mp__managed *self, struct mp__call *call)
{
    static const char *const names[] = {"typecode", "value", "lock"};
    struct value *value = value_of(self);
    int rc = mp__call_takes(call, names, 2, 3);
    if (rc == 0)
        rc = mp__keep(self->host, mp__call_argument(call, 0, names[0]), &value->typecode);
    if (rc != 0)
        return rc;
    rc = mp__keep(self->host, mp__call_argument(call, 1, names[1]), &value->value);
    if (rc != 0)
        mp__drop(self->host, &value->typecode);
    return rc;
}

static void value_destroy(struct mp__managed *self)
{
    mp__drop(self->host, &value_of(self)->value);
    mp__drop(self->host, &value_of(self)->typecode);
}

const struct mp__type mp__type_value = {
    .name = "Value",
    .size = sizeof(struct value),
    .create = value_create,
    .destroy = value_destroy,
    .print = value_print,
    .getvalue = value_getvalue,
    .methods = (const struct mp__method[]){{"get", value_get, NULL},
                                           {"set", value_set, NULL},
                                           {NULL, NULL, NULL}},
};
