/* The heap: who gets a block sees all that was written into it before, and nobody else writes. */
#include "stress/threads.h"

#include <mp/mp.h>

#include <string.h>

enum { TURNS = 10000, OWN = 16, POOL = 8 };

struct block {
    unsigned char *bytes;
    size_t size;
};

static _Atomic(unsigned char *) pool[POOL];

/* Plain reads and writes of every byte: each is one that the sanitizer looks at. */
static void block_take(struct team_member *me, struct block *b)
{
    size_t most = rng_below(&me->rng, 64) == 0 ? 200000 : 2000;
    b->size = sizeof b->size + 1 + (size_t)rng_below(&me->rng, most);
    check(mp__heap_take(b->size, &b->bytes) == 0);
    for (size_t i = 0; i < b->size; i += 61)
        check(b->bytes[i] == 0);
    memset(b->bytes, me->index + 1, b->size);
}

static void block_give(struct team_member *me, struct block *b)
{
    for (size_t i = 0; i < b->size; i += 61)
        check(b->bytes[i] == me->index + 1);
    mp__heap_give(b->bytes);
    b->bytes = NULL;
}

/* A block changes hands; its size stands in its first bytes. */
static void block_swap(struct team_member *me)
{
    struct block b;
    block_take(me, &b);
    memcpy(b.bytes, &b.size, sizeof b.size);
    mp__heap_publish(b.bytes);
    unsigned char *old =
        atomic_exchange_explicit(&pool[rng_below(&me->rng, POOL)], b.bytes, memory_order_acq_rel);
    if (old == NULL)
        return;
    size_t size;
    memcpy(&size, old, sizeof size);
    unsigned char mark = old[sizeof size];
    for (size_t i = sizeof size; i < size; i += 61)
        check(old[i] == mark);
    mp_raw_free(old);
}

static void object_use(struct team_member *me)
{
    mp_array *array;
    check(mp_array_create(&array, 'b', me->index % 2 == 0 ? 100 : 100000, NULL) == 0);
    MP_ARRAY(char, array)[99] = 1;
    mp_array_destroy(array);
}

static void heap_body(struct team_member *me)
{
    struct block own[OWN] = {{0}};
    for (int i = 0; i < TURNS; i++) {
        struct block *b = &own[rng_below(&me->rng, OWN)];
        uint64_t way = rng_below(&me->rng, 256);
        if (b->bytes != NULL)
            block_give(me, b);
        else
            block_take(me, b);
        if (way == 0)
            mp__heap_sweep();
        else if (way < 64)
            block_swap(me);
        else if (way < 80)
            object_use(me);
    }
    for (int i = 0; i < OWN; i++)
        if (own[i].bytes != NULL)
            block_give(me, &own[i]);
}

static void test_heap(void **state)
{
    (void)state;
    struct mp__heap_count before, after;
    assert_true(mp__heap_is_valid(&before));
    team_run(heap_body);
    for (int i = 0; i < POOL; i++)
        mp_raw_free(atomic_exchange(&pool[i], NULL));
    assert_true(mp__heap_is_valid(&after));
    assert_int_equal(after.building, 0);
    assert_int_equal(after.blocks, before.blocks);
    assert_int_equal(after.runs, before.runs);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("blocks and runs change hands", test_heap),
    };
    return support_run("order: heap", tests);
}
