/* A process of its own beside the program's: nobody's child, and in nobody's way.
 *
 * How it works
 *   A child of the caller leads a new session, sets all in order, forks once more and ends; the
 *   caller reaps it by its number. The grandchild is then the system's to reap, and from its first
 *   moment on it has a group of its own, to which nobody sends signals, all signals blocked, the
 *   folder "/", and nothing open but standard error and the one descriptor that it was given. It
 *   leaves by _exit. Neither calls what takes a lock of libc's: the program may have had more
 *   threads.
 *   A death of the caller leaves it whole, or not yet born.
 */
#include "platform/platform.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

enum { DESCRIPTORS_MOST = 1 << 20 };

static bool range_close(unsigned first, unsigned last)
{
#ifdef SYS_close_range
    return first > last || syscall(SYS_close_range, first, last, 0) == 0;
#else
    (void)last;
    return first > last;
#endif
}

static void others_close(int kept)
{
    struct rlimit limit;
    if (range_close(STDERR_FILENO + 1, (unsigned)kept - 1) &&
        range_close((unsigned)kept + 1, ~0U >> 1))
        return;
    int most = DESCRIPTORS_MOST;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < DESCRIPTORS_MOST)
        most = (int)limit.rlim_cur;
    for (int fd = STDERR_FILENO + 1; fd < most; fd++)
        if (fd != kept)
            close(fd);
}

static void streams_replace(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fd == STDERR_FILENO && fcntl(fd, F_GETFD) >= 0)
            break;
        close(fd);
        open("/dev/null", fd == STDIN_FILENO ? O_RDONLY : O_WRONLY); /* the lowest free number */
    }
}

_Noreturn static void child_run(void (*body)(int fd), int fd, const char *name)
{
    setsid();
    others_close(fd);
    streams_replace();
#ifdef __linux__
    prctl(PR_SET_NAME, name);
#else
    (void)name;
#endif
    if (chdir("/") != 0)
        _exit(errno);
    pid_t pid = fork();
    if (pid == 0)
        body(fd);
    _exit(pid >= 0 ? 0 : errno);
}

/* 0, or why there is no grandchild, as far as its end tells. */
static int child_verdict(pid_t pid)
{
    int status = 0;
    pid_t got;
    do
        got = waitpid(pid, &status, 0);
    while (got < 0 && errno == EINTR);
    if (got != pid) /* the program reaps all children: who uses the descriptor will see */
        return 0;
    return WIFEXITED(status) && WEXITSTATUS(status) <= 127 ? -WEXITSTATUS(status) : -EAGAIN;
}

int mp__detach(void (*body)(int fd), int fd, const char *name)
{
    sigset_t all, mask;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &mask);
    pid_t pid = fork();
    if (pid == 0)
        child_run(body, fd, name);
    int rc = pid < 0 ? -errno : child_verdict(pid);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    return rc;
}
