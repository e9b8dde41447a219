/* Python's TestLock: Lock and RLock between threads and processes. */
#include "parity.h"

#include <string.h>

static mp_lock *new_lock(void)
{
    mp_lock *lock;
    assert_mp_result(mp_lock_create(&lock), 0);
    return lock;
}

static mp_rlock *new_rlock(void)
{
    mp_rlock *lock;
    assert_mp_result(mp_rlock_create(&lock), 0);
    return lock;
}

/* One who takes a lock (or a recursive one, some times over), reads its repr, says so, and gives it
 * back when told. */
struct holder {
    mp_lock *lock;
    mp_rlock *rlock;
    int depth;
    mp_event *held, *leave;
    const char *pattern;
};

static struct holder new_holder(mp_lock *lock, mp_rlock *rlock, int depth, const char *pattern)
{
    return (struct holder){.lock = lock,
                           .rlock = rlock,
                           .depth = depth,
                           .held = new_event(),
                           .leave = new_event(),
                           .pattern = pattern};
}

static void end_holder(struct holder *holder)
{
    mp_event_destroy(holder->held);
    mp_event_destroy(holder->leave);
}

static int hold_lock(void *arg)
{
    const struct holder *holder = arg;
    assert_mp_result(mp_lock_acquire(holder->lock, MP_FOREVER), 0);
    check_repr(lock, holder->lock, holder->pattern);
    assert_mp_ok(mp_event_set(holder->held));
    assert_mp_result(mp_event_wait(holder->leave, MP_FOREVER), 0);
    assert_mp_result(mp_lock_release(holder->lock), 0);
    return 0;
}

static int hold_rlock(void *arg)
{
    const struct holder *holder = arg;
    for (int i = 0; i < holder->depth; i++)
        assert_mp_result(mp_rlock_acquire(holder->rlock, MP_FOREVER), 0);
    check_repr(rlock, holder->rlock, holder->pattern);
    assert_mp_ok(mp_event_set(holder->held));
    assert_mp_result(mp_event_wait(holder->leave, MP_FOREVER), 0);
    for (int i = 0; i < holder->depth; i++)
        assert_mp_result(mp_rlock_release(holder->rlock), 0);
    return 0;
}

static void test_repr_lock(void **state)
{
    (void)state;
    mp_lock *lock = new_lock();
    struct target_thread thread;
    check_repr(lock, lock, "<Lock\\(owner=None\\)>");
    assert_mp_result(mp_lock_acquire(lock, MP_FOREVER), 0);
    check_repr(lock, lock, "<Lock\\(owner=MainProcess\\)>");
    assert_mp_result(mp_lock_release(lock), 0);

    struct holder holder =
        new_holder(lock, NULL, 1, "<Lock\\(owner=MainProcess\\|Thread-[0-9]+\\)>");
    start_thread(&thread, hold_lock, &holder);
    assert_mp_result(mp_event_wait(holder.held, MP_FOREVER), 0);
    check_repr(lock, lock, "<Lock\\(owner=SomeOtherThread\\)>");
    assert_mp_ok(mp_event_set(holder.leave));
    finish_thread(&thread);
    end_holder(&holder);

    holder = new_holder(lock, NULL, 1, "<Lock\\(owner=P1\\)>");
    mp_process *process = start_named_process("P1", hold_lock, &holder, sizeof holder);
    assert_mp_result(mp_event_wait(holder.held, MP_FOREVER), 0);
    check_repr(lock, lock, "<Lock\\(owner=SomeOtherProcess\\)>");
    assert_mp_ok(mp_event_set(holder.leave));
    finish_process_with(process, 0);
    check_repr(lock, lock, "<Lock\\(owner=None\\)>");
    end_holder(&holder);
    mp_lock_destroy(lock);
}

static void test_lock(void **state)
{
    (void)state;
    mp_lock *lock = new_lock();
    assert_mp_result(mp_lock_acquire(lock, MP_FOREVER), 0);
    assert_mp_error(mp_lock_acquire(lock, MP_NOWAIT), MP_ETIMEOUT);
    assert_mp_error(mp_lock_acquire(lock, -1.0), MP_ETIMEOUT);
    double start = clock_seconds();
    assert_mp_error(mp_lock_acquire(lock, 0.2), MP_ETIMEOUT);
    check(clock_seconds() - start >= 0.15);
    assert_mp_result(mp_lock_release(lock), 0);
    assert_mp_error(mp_lock_release(lock), MP_ESTATE);
    check(!mp_lock_locked(lock));
    mp_lock_destroy(lock);
}

struct lock_in_two_processes {
    mp_lock *lock;
    mp_event *held, *released;
};

static int acquire_and_find_it_released(void *arg)
{
    const struct lock_in_two_processes *shared = arg;
    assert_mp_result(mp_lock_acquire(shared->lock, MP_FOREVER), 0);
    check(mp_lock_locked(shared->lock));
    assert_mp_ok(mp_event_set(shared->held));
    assert_mp_result(mp_event_wait(shared->released, MP_FOREVER), 0);
    check(!mp_lock_locked(shared->lock));
    assert_mp_error(mp_lock_release(shared->lock), MP_ESTATE);
    return 0;
}

static void test_lock_locked_2processes(void **state)
{
    (void)state;
    struct lock_in_two_processes shared = {new_lock(), new_event(), new_event()};
    mp_process *process = start_process(acquire_and_find_it_released, &shared, sizeof shared);
    assert_mp_result(mp_event_wait(shared.held, MP_FOREVER), 0);
    check(mp_lock_locked(shared.lock));
    assert_mp_error(mp_lock_acquire(shared.lock, MP_NOWAIT), MP_ETIMEOUT);
    assert_mp_result(mp_lock_release(shared.lock), 0);
    check(!mp_lock_locked(shared.lock));
    assert_mp_ok(mp_event_set(shared.released));
    finish_process_with(process, 0);
    mp_event_destroy(shared.held);
    mp_event_destroy(shared.released);
    mp_lock_destroy(shared.lock);
}

static void test_repr_rlock(void **state)
{
    (void)state;
    enum { DEPTH = 3 };
    mp_rlock *lock = new_rlock();
    struct target_thread thread;
    check_repr(rlock, lock, "<RLock\\(None, 0\\)>");
    for (int i = 0; i < DEPTH; i++)
        assert_mp_result(mp_rlock_acquire(lock, MP_FOREVER), 0);
    check_repr(rlock, lock, "<RLock\\(MainProcess, 3\\)>");
    for (int i = 0; i < DEPTH; i++)
        assert_mp_result(mp_rlock_release(lock), 0);

    struct holder holder = new_holder(NULL, lock, 2, "<RLock\\(MainProcess\\|Thread-[0-9]+, 2\\)>");
    start_thread(&thread, hold_rlock, &holder);
    assert_mp_result(mp_event_wait(holder.held, MP_FOREVER), 0);
    check_repr(rlock, lock, "<RLock\\(SomeOtherThread, nonzero\\)>");
    assert_mp_ok(mp_event_set(holder.leave));
    finish_thread(&thread);
    end_holder(&holder);

    holder = new_holder(NULL, lock, 1, "<RLock\\(P1, 1\\)>");
    mp_process *process = start_named_process("P1", hold_rlock, &holder, sizeof holder);
    assert_mp_result(mp_event_wait(holder.held, MP_FOREVER), 0);
    check_repr(rlock, lock, "<RLock\\(SomeOtherProcess, nonzero\\)>");
    assert_mp_ok(mp_event_set(holder.leave));
    finish_process_with(process, 0);
    check_repr(rlock, lock, "<RLock\\(None, 0\\)>");
    end_holder(&holder);
    mp_rlock_destroy(lock);
}

static int fail_to_use_rlock(void *arg)
{
    mp_rlock *lock = arg;
    assert_mp_error(mp_rlock_acquire(lock, MP_NOWAIT), MP_ETIMEOUT);
    assert_mp_error(mp_rlock_release(lock), MP_ESTATE);
    check(mp_rlock_locked(lock));
    return 0;
}

static void test_rlock(void **state)
{
    (void)state;
    mp_rlock *lock = new_rlock();
    struct target_thread thread;
    for (int i = 0; i < 3; i++)
        assert_mp_result(mp_rlock_acquire(lock, MP_FOREVER), 0);
    start_thread(&thread, fail_to_use_rlock, lock);
    finish_thread(&thread);
    for (int i = 0; i < 3; i++) {
        check(mp_rlock_locked(lock));
        assert_mp_result(mp_rlock_release(lock), 0);
    }
    check(!mp_rlock_locked(lock));
    assert_mp_error(mp_rlock_release(lock), MP_ESTATE);
    mp_rlock_destroy(lock);
}

static void test_rlock_locked_2processes(void **state)
{
    (void)state;
    mp_rlock *lock = new_rlock();
    struct holder holder = new_holder(NULL, lock, 2, ".*");
    mp_process *process = start_process(hold_rlock, &holder, sizeof holder);
    assert_mp_result(mp_event_wait(holder.held, MP_FOREVER), 0);
    check(mp_rlock_locked(lock));
    assert_mp_error(mp_rlock_acquire(lock, MP_NOWAIT), MP_ETIMEOUT);
    assert_mp_error(mp_rlock_release(lock), MP_ESTATE);
    check(mp_rlock_locked(lock));
    assert_mp_ok(mp_event_set(holder.leave));
    finish_process_with(process, 0);
    check(!mp_rlock_locked(lock));
    end_holder(&holder);
    mp_rlock_destroy(lock);
}

static void test_rlock_is_not_the_childs(void **state)
{
    (void)state;
    mp_rlock *lock = new_rlock();
    assert_mp_result(mp_rlock_acquire(lock, MP_FOREVER), 0);
    finish_process_with(start_process(fail_to_use_rlock, lock, 0), 0);
    child_must_succeed(fail_to_use_rlock, lock);
    assert_mp_result(mp_rlock_release(lock), 0);
    mp_rlock_destroy(lock);
}

static int return_from_the_block(mp_lock *lock)
{
    MP_WITH_LOCK(lock) {
        check(mp_lock_locked(lock));
        return 1;
    }
    return 0;
}

static void test_lock_context(void **state)
{
    (void)state;
    mp_lock *lock = new_lock();
    int turns = 0;
    MP_WITH_LOCK(lock) {
        check(mp_lock_locked(lock));
        turns++;
    }
    check(turns == 1 && !mp_lock_locked(lock));
    check(return_from_the_block(lock) == 1 && !mp_lock_locked(lock));
    MP_WITH_LOCK(lock) {
        break;
    }
    check(!mp_lock_locked(lock));
    {
        MP_HOLD_LOCK(lock);
        check(mp_lock_locked(lock));
    }
    check(!mp_lock_locked(lock));
    mp_lock_destroy(lock);
}

static void test_rlock_context(void **state)
{
    (void)state;
    mp_rlock *lock = new_rlock();
    MP_WITH_RLOCK(lock) {
        MP_WITH_RLOCK(lock) {
            check_repr(rlock, lock, "<RLock\\(MainProcess, 2\\)>");
        }
        MP_HOLD_RLOCK(lock);
        check_repr(rlock, lock, "<RLock\\(MainProcess, 2\\)>");
    }
    check(!mp_rlock_locked(lock));
    mp_rlock_destroy(lock);
}

static int acquire_and_end(void *arg)
{
    assert_mp_result(mp_lock_acquire(arg, MP_FOREVER), 0);
    return 0;
}

static int acquire_rlock_and_end(void *arg)
{
    for (int i = 0; i < 3; i++)
        assert_mp_result(mp_rlock_acquire(arg, MP_FOREVER), 0);
    return 0;
}

static void test_lock_of_an_ended_holder(void **state)
{
    (void)state;
    mp_lock *lock = new_lock();
    finish_process_with(start_process(acquire_and_end, lock, 0), 0);
    check(mp_lock_locked(lock));
    assert_mp_result(mp_lock_acquire(lock, MP_NOWAIT), MP_RECOVERED);
    check(mp_lock_recovered(lock));
    assert_mp_result(mp_lock_release(lock), 0);
    assert_mp_result(mp_lock_acquire(lock, MP_NOWAIT), 0);
    check(!mp_lock_recovered(lock));
    assert_mp_result(mp_lock_release(lock), 0);

    finish_process_with(start_process(acquire_and_end, lock, 0), 0);
    assert_mp_result(mp_lock_release(lock), 0);
    assert_mp_result(mp_lock_acquire(lock, MP_FOREVER), 0);
    assert_mp_result(mp_lock_release(lock), 0);
    mp_lock_destroy(lock);
}

static void test_rlock_of_an_ended_holder(void **state)
{
    (void)state;
    mp_rlock *lock = new_rlock();
    finish_process_with(start_process(acquire_rlock_and_end, lock, 0), 0);
    check(mp_rlock_locked(lock));
    assert_mp_result(mp_rlock_acquire(lock, MP_NOWAIT), MP_RECOVERED);
    check(mp_rlock_recovered(lock));
    check_repr(rlock, lock, "<RLock\\(MainProcess, 1\\)>");
    assert_mp_result(mp_rlock_release(lock), 0);
    assert_mp_result(mp_rlock_acquire(lock, MP_NOWAIT), 0);
    check(!mp_rlock_recovered(lock));
    assert_mp_result(mp_rlock_release(lock), 0);
    mp_rlock_destroy(lock);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("TestLock.test_repr_lock: names the owner as this process and others see it",
                     test_repr_lock),
        support_test(
            "TestLock.test_lock: acquire of an own lock and release of a free one are refused",
            test_lock),
        support_test("TestLock.test_lock_locked_2processes: any process sees and releases the lock",
                     test_lock_locked_2processes),
        support_test("TestLock.test_lock: a lock whose holder ended is recovered, once",
                     test_lock_of_an_ended_holder),
        support_test("TestLock.test_repr_rlock: names the owner and how often it holds the lock",
                     test_repr_rlock),
        support_test("TestLock.test_rlock: nests, and only its owner releases it", test_rlock),
        support_test("TestLock.test_rlock_locked_2processes: another process sees it held, no more",
                     test_rlock_locked_2processes),
        support_test("TestLock.test_rlock: a forked child does not own what its parent holds",
                     test_rlock_is_not_the_childs),
        support_test("TestLock.test_rlock: a lock whose holder ended is recovered, once",
                     test_rlock_of_an_ended_holder),
        support_test("TestLock.test_lock_context: held inside the block, free however it is left",
                     test_lock_context),
        support_test("TestLock.test_rlock_context: blocks nest", test_rlock_context),
    };
    return support_run_processes("TestLock", tests);
}
