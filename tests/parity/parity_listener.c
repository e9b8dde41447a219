/* Python's TestListener, TestListenerClient and TestInvalidFamily. */
#include "parity.h"
#include "wire/doors.h"

#include <errno.h>

static void expect_object(mp_connection *c, mp_obj expected)
{
    mp_obj got;
    assert_mp_result(mp_connection_recv(c, &got), 0);
    check(mp_obj_equal(got, expected) && got.type == expected.type);
    mp_obj_free(&got);
}

/* ---- TestListener ----------------------------------------------------------------------------- */

static void test_multiple_bind(void **state)
{
    (void)state;
    for (int family = 0; family < DOOR_FAMILIES; family++) {
        mp_listener *l = open_listener(door_address(family), NULL), *second = NULL;
        assert_mp_error(mp_listener_create(&second, mp_listener_address(l), NULL), -EADDRINUSE);
        check(second == NULL);
        mp_listener_destroy(l);
    }
}

static void check_context(const char *address)
{
    mp_listener *l = open_listener(address, NULL);
    mp_connection *c = connect_to(mp_listener_address(l), NULL), *d = accept_from(l);
    assert_mp_result(mp_connection_send(c, MP(1729)), 0);
    expect_object(d, MP(1729));
    mp_connection_destroy(d);
    mp_connection_destroy(c);
    assert_mp_result(mp_listener_close(l), 0);
    assert_mp_error(mp_listener_accept(l, &d, MP_FOREVER), MP_ECLOSED);
    mp_listener_destroy(l);
}

static void test_context(void **state)
{
    (void)state;
    check_context(door_address(0));
}

static int send_behind_an_empty_key(void *arg)
{
    mp_connection *client = connect_to(mp_listener_address(arg), "");
    assert_mp_result(mp_connection_send(client, MP(1729)), 0);
    mp_connection_destroy(client);
    return 0;
}

static void test_empty_authkey(void **state)
{
    (void)state;
    mp_listener *listener = open_listener(NULL, "");
    mp_connection *d;
    struct target_thread thread;
    start_thread(&thread, send_behind_an_empty_key, listener);
    d = accept_from(listener);
    expect_object(d, MP(1729));
    finish_thread(&thread);
    mp_connection_destroy(d);
    assert_mp_result(mp_listener_close(listener), 0);
    assert_mp_error(mp_listener_accept(listener, &d, MP_FOREVER), MP_ECLOSED);
    mp_listener_destroy(listener);
}

static void test_abstract_socket(void **state)
{
    (void)state;
    check_context(door_address(1));
}

/* ---- TestListenerClient ----------------------------------------------------------------------- */

static int say_hello(void *arg)
{
    mp_connection *conn = connect_to(arg, NULL);
    assert_mp_result(mp_connection_send(conn, MP("hello")), 0);
    mp_connection_destroy(conn);
    return 0;
}

static mp_process *start_hello(const mp_listener *l)
{
    const char *address = mp_listener_address(l);
    return start_process(say_hello, address, strlen(address) + 1);
}

static void test_listener_client(void **state)
{
    (void)state;
    for (int family = 0; family < DOOR_FAMILIES; family++) {
        mp_listener *l = open_listener(door_address(family), NULL);
        mp_process *p = start_hello(l);
        mp_connection *conn = accept_from(l);
        expect_object(conn, MP("hello"));
        finish_process_with(p, 0);
        mp_connection_destroy(conn);
        mp_listener_destroy(l);
    }
}

static void test_issue14725(void **state)
{
    (void)state;
    for (int family = 0; family < DOOR_FAMILIES; family++) {
        mp_listener *l = open_listener(door_address(family), NULL);
        finish_process_with(start_hello(l), 0); /* it has connected, written and closed */
        mp_connection *conn = accept_from(l);
        expect_object(conn, MP("hello"));
        assert_mp_error(mp_connection_recv(conn, NULL), MP_EEOF);
        mp_connection_destroy(conn);
        mp_listener_destroy(l);
    }
}

static void test_issue16955(void **state)
{
    (void)state;
    for (int family = 0; family < DOOR_FAMILIES; family++) {
        mp_listener *l = open_listener(door_address(family), NULL);
        mp_connection *c = connect_to(mp_listener_address(l), NULL), *a = accept_from(l);
        assert_mp_result(mp_connection_poll(c, MP_NOWAIT), 0);
        assert_mp_result(mp_connection_send_bytes(a, "hello", 5), 0);
        assert_mp_result(mp_connection_poll(c, 30), 1);
        mp_connection_destroy(a);
        mp_connection_destroy(c);
        mp_listener_destroy(l);
    }
}

/* ---- TestInvalidFamily ------------------------------------------------------------------------ */

static void test_invalid_family(void **state)
{
    (void)state;
    mp_listener *l = NULL;
    mp_connection *c = NULL;
    assert_mp_error(mp_listener_create(&l, "\\\\.\\test", NULL), MP_EINVAL);
    assert_mp_error(mp_client(&c, "\\\\.\\test", NULL, MP_FOREVER), MP_EINVAL);
    check(l == NULL && c == NULL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("TestListener.test_multiple_bind: an address in use is refused",
                     test_multiple_bind),
        support_test("TestListener.test_context: no accept after close", test_context),
        support_test("TestListener.test_empty_authkey: a key of no bytes is one",
                     test_empty_authkey),
        support_test("TestListener.test_abstract_socket: a name without a file",
                     test_abstract_socket),
        support_test("TestListenerClient.test_listener_client: what the client says is heard",
                     test_listener_client),
        support_test("TestListenerClient.test_issue14725: said and closed before accept",
                     test_issue14725),
        support_test("TestListenerClient.test_issue16955: poll sees what came", test_issue16955),
        support_test("TestInvalidFamily.test_invalid_family: no pipes of Windows",
                     test_invalid_family),
    };
    open_the_first_door();
    return support_run_processes("TestListener", tests);
}
