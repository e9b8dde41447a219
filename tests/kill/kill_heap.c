/* The heap under SIGKILL: blocks full of their owners' marks, handed over and given back. */
#include "kill/harness.h"

#include <mp/mp.h>

#include <string.h>

enum { OWN = 12, POOL = 32, STEP = 64 };

struct block {
    uint64_t *words;
    size_t size; /* a multiple of STEP */
    uint64_t mark;
};

/* Published blocks on their way from one worker to another; each begins with its size and mark. */
struct pool {
    _Atomic(uint64_t *) block[POOL];
};

static struct pool *pool;
static struct block own[OWN];
static uint64_t mark_last;

static void begin(struct kill_worker *me)
{
    memset(own, 0, sizeof own);
    mark_last = (uint64_t)(me->index + 1) << 48 | (uint64_t)atomic_load(&me->life) << 24;
}

static size_t random_size(struct rng *rng)
{
    uint64_t way = rng_below(rng, 256);
    size_t most = way == 0 ? 3 << 20 : way < 12 ? 400000 : way < 60 ? 32768 : 1024;
    return STEP * (1 + (size_t)rng_below(rng, most / STEP));
}

static bool is_marked(const struct block *b, uint64_t mark)
{
    for (size_t i = 0; i < b->size / 8; i += STEP / 8)
        if (b->words[i] != mark)
            return false;
    return b->words[b->size / 8 - 1] == mark;
}

static void fill(struct block *b)
{
    for (size_t i = 0; i < b->size / 8; i += STEP / 8)
        b->words[i] = b->mark;
    b->words[b->size / 8 - 1] = b->mark;
}

static void block_take(struct kill_worker *me, struct block *b, size_t size)
{
    b->size = size;
    b->mark = ++mark_last;
    check(mp__heap_take(b->size, &b->words) == 0);
    if (!is_marked(b, 0))
        atomic_fetch_add(&me->wrong, 1);
    fill(b);
}

static void block_give(struct kill_worker *me, struct block *b)
{
    if (!is_marked(b, b->mark))
        atomic_fetch_add(&me->violations, 1);
    mp__heap_give(b->words);
    b->words = NULL;
}

/* Puts a block into the pool, and gives back the one that was there. */
static void block_swap(struct kill_worker *me)
{
    struct block b;
    block_take(me, &b, STEP * (1 + (size_t)rng_below(&me->rng, 30)));
    b.words[1] = b.size;
    mp__heap_publish(b.words);
    struct block old = {.words = atomic_exchange(&pool->block[rng_below(&me->rng, POOL)], b.words)};
    if (old.words == NULL)
        return;
    old.size = (size_t)old.words[1];
    old.mark = old.words[0];
    block_give(me, &old);
}

static void object_use(struct kill_worker *me)
{
    mp_lock *lock;
    check(mp_lock_create(&lock) == 0);
    check(mp_lock_acquire(lock, MP_NOWAIT) == 0);
    check(mp_lock_release(lock) == 0);
    mp_lock_destroy(lock);
    if (rng_below(&me->rng, 32) != 0)
        return;
    mp_array *array;
    check(mp_array_create(&array, 'b', 70000, NULL) == 0);
    MP_ARRAY(char, array)[69999] = 1;
    mp_array_destroy(array);
}

static void turn(struct kill_worker *me)
{
    struct block *b = &own[rng_below(&me->rng, OWN)];
    uint64_t way = rng_below(&me->rng, 512);
    if (b->words != NULL)
        block_give(me, b);
    else
        block_take(me, b, random_size(&me->rng));
    if (way == 0)
        mp__heap_sweep();
    else if (way < 128)
        block_swap(me);
    else if (way < 192)
        object_use(me);
}

static void look(void)
{
    assert_true(mp__heap_is_valid(NULL));
}

static void pool_empty(void)
{
    struct kill_worker me = {.index = 0};
    for (int i = 0; i < POOL; i++) {
        struct block b = {.words = atomic_load(&pool->block[i])};
        if (b.words == NULL)
            continue;
        b.size = (size_t)b.words[1];
        b.mark = b.words[0];
        block_give(&me, &b);
    }
    assert_int_equal(atomic_load(&me.violations), 0);
}

static void test_blocks_neither_overlap_nor_get_lost(void **state)
{
    (void)state;
    kill_prepare();
    struct kill_result result;
    struct mp__heap_count before, after;
    const struct kill_plan plan = {
        .workers = 4,
        .kills = kill_count(300),
        .turn = turn,
        .begin = begin,
        .look = look,
        .wanted = 1 << WAITER | 1 << HOLDER | 1 << WAKER,
    };
    pool = kill_shared(sizeof *pool);
    assert_true(mp__heap_is_valid(&before));
    kill_run(&plan, &result);
    kill_print("heap", &result);
    kill_assert_clean(&plan, &result);

    pool_empty();
    mp__heap_sweep();
    assert_true(mp__heap_is_valid(&after));
    print_message("| heap              | after one sweep: %zu being built, %zu blocks and %zu runs "
                  "published by the dead |\n",
                  after.building, after.blocks - before.blocks, after.runs - before.runs);
    assert_int_equal(after.building, 0);
    assert_int_equal(after.granules, before.granules);
    /* each of the dead had at most one that was published and that nobody else knew of */
    assert_true(after.blocks - before.blocks <= result.kills);
    assert_true(after.runs - before.runs <= result.kills);
}

/* Objects hold gates, which are made once per block: a block is not to be taken for one that had
   its first life already because of what stood in that memory before. */
static void test_objects_begin_well_in_memory_that_was_used(void **state)
{
    (void)state;
    enum { RUNS = 4, LOCKS = 3000 };
    void *run[RUNS];
    static mp_lock *lock[LOCKS];
    for (int i = 0; i < RUNS; i++) {
        assert_mp_ok(mp_raw_alloc(&run[i], 60000));
        memset(run[i], 0xaa, 60000);
    }
    for (int i = 0; i < RUNS; i++)
        mp_raw_free(run[i]);
    for (int i = 0; i < LOCKS; i++) {
        assert_mp_ok(mp_lock_create(&lock[i]));
        struct mp__object *object = (struct mp__object *)(void *)lock[i];
        int tokens = -1;
        assert_int_equal(sem_getvalue(&object->gate[0].sem, &tokens), 0);
        assert_int_equal(tokens, 0);
    }
    for (int i = 0; i < LOCKS; i++)
        mp_lock_destroy(lock[i]);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("objects begin well in memory that was used",
                     test_objects_begin_well_in_memory_that_was_used),
        support_test("blocks neither overlap nor get lost",
                     test_blocks_neither_overlap_nor_get_lost),
    };
    return support_run_processes("heap", tests);
}
