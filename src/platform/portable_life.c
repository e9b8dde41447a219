/* The life file as an unlinked temporary file; start times are not known. */
#include "platform/platform.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FD_FLOOR 64

static int temporary_in(const char *dir)
{
    char path[512];
    if (dir == NULL || snprintf(path, sizeof path, "%s/mp.life.XXXXXX", dir) >= (int)sizeof path)
        return -1;
    int fd = mkstemp(path);
    if (fd >= 0)
        unlink(path);
    return fd;
}

int mp__lifefile_open(struct mp__lifefile *file)
{
    const char *const dirs[] = {getenv("TMPDIR"), "/tmp", "/dev/shm"};
    int low = -1;
    for (size_t i = 0; low < 0 && i < sizeof dirs / sizeof dirs[0]; i++)
        low = temporary_in(dirs[i]);
    if (low < 0)
        return -errno;
    int fd = mp__fd_raise(low, FD_FLOOR);
    if (fd < 0)
        return fd;
    struct stat st;
    if (fstat(fd, &st) != 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    file->fd = fd;
    file->device = (uint64_t)st.st_dev;
    file->inode = (uint64_t)st.st_ino;
    return 0;
}

uint64_t mp__boot_now(void)
{
    return 0;
}

enum mp__trace mp__process_trace(pid_t pid, uint64_t *start)
{
    (void)start;
    return kill(pid, 0) != 0 && errno == ESRCH ? MP__TRACE_GONE : MP__TRACE_UNKNOWN;
}
