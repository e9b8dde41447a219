/* What is known of a process by its number: that it runs, since when, or that it is gone. */
#include "support/support.h"

#include "platform/platform.h"

#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The portable form knows no start times, and so only of the gone that they are gone. */
static bool is_portable(void)
{
    return mp__boot_now() == 0;
}

static void check_runs(pid_t pid, uint64_t *start)
{
    *start = 0;
    check(mp__process_trace(pid, start) == (is_portable() ? MP__TRACE_UNKNOWN : MP__TRACE_RUNS));
}

static void test_this_process_runs_since_before_now(void **state)
{
    (void)state;
    uint64_t start;
    check_runs(getpid(), &start);
    check(start <= mp__boot_now());
    check(is_portable() || start > 0);
}

static void test_the_first_process_of_the_system_runs(void **state)
{
    (void)state;
    uint64_t start;
    check_runs(1, &start);
}

static int await_end(void *arg)
{
    (void)arg;
    while (pause() < 0)
        ;
    return 0;
}

static void end_child(pid_t pid)
{
    check(kill(pid, SIGKILL) == 0);
    check(child_wait(pid) == -SIGKILL);
}

static void test_the_start_of_a_child_lies_between_the_moments_around_its_fork(void **state)
{
    (void)state;
    for (int i = 0; i < 300; i++) {
        uint64_t start;
        uint64_t before = mp__boot_now();
        pid_t pid = child_fork(await_end, NULL);
        uint64_t after = mp__boot_now();
        check_runs(pid, &start);
        check(start >= (is_portable() ? 0 : before) && start <= after);
        end_child(pid);
    }
}

static void test_a_corpse_is_gone(void **state)
{
    (void)state;
    siginfo_t info;
    uint64_t start;
    pid_t pid = child_fork(await_end, NULL);
    check(kill(pid, SIGKILL) == 0);
    check(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0);
    check(mp__process_trace(pid, &start) == (is_portable() ? MP__TRACE_UNKNOWN : MP__TRACE_GONE));
    check(child_wait(pid) == -SIGKILL);
    check(mp__process_trace(pid, &start) == MP__TRACE_GONE);
}

static void test_a_child_is_gone_once_it_has_ended(void **state)
{
    (void)state;
    siginfo_t info;
    pid_t pid = child_fork(await_end, NULL);
    check(!mp__process_is_gone(pid) && !mp__process_is_gone(getpid()) && !mp__process_is_gone(1));
    check(kill(pid, SIGKILL) == 0);
    check(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0);
    check(mp__process_is_gone(pid));
    check(child_wait(pid) == -SIGKILL);
    check(mp__process_is_gone(pid));
}

static void test_a_stopped_process_runs(void **state)
{
    (void)state;
    uint64_t start;
    int status;
    pid_t pid = child_fork(await_end, NULL);
    check(kill(pid, SIGSTOP) == 0);
    check(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
    check_runs(pid, &start);
    end_child(pid);
}

/* ---- what the system shows as a corpse, though it lives ------------------------------------ */

static void *outlive_first_thread(void *unused)
{
    (void)await_end(NULL);
    return unused;
}

static int end_first_thread(void *arg)
{
    pthread_t other;
    check(pthread_create(&other, NULL, outlive_first_thread, NULL) == 0);
    pthread_exit(arg);
}

static void test_a_process_whose_first_thread_has_ended_runs(void **state)
{
    (void)state;
    uint64_t start;
    pid_t pid = child_fork(end_first_thread, NULL);
    child_await_corpse(pid);
    check_runs(pid, &start);
    end_child(pid);
}

static struct signal_pipe ready;

static int take_odd_name(void *arg)
{
    check(prctl(PR_SET_NAME, (unsigned long)(uintptr_t)arg, 0, 0, 0) == 0);
    pipe_tell(&ready, 'r');
    return await_end(NULL);
}

static void test_a_name_can_not_deceive(void **state)
{
    (void)state;
    static char names[][16] = {") Z 1 1 1 1", ")", "a b (c) Z 0", "x) X 1 1\n2 3"};
    pipe_open(&ready);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        uint64_t start, before = mp__boot_now();
        pid_t pid = child_fork(take_odd_name, names[i]);
        check(pipe_await(&ready) == 'r');
        check_runs(pid, &start);
        check(start >= (is_portable() ? 0 : before) && start <= mp__boot_now());
        end_child(pid);
    }
    pipe_close(&ready);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("trace: this process runs since before now",
                     test_this_process_runs_since_before_now),
        support_test("trace: the first process of the system runs",
                     test_the_first_process_of_the_system_runs),
        support_test("trace: the start of a child lies between the moments around its fork",
                     test_the_start_of_a_child_lies_between_the_moments_around_its_fork),
        support_test("trace: a corpse is gone", test_a_corpse_is_gone),
        support_test("trace: a child is gone once it has ended",
                     test_a_child_is_gone_once_it_has_ended),
        support_test("trace: a stopped process runs", test_a_stopped_process_runs),
        support_test("trace: a process whose first thread has ended runs",
                     test_a_process_whose_first_thread_has_ended_runs),
        support_test("trace: a name can not deceive", test_a_name_can_not_deceive),
    };
    return support_run("trace", tests);
}
