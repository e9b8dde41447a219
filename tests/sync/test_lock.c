/* Lock and RLock beyond Python's tests: who may release, how deep it goes, what notice is left. */
#include "waiters.h"

#include "sync/sync.h"

#include <signal.h>
#include <unistd.h>

static mp_lock *lock;
static mp_rlock *rlock;

static int setup(void **state)
{
    assert_mp_result(support_setup(state), 0);
    assert_mp_result(mp_lock_create(&lock), 0);
    assert_mp_result(mp_rlock_create(&rlock), 0);
    return 0;
}

static int teardown(void **state)
{
    mp_lock_destroy(lock);
    mp_rlock_destroy(rlock);
    return support_teardown(state);
}

static void test_releasing_what_nobody_holds_is_refused(void **state)
{
    (void)state;
    assert_mp_error(mp_lock_release(lock), MP_ESTATE);
    assert_mp_error(mp_rlock_release(rlock), MP_ESTATE);
    assert_mp_result(mp_lock_acquire(lock, MP_NOWAIT), 0);
    assert_mp_result(mp_lock_release(lock), 0);
    assert_mp_error(mp_lock_release(lock), MP_ESTATE);
    assert_mp_result(mp_rlock_acquire(rlock, MP_NOWAIT), 0);
    assert_mp_result(mp_rlock_release(rlock), 0);
    assert_mp_error(mp_rlock_release(rlock), MP_ESTATE);
}

static int release_lock(void *arg)
{
    return mp_lock_release(arg);
}

static int release_rlock(void *arg)
{
    return mp_rlock_release(arg);
}

struct remote_call {
    int (*call)(void *);
    void *object;
    int result;
};

static void *call_in_thread(void *arg)
{
    struct remote_call *remote = arg;
    remote->result = remote->call(remote->object);
    return NULL;
}

static int in_thread(int (*call)(void *), void *object)
{
    pthread_t thread;
    struct remote_call remote = {call, object, 0};
    check(pthread_create(&thread, NULL, call_in_thread, &remote) == 0);
    check(pthread_join(thread, NULL) == 0);
    return remote.result;
}

static struct signal_pipe answer;

static int call_in_process(void *arg)
{
    struct remote_call *remote = arg;
    int result = remote->call(remote->object);
    check(write(answer.write_fd, &result, sizeof result) == sizeof result);
    return 0;
}

static int in_process(int (*call)(void *), void *object)
{
    int result = 1;
    struct remote_call remote = {call, object, 0};
    pipe_open(&answer);
    child_must_succeed(call_in_process, &remote);
    check(read(answer.read_fd, &result, sizeof result) == sizeof result);
    pipe_close(&answer);
    return result;
}

static void test_anybody_may_release_a_lock_but_not_an_rlock(void **state)
{
    (void)state;
    int (*const elsewhere[])(int (*)(void *), void *) = {in_thread, in_process};
    for (size_t i = 0; i < 2; i++) {
        assert_mp_result(mp_lock_acquire(lock, MP_NOWAIT), 0);
        assert_mp_result(elsewhere[i](release_lock, lock), 0);
        assert_mp_error(mp_lock_release(lock), MP_ESTATE);
        assert_mp_result(mp_rlock_acquire(rlock, MP_NOWAIT), 0);
        assert_mp_error(elsewhere[i](release_rlock, rlock), MP_ESTATE);
        assert_mp_result(mp_rlock_release(rlock), 0);
    }
}

static int try_rlock(void *arg)
{
    return mp_rlock_acquire(arg, MP_NOWAIT);
}

static void test_an_rlock_is_its_holders_until_the_last_level(void **state)
{
    (void)state;
    enum { LEVELS = 1000 };
    for (int i = 0; i < LEVELS; i++)
        assert_mp_result(mp_rlock_acquire(rlock, i % 2 == 0 ? MP_NOWAIT : MP_FOREVER), 0);
    for (int i = 1; i < LEVELS; i++)
        assert_mp_result(mp_rlock_release(rlock), 0);
    assert_mp_error(in_thread(try_rlock, rlock), MP_ETIMEOUT);
    assert_mp_error(in_process(try_rlock, rlock), MP_ETIMEOUT);
    check(mp_rlock_locked(rlock));
    assert_mp_result(mp_rlock_release(rlock), 0);
    check(!mp_rlock_locked(rlock));
}

static void test_an_rlock_is_not_taken_more_often_than_it_can_count(void **state)
{
    (void)state;
    assert_mp_result(mp_rlock_acquire(rlock, MP_NOWAIT), 0);
    atomic_store(&rlock->object.depth, UINT32_MAX - 1);
    assert_mp_result(mp_rlock_acquire(rlock, MP_NOWAIT), 0);
    assert_mp_error(mp_rlock_acquire(rlock, MP_NOWAIT), MP_EOVERFLOW);
    assert_mp_error(mp_rlock_acquire(rlock, MP_FOREVER), MP_EOVERFLOW);
    check(atomic_load(&rlock->object.depth) == UINT32_MAX);
    atomic_store(&rlock->object.depth, 1);
    assert_mp_result(mp_rlock_release(rlock), 0);
}

/* ---- the ended ----------------------------------------------------------------------------- */

static int hold_both_and_leave(void *arg)
{
    (void)arg;
    assert_mp_result(mp_lock_acquire(lock, MP_NOWAIT), 0);
    for (int i = 0; i < 3; i++)
        assert_mp_result(mp_rlock_acquire(rlock, MP_NOWAIT), 0);
    return 0;
}

static void test_a_release_for_one_that_ended_leaves_no_notice(void **state)
{
    (void)state;
    child_must_succeed(hold_both_and_leave, NULL);
    check(mp_lock_locked(lock) && mp_rlock_locked(rlock));
    assert_mp_result(mp_lock_release(lock), 0);
    check(!mp_lock_locked(lock));
    assert_mp_result(mp_lock_acquire(lock, MP_NOWAIT), 0);
    check(!mp_lock_recovered(lock));
    assert_mp_result(mp_lock_release(lock), 0);
    assert_mp_error(mp_rlock_release(rlock), MP_ESTATE);
    assert_mp_result(mp_rlock_acquire(rlock, MP_NOWAIT), MP_RECOVERED);
    assert_mp_result(mp_rlock_release(rlock), 0);
}

static void test_an_heir_begins_at_the_first_level_whatever_the_dead_had(void **state)
{
    (void)state;
    child_must_succeed(hold_both_and_leave, NULL);
    assert_mp_result(mp_rlock_acquire(rlock, MP_FOREVER), MP_RECOVERED);
    check(mp_rlock_recovered(rlock));
    assert_mp_result(mp_rlock_acquire(rlock, MP_FOREVER), 0);
    check(mp_rlock_recovered(rlock));
    assert_mp_result(mp_rlock_release(rlock), 0);
    assert_mp_result(mp_rlock_release(rlock), 0);
    check(!mp_rlock_locked(rlock) && !mp_rlock_recovered(rlock));
    assert_mp_result(mp_lock_acquire(lock, MP_FOREVER), MP_RECOVERED);
    assert_mp_result(mp_lock_release(lock), 0);
}

static int acquire_lock(void *arg)
{
    int result = mp_lock_acquire(arg, MP_FOREVER);
    if (result >= 0)
        assert_mp_result(mp_lock_release(arg), 0);
    return result;
}

static int hold_and_wait(void *arg)
{
    assert_mp_result(mp_lock_acquire(lock, MP_FOREVER), 0);
    pipe_tell(arg, 'h');
    while (pause() < 0)
        ;
    return 1;
}

/* Several wait when the holder is killed: all go on, and one of them is told. */
static void test_one_of_those_who_wait_is_told_of_the_death(void **state)
{
    (void)state;
    enum { WAITERS = 6 };
    struct waiter waiters[WAITERS];
    struct signal_pipe ready;
    pipe_open(&ready);
    pid_t holder = child_fork(hold_and_wait, &ready);
    check(pipe_await(&ready) == 'h');
    for (int i = 0; i < WAITERS; i += 2) {
        waiter_start_process(&waiters[i], acquire_lock, lock);
        waiter_start_thread(&waiters[i + 1], acquire_lock, lock);
    }
    check(kill(holder, SIGKILL) == 0);
    int told = 0;
    for (int i = 0; i < WAITERS; i++) {
        int result = waiter_finish(&waiters[i]);
        check(result == 0 || result == MP_RECOVERED);
        told += result == MP_RECOVERED;
    }
    check(told == 1);
    check(child_wait(holder) == -SIGKILL);
    pipe_close(&ready);
}

static void *end_holding(void *arg)
{
    (void)arg;
    assert_mp_result(mp_rlock_acquire(rlock, MP_FOREVER), 0);
    return NULL;
}

static void test_a_thread_that_ended_keeps_its_rlock_while_its_process_lives(void **state)
{
    (void)state;
    pthread_t thread;
    check(pthread_create(&thread, NULL, end_holding, NULL) == 0);
    check(pthread_join(thread, NULL) == 0);
    assert_mp_error(mp_rlock_acquire(rlock, 0.03), MP_ETIMEOUT);
    assert_mp_error(mp_rlock_release(rlock), MP_ESTATE);
    check(mp_rlock_locked(rlock));
}

#define lock_test(name, function)                 \
    {                                             \
        (name), (function), setup, teardown, NULL \
    }

int main(void)
{
    static const struct CMUnitTest tests[] = {
        lock_test("locks: releasing what nobody holds is refused",
                  test_releasing_what_nobody_holds_is_refused),
        lock_test("locks: anybody may release a Lock, but not an RLock",
                  test_anybody_may_release_a_lock_but_not_an_rlock),
        lock_test("RLock: is its holder's until the last level",
                  test_an_rlock_is_its_holders_until_the_last_level),
        lock_test("RLock: is not taken more often than it can count",
                  test_an_rlock_is_not_taken_more_often_than_it_can_count),
        lock_test("locks: a release for one that ended leaves no notice",
                  test_a_release_for_one_that_ended_leaves_no_notice),
        lock_test("RLock: an heir begins at the first level, whatever the dead had",
                  test_an_heir_begins_at_the_first_level_whatever_the_dead_had),
        lock_test("Lock: one of those who wait is told of the death",
                  test_one_of_those_who_wait_is_told_of_the_death),
        lock_test("RLock: a thread that ended keeps it while its process lives",
                  test_a_thread_that_ended_keeps_its_rlock_while_its_process_lives),
    };
    return support_run("locks", tests);
}
