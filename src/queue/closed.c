/* Which queues this process has closed: a matter of each process, not of the shared object.
 *
 * How it works
 *   A small private table of addresses and serials; another queue that is born at the address of a
 *   destroyed one has another serial and is open. Forked children inherit the table, as in Python.
 */
#include "queue/queue.h"

#include <errno.h>
#include <stdlib.h>

struct closed {
    struct closed *next;
    const mp_queue *q;
    uint32_t serial;
};

static struct closed *_Atomic closed_queues; /* only ever grows, by one CAS */

bool mp__queue_is_closed(mp_queue *q)
{
    struct closed *c = atomic_load_explicit(&closed_queues, memory_order_acquire);
    for (; c != NULL; c = c->next)
        if (c->q == q && c->serial == mp__object_serial(&q->object))
            return true;
    return false;
}

int mp_queue_close(mp_queue *q)
{
    int rc = mp__object_check(q, MP__KIND_QUEUE);
    if (rc != 0)
        return mp__fail(rc);
    if (mp__queue_is_closed(q))
        return 0;
    struct closed *c = malloc(sizeof *c);
    if (c == NULL)
        return mp__fail(-ENOMEM);
    *c = (struct closed){atomic_load(&closed_queues), q, mp__object_serial(&q->object)};
    while (!atomic_compare_exchange_weak(&closed_queues, &c->next, c))
        ;
    return 0;
}

int mp_queue_join_thread(mp_queue *q)
{
    int rc = mp__object_check(q, MP__KIND_QUEUE);
    if (rc == 0 && !mp__queue_is_closed(q))
        rc = MP_ESTATE;
    return rc != 0 ? mp__fail(rc) : 0;
}

int mp_queue_cancel_join_thread(mp_queue *q)
{
    int rc = mp__object_check(q, MP__KIND_QUEUE);
    return rc != 0 ? mp__fail(rc) : 0;
}
