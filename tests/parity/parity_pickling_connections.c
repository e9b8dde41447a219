/* Python's TestPicklingConnections: ends of connections given to processes that run already. As
 * objects hold no connections in C, an end travels by its descriptor. */
#include "parity.h"

#include <ctype.h>
#include <mp/connection.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void send_end(mp_connection *over, mp_connection *end)
{
    assert_mp_result(mp_connection_send_fd(over, mp_connection_fileno(end)), 0);
    mp_connection_destroy(end); /* at once */
}

static mp_connection *receive_end(mp_connection *over, bool readable, bool writable)
{
    mp_connection *end;
    int fd = assert_mp_ok(mp_connection_recv_fd(over));
    assert_mp_result(mp_connection_create(&end, fd, readable, writable), 0);
    return end;
}

static void expect_text(mp_connection *c, const char *text)
{
    mp_obj got;
    assert_mp_result(mp_connection_recv(c, &got), 0);
    check(mp_obj_equal(got, MP(text)));
    mp_obj_free(&got);
}

/* Hands the ends it makes to whoever asks: one for the asker, one for the remote. */
static int make_connections(void *arg)
{
    mp_connection *conn = *(mp_connection **)arg;
    mp_obj request;
    for (;;) {
        mp_connection *a, *b;
        assert_mp_result(mp_connection_recv(conn, &request), 0);
        if (request.type == MP_TYPE_NONE)
            return 0;
        mp_obj_free(&request);
        assert_mp_result(mp_pipe(&a, &b, true), 0);
        send_end(conn, a);
        send_end(conn, b);
    }
}

/* Answers on each end it is given, in capitals. */
static int answer_in_capitals(void *arg)
{
    mp_connection *conn = *(mp_connection **)arg;
    for (;;) {
        mp_obj text;
        const char *s;
        size_t n;
        char capitals[16] = "";
        assert_mp_result(mp_connection_recv(conn, &text), 0);
        if (text.type == MP_TYPE_NONE)
            return 0;
        assert_mp_ok(mp_obj_as_str(text, &s, &n));
        for (size_t i = 0; i < n && i < 15; i++)
            capitals[i] = (char)toupper((unsigned char)s[i]);
        mp_obj_free(&text);
        mp_connection *end = receive_end(conn, true, true);
        assert_mp_result(mp_connection_send(end, MP(capitals)), 0);
        mp_connection_destroy(end);
    }
}

static void test_pickling(void **state)
{
    (void)state;
    static const char *const messages[][2] = {{"hello", "HELLO"}, {"goodbye", "GOODBYE"}};
    mp_connection *lconn, *lconn0, *rconn, *rconn0;
    assert_mp_result(mp_pipe(&lconn, &lconn0, true), 0);
    mp_process *lp = start_process(make_connections, &lconn0, sizeof lconn0);
    assert_mp_result(mp_pipe(&rconn, &rconn0, true), 0);
    mp_process *rp = start_process(answer_in_capitals, &rconn0, sizeof rconn0);
    for (int i = 0; i < 2; i++) {
        assert_mp_result(mp_connection_send(lconn, MP("please")), 0);
        mp_connection *mine = receive_end(lconn, true, true);
        mp_connection *theirs = receive_end(lconn, true, true);
        assert_mp_result(mp_connection_send(rconn, MP(messages[i][0])), 0);
        send_end(rconn, theirs);
        expect_text(mine, messages[i][1]);
        assert_mp_error(mp_connection_recv_bytes(mine, NULL, NULL), MP_EEOF);
        mp_connection_destroy(mine);
    }
    assert_mp_result(mp_connection_send(lconn, mp_obj_none()), 0);
    assert_mp_result(mp_connection_send(rconn, mp_obj_none()), 0);
    finish_process_with(lp, 0);
    finish_process_with(rp, 0);
    mp_connection_destroy(lconn);
    mp_connection_destroy(lconn0);
    mp_connection_destroy(rconn);
    mp_connection_destroy(rconn0);
}

static int use_one_way_ends(void *arg)
{
    mp_connection *conn = *(mp_connection **)arg;
    mp_connection *w = receive_end(conn, false, true);
    assert_mp_result(mp_connection_send(w, MP("all is well")), 0);
    mp_connection_destroy(w);
    mp_connection *r = receive_end(conn, true, false);
    mp_obj message;
    assert_mp_result(mp_connection_recv(r, &message), 0);
    mp_connection_destroy(r);
    assert_mp_result(mp_connection_send(conn, MP_LIST(message, message)), 0);
    mp_obj_free(&message);
    return 0;
}

static void test_access(void **state)
{
    (void)state;
    mp_connection *conn, *child_conn, *r, *w;
    mp_obj answer;
    assert_mp_result(mp_pipe(&conn, &child_conn, true), 0);
    mp_process *p = start_process(use_one_way_ends, &child_conn, sizeof child_conn);
    mp_connection_destroy(child_conn);

    assert_mp_result(mp_pipe(&r, &w, false), 0);
    send_end(conn, w);
    expect_text(r, "all is well");
    mp_connection_destroy(r);

    assert_mp_result(mp_pipe(&r, &w, false), 0);
    send_end(conn, r);
    assert_mp_result(mp_connection_send(w, MP("foobar")), 0);
    mp_connection_destroy(w);
    assert_mp_result(mp_connection_recv(conn, &answer), 0);
    check(mp_obj_equal(answer, MP_LIST("foobar", "foobar")));
    mp_obj_free(&answer);
    finish_process_with(p, 0);
    mp_connection_destroy(conn);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("TestPicklingConnections.test_pickling: a connected socket goes to another",
                     test_pickling),
        support_test("TestPicklingConnections.test_access: one-way ends go to a running process",
                     test_access),
    };
    return support_run_processes("TestPicklingConnections", tests);
}
