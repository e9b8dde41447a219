/* What is made of a worker that died at each point of its work. */
#include "workers/bare_crew.h"

#include <signal.h>
#include <string.h>

enum { ITEMS = 4 };

static const struct mp__death death = {.pid = 77, .end = -SIGSEGV};

/* A crew of one place, with a list of four items in one task, claimed. */
static struct mp__task *scene_set(struct mp__crew **crew, struct mp__work **work, unsigned retries)
{
    *crew = bare_crew_make(1);
    *work = bare_work(*crew, 0, ITEMS, ITEMS, retries);
    uint32_t index = mp__task_claim((*crew)->board, 0);
    check(index != 0);
    return mp__task_at((*crew)->board, index);
}

static void scene_end(struct mp__crew *crew, struct mp__work *work)
{
    mp__work_release(work);
    bare_crew_end(crew);
}

static void item_complete(struct mp__crew *crew, struct mp__task *task, uint32_t i)
{
    mp__cell_write(&mp__job_of(task)->results[i], mp_obj_int(i), NULL, 0);
    atomic_store(&crew->board->worker[0].item, 2 * (uint64_t)i + 2);
}

static void item_begin(struct mp__crew *crew, uint32_t i)
{
    atomic_store(&crew->board->worker[0].item, 2 * (uint64_t)i + 1);
}

/* The next worker in the place goes on. */
static void successor_runs(struct mp__crew *crew, struct mp__task *task)
{
    check(atomic_load(&crew->board->worker[0].task) != 0);
    for (uint32_t i = atomic_load(&task->from); i < task->count; i++)
        item_complete(crew, task, i);
    mp__task_finish(crew->board, task);
    atomic_store(&crew->board->worker[0].task, 0);
}

static void test_a_death_before_the_claim_loses_nothing(void **state)
{
    (void)state;
    struct mp__crew *crew = bare_crew_make(2);
    struct mp__work *work = bare_work(crew, 0, 1, 1, 0);
    atomic_store(&crew->board->worker[0].task, work->lead);
    mp__worker_harvest(crew->object, 0, &death);
    check(atomic_load(&crew->board->worker[0].task) == 0);
    check(bare_worker_turn(crew, 1));
    check(mp__work_code(work, 0) == 0);
    scene_end(crew, work);
}

static void test_a_death_between_items_loses_nothing(void **state)
{
    (void)state;
    struct mp__crew *crew;
    struct mp__work *work;
    struct mp__task *task = scene_set(&crew, &work, 0);
    mp__worker_harvest(crew->object, 0, &death);
    check(atomic_load(&task->from) == 0);
    item_complete(crew, task, 0);
    item_complete(crew, task, 1);
    mp__worker_harvest(crew->object, 0, &death);
    check(atomic_load(&task->from) == 2 && !mp__work_is_done(work));
    successor_runs(crew, task);
    for (size_t i = 0; i < ITEMS; i++)
        check(mp__work_code(work, i) == 0);
    scene_end(crew, work);
}

static void test_a_death_in_an_item_loses_that_item(void **state)
{
    (void)state;
    struct mp__crew *crew;
    struct mp__work *work;
    struct mp__task *task = scene_set(&crew, &work, 0);
    item_complete(crew, task, 0);
    item_begin(crew, 1);
    mp__worker_harvest(crew->object, 0, &death);
    check(atomic_load(&task->from) == 2);
    successor_runs(crew, task);
    check(mp__work_code(work, 0) == 0 && mp__work_code(work, 2) == 0);
    assert_mp_error(mp__work_result(work, 1, NULL), MP_EDIED);
    check(strcmp(mp_error_detail(), "worker 77 killed by SIGSEGV while running item 1") == 0);
    scene_end(crew, work);
}

static void test_a_death_in_the_last_item_finishes_the_task(void **state)
{
    (void)state;
    struct mp__crew *crew;
    struct mp__work *work;
    struct mp__task *task = scene_set(&crew, &work, 0);
    for (uint32_t i = 0; i < ITEMS - 1; i++)
        item_complete(crew, task, i);
    item_begin(crew, ITEMS - 1);
    mp__worker_harvest(crew->object, 0, &death);
    check(mp__work_is_done(work) && atomic_load(&crew->board->worker[0].task) == 0);
    check(mp__work_code(work, ITEMS - 1) == MP_EDIED);
    scene_end(crew, work);
}

static void test_a_lost_item_runs_again_as_often_as_allowed(void **state)
{
    (void)state;
    struct mp__crew *crew;
    struct mp__work *work;
    struct mp__task *task = scene_set(&crew, &work, 2);
    for (int i = 0; i < 2; i++) {
        item_begin(crew, 0);
        mp__worker_harvest(crew->object, 0, &death);
        check(atomic_load(&task->from) == 0);
    }
    item_complete(crew, task, 0);
    item_begin(crew, 1); /* another item has its own retries */
    mp__worker_harvest(crew->object, 0, &death);
    check(atomic_load(&task->from) == 1);
    for (int i = 0; i < 2; i++) {
        item_begin(crew, 1);
        mp__worker_harvest(crew->object, 0, &death);
    }
    check(atomic_load(&task->from) == 2);
    successor_runs(crew, task);
    check(mp__work_code(work, 0) == 0 && mp__work_code(work, 1) == MP_EDIED);
    scene_end(crew, work);
}

static void test_a_condemned_item_is_overdue(void **state)
{
    (void)state;
    struct mp__crew *crew;
    struct mp__work *work;
    struct mp__task *task = scene_set(&crew, &work, 0);
    item_begin(crew, 0);
    atomic_store(&crew->board->worker[0].run, MP__RUN_CONDEMNED | 4);
    mp__worker_harvest(crew->object, 0, &death);
    check(atomic_load(&task->from) == 1);
    /* condemned before it could write the item's number */
    atomic_store(&crew->board->worker[0].run, MP__RUN_CONDEMNED | 8);
    mp__worker_harvest(crew->object, 0, &death);
    check(atomic_load(&task->from) == 2);
    successor_runs(crew, task);
    check(mp__work_code(work, 0) == MP_EDEADLINE && mp__work_code(work, 1) == MP_EDEADLINE);
    scene_end(crew, work);
}

static void test_a_death_after_done_is_counted_for_the_dead(void **state)
{
    (void)state;
    struct mp__crew *crew;
    struct mp__work *work;
    struct mp__task *task = scene_set(&crew, &work, 0);
    for (uint32_t i = 0; i < ITEMS; i++)
        item_complete(crew, task, i);
    uint64_t word = atomic_load(&task->word);
    atomic_store(&task->word, mp__task_word(mp__task_serial(word), 0, MP__TASK_DONE));
    mp__work_expect(work);
    mp__worker_harvest(crew->object, 0, &death);
    check(mp__gate_wait(&crew->board->done, mp__moment_in(1)));
    check(mp__work_is_done(work) && atomic_load(&crew->board->worker[0].task) == 0);
    scene_end(crew, work);
}

static void test_a_piece_that_no_result_has_is_freed(void **state)
{
    (void)state;
    struct mp__crew *crew;
    struct mp__work *work;
    struct mp__heap_count before, after;
    struct mp__task *task = scene_set(&crew, &work, 0);
    void *piece;
    check(mp__heap_is_valid(&before));
    atomic_store(&crew->board->worker[0].owner, mp__self_owner()); /* it signs with this */
    item_begin(crew, 0);
    check(mp__piece_take(1000, &piece) == 0);
    atomic_store(&crew->board->worker[0].piece, mp__piece_ref(piece));
    mp__pool_join(piece, crew->object);
    mp__worker_harvest(crew->object, 0, &death);
    check(!mp__piece_is_in(mp__piece_ref(piece), crew->object));
    /* and one that a lost item's result has */
    item_begin(crew, 1);
    check(mp__piece_take(1000, &piece) == 0);
    atomic_store(&crew->board->worker[0].piece, mp__piece_ref(piece));
    mp__pool_join(piece, crew->object);
    mp__cell_hand_over(&mp__job_of(task)->results[1], mp__piece_ref(piece), 1000);
    mp__worker_harvest(crew->object, 0, &death);
    check(!mp__piece_is_in(mp__piece_ref(piece), crew->object));
    check(mp__heap_is_valid(&after) && after.blocks == before.blocks && after.runs == before.runs);
    successor_runs(crew, task);
    check(mp__work_code(work, 1) == MP_EDIED);
    scene_end(crew, work);
}

static void test_a_piece_that_is_another_workers_by_now_stays(void **state)
{
    (void)state;
    struct mp__crew *crew;
    struct mp__work *work;
    struct mp__task *task = scene_set(&crew, &work, 0);
    void *piece;
    item_begin(crew, 0);
    check(mp__piece_take(1000, &piece) == 0);
    atomic_store(&crew->board->worker[0].owner, mp__self_owner() + (1 << MP__SLOT_BITS));
    atomic_store(&crew->board->worker[0].piece, mp__piece_ref(piece));
    mp__pool_join(piece, crew->object);
    mp__worker_harvest(crew->object, 0, &death);
    check(mp__piece_is_in(mp__piece_ref(piece), crew->object));
    mp__heap_give(piece);
    successor_runs(crew, task);
    scene_end(crew, work);
}

static void test_nothing_runs_again_once_the_pool_ends(void **state)
{
    (void)state;
    struct mp__crew *crew;
    struct mp__work *work;
    const struct mp__death end = {.pid = 77, .end = -SIGTERM, .is_end = true};
    struct mp__task *task = scene_set(&crew, &work, 5);
    item_begin(crew, 0);
    mp__worker_harvest(crew->object, 0, &end);
    check(atomic_load(&task->from) == 1);
    successor_runs(crew, task);
    check(mp__work_code(work, 0) == MP_EDIED);
    scene_end(crew, work);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("Harvest: a death before the claim loses nothing",
                     test_a_death_before_the_claim_loses_nothing),
        support_test("Harvest: a death between items loses nothing",
                     test_a_death_between_items_loses_nothing),
        support_test("Harvest: a death in an item loses that item",
                     test_a_death_in_an_item_loses_that_item),
        support_test("Harvest: a death in the last item finishes the task",
                     test_a_death_in_the_last_item_finishes_the_task),
        support_test("Harvest: a lost item runs again as often as allowed",
                     test_a_lost_item_runs_again_as_often_as_allowed),
        support_test("Harvest: a condemned item is overdue", test_a_condemned_item_is_overdue),
        support_test("Harvest: a death after DONE is counted for the dead",
                     test_a_death_after_done_is_counted_for_the_dead),
        support_test("Harvest: a piece that no result has is freed",
                     test_a_piece_that_no_result_has_is_freed),
        support_test("Harvest: a piece that is another worker's by now stays",
                     test_a_piece_that_is_another_workers_by_now_stays),
        support_test("Harvest: nothing runs again once the pool ends",
                     test_nothing_runs_again_once_the_pool_ends),
    };
    return support_run("Harvest", tests);
}
