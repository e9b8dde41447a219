/* Objects in queues: small and large ones, refused ones, and who frees what. */
#include "queue_kit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void comes_out_as(mp_queue *q, mp_obj expected)
{
    mp_obj o;
    assert_mp_result(mp_queue_get(q, &o, MP_FOREVER), 0);
    check(mp_obj_equal(o, expected));
    mp_obj_free(&o);
}

static void goes_through(mp_queue *q, mp_obj o)
{
    assert_mp_result(mp_queue_put(q, o, MP_FOREVER), 0);
    comes_out_as(q, o);
}

static void test_all_types_go_through(void **state)
{
    (void)state;
    mp_queue *q = new_queue(0);
    goes_through(q, MP_NONE);
    goes_through(q, MP_TRUE);
    goes_through(q, MP(-1));
    goes_through(q, MP(INT64_MAX));
    goes_through(q, MP(0.5));
    goes_through(q, MP("text"));
    goes_through(q, MP_BYTES("a\0b", 3));
    goes_through(q, MP_LIST(1, "two", MP_LIST(3.0)));
    goes_through(q, MP_TUPLE(1, 2));
    goes_through(q, MP_DICT("key", MP_LIST(1), 2, MP_NONE));
    goes_through(q, MP_SET(1, 2, 3));
    goes_through(q, MP_EMPTY_LIST);
    mp_queue_destroy(q);
}

static void test_objects_of_any_size_go_through(void **state)
{
    (void)state;
    struct mp__heap_count before = heap_count();
    mp_queue *q = new_queue(0);
    static const size_t sizes[] = {0, 1, 4000, 4080, 4090, 4100, 70000, 5000000};
    char *text = malloc(5000000);
    memset(text, 'a', 5000000);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        assert_mp_result(mp_queue_put(q, MP_STRN(text, sizes[i]), MP_FOREVER), 0);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        comes_out_as(q, MP_STRN(text, sizes[i]));
    size_t n = 100000;
    mp_obj *items = malloc(n * sizeof *items);
    for (size_t i = 0; i < n; i++)
        items[i] = MP((int64_t)i * 1000003);
    goes_through(q, mp_obj_list(items, n));
    free(items);
    free(text);
    mp_queue_destroy(q);
    heap_is_as_before(&before);
}

static void put_and_forget(mp_queue *q)
{
    char text[20];
    (void)snprintf(text, sizeof text, "gone soon");
    assert_mp_result(mp_queue_put(q, MP_LIST(text, MP_TUPLE(1, text)), MP_FOREVER), 0);
    memset(text, 'x', sizeof text);
}

static void test_a_literal_may_die_after_the_put(void **state)
{
    (void)state;
    mp_queue *q = new_queue(0);
    put_and_forget(q);
    comes_out_as(q, MP_LIST("gone soon", MP_TUPLE(1, "gone soon")));
    mp_queue_destroy(q);
}

static void test_what_cannot_be_written_is_refused_and_nothing_put(void **state)
{
    (void)state;
    mp_queue *q = new_queue(0);
    mp_obj deep = MP_EMPTY_LIST, shell[400];
    for (int i = 0; i < 400; i++) {
        shell[i] = deep;
        deep = mp_obj_list(&shell[i], 1);
    }
    mp_obj unknown = {.type = 99};
    assert_mp_error(mp_queue_put(q, MP(UINT64_MAX), MP_FOREVER), MP_EOVERFLOW);
    check(mp_error_detail()[0] != '\0');
    check(mp_queue_put(q, deep, MP_FOREVER) < 0);
    check(mp_queue_put(q, MP_LIST(1, unknown), MP_FOREVER) < 0);
    check(mp_queue_empty(q));
    goes_through(q, MP(1));
    mp_queue_destroy(q);
}

static void test_limits_and_times_hold_for_objects(void **state)
{
    (void)state;
    mp_queue *q = new_queue(2);
    mp_obj o = MP(5);
    assert_mp_error(mp_queue_get(q, &o, MP_NOWAIT), MP_EEMPTY);
    assert_mp_error(mp_queue_get_nowait(q, &o), MP_EEMPTY);
    check(mp_obj_equal(o, MP(5)));
    assert_mp_result(mp_queue_put_nowait(q, MP(1)), 0);
    assert_mp_result(mp_queue_put_nowait(q, MP("two")), 0);
    assert_mp_error(mp_queue_put_nowait(q, MP(3)), MP_EFULL);
    double start = clock_seconds();
    assert_mp_error(mp_queue_put(q, MP(3), 0.1), MP_EFULL);
    check(clock_seconds() - start >= 0.1);
    assert_mp_result(mp_queue_get_nowait(q, &o), 0);
    check(mp_obj_equal(o, MP(1)));
    mp_obj_free(&o);
    assert_mp_result(mp_queue_get(q, NULL, MP_NOWAIT), 0);
    check(mp_queue_empty(q));
    mp_queue_destroy(q);
}

static int echo(void *arg)
{
    mp_queue *const *q = arg;
    for (;;) {
        mp_obj o;
        assert_mp_result(mp_queue_get(q[0], &o, MP_FOREVER), 0);
        bool last = o.type == MP_TYPE_NONE;
        assert_mp_result(mp_queue_put(q[1], MP_TUPLE(o, o), MP_FOREVER), 0);
        mp_obj_free(&o);
        if (last)
            return 0;
    }
}

static void test_objects_travel_between_processes(void **state)
{
    (void)state;
    mp_queue *q[2] = {new_queue(0), new_queue(0)};
    pid_t child = child_fork(echo, q);
    for (int i = 0; i < 2000; i++)
        assert_mp_result(mp_queue_put(q[0], MP_LIST(i, "text", 0.5), MP_FOREVER), 0);
    assert_mp_result(mp_queue_put(q[0], MP_NONE, MP_FOREVER), 0);
    for (int i = 0; i < 2000; i++)
        comes_out_as(q[1], MP_TUPLE(MP_LIST(i, "text", 0.5), MP_LIST(i, "text", 0.5)));
    comes_out_as(q[1], MP_TUPLE(MP_NONE, MP_NONE));
    assert_int_equal(child_wait(child), 0);
    mp_queue_destroy(q[0]);
    mp_queue_destroy(q[1]);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("all types go through", test_all_types_go_through),
        support_test("objects of any size go through", test_objects_of_any_size_go_through),
        support_test("a literal may die after the put", test_a_literal_may_die_after_the_put),
        support_test("what cannot be written is refused, and nothing put",
                     test_what_cannot_be_written_is_refused_and_nothing_put),
        support_test("limits and times hold for objects", test_limits_and_times_hold_for_objects),
        support_test("objects travel between processes", test_objects_travel_between_processes),
    };
    return support_run("queue objects", tests);
}
