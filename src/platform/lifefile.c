/* The life file's byte locks, which the kernel drops with the process that holds them. */
#include "platform/platform.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int mp__lifefile_keep(struct mp__lifefile *file, int fd)
{
    int raised = mp__fd_raise(fd, MP__FD_FLOOR_KEPT);
    int rc = raised < 0 ? raised : mp__fd_note(raised, &file->device, &file->inode);
    file->fd = rc == 0 ? raised : -1;
    return rc;
}

/* POSIX has no file without a name, and a death between open and unlink leaves it. Nobody opens one
   by its name, so whoever comes next may remove it: all of a user's programs take the same name,
   and at most one empty file stays. Where the name is another's, one of mkstemp's has to do. */
static int temporary_in(const char *dir)
{
    char path[512], other[520];
    if (dir == NULL ||
        snprintf(path, sizeof path, "%s/mp.life.%ju", dir, (uintmax_t)getuid()) >= (int)sizeof path)
        return -1;
    int fd = -1;
    errno = EEXIST;
    for (int tries = 0; fd < 0 && errno == EEXIST && tries < 3; tries++) {
        unlink(path);
        fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    }
    if (fd >= 0) {
        unlink(path);
    } else if (errno == EEXIST) {
        snprintf(other, sizeof other, "%s.XXXXXX", path);
        fd = mkstemp(other);
        if (fd >= 0)
            unlink(other);
    }
    return fd;
}

int mp__lifefile_open_temporary(struct mp__lifefile *file)
{
    const char *const dirs[] = {getenv("TMPDIR"), "/tmp", "/dev/shm"};
    int fd = -1;
    for (size_t i = 0; fd < 0 && i < sizeof dirs / sizeof dirs[0]; i++)
        fd = temporary_in(dirs[i]);
    file->fd = -1;
    if (fd < 0)
        return errno == EMFILE || errno == ENFILE ? -errno : 0;
    return mp__lifefile_keep(file, fd);
}

static struct flock byte_lock(unsigned number)
{
    struct flock lock;
    memset(&lock, 0, sizeof lock);
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    lock.l_start = (off_t)number;
    lock.l_len = 1;
    return lock;
}

bool mp__lifefile_is_ours(const struct mp__lifefile *file)
{
    return mp__fd_is(file->fd, file->device, file->inode);
}

bool mp__lifefile_hold(const struct mp__lifefile *file, unsigned number)
{
    struct flock lock = byte_lock(number);
    int rc;
    do
        rc = fcntl(file->fd, F_SETLK, &lock);
    while (rc != 0 && errno == EINTR);
    return rc == 0 || (errno != EAGAIN && errno != EACCES);
}

void mp__lifefile_drop(const struct mp__lifefile *file, unsigned number)
{
    if (!mp__lifefile_is_ours(file))
        return;
    struct flock lock = byte_lock(number);
    lock.l_type = F_UNLCK;
    fcntl(file->fd, F_SETLK, &lock);
}

enum mp__sign mp__lifefile_look(const struct mp__lifefile *file, unsigned number)
{
    struct flock lock = byte_lock(number);
    if (fcntl(file->fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
        return mp__lifefile_is_ours(file) ? MP__SIGN_HELD : MP__SIGN_UNKNOWN;
    return mp__lifefile_is_ours(file) ? MP__SIGN_FREE : MP__SIGN_UNKNOWN;
}

bool mp__process_is_gone(pid_t pid)
{
    int kept = errno;
    siginfo_t info;
    memset(&info, 0, sizeof info);
    bool gone = waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0
                    ? info.si_pid == pid
                    : kill(pid, 0) != 0 && errno == ESRCH;
    errno = kept;
    return gone;
}
