/* The word lock: taking, waiting, releasing by anybody, and what heirs of the dead are told. */
#include "support/support.h"

#include "memory/memory.h"

#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

static _Atomic uint64_t word;
static mp__gate gate;

static uint64_t me(void)
{
    uint64_t mine = 0;
    assert_mp_result(mp__self_word(&mine), 0);
    return mine;
}

/* Some owner that is no more. */
static uint64_t dead_word(void)
{
    mp__owner owner;
    assert_mp_result(mp__life_take(mp__owner_of(me()), &owner), 0);
    mp__life_release(owner);
    return UINT64_C(3) << MP__OWNER_BITS | owner;
}

static int take(mp__moment until)
{
    return mp__word_acquire(&word, &gate, me(), until, NULL);
}

static int give(void)
{
    return mp__word_release(&word, &gate, me());
}

static int setup(void **state)
{
    assert_mp_result(support_setup(state), 0);
    atomic_store(&word, 0);
    mp__gate_drain(&gate);
    return 0;
}

static void test_a_free_word_names_its_taker(void **state)
{
    (void)state;
    assert_mp_result(take(0), 0);
    check(atomic_load(&word) == me());
    assert_mp_result(give(), 0);
    check(atomic_load(&word) == 0);
    assert_mp_result(take(MP__NEVER), 0);
    assert_mp_result(give(), 0);
}

static void test_a_held_word_is_not_taken_even_by_its_holder(void **state)
{
    (void)state;
    assert_mp_result(take(0), 0);
    assert_mp_error(take(0), MP_ETIMEOUT);
    check((atomic_load(&word) & MP__HOLDER_MASK) == me());
    assert_mp_result(give(), 0);
}

static void test_who_waits_waits_until_the_moment(void **state)
{
    (void)state;
    assert_mp_result(take(0), 0);
    mp__moment until = mp__moment_in(70 * MP__MS);
    assert_mp_error(take(until), MP_ETIMEOUT);
    check(mp__now() >= until);
    assert_mp_error(take(until), MP_ETIMEOUT);
    assert_mp_result(give(), 0);
}

static void test_only_the_holder_named_is_released(void **state)
{
    (void)state;
    assert_mp_error(give(), MP_ESTATE);
    assert_mp_error(mp__word_release(&word, &gate, 0), MP_ESTATE);
    assert_mp_result(take(0), 0);
    assert_mp_error(mp__word_release(&word, &gate, dead_word()), MP_ESTATE);
    assert_mp_error(mp__word_release(&word, &gate, me() + (UINT64_C(1) << MP__OWNER_BITS)),
                    MP_ESTATE);
    check(atomic_load(&word) == me());
    assert_mp_result(give(), 0);
    assert_mp_error(give(), MP_ESTATE);
}

static void test_the_marks_of_sleepers_and_heirs_do_not_hide_the_holder(void **state)
{
    (void)state;
    atomic_store(&word, me() | MP__SLEEPERS);
    assert_mp_result(give(), 0);
    check(mp__gate_wait(&gate, 1)); /* somebody may sleep: the release posted */
    atomic_store(&word, me() | MP__TOLD);
    assert_mp_result(give(), 0);
    check(!mp__gate_wait(&gate, 1));
    check(atomic_load(&word) == 0);
}

/* ---- the dead ------------------------------------------------------------------------------ */

static void test_an_heir_is_told_once(void **state)
{
    (void)state;
    atomic_store(&word, dead_word());
    assert_mp_result(take(MP__NEVER), MP_RECOVERED);
    check((atomic_load(&word) & ~MP__SLEEPERS) == (me() | MP__TOLD));
    assert_mp_result(give(), 0);
    assert_mp_result(take(MP__NEVER), 0);
    check(atomic_load(&word) == me());
    assert_mp_result(give(), 0);
}

static void test_who_tries_once_takes_over_from_the_dead_too(void **state)
{
    (void)state;
    atomic_store(&word, dead_word());
    assert_mp_result(take(0), MP_RECOVERED);
    assert_mp_result(give(), 0);
    atomic_store(&word, dead_word());
    assert_mp_result(take(mp__now() - 1), MP_RECOVERED);
    assert_mp_result(give(), 0);
}

static void test_sleepers_of_the_dead_are_not_forgotten(void **state)
{
    (void)state;
    atomic_store(&word, dead_word() | MP__SLEEPERS);
    assert_mp_result(take(0), MP_RECOVERED);
    check(atomic_load(&word) == (me() | MP__TOLD | MP__SLEEPERS));
    assert_mp_result(give(), 0);
    check(mp__gate_wait(&gate, 1));
}

static void test_only_the_dead_are_inherited_from(void **state)
{
    (void)state;
    static struct mp__object object;
    check(!mp__word_inherit(&object, me()));
    atomic_store(&object.word, me());
    check(!mp__word_inherit(&object, me()));
    check(atomic_load(&object.heirs) == 0);
    atomic_store(&object.word, dead_word());
    check(mp__word_inherit(&object, me()));
    check(atomic_load(&object.word) == (me() | MP__TOLD) && atomic_load(&object.heirs) == 1);
    check(!mp__word_inherit(&object, me()));
}

static void test_the_lock_of_the_dead_may_be_released_for_them(void **state)
{
    (void)state;
    uint64_t holder = dead_word();
    atomic_store(&word, holder);
    assert_mp_result(mp__word_release(&word, &gate, holder), 0);
    assert_mp_result(take(0), 0);
    assert_mp_result(give(), 0);
}

/* ---- threads ------------------------------------------------------------------------------- */

enum { THREADS = 4, TURNS = 5000 };

static pthread_t threads[THREADS];

static void run_threads(void *(*body)(void *), void *arg)
{
    for (int i = 0; i < THREADS; i++)
        check(pthread_create(&threads[i], NULL, body, arg) == 0);
    for (int i = 0; i < THREADS; i++)
        check(pthread_join(threads[i], NULL) == 0);
}

static void *inherit_in_thread(void *arg)
{
    int result = take(MP__NEVER);
    check(result == 0 || result == MP_RECOVERED);
    if (result == MP_RECOVERED)
        atomic_fetch_add((atomic_int *)arg, 1);
    assert_mp_result(give(), 0);
    return NULL;
}

static void test_of_many_heirs_one_is_told(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        atomic_int told = 0;
        atomic_store(&word, dead_word());
        run_threads(inherit_in_thread, &told);
        check(atomic_load(&told) == 1);
        check((atomic_load(&word) & MP__HOLDER_MASK) == 0);
    }
}

static void *count_under_word(void *arg)
{
    long *count = arg;
    for (int i = 0; i < TURNS; i++) {
        assert_mp_result(take(MP__NEVER), 0);
        ++*count;
        assert_mp_result(give(), 0);
    }
    return NULL;
}

static void test_one_at_a_time_holds_it(void **state)
{
    (void)state;
    long count = 0;
    run_threads(count_under_word, &count);
    check(count == (long)THREADS * TURNS);
    check(atomic_load(&word) == 0);
}

static _Atomic pid_t sleeper_id;

static void *sleep_for_word(void *arg)
{
    atomic_store(&sleeper_id, (pid_t)syscall(SYS_gettid));
    assert_mp_result(take(MP__NEVER), 0);
    check((atomic_load(&word) & MP__SLEEPERS) != 0); /* it slept, others might still */
    assert_mp_result(give(), 0);
    return arg;
}

static pthread_t start_sleeper(void)
{
    pthread_t thread;
    atomic_store(&sleeper_id, 0);
    check(pthread_create(&thread, NULL, sleep_for_word, NULL) == 0);
    while (atomic_load(&sleeper_id) == 0 || (atomic_load(&word) & MP__SLEEPERS) == 0)
        (void)sched_yield();
    check(child_await_sleep(atomic_load(&sleeper_id)));
    return thread;
}

static void test_who_sleeps_is_woken_by_the_release(void **state)
{
    (void)state;
    assert_mp_result(take(0), 0);
    pthread_t thread = start_sleeper();
    assert_mp_result(give(), 0);
    check(pthread_join(thread, NULL) == 0);
    check(atomic_load(&word) == 0);
}

static void do_nothing(int signal_number)
{
    (void)signal_number;
}

static void test_a_wait_goes_on_after_signals(void **state)
{
    (void)state;
    struct sigaction action = {.sa_handler = do_nothing}, before;
    check(sigaction(SIGUSR1, &action, &before) == 0);
    assert_mp_result(take(0), 0);
    pthread_t thread = start_sleeper();
    for (int i = 0; i < 20; i++) {
        check(pthread_kill(thread, SIGUSR1) == 0);
        check(child_await_sleep(atomic_load(&sleeper_id)));
    }
    check((atomic_load(&word) & MP__HOLDER_MASK) == me());
    assert_mp_result(give(), 0);
    check(pthread_join(thread, NULL) == 0);
    check(sigaction(SIGUSR1, &before, NULL) == 0);
}

static void *sleep_for_the_dead(void *arg)
{
    atomic_store(&sleeper_id, (pid_t)syscall(SYS_gettid));
    *(int *)arg = take(MP__NEVER);
    return NULL;
}

/* The holder dies while somebody sleeps already, and nobody posts. */
static void test_who_sleeps_takes_over_when_the_holder_dies(void **state)
{
    (void)state;
    pthread_t thread;
    mp__owner owner;
    int result = -1;
    assert_mp_result(mp__life_take(mp__owner_of(me()), &owner), 0);
    atomic_store(&word, UINT64_C(3) << MP__OWNER_BITS | owner);
    atomic_store(&sleeper_id, 0);
    check(pthread_create(&thread, NULL, sleep_for_the_dead, &result) == 0);
    while (atomic_load(&sleeper_id) == 0 || (atomic_load(&word) & MP__SLEEPERS) == 0)
        (void)sched_yield();
    mp__life_release(owner);
    check(pthread_join(thread, NULL) == 0);
    check(result == MP_RECOVERED);
}

#define guard_test(name, function)                        \
    {                                                     \
        (name), (function), setup, support_teardown, NULL \
    }

int main(void)
{
    static const struct CMUnitTest tests[] = {
        guard_test("guard: a free word names its taker", test_a_free_word_names_its_taker),
        guard_test("guard: a held word is not taken, even by its holder",
                   test_a_held_word_is_not_taken_even_by_its_holder),
        guard_test("guard: who waits waits until the moment",
                   test_who_waits_waits_until_the_moment),
        guard_test("guard: only the holder named is released",
                   test_only_the_holder_named_is_released),
        guard_test("guard: the marks of sleepers and heirs do not hide the holder",
                   test_the_marks_of_sleepers_and_heirs_do_not_hide_the_holder),
        guard_test("guard: an heir is told, once", test_an_heir_is_told_once),
        guard_test("guard: who tries once takes over from the dead too",
                   test_who_tries_once_takes_over_from_the_dead_too),
        guard_test("guard: sleepers of the dead are not forgotten",
                   test_sleepers_of_the_dead_are_not_forgotten),
        guard_test("guard: only the dead are inherited from",
                   test_only_the_dead_are_inherited_from),
        guard_test("guard: the lock of the dead may be released for them",
                   test_the_lock_of_the_dead_may_be_released_for_them),
        guard_test("guard: of many heirs one is told", test_of_many_heirs_one_is_told),
        guard_test("guard: one at a time holds it", test_one_at_a_time_holds_it),
        guard_test("guard: who sleeps is woken by the release",
                   test_who_sleeps_is_woken_by_the_release),
        guard_test("guard: a wait goes on after signals", test_a_wait_goes_on_after_signals),
        guard_test("guard: who sleeps takes over when the holder dies",
                   test_who_sleeps_takes_over_when_the_holder_dies),
    };
    support_begin();
    check(mp__gate_init(&gate) == 0);
    return cmocka_run_group_tests_name("guard", tests, support_group_setup, NULL) != 0;
}
