/* libFuzzer's target for the authentication: the bytes are what the other side says. */
#include "wire/handshake.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROOM 4096
#define KEY "abracadabra"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void say(int fd, const void *p, size_t n)
{
    must(n == 0 || send(fd, p, n, MSG_NOSIGNAL) == (ssize_t)n);
}

/* Somebody who knows the key: what comes behind the right answer is worth trying, too. */
static void say_answer(int fd)
{
    unsigned char frame[4 + 59],
        answer[4 + 8 + 32] = {0, 0, 0, 40, '{', 's', 'h', 'a', '2', '5', '6', '}'};
    must(recv(fd, frame, sizeof frame, MSG_DONTWAIT) == sizeof frame);
    mp__hmac(MP__SHA256, KEY, strlen(KEY), frame + 15, 48, answer + 12);
    say(fd, answer, sizeof answer);
}

static int left_in(int fd)
{
    int n = 0;
    must(ioctl(fd, FIONREAD, &n) == 0);
    return n;
}

/* Where the message that begins at `at` ends, or beyond n. */
static size_t message_end(const uint8_t *bytes, size_t n, size_t at)
{
    if (at + 4 > n)
        return n + 1;
    uint32_t size = (uint32_t)bytes[at] << 24 | (uint32_t)bytes[at + 1] << 16 |
                    (uint32_t)bytes[at + 2] << 8 | bytes[at + 3];
    return at + 4 + size;
}

/* Done: what it took is so many messages, and nothing of what follows. */
static void check_taken(int fd, const uint8_t *bytes, size_t n, int messages)
{
    size_t at = 0;
    while (messages-- > 0)
        at = message_end(bytes, n, at);
    must(at <= n && left_in(fd) == (int)(n - at));
}

static void play(const int fd[2], unsigned way, const uint8_t *bytes, size_t n)
{
    static const int messages[] = {3, 3, 2, 1};
    struct mp__handshake h;
    enum mp__handshake_part part = (enum mp__handshake_part)(way & 3);
    bool asks = part == MP__HANDSHAKE_ACCEPT || part == MP__HANDSHAKE_CHALLENGE;
    bool knows = asks && (way & 4) != 0;
    size_t at = 0, step = (way & 8) != 0 ? 1 + (way >> 4) : n;
    mp__handshake_begin(&h, fd[0], part, KEY, strlen(KEY));
    int rc = mp__handshake_go(&h);
    must(rc == 0);
    if (knows) {
        say_answer(fd[1]);
        rc = mp__handshake_go(&h);
        must(rc == (part == MP__HANDSHAKE_CHALLENGE));
        must(mp__handshake_is_proven(&h));
    }
    while (rc == 0 && at < n) {
        size_t some = n - at < step ? n - at : step;
        say(fd[1], bytes + at, some);
        at += some;
        rc = mp__handshake_go(&h);
        must(h.have <= sizeof h.in);
    }
    must(rc <= 1 && (rc != MP_EAUTH || *h.why != '\0'));
    if (rc == 1)
        check_taken(fd[0], bytes, at, messages[part] - knows);
    if (asks && !knows)
        must(rc != 1);
    if (rc != 0)
        return;
    must(shutdown(fd[1], SHUT_WR) == 0 && mp__handshake_go(&h) == MP_EEOF);
}

/* The first byte says which part is played, whether the key is known, and in what pieces it comes. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    int fd[2];
    if (n == 0 || n > ROOM || socketpair(AF_UNIX, SOCK_STREAM, 0, fd) != 0)
        return 0;
    play(fd, bytes[0], bytes + 1, n - 1);
    close(fd[0]);
    close(fd[1]);
    return 0;
}
