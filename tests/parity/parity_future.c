/* Python's FutureTests (test_future.py), as far as a future whose task runs in a worker has it:
 * nobody sets its result by hand, and it has no repr. */
#include "parity_futures.h"

#include <string.h>
#include <unistd.h>

/* ---- callbacks ------------------------------------------------------------------------------ */

/* What a callback saw. */
struct call {
    mp_event *made;
    int times;
    pthread_t thread;
    mp_future *future;
    bool done, cancelled;
    int code, error_code;
    int64_t value;
    char detail[64];
};

static struct call new_call(void)
{
    return (struct call){.made = new_event()};
}

static void await_call(struct call *call)
{
    assert_mp_result(mp_event_wait(call->made, MP_FOREVER), 0);
    check(call->times == 1);
}

static void look(mp_future *future, void *arg)
{
    struct call *call = arg;
    mp_obj result = MP_NONE;
    call->times++;
    call->thread = pthread_self();
    call->future = future;
    call->done = mp_future_done(future);
    call->cancelled = mp_future_cancelled(future);
    call->code = mp_future_result(future, &result, MP_NOWAIT);
    if (call->code == 0)
        assert_mp_result(mp_obj_as_int(result, &call->value), 0);
    call->error_code = mp_error_code();
    (void)snprintf(call->detail, sizeof call->detail, "%s", mp_error_detail());
    mp_obj_free(&result);
    assert_mp_result(mp_event_set(call->made), 0);
}

static void test_done_callback_with_result(void **state)
{
    (void)state;
    struct call call = new_call();
    struct door *door = new_door();
    mp_executor *executor = new_executor(1);
    mp_future *future = submit_held(executor, wait_at_door, door);
    assert_mp_result(mp_future_add_done_callback(future, look, &call), 0);
    assert_mp_error(mp_event_wait(call.made, 0.05), MP_ETIMEOUT);
    open_door(door);
    await_call(&call);
    check(call.done && call.code == 0 && call.value == ANSWER && call.future == future);
    check(!pthread_equal(call.thread, pthread_self()));
    check(take_int(future) == ANSWER);
    mp_executor_destroy(executor);
    check(call.times == 1);
    mp_event_destroy(call.made);
    destroy_door(door);
}

static void test_done_callback_with_exception(void **state)
{
    (void)state;
    struct call call = new_call();
    struct door *door = new_door();
    mp_executor *executor = new_executor(1);
    mp_future *future = submit_held(executor, wait_and_fail, door);
    assert_mp_result(mp_future_add_done_callback(future, look, &call), 0);
    open_door(door);
    await_call(&call);
    check(call.done && call.code == MP_ETASK && call.error_code == TASK_CODE);
    check(strcmp(call.detail, TASK_TEXT) == 0);
    check(take_end(future) == MP_ETASK);
    mp_executor_destroy(executor);
    mp_event_destroy(call.made);
    destroy_door(door);
}

/* Callbacks on cancel run in the canceller. */
static void test_done_callback_with_cancel(void **state)
{
    (void)state;
    struct states states;
    struct call call = new_call();
    states_open(&states);
    assert_mp_result(mp_future_add_done_callback(states.pending, look, &call), 0);
    assert_mp_result(mp_future_cancel(states.pending), 1);
    check(call.times == 1 && call.cancelled && call.done && call.code == MP_ECANCELLED);
    check(pthread_equal(call.thread, pthread_self()));
    assert_mp_result(mp_future_cancel(states.pending), 1);
    check(call.times == 1);
    states_close(&states);
    check(call.times == 1);
    mp_event_destroy(call.made);
}

struct line {
    char letters[16];
    mp_event *whole;
};

static void write_letter(struct line *line, char letter)
{
    size_t n = strlen(line->letters);
    line->letters[n] = letter;
    if (n == 2)
        assert_mp_result(mp_event_set(line->whole), 0);
}

static void write_a(mp_future *future, void *line)
{
    (void)future;
    write_letter(line, 'a');
}

static void write_b(mp_future *future, void *line)
{
    (void)future;
    write_letter(line, 'b');
}

/* Nothing can be raised in C; what is left of it is that each is called, in order. */
static void test_done_callback_raises(void **state)
{
    (void)state;
    struct line line = {.whole = new_event()};
    struct states states;
    states_open(&states);
    assert_mp_result(mp_future_add_done_callback(states.running, write_b, &line), 0);
    assert_mp_result(mp_future_add_done_callback(states.running, write_a, &line), 0);
    assert_mp_result(mp_future_add_done_callback(states.running, write_b, &line), 0);
    open_door(states.door);
    assert_mp_result(mp_event_wait(line.whole, MP_FOREVER), 0);
    states_close(&states);
    check(strcmp(line.letters, "bab") == 0);
    mp_event_destroy(line.whole);
}

/* Added to a future that is done, a callback runs in this very call. */
static struct call look_at_once(mp_future *future)
{
    struct call call = new_call();
    assert_mp_result(mp_future_add_done_callback(future, look, &call), 0);
    check(call.times == 1 && call.done && call.future == future);
    check(pthread_equal(call.thread, pthread_self()));
    mp_event_destroy(call.made);
    return call;
}

static void test_done_callback_already_successful(void **state)
{
    (void)state;
    struct states states;
    states_open(&states);
    struct call call = look_at_once(states.successful);
    check(call.code == 0 && call.value == ANSWER && !call.cancelled);
    states_close(&states);
}

static void test_done_callback_already_failed(void **state)
{
    (void)state;
    struct states states;
    states_open(&states);
    struct call call = look_at_once(states.failed);
    check(call.code == MP_ETASK && call.error_code == TASK_CODE);
    check(strcmp(call.detail, TASK_TEXT) == 0 && !call.cancelled);
    states_close(&states);
}

static void test_done_callback_already_cancelled(void **state)
{
    (void)state;
    struct states states;
    states_open(&states);
    struct call call = look_at_once(states.cancelled);
    check(call.code == MP_ECANCELLED && call.cancelled);
    states_close(&states);
}

/* ---- states --------------------------------------------------------------------------------- */

static void test_cancel(void **state)
{
    (void)state;
    struct states states;
    states_open(&states);
    for (int time = 0; time < 2; time++) {
        assert_mp_result(mp_future_cancel(states.pending), 1);
        check(mp_future_cancelled(states.pending));
        assert_mp_result(mp_future_cancel(states.running), 0);
        check(mp_future_running(states.running) && !mp_future_cancelled(states.running));
        assert_mp_result(mp_future_cancel(states.cancelled), 1);
        check(mp_future_cancelled(states.cancelled));
        assert_mp_result(mp_future_cancel(states.failed), 0);
        check(end_of(states.failed) == MP_ETASK);
        assert_mp_result(mp_future_cancel(states.successful), 0);
        check(int_result(states.successful) == ANSWER);
    }
    open_door(states.door);
    check(int_result(states.running) == ANSWER);
    check(end_of(states.pending) == MP_ECANCELLED);
    states_close(&states);
}

static void test_cancelled(void **state)
{
    (void)state;
    struct states states;
    states_open(&states);
    check(!mp_future_cancelled(states.pending));
    check(!mp_future_cancelled(states.running));
    check(mp_future_cancelled(states.cancelled));
    check(!mp_future_cancelled(states.failed));
    check(!mp_future_cancelled(states.successful));
    states_close(&states);
}

static void test_done(void **state)
{
    (void)state;
    struct states states;
    states_open(&states);
    check(!mp_future_done(states.pending));
    check(!mp_future_done(states.running));
    check(mp_future_done(states.cancelled));
    check(mp_future_done(states.failed));
    check(mp_future_done(states.successful));
    states_close(&states);
}

static void test_running(void **state)
{
    (void)state;
    struct states states;
    states_open(&states);
    check(!mp_future_running(states.pending));
    check(mp_future_running(states.running));
    check(!mp_future_running(states.cancelled));
    check(!mp_future_running(states.failed));
    check(!mp_future_running(states.successful));
    open_door(states.door);
    check(int_result(states.running) == ANSWER && int_result(states.pending) == ANSWER);
    check(!mp_future_running(states.running) && !mp_future_running(states.pending));
    states_close(&states);
}

/* ---- results -------------------------------------------------------------------------------- */

static void test_result_with_timeout(void **state)
{
    (void)state;
    static const double none[] = {MP_NOWAIT, -5.0};
    struct states states;
    states_open(&states);
    for (size_t i = 0; i < 2; i++) {
        mp_obj result = MP("untouched");
        assert_mp_error(mp_future_result(states.pending, &result, none[i]), MP_ETIMEOUT);
        assert_mp_error(mp_future_result(states.running, &result, none[i]), MP_ETIMEOUT);
        assert_mp_error(mp_future_result(states.cancelled, &result, none[i]), MP_ECANCELLED);
        assert_mp_error(mp_future_result(states.failed, &result, none[i]), MP_ETASK);
        check(mp_obj_equal(result, MP("untouched")));
        assert_mp_result(mp_future_result(states.successful, &result, none[i]), 0);
        check(mp_obj_equal(result, MP(ANSWER)));
        mp_obj_free(&result);
    }
    double start = clock_seconds();
    assert_mp_error(mp_future_result(states.running, NULL, 0.1), MP_ETIMEOUT);
    check(clock_seconds() - start >= 0.1);
    states_close(&states);
}

/* A thread that waits for a future. */
struct waiter {
    struct target_thread thread;
    mp_future *future;
    atomic_int id;
    bool asks_exception;
    int rc, code;
    int64_t value;
};

static int wait_for_future(void *arg)
{
    struct waiter *waiter = arg;
    mp_obj result = MP_NONE;
    atomic_store(&waiter->id, (int)gettid());
    if (waiter->asks_exception) {
        waiter->rc = mp_future_exception(waiter->future, &waiter->code, 40.0);
        return 0;
    }
    waiter->rc = mp_future_result(waiter->future, &result, 40.0);
    if (waiter->rc == 0)
        assert_mp_result(mp_obj_as_int(result, &waiter->value), 0);
    mp_obj_free(&result);
    return 0;
}

/* Returns when the thread sleeps in the wait. */
static void start_waiter(struct waiter *waiter, mp_future *future)
{
    waiter->future = future;
    start_thread(&waiter->thread, wait_for_future, waiter);
    while (atomic_load(&waiter->id) == 0)
        mp_sleep(0.0001);
    check(child_await_sleep((pid_t)atomic_load(&waiter->id)));
}

static void test_result_with_success(void **state)
{
    (void)state;
    struct states states;
    struct waiter of_running = {.rc = 1}, of_pending = {.rc = 1};
    states_open(&states);
    start_waiter(&of_running, states.running);
    start_waiter(&of_pending, states.pending);
    open_door(states.door);
    finish_thread(&of_running.thread);
    finish_thread(&of_pending.thread);
    check(of_running.rc == 0 && of_running.value == ANSWER);
    check(of_pending.rc == 0 && of_pending.value == ANSWER);
    states_close(&states);
}

static void test_result_with_cancel(void **state)
{
    (void)state;
    struct states states;
    struct waiter waiter = {.rc = 1};
    states_open(&states);
    start_waiter(&waiter, states.pending);
    assert_mp_result(mp_future_cancel(states.pending), 1);
    finish_thread(&waiter.thread);
    check(waiter.rc == MP_ECANCELLED);
    states_close(&states);
}

static void test_exception_with_timeout(void **state)
{
    (void)state;
    int code = 1;
    struct states states;
    states_open(&states);
    assert_mp_error(mp_future_exception(states.pending, &code, MP_NOWAIT), MP_ETIMEOUT);
    assert_mp_error(mp_future_exception(states.running, &code, MP_NOWAIT), MP_ETIMEOUT);
    assert_mp_error(mp_future_exception(states.cancelled, &code, MP_NOWAIT), MP_ECANCELLED);
    check(code == 1);
    assert_mp_result(mp_future_exception(states.failed, &code, MP_NOWAIT), 0);
    check(code == MP_ETASK && mp_error_code() == TASK_CODE);
    check(strcmp(mp_error_detail(), TASK_TEXT) == 0);
    assert_mp_result(mp_future_exception(states.successful, &code, MP_NOWAIT), 0);
    check(code == 0);
    states_close(&states);
}

static void test_exception_with_success(void **state)
{
    (void)state;
    struct door *door = new_door();
    struct waiter waiter = {.rc = 1, .asks_exception = true};
    mp_executor *executor = new_executor(1);
    mp_future *future = submit_held(executor, wait_and_fail, door);
    start_waiter(&waiter, future);
    open_door(door);
    finish_thread(&waiter.thread);
    check(waiter.rc == 0 && waiter.code == MP_ETASK);
    mp_future_destroy(future);
    mp_executor_destroy(executor);
    destroy_door(door);
}

static int give_back(mp_obj arg, mp_obj *result)
{
    *result = arg;
    return 0;
}

/* Nobody sets a result; what is left of it is that the first one stays, a copy for each who asks,
 * and longer than the executor. */
static void test_multiple_set_result(void **state)
{
    (void)state;
    mp_obj first, second;
    mp_executor *executor = new_executor(1);
    mp_future *future = submit(executor, give_back, MP_LIST(1, "two", MP_TUPLE(3.0, MP_NONE)));
    assert_mp_result(mp_future_result(future, &first, MP_FOREVER), 0);
    assert_mp_result(mp_future_result(future, NULL, MP_FOREVER), 0);
    mp_executor_destroy(executor);
    assert_mp_result(mp_future_result(future, &second, MP_NOWAIT), 0);
    check(mp_obj_equal(first, MP_LIST(1, "two", MP_TUPLE(3.0, MP_NONE))));
    mp_obj_free(&first);
    check(mp_obj_equal(second, MP_LIST(1, "two", MP_TUPLE(3.0, MP_NONE))));
    mp_obj_free(&second);
    check(mp_future_done(future));
    mp_future_destroy(future);
}

static void test_multiple_set_exception(void **state)
{
    (void)state;
    mp_executor *executor = new_executor(1);
    mp_future *future = submit(executor, raise_error, MP_NONE);
    check(end_of(future) == MP_ETASK);
    mp_executor_destroy(executor);
    for (int time = 0; time < 2; time++) {
        assert_mp_error(mp_future_result(future, NULL, MP_NOWAIT), MP_ETASK);
        check(mp_error_code() == TASK_CODE && strcmp(mp_error_detail(), TASK_TEXT) == 0);
    }
    mp_future_destroy(future);
}

#define future_test(name, what, function) support_test("FutureTests." name ": " what, function)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        future_test("test_done_callback_with_result", "it sees the result, in another thread",
                    test_done_callback_with_result),
        future_test("test_done_callback_with_exception", "it sees the code and the text",
                    test_done_callback_with_exception),
        future_test("test_done_callback_with_cancel", "it runs in the canceller",
                    test_done_callback_with_cancel),
        future_test("test_done_callback_raises", "several run, in the order they were added",
                    test_done_callback_raises),
        future_test("test_done_callback_already_successful", "it runs at once",
                    test_done_callback_already_successful),
        future_test("test_done_callback_already_failed", "it runs at once",
                    test_done_callback_already_failed),
        future_test("test_done_callback_already_cancelled", "it runs at once",
                    test_done_callback_already_cancelled),
        future_test("test_cancel", "what has not begun, once and again", test_cancel),
        future_test("test_cancelled", "one in each state", test_cancelled),
        future_test("test_done", "one in each state", test_done),
        future_test("test_running", "one in each state", test_running),
        future_test("test_result_with_timeout", "one in each state", test_result_with_timeout),
        future_test("test_result_with_success", "it wakes who waits", test_result_with_success),
        future_test("test_result_with_cancel", "it wakes who waits", test_result_with_cancel),
        future_test("test_exception_with_timeout", "one in each state",
                    test_exception_with_timeout),
        future_test("test_exception_with_success", "it wakes who waits",
                    test_exception_with_success),
        future_test("test_multiple_set_result", "the result stays, after the executor too",
                    test_multiple_set_result),
        future_test("test_multiple_set_exception", "the error stays, after the executor too",
                    test_multiple_set_exception),
    };
    return support_run_processes("FutureTests", tests);
}
