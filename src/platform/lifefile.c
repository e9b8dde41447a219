/* The life file's byte locks, which the kernel drops with the process that holds them. */
#include "platform/platform.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

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

/* The application may have closed the descriptor, and another file may have its number by now. */
static bool file_is_ours(const struct mp__lifefile *file)
{
    struct stat st;
    return file->fd >= 0 && fstat(file->fd, &st) == 0 && (uint64_t)st.st_dev == file->device &&
           (uint64_t)st.st_ino == file->inode;
}

/* Without its descriptor a process has no byte; its start time speaks for it. */
bool mp__lifefile_hold(const struct mp__lifefile *file, unsigned number)
{
    if (!file_is_ours(file))
        return true;
    struct flock lock = byte_lock(number);
    int rc;
    do
        rc = fcntl(file->fd, F_SETLK, &lock);
    while (rc != 0 && errno == EINTR);
    return rc == 0 || (errno != EAGAIN && errno != EACCES);
}

void mp__lifefile_drop(const struct mp__lifefile *file, unsigned number)
{
    if (!file_is_ours(file))
        return;
    struct flock lock = byte_lock(number);
    lock.l_type = F_UNLCK;
    fcntl(file->fd, F_SETLK, &lock);
}

enum mp__sign mp__lifefile_look(const struct mp__lifefile *file, unsigned number)
{
    struct flock lock = byte_lock(number);
    if (fcntl(file->fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
        return file_is_ours(file) ? MP__SIGN_HELD : MP__SIGN_UNKNOWN;
    return file_is_ours(file) ? MP__SIGN_FREE : MP__SIGN_UNKNOWN;
}
