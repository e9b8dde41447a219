/* Queue and JoinableQueue, as queue.Queue.
 *
 * How it works
 *   Items stand in a ring that grows; who finds it full or empty waits. At most one of the two
 *   queues of waiters has anybody in it, but for a bound of nothing: a put goes straight to the
 *   first who waits to get, and a get lets in the first who waits to put.
 *   An item that is on its way to a client which turns out to have gone goes back to the head. What
 *   a process took and did not call task_done for counts as done when that process has ended, so
 *   that join does not wait for ever; for a client of another machine that is no client of libmp
 *   nobody knows its end.
 */
#include "managers/containers.h"
#include "managers/iterable.h"
#include "managers/server.h"

#include <errno.h>
#include <stdlib.h>

struct taken {
    const struct mp__holder *holder;
    uint64_t count;
};

struct queue {
    struct mp__managed head;
    mp_obj *items; /* a ring */
    size_t first, used, room;
    int64_t maxsize; /* none if it is not positive */
    uint64_t unfinished;
    bool is_shut;
    struct taken *taken;
    size_t taken_used, taken_room;
    struct mp__waiters getters, putters, joiners;
};

static const char *const put_names[] = {"item", "block", "timeout"};

static int queue_create(struct mp__managed *self, struct mp__call *call)
{
    static const char *const name[] = {"maxsize"};
    const mp_obj *maxsize = mp__call_argument(call, 0, "maxsize");
    int rc = mp__call_takes(call, name, 0, 1);
    return rc == 0 && maxsize != NULL ? mp_obj_as_int(*maxsize, &((struct queue *)self)->maxsize)
                                      : rc;
}

static void queue_destroy(struct mp__managed *self)
{
    struct queue *q = (struct queue *)self;
    for (size_t i = 0; i < q->used; i++)
        mp__drop(self->host, &q->items[(q->first + i) % q->room]);
    free(q->items);
    free(q->taken);
}

/* ---- the ring ------------------------------------------------------------------------------- */

static bool is_full(const struct queue *q)
{
    return q->maxsize > 0 && q->used >= (uint64_t)q->maxsize;
}

static int room_make(struct queue *q)
{
    if (q->used < q->room)
        return 0;
    size_t room = q->room == 0 ? 16 : 2 * q->room;
    mp_obj *items = malloc(room * sizeof *items);
    if (items == NULL)
        return mp__fail(-ENOMEM);
    for (size_t i = 0; i < q->used; i++)
        items[i] = q->items[(q->first + i) % q->room]; /* NOLINT: what is used has room */
    free(q->items);
    q->items = items;
    q->first = 0;
    q->room = room;
    return 0;
}

static void item_push(struct queue *q, mp_obj item)
{
    q->items[(q->first + q->used++) % q->room] = item;
}

static void item_push_first(struct queue *q, mp_obj item)
{
    q->first = (q->first + q->room - 1) % q->room;
    q->items[q->first] = item;
    q->used++;
}

static mp_obj item_pop(struct queue *q)
{
    mp_obj item = q->items[q->first];
    q->first = (q->first + 1) % q->room;
    q->used--;
    return item;
}

/* ---- who took what -------------------------------------------------------------------------- */

static struct taken *taken_of(struct queue *q, const struct mp__holder *holder)
{
    for (size_t i = 0; i < q->taken_used; i++)
        if (q->taken[i].holder == holder)
            return &q->taken[i];
    return NULL;
}

static int taken_room_make(struct queue *q)
{
    if (q->taken_used < q->taken_room)
        return 0;
    size_t room = q->taken_room == 0 ? 4 : 2 * q->taken_room;
    struct taken *taken = realloc(q->taken, room * sizeof *taken);
    if (taken == NULL)
        return mp__fail(-ENOMEM);
    q->taken = taken;
    q->taken_room = room;
    return 0;
}

/* After room was made. */
static void taken_add(struct queue *q, const struct mp__holder *holder)
{
    struct taken *taken = taken_of(q, holder);
    if (taken == NULL) {
        taken = &q->taken[q->taken_used++];
        *taken = (struct taken){holder, 0};
    }
    taken->count++;
}

static void taken_remove(struct queue *q, struct taken *taken, uint64_t n)
{
    taken->count -= n;
    if (taken->count == 0)
        *taken = q->taken[--q->taken_used];
}

static void joiners_serve(struct queue *q)
{
    while (q->unfinished == 0 && q->joiners.first != NULL) {
        struct mp__client *client = q->joiners.first;
        mp__unpark(client);
        mp__answer(client, mp_obj_none());
    }
}

static void queue_lost(struct mp__managed *self, const struct mp__holder *holder)
{
    struct queue *q = (struct queue *)self;
    struct taken *taken = taken_of(q, holder);
    if (taken == NULL)
        return;
    /* somebody else may have called task_done for it */
    q->unfinished -= taken->count < q->unfinished ? taken->count : q->unfinished;
    taken_remove(q, taken, taken->count);
    joiners_serve(q);
}

/* ---- moving items --------------------------------------------------------------------------- */

/* False: the client has gone, and the item is at the head again. */
static bool item_give(struct queue *q, struct mp__client *client)
{
    mp_obj item = item_pop(q);
    taken_add(q, client->holder);
    if (mp__answer_moved(client, &item)) {
        mp__drop(q->head.host, &item);
        return true;
    }
    struct taken *taken = taken_of(q, client->holder);
    if (taken != NULL)
        taken_remove(q, taken, 1);
    item_push_first(q, item);
    return false;
}

/* Lets items out and in as long as somebody waits for it. */
static void waiters_serve(struct queue *q)
{
    for (;;) {
        if (q->used > 0 && q->getters.first != NULL && taken_room_make(q) == 0) {
            struct mp__client *client = q->getters.first;
            mp__unpark(client);
            item_give(q, client);
        } else if (!is_full(q) && q->putters.first != NULL && room_make(q) == 0) {
            struct mp__client *client = q->putters.first;
            mp__unpark(client);
            item_push(q, client->wait.value);
            q->unfinished++;
            mp__answer(client, mp_obj_none());
        } else {
            return;
        }
    }
}

static int until_of(const struct mp__call *call, size_t position, mp__moment *until)
{
    const mp_obj *block = mp__call_argument(call, position, "block");
    const mp_obj *timeout = mp__call_argument(call, position + 1, "timeout");
    *until = 0;
    if (block != NULL && !mp__is_true(block))
        return 0;
    return mp__timeout_of(timeout, false, until);
}

static void put_ended(struct mp__managed *self, struct mp__client *client, bool gone)
{
    mp__drop(self->host, &client->wait.value);
    if (!gone)
        mp__answer_fail(client, MP_EFULL, "");
}

static int put(struct queue *q, struct mp__call *call, mp__moment until)
{
    const mp_obj *item = mp__call_argument(call, 0, "item");
    mp_obj kept;
    if (q->is_shut)
        return mp__failf(MP_ECLOSED, "%s", "");
    bool waits = is_full(q);
    if (waits && until == 0)
        return mp__failf(MP_EFULL, "%s", "");
    int rc = room_make(q);
    if (rc == 0)
        rc = mp__keep(q->head.host, item, &kept);
    if (rc != 0)
        return rc;
    if (waits) {
        call->client->wait.value = kept;
        mp__park(call, &q->head, &q->putters, until, put_ended);
        return MP__PARKED;
    }
    item_push(q, kept);
    q->unfinished++;
    waiters_serve(q);
    return 0;
}

static int queue_put(struct mp__managed *self, struct mp__call *call)
{
    mp__moment until;
    int rc = mp__call_takes(call, put_names, 1, 3);
    if (rc == 0)
        rc = until_of(call, 1, &until);
    return rc == 0 ? put((struct queue *)self, call, until) : rc;
}

static int queue_put_nowait(struct mp__managed *self, struct mp__call *call)
{
    int rc = mp__call_takes(call, put_names, 1, 1);
    return rc == 0 ? put((struct queue *)self, call, 0) : rc;
}

static void get_ended(struct mp__managed *self, struct mp__client *client, bool gone)
{
    (void)self;
    if (!gone)
        mp__answer_fail(client, MP_EEMPTY, "");
}

static int get(struct queue *q, struct mp__call *call, mp__moment until)
{
    int rc = taken_room_make(q);
    if (rc != 0)
        return rc;
    if (q->used > 0) {
        if (item_give(q, call->client))
            waiters_serve(q);
        return MP__PARKED;
    }
    if (q->is_shut)
        return mp__failf(MP_ECLOSED, "%s", "");
    if (until == 0)
        return mp__failf(MP_EEMPTY, "%s", "");
    mp__park(call, &q->head, &q->getters, until, get_ended);
    return MP__PARKED;
}

static int queue_get(struct mp__managed *self, struct mp__call *call)
{
    mp__moment until;
    int rc = mp__call_takes(call, put_names + 1, 0, 2);
    if (rc == 0)
        rc = until_of(call, 0, &until);
    return rc == 0 ? get((struct queue *)self, call, until) : rc;
}

static int queue_get_nowait(struct mp__managed *self, struct mp__call *call)
{
    int rc = mp__call_plain(call, 0, 0);
    return rc == 0 ? get((struct queue *)self, call, 0) : rc;
}

/* ---- counting ------------------------------------------------------------------------------- */

static int queue_task_done(struct mp__managed *self, struct mp__call *call)
{
    struct queue *q = (struct queue *)self;
    int rc = mp__call_plain(call, 0, 0);
    if (rc != 0)
        return rc;
    if (q->unfinished == 0)
        return mp__failf(MP_EINVAL, "task_done() called too many times");
    struct taken *taken = taken_of(q, call->client->holder);
    if (taken == NULL && q->taken_used > 0)
        taken = &q->taken[0]; /* for somebody else */
    if (taken != NULL)
        taken_remove(q, taken, 1);
    q->unfinished--;
    joiners_serve(q);
    return 0;
}

static void join_ended(struct mp__managed *self, struct mp__client *client, bool gone)
{
    (void)self;
    (void)client;
    (void)gone; /* it has no deadline, so this is all that ends it */
}

static int queue_join(struct mp__managed *self, struct mp__call *call)
{
    struct queue *q = (struct queue *)self;
    int rc = mp__call_plain(call, 0, 0);
    if (rc != 0 || q->unfinished == 0)
        return rc;
    mp__park(call, self, &q->joiners, MP__NEVER, join_ended);
    return MP__PARKED;
}

static int queue_qsize(struct mp__managed *self, struct mp__call *call)
{
    call->value = mp_obj_int((int64_t)((struct queue *)self)->used);
    return mp__call_plain(call, 0, 0);
}

static int queue_empty(struct mp__managed *self, struct mp__call *call)
{
    call->value = mp_obj_bool(((struct queue *)self)->used == 0);
    return mp__call_plain(call, 0, 0);
}

static int queue_full(struct mp__managed *self, struct mp__call *call)
{
    call->value = mp_obj_bool(is_full((struct queue *)self));
    return mp__call_plain(call, 0, 0);
}

/* ---- the end -------------------------------------------------------------------------------- */

static void waiters_refuse(struct mp__managed *self, struct mp__waiters *waiters, bool putters)
{
    while (waiters->first != NULL) {
        struct mp__client *client = waiters->first;
        mp__unpark(client);
        if (putters)
            mp__drop(self->host, &client->wait.value);
        mp__answer_fail(client, MP_ECLOSED, "");
    }
}

/* (immediate=False) */
static int queue_shutdown(struct mp__managed *self, struct mp__call *call)
{
    struct queue *q = (struct queue *)self;
    static const char *const name[] = {"immediate"};
    const mp_obj *immediate = mp__call_argument(call, 0, "immediate");
    int rc = mp__call_takes(call, name, 0, 1);
    if (rc != 0)
        return rc;
    q->is_shut = true;
    while (immediate != NULL && mp__is_true(immediate) && q->used > 0) {
        mp_obj item = item_pop(q);
        mp__drop(self->host, &item);
        q->unfinished -= q->unfinished > 0;
    }
    waiters_refuse(self, &q->getters, false);
    waiters_refuse(self, &q->putters, true);
    joiners_serve(q);
    return 0;
}

static int queue_print(struct mp__managed *self, struct mp__call *call)
{
    return mp_obj_format(&call->value, "<queue.Queue object at %p>", (void *)self);
}

static const struct mp__method queue_methods[] = {{"empty", queue_empty, NULL},
                                                  {"full", queue_full, NULL},
                                                  {"get", queue_get, NULL},
                                                  {"get_nowait", queue_get_nowait, NULL},
                                                  {"join", queue_join, NULL},
                                                  {"put", queue_put, NULL},
                                                  {"put_nowait", queue_put_nowait, NULL},
                                                  {"qsize", queue_qsize, NULL},
                                                  {"shutdown", queue_shutdown, NULL},
                                                  {"task_done", queue_task_done, NULL},
                                                  {NULL, NULL, NULL}};

const struct mp__type mp__type_queue = {.name = "Queue",
                                        .size = sizeof(struct queue),
                                        .create = queue_create,
                                        .destroy = queue_destroy,
                                        .print = queue_print,
                                        .lost = queue_lost,
                                        .methods = queue_methods};
const struct mp__type mp__type_joinable_queue = {.name = "JoinableQueue",
                                                 .size = sizeof(struct queue),
                                                 .create = queue_create,
                                                 .destroy = queue_destroy,
                                                 .print = queue_print,
                                                 .lost = queue_lost,
                                                 .methods = queue_methods};
