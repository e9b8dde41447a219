/* Units: the places of a semaphore, one word for each.
 *
 * How it works
 *   A unit word is 0 (free), a holder as in a lock word, or ABSENT (a place that a reclaiming
 *   semaphore may still come to have). Acquire is one CAS of some word from 0 to the holder,
 *   release one CAS back to 0; the value is the number of zeros, so there is no count to get
 *   wrong, and no instant at which a unit is taken and nobody knows by whom.
 *   Who must wait stores 1 in the object's word, looks through the units once more, and parks in
 *   slices; a release frees its unit first and looks at the object's word afterwards. Both sides
 *   are sequentially consistent, so one of them sees the other. Who slept leaves the word at 1 for
 *   those who may still sleep, and passes a token on if another unit is free.
 *   A death leaves unit words with the dead's name: they count as held until an acquire finds no
 *   free one, looks who is dead and takes over by CAS from the dead word.
 */
#include "sync/units.h"

#define ABSENT UINT64_MAX

static _Atomic uint64_t *unit_at(struct mp__units *units, size_t i)
{
    return (_Atomic uint64_t *)(void *)(units + 1) + i;
}

int mp__units_create(enum mp__kind kind, unsigned value, unsigned capacity, void *out)
{
    struct mp__units *units;
    size_t size = sizeof *units + capacity * sizeof(uint64_t);
    int rc = mp__object_make(kind, size, &units);
    if (rc != 0)
        return rc;
    units->object.length = capacity;
    for (unsigned i = value; i < capacity; i++)
        atomic_store(unit_at(units, i), ABSENT);
    *(void **)out = units;
    return 0;
}

static size_t units_count(const struct mp__units *units)
{
    return (size_t)units->object.length;
}

/* The unit taken, or NULL. */
static _Atomic uint64_t *units_try(struct mp__units *units, uint64_t me)
{
    for (size_t i = 0; i < units_count(units); i++) {
        uint64_t seen = atomic_load(unit_at(units, i));
        if (seen == ABSENT)
            return NULL; /* places come to be in order */
        if (seen == 0 && atomic_compare_exchange_strong(unit_at(units, i), &seen, me)) {
            mp__step("units.taken");
            return unit_at(units, i);
        }
    }
    return NULL;
}

/* The units of ended processes only; consecutive words of one owner are judged once. */
static _Atomic uint64_t *units_inherit(struct mp__units *units, uint64_t me)
{
    mp__owner judged = 0;
    bool dead = false;
    for (size_t i = 0; i < units_count(units); i++) {
        uint64_t seen = atomic_load(unit_at(units, i));
        if (seen == 0 || seen == ABSENT)
            continue;
        if (mp__owner_of(seen) != judged) {
            judged = mp__owner_of(seen);
            dead = mp__dead(judged);
        }
        if (dead && atomic_compare_exchange_strong(unit_at(units, i), &seen, me | MP__TOLD)) {
            mp__step("units.inherited");
            return unit_at(units, i);
        }
    }
    return NULL;
}

static _Atomic uint64_t *units_spin(struct mp__units *units, uint64_t me)
{
    struct mp__spin spin;
    if (!mp__spin_begin(&spin, MP__SPIN_WAKE))
        return NULL;
    _Atomic uint64_t *unit = NULL;
    do
        unit = units_try(units, me);
    while (unit == NULL && mp__spin_again(&spin));
    mp__spin_ended(&spin, unit != NULL);
    return unit;
}

/* After a sleep: others may sleep still, and another unit may be free for them. */
static void units_pass_on(struct mp__units *units)
{
    atomic_store(&units->object.word, 1);
    if (mp__units_value(units) > 0)
        mp__gate_post(&units->object.gate[0]);
}

static struct mp__units *units_of(const struct mp__ref *ref)
{
    return (struct mp__units *)(void *)ref->object;
}

static int units_wait(const struct mp__ref *ref, uint64_t me, mp__moment until,
                      _Atomic uint64_t **unit)
{
    struct mp__units *units = units_of(ref);
    int64_t slice = MP__SLICE_FIRST;
    bool slept = false;
    for (;;) {
        if (mp__ref_ended(ref)) {
            mp__gate_post(&units->object.gate[0]);
            return MP_ECLOSED;
        }
        atomic_store(&units->object.word, 1);
        mp__step("units.parking");
        *unit = units_try(units, me);
        if (*unit != NULL) {
            if (slept)
                units_pass_on(units);
            return 0;
        }
        bool late = mp__moment_passed(until);
        if (slept || late)
            *unit = units_inherit(units, me);
        if (*unit != NULL)
            return MP_RECOVERED;
        if (late)
            return MP_ETIMEOUT;
        mp__gate_wait(&units->object.gate[0], mp__slice_end(&slice, until));
        mp__step("units.woken");
        slept = true;
    }
}

static int units_take(const struct mp__ref *ref, uint64_t me, double timeout,
                      _Atomic uint64_t **unit)
{
    struct mp__units *units = units_of(ref);
    mp__moment until;
    *unit = timeout == timeout ? units_try(units, me) : NULL;
    if (*unit != NULL)
        return 0;
    int rc = mp__moment_of(timeout, &until);
    if (rc != 0)
        return rc;
    if (until != 0)
        *unit = units_spin(units, me);
    return *unit != NULL ? 0 : units_wait(ref, me, until, unit);
}

int mp__units_acquire(const struct mp__ref *ref, double timeout)
{
    uint64_t me;
    _Atomic uint64_t *unit;
    int rc = mp__self_word(&me);
    if (rc == 0)
        rc = units_take(ref, me, timeout, &unit);
    if (rc < 0 || !mp__ref_ended(ref))
        return rc;
    /* perhaps the next semaphore's in this place */
    uint64_t mine = rc == MP_RECOVERED ? me | MP__TOLD : me;
    atomic_compare_exchange_strong(unit, &mine, 0);
    return MP_ECLOSED;
}

enum whose { MINE, THE_DEAD, ANYBODY };

static bool unit_free_one(struct mp__units *units, enum whose whose, mp__owner me)
{
    for (size_t i = 0; i < units_count(units); i++) {
        uint64_t seen = atomic_load(unit_at(units, i));
        if (seen == ABSENT)
            return false;
        while (seen != 0) {
            mp__owner owner = mp__owner_of(seen);
            if ((whose == MINE && owner != me) || (whose == THE_DEAD && !mp__dead(owner)))
                break;
            if (atomic_compare_exchange_weak(unit_at(units, i), &seen, 0))
                return true;
        }
    }
    return false;
}

static bool unit_add_one(struct mp__units *units)
{
    for (size_t i = 0; i < units_count(units); i++) {
        uint64_t seen = ABSENT;
        if (atomic_compare_exchange_strong(unit_at(units, i), &seen, 0))
            return true;
    }
    return false;
}

int mp__units_release(struct mp__units *units)
{
    uint64_t me;
    int rc = mp__self_word(&me);
    if (rc != 0)
        return rc;
    mp__owner owner = mp__owner_of(me);
    if (!unit_free_one(units, MINE, owner) && !unit_free_one(units, THE_DEAD, owner) &&
        !unit_free_one(units, ANYBODY, owner) && !unit_add_one(units))
        return MP_ESTATE;
    mp__step("units.released");
    if (atomic_load(&units->object.word) != 0 && atomic_exchange(&units->object.word, 0) != 0)
        mp__gate_post(&units->object.gate[0]);
    return 0;
}

int mp__units_value(struct mp__units *units)
{
    int value = 0;
    for (size_t i = 0; i < units_count(units); i++)
        value += atomic_load(unit_at(units, i)) == 0;
    return value;
}

bool mp__units_told(struct mp__units *units)
{
    for (size_t i = 0; i < units_count(units); i++) {
        uint64_t seen = atomic_load(unit_at(units, i));
        if (seen != ABSENT && (seen & MP__TOLD) != 0)
            return true;
    }
    return false;
}
