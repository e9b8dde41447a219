/* What a type is to the server: how its objects are made, called, printed and ended.
 *
 * All of it runs in the one thread of the server that owns the objects, one call at a time; no
 * call may wait inside. A call gets its arguments decoded, and answers by a value that the server
 * encodes at once, before anything else runs: so it may be a view of what the object stores.
 */
#ifndef MP__MANAGED_H
#define MP__MANAGED_H

#include "wire/wire.h"

struct mp__host;
struct mp__client;
struct mp__holder;
struct mp__type;

/* The head of each managed object. */
struct mp__managed {
    const struct mp__type *type;
    struct mp__host *host;
    uint64_t references; /* of clients and of stored proxies; the server's */
    uint32_t place, serial;
    struct mp__managed *next_doomed;
};

/* A call under way. `args` is a tuple, `kwargs` a dict with str keys, both borrowed; they stay
   until the answer has been sent, and it may be a view of them. The rest is zero when the call
   begins.
   On success `value` is the answer: owned, or a view of what lives until the next call, in which
   case `scratch` is memory that goes with the answer. What a call took out of its object to answer
   with is in `kept`, and is dropped (mp__drop) with the answer too: a reference in it lasts as
   long. The server frees both after failures as well.
   On failure the method has reported (mp__fail, mp__failf), and gives the code; with MP_EKEY
   `value` is the key. */
struct mp__call {
    mp_obj args, kwargs;
    struct mp__client *client; /* NULL: none that could wait */
    mp_obj value;
    void *scratch;
    mp_obj kept[2];
};

/* Beside 0 and codes: MP_RECOVERED, and that the call was answered, or waits and will be; the last
   is for types of which calls wait. */
enum { MP__PARKED = 2 };

/* The server holds `self` while it is called: a call may drop the last proxy of it. */
typedef int mp__method_call(struct mp__managed *self, struct mp__call *call);

struct mp__method {
    const char *name;
    mp__method_call *call;
    const char *result_type; /* the answer is `value.i`, an mp__managed just made */
};

struct mp__type {
    const char *name; /* the typeid */
    size_t size;      /* of an object, which begins with mp__managed and is zeroed */
    /* Fills a zeroed object. NULL: no client creates it. After a failure it must be as if nothing
       had been done: `destroy` is not called. */
    int (*create)(struct mp__managed *self, struct mp__call *call);
    void (*destroy)(struct mp__managed *self); /* NULL: nothing to do; does not free self */
    mp__method_call *print;                    /* str(object) */
    mp__method_call *getvalue;                 /* a copy of it; NULL: it has none */
    bool is_carried;                           /* its calls run in threads, see carrier.c */
    void (*left)(struct mp__managed *self, struct mp__client *client); /* a connection has ended */
    void (*lost)(struct mp__managed *self, const struct mp__holder *holder); /* a process has */
    const struct mp__method *methods; /* ends with a name of NULL */
};

/* ---- for the types ------------------------------------------------------------------------- */

/* A copy of `from` to be stored, and its end: the proxies of this server's objects in it count as
   references to them. Code, reported. */
int mp__keep(struct mp__host *host, const mp_obj *from, mp_obj *kept);
void mp__drop(struct mp__host *host, mp_obj *kept);

/* A copy of what a proxy of one of this server's objects stands for, the caller's, for those who
   want its items. MP_ETYPE, reported: it has no value, or is no such proxy. */
int mp__peek(struct mp__host *host, const mp_obj *proxy, mp_obj *copy);

/* Makes an object of a type without arguments, zeroed, with one reference, for the client that
   the answer goes to; NULL: reported. */
struct mp__managed *mp__managed_new(struct mp__host *host, const struct mp__type *type);
/* A reference of one object to another. */
void mp__managed_hold(struct mp__managed *object);
void mp__managed_release(struct mp__managed *object);

/* How many arguments there must be, keywords not counted; MP_ETYPE, reported. */
int mp__call_expects(const struct mp__call *call, size_t least, size_t most);
/* The argument at a position or of a name; NULL: not given. */
const mp_obj *mp__call_argument(const struct mp__call *call, size_t position, const char *name);

extern const struct mp__type mp__type_dict, mp__type_list, mp__type_set, mp__type_namespace,
    mp__type_value, mp__type_array, mp__type_iterator;
extern const struct mp__type mp__type_lock, mp__type_rlock, mp__type_semaphore,
    mp__type_bounded_semaphore, mp__type_condition, mp__type_event, mp__type_barrier,
    mp__type_queue, mp__type_joinable_queue;

#endif
