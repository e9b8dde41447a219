/* Results to come: a work, and what its map was asked to fill. */
#include "pool/pool.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

struct mp_async_result {
    uint32_t magic;
    bool is_map;
    struct mp__crew *crew;
    struct mp__work *work; /* NULL: of a map of nothing */
    pthread_mutex_t lock;  /* for what follows */
    int *status;           /* NULL once it was filled, as errors */
    mp_obj *errors;
};

int mp__async_result_make(struct mp__crew *crew, struct mp__work *work, bool is_map,
                          const mp_map_options *options, mp_async_result **out)
{
    mp_async_result *result = malloc(sizeof *result);
    if (result == NULL)
        return mp__fail(-ENOMEM);
    result->magic = MP__RESULT_MAGIC;
    result->is_map = is_map;
    result->crew = crew;
    result->work = work;
    result->status = options->status;
    result->errors = options->errors;
    pthread_mutex_init(&result->lock, NULL);
    if (work == NULL)
        mp__crew_keep(crew); /* as work does */
    *out = result;
    return 0;
}

static int result_check(const mp_async_result *result)
{
    if (result == NULL)
        return mp__fail(MP_EINVAL);
    if (result->magic != MP__RESULT_MAGIC)
        return mp__fail(MP_ETYPE);
    return mp__crew_check(result->crew);
}

/* Once the work is ready. */
static int result_fill(mp_async_result *result)
{
    int first, rc = 0;
    pthread_mutex_lock(&result->lock);
    if (result->work != NULL && (result->status != NULL || result->errors != NULL))
        rc = mp__work_results(result->work, NULL, result->status, result->errors, &first);
    else if (result->errors != NULL)
        rc = mp_obj_copy(mp_obj_list(NULL, 0), result->errors);
    if (rc == 0) {
        result->status = NULL;
        result->errors = NULL;
    }
    pthread_mutex_unlock(&result->lock);
    return rc;
}

static int result_await(mp_async_result *result, double timeout)
{
    mp__moment until;
    int rc = result_check(result);
    if (rc != 0)
        return rc;
    if (mp__moment_of(timeout, &until) != 0)
        return mp__fail(MP_EINVAL);
    rc = result->work != NULL ? mp__await_report(mp__work_await(result->work, until)) : 0;
    return rc == 0 ? result_fill(result) : rc;
}

static int map_get(struct mp__work *work, mp_obj *out)
{
    int first = 0, rc = mp__work_results(work, out, NULL, NULL, &first);
    return rc != 0 ? rc : first;
}

int mp_async_result_get(mp_async_result *result, mp_obj *out, double timeout)
{
    int rc = result_await(result, timeout);
    if (rc != 0)
        return rc;
    if (result->work == NULL)
        return out != NULL ? mp_obj_copy(mp_obj_list(NULL, 0), out) : 0;
    if (result->is_map)
        return map_get(result->work, out);
    return mp__work_result(result->work, 0, out);
}

int mp_async_result_wait(mp_async_result *result, double timeout)
{
    return result_await(result, timeout);
}

bool mp_async_result_ready(mp_async_result *result)
{
    if (result_check(result) != 0)
        return false;
    if (result->work != NULL && mp__work_await(result->work, 0) != 0)
        return false;
    return result_fill(result) == 0;
}

int mp_async_result_successful(mp_async_result *result)
{
    int rc = result_check(result);
    if (rc != 0)
        return rc;
    if (result->work != NULL && mp__work_await(result->work, 0) != 0)
        return mp__failf(MP_ESTATE, "the result is not ready");
    return result->work == NULL || mp__work_survey(result->work, NULL) == 0;
}

void mp_async_result_destroy(mp_async_result *result)
{
    if (result == NULL || result->magic != MP__RESULT_MAGIC)
        return;
    if (result->work != NULL)
        mp__work_release(result->work);
    else
        mp__crew_let_go(result->crew);
    result->magic = 0;
    pthread_mutex_destroy(&result->lock);
    free(result);
}
