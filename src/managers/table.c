/* A hash table of stored objects that keeps the order in which they came in.
 *
 * How it works
 *   Entries stand one behind the other, in the order in which they came; so that the whole can be
 *   sent as it is, items are nothing but keys and values. One that is deleted leaves a gap, a key
 *   of type GONE. Beside the entries are their hashes, and slots, twice as many as there is room
 *   for entries, that are searched from hash & mask on until an equal key or a free slot:
 *
 *       slots    [ . | 2 | . | 0 | . | . | 1 | . ]        entry + 1 and half of its hash; 0 is free
 *       items    [ key value | GONE | key value | .. ]
 *       hashes   [ h0        | -    | h2        | .. ]    all three in one block
 *
 *   A hash of 0 is that of a key that equals nothing, for it holds a NaN: no slot names it, it is
 *   never found, and each one is an entry of its own.
 *   Whoever deletes moves later slots up into the free one, so slots have no gaps. Gaps of entries
 *   go when the room is used up: the table is built anew, for half as many entries again as are
 *   there; or when the whole is asked for: then they move together where they are. The last entry
 *   is never a gap.
 */
#include "managers/table.h"

#include "managers/iterable.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { GONE = 254, LEAST_ROOM = 4 };

struct mp__table_slot {
    uint32_t hash;  /* the lower half */
    uint32_t entry; /* its place + 1; 0: free */
};

void mp__table_begin(struct mp__table *table, struct mp__host *host, size_t stride)
{
    *table = (struct mp__table){.host = host, .stride = stride};
}

static bool is_there(const struct mp__table *table, size_t entry)
{
    return mp__table_key(table, entry)->type != GONE;
}

/* ---- hashes ------------------------------------------------------------------------------- */

/* The one that Python complains about. */
static const mp_obj *unhashable_of(const mp_obj *o)
{
    while (o->type == MP_TYPE_TUPLE) {
        const mp_obj *item = o->items;
        while (mp__obj_is_hashable(item))
            item++;
        o = item;
    }
    return o;
}

int mp__table_hash(const mp_obj *key, uint64_t *hash)
{
    char room[64];
    if (!mp__obj_is_hashable(key))
        return mp__failf(MP_ETYPE, "unhashable type: '%s'",
                         mp__type_name(unhashable_of(key), room));
    int rc = mp__obj_hash(key, hash);
    return rc == 0 ? 0 : mp__fail(rc);
}

/* ---- slots -------------------------------------------------------------------------------- */

/* Where a key is named, or the free slot that ends the search. */
static size_t slot_of_key(const struct mp__table *table, const mp_obj *key, uint64_t hash)
{
    size_t i = (size_t)hash & table->mask;
    for (;; i = (i + 1) & table->mask) {
        const struct mp__table_slot *slot = &table->slots[i];
        if (slot->entry == 0)
            return i;
        if (slot->hash == (uint32_t)hash && table->hashes[slot->entry - 1] == hash &&
            mp_obj_equal(*mp__table_key(table, slot->entry - 1), *key))
            return i;
    }
}

static size_t slot_of_entry(const struct mp__table *table, size_t entry)
{
    size_t i = (size_t)table->hashes[entry] & table->mask;
    while (table->slots[i].entry != (uint32_t)entry + 1)
        i = (i + 1) & table->mask;
    return i;
}

static void slot_fill(struct mp__table *table, size_t entry)
{
    uint64_t hash = table->hashes[entry];
    size_t i = (size_t)hash & table->mask;
    if (hash == 0)
        return;
    while (table->slots[i].entry != 0)
        i = (i + 1) & table->mask;
    table->slots[i] = (struct mp__table_slot){(uint32_t)hash, (uint32_t)entry + 1};
}

static void slot_free(struct mp__table *table, size_t hole)
{
    for (size_t i = (hole + 1) & table->mask; table->slots[i].entry != 0;
         i = (i + 1) & table->mask) {
        size_t home = table->slots[i].hash & table->mask;
        if (((i - home) & table->mask) < ((i - hole) & table->mask))
            continue; /* it would be before its home */
        table->slots[hole] = table->slots[i];
        hole = i;
    }
    table->slots[hole].entry = 0;
}

size_t mp__table_find(const struct mp__table *table, const mp_obj *key, uint64_t hash)
{
    if (hash == 0 || table->live == 0)
        return SIZE_MAX;
    return (size_t)table->slots[slot_of_key(table, key, hash)].entry - 1;
}

/* ---- room --------------------------------------------------------------------------------- */

static void entry_move(struct mp__table *to, size_t at, const struct mp__table *from, size_t entry)
{
    memmove(&to->items[at * to->stride], &from->items[entry * from->stride],
            to->stride * sizeof(mp_obj));
    to->hashes[at] = from->hashes[entry];
}

/* One block for items, hashes, slots. */
static int block_make(struct mp__table *table, size_t room)
{
    size_t entry = table->stride * sizeof(mp_obj) + sizeof(uint64_t);
    size_t both = entry + 2 * sizeof(struct mp__table_slot), size;
    if (room > UINT32_MAX / 4 || !mp__size_mul(room, both, &size))
        return mp__fail(-ENOMEM);
    table->items = malloc(size);
    if (table->items == NULL)
        return mp__fail(-ENOMEM);
    table->hashes = (uint64_t *)(void *)(table->items + room * table->stride);
    table->slots = (struct mp__table_slot *)(void *)(table->hashes + room);
    table->room = room;
    table->mask = 2 * room - 1;
    memset(table->slots, 0, 2 * room * sizeof *table->slots);
    return 0;
}

/* Makes room for one more entry, and for half as many as there are. */
static int table_rebuild(struct mp__table *table)
{
    struct mp__table new = *table;
    size_t room = LEAST_ROOM;
    while (room <= table->live + table->live / 2)
        room *= 2;
    int rc = block_make(&new, room);
    if (rc != 0)
        return rc;
    new.used = 0;
    new.moves += table->live < table->used;
    for (size_t i = 0; i < table->used; i++) {
        if (!is_there(table, i))
            continue;
        entry_move(&new, new.used, table, i);
        slot_fill(&new, new.used++);
    }
    free(table->items);
    *table = new;
    return 0;
}

static void gaps_close(struct mp__table *table)
{
    size_t to = 0;
    if (table->live == table->used)
        return;
    for (size_t i = 0; i < table->used; i++) {
        if (!is_there(table, i))
            continue;
        if (to < i && table->hashes[i] != 0)
            table->slots[slot_of_entry(table, i)].entry = (uint32_t)to + 1;
        entry_move(table, to++, table, i);
    }
    table->used = to;
    table->moves++;
}

mp_obj mp__table_view(struct mp__table *table, mp_type type)
{
    gaps_close(table);
    const mp_obj *items = table->live > 0 ? table->items : NULL;
    return (mp_obj){.type = (uint8_t)type, .len = table->live, .items = items};
}

void mp__table_clear(struct mp__table *table)
{
    struct mp__table old = *table;
    mp__table_begin(table, old.host, old.stride);
    table->moves = old.moves + 1;
    for (size_t i = 0; i < old.used; i++)
        for (size_t j = 0; j < old.stride && is_there(&old, i); j++)
            mp__drop(old.host, &old.items[i * old.stride + (old.stride - 1 - j)]);
    free(old.items);
}

/* ---- entries ------------------------------------------------------------------------------ */

static int entry_replace(struct mp__table *table, size_t entry, const mp_obj *value)
{
    mp_obj kept, *place = &table->items[entry * table->stride + 1];
    if (table->stride == 1)
        return 0;
    int rc = mp__keep(table->host, value, &kept);
    if (rc != 0)
        return rc;
    mp_obj old = *place;
    *place = kept;
    mp__drop(table->host, &old);
    return 0;
}

static int entry_add(struct mp__table *table, const mp_obj *key, uint64_t hash, const mp_obj *value)
{
    mp_obj kept[2];
    int rc = table->used == table->room ? table_rebuild(table) : 0;
    if (rc == 0)
        rc = mp__keep(table->host, key, &kept[0]);
    if (rc != 0)
        return rc;
    if (table->stride == 2 && (rc = mp__keep(table->host, value, &kept[1])) != 0) {
        mp__drop(table->host, &kept[0]);
        return rc;
    }
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): what was freed is not the new table's */
    memcpy(&table->items[table->used * table->stride], kept, table->stride * sizeof kept[0]);
    table->hashes[table->used] = hash;
    slot_fill(table, table->used);
    table->used++;
    table->live++;
    return 0;
}

int mp__table_put(struct mp__table *table, const mp_obj *key, const mp_obj *value)
{
    uint64_t hash;
    int rc = mp__table_hash(key, &hash);
    if (rc != 0)
        return rc;
    size_t entry = mp__table_find(table, key, hash);
    if (entry != SIZE_MAX)
        return entry_replace(table, entry, value);
    return entry_add(table, key, hash, value);
}

void mp__table_take(struct mp__table *table, size_t entry, mp_obj taken[2])
{
    mp_obj *items = &table->items[entry * table->stride];
    taken[1] = mp_obj_none();
    memcpy(taken, items, table->stride * sizeof *items);
    if (table->hashes[entry] != 0)
        slot_free(table, slot_of_entry(table, entry));
    items->type = GONE;
    table->live--;
    while (table->used > 0 && !is_there(table, table->used - 1))
        table->used--;
}

void mp__table_delete(struct mp__table *table, size_t entry)
{
    mp_obj taken[2];
    mp__table_take(table, entry, taken);
    mp__drop(table->host, &taken[1]);
    mp__drop(table->host, &taken[0]);
}

size_t mp__table_next(const struct mp__table *table, size_t from)
{
    while (from < table->used && !is_there(table, from))
        from++;
    return from < table->used ? from : SIZE_MAX;
}

size_t mp__table_last(const struct mp__table *table)
{
    return table->used - 1;
}

bool mp__table_is_valid(const struct mp__table *table)
{
    size_t live = 0, named = 0, slots = 0;
    if (table->used > table->room || (table->used > 0 && !is_there(table, table->used - 1)))
        return false;
    for (size_t i = 0; i < table->used; i++) {
        uint64_t hash;
        if (!is_there(table, i))
            continue;
        const mp_obj *key = mp__table_key(table, i);
        if (mp__obj_hash(key, &hash) != 0 || hash != table->hashes[i])
            return false;
        if (hash != 0 && mp__table_find(table, key, hash) != i)
            return false;
        live++;
        named += hash != 0;
    }
    for (size_t i = 0; i < 2 * table->room; i++)
        slots += table->slots[i].entry != 0;
    return live == table->live && named == slots;
}
