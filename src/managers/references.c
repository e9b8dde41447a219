/* References: how the proxies of a process come to have theirs, and how they are given back.
 *
 * How it works
 *   A reference is made at the server for this process's session, or for its pid, when an object is
 *   created, by incref, or together with an answer: then it is a claim, until a proxy takes it
 *   over.
 *   A forked child has those that its parent lent it, if both sides are libmp's, and asks for the
 *   others when it begins its own session.
 *   Giving one back waits for no answer: a message is sent if the session is free and its socket
 *   takes it, else the id waits for the next one. Only with many waiting is the server given time,
 *   once.
 */
#include "managers/hub.h"

#include "managers/server.h"
#include "platform/platform.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

enum { DROPS_PATIENT = 64, DROPS_AT_ONCE = 256 };
#define DROP_TIME MP__SECOND

struct mp__claim {
    struct mp__claim *next;
    char id[];
};

void mp__references_free(struct mp__hub *hub)
{
    while (hub->claims != NULL) {
        struct mp__claim *claim = hub->claims;
        hub->claims = claim->next;
        free(claim);
    }
    free(hub->drops);
}

void mp__references_inherit(struct mp__hub *hub, bool was_lent)
{
    hub->claims = NULL;
    hub->drops_used = 0;
    for (mp_proxy *proxy = hub->proxies; proxy != NULL; proxy = proxy->next)
        proxy->is_held = was_lent && proxy->is_lent;
}

void mp__references_forget(struct mp__hub *hub)
{
    mp__hubs_lock();
    for (mp_proxy *proxy = hub->proxies; proxy != NULL; proxy = proxy->next)
        proxy->is_held = false;
    mp__hubs_unlock();
}

/* ---- a child's ------------------------------------------------------------------------------ */

void mp__proxies_lend(struct mp__hub *hub)
{
    uint64_t token = 0;
    mp_obj args[1];
    bool has_lock = pthread_mutex_trylock(&hub->session_lock) == 0; /* else it may take long */
    bool lends = has_lock && hub->session.fd >= 0 && !atomic_load(&hub->is_inherited) &&
                 mp__entropy(&token, sizeof token) == 0;
    token = (token | 1) & INT64_MAX;
    args[0] = mp_obj_int((int64_t)token);
    mp_obj request[4] = {mp_obj_none(), mp_obj_str("lend"), mp_obj_tuple(args, 1),
                         mp_obj_dict(NULL, 0)};
    /* the child's session begins with several messages, which the server reads after this one */
    lends = lends && mp__link_tell(&hub->session, request) == 0;
    if (has_lock)
        pthread_mutex_unlock(&hub->session_lock);
    mp__hubs_lock();
    hub->lent_token = lends ? token : 0;
    for (mp_proxy *proxy = hub->proxies; proxy != NULL; proxy = proxy->next)
        proxy->is_lent = lends && proxy->is_held;
    mp__hubs_unlock();
}

/* The ids of proxies that hold nothing, as a tuple; the caller's. */
static int proxy_ids(struct mp__hub *hub, mp_obj *ids)
{
    size_t n = 0, most = 1;
    mp__hubs_lock();
    for (const mp_proxy *proxy = hub->proxies; proxy != NULL; proxy = proxy->next)
        most++;
    mp_obj *items = malloc(most * sizeof *items);
    for (const mp_proxy *proxy = hub->proxies; proxy != NULL && items != NULL; proxy = proxy->next)
        if (!proxy->is_held)
            items[n++] = proxy->parts.items[MP__PROXY_ID];
    int rc = items != NULL ? mp_obj_copy(mp_obj_tuple(items, n), ids) : mp__fail(-ENOMEM);
    mp__hubs_unlock();
    free(items);
    return rc;
}

/* One proxy with this id holds something now. */
static void proxy_holds(struct mp__hub *hub, const mp_obj *id)
{
    mp__hubs_lock();
    mp_proxy *proxy = hub->proxies;
    while (proxy != NULL &&
           (proxy->is_held || !mp_obj_equal(proxy->parts.items[MP__PROXY_ID], *id)))
        proxy = proxy->next;
    if (proxy != NULL)
        proxy->is_held = true;
    mp__hubs_unlock();
}

static int ids_adopt(struct mp__hub *hub, const mp_obj *ids, mp__moment until)
{
    mp_obj answer,
        request[4] = {mp_obj_none(), mp_obj_str("adopt"), mp_obj_view(*ids), mp_obj_dict(NULL, 0)};
    int rc = mp__link_ask(&hub->session, request, &answer, until);
    return rc == 0 ? mp__answer_take(hub, &answer, NULL) : rc;
}

int mp__proxies_adopt(struct mp__hub *hub, mp__moment until)
{
    mp_obj ids;
    bool is_libmp = atomic_load(&hub->is_libmp);
    int rc = proxy_ids(hub, &ids);
    if (rc != 0)
        return rc;
    if (ids.len > 0 && is_libmp)
        rc = ids_adopt(hub, &ids, until);
    for (size_t i = 0; i < ids.len && rc == 0; i++) /* that one has gone shows when it is used */
        if (is_libmp || mp__hub_command_alone(hub, "incref", mp_obj_tuple(&ids.items[i], 1),
                                              mp_obj_none(), NULL, until) == 0)
            proxy_holds(hub, &ids.items[i]);
    mp_obj_free(&ids);
    return rc;
}

/* ---- giving back ---------------------------------------------------------------------------- */

/* Under the lists' lock. */
static bool drop_add(struct mp__hub *hub, const char *id)
{
    if (hub->drops_used == hub->drops_room) {
        size_t room = hub->drops_room == 0 ? 64 : 2 * hub->drops_room;
        void *drops = realloc(hub->drops, room * sizeof *hub->drops);
        if (drops == NULL)
            return false;
        hub->drops = drops;
        hub->drops_room = room;
    }
    snprintf(hub->drops[hub->drops_used++], MP__ID_ROOM, "%s", id);
    return true;
}

/* Takes the newest ids off the list; how many. */
static size_t drops_take(struct mp__hub *hub, char (*taken)[MP__ID_ROOM], mp_obj *ids)
{
    mp__hubs_lock();
    size_t n = hub->drops_used < DROPS_AT_ONCE ? hub->drops_used : DROPS_AT_ONCE;
    hub->drops_used -= n;
    if (n > 0)
        memcpy(taken, hub->drops + hub->drops_used, n * sizeof *taken);
    mp__hubs_unlock();
    for (size_t i = 0; i < n; i++)
        ids[i] = mp_obj_str(taken[i]);
    return n;
}

static void drops_return(struct mp__hub *hub, char (*taken)[MP__ID_ROOM], size_t n)
{
    mp__hubs_lock();
    for (size_t i = 0; i < n; i++)
        (void)drop_add(hub, taken[i]); /* the room is there */
    mp__hubs_unlock();
}

void mp__drops_send(struct mp__hub *hub, mp__moment until)
{
    char taken[DROPS_AT_ONCE][MP__ID_ROOM];
    mp_obj ids[DROPS_AT_ONCE];
    size_t n;
    while (hub->session.fd >= 0 && (n = drops_take(hub, taken, ids)) > 0) {
        mp_obj request[4] = {mp_obj_none(), mp_obj_str("drop"), mp_obj_tuple(ids, n),
                             mp_obj_dict(NULL, 0)};
        int rc = mp__link_tell(&hub->session, request);
        if (rc != -EAGAIN)
            continue; /* sent, or there is nobody any more */
        drops_return(hub, taken, n);
        if (mp__stream_await(hub->session.fd, POLLOUT, until) <= 0)
            return;
    }
}

static size_t drops_waiting(const struct mp__hub *hub)
{
    mp__hubs_lock();
    size_t n = hub->drops_used;
    mp__hubs_unlock();
    return n;
}

static void drop_soon(struct mp__hub *hub, const mp_obj *id)
{
    mp__hubs_lock();
    (void)drop_add(hub, id->s);
    mp__hubs_unlock();
    if (pthread_mutex_trylock(&hub->session_lock) != 0)
        return; /* who has it sends them too */
    mp__drops_send(hub, 0);
    if (drops_waiting(hub) >= DROPS_PATIENT && !hub->drops_are_late) {
        mp__drops_send(hub, mp__moment_in(DROP_TIME));
        hub->drops_are_late = drops_waiting(hub) > 0;
    }
    hub->drops_are_late &= drops_waiting(hub) > 0;
    pthread_mutex_unlock(&hub->session_lock);
}

void mp__hub_drop(struct mp__hub *hub, const mp_obj *id)
{
    if (atomic_load(&hub->is_closed))
        return;
    if (atomic_load(&hub->is_libmp))
        drop_soon(hub, id);
    else
        (void)mp__hub_command_alone(hub, "decref", mp_obj_tuple(id, 1), mp_obj_none(), NULL,
                                    mp__moment_in(DROP_TIME));
}

/* ---- references that came with answers ------------------------------------------------------ */

void mp__claim_add(struct mp__hub *hub, const mp_obj *id)
{
    struct mp__claim *claim = malloc(sizeof *claim + id->len + 1);
    if (claim == NULL)
        return; /* it goes with the session */
    memcpy(claim->id, id->s, id->len);
    claim->id[id->len] = '\0';
    mp__hubs_lock();
    claim->next = hub->claims;
    hub->claims = claim;
    mp__hubs_unlock();
}

bool mp__claim_take(struct mp__hub *hub, const mp_obj *id)
{
    mp__hubs_lock();
    struct mp__claim **at = &hub->claims;
    while (*at != NULL && !mp__obj_is_str(id, (*at)->id))
        at = &(*at)->next;
    struct mp__claim *claim = *at;
    if (claim != NULL)
        *at = claim->next;
    mp__hubs_unlock();
    free(claim);
    return claim != NULL;
}
