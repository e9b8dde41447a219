/* The ledger of a queue: what each process took, and what it reported done.
 *
 * How it works
 *   One line per slot of the table of processes, changed under the head's guard only. The counts
 *   go on when the slot passes to another process; what the last one took and never did is then
 *   written off, once, as the number written off is set and not added to.
 *   Before its commit a consumer notes who takes how many up to which count, and what its line
 *   said before; after the commit it adds them to its line. A death between leaves a guard whose
 *   heir sees by the count that the commit was made, and by the line that it was not entered.
 *   A message is unfinished until it is done, or its taker has ended.
 */
#include "queue/ring.h"

/* Atomic only to keep the order of the stores: a death shows any of them. */
struct line {
    _Atomic uint32_t generation;
    _Atomic uint32_t got, done;
    _Atomic uint32_t written_off;
};

static struct line *line_at(struct mp_queue *q, uint32_t slot)
{
    return (struct line *)mp__heap_attached(&q->object) + slot;
}

static uint32_t slot_of(mp__owner owner)
{
    return (uint32_t)(owner & (MP__SLOTS - 1));
}

static uint32_t generation_of(mp__owner owner)
{
    return (uint32_t)(owner >> MP__SLOT_BITS);
}

int mp__ledger_make(struct mp_queue *q)
{
    void *lines;
    return mp__heap_attach(&q->object, MP__SLOTS * sizeof(struct line), &lines);
}

static uint32_t outstanding(const struct line *line)
{
    return (int32_t)(line->got - line->done) > 0 ? line->got - line->done : 0;
}

/* The caller's line, taken over from the slot's last process if need be. */
static struct line *line_of(struct mp_queue *q, mp__owner me)
{
    uint32_t slot = slot_of(me);
    struct line *line = line_at(q, slot);
    if (line->generation == generation_of(me))
        return line;
    if (q->ledger_high <= slot)
        q->ledger_high = slot + 1;
    mp__step("ledger.raised");
    if (outstanding(line) > line->written_off)
        atomic_store(&line->written_off, outstanding(line));
    mp__step("ledger.written_off");
    atomic_store(&line->generation, generation_of(me));
    return line;
}

void mp__ledger_prepare(struct mp_queue *q, mp__owner me, uint32_t n, uint32_t until)
{
    const struct line *line = line_of(q, me);
    q->taker = 0;
    atomic_signal_fence(memory_order_seq_cst); /* a death in between leaves no note */
    q->taker_count = n;
    q->taker_until = until;
    q->taker_before = line->got;
    mp__step("ledger.noting");
    atomic_signal_fence(memory_order_seq_cst);
    q->taker = me;
    /* release: an heir that sees the commit sees this note */
    atomic_thread_fence(memory_order_release);
}

void mp__ledger_enter(struct mp_queue *q)
{
    /* release: not before the commit */
    atomic_store_explicit(&line_at(q, slot_of(q->taker))->got, q->taker_before + q->taker_count,
                          memory_order_release);
}

static void done_recount(struct mp_queue *q)
{
    uint32_t done = 0;
    for (uint32_t i = 0; i < q->ledger_high; i++)
        done += line_at(q, i)->done;
    q->done = done;
}

void mp__ledger_repair(struct mp_queue *q)
{
    struct line *line = line_at(q, slot_of(q->taker));
    bool committed = q->taker_until == mp__count_of(atomic_load(&q->head));
    if (q->taker != 0 && committed && line->got == q->taker_before)
        mp__ledger_enter(q);
    done_recount(q);
}

int mp__ledger_done(struct mp_queue *q, mp__owner me)
{
    if (q->done == mp__count_of(atomic_load(&q->tail)))
        return MP_ESTATE;
    line_of(q, me)->done++;
    mp__step("ledger.done");
    q->done++;
    return 0;
}

uint32_t mp__ledger_unfinished(struct mp_queue *q, uint32_t *lost)
{
    uint32_t gone = 0;
    for (uint32_t i = 0; i < q->ledger_high; i++) {
        const struct line *line = line_at(q, i);
        uint32_t off = line->written_off;
        mp__owner owner = (mp__owner)line->generation << MP__SLOT_BITS | i;
        if (outstanding(line) > off && mp__dead(owner))
            off = outstanding(line);
        gone += off;
    }
    *lost = gone;
    uint32_t puts = mp__count_of(atomic_load(&q->tail));
    int32_t left = (int32_t)(puts - q->done - gone);
    /* who reports what another took makes one message count twice, those in the queue never */
    int32_t waiting = (int32_t)(puts - mp__count_of(atomic_load(&q->head)));
    return (uint32_t)(left > waiting ? left : waiting);
}
