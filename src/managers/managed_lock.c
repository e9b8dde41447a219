/* Lock and RLock, as threading has them, for the connections of a server.
 *
 * How it works
 *   An RLock that is held names the connection that holds it, a Lock the process. When that ends,
 *   the mutex is left behind, but still held: the next acquire takes it over, and is told so, a
 *   waiting one at once; a release by anybody frees it, as after the ordinary end of a thread in
 *   Python. So a death leaves nothing locked, and no release that Python allows fails. Of a process
 *   that is neither on this machine nor a client of libmp nobody knows the end: its Locks stay
 *   held.
 *   Who waits for a mutex after a condition's wait has a number of levels to get back, and the
 *   answer of that wait: both are in its wait's number.
 */
#include "managers/containers.h"
#include "managers/iterable.h"
#include "managers/managed_lock.h"

struct lock {
    struct mp__managed head;
    struct mp__mutex mutex;
};

/* ---- the mutex ------------------------------------------------------------------------------ */

/* A waiter's number: 0 for an acquire, else the levels of a condition's wait and its answer. */
static int64_t number_of(uint32_t depth, bool answer)
{
    return (int64_t)depth << 1 | answer;
}

static void waiter_answer(struct mp__client *client, bool recovered)
{
    int64_t number = client->wait.number;
    mp_obj value = mp_obj_bool(number == 0 || (number & 1) != 0);
    if (recovered)
        mp__answer_recovered(client, value);
    else
        mp__answer(client, value);
}

static void thread_set(struct mp__mutex *mutex, struct mp__client *client)
{
    if (mutex->thread != NULL)
        mutex->thread->mutexes--;
    mutex->thread = client;
    if (client != NULL)
        client->mutexes++;
}

static void mutex_give(struct mp__mutex *mutex, struct mp__client *client, uint32_t depth)
{
    thread_set(mutex, mutex->recursive ? client : NULL);
    mutex->process = client->holder;
    mutex->depth = depth;
    mutex->is_left_behind = false;
}

/* The mutex is free, or left behind: it goes to who has waited longest. */
static void mutex_pass(struct mp__mutex *mutex, bool left_behind)
{
    struct mp__client *client = mutex->waiters.first;
    thread_set(mutex, NULL);
    mutex->process = NULL;
    mutex->is_left_behind = left_behind;
    if (!left_behind)
        mutex->depth = 0;
    if (client == NULL)
        return;
    mutex_give(mutex, client, client->wait.number == 0 ? 1 : (uint32_t)(client->wait.number >> 1));
    mp__unpark(client);
    waiter_answer(client, left_behind);
}

static void wait_ended(struct mp__managed *self, struct mp__client *client, bool gone)
{
    (void)self;
    if (!gone)
        mp__answer(client, mp_obj_bool(false));
}

static const char *const acquire_names[] = {"blocking", "timeout"};

/* (blocking=True, timeout=-1): a timeout of -1 or None is none. */
static int until_of(const struct mp__call *call, mp__moment *until)
{
    const mp_obj *blocking = mp__call_argument(call, 0, "blocking");
    const mp_obj *timeout = mp__call_argument(call, 1, "timeout");
    double seconds = -1;
    if (timeout != NULL && timeout->type != MP_TYPE_NONE &&
        mp_obj_as_float(*timeout, &seconds) != 0)
        return MP_ETYPE;
    *until = MP__NEVER;
    if (blocking != NULL && !mp__is_true(blocking)) {
        *until = 0;
        return seconds == -1
                   ? 0
                   : mp__failf(MP_EINVAL, "can't specify a timeout for a non-blocking call");
    }
    if (seconds == -1)
        return 0;
    return mp__timeout_of(timeout, false, until);
}

int mp__mutex_acquire(struct mp__managed *self, struct mp__mutex *mutex, struct mp__call *call)
{
    mp__moment until;
    int rc = mp__call_takes(call, acquire_names, 0, 2);
    if (rc == 0)
        rc = until_of(call, &until);
    if (rc != 0)
        return rc;
    bool again = mutex->recursive && mp__mutex_is_held_by(mutex, call->client);
    bool recovered = mutex->depth > 0 && mutex->is_left_behind;
    if (mutex->depth == 0 || again || recovered) {
        mutex_give(mutex, call->client, again ? mutex->depth + 1 : 1);
        call->value = mp_obj_bool(true);
        return recovered ? MP_RECOVERED : 0;
    }
    call->value = mp_obj_bool(false);
    if (until == 0)
        return 0;
    call->client->wait.number = 0;
    mp__park(call, self, &mutex->waiters, until, wait_ended);
    return MP__PARKED;
}

int mp__mutex_release(struct mp__mutex *mutex, const struct mp__client *client)
{
    if (mutex->depth == 0)
        return mp__failf(MP_ESTATE, mutex->recursive ? "cannot release un-acquired lock"
                                                     : "release unlocked lock");
    if (mutex->recursive && !mutex->is_left_behind && mutex->thread != client)
        return mp__failf(MP_ESTATE, "cannot release un-acquired lock");
    if (mutex->depth > 1 && !mutex->is_left_behind)
        mutex->depth--;
    else
        mutex_pass(mutex, false);
    return 0;
}

bool mp__mutex_is_held_by(const struct mp__mutex *mutex, const struct mp__client *client)
{
    return mutex->depth > 0 && (!mutex->recursive || mutex->thread == client);
}

void mp__mutex_left(struct mp__mutex *mutex, const struct mp__client *client)
{
    if (mutex->depth > 0 && mutex->recursive && mutex->thread == client)
        mutex_pass(mutex, true);
}

void mp__mutex_end(struct mp__mutex *mutex)
{
    thread_set(mutex, NULL);
}

static void mutex_lost(struct mp__mutex *mutex, const struct mp__holder *holder)
{
    if (mutex->depth > 0 && !mutex->recursive && mutex->process == holder)
        mutex_pass(mutex, true);
}

uint32_t mp__mutex_give_up(struct mp__mutex *mutex)
{
    uint32_t depth = mutex->depth;
    mutex_pass(mutex, false);
    return depth;
}

static void regain_ended(struct mp__managed *self, struct mp__client *client, bool gone)
{
    (void)self;
    (void)client;
    (void)gone; /* it has no deadline, so this is all that ends it */
}

void mp__mutex_regain(struct mp__managed *self, struct mp__mutex *mutex, struct mp__client *client,
                      uint32_t depth, bool answer)
{
    struct mp__call call = {.client = client};
    bool recovered = mutex->depth > 0 && mutex->is_left_behind;
    client->wait.number = number_of(depth, answer);
    if (mutex->depth > 0 && !recovered) {
        mp__park(&call, self, &mutex->waiters, MP__NEVER, regain_ended);
        return;
    }
    mutex_give(mutex, client, depth);
    waiter_answer(client, recovered);
}

/* ---- the types ------------------------------------------------------------------------------ */

static struct mp__mutex *mutex_of(struct mp__managed *self)
{
    return &((struct lock *)self)->mutex;
}

static int lock_create(struct mp__managed *self, struct mp__call *call)
{
    mutex_of(self)->recursive = self->type == &mp__type_rlock;
    return mp__call_plain(call, 0, 0);
}

static int lock_acquire(struct mp__managed *self, struct mp__call *call)
{
    return mp__mutex_acquire(self, mutex_of(self), call);
}

static int lock_release(struct mp__managed *self, struct mp__call *call)
{
    int rc = mp__call_plain(call, 0, 0);
    return rc == 0 ? mp__mutex_release(mutex_of(self), call->client) : rc;
}

static int lock_locked(struct mp__managed *self, struct mp__call *call)
{
    call->value = mp_obj_bool(mutex_of(self)->depth > 0);
    return mp__call_plain(call, 0, 0);
}

static void lock_destroy(struct mp__managed *self)
{
    mp__mutex_end(mutex_of(self));
}

static int lock_print(struct mp__managed *self, struct mp__call *call)
{
    const struct mp__mutex *mutex = mutex_of(self);
    const char *state = mutex->depth > 0 ? "locked" : "unlocked";
    if (!mutex->recursive)
        return mp_obj_format(&call->value, "<%s _thread.lock object at %p>", state, (void *)self);
    return mp_obj_format(&call->value, "<%s _thread.RLock object owner=%p count=%u at %p>", state,
                         (const void *)mutex->thread, (unsigned)mutex->depth, (void *)self);
}

static void lock_left(struct mp__managed *self, struct mp__client *client)
{
    mp__mutex_left(mutex_of(self), client);
}

static void lock_lost(struct mp__managed *self, const struct mp__holder *holder)
{
    mutex_lost(mutex_of(self), holder);
}

struct mp__mutex *mp__mutex_of(struct mp__managed *object)
{
    bool is_lock = object->type == &mp__type_lock || object->type == &mp__type_rlock;
    return is_lock ? mutex_of(object) : NULL;
}

static const struct mp__method lock_methods[] = {{"acquire", lock_acquire, NULL},
                                                 {"release", lock_release, NULL},
                                                 {"locked", lock_locked, NULL},
                                                 {NULL, NULL, NULL}};

const struct mp__type mp__type_lock = {.name = "Lock",
                                       .size = sizeof(struct lock),
                                       .create = lock_create,
                                       .print = lock_print,
                                       .lost = lock_lost,
                                       .methods = lock_methods};
const struct mp__type mp__type_rlock = {.name = "RLock",
                                        .size = sizeof(struct lock),
                                        .create = lock_create,
                                        .destroy = lock_destroy,
                                        .print = lock_print,
                                        .left = lock_left,
                                        .methods = lock_methods};
