/* The heap of the arena: runs of granules, and what callers see of runs and blocks alike.
 *
 * How it works
 *   The run table has a word per granule; only the word of a run's first granule counts, and it
 *   tells the run's length, so the walk from the first granule by lengths meets every run and
 *   ends exactly at the last granule. That is the invariant (mp__heap_is_valid), after every
 *   single store:
 *     take    neighbours that are FREE become one by one store of the sum; the rest of a larger
 *             run gets its word while still INSIDE it, as a late hint may point there; the store
 *             of TRANSIT(me) commits;
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

int mp__heap_lock(uint64_t *me, mp__moment until)
{
    int rc = mp__self_word(me);
    if (rc != 0)
        return rc;
    rc = mp__word_acquire(&mp__arena->heap_word, &mp__arena->heap_gate, *me, until, NULL);
    if (rc == MP_RECOVERED)
        atomic_store(&mp__arena->run_hint, mp__arena->first);
    return rc < 0 ? rc : 0;
}

void mp__heap_unlock(uint64_t me)
{
    mp__word_release(&mp__arena->heap_word, &mp__arena->heap_gate, me);
}

static bool is_free(uint64_t entry)
{
    return mp__entry_state(entry) == MP__FREE || mp__entry_state(entry) == MP__INSIDE;
}

/* Makes one run of all free ones from `i` on; returns its word. Each swallowed head is marked
   first, as the hint may point to it; until the sum is stored the mark is a free run like
   others. */
static uint64_t run_merge(size_t i)
{
    _Atomic uint64_t *runs = mp__runs();
    uint64_t entry = atomic_load(&runs[i]);
    size_t length = mp__entry_granules(entry), sum = length;
    while (i + sum < mp__arena->granules) {
        uint64_t next = atomic_load(&runs[i + sum]);
        if (!is_free(next))
            break;
        size_t more = mp__entry_granules(next);
        atomic_store(&runs[i + sum], mp__entry(MP__INSIDE, more, 0));
        mp__step("heap.marked");
        sum += more;
    }
    if (sum == length && mp__entry_state(entry) == MP__FREE)
        return entry;
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
        atomic_store(&runs[i + n], mp__entry(MP__INSIDE, length - n, 0));
        mp__step("heap.split");
    }
    atomic_store(&runs[i], mp__entry(MP__TRANSIT, n, mp__owner_of(me)));
    mp__step("heap.taken");
    if (length > n)
        atomic_store(&runs[i + n], mp__entry(MP__FREE, length - n, 0));
    uint64_t touched = atomic_load(&mp__arena->touched);
    if (touched < i + n)
        atomic_store(&mp__arena->touched, i + n);
}

/* Free runs below the hint were given back since: whoever gives one back lowers it. */
static void hint_raise(uint64_t seen, size_t granule)
{
    uint64_t next = granule < mp__arena->granules ? granule : mp__arena->first;
    atomic_compare_exchange_strong(&mp__arena->run_hint, &seen, next);
}

static void hint_lower(size_t granule)
{
    uint64_t seen = atomic_load(&mp__arena->run_hint);
    while (granule < seen && !atomic_compare_exchange_weak(&mp__arena->run_hint, &seen, granule))
        ;
}

/* First fit in [from, to), `hint` being the hint's value; true when *out is set. */
static bool run_find(size_t from, size_t to, size_t n, uint64_t me, uint64_t hint, size_t *out)
{
    size_t lowest = 0;
    for (size_t i = from; i < to;) {
        uint64_t entry = atomic_load(&mp__runs()[i]);
        if (is_free(entry)) {
            entry = run_merge(i);
            if (mp__entry_granules(entry) >= n) {
                run_cut(i, mp__entry_granules(entry), n, me);
                hint_raise(hint, lowest != 0 ? lowest : i + n);
                *out = i;
                return true;
            }
            if (lowest == 0)
                lowest = i;
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
        if (!is_free(entry))
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
    uint64_t hint = atomic_load(&mp__arena->run_hint);
    size_t start = (size_t)hint, first = mp__arena->first, end = mp__arena->granules;
    if (mp__entry_state(atomic_load(&mp__runs()[start])) == MP__INSIDE)
        start = first;
    if (budget_allows(n) &&
        (run_find(start, end, n, me, hint, out) || run_find(first, start, n, me, hint, out)))
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
    hint_lower(granule);
}

/* A run in TRANSIT(me); sweeps and tries again before it gives up. *used: bytes of it that were
   handed out before and are not zero. */
static int run_take(size_t size, size_t *out, size_t *used)
{
    if (size > mp__arena->size)
        return -ENOMEM;
    size_t n = (size + MP__GRANULE - 1) / MP__GRANULE;
    uint64_t me;
    uint64_t touched = 0;
    int rc = -ENOMEM;
    for (int pass = 0; pass < 2 && rc == -ENOMEM; pass++) {
        if (pass == 1)
            mp__heap_sweep_until(MP__NEVER);
        rc = mp__heap_lock(&me, MP__NEVER);
        if (rc != 0)
            return rc;
        touched = atomic_load(&mp__arena->touched);
        rc = mp__run_take(n, me, out);
        mp__heap_unlock(me);
    }
    if (rc == 0)
        *used = *out < touched ? (size_t)(touched - *out) * MP__GRANULE : 0;
    return rc;
}

static int class_of(size_t size)
{
    for (unsigned c = 0; c < MP__PLAIN_CLASSES; c++)
        if (size <= mp__class_size(c))
            return (int)c;
    return -1;
}

/* A block or run in TRANSIT(me). *used: at most so many bytes at its start are not zero. */
static int memory_take(size_t size, void *out, size_t *used)
{
    uint64_t me;
    size_t granule;
    int rc = mp__self_word(&me);
    if (rc != 0)
        return rc;
    int class_index = class_of(size);
    *used = size;
    if (class_index >= 0)
        return mp__slab_take((unsigned)class_index, out);
    rc = run_take(size, &granule, used);
    if (rc == 0)
        *(void **)out = mp__granule_address(granule);
    return rc;
}

int mp__heap_take(size_t size, void *out)
{
    size_t used;
    int rc = memory_take(size, out, &used);
    if (rc == 0)
        memset(*(void **)out, 0, used < size ? used : size);
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

static void publish_as(void *block, uint64_t low)
{
    _Atomic uint64_t *word = word_of(block);
    size_t n = mp__entry_granules(atomic_load(word));
    atomic_store(word, mp__entry(MP__OBJECT, n, low));
}

void mp__heap_publish(void *block)
{
    publish_as(block, 0);
}

void mp__heap_publish_object(struct mp__object *object)
{
    publish_as(object, mp__object_serial(object));
}

bool mp__heap_claim_object(const struct mp__ref *ref)
{
    uint64_t me;
    _Atomic uint64_t *word = word_of(ref->object);
    if (word == NULL || mp__self_word(&me) != 0)
        return false;
    uint64_t seen = mp__entry(MP__OBJECT, 1, ref->serial);
    return atomic_compare_exchange_strong(word, &seen, mp__entry(MP__TRANSIT, 1, mp__owner_of(me)));
}

bool mp__heap_is_plain(void *block)
{
    const _Atomic uint64_t *word = word_of(block);
    if (word == NULL || mp__entry_state(atomic_load(word)) != MP__OBJECT)
        return false;
    uint64_t run = atomic_load(&mp__runs()[mp__granule_of(block)]);
    return mp__entry_state(run) != MP__SLAB || !mp__class_is_object((unsigned)mp__entry_low(run));
}

bool mp__heap_claim(void *block)
{
    uint64_t me;
    _Atomic uint64_t *word = word_of(block);
    if (word == NULL || mp__self_word(&me) != 0)
        return false;
    uint64_t seen = atomic_load(word);
    if (mp__entry_state(seen) != MP__OBJECT && mp__entry_state(seen) != MP__IN)
        return false;
    uint64_t mine = mp__entry(MP__TRANSIT, mp__entry_granules(seen), mp__owner_of(me));
    return atomic_compare_exchange_strong(word, &seen, mine);
}

/* Frees what is the caller's; what is the program's becomes the caller's first. */
void mp__heap_give(void *block)
{
    _Atomic uint64_t *word = word_of(block);
    if (word == NULL)
        return;
    uint64_t seen = atomic_load(word);
    bool is_mine = mp__entry_state(seen) == MP__TRANSIT && mp__entry_low(seen) == mp__self_owner();
    if (!is_mine && !mp__heap_claim(block))
        return;
    mp__step("heap.claimed");
    size_t granule = mp__granule_of(block);
    if (word == &mp__runs()[granule]) {
        mp__run_free(granule);
        return;
    }
    atomic_store(word, mp__entry(MP__FREE, 1, 0));
    mp__step("heap.given");
    atomic_fetch_add(&mp__slab_at(granule)->room, 1);
}

/* ---- pieces of objects -------------------------------------------------------------------- */

int mp__piece_take(size_t size, void *out)
{
    size_t used;
    return memory_take(size, out, &used);
}

void mp__piece_join(void *piece, struct mp__object *parent)
{
    _Atomic uint64_t *word = word_of(piece);
    uint64_t offset = (uint64_t)((char *)parent - (char *)mp__arena) / 64;
    atomic_store(word, mp__entry(MP__IN, mp__entry_granules(atomic_load(word)), offset));
    mp__step("heap.joined");
}

uint32_t mp__piece_ref(const void *piece)
{
    return (uint32_t)((size_t)((const char *)piece - (const char *)mp__arena) / 64);
}

void *mp__piece_at(uint32_t ref)
{
    return (char *)mp__arena + (size_t)ref * 64;
}

bool mp__piece_is_in(uint32_t ref, const struct mp__object *parent)
{
    _Atomic uint64_t *word = ref != 0 ? word_of(mp__piece_at(ref)) : NULL;
    uint64_t seen = word != NULL ? atomic_load(word) : 0;
    return mp__entry_state(seen) == MP__IN && mp__entry_low(seen) == mp__piece_ref(parent);
}

int mp__heap_attach(struct mp__object *object, size_t size, void *out)
{
    void *piece;
    int rc = mp__heap_take(size, &piece);
    if (rc != 0)
        return rc;
    atomic_store(&object->attached, mp__piece_ref(piece));
    mp__step("heap.attaching");
    mp__piece_join(piece, object);
    *(void **)out = piece;
    return 0;
}

void *mp__heap_attached(const struct mp__object *object)
{
    /* relaxed: set before the object was published */
    uint64_t ref = atomic_load_explicit(&object->attached, memory_order_relaxed);
    return ref != 0 ? mp__piece_at((uint32_t)ref) : NULL;
}
