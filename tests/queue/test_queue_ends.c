/* Queue: destroyed, closed, left behind, passed on. */
#include "queue_kit.h"

#include <mp/process.h>
#include <mp/sharedctypes.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

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

struct getter {
    mp_queue *q;
    _Atomic int64_t began_at; /* when it began to wait */
    _Atomic int64_t got_at;   /* when it had the message */
};

static int get_and_note_when(void *arg)
{
    struct getter *getter = arg;
    atomic_store(&getter->began_at, mp__now());
    assert_mp_result(mp_queue_get_bytes(getter->q, NULL, NULL, MP_FOREVER), 0);
    atomic_store(&getter->got_at, mp__now());
    return 0;
}

/* Whom nobody wakes looks again by itself after a slice of 10 ms. If there was a message less than 4
 * ms after it began to wait, it has that after 6 ms at the earliest, and who has it in less than 4
 * was woken. Gives 1 then, -1 if that one came later, 0 if the message itself did. */
static int woken_at_once(struct getter *getter)
{
    _Static_assert(MP__SLICE_FIRST == 10 * MP__MS, "the times here go by it");
    pid_t child = child_fork(get_and_note_when, getter);
    check(child_await_sleep(child));
    mp__moment start = mp__now();
    put_text(getter->q, "x");
    assert_int_equal(child_wait(child), 0);
    if (start - atomic_load(&getter->began_at) >= 4 * MP__MS)
        return 0;
    return atomic_load(&getter->got_at) - start < 4 * MP__MS ? 1 : -1;
}

/* Who slept at a queue's end leaves later, out of gates that serve the next one by then. */
static void test_a_queue_in_the_place_of_one_with_sleepers_wakes_at_once(void **state)
{
    (void)state;
    enum { WANTED = 10, UNWANTED = -20, ROUNDS = 200 };
    int lead = 0;
    void *memory;
    mp_queue *first = new_queue(0);
    pid_t child = child_fork(get_from_destroyed, first);
    check(child_await_sleep(child));
    mp_queue_destroy(first);
    mp_queue *q = new_queue_at(first);
    assert_int_equal(child_wait(child), 0);
    assert_mp_result(mp_raw_alloc(&memory, sizeof(struct getter)), 0);
    struct getter *getter = memory;
    getter->q = q;
    /* one that gets no CPU is late as well, but that is rarer */
    for (int i = 0; i < ROUNDS && lead < WANTED; i++) {
        lead += woken_at_once(getter);
        check(lead > UNWANTED);
    }
    if (lead < WANTED)
        print_message("%d rounds tell little on this machine\n", ROUNDS);
    mp_raw_free(getter);
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

int main(void)
{
    static const struct CMUnitTest tests[] = {
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
    };
    return support_run_processes("Queue, ends", tests);
}
