/**
 * \file
 * Locks, semaphores, conditions, events and barriers that processes share.
 *
 * WHAT HOLDS FOR ALL OF THEM. An object stands at the same address in every process of the tree
 * and may be a member of a struct in mp_raw_alloc memory. Any thread of any of them may use it.
 * Besides what its comment names, every call answers MP_EINVAL (ValueError) for a NULL object and
 * for a NaN timeout, MP_ETYPE (TypeError) for an object of another kind, MP_ECLOSED (ValueError)
 * for a destroyed one, also when it is destroyed while the call waits. Functions that return bool
 * answer false then. Timeouts: timeout.h; with MP_NOWAIT or less a call tries once, and takes over
 * from a dead holder even so. Waits go on after signals. None of this is for signal handlers.
 *
 * CREATE does not wait; the caller owns *out. It returns 0; MP_EINVAL (ValueError) for a NULL out
 * or a bad argument; -ENOMEM (MemoryError) when the arena's budget is used up; -EMFILE, -ENFILE
 * (OSError) for the first object of a program that may open no descriptor more; MP_ENOSLOT
 * (OSError), which also an acquire gives to a process that libmp has no room to follow.
 *
 * ENDED IS DIED. Who is killed, crashes, exits or returns while holding leaves the object to the
 * next acquire, which says MP_RECOVERED, once. Python leaves it locked for ever. A child that is
 * forked holds nothing its parent holds. A caller killed inside any call leaves the object valid:
 * the call has then happened or not, and a half-made object is swept up.
 *
 * DESTROY in the creating process, or in any once that has ended, ends the object for all;
 * elsewhere it only forgets. It does not wait, and NULL is fine. REPR writes as snprintf, at most
 * n bytes with the NUL, and returns the whole length without it.
 */
#ifndef MP_SYNCHRONIZE_H
#define MP_SYNCHRONIZE_H

#include "errors.h"
#include "timeout.h"

#include <stdbool.h>
#include <stddef.h>

/**
 * A lock that one thread of one process holds at a time, mirroring Python's Lock.
 * Not recursive. Whoever likes may release it. To tell something to a process that outlives the
 * teller, use an Event or a Semaphore: a Lock of the ended is free.
 *
 *     mp_lock *lock;
 *     MP_CHECK(mp_lock_create(&lock));             // lock = Lock()
 *     MP_WITH_LOCK(lock) {                         // with lock:
 *         counter->value++;
 *     }
 *     mp_lock_destroy(lock);
 */
typedef struct mp_lock mp_lock;

/**
 * A lock that its holder may take again, mirroring Python's RLock.
 * The holder is one thread of one process; it releases as often as it acquired. A thread that ends
 * while its process lives on keeps what it held, as in Python.
 *
 *     mp_rlock *rlock;
 *     MP_CHECK(mp_rlock_create(&rlock));           // rlock = RLock()
 *     MP_WITH_RLOCK(rlock) {                       // with rlock:
 *         append_under_the_same_lock(rlock);
 *     }
 *     mp_rlock_destroy(rlock);
 */
typedef struct mp_rlock mp_rlock;

/**
 * A counter that acquire takes one from and release adds one to, mirroring Python's Semaphore.
 * A unit may mean "an item is there", so those of the dead are not given back, unless the option
 * `reclaim` says that units are held: then they come back, with MP_RECOVERED.
 *
 *     mp_semaphore *items;
 *     MP_CHECK(mp_semaphore_create(&items, 0, NULL)); // items = Semaphore(0)
 *     MP_CHECK(mp_semaphore_release(items));          // in the producer
 *     MP_CHECK(mp_semaphore_acquire(items, MP_FOREVER)); // in the consumer
 *     mp_semaphore_destroy(items);
 */
typedef struct mp_semaphore mp_semaphore;

/**
 * A number of places, each held by somebody or free, mirroring Python's BoundedSemaphore.
 * The value never exceeds the start value; a place held by a process that ended is free again.
 *
 *     mp_bounded_semaphore *places;
 *     MP_CHECK(mp_bounded_semaphore_create(&places, 3)); // places = BoundedSemaphore(3)
 *     MP_WITH_BOUNDED_SEMAPHORE(places) {                // with places:
 *         use_one_of_three();
 *     }
 *     mp_bounded_semaphore_destroy(places);
 */
typedef struct mp_bounded_semaphore mp_bounded_semaphore;

/**
 * A lock and a queue of those who wait for a change, mirroring Python's Condition.
 * Up to 512 may wait at once. A notification given to a waiter that is killed before it wakes
 * goes to the next that waited at the time.
 *
 *     MP_WITH_CONDITION(c) {                       // who waits
 *         MP_CHECK(mp_condition_wait_for(c, is_ready, state, MP_FOREVER));
 *     }
 *     MP_WITH_CONDITION(c) {                       // who makes the change
 *         state->ready = 1;
 *         MP_CHECK(mp_condition_notify_all(c));
 *     }
 */
typedef struct mp_condition mp_condition;

/**
 * A flag to wait for, mirroring Python's Event.
 * A set wakes all who waited, even when it is cleared at once (Python may lose them then). A
 * process that dies takes nothing of the flag along.
 *
 *     mp_event *go;
 *     MP_CHECK(mp_event_create(&go));              // go = Event()
 *     MP_CHECK(mp_event_wait(go, MP_FOREVER));     // in the children: go.wait()
 *     MP_CHECK(mp_event_set(go));                  // in the parent: go.set()
 *     mp_event_destroy(go);
 */
typedef struct mp_event mp_event;

/**
 * A meeting of a fixed number of parties, again and again, mirroring Python's Barrier.
 * Who is killed after arriving, or while running the action, breaks it; who is killed before
 * arriving is missed only by a timeout.
 *
 *     mp_barrier *start;
 *     MP_CHECK(mp_barrier_create(&start, 2, NULL, NULL, MP_FOREVER)); // start = Barrier(2)
 *     int index = MP_CHECK(mp_barrier_wait(start, MP_FOREVER));       // in each of the two
 *     mp_barrier_destroy(start);
 */
typedef struct mp_barrier mp_barrier;

/** Options of mp_semaphore_create; all zero is Python's semaphore. */
typedef struct mp_semaphore_options {
    bool reclaim; /**< give back the units of processes that ended */
} mp_semaphore_options;

MP_BEGIN_DECLS

/**
 * Create a lock that nobody holds.
 * Python: Lock()
 * Returns as CREATE above.
 */
MP_API int mp_lock_create(mp_lock **out);

/**
 * Take the lock.
 * Python: Lock.acquire(block=True, timeout=None)
 * Waits up to `timeout` for its holder, for itself too if that is the caller.
 * Returns 0; MP_RECOVERED if the last holder ended holding it; MP_ETIMEOUT (False).
 */
MP_API int mp_lock_acquire(mp_lock *lock, double timeout);

/**
 * Free the lock, whoever holds it.
 * Python: Lock.release()
 * Does not wait; wakes one that waits. A release for a holder that ended leaves no notice.
 * Returns 0; MP_ESTATE (ValueError) if nobody holds it.
 */
MP_API int mp_lock_release(mp_lock *lock);

/**
 * Ask whether somebody holds the lock, one who has ended included.
 * Python: Lock.locked()
 */
MP_API bool mp_lock_locked(mp_lock *lock);

/**
 * Ask whether the present holder is one that was told MP_RECOVERED.
 * Python: has no such thing
 * For use inside MP_WITH_LOCK, which has no result to look at.
 */
MP_API bool mp_lock_recovered(mp_lock *lock);

/** Destroy the lock, see DESTROY above. Python: the last reference goes. */
MP_API void mp_lock_destroy(mp_lock *lock);

/** Describe the lock, see REPR above. Python: repr(lock): <Lock(owner=MainProcess)>. */
MP_API int mp_lock_repr(mp_lock *lock, char *buf, size_t n);

/**
 * Create a recursive lock that nobody holds.
 * Python: RLock()
 * Returns as CREATE above.
 */
MP_API int mp_rlock_create(mp_rlock **out);

/**
 * Take the lock, or one level more of it.
 * Python: RLock.acquire(block=True, timeout=None)
 * Waits up to `timeout` for another holder, never for the calling thread itself.
 * Returns 0; MP_RECOVERED, for the first level only; MP_ETIMEOUT (False).
 */
MP_API int mp_rlock_acquire(mp_rlock *rlock, double timeout);

/**
 * Give up one level; the last one frees the lock.
 * Python: RLock.release()
 * Does not wait; wakes one that waits.
 * Returns 0; MP_ESTATE (AssertionError) unless this thread of this process holds it.
 */
MP_API int mp_rlock_release(mp_rlock *rlock);

/**
 * Ask whether somebody holds the lock, the caller or one who has ended included.
 * Python: RLock.locked()
 */
MP_API bool mp_rlock_locked(mp_rlock *rlock);

/** Ask as mp_lock_recovered, at every level of the holder. Python: has no such thing. */
MP_API bool mp_rlock_recovered(mp_rlock *rlock);

/** Destroy the lock, see DESTROY above. Python: the last reference goes. */
MP_API void mp_rlock_destroy(mp_rlock *rlock);

/** Describe the lock, see REPR above. Python: repr(rlock): <RLock(MainProcess, 2)>. */
MP_API int mp_rlock_repr(mp_rlock *rlock, char *buf, size_t n);

/**
 * Create a semaphore with `value` units.
 * Python: Semaphore(value=1)
 * Returns as CREATE above; MP_EOVERFLOW (OverflowError) for a value above INT_MAX; MP_EINVAL also
 * for one above 4096 with `reclaim`.
 * \param options may be NULL: units of the dead are not given back
 */
MP_API int mp_semaphore_create(mp_semaphore **out, unsigned value,
                               const mp_semaphore_options *options);

/**
 * Take a unit.
 * Python: Semaphore.acquire(block=True, timeout=None)
 * Waits up to `timeout` for one. A unit whose taker ends is gone, unless `reclaim`.
 * Returns 0; MP_RECOVERED for a unit of one that ended (only with `reclaim`); MP_ETIMEOUT (False).
 */
MP_API int mp_semaphore_acquire(mp_semaphore *semaphore, double timeout);

/**
 * Add a unit, taken before or not.
 * Python: Semaphore.release()
 * Does not wait; wakes one that waits.
 * Returns 0; MP_ESTATE (ValueError) at INT_MAX, or at 4096 units with `reclaim`.
 */
MP_API int mp_semaphore_release(mp_semaphore *semaphore);

/** Ask whether there is no unit to take. Python: Semaphore.locked(). */
MP_API bool mp_semaphore_locked(mp_semaphore *semaphore);

/**
 * Count the units that can be taken.
 * Python: Semaphore.get_value()
 * Returns the number as it was at some moment of the call.
 */
MP_API int mp_semaphore_get_value(mp_semaphore *semaphore);

/** Destroy the semaphore, see DESTROY above. Python: the last reference goes. */
MP_API void mp_semaphore_destroy(mp_semaphore *semaphore);

/** Describe the semaphore, see REPR above. Python: repr(semaphore): <Semaphore(value=1)>. */
MP_API int mp_semaphore_repr(mp_semaphore *semaphore, char *buf, size_t n);

/**
 * Create a bounded semaphore with `value` units, all free.
 * Python: BoundedSemaphore(value=1)
 * Returns as CREATE above; MP_EINVAL also for a value above 4096, for there is a word per unit;
 * MP_EOVERFLOW (OverflowError) for one above INT_MAX.
 */
MP_API int mp_bounded_semaphore_create(mp_bounded_semaphore **out, unsigned value);

/**
 * Take a unit.
 * Python: BoundedSemaphore.acquire(block=True, timeout=None)
 * Waits up to `timeout` for one.
 * Returns 0; MP_RECOVERED if the unit's last holder ended holding it; MP_ETIMEOUT (False).
 */
MP_API int mp_bounded_semaphore_acquire(mp_bounded_semaphore *semaphore, double timeout);

/**
 * Give a unit back: one of this process, else one of an ended process, else anybody's.
 * Python: BoundedSemaphore.release()
 * Does not wait; wakes one that waits.
 * Returns 0; MP_ESTATE (ValueError) if all are free, and the value stays.
 */
MP_API int mp_bounded_semaphore_release(mp_bounded_semaphore *semaphore);

/**
 * Ask whether no unit is free; those of the ended count as held until they are taken.
 * Python: BoundedSemaphore.locked()
 */
MP_API bool mp_bounded_semaphore_locked(mp_bounded_semaphore *semaphore);

/**
 * Ask whether any unit is held by one that was told MP_RECOVERED for it.
 * Python: has no such thing
 */
MP_API bool mp_bounded_semaphore_recovered(mp_bounded_semaphore *semaphore);

/**
 * Count the free units; those of the ended count as held until they are taken.
 * Python: BoundedSemaphore.get_value()
 * Returns the number, as mp_semaphore_get_value.
 */
MP_API int mp_bounded_semaphore_get_value(mp_bounded_semaphore *semaphore);

/** Destroy the semaphore, see DESTROY above. Python: the last reference goes. */
MP_API void mp_bounded_semaphore_destroy(mp_bounded_semaphore *semaphore);

/** Describe the semaphore, see REPR above. Python: <BoundedSemaphore(value=1, maxvalue=2)>. */
MP_API int mp_bounded_semaphore_repr(mp_bounded_semaphore *semaphore, char *buf, size_t n);

/**
 * Create a condition on an RLock.
 * Python: Condition(lock=None)
 * A lock that is given is borrowed and must outlive the condition; several conditions may share
 * one. With NULL the condition makes an RLock of its own, and destroys it with itself.
 * Returns as CREATE above; MP_ETYPE (TypeError) and MP_ECLOSED (ValueError) for the lock.
 */
MP_API int mp_condition_create(mp_condition **out, mp_rlock *lock);

/** Create a condition on a Lock, which must be given. Python: Condition(lock). */
MP_API int mp_condition_create_with_lock(mp_condition **out, mp_lock *lock);

/** Take the condition's lock, as mp_rlock_acquire or mp_lock_acquire. Python: Condition.acquire. */
MP_API int mp_condition_acquire(mp_condition *condition, double timeout);

/** Free the condition's lock, as mp_rlock_release or mp_lock_release. Python: Condition.release. */
MP_API int mp_condition_release(mp_condition *condition);

/**
 * Give up the lock, wait for a notification, and take the lock again.
 * Python: Condition.wait(timeout=None)
 * Gives up all levels of an RLock and takes as many back, after a timeout too, however long that
 * takes; after MP_ECLOSED a lock of your own is held, one of the condition's own has ended with it.
 * Returns 0; MP_RECOVERED, before MP_ETIMEOUT, if a holder of the lock ended meanwhile: look at
 * the data again; MP_ETIMEOUT (False); MP_ESTATE (AssertionError) unless this thread holds the
 * lock; -EAGAIN (OSError) for the 513th waiter. A caller killed inside is forgotten, and what was
 * meant for it goes to the next that waited.
 */
MP_API int mp_condition_wait(mp_condition *condition, double timeout);

/**
 * Wait until a predicate holds.
 * Python: Condition.wait_for(predicate, timeout=None)
 * Calls predicate(arg) under the lock: at first, after each wake, and when the time is over.
 * Returns its first positive or negative answer; MP_ETIMEOUT (the last false value), the codes of
 * mp_condition_wait but MP_RECOVERED, after which it asks again. Unowned is MP_ESTATE before the
 * predicate is called. A caller killed inside the predicate held the lock.
 * \param predicate 0: not yet; positive: yes; negative: give up
 */
MP_API int mp_condition_wait_for(mp_condition *condition, int (*predicate)(void *), void *arg,
                                 double timeout);

/**
 * Wake up to n of those that wait.
 * Python: Condition.notify(n=1)
 * Does not wait for them to run (Python does, and hangs if one was killed); they go on when the
 * lock is free. Those that timed out do not count; with none waiting nothing is kept.
 * Returns 0; MP_ESTATE (AssertionError) unless this thread holds the lock.
 */
MP_API int mp_condition_notify(mp_condition *condition, unsigned n);

/** Wake all that wait, in all else as mp_condition_notify. Python: Condition.notify_all(). */
MP_API int mp_condition_notify_all(mp_condition *condition);

/** Ask as mp_lock_recovered, of the condition's lock. Python: has no such thing. */
MP_API bool mp_condition_recovered(mp_condition *condition);

/** Destroy it, with a lock of its own; see DESTROY above. Python: the last reference goes. */
MP_API void mp_condition_destroy(mp_condition *condition);

/** Describe the condition, see REPR above. Python: <Condition(<RLock(None, 0)>, 0)>. */
MP_API int mp_condition_repr(mp_condition *condition, char *buf, size_t n);

/**
 * Create an event that is not set.
 * Python: Event()
 * Returns as CREATE above.
 */
MP_API int mp_event_create(mp_event **out);

/**
 * Set the flag and wake all who wait.
 * Python: Event.set()
 * Does not wait. Returns 0, if it was set before too.
 */
MP_API int mp_event_set(mp_event *event);

/**
 * Clear the flag; who was woken before stays awake.
 * Python: Event.clear()
 * Does not wait. Returns 0, if it was clear before too.
 */
MP_API int mp_event_clear(mp_event *event);

/** Ask whether the flag is set. Python: Event.is_set(). */
MP_API bool mp_event_is_set(mp_event *event);

/**
 * Wait until the flag is set.
 * Python: Event.wait(timeout=None)
 * Returns 0, at once if it is set, and after a set during the wait even if cleared since;
 * MP_ETIMEOUT (False).
 */
MP_API int mp_event_wait(mp_event *event, double timeout);

/** Destroy the event, see DESTROY above. Python: the last reference goes. */
MP_API void mp_event_destroy(mp_event *event);

/** Describe the event, see REPR above. Python: repr(event): <Event at 0x7f0012345678 unset>. */
MP_API int mp_event_repr(mp_event *event, char *buf, size_t n);

/**
 * Create a barrier for a number of parties.
 * Python: Barrier(parties, action=None, timeout=None)
 * The last to arrive runs action(arg), in its own process, before any is let go; non-zero breaks
 * the barrier. `arg` must mean something in whichever process that is.
 * Returns as CREATE above; MP_EINVAL also for 0 parties (Python lets them pass), for more than
 * 4096 and for a NaN timeout.
 * \param action may be NULL
 * \param timeout of every wait that names none; MP_FOREVER: no limit
 */
MP_API int mp_barrier_create(mp_barrier **out, unsigned parties, int (*action)(void *), void *arg,
                             double timeout);

/**
 * Arrive, and wait for the others.
 * Python: Barrier.wait(timeout=None)
 * The first to time out breaks the barrier for all. A party of the next round does not overtake.
 * Returns an index 0..parties-1, each to one party; MP_EBROKEN (BrokenBarrierError) if the barrier
 * is or gets broken: by a timeout, abort, reset, the action, or a party that ended after arriving.
 * \param timeout MP_FOREVER: the barrier's own
 */
MP_API int mp_barrier_wait(mp_barrier *barrier, double timeout);

/**
 * Empty the barrier and make it whole: it may be used at once.
 * Python: Barrier.reset()
 * Who waits gets MP_EBROKEN, also while the action runs. Does not wait. Returns 0.
 */
MP_API int mp_barrier_reset(mp_barrier *barrier);

/**
 * Break the barrier, until it is reset.
 * Python: Barrier.abort()
 * Who waits, and who comes, gets MP_EBROKEN. Does not wait. Returns 0.
 */
MP_API int mp_barrier_abort(mp_barrier *barrier);

/** Give the number of parties, which never changes. Python: Barrier.parties. */
MP_API int mp_barrier_parties(mp_barrier *barrier);

/** Count those that wait in this round, 0 once it is complete. Python: Barrier.n_waiting. */
MP_API int mp_barrier_n_waiting(mp_barrier *barrier);

/** Ask whether the barrier is broken. Python: Barrier.broken. */
MP_API bool mp_barrier_broken(mp_barrier *barrier);

/** Destroy the barrier, see DESTROY above. Python: the last reference goes. */
MP_API void mp_barrier_destroy(mp_barrier *barrier);

/** Describe the barrier, see REPR above. Python: <Barrier at 0x7f0012345678: waiters=1/3>. */
MP_API int mp_barrier_repr(mp_barrier *barrier, char *buf, size_t n);

MP_END_DECLS

#define MP_CAT__(a, b) a##b
#define MP_CAT_(a, b) MP_CAT__(a, b)
#define MP_WITH_(kind, x, name)                                                     \
    for (mp_##kind##_guard_ name __attribute__((cleanup(mp_##kind##_guard_end_))) = \
             mp_##kind##_guard_begin_(x, __FILE__, __LINE__);                       \
         (name).once; (name).once = false)
#define MP_HOLD_(kind, x, name)                                                        \
    mp_##kind##_guard_ name __attribute__((cleanup(mp_##kind##_guard_end_), unused)) = \
        mp_##kind##_guard_begin_(x, __FILE__, __LINE__)

/**
 * Run the block that follows while holding.
 * Python: with lock: ...
 * Waits without limit. The block is a loop of one turn: return, goto, break and continue leave it
 * and release, break and continue for this block alone. A failing acquire ends the program as
 * MP_CHECK does: the block is never skipped and never runs unheld. exit and longjmp out of it do
 * not release; after exit the next acquire says MP_RECOVERED. mp_lock_recovered and its fellows
 * tell inside whether this one did. A function that ends in such a block and returns a value from
 * inside it draws -Wreturn-type: use MP_HOLD_LOCK there.
 */
#define MP_WITH_LOCK(x) MP_WITH_(lock, x, MP_CAT_(mp_guard_, __COUNTER__))
#define MP_WITH_RLOCK(x) MP_WITH_(rlock, x, MP_CAT_(mp_guard_, __COUNTER__))
#define MP_WITH_SEMAPHORE(x) MP_WITH_(semaphore, x, MP_CAT_(mp_guard_, __COUNTER__))
#define MP_WITH_BOUNDED_SEMAPHORE(x) MP_WITH_(bounded_semaphore, x, MP_CAT_(mp_guard_, __COUNTER__))
#define MP_WITH_CONDITION(x) MP_WITH_(condition, x, MP_CAT_(mp_guard_, __COUNTER__))

/**
 * Hold from here to the end of the enclosing block, however it is left.
 * Python: with lock: ..., to the end of the block
 * As MP_WITH_LOCK, but no loop: break and continue mean the loop around it. It is a declaration,
 * so it cannot be the whole body of an if, nor follow a label or be jumped over.
 */
#define MP_HOLD_LOCK(x) MP_HOLD_(lock, x, MP_CAT_(mp_guard_, __COUNTER__))
#define MP_HOLD_RLOCK(x) MP_HOLD_(rlock, x, MP_CAT_(mp_guard_, __COUNTER__))
#define MP_HOLD_SEMAPHORE(x) MP_HOLD_(semaphore, x, MP_CAT_(mp_guard_, __COUNTER__))
#define MP_HOLD_BOUNDED_SEMAPHORE(x) MP_HOLD_(bounded_semaphore, x, MP_CAT_(mp_guard_, __COUNTER__))
#define MP_HOLD_CONDITION(x) MP_HOLD_(condition, x, MP_CAT_(mp_guard_, __COUNTER__))

/* What the guards are made of: begin acquires or ends the program, end releases. */

static inline void mp_guard_check_(int result, const char *file, int line, const char *kind)
{
    if (result < 0)
        (void)mp_check_(result, file, line, kind);
}

typedef struct mp_lock_guard_ {
    mp_lock *object;
    bool once;
} mp_lock_guard_;

static inline mp_lock_guard_ mp_lock_guard_begin_(mp_lock *x, const char *file, int line)
{
    mp_lock_guard_ guard = {x, true};
    mp_guard_check_(mp_lock_acquire(x, MP_FOREVER), file, line, "lock");
    return guard;
}

static inline void mp_lock_guard_end_(mp_lock_guard_ *guard)
{
    (void)mp_lock_release(guard->object);
}

typedef struct mp_rlock_guard_ {
    mp_rlock *object;
    bool once;
} mp_rlock_guard_;

static inline mp_rlock_guard_ mp_rlock_guard_begin_(mp_rlock *x, const char *file, int line)
{
    mp_rlock_guard_ guard = {x, true};
    mp_guard_check_(mp_rlock_acquire(x, MP_FOREVER), file, line, "rlock");
    return guard;
}

static inline void mp_rlock_guard_end_(mp_rlock_guard_ *guard)
{
    (void)mp_rlock_release(guard->object);
}

typedef struct mp_semaphore_guard_ {
    mp_semaphore *object;
    bool once;
} mp_semaphore_guard_;

static inline mp_semaphore_guard_ mp_semaphore_guard_begin_(mp_semaphore *x, const char *file,
                                                            int line)
{
    mp_semaphore_guard_ guard = {x, true};
    mp_guard_check_(mp_semaphore_acquire(x, MP_FOREVER), file, line, "semaphore");
    return guard;
}

static inline void mp_semaphore_guard_end_(mp_semaphore_guard_ *guard)
{
    (void)mp_semaphore_release(guard->object);
}

typedef struct mp_bounded_semaphore_guard_ {
    mp_bounded_semaphore *object;
    bool once;
} mp_bounded_semaphore_guard_;

static inline mp_bounded_semaphore_guard_
mp_bounded_semaphore_guard_begin_(mp_bounded_semaphore *x, const char *file, int line)
{
    mp_bounded_semaphore_guard_ guard = {x, true};
    mp_guard_check_(mp_bounded_semaphore_acquire(x, MP_FOREVER), file, line, "bounded_semaphore");
    return guard;
}

static inline void mp_bounded_semaphore_guard_end_(mp_bounded_semaphore_guard_ *guard)
{
    (void)mp_bounded_semaphore_release(guard->object);
}

typedef struct mp_condition_guard_ {
    mp_condition *object;
    bool once;
} mp_condition_guard_;

static inline mp_condition_guard_ mp_condition_guard_begin_(mp_condition *x, const char *file,
                                                            int line)
{
    mp_condition_guard_ guard = {x, true};
    mp_guard_check_(mp_condition_acquire(x, MP_FOREVER), file, line, "condition");
    return guard;
}

static inline void mp_condition_guard_end_(mp_condition_guard_ *guard)
{
    (void)mp_condition_release(guard->object);
}

#endif
