/* Counted places whose holders are known: bounded semaphores and semaphores that reclaim. */
#ifndef MP__UNITS_H
#define MP__UNITS_H

#include "sync/sync.h"

#define MP__UNITS_MAX 4096u

/* Behind the object stands one word per unit, each a word lock without a gate of its own. */
struct mp__units {
    struct mp__object object; /* word: somebody may sleep; length: how many units there are */
};

int mp__units_create(enum mp__kind kind, unsigned value, unsigned capacity, void *out);
int mp__units_acquire(const struct mp__ref *ref, double timeout);
int mp__units_release(struct mp__units *units);
int mp__units_value(struct mp__units *units);
bool mp__units_told(struct mp__units *units);

#endif
