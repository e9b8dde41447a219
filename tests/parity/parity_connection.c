/* Python's TestConnection: messages, ends, descriptors. */
#include "parity.h"

#include <errno.h>
#include <fcntl.h>
#include <mp/connection.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void expect_bytes(mp_connection *c, const char *expected)
{
    char *got;
    size_t n;
    assert_mp_result(mp_connection_recv_bytes(c, (void **)&got, &n), 0);
    check(n == strlen(expected) && memcmp(got, expected, n) == 0);
    free(got);
}

static void expect_object(mp_connection *c, mp_obj expected)
{
    mp_obj got;
    assert_mp_result(mp_connection_recv(c, &got), 0);
    check(mp_obj_equal(got, expected) && got.type == expected.type);
    mp_obj_free(&got);
}

static void send_bytes(mp_connection *c, const char *text)
{
    assert_mp_result(mp_connection_send_bytes(c, text, strlen(text)), 0);
}

/* Sends back what comes, until a message of no bytes. */
static int echo(void *arg)
{
    mp_connection *c = *(mp_connection **)arg;
    for (;;) {
        void *message;
        size_t n;
        assert_mp_result(mp_connection_recv_bytes(c, &message, &n), 0);
        if (n > 0)
            assert_mp_result(mp_connection_send_bytes(c, message, n), 0);
        free(message);
        if (n == 0)
            break;
    }
    mp_connection_destroy(c);
    return 0;
}

/* A poll that must find nothing, with the time it may take. */
static void expect_nothing(mp_connection *c, double timeout, double least, double most)
{
    for (struct timing timing = {.least = least, .most = most}; try_again(&timing);)
        assert_mp_result(mp_connection_poll(c, timeout), 0);
}

static void exchange_bytes(mp_connection *conn)
{
    static const int numbers[] = {0, 1, 2, 3};
    int buffer[10] = {0};
    size_t n;
    send_bytes(conn, "hello world");
    expect_bytes(conn, "hello world");

    assert_mp_result(mp_connection_send_bytes(conn, numbers, sizeof numbers), 0);
    assert_mp_result(mp_connection_recv_bytes_into(conn, buffer, sizeof buffer, &n), 0);
    check(n == sizeof numbers && memcmp(buffer, numbers, n) == 0 && buffer[4] == 0);

    memset(buffer, 0, sizeof buffer); /* with an offset */
    assert_mp_result(mp_connection_send_bytes(conn, numbers, sizeof numbers), 0);
    assert_mp_result(mp_connection_recv_bytes_into(conn, buffer + 3, sizeof buffer - 12, &n), 0);
    check(n == sizeof numbers && buffer[2] == 0 && memcmp(buffer + 3, numbers, n) == 0);

    static const char too_long[] = "this is a message that the buffer above has no room for";
    send_bytes(conn, too_long);
    assert_mp_error(mp_connection_recv_bytes_into(conn, buffer, sizeof buffer, &n), MP_ETOOSHORT);
    check(n == strlen(too_long));
    expect_bytes(conn, too_long); /* whole, where Python's exception has it */
}

static void exchange_much(mp_connection *conn)
{
    static const size_t size = (size_t)16 << 20;
    unsigned char *message = malloc(size), *got;
    size_t n;
    for (size_t i = 0; i < size; i++)
        message[i] = (unsigned char)(i * i >> 7);
    assert_mp_result(mp_connection_send_bytes(conn, message, size), 0);
    assert_mp_result(mp_connection_recv_bytes(conn, (void **)&got, &n), 0);
    check(n == size && memcmp(got, message, n) == 0);
    free(got);
    free(message);
}

static void test_connection(void **state)
{
    (void)state;
    mp_connection *conn, *child_conn;
    assert_mp_result(mp_pipe(&conn, &child_conn, true), 0);
    mp_process *p = start_process(echo, &child_conn, sizeof child_conn);
    mp_obj sequence = MP_LIST(1, 2.25, mp_obj_none());
    assert_mp_result(mp_connection_send(conn, sequence), 0);
    expect_object(conn, sequence);
    exchange_bytes(conn);

    expect_nothing(conn, 0, 0, 0.2);
    expect_nothing(conn, -1, 0, 0.2);
    expect_nothing(conn, 0.2, 0.2, 1.0);
    assert_mp_result(mp_connection_send(conn, mp_obj_none()), 0);
    assert_mp_result(mp_connection_poll(conn, 10), 1);
    expect_object(conn, mp_obj_none());
    exchange_much(conn);

    check(mp_connection_readable(conn) && mp_connection_writable(conn));
    send_bytes(conn, "");
    mp_connection_destroy(child_conn);
    mp_obj object;
    assert_mp_error(mp_connection_recv(conn, &object), MP_EEOF);
    assert_mp_error(mp_connection_recv_bytes(conn, NULL, NULL), MP_EEOF);
    finish_process_with(p, 0);
    mp_connection_destroy(conn);
}

static void test_duplex_false(void **state)
{
    (void)state;
    mp_connection *reader, *writer;
    mp_obj object;
    assert_mp_result(mp_pipe(&reader, &writer, false), 0);
    assert_mp_result(mp_connection_send(writer, MP(1)), 0);
    expect_object(reader, MP(1));
    check(mp_connection_readable(reader) && !mp_connection_writable(reader));
    check(!mp_connection_readable(writer) && mp_connection_writable(writer));
    assert_mp_error(mp_connection_send(reader, MP(2)), MP_ESTATE);
    assert_mp_error(mp_connection_recv(writer, &object), MP_ESTATE);
    assert_mp_error(mp_connection_poll(writer, MP_NOWAIT), MP_ESTATE);
    mp_connection_destroy(reader);
    mp_connection_destroy(writer);
}

/* The parent may close the child's end as soon as the child has been started. */
static void test_spawn_close(void **state)
{
    (void)state;
    mp_connection *conn, *child_conn;
    assert_mp_result(mp_pipe(&conn, &child_conn, true), 0);
    mp_process *p = start_process(echo, &child_conn, sizeof child_conn);
    mp_connection_destroy(child_conn);
    send_bytes(conn, "hello");
    expect_bytes(conn, "hello");
    send_bytes(conn, "");
    mp_connection_destroy(conn);
    finish_process_with(p, 0);
}

/* Offset and size are the caller's pointer and length. */
static void test_sendbytes(void **state)
{
    (void)state;
    static const char message[] = "abcdefghijklmnopqrstuvwxyz";
    mp_connection *a, *b;
    assert_mp_result(mp_pipe(&a, &b, true), 0);
    send_bytes(a, message);
    expect_bytes(b, message);
    assert_mp_result(mp_connection_send_bytes(a, message + 5, 21), 0);
    expect_bytes(b, message + 5);
    assert_mp_result(mp_connection_send_bytes(a, message + 7, 8), 0);
    expect_bytes(b, "hijklmno");
    assert_mp_result(mp_connection_send_bytes(a, message + 26, 0), 0);
    expect_bytes(b, "");
    assert_mp_result(mp_connection_send_bytes(a, NULL, 0), 0);
    expect_bytes(b, "");
    assert_mp_error(mp_connection_send_bytes(a, NULL, 4), MP_EINVAL);
    assert_mp_result(mp_connection_poll(b, MP_NOWAIT), 0);
    mp_connection_destroy(a);
    mp_connection_destroy(b);
}

/* ---- descriptors ------------------------------------------------------------------------------ */

struct fd_task {
    mp_connection *conn;
    const char *text;
    bool far_away; /* the child's first 256 descriptors are in use */
};

static int write_to_received_fd(void *arg)
{
    const struct fd_task *task = arg;
    int fds[300], used = 0, highest = -1;
    while (task->far_away && highest < 256) {
        highest = fds[used++] = dup(0);
        check(highest >= 0);
    }
    int fd = assert_mp_ok(mp_connection_recv_fd(task->conn));
    check(!task->far_away || fd > 256);
    check(write(fd, task->text, strlen(task->text)) == (ssize_t)strlen(task->text));
    close(fd);
    while (used > 0)
        close(fds[--used]);
    return 0;
}

static void transfer_fd(bool far_away)
{
    struct fd_task task = {.text = far_away ? "bar" : "foo", .far_away = far_away};
    mp_connection *conn;
    char text[8];
    assert_mp_result(mp_pipe(&conn, &task.conn, true), 0);
    mp_process *p = start_process(write_to_received_fd, &task, sizeof task);
    FILE *file = nameless_file();
    assert_mp_result(mp_connection_send_fd(conn, fileno(file)), 0);
    finish_process_with(p, 0);
    read_file(file, text, sizeof text);
    check(strcmp(text, task.text) == 0);
    fclose(file);
    mp_connection_destroy(conn);
    mp_connection_destroy(task.conn);
}

static void test_fd_transfer(void **state)
{
    (void)state;
    transfer_fd(false);
}

static void test_large_fd_transfer(void **state)
{
    (void)state;
    transfer_fd(true);
}

static int send_a_byte_without_fd(void *arg)
{
    mp_connection *c = *(mp_connection **)arg;
    check(write(mp_connection_fileno(c), "\1", 1) == 1);
    return 0;
}

static void test_missing_fd_transfer(void **state)
{
    (void)state;
    mp_connection *conn, *child_conn;
    assert_mp_result(mp_pipe(&conn, &child_conn, true), 0);
    mp_process *p = start_process(send_a_byte_without_fd, &child_conn, sizeof child_conn);
    assert_mp_error(mp_connection_recv_fd(conn), MP_ETYPE);
    finish_process_with(p, 0);
    mp_connection_destroy(conn);
    mp_connection_destroy(child_conn);
}

/* What leaving Python's with-block does is close. */
static void test_context(void **state)
{
    (void)state;
    mp_connection *a, *b;
    mp_obj object;
    assert_mp_result(mp_pipe(&a, &b, true), 0);
    assert_mp_result(mp_connection_send(a, MP(1729)), 0);
    expect_object(b, MP(1729));
    assert_mp_result(mp_connection_close(a), 0);
    assert_mp_result(mp_connection_close(b), 0);
    check(mp_connection_closed(a) && mp_connection_closed(b));
    assert_mp_error(mp_connection_recv(a, &object), MP_ECLOSED);
    assert_mp_error(mp_connection_recv(b, &object), MP_ECLOSED);
    mp_connection_destroy(a);
    mp_connection_destroy(b);
}

static void test_wait_empty(void **state)
{
    (void)state;
    for (struct timing timing = {.least = 0.2, .most = 1.0}; try_again(&timing);)
        assert_mp_result(mp_wait(NULL, 0, 0.2), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("TestConnection.test_connection: objects, bytes, buffers, poll, the end",
                     test_connection),
        support_test("TestConnection.test_duplex_false: each end goes one way", test_duplex_false),
        support_test("TestConnection.test_spawn_close: the parent closes the child's end at once",
                     test_spawn_close),
        support_test("TestConnection.test_sendbytes: parts of a buffer, none of it",
                     test_sendbytes),
        support_test("TestConnection.test_fd_transfer: a descriptor goes to a child",
                     test_fd_transfer),
        support_test("TestConnection.test_large_fd_transfer: one above 256",
                     test_large_fd_transfer),
        support_test("TestConnection.test_missing_fd_transfer: a byte without a descriptor",
                     test_missing_fd_transfer),
        support_test("TestConnection.test_context: closed, nothing is received", test_context),
        support_test("TestConnection.test_wait_empty: the time is slept out", test_wait_empty),
    };
    return support_run_processes("TestConnection", tests);
}
