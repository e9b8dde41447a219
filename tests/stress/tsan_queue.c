/* Queue: what stands in a message, and what its producer wrote before, is seen by who got it. */
#include "stress/threads.h"

#include "queue/queue.h"

#include <mp/mp.h>
#include <mp/queues.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGES = 20000, PRODUCERS = THREADS / 2, LETTERS = 4000, LARGE = 20000, BATCH = 16 };

static mp_queue *q;
static mp_simple_queue *simple;
static _Atomic long got;

/* ---- pointers to plain data ------------------------------------------------------------------ */

/* Plain memory that only the message hands over. */
struct letter {
    long number;
    long text[6];
};

static struct letter *letter_write(long number)
{
    struct letter *letter = malloc(sizeof *letter);
    check(letter != NULL);
    letter->number = number;
    for (int i = 0; i < 6; i++)
        letter->text[i] = number * i;
    return letter;
}

static void letter_read(struct letter *letter)
{
    for (int i = 0; i < 6; i++)
        check(letter->text[i] == letter->number * i);
    free(letter);
    atomic_fetch_add(&got, 1);
}

static void letters_body(struct team_member *me)
{
    struct letter *letter;
    for (long i = 0; i < LETTERS; i++)
        if (me->index < PRODUCERS) {
            letter = letter_write(i);
            check(mp_queue_put_bytes(q, &letter, sizeof letter, MP_FOREVER) == 0);
        } else {
            check(mp_queue_get_bytes_into(q, &letter, sizeof letter, NULL, MP_FOREVER) == 0);
            letter_read(letter);
        }
}

static void simple_body(struct team_member *me)
{
    struct letter *letter;
    for (long i = 0; i < LETTERS; i++)
        if (me->index < PRODUCERS) {
            letter = letter_write(i);
            check(mp_simple_queue_put_bytes(simple, &letter, sizeof letter) == 0);
        } else {
            void *p;
            check(mp_simple_queue_get_bytes(simple, &p, NULL) == 0);
            memcpy(&letter, p, sizeof letter);
            free(p);
            letter_read(letter);
        }
}

static void arrays_body(struct team_member *me)
{
    struct letter *letters[BATCH];
    if (me->index < PRODUCERS) {
        for (long i = 0; i < LETTERS; i += BATCH) {
            for (int k = 0; k < BATCH; k++)
                letters[k] = letter_write(i + k);
            check(mp_queue_put_array(q, letters, BATCH, sizeof *letters, MP_FOREVER) == BATCH);
        }
        return;
    }
    for (;;) {
        int n = mp_queue_get_array(q, letters, BATCH, sizeof *letters, 0.02);
        if (n == MP_EEMPTY && atomic_load(&got) == PRODUCERS * LETTERS)
            return;
        check(n > 0 || n == MP_EEMPTY);
        for (int k = 0; k < n; k++)
            letter_read(letters[k]);
    }
}

static void with_maxsize(size_t maxsize, void (*body)(struct team_member *me))
{
    atomic_store(&got, 0);
    assert_mp_ok(mp_queue_create(&q, maxsize));
    team_run(body);
    assert_int_equal(atomic_load(&got), PRODUCERS * LETTERS);
    assert_true(mp_queue_empty(q));
    mp_queue_destroy(q);
}

static void test_one_by_one(void **state)
{
    (void)state;
    with_maxsize(0, letters_body);
    with_maxsize(1, letters_body);
    with_maxsize(10, letters_body);
}

static void test_in_arrays(void **state)
{
    (void)state;
    with_maxsize(0, arrays_body);
    with_maxsize(24, arrays_body);
}

static void test_through_a_simple_queue(void **state)
{
    (void)state;
    atomic_store(&got, 0);
    assert_mp_ok(mp_simple_queue_create(&simple));
    team_run(simple_body);
    assert_int_equal(atomic_load(&got), PRODUCERS * LETTERS);
    mp_simple_queue_destroy(simple);
}

/* ---- segments and blocks that pass from one to the other ------------------------------------- */

static void sizes_body(struct team_member *me)
{
    static _Thread_local unsigned char buf[LARGE];
    for (long i = 0; i < MESSAGES / 10; i++) {
        size_t n = 8 + (size_t)rng_below(&me->rng, i % 8 == 0 ? LARGE - 8 : 3000);
        if (me->index < PRODUCERS) {
            memset(buf, (int)(i & 0xff), n);
            check(mp_queue_put_bytes(q, buf, n, MP_FOREVER) == 0);
            continue;
        }
        check(mp_queue_get_bytes_into(q, buf, sizeof buf, &n, MP_FOREVER) == 0);
        for (size_t k = 1; k < n; k++)
            check(buf[k] == buf[0]);
        if (i % 256 == 0)
            mp__heap_sweep();
    }
}

static void test_segments_and_blocks_change_hands(void **state)
{
    (void)state;
    for (size_t maxsize = 0; maxsize <= 40; maxsize += 20) {
        assert_mp_ok(mp_queue_create(&q, maxsize));
        team_run(sizes_body);
        assert_true(mp_queue_empty(q));
        mp_queue_destroy(q);
    }
}

/* ---- done and joined ------------------------------------------------------------------------- */

static long work[PRODUCERS * LETTERS];
static _Atomic long next;

/* Whoever joins sees what was done before it was reported. */
static void join_body(struct team_member *me)
{
    long i;
    if (me->index > 0) {
        for (;;) {
            check(mp_queue_get_bytes_into(q, &i, sizeof i, NULL, MP_FOREVER) == 0);
            if (i >= 0)
                work[i]++;
            check(mp_queue_task_done(q) == 0);
            if (i < 0)
                return;
        }
    }
    for (int round = 0; round < 40; round++) {
        for (int k = 0; k < 100; k++) {
            i = atomic_fetch_add(&next, 1);
            check(mp_queue_put_bytes(q, &i, sizeof i, MP_FOREVER) == 0);
        }
        check(mp_queue_join(q, MP_FOREVER) == 0);
        for (long k = 0; k < atomic_load(&next); k++)
            check(work[k] == 1);
    }
    i = -1;
    for (int k = 1; k < THREADS; k++)
        check(mp_queue_put_bytes(q, &i, sizeof i, MP_FOREVER) == 0);
}

static void test_join_sees_what_was_done(void **state)
{
    (void)state;
    assert_mp_ok(mp_queue_create(&q, 0));
    team_run(join_body);
    assert_mp_result(mp_queue_join(q, MP_FOREVER), 0);
    mp_queue_destroy(q);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("one by one", test_one_by_one),
        support_test("in arrays", test_in_arrays),
        support_test("through a simple queue", test_through_a_simple_queue),
        support_test("segments and blocks change hands", test_segments_and_blocks_change_hands),
        support_test("join sees what was done", test_join_sees_what_was_done),
    };
    return support_run("queue", tests);
}
