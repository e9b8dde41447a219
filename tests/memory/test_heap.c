/* The heap's runs: split and merged, zeroed, attached to objects, given back, and always valid. */
#include "support/support.h"

#include "memory/arena.h"

#include <errno.h>
#include <mp/sharedctypes.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static struct mp__heap_count count(void)
{
    struct mp__heap_count found;
    check(mp__heap_is_valid(&found));
    check(found.granules == mp__arena->granules - mp__arena->first);
    return found;
}

static unsigned char *take(size_t granules)
{
    unsigned char *memory = NULL;
    assert_mp_result(mp__heap_take(granules * MP__GRANULE, &memory), 0);
    check((uintptr_t)memory % 64 == 0);
    mp__heap_publish(memory);
    return memory;
}

static bool is_all(const unsigned char *p, size_t n, unsigned char byte)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] != byte)
            return false;
    return true;
}

static void test_a_run_is_cut_from_a_larger_one_and_comes_back_to_it(void **state)
{
    (void)state;
    struct mp__heap_count before = count();
    unsigned char *a = take(1), *b = take(3), *c = take(2);
    struct mp__heap_count during = count();
    check(during.runs == before.runs + 3);
    check(during.free_granules == before.free_granules - 6);
    mp__heap_give(b);
    mp__heap_give(a);
    mp__heap_give(c);
    check(count().free_granules == before.free_granules);
    check(count().runs == before.runs);
}

static void test_free_neighbours_merge_when_more_is_wanted(void **state)
{
    (void)state;
    unsigned char *pieces[8];
    for (int i = 0; i < 8; i++)
        pieces[i] = take(2);
    for (int i = 0; i < 8; i++)
        check(pieces[i] == pieces[0] + (size_t)i * 2 * MP__GRANULE);
    for (int i = 1; i < 7; i += 2)
        mp__heap_give(pieces[i]);
    for (int i = 2; i < 7; i += 2)
        mp__heap_give(pieces[i]);
    atomic_store(&mp__arena->run_hint, mp__arena->first);
    unsigned char *whole = take(12);
    check(whole == pieces[1]);
    mp__heap_give(whole);
    mp__heap_give(pieces[0]);
    mp__heap_give(pieces[7]);
}

static void test_memory_used_before_is_zero_again(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 2, 15, 16, 17, 40};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t bytes = sizes[i] * MP__GRANULE;
        unsigned char *first = take(sizes[i]);
        memset(first, 0xcd, bytes);
        mp__heap_give(first);
        /* more than before: partly used, partly never touched */
        unsigned char *second = take(sizes[i] + 3);
        check(is_all(second, bytes + 3 * MP__GRANULE, 0));
        mp__heap_give(second);
    }
}

static void test_a_size_between_granules_is_zeroed_to_its_end(void **state)
{
    (void)state;
    unsigned char *memory = NULL;
    size_t size = 100001;
    assert_mp_result(mp__heap_take(size, &memory), 0);
    memset(memory, 0xcd, 2 * MP__GRANULE);
    mp__heap_give(memory);
    assert_mp_result(mp__heap_take(size, &memory), 0);
    check(is_all(memory, size, 0));
    mp__heap_give(memory);
}

static void test_what_is_no_block_of_the_heap_is_not_given_back(void **state)
{
    (void)state;
    static unsigned char foreign[128];
    unsigned char *run = take(2), *block = NULL;
    assert_mp_result(mp_raw_alloc((void **)&block, 200), 0);
    struct mp__heap_count before = count();
    mp__heap_give(foreign);
    mp__heap_give(run + 64);
    mp__heap_give(run + MP__GRANULE);
    mp__heap_give(block + 1);
    mp__heap_give(block - 64);
    mp__heap_give(mp__arena);
    mp__heap_give((char *)mp__arena + mp__arena->size);
    mp_raw_free(NULL);
    check(count().runs == before.runs && count().blocks == before.blocks);
    mp__heap_give(run);
    mp_raw_free(block);
    before = count();
    mp__heap_give(run);
    mp_raw_free(block);
    check(count().runs == before.runs && count().blocks == before.blocks);
    check(count().free_granules == before.free_granules);
}

/* Zero bytes are refused by the public call; the heap gives its smallest block. */
static void test_every_size_is_served_from_its_place(void **state)
{
    (void)state;
    void *none = NULL;
    assert_mp_error(mp_raw_alloc(&none, 0), MP_EINVAL);
    assert_mp_error(mp_raw_alloc(NULL, 64), MP_EINVAL);
    check(none == NULL);
    for (size_t size = 1; size < 300000; size = size * 3 / 2 + 1) {
        unsigned char *memory = NULL;
        assert_mp_result(mp_raw_alloc((void **)&memory, size), 0);
        check((uintptr_t)memory % 64 == 0 && is_all(memory, size, 0));
        memset(memory, 0xff, size);
        check(mp__heap_is_valid(NULL));
        mp_raw_free(memory);
    }
}

/* ---- the budget ---------------------------------------------------------------------------- */

static int live_within_budget(void *arg)
{
    (void)arg;
    struct mp__heap_count now = count();
    unsigned char *memory = NULL;
    mp__arena->budget = now.granules - now.free_granules + 3;
    unsigned char *a = take(2), *b = take(1);
    assert_mp_error(mp__heap_take(MP__GRANULE, &memory), -ENOMEM);
    assert_mp_error(mp__heap_take(100 * MP__GRANULE, &memory), -ENOMEM);
    mp__heap_give(a);
    assert_mp_error(mp__heap_take(3 * MP__GRANULE, &memory), -ENOMEM);
    a = take(2);
    mp__heap_give(a);
    mp__heap_give(b);
    mp__heap_give(take(3));
    return 0;
}

static void test_no_more_is_handed_out_than_the_budget_allows(void **state)
{
    (void)state;
    size_t budget = mp__arena->budget;
    child_must_succeed(live_within_budget, NULL);
    mp__arena->budget = budget;
    mp__heap_give(take(5));
}

/* ---- attached runs ------------------------------------------------------------------------- */

static struct mp__object *new_object(void)
{
    struct mp__object *object;
    assert_mp_result(mp__object_make(MP__KIND_ARRAY, 200, &object), 0);
    return object;
}

static void test_an_attached_run_ends_with_its_object(void **state)
{
    (void)state;
    struct mp__heap_count before = count();
    struct mp__object *object = new_object();
    unsigned char *run = NULL;
    check(mp__heap_attached(object) == NULL);
    assert_mp_result(mp__heap_attach(object, 200000, &run), 0);
    check(mp__heap_attached(object) == run && is_all(run, 200000, 0));
    memset(run, 1, 200000);
    mp__object_publish(object, MP__KIND_ARRAY);
    check(count().runs == before.runs + 1);
    mp__object_end(object);
    check(count().runs == before.runs && count().building == 0);
    object = new_object();
    assert_mp_result(mp__heap_attach(object, 200000, &run), 0);
    check(is_all(run, 200000, 0));
    mp__object_discard(object);
    check(count().runs == before.runs && count().building == 0);
}

static void test_an_attached_run_without_its_object_is_swept(void **state)
{
    (void)state;
    struct mp__object *object = new_object();
    unsigned char *run = NULL;
    assert_mp_result(mp__heap_attach(object, 200000, &run), 0);
    mp__object_publish(object, MP__KIND_ARRAY);
    struct mp__heap_count before = count();
    mp__heap_sweep();
    check(count().runs == before.runs);
    uint64_t attached = atomic_exchange(&object->attached, 0);
    mp__heap_sweep();
    check(attached != 0 && count().runs == before.runs - 1);
    mp__object_end(object);
}

/* ---- the dead, the living and the broken --------------------------------------------------- */

static int die_with_memory(void *arg)
{
    void *memory;
    (void)arg;
    for (size_t size = 64; size <= 500000; size *= 2)
        assert_mp_result(mp__heap_take(size, &memory), 0);
    (void)raise(SIGKILL);
    return 1;
}

static void test_what_the_dead_never_handed_over_goes_back_in_a_sweep(void **state)
{
    (void)state;
    struct mp__heap_count before = count();
    check(child_wait(child_fork(die_with_memory, NULL)) == -SIGKILL);
    check(count().building >= before.building + 13);
    mp__heap_sweep();
    check(count().building == before.building);
    check(count().blocks == before.blocks && count().runs == before.runs);
}

static int leave_memory(void *arg)
{
    void **out = arg;
    assert_mp_result(mp_raw_alloc(&out[0], 100), 0);
    assert_mp_result(mp_raw_alloc(&out[1], 100000), 0);
    memset(out[1], 0x5a, 100000);
    return 0;
}

static void test_what_the_dead_handed_over_stays_for_others(void **state)
{
    (void)state;
    void *shared;
    assert_mp_result(mp_raw_alloc(&shared, 2 * sizeof(void *)), 0);
    void **out = shared;
    child_must_succeed(leave_memory, out);
    mp__heap_sweep();
    check(is_all(out[1], 100000, 0x5a));
    struct mp__heap_count before = count();
    mp_raw_free(out[0]);
    mp_raw_free(out[1]);
    check(count().blocks == before.blocks - 1 && count().runs == before.runs - 1);
    mp_raw_free(shared);
}

static void test_a_broken_chain_is_seen(void **state)
{
    (void)state;
    unsigned char *memory = take(3);
    _Atomic uint64_t *word = &mp__runs()[mp__granule_of(memory)];
    uint64_t good = atomic_load(word);
    atomic_store(word, mp__entry(MP__OBJECT, mp__arena->granules, 0));
    check(!mp__heap_is_valid(NULL));
    atomic_store(word, UINT64_C(7) << 61 | good >> 3);
    check(!mp__heap_is_valid(NULL));
    atomic_store(word, mp__entry(MP__SLAB, 3, 0));
    check(!mp__heap_is_valid(NULL));
    atomic_store(word, good);
    check(mp__heap_is_valid(NULL));
    mp__heap_give(memory);
}

enum { THREADS = 4, TURNS = 400 };

static void *take_and_give(void *arg)
{
    struct rng rng = rng_start((uint64_t)(uintptr_t)arg);
    void *held[8] = {NULL};
    for (int i = 0; i < TURNS; i++) {
        size_t k = (size_t)rng_below(&rng, 8);
        size_t size = 1 + (size_t)rng_below(&rng, i % 8 == 0 ? 300000 : 9000);
        mp_raw_free(held[k]);
        assert_mp_result(mp_raw_alloc(&held[k], size), 0);
        check(is_all(held[k], size, 0));
        memset(held[k], (int)(k + 1), size);
    }
    for (int k = 0; k < 8; k++)
        mp_raw_free(held[k]);
    return NULL;
}

static void test_threads_take_and_give_at_once(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    uint64_t seed = rng_seed();
    struct mp__heap_count before = count();
    for (unsigned i = 0; i < THREADS; i++)
        check(pthread_create(&threads[i], NULL, take_and_give, (void *)(uintptr_t)(seed + i)) == 0);
    for (int i = 0; i < THREADS; i++)
        check(pthread_join(threads[i], NULL) == 0);
    check(count().blocks == before.blocks && count().runs == before.runs);
    check(count().building == 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("heap: a run is cut from a larger one and comes back to it",
                     test_a_run_is_cut_from_a_larger_one_and_comes_back_to_it),
        support_test("heap: free neighbours merge when more is wanted",
                     test_free_neighbours_merge_when_more_is_wanted),
        support_test("heap: memory used before is zero again",
                     test_memory_used_before_is_zero_again),
        support_test("heap: a size between granules is zeroed to its end",
                     test_a_size_between_granules_is_zeroed_to_its_end),
        support_test("heap: what is no block of the heap is not given back",
                     test_what_is_no_block_of_the_heap_is_not_given_back),
        support_test("heap: every size is served from its place",
                     test_every_size_is_served_from_its_place),
        support_test("heap: no more is handed out than the budget allows",
                     test_no_more_is_handed_out_than_the_budget_allows),
        support_test("heap: an attached run ends with its object",
                     test_an_attached_run_ends_with_its_object),
        support_test("heap: an attached run without its object is swept",
                     test_an_attached_run_without_its_object_is_swept),
        support_test("heap: what the dead never handed over goes back in a sweep",
                     test_what_the_dead_never_handed_over_goes_back_in_a_sweep),
        support_test("heap: what the dead handed over stays for others",
                     test_what_the_dead_handed_over_stays_for_others),
        support_test("heap: a broken chain is seen", test_a_broken_chain_is_seen),
        support_test("heap: threads take and give at once", test_threads_take_and_give_at_once),
    };
    return support_run("heap", tests);
}
