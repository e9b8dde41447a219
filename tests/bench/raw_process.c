/* The raw side of bench_process and of a pool's making: fork, _exit and waitpid in a program that
 * libmp is no part of, as the library's own fork handlers and mappings make every fork dearer. */
#include "kit.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void fork_batch(uint64_t n)
{
    while (n-- > 0) {
        pid_t pid = fork();
        bench_check(pid >= 0);
        if (pid == 0)
            _exit(0);
        bench_check(waitpid(pid, NULL, 0) == pid);
    }
}

/* Five that are started together: a supervisor and four workers. */
static void five_batch(uint64_t n)
{
    while (n-- > 0) {
        pid_t pid[5];
        for (int i = 0; i < 5; i++) {
            pid[i] = fork();
            bench_check(pid[i] >= 0);
            if (pid[i] == 0)
                _exit(0);
        }
        for (int i = 0; i < 5; i++)
            bench_check(waitpid(pid[i], NULL, 0) == pid[i]);
    }
}

static double answer(const char *request, double seconds)
{
    if (strcmp(request, "five") == 0)
        return bench_alone(five_batch, seconds);
    if (strcmp(request, "five_unpinned") == 0)
        return bench_unpinned(five_batch, seconds);
    bool heap = strcmp(request, "start_heap") == 0;
    return heap ? bench_with_heap(fork_batch, seconds) : bench_alone(fork_batch, seconds);
}

int main(void)
{
    bench_peer_serve("fork", answer);
    return 0;
}
