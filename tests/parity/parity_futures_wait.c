/* Python's WaitTests (test_wait.py). The futures of each state are of one executor, the others of a
 * second one. A cancelled future is done at once; in Python it is so later. */
#include "parity_futures.h"

struct stage {
    struct states states;
    mp_executor *executor;
    struct door *door;
};

static struct stage open_stage(void)
{
    struct stage stage;
    states_open(&stage.states);
    stage.executor = new_executor(3);
    stage.door = new_door();
    return stage;
}

static void close_stage(struct stage *stage)
{
    open_door(stage->door);
    mp_executor_destroy(stage->executor);
    states_close(&stage->states);
    destroy_door(stage->door);
}

/* Waits; those of the futures are done, by their letters: "d--d". */
static void wait_gives(mp_future *const *futures, mp_return_when when, double timeout,
                       const char *letters)
{
    bool done[8];
    int n = 0, expected = 0;
    while (letters[n] != '\0')
        expected += letters[n++] == 'd';
    for (int i = 0; i < n; i++)
        done[i] = letters[i] != 'd';
    assert_mp_result(mp_futures_wait(futures, (size_t)n, when, done, timeout), expected);
    for (int i = 0; i < n; i++)
        check(done[i] == (letters[i] == 'd'));
}

static void destroy_two(mp_future *first, mp_future *second)
{
    mp_future_destroy(first);
    mp_future_destroy(second);
}

static int open_after_a_moment(void *door)
{
    mp_sleep(0.1);
    open_door(door);
    return 0;
}

static void test_20369(void **state)
{
    (void)state;
    struct stage stage = open_stage();
    struct target_thread thread;
    mp_future *future = submit_held(stage.executor, wait_at_door, stage.door);
    mp_future *const twice[] = {future, future};
    start_thread(&thread, open_after_a_moment, stage.door);
    wait_gives(twice, MP_ALL_COMPLETED, MP_FOREVER, "dd");
    finish_thread(&thread);
    mp_future_destroy(future);
    close_stage(&stage);
}

static void test_first_completed(void **state)
{
    (void)state;
    struct stage stage = open_stage();
    mp_future *held = submit_held(stage.executor, wait_at_door, stage.door);
    mp_future *quick = submit(stage.executor, multiply, MP_TUPLE(21, 2));
    mp_future *const futures[] = {held, quick, stage.states.running};
    wait_gives(futures, MP_FIRST_COMPLETED, MP_FOREVER, "-d-");
    check(int_result(quick) == 42);
    mp_future *const with_cancelled[] = {stage.states.cancelled, held};
    wait_gives(with_cancelled, MP_FIRST_COMPLETED, MP_FOREVER, "d-");
    destroy_two(held, quick);
    close_stage(&stage);
}

static void test_first_completed_some_already_completed(void **state)
{
    (void)state;
    struct stage stage = open_stage();
    mp_future *held = submit_held(stage.executor, wait_at_door, stage.door);
    mp_future *const futures[] = {stage.states.cancelled, stage.states.successful, held};
    wait_gives(futures, MP_FIRST_COMPLETED, MP_FOREVER, "dd-");
    mp_future_destroy(held);
    close_stage(&stage);
}

/* A task that fails when another one is over. */
struct fuse {
    mp_future *quick;
    struct door *door;
};

static int open_after_the_quick_one(void *arg)
{
    struct fuse *fuse = arg;
    check(int_result(fuse->quick) == 42);
    open_door(fuse->door);
    return 0;
}

static void test_first_exception(void **state)
{
    (void)state;
    struct stage stage = open_stage();
    struct target_thread thread;
    struct door *door_of_fuse = new_door();
    mp_future *failing = submit_held(stage.executor, wait_and_fail, door_of_fuse);
    mp_future *held = submit_held(stage.executor, wait_at_door, stage.door);
    mp_future *quick = submit(stage.executor, multiply, MP_TUPLE(2, 21));
    mp_future *const futures[] = {quick, failing, held, stage.states.running};
    struct fuse fuse = {quick, door_of_fuse};
    start_thread(&thread, open_after_the_quick_one, &fuse);
    wait_gives(futures, MP_FIRST_EXCEPTION, MP_FOREVER, "dd--");
    finish_thread(&thread);
    check(end_of(failing) == MP_ETASK);
    destroy_two(failing, quick);
    mp_future_destroy(held);
    close_stage(&stage);
    destroy_door(door_of_fuse);
}

/* The cancelled one is no exception: with it, the successful one and the held one alone the wait
 * goes on. */
static void test_first_exception_some_already_complete(void **state)
{
    (void)state;
    struct stage stage = open_stage();
    mp_future *held = submit_held(stage.executor, wait_at_door, stage.door);
    mp_future *const none_failed[] = {stage.states.successful, stage.states.cancelled, held};
    double start = clock_seconds();
    wait_gives(none_failed, MP_FIRST_EXCEPTION, 0.1, "dd-");
    check(clock_seconds() - start >= 0.1);
    mp_future *failing = submit(stage.executor, divide, MP_TUPLE(21, 0));
    mp_future *const futures[] = {stage.states.successful, stage.states.cancelled, failing, held};
    wait_gives(futures, MP_FIRST_EXCEPTION, MP_FOREVER, "ddd-");
    destroy_two(held, failing);
    close_stage(&stage);
}

static void test_first_exception_one_already_failed(void **state)
{
    (void)state;
    struct stage stage = open_stage();
    mp_future *held = submit_held(stage.executor, wait_at_door, stage.door);
    mp_future *const futures[] = {stage.states.failed, held};
    wait_gives(futures, MP_FIRST_EXCEPTION, MP_FOREVER, "d-");
    mp_future_destroy(held);
    close_stage(&stage);
}

static void test_all_completed(void **state)
{
    (void)state;
    struct stage stage = open_stage();
    mp_future *failing = submit(stage.executor, divide, MP_TUPLE(2, 0));
    mp_future *quick = submit(stage.executor, multiply, MP_TUPLE(2, 21));
    mp_future *const futures[] = {stage.states.successful, stage.states.cancelled,
                                  stage.states.failed, failing, quick};
    wait_gives(futures, MP_ALL_COMPLETED, MP_FOREVER, "ddddd");
    assert_mp_result(mp_futures_wait(futures, 5, MP_ALL_COMPLETED, NULL, MP_NOWAIT), 5);
    check(end_of(failing) == MP_ETASK && int_result(quick) == 42);
    destroy_two(failing, quick);
    close_stage(&stage);
}

static void test_timeout(void **state)
{
    (void)state;
    struct stage stage = open_stage();
    mp_future *held = submit_held(stage.executor, wait_at_door, stage.door);
    mp_future *const futures[] = {stage.states.cancelled, stage.states.failed,
                                  stage.states.successful, held};
    double start = clock_seconds();
    wait_gives(futures, MP_ALL_COMPLETED, 0.05, "ddd-");
    check(clock_seconds() - start >= 0.05);
    wait_gives(futures, MP_ALL_COMPLETED, MP_NOWAIT, "ddd-");
    wait_gives(futures, MP_ALL_COMPLETED, -1.0, "ddd-");
    mp_future_destroy(held);
    close_stage(&stage);
}

/* Of Python's thread pool; a hundred futures get done while they are waited for. */
static void test_pending_calls_race(void **state)
{
    (void)state;
    enum { N = 100 };
    struct target_thread thread;
    mp_future *futures[N];
    struct door *door = new_door();
    mp_executor *executor = new_executor(5);
    for (int i = 0; i < N; i++)
        futures[i] = submit(executor, wait_at_door, address(door));
    start_thread(&thread, open_after_a_moment, door);
    assert_mp_result(mp_futures_wait(futures, N, MP_ALL_COMPLETED, NULL, MP_FOREVER), N);
    finish_thread(&thread);
    for (int i = 0; i < N; i++)
        check(take_int(futures[i]) == ANSWER);
    mp_executor_destroy(executor);
    destroy_door(door);
}

#define wait_test(name, what, function) support_test("WaitTests." name ": " what, function)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        wait_test("test_20369", "a future given twice counts twice", test_20369),
        wait_test("test_first_completed", "one is done, others run", test_first_completed),
        wait_test("test_first_completed_some_already_completed", "returns before waiting",
                  test_first_completed_some_already_completed),
        wait_test("test_first_exception", "the one before it is done too", test_first_exception),
        wait_test("test_first_exception_some_already_complete", "a cancelled one did not fail",
                  test_first_exception_some_already_complete),
        wait_test("test_first_exception_one_already_failed", "returns before waiting",
                  test_first_exception_one_already_failed),
        wait_test("test_all_completed", "however they end", test_all_completed),
        wait_test("test_timeout", "tells which are done, and which are not", test_timeout),
        support_test("ThreadPoolWaitTests.test_pending_calls_race: a hundred at once",
                     test_pending_calls_race),
    };
    return support_run_processes("WaitTests", tests);
}
