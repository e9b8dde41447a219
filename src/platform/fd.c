/* Descriptors of the library's own, kept away from numbers that programs count on. */
#include "platform/platform.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

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
