/* SimpleQueue: order, its descriptor, close, and other processes. */
#include "queue_kit.h"

#include <errno.h>
#include <mp/connection.h>
#include <mp/process.h>
#include <mp/synchronize.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static mp_simple_queue *new_simple(void)
{
    mp_simple_queue *q;
    assert_mp_result(mp_simple_queue_create(&q), 0);
    return q;
}

static bool is_readable(mp_simple_queue *q)
{
    struct pollfd item = {.fd = assert_mp_ok(mp_simple_queue_fileno(q)), .events = POLLIN};
    int n = poll(&item, 1, 0);
    check(n == 0 || (n == 1 && item.revents == POLLIN));
    return n == 1;
}

static void put_int(mp_simple_queue *q, int i)
{
    assert_mp_result(mp_simple_queue_put(q, MP(i)), 0);
}

static void get_int(mp_simple_queue *q, int expected)
{
    mp_obj o;
    int64_t i;
    assert_mp_result(mp_simple_queue_get(q, &o), 0);
    assert_mp_result(mp_obj_as_int(o, &i), 0);
    mp_obj_free(&o);
    check(i == expected);
}

static void test_objects_and_bytes_come_in_order(void **state)
{
    (void)state;
    struct mp__heap_count before = heap_count();
    mp_simple_queue *q = new_simple();
    char *large = malloc(100000);
    message_write(large, 100000, 1, 2);
    for (int i = 0; i < 1000; i++) {
        put_int(q, i);
        assert_mp_result(mp_simple_queue_put_bytes(q, NULL, 0), 0);
        assert_mp_result(mp_simple_queue_put_bytes(q, large, i % 100 == 0 ? 100000 : 20), 0);
    }
    for (int i = 0; i < 1000; i++) {
        void *p;
        size_t n;
        get_int(q, i);
        assert_mp_result(mp_simple_queue_get_bytes(q, NULL, NULL), 0);
        assert_mp_result(mp_simple_queue_get_bytes(q, &p, &n), 0);
        check(n == (i % 100 == 0 ? 100000 : 20) && memcmp(p, large, n) == 0);
        free(p);
    }
    free(large);
    check(mp_simple_queue_empty(q));
    mp_simple_queue_destroy(q);
    heap_is_as_before(&before);
}

static void test_the_descriptor_is_readable_while_there_is_something(void **state)
{
    (void)state;
    mp_simple_queue *q = new_simple();
    for (int round = 0; round < 50; round++) {
        check(!is_readable(q) && mp_simple_queue_empty(q));
        for (int i = 0; i <= round; i++) {
            put_int(q, i);
            check(is_readable(q) && !mp_simple_queue_empty(q));
        }
        for (int i = 0; i <= round; i++) {
            check(is_readable(q) && !mp_simple_queue_empty(q));
            get_int(q, i);
        }
    }
    /* more than a pipe holds, in tokens and in bytes */
    for (int i = 0; i < 100000; i++)
        put_int(q, i);
    for (int i = 0; i < 100000; i++)
        get_int(q, i);
    check(!is_readable(q));
    mp_simple_queue_destroy(q);
}

static int take_two(void *arg)
{
    get_int(arg, 1);
    get_int(arg, 2);
    check(!is_readable(arg));
    put_int(arg, 3);
    return 0;
}

static void test_the_descriptor_tells_of_other_processes_too(void **state)
{
    (void)state;
    mp_simple_queue *q = new_simple();
    put_int(q, 1);
    put_int(q, 2);
    child_must_succeed(take_two, q);
    check(is_readable(q));
    get_int(q, 3);
    check(!is_readable(q));
    mp_simple_queue_destroy(q);
}

static int put_when_the_parent_sleeps(void *arg)
{
    check(child_await_sleep(getppid()));
    put_int(arg, 5);
    return 0;
}

static void test_get_and_poll_wait_for_a_put(void **state)
{
    (void)state;
    mp_simple_queue *q = new_simple();
    pid_t child = child_fork(put_when_the_parent_sleeps, q);
    get_int(q, 5);
    assert_int_equal(child_wait(child), 0);
    child = child_fork(put_when_the_parent_sleeps, q);
    struct pollfd item = {.fd = assert_mp_ok(mp_simple_queue_fileno(q)), .events = POLLIN};
    check(poll(&item, 1, 30000) == 1);
    get_int(q, 5);
    assert_int_equal(child_wait(child), 0);
    mp_simple_queue_destroy(q);
}

static void test_bytes_are_not_taken_for_objects_nor_the_other_way(void **state)
{
    (void)state;
    mp_simple_queue *q = new_simple();
    mp_obj o;
    put_int(q, 7);
    assert_mp_error(mp_simple_queue_get_bytes(q, NULL, NULL), MP_ETYPE);
    check(is_readable(q));
    get_int(q, 7);
    assert_mp_result(mp_simple_queue_put_bytes(q, "abc", 3), 0);
    assert_mp_result(mp_simple_queue_get(q, &o), 0);
    check(mp_obj_equal(o, MP_BYTES("abc", 3)));
    mp_obj_free(&o);
    put_int(q, 8);
    assert_mp_result(mp_simple_queue_get(q, NULL), 0);
    check(mp_simple_queue_empty(q));
    mp_simple_queue_destroy(q);
}

static void refuses_all(mp_simple_queue *q, int code)
{
    assert_mp_error(mp_simple_queue_put(q, MP(1)), code);
    assert_mp_error(mp_simple_queue_put_bytes(q, "x", 1), code);
    assert_mp_error(mp_simple_queue_get(q, NULL), code);
    assert_mp_error(mp_simple_queue_get_bytes(q, NULL, NULL), code);
    assert_mp_error(mp_simple_queue_fileno(q), code);
    check(mp_simple_queue_empty(q));
}

static int find_it_open(void *arg)
{
    put_int(arg, 1);
    assert_mp_result(mp_simple_queue_close(arg), 0);
    refuses_all(arg, MP_ECLOSED);
    return 0;
}

static int find_it_closed(void *arg)
{
    refuses_all(arg, MP_ECLOSED);
    return 0;
}

static void test_close_is_for_one_process_and_its_later_children(void **state)
{
    (void)state;
    int descriptors = census_open_descriptors();
    mp_simple_queue *q = new_simple();
    child_must_succeed(find_it_open, q);
    check(is_readable(q));
    assert_mp_result(mp_simple_queue_close(q), 0);
    assert_mp_result(mp_simple_queue_close(q), 0);
    check(census_open_descriptors() == descriptors);
    refuses_all(q, MP_ECLOSED);
    child_must_succeed(find_it_closed, q);
    mp_simple_queue_destroy(q);
    refuses_all(q, MP_ECLOSED);
}

static void test_bad_arguments_are_refused(void **state)
{
    (void)state;
    mp_event *event;
    mp_simple_queue *q = new_simple();
    assert_mp_result(mp_event_create(&event), 0);
    assert_mp_error(mp_simple_queue_create(NULL), MP_EINVAL);
    refuses_all(NULL, MP_EINVAL);
    refuses_all((mp_simple_queue *)(void *)event, MP_ETYPE);
    assert_mp_error(mp_simple_queue_put_bytes(q, NULL, 1), MP_EINVAL);
    check(!is_readable(q) && mp_simple_queue_empty(q));
    mp_simple_queue_destroy(NULL);
    mp_simple_queue_destroy(q);
    mp_event_destroy(event);
}

static int make_one_and_send_it(void *arg)
{
    mp_simple_queue *q = new_simple();
    put_int(q, 1);
    assert_mp_result(mp_queue_put(arg, mp_obj_handle(q), MP_FOREVER), 0);
    return 0;
}

static void test_a_process_that_did_not_inherit_it_puts_and_gets(void **state)
{
    (void)state;
    mp_queue *way = new_queue(0);
    mp_obj handle;
    void *p;
    child_must_succeed(make_one_and_send_it, way);
    assert_mp_result(mp_queue_get(way, &handle, MP_FOREVER), 0);
    assert_mp_result(mp_obj_as_handle(handle, &p), 0);
    mp_obj_free(&handle);
    mp_simple_queue *q = p;
    assert_mp_error(mp_simple_queue_fileno(q), MP_ESTATE);
    check(!mp_simple_queue_empty(q));
    put_int(q, 2);
    get_int(q, 1);
    get_int(q, 2);
    mp_simple_queue_destroy(q); /* its creator has ended */
    refuses_all(q, MP_ECLOSED);
    mp_queue_destroy(way);
}

static int get_by_handle(void *way)
{
    mp_obj handle;
    void *p;
    assert_mp_result(mp_queue_get(way, &handle, MP_FOREVER), 0);
    assert_mp_result(mp_obj_as_handle(handle, &p), 0);
    mp_obj_free(&handle);
    get_int(p, 1);
    return 0;
}

static void test_a_get_without_the_descriptor_is_noticed_by_empty(void **state)
{
    (void)state;
    mp_queue *way = new_queue(0);
    pid_t getter = child_fork(get_by_handle, way);
    mp_simple_queue *q = new_simple();
    put_int(q, 1);
    assert_mp_result(mp_queue_put(way, mp_obj_handle(q), MP_FOREVER), 0);
    check(child_wait(getter) == 0);
    check(is_readable(q));
    check(mp_simple_queue_empty(q));
    check(!is_readable(q));
    mp_simple_queue_destroy(q);
    mp_queue_destroy(way);
}

static struct signal_pipe here, go_on;

static int close_what_ended(void *q)
{
    int before = census_open_descriptors();
    pipe_tell(&here, 'h');
    (void)pipe_await(&go_on);
    assert_mp_result(mp_simple_queue_close(q), 0);
    check(census_open_descriptors() == before - 2);
    assert_mp_error(mp_simple_queue_close(q), MP_ECLOSED);
    return 0;
}

static int destroy_what_ended(void *q)
{
    int before = census_open_descriptors();
    pipe_tell(&here, 'h');
    (void)pipe_await(&go_on);
    mp_simple_queue_destroy(q);
    check(census_open_descriptors() == before - 2);
    return 0;
}

static void test_what_another_process_destroyed_can_be_closed(void **state)
{
    (void)state;
    int (*const bodies[])(void *) = {close_what_ended, destroy_what_ended};
    pipe_open(&here);
    pipe_open(&go_on);
    for (int i = 0; i < 2; i++) {
        mp_simple_queue *q = new_simple();
        pid_t heir = child_fork(bodies[i], q);
        check(pipe_await(&here) == 'h');
        mp_simple_queue_destroy(q);
        pipe_tell(&go_on, 'g');
        check(child_wait(heir) == 0);
    }
    pipe_close(&here);
    pipe_close(&go_on);
}

static int get_from_destroyed(void *arg)
{
    assert_mp_error(mp_simple_queue_get(arg, NULL), MP_ECLOSED);
    return 0;
}

static void test_who_sleeps_learns_that_it_was_destroyed(void **state)
{
    (void)state;
    mp_simple_queue *q = new_simple();
    pid_t child = child_fork(get_from_destroyed, q);
    check(child_await_sleep(child));
    mp_simple_queue_destroy(q);
    assert_int_equal(child_wait(child), 0);
}

enum { PRODUCERS = 3, EACH = 3000 };

static int put_each(void *arg)
{
    for (int i = 0; i < EACH; i++)
        put_int(arg, i);
    return 0;
}

static int get_each(void *arg)
{
    for (int i = 0; i < EACH; i++)
        assert_mp_result(mp_simple_queue_get(arg, NULL), 0);
    return 0;
}

static void test_after_much_traffic_the_descriptor_is_right(void **state)
{
    (void)state;
    mp_simple_queue *q = new_simple();
    pid_t child[2 * PRODUCERS];
    for (int i = 0; i < 2 * PRODUCERS; i++)
        child[i] = child_fork(i % 2 == 0 ? put_each : get_each, q);
    for (int i = 0; i < 2 * PRODUCERS; i++)
        assert_int_equal(child_wait(child[i]), 0);
    check(mp_simple_queue_empty(q) && !is_readable(q));
    put_int(q, 1);
    check(is_readable(q));
    mp_simple_queue_destroy(q);
}

static double span_of_ops(mp_queue *q)
{
    double start = clock_seconds();
    for (int i = 0; i < 500; i++) {
        assert_mp_result(mp_queue_put_bytes(q, "x", 1, MP_NOWAIT), 0);
        assert_mp_result(mp_queue_get_bytes(q, NULL, NULL, MP_NOWAIT), 0);
    }
    return clock_seconds() - start;
}

static double least_span_of_ops(mp_queue *q)
{
    double least = 1e9;
    for (int i = 0; i < 10; i++) {
        double span = span_of_ops(q);
        least = span < least ? span : least;
    }
    return least;
}

static void test_queues_that_are_gone_cost_nothing(void **state)
{
    (void)state;
    mp_queue *q = new_queue(0);
    double before = least_span_of_ops(q);
    for (int i = 0; i < 20000; i++) {
        mp_simple_queue *simple = new_simple();
        if (i % 2 == 0)
            assert_mp_result(mp_simple_queue_close(simple), 0);
        mp_simple_queue_destroy(simple);
    }
    check(least_span_of_ops(q) < 10 * before);
    mp_queue_destroy(q);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("objects and bytes come in order", test_objects_and_bytes_come_in_order),
        support_test("the descriptor is readable while there is something",
                     test_the_descriptor_is_readable_while_there_is_something),
        support_test("the descriptor tells of other processes too",
                     test_the_descriptor_tells_of_other_processes_too),
        support_test("get and poll wait for a put", test_get_and_poll_wait_for_a_put),
        support_test("bytes are not taken for objects, nor the other way",
                     test_bytes_are_not_taken_for_objects_nor_the_other_way),
        support_test("close is for one process and its later children",
                     test_close_is_for_one_process_and_its_later_children),
        support_test("bad arguments are refused", test_bad_arguments_are_refused),
        support_test("a process that did not inherit it puts and gets",
                     test_a_process_that_did_not_inherit_it_puts_and_gets),
        support_test("a get without the descriptor is noticed by empty",
                     test_a_get_without_the_descriptor_is_noticed_by_empty),
        support_test("what another process destroyed can be closed",
                     test_what_another_process_destroyed_can_be_closed),
        support_test("who sleeps learns that it was destroyed",
                     test_who_sleeps_learns_that_it_was_destroyed),
        support_test("after much traffic the descriptor is right",
                     test_after_much_traffic_the_descriptor_is_right),
        support_test("queues that are gone cost nothing", test_queues_that_are_gone_cost_nothing),
    };
    return support_run_processes("SimpleQueue", tests);
}
