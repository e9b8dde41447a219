/* Faults that servers once had with registered types, Pools and forks: each test was one. */
#include "base/sanitized.h"
#include "managers/raw_client.h"

#include <errno.h>
#include <mp/mp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What servers, which are children, say to the test and hear from it. */
static struct signal_pipe said, go_on;

static void open_pipes(void)
{
    pipe_open(&said);
    pipe_open(&go_on);
}

static void close_pipes(void)
{
    pipe_close(&said);
    pipe_close(&go_on);
}

/* ---- a type of the test's own ---------------------------------------------------------------- */

/* T("slow") is made when the test says so. */
static int t_create(void **self, mp_obj args, mp_obj kwargs)
{
    (void)kwargs;
    *self = malloc(100);
    if (*self == NULL)
        return -ENOMEM;
    if (args.len > 0) {
        pipe_tell(&said, 's');
        check(pipe_await(&go_on) == 'g');
    }
    return 0;
}

static void t_destroy(void *self)
{
    free(self);
    pipe_tell(&said, 'd');
}

static int await_go_on(void *unused)
{
    (void)unused;
    pipe_tell(&said, 'c');
    return pipe_await(&go_on) == 'g' ? 0 : 1;
}

/* A child of the server, that stays until the test lets it go. */
static int t_start(void *self, mp_obj args, mp_obj kwargs, mp_obj *result)
{
    mp_process *process;
    (void)self;
    (void)args;
    (void)kwargs;
    (void)result;
    int rc = mp_process_create(&process, await_go_on, NULL, 0, NULL);
    return rc != 0 ? rc : mp_process_start(process);
}

static int t_fork(void *self, mp_obj args, mp_obj kwargs, mp_obj *result)
{
    (void)self;
    (void)args;
    (void)kwargs;
    (void)result;
    pid_t pid = fork();
    if (pid == 0)
        _exit(await_go_on(NULL));
    return pid < 0 ? -errno : 0;
}

static const mp_managed_method t_methods[] = {
    {"start", t_start, NULL}, {"fork", t_fork, NULL}, {0}};
static const mp_managed_type t_type = {
    .create = t_create, .destroy = t_destroy, .methods = t_methods};

static mp_manager *new_manager_of_t(void)
{
    open_pipes();
    assert_mp_result(mp_manager_register("T", &t_type), 0);
    return new_manager();
}

/* ---- objects of it --------------------------------------------------------------------------- */

static int serve(void *address)
{
    const mp_manager_options options = {.address = address};
    assert_mp_result(mp_manager_serve(&options), 0);
    return 0;
}

static mp_manager *connect_when_it_is_there(const char *address)
{
    mp_manager *m;
    double end = clock_seconds() + 20;
    int rc;
    while ((rc = mp_manager_connect(&m, address, NULL, 0, 20)) == -ENOENT || rc == -ECONNREFUSED) {
        check(clock_seconds() < end);
        mp_sleep(0.002);
    }
    assert_mp_result(rc, 0);
    return m;
}

/* The process goes on after it, and has nothing of it any more. */
static void test_serve_destroys_what_is_left(void **state)
{
    (void)state;
    const char *address = managers_path("serve.sock");
    open_pipes();
    assert_mp_result(mp_manager_register("T", &t_type), 0);
    pid_t pid = child_fork(serve, (void *)(uintptr_t)address);
    mp_manager *m = connect_when_it_is_there(address);
    mp_proxy *left = new_proxy(m, "T", MP_NONE);
    mp_dict *dict = new_dict(m, MP_NONE);
    raw_shutdown(address);
    check(child_wait(pid) == 0);
    (void)close(said.write_fd);
    check(pipe_await(&said) == 'd');
    check(pipe_await(&said) == -1);
    mp_proxy_destroy(left);
    mp_dict_destroy(dict);
    mp_manager_destroy(m);
    said.write_fd = dup(said.read_fd); /* to be closed */
    close_pipes();
}

static void *make_slowly(void *m)
{
    mp_proxy_destroy(new_proxy(m, "T", MP_TUPLE("slow")));
    return NULL;
}

static void test_an_object_that_is_long_in_the_making_holds_up_no_other(void **state)
{
    (void)state;
    pthread_t thread;
    mp_manager *m = new_manager_of_t();
    mp_dict *dict = new_dict(m, MP_NONE);
    check(pthread_create(&thread, NULL, make_slowly, m) == 0);
    check(pipe_await(&said) == 's');
    mp_dict_destroy(dict);
    dict = new_dict(m, MP_DICT("key", 1));
    assert_item_is(dict, MP("key"), MP(1));
    mp_dict_destroy(dict);
    pipe_tell(&go_on, 'g');
    check(pthread_join(thread, NULL) == 0);
    check(pipe_await(&said) == 'd');
    end_empty_manager(m);
    close_pipes();
}

/* ---- a killed server whose children live ----------------------------------------------------- */

struct waiter {
    mp_proxy *queue;
    atomic_int tid;
};

static void *wait_for_item(void *arg)
{
    struct waiter *waiter = arg;
    atomic_store(&waiter->tid, (int)syscall(SYS_gettid));
    assert_raises(waiter->queue, "get", MP_NONE, MP_EDIED);
    return NULL;
}

/* The child goes only after all have been told. */
static void all_hear_of_the_end(const char *method)
{
    pthread_t thread;
    mp_manager *m = new_manager_of_t();
    struct waiter waiter = {.queue = new_proxy(m, "Queue", MP_NONE)};
    mp_proxy *t = new_proxy(m, "T", MP_NONE);
    mp_dict *dict = new_dict(m, MP_NONE);
    check(pthread_create(&thread, NULL, wait_for_item, &waiter) == 0);
    while (atomic_load(&waiter.tid) == 0)
        mp_sleep(0.0005);
    check(child_await_sleep((pid_t)atomic_load(&waiter.tid)));
    assert_raises(t, method, MP_NONE, 0);
    check(pipe_await(&said) == 'c');
    check(kill(server_pid(m), SIGKILL) == 0);
    assert_mp_error(mp_dict_set(dict, MP("key"), MP(1)), MP_EDIED);
    check(pthread_join(thread, NULL) == 0);
    check(mp_manager_number_of_objects(m) < 0);
    pipe_tell(&go_on, 'g');
    mp_proxy_destroy(t);
    mp_proxy_destroy(waiter.queue);
    mp_dict_destroy(dict);
    mp_manager_destroy(m);
    close_pipes();
}

static void test_the_death_of_a_server_is_heard_while_its_children_live(void **state)
{
    (void)state;
    if (SANITIZED) {
        print_message("SKIPPED: a sanitizer's allocator may be locked for ever in the child\n");
        return;
    }
    all_hear_of_the_end("fork");
    all_hear_of_the_end("start");
}

/* ---- Pools ----------------------------------------------------------------------------------- */

static int square(mp_obj args, mp_obj *result)
{
    int64_t n;
    int rc = mp_obj_as_int(args.items[0], &n);
    *result = mp_obj_int(n * n);
    return rc;
}

/* Often, so that some tasks have not begun when the proxy goes. */
static void test_a_result_outlives_the_proxy_of_its_pool(void **state)
{
    (void)state;
    assert_mp_result(mp_manager_register_task("square", square), 0);
    mp_manager *m = new_manager();
    for (int i = 0; i < 20; i++) {
        mp_proxy *pool = new_proxy(m, "Pool", MP_TUPLE(1));
        mp_proxy *result = call_proxy(pool, "apply_async", MP_TUPLE("square", MP_TUPLE(i)));
        mp_proxy_destroy(pool);
        check(call_int(result, "get", MP_NONE) == i * i);
        mp_proxy_destroy(result);
    }
    end_empty_manager(m);
}

/* ---- forks beside starts --------------------------------------------------------------------- */

enum { FORKS = 1500 };

struct beside {
    mp_list *list;
    atomic_bool is_over;
};

static int do_nothing(void *unused)
{
    (void)unused;
    return 0;
}

static void *start_and_join(void *arg)
{
    struct beside *beside = arg;
    while (!atomic_load(&beside->is_over)) {
        mp_process *process;
        assert_mp_result(mp_process_create(&process, do_nothing, NULL, 0, NULL), 0);
        assert_mp_result(mp_process_start(process), 0);
        assert_mp_result(mp_process_join(process, MP_FOREVER), 0);
        mp_process_destroy(process);
    }
    return NULL;
}

static int append_and_drop(void *arg)
{
    struct beside *beside = arg;
    assert_mp_result(mp_list_append(beside->list, MP(1)), 0);
    mp_list_destroy(beside->list);
    return 0;
}

/* What is lent to the child of one thread is not for that of another. */
static void test_children_of_forks_beside_starts_use_the_manager(void **state)
{
    (void)state;
    if (SANITIZED) {
        print_message("SKIPPED: a sanitizer's allocator may be locked for ever in the child\n");
        return;
    }
    pthread_t thread;
    struct beside beside = {.list = new_list(manager, MP_NONE)};
    check(pthread_create(&thread, NULL, start_and_join, &beside) == 0);
    for (int i = 0; i < FORKS; i++)
        child_must_succeed(append_and_drop, &beside);
    atomic_store(&beside.is_over, true);
    check(pthread_join(thread, NULL) == 0);
    assert_mp_result(mp_list_len(beside.list), FORKS);
    mp_list_destroy(beside.list);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        manager_test("serve destroys what is left", test_serve_destroys_what_is_left),
        manager_test("an object that is long in the making holds up no other",
                     test_an_object_that_is_long_in_the_making_holds_up_no_other),
        manager_test("the death of a server is heard while its children live",
                     test_the_death_of_a_server_is_heard_while_its_children_live),
        manager_test("a result outlives the proxy of its Pool",
                     test_a_result_outlives_the_proxy_of_its_pool),
        served_test("children of forks beside starts use the manager",
                    test_children_of_forks_beside_starts_use_the_manager),
    };
    return managers_run("Managers: faults with types", tests);
}
