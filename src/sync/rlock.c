/* RLock: a word lock that its holder may take again.
 *
 * How it works
 *   The word names the holding thread, so a holder knows itself by the word alone. The depth is
 *   written by the holder only, and set to 1 by every fresh taker: what a dead holder left in it
 *   does not count. A death leaves the word with the dead's name; the heir starts at depth 1.
 */
#include "sync/sync.h"

#include <stdio.h>

int mp_rlock_create(mp_rlock **out)
{
    return mp__plain_create(MP__KIND_RLOCK, out);
}

/* Relaxed throughout for the depth: only the holder reads and writes it. */
static void depth_set(struct mp__object *object, uint32_t depth)
{
    atomic_store_explicit(&object->depth, depth, memory_order_relaxed);
}

static int rlock_hold_again(struct mp__object *object)
{
    uint32_t depth = atomic_load_explicit(&object->depth, memory_order_relaxed);
    if (depth == UINT32_MAX)
        return MP_EOVERFLOW;
    depth_set(object, depth + 1);
    return 0;
}

int mp__rlock_hold(const struct mp__ref *ref, uint64_t me, double timeout)
{
    struct mp__object *object = ref->object;
    uint64_t seen = 0;
    int rc = timeout == timeout ? 0 : MP_EINVAL;
    if (rc != 0)
        return rc;
    /* acquire: the last holder's work is seen; on failure only this thread's own word counts */
    if (!atomic_compare_exchange_strong_explicit(&object->word, &seen, me, memory_order_acquire,
                                                 memory_order_relaxed)) {
        if (((seen ^ me) & MP__HOLDER_MASK) == 0)
            return rlock_hold_again(object);
        rc = mp__hold_slowly(ref, me, timeout);
    }
    mp__step("rlock.taken");
    if (rc >= 0)
        depth_set(object, 1);
    return rc;
}

int mp__rlock_drop(struct mp__object *object, uint64_t me)
{
    uint64_t seen = atomic_load_explicit(&object->word, memory_order_relaxed);
    if (((seen ^ me) & MP__HOLDER_MASK) != 0)
        return MP_ESTATE;
    uint32_t depth = atomic_load_explicit(&object->depth, memory_order_relaxed);
    depth_set(object, depth - 1);
    mp__step("rlock.dropping");
    return depth > 1 ? 0 : mp__drop(object, seen);
}

int mp_rlock_acquire(mp_rlock *rlock, double timeout)
{
    uint64_t me;
    struct mp__ref ref = mp__ref_to(rlock);
    int rc = mp__rlock_check(rlock);
    if (rc == 0)
        rc = mp__self_word(&me);
    if (rc == 0)
        rc = mp__rlock_hold(&ref, me, timeout);
    return mp__result(rc);
}

int mp_rlock_release(mp_rlock *rlock)
{
    uint64_t me;
    int rc = mp__rlock_check(rlock);
    if (rc == 0)
        rc = mp__self_word(&me);
    if (rc == 0)
        rc = mp__rlock_drop(&rlock->object, me);
    return mp__result(rc);
}

bool mp_rlock_locked(mp_rlock *rlock)
{
    return mp__rlock_check(rlock) == 0 && atomic_load(&rlock->object.word) != 0;
}

bool mp_rlock_recovered(mp_rlock *rlock)
{
    return mp__rlock_check(rlock) == 0 && (atomic_load(&rlock->object.word) & MP__TOLD) != 0;
}

/* The lock of a value or an array ends with it, not by itself. */
void mp_rlock_destroy(mp_rlock *rlock)
{
    mp__plain_destroy(MP__KIND_RLOCK, rlock);
}

int mp_rlock_repr(mp_rlock *rlock, char *buf, size_t n)
{
    char text[400];
    int rc = mp__rlock_check(rlock);
    if (rc != 0 || (buf == NULL && n > 0))
        return mp__fail(rc != 0 ? rc : MP_EINVAL);
    mp__rlock_text(&rlock->object, text, sizeof text);
    return snprintf(buf, n, "%s", text);
}
