/* Several threads at one pool: ends, results and callbacks that meet. */
#include "parity/parity_futures.h"
#include "parity/parity_pool_kit.h"

enum { THREADS = 4, ROUNDS = 40 };

/* Longer than anything here takes: who waits that long would wait for ever. */
#define LONG 20.0

static void nothing(mp_obj result, void *arg)
{
    (void)result;
    (void)arg;
}

static void count_call(mp_obj result, void *calls)
{
    (void)result;
    (void)atomic_fetch_add((atomic_int *)calls, 1);
}

/* ---- ends ----------------------------------------------------------------------------------- */

static int join_for_ever(void *pool)
{
    assert_mp_result(mp_pool_join(pool, MP_FOREVER), 0);
    return 0;
}

static int terminate_and_join(void *pool)
{
    assert_mp_result(mp_pool_terminate(pool), 0);
    return join_for_ever(pool);
}

/* A pool that has a helper thread, and a task at the door. */
static mp_pool *new_pool_with_helper(struct door *door)
{
    const mp_task_options options = {.callback = nothing};
    mp_pool *pool = new_pool(1);
    assert_mp_result(mp_event_clear(door->open), 0);
    atomic_store(&door->count, 0);
    assert_mp_result(mp_pool_apply_async(pool, wait_at_door, address(door), NULL, &options), 0);
    take(door->came);
    return pool;
}

static void test_threads_join_at_once(void **state)
{
    (void)state;
    struct door *door = new_door();
    for (int round = 0; round < ROUNDS; round++) {
        struct target_thread threads[THREADS];
        mp_pool *pool = new_pool_with_helper(door);
        assert_mp_result(mp_pool_close(pool), 0);
        for (int i = 0; i < THREADS; i++)
            start_thread(&threads[i], join_for_ever, pool);
        open_door(door);
        for (int i = 0; i < THREADS; i++)
            finish_thread(&threads[i]);
        assert_mp_result(mp_pool_join(pool, MP_NOWAIT), 0);
        mp_pool_destroy(pool);
    }
    destroy_door(door);
}

static void test_threads_join_and_terminate_at_once(void **state)
{
    (void)state;
    struct door *door = new_door();
    for (int round = 0; round < ROUNDS; round++) {
        struct target_thread threads[THREADS];
        mp_pool *pool = new_pool_with_helper(door);
        assert_mp_result(mp_pool_close(pool), 0);
        for (int i = 0; i < THREADS; i++)
            start_thread(&threads[i], i % 2 == 0 ? join_for_ever : terminate_and_join, pool);
        for (int i = 0; i < THREADS; i++)
            finish_thread(&threads[i]);
        mp_pool_destroy(pool);
    }
    destroy_door(door);
}

static int shut_down(void *executor)
{
    assert_mp_result(mp_executor_shutdown(executor, true, false), 0);
    return 0;
}

static void test_threads_shut_down_at_once(void **state)
{
    (void)state;
    struct door *door = new_door();
    const mp_task_options options = {.callback = nothing};
    for (int round = 0; round < ROUNDS; round++) {
        struct target_thread threads[THREADS];
        mp_future *future;
        mp_executor *executor = new_executor(1);
        assert_mp_result(mp_event_clear(door->open), 0);
        atomic_store(&door->count, 0);
        assert_mp_result(
            mp_executor_submit_with(executor, wait_at_door, address(door), &future, &options), 0);
        for (int i = 0; i < THREADS; i++)
            start_thread(&threads[i], shut_down, executor);
        take(door->came);
        open_door(door);
        for (int i = 0; i < THREADS; i++)
            finish_thread(&threads[i]);
        mp_executor_destroy(executor);
        check(take_int(future) == ANSWER);
    }
    destroy_door(door);
}

/* ---- results and callbacks ------------------------------------------------------------------ */

enum { ITEMS = 200000, UNWRITTEN = 0x55555555 };
static int status_of[ITEMS];
static mp_obj errors_of;

static int wait_and_look(void *result)
{
    assert_mp_result(mp_async_result_wait(result, MP_FOREVER), 0);
    for (int i = 0; i < ITEMS; i++)
        check(status_of[i] == 0);
    check(errors_of.type == MP_TYPE_LIST && errors_of.len == ITEMS);
    return 0;
}

static void test_each_thread_that_waits_for_a_map_finds_all_codes(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(2);
    mp_obj items = range(ITEMS);
    for (int round = 0; round < 5; round++) {
        struct target_thread threads[THREADS];
        mp_async_result *result;
        const mp_map_options options = {.status = status_of, .errors = &errors_of};
        for (int i = 0; i < ITEMS; i++)
            status_of[i] = UNWRITTEN;
        errors_of = MP_NONE;
        assert_mp_result(mp_pool_map_async(pool, identity, items, &result, &options), 0);
        for (int i = 0; i < THREADS; i++)
            start_thread(&threads[i], wait_and_look, result);
        for (int i = 0; i < THREADS; i++)
            finish_thread(&threads[i]);
        mp_async_result_destroy(result);
        mp_obj_free(&errors_of);
    }
    mp_obj_free(&items);
    end_pool(pool);
}

/* At 0 it is done at once, else it waits at the door. */
static int wait_at_door_or_not(mp_obj arg, mp_obj *result)
{
    return mp_obj_equal(arg, MP(0)) ? answer(arg, result) : wait_at_door(arg, result);
}

static void test_a_map_that_goes_on_holds_up_no_callback_behind_it(void **state)
{
    (void)state;
    struct door *door = new_door();
    atomic_int of_map = 0, of_task = 0;
    mp_async_result *map, *task;
    mp_pool *pool = new_pool(2);
    const mp_map_options map_options = {
        .chunksize = 1, .callback = count_call, .callback_arg = &of_map};
    const mp_task_options task_options = {.callback = count_call, .callback_arg = &of_task};
    assert_mp_result(
        mp_pool_map_async(pool, wait_at_door_or_not, MP_LIST(0, address(door)), &map, &map_options),
        0);
    assert_mp_result(mp_pool_apply_async(pool, identity, MP(1), &task, &task_options), 0);
    assert_mp_result(mp_async_result_get(task, NULL, LONG), 0);
    check(atomic_load(&of_task) == 1 && atomic_load(&of_map) == 0);
    check(!mp_async_result_ready(map));
    open_door(door);
    assert_mp_result(mp_async_result_get(map, NULL, LONG), 0);
    check(atomic_load(&of_map) == 1);
    mp_async_result_destroy(map);
    mp_async_result_destroy(task);
    end_pool(pool);
    destroy_door(door);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("threads join at once", test_threads_join_at_once),
        support_test("threads join and terminate at once", test_threads_join_and_terminate_at_once),
        support_test("threads shut an executor down at once", test_threads_shut_down_at_once),
        support_test("each thread that waits for a map finds all codes",
                     test_each_thread_that_waits_for_a_map_finds_all_codes),
        support_test("a map that goes on holds up no callback behind it",
                     test_a_map_that_goes_on_holds_up_no_callback_behind_it),
    };
    return support_run_processes("threads at a pool", tests);
}
