/* Spinning before a park: bounded, rarer when it does not pay. */
#include "support/support.h"

#include "platform/platform.h"

#include <pthread.h>

static void need_two_cpus(void)
{
    if (mp__cpus_online() < 2) {
        print_message("SKIPPED: nobody spins on one CPU\n");
        skip();
    }
}

static void learn_that_it_pays(enum mp__spin_for what)
{
    struct mp__spin spin = {.what = what};
    mp__spin_ended(&spin, true);
}

static int64_t spin_to_the_end(struct mp__spin *spin)
{
    mp__moment start = mp__now();
    while (mp__spin_again(spin))
        ;
    return mp__now() - start;
}

static void test_a_spin_lasts_its_microseconds_and_ends(void **state)
{
    (void)state;
    struct mp__spin spin;
    need_two_cpus();
    for (int what = MP__SPIN_LOCK; what <= MP__SPIN_WAKE; what++) {
        learn_that_it_pays((enum mp__spin_for)what);
        mp__moment start = mp__now();
        check(mp__spin_begin(&spin, (enum mp__spin_for)what));
        (void)spin_to_the_end(&spin);
        check(mp__now() >= start + 3000);
    }
}

static int count_spins(enum mp__spin_for what, int waits)
{
    struct mp__spin spin;
    int spins = 0;
    for (int i = 0; i < waits; i++)
        if (mp__spin_begin(&spin, what)) {
            spins++;
            mp__spin_ended(&spin, false);
        }
    return spins;
}

static void test_spins_that_gain_nothing_become_rare(void **state)
{
    (void)state;
    need_two_cpus();
    learn_that_it_pays(MP__SPIN_LOCK);
    (void)count_spins(MP__SPIN_LOCK, 20);
    check(count_spins(MP__SPIN_LOCK, 160) == 10);
    learn_that_it_pays(MP__SPIN_WAKE);
    (void)count_spins(MP__SPIN_WAKE, 7);
    check(count_spins(MP__SPIN_WAKE, 16 + 32 + 64 + 128) == 4);
    (void)count_spins(MP__SPIN_WAKE, 10000);
    check(count_spins(MP__SPIN_WAKE, 10240) == 10);
}

static void test_a_probe_for_a_wake_is_long(void **state)
{
    (void)state;
    struct mp__spin spin;
    need_two_cpus();
    learn_that_it_pays(MP__SPIN_WAKE);
    (void)count_spins(MP__SPIN_WAKE, 7);
    mp__moment start;
    do
        start = mp__now();
    while (!mp__spin_begin(&spin, MP__SPIN_WAKE));
    (void)spin_to_the_end(&spin);
    check(mp__now() >= start + 90000);
}

static void test_a_spin_that_gains_brings_the_others_back(void **state)
{
    (void)state;
    need_two_cpus();
    for (int what = MP__SPIN_LOCK; what <= MP__SPIN_WAKE; what++) {
        (void)count_spins((enum mp__spin_for)what, 100);
        learn_that_it_pays((enum mp__spin_for)what);
        struct mp__spin spin;
        for (int i = 0; i < 100; i++) {
            check(mp__spin_begin(&spin, (enum mp__spin_for)what));
            mp__spin_ended(&spin, true);
        }
    }
}

static void *spin_in_thread(void *arg)
{
    struct mp__spin spin;
    *(bool *)arg = mp__spin_begin(&spin, MP__SPIN_LOCK);
    return NULL;
}

static void test_each_thread_learns_for_itself(void **state)
{
    (void)state;
    bool spun = false;
    pthread_t thread;
    need_two_cpus();
    (void)count_spins(MP__SPIN_LOCK, 100);
    check(pthread_create(&thread, NULL, spin_in_thread, &spun) == 0);
    check(pthread_join(thread, NULL) == 0);
    check(spun);
}

static void test_locks_and_wakes_are_learnt_apart(void **state)
{
    (void)state;
    need_two_cpus();
    struct mp__spin spin;
    learn_that_it_pays(MP__SPIN_WAKE);
    (void)count_spins(MP__SPIN_LOCK, 100);
    check(mp__spin_begin(&spin, MP__SPIN_WAKE));
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
        support_test("spin: lasts its microseconds and ends",
                     test_a_spin_lasts_its_microseconds_and_ends),
        support_test("spin: those that gain nothing become rare",
                     test_spins_that_gain_nothing_become_rare),
        support_test("spin: a probe for a wake is long", test_a_probe_for_a_wake_is_long),
        support_test("spin: locks and wakes are learnt apart",
                     test_locks_and_wakes_are_learnt_apart),
        support_test("spin: one that gains brings the others back",
                     test_a_spin_that_gains_brings_the_others_back),
        support_test("spin: each thread learns for itself", test_each_thread_learns_for_itself),
        support_test("cpus: are counted", test_processors_are_counted),
    };
    return support_run("spin", tests);
}
