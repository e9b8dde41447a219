/* Condition: a lock, and a record for each who waits.
 *
 * How it works
 *   A waiter's record is one word, FREE, WAITING(holder) or GRANTED(holder), with a ticket and a
 *   gate. Under the guard, a word lock of the condition's own:
 *     wait     takes a FREE record, stores the ticket, then WAITING (the commit), and gives the
 *              user's lock up; awake, it takes a word that is still WAITING back by CAS, and frees
 *              one that was GRANTED only once it holds the user's lock again;
 *     notify   changes the oldest WAITING of live owners to GRANTED by CAS and posts their gates.
 *   The stamp of a grant is the last ticket given out by then: only who already waited may inherit.
 *
 *   A death leaves, before the commit nothing; WAITING, a record that is passed over and freed when
 *   its place is wanted; GRANTED, a notification that another waiter, at the end of its slice,
 *   first grants to the next and then frees (a death between the two wakes one too many, never one
 *   too few); holding the user's lock, a word that every waiter looks at after each slice: one
 *   takes it over and its wait returns MP_RECOVERED, as what it waits for may be half done.
 */
#include "sync/sync.h"

#include <errno.h>
#include <stdio.h>

#define RECORDS 512u
#define WAITING (UINT64_C(1) << 62)
#define GRANTED (UINT64_C(2) << 62)
#define STATE_MASK (UINT64_C(3) << 62)

struct record {
    _Atomic uint64_t word;
    uint64_t ticket, stamp;
    mp__gate gate;
    uint64_t ready; /* the gate has been made */
};

struct mp_condition {
    struct mp__object object; /* its word is the condition's own RLock */
    _Atomic uint64_t guard;
    mp__gate guard_gate;
    struct mp__object *lock; /* the user's, or its own */
    uint64_t ticket;         /* the last one given out */
    _Atomic uint32_t used;   /* records from here on were never taken */
    struct record record[RECORDS];
};

/* ---- the user's lock ---------------------------------------------------------------------- */

static bool lock_is_plain(const mp_condition *c)
{
    return atomic_load_explicit(&c->lock->kind, memory_order_relaxed) == MP__KIND_LOCK;
}

/* A given lock can be destroyed before its condition. */
static int condition_check(const mp_condition *c)
{
    int rc = mp__object_check(c, MP__KIND_CONDITION);
    if (rc != 0 || c->lock == &c->object)
        return rc;
    return lock_is_plain(c) ? 0 : mp__rlock_check(c->lock);
}

static int condition_enter(mp_condition *c, uint64_t *me)
{
    int rc = condition_check(c);
    return rc != 0 ? rc : mp__self_word(me);
}

static uint32_t lock_give_up(mp_condition *c, uint64_t me)
{
    uint32_t depth = atomic_load(&c->lock->depth);
    mp__word_release(&c->lock->word, &c->lock->gate[0], me);
    return depth;
}

/* Takes the lock back as it was; `have` if it was inherited while waiting. */
static int lock_take_back(mp_condition *c, uint64_t me, uint32_t depth, bool have)
{
    int rc = have ? MP_RECOVERED : mp__hold(c->lock, me, MP_FOREVER);
    if (rc >= 0)
        atomic_store(&c->lock->depth, depth);
    return rc;
}

/* ---- records, under the guard ------------------------------------------------------------- */

static int guard_take(mp_condition *c, uint64_t me, mp__moment until)
{
    int rc = mp__word_acquire(&c->guard, &c->guard_gate, me, until, &c->object);
    return rc > 0 ? 0 : rc;
}

static void guard_give(mp_condition *c, uint64_t me)
{
    mp__word_release(&c->guard, &c->guard_gate, me);
}

static bool record_reclaim(struct record *r)
{
    uint64_t seen = atomic_load(&r->word);
    return (seen & STATE_MASK) == WAITING && mp__dead(mp__owner_of(seen)) &&
           atomic_compare_exchange_strong(&r->word, &seen, 0);
}

static struct record *record_find(mp_condition *c)
{
    uint32_t used = atomic_load(&c->used);
    for (uint32_t i = 0; i < used; i++)
        if (atomic_load(&c->record[i].word) == 0)
            return &c->record[i];
    for (uint32_t i = 0; i < used; i++)
        if (record_reclaim(&c->record[i]))
            return &c->record[i];
    if (used == RECORDS)
        return NULL;
    atomic_store(&c->used, used + 1);
    return &c->record[used];
}

static struct record *record_take(mp_condition *c, uint64_t me)
{
    struct record *r = record_find(c);
    if (r == NULL)
        return NULL;
    if (r->ready)
        mp__gate_drain(&r->gate);
    else
        mp__gate_init(&r->gate);
    r->ready = 1;
    r->ticket = ++c->ticket;
    mp__step("condition.ticket");
    atomic_store(&r->word, WAITING | (me & MP__HOLDER_MASK));
    mp__step("condition.waiting");
    return r;
}

/* The oldest waiter with a ticket up to `last` whose process was not reaped already. */
static struct record *record_oldest(mp_condition *c, uint64_t last)
{
    struct record *oldest = NULL;
    uint32_t used = atomic_load(&c->used);
    for (uint32_t i = 0; i < used; i++) {
        struct record *r = &c->record[i];
        uint64_t seen = atomic_load(&r->word);
        if ((seen & STATE_MASK) != WAITING || r->ticket > last || mp__gone(mp__owner_of(seen)))
            continue;
        if (oldest == NULL || r->ticket < oldest->ticket)
            oldest = r;
    }
    return oldest;
}

static bool record_grant(struct record *r, uint64_t stamp)
{
    uint64_t seen = atomic_load(&r->word);
    r->stamp = stamp;
    mp__step("condition.stamped");
    if ((seen & STATE_MASK) != WAITING ||
        !atomic_compare_exchange_strong(&r->word, &seen, GRANTED | (seen & MP__HOLDER_MASK)))
        return false;
    mp__step("condition.granted");
    mp__gate_post(&r->gate);
    return true;
}

static bool grant_oldest(mp_condition *c, uint64_t last)
{
    struct record *r;
    while ((r = record_oldest(c, last)) != NULL)
        if (record_grant(r, last))
            return true;
    return false;
}

static bool record_is_stranded(struct record *r)
{
    uint64_t seen = atomic_load(&r->word);
    return (seen & STATE_MASK) == GRANTED && mp__dead(mp__owner_of(seen));
}

/* Passes on what was granted to waiters that died before they woke. */
static void grants_pass_on(mp_condition *c, uint64_t me)
{
    bool stranded = false;
    uint32_t used = atomic_load(&c->used);
    for (uint32_t i = 0; i < used && !stranded; i++)
        stranded = record_is_stranded(&c->record[i]);
    if (!stranded || guard_take(c, me, mp__moment_in(MP__SLICE_FIRST)) != 0)
        return;
    for (uint32_t i = 0; i < used; i++) {
        if (!record_is_stranded(&c->record[i]))
            continue;
        grant_oldest(c, c->record[i].stamp);
        mp__step("condition.passed");
        atomic_store(&c->record[i].word, 0);
    }
    guard_give(c, me);
}

/* ---- the public calls --------------------------------------------------------------------- */

static int condition_make(mp_condition **out, struct mp__object *lock)
{
    mp_condition *c;
    int rc = mp__object_make(MP__KIND_CONDITION, sizeof *c, &c);
    if (rc != 0)
        return mp__fail(rc);
    rc = mp__gate_init(&c->guard_gate);
    if (rc != 0) {
        mp__object_discard(c);
        return mp__fail(rc);
    }
    c->lock = lock != NULL ? lock : &c->object;
    mp__object_publish(c, MP__KIND_CONDITION);
    *out = c;
    return 0;
}

int mp_condition_create(mp_condition **out, mp_rlock *lock)
{
    int rc = out == NULL ? MP_EINVAL : lock != NULL ? mp__rlock_check(lock) : 0;
    return rc != 0 ? mp__fail(rc) : condition_make(out, lock != NULL ? &lock->object : NULL);
}

int mp_condition_create_with_lock(mp_condition **out, mp_lock *lock)
{
    int rc = out == NULL ? MP_EINVAL : mp__object_check(lock, MP__KIND_LOCK);
    return rc != 0 ? mp__fail(rc) : condition_make(out, &lock->object);
}

int mp_condition_acquire(mp_condition *c, double timeout)
{
    uint64_t me;
    int rc = condition_enter(c, &me);
    if (rc == 0)
        rc = lock_is_plain(c) ? mp__hold(c->lock, me, timeout)
                              : mp__rlock_hold(c->lock, me, timeout);
    return mp__result(rc);
}

int mp_condition_release(mp_condition *c)
{
    uint64_t me;
    int rc = condition_enter(c, &me);
    if (rc == 0 && lock_is_plain(c))
        rc = mp_lock_release((mp_lock *)(void *)c->lock);
    else if (rc == 0)
        rc = mp__rlock_drop(c->lock, me);
    return mp__result(rc);
}

/* Parks until granted, late, ended, or heir of the lock. */
static int record_await(mp_condition *c, struct record *r, uint64_t me, mp__moment until)
{
    uint32_t serial = mp__object_serial(&c->object);
    int64_t slice = MP__SLICE_FIRST;
    for (;;) {
        mp__step("condition.parking");
        bool woken = mp__gate_wait(&r->gate, mp__slice_end(&slice, until));
        mp__step("condition.woken");
        if (mp__object_ended(&c->object, serial))
            return MP_ECLOSED;
        if ((atomic_load(&r->word) & STATE_MASK) == GRANTED)
            return 0;
        if (!woken && condition_check(c) == 0 && mp__word_inherit(&c->lock->word, me))
            return MP_RECOVERED;
        if (mp__moment_passed(until))
            return MP_ETIMEOUT;
        if (!woken)
            grants_pass_on(c, me);
    }
}

/* Takes the record back unless it was granted: then it stays so until the lock is held, so that
   the grant of one who dies before that is passed on. */
static bool record_withdraw(struct record *r, uint64_t me)
{
    uint64_t seen = WAITING | (me & MP__HOLDER_MASK);
    return atomic_compare_exchange_strong(&r->word, &seen, 0) || (seen & STATE_MASK) != GRANTED;
}

/* By CAS: if the condition was destroyed meanwhile, the record may be another's. */
static void record_free(struct record *r, uint64_t me)
{
    uint64_t mine = GRANTED | (me & MP__HOLDER_MASK);
    atomic_compare_exchange_strong(&r->word, &mine, 0);
}

static bool record_spin(struct record *r)
{
    struct mp__spin spin;
    if (!mp__spin_begin(&spin, MP__SPIN_WAKE))
        return false;
    bool granted = false;
    do
        granted = (atomic_load_explicit(&r->word, memory_order_acquire) & STATE_MASK) == GRANTED;
    while (!granted && mp__spin_again(&spin));
    mp__spin_ended(&spin, granted);
    return granted;
}

static int condition_wait(mp_condition *c, uint64_t me, mp__moment until)
{
    if (!mp__held_by(c->lock, me))
        return MP_ESTATE;
    int rc = guard_take(c, me, until == 0 ? mp__moment_in(MP__SLICE_FIRST) : until);
    if (rc != 0)
        return rc;
    struct record *r = record_take(c, me);
    guard_give(c, me);
    if (r == NULL)
        return -EAGAIN;
    uint32_t depth = lock_give_up(c, me);
    mp__step("condition.unlocked");
    rc = record_spin(r) ? 0 : record_await(c, r, me, until);
    if (rc == MP_ECLOSED)
        return rc;
    bool granted = !record_withdraw(r, me);
    mp__step("condition.leaving");
    int locked = lock_take_back(c, me, depth, rc == MP_RECOVERED);
    if (granted)
        record_free(r, me);
    mp__step("condition.left");
    if (locked != 0)
        return locked;
    return granted ? 0 : rc;
}

int mp_condition_wait(mp_condition *c, double timeout)
{
    uint64_t me;
    mp__moment until;
    int rc = condition_enter(c, &me);
    if (rc == 0)
        rc = mp__moment_of(timeout, &until);
    if (rc == 0)
        rc = condition_wait(c, me, until);
    return mp__result(rc);
}

int mp_condition_wait_for(mp_condition *c, int (*predicate)(void *), void *arg, double timeout)
{
    uint64_t me;
    mp__moment until;
    int rc = predicate == NULL ? MP_EINVAL : condition_enter(c, &me);
    if (rc == 0)
        rc = mp__moment_of(timeout, &until);
    if (rc == 0 && !mp__held_by(c->lock, me))
        rc = MP_ESTATE;
    if (rc != 0)
        return mp__fail(rc);
    bool late = false;
    for (;;) {
        int answer = predicate(arg);
        if (answer != 0)
            return mp__result(answer);
        if (late || until == 0)
            return mp__fail(MP_ETIMEOUT);
        rc = condition_wait(c, me, until);
        if (rc < 0 && rc != MP_ETIMEOUT)
            return mp__fail(rc);
        late = rc == MP_ETIMEOUT;
    }
}

static int condition_notify(mp_condition *c, unsigned n)
{
    uint64_t me;
    int rc = condition_enter(c, &me);
    if (rc == 0 && !mp__held_by(c->lock, me))
        rc = MP_ESTATE;
    if (rc == 0 && n > 0)
        rc = guard_take(c, me, MP__NEVER);
    if (rc != 0 || n == 0)
        return mp__result(rc);
    while (n-- > 0 && grant_oldest(c, c->ticket))
        ;
    guard_give(c, me);
    return 0;
}

int mp_condition_notify(mp_condition *c, unsigned n)
{
    return condition_notify(c, n);
}

int mp_condition_notify_all(mp_condition *c)
{
    return condition_notify(c, RECORDS);
}

bool mp_condition_recovered(mp_condition *c)
{
    return condition_check(c) == 0 && (atomic_load(&c->lock->word) & MP__TOLD) != 0;
}

void mp_condition_destroy(mp_condition *c)
{
    mp__plain_destroy(MP__KIND_CONDITION, c);
}

static unsigned waiters(mp_condition *c)
{
    unsigned n = 0;
    uint32_t used = atomic_load(&c->used);
    for (uint32_t i = 0; i < used; i++)
        n += (atomic_load(&c->record[i].word) & STATE_MASK) == WAITING;
    return n;
}

int mp_condition_repr(mp_condition *c, char *buf, size_t n)
{
    char lock[400];
    int rc = condition_check(c);
    if (rc != 0 || (buf == NULL && n > 0))
        return mp__fail(rc != 0 ? rc : MP_EINVAL);
    if (lock_is_plain(c))
        mp__lock_text(c->lock, lock, sizeof lock);
    else
        mp__rlock_text(c->lock, lock, sizeof lock);
    return snprintf(buf, n, "<Condition(%s, %u)>", lock, waiters(c));
}
