/* What map and map_array tell of each item: codes, texts, deaths, deadlines, retries. */
#include "pool_kit.h"

#include <mp/sharedctypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A deadline: TIMEOUT is longer than an honest item, or a death, takes where the machine stands still
 * for a moment. */
enum { TIMEOUT = 3 };

enum { COUNT = 1000, FAILS = 3, DIES = 500, SLEEPS = 501, LAST = 999 };

/* How often each item ran; older than the pools. */
static atomic_int *runs;

static void new_runs(void)
{
    void *p;
    assert_mp_result(mp_raw_alloc(&p, COUNT * sizeof *runs), 0);
    runs = p;
}

static void free_runs(void)
{
    mp_raw_free((void *)runs);
}

static int fail_three(const void *item, void *result, void *context)
{
    int i = *(const int *)item;
    (void)context;
    *(int *)result = i * 2;
    atomic_fetch_add(&runs[i], 1);
    return i % 10 == FAILS ? mp_task_fail(i, "item %d is bad", i) : 0;
}

struct arrays {
    int items[COUNT], results[COUNT], status[COUNT];
    mp_obj errors;
};

static void fill(struct arrays *a)
{
    for (int i = 0; i < COUNT; i++) {
        a->items[i] = i;
        a->results[i] = -1;
        a->status[i] = 1;
    }
    a->errors = MP_NONE;
}

static int run(mp_pool *pool, mp_array_task *task, struct arrays *a, mp_map_options options)
{
    options.status = a->status;
    options.errors = &a->errors;
    return mp_pool_map_array(pool, task, a->items, COUNT, sizeof *a->items, a->results,
                             sizeof *a->results, &options);
}

static void test_failing_items_are_told_one_by_one(void **state)
{
    (void)state;
    static const size_t chunksizes[] = {0, 1, 7, COUNT};
    static struct arrays a;
    new_runs();
    mp_pool *pool = new_pool(2);
    for (size_t c = 0; c < sizeof chunksizes / sizeof *chunksizes; c++) {
        fill(&a);
        const mp_map_options options = {.chunksize = chunksizes[c], .retries = 2};
        assert_mp_error(run(pool, fail_three, &a, options), MP_ETASK);
        check(mp_error_code() == FAILS);
        check(strstr(mp_error_detail(), "item 3 is bad") != NULL);
        check(a.errors.type == MP_TYPE_LIST && a.errors.len == COUNT);
        for (int i = 0; i < COUNT; i++) {
            char text[64];
            (void)snprintf(text, sizeof text, "item %d is bad", i);
            check(a.results[i] == i * 2); /* what a failed one left as well */
            assert_mp_result(a.status[i], i % 10 == FAILS ? MP_ETASK : 0);
            check(mp_obj_equal(a.errors.items[i], i % 10 == FAILS ? MP_TUPLE(i, text) : MP_NONE));
            check(atomic_load(&runs[i]) == (int)c + 1); /* a failure is no reason to run again */
        }
        mp_obj_free(&a.errors);
    }
    end_pool(pool);
    free_runs();
}

static void test_errors_of_none_are_none(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(2);
    int status[3] = {1, 1, 1};
    mp_obj errors = MP(1), results;
    const mp_map_options options = {.status = status, .errors = &errors};
    assert_mp_result(mp_pool_map(pool, square, MP_LIST(1, 2, 3), &results, &options), 0);
    check(mp_obj_equal(results, MP_LIST(1, 4, 9)));
    check(mp_obj_equal(errors, MP_LIST(MP_NONE, MP_NONE, MP_NONE)));
    check(status[0] == 0 && status[1] == 0 && status[2] == 0);
    mp_obj_free(&errors);
    mp_obj_free(&results);
    assert_mp_error(mp_pool_map(pool, square, MP_LIST(1, "x", 3), &results, &options), MP_ETASK);
    check(mp_obj_equal(results, MP_LIST(1, MP_NONE, 9)));
    check(mp_obj_equal(errors, MP_LIST(MP_NONE, MP_TUPLE(1, "not a number"), MP_NONE)));
    check(status[0] == 0 && status[1] == MP_ETASK && status[2] == 0);
    mp_obj_free(&errors);
    mp_obj_free(&results);
    end_pool(pool);
}

/* Of a map_async they are filled by the call that finds it finished. */
static void test_codes_of_a_map_that_goes_on(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(2);
    for (int way = 0; way < 3; way++) {
        int status[3] = {1, 1, 1};
        mp_obj errors = MP_NONE;
        mp_async_result *result;
        const mp_map_options options = {.status = status, .errors = &errors};
        assert_mp_result(mp_pool_map_async(pool, square, MP_LIST(1, "x", 3), &result, &options), 0);
        if (way == 0)
            assert_mp_error(mp_async_result_get(result, NULL, MP_FOREVER), MP_ETASK);
        else if (way == 1)
            assert_mp_result(mp_async_result_wait(result, MP_FOREVER), 0);
        else
            while (!mp_async_result_ready(result))
                mp_sleep(0.001);
        check(status[0] == 0 && status[1] == MP_ETASK && status[2] == 0);
        check(mp_obj_equal(errors, MP_LIST(MP_NONE, MP_TUPLE(1, "not a number"), MP_NONE)));
        mp_obj_free(&errors);
        mp_async_result_destroy(result);
    }
    end_pool(pool);
}

static int die_or_sleep(const void *item, void *result, void *context)
{
    int i = *(const int *)item;
    int left = *(const int *)context; /* runs that go wrong */
    *(int *)result = i;
    if (atomic_fetch_add(&runs[i], 1) >= left)
        return 0;
    if (i == DIES || i == LAST)
        (void)raise(SIGKILL);
    if (i == SLEEPS)
        mp_sleep(1000);
    return 0;
}

static void check_lost_items(struct arrays *a, int runs_of_lost)
{
    for (int i = 0; i < COUNT; i++) {
        int code = i == DIES || i == LAST ? MP_EDIED : i == SLEEPS ? MP_EDEADLINE : 0;
        assert_mp_result(a->status[i], code);
        check(atomic_load(&runs[i]) == (code ? runs_of_lost : 1));
        check(a->results[i] == i);
        check(code ? a->errors.items[i].type == MP_TYPE_TUPLE && a->errors.items[i].len == 2
                   : a->errors.items[i].type == MP_TYPE_NONE);
    }
    mp_obj_free(&a->errors);
}

static void test_items_that_end_their_worker(void **state)
{
    (void)state;
    static const struct {
        size_t chunksize;
        unsigned retries;
    } ways[] = {{0, 0}, {1, 0}, {COUNT, 0}, {100, 2}};
    static struct arrays a;
    int always = 1000;
    support_time_limit(100);
    for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
        new_runs();
        mp_pool *pool = new_pool(2);
        const mp_map_options options = {.chunksize = ways[w].chunksize,
                                        .task_timeout = TIMEOUT,
                                        .retries = ways[w].retries,
                                        .context = &always,
                                        .context_size = sizeof always};
        fill(&a);
        assert_mp_error(run(pool, die_or_sleep, &a, options), MP_EDIED);
        check_lost_items(&a, 1 + (int)ways[w].retries);
        pool_works(pool);
        end_pool(pool);
        free_runs();
    }
}

static void test_items_that_are_run_again(void **state)
{
    (void)state;
    static struct arrays a;
    int twice = 2;
    new_runs();
    mp_pool *pool = new_pool(2);
    const mp_map_options options = {
        .task_timeout = TIMEOUT, .retries = 2, .context = &twice, .context_size = sizeof twice};
    fill(&a);
    assert_mp_result(run(pool, die_or_sleep, &a, options), 0);
    for (int i = 0; i < COUNT; i++) {
        check(a.status[i] == 0 && a.results[i] == i && a.errors.items[i].type == MP_TYPE_NONE);
        check(atomic_load(&runs[i]) == (i == DIES || i == LAST || i == SLEEPS ? 3 : 1));
    }
    mp_obj_free(&a.errors);
    end_pool(pool);
    free_runs();
}

static int die_twice(mp_obj arg, mp_obj *result)
{
    int64_t i;
    assert_mp_result(mp_obj_as_int(arg, &i), 0);
    if (i == DIES && atomic_fetch_add(&runs[i], 1) < 2)
        _exit(0);
    return square(arg, result);
}

static void test_objects_are_run_again_too(void **state)
{
    (void)state;
    new_runs();
    mp_pool *pool = new_pool(2);
    mp_obj results;
    mp_imap *imap;
    mp_async_result *result;
    mp_map_options options = {.chunksize = 3, .retries = 2};
    mp_obj expected = MP_LIST(1, DIES * DIES, 9);
    assert_mp_result(mp_pool_map(pool, die_twice, MP_LIST(1, DIES, 3), &results, &options), 0);
    check(mp_obj_equal(results, expected));
    mp_obj_free(&results);

    atomic_store(&runs[DIES], 0);
    assert_mp_result(mp_pool_imap(pool, die_twice, MP_LIST(1, DIES, 3), &imap, &options), 0);
    for (size_t i = 0; i < 3; i++) {
        assert_mp_result(mp_imap_next(imap, &results, MP_FOREVER), 1);
        check(mp_obj_equal(results, expected.items[i]));
        mp_obj_free(&results);
    }
    mp_imap_destroy(imap);

    atomic_store(&runs[DIES], 0);
    mp_task_options once = {.retries = 1};
    assert_mp_result(mp_pool_apply_async(pool, die_twice, MP(DIES), &result, &once), 0);
    assert_mp_error(mp_async_result_get(result, NULL, MP_FOREVER), MP_EDIED);
    mp_async_result_destroy(result);
    check(atomic_load(&runs[DIES]) == 2);
    end_pool(pool);
    free_runs();
}

static int end_somehow(mp_obj arg, mp_obj *result)
{
    int64_t way;
    (void)result;
    assert_mp_result(mp_obj_as_int(arg, &way), 0);
    switch (way) {
    case 0:
        return raise(SIGSEGV);
    case 1:
        exit(3);
    case 2:
        abort();
    case 3:
        return raise(SIGSTOP);
    case 4:
        mp_sleep(1000);
        return 0;
    default:
        return 0;
    }
}

static void test_ways_to_end(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(2);
    int status[6];
    static const int codes[6] = {MP_EDIED, MP_EDIED, MP_EDIED, MP_EDEADLINE, MP_EDEADLINE, 0};
    const mp_map_options options = {.chunksize = 1, .task_timeout = TIMEOUT, .status = status};
    assert_mp_error(mp_pool_map(pool, end_somehow, MP_LIST(0, 1, 2, 3, 4, 5), NULL, &options),
                    MP_EDIED);
    for (int i = 0; i < 6; i++)
        assert_mp_result(status[i], codes[i]);
    const mp_task_options task = {.task_timeout = 0.2};
    mp_async_result *result;
    assert_mp_result(mp_pool_apply_async(pool, end_somehow, MP(4), &result, &task), 0);
    assert_mp_error(mp_async_result_get(result, NULL, MP_FOREVER), MP_EDEADLINE);
    mp_async_result_destroy(result);
    pool_works(pool);
    end_pool(pool);
}

struct calls {
    size_t done, times;
    pthread_t thread;
};

static void note_progress(size_t done, size_t total, void *arg)
{
    struct calls *calls = arg;
    check(total == 20 && done > 0 && done <= total && done >= calls->done);
    calls->done = done;
    calls->times++;
    calls->thread = pthread_self();
}

static int take_a_moment(mp_obj arg, mp_obj *result)
{
    mp_sleep(0.05);
    return square(arg, result);
}

static void test_progress_of_maps(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(2);
    mp_async_result *result;
    mp_obj items[20];
    for (int i = 0; i < 20; i++)
        items[i] = MP(i);
    for (int async = 0; async < 2; async++) {
        struct calls calls = {0};
        const mp_map_options options = {
            .chunksize = 1, .progress = note_progress, .progress_arg = &calls};
        if (async) {
            assert_mp_result(
                mp_pool_map_async(pool, take_a_moment, mp_obj_list(items, 20), &result, &options),
                0);
            assert_mp_result(mp_async_result_wait(result, MP_FOREVER), 0);
            mp_async_result_destroy(result);
        } else {
            assert_mp_result(
                mp_pool_map(pool, take_a_moment, mp_obj_list(items, 20), NULL, &options), 0);
        }
        check(calls.done == 20 && calls.times >= 2);
        bool here = pthread_equal(calls.thread, pthread_self()) != 0;
        check(here == (async == 0));
    }
    end_pool(pool);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("failing items are told one by one, and run once",
                     test_failing_items_are_told_one_by_one),
        support_test("the errors of items that went well are None", test_errors_of_none_are_none),
        support_test("codes of a map that goes on are there with its result",
                     test_codes_of_a_map_that_goes_on),
        support_test("items that end their worker are told, and run again as often as asked",
                     test_items_that_end_their_worker),
        support_test("items that go well in the end are no errors", test_items_that_are_run_again),
        support_test("objects are run again too", test_objects_are_run_again_too),
        support_test("progress is told in a map's call, or on the helper thread",
                     test_progress_of_maps),
        support_test("whatever way a task ends its worker, the pool goes on", test_ways_to_end),
    };
    return support_run_processes("codes of maps", tests);
}
