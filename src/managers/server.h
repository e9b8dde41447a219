/* The server of a manager: its objects, its connections, and who holds what; for the files of this
 * folder.
 *
 * How it works
 *   One thread owns everything here and sleeps in a watch over the door and all connections. A
 *   connection authenticates (5 s for all of it; of strangers there are at most 32, the one that
 *   has been at it longest makes room for the next), gives one command, and if that was
 *   accept_connection goes on with calls, one at a time. A call answers at once, or parks its
 *   connection in the queue of what it waits for, until another call, the clock or the end of
 *   the connection takes it out. Calls of registered types run in a thread that the connection gets
 *   for them, and come back through a list and a pipe.
 *   An idle connection costs its struct: bytes are read into the server's buffer, and only what is
 *   left of a message that has not come whole is kept with the connection, which therefore grows
 *   with what was received, never with what was announced.
 *
 *   Threads instead, one per connection, as CPython has them, were the other way: each of them
 *   needs a stack and a wake-up for each call, locks around every object, and a second thread that
 *   notices when the client of a waiting one has gone. Here a client's end is an event like others.
 *
 *   A death of a client ends its connections: what each of them held or waited for is given up at
 *   once, and with the last sign of the process its references. A death of the server leaves its
 *   socket's file to the tracker; every client meets the end of its connection.
 */
#ifndef MP__SERVER_H
#define MP__SERVER_H

#include "managers/managed.h"
#include "platform/platform.h"
#include "wire/wire.h"

#include <mp/managers.h>
#include <pthread.h>
#include <stdatomic.h>

/* ---- the objects (host.c) ----------------------------------------------------------------- */

struct mp__host {
    struct mp__managed **objects; /* by place; NULL: free */
    uint32_t room, used, free_first, count;
    uint32_t *next_free;
    uint32_t serial; /* of the object made last */
    struct mp__address address;
    mp_obj address_pair[2], address_obj; /* as Python has it */
    struct mp__managed *doomed;          /* without a reference, still to be ended */
    struct mp__server *server;
};

enum { MP__ID_ROOM = 20 };

struct mp__managed *mp__managed_make(struct mp__host *host, const struct mp__type *type);
/* Without running its destroy: for what could not be created. */
void mp__managed_discard(struct mp__managed *object);
void mp__managed_id(const struct mp__managed *object, char id[MP__ID_ROOM]);
/* NULL: there is no such object. */
struct mp__managed *mp__managed_find(const struct mp__host *host, const mp_obj *id);
const struct mp__method *mp__method_find(const struct mp__type *type, const mp_obj *name);
/* The objects of this server that proxies in a value stand for, the first `most` of them. */
size_t mp__proxies_in(struct mp__host *host, const mp_obj *o, struct mp__managed **found,
                      size_t most);
/* What a call left to be given back. */
void mp__call_free(struct mp__host *host, struct mp__call *call);
void mp__host_reap(struct mp__host *host); /* ends the doomed; never inside a call */
void mp__host_end(struct mp__host *host);

/* ---- who holds references (holders.c) ----------------------------------------------------- */

/* A process that has references: one of libmp's, known by the number it drew; another of this
   machine, by its pid; or any other. They go when the session's connection ends, when there is no
   such process any more, or never but by its own word. */
struct mp__holder {
    struct mp__holder *next;
    uint64_t token;
    pid_t pid;
    uint64_t start;
    bool in_session;
    bool is_suspect;       /* a connection of its has ended: the process may have */
    mp__moment lent_until; /* a session must have begun by then */
    const struct mp__holder *lender;
    struct mp__held *held; /* open addressing, by object */
    size_t room, used;
};

struct mp__holder *mp__holder_find(struct mp__server *server, uint64_t token); /* NULL: none */
struct mp__holder *mp__holder_of_token(struct mp__server *server, uint64_t token);
struct mp__holder *mp__holder_of_pid(struct mp__server *server, pid_t pid);
int mp__holder_take(struct mp__holder *holder, struct mp__managed *object); /* -ENOMEM */
/* False: it has none. */
bool mp__holder_give(struct mp__server *server, struct mp__holder *holder,
                     struct mp__managed *object);
/* A new holder that has what another has, for a process that is to begin its session soon. */
int mp__holder_lend(struct mp__server *server, const struct mp__holder *from, uint64_t token);
void mp__holder_drop(struct mp__server *server, struct mp__holder *holder);
void mp__holders_look(struct mp__server *server, bool all); /* for processes that have ended */
void mp__holders_end(struct mp__server *server);

/* ---- connections -------------------------------------------------------------------------- */

enum mp__phase {
    MP__PHASE_SHAKING, /* it is a stranger */
    MP__PHASE_COMMAND, /* its first request */
    MP__PHASE_CALLS,
    MP__PHASE_LAST, /* one answer is still to be sent */
};

struct mp__waiters {
    struct mp__client *first, *last;
};

/* What was called, where the same code is different exceptions. */
enum mp__called { MP__CALLED_OWN, MP__CALLED_NEXT, MP__CALLED_QUEUE, MP__CALLED_REGISTERED };

/* A call that waits. */
struct mp__wait {
    struct mp__managed *object; /* NULL: none waits */
    struct mp__waiters *queue;  /* NULL: none */
    struct mp__client *before, *after;
    mp__moment until;
    /* Time is up, or the client has gone (then it must not answer): the wait is out of its
       queue. */
    void (*ended)(struct mp__managed *self, struct mp__client *client, bool gone);
    mp_obj value; /* the type's */
    int64_t number;
};

struct mp__client {
    struct mp__client *next; /* all of the server's, the youngest first */
    struct mp__server *server;
    int fd;
    enum mp__phase phase;
    unsigned watched;
    bool is_libmp, is_session, is_gone;
    pid_t pid; /* 0: not known */
    struct mp__holder *holder;
    mp__moment deadline; /* of a stranger */
    struct mp__handshake *handshake;
    unsigned char *in, *out; /* what is left of a message; what could not be sent yet */
    size_t in_have, in_room, out_from, out_size;
    struct mp__wait wait;
    mp_obj moved[2];             /* whose proxies it is making its own */
    struct mp__carrier *carrier; /* its thread; NULL: none yet */
    uint32_t mutexes;            /* recursive ones that it holds */
    bool is_carried;             /* a call of it is in that thread */
    enum mp__called called;      /* last */
};

struct mp__server {
    struct mp__server *next; /* of this process */
    struct mp__host host;
    struct mp__door door;
    struct mp__watch watch;
    struct mp__client *clients;
    bool has_gone; /* one of them has: it is freed at the end of the round */
    uint32_t strangers;
    struct mp__holder *holders, anybody;
    unsigned char *key;
    size_t key_size;
    mp__moment next_deadline; /* no wait ends before */
    mp__moment next_look;
    int64_t look_pause; /* until the one after */
    mp__moment next_look_at_all;
    mp__moment door_again; /* it is not watched until then; 0: it is */
    atomic_bool stopping,
        has_news; /* these two by signal handlers too: the parent may have ended */
    bool goes_on; /* a call was answered whose connection had sent more already */
    pid_t parent; /* 0: the program itself serves */
    int wake[2];
    unsigned char *buffer, *reply; /* of one read; of one answer */
    size_t reply_room;
    pthread_mutex_t carried_lock;
    struct mp__carrier *carried; /* calls that came back */
    uint32_t jobs;               /* in threads, or come back */
    uint32_t endings;            /* objects being destroyed in threads; under the lock */
    pthread_cond_t ended;        /* one of those has */
};

enum { MP__REQUEST_MOST = 64 << 20 };

/* server.c */
int mp__server_prepare(struct mp__server *server); /* all but the key and the door */
int mp__server_open(struct mp__server *server, const mp_manager_options *options); /* bare code */
int mp__server_run(struct mp__server *server);
void mp__server_close(struct mp__server *server);
void mp__server_wake(const struct mp__server *server); /* any thread, signal handlers */
struct mp__client *mp__client_new(struct mp__server *server, int fd); /* a stranger; NULL */
void mp__client_end(struct mp__client *client);   /* it is freed later in this round */
void mp__client_watch(struct mp__client *client); /* for what it now needs */

/* serve.c: requests and answers */
void mp__client_shake(struct mp__client *client, bool has_ended);
/* `has_ended`: the other side sends no more. */
void mp__client_read(struct mp__client *client, bool has_ended);
void mp__client_flush(struct mp__client *client);
/* Takes n bytes as if they had been read. */
void mp__client_feed(struct mp__client *client, const unsigned char *bytes, size_t n);
/* False: the client has gone. */
bool mp__client_reply(struct mp__client *client, const char *kind, mp_obj value);
/* What was stored, and is no more, is in `of` objects, one or two. */
bool mp__client_reply_moved(struct mp__client *client, mp_obj value, const mp_obj *taken,
                            size_t of);
void mp__moved_drop(struct mp__client *client);
/* What the library's thread knows of the failure is its text. */
void mp__client_fail(struct mp__client *client, int code, const mp_obj *key);
void mp__client_traceback(struct mp__client *client, const char *format, ...) MP_PRINTF(2, 3);
/* After the answer to a command: the connection ends, unless it has become one of calls. */
void mp__command_answered(struct mp__client *client);
/* The end of a call that was not parked. */
void mp__call_end(struct mp__client *client, const char *result_type, struct mp__call *call,
                  int rc);

enum { MP__READ_SIZE = 1 << 16 };
/* The names of a type's methods, in the memory given. */
enum { MP__METHODS_MOST = 64 };
mp_obj mp__methods_tuple(const struct mp__type *type, mp_obj names[MP__METHODS_MOST]);

/* command.c. True: the request stays with a thread. */
bool mp__command_run(struct mp__client *client, mp_obj *request);
void mp__created(struct mp__client *client, struct mp__managed *object);
void mp__not_created(struct mp__client *client, int code);

/* parking.c */
void mp__park(struct mp__call *call, struct mp__managed *self, struct mp__waiters *queue,
              mp__moment until,
              void (*ended)(struct mp__managed *self, struct mp__client *client, bool gone));
/* Takes a parked call out of its queue, to be answered. */
void mp__unpark(struct mp__client *client);
bool mp__answer(struct mp__client *client, mp_obj value); /* false: the client has gone */
/* With what was stored and is no more: see serve.c. It is to be dropped after that. */
bool mp__answer_moved(struct mp__client *client, const mp_obj *taken);
bool mp__answer_recovered(struct mp__client *client, mp_obj value);
void mp__answer_fail(struct mp__client *client, int code, const char *text);
void mp__waits_expire(struct mp__server *server);
void mp__wait_abandon(struct mp__client *client); /* it has gone */
/* A timeout as threading and queue have it: None is for ever. MP_EINVAL for a negative one unless
   that means at once; reported. */
int mp__timeout_of(const mp_obj *timeout, bool negative_is_now, mp__moment *until);

/* registry.c */
const struct mp__type *mp__type_find(const mp_obj *name);
mp_task *mp__task_find(const mp_obj *function);

/* carrier.c: types whose calls run in threads. The request is the thread's after success. */
int mp__carry_create(struct mp__client *client, const struct mp__type *type, mp_obj *request);
int mp__carry_call(struct mp__client *client, struct mp__managed *self,
                   const struct mp__method *method, mp_obj *request);
/* Such a type has a text of its own, and this is how it is asked for. */
bool mp__carried_prints(const struct mp__type *type, const mp_obj *method);
void mp__carried_take(struct mp__server *server);
void mp__carrier_end(struct mp__client *client);   /* it has no job */
void mp__carried_await(struct mp__server *server); /* the ends of objects */

/* exceptions.c */
struct mp__exception {
    mp_obj items[4], args[2];
};
/* The exception of a code, as a literal in the memory given, with this text or key. */
mp_obj mp__exception_of(struct mp__exception *exception, int code, const mp_obj *value,
                        enum mp__called called);
/* The code of an exception; -errno, MP_EREMOTE for those unknown. */
int mp__exception_code(const mp_obj *exception);

#endif
