/**
 * \file
 * An executor of tasks in worker processes, and futures, as Python's concurrent.futures.
 *
 * It stands on the same workers as a pool: read the head of pool.h, all of it holds here, about
 * tasks, deaths, the supervisor, processes and the helper thread. What differs:
 *
 *   - A future tells whether its task is pending, running or done, can be cancelled while it is
 *     pending, and calls functions when it is done.
 *   - Workers are not daemonic: a task may start processes and make executors of its own.
 *   - A worker that dies breaks its task only (MP_EDIED), not the executor, as it does in Python.
 *   - At the program's exit an executor that was not shut down finishes its tasks, as in Python.
 *   - A cancelled future is done at once, for mp_futures_wait too.
 */
#ifndef MP_FUTURES_H
#define MP_FUTURES_H

#include "pool.h"

/**
 * Runs tasks in worker processes, mirroring Python's ProcessPoolExecutor.
 *
 *     mp_executor *executor;
 *     mp_future *future;
 *     mp_obj result;
 *     MP_CHECK(mp_executor_create(&executor, 4, NULL));               // ProcessPoolExecutor(4)
 *     MP_CHECK(mp_executor_submit(executor, square, MP(5), &future)); // executor.submit(square, 5)
 *     MP_CHECK(mp_future_result(future, &result, MP_FOREVER));        // future.result()
 *     mp_obj_free(&result);
 *     mp_future_destroy(future);
 *     mp_executor_destroy(executor);
 */
typedef struct mp_executor mp_executor;

/** One task's result to be, mirroring Python's Future; outlives its executor. */
typedef struct mp_future mp_future;

/**
 * Futures in the order in which they get done, mirroring what as_completed() gives.
 *
 *     mp_completion *completion;
 *     mp_future *done;
 *     MP_CHECK(mp_as_completed(futures, 2, &completion, MP_FOREVER));
 *     while (MP_CHECK(mp_completion_next(completion, &done)) == 1) // for done in as_completed(fs):
 *         MP_CHECK(mp_future_result(done, NULL, MP_NOWAIT));
 *     mp_completion_destroy(completion);
 */
typedef struct mp_completion mp_completion;

/** Options of mp_executor_create; all zero: as Python's ProcessPoolExecutor(). */
typedef struct mp_executor_options {
    mp_initializer *initializer;  /**< NULL: none */
    void *initarg;                /**< as it is when the executor is made */
    unsigned max_tasks_per_child; /**< tasks after which a worker is replaced; 0: never */
} mp_executor_options;

/** What mp_futures_wait waits for. */
typedef enum mp_return_when {
    MP_ALL_COMPLETED,   /**< all of them */
    MP_FIRST_COMPLETED, /**< one of them */
    MP_FIRST_EXCEPTION  /**< one that failed (a cancelled one did not), or all */
} mp_return_when;

MP_BEGIN_DECLS

/**
 * Create an executor and start its workers.
 * Python: ProcessPoolExecutor(max_workers=None, initializer=None, initargs=(), ...)
 * Does not wait for the workers. The caller owns *out.
 * Returns 0, or as mp_pool_create.
 * \param max_workers how many workers; 0: mp_process_cpu_count()
 * \param options may be NULL
 */
MP_API int mp_executor_create(mp_executor **out, int max_workers,
                              const mp_executor_options *options);

/**
 * Hand in a task.
 * Python: Executor.submit(fn, arg)
 * Does not wait. `arg` has been encoded when it returns. *out is the caller's, to be given back
 * with mp_future_destroy; NULL: nobody wants it.
 * Returns 0; MP_ESTATE (RuntimeError) after shutdown; MP_EBROKENPOOL (BrokenProcessPool);
 * MP_EPICKLE, MP_EOVERFLOW, MP_ETYPE for an `arg` that cannot be encoded; -ENOMEM.
 */
MP_API int mp_executor_submit(mp_executor *executor, mp_task *task, mp_obj arg, mp_future **out);

/**
 * Hand in a task with a limit of time, retries or callbacks.
 * Python: has no such thing
 * As mp_executor_submit, with the options of mp_pool_apply_async.
 * Returns as mp_executor_submit; MP_EINVAL (ValueError) for a negative or NaN task_timeout; -EAGAIN
 * (no thread).
 * \param options may be NULL
 */
MP_API int mp_executor_submit_with(mp_executor *executor, mp_task *task, mp_obj arg,
                                   mp_future **out, const mp_task_options *options);

/**
 * Run a task on each item and wait for all, or until the time is over.
 * Python: list(Executor.map(fn, iterable, timeout=None, chunksize=1))
 * As mp_pool_map, though the chunksize is 1 unless given. At the timeout what has not begun is
 * cancelled, *results holds what is done, and status says MP_ETIMEOUT for the others.
 * Returns as mp_pool_map; MP_ETIMEOUT (TimeoutError).
 */
MP_API int mp_executor_map(mp_executor *executor, mp_task *task, mp_obj iterable, mp_obj *results,
                           const mp_map_options *options, double timeout);

/**
 * Hand in no more; what was handed in runs.
 * Python: Executor.shutdown(wait=True, *, cancel_futures=False)
 * Waits for its end if `wait`; else the program's exit does. May be called again.
 * Returns 0; MP_ESTATE in another process, or if it should wait on the helper thread; having
 * waited, MP_EBROKENPOOL (BrokenProcessPool) if it broke or its supervisor died.
 * \param cancel_futures what has not begun is cancelled
 */
MP_API int mp_executor_shutdown(mp_executor *executor, bool wait, bool cancel_futures);

/**
 * Shut down without waiting, cancel what has not begun and end the workers with SIGTERM.
 * Python: Executor.terminate_workers()
 * A worker that goes on is killed after a second. Tasks that were running are MP_EDIED.
 * Returns 0, on an executor that has ended too; MP_ESTATE in another process.
 */
MP_API int mp_executor_terminate_workers(mp_executor *executor);

/** As mp_executor_terminate_workers, with SIGKILL. Python: Executor.kill_workers() */
MP_API int mp_executor_kill_workers(mp_executor *executor);

/**
 * Shut down, wait, and free the executor.
 * Python: Executor.__exit__
 * Waits for all that was handed in, but in one of the executor's own callbacks it does not: the
 * helper thread sees to the rest. Futures stay usable until their own destroy. NULL is fine.
 */
MP_API void mp_executor_destroy(mp_executor *executor);

/* ---- futures ------------------------------------------------------------------------------ */

/**
 * Wait for the result.
 * Python: Future.result(timeout=None)
 * *out is an owned copy of its own; NULL drops it.
 * Returns 0; MP_ETIMEOUT (TimeoutError): nothing was written; MP_ECANCELLED (CancelledError);
 * MP_ETASK, MP_EDIED, MP_EDEADLINE, MP_EBROKENPOOL and the others that mp_pool_apply may return;
 * MP_ESTATE on the helper thread before the future is done.
 */
MP_API int mp_future_result(mp_future *future, mp_obj *out, double timeout);

/**
 * Wait for the end of a task, and ask how it went.
 * Python: Future.exception(timeout=None)
 * *code is 0, or what mp_future_result returns; mp_error_detail and mp_error_code tell more.
 * Returns 0; MP_ETIMEOUT (TimeoutError); MP_ECANCELLED (CancelledError); MP_ESTATE.
 */
MP_API int mp_future_exception(mp_future *future, int *code, double timeout);

/** Ask whether a task has ended or was cancelled. Python: Future.done() */
MP_API bool mp_future_done(mp_future *future);

/** Ask whether a worker runs the task now. Python: Future.running() */
MP_API bool mp_future_running(mp_future *future);

/** Ask whether a task was cancelled. Python: Future.cancelled() */
MP_API bool mp_future_cancelled(mp_future *future);

/**
 * Cancel a task, if no worker has begun.
 * Python: Future.cancel()
 * Functions that wait for its end run in this call.
 * Returns 1: it is cancelled, now or before; 0: it runs or has ended; MP_ESTATE in another process.
 */
MP_API int mp_future_cancel(mp_future *future);

/**
 * Have a function called when a future is done.
 * Python: Future.add_done_callback(fn)
 * Called once: now, if it is done and the functions added before have been called, else on the
 * helper thread, in the order they were added; the future is done for everybody by then. It may be
 * destroyed before: fn still runs.
 * Returns 0; MP_ESTATE in another process; -ENOMEM, -EAGAIN (no thread).
 */
MP_API int mp_future_add_done_callback(mp_future *future, void (*fn)(mp_future *, void *),
                                       void *arg);

/** Give a future back; its task goes on, callbacks run. Python: del future. NULL is fine. */
MP_API void mp_future_destroy(mp_future *future);

/**
 * Wait for several futures, of any executors of this process.
 * Python: wait(fs, timeout=None, return_when=ALL_COMPLETED)
 * Duplicates are fine and count each. done[i], unless `done` is NULL, says whether fs[i] is done,
 * at the timeout too.
 * Returns how many are done; MP_EINVAL (ValueError) for another return_when; MP_ESTATE.
 */
MP_API int mp_futures_wait(mp_future *const *fs, size_t n, mp_return_when return_when, bool *done,
                           double timeout);

/**
 * Give futures as they get done.
 * Python: as_completed(fs, timeout=None)
 * Each once, duplicates merged, those that are done first. `timeout` counts from this call. `fs`
 * may go, the futures must stay. The caller owns *out.
 * Returns 0; MP_EINVAL; MP_ESTATE in another process; -ENOMEM.
 */
MP_API int mp_as_completed(mp_future *const *fs, size_t n, mp_completion **out, double timeout);

/**
 * Wait for the next future that gets done.
 * Python: next(iterator)
 * *out is one of fs, borrowed.
 * Returns 1; 0 at the end (StopIteration); MP_ETIMEOUT (TimeoutError), with "2 (of 4) futures
 * unfinished" in mp_error_detail; MP_ESTATE on the helper thread.
 */
MP_API int mp_completion_next(mp_completion *completion, mp_future **out);

/** End the iteration; the futures stay. Python: del iterator. NULL is fine. */
MP_API void mp_completion_destroy(mp_completion *completion);

MP_END_DECLS

/**
 * Run the block that follows, then shut the executor down and wait.
 * Python: with executor:
 * However the block is left: its end, break, return, goto. It still has to be destroyed.
 *
 *     MP_WITH_EXECUTOR(executor) { MP_CHECK(mp_executor_submit(executor, task, arg, &future)); }
 */
#define MP_WITH_EXECUTOR(x) MP_WITH_(executor, x, MP_CAT_(mp_guard_, __COUNTER__))

typedef struct mp_executor_guard_ {
    mp_executor *object;
    bool once;
} mp_executor_guard_;

static inline mp_executor_guard_ mp_executor_guard_begin_(mp_executor *x, const char *file,
                                                          int line)
{
    mp_executor_guard_ guard = {x, true};
    (void)file;
    (void)line;
    return guard;
}

static inline void mp_executor_guard_end_(mp_executor_guard_ *guard)
{
    (void)mp_executor_shutdown(guard->object, true, false);
}

#endif
