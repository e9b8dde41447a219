/* Python's TestRemoteManager and TestManagerRestart, over TCP, and the manager's initializer. */
#include "managers/managers_kit.h"
#include "parity.h"

#include <mp/mp.h>
#include <string.h>

/* ---- a server with one queue, and the function that gives it ---------------------------------- */

enum { ROOM = 16 };

static struct {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    mp_obj item[ROOM];
    size_t count;
} only_queue = {.lock = PTHREAD_MUTEX_INITIALIZER, .filled = PTHREAD_COND_INITIALIZER};

static int get_queue(void **self, mp_obj args, mp_obj kwargs)
{
    (void)args;
    (void)kwargs;
    *self = &only_queue;
    return 0;
}

static int put_item(void *self, mp_obj args, mp_obj kwargs, mp_obj *result)
{
    (void)self;
    (void)kwargs;
    (void)result;
    mp_obj item;
    int rc = mp_obj_unpack(args, "O", &item);
    (void)pthread_mutex_lock(&only_queue.lock);
    if (rc == 0 && only_queue.count == ROOM)
        rc = MP_EFULL;
    if (rc == 0)
        rc = mp_obj_copy(item, &only_queue.item[only_queue.count]);
    if (rc == 0)
        only_queue.count++;
    (void)pthread_cond_broadcast(&only_queue.filled);
    (void)pthread_mutex_unlock(&only_queue.lock);
    return rc;
}

static int get_item(void *self, mp_obj args, mp_obj kwargs, mp_obj *result)
{
    (void)self;
    (void)args;
    (void)kwargs;
    (void)pthread_mutex_lock(&only_queue.lock);
    while (only_queue.count == 0)
        (void)pthread_cond_wait(&only_queue.filled, &only_queue.lock);
    *result = only_queue.item[0];
    only_queue.count--;
    memmove(only_queue.item, only_queue.item + 1, only_queue.count * sizeof *only_queue.item);
    (void)pthread_mutex_unlock(&only_queue.lock);
    return 0;
}

static const mp_managed_method queue_methods[] = {
    {"put", put_item, NULL}, {"get", get_item, NULL}, {0}};
static const mp_managed_type queue_type = {.create = get_queue, .methods = queue_methods};

static const char key[] = "a key of its own, with a\0in it";

static int start_at(const char *address, mp_manager **m)
{
    const mp_manager_options options = {
        .address = address, .authkey = key, .authkey_len = sizeof key, .shutdown_timeout = 20};
    assert_mp_result(mp_manager_register("get_queue", &queue_type), 0);
    return mp_manager_create(m, &options);
}

static mp_proxy *remote_queue(mp_manager **m, const char *address)
{
    assert_mp_result(mp_manager_connect(m, address, key, sizeof key, MP_FOREVER), 0);
    return new_proxy(*m, "get_queue", MP_NONE);
}

/* ---- TestRemoteManager ----------------------------------------------------------------------- */

#define HALLO "hall\u00e5 v\u00e4rlden"
#define PRIVET "\u043f\u0440\u0438\u0432\u0456\u0442 \u0441\u0432\u0456\u0442"
#define VALUES(make) \
    make("hello world", MP_NONE, MP_TRUE, 2.25, HALLO, PRIVET, MP_BYTES("hall\xe5 v\xe4rlden", 14))

static int put_values(void *address)
{
    mp_manager *m;
    mp_proxy *queue = remote_queue(&m, address);
    assert_call(queue, "put", MP_TUPLE(VALUES(MP_TUPLE)), MP_NONE);
    mp_proxy_destroy(queue);
    mp_manager_destroy(m);
    return 0;
}

static void test_remote(void **state)
{
    (void)state;
    mp_lock *lock;
    mp_manager *m, *m2;
    assert_mp_result(mp_lock_create(&lock), 0);
    assert_mp_result(start_at("127.0.0.1:0", &m), 0);
    const char *address = mp_manager_address(m);
    check_text(address, "127\\.0\\.0\\.1:[1-9][0-9]*");
    mp_process *process = start_process(put_values, address, strlen(address) + 1);
    mp_proxy *queue = remote_queue(&m2, address);
    assert_call(queue, "get", MP_NONE, VALUES(MP_TUPLE));
    assert_raises(queue, "put", MP_TUPLE(UINT64_MAX), MP_EOVERFLOW);
    assert_raises(queue, "put", MP_TUPLE(mp_obj_handle(lock)), MP_EPICKLE);
    assert_call(queue, "put", MP_TUPLE(1), MP_NONE);
    assert_call(queue, "get", MP_NONE, MP(1));
    finish_process_with(process, 0);

    assert_mp_error(mp_manager_shutdown(m2), MP_ESTATE); /* AttributeError: it did not start it */
    assert_mp_error(mp_manager_join(m2, MP_NOWAIT), MP_ESTATE);
    check(mp_manager_process(m2) == NULL);
    mp_proxy_destroy(queue);
    mp_manager_destroy(m2);
    mp_lock_destroy(lock);
    end_empty_manager(m);
}

/* ---- TestManagerRestart ---------------------------------------------------------------------- */

static int put_hello(void *address)
{
    mp_manager *m;
    mp_proxy *queue = remote_queue(&m, address);
    assert_call(queue, "put", MP_TUPLE("hello world"), MP_NONE);
    mp_proxy_destroy(queue);
    mp_manager_destroy(m);
    return 0;
}

static void test_rapid_restart(void **state)
{
    (void)state;
    mp_manager *m;
    char address[64];
    (void)snprintf(address, sizeof address, "%s", free_port());
    assert_mp_result(start_at(address, &m), 0);
    for (int i = 0; i < 5; i++) {
        mp_process *process = start_process(put_hello, address, sizeof address);
        finish_process_with(process, 0);
        mp_proxy *queue = new_proxy(m, "get_queue", MP_NONE);
        assert_call(queue, "get", MP_NONE, MP("hello world"));
        mp_proxy_destroy(queue);
        end_manager(m);
        assert_mp_result(start_at(address, &m), 0);
        check(strcmp(mp_manager_address(m), address) == 0);
    }
    end_manager(m);
}

/* ---- TestInitializers ------------------------------------------------------------------------ */

/* In the server that is being started, of whose parent `namespace_` is. */
static int add_one_to_test(void *namespace_)
{
    int64_t test;
    mp_obj value;
    assert_mp_result(mp_namespace_get(namespace_, "test", &value), 0);
    assert_mp_result(mp_obj_as_int(value, &test), 0);
    assert_mp_result(mp_namespace_set(namespace_, "test", MP(test + 1)), 0);
    return 0;
}

static int say_no(void *unused)
{
    (void)unused;
    return 1;
}

static void test_manager_initializer(void **state)
{
    (void)state;
    mp_manager *m = NULL;
    mp_namespace *ns;
    mp_obj value;
    assert_mp_result(mp_manager_namespace(manager, MP_DICT("test", 0), &ns), 0);
    mp_manager_options options = {
        .initializer = add_one_to_test, .initarg = ns, .shutdown_timeout = 20};
    assert_mp_result(mp_manager_create(&m, &options), 0);
    assert_mp_result(mp_namespace_get(ns, "test", &value), 0);
    assert_owned_is(&value, MP(1));
    assert_mp_error(mp_manager_join(m, 0.01), MP_ETIMEOUT);
    assert_mp_result(mp_manager_shutdown(m), 0);
    assert_mp_result(mp_manager_join(m, MP_FOREVER), 0);
    mp_manager_destroy(m);

    options.initializer = say_no;
    m = NULL;
    assert_mp_error(mp_manager_create(&m, &options), MP_EDIED);
    check(m == NULL);
    mp_namespace_destroy(ns);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        manager_test("TestRemoteManager.test_remote: two programs at one queue, by address and key",
                     test_remote),
        manager_test("TestManagerRestart.test_rapid_restart: the same port again at once",
                     test_rapid_restart),
        served_test("TestInitializers.test_manager_initializer: runs once, in the server",
                    test_manager_initializer),
    };
    return managers_run("TestRemoteManager", tests);
}
