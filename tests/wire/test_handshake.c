/* The handshake: who knows the key gets in, whatever his Python; nobody else does, whatever he
 * sends; and no byte is taken that is not the handshake's. */
#include "wire/pairs.h"

#include "wire/handshake.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <termios.h>

#define KEY "abracadabra"
#define KEY_SIZE (sizeof KEY - 1)

/* ---- the other side, by hand ------------------------------------------------------------------ */

struct wire {
    int here, there;
    struct mp__handshake h;
};

static struct wire open_wire(enum mp__handshake_part part)
{
    struct wire wire;
    int fd[2];
    check(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0);
    wire.here = fd[0];
    wire.there = fd[1];
    mp__handshake_begin(&wire.h, wire.here, part, KEY, KEY_SIZE);
    return wire;
}

static void close_wire(struct wire *wire)
{
    close(wire->here);
    if (wire->there >= 0)
        close(wire->there);
}

static void tell_frame(int fd, const void *p, size_t n)
{
    unsigned char frame[4 + 1000] = {0, 0, (unsigned char)(n >> 8), (unsigned char)n};
    check(n <= 1000);
    if (n > 0)
        memcpy(frame + 4, p, n);
    check(send(fd, frame, 4 + n, MSG_NOSIGNAL) == (ssize_t)(4 + n));
}

#define tell(fd, literal) tell_frame((fd), (literal), sizeof(literal) - 1)

/* What has been sent to this end is exactly this one message. */
static void hear_frame(int fd, const void *p, size_t n)
{
    unsigned char frame[1000];
    ssize_t got = recv(fd, frame, sizeof frame, MSG_DONTWAIT);
    check(got == (ssize_t)(4 + n));
    check(memcmp(frame, (unsigned char[]){0, 0, 0, (unsigned char)n}, 4) == 0);
    check(memcmp(frame + 4, p, n) == 0);
}

#define hear(fd, literal) hear_frame((fd), (literal), sizeof(literal) - 1)

static void nothing_is_left(int fd)
{
    char c;
    check(recv(fd, &c, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN);
}

/* The text of the challenge that was sent to this end. */
static void hear_challenge(int fd, unsigned char challenge[48])
{
    unsigned char frame[64];
    check(recv(fd, frame, sizeof frame, MSG_DONTWAIT) == 4 + 59);
    check(memcmp(frame, "\0\0\0\x3b#CHALLENGE#{sha256}", 4 + 11 + 8) == 0);
    memcpy(challenge, frame + 4 + 11, 48);
}

static void tell_answer(int fd, const char *prefix, enum mp__digest digest, const void *challenge,
                        size_t n)
{
    unsigned char answer[64];
    size_t at = strlen(prefix);
    memcpy(answer, prefix, at);
    tell_frame(fd, answer, at + mp__hmac(digest, KEY, KEY_SIZE, challenge, n, answer + at));
}

/* ---- both sides ------------------------------------------------------------------------------- */

struct two {
    struct wire wire;
    struct mp__handshake client;
    int listener_result, client_result;
};

static struct two two_run(const void *key, size_t n, const void *client_key, size_t client_n)
{
    struct two two = {.wire = open_wire(MP__HANDSHAKE_ACCEPT)};
    struct mp__handshake *h = &two.wire.h, *client = &two.client;
    mp__handshake_begin(h, two.wire.here, MP__HANDSHAKE_ACCEPT, key, n);
    mp__handshake_begin(client, two.wire.there, MP__HANDSHAKE_CONNECT, client_key, client_n);
    for (int i = 0; i < 10 && two.client_result == 0; i++) {
        if (two.listener_result == 0)
            two.listener_result = mp__handshake_go(h);
        two.client_result = mp__handshake_go(client);
    }
    if (two.listener_result == 0)
        two.listener_result = mp__handshake_go(h);
    return two;
}

static void test_both_sides_come_to_the_end_with_one_key(void **state)
{
    (void)state;
    char long_key[200];
    memset(long_key, 'k', sizeof long_key);
    const struct {
        const char *p;
        size_t n;
    } keys[] = {{KEY, KEY_SIZE}, {"", 0}, {NULL, 0}, {"\0\0", 2}, {long_key, sizeof long_key}};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        struct two two = two_run(keys[i].p, keys[i].n, keys[i].p, keys[i].n);
        check(two.listener_result == 1 && two.client_result == 1);
        nothing_is_left(two.wire.here);
        nothing_is_left(two.wire.there);
        close_wire(&two.wire);
    }
}

static void test_another_key_is_refused_and_told_so(void **state)
{
    (void)state;
    struct two two = two_run("one", 3, "two", 3);
    check(two.listener_result == MP_EAUTH && two.client_result == MP_EAUTH);
    check(strcmp(two.wire.h.why, "the digest received was wrong") == 0);
    check(strcmp(two.client.why, "the digest sent was rejected") == 0);
    close_wire(&two.wire);
}

static void test_a_listener_with_another_key_is_refused_too(void **state)
{
    (void)state;
    unsigned char challenge[48];
    struct wire wire = open_wire(MP__HANDSHAKE_CONNECT);
    check(mp__handshake_go(&wire.h) == 0);
    tell(wire.there, "#CHALLENGE#{sha256}0123456789012345678901234567890123456789");
    check(mp__handshake_go(&wire.h) == 0);
    check(recv(wire.there, (char[100]){0}, 100, 0) == 4 + 40);
    check(!mp__handshake_is_proven(&wire.h));
    tell(wire.there, "#WELCOME#"); /* who lets everybody in */
    check(mp__handshake_go(&wire.h) == 0);
    hear_challenge(wire.there, challenge);
    tell_answer(wire.there, "{sha256}", MP__SHA256, challenge, 47);
    check(mp__handshake_go(&wire.h) == MP_EAUTH);
    hear(wire.there, "#FAILURE#");
    close_wire(&wire);
}

/* ---- the challenger --------------------------------------------------------------------------- */

static void test_no_two_challenges_are_the_same(void **state)
{
    (void)state;
    unsigned char challenges[20][48];
    for (size_t i = 0; i < 20; i++) {
        struct wire wire = open_wire(MP__HANDSHAKE_CHALLENGE);
        check(mp__handshake_go(&wire.h) == 0);
        hear_challenge(wire.there, challenges[i]);
        for (size_t k = 0; k < i; k++)
            check(memcmp(challenges[i] + 8, challenges[k] + 8, 40) != 0);
        close_wire(&wire);
    }
}

static void test_answers_of_old_and_new_pythons_are_welcome(void **state)
{
    (void)state;
    static const struct {
        const char *prefix;
        enum mp__digest digest;
    } answers[] = {{"", MP__MD5}, {"{md5}", MP__MD5}, {"{sha256}", MP__SHA256}};
    for (size_t i = 0; i < 3; i++) {
        unsigned char challenge[48];
        struct wire wire = open_wire(MP__HANDSHAKE_CHALLENGE);
        check(mp__handshake_go(&wire.h) == 0);
        hear_challenge(wire.there, challenge);
        tell_answer(wire.there, answers[i].prefix, answers[i].digest, challenge, 48);
        check(mp__handshake_go(&wire.h) == 1);
        check(mp__handshake_is_proven(&wire.h));
        hear(wire.there, "#WELCOME#");
        close_wire(&wire);
    }
}

static void check_refused_answer(const char *prefix, enum mp__digest digest, size_t cut,
                                 bool turned)
{
    unsigned char challenge[48], answer[64] = {0};
    struct wire wire = open_wire(MP__HANDSHAKE_CHALLENGE);
    check(mp__handshake_go(&wire.h) == 0);
    hear_challenge(wire.there, challenge);
    size_t at = strlen(prefix);
    memcpy(answer, prefix, at);
    size_t n = mp__hmac(digest, KEY, KEY_SIZE, challenge, 48, answer + at);
    answer[at + n - 1] ^= turned;
    tell_frame(wire.there, answer, at + n - cut);
    check(mp__handshake_go(&wire.h) == MP_EAUTH);
    check(!mp__handshake_is_proven(&wire.h));
    hear(wire.there, "#FAILURE#");
    close_wire(&wire);
}

static void test_answers_of_any_other_form_are_refused(void **state)
{
    (void)state;
    static const char *const prefixes[] = {"", "{md5}", "{sha256}"};
    for (size_t i = 0; i < 3; i++) {
        enum mp__digest digest = i == 2 ? MP__SHA256 : MP__MD5;
        size_t whole = strlen(prefixes[i]) + (i == 2 ? 32 : 16);
        check_refused_answer(prefixes[i], digest, 0, true);
        for (size_t cut = 1; cut <= whole; cut++)
            check_refused_answer(prefixes[i], digest, cut, false);
        check_refused_answer(prefixes[i], digest, (size_t)-1, false); /* a byte more */
    }
    check_refused_answer("", MP__SHA256, 0, false);
    check_refused_answer("{md5}", MP__SHA256, 0, false);
    check_refused_answer("{sha256}", MP__MD5, 0, false);
    check_refused_answer("{sha384}", MP__SHA256, 0, false);
    check_refused_answer("{SHA256}", MP__SHA256, 0, false);
    check_refused_answer("{}", MP__SHA256, 0, false);
    check_refused_answer("sha256", MP__SHA256, 0, false);
}

/* ---- the other side --------------------------------------------------------------------------- */

static void test_challenges_of_old_and_new_pythons_are_answered(void **state)
{
    (void)state;
    static const struct {
        const char *prefix;
        size_t n;
        enum mp__digest digest;
        const char *answer_prefix;
    } cases[] = {{"", 20, MP__MD5, ""},
                 {"{md5}", 40, MP__MD5, "{md5}"},
                 {"{md5}", 16, MP__MD5, "{md5}"},
                 {"{sha256}", 40, MP__SHA256, "{sha256}"},
                 {"{sha256}", 20, MP__SHA256, "{sha256}"},
                 {"{sha256}", 237, MP__SHA256, "{sha256}"},
                 {"{md5}", 15, MP__MD5, ""}}; /* 20 bytes: an old one, whatever they are */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned char message[256] = "#CHALLENGE#", expected[64];
        struct wire wire = open_wire(MP__HANDSHAKE_ANSWER);
        size_t at = strlen(cases[i].prefix), n = at + cases[i].n;
        memcpy(message + 11, cases[i].prefix, at);
        for (size_t k = 0; k < cases[i].n; k++)
            message[11 + at + k] = (unsigned char)k;
        tell_frame(wire.there, message, 11 + n);
        check(mp__handshake_go(&wire.h) == 0);
        size_t before = strlen(cases[i].answer_prefix);
        memcpy(expected, cases[i].answer_prefix, before);
        before += mp__hmac(cases[i].digest, KEY, KEY_SIZE, message + 11, n, expected + before);
        hear_frame(wire.there, expected, before);
        tell(wire.there, "#WELCOME#");
        check(mp__handshake_go(&wire.h) == 1);
        close_wire(&wire);
    }
}

static void test_what_is_no_challenge_is_not_answered(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "#CHALLENGE#",
        "#CHALLENGE#nineteen-bytes-long",
        "#CHALLENGE#twenty-one-bytes-long",
        "#CHALLENGE#{sha384}0123456789012345678901234567890123456789",
        "#CHALLENGE#{sha3_256}0123456789012345678901234567890123456789",
        "#CHALLENGE#{}0123456789012345678901234567890123456789",
        "#CHALLENGE#{sha256 0123456789012345678901234567890123456789",
        "#CHALLENGF#is-twenty-bytes-long",
        "is-twenty-bytes-long",
        "#WELCOME#",
        "#FAILURE#",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct wire wire = open_wire(MP__HANDSHAKE_ANSWER);
        tell_frame(wire.there, texts[i], strlen(texts[i]));
        check(mp__handshake_go(&wire.h) == MP_EAUTH);
        nothing_is_left(wire.there);
        close_wire(&wire);
    }
}

static void test_only_a_welcome_is_one(void **state)
{
    (void)state;
    static const char *const verdicts[] = {"",           "#FAILURE#", "#WELCOME",
                                           "#WELCOME##", "#welcome#", "something bogus"};
    for (size_t i = 0; i < sizeof verdicts / sizeof *verdicts; i++) {
        struct wire wire = open_wire(MP__HANDSHAKE_ANSWER);
        tell(wire.there, "#CHALLENGE#is-twenty-bytes-long");
        check(mp__handshake_go(&wire.h) == 0);
        tell_frame(wire.there, verdicts[i], strlen(verdicts[i]));
        check(mp__handshake_go(&wire.h) == MP_EAUTH);
        close_wire(&wire);
    }
}

/* ---- the stream ------------------------------------------------------------------------------- */

static void test_a_length_is_judged_before_its_bytes_are_read(void **state)
{
    (void)state;
    static const unsigned char heads[][4] = {{0, 0, 1, 1},        {0, 0, 2, 0},
                                             {0, 1, 0, 0},        {0x7f, 0xff, 0xff, 0xff},
                                             {0x80, 0, 0, 0},     {0xff, 0xff, 0xff, 0xff},
                                             {'G', 'E', 'T', ' '}};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        char left[10];
        struct wire wire = open_wire(MP__HANDSHAKE_ANSWER);
        check(write(wire.there, heads[i], 4) == 4 && write(wire.there, "left", 4) == 4);
        check(mp__handshake_go(&wire.h) == MP_EOVERFLOW);
        check(recv(wire.here, left, sizeof left, MSG_DONTWAIT) == 4);
        close_wire(&wire);
    }
    unsigned char most[256] = {0};
    struct wire wire = open_wire(MP__HANDSHAKE_ANSWER);
    tell_frame(wire.there, most, sizeof most);
    check(mp__handshake_go(&wire.h) == MP_EAUTH);
    close_wire(&wire);
}

static const char played[] = "\0\0\0\x1f#CHALLENGE#is-twenty-bytes-long\0\0\0\x09#WELCOME#";

static void test_it_goes_on_byte_by_byte(void **state)
{
    (void)state;
    struct wire wire = open_wire(MP__HANDSHAKE_ANSWER);
    size_t n = sizeof played - 1;
    for (size_t i = 0; i < n; i++) {
        check(mp__handshake_go(&wire.h) == 0);
        check(write(wire.there, played + i, 1) == 1);
    }
    check(mp__handshake_go(&wire.h) == 1);
    close_wire(&wire);
}

static void test_who_hangs_up_is_told_from_who_is_silent(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof played - 1; n++) {
        struct wire wire = open_wire(MP__HANDSHAKE_ANSWER);
        check(write(wire.there, played, n) == (ssize_t)n);
        check(mp__handshake_go(&wire.h) == 0);
        /* a reset too: the answer lies there unread */
        close(wire.there);
        wire.there = -1;
        check(mp__handshake_go(&wire.h) == MP_EEOF);
        close_wire(&wire);
    }
}

static void test_what_follows_the_last_message_stays(void **state)
{
    (void)state;
    char left[10];
    struct wire wire = open_wire(MP__HANDSHAKE_ANSWER);
    check(write(wire.there, played, sizeof played - 1) == sizeof played - 1);
    check(write(wire.there, "\0\0\0\1x", 5) == 5);
    check(mp__handshake_go(&wire.h) == 1);
    check(recv(wire.here, left, sizeof left, MSG_DONTWAIT) == 5 && left[4] == 'x');
    close_wire(&wire);
}

static void test_nobody_there_is_an_error_and_no_signal(void **state)
{
    (void)state;
    struct wire wire = open_wire(MP__HANDSHAKE_ACCEPT);
    close(wire.there);
    wire.there = -1;
    check(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
    check(mp__handshake_go(&wire.h) == -EPIPE);
    close_wire(&wire);
}

/* ---- the public halves ------------------------------------------------------------------------ */

struct half {
    mp_connection *c;
    int (*first)(mp_connection *, const void *, size_t);
    int (*second)(mp_connection *, const void *, size_t);
    const char *key;
    int result;
};

static void *half_run(void *arg)
{
    struct half *half = arg;
    half->result = half->first(half->c, half->key, strlen(half->key));
    if (half->result == 0)
        half->result = half->second(half->c, half->key, strlen(half->key));
    return NULL;
}

/* Both ends of both halves; gives what the two came to. */
static void halves_run(struct half *a, struct half *b)
{
    pthread_t thread;
    check(pthread_create(&thread, NULL, half_run, b) == 0);
    half_run(a);
    check(pthread_join(thread, NULL) == 0);
}

static void test_the_halves_work_on_a_pipe_and_leave_it_usable(void **state)
{
    (void)state;
    struct pair pair = open_pair(true);
    struct half a = {pair.a, mp_deliver_challenge, mp_answer_challenge, KEY, 1};
    struct half b = {pair.b, mp_answer_challenge, mp_deliver_challenge, KEY, 1};
    halves_run(&a, &b);
    check(a.result == 0 && b.result == 0);
    send_text(pair.a, "behind it");
    expect_text(pair.b, "behind it");
    b.key = "another";
    halves_run(&a, &b);
    check(a.result == MP_EAUTH && b.result == MP_EAUTH);
    close_pair(&pair);
}

/* A terminal is the one stream that goes both ways and is no socket. */
static void open_terminal(int fd[2])
{
    struct termios raw;
    fd[0] = posix_openpt(O_RDWR | O_NOCTTY);
    check(fd[0] >= 0 && grantpt(fd[0]) == 0 && unlockpt(fd[0]) == 0);
    fd[1] = open(ptsname(fd[0]), O_RDWR | O_NOCTTY);
    check(fd[1] >= 0 && tcgetattr(fd[1], &raw) == 0);
    cfmakeraw(&raw);
    check(tcsetattr(fd[1], TCSANOW, &raw) == 0);
}

static void test_the_halves_work_on_what_is_no_socket(void **state)
{
    (void)state;
    int fd[2];
    struct pair pair;
    open_terminal(fd);
    assert_mp_result(mp_connection_create(&pair.a, fd[0], true, true), 0);
    assert_mp_result(mp_connection_create(&pair.b, fd[1], true, true), 0);
    struct half a = {pair.a, mp_deliver_challenge, mp_answer_challenge, KEY, 1};
    struct half b = {pair.b, mp_answer_challenge, mp_deliver_challenge, KEY, 1};
    halves_run(&a, &b);
    check(a.result == 0 && b.result == 0);
    check(fcntl(fd[1], F_SETFL, O_NONBLOCK) == 0);
    halves_run(&a, &b);
    check(a.result == 0 && b.result == 0);
    close_pair(&pair);
}

static void test_the_halves_refuse_what_cannot_be(void **state)
{
    (void)state;
    struct pair pair = open_pair(true), one_way = open_pair(false);
    size_t n;
    assert_mp_error(mp_answer_challenge(NULL, KEY, 1), MP_EINVAL);
    assert_mp_error(mp_answer_challenge(pair.a, NULL, 1), MP_EINVAL);
    assert_mp_error(mp_deliver_challenge(one_way.a, KEY, 1), MP_ESTATE);
    assert_mp_error(mp_deliver_challenge(one_way.b, KEY, 1), MP_ESTATE);
    send_text(pair.a, "long");
    assert_mp_error(mp_connection_recv_bytes_into(pair.b, NULL, 0, &n), MP_ETOOSHORT);
    assert_mp_error(mp_answer_challenge(pair.b, KEY, 1), MP_ESTATE);
    expect_text(pair.b, "long");
    write_raw(pair.a, "GET / HTTP/1.1\r\n", 16);
    assert_mp_error(mp_answer_challenge(pair.b, KEY, 1), MP_EAUTH);
    check(!mp_connection_readable(pair.b));
    mp_connection_close(pair.b);
    assert_mp_error(mp_answer_challenge(pair.b, KEY, 1), MP_ECLOSED);
    assert_mp_error(mp_answer_challenge(pair.a, KEY, 1), MP_EEOF);
    assert_mp_error(mp_deliver_challenge(pair.a, KEY, 1), -EPIPE);
    close_pair(&pair);
    close_pair(&one_way);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("handshake: both sides come to the end with one key",
                     test_both_sides_come_to_the_end_with_one_key),
        support_test("handshake: another key is refused, and told so",
                     test_another_key_is_refused_and_told_so),
        support_test("handshake: a listener with another key is refused, too",
                     test_a_listener_with_another_key_is_refused_too),
        support_test("handshake: no two challenges are the same",
                     test_no_two_challenges_are_the_same),
        support_test("handshake: answers of old and new Pythons are welcome",
                     test_answers_of_old_and_new_pythons_are_welcome),
        support_test("handshake: answers of any other form are refused",
                     test_answers_of_any_other_form_are_refused),
        support_test("handshake: challenges of old and new Pythons are answered",
                     test_challenges_of_old_and_new_pythons_are_answered),
        support_test("handshake: what is no challenge is not answered",
                     test_what_is_no_challenge_is_not_answered),
        support_test("handshake: only a welcome is one", test_only_a_welcome_is_one),
        support_test("handshake: a length is judged before its bytes are read",
                     test_a_length_is_judged_before_its_bytes_are_read),
        support_test("handshake: it goes on byte by byte", test_it_goes_on_byte_by_byte),
        support_test("handshake: who hangs up is told from who is silent",
                     test_who_hangs_up_is_told_from_who_is_silent),
        support_test("handshake: what follows the last message stays",
                     test_what_follows_the_last_message_stays),
        support_test("handshake: nobody there is an error, and no signal",
                     test_nobody_there_is_an_error_and_no_signal),
        support_test("handshake: the halves work on a pipe and leave it usable",
                     test_the_halves_work_on_a_pipe_and_leave_it_usable),
        support_test("handshake: the halves work on what is no socket",
                     test_the_halves_work_on_what_is_no_socket),
        support_test("handshake: the halves refuse what cannot be",
                     test_the_halves_refuse_what_cannot_be),
    };
    return support_run("handshake", tests);
}
