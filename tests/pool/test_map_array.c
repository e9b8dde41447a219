/* map_array: in place, copied, in pieces; contexts, codes, retries, progress. Runs in a small arena
 * as well, where large arrays take several pieces. */
#include "pool_kit.h"

#include <errno.h>
#include <mp/sharedctypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static void *new_block(bool shared, size_t size)
{
    void *p;
    if (shared)
        assert_mp_result(mp_raw_alloc(&p, size), 0);
    else
        p = malloc(size);
    check(p != NULL);
    return p;
}

static void free_block(bool shared, void *p)
{
    if (shared)
        mp_raw_free(p);
    else
        free(p);
}

/* What a task saw. */
struct sight {
    const void *item, *result;
    int64_t square;
};

static int look(const void *item, void *result, void *context)
{
    int64_t x;
    check(context == NULL);
    memcpy(&x, item, sizeof x);
    *(struct sight *)result = (struct sight){item, result, x * x};
    return 0;
}

static void looks(mp_pool *pool, bool items_shared, bool results_shared, size_t chunksize)
{
    enum { COUNT = 1000 };
    int64_t *items = new_block(items_shared, COUNT * sizeof *items);
    struct sight *results = new_block(results_shared, COUNT * sizeof *results);
    const mp_map_options options = {.chunksize = chunksize};
    for (int64_t i = 0; i < COUNT; i++)
        items[i] = i - 500;
    assert_mp_result(mp_pool_map_array(pool, look, items, COUNT, sizeof *items, results,
                                       sizeof *results, &options),
                     0);
    for (int64_t i = 0; i < COUNT; i++) {
        check(results[i].square == (i - 500) * (i - 500));
        check((results[i].item == &items[i]) == items_shared);
        check((results[i].result == &results[i]) == results_shared);
    }
    free_block(items_shared, items);
    free_block(results_shared, results);
}

static void test_shared_arrays_are_worked_on_in_place(void **state)
{
    (void)state;
    static const size_t chunksizes[] = {0, 1, 7, 999, 5000, SIZE_MAX};
    mp_pool *pool = new_pool(2);
    for (size_t c = 0; c < sizeof chunksizes / sizeof *chunksizes; c++) {
        looks(pool, true, true, chunksizes[c]);
        looks(pool, true, false, chunksizes[c]);
        looks(pool, false, true, chunksizes[c]);
        looks(pool, false, false, chunksizes[c]);
    }
    end_pool(pool);
}

static int square_int(const void *item, void *result, void *context)
{
    (void)context;
    *(int *)result = *(const int *)item * *(const int *)item;
    return 0;
}

static void test_an_array_becomes_its_squares(void **state)
{
    (void)state;
    enum { COUNT = 100000 };
    mp_pool *pool = new_pool(3);
    mp_array *array;
    assert_mp_result(mp_array_create(&array, 'i', COUNT, NULL), 0);
    int *numbers = MP_ARRAY(int, array);
    for (int i = 0; i < COUNT; i++)
        numbers[i] = i % 1000;
    /* from its middle, and over itself */
    assert_mp_result(mp_pool_map_array(pool, square_int, numbers + 3, COUNT - 3, sizeof *numbers,
                                       numbers + 3, sizeof *numbers, NULL),
                     0);
    for (int i = 0; i < COUNT; i++)
        check(numbers[i] == (i < 3 ? i : (i % 1000) * (i % 1000)));
    mp_array_destroy(array);
    end_pool(pool);
}

struct sizes {
    size_t item, result;
};

static unsigned char byte_of(size_t i, size_t k)
{
    return (unsigned char)(i * 31 + k * 7 + i / 256);
}

static int mix(const void *item, void *result, void *context)
{
    const struct sizes *sizes = context;
    const unsigned char *from = item;
    unsigned char *to = result;
    for (size_t k = 0; k < sizes->result; k++)
        to[k] = (unsigned char)(from[k % sizes->item] ^ (k + 1));
    return 0;
}

/* Nothing but the results is written. */
static void mixes(mp_pool *pool, size_t count, const struct sizes *sizes, bool shared)
{
    enum { GUARD = 64 };
    unsigned char *items = new_block(shared, count * sizes->item);
    unsigned char *results = new_block(shared, count * sizes->result + GUARD);
    const mp_map_options options = {.context = sizes, .context_size = sizeof *sizes};
    memset(results, 0xaa, count * sizes->result + GUARD);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < sizes->item; k++)
            items[i * sizes->item + k] = byte_of(i, k);
    assert_mp_result(
        mp_pool_map_array(pool, mix, items, count, sizes->item, results, sizes->result, &options),
        0);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < sizes->result; k++)
            check(results[i * sizes->result + k] == (byte_of(i, k % sizes->item) ^ (k + 1) % 256));
    for (size_t k = 0; k < GUARD; k++)
        check(results[count * sizes->result + k] == 0xaa);
    free_block(shared, items);
    free_block(shared, results);
}

static void test_items_of_all_sizes(void **state)
{
    (void)state;
    static const struct sizes sizes[] = {{1, 1},   {1, 9},    {3, 1},      {7, 5},
                                         {13, 33}, {100, 24}, {4097, 1},   {1, 5000},
                                         {63, 65}, {64, 64},  {9999, 9999}};
    static const size_t counts[] = {1, 2, 3, 64, 257};
    mp_pool *pool = new_pool(2);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
            mixes(pool, counts[c], &sizes[s], false);
            mixes(pool, counts[c], &sizes[s], true);
        }
    }
    end_pool(pool);
}

/* 24 MiB in all, of which an arena of 32 MiB lends 4 at a time. */
static void test_large_arrays_are_copied_in_pieces(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(2);
    mixes(pool, 3 << 20, &(struct sizes){4, 4}, false);
    mixes(pool, 12, &(struct sizes){1 << 20, 1 << 20}, false);
    mixes(pool, 24001, &(struct sizes){1000, 1}, false);
    end_pool(pool);
}

static int sum_into_context(const void *item, void *result, void *context)
{
    (void)result;
    atomic_fetch_add((atomic_long *)context, *(const int *)item);
    return 0;
}

static void test_results_may_be_none(void **state)
{
    (void)state;
    enum { COUNT = 5000 };
    mp_pool *pool = new_pool(2);
    int items[COUNT];
    atomic_long *sum = new_block(true, sizeof *sum);
    const mp_map_options options = {.context = (const void *)sum};
    for (int i = 0; i < COUNT; i++)
        items[i] = i;
    assert_mp_result(
        mp_pool_map_array(pool, sum_into_context, items, COUNT, sizeof *items, NULL, 0, &options),
        0);
    check(atomic_load(sum) == (long)COUNT * (COUNT - 1) / 2);
    mp_raw_free((void *)sum);
    end_pool(pool);
}

static void test_no_items(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(1);
    int item = 0, result = 5;
    mp_obj errors = MP(1);
    const mp_map_options options = {.errors = &errors};
    assert_mp_result(mp_pool_map_array(pool, square_int, &item, 0, sizeof item, &result,
                                       sizeof result, &options),
                     0);
    check(result == 5 && mp_obj_equal(errors, MP_EMPTY_LIST));
    mp_obj_free(&errors);
    assert_mp_result(mp_pool_map_array(pool, square_int, NULL, 0, sizeof item, NULL, 0, NULL), 0);
    end_pool(pool);
}

struct line {
    double slope, offset;
    char name[40];
};

static int point_of(const void *item, void *result, void *context)
{
    const struct line *line = context;
    check(strcmp(line->name, "a line") == 0);
    *(double *)result = line->slope * *(const float *)item + line->offset;
    return 0;
}

/* It is younger than the workers, which would not find it by its address. */
static void test_a_context_with_a_size_is_copied(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(2);
    for (int round = 1; round < 4; round++) {
        const struct line line = {.slope = round, .offset = -1, .name = "a line"};
        const mp_map_options options = {.context = &line, .context_size = sizeof line};
        float items[100];
        double results[100];
        for (int i = 0; i < 100; i++)
            items[i] = (float)i;
        assert_mp_result(mp_pool_map_array(pool, point_of, items, 100, sizeof *items, results,
                                           sizeof *results, &options),
                         0);
        for (int i = 0; i < 100; i++)
            check((int)results[i] == round * i - 1);
    }
    end_pool(pool);
}

/* Gives its own address. */
static int find_context(const void *item, void *result, void *context)
{
    (void)item;
    *(void **)result = context;
    return 0;
}

static void test_a_context_without_a_size_is_the_pointer(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(1);
    int items[3] = {0};
    void *found[3];
    const mp_map_options options = {.context = items};
    assert_mp_result(
        mp_pool_map_array(pool, find_context, items, 3, sizeof *items, found, sizeof *found, NULL),
        0);
    check(found[0] == NULL && found[2] == NULL);
    assert_mp_result(mp_pool_map_array(pool, find_context, items, 3, sizeof *items, found,
                                       sizeof *found, &options),
                     0);
    check(found[0] == items && found[1] == items && found[2] == items);
    end_pool(pool);
}

static void test_an_item_that_fits_nowhere(void **state)
{
    (void)state;
    if (getenv("LIBMP_ARENA_SIZE") == NULL) {
        print_message("SKIPPED: the arena is large here\n");
        skip();
    }
    size_t size = (size_t)64 << 20;
    mp_pool *pool = new_pool(1);
    char *items = calloc(2, size);
    check(items != NULL);
    const struct sizes sizes = {size, 1};
    char results[2];
    const mp_map_options options = {.context = &sizes, .context_size = sizeof sizes};
    assert_mp_error(mp_pool_map_array(pool, mix, items, 2, size, results, 1, &options), -ENOMEM);
    assert_mp_error(mp_pool_map_array(pool, mix, results, 2, 1, items, size, &options), -ENOMEM);
    free(items);
    pool_works(pool);
    end_pool(pool);
}

struct calls {
    pthread_t thread;
    size_t total, done, times, most;
};

static void note_progress(size_t done, size_t total, void *arg)
{
    struct calls *calls = arg;
    check(pthread_equal(pthread_self(), calls->thread));
    check(total == calls->total);
    check(done > 0 && done <= total && done >= calls->done);
    calls->done = done;
    calls->times++;
}

static void test_progress_is_told_in_the_call(void **state)
{
    (void)state;
    static const size_t counts[] = {1, 5, 1000, 2 << 20};
    mp_pool *pool = new_pool(2);
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        struct calls calls = {.thread = pthread_self(), .total = counts[c]};
        const mp_map_options options = {.progress = note_progress, .progress_arg = &calls};
        int *items = calloc(counts[c], sizeof *items), *results = calloc(counts[c], sizeof *items);
        check(items != NULL && results != NULL);
        assert_mp_result(mp_pool_map_array(pool, square_int, items, counts[c], sizeof *items,
                                           results, sizeof *results, &options),
                         0);
        check(calls.done == counts[c] && calls.times >= 1);
        free(items);
        free(results);
    }
    end_pool(pool);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("arrays in shared memory are worked on in place, others are copied",
                     test_shared_arrays_are_worked_on_in_place),
        support_test("an array becomes its squares", test_an_array_becomes_its_squares),
        support_test("items and results of all sizes, nothing beside them",
                     test_items_of_all_sizes),
        support_test("large arrays are copied in pieces", test_large_arrays_are_copied_in_pieces),
        support_test("results may be none", test_results_may_be_none),
        support_test("no items are fine", test_no_items),
        support_test("a context with a size is copied", test_a_context_with_a_size_is_copied),
        support_test("a context without a size is the pointer",
                     test_a_context_without_a_size_is_the_pointer),
        support_test("an item that fits nowhere is told", test_an_item_that_fits_nowhere),
        support_test("progress is told in the call, up to the end",
                     test_progress_is_told_in_the_call),
    };
    return support_run_processes("map_array", tests);
}
