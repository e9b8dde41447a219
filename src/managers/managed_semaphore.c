/* Semaphore and BoundedSemaphore, as threading has them.
 *
 * How it works
 *   A plain Semaphore is a number: whoever releases need not have acquired, so nobody's units are
 *   known and none come back by an end. Of a BoundedSemaphore every unit taken is some process's,
 *   and value + units held + units left behind is always its initial value. Units whose process
 *   has ended are left behind: who acquires and finds none free takes one of those, and is told so;
 *   a release by anybody puts one back. So an end costs no unit, and no release that Python allows
 *   fails.
 */
#include "managers/containers.h"
#include "managers/iterable.h"
#include "managers/server.h"

#include <errno.h>
#include <stdlib.h>

struct units {
    const struct mp__holder *holder;
    uint64_t count;
};

struct semaphore {
    struct mp__managed head;
    uint64_t value, initial;
    uint64_t left_behind; /* the last three are a bounded one's */
    struct units *held;
    size_t used, room;
    struct mp__waiters waiters;
};

static const char *const value_name[] = {"value"}, *const n_name[] = {"n"};
static const char *const acquire_names[] = {"blocking", "timeout"};

static bool is_bounded(const struct semaphore *s)
{
    return s->head.type == &mp__type_bounded_semaphore;
}

static int semaphore_create(struct mp__managed *self, struct mp__call *call)
{
    struct semaphore *s = (struct semaphore *)self;
    const mp_obj *value = mp__call_argument(call, 0, "value");
    int64_t number = 1;
    int rc = mp__call_takes(call, value_name, 0, 1);
    if (rc == 0 && value != NULL)
        rc = mp_obj_as_int(*value, &number);
    if (rc == 0 && number < 0)
        rc = mp__failf(MP_EINVAL, "semaphore initial value must be >= 0");
    s->value = s->initial = (uint64_t)number;
    return rc;
}

static void semaphore_destroy(struct mp__managed *self)
{
    free(((struct semaphore *)self)->held);
}

/* ---- units ---------------------------------------------------------------------------------- */

static struct units *units_of(struct semaphore *s, const struct mp__holder *holder)
{
    for (size_t i = 0; i < s->used; i++)
        if (s->held[i].holder == holder)
            return &s->held[i];
    return NULL;
}

static int room_make(struct semaphore *s)
{
    if (s->used < s->room || !is_bounded(s))
        return 0;
    size_t room = s->room == 0 ? 4 : 2 * s->room;
    struct units *held = realloc(s->held, room * sizeof *held);
    if (held == NULL)
        return mp__fail(-ENOMEM);
    s->held = held;
    s->room = room;
    return 0;
}

/* After room was made. */
static void units_add(struct semaphore *s, const struct mp__holder *holder)
{
    struct units *units = units_of(s, holder);
    if (!is_bounded(s))
        return;
    if (units == NULL) {
        units = &s->held[s->used++];
        *units = (struct units){holder, 0};
    }
    units->count++;
}

static void units_remove(struct semaphore *s, struct units *units, uint64_t n)
{
    units->count -= n;
    if (units->count == 0)
        *units = s->held[--s->used];
}

/* ---- acquire and release -------------------------------------------------------------------- */

static void wait_ended(struct mp__managed *self, struct mp__client *client, bool gone)
{
    (void)self;
    if (!gone)
        mp__answer(client, mp_obj_bool(false));
}

/* A unit for the client, if there is one: 0, MP_RECOVERED or MP__PARKED: there is none. */
static int unit_take(struct semaphore *s, const struct mp__client *client)
{
    int rc = s->value > 0 ? 0 : s->left_behind > 0 ? MP_RECOVERED : MP__PARKED;
    if (rc == 0)
        s->value--;
    else if (rc == MP_RECOVERED)
        s->left_behind--;
    if (rc != MP__PARKED)
        units_add(s, client->holder);
    return rc;
}

static int until_of(const struct mp__call *call, mp__moment *until)
{
    const mp_obj *blocking = mp__call_argument(call, 0, "blocking");
    const mp_obj *timeout = mp__call_argument(call, 1, "timeout");
    bool waits = blocking == NULL || mp__is_true(blocking);
    if (!waits && timeout != NULL && timeout->type != MP_TYPE_NONE)
        return mp__failf(MP_EINVAL, "can't specify timeout for non-blocking acquire");
    int rc = mp__timeout_of(timeout, true, until);
    if (!waits)
        *until = 0;
    return rc;
}

static int semaphore_acquire(struct mp__managed *self, struct mp__call *call)
{
    struct semaphore *s = (struct semaphore *)self;
    mp__moment until;
    int rc = mp__call_takes(call, acquire_names, 0, 2);
    if (rc == 0)
        rc = until_of(call, &until);
    if (rc == 0)
        rc = room_make(s);
    if (rc != 0)
        return rc;
    rc = unit_take(s, call->client);
    call->value = mp_obj_bool(rc != MP__PARKED);
    if (rc != MP__PARKED)
        return rc;
    if (until == 0)
        return 0;
    mp__park(call, self, &s->waiters, until, wait_ended);
    return MP__PARKED;
}

static void waiters_serve(struct semaphore *s)
{
    while (s->waiters.first != NULL && (s->value > 0 || s->left_behind > 0) && room_make(s) == 0) {
        struct mp__client *client = s->waiters.first;
        mp__unpark(client);
        if (unit_take(s, client) == MP_RECOVERED)
            mp__answer_recovered(client, mp_obj_bool(true));
        else
            mp__answer(client, mp_obj_bool(true));
    }
}

/* Whose units n are given back: the client's own, those left behind, then anybody's. */
static int units_give(struct semaphore *s, const struct mp__client *client, uint64_t n)
{
    if (n > s->initial - s->value)
        return mp__failf(MP_EINVAL, "Semaphore released too many times");
    struct units *own = units_of(s, client->holder);
    uint64_t of_own = own == NULL ? 0 : own->count < n ? own->count : n;
    if (of_own > 0)
        units_remove(s, own, of_own);
    n -= of_own;
    uint64_t of_left = s->left_behind < n ? s->left_behind : n;
    s->left_behind -= of_left;
    for (n -= of_left; n > 0; n--)
        units_remove(s, &s->held[0], 1);
    return 0;
}

static int semaphore_release(struct mp__managed *self, struct mp__call *call)
{
    struct semaphore *s = (struct semaphore *)self;
    const mp_obj *argument = mp__call_argument(call, 0, "n");
    int64_t n = 1;
    int rc = mp__call_takes(call, n_name, 0, 1);
    if (rc == 0 && argument != NULL)
        rc = mp_obj_as_int(*argument, &n);
    if (rc == 0 && n < 1)
        rc = mp__failf(MP_EINVAL, "n must be one or more");
    if (rc == 0 && is_bounded(s))
        rc = units_give(s, call->client, (uint64_t)n);
    else if (rc == 0 && (uint64_t)n > (uint64_t)INT64_MAX - s->value)
        rc = mp__failf(MP_EOVERFLOW, "the semaphore's value is too large");
    if (rc != 0)
        return rc;
    s->value += (uint64_t)n;
    waiters_serve(s);
    return 0;
}

static void semaphore_lost(struct mp__managed *self, const struct mp__holder *holder)
{
    struct semaphore *s = (struct semaphore *)self;
    struct units *units = units_of(s, holder);
    if (units == NULL)
        return;
    s->left_behind += units->count;
    units_remove(s, units, units->count);
    waiters_serve(s);
}

/* ---- the types ------------------------------------------------------------------------------ */

static int semaphore_locked(struct mp__managed *self, struct mp__call *call)
{
    call->value = mp_obj_bool(((struct semaphore *)self)->value == 0);
    return mp__call_plain(call, 0, 0);
}

static int semaphore_print(struct mp__managed *self, struct mp__call *call)
{
    const struct semaphore *s = (const struct semaphore *)self;
    if (is_bounded(s))
        return mp_obj_format(&call->value, "<threading.BoundedSemaphore at %p: value=%llu/%llu>",
                             (void *)self, (unsigned long long)s->value,
                             (unsigned long long)s->initial);
    return mp_obj_format(&call->value, "<threading.Semaphore at %p: value=%llu>", (void *)self,
                         (unsigned long long)s->value);
}

static const struct mp__method semaphore_methods[] = {{"acquire", semaphore_acquire, NULL},
                                                      {"release", semaphore_release, NULL},
                                                      {"locked", semaphore_locked, NULL},
                                                      {NULL, NULL, NULL}};

const struct mp__type mp__type_semaphore = {.name = "Semaphore",
                                            .size = sizeof(struct semaphore),
                                            .create = semaphore_create,
                                            .destroy = semaphore_destroy,
                                            .print = semaphore_print,
                                            .methods = semaphore_methods};
const struct mp__type mp__type_bounded_semaphore = {.name = "BoundedSemaphore",
                                                    .size = sizeof(struct semaphore),
                                                    .create = semaphore_create,
                                                    .destroy = semaphore_destroy,
                                                    .print = semaphore_print,
                                                    .lost = semaphore_lost,
                                                    .methods = semaphore_methods};
