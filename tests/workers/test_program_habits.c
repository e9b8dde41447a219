/* What programs do about children of their own, and what a pool has to do with it: nothing. Each
 * program runs in a child of the test. */
#include "harm.h"

#include <errno.h>
#include <mp/process.h>
#include <mp/timeout.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 5 };

/* A pool's life: two of its workers die, all are replaced. */
static void use_a_pool(void)
{
    crew_survives(crash_without_core, 0, MP_EDIED, "killed by SIGSEGV");
}

/* The same, ended in mid-work. */
static void terminate_a_pool(void)
{
    struct crew crew = crew_start(crash_without_core, 0);
    crew_map(&crew, MP_EDIED, "killed by SIGSEGV");
    assert_mp_result(mp_pool_terminate(crew.pool), 0);
    assert_mp_result(mp_pool_join(crew.pool, MP_FOREVER), 0);
    mp_pool_destroy(crew.pool);
}

/* ---- a program that takes every status ------------------------------------------------------ */

struct thief {
    atomic_bool stop;
    atomic_int taken;
};

static void *take_every_status(void *arg)
{
    struct thief *thief = arg;
    while (!atomic_load(&thief->stop)) {
        if (waitpid(-1, NULL, 0) > 0)
            (void)atomic_fetch_add(&thief->taken, 1);
        else
            mp_sleep(0.0005);
    }
    return NULL;
}

static int live_beside_a_thief(void *arg)
{
    (void)arg;
    static struct thief thief;
    pthread_t thread;
    check(pthread_create(&thread, NULL, take_every_status, &thief) == 0);
    for (int round = 0; round < ROUNDS; round++) {
        use_a_pool();
        terminate_a_pool();
    }
    atomic_store(&thief.stop, true);
    check(pthread_join(thread, NULL) == 0);
    check(atomic_load(&thief.taken) <= 2 * ROUNDS);
    return 0;
}

static void test_a_program_may_take_every_status(void **state)
{
    (void)state;
    child_must_succeed(live_beside_a_thief, NULL);
}

/* ---- a program that handles SIGCHLD --------------------------------------------------------- */

static volatile sig_atomic_t signals, statuses;

static void count_and_reap(int number)
{
    (void)number;
    int error = errno;
    signals++;
    while (waitpid(-1, NULL, WNOHANG) > 0)
        statuses++;
    errno = error;
}

static void count_only(int number)
{
    (void)number;
    signals++;
}

/* One child for each pool is all that it sees, however many workers die. */
static int live_with_handler(void *arg)
{
    void (*handler)(int) = *(void (**)(int))arg;
    struct sigaction action = {.sa_handler = handler};
    check(sigaction(SIGCHLD, &action, NULL) == 0);
    for (int round = 0; round < ROUNDS; round++) {
        use_a_pool();
        terminate_a_pool();
    }
    check(signals <= 2 * ROUNDS && statuses <= 2 * ROUNDS);
    struct sigaction now;
    check(sigaction(SIGCHLD, NULL, &now) == 0 && now.sa_handler == handler);
    return 0;
}

static void test_a_program_may_handle_the_signal(void **state)
{
    (void)state;
    void (*handlers[])(int) = {count_only, count_and_reap};
    child_must_succeed(live_with_handler, &handlers[0]);
    child_must_succeed(live_with_handler, &handlers[1]);
}

static int live_without_children(void *arg)
{
    int flags = *(int *)arg;
    struct sigaction action = {.sa_handler = flags == 0 ? SIG_IGN : SIG_DFL, .sa_flags = flags};
    check(sigaction(SIGCHLD, &action, NULL) == 0);
    for (int round = 0; round < ROUNDS; round++) {
        use_a_pool();
        terminate_a_pool();
    }
    check(waitpid(-1, NULL, 0) < 0 && errno == ECHILD);
    return 0;
}

static void test_a_program_may_ignore_the_signal(void **state)
{
    (void)state;
    child_must_succeed(live_without_children, &(int){0});
    child_must_succeed(live_without_children, &(int){SA_NOCLDWAIT});
}

static int live_with_all_signals_blocked(void *arg)
{
    (void)arg;
    sigset_t all, now;
    (void)sigfillset(&all);
    check(pthread_sigmask(SIG_BLOCK, &all, NULL) == 0);
    for (int round = 0; round < ROUNDS; round++)
        use_a_pool();
    check(pthread_sigmask(SIG_BLOCK, NULL, &now) == 0);
    for (int number = 1; number <= SIGSYS; number++)
        check(number == SIGKILL || number == SIGSTOP || sigismember(&now, number) == 1);
    return 0;
}

static void test_a_program_may_block_all_signals(void **state)
{
    (void)state;
    child_must_succeed(live_with_all_signals_blocked, NULL);
}

/* ---- children of its own -------------------------------------------------------------------- */

static int leave_with(void *status)
{
    return *(int *)status;
}

/* Children that ended before the pool was made, while it worked, and one of libmp's are all there
 * for who started them. */
static int have_children(void *arg)
{
    (void)arg;
    int seven = 7, eight = 8, nine = 9, code;
    mp_process *process;
    pid_t before = child_fork(leave_with, &seven);
    siginfo_t info;
    check(waitid(P_PID, (id_t)before, &info, WEXITED | WNOWAIT) == 0);
    assert_mp_result(mp_process_create(&process, leave_with, &nine, 0, NULL), 0);
    assert_mp_result(mp_process_start(process), 0);
    struct crew crew = crew_start(crash_without_core, 0);
    pid_t during = child_fork(leave_with, &eight);
    check(waitid(P_PID, (id_t)during, &info, WEXITED | WNOWAIT) == 0);
    crew_map(&crew, MP_EDIED, "killed by SIGSEGV");
    crew_is_complete(&crew);
    crew_end(&crew);
    terminate_a_pool();
    check(child_wait(before) == 7);
    check(child_wait(during) == 8);
    assert_mp_result(mp_process_join(process, MP_FOREVER), 0);
    assert_mp_result(mp_process_exitcode(process, &code), 1);
    check(code == 9);
    mp_process_destroy(process);
    check(waitpid(-1, NULL, 0) < 0 && errno == ECHILD);
    return 0;
}

static void test_a_pool_takes_the_status_of_nobody_else(void **state)
{
    (void)state;
    child_must_succeed(have_children, NULL);
}

/* ---- descriptors ---------------------------------------------------------------------------- */

static int close_all_and_work(void *arg)
{
    (void)arg;
    struct crew crew = crew_start(crash_without_core, 0);
    crew_map(&crew, MP_EDIED, "killed by SIGSEGV");
    for (int fd = 0; fd < 4096; fd++)
        (void)close(fd);
    crew_map(&crew, MP_EDIED, "killed by SIGSEGV");
    crew_is_complete(&crew);
    crew_end(&crew);
    use_a_pool();
    return 0;
}

static void test_a_program_may_close_every_descriptor(void **state)
{
    (void)state;
    child_must_succeed(close_all_and_work, NULL);
}

static void test_a_pool_costs_no_descriptor_and_one_child(void **state)
{
    (void)state;
    int descriptors = census_open_descriptors();
    struct crew crew = crew_start(crash_without_core, 0);
    crew_is_complete(&crew);
    check(census_open_descriptors() == descriptors);
    check(census_group_processes() == CREW + 1);
    crew_map(&crew, MP_EDIED, "killed by SIGSEGV");
    check(census_open_descriptors() == descriptors);
    crew_end(&crew);
    check(census_group_processes() == 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("a program may take every status", test_a_program_may_take_every_status),
        support_test("a program may handle SIGCHLD", test_a_program_may_handle_the_signal),
        support_test("a program may ignore SIGCHLD", test_a_program_may_ignore_the_signal),
        support_test("a program may block all signals", test_a_program_may_block_all_signals),
        support_test("a pool takes the status of nobody else",
                     test_a_pool_takes_the_status_of_nobody_else),
        support_test("a program may close every descriptor",
                     test_a_program_may_close_every_descriptor),
        support_test("a pool costs no descriptor and one child",
                     test_a_pool_costs_no_descriptor_and_one_child),
    };
    return support_run_processes("habits of programs", tests);
}
