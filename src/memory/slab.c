/* Slabs: granules cut into small blocks, each with a word that names who builds or frees it.
 *
 * How it works
 *   A slab is a granule of one class: its head, a word per block, the blocks. A block is taken by
 *   one CAS of its word from FREE to TRANSIT(me) and given back by one store, without a lock. A
 *   slab stays one for the life of the arena, so a late CAS on a block's word can never hit other
 *   data. Room, next and the hint of each class are caches: a death leaves them off by the dead's
 *   blocks until the next sweep counts again.
 *   A new slab is a run in TRANSIT until the store of SLAB; a death before costs that run until
 *   the next sweep.
 */
#include "memory/arena.h"

#include <errno.h>
#include <string.h>

enum { CLASS_CONDITION = MP__CLASSES - 2, CLASS_QUEUE = MP__CLASSES - 1 };

#define LARGE_BLOCK ((uint32_t)49152)
#define CONDITION_BLOCK ((uint32_t)36864)
#define QUEUE_BLOCK ((uint32_t)1024)

uint32_t mp__class_size(unsigned class_index)
{
    if (class_index < MP__PLAIN_CLASSES)
        return (uint32_t)64 << class_index;
    if (class_index == CLASS_CONDITION)
        return CONDITION_BLOCK;
    if (class_index == CLASS_QUEUE)
        return QUEUE_BLOCK;
    unsigned c = (class_index - MP__PLAIN_CLASSES) % MP__OBJECT_SIZES;
    return c == MP__OBJECT_SIZES - 1 ? LARGE_BLOCK : (uint32_t)128 << c;
}

/* A call that comes late, when the next object stands in the block already, finds the words there
   that it knows: those of one family mean the same. */
static unsigned family_of(enum mp__kind kind)
{
    switch (kind) {
    case MP__KIND_SEMAPHORE:
        return 1;
    case MP__KIND_BOUNDED:
        return 2;
    case MP__KIND_EVENT:
        return 3;
    case MP__KIND_BARRIER:
        return 4;
    default: /* what begins with a lock */
        return 0;
    }
}

/* Conditions and queues have gates elsewhere in the block too. */
int mp__object_class(enum mp__kind kind, size_t size)
{
    if (kind == MP__KIND_CONDITION)
        return size <= CONDITION_BLOCK ? CLASS_CONDITION : MP_EINVAL;
    if (kind == MP__KIND_QUEUE || kind == MP__KIND_SIMPLE_QUEUE)
        return size <= QUEUE_BLOCK ? CLASS_QUEUE : MP_EINVAL;
    unsigned first = MP__PLAIN_CLASSES + family_of(kind) * MP__OBJECT_SIZES;
    for (unsigned c = first; c < first + MP__OBJECT_SIZES; c++)
        if (size <= mp__class_size(c))
            return (int)c;
    return MP_EINVAL;
}

struct mp__slab *mp__slab_at(size_t granule)
{
    return mp__granule_address(granule);
}

void *mp__slab_block(struct mp__slab *slab, uint32_t i)
{
    return (char *)slab + slab->first + (size_t)i * slab->block_size;
}

/* Blocks for objects begin zeroed: what a head holds from its last life counts in the next. */
static void slab_lay_out(struct mp__slab *slab, unsigned class_index, bool was_used)
{
    uint32_t size = mp__class_size(class_index);
    uint32_t head = sizeof *slab;
    uint32_t count = ((uint32_t)MP__GRANULE - head) / (size + (uint32_t)sizeof(uint64_t));
    uint32_t first;
    for (;; count--) {
        first = (head + count * (uint32_t)sizeof(uint64_t) + 63) / 64 * 64;
        if (first + (uint64_t)count * size <= MP__GRANULE)
            break;
    }
    memset((void *)slab, 0, was_used && mp__class_is_object(class_index) ? MP__GRANULE : first);
    slab->class_index = class_index;
    slab->block_size = size;
    slab->count = count;
    slab->first = first;
    atomic_store(&slab->room, (int32_t)count);
}

static void *slab_try(struct mp__slab *slab, mp__owner me)
{
    /* relaxed: room and next are hints */
    uint32_t start = atomic_load_explicit(&slab->next, memory_order_relaxed);
    int32_t room = atomic_load_explicit(&slab->room, memory_order_relaxed);
    for (uint32_t k = 0; k < slab->count; k++) {
        uint32_t i = (start + k) % slab->count;
        uint64_t seen = atomic_load_explicit(&slab->state[i], memory_order_relaxed);
        if (seen != 0 ||
            !atomic_compare_exchange_strong(&slab->state[i], &seen, mp__entry(MP__TRANSIT, 1, me)))
            continue;
        mp__step("slab.taken");
        atomic_fetch_sub_explicit(&slab->room, 1, memory_order_relaxed);
        atomic_store_explicit(&slab->next, i + 1, memory_order_relaxed);
        return mp__slab_block(slab, i);
    }
    /* unless somebody gave a block back while this looked */
    atomic_compare_exchange_strong_explicit(&slab->room, &room, 0, memory_order_relaxed,
                                            memory_order_relaxed);
    return NULL;
}

/* Under the heap's lock: a block of any slab of the class that seems to have room. */
static void *slab_search(unsigned class_index, mp__owner me)
{
    for (size_t i = mp__arena->first; i < mp__arena->granules;) {
        uint64_t entry = atomic_load(&mp__runs()[i]);
        if (mp__entry_state(entry) == MP__SLAB && mp__entry_low(entry) == class_index &&
            atomic_load(&mp__slab_at(i)->room) > 0) {
            void *block = slab_try(mp__slab_at(i), me);
            if (block != NULL) {
                atomic_store(&mp__arena->slab_hint[class_index], (uint32_t)i);
                return block;
            }
        }
        i += mp__entry_granules(entry);
    }
    return NULL;
}

/* Under the heap's lock: a block of a new slab. */
static int slab_grow(unsigned class_index, uint64_t me, void **block)
{
    size_t granule;
    uint64_t untouched = atomic_load(&mp__arena->touched);
    int rc = mp__run_take(1, me, &granule);
    if (rc != 0)
        return rc;
    slab_lay_out(mp__slab_at(granule), class_index, granule < untouched);
    mp__step("slab.laid");
    atomic_store(&mp__runs()[granule], mp__entry(MP__SLAB, 1, class_index));
    mp__step("slab.made");
    *block = slab_try(mp__slab_at(granule), mp__owner_of(me));
    atomic_store(&mp__arena->slab_hint[class_index], (uint32_t)granule);
    return *block != NULL ? 0 : -EAGAIN;
}

static int slab_take_slowly(unsigned class_index, void **block)
{
    uint64_t me;
    int rc = -ENOMEM;
    for (int pass = 0; pass < 2 && rc == -ENOMEM; pass++) {
        if (pass == 1)
            mp__heap_sweep_until(MP__NEVER);
        rc = mp__heap_lock(&me, MP__NEVER);
        if (rc != 0)
            return rc;
        *block = slab_search(class_index, mp__owner_of(me));
        /* a new slab is visible before this process has a block of it: others may empty it */
        do
            rc = *block != NULL ? 0 : slab_grow(class_index, me, block);
        while (rc == -EAGAIN);
        mp__heap_unlock(me);
    }
    return rc;
}

int mp__slab_take(unsigned class_index, void *out)
{
    uint64_t me;
    int rc = mp__self_word(&me);
    if (rc != 0)
        return rc;
    uint32_t hint = atomic_load_explicit(&mp__arena->slab_hint[class_index], memory_order_acquire);
    void *block = NULL;
    if (hint != 0 && atomic_load_explicit(&mp__slab_at(hint)->room, memory_order_relaxed) > 0)
        block = slab_try(mp__slab_at(hint), mp__owner_of(me));
    if (block == NULL)
        rc = slab_take_slowly(class_index, &block);
    if (rc != 0)
        return rc;
    *(void **)out = block;
    return 0;
}

_Atomic uint64_t *mp__slab_state_of(void *block)
{
    size_t granule = mp__granule_of(block);
    struct mp__slab *slab = mp__slab_at(granule);
    size_t offset = (size_t)((char *)block - (char *)slab);
    if (offset < slab->first || (offset - slab->first) % slab->block_size != 0)
        return NULL;
    size_t i = (offset - slab->first) / slab->block_size;
    return i < slab->count ? &slab->state[i] : NULL;
}

void mp__slab_recount(struct mp__slab *slab)
{
    int32_t room = 0;
    for (uint32_t i = 0; i < slab->count; i++)
        room += atomic_load(&slab->state[i]) == 0;
    atomic_store(&slab->room, room);
}

bool mp__slab_is_valid(struct mp__slab *slab, struct mp__heap_count *count)
{
    if (slab->class_index >= MP__CLASSES || slab->count == 0 ||
        slab->block_size != mp__class_size(slab->class_index) ||
        slab->first + (size_t)slab->count * slab->block_size > MP__GRANULE)
        return false;
    for (uint32_t i = 0; i < slab->count; i++) {
        enum mp__state state = mp__entry_state(atomic_load(&slab->state[i]));
        if (state == MP__SLAB || state > MP__IN)
            return false;
        count->blocks += state == MP__OBJECT;
        count->building += state == MP__TRANSIT;
    }
    return true;
}
