/* Iterators over results: runs of items in flight, in the order in which they were handed in.
 *
 * How it works
 *   A run is a chunk: a work of one task, or a code in place of it if it could not be handed in.
 *   All runs of a list are made at once; a function is asked for items when no result is at hand
 *   and fewer runs are in flight than keep the workers busy. Runs are taken from the front, or,
 *   where the order does not matter, the first that is ready.
 *   One lock covers an iterator, as mp_pool_join feeds the rest of an input from another thread.
 */
#include "pool/pool.h"

#include <errno.h>
#include <mp/timeout.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { RUNS_PER_WORKER = 4 };
#define NO_RUN (-ENOBUFS) /* there is not even memory to note that a chunk failed */

struct run {
    struct run *next;
    struct mp__work *work; /* NULL: it failed with `code` */
    size_t items, taken;
    int code;
    char detail[160];
};

struct mp_imap {
    uint32_t magic;
    struct mp__crew *crew;
    mp_task *task;
    struct mp__terms terms;
    size_t chunk;
    bool is_ordered;
    mp_next *next; /* NULL: all is handed in */
    void *context;
    struct mp__input input;
    bool is_open; /* the input has not ended */
    int end_code; /* why it did, if it failed and that was not told yet */
    char end_detail[160];
    pthread_mutex_t lock;
    pthread_t feeder; /* who is asking for an item, if feeds */
    bool feeds;
    struct run *runs, **runs_end;
    size_t in_flight;
};

/* ---- runs ------------------------------------------------------------------------------------ */

static struct run *run_add(mp_imap *imap, size_t items)
{
    struct run *run = malloc(sizeof *run);
    if (run == NULL)
        return NULL;
    *run = (struct run){.items = items};
    *imap->runs_end = run;
    imap->runs_end = &run->next;
    imap->in_flight++;
    return run;
}

static void run_fail(struct run *run, int code)
{
    run->code = code;
    snprintf(run->detail, sizeof run->detail, "%s", mp_error_detail());
}

static void run_drop(mp_imap *imap, struct run **at)
{
    struct run *run = *at;
    *at = run->next;
    if (imap->runs_end == &run->next)
        imap->runs_end = at;
    if (run->work != NULL)
        mp__work_release(run->work);
    free(run);
    imap->in_flight--;
}

/* Hands in a chunk. A chunk that cannot be encoded fails, the next may do. */
static int run_submit(mp_imap *imap, const mp_obj *items, size_t n)
{
    struct run *run = run_add(imap, n);
    if (run == NULL)
        return mp__fail(NO_RUN);
    int rc = mp__work_map(imap->crew, imap->task, items, n, n, &imap->terms, &run->work);
    if (rc != 0)
        run_fail(run, rc);
    else if (!imap->is_ordered)
        mp__work_expect(run->work);
    return rc;
}

static bool run_is_ready(const struct run *run)
{
    return run->work == NULL || mp__work_is_ready(run->work);
}

/* Nothing more can be handed in. */
static bool is_final(int code)
{
    return code == MP_ESTATE || code == MP_EBROKENPOOL || code == NO_RUN;
}

/* ---- lazy input ------------------------------------------------------------------------------ */

/* With a code: where the input ends it failed, and says so once. */
static void input_end(mp_imap *imap, int code)
{
    imap->is_open = false;
    imap->end_code = code == MP_ESTATE ? MP_ECANCELLED /* the pool was terminated */
                     : code == NO_RUN  ? -ENOMEM
                                       : code;
    snprintf(imap->end_detail, sizeof imap->end_detail, "%s", code != 0 ? mp_error_detail() : "");
    mp__input_close(imap->crew, &imap->input);
}

static int item_ask(mp_imap *imap, mp_obj *item)
{
    imap->feeder = pthread_self();
    imap->feeds = true;
    pthread_mutex_unlock(&imap->lock);
    mp__fail(0);
    int rc = imap->next(imap->context, item);
    pthread_mutex_lock(&imap->lock);
    imap->feeds = false;
    return rc;
}

/* Asks for up to a chunk of items: how many; *rc is what the input said last. */
static size_t chunk_ask(mp_imap *imap, mp_obj *items, int *rc)
{
    size_t n = 0;
    mp_obj item;
    while (n < imap->chunk && imap->is_open && (*rc = item_ask(imap, &item)) > 0) {
        int copied = 0;
        if (imap->chunk == 1)
            items[n] = mp_obj_view(item);
        else
            copied = mp_obj_copy(item, &items[n]);
        if (copied != 0) {
            *rc = mp__fail(copied);
            break;
        }
        n++;
    }
    return n;
}

/* Takes the next chunk from the input and hands it in: what the input said last, or why no more can
   be handed in. The details are kept over what comes between. */
static int chunk_feed(mp_imap *imap, mp_obj *items)
{
    int rc = mp__crew_check_input(imap->crew);
    if (rc != 0)
        return rc;
    size_t n = chunk_ask(imap, items, &rc);
    char detail[sizeof imap->end_detail];
    snprintf(detail, sizeof detail, "%s", mp_error_detail());
    int submitted = n > 0 ? run_submit(imap, items, n) : 0;
    for (size_t i = 0; i < n && imap->chunk > 1; i++)
        mp_obj_free(&items[i]);
    if (is_final(submitted))
        return submitted;
    return rc < 0 ? mp__failf(rc, "%s", detail) : rc;
}

/* The lock is held, but not while the input is asked. */
static void input_feed(mp_imap *imap)
{
    mp_obj one = mp_obj_none(), *items = &one;
    if (imap->chunk > 1)
        items = calloc(imap->chunk, sizeof *items);
    int rc = items != NULL ? chunk_feed(imap, items) : mp__fail(-ENOMEM);
    if (items != &one)
        free(items);
    if (rc <= 0)
        input_end(imap, rc);
}

static void input_feed_all(struct mp__input *input, mp__moment until)
{
    mp_imap *imap = (mp_imap *)(void *)((char *)input - offsetof(mp_imap, input));
    pthread_mutex_lock(&imap->lock);
    while (imap->is_open && !imap->feeds && !mp__moment_passed(until))
        input_feed(imap);
    pthread_mutex_unlock(&imap->lock);
}

/* ---- making ---------------------------------------------------------------------------------- */

static const mp_map_options no_options;

static int options_check(const mp_map_options *options)
{
    if (options->status != NULL || options->errors != NULL || options->progress != NULL ||
        options->callback != NULL || options->error_callback != NULL)
        return mp__failf(MP_EINVAL, "imap heeds chunksize, task_timeout and retries only");
    return 0;
}

static int imap_make(mp_pool *pool, mp_task *task, bool is_ordered, mp_imap **out,
                     const mp_map_options *options)
{
    struct mp__terms terms = {0};
    if (options == NULL)
        options = &no_options;
    int rc = mp__pool_check(pool);
    if (rc == 0 && (task == NULL || out == NULL))
        rc = mp__fail(MP_EINVAL);
    if (rc == 0)
        rc = options_check(options);
    if (rc == 0)
        rc = mp__map_terms(options, &terms);
    if (rc == 0)
        rc = mp__crew_check_open(pool->crew);
    if (rc != 0)
        return rc;
    mp_imap *imap = calloc(1, sizeof *imap);
    if (imap == NULL)
        return mp__fail(-ENOMEM);
    imap->magic = MP__IMAP_MAGIC;
    imap->crew = pool->crew;
    imap->task = task;
    imap->terms = terms;
    imap->chunk = options->chunksize > 0 ? options->chunksize : 1;
    imap->is_ordered = is_ordered;
    imap->runs_end = &imap->runs;
    pthread_mutex_init(&imap->lock, NULL);
    mp__crew_keep(imap->crew);
    *out = imap;
    return 0;
}

static int list_submit(mp_imap *imap, const struct mp__items *items)
{
    for (size_t i = 0; i < items->n; i += imap->chunk) {
        size_t left = items->n - i;
        int rc = run_submit(imap, items->items + i, left < imap->chunk ? left : imap->chunk);
        if (rc == -ENOMEM || is_final(rc))
            return rc == NO_RUN ? mp__fail(-ENOMEM) : rc;
    }
    return 0;
}

static int list_begin(mp_pool *pool, mp_task *task, mp_obj iterable, bool is_ordered, mp_imap **out,
                      const mp_map_options *options)
{
    mp_imap *imap;
    struct mp__items items;
    int rc = imap_make(pool, task, is_ordered, out != NULL ? &imap : NULL, options);
    if (rc != 0)
        return rc;
    rc = mp__items_of(iterable, &items);
    if (rc == 0) {
        rc = list_submit(imap, &items);
        mp__items_free(&items);
    }
    if (rc != 0) {
        mp_imap_destroy(imap);
        return rc;
    }
    *out = imap;
    return 0;
}

static int input_begin(mp_pool *pool, mp_task *task, mp_next *next, void *context, bool is_ordered,
                       mp_imap **out, const mp_map_options *options)
{
    mp_imap *imap;
    int rc = imap_make(pool, task, is_ordered, out != NULL && next != NULL ? &imap : NULL, options);
    if (rc != 0)
        return rc;
    imap->next = next;
    imap->context = context;
    imap->is_open = true;
    imap->terms.is_input = true;
    imap->input.feed_all = input_feed_all;
    rc = mp__input_open(imap->crew, &imap->input);
    if (rc != 0) {
        imap->next = NULL;
        mp_imap_destroy(imap);
        return rc;
    }
    *out = imap;
    return 0;
}

int mp_pool_imap(mp_pool *pool, mp_task *task, mp_obj iterable, mp_imap **out,
                 const mp_map_options *options)
{
    return list_begin(pool, task, iterable, true, out, options);
}

int mp_pool_imap_unordered(mp_pool *pool, mp_task *task, mp_obj iterable, mp_imap **out,
                           const mp_map_options *options)
{
    return list_begin(pool, task, iterable, false, out, options);
}

int mp_pool_imap_from(mp_pool *pool, mp_task *task, mp_next *next, void *context, mp_imap **out,
                      const mp_map_options *options)
{
    return input_begin(pool, task, next, context, true, out, options);
}

int mp_pool_imap_unordered_from(mp_pool *pool, mp_task *task, mp_next *next, void *context,
                                mp_imap **out, const mp_map_options *options)
{
    return input_begin(pool, task, next, context, false, out, options);
}

/* ---- results --------------------------------------------------------------------------------- */

/* Where the next result is; NULL: not there yet. Tasks are begun in order, so behind the first that
   has not begun there is hardly one that is ready. */
static struct run **run_ready(mp_imap *imap)
{
    for (struct run **at = &imap->runs; *at != NULL; at = &(*at)->next) {
        if (run_is_ready(*at))
            return at;
        if (imap->is_ordered || !mp__work_has_begun((*at)->work))
            break;
    }
    return NULL;
}

static bool imap_is_ready(void *arg)
{
    mp_imap *imap = arg;
    pthread_mutex_lock(&imap->lock);
    bool ready = run_ready(imap) != NULL;
    pthread_mutex_unlock(&imap->lock);
    return ready;
}

static int run_take(mp_imap *imap, struct run **at, mp_obj *out)
{
    struct run *run = *at;
    int rc = run->work != NULL ? mp__work_result(run->work, run->taken, out)
                               : mp__failf(run->code, "%s", run->detail);
    if (++run->taken == run->items)
        run_drop(imap, at);
    return rc == 0 ? 1 : rc;
}

static void window_fill(mp_imap *imap)
{
    size_t most = (size_t)RUNS_PER_WORKER * mp__crew_workers(imap->crew);
    while (imap->is_open && !imap->feeds && imap->in_flight < most && run_ready(imap) == NULL)
        input_feed(imap);
}

/* There are no more results: why the input failed, once, then 0. */
static int end_take(mp_imap *imap)
{
    int code = imap->end_code;
    imap->end_code = 0;
    return code != 0 ? mp__failf(code, "%s", imap->end_detail) : 0;
}

/* While another thread asks the input, what comes of that is looked for now and then. */
static int imap_await(mp_imap *imap, mp__moment until)
{
    mp__moment slice = imap->feeds ? mp__moment_in(MP__SLICE_FIRST) : until;
    if (imap->is_ordered && imap->runs != NULL)
        mp__work_expect(imap->runs->work);
    pthread_mutex_unlock(&imap->lock);
    int rc = mp__crew_await(imap->crew, imap_is_ready, imap, slice < until ? slice : until);
    pthread_mutex_lock(&imap->lock);
    return rc == MP_ETIMEOUT && !mp__moment_passed(until) ? 0 : rc;
}

/* Under the lock, which it gives up to wait: like mp_imap_next. */
static int imap_take(mp_imap *imap, mp_obj *out, mp__moment until)
{
    for (;;) {
        window_fill(imap);
        struct run **at = run_ready(imap);
        if (at != NULL)
            return run_take(imap, at, out);
        if (imap->runs == NULL && !imap->is_open)
            return end_take(imap);
        int rc = mp__await_report(imap_await(imap, until));
        if (rc != 0)
            return rc;
    }
}

int mp_imap_next(mp_imap *imap, mp_obj *out, double timeout)
{
    mp__moment until;
    if (imap == NULL || mp__moment_of(timeout, &until) != 0)
        return mp__fail(MP_EINVAL);
    if (imap->magic != MP__IMAP_MAGIC)
        return mp__fail(MP_ETYPE);
    int rc = mp__crew_check(imap->crew);
    if (rc != 0)
        return rc;
    pthread_mutex_lock(&imap->lock);
    if (imap->feeds && pthread_equal(imap->feeder, pthread_self()))
        rc = mp__failf(MP_ESTATE, "the iterator is being asked already");
    else
        rc = imap_take(imap, out, until);
    pthread_mutex_unlock(&imap->lock);
    return rc;
}

void mp_imap_destroy(mp_imap *imap)
{
    if (imap == NULL || imap->magic != MP__IMAP_MAGIC)
        return;
    if (mp__crew_check(imap->crew) == 0) {
        pthread_mutex_lock(&imap->lock);
        imap->is_open = false; /* for a join that feeds it */
        pthread_mutex_unlock(&imap->lock);
        if (imap->next != NULL)
            mp__input_end(imap->crew, &imap->input);
        while (imap->runs != NULL) {
            if (imap->runs->work != NULL)
                mp__work_cancel(imap->runs->work);
            run_drop(imap, &imap->runs);
        }
        mp__crew_let_go(imap->crew);
    }
    imap->magic = 0;
    pthread_mutex_destroy(&imap->lock);
    free(imap);
}
