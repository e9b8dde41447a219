/* How the end of a child and of a parent is noticed, and where in exit the last handler runs. */
#include "support/support.h"

#include "platform/platform.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static struct signal_pipe ready, go;

static int setup(void **state)
{
    assert_mp_result(support_setup(state), 0);
    pipe_open(&ready);
    pipe_open(&go);
    return 0;
}

static int teardown(void **state)
{
    pipe_close(&ready);
    pipe_close(&go);
    return support_teardown(state);
}

/* A child that keeps its side of what was prepared, until it is told to end. */
static struct mp__child start_child(void)
{
    struct mp__child child;
    assert_mp_result(mp__child_prepare(&child), 0);
    pid_t pid = fork();
    check(pid >= 0);
    if (pid == 0) {
        mp__child_inside(&child);
        _exit(pipe_await(&go) == 'g' ? 0 : 1);
    }
    mp__child_started(&child, pid);
    return child;
}

static bool is_ready(int fd)
{
    struct pollfd item = {.fd = fd, .events = POLLIN};
    return poll(&item, 1, 0) == 1;
}

static void test_a_sentinel_is_ready_when_its_child_has_ended(void **state)
{
    (void)state;
    struct mp__child child = start_child();
    int fd = assert_mp_ok(mp__child_sentinel(&child, false));
    check(mp__child_sentinel(&child, false) == fd);
    check(!is_ready(fd));
    pipe_tell(&go, 'g');
    struct pollfd item = {.fd = fd, .events = POLLIN};
    check(poll(&item, 1, -1) == 1);
    check(child_wait(child.pid) == 0);
    check(is_ready(fd));
    mp__child_forget(&child);
    check(child.sentinel == -1);
}

static void test_a_sentinel_asked_for_too_late_is_ready(void **state)
{
    (void)state;
    struct mp__child child = start_child();
    pipe_tell(&go, 'g');
    check(child_wait(child.pid) == 0);
    int fd = assert_mp_ok(mp__child_sentinel(&child, false));
    struct pollfd item = {.fd = fd, .events = POLLIN};
    check(poll(&item, 1, -1) == 1);
    check(!child.sentinel_is_pipe || (item.revents & POLLIN) != 0);
    mp__child_forget(&child);
}

/* Once a child was reaped its number may be that of another child. */
static void test_the_sentinel_of_one_that_was_reaped_is_not_anothers(void **state)
{
    (void)state;
    struct mp__child ended = start_child();
    pipe_tell(&go, 'g');
    check(child_wait(ended.pid) == 0);
    struct mp__child other = start_child();
    ended.pid = other.pid;
    check(is_ready(assert_mp_ok(mp__child_sentinel(&ended, true))));
    mp__child_forget(&ended);
    pipe_tell(&go, 'g');
    check(child_wait(other.pid) == 0);
    mp__child_forget(&other);
}

static void test_waiting_ends_with_the_child(void **state)
{
    (void)state;
    struct mp__child child = start_child();
    mp__child_await(&child, mp__moment_in(MP__MS));
    pipe_tell(&go, 'g');
    siginfo_t info;
    do {
        info.si_pid = 0;
        mp__child_await(&child, MP__NEVER);
        check(waitid(P_PID, (id_t)child.pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0);
    } while (info.si_pid == 0);
    check(child_wait(child.pid) == 0);
    mp__child_forget(&child);
}

static void test_waiting_for_one_that_is_gone_returns(void **state)
{
    (void)state;
    struct mp__child child = start_child();
    pipe_tell(&go, 'g');
    check(child_wait(child.pid) == 0);
    mp__child_await(&child, MP__NEVER);
    mp__child_await(&child, mp__moment_in(MP__SECOND));
    mp__child_forget(&child);
}

/* ---- an application that closes descriptors ------------------------------------------------ */

static void test_a_closed_sentinel_is_not_believed(void **state)
{
    (void)state;
    struct mp__child child = start_child();
    int fd = assert_mp_ok(mp__child_sentinel(&child, false));
    check(close(fd) == 0);
    mp__child_await(&child, mp__moment_in(MP__MS));
    FILE *other = tmpfile();
    check(other != NULL);
    if (fileno(other) != fd)
        check(dup2(fileno(other), fd) == fd);
    mp__child_await(&child, mp__moment_in(MP__MS));
    int again = mp__child_sentinel(&child, false); /* the portable form cannot open another */
    check(again == -EBADF || (again >= 0 && again != fd && !is_ready(again)));
    mp__child_forget(&child);
    check(fcntl(fd, F_GETFD) >= 0);
    pipe_tell(&go, 'g');
    check(child_wait(child.pid) == 0);
    if (fileno(other) != fd)
        check(close(fd) == 0);
    check(fclose(other) == 0);
}

static void test_waiting_opens_nothing(void **state)
{
    (void)state;
    struct mp__child child = start_child();
    int before = census_open_descriptors();
    mp__child_await(&child, mp__moment_in(MP__MS));
    check(census_open_descriptors() == before);
    pipe_tell(&go, 'g');
    check(child_wait(child.pid) == 0);
    mp__child_forget(&child);
}

/* ---- parents ------------------------------------------------------------------------------- */

static int outlive_parent(void)
{
    pid_t parent = getppid();
    check(!mp__parent_await(parent, 0));
    check(!mp__parent_await(parent, mp__moment_in(20 * MP__MS)));
    pipe_tell(&ready, 'r');
    check(mp__parent_await(parent, MP__NEVER));
    check(mp__parent_await(parent, 0));
    pipe_tell(&ready, 'e');
    return 0;
}

static int be_parent(void *arg)
{
    (void)arg;
    pid_t pid = fork();
    if (pid == 0)
        _exit(outlive_parent());
    while (pause() < 0)
        ;
    return 1;
}

static void test_the_end_of_a_parent_is_noticed(void **state)
{
    (void)state;
    pid_t parent = child_fork(be_parent, NULL);
    check(pipe_await(&ready) == 'r');
    check(kill(parent, SIGKILL) == 0);
    check(pipe_await(&ready) == 'e');
    check(child_wait(parent) == -SIGKILL);
}

/* ---- exit ---------------------------------------------------------------------------------- */

static void say_earlier(void)
{
    pipe_tell(&ready, 'e');
}

static void say_later(void)
{
    pipe_tell(&ready, 'l');
}

static void say_last(int status)
{
    pipe_tell(&ready, status == 5 || status == -1 ? '*' : '?');
}

static void test_the_last_handler_runs_between_those_registered_before_and_after(void **state)
{
    (void)state;
    (void)fflush(NULL);
    pid_t pid = fork();
    check(pid >= 0);
    if (pid == 0) {
        check(atexit(say_earlier) == 0);
        mp__exit_set_last(say_last);
        assert_mp_result(mp__exit_register_last(), 0);
        check(atexit(say_later) == 0);
        exit(5);
    }
    check(child_wait(pid) == 5);
    check(pipe_await(&ready) == 'l');
    check(pipe_await(&ready) == '*');
    check(pipe_await(&ready) == 'e');
}

#define child_test(name, function)                \
    {                                             \
        (name), (function), setup, teardown, NULL \
    }

int main(void)
{
    static const struct CMUnitTest tests[] = {
        child_test("child: a sentinel is ready when its child has ended",
                   test_a_sentinel_is_ready_when_its_child_has_ended),
        child_test("child: a sentinel asked for too late is ready",
                   test_a_sentinel_asked_for_too_late_is_ready),
        child_test("child: the sentinel of one that was reaped is not another's",
                   test_the_sentinel_of_one_that_was_reaped_is_not_anothers),
        child_test("child: waiting ends with the child", test_waiting_ends_with_the_child),
        child_test("child: waiting for one that is gone returns",
                   test_waiting_for_one_that_is_gone_returns),
        child_test("child: a closed sentinel is not believed",
                   test_a_closed_sentinel_is_not_believed),
        child_test("child: waiting opens nothing", test_waiting_opens_nothing),
        child_test("parent: its end is noticed", test_the_end_of_a_parent_is_noticed),
        child_test("exit: the last handler runs between those registered before and after",
                   test_the_last_handler_runs_between_those_registered_before_and_after),
    };
    return support_run("child", tests);
}
