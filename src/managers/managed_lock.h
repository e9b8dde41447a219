/* A mutex among the clients of a server: what Lock, RLock and Condition are made of. */
#ifndef MP__MANAGED_LOCK_H
#define MP__MANAGED_LOCK_H

#include "managers/server.h"

/* Held while depth > 0. Its holder is a connection; NULL when that has ended: then who comes next
   takes the mutex over, and anybody may release it. */
struct mp__mutex {
    struct mp__client *holder;
    uint32_t depth;
    bool recursive;
    struct mp__waiters waiters;
};

/* The call acquires, at once, later or never: what the method is to return. */
int mp__mutex_acquire(struct mp__managed *self, struct mp__mutex *mutex, struct mp__call *call);
/* One level; MP_ESTATE, reported. */
int mp__mutex_release(struct mp__managed *self, struct mp__mutex *mutex, struct mp__client *client);
bool mp__mutex_is_held_by(const struct mp__mutex *mutex, const struct mp__client *client);
void mp__mutex_left(struct mp__managed *self, struct mp__mutex *mutex, struct mp__client *client);

/* For conditions: gives up all levels; takes them for a parked call, which is then answered with
   `answer`, at once or when the mutex becomes free. */
uint32_t mp__mutex_give_up(struct mp__managed *self, struct mp__mutex *mutex);
void mp__mutex_regain(struct mp__managed *self, struct mp__mutex *mutex, struct mp__client *client,
                      uint32_t depth, bool answer);

/* The mutex of a managed Lock or RLock; NULL: it is none. */
struct mp__mutex *mp__mutex_of(struct mp__managed *object);

#endif
