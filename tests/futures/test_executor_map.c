/* What a map of an executor gives: for every iterable, after a timeout, and for items that take too
 * long or are tried again. */
#include "parity/parity_futures.h"

/* ---- iterables ------------------------------------------------------------------------------ */

static int give_back(mp_obj arg, mp_obj *result)
{
    *result = arg;
    return 0;
}

static void gives(mp_executor *executor, mp_obj iterable, mp_obj expected)
{
    mp_obj results = MP(1);
    assert_mp_result(mp_executor_map(executor, give_back, iterable, &results, NULL, MP_FOREVER), 0);
    check(results.type == MP_TYPE_LIST && mp_obj_equal(results, expected));
    mp_obj_free(&results);
}

static void test_every_iterable_gives_a_list(void **state)
{
    (void)state;
    mp_executor *executor = new_executor(2);
    gives(executor, MP_LIST(1, "two", 3.0), MP_LIST(1, "two", 3.0));
    gives(executor, MP_TUPLE(1, MP_LIST(2)), MP_LIST(1, MP_LIST(2)));
    gives(executor, MP_DICT("key", 1, "other", 2), MP_LIST("key", "other"));
    gives(executor, MP_SET(7), MP_LIST(7));
    gives(executor, MP("h\xc3\xa9"), MP_LIST("h", "\xc3\xa9"));
    gives(executor, MP_BYTES("\x01\xff", 2), MP_LIST(1, 255));
    gives(executor, MP_EMPTY_LIST, MP_EMPTY_LIST);
    gives(executor, MP(""), MP_EMPTY_LIST);
    mp_executor_destroy(executor);
}

/* ---- timeouts ------------------------------------------------------------------------------- */

static int take_a_moment(mp_obj arg, mp_obj *result)
{
    mp_sleep(0.0003);
    return answer(arg, result);
}

/* However an item's end and the map's fall together: it has a result, or a code. */
static void test_after_a_timeout_results_and_codes_agree(void **state)
{
    (void)state;
    enum { N = 64 };
    int status[N], timed_out = 0;
    mp_obj items[N], results;
    mp_executor *executor = new_executor(4);
    for (int round = 0; round < 500; round++) {
        const mp_map_options options = {.status = status};
        double timeout = 0.001 + round * 8e-6;
        int rc = mp_executor_map(executor, take_a_moment, count_up(items, N), &results, &options,
                                 timeout);
        check(rc == 0 || rc == MP_ETIMEOUT);
        timed_out += rc == MP_ETIMEOUT;
        check(results.len == N);
        for (size_t i = 0; i < N; i++) {
            check(status[i] == 0 || status[i] == MP_ETIMEOUT);
            check(is_none(results, i) == (status[i] != 0));
        }
        mp_obj_free(&results);
    }
    check(timed_out > 0);
    mp_executor_destroy(executor);
}

/* ---- deadlines and second tries ------------------------------------------------------------- */

/* None is answered at once, a door is waited at. */
static int answer_or_wait(mp_obj arg, mp_obj *result)
{
    return arg.type == MP_TYPE_NONE ? answer(arg, result) : wait_at_door(arg, result);
}

static void test_an_item_that_takes_too_long_is_ended(void **state)
{
    (void)state;
    int status[4];
    mp_obj results;
    struct door *door = new_door();
    mp_executor *executor = new_executor(2);
    const mp_map_options options = {.status = status, .chunksize = 4, .task_timeout = 3.0};
    mp_obj items = MP_LIST(MP_NONE, MP_NONE, address(door), MP_NONE);
    assert_mp_error(
        mp_executor_map(executor, answer_or_wait, items, &results, &options, MP_FOREVER),
        MP_EDEADLINE);
    for (size_t i = 0; i < 4; i++) {
        check(status[i] == (i == 2 ? MP_EDEADLINE : 0));
        check(is_none(results, i) == (i == 2));
    }
    check(goes(atomic_load(&door->pids[0])));
    mp_obj_free(&results);
    mp_executor_destroy(executor);
    destroy_door(door);
}

/* Lies in shared memory: how often the task was begun, and how often it dies before it is well. */
struct tries {
    atomic_int begun;
    int deaths;
};

static int die_at_first(mp_obj arg, mp_obj *result)
{
    struct tries *tries = at_address(arg);
    return atomic_fetch_add(&tries->begun, 1) < tries->deaths ? be_killed(arg, result)
                                                              : answer(arg, result);
}

static void test_a_lost_task_is_tried_again(void **state)
{
    (void)state;
    struct tries *tries = shared_memory(sizeof *tries);
    mp_executor *executor = new_executor(1);
    const mp_task_options options = {.retries = 2};
    for (tries->deaths = 0; tries->deaths <= 4; tries->deaths++) {
        mp_future *future;
        int expected = tries->deaths <= 2 ? 0 : MP_EDIED;
        atomic_store(&tries->begun, 0);
        assert_mp_result(
            mp_executor_submit_with(executor, die_at_first, address(tries), &future, &options), 0);
        check(take_end(future) == expected);
        check(atomic_load(&tries->begun) == (expected == 0 ? tries->deaths + 1 : 3));
    }
    mp_executor_destroy(executor);
    mp_raw_free(tries);
}

/* ---- progress ------------------------------------------------------------------------------- */

struct told {
    size_t done, total, times;
};

static void note_progress(size_t done, size_t total, void *arg)
{
    struct told *told = arg;
    check(done >= told->done && done <= total);
    *told = (struct told){done, total, told->times + 1};
}

static void test_progress_is_told_to_the_end(void **state)
{
    (void)state;
    enum { N = 40 };
    mp_obj items[N];
    struct told told = {0, 0, 0};
    const mp_map_options options = {.progress = note_progress, .progress_arg = &told};
    mp_executor *executor = new_executor(2);
    assert_mp_result(
        mp_executor_map(executor, take_a_moment, count_up(items, N), NULL, &options, MP_FOREVER),
        0);
    check(told.times >= 1 && told.done == N && told.total == N);
    mp_executor_destroy(executor);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("map: every iterable gives a list", test_every_iterable_gives_a_list),
        support_test("map: after a timeout results and codes agree",
                     test_after_a_timeout_results_and_codes_agree),
        support_test("map: an item that takes too long is ended",
                     test_an_item_that_takes_too_long_is_ended),
        support_test("submit_with: a lost task is tried again", test_a_lost_task_is_tried_again),
        support_test("map: progress is told to the end", test_progress_is_told_to_the_end),
    };
    return support_run_processes("maps of executors", tests);
}
