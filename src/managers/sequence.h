/* An array of stored objects: what a managed list is made of.
 *
 * The objects are stored by mp__keep and dropped by mp__drop. Whoever changes items first stores
 * the new ones, then exchanges them for the old ones, and drops those last: a call that fails, with
 * a code that is reported, has changed nothing.
 */
#ifndef MP__SEQUENCE_H
#define MP__SEQUENCE_H

#include "managers/iterable.h"
#include "managers/slice.h"

struct mp__sequence {
    struct mp__host *host;
    mp_obj *items;
    size_t len, room;
};

void mp__sequence_clear(struct mp__sequence *seq);

int mp__sequence_append(struct mp__sequence *seq, const mp_obj *value);
int mp__sequence_insert(struct mp__sequence *seq, size_t at, const mp_obj *value);
int mp__sequence_set(struct mp__sequence *seq, size_t at, const mp_obj *value);
void mp__sequence_take(struct mp__sequence *seq, size_t at, mp_obj *taken);
void mp__sequence_delete(struct mp__sequence *seq, size_t at);

/* Puts what is iterated over behind the last item. */
int mp__sequence_extend(struct mp__sequence *seq, const struct mp__iterable *it);
/* Puts it in the place of a slice; MP_EINVAL if a step other than 1 wants another number. */
int mp__sequence_set_slice(struct mp__sequence *seq, const struct mp__slice *slice,
                           const struct mp__iterable *it);
int mp__sequence_delete_slice(struct mp__sequence *seq, const struct mp__slice *slice);
/* Makes it n times itself. */
int mp__sequence_repeat(struct mp__sequence *seq, size_t n);

#endif
