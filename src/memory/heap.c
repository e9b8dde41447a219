/* The heap of the arena: runs of granules, and what callers see of runs and blocks alike.
 *
 * How it works
 *   The run table has a word per granule; only the word of a run's first granule counts, and it
 *   tells the run's length, so the walk from the first granule by lengths meets every run and
 *   ends exactly at the last granule. That is the invariant (mp__heap_is_valid), after every
 *   single store:
 *     take    neighbours that are FREE become one by one store of the sum; the rest of a larger
 *             run gets its word while still inside it, unseen; the store of TRANSIT(me) commits;
 *     free    the store of FREE commits; no lock is needed, as only a run's owner changes a word
 *             that is not FREE;
 *   merging and taking happen under the heap's word lock.
 *
 *   A death leaves: inside take or free a valid chain and at most one run in TRANSIT, which names
 *   the dead and goes back in the next sweep; an heir of the lock has nothing to repair but the
 *   hint, which may point into a run.
 */
#include "memory/arena.h"

#include <errno.h>
#include <string.h>

#define PUNCH_LEAST ((size_t)1 << 20)

int mp__heap_lock(uint64_t *me)
{
    int rc = mp__self_word(me);
    if (rc != 0)
        return rc;
    rc = mp__word_acquire(&mp__arena->heap_word, &mp__arena->heap_gate, *me, MP__NEVER, NULL);
    if (rc == MP_RECOVERED)
        atomic_store(&mp__arena->run_hint, mp__arena->first);
    return 0;
}

void mp__heap_unlock(uint64_t me)
{
    mp__word_release(&mp__arena->heap_word, &mp__arena->heap_gate, me);
}

/* Makes one run of all FREE ones that follow `i`; returns its word. */
static uint64_t run_merge(size_t i)
{
    _Atomic uint64_t *runs = mp__runs();
    uint64_t entry = atomic_load(&runs[i]);
    size_t length = mp__entry_granules(entry), sum = length;
    while (i + sum < mp__arena->granules) {
        uint64_t next = atomic_load(&runs[i + sum]);
        if (mp__entry_state(next) != MP__FREE)
            break;
        sum += mp__entry_granules(next);
    }
    if (sum == length)
        return entry;
    uint64_t hint = atomic_load(&mp__arena->run_hint);
    if (hint > i && hint < i + sum)
        atomic_store(&mp__arena->run_hint, i);
    entry = mp__entry(MP__FREE, sum, 0);
    mp__step("heap.merging");
    atomic_store(&runs[i], entry);
    mp__step("heap.merged");
    return entry;
}

static void run_cut(size_t i, size_t length, size_t n, uint64_t me)
{
    _Atomic uint64_t *runs = mp__runs();
    if (length > n) {
        atomic_store(&runs[i + n], mp__entry(MP__FREE, length - n, 0));
        mp__step("heap.split");
    }
    atomic_store(&runs[i], mp__entry(MP__TRANSIT, n, mp__owner_of(me)));
    mp__step("heap.taken");
    uint64_t touched = atomic_load(&mp__arena->touched);
    if (touched < i + n)
        atomic_store(&mp__arena->touched, i + n);
    atomic_store(&mp__arena->run_hint, i);
}

/* First fit in [from, to); true when *out is set. */
static bool run_find(size_t from, size_t to, size_t n, uint64_t me, size_t *out)
{
    for (size_t i = from; i < to;) {
        uint64_t entry = atomic_load(&mp__runs()[i]);
        if (mp__entry_state(entry) == MP__FREE) {
            entry = run_merge(i);
            if (mp__entry_granules(entry) >= n) {
                run_cut(i, mp__entry_granules(entry), n, me);
                *out = i;
                return true;
            }
        }
        i += mp__entry_granules(entry);
    }
    return false;
}

static size_t granules_in_use(void)
{
    size_t used = 0;
    for (size_t i = mp__arena->first; i < mp__arena->granules;) {
        uint64_t entry = atomic_load(&mp__runs()[i]);
        if (mp__entry_state(entry) != MP__FREE)
            used += mp__entry_granules(entry);
        i += mp__entry_granules(entry);
    }
    return used;
}

/* Nobody has counted beyond the high-water mark, so most calls need no walk. */
static bool budget_allows(size_t n)
{
    size_t touched = (size_t)atomic_load(&mp__arena->touched) - mp__arena->first;
    size_t budget = mp__arena->budget;
    if (n > budget)
        return false;
    return touched <= budget - n || granules_in_use() <= budget - n;
}

int mp__run_take(size_t n, uint64_t me, size_t *out)
{
    size_t hint = (size_t)atomic_load(&mp__arena->run_hint);
    if (budget_allows(n) && (run_find(hint, mp__arena->granules, n, me, out) ||
                             run_find(mp__arena->first, hint, n, me, out)))
        return 0;
    return -ENOMEM;
}

void mp__run_free(size_t granule)
{
    _Atomic uint64_t *entry = &mp__runs()[granule];
    size_t n = mp__entry_granules(atomic_load(entry));
    if (n * MP__GRANULE >= PUNCH_LEAST)
        mp__map_punch(mp__granule_address(granule), n * MP__GRANULE);
    mp__step("heap.freeing");
    atomic_store(entry, mp__entry(MP__FREE, n, 0));
    mp__step("heap.freed");
}

/* A zeroed run in TRANSIT(me); sweeps and tries again before it gives up. */
static int run_take_zeroed(size_t size, size_t *out)
{
    if (size > mp__arena->size)
        return -ENOMEM;
    size_t n = (size + MP__GRANULE - 1) / MP__GRANULE;
    uint64_t me;
    uint64_t untouched = 0;
    int rc = -ENOMEM;
    for (int pass = 0; pass < 2 && rc == -ENOMEM; pass++) {
        if (pass == 1)
            mp__heap_sweep();
        rc = mp__heap_lock(&me);
        if (rc != 0)
            return rc;
        untouched = atomic_load(&mp__arena->touched);
        rc = mp__run_take(n, me, out);
        mp__heap_unlock(me);
    }
    if (rc != 0)
        return rc;
    if (*out < untouched) {
        size_t used = (size_t)(untouched - *out) * MP__GRANULE;
        memset(mp__granule_address(*out), 0, used < size ? used : size);
    }
    return 0;
}

static int class_of(size_t size)
{
    for (unsigned c = 0; c < MP__PLAIN_CLASSES; c++)
        if (size <= mp__class_size(c))
            return (int)c;
    return -1;
}

int mp__heap_take(size_t size, void *out)
{
    uint64_t me;
    int rc = mp__self_word(&me);
    if (rc != 0)
        return rc;
    int class_index = class_of(size);
    if (class_index >= 0)
        return mp__slab_take((unsigned)class_index, out);
    size_t granule;
    rc = run_take_zeroed(size, &granule);
    if (rc == 0)
        *(void **)out = mp__granule_address(granule);
    return rc;
}

/* The word that says whose `block` is: a slab's or the run's; NULL if it is no block at all. */
static _Atomic uint64_t *word_of(void *block)
{
    const char *base = (const char *)mp__arena;
    if (mp__arena == NULL || (const char *)block < base ||
        (const char *)block >= base + mp__arena->size)
        return NULL;
    size_t granule = mp__granule_of(block);
    if (granule < mp__arena->first)
        return NULL;
    _Atomic uint64_t *entry = &mp__runs()[granule];
    if (mp__entry_state(atomic_load(entry)) == MP__SLAB)
        return mp__slab_state_of(block);
    return block == mp__granule_address(granule) ? entry : NULL;
}

void mp__heap_publish(void *block)
{
    _Atomic uint64_t *word = word_of(block);
    size_t n = mp__entry_granules(atomic_load(word));
    atomic_store(word, mp__entry(MP__OBJECT, n, 0));
}

/* The program's or an attached run becomes the caller's; false if it is not there to be taken. */
static bool word_claim(_Atomic uint64_t *word, uint64_t seen, mp__owner me)
{
    enum mp__state state = mp__entry_state(seen);
    if (state == MP__TRANSIT)
        return mp__entry_low(seen) == me;
    if (state != MP__OBJECT && state != MP__IN)
        return false;
    uint64_t mine = mp__entry(MP__TRANSIT, mp__entry_granules(seen), me);
    return atomic_compare_exchange_strong(word, &seen, mine);
}

bool mp__heap_claim(void *block)
{
    uint64_t me;
    _Atomic uint64_t *word = word_of(block);
    if (word == NULL || mp__self_word(&me) != 0)
        return false;
    uint64_t seen = atomic_load(word);
    return mp__entry_state(seen) == MP__OBJECT && word_claim(word, seen, mp__owner_of(me));
}

static void attached_give(struct mp__object *object, mp__owner me)
{
    size_t granule = (size_t)atomic_load(&object->attached);
    if (granule == 0)
        return;
    _Atomic uint64_t *entry = &mp__runs()[granule];
    if (word_claim(entry, atomic_load(entry), me))
        mp__run_free(granule);
    atomic_store(&object->attached, 0);
}

void mp__heap_give(void *block)
{
    uint64_t me;
    _Atomic uint64_t *word = word_of(block);
    if (word == NULL || mp__self_word(&me) != 0)
        return;
    if (!word_claim(word, atomic_load(word), mp__owner_of(me)))
        return;
    mp__step("heap.claimed");
    size_t granule = mp__granule_of(block);
    if (word == &mp__runs()[granule]) {
        mp__run_free(granule);
        return;
    }
    struct mp__slab *slab = mp__slab_at(granule);
    if (mp__class_is_object(slab->class_index))
        attached_give(block, mp__owner_of(me));
    mp__step("heap.giving");
    atomic_store(word, mp__entry(MP__FREE, 1, 0));
    mp__step("heap.given");
    atomic_fetch_add(&slab->room, 1);
}

int mp__heap_attach(struct mp__object *object, size_t size, void *out)
{
    size_t granule;
    int rc = run_take_zeroed(size, &granule);
    if (rc != 0)
        return rc;
    atomic_store(&object->attached, granule);
    mp__step("heap.attaching");
    uint64_t parent = (uint64_t)((char *)object - (char *)mp__arena) / 64;
    size_t n = mp__entry_granules(atomic_load(&mp__runs()[granule]));
    atomic_store(&mp__runs()[granule], mp__entry(MP__IN, n, parent));
    mp__step("heap.attached");
    *(void **)out = mp__granule_address(granule);
    return 0;
}

void *mp__heap_attached(const struct mp__object *object)
{
    size_t granule = (size_t)atomic_load_explicit(&object->attached, memory_order_relaxed);
    return granule != 0 ? mp__granule_address(granule) : NULL; /* relaxed: set before publication */
}
