/* Bytes into the caller's memory, arrays in and out, and what is not bytes. */
#include "queue_kit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void test_too_short_leaves_the_message_first(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 100, MP__RING_INLINE, MP__RING_INLINE + 1, 300000};
    mp_queue *q = new_queue(0);
    char *buf = malloc(300001);
    for (size_t i = 0; i < 5; i++) {
        size_t size = sizes[i], n = 0;
        put_message(q, size, 1, 1);
        put_message(q, 16, 1, 2);
        memset(buf, 'x', 300001);
        for (int again = 0; again < 3; again++) {
            n = 0;
            assert_mp_error(mp_queue_get_bytes_into(q, buf, size - 1, &n, MP_NOWAIT), MP_ETOOSHORT);
            check(n == size && buf[0] == 'x');
            check(mp_error_detail()[0] != '\0');
        }
        assert_mp_error(mp_queue_get_bytes_into(q, NULL, 0, NULL, MP_NOWAIT), MP_ETOOSHORT);
        assert_mp_result(mp_queue_qsize(q), 2);
        assert_mp_result(mp_queue_get_bytes_into(q, buf, size, &n, MP_NOWAIT), 0);
        check(n == size && message_is(buf, size, 1, 1) && buf[size] == 'x');
        get_message(q, 16, 1, 2);
    }
    free(buf);
    mp_queue_destroy(q);
}

static void test_an_object_is_not_taken_as_bytes(void **state)
{
    (void)state;
    mp_queue *q = new_queue(0);
    char buf[100];
    size_t n = 5;
    void *p = buf;
    char *large = calloc(1, 10000);
    assert_mp_result(mp_queue_put(q, MP(17), MP_NOWAIT), 0);
    assert_mp_result(mp_queue_put(q, MP_STRN(large, 10000), MP_NOWAIT), 0);
    for (int i = 0; i < 2; i++) {
        assert_mp_error(mp_queue_get_bytes(q, &p, &n, MP_NOWAIT), MP_ETYPE);
        assert_mp_error(mp_queue_get_bytes_into(q, buf, sizeof buf, &n, MP_FOREVER), MP_ETYPE);
        assert_mp_error(mp_queue_get_array(q, buf, 1, 4, MP_NOWAIT), MP_ETYPE);
        check(p == buf && n == 5);
        assert_mp_result(mp_queue_qsize(q), 2 - i);
        mp_obj o;
        assert_mp_result(mp_queue_get(q, &o, MP_NOWAIT), 0);
        check(mp_obj_equal(o, i == 0 ? MP(17) : MP_STRN(large, 10000)));
        mp_obj_free(&o);
    }
    free(large);
    mp_queue_destroy(q);
}

static void test_each_item_of_an_array_is_a_message(void **state)
{
    (void)state;
    mp_queue *q = new_queue(0);
    int32_t items[5] = {10, 11, 12, 13, 14}, got = 0;
    assert_mp_result(mp_queue_put_array(q, items, 5, sizeof *items, MP_NOWAIT), 5);
    assert_mp_result(mp_queue_qsize(q), 5);
    mp_obj o;
    assert_mp_result(mp_queue_get(q, &o, MP_NOWAIT), 0);
    check(mp_obj_equal(o, MP_BYTES(&items[0], 4)));
    mp_obj_free(&o);
    assert_mp_result(mp_queue_get_bytes_into(q, &got, sizeof got, NULL, MP_NOWAIT), 0);
    check(got == 11);
    int32_t rest[10] = {0};
    assert_mp_result(mp_queue_get_array(q, rest, 10, sizeof *rest, MP_NOWAIT), 3);
    check(rest[0] == 12 && rest[2] == 14 && rest[3] == 0);
    assert_mp_error(mp_queue_get_array(q, rest, 10, sizeof *rest, MP_NOWAIT), MP_EEMPTY);
    for (int i = 0; i < 3; i++)
        assert_mp_result(mp_queue_put_bytes(q, &items[i], sizeof *items, MP_NOWAIT), 0);
    assert_mp_result(mp_queue_get_array(q, rest, 2, sizeof *rest, MP_NOWAIT), 2);
    check(rest[0] == 10 && rest[1] == 11);
    assert_mp_result(mp_queue_get_array(q, rest, 2, sizeof *rest, MP_NOWAIT), 1);
    mp_queue_destroy(q);
}

static void test_an_array_ends_where_something_else_begins(void **state)
{
    (void)state;
    mp_queue *q = new_queue(0);
    int64_t items[4] = {1, 2, 3, 4}, got[4];
    char *large = calloc(1, 9000);
    assert_mp_result(mp_queue_put_array(q, items, 2, 8, MP_NOWAIT), 2);
    assert_mp_result(mp_queue_put_bytes(q, "odd", 3, MP_NOWAIT), 0);
    assert_mp_result(mp_queue_put_array(q, items, 2, 8, MP_NOWAIT), 2);
    assert_mp_result(mp_queue_put(q, MP(5), MP_NOWAIT), 0);
    assert_mp_result(mp_queue_put_array(q, items, 3, 8, MP_NOWAIT), 3);
    assert_mp_result(mp_queue_put_bytes(q, large, 9000, MP_NOWAIT), 0);
    assert_mp_result(mp_queue_get_array(q, got, 4, 8, MP_NOWAIT), 2);
    assert_mp_error(mp_queue_get_array(q, got, 4, 8, MP_NOWAIT), MP_ETYPE);
    check(mp_error_detail()[0] != '\0');
    assert_mp_result(mp_queue_get_array(q, got, 4, 3, MP_NOWAIT), 1);
    assert_mp_result(mp_queue_get_array(q, got, 4, 8, MP_NOWAIT), 2);
    assert_mp_error(mp_queue_get_array(q, got, 4, 8, MP_NOWAIT), MP_ETYPE);
    assert_mp_result(mp_queue_get(q, NULL, MP_NOWAIT), 0);
    assert_mp_result(mp_queue_get_array(q, got, 4, 8, MP_NOWAIT), 3);
    assert_mp_error(mp_queue_get_array(q, got, 4, 8, MP_NOWAIT), MP_ETYPE);
    assert_mp_result(mp_queue_get_array(q, large, 1, 9000, MP_NOWAIT), 1);
    check(mp_queue_empty(q));
    free(large);
    mp_queue_destroy(q);
}

static void test_a_full_queue_takes_part_of_an_array(void **state)
{
    (void)state;
    mp_queue *q = new_queue(10);
    uint32_t items[25], got[25];
    for (uint32_t i = 0; i < 25; i++)
        items[i] = i;
    assert_mp_result(mp_queue_put_array(q, items, 25, 4, MP_NOWAIT), 10);
    assert_mp_error(mp_queue_put_array(q, items + 10, 15, 4, MP_NOWAIT), MP_EFULL);
    assert_mp_result(mp_queue_get_array(q, got, 4, 4, MP_NOWAIT), 4);
    double start = clock_seconds();
    assert_mp_result(mp_queue_put_array(q, items + 10, 15, 4, 0.1), 4);
    check(clock_seconds() - start >= 0.1);
    assert_mp_result(mp_queue_get_array(q, got + 4, 21, 4, MP_NOWAIT), 10);
    for (uint32_t i = 0; i < 14; i++)
        check(got[i] == i);
    mp_queue_destroy(q);
}

static int put_all_of_it(void *arg)
{
    uint32_t items[1000];
    for (uint32_t i = 0; i < 1000; i++)
        items[i] = i;
    assert_mp_result(mp_queue_put_array(arg, items, 1000, 4, MP_FOREVER), 1000);
    return 0;
}

static void test_an_array_larger_than_the_queue_goes_through_in_order(void **state)
{
    (void)state;
    mp_queue *q = new_queue(7);
    pid_t child = child_fork(put_all_of_it, q);
    uint32_t got[5];
    for (uint32_t next = 0; next < 1000;) {
        int n = assert_mp_ok(mp_queue_get_array(q, got, 1 + next % 5, 4, MP_FOREVER));
        check(n >= 1);
        for (int i = 0; i < n; i++)
            check(got[i] == next++);
    }
    assert_int_equal(child_wait(child), 0);
    check(mp_queue_empty(q));
    mp_queue_destroy(q);
}

static void test_large_items_of_an_array_go_one_by_one(void **state)
{
    (void)state;
    enum { COUNT = 6, SIZE = 9000 };
    mp_queue *q = new_queue(4);
    char *items = malloc(COUNT * SIZE), *got = malloc(COUNT * SIZE);
    for (uint32_t i = 0; i < COUNT; i++)
        message_write(items + i * SIZE, SIZE, 1, i);
    assert_mp_result(mp_queue_put_array(q, items, COUNT, SIZE, MP_NOWAIT), 4);
    assert_mp_error(mp_queue_put_array(q, items, COUNT, SIZE, MP_NOWAIT), MP_EFULL);
    for (uint32_t i = 0; i < 4; i++) {
        assert_mp_result(mp_queue_get_array(q, got, COUNT, SIZE, MP_NOWAIT), 1);
        check(message_is(got, SIZE, 1, i));
    }
    check(mp_queue_empty(q));
    free(items);
    free(got);
    mp_queue_destroy(q);
}

static void test_arrays_cross_segments(void **state)
{
    (void)state;
    struct mp__heap_count before = heap_count();
    mp_queue *q = new_queue(0);
    enum { COUNT = 9000, SIZE = 40 };
    char *items = malloc(COUNT * SIZE), *got = malloc(COUNT * SIZE);
    for (uint32_t i = 0; i < COUNT; i++)
        message_write(items + i * SIZE, SIZE, 1, i);
    for (int round = 0; round < 5; round++) {
        assert_mp_result(mp_queue_put_array(q, items, COUNT, SIZE, MP_NOWAIT), COUNT);
        assert_mp_result(mp_queue_get_array(q, got, COUNT, SIZE, MP_NOWAIT), COUNT);
        check(memcmp(items, got, COUNT * SIZE) == 0);
        memset(got, 0, COUNT * SIZE);
    }
    free(items);
    free(got);
    mp_queue_destroy(q);
    heap_is_as_before(&before);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("too short leaves the message first", test_too_short_leaves_the_message_first),
        support_test("an object is not taken as bytes", test_an_object_is_not_taken_as_bytes),
        support_test("each item of an array is a message", test_each_item_of_an_array_is_a_message),
        support_test("an array ends where something else begins",
                     test_an_array_ends_where_something_else_begins),
        support_test("a full queue takes part of an array",
                     test_a_full_queue_takes_part_of_an_array),
        support_test("an array larger than the queue goes through in order",
                     test_an_array_larger_than_the_queue_goes_through_in_order),
        support_test("large items of an array go one by one",
                     test_large_items_of_an_array_go_one_by_one),
        support_test("arrays cross segments", test_arrays_cross_segments),
    };
    return support_run("queue bytes", tests);
}
