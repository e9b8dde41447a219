/* Barrier: one word that decides, and a word for each arrival.
 *
 * How it works
 *   word     ordinal:32 | history:24 | state:8, changed by CAS only. The ordinal counts the
 *            meetings; bit i of the history tells whether the meeting i + 1 back was broken by a
 *            reset, so a late sleeper still learns how its own ended.
 *   arrive   ordinal (low bits):21 | owner:43, one per party. Who arrives takes the first word that
 *            is not of this meeting by CAS, and its place is what wait returns; who takes the last
 *            place found all others taken, so it is the last and ends the meeting.
 *   OPEN(k) -> OPEN(k + 1), or -> ACTION(k) -> OPEN(k + 1): by the last, whose arrival word names
 *   who runs the action. OPEN or ACTION(k) -> BROKEN(k): a timeout, an abort, a failed action, a
 *   death. Any -> OPEN(k + 1) with a history bit: reset. Leaving needs no count: the ordinal moved.
 *   Sleepers of successive meetings use the two gates in turn, and pass their token on.
 *
 *   A death leaves an arrival that names the dead: sleepers look at the arrivals of their meeting
 *   after each slice, and break it. Who died before arriving is missed by a timeout only.
 */
#include "sync/sync.h"

#include <stdio.h>
#include <string.h>

#define PARTIES_MAX 4096u
#define HISTORY 24u

enum { OPEN, ACTION, BROKEN };

/* Behind the object stand `detail` arrival words. */
struct mp_barrier {
    struct mp__object object;
    int (*action)(void *);
    void *arg;
    double timeout;
};

static _Atomic uint64_t *arrive_at(mp_barrier *b, uint32_t i)
{
    return (_Atomic uint64_t *)(void *)(b + 1) + i;
}

static uint32_t ordinal_of(uint64_t word)
{
    return (uint32_t)(word >> 32);
}

static unsigned state_of(uint64_t word)
{
    return (unsigned)(word & 0xff);
}

static uint64_t with_state(uint64_t word, unsigned state)
{
    return (word & ~UINT64_C(0xff)) | state;
}

static uint64_t next_meeting(uint64_t word, bool broken)
{
    uint64_t history = ((word >> 8) << 1 | broken) & ((1u << HISTORY) - 1);
    return (uint64_t)(ordinal_of(word) + 1) << 32 | history << 8 | OPEN;
}

static uint64_t arrival(uint32_t ordinal, mp__owner owner)
{
    return (uint64_t)ordinal << MP__OWNER_BITS | owner;
}

static bool arrived_in(uint64_t word, uint32_t ordinal)
{
    return word != 0 && word >> MP__OWNER_BITS == arrival(ordinal, 0) >> MP__OWNER_BITS;
}

static mp__gate *gate_of(mp_barrier *b, uint32_t ordinal)
{
    return &b->object.gate[ordinal & 1];
}

int mp_barrier_create(mp_barrier **out, unsigned parties, int (*action)(void *), void *arg,
                      double timeout)
{
    int64_t span;
    if (out == NULL || parties == 0 || parties > PARTIES_MAX || mp__span_of(timeout, &span) != 0)
        return mp__fail(MP_EINVAL);
    mp_barrier *b;
    int rc = mp__object_make(MP__KIND_BARRIER, sizeof *b + parties * sizeof(uint64_t), &b);
    if (rc != 0)
        return mp__fail(rc);
    b->object.detail = (uint16_t)parties;
    b->action = action;
    b->arg = arg;
    b->timeout = timeout;
    mp__object_publish(b, MP__KIND_BARRIER);
    *out = b;
    return 0;
}

/* Moves the word on from `seen` and wakes who sleeps for that; false if it moved already. */
static bool barrier_move(mp_barrier *b, uint64_t seen, uint64_t next)
{
    if (!atomic_compare_exchange_strong(&b->object.word, &seen, next))
        return false;
    mp__step("barrier.moved");
    mp__gate_post(gate_of(b, ordinal_of(seen)));
    return true;
}

/* How meeting `k` ended: 1 well, 0 not yet, MP_EBROKEN. */
static int barrier_outcome(uint64_t word, uint32_t k)
{
    uint32_t past = ordinal_of(word) - k;
    if (past == 0)
        return state_of(word) == BROKEN ? MP_EBROKEN : 0;
    if (past > HISTORY)
        return 1; /* strangers met many times while this party slept: it was not missed */
    return word >> (8 + past - 1) & 1 ? MP_EBROKEN : 1;
}

/* The place taken, or `parties` if all places of this meeting are taken or the next has begun. */
static uint32_t place_take(mp_barrier *b, uint32_t k, mp__owner me)
{
    for (uint32_t i = 0; i < b->object.detail; i++) {
        uint64_t seen = atomic_load(arrive_at(b, i));
        while (!arrived_in(seen, k)) {
            /* if it still is, what was seen cannot be an arrival of the next */
            if (ordinal_of(atomic_load(&b->object.word)) != k)
                return b->object.detail;
            if (atomic_compare_exchange_weak(arrive_at(b, i), &seen, arrival(k, me))) {
                mp__step("barrier.arrived");
                return i;
            }
        }
    }
    return b->object.detail;
}

/* A party of meeting `k` is dead: any, and so also the last, which runs the action. */
static bool party_is_missing(mp_barrier *b, uint32_t k)
{
    mp__owner judged = mp__self_owner();
    for (uint32_t i = 0; i < b->object.detail; i++) {
        uint64_t seen = atomic_load(arrive_at(b, i));
        if (!arrived_in(seen, k) || mp__owner_of(seen) == judged)
            continue;
        judged = mp__owner_of(seen);
        if (mp__dead(judged))
            return true;
    }
    return false;
}

static void barrier_spin(mp_barrier *b, uint32_t k)
{
    struct mp__spin spin;
    if (!mp__spin_begin(&spin, MP__SPIN_WAKE))
        return;
    bool over = false;
    do
        over = barrier_outcome(atomic_load_explicit(&b->object.word, memory_order_acquire), k) != 0;
    while (!over && mp__spin_again(&spin));
    mp__spin_ended(&spin, over);
}

/* Sleeps until meeting `k` is over; breaks it when late, or when a party died. */
static int meeting_await(const struct mp__ref *ref, uint32_t k, mp__moment until)
{
    mp_barrier *b = (mp_barrier *)(void *)ref->object;
    int64_t slice = MP__SLICE_FIRST;
    bool woken = false;
    barrier_spin(b, k);
    for (;;) {
        /* a meeting that ended well before the barrier's end did end well */
        uint64_t seen = atomic_load(&b->object.word);
        int outcome = mp__ref_is_same(ref) ? barrier_outcome(seen, k) : 0;
        if (outcome == 0 && mp__ref_ended(ref))
            outcome = MP_ECLOSED;
        if (outcome != 0) {
            if (woken)
                mp__gate_post(gate_of(b, k));
            return outcome;
        }
        bool late = mp__moment_passed(until) && state_of(seen) == OPEN;
        if (late || (!woken && slice > MP__SLICE_FIRST && party_is_missing(b, k))) {
            barrier_move(b, seen, with_state(seen, BROKEN));
            continue;
        }
        mp__step("barrier.parking");
        bool in_action = state_of(seen) == ACTION;
        woken = mp__gate_wait(gate_of(b, k), mp__slice_end(&slice, in_action ? MP__NEVER : until));
        mp__step("barrier.woken");
    }
}

/* The last party's part: runs the action and ends the meeting. */
static int meeting_end(mp_barrier *b, uint64_t seen)
{
    uint32_t k = ordinal_of(seen);
    if (b->action == NULL)
        barrier_move(b, seen, next_meeting(seen, false));
    else {
        uint64_t acting = with_state(seen, ACTION);
        if (atomic_compare_exchange_strong(&b->object.word, &seen, acting)) {
            mp__step("barrier.acting");
            int rc = b->action(b->arg);
            barrier_move(b, acting,
                         rc == 0 ? next_meeting(acting, false) : with_state(acting, BROKEN));
        }
    }
    return barrier_outcome(atomic_load(&b->object.word), k);
}

static int barrier_wait(const struct mp__ref *ref, mp__owner me, mp__moment until)
{
    mp_barrier *b = (mp_barrier *)(void *)ref->object;
    for (;;) {
        if (mp__ref_ended(ref))
            return MP_ECLOSED;
        uint64_t seen = atomic_load(&b->object.word);
        uint32_t k = ordinal_of(seen);
        if (state_of(seen) == BROKEN)
            return MP_EBROKEN;
        mp__step("barrier.coming");
        uint32_t place = state_of(seen) == OPEN ? place_take(b, k, me) : b->object.detail;
        int outcome = place + 1 == b->object.detail ? meeting_end(b, seen) : 0;
        /* without a place there is nothing to be late for: this meeting is complete */
        if (outcome == 0)
            outcome = meeting_await(ref, k, place < b->object.detail ? until : MP__NEVER);
        if (outcome < 0)
            return outcome;
        if (place < b->object.detail)
            return (int)place;
    }
}

int mp_barrier_wait(mp_barrier *b, double timeout)
{
    uint64_t me;
    mp__moment until;
    struct mp__ref ref = mp__ref_to(b);
    int rc = mp__object_check(b, MP__KIND_BARRIER);
    if (rc == 0)
        rc = mp__self_word(&me);
    if (rc == 0)
        rc = mp__moment_of(timeout == MP_FOREVER ? b->timeout : timeout, &until);
    if (rc == 0)
        rc = barrier_wait(&ref, mp__owner_of(me), until);
    return mp__result(rc);
}

int mp_barrier_abort(mp_barrier *b)
{
    int rc = mp__object_check(b, MP__KIND_BARRIER);
    if (rc != 0)
        return mp__fail(rc);
    uint64_t seen = atomic_load(&b->object.word);
    while (state_of(seen) != BROKEN && !barrier_move(b, seen, with_state(seen, BROKEN)))
        seen = atomic_load(&b->object.word);
    return 0;
}

int mp_barrier_reset(mp_barrier *b)
{
    int rc = mp__object_check(b, MP__KIND_BARRIER);
    if (rc != 0)
        return mp__fail(rc);
    uint64_t seen = atomic_load(&b->object.word);
    while (!barrier_move(b, seen, next_meeting(seen, true)))
        seen = atomic_load(&b->object.word);
    return 0;
}

int mp_barrier_parties(mp_barrier *b)
{
    int rc = mp__object_check(b, MP__KIND_BARRIER);
    return mp__result(rc != 0 ? rc : (int)b->object.detail);
}

static int arrived_count(mp_barrier *b)
{
    int n = 0;
    uint64_t seen = atomic_load(&b->object.word);
    for (uint32_t i = 0; i < b->object.detail && state_of(seen) == OPEN; i++)
        n += arrived_in(atomic_load(arrive_at(b, i)), ordinal_of(seen));
    return n;
}

int mp_barrier_n_waiting(mp_barrier *b)
{
    int rc = mp__object_check(b, MP__KIND_BARRIER);
    return mp__result(rc != 0 ? rc : arrived_count(b));
}

bool mp_barrier_broken(mp_barrier *b)
{
    return mp__object_check(b, MP__KIND_BARRIER) == 0 &&
           state_of(atomic_load(&b->object.word)) == BROKEN;
}

void mp_barrier_destroy(mp_barrier *b)
{
    mp__plain_destroy(MP__KIND_BARRIER, b);
}

int mp_barrier_repr(mp_barrier *b, char *buf, size_t n)
{
    int rc = mp__object_check(b, MP__KIND_BARRIER);
    if (rc != 0 || (buf == NULL && n > 0))
        return mp__fail(rc != 0 ? rc : MP_EINVAL);
    if (mp_barrier_broken(b))
        return snprintf(buf, n, "<Barrier at %p: broken>", (void *)b);
    return snprintf(buf, n, "<Barrier at %p: waiters=%d/%u>", (void *)b, arrived_count(b),
                    (unsigned)b->object.detail);
}
