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

static void put_text(mp_queue *q, const char *text)
{
    assert_mp_result(mp_queue_put_bytes(q, text, strlen(text), MP_NOWAIT), 0);
}

static void get_text(mp_queue *q, const char *text)
{
    char buf[64];
    size_t n = 99;
    assert_mp_result(mp_queue_get_bytes_into(q, buf, sizeof buf, &n, MP_NOWAIT), 0);
    check(n == strlen(text) && memcmp(buf, text, n) == 0);
}

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

/* ---- ends ------------------------------------------------------------------------------------ */

static int get_from_destroyed(void *arg)
{
    assert_mp_error(mp_queue_get_bytes(arg, NULL, NULL, MP_FOREVER), MP_ECLOSED);
    return 0;
}

static int put_to_destroyed(void *arg)
{
    assert_mp_error(mp_queue_put_bytes(arg, "x", 1, MP_FOREVER), MP_ECLOSED);
    return 0;
}

static int join_destroyed(void *arg)
{
    assert_mp_error(mp_queue_join(arg, MP_FOREVER), MP_ECLOSED);
    return 0;
}

static void test_who_sleeps_learns_that_it_was_destroyed(void **state)
{
    (void)state;
    struct mp__heap_count before = heap_count();
    mp_queue *empty = new_queue(0), *full = new_queue(1);
    put_text(full, "x");
    int (*const body[])(void *) = {get_from_destroyed, get_from_destroyed, put_to_destroyed,
                                   put_to_destroyed,   join_destroyed,     join_destroyed};
    pid_t child[6];
    for (int i = 0; i < 6; i++) {
        child[i] = child_fork(body[i], i < 2 ? empty : full);
        check(child_await_sleep(child[i]));
    }
    mp_queue_destroy(empty);
    mp_queue_destroy(full);
    mp_queue *next = new_queue(0); /* in the same place, most likely */
    for (int i = 0; i < 6; i++)
        assert_int_equal(child_wait(child[i]), 0);
    check(mp_queue_empty(next));
    mp_queue_destroy(next);
    heap_is_as_before(&before);
}

/* One that is inside, under a guard, while the queue is destroyed. */
struct intruder {
    mp_queue *q;
    const char *step; /* where it lingers */
    int (*work)(void *q);
    atomic_int inside, destroyed;
};

static struct intruder *intruder;

static void linger(const char *name)
{
    if (strcmp(name, intruder->step) != 0 || atomic_exchange(&intruder->inside, 1) != 0)
        return;
    double start = clock_seconds();
    while (!atomic_load(&intruder->destroyed) && clock_seconds() - start < 0.1)
        ;
}

static int intrude(void *arg)
{
    uint64_t me;
    struct intruder *in = arg;
    check(mp__self_word(&me) == 0);
    mp__step_hook = linger;
    return in->work(in->q);
}

static int put_4000(void *q)
{
    char bytes[4000];
    memset(bytes, 'x', sizeof bytes);
    int rc = mp_queue_put_bytes(q, bytes, sizeof bytes, MP_FOREVER);
    check(rc == 0 || rc == MP_ECLOSED);
    return 0;
}

static int get_4000(void *q)
{
    char bytes[4000];
    int rc = mp_queue_get_bytes_into(q, bytes, sizeof bytes, NULL, MP_FOREVER);
    check(rc == MP_ECLOSED || (rc == 0 && bytes[0] == 'x' && bytes[3999] == 'x'));
    return 0;
}

static void destroyed_around(int (*work)(void *q), const char *step)
{
    enum { SIZE = 65536 };
    static char zero[SIZE];
    void *next[2];
    *intruder = (struct intruder){.q = new_queue(0), .step = step, .work = work};
    check(put_4000(intruder->q) == 0);
    pid_t child = child_fork(intrude, intruder);
    while (!atomic_load(&intruder->inside))
        ;
    mp_queue_destroy(intruder->q);
    for (int i = 0; i < 2; i++)
        check(mp__heap_take(SIZE, &next[i]) == 0);
    atomic_store(&intruder->destroyed, 1);
    assert_int_equal(child_wait(child), 0);
    for (int i = 0; i < 2; i++) {
        check(memcmp(next[i], zero, SIZE) == 0);
        mp__heap_give(next[i]);
    }
}

static void test_destroy_lets_those_inside_finish(void **state)
{
    (void)state;
    struct mp__heap_count before = heap_count();
    void *memory;
    assert_mp_result(mp_raw_alloc(&memory, sizeof *intruder), 0);
    intruder = memory;
    destroyed_around(put_4000, "guard.taken");
    destroyed_around(put_4000, "ring.committing");
    destroyed_around(get_4000, "guard.taken");
    destroyed_around(get_4000, "ring.taking");
    destroyed_around(get_4000, "ring.taken");
    mp_raw_free(memory);
    heap_is_as_before(&before);
}

static mp_queue *new_queue_at(const mp_queue *place)
{
    mp_queue *other[256];
    int n = 0;
    mp_queue *q = new_queue(0);
    while (q != place) {
        check(n < 256);
        other[n++] = q;
        q = new_queue(0);
    }
    while (n > 0)
        mp_queue_destroy(other[--n]);
    return q;
}

/* Who slept at a queue's end leaves later, out of gates that serve the next one by then. */
static void test_a_queue_in_the_place_of_one_with_sleepers_wakes_at_once(void **state)
{
    (void)state;
    enum { ROUNDS = 20 };
    mp_queue *first = new_queue(0);
    pid_t child = child_fork(get_from_destroyed, first);
    check(child_await_sleep(child));
    mp_queue_destroy(first);
    mp_queue *q = new_queue_at(first);
    assert_int_equal(child_wait(child), 0);
    int late = 0;
    for (int i = 0; i < ROUNDS; i++) {
        child = child_fork(get_one, q);
        check(child_await_sleep(child));
        double start = clock_seconds();
        put_text(q, "x");
        assert_int_equal(child_wait(child), 0);
        late += clock_seconds() - start > 0.004;
    }
    check(late < ROUNDS / 2);
    mp_queue_destroy(q);
}

static int destroy_it(void *arg)
{
    mp_queue_destroy(arg);
    put_text(arg, "still here");
    return 0;
}

static void test_only_the_creator_destroys(void **state)
{
    (void)state;
    mp_queue *q = new_queue(0);
    child_must_succeed(destroy_it, q);
    get_text(q, "still here");
    mp_queue_destroy(q);
}

struct made {
    mp_queue *q;
};

static int make_it(void *arg)
{
    struct made *made = arg;
    made->q = new_queue(2);
    put_message(made->q, 100, 1, 1);
    put_message(made->q, 10000, 1, 2);
    return 0;
}

static void test_a_queue_outlives_its_creator(void **state)
{
    (void)state;
    struct mp__heap_count before = heap_count();
    void *memory;
    assert_mp_result(mp_raw_alloc(&memory, sizeof(struct made)), 0);
    struct made *made = memory;
    child_must_succeed(make_it, made);
    mp__heap_sweep();
    get_message(made->q, 100, 1, 1);
    get_message(made->q, 10000, 1, 2);
    mp_queue_destroy(made->q);
    mp_raw_free(memory);
    heap_is_as_before(&before);
}

struct member {
    int before;
    mp_queue *q;
    int after;
};

static int put_by_member(void *arg)
{
    struct member *m = arg;
    check(m->before == 1 && m->after == 2);
    put_text(m->q, "by member");
    return 0;
}

static int get_by_handle(void *arg)
{
    mp_obj o;
    void *inner;
    assert_mp_result(mp_queue_get(arg, &o, MP_FOREVER), 0);
    assert_mp_result(mp_obj_as_handle(o, &inner), 0);
    mp_obj_free(&o);
    put_text(inner, "by handle");
    return 0;
}

static void test_a_queue_is_passed_on_as_member_and_handle(void **state)
{
    (void)state;
    void *memory;
    assert_mp_result(mp_raw_alloc(&memory, sizeof(struct member)), 0);
    struct member *m = memory;
    *m = (struct member){1, new_queue(0), 2};
    child_must_succeed(put_by_member, m);
    get_text(m->q, "by member");
    mp_queue *outer = new_queue(0);
    assert_mp_result(mp_queue_put(outer, mp_obj_handle(m->q), MP_FOREVER), 0);
    child_must_succeed(get_by_handle, outer);
    get_text(m->q, "by handle");
    mp_queue_destroy(outer);
    mp_queue_destroy(m->q);
    mp_raw_free(memory);
}

/* ---- close ----------------------------------------------------------------------------------- */

static int find_it_open(void *arg)
{
    put_text(arg, "from the child");
    return 0;
}

static int find_it_closed(void *arg)
{
    assert_mp_error(mp_queue_put_bytes(arg, "x", 1, 0), MP_ECLOSED);
    assert_mp_error(mp_queue_get_bytes(arg, NULL, NULL, 0), MP_ECLOSED);
    assert_mp_result(mp_queue_join_thread(arg), 0);
    return 0;
}

static int close_it(void *arg)
{
    assert_mp_result(mp_queue_close(arg), 0);
    return find_it_closed(arg);
}

static void test_close_is_for_one_process_and_its_later_children(void **state)
{
    (void)state;
    mp_queue *q = new_queue(5);
    assert_mp_error(mp_queue_join_thread(q), MP_ESTATE);
    child_must_succeed(close_it, q);
    put_text(q, "open here");
    struct signal_pipe go;
    pipe_open(&go);
    pid_t before = child_fork(find_it_open, q);
    assert_int_equal(child_wait(before), 0);
    assert_mp_result(mp_queue_close(q), 0);
    assert_mp_result(mp_queue_close(q), 0);
    check(find_it_closed(q) == 0);
    child_must_succeed(find_it_closed, q);
    assert_mp_result(mp_queue_qsize(q), 2);
    check(!mp_queue_empty(q) && !mp_queue_full(q));
    assert_mp_result(mp_queue_task_done(q), 0);
    assert_mp_error(mp_queue_join(q, MP_NOWAIT), MP_ETIMEOUT);
    pipe_close(&go);
    mp_queue_destroy(q);
}

static void test_a_new_queue_in_a_closed_ones_place_is_open(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        mp_queue *q = new_queue(0);
        put_text(q, "open");
        get_text(q, "open");
        assert_mp_result(mp_queue_close(q), 0);
        mp_queue_destroy(q);
    }
}

static void test_cancel_join_thread_loses_nothing(void **state)
{
    (void)state;
    mp_queue *q = new_queue(0);
    assert_mp_result(mp_queue_cancel_join_thread(q), 0);
    put_text(q, "kept");
    assert_mp_result(mp_queue_cancel_join_thread(q), 0);
    get_text(q, "kept");
    mp_queue_destroy(q);
}

static int put_much_and_exit(void *arg)
{
    for (uint32_t i = 0; i < 3000; i++)
        put_message(arg, 1000, 1, i);
    return 0;
}

static void test_what_was_put_survives_and_nobody_waits_for_readers(void **state)
{
    (void)state;
    mp_queue *q = new_queue(0);
    mp_process *process;
    int code;
    assert_mp_result(mp_process_create(&process, put_much_and_exit, q, 0, NULL), 0);
    assert_mp_result(mp_process_start(process), 0);
    assert_mp_result(mp_process_join(process, MP_FOREVER), 0); /* before anybody reads */
    assert_mp_result(mp_process_exitcode(process, &code), 1);
    assert_int_equal(code, 0);
    mp_process_destroy(process);
    for (uint32_t i = 0; i < 3000; i++)
        get_message(q, 1000, 1, i);
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
        support_test("who sleeps learns that it was destroyed",
                     test_who_sleeps_learns_that_it_was_destroyed),
        support_test("destroy lets those inside finish", test_destroy_lets_those_inside_finish),
        support_test("a queue in the place of one with sleepers wakes at once",
                     test_a_queue_in_the_place_of_one_with_sleepers_wakes_at_once),
        support_test("only the creator destroys", test_only_the_creator_destroys),
        support_test("a queue outlives its creator", test_a_queue_outlives_its_creator),
        support_test("a queue is passed on as a member and as a handle",
                     test_a_queue_is_passed_on_as_member_and_handle),
        support_test("close is for one process and its later children",
                     test_close_is_for_one_process_and_its_later_children),
        support_test("a new queue in a closed one's place is open",
                     test_a_new_queue_in_a_closed_ones_place_is_open),
        support_test("cancel_join_thread loses nothing", test_cancel_join_thread_loses_nothing),
        support_test("what was put survives, and nobody waits for readers",
                     test_what_was_put_survives_and_nobody_waits_for_readers),
        support_test("many producers and consumers, without limit",
                     test_many_producers_and_consumers_without_limit),
        support_test("many producers and consumers, with limits",
                     test_many_producers_and_consumers_with_limits),
        support_test("threads of one process share a queue",
                     test_threads_of_one_process_share_a_queue),
    };
    return support_run_processes("Queue", tests);
}
