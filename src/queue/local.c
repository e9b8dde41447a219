/* What each process keeps for itself of a queue: that it has closed it, and its descriptors.
 *
 * How it works
 *   A private list by address and serial; another queue that is born at the address of a destroyed
 *   one has another serial. The list only grows, by one CAS. Forked children inherit it as they
 *   inherit descriptors; a process that has no entry of a simple queue has no descriptors of it.
 */
#include "queue/queue.h"

#include <errno.h>
#include <stdlib.h>

static struct mp__local *_Atomic locals;

struct mp__local *mp__local_find(const mp_queue *q)
{
    uint32_t serial = atomic_load_explicit(&q->object.serial, memory_order_relaxed);
    /* acquire: an entry is complete when it is on the list */
    struct mp__local *local = atomic_load_explicit(&locals, memory_order_acquire);
    while (local != NULL && (local->q != q || local->serial != serial))
        local = local->next;
    return local;
}

struct mp__local *mp__local_make(const mp_queue *q)
{
    struct mp__local *local = calloc(1, sizeof *local);
    if (local == NULL)
        return NULL;
    local->q = q;
    local->serial = atomic_load_explicit(&q->object.serial, memory_order_relaxed);
    local->fds[0] = local->fds[1] = -1;
    local->next = atomic_load(&locals);
    while (!atomic_compare_exchange_weak(&locals, &local->next, local))
        ;
    return local;
}

bool mp__queue_is_closed(const mp_queue *q)
{
    const struct mp__local *local = mp__local_find(q);
    return local != NULL && atomic_load(&local->closed);
}

int mp_queue_close(mp_queue *q)
{
    int rc = mp__object_check(q, MP__KIND_QUEUE);
    if (rc != 0)
        return mp__fail(rc);
    struct mp__local *local = mp__local_find(q);
    if (local == NULL)
        local = mp__local_make(q);
    if (local == NULL)
        return mp__fail(-ENOMEM);
    atomic_store(&local->closed, true);
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
