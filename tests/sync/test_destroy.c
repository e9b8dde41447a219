/* Objects destroyed while others wait: a process and a thread learn of it, whatever they wait for,
 * and even if the next object already stands in the same place. */
#include "waiters.h"

#include "base/base.h"

#include <mp/sharedctypes.h>
#include <mp/synchronize.h>
#include <signal.h>
#include <string.h>

/* An object that everybody has to wait for, and its end. */
struct scene {
    const char *name;
    void *(*create)(void);
    int (*wait)(void *object);
    void (*destroy)(void *object);
};

static void *create_lock(void)
{
    mp_lock *lock;
    assert_mp_result(mp_lock_create(&lock), 0);
    assert_mp_result(mp_lock_acquire(lock, MP_NOWAIT), 0);
    return lock;
}

static int wait_lock(void *object)
{
    return mp_lock_acquire(object, MP_FOREVER);
}

static void destroy_lock(void *object)
{
    mp_lock_destroy(object);
}

static void *create_rlock(void)
{
    mp_rlock *rlock;
    assert_mp_result(mp_rlock_create(&rlock), 0);
    assert_mp_result(mp_rlock_acquire(rlock, MP_NOWAIT), 0);
    return rlock;
}

static int wait_rlock(void *object)
{
    return mp_rlock_acquire(object, MP_FOREVER);
}

static void destroy_rlock(void *object)
{
    mp_rlock_destroy(object);
}

static void *create_semaphore(void)
{
    mp_semaphore *semaphore;
    assert_mp_result(mp_semaphore_create(&semaphore, 0, NULL), 0);
    return semaphore;
}

static void *create_reclaiming(void)
{
    mp_semaphore *semaphore;
    const mp_semaphore_options options = {.reclaim = true};
    assert_mp_result(mp_semaphore_create(&semaphore, 0, &options), 0);
    return semaphore;
}

static int wait_semaphore(void *object)
{
    return mp_semaphore_acquire(object, MP_FOREVER);
}

static void destroy_semaphore(void *object)
{
    mp_semaphore_destroy(object);
}

static void *create_bounded(void)
{
    mp_bounded_semaphore *semaphore;
    assert_mp_result(mp_bounded_semaphore_create(&semaphore, 1), 0);
    assert_mp_result(mp_bounded_semaphore_acquire(semaphore, MP_NOWAIT), 0);
    return semaphore;
}

static int wait_bounded(void *object)
{
    return mp_bounded_semaphore_acquire(object, MP_FOREVER);
}

static void destroy_bounded(void *object)
{
    mp_bounded_semaphore_destroy(object);
}

static void *create_condition(void)
{
    mp_condition *condition;
    assert_mp_result(mp_condition_create(&condition, NULL), 0);
    return condition;
}

static void *create_held_condition(void)
{
    mp_condition *condition = create_condition();
    assert_mp_result(mp_condition_acquire(condition, MP_NOWAIT), 0);
    return condition;
}

static int wait_condition(void *object)
{
    int result = mp_condition_acquire(object, MP_FOREVER);
    return result < 0 ? result : mp_condition_wait(object, MP_FOREVER);
}

static int not_yet(void *arg)
{
    (void)arg;
    return 0;
}

static int wait_for_condition(void *object)
{
    int result = mp_condition_acquire(object, MP_FOREVER);
    return result < 0 ? result : mp_condition_wait_for(object, not_yet, NULL, MP_FOREVER);
}

static int wait_to_hold_condition(void *object)
{
    return mp_condition_acquire(object, MP_FOREVER);
}

static void destroy_condition(void *object)
{
    mp_condition_destroy(object);
}

static void *create_event(void)
{
    mp_event *event;
    assert_mp_result(mp_event_create(&event), 0);
    return event;
}

static int wait_event(void *object)
{
    return mp_event_wait(object, MP_FOREVER);
}

static void destroy_event(void *object)
{
    mp_event_destroy(object);
}

static void *create_barrier(void)
{
    mp_barrier *barrier;
    assert_mp_result(mp_barrier_create(&barrier, 5, NULL, NULL, MP_FOREVER), 0);
    return barrier;
}

static int wait_barrier(void *object)
{
    return mp_barrier_wait(object, MP_FOREVER);
}

static void destroy_barrier(void *object)
{
    mp_barrier_destroy(object);
}

static void *create_value(void)
{
    mp_value *value;
    assert_mp_result(mp_value_create(&value, 'd', NULL), 0);
    assert_mp_result(mp_rlock_acquire(mp_value_get_lock(value), MP_NOWAIT), 0);
    return value;
}

static int wait_value(void *object)
{
    return mp_rlock_acquire(mp_value_get_lock(object), MP_FOREVER);
}

static void destroy_value(void *object)
{
    mp_value_destroy(object);
}

static void *create_array(void)
{
    mp_array *array;
    assert_mp_result(mp_array_create(&array, 'd', 100000, NULL), 0);
    assert_mp_result(mp_rlock_acquire(mp_array_get_lock(array), MP_NOWAIT), 0);
    return array;
}

static int wait_array(void *object)
{
    return mp_rlock_acquire(mp_array_get_lock(object), MP_FOREVER);
}

static void destroy_array(void *object)
{
    mp_array_destroy(object);
}

static const struct scene scenes[] = {
    {"a lock", create_lock, wait_lock, destroy_lock},
    {"an rlock", create_rlock, wait_rlock, destroy_rlock},
    {"a semaphore", create_semaphore, wait_semaphore, destroy_semaphore},
    {"a reclaiming semaphore", create_reclaiming, wait_semaphore, destroy_semaphore},
    {"a bounded semaphore", create_bounded, wait_bounded, destroy_bounded},
    {"a condition", create_condition, wait_condition, destroy_condition},
    {"a condition's predicate", create_condition, wait_for_condition, destroy_condition},
    {"a condition's lock", create_held_condition, wait_to_hold_condition, destroy_condition},
    {"an event", create_event, wait_event, destroy_event},
    {"a barrier", create_barrier, wait_barrier, destroy_barrier},
    {"a value's lock", create_value, wait_value, destroy_value},
    {"an array's lock", create_array, wait_array, destroy_array},
};
enum { SCENES = sizeof scenes / sizeof *scenes };

enum { WAITERS = 4 };

static void start_waiters(struct waiter *waiters, const struct scene *scene, void *object)
{
    for (int i = 0; i < WAITERS / 2; i++) {
        waiter_start_process(&waiters[i], scene->wait, object);
        waiter_start_thread(&waiters[WAITERS / 2 + i], scene->wait, object);
    }
}

static void check_all_were_told(struct waiter *waiters, const struct scene *scene)
{
    for (int i = 0; i < WAITERS; i++) {
        int result = waiter_finish(&waiters[i]);
        if (result != MP_ECLOSED)
            print_error("a %s that waits for %s got %s\n", i < WAITERS / 2 ? "process" : "thread",
                        scene->name, mp_error_name(result));
        check(result == MP_ECLOSED);
    }
}

static void test_who_waits_for_what_is_destroyed_is_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < SCENES; i++) {
        struct waiter waiters[WAITERS];
        void *object = scenes[i].create();
        start_waiters(waiters, &scenes[i], object);
        scenes[i].destroy(object);
        check_all_were_told(waiters, &scenes[i]);
    }
}

static void test_the_next_object_in_the_same_place_does_not_keep_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < SCENES; i++) {
        struct waiter waiters[WAITERS];
        void *object = scenes[i].create(), *others[100];
        int n = 0;
        start_waiters(waiters, &scenes[i], object);
        scenes[i].destroy(object);
        do
            others[n] = scenes[i].create();
        while (others[n++] != object && n < 100);
        check_all_were_told(waiters, &scenes[i]);
        while (n-- > 0)
            scenes[i].destroy(others[n]);
    }
}

/* In another process than the creator destroy only forgets, and who waits goes on waiting. */
static int destroy_here(void *arg)
{
    const struct scene *scene = &scenes[((size_t *)arg)[0]];
    scene->destroy((void *)((size_t *)arg)[1]);
    return 0;
}

static void test_a_child_that_destroys_disturbs_nobody(void **state)
{
    (void)state;
    for (size_t i = 0; i < SCENES; i++) {
        struct waiter waiters[WAITERS];
        void *object = scenes[i].create();
        start_waiters(waiters, &scenes[i], object);
        size_t what[] = {i, (size_t)object};
        child_must_succeed(destroy_here, what);
        for (int k = 0; k < WAITERS / 2; k++)
            check(child_await_sleep(waiters[k].pid));
        scenes[i].destroy(object);
        check_all_were_told(waiters, &scenes[i]);
    }
}

/* ---- a semaphore that ends in the middle of an acquire ----------------------------------------- */

static mp_semaphore *semaphore;

static void put_another_in_its_place(const char *step)
{
    mp_semaphore *others[1000];
    int n = 0;
    if (strcmp(step, "semaphore.taken") != 0)
        return;
    mp__step_hook = NULL;
    mp_semaphore_destroy(semaphore);
    do
        assert_mp_result(mp_semaphore_create(&others[n], 5, NULL), 0);
    while (others[n++] != semaphore && n < 1000);
    check(others[n - 1] == semaphore);
    while (--n > 0)
        mp_semaphore_destroy(others[n - 1]);
}

static void test_a_late_acquire_leaves_the_next_semaphore_alone(void **state)
{
    (void)state;
    assert_mp_result(mp_semaphore_create(&semaphore, 1, NULL), 0);
    mp__step_hook = put_another_in_its_place;
    (void)mp_semaphore_acquire(semaphore, MP_NOWAIT);
    check(mp__step_hook == NULL);
    assert_mp_result(mp_semaphore_get_value(semaphore), 5);
    mp_semaphore_destroy(semaphore);
}

/* ---- a condition that ends while the holder of its lock is being buried ------------------------- */

static struct signal_pipe here, go_on;
static mp_rlock *lock;
static mp_condition *condition;

static void stop_as_heir(const char *step)
{
    if (strcmp(step, "guard.counted") != 0)
        return;
    pipe_tell(&here, 'h');
    (void)pipe_await(&go_on);
}

static int wait_and_inherit(void *arg)
{
    (void)arg;
    assert_mp_result(mp_condition_acquire(condition, MP_FOREVER), 0);
    pipe_tell(&here, 'w');
    mp__step_hook = stop_as_heir;
    assert_mp_error(mp_condition_wait(condition, MP_FOREVER), MP_ECLOSED);
    mp__step_hook = NULL;
    assert_mp_result(mp_rlock_release(lock), 0);
    return 0;
}

static int die_holding(void *arg)
{
    (void)arg;
    assert_mp_result(mp_rlock_acquire(lock, MP_FOREVER), 0);
    return raise(SIGKILL);
}

static void test_an_heir_keeps_the_lock_though_the_condition_ends(void **state)
{
    (void)state;
    pipe_open(&here);
    pipe_open(&go_on);
    assert_mp_result(mp_rlock_create(&lock), 0);
    assert_mp_result(mp_condition_create(&condition, lock), 0);
    pid_t heir = child_fork(wait_and_inherit, NULL);
    check(pipe_await(&here) == 'w');
    check(child_wait(child_fork(die_holding, NULL)) == -SIGKILL);
    check(pipe_await(&here) == 'h');
    mp_condition_destroy(condition);
    pipe_tell(&go_on, 'g');
    check(child_wait(heir) == 0);
    assert_mp_result(mp_rlock_acquire(lock, MP_FOREVER), 0);
    mp_rlock_destroy(lock);
    pipe_close(&here);
    pipe_close(&go_on);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("destroy: who waits for what is destroyed is told",
                     test_who_waits_for_what_is_destroyed_is_told),
        support_test("destroy: the next object in the same place does not keep them",
                     test_the_next_object_in_the_same_place_does_not_keep_them),
        support_test("destroy: a child that destroys disturbs nobody",
                     test_a_child_that_destroys_disturbs_nobody),
        support_test("destroy: a late acquire leaves the next semaphore alone",
                     test_a_late_acquire_leaves_the_next_semaphore_alone),
        support_test("destroy: an heir keeps the lock though the condition ends",
                     test_an_heir_keeps_the_lock_though_the_condition_ends),
    };
    return support_run("destroy", tests);
}
