/* The server of a manager is killed: whoever waits for it learns so within a second, whatever the
 * wait is, and nothing is left of it. */
#include "kill/execution.h"
#include "managers/managers_kit.h"

#include <mp/mp.h>

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WAITERS = WAITERS_MOST, STORM_ROUNDS = 60, STORM_CLIENTS = 3 };

/* Seconds in which all must be over. */
static const double at_most = 1;

static struct scene *scene;
static pid_t server;

/* ---- tasks and methods that never end -------------------------------------------------------- */

static int stay(mp_obj unused, mp_obj *result)
{
    (void)unused;
    (void)result;
    scene_stay(scene);
    return 0;
}

static int stay_inside(void *self, mp_obj args, mp_obj kwargs, mp_obj *result)
{
    (void)self;
    (void)kwargs;
    return stay(args, result);
}

static int make_nothing(void **self, mp_obj args, mp_obj kwargs)
{
    (void)self;
    (void)args;
    (void)kwargs;
    return 0;
}

static const mp_managed_method house_methods[] = {{"stay", stay_inside, NULL}, {0}};
static const mp_managed_type house_type = {.create = make_nothing, .methods = house_methods};

/* ---- what is waited for ---------------------------------------------------------------------- */

static mp_proxy *object, *of_object;
static mp_dict *dict;
static pid_t holder;

static void nothing(void)
{
}

static void acquire_it(void)
{
    assert_true(call_bool(object, "acquire", MP_NONE));
}

static int hold_it(void *unused)
{
    (void)unused;
    check(call_bool(object, "acquire", MP_NONE));
    atomic_fetch_add(&scene->at_work, 1);
    while (!atomic_load(&scene->over))
        (void)pause();
    return 0;
}

static void let_another_hold_it(void)
{
    holder = child_fork(hold_it, NULL);
    assert_true(kill_await(&scene->at_work));
}

static void put_one(void)
{
    assert_call(object, "put", MP_TUPLE(1), MP_NONE);
}

static void ask_one(void)
{
    of_object = call_proxy(object, "apply_async", MP_TUPLE("stay"));
}

static void ask_for_imap(void)
{
    of_object = call_proxy(object, "imap", MP_TUPLE("stay", MP_LIST(1, 2)));
}

static void ask_and_close(void)
{
    ask_one();
    assert_call(object, "close", MP_NONE, MP_NONE);
}

static void stop_it(void)
{
    assert_int_equal(kill(server, SIGSTOP), 0);
}

/* What waits: a method of the object, or of what was got from it. */
struct waiting {
    const char *name, *type_id;
    int argument; /* of the constructor; 0: none */
    void (*ask)(void);
    int at_work;
    const char *method;
    int (*call)(void); /* in place of the method */
};

static int call_connect(void)
{
    mp_manager *m;
    int rc = mp_manager_connect(&m, mp_manager_address(manager), NULL, 0, MP_FOREVER);
    assert_true(rc < 0 && rc != MP_ETIMEOUT);
    return MP_EDIED;
}

static int call_join(void)
{
    return mp_manager_join(manager, MP_FOREVER) == 0 ? MP_EDIED : 0;
}

static int call_create(void)
{
    mp_list *list;
    return mp_manager_list(manager, MP_NONE, &list);
}

static int call_number(void)
{
    return mp_manager_number_of_objects(manager);
}

static int call_get(void)
{
    mp_obj got;
    return mp_dict_get(dict, MP("key"), &got);
}

static int call_set(void)
{
    return mp_dict_set(dict, MP("key"), MP(2));
}

static int call_destroy(void)
{
    mp_dict_destroy(dict);
    dict = NULL;
    return MP_EDIED;
}

static const struct waiting waitings[] = {
    {"Lock.acquire", "Lock", 0, acquire_it, 0, "acquire", NULL},
    {"RLock.acquire", "RLock", 0, let_another_hold_it, 1, "acquire", NULL},
    {"Semaphore.acquire", "BoundedSemaphore", 1, acquire_it, 0, "acquire", NULL},
    {"Condition.acquire", "Condition", 0, let_another_hold_it, 1, "acquire", NULL},
    {"Condition.wait", "Condition", 0, acquire_it, 0, "wait", NULL},
    {"Event.wait", "Event", 0, nothing, 0, "wait", NULL},
    {"Barrier.wait", "Barrier", 2, nothing, 0, "wait", NULL},
    {"Queue.get", "Queue", 0, nothing, 0, "get", NULL},
    {"Queue.put", "Queue", 1, put_one, 0, "put", NULL},
    {"Queue.join", "JoinableQueue", 1, put_one, 0, "join", NULL},
    {"method of one's own", "House", 0, nothing, 1, "stay", NULL},
    {"Pool.apply", "Pool", 2, nothing, 1, "apply", NULL},
    {"Pool.map", "Pool", 2, nothing, 2, "map", NULL},
    {"Pool.join", "Pool", 2, ask_and_close, 1, "join", NULL},
    {"AsyncResult.get", "Pool", 2, ask_one, 1, "get", NULL},
    {"AsyncResult.wait", "Pool", 2, ask_one, 1, "wait", NULL},
    {"iterator's next", "Pool", 2, ask_for_imap, 2, "__next__", NULL},
    {"manager's join", "Event", 0, nothing, 0, NULL, call_join},
    /* a server that does not answer */
    {"connect", "Event", 0, stop_it, 0, NULL, call_connect},
    {"create", "Event", 0, stop_it, 0, NULL, call_create},
    {"number of objects", "Event", 0, stop_it, 0, NULL, call_number},
    {"dict[key]", "Event", 0, stop_it, 0, NULL, call_get},
    {"dict[key] = value", "Event", 0, stop_it, 0, NULL, call_set},
    {"del dict", "Event", 0, stop_it, 0, NULL, call_destroy},
};

static int call_it(const struct waiting *w)
{
    mp_proxy *proxy = of_object != NULL && strcmp(w->method, "join") != 0 ? of_object : object;
    if (w->call != NULL)
        return w->call();
    if (strcmp(w->method, "put") == 0)
        return call(proxy, "put", MP_TUPLE(2));
    if (strcmp(w->method, "apply") == 0)
        return call(proxy, "apply", MP_TUPLE("stay"));
    if (strcmp(w->method, "map") == 0)
        return call(proxy, "map", MP_TUPLE("stay", MP_LIST(1, 2, 3)));
    return call(proxy, w->method, MP_NONE);
}

/* ---- the death ------------------------------------------------------------------------------- */

static pid_t the_server(void)
{
    return server;
}

static void stage_make(void)
{
    memset((void *)scene, 0, sizeof *scene);
    assert_mp_result(mp_manager_register("House", &house_type), 0);
    assert_mp_result(mp_manager_register_task("stay", stay), 0);
    manager = new_manager();
    server = server_pid(manager);
    dict = new_dict(manager, MP_DICT("key", 1));
    object = of_object = NULL;
    holder = 0;
}

/* Later calls find it dead too. */
static void stage_end(void)
{
    if (object != NULL)
        assert_mp_error(call(object, "anything", MP_NONE), MP_EDIED);
    if (dict != NULL)
        assert_mp_error(call_get(), MP_EDIED);
    assert_mp_error(call_create(), MP_EDIED);
    if (holder != 0) {
        assert_int_equal(kill(holder, SIGKILL), 0);
        assert_int_equal(child_wait(holder), -SIGKILL);
    }
    mp_dict_destroy(dict);
    mp_proxy_destroy(of_object);
    mp_proxy_destroy(object);
    mp_manager_destroy(manager);
    manager = NULL;
    assert_int_equal(managers_names(), 0);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static double server_dies_below(const struct waiting *w)
{
    struct execution execution = {scene, the_server, w->at_work, 1};
    stage_make();
    object = new_proxy(manager, w->type_id, w->argument > 0 ? MP_TUPLE(w->argument) : MP_NONE);
    w->ask();
    pid_t executioner = child_fork(execution_run, &execution);
    atomic_store(&scene->waiter[0], getpid());
    int rc = call_it(w);
    atomic_store(&scene->returned, 1);
    if (rc != MP_EDIED || (w->call == NULL && strlen(mp_error_detail()) == 0))
        fail_msg("%s returned %s (%s)", w->name, mp_error_name(rc), mp_error_detail());
    assert_int_equal(child_wait(executioner), 0);
    double took = atomic_load(&scene->took);
    if (took > at_most)
        fail_msg("%s took %.0f ms", w->name, took * 1e3);
    stage_end();
    return took;
}

static void test_whoever_waits_learns_that_the_server_was_killed(void **state)
{
    (void)state;
    double slowest = 0;
    const char *name = "";
    size_t count = sizeof waitings / sizeof *waitings;
    support_time_limit(120);
    kill_prepare();
    for (size_t i = 0; i < count; i++) {
        double took = server_dies_below(&waitings[i]);
        if (took >= slowest) {
            slowest = took;
            name = waitings[i].name;
        }
    }
    print_message(
        "| server killed     | %zu kinds of calls returned, the slowest (%s) after %.1f ms "
        "|\n",
        count, name, slowest * 1e3);
}

/* ---- several threads wait -------------------------------------------------------------------- */

static void *wait_in_thread(void *arg)
{
    atomic_int *waiter = arg;
    atomic_store(waiter, (int)syscall(SYS_gettid));
    int rc = call(object, "acquire", MP_NONE);
    check(rc == MP_EDIED);
    atomic_fetch_add(&scene->returned, 1);
    return NULL;
}

static void test_so_do_all_threads_that_wait(void **state)
{
    (void)state;
    pthread_t thread[WAITERS - 1];
    struct execution execution = {scene, the_server, 0, WAITERS};
    kill_prepare();
    stage_make();
    object = new_proxy(manager, "Lock", MP_NONE);
    acquire_it();
    pid_t executioner = child_fork(execution_run, &execution);
    for (int i = 1; i < WAITERS; i++)
        assert_int_equal(pthread_create(&thread[i - 1], NULL, wait_in_thread, &scene->waiter[i]),
                         0);
    (void)wait_in_thread(&scene->waiter[0]);
    for (int i = 1; i < WAITERS; i++)
        assert_int_equal(pthread_join(thread[i - 1], NULL), 0);
    assert_int_equal(child_wait(executioner), 0);
    assert_true(atomic_load(&scene->took) <= at_most);
    stage_end();
}

/* ---- at random, under load ------------------------------------------------------------------- */

/* Until the first call that finds the server dead; nothing else may go wrong. */
static int use_until_it_dies(void *unused)
{
    int rc = 0;
    (void)unused;
    while (rc >= 0) {
        mp_obj got = MP_NONE;
        mp_list *list = NULL;
        rc = mp_manager_list(manager, MP_LIST(1, 2), &list);
        if (rc == 0)
            rc = mp_list_append(list, MP(3));
        if (rc == 0)
            rc = mp_dict_set(dict, MP("list"), mp_obj_proxy(mp_list_proxy(list)));
        if (rc == 0)
            rc = mp_dict_get(dict, MP("key"), &got);
        if (rc == 0)
            rc = call(object, "acquire", MP_NONE);
        if (rc >= 0)
            rc = call(object, "release", MP_NONE);
        mp_obj_free(&got);
        mp_list_destroy(list);
        atomic_fetch_add(&scene->at_work, 1);
    }
    check(rc == MP_EDIED);
    atomic_fetch_add(&scene->returned, 1);
    return 0;
}

static double storm(void)
{
    pid_t client[STORM_CLIENTS];
    struct kill_clock clock;
    stage_make();
    object = new_proxy(manager, "Lock", MP_NONE);
    for (int i = 0; i < STORM_CLIENTS; i++)
        client[i] = child_fork(use_until_it_dies, NULL);
    kill_clock_start(&clock);
    while (atomic_load(&scene->at_work) < STORM_CLIENTS)
        assert_true(kill_clock_tick(&clock, 20));
    kill_pause(kill_rng(), 10000);
    assert_int_equal(kill(server, SIGKILL), 0);
    kill_clock_start(&clock);
    while (atomic_load(&scene->returned) < STORM_CLIENTS)
        assert_true(kill_clock_tick(&clock, at_most));
    for (int i = 0; i < STORM_CLIENTS; i++)
        assert_int_equal(child_wait(client[i]), 0);
    stage_end();
    return clock.counted;
}

static void test_clients_at_work_learn_it_too(void **state)
{
    (void)state;
    double slowest = 0;
    support_time_limit(120);
    kill_prepare();
    for (int i = 0; i < STORM_ROUNDS; i++) {
        double took = storm();
        slowest = took > slowest ? took : slowest;
    }
    print_message(
        "| server killed     | at work: %d rounds, the last client knew after %.1f ms |\n",
        STORM_ROUNDS, slowest * 1e3);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        manager_test("whoever waits learns that the server was killed",
                     test_whoever_waits_learns_that_the_server_was_killed),
        manager_test("so do all threads that wait", test_so_do_all_threads_that_wait),
        manager_test("clients at work learn it too", test_clients_at_work_learn_it_too),
    };
    scene = kill_shared(sizeof *scene);
    return managers_run("manager's server", tests);
}
