/* Children and parents watched through process descriptors.
 *
 * How it works
 *   A child costs no descriptor until somebody asks for its sentinel; a pidfd opened then belongs
 *   to the right process if the child can still be waited for afterwards, as its number cannot be
 *   used again before it is reaped. If it cannot, it has ended, and any descriptor that is
 *   readable says so. Before Linux 6.9 all pidfds are one file, shared with eventfds and the like;
 *   such a descriptor is believed only if it is a pidfd still.
 *   A process bound to its parent is sent SIGRTMAX when the thread that forked it ends; the
 *   handler looks whether the process is gone too. The kernel sends the signal again at the end
 *   of the next thread, so a parent that goes on after that thread is no false alarm.
 */
#include "platform/platform.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int pidfd_of(pid_t pid)
{
#ifdef SYS_pidfd_open
    return (int)syscall(SYS_pidfd_open, pid, 0);
#else
    (void)pid;
    errno = ENOSYS;
    return -1;
#endif
}

/* A descriptor that is readable from the start. */
static int readable_fd(void)
{
    int ends[2];
    int rc = mp__pipe_open(ends);
    if (rc != 0)
        return rc;
    ssize_t written = write(ends[1], "", 1); /* POLLIN: without a byte it were POLLHUP alone */
    close(ends[1]);
    if (written == 1)
        return ends[0];
    close(ends[0]);
    return -EIO;
}

static bool is_pidfd(int fd)
{
#ifdef SYS_pidfd_send_signal
    return syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0) == 0 || errno != EBADF;
#else
    (void)fd;
    return true;
#endif
}

static bool child_is_waitable(pid_t pid)
{
    siginfo_t info;
    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

const bool mp__child_sentinels_are_exact = true;

int mp__child_prepare(struct mp__child *child)
{
    *child = (struct mp__child){.pid = 0, .sentinel = -1, .child_side = -1};
    return 0;
}

void mp__child_started(struct mp__child *child, pid_t pid)
{
    child->pid = pid;
}

void mp__child_inside(struct mp__child *child)
{
    (void)child;
}

static bool sentinel_is_ours(const struct mp__child *child)
{
    return mp__fd_is(child->sentinel, child->device, child->inode) &&
           (child->sentinel_is_pipe || is_pidfd(child->sentinel));
}

void mp__child_forget(struct mp__child *child)
{
    if (sentinel_is_ours(child))
        close(child->sentinel);
    child->sentinel = -1;
}

/* Of a child that is not reaped by this process; -ESRCH: somebody else has reaped it. */
static int sentinel_open(pid_t pid)
{
    int fd = pidfd_of(pid), error = errno;
    if (child_is_waitable(pid))
        return fd < 0 ? -error : mp__fd_raise(fd, MP__FD_FLOOR);
    if (fd >= 0)
        close(fd);
    return -ESRCH;
}

int mp__child_sentinel(struct mp__child *child, bool ended)
{
    if (sentinel_is_ours(child))
        return child->sentinel;
    child->sentinel = -1;
    int fd = ended ? -ESRCH : sentinel_open(child->pid);
    child->sentinel_is_pipe = fd == -ESRCH;
    if (child->sentinel_is_pipe)
        fd = readable_fd();
    int rc = fd < 0 ? fd : mp__fd_note(fd, &child->device, &child->inode);
    if (rc == 0)
        child->sentinel = fd;
    return rc == 0 ? fd : rc;
}

static void fd_await(int fd, mp__moment until)
{
    struct pollfd item = {.fd = fd, .events = POLLIN};
    int64_t left = until == MP__NEVER ? MP__SECOND : until - mp__now();
    if (left > MP__SECOND)
        left = MP__SECOND;
    if (left > 0)
        poll(&item, 1, (int)((left + MP__MS - 1) / MP__MS));
}

static void nap(mp__moment until)
{
    int64_t slice = MP__SLICE_FIRST;
    mp__moment end = mp__slice_end(&slice, until);
    int64_t left = end - mp__now();
    if (left > 0)
        poll(NULL, 0, (int)((left + MP__MS - 1) / MP__MS));
}

void mp__child_await(const struct mp__child *child, mp__moment until)
{
    if (until == MP__NEVER) {
        /* the kernel's own notice of a death cannot be lost, so this wait needs no slices */
        siginfo_t info;
        waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOWAIT);
        return;
    }
    if (sentinel_is_ours(child))
        fd_await(child->sentinel, until);
    else
        nap(until);
}

bool mp__parent_await(pid_t parent, mp__moment until)
{
    int fd = pidfd_of(parent);
    bool gone;
    while (!(gone = getppid() != parent) && !mp__moment_passed(until)) {
        if (fd >= 0)
            fd_await(fd, until);
        else
            nap(until);
    }
    if (fd >= 0)
        close(fd);
    return gone;
}

void mp__parent_signal(int signal_number)
{
    prctl(PR_SET_PDEATHSIG, (unsigned long)signal_number, 0, 0, 0);
}

int mp__parent_bind_hard(pid_t parent)
{
    mp__parent_signal(SIGKILL);
    if (getppid() != parent)
        kill(getpid(), SIGKILL);
    return 0;
}

static pid_t bound_parent;

static void parent_thread_ended(int signal_number)
{
    (void)signal_number;
    if (getppid() != bound_parent)
        kill(getpid(), SIGKILL);
}

int mp__parent_bind(pid_t parent)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = parent_thread_ended;
    action.sa_flags = SA_RESTART;
    sigfillset(&action.sa_mask);
    bound_parent = parent;
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, SIGRTMAX);
    if (sigaction(SIGRTMAX, &action, NULL) != 0 ||
        prctl(PR_SET_PDEATHSIG, (unsigned long)SIGRTMAX, 0, 0, 0) != 0 ||
        pthread_sigmask(SIG_UNBLOCK, &one, NULL) != 0)
        return -errno;
    if (getppid() != parent)
        kill(getpid(), SIGKILL);
    return 0;
}
