/* fork() with stdio in order on both sides and no signal handler run between the two worlds.
 *
 * How it works
 *   What stands in the output buffers is written before the fork, so the child has nothing to
 *   write a second time; what another thread puts there between the flush and the fork is thrown
 *   away in the child. On glibc no FILE may be locked across fork: a thread in fflush(NULL) takes
 *   the locks in the other order. On musl they must be, or the child inherits another thread's
 *   lock and hangs in its first printf. Either is done before the caller takes any lock of
 *   libmp's, as a thread that holds a FILE may be waiting for that one.
 *
 *   Globals: input_is_stdin, set before main; empty_input, the caller's of mp__fork.
 */
#include "platform/platform.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#ifdef __linux__
#include <stdio_ext.h>
#define PURGE(stream) __fpurge(stream)
#else
#define PURGE(stream) ((void)(stream)) /* what was printed during the fork may come twice */
#endif

/* Streams that hold nothing are left alone, and glibc's are looked into without a call: in a child
   each page that is touched has to be fetched. A wide one's own buffer cannot be looked into. */
#ifdef __GLIBC__
static bool stream_holds_output(FILE *stream)
{
    return stream->_IO_write_ptr != stream->_IO_write_base || stream->_mode > 0;
}

static bool stream_holds_input(FILE *stream)
{
    return stream->_IO_read_ptr != stream->_IO_read_end || stream->_mode > 0;
}

/* Every FILE is free in a child of glibc. */
static bool stdin_try(void)
{
    return true;
}

static void stdin_give(void)
{
}

void mp__stdio_hold(void)
{
    mp__stdio_flush();
}

void mp__stdio_give(void)
{
}
#else
static bool stream_holds_output(FILE *stream)
{
    (void)stream;
    return true;
}

static bool stream_holds_input(FILE *stream)
{
    (void)stream;
    return true;
}

/* The parent's reading thread may hold it for ever. */
static bool stdin_try(void)
{
    return ftrylockfile(stdin) == 0;
}

static void stdin_give(void)
{
    funlockfile(stdin);
}

void mp__stdio_hold(void)
{
    flockfile(stdout);
    flockfile(stderr);
    mp__stdio_flush();
}

void mp__stdio_give(void)
{
    funlockfile(stderr);
    funlockfile(stdout);
}
#endif

static void stream_flush(FILE *stream)
{
    if (stream_holds_output(stream))
        fflush(stream);
}

static void stream_purge(FILE *stream)
{
    if (stream_holds_output(stream))
        PURGE(stream);
}

void mp__stdio_flush(void)
{
    stream_flush(stdout);
    stream_flush(stderr);
}

/* What a program started without standard input opens as number 0 is a file like any other. */
static bool input_is_stdin;

__attribute__((constructor(101))) static void input_note(void)
{
    input_is_stdin = fcntl(STDIN_FILENO, F_GETFD) >= 0;
}

/* /dev/null, opened by the parent once: in a child the opening costs twice a dup2. It is
   looked at before the fork; a thread that closes what it did not open at that very moment is not
   provided for. */
static struct {
    int fd;
    uint64_t device, inode;
} empty_input = {.fd = -1};

/* The application may have /dev/null at the same number, to write to. */
static bool empty_input_is_ours(void)
{
    return mp__fd_is(empty_input.fd, empty_input.device, empty_input.inode) &&
           (fcntl(empty_input.fd, F_GETFL) & O_ACCMODE) == O_RDONLY;
}

static void empty_input_ensure(void)
{
    if (!input_is_stdin || empty_input_is_ours())
        return;
    empty_input.fd = mp__fd_raise(open("/dev/null", O_RDONLY | O_CLOEXEC), MP__FD_FLOOR_KEPT);
    if (empty_input.fd >= 0 &&
        mp__fd_note(empty_input.fd, &empty_input.device, &empty_input.inode) != 0)
        empty_input.fd = -1;
}

static void input_replace(void)
{
    if (!input_is_stdin || (empty_input.fd >= 0 && dup2(empty_input.fd, STDIN_FILENO) >= 0))
        return;
    close(STDIN_FILENO);
    int fd = open("/dev/null", O_RDONLY);
    if (fd > STDIN_FILENO)
        close(fd);
}

/* A child must not take its parent's input away, nor what the parent has read ahead. */
static void stdin_replace(void)
{
    input_replace();
    if (!stdin_try())
        return;
    if (stream_holds_input(stdin))
        PURGE(stdin);
    if (feof_unlocked(stdin) || ferror_unlocked(stdin))
        clearerr(stdin);
    stdin_give();
}

pid_t mp__fork(sigset_t *mask)
{
    sigset_t all;
    sigfillset(&all);
    empty_input_ensure();
    pthread_sigmask(SIG_SETMASK, &all, mask);
    pid_t pid = fork();
    int error = pid < 0 ? errno : 0;
    if (pid == 0) {
        stream_purge(stdout);
        stream_purge(stderr);
        mp__stdio_give();
        stdin_replace();
    }
    if (pid < 0)
        errno = error;
    return pid;
}
