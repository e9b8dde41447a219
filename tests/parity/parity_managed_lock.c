/* Python's TestLock, TestSemaphore and TestEvent on managed objects: they follow the rules of the
 * module threading, where a thread is one that has a connection. */
#include "managers/managers_kit.h"
#include "parity.h"

#include <mp/mp.h>
#include <string.h>

static const double at_once = 20, long_timeout = 1000;

static mp_proxy *new_lock(const char *type_id)
{
    return new_proxy(manager, type_id, MP_NONE);
}

static bool acquire(mp_proxy *lock)
{
    return call_bool(lock, "acquire", MP_NONE);
}

static bool try_acquire(mp_proxy *lock)
{
    return call_bool(lock, "acquire", MP_TUPLE(MP_FALSE));
}

static void release(mp_proxy *lock)
{
    assert_call(lock, "release", MP_NONE, MP_NONE);
}

static bool locked(mp_proxy *lock)
{
    return call_bool(lock, "locked", MP_NONE);
}

/* ---- Lock ------------------------------------------------------------------------------------ */

static void test_lock(void **state)
{
    (void)state;
    mp_proxy *lock = new_lock("Lock");
    check(acquire(lock));
    check(!try_acquire(lock));
    release(lock);
    assert_raises(lock, "release", MP_NONE, MP_ESTATE); /* RuntimeError */
    check(try_acquire(lock));
    release(lock);
    mp_proxy_destroy(lock);
}

static void timeouts_of_a_held_lock(mp_proxy *lock)
{
    double start = clock_seconds();
    check(!call_bool(lock, "acquire", MP_TUPLE(MP_TRUE, 0.2)));
    check(clock_seconds() - start >= 0.2);
    check(!call_bool(lock, "acquire", MP_TUPLE(MP_TRUE, 0)));
    assert_call_with(lock, "acquire", MP_NONE, MP_DICT("timeout", 0.01), MP_FALSE);
    assert_call_with(lock, "acquire", MP_NONE, MP_DICT("blocking", MP_FALSE), MP_FALSE);
    check(!call_bool(lock, "acquire", MP_TUPLE(MP_FALSE, -1)));
    assert_raises(lock, "acquire", MP_TUPLE(MP_FALSE, 1), MP_EINVAL);
    assert_raises(lock, "acquire", MP_TUPLE(MP_TRUE, -5), MP_EINVAL);
    assert_raises(lock, "acquire", MP_TUPLE(MP_TRUE, -0.5), MP_EINVAL);
    assert_raises(lock, "acquire", MP_TUPLE(MP_TRUE, "soon"), MP_ETYPE);
    assert_raises(lock, "acquire", MP_TUPLE(1, 2, 3), MP_ETYPE);
}

struct pair {
    mp_proxy *lock, *said;
};

static int acquire_for_ever_then_say_so(void *arg)
{
    const struct pair *pair = arg;
    check(call_bool(pair->lock, "acquire", MP_TUPLE(MP_TRUE, -1)));
    assert_call(pair->said, "set", MP_NONE, MP_NONE);
    release(pair->lock);
    return 0;
}

static void test_lock_timeouts(void **state)
{
    (void)state;
    struct pair pair = {new_lock("Lock"), new_proxy(manager, "Event", MP_NONE)};
    check(call_bool(pair.lock, "acquire", MP_TUPLE(MP_TRUE, -1)));
    timeouts_of_a_held_lock(pair.lock);
    mp_process *process = start_process(acquire_for_ever_then_say_so, &pair, sizeof pair);
    check(!call_bool(pair.said, "wait", MP_TUPLE(0.2)));
    release(pair.lock);
    check(call_bool(pair.said, "wait", MP_NONE));
    finish_process_with(process, 0);
    mp_proxy_destroy(pair.lock);
    mp_proxy_destroy(pair.said);
}

static int find_it_locked_and_release_it(void *lock)
{
    check(locked(lock));
    check(!try_acquire(lock));
    release(lock);
    check(!locked(lock));
    return 0;
}

static void test_lock_locked_2processes(void **state)
{
    (void)state;
    mp_proxy *lock = new_lock("Lock");
    check(!locked(lock));
    check(acquire(lock));
    check(locked(lock));
    finish_process_with(start_process(find_it_locked_and_release_it, lock, 0), 0);
    check(!locked(lock));
    assert_raises(lock, "release", MP_NONE, MP_ESTATE);
    mp_proxy_destroy(lock);
}

/* ---- RLock ----------------------------------------------------------------------------------- */

static int fail_to_use_rlock(void *lock)
{
    check(!try_acquire(lock));
    check(!call_bool(lock, "acquire", MP_TUPLE(MP_TRUE, 0.05)));
    assert_raises(lock, "release", MP_NONE, MP_ESTATE);
    return 0;
}

/* Neither another thread nor another process has it, not even a child of the owner. */
static void nobody_else_has_it(mp_proxy *lock)
{
    struct target_thread thread;
    start_thread(&thread, fail_to_use_rlock, lock);
    finish_thread(&thread);
    finish_process_with(start_process(fail_to_use_rlock, lock, 0), 0);
}

static void test_rlock(void **state)
{
    (void)state;
    mp_proxy *lock = new_lock("RLock");
    for (int i = 0; i < 3; i++)
        check(acquire(lock));
    nobody_else_has_it(lock);
    release(lock);
    release(lock);
    nobody_else_has_it(lock);
    release(lock);
    assert_raises(lock, "release", MP_NONE, MP_ESTATE); /* RuntimeError */
    assert_raises(lock, "acquire", MP_TUPLE(MP_TRUE, -5), MP_EINVAL);
    assert_raises(lock, "acquire", MP_TUPLE(MP_FALSE, 1), MP_EINVAL);
    mp_proxy_destroy(lock);
}

static int hold_twice_until_told(void *arg)
{
    const struct pair *pair = arg;
    check(acquire(pair->lock));
    check(acquire(pair->lock));
    assert_call(pair->said, "put", MP_TUPLE("held"), MP_NONE);
    assert_call(pair->said, "join", MP_NONE, MP_NONE);
    release(pair->lock);
    release(pair->lock);
    return 0;
}

static void test_rlock_locked_2processes(void **state)
{
    (void)state;
    struct pair pair = {new_lock("RLock"), new_proxy(manager, "JoinableQueue", MP_NONE)};
    mp_process *process = start_process(hold_twice_until_told, &pair, sizeof pair);
    assert_call(pair.said, "get", MP_NONE, MP("held"));
    check(locked(pair.lock));
    check(!try_acquire(pair.lock));
    assert_raises(pair.lock, "release", MP_NONE, MP_ESTATE);
    assert_call(pair.said, "task_done", MP_NONE, MP_NONE);
    check(acquire(pair.lock));
    release(pair.lock);
    finish_process_with(process, 0);
    check(!locked(pair.lock));
    mp_proxy_destroy(pair.lock);
    mp_proxy_destroy(pair.said);
}

/* ---- Semaphore ------------------------------------------------------------------------------- */

static void take_two_give_two(mp_proxy *semaphore)
{
    check(acquire(semaphore));
    check(acquire(semaphore));
    check(!try_acquire(semaphore));
    check(!try_acquire(semaphore)); /* a try in vain takes nothing */
    release(semaphore);
    check(try_acquire(semaphore));
    check(!try_acquire(semaphore));
    release(semaphore);
    release(semaphore);
}

static void test_semaphore(void **state)
{
    (void)state;
    mp_proxy *semaphore = new_proxy(manager, "Semaphore", MP_TUPLE(2));
    take_two_give_two(semaphore);
    release(semaphore);
    release(semaphore);
    for (int i = 0; i < 4; i++)
        check(try_acquire(semaphore));
    check(!try_acquire(semaphore));
    mp_proxy_destroy(semaphore);
}

static void test_bounded_semaphore(void **state)
{
    (void)state;
    mp_proxy *semaphore = new_proxy(manager, "BoundedSemaphore", MP_TUPLE(2));
    take_two_give_two(semaphore);
    assert_raises(semaphore, "release", MP_NONE, MP_EINVAL);
    take_two_give_two(semaphore);
    assert_raises(semaphore, "release", MP_NONE, MP_EINVAL);
    mp_proxy_destroy(semaphore);
}

static int release_it(void *semaphore)
{
    release(semaphore);
    return 0;
}

static void test_semaphore_timeout(void **state)
{
    (void)state;
    mp_proxy *semaphore = new_proxy(manager, "Semaphore", MP_TUPLE(0));
    double start = clock_seconds();
    check(!try_acquire(semaphore));
    check(!call_bool(semaphore, "acquire", MP_TUPLE(MP_FALSE, MP_NONE)));
    check(clock_seconds() - start < at_once);
    assert_raises(semaphore, "acquire", MP_TUPLE(MP_FALSE, 1), MP_EINVAL);
    start = clock_seconds();
    check(!call_bool(semaphore, "acquire", MP_TUPLE(MP_TRUE, 0.2)));
    assert_call_with(semaphore, "acquire", MP_NONE, MP_DICT("timeout", 0.2), MP_FALSE);
    check(clock_seconds() - start >= 0.4);
    mp_process *process = start_process(release_it, semaphore, 0);
    check(call_bool(semaphore, "acquire", MP_TUPLE(MP_TRUE, long_timeout)));
    finish_process_with(process, 0);
    mp_proxy_destroy(semaphore);
}

/* ---- Event ----------------------------------------------------------------------------------- */

static int set_it(void *event)
{
    assert_call(event, "set", MP_NONE, MP_NONE);
    return 0;
}

static void test_event(void **state)
{
    (void)state;
    mp_proxy *event = new_proxy(manager, "Event", MP_NONE);
    check(!call_bool(event, "is_set", MP_NONE));
    check(!call_bool(event, "wait", MP_TUPLE(0.0)));
    double start = clock_seconds();
    check(!call_bool(event, "wait", MP_TUPLE(0.2)));
    check(clock_seconds() - start >= 0.2);
    assert_call(event, "set", MP_NONE, MP_NONE);
    check(call_bool(event, "is_set", MP_NONE));
    check(call_bool(event, "wait", MP_NONE));
    start = clock_seconds();
    check(call_bool(event, "wait", MP_TUPLE(long_timeout)));
    check(clock_seconds() - start < at_once);
    for (int i = 0; i < 2; i++)
        assert_call(event, "clear", MP_NONE, MP_NONE);
    check(!call_bool(event, "is_set", MP_NONE));
    mp_process *process = start_process(set_it, event, 0);
    check(call_bool(event, "wait", MP_NONE));
    finish_process_with(process, 0);
    mp_proxy_destroy(event);
}

static void test_event_repr(void **state)
{
    (void)state;
    mp_proxy *event = new_proxy(manager, "Event", MP_NONE);
    for (int i = 0; i < 2; i++) {
        check_repr(proxy, event, "<EventProxy object, typeid 'Event' at 0x[0-9a-f]+>");
        assert_call(event, "set", MP_NONE, MP_NONE);
    }
    mp_proxy_destroy(event);
}

/* A negative timeout is one try, in a Semaphore and an Event; see threading. */
static void test_negative_timeouts(void **state)
{
    (void)state;
    mp_proxy *semaphore = new_proxy(manager, "Semaphore", MP_TUPLE(1));
    mp_proxy *event = new_proxy(manager, "Event", MP_NONE);
    check(call_bool(semaphore, "acquire", MP_TUPLE(MP_TRUE, -1)));
    check(!call_bool(semaphore, "acquire", MP_TUPLE(MP_TRUE, -1)));
    check(!call_bool(event, "wait", MP_TUPLE(-1)));
    assert_call(event, "set", MP_NONE, MP_NONE);
    check(call_bool(event, "wait", MP_TUPLE(-1.5)));
    mp_proxy_destroy(semaphore);
    mp_proxy_destroy(event);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        served_test("TestLock.test_lock, test_lock_context (manager): not recursive, RuntimeError "
                    "when free",
                    test_lock),
        served_test("TestLock (manager): timeouts as in threading", test_lock_timeouts),
        served_test("TestLock.test_lock_locked_2processes (manager): anybody may release it",
                    test_lock_locked_2processes),
        served_test(
            "TestLock.test_rlock, test_rlock_context (manager): belongs to a thread of a process",
            test_rlock),
        served_test("TestLock.test_rlock_locked_2processes (manager)",
                    test_rlock_locked_2processes),
        served_test("TestSemaphore.test_semaphore (manager): may exceed its first value",
                    test_semaphore),
        served_test("TestSemaphore.test_bounded_semaphore (manager): may not",
                    test_bounded_semaphore),
        served_test("TestSemaphore.test_timeout (manager)", test_semaphore_timeout),
        served_test("TestEvent.test_event (manager): wait gives the flag", test_event),
        served_test("TestEvent.test_repr (manager): the proxy's own", test_event_repr),
        served_test("TestSemaphore, TestEvent (manager): a negative timeout is one try",
                    test_negative_timeouts),
    };
    return managers_run("TestLock (manager)", tests);
}
