/* The word lock under everything: one 64-bit word that names its holder.
 *
 * How it works
 *   word = sleepers:1 | told:1 | thread | owner:43; 0 is free. Taking it is one CAS from 0 to
 *   the holder, so there is no instant at which it is held and nobody knows by whom. Freeing it is
 *   one CAS from the holder to 0; of the holder, somebody who releases in its place, and an heir
 *   that found it dead, exactly one wins.
 *   A thread that must wait sets the sleepers bit and parks on the gate in slices. A release that
 *   cleared the bit posts the gate. Who slept takes the word with the bit set, as others may be
 *   asleep still. A sleeper looks whether the holder is dead after a slice without a post, or when
 *   a post woke it and the word is as it was; then it takes the word over by CAS from the dead
 *   holder's word, which only one heir can do.
 *
 *   A death leaves: before the CAS nothing; holding, the word with the dead's name, which the next
 *   comer inherits; after the release, perhaps no post, so sleepers wait for the end of their
 *   slice; woken and not yet holding, a token lost, with the same cost. The sleepers bit left by a
 *   dead sleeper costs one spare post.
 */
#include "memory/memory.h"

static bool word_try(_Atomic uint64_t *word, uint64_t mine)
{
    uint64_t free_word = 0;
    /* acquire: what the last holder wrote is seen; relaxed on failure, nothing is read then */
    return atomic_compare_exchange_strong_explicit(word, &free_word, mine, memory_order_acquire,
                                                   memory_order_relaxed);
}

static bool word_spin(_Atomic uint64_t *word, uint64_t me)
{
    struct mp__spin spin;
    if (!mp__spin_begin(&spin, MP__SPIN_LOCK))
        return false;
    bool taken = false;
    do
        taken = atomic_load_explicit(word, memory_order_relaxed) == 0 && word_try(word, me);
    while (!taken && mp__spin_again(&spin));
    mp__spin_ended(&spin, taken);
    return taken;
}

/* Leaves without the lock; if a post was used up for that, another sleeper gets one. */
static int word_give_up(_Atomic uint64_t *word, mp__gate *gate, bool woken, int code)
{
    if (!woken)
        return code;
    uint64_t seen = atomic_load(word);
    while (seen != 0 && code != MP_ECLOSED)
        if (atomic_compare_exchange_weak(word, &seen, seen | MP__SLEEPERS))
            return code;
    mp__gate_post(gate);
    return code;
}

/* A sleeper that outlived its object may have taken the word of the next one at that address. */
static int word_taken(_Atomic uint64_t *word, mp__gate *gate, uint64_t me, int code,
                      const struct mp__ref *ref)
{
    if (ref == NULL || !mp__ref_ended(ref))
        return code;
    mp__word_release(word, gate, me);
    return MP_ECLOSED;
}

static bool word_take_over(_Atomic uint64_t *word, uint64_t dead_word, uint64_t mine)
{
    mp__step("guard.heir");
    mine |= MP__TOLD | (dead_word & MP__SLEEPERS);
    return atomic_compare_exchange_strong(word, &dead_word, mine);
}

/* Who waits for a change under the object's lock is to look again. */
static void heir_count(struct mp__object *object)
{
    atomic_fetch_add(&object->heirs, 1);
    mp__step("guard.counted");
}

bool mp__word_inherit(struct mp__object *object, uint64_t me)
{
    uint64_t seen = atomic_load(&object->word);
    if (seen == 0 || !mp__dead(mp__owner_of(seen)) || !word_take_over(&object->word, seen, me))
        return false;
    heir_count(object);
    return true;
}

/* A post comes from a release, or from a reaper, which freed the slot of the dead before: then no
   system call is needed to know. */
static bool holder_is_dead(uint64_t seen, bool posted)
{
    return posted ? mp__gone(mp__owner_of(seen)) : mp__dead(mp__owner_of(seen));
}

static int word_wait(_Atomic uint64_t *word, mp__gate *gate, uint64_t me, mp__moment until,
                     const struct mp__ref *ref)
{
    int64_t slice = MP__SLICE_FIRST;
    uint64_t kept = 0; /* the sleepers bit, once this thread has slept */
    bool woken = false, suspect = false;
    for (;;) {
        if (ref != NULL && mp__ref_ended(ref))
            return word_give_up(word, gate, woken, MP_ECLOSED);
        uint64_t seen = atomic_load(word);
        if (seen == 0) {
            if (word_try(word, me | kept))
                return word_taken(word, gate, me, 0, ref);
            continue;
        }
        bool late = mp__moment_passed(until);
        if ((late || suspect) && holder_is_dead(seen, woken && !late)) {
            if (!word_take_over(word, seen, me | kept))
                continue;
            if (ref != NULL && word == &ref->object->word)
                heir_count(ref->object);
            return word_taken(word, gate, me, MP_RECOVERED, ref);
        }
        if (late)
            return word_give_up(word, gate, woken, MP_ETIMEOUT);
        if (!(seen & MP__SLEEPERS) &&
            !atomic_compare_exchange_strong(word, &seen, seen | MP__SLEEPERS))
            continue;
        mp__step("guard.parking");
        woken = mp__gate_wait(gate, mp__slice_end(&slice, until));
        mp__step("guard.woken");
        kept = MP__SLEEPERS;
        suspect = !woken || ((atomic_load(word) ^ seen) & MP__HOLDER_MASK) == 0;
    }
}

int mp__word_acquire(_Atomic uint64_t *word, mp__gate *gate, uint64_t me, mp__moment until,
                     const struct mp__ref *ref)
{
    if (word_try(word, me) || (until != 0 && word_spin(word, me))) {
        mp__step("guard.taken");
        return word_taken(word, gate, me, 0, ref);
    }
    int rc = word_wait(word, gate, me, until, ref);
    mp__step("guard.taken");
    return rc;
}

int mp__word_release(_Atomic uint64_t *word, mp__gate *gate, uint64_t holder)
{
    uint64_t seen = atomic_load_explicit(word, memory_order_relaxed);
    mp__step("guard.releasing");
    /* only the sleepers bit may change under the holder; release: the next holder sees its work */
    do
        if (((seen ^ holder) & MP__HOLDER_MASK) != 0 || seen == 0)
            return MP_ESTATE;
    while (!atomic_compare_exchange_weak_explicit(word, &seen, 0, memory_order_release,
                                                  memory_order_relaxed));
    mp__step("guard.released");
    if (seen & MP__SLEEPERS)
        mp__gate_post(gate);
    return 0;
}
