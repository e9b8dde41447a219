/* Queues, for the files of this folder and the layers above. */
#ifndef MP__QUEUE_H
#define MP__QUEUE_H

#include "queue/ring.h"

#include <mp/queues.h>

int mp__queue_check(mp_queue *q);
bool mp__queue_is_closed(mp_queue *q); /* closed.c: by this process */
int mp__queue_put(mp_queue *q, enum mp__record record, const void *p, size_t n, mp__moment until);

/* What to do with the first message, under the head's guard: 0 takes it, an error leaves it first.
   Its bytes are read then if it stands in the ring, else after it was taken. */
struct mp__taking {
    enum mp__record record; /* what it must be; 0: anything */
    int (*accept)(struct mp__taking *taking, const struct mp__message *message);
    int (*finish)(struct mp__taking *taking, const struct mp__message *message);
    /* May be NULL; true takes one more, which follows one that stood in the ring. */
    bool (*again)(struct mp__taking *taking, const struct mp__message *message);
    void *buf;
    size_t size, limit, count;
    void *out;
};
int mp__queue_get(mp_queue *q, struct mp__taking *taking, mp__moment until);

#endif
