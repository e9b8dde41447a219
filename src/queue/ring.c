/* The ring: a chain of segments in which messages stand one behind the other.
 *
 * How it works
 *   tail and head are one word each: a position, in units of 8 bytes of an endless stream, and a
 *   count of messages. One store of tail makes messages true, one store of head takes them; sizes,
 *   counts and places all follow from these two words, so no death leaves two that disagree.
 *   Producers exclude each other by the tail's guard, consumers by the head's; the two sides meet
 *   in the two words only.
 *
 *   A segment is a piece of the queue of 64 KiB that covers the positions from its base on. A
 *   record is a word (length << 8 | kind) and its bytes, padded to units, or, for long messages,
 *   the reference of a block. What does not fit into the rest of a segment goes to the next: the
 *   producer makes it, links it, points tail_segment at it, writes the record, commits. head passes
 *   a link when it has nothing left before it; the consumer commits, points head_segment at the new
 *   segment, and keeps the emptied one as the spare, or gives it back to the heap.
 *
 *   A death leaves
 *     putting, before the commit: bytes nobody sees, and perhaps a linked segment, which the next
 *     producer finds by its base and uses; tail_segment may be one too far, and leads back;
 *     getting, before the commit: nothing; after it, a head_segment that leads on to the right one
 *     through others, which the next consumer recycles; an emptied segment or a block that the
 *     sweep judges by the positions: a segment before head_segment's and a block that head has
 *     passed are garbage, and what tail has not reached while nobody holds the guards.
 */
#include "queue/ring.h"

#include <errno.h>
#include <string.h>

#define UNIT 8u
#define SEGMENT_SIZE 65536u
#define IS_BLOCK 0x80u

enum piece_type { SEGMENT = 0x5347, BLOCK = 0x424c };

struct mp__ring_segment {
    uint32_t type;
    uint32_t base;
    uint32_t previous;
    _Atomic uint32_t next;
};

struct block {
    uint32_t type;
    uint32_t position; /* of its record */
    uint64_t size;
};

/* The record of a message in a block. */
struct block_record {
    uint32_t head;
    uint32_t ref;
    uint64_t size;
};

#define SEGMENT_UNITS ((uint32_t)((SEGMENT_SIZE - sizeof(struct mp__ring_segment)) / UNIT))

static uint64_t commit_of(uint32_t position, uint32_t count)
{
    return (uint64_t)position << 32 | count;
}

static uint32_t position_of(uint64_t commit)
{
    return (uint32_t)(commit >> 32);
}

/* Positions wrap; no two that are compared lie half the range apart. */
static int32_t distance(uint32_t from, uint32_t to)
{
    return (int32_t)(to - from);
}

static uint32_t segment_end(const struct mp__ring_segment *s)
{
    return s->base + SEGMENT_UNITS;
}

static char *segment_at(struct mp__ring_segment *s, uint32_t position)
{
    return (char *)(s + 1) + (size_t)(position - s->base) * UNIT;
}

static uint32_t units_of(size_t bytes)
{
    return (uint32_t)((bytes + UNIT - 1) / UNIT);
}

/* ---- segments ----------------------------------------------------------------------------- */

static int segment_make(struct mp_queue *q, uint32_t base, uint32_t previous,
                        struct mp__ring_segment **out)
{
    uint32_t spare = atomic_exchange(&q->spare, 0);
    struct mp__ring_segment *s = spare != 0 ? mp__piece_at(spare) : NULL;
    mp__step("ring.unspared");
    int rc = s != NULL ? 0 : mp__piece_take(SEGMENT_SIZE, &s);
    if (rc != 0)
        return rc;
    s->type = SEGMENT;
    s->base = base;
    s->previous = previous;
    atomic_store(&s->next, 0);
    if (spare == 0)
        mp__piece_join(s, &q->object);
    mp__step("ring.made");
    *out = s;
    return 0;
}

int mp__ring_make(struct mp_queue *q)
{
    struct mp__ring_segment *s;
    int rc = segment_make(q, 0, 0, &s);
    if (rc != 0)
        return rc;
    atomic_store(&q->tail_segment, mp__piece_ref(s));
    atomic_store(&q->head_segment, mp__piece_ref(s));
    return 0;
}

/* The segment behind `s` if there is one: a link may be left over from a dead producer. */
static struct mp__ring_segment *segment_next(struct mp_queue *q, struct mp__ring_segment *s)
{
    uint32_t ref = atomic_load(&s->next);
    if (!mp__piece_is_in(ref, &q->object))
        return NULL;
    struct mp__ring_segment *next = mp__piece_at(ref);
    return next->type == SEGMENT && next->base == segment_end(s) ? next : NULL;
}

static void segment_recycle(struct mp_queue *q, struct mp__ring_segment *s)
{
    uint32_t none = 0;
    if (!atomic_compare_exchange_strong(&q->spare, &none, mp__piece_ref(s)))
        mp__heap_give(s);
    mp__step("ring.recycled");
}

/* ---- putting ------------------------------------------------------------------------------ */

int mp__tail_take(const struct mp__ref *ref, uint64_t me, mp__moment until)
{
    struct mp_queue *q = mp__queue_of(ref);
    int rc = mp__word_acquire(&q->tail_guard, &q->tail_gate, me, until, ref);
    return rc > 0 ? 0 : rc;
}

void mp__tail_give(struct mp_queue *q, uint64_t me)
{
    mp__word_release(&q->tail_guard, &q->tail_gate, me);
}

void mp__tail_cursor(struct mp_queue *q, struct mp__cursor *at)
{
    /* relaxed: only holders of the guard write these */
    uint64_t tail = atomic_load_explicit(&q->tail, memory_order_relaxed);
    uint32_t ref = atomic_load_explicit(&q->tail_segment, memory_order_relaxed);
    struct mp__ring_segment *s = mp__piece_at(ref);
    if (distance(s->base, position_of(tail)) < 0)
        s = mp__piece_at(s->previous);
    *at = (struct mp__cursor){s, position_of(tail), mp__count_of(tail)};
}

/* Makes sure that `units` fit at the cursor, in the next segment if need be. What was appended
   before is committed first, so that at most one segment is ahead of tail. */
static int cursor_reserve(struct mp_queue *q, struct mp__cursor *at, uint32_t units)
{
    uint32_t room = segment_end(at->segment) - at->position;
    if (units <= room)
        return 0;
    mp__tail_commit(q, at);
    struct mp__ring_segment *next = segment_next(q, at->segment);
    if (next == NULL) {
        int rc = segment_make(q, segment_end(at->segment), mp__piece_ref(at->segment), &next);
        if (rc != 0)
            return rc;
        atomic_store(&at->segment->next, mp__piece_ref(next));
        mp__step("ring.linked");
    }
    if (room > 0) {
        uint32_t link = MP__RECORD_LINK;
        memcpy(segment_at(at->segment, at->position), &link, sizeof link);
    }
    atomic_store(&q->tail_segment, mp__piece_ref(next));
    mp__step("ring.entered");
    at->segment = next;
    at->position = next->base;
    return 0;
}

int mp__ring_append(struct mp_queue *q, struct mp__cursor *at, enum mp__record record,
                    const void *p, size_t n)
{
    uint32_t head = (uint32_t)n << 8 | (uint32_t)record;
    uint32_t units = units_of(sizeof head + n);
    int rc = cursor_reserve(q, at, units);
    if (rc != 0)
        return rc;
    char *to = segment_at(at->segment, at->position);
    memcpy(to, &head, sizeof head);
    if (n > 0)
        memcpy(to + sizeof head, p, n);
    at->position += units;
    at->count++;
    return 0;
}

int mp__block_make(size_t n, void **out, void **bytes)
{
    struct block *block;
    size_t size;
    if (!mp__size_add(n, sizeof *block, &size))
        return -ENOMEM;
    int rc = mp__piece_take(size, &block);
    if (rc != 0)
        return rc;
    *out = block;
    *bytes = block + 1;
    return 0;
}

int mp__ring_append_block(struct mp_queue *q, struct mp__cursor *at, enum mp__record record,
                          void *p, size_t n)
{
    struct block_record r = {IS_BLOCK | (uint32_t)record, mp__piece_ref(p), n};
    int rc = cursor_reserve(q, at, units_of(sizeof r));
    if (rc != 0)
        return rc;
    struct block *block = p;
    block->type = BLOCK;
    block->position = at->position;
    block->size = n;
    mp__piece_join(block, &q->object);
    memcpy(segment_at(at->segment, at->position), &r, sizeof r);
    at->position += units_of(sizeof r);
    at->count++;
    return 0;
}

void mp__tail_commit(struct mp_queue *q, const struct mp__cursor *at)
{
    mp__step("ring.committing");
    /* sequentially consistent: a consumer that wants items is seen after this, or sees this */
    atomic_store(&q->tail, commit_of(at->position, at->count));
    mp__step("ring.committed");
}

/* ---- getting ------------------------------------------------------------------------------ */

int mp__head_take(const struct mp__ref *ref, uint64_t me, mp__moment until)
{
    struct mp_queue *q = mp__queue_of(ref);
    int rc = mp__word_acquire(&q->head_guard, &q->head_gate, me, until, ref);
    if (rc == MP_RECOVERED)
        mp__ledger_repair(q);
    return rc > 0 ? 0 : rc;
}

void mp__head_give(struct mp_queue *q, uint64_t me)
{
    mp__word_release(&q->head_guard, &q->head_gate, me);
}

static void cursor_pass_links(struct mp_queue *q, struct mp__cursor *at)
{
    struct mp__ring_segment *next;
    while (distance(segment_end(at->segment), at->position) >= 0 &&
           (next = segment_next(q, at->segment)) != NULL)
        at->segment = next;
}

void mp__head_cursor(struct mp_queue *q, struct mp__cursor *at)
{
    /* relaxed: only holders of the guard write these */
    uint64_t head = atomic_load_explicit(&q->head, memory_order_relaxed);
    uint32_t ref = atomic_load_explicit(&q->head_segment, memory_order_relaxed);
    *at = (struct mp__cursor){mp__piece_at(ref), position_of(head), mp__count_of(head)};
}

/* Takes the message at the cursor, which is not the tail's, and moves the cursor behind it. */
static void message_read(struct mp_queue *q, struct mp__cursor *at, struct mp__message *message)
{
    uint32_t head = MP__RECORD_LINK;
    cursor_pass_links(q, at);
    memcpy(&head, segment_at(at->segment, at->position), sizeof head);
    if (head == MP__RECORD_LINK) {
        at->position = segment_end(at->segment);
        cursor_pass_links(q, at);
        memcpy(&head, segment_at(at->segment, at->position), sizeof head);
    }
    const char *from = segment_at(at->segment, at->position);
    message->record = (enum mp__record)(head & 0x7f);
    if (head & IS_BLOCK) {
        struct block_record r;
        memcpy(&r, from, sizeof r);
        message->block = mp__piece_at(r.ref);
        message->bytes = (const struct block *)message->block + 1;
        message->size = (size_t)r.size;
        at->position += units_of(sizeof r);
    } else {
        message->block = NULL;
        message->bytes = from + sizeof head;
        message->size = head >> 8;
        at->position += units_of(sizeof head + message->size);
    }
    at->count++;
}

bool mp__ring_next(struct mp_queue *q, struct mp__cursor *at, struct mp__message *message)
{
    if (at->count == mp__count_of(q->tail_seen)) {
        /* acquire: the records up to there are written */
        q->tail_seen = atomic_load_explicit(&q->tail, memory_order_acquire);
        if (at->count == mp__count_of(q->tail_seen))
            return false;
    }
    message_read(q, at, message);
    return true;
}

void mp__head_commit(struct mp_queue *q, const struct mp__cursor *at, mp__owner me,
                     const struct mp__message *last)
{
    uint32_t count = at->count - mp__count_of(atomic_load(&q->head));
    mp__ledger_prepare(q, me, count, at->count);
    mp__step("ring.taking");
    /* sequentially consistent: a producer that wants space is seen after this, or sees this */
    atomic_store(&q->head, commit_of(at->position, at->count));
    mp__step("ring.taken");
    mp__ledger_enter(q);
    if (last->block != NULL)
        mp__heap_claim(last->block);
    mp__step("ring.claimed");
    struct mp__ring_segment *s = mp__piece_at(atomic_load(&q->head_segment));
    if (s == at->segment)
        return;
    atomic_store(&q->head_segment, mp__piece_ref(at->segment));
    mp__step("ring.moved");
    while (s != at->segment) {
        struct mp__ring_segment *next = segment_next(q, s);
        segment_recycle(q, s);
        s = next;
    }
}

/* ---- what the sweep asks ------------------------------------------------------------------ */

static bool piece_is_between(struct mp_queue *q, const void *piece)
{
    const struct mp__ring_segment *s = piece;
    const struct block *block = piece;
    uint32_t ref = mp__piece_ref(piece);
    uint32_t head = position_of(atomic_load(&q->head));
    uint32_t tail = position_of(atomic_load(&q->tail));
    struct mp__cursor at;
    mp__tail_cursor(q, &at);
    /* a link that a dead producer made is the next one's to use, and may be in use by then */
    if (ref == atomic_load(&q->spare) || ref == atomic_load(&q->tail_segment) ||
        ref == atomic_load(&q->head_segment) || ref == atomic_load(&at.segment->next))
        return true;
    const struct mp__ring_segment *first = mp__piece_at(atomic_load(&q->head_segment));
    if (s->type == SEGMENT)
        return distance(first->base, s->base) >= 0 && distance(s->base, tail) >= 0;
    return distance(head, block->position) >= 0 && distance(block->position, tail) > 0;
}

/* Whoever holds a guard may be at work on the piece: then it lives for now. */
static bool piece_lives(struct mp__object *object, void *piece)
{
    struct mp_queue *q = (struct mp_queue *)(void *)object;
    struct mp__ref ref = mp__ref_to(object);
    uint64_t me;
    bool lives = true;
    if (mp__self_word(&me) != 0 || mp__tail_take(&ref, me, 0) != 0)
        return true;
    if (mp__head_take(&ref, me, 0) == 0) {
        lives = piece_is_between(q, piece);
        mp__head_give(q, me);
    }
    mp__tail_give(q, me);
    return lives;
}

__attribute__((constructor(101))) static void judge_register(void)
{
    mp__queue_piece_lives = piece_lives;
}
