/* Gates: parking places with at most about one token. */
#include "support/support.h"

#include "platform/platform.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* A gate in memory that forked children share. */
static mp__gate *new_gate(void)
{
    mp__gate *gate = mp__map_shared(4096);
    check(gate != NULL);
    assert_mp_result(mp__gate_init(gate), 0);
    return gate;
}

static void free_gate(mp__gate *gate)
{
    mp__map_release(gate, 4096);
}

static int tokens_in(mp__gate *gate)
{
    int tokens = 0;
    while (mp__gate_wait(gate, 1))
        tokens++;
    return tokens;
}

static void test_a_new_gate_has_no_token(void **state)
{
    (void)state;
    mp__gate *gate = new_gate();
    check(!mp__gate_wait(gate, 1));
    check(!mp__gate_wait(gate, mp__now()));
    free_gate(gate);
}

static void test_a_post_lets_one_through_however_often_it_was_posted(void **state)
{
    (void)state;
    mp__gate *gate = new_gate();
    mp__gate_post(gate);
    check(mp__gate_wait(gate, MP__NEVER));
    for (int i = 0; i < 5; i++)
        mp__gate_post(gate);
    check(tokens_in(gate) == 1);
    free_gate(gate);
}

static void test_a_token_is_taken_even_when_it_is_too_late(void **state)
{
    (void)state;
    mp__gate *gate = new_gate();
    mp__gate_post(gate);
    check(mp__gate_wait(gate, mp__now() - MP__SECOND));
    free_gate(gate);
}

static void test_draining_takes_the_token(void **state)
{
    (void)state;
    mp__gate *gate = new_gate();
    mp__gate_drain(gate);
    mp__gate_post(gate);
    mp__gate_drain(gate);
    check(tokens_in(gate) == 0);
    free_gate(gate);
}

static int64_t clock_of_the_day(void)
{
    struct timespec now;
    check(clock_gettime(CLOCK_REALTIME, &now) == 0);
    return now.tv_sec * MP__SECOND + now.tv_nsec;
}

static void test_waiting_without_a_token_lasts_until_the_moment(void **state)
{
    (void)state;
    mp__gate *gate = new_gate();
    int64_t began = clock_of_the_day();
    mp__moment until = mp__moment_in(60 * MP__MS);
    check(!mp__gate_wait(gate, until));
    /* where the system has no better, the gate counts on the clock of the day: the two may differ
       by a little, and by much when that one is set */
    check(mp__now() >= until - MP__MS || clock_of_the_day() - began >= 59 * MP__MS);
    free_gate(gate);
}

/* ---- woken by others ----------------------------------------------------------------------- */

struct sleeper {
    mp__gate *gate;
    _Atomic pid_t id;
    bool woken;
};

static void *sleep_at_gate(void *arg)
{
    struct sleeper *sleeper = arg;
    atomic_store(&sleeper->id, (pid_t)syscall(SYS_gettid));
    sleeper->woken = mp__gate_wait(sleeper->gate, mp__moment_in(3600 * MP__SECOND));
    return NULL;
}

static pthread_t start_sleeper(struct sleeper *sleeper)
{
    pthread_t thread;
    check(pthread_create(&thread, NULL, sleep_at_gate, sleeper) == 0);
    while (atomic_load(&sleeper->id) == 0)
        (void)sched_yield();
    check(child_await_sleep(atomic_load(&sleeper->id)));
    return thread;
}

static void test_a_post_wakes_who_sleeps(void **state)
{
    (void)state;
    struct sleeper sleeper = {.gate = new_gate()};
    pthread_t thread = start_sleeper(&sleeper);
    mp__gate_post(sleeper.gate);
    check(pthread_join(thread, NULL) == 0);
    check(sleeper.woken);
    check(tokens_in(sleeper.gate) == 0);
    free_gate(sleeper.gate);
}

static void do_nothing(int signal_number)
{
    (void)signal_number;
}

static void test_a_signal_ends_the_wait_without_a_token(void **state)
{
    (void)state;
    struct sleeper sleeper = {.gate = new_gate()};
    struct sigaction action = {.sa_handler = do_nothing}, before;
    check(sigaction(SIGUSR1, &action, &before) == 0);
    pthread_t thread = start_sleeper(&sleeper);
    check(pthread_kill(thread, SIGUSR1) == 0);
    check(pthread_join(thread, NULL) == 0);
    check(!sleeper.woken);
    check(sigaction(SIGUSR1, &before, NULL) == 0);
    free_gate(sleeper.gate);
}

static int sleep_and_post_back(void *arg)
{
    mp__gate *gates = arg;
    check(mp__gate_wait(&gates[0], MP__NEVER));
    mp__gate_post(&gates[1]);
    return 0;
}

static void test_a_gate_works_between_processes(void **state)
{
    (void)state;
    mp__gate *gates = new_gate();
    assert_mp_result(mp__gate_init(&gates[1]), 0);
    pid_t pid = child_fork(sleep_and_post_back, gates);
    check(child_await_sleep(pid));
    mp__gate_post(&gates[0]);
    check(mp__gate_wait(&gates[1], MP__NEVER));
    check(child_wait(pid) == 0);
    free_gate(gates);
}

/* ---- many at once -------------------------------------------------------------------------- */

enum { POSTERS = 4, POSTS = 5000 };

static void *post_often(void *arg)
{
    for (int i = 0; i < POSTS; i++)
        mp__gate_post(arg);
    return NULL;
}

static void test_posts_of_many_threads_do_not_pile_up(void **state)
{
    (void)state;
    mp__gate *gate = new_gate();
    pthread_t threads[POSTERS];
    for (int i = 0; i < POSTERS; i++)
        check(pthread_create(&threads[i], NULL, post_often, gate) == 0);
    for (int i = 0; i < POSTERS; i++)
        check(pthread_join(threads[i], NULL) == 0);
    int tokens = tokens_in(gate);
    check(tokens >= 1 && tokens <= POSTERS);
    free_gate(gate);
}

/* The state changes before the post and is looked at after the wait: none is ever missed. */
static _Atomic long asked, answered;

static void *answer_each(void *arg)
{
    mp__gate *gates = arg;
    while (atomic_load(&answered) < POSTS) {
        (void)mp__gate_wait(&gates[0], MP__NEVER);
        while (atomic_load(&answered) < atomic_load(&asked)) {
            atomic_fetch_add(&answered, 1);
            mp__gate_post(&gates[1]);
        }
    }
    return NULL;
}

static void test_no_change_is_missed_by_who_looks_after_the_wait(void **state)
{
    (void)state;
    mp__gate *gates = new_gate();
    pthread_t thread;
    assert_mp_result(mp__gate_init(&gates[1]), 0);
    atomic_store(&asked, 0);
    atomic_store(&answered, 0);
    check(pthread_create(&thread, NULL, answer_each, gates) == 0);
    for (long i = 1; i <= POSTS; i++) {
        atomic_store(&asked, i);
        mp__gate_post(&gates[0]);
        while (atomic_load(&answered) < i)
            (void)mp__gate_wait(&gates[1], MP__NEVER);
    }
    check(pthread_join(thread, NULL) == 0);
    free_gate(gates);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("gate: a new one has no token", test_a_new_gate_has_no_token),
        support_test("gate: a post lets one through, however often it was posted",
                     test_a_post_lets_one_through_however_often_it_was_posted),
        support_test("gate: a token is taken even when it is too late",
                     test_a_token_is_taken_even_when_it_is_too_late),
        support_test("gate: draining takes the token", test_draining_takes_the_token),
        support_test("gate: waiting without a token lasts until the moment",
                     test_waiting_without_a_token_lasts_until_the_moment),
        support_test("gate: a post wakes who sleeps", test_a_post_wakes_who_sleeps),
        support_test("gate: a signal ends the wait without a token",
                     test_a_signal_ends_the_wait_without_a_token),
        support_test("gate: works between processes", test_a_gate_works_between_processes),
        support_test("gate: posts of many threads do not pile up",
                     test_posts_of_many_threads_do_not_pile_up),
        support_test("gate: no change is missed by who looks after the wait",
                     test_no_change_is_missed_by_who_looks_after_the_wait),
    };
    return support_run("gate", tests);
}
