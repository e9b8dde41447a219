/* Descriptors passed over connections. */
#include "wire/pairs.h"

#include <errno.h>
#include <fcntl.h>
#include <mp/connection.h>
#include <mp/timeout.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Sends bytes with some descriptors beside them, as a peer of its own mind might. */
static void send_raw(mp_connection *c, const char *bytes, const int *fd, size_t count)
{
    _Alignas(struct cmsghdr) unsigned char room[CMSG_SPACE(8 * sizeof(int))] = {0};
    struct iovec piece = {(void *)(uintptr_t)bytes, strlen(bytes)};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    if (count > 0) {
        message.msg_control = room;
        message.msg_controllen = (socklen_t)CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = (socklen_t)CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(head), fd, count * sizeof(int));
    }
    check(sendmsg(mp_connection_fileno(c), &message, 0) == (ssize_t)strlen(bytes));
}

static bool same_file(int one, int other)
{
    char text[2] = "?";
    check(pwrite(one, "!", 1, 0) == 1 && pread(other, text, 1, 0) == 1);
    return text[0] == '!';
}

static int scratch_file(void)
{
    FILE *file = tmpfile();
    check(file != NULL);
    int fd = dup(fileno(file));
    fclose(file);
    return fd;
}

static void test_a_descriptor_arrives_and_is_close_on_exec(void **state)
{
    (void)state;
    struct pair pair = open_pair(true);
    int file = scratch_file();
    assert_mp_result(mp_connection_send_bytes(pair.a, "before", 6), 0);
    assert_mp_result(mp_connection_send_fd(pair.a, file), 0);
    assert_mp_result(mp_connection_send_bytes(pair.a, "after", 5), 0);
    assert_mp_result(mp_connection_recv_bytes(pair.b, NULL, NULL), 0);
    int got = assert_mp_ok(mp_connection_recv_fd(pair.b));
    check(got != file && got > 2 && same_file(file, got));
    check(fcntl(got, F_GETFD) == FD_CLOEXEC);
    char text[8];
    size_t n;
    assert_mp_result(mp_connection_recv_bytes_into(pair.b, text, sizeof text, &n), 0);
    check(n == 5 && memcmp(text, "after", 5) == 0);
    close(got);
    close(file);
    close_pair(&pair);
}

static void test_the_sender_may_close_at_once(void **state)
{
    (void)state;
    struct pair pair = open_pair(true);
    int file = scratch_file(), twin = dup(file);
    assert_mp_result(mp_connection_send_fd(pair.a, file), 0);
    close(file);
    mp_connection_destroy(pair.a);
    int got = assert_mp_ok(mp_connection_recv_fd(pair.b));
    check(same_file(got, twin));
    close(got);
    close(twin);
    assert_mp_error(mp_connection_recv_fd(pair.b), MP_EEOF);
    mp_connection_destroy(pair.b);
}

static int receive_without_streams(void *arg)
{
    struct pair *pair = arg;
    for (int fd = 0; fd < 3; fd++)
        close(fd);
    check(assert_mp_ok(mp_connection_recv_fd(pair->b)) > 2);
    for (int fd = 0; fd < 3; fd++)
        check(fcntl(fd, F_GETFD) < 0);
    return 0;
}

static void test_a_descriptor_never_becomes_a_standard_stream(void **state)
{
    (void)state;
    struct pair pair = open_pair(true);
    int file = scratch_file();
    assert_mp_result(mp_connection_send_fd(pair.a, file), 0);
    child_must_succeed(receive_without_streams, &pair);
    close(file);
    close_pair(&pair);
}

static void test_a_byte_without_a_descriptor_is_an_error(void **state)
{
    (void)state;
    struct pair pair = open_pair(true);
    send_raw(pair.a, "\1", NULL, 0);
    assert_mp_error(mp_connection_recv_fd(pair.b), MP_ETYPE);
    check(strlen(mp_error_detail()) > 0);
    assert_mp_result(mp_connection_poll(pair.b, MP_NOWAIT), 0);
    close_pair(&pair);
}

static void test_other_numbers_of_descriptors_are_errors_and_leave_none_open(void **state)
{
    (void)state;
    struct pair pair = open_pair(true);
    int file[3] = {scratch_file(), scratch_file(), scratch_file()};
    int before = census_open_descriptors();
    send_raw(pair.a, "\2", file, 2);
    assert_mp_error(mp_connection_recv_fd(pair.b), MP_ETYPE);
    send_raw(pair.a, "\1", file, 3);
    assert_mp_error(mp_connection_recv_fd(pair.b), MP_ETYPE);
    send_raw(pair.a, "\7", file, 1);
    assert_mp_error(mp_connection_recv_fd(pair.b), MP_ETYPE);
    check(census_open_descriptors() == before);
    for (int i = 0; i < 3; i++)
        close(file[i]);
    close_pair(&pair);
}

static int receive_with_no_room(void *arg)
{
    struct pair *pair = arg;
    int last = -1, fd;
    while ((fd = dup(0)) >= 0)
        last = fd;
    assert_mp_error(mp_connection_recv_fd(pair->b), -EMFILE);
    close(last);
    check(assert_mp_ok(mp_connection_recv_fd(pair->b)) == last);
    return 0;
}

static void test_no_room_for_a_descriptor_is_said(void **state)
{
    (void)state;
    struct pair pair = open_pair(true);
    assert_mp_result(mp_connection_send_fd(pair.a, 0), 0);
    assert_mp_result(mp_connection_send_fd(pair.a, 0), 0);
    child_must_succeed(receive_with_no_room, &pair);
    close_pair(&pair);
}

static void test_only_sockets_pass_descriptors(void **state)
{
    (void)state;
    mp_connection *a, *b;
    assert_mp_result(mp_pipe(&a, &b, false), 0);
    assert_mp_error(mp_connection_send_fd(b, 0), -ENOTSOCK);
    assert_mp_error(mp_connection_recv_fd(a), -ENOTSOCK);
    mp_connection_destroy(a);
    mp_connection_destroy(b);
}

static void test_what_is_not_open_cannot_be_sent(void **state)
{
    (void)state;
    struct pair pair = open_pair(true);
    int fd = dup(0);
    close(fd);
    assert_mp_error(mp_connection_send_fd(pair.a, fd), -EBADF);
    assert_mp_result(mp_connection_poll(pair.b, MP_NOWAIT), 0);
    mp_connection_destroy(pair.b);
    assert_mp_error(mp_connection_send_fd(pair.a, 0), -EPIPE);
    mp_connection_destroy(pair.a);
}

/* A frame's bytes may carry a descriptor nobody asked for: it must not stay open. */
static void test_a_descriptor_beside_a_message_is_dropped(void **state)
{
    (void)state;
    struct pair pair = open_pair(true);
    int file = scratch_file();
    int before = census_open_descriptors();
    unsigned char frame[] = {0, 0, 0, 2, 'o', 'k'};
    check(write(mp_connection_fileno(pair.a), frame, 3) == 3);
    send_raw(pair.a, "\2ok", &file, 1);
    void *buf;
    size_t n;
    assert_mp_result(mp_connection_recv_bytes(pair.b, &buf, &n), 0);
    check(n == 2 && memcmp(buf, "ok", 3) == 0);
    free(buf);
    check(census_open_descriptors() == before);
    close(file);
    close_pair(&pair);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("Descriptors: one arrives, and is close-on-exec",
                     test_a_descriptor_arrives_and_is_close_on_exec),
        support_test("Descriptors: the sender may close at once",
                     test_the_sender_may_close_at_once),
        support_test("Descriptors: none becomes a standard stream",
                     test_a_descriptor_never_becomes_a_standard_stream),
        support_test("Descriptors: a byte without one is an error",
                     test_a_byte_without_a_descriptor_is_an_error),
        support_test("Descriptors: other numbers of them are errors and leave none open",
                     test_other_numbers_of_descriptors_are_errors_and_leave_none_open),
        support_test("Descriptors: no room for one is said", test_no_room_for_a_descriptor_is_said),
        support_test("Descriptors: only sockets pass them", test_only_sockets_pass_descriptors),
        support_test("Descriptors: what is not open cannot be sent",
                     test_what_is_not_open_cannot_be_sent),
        support_test("Descriptors: one beside a message is dropped",
                     test_a_descriptor_beside_a_message_is_dropped),
    };
    return support_run("Descriptors", tests);
}
