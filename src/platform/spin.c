/* Bounded spinning before a park, measured in time because a pause costs 5 to 50 ns.
 *
 * How it works
 *   Each thread keeps a credit: a spin that gained something fills it, one that did not halves
 *   what is left; without credit only every sixteenth wait spins, as a probe. Two processes that
 *   share one core so stop spinning after a few rounds and start again when they are apart.
 */
#include "platform/platform.h"

#include <stdatomic.h>

#define SPIN_SPAN ((int64_t)3000)
#define CREDIT_FULL 64u
#define PROBE_EVERY 16u

static _Thread_local unsigned credit = CREDIT_FULL;
static _Thread_local unsigned skipped;
static atomic_int cpus;

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
    __asm__ volatile("yield");
#endif
}

bool mp__spin_begin(struct mp__spin *spin)
{
    int n = atomic_load_explicit(&cpus, memory_order_relaxed); /* a cache of one number */
    if (n == 0) {
        n = mp__cpus_usable();
        atomic_store_explicit(&cpus, n, memory_order_relaxed);
    }
    if (n < 2)
        return false;
    if (credit == 0 && ++skipped % PROBE_EVERY != 0)
        return false;
    spin->end = mp__now() + SPIN_SPAN;
    return true;
}

bool mp__spin_again(struct mp__spin *spin)
{
    for (int i = 0; i < 8; i++)
        relax();
    return mp__now() < spin->end;
}

void mp__spin_ended(bool gained)
{
    if (gained)
        credit = CREDIT_FULL;
    else
        credit /= 2;
}
