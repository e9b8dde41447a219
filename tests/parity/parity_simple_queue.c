/* Python's TestSimpleQueue. */
#include "parity.h"

#include <mp/queues.h>

static mp_simple_queue *new_simple_queue(void)
{
    mp_simple_queue *queue;
    assert_mp_result(mp_simple_queue_create(&queue), 0);
    return queue;
}

/* Where Python's empty() raises OSError a bool cannot: there is nothing to get, so it is true. */
static void test_empty_exceptions(void **state)
{
    (void)state;
    mp_simple_queue *queue = new_simple_queue();
    assert_mp_result(mp_simple_queue_put(queue, MP(1)), 0);
    assert_mp_result(mp_simple_queue_close(queue), 0);
    check(mp_simple_queue_empty(queue));
    mp_simple_queue_destroy(queue);
}

struct stage {
    mp_simple_queue *queue;
    mp_event *child_can_start, *parent_can_continue;
};

static int tell_whether_it_is_empty(void *arg)
{
    const struct stage *stage = arg;
    assert_mp_result(mp_event_wait(stage->child_can_start, MP_FOREVER), 0);
    for (int i = 0; i < 2; i++)
        assert_mp_result(
            mp_simple_queue_put(stage->queue, mp_obj_bool(mp_simple_queue_empty(stage->queue))), 0);
    assert_mp_result(mp_event_set(stage->parent_can_continue), 0);
    return 0;
}

static void get_bool(mp_simple_queue *queue, bool expected)
{
    mp_obj o;
    bool b;
    assert_mp_result(mp_simple_queue_get(queue, &o), 0);
    assert_mp_result(mp_obj_as_bool(o, &b), 0);
    mp_obj_free(&o);
    check(b == expected);
}

static void test_empty(void **state)
{
    (void)state;
    struct stage stage = {new_simple_queue(), new_event(), new_event()};
    mp_process *process = start_process(tell_whether_it_is_empty, &stage, sizeof stage);
    check(mp_simple_queue_empty(stage.queue));
    assert_mp_result(mp_event_set(stage.child_can_start), 0);
    assert_mp_result(mp_event_wait(stage.parent_can_continue, MP_FOREVER), 0);
    check(!mp_simple_queue_empty(stage.queue));
    get_bool(stage.queue, true);
    get_bool(stage.queue, false);
    check(mp_simple_queue_empty(stage.queue));
    finish_process_with(process, 0);
    mp_simple_queue_destroy(stage.queue);
    mp_event_destroy(stage.child_can_start);
    mp_event_destroy(stage.parent_can_continue);
}

static void test_close(void **state)
{
    (void)state;
    mp_simple_queue *queue = new_simple_queue();
    assert_mp_result(mp_simple_queue_close(queue), 0);
    assert_mp_result(mp_simple_queue_close(queue), 0);
    mp_simple_queue_destroy(queue);
}

static void test_closed(void **state)
{
    (void)state;
    int before = census_open_descriptors();
    mp_simple_queue *queue = new_simple_queue();
    assert_mp_ok(mp_simple_queue_fileno(queue));
    check(census_open_descriptors() == before + 2);
    assert_mp_result(mp_simple_queue_close(queue), 0);
    check(census_open_descriptors() == before);
    assert_mp_error(mp_simple_queue_fileno(queue), MP_ECLOSED);
    assert_mp_error(mp_simple_queue_put(queue, MP(1)), MP_ECLOSED);
    assert_mp_error(mp_simple_queue_get(queue, NULL), MP_ECLOSED);
    mp_simple_queue_destroy(queue);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("TestSimpleQueue.test_empty_exceptions: empty of a closed queue",
                     test_empty_exceptions),
        support_test("TestSimpleQueue.test_empty: right in the parent and in the child",
                     test_empty),
        support_test("TestSimpleQueue.test_close: may be called twice", test_close),
        support_test("TestSimpleQueue.test_closed: both descriptors are closed", test_closed),
    };
    return support_run_processes("TestSimpleQueue", tests);
}
