/* A mutex among the clients of a server: what Lock, RLock and Condition are made of. */
#ifndef MP__MANAGED_LOCK_H
#define MP__MANAGED_LOCK_H

#include "managers/server.h"

/* Held while depth > 0: a recursive one by a connection, which is a thread; another by a process,
   as any of its threads may release it. When that has ended it is left behind: then who comes next
   takes the mutex over, and anybody may release it. */
struct mp__mutex {
    struct mp__client *thread; /* of a recursive one */
    const struct mp__holder *process;
    uint32_t depth;
    bool recursive, is_left_behind;
    struct mp__waiters waiters;
};

/* The call acquires, at once, later or never: what the method is to return. */
int mp__mutex_acquire(struct mp__managed *self, struct mp__mutex *mutex, struct mp__call *call);
/* One level; MP_ESTATE, reported. */
int mp__mutex_release(struct mp__mutex *mutex, const struct mp__client *client);
/* As a condition sees it: of one that is not recursive nobody knows the thread. */
bool mp__mutex_is_held_by(const struct mp__mutex *mutex, const struct mp__client *client);
void mp__mutex_left(struct mp__mutex *mutex, const struct mp__client *client);
void mp__mutex_end(struct mp__mutex *mutex); /* its object is destroyed */

/* For conditions: gives up all levels; takes them for a parked call, which is then answered with
   `answer`, at once or when the mutex becomes free. */
uint32_t mp__mutex_give_up(struct mp__mutex *mutex);
void mp__mutex_regain(struct mp__managed *self, struct mp__mutex *mutex, struct mp__client *client,
                      uint32_t depth, bool answer);

/* The mutex of a managed Lock or RLock; NULL: it is none. */
struct mp__mutex *mp__mutex_of(struct mp__managed *object);

#endif
