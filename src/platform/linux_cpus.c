/* How many CPUs there are, how many this process may use (its affinity and its quota), and whether
 * this is its first thread. */
#include "platform/platform.h"

#include <sched.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

int mp__cpus_online(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (int)n : 1;
}

/* CPUs' worth of time that the control group grants, rounded up; 0 for no limit. */
static int cpus_granted(void)
{
    FILE *f = fopen("/sys/fs/cgroup/cpu.max", "re");
    if (f == NULL)
        return 0;
    long long quota = 0, period = 0;
    int n = fscanf(f, "%lld %lld", &quota, &period);
    fclose(f);
    return n == 2 && quota > 0 && period > 0 ? (int)((quota + period - 1) / period) : 0;
}

int mp__cpus_usable(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : mp__cpus_online();
    int granted = cpus_granted();
    return granted > 0 && granted < n ? granted : n;
}

bool mp__thread_is_first(void)
{
    return syscall(SYS_gettid) == getpid();
}
