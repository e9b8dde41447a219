/* The exit of a process that has children: who is ended, who is waited for, and in which order;
 * and what becomes of children whose parent does not exit but dies. */
#include "children.h"

#include <errno.h>
#include <mp/errors.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* What children say; who still may say something holds the write end. */
static struct signal_pipe said, asked;

static int setup(void **state)
{
    assert_mp_result(support_setup(state), 0);
    pipe_open(&said);
    pipe_open(&asked);
    return 0;
}

static int teardown(void **state)
{
    pipe_close(&said);
    pipe_close(&asked);
    return support_teardown(state);
}

/* After this the end of the stream means that nobody else is left. */
static void leave_speaking_to_others(void)
{
    if (said.write_fd >= 0)
        check(close(said.write_fd) == 0);
    said.write_fd = -1;
}

/* What is left behind is no leak while somebody knows of it. */
static mp_process *left_behind[2];

static int say_and_stay(void *arg)
{
    (void)arg;
    pipe_tell(&said, 's');
    return stay(NULL);
}

static int answer_each_question(void *arg)
{
    (void)arg;
    pipe_tell(&said, 's');
    while (pipe_await(&asked) == '?')
        pipe_tell(&said, '!');
    return 0;
}

static void check_answers(void)
{
    pipe_tell(&asked, '?');
    check(pipe_await(&said) == '!');
}

/* ---- at exit ------------------------------------------------------------------------------- */

static int leave_daemon_behind(void *arg)
{
    left_behind[0] = start_daemon(say_and_stay, NULL);
    check(pipe_await(&said) == 's');
    if (arg != NULL)
        mp_process_destroy(left_behind[0]);
    return 5;
}

static void test_daemonic_children_are_ended_at_exit(void **state)
{
    (void)state;
    for (intptr_t destroyed = 0; destroyed < 2; destroyed++)
        check(program(leave_daemon_behind, (void *)destroyed) == 5);
    leave_speaking_to_others();
    check(pipe_await(&said) == -1);
}

static int ignore_term_and_stay(void *arg)
{
    (void)signal(SIGTERM, SIG_IGN);
    return say_and_stay(arg);
}

enum { DEAF = 6 };

static int leave_deaf_daemons_behind(void *arg)
{
    for (int i = 0; i < DEAF; i++) {
        left_behind[0] = start_daemon(ignore_term_and_stay, arg);
        mp_process_destroy(left_behind[0]);
        check(pipe_await(&said) == 's');
    }
    return 5;
}

/* They have five seconds, all of them together: in three rounds or more it would be fifteen. */
static void test_daemonic_children_that_will_not_go_are_killed(void **state)
{
    (void)state;
    double began = clock_seconds();
    check(program(leave_deaf_daemons_behind, NULL) == 5);
    check(clock_seconds() - began < 14);
    leave_speaking_to_others();
    check(pipe_await(&said) == -1);
}

static int wait_for_go(void *arg)
{
    (void)arg;
    check(pipe_await(&asked) == 'g');
    pipe_tell(&said, 'c');
    return 0;
}

static void let_go(void)
{
    pipe_tell(&asked, 'g');
}

/* Handlers registered after the first start run before the children are waited for. */
static int leave_child_behind(void *arg)
{
    left_behind[0] = start_process(wait_for_go, NULL);
    check(atexit(let_go) == 0);
    if (arg != NULL)
        mp_process_destroy(left_behind[0]);
    return 6;
}

static void test_other_children_are_waited_for_at_exit(void **state)
{
    (void)state;
    for (intptr_t destroyed = 0; destroyed < 2; destroyed++) {
        check(program(leave_child_behind, (void *)destroyed) == 6);
        check(pipe_await(&said) == 'c');
    }
    leave_speaking_to_others();
    check(pipe_await(&said) == -1);
}

static int wait_for_end_of_daemon(void *arg)
{
    const struct signal_pipe *lifeline = arg;
    (void)close(lifeline->write_fd);
    leave_speaking_to_others();
    check(pipe_await(lifeline) == -1);
    return 0;
}

/* The one that is waited for waits itself for the end of the daemonic one. */
static int leave_both_behind(void *arg)
{
    struct signal_pipe lifeline;
    (void)arg;
    pipe_open(&lifeline);
    left_behind[0] = start_process(wait_for_end_of_daemon, &lifeline);
    left_behind[1] = start_daemon(say_and_stay, NULL);
    check(pipe_await(&said) == 's');
    pipe_close(&lifeline);
    return 7;
}

static void test_daemonic_children_are_ended_before_others_are_waited_for(void **state)
{
    (void)state;
    check(program(leave_both_behind, NULL) == 7);
}

static int leave_grandchildren_behind(void *arg)
{
    left_behind[0] = start_daemon(say_and_stay, NULL);
    check(pipe_await(&said) == 's');
    left_behind[1] = start_process(wait_for_go, NULL);
    check(atexit(let_go) == 0);
    if (arg != NULL)
        exit(8);
    return 8;
}

static void test_a_child_does_the_same_at_its_exit(void **state)
{
    (void)state;
    for (intptr_t by_exit = 0; by_exit < 2; by_exit++) {
        check(finish_process(start_process(leave_grandchildren_behind, (void *)by_exit)) == 8);
        check(pipe_await(&said) == 'c');
    }
    leave_speaking_to_others();
    check(pipe_await(&said) == -1);
}

static int fail_with_child(void *arg)
{
    (void)close(STDERR_FILENO);
    (void)leave_child_behind(arg);
    MP_CHECK(MP_ESTATE);
    return 0;
}

static void say_handled(void)
{
    pipe_tell(&said, 'h');
}

static int exit_below_zero(void *arg)
{
    exit(arg == NULL ? -1 : 0);
}

static int have_child_exit_below_zero(void *arg)
{
    check(atexit(say_handled) == 0);
    check(finish_process(start_process(exit_below_zero, arg)) == 255);
    return 3;
}

/* The handler speaks once: in the program that registered it. */
static void test_a_status_below_zero_is_one_as_well(void **state)
{
    (void)state;
    if (!support_has_on_exit()) {
        print_message("SKIPPED: exit handlers know no status here\n");
        skip();
    }
    check(program(have_child_exit_below_zero, NULL) == 3);
    leave_speaking_to_others();
    check(pipe_await(&said) == 'h');
    check(pipe_await(&said) == -1);
}

static void test_a_failed_check_ends_the_program_no_other_way(void **state)
{
    (void)state;
    check(program(fail_with_child, NULL) == 1);
    check(pipe_await(&said) == 'c');
    check(finish_process(start_process(fail_with_child, NULL)) == 1);
    check(pipe_await(&said) == 'c');
}

/* ---- without an exit ----------------------------------------------------------------------- */

static int be_killed_with(void *arg)
{
    mp_process *(*start)(mp_target *, void *) = arg != NULL ? start_daemon : start_process;
    (void)start(answer_each_question, NULL);
    check(pipe_await(&said) == 's');
    check_answers();
    (void)raise(SIGKILL);
    return 1;
}

static void test_a_daemonic_child_ends_when_its_parent_is_killed(void **state)
{
    (void)state;
    check(program(be_killed_with, &said) == -SIGKILL);
    leave_speaking_to_others();
    check(pipe_await(&said) == -1);
}

static void test_another_child_goes_on_when_its_parent_is_killed(void **state)
{
    (void)state;
    check(program(be_killed_with, NULL) == -SIGKILL);
    check_answers();
    check_answers();
    pipe_tell(&asked, '.');
    leave_speaking_to_others();
    check(pipe_await(&said) == -1);
}

static int leave_at_once(void *arg)
{
    (void)start_process(answer_each_question, arg);
    check(pipe_await(&said) == 's');
    _exit(9);
}

static void test_leaving_by__exit_waits_for_nobody(void **state)
{
    (void)state;
    check(program(leave_at_once, NULL) == 9);
    check_answers();
    pipe_tell(&asked, '.');
    leave_speaking_to_others();
    check(pipe_await(&said) == -1);
}

/* ---- threads of the parent ----------------------------------------------------------------- */

static void *start_daemon_in_thread(void *arg)
{
    *(mp_process **)arg = start_daemon(answer_each_question, NULL);
    return NULL;
}

static void *return_at_once(void *arg)
{
    return arg;
}

static void start_by_a_thread_that_ends(mp_process **daemon)
{
    pthread_t starter, other;
    check(pthread_create(&starter, NULL, start_daemon_in_thread, daemon) == 0);
    check(pthread_join(starter, NULL) == 0);
    check(pipe_await(&said) == 's');
    for (int i = 0; i < 20; i++) {
        check(pthread_create(&other, NULL, return_at_once, NULL) == 0);
        check(pthread_join(other, NULL) == 0);
        check_answers();
    }
}

static void test_a_daemonic_child_outlives_the_thread_that_started_it(void **state)
{
    (void)state;
    mp_process *daemon = NULL;
    start_by_a_thread_that_ends(&daemon);
    assert_mp_result(mp_process_is_alive(daemon), 1);
    assert_mp_result(mp_process_terminate(daemon), 0);
    check(finish_process(daemon) == -SIGTERM);
}

static int be_killed_after_the_starter_ended(void *arg)
{
    mp_process *daemon = arg;
    start_by_a_thread_that_ends(&daemon);
    (void)raise(SIGKILL);
    return 1;
}

static void test_it_still_ends_with_the_process(void **state)
{
    (void)state;
    check(program(be_killed_after_the_starter_ended, NULL) == -SIGKILL);
    leave_speaking_to_others();
    check(pipe_await(&said) == -1);
}

static void *outlive_the_first_thread(void *unused)
{
    (void)stay(NULL);
    return unused;
}

static int end_first_thread(void *arg)
{
    pthread_t other;
    (void)start_daemon(answer_each_question, NULL);
    check(pthread_create(&other, NULL, outlive_the_first_thread, NULL) == 0);
    pthread_exit(arg);
}

static void test_it_outlives_the_first_thread_too(void **state)
{
    (void)state;
    pid_t pid = child_fork(end_first_thread, NULL);
    check(pipe_await(&said) == 's');
    child_await_corpse(pid);
    for (int i = 0; i < 20; i++)
        check_answers();
    check(kill(pid, SIGKILL) == 0);
    check(child_wait(pid) == -SIGKILL);
    leave_speaking_to_others();
    check(pipe_await(&said) == -1);
}

/* ---- families ------------------------------------------------------------------------------ */

static int try_to_start(void *arg)
{
    (void)arg;
    mp_process *p = new_process(leave_with, NULL, MP_DAEMON_NO);
    assert_mp_error(mp_process_start(p), MP_ESTATE);
    check(mp_error_detail()[0] != '\0');
    check(mp_process_pid(p) == 0);
    mp_process_destroy(p);
    return 0;
}

static void test_a_daemonic_child_has_no_children(void **state)
{
    (void)state;
    check(finish_process(start_daemon(try_to_start, NULL)) == 0);
}

#define exit_test(name, function)                 \
    {                                             \
        (name), (function), setup, teardown, NULL \
    }

int main(void)
{
    static const struct CMUnitTest tests[] = {
        exit_test("exit: daemonic children are ended", test_daemonic_children_are_ended_at_exit),
        exit_test("exit: daemonic children that will not go are killed",
                  test_daemonic_children_that_will_not_go_are_killed),
        exit_test("exit: other children are waited for",
                  test_other_children_are_waited_for_at_exit),
        exit_test("exit: daemonic children are ended before others are waited for",
                  test_daemonic_children_are_ended_before_others_are_waited_for),
        exit_test("exit: a child does the same", test_a_child_does_the_same_at_its_exit),
        exit_test("exit: a status below zero is one as well",
                  test_a_status_below_zero_is_one_as_well),
        exit_test("exit: a failed check ends the program no other way",
                  test_a_failed_check_ends_the_program_no_other_way),
        exit_test("daemon: ends when its parent is killed",
                  test_a_daemonic_child_ends_when_its_parent_is_killed),
        exit_test("no daemon: goes on when its parent is killed",
                  test_another_child_goes_on_when_its_parent_is_killed),
        exit_test("exit: leaving by _exit waits for nobody",
                  test_leaving_by__exit_waits_for_nobody),
        exit_test("daemon: outlives the thread that started it",
                  test_a_daemonic_child_outlives_the_thread_that_started_it),
        exit_test("daemon: ends with the process of a starter that ended before",
                  test_it_still_ends_with_the_process),
        exit_test("daemon: outlives the first thread too", test_it_outlives_the_first_thread_too),
        exit_test("daemon: has no children", test_a_daemonic_child_has_no_children),
    };
    return support_run_processes("exit", tests);
}
