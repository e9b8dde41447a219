/* Calls that wait: into a queue, and out of it by a call of somebody else, by the clock, or by the
 * end of their client. */
#include "managers/server.h"

#include <math.h>

static void queue_add(struct mp__waiters *queue, struct mp__client *client)
{
    client->wait.before = queue->last;
    client->wait.after = NULL;
    *(queue->last != NULL ? &queue->last->wait.after : &queue->first) = client;
    queue->last = client;
}

static void queue_remove(struct mp__waiters *queue, struct mp__client *client)
{
    struct mp__client *before = client->wait.before, *after = client->wait.after;
    *(before != NULL ? &before->wait.after : &queue->first) = after;
    *(after != NULL ? &after->wait.before : &queue->last) = before;
}

void mp__park(struct mp__call *call, struct mp__managed *self, struct mp__waiters *queue,
              mp__moment until,
              void (*ended)(struct mp__managed *self, struct mp__client *client, bool gone))
{
    struct mp__client *client = call->client;
    client->wait.object = self;
    client->wait.queue = queue;
    client->wait.until = until;
    client->wait.ended = ended;
    queue_add(queue, client);
    mp__managed_hold(self); /* it must not go while somebody waits in it */
    if (until < client->server->next_deadline)
        client->server->next_deadline = until;
    mp__client_watch(client);
}

void mp__unpark(struct mp__client *client)
{
    queue_remove(client->wait.queue, client);
    mp__managed_release(client->wait.object);
    client->wait.object = NULL;
    client->wait.queue = NULL;
}

static bool answer(struct mp__client *client, const char *kind, mp_obj value)
{
    bool sent = mp__client_reply(client, kind, value);
    client->server->goes_on |= client->in_have > 0;
    mp__client_watch(client);
    return sent;
}

bool mp__answer(struct mp__client *client, mp_obj value)
{
    return answer(client, "#RETURN", value);
}

bool mp__answer_moved(struct mp__client *client, const mp_obj *taken)
{
    bool sent = mp__client_reply_moved(client, *taken, taken, 1);
    client->server->goes_on |= client->in_have > 0;
    mp__client_watch(client);
    return sent;
}

bool mp__answer_recovered(struct mp__client *client, mp_obj value)
{
    return answer(client, client->is_libmp ? "#RECOVERED" : "#RETURN", value);
}

void mp__answer_fail(struct mp__client *client, int code, const char *text)
{
    mp__failf(code, "%s", text);
    mp__client_fail(client, code, NULL);
    client->server->goes_on |= client->in_have > 0;
    mp__client_watch(client);
}

static void wait_end(struct mp__client *client, bool gone)
{
    struct mp__managed *self = client->wait.object;
    mp__managed_hold(self);
    mp__unpark(client);
    client->wait.ended(self, client, gone);
    mp__managed_release(self);
}

void mp__wait_abandon(struct mp__client *client)
{
    if (client->wait.object != NULL)
        wait_end(client, true);
}

static mp__moment deadline_of(const struct mp__client *client)
{
    if (client->is_gone)
        return MP__NEVER;
    if (client->wait.object != NULL)
        return client->wait.until;
    return client->phase == MP__PHASE_SHAKING ? client->deadline : MP__NEVER;
}

void mp__waits_expire(struct mp__server *server)
{
    if (server->next_deadline == MP__NEVER || mp__now() < server->next_deadline)
        return;
    mp__moment now = mp__now();
    server->next_deadline = MP__NEVER;
    for (struct mp__client *client = server->clients; client != NULL; client = client->next) {
        if (deadline_of(client) > now)
            continue;
        if (client->wait.object != NULL)
            wait_end(client, false);
        else
            mp__client_end(client);
    }
    for (struct mp__client *client = server->clients; client != NULL; client = client->next)
        if (deadline_of(client) < server->next_deadline)
            server->next_deadline = deadline_of(client);
}

int mp__timeout_of(const mp_obj *timeout, bool negative_is_now, mp__moment *until)
{
    double seconds;
    *until = MP__NEVER;
    if (timeout == NULL || timeout->type == MP_TYPE_NONE)
        return 0;
    int rc = mp_obj_as_float(*timeout, &seconds);
    if (rc != 0)
        return rc;
    if (isnan(seconds))
        return mp__failf(MP_EINVAL, "Invalid value NaN (not a number)");
    if (seconds < 0 && !negative_is_now)
        return mp__failf(MP_EINVAL, "'timeout' must be a non-negative number");
    return mp__moment_of(seconds, until);
}
