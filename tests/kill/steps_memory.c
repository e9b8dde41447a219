/* Scenarios: blocks, runs, slabs, objects and the sweep. */
#include "kill/steps.h"

#include "memory/arena.h"

#include <mp/mp.h>

#include <string.h>

enum { SLAB_SIZE = 8192, SLAB_BLOCKS = 7, HELD_MAX = 4000, RUN_SIZE = 70000 };

static void take_and_give(size_t size)
{
    char *block;
    check(mp__heap_take(size, &block) == 0);
    block[0] = block[size - 1] = 1;
    mp__heap_give(block);
}

static void small_block(void)
{
    take_and_give(100);
}

static void run_of_granules(void)
{
    take_and_give(RUN_SIZE);
}

static void large_run(void)
{
    take_and_give((size_t)3 << 19);
}

static void published_block(void)
{
    void *block;
    check(mp_raw_alloc(&block, 100) == 0);
    atomic_store(&steps_stage->object, (uintptr_t)block);
    mp_raw_free(block);
}

/* Runs that were next to each other when given back become one. */
static void merged_runs(void)
{
    void *block[2];
    for (int i = 0; i < 2; i++)
        check(mp__heap_take(RUN_SIZE, &block[i]) == 0);
    for (int i = 0; i < 2; i++)
        mp__heap_give(block[i]);
    take_and_give((size_t)3 * RUN_SIZE);
}

/* ---- a free run with old boundaries inside ----------------------------------------------------- */

static void *neighbour;

static void *run_take(size_t granules)
{
    void *run;
    assert_int_equal(mp__heap_take(granules * MP__GRANULE, &run), 0);
    return run;
}

/* Leaves four free granules before a run that lives, and in the third of them the word of a run
   that reached beyond the four: it counts again if a cut begins there before the word is new. */
static void old_boundaries(void)
{
    char *room = run_take(12);
    mp__heap_give(room);
    void *two = run_take(2), *five = run_take(5);
    assert_ptr_equal(two, room);
    assert_ptr_equal(five, room + 2 * MP__GRANULE);
    mp__heap_give(five);
    mp__heap_give(two);
    atomic_store(&mp__arena->run_hint, mp__granule_of(room));
    void *four = run_take(4);
    assert_ptr_equal(four, room);
    neighbour = run_take(1);
    assert_ptr_equal(neighbour, room + 4 * MP__GRANULE);
    mp__heap_publish(neighbour);
    memset(neighbour, 7, MP__GRANULE);
    mp__heap_give(four);
    atomic_store(&mp__arena->run_hint, mp__granule_of(room));
}

static void cut_at_old_boundary(void)
{
    take_and_give(2 * MP__GRANULE);
    take_and_give(9 * MP__GRANULE);
}

static void neighbour_end(void)
{
    struct mp__heap_count count;
    mp__heap_sweep();
    assert_true(mp__heap_is_valid(&count));
    assert_int_equal(count.runs, 1);
    for (size_t i = 0; i < MP__GRANULE; i++)
        assert_int_equal(((char *)neighbour)[i], 7);
    mp__heap_give(neighbour);
}

/* ---- a class without a free block ------------------------------------------------------------- */

static void *held[HELD_MAX];
static int held_count;

static size_t slabs_count(void)
{
    struct mp__heap_count count;
    assert_true(mp__heap_is_valid(&count));
    return count.slabs;
}

static void hold_one(void)
{
    assert_true(held_count < HELD_MAX);
    assert_int_equal(mp__heap_take(SLAB_SIZE, &held[held_count++]), 0);
}

/* When a slab is added it is the only one with room: seven blocks, one of them just taken. */
static void slabs_fill(void)
{
    size_t slabs = slabs_count();
    held_count = 0;
    do
        hold_one();
    while (slabs_count() == slabs);
    for (int i = 1; i < SLAB_BLOCKS; i++)
        hold_one();
    for (int i = 0; i < held_count; i++)
        mp__heap_publish(held[i]);
}

static void slabs_empty(void)
{
    for (int i = 0; i < held_count; i++)
        mp__heap_give(held[i]);
}

static void new_slab(void)
{
    take_and_give(SLAB_SIZE);
}

/* ---- objects --------------------------------------------------------------------------------- */

static void lock_life(void)
{
    mp_lock *lock;
    check(mp_lock_create(&lock) == 0);
    atomic_store(&steps_stage->object, (uintptr_t)lock);
    mp_lock_destroy(lock);
}

static void lock_end(void)
{
    mp_lock_destroy((mp_lock *)atomic_load(&steps_stage->object));
}

static void condition_life(void)
{
    mp_condition *condition;
    check(mp_condition_create(&condition, NULL) == 0);
    atomic_store(&steps_stage->object, (uintptr_t)condition);
    mp_condition_destroy(condition);
}

static void condition_end(void)
{
    mp_condition_destroy((mp_condition *)atomic_load(&steps_stage->object));
}

static void array_make(void)
{
    mp_array *array;
    check(mp_array_create(&array, 'b', RUN_SIZE, NULL) == 0);
    MP_ARRAY(char, array)[RUN_SIZE - 1] = 1;
    atomic_store(&steps_stage->object, (uintptr_t)array);
}

static void array_end(void)
{
    mp_array_destroy((mp_array *)atomic_load(&steps_stage->object));
}

static void array_life(void)
{
    array_make();
    array_end();
}

static int array_make_and_end(void *unused)
{
    (void)unused;
    array_make();
    return 0;
}

static void array_of_the_dead(void)
{
    assert_int_equal(child_wait(child_fork(array_make_and_end, NULL)), 0);
}

/* ---- sleepers of an object that ends ---------------------------------------------------------- */

static mp_lock *lock;

static int be_closed_on(void *unused)
{
    (void)unused;
    check(mp_lock_acquire(lock, MP_FOREVER) == MP_ECLOSED);
    return 0;
}

static int make_lock(void *unused)
{
    (void)unused;
    check(mp_lock_create(&lock) == 0);
    atomic_store(&steps_stage->object, (uintptr_t)lock);
    return 0;
}

/* Its maker has ended, so any process may destroy it. */
static void lock_of_the_dead(void)
{
    assert_int_equal(child_wait(child_fork(make_lock, NULL)), 0);
    lock = (mp_lock *)atomic_load(&steps_stage->object);
    assert_mp_ok(mp_lock_acquire(lock, MP_NOWAIT));
}

static int sweep_after_the_actor(void *unused)
{
    (void)unused;
    while (!atomic_load(&steps_stage->gone))
        kill_nap(100);
    mp__heap_sweep();
    return 0;
}

static void sleeper_and_sweeper(void)
{
    steps_parked_partner(be_closed_on, NULL);
    steps_partner(sweep_after_the_actor, NULL);
}

/* ---- the sweep ------------------------------------------------------------------------------- */

static int leave_a_mess(void *unused)
{
    (void)unused;
    void *block;
    for (size_t size = 100; size < 2000000; size *= 4)
        check(mp__heap_take(size, &block) == 0);
    return 0;
}

static void mess_of_the_dead(void)
{
    assert_int_equal(child_wait(child_fork(leave_a_mess, NULL)), 0);
}

static void raw_end(void)
{
    void *block = (void *)atomic_load(&steps_stage->object);
    if (block != NULL && atomic_load(&steps_stage->died))
        mp_raw_free(block);
}

const struct scenario steps_memory[] = {
    {.name = "heap, small block", .actor = small_block},
    {.name = "heap, run", .actor = run_of_granules},
    {.name = "heap, run of many pages", .actor = large_run},
    {.name = "heap, published block", .actor = published_block, .finish = raw_end},
    {.name = "heap, merged runs", .actor = merged_runs},
    {.name = "heap, old boundaries",
     .prepare = old_boundaries,
     .actor = cut_at_old_boundary,
     .finish = neighbour_end},
    {.name = "heap, new slab", .prepare = slabs_fill, .actor = new_slab, .finish = slabs_empty},
    {.name = "lock, made and destroyed", .actor = lock_life, .finish = lock_end},
    {.name = "condition, made and destroyed", .actor = condition_life, .finish = condition_end},
    {.name = "array, made and destroyed", .actor = array_life, .finish = array_end},
    {.name = "array of the dead, destroyed",
     .prepare = array_of_the_dead,
     .actor = array_end,
     .finish = array_end},
    {.name = "lock with sleepers, destroyed",
     .prepare = lock_of_the_dead,
     .partners = sleeper_and_sweeper,
     .actor = lock_end,
     .finish = lock_end},
    {.name = "heap, sweep", .prepare = mess_of_the_dead, .actor = mp__heap_sweep},
};
const size_t steps_memory_count = sizeof steps_memory / sizeof *steps_memory;
