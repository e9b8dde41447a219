/* The framing of messages, and streams that are read and written without surprises.
 *
 * How it works
 *   A message goes out in one call of the system, head and body together, and what the system did
 *   not take goes out in further ones. It comes in by at least two: first the head, exactly, then
 *   the body, exactly. Nothing is read ahead, so that the descriptor can be shared with forked
 *   children and other processes, polled, passed on, and used for passing descriptors.
 *   A sender that dies inside leaves a beginning in the stream, which ends there when no process
 *   holds that end any more: the receiver then sees the end inside a message.
 *   Sockets are asked for no SIGPIPE. A pipe cannot be; there the signal is blocked in this thread
 *   around the write. The kernel sends it to the writing thread, so one that a failed write left
 *   pending is taken back, unless one was pending before: the two are one then, and not ours.
 */
#include "wire/frame.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* ---- waiting ------------------------------------------------------------------------------- */

int mp__stream_await(int fd, short events, mp__moment until)
{
    struct pollfd item = {.fd = fd, .events = events};
    for (;;) {
        int n = poll(&item, 1, mp__poll_time(until));
        if (n > 0)
            return item.revents & POLLNVAL ? -EBADF : 1;
        if (n < 0 && errno != EINTR)
            return -errno;
        if (mp__moment_passed(until))
            return 0;
    }
}

int mp__stream_retry(int fd, short events)
{
    if (errno == EINTR)
        return 0;
    if (errno != EAGAIN && errno != EWOULDBLOCK)
        return errno == ECONNRESET ? -EPIPE : -errno;
    int rc = mp__stream_await(fd, events, MP__NEVER);
    return rc < 0 ? rc : 0;
}

/* ---- reading ------------------------------------------------------------------------------- */

int mp__stream_read(const struct mp__stream *stream, void *p, size_t n, size_t *got)
{
    *got = 0;
    while (*got < n) {
        char *at = (char *)p + *got;
        ssize_t some = stream->is_socket ? recv(stream->fd, at, n - *got, MSG_WAITALL)
                                         : read(stream->fd, at, n - *got);
        if (some > 0) {
            *got += (size_t)some;
            continue;
        }
        int rc = some == 0 ? MP_EEOF : mp__stream_retry(stream->fd, POLLIN);
        if (rc != 0)
            return rc == -EPIPE ? MP_EEOF : rc;
    }
    return 0;
}

static uint64_t big_endian(const unsigned char *p, size_t n)
{
    uint64_t value = 0;
    for (size_t i = 0; i < n; i++)
        value = value << 8 | p[i];
    return value;
}

int mp__frame_size(const struct mp__stream *stream, uint64_t *size, bool *inside)
{
    unsigned char head[MP__FRAME_HEAD_MOST];
    size_t got, early = mp__stream_hope(stream, head, 4);
    int rc = mp__stream_read(stream, head + early, 4 - early, &got);
    got += early;
    *inside = got > 0;
    if (rc != 0)
        return rc;
    uint64_t length = big_endian(head, 4);
    if (length <= MP__FRAME_SHORT_MOST) {
        *size = length;
        return 0;
    }
    if (length != UINT32_MAX)
        return MP_EOVERFLOW;
    rc = mp__stream_read(stream, head + 4, 8, &got);
    if (rc != 0)
        return rc;
    length = big_endian(head + 4, 8);
    if (length <= MP__FRAME_SHORT_MOST || length >= (uint64_t)PTRDIFF_MAX)
        return MP_EOVERFLOW;
    *size = length;
    return 0;
}

/* ---- writing ------------------------------------------------------------------------------- */

/* SIGPIPE, kept from this thread. */
struct pipe_signal {
    sigset_t old;
    bool was_pending;
};

static bool sigpipe_is_pending(void)
{
    sigset_t pending;
    sigpending(&pending);
    return sigismember(&pending, SIGPIPE) == 1;
}

static void sigpipe_hold(struct pipe_signal *held)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &set, &held->old);
    /* not blocked so far, it cannot have been pending: it would have been delivered */
    held->was_pending = sigismember(&held->old, SIGPIPE) == 1 && sigpipe_is_pending();
}

static void sigpipe_release(const struct pipe_signal *held, bool caused)
{
    if (caused && !held->was_pending && sigpipe_is_pending()) {
        sigset_t set;
        int signal_number;
        sigemptyset(&set);
        sigaddset(&set, SIGPIPE);
        sigwait(&set, &signal_number);
    }
    pthread_sigmask(SIG_SETMASK, &held->old, NULL);
}

/* What is still to be written: the rest of the head, then the rest of the body. */
struct rest {
    struct iovec piece[2];
    int first;
};

static bool rest_skip(struct rest *rest, size_t n)
{
    while (rest->first < 2 && n >= rest->piece[rest->first].iov_len)
        n -= rest->piece[rest->first++].iov_len;
    if (rest->first == 2)
        return false;
    rest->piece[rest->first].iov_base = (char *)rest->piece[rest->first].iov_base + n;
    rest->piece[rest->first].iov_len -= n;
    return true;
}

static ssize_t rest_write(const struct mp__stream *stream, struct rest *rest)
{
    struct iovec *pieces = rest->piece + rest->first;
    int count = 2 - rest->first;
    if (!stream->is_socket)
        return writev(stream->fd, pieces, count);
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = (size_t)count};
    return sendmsg(stream->fd, &message, MSG_NOSIGNAL);
}

static int rest_send(const struct mp__stream *stream, struct rest *rest, bool *torn)
{
    for (;;) {
        ssize_t n = rest_write(stream, rest);
        int rc = n < 0 ? mp__stream_retry(stream->fd, POLLOUT) : 0;
        if (rc != 0)
            return rc;
        *torn = *torn || n > 0;
        if (n >= 0 && !rest_skip(rest, (size_t)n))
            return 0;
    }
}

size_t mp__frame_head(unsigned char head[MP__FRAME_HEAD_MOST], uint64_t size)
{
    size_t length = size <= MP__FRAME_SHORT_MOST ? 4 : 8, at = 0;
    if (length == 8)
        while (at < 4)
            head[at++] = 0xff;
    while (length-- > 0)
        head[at++] = (unsigned char)(size >> 8 * length);
    return at;
}

int mp__frame_send(const struct mp__stream *stream, const void *p, size_t n, bool *torn)
{
    unsigned char head[MP__FRAME_HEAD_MOST];
    struct pipe_signal held;
    /* an iovec has no const; nothing writes through it */
    struct rest rest = {.piece = {{head, mp__frame_head(head, n)}, {(void *)(uintptr_t)p, n}}};
    *torn = false;
    if (stream->is_socket)
        return rest_send(stream, &rest, torn);
    sigpipe_hold(&held);
    int rc = rest_send(stream, &rest, torn);
    sigpipe_release(&held, rc == -EPIPE);
    return rc;
}
