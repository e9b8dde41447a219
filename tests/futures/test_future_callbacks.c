/* Functions that are called when a future is done: in which thread, when, and what they may do. */
#include "parity/parity_futures.h"

#include <stdlib.h>
#include <string.h>

static void count(mp_future *future, void *calls)
{
    (void)future;
    (void)atomic_fetch_add((atomic_int *)calls, 1);
}

/* ---- cancelled ------------------------------------------------------------------------------ */

struct caller {
    pthread_t thread;
    int times;
};

static void note_thread(mp_future *future, void *arg)
{
    struct caller *caller = arg;
    check(mp_future_cancelled(future));
    caller->thread = pthread_self();
    caller->times++;
}

/* The helper thread is there and knows of the future, but it is not the one that cancels. */
static void test_who_cancels_makes_the_calls(void **state)
{
    (void)state;
    struct states states;
    states_open(&states);
    for (int round = 0; round < 1000; round++) {
        struct caller first = {.times = 0}, second = {.times = 0};
        mp_future *future = submit(states.executor, answer, MP_NONE);
        assert_mp_result(mp_future_add_done_callback(future, note_thread, &first), 0);
        assert_mp_result(mp_future_add_done_callback(future, note_thread, &second), 0);
        assert_mp_result(mp_future_cancel(future), 1);
        check(first.times == 1 && second.times == 1);
        check(pthread_equal(first.thread, pthread_self()));
        check(pthread_equal(second.thread, pthread_self()));
        mp_future_destroy(future);
    }
    states_close(&states);
}

/* ---- callbacks of the options --------------------------------------------------------------- */

/* What the functions of the options were told. */
struct told {
    mp_event *called;
    pthread_t thread;
    int code;
    int64_t value;
    char detail[64];
};

static void tell_result(mp_obj result, void *arg)
{
    struct told *told = arg;
    told->thread = pthread_self();
    told->code = 0;
    assert_mp_result(mp_obj_as_int(result, &told->value), 0);
    assert_mp_result(mp_event_set(told->called), 0);
}

static void tell_error(int code, const char *detail, void *arg)
{
    struct told *told = arg;
    told->thread = pthread_self();
    told->code = code;
    (void)snprintf(told->detail, sizeof told->detail, "%s", detail);
    assert_mp_result(mp_event_set(told->called), 0);
}

static mp_future *submit_telling(mp_executor *executor, mp_task *task, mp_obj arg,
                                 struct told *told)
{
    mp_future *future;
    const mp_task_options options = {
        .callback = tell_result, .error_callback = tell_error, .callback_arg = told};
    *told = (struct told){.called = new_event(), .code = 1};
    assert_mp_result(mp_executor_submit_with(executor, task, arg, &future, &options), 0);
    return future;
}

/* They have been called by the time the future is done. */
static void test_the_options_functions_are_called_before_it_is_done(void **state)
{
    (void)state;
    struct told well, badly;
    mp_executor *executor = new_executor(2);
    mp_future *good = submit_telling(executor, square, MP(12), &well);
    mp_future *bad = submit_telling(executor, raise_error, MP_NONE, &badly);
    check(int_result(good) == 144);
    check(well.code == 0 && well.value == 144);
    check(end_of(bad) == MP_ETASK);
    check(badly.code == MP_ETASK && strcmp(badly.detail, TASK_TEXT) == 0);
    check(pthread_equal(well.thread, badly.thread));
    check(!pthread_equal(well.thread, pthread_self()));
    mp_future_destroy(good);
    mp_future_destroy(bad);
    mp_executor_destroy(executor);
    mp_event_destroy(well.called);
    mp_event_destroy(badly.called);
}

/* Whatever still waits before it. */
static void test_with_them_too_a_cancelled_future_is_done(void **state)
{
    (void)state;
    struct told first, second;
    struct states states;
    states_open(&states);
    mp_future *earlier = submit_telling(states.executor, answer, MP_NONE, &first);
    mp_future *future = submit_telling(states.executor, answer, MP_NONE, &second);
    assert_mp_result(mp_future_cancel(future), 1);
    assert_mp_result(mp_future_cancel(future), 1);
    assert_mp_error(mp_future_result(future, NULL, 10.0), MP_ECANCELLED);
    check(mp_future_cancelled(future) && mp_future_done(future));
    check(second.code == MP_ECANCELLED);
    check(!mp_future_done(earlier) && !mp_event_is_set(first.called));
    open_door(states.door);
    check(take_int(earlier) == ANSWER && take_end(future) == MP_ECANCELLED);
    states_close(&states);
    mp_event_destroy(first.called);
    mp_event_destroy(second.called);
}

static void test_they_are_called_for_a_future_that_nobody_wants(void **state)
{
    (void)state;
    struct told told = {.called = new_event(), .code = 1};
    const mp_task_options options = {.callback = tell_result, .callback_arg = &told};
    mp_executor *executor = new_executor(1);
    assert_mp_result(mp_executor_submit_with(executor, square, MP(5), NULL, &options), 0);
    mp_executor_destroy(executor);
    check(told.code == 0 && told.value == 25);
    mp_event_destroy(told.called);
}

/* ---- what a function may do ----------------------------------------------------------------- */

struct chain {
    mp_executor *executor;
    atomic_int links;
    mp_event *whole;
};

/* Hands in the next task from the end of the one before. */
static void hand_in_next(mp_future *future, void *arg)
{
    struct chain *chain = arg;
    check(int_result(future) == ANSWER);
    mp_future_destroy(future);
    if (atomic_fetch_add(&chain->links, 1) == 9) {
        assert_mp_result(mp_event_set(chain->whole), 0);
        return;
    }
    mp_future *next = submit(chain->executor, answer, MP_NONE);
    assert_mp_result(mp_future_add_done_callback(next, hand_in_next, chain), 0);
}

static void test_it_may_hand_in_tasks_and_give_its_future_back(void **state)
{
    (void)state;
    struct chain chain = {.executor = new_executor(2), .whole = new_event()};
    mp_future *first = submit(chain.executor, answer, MP_NONE);
    assert_mp_result(mp_future_add_done_callback(first, hand_in_next, &chain), 0);
    assert_mp_result(mp_event_wait(chain.whole, MP_FOREVER), 0);
    mp_executor_destroy(chain.executor);
    check(atomic_load(&chain.links) == 10);
    mp_event_destroy(chain.whole);
}

struct visit {
    struct states *states;
    mp_future *second;
    mp_event *over;
};

/* Nothing may wait there for what it would hold up itself. */
static void wait_on_the_helper_thread(mp_future *future, void *arg)
{
    struct visit *visit = arg;
    mp_future *next = NULL;
    mp_completion *completion;
    int code;
    assert_mp_result(mp_future_result(future, NULL, MP_FOREVER), 0);
    assert_mp_error(mp_future_result(visit->second, NULL, MP_FOREVER), MP_ESTATE);
    assert_mp_error(mp_future_exception(visit->second, &code, MP_FOREVER), MP_ESTATE);
    assert_mp_error(mp_executor_shutdown(visit->states->executor, true, true), MP_ESTATE);
    assert_mp_error(
        mp_executor_map(visit->states->executor, answer, MP_LIST(1), NULL, NULL, MP_FOREVER),
        MP_ESTATE);
    assert_mp_error(mp_futures_wait(&visit->second, 1, MP_ALL_COMPLETED, NULL, MP_FOREVER),
                    MP_ESTATE);
    assert_mp_result(mp_as_completed(&visit->second, 1, &completion, MP_FOREVER), 0);
    assert_mp_error(mp_completion_next(completion, &next), MP_ESTATE);
    mp_completion_destroy(completion);
    assert_mp_result(mp_event_set(visit->over), 0);
}

static void test_the_helper_thread_waits_for_nothing(void **state)
{
    (void)state;
    struct states states;
    struct door *second_door = new_door();
    states_open(&states);
    struct visit visit = {&states, submit(states.executor, wait_at_door, address(second_door)),
                          new_event()};
    assert_mp_result(mp_future_add_done_callback(states.running, wait_on_the_helper_thread, &visit),
                     0);
    open_door(states.door);
    assert_mp_result(mp_event_wait(visit.over, MP_FOREVER), 0);
    open_door(second_door);
    check(take_int(visit.second) == ANSWER);
    check(take_int(submit(states.executor, answer, MP_NONE)) == ANSWER); /* nothing was shut down */
    states_close(&states);
    mp_event_destroy(visit.over);
    destroy_door(second_door);
}

static void test_a_callback_outlives_its_future(void **state)
{
    (void)state;
    atomic_int calls = 0;
    struct door *door = new_door();
    mp_executor *executor = new_executor(1);
    mp_future *held = submit_held(executor, wait_at_door, door);
    mp_future *pending = submit(executor, answer, MP_NONE);
    assert_mp_result(mp_future_add_done_callback(held, count, &calls), 0);
    assert_mp_result(mp_future_add_done_callback(pending, count, &calls), 0);
    mp_future_destroy(held);
    mp_future_destroy(pending);
    check(atomic_load(&calls) == 0);
    open_door(door);
    mp_executor_destroy(executor);
    check(atomic_load(&calls) == 2);
    destroy_door(door);
}

/* ---- an executor given back on the helper thread -------------------------------------------- */

struct farewell {
    mp_executor *executor;
    mp_event *said;
};

static void give_the_executor_back(mp_future *future, void *arg)
{
    struct farewell *farewell = arg;
    (void)future;
    mp_executor_destroy(farewell->executor);
    assert_mp_result(mp_event_set(farewell->said), 0);
}

/* It cannot wait there; what was handed in runs, and the workers end by themselves. */
static void test_one_may_give_the_executor_back(void **state)
{
    (void)state;
    struct door *first_door = new_door(), *second_door = new_door();
    struct farewell farewell = {new_executor(1), new_event()};
    mp_future *first = submit_held(farewell.executor, wait_at_door, first_door);
    mp_future *second = submit(farewell.executor, wait_at_door, address(second_door));
    assert_mp_result(mp_future_add_done_callback(first, give_the_executor_back, &farewell), 0);
    open_door(first_door);
    assert_mp_result(mp_event_wait(farewell.said, MP_FOREVER), 0);
    check(!mp_future_done(second));
    open_door(second_door);
    check(take_int(first) == ANSWER && take_int(second) == ANSWER);
    mp_event_destroy(farewell.said);
    check(goes(atomic_load(&second_door->pids[0])));
    destroy_door(first_door);
    destroy_door(second_door);
}

static struct door *door_at_exit;

static void open_at_exit(void)
{
    open_door(door_at_exit);
}

/* Takes its time, and then leaves a second time. */
static int leave_late(mp_obj arg, mp_obj *result)
{
    struct door *door = at_address(arg);
    (void)wait_at_door(arg, result);
    mp_sleep(0.3);
    (void)atomic_fetch_add(&door->left, 1);
    return 0;
}

static int give_back_and_exit(void *arg)
{
    static struct farewell farewell;
    struct door *doors = arg, *first_door = new_door();
    farewell = (struct farewell){new_executor(1), new_event()};
    check(atexit(open_at_exit) == 0);
    mp_future *first = submit_held(farewell.executor, wait_at_door, first_door);
    assert_mp_result(mp_executor_submit(farewell.executor, leave_late, address(doors), NULL), 0);
    assert_mp_result(mp_future_add_done_callback(first, give_the_executor_back, &farewell), 0);
    open_door(first_door);
    assert_mp_result(mp_event_wait(farewell.said, MP_FOREVER), 0);
    take(doors->came);
    mp_future_destroy(first);
    destroy_door(first_door);
    return 3;
}

static void test_and_the_programs_exit_waits_for_it(void **state)
{
    (void)state;
    door_at_exit = new_door();
    check(run_program(give_back_and_exit, door_at_exit) == 3);
    check(atomic_load(&door_at_exit->left) == 2);
    destroy_door(door_at_exit);
}

/* ---- order ---------------------------------------------------------------------------------- */

static void tell_event(mp_future *future, void *event)
{
    check(mp_future_done(future));
    assert_mp_result(mp_event_set(event), 0);
}

/* Of three futures in the hands of one worker, the last one is watched first. */
static void test_one_that_was_added_late_waits_for_no_later_task(void **state)
{
    (void)state;
    struct door *first_door = new_door(), *second_door = new_door();
    mp_event *first_told = new_event(), *last_told = new_event();
    mp_executor *executor = new_executor(1);
    mp_future *first = submit_held(executor, wait_at_door, first_door);
    mp_future *second = submit(executor, wait_at_door, address(second_door));
    mp_future *last = submit(executor, answer, MP_NONE);
    assert_mp_result(mp_future_add_done_callback(last, tell_event, last_told), 0);
    assert_mp_result(mp_future_add_done_callback(first, tell_event, first_told), 0);
    open_door(first_door);
    assert_mp_result(mp_event_wait(first_told, 20.0), 0);
    check(!mp_future_done(second) && !mp_future_done(last) && !mp_event_is_set(last_told));
    open_door(second_door);
    assert_mp_result(mp_event_wait(last_told, 20.0), 0);
    check(take_int(first) == ANSWER && take_int(second) == ANSWER && take_int(last) == ANSWER);
    mp_executor_destroy(executor);
    mp_event_destroy(first_told);
    mp_event_destroy(last_told);
    destroy_door(first_door);
    destroy_door(second_door);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("callbacks: who cancels makes the calls", test_who_cancels_makes_the_calls),
        support_test("callbacks: those of the options are called before the future is done",
                     test_the_options_functions_are_called_before_it_is_done),
        support_test("callbacks: with them too a cancelled future is done",
                     test_with_them_too_a_cancelled_future_is_done),
        support_test("callbacks: they are called for a future that nobody wants",
                     test_they_are_called_for_a_future_that_nobody_wants),
        support_test("callbacks: one may hand in tasks and give its future back",
                     test_it_may_hand_in_tasks_and_give_its_future_back),
        support_test("callbacks: the helper thread waits for nothing",
                     test_the_helper_thread_waits_for_nothing),
        support_test("callbacks: one may give the executor back",
                     test_one_may_give_the_executor_back),
        support_test("callbacks: ... and the program's exit waits for it",
                     test_and_the_programs_exit_waits_for_it),
        support_test("callbacks: one that was added late waits for no later task",
                     test_one_that_was_added_late_waits_for_no_later_task),
        support_test("callbacks: one outlives its future", test_a_callback_outlives_its_future),
    };
    return support_run_processes("callbacks of futures", tests);
}
