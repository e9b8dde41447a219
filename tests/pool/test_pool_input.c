/* Bad input to pools: each is refused with its code, and the pool goes on. */
#include "pool_kit.h"

#include <math.h>

static int no_items(void *context, mp_obj *item)
{
    (void)context;
    (void)item;
    return 0;
}

static int ignore(const void *item, void *result, void *context)
{
    (void)item;
    (void)result;
    (void)context;
    return 0;
}

static int ten_ints[10];

static int map_ten(mp_pool *pool, const mp_map_options *options)
{
    return mp_pool_map_array(pool, ignore, ten_ints, 10, sizeof *ten_ints, NULL, 0, options);
}

static void test_create(void **state)
{
    (void)state;
    mp_pool *pool;
    assert_mp_error(mp_pool_create(NULL, 2, NULL), MP_EINVAL);
    assert_mp_error(mp_pool_create(&pool, -1, NULL), MP_EINVAL);
    assert_mp_error(mp_pool_create(&pool, 2001, NULL), MP_EINVAL);
    mp_pool_options options = {.restart_seconds = -1};
    assert_mp_error(mp_pool_create(&pool, 2, &options), MP_EINVAL);
    options.restart_seconds = NAN;
    assert_mp_error(mp_pool_create(&pool, 2, &options), MP_EINVAL);
}

static void test_null(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(1);
    mp_obj results;
    mp_async_result *result;
    mp_imap *imap;
    assert_mp_error(mp_pool_apply(NULL, square, MP(1), NULL), MP_EINVAL);
    assert_mp_error(mp_pool_apply(pool, NULL, MP(1), NULL), MP_EINVAL);
    assert_mp_error(mp_pool_apply_async(NULL, square, MP(1), &result, NULL), MP_EINVAL);
    assert_mp_error(mp_pool_apply_async(pool, NULL, MP(1), &result, NULL), MP_EINVAL);
    results = MP(1);
    assert_mp_error(mp_pool_map(NULL, square, MP_LIST(1), &results, NULL), MP_EINVAL);
    check(results.type == MP_TYPE_NONE);
    results = MP(1);
    assert_mp_error(mp_pool_map(pool, NULL, MP_LIST(1), &results, NULL), MP_EINVAL);
    check(results.type == MP_TYPE_NONE);
    assert_mp_error(mp_pool_map(pool, NULL, MP_EMPTY_LIST, NULL, NULL), MP_EINVAL);
    assert_mp_error(mp_pool_map_async(NULL, square, MP_LIST(1), &result, NULL), MP_EINVAL);
    assert_mp_error(mp_pool_map_async(pool, NULL, MP_LIST(1), &result, NULL), MP_EINVAL);
    assert_mp_error(mp_pool_imap(NULL, square, MP_LIST(1), &imap, NULL), MP_EINVAL);
    assert_mp_error(mp_pool_imap(pool, NULL, MP_LIST(1), &imap, NULL), MP_EINVAL);
    assert_mp_error(mp_pool_imap(pool, square, MP_LIST(1), NULL, NULL), MP_EINVAL);
    assert_mp_error(mp_pool_imap_unordered(pool, NULL, MP_LIST(1), &imap, NULL), MP_EINVAL);
    assert_mp_error(mp_pool_imap_unordered(pool, square, MP_LIST(1), NULL, NULL), MP_EINVAL);
    assert_mp_error(mp_pool_imap_from(NULL, square, no_items, NULL, &imap, NULL), MP_EINVAL);
    assert_mp_error(mp_pool_imap_from(pool, NULL, no_items, NULL, &imap, NULL), MP_EINVAL);
    assert_mp_error(mp_pool_imap_from(pool, square, NULL, NULL, &imap, NULL), MP_EINVAL);
    assert_mp_error(mp_pool_imap_from(pool, square, no_items, NULL, NULL, NULL), MP_EINVAL);
    assert_mp_error(mp_pool_imap_unordered_from(pool, square, NULL, NULL, &imap, NULL), MP_EINVAL);
    assert_mp_error(mp_pool_close(NULL), MP_EINVAL);
    assert_mp_error(mp_pool_terminate(NULL), MP_EINVAL);
    assert_mp_error(mp_pool_join(NULL, MP_FOREVER), MP_EINVAL);
    assert_mp_error(mp_imap_next(NULL, NULL, MP_FOREVER), MP_EINVAL);
    assert_mp_error(mp_async_result_get(NULL, NULL, MP_FOREVER), MP_EINVAL);
    assert_mp_error(mp_async_result_wait(NULL, MP_FOREVER), MP_EINVAL);
    assert_mp_error(mp_async_result_successful(NULL), MP_EINVAL);
    check(!mp_async_result_ready(NULL));
    mp_pool_destroy(NULL);
    mp_imap_destroy(NULL);
    mp_async_result_destroy(NULL);
    pool_works(pool);
    end_pool(pool);
}

static void test_arrays(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(1);
    int results[10];
    mp_map_options options = {.context_size = 8};
    assert_mp_error(mp_pool_map_array(NULL, ignore, ten_ints, 10, 4, NULL, 0, NULL), MP_EINVAL);
    assert_mp_error(mp_pool_map_array(pool, NULL, ten_ints, 10, 4, NULL, 0, NULL), MP_EINVAL);
    assert_mp_error(mp_pool_map_array(pool, ignore, NULL, 10, 4, NULL, 0, NULL), MP_EINVAL);
    assert_mp_error(mp_pool_map_array(pool, ignore, ten_ints, 10, 0, NULL, 0, NULL), MP_EINVAL);
    assert_mp_error(mp_pool_map_array(pool, ignore, ten_ints, 10, 4, NULL, 4, NULL), MP_EINVAL);
    assert_mp_error(map_ten(pool, &options), MP_EINVAL);
    check(mp_pool_map_array(pool, ignore, ten_ints, SIZE_MAX, 4, NULL, 0, NULL) < 0);
    check(mp_pool_map_array(pool, ignore, ten_ints, 2, SIZE_MAX / 2 + 1, NULL, 0, NULL) < 0);
    check(mp_pool_map_array(pool, ignore, ten_ints, 10, 4, results, SIZE_MAX / 4, NULL) < 0);
    assert_mp_result(map_ten(pool, NULL), 0);
    end_pool(pool);
}

static void test_limits_of_time(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(1);
    static const double bad[] = {-1, NAN, -HUGE_VAL};
    mp_async_result *result;
    mp_imap *imap;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const mp_task_options task = {.task_timeout = bad[i]};
        const mp_map_options map = {.task_timeout = bad[i]};
        mp_obj results = MP(1);
        assert_mp_error(mp_pool_apply_async(pool, square, MP(1), &result, &task), MP_EINVAL);
        assert_mp_error(mp_pool_map(pool, square, MP_LIST(1), &results, &map), MP_EINVAL);
        check(results.type == MP_TYPE_NONE);
        assert_mp_error(mp_pool_map_async(pool, square, MP_LIST(1), &result, &map), MP_EINVAL);
        assert_mp_error(mp_pool_imap(pool, square, MP_LIST(1), &imap, &map), MP_EINVAL);
        assert_mp_error(mp_pool_imap_unordered(pool, square, MP_LIST(1), &imap, &map), MP_EINVAL);
        assert_mp_error(mp_pool_imap_from(pool, square, no_items, NULL, &imap, &map), MP_EINVAL);
        assert_mp_error(mp_pool_imap_unordered_from(pool, square, no_items, NULL, &imap, &map),
                        MP_EINVAL);
        assert_mp_error(map_ten(pool, &map), MP_EINVAL);
    }
    assert_mp_result(mp_pool_apply_async(pool, square, MP(3), &result, NULL), 0);
    assert_mp_error(mp_async_result_get(result, NULL, NAN), MP_EINVAL);
    assert_mp_error(mp_async_result_wait(result, NAN), MP_EINVAL);
    assert_mp_result(mp_async_result_wait(result, MP_FOREVER), 0);
    mp_async_result_destroy(result);
    assert_mp_result(mp_pool_imap(pool, square, MP_LIST(1), &imap, NULL), 0);
    assert_mp_error(mp_imap_next(imap, NULL, NAN), MP_EINVAL);
    assert_mp_result(mp_imap_next(imap, NULL, MP_FOREVER), 1);
    mp_imap_destroy(imap);
    assert_mp_result(mp_pool_close(pool), 0);
    assert_mp_error(mp_pool_join(pool, NAN), MP_EINVAL);
    end_pool(pool);
}

static void on_progress(size_t done, size_t total, void *arg)
{
    (void)done;
    (void)total;
    (void)arg;
}

static void on_results(mp_obj results, void *arg)
{
    (void)results;
    (void)arg;
}

static void on_error(int code, const char *detail, void *arg)
{
    (void)code;
    (void)detail;
    (void)arg;
}

static void test_options_that_do_not_belong(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(1);
    mp_imap *imap;
    int status[1];
    mp_obj errors = MP_NONE, results = MP(1);
    const mp_map_options not_of_imap[] = {
        {.status = status},
        {.errors = &errors},
        {.progress = on_progress},
        {.context = status},
        {.context = status, .context_size = sizeof status},
        {.callback = on_results},
        {.error_callback = on_error},
    };
    for (size_t i = 0; i < sizeof not_of_imap / sizeof *not_of_imap; i++) {
        const mp_map_options *options = &not_of_imap[i];
        assert_mp_error(mp_pool_imap(pool, square, MP_LIST(1), &imap, options), MP_EINVAL);
        assert_mp_error(mp_pool_imap_unordered(pool, square, MP_LIST(1), &imap, options),
                        MP_EINVAL);
        assert_mp_error(mp_pool_imap_from(pool, square, no_items, NULL, &imap, options), MP_EINVAL);
        assert_mp_error(mp_pool_imap_unordered_from(pool, square, no_items, NULL, &imap, options),
                        MP_EINVAL);
    }
    const mp_map_options not_of_map[] = {{.callback = on_results}, {.error_callback = on_error}};
    for (size_t i = 0; i < sizeof not_of_map / sizeof *not_of_map; i++) {
        assert_mp_error(mp_pool_map(pool, square, MP_LIST(1), &results, &not_of_map[i]), MP_EINVAL);
        check(results.type == MP_TYPE_NONE);
        assert_mp_error(map_ten(pool, &not_of_map[i]), MP_EINVAL);
    }
    pool_works(pool);
    end_pool(pool);
}

static void nothing_iterates(mp_pool *pool, mp_obj o)
{
    mp_obj results = MP(1);
    mp_async_result *result;
    mp_imap *imap;
    assert_mp_error(mp_pool_map(pool, square, o, &results, NULL), MP_ETYPE);
    check(results.type == MP_TYPE_NONE);
    assert_mp_error(mp_pool_map_async(pool, square, o, &result, NULL), MP_ETYPE);
    assert_mp_error(mp_pool_imap(pool, square, o, &imap, NULL), MP_ETYPE);
    assert_mp_error(mp_pool_imap_unordered(pool, square, o, &imap, NULL), MP_ETYPE);
}

static void test_what_does_not_iterate(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(1);
    nothing_iterates(pool, MP_NONE);
    nothing_iterates(pool, MP(3));
    nothing_iterates(pool, MP(3.5));
    nothing_iterates(pool, MP_TRUE);
    pool_works(pool);
    end_pool(pool);
}

static void nothing_is_handed_in(mp_pool *pool, mp_obj o, int code)
{
    mp_obj results = MP(1);
    mp_async_result *result;
    assert_mp_error(mp_pool_apply(pool, square, o, NULL), code);
    assert_mp_error(mp_pool_apply_async(pool, square, o, &result, NULL), code);
    assert_mp_error(mp_pool_map(pool, square, MP_LIST(1, o, 3), &results, NULL), code);
    check(results.type == MP_TYPE_NONE);
    assert_mp_error(mp_pool_map_async(pool, square, MP_LIST(1, o), &result, NULL), code);
}

/* An iterator tells of such an item at its place, as Python's does, and goes on. */
static void is_told_at_its_place(mp_pool *pool, mp_obj o, int code)
{
    mp_imap *imap;
    assert_mp_result(mp_pool_imap(pool, square, MP_LIST(1, o, 3), &imap, NULL), 0);
    assert_mp_result(mp_imap_next(imap, NULL, MP_FOREVER), 1);
    assert_mp_error(mp_imap_next(imap, NULL, MP_FOREVER), code);
    assert_mp_result(mp_imap_next(imap, NULL, MP_FOREVER), 1);
    assert_mp_result(mp_imap_next(imap, NULL, MP_FOREVER), 0);
    mp_imap_destroy(imap);
    assert_mp_result(mp_pool_imap_unordered(pool, square, MP_LIST(o), &imap, NULL), 0);
    assert_mp_error(mp_imap_next(imap, NULL, MP_FOREVER), code);
    assert_mp_result(mp_imap_next(imap, NULL, MP_FOREVER), 0);
    mp_imap_destroy(imap);
}

static void test_arguments_that_cannot_be_written(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(1);
    const struct {
        mp_obj object;
        int code;
    } bad[] = {{MP(UINT64_MAX), MP_EOVERFLOW},
               {MP_LIST(1, MP_TUPLE(MP(UINT64_MAX))), MP_EOVERFLOW},
               {MP_SET(MP_LIST(1)), MP_ETYPE},
               {MP("\xff\xfe"), MP_EPICKLE}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        nothing_is_handed_in(pool, bad[i].object, bad[i].code);
        is_told_at_its_place(pool, bad[i].object, bad[i].code);
    }
    mp_obj unknown = {.type = 99};
    check(mp_pool_apply(pool, square, unknown, NULL) < 0);
    pool_works(pool);
    end_pool(pool);
}

static int give_poison_for_odd(mp_obj arg, mp_obj *result)
{
    int64_t i;
    assert_mp_result(mp_obj_as_int(arg, &i), 0);
    *result = i % 2 ? MP(UINT64_MAX) : MP(i);
    return 0;
}

static int give_refused_copy(mp_obj arg, mp_obj *result)
{
    (void)arg;
    mp_obj unknown = {.type = 99};
    return mp_task_return(result, MP_LIST(unknown));
}

static void test_results_that_cannot_be_written(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(2);
    mp_obj results;
    mp_imap *imap;
    int status[4];
    const mp_map_options options = {.status = status, .chunksize = 2};
    assert_mp_error(mp_pool_apply(pool, give_poison_for_odd, MP(1), NULL), MP_EOVERFLOW);
    assert_mp_error(mp_pool_map(pool, give_poison_for_odd, MP_LIST(0, 1, 2, 3), &results, &options),
                    MP_EOVERFLOW);
    check(mp_obj_equal(results, MP_LIST(0, MP_NONE, 2, MP_NONE)));
    mp_obj_free(&results);
    for (int i = 0; i < 4; i++)
        assert_mp_result(status[i], i % 2 ? MP_EOVERFLOW : 0);
    assert_mp_result(mp_pool_imap(pool, give_poison_for_odd, MP_LIST(0, 1, 2), &imap, NULL), 0);
    for (int i = 0; i < 3; i++)
        assert_mp_result(mp_imap_next(imap, NULL, MP_FOREVER), i % 2 ? MP_EOVERFLOW : 1);
    assert_mp_result(mp_imap_next(imap, NULL, MP_FOREVER), 0);
    mp_imap_destroy(imap);
    assert_mp_error(mp_pool_apply(pool, give_refused_copy, MP_NONE, NULL), MP_ETASK);
    check(mp_error_code() == MP_EINVAL);
    pool_works(pool);
    end_pool(pool);
}

static void nothing_after_the_end(mp_pool *pool)
{
    mp_obj results = MP(1);
    mp_async_result *result;
    mp_imap *imap;
    assert_mp_error(mp_pool_apply(pool, square, MP(1), NULL), MP_ESTATE);
    assert_mp_error(mp_pool_apply_async(pool, square, MP(1), &result, NULL), MP_ESTATE);
    assert_mp_error(mp_pool_map(pool, square, MP_EMPTY_LIST, &results, NULL), MP_ESTATE);
    check(results.type == MP_TYPE_NONE);
    assert_mp_error(mp_pool_map_async(pool, square, MP_EMPTY_LIST, &result, NULL), MP_ESTATE);
    assert_mp_error(mp_pool_imap(pool, square, MP_EMPTY_LIST, &imap, NULL), MP_ESTATE);
    assert_mp_error(mp_pool_imap_from(pool, square, no_items, NULL, &imap, NULL), MP_ESTATE);
    assert_mp_error(map_ten(pool, NULL), MP_ESTATE);
}

static void test_after_close_and_terminate(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(1);
    assert_mp_error(mp_pool_join(pool, MP_FOREVER), MP_ESTATE);
    assert_mp_result(mp_pool_close(pool), 0);
    nothing_after_the_end(pool);
    end_pool(pool);
    pool = new_pool(1);
    assert_mp_result(mp_pool_terminate(pool), 0);
    nothing_after_the_end(pool);
    assert_mp_result(mp_pool_join(pool, MP_FOREVER), 0);
    nothing_after_the_end(pool);
    mp_pool_destroy(pool);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("numbers of workers and times that make no sense are refused", test_create),
        support_test("NULL is refused where something is needed", test_null),
        support_test("arrays without items, sizes or an end are refused", test_arrays),
        support_test("negative limits of time and NaN are refused", test_limits_of_time),
        support_test("options that a call does not heed are refused",
                     test_options_that_do_not_belong),
        support_test("what does not iterate is refused", test_what_does_not_iterate),
        support_test("arguments that cannot be written are refused, and nothing runs",
                     test_arguments_that_cannot_be_written),
        support_test("results that cannot be written fail their items alone",
                     test_results_that_cannot_be_written),
        support_test("nothing can be handed in after close and terminate",
                     test_after_close_and_terminate),
    };
    return support_run_processes("bad input to pools", tests);
}
