/* Handing in: jobs, their tasks, and giving both back.
 *
 * How it works
 *   Tasks come from a private list of free ones, then from the table, which grows by pages. A task
 *   that is done goes to limbo, and is free once the head of the list has passed it. A job is a
 *   piece of the pool, written before its first task is queued. Work that nobody waits for any more
 *   is an orphan until it is done; each handing in looks at the oldest orphans.
 *   All of this is the owner's private business under the crew's lock, but for the queueing of a
 *   task; a death of the owner at any point ends the crew, and its memory goes with the board.
 */
#include "workers/hand_in.h"

#include "wire/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ORPHANS_LOOKED_AT = 2, SINGLE_MOST = 4096 };

/* ---- tasks --------------------------------------------------------------------------------- */

static void limbo_look(struct mp__crew *crew)
{
    uint64_t passed = mp__queue_pass(crew->board);
    if (passed == crew->passed)
        return;
    crew->passed = passed;
    uint32_t index = crew->limbo;
    crew->limbo = 0;
    while (index != 0) {
        struct mp__task *task = mp__task_at(crew->board, index);
        uint32_t next = task->sibling;
        uint32_t *list = task->position < passed ? &crew->free : &crew->limbo;
        task->sibling = *list;
        *list = index;
        index = next;
    }
}

static int page_add(struct mp__crew *crew)
{
    void *page;
    if (crew->pages == MP__TASK_PAGES)
        return -ENOMEM;
    size_t tasks = ((size_t)MP__TASKS_FIRST << crew->pages) + 1; /* one is its head */
    int rc = mp__heap_take(tasks * sizeof(struct mp__task), &page);
    if (rc != 0)
        return rc;
    atomic_store(&crew->board->pages[crew->pages++], mp__piece_ref(page));
    mp__step("job.page");
    mp__pool_join(page, crew->object);
    return 0;
}

static int task_take(struct mp__crew *crew, uint32_t *out)
{
    int rc = 0;
    if (crew->free == 0)
        limbo_look(crew);
    if (crew->free != 0) {
        *out = crew->free;
        crew->free = mp__task_at(crew->board, *out)->sibling;
        return 0;
    }
    if (crew->used == (MP__TASKS_FIRST << crew->pages) - MP__TASKS_FIRST)
        rc = page_add(crew);
    if (rc == 0)
        *out = crew->used++;
    return rc;
}

static void task_give(struct mp__crew *crew, uint32_t index)
{
    struct mp__task *task = mp__task_at(crew->board, index);
    task->sibling = crew->limbo;
    crew->limbo = index;
}

/* Fills a task with a new serial. */
static uint32_t task_begin(struct mp__task *task, struct mp__job *job, uint32_t first,
                           uint32_t count)
{
    /* relaxed, here and below: nobody else knows the task until it is queued */
    uint32_t serial = mp__task_serial(atomic_load_explicit(&task->word, memory_order_relaxed)) + 1;
    atomic_store_explicit(&task->word, mp__task_word(serial, 0, MP__TASK_FREE),
                          memory_order_relaxed);
    task->job = mp__piece_ref(job);
    task->first = first;
    task->count = count;
    task->sibling = 0;
    task->lost = 0;
    atomic_store_explicit(&task->from, 0, memory_order_relaxed);
    atomic_store_explicit(&task->failures, 0, memory_order_relaxed);
    return serial;
}

/* ---- work ---------------------------------------------------------------------------------- */

int mp__work_begin(struct mp__crew *crew, struct mp__job *job, const struct mp__terms *terms,
                   struct mp__work **out)
{
    struct mp__work *work = malloc(sizeof *work);
    if (work == NULL)
        return -ENOMEM;
    memset((void *)work, 0, sizeof *work);
    work->crew = crew;
    work->job = job;
    atomic_store(&work->references, 1);
    job->limit = terms->limit;
    job->retries = terms->retries;
    if (terms->notice != NULL) {
        work->notice = *terms->notice;
        atomic_store(&work->held, terms->notice->hold);
    }
    *out = work;
    return 0;
}

int mp__work_add(struct mp__work *work, struct mp__work_tail *tail, uint32_t first, uint32_t count)
{
    uint32_t index;
    struct mp__crew *crew = work->crew;
    int rc = task_take(crew, &index);
    if (rc != 0)
        return rc;
    struct mp__task *task = mp__task_at(crew->board, index);
    uint32_t serial = task_begin(task, work->job, first, count);
    if (tail->last == 0) {
        work->lead = index;
        tail->serial = serial;
        uint64_t watched = atomic_load(&work->references) > 1 ? MP__WATCHED : 0; /* by the helper */
        atomic_store(&task->finished, (uint64_t)serial << 32 | watched);
        crew->references++;
    } else {
        mp__task_at(crew->board, tail->last)->sibling = index;
    }
    task->lead = work->lead;
    task->lead_serial = tail->serial;
    tail->last = index;
    return 0;
}

void mp__work_queue(struct mp__work *work)
{
    struct mp__crew *crew = work->crew;
    uint32_t n = 0;
    atomic_store(&work->low, work->lead);
    for (uint32_t index = work->lead, next; index != 0; index = next, n++) {
        next = mp__task_at(crew->board, index)->sibling;
        mp__task_queue(crew->board, index, &crew->tail);
    }
    mp__idle_wake(crew->board, n);
}

static void tasks_give(struct mp__work *work)
{
    for (uint32_t index = work->lead, next; index != 0; index = next) {
        next = mp__task_at(work->crew->board, index)->sibling;
        task_give(work->crew, index);
    }
}

/* Of work that was never queued. */
void mp__work_discard(struct mp__work *work)
{
    tasks_give(work);
    if (work->lead != 0)
        work->crew->references--;
    free(work);
}

static void failures_give(struct mp__task *task)
{
    for (uint32_t ref = atomic_load(&task->failures); ref != 0;) {
        struct mp__failure *failure = mp__piece_at(ref);
        ref = failure->next;
        mp__heap_give(failure);
    }
}

static void work_reclaim(struct mp__work *work)
{
    struct mp__crew *crew = work->crew;
    struct mp__job *job = work->job;
    if (!atomic_load(&crew->over) || crew->buried) {
        for (uint32_t index = work->lead; index != 0;) {
            struct mp__task *task = mp__task_at(crew->board, index);
            failures_give(task);
            index = task->sibling;
        }
        for (uint32_t i = 0; job->task != NULL && i < job->items; i++)
            mp__cell_clear(&job->results[i]);
        tasks_give(work);
        mp__heap_give(job);
    }
    mp__crew_drop(crew);
    free(work);
}

static void orphan_add(struct mp__crew *crew, struct mp__work *work)
{
    work->next = NULL;
    *crew->orphans_end = work;
    crew->orphans_end = &work->next;
    crew->orphan_count++;
}

/* One that is not done goes behind the others: it may take long. */
void mp__orphans_reap(struct mp__crew *crew, size_t most)
{
    if (most > crew->orphan_count)
        most = crew->orphan_count;
    for (; most > 0; most--) {
        struct mp__work *work = crew->orphans;
        crew->orphans = work->next; /* NOLINT: the count says there is one */
        if (crew->orphans == NULL)
            crew->orphans_end = &crew->orphans;
        crew->orphan_count--;
        if (mp__work_is_done(work))
            work_reclaim(work);
        else
            orphan_add(crew, work);
    }
}

/* There was no memory: what nobody wants any more may have some. */
static void orphans_reap_all(struct mp__crew *crew)
{
    pthread_mutex_lock(&crew->lock);
    mp__orphans_reap(crew, crew->orphan_count);
    pthread_mutex_unlock(&crew->lock);
}

void mp__work_keep(struct mp__work *work)
{
    atomic_fetch_add(&work->references, 1);
}

void mp__work_release(struct mp__work *work)
{
    struct mp__crew *crew = work->crew;
    if (atomic_fetch_sub(&work->references, 1) != 1)
        return;
    if (mp__crew_check(crew) != 0) { /* in a forked child it is only a copy */
        free(work);
        return;
    }
    pthread_mutex_lock(&crew->lock);
    if (mp__work_is_done(work)) {
        work_reclaim(work);
    } else {
        orphan_add(crew, work);
    }
    bool last = crew->references == 0;
    pthread_mutex_unlock(&crew->lock);
    if (last)
        mp__crew_free(crew);
}

/* Queues work whose tasks were added by `add`, or gives it up. */
static int work_enter(struct mp__work *work, uint32_t chunk, bool is_input)
{
    struct mp__crew *crew = work->crew;
    struct mp__work_tail tail = {0, 0};
    pthread_mutex_lock(&crew->lock);
    mp__orphans_reap(crew, ORPHANS_LOOKED_AT);
    int rc = mp__crew_check_feed(crew, is_input);
    for (uint32_t i = 0; rc == 0 && i < work->job->items; i += chunk) {
        uint32_t left = work->job->items - i;
        rc = mp__work_add(work, &tail, i, left < chunk ? left : chunk);
        if (rc != 0)
            mp__fail(rc);
    }
    if (rc == 0)
        mp__work_queue(work);
    else
        mp__work_discard(work);
    pthread_mutex_unlock(&crew->lock);
    return rc;
}

/* Hands in a complete job, which is the crew's from now on whatever comes. */
static int job_enter(struct mp__crew *crew, struct mp__job *job, uint32_t chunk,
                     const struct mp__terms *terms, struct mp__work **out)
{
    struct mp__work *work;
    bool watched = terms->notice != NULL;
    job->tasks = (job->items + chunk - 1) / chunk; /* NOLINT: no caller gives 0 */
    mp__pool_join(job, crew->object);
    mp__step("job.joined");
    int rc = watched ? mp__helper_ensure(crew) : 0;
    bool has_helper = watched && rc == 0;
    if (rc == 0)
        rc = mp__work_begin(crew, job, terms, &work);
    if (rc != 0)
        mp__fail(rc);
    if (rc == 0 && watched)
        mp__work_keep(work);
    if (rc == 0)
        rc = work_enter(work, chunk, terms->is_input);
    if (rc != 0 && has_helper)
        mp__helper_forgo(crew);
    if (rc != 0) {
        mp__heap_give(job);
        return rc;
    }
    if (watched)
        mp__helper_watch(crew, work);
    *out = work;
    return 0;
}

/* ---- lists and single tasks ------------------------------------------------------------------ */

/* Eight bytes at least, so that all stands aligned. */
static size_t rounded(size_t size)
{
    return (size + 7) & ~(size_t)7;
}

/* How large the job's memory is: its head, two cells per item, the bytes of the arguments. */
static int job_measure(const mp_obj *items, size_t n, size_t *size)
{
    size_t cells;
    if (n > MP__ITEMS_MAX || !mp__size_mul(n, 2 * sizeof(struct mp__cell), &cells) ||
        !mp__size_add(cells, sizeof(struct mp__job), size))
        return mp__fail(-ENOMEM);
    for (size_t i = 0; i < n; i++) {
        size_t bytes;
        int rc = mp__cell_measure(items[i], &bytes);
        if (rc != 0)
            return rc;
        if (bytes > 0 && !mp__size_add(*size, rounded(bytes), size))
            return mp__fail(-ENOMEM);
    }
    return 0;
}

static unsigned char *args_write(struct mp__job *job, const mp_obj *items)
{
    unsigned char *memory = (unsigned char *)(job->results + job->items);
    for (uint32_t i = 0; i < job->items; i++) {
        size_t bytes = 0;
        mp__cell_measure(items[i], &bytes);
        mp__cell_write(&job->args[i], items[i], memory, bytes);
        if (mp__cell_form(&job->args[i]) == MP__NEAR)
            memory += rounded(bytes);
        atomic_store_explicit(&job->results[i].form, MP__EMPTY, memory_order_relaxed);
    }
    return memory; /* relaxed above: nobody else knows the job yet */
}

/* What the heap hands out for a single task anyway, so that there is room for a result. */
static size_t single_size(size_t size)
{
    size_t whole = 256;
    while (whole < size + 32 && whole < SINGLE_MOST)
        whole *= 2;
    return whole > size ? whole : size;
}

/* A job for a list; one of a single task gets some room for its result. */
static int job_make(mp_task *task, const mp_obj *items, size_t n, bool room, struct mp__job **out)
{
    struct mp__job *job;
    size_t size;
    int rc = job_measure(items, n, &size);
    if (rc != 0)
        return rc;
    if (room)
        size = single_size(size);
    rc = mp__piece_take(size, &job);
    if (rc != 0)
        return mp__fail(rc);
    memset((void *)job, 0, sizeof *job);
    job->task = task;
    job->items = (uint32_t)n;
    job->args = (struct mp__cell *)(void *)(job + 1);
    job->results = job->args + n;
    unsigned char *end = args_write(job, items);
    if (room) {
        job->room = end;
        job->room_size = (size_t)((unsigned char *)job + size - end);
    }
    *out = job;
    return 0;
}

int mp__terms_set(struct mp__terms *terms, double seconds, unsigned retries)
{
    int64_t span = 0;
    if (!(seconds >= 0))
        return mp__fail(MP_EINVAL);
    mp__span_of(seconds, &span);
    /* one that would not end within a century has no limit */
    terms->limit = span > 0 && span < (int64_t)3600 * 24 * 36500 * MP__SECOND ? span : 0;
    if (seconds > 0 && span == 0)
        terms->limit = 1;
    terms->retries = retries;
    return 0;
}

static int work_hand_in(struct mp__crew *crew, mp_task *task, const mp_obj *items, size_t n,
                        size_t chunk, bool is_single, const struct mp__terms *terms,
                        struct mp__work **out)
{
    struct mp__job *job;
    int rc = job_make(task, items, n, is_single, &job);
    if (rc == -ENOMEM) {
        orphans_reap_all(crew);
        rc = job_make(task, items, n, is_single, &job);
    }
    if (rc != 0)
        return rc;
    return job_enter(crew, job, chunk < n ? (uint32_t)chunk : (uint32_t)n, terms, out);
}

int mp__work_submit(struct mp__crew *crew, mp_task *task, mp_obj arg, const struct mp__terms *terms,
                    struct mp__work **out)
{
    int rc = mp__crew_check_open(crew);
    return rc != 0 ? rc : work_hand_in(crew, task, &arg, 1, 1, true, terms, out);
}

int mp__work_map(struct mp__crew *crew, mp_task *task, const mp_obj *items, size_t n, size_t chunk,
                 const struct mp__terms *terms, struct mp__work **out)
{
    int rc = terms->is_input ? mp__crew_check_input(crew) : mp__crew_check_open(crew);
    return rc != 0 ? rc : work_hand_in(crew, task, items, n, chunk, false, terms, out);
}

/* ---- questions ------------------------------------------------------------------------------ */

bool mp__work_is_done(struct mp__work *work)
{
    struct mp__crew *crew = work->crew;
    uint32_t low = atomic_load(&work->low);
    if (atomic_load(&crew->over))
        return true;
    while (low != 0) {
        struct mp__task *task = mp__task_at(crew->board, low);
        if (mp__task_state(atomic_load(&task->word)) != MP__TASK_DONE)
            return false;
        low = task->sibling;
        atomic_store(&work->low, low);
    }
    return true;
}

bool mp__work_is_ready(struct mp__work *work)
{
    return mp__work_is_done(work) && !atomic_load(&work->held);
}

bool mp__work_has_begun(struct mp__work *work)
{
    struct mp__task *lead = mp__task_at(work->crew->board, work->lead);
    return mp__task_state(atomic_load(&lead->word)) == MP__TASK_CLAIMED;
}

size_t mp__work_count(struct mp__work *work, size_t *total)
{
    size_t done = 0;
    for (uint32_t index = work->lead; index != 0;) {
        struct mp__task *task = mp__task_at(work->crew->board, index);
        if (mp__task_state(atomic_load(&task->word)) == MP__TASK_DONE)
            done += task->count;
        index = task->sibling;
    }
    *total = work->job->items;
    return done;
}

struct mp__crew *mp__work_crew(struct mp__work *work)
{
    return work->crew;
}

/* A task that nobody has claimed becomes done; that its results are EMPTY tells that it never
   ran. */
static bool task_cancel(struct mp__crew *crew, struct mp__task *task)
{
    uint64_t word = atomic_load(&task->word);
    uint64_t done = mp__task_word(mp__task_serial(word), 0, MP__TASK_DONE);
    uint32_t tasks = mp__job_of(task)->tasks;
    if (mp__task_state(word) != MP__TASK_QUEUED ||
        !atomic_compare_exchange_strong(&task->word, &word, done))
        return false;
    mp__task_count(crew->board, mp__task_at(crew->board, task->lead), task->lead_serial, tasks);
    return true;
}

bool mp__work_cancel(struct mp__work *work)
{
    struct mp__crew *crew = work->crew;
    bool any = false;
    pthread_mutex_lock(&crew->lock);
    for (uint32_t index = work->lead; index != 0 && !atomic_load(&crew->over);) {
        struct mp__task *task = mp__task_at(crew->board, index);
        any = task_cancel(crew, task) || any;
        index = task->sibling;
    }
    pthread_mutex_unlock(&crew->lock);
    atomic_fetch_add(&crew->cancels, any);
    if (any)
        mp__waiters_wake(crew);
    return any;
}

static void list_task_cancel(struct mp__crew *crew, uint32_t index)
{
    struct mp__task *task = mp__task_at(crew->board, index);
    if (mp__task_state(atomic_load(&task->word)) == MP__TASK_QUEUED &&
        mp__job_of(task)->task != NULL)
        task_cancel(crew, task);
}

void mp__crew_cancel(struct mp__crew *crew)
{
    pthread_mutex_lock(&crew->lock);
    if (!atomic_load(&crew->over)) {
        mp__queue_pass(crew->board);
        uint32_t index = (uint32_t)atomic_load(&crew->board->head);
        for (; index != 0; index = atomic_load(&mp__task_at(crew->board, index)->next))
            list_task_cancel(crew, index);
        if (mp__any_left_over(crew->board))
            list_task_cancel(crew, (uint32_t)atomic_load(&crew->board->left_over));
    }
    pthread_mutex_unlock(&crew->lock);
    atomic_fetch_add(&crew->cancels, 1);
    mp__waiters_wake(crew);
}
