/* Event: a counter whose lowest bit is the flag.
 *
 * How it works
 *   word counts sets and clears: odd is set. A set and a clear are one CAS each. Who waits leaves
 *   when the word is odd or has changed since it came, so a set that is cleared at once still
 *   wakes all who waited. The set posts one token and each woken sleeper passes it on: a chain,
 *   which cannot drift as a count of sleepers would. Waiters of successive pulses use the two
 *   gates in turn, so that newcomers do not take the tokens of those who are to leave.
 *   A set that is followed by the event's end is a set still: the word outlives it.
 *   A death leaves the flag as it was or as it should be; a token lost with a dead link of the
 *   chain costs the others the rest of their slice.
 */
#include "sync/sync.h"

#include <stdio.h>

int mp_event_create(mp_event **out)
{
    return mp__plain_create(MP__KIND_EVENT, out);
}

static mp__gate *gate_of(mp_event *event, uint64_t word)
{
    return &event->object.gate[word >> 1 & 1];
}

int mp_event_set(mp_event *event)
{
    int rc = mp__object_check(event, MP__KIND_EVENT);
    if (rc != 0)
        return mp__fail(rc);
    uint64_t seen = atomic_load(&event->object.word);
    while ((seen & 1) == 0)
        if (atomic_compare_exchange_weak(&event->object.word, &seen, seen + 1)) {
            mp__step("event.set");
            mp__gate_post(gate_of(event, seen));
            break;
        }
    return 0;
}

int mp_event_clear(mp_event *event)
{
    int rc = mp__object_check(event, MP__KIND_EVENT);
    if (rc != 0)
        return mp__fail(rc);
    uint64_t seen = atomic_load(&event->object.word);
    while ((seen & 1) == 1)
        if (atomic_compare_exchange_weak(&event->object.word, &seen, seen + 1)) {
            mp__step("event.cleared");
            break;
        }
    return 0;
}

bool mp_event_is_set(mp_event *event)
{
    return mp__object_check(event, MP__KIND_EVENT) == 0 &&
           (atomic_load(&event->object.word) & 1) == 1;
}

static bool event_spin(mp_event *event, uint64_t entry)
{
    struct mp__spin spin;
    if (!mp__spin_begin(&spin, MP__SPIN_WAKE))
        return false;
    bool set = false;
    do
        set = atomic_load_explicit(&event->object.word, memory_order_acquire) != entry;
    while (!set && mp__spin_again(&spin));
    mp__spin_ended(&spin, set);
    return set;
}

static int event_wait(const struct mp__ref *ref, mp__moment until)
{
    mp_event *event = (mp_event *)(void *)ref->object;
    uint64_t entry = atomic_load(&event->object.word);
    if ((entry & 1) == 1)
        return 0;
    if (until != 0 && event_spin(event, entry) && mp__ref_is_same(ref))
        return 0;
    int64_t slice = MP__SLICE_FIRST;
    bool woken = false;
    for (;;) {
        bool set = atomic_load(&event->object.word) != entry && mp__ref_is_same(ref);
        bool ended = mp__ref_ended(ref);
        if ((set || ended) && woken)
            mp__gate_post(gate_of(event, entry));
        if (set || ended)
            return set ? 0 : MP_ECLOSED;
        if (mp__moment_passed(until))
            return MP_ETIMEOUT;
        mp__step("event.parking");
        woken = mp__gate_wait(gate_of(event, entry), mp__slice_end(&slice, until));
        mp__step("event.woken");
    }
}

int mp_event_wait(mp_event *event, double timeout)
{
    mp__moment until;
    struct mp__ref ref = mp__ref_to(event);
    int rc = mp__object_check(event, MP__KIND_EVENT);
    if (rc == 0)
        rc = mp__moment_of(timeout, &until);
    if (rc == 0)
        rc = event_wait(&ref, until);
    return mp__result(rc);
}

void mp_event_destroy(mp_event *event)
{
    mp__plain_destroy(MP__KIND_EVENT, event);
}

int mp_event_repr(mp_event *event, char *buf, size_t n)
{
    int rc = mp__object_check(event, MP__KIND_EVENT);
    if (rc != 0 || (buf == NULL && n > 0))
        return mp__fail(rc != 0 ? rc : MP_EINVAL);
    return snprintf(buf, n, "<Event at %p %s>", (void *)event,
                    mp_event_is_set(event) ? "set" : "unset");
}
