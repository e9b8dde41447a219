/* Proxies in threads: each has its own connection, which owns locks and waits alone. */
#include "managers/managers_kit.h"

#include <mp/mp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { THREADS = 8, ROUNDS = 200 };

struct scene {
    mp_dict *dict;
    mp_proxy *lock;
    atomic_int tid;
    int index;
};

static void start(pthread_t *thread, void *(*body)(void *), void *arg)
{
    check(pthread_create(thread, NULL, body, arg) == 0);
}

static void finish(pthread_t thread)
{
    check(pthread_join(thread, NULL) == 0);
}

/* Until the thread sleeps in the call that it announced. */
static void await_call(atomic_int *tid)
{
    while (atomic_load(tid) == 0)
        mp_sleep(0.0005);
    check(child_await_sleep((pid_t)atomic_load(tid)));
}

static void announce(struct scene *scene)
{
    atomic_store(&scene->tid, (int)syscall(SYS_gettid));
}

static int64_t int_at(mp_dict *dict, int key)
{
    mp_obj value;
    int64_t i;
    assert_mp_result(mp_dict_get(dict, MP(key), &value), 0);
    assert_mp_result(mp_obj_as_int(value, &i), 0);
    mp_obj_free(&value);
    return i;
}

/* ---- many at once ---------------------------------------------------------------------------- */

static void add_to(struct scene *scene, int key)
{
    assert_mp_result(mp_dict_set(scene->dict, MP(key), MP(int_at(scene->dict, key) + 1)), 0);
}

/* Its own key without a lock, a common one under it. */
static void *count_up(void *arg)
{
    struct scene *scene = arg;
    for (int i = 0; i < ROUNDS; i++) {
        add_to(scene, scene->index);
        check(call_bool(scene->lock, "acquire", MP_NONE));
        add_to(scene, -1);
        assert_call(scene->lock, "release", MP_NONE, MP_NONE);
    }
    return NULL;
}

static void count_in_threads(mp_dict *dict, mp_proxy *lock)
{
    struct scene scene[THREADS];
    pthread_t thread[THREADS];
    for (int i = 0; i < THREADS; i++) {
        scene[i] = (struct scene){.dict = dict, .lock = lock, .index = i};
        assert_mp_result(mp_dict_set(dict, MP(i), MP(0)), 0);
        start(&thread[i], count_up, &scene[i]);
    }
    for (int i = 0; i < THREADS; i++)
        finish(thread[i]);
    for (int i = 0; i < THREADS; i++)
        check(int_at(dict, i) == ROUNDS);
}

static void test_threads_share_proxies(void **state)
{
    (void)state;
    mp_dict *dict = new_dict(manager, MP_DICT(-1, 0));
    mp_proxy *lock = new_proxy(manager, "Lock", MP_NONE);
    count_in_threads(dict, lock);
    check(int_at(dict, -1) == THREADS * ROUNDS);
    mp_dict_destroy(dict);
    mp_proxy_destroy(lock);
}

static int count_in_threads_of_a_child(void *arg)
{
    const struct scene *scene = arg;
    count_in_threads(scene->dict, scene->lock);
    return 0;
}

static void test_so_do_threads_of_a_child(void **state)
{
    (void)state;
    struct scene scene = {.dict = new_dict(manager, MP_DICT(-1, 0)),
                          .lock = new_proxy(manager, "Lock", MP_NONE)};
    check(child_wait(child_fork(count_in_threads_of_a_child, &scene)) == 0);
    check(int_at(scene.dict, -1) == THREADS * ROUNDS);
    mp_dict_destroy(scene.dict);
    mp_proxy_destroy(scene.lock);
}

/* ---- who waits, and who owns ----------------------------------------------------------------- */

static void *acquire_and_release(void *arg)
{
    struct scene *scene = arg;
    announce(scene);
    check(call_bool(scene->lock, "acquire", MP_NONE));
    assert_call(scene->lock, "release", MP_NONE, MP_NONE);
    return NULL;
}

static void test_a_thread_that_waits_holds_up_no_other(void **state)
{
    (void)state;
    pthread_t thread;
    struct scene scene = {.dict = new_dict(manager, MP_DICT(0, 0)),
                          .lock = new_proxy(manager, "Lock", MP_NONE)};
    check(call_bool(scene.lock, "acquire", MP_NONE));
    start(&thread, acquire_and_release, &scene);
    await_call(&scene.tid);
    for (int i = 0; i < 50; i++)
        add_to(&scene, 0);
    mp_dict_destroy(scene.dict);
    assert_call(scene.lock, "release", MP_NONE, MP_NONE);
    finish(thread);
    mp_proxy_destroy(scene.lock);
}

static void *find_it_taken(void *arg)
{
    struct scene *scene = arg;
    check(!call_bool(scene->lock, "acquire", MP_TUPLE(MP_FALSE)));
    assert_raises(scene->lock, "release", MP_NONE, MP_ESTATE);
    return NULL;
}

static void test_an_rlock_belongs_to_a_thread(void **state)
{
    (void)state;
    pthread_t thread;
    struct scene scene = {.lock = new_proxy(manager, "RLock", MP_NONE)};
    for (int i = 0; i < 2; i++)
        check(call_bool(scene.lock, "acquire", MP_NONE));
    start(&thread, find_it_taken, &scene);
    finish(thread);
    for (int i = 0; i < 2; i++)
        assert_call(scene.lock, "release", MP_NONE, MP_NONE);
    start(&thread, acquire_and_release, &scene);
    finish(thread);
    mp_proxy_destroy(scene.lock);
}

static void *acquire_and_end(void *arg)
{
    struct scene *scene = arg;
    check(call_bool(scene->lock, "acquire", MP_NONE));
    return NULL;
}

static mp_proxy *held_by_ended_thread(const char *type_id)
{
    pthread_t thread;
    struct scene scene = {.lock = new_proxy(manager, type_id, MP_NONE)};
    start(&thread, acquire_and_end, &scene);
    finish(thread);
    return scene.lock;
}

static void test_what_belongs_to_a_thread_is_free_at_its_end(void **state)
{
    (void)state;
    static const char *const types[] = {"RLock", "Condition"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        mp_obj got;
        mp_proxy *lock = held_by_ended_thread(types[i]);
        assert_mp_result(mp_proxy_call(lock, "acquire", MP_NONE, MP_NONE, &got), MP_RECOVERED);
        assert_owned_is(&got, MP_TRUE);
        assert_call(lock, "release", MP_NONE, MP_NONE);
        check(call_bool(lock, "acquire", MP_NONE)); /* told once */
        assert_call(lock, "release", MP_NONE, MP_NONE);
        mp_proxy_destroy(lock);
    }
}

/* As in threading: any thread may release it, and none has it. */
static void test_what_belongs_to_the_process_is_not(void **state)
{
    (void)state;
    static const char *const types[] = {"Lock", "BoundedSemaphore", "Semaphore"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        mp_proxy *lock = held_by_ended_thread(types[i]);
        check(!call_bool(lock, "acquire", MP_TUPLE(MP_TRUE, 0.1)));
        assert_call(lock, "release", MP_NONE, MP_NONE);
        check(call_bool(lock, "acquire", MP_NONE));
        assert_call(lock, "release", MP_NONE, MP_NONE);
        mp_proxy_destroy(lock);
    }
}

/* An object that one thread made and another destroys. */
static void *destroy_dict(void *arg)
{
    struct scene *scene = arg;
    check(int_at(scene->dict, 0) == 0);
    mp_dict_destroy(scene->dict);
    return NULL;
}

static void test_any_thread_may_destroy_a_proxy(void **state)
{
    (void)state;
    pthread_t thread;
    struct scene scene = {.dict = new_dict(manager, MP_DICT(0, 0))};
    start(&thread, destroy_dict, &scene);
    finish(thread);
    assert_objects(manager, 0);
}

/* ---- forks ----------------------------------------------------------------------------------- */

static int use_in_child(void *arg)
{
    struct scene *scene = arg;
    for (int i = 0; i < 10; i++)
        add_to(scene, 100);
    return 0;
}

static void test_a_child_forked_among_threads_uses_its_proxies(void **state)
{
    (void)state;
    pthread_t thread[2];
    struct scene scene[2];
    mp_dict *dict = new_dict(manager, MP_DICT(-1, 0, 0, 0, 1, 0, 100, 0));
    mp_proxy *lock = new_proxy(manager, "Lock", MP_NONE);
    for (int i = 0; i < 2; i++) {
        scene[i] = (struct scene){.dict = dict, .lock = lock, .index = i};
        start(&thread[i], count_up, &scene[i]);
    }
    for (int i = 0; i < 20; i++)
        check(child_wait(child_fork(use_in_child, &scene[0])) == 0);
    for (int i = 0; i < 2; i++)
        finish(thread[i]);
    check(int_at(dict, 100) == 200);
    check(int_at(dict, -1) == 2 * ROUNDS);
    mp_dict_destroy(dict);
    mp_proxy_destroy(lock);
}

static int find_it_held_by_the_parent(void *arg)
{
    struct scene *scene = arg;
    check(!call_bool(scene->lock, "acquire", MP_TUPLE(MP_FALSE)));
    assert_raises(scene->lock, "release", MP_NONE, MP_ESTATE);
    return 0;
}

/* The thread that forked is another one in the child, whose connection it does not use. */
static void test_a_child_owns_nothing_of_its_parents(void **state)
{
    (void)state;
    struct scene scene = {.lock = new_proxy(manager, "RLock", MP_NONE)};
    check(call_bool(scene.lock, "acquire", MP_NONE));
    child_must_succeed(find_it_held_by_the_parent, &scene);
    check(call_bool(scene.lock, "acquire", MP_NONE)); /* its end took nothing along */
    for (int i = 0; i < 2; i++)
        assert_call(scene.lock, "release", MP_NONE, MP_NONE);
    mp_proxy_destroy(scene.lock);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        served_test("threads share proxies", test_threads_share_proxies),
        served_test("so do threads of a child", test_so_do_threads_of_a_child),
        served_test("a thread that waits holds up no other",
                    test_a_thread_that_waits_holds_up_no_other),
        served_test("an RLock belongs to a thread", test_an_rlock_belongs_to_a_thread),
        served_test("what belongs to a thread is free at its end",
                    test_what_belongs_to_a_thread_is_free_at_its_end),
        served_test("what belongs to the process is not", test_what_belongs_to_the_process_is_not),
        served_test("any thread may destroy a proxy", test_any_thread_may_destroy_a_proxy),
        served_test("a child forked among threads uses its proxies",
                    test_a_child_forked_among_threads_uses_its_proxies),
        served_test("a child owns nothing of its parent's",
                    test_a_child_owns_nothing_of_its_parents),
    };
    return managers_run("Proxies in threads", tests);
}
