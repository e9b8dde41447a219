/* Bounded spinning before a park, measured in time because a pause costs 5 to 50 ns.
 *
 * How it works
 *   Each thread keeps a habit for locks and one for wakes. A spin lasts 3 us. One that gained
 *   something fills the habit's credit, one that did not halves it; without credit a wait spins
 *   only now and then, as a probe. So two processes that share a core stop spinning after a few
 *   rounds.
 *   The probe for a wake is long: once both sides of an exchange park, each wake may take 30 us
 *   across CPUs, and a short spin on one side would never meet the other. As it costs that much
 *   when it fails, failing probes get rarer and rarer.
 *   Polls for a lock get rarer too, as each takes the cache line away from its holder.
 */
#include "platform/platform.h"

#include <stdatomic.h>

#define SPAN ((int64_t)3000)
#define PROBE_SPAN ((int64_t)100000)

enum { CREDIT_FULL = 64, PROBE_FIRST = 16, PROBE_RAREST = 1024, PAUSES = 8, PAUSES_MOST = 64 };

struct habit {
    unsigned credit, skipped, probe_every;
};

static _Thread_local struct habit habits[2] = {
    [MP__SPIN_LOCK] = {CREDIT_FULL, 0, PROBE_FIRST},
    [MP__SPIN_WAKE] = {CREDIT_FULL, 0, PROBE_FIRST},
};
static atomic_int cpus; /* a cache of one number */

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
    __asm__ volatile("yield");
#endif
}

/* Not those of this process alone: who it waits for may run on another. */
static bool is_alone(void)
{
    int n = atomic_load_explicit(&cpus, memory_order_relaxed);
    if (n == 0) {
        n = mp__cpus_online();
        atomic_store_explicit(&cpus, n, memory_order_relaxed);
    }
    return n < 2;
}

bool mp__spin_begin(struct mp__spin *spin, enum mp__spin_for what)
{
    struct habit *habit = &habits[what];
    int64_t span = SPAN;
    if (is_alone())
        return false;
    if (habit->credit == 0) {
        if (++habit->skipped < habit->probe_every)
            return false;
        habit->skipped = 0;
        if (what == MP__SPIN_WAKE) {
            span = PROBE_SPAN;
            if (habit->probe_every < PROBE_RAREST)
                habit->probe_every *= 2;
        }
    }
    *spin = (struct mp__spin){what, PAUSES, mp__now() + span};
    return true;
}

bool mp__spin_again(struct mp__spin *spin)
{
    for (int i = 0; i < spin->pauses; i++)
        relax();
    if (spin->what == MP__SPIN_LOCK && spin->pauses < PAUSES_MOST)
        spin->pauses *= 2;
    return mp__now() < spin->end;
}

void mp__spin_ended(struct mp__spin *spin, bool gained)
{
    struct habit *habit = &habits[spin->what];
    if (gained) {
        habit->credit = CREDIT_FULL;
        habit->probe_every = PROBE_FIRST;
    } else
        habit->credit /= 2;
}
