/* A hash table of stored objects that keeps the order in which they came in: what dict, set and
 * Namespace are made of.
 *
 * Keys and values are stored by mp__keep and dropped by mp__drop, each by itself. Entries are named
 * by their places, which hold until the next put, view, clear or take of the last one.
 */
#ifndef MP__TABLE_H
#define MP__TABLE_H

#include "managers/managed.h"

struct mp__table {
    struct mp__host *host;
    mp_obj *items; /* of the entries: a key, or a key and a value each; the head of the block */
    uint64_t *hashes;
    struct mp__table_slot *slots;
    size_t stride;
    size_t used, room, live; /* entries, those gone among them; places; entries that are there */
    size_t mask;
    uint64_t moves; /* how often entries have changed their places */
};

/* `stride` is 1 for keys alone, 2 for keys and values. Takes no memory yet. */
void mp__table_begin(struct mp__table *table, struct mp__host *host, size_t stride);
void mp__table_clear(struct mp__table *table);
bool mp__table_is_valid(const struct mp__table *table);

/* The hash that a search wants. Code, reported: MP_ETYPE for what Python cannot hash. */
int mp__table_hash(const mp_obj *key, uint64_t *hash);

/* SIZE_MAX: none. */
size_t mp__table_find(const struct mp__table *table, const mp_obj *key, uint64_t hash);

/* Stores copies; of an equal key only the value is replaced. `value` is NULL for keys alone. The
   objects must not be stored in the table itself. Code, reported; then nothing has changed. */
int mp__table_put(struct mp__table *table, const mp_obj *key, const mp_obj *value);

/* Moves key and value of an entry out, or drops them. */
void mp__table_take(struct mp__table *table, size_t entry, mp_obj taken[2]);
void mp__table_delete(struct mp__table *table, size_t entry);

/* The first entry that is there from a place on; the last of all. SIZE_MAX: none. */
size_t mp__table_next(const struct mp__table *table, size_t from);
size_t mp__table_last(const struct mp__table *table);

static inline const mp_obj *mp__table_key(const struct mp__table *table, size_t entry)
{
    return &table->items[entry * table->stride];
}

static inline const mp_obj *mp__table_value(const struct mp__table *table, size_t entry)
{
    return &table->items[entry * table->stride + 1];
}

/* All of it as a dict, set or frozenset, valid until the next change; entries move together. */
mp_obj mp__table_view(struct mp__table *table, mp_type type);

#endif
