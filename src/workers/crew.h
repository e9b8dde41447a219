/* A pool as its owner has it, and what supervisor and workers take along from there in their own
 * copies of its memory; for the files of this folder. */
#ifndef MP__CREW_H
#define MP__CREW_H

#include "workers/board.h"
#include "workers/workers.h"

#include "process/process.h"

#include <pthread.h>
#include <signal.h>

/* Signals that a supervisor does not leave as they are. */
struct mp__signals {
    sigset_t mask;
    struct sigaction child, go_on;
};

/* Private to the owner. `lock` guards what is handed in and the lists; the fields after it that
   say nothing else. Supervisor and workers read the options and the object only. */
struct mp__crew {
    struct mp__crew_options options;
    struct mp__object *object;
    struct mp__board *board;
    struct mp__signals signals; /* the supervisor's: what its workers put back */
    mp__owner creator;
    mp_process *supervisor;
    struct mp__crew *next; /* of those of this process; under the registry's lock */

    pthread_mutex_t lock;
    unsigned references;    /* the handle, and each work */
    atomic_bool closed;     /* nothing more may be handed in */
    atomic_bool over;       /* nobody works any more, and all records are harvested */
    _Atomic int64_t looked; /* when handing in looked for the supervisor last */
    bool buried;            /* all workers were seen dead: their memory may be used again */
    int over_code;          /* of what was not begun */
    uint32_t tail;          /* the last queued task */
    uint32_t used, pages;   /* tasks ever used, pages there are */
    uint32_t free, limbo; /* tasks free; tasks done that the head has not passed, or perhaps not */
    uint64_t passed;      /* where the head stood when limbo was looked through last */
    struct mp__work *orphans, **orphans_end; /* nobody waits for them */
    size_t orphan_count;
    struct mp__input *inputs;
    void *buffer; /* for arrays, kept between calls; NULL: none, or in use */
    size_t buffer_size;

    /* waiting.c */
    pthread_mutex_t wait_lock;
    pthread_cond_t wait_cond;
    _Atomic uint64_t turns; /* grows when waiters should look again */
    bool leads;             /* one of them sleeps on the board's gate */

    /* helper.c, under wait_lock */
    bool has_helper, helper_ends;
    bool helper_done;       /* none will be started again */
    bool is_unordered;      /* work in the list was handed in before some that stands before it */
    uint64_t last_position; /* when the last of them was */
    bool joined;            /* one thread, or the helper itself, sees to its end */
    unsigned coming;        /* works on their way into the list */
    bool inherits;          /* the helper has to give the crew up */
    atomic_uint cancels;    /* how often something was cancelled */
    unsigned cancels_seen;  /* by the helper */
    pthread_t helper;
    struct mp__work *watched, **watched_end;
    unsigned progresses; /* how many of them want to be told in between */
};

/* One job as its owner has it. */
struct mp__work {
    struct mp__crew *crew;
    struct mp__job *job;
    uint32_t lead;
    _Atomic uint32_t low; /* the first task not known to be done; 0: all are */
    atomic_int references;
    atomic_bool held; /* it is not ready before its notice was given */
    struct mp__notice notice;
    struct mp__work *next; /* orphans, or watched */
};

int mp__supervisor_main(void *arg);    /* the crew */
int mp__worker_main(void *arg);        /* the number of its place */
extern struct mp__crew *mp__crew_here; /* in a supervisor and in workers: whose they are */

/* Without a look for a death; an open input may still feed a crew that was closed. */
int mp__crew_check_feed(struct mp__crew *crew, bool is_input);

/* hand_in.c, under the crew's lock */
void mp__orphans_reap(struct mp__crew *crew, size_t most);

/* The owner has found that nobody works any more (settle.c). */
void mp__crew_settle(struct mp__crew *crew);
void mp__crew_await_end(struct mp__crew *crew); /* of one that is ending, or dead */
/* Of a crew that is over: reports the code of what was not begun. */
int mp__crew_report_over(struct mp__crew *crew);
void mp__crew_drop(struct mp__crew *crew); /* a reference; under the lock */
void mp__crew_free(struct mp__crew *crew); /* none is left */

bool mp__crew_is_dead(struct mp__crew *crew); /* nobody works there any more */
void mp__waiters_wake(struct mp__crew *crew);
/* mp__crew_await on whatever thread. */
int mp__crew_await_anyhow(struct mp__crew *crew, bool (*ready)(void *arg), void *arg,
                          mp__moment until);

/* results.c. Makes (code, text) of each item that failed; none of the others is touched. */
int mp__work_errors(struct mp__work *work, mp_obj *errors);
/* The pair for a failure that was reported last. */
int mp__error_make(int code, mp_obj *out);
mp_obj *mp__objects_make(size_t n); /* n times None */
void mp__objects_free(mp_obj *objects, size_t n);
int mp__objects_list(const mp_obj *objects, size_t n, mp_obj *out); /* an owned copy */

/* helper.c: a thread, for work with a notice. */
/* -EAGAIN, -ENOMEM; MP_ESTATE: too late. Else a watch has to follow, or a forgo. */
int mp__helper_ensure(struct mp__crew *crew);
void mp__helper_forgo(struct mp__crew *crew);
void mp__helper_watch(struct mp__crew *crew, struct mp__work *work); /* takes a reference over */
void mp__helper_inherit(struct mp__crew *crew); /* on the helper: it gives the crew up at its end */
void mp__crew_give_up_inherited(struct mp__crew *crew);
void mp__helper_end(struct mp__crew *crew);

#endif
