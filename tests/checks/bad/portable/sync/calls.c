/* Speaks of /proc and epoll_wait, which is allowed, and uses what is not. */
#include <sys/epoll.h>
#include <linux/futex.h>

static const char path[] = "/proc/self/stat";

#ifdef __linux__
int open_all(void)
{
    int array[] = {eventfd(0, 0), memfd_create(path, 0)};
    return accept4(array[0], 0, 0, SOCK_CLOEXEC) + (int)syscall(SYS_gettid);
}
#endif
