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

void bare_crew_end(struct mp__crew *crew)
{
    check(mp__board_is_valid(crew->board));
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
