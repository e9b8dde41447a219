/* What mp_wait knows of each kind of item, told by the layer that the kind belongs to. */
#ifndef MP__WAIT_H
#define MP__WAIT_H

#include "platform/platform.h"

#include <mp/connection.h>

/* Calls return 0, or a code which mp_wait then answers; they report nothing by themselves. They
   change nothing: what is ready stays so until somebody takes it. */
struct mp__wait_class {
    /* 1 when the item is ready, 0 when it is not. NULL: its descriptor alone tells. */
    int (*ready)(const mp_waitable *item);

    /* *fd: a descriptor that poll finds readable when the item is ready, or -1. NULL: none. An item
       without one is asked by `ready` again and again. */
    int (*descriptor)(const mp_waitable *item, int *fd);

    /* Sleeps on the item's own gate for at most one of its slices, and returns early when it may be
       ready; for a wait that is for nothing else. NULL: such an item is asked in slices too. */
    void (*park)(const mp_waitable *item, mp__moment until);
};

/* Kinds nobody registered are MP_EINVAL. The class must stay. Once or often, from any thread. */
void mp__wait_register(mp_wait_kind kind, const struct mp__wait_class *kind_class);

#endif
