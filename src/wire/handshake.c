/* The handshake: each side proves to the other that it knows the key, without sending it.
 *
 * How it works
 *   The challenger sends #CHALLENGE# and a text with random bytes; the other side answers with the
 *   digest of the whole text under the key; the challenger says #WELCOME# or #FAILURE#. Then the
 *   two change roles, the listener having begun. A text of 20 bytes is Python's before 3.12, and
 *   answered by a bare MD5; others name their digest in braces. A bare MD5 is taken for an answer
 *   too: to such a Python our text, {sha256} and all, is random bytes like any.
 *   `step` counts the moves of the part; a move that begins with a message waits for all of it in
 *   `in`, which has room for the longest one allowed. The length is judged before its bytes are
 *   read, and exactly as many are read as it says, so that what follows belongs to the connection.
 *   A death of either side is the end of the stream to the other; nothing is shared.
 */
#include "wire/handshake.h"
#include "wire/frame.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEAD = 4, MD5_SIZE = 16, SHA256_SIZE = 32, OLD_CHALLENGE = 20, RANDOM = 40 };

#define CHALLENGE "#CHALLENGE#"
#define WELCOME "#WELCOME#"
#define FAILURE "#FAILURE#"
#define MD5 "{md5}"
#define SHA256 "{sha256}"
#define SIZE_OF(literal) (sizeof(literal) - 1)

/* What is done with the message that came; ASK needs none. */
enum move { DONE, ASK, JUDGE, ANSWER, HEAR };

static const unsigned char moves[][5] = {
    [MP__HANDSHAKE_ACCEPT] = {ASK, JUDGE, ANSWER, HEAR, DONE},
    [MP__HANDSHAKE_CONNECT] = {ANSWER, HEAR, ASK, JUDGE, DONE},
    [MP__HANDSHAKE_ANSWER] = {ANSWER, HEAR, DONE},
    [MP__HANDSHAKE_CHALLENGE] = {ASK, JUDGE, DONE},
};

/* A message, or what is left of it. */
struct text {
    const unsigned char *p;
    size_t n;
};

static bool text_begins(struct text *text, const char *prefix, size_t n)
{
    if (text->n < n || memcmp(text->p, prefix, n) != 0)
        return false;
    text->p += n;
    text->n -= n;
    return true;
}

#define BEGINS(text, literal) text_begins(text, literal, SIZE_OF(literal))

static int message_send(const struct mp__handshake *h, const void *p, size_t n)
{
    bool torn;
    return mp__frame_send(&(struct mp__stream){.fd = h->fd, .is_socket = h->is_socket}, p, n,
                          &torn);
}

static int refused(struct mp__handshake *h, const char *why)
{
    h->why = why;
    return MP_EAUTH;
}

/* ---- the challenger ------------------------------------------------------------------------- */

static int challenge_send(struct mp__handshake *h)
{
    unsigned char message[SIZE_OF(CHALLENGE) + sizeof h->challenge] = CHALLENGE;
    h->challenge_size = SIZE_OF(SHA256) + RANDOM;
    memcpy(h->challenge, SHA256, SIZE_OF(SHA256));
    int rc = mp__entropy(h->challenge + SIZE_OF(SHA256), RANDOM);
    if (rc != 0)
        return rc;
    memcpy(message + SIZE_OF(CHALLENGE), h->challenge, h->challenge_size);
    return message_send(h, message, SIZE_OF(CHALLENGE) + h->challenge_size);
}

static bool answer_is_right(const struct mp__handshake *h, struct text answer)
{
    unsigned char mac[32];
    enum mp__digest digest = MP__MD5;
    if (answer.n != MD5_SIZE && !BEGINS(&answer, MD5)) {
        if (!BEGINS(&answer, SHA256))
            return false;
        digest = MP__SHA256;
    }
    size_t size = mp__hmac(digest, h->key, h->key_size, h->challenge, h->challenge_size, mac);
    return answer.n == size && mp__bytes_equal(answer.p, mac, size);
}

static int answer_judge(struct mp__handshake *h, struct text answer)
{
    if (answer_is_right(h, answer))
        return message_send(h, WELCOME, SIZE_OF(WELCOME));
    message_send(h, FAILURE, SIZE_OF(FAILURE)); /* who no longer listens need not know */
    return refused(h, "the digest received was wrong");
}

/* ---- the other side ------------------------------------------------------------------------- */

static int challenge_answer(struct mp__handshake *h, struct text text)
{
    unsigned char answer[SIZE_OF(SHA256) + SHA256_SIZE];
    size_t prefix = 0;
    enum mp__digest digest = MP__MD5;
    if (!BEGINS(&text, CHALLENGE))
        return refused(h, "what came is no challenge");
    struct text named = text;
    if (text.n < OLD_CHALLENGE)
        return refused(h, "the challenge is too short");
    if (text.n > OLD_CHALLENGE) {
        if (BEGINS(&named, SHA256))
            digest = MP__SHA256;
        else if (!BEGINS(&named, MD5))
            return refused(h, "the challenge wants a digest that is not known here");
        prefix = text.n - named.n;
        memcpy(answer, text.p, prefix);
    }
    size_t size = mp__hmac(digest, h->key, h->key_size, text.p, text.n, answer + prefix);
    return message_send(h, answer, prefix + size);
}

static int verdict_hear(struct mp__handshake *h, struct text verdict)
{
    if (BEGINS(&verdict, WELCOME) && verdict.n == 0)
        return 0;
    return refused(h, "the digest sent was rejected");
}

/* ---- the machine ---------------------------------------------------------------------------- */

void mp__handshake_begin(struct mp__handshake *h, int fd, enum mp__handshake_part part,
                         const void *key, size_t n)
{
    struct stat status;
    h->fd = fd;
    h->is_socket = fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
    h->key = key;
    h->key_size = n;
    h->part = part;
    h->step = 0;
    h->have = 0;
    h->why = "";
    h->is_lost = false;
}

static size_t body_size(const struct mp__handshake *h)
{
    return (size_t)h->in[0] << 24 | (size_t)h->in[1] << 16 | (size_t)h->in[2] << 8 | h->in[3];
}

/* What is missing of the head, and then of the message. */
static size_t message_missing(const struct mp__handshake *h)
{
    return HEAD + (h->have < HEAD ? 0 : body_size(h)) - h->have;
}

/* 1: the message is there. */
static int message_await(struct mp__handshake *h)
{
    for (;;) {
        if (h->have >= HEAD && body_size(h) > MP__HANDSHAKE_MOST) {
            h->is_lost = true;
            return MP_EOVERFLOW;
        }
        size_t missing = message_missing(h);
        if (missing == 0)
            return 1;
        unsigned char *at = h->in + h->have;
        ssize_t n =
            h->is_socket ? recv(h->fd, at, missing, MSG_DONTWAIT) : read(h->fd, at, missing);
        if (n > 0)
            h->have += (size_t)n;
        else if (n == 0 || errno == ECONNRESET)
            return MP_EEOF;
        else if (errno == EAGAIN || errno == EWOULDBLOCK)
            return 0;
        else if (errno != EINTR)
            return -errno;
    }
}

static int move_make(struct mp__handshake *h, enum move move, struct text message)
{
    switch (move) {
    case ASK:
        return challenge_send(h);
    case JUDGE:
        return answer_judge(h, message);
    case ANSWER:
        return challenge_answer(h, message);
    default:
        return verdict_hear(h, message);
    }
}

int mp__handshake_go(struct mp__handshake *h)
{
    for (;;) {
        enum move move = moves[h->part][h->step];
        if (move == DONE) {
            mp__fd_acknowledge(h->fd); /* a first message may follow the last word of this */
            return 1;
        }
        int rc = move == ASK ? 1 : message_await(h);
        if (rc != 1)
            return rc;
        rc = move_make(h, move, (struct text){h->in + HEAD, h->have - (move == ASK ? 0 : HEAD)});
        if (rc != 0)
            return rc;
        h->step++;
        h->have = 0;
    }
}

bool mp__handshake_is_proven(const struct mp__handshake *h)
{
    for (int i = 0; i < h->step; i++)
        if (moves[h->part][i] == JUDGE)
            return true;
    return false;
}

int mp__handshake_run(struct mp__handshake *h, mp__moment until)
{
    struct mp__stream stream = {.fd = h->fd, .is_socket = h->is_socket};
    for (;;) {
        int rc = mp__handshake_go(h);
        if (rc == MP_EOVERFLOW)
            return refused(h, "what came is no message of an authentication");
        if (rc != 0)
            return rc > 0 ? 0 : rc;
        size_t some =
            until == 0 ? 0 : mp__stream_hope(&stream, h->in + h->have, message_missing(h));
        h->have += some;
        if (some > 0)
            continue;
        rc = mp__stream_await(h->fd, POLLIN, until);
        if (rc <= 0)
            return rc == 0 ? MP_ETIMEOUT : rc;
    }
}
