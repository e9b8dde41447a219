/* What the faces of the workers share: a map that waits, callbacks, and why a wait ended. */
#include "workers/workers.h"

int mp__await_report(int rc)
{
    if (rc == MP_ESTATE)
        return mp__failf(rc, "it would wait for its own workers");
    return rc != 0 ? mp__fail(rc) : 0;
}

void mp__callbacks_run(const struct mp__callbacks *calls, struct mp__work *work)
{
    mp_obj result = mp_obj_none();
    int first = 0;
    int rc = calls->is_map ? mp__work_results(work, &result, NULL, NULL, &first)
                           : mp__work_result(work, 0, &result);
    if (rc == 0)
        rc = first;
    if (rc == 0 && calls->callback != NULL) {
        calls->callback(mp_obj_view(result), calls->arg);
    } else if (rc != 0 && calls->error_callback != NULL) {
        char detail[512];
        snprintf(detail, sizeof detail, "%s", mp_error_detail());
        calls->error_callback(rc, detail, calls->arg);
    }
    if (result.owned)
        mp_obj_free(&result);
}

/* ---- maps ------------------------------------------------------------------------------------ */

int mp__map_terms(const mp_map_options *options, struct mp__terms *terms)
{
    if (options->context != NULL || options->context_size != 0)
        return mp__failf(MP_EINVAL, "a context is for mp_pool_map_array");
    return mp__terms_set(terms, options->task_timeout, options->retries);
}

int mp__map_submit(struct mp__crew *crew, const struct mp__map_call *call,
                   const struct mp__items *items, const struct mp__terms *terms,
                   struct mp__work **out)
{
    size_t chunk = call->options->chunksize;
    if (chunk == 0 && call->chunks_per_worker == 0)
        chunk = 1;
    else if (chunk == 0)
        chunk = items->n / (mp__crew_workers(crew) * call->chunks_per_worker) + 1;
    return mp__work_map(crew, call->task, items->items, items->n, chunk, terms, out);
}

/* Waits, and tells how far it is. */
static int map_await(struct mp__work *work, const mp_map_options *options, mp__moment until)
{
    size_t done, total;
    int rc;
    if (options->progress == NULL)
        return mp__work_await(work, until);
    do {
        mp__moment slice = mp__moment_in(MP__PROGRESS_SPAN);
        rc = mp__work_await(work, slice < until ? slice : until);
        done = mp__work_count(work, &total);
        if (rc == 0 || (rc == MP_ETIMEOUT && done < total))
            options->progress(done, total, options->progress_arg);
    } while (rc == MP_ETIMEOUT && !mp__moment_passed(until));
    return rc;
}

/* What has begun goes on, though nobody will have it. */
static int map_give_up(const struct mp__map_call *call, struct mp__work *work, size_t n)
{
    int *status = call->options->status;
    mp__work_cancel(work);
    int first, rc = mp__work_results(work, call->results, status, call->options->errors, &first);
    for (size_t i = 0; i < n && status != NULL; i++)
        if (status[i] == MP_ECANCELLED)
            status[i] = MP_ETIMEOUT;
    return rc != 0 ? rc : mp__fail(MP_ETIMEOUT);
}

static int map_run(struct mp__crew *crew, const struct mp__map_call *call,
                   const struct mp__items *items, const struct mp__terms *terms)
{
    struct mp__work *work;
    const mp_map_options *options = call->options;
    int rc = mp__map_submit(crew, call, items, terms, &work);
    if (rc != 0)
        return rc;
    int first = 0;
    rc = map_await(work, options, call->until);
    if (rc == MP_ETIMEOUT)
        rc = map_give_up(call, work, items->n);
    else if (rc == 0)
        rc = mp__work_results(work, call->results, options->status, options->errors, &first);
    else
        mp__await_report(rc);
    mp__work_release(work);
    return rc != 0 ? rc : first;
}

void mp__nothing_give(mp_obj *results, mp_obj *errors)
{
    if (results != NULL)
        mp_obj_copy(mp_obj_list(NULL, 0), results);
    if (errors != NULL)
        mp_obj_copy(mp_obj_list(NULL, 0), errors);
}

int mp__crew_map(struct mp__crew *crew, const struct mp__map_call *call)
{
    struct mp__items items;
    struct mp__terms terms = {0};
    const mp_map_options *options = call->options;
    if (call->task == NULL || options->callback != NULL || options->error_callback != NULL)
        return mp__fail(MP_EINVAL);
    int rc = mp__map_terms(options, &terms);
    if (rc == 0)
        rc = mp__crew_check_wait(crew);
    if (rc == 0)
        rc = mp__items_of(call->iterable, &items);
    if (rc != 0)
        return rc;
    if (items.n == 0)
        mp__nothing_give(call->results, options->errors);
    else
        rc = map_run(crew, call, &items, &terms);
    mp__items_free(&items);
    return rc;
}
