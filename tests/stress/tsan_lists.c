/* What a process keeps in lists without a lock: log outputs, registered tasks, its own side of
 * queues. Who finds an entry finds it complete. */
#include "stress/threads.h"

#include "managers/server.h"
#include "queue/queue.h"

#include <mp/mp.h>

#include <stdio.h>
#include <string.h>

enum { OUTPUTS = 4000, TASKS = 400, QUEUES = 300 };

/* ---- outputs of the log ------------------------------------------------------------------------ */

/* Plain memory that only the setting of the output hands over. */
struct page {
    long number, twice;
};
static struct page pages[THREADS][OUTPUTS];
static _Atomic long lines;

static void page_read(int level, const char *line, void *arg)
{
    const struct page *page = arg;
    check(level == MP_LOG_WARNING && line[0] == '[');
    check(page->twice == 2 * page->number);
    atomic_fetch_add_explicit(&lines, 1, memory_order_relaxed);
}

static void log_body(struct team_member *me)
{
    for (int i = 0; i < OUTPUTS; i++) {
        if (me->index < 2) {
            pages[me->index][i] = (struct page){i, 2L * i};
            check(mp_log_set(0, page_read, &pages[me->index][i]) == 0);
        }
        mp_log(MP_LOG_WARNING, "line %d", i);
    }
}

static void test_an_output_comes_with_what_it_needs(void **state)
{
    (void)state;
    team_run(log_body);
    assert_mp_ok(mp_log_set(0, NULL, NULL));
    assert_true(atomic_load(&lines) > 0);
}

/* ---- registered tasks --------------------------------------------------------------------------- */

static int no_task(mp_obj arg, mp_obj *result)
{
    *result = arg;
    return 0;
}

static mp_task *task_named(const char *name)
{
    mp_obj text = mp_obj_str(name);
    return mp__task_find(&text);
}

static void tasks_body(struct team_member *me)
{
    char name[40];
    for (int i = 0; i < TASKS; i++) {
        snprintf(name, sizeof name, "task_%d_%d", me->index, i);
        check(mp_manager_register_task(name, no_task) == 0);
        check(task_named(name) == no_task);
        snprintf(name, sizeof name, "task_%d_%d", (me->index + 1) % THREADS, i);
        mp_task *found = task_named(name);
        check(found == NULL || found == no_task);
    }
}

static void test_a_task_is_found_whole(void **state)
{
    (void)state;
    team_run(tasks_body);
}

/* ---- a process's own side of its queues --------------------------------------------------------- */

static void queues_body(struct team_member *me)
{
    mp_queue *mine[3];
    for (int i = 0; i < QUEUES; i++) {
        for (int k = 0; k < 3; k++)
            check(mp_queue_create(&mine[k], 0) == 0);
        check(mp_queue_close(mine[me->index % 3]) == 0);
        for (int k = 0; k < 3; k++) {
            int rc = mp_queue_put_bytes(mine[k], &i, sizeof i, MP_NOWAIT);
            check(k == me->index % 3 ? rc != 0 : rc == 0);
            mp_queue_destroy(mine[k]);
        }
    }
}

static void test_a_queue_is_closed_for_itself_alone(void **state)
{
    (void)state;
    team_run(queues_body);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("an output comes with what it needs", test_an_output_comes_with_what_it_needs),
        support_test("a task is found whole", test_a_task_is_found_whole),
        support_test("a queue is closed for itself alone", test_a_queue_is_closed_for_itself_alone),
    };
    return support_run("order: lists", tests);
}
