/* Arrays: one job per window, worked on in place or copied in and out.
 *
 * How it works
 *   What lies in the arena is worked on where it is. What does not is copied into a buffer of the
 *   pool, which is kept for the next call if it is not too large; as much as an eighth of the
 *   arena's budget at a time. Chunks are queued while the next are still being copied in, and
 *   copied out in their order as they get done. The buffer begins, behind its head, with a byte of
 *   status for each item.
 */
#include "workers/hand_in.h"

#include <errno.h>
#include <string.h>

#define BUFFER_KEPT ((size_t)64 << 20)
#define CHUNKS_PER_WORKER 64
#define SHARE 4           /* of what is left, a worker's part is cut into so many */
#define HEAD ((size_t)64) /* of the buffer, so that the arrays stand aligned */

struct window {
    struct mp__crew *crew;
    const struct mp__array_call *call;
    struct mp__work *work;
    struct mp__job *job;
    size_t begin, count, chunk;
    size_t most;              /* items that there was memory for */
    bool in_place, out_place; /* they lie in the arena */
    bool ran;
    void *buffer;
    size_t buffer_size;
    uint32_t copied; /* the next task to be copied out; 0: none */
};

static size_t rounded(size_t size)
{
    return (size + 63) & ~(size_t)63;
}

/* ---- the buffer ----------------------------------------------------------------------------- */

/* The kept one if it is large enough; it is the caller's until kept again. */
static int buffer_take(struct mp__crew *crew, size_t size, void **out, size_t *got)
{
    void *kept;
    pthread_mutex_lock(&crew->lock);
    kept = crew->buffer;
    *got = crew->buffer_size;
    crew->buffer = NULL;
    pthread_mutex_unlock(&crew->lock);
    if (kept != NULL && *got >= size) {
        *out = kept;
        return 0;
    }
    if (kept != NULL)
        mp__heap_give(kept);
    int rc = mp__piece_take(size, out);
    if (rc == 0)
        mp__pool_join(*out, crew->object);
    *got = size;
    return rc;
}

static void buffer_keep(struct mp__crew *crew, void *buffer, size_t size)
{
    pthread_mutex_lock(&crew->lock);
    bool keep = crew->buffer == NULL && size <= BUFFER_KEPT && !atomic_load(&crew->over);
    if (keep) {
        crew->buffer = buffer;
        crew->buffer_size = size;
    }
    bool usable = !atomic_load(&crew->over) || crew->buried;
    pthread_mutex_unlock(&crew->lock);
    if (!keep && usable)
        mp__heap_give(buffer);
}

static size_t window_size(const struct window *w, size_t count)
{
    size_t size = HEAD + rounded(count);
    if (!w->in_place)
        size += rounded(count * w->call->item_size);
    if (!w->out_place)
        size += rounded(count * w->call->result_size);
    return size;
}

/* Takes a buffer for as many of `most` items as there should be memory for, a chunk at least. */
static int window_place(struct window *w, size_t most)
{
    size_t item =
        1 + (w->in_place ? 0 : w->call->item_size) + (w->out_place ? 0 : w->call->result_size);
    size_t task = (sizeof(struct mp__task) + w->chunk - 1) / w->chunk; /* of its chunk's */
    size_t fit = mp__arena_budget() / 8 / (item + task);
    if (most > w->most)
        most = w->most;
    w->count = most < fit ? most : fit;
    if (w->count < w->chunk)
        w->count = w->chunk < most ? w->chunk : most;
    return buffer_take(w->crew, window_size(w, w->count), &w->buffer, &w->buffer_size);
}

/* There was no memory for the window: half of it; false: it is a chunk already. */
static bool window_halve(struct window *w)
{
    if (w->count <= w->chunk)
        return false;
    w->most = w->count / 2 > w->chunk ? w->count / 2 : w->chunk;
    w->count = 0;
    return true;
}

/* ---- the job -------------------------------------------------------------------------------- */

/* The next chunk of what is left. Where nothing is copied, and nobody chose, chunks are large at
   first and get smaller, so that there are few of them, and all workers end together. */
static size_t chunk_of(const struct window *w, size_t left)
{
    size_t chunk = w->chunk;
    if (w->in_place && w->out_place && w->call->options->chunksize == 0) {
        size_t share = left / ((size_t)w->crew->options.workers * SHARE);
        chunk = share > chunk ? share : chunk;
    }
    return left < chunk ? left : chunk;
}

static uint32_t chunks_count(const struct window *w)
{
    uint32_t n = 0;
    for (size_t left = w->count; left > 0; left -= chunk_of(w, left))
        n++;
    return n;
}

static int window_job(struct window *w)
{
    const struct mp__array_call *call = w->call;
    const mp_map_options *options = call->options;
    struct mp__job *job;
    int rc = mp__piece_take(sizeof *job + options->context_size, &job);
    if (rc != 0)
        return rc;
    memset((void *)job, 0, sizeof *job);
    unsigned char *memory = (unsigned char *)w->buffer + HEAD;
    job->array_task = call->task;
    job->items = (uint32_t)w->count;
    job->tasks = chunks_count(w);
    job->in_size = call->item_size;
    job->out_size = call->result_size;
    job->status = memory;
    memory += rounded(w->count);
    job->in =
        w->in_place ? (const char *)call->items + w->begin * call->item_size : (const char *)memory;
    if (!w->in_place)
        memory += rounded(w->count * call->item_size);
    job->out = w->out_place ? (char *)call->results + w->begin * call->result_size : (char *)memory;
    if (call->result_size == 0)
        job->out = NULL;
    memcpy(&job->context, &options->context, sizeof job->context);
    if (options->context_size > 0) {
        job->context = job + 1;
        memcpy(job->context, options->context, options->context_size);
    }
    memset(job->status, MP__WELL, w->count);
    mp__pool_join(job, w->crew->object);
    w->job = job;
    return 0;
}

static void chunk_copy_in(struct window *w, size_t first, size_t n)
{
    size_t size = w->call->item_size;
    if (!w->in_place) /* the job's own copy, in the buffer */
        memcpy((char *)(uintptr_t)w->job->in + first * size,
               (const char *)w->call->items + (w->begin + first) * size, n * size);
}

static void chunk_copy_out(struct window *w, const struct mp__task *task)
{
    size_t size = w->call->result_size;
    if (!w->out_place && size > 0)
        memcpy((char *)w->call->results + (w->begin + task->first) * size,
               w->job->out + (size_t)task->first * size, task->count * size);
}

/* Copies out what is done, in order, up to the first chunk that is not. */
static void chunks_copy_out(struct window *w, bool all)
{
    while (w->copied != 0) {
        struct mp__task *task = mp__task_at(w->crew->board, w->copied);
        if (!all && mp__task_state(atomic_load(&task->word)) != MP__TASK_DONE)
            return;
        chunk_copy_out(w, task);
        w->copied = task->sibling;
    }
}

/* All tasks are made first, so that none can be missing, then queued one after the other. */
static int window_enter(struct window *w)
{
    struct mp__work_tail tail = {0, 0};
    struct mp__terms terms = {0};
    const mp_map_options *options = w->call->options;
    int rc = mp__terms_set(&terms, options->task_timeout, options->retries);
    if (rc != 0)
        return rc;
    rc = mp__work_begin(w->crew, w->job, &terms, &w->work);
    if (rc != 0)
        return mp__fail(rc);
    pthread_mutex_lock(&w->crew->lock);
    mp__orphans_reap(w->crew, 2);
    rc = mp__crew_check_feed(w->crew, true);
    for (size_t i = 0, n; i < w->count && rc == 0; i += n) {
        n = chunk_of(w, w->count - i);
        rc = mp__work_add(w->work, &tail, (uint32_t)i, (uint32_t)n);
        if (rc != 0)
            mp__fail(rc);
    }
    if (rc != 0)
        mp__work_discard(w->work);
    pthread_mutex_unlock(&w->crew->lock);
    return rc;
}

static void window_feed(struct window *w)
{
    struct mp__crew *crew = w->crew;
    atomic_store(&w->work->low, w->work->lead);
    w->copied = w->work->lead;
    if (w->in_place) {
        pthread_mutex_lock(&crew->lock);
        mp__work_queue(w->work);
        pthread_mutex_unlock(&crew->lock);
        return;
    }
    for (uint32_t index = w->work->lead; index != 0;) {
        struct mp__task *task = mp__task_at(crew->board, index);
        chunk_copy_in(w, task->first, task->count);
        pthread_mutex_lock(&crew->lock);
        mp__task_queue(crew->board, index, &crew->tail);
        pthread_mutex_unlock(&crew->lock);
        mp__idle_wake(crew->board, 1);
        index = task->sibling;
        chunks_copy_out(w, false);
    }
}

static void progress_tell(struct window *w)
{
    const mp_map_options *options = w->call->options;
    size_t total, done = mp__work_count(w->work, &total);
    if (options->progress == NULL || w->begin + done == w->call->count)
        return;
    options->progress(w->begin + done, w->call->count, options->progress_arg);
}

static void window_await(struct window *w)
{
    mp__moment span = w->call->options->progress != NULL ? MP__PROGRESS_SPAN : MP__NEVER;
    while (mp__work_await(w->work, mp__moment_in(span)) == MP_ETIMEOUT) {
        progress_tell(w);
        chunks_copy_out(w, false);
    }
}

/* ---- the call ------------------------------------------------------------------------------- */

/* What the call will return, of all windows. */
struct verdict {
    int code, own_code;
    char detail[512];
    mp_obj *errors; /* one for each item; NULL: not wanted */
};

static void verdict_note(struct verdict *verdict, int code)
{
    if (verdict->code != 0 || code == 0)
        return;
    verdict->code = code;
    verdict->own_code = mp_error_code();
    snprintf(verdict->detail, sizeof verdict->detail, "%s", mp_error_detail());
}

static int verdict_report(const struct verdict *verdict)
{
    if (verdict->code == 0)
        return 0;
    mp__failf(verdict->code, "%s", verdict->detail);
    mp__fail_own_code(verdict->own_code);
    return verdict->code;
}

static int window_judge(struct window *w, struct verdict *verdict)
{
    int *status = w->call->options->status;
    verdict_note(verdict, mp__work_survey(w->work, status != NULL ? status + w->begin : NULL));
    return verdict->errors != NULL ? mp__work_errors(w->work, verdict->errors + w->begin) : 0;
}

static int window_run(struct window *w, struct verdict *verdict)
{
    int rc = window_job(w);
    if (rc != 0)
        return mp__fail(rc);
    rc = window_enter(w);
    if (rc != 0) {
        mp__heap_give(w->job);
        return rc;
    }
    window_feed(w);
    window_await(w);
    chunks_copy_out(w, true);
    w->ran = true;
    rc = window_judge(w, verdict);
    mp__work_release(w->work);
    return rc != 0 ? mp__fail(rc) : 0;
}

static void window_choose(struct window *w)
{
    w->most = MP__ITEMS_MAX;
    const struct mp__array_call *call = w->call;
    w->chunk = call->options->chunksize;
    if (w->chunk == 0)
        w->chunk = call->count / ((size_t)w->crew->options.workers * CHUNKS_PER_WORKER) + 1;
    if (w->chunk > MP__ITEMS_MAX)
        w->chunk = MP__ITEMS_MAX;
    w->in_place = mp__arena_holds(call->items, call->count * call->item_size);
    w->out_place =
        call->result_size == 0 || mp__arena_holds(call->results, call->count * call->result_size);
}

/* The items from w->begin on will not run any more: the crew ends, or has ended. */
static int windows_give_up(struct window *w, struct verdict *verdict)
{
    size_t count = w->call->count;
    int *status = w->call->options->status, rc = 0;
    mp__crew_await_end(w->crew);
    int code = mp__crew_report_over(w->crew);
    verdict_note(verdict, code);
    for (size_t i = w->begin; i < count && rc == 0; i++) {
        if (status != NULL)
            status[i] = code;
        if (verdict->errors != NULL)
            rc = mp__error_make(code, &verdict->errors[i]);
    }
    w->count = count - w->begin;
    return rc != 0 ? mp__fail(rc) : 0;
}

static bool is_over(int rc)
{
    return rc == MP_ESTATE || rc == MP_EBROKENPOOL;
}

static int windows_run(struct window *w, struct verdict *verdict)
{
    int rc = 0;
    for (w->begin = 0; w->begin < w->call->count && rc == 0; w->begin += w->count) {
        size_t left = w->call->count - w->begin;
        w->ran = false;
        rc = window_place(w, left < MP__ITEMS_MAX ? left : MP__ITEMS_MAX);
        if (rc == 0) {
            rc = window_run(w, verdict);
            buffer_keep(w->crew, w->buffer, w->buffer_size);
        }
        if (is_over(rc))
            rc = windows_give_up(w, verdict);
        else if (rc == -ENOMEM && !w->ran && window_halve(w))
            rc = 0;
        else if (rc != 0)
            mp__fail(rc);
    }
    return rc;
}

int mp__crew_map_array(struct mp__crew *crew, const struct mp__array_call *call)
{
    struct window w = {.crew = crew, .call = call};
    struct verdict verdict = {0, 0, "", NULL};
    const mp_map_options *options = call->options;
    if (options->errors != NULL && (verdict.errors = mp__objects_make(call->count)) == NULL)
        return mp__fail(-ENOMEM);
    int rc = mp__crew_enter(crew);
    if (rc == 0) {
        window_choose(&w);
        rc = windows_run(&w, &verdict);
        mp__crew_leave(crew);
    }
    if (rc == 0 && options->errors != NULL) {
        rc = mp__objects_list(verdict.errors, call->count, options->errors);
        if (rc != 0)
            mp__fail(rc);
    }
    mp__objects_free(verdict.errors, call->count);
    if (rc != 0)
        return rc;
    if (options->progress != NULL)
        options->progress(call->count, call->count, options->progress_arg);
    return verdict_report(&verdict);
}
