/* The list of queued tasks, claiming and finishing them, and waking who waits for one.
 *
 * How it works
 *   See board.h for the words. The head names a task that was passed; what follows it is either
 *   queued, or claimed by somebody who has not moved the head yet: then whoever comes moves it.
 *   Who looks at a head that has moved on meanwhile may read any task's `next`; a CAS of the head
 *   fails then, and a task found queued that way is queued, wherever it stands, and may be claimed.
 *
 *   An idle worker sets its bit, looks once more, and sleeps on its own gate; who queues a task
 *   looks for bits afterwards. A death between leaves a bit that wakes nobody: the supervisor prods
 *   idle workers while tasks wait.
 */
#include "workers/board.h"

static uint64_t head_at(uint64_t head, uint32_t index)
{
    return ((head >> 32) + 1) << 32 | index;
}

void mp__task_queue(struct mp__board *board, uint32_t index, uint32_t *tail)
{
    struct mp__task *task = mp__task_at(board, index), *last = mp__task_at(board, *tail);
    task->position = last->position + 1;
    /* relaxed: only the owner changes a task that is FREE */
    atomic_store_explicit(&task->next, 0, memory_order_relaxed);
    uint32_t serial = mp__task_serial(atomic_load_explicit(&task->word, memory_order_relaxed));
    /* release, twice: who sees it queued sees the job, who sees the link sees it queued */
    atomic_store_explicit(&task->word, mp__task_word(serial, 0, MP__TASK_QUEUED),
                          memory_order_release);
    mp__step("job.queued");
    atomic_store_explicit(&last->next, index, memory_order_release);
    mp__step("job.linked");
    *tail = index;
}

static bool is_queued(struct mp__board *board, uint32_t index)
{
    return mp__task_state(atomic_load(&mp__task_at(board, index)->word)) == MP__TASK_QUEUED;
}

/* The first task behind the head, as long as the head stands; 0: none. */
static uint32_t queue_next(struct mp__board *board, uint64_t *head)
{
    for (;;) {
        *head = atomic_load(&board->head);
        uint32_t next = atomic_load(&mp__task_at(board, (uint32_t)*head)->next);
        if (next != 0 || atomic_load(&board->head) == *head)
            return next;
    }
}

static void queue_move(struct mp__board *board, uint64_t head, uint32_t next)
{
    atomic_compare_exchange_strong(&board->head, &head, head_at(head, next));
}

uint64_t mp__queue_pass(struct mp__board *board)
{
    uint64_t head;
    uint32_t next;
    while ((next = queue_next(board, &head)) != 0 && !is_queued(board, next))
        queue_move(board, head, next);
    return mp__task_at(board, (uint32_t)head)->position;
}

bool mp__queue_is_empty(struct mp__board *board)
{
    uint64_t head;
    uint32_t next;
    while ((next = queue_next(board, &head)) != 0) {
        if (is_queued(board, next))
            return false;
        queue_move(board, head, next);
    }
    return true;
}

static bool task_try(struct mp__board *board, uint32_t w, uint32_t index)
{
    struct mp__worker *me = &board->worker[w];
    struct mp__task *task = mp__task_at(board, index);
    uint64_t word = atomic_load(&task->word);
    if (mp__task_state(word) != MP__TASK_QUEUED)
        return false;
    atomic_store(&me->item, 0);
    atomic_store(&me->task, index);
    mp__step("worker.intends");
    uint64_t mine = mp__task_word(mp__task_serial(word), w, MP__TASK_CLAIMED);
    if (!atomic_compare_exchange_strong(&task->word, &word, mine))
        return false;
    mp__step("worker.claimed");
    return true;
}

/* What the supervisor left over, if nobody has it yet. */
static uint32_t left_over_claim(struct mp__board *board, uint32_t w)
{
    uint64_t left = atomic_load(&board->left_over);
    uint32_t index = (uint32_t)left;
    if (index == 0)
        return 0;
    bool mine = task_try(board, w, index);
    atomic_compare_exchange_strong(&board->left_over, &left, left & ~(uint64_t)UINT32_MAX);
    return mine ? index : 0;
}

uint32_t mp__task_claim(struct mp__board *board, uint32_t w)
{
    uint64_t head;
    uint32_t next = left_over_claim(board, w);
    if (next != 0)
        return next;
    while ((next = queue_next(board, &head)) != 0) {
        bool mine = task_try(board, w, next);
        queue_move(board, head, next);
        mp__step("worker.moved");
        if (mine)
            return next;
    }
    atomic_store(&board->worker[w].task, 0);
    return 0;
}

void mp__task_count(struct mp__board *board, struct mp__task *lead, uint32_t serial, uint32_t tasks)
{
    uint64_t seen = atomic_load(&lead->finished);
    do {
        if (mp__task_serial(seen) != serial)
            return; /* the owner saw all done, and has another job begin here */
    } while (!atomic_compare_exchange_weak(&lead->finished, &seen, seen + 1));
    mp__step("worker.counted");
    if ((seen & MP__TASKS_DONE) + 1 >= tasks && (seen & MP__WATCHED))
        mp__gate_post(&board->done);
}

/* Once the task is DONE its job may be gone: all that is needed is read before. */
void mp__task_finish(struct mp__board *board, struct mp__task *task)
{
    struct mp__task *lead = mp__task_at(board, task->lead);
    uint32_t serial = task->lead_serial, tasks = mp__job_of(task)->tasks;
    uint64_t word = atomic_load(&task->word);
    mp__step("worker.finishing");
    atomic_store(&task->word,
                 mp__task_word(mp__task_serial(word), mp__task_worker(word), MP__TASK_DONE));
    mp__step("worker.finished");
    mp__task_count(board, lead, serial, tasks);
}

void mp__idle_wake(struct mp__board *board, uint32_t n)
{
    /* pairs with the worker's: it has set its bit, or sees what was queued */
    atomic_thread_fence(memory_order_seq_cst);
    for (uint32_t i = 0; i < (board->workers + 63) / 64 && n > 0; i++) {
        uint64_t bits;
        while (n > 0 && (bits = atomic_load(&board->idle[i])) != 0) {
            uint64_t bit = bits & -bits;
            if ((atomic_fetch_and(&board->idle[i], ~bit) & bit) == 0)
                continue;
            mp__gate_post(&board->worker[i * 64 + (uint32_t)__builtin_ctzll(bit)].gate);
            n--;
        }
    }
}
