/* When two objects are equal, as Python sees it, and a hash to find equal ones by.
 *
 * How it works
 *   Numbers are equal by value across types, exactly: an int is compared with a float as an int.
 *   Dicts and sets are compared by looking up the keys of one in an index of the other's. The hash
 *   of a number is that of its value, that of a set does not depend on order or repetition: it is a
 *   sum over the entries of the same index. What holds a NaN equals nothing, itself included; its
 *   hash is 0 and no index takes it. Of a proxy the server's address and the id count.
 *   Two keys are compared only if their hashes are equal, so all but never in vain: a level of
 *   nesting costs one hash of each key and one comparison of each pair that is equal, the whole
 *   about its size times its depth.
 *   Hashes are seeded by random bits that each process tree draws once, so nobody outside can
 *   choose keys that collide. The seed is the one global word here; it is written once, by
 *   whoever is first.
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

/* Never gives 0. */
static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    hash ^= hash >> 32;
    hash *= UINT64_C(0xd6e8feb86659fd93);
    hash ^= hash >> 29;
    return hash + (hash == 0);
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
    if (x.type == MP_TYPE_FLOAT && x.f != x.f)
        return 0;
    return mix(seed, (uint64_t)x.i); /* the bits, if it is a float still */
}

static uint64_t handle_hash(const mp_obj *o, uint64_t seed)
{
    uint64_t reserved = 0;
    memcpy(&reserved, o->reserved, sizeof o->reserved);
    return mix(mix(mix(seed, (uint64_t)(uintptr_t)o->items), o->len), reserved);
}

struct hashing {
    uint64_t seed;
    bool no_memory; /* then the hash is 0 and says nothing */
};

static uint64_t tree_hash(struct hashing *h, const mp_obj *o, unsigned depth);

static uint64_t sequence_hash(struct hashing *h, const mp_obj *o, unsigned depth)
{
    uint64_t hash = mix(h->seed, o->type == MP_TYPE_LIST ? 1 : o->type == MP_TYPE_TUPLE ? 2 : 3);
    for (size_t i = 0; i < o->len; i++) {
        uint64_t item = tree_hash(h, &o->items[i], depth + 1);
        if (item == 0)
            return 0;
        hash = mix(hash, item);
    }
    return hash;
}

static size_t keys_stride(const mp_obj *o)
{
    return o->type == MP_TYPE_DICT ? 2 : 1;
}

/* Indexes the keys of a dict or set: of equal ones the last counts. False: one of them equals
   nothing, or there is no memory. */
static bool keys_begin(struct mp__index *index, struct hashing *h, const mp_obj *o, unsigned depth)
{
    size_t stride = keys_stride(o);
    if (mp__index_begin(index, o->items, stride, o->len) != 0)
        h->no_memory = true;
    index->depth = depth + 1;
    for (size_t i = o->len; i-- > 0 && !h->no_memory;) {
        uint64_t hash = tree_hash(h, &o->items[i * stride], depth + 1);
        if (hash == 0)
            return false;
        mp__index_add(index, i, hash);
    }
    return !h->no_memory;
}

static uint64_t keyed_hash(struct hashing *h, const mp_obj *o, unsigned depth)
{
    struct mp__index index;
    bool hashed = keys_begin(&index, h, o, depth);
    uint64_t sum = 0;
    for (size_t i = 0; i <= index.mask && hashed; i++) {
        const struct mp__index_slot *slot = &index.slots[i];
        uint64_t value = 1;
        if (slot->hash == 0)
            continue;
        if (index.stride == 2)
            value = tree_hash(h, &o->items[2 * slot->entry + 1], depth + 1);
        hashed = value != 0;
        sum += mix(mix(h->seed, slot->hash), value);
    }
    mp__index_end(&index);
    return hashed ? mix(mix(h->seed, index.stride), sum) : 0;
}

/* The address of its server and its id there, as a tuple: what else a proxy says of an object
   depends on who told. */
static mp_obj proxy_target(const mp_obj *o)
{
    _Static_assert(MP__PROXY_ID == MP__PROXY_ADDRESS + 1, "they are one run of items");
    return o->len == MP__PROXY_ITEMS ? mp_obj_tuple(&o->items[MP__PROXY_ADDRESS], 2)
                                     : mp_obj_tuple(o->items, o->len);
}

static uint64_t container_hash(struct hashing *h, const mp_obj *o, unsigned depth)
{
    if (depth > MP__DEPTH)
        return 0;
    if (o->type == MP_TYPE_PROXY) {
        mp_obj target = proxy_target(o);
        return sequence_hash(h, &target, depth);
    }
    if (o->type == MP_TYPE_DICT || o->type == MP_TYPE_SET || o->type == MP_TYPE_FROZENSET)
        return keyed_hash(h, o, depth);
    return sequence_hash(h, o, depth);
}

static uint64_t tree_hash(struct hashing *h, const mp_obj *o, unsigned depth)
{
    if (is_number(o))
        return number_hash(o, h->seed);
    if (mp__type_is_container(o->type))
        return container_hash(h, o, depth);
    switch (o->type) {
    case MP_TYPE_STR:
    case MP_TYPE_BYTES:
        return bytes_hash(o->s, o->len, h->seed + o->type);
    case MP_TYPE_NONE:
        return h->seed;
    case MP_TYPE_HANDLE:
        return handle_hash(o, h->seed);
    default:
        return mix(h->seed, (uint64_t)(uintptr_t)o->items);
    }
}

int mp__obj_hash(const mp_obj *o, uint64_t *hash)
{
    struct hashing h = {hash_seed(), false};
    *hash = tree_hash(&h, o, 0);
    return h.no_memory ? -ENOMEM : 0;
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
    size_t size = sizeof index->few / sizeof index->few[0];
    index->items = items;
    index->stride = stride;
    index->used = 0;
    index->depth = 0;
    index->slots = index->few;
    if (most <= size / 2) {
        memset(index->few, 0, sizeof index->few);
    } else {
        while (size < SIZE_MAX / 4 && size / 2 < most)
            size *= 2;
        index->slots = size < most ? NULL : calloc(size, sizeof *index->slots);
    }
    index->mask = size - 1;
    return index->slots != NULL ? 0 : -ENOMEM;
}

void mp__index_end(struct mp__index *index)
{
    if (index->slots != index->few)
        free(index->slots);
}

/* A container that is the other one equals it: it has a hash, so it holds no NaN. */
static bool key_equal(const mp_obj *a, const mp_obj *b, unsigned depth)
{
    if (a->items == b->items && a->len == b->len && a->type == b->type &&
        mp__type_is_container(a->type))
        return true;
    return tree_equal(a, b, depth);
}

/* The slot of an equal key, or the free one where it would be. */
static struct mp__index_slot *slot_of(const struct mp__index *index, const mp_obj *key,
                                      uint64_t hash)
{
    for (size_t i = (size_t)hash & index->mask;; i = (i + 1) & index->mask) {
        struct mp__index_slot *slot = &index->slots[i];
        if (slot->hash == 0 ||
            (slot->hash == hash &&
             key_equal(&index->items[slot->entry * index->stride], key, index->depth)))
            return slot;
    }
}

size_t mp__index_find(const struct mp__index *index, const mp_obj *key, uint64_t hash)
{
    const struct mp__index_slot *slot = slot_of(index, key, hash);
    return slot->hash != 0 ? slot->entry : SIZE_MAX;
}

size_t mp__index_add(struct mp__index *index, size_t entry, uint64_t hash)
{
    if (hash == 0)
        return entry;
    struct mp__index_slot *slot = slot_of(index, &index->items[entry * index->stride], hash);
    if (slot->hash != 0)
        return slot->entry;
    *slot = (struct mp__index_slot){hash, entry};
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

static bool indexes_equal(const struct mp__index *a, const struct mp__index *b, unsigned depth)
{
    if (a->used != b->used)
        return false;
    for (size_t i = 0; i <= a->mask; i++) {
        const struct mp__index_slot *slot = &a->slots[i];
        if (slot->hash == 0)
            continue;
        const mp_obj *key = &a->items[slot->entry * a->stride];
        size_t found = mp__index_find(b, key, slot->hash);
        if (found == SIZE_MAX ||
            (a->stride == 2 && !tree_equal(key + 1, &b->items[2 * found + 1], depth + 1)))
            return false;
    }
    return true;
}

/* The last one of the entries from `from` on whose key is equal. */
static size_t last_equal(const mp_obj *o, size_t from, const mp_obj *key, unsigned depth)
{
    for (size_t i = o->len; i-- > from;)
        if (tree_equal(&o->items[i * keys_stride(o)], key, depth + 1))
            return i;
    return SIZE_MAX;
}

/* Searches keys one by one, where there is no memory for an index. */
static bool keys_within(const mp_obj *a, const mp_obj *b, unsigned depth)
{
    size_t stride = keys_stride(a);
    for (size_t i = 0; i < a->len; i++) {
        const mp_obj *key = &a->items[i * stride];
        size_t found = last_equal(b, 0, key, depth);
        if (found == SIZE_MAX)
            return false;
        if (stride == 2 && last_equal(a, i + 1, key, depth) == SIZE_MAX &&
            !tree_equal(key + 1, &b->items[2 * found + 1], depth + 1))
            return false;
    }
    return true;
}

static bool keys_equal(const mp_obj *a, const mp_obj *b, unsigned depth)
{
    struct hashing h = {hash_seed(), false};
    struct mp__index of_a, of_b;
    bool equal = keys_begin(&of_a, &h, a, depth);
    if (equal) {
        equal = keys_begin(&of_b, &h, b, depth) && indexes_equal(&of_a, &of_b, depth);
        mp__index_end(&of_b);
    }
    mp__index_end(&of_a);
    if (h.no_memory)
        return keys_within(a, b, depth) && keys_within(b, a, depth);
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
    if (a->type == MP_TYPE_PROXY) {
        mp_obj of_a = proxy_target(a), of_b = proxy_target(b);
        return items_equal(&of_a, &of_b, depth);
    }
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
