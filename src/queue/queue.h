/* Queues, for the files of this folder and the layers above. */
#ifndef MP__QUEUE_H
#define MP__QUEUE_H

#include "queue/ring.h"

#include <mp/queues.h>

/* A simple queue is a queue of its own kind, with a pipe beside it. */
struct mp_simple_queue {
    struct mp_queue queue;
};

/* local.c: private to each process. */
struct mp__local {
    struct mp__local *next;
    _Atomic uint64_t key; /* whose it is: serial << 32 | address / 64 */
    atomic_bool closed;
    atomic_int fds[2]; /* a simple queue's pipe, else -1 */
};
struct mp__local *mp__local_find(const mp_queue *q);
void mp__local_close(struct mp__local *local);
struct mp__local *mp__local_make(const mp_queue *q, const int fds[2]); /* fds: may be NULL */
bool mp__queue_is_closed(const mp_queue *q);
/* Closes the descriptors of a queue that stood here and has ended; true if there were any. */
bool mp__local_bury(const mp_queue *q);

/* A queue of either kind, made but not published. */
int mp__queue_make(enum mp__kind kind, size_t maxsize, mp_queue **out);
int mp__queue_check(mp_queue *q);
void mp__token_ensure(mp_queue *q); /* of a simple queue, under the tail's guard */
/* Destroys it if this process may, when nobody is inside. */
void mp__queue_end(const struct mp__ref *ref);

/* `ref` is taken before the queue is checked. */
int mp__queue_put(const struct mp__ref *ref, enum mp__record record, const void *p, size_t n,
                  mp__moment until);
/* The same for bytes in a block made by mp__block_make, which is gone afterwards. */
int mp__queue_put_block(const struct mp__ref *ref, enum mp__record record, void *block, size_t n,
                        mp__moment until);

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
};
int mp__queue_get(const struct mp__ref *ref, struct mp__taking *taking, mp__moment until);

void mp__queue_wait_register(void); /* queue_wait.c */
/* Sleeps until there may be messages, at most a slice; takes none. */
void mp__queue_park(mp_queue *q, mp__moment until);

/* The two ways to get a message whole: bytes in malloc'd memory (buf, size), an object (*buf). */
struct mp__taking mp__taking_bytes(void);
struct mp__taking mp__taking_object(mp_obj *out);
int mp__queue_put_object(const struct mp__ref *ref, mp_obj o, mp__moment until);

#endif
