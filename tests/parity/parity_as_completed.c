/* Python's AsCompletedTests (test_as_completed.py). The futures of each state are of one executor,
 * the others of a second one. */
#include "parity_futures.h"

#include <string.h>

/* The next n are those of the list, each once, in whatever order. */
static void gives(mp_completion *completion, mp_future *const *futures, size_t n)
{
    bool seen[8] = {false};
    for (size_t i = 0; i < n; i++) {
        mp_future *next = NULL;
        size_t which = 0;
        assert_mp_result(mp_completion_next(completion, &next), 1);
        check(mp_future_done(next));
        while (which < n && futures[which] != next)
            which++;
        check(which < n && !seen[which]);
        seen[which] = true;
    }
}

/* It stays at its end. */
static void ends(mp_completion *completion)
{
    mp_future *next = NULL;
    assert_mp_result(mp_completion_next(completion, &next), 0);
    assert_mp_result(mp_completion_next(completion, &next), 0);
    check(next == NULL);
    mp_completion_destroy(completion);
}

static mp_completion *complete(mp_future *const *futures, size_t n, double timeout)
{
    mp_completion *completion;
    assert_mp_result(mp_as_completed(futures, n, &completion, timeout), 0);
    return completion;
}

static void test_no_timeout(void **state)
{
    (void)state;
    struct states states;
    states_open(&states);
    mp_executor *executor = new_executor(2);
    mp_future *futures[] = {states.cancelled, states.failed, states.successful,
                            submit(executor, multiply, MP_TUPLE(2, 21)),
                            submit(executor, multiply, MP_TUPLE(7, 6))};
    mp_completion *completion = complete(futures, 5, MP_FOREVER);
    gives(completion, futures, 5);
    ends(completion);
    check(take_int(futures[3]) == 42 && take_int(futures[4]) == 42);
    mp_executor_destroy(executor);
    states_close(&states);
}

/* The one that gets done later comes later, whatever its place. */
static void test_in_the_order_of_their_ends(void **state)
{
    (void)state;
    struct states states;
    struct door *door = new_door();
    states_open(&states);
    mp_executor *executor = new_executor(2);
    mp_future *held = submit_held(executor, wait_at_door, door);
    mp_future *quick = submit(executor, answer, MP_NONE);
    mp_future *futures[] = {held, quick, states.failed};
    mp_completion *completion = complete(futures, 3, MP_FOREVER);
    memset(futures, 0, sizeof futures);
    gives(completion, (mp_future *const[]){quick, states.failed}, 2);
    open_door(door);
    gives(completion, &held, 1);
    ends(completion);
    mp_future_destroy(held);
    mp_future_destroy(quick);
    mp_executor_destroy(executor);
    states_close(&states);
    destroy_door(door);
}

/* The finished ones come first, after no time at all too. */
static void test_future_times_out(void **state)
{
    (void)state;
    static const double timeouts[] = {MP_NOWAIT, 0.1, -1.0};
    struct states states;
    mp_future *next = NULL;
    states_open(&states);
    mp_future *const futures[] = {states.running, states.cancelled, states.failed,
                                  states.successful};
    for (size_t i = 0; i < sizeof timeouts / sizeof *timeouts; i++) {
        double start = clock_seconds();
        mp_completion *completion = complete(futures, 4, timeouts[i]);
        gives(completion, futures + 1, 3);
        assert_mp_error(mp_completion_next(completion, &next), MP_ETIMEOUT);
        check(next == NULL && clock_seconds() - start >= timeouts[i]);
        mp_completion_destroy(completion);
    }
    states_close(&states);
}

static void test_duplicate_futures(void **state)
{
    (void)state;
    struct door *door = new_door();
    mp_executor *executor = new_executor(1);
    mp_future *future = submit_held(executor, wait_at_door, door);
    mp_future *const thrice[] = {future, future, future};
    mp_completion *completion = complete(thrice, 3, MP_FOREVER);
    open_door(door);
    gives(completion, thrice, 1);
    ends(completion);
    mp_future_destroy(future);
    mp_executor_destroy(executor);
    destroy_door(door);
}

static void test_correct_timeout_exception_msg(void **state)
{
    (void)state;
    struct states states;
    mp_future *next = NULL;
    states_open(&states);
    mp_future *const futures[] = {states.cancelled, states.pending, states.running,
                                  states.successful};
    mp_completion *completion = complete(futures, 4, MP_NOWAIT);
    assert_mp_result(mp_completion_next(completion, &next), 1);
    assert_mp_result(mp_completion_next(completion, &next), 1);
    assert_mp_error(mp_completion_next(completion, &next), MP_ETIMEOUT);
    check(strcmp(mp_error_detail(), "2 (of 4) futures unfinished") == 0);
    mp_completion_destroy(completion);
    states_close(&states);
}

#define completed_test(name, what, function) \
    support_test("AsCompletedTests." name ": " what, function)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        completed_test("test_no_timeout", "each comes once, however it ended", test_no_timeout),
        completed_test("test_no_timeout", "in the order in which they end",
                       test_in_the_order_of_their_ends),
        completed_test("test_future_times_out", "the finished ones come first",
                       test_future_times_out),
        completed_test("test_duplicate_futures", "comes once", test_duplicate_futures),
        completed_test("test_correct_timeout_exception_msg", "2 (of 4) futures unfinished",
                       test_correct_timeout_exception_msg),
    };
    return support_run_processes("AsCompletedTests", tests);
}
