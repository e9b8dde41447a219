/* Event, as threading has it. Those who wait when it is set are answered at once, whatever comes
 * after. */
#include "managers/containers.h"
#include "managers/server.h"

struct event {
    struct mp__managed head;
    bool is_set;
    struct mp__waiters waiters;
};

static int event_create(struct mp__managed *self, struct mp__call *call)
{
    (void)self;
    return mp__call_plain(call, 0, 0);
}

static int event_is_set(struct mp__managed *self, struct mp__call *call)
{
    call->value = mp_obj_bool(((struct event *)self)->is_set);
    return mp__call_plain(call, 0, 0);
}

static int event_set(struct mp__managed *self, struct mp__call *call)
{
    struct event *event = (struct event *)self;
    int rc = mp__call_plain(call, 0, 0);
    event->is_set |= rc == 0;
    while (rc == 0 && event->waiters.first != NULL) {
        struct mp__client *client = event->waiters.first;
        mp__unpark(client);
        mp__answer(client, mp_obj_bool(true));
    }
    return rc;
}

static int event_clear(struct mp__managed *self, struct mp__call *call)
{
    int rc = mp__call_plain(call, 0, 0);
    if (rc == 0)
        ((struct event *)self)->is_set = false;
    return rc;
}

static void wait_ended(struct mp__managed *self, struct mp__client *client, bool gone)
{
    (void)self;
    if (!gone)
        mp__answer(client, mp_obj_bool(false));
}

static int event_wait(struct mp__managed *self, struct mp__call *call)
{
    struct event *event = (struct event *)self;
    mp__moment until;
    static const char *const name[] = {"timeout"};
    int rc = mp__call_takes(call, name, 0, 1);
    if (rc == 0)
        rc = mp__timeout_of(mp__call_argument(call, 0, "timeout"), true, &until);
    call->value = mp_obj_bool(event->is_set);
    if (rc != 0 || event->is_set || until == 0)
        return rc;
    mp__park(call, self, &event->waiters, until, wait_ended);
    return MP__PARKED;
}

static int event_print(struct mp__managed *self, struct mp__call *call)
{
    return mp_obj_format(&call->value, "<threading.Event at %p: %s>", (void *)self,
                         ((struct event *)self)->is_set ? "set" : "unset");
}

static const struct mp__method event_methods[] = {{"is_set", event_is_set, NULL},
                                                  {"set", event_set, NULL},
                                                  {"clear", event_clear, NULL},
                                                  {"wait", event_wait, NULL},
                                                  {NULL, NULL, NULL}};

const struct mp__type mp__type_event = {.name = "Event",
                                        .size = sizeof(struct event),
                                        .create = event_create,
                                        .print = event_print,
                                        .methods = event_methods};
