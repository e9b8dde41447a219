/* mp_wait over futures, alone and among other things. */
#include "parity/parity_futures.h"

#include <mp/connection.h>
#include <mp/queues.h>
#include <unistd.h>

/* The items are ready or not, by their letters: "r-r". */
static void wait_gives(mp_waitable *items, double timeout, const char *letters)
{
    int n = 0, expected = 0;
    while (letters[n] != '\0')
        expected += letters[n++] == 'r';
    for (int i = 0; i < n; i++)
        items[i].ready = letters[i] != 'r';
    assert_mp_result(mp_wait(items, (size_t)n, timeout), expected);
    for (int i = 0; i < n; i++)
        check(items[i].ready == (letters[i] == 'r'));
}

static void test_a_future_is_ready_when_it_is_done(void **state)
{
    (void)state;
    struct states states;
    states_open(&states);
    mp_waitable items[] = {MP_WAITABLE(states.running), MP_WAITABLE(states.pending),
                           MP_WAITABLE(states.cancelled), MP_WAITABLE(states.failed),
                           MP_WAITABLE(states.successful)};
    wait_gives(items, MP_NOWAIT, "--rrr");
    wait_gives(items, MP_FOREVER, "--rrr");
    wait_gives(items, MP_NOWAIT, "-");
    double start = clock_seconds();
    wait_gives(items, 0.1, "--");
    check(clock_seconds() - start >= 0.1);
    open_door(states.door);
    check(int_result(states.pending) == ANSWER);
    wait_gives(items, MP_FOREVER, "rrrrr");
    wait_gives(items, MP_FOREVER, "rrrrr"); /* nothing was taken */
    states_close(&states);
}

static int open_when_the_parent_sleeps(void *arg)
{
    check(child_await_sleep(getppid()));
    open_door(arg);
    return 0;
}

/* The first item, a held future, gets done while the wait sleeps. */
static void wakes(mp_executor *executor, mp_waitable *items, size_t n)
{
    struct door *door = new_door();
    mp_future *future = submit_held(executor, wait_at_door, door);
    items[0] = MP_WAITABLE(future);
    pid_t child = child_fork(open_when_the_parent_sleeps, door);
    assert_mp_result(mp_wait(items, n, MP_FOREVER), 1);
    for (size_t i = 0; i < n; i++)
        check(items[i].ready == (i == 0));
    assert_int_equal(child_wait(child), 0);
    check(take_int(future) == ANSWER);
    destroy_door(door);
}

static int stay_for_the_door(void *arg)
{
    struct door *door = arg;
    assert_mp_result(mp_event_wait(door->open, MP_FOREVER), 0);
    return 0;
}

static void test_the_end_of_a_task_ends_the_wait(void **state)
{
    (void)state;
    struct states states;
    mp_queue *queue;
    mp_process *process;
    mp_connection *a, *b;
    states_open(&states);
    assert_mp_result(mp_queue_create(&queue, 0), 0);
    assert_mp_result(mp_pipe(&a, &b, true), 0);
    assert_mp_result(mp_process_create(&process, stay_for_the_door, states.door, 0, NULL), 0);
    assert_mp_result(mp_process_start(process), 0);
    mp_executor *executor = new_executor(1);
    mp_waitable items[] = {MP_WAITABLE(states.pending), MP_WAITABLE(states.running), MP_WAITABLE(a),
                           MP_WAITABLE(queue), MP_WAITABLE(process)};
    wakes(executor, items, 1);
    wakes(executor, items, 2);
    wakes(executor, items, 3);
    wakes(executor, items, 5);
    mp_executor_destroy(executor);
    open_door(states.door);
    finish_process_with(process, 0);
    states_close(&states);
    mp_queue_destroy(queue);
    mp_connection_destroy(a);
    mp_connection_destroy(b);
}

static void test_a_connection_beside_a_future_is_noticed(void **state)
{
    (void)state;
    struct states states;
    mp_connection *a, *b;
    states_open(&states);
    assert_mp_result(mp_pipe(&a, &b, true), 0);
    mp_waitable items[] = {MP_WAITABLE(states.running), MP_WAITABLE(a)};
    wait_gives(items, MP_NOWAIT, "--");
    assert_mp_result(mp_connection_send(b, MP(1)), 0);
    wait_gives(items, MP_FOREVER, "-r");
    open_door(states.door);
    check(int_result(states.running) == ANSWER);
    wait_gives(items, MP_FOREVER, "rr");
    assert_mp_result(mp_connection_recv(a, NULL), 0);
    wait_gives(items, MP_FOREVER, "r-");
    states_close(&states);
    mp_connection_destroy(a);
    mp_connection_destroy(b);
}

static int cancel_when_the_test_sleeps(void *arg)
{
    check(child_await_sleep(getpid()));
    assert_mp_result(mp_future_cancel(arg), 1);
    return 0;
}

static void test_a_cancel_ends_the_wait(void **state)
{
    (void)state;
    struct states states;
    struct target_thread thread;
    states_open(&states);
    mp_waitable items[] = {MP_WAITABLE(states.pending), MP_WAITABLE(states.running)};
    start_thread(&thread, cancel_when_the_test_sleeps, states.pending);
    assert_mp_result(mp_wait(items, 2, MP_FOREVER), 1);
    check(items[0].ready && !items[1].ready);
    finish_thread(&thread);
    states_close(&states);
}

static int wait_in_child(void *arg)
{
    mp_waitable item = MP_WAITABLE((mp_future *)arg);
    assert_mp_error(mp_wait(&item, 1, MP_NOWAIT), MP_ESTATE);
    return 0;
}

static void test_what_cannot_be_waited_for_is_refused(void **state)
{
    (void)state;
    struct states states;
    mp_event *event = new_event();
    states_open(&states);
    mp_waitable twice[] = {MP_WAITABLE(states.successful), MP_WAITABLE(states.successful)};
    assert_mp_error(mp_wait(twice, 2, MP_NOWAIT), MP_EINVAL);
    mp_waitable bad[] = {MP_WAITABLE(states.successful), MP_WAITABLE((mp_future *)NULL)};
    assert_mp_error(mp_wait(bad, 2, MP_NOWAIT), MP_EINVAL);
    bad[1] = MP_WAITABLE((mp_future *)(void *)event);
    assert_mp_error(mp_wait(bad, 2, MP_NOWAIT), MP_ETYPE);
    bad[1] = MP_WAITABLE((mp_future *)(void *)states.executor);
    assert_mp_error(mp_wait(bad, 2, MP_NOWAIT), MP_ETYPE);
    assert_mp_error(mp_wait(bad, 1, __builtin_nan("")), MP_EINVAL);
    child_must_succeed(wait_in_child, states.successful);
    states_close(&states);
    mp_event_destroy(event);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("a future is ready when it is done, however",
                     test_a_future_is_ready_when_it_is_done),
        support_test("the end of a task ends the wait", test_the_end_of_a_task_ends_the_wait),
        support_test("a connection beside a future is noticed",
                     test_a_connection_beside_a_future_is_noticed),
        support_test("a cancel ends the wait", test_a_cancel_ends_the_wait),
        support_test("what cannot be waited for is refused",
                     test_what_cannot_be_waited_for_is_refused),
    };
    return support_run_processes("mp_wait on futures", tests);
}
