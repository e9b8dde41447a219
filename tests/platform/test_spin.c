/* Spinning before a park: bounded, rarer when it does not pay, and never on a single CPU. */
#include "support/support.h"

#include "platform/platform.h"

#include <pthread.h>
#include <sched.h>

enum { NOT_HERE = 3 };

static int spin_on_one_cpu(void *arg)
{
    (void)arg;
    cpu_set_t all, one;
    CPU_ZERO(&one);
    check(sched_getaffinity(0, sizeof all, &all) == 0);
    for (size_t cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; cpu++)
        if (CPU_ISSET(cpu, &all))
            CPU_SET(cpu, &one);
    check(sched_setaffinity(0, sizeof one, &one) == 0);
    if (mp__cpus_usable() != 1)
        return NOT_HERE;
    struct mp__spin spin;
    for (int i = 0; i < 100; i++)
        check(!mp__spin_begin(&spin));
    return 0;
}

/* First of all: how many CPUs there are is asked once in the life of a process. */
static void test_nobody_spins_on_one_cpu(void **state)
{
    (void)state;
    int status = child_wait(child_fork(spin_on_one_cpu, NULL));
    if (status == NOT_HERE) {
        print_message("SKIPPED: the portable form does not know a process's own CPUs\n");
        skip();
    }
    check(status == 0);
}

static void need_two_cpus(void)
{
    if (mp__cpus_usable() < 2) {
        print_message("SKIPPED: nobody spins on one CPU\n");
        skip();
    }
}

static void test_a_spin_lasts_its_microseconds_and_ends(void **state)
{
    (void)state;
    struct mp__spin spin;
    need_two_cpus();
    mp__spin_ended(true);
    mp__moment start = mp__now();
    check(mp__spin_begin(&spin));
    while (mp__spin_again(&spin))
        ;
    check(mp__now() >= start + 3000);
}

static int count_spins(int waits)
{
    struct mp__spin spin;
    int spins = 0;
    for (int i = 0; i < waits; i++)
        if (mp__spin_begin(&spin)) {
            spins++;
            mp__spin_ended(false);
        }
    return spins;
}

static void test_spins_that_gain_nothing_become_rare(void **state)
{
    (void)state;
    need_two_cpus();
    mp__spin_ended(true);
    (void)count_spins(20);
    check(count_spins(160) == 10);
}

static void test_a_spin_that_gains_brings_the_others_back(void **state)
{
    (void)state;
    need_two_cpus();
    (void)count_spins(100);
    mp__spin_ended(true);
    struct mp__spin spin;
    for (int i = 0; i < 100; i++) {
        check(mp__spin_begin(&spin));
        mp__spin_ended(true);
    }
}

static void *spin_in_thread(void *arg)
{
    struct mp__spin spin;
    *(bool *)arg = mp__spin_begin(&spin);
    return NULL;
}

static void test_each_thread_learns_for_itself(void **state)
{
    (void)state;
    bool spun = false;
    pthread_t thread;
    need_two_cpus();
    (void)count_spins(100);
    check(pthread_create(&thread, NULL, spin_in_thread, &spun) == 0);
    check(pthread_join(thread, NULL) == 0);
    check(spun);
}

static void test_processors_are_counted(void **state)
{
    (void)state;
    check(mp__cpus_online() >= 1);
    check(mp__cpus_usable() >= 1);
    check(mp__cpus_usable() <= mp__cpus_online());
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("spin: nobody spins on one CPU", test_nobody_spins_on_one_cpu),
        support_test("spin: lasts its microseconds and ends",
                     test_a_spin_lasts_its_microseconds_and_ends),
        support_test("spin: those that gain nothing become rare",
                     test_spins_that_gain_nothing_become_rare),
        support_test("spin: one that gains brings the others back",
                     test_a_spin_that_gains_brings_the_others_back),
        support_test("spin: each thread learns for itself", test_each_thread_learns_for_itself),
        support_test("cpus: are counted", test_processors_are_counted),
    };
    return support_run("spin", tests);
}
