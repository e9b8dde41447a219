/* Python's TestQueue on managed queues: they follow the rules of the module queue. */
#include "managers/managers_kit.h"
#include "parity.h"

#include <mp/mp.h>

enum { MAXSIZE = 6 };

struct stage {
    mp_proxy *queue, *child_can_start, *parent_can_continue;
};

static struct stage new_stage(mp_obj args)
{
    return (struct stage){new_proxy(manager, "Queue", args), new_proxy(manager, "Event", MP_NONE),
                          new_proxy(manager, "Event", MP_NONE)};
}

static void end_stage(struct stage *stage)
{
    mp_proxy_destroy(stage->queue);
    mp_proxy_destroy(stage->child_can_start);
    mp_proxy_destroy(stage->parent_can_continue);
}

static void start_child_and_await(const struct stage *stage)
{
    assert_call(stage->child_can_start, "set", MP_NONE, MP_NONE);
    check(call_bool(stage->parent_can_continue, "wait", MP_NONE));
}

static void await_start(const struct stage *stage)
{
    check(call_bool(stage->child_can_start, "wait", MP_NONE));
}

static void put(mp_proxy *queue, mp_obj args)
{
    assert_call(queue, "put", args, MP_NONE);
}

static int call_timeout(mp_proxy *queue, const char *method, mp_obj args, double timeout)
{
    return mp_proxy_call(queue, method, args, MP_DICT("timeout", timeout), NULL);
}

/* Time that a call takes which does not wait, whatever its timeout says. */
static const double at_once = 20, long_timeout = 1000;

/* ---- put and get ----------------------------------------------------------------------------- */

static int get_all_six(void *arg)
{
    const struct stage *stage = arg;
    await_start(stage);
    for (int i = 1; i <= MAXSIZE; i++)
        assert_call(stage->queue, "get", MP_NONE, MP(i));
    assert_call(stage->parent_can_continue, "set", MP_NONE, MP_NONE);
    return 0;
}

static void fill_in_every_way(mp_proxy *queue)
{
    put(queue, MP_TUPLE(1));
    put(queue, MP_TUPLE(2, MP_TRUE));
    put(queue, MP_TUPLE(3, MP_TRUE, MP_NONE));
    put(queue, MP_TUPLE(4, MP_FALSE));
    put(queue, MP_TUPLE(5, MP_FALSE, MP_NONE));
    assert_call(queue, "put_nowait", MP_TUPLE(6), MP_NONE);
}

static void find_it_full_in_every_way(mp_proxy *queue)
{
    assert_raises(queue, "put", MP_TUPLE(7, MP_FALSE), MP_EFULL);
    assert_raises(queue, "put", MP_TUPLE(7, MP_FALSE, MP_NONE), MP_EFULL);
    assert_raises(queue, "put_nowait", MP_TUPLE(7), MP_EFULL);
    check(seconds_of(call(queue, "put", MP_TUPLE(7, MP_FALSE, long_timeout)), MP_EFULL) < at_once);
    assert_raises(queue, "put", MP_TUPLE(7, MP_FALSE, -1), MP_EFULL);
    check(seconds_of(call(queue, "put", MP_TUPLE(7, MP_TRUE, 0.2)), MP_EFULL) >= 0.2);
    check(seconds_of(call_timeout(queue, "put", MP_TUPLE(7), 0.2), MP_EFULL) >= 0.2);
    assert_raises(queue, "put", MP_TUPLE(7, MP_TRUE, -1), MP_EINVAL);
    assert_raises(queue, "put", MP_TUPLE(7, MP_TRUE, "soon"), MP_ETYPE);
    assert_raises(queue, "put", MP_NONE, MP_ETYPE);
}

static void test_put(void **state)
{
    (void)state;
    struct stage stage = new_stage(MP_TUPLE(MAXSIZE));
    mp_process *process = start_process(get_all_six, &stage, sizeof stage);
    check(call_bool(stage.queue, "empty", MP_NONE));
    check(!call_bool(stage.queue, "full", MP_NONE));
    fill_in_every_way(stage.queue);
    check(!call_bool(stage.queue, "empty", MP_NONE));
    check(call_bool(stage.queue, "full", MP_NONE));
    find_it_full_in_every_way(stage.queue);
    start_child_and_await(&stage);
    check(call_bool(stage.queue, "empty", MP_NONE));
    check(!call_bool(stage.queue, "full", MP_NONE));
    finish_process_with(process, 0);
    end_stage(&stage);
}

static int put_four(void *arg)
{
    const struct stage *stage = arg;
    await_start(stage);
    for (int i = 2; i <= 5; i++)
        put(stage->queue, MP_TUPLE(i));
    assert_call(stage->parent_can_continue, "set", MP_NONE, MP_NONE);
    return 0;
}

static void find_it_empty_in_every_way(mp_proxy *queue)
{
    assert_raises(queue, "get", MP_TUPLE(MP_FALSE), MP_EEMPTY);
    assert_raises(queue, "get", MP_TUPLE(MP_FALSE, MP_NONE), MP_EEMPTY);
    assert_raises(queue, "get_nowait", MP_NONE, MP_EEMPTY);
    check(seconds_of(call(queue, "get", MP_TUPLE(MP_FALSE, long_timeout)), MP_EEMPTY) < at_once);
    assert_raises(queue, "get", MP_TUPLE(MP_FALSE, -1), MP_EEMPTY);
    check(seconds_of(call(queue, "get", MP_TUPLE(MP_TRUE, 0.2)), MP_EEMPTY) >= 0.2);
    check(seconds_of(call_timeout(queue, "get", MP_NONE, 0.2), MP_EEMPTY) >= 0.2);
    assert_raises(queue, "get", MP_TUPLE(MP_TRUE, 0), MP_EEMPTY);
    assert_raises(queue, "get", MP_TUPLE(MP_TRUE, -1), MP_EINVAL);
}

static void test_get(void **state)
{
    (void)state;
    struct stage stage = new_stage(MP_NONE);
    mp_proxy *queue = stage.queue;
    mp_process *process = start_process(put_four, &stage, sizeof stage);
    check(call_bool(queue, "empty", MP_NONE));
    start_child_and_await(&stage);
    check(!call_bool(queue, "empty", MP_NONE));
    assert_call(queue, "get", MP_TUPLE(MP_TRUE, MP_NONE), MP(2));
    assert_call(queue, "get", MP_TUPLE(MP_TRUE), MP(3));
    assert_call_with(queue, "get", MP_NONE, MP_DICT("timeout", 1), MP(4));
    assert_call(queue, "get_nowait", MP_NONE, MP(5));
    check(call_bool(queue, "empty", MP_NONE));
    find_it_empty_in_every_way(queue);
    finish_process_with(process, 0);
    end_stage(&stage);
}

/* A put wakes who waits in get, and a get who waits in put. */
static int wait_in_get_then_in_put(void *arg)
{
    const struct stage *stage = arg;
    assert_call(stage->queue, "get", MP_NONE, MP("first"));
    put(stage->queue, MP_TUPLE("second"));
    assert_call(stage->parent_can_continue, "set", MP_NONE, MP_NONE);
    put(stage->queue, MP_TUPLE("third"));
    return 0;
}

static void test_waiting(void **state)
{
    (void)state;
    struct stage stage = new_stage(MP_TUPLE(1));
    mp_process *process = start_process(wait_in_get_then_in_put, &stage, sizeof stage);
    check(child_await_sleep(mp_process_pid(process)));
    put(stage.queue, MP_TUPLE("first"));
    check(call_bool(stage.parent_can_continue, "wait", MP_NONE));
    check(child_await_sleep(mp_process_pid(process)));
    assert_call(stage.queue, "get", MP_NONE, MP("second"));
    assert_call(stage.queue, "get", MP_NONE, MP("third"));
    finish_process_with(process, 0);
    end_stage(&stage);
}

/* ---- others ---------------------------------------------------------------------------------- */

static int put_ten_to_nineteen(void *queue)
{
    for (int i = 10; i < 20; i++)
        put(queue, MP_TUPLE(i));
    return 0;
}

static void test_fork(void **state)
{
    (void)state;
    mp_proxy *queue = new_proxy(manager, "Queue", MP_NONE);
    for (int i = 0; i < 10; i++)
        put(queue, MP_TUPLE(i));
    mp_process *process = start_process(put_ten_to_nineteen, queue, 0);
    for (int i = 0; i < 20; i++)
        assert_call(queue, "get", MP_NONE, MP(i));
    assert_raises(queue, "get", MP_TUPLE(MP_FALSE), MP_EEMPTY);
    finish_process_with(process, 0);
    mp_proxy_destroy(queue);
}

static void test_qsize(void **state)
{
    (void)state;
    mp_proxy *queue = new_proxy(manager, "Queue", MP_NONE);
    check(call_int(queue, "qsize", MP_NONE) == 0);
    for (int n = 1; n <= 5; n++) {
        put(queue, MP_TUPLE("a"));
        check(call_int(queue, "qsize", MP_NONE) == n);
    }
    for (int n = 4; n >= 0; n--) {
        assert_call(queue, "get", MP_NONE, MP("a"));
        check(call_int(queue, "qsize", MP_NONE) == n);
    }
    mp_proxy_destroy(queue);
}

static int do_tasks_until_none(void *queue)
{
    for (;;) {
        mp_obj o;
        assert_mp_result(mp_proxy_call(queue, "get", MP_NONE, MP_NONE, &o), 0);
        bool last = o.type == MP_TYPE_NONE;
        mp_obj_free(&o);
        if (last)
            return 0;
        assert_call(queue, "task_done", MP_NONE, MP_NONE);
    }
}

static void test_task_done(void **state)
{
    (void)state;
    enum { WORKERS = 4, TASKS = 10 };
    mp_proxy *queue = new_proxy(manager, "JoinableQueue", MP_NONE);
    mp_process *workers[WORKERS];
    assert_call(queue, "join", MP_NONE, MP_NONE);
    for (int i = 0; i < WORKERS; i++)
        workers[i] = start_process(do_tasks_until_none, queue, 0);
    for (int i = 0; i < TASKS; i++)
        put(queue, MP_TUPLE(i));
    assert_call(queue, "join", MP_NONE, MP_NONE);
    check(call_bool(queue, "empty", MP_NONE));
    assert_raises(queue, "task_done", MP_NONE, MP_EINVAL); /* "called too many times" */
    for (int i = 0; i < WORKERS; i++)
        put(queue, MP_TUPLE(MP_NONE));
    for (int i = 0; i < WORKERS; i++)
        finish_process_with(workers[i], 0);
    mp_proxy_destroy(queue);
}

/* A managed Queue counts its tasks as well, and join waits until the last is done. */
static int join_then_say_so(void *arg)
{
    const struct stage *stage = arg;
    assert_call(stage->queue, "join", MP_NONE, MP_NONE);
    assert_call(stage->parent_can_continue, "set", MP_NONE, MP_NONE);
    return 0;
}

static void test_join_waits_for_the_last_task(void **state)
{
    (void)state;
    struct stage stage = new_stage(MP_NONE);
    for (int i = 0; i < 2; i++)
        put(stage.queue, MP_TUPLE(i));
    mp_process *process = start_process(join_then_say_so, &stage, sizeof stage);
    for (int i = 0; i < 2; i++) {
        check(!call_bool(stage.parent_can_continue, "wait", MP_TUPLE(0.1)));
        assert_call(stage.queue, "get", MP_NONE, MP(i));
        check(!call_bool(stage.parent_can_continue, "wait", MP_TUPLE(0.1)));
        assert_call(stage.queue, "task_done", MP_NONE, MP_NONE);
    }
    check(call_bool(stage.parent_can_continue, "wait", MP_NONE));
    finish_process_with(process, 0);
    end_stage(&stage);
}

static void test_timeout(void **state)
{
    (void)state;
    mp_proxy *queue = new_proxy(manager, "Queue", MP_NONE);
    check(seconds_of(call(queue, "get", MP_TUPLE(MP_TRUE, 0.2)), MP_EEMPTY) >= 0.2);
    mp_proxy_destroy(queue);
}

static void test_maxsize(void **state)
{
    (void)state;
    mp_proxy *queue;
    assert_mp_result(mp_manager_proxy(manager, "Queue", MP_NONE, MP_DICT("maxsize", 1), &queue), 0);
    put(queue, MP_TUPLE("one"));
    check(call_bool(queue, "full", MP_NONE));
    mp_proxy_destroy(queue);
    queue = new_proxy(manager, "Queue", MP_TUPLE(-1));
    put(queue, MP_TUPLE("one"));
    check(!call_bool(queue, "full", MP_NONE));
    mp_proxy_destroy(queue);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        served_test("TestQueue.test_put (manager): six go in, a seventh is Full, whatever way",
                    test_put),
        served_test("TestQueue.test_get (manager): what a child put, then Empty, whatever way",
                    test_get),
        served_test("TestQueue (manager): a put wakes a get, and a get a put", test_waiting),
        served_test("TestQueue.test_fork (manager): a child's come after those put before",
                    test_fork),
        served_test("TestQueue.test_qsize (manager): counts each put and get", test_qsize),
        served_test("TestQueue.test_task_done (manager): four workers let join return",
                    test_task_done),
        served_test("TestQueue.test_task_done (manager): join waits for the last task",
                    test_join_waits_for_the_last_task),
        served_test("TestQueue.test_timeout (manager): 0.2 seconds are really waited",
                    test_timeout),
        served_test("TestQueue (manager): maxsize by name, and none for less than one",
                    test_maxsize),
    };
    return managers_run("TestQueue (manager)", tests);
}
