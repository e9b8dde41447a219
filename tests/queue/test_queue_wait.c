/* mp_wait over queues, alone and among other things. */
#include "queue_kit.h"

#include <mp/connection.h>
#include <mp/process.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static void test_a_queue_is_ready_while_it_is_not_empty(void **state)
{
    (void)state;
    mp_queue *q[2] = {new_queue(0), new_queue(3)};
    mp_simple_queue *simple;
    assert_mp_result(mp_simple_queue_create(&simple), 0);
    mp_waitable items[] = {MP_WAITABLE(q[0]), MP_WAITABLE(q[1]), MP_WAITABLE(simple)};
    assert_mp_result(mp_wait(items, 3, MP_NOWAIT), 0);
    double start = clock_seconds();
    assert_mp_result(mp_wait(items, 3, 0.1), 0);
    check(clock_seconds() - start >= 0.1);
    put_message(q[1], 20, 1, 1);
    assert_mp_result(mp_wait(items, 3, MP_FOREVER), 1);
    check(!items[0].ready && items[1].ready && !items[2].ready);
    assert_mp_result(mp_simple_queue_put(simple, MP(1)), 0);
    assert_mp_result(mp_wait(items, 3, MP_FOREVER), 2);
    check(!items[0].ready && items[1].ready && items[2].ready);
    assert_mp_result(mp_queue_qsize(q[1]), 1);
    get_message(q[1], 20, 1, 1);
    assert_mp_result(mp_simple_queue_get(simple, NULL), 0);
    assert_mp_result(mp_wait(items, 3, MP_NOWAIT), 0);
    mp_queue_destroy(q[0]);
    mp_queue_destroy(q[1]);
    mp_simple_queue_destroy(simple);
}

struct late {
    mp_queue *q;
    mp_simple_queue *simple;
};

static int put_when_the_parent_sleeps(void *arg)
{
    const struct late *late = arg;
    check(child_await_sleep(getppid()));
    if (late->q != NULL)
        put_message(late->q, 20, 1, 1);
    else
        assert_mp_result(mp_simple_queue_put(late->simple, MP(1)), 0);
    return 0;
}

static void wakes(mp_waitable *items, size_t n, size_t which, struct late late)
{
    pid_t child = child_fork(put_when_the_parent_sleeps, &late);
    assert_mp_result(mp_wait(items, n, MP_FOREVER), 1);
    for (size_t i = 0; i < n; i++)
        check(items[i].ready == (i == which));
    assert_int_equal(child_wait(child), 0);
}

static void test_a_put_ends_the_wait(void **state)
{
    (void)state;
    mp_queue *q[2] = {new_queue(0), new_queue(0)};
    mp_simple_queue *simple;
    mp_connection *a, *b;
    assert_mp_result(mp_simple_queue_create(&simple), 0);
    assert_mp_result(mp_pipe(&a, &b, true), 0);
    mp_waitable items[] = {MP_WAITABLE(q[0]), MP_WAITABLE(a), MP_WAITABLE(q[1]),
                           MP_WAITABLE(simple)};
    wakes(items, 1, 0, (struct late){.q = q[0]});
    get_message(q[0], 20, 1, 1);
    wakes(items + 3, 1, 0, (struct late){.simple = simple});
    assert_mp_result(mp_simple_queue_get(simple, NULL), 0);
    wakes(items, 4, 2, (struct late){.q = q[1]});
    get_message(q[1], 20, 1, 1);
    wakes(items, 4, 3, (struct late){.simple = simple});
    mp_queue_destroy(q[0]);
    mp_queue_destroy(q[1]);
    mp_simple_queue_destroy(simple);
    mp_connection_destroy(a);
    mp_connection_destroy(b);
}

static int get_one(void *arg)
{
    assert_mp_result(mp_queue_get_bytes(arg, NULL, NULL, MP_FOREVER), 0);
    return 0;
}

static int wait_for_it(void *arg)
{
    mp_waitable item = MP_WAITABLE((mp_queue *)arg);
    assert_mp_result(mp_wait(&item, 1, MP_FOREVER), 1);
    return 0;
}

/* Who waits takes nothing: the message is for the one who gets, and both are woken. */
static void test_a_waiter_leaves_the_message_to_who_gets(void **state)
{
    (void)state;
    mp_queue *q = new_queue(0);
    for (int round = 0; round < 20; round++) {
        pid_t getter = child_fork(get_one, q);
        pid_t waiter = child_fork(wait_for_it, q);
        check(child_await_sleep(getter) && child_await_sleep(waiter));
        put_message(q, 20, 1, 1);
        assert_int_equal(child_wait(getter), 0);
        put_message(q, 20, 1, 2); /* the first may have been gone before the waiter looked */
        assert_int_equal(child_wait(waiter), 0);
        get_message(q, 20, 1, 2);
    }
    mp_queue_destroy(q);
}

static void test_what_cannot_be_waited_for_is_refused(void **state)
{
    (void)state;
    mp_queue *q = new_queue(0), *closed = new_queue(0), *gone = new_queue(0);
    assert_mp_result(mp_queue_close(closed), 0);
    mp_queue_destroy(gone);
    mp_waitable twice[] = {MP_WAITABLE(q), MP_WAITABLE(q)};
    assert_mp_error(mp_wait(twice, 2, 0), MP_EINVAL);
    mp_waitable bad[] = {MP_WAITABLE(q), MP_WAITABLE(closed)};
    assert_mp_error(mp_wait(bad, 2, 0), MP_ECLOSED);
    bad[1] = MP_WAITABLE(gone);
    assert_mp_error(mp_wait(bad, 2, 0), MP_ECLOSED);
    bad[1] = MP_WAITABLE((mp_simple_queue *)(void *)q);
    bad[0] = MP_WAITABLE(0);
    assert_mp_error(mp_wait(bad, 2, 0), MP_ETYPE);
    bad[1] = MP_WAITABLE((mp_queue *)NULL);
    assert_mp_error(mp_wait(bad, 2, 0), MP_EINVAL);
    mp_queue_destroy(q);
    mp_queue_destroy(closed);
}

static int destroyed_while_waiting(void *arg)
{
    mp_waitable item = MP_WAITABLE((mp_queue *)arg);
    assert_mp_error(mp_wait(&item, 1, MP_FOREVER), MP_ECLOSED);
    return 0;
}

static void test_who_waits_learns_that_it_was_destroyed(void **state)
{
    (void)state;
    mp_queue *q = new_queue(0);
    pid_t child = child_fork(destroyed_while_waiting, q);
    check(child_await_sleep(child));
    mp_queue_destroy(q);
    assert_int_equal(child_wait(child), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("a queue is ready while it is not empty",
                     test_a_queue_is_ready_while_it_is_not_empty),
        support_test("a put ends the wait", test_a_put_ends_the_wait),
        support_test("a waiter leaves the message to who gets",
                     test_a_waiter_leaves_the_message_to_who_gets),
        support_test("what cannot be waited for is refused",
                     test_what_cannot_be_waited_for_is_refused),
        support_test("who waits learns that it was destroyed",
                     test_who_waits_learns_that_it_was_destroyed),
    };
    return support_run("mp_wait on queues", tests);
}
