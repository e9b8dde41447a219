/* What a dead worker leaves, put in order by the supervisor, or by the owner once that is dead too.
 *
 * How it works
 *   The record tells the task, if the task's word agrees; its `item` tells whether one was running.
 *   The order in which it is put in order is the order in which the next worker in the place relies
 *   on it: results, `from`, then the record. A death of the supervisor in between leaves the same
 *   to the owner: an item that was judged already is judged again, as lost.
 */
#include "workers/board.h"

#define ITEM_RUNS(item) ((item)&1)

static bool was_condemned(struct mp__worker *worker)
{
    return (atomic_load(&worker->run) & 3) == MP__RUN_CONDEMNED;
}

/* The result of an item that is to run again, or was never complete. */
static void item_reset(struct mp__job *job, uint32_t item)
{
    if (job->task != NULL)
        mp__cell_clear(&job->results[item]);
    else
        job->status[item] = MP__WELL;
}

/* The item that was running: to be run again, or lost. True if it is over. */
static bool item_judge(struct mp__object *pool, struct mp__task *task, uint32_t index, int code,
                       const struct mp__death *death)
{
    struct mp__job *job = mp__job_of(task);
    item_reset(job, task->first + index);
    if (!death->is_end && task->lost < job->retries) {
        task->lost++;
        return false;
    }
    mp__item_lose(pool, task, task->first + index, code, death);
    return true;
}

/* A task that was claimed by the place: what is left of it goes to the next worker there. */
static void task_harvest(struct mp__object *pool, struct mp__worker *worker, struct mp__task *task,
                         const struct mp__death *death)
{
    uint64_t item = atomic_load(&worker->item);
    uint32_t from = atomic_load(&task->from);
    if (item != 0 && item / 2 != from) {
        from = (uint32_t)(item / 2);
        task->lost = 0;
    }
    bool condemned = was_condemned(worker); /* perhaps just before it wrote the item's number */
    int code = condemned ? MP_EDEADLINE : MP_EDIED;
    if ((ITEM_RUNS(item) || condemned) && item_judge(pool, task, from, code, death)) {
        from++;
        task->lost = 0;
    }
    mp__step("supervisor.judged");
    atomic_store(&task->from, from);
    atomic_store(&worker->item, 0);
    mp__step("supervisor.harvested");
    if (from < task->count)
        return;
    mp__task_finish(mp__board_of(pool), task);
    atomic_store(&worker->task, 0);
}

/* Signed by the dead, and the pool's; freed by a sweep it may be another worker's by now. */
static bool is_of_the_dead(uint32_t piece, struct mp__object *pool, struct mp__worker *worker)
{
    const struct mp__piece_head *head = mp__piece_at(piece);
    return mp__piece_is_in(piece, pool) && head->author == atomic_load(&worker->owner);
}

/* A piece that its task does not refer to. One that is not the pool's yet goes with the sweep. */
static void piece_harvest(struct mp__object *pool, struct mp__worker *worker, struct mp__task *task)
{
    uint32_t piece = atomic_load(&worker->piece);
    bool referred = false;
    if (piece == 0)
        return;
    if (task != NULL) {
        struct mp__job *job = mp__job_of(task);
        uint32_t index = (uint32_t)(atomic_load(&worker->item) / 2);
        const struct mp__cell *cell =
            job->task != NULL && index < task->count ? &job->results[task->first + index] : NULL;
        referred = atomic_load(&task->failures) == piece ||
                   (cell != NULL && mp__cell_piece(cell) == piece);
    }
    atomic_store(&worker->piece, 0);
    if (!referred && is_of_the_dead(piece, pool, worker))
        mp__heap_give(mp__piece_at(piece));
}

void mp__worker_harvest(struct mp__object *pool, uint32_t w, const struct mp__death *death)
{
    struct mp__board *board = mp__board_of(pool);
    struct mp__worker *worker = &board->worker[w];
    uint32_t index = atomic_load(&worker->task);
    struct mp__task *task = index != 0 ? mp__task_at(board, index) : NULL;
    uint64_t word = task != NULL ? atomic_load(&task->word) : 0;
    bool claimed = mp__task_state(word) == MP__TASK_CLAIMED && mp__task_worker(word) == w;
    piece_harvest(pool, worker, claimed ? task : NULL);
    if (claimed) {
        task_harvest(pool, worker, task, death);
    } else {
        if (mp__task_state(word) == MP__TASK_DONE)
            mp__task_count(board, mp__task_at(board, task->lead), task->lead_serial, 0);
        atomic_store(&worker->task, 0);
    }
    atomic_store(&worker->run, MP__RUN_IDLE);
}
