/* fork() with stdio in order on both sides and no signal handler run between the two worlds.
 *
 * How it works
 *   What stands in the output buffers is written before the fork, so the child has nothing to
 *   write a second time; what another thread puts there between the flush and the fork is thrown
 *   away in the child. On glibc no FILE may be locked across fork: a thread in fflush(NULL) takes
 *   the locks in the other order. On musl they must be, or the child inherits another thread's
 *   lock and hangs in its first printf.
 */
#include "platform/platform.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#if defined(__GLIBC__) || defined(__linux__)
#include <stdio_ext.h>
#define HAVE_FPURGE 1
#endif

#ifdef __GLIBC__
static void stdio_hold(void)
{
    fflush(stdout);
    fflush(stderr);
}

static void stdio_give(void)
{
}
#else
static void stdio_hold(void)
{
    flockfile(stdout);
    flockfile(stderr);
    fflush(stdout);
    fflush(stderr);
}

static void stdio_give(void)
{
    funlockfile(stderr);
    funlockfile(stdout);
}
#endif

pid_t mp__fork(sigset_t *mask)
{
    sigset_t all;
    sigfillset(&all);
    stdio_hold();
    pthread_sigmask(SIG_SETMASK, &all, mask);
    pid_t pid = fork();
    int error = errno;
#ifdef HAVE_FPURGE
    if (pid == 0) {
        __fpurge(stdin);
        __fpurge(stdout);
        __fpurge(stderr);
    }
#endif
    stdio_give();
    errno = error;
    return pid;
}
