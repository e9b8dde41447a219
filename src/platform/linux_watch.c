/* Waiting for many descriptors: epoll; and who is at the other end of one. */
#include "platform/platform.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BATCH = 64 };

int mp__watch_open(struct mp__watch *watch)
{
    *watch = (struct mp__watch){.fd = epoll_create1(EPOLL_CLOEXEC)};
    watch->fd = mp__fd_raise(watch->fd, MP__FD_FLOOR);
    return watch->fd < 0 ? watch->fd : 0;
}

void mp__watch_close(struct mp__watch *watch)
{
    close(watch->fd);
    watch->fd = -1;
}

static int control(const struct mp__watch *watch, int how, int fd, unsigned what, void *tag)
{
    struct epoll_event event = {.events = EPOLLRDHUP, .data.ptr = tag};
    if (what & MP__WATCH_IN)
        event.events |= EPOLLIN;
    if (what & MP__WATCH_OUT)
        event.events |= EPOLLOUT;
    if (what & MP__WATCH_EDGE)
        event.events |= EPOLLET;
    return epoll_ctl(watch->fd, how, fd, &event) != 0 ? -errno : 0;
}

int mp__watch_add(struct mp__watch *watch, int fd, unsigned what, void *tag)
{
    return control(watch, EPOLL_CTL_ADD, fd, what, tag);
}

int mp__watch_change(struct mp__watch *watch, int fd, unsigned what, void *tag)
{
    return control(watch, EPOLL_CTL_MOD, fd, what, tag);
}

void mp__watch_remove(struct mp__watch *watch, int fd)
{
    (void)control(watch, EPOLL_CTL_DEL, fd, 0, NULL);
}

int mp__watch_wait(struct mp__watch *watch, struct mp__event *events, int most, mp__moment until)
{
    struct epoll_event happened[BATCH];
    int n = epoll_wait(watch->fd, happened, most < BATCH ? most : BATCH, mp__poll_time(until));
    if (n < 0)
        return errno == EINTR ? 0 : -errno;
    for (int i = 0; i < n; i++) {
        unsigned what = 0;
        if (happened[i].events & EPOLLIN)
            what |= MP__WATCH_IN;
        if (happened[i].events & EPOLLOUT)
            what |= MP__WATCH_OUT;
        if (happened[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
            what |= MP__WATCH_END;
        events[i] = (struct mp__event){happened[i].data.ptr, what};
    }
    return n;
}

pid_t mp__peer_pid(int fd)
{
    struct ucred who;
    socklen_t size = sizeof who;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0)
        return 0;
    return who.pid;
}
