/* Condition, as threading has it, over an RLock of its own or a managed lock.
 *
 * How it works
 *   Who waits gives up all levels of the mutex and stands in the condition's queue; notify moves
 *   waiters, in their order, to the queue of the mutex, where each gets its levels and its answer
 *   with the mutex itself. One whose time is up goes the same way, with False. So an answer always
 *   comes with the mutex, and no notify is lost to a waiter that has gone: it is in neither queue.
 */
#include "managers/containers.h"
#include "managers/managed_lock.h"

struct condition {
    struct mp__managed head;
    struct mp__managed *lock; /* a managed one; NULL: it has its own */
    struct mp__mutex own, *mutex;
    struct mp__waiters waiters;
};

static const char *const lock_name[] = {"lock"}, *const timeout_name[] = {"timeout"};
static const char *const n_name[] = {"n"};

static int condition_create(struct mp__managed *self, struct mp__call *call)
{
    struct condition *c = (struct condition *)self;
    const mp_obj *lock = mp__call_argument(call, 0, "lock");
    int rc = mp__call_takes(call, lock_name, 0, 1);
    if (rc != 0)
        return rc;
    c->own.recursive = true;
    c->mutex = &c->own;
    if (lock == NULL || lock->type == MP_TYPE_NONE)
        return 0;
    if (lock->type == MP_TYPE_PROXY)
        c->lock = mp__managed_find(self->host, &lock->items[MP__PROXY_ID]);
    if (c->lock == NULL || mp__mutex_of(c->lock) == NULL)
        return mp__failf(MP_ETYPE, "a condition needs a Lock or RLock of the same manager");
    c->mutex = mp__mutex_of(c->lock);
    mp__managed_hold(c->lock);
    return 0;
}

static void condition_destroy(struct mp__managed *self)
{
    struct condition *c = (struct condition *)self;
    mp__mutex_end(&c->own);
    if (c->lock != NULL)
        mp__managed_release(c->lock);
}

static int condition_acquire(struct mp__managed *self, struct mp__call *call)
{
    return mp__mutex_acquire(self, ((struct condition *)self)->mutex, call);
}

static int condition_release(struct mp__managed *self, struct mp__call *call)
{
    int rc = mp__call_plain(call, 0, 0);
    return rc == 0 ? mp__mutex_release(((struct condition *)self)->mutex, call->client) : rc;
}

static int condition_locked(struct mp__managed *self, struct mp__call *call)
{
    call->value = mp_obj_bool(((struct condition *)self)->mutex->depth > 0);
    return mp__call_plain(call, 0, 0);
}

static int owner_check(const struct condition *c, const struct mp__call *call, const char *what)
{
    if (mp__mutex_is_held_by(c->mutex, call->client))
        return 0;
    return mp__failf(MP_ESTATE, "cannot %s on un-acquired lock", what);
}

/* The levels that a waiter gave up stay in its wait's number. */
static void waiter_return(struct condition *c, struct mp__client *client, bool answer)
{
    uint32_t depth = (uint32_t)client->wait.number;
    mp__mutex_regain(&c->head, c->mutex, client, depth, answer);
}

static void wait_ended(struct mp__managed *self, struct mp__client *client, bool gone)
{
    if (!gone)
        waiter_return((struct condition *)self, client, false);
}

static int condition_wait(struct mp__managed *self, struct mp__call *call)
{
    struct condition *c = (struct condition *)self;
    mp__moment until;
    int rc = mp__call_takes(call, timeout_name, 0, 1);
    if (rc == 0)
        rc = mp__timeout_of(mp__call_argument(call, 0, "timeout"), true, &until);
    if (rc == 0)
        rc = owner_check(c, call, "wait");
    if (rc != 0)
        return rc;
    uint32_t depth = mp__mutex_give_up(c->mutex);
    call->client->wait.number = depth;
    if (until == 0)
        waiter_return(c, call->client, false);
    else
        mp__park(call, self, &c->waiters, until, wait_ended);
    return MP__PARKED;
}

static void waiters_notify(struct condition *c, int64_t n)
{
    for (; n > 0 && c->waiters.first != NULL; n--) {
        struct mp__client *client = c->waiters.first;
        mp__unpark(client);
        waiter_return(c, client, true);
    }
}

static int condition_notify(struct mp__managed *self, struct mp__call *call)
{
    struct condition *c = (struct condition *)self;
    const mp_obj *argument = mp__call_argument(call, 0, "n");
    int64_t n = 1;
    int rc = mp__call_takes(call, n_name, 0, 1);
    if (rc == 0 && argument != NULL)
        rc = mp_obj_as_int(*argument, &n);
    if (rc == 0)
        rc = owner_check(c, call, "notify");
    if (rc == 0)
        waiters_notify(c, n);
    return rc;
}

static int condition_notify_all(struct mp__managed *self, struct mp__call *call)
{
    struct condition *c = (struct condition *)self;
    int rc = mp__call_plain(call, 0, 0);
    if (rc == 0)
        rc = owner_check(c, call, "notify");
    if (rc == 0)
        waiters_notify(c, INT64_MAX);
    return rc;
}

static void condition_left(struct mp__managed *self, struct mp__client *client)
{
    struct condition *c = (struct condition *)self;
    if (c->lock == NULL)
        mp__mutex_left(c->mutex, client);
}

static int condition_print(struct mp__managed *self, struct mp__call *call)
{
    const struct condition *c = (const struct condition *)self;
    unsigned n = 0;
    for (const struct mp__client *client = c->waiters.first; client != NULL;
         client = client->wait.after)
        n++;
    return mp_obj_format(&call->value, "<Condition(%s, %u)>",
                         c->mutex->depth > 0 ? "locked" : "unlocked", n);
}

static const struct mp__method condition_methods[] = {{"acquire", condition_acquire, NULL},
                                                      {"release", condition_release, NULL},
                                                      {"locked", condition_locked, NULL},
                                                      {"wait", condition_wait, NULL},
                                                      {"notify", condition_notify, NULL},
                                                      {"notify_all", condition_notify_all, NULL},
                                                      {NULL, NULL, NULL}};

const struct mp__type mp__type_condition = {.name = "Condition",
                                            .size = sizeof(struct condition),
                                            .create = condition_create,
                                            .destroy = condition_destroy,
                                            .print = condition_print,
                                            .left = condition_left,
                                            .methods = condition_methods};
