/* Futures of two executors, of which one loses its supervisor: whoever waits for both learns of it,
 * though the other one works on. */
#include "parity/parity_futures.h"

#include <mp/connection.h>
#include <signal.h>
#include <unistd.h>

/* Longer than anything here takes: who waits that long would wait for ever. */
#define LONG 20.0

/* `future[0]` is of the one that goes on; both are held at the door. */
struct pair {
    struct door *door;
    mp_executor *executor[2];
    mp_future *future[2];
};

static int tell_parent(mp_obj arg, mp_obj *result)
{
    (void)arg;
    *result = MP((int64_t)getppid());
    return 0;
}

static struct pair pair_with_a_loss(void)
{
    struct pair pair = {.door = new_door()};
    for (int i = 0; i < 2; i++)
        pair.executor[i] = new_executor(1);
    pid_t supervisor = (pid_t)take_int(submit(pair.executor[1], tell_parent, MP_NONE));
    for (int i = 0; i < 2; i++)
        pair.future[i] = submit_held(pair.executor[i], wait_at_door, pair.door);
    check(kill(supervisor, SIGKILL) == 0);
    return pair;
}

static void pair_end(struct pair *pair)
{
    check(!mp_future_done(pair->future[0]));
    open_door(pair->door);
    check(take_int(pair->future[0]) == ANSWER);
    check(take_end(pair->future[1]) == MP_EDIED);
    assert_mp_error(mp_executor_shutdown(pair->executor[1], true, false), MP_EBROKENPOOL);
    for (int i = 0; i < 2; i++)
        mp_executor_destroy(pair->executor[i]);
    destroy_door(pair->door);
}

static void wait_finds_the_loss(mp_return_when return_when)
{
    struct pair pair = pair_with_a_loss();
    bool done[2] = {true, false};
    double start = clock_seconds();
    assert_mp_result(mp_futures_wait(pair.future, 2, return_when, done, LONG), 1);
    check(clock_seconds() - start < LONG);
    check(!done[0] && done[1]);
    pair_end(&pair);
}

static void test_a_wait_for_the_first_one_finds_the_loss(void **state)
{
    (void)state;
    wait_finds_the_loss(MP_FIRST_COMPLETED);
}

static void test_a_wait_for_the_first_failure_finds_the_loss(void **state)
{
    (void)state;
    wait_finds_the_loss(MP_FIRST_EXCEPTION);
}

static void test_as_completed_gives_the_lost_one(void **state)
{
    (void)state;
    struct pair pair = pair_with_a_loss();
    mp_completion *completion;
    mp_future *first;
    assert_mp_result(mp_as_completed(pair.future, 2, &completion, LONG), 0);
    assert_mp_result(mp_completion_next(completion, &first), 1);
    check(first == pair.future[1]);
    mp_completion_destroy(completion);
    pair_end(&pair);
}

static void test_the_lost_one_is_ready_among_other_things(void **state)
{
    (void)state;
    struct pair pair = pair_with_a_loss();
    mp_waitable items[] = {MP_WAITABLE(pair.future[0]), MP_WAITABLE(pair.future[1])};
    assert_mp_result(mp_wait(items, 2, LONG), 1);
    check(!items[0].ready && items[1].ready);
    pair_end(&pair);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("a wait for the first one finds the loss",
                     test_a_wait_for_the_first_one_finds_the_loss),
        support_test("a wait for the first failure finds the loss",
                     test_a_wait_for_the_first_failure_finds_the_loss),
        support_test("as_completed gives the lost one", test_as_completed_gives_the_lost_one),
        support_test("the lost one is ready among other things",
                     test_the_lost_one_is_ready_among_other_things),
    };
    return support_run_processes("futures of two executors", tests);
}
