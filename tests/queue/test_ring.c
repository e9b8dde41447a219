/* The ring: any mix of sizes across its segments, growth, what it costs, and what comes back. */
#include "queue_kit.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { SEGMENT_BYTES = 65536, SEGMENTS_KEPT = 2 };

/* What a queue of its own costs besides its messages: a block, a ledger, a segment. */
static struct mp__heap_count with_an_empty_queue(mp_queue **q)
{
    *q = new_queue(0);
    return heap_count();
}

static void keeps_at_most_two_segments(const struct mp__heap_count *empty)
{
    struct mp__heap_count now = heap_count();
    check(now.blocks == empty->blocks);
    check(now.runs >= empty->runs && now.runs <= empty->runs + SEGMENTS_KEPT - 1);
    check(granules_used(&now) - now.slabs <=
          granules_used(empty) - empty->slabs + SEGMENTS_KEPT - 1);
}

static void test_any_mix_of_sizes_crosses_the_segments_whole(void **state)
{
    (void)state;
    mp_queue *q;
    struct mp__heap_count before = heap_count();
    struct mp__heap_count empty = with_an_empty_queue(&q);
    uint64_t seed = rng_seed();
    struct rng in = rng_start(seed), out = rng_start(seed), turns = rng_start(seed + 1);
    uint32_t put = 0, got = 0;
    while (got < 60000) {
        uint64_t n = rng_below(&turns, 1 + rng_below(&turns, 400));
        for (uint64_t i = 0; i < n && put < 60000; i++, put++)
            put_message(q, random_size(&in, SIZE_MAX), 1, put);
        n = rng_below(&turns, 1 + rng_below(&turns, 400));
        for (uint64_t i = 0; i < n && got < put; i++, got++)
            get_message(q, random_size(&out, SIZE_MAX), 1, got);
    }
    check(mp_queue_empty(q));
    keeps_at_most_two_segments(&empty);
    mp_queue_destroy(q);
    heap_is_as_before(&before);
}

/* Every way a segment can end: the rest of it holds the next message just so, or just not. */
static void test_a_segment_may_end_anywhere(void **state)
{
    (void)state;
    mp_queue *q = new_queue(0);
    for (size_t size = 0; size <= MP__RING_INLINE + 1; size += size < 70 ? 1 : 61) {
        size_t n = 3 * (size_t)SEGMENT_BYTES / (size + 4) + 3;
        if (n > 3000)
            n = 3000;
        for (uint32_t i = 0; i < n; i++)
            put_message(q, i % 7 == 3 ? size / 2 : size, 2, i);
        for (uint32_t i = 0; i < n; i++)
            get_message(q, i % 7 == 3 ? size / 2 : size, 2, i);
    }
    mp_queue_destroy(q);
}

/* The segment's head, as ring.c has it: type, base, previous, next. */
static void begin_at(mp_queue *q, uint32_t position, uint32_t count)
{
    uint32_t *segment = mp__piece_at(atomic_load(&q->head_segment));
    segment[1] = position;
    q->head_seen = q->tail_seen = (uint64_t)position << 32 | count;
    atomic_store(&q->tail, (uint64_t)position << 32 | count);
    atomic_store(&q->head, (uint64_t)position << 32 | count);
    q->done = count;
}

static void test_positions_and_counts_may_wrap(void **state)
{
    (void)state;
    struct mp__heap_count before = heap_count();
    mp_queue *q = new_queue(1000);
    begin_at(q, UINT32_MAX - 50000, UINT32_MAX - 600);
    assert_mp_result(mp_queue_qsize(q), 0);
    check(mp_queue_empty(q) && !mp_queue_full(q));
    uint64_t seed = rng_seed();
    struct rng in = rng_start(seed), out = rng_start(seed);
    for (int round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < 1000; i++)
            put_message(q, random_size(&in, SIZE_MAX), 1, i);
        assert_mp_result(mp_queue_qsize(q), 1000);
        check(mp_queue_full(q));
        assert_mp_error(mp_queue_put_bytes(q, "x", 1, MP_NOWAIT), MP_EFULL);
        struct mp__heap_count full = heap_count(); /* sweeps: nothing that is needed goes */
        (void)full;
        for (uint32_t i = 0; i < 1000; i++)
            get_message(q, random_size(&out, SIZE_MAX), 1, i);
        check(mp_queue_empty(q));
    }
    for (int i = 0; i < 3000; i++)
        assert_mp_result(mp_queue_task_done(q), 0);
    assert_mp_error(mp_queue_task_done(q), MP_ESTATE);
    assert_mp_result(mp_queue_join(q, MP_NOWAIT), 0);
    mp_queue_destroy(q);
    heap_is_as_before(&before);
}

/* ---- large ----------------------------------------------------------------------------------- */

static void test_messages_up_to_64_mib_come_whole(void **state)
{
    (void)state;
    mp_queue *q;
    struct mp__heap_count before = heap_count();
    struct mp__heap_count empty = with_an_empty_queue(&q);
    for (size_t size = 1; size <= (size_t)64 << 20; size *= 4)
        for (size_t d = 0; d < 3; d++) {
            put_message(q, size + d - 1, 1, (uint32_t)(size + d));
            put_message(q, size / 4 + d, 2, (uint32_t)(size + d));
            get_message(q, size + d - 1, 1, (uint32_t)(size + d));
            get_message(q, size / 4 + d, 2, (uint32_t)(size + d));
        }
    keeps_at_most_two_segments(&empty);
    mp_queue_destroy(q);
    heap_is_as_before(&before);
}

static void test_a_message_of_more_than_2_gib_comes_whole(void **state)
{
    (void)state;
    support_time_limit(200);
    size_t size = ((size_t)2 << 30) + 12345;
    char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
    check(p != MAP_FAILED);
    for (size_t i = 0; i < size; i += 1000003)
        message_write(p + i, i + 100 < size ? 100 : size - i, 1, (uint32_t)(i / 1000003));
    mp_queue *q = new_queue(0);
    struct mp__heap_count count = heap_count();
    if (count.free_granules * (size_t)SEGMENT_BYTES < size + SEGMENT_BYTES) {
        print_message("skipped: the arena is smaller than 2 GiB here\n");
        skip();
    }
    assert_mp_result(mp_queue_put_bytes(q, p, size, MP_FOREVER), 0);
    put_message(q, 16, 1, 2);
    check(munmap(p, size) == 0);
    size_t n;
    void *got;
    assert_mp_result(mp_queue_get_bytes(q, &got, &n, MP_FOREVER), 0);
    check(n == size);
    for (size_t i = 0; i < size; i += 1000003)
        check(message_is((char *)got + i, i + 100 < size ? 100 : size - i, 1,
                         (uint32_t)(i / 1000003)));
    free(got);
    get_message(q, 16, 1, 2);
    mp_queue_destroy(q);
}

/* ---- what it costs --------------------------------------------------------------------------- */

static void test_a_million_small_items_cost_twice_their_bytes_at_most(void **state)
{
    (void)state;
    mp_queue *q;
    struct mp__heap_count before = heap_count();
    struct mp__heap_count empty = with_an_empty_queue(&q);
    enum { ITEMS = 1000000, SIZE = 16 };
    char item[SIZE];
    for (uint32_t i = 0; i < ITEMS; i++) {
        message_write(item, SIZE, 1, i);
        assert_mp_result(mp_queue_put_bytes(q, item, SIZE, MP_NOWAIT), 0);
    }
    struct mp__heap_count full = heap_count();
    size_t cost = (granules_used(&full) - granules_used(&empty)) * (size_t)65536;
    print_message("a million items of %d bytes cost %.2f of their bytes\n", SIZE,
                  (double)cost / ((double)ITEMS * SIZE));
    check(cost <= (size_t)2 * ITEMS * SIZE);
    assert_mp_result(mp_queue_qsize(q), ITEMS);
    for (uint32_t i = 0; i < ITEMS; i++) {
        assert_mp_result(mp_queue_get_bytes_into(q, item, SIZE, NULL, MP_NOWAIT), 0);
        check(message_is(item, SIZE, 1, i));
    }
    keeps_at_most_two_segments(&empty);
    mp_queue_destroy(q);
    heap_is_as_before(&before);
}

static void test_destroy_frees_what_is_in_it(void **state)
{
    (void)state;
    struct mp__heap_count before = heap_count();
    struct rng rng = rng_start(rng_seed());
    for (int round = 0; round < 20; round++) {
        mp_queue *q[3];
        for (int i = 0; i < 3; i++)
            q[i] = new_queue(0);
        for (uint32_t i = 0; i < 1500; i++)
            put_message(q[i % 3], random_size(&rng, SIZE_MAX), 1, i);
        for (int i = 0; i < 300; i++)
            assert_mp_result(mp_queue_get_bytes(q[i % 3], NULL, NULL, MP_NOWAIT), 0);
        for (int i = 0; i < 3; i++)
            mp_queue_destroy(q[i]);
        heap_is_as_before(&before);
    }
}

static void test_a_sweep_leaves_what_is_needed(void **state)
{
    (void)state;
    mp_queue *q = new_queue(0);
    uint64_t seed = rng_seed();
    struct rng in = rng_start(seed), out = rng_start(seed);
    for (uint32_t i = 0; i < 3000; i++) {
        put_message(q, random_size(&in, SIZE_MAX), 1, i);
        if (i % 100 == 0)
            mp__heap_sweep();
    }
    for (uint32_t i = 0; i < 3000; i++) {
        get_message(q, random_size(&out, SIZE_MAX), 1, i);
        if (i % 100 == 0)
            mp__heap_sweep();
    }
    mp_queue_destroy(q);
}

static void die_when_linked(const char *name)
{
    if (strcmp(name, "ring.linked") == 0)
        (void)raise(SIGKILL);
}

static int put_until_dead(void *arg)
{
    uint64_t me;
    check(mp__self_word(&me) == 0);
    mp__step_hook = die_when_linked;
    for (uint32_t i = 0;; i++)
        put_message(arg, 4000, 1, i);
    return 1;
}

/* The sweep judges a piece, and frees it later: what a producer may begin to use in between must
   live. */
static void test_a_segment_linked_by_the_dead_is_for_the_next_producer(void **state)
{
    (void)state;
    mp_queue *q = new_queue(0);
    assert_int_equal(child_wait(child_fork(put_until_dead, q)), -SIGKILL);
    struct mp__heap_count dead = heap_count();
    uint32_t n = (uint32_t)assert_mp_ok(mp_queue_qsize(q));
    put_message(q, 4000, 1, n);
    struct mp__heap_count now = heap_count();
    check(now.runs == dead.runs);
    for (uint32_t i = 0; i <= n; i++)
        get_message(q, 4000, 1, i);
    mp_queue_destroy(q);
}

static int fill_and_leave(void *arg)
{
    struct mp__heap_count *count = arg;
    mp_queue *q = new_queue(0);
    put_message(q, 100000, 1, 1);
    *count = heap_count();
    return 0; /* without destroying it: it is the program's */
}

static void test_the_creators_end_frees_nothing(void **state)
{
    (void)state;
    struct mp__heap_count *in_child =
        mmap(NULL, sizeof *in_child, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    check(in_child != MAP_FAILED);
    child_must_succeed(fill_and_leave, in_child);
    struct mp__heap_count now = heap_count();
    check(now.blocks == in_child->blocks && now.runs == in_child->runs);
    check(munmap(in_child, sizeof *in_child) == 0);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest huge[] = {
        support_test("a message of more than 2 GiB comes whole",
                     test_a_message_of_more_than_2_gib_comes_whole),
    };
    static const struct CMUnitTest tests[] = {
        support_test("any mix of sizes crosses the segments whole",
                     test_any_mix_of_sizes_crosses_the_segments_whole),
        support_test("a segment may end anywhere", test_a_segment_may_end_anywhere),
        support_test("positions and counts may wrap", test_positions_and_counts_may_wrap),
        support_test("messages up to 64 MiB come whole", test_messages_up_to_64_mib_come_whole),
        support_test("a million small items cost twice their bytes at most",
                     test_a_million_small_items_cost_twice_their_bytes_at_most),
        support_test("destroy frees what is in it", test_destroy_frees_what_is_in_it),
        support_test("a sweep leaves what is needed", test_a_sweep_leaves_what_is_needed),
        support_test("a segment linked by the dead is for the next producer",
                     test_a_segment_linked_by_the_dead_is_for_the_next_producer),
        support_test("the creator's end frees nothing", test_the_creators_end_frees_nothing),
    };
    if (argc > 1 && strcmp(argv[1], "huge") == 0)
        return support_run("ring, huge", huge);
    return support_run("ring", tests);
}
