/* Connections as objects: pipes and their descriptors, directions, the end, and bad arguments. */
#include "wire/pairs.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <mp/connection.h>
#include <mp/timeout.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void test_a_duplex_pipe_goes_both_ways(void **state)
{
    (void)state;
    mp_connection *a, *b;
    assert_mp_result(mp_pipe(&a, &b, true), 0);
    send_text(a, "there");
    send_text(b, "back");
    expect_text(a, "back");
    expect_text(b, "there");
    check(mp_connection_readable(a) && mp_connection_writable(a));
    check(mp_connection_readable(b) && mp_connection_writable(b));
    mp_connection_destroy(a);
    mp_connection_destroy(b);
}

static void test_a_simplex_pipe_goes_from_b_to_a(void **state)
{
    (void)state;
    mp_connection *a, *b;
    size_t n;
    char byte;
    assert_mp_result(mp_pipe(&a, &b, false), 0);
    check(mp_connection_readable(a) && !mp_connection_writable(a));
    check(!mp_connection_readable(b) && mp_connection_writable(b));
    assert_mp_error(mp_connection_send_bytes(a, "x", 1), MP_ESTATE);
    assert_mp_error(mp_connection_send_fd(a, 0), MP_ESTATE);
    assert_mp_error(mp_connection_recv_bytes(b, NULL, NULL), MP_ESTATE);
    assert_mp_error(mp_connection_recv_bytes_into(b, &byte, 1, &n), MP_ESTATE);
    assert_mp_error(mp_connection_recv_fd(b), MP_ESTATE);
    assert_mp_error(mp_connection_poll(b, MP_NOWAIT), MP_ESTATE);
    assert_mp_error(mp_connection_set_max_message(b, 1), MP_ESTATE);
    send_text(b, "one way");
    expect_text(a, "one way");
    mp_connection_destroy(a);
    mp_connection_destroy(b);
}

static void test_the_descriptors_of_a_pipe_are_close_on_exec(void **state)
{
    (void)state;
    for (int duplex = 0; duplex < 2; duplex++) {
        mp_connection *a, *b;
        assert_mp_result(mp_pipe(&a, &b, duplex), 0);
        check(fcntl(assert_mp_ok(mp_connection_fileno(a)), F_GETFD) == FD_CLOEXEC);
        check(fcntl(assert_mp_ok(mp_connection_fileno(b)), F_GETFD) == FD_CLOEXEC);
        mp_connection_destroy(a);
        mp_connection_destroy(b);
    }
}

static int open_pipe_without_streams(void *arg)
{
    mp_connection *a, *b;
    for (int fd = 0; fd < 3; fd++)
        close(fd);
    assert_mp_result(mp_pipe(&a, &b, *(bool *)arg), 0);
    check(mp_connection_fileno(a) > 2 && mp_connection_fileno(b) > 2);
    for (int fd = 0; fd < 3; fd++)
        check(fcntl(fd, F_GETFD) < 0);
    send_text(b, "still a pipe");
    expect_text(a, "still a pipe");
    mp_connection_destroy(a);
    mp_connection_destroy(b);
    return 0;
}

static void test_a_pipe_keeps_away_from_closed_standard_streams(void **state)
{
    (void)state;
    child_must_succeed(open_pipe_without_streams, &(bool){true});
    child_must_succeed(open_pipe_without_streams, &(bool){false});
}

static int run_out_of_descriptors(void *arg)
{
    (void)arg;
    mp_connection *a = NULL, *b = NULL;
    int last = -1, fd;
    while ((fd = open("/dev/null", O_RDONLY)) >= 0)
        last = fd;
    assert_mp_error(mp_pipe(&a, &b, true), -EMFILE);
    assert_mp_error(mp_pipe(&a, &b, false), -EMFILE);
    close(last);
    assert_mp_error(mp_pipe(&a, &b, true), -EMFILE);
    check(a == NULL && b == NULL);
    check(open("/dev/null", O_RDONLY) == last); /* nothing was left open */
    return 0;
}

static void test_a_pipe_without_descriptors_left_is_refused(void **state)
{
    (void)state;
    child_must_succeed(run_out_of_descriptors, NULL);
}

static void test_close_may_be_repeated_and_all_else_then_fails(void **state)
{
    (void)state;
    mp_connection *a, *b;
    char byte;
    assert_mp_result(mp_pipe(&a, &b, true), 0);
    int fd = mp_connection_fileno(a);
    check(!mp_connection_closed(a));
    assert_mp_result(mp_connection_close(a), 0);
    assert_mp_result(mp_connection_close(a), 0);
    check(mp_connection_closed(a) && fcntl(fd, F_GETFD) < 0);
    check(mp_connection_readable(a) && mp_connection_writable(a)); /* as in Python */
    assert_mp_error(mp_connection_fileno(a), MP_ECLOSED);
    assert_mp_error(mp_connection_detach(a), MP_ECLOSED);
    assert_mp_error(mp_connection_send_bytes(a, "x", 1), MP_ECLOSED);
    assert_mp_error(mp_connection_recv_bytes(a, NULL, NULL), MP_ECLOSED);
    assert_mp_error(mp_connection_recv_bytes_into(a, &byte, 1, NULL), MP_ECLOSED);
    assert_mp_error(mp_connection_set_max_message(a, 1), MP_ECLOSED);
    assert_mp_error(mp_connection_send_fd(a, 0), MP_ECLOSED);
    assert_mp_error(mp_connection_recv_fd(a), MP_ECLOSED);
    assert_mp_error(mp_connection_poll(a, MP_NOWAIT), MP_ECLOSED);
    assert_mp_error(mp_connection_recv_bytes(b, NULL, NULL), MP_EEOF);
    check(strcmp(mp_error_detail(), "") == 0);
    mp_connection_destroy(a);
    mp_connection_destroy(b);
    mp_connection_destroy(NULL);
}

static void test_detach_hands_the_descriptor_over(void **state)
{
    (void)state;
    mp_connection *a, *b, *again;
    assert_mp_result(mp_pipe(&a, &b, true), 0);
    int fd = mp_connection_fileno(a);
    assert_mp_result(mp_connection_detach(a), fd);
    check(mp_connection_closed(a));
    mp_connection_destroy(a);
    check(fcntl(fd, F_GETFD) >= 0);
    assert_mp_result(mp_connection_create(&again, fd, true, true), 0);
    check(mp_connection_fileno(again) == fd);
    send_text(b, "the same pipe");
    expect_text(again, "the same pipe");
    mp_connection_destroy(again);
    mp_connection_destroy(b);
    check(fcntl(fd, F_GETFD) < 0);
}

static void test_a_descriptor_that_is_refused_stays_the_callers(void **state)
{
    (void)state;
    mp_connection *c = NULL;
    int fd = open("/dev/null", O_RDWR);
    assert_mp_error(mp_connection_create(NULL, fd, true, true), MP_EINVAL);
    assert_mp_error(mp_connection_create(&c, fd, false, false), MP_EINVAL);
    assert_mp_error(mp_connection_create(&c, -1, true, true), MP_EINVAL);
    check(fcntl(fd, F_GETFD) >= 0);
    close(fd);
    assert_mp_error(mp_connection_create(&c, fd, true, true), -EBADF);
    assert_mp_error(mp_connection_create(&c, 44977608, true, true), -EBADF);
    check(c == NULL);
}

static void test_null_is_refused_everywhere(void **state)
{
    (void)state;
    mp_connection *a, *b;
    void *buf;
    size_t n;
    assert_mp_error(mp_pipe(NULL, &b, true), MP_EINVAL);
    assert_mp_error(mp_pipe(&a, NULL, true), MP_EINVAL);
    assert_mp_error(mp_pipe(&a, &a, true), MP_EINVAL);
    assert_mp_error(mp_connection_close(NULL), MP_EINVAL);
    assert_mp_error(mp_connection_detach(NULL), MP_EINVAL);
    assert_mp_error(mp_connection_fileno(NULL), MP_EINVAL);
    assert_mp_error(mp_connection_poll(NULL, MP_NOWAIT), MP_EINVAL);
    assert_mp_error(mp_connection_send_bytes(NULL, "x", 1), MP_EINVAL);
    assert_mp_error(mp_connection_recv_bytes(NULL, &buf, &n), MP_EINVAL);
    assert_mp_error(mp_connection_recv_bytes_into(NULL, &n, sizeof n, &n), MP_EINVAL);
    assert_mp_error(mp_connection_set_max_message(NULL, 1), MP_EINVAL);
    assert_mp_error(mp_connection_send_fd(NULL, 0), MP_EINVAL);
    assert_mp_error(mp_connection_recv_fd(NULL), MP_EINVAL);
    check(mp_connection_closed(NULL));
    check(!mp_connection_readable(NULL) && !mp_connection_writable(NULL));

    assert_mp_result(mp_pipe(&a, &b, true), 0);
    assert_mp_error(mp_connection_send_bytes(a, NULL, 1), MP_EINVAL);
    assert_mp_error(mp_connection_recv_bytes_into(a, NULL, 1, &n), MP_EINVAL);
    assert_mp_error(mp_connection_send_fd(a, -1), MP_EINVAL);
    assert_mp_error(mp_connection_poll(a, NAN), MP_EINVAL);
    send_text(b, "nothing of this was sent or taken");
    expect_text(a, "nothing of this was sent or taken");
    assert_mp_result(mp_connection_poll(b, MP_NOWAIT), 0);
    mp_connection_destroy(a);
    mp_connection_destroy(b);
}

static void test_what_is_no_connection_is_refused(void **state)
{
    (void)state;
    uint64_t other[64] = {1, 2, 3};
    mp_connection *c = (mp_connection *)other;
    assert_mp_error(mp_connection_poll(c, MP_NOWAIT), MP_ETYPE);
    assert_mp_error(mp_connection_send_bytes(c, "x", 1), MP_ETYPE);
    assert_mp_error(mp_connection_close(c), MP_ETYPE);
    check(mp_connection_closed(c) && !mp_connection_readable(c) && !mp_connection_writable(c));
}

static void test_outputs_may_be_null(void **state)
{
    (void)state;
    mp_connection *a, *b;
    char buf[8];
    assert_mp_result(mp_pipe(&a, &b, true), 0);
    send_text(b, "dropped");
    send_text(b, "into");
    send_text(b, "the end");
    assert_mp_result(mp_connection_recv_bytes(a, NULL, NULL), 0);
    assert_mp_result(mp_connection_recv_bytes_into(a, buf, sizeof buf, NULL), 0);
    check(memcmp(buf, "into", 4) == 0);
    expect_text(a, "the end");
    mp_connection_destroy(a);
    mp_connection_destroy(b);
}

/* ---- forked children ------------------------------------------------------------------------ */

static int answer_and_close(void *arg)
{
    mp_connection *c = arg;
    expect_text(c, "question");
    send_text(c, "answer");
    mp_connection_destroy(c);
    return 0;
}

static void test_a_forked_child_uses_and_closes_its_own_copy(void **state)
{
    (void)state;
    mp_connection *a, *b;
    assert_mp_result(mp_pipe(&a, &b, true), 0);
    for (int i = 0; i < 2; i++) {
        send_text(a, "question");
        child_must_succeed(answer_and_close, b);
        expect_text(a, "answer");
        assert_mp_result(mp_connection_poll(a, MP_NOWAIT), 0); /* b is open here */
    }
    mp_connection_destroy(b);
    assert_mp_result(mp_connection_poll(a, MP_NOWAIT), 1);
    assert_mp_error(mp_connection_recv_bytes(a, NULL, NULL), MP_EEOF);
    mp_connection_destroy(a);
}

/* ---- poll ------------------------------------------------------------------------------------ */

static void poll_in_vain(mp_connection *c, double timeout, double most)
{
    for (struct timing timing = {.least = timeout, .most = most}; try_again(&timing);)
        assert_mp_result(mp_connection_poll(c, timeout), 0);
}

static void test_poll_waits_no_longer_than_it_may(void **state)
{
    (void)state;
    mp_connection *a, *b;
    assert_mp_result(mp_pipe(&a, &b, false), 0);
    poll_in_vain(a, MP_NOWAIT, 0.1);
    poll_in_vain(a, -5.0, 0.1);
    poll_in_vain(a, 0.2, 2);
    send_text(b, "");
    assert_mp_result(mp_connection_poll(a, MP_FOREVER), 1);
    assert_mp_result(mp_connection_poll(a, MP_NOWAIT), 1);
    expect_text(a, "");
    assert_mp_result(mp_connection_poll(a, MP_NOWAIT), 0);
    mp_connection_destroy(b);
    assert_mp_result(mp_connection_poll(a, MP_FOREVER), 1);
    mp_connection_destroy(a);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("Connection: a duplex pipe goes both ways", test_a_duplex_pipe_goes_both_ways),
        support_test("Connection: a simplex pipe goes from b to a",
                     test_a_simplex_pipe_goes_from_b_to_a),
        support_test("Connection: the descriptors of a pipe are close-on-exec",
                     test_the_descriptors_of_a_pipe_are_close_on_exec),
        support_test("Connection: a pipe keeps away from closed standard streams",
                     test_a_pipe_keeps_away_from_closed_standard_streams),
        support_test("Connection: a pipe without descriptors left is refused",
                     test_a_pipe_without_descriptors_left_is_refused),
        support_test("Connection: close may be repeated, all else then fails",
                     test_close_may_be_repeated_and_all_else_then_fails),
        support_test("Connection: detach hands the descriptor over",
                     test_detach_hands_the_descriptor_over),
        support_test("Connection: a descriptor that is refused stays the caller's",
                     test_a_descriptor_that_is_refused_stays_the_callers),
        support_test("Connection: NULL is refused everywhere", test_null_is_refused_everywhere),
        support_test("Connection: what is no connection is refused",
                     test_what_is_no_connection_is_refused),
        support_test("Connection: outputs may be NULL", test_outputs_may_be_null),
        support_test("Connection: a forked child uses and closes its own copy",
                     test_a_forked_child_uses_and_closes_its_own_copy),
        support_test("Connection: poll waits no longer than it may",
                     test_poll_waits_no_longer_than_it_may),
    };
    return support_run("Connection", tests);
}
