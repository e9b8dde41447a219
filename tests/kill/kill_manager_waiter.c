/* One client of a manager is killed while it waits for something, and the next thing that happens is
 * what it waited for: it must go to somebody who lives, over either kind of socket. */
#include "kill/harness.h"
#include "managers/managers_kit.h"

#include <mp/mp.h>

#include <signal.h>
#include <unistd.h>

enum { ROUNDS = 30 };

static mp_proxy *object;

struct scene {
    atomic_int waiter, other; /* pids that are about to wait */
    atomic_int done;
};

static struct scene *scene;

/* A wait, of the victim and of another who came later, and what lets one of them go. */
struct waiting {
    const char *name, *type_id;
    int argument; /* of the constructor; 0: none */
    void (*prepare)(void);
    int (*before_wait)(void); /* done before the wait is announced; may be NULL */
    int (*wait)(void);
    void (*happen)(void);
    bool at_once; /* it may happen before the server has noticed the death */
};

static void nothing(void)
{
}

static void acquire_it(void)
{
    assert_true(call_bool(object, "acquire", MP_NONE));
}

static void release_it(void)
{
    assert_call(object, "release", MP_NONE, MP_NONE);
}

static void put_one(void)
{
    assert_call(object, "put", MP_TUPLE(1), MP_NONE);
}

static void get_one(void)
{
    assert_call(object, "get", MP_NONE, MP(1));
}

static void set_it(void)
{
    assert_call(object, "set", MP_NONE, MP_NONE);
}

static void notify_one(void)
{
    assert_true(call(object, "acquire", MP_NONE) >= 0);
    assert_call(object, "notify", MP_NONE, MP_NONE);
    release_it();
}

static int wait_acquire(void)
{
    int rc = call(object, "acquire", MP_NONE);
    return rc < 0 ? rc : call(object, "release", MP_NONE);
}

static int wait_get(void)
{
    return call(object, "get", MP_NONE);
}

static int wait_put(void)
{
    return call(object, "put", MP_TUPLE(1));
}

static int wait_event(void)
{
    return call(object, "wait", MP_NONE);
}

static int acquire_lock(void)
{
    return call(object, "acquire", MP_NONE);
}

/* Who has announced it has the lock until it waits: nobody notifies too early. */
static int wait_condition(void)
{
    int rc = call(object, "wait", MP_NONE);
    return rc < 0 ? rc : call(object, "release", MP_NONE);
}

/* A unit, an item or a notification that the dead were given is gone. */
static const struct waiting waitings[] = {
    {"Lock", "Lock", 0, acquire_it, NULL, wait_acquire, release_it, true},
    {"RLock", "RLock", 0, acquire_it, NULL, wait_acquire, release_it, true},
    {"Semaphore", "Semaphore", 1, acquire_it, NULL, wait_acquire, release_it, false},
    {"BoundedSemaphore", "BoundedSemaphore", 1, acquire_it, NULL, wait_acquire, release_it, true},
    {"Event", "Event", 0, nothing, NULL, wait_event, set_it, true},
    {"Condition", "Condition", 0, nothing, acquire_lock, wait_condition, notify_one, false},
    {"Queue.get", "Queue", 0, nothing, NULL, wait_get, put_one, false},
    {"Queue.put", "Queue", 1, put_one, NULL, wait_put, get_one, false},
};

/* ---- rounds ---------------------------------------------------------------------------------- */

static int wait_for_it(void *arg)
{
    const struct waiting *w = arg;
    bool first = atomic_load(&scene->waiter) == 0;
    mp_dict *sign_of_life = new_dict(manager, MP_NONE);
    check(w->before_wait == NULL || w->before_wait() >= 0);
    atomic_store(first ? &scene->waiter : &scene->other, getpid());
    int rc = w->wait();
    mp_dict_destroy(sign_of_life);
    check(rc >= 0);
    atomic_store(&scene->done, 1);
    return 0;
}

static pid_t waiter_start(const struct waiting *w, const atomic_int *announced)
{
    pid_t pid = child_fork(wait_for_it, (void *)(uintptr_t)w);
    assert_true(kill_await(announced));
    for (int i = 0; i < 2; i++) {
        assert_true(child_await_sleep(pid));
        kill_nap(1000);
    }
    return pid;
}

/* With the victim goes an object that it alone had. */
static void victim_dies(const struct waiting *w, pid_t victim, bool at_once)
{
    await_objects(manager, 3);
    assert_int_equal(kill(victim, SIGKILL), 0);
    if (at_once)
        kill_pause(kill_rng(), 300);
    else
        await_objects(manager, 2);
    w->happen();
    if (!kill_await(&scene->done))
        fail_msg("%s: the living one waits in vain", w->name);
}

static void round_of(const struct waiting *w, bool at_once)
{
    atomic_store(&scene->waiter, 0);
    atomic_store(&scene->other, 0);
    atomic_store(&scene->done, 0);
    object = new_proxy(manager, w->type_id, w->argument > 0 ? MP_TUPLE(w->argument) : MP_NONE);
    w->prepare();
    pid_t victim = waiter_start(w, &scene->waiter);
    pid_t other = waiter_start(w, &scene->other);
    victim_dies(w, victim, at_once);
    assert_int_equal(child_wait(victim), -SIGKILL);
    assert_int_equal(child_wait(other), 0);
    mp_proxy_destroy(object);
}

static void rounds_run(void)
{
    support_time_limit(120);
    kill_prepare();
    for (size_t i = 0; i < sizeof waitings / sizeof *waitings; i++)
        for (int k = 0; k < ROUNDS; k++)
            round_of(&waitings[i], waitings[i].at_once && k % 2 == 0);
}

static void test_what_the_dead_waited_for_goes_to_the_living(void **state)
{
    (void)state;
    rounds_run();
}

static void test_so_it_does_over_tcp(void **state)
{
    (void)state;
    manager = new_manager_at("127.0.0.1:0");
    rounds_run();
    end_empty_manager(manager);
    manager = NULL;
}

/* ---- barriers -------------------------------------------------------------------------------- */

static int meet(void *arg)
{
    (void)arg;
    bool first = atomic_load(&scene->waiter) == 0;
    (void)call(object, "no such method", MP_NONE);
    atomic_store(first ? &scene->waiter : &scene->other, getpid());
    int rc = call(object, "wait", MP_NONE);
    check(rc == MP_EBROKEN);
    return 0;
}

static void barrier_breaks(void)
{
    atomic_store(&scene->waiter, 0);
    atomic_store(&scene->other, 0);
    object = new_proxy(manager, "Barrier", MP_TUPLE(3));
    pid_t victim = child_fork(meet, NULL);
    assert_true(kill_await(&scene->waiter));
    pid_t other = child_fork(meet, NULL);
    while (call_int(object, "__getattribute__", MP_TUPLE("n_waiting")) < 2)
        kill_nap(200);
    assert_int_equal(kill(victim, SIGKILL), 0);
    assert_int_equal(child_wait(other), 0);
    assert_int_equal(child_wait(victim), -SIGKILL);
    assert_true(call_bool(object, "__getattribute__", MP_TUPLE("broken")));
    assert_call(object, "reset", MP_NONE, MP_NONE);
    assert_false(call_bool(object, "__getattribute__", MP_TUPLE("broken")));
    mp_proxy_destroy(object);
}

static void test_a_death_breaks_the_barrier_that_it_waited_in(void **state)
{
    (void)state;
    kill_prepare();
    for (int i = 0; i < ROUNDS; i++)
        barrier_breaks();
}

static void test_so_it_does_one_over_tcp(void **state)
{
    (void)state;
    kill_prepare();
    manager = new_manager_at("127.0.0.1:0");
    for (int i = 0; i < ROUNDS; i++)
        barrier_breaks();
    end_empty_manager(manager);
    manager = NULL;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        served_test("what the dead waited for goes to the living",
                    test_what_the_dead_waited_for_goes_to_the_living),
        manager_test("so it does over TCP", test_so_it_does_over_tcp),
        served_test("a death breaks the barrier that it waited in",
                    test_a_death_breaks_the_barrier_that_it_waited_in),
        manager_test("so it does one over TCP", test_so_it_does_one_over_tcp),
    };
    scene = kill_shared(sizeof *scene);
    return managers_run("manager's waiters", tests);
}
