/* The quiet probe: is this machine ours alone at the moment?
 *
 * How it works
 *   On each CPU in turn a short fixed loop runs for two milliseconds. Every pass is timed. Time
 *   lost in passes that took 20 us longer than they should was taken by somebody: another process,
 *   or the host below. A virtual machine loses some of it always; a CPU is disturbed if more than a
 *   tenth is lost, or if even the fastest pass took clearly longer than the fastest one ever seen.
 */
#include "kit.h"

#include <sched.h>

#define PROBE_SPAN INT64_C(2000000)
#define GAP INT64_C(20000)
#define LOST_MOST (PROBE_SPAN / 10)

static int64_t best = INT64_MAX;

static int64_t pass_time(void)
{
    int64_t began = bench_now();
    for (volatile int i = 0; i < 400; i++)
        ;
    return bench_now() - began;
}

static bool cpu_is_quiet(void)
{
    int64_t began = bench_now(), fastest = INT64_MAX, lost = 0;
    while (bench_now() - began < PROBE_SPAN) {
        int64_t took = pass_time();
        if (took < fastest)
            fastest = took;
        if (took > best + GAP)
            lost += took - best;
    }
    if (fastest < best)
        best = fastest;
    return lost <= LOST_MOST && fastest <= best + best / 4;
}

bool bench_is_quiet(void)
{
    cpu_set_t mine;
    if (sched_getaffinity(0, sizeof mine, &mine) != 0)
        return cpu_is_quiet();
    bool quiet = true;
    for (size_t cpu = 0; cpu < CPU_SETSIZE && quiet; cpu++) {
        cpu_set_t one;
        if (!CPU_ISSET(cpu, &mine))
            continue;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        sched_setaffinity(0, sizeof one, &one);
        quiet = cpu_is_quiet();
    }
    sched_setaffinity(0, sizeof mine, &mine);
    return quiet;
}

void bench_quiet_begin(void)
{
    for (int i = 0; i < 20; i++)
        (void)cpu_is_quiet();
}
