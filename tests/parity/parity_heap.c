/* Python's TestHeap: thousands of shared blocks, taken and given back at random. */
#include "memory/memory.h"
#include "parity.h"

#include <string.h>

enum { ITERATIONS = 5000, MOST_BLOCKS = 50, SIZE_BITS = 15, ALIGNMENT = 64 };

struct block {
    unsigned char *memory;
    size_t size;
    unsigned char mark;
};

struct crowd {
    struct rng rng;
    struct block blocks[MOST_BLOCKS + 1];
    size_t count;
};

static bool is_filled_with(const struct block *block, unsigned char byte)
{
    for (size_t i = 0; i < block->size; i++) {
        if (block->memory[i] != byte)
            return false;
    }
    return true;
}

static bool overlap(const struct block *a, const struct block *b)
{
    uintptr_t a_start = (uintptr_t)a->memory, b_start = (uintptr_t)b->memory;
    return a_start < b_start + b->size && b_start < a_start + a->size;
}

/* Sizes spread over many powers of two, small ones most often. */
static void take_block(struct crowd *crowd)
{
    struct block *block = &crowd->blocks[crowd->count];
    block->size = 1 + (size_t)rng_below(&crowd->rng, 1ULL << rng_below(&crowd->rng, SIZE_BITS));
    block->mark = (unsigned char)(1 + rng_below(&crowd->rng, 255));
    block->memory = shared_memory(block->size);
    uintptr_t start = (uintptr_t)block->memory;
    check(start % ALIGNMENT == 0);
    check(is_filled_with(block, 0));
    for (size_t i = 0; i < crowd->count; i++)
        check(!overlap(block, &crowd->blocks[i]));
    memset(block->memory, block->mark, block->size);
    crowd->count++;
}

static void give_back_any(struct crowd *crowd)
{
    size_t i = (size_t)rng_below(&crowd->rng, crowd->count);
    check(is_filled_with(&crowd->blocks[i], crowd->blocks[i].mark));
    mp_raw_free(crowd->blocks[i].memory);
    crowd->blocks[i] = crowd->blocks[--crowd->count];
}

/* The largest stretch can be had as one block if all that was given back has merged. */
static bool block_of_all_free_granules(const struct mp__heap_count *count)
{
    void *memory = NULL;
    size_t granules = count->free_granules / (count->slabs + 1);
    if (mp_raw_alloc(&memory, granules * 65536) != 0)
        return false;
    mp_raw_free(memory);
    return true;
}

static void test_heap(void **state)
{
    (void)state;
    static struct crowd crowd;
    crowd = (struct crowd){.rng = rng_start(rng_seed())};
    for (int i = 0; i < ITERATIONS; i++) {
        take_block(&crowd);
        if (crowd.count > MOST_BLOCKS)
            give_back_any(&crowd);
    }
    while (crowd.count > 0)
        give_back_any(&crowd);
    /* Neighbours have merged: between the slabs, which stay, every stretch is one free run. */
    struct mp__heap_count count;
    mp__heap_sweep();
    check(mp__heap_is_valid(&count));
    check(count.runs == 0 && count.building == 0);
    check(count.free_granules + count.slabs == count.granules);
    check(block_of_all_free_granules(&count));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("TestHeap.test_heap: blocks are zeroed, apart from each other, and used again",
                     test_heap),
    };
    return support_run("TestHeap", tests);
}
