/* What executors and futures answer to what makes no sense: missing and wrong objects, numbers out
 * of range, calls at the wrong time and from the wrong process. */
#include "parity/parity_futures.h"

#include <limits.h>
#include <math.h>
#include <mp/connection.h>
#include <mp/queues.h>
#include <stdlib.h>
#include <string.h>

#define NO_NUMBER ((double)NAN)

/* ---- executors ------------------------------------------------------------------------------ */

static void test_a_number_of_workers_that_makes_no_sense_is_refused(void **state)
{
    (void)state;
    mp_executor *executor = NULL;
    static const int numbers[] = {-1, INT_MIN, 2001, INT_MAX};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        assert_mp_error(mp_executor_create(&executor, numbers[i], NULL), MP_EINVAL);
    assert_mp_error(mp_executor_create(NULL, 1, NULL), MP_EINVAL);
    check(executor == NULL);
}

static void test_options_of_zeroes_are_no_options(void **state)
{
    (void)state;
    mp_executor *executor;
    mp_future *future;
    assert_mp_result(mp_executor_create(&executor, 1, &(mp_executor_options){0}), 0);
    assert_mp_result(mp_executor_submit_with(executor, answer, MP_NONE, &future, NULL), 0);
    check(take_int(future) == ANSWER);
    assert_mp_result(
        mp_executor_submit_with(executor, answer, MP_NONE, &future, &(mp_task_options){0}), 0);
    check(take_int(future) == ANSWER);
    assert_mp_result(
        mp_executor_map(executor, answer, MP_LIST(1), NULL, &(mp_map_options){0}, MP_FOREVER), 0);
    mp_executor_destroy(executor);
}

static void test_a_missing_executor_or_task_is_refused(void **state)
{
    (void)state;
    mp_future *future = NULL;
    mp_executor *executor = new_executor(1);
    assert_mp_error(mp_executor_submit(NULL, answer, MP_NONE, &future), MP_EINVAL);
    assert_mp_error(mp_executor_submit(executor, NULL, MP_NONE, &future), MP_EINVAL);
    assert_mp_error(mp_executor_submit_with(NULL, answer, MP_NONE, &future, NULL), MP_EINVAL);
    assert_mp_error(mp_executor_submit_with(executor, NULL, MP_NONE, &future, NULL), MP_EINVAL);
    assert_mp_error(mp_executor_map(NULL, answer, MP_LIST(1), NULL, NULL, MP_FOREVER), MP_EINVAL);
    assert_mp_error(mp_executor_map(executor, NULL, MP_LIST(1), NULL, NULL, MP_FOREVER), MP_EINVAL);
    assert_mp_error(mp_executor_shutdown(NULL, true, false), MP_EINVAL);
    assert_mp_error(mp_executor_terminate_workers(NULL), MP_EINVAL);
    assert_mp_error(mp_executor_kill_workers(NULL), MP_EINVAL);
    check(future == NULL);
    mp_executor_destroy(NULL);
    mp_executor_destroy(executor);
}

static int make_it_absurd(mp_obj arg, mp_obj *result)
{
    (void)arg;
    *result = MP(UINT64_MAX);
    return 0;
}

static void test_what_cannot_be_encoded_costs_its_own_task(void **state)
{
    (void)state;
    mp_future *future = NULL;
    mp_executor *executor = new_executor(1);
    mp_obj unhashable = MP_DICT(MP_LIST(1), 1);
    assert_mp_error(mp_executor_submit(executor, answer, MP(UINT64_MAX), &future), MP_EOVERFLOW);
    assert_mp_error(mp_executor_submit(executor, answer, MP("\xff"), &future), MP_EPICKLE);
    assert_mp_error(mp_executor_submit(executor, answer, unhashable, &future), MP_ETYPE);
    check(future == NULL);
    check(take_end(submit(executor, make_it_absurd, MP_NONE)) == MP_EOVERFLOW);
    check(take_int(submit(executor, answer, MP_NONE)) == ANSWER);
    mp_executor_destroy(executor);
}

static void no_callback(mp_obj result, void *arg)
{
    (void)result;
    (void)arg;
}

static void test_numbers_of_a_task_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    mp_future *future = NULL;
    static const double seconds[] = {NO_NUMBER, -1.0, -HUGE_VAL};
    mp_executor *executor = new_executor(1);
    for (size_t i = 0; i < sizeof seconds / sizeof *seconds; i++) {
        const mp_task_options task = {.task_timeout = seconds[i]};
        const mp_map_options map = {.task_timeout = seconds[i]};
        assert_mp_error(mp_executor_submit_with(executor, answer, MP_NONE, &future, &task),
                        MP_EINVAL);
        assert_mp_error(mp_executor_map(executor, answer, MP_LIST(1), NULL, &map, MP_FOREVER),
                        MP_EINVAL);
    }
    const mp_map_options callback = {.callback = no_callback};
    assert_mp_error(mp_executor_map(executor, answer, MP_LIST(1), NULL, &callback, MP_FOREVER),
                    MP_EINVAL);
    assert_mp_error(mp_executor_map(executor, answer, MP_LIST(1), NULL, NULL, NO_NUMBER),
                    MP_EINVAL);
    assert_mp_error(mp_executor_map(executor, answer, MP(5), NULL, NULL, MP_FOREVER), MP_ETYPE);
    assert_mp_error(mp_executor_map(executor, answer, MP_NONE, NULL, NULL, MP_FOREVER), MP_ETYPE);
    check(future == NULL);
    mp_executor_destroy(executor);
}

static void test_nothing_is_handed_in_after_shutdown(void **state)
{
    (void)state;
    mp_future *future = NULL;
    mp_obj results = MP(1);
    mp_executor *executor = new_executor(1);
    for (int time = 0; time < 2; time++) {
        assert_mp_result(mp_executor_shutdown(executor, time == 1, false), 0);
        assert_mp_error(mp_executor_submit(executor, answer, MP_NONE, &future), MP_ESTATE);
        assert_mp_error(mp_executor_submit_with(executor, answer, MP_NONE, &future, NULL),
                        MP_ESTATE);
        assert_mp_error(mp_executor_map(executor, answer, MP_LIST(1), &results, NULL, MP_FOREVER),
                        MP_ESTATE);
        check(future == NULL && results.type == MP_TYPE_NONE);
    }
    assert_mp_result(mp_executor_terminate_workers(executor), 0);
    assert_mp_result(mp_executor_kill_workers(executor), 0);
    mp_executor_destroy(executor);
}

/* ---- futures -------------------------------------------------------------------------------- */

static void on_done(mp_future *future, void *arg)
{
    (void)future;
    atomic_fetch_add((atomic_int *)arg, 1);
}

static void test_a_missing_future_is_refused(void **state)
{
    (void)state;
    int code = 1;
    assert_mp_error(mp_future_result(NULL, NULL, MP_NOWAIT), MP_EINVAL);
    assert_mp_error(mp_future_exception(NULL, &code, MP_NOWAIT), MP_EINVAL);
    assert_mp_error(mp_future_cancel(NULL), MP_EINVAL);
    assert_mp_error(mp_future_add_done_callback(NULL, on_done, NULL), MP_EINVAL);
    check(code == 1);
    check(!mp_future_done(NULL) && !mp_future_running(NULL) && !mp_future_cancelled(NULL));
    mp_future_destroy(NULL);
    mp_completion_destroy(NULL);
}

static void test_a_missing_callback_is_refused(void **state)
{
    (void)state;
    struct states states;
    states_open(&states);
    assert_mp_error(mp_future_add_done_callback(states.running, NULL, NULL), MP_EINVAL);
    assert_mp_error(mp_future_add_done_callback(states.successful, NULL, NULL), MP_EINVAL);
    states_close(&states);
}

/* Of a future that is done, too. */
static void test_a_timeout_that_is_no_number_is_refused(void **state)
{
    (void)state;
    int code = 1;
    struct states states;
    mp_completion *completion = NULL;
    states_open(&states);
    mp_future *const futures[] = {states.pending, states.running, states.cancelled, states.failed,
                                  states.successful};
    for (size_t i = 0; i < sizeof futures / sizeof *futures; i++) {
        mp_obj result = MP("untouched");
        assert_mp_error(mp_future_result(futures[i], &result, NO_NUMBER), MP_EINVAL);
        assert_mp_error(mp_future_exception(futures[i], &code, NO_NUMBER), MP_EINVAL);
        assert_mp_error(mp_futures_wait(futures + i, 1, MP_ALL_COMPLETED, NULL, NO_NUMBER),
                        MP_EINVAL);
        assert_mp_error(mp_as_completed(futures + i, 1, &completion, NO_NUMBER), MP_EINVAL);
        check(mp_obj_equal(result, MP("untouched")) && code == 1 && completion == NULL);
    }
    states_close(&states);
}

static void wrong_futures(mp_future *wrong)
{
    int code = 1;
    mp_completion *completion = NULL;
    mp_future *const futures[] = {wrong};
    assert_mp_error(mp_future_result(wrong, NULL, MP_NOWAIT), MP_ETYPE);
    assert_mp_error(mp_future_exception(wrong, &code, MP_NOWAIT), MP_ETYPE);
    assert_mp_error(mp_future_cancel(wrong), MP_ETYPE);
    assert_mp_error(mp_future_add_done_callback(wrong, on_done, NULL), MP_ETYPE);
    assert_mp_error(mp_futures_wait(futures, 1, MP_ALL_COMPLETED, NULL, MP_NOWAIT), MP_ETYPE);
    assert_mp_error(mp_as_completed(futures, 1, &completion, MP_NOWAIT), MP_ETYPE);
    check(!mp_future_done(wrong) && !mp_future_running(wrong) && !mp_future_cancelled(wrong));
    check(code == 1 && completion == NULL);
}

static void wrong_executors(mp_executor *wrong)
{
    assert_mp_error(mp_executor_submit(wrong, answer, MP_NONE, NULL), MP_ETYPE);
    assert_mp_error(mp_executor_map(wrong, answer, MP_LIST(1), NULL, NULL, MP_NOWAIT), MP_ETYPE);
    assert_mp_error(mp_executor_shutdown(wrong, true, false), MP_ETYPE);
    assert_mp_error(mp_executor_terminate_workers(wrong), MP_ETYPE);
    assert_mp_error(mp_executor_kill_workers(wrong), MP_ETYPE);
}

static void test_an_object_of_another_kind_is_refused(void **state)
{
    (void)state;
    mp_pool *pool;
    mp_queue *queue;
    mp_event *event = new_event();
    assert_mp_result(mp_queue_create(&queue, 0), 0);
    assert_mp_result(mp_pool_create(&pool, 1, NULL), 0);
    mp_executor *executor = new_executor(1);
    mp_future *future = submit(executor, answer, MP_NONE);
    wrong_futures((mp_future *)(void *)event);
    wrong_futures((mp_future *)(void *)queue);
    wrong_futures((mp_future *)(void *)executor);
    wrong_futures((mp_future *)(void *)pool);
    wrong_futures((mp_future *)(void *)mp_current_process());
    wrong_executors((mp_executor *)(void *)event);
    wrong_executors((mp_executor *)(void *)future);
    wrong_executors((mp_executor *)(void *)pool);
    assert_mp_error(mp_pool_apply((mp_pool *)(void *)executor, answer, MP_NONE, NULL), MP_ETYPE);
    assert_mp_error(mp_pool_close((mp_pool *)(void *)executor), MP_ETYPE);
    check(take_int(future) == ANSWER);
    mp_executor_destroy(executor);
    mp_pool_destroy(pool);
    mp_queue_destroy(queue);
    mp_event_destroy(event);
}

/* ---- waiting for several -------------------------------------------------------------------- */

static void test_a_wait_for_what_makes_no_sense_is_refused(void **state)
{
    (void)state;
    struct states states;
    bool done[2] = {true, true};
    mp_completion *completion = NULL;
    mp_future *next = NULL;
    states_open(&states);
    mp_future *const futures[] = {states.successful, NULL};
    static const int whens[] = {-1, 3, 99};
    for (size_t i = 0; i < sizeof whens / sizeof *whens; i++)
        assert_mp_error(mp_futures_wait(futures, 1, (mp_return_when)whens[i], NULL, MP_NOWAIT),
                        MP_EINVAL);
    assert_mp_error(mp_futures_wait(NULL, 1, MP_ALL_COMPLETED, done, MP_NOWAIT), MP_EINVAL);
    assert_mp_error(mp_futures_wait(futures, 2, MP_ALL_COMPLETED, done, MP_NOWAIT), MP_EINVAL);
    check(done[0] && done[1]);
    assert_mp_error(mp_as_completed(NULL, 1, &completion, MP_NOWAIT), MP_EINVAL);
    assert_mp_error(mp_as_completed(futures, 2, &completion, MP_NOWAIT), MP_EINVAL);
    assert_mp_error(mp_as_completed(futures, 1, NULL, MP_NOWAIT), MP_EINVAL);
    assert_mp_error(mp_completion_next(NULL, &next), MP_EINVAL);
    check(completion == NULL && next == NULL);
    states_close(&states);
}

static void test_a_wait_for_none_returns_at_once(void **state)
{
    (void)state;
    mp_completion *completion;
    mp_future *next = NULL;
    for (int when = MP_ALL_COMPLETED; when <= MP_FIRST_EXCEPTION; when++)
        assert_mp_result(mp_futures_wait(NULL, 0, (mp_return_when)when, NULL, MP_FOREVER), 0);
    assert_mp_result(mp_as_completed(NULL, 0, &completion, MP_FOREVER), 0);
    assert_mp_result(mp_completion_next(completion, &next), 0);
    mp_completion_destroy(completion);
}

static void test_an_iteration_may_be_given_up_at_any_place(void **state)
{
    (void)state;
    struct states states;
    states_open(&states);
    mp_future *const futures[] = {states.running, states.successful, states.pending};
    for (int taken = 0; taken < 2; taken++) {
        mp_completion *completion;
        mp_future *next = NULL;
        assert_mp_result(mp_as_completed(futures, 3, &completion, MP_FOREVER), 0);
        if (taken == 1)
            assert_mp_result(mp_completion_next(completion, &next), 1);
        mp_completion_destroy(completion);
    }
    states_close(&states);
}

/* ---- in another process --------------------------------------------------------------------- */

struct family {
    struct states states;
    mp_completion *completion;
};

static int use_what_is_the_parents(void *arg)
{
    struct family *family = arg;
    mp_executor *executor = family->states.executor;
    mp_future *futures[] = {family->states.successful, family->states.pending};
    mp_completion *completion = NULL;
    mp_future *next = NULL;
    int code = 1;
    assert_mp_error(mp_executor_submit(executor, answer, MP_NONE, NULL), MP_ESTATE);
    assert_mp_error(mp_executor_map(executor, answer, MP_LIST(1), NULL, NULL, MP_NOWAIT),
                    MP_ESTATE);
    assert_mp_error(mp_executor_shutdown(executor, false, false), MP_ESTATE);
    assert_mp_error(mp_executor_terminate_workers(executor), MP_ESTATE);
    assert_mp_error(mp_executor_kill_workers(executor), MP_ESTATE);
    for (size_t i = 0; i < 2; i++) {
        assert_mp_error(mp_future_result(futures[i], NULL, MP_NOWAIT), MP_ESTATE);
        assert_mp_error(mp_future_exception(futures[i], &code, MP_NOWAIT), MP_ESTATE);
        assert_mp_error(mp_future_cancel(futures[i]), MP_ESTATE);
        assert_mp_error(mp_future_add_done_callback(futures[i], on_done, NULL), MP_ESTATE);
        assert_mp_error(mp_futures_wait(futures + i, 1, MP_ALL_COMPLETED, NULL, MP_NOWAIT),
                        MP_ESTATE);
        assert_mp_error(mp_as_completed(futures + i, 1, &completion, MP_NOWAIT), MP_ESTATE);
        check(!mp_future_done(futures[i]));
    }
    assert_mp_error(mp_completion_next(family->completion, &next), MP_ESTATE);
    mp_completion_destroy(family->completion);
    mp_future_destroy(futures[0]);
    mp_future_destroy(futures[1]);
    mp_executor_destroy(executor);
    return 0;
}

static void test_a_child_cannot_use_them_and_only_forgets_them(void **state)
{
    (void)state;
    struct family family;
    mp_future *next = NULL;
    states_open(&family.states);
    assert_mp_result(mp_as_completed(&family.states.successful, 1, &family.completion, MP_FOREVER),
                     0);
    child_must_succeed(use_what_is_the_parents, &family);
    check(finish_process(start_process(use_what_is_the_parents, &family, sizeof family)) == 0);
    check(int_result(family.states.successful) == ANSWER);
    assert_mp_result(mp_completion_next(family.completion, &next), 1);
    mp_completion_destroy(family.completion);
    open_door(family.states.door);
    check(int_result(family.states.running) == ANSWER);
    check(int_result(family.states.pending) == ANSWER);
    states_close(&family.states);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("executor: a number of workers that makes no sense is refused",
                     test_a_number_of_workers_that_makes_no_sense_is_refused),
        support_test("executor: options of zeroes are no options",
                     test_options_of_zeroes_are_no_options),
        support_test("executor: a missing executor or task is refused",
                     test_a_missing_executor_or_task_is_refused),
        support_test("executor: what cannot be encoded costs its own task",
                     test_what_cannot_be_encoded_costs_its_own_task),
        support_test("executor: numbers of a task that make no sense are refused",
                     test_numbers_of_a_task_that_make_no_sense_are_refused),
        support_test("executor: nothing is handed in after shutdown",
                     test_nothing_is_handed_in_after_shutdown),
        support_test("future: a missing one is refused", test_a_missing_future_is_refused),
        support_test("future: a missing callback is refused", test_a_missing_callback_is_refused),
        support_test("future: a timeout that is no number is refused",
                     test_a_timeout_that_is_no_number_is_refused),
        support_test("an object of another kind is refused",
                     test_an_object_of_another_kind_is_refused),
        support_test("wait: what makes no sense is refused",
                     test_a_wait_for_what_makes_no_sense_is_refused),
        support_test("wait: for none it returns at once", test_a_wait_for_none_returns_at_once),
        support_test("as_completed: may be given up at any place",
                     test_an_iteration_may_be_given_up_at_any_place),
        support_test("a child cannot use them, and only forgets them",
                     test_a_child_cannot_use_them_and_only_forgets_them),
    };
    return support_run_processes("futures: input", tests);
}
