/* Connection: passing descriptors to another process.
 *
 * How it works
 *   As Python's send_handle does it: one byte that tells how many descriptors come, which is one,
 *   with the descriptor attached, outside all messages. The system copies the descriptor when it
 *   is sent. What comes in is taken in whole, so that descriptors beyond the one expected can be
 *   closed, and is close-on-exec from the start where the system can.
 */
#include "wire/connection.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FDS_MOST 16 /* taken in at once, to be closed if more than one came */

/* Room for ancillary data, aligned for its head. */
union ancillary {
    struct cmsghdr align;
    unsigned char bytes[CMSG_SPACE(FDS_MOST * sizeof(int))];
};

int mp_connection_send_fd(mp_connection *c, int fd)
{
    struct mp__stream stream;
    int rc = mp__connection_enter(c, MP__WAY_OUT, &stream);
    if (rc != 0)
        return rc;
    if (fd < 0)
        return mp__fail(MP_EINVAL);
    if (c->torn)
        return mp__failf(-EPIPE, "an earlier message could not be sent to its end");

    unsigned char count = 1;
    union ancillary room;
    memset(&room, 0, sizeof room);
    struct iovec piece = {&count, 1};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = room.bytes,
                             .msg_controllen = CMSG_SPACE(sizeof fd)};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(head), &fd, sizeof fd);
    while (sendmsg(stream.fd, &message, MSG_NOSIGNAL) < 0) {
        rc = mp__stream_retry(stream.fd, POLLOUT);
        if (rc != 0)
            return mp__fail(rc);
    }
    return 0;
}

/* As CMSG_NXTHDR does, which in some libcs is no expression of clean types. */
static struct cmsghdr *head_after(const struct msghdr *message, struct cmsghdr *head)
{
    size_t at = (size_t)((unsigned char *)head - (unsigned char *)message->msg_control);
    at += CMSG_SPACE(head->cmsg_len - CMSG_LEN(0));
    if (at + sizeof *head > message->msg_controllen)
        return NULL;
    return (void *)((unsigned char *)message->msg_control + at);
}

/* Adds the descriptors that came to fd[]; gives how many there are now. */
static size_t fds_collect(struct msghdr *message, int fd[FDS_MOST])
{
    size_t n = 0;
    for (struct cmsghdr *head = CMSG_FIRSTHDR(message); head != NULL;
         head = head_after(message, head)) {
        if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
            continue;
        size_t more = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < more && n < FDS_MOST; i++)
            memcpy(&fd[n++], CMSG_DATA(head) + i * sizeof(int), sizeof(int));
    }
    return n;
}

static int fd_accept(int fd)
{
    int raised = mp__fd_raise(fd, MP__FD_FLOOR);
    return raised < 0 ? mp__fail(raised) : raised;
}

static int fds_judge(unsigned char count, const int *fd, size_t n, bool cut)
{
    if (n == 1 && count == 1 && !cut)
        return fd_accept(fd[0]);
    for (size_t i = 0; i < n; i++)
        close(fd[i]);
    if (n == 0 && cut)
        return mp__failf(-EMFILE, "there was no room for the descriptor");
    return mp__failf(MP_ETYPE, "a byte %u came with %zu descriptors, not 1 with one", count, n);
}

int mp_connection_recv_fd(mp_connection *c)
{
    struct mp__stream stream;
    int rc = mp__connection_enter(c, MP__WAY_IN, &stream);
    if (rc != 0)
        return rc;

    unsigned char count = 0;
    union ancillary room;
    struct iovec piece = {&count, 1};
    struct msghdr message;
    ssize_t got;
    for (;;) {
        message = (struct msghdr){.msg_iov = &piece,
                                  .msg_iovlen = 1,
                                  .msg_control = room.bytes,
                                  .msg_controllen = sizeof room.bytes};
        got = mp__fd_receive(stream.fd, &message);
        if (got >= 0)
            break;
        rc = mp__stream_retry(stream.fd, POLLIN);
        if (rc != 0)
            return mp__fail(rc == -EPIPE ? MP_EEOF : rc);
    }
    int fd[FDS_MOST];
    size_t n = fds_collect(&message, fd);
    if (got == 0 && n == 0)
        return mp__fail(MP_EEOF);
    return fds_judge(count, fd, n, message.msg_flags & MSG_CTRUNC);
}
