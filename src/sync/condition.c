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
 *   takes it over. The lock counts its heirs, whoever they are, and every wait in which the count
 *   changed returns MP_RECOVERED, as what it waits for may be half done.
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
    struct mp__object *lock; /* the user's, or its own */
    uint64_t ticket;         /* the last one given out */
    _Atomic uint32_t used;   /* records from here on were not taken in this life */
    /* From here on made once in the life of the block: a sleeper of an earlier life may be
       there. */
    uint32_t gate_made;
    mp__gate guard_gate;
    struct record record[RECORDS];
};

/* A call on a condition: the life of it and of its lock that it began with, and who calls. */
struct caller {
    struct mp__ref self, lock;
    uint64_t me;
};

static mp_condition *condition_of(const struct caller *caller)
{
    return (mp_condition *)(void *)caller->self.object;
}

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

static int condition_enter(mp_condition *c, struct caller *caller)
{
    caller->self = mp__ref_to(c);
    int rc = mp__object_check(c, MP__KIND_CONDITION);
    if (rc != 0)
        return rc;
    caller->lock = mp__ref_to(c->lock);
    rc = condition_check(c);
    return rc != 0 ? rc : mp__self_word(&caller->me);
}

static uint32_t lock_give_up(const struct caller *caller)
{
    struct mp__object *lock = caller->lock.object;
    uint32_t depth = atomic_load(&lock->depth);
    mp__word_release(&lock->word, &lock->gate[0], caller->me);
    return depth;
}

/* Takes the lock back as it was; `have` if it was inherited while waiting. */
static int lock_take_back(const struct caller *caller, uint32_t depth, bool have)
{
    int rc = have ? MP_RECOVERED : mp__hold(&caller->lock, caller->me, MP_FOREVER);
    if (rc >= 0)
        atomic_store(&caller->lock.object->depth, depth);
    return rc;
}

/* ---- records, under the guard ------------------------------------------------------------- */

static int guard_take(const struct caller *caller, mp__moment until)
{
    mp_condition *c = condition_of(caller);
    int rc = mp__word_acquire(&c->guard, &c->guard_gate, caller->me, until, &caller->self);
    return rc > 0 ? 0 : rc;
}

static void guard_give(const struct caller *caller)
{
    mp_condition *c = condition_of(caller);
    mp__word_release(&c->guard, &c->guard_gate, caller->me);
}

static bool grant_oldest(mp_condition *c, uint64_t last);

static bool record_is_stranded(struct record *r)
{
    uint64_t seen = atomic_load(&r->word);
    return (seen & STATE_MASK) == GRANTED && mp__dead(mp__owner_of(seen));
}

/* A death between the two wakes one too many, never one too few. */
static void record_pass_on(mp_condition *c, struct record *r)
{
    grant_oldest(c, r->stamp);
    mp__step("condition.passed");
    atomic_store(&r->word, 0);
}

/* Frees a record of the dead. */
static bool record_reclaim(mp_condition *c, struct record *r)
{
    uint64_t seen = atomic_load(&r->word);
    if (record_is_stranded(r)) {
        record_pass_on(c, r);
        return true;
    }
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
        if (record_reclaim(c, &c->record[i]))
            return &c->record[i];
    if (used == RECORDS)
        return NULL;
    atomic_store(&c->used, used + 1);
    return &c->record[used];
}

static struct record *record_take(const struct caller *caller)
{
    mp_condition *c = condition_of(caller);
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
    atomic_store(&r->word, WAITING | (caller->me & MP__HOLDER_MASK));
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

/* Passes on what was granted to waiters that died before they woke. */
static void grants_pass_on(const struct caller *caller)
{
    mp_condition *c = condition_of(caller);
    bool stranded = false;
    uint32_t used = atomic_load(&c->used);
    for (uint32_t i = 0; i < used && !stranded; i++)
        stranded = record_is_stranded(&c->record[i]);
    if (!stranded || guard_take(caller, mp__moment_in(MP__SLICE_FIRST)) != 0)
        return;
    for (uint32_t i = 0; i < used; i++)
        if (record_is_stranded(&c->record[i]))
            record_pass_on(c, &c->record[i]);
    guard_give(caller);
}

/* ---- the public calls --------------------------------------------------------------------- */

static int condition_make(mp_condition **out, struct mp__object *lock)
{
    mp_condition *c;
    int rc = mp__object_make(MP__KIND_CONDITION, offsetof(struct mp_condition, gate_made), &c);
    if (rc != 0)
        return mp__fail(rc);
    if (c->gate_made)
        mp__gate_drain(&c->guard_gate);
    else
        rc = mp__gate_init(&c->guard_gate);
    if (rc != 0) {
        mp__object_discard(c);
        return mp__fail(rc);
    }
    c->gate_made = 1;
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
    struct caller caller;
    int rc = condition_enter(c, &caller);
    if (rc == 0)
        rc = lock_is_plain(c) ? mp__hold(&caller.lock, caller.me, timeout)
                              : mp__rlock_hold(&caller.lock, caller.me, timeout);
    return mp__result(rc);
}

int mp_condition_release(mp_condition *c)
{
    struct caller caller;
    int rc = condition_enter(c, &caller);
    if (rc == 0 && lock_is_plain(c))
        rc = mp_lock_release((mp_lock *)(void *)c->lock);
    else if (rc == 0)
        rc = mp__rlock_drop(c->lock, caller.me);
    return mp__result(rc);
}

/* How often the lock was taken over from the dead: what they changed may be half done. */
static uint16_t heirs_of(const struct caller *caller)
{
    return atomic_load(&caller->lock.object->heirs);
}

/* Parks until granted, late, ended, or a holder of the lock died; *have: this is its heir. */
static int record_await(const struct caller *caller, struct record *r, uint16_t heirs,
                        mp__moment until, bool *have)
{
    int64_t slice = MP__SLICE_FIRST;
    for (;;) {
        if (mp__ref_ended(&caller->self))
            return MP_ECLOSED;
        mp__step("condition.parking");
        bool woken = mp__gate_wait(&r->gate, mp__slice_end(&slice, until));
        mp__step("condition.woken");
        if (mp__ref_ended(&caller->self))
            return MP_ECLOSED;
        if ((atomic_load(&r->word) & STATE_MASK) == GRANTED)
            return 0;
        if (!woken && !mp__ref_ended(&caller->lock))
            *have = mp__word_inherit(caller->lock.object, caller->me);
        if (*have || heirs_of(caller) != heirs)
            return MP_RECOVERED;
        if (mp__moment_passed(until))
            return MP_ETIMEOUT;
        if (!woken)
            grants_pass_on(caller);
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

/* The condition ended. A lock of the user's own is held again, one of its own ended with it. */
static int condition_leave_ended(const struct caller *caller, uint32_t depth, bool have)
{
    struct mp__object *lock = caller->lock.object;
    if (lock != caller->self.object)
        (void)lock_take_back(caller, depth, have);
    else if (have)
        mp__word_release(&lock->word, &lock->gate[0], caller->me);
    return MP_ECLOSED;
}

static int condition_wait(const struct caller *caller, mp__moment until)
{
    if (!mp__held_by(caller->lock.object, caller->me))
        return MP_ESTATE;
    int rc = guard_take(caller, until == 0 ? mp__moment_in(MP__SLICE_FIRST) : until);
    if (rc != 0)
        return rc;
    struct record *r = record_take(caller);
    guard_give(caller);
    if (r == NULL)
        return -EAGAIN;
    bool have = false;
    uint16_t heirs = heirs_of(caller);
    uint32_t depth = lock_give_up(caller);
    mp__step("condition.unlocked");
    rc = record_spin(r) ? 0 : record_await(caller, r, heirs, until, &have);
    if (rc == MP_ECLOSED || mp__ref_ended(&caller->self))
        return condition_leave_ended(caller, depth, have);
    bool granted = !record_withdraw(r, caller->me);
    mp__step("condition.leaving");
    int locked = lock_take_back(caller, depth, have);
    if (granted)
        record_free(r, caller->me);
    mp__step("condition.left");
    if (locked != 0)
        return locked;
    if (heirs_of(caller) != heirs)
        return MP_RECOVERED;
    return granted ? 0 : rc;
}

int mp_condition_wait(mp_condition *c, double timeout)
{
    struct caller caller;
    mp__moment until;
    int rc = condition_enter(c, &caller);
    if (rc == 0)
        rc = mp__moment_of(timeout, &until);
    if (rc == 0)
        rc = condition_wait(&caller, until);
    return mp__result(rc);
}

int mp_condition_wait_for(mp_condition *c, int (*predicate)(void *), void *arg, double timeout)
{
    struct caller caller;
    mp__moment until;
    int rc = predicate == NULL ? MP_EINVAL : condition_enter(c, &caller);
    if (rc == 0)
        rc = mp__moment_of(timeout, &until);
    if (rc == 0 && !mp__held_by(caller.lock.object, caller.me))
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
        rc = condition_wait(&caller, until);
        if (rc < 0 && rc != MP_ETIMEOUT)
            return mp__fail(rc);
        late = rc == MP_ETIMEOUT;
    }
}

static int condition_notify(mp_condition *c, unsigned n)
{
    struct caller caller;
    int rc = condition_enter(c, &caller);
    if (rc == 0 && !mp__held_by(caller.lock.object, caller.me))
        rc = MP_ESTATE;
    if (rc == 0 && n > 0)
        rc = guard_take(&caller, MP__NEVER);
    if (rc != 0 || n == 0)
        return mp__result(rc);
    while (n-- > 0 && grant_oldest(c, c->ticket))
        ;
    guard_give(&caller);
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
