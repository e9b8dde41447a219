/* Semaphore: a count in one word, or, when asked to reclaim, units.
 *
 * How it works
 *   word = sleepers:1 | serial:31 | value:32; acquire and release are one CAS each. A unit may mean
 *   "an item is there", so nothing remembers who took it and nothing comes back from the dead. The
 *   serial keeps a late call from the units of the next semaphore in the same place. The sleepers
 *   bit works as in the word lock: set before parking, cleared by the release that posts, set
 *   again by a taker that slept, which also passes a token on while there is value left.
 *   A death leaves the value as it was or as it should be; a lost token costs a slice.
 */
#include "sync/units.h"

#include <limits.h>
#include <stdio.h>

struct mp_semaphore {
    struct mp__units units; /* detail: 1 if it reclaims, and then only has it units */
};

#define VALUE(word) ((uint32_t)(word))

static uint64_t no_units(const struct mp__ref *ref)
{
    return (uint64_t)ref->serial << 32 & ~MP__SLEEPERS;
}

static bool is_of(const struct mp__ref *ref, uint64_t word)
{
    return ((word & ~MP__SLEEPERS) ^ no_units(ref)) >> 32 == 0;
}

static bool reclaims(const mp_semaphore *semaphore)
{
    return semaphore->units.object.detail != 0;
}

int mp_semaphore_create(mp_semaphore **out, unsigned value, const mp_semaphore_options *options)
{
    bool reclaim = options != NULL && options->reclaim;
    if (value > INT_MAX)
        return mp__fail(MP_EOVERFLOW);
    if (out == NULL || (reclaim && value > MP__UNITS_MAX))
        return mp__fail(MP_EINVAL);
    mp_semaphore *semaphore;
    int rc = mp__units_create(MP__KIND_SEMAPHORE, reclaim ? value : 0, reclaim ? MP__UNITS_MAX : 0,
                              &semaphore);
    if (rc != 0)
        return mp__fail(rc);
    semaphore->units.object.detail = reclaim;
    struct mp__ref ref = mp__ref_to(semaphore);
    if (!reclaim)
        atomic_store(&semaphore->units.object.word, no_units(&ref) | value);
    mp__object_publish(semaphore, MP__KIND_SEMAPHORE);
    *out = semaphore;
    return 0;
}

/* Takes one from the word if there is one; `kept` is the sleepers bit of a taker that slept. */
static bool count_try(const struct mp__ref *ref, uint64_t kept)
{
    struct mp__object *object = ref->object;
    uint64_t seen = atomic_load_explicit(&object->word, memory_order_relaxed);
    while (VALUE(seen) > 0 && is_of(ref, seen)) {
        uint64_t next = (seen - 1) | kept;
        /* acquire: pairs with the release of who gave the unit; nothing is read on failure */
        if (!atomic_compare_exchange_weak_explicit(&object->word, &seen, next, memory_order_acquire,
                                                   memory_order_relaxed))
            continue;
        mp__step("semaphore.taken");
        if (kept != 0 && VALUE(next) > 0)
            mp__gate_post(&object->gate[0]);
        return true;
    }
    return false;
}

static bool count_spin(const struct mp__ref *ref)
{
    struct mp__spin spin;
    if (!mp__spin_begin(&spin, MP__SPIN_WAKE))
        return false;
    bool taken = false;
    do
        taken = count_try(ref, 0);
    while (!taken && mp__spin_again(&spin));
    mp__spin_ended(&spin, taken);
    return taken;
}

/* Sets the sleepers bit; false if there are units instead. */
static bool count_wants(const struct mp__ref *ref)
{
    uint64_t seen = no_units(ref);
    return atomic_compare_exchange_strong(&ref->object->word, &seen, seen | MP__SLEEPERS) ||
           VALUE(seen) == 0;
}

/* Leaves without a unit, perhaps with a token that was meant for another sleeper. */
static int count_give_up(const struct mp__ref *ref, bool slept, int code)
{
    if (slept && (code == MP_ECLOSED || !count_wants(ref)))
        mp__gate_post(&ref->object->gate[0]);
    return code;
}

static int count_wait(const struct mp__ref *ref, mp__moment until)
{
    struct mp__object *object = ref->object;
    int64_t slice = MP__SLICE_FIRST;
    uint64_t kept = 0;
    for (;;) {
        if (mp__ref_ended(ref))
            return count_give_up(ref, kept != 0, MP_ECLOSED);
        if (count_try(ref, kept))
            return 0;
        if (mp__moment_passed(until))
            return count_give_up(ref, kept != 0, MP_ETIMEOUT);
        if (!count_wants(ref))
            continue;
        mp__step("semaphore.parking");
        mp__gate_wait(&object->gate[0], mp__slice_end(&slice, until));
        mp__step("semaphore.woken");
        kept = MP__SLEEPERS;
    }
}

static int count_acquire(const struct mp__ref *ref, double timeout)
{
    mp__moment until;
    if (timeout == timeout && count_try(ref, 0))
        return 0;
    int rc = mp__moment_of(timeout, &until);
    if (rc != 0)
        return rc;
    if (until != 0 && count_spin(ref))
        return 0;
    return count_wait(ref, until);
}

static int count_release(const struct mp__ref *ref)
{
    struct mp__object *object = ref->object;
    uint64_t seen = atomic_load_explicit(&object->word, memory_order_relaxed);
    do
        if (!is_of(ref, seen) || VALUE(seen) >= INT_MAX)
            return is_of(ref, seen) ? MP_ESTATE : MP_ECLOSED;
    /* release: who takes the unit sees what was done before it was given */
    while (!atomic_compare_exchange_weak_explicit(&object->word, &seen, (seen & ~MP__SLEEPERS) + 1,
                                                  memory_order_release, memory_order_relaxed));
    mp__step("semaphore.released");
    if (seen & MP__SLEEPERS)
        mp__gate_post(&object->gate[0]);
    return 0;
}

int mp_semaphore_acquire(mp_semaphore *semaphore, double timeout)
{
    struct mp__ref ref = mp__ref_to(semaphore);
    int rc = mp__object_check(semaphore, MP__KIND_SEMAPHORE);
    if (rc == 0)
        rc = reclaims(semaphore) ? mp__units_acquire(&ref, timeout) : count_acquire(&ref, timeout);
    return mp__result(rc);
}

int mp_semaphore_release(mp_semaphore *semaphore)
{
    struct mp__ref ref = mp__ref_to(semaphore);
    int rc = mp__object_check(semaphore, MP__KIND_SEMAPHORE);
    if (rc == 0)
        rc = reclaims(semaphore) ? mp__units_release(&semaphore->units) : count_release(&ref);
    return mp__result(rc);
}

static int value_of(mp_semaphore *semaphore)
{
    if (reclaims(semaphore))
        return mp__units_value(&semaphore->units);
    return (int)VALUE(atomic_load(&semaphore->units.object.word));
}

int mp_semaphore_get_value(mp_semaphore *semaphore)
{
    int rc = mp__object_check(semaphore, MP__KIND_SEMAPHORE);
    return mp__result(rc != 0 ? rc : value_of(semaphore));
}

bool mp_semaphore_locked(mp_semaphore *semaphore)
{
    return mp__object_check(semaphore, MP__KIND_SEMAPHORE) == 0 && value_of(semaphore) == 0;
}

void mp_semaphore_destroy(mp_semaphore *semaphore)
{
    mp__plain_destroy(MP__KIND_SEMAPHORE, semaphore);
}

int mp_semaphore_repr(mp_semaphore *semaphore, char *buf, size_t n)
{
    int rc = mp__object_check(semaphore, MP__KIND_SEMAPHORE);
    if (rc != 0 || (buf == NULL && n > 0))
        return mp__fail(rc != 0 ? rc : MP_EINVAL);
    return snprintf(buf, n, "<Semaphore(value=%d)>", value_of(semaphore));
}
