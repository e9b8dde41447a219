/* Python's TestQueue: Queue and JoinableQueue. */
#include "parity.h"

#include <errno.h>
#include <mp/queues.h>

enum { MAXSIZE = 6 };

static mp_queue *new_queue(size_t maxsize)
{
    mp_queue *queue;
    assert_mp_result(mp_queue_create(&queue, maxsize), 0);
    return queue;
}

static int64_t get_int(mp_queue *queue, double timeout)
{
    mp_obj o;
    int64_t i;
    assert_mp_result(mp_queue_get(queue, &o, timeout), 0);
    assert_mp_result(mp_obj_as_int(o, &i), 0);
    mp_obj_free(&o);
    return i;
}

/* Seconds that a call takes which must answer `code`. */
#define seconds_of(call, code) \
    (start = clock_seconds(), assert_mp_error((call), (code)), clock_seconds() - start)

/* What waits for nothing takes less. */
#define AT_ONCE 0.15

struct stage {
    mp_queue *queue;
    mp_event *child_can_start, *parent_can_continue;
};

static struct stage new_stage(size_t maxsize)
{
    return (struct stage){new_queue(maxsize), new_event(), new_event()};
}

static void end_stage(struct stage *stage)
{
    mp_queue_destroy(stage->queue);
    mp_event_destroy(stage->child_can_start);
    mp_event_destroy(stage->parent_can_continue);
}

static int get_all_six(void *arg)
{
    const struct stage *stage = arg;
    assert_mp_result(mp_event_wait(stage->child_can_start, MP_FOREVER), 0);
    for (int i = 1; i <= MAXSIZE; i++)
        check(get_int(stage->queue, MP_FOREVER) == i);
    assert_mp_result(mp_event_set(stage->parent_can_continue), 0);
    return 0;
}

static void test_put(void **state)
{
    (void)state;
    double start;
    struct stage stage = new_stage(MAXSIZE);
    mp_queue *queue = stage.queue;
    mp_process *process = start_process(get_all_six, &stage, sizeof stage);
    check(mp_queue_empty(queue) && !mp_queue_full(queue));
    assert_mp_result(mp_queue_put(queue, MP(1), MP_FOREVER), 0);
    assert_mp_result(mp_queue_put(queue, MP(2), 0.5), 0);
    assert_mp_result(mp_queue_put(queue, MP(3), MP_NOWAIT), 0);
    assert_mp_result(mp_queue_put(queue, MP(4), -1.0), 0);
    assert_mp_result(mp_queue_put_nowait(queue, MP(5)), 0);
    assert_mp_result(mp_queue_put_nowait(queue, MP(6)), 0);
    check(!mp_queue_empty(queue) && mp_queue_full(queue));
    for (struct timing timing = {.most = AT_ONCE}; try_again(&timing);)
        assert_mp_error(mp_queue_put(queue, MP(7), MP_NOWAIT), MP_EFULL);
    for (struct timing timing = {.most = AT_ONCE}; try_again(&timing);)
        assert_mp_error(mp_queue_put_nowait(queue, MP(7)), MP_EFULL);
    for (struct timing timing = {.most = AT_ONCE}; try_again(&timing);)
        assert_mp_error(mp_queue_put(queue, MP(7), -3.0), MP_EFULL);
    check(seconds_of(mp_queue_put(queue, MP(7), 0.2), MP_EFULL) >= 0.2);
    check(seconds_of(mp_queue_put_bytes(queue, "x", 1, 0.2), MP_EFULL) >= 0.2);
    assert_mp_result(mp_event_set(stage.child_can_start), 0);
    assert_mp_result(mp_event_wait(stage.parent_can_continue, MP_FOREVER), 0);
    check(mp_queue_empty(queue) && !mp_queue_full(queue));
    finish_process_with(process, 0);
    end_stage(&stage);
}

static int put_four(void *arg)
{
    const struct stage *stage = arg;
    assert_mp_result(mp_event_wait(stage->child_can_start, MP_FOREVER), 0);
    for (int i = 2; i <= 5; i++)
        assert_mp_result(mp_queue_put(stage->queue, MP(i), MP_FOREVER), 0);
    assert_mp_result(mp_event_set(stage->parent_can_continue), 0);
    return 0;
}

static void test_get(void **state)
{
    (void)state;
    double start;
    struct stage stage = new_stage(0);
    mp_queue *queue = stage.queue;
    mp_process *process = start_process(put_four, &stage, sizeof stage);
    check(mp_queue_empty(queue));
    assert_mp_result(mp_event_set(stage.child_can_start), 0);
    assert_mp_result(mp_event_wait(stage.parent_can_continue, MP_FOREVER), 0);
    check(!mp_queue_empty(queue));
    check(get_int(queue, MP_FOREVER) == 2);
    check(get_int(queue, 5.0) == 3);
    check(get_int(queue, MP_NOWAIT) == 4);
    check(get_int(queue, -1.0) == 5);
    check(mp_queue_empty(queue));
    for (struct timing timing = {.most = AT_ONCE}; try_again(&timing);)
        assert_mp_error(mp_queue_get(queue, NULL, MP_NOWAIT), MP_EEMPTY);
    for (struct timing timing = {.most = AT_ONCE}; try_again(&timing);)
        assert_mp_error(mp_queue_get_nowait(queue, NULL), MP_EEMPTY);
    for (struct timing timing = {.most = AT_ONCE}; try_again(&timing);)
        assert_mp_error(mp_queue_get(queue, NULL, -3.0), MP_EEMPTY);
    check(seconds_of(mp_queue_get(queue, NULL, 0.2), MP_EEMPTY) >= 0.2);
    check(seconds_of(mp_queue_get_bytes(queue, NULL, NULL, 0.2), MP_EEMPTY) >= 0.2);
    finish_process_with(process, 0);
    end_stage(&stage);
}

static int put_ten_to_nineteen(void *arg)
{
    for (int i = 10; i < 20; i++)
        assert_mp_result(mp_queue_put(arg, MP(i), MP_FOREVER), 0);
    return 0;
}

static void test_fork(void **state)
{
    (void)state;
    mp_queue *queue = new_queue(0);
    for (int i = 0; i < 10; i++)
        assert_mp_result(mp_queue_put(queue, MP(i), MP_FOREVER), 0);
    mp_process *process = start_process(put_ten_to_nineteen, queue, 0);
    for (int i = 0; i < 20; i++)
        check(get_int(queue, MP_FOREVER) == i);
    assert_mp_error(mp_queue_get(queue, NULL, MP_NOWAIT), MP_EEMPTY);
    finish_process_with(process, 0);
    mp_queue_destroy(queue);
}

static void test_qsize(void **state)
{
    (void)state;
    mp_queue *queue = new_queue(0);
    assert_mp_result(mp_queue_qsize(queue), 0);
    for (int n = 1; n <= 5; n++) {
        assert_mp_result(mp_queue_put(queue, MP("a"), MP_FOREVER), 0);
        assert_mp_result(mp_queue_qsize(queue), n);
    }
    for (int n = 4; n >= 0; n--) {
        assert_mp_result(mp_queue_get(queue, NULL, MP_FOREVER), 0);
        assert_mp_result(mp_queue_qsize(queue), n);
    }
    mp_queue_destroy(queue);
}

static int do_tasks_until_none(void *arg)
{
    for (;;) {
        mp_obj o;
        assert_mp_result(mp_queue_get(arg, &o, MP_FOREVER), 0);
        bool last = o.type == MP_TYPE_NONE;
        mp_obj_free(&o);
        if (last)
            return 0;
        assert_mp_result(mp_queue_task_done(arg), 0);
    }
}

static void test_task_done(void **state)
{
    (void)state;
    enum { WORKERS = 4, TASKS = 10 };
    mp_queue *queue = new_queue(0);
    mp_process *workers[WORKERS];
    for (int i = 0; i < WORKERS; i++)
        workers[i] = start_process(do_tasks_until_none, queue, 0);
    for (int i = 0; i < TASKS; i++)
        assert_mp_result(mp_queue_put(queue, MP(i), MP_FOREVER), 0);
    assert_mp_result(mp_queue_join(queue, MP_FOREVER), 0);
    check(mp_queue_empty(queue));
    assert_mp_error(mp_queue_task_done(queue), MP_ESTATE); /* "called too many times" */
    for (int i = 0; i < WORKERS; i++)
        assert_mp_result(mp_queue_put(queue, MP_NONE, MP_FOREVER), 0);
    for (int i = 0; i < WORKERS; i++)
        finish_process_with(workers[i], 0);
    mp_queue_destroy(queue);
}

static void test_timeout(void **state)
{
    (void)state;
    mp_queue *queue = new_queue(0);
    double start;
    check(seconds_of(mp_queue_get(queue, NULL, 0.2), MP_EEMPTY) >= 0.2);
    mp_queue_destroy(queue);
}

/* Where Python's empty() raises for a queue that was used and closed, a bool cannot; it counts. */
static void test_closed_queue_empty_exceptions(void **state)
{
    (void)state;
    mp_queue *never_used = new_queue(0);
    check(mp_queue_empty(never_used));
    assert_mp_result(mp_queue_close(never_used), 0);
    assert_mp_result(mp_queue_join_thread(never_used), 0);
    check(mp_queue_empty(never_used));
    mp_queue *used = new_queue(0);
    assert_mp_result(mp_queue_put(used, MP("x"), MP_FOREVER), 0);
    assert_mp_result(mp_queue_close(used), 0);
    assert_mp_result(mp_queue_join_thread(used), 0);
    check(!mp_queue_empty(used));
    assert_mp_result(mp_queue_qsize(used), 1);
    mp_queue_destroy(never_used);
    mp_queue_destroy(used);
}

static void test_closed_queue_put_get_exceptions(void **state)
{
    (void)state;
    for (size_t maxsize = 0; maxsize < 2; maxsize++) {
        mp_queue *queue = new_queue(maxsize);
        assert_mp_error(mp_queue_join_thread(queue), MP_ESTATE); /* AssertionError before close */
        assert_mp_result(mp_queue_close(queue), 0);
        assert_mp_error(mp_queue_put(queue, MP("foo"), MP_FOREVER), MP_ECLOSED);
        assert_mp_error(mp_queue_put_nowait(queue, MP("foo")), MP_ECLOSED);
        assert_mp_error(mp_queue_get(queue, NULL, MP_FOREVER), MP_ECLOSED);
        assert_mp_error(mp_queue_get_nowait(queue, NULL), MP_ECLOSED);
        mp_queue_destroy(queue);
    }
}

/* What Python's feeder drops after the fact is refused by put itself; the next goes through. */
static void test_queue_feeder_donot_stop_onexc(void **state)
{
    (void)state;
    mp_queue *queue = new_queue(1);
    mp_obj unknown = {.type = 99};
    check(mp_queue_put(queue, unknown, MP_FOREVER) < 0);
    assert_mp_error(mp_queue_put(queue, MP(UINT64_MAX), MP_FOREVER), MP_EOVERFLOW);
    check(!mp_queue_full(queue));
    assert_mp_result(mp_queue_put(queue, MP_TRUE, MP_NOWAIT), 0);
    mp_obj o;
    assert_mp_result(mp_queue_get(queue, &o, 5.0), 0);
    check(mp_obj_equal(o, MP_TRUE));
    mp_obj_free(&o);
    mp_queue_destroy(queue);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("TestQueue.test_put: six go in, a seventh is Full, whatever way", test_put),
        support_test("TestQueue.test_get: what a child put comes, then Empty, whatever way",
                     test_get),
        support_test("TestQueue.test_fork: a child's come after those put before it started",
                     test_fork),
        support_test("TestQueue.test_qsize: counts each put and get", test_qsize),
        support_test("TestQueue.test_task_done: four workers let join return", test_task_done),
        support_test("TestQueue.test_timeout: 0.2 seconds are really waited", test_timeout),
        support_test("TestQueue.test_closed_queue_empty_exceptions: a closed queue still counts",
                     test_closed_queue_empty_exceptions),
        support_test("TestQueue.test_closed_queue_put_get_exceptions: ValueError after close",
                     test_closed_queue_put_get_exceptions),
        support_test("TestQueue.test_queue_feeder_donot_stop_onexc: what cannot be written takes "
                     "no place",
                     test_queue_feeder_donot_stop_onexc),
    };
    return support_run_processes("TestQueue", tests);
}
