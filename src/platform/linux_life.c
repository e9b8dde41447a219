/* The life file as a memfd, and start times from /proc. */
#include "platform/platform.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int mp__lifefile_open(struct mp__lifefile *file)
{
    int fd = memfd_create("libmp-life", MFD_CLOEXEC);
    if (fd >= 0 || errno == EMFILE || errno == ENFILE)
        return mp__lifefile_keep(file, fd);
    return mp__lifefile_open_temporary(file); /* an old kernel, or a filter of system calls */
}

static uint64_t ticks_per_second(void)
{
    long n = sysconf(_SC_CLK_TCK);
    return n > 0 ? (uint64_t)n : 100;
}

uint64_t mp__boot_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    uint64_t hz = ticks_per_second();
    return (uint64_t)now.tv_sec * hz + (uint64_t)now.tv_nsec / ((uint64_t)MP__SECOND / hz);
}

/* Skips `n` fields of /proc/PID/stat, which are separated by single spaces. */
static const char *field_skip(const char *p, int n)
{
    while (p != NULL && n-- > 0) {
        p = strchr(p, ' ');
        if (p != NULL)
            p++;
    }
    return p;
}

/* Without a descriptor: a corpse has no directory any more, but one thread, its own. Processes of
   others may be hidden in /proc, and /proc may be missing. */
static enum mp__trace trace_in_need(pid_t pid)
{
    char path[40], text[8];
    struct stat tasks;
    if (kill(pid, 0) != 0 && errno == ESRCH)
        return MP__TRACE_GONE;
    snprintf(path, sizeof path, "/proc/%ld/task", (long)pid);
    bool one_thread = stat(path, &tasks) == 0 && tasks.st_nlink == 3;
    snprintf(path, sizeof path, "/proc/%ld/cwd", (long)pid);
    bool no_directory = readlink(path, text, sizeof text) < 0 && errno == ENOENT;
    return one_thread && no_directory ? MP__TRACE_GONE : MP__TRACE_UNKNOWN;
}

enum mp__trace mp__process_trace(pid_t pid, uint64_t *start)
{
    char path[40], text[1024];
    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return trace_in_need(pid);
    ssize_t n = read(fd, text, sizeof text - 1);
    int error = errno;
    close(fd);
    if (n <= 0)
        return n < 0 && error == ESRCH ? MP__TRACE_GONE : MP__TRACE_UNKNOWN;
    text[n] = '\0';
    /* the name in parentheses may hold anything: fields are counted from its end, state is no. 3 */
    const char *state = strrchr(text, ')');
    if (state == NULL || state[1] == '\0')
        return MP__TRACE_UNKNOWN;
    state += 2;
    const char *threads = field_skip(state, 17);
    const char *began = field_skip(state, 19);
    if (threads == NULL || began == NULL)
        return MP__TRACE_UNKNOWN;
    /* a corpse; but a process whose first thread alone has ended shows Z as well */
    if (*state == 'X' || (*state == 'Z' && strtol(threads, NULL, 10) <= 1))
        return MP__TRACE_GONE;
    *start = strtoull(began, NULL, 10);
    return MP__TRACE_RUNS;
}

/* Not always getpid(): a process in a new pid namespace may still see the /proc of the old one. */
pid_t mp__process_id(void)
{
    char text[24];
    ssize_t n = readlink("/proc/self", text, sizeof text - 1);
    if (n <= 0)
        return getpid();
    text[n] = '\0';
    long pid = strtol(text, NULL, 10);
    return pid > 0 ? (pid_t)pid : getpid();
}
