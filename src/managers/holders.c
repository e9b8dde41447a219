/* Who holds references: the processes behind the connections.
 *
 * How it works
 *   A process of libmp draws a number, opens one connection that is its session, and names that
 *   number on all others: what it holds goes when the session's connection ends. CPython's clients
 *   make a connection for each command, so theirs say nothing; on this machine the kernel tells
 *   the pid behind a connection, and as that process made every reference it holds itself, all of
 *   them go when it has ended, which is looked for now and then. Everybody else is one holder.
 *   A process that is about to be forked is lent what its parent has; where it has not begun its
 *   session after 2 s there is none, and one that is as late as that is told that it has nothing.
 *   Each holder has a table of how often it holds which object, with linear probing; a count that
 *   falls to 0 keeps its slot until the table is rebuilt.
 */
#include "managers/server.h"

#include <errno.h>
#include <stdlib.h>

#define LENT_TIME (2 * MP__SECOND)
#define ORPHAN_TIME MP__SECOND

struct mp__held {
    struct mp__managed *object; /* NULL: free */
    uint32_t serial;            /* an object that has gone may have given its memory to another */
    uint32_t count;
};

static struct mp__holder *holder_new(struct mp__server *server)
{
    struct mp__holder *holder = calloc(1, sizeof *holder);
    if (holder == NULL)
        return &server->anybody;
    holder->next = server->holders;
    holder->lent_until = MP__NEVER;
    server->holders = holder;
    return holder;
}

struct mp__holder *mp__holder_find(struct mp__server *server, uint64_t token)
{
    struct mp__holder *holder = server->holders;
    while (holder != NULL && (holder->token != token || holder->pid != 0))
        holder = holder->next;
    return holder;
}

struct mp__holder *mp__holder_of_token(struct mp__server *server, uint64_t token)
{
    struct mp__holder *holder = mp__holder_find(server, token);
    if (holder == NULL) {
        holder = holder_new(server);
        if (holder != &server->anybody)
            holder->token = token;
    }
    return holder;
}

struct mp__holder *mp__holder_of_pid(struct mp__server *server, pid_t pid)
{
    uint64_t start = 0;
    if (pid <= 0 || mp__process_trace(pid, &start) != MP__TRACE_RUNS)
        return &server->anybody;
    struct mp__holder *holder = server->holders;
    while (holder != NULL && (holder->pid != pid || holder->start != start))
        holder = holder->next;
    if (holder == NULL) {
        holder = holder_new(server);
        if (holder != &server->anybody) {
            holder->pid = pid;
            holder->start = start;
        }
    }
    return holder;
}

/* ---- counts --------------------------------------------------------------------------------- */

static size_t slot_first(const struct mp__holder *holder, const struct mp__managed *object)
{
    return (size_t)((object->serial * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (holder->room - 1);
}

/* The slot that has the object, or the free one where it would be. */
static struct mp__held *slot_of(const struct mp__holder *holder, const struct mp__managed *object)
{
    size_t i = slot_first(holder, object);
    while (holder->held[i].object != NULL &&
           (holder->held[i].object != object || holder->held[i].serial != object->serial))
        i = (i + 1) & (holder->room - 1);
    return &holder->held[i];
}

static int room_make(struct mp__holder *holder)
{
    struct mp__held *old = holder->held;
    size_t old_room = holder->room, live = 0;
    if (holder->room > 0 && holder->used < holder->room / 2)
        return 0;
    for (size_t i = 0; i < old_room; i++)
        live += old[i].count > 0;
    size_t room = 16;
    while (room / 4 <= live)
        room *= 2;
    struct mp__held *held = calloc(room, sizeof *held);
    if (held == NULL)
        return -ENOMEM;
    holder->held = held;
    holder->room = room;
    holder->used = live;
    for (size_t i = 0; i < old_room; i++)
        if (old[i].count > 0)
            *slot_of(holder, old[i].object) = old[i];
    free(old);
    return 0;
}

int mp__holder_take(struct mp__holder *holder, struct mp__managed *object)
{
    int rc = room_make(holder);
    if (rc != 0)
        return rc;
    struct mp__held *slot = slot_of(holder, object);
    if (slot->object == NULL) {
        *slot = (struct mp__held){object, object->serial, 0};
        holder->used++;
    }
    slot->count++;
    mp__managed_hold(object);
    return 0;
}

static bool take_back(struct mp__holder *holder, struct mp__managed *object)
{
    struct mp__held *slot = holder->room > 0 ? slot_of(holder, object) : NULL;
    if (slot == NULL || slot->object == NULL || slot->count == 0)
        return false;
    slot->count--;
    mp__managed_release(object);
    return true;
}

/* A reference may be given back by another process than the one that took it. */
bool mp__holder_give(struct mp__server *server, struct mp__holder *holder,
                     struct mp__managed *object)
{
    bool found = take_back(holder, object) || take_back(&server->anybody, object);
    for (struct mp__holder *other = server->holders; other != NULL && !found; other = other->next)
        found = other->token == 0 && take_back(other, object);
    return found;
}

int mp__holder_lend(struct mp__server *server, const struct mp__holder *from, uint64_t token)
{
    struct mp__holder *holder = mp__holder_of_token(server, token);
    if (holder == &server->anybody || holder == from || holder->in_session)
        return -ENOMEM;
    holder->lent_until = mp__moment_in(LENT_TIME);
    holder->lender = from;
    for (size_t i = 0; i < from->room; i++)
        for (uint32_t n = 0; n < from->held[i].count; n++)
            if (mp__holder_take(holder, from->held[i].object) != 0) {
                mp__holder_drop(server, holder);
                return -ENOMEM;
            }
    return 0;
}

/* ---- ends ----------------------------------------------------------------------------------- */

static void held_release(struct mp__holder *holder)
{
    for (size_t i = 0; i < holder->room; i++)
        for (; holder->held[i].count > 0; holder->held[i].count--)
            mp__managed_release(holder->held[i].object);
    free(holder->held);
}

/* Nobody reads there any more; and what one of them waits for is not to become a dead process's. */
static void clients_end(struct mp__server *server, const struct mp__holder *holder)
{
    for (struct mp__client *client = server->clients; client != NULL; client = client->next)
        if (client->holder == holder)
            mp__client_end(client);
}

/* Of a process that has ended: what it forked has begun by now, or has ended too. */
static void loans_end_soon(struct mp__server *server, const struct mp__holder *lender)
{
    for (struct mp__holder *holder = server->holders; holder != NULL; holder = holder->next)
        if (holder->lender == lender) {
            holder->lender = NULL;
            if (!holder->in_session)
                holder->lent_until = mp__moment_in(ORPHAN_TIME);
        }
}

void mp__holder_drop(struct mp__server *server, struct mp__holder *holder)
{
    struct mp__holder **at = &server->holders;
    while (*at != holder)
        at = &(*at)->next;
    *at = holder->next;
    clients_end(server, holder);
    loans_end_soon(server, holder);
    for (uint32_t i = 0; i < server->host.used; i++) {
        struct mp__managed *object = server->host.objects[i];
        if (object != NULL && object->type->lost != NULL)
            object->type->lost(object, holder);
    }
    for (struct mp__client *client = server->clients; client != NULL; client = client->next)
        if (client->holder == holder)
            client->holder = &server->anybody;
    held_release(holder);
    free(holder);
}

/* True: its process has ended, or never began. That it cannot be looked at says nothing. */
static bool has_ended(const struct mp__holder *holder)
{
    uint64_t start = 0;
    if (holder->pid == 0)
        return mp__moment_passed(holder->lent_until);
    enum mp__trace trace = mp__process_trace(holder->pid, &start);
    return trace == MP__TRACE_GONE || (trace == MP__TRACE_RUNS && start != holder->start);
}

void mp__holders_look(struct mp__server *server, bool all)
{
    struct mp__holder *next;
    for (struct mp__holder *holder = server->holders; holder != NULL; holder = next) {
        next = holder->next;
        if ((all || holder->is_suspect) && has_ended(holder))
            mp__holder_drop(server, holder);
        else if (all)
            holder->is_suspect = false;
    }
}

void mp__holders_end(struct mp__server *server)
{
    while (server->holders != NULL)
        mp__holder_drop(server, server->holders);
    held_release(&server->anybody);
}
