/* A crew without processes. */
#include "workers/bare_crew.h"

#include <stdlib.h>
#include <string.h>

struct mp__crew *bare_crew_make(uint32_t workers)
{
    uint64_t me;
    struct mp__crew *crew = calloc(1, sizeof *crew);
    check(crew != NULL);
    check(mp__self_word(&me) == 0);
    check(mp__board_make(workers, &crew->object) == 0);
    crew->board = mp__board_of(crew->object);
    crew->creator = mp__owner_of(me);
    crew->references = 1;
    crew->used = crew->pages = 1;
    crew->orphans_end = &crew->orphans;
    crew->watched_end = &crew->watched;
    crew->buried = true;
    atomic_store(&crew->looked, MP__NEVER); /* there is no supervisor to look for */
    pthread_mutex_init(&crew->lock, NULL);
    pthread_mutex_init(&crew->wait_lock, NULL);
    pthread_cond_init(&crew->wait_cond, NULL);
    return crew;
}

static bool claimed_by(struct mp__board *board, uint32_t index, uint32_t w)
{
    uint64_t word = atomic_load(&mp__task_at(board, index)->word);
    return mp__task_state(word) == MP__TASK_CLAIMED && mp__task_worker(word) == w;
}

static bool task_is_valid(struct mp__board *board, const struct mp__task *task, uint32_t index)
{
    uint64_t word = atomic_load(&task->word);
    uint32_t w = mp__task_worker(word);
    switch (mp__task_state(word)) {
    case MP__TASK_FREE:
    case MP__TASK_DONE:
        return true;
    case MP__TASK_QUEUED:
        return atomic_load(&task->from) <= task->count;
    case MP__TASK_CLAIMED:
        return w < board->workers && atomic_load(&board->worker[w].task) == index &&
               atomic_load(&task->from) <= task->count;
    }
    return false;
}

bool board_is_valid(struct mp__board *board)
{
    uint32_t tasks = 0;
    for (uint32_t p = 0; p < MP__TASK_PAGES && atomic_load(&board->pages[p]) != 0; p++)
        tasks += MP__TASKS_FIRST << p;
    for (uint32_t i = 1; i < tasks; i++)
        if (!task_is_valid(board, mp__task_at(board, i), i))
            return false;
    uint64_t last = 0;
    for (uint32_t i = (uint32_t)atomic_load(&board->head); i != 0;
         i = atomic_load(&mp__task_at(board, i)->next)) {
        if (i >= tasks || mp__task_at(board, i)->position < last)
            return false;
        last = mp__task_at(board, i)->position;
    }
    for (uint32_t w = 0; w < board->workers; w++)
        for (uint32_t v = 0; v < w; v++) {
            uint32_t index = atomic_load(&board->worker[w].task);
            if (index != 0 && index == atomic_load(&board->worker[v].task) &&
                claimed_by(board, index, w) && claimed_by(board, index, v))
                return false;
        }
    return true;
}

void bare_crew_end(struct mp__crew *crew)
{
    check(board_is_valid(crew->board));
    mp__orphans_reap(crew, 1000000);
    check(crew->references == 1);
    mp__crew_free(crew);
}

static int add_one(mp_obj arg, mp_obj *result)
{
    *result = mp_obj_int(arg.i + 1);
    return 0;
}

bool bare_worker_turn(struct mp__crew *crew, uint32_t w)
{
    struct mp__worker *me = &crew->board->worker[w];
    uint32_t index = mp__task_claim(crew->board, w);
    if (index == 0)
        return false;
    struct mp__task *task = mp__task_at(crew->board, index);
    struct mp__job *job = mp__job_of(task);
    for (uint32_t i = atomic_load(&task->from); i < task->count; i++) {
        mp_obj arg, result;
        atomic_store(&me->item, 2 * (uint64_t)i + 1);
        check(mp__cell_read(&job->args[task->first + i], &arg) == 0);
        check(job->task(arg, &result) == 0);
        mp__cell_write(&job->results[task->first + i], result, NULL, 0);
        atomic_store(&me->item, 2 * (uint64_t)i + 2);
    }
    mp__task_finish(crew->board, task);
    atomic_store(&me->task, 0);
    return true;
}

struct mp__work *bare_work(struct mp__crew *crew, int64_t first, size_t n, size_t chunk,
                           unsigned retries)
{
    struct mp__work *work;
    struct mp__terms terms = {.retries = retries};
    mp_obj *items = calloc(n, sizeof *items);
    check(items != NULL);
    for (size_t i = 0; i < n; i++)
        items[i] = mp_obj_int(first + (int64_t)i);
    (void)assert_mp_ok(mp__work_map(crew, add_one, items, n, chunk, &terms, &work));
    free(items);
    return work;
}
