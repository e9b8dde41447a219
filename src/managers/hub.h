/* A server as a client sees it: the way there, the connections, and the proxies of its objects.
 *
 * How it works
 *   A hub is one address with one key. Each thread that calls has a link of its own to it, a
 *   connection that serves calls; that is what owns managed locks. A server of libmp has besides
 *   one session with each process, by which objects are made and references counted, so that the
 *   server knows whose they are and sees the process's end; CPython's takes such commands on
 *   connections made for one each.
 *   One lock guards the lists of hubs, links and proxies, none of which is held while a server is
 *   waited for; the session has a lock of its own, which is.
 *
 *   A fork copies descriptors, and as long as any process has one the server does not see the end
 *   of the other: so a forked child, however it was forked, first closes those of all links, and
 *   has no session and no references until it makes its own: at the start of an mp_process, else
 *   with the first call. A server of libmp lends what the parent has to an mp_process that is about
 *   to be forked, so that it is there whatever the parent does meanwhile. A socket is listed under
 *   the lock that forks take too, before it is connected.
 */
#ifndef MP__HUB_H
#define MP__HUB_H

#include "wire/wire.h"

#include <mp/managers.h>
#include <pthread.h>
#include <stdatomic.h>

/* A connection that carries requests and their answers, one at a time. */
struct mp__link {
    struct mp__hub *hub;
    struct mp__link *next; /* of the hub */
    struct mp__links *of;  /* whose it is; NULL: the session */
    struct mp__link *of_next;
    bool is_orphan; /* of a thread that a fork did not copy */
    int fd;         /* -1: none, or closed by a fork */
    struct mp__hope hope;
    unsigned char *buffer;
    size_t room;
};

struct mp__hub {
    struct mp__hub *next;
    uint32_t users; /* manager objects and proxies */
    struct mp__address address;
    mp_obj address_pair[2], address_obj;
    unsigned char *key;
    size_t key_size;
    atomic_bool is_known, is_libmp; /* what answers there */
    atomic_bool is_closed;          /* this process has shut it down */
    atomic_bool is_inherited;       /* from the parent: there is no session, nothing is held */
    uint64_t token;                 /* of this process, for the session */
    uint64_t lent_token;            /* of the child that is about to be forked; 0: none */
    pthread_mutex_t session_lock;
    struct mp__link session;
    struct mp__link *links;
    struct mp_proxy *proxies;
    bool is_stale;            /* another server is there now; under the lock */
    struct mp__claim *claims; /* references that came with answers and no proxy has yet */
    char (*drops)[20];        /* ids of references to be given back */
    size_t drops_used, drops_room;
    bool drops_are_late; /* the server did not take them in the time it was given */
};

/* The hub of an address that this process uses with this key, or with any if it is NULL; made when
   there is none, then with the key or the process's own. The caller is a user. Reported. */
int mp__hub_of(struct mp__hub **out, const char *address, const void *key, size_t n);
void mp__hub_leave(struct mp__hub *hub);
/* The server at this address is another one from now on. */
void mp__hubs_expire(const char *address);
/* There is a session, or it is known that there is none; references are this process's. */
int mp__hub_ensure(struct mp__hub *hub, mp__moment until);

/* A command to the server. `args` is a tuple, `kwargs` a dict or None. */
int mp__hub_command(struct mp__hub *hub, const char *name, mp_obj args, mp_obj kwargs, mp_obj *out);
/* The same on a connection made for it, which has a deadline. */
int mp__hub_command_alone(struct mp__hub *hub, const char *name, mp_obj args, mp_obj kwargs,
                          mp_obj *out, mp__moment until);
int mp__hub_create(struct mp__hub *hub, mp_obj args, mp_obj kwargs, mp_obj *out);
/* Gives back one reference, without waiting where that can be. */
void mp__hub_drop(struct mp__hub *hub, const mp_obj *id);
/* A call of a method, on this thread's link: 0, MP_RECOVERED, or a code. */
int mp__hub_call(struct mp__hub *hub, const mp_obj *id, const char *method, mp_obj args,
                 mp_obj kwargs, mp_obj *out);

/* references.c. The last two under the session's lock. */
void mp__references_free(struct mp__hub *hub);
/* Nothing is held but what was lent, if that was to this process. */
void mp__references_inherit(struct mp__hub *hub, bool was_lent);
void mp__references_forget(struct mp__hub *hub); /* nothing is held */
void mp__proxies_lend(struct mp__hub *hub);      /* to the child that is forked next */
int mp__proxies_adopt(struct mp__hub *hub, mp__moment until);
void mp__drops_send(struct mp__hub *hub, mp__moment until);

/* A reference came with an answer, or is taken over by a proxy: false: it did not. */
void mp__claim_add(struct mp__hub *hub, const mp_obj *id);
bool mp__claim_take(struct mp__hub *hub, const mp_obj *id);

/* What a server that cannot be reached means to a call: a code, reported. */
int mp__hub_unreachable(const struct mp__hub *hub, int code);

/* The lock of the lists. */
void mp__hubs_lock(void);
void mp__hubs_unlock(void);

/* link.c. Opens a connection and authenticates; listed as the hub's before that. */
int mp__link_open(struct mp__link *link, mp__moment until);
void mp__link_close(struct mp__link *link);
/* Sends a request and receives the answer, a pair, which the caller owns.
   After a failure that leaves the two out of step the link is closed. */
int mp__link_ask(struct mp__link *link, const mp_obj request[4], mp_obj *answer, mp__moment until);
int mp__link_tell(struct mp__link *link, const mp_obj request[4]); /* no answer, no waiting */
/* accept_connection: says who this is, `what` s or c; whether libmp answered, and that there are
   the references that were lent. */
struct mp__greeting {
    bool is_libmp, is_lent;
};
int mp__link_greet(struct mp__link *link, char what, struct mp__greeting *greeting,
                   mp__moment until);
/* This thread's link to the hub, open; a new one of it, still closed. */
int mp__link_mine(struct mp__hub *hub, struct mp__link **out);
struct mp__link *mp__link_add(struct mp__hub *hub); /* NULL: no memory */
/* One that is nobody's, to be removed. */
struct mp__link *mp__link_add_alone(struct mp__hub *hub);
void mp__link_remove(struct mp__link *link);
/* The other side has closed it; false if it never was open. */
bool mp__link_has_ended(const struct mp__link *link);
bool mp__link_mine_has_ended(const struct mp__hub *hub);
void mp__links_free(struct mp__hub *hub); /* under the lock */
/* In a forked child: all links are closed, and those of other threads nobody's. */
void mp__links_inherit(struct mp__hub *hub);

/* What an answer says: 0, MP_RECOVERED or the code of the failure, reported; *out (may be NULL) is
   the value, owned. The answer is used up. */
int mp__answer_take(struct mp__hub *hub, mp_obj *answer, mp_obj *out);

/* ---- proxies (proxy.c) ---------------------------------------------------------------------- */

#define MP__PROXY_MAGIC UINT32_C(0x4d505058)

struct mp_proxy {
    uint32_t magic;
    struct mp__hub *hub;
    struct mp_proxy *next, *before; /* of the hub */
    bool is_held;                   /* it has a reference */
    bool is_lent;                   /* and the child that is about to be forked has another */
    mp_obj parts;                   /* an owned object of type proxy: see enum mp__proxy_item */
};

struct mp_dict {
    struct mp_proxy proxy;
};
struct mp_list {
    struct mp_proxy proxy;
};
struct mp_namespace {
    struct mp_proxy proxy;
};

/* The items of a proxy object, as literals. */
void mp__proxy_parts(mp_obj parts[MP__PROXY_ITEMS], const char *typeid, mp_obj address, mp_obj id,
                     mp_obj exposed);
/* Takes over a reference; the caller stays a user of the hub, the proxy becomes another. */
int mp__proxy_make(struct mp_proxy **out, struct mp__hub *hub, const char *typeid, mp_obj id,
                   mp_obj exposed);
/* Whether it is one of this typeid, NULL: of any; so too the next four. Reported. */
int mp__proxy_check(const struct mp_proxy *proxy, const char *typeid);
/* A call with arguments by position. */
int mp__proxy_ask(struct mp_proxy *proxy, const char *typeid, const char *method,
                  const mp_obj *args, size_t n, mp_obj *out);
/* The same for a number or a truth value: the number, INT_MAX at most. */
int mp__proxy_ask_number(struct mp_proxy *proxy, const char *typeid, const char *method,
                         const mp_obj *args, size_t n);
int mp__proxy_print(struct mp_proxy *proxy, const char *typeid, bool with_newline, FILE *out);
int mp__proxy_repr(struct mp_proxy *proxy, const char *expected, char *buf, size_t n);
/* A tuple or None, which becomes one; a dict with str keys or None. MP_ETYPE, reported. */
int mp__arguments_check(mp_obj *args, const mp_obj *kwargs);
int mp__proxy_from_as(mp_obj object, struct mp_proxy **out, const char *typeid);

#endif
