/* The raw side of bench_process: fork, _exit and waitpid in a program that libmp is no part of, as
 * the library's own fork handlers and mappings make every fork dearer. */
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

static double answer(const char *request, double seconds)
{
    bool heap = strcmp(request, "start_heap") == 0;
    return heap ? bench_with_heap(fork_batch, seconds) : bench_alone(fork_batch, seconds);
}

int main(void)
{
    bench_peer_serve("fork", answer);
    return 0;
}
