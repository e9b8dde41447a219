/* What the dead leave in the heap, and the walk that checks it.
 *
 * How it works
 *   A block or run in TRANSIT belongs to the process it names while that lives; if it is dead the
 *   sweep frees it. A piece IN an object lives while the object does, or is being made by somebody
 *   alive, and has a use for it; else the sweep frees it. All changes are a
 *   CAS from the word that was judged, so a sweep never takes what has moved on; a death inside
 *   the sweep leaves work for the next. Objects are made nobody's first and freed last: between, no
 *   other object can be born in their blocks and be asked about their pieces.
 */
#include "memory/arena.h"

#define NOBODY ((mp__owner)0)

/* Many words name the same process: ask once. */
struct verdict {
    mp__owner owner;
    bool dead;
};

static bool is_dead(struct verdict *last, mp__owner owner)
{
    if (last->owner != owner)
        *last = (struct verdict){owner, owner == NOBODY || mp__dead(owner)};
    return last->dead;
}

bool (*mp__queue_piece_lives)(struct mp__object *queue, void *piece);
bool (*mp__pool_is_abandoned)(struct mp__object *pool);

/* The parent is being made or lives, and has a use for this piece. */
static bool piece_lives(void *piece, struct mp__object *parent, struct verdict *last)
{
    uint64_t state = atomic_load(mp__slab_state_of(parent));
    uint32_t kind = atomic_load(&parent->kind);
    if (mp__entry_state(state) == MP__FREE || kind == MP__KIND_GONE ||
        (mp__entry_state(state) == MP__TRANSIT && is_dead(last, mp__entry_low(state))))
        return false;
    if (kind == MP__KIND_MAKING || kind == MP__KIND_POOL ||
        atomic_load(&parent->attached) == mp__piece_ref(piece))
        return true;
    return (kind == MP__KIND_QUEUE || kind == MP__KIND_SIMPLE_QUEUE) &&
           mp__queue_piece_lives(parent, piece);
}

static bool is_orphan(uint64_t seen, void *memory, struct verdict *last)
{
    if (mp__entry_state(seen) == MP__TRANSIT)
        return is_dead(last, mp__entry_low(seen));
    return mp__entry_state(seen) == MP__IN &&
           !piece_lives(memory, mp__piece_at((uint32_t)mp__entry_low(seen)), last);
}

static void block_free(_Atomic uint64_t *word, uint64_t seen)
{
    atomic_compare_exchange_strong(word, &seen, mp__entry(MP__FREE, 1, 0));
}

static bool is_abandoned_pool(uint64_t seen, struct mp__object *object)
{
    return mp__entry_state(seen) == MP__OBJECT && atomic_load(&object->kind) == MP__KIND_POOL &&
           mp__pool_is_abandoned(object);
}

/* An object whose maker or ender is dead, which nobody is left to use, or which ended under its
   guards and was claimed by nobody, becomes GONE and nobody's; its block stays until its pieces are
   free. */
static void object_mark(_Atomic uint64_t *word, struct mp__object *object, struct verdict *last)
{
    uint64_t seen = atomic_load(word);
    bool dead = (mp__entry_state(seen) == MP__TRANSIT && is_dead(last, mp__entry_low(seen))) ||
                is_abandoned_pool(seen, object);
    if (dead)
        atomic_store(&object->kind, (uint32_t)MP__KIND_GONE); /* only a sweep takes from the dead */
    if (dead ||
        (mp__entry_state(seen) == MP__OBJECT && atomic_load(&object->kind) == MP__KIND_GONE))
        atomic_compare_exchange_strong(word, &seen, mp__entry(MP__TRANSIT, 1, NOBODY));
}

static bool is_nobodys(uint64_t seen)
{
    return mp__entry_state(seen) == MP__TRANSIT && mp__entry_low(seen) == NOBODY;
}

enum pass { MARK, PIECES, BLOCKS };

static void slab_sweep(struct mp__slab *slab, enum pass pass, struct verdict *last)
{
    bool objects = mp__class_is_object(slab->class_index);
    if (objects == (pass == PIECES))
        return;
    for (uint32_t i = 0; i < slab->count; i++) {
        uint64_t seen = atomic_load(&slab->state[i]);
        if (pass == MARK)
            object_mark(&slab->state[i], mp__slab_block(slab, i), last);
        else if (objects ? is_nobodys(seen) : is_orphan(seen, mp__slab_block(slab, i), last))
            block_free(&slab->state[i], seen);
    }
    if (pass != MARK)
        mp__slab_recount(slab);
}

static void run_sweep(size_t granule, struct verdict *last)
{
    _Atomic uint64_t *word = &mp__runs()[granule];
    uint64_t seen = atomic_load(word);
    if (!is_orphan(seen, mp__granule_address(granule), last))
        return;
    uint64_t mine = mp__entry(MP__TRANSIT, mp__entry_granules(seen), mp__self_owner());
    if (atomic_compare_exchange_strong(word, &seen, mine))
        mp__run_free(granule);
}

static void heap_pass(enum pass pass, struct verdict *last)
{
    for (size_t i = mp__arena->first; i < mp__arena->granules;) {
        uint64_t entry = atomic_load(&mp__runs()[i]);
        if (mp__entry_state(entry) == MP__SLAB)
            slab_sweep(mp__slab_at(i), pass, last);
        else if (pass == PIECES)
            run_sweep(i, last);
        i += mp__entry_granules(entry);
    }
}

void mp__heap_sweep_until(mp__moment until)
{
    uint64_t me;
    if (mp__arena == NULL || mp__heap_lock(&me, until) != 0)
        return;
    struct verdict last = {mp__self_owner(), false};
    heap_pass(MARK, &last);
    mp__step("sweep.marked");
    heap_pass(PIECES, &last);
    mp__step("sweep.pieces");
    heap_pass(BLOCKS, &last);
    mp__step("sweep.blocks");
    mp__heap_unlock(me);
}

void mp__heap_sweep(void)
{
    mp__heap_sweep_until(mp__moment_in(MP__SECOND));
}

static bool is_among(mp__owner owner, const mp__owner *dead, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (dead[i] == owner)
            return true;
    return false;
}

static void slab_wake_heirs(struct mp__slab *slab, const mp__owner *dead, unsigned count)
{
    for (uint32_t i = 0; i < slab->count; i++) {
        if (mp__entry_state(atomic_load(&slab->state[i])) != MP__OBJECT)
            continue;
        struct mp__object *object = mp__slab_block(slab, i);
        if (is_among(mp__owner_of(atomic_load(&object->word)), dead, count))
            mp__gate_post(&object->gate[0]);
    }
}

void mp__heap_bury(const mp__owner *dead, unsigned count)
{
    uint64_t me;
    mp__moment until = mp__moment_in(MP__SLICE_FIRST);
    mp__heap_sweep_until(until);
    if (mp__arena == NULL || mp__heap_lock(&me, until) != 0)
        return;
    for (size_t i = mp__arena->first; i < mp__arena->granules;) {
        uint64_t entry = atomic_load(&mp__runs()[i]);
        if (mp__entry_state(entry) == MP__SLAB &&
            mp__class_is_object((unsigned)mp__entry_low(entry)))
            slab_wake_heirs(mp__slab_at(i), dead, count);
        i += mp__entry_granules(entry);
    }
    mp__heap_unlock(me);
}

static bool run_is_valid(size_t i, uint64_t entry, struct mp__heap_count *count)
{
    size_t n = mp__entry_granules(entry);
    count->granules += n;
    switch (mp__entry_state(entry)) {
    case MP__FREE:
    case MP__INSIDE:
        count->free_granules += n;
        count->free_runs++;
        return true;
    case MP__TRANSIT:
        count->building++;
        return true;
    case MP__OBJECT:
    case MP__IN:
        count->runs++;
        return true;
    case MP__SLAB:
        count->slabs++;
        return n == 1 && mp__slab_at(i)->class_index == mp__entry_low(entry) &&
               mp__slab_is_valid(mp__slab_at(i), count);
    }
    return false;
}

bool mp__heap_is_valid(struct mp__heap_count *count)
{
    uint64_t me;
    struct mp__heap_count none;
    if (count == NULL)
        count = &none;
    *count = (struct mp__heap_count){0};
    if (mp__heap_lock(&me, MP__NEVER) != 0)
        return false;
    bool valid = true;
    size_t i = mp__arena->first;
    while (valid && i < mp__arena->granules) {
        uint64_t entry = atomic_load(&mp__runs()[i]);
        valid = run_is_valid(i, entry, count);
        i += mp__entry_granules(entry);
    }
    valid = valid && i == mp__arena->granules;
    mp__heap_unlock(me);
    return valid;
}
