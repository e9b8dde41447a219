/* Python's TestIgnoreEINTR: receiving, sending and accepting that signals interrupt. */
#include "parity.h"

#include <mp/connection.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* More than a socket's buffers take. */
#define MUCH ((size_t)4 << 20)

static volatile sig_atomic_t signals_seen;

static void count_signal(int signal_number)
{
    (void)signal_number;
    signals_seen++;
}

struct task {
    mp_connection *conn;
    mp_semaphore *ready;
};

static int receive_then_send_much(void *arg)
{
    const struct task *task = arg;
    struct sigaction action = {.sa_handler = count_signal};
    mp_obj object;
    unsigned char *much = calloc(1, MUCH);
    check(sigaction(SIGUSR1, &action, NULL) == 0);
    assert_mp_ok(mp_semaphore_release(task->ready));
    assert_mp_result(mp_connection_recv(task->conn, &object), 0);
    assert_mp_result(mp_connection_send(task->conn, object), 0);
    mp_obj_free(&object);
    memset(much, 'x', MUCH);
    assert_mp_result(mp_connection_send_bytes(task->conn, much, MUCH), 0);
    free(much);
    check(signals_seen >= 2);
    return 0;
}

static void interrupt_sleeper(mp_process *p)
{
    check(child_await_sleep(mp_process_pid(p)));
    check(kill(mp_process_pid(p), SIGUSR1) == 0);
}

static void test_ignore(void **state)
{
    (void)state;
    mp_connection *conn;
    struct task task = {.ready = new_semaphore()};
    mp_obj object;
    unsigned char *much;
    size_t n;
    assert_mp_result(mp_pipe(&conn, &task.conn, true), 0);
    mp_process *p = start_process(receive_then_send_much, &task, sizeof task);
    take(task.ready);
    interrupt_sleeper(p); /* in recv */
    mp_sleep(0.05);
    assert_mp_result(mp_connection_send(conn, MP(1234)), 0);
    assert_mp_result(mp_connection_recv(conn, &object), 0);
    check(mp_obj_equal(object, MP(1234)));
    mp_obj_free(&object);
    for (int i = 0; i < 5; i++) { /* in send_bytes, for which there is no room */
        interrupt_sleeper(p);
        mp_sleep(0.02);
    }
    assert_mp_result(mp_connection_recv_bytes(conn, (void **)&much, &n), 0);
    check(n == MUCH);
    for (size_t i = 0; i < n; i++)
        if (much[i] != 'x')
            support_fail(__FILE__, __LINE__, "byte %zu is %d", i, much[i]);
    free(much);
    finish_process_with(p, 0);
    mp_semaphore_destroy(task.ready);
    mp_connection_destroy(conn);
    mp_connection_destroy(task.conn);
}

static int accept_once(void *arg)
{
    const struct task *task = arg;
    struct sigaction action = {.sa_handler = count_signal};
    mp_listener *l;
    mp_connection *a;
    check(sigaction(SIGUSR1, &action, NULL) == 0);
    assert_mp_result(mp_listener_create(&l, NULL, NULL), 0);
    assert_mp_result(mp_connection_send(task->conn, MP(mp_listener_address(l))), 0);
    assert_mp_result(mp_listener_accept(l, &a, MP_FOREVER), 0);
    check(signals_seen >= 1);
    assert_mp_result(mp_connection_send(a, MP("welcome")), 0);
    mp_connection_destroy(a);
    mp_listener_destroy(l);
    return 0;
}

static void test_ignore_listener(void **state)
{
    (void)state;
    mp_connection *conn, *client;
    struct task task = {0};
    mp_obj address, object;
    const char *where;
    assert_mp_result(mp_pipe(&conn, &task.conn, true), 0);
    mp_process *p = start_process(accept_once, &task, sizeof task);
    assert_mp_result(mp_connection_recv(conn, &address), 0);
    for (int i = 0; i < 3; i++) {
        interrupt_sleeper(p); /* in accept */
        mp_sleep(0.02);
    }
    assert_mp_result(mp_obj_as_str(address, &where, NULL), 0);
    assert_mp_result(mp_client(&client, where, NULL, MP_FOREVER), 0);
    assert_mp_result(mp_connection_recv(client, &object), 0);
    check(mp_obj_equal(object, MP("welcome")));
    mp_obj_free(&object);
    mp_obj_free(&address);
    finish_process_with(p, 0);
    mp_connection_destroy(client);
    mp_connection_destroy(conn);
    mp_connection_destroy(task.conn);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("TestIgnoreEINTR.test_ignore: recv and a blocked send go on after signals",
                     test_ignore),
        support_test("TestIgnoreEINTR.test_ignore_listener: accept goes on after signals",
                     test_ignore_listener),
    };
    return support_run_processes("TestIgnoreEINTR", tests);
}
