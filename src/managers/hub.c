/* Hubs: finding and making them, their sessions, commands and calls, and what a fork does to them.
 *
 * Globals: the list of hubs with its lock.
 */
#include "managers/hub.h"

#include "managers/server.h"
#include "memory/memory.h"
#include "process/process.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ADOPT_TIME MP__SECOND
enum { HUBS_MOST = 64 };

static struct mp__hub *hubs;
static void hubs_inherit(void);
static struct mp__fork_lock hubs_lock = MP__FORK_LOCK(hubs_inherit);

void mp__hubs_lock(void)
{
    mp__fork_lock_take(&hubs_lock);
}

void mp__hubs_unlock(void)
{
    mp__fork_lock_give(&hubs_lock);
}

/* ---- forks ---------------------------------------------------------------------------------- */

/* This thread is about to fork the child that is lent to. */
static _Thread_local bool is_lending;

static void hub_inherit(struct mp__hub *hub)
{
    atomic_store(&hub->is_inherited, true);
    hub->token = is_lending ? hub->lent_token : 0; /* another thread's loan is for its child */
    hub->lent_token = 0;
    mp__references_inherit(hub, is_lending);
    pthread_mutex_init(&hub->session_lock, NULL);
    mp__links_inherit(hub);
}

static void hubs_inherit(void)
{
    for (struct mp__hub *hub = hubs; hub != NULL; hub = hub->next)
        hub_inherit(hub);
}

/* A child of mp_process has its references before its target runs. */
static void children_adopt(void)
{
    for (struct mp__hub *hub = hubs; hub != NULL; hub = hub->next)
        if (hub->proxies != NULL)
            (void)mp__hub_ensure(hub, mp__moment_in(ADOPT_TIME));
}

/* The hubs that have proxies, each with one user more. */
static size_t hubs_hold(struct mp__hub *held[HUBS_MOST])
{
    size_t n = 0;
    mp__hubs_lock();
    for (struct mp__hub *hub = hubs; hub != NULL && n < HUBS_MOST; hub = hub->next)
        if (hub->proxies != NULL && atomic_load(&hub->is_libmp)) {
            hub->users++;
            held[n++] = hub;
        }
    mp__hubs_unlock();
    return n;
}

static void proxies_lend(void)
{
    is_lending = true;
    struct mp__hub *held[HUBS_MOST];
    size_t n = hubs_hold(held);
    for (size_t i = 0; i < n; i++) {
        mp__proxies_lend(held[i]);
        mp__hub_leave(held[i]);
    }
}

/* The fork is over, or there was none. */
static void lent_forget(void)
{
    is_lending = false;
    mp__hubs_lock();
    for (struct mp__hub *hub = hubs; hub != NULL; hub = hub->next) {
        hub->lent_token = 0;
        for (mp_proxy *proxy = hub->proxies; proxy != NULL; proxy = proxy->next)
            proxy->is_lent = false;
    }
    mp__hubs_unlock();
}

static const struct mp__fork_hooks hooks = {proxies_lend, lent_forget, children_adopt};

static pthread_once_t hooks_once = PTHREAD_ONCE_INIT;

static void hooks_set(void)
{
    mp__fork_hooks = &hooks;
}

/* ---- hubs ----------------------------------------------------------------------------------- */

static void hub_free(struct mp__hub *hub)
{
    mp__references_free(hub);
    mp__link_close(&hub->session);
    free(hub->session.buffer);
    pthread_mutex_destroy(&hub->session_lock);
    free(hub->key);
    free(hub);
}

static struct mp__hub *hub_new(const struct mp__address *address, const void *key, size_t n)
{
    struct mp__hub *hub = calloc(1, sizeof *hub);
    if (hub == NULL)
        return NULL;
    hub->address = *address;
    hub->address_obj = mp__address_to_obj(&hub->address, hub->address_pair);
    hub->users = 1;
    hub->session.hub = hub;
    hub->session.fd = -1;
    hub->key = malloc(n > 0 ? n : 1);
    hub->key_size = n;
    pthread_mutex_init(&hub->session_lock, NULL);
    if (hub->key == NULL) {
        hub_free(hub);
        return NULL;
    }
    if (n > 0)
        memcpy(hub->key, key, n);
    return hub;
}

/* Under the lock. */
static struct mp__hub *hub_find(const char *address, const void *key, size_t n)
{
    struct mp__hub *hub = hubs;
    for (; hub != NULL; hub = hub->next) {
        bool same_key =
            key == NULL || (hub->key_size == n && (n == 0 || memcmp(hub->key, key, n) == 0));
        if (strcmp(hub->address.text, address) == 0 && same_key && !hub->is_stale &&
            !atomic_load(&hub->is_closed))
            break;
    }
    return hub;
}

static int hub_make(struct mp__hub **out, const char *text, const void *key, size_t n)
{
    struct mp__address address;
    int rc = mp__address_parse(&address, text);
    if (rc != 0)
        return rc;
    pthread_once(&hooks_once, hooks_set);
    if (key == NULL)
        key = mp_process_authkey(mp_current_process(), &n);
    struct mp__hub *hub = key != NULL ? hub_new(&address, key, n) : NULL;
    if (hub == NULL)
        return mp__fail(-ENOMEM);
    mp__hubs_lock();
    hub->next = hubs;
    hubs = hub;
    mp__hubs_unlock();
    *out = hub;
    return 0;
}

/* What was there is there no more: this process has not noticed yet. */
static bool has_ended(struct mp__hub *hub)
{
    bool ended = false;
    if (pthread_mutex_trylock(&hub->session_lock) == 0) { /* else somebody is using it */
        ended = mp__link_has_ended(&hub->session);
        pthread_mutex_unlock(&hub->session_lock);
    }
    return ended || mp__link_mine_has_ended(hub);
}

void mp__hubs_expire(const char *address)
{
    mp__hubs_lock();
    for (struct mp__hub *hub = hubs; hub != NULL; hub = hub->next)
        hub->is_stale |= strcmp(hub->address.text, address) == 0;
    mp__hubs_unlock();
}

int mp__hub_of(struct mp__hub **out, const char *address, const void *key, size_t n)
{
    mp__hubs_lock();
    struct mp__hub *hub = hub_find(address, key, n);
    if (hub != NULL)
        hub->users++;
    mp__hubs_unlock();
    if (hub != NULL && has_ended(hub)) {
        mp__hubs_expire(address);
        mp__hub_leave(hub);
        hub = NULL;
    }
    *out = hub;
    return hub != NULL ? 0 : hub_make(out, address, key, n);
}

void mp__hub_leave(struct mp__hub *hub)
{
    struct mp__hub **at = &hubs;
    mp__hubs_lock();
    if (--hub->users > 0) {
        mp__hubs_unlock();
        return;
    }
    while (*at != hub)
        at = &(*at)->next;
    *at = hub->next;
    mp__links_free(hub);
    mp__hubs_unlock();
    hub_free(hub);
}

/* ---- sessions ------------------------------------------------------------------------------- */

int mp__hub_unreachable(const struct mp__hub *hub, int code)
{
    if (atomic_load(&hub->is_closed))
        return mp__failf(MP_ECLOSED, "the manager was shut down");
    if (!atomic_load(&hub->is_known))
        return mp__failf(code, "the server at %s: %s", hub->address.text, mp_strerror(code));
    if (code == -ENOMEM || code == -EMFILE || code == -ENFILE || code == MP_ETIMEOUT)
        return mp__fail(code);
    return mp__failf(MP_EDIED, "the server at %s is not there any more: %s", hub->address.text,
                     mp_strerror(code));
}

/* CPython's server has no sessions: the connection becomes this thread's link. */
static void session_forgo(struct mp__hub *hub)
{
    struct mp__link *link = mp__link_add(hub);
    if (link != NULL) {
        link->fd = hub->session.fd;
        hub->session.fd = -1;
    }
    mp__link_close(&hub->session);
}

static int session_begin(struct mp__hub *hub, mp__moment until)
{
    struct mp__greeting greeting;
    if (hub->token == 0 && mp__entropy(&hub->token, sizeof hub->token) != 0)
        return mp__fail(-EIO);
    hub->token |= 1;
    int rc = mp__link_open(&hub->session, until);
    if (rc != 0)
        return mp__hub_unreachable(hub, rc);
    rc = mp__link_greet(&hub->session, 's', &greeting, until);
    if (rc != 0)
        return rc;
    atomic_store(&hub->is_libmp, greeting.is_libmp);
    atomic_store(&hub->is_known, true);
    if (!greeting.is_lent)
        mp__references_forget(hub);
    if (!greeting.is_libmp)
        session_forgo(hub);
    return 0;
}

static bool has_session(const struct mp__hub *hub)
{
    return hub->session.fd >= 0 || (atomic_load(&hub->is_known) && !atomic_load(&hub->is_libmp));
}

/* Under the session's lock. */
static int session_ensure(struct mp__hub *hub, mp__moment until)
{
    if (atomic_load(&hub->is_closed))
        return mp__failf(MP_ECLOSED, "the manager was shut down");
    bool inherited = atomic_load(&hub->is_inherited);
    if (has_session(hub) && !inherited && !mp__link_has_ended(&hub->session))
        return 0;
    if (mp__link_has_ended(&hub->session)) {
        mp__link_close(&hub->session);
        inherited = true; /* what it held is gone */
    }
    int rc = has_session(hub) ? 0 : session_begin(hub, until);
    if (rc == 0 && inherited)
        rc = mp__proxies_adopt(hub, until);
    if (rc == 0)
        atomic_store(&hub->is_inherited, false);
    return rc;
}

/* Somebody may be waiting for a server that does not answer. */
static int session_lock(struct mp__hub *hub, mp__moment until)
{
    struct timespec end;
    if (until == MP__NEVER)
        return pthread_mutex_lock(&hub->session_lock);
    int64_t left = until - mp__now();
    if (left < 0)
        left = 0;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += (time_t)(left / MP__SECOND);
    end.tv_nsec += (long)(left % MP__SECOND);
    if (end.tv_nsec >= MP__SECOND) {
        end.tv_sec++;
        end.tv_nsec -= (long)MP__SECOND;
    }
    return pthread_mutex_timedlock(&hub->session_lock, &end) == 0 ? 0 : mp__fail(MP_ETIMEOUT);
}

int mp__hub_ensure(struct mp__hub *hub, mp__moment until)
{
    if (session_lock(hub, until) != 0)
        return MP_ETIMEOUT;
    int rc = session_ensure(hub, until);
    pthread_mutex_unlock(&hub->session_lock);
    return rc;
}

/* ---- commands and calls --------------------------------------------------------------------- */

static mp_obj dict_or_empty(mp_obj kwargs)
{
    return kwargs.type == MP_TYPE_NONE ? mp_obj_dict(NULL, 0) : kwargs;
}

int mp__hub_command_alone(struct mp__hub *hub, const char *name, mp_obj args, mp_obj kwargs,
                          mp_obj *out, mp__moment until)
{
    mp_obj answer;
    mp_obj request[4] = {mp_obj_none(), mp_obj_str(name), args, dict_or_empty(kwargs)};
    struct mp__link *link = mp__link_add_alone(hub);
    if (link == NULL)
        return mp__fail(-ENOMEM);
    int rc = mp__link_open(link, until);
    if (rc != 0)
        rc = mp__hub_unreachable(hub, rc);
    else
        rc = mp__link_ask(link, request, &answer, until);
    mp__link_remove(link);
    return rc == 0 ? mp__answer_take(hub, &answer, out) : rc;
}

int mp__hub_command(struct mp__hub *hub, const char *name, mp_obj args, mp_obj kwargs, mp_obj *out)
{
    mp_obj answer;
    mp_obj request[4] = {mp_obj_none(), mp_obj_str(name), args, dict_or_empty(kwargs)};
    pthread_mutex_lock(&hub->session_lock);
    int rc = session_ensure(hub, MP__NEVER);
    if (rc != 0 || !atomic_load(&hub->is_libmp)) {
        pthread_mutex_unlock(&hub->session_lock);
        return rc != 0 ? rc : mp__hub_command_alone(hub, name, args, kwargs, out, MP__NEVER);
    }
    mp__drops_send(hub, MP__NEVER);
    rc = mp__link_ask(&hub->session, request, &answer, MP__NEVER);
    mp__drops_send(hub, 0);
    pthread_mutex_unlock(&hub->session_lock);
    return rc == 0 ? mp__answer_take(hub, &answer, out) : rc;
}

/* On this thread's link: what is created may take its time. */
int mp__hub_create(struct mp__hub *hub, mp_obj args, mp_obj kwargs, mp_obj *out)
{
    mp_obj none = mp_obj_none();
    int rc = mp__hub_ensure(hub, MP__NEVER);
    if (rc == 0 && !atomic_load(&hub->is_libmp))
        return mp__hub_command_alone(hub, "create", args, kwargs, out, MP__NEVER);
    return rc == 0 ? mp__hub_call(hub, &none, "create", args, kwargs, out) : rc;
}

int mp__hub_call(struct mp__hub *hub, const mp_obj *id, const char *method, mp_obj args,
                 mp_obj kwargs, mp_obj *out)
{
    struct mp__link *link;
    mp_obj answer;
    mp_obj request[4] = {*id, mp_obj_str(method), args, dict_or_empty(kwargs)};
    int rc = 0;
    if (atomic_load(&hub->is_closed))
        return mp__failf(MP_ECLOSED, "the manager was shut down");
    if (atomic_load(&hub->is_inherited) || !atomic_load(&hub->is_known))
        rc = mp__hub_ensure(hub, MP__NEVER);
    if (rc == 0)
        rc = mp__link_mine(hub, &link);
    if (rc == 0)
        rc = mp__link_ask(link, request, &answer, MP__NEVER);
    return rc == 0 ? mp__answer_take(hub, &answer, out) : rc;
}
