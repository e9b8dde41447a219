/* What a table of keys has in common with other collections: the operations of a set.
 *
 * How it works
 *   The others are walked once, and each of their items is looked up in the table. Every entry has
 *   a mark, the number of others that it was in, counted as long as it was in each of them: so it
 *   is in all others if its mark is their number, and in none if it was never marked. What
 *   is no entry is gathered behind the entries, in an array of views, once: an index finds what
 *   comes twice.
 *   All of it costs as much as the table and the others are long together.
 */
#include "managers/set_algebra.h"

#include "managers/containers.h"
#include "managers/iterable.h"

#include <errno.h>
#include <stdlib.h>

struct others {
    struct mp__table *table;
    struct mp__iterable *its;
    size_t n, items; /* others; their items together */
    size_t *marks;
    size_t in_all;    /* entries */
    bool have_absent; /* an item that is no entry */
    bool are_copies;  /* items that end with `its` */
};

static void others_end(struct others *others)
{
    for (size_t i = 0; i < others->n; i++)
        mp__iterable_end(&others->its[i]);
    free(others->its);
    free(others->marks);
}

static int others_begin(struct others *others, struct mp__table *table, const mp_obj *args)
{
    *others = (struct others){.table = table};
    others->its = calloc(args->len + 1, sizeof *others->its);
    others->marks = calloc(table->used + 1, sizeof *others->marks);
    int rc = others->its == NULL || others->marks == NULL ? mp__fail(-ENOMEM) : 0;
    for (size_t i = 0; i < args->len && rc == 0; i++) {
        struct mp__iterable *it = &others->its[i];
        rc = mp__iterable_begin(it, table->host, &args->items[i]);
        if (rc != 0)
            break;
        others->n++;
        others->are_copies |= it->copy.owned;
        if (!mp__size_add(others->items, it->len, &others->items))
            rc = mp__fail(-ENOMEM);
    }
    if (rc != 0)
        others_end(others);
    return rc;
}

static int entry_find(const struct mp__table *table, const mp_obj *item, uint64_t *hash,
                      size_t *entry)
{
    int rc = mp__table_hash(item, hash);
    if (rc == 0)
        *entry = mp__table_find(table, item, *hash);
    return rc;
}

/* Marks the entries that are items of the others; SIZE_MAX if the first had it not. */
static int others_mark(struct others *others)
{
    for (size_t i = 0; i < others->n; i++) {
        const struct mp__iterable *it = &others->its[i];
        for (size_t j = 0; j < it->len; j++) {
            uint64_t hash;
            size_t entry;
            int rc = entry_find(others->table, &it->items[j * it->stride], &hash, &entry);
            if (rc != 0)
                return rc;
            if (entry == SIZE_MAX) {
                others->have_absent = true;
                continue;
            }
            size_t *mark = &others->marks[entry];
            *mark = *mark == i ? i + 1 : *mark > 0 ? *mark : SIZE_MAX;
        }
    }
    const struct mp__table *table = others->table;
    for (size_t i = mp__table_next(table, 0); i != SIZE_MAX; i = mp__table_next(table, i + 1))
        others->in_all += others->marks[i] == others->n;
    return 0;
}

static int others_read(struct others *others, struct mp__table *table, const struct mp__call *call)
{
    int rc = others_begin(others, table, &call->args);
    if (rc == 0 && (rc = others_mark(others)) != 0)
        others_end(others);
    return rc;
}

/* Whether an entry stays, or is part of the answer. */
static bool entry_counts(const struct others *others, size_t entry, enum mp__set_op op)
{
    switch (op) {
    case MP__SET_UNION:
        return true;
    case MP__SET_INTERSECTION:
        return others->marks[entry] == others->n;
    case MP__SET_DIFFERENCE_FROM_OTHER:
        return false;
    default:
        return others->marks[entry] == 0;
    }
}

/* What is no entry counts in these. */
static bool absent_count(enum mp__set_op op)
{
    return op != MP__SET_INTERSECTION && op != MP__SET_DIFFERENCE;
}

/* Gathers what is no entry, each once, behind the n views that are there; gives their number. */
static int absent_gather(const struct others *others, mp_obj *views, size_t *n)
{
    struct mp__index index;
    int rc = mp__index_begin(&index, views, 1, others->items);
    if (rc != 0)
        mp__fail(rc);
    for (size_t i = 0; i < others->n && rc == 0; i++) {
        const struct mp__iterable *it = &others->its[i];
        for (size_t j = 0; j < it->len && rc == 0; j++) {
            uint64_t hash;
            size_t entry;
            rc = entry_find(others->table, &it->items[j * it->stride], &hash, &entry);
            if (rc != 0 || entry != SIZE_MAX)
                continue;
            views[*n] = it->items[j * it->stride];
            *n += mp__index_add(&index, *n, hash) == *n;
        }
    }
    mp__index_end(&index);
    return rc;
}

int mp__set_answer(struct mp__table *table, struct mp__call *call, enum mp__set_op op, mp_type type)
{
    struct others others;
    size_t n = 0, most;
    int rc = others_read(&others, table, call);
    if (rc != 0)
        return rc;
    mp_obj *views = NULL;
    if (mp__size_add(table->live, absent_count(op) ? others.items : 0, &most))
        views = mp__answer_room(call, most);
    if (views == NULL)
        rc = mp__fail(-ENOMEM);
    for (size_t i = mp__table_next(table, 0); i != SIZE_MAX && rc == 0;
         i = mp__table_next(table, i + 1))
        if (entry_counts(&others, i, op))
            views[n++] = *mp__table_key(table, i);
    if (rc == 0 && absent_count(op))
        rc = absent_gather(&others, views, &n);
    mp_obj answer = mp_obj_set(views, n);
    answer.type = (uint8_t)type;
    if (rc == 0 && others.are_copies)
        rc = mp_obj_copy(answer, &answer);
    if (rc == 0)
        call->value = answer;
    others_end(&others);
    return rc;
}

int mp__set_change(struct mp__table *table, struct mp__call *call, enum mp__set_op op)
{
    struct others others;
    size_t n = 0;
    int rc = others_read(&others, table, call);
    if (rc != 0)
        return rc;
    mp_obj *views = mp__answer_room(call, absent_count(op) ? others.items : 0);
    if (views == NULL)
        rc = -ENOMEM;
    if (rc == 0 && absent_count(op))
        rc = absent_gather(&others, views, &n);
    for (size_t i = mp__table_next(table, 0); i != SIZE_MAX && rc == 0;
         i = mp__table_next(table, i + 1))
        if (!entry_counts(&others, i, op))
            mp__table_delete(table, i);
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = mp__table_put(table, &views[i], NULL);
    others_end(&others);
    return rc;
}

int mp__set_relate(struct mp__table *table, struct mp__call *call, enum mp__set_relation relation)
{
    struct others others;
    int rc = others_read(&others, table, call);
    if (rc != 0)
        return rc;
    bool within = others.in_all == table->live, contains = !others.have_absent;
    bool answer = relation == MP__SET_SUBSET            ? within
                  : relation == MP__SET_SUPERSET        ? contains
                  : relation == MP__SET_PROPER_SUBSET   ? within && !contains
                  : relation == MP__SET_PROPER_SUPERSET ? contains && !within
                                                        : others.in_all == 0;
    call->value = mp_obj_bool(answer);
    others_end(&others);
    return 0;
}
