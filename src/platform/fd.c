/* Descriptors of the library's own, kept away from numbers that programs count on. */
#include "platform/platform.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Without these another thread's exec may inherit a descriptor until it is raised. */
#if defined(SOCK_CLOEXEC) && !defined(MP_PORTABLE)
#define MADE_CLOEXEC SOCK_CLOEXEC
#else
#define MADE_CLOEXEC 0
#endif
#if defined(MSG_CMSG_CLOEXEC) && !defined(MP_PORTABLE)
#define RECEIVED_CLOEXEC MSG_CMSG_CLOEXEC
#else
#define RECEIVED_CLOEXEC 0
#endif

int mp__fd_raise(int fd, int floor)
{
    if (fd < 0)
        return -errno;
    int high = fd < floor ? fcntl(fd, F_DUPFD_CLOEXEC, floor) : -1;
    int error = errno;
    if (high < 0 && fd >= MP__FD_FLOOR) { /* high enough, or few descriptors are allowed */
        fcntl(fd, F_SETFD, FD_CLOEXEC);
        return fd;
    }
    close(fd);
    return high < 0 ? -error : high;
}

int mp__fd_accept(int fd, void *from, unsigned *size)
{
    socklen_t room = size != NULL ? *size : 0, *at = size != NULL ? &room : NULL;
#if defined(__linux__) && !defined(MP_PORTABLE)
    int accepted = accept4(fd, from, at, SOCK_CLOEXEC);
#else
    int accepted = accept(fd, from, at);
    int flags = accepted < 0 ? -1 : fcntl(accepted, F_GETFL);
    if (flags >= 0 && (flags & O_NONBLOCK)) /* some systems give it the listener's */
        fcntl(accepted, F_SETFL, flags & ~O_NONBLOCK);
#endif
    if (size != NULL)
        *size = room;
    return mp__fd_raise(accepted, MP__FD_FLOOR);
}

int mp__fd_raise_pair(int fd[2])
{
    for (int i = 0; i < 2; i++) {
        int raised = mp__fd_raise(fd[i], MP__FD_FLOOR);
        if (raised < 0) { /* which has closed this one */
            close(fd[1 - i]);
            return raised;
        }
        fd[i] = raised;
    }
    return 0;
}

int mp__pipe_open(int fd[2])
{
#if defined(__linux__) && !defined(MP_PORTABLE)
    int rc = pipe2(fd, O_CLOEXEC);
#else
    int rc = pipe(fd);
#endif
    return rc != 0 ? -errno : mp__fd_raise_pair(fd);
}

int mp__socket_open(int family)
{
    return mp__fd_raise(socket(family, SOCK_STREAM | MADE_CLOEXEC, 0), MP__FD_FLOOR);
}

static int pair_open(int type, int fd[2])
{
    int rc = socketpair(AF_UNIX, type | MADE_CLOEXEC, 0, fd);
    return rc != 0 ? -errno : mp__fd_raise_pair(fd);
}

int mp__socket_pair(int fd[2])
{
    return pair_open(SOCK_STREAM, fd);
}

int mp__channel_open(int fd[2])
{
    return pair_open(SOCK_SEQPACKET, fd);
}

ssize_t mp__fd_receive(int fd, struct msghdr *message)
{
    return recvmsg(fd, message, RECEIVED_CLOEXEC);
}

int mp__fd_note(int fd, uint64_t *device, uint64_t *inode)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    *device = (uint64_t)st.st_dev;
    *inode = (uint64_t)st.st_ino;
    return 0;
}

bool mp__fd_is(int fd, uint64_t device, uint64_t inode)
{
    struct stat st;
    return fd >= 0 && fstat(fd, &st) == 0 && (uint64_t)st.st_dev == device &&
           (uint64_t)st.st_ino == inode;
}

int mp__fd_unblock(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ? -errno : 0;
}

void mp__fd_acknowledge(int fd)
{
#ifdef TCP_QUICKACK
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
#else
    (void)fd;
#endif
}
