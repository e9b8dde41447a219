/* Barrier, as threading has it.
 *
 * How it works
 *   Arrivals wait in a queue; the last of a generation answers all of them, so the next generation
 *   cannot begin before. A waiter whose time is up breaks the barrier for all; so does one whose
 *   client has gone, as its generation could never be whole again.
 */
#include "managers/containers.h"
#include "managers/server.h"

#include <string.h>

struct barrier {
    struct mp__managed head;
    int64_t parties, waiting;
    mp_obj timeout; /* a number or None */
    bool broken;
    struct mp__waiters waiters;
};

static const char *const create_names[] = {"parties", "action", "timeout"};

static int barrier_create(struct mp__managed *self, struct mp__call *call)
{
    struct barrier *b = (struct barrier *)self;
    const mp_obj *parties = mp__call_argument(call, 0, "parties");
    const mp_obj *action = mp__call_argument(call, 1, "action");
    const mp_obj *timeout = mp__call_argument(call, 2, "timeout");
    mp__moment until;
    int rc = mp__call_takes(call, create_names, 1, 3);
    if (rc == 0)
        rc = mp_obj_as_int(*parties, &b->parties);
    if (rc == 0 && b->parties < 1)
        rc = mp__failf(MP_EINVAL, "parties must be >= 1");
    if (rc == 0 && action != NULL && action->type != MP_TYPE_NONE)
        rc = mp__failf(MP_ETYPE, "a managed barrier has no action");
    if (rc == 0)
        rc = mp__timeout_of(timeout, true, &until);
    b->timeout = timeout != NULL ? mp_obj_view(*timeout) : mp_obj_none();
    return rc;
}

static void waiters_break(struct barrier *b)
{
    while (b->waiters.first != NULL) {
        struct mp__client *client = b->waiters.first;
        mp__unpark(client);
        mp__answer_fail(client, MP_EBROKEN, "");
    }
    b->waiting = 0;
}

static void barrier_break(struct barrier *b)
{
    b->broken = true;
    waiters_break(b);
}

static void wait_ended(struct mp__managed *self, struct mp__client *client, bool gone)
{
    if (!gone)
        mp__answer_fail(client, MP_EBROKEN, "");
    barrier_break((struct barrier *)self);
}

/* The last arrival: all others are answered. */
static void generation_end(struct barrier *b)
{
    b->waiting = 0;
    while (b->waiters.first != NULL) {
        struct mp__client *client = b->waiters.first;
        int64_t index = client->wait.number;
        mp__unpark(client);
        mp__answer(client, mp_obj_int(index));
    }
}

static int barrier_wait(struct mp__managed *self, struct mp__call *call)
{
    struct barrier *b = (struct barrier *)self;
    const mp_obj *timeout = mp__call_argument(call, 0, "timeout");
    mp__moment until;
    int rc = mp__call_takes(call, create_names + 2, 0, 1);
    if (timeout == NULL || timeout->type == MP_TYPE_NONE)
        timeout = &b->timeout;
    if (rc == 0)
        rc = mp__timeout_of(timeout, true, &until);
    if (rc != 0)
        return rc;
    if (b->broken)
        return mp__failf(MP_EBROKEN, "%s", "");
    int64_t index = b->waiting++;
    call->value = mp_obj_int(index);
    if (b->waiting == b->parties) {
        generation_end(b);
        return 0;
    }
    if (until == 0) {
        barrier_break(b);
        return mp__failf(MP_EBROKEN, "%s", "");
    }
    call->client->wait.number = index;
    mp__park(call, self, &b->waiters, until, wait_ended);
    return MP__PARKED;
}

static int barrier_abort(struct mp__managed *self, struct mp__call *call)
{
    int rc = mp__call_plain(call, 0, 0);
    if (rc == 0)
        barrier_break((struct barrier *)self);
    return rc;
}

static int barrier_reset(struct mp__managed *self, struct mp__call *call)
{
    struct barrier *b = (struct barrier *)self;
    int rc = mp__call_plain(call, 0, 0);
    if (rc != 0)
        return rc;
    waiters_break(b);
    b->broken = false;
    return 0;
}

/* Attributes are what Python's proxy asks for. */
static int barrier_attribute(struct mp__managed *self, struct mp__call *call)
{
    const struct barrier *b = (const struct barrier *)self;
    const char *name;
    int rc = mp__call_plain(call, 1, 1);
    if (rc == 0)
        rc = mp_obj_as_str(call->args.items[0], &name, NULL);
    if (rc != 0)
        return rc;
    if (strcmp(name, "parties") == 0)
        call->value = mp_obj_int(b->parties);
    else if (strcmp(name, "n_waiting") == 0)
        call->value = mp_obj_int(b->waiting);
    else if (strcmp(name, "broken") == 0)
        call->value = mp_obj_bool(b->broken);
    else
        return mp__failf(MP_EATTR, "'Barrier' object has no attribute '%s'", name);
    return 0;
}

static int barrier_print(struct mp__managed *self, struct mp__call *call)
{
    const struct barrier *b = (const struct barrier *)self;
    if (b->broken)
        return mp_obj_format(&call->value, "<threading.Barrier at %p: broken>", (void *)self);
    return mp_obj_format(&call->value, "<threading.Barrier at %p: waiters=%lld/%lld>", (void *)self,
                         (long long)b->waiting, (long long)b->parties);
}

static const struct mp__method barrier_methods[] = {{"__getattribute__", barrier_attribute, NULL},
                                                    {"wait", barrier_wait, NULL},
                                                    {"abort", barrier_abort, NULL},
                                                    {"reset", barrier_reset, NULL},
                                                    {NULL, NULL, NULL}};

const struct mp__type mp__type_barrier = {.name = "Barrier",
                                          .size = sizeof(struct barrier),
                                          .create = barrier_create,
                                          .print = barrier_print,
                                          .methods = barrier_methods};
