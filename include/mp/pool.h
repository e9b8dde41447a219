/**
 * \file
 * A pool of worker processes that run tasks, as Python's multiprocessing.Pool.
 *
 * A task is a function of the program: the workers are forked when the pool is made, so they have
 * it at the same address, together with everything else that existed then. Two kinds of them:
 *
 * An mp_task takes an object and gives an object, as a Python function does.
 *
 *     static int square(mp_obj arg, mp_obj *result)
 *     {
 *         int64_t x;
 *         if (mp_obj_as_int(arg, &x) != 0)
 *             return mp_task_fail(1, "not a number");
 *         *result = MP(x * x);
 *         return 0;
 *     }
 *
 * An mp_array_task takes one element of an array and fills one of another: no encoding, the speed
 * of a loop over shared memory.
 *
 * A WORKER THAT DIES, however it does (a crash, exit, kill -9), costs the item that it was running
 * and nothing else: that item is MP_EDIED, with pid, signal and item in mp_error_detail, the rest
 * of its chunk runs in the worker that takes its place. An item that runs past its task_timeout is
 * MP_EDEADLINE; its worker is killed and replaced. Options can have such items run again.
 *
 * WHO IS WHO. A pool is one child of the program: its supervisor, which forks the workers, reaps
 * them, replaces them and ends with the program. It costs the program no thread, no signal, and no
 * descriptor (one, on a system without pidfd). A waitpid(-1) of the program's sees one child per
 * pool, and may take its status: nothing of libmp's needs it. mp_active_children does not list it.
 * In a worker, mp_parent_process() is the process that made the pool although getppid() is the
 * supervisor. Workers have the descriptors, signal handlers and memory of the program as they were
 * when the pool was made, the replacements as well. They are daemonic: they cannot start processes
 * or make pools.
 *
 * WHAT TASKS GET AND LEAVE. stdout and stderr are flushed after each chunk. A shared object that a
 * task makes outlives its worker: destroy it, or it stays until the program ends. Pointers given to
 * tasks must be older than the pool or lie in shared memory (mp_raw_alloc). Code of a library that
 * was loaded (dlopen) after the pool was made is not there.
 *
 * WHO MAY CALL. A pool, its results and iterators belong to the process that made the pool; from
 * any other process, forked children included, every call is MP_ESTATE, and destroy only forgets.
 * Any thread may use them at any time, but one iterator is for one thread at a time, and nothing
 * may be used after its destroy. Waits go on after signal handlers have run. Not for signal
 * handlers.
 *
 * HELPER THREAD. The pool has none unless a call names a callback, or a progress function in
 * map_async: then one thread, with all signals blocked, lives from that call to mp_pool_join or
 * destroy and runs them all. On it, waiting for the same pool is MP_ESTATE. No other hidden thread.
 *
 * IF THE PROGRAM DIES, the supervisor and all workers end with it, within a second and on Linux at
 * once, whatever they are doing, and their memory serves other objects. If the supervisor is killed
 * the workers end as well, every waiting call returns MP_EDIED within a second, and later ones
 * MP_EBROKENPOOL. Where the system cannot bind a process to its parent (not Linux), a worker that
 * is stopped survives until it goes on, and a task that calls pthread_exit ends by its task_timeout
 * only.
 *
 * Besides what its comment names, every call answers MP_EINVAL (ValueError) for NULL where it needs
 * something and a NaN, MP_ETYPE (TypeError) for an object of another kind.
 */
#ifndef MP_POOL_H
#define MP_POOL_H

#include "errors.h"
#include "export.h"
#include "object.h"
#include "synchronize.h"
#include "timeout.h"

#include <stdbool.h>
#include <stddef.h>

/**
 * A fixed number of workers and a queue of tasks for them, mirroring Python's Pool.
 *
 *     mp_pool *pool;
 *     mp_obj squares;
 *     MP_CHECK(mp_pool_create(&pool, 4, NULL));         // pool = Pool(4)
 *     MP_CHECK(mp_pool_map(pool, square, MP_LIST(1, 2, 3), &squares, NULL));
 *     mp_obj_println(squares, stdout);                  // print(pool.map(square, [1, 2, 3]))
 *     mp_obj_free(&squares);
 *     mp_pool_destroy(pool);
 */
typedef struct mp_pool mp_pool;

/**
 * What an asynchronous call will give, mirroring Python's AsyncResult and MapResult.
 * It outlives its pool, and is given back with mp_async_result_destroy.
 *
 *     mp_async_result *pending;
 *     MP_CHECK(mp_pool_apply_async(pool, square, MP(7), &pending, NULL));
 *     MP_CHECK(mp_async_result_get(pending, &result, MP_FOREVER)); // pending.get()
 *     mp_async_result_destroy(pending);
 */
typedef struct mp_async_result mp_async_result;

/**
 * Results one after the other, mirroring Python's IMapIterator; ended by mp_imap_destroy.
 *
 *     mp_imap *squares;
 *     MP_CHECK(mp_pool_imap(pool, square, numbers, &squares, NULL));
 *     while (MP_CHECK(mp_imap_next(squares, &result, MP_FOREVER)) == 1) { // for result in squares:
 *         mp_obj_println(result, stdout);
 *         mp_obj_free(&result);
 *     }
 *     mp_imap_destroy(squares);
 */
typedef struct mp_imap mp_imap;

/**
 * A task: 0 if all went well, anything else fails it.
 * `arg` is the task's until it returns. *result is None at first; set it to None, a bool, an int, a
 * float, a string with static storage, (a part of) `arg`, or an owned object, which the library
 * frees. For everything else, literals like MP_LIST(1, 2) above all, use mp_task_return.
 */
typedef int mp_task(mp_obj arg, mp_obj *result);

/**
 * A task over arrays: reads one item, fills one result; 0 if all went well.
 * Both lie in shared memory, aligned as in the arrays. *result holds whatever was there.
 */
typedef int mp_array_task(const void *item, void *result, void *context);

/** Runs once in each worker before its first task; anything but 0 breaks the pool. */
typedef int mp_initializer(void *arg);

/**
 * A lazy input, as Python's generators.
 * 1: *item is the next one, borrowed until the next call; 0: there are no more; negative: the input
 * fails there, with this code.
 */
typedef int mp_next(void *context, mp_obj *item);

/** Is told how many of the items are done, now and then, and at the end. */
typedef void mp_progress(size_t done, size_t total, void *arg);

/** Options of mp_pool_create; all zero: as Python's Pool(). */
typedef struct mp_pool_options {
    mp_initializer *initializer; /**< NULL: none */
    void *initarg;               /**< as it is when the pool is made */
    unsigned maxtasksperchild;   /**< chunks (single tasks) until a worker is replaced; 0: never */
    unsigned restart_limit;      /**< more deaths of workers within restart_seconds break the pool;
                                      0: only workers that all die before they take a task do */
    double restart_seconds;      /**< 0: one second */
} mp_pool_options;

/** Options of the maps; all zero: defaults. Which call heeds which field is said there. */
typedef struct mp_map_options {
    size_t chunksize;      /**< items handed out at once; 0: the library chooses */
    double task_timeout;   /**< seconds that one item may run; 0: as long as it likes */
    unsigned retries;      /**< how often an item whose worker died or was too slow runs again */
    int *status;           /**< gets a code for each item, 0 if all went well */
    mp_obj *errors;        /**< gets an owned list: None, or a tuple (the task's own code, text) */
    mp_progress *progress; /**< NULL: nobody is told */
    void *progress_arg;    /**< what it is given */
    const void *context;   /**< for mp_array_task */
    size_t context_size;   /**< so many bytes are copied; 0: the pointer itself is handed on */
    void (*callback)(mp_obj results, void *arg); /**< is given the list, borrowed */
    void (*error_callback)(int code, const char *detail, void *arg); /**< the first error */
    void *callback_arg;                                              /**< `arg` of both */
} mp_map_options;

/**
 * Options of one task; all zero: defaults.
 * Callbacks run on the helper thread, before the result is ready.
 */
typedef struct mp_task_options {
    double task_timeout; /**< seconds that the task may run; 0: as long as it likes */
    unsigned retries;    /**< how often it runs again if its worker died or was too slow */
    void (*callback)(mp_obj result, void *arg);                      /**< `result` is borrowed */
    void (*error_callback)(int code, const char *detail, void *arg); /**< why it failed */
    void *callback_arg;                                              /**< `arg` of both */
} mp_task_options;

MP_BEGIN_DECLS

/* ---- inside a task ------------------------------------------------------------------------ */

/**
 * Make a copy of `value` the task's result; for use as `return mp_task_return(result, value);`.
 * Python: return value
 * Copies at once, so a literal may die. What *result held is freed if it was owned.
 * Returns 0; MP_EINVAL, MP_EOVERFLOW as mp_obj_copy, -ENOMEM: returned by the task, they fail it.
 */
MP_API int mp_task_return(mp_obj *result, mp_obj value);

/**
 * Say why the task fails; for use as `return mp_task_fail(code, "...");`.
 * Python: raise Exception(text)
 * The caller of the task sees MP_ETASK, `code` in mp_error_code and the text, up to some 400 bytes,
 * in mp_error_detail. Only the last one in a task counts, and only if the task then fails.
 * Returns `code`, or MP_EINVAL for a code of 0.
 */
MP_API int mp_task_fail(int code, const char *format, ...) MP_PRINTF(2, 3);

/**
 * A progress function that draws a bar on stderr.
 * Python: tqdm
 * One line with a bar, done/total, rate and time left, redrawn at most ten times a second and ended
 * by a newline. Silent where stderr is no terminal. `arg` is not used. For one map at a time.
 */
MP_API void mp_progress_bar(size_t done, size_t total, void *arg);

/* ---- the pool ----------------------------------------------------------------------------- */

/**
 * Create a pool and start its workers.
 * Python: Pool(processes=None, initializer=None, initargs=(), maxtasksperchild=None)
 * Does not wait for the workers: what goes wrong there (a failing initializer, no more processes)
 * is reported by the calls that follow, as MP_EBROKENPOOL. The caller owns *out.
 * Returns 0; MP_EINVAL (ValueError) for a negative or absurd (above 2,000) number, a negative or
 * NaN restart_seconds; MP_ESTATE (AssertionError) in a daemonic process; -EAGAIN, -ENOMEM,
 * MP_ENOSLOT (OSError).
 * \param processes how many workers; 0: mp_process_cpu_count()
 * \param options may be NULL
 */
MP_API int mp_pool_create(mp_pool **out, int processes, const mp_pool_options *options);

/**
 * Run one task and wait for its result.
 * Python: Pool.apply(func, args)
 * The caller owns *out and frees it with mp_obj_free; NULL drops it. Who is killed waiting takes
 * the whole pool along.
 * Returns 0; MP_ETASK (the task's own exception); MP_EDIED (BrokenProcessPool, for this task only);
 * MP_EPICKLE, MP_EOVERFLOW, MP_ETYPE for a result or `arg` that cannot be encoded; MP_ESTATE
 * (ValueError) after close; MP_ECANCELLED: terminated; MP_EBROKENPOOL; -ENOMEM.
 */
MP_API int mp_pool_apply(mp_pool *pool, mp_task *task, mp_obj arg, mp_obj *out);

/**
 * Hand in one task and go on.
 * Python: Pool.apply_async(func, args, callback=None, error_callback=None)
 * Does not wait, however many are in flight. `arg` has been encoded when it returns.
 * Returns 0; MP_EINVAL (ValueError) for a negative or NaN task_timeout; MP_ESTATE (ValueError)
 * after close; MP_EBROKENPOOL; MP_EPICKLE, MP_EOVERFLOW, MP_ETYPE; -ENOMEM, -EAGAIN (no thread).
 * \param out NULL: nobody wants the result
 * \param options may be NULL
 */
MP_API int mp_pool_apply_async(mp_pool *pool, mp_task *task, mp_obj arg, mp_async_result **out,
                               const mp_task_options *options);

/**
 * Run a task on each item of a list, tuple, set, dict (its keys), str or bytes, and wait for all.
 * Python: Pool.map(func, iterable, chunksize=None); starmap: tuples that the task unpacks
 * Runs every item, whatever fails. *results is written always (None if nothing ran): an owned list
 * in the order of the items, None where one failed; the caller frees it; NULL drops it. status has
 * to have room for a code per item. `progress` runs in this call. Callbacks: MP_EINVAL.
 * Returns 0, or the first item's error in their order, as mp_pool_apply; MP_EDEADLINE
 * (TimeoutError); MP_ETYPE (TypeError) for what is not iterable; MP_EINVAL, MP_ESTATE,
 * MP_EBROKENPOOL, -ENOMEM.
 * \param options may be NULL
 */
MP_API int mp_pool_map(mp_pool *pool, mp_task *task, mp_obj iterable, mp_obj *results,
                       const mp_map_options *options);

/**
 * Run a task on each item, as mp_pool_map, without waiting.
 * Python: Pool.map_async(func, iterable, chunksize=None, callback=None, error_callback=None)
 * status and errors must live until a get, wait or ready finds the map finished, and are filled by
 * it. `progress` and callbacks run on the helper thread; callback gets the list if no item failed,
 * else error_callback the first error.
 * Returns as mp_pool_apply_async; MP_ETYPE (TypeError) for what is not iterable.
 */
MP_API int mp_pool_map_async(mp_pool *pool, mp_task *task, mp_obj iterable, mp_async_result **out,
                             const mp_map_options *options);

/**
 * Run a task on each item; the results come one by one, in order.
 * Python: Pool.imap(func, iterable, chunksize=1)
 * All items are handed in now. Heeds chunksize, task_timeout and retries; a status, errors,
 * progress, context or callback is MP_EINVAL. The caller owns *out.
 * Returns as mp_pool_map_async; a chunk with an item that cannot be encoded fails at its place.
 */
MP_API int mp_pool_imap(mp_pool *pool, mp_task *task, mp_obj iterable, mp_imap **out,
                        const mp_map_options *options);

/**
 * Run a task on each item; the results come one by one, in whatever order they get done.
 * Python: Pool.imap_unordered(func, iterable, chunksize=1)
 * Otherwise as mp_pool_imap.
 */
MP_API int mp_pool_imap_unordered(mp_pool *pool, mp_task *task, mp_obj iterable, mp_imap **out,
                                  const mp_map_options *options);

/**
 * Run a task on each item that a function gives; the results come one by one, in order.
 * Python: Pool.imap(func, generator(), chunksize=1)
 * `next` is called from within mp_imap_next (and mp_pool_join, which takes the rest), never by two
 * threads: results that are ready are handed out before it is asked for more than what keeps the
 * workers busy, four chunks for each, so an endless input is fine. Where it fails, mp_imap_next
 * returns its code at that place, and then the end. Options as mp_pool_imap.
 * Returns as mp_pool_map_async.
 */
MP_API int mp_pool_imap_from(mp_pool *pool, mp_task *task, mp_next *next, void *context,
                             mp_imap **out, const mp_map_options *options);

/**
 * Run a task on what a function gives; the results come in whatever order they get done.
 * Python: Pool.imap_unordered(func, generator())
 * Otherwise as mp_pool_imap_from.
 */
MP_API int mp_pool_imap_unordered_from(mp_pool *pool, mp_task *task, mp_next *next, void *context,
                                       mp_imap **out, const mp_map_options *options);

/**
 * Give the next result.
 * Python: IMapIterator.next(timeout=None)
 * Waits up to `timeout` for it. The caller owns *out and frees it; NULL drops it.
 * Returns 1; 0 at the end (StopIteration); the item's error, as mp_pool_map: go on calling;
 * MP_ETIMEOUT (TimeoutError): the same item next time; MP_ESTATE inside `next` itself.
 */
MP_API int mp_imap_next(mp_imap *imap, mp_obj *out, double timeout);

/**
 * End an iteration; items not begun are dropped.
 * Python: del iterator
 * Does not wait for tasks, but for a mp_pool_join that is asking `next` in another thread. NULL is
 * fine.
 */
MP_API void mp_imap_destroy(mp_imap *imap);

/**
 * Run a task on each element of an array, and wait for all.
 * Python: Array-wise Pool.map
 * Runs every item, whatever fails. Arrays in shared memory (mp_raw_alloc, an mp_array's) are worked
 * on in place; others are copied in and out, in pieces, up to an eighth of the arena's budget at a
 * time. What a failed item left in its result is there. Heeds all options but callbacks.
 * Returns 0, or the first item's error in their order: MP_ETASK, MP_EDIED, MP_EDEADLINE; MP_EINVAL
 * (ValueError) for an item_size of 0; MP_ESTATE, MP_EBROKENPOOL; -ENOMEM if one chunk does not fit.
 * \param items count elements of item_size bytes each
 * \param results room for count elements of result_size bytes each, or NULL and 0
 * \param options may be NULL
 */
MP_API int mp_pool_map_array(mp_pool *pool, mp_array_task *task, const void *items, size_t count,
                             size_t item_size, void *results, size_t result_size,
                             const mp_map_options *options);

/**
 * Hand in no more tasks; the workers end once all that were handed in are done.
 * Python: Pool.close()
 * Does not wait, and may be called again.
 * Returns 0; MP_ESTATE in another process.
 */
MP_API int mp_pool_close(mp_pool *pool);

/**
 * End the workers: SIGTERM, and a second later SIGKILL for those that go on.
 * Python: Pool.terminate()
 * Waits until they are gone (not on the helper thread). Tasks not begun are MP_ECANCELLED, those
 * that were running MP_EDIED; whoever waits for them learns it. May be called again.
 * Returns 0; MP_ESTATE in another process.
 */
MP_API int mp_pool_terminate(mp_pool *pool);

/**
 * Wait until the pool has ended.
 * Python: Pool.join()
 * After close it takes what is left of generators, and calls their functions. Callbacks that are
 * due have returned when it does, however long past `timeout`. May be called again.
 * Returns 0; MP_ETIMEOUT: it goes on; MP_ESTATE (ValueError) before close or terminate, and on the
 * helper thread; MP_EBROKENPOOL: it has ended, but not as it should: it broke, or its supervisor
 * died.
 */
MP_API int mp_pool_join(mp_pool *pool, double timeout);

/**
 * Terminate, join and free the pool.
 * Python: Pool.__exit__, del pool
 * Waits as those two, but in one of the pool's own callbacks it does not: the helper thread sees to
 * the rest. Results and iterators stay usable until their own destroy. NULL is fine.
 */
MP_API void mp_pool_destroy(mp_pool *pool);

/* ---- asynchronous results ----------------------------------------------------------------- */

/**
 * Wait for a result and give it.
 * Python: AsyncResult.get(timeout=None)
 * *out is an owned copy of its own, NULL drops it. Of a map it returns and writes what mp_pool_map
 * does, of a single task what mp_pool_apply does.
 * Returns as those; MP_ETIMEOUT (TimeoutError): the task goes on, nothing was written; MP_ESTATE on
 * the helper thread before the result is there.
 */
MP_API int mp_async_result_get(mp_async_result *result, mp_obj *out, double timeout);

/** Wait for a result. Python: AsyncResult.wait(timeout). Returns 0; MP_ETIMEOUT; MP_ESTATE. */
MP_API int mp_async_result_wait(mp_async_result *result, double timeout);

/**
 * Ask whether a result is there.
 * Python: AsyncResult.ready()
 * False for NULL and in another process.
 */
MP_API bool mp_async_result_ready(mp_async_result *result);

/**
 * Ask whether the call went well.
 * Python: AsyncResult.successful()
 * Returns 1 or 0; MP_ESTATE (ValueError) before the result is there.
 */
MP_API int mp_async_result_successful(mp_async_result *result);

/** Give a result back; a task that has not ended goes on. Python: del result. NULL is fine. */
MP_API void mp_async_result_destroy(mp_async_result *result);

MP_END_DECLS

/**
 * Run the block that follows, then terminate the pool.
 * Python: with pool:
 * However the block is left: its end, break, return, goto. The pool still has to be destroyed. Of a
 * pool that was closed or terminated before, the program ends as MP_CHECK ends it.
 *
 *     MP_WITH_POOL(pool) { MP_CHECK(mp_pool_map(pool, task, items, &results, NULL)); }
 */
#define MP_WITH_POOL(x) MP_WITH_(pool, x, MP_CAT_(mp_guard_, __COUNTER__))

typedef struct mp_pool_guard_ {
    mp_pool *object;
    bool once;
} mp_pool_guard_;

MP_BEGIN_DECLS
MP_API int mp_pool_enter_(mp_pool *pool);
MP_END_DECLS

static inline mp_pool_guard_ mp_pool_guard_begin_(mp_pool *x, const char *file, int line)
{
    mp_pool_guard_ guard = {x, true};
    mp_guard_check_(mp_pool_enter_(x), file, line, "pool");
    return guard;
}

static inline void mp_pool_guard_end_(mp_pool_guard_ *guard)
{
    (void)mp_pool_terminate(guard->object);
}

#endif
