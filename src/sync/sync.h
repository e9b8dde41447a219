/* Locks and what is made of them, as the layers above and the files of this folder see them. */
#ifndef MP__SYNC_H
#define MP__SYNC_H

#include "memory/memory.h"

#include <mp/synchronize.h>

struct mp_lock {
    struct mp__object object;
};
struct mp_rlock {
    struct mp__object object;
};
struct mp_event {
    struct mp__object object;
};

/* An RLock stands at the head of values and arrays as well. */
static inline int mp__rlock_check(const void *p)
{
    const struct mp__object *object = p;
    if (object == NULL)
        return MP_EINVAL;
    /* relaxed: who has the pointer saw the object made */
    uint32_t kind = atomic_load_explicit(&object->kind, memory_order_relaxed);
    return (kind & ~UINT32_C(15)) == MP__KIND_RLOCK ? 0 : mp__object_fault(kind);
}

int mp__hold_slowly(const struct mp__ref *ref, uint64_t me, double timeout);

/* Takes the object's word for `me` once; 0, MP_RECOVERED, MP_ETIMEOUT, MP_EINVAL, MP_ECLOSED. */
static inline int mp__hold(const struct mp__ref *ref, uint64_t me, double timeout)
{
    uint64_t free_word = 0;
    struct mp__object *object = ref->object;
    if (timeout == timeout && /* acquire: the last holder's work is seen; nothing on failure */
        atomic_compare_exchange_strong_explicit(&object->word, &free_word, me, memory_order_acquire,
                                                memory_order_relaxed)) {
        mp__step("lock.taken");
        return 0;
    }
    return mp__hold_slowly(ref, me, timeout);
}

/* Frees the object's word, which was `seen` to be held; MP_ESTATE if that changed. */
static inline int mp__drop(struct mp__object *object, uint64_t seen)
{
    uint64_t holder = seen;
    mp__step("lock.dropping");
    /* release: the next holder sees this one's work; relaxed on failure, nothing is read then */
    if (holder != 0 && (holder & MP__SLEEPERS) == 0 &&
        atomic_compare_exchange_strong_explicit(&object->word, &holder, 0, memory_order_release,
                                                memory_order_relaxed))
        return 0;
    return mp__word_release(&object->word, &object->gate[0], seen);
}

static inline bool mp__held_by(const struct mp__object *object, uint64_t me)
{
    /* relaxed: only the holder itself can make this true or false */
    uint64_t word = atomic_load_explicit(&object->word, memory_order_relaxed);
    return ((word ^ me) & MP__HOLDER_MASK) == 0;
}

/* The RLock at the head of an object, without checks. */
int mp__rlock_hold(const struct mp__ref *ref, uint64_t me, double timeout);
int mp__rlock_drop(struct mp__object *object, uint64_t me);
void mp__rlock_text(struct mp__object *object, char *buf, size_t n);
void mp__lock_text(struct mp__object *object, char *buf, size_t n);

/* What creating a lock, an RLock and an event has in common: nothing is left to fill in. */
int mp__plain_create(enum mp__kind kind, void *out);
/* Destroys an object of `kind`, whatever `p` is. */
void mp__plain_destroy(enum mp__kind kind, void *p);

/* The end of each public call that returns a code. */
static inline int mp__result(int rc)
{
    return rc < 0 ? mp__fail(rc) : rc;
}

#endif
