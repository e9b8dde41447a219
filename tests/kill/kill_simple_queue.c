/* SimpleQueue under SIGKILL: messages as in any queue, and a descriptor that does not forget. */
#include "kill/harness.h"

#include "kill/messages.h"
#include "queue/queue.h"

#include <mp/mp.h>
#include <mp/queues.h>
#include <poll.h>
#include <stdlib.h>

enum { WORKERS = 6, PRODUCERS = 3, THROTTLE = 2000 };

static mp_simple_queue *q;
static uint64_t consumers_killed;

static void produce(struct kill_worker *me)
{
    while (mp__ring_count(&q->queue) > THROTTLE) {
        if (atomic_load(&kill_board->stop))
            return;
        kill_nap(50);
    }
    uint32_t producer = (uint32_t)me->index;
    size_t size = MESSAGE_LEAST + (size_t)rng_below(&me->rng, 700);
    kill_set_role(me, HOLDER);
    uint32_t number = messages_begin(producer, 1);
    check(mp_simple_queue_put_bytes(q, message_make(producer, number, size), size) == 0);
    messages_acknowledge(producer, number, 1);
}

static void take(uint32_t consumer)
{
    void *p;
    size_t size;
    check(mp_simple_queue_get_bytes(q, &p, &size) == 0);
    if (size > 0)
        messages_got(consumer, p, size);
    free(p);
}

static bool is_readable(int milliseconds)
{
    struct pollfd item = {.fd = mp_simple_queue_fileno(q), .events = POLLIN};
    return poll(&item, 1, milliseconds) == 1;
}

/* One of the consumers comes only when the descriptor calls it. */
static void turn(struct kill_worker *me)
{
    if (me->index < PRODUCERS) {
        produce(me);
        return;
    }
    if (me->index == PRODUCERS)
        while (!is_readable(1000) && !atomic_load(&kill_board->stop))
            ;
    kill_set_role(me, HOLDER);
    take((uint32_t)me->index);
}

static void died(struct kill_worker *w)
{
    consumers_killed += w->index >= PRODUCERS;
}

static void let_go(void)
{
    (void)mp_simple_queue_put_bytes(q, NULL, 0);
}

static void the_descriptor_is_right(void)
{
    assert_true(mp_simple_queue_empty(q));
    let_go();
    assert_true(is_readable(0));
    take(WORKERS);
    assert_false(is_readable(0));
    let_go();
    assert_true(is_readable(0));
    take(WORKERS);
    assert_false(is_readable(0));
}

static void test_messages_are_accounted_for(void **state)
{
    (void)state;
    struct kill_result result;
    struct messages_sum sum;
    struct mp__heap_count before, after;
    const struct kill_plan plan = {.workers = WORKERS,
                                   .kills = kill_count(300),
                                   .turn = turn,
                                   .died = died,
                                   .let_go = let_go,
                                   .wanted = 1 << WAITER | 1 << WOKEN | 1 << HOLDER,
                                   .replace_within = 500};
    kill_prepare();
    messages_prepare();
    assert_true(mp__heap_is_valid(&before));
    assert_mp_ok(mp_simple_queue_create(&q));
    kill_run(&plan, &result);
    while (!mp_simple_queue_empty(q))
        take(WORKERS);
    messages_count(&sum);
    kill_print("simple queue", &result);
    messages_print("simple queue", &sum, consumers_killed, result.worst_stall);
    kill_assert_clean(&plan, &result);
    assert_int_equal(sum.torn, 0);
    assert_int_equal(sum.doubled, 0);
    assert_int_equal(sum.disordered, 0);
    assert_int_equal(sum.invented, 0);
    assert_true(sum.lost <= consumers_killed);
    the_descriptor_is_right();
    mp_simple_queue_destroy(q);
    mp__heap_sweep();
    assert_true(mp__heap_is_valid(&after));
    assert_int_equal(after.building, 0);
    assert_int_equal(after.blocks, before.blocks);
    assert_int_equal(after.runs, before.runs);
}

static void make(void)
{
    assert_mp_ok(mp_simple_queue_create(&q));
}

static void end(void)
{
    mp_simple_queue_destroy(q);
}

static void get_one(void)
{
    check(mp_simple_queue_get_bytes(q, NULL, NULL) == 0);
}

static void put_one(void)
{
    check(mp_simple_queue_put_bytes(q, "x", 1) == 0);
}

static bool is_settled(bool victim_returned)
{
    (void)victim_returned;
    if (!mp_simple_queue_empty(q))
        return false;
    put_one();
    return true;
}

static void test_a_message_finds_the_survivor(void **state)
{
    (void)state;
    struct sparse_result result;
    static const struct sparse_plan plan = {.prepare = make,
                                            .sleep = get_one,
                                            .wake = put_one,
                                            .is_settled = is_settled,
                                            .clean_up = end};
    kill_prepare();
    sparse_run(&plan, sparse_rounds(), &result);
    sparse_print("simple queue", &result);
    assert_int_equal(result.lost, 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("messages are accounted for", test_messages_are_accounted_for),
        support_test("a message finds the survivor", test_a_message_finds_the_survivor),
    };
    return support_run_processes("simple queue", tests);
}
