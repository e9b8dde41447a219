/* A future: one work, and the functions to be called when it is done.
 *
 * How it works
 *   What the work's state tells is the future's. Functions stand in a list until they are called:
 *   by the helper thread once the work is ready, or by who cancels it. Who empties the list marks
 *   it as called; functions added later are called at once. The helper holds a reference, so that a
 *   future may be destroyed before.
 */
#include "futures/futures.h"

#include "wire/wire.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct call {
    struct call *next;
    void (*fn)(mp_future *, void *);
    void *arg;
};

struct mp_future {
    uint32_t magic;
    struct mp__work *work;
    atomic_int references;
    struct mp__callbacks callbacks;
    pthread_mutex_t lock;
    struct call *calls, **calls_end;
    bool watched;        /* the helper will come */
    bool cancelled_here; /* who cancelled calls them, not the helper */
    bool called;         /* one of the two did */
};

/* ---- making and ending ----------------------------------------------------------------------- */

static void future_drop(void *arg)
{
    mp_future *future = arg;
    if (atomic_fetch_sub(&future->references, 1) != 1)
        return;
    while (future->calls != NULL) {
        struct call *call = future->calls;
        future->calls = call->next;
        free(call);
    }
    if (future->work != NULL)
        mp__work_release(future->work);
    pthread_mutex_destroy(&future->lock);
    future->magic = 0;
    free(future);
}

/* Calls them one after the other, those too that are added meanwhile. */
static void calls_run(mp_future *future)
{
    pthread_mutex_lock(&future->lock);
    while (future->calls != NULL) {
        struct call *call = future->calls;
        future->calls = call->next;
        if (future->calls == NULL)
            future->calls_end = &future->calls;
        pthread_mutex_unlock(&future->lock);
        call->fn(future, call->arg);
        free(call);
        pthread_mutex_lock(&future->lock);
    }
    future->called = true;
    pthread_mutex_unlock(&future->lock);
}

static void future_after(struct mp__work *work, void *arg)
{
    mp_future *future = arg;
    (void)work;
    pthread_mutex_lock(&future->lock);
    bool others_call = future->cancelled_here;
    pthread_mutex_unlock(&future->lock);
    if (!others_call)
        calls_run(future);
}

/* The options' callbacks, before the future is done for others. */
static void future_hold(struct mp__work *work, void *arg)
{
    const mp_future *future = arg;
    mp__callbacks_run(&future->callbacks, work);
}

static bool has_callbacks(const mp_future *future)
{
    return future->callbacks.callback != NULL || future->callbacks.error_callback != NULL;
}

int mp__future_make(const mp_task_options *options, mp_future **out, struct mp__terms *terms,
                    struct mp__notice *notice)
{
    int rc = mp__terms_set(terms, options->task_timeout, options->retries);
    if (rc != 0)
        return rc;
    mp_future *future = calloc(1, sizeof *future);
    if (future == NULL)
        return mp__fail(-ENOMEM);
    future->magic = MP__FUTURE_MAGIC;
    future->callbacks = (struct mp__callbacks){options->callback, options->error_callback,
                                               options->callback_arg, false};
    future->calls_end = &future->calls;
    atomic_store(&future->references, 1);
    pthread_mutex_init(&future->lock, NULL);
    if (has_callbacks(future)) {
        *notice = (struct mp__notice){.done = future_hold,
                                      .after = future_after,
                                      .drop = future_drop,
                                      .arg = future,
                                      .hold = true};
        terms->notice = notice;
        future->watched = true;
        atomic_store(&future->references, 2);
    }
    *out = future;
    return 0;
}

void mp__future_begin(mp_future *future, struct mp__work *work)
{
    future->work = work;
}

void mp__future_discard(mp_future *future)
{
    atomic_store(&future->references, 1);
    future_drop(future);
}

void mp_future_destroy(mp_future *future)
{
    if (future != NULL && future->magic == MP__FUTURE_MAGIC)
        future_drop(future);
}

/* ---- questions ------------------------------------------------------------------------------- */

int mp__future_check(const mp_future *future)
{
    if (future == NULL)
        return mp__fail(MP_EINVAL);
    if (future->magic != MP__FUTURE_MAGIC)
        return mp__fail(MP_ETYPE);
    return mp__crew_check(mp__work_crew(future->work));
}

struct mp__work *mp__future_work(mp_future *future)
{
    return future->work;
}

bool mp__future_is_done(mp_future *future)
{
    return mp__work_is_ready(future->work);
}

bool mp__future_failed(mp_future *future)
{
    if (!mp__future_is_done(future))
        return false;
    int code = mp__work_code(future->work, 0);
    return code != 0 && code != MP_ECANCELLED;
}

bool mp_future_done(mp_future *future)
{
    if (mp__future_check(future) != 0)
        return false;
    return mp__work_await(future->work, 0) == 0;
}

bool mp_future_running(mp_future *future)
{
    return mp__future_check(future) == 0 && !mp_future_done(future) &&
           mp__work_has_begun(future->work);
}

bool mp_future_cancelled(mp_future *future)
{
    return mp_future_done(future) && mp__work_code(future->work, 0) == MP_ECANCELLED;
}

static int future_await(mp_future *future, double timeout)
{
    mp__moment until;
    int rc = mp__future_check(future);
    if (rc != 0)
        return rc;
    if (mp__moment_of(timeout, &until) != 0)
        return mp__fail(MP_EINVAL);
    return mp__await_report(mp__work_await(future->work, until));
}

int mp_future_result(mp_future *future, mp_obj *out, double timeout)
{
    int rc = future_await(future, timeout);
    return rc != 0 ? rc : mp__work_result(future->work, 0, out);
}

int mp_future_exception(mp_future *future, int *code, double timeout)
{
    int rc = future_await(future, timeout);
    if (rc != 0)
        return rc;
    rc = mp__work_code(future->work, 0);
    if (rc != 0)
        mp__work_result(future->work, 0, NULL);
    if (rc == MP_ECANCELLED)
        return rc;
    if (code != NULL)
        *code = rc;
    return 0;
}

/* ---- acts ------------------------------------------------------------------------------------ */

int mp_future_cancel(mp_future *future)
{
    int rc = mp__future_check(future);
    if (rc != 0)
        return rc;
    bool tells = has_callbacks(future); /* then the helper calls the functions too */
    pthread_mutex_lock(&future->lock);  /* the helper comes after this, or not at all */
    bool cancelled = mp__work_cancel(future->work);
    future->cancelled_here = future->cancelled_here || (cancelled && !tells);
    pthread_mutex_unlock(&future->lock);
    if (cancelled && !tells)
        calls_run(future);
    return cancelled ||
           (mp__work_is_done(future->work) && mp__work_code(future->work, 0) == MP_ECANCELLED);
}

/* True if it is in the list, to be called later. */
static bool call_add(mp_future *future, struct call *call)
{
    bool later;
    pthread_mutex_lock(&future->lock);
    later = !future->called &&
            (future->watched || future->cancelled_here || !mp__future_is_done(future));
    if (later) {
        call->next = NULL;
        *future->calls_end = call;
        future->calls_end = &call->next;
    }
    pthread_mutex_unlock(&future->lock);
    return later;
}

/* Has the helper come when the work is done. */
static int future_watch(mp_future *future)
{
    struct mp__notice notice = {.after = future_after, .drop = future_drop, .arg = future};
    int rc = 0;
    pthread_mutex_lock(&future->lock);
    if (!future->watched && !mp__future_is_done(future)) {
        atomic_fetch_add(&future->references, 1);
        rc = mp__work_watch(future->work, &notice);
        if (rc != 0)
            atomic_fetch_sub(&future->references, 1);
        else
            future->watched = true;
    }
    pthread_mutex_unlock(&future->lock);
    return rc < 0 ? rc : 0;
}

int mp_future_add_done_callback(mp_future *future, void (*fn)(mp_future *, void *), void *arg)
{
    int rc = mp__future_check(future);
    if (rc == 0 && fn == NULL)
        rc = mp__fail(MP_EINVAL);
    if (rc == 0)
        rc = future_watch(future);
    if (rc != 0)
        return rc;
    struct call *call = malloc(sizeof *call);
    if (call == NULL)
        return mp__fail(-ENOMEM);
    call->fn = fn;
    call->arg = arg;
    if (call_add(future, call))
        return 0;
    free(call);
    fn(future, arg);
    return 0;
}

/* ---- mp_wait --------------------------------------------------------------------------------- */

static int wait_ready(const mp_waitable *item)
{
    if (item->future == NULL)
        return MP_EINVAL;
    if (item->future->magic != MP__FUTURE_MAGIC)
        return MP_ETYPE;
    if (mp__crew_check(mp__work_crew(item->future->work)) != 0)
        return MP_ESTATE;
    return mp_future_done(item->future);
}

static const struct mp__wait_class future_class = {.ready = wait_ready};

__attribute__((constructor(101))) static void kind_register(void)
{
    mp__wait_register(MP_WAIT_FUTURE, &future_class);
}
