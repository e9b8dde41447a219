/* Queue under SIGKILL: producers, consumers and both; every message accounted for. */
#include "kill/harness.h"

#include "kill/messages.h"

#include <mp/mp.h>
#include <mp/queues.h>
#include <string.h>
#include <sys/wait.h>

enum { WORKERS = 6, PRODUCERS = 3, THROTTLE = 3000, BATCH = 32 };

/* One way to use a queue. */
struct use {
    const char *name;
    size_t maxsize;
    size_t least, most; /* bytes of a message; alike in a batch */
    bool joined;
    bool batched;
};

static mp_queue *q;
static const struct use *use;
static unsigned char batch[BATCH][1024];

/* ---- turns ----------------------------------------------------------------------------------- */

static bool is_crowded(void)
{
    return use->maxsize == 0 && mp_queue_qsize(q) > THROTTLE;
}

static void produce(struct kill_worker *me)
{
    while (is_crowded()) {
        if (atomic_load(&kill_board->stop))
            return;
        kill_nap(50);
    }
    uint32_t producer = (uint32_t)me->index;
    size_t size = use->least + (size_t)rng_below(&me->rng, use->most - use->least + 1);
    kill_set_role(me, HOLDER);
    if (!use->batched) {
        uint32_t number = messages_begin(producer, 1);
        const void *message = message_make(producer, number, size);
        check(mp_queue_put_bytes(q, message, size, MP_FOREVER) == 0);
        messages_acknowledge(producer, number, 1);
        return;
    }
    uint32_t n = 1 + (uint32_t)rng_below(&me->rng, BATCH);
    uint32_t first = messages_begin(producer, n);
    for (uint32_t i = 0; i < n; i++)
        memcpy(batch[0] + i * use->least, message_make(producer, first + i, use->least),
               use->least);
    check(mp_queue_put_array(q, batch, n, use->least, MP_FOREVER) == (int)n);
    messages_acknowledge(producer, first, n);
}

/* Takes what there is, a batch at most; an empty message only says that it is time to leave. */
static int take(uint32_t consumer, double timeout)
{
    static unsigned char large[MESSAGE_MOST];
    size_t size = use->least;
    int n = use->batched ? mp_queue_get_array(q, batch, BATCH, size, timeout)
                         : mp_queue_get_bytes_into(q, large, sizeof large, &size, timeout);
    if (n < 0)
        return n;
    for (int i = 0; i < n || (i == 0 && !use->batched); i++) {
        if (size > 0)
            messages_got(consumer, use->batched ? batch[0] + (size_t)i * size : large, size);
        if (use->joined)
            check(mp_queue_task_done(q) == 0);
    }
    return 0;
}

static void consume(struct kill_worker *me)
{
    kill_set_role(me, HOLDER);
    int rc = take((uint32_t)me->index, MP_FOREVER);
    check(rc == 0 || rc == MP_ETYPE);
}

static void turn_of_both(struct kill_worker *me)
{
    if (me->index < PRODUCERS)
        produce(me);
    else
        consume(me);
}

/* ---- those who live -------------------------------------------------------------------------- */

static void (*work_of_the_living)(struct kill_worker *me);

static int live(void *arg)
{
    struct kill_worker *me = arg;
    me->rng = rng_start(kill_seed() + (uint64_t)me->index);
    while (!atomic_load(&kill_board->stop))
        work_of_the_living(me);
    return 0;
}

/* One message goes, whatever it is. */
static void take_any(void)
{
    if (take(WORKERS, MP_NOWAIT) == MP_ETYPE)
        (void)mp_queue_get(q, NULL, MP_NOWAIT);
}

/* Ends the waits of those who are to leave: an empty message for who gets, an object for who gets
   arrays, room for who puts. */
static void let_go(void)
{
    if (use->batched)
        (void)mp_queue_put(q, MP_NONE, MP_NOWAIT);
    else
        (void)mp_queue_put_bytes(q, NULL, 0, MP_NOWAIT);
    if (mp_queue_full(q))
        take_any();
}

/* ---- the end --------------------------------------------------------------------------------- */

/* What is left is taken too, by the harness. */
static void drain(void)
{
    while (!mp_queue_empty(q))
        take_any();
}

static struct mp__heap_count swept(void)
{
    struct mp__heap_count count;
    mp__heap_sweep();
    assert_true(mp__heap_is_valid(&count));
    assert_int_equal(count.building, 0);
    return count;
}

static void join_returns(uint64_t consumers_killed)
{
    int rc = assert_mp_ok(mp_queue_join(q, 10));
    assert_true(rc == 0 || consumers_killed > 0);
    assert_mp_result(mp_queue_join(q, 10), 0);
}

static uint64_t killed[WORKERS];

static void died(struct kill_worker *w)
{
    killed[w->index]++;
}

static void check_the_end(const struct kill_plan *plan, const struct kill_result *result,
                          const struct mp__heap_count *before, uint64_t consumers_killed)
{
    struct messages_sum sum;
    kill_print(use->name, result);
    drain();
    struct mp__heap_count drained = swept();
    messages_count(&sum);
    messages_print(use->name, &sum, consumers_killed, result->worst_stall);
    kill_assert_clean(plan, result);
    assert_int_equal(sum.torn, 0);
    assert_int_equal(sum.doubled, 0);
    assert_int_equal(sum.disordered, 0);
    assert_int_equal(sum.invented, 0);
    assert_true(sum.lost <= consumers_killed * (use->batched ? BATCH : 1));
    assert_true(drained.runs <= before->runs + 4); /* ledger, segment, spare, a link of the dead */
    if (use->joined)
        join_returns(consumers_killed);
    mp_queue_destroy(q);
    struct mp__heap_count after = swept();
    assert_int_equal(after.blocks, before->blocks);
    assert_int_equal(after.runs, before->runs);
}

/* The living leave by themselves once they are told. */
static void living_dismiss(const pid_t *living)
{
    struct kill_clock clock;
    kill_clock_start(&clock);
    atomic_store(&kill_board->stop, true);
    for (int i = 0; i < PRODUCERS; i++) {
        int status;
        pid_t got;
        while ((got = waitpid(living[i], &status, WNOHANG)) == 0) {
            assert_true(kill_clock_tick(&clock, KILL_HANG_SECONDS));
            let_go();
        }
        assert_int_equal(got, living[i]);
        assert_int_equal(status, 0);
    }
}

/* Workers do `turn` and are killed, some of both kinds if that is turn_of_both; else those of the
   other kind, who do `others`, live. */
static void torment(const struct use *how, void (*turn)(struct kill_worker *),
                    void (*others)(struct kill_worker *))
{
    struct kill_result result;
    const struct kill_plan plan = {.workers = others == NULL ? WORKERS : PRODUCERS,
                                   .kills = kill_count(300),
                                   .turn = turn,
                                   .died = died,
                                   .let_go = let_go,
                                   .wanted = 1 << WAITER | 1 << WOKEN | 1 << HOLDER,
                                   .replace_within = 500};
    pid_t living[PRODUCERS];
    kill_prepare();
    messages_prepare();
    memset(killed, 0, sizeof killed);
    use = how;
    struct mp__heap_count before = swept();
    assert_mp_ok(mp_queue_create(&q, use->maxsize));
    work_of_the_living = others;
    for (int i = 0; others != NULL && i < PRODUCERS; i++) {
        struct kill_worker *w = &kill_board->worker[PRODUCERS + i];
        w->index = PRODUCERS + i;
        living[i] = child_fork(live, w);
    }
    kill_run(&plan, &result);
    if (others != NULL)
        living_dismiss(living);
    uint64_t consumers_killed = turn == consume ? result.kills : 0;
    for (int i = PRODUCERS; i < WORKERS; i++)
        consumers_killed += killed[i];
    check_the_end(&plan, &result, &before, consumers_killed);
}

static void test_bounded(void **state)
{
    (void)state;
    static const struct use bounded = {"queue, bounded", 8, 16, 700, false, false};
    torment(&bounded, turn_of_both, NULL);
}

static void test_unbounded(void **state)
{
    (void)state;
    static const struct use unbounded = {"queue, unbounded", 0, 16, 3000, false, false};
    torment(&unbounded, turn_of_both, NULL);
}

static void test_joinable(void **state)
{
    (void)state;
    static const struct use joinable = {"queue, joinable", 50, 16, 200, true, false};
    torment(&joinable, turn_of_both, NULL);
}

static void test_batched(void **state)
{
    (void)state;
    static const struct use small = {"queue, batched", 0, 64, 64, false, true};
    static const struct use large = {"queue, batched 1 K", 40, 1024, 1024, false, true};
    torment(&small, turn_of_both, NULL);
    torment(&large, turn_of_both, NULL);
}

static void test_large(void **state)
{
    (void)state;
    static const struct use large = {"queue, large", 20, 2000, 150000, false, false};
    torment(&large, turn_of_both, NULL);
}

static void test_only_producers_die(void **state)
{
    (void)state;
    static const struct use bounded = {"producers, bounded", 8, 16, 700, false, false};
    static const struct use mixed = {"producers, mixed", 0, 16, 20000, false, false};
    torment(&bounded, produce, consume);
    torment(&mixed, produce, consume);
}

static void test_only_consumers_die(void **state)
{
    (void)state;
    static const struct use bounded = {"consumers, bounded", 8, 16, 700, true, false};
    static const struct use mixed = {"consumers, mixed", 0, 16, 20000, false, false};
    torment(&bounded, consume, produce);
    torment(&mixed, consume, produce);
}

/* ---- one message, two sleepers --------------------------------------------------------------- */

static void make_empty(void)
{
    assert_mp_ok(mp_queue_create(&q, 0));
}

static void make_full(void)
{
    assert_mp_ok(mp_queue_create(&q, 1));
    assert_mp_ok(mp_queue_put_bytes(q, "x", 1, MP_NOWAIT));
}

static void put_one(void)
{
    check(mp_queue_put_bytes(q, "x", 1, MP_FOREVER) == 0);
}

static void get_one(void)
{
    check(mp_queue_get_bytes(q, NULL, NULL, MP_FOREVER) == 0);
}

static void end(void)
{
    mp_queue_destroy(q);
}

/* A message that is there is owed to the survivor; if there is none, the dead had it or never put
   it, or the survivor has it. */
static bool message_is_settled(bool victim_returned)
{
    (void)victim_returned;
    if (!mp_queue_empty(q))
        return false;
    put_one();
    return true;
}

static bool room_is_settled(bool victim_returned)
{
    (void)victim_returned;
    if (!mp_queue_full(q))
        return false;
    get_one();
    return true;
}

static void sparse(const char *name, const struct sparse_plan *plan)
{
    struct sparse_result result;
    kill_prepare();
    sparse_run(plan, sparse_rounds(), &result);
    sparse_print(name, &result);
    assert_int_equal(result.lost, 0);
}

static void test_a_message_finds_the_survivor(void **state)
{
    (void)state;
    static const struct sparse_plan plan = {.prepare = make_empty,
                                            .sleep = get_one,
                                            .wake = put_one,
                                            .is_settled = message_is_settled,
                                            .clean_up = end};
    sparse("queue", &plan);
}

static void test_room_finds_the_survivor(void **state)
{
    (void)state;
    static const struct sparse_plan plan = {.prepare = make_full,
                                            .sleep = put_one,
                                            .wake = get_one,
                                            .is_settled = room_is_settled,
                                            .clean_up = end};
    sparse("queue, room", &plan);
}

static void make_unfinished(void)
{
    make_empty();
    put_one();
    get_one();
}

static void join_it(void)
{
    check(mp_queue_join(q, MP_FOREVER) >= 0);
}

static void finish_it(void)
{
    check(mp_queue_task_done(q) == 0);
}

static bool is_finished(bool victim_returned)
{
    (void)victim_returned;
    if (mp_queue_join(q, MP_NOWAIT) == 0)
        return false;
    finish_it();
    return true;
}

static void test_who_joins_learns_that_all_is_done(void **state)
{
    (void)state;
    static const struct sparse_plan plan = {.prepare = make_unfinished,
                                            .sleep = join_it,
                                            .wake = finish_it,
                                            .all = true,
                                            .is_settled = is_finished,
                                            .clean_up = end};
    sparse("queue, join", &plan);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("bounded", test_bounded),
        support_test("unbounded", test_unbounded),
        support_test("joinable", test_joinable),
        support_test("batched", test_batched),
        support_test("large messages", test_large),
        support_test("only producers die: nothing is lost", test_only_producers_die),
        support_test("only consumers die", test_only_consumers_die),
        support_test("a message finds the survivor", test_a_message_finds_the_survivor),
        support_test("room finds the survivor", test_room_finds_the_survivor),
        support_test("who joins learns that all is done", test_who_joins_learns_that_all_is_done),
    };
    return support_run_processes("queue", tests);
}
