/* The table of live processes, and who is dead.
 *
 * How it works
 *   A process of the tree is a slot and a generation. The slot's word says all that decides:
 *       generation:31 | starter's generation (low bits):19 | starter's slot:12 | state:2
 *   FREE -> STARTING   by the starter, before its fork, naming the starter; generation + 1
 *   STARTING -> LIVE   by the child, once it holds the byte of the life file
 *   a process that enters by itself goes the same way, as its own child: it holds the byte first
 *   and names no starter, so that its slot in STARTING is anybody's to sweep once the byte is free
 *   STARTING, LIVE -> FREE   by whoever reaped the process or found it dead
 *   all by CAS, so of a late child and a sweeper, or of two sweepers, exactly one wins; the child
 *   that loses leaves.
 *
 *   What a death leaves: a slot in STARTING has held nothing, and who asks about it once its
 *   starter is dead too frees it; a slot in LIVE whose process died is "dead" to all who ask, until
 *   the reaper, or a starter that finds no free slot, frees it. Words that name the dead keep the
 *   old generation and are dead for ever.
 *
 *   Evidence of life, in this order: the generation; the byte lock, which the kernel drops at
 *   death, before the parent can reap; where the byte is free, the start time of the process with
 *   that number (it may have closed its descriptors, or called exec). Without any evidence nobody
 *   is called dead.
 */
#include "memory/arena.h"

#include <mp/timeout.h>
#include <unistd.h>

enum { SLOT_FREE, SLOT_STARTING, SLOT_LIVE };

#define EXIT_RECORDED (UINT32_C(1) << 31)
#define LOW_GENERATION ((UINT64_C(1) << 19) - 1)

static uint64_t generation_of(uint64_t word)
{
    return word >> 33;
}

static unsigned state_of(uint64_t word)
{
    return (unsigned)(word & 3);
}

static uint64_t slot_word(uint64_t generation, mp__owner starter, unsigned state)
{
    return generation << 33 | ((starter >> MP__SLOT_BITS) & LOW_GENERATION) << 14 |
           (starter & (MP__SLOTS - 1)) << 2 | state;
}

static unsigned owner_slot(mp__owner owner)
{
    return (unsigned)(owner & (MP__SLOTS - 1));
}

static uint64_t owner_generation(mp__owner owner)
{
    return owner >> MP__SLOT_BITS;
}

/* Relaxed is enough for the fields beside the word: they are evidence that is weighed, and the
   word itself is read and changed with acquire and release. */
static void slot_reset(struct mp__slot *slot, pid_t pid, uint64_t born_until)
{
    atomic_store_explicit(&slot->exit_record, 0, memory_order_relaxed);
    atomic_store_explicit(&slot->pid, pid, memory_order_relaxed);
    atomic_store_explicit(&slot->born_until, born_until, memory_order_relaxed);
}

/* What the word tells of the starter: its slot, and the low bits of its generation. */
static mp__owner starter_of(uint64_t word)
{
    return (word >> 14 & LOW_GENERATION) << MP__SLOT_BITS | (word >> 2 & (MP__SLOTS - 1));
}

static bool starter_is_dead(uint64_t word)
{
    mp__owner starter = starter_of(word);
    uint64_t now = generation_of(atomic_load(&mp__slots()[owner_slot(starter)].word));
    return (now & LOW_GENERATION) != owner_generation(starter) ||
           mp__dead(now << MP__SLOT_BITS | owner_slot(starter));
}

static bool slot_is_abandoned(unsigned index, uint64_t word)
{
    if (state_of(word) == SLOT_LIVE)
        return mp__dead(generation_of(word) << MP__SLOT_BITS | index);
    /* one that enters by itself is about to fill its line */
    if (starter_of(word) == 0 && mp__lifefile_look(&mp__life, index) == MP__SIGN_HELD)
        return false;
    return starter_is_dead(word);
}

/* Claims slot `index` if it is free, or abandoned and `sweep` is set: its new owner, or 0. */
static mp__owner slot_claim(unsigned index, mp__owner starter, unsigned state, bool sweep)
{
    _Atomic uint64_t *word = &mp__slots()[index].word;
    uint64_t seen = atomic_load(word);
    if (state_of(seen) != SLOT_FREE) {
        if (!sweep || !slot_is_abandoned(index, seen))
            return 0;
        uint64_t freed = slot_word(generation_of(seen), 0, SLOT_FREE);
        if (!atomic_compare_exchange_strong(word, &seen, freed))
            return 0;
        seen = freed;
    }
    uint64_t generation = (generation_of(seen) + 1) & (((uint64_t)1 << 31) - 1);
    if (generation == 0)
        generation = 1;
    if (!atomic_compare_exchange_strong(word, &seen, slot_word(generation, starter, state)))
        return 0;
    return generation << MP__SLOT_BITS | index;
}

/* Round robin, so that a slot's generation lasts. Each who looks goes through all slots, however
   many look at the same time; relaxed: where they begin is a hint. */
static unsigned slot_first(void)
{
    return atomic_load_explicit(&mp__arena->life_cursor, memory_order_relaxed);
}

static void slot_next_is_after(unsigned index)
{
    atomic_store_explicit(&mp__arena->life_cursor, index + 1, memory_order_relaxed);
}

int mp__life_take(mp__owner starter, mp__owner *out)
{
    unsigned first = slot_first();
    for (unsigned i = 0; i < 2 * MP__SLOTS; i++) {
        unsigned index = (first + i) & (MP__SLOTS - 1);
        mp__owner owner = slot_claim(index, starter, SLOT_STARTING, i >= MP__SLOTS);
        if (owner == 0)
            continue;
        mp__step("life.taken");
        slot_next_is_after(index);
        struct mp__slot *slot = &mp__slots()[owner_slot(owner)];
        slot_reset(slot, 0, 0);
        atomic_store_explicit(&slot->born_from, mp__boot_now(), memory_order_relaxed);
        *out = owner;
        return 0;
    }
    return MP_ENOSLOT;
}

void mp__life_started(mp__owner owner, pid_t pid)
{
    struct mp__slot *slot = &mp__slots()[owner_slot(owner)];
    if (mp__gone(owner)) /* the child has ended and been swept, and the slot may be another's */
        return;
    atomic_store_explicit(&slot->pid, pid, memory_order_relaxed);
    atomic_store_explicit(&slot->born_until, mp__boot_now(), memory_order_relaxed);
}

static void self_become(mp__owner owner)
{
    atomic_store_explicit(&mp__self->owner, owner, memory_order_release);
}

bool mp__life_file_is_ours(void)
{
    return mp__lifefile_is_ours(&mp__life);
}

int mp__life_adopt(mp__owner owner, bool file_is_ours)
{
    unsigned index = owner_slot(owner);
    struct mp__slot *slot = &mp__slots()[index];
    /* a process that entered by itself may hold the byte for a moment, to find the slot taken */
    for (int tries = 0; file_is_ours && !mp__lifefile_hold(&mp__life, index) && tries < 10000;
         tries++)
        mp_sleep(0.0001);
    mp__step("life.held");
    int32_t none = 0; /* the starter knows the number by which others see this process */
    atomic_compare_exchange_strong(&slot->pid, &none, getpid());
    uint64_t seen = atomic_load(&slot->word);
    if (generation_of(seen) != owner_generation(owner) || state_of(seen) != SLOT_STARTING ||
        !atomic_compare_exchange_strong(
            &slot->word, &seen, slot_word(owner_generation(owner), starter_of(seen), SLOT_LIVE)))
        return MP_ESTATE;
    mp__step("life.live");
    self_become(owner);
    return 0;
}

/* Fills the line of a process that nobody started, which is in STARTING, for a sweep to take if
   this process dies here. False if one did. */
static bool slot_enter(unsigned index, mp__owner owner)
{
    struct mp__slot *slot = &mp__slots()[index];
    /* a process that gets this number later has a start time after this moment */
    slot_reset(slot, mp__process_id(), mp__boot_now());
    atomic_store(&slot->born_from, 0);
    mp__step("life.filled");
    uint64_t seen = slot_word(owner_generation(owner), 0, SLOT_STARTING);
    return atomic_compare_exchange_strong(&slot->word, &seen,
                                          slot_word(owner_generation(owner), 0, SLOT_LIVE));
}

/* Enters a process that nobody started: holds the byte first, so that LIVE is never without. */
int mp__life_enter(void)
{
    unsigned first = slot_first();
    bool file_is_ours = mp__life_file_is_ours();
    for (unsigned i = 0; i < 2 * MP__SLOTS; i++) {
        unsigned index = (first + i) & (MP__SLOTS - 1);
        if (state_of(atomic_load(&mp__slots()[index].word)) != SLOT_FREE && i < MP__SLOTS)
            continue;
        if (file_is_ours && !mp__lifefile_hold(&mp__life, index))
            continue;
        mp__step("life.entering");
        mp__owner owner = slot_claim(index, 0, SLOT_STARTING, i >= MP__SLOTS);
        if (owner == 0 || !slot_enter(index, owner)) {
            mp__lifefile_drop(&mp__life, index);
            continue;
        }
        mp__step("life.entered");
        slot_next_is_after(index);
        self_become(owner);
        return 0;
    }
    return MP_ENOSLOT;
}

void mp__life_release(mp__owner owner)
{
    _Atomic uint64_t *word = &mp__slots()[owner_slot(owner)].word;
    uint64_t seen = atomic_load(word);
    while (generation_of(seen) == owner_generation(owner) && state_of(seen) != SLOT_FREE)
        if (atomic_compare_exchange_strong(word, &seen,
                                           slot_word(owner_generation(owner), 0, SLOT_FREE)))
            return;
}

bool mp__gone(mp__owner owner)
{
    uint64_t word = atomic_load(&mp__slots()[owner_slot(owner)].word);
    return generation_of(word) != owner_generation(owner) || state_of(word) == SLOT_FREE;
}

/* The starter bounds the start time after its fork. If it died before that, whoever first needs
   the bound sets it: who gets the number later has a later start. */
static bool start_fits(struct mp__slot *slot, uint64_t start)
{
    uint64_t from = atomic_load(&slot->born_from), until = atomic_load(&slot->born_until);
    if (until == 0 && starter_is_dead(atomic_load(&slot->word))) {
        uint64_t now = mp__boot_now();
        if (atomic_compare_exchange_strong(&slot->born_until, &until, now))
            until = now;
    }
    return start >= from && (until == 0 || start <= until);
}

static bool slot_is_dead(unsigned index)
{
    struct mp__slot *slot = &mp__slots()[index];
    enum mp__sign sign = mp__lifefile_look(&mp__life, index);
    if (sign == MP__SIGN_HELD)
        return false;
    uint64_t start = 0;
    pid_t pid = atomic_load_explicit(&slot->pid, memory_order_relaxed); /* as in slot_reset */
    switch (mp__process_trace(pid, &start)) {
    case MP__TRACE_GONE:
        return true;
    case MP__TRACE_RUNS:
        return !start_fits(slot, start);
    default:
        return sign == MP__SIGN_FREE && mp__process_is_gone(pid);
    }
}

bool mp__dead(mp__owner owner)
{
    if (owner == mp__self_owner())
        return false;
    uint64_t word = atomic_load(&mp__slots()[owner_slot(owner)].word);
    if (generation_of(word) != owner_generation(owner) || state_of(word) == SLOT_FREE)
        return true;
    if (state_of(word) == SLOT_LIVE)
        return slot_is_dead(owner_slot(owner));
    /* its starter died: who was told that it is dead must not see it come to life */
    return slot_is_abandoned(owner_slot(owner), word) &&
           atomic_compare_exchange_strong(&mp__slots()[owner_slot(owner)].word, &word,
                                          slot_word(owner_generation(owner), 0, SLOT_FREE));
}

unsigned mp__life_count(void)
{
    unsigned n = 0;
    for (unsigned i = 0; i < MP__SLOTS; i++)
        n += state_of(atomic_load(&mp__slots()[i].word)) != SLOT_FREE;
    return n;
}

void mp__life_record_exit(int code)
{
    mp__owner owner = mp__self_owner();
    if (owner != 0)
        atomic_store_explicit(&mp__slots()[owner_slot(owner)].exit_record,
                              EXIT_RECORDED | (uint32_t)(code & 0xff), memory_order_release);
}

bool mp__life_exit_recorded(mp__owner owner, int *code)
{
    uint32_t record =
        atomic_load_explicit(&mp__slots()[owner_slot(owner)].exit_record, memory_order_acquire);
    if (mp__gone(owner) || (record & EXIT_RECORDED) == 0)
        return false;
    *code = (int)(record & 0xff);
    return true;
}
