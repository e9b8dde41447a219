/* Plain forked children of the tests, and the pipes they speak through. */
#include "support/support.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

pid_t child_fork(int (*body)(void *arg), void *arg)
{
    (void)fflush(NULL);
    pid_t pid = fork();
    check(pid >= 0);
    if (pid == 0)
        _exit(body(arg));
    return pid;
}

int child_wait(pid_t pid)
{
    int status;
    pid_t ended;
    do
        ended = waitpid(pid, &status, 0);
    while (ended < 0 && errno == EINTR);
    check(ended == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

void support_child_succeeds(int (*body)(void *arg), void *arg, const char *file, int line)
{
    int status = child_wait(child_fork(body, arg));
    if (status != 0)
        support_fail(file, line, "the child left with %d", status);
}

static atomic_bool forked_enough;

struct forked_beside {
    pthread_t thread;
    int number;
    void (*body)(int thread);
};

static void *beside_forks(void *arg)
{
    const struct forked_beside *beside = arg;
    while (!atomic_load(&forked_enough))
        beside->body(beside->number);
    return NULL;
}

void fork_among_threads(void (*in_threads)(int thread), int (*in_child)(void *unused), int children)
{
    struct forked_beside beside[3];
    atomic_store(&forked_enough, false);
    for (int i = 0; i < 3; i++) {
        beside[i].number = i;
        beside[i].body = in_threads;
        check(pthread_create(&beside[i].thread, NULL, beside_forks, &beside[i]) == 0);
    }
    for (int i = 0; i < children; i++)
        child_must_succeed(in_child, NULL);
    atomic_store(&forked_enough, true);
    for (int i = 0; i < 3; i++)
        check(pthread_join(beside[i].thread, NULL) == 0);
}

static char process_state(pid_t pid)
{
    char path[64], line[512];
    (void)snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    FILE *file = fopen(path, "r");
    if (!file)
        return 'X';
    size_t n = fread(line, 1, sizeof line - 1, file);
    (void)fclose(file);
    line[n] = '\0';
    const char *name_end = strrchr(line, ')');
    return name_end && name_end[1] == ' ' ? name_end[2] : 'X';
}

void child_await_corpse(pid_t pid)
{
    while (child_await_sleep(pid))
        (void)sched_yield();
}

bool support_has_on_exit(void)
{
#ifdef __GLIBC__
    return true;
#else
    return false;
#endif
}

bool child_await_sleep(pid_t pid)
{
    const struct timespec moment = {.tv_nsec = 200000};
    for (;;) {
        char state = process_state(pid);
        if (state == 'S')
            return true;
        if (state == 'X' || state == 'Z')
            return false;
        (void)nanosleep(&moment, NULL);
    }
}

void pipe_open(struct signal_pipe *pipe_ends)
{
    int ends[2];
    check(pipe(ends) == 0);
    *pipe_ends = (struct signal_pipe){.read_fd = ends[0], .write_fd = ends[1]};
}

void pipe_tell(const struct signal_pipe *pipe_ends, char byte)
{
    ssize_t n;
    do
        n = write(pipe_ends->write_fd, &byte, 1);
    while (n < 0 && errno == EINTR);
    check(n == 1);
}

int pipe_await(const struct signal_pipe *pipe_ends)
{
    char byte;
    ssize_t n;
    do
        n = read(pipe_ends->read_fd, &byte, 1);
    while (n < 0 && errno == EINTR);
    check(n >= 0);
    return n == 1 ? (unsigned char)byte : -1;
}

void pipe_close(struct signal_pipe *pipe_ends)
{
    if (pipe_ends->read_fd >= 0)
        (void)close(pipe_ends->read_fd);
    if (pipe_ends->write_fd >= 0)
        (void)close(pipe_ends->write_fd);
    *pipe_ends = (struct signal_pipe){.read_fd = -1, .write_fd = -1};
}
