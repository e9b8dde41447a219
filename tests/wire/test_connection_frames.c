/* Messages of connections: the bytes on the stream, sizes, ends inside a message, messages that are
 * kept, and streams that do not behave. */
#include "wire/pairs.h"

#include "wire/frame.h"

#include <errno.h>
#include <fcntl.h>
#include <mp/connection.h>
#include <mp/timeout.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define KIB ((size_t)1024)
#define MIB (KIB * KIB)

/* ---- the bytes on the stream ------------------------------------------------------------------ */

static void test_the_head_is_four_bytes_up_to_two_gib_and_twelve_beyond(void **state)
{
    (void)state;
    unsigned char head[MP__FRAME_HEAD_MOST];
    check(mp__frame_head(head, 0) == 4 && memcmp(head, "\0\0\0\0", 4) == 0);
    check(mp__frame_head(head, 0x1020304) == 4 && memcmp(head, "\1\2\3\4", 4) == 0);
    check(mp__frame_head(head, 0x7fffffff) == 4 && memcmp(head, "\x7f\xff\xff\xff", 4) == 0);
    check(mp__frame_head(head, 0x80000000) == 12 &&
          memcmp(head, "\xff\xff\xff\xff\0\0\0\0\x80\0\0\0", 12) == 0);
    check(mp__frame_head(head, UINT64_C(0x102030405060708)) == 12 &&
          memcmp(head, "\xff\xff\xff\xff\1\2\3\4\5\6\7\x8", 12) == 0);
}

/* A socket that keeps the boundaries of writes shows how many there were. */
static void test_a_message_goes_out_in_one_write(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 64, 16383, 16384, 16385, 100000};
    static unsigned char message[100000], got[100000 + 5];
    int fd[2];
    mp_connection *c;
    check(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd) == 0);
    assert_mp_result(mp_connection_create(&c, fd[0], true, true), 0);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t n = sizes[i];
        memset(message, (int)i + 1, n);
        assert_mp_result(mp_connection_send_bytes(c, message, n), 0);
        check(recv(fd[1], got, sizeof got, 0) == (ssize_t)n + 4);
        unsigned char head[] = {0, (unsigned char)(n >> 16), (unsigned char)(n >> 8),
                                (unsigned char)n};
        check(memcmp(got, head, 4) == 0 && memcmp(got + 4, message, n) == 0);
    }
    mp_connection_destroy(c);
    close(fd[1]);
}

struct sending {
    mp_connection *c;
    unsigned char *p;
    size_t n;
    int result;
};

static void *send_in_thread(void *arg)
{
    struct sending *s = arg;
    s->result = mp_connection_send_bytes(s->c, s->p, s->n);
    return NULL;
}

static void pass_message(struct pair *pair, size_t n, struct rng *rng)
{
    struct sending sending = {pair->b, malloc(n + 1), n, -1};
    pthread_t thread;
    unsigned char *got;
    size_t size = 0;
    for (size_t i = 0; i < n; i++)
        sending.p[i] = (unsigned char)(i * 7 + (i >> 8) + rng->state % 251);
    rng_next(rng);
    check(pthread_create(&thread, NULL, send_in_thread, &sending) == 0);
    if (rng_below(rng, 2) == 0) {
        got = malloc(n + 1);
        assert_mp_result(mp_connection_recv_bytes_into(pair->a, got, n, &size), 0);
    } else {
        assert_mp_result(mp_connection_recv_bytes(pair->a, (void **)&got, &size), 0);
        check(got[size] == '\0');
    }
    check(pthread_join(thread, NULL) == 0);
    assert_mp_result(sending.result, 0);
    check(size == n && memcmp(got, sending.p, n) == 0);
    free(got);
    free(sending.p);
}

static void test_messages_of_all_sizes_arrive_whole(void **state)
{
    (void)state;
    struct rng rng = rng_start(rng_seed());
    static const size_t sizes[] = {0,
                                   1,
                                   3,
                                   4,
                                   5,
                                   4096,
                                   16384,
                                   16385,
                                   65536,
                                   256 * KIB - 1,
                                   256 * KIB,
                                   256 * KIB + 1,
                                   512 * KIB - 1,
                                   512 * KIB,
                                   512 * KIB + 1,
                                   3 * MIB,
                                   16 * MIB};
    for (int duplex = 0; duplex < 2; duplex++) {
        struct pair pair = open_pair(duplex);
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            pass_message(&pair, sizes[i], &rng);
        for (int i = 0; i < 200; i++)
            pass_message(&pair, rng_below(&rng, 40000), &rng);
        assert_mp_result(mp_connection_poll(pair.a, MP_NOWAIT), 0);
        close_pair(&pair);
    }
}

static void test_a_message_may_come_byte_by_byte(void **state)
{
    (void)state;
    struct pair pair = open_pair(true);
    static const unsigned char frame[] = {0, 0, 0, 5, 's', 'l', 'o', 'w', '!'};
    struct signal_pipe ready;
    pipe_open(&ready);
    pid_t pid = fork();
    check(pid >= 0);
    if (pid == 0) {
        for (size_t i = 0; i < sizeof frame; i++) {
            write_raw(pair.b, frame + i, 1);
            sched_yield();
        }
        _exit(0);
    }
    expect_text(pair.a, "slow!");
    check(child_wait(pid) == 0);
    pipe_close(&ready);
    close_pair(&pair);
}

/* ---- ends ------------------------------------------------------------------------------------- */

static void expect_end(mp_connection *c, bool inside)
{
    size_t n = 77;
    void *buf = &n;
    assert_mp_error(mp_connection_recv_bytes(c, &buf, &n), MP_EEOF);
    check(n == 77 && buf == &n);
    check((strlen(mp_error_detail()) > 0) == inside);
    assert_mp_error(mp_connection_recv_bytes(c, NULL, NULL), MP_EEOF);
    check(strlen(mp_error_detail()) == 0);
}

static void test_every_truncation_of_a_frame_is_an_end_and_no_message(void **state)
{
    (void)state;
    static const unsigned char frame[] = {0, 0, 0, 6, 'm', 'e', 's', 's', 'a', 'g', 'e'};
    static const unsigned char long_frame[] = {255, 255, 255, 255, 0, 0, 0, 0, 128, 0, 0, 0, 'm'};
    /* on 32 bits that length is refused as soon as it is known */
    const size_t told = PTRDIFF_MAX > INT32_MAX ? sizeof long_frame : 11;
    for (int duplex = 0; duplex < 2; duplex++) {
        for (size_t n = 0; n < 10; n++) {
            struct pair pair = open_pair(duplex);
            write_raw(pair.b, frame, n);
            mp_connection_destroy(pair.b);
            expect_end(pair.a, n > 0);
            mp_connection_destroy(pair.a);
        }
        for (size_t n = 1; n <= told; n++) {
            struct pair pair = open_pair(duplex);
            write_raw(pair.b, long_frame, n);
            mp_connection_destroy(pair.b);
            expect_end(pair.a, true);
            mp_connection_destroy(pair.a);
        }
    }
}

static void test_the_end_inside_a_message_into_a_buffer_is_no_message(void **state)
{
    (void)state;
    struct pair pair = open_pair(true);
    char buf[16];
    size_t n = 77;
    write_raw(pair.b, "\0\0\0\6mess", 8);
    mp_connection_destroy(pair.b);
    assert_mp_error(mp_connection_recv_bytes_into(pair.a, buf, sizeof buf, &n), MP_EEOF);
    check(n == 77 && strlen(mp_error_detail()) > 0);
    mp_connection_destroy(pair.a);
}

static void test_a_peer_that_left_messages_unread_is_an_end_too(void **state)
{
    (void)state;
    struct pair pair = open_pair(true);
    send_text(pair.a, "never read");
    send_text(pair.b, "read");
    mp_connection_destroy(pair.b);
    expect_text(pair.a, "read");
    assert_mp_result(mp_connection_poll(pair.a, MP_NOWAIT), 1);
    assert_mp_error(mp_connection_recv_bytes(pair.a, NULL, NULL), MP_EEOF);
    assert_mp_error(mp_connection_send_bytes(pair.a, "x", 1), -EPIPE);
    mp_connection_destroy(pair.a);
}

/* ---- messages that are kept ------------------------------------------------------------------- */

static void expect_too_short(mp_connection *c, size_t cap, size_t needed)
{
    char buf[16] = "untouched";
    size_t n = 0;
    assert_mp_error(mp_connection_recv_bytes_into(c, cap ? buf : NULL, cap, &n), MP_ETOOSHORT);
    check(n == needed && strcmp(buf, "untouched") == 0);
}

static void test_a_message_that_is_too_long_for_the_buffer_stays(void **state)
{
    (void)state;
    for (int duplex = 0; duplex < 2; duplex++) {
        struct pair pair = open_pair(duplex);
        char buf[16];
        size_t n;
        send_text(pair.b, "twelve bytes");
        send_text(pair.b, "next");
        expect_too_short(pair.a, 11, 12);
        expect_too_short(pair.a, 0, 12);
        assert_mp_result(mp_connection_poll(pair.a, MP_NOWAIT), 1);
        assert_mp_error(mp_connection_detach(pair.a), MP_ESTATE);
        assert_mp_result(mp_connection_recv_bytes_into(pair.a, buf, 12, &n), 0);
        check(n == 12 && memcmp(buf, "twelve bytes", 12) == 0);
        expect_too_short(pair.a, 3, 4);
        mp_connection_destroy(pair.b);
        expect_text(pair.a, "next");
        assert_mp_error(mp_connection_recv_bytes(pair.a, NULL, NULL), MP_EEOF);
        mp_connection_destroy(pair.a);
    }
}

static void test_a_kept_message_is_seen_by_poll_and_wait(void **state)
{
    (void)state;
    struct pair pair = open_pair(true);
    send_text(pair.b, "kept");
    expect_too_short(pair.a, 1, 4);
    mp_waitable items[] = {MP_WAITABLE(pair.b), MP_WAITABLE(pair.a)};
    assert_mp_result(mp_wait(items, 2, MP_FOREVER), 1);
    check(!items[0].ready && items[1].ready);
    assert_mp_result(mp_connection_poll(pair.a, MP_FOREVER), 1);
    assert_mp_result(mp_connection_recv_bytes(pair.a, NULL, NULL), 0);
    assert_mp_result(mp_wait(items, 2, MP_NOWAIT), 0);
    expect_too_short((send_text(pair.b, "dropped"), pair.a), 1, 7);
    close_pair(&pair); /* and no leak */
}

static int receive_the_next(void *arg)
{
    struct pair *pair = arg;
    assert_mp_result(mp_connection_poll(pair->a, MP_NOWAIT), 0);
    send_text(pair->b, "for the child");
    expect_text(pair->a, "for the child");
    return 0;
}

static void test_a_kept_message_is_the_parents_alone(void **state)
{
    (void)state;
    struct pair pair = open_pair(true);
    send_text(pair.b, "for the parent");
    expect_too_short(pair.a, 1, 14);
    child_must_succeed(receive_the_next, &pair);
    expect_text(pair.a, "for the parent");
    close_pair(&pair);
}

/* ---- SIGPIPE ---------------------------------------------------------------------------------- */

static int write_to_nobody(void *arg)
{
    mp_connection *c = arg;
    sigset_t mask, pending;
    signal(SIGPIPE, SIG_DFL);
    assert_mp_error(mp_connection_send_bytes(c, "x", 1), -EPIPE);
    assert_mp_error(mp_connection_send_bytes(c, "x", 1), -EPIPE);
    check(sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 0);
    check(pthread_sigmask(SIG_BLOCK, NULL, &mask) == 0 && sigismember(&mask, SIGPIPE) == 0);
    return 0;
}

static int write_to_nobody_with_the_signal_blocked(void *arg)
{
    mp_connection *c = arg;
    sigset_t mask, pending;
    sigemptyset(&mask);
    sigaddset(&mask, SIGPIPE);
    check(pthread_sigmask(SIG_BLOCK, &mask, NULL) == 0);
    assert_mp_error(mp_connection_send_bytes(c, "x", 1), -EPIPE);
    check(sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 0);
    check(raise(SIGPIPE) == 0); /* the program's own stays */
    assert_mp_error(mp_connection_send_bytes(c, "x", 1), -EPIPE);
    check(sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1);
    check(pthread_sigmask(SIG_BLOCK, NULL, &mask) == 0 && sigismember(&mask, SIGPIPE) == 1);
    return 0;
}

static void test_a_closed_other_end_is_an_error_and_never_a_signal(void **state)
{
    (void)state;
    for (int duplex = 0; duplex < 2; duplex++) {
        struct pair pair = open_pair(duplex);
        mp_connection_destroy(pair.a);
        child_must_succeed(write_to_nobody, pair.b);
        child_must_succeed(write_to_nobody_with_the_signal_blocked, pair.b);
        mp_connection_destroy(pair.b);
    }
}

static int send_until_the_end(void *arg)
{
    mp_connection *c = arg;
    static unsigned char message[4 * 1024 * 1024];
    signal(SIGPIPE, SIG_DFL);
    assert_mp_error(mp_connection_send_bytes(c, message, sizeof message), -EPIPE);
    return 0;
}

static void test_a_receiver_that_leaves_inside_a_message_is_an_error(void **state)
{
    (void)state;
    for (int duplex = 0; duplex < 2; duplex++) {
        struct pair pair = open_pair(duplex);
        char beginning[1000];
        pid_t pid = fork();
        check(pid >= 0);
        if (pid == 0) {
            mp_connection_destroy(pair.a);
            _exit(send_until_the_end(pair.b));
        }
        mp_connection_destroy(pair.b);
        check(read(mp_connection_fileno(pair.a), beginning, sizeof beginning) > 0);
        mp_connection_destroy(pair.a);
        check(child_wait(pid) == 0);
    }
}

/* ---- streams and threads ---------------------------------------------------------------------- */

static void test_a_nonblocking_descriptor_blocks_all_the_same(void **state)
{
    (void)state;
    struct rng rng = rng_start(rng_seed());
    for (int duplex = 0; duplex < 2; duplex++) {
        struct pair pair = open_pair(duplex);
        check(fcntl(mp_connection_fileno(pair.a), F_SETFL, O_NONBLOCK) == 0);
        check(fcntl(mp_connection_fileno(pair.b), F_SETFL, O_NONBLOCK) == 0);
        for (int i = 0; i < 10; i++)
            pass_message(&pair, rng_below(&rng, 3 * MIB), &rng);
        close_pair(&pair);
    }
}

static int echo(void *arg)
{
    struct pair *pair = arg;
    mp_connection_destroy(pair->a);
    for (;;) {
        void *buf;
        size_t n;
        int rc = mp_connection_recv_bytes(pair->b, &buf, &n);
        if (rc == MP_EEOF)
            return 0;
        assert_mp_result(rc, 0);
        assert_mp_result(mp_connection_send_bytes(pair->b, buf, n), 0);
        free(buf);
    }
}

enum { ECHOES = 3000 };

static void *send_many(void *arg)
{
    mp_connection *c = arg;
    static unsigned char message[20000];
    for (unsigned i = 0; i < ECHOES; i++) {
        memset(message, (int)i, sizeof message);
        assert_mp_result(mp_connection_send_bytes(c, message, i * 7 % sizeof message), 0);
    }
    return NULL;
}

static void test_one_thread_sends_while_another_receives_on_the_same_end(void **state)
{
    (void)state;
    struct pair pair = open_pair(true);
    pthread_t thread;
    pid_t pid = child_fork(echo, &pair);
    mp_connection_destroy(pair.b);
    check(pthread_create(&thread, NULL, send_many, pair.a) == 0);
    for (unsigned i = 0; i < ECHOES; i++) {
        unsigned char *got;
        size_t n;
        assert_mp_result(mp_connection_recv_bytes(pair.a, (void **)&got, &n), 0);
        check(n == i * 7 % 20000);
        for (size_t k = 0; k < n; k += 97)
            check(got[k] == (unsigned char)i);
        free(got);
    }
    check(pthread_join(thread, NULL) == 0);
    mp_connection_destroy(pair.a);
    check(child_wait(pid) == 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("Frames: the head is four bytes up to 2 GiB, twelve beyond",
                     test_the_head_is_four_bytes_up_to_two_gib_and_twelve_beyond),
        support_test("Frames: a message goes out in one write",
                     test_a_message_goes_out_in_one_write),
        support_test("Frames: messages of all sizes arrive whole",
                     test_messages_of_all_sizes_arrive_whole),
        support_test("Frames: a message may come byte by byte",
                     test_a_message_may_come_byte_by_byte),
        support_test("Frames: every truncation is an end and no message",
                     test_every_truncation_of_a_frame_is_an_end_and_no_message),
        support_test("Frames: the end inside a message into a buffer is no message",
                     test_the_end_inside_a_message_into_a_buffer_is_no_message),
        support_test("Frames: a peer that left messages unread is an end too",
                     test_a_peer_that_left_messages_unread_is_an_end_too),
        support_test("Frames: a message that is too long for the buffer stays",
                     test_a_message_that_is_too_long_for_the_buffer_stays),
        support_test("Frames: a kept message is seen by poll and wait",
                     test_a_kept_message_is_seen_by_poll_and_wait),
        support_test("Frames: a kept message is the parent's alone",
                     test_a_kept_message_is_the_parents_alone),
        support_test("Frames: a closed other end is an error and never a signal",
                     test_a_closed_other_end_is_an_error_and_never_a_signal),
        support_test("Frames: a receiver that leaves inside a message is an error",
                     test_a_receiver_that_leaves_inside_a_message_is_an_error),
        support_test("Frames: a non-blocking descriptor blocks all the same",
                     test_a_nonblocking_descriptor_blocks_all_the_same),
        support_test("Frames: one thread sends while another receives on the same end",
                     test_one_thread_sends_while_another_receives_on_the_same_end),
    };
    return support_run("Frames", tests);
}
