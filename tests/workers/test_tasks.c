/* The list of queued tasks: order, claims, cancellation, and tasks that are used again. */
#include "workers/bare_crew.h"

enum { WORKERS = 4 };

static void check_values(struct mp__work *work, int64_t first, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        mp_obj value;
        (void)assert_mp_ok(mp__work_result(work, i, &value));
        check(value.i == first + (int64_t)i + 1);
    }
}

static void test_tasks_are_claimed_in_the_order_they_were_handed_in(void **state)
{
    (void)state;
    struct mp__crew *crew = bare_crew_make(WORKERS);
    struct mp__work *work = bare_work(crew, 0, 10, 1, 0);
    uint32_t last = 0;
    for (uint32_t i = 0; i < 10; i++) {
        uint32_t index = mp__task_claim(crew->board, i % WORKERS);
        struct mp__task *task = mp__task_at(crew->board, index);
        check(index != 0 && index != last && task->first == i);
        last = index;
        atomic_store(&task->from, task->count);
        mp__task_finish(crew->board, task);
    }
    check(mp__task_claim(crew->board, 0) == 0);
    check(mp__work_is_done(work));
    mp__work_release(work);
    bare_crew_end(crew);
}

static void test_a_claimed_task_is_nobody_elses(void **state)
{
    (void)state;
    struct mp__crew *crew = bare_crew_make(WORKERS);
    struct mp__work *work = bare_work(crew, 0, 1, 1, 0);
    uint32_t index = mp__task_claim(crew->board, 1);
    check(index != 0);
    check(mp__task_claim(crew->board, 2) == 0);
    check(!mp__work_cancel(work));
    check(mp__work_has_begun(work) && !mp__work_is_done(work));
    mp__task_finish(crew->board, mp__task_at(crew->board, index));
    check(mp__work_is_done(work));
    mp__work_release(work);
    bare_crew_end(crew);
}

static void test_a_job_is_done_when_its_last_task_is(void **state)
{
    (void)state;
    struct mp__crew *crew = bare_crew_make(WORKERS);
    struct mp__work *work = bare_work(crew, 5, 10, 3, 0);
    for (int i = 0; i < 4; i++) {
        check(!mp__work_is_done(work));
        check(bare_worker_turn(crew, 0));
    }
    check(mp__work_is_done(work));
    check_values(work, 5, 10);
    mp__work_release(work);
    bare_crew_end(crew);
}

static void test_the_gate_is_posted_for_the_last_task_of_watched_work_only(void **state)
{
    (void)state;
    struct mp__crew *crew = bare_crew_make(WORKERS);
    struct mp__work *silent = bare_work(crew, 0, 2, 1, 0), *watched = bare_work(crew, 0, 2, 1, 0);
    mp__work_expect(watched);
    for (int i = 0; i < 3; i++) {
        check(bare_worker_turn(crew, 0));
        check(!mp__gate_wait(&crew->board->done, mp__moment_in(1)));
    }
    check(bare_worker_turn(crew, 0));
    check(mp__gate_wait(&crew->board->done, mp__moment_in(1)));
    mp__work_release(silent);
    mp__work_release(watched);
    bare_crew_end(crew);
}

static void test_cancelled_tasks_are_passed_over(void **state)
{
    (void)state;
    struct mp__crew *crew = bare_crew_make(WORKERS);
    struct mp__work *work[3];
    for (int i = 0; i < 3; i++)
        work[i] = bare_work(crew, 10 * i, 2, 2, 0);
    check(mp__work_cancel(work[1]));
    check(mp__work_is_done(work[1]) && mp__work_code(work[1], 0) == MP_ECANCELLED);
    check(bare_worker_turn(crew, 0));
    check(bare_worker_turn(crew, 1));
    check(!bare_worker_turn(crew, 2));
    check_values(work[0], 0, 2);
    check_values(work[2], 20, 2);
    for (int i = 0; i < 3; i++)
        mp__work_release(work[i]);
    bare_crew_end(crew);
}

/* Far more than there are tasks in the first pages, few of them at once. */
static void test_tasks_are_used_again(void **state)
{
    (void)state;
    struct mp__crew *crew = bare_crew_make(WORKERS);
    for (int64_t i = 0; i < 5000; i++) {
        struct mp__work *work = bare_work(crew, i, 3, 1, 0);
        for (uint32_t w = 0; w < 3; w++)
            check(bare_worker_turn(crew, w));
        check_values(work, i, 3);
        mp__work_release(work);
    }
    check(crew->used <= MP__TASKS_FIRST);
    bare_crew_end(crew);
}

static void test_a_task_is_not_used_again_before_the_head_has_passed_it(void **state)
{
    (void)state;
    struct mp__crew *crew = bare_crew_make(WORKERS);
    struct mp__work *first = bare_work(crew, 0, 1, 1, 0), *last = NULL;
    for (int i = 0; i < 200; i++) {
        struct mp__work *work = bare_work(crew, i, 1, 1, 0);
        check(mp__work_cancel(work));
        mp__work_release(work);
    }
    last = bare_work(crew, 7, 1, 1, 0);
    check(board_is_valid(crew->board));
    check(bare_worker_turn(crew, 0));
    check_values(first, 0, 1);
    check(bare_worker_turn(crew, 0));
    check_values(last, 7, 1);
    check(!bare_worker_turn(crew, 0));
    mp__work_release(first);
    mp__work_release(last);
    bare_crew_end(crew);
}

static void test_an_idle_worker_is_woken_by_its_own_gate(void **state)
{
    (void)state;
    struct mp__crew *crew = bare_crew_make(WORKERS);
    atomic_store(&crew->board->idle[0], 0x6);
    mp__idle_wake(crew->board, 1);
    check(atomic_load(&crew->board->idle[0]) == 0x4);
    check(mp__gate_wait(&crew->board->worker[1].gate, mp__moment_in(1)));
    check(!mp__gate_wait(&crew->board->worker[2].gate, mp__moment_in(1)));
    mp__idle_wake(crew->board, 5);
    check(atomic_load(&crew->board->idle[0]) == 0);
    check(mp__gate_wait(&crew->board->worker[2].gate, mp__moment_in(1)));
    bare_crew_end(crew);
}

static void test_a_task_left_over_is_claimed_first_and_once(void **state)
{
    (void)state;
    struct mp__crew *crew = bare_crew_make(WORKERS);
    struct mp__work *left = bare_work(crew, 0, 1, 1, 0), *other = bare_work(crew, 10, 1, 1, 0);
    uint32_t index = mp__task_claim(crew->board, 3);
    struct mp__task *task = mp__task_at(crew->board, index);
    uint32_t serial = mp__task_serial(atomic_load(&task->word));
    atomic_store(&crew->board->worker[3].task, 0); /* as the supervisor does it */
    atomic_store(&task->word, mp__task_word(serial, 0, MP__TASK_QUEUED));
    atomic_store(&crew->board->left_over, index);
    check(bare_worker_turn(crew, 0));
    check(mp__work_is_done(left) && !mp__work_is_done(other));
    check(!mp__any_left_over(crew->board));
    check(bare_worker_turn(crew, 0));
    check(!bare_worker_turn(crew, 0));
    check_values(left, 0, 1);
    mp__work_release(left);
    mp__work_release(other);
    bare_crew_end(crew);
}

static void test_work_given_up_before_its_end_is_freed_later(void **state)
{
    (void)state;
    struct mp__crew *crew = bare_crew_make(WORKERS);
    mp__work_release(bare_work(crew, 0, 4, 1, 0));
    check(crew->orphans != NULL && crew->references == 2);
    while (bare_worker_turn(crew, 0))
        ;
    mp__orphans_reap(crew, 1);
    check(crew->orphans == NULL && crew->references == 1);
    bare_crew_end(crew);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("Tasks: they are claimed in the order they were handed in",
                     test_tasks_are_claimed_in_the_order_they_were_handed_in),
        support_test("Tasks: a claimed one is nobody else's", test_a_claimed_task_is_nobody_elses),
        support_test("Tasks: a job is done when its last task is",
                     test_a_job_is_done_when_its_last_task_is),
        support_test("Tasks: the gate is posted for the last task of watched work only",
                     test_the_gate_is_posted_for_the_last_task_of_watched_work_only),
        support_test("Tasks: cancelled ones are passed over", test_cancelled_tasks_are_passed_over),
        support_test("Tasks: they are used again", test_tasks_are_used_again),
        support_test("Tasks: one is not used again before the head has passed it",
                     test_a_task_is_not_used_again_before_the_head_has_passed_it),
        support_test("Tasks: an idle worker is woken by its own gate",
                     test_an_idle_worker_is_woken_by_its_own_gate),
        support_test("Tasks: one left over is claimed first, and once",
                     test_a_task_left_over_is_claimed_first_and_once),
        support_test("Tasks: work given up before its end is freed later",
                     test_work_given_up_before_its_end_is_freed_later),
    };
    return support_run("Tasks", tests);
}
