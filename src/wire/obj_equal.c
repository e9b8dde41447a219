/* When two objects are equal, as Python sees it, and a hash to find equal ones by.
 *
 * How it works
 *   Numbers are equal by value across types, exactly: an int is compared with a float as an int.
 *   Dicts and sets are compared by looking up the keys of one in an index of the other's. The hash
 *   of a number is that of its value, that of a set does not depend on order or repetition. It is
 *   seeded by random bits that each process tree draws once, so nobody outside can choose keys
 *   that collide. The seed is the one global word here; it is written once, by whoever is first.
 */
#include "wire/objects.h"

#include "platform/platform.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static bool tree_equal(const mp_obj *a, const mp_obj *b, unsigned depth);

/* ---- numbers ------------------------------------------------------------------------------ */

static bool is_number(const mp_obj *o)
{
    return (o->type >= MP_TYPE_BOOL && o->type <= MP_TYPE_FLOAT) || o->type == MP__TYPE_POISON;
}

#define TWO_63 9223372036854775808.0

/* Makes a float that is an int one, so that equal numbers of any type become the same. */
static mp_obj number_normal(const mp_obj *o)
{
    if (o->type == MP_TYPE_BOOL)
        return mp_obj_int(o->b);
    if (o->type != MP_TYPE_FLOAT)
        return *o;
    if (o->f >= -TWO_63 && o->f < TWO_63 && (double)(int64_t)o->f == o->f)
        return mp_obj_int((int64_t)o->f);
    if (o->f >= TWO_63 && o->f < 2 * TWO_63)
        return mp_obj_uint_((uint64_t)o->f);
    return *o;
}

static bool number_equal(const mp_obj *a, const mp_obj *b)
{
    mp_obj x = number_normal(a), y = number_normal(b);
    if (x.type != y.type)
        return false;
    return x.type == MP_TYPE_FLOAT ? x.f == y.f : x.i == y.i;
}

/* ---- hashes ------------------------------------------------------------------------------- */

static uint64_t hash_seed(void)
{
    static _Atomic uint64_t drawn;
    uint64_t seed = atomic_load_explicit(&drawn, memory_order_relaxed); /* it stands for itself */
    if (seed != 0)
        return seed;
    if (mp__entropy(&seed, sizeof seed) != 0)
        seed = (uint64_t)(uintptr_t)&seed;
    seed |= 1;
    uint64_t none = 0;
    return atomic_compare_exchange_strong(&drawn, &none, seed) ? seed : none;
}

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    hash ^= hash >> 32;
    hash *= UINT64_C(0xd6e8feb86659fd93);
    return hash ^ hash >> 29;
}

static uint64_t bytes_hash(const void *bytes, size_t n, uint64_t hash)
{
    const char *p = n > 0 ? bytes : "";
    uint64_t word;
    hash = mix(hash, n);
    for (; n > sizeof word; n -= sizeof word, p += sizeof word) {
        memcpy(&word, p, sizeof word);
        hash = mix(hash, word);
    }
    word = 0;
    memcpy(&word, p, n);
    return mix(hash, word);
}

static uint64_t number_hash(const mp_obj *o, uint64_t seed)
{
    mp_obj x = number_normal(o);
    return mix(seed, (uint64_t)x.i); /* the bits, if it is a float still */
}

static uint64_t tree_hash(const mp_obj *o, uint64_t seed, unsigned depth);

static uint64_t sequence_hash(const mp_obj *o, uint64_t seed, unsigned depth)
{
    uint64_t hash = mix(seed, o->type == MP_TYPE_LIST ? 1 : o->type == MP_TYPE_TUPLE ? 2 : 3);
    for (size_t i = 0; i < o->len; i++)
        hash = mix(hash, tree_hash(&o->items[i], seed, depth + 1));
    return hash;
}

/* Of a dict by its keys only: the last of equal ones counts, and nothing here knows which it is. */
static uint64_t set_hash(const mp_obj *o, uint64_t seed, unsigned depth)
{
    uint64_t least = UINT64_MAX, most = 0;
    size_t stride = o->type == MP_TYPE_DICT ? 2 : 1;
    for (size_t i = 0; i < o->len; i++) {
        uint64_t hash = mix(seed, tree_hash(&o->items[i * stride], seed, depth + 1));
        least = hash < least ? hash : least;
        most = hash > most ? hash : most;
    }
    return mix(mix(seed, stride), least + most);
}

static uint64_t tree_hash(const mp_obj *o, uint64_t seed, unsigned depth)
{
    if (is_number(o))
        return number_hash(o, seed);
    if (depth > MP__DEPTH)
        return seed;
    switch (o->type) {
    case MP_TYPE_STR:
    case MP_TYPE_BYTES:
        return bytes_hash(o->s, o->len, seed + o->type);
    case MP_TYPE_LIST:
    case MP_TYPE_TUPLE:
    case MP__TYPE_OPAQUE:
        return sequence_hash(o, seed, depth);
    case MP_TYPE_DICT:
    case MP_TYPE_SET:
    case MP_TYPE_FROZENSET:
        return set_hash(o, seed, depth);
    case MP_TYPE_NONE:
        return seed;
    default:
        return mix(seed, (uint64_t)(uintptr_t)o->items);
    }
}

uint64_t mp__obj_hash(const mp_obj *o)
{
    return tree_hash(o, hash_seed(), 0);
}

static bool tree_is_hashable(const mp_obj *o, unsigned depth)
{
    if (o->type == MP_TYPE_LIST || o->type == MP_TYPE_DICT || o->type == MP_TYPE_SET)
        return false;
    if (o->type != MP_TYPE_TUPLE || depth > MP__DEPTH)
        return true; /* what stands in a frozenset was looked at for itself */
    for (size_t i = 0; i < o->len; i++)
        if (!tree_is_hashable(&o->items[i], depth + 1))
            return false;
    return true;
}

bool mp__obj_is_hashable(const mp_obj *o)
{
    return tree_is_hashable(o, 0);
}

/* ---- the index ---------------------------------------------------------------------------- */

int mp__index_begin(struct mp__index *index, const mp_obj *items, size_t stride, size_t most)
{
    *index = (struct mp__index){.items = items, .stride = stride};
    if (most <= sizeof index->small / sizeof index->small[0])
        return 0;
    size_t size = 32;
    while (size < SIZE_MAX / 32 && size < 2 * most)
        size *= 2;
    index->slots = size < most ? NULL : calloc(size, sizeof *index->slots);
    index->mask = size - 1;
    return index->slots != NULL ? 0 : -ENOMEM;
}

void mp__index_end(struct mp__index *index)
{
    free(index->slots);
}

static size_t small_find(const struct mp__index *index, const mp_obj *key)
{
    for (size_t i = 0; i < index->used; i++)
        if (mp_obj_equal(index->items[index->small[i] * index->stride], *key))
            return index->small[i];
    return SIZE_MAX;
}

/* The slot of an equal key, or the free one where it would be. */
static size_t *slot_of(const struct mp__index *index, const mp_obj *key)
{
    size_t i = (size_t)mp__obj_hash(key) & index->mask;
    for (;; i = (i + 1) & index->mask) {
        size_t entry = index->slots[i];
        if (entry == 0 || mp_obj_equal(index->items[(entry - 1) * index->stride], *key))
            return &index->slots[i];
    }
}

size_t mp__index_find(const struct mp__index *index, const mp_obj *key)
{
    if (index->slots == NULL)
        return small_find(index, key);
    return *slot_of(index, key) - 1; /* none: 0 becomes SIZE_MAX */
}

size_t mp__index_add(struct mp__index *index, size_t entry)
{
    const mp_obj *key = &index->items[entry * index->stride];
    if (index->slots != NULL) {
        size_t *slot = slot_of(index, key);
        if (*slot != 0)
            return *slot - 1;
        *slot = entry + 1;
    } else {
        size_t found = small_find(index, key);
        if (found != SIZE_MAX)
            return found;
        index->small[index->used] = entry;
    }
    index->used++;
    return entry;
}

/* ---- equality ----------------------------------------------------------------------------- */

static bool items_equal(const mp_obj *a, const mp_obj *b, unsigned depth)
{
    if (a->len != b->len)
        return false;
    if (a->items == b->items && a->len == 0)
        return true;
    for (size_t i = 0; i < a->len; i++)
        if (!tree_equal(&a->items[i], &b->items[i], depth + 1))
            return false;
    return true;
}

/* The keys of a dict or set: of equal ones the last counts. Where there is no memory for an index
   they are searched one by one. */
struct keys {
    const mp_obj *o;
    size_t stride, count;
    bool indexed;
    struct mp__index index;
};

static size_t keys_find(const struct keys *keys, const mp_obj *key)
{
    if (keys->indexed)
        return mp__index_find(&keys->index, key);
    for (size_t i = keys->o->len; i-- > 0;)
        if (mp_obj_equal(keys->o->items[i * keys->stride], *key))
            return i;
    return SIZE_MAX;
}

/* Of equal keys the last one. One that holds a NaN is found nowhere, and counts as well. */
static bool keys_has_last(const struct keys *keys, size_t i)
{
    size_t found = keys_find(keys, &keys->o->items[i * keys->stride]);
    return found == i || found == SIZE_MAX;
}

static void keys_begin(struct keys *keys, const mp_obj *o)
{
    *keys = (struct keys){.o = o, .stride = o->type == MP_TYPE_DICT ? 2 : 1};
    bool indexed = mp__index_begin(&keys->index, o->items, keys->stride, o->len) == 0;
    for (size_t i = o->len; i-- > 0 && indexed;)
        keys->count += mp__index_add(&keys->index, i) == i;
    keys->indexed = indexed;
    for (size_t i = 0; i < o->len && !indexed; i++)
        keys->count += keys_has_last(keys, i);
}

static bool keys_equal(const mp_obj *a, const mp_obj *b, unsigned depth)
{
    struct keys of_a, of_b;
    keys_begin(&of_a, a);
    keys_begin(&of_b, b);
    bool equal = of_a.count == of_b.count;
    for (size_t i = 0; i < a->len && equal; i++) {
        if (!keys_has_last(&of_a, i))
            continue;
        const mp_obj *key = &a->items[i * of_a.stride];
        size_t j = keys_find(&of_b, key);
        equal = j != SIZE_MAX &&
                (of_a.stride == 1 || tree_equal(key + 1, &b->items[2 * j + 1], depth + 1));
    }
    mp__index_end(&of_a.index);
    mp__index_end(&of_b.index);
    return equal;
}

static bool is_set(const mp_obj *o)
{
    return o->type == MP_TYPE_SET || o->type == MP_TYPE_FROZENSET;
}

static bool container_equal(const mp_obj *a, const mp_obj *b, unsigned depth)
{
    if (depth > MP__DEPTH)
        return false;
    if (is_set(a) ? !is_set(b) : a->type != b->type)
        return false;
    if (is_set(a) || a->type == MP_TYPE_DICT)
        return keys_equal(a, b, depth);
    return items_equal(a, b, depth);
}

static bool tree_equal(const mp_obj *a, const mp_obj *b, unsigned depth)
{
    if (is_number(a))
        return is_number(b) && number_equal(a, b);
    if (mp__type_is_container(a->type))
        return container_equal(a, b, depth);
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case MP_TYPE_STR:
    case MP_TYPE_BYTES:
        return a->len == b->len && (a->len == 0 || memcmp(a->s, b->s, a->len) == 0);
    case MP_TYPE_NONE:
        return true;
    case MP_TYPE_HANDLE: /* the address, and which of the objects that lived there */
        return a->items == b->items && a->len == b->len &&
               memcmp(a->reserved, b->reserved, sizeof a->reserved) == 0;
    default:
        return a->items == b->items;
    }
}

bool mp_obj_equal(mp_obj a, mp_obj b)
{
    return tree_equal(&a, &b, 0);
}
