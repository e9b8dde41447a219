/* The raw side of bench_process: fork, _exit and waitpid in a program that libmp is no part of, as
 * the library's own fork handlers and mappings make every fork dearer. */
#include "kit.h"

#include <stdio.h>
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

int main(void)
{
    char request[32], pinning[32];
    double seconds;
    puts("fork");
    fflush(stdout);
    while (scanf("%31s %31s %lf", request, pinning, &seconds) == 3) {
        if (strcmp(pinning, "free") == 0)
            bench_place_freely();
        bool heap = strcmp(request, "start_heap") == 0;
        double took =
            heap ? bench_with_heap(fork_batch, seconds) : bench_alone(fork_batch, seconds);
        printf("%.1f\n", took);
        fflush(stdout);
    }
    return 0;
}
