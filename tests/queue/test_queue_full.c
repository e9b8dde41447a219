/* Queues where memory ends: nothing is lost, and all of it comes back. Runs in a small arena. */
#include "queue_kit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint32_t fill(mp_queue *q, size_t size)
{
    char *p = malloc(size + 1);
    uint32_t n = 0;
    int rc = 0;
    for (;; n++) {
        message_write(p, size, 1, n);
        rc = mp_queue_put_bytes(q, p, size, MP_FOREVER);
        if (rc != 0)
            break;
        check(n < 1000000);
    }
    assert_mp_error(rc, -ENOMEM);
    free(p);
    return n;
}

static void filled_and_drained(size_t size)
{
    struct mp__heap_count before = heap_count();
    mp_queue *q = new_queue(0);
    uint32_t first = 0;
    for (int round = 0; round < 3; round++) {
        uint32_t n = fill(q, size);
        check(n > 5);
        if (round == 0)
            first = n;
        /* what was read serves again, but for the rest of the segment that reading stands in */
        check(n + 65536 / (size + 4) + 1 >= first); /* what was read serves again */
        assert_mp_result(mp_queue_qsize(q), (int)n);
        for (uint32_t i = 0; i < n; i++)
            get_message(q, size, 1, i);
        check(mp_queue_empty(q));
    }
    mp_queue_destroy(q);
    heap_is_as_before(&before);
}

static void test_a_full_arena_is_told_and_nothing_is_lost(void **state)
{
    (void)state;
    filled_and_drained(16);
    filled_and_drained(1000);
    filled_and_drained(MP__RING_INLINE);
    filled_and_drained(MP__RING_INLINE + 1);
    filled_and_drained(200000);
}

static void test_part_of_an_array_goes_in(void **state)
{
    (void)state;
    enum { COUNT = 200000, SIZE = 100 };
    mp_queue *q = new_queue(0);
    char *items = malloc((size_t)COUNT * SIZE);
    for (uint32_t i = 0; i < COUNT; i++)
        message_write(items + (size_t)i * SIZE, SIZE, 1, i);
    int n = assert_mp_ok(mp_queue_put_array(q, items, COUNT, SIZE, MP_FOREVER));
    check(n > 1000 && n < COUNT);
    assert_mp_error(mp_queue_put_array(q, items, COUNT, SIZE, MP_FOREVER), -ENOMEM);
    for (uint32_t i = 0; i < (uint32_t)n; i++)
        get_message(q, SIZE, 1, i);
    check(mp_queue_empty(q));
    free(items);
    mp_queue_destroy(q);
}

static void test_objects_are_refused_in_time(void **state)
{
    (void)state;
    mp_queue *q = new_queue(0);
    size_t size = 300000;
    char *text = malloc(size);
    memset(text, 'a', size);
    int n = 0, rc;
    while ((rc = mp_queue_put(q, MP_STRN(text, size), MP_FOREVER)) == 0)
        n++;
    assert_mp_error(rc, -ENOMEM);
    for (int i = 0; i < n; i++) {
        mp_obj o;
        assert_mp_result(mp_queue_get(q, &o, MP_NOWAIT), 0);
        check(mp_obj_equal(o, MP_STRN(text, size)));
        mp_obj_free(&o);
    }
    check(mp_queue_empty(q));
    free(text);
    mp_queue_destroy(q);
}

static void test_no_queue_is_made_where_there_is_no_room(void **state)
{
    (void)state;
    struct mp__heap_count before = heap_count();
    mp_queue *q[1000];
    int n = 0, rc = 0;
    while (n < 1000 && (rc = mp_queue_create(&q[n], 0)) == 0)
        n++;
    assert_mp_error(rc, -ENOMEM);
    check(n > 3);
    mp_simple_queue *simple;
    assert_mp_error(mp_simple_queue_create(&simple), -ENOMEM);
    for (int i = 0; i < n; i++)
        put_message(q[i], 100, 1, 1);
    for (int i = 0; i < n; i++)
        mp_queue_destroy(q[i]);
    heap_is_as_before(&before);
}

/* Another's queue has filled the memory: what stands in a queue can be read all the same. */
static void test_a_get_needs_no_memory_of_the_arena(void **state)
{
    (void)state;
    mp_queue *q = new_queue(0), *hog = new_queue(0);
    for (uint32_t i = 0; i < 100; i++)
        put_message(q, i % 2 ? 3000 : 10000, 1, i);
    (void)fill(hog, 10000);
    for (uint32_t i = 0; i < 100; i++)
        get_message(q, i % 2 ? 3000 : 10000, 1, i);
    mp_queue_destroy(hog);
    mp_queue_destroy(q);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("a full arena is told, and nothing is lost",
                     test_a_full_arena_is_told_and_nothing_is_lost),
        support_test("part of an array goes in", test_part_of_an_array_goes_in),
        support_test("objects are refused in time", test_objects_are_refused_in_time),
        support_test("no queue is made where there is no room",
                     test_no_queue_is_made_where_there_is_no_room),
        support_test("a get needs no memory of the arena", test_a_get_needs_no_memory_of_the_arena),
    };
    return support_run("queues in a small arena", tests);
}
