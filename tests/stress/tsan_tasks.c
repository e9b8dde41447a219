/* Tasks of a pool: who claims one sees the job as it was written, and its owner sees what was done;
 * tasks and jobs are used again meanwhile, cancelled, and taken over from the dead. */
#include "stress/threads.h"

#include "workers/bare_crew.h"

#include <stdlib.h>

enum { JOBS = 4000, ITEMS = 5, IN_FLIGHT = 16, WORKERS = THREADS - 1 };

static struct mp__crew *crew;
static _Atomic bool over;
static _Atomic long deaths;

static void work_check(struct mp__work *work, long number, bool cancelled)
{
    for (size_t i = 0; i < ITEMS; i++) {
        mp_obj value;
        int rc = mp__work_result(work, i, &value);
        check(rc == 0 || (rc == MP_ECANCELLED && cancelled) || rc == MP_EDIED);
        check(rc != 0 || value.i == number * ITEMS + (long)i + 1);
    }
    mp__work_release(work);
}

static void owner_body(struct team_member *me)
{
    struct mp__work *flying[IN_FLIGHT] = {NULL};
    bool cancelled[IN_FLIGHT] = {false};
    for (long n = 0; n < JOBS + IN_FLIGHT; n++) {
        long slot = n % IN_FLIGHT;
        if (flying[slot] != NULL) {
            while (!mp__work_is_done(flying[slot]))
                ;
            work_check(flying[slot], n - IN_FLIGHT, cancelled[slot]);
            flying[slot] = NULL;
        }
        if (n >= JOBS)
            continue;
        size_t chunk = 1 + (size_t)rng_below(&me->rng, ITEMS);
        flying[slot] = bare_work(crew, n * ITEMS, ITEMS, chunk, 0);
        cancelled[slot] = rng_below(&me->rng, 8) == 0 && mp__work_cancel(flying[slot]);
    }
    atomic_store(&over, true);
}

/* A worker that dies in its first item; this thread goes on as supervisor, and as its successor. */
static void worker_die(uint32_t w)
{
    static const struct mp__death death = {.pid = 1, .end = -9};
    struct mp__worker *place = &crew->board->worker[w];
    uint32_t index = mp__task_claim(crew->board, w);
    if (index == 0)
        return;
    struct mp__task *task = mp__task_at(crew->board, index);
    struct mp__job *job = mp__job_of(task);
    atomic_store_explicit(&place->item, 1, memory_order_release);
    mp__worker_harvest(crew->object, w, &death);
    atomic_fetch_add(&deaths, 1);
    if (atomic_load(&place->task) == 0)
        return;
    for (uint32_t i = atomic_load(&task->from); i < task->count; i++) {
        mp_obj arg;
        check(mp__cell_read(&job->args[task->first + i], &arg) == 0);
        mp__cell_write(&job->results[task->first + i], mp_obj_int(arg.i + 1), NULL, 0);
    }
    mp__task_finish(crew->board, task);
    atomic_store(&place->task, 0);
}

static void body(struct team_member *me)
{
    if (me->index == WORKERS) {
        owner_body(me);
        return;
    }
    while (!atomic_load(&over))
        if (rng_below(&me->rng, 16) == 0)
            worker_die((uint32_t)me->index);
        else
            bare_worker_turn(crew, (uint32_t)me->index);
}

static void test_jobs_and_results_are_handed_over_whole(void **state)
{
    (void)state;
    support_time_limit(100);
    crew = bare_crew_make(WORKERS);
    team_run(body);
    check(atomic_load(&deaths) > 0);
    bare_crew_end(crew);
}

/* An item's end and its condemnation: exactly one of the two. */
enum { DEADLINES = 20000 };

static long plain[DEADLINES]; /* written by who won */
static _Atomic uint64_t run_word;
static _Atomic long round_now, arrived;

static void rounds_meet(long n)
{
    if (atomic_fetch_add(&arrived, 1) + 1 == 2 * (n + 1))
        atomic_store(&round_now, n + 1);
    while (atomic_load(&round_now) <= n)
        ;
}

static void deadline_body(struct team_member *me)
{
    if (me->index > 1)
        return;
    for (long n = 0; n < DEADLINES; n++) {
        uint64_t running = (uint64_t)(n + 1) << 2 | MP__RUN_RUNNING;
        if (me->index == 0)
            atomic_store(&run_word, running);
        rounds_meet(2 * n);
        uint64_t seen = running;
        uint64_t to =
            me->index == 0 ? running & ~UINT64_C(3) : (running & ~UINT64_C(3)) | MP__RUN_CONDEMNED;
        if (atomic_compare_exchange_strong(&run_word, &seen, to))
            plain[n]++;
        rounds_meet(2 * n + 1);
        check(plain[n] == 1);
    }
}

static void test_an_item_ends_or_is_condemned_never_both(void **state)
{
    (void)state;
    support_time_limit(100);
    team_run(deadline_body);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("Tasks: jobs and results are handed over whole",
                     test_jobs_and_results_are_handed_over_whole),
        support_test("Tasks: an item ends or is condemned, never both",
                     test_an_item_ends_or_is_condemned_never_both),
    };
    return support_run("Tasks in threads", tests);
}
