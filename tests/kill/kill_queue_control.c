/* The harness and the books on rings that are not kill-safe: both have to see what goes wrong. */
#include "kill/harness.h"

#include "kill/messages.h"

#include <errno.h>
#include <mp/mp.h>
#include <semaphore.h>
#include <string.h>

enum { WORKERS = 6, PRODUCERS = 3, SLOTS = 8, SLOT_SIZE = 256 };

/* A ring whose messages and free places are counted by tokens, each taken by an endless wait. */
struct token_ring {
    sem_t items, places;
    volatile uint32_t head, tail;
    unsigned char slot[SLOTS][SLOT_SIZE];
};

static struct token_ring *ring;
static mp_lock *head_lock, *tail_lock; /* kill-safe: what fails is the tokens */

static void ring_make(void)
{
    if (ring == NULL)
        ring = kill_shared(sizeof *ring);
    memset(ring, 0, sizeof *ring);
    assert_int_equal(sem_init(&ring->items, 1, 0), 0);
    assert_int_equal(sem_init(&ring->places, 1, SLOTS), 0);
    assert_mp_ok(mp_lock_create(&head_lock));
    assert_mp_ok(mp_lock_create(&tail_lock));
}

static void ring_end(void)
{
    mp_lock_destroy(head_lock);
    mp_lock_destroy(tail_lock);
}

/* False: the harness gave it, so that the caller leaves. */
static bool token_take(sem_t *tokens)
{
    while (sem_wait(tokens) != 0)
        check(errno == EINTR);
    return !atomic_load(&kill_board->stop);
}

static void copy(void *to, const void *from)
{
    memcpy(to, from, SLOT_SIZE);
}

static void produce(struct kill_worker *me, bool locked)
{
    uint32_t producer = (uint32_t)me->index;
    uint32_t number = messages_begin(producer, 1);
    const void *message = message_make(producer, number, SLOT_SIZE);
    if (!token_take(&ring->places))
        return;
    if (locked)
        check(mp_lock_acquire(tail_lock, MP_FOREVER) >= 0);
    copy(ring->slot[ring->tail % SLOTS], message);
    kill_dawdle(me, 8);
    ring->tail = ring->tail + 1;
    if (locked)
        check(mp_lock_release(tail_lock) == 0);
    check(sem_post(&ring->items) == 0);
    messages_acknowledge(producer, number, 1);
}

static void consume(struct kill_worker *me, bool locked)
{
    unsigned char message[SLOT_SIZE];
    if (!token_take(&ring->items))
        return;
    if (locked)
        check(mp_lock_acquire(head_lock, MP_FOREVER) >= 0);
    copy(message, ring->slot[ring->head % SLOTS]);
    kill_dawdle(me, 8);
    ring->head = ring->head + 1;
    if (locked)
        check(mp_lock_release(head_lock) == 0);
    check(sem_post(&ring->places) == 0);
    messages_got((uint32_t)me->index, message, SLOT_SIZE);
}

static void turn_of_tokens(struct kill_worker *me)
{
    kill_set_role(me, HOLDER);
    if (me->index < PRODUCERS)
        produce(me, true);
    else
        consume(me, true);
}

/* Whatever number is asked for: it ends with the first hang. */
enum { CONTROL_KILLS = 2000 };

static void test_tokens_of_the_dead_wedge_the_ring(void **state)
{
    (void)state;
    struct kill_result result;
    struct messages_sum sum;
    const struct kill_plan plan = {
        .workers = WORKERS, .kills = CONTROL_KILLS, .turn = turn_of_tokens};
    support_time_limit(300);
    kill_prepare();
    messages_prepare();
    ring_make();
    kill_run(&plan, &result);
    messages_count(&sum);
    kill_print("control: tokens", &result);
    messages_print("control: tokens", &sum, 0, result.worst_stall);
    assert_true(result.hangs > 0);
    assert_true(result.kills < (uint64_t)plan.kills);
    ring_end();
}

static void turn_without_locks(struct kill_worker *me)
{
    if (me->index < PRODUCERS)
        produce(me, false);
    else
        consume(me, false);
}

/* Who waits for what the dead had is to leave all the same. */
static void let_go(void)
{
    check(sem_post(&ring->items) == 0 && sem_post(&ring->places) == 0);
}

/* One run; true if the books show both what came wrong and what did not come. */
static bool books_show_faults(void)
{
    struct kill_result result;
    struct messages_sum sum;
    const struct kill_plan plan = {
        .workers = WORKERS, .kills = 5, .turn = turn_without_locks, .let_go = let_go};
    support_time_limit(100);
    kill_prepare();
    messages_prepare();
    ring_make();
    kill_run(&plan, &result);
    messages_count(&sum);
    messages_print("control: no locks", &sum, 0, result.worst_stall);
    ring_end();
    return sum.torn + sum.doubled + sum.invented > 0 && sum.lost > 0;
}

/* On a busy machine two of the workers may not run at the same time in a whole run. */
static void test_the_books_show_what_a_ring_without_locks_does(void **state)
{
    (void)state;
    bool shown = false;
    for (int run = 0; run < KILL_RUNS_MOST && !shown; run++)
        shown = books_show_faults();
    assert_true(shown);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("tokens of the dead wedge the ring", test_tokens_of_the_dead_wedge_the_ring),
        support_test("the books show what a ring without locks does",
                     test_the_books_show_what_a_ring_without_locks_does),
    };
    return support_run_processes("queue control", tests);
}
