/* The ring under both kinds of queue: messages of any size in shared memory, in order. */
#ifndef MP__RING_H
#define MP__RING_H

#include "memory/memory.h"

/* What a message is. */
enum mp__record { MP__RECORD_BYTES = 1, MP__RECORD_OBJECT, MP__RECORD_LINK };

/* Longer messages get a block of their own, which is a run then: slabs stay slabs for ever. */
#define MP__RING_INLINE ((size_t)8176)

/* Words that change together stand in a cache line of their own. Fields that are not atomic belong
   to the holder of the guard above them. */
struct mp_queue {
    struct mp__object object; /* length: maxsize, 0 for unbounded; attached: the ledger */

    _Alignas(64) _Atomic uint64_t tail; /* position << 32 | count: the commit of put */
    _Alignas(64) _Atomic uint64_t head; /* the commit of get */
    _Alignas(64) _Atomic uint64_t tail_guard;
    _Atomic uint32_t tail_segment; /* where tail is, or the segment after it */
    uint64_t head_seen;            /* a cache of head */

    _Alignas(64) _Atomic uint64_t head_guard;
    _Atomic uint32_t head_segment; /* where head is, or a segment before it */
    uint64_t tail_seen;            /* a cache of tail */
    mp__owner taker;               /* who takes, how many, to what count, and what it had */
    uint32_t taker_count, taker_until, taker_before;
    uint32_t ledger_high;     /* slots of the ledger from here on were never used */
    uint32_t done, lost_told; /* a cache of the sum of all done; losses join has told */

    _Alignas(64) _Atomic uint32_t items_wanted, space_wanted, join_wanted;
    _Atomic uint32_t spare; /* a segment that has been emptied */

    /* From here on kept from one life to the next, as somebody may still sleep at a gate. */
    _Alignas(64) mp__gate tail_gate;
    mp__gate head_gate, items_gate, space_gate, join_gate;
    uint32_t gates_made;
};

/* Where in the ring somebody reads or writes. */
struct mp__cursor {
    struct mp__ring_segment *segment;
    uint32_t position, count;
};

static inline uint32_t mp__count_of(uint64_t commit)
{
    return (uint32_t)commit;
}

static inline struct mp_queue *mp__queue_of(const struct mp__ref *ref)
{
    return (struct mp_queue *)(void *)ref->object;
}

/* As it was when tail was read: head, which only grows, was the same before and after. */
static inline uint32_t mp__ring_count(struct mp_queue *q)
{
    uint64_t head = atomic_load(&q->head), tail, seen;
    do {
        seen = head;
        tail = atomic_load(&q->tail);
        head = atomic_load(&q->head);
    } while (head != seen);
    return mp__count_of(tail) - mp__count_of(head);
}

int mp__ring_make(struct mp_queue *q);

/* ---- putting, under the tail's guard ------------------------------------------------------ */

/* Guards of the queue that the call began with: MP_ECLOSED once that has ended, whatever stands in
   its place now. */
int mp__tail_take(const struct mp__ref *ref, uint64_t me, mp__moment until);
void mp__tail_give(struct mp_queue *q, uint64_t me);
void mp__tail_cursor(struct mp_queue *q, struct mp__cursor *at);
/* Appends a record, not yet visible; -ENOMEM leaves what was appended before. */
int mp__ring_append(struct mp_queue *q, struct mp__cursor *at, enum mp__record record,
                    const void *p, size_t n);
/* The same for bytes that stand in a block made by mp__block_make. */
int mp__ring_append_block(struct mp_queue *q, struct mp__cursor *at, enum mp__record record,
                          void *p, size_t n);
void mp__tail_commit(struct mp_queue *q, const struct mp__cursor *at);

int mp__block_make(size_t n, void **out, void **bytes);

/* ---- getting, under the head's guard ------------------------------------------------------ */

/* The first message: where its bytes are. A block is the reader's after mp__head_commit. */
struct mp__message {
    enum mp__record record;
    const void *bytes;
    size_t size;
    void *block; /* NULL for a message that stands in the ring */
};

int mp__head_take(const struct mp__ref *ref, uint64_t me, mp__moment until);
void mp__head_give(struct mp_queue *q, uint64_t me);
void mp__head_cursor(struct mp_queue *q, struct mp__cursor *at);
bool mp__ring_next(struct mp_queue *q, struct mp__cursor *at, struct mp__message *message);
/* Takes what stands between head and the cursor; `last` is the message before it. */
void mp__head_commit(struct mp_queue *q, const struct mp__cursor *at, mp__owner me,
                     const struct mp__message *last);

/* ---- the ledger (ledger.c), under the head's guard ---------------------------------------- */

int mp__ledger_make(struct mp_queue *q);
void mp__ledger_prepare(struct mp_queue *q, mp__owner me, uint32_t n, uint32_t until);
void mp__ledger_enter(struct mp_queue *q);
void mp__ledger_repair(struct mp_queue *q); /* what a dead holder of the guard left undone */
int mp__ledger_done(struct mp_queue *q, mp__owner me);
/* Messages neither done nor lost; *lost: how many ended processes took and never did. */
uint32_t mp__ledger_unfinished(struct mp_queue *q, uint32_t *lost);

#endif
