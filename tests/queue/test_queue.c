/* Queue: order, limits, timeouts, codes, and who may do what. */
#include "queue_kit.h"

#include <math.h>
#include <mp/process.h>
#include <mp/sharedctypes.h>
#include <mp/synchronize.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void test_what_went_in_first_comes_out_first(void **state)
{
    (void)state;
    mp_queue *q = new_queue(0);
    for (uint32_t i = 0; i < 20000; i++)
        put_message(q, i % 50, 1, i);
    for (uint32_t i = 0; i < 20000; i++)
        get_message(q, i % 50, 1, i);
    assert_mp_error(mp_queue_get_bytes(q, NULL, NULL, MP_NOWAIT), MP_EEMPTY);
    mp_queue_destroy(q);
}

static void test_counts_are_exact(void **state)
{
    (void)state;
    mp_queue *q = new_queue(3);
    for (int n = 0; n < 3; n++) {
        assert_mp_result(mp_queue_qsize(q), n);
        check(mp_queue_empty(q) == (n == 0) && !mp_queue_full(q));
        put_text(q, "x");
    }
    assert_mp_result(mp_queue_qsize(q), 3);
    check(!mp_queue_empty(q) && mp_queue_full(q));
    assert_mp_error(mp_queue_put_bytes(q, "x", 1, MP_NOWAIT), MP_EFULL);
    assert_mp_error(mp_queue_put_bytes(q, "x", 1, -5.0), MP_EFULL);
    get_text(q, "x");
    assert_mp_result(mp_queue_qsize(q), 2);
    check(!mp_queue_full(q));
    put_text(q, "x");
    mp_queue_destroy(q);
}

static void test_a_limit_counts_messages_not_bytes(void **state)
{
    (void)state;
    mp_queue *q = new_queue(4);
    size_t size = (size_t)3 << 20;
    void *p = calloc(1, size);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 4; i++)
            assert_mp_result(mp_queue_put_bytes(q, p, size, MP_NOWAIT), 0);
        assert_mp_error(mp_queue_put_bytes(q, p, 0, MP_NOWAIT), MP_EFULL);
        for (int i = 0; i < 4; i++)
            assert_mp_result(mp_queue_get_bytes(q, NULL, NULL, MP_NOWAIT), 0);
    }
    free(p);
    mp_queue_destroy(q);
}

static void test_messages_of_no_bytes_count_too(void **state)
{
    (void)state;
    mp_queue *q = new_queue(0);
    size_t n = 7;
    void *p = NULL;
    for (int i = 0; i < 3; i++)
        assert_mp_result(mp_queue_put_bytes(q, NULL, 0, MP_NOWAIT), 0);
    assert_mp_result(mp_queue_qsize(q), 3);
    assert_mp_result(mp_queue_get_bytes(q, &p, &n, MP_NOWAIT), 0);
    check(p != NULL && n == 0);
    free(p);
    n = 7;
    assert_mp_result(mp_queue_get_bytes_into(q, NULL, 0, &n, MP_NOWAIT), 0);
    check(n == 0);
    mp_obj o;
    assert_mp_result(mp_queue_get(q, &o, MP_NOWAIT), 0);
    check(mp_obj_equal(o, MP_BYTES("", 0)));
    mp_obj_free(&o);
    assert_mp_result(mp_queue_qsize(q), 0);
    mp_queue_destroy(q);
}

/* ---- time ------------------------------------------------------------------------------------ */

static void test_timeouts_are_waited_out(void **state)
{
    (void)state;
    mp_queue *q = new_queue(1);
    double start = clock_seconds();
    assert_mp_error(mp_queue_get_bytes(q, NULL, NULL, 0.2), MP_EEMPTY);
    check(clock_seconds() - start >= 0.2);
    assert_mp_error(mp_queue_get_bytes(q, NULL, NULL, -1.0), MP_EEMPTY);
    assert_mp_error(mp_queue_get_bytes(q, NULL, NULL, (double)NAN), MP_EINVAL);
    put_text(q, "full");
    start = clock_seconds();
    assert_mp_error(mp_queue_put_bytes(q, "x", 1, 0.2), MP_EFULL);
    check(clock_seconds() - start >= 0.2);
    assert_mp_error(mp_queue_put_bytes(q, "x", 1, (double)NAN), MP_EINVAL);
    start = clock_seconds();
    assert_mp_error(mp_queue_join(q, 0.2), MP_ETIMEOUT);
    check(clock_seconds() - start >= 0.2);
    assert_mp_error(mp_queue_join(q, -1.0), MP_ETIMEOUT);
    assert_mp_error(mp_queue_join(q, (double)NAN), MP_EINVAL);
    get_text(q, "full");
    mp_queue_destroy(q);
}

static int put_when_the_parent_sleeps(void *arg)
{
    check(child_await_sleep(getppid()));
    put_text(arg, "late");
    return 0;
}

static void test_a_put_wakes_who_waits(void **state)
{
    (void)state;
    mp_queue *q = new_queue(0);
    char buf[8];
    pid_t child = child_fork(put_when_the_parent_sleeps, q);
    assert_mp_result(mp_queue_get_bytes_into(q, buf, sizeof buf, NULL, MP_FOREVER), 0);
    assert_int_equal(child_wait(child), 0);
    mp_queue_destroy(q);
}

static int get_when_the_parent_sleeps(void *arg)
{
    check(child_await_sleep(getppid()));
    get_text(arg, "first");
    return 0;
}

static void test_a_get_wakes_who_waits_for_room(void **state)
{
    (void)state;
    mp_queue *q = new_queue(1);
    put_text(q, "first");
    pid_t child = child_fork(get_when_the_parent_sleeps, q);
    assert_mp_result(mp_queue_put_bytes(q, "second", 6, MP_FOREVER), 0);
    assert_int_equal(child_wait(child), 0);
    get_text(q, "second");
    mp_queue_destroy(q);
}

enum { SLEEPERS = 6 };

static int get_one(void *arg)
{
    assert_mp_result(mp_queue_get_bytes(arg, NULL, NULL, MP_FOREVER), 0);
    return 0;
}

static void test_one_array_wakes_all_who_wait(void **state)
{
    (void)state;
    mp_queue *q = new_queue(0);
    pid_t child[SLEEPERS];
    char items[SLEEPERS] = {0};
    for (int i = 0; i < SLEEPERS; i++)
        child[i] = child_fork(get_one, q);
    for (int i = 0; i < SLEEPERS; i++)
        check(child_await_sleep(child[i]));
    assert_mp_result(mp_queue_put_array(q, items, SLEEPERS, 1, MP_FOREVER), SLEEPERS);
    for (int i = 0; i < SLEEPERS; i++)
        assert_int_equal(child_wait(child[i]), 0);
    check(mp_queue_empty(q));
    mp_queue_destroy(q);
}

static volatile sig_atomic_t signals;

static void count_signal(int number)
{
    (void)number;
    signals++;
}

static int signal_then_put(void *arg)
{
    for (int i = 0; i < 20; i++) {
        check(child_await_sleep(getppid()));
        check(kill(getppid(), SIGUSR1) == 0);
    }
    put_text(arg, "late");
    return 0;
}

static void test_waits_go_on_after_signals(void **state)
{
    (void)state;
    mp_queue *q = new_queue(0);
    struct sigaction action = {.sa_handler = count_signal}, before;
    check(sigaction(SIGUSR1, &action, &before) == 0);
    signals = 0;
    pid_t child = child_fork(signal_then_put, q);
    assert_mp_result(mp_queue_get_bytes(q, NULL, NULL, MP_FOREVER), 0);
    assert_int_equal(child_wait(child), 0);
    check(signals > 0);
    check(sigaction(SIGUSR1, &before, NULL) == 0);
    mp_queue_destroy(q);
}

/* ---- codes ----------------------------------------------------------------------------------- */

static void test_bad_arguments_are_refused(void **state)
{
    (void)state;
    mp_queue *q = new_queue(0);
    char buf[4];
    assert_mp_error(mp_queue_create(NULL, 0), MP_EINVAL);
    assert_mp_error(mp_queue_put_bytes(NULL, "x", 1, 0), MP_EINVAL);
    assert_mp_error(mp_queue_put_bytes(q, NULL, 1, 0), MP_EINVAL);
    assert_mp_error(mp_queue_get_bytes(NULL, NULL, NULL, 0), MP_EINVAL);
    assert_mp_error(mp_queue_get_bytes_into(q, NULL, 4, NULL, 0), MP_EINVAL);
    assert_mp_error(mp_queue_put_array(q, NULL, 1, 1, 0), MP_EINVAL);
    assert_mp_error(mp_queue_put_array(q, buf, 0, 1, 0), MP_EINVAL);
    assert_mp_error(mp_queue_put_array(q, buf, 1, 0, 0), MP_EINVAL);
    assert_mp_error(mp_queue_put_array(q, buf, 1 << 20, SIZE_MAX / 8, 0), MP_EINVAL);
    assert_mp_error(mp_queue_put_array(q, buf, (size_t)INT32_MAX + 1, 1, 0), MP_EINVAL);
    assert_mp_error(mp_queue_get_array(q, NULL, 1, 1, 0), MP_EINVAL);
    assert_mp_error(mp_queue_get_array(q, buf, 0, 1, 0), MP_EINVAL);
    assert_mp_error(mp_queue_get_array(q, buf, 1, 0, 0), MP_EINVAL);
    assert_mp_error(mp_queue_qsize(NULL), MP_EINVAL);
    assert_mp_error(mp_queue_join(NULL, 0), MP_EINVAL);
    assert_mp_error(mp_queue_task_done(NULL), MP_EINVAL);
    assert_mp_error(mp_queue_close(NULL), MP_EINVAL);
    check(mp_queue_empty(NULL) && !mp_queue_full(NULL));
    check(mp_queue_empty(q));
    mp_queue_destroy(NULL);
    mp_queue_destroy(q);
}

static void test_another_kind_is_refused(void **state)
{
    (void)state;
    mp_event *event;
    mp_simple_queue *simple;
    assert_mp_result(mp_event_create(&event), 0);
    assert_mp_result(mp_simple_queue_create(&simple), 0);
    mp_queue *not_queues[] = {(mp_queue *)(void *)event, (mp_queue *)(void *)simple};
    for (int i = 0; i < 2; i++) {
        assert_mp_error(mp_queue_put_bytes(not_queues[i], "x", 1, 0), MP_ETYPE);
        assert_mp_error(mp_queue_get_bytes(not_queues[i], NULL, NULL, 0), MP_ETYPE);
        assert_mp_error(mp_queue_qsize(not_queues[i]), MP_ETYPE);
        assert_mp_error(mp_queue_task_done(not_queues[i]), MP_ETYPE);
        mp_queue_destroy(not_queues[i]);
    }
    assert_mp_result(mp_event_set(event), 0);
    check(mp_simple_queue_empty(simple));
    mp_event_destroy(event);
    mp_simple_queue_destroy(simple);
}

static void test_a_destroyed_queue_is_closed(void **state)
{
    (void)state;
    mp_queue *q = new_queue(0);
    put_text(q, "gone with it");
    mp_queue_destroy(q);
    assert_mp_error(mp_queue_put_bytes(q, "x", 1, 0), MP_ECLOSED);
    assert_mp_error(mp_queue_get_bytes(q, NULL, NULL, MP_FOREVER), MP_ECLOSED);
    assert_mp_error(mp_queue_qsize(q), MP_ECLOSED);
    assert_mp_error(mp_queue_join(q, MP_FOREVER), MP_ECLOSED);
    assert_mp_error(mp_queue_close(q), MP_ECLOSED);
    check(mp_queue_empty(q) && !mp_queue_full(q));
    mp_queue_destroy(q);
}

/* ---- many ------------------------------------------------------------------------------------ */

enum { PRODUCERS = 4, CONSUMERS = 3, EACH = 5000 };

struct traffic {
    mp_queue *q;
    uint32_t producer;
    _Atomic uint32_t *got; /* [producer][number] */
};

static int produce(void *arg)
{
    const struct traffic *t = arg;
    struct rng rng = rng_start(t->producer + 1);
    for (uint32_t i = 0; i < EACH; i++)
        put_message(t->q, 16 + random_size(&rng, 20000), t->producer, i);
    return 0;
}

static int consume(void *arg)
{
    const struct traffic *t = arg;
    uint32_t last[PRODUCERS] = {0};
    for (;;) {
        void *p;
        size_t n;
        uint32_t producer, number;
        assert_mp_result(mp_queue_get_bytes(t->q, &p, &n, MP_FOREVER), 0);
        if (n == 0) {
            free(p);
            return 0;
        }
        check(message_read(p, n, &producer, &number));
        free(p);
        check(producer < PRODUCERS && number < EACH);
        check(number + 1 > last[producer]); /* of one producer they come in order */
        last[producer] = number + 1;
        check(atomic_fetch_add(&t->got[producer * EACH + number], 1) == 0);
    }
}

static void many_with(size_t maxsize)
{
    struct mp__heap_count before = heap_count();
    void *memory;
    pid_t child[PRODUCERS + CONSUMERS];
    assert_mp_result(mp_raw_alloc(&memory, PRODUCERS * EACH * sizeof(uint32_t)), 0);
    struct traffic t = {.q = new_queue(maxsize), .got = memory};
    for (uint32_t i = 0; i < PRODUCERS; i++) {
        t.producer = i;
        child[i] = child_fork(produce, &t);
    }
    for (int i = PRODUCERS; i < PRODUCERS + CONSUMERS; i++)
        child[i] = child_fork(consume, &t);
    for (int i = 0; i < PRODUCERS; i++)
        assert_int_equal(child_wait(child[i]), 0);
    for (int i = 0; i < CONSUMERS; i++)
        assert_mp_result(mp_queue_put_bytes(t.q, NULL, 0, MP_FOREVER), 0);
    for (int i = PRODUCERS; i < PRODUCERS + CONSUMERS; i++)
        assert_int_equal(child_wait(child[i]), 0);
    for (size_t i = 0; i < PRODUCERS * EACH; i++)
        check(atomic_load(&t.got[i]) == 1);
    check(mp_queue_empty(t.q));
    mp_queue_destroy(t.q);
    mp_raw_free(memory);
    heap_is_as_before(&before);
}

static void test_many_producers_and_consumers_without_limit(void **state)
{
    (void)state;
    many_with(0);
}

static void test_many_producers_and_consumers_with_limits(void **state)
{
    (void)state;
    many_with(1);
    many_with(7);
}

static void *get_in_a_thread(void *arg)
{
    check(get_one(arg) == 0);
    return NULL;
}

static void test_threads_of_one_process_share_a_queue(void **state)
{
    (void)state;
    mp_queue *q = new_queue(1);
    pthread_t thread[4];
    for (int i = 0; i < 4; i++)
        check(pthread_create(&thread[i], NULL, get_in_a_thread, q) == 0);
    for (int i = 0; i < 4; i++)
        assert_mp_result(mp_queue_put_bytes(q, "x", 1, MP_FOREVER), 0);
    for (int i = 0; i < 4; i++)
        check(pthread_join(thread[i], NULL) == 0);
    check(mp_queue_empty(q));
    mp_queue_destroy(q);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("what went in first comes out first", test_what_went_in_first_comes_out_first),
        support_test("counts are exact", test_counts_are_exact),
        support_test("a limit counts messages, not bytes", test_a_limit_counts_messages_not_bytes),
        support_test("messages of no bytes count too", test_messages_of_no_bytes_count_too),
        support_test("timeouts are waited out", test_timeouts_are_waited_out),
        support_test("a put wakes who waits", test_a_put_wakes_who_waits),
        support_test("a get wakes who waits for room", test_a_get_wakes_who_waits_for_room),
        support_test("one array wakes all who wait", test_one_array_wakes_all_who_wait),
        support_test("waits go on after signals", test_waits_go_on_after_signals),
        support_test("bad arguments are refused", test_bad_arguments_are_refused),
        support_test("another kind is refused", test_another_kind_is_refused),
        support_test("a destroyed queue is closed", test_a_destroyed_queue_is_closed),
        support_test("many producers and consumers, without limit",
                     test_many_producers_and_consumers_without_limit),
        support_test("many producers and consumers, with limits",
                     test_many_producers_and_consumers_with_limits),
        support_test("threads of one process share a queue",
                     test_threads_of_one_process_share_a_queue),
    };
    return support_run_processes("Queue", tests);
}
