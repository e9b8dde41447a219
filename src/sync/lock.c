/* Lock: a thin face of the word lock. */
#include "sync/sync.h"

#include <stdio.h>

int mp_lock_create(mp_lock **out)
{
    return mp__plain_create(MP__KIND_LOCK, out);
}

int mp__hold_slowly(const struct mp__ref *ref, uint64_t me, double timeout)
{
    struct mp__object *object = ref->object;
    mp__moment until;
    int rc = mp__moment_of(timeout, &until);
    if (rc != 0)
        return rc;
    return mp__word_acquire(&object->word, &object->gate[0], me, until, ref);
}

int mp_lock_acquire(mp_lock *lock, double timeout)
{
    uint64_t me;
    struct mp__ref ref = mp__ref_to(lock);
    int rc = mp__object_check(lock, MP__KIND_LOCK);
    if (rc == 0)
        rc = mp__self_word(&me);
    if (rc == 0)
        rc = mp__hold(&ref, me, timeout);
    return mp__result(rc);
}

int mp_lock_release(mp_lock *lock)
{
    int rc = mp__object_check(lock, MP__KIND_LOCK);
    if (rc != 0)
        return mp__fail(rc);
    /* relaxed: whoever holds it, the CAS that frees it decides */
    uint64_t holder = atomic_load_explicit(&lock->object.word, memory_order_relaxed);
    return mp__result(mp__drop(&lock->object, holder));
}

bool mp_lock_locked(mp_lock *lock)
{
    return mp__object_check(lock, MP__KIND_LOCK) == 0 && atomic_load(&lock->object.word) != 0;
}

bool mp_lock_recovered(mp_lock *lock)
{
    return mp__object_check(lock, MP__KIND_LOCK) == 0 &&
           (atomic_load(&lock->object.word) & MP__TOLD) != 0;
}

void mp_lock_destroy(mp_lock *lock)
{
    mp__plain_destroy(MP__KIND_LOCK, lock);
}

/* Who holds `word`, in Python's words. */
static void holder_name(uint64_t word, char name[320])
{
    uint64_t me = 0;
    if (word == 0)
        snprintf(name, 320, "None");
    else if (mp__self_word(&me) != 0 || mp__owner_of(word) != mp__owner_of(me))
        snprintf(name, 320, "SomeOtherProcess");
    else if (((word ^ me) & MP__HOLDER_MASK) != 0)
        snprintf(name, 320, "SomeOtherThread");
    else if (mp__thread_is_first())
        snprintf(name, 320, "%s", mp__self_name());
    else
        snprintf(name, 320, "%s|Thread-%u", mp__self_name(),
                 (unsigned)(me >> MP__OWNER_BITS) & MP__THREADS);
}

void mp__lock_text(struct mp__object *object, char *buf, size_t n)
{
    char name[320];
    holder_name(atomic_load(&object->word), name);
    snprintf(buf, n, "<Lock(owner=%s)>", name);
}

void mp__rlock_text(struct mp__object *object, char *buf, size_t n)
{
    char name[320];
    uint64_t word = atomic_load(&object->word);
    uint64_t me;
    holder_name(word, name);
    if (word == 0 || (mp__self_word(&me) == 0 && mp__held_by(object, me)))
        snprintf(buf, n, "<RLock(%s, %u)>", name, word == 0 ? 0 : atomic_load(&object->depth));
    else
        snprintf(buf, n, "<RLock(%s, nonzero)>", name);
}

int mp_lock_repr(mp_lock *lock, char *buf, size_t n)
{
    char text[400];
    int rc = mp__object_check(lock, MP__KIND_LOCK);
    if (rc != 0 || (buf == NULL && n > 0))
        return mp__fail(rc != 0 ? rc : MP_EINVAL);
    mp__lock_text(&lock->object, text, sizeof text);
    return snprintf(buf, n, "%s", text);
}
