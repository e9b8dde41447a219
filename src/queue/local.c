/* What each process keeps for itself of a queue: that it has closed it, and its descriptors.
 *
 * How it works
 *   A private list of entries by address and serial; another queue that is born at the address of a
 *   destroyed one has another serial. Entries stay on the list; one whose queue has ended and whose
 *   descriptors are closed serves the next queue. Forked children inherit the list as they inherit
 *   descriptors; a process that has no entry of a simple queue has no descriptors of it.
 */
#include "queue/queue.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define BUSY UINT64_C(1) /* somebody is filling it in; no queue stands at the arena's head */

static struct mp__local *_Atomic locals;

static uint64_t key_of(const mp_queue *q)
{
    uint32_t serial = atomic_load_explicit(&q->object.serial, memory_order_relaxed);
    return (uint64_t)serial << 32 | mp__piece_ref(q);
}

static bool is_over(uint64_t key)
{
    return mp__object_ended(mp__piece_at((uint32_t)key), (uint32_t)(key >> 32));
}

struct mp__local *mp__local_find(const mp_queue *q)
{
    /* acquire: an entry is complete when it is on the list, and when it has its key */
    struct mp__local *local = atomic_load_explicit(&locals, memory_order_acquire);
    if (local == NULL)
        return NULL;
    uint64_t key = key_of(q);
    while (local != NULL && atomic_load_explicit(&local->key, memory_order_acquire) != key)
        local = local->next;
    return local;
}

static struct mp__local *local_reuse(void)
{
    struct mp__local *local = atomic_load(&locals);
    for (; local != NULL; local = local->next) {
        uint64_t key = atomic_load(&local->key);
        if (key != BUSY && is_over(key) && atomic_load(&local->fds[0]) < 0 &&
            atomic_load(&local->fds[1]) < 0 &&
            atomic_compare_exchange_strong(&local->key, &key, BUSY))
            return local;
    }
    return NULL;
}

static struct mp__local *local_add(void)
{
    struct mp__local *local = calloc(1, sizeof *local);
    if (local == NULL)
        return NULL;
    atomic_store(&local->key, BUSY);
    local->next = atomic_load(&locals);
    while (!atomic_compare_exchange_weak(&locals, &local->next, local))
        ;
    return local;
}

struct mp__local *mp__local_make(const mp_queue *q, const int fds[2])
{
    struct mp__local *local = local_reuse();
    if (local == NULL)
        local = local_add();
    if (local == NULL)
        return NULL;
    atomic_store(&local->closed, false);
    for (int i = 0; i < 2; i++)
        atomic_store(&local->fds[i], fds != NULL ? fds[i] : -1);
    atomic_store(&local->key, key_of(q));
    return local;
}

void mp__local_close(struct mp__local *local)
{
    atomic_store(&local->closed, true);
    for (int i = 0; i < 2; i++) {
        int fd = atomic_exchange(&local->fds[i], -1);
        if (fd >= 0)
            close(fd);
    }
}

bool mp__local_bury(const mp_queue *q)
{
    bool any = false;
    struct mp__local *local = atomic_load(&locals);
    for (; local != NULL; local = local->next) {
        uint64_t key = atomic_load(&local->key);
        if (key == BUSY || (uint32_t)key != mp__piece_ref(q) || !is_over(key) ||
            atomic_load(&local->fds[0]) < 0)
            continue;
        mp__local_close(local);
        any = true;
    }
    return any;
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
        local = mp__local_make(q, NULL);
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
