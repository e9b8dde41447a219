/* Queue: waiting for messages and for room, around the ring.
 *
 * How it works
 *   Who finds no message spins, then stores 1 in items_wanted, looks once more, and parks in
 *   slices; a put commits first and looks at items_wanted afterwards. Both sides are sequentially
 *   consistent, so one of them sees the other. Who slept and took leaves the flag set, as others
 *   may sleep still, and passes its token on if messages are left. Room in a bounded queue is
 *   waited for in the same way.
 *   Waiting for a guard spends the caller's time; a call that is not to wait gives a guard one
 *   slice, as its holder may only be slow.
 *   A death leaves flags set or tokens lost: a spare post, or the rest of a slice.
 */
#include "queue/queue.h"

#include <string.h>

_Static_assert(sizeof(struct mp_queue) <= 1024, "a block for queues holds it");

static int gates_make(mp_queue *q)
{
    mp__gate *const gates[] = {&q->tail_gate, &q->head_gate, &q->items_gate, &q->space_gate,
                               &q->join_gate};
    int rc = 0;
    for (size_t i = 0; i < sizeof gates / sizeof gates[0] && rc == 0; i++) {
        if (q->gates_made)
            mp__gate_drain(gates[i]);
        else
            rc = mp__gate_init(gates[i]);
    }
    q->gates_made = rc == 0;
    return rc;
}

int mp__queue_make(enum mp__kind kind, size_t maxsize, mp_queue **out)
{
    mp_queue *q;
    int rc = mp__object_make(kind, offsetof(struct mp_queue, tail_gate), &q);
    if (rc != 0)
        return rc;
    q->object.length = maxsize;
    rc = gates_make(q);
    if (rc == 0)
        rc = mp__ledger_make(q);
    if (rc == 0)
        rc = mp__ring_make(q);
    if (rc != 0) {
        mp__object_discard(q);
        return rc;
    }
    *out = q;
    return 0;
}

int mp_queue_create(mp_queue **out, size_t maxsize)
{
    mp_queue *q;
    int rc = out == NULL ? MP_EINVAL : mp__queue_make(MP__KIND_QUEUE, maxsize, &q);
    if (rc != 0)
        return mp__fail(rc);
    mp__object_publish(q, MP__KIND_QUEUE);
    *out = q;
    return 0;
}

int mp__queue_check(mp_queue *q)
{
    int rc = mp__object_check(q, MP__KIND_QUEUE);
    return rc != 0 ? rc : mp__queue_is_closed(q) ? MP_ECLOSED : 0;
}

void mp__queue_end(const struct mp__ref *ref)
{
    mp_queue *q = mp__queue_of(ref);
    uint64_t me;
    if (!mp__object_may_end(&q->object) || mp__self_word(&me) != 0 ||
        mp__tail_take(ref, me, MP__NEVER) != 0)
        return;
    /* the guards of what has ended stay taken: who waits for them sees that it has */
    if (mp__head_take(ref, me, MP__NEVER) == 0)
        mp__object_end_guarded(&q->object);
    else
        mp__tail_give(q, me);
}

static mp__moment guard_until(mp__moment until)
{
    return until == 0 ? mp__moment_in(MP__SLICE_FIRST) : until;
}

static void wanted_post(_Atomic uint32_t *wanted, mp__gate *gate)
{
    if (atomic_load(wanted) != 0 && atomic_exchange(wanted, 0) != 0)
        mp__gate_post(gate);
}

static size_t items_of(mp_queue *q)
{
    return mp__ring_count(q);
}

static size_t room_of(mp_queue *q)
{
    size_t maxsize = (size_t)q->object.length, count = mp__ring_count(q);
    return maxsize == 0 ? SIZE_MAX : maxsize > count ? maxsize - count : 0;
}

/* One side's sleep: what it waits for, and by which flag and gate. */
struct sleep {
    size_t (*amount_of)(mp_queue *q);
    _Atomic uint32_t *wanted;
    mp__gate *gate;
    const struct mp__ref *ref;
    int64_t slice;
    bool slept;
};

/* A look takes the cache line away from the side that writes it. If the last wait ended with
   several at once, there is a stream, in which looks are rarer: each finds the more. */
static bool sleep_spin(mp_queue *q, struct sleep *sleep)
{
    static _Thread_local bool streams;
    struct mp__spin spin;
    if (!mp__spin_begin(&spin, MP__SPIN_WAKE))
        return false;
    if (streams)
        spin.pauses *= 4;
    size_t amount = 0;
    while (amount == 0 && mp__spin_again(&spin))
        amount = sleep->amount_of(q);
    mp__spin_ended(&spin, amount > 0);
    streams = amount > 1;
    return amount > 0;
}

/* Waits until it may be worth another try; MP_ETIMEOUT, MP_ECLOSED. */
static int sleep_once(mp_queue *q, struct sleep *sleep, mp__moment until)
{
    if (mp__moment_passed(until))
        return MP_ETIMEOUT;
    if (!sleep->slept && sleep_spin(q, sleep))
        return 0;
    atomic_store(sleep->wanted, 1);
    mp__step("queue.wanting");
    if (sleep->amount_of(q) > 0)
        return 0;
    mp__step("queue.parking");
    mp__gate_wait(sleep->gate, mp__slice_end(&sleep->slice, until));
    mp__step("queue.woken");
    sleep->slept = true;
    if (!mp__ref_ended(sleep->ref))
        return 0;
    mp__gate_post(sleep->gate);
    return MP_ECLOSED;
}

/* After a try that worked: others may sleep for the same, and there may be more of it. */
static void sleep_pass_on(mp_queue *q, struct sleep *sleep)
{
    if (!sleep->slept)
        return;
    atomic_store(sleep->wanted, 1);
    if (sleep->amount_of(q) > 0)
        mp__gate_post(sleep->gate);
}

static struct sleep sleep_for(const struct mp__ref *ref, bool items)
{
    mp_queue *q = mp__queue_of(ref);
    struct sleep sleep = {
        .amount_of = items ? items_of : room_of,
        .wanted = items ? &q->items_wanted : &q->space_wanted,
        .gate = items ? &q->items_gate : &q->space_gate,
        .ref = ref,
        .slice = MP__SLICE_FIRST,
        .slept = false,
    };
    return sleep;
}

/* ---- putting ------------------------------------------------------------------------------ */

/* What is to be put: one message, perhaps in a block already, or `count` items of one size. */
struct putting {
    enum mp__record record;
    const char *p;
    size_t size, count, put;
    void *block;
};

static bool room_under_guard(mp_queue *q, const struct mp__cursor *at)
{
    size_t maxsize = (size_t)q->object.length;
    if (maxsize == 0 || at->count - mp__count_of(q->head_seen) < maxsize)
        return true;
    q->head_seen = atomic_load(&q->head);
    return at->count - mp__count_of(q->head_seen) < maxsize;
}

/* Under the guard: as much as there is room for. */
static int put_some(mp_queue *q, struct putting *putting)
{
    struct mp__cursor at;
    int rc = 0;
    size_t before = putting->put;
    mp__tail_cursor(q, &at);
    while (rc == 0 && putting->put < putting->count && room_under_guard(q, &at)) {
        const char *p = putting->p + putting->put * putting->size;
        rc = putting->block != NULL
                 ? mp__ring_append_block(q, &at, putting->record, putting->block, putting->size)
                 : mp__ring_append(q, &at, putting->record, p, putting->size);
        putting->put += rc == 0;
    }
    if (putting->put > before && atomic_load(&q->object.kind) == MP__KIND_SIMPLE_QUEUE)
        mp__token_ensure(q);
    if (putting->put > before)
        mp__tail_commit(q, &at);
    return rc;
}

/* Puts all, or what goes in before the time is up; the caller looks at putting->put. */
static int put_all(const struct mp__ref *ref, struct putting *putting, mp__moment until)
{
    mp_queue *q = mp__queue_of(ref);
    uint64_t me;
    int rc = mp__self_word(&me);
    struct sleep sleep = sleep_for(ref, false);
    while (rc == 0) {
        rc = mp__tail_take(ref, me, guard_until(until));
        if (rc != 0)
            break;
        size_t before = putting->put;
        rc = put_some(q, putting);
        mp__tail_give(q, me);
        if (putting->put > before)
            wanted_post(&q->items_wanted, &q->items_gate);
        if (rc != 0 || putting->put == putting->count)
            break;
        rc = sleep_once(q, &sleep, until);
    }
    sleep_pass_on(q, &sleep);
    return rc == MP_ETIMEOUT ? MP_EFULL : rc;
}

int mp__queue_put_block(const struct mp__ref *ref, enum mp__record record, void *block, size_t n,
                        mp__moment until)
{
    struct putting putting = {.record = record, .size = n, .count = 1, .block = block};
    int rc = put_all(ref, &putting, until);
    if (rc != 0)
        mp__heap_give(block);
    return rc;
}

int mp__queue_put(const struct mp__ref *ref, enum mp__record record, const void *p, size_t n,
                  mp__moment until)
{
    struct putting putting = {.record = record, .p = p, .size = n, .count = 1};
    void *block, *bytes;
    if (n <= MP__RING_INLINE)
        return put_all(ref, &putting, until);
    int rc = mp__block_make(n, &block, &bytes);
    if (rc != 0)
        return rc;
    memcpy(bytes, p, n);
    return mp__queue_put_block(ref, record, block, n, until);
}

int mp_queue_put_bytes(mp_queue *q, const void *p, size_t n, double timeout)
{
    mp__moment until;
    struct mp__ref ref = mp__ref_to(q);
    int rc = p == NULL && n > 0 ? MP_EINVAL : mp__queue_check(q);
    if (rc == 0)
        rc = mp__moment_of(timeout, &until);
    if (rc == 0)
        rc = mp__queue_put(&ref, MP__RECORD_BYTES, p, n, until);
    return rc != 0 ? mp__fail(rc) : 0;
}

/* Items that do not stand in the ring go one by one, each in its block. */
static int put_large_items(const struct mp__ref *ref, struct putting *putting, mp__moment until)
{
    int rc = 0;
    while (rc == 0 && putting->put < putting->count) {
        rc = mp__queue_put(ref, MP__RECORD_BYTES, putting->p + putting->put * putting->size,
                           putting->size, until);
        putting->put += rc == 0;
    }
    return rc;
}

int mp_queue_put_array(mp_queue *q, const void *items, size_t count, size_t size, double timeout)
{
    mp__moment until;
    struct mp__ref ref = mp__ref_to(q);
    size_t bytes;
    int rc = items == NULL || count == 0 || size == 0 || count > INT32_MAX ? MP_EINVAL
                                                                           : mp__queue_check(q);
    if (rc == 0 && !mp__size_mul(count, size, &bytes))
        rc = MP_EINVAL;
    if (rc == 0)
        rc = mp__moment_of(timeout, &until);
    if (rc != 0)
        return mp__fail(rc);
    struct putting putting = {.record = MP__RECORD_BYTES, .p = items, .size = size, .count = count};
    rc = size > MP__RING_INLINE ? put_large_items(&ref, &putting, until)
                                : put_all(&ref, &putting, until);
    return putting.put > 0 ? (int)putting.put : mp__fail(rc);
}

/* ---- getting ------------------------------------------------------------------------------ */

/* Under the guard: the first message, if `taking` accepts it. 1: there was none. */
static int get_first(mp_queue *q, struct mp__taking *taking, mp__owner me,
                     struct mp__message *message)
{
    struct mp__cursor at;
    mp__head_cursor(q, &at);
    if (!mp__ring_next(q, &at, message))
        return 1;
    if (taking->record != 0 && message->record != taking->record)
        return MP_ETYPE;
    int rc = taking->accept(taking, message);
    if (rc != 0)
        return rc;
    struct mp__cursor next = at;
    struct mp__message more;
    while (taking->again != NULL && message->block == NULL && mp__ring_next(q, &next, &more) &&
           taking->again(taking, &more))
        at = next;
    mp__head_commit(q, &at, me, message);
    return 0;
}

int mp__queue_get(const struct mp__ref *ref, struct mp__taking *taking, mp__moment until)
{
    mp_queue *q = mp__queue_of(ref);
    uint64_t me;
    struct mp__message message;
    int rc = mp__self_word(&me);
    struct sleep sleep = sleep_for(ref, true);
    while (rc == 0) {
        rc = mp__head_take(ref, me, guard_until(until));
        if (rc != 0)
            break;
        rc = get_first(q, taking, mp__owner_of(me), &message);
        mp__head_give(q, me);
        if (rc <= 0)
            break;
        rc = sleep_once(q, &sleep, until);
    }
    sleep_pass_on(q, &sleep); /* what is left is for others: they must not sleep on */
    if (rc != 0)
        return rc == MP_ETIMEOUT ? MP_EEMPTY : rc;
    wanted_post(&q->space_wanted, &q->space_gate);
    if (message.block != NULL) {
        rc = taking->finish(taking, &message);
        mp__heap_give(message.block);
    }
    return rc;
}

void mp__queue_park(mp_queue *q, mp__moment until)
{
    int64_t slice = MP__SLICE_FIRST;
    atomic_store(&q->items_wanted, 1);
    if (items_of(q) > 0)
        return;
    bool woken = mp__gate_wait(&q->items_gate, mp__slice_end(&slice, until));
    /* a waiter takes nothing: others who sleep for the same message are to have the token */
    atomic_store(&q->items_wanted, 1);
    if (woken && items_of(q) > 0)
        mp__gate_post(&q->items_gate);
}

/* Here, because a program that uses a queue has this file linked in from the library. */
__attribute__((constructor(101))) static void classes_register(void)
{
    mp__queue_wait_register();
}
