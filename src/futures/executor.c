/* The executor: a thin face of the workers, with futures for results. */
#include "futures/futures.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

struct mp_executor {
    uint32_t magic;
    struct mp__crew *crew;
};

static const mp_task_options no_task_options;
static const mp_map_options no_map_options;

static int executor_check(const mp_executor *executor)
{
    if (executor == NULL)
        return mp__fail(MP_EINVAL);
    if (executor->magic != MP__EXECUTOR_MAGIC)
        return mp__fail(MP_ETYPE);
    return mp__crew_check(executor->crew);
}

int mp_executor_create(mp_executor **out, int max_workers, const mp_executor_options *options)
{
    static const mp_executor_options none;
    if (options == NULL)
        options = &none;
    if (out == NULL || max_workers < 0 || max_workers > MP__WORKERS_MAX)
        return mp__fail(MP_EINVAL);
    struct mp__crew_options crew_options = {
        .workers = (uint32_t)(max_workers > 0 ? max_workers : mp__cpus_usable()),
        .initializer = options->initializer,
        .initarg = options->initarg,
        .tasks_per_worker = options->max_tasks_per_child,
        .restart_span = MP__SECOND};
    mp_executor *executor = malloc(sizeof *executor);
    if (executor == NULL)
        return mp__fail(-ENOMEM);
    executor->magic = MP__EXECUTOR_MAGIC;
    int rc = mp__crew_create(&executor->crew, &crew_options);
    if (rc != 0) {
        free(executor);
        return rc;
    }
    *out = executor;
    return 0;
}

int mp_executor_submit(mp_executor *executor, mp_task *task, mp_obj arg, mp_future **out)
{
    return mp_executor_submit_with(executor, task, arg, out, NULL);
}

int mp_executor_submit_with(mp_executor *executor, mp_task *task, mp_obj arg, mp_future **out,
                            const mp_task_options *options)
{
    mp_future *future;
    struct mp__work *work;
    struct mp__terms terms = {0};
    struct mp__notice notice;
    int rc = executor_check(executor);
    if (rc == 0 && task == NULL)
        rc = mp__fail(MP_EINVAL);
    if (rc == 0)
        rc =
            mp__future_make(options != NULL ? options : &no_task_options, &future, &terms, &notice);
    if (rc != 0)
        return rc;
    rc = mp__work_submit(executor->crew, task, arg, &terms, &work);
    if (rc != 0) {
        mp__future_discard(future);
        return rc;
    }
    mp__future_begin(future, work);
    if (out != NULL)
        *out = future;
    else
        mp_future_destroy(future);
    return 0;
}

/* ---- map ------------------------------------------------------------------------------------- */

int mp_executor_map(mp_executor *executor, mp_task *task, mp_obj iterable, mp_obj *results,
                    const mp_map_options *options, double timeout)
{
    if (results != NULL)
        *results = mp_obj_none();
    struct mp__map_call call = {.task = task,
                                .iterable = iterable,
                                .results = results,
                                .options = options != NULL ? options : &no_map_options};
    int rc = executor_check(executor);
    if (rc == 0 && mp__moment_of(timeout, &call.until) != 0)
        rc = mp__fail(MP_EINVAL);
    return rc == 0 ? mp__crew_map(executor->crew, &call) : rc;
}

/* ---- the end --------------------------------------------------------------------------------- */

int mp_executor_shutdown(mp_executor *executor, bool wait, bool cancel_futures)
{
    int rc = executor_check(executor);
    if (rc != 0)
        return rc;
    if (wait && mp__crew_is_helper(executor->crew))
        return mp__await_report(MP_ESTATE);
    mp__crew_close(executor->crew);
    if (cancel_futures)
        mp__crew_cancel(executor->crew);
    return wait ? mp__crew_join(executor->crew, MP__NEVER) : 0;
}

static int workers_end(mp_executor *executor, int signal_number)
{
    int rc = mp_executor_shutdown(executor, false, true);
    if (rc == 0)
        mp__crew_end(executor->crew, signal_number);
    return rc;
}

int mp_executor_terminate_workers(mp_executor *executor)
{
    return workers_end(executor, SIGTERM);
}

int mp_executor_kill_workers(mp_executor *executor)
{
    return workers_end(executor, SIGKILL);
}

void mp_executor_destroy(mp_executor *executor)
{
    if (executor == NULL || executor->magic != MP__EXECUTOR_MAGIC)
        return;
    if (executor_check(executor) == 0) {
        mp__crew_close(executor->crew);
        if (!mp__crew_is_helper(executor->crew))
            mp__crew_join(executor->crew, MP__NEVER);
        mp__crew_release(executor->crew);
    }
    executor->magic = 0;
    free(executor);
}
