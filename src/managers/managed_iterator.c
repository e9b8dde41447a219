/* The managed Iterator: the keys of a dict or set, one by one.
 *
 * How it works
 *   It holds its container until it has come to the end. It knows the place of the next entry, and
 *   how many it has passed: where entries have moved together since the last call, the next one's
 *   place is that number. A container of another size than at the beginning ends it with an error,
 *   this time and every time after.
 */
#include "managers/containers.h"

#include <errno.h>

struct iterator {
    struct mp__managed managed;
    struct mp__managed *container; /* NULL: it has come to the end */
    struct mp__table *table;
    const char *changed; /* what to say */
    size_t size, passed, next;
    uint64_t moves;
    bool is_broken;
};

int mp__answer_keys(struct mp__managed *container, struct mp__call *call, struct mp__table *table,
                    const char *changed)
{
    int rc = mp__call_plain(call, 0, 0);
    if (rc != 0)
        return rc;
    struct mp__managed *managed = mp__managed_new(container->host, &mp__type_iterator);
    if (managed == NULL)
        return -ENOMEM;
    struct iterator *iterator = (struct iterator *)managed;
    mp__managed_hold(container);
    iterator->container = container;
    iterator->table = table;
    iterator->changed = changed;
    iterator->size = table->live;
    iterator->moves = table->moves;
    call->value = mp_obj_int((int64_t)(intptr_t)managed);
    return 0;
}

static void iterator_destroy(struct mp__managed *self)
{
    struct iterator *iterator = (struct iterator *)self;
    struct mp__managed *container = iterator->container;
    iterator->container = NULL;
    if (container != NULL)
        mp__managed_release(container);
}

static int iterator_next(struct mp__managed *self, struct mp__call *call)
{
    struct iterator *iterator = (struct iterator *)self;
    const struct mp__table *table = iterator->table;
    int rc = mp__call_plain(call, 0, 0);
    if (rc != 0)
        return rc;
    if (iterator->container == NULL)
        return mp__fail(MP_EEOF);
    if (iterator->is_broken || table->live != iterator->size) {
        iterator->is_broken = true;
        return mp__failf(MP_ESTATE, "%s", iterator->changed);
    }
    if (table->moves != iterator->moves)
        iterator->next = iterator->passed;
    iterator->moves = table->moves;
    size_t entry = mp__table_next(table, iterator->next);
    if (entry == SIZE_MAX) {
        iterator_destroy(self);
        return mp__fail(MP_EEOF);
    }
    iterator->next = entry + 1;
    iterator->passed++;
    call->value = mp_obj_view(*mp__table_key(table, entry));
    return 0;
}

/* Generators have these; nothing that is made here is one. */
static int iterator_send(struct mp__managed *self, struct mp__call *call)
{
    (void)self;
    (void)call;
    return mp__failf(MP_EATTR, "the iterator is no generator");
}

static int iterator_print(struct mp__managed *self, struct mp__call *call)
{
    int rc = mp_obj_format(&call->value, "<keyiterator object at %p>", (void *)self);
    return rc;
}

const struct mp__type mp__type_iterator = {
    .name = "Iterator",
    .size = sizeof(struct iterator),
    .destroy = iterator_destroy,
    .print = iterator_print,
    .methods = (const struct mp__method[]){{"__next__", iterator_next, NULL},
                                           {"send", iterator_send, NULL},
                                           {"throw", iterator_send, NULL},
                                           {"close", iterator_send, NULL},
                                           {NULL, NULL, NULL}},
};
