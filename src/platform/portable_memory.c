/* Shared and private mappings, their limits, and random bytes, from POSIX and MAP_ANONYMOUS. */
#include "platform/platform.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

void *mp__map_shared(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

void mp__map_punch(void *p, size_t size)
{
    (void)p;
    (void)size;
}

void mp__map_release(void *p, size_t size)
{
    munmap(p, size);
}

void *mp__map_wiped(size_t size, void (*reset)(void))
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    pthread_atfork(NULL, NULL, reset);
    return p;
}

size_t mp__memory_limit(void)
{
    return SIZE_MAX;
}

/* Nothing promises that unused pages of a shared mapping are free here: stay modest. */
size_t mp__address_limit(void)
{
    size_t limit = (size_t)256 << 20;
    struct rlimit space;
    if (getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur != RLIM_INFINITY &&
        space.rlim_cur / 4 < limit)
        limit = (size_t)(space.rlim_cur / 4);
    return limit;
}

int mp__entropy(void *p, size_t size)
{
    int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    unsigned char *bytes = p;
    while (size > 0) {
        ssize_t n = read(fd, bytes, size);
        if (n <= 0 && errno != EINTR) {
            close(fd);
            return -EIO;
        }
        if (n > 0) {
            bytes += n;
            size -= (size_t)n;
        }
    }
    close(fd);
    return 0;
}
