/* The pool: tasks one by one and over lists and arrays, and its end. A thin face of the workers. */
#include "pool/pool.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

enum { DEATHS_MOST = 65536, CHUNKS_PER_WORKER = 16 };

static const mp_map_options no_map_options;
static const mp_task_options no_task_options;

/* ---- making and ending ----------------------------------------------------------------------- */

static int options_read(int processes, const mp_pool_options *options,
                        struct mp__crew_options *crew)
{
    static const mp_pool_options none;
    if (options == NULL)
        options = &none;
    if (processes < 0 || processes > MP__WORKERS_MAX || !(options->restart_seconds >= 0))
        return MP_EINVAL;
    *crew = (struct mp__crew_options){
        .workers = (uint32_t)(processes > 0 ? processes : mp__cpus_usable()),
        .daemonic = true,
        .name = "PoolWorker",
        .initializer = options->initializer,
        .initarg = options->initarg,
        .tasks_per_worker = options->maxtasksperchild,
        .restart_limit =
            options->restart_limit < DEATHS_MOST ? options->restart_limit : DEATHS_MOST,
        .restart_span = MP__SECOND};
    if (options->restart_seconds > 0)
        mp__span_of(options->restart_seconds, &crew->restart_span);
    return 0;
}

int mp_pool_create(mp_pool **out, int processes, const mp_pool_options *options)
{
    struct mp__crew_options crew_options;
    if (out == NULL || options_read(processes, options, &crew_options) != 0)
        return mp__fail(MP_EINVAL);
    mp_pool *pool = malloc(sizeof *pool);
    if (pool == NULL)
        return mp__fail(-ENOMEM);
    pool->magic = MP__POOL_MAGIC;
    int rc = mp__crew_create(&pool->crew, &crew_options);
    if (rc != 0) {
        free(pool);
        return rc;
    }
    *out = pool;
    return 0;
}

int mp_pool_enter_(mp_pool *pool)
{
    int rc = mp__pool_check(pool);
    return rc != 0 ? rc : mp__crew_check_open(pool->crew);
}

int mp_pool_close(mp_pool *pool)
{
    int rc = mp__pool_check(pool);
    if (rc == 0)
        rc = mp__crew_check(pool->crew);
    if (rc != 0)
        return rc;
    mp__log(MP_LOG_DEBUG, "closing pool");
    mp__crew_close(pool->crew);
    return 0;
}

int mp_pool_terminate(mp_pool *pool)
{
    int rc = mp__pool_check(pool);
    if (rc == 0)
        rc = mp__crew_check(pool->crew);
    if (rc != 0)
        return rc;
    mp__log(MP_LOG_DEBUG, "terminating pool");
    mp__crew_end(pool->crew, SIGTERM);
    if (!mp__crew_is_helper(pool->crew))
        mp__crew_join(pool->crew, MP__NEVER);
    return 0;
}

int mp_pool_join(mp_pool *pool, double timeout)
{
    mp__moment until;
    int rc = mp__pool_check(pool);
    if (rc == 0)
        rc = mp__crew_check(pool->crew);
    if (rc != 0)
        return rc;
    if (mp__moment_of(timeout, &until) != 0)
        return mp__fail(MP_EINVAL);
    if (!mp__crew_is_closed(pool->crew))
        return mp__failf(MP_ESTATE, "the pool is still running");
    if (mp__crew_is_helper(pool->crew))
        return mp__await_report(MP_ESTATE);
    mp__log(MP_LOG_DEBUG, "joining pool");
    rc = mp__crew_join(pool->crew, until);
    return rc == MP_ETIMEOUT ? mp__fail(rc) : rc;
}

void mp_pool_destroy(mp_pool *pool)
{
    if (pool == NULL || pool->magic != MP__POOL_MAGIC)
        return;
    if (mp__crew_check(pool->crew) == 0) {
        mp__log(MP_LOG_DEBUG, "finalizing pool");
        mp__crew_end(pool->crew, SIGTERM);
        if (!mp__crew_is_helper(pool->crew))
            mp__crew_join(pool->crew, MP__NEVER);
        mp__crew_release(pool->crew);
    }
    pool->magic = 0;
    free(pool);
}

/* ---- single tasks ---------------------------------------------------------------------------- */

static int work_finish(struct mp__work *work, int rc, mp_obj *out)
{
    rc = rc != 0 ? mp__await_report(rc) : mp__work_result(work, 0, out);
    mp__work_release(work);
    return rc;
}

int mp_pool_apply(mp_pool *pool, mp_task *task, mp_obj arg, mp_obj *out)
{
    struct mp__work *work;
    struct mp__terms terms = {0};
    int rc = mp__pool_check(pool);
    if (rc == 0 && task == NULL)
        rc = mp__fail(MP_EINVAL);
    if (rc == 0)
        rc = mp__crew_check_wait(pool->crew);
    if (rc == 0)
        rc = mp__work_submit(pool->crew, task, arg, &terms, &work);
    if (rc != 0)
        return rc;
    return work_finish(work, mp__work_await(work, MP__NEVER), out);
}

static void callbacks_run(struct mp__work *work, void *arg)
{
    mp__callbacks_run(arg, work);
}

/* Sets the notice of the terms if anything is to be told; -ENOMEM. */
static int notice_make(struct mp__notice *notice, const struct mp__callbacks *calls,
                       mp_progress *progress, void *progress_arg, struct mp__terms *terms)
{
    bool wanted = calls->callback != NULL || calls->error_callback != NULL;
    if (!wanted && progress == NULL)
        return 0;
    *notice = (struct mp__notice){.progress = progress, .progress_arg = progress_arg, .hold = true};
    if (wanted) {
        struct mp__callbacks *copy = malloc(sizeof *copy);
        if (copy == NULL)
            return mp__fail(-ENOMEM);
        *copy = *calls;
        notice->done = callbacks_run;
        notice->drop = free;
        notice->arg = copy;
    }
    terms->notice = notice;
    return 0;
}

/* Gives work to who called, or lets it go on by itself. */
static int work_give(mp_pool *pool, struct mp__work *work, bool is_map,
                     const mp_map_options *options, mp_async_result **out)
{
    int rc = 0;
    if (out != NULL)
        rc = mp__async_result_make(pool->crew, work, is_map, options, out);
    if ((out == NULL || rc != 0) && work != NULL)
        mp__work_release(work);
    return rc;
}

int mp_pool_apply_async(mp_pool *pool, mp_task *task, mp_obj arg, mp_async_result **out,
                        const mp_task_options *options)
{
    struct mp__work *work;
    struct mp__terms terms = {0};
    struct mp__notice notice = {.arg = NULL};
    if (options == NULL)
        options = &no_task_options;
    int rc = mp__pool_check(pool);
    if (rc == 0 && task == NULL)
        rc = mp__fail(MP_EINVAL);
    if (rc == 0)
        rc = mp__terms_set(&terms, options->task_timeout, options->retries);
    struct mp__callbacks calls = {options->callback, options->error_callback, options->callback_arg,
                                  false};
    if (rc == 0)
        rc = notice_make(&notice, &calls, NULL, NULL, &terms);
    if (rc != 0)
        return rc;
    rc = mp__work_submit(pool->crew, task, arg, &terms, &work);
    if (rc != 0) {
        free(notice.arg);
        return rc;
    }
    return work_give(pool, work, false, &no_map_options, out);
}

/* ---- lists ----------------------------------------------------------------------------------- */

static struct mp__map_call map_call(mp_task *task, mp_obj iterable, mp_obj *results,
                                    const mp_map_options *options)
{
    return (struct mp__map_call){.task = task,
                                 .iterable = iterable,
                                 .results = results,
                                 .options = options,
                                 .chunks_per_worker = CHUNKS_PER_WORKER,
                                 .until = MP__NEVER};
}

int mp_pool_map(mp_pool *pool, mp_task *task, mp_obj iterable, mp_obj *results,
                const mp_map_options *options)
{
    if (results != NULL)
        *results = mp_obj_none();
    struct mp__map_call call =
        map_call(task, iterable, results, options != NULL ? options : &no_map_options);
    int rc = mp__pool_check(pool);
    return rc == 0 ? mp__crew_map(pool->crew, &call) : rc;
}

int mp_pool_map_async(mp_pool *pool, mp_task *task, mp_obj iterable, mp_async_result **out,
                      const mp_map_options *options)
{
    struct mp__items items;
    struct mp__work *work = NULL;
    struct mp__terms terms = {0};
    struct mp__notice notice = {.arg = NULL};
    if (options == NULL)
        options = &no_map_options;
    int rc = mp__pool_check(pool);
    if (rc == 0 && task == NULL)
        rc = mp__fail(MP_EINVAL);
    if (rc == 0)
        rc = mp__map_terms(options, &terms);
    if (rc == 0)
        rc = mp__crew_check_open(pool->crew);
    if (rc == 0)
        rc = mp__items_of(iterable, &items);
    if (rc != 0)
        return rc;
    struct mp__map_call call = map_call(task, iterable, NULL, options);
    struct mp__callbacks calls = {options->callback, options->error_callback, options->callback_arg,
                                  true};
    if (items.n > 0)
        rc = notice_make(&notice, &calls, options->progress, options->progress_arg, &terms);
    if (rc == 0 && items.n > 0) {
        rc = mp__map_submit(pool->crew, &call, &items, &terms, &work);
        if (rc != 0)
            free(notice.arg);
    }
    mp__items_free(&items);
    return rc != 0 ? rc : work_give(pool, work, true, options, out);
}

/* ---- arrays ---------------------------------------------------------------------------------- */

static bool array_fits(const void *items, size_t count, size_t item_size, const void *results,
                       size_t result_size)
{
    size_t bytes;
    if (item_size == 0 || (results == NULL) != (result_size == 0) || (items == NULL && count > 0))
        return false;
    return mp__size_mul(count, item_size, &bytes) && mp__size_mul(count, result_size, &bytes);
}

int mp_pool_map_array(mp_pool *pool, mp_array_task *task, const void *items, size_t count,
                      size_t item_size, void *results, size_t result_size,
                      const mp_map_options *options)
{
    struct mp__terms terms;
    if (options == NULL)
        options = &no_map_options;
    int rc = mp__pool_check(pool);
    if (rc == 0 && (task == NULL || options->callback != NULL || options->error_callback != NULL ||
                    (options->context == NULL && options->context_size > 0) ||
                    !array_fits(items, count, item_size, results, result_size)))
        rc = mp__fail(MP_EINVAL);
    if (rc == 0)
        rc = mp__terms_set(&terms, options->task_timeout, options->retries);
    if (rc == 0)
        rc = mp__crew_check_wait(pool->crew);
    if (rc != 0)
        return rc;
    if (count == 0) {
        mp__nothing_give(NULL, options->errors);
        return 0;
    }
    struct mp__array_call call = {task, items, count, item_size, results, result_size, options};
    return mp__crew_map_array(pool->crew, &call);
}
