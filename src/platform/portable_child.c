/* Children watched through a sentinel pipe, parents by asking who the parent is.
 *
 * How it works
 *   The child alone keeps the write end of its pipe, so the read end reports its end. A process
 *   forked by the application while the pipe is open may hold the write end as well and hide the
 *   end, so every wait is a slice and callers ask waitpid between slices.
 *   A process bound to its parent runs a thread that looks at the parent every 50 ms.
 */
#include "platform/platform.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

const bool mp__child_sentinels_are_exact = false;

int mp__child_prepare(struct mp__child *child)
{
    *child = (struct mp__child){.pid = 0, .sentinel = -1, .child_side = -1};
    int ends[2];
    int rc = mp__pipe_open(ends);
    if (rc != 0)
        return rc;
    rc = mp__fd_note(ends[0], &child->device, &child->inode);
    if (rc != 0) {
        close(ends[1]);
        return rc;
    }
    child->sentinel = ends[0];
    child->child_side = ends[1];
    return 0;
}

static bool is_ours(const struct mp__child *child, int fd)
{
    return mp__fd_is(fd, child->device, child->inode);
}

void mp__child_started(struct mp__child *child, pid_t pid)
{
    child->pid = pid;
    close(child->child_side);
    child->child_side = -1;
}

void mp__child_inside(struct mp__child *child)
{
    close(child->sentinel);
    child->sentinel = -1;
}

void mp__child_forget(struct mp__child *child)
{
    if (is_ours(child, child->sentinel))
        close(child->sentinel);
    if (is_ours(child, child->child_side))
        close(child->child_side);
    child->sentinel = child->child_side = -1;
}

int mp__child_sentinel(struct mp__child *child, bool ended)
{
    (void)ended;
    if (!is_ours(child, child->sentinel))
        child->sentinel = -1;
    return child->sentinel >= 0 ? child->sentinel : -EBADF;
}

static int slice_ms(mp__moment until, int64_t longest)
{
    int64_t left = until == MP__NEVER ? longest : until - mp__now();
    if (left > longest)
        left = longest;
    return left <= 0 ? 0 : (int)((left + MP__MS - 1) / MP__MS);
}

void mp__child_await(const struct mp__child *child, mp__moment until)
{
    if (!is_ours(child, child->sentinel)) {
        poll(NULL, 0, slice_ms(until, 10 * MP__MS));
        return;
    }
    struct pollfd item = {.fd = child->sentinel, .events = POLLIN};
    if (poll(&item, 1, slice_ms(until, 100 * MP__MS)) > 0)
        poll(NULL, 0, 1); /* the pipe closes a moment before the child can be reaped */
}

bool mp__parent_await(pid_t parent, mp__moment until)
{
    while (getppid() == parent) {
        if (mp__moment_passed(until))
            return false;
        poll(NULL, 0, slice_ms(until, 10 * MP__MS));
    }
    return true;
}

static void *parent_watch(void *arg)
{
    pid_t parent = (pid_t)(intptr_t)arg;
    while (getppid() == parent)
        poll(NULL, 0, 50);
    kill(getpid(), SIGKILL);
    return NULL;
}

int mp__parent_bind(pid_t parent)
{
    sigset_t all, mask;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &mask);
    pthread_t thread;
    int rc = pthread_create(&thread, NULL, parent_watch, (void *)(intptr_t)parent);
    if (rc == 0)
        pthread_detach(thread);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    return -rc;
}

int mp__parent_bind_hard(pid_t parent)
{
    return mp__parent_bind(parent);
}

void mp__parent_signal(int signal_number)
{
    (void)signal_number;
}
