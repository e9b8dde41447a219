/* An array of stored objects: what a managed list is made of.
 *
 * How it works
 *   Items stand one behind the other, with room for half as many again as there were at the last
 *   growth. Old items are set aside when new ones take their place, and dropped at the end: to drop
 *   an object may end others.
 */
#include "managers/sequence.h"

#include "managers/managed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int reserve(struct mp__sequence *seq, size_t more)
{
    size_t room = seq->room + seq->room / 2, least, size;
    if (more <= seq->room - seq->len)
        return 0;
    if (!mp__size_add(seq->len, more, &least))
        return mp__fail(-ENOMEM);
    if (room < least)
        room = least < 4 ? 4 : least;
    mp_obj *items = mp__size_mul(room, sizeof *items, &size) ? realloc(seq->items, size) : NULL;
    if (items == NULL)
        return mp__fail(-ENOMEM);
    seq->items = items;
    seq->room = room;
    return 0;
}

static void drop_all(struct mp__sequence *seq, mp_obj *items, size_t n)
{
    for (size_t i = 0; i < n; i++)
        mp__drop(seq->host, &items[i]);
}

static void drop_from(struct mp__sequence *seq, size_t at)
{
    size_t n = seq->len - at;
    seq->len = at;
    drop_all(seq, seq->items + at, n);
}

/* Stores copies of n objects that stand `stride` apart, all or none. */
static int keep_all(struct mp__sequence *seq, const mp_obj *items, size_t n, size_t stride,
                    mp_obj *kept)
{
    for (size_t i = 0; i < n; i++) {
        int rc = mp__keep(seq->host, &items[i * stride], &kept[i]);
        if (rc != 0) {
            drop_all(seq, kept, i);
            return rc;
        }
    }
    return 0;
}

/* Exchanges `old` items at a place for others, for which there is room. */
static void splice(struct mp__sequence *seq, size_t at, size_t old, const mp_obj *new, size_t n,
                   mp_obj *dropped)
{
    mp_obj *place = seq->items + at;
    if (old > 0)
        memcpy(dropped, place, old * sizeof *place);
    if (n != old)
        memmove(place + n, place + old, (seq->len - at - old) * sizeof *place);
    if (n > 0)
        memcpy(place, new, n * sizeof *place);
    seq->len += n - old;
}

void mp__sequence_clear(struct mp__sequence *seq)
{
    mp_obj *items = seq->items;
    size_t len = seq->len;
    seq->items = NULL;
    seq->len = seq->room = 0;
    drop_all(seq, items, len);
    free(items);
}

/* ---- one item ----------------------------------------------------------------------------- */

int mp__sequence_append(struct mp__sequence *seq, const mp_obj *value)
{
    int rc = reserve(seq, 1);
    if (rc == 0)
        rc = mp__keep(seq->host, value, &seq->items[seq->len]);
    if (rc == 0)
        seq->len++;
    return rc;
}

int mp__sequence_insert(struct mp__sequence *seq, size_t at, const mp_obj *value)
{
    mp_obj kept;
    int rc = reserve(seq, 1);
    if (rc == 0)
        rc = mp__keep(seq->host, value, &kept);
    if (rc == 0)
        splice(seq, at, 0, &kept, 1, NULL);
    return rc;
}

int mp__sequence_set(struct mp__sequence *seq, size_t at, const mp_obj *value)
{
    mp_obj kept, old = seq->items[at];
    int rc = mp__keep(seq->host, value, &kept);
    if (rc != 0)
        return rc;
    seq->items[at] = kept;
    mp__drop(seq->host, &old);
    return 0;
}

void mp__sequence_take(struct mp__sequence *seq, size_t at, mp_obj *taken)
{
    splice(seq, at, 1, NULL, 0, taken);
}

void mp__sequence_delete(struct mp__sequence *seq, size_t at)
{
    mp_obj taken;
    splice(seq, at, 1, NULL, 0, &taken);
    mp__drop(seq->host, &taken);
}

/* ---- several ------------------------------------------------------------------------------ */

int mp__sequence_extend(struct mp__sequence *seq, const struct mp__iterable *it)
{
    int rc = reserve(seq, it->len);
    if (rc == 0)
        rc = keep_all(seq, it->items, it->len, it->stride, seq->items + seq->len);
    if (rc == 0)
        seq->len += it->len;
    return rc;
}

/* Puts copies of the items in the place of `old` ones. */
static int replace(struct mp__sequence *seq, size_t at, size_t old, const struct mp__iterable *it)
{
    size_t beside;
    if (!mp__size_add(old, it->len, &beside))
        return mp__fail(-ENOMEM);
    if (beside == 0)
        return 0;
    mp_obj *new = calloc(beside, sizeof *new);
    if (new == NULL)
        return mp__fail(-ENOMEM);
    mp_obj *dropped = new + it->len;
    int rc = reserve(seq, it->len > old ? it->len - old : 0);
    if (rc == 0)
        rc = keep_all(seq, it->items, it->len, it->stride, new);
    if (rc == 0) {
        splice(seq, at, old, new, it->len, dropped);
        drop_all(seq, dropped, old);
    }
    free(new);
    return rc;
}

/* Each item of an extended slice for another. */
static int set_extended(struct mp__sequence *seq, const struct mp__slice *slice,
                        const struct mp__iterable *it)
{
    if (it->len != slice->len)
        return mp__failf(MP_EINVAL,
                         "attempt to assign sequence of size %zu to extended slice of size %zu",
                         it->len, slice->len);
    mp_obj *new = calloc(slice->len + 1, sizeof *new);
    int rc = new != NULL ? keep_all(seq, it->items, it->len, it->stride, new) : mp__fail(-ENOMEM);
    for (size_t i = 0; i < slice->len && rc == 0; i++) {
        mp_obj *place = &seq->items[slice->start + (int64_t)i * slice->step], old = *place;
        *place = new[i];
        new[i] = old;
    }
    if (rc == 0)
        drop_all(seq, new, slice->len);
    free(new);
    return rc;
}

int mp__sequence_set_slice(struct mp__sequence *seq, const struct mp__slice *slice,
                           const struct mp__iterable *it)
{
    if (slice->step == 1)
        return replace(seq, (size_t)slice->start, slice->len, it);
    return set_extended(seq, slice, it);
}

/* The items that stay move up behind each other, the others are dropped last. */
int mp__sequence_delete_slice(struct mp__sequence *seq, const struct mp__slice *slice)
{
    if (slice->len == 0)
        return 0;
    mp_obj *dropped = calloc(slice->len, sizeof *dropped);
    if (dropped == NULL)
        return mp__fail(-ENOMEM);
    int64_t step = slice->step < 0 ? -slice->step : slice->step;
    int64_t first =
        slice->step < 0 ? slice->start - (int64_t)(slice->len - 1) * step : slice->start;
    size_t to = (size_t)first, from = (size_t)first;
    for (size_t i = 0; i < slice->len; i++) {
        size_t stay = i + 1 < slice->len ? (size_t)step - 1 : seq->len - from - 1;
        dropped[i] = seq->items[from];
        memmove(&seq->items[to], &seq->items[from + 1], stay * sizeof *seq->items);
        to += stay;
        from += stay + 1;
    }
    seq->len -= slice->len;
    drop_all(seq, dropped, slice->len);
    free(dropped);
    return 0;
}

int mp__sequence_repeat(struct mp__sequence *seq, size_t n)
{
    size_t once = seq->len, len;
    if (n == 0)
        mp__sequence_clear(seq);
    if (n == 0 || once == 0)
        return 0;
    if (!mp__size_mul(once, n, &len))
        return mp__fail(-ENOMEM);
    int rc = reserve(seq, len - once);
    for (size_t i = 1; i < n && rc == 0; i++) {
        rc = keep_all(seq, seq->items, once, 1, seq->items + seq->len);
        if (rc == 0)
            seq->len += once;
    }
    if (rc != 0)
        drop_from(seq, once);
    return rc;
}
