/* The engine under pools and executors: a supervised crew of worker processes, and the work that is
 * handed to it.
 *
 * A crew belongs to the process that made it; its calls answer MP_ESTATE elsewhere. Calls return
 * codes with their details recorded (mp__fail), as the public calls they serve pass them on, unless
 * they say otherwise. */
#ifndef MP__WORKERS_H
#define MP__WORKERS_H

#include "base/base.h"
#include "platform/platform.h"

#include <mp/pool.h>
#include <pthread.h>

struct mp__crew;
struct mp__work;

enum { MP__WORKERS_MAX = 2000 };

struct mp__crew_options {
    uint32_t workers;
    bool daemonic;    /* the workers are; and at the process's exit the crew is ended */
    const char *name; /* of workers: "PoolWorker" */
    mp_initializer *initializer;
    void *initarg;
    uint32_t tasks_per_worker; /* 0: any number */
    uint32_t restart_limit;    /* 0: only births in vain are counted */
    int64_t restart_span;
};

int mp__crew_create(struct mp__crew **out, const struct mp__crew_options *options);
/* 0; MP_ESTATE in another process. */
int mp__crew_check(const struct mp__crew *crew);
/* 0; MP_ESTATE: it is closed, or this is not its process; MP_EBROKENPOOL. */
int mp__crew_check_open(struct mp__crew *crew);
/* The same for what an open input hands in: it may, after a close. */
int mp__crew_check_input(struct mp__crew *crew);
/* The same for a call that waits: MP_ESTATE on the helper thread too. */
int mp__crew_check_wait(struct mp__crew *crew);
/* The same; from now on the crew is not done when closed, and keeps its memory, until
   mp__crew_leave. */
int mp__crew_enter(struct mp__crew *crew);
void mp__crew_leave(struct mp__crew *crew);
void mp__crew_close(struct mp__crew *crew);
bool mp__crew_is_closed(struct mp__crew *crew);
uint32_t mp__crew_workers(const struct mp__crew *crew);
/* Ends the workers by a signal, those that go on by SIGKILL a second later. Does not wait. */
void mp__crew_end(struct mp__crew *crew, int signal_number);
/* Cancels all work that has not begun. */
void mp__crew_cancel(struct mp__crew *crew);
/* Waits until no worker is left, and ends the helper thread: 0, MP_ETIMEOUT; MP_EBROKENPOOL,
   recorded, if it did not end as it should. */
int mp__crew_join(struct mp__crew *crew, mp__moment until);
/* Gives the handle back; after a join, or on the helper thread, which then joins at its end. In
   another process it only forgets. */
void mp__crew_release(struct mp__crew *crew);
/* What outlives the handle keeps the crew's memory, as all work does. */
void mp__crew_keep(struct mp__crew *crew);
void mp__crew_let_go(struct mp__crew *crew);

/* ---- work --------------------------------------------------------------------------------- */

/* What to do when work is done, on the helper thread; each function may be NULL. */
struct mp__notice {
    /* The work is done, and not ready before this returns if `hold` is set. */
    void (*done)(struct mp__work *work, void *arg);
    /* The work is ready. */
    void (*after)(struct mp__work *work, void *arg);
    /* Now and then before that, and once before `done`. */
    void (*progress)(size_t done, size_t total, void *arg);
    void *progress_arg;
    void (*drop)(void *arg); /* the last that happens to arg */
    void *arg;
    bool hold;
};

/* What all works can be told; all zero: nothing special. */
struct mp__terms {
    int64_t limit; /* nanoseconds per item; 0: none */
    uint32_t retries;
    bool is_input;                   /* it comes from an open input */
    const struct mp__notice *notice; /* copied; NULL: none */
};
/* Checks and fills in the limit: MP_EINVAL for a negative or NaN number of seconds. */
int mp__terms_set(struct mp__terms *terms, double seconds, unsigned retries);

int mp__work_submit(struct mp__crew *crew, mp_task *task, mp_obj arg, const struct mp__terms *terms,
                    struct mp__work **out);
/* n > 0 items, handed out in runs of `chunk`. */
int mp__work_map(struct mp__crew *crew, mp_task *task, const mp_obj *items, size_t n, size_t chunk,
                 const struct mp__terms *terms, struct mp__work **out);
/* What was handed in is to be ready some day; without anybody waiting for it, if need be. */
void mp__work_release(struct mp__work *work);
void mp__work_keep(struct mp__work *work); /* one more release to come */

bool mp__work_is_done(struct mp__work *work);   /* nothing will happen to it any more */
bool mp__work_is_ready(struct mp__work *work);  /* and its notice was given */
bool mp__work_has_begun(struct mp__work *work); /* and is not done */
bool mp__work_cancel(struct mp__work *work);    /* of a single task: true if it had not begun */
size_t mp__work_count(struct mp__work *work, size_t *total); /* items done */
struct mp__crew *mp__work_crew(struct mp__work *work);

/* Of ready work, how item i ended: 0 and *out (may be NULL), or its code; records a failure with
   the detail. Nothing is recorded by _code. */
int mp__work_result(struct mp__work *work, size_t i, mp_obj *out);
int mp__work_code(struct mp__work *work, size_t i);
/* The codes of all items, of work that need not be ready (MP_ETIMEOUT: not done); reports and
   returns the first that is not 0. `status` may be NULL. */
int mp__work_survey(struct mp__work *work, int *status);
/* All items as a map gives them, the outputs NULL or not; *first: the first code that is not 0,
   which is reported then. -ENOMEM, MP_EPICKLE: no list was given. */
int mp__work_results(struct mp__work *work, mp_obj *results, int *status, mp_obj *errors,
                     int *first);

/* Gives work without a notice one, `hold` not set. It may be done already: the helper finds out.
   1: the crew is over, and the work done. -EAGAIN, -ENOMEM: no thread. Once per work. */
int mp__work_watch(struct mp__work *work, const struct mp__notice *notice);

#define MP__PROGRESS_SPAN (100 * MP__MS) /* between calls of a progress function */

/* ---- arrays ------------------------------------------------------------------------------- */

struct mp__array_call {
    mp_array_task *task;
    const void *items;
    size_t count, item_size;
    void *results;
    size_t result_size;
    const mp_map_options *options; /* checked; never NULL */
};
int mp__crew_map_array(struct mp__crew *crew, const struct mp__array_call *call);

/* ---- iterables ---------------------------------------------------------------------------- */

/* The items of an object, as Python iterates over it; views of it. */
struct mp__items {
    const mp_obj *items;
    size_t n;
    mp_obj *made; /* they had to be made */
};
int mp__items_of(mp_obj o, struct mp__items *out); /* MP_ETYPE: no iterable; -ENOMEM */
void mp__items_free(struct mp__items *items);

/* ---- what the faces share (map.c) --------------------------------------------------------- */

/* What the helper thread is to call when a work is done: one of the two, each may be NULL. */
struct mp__callbacks {
    void (*callback)(mp_obj result, void *arg);
    void (*error_callback)(int code, const char *detail, void *arg);
    void *arg;
    bool is_map;
};
void mp__callbacks_run(const struct mp__callbacks *calls, struct mp__work *work);

struct mp__map_call {
    mp_task *task;
    mp_obj iterable;
    mp_obj *results;
    const mp_map_options *options; /* never NULL */
    size_t chunks_per_worker;      /* if options do not tell their size; 0: chunks of one */
    mp__moment until;
};
/* Checks the call, waits, and gives the results: 0, the first code of an item, or why there are no
   results. */
int mp__crew_map(struct mp__crew *crew, const struct mp__map_call *call);
/* Checks what a map of objects may be told, and fills in the terms. */
int mp__map_terms(const mp_map_options *options, struct mp__terms *terms);
int mp__map_submit(struct mp__crew *crew, const struct mp__map_call *call,
                   const struct mp__items *items, const struct mp__terms *terms,
                   struct mp__work **out);
void mp__nothing_give(mp_obj *results, mp_obj *errors); /* of a map of nothing */

/* Records what a wait gave, and returns it. */
int mp__await_report(int rc);

/* ---- waiting ------------------------------------------------------------------------------ */

/* Waits until `ready(arg)`, which is asked in this thread again whenever something is done. Work
   that it waits for is to be watched for before (mp__work_expect). 0; MP_ETIMEOUT; MP_ESTATE on the
   crew's helper thread unless it is ready already. Records nothing. */
int mp__crew_await(struct mp__crew *crew, bool (*ready)(void *arg), void *arg, mp__moment until);
void mp__work_expect(struct mp__work *work);
int mp__work_await(struct mp__work *work, mp__moment until);
bool mp__crew_is_helper(struct mp__crew *crew); /* this thread is */

/* ---- lazy inputs -------------------------------------------------------------------------- */

/* While a crew has inputs it is not done when closed; join feeds them to their end. */
struct mp__input {
    void (*feed_all)(struct mp__input *input, mp__moment until);
    struct mp__input *next;
    pthread_cond_t idle;
    bool busy; /* a join feeds it */
};
int mp__input_open(struct mp__crew *crew, struct mp__input *input);   /* as mp__crew_check_open */
void mp__input_close(struct mp__crew *crew, struct mp__input *input); /* it has come to its end */
void mp__input_end(struct mp__crew *crew, struct mp__input *input);   /* nobody uses it any more */

#endif
