/* Managers that cannot be made, reached or used any more, and what each call says of it. */
#include "managers/managers_kit.h"

#include <errno.h>
#include <math.h>
#include <mp/mp.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int create_at(const char *address, mp_manager **m)
{
    const mp_manager_options options = {.address = address, .shutdown_timeout = 20};
    *m = NULL;
    return mp_manager_create(m, &options);
}

static int connect_to(const char *address, double timeout)
{
    mp_manager *m = NULL;
    int rc = mp_manager_connect(&m, address, NULL, 0, timeout);
    check((rc == 0) == (m != NULL));
    mp_manager_destroy(m);
    return rc;
}

/* ---- making ---------------------------------------------------------------------------------- */

static void address_is_in_use(const char *address)
{
    mp_manager *first, *second;
    assert_mp_result(create_at(address, &first), 0);
    for (int i = 0; i < 3; i++) {
        assert_mp_error(create_at(mp_manager_address(first), &second), -EADDRINUSE);
        check(second == NULL);
    }
    assert_mp_result(connect_to(mp_manager_address(first), MP_FOREVER), 0);
    end_empty_manager(first);
}

static void test_an_address_in_use_is_refused_and_its_server_goes_on(void **state)
{
    (void)state;
    address_is_in_use(managers_path("manager.sock"));
    address_is_in_use("127.0.0.1:0");
    address_is_in_use(abstract_address());
    check(managers_names() == 0);
}

static void test_what_is_no_address_is_no_manager(void **state)
{
    (void)state;
    static const char *const bad[] = {"\\\\.\\pipe\\manager", "localhost:", "localhost:port",
                                      "localhost:65536", "127.0.0.1:-1"};
    mp_manager *m;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_mp_error(create_at(bad[i], &m), MP_EINVAL);
        check(m == NULL);
        assert_mp_error(connect_to(bad[i], 1), MP_EINVAL);
        const mp_manager_options options = {.address = bad[i]};
        assert_mp_error(mp_manager_serve(&options), MP_EINVAL);
    }
    assert_mp_error(create_at(managers_path("no folder/manager.sock"), &m), -ENOENT);
}

static int make_manager_in_vain(void *unused)
{
    mp_manager *m = NULL;
    (void)unused;
    assert_mp_error(mp_manager_create(&m, NULL), MP_ESTATE);
    check(m == NULL);
    return 0;
}

static void test_a_daemonic_process_makes_no_manager(void **state)
{
    (void)state;
    mp_process *process;
    int code = -1;
    const mp_process_options options = {.daemon = MP_DAEMON_YES};
    assert_mp_result(mp_process_create(&process, make_manager_in_vain, NULL, 0, &options), 0);
    assert_mp_result(mp_process_start(process), 0);
    assert_mp_result(mp_process_join(process, MP_FOREVER), 0);
    assert_mp_result(mp_process_exitcode(process, &code), 1);
    check(code == 0);
    mp_process_destroy(process);
}

static int fail_if_not_null(void *arg)
{
    return arg != NULL;
}

/* An initializer that kills the server is none that went well either. */
static int kill_oneself(void *unused)
{
    (void)unused;
    return kill(getpid(), SIGKILL);
}

static void test_an_initializer_that_fails_makes_no_manager(void **state)
{
    (void)state;
    mp_manager *m = NULL;
    mp_manager_options options = {.address = managers_path("manager.sock"),
                                  .initializer = fail_if_not_null,
                                  .initarg = &options};
    assert_mp_error(mp_manager_create(&m, &options), MP_EDIED);
    assert_mp_error(mp_manager_serve(&options), MP_ETASK);
    options.initializer = kill_oneself;
    assert_mp_error(mp_manager_create(&m, &options), MP_EDIED);
    check(m == NULL);
    options.initializer = fail_if_not_null;
    options.initarg = NULL;
    assert_mp_result(mp_manager_create(&m, &options), 0); /* the address is free */
    end_manager(m);
}

/* ---- reaching -------------------------------------------------------------------------------- */

/* A socket of the system's: bound, and listening if asked for. */
static int bound_socket(const char *path, bool listening)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    check(fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof address) == 0);
    check(!listening || listen(fd, 5) == 0);
    return fd;
}

static void test_where_nobody_listens_the_system_says_so(void **state)
{
    (void)state;
    const char *path = managers_path("dead.sock");
    assert_mp_error(connect_to(managers_path("absent.sock"), 5), -ENOENT);
    assert_mp_error(connect_to(free_port(), 5), -ECONNREFUSED);
    assert_mp_error(connect_to("@nobody of that name", 5), -ECONNREFUSED);
    int fd = bound_socket(path, false);
    assert_mp_error(connect_to(path, 5), -ECONNREFUSED);
    (void)close(fd);
    assert_mp_error(connect_to(path, 5), -ECONNREFUSED);
    check(unlink(path) == 0);
}

static void test_another_key_is_refused(void **state)
{
    (void)state;
    mp_manager *m, *other = NULL;
    const mp_manager_options options = {
        .authkey = "right", .authkey_len = 5, .shutdown_timeout = 20};
    assert_mp_result(mp_manager_create(&m, &options), 0);
    const char *address = mp_manager_address(m);
    assert_mp_error(mp_manager_connect(&other, address, "wrong", 5, MP_FOREVER), MP_EAUTH);
    assert_mp_error(mp_manager_connect(&other, address, "right", 4, MP_FOREVER), MP_EAUTH);
    assert_mp_error(mp_manager_connect(&other, address, "right!", 6, MP_FOREVER), MP_EAUTH);
    assert_mp_error(mp_manager_connect(&other, address, "", 0, MP_FOREVER), MP_EAUTH);
    assert_mp_error(mp_manager_connect(&other, address, NULL, 0, MP_FOREVER), MP_EAUTH);
    check(other == NULL);
    assert_mp_result(mp_manager_connect(&other, address, "right", 5, MP_FOREVER), 0);
    mp_manager_destroy(other);
    end_manager(m);
}

/* Listens, takes one connection, and answers with these bytes. */
struct stranger {
    int fd;
    const char *bytes;
    size_t size;
};

static int answer_once(void *arg)
{
    const struct stranger *stranger = arg;
    int fd = accept(stranger->fd, NULL, NULL);
    check(fd >= 0);
    check(send(fd, stranger->bytes, stranger->size, MSG_NOSIGNAL) == (ssize_t)stranger->size);
    (void)shutdown(fd, SHUT_WR);
    char rest[512];
    while (recv(fd, rest, sizeof rest, 0) > 0)
        ;
    return 0;
}

static void stranger_says(const char *bytes, size_t size, int expected)
{
    const char *path = managers_path("stranger.sock");
    struct stranger stranger = {bound_socket(path, true), bytes, size};
    pid_t pid = child_fork(answer_once, &stranger);
    assert_mp_error(connect_to(path, 20), expected);
    check(child_wait(pid) == 0);
    (void)close(stranger.fd);
    check(unlink(path) == 0);
}

static void test_who_is_no_manager_is_found_out(void **state)
{
    (void)state;
    const char *path = managers_path("silent.sock");
    int fd = bound_socket(path, true);
    check(seconds_of(connect_to(path, 0.2), MP_ETIMEOUT) >= 0.2);
    assert_mp_error(connect_to(path, 0), MP_ETIMEOUT);
    assert_mp_error(connect_to(path, (double)NAN), MP_EINVAL);
    (void)close(fd);
    check(unlink(path) == 0);
    stranger_says("", 0, MP_EEOF);
    stranger_says("\0\0\0\5", 4, MP_EEOF);
    stranger_says("\0\0\0\5HELLO", 9, MP_EAUTH);
    stranger_says("HTTP/1.1 400 Bad Request\r\n\r\n", 28, MP_EAUTH);
}

/* ---- after the end --------------------------------------------------------------------------- */

struct leftovers {
    mp_dict *dict;
    mp_list *list;
    mp_namespace *namespace_;
    mp_proxy *proxy;
};

static struct leftovers new_leftovers(mp_manager *m)
{
    struct leftovers left = {.dict = new_dict(m, MP_DICT("key", 1)),
                             .list = new_list(m, MP_LIST(1)),
                             .proxy = new_proxy(m, "Queue", MP_NONE)};
    assert_mp_result(mp_manager_namespace(m, MP_DICT("name", 1), &left.namespace_), 0);
    return left;
}

static void leftovers_answer(const struct leftovers *left, int code)
{
    mp_obj got;
    assert_mp_error(mp_dict_get(left->dict, MP("key"), &got), code);
    assert_mp_error(mp_dict_set(left->dict, MP("key"), MP(2)), code);
    assert_mp_error(mp_dict_len(left->dict), code);
    assert_mp_error(mp_dict_print(left->dict, stdout), code);
    assert_mp_error(mp_list_get(left->list, 0, &got), code);
    assert_mp_error(mp_list_append(left->list, MP(2)), code);
    assert_mp_error(mp_namespace_get(left->namespace_, "name", &got), code);
    assert_mp_error(mp_namespace_set(left->namespace_, "name", MP(2)), code);
    assert_mp_error(call(left->proxy, "qsize", MP_NONE), code);
    assert_mp_error(mp_proxy_getvalue(mp_list_proxy(left->list), &got), code);
    assert_mp_error(mp_proxy_print(left->proxy, stdout), code);
}

static void manager_answers(mp_manager *m, int code)
{
    mp_dict *dict = NULL;
    mp_list *list = NULL;
    mp_namespace *namespace_ = NULL;
    mp_proxy *proxy = NULL;
    assert_mp_error(mp_manager_dict(m, MP_NONE, &dict), code);
    assert_mp_error(mp_manager_list(m, MP_NONE, &list), code);
    assert_mp_error(mp_manager_namespace(m, MP_NONE, &namespace_), code);
    assert_mp_error(mp_manager_proxy(m, "Lock", MP_NONE, MP_NONE, &proxy), code);
    assert_mp_error(mp_manager_number_of_objects(m), code);
    check(dict == NULL && list == NULL && namespace_ == NULL && proxy == NULL);
}

/* What asks nobody works on. */
static void end_leftovers(struct leftovers *left)
{
    char text[128];
    check(strcmp(mp_proxy_typeid(left->proxy), "Queue") == 0);
    (void)assert_mp_ok(mp_dict_repr(left->dict, text, sizeof text));
    mp_dict_destroy(left->dict);
    mp_list_destroy(left->list);
    mp_namespace_destroy(left->namespace_);
    mp_proxy_destroy(left->proxy);
}

static int find_it_dead(void *arg)
{
    leftovers_answer(arg, MP_EDIED);
    end_leftovers(arg);
    return 0;
}

struct late_child {
    struct leftovers left;
    struct signal_pipe ready, go_on;
};

static int await_then_find_it_dead(void *arg)
{
    struct late_child *late = arg;
    assert_mp_result(mp_dict_len(late->left.dict), 1);
    pipe_tell(&late->ready, 'r');
    check(pipe_await(&late->go_on) == 'g');
    return find_it_dead(&late->left);
}

static void test_after_shutdown_everything_is_closed(void **state)
{
    (void)state;
    mp_manager *m = new_manager();
    struct late_child late = {.left = new_leftovers(m)};
    pipe_open(&late.ready);
    pipe_open(&late.go_on);
    pid_t pid = child_fork(await_then_find_it_dead, &late);
    check(pipe_await(&late.ready) == 'r');
    assert_mp_result(mp_manager_shutdown(m), 0);
    pipe_tell(&late.go_on, 'g');
    manager_answers(m, MP_ECLOSED);
    leftovers_answer(&late.left, MP_ECLOSED);
    assert_mp_result(mp_manager_shutdown(m), 0);
    assert_mp_result(mp_manager_join(m, MP_NOWAIT), 0);
    check(mp_manager_address(m) != NULL);
    check(managers_names() == 0);
    mp_manager_destroy(m);
    leftovers_answer(&late.left, MP_ECLOSED);
    end_leftovers(&late.left);
    check(child_wait(pid) == 0);
    pipe_close(&late.ready);
    pipe_close(&late.go_on);
}

static void test_destroy_alone_closes_everything(void **state)
{
    (void)state;
    mp_manager *m = new_manager();
    struct leftovers left = new_leftovers(m);
    mp_manager_destroy(m);
    check(managers_names() == 0);
    leftovers_answer(&left, MP_ECLOSED);
    end_leftovers(&left);
    mp_manager_destroy(NULL);
}

static void test_of_a_killed_server_every_call_says_so(void **state)
{
    (void)state;
    mp_manager *m = new_manager();
    struct leftovers left = new_leftovers(m);
    assert_mp_result(kill(server_pid(m), SIGKILL), 0);
    leftovers_answer(&left, MP_EDIED);
    check(strlen(mp_error_detail()) > 0);
    manager_answers(m, MP_EDIED);
    check(strlen(mp_error_detail()) > 0);
    assert_mp_result(mp_manager_join(m, MP_FOREVER), 0);
    assert_mp_error(mp_dict_len(left.dict), MP_EDIED);
    child_must_succeed(find_it_dead, &left);
    assert_mp_result(mp_manager_shutdown(m), 0);
    assert_mp_error(mp_dict_len(left.dict), MP_ECLOSED);
    mp_manager_destroy(m);
    end_leftovers(&left);
}

/* As seen by one who did not start it, and who may start anew at the same address. */
static void test_a_connection_survives_no_restart(void **state)
{
    (void)state;
    const char *address = managers_path("manager.sock");
    mp_manager *m = new_manager_at(address), *other = connected_to(m);
    mp_dict *dict = new_dict(other, MP_DICT("key", 1));
    assert_mp_result(kill(server_pid(m), SIGKILL), 0);
    assert_mp_error(mp_dict_len(dict), MP_EDIED);
    mp_manager_destroy(m);
    m = new_manager_at(address);
    check(mp_dict_len(dict) < 0); /* another server knows nothing of it */
    mp_dict_destroy(dict);
    mp_manager_destroy(other);
    end_empty_manager(m);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        manager_test("an address in use is refused, and its server goes on",
                     test_an_address_in_use_is_refused_and_its_server_goes_on),
        manager_test("what is no address is no manager", test_what_is_no_address_is_no_manager),
        manager_test("a daemonic process makes no manager",
                     test_a_daemonic_process_makes_no_manager),
        manager_test("an initializer that fails makes no manager",
                     test_an_initializer_that_fails_makes_no_manager),
        manager_test("where nobody listens the system says so",
                     test_where_nobody_listens_the_system_says_so),
        manager_test("another key is refused", test_another_key_is_refused),
        manager_test("who is no manager is found out", test_who_is_no_manager_is_found_out),
        manager_test("after shutdown everything is closed",
                     test_after_shutdown_everything_is_closed),
        manager_test("destroy alone closes everything", test_destroy_alone_closes_everything),
        manager_test("of a killed server every call says so",
                     test_of_a_killed_server_every_call_says_so),
        manager_test("a connection survives no restart", test_a_connection_survives_no_restart),
    };
    return managers_run("Managers: errors", tests);
}
